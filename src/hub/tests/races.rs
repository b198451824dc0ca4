//! Tests of races between clients and a slow log.

use super::frames::*;
use super::harness::*;
use crate::hub::Input;
use crate::model::HubSettings;

/// Returns a harness with `anna` in the lobby, whose log then answers only when told to. Also
/// returns her connection and her welcome.
fn manual_log_harness() -> (Harness, crate::hub::ConnectionId, crate::wire::tcp::Welcome) {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.manual_log = true;
    (harness, anna, welcome)
}

/// Frames received while a join is read are handled afterwards, in order.
#[test]
fn frames_are_deferred_until_welcome() {
    let (mut harness, anna, _) = manual_log_harness();
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.send(bob, say(1, "one"));
    harness.send(bob, enter(1, "attic"));
    harness.send(bob, say_in("attic", 2, "two"));
    assert_eq!((harness.take_summaries(bob), harness.pending_drafts.len()), (vec![], 0));
    harness.run_log();
    assert_eq!(
        harness.take_summaries(bob),
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
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "1:lobby bob: one (0)");
}

/// A deferred frame that violates the protocol closes the connection in its turn: after the frames
/// before it, and before those after it.
#[test]
fn violations_are_deferred_in_order() {
    let (mut harness, _, _) = manual_log_harness();
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.send(bob, join("bob", &[]));
    harness.send(bob, say(1, "x"));
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[summaries.len() - 2..], ["unexpected 2 0", "closed"]);
    assert_eq!(harness.log.len(), 0);
}

/// A client with more deferred frames than permitted is closed with `internal`.
#[test]
fn too_many_deferred_frames_close_connection() {
    let settings = HubSettings { burst: 10, frames_per_minute: 60, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    harness.manual_log = true;
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    for reference in 1..=20 {
        harness.send(bob, say(reference, "x"));
        harness.send(bob, crate::wire::tcp::Pong { token: 0 });
    }
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.send(bob, say(21, "x"));
    assert_eq!(harness.take_summaries(bob), ["internal 0 0", "closed"]);
    harness.run_log();
    harness.disconnect(bob);
    assert_eq!(harness.connected_users, 0);
}

/// Messages committed between a read and its answer belong to the history.
#[test]
fn messages_during_join_read_are_in_history() {
    let (mut harness, anna, _) = manual_log_harness();
    for reference in 1..=9 {
        harness.send(anna, say(reference, "x"));
    }
    harness.run_log();
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.perform_read();
    harness.send(anna, say(10, "y"));
    harness.send(anna, direct("bob", 0, 11, "z"));
    harness.send(anna, say(12, "y"));
    harness.commit(9);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.deliver_outcome();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[2], "2:lobby anna: x (1)", "ten of the room, no more");
    assert_eq!(
        summaries[10..],
        ["10:lobby anna: y (1)", "11:anna>bob: z (1)", "12:lobby anna: y (1)", "end 2 12 0"]
    );
    harness.send(anna, say(13, "y"));
    harness.run_log();
    assert_eq!(harness.take_summaries(bob), ["13:lobby anna: y (0)"]);
    harness.disconnect(anna);
    harness.disconnect(bob);
    harness.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(harness.is_empty());
}

/// Messages committed while a room is being entered belong to its history. Messages in other rooms
/// are sent meanwhile.
#[test]
fn messages_during_enter_read_are_in_history() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.send(anna, enter(1, "attic"));
    harness.run_log();
    let (_, bob) = {
        harness.manual_log = false;
        let (bob, _) = harness.join("bob", &[]);
        harness.manual_log = true;
        (0, bob)
    };
    harness.send(bob, enter(7, "attic"));
    harness.perform_read();
    harness.send(anna, say(1, "here"));
    harness.send(anna, say_in("attic", 2, "there"));
    harness.commit(9);
    assert_eq!(harness.take_summaries(bob), ["1:lobby anna: here (0)"]);
    harness.deliver_outcome();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[..3], ["entered attic 0 of 2", "2:attic anna: there (1)", "end 5 2 0"]);
    harness.send(anna, say_in("attic", 3, "again"));
    harness.run_log();
    assert_eq!(harness.take_summaries(bob), ["3:attic anna: again (0)"]);
}

/// A client that leaves the room before its message is committed gets `accepted`.
#[test]
fn leave_before_commit_gets_accepted() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    harness.send(anna, leave(1, "lobby"));
    harness.run_log();
    assert_eq!(harness.take_summaries(anna), ["left lobby", "accepted 1"]);
}

/// A message in flight during a resume reaches its author once: in the replay if it is committed
/// before the replay ends, else as echo.
#[test]
fn commit_after_resume_is_delivered_once() {
    for looked_before in [true, false] {
        let (mut harness, anna, welcome) = manual_log_harness();
        harness.send(anna, say(1, "x"));
        let back = harness.resume("anna", &[], welcome.token, Some(0));
        assert_eq!(harness.take_summaries(anna), ["replaced 0 0", "closed"]);
        if looked_before {
            harness.perform_read();
        }
        harness.commit(1);
        harness.run_log();
        let summaries = harness.take_summaries(back);
        assert_eq!(summaries[0], "welcome anna 3 last 1");
        assert_eq!(summaries[2..4], ["1:lobby anna: x (1)", "end 2 1 0"]);
        assert!(!summaries.contains(&"accepted 1".to_owned()));
    }
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    let back = harness.resume("anna", &[], welcome.token, Some(0));
    harness.perform_read();
    harness.deliver_outcome();
    assert_eq!(harness.take_summaries(back)[2], "end 2 0 0");
    harness.send(back, say(1, "x"));
    harness.run_log();
    assert_eq!(harness.take_summaries(back), ["1:lobby anna: x (0)"]);
}

