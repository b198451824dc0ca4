//! Configuration of `chat-peer`. In order of precedence: flags, environment variables, the file
//! `peer.toml`, built-in defaults. systemd may pass the passphrase as a credential.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::user::{default_username, env_bool, read_config_file};
use crate::model::limits::DEFAULT_PORT;
use crate::model::{HostAddress, Password, RoomName, Username, strip_room_prefix};
use crate::peer::NetworkSettings;
use crate::text_input::{env_path, env_text, read_first_line};

/// Optional settings from one source: flags, environment or file. The field names are the keys of
/// the file. `None` means that this source does not have the setting.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PartialConfig {
    /// Requested username. Default, if the user can be asked: the
    /// [remembered](super::remembered_name) one. Otherwise, or if none is remembered: the login
    /// name.
    pub name: Option<String>,
    /// Name of the room to join. Default: the lobby.
    pub room: Option<String>,
    /// Path of a file whose first line is the room's passphrase. Default: systemd's credential; if
    /// there is none, the room is open.
    pub passphrase_file: Option<PathBuf>,
    /// UDP port of the room. Default: 2428.
    pub port: Option<u16>,
    /// Names of the network interfaces to use. Default, also if empty: all except loopbacks.
    pub interfaces: Option<Vec<String>>,
    /// Hosts outside the local network, as `host[:port]`. Unicast copies are sent to them.
    pub peers: Option<Vec<String>>,
    /// True to ask the user before each candidate is admitted. Default: false.
    pub ask: Option<bool>,
}

/// Complete, checked settings of `chat-peer`, with defaults filled in.
pub struct Config {
    /// Requested username.
    pub name: Username,
    /// Name of the room to join.
    pub room: RoomName,
    /// Passphrase of a closed room. `None` for an open room.
    pub passphrase: Option<Password>,
    /// UDP port, network interfaces, and hosts outside the local network.
    pub network: NetworkSettings,
    /// True to ask the user before each candidate is admitted.
    pub ask: bool,
}

impl PartialConfig {
    /// Reads the settings of a configuration file. With `path`, this is the file at `path`, which
    /// must exist. Without it, this is `peer.toml` in the user's configuration directory. If that
    /// file does not exist, returns no settings. A relative `passphrase-file` is resolved against
    /// the directory of the file.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, or has an invalid value. The error names the
    /// key and the line.
    pub fn from_file(path: Option<&Path>) -> Result<Self> {
        let Some((mut partial, directory)) = read_config_file::<Self>(path, "peer.toml")? else {
            return Ok(Self::default());
        };
        if let Some(file) = &mut partial.passphrase_file {
            *file = directory.join(&*file);
        }
        Ok(partial)
    }

    /// Reads the settings in environment variables: `PI_CHAT_NAME`, `PI_CHAT_ROOM`,
    /// `PI_CHAT_PASSPHRASE_FILE`, `PI_CHAT_PORT`, `PI_CHAT_INTERFACE`, `PI_CHAT_PEER`,
    /// `PI_CHAT_ASK`. An empty variable counts as unset.
    ///
    /// # Errors
    /// `PI_CHAT_PORT` is not a port number, `PI_CHAT_ASK` not a boolean, or another value not
    /// UTF-8, except the path.
    pub fn from_environment() -> Result<Self> {
        let list = |key: &str| env_text(key).map(|text| text.map(|it| split_list(&it)));
        let port = env_text("PI_CHAT_PORT")?
            .map(|it| it.parse().map_err(|_| anyhow!("PI_CHAT_PORT={it} must be from 1 to 65535")))
            .transpose()?;
        Ok(Self {
            name: env_text("PI_CHAT_NAME")?,
            room: env_text("PI_CHAT_ROOM")?,
            passphrase_file: env_path("PI_CHAT_PASSPHRASE_FILE"),
            port,
            interfaces: list("PI_CHAT_INTERFACE")?,
            peers: list("PI_CHAT_PEER")?,
            ask: env_bool("PI_CHAT_ASK")?,
        })
    }

    /// Merges two sources: missing settings are taken from `other`, the source of lower precedence.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            room: self.room.or(other.room),
            passphrase_file: self.passphrase_file.or(other.passphrase_file),
            port: self.port.or(other.port),
            interfaces: self.interfaces.or(other.interfaces),
            peers: self.peers.or(other.peers),
            ask: self.ask.or(other.ask),
        }
    }

    /// Completes and checks the settings. Parses names and addresses, reads the passphrase, and
    /// fills in defaults: for the username the login name, not the remembered one. The passphrase
    /// comes from `passphrase_file`, otherwise from systemd's credential. If there is neither, the
    /// room is open.
    ///
    /// # Errors
    /// A name, port or address is invalid, or the passphrase cannot be read or is empty.
    pub fn into_config(self) -> Result<Config> {
        let name = self.name.unwrap_or_else(default_username);
        let name = Username::new(&name).map_err(|it| anyhow!("“{name}” cannot be a name: {it}"))?;
        let room = match self.room {
            Some(room) => RoomName::new(strip_room_prefix(&room))
                .map_err(|it| anyhow!("“{room}” cannot be the name of a room: {it}"))?,
            None => RoomName::lobby(),
        };
        let port = self.port.unwrap_or(DEFAULT_PORT);
        if port == 0 {
            bail!("the port must be from 1 to 65535");
        }
        let parse = |it: &String| {
            it.parse().with_context(|| format!("“{it}” is not the address of a peer"))
        };
        let hosts: Result<Vec<HostAddress>> = self.peers.iter().flatten().map(parse).collect();
        let interfaces = self.interfaces.into_iter().flatten().collect();
        let passphrase = match (self.passphrase_file, env::var_os("CREDENTIALS_DIRECTORY")) {
            (Some(file), _) => Some(read_passphrase(&file)?),
            (None, Some(directory)) => systemd_passphrase(Path::new(&directory))?,
            (None, None) => None,
        };
        let network = NetworkSettings { port, interfaces, hosts: hosts? };
        Ok(Config { name, room, passphrase, network, ask: self.ask.unwrap_or(false) })
    }
}

