//! Tests of paged replay and flow control.

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, ReadRange};
use crate::model::limits::REPLAY_PAGE;
use crate::model::{Sequence, Token};

/// Returns a harness with a manual log that reads two entries at a time. Anna has missed five
/// messages by bob, and is resuming in the lobby and the attic. Also returns anna's and bob's
/// connections and anna's token.
fn resume_after_five_missed() -> (Harness, ConnectionId, ConnectionId, Token) {
    let mut harness = Harness::new();
    harness.page_limit = 2;
    let (anna, welcome) = harness.join("anna", &[]);
    harness.disconnect(anna);
    let (bob, _) = harness.join("bob", &["lobby", "attic"]);
    for reference in 1..=4 {
        harness.send(bob, say(reference, "x"));
    }
    harness.send(bob, direct("anna", 0, 5, "y"));
    harness.take_received(bob);
    harness.manual_log = true;
    let anna = harness.resume("anna", &["lobby", "attic"], welcome.token, Some(0));
    (harness, anna, bob, welcome.token)
}

/// Performs a read and delivers its outcome. Panics if no read is pending.
fn complete_read(harness: &mut Harness) {
    assert!(harness.perform_read() && harness.deliver_outcome());
}

/// Each page is read when the client has taken the previous one. The welcome comes before the first
/// page, everything else after the last one.
#[test]
fn replay_is_read_page_by_page() {
    let (mut harness, anna, _, _) = resume_after_five_missed();
    complete_read(&mut harness);
    assert_eq!(
        harness.take_summaries(anna),
        [
            "welcome anna 3 last 0",
            "entered lobby 0 of 2",
            "entered attic 0 of 2",
            "1:lobby bob: x (1)",
            "2:lobby bob: x (1)",
        ]
    );
    assert!(
        harness.pending_reads.is_empty() && harness.hub.backlog.is_empty(),
        "nothing is read ahead"
    );
    harness.reach_mark();
    complete_read(&mut harness);
    assert_eq!(harness.take_summaries(anna), ["3:lobby bob: x (1)", "4:lobby bob: x (1)"]);
    harness.reach_mark();
    complete_read(&mut harness);
    assert_eq!(
        harness.take_summaries(anna),
        [
            "5:bob>anna: y (1)",
            "end 2 5 0",
            "roster lobby 0 2 [\"anna\", \"bob\"]",
            "roster attic 0 2 [\"anna\", \"bob\"]",
        ]
    );
    let asked: Vec<ReadRange> =
        harness.read_requests.iter().map(|it| it.range.clone()).skip(2).collect();
    let after = |sequence| ReadRange::After(Sequence(sequence), REPLAY_PAGE);
    assert_eq!(asked, [after(0), after(2), after(4)]);
}

/// Messages that others send during a replay are part of its pages, once and in order. The frames
/// of the resuming client wait until the replay is over.
#[test]
fn messages_between_pages_are_replayed_once() {
    let (mut harness, anna, bob, _) = resume_after_five_missed();
    harness.perform_read();
    harness.send(bob, say_in("attic", 6, "while it is read"));
    harness.commit(1);
    harness.deliver_outcome();
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "2:lobby bob: x (1)");
    harness.send(bob, say(7, "while it is sent"));
    harness.send(anna, say(1, "z"));
    harness.commit(1);
    for _ in 0..2 {
        harness.reach_mark();
        complete_read(&mut harness);
    }
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "6:attic bob: while it is read (1)");
    harness.reach_mark();
    harness.perform_read();
    harness.send(bob, say(8, "while the last is read"));
    harness.commit(1);
    harness.deliver_outcome();
    let summaries = harness.take_summaries(anna);
    assert_eq!(
        summaries[..3],
        [
            "7:lobby bob: while it is sent (1)",
            "8:lobby bob: while the last is read (1)",
            "end 2 8 0",
        ]
    );
    assert_eq!(summaries.len(), 5, "and the rosters");
    assert!(harness.pending_drafts.is_empty(), "the last page has to be taken up, too");
    harness.run_log();
    assert_eq!(harness.take_summaries(anna), ["9:lobby anna: z (0)"]);
}

/// If a page is empty but more entries follow, the replay continues after the head that this read
/// returned.
#[test]
fn empty_page_continues_after_its_head() {
    let (mut harness, anna, _, _) = resume_after_five_missed();
    harness.perform_read();
    let outcome = harness.pending_outcomes[0].1.as_mut().unwrap();
    outcome.entries.clear();
    outcome.head = Sequence(3);
    harness.deliver_outcome();
    harness.run_log();
    let summaries = harness.take_summaries(anna);
    assert_eq!(summaries[3..6], ["4:lobby bob: x (1)", "5:bob>anna: y (1)", "end 2 5 0"]);
}

