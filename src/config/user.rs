//! Configuration that the users' programs `chat-client` and `chat-peer` share: directories, the
//! default username, and the reading of configuration files and boolean environment variables.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use directories::ProjectDirs;
use serde::de::DeserializeOwned;

use super::parse_toml;
use crate::model::Username;
use crate::text_input::{self, env_text};

/// Returns the platform's configuration and state directories for pi-chat. `None` if the user has
/// no home directory.
pub(super) fn project_directories() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "pi-chat")
}

/// Returns the directory for saved state (sessions, the peer's key). The directory may not exist
/// yet. `None` if the user has no home directory.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    let all = project_directories()?;
    Some(all.state_dir().unwrap_or_else(|| all.data_local_dir()).to_owned())
}

/// Reads and parses a configuration file. With `path`, this is the file at `path`, which must
/// exist. Without it, this is the file `default_name` in the user's configuration directory.
///
/// Returns the settings and the directory of the file. Relative paths in the file must be resolved
/// against this directory. Returns `None` if `path` is `None`, and the default file does not exist
/// or the user has no home directory.
///
/// # Errors
/// The file cannot be read, has an unknown key, or has an invalid value. The error names the key
/// and the line.
pub(super) fn read_config_file<T: DeserializeOwned>(
    path: Option<&Path>,
    default_name: &str,
) -> Result<Option<(T, PathBuf)>> {
    let default = project_directories().map(|it| it.config_dir().join(default_name));
    let Some(found) = path.map(Path::to_owned).or_else(|| default.filter(|it| it.exists())) else {
        return Ok(None);
    };
    let text = text_input::read_file(&found)
        .with_context(|| format!("cannot read {}", found.display()))?;
    let settings = parse_toml(&found, &text)?;
    let directory = found.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Some((settings, directory)))
}

/// Returns the value of a boolean environment variable; `None` if it is unset or empty.
///
/// # Errors
/// The value is not UTF-8, or neither true (`1`, `true`, `yes`) nor false (`0`, `false`, `no`).
pub(super) fn env_bool(key: &str) -> Result<Option<bool>> {
    env_text(key)?.map(|text| parse_bool(key, &text)).transpose()
}

/// Parses the value of a boolean environment variable. `key` is its name, for the error.
///
/// # Errors
/// The value is neither true (`1`, `true`, `yes`) nor false (`0`, `false`, `no`).
fn parse_bool(key: &str, text: &str) -> Result<bool> {
    match text {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => bail!("{key}={text} must be 1 or 0"),
    }
}

/// Returns the default username: the login name, converted to a valid username; `guest` if nothing
/// valid is left of it.
#[must_use]
pub fn default_username() -> String {
    username_from_login(&whoami::username().unwrap_or_default())
}

/// Converts a login name to a valid username; `CORP\anna smith` becomes `anna-smith`.
///
/// Drops the domain (before `\` or `/`, or after `@`), and converts the rest by
/// [`Username::from_text`].
fn username_from_login(login: &str) -> String {
    let last = login.rsplit(['\\', '/']).next().unwrap_or_default();
    let last = last.split('@').next().unwrap_or_default();
    Username::from_text(last).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Domains are dropped, invalid characters become `-`, and the length is limited.
    #[test]
    fn login_names_become_valid_usernames() {
        for (login, name) in [
            ("anna", "anna"),
            ("CORP\\anna smith", "anna-smith"),
            ("anna@example.com", "anna"),
            ("_www", "www"),
            ("", "guest"),
            ("é", "é"),
        ] {
            assert_eq!(username_from_login(login), name, "{login}");
        }
        assert_eq!(username_from_login(&"x".repeat(100)).len(), 32);
    }
    /// A value that is neither true nor false is an error that names the variable.
    #[test]
    fn booleans_are_parsed() {
        let says = |text| parse_bool("PI_CHAT_ASK", text);
        assert!(says("1").unwrap() && says("true").unwrap() && !says("0").unwrap());
        assert_eq!(says("maybe").unwrap_err().to_string(), "PI_CHAT_ASK=maybe must be 1 or 0");
    }
}
