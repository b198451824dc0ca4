//! What becomes of a datagram that has arrived: `docs/protocol/udp.md`,
//! section 14, steps 1 to 9.

use std::sync::Arc;

use thiserror::Error;

use super::body::{Body, Content, DecodeError, MIN_BODY_LEN};
use super::header::MAGIC;
use super::identity::{entry_signing_input, packet_signing_input};
use super::{Entry, Header, Packet, Room, VERSION};
use crate::model::PeerId;
use crate::model::limits::MAX_DATAGRAM;
use crate::wire::codec;

/// What a datagram claims to be, before its signature is looked at: enough to
/// know whether it is worth the look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnverifiedPacket {
    /// An entry; not worth it if it is here already, or if its sender is not
    /// one of whom entries are taken.
    Entry {
        /// Who sent it, or claims to be.
        sender: PeerId,
        /// Who wrote it.
        author: PeerId,
        /// Which one of its.
        sequence: u32,
    },
    /// A control packet; known if its counter was seen before from this
    /// sender, or lies too far back.
    Control {
        /// Who sent it.
        sender: PeerId,
        /// The header's.
        counter: u64,
    },
}

/// Why a datagram changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum DropReason {
    /// It cannot hold a packet.
    #[error("too short")]
    TooShort,
    /// More than 1,232 bytes.
    #[error("too long")]
    TooLong,
    /// Another magic.
    #[error("not of pi-chat")]
    NotOurs,
    /// Another version.
    #[error("of another version")]
    Version,
    /// Another kind of room or another tag.
    #[error("of another room")]
    OtherRoom,
    /// Sent by oneself.
    #[error("one's own")]
    Own,
    /// It was not sealed with this room's passphrase, or was changed since.
    #[error("the seal is broken")]
    Seal,
    /// What was sealed cannot be a packet.
    #[error("too short inside its seal")]
    TooShortInside,
    /// Not canonical, cut off, or beyond a limit.
    #[error("malformed")]
    Malformed,
    /// A kind of packet that is not known here.
    #[error("of an unknown kind")]
    UnknownKind,
    /// An entry that was written by oneself.
    #[error("an entry of one's own")]
    OwnEntry,
    /// An entry that is here already, or of whose sender none is taken.
    #[error("an entry that is known, or of a stranger")]
    KnownEntry,
    /// An entry that its author has not signed.
    #[error("the signature of the entry is wrong")]
    EntrySignature,
    /// The sender's id is not that of the key and the incarnation.
    #[error("the sender's id is wrong")]
    Identity,
    /// A counter that was seen before, or lies too far back.
    #[error("seen before")]
    Replayed,
    /// A control packet that its sender has not signed.
    #[error("the signature is wrong")]
    Signature,
}

impl DropReason {
    /// In which step of section 14.
    #[must_use]
    pub const fn step(self) -> u8 {
        match self {
            Self::TooShort | Self::TooLong => 1,
            Self::NotOurs => 2,
            Self::Version => 3,
            Self::OtherRoom => 4,
            Self::Own => 5,
            Self::Seal | Self::TooShortInside => 6,
            Self::Malformed | Self::UnknownKind => 7,
            Self::OwnEntry | Self::KnownEntry | Self::EntrySignature => 8,
            Self::Identity | Self::Replayed | Self::Signature => 9,
        }
    }
}

impl From<DecodeError> for DropReason {
    fn from(unreadable: DecodeError) -> Self {
        match unreadable {
            DecodeError::Malformed => Self::Malformed,
            DecodeError::UnknownKind => Self::UnknownKind,
        }
    }
}

/// Opens a datagram of `room` that has come to the peer `own`; gives what is
/// in it and how many bytes it had before it was sealed. `is_known` is asked
/// once at the most, before the dear part: the signature. What it was told
/// is a mere claim, to be noted only when the packet is given.
///
/// # Errors
/// Why it is dropped. The first reason counts, in the order of the page.
pub fn open(
    datagram: &[u8],
    room: &Room,
    own: PeerId,
    is_known: impl FnOnce(UnverifiedPacket) -> bool,
) -> Result<(Packet, usize), DropReason> {
    if datagram.len() < Header::LEN + MIN_BODY_LEN {
        return Err(DropReason::TooShort);
    }
    if datagram.len() > MAX_DATAGRAM {
        return Err(DropReason::TooLong);
    }
    let (header, sealed): (Header, _) =
        codec::decode_prefix(datagram).map_err(|_| DropReason::TooShort)?;
    if header.magic != MAGIC {
        return Err(DropReason::NotOurs);
    }
    if header.version != VERSION {
        return Err(DropReason::Version);
    }
    if !header.is_of(room) {
        return Err(DropReason::OtherRoom);
    }
    if header.sender == own {
        return Err(DropReason::Own);
    }
    let plain = room.unseal(&header, sealed).ok_or(DropReason::Seal)?;
    if plain.len() < MIN_BODY_LEN {
        return Err(DropReason::TooShortInside);
    }
    let body = Body::read(&plain)?;
    let packet = verify(&header, body, &plain, room, own, is_known)?;
    Ok((packet, Header::LEN + plain.len()))
}

/// Steps 8 and 9: whether it is new and really from whom it says.
fn verify(
    header: &Header,
    body: Body<'_>,
    plain: &[u8],
    room: &Room,
    own: PeerId,
    is_known: impl FnOnce(UnverifiedPacket) -> bool,
) -> Result<Packet, DropReason> {
    let Body { signer, content, unsigned, signature } = body;
    let sender = header.sender;
    match content {
        Content::Entry(fields) => {
            if signer.id == own {
                return Err(DropReason::OwnEntry);
            }
            if is_known(UnverifiedPacket::Entry {
                sender,
                author: signer.id,
                sequence: fields.sequence,
            }) {
                return Err(DropReason::KnownEntry);
            }
            if !signer.is_signature_valid(&entry_signing_input(room, unsigned), &signature) {
                return Err(DropReason::EntrySignature);
            }
            let entry = Entry { author: signer, fields, body: plain.into() };
            Ok(Packet::Entry { sender, entry: Arc::new(entry) })
        }
        Content::Control(control) => {
            let counter = header.counter();
            if signer.id != sender {
                return Err(DropReason::Identity);
            }
            if counter == 0 || is_known(UnverifiedPacket::Control { sender, counter }) {
                return Err(DropReason::Replayed);
            }
            if !signer.is_signature_valid(&packet_signing_input(room, header, unsigned), &signature)
            {
                return Err(DropReason::Signature);
            }
            Ok(Packet::Control { sender: signer, counter, control })
        }
    }
}
