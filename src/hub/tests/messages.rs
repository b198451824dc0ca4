//! Tests of room messages and direct messages.

use super::frames::*;
use super::harness::*;
use crate::model::{Reference, SessionId};
use crate::wire::tcp::{Direct, Say};

/// A refused message has no effect, and its reference may be used again.
#[test]
fn refused_messages_leave_reference_usable() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.send(anna, say(0, "x"));
    harness.send(anna, say(1, ""));
    harness.send(anna, say(1, "\u{7}"));
    harness.send(anna, say_in("attic", 1, "x"));
    harness.send(anna, say_in("a b", 1, "x"));
    harness.send(anna, direct("anna", 0, 0, "x"));
    harness.send(anna, direct("anna", 0, 1, ""));
    harness.send(anna, direct("nobody", 0, 1, "x"));
    harness.send(anna, direct("a b", 0, 1, "x"));
    harness.send(anna, direct("anna", 99, 1, "x"));
    assert_eq!(
        harness.take_summaries(anna),
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
    harness.send(anna, say(1, "x"));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (0)"]);
}

/// A client's message of style 2 is stored as an ordinary one, so that nobody can imitate a removed
/// message. All other styles are stored as they are.
#[test]
fn removed_style_from_a_client_is_stored_as_said() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    for (reference, style) in [(1, 0), (3, 1), (5, 2), (7, 3), (9, 255)] {
        let (room, text) = ("lobby".to_owned(), "[removed]".to_owned());
        harness.send(anna, Say { reference: Reference(reference), room, style, text });
        let (to, session, text) = ("anna".to_owned(), SessionId(0), "[removed]".to_owned());
        let reference = Reference(reference + 1);
        harness.send(anna, Direct { reference, to, session, style, text });
    }
    let styles: Vec<u8> = harness.log.iter().map(|it| it.draft.style.0).collect();
    assert_eq!(styles, [0, 0, 1, 1, 0, 0, 3, 3, 255, 255]);
}

/// A reference that is not above the greatest stored one gets `accepted`, and nothing is stored.
/// References may be skipped.
#[test]
fn duplicate_references_are_accepted_without_storing() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    for reference in [1, 1, 7, 3, 8] {
        harness.send(anna, say(reference, "x"));
    }
    assert_eq!(
        harness.take_summaries(anna),
        [
            "1:lobby anna: x (0)",
            "accepted 1",
            "2:lobby anna: x (0)",
            "accepted 3",
            "3:lobby anna: x (0)",
        ]
    );
}

/// A refused message that is sent again after later ones is not a duplicate.
#[test]
fn refused_message_is_processed_when_resent() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.send(anna, say_in("attic", 1, "x"));
    harness.send(anna, say(2, "y"));
    harness.send(anna, enter(9, "attic"));
    harness.take_summaries(anna);
    harness.send(anna, say_in("attic", 1, "x"));
    harness.send(anna, say_in("attic", 1, "x"));
    assert_eq!(harness.take_summaries(anna), ["2:attic anna: x (0)", "accepted 1"]);
}

/// Requests need a reference other than 0.
#[test]
fn requests_without_reference_are_refused() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.send(anna, enter(0, "attic"));
    harness.send(anna, leave(0, "lobby"));
    harness.send(anna, history(0, "lobby", 0, 1));
    harness.send(anna, members(0, "lobby", ""));
    let expected = [5, 6, 7, 8].map(|kind| format!("reference_invalid {kind} 0"));
    assert_eq!(harness.take_summaries(anna), expected);
}

/// A message in flight is not acknowledged, and its duplicate is not answered. If the log rejects
/// the message, its reference may be used again.
#[test]
fn in_flight_messages_are_not_acknowledged() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.manual_log = true;
    harness.send(anna, say(1, "x"));
    harness.send(anna, say(1, "x"));
    harness.send(anna, direct("anna", 0, 2, "y"));
    assert_eq!((harness.take_summaries(anna), harness.pending_drafts.len()), (vec![], 2));
    harness.reject_draft();
    harness.reject_draft();
    assert_eq!(harness.take_summaries(anna), ["not_stored 3 1", "not_stored 4 2"]);
    harness.send(anna, say(1, "x"));
    harness.run_log();
    harness.send(anna, say(1, "x"));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (0)", "accepted 1"]);
}

