//! Opening of received datagrams: decryption, decoding and verification. `docs/protocol/udp.md`,
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

/// Fields that identify a packet before its signature is verified. By them, duplicates and replays
/// are recognised cheaply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnverifiedPacket {
    /// Entry. Drop it if it is already stored, or if this sender may not supply entries.
    Entry {
        /// Claimed sender of the datagram.
        sender: PeerId,
        /// Claimed author of the entry.
        author: PeerId,
        /// Sequence of the entry in its author's log.
        sequence: u32,
    },
    /// Control packet. Drop it as a replay if this sender has used the same counter before, or if
    /// the counter is too old.
    Control {
        /// Claimed sender of the datagram.
        sender: PeerId,
        /// Datagram counter in the header.
        counter: u64,
    },
}

/// Reason why [`open`] has dropped a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum DropReason {
    /// Fewer bytes than a header and the shortest body.
    #[error("too short")]
    TooShort,
    /// More than [`MAX_DATAGRAM`] (1,232) bytes.
    #[error("too long")]
    TooLong,
    /// Wrong magic number: not of this protocol.
    #[error("not of pi-chat")]
    NotOurs,
    /// Another protocol version in the header.
    #[error("of another version")]
    Version,
    /// Another kind of room or another room tag in the header.
    #[error("of another room")]
    OtherRoom,
    /// The sender in the header is this peer itself.
    #[error("one's own")]
    Own,
    /// Decryption failed: the datagram was modified or not sealed with this room's passphrase.
    #[error("the seal is broken")]
    Seal,
    /// Fewer bytes after decryption than the shortest body has.
    #[error("too short inside its seal")]
    TooShortInside,
    /// The body is truncated or not canonical, or a field is beyond its limit.
    #[error("malformed")]
    Malformed,
    /// Unknown kind of packet.
    #[error("of an unknown kind")]
    UnknownKind,
    /// Entry whose author is this peer itself.
    #[error("an entry of one's own")]
    OwnEntry,
    /// Entry that the `is_known` callback has refused: it is already stored, or its sender may not
    /// supply entries.
    #[error("an entry that is known, or of a stranger")]
    KnownEntry,
    /// Invalid signature of the author of an entry.
    #[error("the signature of the entry is wrong")]
    EntrySignature,
    /// The peer id in the header of a control packet is not derived from the packet's key and
    /// incarnation.
    #[error("the sender's id is wrong")]
    Identity,
    /// Replay of a control packet: its counter is 0, or the `is_known` callback has refused it.
    #[error("seen before")]
    Replayed,
    /// Invalid signature of the sender of a control packet.
    #[error("the signature is wrong")]
    Signature,
}

impl DropReason {
    /// Returns the step of section 14 in which the datagram was dropped, 1 to 9.
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

/// Opens a datagram that the peer `own` has received in `room`: decrypts, decodes and verifies it.
/// Returns the packet and the length of the datagram before sealing, in bytes.
///
/// Calls `is_known` at most once, before the expensive signature check. If `is_known` returns true,
/// the packet is dropped. `is_known` must not record the packet as received, because its argument
/// is not verified.
///
/// # Errors
/// [`DropReason`]: the first that applies, in the order of section 14.
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
    let body = Body::decode(&plain)?;
    let packet = verify(&header, body, &plain, room, own, is_known)?;
    Ok((packet, Header::LEN + plain.len()))
}

/// Drops the peer's own entries, known entries, control packets with a wrong sender id, and
/// replays. Then verifies the signature: steps 8 and 9. `plain`: decrypted body.
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
