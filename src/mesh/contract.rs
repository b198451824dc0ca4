//! What goes into the mesh and what comes out of it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::{Event, Moment, Path, PathSet, Request, RoomName, Timestamp, Username};
use crate::wire::udp::{Control, Entry, EntryFields, Packet, Signer};

/// How a peer begins. Does not change afterwards.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the person would like to be called.
    pub username: Username,
    /// The room.
    pub room: RoomName,
    /// It has a passphrase. (Only to be told; sealing is not the mesh's.)
    pub is_closed: bool,
    /// Ask the person about each newcomer.
    pub ask: bool,
    /// For cookies and random delays: fresh from the system's random source.
    pub secret: [u8; 32],
}

/// Signs this peer's entries. A trait so that a simulation need not pay for
/// signatures.
pub trait Sign {
    /// Whose signature it is.
    fn signer(&self) -> Signer;

    /// Makes an entry of its fields.
    fn sign(&self, fields: EntryFields) -> Entry;
}

/// What the clocks show when something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub moment: Moment,
    /// For people.
    pub time: Timestamp,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// A datagram has arrived, was opened, and its signature is right.
    Received {
        /// Where from.
        from: SocketAddr,
        /// By which way; `None`: it was for this peer alone.
        path: Option<Path>,
        /// The datagram's length in bytes, before it was sealed.
        size: usize,
        /// What it holds.
        packet: Packet,
    },
    /// The named hosts, as they were looked up last; replaces those before.
    Hosts(Vec<SocketAddr>),
    /// Somebody wants something done.
    Request(Request),
    /// The time of the last [`Output::WakeAt`] has come. Harmless when it
    /// has not.
    Wake,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Output {
    /// Send one datagram: sign and seal it with the next counter, and send
    /// the same bytes to all of these.
    Send {
        /// By these ways.
        paths: PathSet,
        /// And to these addresses.
        addresses: Vec<SocketAddr>,
        /// What it holds.
        packet: Outgoing,
    },
    /// Show this.
    Event(Event),
    /// Send [`Input::Wake`] at this time; replaces the one before.
    WakeAt(Moment),
    /// It is over. Nothing comes after it, and inputs are ignored.
    Finished(End),
}

/// What a datagram is to hold.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// To be signed by this peer.
    Control(Control),
    /// Signed already.
    Entry(Arc<Entry>),
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked for.
    Left {
        /// So many messages were never sent.
        unsent: usize,
        /// So many requests were refused.
        refused: usize,
    },
    /// Somebody objected.
    Rejected {
        /// Who, by name.
        by: String,
        /// From the registry, assigned or not.
        code: u16,
        /// For people, in the objector's words.
        reason: String,
    },
}

/// How many datagrams changed nothing, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Its counter was seen before.
    pub replayed: u64,
    /// Its sender is not verified.
    pub unverified: u64,
    /// More than its sender may send.
    pub too_many: u64,
    /// Not expected now.
    pub unexpected: u64,
    /// An entry that is here already.
    pub known: u64,
    /// An entry that may not be taken: its author is not known, or its
    /// counter jumps.
    pub refused: u64,
}
