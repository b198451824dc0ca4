//! Identity of a peer: key pair, peer id, and signatures. `docs/protocol/udp.md`, section 4.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{Entry, EntryFields, Header, Room, Signer, body};
use crate::model::PeerId;

/// Secret identity of a running peer: key pair and incarnation. Each start of the program has a new
/// incarnation, and so a new peer id, with no counters or sequences in use.
pub struct Identity {
    /// Ed25519 key pair. Its secret half never leaves this type.
    key: SigningKey,
    /// Public part: public key, incarnation and peer id.
    signer: Signer,
}

impl Identity {
    /// Creates an identity from the seed of an Ed25519 key and an incarnation. Both must be random
    /// bytes of the operating system; the incarnation must be new at each start of the program.
    #[must_use]
    pub fn new(seed: [u8; 32], incarnation: [u8; 8]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        let signer = Signer::new(key.verifying_key().to_bytes(), incarnation);
        Self { key, signer }
    }

    /// Returns the public part of the identity.
    #[must_use]
    pub const fn signer(&self) -> Signer {
        self.signer
    }

    /// Signs an entry of this peer's log in `room`. The fields must be within the protocol limits,
    /// or receivers drop the entry; debug builds check it.
    #[must_use]
    pub fn sign_entry(&self, room: &Room, fields: EntryFields) -> Entry {
        let unsigned = body::encode_unsigned_entry(&self.signer, &fields);
        let signature = self.sign(&entry_signing_input(room, &unsigned));
        Entry::with_signature(self.signer, fields, signature)
    }

    /// Signs `message` with the Ed25519 key.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Identity {
    /// Writes the public part only, not the secret key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl Signer {
    /// Creates the signer, the public part of an identity, with this public key and incarnation.
    /// The peer id is the first 8 bytes of a SHA-256 hash of both.
    #[must_use]
    pub fn new(key: [u8; 32], incarnation: [u8; 8]) -> Self {
        let hash = Sha256::new()
            .chain_update(b"pi-chat/1 peer\0")
            .chain_update(key)
            .chain_update(incarnation)
            .finalize();
        let mut id = PeerId::default();
        id.0.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self { key, incarnation, id }
    }

    /// Verifies a signature: returns true if `signature` is this signer's valid Ed25519 signature
    /// of `message`. False for a public key of small order, because anybody can forge its
    /// signatures.
    pub(super) fn is_signature_valid(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.key)
            .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
            .is_ok()
    }
}

/// Returns the bytes that the author of an entry signs. `unsigned`: body without its signature. The
/// bytes do not contain the header, so other peers can forward the entry.
pub(super) fn entry_signing_input(room: &Room, unsigned: &[u8]) -> Vec<u8> {
    [b"pi-chat/1 entry\0", room.id().as_slice(), unsigned].concat()
}

/// Returns the bytes that the sender of a control packet signs. `unsigned`: body without its
/// signature. The bytes contain the header.
pub(super) fn packet_signing_input(room: &Room, header: &Header, unsigned: &[u8]) -> Vec<u8> {
    [b"pi-chat/1 packet\0", room.id().as_slice(), &header.to_bytes(), unsigned].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_debug_hides_secret_key() {
        let identity = Identity::new([0xab; 32], [1; 8]);
        let shown = format!("{identity:?}");
        assert!(shown.contains(&identity.signer().id.to_string()));
        assert!(!shown.contains("171, 171") && !shown.contains("abab"), "{shown}");
    }

    #[test]
    fn new_incarnation_changes_peer_id() {
        let (one, other) = (Identity::new([7; 32], [1; 8]), Identity::new([7; 32], [2; 8]));
        assert_eq!(one.signer().key, other.signer().key);
        assert_ne!(one.signer().id, other.signer().id);
    }

    /// The public key is the neutral element, for which one signature fits every message: R is the
    /// neutral element, S is zero.
    #[test]
    fn small_order_key_never_verifies() {
        let neutral: [u8; 32] = std::array::from_fn(|at| u8::from(at == 0));
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!Signer::new(neutral, [0; 8]).is_signature_valid(b"anything", &signature));
    }
}
