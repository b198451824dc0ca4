//! A log that cannot be read, or cannot write.

use super::frames::*;
use super::harness::*;
use crate::hub::{ConnectionId, Input, StorageHealth};
use crate::model::{HubSettings, Sequence};
use crate::wire::tcp::ServerFrame;

/// A table whose log waits to be told, with Anna in the lobby.
fn slow_table() -> (Table, ConnectionId, crate::wire::tcp::Welcome) {
    let mut table = Table::new();
    let (anna, welcome) = table.come("anna", &[]);
    table.delayed = true;
    (table, anna, welcome)
}

/// What was to be read for a join cannot be: the connection ends, and nothing
/// of it stays but the session.
#[test]
fn a_join_that_cannot_be_read() {
    let (mut table, anna, _) = slow_table();
    let bob = table.greet(1);
    table.send(bob, join("bob", &["attic"]));
    table.send(bob, say_in("attic", 1, "x"));
    table.fail_read();
    assert_eq!(table.words(bob), ["internal 0 0", "closed"]);
    assert_eq!((table.people, table.drafts.len(), table.closed_rooms.len()), (1, 0, 1));
    assert!(table.hub.backlog.is_empty());
    table.drop(bob);
    table.drop(anna);
    table.pass(2 * 24 * 60 * 60 * 1_000);
    assert!(table.is_empty());
}

/// Somebody has seen what is lost: the sequence has leapt over it twice, and
/// their position lies between.
#[test]
fn a_position_in_a_void() {
    let (mut table, anna, welcome) = slow_table();
    table.send(anna, say(1, "x"));
    table.answer();
    table.drop(anna);
    let lost = |from, to| (Sequence(from), Sequence(to));
    table.hub.sequence_gaps = vec![lost(0, 0), lost(1, 1_000)];
    table.hub.head = Sequence(2_000);
    for (position, is_kept) in
        [(1, true), (2, false), (1_000, false), (1_001, true), (2_001, false)]
    {
        let back = table.resume("anna", &[], welcome.token, Some(position));
        table.answer();
        let flags = if is_kept { 3 } else { 1 };
        assert_eq!(table.words(back)[0], format!("welcome anna {flags} last 1"), "{position}");
    }
}

/// The same in the middle of a replay.
#[test]
fn a_page_that_cannot_be_read() {
    let (mut table, anna, welcome) = slow_table();
    table.page = 1;
    for reference in 1..=3 {
        table.send(anna, say(reference, "x"));
    }
    table.answer();
    let back = table.resume("anna", &[], welcome.token, Some(0));
    table.look();
    table.tell();
    table.mark();
    assert_eq!(table.words(back)[2..], ["1:lobby anna: x (1)"]);
    table.fail_read();
    assert_eq!(table.words(back), ["internal 0 0", "closed"]);
    assert!(table.hub.backlog.is_empty());
    let again = table.resume("anna", &[], welcome.token, Some(1));
    table.answer();
    assert_eq!(
        table.words(again)[2..5],
        ["2:lobby anna: x (1)", "3:lobby anna: x (1)", "end 2 3 0"]
    );
}

/// A room whose history cannot be read is not entered; what was owed comes,
/// and so does what was waiting.
#[test]
fn a_room_that_cannot_be_read() {
    let (mut table, anna, _) = slow_table();
    table.delayed = false;
    let (bob, _) = table.come("bob", &[]);
    table.pass(600);
    table.got(bob);
    table.got(anna);
    table.delayed = true;
    table.send(anna, say(1, "x"));
    table.send(anna, leave(1, "lobby"));
    table.send(anna, enter(2, "lobby"));
    table.send(anna, say(2, "not in there"));
    table.send(anna, enter(3, "attic"));
    table.commit(1);
    table.fail_read();
    assert_eq!(
        table.words(anna),
        ["left lobby", "unavailable 5 2", "accepted 1", "not_in_room 3 2"]
    );
    table.fail_read();
    assert_eq!(table.words(anna), ["unavailable 5 3"]);
    assert_eq!(table.closed_rooms.len(), 1, "the attic was not there before");
    table.pass(600);
    assert_eq!(table.words(bob), ["1:lobby anna: x (0)", "presence lobby 0 1 +[] -[\"anna\"]"]);
    assert!(table.hub.backlog.is_empty());
    table.send(anna, enter(4, "lobby"));
    table.answer();
    assert_eq!(table.words(anna)[0], "entered lobby 0 of 2");
}

/// History and search that cannot be read.
#[test]
fn requests_that_cannot_be_read() {
    let (mut table, anna, _) = slow_table();
    table.got(anna);
    table.send(anna, history(7, "lobby", 0, 0));
    table.send(anna, search(8, "lobby", "x", 0, 0));
    table.send(anna, history(9, "lobby", 0, 0));
    table.fail_read();
    table.fail_read();
    table.answer();
    assert_eq!(table.words(anna), ["unavailable 7 7", "unavailable 11 8", "end 7 0 0"]);
}

