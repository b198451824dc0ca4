//! Tests of `enter`, `leave`, `history` and `members`.

use super::frames::*;
use super::harness::*;
use crate::hub::ReadRange;
use crate::model::{HubSettings, Sequence};

/// `enter` sends the history and subscribes. `leave` unsubscribes.
#[test]
fn enter_sends_history_and_leave_ends_subscription() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &["Attic"]);
    for reference in 1..=11 {
        harness.send(anna, say_in("attic", reference, "x"));
    }
    let (bob, _) = harness.join("bob", &[]);
    harness.send(bob, enter(70, "ATTIC"));
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[..2], ["entered Attic 0 of 2", "2:Attic anna: x (1)"]);
    assert_eq!(summaries[11..], ["end 5 11 0", "roster Attic 0 2 [\"anna\", \"bob\"]"]);
    harness.send(anna, say_in("attic", 12, "y"));
    harness.send(bob, leave(71, "attic"));
    harness.send(anna, say_in("attic", 13, "z"));
    assert_eq!(harness.take_summaries(bob), ["12:Attic anna: y (0)", "left Attic"]);
    harness.send(bob, leave(72, "attic"));
    harness.send(bob, leave(73, "a b"));
    assert_eq!(harness.take_summaries(bob), ["not_in_room 6 72", "not_in_room 6 73"]);
    harness.send(bob, leave(74, "lobby"));
    assert_eq!(harness.take_summaries(bob), ["left lobby"], "one may be nowhere");
    assert_eq!(harness.closed_rooms.len(), 1);
}

/// `enter` is refused with the documented errors.
#[test]
fn enter_limits_are_enforced() {
    let settings = HubSettings { max_rooms: 17, ..HubSettings::default() };
    let mut harness = Harness::with(settings);
    let (anna, _) = harness.join("anna", &[]);
    let (bob, _) = harness.join("bob", &["attic"]);
    harness.send(anna, enter(1, "a b"));
    harness.send(anna, enter(2, "Lobby"));
    assert_eq!(harness.take_summaries(anna), ["room_invalid 5 1", "already_in_room 5 2"]);
    for number in 0..15 {
        harness.send(anna, enter(3, &format!("r{number}")));
    }
    harness.take_received(anna);
    harness.send(anna, enter(4, "attic"));
    harness.send(anna, enter(5, "r3"));
    assert_eq!(harness.take_summaries(anna), ["too_many_rooms 5 4", "already_in_room 5 5"]);
    harness.send(bob, enter(6, "cellar"));
    assert_eq!(harness.take_summaries(bob), ["rooms_full 5 6"]);
    harness.send(bob, enter(7, "r0"));
    harness.take_received(bob);
    harness.send(anna, leave(8, "r1"));
    harness.send(bob, enter(9, "cellar"));
    assert_eq!(harness.take_summaries(bob)[0], "entered cellar 0 of 1");
}

/// A room that is reopened keeps its history and gets a new identifier.
#[test]
fn reopened_room_keeps_history_and_gets_new_id() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &["Attic"]);
    harness.send(anna, say_in("attic", 1, "x"));
    harness.send(anna, leave(1, "attic"));
    harness.send(anna, enter(2, "attic"));
    let summaries = harness.take_summaries(anna);
    let again = ["entered Attic 0 of 1", "1:Attic anna: x (1)", "end 5 1 0"];
    assert_eq!(summaries[2..5], again);
    harness.send(anna, say_in("attic", 2, "y"));
    assert_eq!(harness.take_summaries(anna), ["2:Attic anna: y (0)"]);
    assert_eq!(harness.closed_rooms.len(), 1);
}

/// History is read in pages from the latest to the oldest. The size of a page is limited to 100
/// entries.
#[test]
fn history_is_paged() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    for reference in 1..=5 {
        harness.send(anna, say(reference, "x"));
    }
    harness.take_received(anna);
    harness.send(anna, history(9, "Lobby", 0, 2));
    assert_eq!(
        harness.take_summaries(anna),
        ["4:lobby anna: x (3)", "5:lobby anna: x (3)", "end 7 5 1"]
    );
    harness.send(anna, history(9, "lobby", 2, 2));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (3)", "end 7 5 0"]);
    harness.send(anna, history(9, "lobby", 1, 2));
    harness.send(anna, history(9, "attic", 1, 2));
    assert_eq!(harness.take_summaries(anna), ["end 7 5 0", "not_in_room 7 9"]);
    for (limit, asked) in [(0, 100), (1, 1), (100, 100), (101, 100), (u16::MAX, 100)] {
        harness.send(anna, history(9, "lobby", u64::MAX, limit));
        let range = harness.read_requests.last().unwrap().range.clone();
        assert_eq!(range, ReadRange::Before(Sequence(u64::MAX), asked));
    }
}

/// Members are listed page by page, ordered by name key.
#[test]
fn members_are_paged_in_key_order() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("Anna", &[]);
    for number in 0..150 {
        harness.join_from(crowd_address(number), join(&format!("B{number:03}"), &[]));
    }
    harness.take_received(anna);
    harness.send(anna, members(5, "lobby", ""));
    let summaries = harness.take_summaries(anna);
    assert!(summaries[0].starts_with("roster lobby 1 151 [\"Anna\", \"B000\""), "{summaries:?}");
    assert!(summaries[0].ends_with("\"B098\"]"));
    harness.send(anna, members(5, "lobby", "b098"));
    let summaries = harness.take_summaries(anna);
    assert!(summaries[0].starts_with("roster lobby 0 151 [\"B099\""), "{summaries:?}");
    assert!(summaries[0].ends_with("\"B149\"]"));
    harness.send(anna, members(5, "lobby", "no name at all"));
    harness.send(anna, members(6, "attic", ""));
    assert_eq!(harness.take_summaries(anna), ["roster lobby 0 151 []", "not_in_room 8 6"]);
}
