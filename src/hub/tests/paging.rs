//! Much that was missed comes page by page, and nobody is given more than
//! they take.

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, ReadRange};
use crate::model::limits::REPLAY_PAGE;
use crate::model::{Sequence, Token};

/// A table whose log brings two entries at a time, with Bob in the lobby and
/// Anna, who has missed five things that he said, coming back to it and to the
/// attic. The log waits to be told.
fn missed_five() -> (Table, ConnectionId, ConnectionId, Token) {
    let mut table = Table::new();
    table.page = 2;
    let (anna, welcome) = table.come("anna", &[]);
    table.drop(anna);
    let (bob, _) = table.come("bob", &["lobby", "attic"]);
    for reference in 1..=4 {
        table.send(bob, say(reference, "x"));
    }
    table.send(bob, direct("anna", 0, 5, "y"));
    table.got(bob);
    table.delayed = true;
    let anna = table.resume("anna", &["lobby", "attic"], welcome.token, Some(0));
    (table, anna, bob, welcome.token)
}

/// The log does a read and tells what it has found.
fn read(table: &mut Table) {
    assert!(table.look() && table.tell());
}

/// Page after page, each read when the one before was taken up; the welcome
/// comes before the first, everything else behind the last.
#[test]
fn page_by_page() {
    let (mut table, anna, _, _) = missed_five();
    read(&mut table);
    assert_eq!(
        table.words(anna),
        [
            "welcome anna 3 last 0",
            "entered lobby 0 of 2",
            "entered attic 0 of 2",
            "1:lobby bob: x (1)",
            "2:lobby bob: x (1)",
        ]
    );
    assert!(table.reads.is_empty() && table.hub.backlog.is_empty(), "nothing is read ahead");
    table.mark();
    read(&mut table);
    assert_eq!(table.words(anna), ["3:lobby bob: x (1)", "4:lobby bob: x (1)"]);
    table.mark();
    read(&mut table);
    assert_eq!(
        table.words(anna),
        [
            "5:bob>anna: y (1)",
            "end 2 5 0",
            "roster lobby 0 2 [\"anna\", \"bob\"]",
            "roster attic 0 2 [\"anna\", \"bob\"]",
        ]
    );
    let asked: Vec<ReadRange> = table.requests.iter().map(|it| it.range.clone()).skip(2).collect();
    let after = |sequence| ReadRange::After(Sequence(sequence), REPLAY_PAGE);
    assert_eq!(asked, [after(0), after(2), after(4)]);
}

/// What is said meanwhile belongs to the pages, once and in its place; what
/// the one who comes back wants waits for the end.
#[test]
fn said_between_the_pages() {
    let (mut table, anna, bob, _) = missed_five();
    table.look();
    table.send(bob, say_in("attic", 6, "while it is read"));
    table.commit(1);
    table.tell();
    assert_eq!(table.words(anna).last().unwrap(), "2:lobby bob: x (1)");
    table.send(bob, say(7, "while it is sent"));
    table.send(anna, say(1, "z"));
    table.commit(1);
    for _ in 0..2 {
        table.mark();
        read(&mut table);
    }
    assert_eq!(table.words(anna).last().unwrap(), "6:attic bob: while it is read (1)");
    table.mark();
    table.look();
    table.send(bob, say(8, "while the last is read"));
    table.commit(1);
    table.tell();
    let words = table.words(anna);
    assert_eq!(
        words[..3],
        [
            "7:lobby bob: while it is sent (1)",
            "8:lobby bob: while the last is read (1)",
            "end 2 8 0",
        ]
    );
    assert_eq!(words.len(), 5, "and the rosters");
    assert!(table.drafts.is_empty(), "the last page has to be taken up, too");
    table.answer();
    assert_eq!(table.words(anna), ["9:lobby anna: z (0)"]);
}

/// A page that brings nothing, and yet there is more: it goes on behind what
/// the log had then.
#[test]
fn an_empty_page() {
    let (mut table, anna, _, _) = missed_five();
    table.look();
    let outcome = table.outcomes[0].1.as_mut().unwrap();
    outcome.entries.clear();
    outcome.head = Sequence(3);
    table.tell();
    table.answer();
    let words = table.words(anna);
    assert_eq!(words[3..6], ["4:lobby bob: x (1)", "5:bob>anna: y (1)", "end 2 5 0"]);
}

