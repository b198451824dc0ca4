//! Header of a datagram: `docs/protocol/udp.md`, section 3.

use serde::{Deserialize, Serialize};

use super::{Room, VERSION};
use crate::model::PeerId;
use crate::wire::codec;

/// Magic number: the first bytes of each datagram.
pub(super) const MAGIC: [u8; 3] = *b"PiC";

/// Header of a datagram: 23 bytes before the body, never encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Magic number: [`MAGIC`] in datagrams of this protocol.
    pub(super) magic: [u8; 3],
    /// Protocol version of the datagram.
    pub(super) version: u8,
    /// Kind of the room: 0 open, 1 closed.
    room_kind: u8,
    /// Room tag: the first 4 bytes of the room id.
    tag: [u8; 4],
    /// Claimed peer id of the sender.
    pub(super) sender: PeerId,
    /// Datagram counter of the sender, 48 bits, big-endian.
    counter: [u8; 6],
}

impl Header {
    /// Length of a header, in bytes.
    pub(super) const LEN: usize = 23;

    /// Builds the header of a datagram in `room`. Only the lower 48 bits of `counter` are used.
    pub(super) fn new(room: &Room, sender: PeerId, counter: u64) -> Self {
        let [_, _, counter @ ..] = counter.to_be_bytes();
        let (kind, tag) = (room.kind(), room.tag());
        Self { magic: MAGIC, version: VERSION, room_kind: kind, tag, sender, counter }
    }

    /// Returns true if room kind and room tag are those of `room`.
    pub(super) fn is_of(&self, room: &Room) -> bool {
        self.room_kind == room.kind() && self.tag == room.tag()
    }

    /// Returns the datagram counter as a number.
    pub(super) const fn counter(&self) -> u64 {
        let [a, b, c, d, e, f] = self.counter;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Returns the nonce of the body's encryption (AEAD): 6 zero bytes, then the datagram counter.
    pub(super) const fn nonce(&self) -> [u8; 12] {
        let [a, b, c, d, e, f] = self.counter;
        [0, 0, 0, 0, 0, 0, a, b, c, d, e, f]
    }

    /// Encodes the header to its 23 bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode_into(&self, &mut bytes);
        bytes
    }
}
