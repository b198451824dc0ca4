//! Floor 4: configuration. Files, environment and flags become the settings
//! types of the floors below.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "ui")]
pub mod person;
#[cfg(feature = "server")]
pub mod server;
