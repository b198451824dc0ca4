//! Greeting, joining, coming back.

use super::frames::*;
use super::harness::*;
use crate::model::{HubSettings, LogId, Position, Sequence, Token};
use crate::wire::tcp::{Hello, Join, Received};

/// A day and a little more, in milliseconds.
const A_DAY: u64 = 24 * 60 * 60 * 1_000 + 1;

/// A first join, as the page tells it; and what is said comes back.
#[test]
fn joining() {
    let mut table = Table::new();
    let anna = table.connect();
    table.send(anna, hello(7));
    table.send(anna, join("anna", &[]));
    assert_eq!(
        table.words(anna),
        [
            "server_hello 1 3",
            "welcome anna 0 last 0",
            "entered lobby 0 of 1",
            "end 2 0 0",
            "roster lobby 0 1 [\"anna\"]",
        ]
    );
    assert_eq!(table.people, 1);
    table.send(anna, say(1, "hi"));
    assert_eq!(table.words(anna), ["1:lobby anna: hi (0)"]);
}

/// The history comes in the order of the log, ten of each room at the most;
/// who does not want presence gets no roster.
#[test]
fn the_history_of_several_rooms() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &["lobby", "attic"]);
    for reference in 1..=12 {
        table.send(anna, say(reference, "x"));
    }
    table.send(anna, say_in("ATTIC", 13, "y"));
    let bob = table.greet(0);
    table.send(bob, join("bob", &["attic", "Lobby", "lobby"]));
    let words = table.words(bob);
    assert_eq!(
        words[..3],
        ["welcome bob 0 last 0", "entered attic 0 of 2", "entered lobby 0 of 2"]
    );
    assert_eq!(words[3], "3:lobby anna: x (1)");
    assert_eq!(words[13..], ["13:attic anna: y (1)", "end 2 13 0"]);
}

/// The welcome says what is in force.
#[test]
fn the_welcome() {
    let mut table = Table::new();
    let (_, welcome) = table.come("Anna", &["Attic", "lobby"]);
    assert_eq!((welcome.session.0, welcome.username.as_str()), (1, "Anna"));
    assert_eq!((welcome.log_id, welcome.time.0), (LOG, 1_000_000));
    assert_eq!(welcome.rooms, ["Attic", "lobby"]);
    assert_eq!((welcome.max_text, welcome.max_rooms, welcome.history_length), (4_096, 16, 10));
    assert_eq!((welcome.ping_interval, welcome.idle_timeout), (30, 60));
    assert_eq!((welcome.session_lifetime, welcome.burst, welcome.per_minute), (86_400, 60, 600));
}

/// The checks of a join come in the order of the page: whatever is wrong
/// behind the first thing is not told.
#[test]
fn the_order_of_the_checks() {
    let settings =
        HubSettings { password: Some("s3cret".to_owned()), max_rooms: 2, ..HubSettings::default() };
    let mut table = Table::with(settings);
    let with = |password: Option<&str>, name: &str, rooms: &[&str]| Join {
        password: password.map(str::to_owned),
        ..join(name, rooms)
    };
    let good = Some("s3cret");
    let anna = table.greet(0);
    table.send(anna, with(good, "anna", &[]));
    table.got(anna);
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
        let bob = table.greet(0);
        table.send(bob, join);
        assert_eq!(table.words(bob), [format!("{error} 2 0")]);
        table.send(bob, with(good, "bob", &["lobby", "one"]));
        assert_eq!(table.words(bob)[0], "welcome bob 0 last 0");
        table.drop(bob);
    }
    assert_eq!(table.people, 1);
}

/// Who allows look-alikes has them.
#[test]
fn look_alikes_are_a_policy() {
    let settings = HubSettings { refuse_lookalikes: false, ..HubSettings::default() };
    let mut table = Table::with(settings);
    table.come("anna", &[]);
    table.come("\u{430}nna", &[]);
    assert_eq!(table.people, 2);
}

/// The fifth refused join is the last.
#[test]
fn five_attempts() {
    let mut table = Table::new();
    table.come("anna", &[]);
    let bob = table.greet(0);
    for _ in 0..4 {
        table.send(bob, join("anna", &[]));
        assert_eq!(table.words(bob), ["name_taken 2 0"]);
    }
    table.send(bob, join("anna", &[]));
    assert_eq!(table.words(bob), ["name_taken 2 0", "too_many_attempts 2 0", "closed"]);
}

