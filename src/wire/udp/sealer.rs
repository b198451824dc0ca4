//! Makes the datagrams that this peer sends.

use std::sync::Arc;

use super::identity::packet_signing_input;
use super::{Control, Entry, Header, Identity, Room};
use crate::model::limits::COUNTER_END;

/// Makes whole datagrams, each with the next counter. There must be only one
/// for an identity: a counter that is used twice breaks the seal of a closed
/// room.
#[derive(Debug)]
pub struct Sealer {
    /// Who signs.
    identity: Arc<Identity>,
    /// Where.
    room: Arc<Room>,
    /// The counter that was used last.
    counter: u64,
}

impl Sealer {
    /// The sealer of somebody who has sent nothing yet.
    #[must_use]
    pub const fn new(identity: Arc<Identity>, room: Arc<Room>) -> Self {
        Self::after(0, identity, room)
    }

    /// The sealer that has used `counter` last: to make a certain datagram
    /// again, as the vectors want it.
    #[must_use]
    pub const fn after(counter: u64, identity: Arc<Identity>, room: Arc<Room>) -> Self {
        Self { identity, room, counter }
    }

    /// The datagram of a control packet. `None` when the counter is used up,
    /// after 2⁴⁸−1 datagrams: then this peer has to stop.
    pub fn control(&mut self, control: &Control) -> Option<Vec<u8>> {
        let header = self.next_header()?;
        let mut body = control.unsigned(&self.identity.signer());
        let signature = self.identity.sign(&packet_signing_input(&self.room, &header, &body));
        body.extend_from_slice(&signature);
        self.room.seal(&header, &body)
    }

    /// The datagram of an entry, one's own or somebody else's. `None` as of
    /// [`Self::control`].
    pub fn entry(&mut self, entry: &Entry) -> Option<Vec<u8>> {
        let header = self.next_header()?;
        self.room.seal(&header, &entry.body)
    }

    /// The header of the next datagram; `None` when there is none any more.
    fn next_header(&mut self) -> Option<Header> {
        let next = self.counter + 1;
        if next >= COUNTER_END {
            return None;
        }
        self.counter = next;
        Some(Header::new(&self.room, self.identity.signer().id, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoomName;
    use crate::wire::udp::Bye;

    /// The last counter is used, and no other after it.
    #[test]
    fn the_counter_ends() {
        let room = Arc::new(Room::open(&RoomName::lobby()));
        let identity = Arc::new(Identity::new([1; 32], [1; 8]));
        let mut sealer = Sealer::after(COUNTER_END - 2, identity, room);
        let last = sealer.control(&Control::Bye(Bye {})).unwrap();
        assert_eq!(last[17..23], [0xff; 6]);
        assert_eq!(sealer.control(&Control::Bye(Bye {})), None);
        assert_eq!(sealer.control(&Control::Bye(Bye {})), None);
    }
}
