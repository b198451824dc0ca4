//! Contract of the mesh with its driver: inputs, outputs and settings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Event, Moment, Path, PathSet, Request, RoomName, Timestamp, Username};
use crate::wire::udp::{Control, Entry, EntryFields, Packet, Signer};

/// Settings of a peer, such as its name and room; fixed for its lifetime.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Username that the user asked for.
    pub username: Username,
    /// Room to join.
    pub room: RoomName,
    /// True if the room has a passphrase. Only reported to the user; the mesh does not seal
    /// datagrams.
    pub is_closed: bool,
    /// True to ask the user for approval of each newcomer.
    pub ask: bool,
    /// Secret for cookies and for the seed of random delays: fresh bytes from the system's random
    /// source.
    pub secret: [u8; 32],
}

/// Signer of this peer's entries. A trait, so that simulations can do without real signatures.
pub trait Sign {
    /// Returns the identity that signs: public key, incarnation and id.
    fn signer(&self) -> Signer;

    /// Signs an entry with these fields.
    fn sign(&self, fields: EntryFields) -> Entry;
}

/// Readings of the machine's clocks at an input.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic time, for timers.
    pub moment: Moment,
    /// Wall-clock time, for timestamps that users see.
    pub time: Timestamp,
}

/// Event that the driver passes to the mesh.
#[derive(Debug)]
pub enum Input {
    /// Datagram that was received and unsealed, and whose signature was checked.
    Received {
        /// Source address.
        from: SocketAddr,
        /// Path by which it came; `None` for unicast to this peer.
        path: Option<Path>,
        /// Length of the unsealed datagram in bytes.
        size: usize,
        /// Decoded packet.
        packet: Packet,
    },
    /// Resolved addresses of the hosts that the user has named; replaces the previous list.
    Hosts(Vec<SocketAddr>),
    /// Addresses of this machine; replaces the previous list.
    OwnAddresses(Vec<IpAddr>),
    /// Request of the user.
    Request(Request),
    /// Wake-up: the time of the last [`Output::WakeAt`] has come. Harmless if it comes early.
    Wake,
}

/// Action that the driver has to carry out.
#[derive(Debug)]
pub enum Output {
    /// Send one datagram: sign and seal it with the next counter, and send the same bytes to all
    /// destinations.
    Send {
        /// Paths to send it by.
        paths: PathSet,
        /// Unicast addresses to send it to as well.
        addresses: Vec<SocketAddr>,
        /// Packet to put into the datagram.
        packet: Outgoing,
    },
    /// Show this event to the user.
    Event(Event),
    /// Pass [`Input::Wake`] at this time; replaces the previous wake-up.
    WakeAt(Moment),
    /// The mesh has ended. It is the last output; further inputs are ignored.
    Finished(End),
}

/// Packet to be sent in a datagram.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Control packet, which the driver signs for this peer.
    Control(Control),
    /// Entry that its author has already signed.
    Entry(Arc<Entry>),
}

/// Reason why the mesh has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// This peer has left because the user asked for it.
    Left {
        /// Number of own messages that were not sent, or that some member may lack.
        unsent: usize,
        /// Number of the user's requests that were refused.
        refused: usize,
    },
    /// This candidate was rejected: a peer has objected, or a rival candidate wins the name.
    Rejected {
        /// Username of the objecting peer or of the rival.
        by: String,
        /// Error code of the objection; may be one that the registry does not list.
        code: u16,
        /// Human-readable reason, as the objecting peer worded it.
        reason: String,
    },
}

/// Counters of packets that were dropped, by reason. Some have a limited effect nevertheless, for
/// example a copy by another path, or an unverified heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Control packets whose counter was seen before or is below the anti-replay window.
    pub replayed: u64,
    /// Packets of senders that are not verified or for which there is no place; also entries from
    /// an address from which their sender has sent no control packet.
    pub unverified: u64,
    /// Control packets beyond the rate limit of their sender, and unrequested entries beyond that
    /// of their author.
    pub too_many: u64,
    /// Packets that are not expected in the current state, or do not fit to a request of this peer.
    pub unexpected: u64,
    /// Entries that are here already (duplicates), or whose sequence is not awaited any more.
    pub known: u64,
    /// Entries that were not accepted: unrequested and the author is not a member, author without a
    /// log, Lamport counter that jumps too far, or too many entries out of order.
    pub refused: u64,
}
