//! Key pair of a client or a server.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::ProofContext;
use crate::model::IdentityKey;
use crate::wire::tcp::{Proof, ProofSignature};

/// Ed25519 key pair. Its secret half is overwritten in memory when the value is dropped.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// Creates the key pair of a seed: 32 random bytes of the operating system, the secret half as
    /// RFC 8032 has it.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> IdentityKey {
        IdentityKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a proof for a connection.
    #[must_use]
    pub fn prove(&self, context: &ProofContext) -> Proof {
        let signature = self.0.sign(&context.signed_bytes());
        Proof {
            key: self.public(),
            binding: context.binding.number(),
            signature: ProofSignature(signature.to_bytes()),
        }
    }
}

impl fmt::Debug for KeyPair {
    /// Writes the public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secret_half() {
        let pair = KeyPair::from_seed(&[0xab; 32]);
        let shown = format!("{pair:?}");
        assert!(shown.contains(&pair.public().to_string()), "{shown}");
        assert!(!shown.contains("171, 171") && !shown.contains("abab"), "{shown}");
    }
}