/// What is looked for, and what cannot be: the errors in their order.
#[test]
fn searches() {
    let (mut table, anna, _) = slow_table();
    table.delayed = false;
    table.send(anna, say(1, "The kettle is on."));
    table.send(anna, say(2, "Tea?"));
    table.send(anna, enter(1, "attic"));
    table.send(anna, say_in("attic", 3, "No kettle here."));
    table.got(anna);
    table.send(anna, search(1, "", "KETTLE", 0, 0));
    table.send(anna, search(2, "Lobby", "kettle", 0, 0));
    table.send(anna, search(3, "", "kettle", 3, 0));
    table.send(anna, search(4, "", "kettle", 0, 1));
    assert_eq!(
        table.words(anna),
        [
            "1:lobby anna: The kettle is on. (3)",
            "3:attic anna: No kettle here. (3)",
            "end 11 3 0",
            "1:lobby anna: The kettle is on. (3)",
            "end 11 3 0",
            "1:lobby anna: The kettle is on. (3)",
            "end 11 3 0",
            "3:attic anna: No kettle here. (3)",
            "end 11 3 1",
        ]
    );
    table.send(anna, search(0, "cellar", "!", 0, 0));
    table.send(anna, search(5, "cellar", "!", 0, 0));
    table.send(anna, search(6, "", "!", 0, 0));
    table.send(anna, search(7, "", &"x ".repeat(17), 0, 0));
    table.send(anna, search(8, "", &"x".repeat(257), 0, 0));
    assert_eq!(
        table.words(anna),
        [
            "reference_invalid 11 0",
            "not_in_room 11 5",
            "search_invalid 11 6",
            "search_invalid 11 7",
            "search_invalid 11 8",
        ]
    );
}

/// The sentence of the only notice among what a connection has got, with its code.
fn notices(table: &mut Table, connection: ConnectionId) -> Vec<(u16, String)> {
    let notice = |it| match it {
        Got::Frame(ServerFrame::Notice(it)) => Some((it.code, it.text)),
        _ => None,
    };
    table.got(connection).into_iter().filter_map(notice).collect()
}

/// Everybody is told once that the log cannot write, and that it can again.
#[test]
fn trouble_is_told_once() {
    let (mut table, anna, _) = slow_table();
    let mut told = |storage| {
        table.input(Input::StorageChanged(storage));
        notices(&mut table, anna)
    };
    assert_eq!(told(StorageHealth::Sound), []);
    let memory_only = told(StorageHealth::MemoryOnly);
    assert!(matches!(&memory_only[..], [(5, text)] if text.contains("in memory only")));
    assert_eq!(told(StorageHealth::MemoryOnly), []);
    let refusing = told(StorageHealth::Refusing);
    assert!(matches!(&refusing[..], [(5, text)] if text.contains("refused")));
    let sound = told(StorageHealth::Sound);
    assert!(matches!(&sound[..], [(6, text)] if text.contains("taken again")));
    told(StorageHealth::MemoryOnly);
    let sound = told(StorageHealth::Sound);
    assert!(matches!(&sound[..], [(6, text)] if text.contains("everything said is kept")));
}

/// Whoever comes while it lasts is told right after the end; who is about to
/// come is told then, not before.
#[test]
fn trouble_is_told_to_who_comes() {
    let (mut table, _, _) = slow_table();
    let bob = table.greet(0);
    table.send(bob, join("bob", &[]));
    table.input(Input::StorageChanged(StorageHealth::MemoryOnly));
    assert_eq!(table.words(bob), [""; 0]);
    table.answer();
    assert_eq!(table.words(bob)[2..], ["end 2 0 0", "notice 5"]);
    let carl = table.greet(1);
    table.send(carl, join("carl", &["attic"]));
    table.answer();
    assert_eq!(table.words(carl)[2..], ["end 2 0 0", "notice 5", "roster attic 0 1 [\"carl\"]"]);
    table.input(Input::StorageChanged(StorageHealth::Sound));
    assert_eq!(table.words(bob), ["notice 6"]);
    let dora = table.greet(0);
    table.send(dora, join("dora", &[]));
    table.answer();
    assert_eq!(table.words(dora)[2..], ["end 2 0 0"]);
}

/// A durable server says so.
#[test]
fn the_flag_of_a_durable_server() {
    let mut table = Table::with(HubSettings { is_durable: true, ..HubSettings::default() });
    let (anna, welcome) = table.come("anna", &[]);
    assert_eq!(welcome.flags, 4);
    table.drop(anna);
    let anna = table.resume("anna", &[], welcome.token, Some(0));
    assert_eq!(table.words(anna)[0], "welcome anna 7 last 0");
}
