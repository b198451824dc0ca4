//! What happens while the log takes its time.

use super::frames::*;
use super::harness::*;
use crate::hub::Input;
use crate::model::HubSettings;

/// A table whose log waits to be told, with Anna in the lobby.
fn slow_table() -> (Table, crate::hub::ConnectionId, crate::wire::tcp::Welcome) {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.delayed = true;
    (table, anna, welcome)
}

/// Frames that come while a join is read wait, in order.
#[test]
fn frames_wait_for_the_welcome() {
    let (mut table, anna, _) = slow_table();
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.send(bob, say(1, "one"));
    table.send(bob, enter(1, "attic"));
    table.send(bob, say_in("attic", 2, "two"));
    assert_eq!((table.words(bob), table.drafts.len()), (vec![], 0));
    table.answer();
    assert_eq!(
        table.words(bob),
        [
            "welcome bob 0 last 0",
            "entered lobby 0 of 2",
            "end 2 0 0",
            "1:lobby bob: one (0)",
            "entered attic 0 of 1",
            "end 5 1 0",
            "2:attic bob: two (0)",
        ]
    );
    assert_eq!(table.words(anna).last().unwrap(), "1:lobby bob: one (0)");
}

/// A fault among the frames that wait comes when its turn comes.
#[test]
fn faults_wait_too() {
    let (mut table, _, _) = slow_table();
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.send(bob, join("bob", &[]));
    table.send(bob, say(1, "x"));
    assert_eq!(table.words(bob), [""; 0]);
    table.answer();
    let words = table.words(bob);
    assert_eq!(words[words.len() - 2..], ["unexpected 2 0", "closed"]);
    assert_eq!(table.log.len(), 0);
}

/// Who sends more than can wait is let go: the log is at fault.
#[test]
fn not_everything_can_wait() {
    let settings = HubSettings { burst: 10, frames_per_minute: 60, ..HubSettings::default() };
    let mut table = Table::with(settings);
    table.delayed = true;
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    for reference in 1..=20 {
        table.send(bob, say(reference, "x"));
        table.send(bob, crate::wire::tcp::Pong { token: 0 });
    }
    assert_eq!(table.words(bob), [""; 0]);
    table.send(bob, say(21, "x"));
    assert_eq!(table.words(bob), ["internal 0 0", "closed"]);
    table.answer();
    table.drop(bob);
    assert_eq!(table.people, 0);
}

/// What is said between the reading and the telling belongs to the history.
#[test]
fn said_while_reading() {
    let (mut table, anna, _) = slow_table();
    for reference in 1..=9 {
        table.send(anna, say(reference, "x"));
    }
    table.answer();
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.look();
    table.send(anna, say(10, "y"));
    table.send(anna, direct("bob", 0, 11, "z"));
    table.send(anna, say(12, "y"));
    table.commit(9);
    assert_eq!(table.words(bob), [""; 0]);
    table.tell();
    let words = table.words(bob);
    assert_eq!(words[2], "2:lobby anna: x (1)", "ten of the room, no more");
    assert_eq!(
        words[10..],
        ["10:lobby anna: y (1)", "11:anna>bob: z (1)", "12:lobby anna: y (1)", "end 2 12 0"]
    );
    table.send(anna, say(13, "y"));
    table.answer();
    assert_eq!(table.words(bob), ["13:lobby anna: y (0)"]);
    table.drop(anna);
    table.drop(bob);
    table.pass(2 * 24 * 60 * 60 * 1_000);
    assert!(table.is_empty());
}

/// The same when a room is entered; the other rooms go on meanwhile.
#[test]
fn said_while_entering() {
    let (mut table, anna, _) = slow_table();
    table.send(anna, enter(1, "attic"));
    table.answer();
    let (_, bob) = {
        table.delayed = false;
        let (bob, _) = table.come("bob", &[]);
        table.delayed = true;
        (0, bob)
    };
    table.send(bob, enter(7, "attic"));
    table.look();
    table.send(anna, say(1, "here"));
    table.send(anna, say_in("attic", 2, "there"));
    table.commit(9);
    assert_eq!(table.words(bob), ["1:lobby anna: here (0)"]);
    table.tell();
    let words = table.words(bob);
    assert_eq!(words[..3], ["entered attic 0 of 2", "2:attic anna: there (1)", "end 5 2 0"]);
    table.send(anna, say_in("attic", 3, "again"));
    table.answer();
    assert_eq!(table.words(bob), ["3:attic anna: again (0)"]);
}

/// Who leaves before the message came back gets `accepted`.
#[test]
fn left_before_the_echo() {
    let (mut table, anna, _) = slow_table();
    table.send(anna, say(1, "x"));
    table.send(anna, leave(1, "lobby"));
    table.answer();
    assert_eq!(table.words(anna), ["left lobby", "accepted 1"]);
}

/// Who comes back before the log has taken the message gets it from the
/// history or as echo, once.
#[test]
fn a_commit_for_a_session_that_has_moved() {
    for looked_before in [true, false] {
        let (mut table, anna, welcome) = slow_table();
        table.send(anna, say(1, "x"));
        let back = table.resume("anna", &[], welcome.token, Some(0));
        assert_eq!(table.words(anna), ["replaced 0 0", "closed"]);
        if looked_before {
            table.look();
        }
        table.commit(1);
        table.answer();
        let words = table.words(back);
        assert_eq!(words[0], "welcome anna 3 last 1");
        assert_eq!(words[2..4], ["1:lobby anna: x (1)", "end 2 1 0"]);
        assert!(!words.contains(&"accepted 1".to_owned()));
    }
    let (mut table, anna, welcome) = slow_table();
    table.send(anna, say(1, "x"));
    let back = table.resume("anna", &[], welcome.token, Some(0));
    table.look();
    table.tell();
    assert_eq!(table.words(back)[2], "end 2 0 0");
    table.send(back, say(1, "x"));
    table.answer();
    assert_eq!(table.words(back), ["1:lobby anna: x (0)"]);
}