/// If a message is stored during a resume that does not rejoin its room, the author gets `accepted`
/// after the replay. If a message is rejected, the author gets the error after the replay.
#[test]
fn commit_for_room_not_rejoined_gets_accepted() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    harness.send(anna, direct("anna", 0, 2, "y"));
    let back = harness.resume("anna", &["attic"], welcome.token, Some(0));
    harness.commit(1);
    harness.reject_draft();
    assert_eq!(harness.take_summaries(back), [""; 0]);
    harness.run_log();
    let summaries = harness.take_summaries(back);
    assert_eq!(summaries[2], "end 2 1 0");
    assert_eq!(summaries[4..], ["accepted 1", "not_stored 4 2"]);
}

/// A connection lost during the read of its join leaves no state.
#[test]
fn disconnect_during_join_read_leaves_no_state() {
    let (mut harness, anna, _) = manual_log_harness();
    let bob = harness.connect_and_greet(1);
    harness.send(bob, join("bob", &["attic"]));
    harness.perform_read();
    harness.disconnect(bob);
    harness.send(anna, say(1, "x"));
    harness.run_log();
    assert_eq!((harness.connected_users, harness.closed_rooms.len()), (1, 1));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (0)"]);
    harness.manual_log = false;
    harness.join("bob", &[]);
}

/// A connection that is replaced during the read of its join is closed, also if the next connection
/// is replaced in turn.
#[test]
fn resume_replaces_connection_during_join_read() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.disconnect(anna);
    let first = harness.resume("anna", &[], welcome.token, None);
    let second = harness.resume("anna", &["attic"], welcome.token, None);
    let third = harness.resume("Anna", &[], welcome.token, None);
    harness.run_log();
    for ghost in [first, second] {
        assert_eq!(harness.take_summaries(ghost), ["replaced 0 0", "closed"]);
    }
    assert_eq!(harness.take_summaries(third)[0], "welcome Anna 1 last 0");
    assert_eq!(harness.connected_users, 1);
}

/// `leave` waits until `enter` is complete.
#[test]
fn leave_is_deferred_until_enter_completes() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.send(anna, enter(1, "attic"));
    harness.send(anna, leave(2, "attic"));
    harness.send(anna, say_in("attic", 1, "x"));
    harness.run_log();
    assert_eq!(
        harness.take_summaries(anna),
        [
            "entered attic 0 of 1",
            "end 5 0 0",
            "roster attic 0 1 [\"anna\"]",
            "left attic",
            "not_in_room 3 1",
        ]
    );
}

/// A shutdown while reads and drafts are pending leaves no state.
#[test]
fn shutdown_during_reads_and_writes() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.send(anna, say(1, "x"));
    harness.send(anna, history(1, "lobby", 0, 0));
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.input(Input::ShutDown { retry_after: 1 });
    harness.run_log();
    assert_eq!(harness.take_summaries(anna), ["shutting_down 0 0", "closed"]);
    assert_eq!(harness.take_summaries(bob), ["shutting_down 0 0", "closed"]);
    harness.disconnect(anna);
    harness.disconnect(bob);
    harness.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(harness.is_empty());
}

/// A message is committed during its author's `enter`, but the history limit leaves it out of the
/// answer. The author gets `accepted`.
#[test]
fn echo_beyond_history_limit_gets_accepted() {
    let (mut harness, anna, _) = manual_log_harness();
    harness.manual_log = false;
    let (bob, _) = harness.join("bob", &[]);
    harness.manual_log = true;
    harness.take_received(anna);
    harness.send(anna, say(1, "x"));
    for reference in 1..=10 {
        harness.send(bob, say(reference, "y"));
    }
    harness.send(anna, leave(1, "lobby"));
    harness.send(anna, enter(2, "lobby"));
    harness.perform_read();
    harness.commit(11);
    harness.deliver_outcome();
    let summaries = harness.take_summaries(anna);
    assert_eq!(summaries[..2], ["left lobby", "entered lobby 0 of 2"]);
    assert_eq!(summaries[2], "2:lobby bob: y (1)");
    assert_eq!(summaries[12], "end 5 11 0");
    assert_eq!(summaries.last().unwrap(), "accepted 1");
}

/// A direct message is committed during its author's resume without position, but the history limit
/// leaves it out of the replay. The author gets `accepted`.
#[test]
fn direct_echo_beyond_history_limit_gets_accepted() {
    let (mut harness, anna, welcome) = manual_log_harness();
    harness.manual_log = false;
    let (bob, _) = harness.join("bob", &[]);
    harness.manual_log = true;
    harness.send(anna, direct("bob", 0, 1, "x"));
    for reference in 1..=10 {
        harness.send(bob, direct("anna", 0, reference, "y"));
    }
    let back = harness.resume("anna", &[], welcome.token, None);
    harness.perform_read();
    harness.commit(11);
    harness.run_log();
    let summaries = harness.take_summaries(back);
    assert_eq!(summaries[2], "2:bob>anna: y (1)");
    assert_eq!(summaries[12], "end 2 11 0");
    assert_eq!(summaries.last().unwrap(), "accepted 1");
}

/// An answer to a read is ignored if it comes a second time, even while another read is pending.
#[test]
fn stale_read_answer_is_ignored() {
    let (mut harness, _, _) = manual_log_harness();
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.perform_read();
    let (tag, outcome) = harness.pending_outcomes[0].clone();
    harness.deliver_outcome();
    harness.take_received(bob);
    harness.send(bob, history(1, "lobby", 0, 0));
    harness.input(Input::ReadDone { tag, outcome });
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.run_log();
    assert_eq!(harness.take_summaries(bob), ["end 7 0 0"]);
}
