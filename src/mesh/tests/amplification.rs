//! Tests of amplification: the bytes that a whole room answers to one datagram, whose source may be
//! forged.

use super::{STRANGER, SimRoom};
use crate::mesh::Input;
use crate::model::{Path, PathSet, RoomClock, Timestamp};
use crate::wire::udp::{Announce, Control, Cookie, Heartbeat, Nonce, Packet, Ping, Recall, Signer};

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

/// Delivers one datagram of a stranger to all peers by the IPv4 group. Returns the number of bytes
/// that the peers send to the stranger's address within 30 s. `counter`: makes the stranger's
/// identity differ for each call.
fn answers_to(room: &mut SimRoom, counter: u64, control: Control, size: usize) -> usize {
    let before = room.bytes_to_stranger;
    let sender = Signer::new([STRANGER; 32], counter.to_be_bytes());
    for number in 1..=PEERS {
        let packet = Packet::Control { sender, counter: 1, control: control.clone() };
        let (from, path) = (SimRoom::address(STRANGER), Some(Path::GroupV4));
        room.input(number, Input::Received { from, path, size, packet });
    }
    room.advance(30_000);
    room.bytes_to_stranger - before
}

/// Ten peers together answer one datagram to the group with at most twice its size, whatever its
/// kind.
#[test]
fn answers_to_one_datagram_are_at_most_twice_its_size() {
    let mut room = room_of_ten();
    let heartbeat = Heartbeat {
        clock: RoomClock(1_000_000),
        since: RoomClock(0),
        username: "stranger".to_owned(),
        time: Timestamp(0),
        members: 2,
        sequence: 7,
        page: vec![],
    };
    let nonce = Nonce([7; 8]);
    let all = [
        Control::Announce(Announce::new(nonce, "stranger".to_owned(), vec![])),
        Control::Announce(Announce::new(nonce, "peer5".to_owned(), vec![])),
        Control::Announce(Announce::new(nonce, "not a name".to_owned(), vec![])),
        Control::Ping(Ping { cookie: Cookie([5; 8]), heard: PathSet(1) }),
        Control::Heartbeat(heartbeat),
        Control::Recall(Recall { nonce, page: 0 }),
    ];
    for (counter, control) in (1..).zip(all) {
        let size = control.datagram_len();
        let answers = answers_to(&mut room, counter, control.clone(), size);
        println!("{} bytes of kind {}: {answers} bytes", size, control.kind());
        assert!(answers <= 2 * size, "{answers} bytes to {size} of {control:?}");
    }
}

/// All ten peers answer a ping that is padded to 1,200 bytes. So the doctor sees all of them.
#[test]
fn padded_ping_is_answered_by_all() {
    let mut room = room_of_ten();
    let ping = Control::Ping(Ping { cookie: Cookie([5; 8]), heard: PathSet(1) });
    assert_eq!(answers_to(&mut room, 1, ping, 1_200), 137 * usize::from(PEERS));
}
