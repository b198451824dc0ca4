//! Other rooms on the same port: heard, not believed.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::PeerId;
use crate::wire::udp::{Room, UnverifiedHeader};

/// FoundPeers that are counted.
const MAX_PEERS: usize = 1_000;

/// FoundPeers of other rooms, by the rooms' tags.
#[derive(Debug, Default)]
pub(super) struct OtherRooms {
    /// In open ones.
    pub(super) open: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// In closed ones.
    pub(super) closed: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
}

impl OtherRooms {
    /// A datagram has come that is not of this room.
    pub(super) fn record(&mut self, datagram: &[u8], room: &Room) {
        let Some(glimpse) = UnverifiedHeader::of(datagram).filter(|it| !it.is_of(room)) else {
            return;
        };
        let known = [&self.open, &self.closed].into_iter().flat_map(BTreeMap::values);
        if known.map(BTreeSet::len).sum::<usize>() >= MAX_PEERS {
            return;
        }
        let rooms = if glimpse.is_closed() { &mut self.closed } else { &mut self.open };
        rooms.entry(glimpse.room).or_default().insert(glimpse.sender);
    }
}
