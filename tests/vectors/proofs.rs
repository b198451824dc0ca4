//! The vectors of proofs: `docs/protocol/identity.md`.

use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::IdentityKey;
use pi_chat::wire::tcp::{Proof, ProofSignature};
use serde_json::Value;

use crate::{unhex, vectors};

/// Bytes of a vector's field, which has a fixed length.
fn bytes<const N: usize>(vector: &Value, key: &str) -> [u8; N] {
    unhex(&vector[key]).try_into().unwrap()
}

/// The binding of this number and data.
fn binding(number: u64, data: [u8; 32]) -> ChannelBinding {
    match number {
        0 => ChannelBinding::None,
        1 => ChannelBinding::of_exporter(data),
        3 => ChannelBinding::Tls { exporter: [0; 32], fingerprint: Some(data) },
        2 => ChannelBinding::WebOrigin(data),
        other => panic!("{other}"),
    }
}

/// Checks bytes, origin, signature and verdict of each vector. Ours signs the same bytes.
#[test]
fn proofs() {
    for vector in vectors("proofs.json") {
        let number = vector["binding"].as_u64().unwrap();
        let data = bytes(&vector, "binding_data");
        let required = vector["required"].as_u64().unwrap_or(number);
        let context = ProofContext {
            challenge: bytes(&vector, "challenge"),
            server_key: IdentityKey(bytes(&vector, "server_key")),
            binding: binding(required, data),
        };
        let proof = Proof {
            key: IdentityKey(bytes(&vector, "key")),
            binding: number.try_into().unwrap(),
            signature: ProofSignature(bytes(&vector, "signature")),
        };
        let accepted = vector["accepted"].as_bool().unwrap();
        assert_eq!(context.is_proved_by(&proof), accepted, "{vector}");
        if let Some(origin) = vector["origin"].as_str() {
            assert_eq!(ChannelBinding::of_origin(origin), context.binding, "{vector}");
        }
        if accepted {
            // Ours never sign the fingerprint.
            if number != 3 {
                assert_eq!(context.signed_bytes().to_vec(), unhex(&vector["signed"]), "{vector}");
                assert_eq!(KeyPair::from_seed(&bytes(&vector, "seed")).prove(&context), proof);
            }
        }
    }
}
