//! From values to datagrams and back. The vectors (`tests/vectors`) have the
//! bytes; here is what holds for all of them.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::body::MIN_BODY;
use super::*;
use crate::model::limits::{COUNTER_END, MAX_DATAGRAM, MIN_ANNOUNCE};
use crate::model::{Heard, Lamport, RoomClock, RoomName, Timestamp};

/// An open room and a closed one; the closed one is dear to make.
static ROOMS: LazyLock<[Arc<Room>; 2]> = LazyLock::new(|| {
    let name = RoomName::lobby();
    [Room::open(&name), Room::closed(&name, "correct horse").unwrap()].map(Arc::new)
});

/// Whoever receives.
const OWN: PeerId = PeerId([1; 8]);

/// Somebody with a number.
fn somebody(number: u8) -> Arc<Identity> {
    Arc::new(Identity::new([number; 32], [number; 8]))
}

/// The datagrams of somebody in a room.
fn sealer(number: u8, room: &Arc<Room>) -> Sealer {
    Sealer::new(somebody(number), Arc::clone(room))
}

/// An entry's fields with everything as long as it may be.
fn longest_entry() -> EntryFields {
    EntryFields {
        sequence: u32::MAX,
        lamport: Lamport(COUNTER_END - 1),
        time: Timestamp(COUNTER_END - 1),
        username: "ä".repeat(32),
        style: 255,
        text: "€".repeat(333) + "\n",
    }
}

/// One of each kind, as long as it may be.
fn longest_controls() -> Vec<Control> {
    let (clock, since, heard) = (RoomClock(u64::MAX), RoomClock(u64::MAX), Heard(255));
    let (nonce, cookie, author) = (Nonce([9; 8]), Cookie([9; 8]), PeerId([255; 8]));
    let (username, time, members) = ("ä".repeat(32), Timestamp(u64::MAX), u32::MAX);
    let lamport = Lamport(COUNTER_END - 1);
    let have = u32::MAX;
    let wanted = Range { author, first: u32::MAX - 1, last: u32::MAX };
    let lost = Range { author, first: 0, last: u32::MAX };
    let address = PeerAddress { peer: author, address: [255; 16], port: u16::MAX };
    vec![
        Control::Announce(Announce {
            nonce,
            lowest: 0,
            highest: 255,
            username: "n".repeat(256),
            agreed: vec![author; 8],
            padding: "p".repeat(400),
        }),
        Control::Agree(Agree {
            nonce,
            cookie,
            flags: 255,
            heard,
            clock,
            since,
            username: username.clone(),
            members,
            lamport,
            time,
        }),
        Control::Object(Object {
            nonce,
            code: u16::MAX,
            by: username.clone(),
            holder: author,
            clock,
            since,
            text: "t".repeat(120),
        }),
        Control::Heartbeat(Heartbeat {
            clock,
            since,
            username,
            time,
            members,
            sequence: u32::MAX,
            page: vec![PageItem { author, have, ago: 255 }; 60],
        }),
        Control::Ping(Ping { cookie, heard }),
        Control::Pong(Pong { cookie, heard }),
        Control::Want(Want { ranges: vec![wanted; 32] }),
        Control::Lost(Lost { ranges: vec![lost; 32] }),
        Control::Recall(Recall { nonce, page: u16::MAX }),
        Control::Recent(Recent {
            nonce,
            page: 0,
            pages: u16::MAX,
            entries: vec![EntryName { author, sequence: u32::MAX }; 10],
            marks: vec![Mark { author, have }; 60],
        }),
        Control::Where(Where { peers: vec![author; 16] }),
        Control::Peers(Peers { peers: vec![address; 16] }),
        Control::Bye(Bye {}),
    ]
}

/// Opens as somebody who knows nothing yet.
fn open_new(datagram: &[u8], room: &Room) -> Result<(Packet, usize), Dropped> {
    open(datagram, room, OWN, |_| false)
}

/// Opens what has to be a control packet.
fn open_control(datagram: &[u8], room: &Room) -> (Signer, u64, Control, usize) {
    match open_new(datagram, room) {
        Ok((Packet::Control { sender, counter, control }, size)) => (sender, counter, control, size),
        other => panic!("{other:?}"),
    }
}

/// Opens what has to be an entry.
fn open_entry(datagram: &[u8], room: &Room) -> (PeerId, Arc<Entry>, usize) {
    match open_new(datagram, room) {
        Ok((Packet::Entry { sender, entry }, size)) => (sender, entry, size),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_longest_control_packets_arrive_as_they_were() {
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
fn the_longest_entry_in_a_closed_room_has_1231_bytes() {
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

/// Three hands, one signature, the same bytes: also where a later version has
/// added a field that is not known here.
#[test]
fn an_entry_is_sent_on_byte_by_byte() {
    for room in &*ROOMS {
        let author = somebody(2);
        let entry = author.sign_entry(room, longest_entry());
        let (unsigned, _) = entry.body.split_last_chunk::<64>().unwrap();
        let longer = [unsigned, b"from the future"].concat();
        let signature = author.sign(&identity::signed_entry(room, &longer));
        let body: Arc<[u8]> = [longer.as_slice(), &signature].concat().into();
        let shorter = EntryFields { text: "short".into(), ..longest_entry() };
        let cut = shorter.text.len();
        assert!(cut < 20, "leaves room for the new field");
        for sent in [entry.clone(), author.sign_entry(room, shorter)] {
            let (_, once, _) = open_entry(&sealer(3, room).entry(&sent).unwrap(), room);
            let (sender, twice, _) = open_entry(&sealer(4, room).entry(&once).unwrap(), room);
            assert_eq!(sender, somebody(4).signer().id);
            assert_eq!(twice.author, author.signer());
            assert_eq!(twice.body, sent.body);
        }
        drop(body);
    }
}
