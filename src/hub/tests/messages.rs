//! What is said, to all and to one.

use super::frames::*;
use super::harness::*;

/// What is refused did not happen, and its reference may be used again.
#[test]
fn what_is_refused_did_not_happen() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.send(anna, say(0, "x"));
    table.send(anna, say(1, ""));
    table.send(anna, say(1, "\u{7}"));
    table.send(anna, say_in("attic", 1, "x"));
    table.send(anna, say_in("a b", 1, "x"));
    table.send(anna, direct("anna", 0, 0, "x"));
    table.send(anna, direct("anna", 0, 1, ""));
    table.send(anna, direct("nobody", 0, 1, "x"));
    table.send(anna, direct("a b", 0, 1, "x"));
    table.send(anna, direct("anna", 99, 1, "x"));
    assert_eq!(
        table.words(anna),
        [
            "reference_invalid 3 0",
            "text_invalid 3 1",
            "text_invalid 3 1",
            "not_in_room 3 1",
            "not_in_room 3 1",
            "reference_invalid 4 0",
            "text_invalid 4 1",
            "recipient_unknown 4 1",
            "recipient_unknown 4 1",
            "recipient_changed 4 1",
        ]
    );
    table.send(anna, say(1, "x"));
    assert_eq!(table.words(anna), ["1:lobby anna: x (0)"]);
}

/// A reference that was taken is not taken twice; holes are all right.
#[test]
fn nothing_is_taken_twice() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    for reference in [1, 1, 7, 3, 8] {
        table.send(anna, say(reference, "x"));
    }
    assert_eq!(
        table.words(anna),
        [
            "1:lobby anna: x (0)",
            "accepted 1",
            "2:lobby anna: x (0)",
            "accepted 3",
            "3:lobby anna: x (0)",
        ]
    );
}

/// A client that never learnt that a message was refused sends it again,
/// behind later ones: it must not be told that the log has it.
#[test]
fn what_was_refused_is_looked_at_again() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.send(anna, say_in("attic", 1, "x"));
    table.send(anna, say(2, "y"));
    table.send(anna, enter(9, "attic"));
    table.words(anna);
    table.send(anna, say_in("attic", 1, "x"));
    table.send(anna, say_in("attic", 1, "x"));
    assert_eq!(table.words(anna), ["2:attic anna: x (0)", "accepted 1"]);
}

/// Requests have to be numbered.
#[test]
fn a_request_needs_a_reference() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.send(anna, enter(0, "attic"));
    table.send(anna, leave(0, "lobby"));
    table.send(anna, history(0, "lobby", 0, 1));
    table.send(anna, members(0, "lobby", ""));
    let expected = [5, 6, 7, 8].map(|kind| format!("reference_invalid {kind} 0"));
    assert_eq!(table.words(anna), expected);
}

/// While the log has not answered, neither does the hub: what was taken in
/// may still be lost.
#[test]
fn what_is_in_flight_is_not_acknowledged() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    table.delayed = true;
    table.send(anna, say(1, "x"));
    table.send(anna, say(1, "x"));
    table.send(anna, direct("anna", 0, 2, "y"));
    assert_eq!((table.words(anna), table.drafts.len()), (vec![], 2));
    table.lose();
    table.lose();
    assert_eq!(table.words(anna), ["not_stored 3 1", "not_stored 4 2"]);
    table.send(anna, say(1, "x"));
    table.answer();
    table.send(anna, say(1, "x"));
    assert_eq!(table.words(anna), ["1:lobby anna: x (0)", "accepted 1"]);
}

/// Only who is in the room gets what is said there.
#[test]
fn rooms_are_apart() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &["lobby"]);
    let (bob, _) = table.come("bob", &["attic"]);
    table.send(anna, say(1, "x"));
    table.send(bob, say_in("attic", 1, "y"));
    assert_eq!(table.words(anna), ["1:lobby anna: x (0)"]);
    assert_eq!(table.words(bob), ["2:attic bob: y (0)"]);
}

/// A direct message comes to both, and once to oneself.
#[test]
fn direct_messages() {
    let mut table = Table::new();
    let (anna, _) = table.come("Anna", &[]);
    let (bob, welcome) = table.come("bob", &[]);
    let (carl, _) = table.come("carl", &[]);
    table.send(bob, direct("aNNa", 0, 1, "x"));
    table.send(anna, direct("bob", welcome.session.0, 1, "y"));
    table.send(anna, direct("bob", 1, 2, "z"));
    table.send(bob, direct("bob", 0, 2, "me"));
    let expected = ["1:bob>Anna: x (0)", "2:Anna>bob: y (0)"];
    assert_eq!(table.words(anna), [&expected[..], &["recipient_changed 4 2"]].concat());
    assert_eq!(table.words(bob), [&expected[..], &["3:bob>bob: me (0)"]].concat());
    assert_eq!(table.words(carl), [""; 0]);
}

/// Who is away gets it when they come back; not by somebody else who has the
/// name now.
#[test]
fn direct_messages_wait() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let (bob, first) = table.come("bob", &[]);
    table.drop(bob);
    table.send(anna, direct("bob", 0, 1, "one"));
    let (bob, second) = table.come("Bob", &["attic"]);
    table.send(anna, direct("bob", 0, 2, "two"));
    table.send(anna, direct("bob", first.session.0, 3, "three"));
    table.drop(bob);
    table.got(anna);
    // The second had the name last.
    table.send(anna, direct("bob", 0, 3, "three"));
    assert_eq!(table.words(anna), ["3:anna>Bob: three (0)"]);
    let bob = table.resume("bob", &["attic"], first.token, None);
    assert_eq!(table.words(bob)[2..4], ["1:anna>bob: one (1)", "end 2 3 0"]);
    table.drop(bob);
    let bob = table.resume("bob", &["attic"], second.token, Some(2));
    assert_eq!(table.words(bob)[2..4], ["3:anna>Bob: three (1)", "end 2 3 0"]);
}

/// A session that is over gets nothing.
#[test]
fn who_is_forgotten_gets_nothing() {
    let mut table = Table::new();
    let (bob, _) = table.come("bob", &[]);
    table.drop(bob);
    table.pass(24 * 60 * 60 * 1_000);
    let (anna, _) = table.come("anna", &[]);
    table.send(anna, direct("bob", 0, 1, "x"));
    assert_eq!(table.words(anna), ["recipient_unknown 4 1"]);
}

/// Who had the name earlier and comes back by another does not change who
/// had it last.
#[test]
fn who_had_the_name_last() {
    let mut table = Table::new();
    let (anna, _) = table.come("anna", &[]);
    let (bob, first) = table.come("bob", &[]);
    table.drop(bob);
    let (bob, second) = table.come("bob", &[]);
    table.drop(bob);
    table.resume("robert", &[], first.token, None);
    table.send(anna, direct("bob", second.session.0, 1, "x"));
    assert_eq!(table.words(anna).last().unwrap(), "1:anna>bob: x (0)");
    table.resume("carl", &[], second.token, None);
    table.send(anna, direct("bob", 0, 2, "x"));
    assert_eq!(table.words(anna).last().unwrap(), "recipient_unknown 4 2");
}
