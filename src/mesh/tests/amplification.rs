//! Tests of amplification: the bytes that a whole room answers to one datagram, whose source may be
//! forged.

use super::{STRANGER, SimRoom};
use crate::mesh::Input;
use crate::model::{Lamport, Path, PathSet, RoomClock, Timestamp};
use crate::wire::udp::*;

/// Number of peers in the room.
const PEERS: u8 = 10;

/// Returns a room of [`PEERS`] peers that know each other.
fn room_of_ten() -> SimRoom {
    let mut room = SimRoom::default();
    for number in 1..=PEERS {
        room.start(number, &format!("peer{number}"));
        room.advance(500);
    }
    room.advance(15_000);
    assert_eq!(room.names(1).len(), usize::from(PEERS));
    room
}

/// Delivers one datagram of a stranger by the IPv4 group to all peers, or by unicast to peer 3.
/// Returns the number of bytes that the peers send to the stranger's address within 30 s.
/// `counter`: makes the stranger's identity differ for each call.
fn answers_to(
    room: &mut SimRoom,
    counter: u64,
    path: Option<Path>,
    control: &Control,
    size: usize,
) -> usize {
    let before = room.bytes_to_stranger;
    let sender = Signer::new([STRANGER; 32], counter.to_be_bytes());
    let receivers = if path.is_some() { 1..=PEERS } else { 3..=3 };
    for number in receivers {
        let packet = Packet::Control { sender, counter: 1, control: control.clone() };
        let from = SimRoom::address(STRANGER);
        room.input(number, Input::Received { from, path, size, packet });
    }
    room.advance(30_000);
    room.bytes_to_stranger - before
}

/// Returns a control packet of each kind, some in several forms, that a stranger may send to the
/// peers of this room.
fn packets_of_a_stranger(room: &SimRoom) -> Vec<Control> {
    let member = room.peers[&3].signer.id;
    let (nonce, cookie, heard) = (Nonce([7; 8]), Cookie([5; 8]), PathSet(1));
    let (clock, since, time) = (RoomClock(1_000_000), RoomClock(0), Timestamp(0));
    let (name, text) = ("stranger".to_owned(), String::new());
    let ranges = vec![EntryRange { author: member, first: 1, last: 60 }];
    let announce = |name: &str, agreed| Announce::new(nonce, name.to_owned(), agreed);
    let seniors = |count| (1..=count).map(|it: u8| room.peers[&it].signer.id).collect();
    vec![
        Control::Announce(announce("stranger", vec![])),
        Control::Announce(announce("stranger", vec![member])),
        Control::Announce(announce("stranger", seniors(4))),
        Control::Announce(announce("stranger", seniors(6))),
        Control::Announce(announce("stranger", seniors(8))),
        Control::Announce(announce("peer5", vec![])),
        Control::Announce(announce("not a name", vec![])),
        Control::Agree(Agree {
            nonce,
            cookie,
            flags: 0,
            heard,
            clock,
            since,
            username: name.clone(),
            members: 2,
            lamport: Lamport(7),
            time,
        }),
        Control::Object(Object {
            nonce,
            code: 201,
            by: name.clone(),
            username: name.clone(),
            holder: member,
            clock,
            since,
            text,
        }),
        Control::Heartbeat(Heartbeat {
            clock,
            since,
            username: name,
            time,
            members: 2,
            sequence: 7,
            page: vec![],
        }),
        Control::Ping(Ping { cookie, heard }),
        Control::Pong(Pong { cookie, heard }),
        Control::Want(Want { ranges: ranges.clone() }),
        Control::Lost(Lost { ranges }),
        Control::Recall(Recall { nonce, page: 0 }),
        Control::Recent(Recent { nonce, page: 0, pages: 1, entries: vec![], marks: vec![] }),
        Control::Where(Where { peers: vec![member] }),
        Control::Peers(Peers { peers: vec![] }),
        Control::Bye(Bye {}),
    ]
}

