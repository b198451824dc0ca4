//! Body of a datagram, after the header: kind, signer, fields, signature. `docs/protocol/udp.md`,
//! section 4.

use std::sync::Arc;

use super::packet_limits::PacketLimits;
use super::*;
use crate::model::limits::MIN_ANNOUNCE;
use crate::wire::codec;

/// Kind number of `entry`.
const ENTRY_KIND: u16 = 7;

/// Length of a signature, in bytes.
const SIGNATURE_LEN: usize = 64;

/// Minimum length of a body, in bytes: kind, key, incarnation, signature.
pub(super) const MIN_BODY_LEN: usize = 1 + 32 + 8 + SIGNATURE_LEN;

/// Decoded body whose signature has not been verified yet.
pub(super) struct Body<'a> {
    /// Claimed signer.
    pub(super) signer: Signer,
    /// Decoded packet.
    pub(super) content: Content,
    /// Body without its signature: part of the signed bytes.
    pub(super) unsigned: &'a [u8],
    /// Ed25519 signature: the last bytes of the body.
    pub(super) signature: [u8; SIGNATURE_LEN],
}

/// Decoded packet: control packet or entry.
pub(super) enum Content {
    /// Control packet, signed by its sender.
    Control(Control),
    /// Entry, signed by its author.
    Entry(EntryFields),
}

/// Reason why a body could not be decoded.
pub(super) enum DecodeError {
    /// Not canonical, truncated, or beyond a limit.
    Malformed,
    /// Unknown kind, perhaps of a later version.
    UnknownKind,
}

impl From<codec::Malformed> for DecodeError {
    fn from(_: codec::Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Body<'a> {
    /// Decodes a plain body: step 7 of section 14. Ignores bytes after the known fields, which a
    /// later version may add.
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (unsigned, signature) =
            body.split_last_chunk::<SIGNATURE_LEN>().ok_or(DecodeError::Malformed)?;
        let ((kind, key, incarnation), fields) = codec::decode_prefix(unsigned)?;
        let content = match kind {
            ENTRY_KIND => Content::Entry(decode_fields(fields)?),
            _ => Control::decode(kind, fields)?,
        };
        let signer = Signer::new(key, incarnation);
        Ok(Self { signer, content, unsigned, signature: *signature })
    }
}

/// Decodes the fields of a packet and checks its limits.
fn decode_fields<T>(fields: &[u8]) -> Result<T, codec::Malformed>
where
    T: PacketLimits + serde::Serialize + for<'a> serde::Deserialize<'a>,
{
    let (packet, _) = codec::decode_prefix::<T>(fields)?;
    if packet.is_within_limits() { Ok(packet) } else { Err(codec::Malformed) }
}

/// Encodes a body without its signature.
fn encode_unsigned(
    kind: u16,
    signer: &Signer,
    fields: &(impl PacketLimits + serde::Serialize),
) -> Vec<u8> {
    debug_assert!(fields.is_within_limits(), "nobody would take this packet of kind {kind}");
    let mut unsigned = Vec::new();
    codec::encode_into(&(kind, signer.key, signer.incarnation), &mut unsigned);
    codec::encode_into(fields, &mut unsigned);
    unsigned
}

/// Encodes the body of an entry without its signature.
pub(super) fn encode_unsigned_entry(author: &Signer, fields: &EntryFields) -> Vec<u8> {
    encode_unsigned(ENTRY_KIND, author, fields)
}

/// Assigns the kind numbers of the control packets.
macro_rules! controls {
    ($($packet:ident = $kind:literal,)*) => {
        impl Control {
            /// Returns the kind number.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$packet(_) => $kind,)* }
            }

            /// Decodes the fields of a packet of this kind.
            fn decode(kind: u16, fields: &[u8]) -> Result<Content, DecodeError> {
                let control = match kind {
                    $($kind => Self::$packet(decode_fields(fields)?),)*
                    _ => return Err(DecodeError::UnknownKind),
                };
                Ok(Content::Control(control))
            }

            /// Encodes the body without its signature.
            pub(super) fn encode_unsigned(&self, sender: &Signer) -> Vec<u8> {
                match self { $(Self::$packet(it) => encode_unsigned($kind, sender, it),)* }
            }

            /// Returns the length of the datagram before sealing, in bytes.
            #[must_use]
            pub fn datagram_len(&self) -> usize {
                Header::LEN + MIN_BODY_LEN + match self { $(Self::$packet(it) => codec::encoded_len(it),)* }
            }
        }
    };
}

controls! {
    Announce = 1,
    Agree = 2,
    Object = 3,
    Heartbeat = 4,
    Ping = 5,
    Pong = 6,
    Want = 8,
    Lost = 9,
    Recall = 10,
    Recent = 11,
    Where = 12,
    Peers = 13,
    Bye = 14,
}

impl Announce {
    /// Builds an announce of this protocol version, padded to the minimum length that is answered.
    /// `agreed`: at most 8 ids.
    #[must_use]
    pub fn new(nonce: Nonce, username: String, agreed: Vec<PeerId>) -> Self {
        let (lowest, highest) = (VERSION, VERSION);
        let mut announce =
            Self { nonce, lowest, highest, username, agreed, padding: String::new() };
        let len = Header::LEN + MIN_BODY_LEN + codec::encoded_len(&announce);
        announce.padding = " ".repeat(MIN_ANNOUNCE.saturating_sub(len));
        announce
    }
}

impl Entry {
    /// Builds an entry from its parts without checking the signature: [`Identity::sign_entry`]
    /// makes valid ones, simulations use any.
    #[must_use]
    pub fn with_signature(author: Signer, fields: EntryFields, signature: [u8; 64]) -> Self {
        let mut body = encode_unsigned_entry(&author, &fields);
        body.extend_from_slice(&signature);
        Self { author, fields, body: Arc::from(body) }
    }

    /// Returns the length of the datagram before sealing, in bytes.
    #[must_use]
    pub fn datagram_len(&self) -> usize {
        Header::LEN + self.body.len()
    }
}
