//! Tests of what a peer tells its user about others: presence, clocks, reasons of rejections.

use std::collections::BTreeSet;

use super::super::End;
use super::SimRoom;
use crate::model::{Event, NameKey, NoticeCode};

/// Returns the keys of the names that are present according to the events of a peer: the members
/// when it joined, then what `presence` and `renamed` have changed.
fn present(room: &SimRoom, number: u8) -> BTreeSet<NameKey> {
    let mut keys = BTreeSet::new();
    for event in &room.peers[&number].events {
        match event {
            Event::JoinedMesh(it) => keys = it.members.iter().map(|it| NameKey::of(it)).collect(),
            Event::Presence { joined, left, .. } => {
                for name in left.iter().flatten() {
                    assert!(keys.remove(&NameKey::of(name)), "{number}: {name} was never here");
                }
                keys.extend(joined.iter().flatten().map(|it| NameKey::of(it)));
            }
            Event::Renamed { from, to } => {
                // Who has the former name was not announced as joined: it was and stays present.
                assert!(keys.contains(&NameKey::of(from)), "{number}: {from}");
                keys.insert(NameKey::of(to));
            }
            _ => {}
        }
    }
    keys
}

/// After a merge with one name on both sides, the reports of joined and left names add up to the
/// members: nobody is reported as gone who was never reported as there.
#[test]
fn presence_adds_up_after_a_merge() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl"), (4, "dora")] {
        room.start(number, name);
        room.advance(3_000);
    }
    for number in 3..=4 {
        room.peers.get_mut(&number).unwrap().partition = 1;
    }
    room.advance(15_000);
    room.start(5, "Anna");
    room.peers.get_mut(&5).unwrap().partition = 1;
    room.advance(10_000);
    for number in 3..=5 {
        room.peers.get_mut(&number).unwrap().partition = 0;
    }
    room.advance(20_000);
    for number in 1..=5 {
        let names: BTreeSet<NameKey> =
            room.names(number).iter().map(|it| NameKey::of(it)).collect();
        assert_eq!(names.len(), 5);
        assert_eq!(present(&room, number), names, "{number}");
    }
}

/// A candidate that objects to a rival does not claim to have been in the room for 0 seconds.
#[test]
fn rival_is_not_said_to_be_here() {
    for loss in [0, 40] {
        for seed in 0..20 {
            let dice = fastrand::Rng::with_seed(seed);
            let mut room = SimRoom { loss, dice, ..SimRoom::default() };
            room.start(1, "anna");
            room.advance(100);
            room.start(2, "anna");
            room.advance(1_900);
            let ends = room.peers.values().filter_map(|it| it.end.clone());
            for end in ends {
                let End::Rejected { reason, .. } = end else { continue };
                assert!(!reason.contains("has been here"), "{reason}");
            }
        }
    }
}

/// Heartbeats that have waited while the machine slept say nothing about the clocks of others.
#[test]
fn sleep_is_not_reported_as_wrong_clocks() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert")] {
        room.start(number, name);
        room.advance(3_000);
    }
    room.advance(5_000);
    room.peers.get_mut(&1).unwrap().sleeps = true;
    room.advance(60_000);
    room.peers.get_mut(&1).unwrap().sleeps = false;
    room.say(2, "good morning");
    room.advance(10_000);
    room.say(2, "still there?");
    room.advance(1_000);
    let differs = NoticeCode::ClockDiffers.number();
    let is_it = |it: &&Event| matches!(it, Event::Notice { code, .. } if *code == differs);
    assert_eq!(room.peers[&1].events.iter().filter(is_it).count(), 0);
    assert_eq!(room.texts(1, false), ["good morning", "still there?"]);
}