/// Asserts that the peers together answer one datagram of a stranger to the group with at most
/// twice its size, whatever its kind. To one by unicast, a peer answers at most its size: half of
/// what is allowed, for the sockets may send the answer twice.
fn assert_answers_are_limited(room: &mut SimRoom) {
    for (counter, control) in (1..).zip(packets_of_a_stranger(room)) {
        let size = control.datagram_len();
        let by_group = answers_to(room, 2 * counter, Some(Path::GroupV4), &control, size);
        let by_unicast = answers_to(room, 2 * counter + 1, None, &control, size);
        println!("{size} bytes of kind {}: {by_group} bytes, {by_unicast}", control.kind());
        assert!(by_group <= 2 * size, "{by_group} bytes to {size} of {control:?}");
        assert!(by_unicast <= size, "{by_unicast} bytes to {size} of {control:?}");
    }
}

/// The answers of ten peers to one datagram are limited.
#[test]
fn answers_to_one_datagram_are_at_most_twice_its_size() {
    assert_answers_are_limited(&mut room_of_ten());
}

/// The same holds for a room whose halves have met again: each half has seen the other one come,
/// but the most senior of both do not answer together.
#[test]
fn answers_of_merged_halves_are_at_most_twice_the_size() {
    let mut room = SimRoom::default();
    for number in 1..=PEERS {
        room.start(number, &format!("peer{number}"));
        room.peers.get_mut(&number).unwrap().partition = number % 2;
        room.advance(500);
    }
    room.advance(15_000);
    for peer in room.peers.values_mut() {
        peer.partition = 0;
    }
    room.advance(10_000);
    assert_eq!(room.names(1).len(), usize::from(PEERS));
    assert_answers_are_limited(&mut room);
}

/// An announce by the group that lists votes of members makes two of them ping the candidate, at
/// the next one the next two: those at the places *counter* mod *length* and the one behind it.
/// None does so as long as more than two members are still to agree. By unicast each listed one
/// does.
#[test]
fn listed_members_ping_a_candidate_in_turns() {
    let mut room = room_of_ten();
    let pingers = |room: &mut SimRoom, counter: u64, path: Option<Path>, listed: u8| {
        let agreed = (1..=listed).map(|it| room.peers[&it].signer.id).collect();
        let announce = Announce::new(Nonce([7; 8]), "stranger".to_owned(), agreed);
        let control = Control::Announce(announce);
        let sender = Signer::new([STRANGER; 32], u64::from(listed).to_be_bytes());
        let mut pingers = Vec::new();
        for number in 1..=PEERS {
            let before = room.bytes_to_stranger;
            let packet = Packet::Control { sender, counter, control: control.clone() };
            let (from, size) = (SimRoom::address(STRANGER), control.datagram_len());
            room.input(number, Input::Received { from, path, size, packet });
            if room.bytes_to_stranger > before {
                pingers.push(u64::from(number));
            }
        }
        pingers
    };
    for listed in 6..=8 {
        let places = u64::from(listed);
        for counter in 1..=10 {
            let mut expected = [counter % places + 1, (counter + 1) % places + 1];
            expected.sort_unstable();
            assert_eq!(pingers(&mut room, counter, Some(Path::GroupV4), listed), expected);
        }
        let all: Vec<_> = (1..=places).collect();
        assert_eq!(pingers(&mut room, 11, None, listed), all);
    }
    for counter in 1..=10 {
        assert_eq!(pingers(&mut room, counter, Some(Path::GroupV4), 5), [0; 0]);
    }
}

/// All ten peers answer a ping that is padded to 1,200 bytes. So the doctor sees all of them.
#[test]
fn padded_ping_is_answered_by_all() {
    let mut room = room_of_ten();
    let ping = Control::Ping(Ping { cookie: Cookie([5; 8]), heard: PathSet(1) });
    let answers = answers_to(&mut room, 1, Some(Path::GroupV4), &ping, 1_200);
    assert_eq!(answers, 137 * usize::from(PEERS));
}
