//! What every datagram begins with: `docs/protocol/udp.md`, section 3.

use serde::{Deserialize, Serialize};

use super::{Room, VERSION};
use crate::model::PeerId;
use crate::wire::codec;

/// What every datagram of pi-chat begins with.
pub(super) const MAGIC: [u8; 3] = *b"PiC";

/// The 23 bytes in front of a body. All are of fixed length, so they are
/// read and written as a message's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`MAGIC`], or it is not ours.
    pub(super) magic: [u8; 3],
    /// [`VERSION`], or it is another one's.
    pub(super) version: u8,
    /// Kind of room: 0 open, 1 closed.
    room: u8,
    /// Beginning of the room's id.
    tag: [u8; 4],
    /// Who sends it, or claims to.
    pub(super) sender: PeerId,
    /// Big-endian.
    counter: [u8; 6],
}

impl Header {
    /// How many bytes it has.
    pub(super) const LEN: usize = 23;

    /// The header of a datagram in `room`; of `counter` the lower 48 bits.
    pub(super) fn new(room: &Room, sender: PeerId, counter: u64) -> Self {
        let [_, _, counter @ ..] = counter.to_be_bytes();
        let (kind, tag) = (room.kind(), room.tag());
        Self { magic: MAGIC, version: VERSION, room: kind, tag, sender, counter }
    }

    /// Whether it is a datagram of `room`, as far as can be seen from outside.
    pub(super) fn is_of(&self, room: &Room) -> bool {
        self.room == room.kind() && self.tag == room.tag()
    }

    /// The counter's value.
    pub(super) const fn counter(&self) -> u64 {
        let [a, b, c, d, e, f] = self.counter;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The counter as a nonce for sealing.
    pub(super) const fn nonce(&self) -> [u8; 12] {
        let [a, b, c, d, e, f] = self.counter;
        [0, 0, 0, 0, 0, 0, a, b, c, d, e, f]
    }

    /// As it stands in the datagram.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode_into(&self, &mut bytes);
        bytes
    }
}
