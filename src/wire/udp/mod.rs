//! Datagrams of the UDP protocol, version 1, and their encoding: `docs/protocol/udp.md`.

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

/// Version of the UDP protocol that this crate speaks.
pub const VERSION: u8 = 1;

/// Public identity of a peer: public key, incarnation, and the [`PeerId`] derived from both. It
/// verifies the peer's signatures. [`Identity`] holds the private key and signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signer {
    /// Ed25519 public key, which verifies the peer's signatures.
    pub key: [u8; 32],
    /// Random bytes of one run of the program.
    pub incarnation: [u8; 8],
    /// Peer id, derived from key and incarnation.
    pub id: PeerId,
}

/// Entry of a peer's log: a message signed by its author. It is used in an [`Arc`], because it is
/// stored, forwarded and displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Public identity of the author.
    pub author: Signer,
    /// Decoded fields of the message.
    pub fields: EntryFields,
    /// Encoded body from kind to signature. Peers forward it unchanged.
    pub body: Arc<[u8]>,
}

/// Control packet: packet of any kind except `entry`, signed by its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `announce`, kind 1: a candidate asks to join.
    Announce(Announce),
    /// `agree`, kind 2: a member admits a candidate, or tells it to wait.
    Agree(Agree),
    /// `object`, kind 3: a peer refuses a candidate, or disputes the name of a member.
    Object(Object),
    /// `heartbeat`, kind 4: periodic state of a member.
    Heartbeat(Heartbeat),
    /// `ping`, kind 5: tests whether a peer is alive at an address.
    Ping(Ping),
    /// `pong`, kind 6: answer to a `ping` or `agree`.
    Pong(Pong),
    /// `want`, kind 8: requests missing entries.
    Want(Want),
    /// `lost`, kind 9: names wanted entries that the sender does not have.
    Lost(Lost),
    /// `recall`, kind 10: a newcomer requests the history: a page of [`Mark`]s, and with page 0 the
    /// newest entries.
    Recall(Recall),
    /// `recent`, kind 11: answer to a `recall`: one page of [`Mark`]s. Page 0 also has the ids of
    /// the newest entries.
    Recent(Recent),
    /// `where`, kind 12: requests the addresses of peers.
    Where(Where),
    /// `peers`, kind 13: answer to a `where`: addresses of peers.
    Peers(Peers),
    /// `bye`, kind 14: the sender leaves the room.
    Bye(Bye),
}

/// Decoded packet of a received datagram, whose signature is valid.
#[derive(Clone, Debug)]
pub enum Packet {
    /// Control packet. The signature covers header and body.
    Control {
        /// Sender of the datagram, verified by the signature.
        sender: Signer,
        /// Datagram counter in the header.
        counter: u64,
        /// Decoded control packet.
        control: Control,
    },
    /// Entry of a peer's log. The signature is the author's, and does not cover the header.
    Entry {
        /// Claimed sender of the datagram. In an open room nothing verifies it.
        sender: PeerId,
        /// Decoded entry.
        entry: Arc<Entry>,
    },
}
