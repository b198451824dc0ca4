//! Floor 1: bytes to values and back, without I/O.
//!
//! The pages in `docs/protocol/` are the authority, and its vectors pin
//! every byte.

mod codec;
mod frame;
pub mod tcp;
#[cfg(feature = "peer")]
pub mod udp;

pub use codec::Malformed;
pub use frame::{FrameError, FrameReader};
