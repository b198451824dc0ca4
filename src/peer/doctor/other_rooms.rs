//! Other rooms on the same port, according to unverified datagram headers.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{PeerId, RoomName};
use crate::text;
use crate::ui::safe_line;
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
    /// Display names of the rooms that can be recognized, by kind and tag.
    pub(super) known_names: BTreeMap<[u8; 5], String>,
}

impl OtherRooms {
    /// Creates an empty record for a search for `room`, which has the name `name`. Recognizes the
    /// open rooms of this name and of the default name, except `room` itself.
    pub(super) fn new(name: &RoomName, room: &Room) -> Self {
        let lobby = RoomName::lobby();
        let mut known_names = BTreeMap::new();
        for (known, is_own) in [(&lobby, false), (name, true)] {
            let open = Room::open(known);
            if !is_same(&open, room) {
                let [a, b, c, d] = open.tag();
                let name = safe_line(known.as_str());
                let text = match is_own {
                    true => text!("doctor-room-without-passphrase", room = name),
                    false => format!("#{name}"),
                };
                known_names.insert([open.kind(), a, b, c, d], text);
            }
        }
        Self { known_names, ..Self::default() }
    }

    /// Returns true if no peer of another room was heard.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    /// Records the claimed sender of a datagram, if the header names another room than `room` and
    /// fewer than [`MAX_PEERS`] peers are recorded.
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

/// Returns true if both rooms have the same kind and tag.
fn is_same(one: &Room, other: &Room) -> bool {
    (one.kind(), one.tag()) == (other.kind(), other.tag())
}