/// What `hello` can get wrong.
#[test]
fn greetings() {
    let greeting = |magic: &[u8; 4], min_version, max_version| Hello {
        magic: *magic,
        min_version,
        max_version,
        features: 1,
        client_name: String::new(),
        client_version: String::new(),
    };
    let mut table = Table::new();
    for (greeting, answer) in [
        (greeting(b"PiCx", 1, 1), vec!["not_pi_chat 0 0", "closed"]),
        (greeting(b"PiCh", 2, 1), vec!["malformed 1 0", "closed"]),
        (greeting(b"PiCh", 2, 9), vec!["server_hello 0 0", "version_unsupported 1 0", "closed"]),
        (greeting(b"PiCh", 0, 0), vec!["server_hello 0 0", "version_unsupported 1 0", "closed"]),
        (greeting(b"PiCh", 0, 9), vec!["server_hello 1 1"]),
    ] {
        let connection = table.connect();
        table.send(connection, greeting);
        assert_eq!(table.words(connection), answer);
    }
}

/// The state table, with frames that can be read and frames that cannot.
#[test]
fn the_state_table() {
    let mut table = Table::new();
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
                (0, true) => Received::Ignored,
                (_, true) => Received::Frame(frame(kind)),
                (_, false) => Received::Malformed(kind),
            };
            for state in ["connected", "greeted", "joined"] {
                let connection = table.connect();
                if state != "connected" {
                    table.send(connection, hello(0));
                }
                if state == "joined" {
                    table.send(connection, join("bob", &[]));
                }
                table.got(connection);
                table.receive(connection, received.clone());
                let words = table.words(connection);
                let error = words.first().map(|it| it.split(' ').next().unwrap().to_owned());
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
                let what = format!("kind {kind} (readable: {readable}) when {state}: {words:?}");
                match expected {
                    Some(expected) => {
                        assert_eq!(error.as_deref(), Some(expected), "{what}");
                        assert_eq!(words[1..], ["closed"], "{what}");
                    }
                    None => assert!(!words.contains(&"closed".to_owned()), "{what}"),
                }
                table.drop(connection);
            }
        }
    }
}

/// Frames that come behind a fault are not looked at.
#[test]
fn nothing_comes_after_the_end() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.send(anna, hello(0));
    assert_eq!(table.words(anna), ["unexpected 1 0", "closed"]);
    table.send(anna, say(1, "x"));
    table.receive(anna, Received::Malformed(3));
    assert_eq!((table.people, table.log.len()), (0, 0));
    table.come("anna", &[]);
}

/// After a drop everything behind the position comes, once, and what was
/// taken is known.
#[test]
fn coming_back() {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    let (bob, _) = table.come("bob", &[]);
    table.send(anna, say(1, "one"));
    table.drop(anna);
    assert_eq!(table.people, 1);
    for reference in 1..=12 {
        table.send(bob, say(reference, "x"));
    }
    let anna = table.resume("anna", &[], welcome.token, Some(1));
    let words = table.words(anna);
    assert_eq!(words[..2], ["welcome anna 3 last 1", "entered lobby 0 of 2"]);
    assert_eq!(words[2], "2:lobby bob: x (1)");
    assert_eq!(words[13..15], ["13:lobby bob: x (1)", "end 2 13 0"]);
    table.send(anna, say(1, "one"));
    table.send(anna, say(2, "two"));
    assert_eq!(table.words(anna), ["accepted 1", "14:lobby anna: two (0)"]);
}

/// Token and position are independent; a position that cannot be is none.
#[test]
fn tokens_and_positions_are_independent() {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.send(anna, say(5, "x"));
    table.drop(anna);
    let other = Token([9; 16]);
    for (token, log_id, sequence, expected) in [
        (welcome.token, LOG, 1, "welcome anna 3 last 5"),
        (welcome.token, LOG, 2, "welcome anna 1 last 5"),
        (welcome.token, LogId([0; 16]), 1, "welcome anna 1 last 5"),
        (other, LOG, 0, "welcome anna 2 last 0"),
        (other, LogId([0; 16]), 0, "welcome anna 0 last 0"),
    ] {
        let anna = table.greet(0);
        let position = Some(Position { log_id, sequence: Sequence(sequence) });
        table.send(anna, Join { token: Some(token), position, ..join("anna", &[]) });
        assert_eq!(table.words(anna)[0], expected);
        table.drop(anna);
    }
}