/// If a client's message is stored during the client's replay, the client gets `accepted` after the
/// last page, unless a page contains the message.
#[test]
fn acknowledgements_wait_for_last_page() {
    let (mut harness, anna, _, token) = resume_after_five_missed();
    harness.run_log();
    harness.send(anna, say(1, "here"));
    harness.send(anna, say_in("attic", 2, "elsewhere"));
    let back = harness.resume("anna", &["lobby"], token, Some(2));
    harness.perform_read();
    harness.commit(9);
    harness.deliver_outcome();
    assert_eq!(harness.take_summaries(back).last().unwrap(), "4:lobby bob: x (1)");
    harness.run_log();
    let summaries = harness.take_summaries(back);
    assert_eq!(summaries[..3], ["5:bob>anna: y (1)", "6:lobby anna: here (1)", "end 2 7 0"]);
    assert_eq!(summaries[4..], ["accepted 2"]);
}

/// A client that disconnects or is replaced between two pages leaves no state.
#[test]
fn disconnect_between_pages_leaves_no_state() {
    for at in 0..4 {
        for replaced in [false, true] {
            let (mut harness, anna, bob, token) = resume_after_five_missed();
            for step in 0..at {
                if step % 2 == 0 {
                    complete_read(&mut harness);
                } else {
                    harness.reach_mark();
                }
            }
            if replaced {
                let again = harness.resume("anna", &[], token, Some(0));
                harness.run_log();
                assert_eq!(harness.take_summaries(again)[6], "5:bob>anna: y (1)");
                assert_eq!(harness.take_summaries(anna).last().unwrap(), "closed");
                harness.disconnect(again);
            }
            harness.disconnect(anna);
            harness.run_log();
            assert!(harness.hub.backlog.is_empty(), "at {at}, replaced: {replaced}");
            harness.disconnect(bob);
            harness.advance(2 * 24 * 60 * 60 * 1_000);
            assert!(harness.is_empty(), "at {at}, replaced: {replaced}");
        }
    }
}

/// Requests sent together are answered one at a time: each when the client has taken the previous
/// answer.
#[test]
fn requests_wait_for_flow_control_mark() {
    let (mut harness, anna, bob, _) = resume_after_five_missed();
    harness.run_log();
    harness.take_received(anna);
    harness.send(bob, history(1, "lobby", 0, 2));
    harness.send(bob, search(2, "", "x", 0, 3));
    harness.send(bob, enter(3, "cellar"));
    complete_read(&mut harness);
    assert_eq!(
        harness.take_summaries(bob),
        ["3:lobby bob: x (3)", "4:lobby bob: x (3)", "end 7 5 1"]
    );
    assert!(harness.pending_reads.is_empty());
    harness.reach_mark();
    complete_read(&mut harness);
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[2..], ["4:lobby bob: x (3)", "end 11 5 1"]);
    assert!(harness.pending_reads.is_empty());
    harness.reach_mark();
    complete_read(&mut harness);
    assert_eq!(harness.take_summaries(bob)[..2], ["entered cellar 0 of 1", "end 5 5 0"]);
    // An answer without entries sets no mark.
    harness.send(bob, say(6, "z"));
    assert_eq!(harness.pending_drafts.len(), 1);
}

/// A mark that was not awaited is ignored.
#[test]
fn unexpected_mark_is_ignored() {
    let (mut harness, anna, bob, _) = resume_after_five_missed();
    for connection in [anna, bob, ConnectionId(99)] {
        harness.input(Input::MarkReached { connection });
    }
    assert_eq!((harness.pending_reads.len(), harness.take_summaries(anna)), (1, vec![]));
    harness.run_log();
    assert_eq!(harness.take_summaries(anna)[8], "end 2 5 0");
}

/// A half-closed connection gets all answers before it is closed, and the messages that it had sent
/// are stored.
#[test]
fn half_closed_connection_gets_all_answers() {
    let (mut harness, anna, bob, _) = resume_after_five_missed();
    harness.run_log();
    harness.take_received(anna);
    for frame in [history(1, "lobby", 0, 2), say(6, "one"), history(2, "lobby", 4, 1)] {
        harness.send(bob, frame);
    }
    harness.send(bob, say(7, "two"));
    harness.input(Input::HalfClosed { connection: bob, in_frame: false });
    assert_eq!((harness.take_summaries(bob), harness.connected_users), (vec![], 2));
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[2..4], ["end 7 5 1", "6:lobby bob: one (0)"]);
    assert_eq!(summaries[summaries.len() - 2..], ["7:lobby bob: two (0)", "closed"]);
    assert_eq!(harness.connected_users, 1);
    harness.disconnect(bob);
    harness.input(Input::HalfClosed { connection: bob, in_frame: false });
    harness.input(Input::HalfClosed { connection: anna, in_frame: false });
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "closed");
    harness.disconnect(anna);
    harness.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(harness.is_empty());
}

/// A message waits for a flow-control mark. If the client disconnects before the mark, the message
/// is stored nevertheless.
#[test]
fn frames_deferred_by_mark_survive_disconnect() {
    let (mut harness, _, bob, _) = resume_after_five_missed();
    harness.run_log();
    harness.send(bob, history(1, "lobby", 0, 2));
    complete_read(&mut harness);
    harness.send(bob, say(6, "bye"));
    harness.disconnect(bob);
    harness.run_log();
    assert_eq!(harness.log.last().unwrap().draft.text.as_str(), "bye");
}
