//! Proofs of a user's key as a WebAssembly module, for the page in a browser. It is a module of its
//! own, because most browsers never need it.
//!
//! It signs proofs (`docs/protocol/identity.md`) and nothing else. The page calls it as `buffer` says.
//! The input is the secret half of the key (32 bytes), the server's challenge (32 bytes), the server's
//! key (32 bytes), and the page's origin as text. The output is the public half of the key (32 bytes)
//! and the signature (64 bytes).

#[path = "../../buffer.rs"]
mod buffer;

use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::IdentityKey;

/// Returns the proof for an input: key and signature. Values that are missing in the input count as
/// zero bytes.
fn output_for(mut input: &[u8]) -> Vec<u8> {
    let [seed, challenge, server_key] = std::array::from_fn(|_| take_32(&mut input));
    let binding = ChannelBinding::of_origin(&String::from_utf8_lossy(input));
    let context = ProofContext { challenge, server_key: IdentityKey(server_key), binding };
    let proof = KeyPair::from_seed(&seed).prove(&context);
    [&proof.key.0[..], &proof.signature.0].concat()
}

/// Removes 32 bytes from the beginning of the input and returns them; zero bytes if there are fewer.
fn take_32(input: &mut &[u8]) -> [u8; 32] {
    let (taken, rest) = input.split_first_chunk().unwrap_or((&[0; 32], &[]));
    *input = rest;
    *taken
}
