//! What a peer cannot do without: checking a signature, in this process.

use std::sync::Arc;
use std::time::Duration;

use pi_chat::model::{Lamport, PeerId, RoomName, Timestamp};
use pi_chat::wire::udp::{EntryFields, Identity, Room, Sealer, open};

use crate::messages::text;
use crate::process::cpu_time;

/// Number of datagrams that are opened in a row.
const COUNT: u32 = 2_000;

/// Number of times that this is done. The least counts.
const ROUNDS: usize = 5;

/// Returns the CPU time that it takes to open a datagram with a message: to decrypt it in a closed room,
/// to decode it, and to check the author's signature.
pub(crate) fn time_to_open(is_closed: bool) -> Duration {
    let name = RoomName::lobby();
    let room = if is_closed {
        Room::closed(&name, "correct horse battery staple").unwrap()
    } else {
        Room::open(&name)
    };
    let (identity, room) = (Arc::new(Identity::new([1; 32], [2; 8])), Arc::new(room));
    let fields = EntryFields {
        sequence: 1,
        lamport: Lamport(1),
        time: Timestamp(1_760_000_000_123),
        username: "p0".to_owned(),
        style: 0,
        text: text(0, 1),
    };
    let entry = identity.sign_entry(&room, fields);
    let datagram = Sealer::new(identity, room.clone()).entry(&entry).unwrap();
    let this = std::process::id();
    let round = || {
        let before = cpu_time(this);
        for _ in 0..COUNT {
            assert!(open(&datagram, &room, PeerId([9; 8]), |_| false).is_ok());
        }
        cpu_time(this).saturating_sub(before) / COUNT
    };
    (0..ROUNDS).map(|_| round()).min().unwrap()
}
