//! Floor 4: configuration files and the environment.

#[cfg(feature = "client")]
pub mod client;
