//! The client's settings: flags before the environment, that before the
//! file, that before what is built in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::user::{default_username, env_bool, env_text, read_config_file};
use crate::client::Destination;
use crate::model::limits::MAX_PASSWORD;
use crate::model::{HostAddress, Password};

/// A place that says some of the settings and leaves out others. The keys
/// are those of the file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PartialConfig {
    /// `host[:port]`
    pub server: Option<String>,
    /// What one would like to be called.
    pub name: Option<String>,
    /// Rooms to go into.
    pub rooms: Option<Vec<String>>,
    /// For a server that asks for one.
    pub password: Option<String>,
    /// The first line of this file is the password.
    pub password_file: Option<PathBuf>,
    /// Wait for a server that is not there yet.
    pub wait: Option<bool>,
    /// Seconds without an answer after which a script gives up.
    pub timeout: Option<u32>,
}

/// All settings.
pub struct Config {
    /// Which server to go to.
    pub server: Destination,
    /// What one would like to be called.
    pub name: String,
    /// Rooms to go into; none: the lobby.
    pub rooms: Vec<String>,
    /// For a server that asks for one.
    pub password: Option<Password>,
    /// Wait for a server that is not there yet.
    pub wait: bool,
    /// Seconds without an answer after which a script gives up.
    pub timeout: u32,
}

/// Seconds without an answer after which a script gives up.
pub const DEFAULT_TIMEOUT: u32 = 60;

impl PartialConfig {
    /// What the file says: that at `path`, which must be there, or else the
    /// one in its usual place, which need not.
    ///
    /// # Errors
    /// The file cannot be read, or says something that is no setting; the
    /// error names the key and the line.
    pub fn from_file(path: Option<&Path>) -> Result<Self> {
        let Some((mut partial, directory)) = read_config_file::<Self>(path, "client.toml")? else {
            return Ok(Self::default());
        };
        if let Some(file) = &mut partial.password_file {
            *file = directory.join(&*file);
        }
        Ok(partial)
    }

    /// What the environment says; flags that take theirs from it are not
    /// here.
    ///
    /// # Errors
    /// A variable that makes no sense.
    pub fn from_environment() -> Result<Self> {
        let timeout = env_text("PI_CHAT_TIMEOUT");
        let timeout = timeout
            .map(|it| it.parse().with_context(|| format!("PI_CHAT_TIMEOUT={it} is no number")))
            .transpose()?;
        Ok(Self {
            server: env_text("PI_CHAT_SERVER"),
            name: env_text("PI_CHAT_NAME"),
            rooms: env_text("PI_CHAT_ROOM").map(|it| split_rooms(&it)),
            password: env_text("PI_CHAT_PASSWORD"),
            password_file: env_text("PI_CHAT_PASSWORD_FILE").map(PathBuf::from),
            wait: env_bool("PI_CHAT_WAIT")?,
            timeout,
        })
    }

    /// Fills in what is left out here from `other`. A password of either
    /// sort takes precedence over one of either sort.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let has_password = self.password.is_some() || self.password_file.is_some();
        let (password, password_file) = if has_password {
            (self.password, self.password_file)
        } else {
            (other.password, other.password_file)
        };
        Self {
            server: self.server.or(other.server),
            name: self.name.or(other.name),
            rooms: self.rooms.or(other.rooms),
            password,
            password_file,
            wait: self.wait.or(other.wait),
            timeout: self.timeout.or(other.timeout),
        }
    }

    /// The server that is named, if one is.
    ///
    /// # Errors
    /// It is no address.
    pub fn server_address(&self) -> Result<Option<HostAddress>> {
        let parse = |text: &String| {
            text.parse().with_context(|| format!("“{text}” is no server's address"))
        };
        self.server.as_ref().map(parse).transpose()
    }

    /// Checks everything and fills in what nobody has said, but for the
    /// server.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn into_config(self, server: Destination) -> Result<Config> {
        let mut password = self.password;
        if let (None, Some(file)) = (&password, &self.password_file) {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read the password in {}", file.display()))?;
            password = text.lines().next().map(str::to_owned);
        }
        if password.as_ref().is_some_and(|it| it.is_empty() || it.len() > MAX_PASSWORD) {
            bail!("a password has 1 to {MAX_PASSWORD} bytes");
        }
        Ok(Config {
            server,
            name: self.name.unwrap_or_else(default_username),
            rooms: self.rooms.unwrap_or_default(),
            password: password.map(Password),
            wait: self.wait.unwrap_or(false),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}

/// Rooms separated by commas or blanks, as people show them or not.
#[must_use]
pub fn split_rooms(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .map(|it| it.trim_start_matches('#').to_owned())
        .filter(|it| !it.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error for a mistake in the file says where it is.
    #[test]
    fn config_error_names_key_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.toml");
        fs::write(&path, "server = \"pi\"\nnmae = \"anna\"\n").unwrap();
        let error = format!("{:#}", PartialConfig::from_file(Some(&path)).err().unwrap());
        assert!(error.contains("nmae") && error.contains("line 2"), "{error}");
        fs::write(&path, "server = \"pi\"\npassword-file = \"secret\"\n").unwrap();
        let partial = PartialConfig::from_file(Some(&path)).unwrap();
        assert_eq!(partial.password_file, Some(directory.path().join("secret")));
    }

    /// What is nearer wins; a server need not be named.
    #[test]
    fn higher_precedence_wins() {
        let near = PartialConfig { name: Some("a".to_owned()), ..PartialConfig::default() };
        let far = PartialConfig {
            name: Some("b".to_owned()),
            server: Some("pi".to_owned()),
            ..PartialConfig::default()
        };
        assert_eq!(near.server_address().unwrap(), None);
        let both = near.or(far);
        let address = both.server_address().unwrap().unwrap();
        let config = both.into_config(address.into()).unwrap();
        assert_eq!((config.name.as_str(), config.server.address.host.as_str()), ("a", "pi"));
        let wrong = PartialConfig { server: Some("a b".to_owned()), ..PartialConfig::default() };
        assert!(wrong.server_address().is_err());
    }
}
