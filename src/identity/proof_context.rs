//! What a proof is about: challenge, server and binding.

use ed25519_dalek::{Signature, VerifyingKey};

use super::ChannelBinding;
use crate::model::IdentityKey;
use crate::wire::tcp::Proof;

/// Label at the beginning of the bytes that a proof signs.
const PROOF_LABEL: &[u8; 16] = b"pi-chat proof 1\0";

/// Length of the bytes that a proof signs: label, challenge, server key, binding and its data.
const SIGNED_LEN: usize = PROOF_LABEL.len() + 32 + 32 + 1 + 32;

/// What a proof on a connection signs: the same on both sides of the connection, and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofContext {
    /// Random bytes that the server has sent on this connection.
    pub challenge: [u8; 32],
    /// Public key of the server.
    pub server_key: IdentityKey,
    /// Binding to this connection.
    pub binding: ChannelBinding,
}

impl ProofContext {
    /// Returns the bytes that our own proofs sign.
    #[must_use]
    pub fn signed_bytes(&self) -> [u8; SIGNED_LEN] {
        self.bytes_with(self.binding.number(), &self.binding.data())
    }

    /// Returns the bytes that a proof with a binding of this number and data signs.
    fn bytes_with(&self, number: u8, data: &[u8; 32]) -> [u8; SIGNED_LEN] {
        let parts: [&[u8]; 5] = [PROOF_LABEL, &self.challenge, &self.server_key.0, &[number], data];
        let mut bytes = [0; SIGNED_LEN];
        let joined = parts.into_iter().flatten();
        bytes.iter_mut().zip(joined).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Returns true if a proof holds here: its binding is one of the connection, and its signature
    /// is valid by the strict rules of the page. It takes as long as a signature needs: about a
    /// tenth of a millisecond on a PC, several on a Pi.
    #[must_use]
    pub fn is_proved_by(&self, proof: &Proof) -> bool {
        let Some(data) = self.binding.data_of(proof.binding) else { return false };
        let signed = self.bytes_with(proof.binding, &data);
        let signature = Signature::from_bytes(&proof.signature.0);
        VerifyingKey::from_bytes(&proof.key.0).is_ok_and(|key| {
            // Decoding a point accepts encodings that are not canonical; then one key would have
            // several names.
            key.to_edwards().compress().to_bytes() == proof.key.0
                && key.verify_strict(&signed, &signature).is_ok()
        })
    }
}
