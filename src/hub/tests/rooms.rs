//! Entering, leaving, older messages, members.

use super::frames::*;
use super::harness::*;
use crate::hub::ReadRange;
use crate::model::{HubSettings, Sequence};

/// Entering shows what was said, leaving ends it.
#[test]
fn entering_and_leaving() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &["Attic"]);
    for reference in 1..=11 {
        table.send(anna, say_in("attic", reference, "x"));
    }
    let (bob, _) = table.come("bob", &[]);
    table.send(bob, enter(70, "ATTIC"));
    let words = table.words(bob);
    assert_eq!(words[..2], ["entered Attic 0 of 2", "2:Attic anna: x (1)"]);
    assert_eq!(words[11..], ["end 5 11 0", "roster Attic 0 2 [\"anna\", \"bob\"]"]);
    table.send(anna, say_in("attic", 12, "y"));
    table.send(bob, leave(71, "attic"));
    table.send(anna, say_in("attic", 13, "z"));
    assert_eq!(table.words(bob), ["12:Attic anna: y (0)", "left Attic"]);
    table.send(bob, leave(72, "attic"));
    table.send(bob, leave(73, "a b"));
    assert_eq!(table.words(bob), ["not_in_room 6 72", "not_in_room 6 73"]);
    table.send(bob, leave(74, "lobby"));
    assert_eq!(table.words(bob), ["left lobby"], "one may be nowhere");
    assert_eq!(table.closed_rooms.len(), 1);
}

/// What is wrong with an `enter`.
#[test]
fn entering_is_limited() {
    let settings = HubSettings { max_rooms: 17, ..HubSettings::default() };
    let mut table = Table::with(settings);
    let (anna, _) = table.come("anna", &[]);
    let (bob, _) = table.come("bob", &["attic"]);
    table.send(anna, enter(1, "a b"));
    table.send(anna, enter(2, "Lobby"));
    assert_eq!(table.words(anna), ["room_invalid 5 1", "already_in_room 5 2"]);
    for number in 0..15 {
        table.send(anna, enter(3, &format!("r{number}")));
    }
    table.got(anna);
    table.send(anna, enter(4, "attic"));
    table.send(anna, enter(5, "r3"));
    assert_eq!(table.words(anna), ["too_many_rooms 5 4", "already_in_room 5 5"]);
    table.send(bob, enter(6, "cellar"));
    assert_eq!(table.words(bob), ["rooms_full 5 6"]);
    table.send(bob, enter(7, "r0"));
    table.got(bob);
    table.send(anna, leave(8, "r1"));
    table.send(bob, enter(9, "cellar"));
    assert_eq!(table.words(bob)[0], "entered cellar 0 of 1");
}

/// A room that all have left is opened anew, with its history, under
/// another number.
#[test]
fn a_room_is_opened_anew() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &["Attic"]);
    table.send(anna, say_in("attic", 1, "x"));
    table.send(anna, leave(1, "attic"));
    table.send(anna, enter(2, "attic"));
    let words = table.words(anna);
    let again = ["entered Attic 0 of 1", "1:Attic anna: x (1)", "end 5 1 0"];
    assert_eq!(words[2..5], again);
    table.send(anna, say_in("attic", 2, "y"));
    assert_eq!(table.words(anna), ["2:Attic anna: y (0)"]);
    assert_eq!(table.closed_rooms.len(), 1);
}

/// Pages of older messages.
#[test]
fn older_messages() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    for reference in 1..=5 {
        table.send(anna, say(reference, "x"));
    }
    table.got(anna);
    table.send(anna, history(9, "Lobby", 0, 2));
    assert_eq!(table.words(anna), ["4:lobby anna: x (3)", "5:lobby anna: x (3)", "end 7 5 1"]);
    table.send(anna, history(9, "lobby", 2, 2));
    assert_eq!(table.words(anna), ["1:lobby anna: x (3)", "end 7 5 0"]);
    table.send(anna, history(9, "lobby", 1, 2));
    table.send(anna, history(9, "attic", 1, 2));
    assert_eq!(table.words(anna), ["end 7 5 0", "not_in_room 7 9"]);
    for (limit, asked) in [(0, 100), (1, 1), (100, 100), (101, 100), (u16::MAX, 100)] {
        table.send(anna, history(9, "lobby", u64::MAX, limit));
        let range = table.requests.last().unwrap().range.clone();
        assert_eq!(range, ReadRange::Before(Sequence(u64::MAX), asked));
    }
}

/// Pages of members, in the order of keys.
#[test]
fn pages_of_members() {
    let mut table = Table::new();
    let (anna, _) = table.come("Anna", &[]);
    for number in 0..150 {
        let connection = table.greet(0);
        table.send(connection, join(&format!("B{number:03}"), &[]));
    }
    table.got(anna);
    table.send(anna, members(5, "lobby", ""));
    let words = table.words(anna);
    assert!(words[0].starts_with("roster lobby 1 151 [\"Anna\", \"B000\""), "{words:?}");
    assert!(words[0].ends_with("\"B098\"]"));
    table.send(anna, members(5, "lobby", "b098"));
    let words = table.words(anna);
    assert!(words[0].starts_with("roster lobby 0 151 [\"B099\""), "{words:?}");
    assert!(words[0].ends_with("\"B149\"]"));
    table.send(anna, members(5, "lobby", "no name at all"));
    table.send(anna, members(6, "attic", ""));
    assert_eq!(table.words(anna), ["roster lobby 0 151 []", "not_in_room 8 6"]);
}
