//! Body of a datagram, after the header: kind, signer, fields, signature. `docs/protocol/udp.md`,
//! section 4.

use std::sync::Arc;

use super::packet_limits::PacketLimits;
use super::*;
use crate::model::limits::MIN_ANNOUNCE;
use crate::wire::codec;

/// Kind number of an `entry`.
pub(super) const ENTRY_KIND: u16 = 7;

/// Length of an Ed25519 signature, in bytes.
pub(super) const SIGNATURE_LEN: usize = 64;

/// Minimum length of an unsealed body, in bytes: kind, public key, incarnation, signature.
pub(super) const MIN_BODY_LEN: usize = 1 + 32 + 8 + SIGNATURE_LEN;

/// Decoded body of a datagram, whose signature is not verified yet.
pub(super) struct Body<'a> {
    /// Claimed signer: the author of an entry, or the sender of a control packet.
    pub(super) signer: Signer,
    /// Kind and fields of the packet.
    pub(super) content: Content,
    /// Encoded body without its signature. The signature covers these bytes.
    pub(super) unsigned: &'a [u8],
    /// Claimed Ed25519 signature: the last 64 bytes of the body.
    pub(super) signature: [u8; SIGNATURE_LEN],
}

/// Decoded fields of a packet: a control packet or an entry.
pub(super) enum Content {
    /// Control packet; its signer is the sender of the datagram.
    Control(Control),
    /// Entry; its signer is the author, who need not be the sender of the datagram.
    Entry(EntryFields),
}

/// Reason why a body could not be decoded.
pub(super) enum DecodeError {
    /// The body is truncated or not canonical, or a field is beyond its limit.
    Malformed,
    /// The kind is unknown, perhaps one of a later version.
    UnknownKind,
}

impl From<codec::Malformed> for DecodeError {
    fn from(_: codec::Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Body<'a> {
    /// Decodes an unsealed body: step 7 of section 14. Bytes between the known fields and the
    /// signature are ignored, because a later version may add fields.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is malformed or of an unknown kind.
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

/// Decodes the fields of a packet and checks their limits. Bytes after the fields are ignored.
fn decode_fields<T>(fields: &[u8]) -> Result<T, codec::Malformed>
where
    T: PacketLimits + serde::Serialize + for<'a> serde::Deserialize<'a>,
{
    let (packet, _) = codec::decode_prefix::<T>(fields)?;
    if packet.is_within_limits() { Ok(packet) } else { Err(codec::Malformed) }
}

/// Encodes the body of a packet without its signature: kind, public key, incarnation, fields. The
/// fields must be within the protocol limits; debug builds check it.
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

/// Encodes the body of an entry of this author without its signature, as [`encode_unsigned`].
pub(super) fn encode_unsigned_entry(author: &Signer, fields: &EntryFields) -> Vec<u8> {
    encode_unsigned(ENTRY_KIND, author, fields)
}

/// Defines encoding and decoding of control packets from a table of their types and kind numbers.
macro_rules! controls {
    ($($packet:ident = $kind:literal,)*) => {
        impl Control {
            /// Returns the kind number of the packet.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$packet(_) => $kind,)* }
            }

            /// Decodes the fields of a control packet of this kind.
            ///
            /// # Errors
            /// [`DecodeError`] if the fields are malformed or the kind is unknown.
            fn decode(kind: u16, fields: &[u8]) -> Result<Content, DecodeError> {
                let control = match kind {
                    $($kind => Self::$packet(decode_fields(fields)?),)*
                    _ => return Err(DecodeError::UnknownKind),
                };
                Ok(Content::Control(control))
            }

            /// Encodes the body of the packet without its signature, as [`encode_unsigned`].
            /// `sender`: the signer.
            pub(super) fn encode_unsigned(&self, sender: &Signer) -> Vec<u8> {
                match self { $(Self::$packet(it) => encode_unsigned($kind, sender, it),)* }
            }

            /// Returns the length of the packet's datagram before sealing, in bytes: header, body
            /// and signature.
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
    /// Builds an announce of this protocol version. Pads it, so that its datagram has at least
    /// [`MIN_ANNOUNCE`] bytes before sealing: a shorter one gets no answer. `agreed`: ids of the
    /// peers that have agreed to this candidate, at most 8.
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
    /// Builds an entry from its parts. The signature is not verified, so a simulation can pass any
    /// bytes. The fields must be within the protocol limits; debug builds check it.
    /// [`Identity::sign_entry`] makes valid signatures.
    #[must_use]
    pub fn with_signature(author: Signer, fields: EntryFields, signature: [u8; 64]) -> Self {
        let mut body = encode_unsigned_entry(&author, &fields);
        body.extend_from_slice(&signature);
        Self { author, fields, body: Arc::from(body) }
    }

    /// Returns the length of the entry's datagram before sealing, in bytes: header, body and
    /// signature.
    #[must_use]
    pub fn datagram_len(&self) -> usize {
        Header::LEN + self.body.len()
    }
}
