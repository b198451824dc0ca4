//! Configuration of `chat-client`. In order of precedence: flags, environment variables, the file
//! `client.toml`, built-in defaults.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::user::{default_username, env_bool, read_config_file};
use crate::client::Destination;
use crate::model::limits::MAX_PASSWORD;
use crate::model::{InvitationCode, Password, strip_room_prefix};
use crate::text_input::{env_path, env_text, read_first_line};
use crate::tls::{SaidFingerprint, ServerLink};

/// Optional settings from one source: flags, environment or file. The field names are the keys of
/// the file. `None` means that this source does not have the setting.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PartialConfig {
    /// Server address, as `host[:port]`, `chats://host[:port]` (TLS) or
    /// `chat://host[:port]` (plain), or a link with the server's fingerprint or an invitation.
    /// Default: a server discovered on the local network.
    pub server: Option<String>,
    /// Requested username. Default, if the user can be asked: the
    /// [remembered](super::remembered_name) one. Otherwise, or if none is remembered: the login
    /// name.
    pub name: Option<String>,
    /// Names of the rooms to join. Default: the server's lobby.
    pub rooms: Option<Vec<String>>,
    /// Password of the server, if it requires one. Takes precedence over `password_file`.
    pub password: Option<String>,
    /// Path of a file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Code of an invitation, or a link with it. Takes precedence over that of the server's
    /// address. Not in the file, for it is used once.
    #[serde(skip)]
    pub invite: Option<String>,
    /// True to prove no key of the user to servers. Default: false.
    pub no_key: Option<bool>,
    /// True to retry the first connection until the server is reachable. False to give up when it
    /// fails. Default: false.
    pub wait: Option<bool>,
    /// Maximum time without an answer once the input has ended, in seconds. After it, the client no
    /// longer waits for acknowledgements. Default: [`DEFAULT_TIMEOUT`].
    pub timeout: Option<u32>,
}

/// Complete settings of `chat-client`, with defaults filled in.
pub struct Config {
    /// Server to connect to, named or discovered.
    pub server: Destination,
    /// Fingerprint that the server must have; `None` if the user has said none.
    pub fingerprint: Option<SaidFingerprint>,
    /// Requested username.
    pub name: String,
    /// True if the user has not chosen this name: it is the remembered one, or the login name.
    pub is_default_name: bool,
    /// Names of the rooms to join. Empty: the server's lobby.
    pub rooms: Vec<String>,
    /// Password of the server; `None` if the user gave none.
    pub password: Option<Password>,
    /// Invitation to the server; `None` if the user gave none.
    pub invite: Option<InvitationCode>,
    /// True to prove no key of the user to the server.
    pub no_key: bool,
    /// True to retry the first connection until the server is reachable. False to give up when it
    /// fails.
    pub wait: bool,
    /// Maximum time without an answer once the input has ended, in seconds. After it, the client no
    /// longer waits for acknowledgements.
    pub timeout: u32,
}

/// Default of the `timeout` setting, in seconds.
pub const DEFAULT_TIMEOUT: u32 = 60;

impl PartialConfig {
    /// Reads the settings of a configuration file. With `path`, this is the file at `path`, which
    /// must exist. Without it, this is `client.toml` in the user's configuration directory. If that
    /// file does not exist, returns no settings. A relative `password-file` is resolved against the
    /// directory of the file.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, or has an invalid value. The error names the
    /// key and the line.
    pub fn from_file(path: Option<&Path>) -> Result<Self> {
        let Some((mut partial, directory)) = read_config_file::<Self>(path, "client.toml")? else {
            return Ok(Self::default());
        };
        if let Some(file) = &mut partial.password_file {
            *file = directory.join(&*file);
        }
        Ok(partial)
    }

    /// Reads the settings in environment variables: `PI_CHAT_SERVER`, `PI_CHAT_NAME`,
    /// `PI_CHAT_ROOM`, `PI_CHAT_PASSWORD`, `PI_CHAT_PASSWORD_FILE`, `PI_CHAT_INVITE`,
    /// `PI_CHAT_NO_KEY`, `PI_CHAT_WAIT`, `PI_CHAT_TIMEOUT`. An empty variable counts as unset.
    ///
    /// # Errors
    /// `PI_CHAT_TIMEOUT` is not a number, `PI_CHAT_NO_KEY` or `PI_CHAT_WAIT` not a boolean, or
    /// another value not UTF-8, except the path.
    pub fn from_environment() -> Result<Self> {
        let timeout = env_text("PI_CHAT_TIMEOUT")?
            .map(|it| {
                it.parse().map_err(|_| anyhow!("PI_CHAT_TIMEOUT={it} must be a whole number"))
            })
            .transpose()?;
        Ok(Self {
            server: env_text("PI_CHAT_SERVER")?,
            name: env_text("PI_CHAT_NAME")?,
            rooms: env_text("PI_CHAT_ROOM")?.map(|it| split_rooms(&it)),
            password: env_text("PI_CHAT_PASSWORD")?,
            password_file: env_path("PI_CHAT_PASSWORD_FILE"),
            invite: env_text("PI_CHAT_INVITE")?,
            no_key: env_bool("PI_CHAT_NO_KEY")?,
            wait: env_bool("PI_CHAT_WAIT")?,
            timeout,
        })
    }

