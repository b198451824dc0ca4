//! Contract of the mesh with its driver: inputs, outputs and settings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Event, Moment, Path, PathSet, Request, RoomName, Timestamp, Username};
use crate::wire::udp::{Control, Entry, EntryFields, Packet, Signer};

/// Settings of a peer, such as its name and room. They are fixed for the lifetime of the mesh.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Username that the user asked for.
    pub username: Username,
    /// Room to join.
    pub room: RoomName,
    /// True if the room has a passphrase. The mesh only reports this to the user; the driver seals
    /// the datagrams.
    pub is_closed: bool,
    /// True to ask the user for approval of each newcomer. Without an answer within 10 s, the
    /// newcomer is let in.
    pub ask: bool,
    /// Secret for cookies and for the seed of random delays. It must be fresh bytes from the
    /// system's random source.
    pub secret: [u8; 32],
}

/// Signs this peer's entries. It is a trait so that simulations need no real signatures.
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
    /// Received datagram, unsealed and decoded, with a valid signature.
    Received {
        /// Source address.
        from: SocketAddr,
        /// Path by which the datagram came; `None` if it came by unicast or its path is unknown.
        path: Option<Path>,
        /// Length of the datagram in bytes, before sealing.
        size: usize,
        /// Decoded packet.
        packet: Packet,
    },
    /// Resolved addresses of the hosts that the user has named; replaces the previous list. A
    /// member introduces itself at once to hosts that were not in the list. A candidate's next
    /// announce to everybody goes to them.
    Hosts(Vec<SocketAddr>),
    /// Addresses of this machine, for decisions about name conflicts; replaces the previous list.
    OwnAddresses(Vec<IpAddr>),
    /// Request of the user.
    Request(Request),
    /// Wake-up: the time of the last [`Output::WakeAt`] has come. An early wake-up does no harm.
    Wake,
}

/// Action that the driver has to carry out.
#[derive(Debug)]
pub enum Output {
    /// Send one datagram to several destinations. Sign a control packet with the next counter (from
    /// 1 on), seal the datagram, and send the same bytes to all destinations.
    Send {
        /// Paths to send the datagram by.
        paths: PathSet,
        /// Unicast addresses to send the datagram to as well.
        addresses: Vec<SocketAddr>,
        /// Packet to put into the datagram.
        packet: Outgoing,
    },
    /// Show this event to the user.
    Event(Event),
    /// Pass [`Input::Wake`] at this time; replaces the previous wake-up.
    WakeAt(Moment),
    /// The mesh has ended. This is the last output, and further inputs are ignored. If this peer
    /// was a member, it has sent `bye` twice before, and no packet after that.
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
    /// This candidate was rejected: an objection counted.
    Rejected {
        /// Username of the objecting peer. If that name is doubtful, "somebody unknown".
        by: String,
        /// Error code of the objection. The registry may not list it.
        code: u16,
        /// Human-readable reason, as the objecting peer worded it. For a rival, the code's default
        /// text.
        reason: String,
    },
}

/// Counters of dropped packets, by reason. A few dropped packets still have a limited effect, for
/// example a copy by another path, or an unverified heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Control packets whose counter was seen before or is below the anti-replay window.
    pub replayed: u64,
    /// Packets of senders that are not verified or for which there is no place. Also entries from
    /// an address from which no control packet of their sender has come.
    pub unverified: u64,
    /// Control packets beyond their sender's rate limit, unrequested entries beyond their author's
    /// rate limit, and objections to this candidate beyond their maximum number.
    pub too_many: u64,
    /// Packets that are not expected in the current state, packets that answer no request of this
    /// peer, and announces that are too short.
    pub unexpected: u64,
    /// Entries that are here already (duplicates), or whose sequence is no longer awaited.
    pub known: u64,
    /// Refused entries: unrequested and the author is no member, the author has no log, the Lamport
    /// counter jumps too far, or too many entries are out of order.
    pub refused: u64,
}
