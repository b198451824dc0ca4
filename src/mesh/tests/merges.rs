//! Tests of names when rooms meet that never heard each other: section 13.

use super::SimRoom;
use crate::model::RoomClock;

/// Lets two rooms of `size` peers each come into being out of each other's reach, each with an
/// "anna" that is its first peer, and then merge. Returns the time from the merge, in milliseconds,
/// until the two first peers have different names; `None` if that takes more than 20 s. Panics if
/// the more senior one has lost the name. `variant`: changes the ids of all peers, and with them
/// who verifies whom.
fn time_until_names_differ(size: u8, variant: u8) -> Option<u64> {
    let mut room = SimRoom::default();
    let left: Vec<u8> = (0..size).map(|index| 1 + variant + index * 20).collect();
    let right: Vec<u8> = (0..size).map(|index| 110 + variant + index * 20).collect();
    for (first, second) in left.iter().flat_map(|it| right.iter().map(move |other| (*it, *other))) {
        room.blocked.extend([(first, second), (second, first)]);
    }
    for (numbers, time_alone) in [(&left, 60_000), (&right, 30_000)] {
        for (index, number) in numbers.iter().enumerate() {
            let name = if index == 0 { "anna".to_owned() } else { format!("peer{number}") };
            room.start(*number, &name);
            room.advance(4_000);
        }
        room.advance(time_alone);
    }
    room.blocked.clear();
    let merged_at = room.now;
    while room.now - merged_at < 20_000 {
        if room.name(left[0]) != room.name(right[0]) {
            assert_eq!(room.name(left[0]), "anna", "the more senior holder keeps the name");
            return Some(room.now - merged_at);
        }
        room.advance(100);
    }
    None
}

/// When two rooms merge that never heard each other, only the more senior holder keeps a name that
/// both have, whichever peers verify each other. Until then it takes at most 1.1 × I(n) until the
/// holders hear each other, I(n) until a ping, and I(n) + 3 s after both are verified.
#[test]
fn merged_rooms_have_one_holder_of_each_name() {
    let merges = (2..=5).flat_map(|size| (0..20).map(move |variant| (size, variant)));
    let times =
        merges.map(|(size, variant)| (size, variant, time_until_names_differ(size, variant)));
    let late: Vec<_> = times.filter(|it| it.2.is_none_or(|it| it > 9_200)).collect();
    assert!(late.is_empty(), "{late:?}");
}

/// A stranger has pushed the room clock of a lone peer to the limit. When that peer meets another
/// one of its name, the two come to one room clock, and the more senior one keeps the name.
#[test]
fn lone_peers_come_together_after_a_pushed_room_clock() {
    for pushed in [1, 2] {
        let mut room = SimRoom::default();
        for number in [1, 2] {
            room.start(number, "anna");
            room.peers.get_mut(&number).unwrap().partition = number;
            room.advance(10_000);
        }
        let now = room.now().moment;
        let peer = room.peers.get_mut(&pushed).unwrap();
        peer.mesh.advance_room_clock(now, RoomClock((1 << 40) - 500));
        room.advance(10_000);
        for peer in room.peers.values_mut() {
            peer.partition = 0;
        }
        room.advance(10_000);
        assert_eq!((room.name(1), room.name(2)), ("anna".to_owned(), "anna-2".to_owned()));
        let now = room.now().moment;
        let clocks: Vec<_> = room.peers.values().map(|it| it.mesh.room_clock(now).0).collect();
        assert!(clocks.iter().all(|it| it.abs_diff(room.now) < 3_000), "{clocks:?}");
    }
}