    /// Merges two sources: missing settings are taken from `other`, the source of lower precedence.
    /// If a password or password file is set here, neither is taken from `other`.
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
            invite: self.invite.or(other.invite),
            no_key: self.no_key.or(other.no_key),
            wait: self.wait.or(other.wait),
            timeout: self.timeout.or(other.timeout),
        }
    }

    /// Parses the server's address or the link to it. Returns `None` if no server is set.
    ///
    /// # Errors
    /// It is neither.
    pub fn server_link(&self) -> Result<Option<ServerLink>> {
        let parse = |text: &String| {
            text.parse().with_context(|| format!("“{text}” is not the address of a server"))
        };
        self.server.as_ref().map(parse).transpose()
    }

    /// Returns the invitation to the server of this link: the setting, else that of the link.
    ///
    /// # Errors
    /// The setting can be no invitation.
    pub fn invite(&self, link: Option<&ServerLink>) -> Result<Option<InvitationCode>> {
        match &self.invite {
            Some(text) => Ok(Some(InvitationCode::from_text(text)?)),
            None => Ok(link.and_then(|it| it.invite)),
        }
    }

    /// Completes the settings: reads the password file, checks the password, and fills in defaults:
    /// for the username the login name, not the remembered one. Does not validate the names of user
    /// and rooms. `server` and `fingerprint` take the place of [`Self::server`], `invite` of
    /// [`Self::invite`].
    ///
    /// # Errors
    /// The password file cannot be read, or the password is empty or longer than 256 bytes.
    pub fn into_config(
        self,
        server: Destination,
        fingerprint: Option<SaidFingerprint>,
        invite: Option<InvitationCode>,
    ) -> Result<Config> {
        let mut password = self.password;
        if let (None, Some(file)) = (&password, &self.password_file) {
            let line = read_first_line(file)
                .with_context(|| format!("cannot read the password file {}", file.display()))?;
            password = Some(line);
        }
        if password.as_ref().is_some_and(|it| it.is_empty() || it.len() > MAX_PASSWORD) {
            bail!("the password must have 1 to {MAX_PASSWORD} bytes");
        }
        Ok(Config {
            server,
            fingerprint,
            is_default_name: self.name.is_none(),
            name: self.name.unwrap_or_else(default_username),
            rooms: self.rooms.unwrap_or_default(),
            password: password.map(Password),
            invite,
            no_key: self.no_key.unwrap_or(false),
            wait: self.wait.unwrap_or(false),
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}

/// Splits a list of room names at commas and spaces. Removes all `#` at the beginning of a name.
/// Leaves out empty names.
#[must_use]
pub fn split_rooms(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .map(|it| strip_room_prefix(it).to_owned())
        .filter(|it| !it.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An unknown key is an error that names its line. A relative `password-file` is resolved
    /// against the directory of the file.
    #[test]
    fn config_errors_name_line_and_paths_are_relative_to_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("client.toml");
        fs::write(&path, "server = \"pi\"\nnmae = \"anna\"\n").unwrap();
        let error = format!("{:#}", PartialConfig::from_file(Some(&path)).err().unwrap());
        assert!(error.ends_with("line 2: unknown key “nmae”; did you mean “name”?"), "{error}");
        fs::write(&path, "server = \"pi\"\npassword-file = \"secret\"\n").unwrap();
        let partial = PartialConfig::from_file(Some(&path)).unwrap();
        assert_eq!(partial.password_file, Some(directory.path().join("secret")));
    }

    /// The source of lower precedence fills in only missing settings. A missing server is no error.
    #[test]
    fn higher_precedence_wins() {
        let near = PartialConfig { name: Some("a".to_owned()), ..PartialConfig::default() };
        let far = PartialConfig {
            name: Some("b".to_owned()),
            server: Some("pi".to_owned()),
            ..PartialConfig::default()
        };
        assert_eq!(near.server_link().unwrap(), None);
        let both = near.or(far);
        let link = both.server_link().unwrap().unwrap();
        let config = both.into_config(link.address.into(), None, None).unwrap();
        assert_eq!((config.name.as_str(), config.server.address.host.as_str()), ("a", "pi"));
        let wrong = PartialConfig { server: Some("a b".to_owned()), ..PartialConfig::default() };
        assert!(wrong.server_link().is_err());
    }

    /// An invitation that was given by itself goes before that of the link, and may be a link, too.
    #[test]
    fn invite_goes_before_that_of_the_link() {
        let resolve = |server: &str, invite: Option<&str>| {
            let server = Some(server.to_owned());
            let invite = invite.map(str::to_owned);
            let partial = PartialConfig { server, invite, ..PartialConfig::default() };
            let link = partial.server_link().unwrap();
            partial.invite(link.as_ref()).map(|it| it.map(|it| it.to_string())).ok()
        };
        let code = |it: &str| Some(Some(it.to_owned()));
        let (linked, other) = ("ABCD-EFGH-JKMN-PQRS", "0000-0000-0000-0000");
        let link = format!("chats://pi:7/#invite={linked}");
        assert_eq!(resolve("pi", None), Some(None));
        assert_eq!(resolve(&link, None), code(linked));
        assert_eq!(resolve(&link, Some(" oooo 0000-0000 0000 ")), code(other));
        assert_eq!(resolve("pi", Some(&link)), code(linked));
        for wrong in [" ", "chats://pi/#invite=", "ABCD"] {
            assert_eq!(resolve("pi", Some(wrong)), None, "{wrong}");
        }
    }
}
