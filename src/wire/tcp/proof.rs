//! Proof of a key in a `join`, as it is on the wire: `docs/protocol/identity.md`, section 3.

use serde::{Deserialize, Serialize};

use crate::model::IdentityKey;

/// Numbers of the bindings of a proof to its connection.
pub mod binding {
    /// The proof is bound to nothing but the challenge: plain TCP.
    pub const NONE: u8 = 0;
    /// The proof is bound to the TLS connection, by its exporter.
    pub const TLS_EXPORTER: u8 = 1;
    /// The proof is bound to the origin of the web page that made it.
    pub const WEB_ORIGIN: u8 = 2;
    /// The proof is bound to the key of the TLS server, by its fingerprint.
    pub const TLS_FINGERPRINT: u8 = 3;
}

/// Proof that a client has the secret half of a key. Not verified yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Ed25519 public key that the client claims to have.
    pub key: IdentityKey,
    /// Number of the binding: one of [`binding`], or any other.
    pub binding: u8,
    /// Signature by the key.
    pub signature: ProofSignature,
}

/// Ed25519 signature of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[[u8; 32]; 2]", into = "[[u8; 32]; 2]")]
pub struct ProofSignature(pub [u8; 64]);

impl From<[[u8; 32]; 2]> for ProofSignature {
    /// Joins the halves, R and S. Serde has no arrays of 64 bytes.
    fn from(halves: [[u8; 32]; 2]) -> Self {
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl From<ProofSignature> for [[u8; 32]; 2] {
    /// Cuts the signature into its halves, R and S.
    fn from(signature: ProofSignature) -> Self {
        let mut halves = [[0; 32]; 2];
        halves.as_flattened_mut().iter_mut().zip(signature.0).for_each(|(to, from)| *to = from);
        halves
    }
}
