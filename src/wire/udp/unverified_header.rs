//! What can be seen of a datagram from outside, without believing it.

use super::header::MAGIC;
use super::{Room, VERSION};
use crate::model::PeerId;

/// What a datagram of any room claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedHeader {
    /// Kind and tag of its room.
    pub room: [u8; 5],
    /// Who sends it.
    pub sender: PeerId,
}

impl UnverifiedHeader {
    /// Looks at a datagram; `None` if it is not of this version of pi-chat.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        let (&magic, rest) = datagram.split_first_chunk()?;
        let (&[version], rest) = rest.split_first_chunk()?;
        let (&room, rest) = rest.split_first_chunk()?;
        let (&sender, _) = rest.split_first_chunk()?;
        (magic == MAGIC && version == VERSION).then_some(Self { room, sender: PeerId(sender) })
    }

    /// Whether it is of this room, as far as can be seen.
    #[must_use]
    pub fn is_of(&self, room: &Room) -> bool {
        let [kind, tag @ ..] = self.room;
        kind == room.kind() && tag == room.tag()
    }

    /// Whether its room is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        let [kind, ..] = self.room;
        kind != 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::RoomName;
    use crate::wire::udp::{Bye, Control, Identity, Sealer};

    /// Room and sender of a datagram are seen, and nothing in what is none.
    #[test]
    fn room_and_sender() {
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
