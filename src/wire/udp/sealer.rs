//! Sealing of outgoing datagrams: counters, signatures and encryption.

use std::sync::Arc;

use super::body::{ENTRY_KIND, SIGNATURE_LEN};
use super::identity::{entry_signing_input, packet_signing_input};
use super::{Control, Entry, Header, Identity, Room};
use crate::model::limits::COUNTER_END;

/// Builder of complete datagrams, each with the next counter. There must be only one sealer for an
/// identity: a counter that is used twice breaks the encryption of a closed room.
#[derive(Debug)]
pub struct Sealer {
    /// Identity that sends and signs.
    identity: Arc<Identity>,
    /// Room of the datagrams.
    room: Arc<Room>,
    /// Counter of the last datagram built; 0 before the first one.
    last_counter: u64,
}

impl Sealer {
    /// Creates the sealer of an identity that has sent nothing. The first counter is 1.
    #[must_use]
    pub const fn new(identity: Arc<Identity>, room: Arc<Room>) -> Self {
        Self::after(0, identity, room)
    }

    /// Creates a sealer whose next counter is `last_counter` + 1. Test vectors use it to reproduce
    /// a particular datagram.
    #[must_use]
    pub const fn after(last_counter: u64, identity: Arc<Identity>, room: Arc<Room>) -> Self {
        Self { identity, room, last_counter }
    }

    /// Builds and signs the datagram of a control packet. In a closed room, encrypts the body.
    /// `None` if all 2⁴⁸−1 counters are used up; then this peer must stop.
    pub fn control(&mut self, control: &Control) -> Option<Vec<u8>> {
        self.padded_control(control, 0)
    }

    /// Builds a datagram as [`Self::control`] does, with at least `len` bytes before encryption.
    /// Pads the body with zeros after the last field. Receivers ignore the zeros. The caller keeps
    /// the datagram within [`MAX_DATAGRAM`](crate::model::limits::MAX_DATAGRAM). `None` as for
    /// [`Self::control`].
    pub fn padded_control(&mut self, control: &Control, len: usize) -> Option<Vec<u8>> {
        let header = self.next_header()?;
        let mut body = control.encode_unsigned(&self.identity.signer());
        let padded = len.saturating_sub(Header::LEN + SIGNATURE_LEN);
        body.resize(body.len().max(padded), 0);
        let signature = self.identity.sign(&packet_signing_input(&self.room, &header, &body));
        body.extend_from_slice(&signature);
        self.room.seal(&header, &body)
    }

    /// Builds and signs a datagram of an arbitrary body, given without its signature. In a closed
    /// room, encrypts it. Signs a body of kind `entry` as its author does. For tests of receivers:
    /// nothing checks that the body can be decoded, or names this identity. `None` as for
    /// [`Self::control`].
    pub fn unchecked_body(&mut self, unsigned: &[u8]) -> Option<Vec<u8>> {
        let header = self.next_header()?;
        let is_entry = unsigned.first().copied().map(u16::from) == Some(ENTRY_KIND);
        let signature = self.identity.sign(&if is_entry {
            entry_signing_input(&self.room, unsigned)
        } else {
            packet_signing_input(&self.room, &header, unsigned)
        });
        self.room.seal(&header, &[unsigned, &signature].concat())
    }

    /// Builds the datagram of an entry, whose author may be another peer. Keeps the signature. In a
    /// closed room, encrypts the body. `None` if all counters are used up, as for
    /// [`Self::control`].
    pub fn entry(&mut self, entry: &Entry) -> Option<Vec<u8>> {
        let header = self.next_header()?;
        self.room.seal(&header, &entry.body)
    }

    /// Builds the header of the next datagram with the next counter; `None` if the counters are
    /// used up.
    fn next_header(&mut self) -> Option<Header> {
        let next = self.last_counter + 1;
        if next >= COUNTER_END {
            return None;
        }
        self.last_counter = next;
        Some(Header::new(&self.room, self.identity.signer().id, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PeerId, RoomName};
    use crate::wire::udp::{Bye, Packet};

    /// A padded packet has the stated length, and means the same.
    #[test]
    fn padding_is_ignored_by_receivers() {
        let room = Arc::new(Room::open(&RoomName::lobby()));
        let identity = Arc::new(Identity::new([1; 32], [1; 8]));
        let mut sealer = Sealer::new(identity, room.clone());
        let datagram = sealer.padded_control(&Control::Bye(Bye {}), 1_200).unwrap();
        assert_eq!(datagram.len(), 1_200);
        let (packet, size) =
            crate::wire::udp::open(&datagram, &room, PeerId([0; 8]), |_| false).unwrap();
        assert_eq!(size, 1_200);
        let is_bye = |it: &Packet| matches!(it, Packet::Control { control: Control::Bye(_), .. });
        assert!(is_bye(&packet));
    }

    #[test]
    fn sealer_stops_when_counters_are_used_up() {
        let room = Arc::new(Room::open(&RoomName::lobby()));
        let identity = Arc::new(Identity::new([1; 32], [1; 8]));
        let mut sealer = Sealer::after(COUNTER_END - 2, identity, room);
        let last = sealer.control(&Control::Bye(Bye {})).unwrap();
        assert_eq!(last[17..23], [0xff; 6]);
        assert_eq!(sealer.control(&Control::Bye(Bye {})), None);
        assert_eq!(sealer.control(&Control::Bye(Bye {})), None);
    }
}
