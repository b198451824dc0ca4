//! Tests of presence updates.

use super::frames::*;
use super::harness::*;
use crate::hub::ConnectionId;
use crate::model::HubSettings;

/// Joins the lobby with clients named after the numbers `from..to`, without the feature presence.
/// Returns their connections.
fn join_crowd(harness: &mut Harness, from: usize, to: usize) -> Vec<ConnectionId> {
    let mut connections = Vec::new();
    for number in from..to {
        let address = crowd_address(number as u64);
        connections.push(harness.join_from(address, join(&format!("p{number:05}"), &[])));
    }
    connections
}

/// Presence changes are collected for half a second and sent together.
#[test]
fn presence_changes_are_batched() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.advance(600);
    harness.take_received(anna);
    let (bob, welcome) = harness.join("bob", &[]);
    harness.advance(200);
    let (carl, _) = harness.join("carl", &[]);
    harness.disconnect(carl);
    harness.disconnect(bob);
    let bob = harness.resume("bob", &[], welcome.token, None);
    harness.take_received(bob);
    assert_eq!(harness.take_summaries(anna), [""; 0]);
    harness.advance(300);
    let expected = ["presence lobby 0 2 +[\"bob\"] -[\"carl\"]"];
    assert_eq!(harness.take_summaries(anna), expected);
    assert_eq!(harness.take_summaries(bob), expected);
    harness.send(bob, leave(1, "lobby"));
    harness.take_received(bob);
    harness.advance(500);
    assert_eq!(harness.take_summaries(anna), ["presence lobby 0 1 +[] -[\"bob\"]"]);
    assert_eq!(harness.take_summaries(bob), [""; 0]);
    harness.advance(10_000);
    assert_eq!(harness.take_summaries(anna), [""; 0]);
}

/// Many changes are split into frames of at most a hundred names.
#[test]
fn presence_update_is_split_into_frames_of_a_hundred_names() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    harness.advance(600);
    harness.take_received(anna);
    for connection in join_crowd(&mut harness, 0, 130) {
        harness.disconnect(connection);
    }
    harness.advance(600);
    let summaries = harness.take_summaries(anna);
    assert_eq!(summaries.len(), 2, "{summaries:?}");
    assert!(summaries[0].contains("+[] -[\"p00000\"") && summaries[0].ends_with("\"p00099\"]"));
    assert!(summaries[1].contains("+[] -[\"p00100\"") && summaries[1].ends_with("\"p00129\"]"));
}

/// With more than a hundred members, only their number is sent, every five seconds. With a hundred
/// or fewer again, the full roster is sent.
#[test]
fn crowded_room_sends_member_count_only() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let people = join_crowd(&mut harness, 0, 99);
    harness.advance(600);
    let summaries = harness.take_summaries(anna);
    assert_eq!(summaries.len(), 1);
    assert!(
        summaries[0].starts_with("presence lobby 0 100 +[\"anna\", \"p00000\""),
        "{summaries:?}"
    );
    let bob = harness.connect_and_greet(0);
    harness.send(bob, join("bob", &[]));
    harness.disconnect(bob);
    // The room was crowded only for a moment, so every client's list is still valid.
    harness.advance(5_000);
    assert_eq!(harness.take_summaries(anna), ["presence lobby 0 100 +[] -[\"bob\"]"]);
    let bob = harness.connect_and_greet(1);
    harness.send(bob, join("bob", &[]));
    assert_eq!(harness.take_summaries(bob)[3], "roster lobby 2 101 []");
    harness.advance(4_900);
    assert_eq!(harness.take_summaries(anna), [""; 0]);
    harness.advance(200);
    assert_eq!(harness.take_summaries(anna), ["presence lobby 2 101 +[] -[]"]);
    assert_eq!(harness.take_summaries(bob), ["presence lobby 2 101 +[] -[]"]);
    harness.disconnect(people[0]);
    harness.advance(5_000);
    for connection in [anna, bob] {
        let summaries = harness.take_summaries(connection);
        assert_eq!(summaries.len(), 1);
        assert!(summaries[0].starts_with("roster lobby 0 100 [\"anna\", \"bob\", \"p00001\""));
    }
    harness.disconnect(people[1]);
    harness.advance(500);
    assert_eq!(harness.take_summaries(anna), ["presence lobby 0 99 +[] -[\"p00001\"]"]);
}

/// A client gets a roster without names, because the room is crowded. When the room has fewer
/// members, the client gets the names, even if no update without names was sent in between.
#[test]
fn roster_follows_member_count_for_new_subscriber() {
    let mut harness = Harness::new();
    let (anna, _) = harness.join("anna", &[]);
    let people = join_crowd(&mut harness, 0, 99);
    harness.advance(600);
    let (bob, _) = harness.join("bob", &[]);
    harness.disconnect(people[0]);
    harness.advance(5_000);
    harness.take_received(anna);
    assert!(harness.take_summaries(bob)[0].starts_with("roster lobby 0 100 [\"anna\", \"bob\""));
}

/// The number of the hub's outputs grows linearly with the number of members.
#[test]
fn presence_cost_grows_linearly_with_members() {
    let max_connections_per_address = 10_000;
    let mut harness =
        Harness::with(HubSettings { max_connections_per_address, ..HubSettings::default() });
    // The frames are counted, not recorded.
    let mut outputs = 0;
    for number in 0..10_000 {
        outputs += harness.join_counting_outputs(number);
    }
    assert!(outputs < 110_000, "{outputs} outputs");
    assert_eq!(harness.connected_users, 10_000);
}
