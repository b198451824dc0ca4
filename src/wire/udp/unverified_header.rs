//! Header fields of a datagram of any room, read without verification.

use super::header::MAGIC;
use super::{Room, VERSION};
use crate::model::PeerId;

/// Room and sender that the header of a datagram claims. Neither is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedHeader {
    /// Kind of the room (1 byte), then room tag (4 bytes).
    pub kind_and_tag: [u8; 5],
    /// Claimed peer id of the sender.
    pub sender: PeerId,
}

impl UnverifiedHeader {
    /// Parses the header of a datagram without verification. `None` if the datagram ends before the
    /// sender, or if magic number or protocol version differ.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        let (&magic, rest) = datagram.split_first_chunk()?;
        let (&[version], rest) = rest.split_first_chunk()?;
        let (&kind_and_tag, rest) = rest.split_first_chunk()?;
        let (&sender, _) = rest.split_first_chunk()?;
        (magic == MAGIC && version == VERSION)
            .then_some(Self { kind_and_tag, sender: PeerId(sender) })
    }

    /// Returns true if room kind and room tag are those of `room`.
    #[must_use]
    pub fn is_of(&self, room: &Room) -> bool {
        let [kind, tag @ ..] = self.kind_and_tag;
        kind == room.kind() && tag == room.tag()
    }

    /// Returns true if the room kind in the header is not that of an open room.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        let [kind, ..] = self.kind_and_tag;
        kind != 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::RoomName;
    use crate::wire::udp::{Bye, Control, Identity, Sealer};

    #[test]
    fn header_of_datagram_is_read_unverified() {
        let (here, elsewhere) =
            (Room::open(&RoomName::lobby()), Room::open(&RoomName::new("garden").unwrap()));
        let identity = Arc::new(Identity::new([1; 32], [2; 8]));
        let mut sealer = Sealer::new(identity.clone(), Arc::new(here.clone()));
        let datagram = sealer.control(&Control::Bye(Bye {})).unwrap();
        let header = UnverifiedHeader::of(&datagram).unwrap();
        assert_eq!(header.sender, identity.signer().id);
        assert!(header.is_of(&here) && !header.is_of(&elsewhere) && !header.is_closed());
        assert_eq!(UnverifiedHeader::of(&datagram[..16]), None);
        assert_eq!(UnverifiedHeader::of(b"PiTxxxxxxxxxxxxxxxxxxxxxxx"), None);
    }
}
