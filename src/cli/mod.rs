//! Floor 4: command lines.

#[cfg(feature = "client")]
pub mod client;