/// What the log has taken meanwhile and no page brings is acknowledged
/// behind the last of them; what a page brings is not.
#[test]
fn what_is_owed_waits_for_the_last_page() {
    let (mut table, anna, _, token) = missed_five();
    table.answer();
    table.send(anna, say(1, "here"));
    table.send(anna, say_in("attic", 2, "elsewhere"));
    let back = table.resume("anna", &["lobby"], token, Some(2));
    table.look();
    table.commit(9);
    table.tell();
    assert_eq!(table.words(back).last().unwrap(), "4:lobby bob: x (1)");
    table.answer();
    let words = table.words(back);
    assert_eq!(words[..3], ["5:bob>anna: y (1)", "6:lobby anna: here (1)", "end 2 7 0"]);
    assert_eq!(words[4..], ["accepted 2"]);
}

/// Whoever goes between two pages, or while one is read, leaves nothing
/// behind; nor does who comes again.
#[test]
fn gone_between_the_pages() {
    for at in 0..4 {
        for replaced in [false, true] {
            let (mut table, anna, bob, token) = missed_five();
            for step in 0..at {
                if step % 2 == 0 {
                    read(&mut table);
                } else {
                    table.mark();
                }
            }
            if replaced {
                let again = table.resume("anna", &[], token, Some(0));
                table.answer();
                assert_eq!(table.words(again)[6], "5:bob>anna: y (1)");
                assert_eq!(table.words(anna).last().unwrap(), "closed");
                table.drop(again);
            }
            table.drop(anna);
            table.answer();
            assert!(table.hub.backlog.is_empty(), "at {at}, replaced: {replaced}");
            table.drop(bob);
            table.pass(2 * 24 * 60 * 60 * 1_000);
            assert!(table.is_empty(), "at {at}, replaced: {replaced}");
        }
    }
}

/// Whoever asks for many pages at once is given one at a time.
#[test]
fn history_is_taken_up_before_more_comes() {
    let (mut table, anna, bob, _) = missed_five();
    table.answer();
    table.got(anna);
    table.send(bob, history(1, "lobby", 0, 2));
    table.send(bob, search(2, "", "x", 0, 3));
    table.send(bob, enter(3, "cellar"));
    read(&mut table);
    assert_eq!(table.words(bob), ["3:lobby bob: x (3)", "4:lobby bob: x (3)", "end 7 5 1"]);
    assert!(table.reads.is_empty());
    table.mark();
    read(&mut table);
    let words = table.words(bob);
    assert_eq!(words[2..], ["4:lobby bob: x (3)", "end 11 5 1"]);
    assert!(table.reads.is_empty());
    table.mark();
    read(&mut table);
    assert_eq!(table.words(bob)[..2], ["entered cellar 0 of 1", "end 5 5 0"]);
    // There was nothing to be taken up.
    table.send(bob, say(6, "z"));
    assert_eq!(table.drafts.len(), 1);
}

/// Nobody has waited for it.
#[test]
fn a_mark_that_nobody_has_set() {
    let (mut table, anna, bob, _) = missed_five();
    for connection in [anna, bob, ConnectionId(99)] {
        table.input(Input::MarkReached { connection });
    }
    assert_eq!((table.reads.len(), table.words(anna)), (1, vec![]));
    table.answer();
    assert_eq!(table.words(anna)[8], "end 2 5 0");
}

/// Who will say nothing more gets everything that was asked for, and then the
/// end; their messages are taken.
#[test]
fn finished_with_much_to_be_answered() {
    let (mut table, anna, bob, _) = missed_five();
    table.answer();
    table.got(anna);
    for frame in [history(1, "lobby", 0, 2), say(6, "one"), history(2, "lobby", 4, 1)] {
        table.send(bob, frame);
    }
    table.send(bob, say(7, "two"));
    table.input(Input::HalfClosed { connection: bob });
    assert_eq!((table.words(bob), table.people), (vec![], 2));
    table.answer();
    let words = table.words(bob);
    assert_eq!(words[2..4], ["end 7 5 1", "6:lobby bob: one (0)"]);
    assert_eq!(words[words.len() - 2..], ["7:lobby bob: two (0)", "closed"]);
    assert_eq!(table.people, 1);
    table.drop(bob);
    table.input(Input::HalfClosed { connection: bob });
    table.input(Input::HalfClosed { connection: anna });
    assert_eq!(table.words(anna).last().unwrap(), "closed");
    table.drop(anna);
    table.pass(2 * 24 * 60 * 60 * 1_000);
    assert!(table.is_empty());
}

/// What somebody said who is gone before taking up what came before counts.
#[test]
fn gone_without_taking_it_up() {
    let (mut table, _, bob, _) = missed_five();
    table.answer();
    table.send(bob, history(1, "lobby", 0, 2));
    read(&mut table);
    table.send(bob, say(6, "bye"));
    table.drop(bob);
    table.answer();
    assert_eq!(table.log.last().unwrap().draft.text.as_str(), "bye");
}