/// Who comes back to another room gets `accepted`, after the welcome; so
/// with what could not be stored.
#[test]
fn a_commit_for_a_room_that_was_not_named() {
    let (mut table, anna, welcome) = slow_table();
    table.send(anna, say(1, "x"));
    table.send(anna, direct("anna", 0, 2, "y"));
    let back = table.resume("anna", &["attic"], welcome.token, Some(0));
    table.commit(1);
    table.lose();
    assert_eq!(table.words(back), [""; 0]);
    table.answer();
    let words = table.words(back);
    assert_eq!(words[2], "end 2 1 0");
    assert_eq!(words[4..], ["accepted 1", "not_stored 4 2"]);
}

/// A connection that goes while its join is read leaves nothing behind.
#[test]
fn gone_before_the_welcome() {
    let (mut table, anna, _) = slow_table();
    let bob = table.greet(1);
    table.send(bob, join("bob", &["attic"]));
    table.look();
    table.drop(bob);
    table.send(anna, say(1, "x"));
    table.answer();
    assert_eq!((table.people, table.closed_rooms.len()), (1, 1));
    assert_eq!(table.words(anna), ["1:lobby anna: x (0)"]);
    table.delayed = false;
    table.come("bob", &[]);
}

/// A connection that is replaced while its join is read, twice over.
#[test]
fn replaced_before_the_welcome() {
    let (mut table, anna, welcome) = slow_table();
    table.drop(anna);
    let first = table.resume("anna", &[], welcome.token, None);
    let second = table.resume("anna", &["attic"], welcome.token, None);
    let third = table.resume("Anna", &[], welcome.token, None);
    table.answer();
    for ghost in [first, second] {
        assert_eq!(table.words(ghost), ["replaced 0 0", "closed"]);
    }
    assert_eq!(table.words(third)[0], "welcome Anna 1 last 0");
    assert_eq!(table.people, 1);
}

/// Leaving waits until entering is done; so nothing overtakes.
#[test]
fn leaving_while_entering() {
    let (mut table, anna, _) = slow_table();
    table.send(anna, enter(1, "attic"));
    table.send(anna, leave(2, "attic"));
    table.send(anna, say_in("attic", 1, "x"));
    table.answer();
    assert_eq!(
        table.words(anna),
        [
            "entered attic 0 of 1",
            "end 5 0 0",
            "roster attic 0 1 [\"anna\"]",
            "left attic",
            "not_in_room 3 1",
        ]
    );
}

/// The server stops while things are read and written.
#[test]
fn stopping_in_the_middle() {
    let (mut table, anna, _) = slow_table();
    table.send(anna, say(1, "x"));
    table.send(anna, history(1, "lobby", 0, 0));
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.input(Input::ShutDown { retry_after: 1 });
    table.answer();
    assert_eq!(table.words(anna), ["shutting_down 0 0", "closed"]);
    assert_eq!(table.words(bob), ["shutting_down 0 0", "closed"]);
    table.drop(anna);
    table.drop(bob);
    table.pass(2 * 24 * 60 * 60 * 1_000);
    assert!(table.is_empty());
}

/// Who comes back into a room before the message was taken, and finds it
/// buried under those of others, gets `accepted`.
#[test]
fn an_echo_that_is_buried() {
    let (mut table, anna, _) = slow_table();
    table.delayed = false;
    let (bob, _) = table.come("bob", &[]);
    table.delayed = true;
    table.got(anna);
    table.send(anna, say(1, "x"));
    for reference in 1..=10 {
        table.send(bob, say(reference, "y"));
    }
    table.send(anna, leave(1, "lobby"));
    table.send(anna, enter(2, "lobby"));
    table.look();
    table.commit(11);
    table.tell();
    let words = table.words(anna);
    assert_eq!(words[..2], ["left lobby", "entered lobby 0 of 2"]);
    assert_eq!(words[2], "2:lobby bob: y (1)");
    assert_eq!(words[12], "end 5 11 0");
    assert_eq!(words.last().unwrap(), "accepted 1");
}

/// The same with a direct message, after coming back without a position.
#[test]
fn a_direct_echo_that_is_buried() {
    let (mut table, anna, welcome) = slow_table();
    table.delayed = false;
    let (bob, _) = table.come("bob", &[]);
    table.delayed = true;
    table.send(anna, direct("bob", 0, 1, "x"));
    for reference in 1..=10 {
        table.send(bob, direct("anna", 0, reference, "y"));
    }
    let back = table.resume("anna", &[], welcome.token, None);
    table.look();
    table.commit(11);
    table.answer();
    let words = table.words(back);
    assert_eq!(words[2], "2:bob>anna: y (1)");
    assert_eq!(words[12], "end 2 11 0");
    assert_eq!(words.last().unwrap(), "accepted 1");
}

/// A read that is answered twice, or for another request, is not taken.
#[test]
fn a_read_is_answered_once() {
    let (mut table, _, _) = slow_table();
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.look();
    let (tag, outcome) = table.outcomes[0].clone();
    table.tell();
    table.got(bob);
    table.send(bob, history(1, "lobby", 0, 0));
    table.input(Input::ReadDone { tag, outcome });
    assert_eq!(table.words(bob), [""; 0]);
    table.answer();
    assert_eq!(table.words(bob), ["end 7 0 0"]);
}
