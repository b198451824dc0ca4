//! Room of peers: room id, and the encryption of closed rooms. `docs/protocol/udp.md`, sections 4
//! and 5.

use std::borrow::Cow;
use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use super::Header;
use crate::model::{PeerId, RoomName};

/// Memory cost of deriving a key from a passphrase with Argon2id, in KiB.
const ARGON2_MEMORY_KIB: u32 = 65_536;

/// Time cost of deriving a key from a passphrase with Argon2id: number of passes over the memory.
const ARGON2_PASSES: u32 = 3;

/// Error: no key could be derived from the passphrase. There is not enough memory, or the
/// passphrase is too long (gigabytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no key can be made of the passphrase; 64 MiB of memory are needed for a moment")]
pub struct PassphraseError;

/// Room of peers: its room id and, if it is closed, the key material that encrypts its datagrams.
#[derive(Clone)]
pub struct Room {
    /// Room id, which is part of all signed bytes.
    id: [u8; 32],
    /// Key material from which the key of each sender is derived; `None` in an open room.
    key_material: Option<Hkdf<Sha256>>,
}

impl Room {
    /// Creates the open room of this name, which everybody can read and write.
    #[must_use]
    pub fn open(name: &RoomName) -> Self {
        Self { id: room_hash(b"pi-chat/1 open room\0", name), key_material: None }
    }

    /// Creates the closed room of this name and passphrase, which is normalised to NFC and may be
    /// empty. Key derivation takes 64 MiB and about a second on a small machine. That is intended:
    /// each guess of an attacker costs the same. Do not call it on a thread that must not block.
    ///
    /// # Errors
    /// [`PassphraseError`] if there is not enough memory.
    pub fn closed(name: &RoomName, passphrase: &str) -> Result<Self, PassphraseError> {
        let hash = room_hash(b"pi-chat/1 closed room\0", name);
        let (salt, _) = hash.split_at(16);
        let passphrase: String = passphrase.nfc().collect();
        let mut key_material = [0; 32];
        Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, 1, Some(key_material.len()))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon| {
                argon.hash_password_into(passphrase.as_bytes(), salt, &mut key_material)
            })
            .map_err(|_| PassphraseError)?;
        let key_material = Hkdf::new(None, &key_material);
        let id = derive_key(&key_material, &[b"pi-chat/1 room"]).ok_or(PassphraseError)?;
        Ok(Self { id, key_material: Some(key_material) })
    }

    /// Returns the room id, which is part of all bytes signed in the room.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Returns the room tag: the first 4 bytes of the room id, part of every header.
    #[must_use]
    pub const fn tag(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.id;
        [a, b, c, d]
    }

    /// Returns the kind of the room, as in the header: 0 open, 1 closed.
    #[must_use]
    pub fn kind(&self) -> u8 {
        u8::from(self.key_material.is_some())
    }

    /// Builds a datagram of `header` and `body`. In a closed room it encrypts the body. `None` if
    /// encryption fails, which does not happen with bodies that fit into a datagram.
    pub(super) fn seal(&self, header: &Header, body: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = header.to_bytes();
        match &self.key_material {
            None => datagram.extend_from_slice(body),
            Some(key_material) => {
                let payload = Payload { msg: body, aad: &datagram };
                let cipher = sender_cipher(key_material, header.sender)?;
                let sealed = cipher.encrypt(&header.nonce().into(), payload).ok()?;
                datagram.extend(sealed);
            }
        }
        Some(datagram)
    }

    /// Decrypts `sealed`, the part of a datagram after `header`. In an open room, returns it
    /// unchanged. `None` if the datagram was modified or not sealed with this room's passphrase.
    pub(super) fn unseal<'a>(&self, header: &Header, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let Some(key_material) = &self.key_material else {
            return Some(Cow::Borrowed(sealed));
        };
        let payload = Payload { msg: sealed, aad: &header.to_bytes() };
        let cipher = sender_cipher(key_material, header.sender)?;
        cipher.decrypt(&header.nonce().into(), payload).ok().map(Cow::Owned)
    }
}

impl fmt::Debug for Room {
    /// Writes kind and tag only, no keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("kind", &self.kind())
            .field("tag", &self.tag())
            .finish_non_exhaustive()
    }
}

/// Returns the SHA-256 hash of `purpose`, a domain separator, and the case-folded form of the
/// room's name.
fn room_hash(purpose: &[u8], name: &RoomName) -> [u8; 32] {
    Sha256::new().chain_update(purpose).chain_update(name.key().as_str()).finalize().into()
}

/// Derives a key of 32 bytes from the key material by HKDF, for the purpose `info`. `None` if HKDF
/// fails, which does not happen with this length.
fn derive_key(key_material: &Hkdf<Sha256>, info: &[&[u8]]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    key_material.expand_multi_info(info, &mut key).ok()?;
    Some(key)
}

/// Derives the cipher of a sender by HKDF; `None` if that fails. Each sender has a key of its own,
/// so two senders may use the same counter. The result is not cached: deriving it is cheap compared
/// to a signature.
fn sender_cipher(key_material: &Hkdf<Sha256>, sender: PeerId) -> Option<ChaCha20Poly1305> {
    let key = derive_key(key_material, &[b"pi-chat/1 seal\0", &sender.0])?;
    Some(ChaCha20Poly1305::new(&key.into()))
}
