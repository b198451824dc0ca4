//! Layer 1: identity by key: how a client proves that it has a key, and how a server verifies it.
//! `docs/protocol/identity.md`.
//!
//! Client and server share this module, so that they cannot differ about the bytes that are signed.
//! Random bytes come from the caller.

mod binding;
mod key_pair;
mod proof_context;

pub use binding::{ChannelBinding, TLS_EXPORTER_LABEL};
pub use key_pair::KeyPair;
pub use proof_context::ProofContext;
