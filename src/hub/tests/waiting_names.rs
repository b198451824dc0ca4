//! Tests of names that wait for clients with the feature `resume`: `docs/protocol/tcp.md`, section
//! 6.

use std::net::IpAddr;

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, Quota};
use crate::model::{ErrorCode, HubSettings, Token};
use crate::wire::tcp::{ClientFrame, Decoded, Join, ServerFrame, Welcome, feature};

/// Time for which a name waits, in milliseconds.
const WAIT: u64 = 30_000;

/// Longest time by which a timer of the hub may fire late, in milliseconds.
const LATE: u64 = 1_000;

impl Harness {
    /// Connects a client with the feature `resume` and joins the lobby. Returns its connection and
    /// its welcome.
    fn join_to_come_back(&mut self, name: &str) -> (ConnectionId, Welcome) {
        let connection = self.connect_and_greet(feature::RESUME);
        self.send(connection, join(name, &[]));
        let welcome = welcome(&self.take_received(connection));
        (connection, welcome)
    }

    /// Sends the `join` of a new client without the feature `resume`, and returns the first answer.
    /// Then disconnects the client.
    fn first_answer(&mut self, join: Join) -> ServerFrame {
        let connection = self.connect_and_greet(0);
        self.send(connection, join);
        let mut received = self.take_received(connection);
        self.disconnect(connection);
        match received.swap_remove(0) {
            ClientEvent::Frame(frame) => frame,
            ClientEvent::Closed => panic!("closed without an answer"),
        }
    }

    /// Asserts that a newcomer is refused this name with this error. Returns the `retry_after`: the
    /// time for which the name waits, in milliseconds; 0 if the name does not wait.
    fn refused_for(&mut self, name: &str, code: ErrorCode) -> u32 {
        match self.first_answer(join(name, &[])) {
            ServerFrame::Error(error) if error.code == code.number() => error.retry_after,
            other => panic!("{name} is not refused with {code:?}: {other:?}"),
        }
    }

    /// Asserts that a newcomer without the feature `resume` gets this name. Then disconnects the
    /// newcomer.
    fn assert_free(&mut self, name: &str) {
        let answer = self.first_answer(join(name, &[]));
        assert!(matches!(answer, ServerFrame::Welcome(_)), "{name} is not free: {answer:?}");
    }
}

/// After a reset the name waits for 30 seconds. Newcomers are told the remaining time, whether they
/// send no token or a wrong one.
#[test]
fn name_waits_after_a_reset() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    assert_eq!((harness.connected_users, harness.hub.stats().waiting_names), (0, 1));
    assert_eq!(harness.refused_for("ANNA", ErrorCode::NameTaken), 30_000);
    harness.advance(6_500);
    let wrong = Join { token: Some(Token([9; 16])), ..join("anna", &[]) };
    let ServerFrame::Error(error) = harness.first_answer(wrong) else {
        panic!("a wrong token got the name");
    };
    assert_eq!((error.code, error.retry_after), (ErrorCode::NameTaken.number(), 23_500));
    assert_eq!(
        error.text,
        "Somebody here has this name. They have just lost their connection: if they do not come \
         back, the name is free in 24 s."
    );
    harness.advance(WAIT - 6_500 - 1);
    assert_eq!(harness.refused_for("anna", ErrorCode::NameTaken), 1);
    harness.advance(1);
    harness.assert_free("anna");
    assert_eq!(harness.hub.stats().waiting_names, 0);
}

/// A client with the session's token gets the name while the name waits, and also later if the name
/// is free.
#[test]
fn token_gets_the_name_that_waits() {
    for pause in [0, WAIT - 1, WAIT + LATE] {
        let mut harness = Harness::new();
        let (anna, annas) = harness.join_to_come_back("anna");
        harness.disconnect(anna);
        harness.advance(pause);
        let anna = harness.resume("anna", &[], annas.token, Some(0));
        assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 0");
        assert_eq!(harness.refused_for("anna", ErrorCode::NameTaken), 0, "it does not wait");
        harness.advance(WAIT + LATE);
        assert_eq!(harness.refused_for("anna", ErrorCode::NameTaken), 0, "it is not freed");
    }
}

