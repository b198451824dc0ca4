//! Proofs of a user's key as a WebAssembly module, for the page in a browser. It is a module of its
//! own, because most browsers never need it.
//!
//! It signs proofs (`docs/protocol/identity.md`) and nothing else. The page calls it so:
//!
//! 1. It calls [`allocate`] with the length of its input, and writes the input to the address that
//!    it returns: the secret half of the key (32 bytes), the server's challenge (32 bytes), the
//!    server's key (32 bytes), and the page's origin as text.
//! 2. It calls [`prove`], and reads the proof at the address that this returns: the public half of
//!    the key (32 bytes) and the signature (64 bytes).

use std::cell::RefCell;

use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::model::IdentityKey;

thread_local! {
    /// Input of the next proof, which the page writes; then the proof, which the page reads.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for an input of `length` bytes and returns its address. It is valid until the next
/// call of any function.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn allocate(length: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.resize(length, 0);
        buffer.as_mut_ptr()
    })
}

/// Makes the proof of the input, and returns its address. It is valid until the next call of any
/// function. Values that are missing in the input count as zero bytes.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn prove() -> *const u8 {
    BUFFER.with_borrow_mut(|buffer| {
        *buffer = proof_of(buffer);
        buffer.as_ptr()
    })
}

/// Returns the proof of an input: key and signature.
fn proof_of(mut input: &[u8]) -> Vec<u8> {
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
