//! Which room a datagram is of, and how a closed one is kept closed:
//! `docs/protocol/udp.md`, sections 4 and 5.

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

/// Memory for the key of a passphrase, in KiB.
const ARGON2_MEMORY_KIB: u32 = 65_536;

/// Passes over that memory.
const ARGON2_PASSES: u32 = 3;

/// No key can be made of the passphrase: there is not enough memory, or it is
/// gigabytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no key can be made of the passphrase; 64 MiB of memory are needed for a moment")]
pub struct PassphraseError;

/// A room as its datagrams know it.
#[derive(Clone)]
pub struct Room {
    /// Part of everything that is signed.
    id: [u8; 32],
    /// What the keys of a closed room are made with.
    key_material: Option<Hkdf<Sha256>>,
}

impl Room {
    /// The open room of this name: everybody can read and write in it.
    #[must_use]
    pub fn open(name: &RoomName) -> Self {
        Self { id: room_hash(b"pi-chat/1 open room\0", name), key_material: None }
    }

    /// The closed room of this name and passphrase. Takes 64 MiB and, on a
    /// small machine, about a second. That is the point: so does every guess.
    /// Not to be called where others wait.
    ///
    /// # Errors
    /// [`PassphraseError`] where there is not enough memory.
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

    /// Its whole id: part of everything that is signed in it.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The beginning of its id, by which datagrams are told apart.
    #[must_use]
    pub const fn tag(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.id;
        [a, b, c, d]
    }

    /// 0 for an open room, 1 for a closed one.
    #[must_use]
    pub fn kind(&self) -> u8 {
        u8::from(self.key_material.is_some())
    }

    /// The datagram of `header` and `body`: sealed in a closed room, as it is
    /// in an open one. `None` never happens with bodies that fit a datagram.
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

    /// The plain body of what stands behind `header`. `None` where it was not
    /// sealed with this room's passphrase, or was changed since.
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
    /// No keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("kind", &self.kind())
            .field("tag", &self.tag())
            .finish_non_exhaustive()
    }
}

/// SHA-256 of what it is for and the key of the room's name.
fn room_hash(purpose: &[u8], name: &RoomName) -> [u8; 32] {
    Sha256::new().chain_update(purpose).chain_update(name.key().as_str()).finalize().into()
}

/// The key for one purpose. `None` never happens with keys of this length.
fn derive_key(key_material: &Hkdf<Sha256>, info: &[&[u8]]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    key_material.expand_multi_info(info, &mut key).ok()?;
    Some(key)
}

/// What a sender seals with. Each has a key of its own, so that counters need
/// to differ only among the datagrams of one. Made anew each time: it costs
/// next to nothing beside a signature.
fn sender_cipher(key_material: &Hkdf<Sha256>, sender: PeerId) -> Option<ChaCha20Poly1305> {
    let key = derive_key(key_material, &[b"pi-chat/1 seal\0", &sender.0])?;
    Some(ChaCha20Poly1305::new(&key.into()))
}
