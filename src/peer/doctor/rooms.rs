//! Other rooms on the same port: heard, not believed.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::PeerId;
use crate::wire::udp::{Room, UnverifiedHeader};

/// Peers that are counted.
const MAX_PEERS: usize = 1_000;

/// Peers of other rooms, by the rooms' tags.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// In open ones.
    pub(super) open: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
    /// In closed ones.
    pub(super) closed: BTreeMap<[u8; 5], BTreeSet<PeerId>>,
}

impl Rooms {
    /// A datagram has come that is not of this room.
    pub(super) fn note(&mut self, datagram: &[u8], room: &Room) {
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
