//! Datagrams of the UDP protocol, version 1: `docs/protocol/udp.md`.

mod body;
mod header;
mod identity;
mod open;
mod packet_limits;
mod packets;
mod room;
mod sealer;
#[cfg(test)]
mod tests;
mod unverified_header;

pub use identity::Identity;
pub use open::{DropReason, UnverifiedPacket, open};
pub use packets::*;
pub use room::{PassphraseError, Room};
pub use sealer::Sealer;
pub use unverified_header::UnverifiedHeader;

use header::Header;

use std::sync::Arc;

use crate::model::PeerId;

/// Protocol version of this crate.
pub const VERSION: u8 = 1;

/// Public identity of a peer: the key that verifies its signatures, and the [`PeerId`] derived from
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signer {
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Random number of this start of the program.
    pub incarnation: [u8; 8],
    /// Peer id, derived from key and incarnation.
    pub id: PeerId,
}

/// Entry of a peer's log, signed by its author. Shared, because it is stored, forwarded and
/// displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Public identity of the author.
    pub author: Signer,
    /// Decoded fields.
    pub fields: EntryFields,
    /// Encoded body from kind to signature, forwarded unchanged.
    pub body: Arc<[u8]>,
}

/// Control packet: every packet except `entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Kind 1.
    Announce(Announce),
    /// Kind 2.
    Agree(Agree),
    /// Kind 3.
    Object(Object),
    /// Kind 4.
    Heartbeat(Heartbeat),
    /// Kind 5.
    Ping(Ping),
    /// Kind 6.
    Pong(Pong),
    /// Kind 8.
    Want(Want),
    /// Kind 9.
    Lost(Lost),
    /// Kind 10.
    Recall(Recall),
    /// Kind 11.
    Recent(Recent),
    /// Kind 12.
    Where(Where),
    /// Kind 13.
    Peers(Peers),
    /// Kind 14.
    Bye(Bye),
}

/// Packet of a datagram whose signature is valid.
#[derive(Clone, Debug)]
pub enum Packet {
    /// Control packet, signed by its sender together with the header.
    Control {
        /// Verified sender.
        sender: Signer,
        /// Datagram counter of the header.
        counter: u64,
        /// Decoded packet.
        control: Control,
    },
    /// Log entry, signed by its author.
    Entry {
        /// Claimed sender of the datagram; not verified in an open room.
        sender: PeerId,
        /// Decoded entry.
        entry: Arc<Entry>,
    },
}
