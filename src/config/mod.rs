//! Layer 4: configuration. It converts files, environment variables and flags to the settings types
//! of the layers below.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(feature = "ui")]
pub mod remembered_name;
#[cfg(feature = "client")]
pub mod remembered_server;
#[cfg(feature = "server")]
pub mod server;
mod toml_error;
#[cfg(feature = "ui")]
pub mod user;

use std::path::Path;

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;

use self::toml_error::describe_toml_error;

/// Parses the TOML text of the configuration file at `path`. The path is only for the error.
///
/// # Errors
/// The text is not TOML, has an unknown key, or has a value of the wrong type. The error is a
/// single line, for `systemctl status`. It names the line of the file and the key, but does not
/// quote the value, because it may be a password.
fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow!("{}, line {line}: {}", path.display(), describe_toml_error(&error, text))
    })
}