/// A message reaches only the members of its room.
#[test]
fn messages_reach_only_room_members() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &["lobby"]);
    let (bob, _) = harness.join("bob", &["attic"]);
    harness.send(anna, say(1, "x"));
    harness.send(bob, say_in("attic", 1, "y"));
    assert_eq!(harness.take_summaries(anna), ["1:lobby anna: x (0)"]);
    assert_eq!(harness.take_summaries(bob), ["2:attic bob: y (0)"]);
}

/// A direct message reaches recipient and sender. A message to oneself arrives once.
#[test]
fn direct_messages_reach_sender_and_recipient() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("Anna", &[]);
    let (bob, welcome) = harness.join("bob", &[]);
    let (carl, _) = harness.join("carl", &[]);
    harness.send(bob, direct("aNNa", 0, 1, "x"));
    harness.send(anna, direct("bob", welcome.session.0, 1, "y"));
    harness.send(anna, direct("bob", 1, 2, "z"));
    harness.send(bob, direct("bob", 0, 2, "me"));
    let expected = ["1:bob>Anna: x (0)", "2:Anna>bob: y (0)"];
    assert_eq!(harness.take_summaries(anna), [&expected[..], &["recipient_changed 4 2"]].concat());
    assert_eq!(harness.take_summaries(bob), [&expected[..], &["3:bob>bob: me (0)"]].concat());
    assert_eq!(harness.take_summaries(carl), [""; 0]);
}

/// A direct message to a session that is away is delivered when it resumes. Another session that
/// takes the name does not get it.
#[test]
fn direct_messages_wait_for_away_session() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let (bob, first) = harness.join("bob", &[]);
    harness.disconnect(bob);
    harness.send(anna, direct("bob", 0, 1, "one"));
    let (bob, second) = harness.join("Bob", &["attic"]);
    harness.send(anna, direct("bob", 0, 2, "two"));
    harness.send(anna, direct("bob", first.session.0, 3, "three"));
    harness.disconnect(bob);
    harness.take_received(anna);
    // The second session held the name last.
    harness.send(anna, direct("bob", 0, 3, "three"));
    assert_eq!(harness.take_summaries(anna), ["3:anna>Bob: three (0)"]);
    let bob = harness.resume("bob", &["attic"], first.token, None);
    assert_eq!(harness.take_summaries(bob)[2..4], ["1:anna>bob: one (1)", "end 2 3 0"]);
    harness.disconnect(bob);
    let bob = harness.resume("bob", &["attic"], second.token, Some(2));
    assert_eq!(harness.take_summaries(bob)[2..4], ["3:anna>Bob: three (1)", "end 2 3 0"]);
}

/// An expired session cannot be a recipient.
#[test]
fn expired_session_is_unknown_recipient() {
    let mut harness = Harness::new();
    let (bob, _) = harness.join("bob", &[]);
    harness.disconnect(bob);
    harness.advance(24 * 60 * 60 * 1_000);
    let (anna, _) = harness.join("anna", &[]);
    harness.send(anna, direct("bob", 0, 1, "x"));
    assert_eq!(harness.take_summaries(anna), ["recipient_unknown 4 1"]);
}

/// A direct message goes to the last holder of a name, also after an older session with this name
/// resumes under another one. After the last holder resumes under another name, the recipient is
/// unknown.
#[test]
fn direct_message_goes_to_last_holder_of_name() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let (bob, first) = harness.join("bob", &[]);
    harness.disconnect(bob);
    let (bob, second) = harness.join("bob", &[]);
    harness.disconnect(bob);
    harness.resume("robert", &[], first.token, None);
    harness.send(anna, direct("bob", second.session.0, 1, "x"));
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "1:anna>bob: x (0)");
    harness.resume("carl", &[], second.token, None);
    harness.send(anna, direct("bob", 0, 2, "x"));
    assert_eq!(harness.take_summaries(anna).last().unwrap(), "recipient_unknown 4 2");
}