/// A name waits for a client with the feature if the connection is cut off or ends by an error that
/// is not final. No name waits if the client leaves or violates the protocol.
#[test]
fn name_waits_only_after_an_unclean_end() {
    let fail = |error| {
        move |harness: &mut Harness, connection| {
            harness.input(Input::ConnectionFailed { connection, error });
        }
    };
    let half_close = |in_frame| {
        move |harness: &mut Harness, connection| {
            harness.input(Input::HalfClosed { connection, in_frame });
        }
    };
    let (slow, internal) = (fail(ErrorCode::TooSlow), fail(ErrorCode::Internal));
    let (malformed, too_large) = (fail(ErrorCode::Malformed), fail(ErrorCode::FrameTooLarge));
    let (cut_off, leave) = (half_close(true), half_close(false));
    type End<'a> = &'a dyn Fn(&mut Harness, ConnectionId);
    let cases: [(&str, bool, End<'_>); 9] = [
        ("reset", true, &Harness::disconnect),
        ("too slow", true, &slow),
        ("internal error", true, &internal),
        ("idle", true, &|harness: &mut Harness, _| harness.advance(61_000)),
        ("end inside a frame", true, &cut_off),
        ("closed sending half", false, &leave),
        ("malformed", false, &malformed),
        ("too large", false, &too_large),
        ("unexpected", false, &|harness: &mut Harness, connection| {
            harness.send(connection, hello(0));
        }),
    ];
    for (name, waits, end) in cases {
        for features in [feature::RESUME, 0] {
            let mut harness = Harness::new();
            let connection = harness.connect_and_greet(features);
            harness.send(connection, join("anna", &[]));
            end(&mut harness, connection);
            assert_eq!(harness.connected_users, 0, "{name}");
            let waits = waits && features == feature::RESUME;
            assert_eq!(harness.hub.stats().waiting_names, usize::from(waits), "{name} {features}");
            if waits {
                assert_ne!(harness.refused_for("anna", ErrorCode::NameTaken), 0, "{name}");
            } else {
                harness.assert_free("anna");
            }
        }
    }
}

/// A client that has closed its sending half leaves: its name is free, even if a reset ends the
/// connection afterwards.
#[test]
fn reset_after_leaving_frees_the_name() {
    let mut harness = Harness::new();
    harness.manual_log = true;
    let (anna, _) = {
        let connection = harness.connect_and_greet(feature::RESUME);
        harness.send(connection, join("anna", &[]));
        harness.run_log();
        (connection, welcome(&harness.take_received(connection)))
    };
    harness.send(anna, say(1, "bye"));
    harness.input(Input::HalfClosed { connection: anna, in_frame: false });
    assert_eq!(harness.connected_users, 1, "its message has no answer yet");
    harness.disconnect(anna);
    harness.manual_log = false;
    harness.assert_free("anna");
}

/// If the connection ends before `end` is sent, the name waits only if the client's `join` brought
/// the token.
#[test]
fn name_waits_only_for_a_client_that_has_its_token() {
    let mut harness = Harness::new();
    harness.manual_log = true;
    let new = harness.connect_and_greet(feature::RESUME);
    harness.send(new, join("anna", &[]));
    harness.disconnect(new);
    harness.manual_log = false;
    harness.assert_free("anna");
    let (anna, annas) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    harness.manual_log = true;
    let again = harness.connect_and_greet(feature::RESUME);
    harness.send(again, Join { token: Some(annas.token), ..join("anna", &[]) });
    harness.disconnect(again);
    harness.manual_log = false;
    assert_eq!(harness.refused_for("anna", ErrorCode::NameTaken), 30_000);
}

/// A name that looks like a waiting name is refused while that name waits.
#[test]
fn lookalike_of_a_waiting_name_is_refused() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    harness.advance(1_000);
    assert_eq!(harness.refused_for("\u{430}nna", ErrorCode::NameLookalike), 29_000);
    harness.advance(WAIT);
    harness.assert_free("\u{430}nna");
}

/// If a session resumes under another name, the name that waited for it is free.
#[test]
fn coming_back_under_another_name_frees_the_one_that_waits() {
    let mut harness = Harness::new();
    let (anna, annas) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    let other = harness.resume("annika", &[], annas.token, None);
    assert_eq!(harness.take_summaries(other)[0], "welcome annika 1 last 0");
    harness.assert_free("anna");
    harness.advance(WAIT + LATE);
    assert_eq!(harness.refused_for("annika", ErrorCode::NameTaken), 0);
}

/// A client that resumes while its stale connection still exists gets its name at once, and no name
/// waits afterwards.
#[test]
fn replaced_connection_leaves_no_name_that_waits() {
    let mut harness = Harness::new();
    let (stale, annas) = harness.join_to_come_back("anna");
    let anna = harness.resume("anna", &[], annas.token, Some(0));
    harness.disconnect(stale);
    assert_eq!(harness.hub.stats().waiting_names, 0);
    harness.advance(1);
    assert_eq!(harness.refused_for("anna", ErrorCode::NameTaken), 0);
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 0");
}

/// While its name waits, a session is in no room, and direct messages wait for it.
#[test]
fn session_is_away_while_its_name_waits() {
    let mut harness = Harness::new();
    let (bob, _) = harness.join("bob", &[]);
    let (anna, annas) = harness.join_to_come_back("anna");
    harness.advance(600);
    harness.take_received(bob);
    harness.disconnect(anna);
    harness.advance(600);
    harness.send(bob, direct("anna", annas.session.0, 1, "psst"));
    assert_eq!(
        harness.take_summaries(bob),
        ["presence lobby 0 1 +[] -[\"anna\"]", "1:bob>anna: psst (0)"]
    );
    let anna = harness.resume("anna", &[], annas.token, Some(0));
    assert!(harness.take_summaries(anna).contains(&"1:bob>anna: psst (1)".to_owned()));
    harness.advance(600);
    assert_eq!(harness.take_summaries(bob), ["presence lobby 0 2 +[\"anna\"] -[]"]);
}

