//! Round trips, tampering and limits of datagrams. The vectors (`tests/vectors`) fix the bytes.

mod packets;

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::body::MIN_BODY_LEN;
use super::*;
use crate::model::limits::{MAX_DATAGRAM, MIN_ANNOUNCE};
use crate::model::{PathSet, RoomName};
use packets::{entry_fields, heartbeat, longest_controls, longest_entry};

/// An open and a closed room, made once because the closed one is expensive.
static ROOMS: LazyLock<[Arc<Room>; 2]> = LazyLock::new(|| {
    let name = RoomName::lobby();
    [Room::open(&name), Room::closed(&name, "correct horse").unwrap()].map(Arc::new)
});

/// Id of the receiving peer.
const OWN: PeerId = PeerId([1; 8]);

/// Returns an identity whose key and incarnation are derived from this number.
fn somebody(number: u8) -> Arc<Identity> {
    Arc::new(Identity::new([number; 32], [number; 8]))
}

/// Returns a sealer of the identity with this number in `room`.
fn sealer(number: u8, room: &Arc<Room>) -> Sealer {
    Sealer::new(somebody(number), Arc::clone(room))
}

/// Opens a datagram as the peer [`OWN`], with an `is_known` callback that refuses no packet.
fn open_new(datagram: &[u8], room: &Room) -> Result<(Packet, usize), DropReason> {
    open(datagram, room, OWN, |_| false)
}

/// Opens a datagram that must be a control packet; panics otherwise. Returns sender, counter,
/// packet, and length before sealing.
fn open_control(datagram: &[u8], room: &Room) -> (Signer, u64, Control, usize) {
    match open_new(datagram, room) {
        Ok((Packet::Control { sender, counter, control }, size)) => {
            (sender, counter, control, size)
        }
        other => panic!("{other:?}"),
    }
}

/// Opens a datagram that must be an entry; panics otherwise. Returns sender, entry, and length
/// before sealing.
fn open_entry(datagram: &[u8], room: &Room) -> (PeerId, Arc<Entry>, usize) {
    match open_new(datagram, room) {
        Ok((Packet::Entry { sender, entry }, size)) => (sender, entry, size),
        other => panic!("{other:?}"),
    }
}

/// Packets with all fields at their limits fit into a datagram, and are decoded unchanged.
#[test]
fn longest_control_packets_round_trip() {
    for room in &*ROOMS {
        let mut sealer = sealer(2, room);
        for (sent, control) in (1..).zip(longest_controls()) {
            let datagram = sealer.control(&control).unwrap();
            assert!(datagram.len() <= MAX_DATAGRAM, "{control:?}");
            let (sender, counter, opened, size) = open_control(&datagram, room);
            assert_eq!((sender, counter), (somebody(2).signer(), sent));
            assert_eq!(size, control.datagram_len());
            assert_eq!(datagram.len() - size, 16 * usize::from(room.kind()));
            assert_eq!(opened, control);
        }
    }
}

#[test]
fn longest_entry_in_closed_room_has_1231_bytes() {
    let [open, closed] = &*ROOMS;
    for (room, expected) in [(open, 1_215), (closed, 1_231)] {
        let entry = somebody(2).sign_entry(room, longest_entry());
        let datagram = sealer(2, room).entry(&entry).unwrap();
        assert_eq!(datagram.len(), expected);
        let (sender, opened, size) = open_entry(&datagram, room);
        assert_eq!((sender, &*opened), (somebody(2).signer().id, &entry));
        assert_eq!((size, entry.datagram_len()), (1_215, 1_215));
    }
}

/// An entry forwarded twice keeps the author's bytes, even a field that a later version has
/// appended.
#[test]
fn forwarded_entry_keeps_its_bytes() {
    for room in &*ROOMS {
        let author = somebody(2);
        let fields = EntryFields { text: "short".into(), ..longest_entry() };
        let mut body = body::encode_unsigned_entry(&author.signer(), &fields);
        body.extend_from_slice(b"from the future");
        let signature = author.sign(&identity::entry_signing_input(room, &body));
        body.extend_from_slice(&signature);
        let entry = Entry { author: author.signer(), fields, body: body.into() };
        let (_, once, _) = open_entry(&sealer(3, room).entry(&entry).unwrap(), room);
        let (sender, twice, _) = open_entry(&sealer(4, room).entry(&once).unwrap(), room);
        assert_eq!(sender, somebody(4).signer().id);
        assert_eq!(*twice, entry);
    }
}

#[test]
fn flipped_bit_drops_control_packet() {
    let ping = Control::Ping(Ping { cookie: Cookie([9; 8]), heard: PathSet::ALL });
    for room in &*ROOMS {
        let datagram = sealer(2, room).control(&ping).unwrap();
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open_new(&flipped, room).is_err(), "bit {bit}");
        }
    }
}

/// An entry with one flipped bit is dropped. In an open room, an entry with a flipped bit in sender
/// or counter passes, because the author does not sign these.
#[test]
fn flipped_bit_drops_entry() {
    for room in &*ROOMS {
        let fields = EntryFields { text: "short".into(), ..longest_entry() };
        let entry = somebody(2).sign_entry(room, fields);
        let datagram = sealer(2, room).entry(&entry).unwrap();
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let is_senders = room.kind() == 0 && (9..23).contains(&(bit / 8));
            assert_eq!(open_new(&flipped, room).is_ok(), is_senders, "bit {bit}");
        }
    }
}

