//! What stands behind a datagram's header: kind, signer, fields, signature.
//! `docs/protocol/udp.md`, section 4.

use std::sync::Arc;

use super::packet_limits::PacketLimits;
use super::*;
use crate::model::limits::MIN_ANNOUNCE;
use crate::wire::codec;

/// Kind of `entry`.
const ENTRY_KIND: u16 = 7;

/// Bytes of a signature.
const SIGNATURE_LEN: usize = 64;

/// Fewest bytes of a body: kind, key, incarnation, signature.
pub(super) const MIN_BODY_LEN: usize = 1 + 32 + 8 + SIGNATURE_LEN;

/// A body that was read; its signature is not judged yet.
pub(super) struct Body<'a> {
    /// Who claims to have signed it.
    pub(super) signer: Signer,
    /// What it says.
    pub(super) content: Content,
    /// All of it but the signature: what was signed.
    pub(super) unsigned: &'a [u8],
    /// Its last bytes.
    pub(super) signature: [u8; SIGNATURE_LEN],
}

/// The two sorts of packets.
pub(super) enum Content {
    /// Signed by its sender.
    Control(Control),
    /// Signed by its author.
    Entry(EntryFields),
}

/// What was read of a body's beginning is of no use.
pub(super) enum DecodeError {
    /// Not canonical, cut off, or beyond a limit.
    Malformed,
    /// A kind of a later version, perhaps.
    UnknownKind,
}

impl From<codec::Malformed> for DecodeError {
    fn from(_: codec::Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Body<'a> {
    /// Reads a plain body: step 7 of section 14. What a later version has
    /// added behind the fields is ignored.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, DecodeError> {
        let (unsigned, signature) =
            body.split_last_chunk::<SIGNATURE_LEN>().ok_or(DecodeError::Malformed)?;
        let ((kind, key, incarnation), fields) = codec::decode_prefix(unsigned)?;
        let content = match kind {
            ENTRY_KIND => Content::Entry(decode_fields(fields)?),
            _ => Control::read(kind, fields)?,
        };
        let signer = Signer::new(key, incarnation);
        Ok(Self { signer, content, unsigned, signature: *signature })
    }
}

/// Reads the fields of a packet and holds them against the limits.
fn decode_fields<T>(fields: &[u8]) -> Result<T, codec::Malformed>
where
    T: PacketLimits + serde::Serialize + for<'a> serde::Deserialize<'a>,
{
    let (packet, _) = codec::decode_prefix::<T>(fields)?;
    if packet.is_within_limits() { Ok(packet) } else { Err(codec::Malformed) }
}

/// Writes a body without its signature.
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

/// The body of an entry, without its signature.
pub(super) fn encode_unsigned_entry(author: &Signer, fields: &EntryFields) -> Vec<u8> {
    encode_unsigned(ENTRY_KIND, author, fields)
}

/// Gives each kind of control packet its number, in one line each.
macro_rules! controls {
    ($($packet:ident = $kind:literal,)*) => {
        impl Control {
            /// The kind's number.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$packet(_) => $kind,)* }
            }

            /// Reads the fields of a packet.
            fn read(kind: u16, fields: &[u8]) -> Result<Content, DecodeError> {
                let control = match kind {
                    $($kind => Self::$packet(decode_fields(fields)?),)*
                    _ => return Err(DecodeError::UnknownKind),
                };
                Ok(Content::Control(control))
            }

            /// The body without its signature.
            pub(super) fn unsigned(&self, sender: &Signer) -> Vec<u8> {
                match self { $(Self::$packet(it) => encode_unsigned($kind, sender, it),)* }
            }

            /// How long the datagram is that it makes, before it is sealed.
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
    /// An announce of somebody who speaks this version, padded to the least
    /// length that is answered. `agreed`: at most 8.
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
    /// The entry of these parts. Judges nothing: a right signature is made by
    /// [`Identity::sign_entry`], and a simulation does without.
    #[must_use]
    pub fn with_signature(author: Signer, fields: EntryFields, signature: [u8; 64]) -> Self {
        let mut body = encode_unsigned_entry(&author, &fields);
        body.extend_from_slice(&signature);
        Self { author, fields, body: Arc::from(body) }
    }

    /// How long the datagram is that it makes, before it is sealed.
    #[must_use]
    pub fn datagram_len(&self) -> usize {
        Header::LEN + self.body.len()
    }
}
