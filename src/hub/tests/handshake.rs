//! Tests of `hello`, `join` and resume.

use super::frames::*;
use super::harness::*;
use crate::model::{HubSettings, LogId, Position, Sequence, Token};
use crate::wire::tcp::{Decoded, Hello, Join};

/// One millisecond more than a day, in milliseconds.
const A_DAY: u64 = 24 * 60 * 60 * 1_000 + 1;

/// A first join is answered as documented. A message is then echoed.
#[test]
fn first_join_gets_welcome_and_echo() {
    let mut harness = Harness::new();
    let anna = harness.connect();
    harness.send(anna, hello(15));
    harness.send(anna, join("anna", &[]));
    assert_eq!(
        harness.take_summaries(anna),
        [
            "server_hello 1 7",
            "welcome anna 0 last 0",
            "entered lobby 0 of 1",
            "end 2 0 0",
            "roster lobby 0 1 [\"anna\"]",
        ]
    );
    assert_eq!(harness.connected_users, 1);
    harness.send(anna, say(1, "hi"));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: hi (0)"]);
}

/// History is sent in log order, at most ten entries for each room. Without presence there is no
/// roster.
#[test]
fn join_history_merges_rooms_in_log_order() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &["lobby", "attic"]);
    for reference in 1..=12 {
        harness.send(anna, say(reference, "x"));
    }
    harness.send(anna, say_in("ATTIC", 13, "y"));
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &["attic", "Lobby", "lobby"]));
    let summaries = harness.take_summaries(bob);
    assert_eq!(
        summaries[..3],
        ["welcome bob 0 last 0", "entered attic 0 of 2", "entered lobby 0 of 2"]
    );
    assert_eq!(summaries[3], "3:lobby anna: x (1)");
    assert_eq!(summaries[13..], ["13:attic anna: y (1)", "end 2 13 0"]);
}

/// The welcome reports the limits and settings in force.
#[test]
fn welcome_reports_limits_and_settings() {
    let mut harness = Harness::new();
    let (_, welcome) = harness.join("Anna", &["Attic", "lobby"]);
    assert_eq!((welcome.session.0, welcome.username.as_str()), (1, "Anna"));
    assert_eq!((welcome.log_id, welcome.time.0), (LOG, 1_000_000));
    assert_eq!(welcome.rooms, ["Attic", "lobby"]);
    assert_eq!((welcome.max_text, welcome.max_rooms, welcome.history_length), (4_096, 16, 10));
    assert_eq!((welcome.ping_interval, welcome.idle_timeout), (30, 60));
    assert_eq!((welcome.session_lifetime, welcome.burst, welcome.per_minute), (86_400, 60, 600));
}