/// A known packet is dropped before its signature is verified. A packet of the receiving peer and a
/// packet with a wrong sender id are dropped too.
#[test]
fn known_packets_are_dropped_before_signature_check() {
    let room = &ROOMS[0];
    let signer = somebody(2).signer();
    let unsigned = Entry::with_signature(signer, longest_entry(), [0; 64]);
    let datagram = sealer(3, room).entry(&unsigned).unwrap();
    let mut peeks = Vec::new();
    let mut peek = |peek| {
        peeks.push(peek);
        true
    };
    assert_eq!(open(&datagram, room, OWN, &mut peek).unwrap_err(), DropReason::KnownEntry);
    assert_eq!(open_new(&datagram, room).unwrap_err(), DropReason::EntrySignature);
    assert_eq!(open(&datagram, room, signer.id, |_| false).unwrap_err(), DropReason::OwnEntry);

    let mut datagram = sealer(2, room).control(&Control::Bye(Bye {})).unwrap();
    assert_eq!(open(&datagram, room, signer.id, |_| false).unwrap_err(), DropReason::Own);
    *datagram.last_mut().unwrap() ^= 1;
    assert_eq!(open(&datagram, room, OWN, &mut peek).unwrap_err(), DropReason::Replayed);
    assert_eq!(open_new(&datagram, room).unwrap_err(), DropReason::Signature);
    datagram[9] ^= 1;
    assert_eq!(open(&datagram, room, OWN, &mut peek).unwrap_err(), DropReason::Identity);

    let of_entry = UnverifiedPacket::Entry {
        sender: somebody(3).signer().id,
        author: signer.id,
        sequence: u32::MAX,
    };
    let of_control = UnverifiedPacket::Control { sender: signer.id, counter: 1 };
    assert_eq!(peeks, [of_entry, of_control]);
}

#[test]
fn datagrams_of_other_rooms_are_dropped() {
    let [open, closed] = &*ROOMS;
    let other = Arc::new(Room::open(&RoomName::new("kitchen").unwrap()));
    for (from, to) in [(open, closed), (closed, open), (open, &other), (closed, &other)] {
        let datagram = sealer(2, from).control(&Control::Bye(Bye {})).unwrap();
        assert_eq!(open_new(&datagram, to).unwrap_err(), DropReason::OtherRoom);
    }
}

/// Another spelling of the name, or another Unicode form of the passphrase, gives the same room.
#[test]
fn room_id_depends_on_name_key_and_nfc_passphrase() {
    let [lobby, closed] = &*ROOMS;
    let name = RoomName::new("LOBBY").unwrap();
    assert_eq!(Room::open(&name).id(), lobby.id());
    assert_eq!(Room::closed(&name, "correct horse").unwrap().id(), closed.id());
    let [composed, decomposed] =
        ["caf\u{e9}", "cafe\u{301}"].map(|passphrase| Room::closed(&name, passphrase).unwrap());
    assert_eq!(composed.id(), decomposed.id());
    assert_ne!(composed.id(), closed.id());
}

/// An announce has at least the minimum length, and at most one byte of padding more than
/// necessary.
#[test]
fn announce_is_padded_to_minimum_length() {
    for len in 0..=256 {
        for agreed in 0..=8 {
            let agreed = vec![OWN; agreed];
            let announce = Announce::new(Nonce([9; 8]), "n".repeat(len), agreed);
            let is_padded = !announce.padding.is_empty();
            let len = Control::Announce(announce).datagram_len();
            assert!(len >= MIN_ANNOUNCE);
            assert!(len <= MIN_ANNOUNCE + 1 || !is_padded);
        }
    }
}

proptest! {
    #[test]
    fn any_entry_round_trips(fields in entry_fields(), at in 0..2_usize) {
        let room = &ROOMS[at];
        let entry = somebody(2).sign_entry(room, fields);
        let (_, opened, size) = open_entry(&sealer(3, room).entry(&entry).unwrap(), room);
        prop_assert_eq!(&*opened, &entry);
        prop_assert_eq!(size, entry.datagram_len());
    }

    #[test]
    fn any_heartbeat_round_trips(heartbeat in heartbeat(), at in 0..2_usize) {
        let room = &ROOMS[at];
        let datagram = sealer(3, room).control(&heartbeat).unwrap();
        let (.., opened, size) = open_control(&datagram, room);
        prop_assert_eq!(&opened, &heartbeat);
        prop_assert_eq!(size, heartbeat.datagram_len());
    }

    /// Random bytes are dropped on their own and after a valid header.
    #[test]
    fn random_bytes_are_dropped(
        bytes in vec(any::<u8>(), 0..1_300), kind in 0..16_u8, at in 0..2_usize,
    ) {
        let room = &ROOMS[at];
        prop_assert!(open_new(&bytes, room).is_err());
        let header = Header::new(room, PeerId([2; 8]), 1);
        let body = [&[kind], bytes.as_slice()].concat();
        let datagram = room.seal(&header, &body).unwrap();
        prop_assert!(open_new(&datagram, room).is_err());
    }

    /// A control packet with truncated fields is malformed, even with a valid signature.
    #[test]
    fn truncated_packets_are_dropped(which in 0..12_usize, cut in 1..41_usize) {
        let room = &ROOMS[0];
        let controls = longest_controls();
        let (author, header) = (somebody(2), Header::new(room, somebody(2).signer().id, 1));
        let mut body = controls[which].encode_unsigned(&author.signer());
        let cut = cut.min(body.len() + 64 - MIN_BODY_LEN);
        body.truncate(body.len() - cut);
        let signature = author.sign(&identity::packet_signing_input(room, &header, &body));
        body.extend_from_slice(&signature);
        let opened = open_new(&room.seal(&header, &body).unwrap(), room);
        prop_assert_eq!(opened.unwrap_err(), DropReason::Malformed);
    }
}
