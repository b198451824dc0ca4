//! `join`s on their way through a log that delays its answers, and a log that other hubs use too.

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input};
use crate::model::HubSettings;
use crate::wire::tcp::{Welcome, feature};

/// Length of two days, in milliseconds: every session has expired then.
const TWO_DAYS: u64 = 2 * 24 * 60 * 60 * 1_000;

/// Returns a harness with `anna` in the lobby, whose log then commits volatile changes only when
/// told to. Also returns her connection and her welcome.
fn slow_harness() -> (Harness, ConnectionId, Welcome) {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.advance(1_000);
    harness.take_received(anna);
    harness.delays_volatile = true;
    harness.manual_log = true;
    (harness, anna, welcome)
}

/// Connects a client with these features and sends its `join`.
fn propose(harness: &mut Harness, name: &str, features: u64) -> ConnectionId {
    let connection = harness.connect_and_greet(features);
    harness.send(connection, join(name, &[]));
    connection
}

/// Disconnects these clients, and checks that the hub is empty when their sessions have expired.
fn check_no_state_left(harness: &mut Harness, clients: &[ConnectionId]) {
    for client in clients {
        harness.disconnect(*client);
    }
    harness.run_log();
    assert_eq!(harness.connected_users, 0);
    harness.advance(TWO_DAYS);
    harness.run_log();
    assert!(harness.is_empty());
}

/// A `join` counts when it is committed, not before: no welcome, no user, no member. Frames behind
/// it wait.
#[test]
fn join_counts_when_it_is_committed() {
    let (mut harness, anna, _) = slow_harness();
    let bob = propose(&mut harness, "bob", 0);
    harness.send(bob, say(1, "x"));
    harness.advance(1_000);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    assert_eq!(harness.take_summaries(anna), [""; 0]);
    assert_eq!((harness.connected_users, harness.pending_reads.len()), (1, 0));
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[0], "welcome bob 0 last 0");
    assert_eq!(summaries.last().unwrap(), "1:lobby bob: x (0)");
    assert_eq!(harness.connected_users, 2);
    check_no_state_left(&mut harness, &[anna, bob]);
}

/// A name that a pending `join` wants is refused to others, in any spelling and look, and is free
/// again if the connection is lost.
#[test]
fn pending_join_reserves_its_name() {
    let (mut harness, anna, _) = slow_harness();
    let bob = propose(&mut harness, "bob", 0);
    let same = propose(&mut harness, "Bob", 0);
    assert_eq!(harness.take_summaries(same), ["name_taken 2 0"]);
    harness.send(same, join("b\u{43e}b", &[]));
    assert_eq!(harness.take_summaries(same), ["name_lookalike 2 0"]);
    harness.disconnect(bob);
    harness.run_log();
    harness.send(same, join("bob", &[]));
    harness.run_log();
    assert_eq!(harness.take_summaries(same)[0], "welcome bob 0 last 0");
    check_no_state_left(&mut harness, &[anna, same]);
}

/// A `join` whose name another hub's session has got earlier in the log is refused; the client may
/// try again on the same connection. Frames behind the refused `join` are handled then.
#[test]
fn earlier_join_of_another_hub_wins_the_name() {
    let (mut harness, anna, _) = slow_harness();
    let bob = propose(&mut harness, "bob", 0);
    harness.send(bob, join("carl", &[]));
    let (session, hold) = harness.join_elsewhere("Bob");
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.commit_volatile(1);
    assert_eq!(harness.take_summaries(bob), ["name_taken 2 0"]);
    harness.run_log();
    assert_eq!(harness.take_summaries(bob)[0], "welcome carl 0 last 0");
    let late = propose(&mut harness, "bob", 0);
    assert_eq!(harness.take_summaries(late), ["name_taken 2 0"]);
    harness.end_elsewhere(session, hold);
    harness.send(late, join("bob", &[]));
    harness.run_log();
    assert_eq!(harness.take_summaries(late)[0], "welcome bob 0 last 0");
    check_no_state_left(&mut harness, &[anna, bob, late]);
}