/// The checks of a `join` run in the documented order, and only the first failure is reported.
#[test]
fn join_checks_run_in_documented_order() {
    let settings =
        HubSettings { password: Some("s3cret".to_owned()), max_rooms: 2, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let with = |password: Option<&str>, name: &str, rooms: &[&str]| Join {
        password: password.map(str::to_owned),
        ..join(name, rooms)
    };
    let good = Some("s3cret");
    let anna = harness.connect_and_greet(0);
    harness.send(anna, with(good, "anna", &[]));
    harness.take_received(anna);
    let many: Vec<String> = (0..17).map(|it| format!("r{it}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let bad_and_many: Vec<&str> = many.iter().copied().chain(["a b"]).collect();
    let tries = [
        (with(None, "a b", &["a b"]), "password_required"),
        (with(Some("wrong"), "a b", &["a b"]), "password_wrong"),
        (with(Some("s3cret!"), "a b", &["a b"]), "password_wrong"),
        (with(good, "a b", &["a b"]), "name_invalid"),
        (with(good, "anna", &bad_and_many), "room_invalid"),
        (with(good, "anna", &many), "too_many_rooms"),
        (with(good, "anna", &["one", "two"]), "rooms_full"),
        (with(good, "ANNA", &["one", "lobby"]), "name_taken"),
        (with(good, "\u{430}nna", &["one", "lobby"]), "name_lookalike"),
    ];
    for (join, error) in tries {
        let bob = harness.connect_and_greet(0);
        harness.send(bob, join);
        assert_eq!(harness.take_summaries(bob), [format!("{error} 2 0")]);
        harness.send(bob, with(good, "bob", &["lobby", "one"]));
        assert_eq!(harness.take_summaries(bob)[0], "welcome bob 0 last 0");
        harness.disconnect(bob);
    }
    assert_eq!(harness.connected_users, 1);
}

/// Look-alike names are allowed if the setting says so.
#[test]
fn lookalikes_are_allowed_by_setting() {
    let settings = HubSettings { refuse_lookalikes: false, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    harness.join("anna", &[]);
    harness.join("\u{430}nna", &[]);
    assert_eq!(harness.connected_users, 2);
}

/// The fifth refused `join` closes the connection.
#[test]
fn fifth_refused_join_closes_connection() {
    let mut harness = Harness::new();
    harness.join("anna", &[]);
    let bob = harness.connect_and_greet(0);
    for _ in 0..4 {
        harness.send(bob, join("anna", &[]));
        assert_eq!(harness.take_summaries(bob), ["name_taken 2 0"]);
    }
    harness.send(bob, join("anna", &[]));
    assert_eq!(harness.take_summaries(bob), ["name_taken 2 0", "too_many_attempts 2 0", "closed"]);
}

/// Valid and invalid `hello`s are answered as documented.
#[test]
fn hello_is_validated() {
    let greeting = |magic: &[u8; 4], min_version, max_version| Hello {
        magic: *magic,
        min_version,
        max_version,
        features: 1,
        client_name: String::new(),
        client_version: String::new(),
    };
    let mut harness = Harness::new();
    for (greeting, answer) in [
        (greeting(b"PiCx", 1, 1), vec!["not_pi_chat 0 0", "closed"]),
        (greeting(b"PiCh", 2, 1), vec!["malformed 1 0", "closed"]),
        (greeting(b"PiCh", 2, 9), vec!["server_hello 0 0", "version_unsupported 1 0", "closed"]),
        (greeting(b"PiCh", 0, 0), vec!["server_hello 0 0", "version_unsupported 1 0", "closed"]),
        (greeting(b"PiCh", 0, 9), vec!["server_hello 1 1"]),
    ] {
        let connection = harness.connect();
        harness.send(connection, greeting);
        assert_eq!(harness.take_summaries(connection), answer);
    }
}

/// A client that asks for the feature `tls` learns whether the server offers it.
#[test]
fn tls_is_told_to_who_asks() {
    for (offers_tls, asked, granted) in [(true, 64, 64), (true, 0, 0), (false, 64, 0)] {
        let settings = HubSettings { offers_tls, ..HubSettings::default() };
        let mut harness = Harness::with(settings);
        let connection = harness.connect();
        harness.send(connection, hello(asked));
        assert_eq!(harness.take_summaries(connection), [format!("server_hello 1 {granted}")]);
    }
}

/// Each kind of frame, decodable or not, is allowed or refused in each state as documented.
#[test]
fn frames_are_checked_against_state_table() {
    let mut harness = Harness::new();
    let frame = |kind: u16| match kind {
        1 => hello(0),
        2 => join("anna", &[]).into(),
        3 => say(1, "x"),
        4 => direct("bob", 0, 1, "x"),
        5 => enter(1, "attic"),
        6 => leave(1, "attic"),
        7 => history(1, "lobby", 0, 0),
        8 => members(1, "lobby", ""),
        9 => crate::wire::tcp::Ping { token: 4 }.into(),
        11 => search(1, "", "tea", 0, 0),
        _ => crate::wire::tcp::Pong { token: 4 }.into(),
    };
    for kind in 0..=11 {
        for readable in [true, false] {
            let received = match (kind, readable) {
                (0, true) => Decoded::Ignored,
                (_, true) => Decoded::Frame(frame(kind)),
                (_, false) => Decoded::Malformed(kind),
            };
            for state in ["connected", "greeted", "joined"] {
                let connection = harness.connect();
                if state != "connected" {
                    harness.send(connection, hello(0));
                }
                if state == "joined" {
                    harness.send(connection, join("bob", &[]));
                }
                harness.take_received(connection);
                harness.receive(connection, received.clone());
                let summaries = harness.take_summaries(connection);
                let error = summaries.first().map(|it| it.split(' ').next().unwrap().to_owned());
                let expected = match (state, kind, readable) {
                    ("connected", 1, true) => None,
                    ("connected", 1, false) => Some("malformed"),
                    ("connected", _, _) => Some("not_pi_chat"),
                    (_, 0, true) => None,
                    (_, 0, false) => Some("malformed"),
                    ("greeted", 2 | 9 | 10, true) => None,
                    ("greeted", 2 | 9 | 10, false) => Some("malformed"),
                    ("joined", 3..=11, true) => None,
                    ("joined", 3..=11, false) => Some("malformed"),
                    _ => Some("unexpected"),
                };
                let what =
                    format!("kind {kind} (readable: {readable}) when {state}: {summaries:?}");
                match expected {
                    Some(expected) => {
                        assert_eq!(error.as_deref(), Some(expected), "{what}");
                        assert_eq!(summaries[1..], ["closed"], "{what}");
                    }
                    None => assert!(!summaries.contains(&"closed".to_owned()), "{what}"),
                }
                harness.disconnect(connection);
            }
        }
    }
}

/// Frames after a protocol violation are ignored.
#[test]
fn frames_after_a_violation_are_ignored() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.send(anna, hello(0));
    assert_eq!(harness.take_summaries(anna), ["unexpected 1 0", "closed"]);
    harness.send(anna, say(1, "x"));
    harness.receive(anna, Decoded::Malformed(3));
    assert_eq!((harness.connected_users, harness.log.len()), (0, 0));
    harness.join("anna", &[]);
}

/// A resume replays the entries after the position once. A stored message that is sent again gets
/// `accepted`.
#[test]
fn resume_replays_missed_entries_once() {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    let (bob, _) = harness.join("bob", &[]);
    harness.send(anna, say(1, "one"));
    harness.disconnect(anna);
    assert_eq!(harness.connected_users, 1);
    for reference in 1..=12 {
        harness.send(bob, say(reference, "x"));
    }
    let anna = harness.resume("anna", &[], welcome.token, Some(1));
    let summaries = harness.take_summaries(anna);
    assert_eq!(summaries[..2], ["welcome anna 3 last 1", "entered lobby 0 of 2"]);
    assert_eq!(summaries[2], "2:lobby bob: x (1)");
    assert_eq!(summaries[13..15], ["13:lobby bob: x (1)", "end 2 13 0"]);
    harness.send(anna, say(1, "one"));
    harness.send(anna, say(2, "two"));
    assert_eq!(harness.take_summaries(anna), ["accepted 1", "14:lobby anna: two (0)"]);
}

/// Token and position are checked independently. An unknown token starts a new session, and an
/// invalid position counts as none.
#[test]
fn token_and_position_are_independent() {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.send(anna, say(5, "x"));
    harness.disconnect(anna);
    let other = Token([9; 16]);
    for (token, log_id, sequence, expected) in [
        (welcome.token, LOG, 1, "welcome anna 3 last 5"),
        (welcome.token, LOG, 2, "welcome anna 1 last 5"),
        (welcome.token, LogId([0; 16]), 1, "welcome anna 1 last 5"),
        (other, LOG, 0, "welcome anna 2 last 0"),
        (other, LogId([0; 16]), 0, "welcome anna 0 last 0"),
    ] {
        let anna = harness.connect_and_greet(0);
        let position = Some(Position { log_id, sequence: Sequence(sequence) });
        harness.send(anna, Join { token: Some(token), position, ..join("anna", &[]) });
        assert_eq!(harness.take_summaries(anna)[0], expected);
        harness.disconnect(anna);
    }
}

/// A resumed session may take another name, but not one in use.
#[test]
fn resume_with_other_name_checks_availability() {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.disconnect(anna);
    harness.join("Anna", &[]);
    let back = harness.resume("anna", &[], welcome.token, None);
    assert_eq!(harness.take_summaries(back), ["name_taken 2 0"]);
    harness.send(back, Join { token: Some(welcome.token), ..join("anna2", &[]) });
    assert_eq!(harness.take_summaries(back)[0], "welcome anna2 1 last 0");
    assert_eq!(harness.connected_users, 2);
}

/// A resume replaces the stale connection. Rooms in which the session stays see no presence change.
#[test]
fn resume_replaces_stale_connection_without_presence_change() {
    let mut harness = Harness::new();
    let (bob, _) = harness.join("bob", &["lobby", "attic"]);
    let (ghost, welcome) = harness.join("anna", &["lobby", "attic"]);
    harness.advance(600);
    harness.take_received(bob);
    harness.take_received(ghost);
    let anna = harness.resume("anna", &["lobby", "cellar"], welcome.token, Some(0));
    assert_eq!(harness.take_summaries(ghost), ["replaced 0 0", "closed"]);
    let summaries = harness.take_summaries(anna);
    assert_eq!(
        summaries[..3],
        ["welcome anna 3 last 0", "entered lobby 0 of 2", "entered cellar 0 of 1"]
    );
    harness.advance(600);
    assert_eq!(harness.take_summaries(bob), ["presence attic 0 1 +[] -[\"anna\"]"]);
    harness.disconnect(ghost);
    assert_eq!(harness.connected_users, 2);
    harness.send(anna, say(1, "x"));
    assert_eq!(harness.take_summaries(bob), ["1:lobby anna: x (0)"]);
}

/// A resume under another spelling of the name is a presence change.
#[test]
fn resume_with_other_spelling_changes_presence() {
    let mut harness = Harness::new();
    let (bob, _) = harness.join("bob", &[]);
    let (_, welcome) = harness.join("anna", &[]);
    harness.advance(600);
    harness.take_received(bob);
    let anna = harness.resume("Anna", &[], welcome.token, None);
    harness.advance(600);
    assert_eq!(harness.take_summaries(bob), ["presence lobby 0 2 +[\"Anna\"] -[\"anna\"]"]);
    harness.take_received(anna);
}

/// A session expires after a day. None of its state remains.
#[test]
fn session_expires_after_a_day() {
    let mut harness = Harness::new();
    let (anna, welcome) = harness.join("anna", &[]);
    harness.disconnect(anna);
    harness.advance(A_DAY - 2_000);
    let anna = harness.resume("anna", &[], welcome.token, None);
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 1 last 0");
    harness.disconnect(anna);
    assert!(harness.deleted_sessions.is_empty());
    harness.advance(A_DAY);
    assert_eq!(harness.deleted_sessions, [welcome.session]);
    assert!(harness.is_empty());
    let anna = harness.resume("anna", &[], welcome.token, None);
    assert_eq!(harness.take_summaries(anna)[0], "welcome anna 0 last 0");
}

/// If there are too many sessions, the session that has been away longest is evicted.
#[test]
fn session_limit_evicts_longest_away() {
    let settings = HubSettings { max_sessions: 3, max_connections: 3, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let mut tokens = Vec::new();
    for name in ["a", "b", "c"] {
        let (connection, welcome) = harness.join(name, &[]);
        tokens.push(welcome.token);
        harness.disconnect(connection);
        harness.advance(1_000);
    }
    let (d, welcome) = harness.join("d", &[]);
    assert_eq!(welcome.session.0, 4);
    assert_eq!(harness.deleted_sessions.len(), 1);
    let a = harness.resume("a", &[], tokens[0], None);
    assert_eq!(harness.take_summaries(a)[0], "welcome a 0 last 0");
    assert_eq!(harness.deleted_sessions.len(), 2);
    let c = harness.resume("c", &[], tokens[2], None);
    assert_eq!(harness.take_summaries(c)[0], "welcome c 1 last 0");
    harness.disconnect(d);
}