/// An address group has at most as many names, in use and waiting, as it may have connections.
/// Beyond that, the names that have waited longest are freed. Names of other groups still wait.
#[test]
fn waiting_names_of_a_group_are_limited() {
    let settings = HubSettings { max_connections_per_address: 10, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let (anna, _) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    let attacker = IpAddr::from([192, 0, 2, 1]);
    let collect = |harness: &mut Harness, number: u32| {
        let connection = harness.connect_from(attacker);
        harness.send(connection, hello(feature::RESUME));
        harness.send(connection, join(&format!("n{number}"), &[]));
        connection
    };
    for number in 0..25 {
        let connection = collect(&mut harness, number);
        harness.disconnect(connection);
        harness.advance(10);
    }
    assert_eq!(harness.hub.stats().waiting_names, 1 + 10);
    assert_eq!(harness.reached_quotas, vec![("192.0.2.1".to_owned(), Quota::Names); 15]);
    harness.assert_free("n14");
    assert_ne!(harness.refused_for("n15", ErrorCode::NameTaken), 0);
    // Connected sessions count as well.
    let connected: Vec<_> = (100..110).map(|it| collect(&mut harness, it)).collect();
    assert_eq!(harness.hub.stats().waiting_names, 1);
    harness.disconnect(connected[0]);
    assert_eq!(harness.hub.stats().waiting_names, 2);
    assert_ne!(harness.refused_for("anna", ErrorCode::NameTaken), 0);
    harness.advance(WAIT);
    harness.assert_free("anna");
    harness.assert_free("n100");
}

/// If all 30 users of a household lose their connections at once, each gets their name back. Nobody
/// else gets one of these names meanwhile.
#[test]
fn a_household_of_thirty_keeps_its_names() {
    let mut harness = Harness::new();
    let members: Vec<_> =
        (0..30).map(|it| harness.join_to_come_back(&format!("member{it}"))).collect();
    for (connection, _) in &members {
        harness.disconnect(*connection);
    }
    harness.advance(5_000);
    for (number, (_, welcome)) in members.into_iter().enumerate() {
        let name = format!("member{number}");
        assert_eq!(harness.refused_for(&name, ErrorCode::NameTaken), 25_000);
        let again = harness.resume(&name, &[], welcome.token, None);
        assert_eq!(harness.take_summaries(again)[0], format!("welcome {name} 1 last 0"));
    }
    assert_eq!(harness.reached_quotas, []);
}

/// If a session is evicted, the name that waits for it is freed.
#[test]
fn evicted_session_frees_its_name() {
    let settings = HubSettings { max_sessions: 2, max_connections: 2, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let (anna, annas) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    harness.join("bob", &[]);
    harness.assert_free("carl");
    assert_eq!(harness.deleted_sessions, [annas.session]);
    assert_eq!(harness.hub.stats().waiting_names, 0);
    harness.assert_free("anna");
}

/// After a crash or a shutdown, two kinds of names wait for 30 seconds from the start: names of
/// connected clients with the feature `resume`, and names that waited already. Other names are
/// free.
#[test]
fn names_wait_after_a_restart() {
    for shuts_down in [false, true] {
        let mut harness = Harness::new();
        let (_, annas) = harness.join_to_come_back("anna");
        let (bob, _) = harness.join_to_come_back("bob");
        let (carl, _) = harness.join_to_come_back("carl");
        let (dora, _) = harness.join_to_come_back("dora");
        harness.join("erik", &[]);
        harness.disconnect(carl);
        harness.input(Input::HalfClosed { connection: dora, in_frame: false });
        harness.advance(WAIT - 1_000);
        harness
            .receive(bob, Decoded::Frame(ClientFrame::Pong(crate::wire::tcp::Pong { token: 0 })));
        harness.disconnect(bob);
        harness.advance(LATE);
        if shuts_down {
            harness.input(Input::ShutDown { retry_after: 2_000 });
        }
        harness.restart(HubSettings::default(), 3_600_000);
        assert_eq!(harness.hub.stats().waiting_names, 2);
        for name in ["anna", "bob"] {
            assert_eq!(harness.refused_for(name, ErrorCode::NameTaken), 30_000);
        }
        for name in ["carl", "dora", "erik"] {
            harness.assert_free(name);
        }
        let anna = harness.resume("anna", &[], annas.token, Some(0));
        assert_eq!(harness.take_summaries(anna)[0], "welcome anna 3 last 0");
        harness.advance(WAIT);
        harness.assert_free("bob");
        harness.restart(HubSettings::default(), 0);
        assert_eq!(harness.hub.stats().waiting_names, 0, "this time no client has the feature");
    }
}

/// A name that has waited long enough does not wait again after a restart.
#[test]
fn freed_name_does_not_wait_after_a_restart() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    harness.advance(WAIT);
    harness.restart(HubSettings::default(), 0);
    harness.assert_free("anna");
}

/// When a waiting name and its session have expired, the hub holds no state of them.
#[test]
fn state_of_waiting_names_is_bounded() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join_to_come_back("anna");
    harness.disconnect(anna);
    harness.advance(2 * 24 * 60 * 60 * 1_000);
    assert!(harness.is_empty());
    assert_eq!(harness.wake_at, None);
}
