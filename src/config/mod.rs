//! Floor 4: configuration. Files, environment and flags become the settings
//! types of the floors below.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "ui")]
pub mod user;

use std::path::Path;

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;

/// What the text of a configuration file says. What is wrong with it is told
/// on one line, for `systemctl status`; and without the text of the file, for
/// a password may stand there.
fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow!("in {}, line {line}: {}", path.display(), error.message().replace('\n', " "))
    })
}
