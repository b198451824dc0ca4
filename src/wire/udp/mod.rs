//! The UDP protocol, version 1: `docs/protocol/udp.md`.

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

/// The version that this is.
pub const VERSION: u8 = 1;

/// Whose key made a signature, and so who is behind a [`PeerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signer {
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Random, one for each start of the program.
    pub incarnation: [u8; 8],
    /// What follows from the two.
    pub id: PeerId,
}

/// An entry as it was signed by its author. Shared, for it is kept, sent on
/// and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who wrote it.
    pub author: Signer,
    /// What it says.
    pub fields: EntryFields,
    /// The whole body, from its kind to its signature, to be sent on as it is.
    pub body: Arc<[u8]>,
}

/// Every packet but `entry`.
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

/// A datagram that was opened, and whose signature is right.
#[derive(Clone, Debug)]
pub enum Packet {
    /// Signed by its sender, header and all.
    Control {
        /// Who sent it.
        sender: Signer,
        /// The header's.
        counter: u64,
        /// What it is.
        control: Control,
    },
    /// Signed by its author.
    Entry {
        /// Who sent it, or claims to be.
        sender: PeerId,
        /// What it is.
        entry: Arc<Entry>,
    },
}
