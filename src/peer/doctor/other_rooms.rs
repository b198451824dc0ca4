//! Other rooms on the same port, according to unverified datagram headers.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::PeerId;
use crate::wire::udp::{Room, UnverifiedHeader};

/// Maximum number of peers counted in all other rooms together. Further peers are ignored.
const MAX_PEERS: usize = 1_000;

/// Peers of other rooms. A room is identified by the kind and tag in the header.
#[derive(Debug, Default)]
pub(super) struct OtherRooms {
    /// Ids of the peers in each open room.
    pub(super) open: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// Ids of the peers in each closed room.
    pub(super) closed: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
}

impl OtherRooms {
    /// Records the claimed sender of a datagram, if the header names another room than `room`.
    pub(super) fn record(&mut self, datagram: &[u8], room: &Room) {
        let Some(header) = UnverifiedHeader::of(datagram).filter(|it| !it.is_of(room)) else {
            return;
        };
        let known = [&self.open, &self.closed].into_iter().flat_map(BTreeMap::values);
        if known.map(BTreeSet::len).sum::<usize>() >= MAX_PEERS {
            return;
        }
        let rooms = if header.is_closed() { &mut self.closed } else { &mut self.open };
        rooms.entry(header.kind_and_tag).or_default().insert(header.sender);
    }
}