/// A `join` of another hub that comes later in the log gets no name that is held here.
#[test]
fn later_join_of_another_hub_gets_no_held_name() {
    let (mut harness, anna, _) = slow_harness();
    let bob = propose(&mut harness, "bob", 0);
    harness.run_log();
    let (session, hold) = harness.join_elsewhere("bob");
    harness.send(anna, direct("bob", 0, 1, "x"));
    harness.run_log();
    assert_eq!(harness.take_summaries(bob).last().unwrap(), "1:anna>bob: x (0)");
    harness.end_elsewhere(session, hold);
    harness.send(anna, direct("bob", 0, 2, "y"));
    harness.run_log();
    assert_eq!(harness.take_summaries(bob), ["2:anna>bob: y (0)"]);
    check_no_state_left(&mut harness, &[anna, bob]);
}

/// After the last attempt, a `join` that is refused at its commit closes the connection.
#[test]
fn refusals_at_commit_count_as_attempts() {
    let (mut harness, anna, welcome) = slow_harness();
    let bob = harness.connect_and_greet(0);
    for _ in 0..10 {
        harness
            .send(bob, crate::wire::tcp::Join { token: Some(welcome.token), ..join("bob", &[]) });
        let (session, hold) = harness.join_elsewhere("bob");
        harness.commit_volatile(1);
        harness.end_elsewhere(session, hold);
        if harness.take_summaries(bob) != ["name_taken 2 0"] {
            break;
        }
    }
    harness.run_log();
    // The session that was to be resumed is as before.
    assert_eq!(harness.connected_users, 1);
    harness.send(anna, direct("anna", 0, 1, "x"));
    harness.run_log();
    assert_eq!(harness.take_summaries(anna), ["1:anna>anna: x (0)"]);
    check_no_state_left(&mut harness, &[anna, bob]);
}

/// A connection that is lost while its `join` is pending leaves nothing: neither a member, nor a
/// name, nor a session that nobody can resume.
#[test]
fn connection_lost_before_commit_leaves_no_state() {
    for half_closed in [None, Some(true), Some(false)] {
        let (mut harness, anna, _) = slow_harness();
        let bob = propose(&mut harness, "bob", feature::RESUME);
        if let Some(in_frame) = half_closed {
            harness.input(Input::HalfClosed { connection: bob, in_frame });
        }
        harness.disconnect(bob);
        harness.run_log();
        assert_eq!((harness.connected_users, harness.persisted_sessions.len()), (1, 1));
        check_no_state_left(&mut harness, &[anna]);
    }
}

/// A half-closed connection gets its welcome, and is closed then.
#[test]
fn half_closed_connection_waits_for_the_commit() {
    let (mut harness, anna, _) = slow_harness();
    let bob = propose(&mut harness, "bob", 0);
    harness.send(bob, say(1, "x"));
    harness.input(Input::HalfClosed { connection: bob, in_frame: false });
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[0], "welcome bob 0 last 0");
    assert_eq!(summaries[summaries.len() - 2..], ["1:lobby bob: x (0)", "closed"]);
    check_no_state_left(&mut harness, &[anna, bob]);
}

/// A `join` that resumes a session and is lost before its commit has replaced the session's former
/// connection, as if it had been lost right after it. Its name then waits, if the client comes
/// back.
#[test]
fn lost_resume_replaces_and_lets_the_name_wait() {
    for features in [0, feature::RESUME] {
        let (mut harness, anna, welcome) = slow_harness();
        let back = harness.connect_and_greet(features);
        let token = Some(welcome.token);
        harness.send(back, crate::wire::tcp::Join { token, ..join("Annabel", &[]) });
        harness.disconnect(back);
        assert_eq!(harness.take_summaries(anna), [""; 0]);
        harness.run_log();
        assert_eq!(harness.take_summaries(anna), ["replaced 0 0", "closed"]);
        let waits = usize::from(features == feature::RESUME);
        assert_eq!((harness.connected_users, harness.hub.stats().waiting_names), (0, waits));
        check_no_state_left(&mut harness, &[anna]);
    }
}

