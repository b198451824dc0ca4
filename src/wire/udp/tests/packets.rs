//! Packets and strategies for the tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::model::limits::COUNTER_END;
use crate::model::{Lamport, PathSet, RoomClock, Timestamp};

/// Returns entry fields of maximum length.
pub(super) fn longest_entry() -> EntryFields {
    EntryFields {
        sequence: u32::MAX,
        lamport: Lamport(COUNTER_END - 1),
        time: Timestamp(COUNTER_END - 1),
        username: "ä".repeat(32),
        style: 255,
        text: "€".repeat(333) + "\n",
    }
}

/// Returns a control packet of each kind, of maximum length.
pub(super) fn longest_controls() -> Vec<Control> {
    let (clock, since, heard) = (RoomClock(u64::MAX), RoomClock(u64::MAX), PathSet(255));
    let (nonce, cookie, author) = (Nonce([9; 8]), Cookie([9; 8]), PeerId([255; 8]));
    let (username, time, members) = ("ä".repeat(32), Timestamp(u64::MAX), u32::MAX);
    let lamport = Lamport(COUNTER_END - 1);
    let have = u32::MAX;
    let wanted = EntryRange { author, first: u32::MAX - 1, last: u32::MAX };
    let lost = EntryRange { author, first: u32::MAX - 1, last: u32::MAX };
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
            username: username.clone(),
            holder: author,
            clock,
            since,
            text: "t".repeat(100),
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
            entries: vec![EntryId { author, sequence: u32::MAX }; 10],
            marks: vec![Mark { author, have }; 60],
        }),
        Control::Where(Where { peers: vec![author; 16] }),
        Control::Peers(Peers { peers: vec![address; 16] }),
        Control::Bye(Bye {}),
    ]
}

/// Generates entry fields within the limits.
pub(super) fn entry_fields() -> impl Strategy<Value = EntryFields> {
    let numbers = (1..=u32::MAX, 1..COUNTER_END, 0..COUNTER_END, any::<u8>());
    (numbers, "\\PC{1,16}", "[\\PC\n\t]{1,250}").prop_map(
        |((sequence, lamport, time, style), username, text)| EntryFields {
            sequence,
            lamport: Lamport(lamport),
            time: Timestamp(time),
            username,
            style,
            text,
        },
    )
}

/// Generates heartbeats within the limits.
pub(super) fn heartbeat() -> impl Strategy<Value = Control> {
    let item = any::<([u8; 8], u32, u8)>().prop_map(|(author, have, ago)| PageItem {
        author: PeerId(author),
        have,
        ago,
    });
    (any::<(u64, u64, u64, u32, u32)>(), "\\PC{0,16}", vec(item, 0..=60)).prop_map(
        |((clock, since, time, members, sequence), username, page)| {
            Control::Heartbeat(Heartbeat {
                clock: RoomClock(clock),
                since: RoomClock(since),
                username,
                time: Timestamp(time),
                members,
                sequence,
                page,
            })
        },
    )
}
