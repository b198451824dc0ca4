//! The log: gives every message its place and its time, keeps it, and is
//! read from a position.
//!
//! Everything that people are shown has been through it: the hub broadcasts
//! what the log has committed, in the log's order, and nothing else.

mod memory;
mod stamp;

pub use memory::{MemoryLimits, MemoryLog};
pub use stamp::Stamper;