/// Of several pending `join`s that resume one session, each replaces the one before, in the order
/// of the log. The end of a replaced connection does not release the name of the next one.
#[test]
fn pending_joins_of_one_session_replace_each_other() {
    let (mut harness, anna, welcome) = slow_harness();
    let first = harness.resume("anna", &[], welcome.token, None);
    harness.disconnect(anna);
    harness.run_log();
    assert_eq!(harness.take_summaries(first)[0], "welcome anna 1 last 0");
    let other = propose(&mut harness, "anna", 0);
    assert_eq!(harness.take_summaries(other), ["name_taken 2 0"]);
    let second = harness.resume("anna", &[], welcome.token, None);
    let third = harness.resume("anna", &[], welcome.token, None);
    harness.run_log();
    for ghost in [first, second] {
        assert_eq!(harness.take_summaries(ghost).last().unwrap(), "closed");
    }
    assert_eq!(harness.take_summaries(third)[0], "welcome anna 1 last 0");
    check_no_state_left(&mut harness, &[first, second, third, other]);
}

/// A name whose release is on its way is free for the clients of this hub, but another hub may be
/// earlier.
#[test]
fn name_that_is_being_released_is_free() {
    let (mut harness, anna, _) = slow_harness();
    harness.disconnect(anna);
    let other = propose(&mut harness, "anna", 0);
    harness.run_log();
    assert_eq!(harness.take_summaries(other)[0], "welcome anna 0 last 0");
    check_no_state_left(&mut harness, &[other]);
}

/// If the session that a `join` should resume is evicted before the commit, a new one begins.
#[test]
fn evicted_session_is_replaced_by_a_new_one() {
    let mut harness = Harness::with(HubSettings { max_sessions: 2, ..HubSettings::default() });
    let (anna, welcome) = harness.join("anna", &[]);
    harness.disconnect(anna);
    harness.delays_volatile = true;
    harness.manual_log = true;
    let others: Vec<_> = ["bob", "carl"].map(|it| propose(&mut harness, it, 0)).into();
    let back = harness.resume("anna", &[], welcome.token, None);
    harness.run_log();
    let again = super::frames::welcome(&harness.take_received(back));
    assert_ne!(again.session, welcome.session);
    assert_ne!(again.token, welcome.token);
    assert_eq!(again.flags & crate::wire::tcp::flag::SESSION_KEPT, 0);
    check_no_state_left(&mut harness, &[others[0], others[1], back]);
}

/// Rooms that pending `join`s will open count for the limits of rooms.
#[test]
fn rooms_of_pending_joins_count() {
    let mut harness = Harness::with(HubSettings { max_rooms: 3, ..HubSettings::default() });
    harness.delays_volatile = true;
    harness.manual_log = true;
    let mut clients = Vec::new();
    for (name, room) in [("anna", "a"), ("bob", "b"), ("carl", "c"), ("dora", "d"), ("eve", "A")] {
        let client = harness.connect_and_greet(0);
        harness.send(client, join(name, &[room]));
        clients.push(client);
    }
    assert_eq!(harness.take_summaries(clients[3]), ["rooms_full 2 0"]);
    harness.run_log();
    assert_eq!(harness.hub.stats().rooms, 3);
    assert_eq!(harness.take_summaries(clients[4])[1], "entered a 0 of 2");
    check_no_state_left(&mut harness, &clients);
}

/// A shutdown or a closing error while `join`s are pending leaves no state.
#[test]
fn shutdown_while_joins_are_pending() {
    let (mut harness, anna, welcome) = slow_harness();
    let bob = propose(&mut harness, "bob", feature::RESUME);
    let back = harness.resume("Anna", &[], welcome.token, None);
    harness.input(Input::ShutDown { retry_after: 1 });
    for client in [anna, bob, back] {
        assert_eq!(harness.take_summaries(client), ["shutting_down 0 0", "closed"]);
    }
    check_no_state_left(&mut harness, &[anna, bob, back]);
}

/// A restart while a `join` is pending: nothing is left of it, and the session that it should
/// resume can be resumed.
#[test]
fn restart_while_joins_are_pending() {
    let (mut harness, _, welcome) = slow_harness();
    propose(&mut harness, "bob", 0);
    harness.resume("Anna", &[], welcome.token, None);
    harness.restart(HubSettings::default(), 10);
    let bob = propose(&mut harness, "bob", 0);
    let back = harness.resume("Anna", &[], welcome.token, None);
    harness.run_log();
    assert_eq!(harness.take_summaries(bob)[0], "welcome bob 0 last 0");
    assert_eq!(harness.take_summaries(back)[0], "welcome Anna 1 last 0");
    check_no_state_left(&mut harness, &[bob, back]);
}