/// Who comes back may be called something else; a name that somebody else
/// has taken is taken.
#[test]
fn names_change_hands() {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.drop(anna);
    table.come("Anna", &[]);
    let back = table.resume("anna", &[], welcome.token, None);
    assert_eq!(table.words(back), ["name_taken 2 0"]);
    table.send(back, Join { token: Some(welcome.token), ..join("anna2", &[]) });
    assert_eq!(table.words(back)[0], "welcome anna2 1 last 0");
    assert_eq!(table.people, 2);
}

/// A token takes the name back from its own ghost at once, and the others
/// in the room notice nothing.
#[test]
fn the_ghost_is_replaced() {
    let mut table = Table::new();
    let (bob, _) = table.come("bob", &["lobby", "attic"]);
    let (ghost, welcome) = table.come("anna", &["lobby", "attic"]);
    table.pass(600);
    table.got(bob);
    table.got(ghost);
    let anna = table.resume("anna", &["lobby", "cellar"], welcome.token, Some(0));
    assert_eq!(table.words(ghost), ["replaced 0 0", "closed"]);
    let words = table.words(anna);
    assert_eq!(
        words[..3],
        ["welcome anna 3 last 0", "entered lobby 0 of 2", "entered cellar 0 of 1"]
    );
    table.pass(600);
    assert_eq!(table.words(bob), ["presence attic 0 1 +[] -[\"anna\"]"]);
    table.drop(ghost);
    assert_eq!(table.people, 2);
    table.send(anna, say(1, "x"));
    assert_eq!(table.words(bob), ["1:lobby anna: x (0)"]);
}

/// The ghost's name in another spelling is another line in everybody's list.
#[test]
fn another_spelling_is_told() {
    let mut table = Table::new();
    let (bob, _) = table.come("bob", &[]);
    let (_, welcome) = table.come("anna", &[]);
    table.pass(600);
    table.got(bob);
    let anna = table.resume("Anna", &[], welcome.token, None);
    table.pass(600);
    assert_eq!(table.words(bob), ["presence lobby 0 2 +[\"Anna\"] -[\"anna\"]"]);
    table.got(anna);
}

/// A session is forgotten after a day, and nothing of it stays.
#[test]
fn a_session_lasts_a_day() {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.drop(anna);
    table.pass(A_DAY - 2_000);
    let anna = table.resume("anna", &[], welcome.token, None);
    assert_eq!(table.words(anna)[0], "welcome anna 1 last 0");
    table.drop(anna);
    assert!(table.ended.is_empty());
    table.pass(A_DAY);
    assert_eq!(table.ended, [welcome.session]);
    assert!(table.is_empty());
    let anna = table.resume("anna", &[], welcome.token, None);
    assert_eq!(table.words(anna)[0], "welcome anna 0 last 0");
}

/// When there are too many sessions, the one that has been away longest has
/// to go.
#[test]
fn the_longest_away_has_to_go() {
    let settings = HubSettings { max_sessions: 3, max_connections: 3, ..HubSettings::default() };
    let mut table = Table::with(settings);
    let mut tokens = Vec::new();
    for name in ["a", "b", "c"] {
        let (connection, welcome) = table.come(name, &[]);
        tokens.push(welcome.token);
        table.drop(connection);
        table.pass(1_000);
    }
    let (d, welcome) = table.come("d", &[]);
    assert_eq!(welcome.session.0, 4);
    assert_eq!(table.ended.len(), 1);
    let a = table.resume("a", &[], tokens[0], None);
    assert_eq!(table.words(a)[0], "welcome a 0 last 0");
    assert_eq!(table.ended.len(), 2);
    let c = table.resume("c", &[], tokens[2], None);
    assert_eq!(table.words(c)[0], "welcome c 1 last 0");
    table.drop(d);
}