/// Splits a list at commas and spaces. Leaves out empty items.
#[must_use]
pub fn split_list(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// Content of the passphrase credential that means no passphrase. The systemd unit sets it as the
/// default, with `SetCredential`.
const EMPTY_CREDENTIAL: &[u8] = b"\n";

/// Reads the passphrase that systemd passes to the service (`LoadCredential`): the first line of
/// the file `passphrase` in `directory`. Returns `None` if there is no such file or if it is
/// [`EMPTY_CREDENTIAL`].
///
/// # Errors
/// The file cannot be read, is not text, or its first line is empty. Such a file does not mean an
/// open room: joining an open room by mistake would expose messages.
fn systemd_passphrase(directory: &Path) -> Result<Option<Password>> {
    let file = directory.join("passphrase");
    match fs::read(&file) {
        Ok(bytes) if bytes == EMPTY_CREDENTIAL => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read_passphrase(&file).map(Some),
    }
}

/// Reads a passphrase: the first line of a file.
///
/// # Errors
/// The file cannot be read, is not text, or its first line is empty.
fn read_passphrase(file: &Path) -> Result<Password> {
    let line = read_first_line(file)
        .with_context(|| format!("cannot read the passphrase file {}", file.display()))?;
    if line.is_empty() {
        bail!("the first line of {} is empty: write the passphrase there", file.display());
    }
    Ok(Password(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Configuration file that the Debian package installs.
    const PACKAGED_CONFIG: &str = include_str!("../../debian/chat-peer.toml");

    /// The file of the package sets nothing. Its comments show every key.
    #[test]
    fn packaged_config_is_all_comments_and_shows_every_key() {
        let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
        assert!(PACKAGED_CONFIG.lines().all(is_comment));
        let shown: String = PACKAGED_CONFIG
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
            .fold(String::new(), |all, line| all + line + "\n");
        let shown: PartialConfig = toml::from_str(&shown).unwrap();
        let PartialConfig { name, room, passphrase_file, port, interfaces, peers, ask } = shown;
        assert_eq!((room.as_deref(), port, ask), (Some("lobby"), Some(DEFAULT_PORT), Some(false)));
        assert_eq!((interfaces, peers), (Some(Vec::new()), Some(Vec::new())));
        assert!(name.is_some() && passphrase_file.is_some());
    }

    /// An unknown key is an error that names its line. A relative `passphrase-file` is resolved
    /// against the directory of the file.
    #[test]
    fn config_errors_name_line_and_paths_are_relative_to_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peer.toml");
        fs::write(&path, "room = \"pi\"\nrooom = \"anna\"\n").unwrap();
        let error = format!("{:#}", PartialConfig::from_file(Some(&path)).err().unwrap());
        assert!(error.contains("rooom") && error.contains("line 2"), "{error}");
        fs::write(&path, "passphrase-file = \"secret\"\npeers = [\"pi:7\"]\n").unwrap();
        fs::write(directory.path().join("secret"), "open sesame\r\nmore\n").unwrap();
        let config = PartialConfig::from_file(Some(&path)).unwrap().into_config().unwrap();
        assert_eq!(config.passphrase, Some(Password("open sesame".to_owned())));
        assert_eq!(config.network.hosts[0].to_string(), "pi:7");
    }

    /// A credential other than a single newline must begin with a passphrase.
    #[test]
    fn only_an_empty_credential_means_no_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("passphrase");
        assert_eq!(systemd_passphrase(directory.path()).unwrap(), None);
        for (bytes, passphrase) in [(&b"\n"[..], None), (b"open sesame\n", Some("open sesame"))] {
            fs::write(&file, bytes).unwrap();
            let wanted = passphrase.map(|it| Password(it.to_owned()));
            assert_eq!(systemd_passphrase(directory.path()).unwrap(), wanted);
        }
        for wrong in [&b""[..], b"\nopen sesame\n", b"caf\xe9\n"] {
            fs::write(&file, wrong).unwrap();
            assert!(systemd_passphrase(directory.path()).is_err(), "{wrong:?}");
        }
        // A credential that cannot be looked up may be there: here its directory is a file.
        assert!(systemd_passphrase(&file).is_err());
    }

    /// The source of lower precedence fills in only missing settings.
    #[test]
    fn higher_precedence_wins_and_invalid_values_are_rejected() {
        let near = PartialConfig {
            name: Some("anna".to_owned()),
            port: Some(7),
            ..PartialConfig::default()
        };
        let far = PartialConfig {
            name: Some("bob".to_owned()),
            room: Some("#Garden".to_owned()),
            ..PartialConfig::default()
        };
        let config = near.or(far).into_config().unwrap();
        assert_eq!((config.name.as_str(), config.room.as_str()), ("anna", "Garden"));
        assert_eq!(config.network.port, 7);
        for wrong in [
            PartialConfig { name: Some("two words".to_owned()), ..PartialConfig::default() },
            PartialConfig { room: Some("two words".to_owned()), ..PartialConfig::default() },
            PartialConfig { port: Some(0), ..PartialConfig::default() },
            PartialConfig { peers: Some(vec!["http://pi".to_owned()]), ..PartialConfig::default() },
            PartialConfig { passphrase_file: Some("/nowhere".into()), ..PartialConfig::default() },
        ] {
            assert!(wrong.into_config().is_err());
        }
    }
}
