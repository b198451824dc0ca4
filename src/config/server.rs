//! Configuration of `chat-server`. In order of precedence: flags, environment variables, a TOML
//! file, built-in defaults.
//!
//! The struct [`ServerOptions`] describes the first three sources together. So each option is
//! documented once. The options are converted to the server's settings.

mod identity;
mod log;
#[cfg(test)]
mod tests;
mod tls;
mod web;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use self::identity::{AccessMode, ClaimMode};
use self::log::{DiskFailure, DurabilityMode};
use super::parse_toml;
use crate::log::LogSettings;
use crate::model::limits::MAX_FRAME;
use crate::model::{
    AnnouncementText, HubSettings, IpNetwork, NetworkError, Retention, RoomName, Scheme,
    strip_room_prefix,
};
use crate::server::{
    BackupSettings, ControlSocket, FanoutLimits, FollowSettings, ListenAddress, ServerSettings,
};
use crate::text_input;
use crate::tls::ServerLink;

/// Options of the server from one source (flags and environment, or the file), each of them
/// optional. The field names in kebab case are the keys of the file. The flags have the same names,
/// except `--data` for `data-dir`; `password` has no flag.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerOptions {
    /// Listen here; can be given several times. Port 0 takes any free port. A link-local IPv6
    /// address needs its interface after a %: [fe80::1%eth0]:2428
    /// [default: [::]:2428, all addresses of IPv6 and IPv4]
    #[arg(long, value_name = "ADDR:PORT", env = "CHAT_SERVER_LISTEN", value_delimiter = ',')]
    listen: Option<Vec<ListenAddress>>,

    /// Accept plain, unencrypted TCP too; false: TLS and browsers only [default: true]
    #[arg(long, value_name = "BOOL", env = "CHAT_SERVER_PLAIN")]
    plain: Option<bool>,

    /// Accept TLS. Without --data, the server keeps no key, and you must give one with
    /// --tls-certificate [default: true if there is a key and an address]
    #[arg(long, value_name = "BOOL", env = "CHAT_SERVER_TLS")]
    tls: Option<bool>,

    /// Listen here for TLS; can be given several times, as --listen
    /// [default: port 2429 at the addresses of --listen that have port 2428, with --plain false at
    /// all of them; left out if another program uses this port]
    #[arg(long, value_name = "ADDR:PORT", env = "CHAT_SERVER_TLS_LISTEN", value_delimiter = ',')]
    tls_listen: Option<Vec<ListenAddress>>,

    /// Use the certificate in this file for TLS (PEM, followed by its chain), and the key in --tls-key
    /// [default: one that the server makes and keeps with its messages]
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_TLS_CERTIFICATE")]
    tls_certificate: Option<PathBuf>,

    /// Private key of --tls-certificate (PEM)
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Let browsers in over plain HTTP: serve the page, and accept WebSockets [default: true]
    #[arg(long, value_name = "BOOL", env = "CHAT_SERVER_WEB")]
    web: Option<bool>,

    /// Listen here for browsers; can be given several times, as --listen
    /// [default: [::]:2480, unless another program uses this port]
    #[arg(long, value_name = "ADDR:PORT", env = "CHAT_SERVER_WEB_LISTEN", value_delimiter = ',')]
    web_listen: Option<Vec<ListenAddress>>,

    /// Let browsers in over https too, with the key and certificate of TLS; with --web false, over
    /// https only. Browsers warn about a certificate that the server has made itself
    /// [default: false]
    #[arg(long, value_name = "BOOL", env = "CHAT_SERVER_WEB_TLS")]
    web_tls: Option<bool>,

    /// Listen here for browsers over https; can be given several times, as --listen
    /// [default: [::]:2443, unless another program uses this port]
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CHAT_SERVER_WEB_TLS_LISTEN",
        value_delimiter = ','
    )]
    web_tls_listen: Option<Vec<ListenAddress>>,

    /// Directory with the files of the page for browsers [default: /usr/share/chat-server/web]
    #[arg(long, value_name = "DIR", env = "CHAT_SERVER_WEB_ROOT")]
    web_root: Option<PathBuf>,

    /// Host names by which browsers may reach this server, besides addresses, localhost, *.local and
    /// the name of this machine [default: none]
    #[arg(long, value_name = "HOST", env = "CHAT_SERVER_WEB_HOSTS", value_delimiter = ',')]
    web_hosts: Option<Vec<String>>,

    /// Origins (scheme and host) of other web pages that may connect to this server; *: all
    /// [default: none]
    #[arg(long, value_name = "ORIGIN", env = "CHAT_SERVER_WEB_ORIGINS", value_delimiter = ',')]
    web_origins: Option<Vec<String>>,

    /// Listen here for Prometheus, which reads metrics at /metrics; can be given several times, as
    /// --listen. Whoever reaches this address can read them [default: none]
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "CHAT_SERVER_METRICS_LISTEN",
        value_delimiter = ','
    )]
    metrics_listen: Option<Vec<ListenAddress>>,

    /// Reverse proxies, as addresses or networks: their connections, and only theirs, must begin
    /// with a PROXY protocol header of version 2, which gives the client's address; over HTTP,
    /// their X-Forwarded-For counts instead [default: none]
    #[arg(
        long,
        value_name = "ADDR[/BITS]",
        env = "CHAT_SERVER_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    trusted_proxies: Option<Vec<String>>,

    /// Name of this server [default: pi-chat]
    #[arg(long, value_name = "SERVERNAME", env = "CHAT_SERVER_NAME")]
    name: Option<String>,

    /// Message of the day: a line for everybody who comes in [default: none]
    #[arg(long, value_name = "TEXT", env = "CHAT_SERVER_MOTD")]
    motd: Option<String>,

    /// Let in only people who know this password. (No flag: the process list would
    /// show it.)
    #[arg(skip)]
    password: Option<String>,

    /// Let in only people who know the password in the first line of this file
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_PASSWORD_FILE")]
    password_file: Option<PathBuf>,

    /// What to do with a username that looks like the name of somebody here [default: refuse]
    #[arg(long, value_name = "POLICY", env = "CHAT_SERVER_LOOK_ALIKES")]
    look_alikes: Option<LookAlikes>,

    /// Who may come in: everybody (who knows the password, if there is one), or only people who
    /// were invited with `chat-server invite --code` [default: everybody]
    #[arg(long, value_name = "WHO", env = "CHAT_SERVER_ACCESS")]
    access: Option<AccessMode>,

    /// With --data, who may claim a name, so that nobody else gets it: nobody (off), people with an
    /// invitation (invited), or everybody whose client has a key (open), but from one address only
    /// 32 names and then one an hour [default: invited]
    #[arg(long, value_name = "WHO", env = "CHAT_SERVER_CLAIMS")]
    claims: Option<ClaimMode>,

    /// End the claim of a name that was not used for this many days; 0: never [default: 365]
    #[arg(long, value_name = "DAYS", env = "CHAT_SERVER_CLAIMS_UNUSED")]
    claims_unused: Option<u32>,

    /// Most connections altogether [default: 10000]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_MAX_CONNECTIONS")]
    max_connections: Option<usize>,

    /// Most connections from one address or IPv6 /64; other limits of an address grow with it
    /// [default: 256]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<usize>,

    /// Most rooms with somebody in them [default: 1000]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_MAX_ROOMS")]
    max_rooms: Option<usize>,

    /// Rooms that can always be entered, whatever the limits; the lobby is always one of them
    /// [default: lobby]
    #[arg(long, value_name = "ROOM", env = "CHAT_SERVER_RESERVED_ROOMS", value_delimiter = ',')]
    reserved_rooms: Option<Vec<String>>,

    /// Most sessions that are remembered, each for a day after its user has left [default: 20000]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_MAX_SESSIONS")]
    max_sessions: Option<usize>,

    /// Most messages and requests that one connection may send at once [default: 60]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_BURST")]
    burst: Option<u32>,

    /// How many per minute after that; whoever sends faster is read more slowly [default: 600]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_PER_MINUTE")]
    per_minute: Option<u32>,

    /// Most bytes that one slow reader may lag behind [default: 1048576]
    #[arg(long, value_name = "BYTES", env = "CHAT_SERVER_MAX_BACKLOG")]
    max_backlog: Option<usize>,

    /// Most bytes that may wait for all slow readers together [default: 33554432]
    #[arg(long, value_name = "BYTES", env = "CHAT_SERVER_MAX_BACKLOG_TOTAL")]
    max_backlog_total: Option<usize>,

    /// Without --data, most messages that are kept of each room, at least 10 [default: 10000]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_LOG_LENGTH")]
    log_length: Option<usize>,

    /// Without --data, most memory for the messages of all rooms, in bytes [default: 33554432]
    #[arg(long, value_name = "BYTES", env = "CHAT_SERVER_LOG_BYTES")]
    log_bytes: Option<usize>,

    /// Keep messages in this directory, so that they survive a restart. Without it they are kept in
    /// systemd's STATE_DIRECTORY, otherwise in memory (--log-length, --log-bytes)
    #[arg(long = "data", value_name = "DIR", env = "CHAT_SERVER_DATA")]
    data_dir: Option<PathBuf>,

    /// With --data, what a power cut may cost: the last second (relaxed), or nothing that
    /// anybody saw (strict) [default: relaxed]
    #[arg(long, value_name = "MODE", env = "CHAT_SERVER_DURABILITY")]
    durability: Option<DurabilityMode>,

    /// With --data, what to do with messages while the disk cannot be written to: keep them in
    /// memory (continue), or refuse them [default: continue; with strict: refuse]
    #[arg(long, value_name = "WHAT", env = "CHAT_SERVER_ON_DISK_FAILURE")]
    on_disk_failure: Option<DiskFailure>,

    /// With --data, forget messages after this many days; 0: never [default: 0]
    #[arg(long, value_name = "DAYS", env = "CHAT_SERVER_KEEP_DAYS")]
    keep_days: Option<u32>,

    /// With --data, keep this many messages of each room, at least 10; 0: all [default: 0]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_KEEP_MESSAGES")]
    keep_messages: Option<u32>,

    /// With --data, keep this many bytes of messages on disk, at least 1048576; 0: no limit.
    /// The last 10 of each room always stay [default: 1073741824]
    #[arg(long, value_name = "BYTES", env = "CHAT_SERVER_KEEP_BYTES")]
    keep_bytes: Option<u64>,

    /// With --data, make a backup in this directory every night at 3 o'clock, or soon after the
    /// start if one was missed [default: none]
    #[arg(long, value_name = "DIR", env = "CHAT_SERVER_BACKUP_DIR")]
    backup_dir: Option<PathBuf>,

    /// With --backup-dir, keep this many of these backups, at least 1 [default: 7]
    #[arg(long, value_name = "N", env = "CHAT_SERVER_BACKUP_KEEP")]
    backup_keep: Option<usize>,

    /// Follow the server at this address over TLS: have a copy of all that it keeps, for readers,
    /// and to take its place (chat-server promote). Needs --data and --follow-key
    /// [default: none; port 2429]
    #[arg(long, value_name = "HOST[:PORT]", env = "CHAT_SERVER_FOLLOW")]
    follow: Option<String>,

    /// With --follow, file with the key of an owner of that server, such as the client.key of their
    /// chat-client [default: follow.key in --data]
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_FOLLOW_KEY")]
    follow_key: Option<PathBuf>,

    /// Unix socket for `chat-server status` and the other commands for a running server
    /// [default: control in systemd's RUNTIME_DIRECTORY, otherwise control.sock in --data,
    /// otherwise in a private directory of yours]
    #[arg(long, value_name = "SOCKET", env = "CHAT_SERVER_CONTROL")]
    control: Option<PathBuf>,

    /// Announce this server on the network, so that clients find it (DNS-SD, mDNS) [default: true]
    #[arg(long, value_name = "BOOL", env = "CHAT_SERVER_ANNOUNCE")]
    announce: Option<bool>,
}

/// Default of the `backup-keep` option: number of nightly backups to keep.
const DEFAULT_BACKUP_KEEP: usize = 7;

/// Value of the `look-alikes` option: policy for usernames that look like another user's
/// (confusable characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LookAlikes {
    /// They are refused.
    Refuse,
    /// They are let in.
    Allow,
}

/// Returns the directory that systemd passes to the service in an environment variable, such as
/// `STATE_DIRECTORY`. `None` if the variable is unset or does not begin with an absolute path.
fn systemd_directory(variable: &str) -> Option<PathBuf> {
    // The variable may hold several directories. The first is the service's own.
    env::split_paths(&env::var_os(variable)?).next().filter(|it| it.is_absolute())
}

impl ServerOptions {
    /// Reads the options in the configuration file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, or has a value of the wrong type. The error
    /// names the line.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = text_input::read_file(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        parse_toml(path, &text)
    }

    /// Returns options with only these two set, for [`Self::control_socket`].
    #[must_use]
    pub fn for_control_socket(control: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        Self { control, data_dir, ..Self::default() }
    }

    /// Merges two sources. Returns these options; missing ones are taken from `fallback`, the
    /// source of lower precedence. If a password or password file is set here, neither is taken
    /// from `fallback`.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        // `password` and `password-file` exclude each other. The source of higher precedence wins.
        let (password, password_file) = if self.password.is_some() || self.password_file.is_some() {
            (self.password, self.password_file)
        } else {
            (fallback.password, fallback.password_file)
        };
        Self {
            listen: self.listen.or(fallback.listen),
            plain: self.plain.or(fallback.plain),
            tls: self.tls.or(fallback.tls),
            tls_listen: self.tls_listen.or(fallback.tls_listen),
            tls_certificate: self.tls_certificate.or(fallback.tls_certificate),
            tls_key: self.tls_key.or(fallback.tls_key),
            web: self.web.or(fallback.web),
            web_listen: self.web_listen.or(fallback.web_listen),
            web_tls: self.web_tls.or(fallback.web_tls),
            web_tls_listen: self.web_tls_listen.or(fallback.web_tls_listen),
            web_root: self.web_root.or(fallback.web_root),
            web_hosts: self.web_hosts.or(fallback.web_hosts),
            web_origins: self.web_origins.or(fallback.web_origins),
            metrics_listen: self.metrics_listen.or(fallback.metrics_listen),
            trusted_proxies: self.trusted_proxies.or(fallback.trusted_proxies),
            motd: self.motd.or(fallback.motd),
            name: self.name.or(fallback.name),
            password,
            password_file,
            look_alikes: self.look_alikes.or(fallback.look_alikes),
            access: self.access.or(fallback.access),
            claims: self.claims.or(fallback.claims),
            claims_unused: self.claims_unused.or(fallback.claims_unused),
            max_connections: self.max_connections.or(fallback.max_connections),
            max_connections_per_address: self
                .max_connections_per_address
                .or(fallback.max_connections_per_address),
            max_rooms: self.max_rooms.or(fallback.max_rooms),
            reserved_rooms: self.reserved_rooms.or(fallback.reserved_rooms),
            max_sessions: self.max_sessions.or(fallback.max_sessions),
            burst: self.burst.or(fallback.burst),
            per_minute: self.per_minute.or(fallback.per_minute),
            max_backlog: self.max_backlog.or(fallback.max_backlog),
            max_backlog_total: self.max_backlog_total.or(fallback.max_backlog_total),
            log_length: self.log_length.or(fallback.log_length),
            log_bytes: self.log_bytes.or(fallback.log_bytes),
            data_dir: self.data_dir.or(fallback.data_dir),
            durability: self.durability.or(fallback.durability),
            on_disk_failure: self.on_disk_failure.or(fallback.on_disk_failure),
            keep_days: self.keep_days.or(fallback.keep_days),
            keep_messages: self.keep_messages.or(fallback.keep_messages),
            keep_bytes: self.keep_bytes.or(fallback.keep_bytes),
            backup_dir: self.backup_dir.or(fallback.backup_dir),
            backup_keep: self.backup_keep.or(fallback.backup_keep),
            follow: self.follow.or(fallback.follow),
            follow_key: self.follow_key.or(fallback.follow_key),
            control: self.control.or(fallback.control),
            announce: self.announce.or(fallback.announce),
        }
    }

    /// Returns the `data-dir` option, the directory in which the log is stored on disk. `None` if
    /// it is not set, even if systemd passes a `STATE_DIRECTORY`.
    #[must_use]
    pub fn data_dir(self) -> Option<PathBuf> {
        self.data_dir
    }

    /// Returns the path of the file that contains the password. This is `config`, the path of the
    /// configuration file, if the `password` option is set. Otherwise it is the `password-file`
    /// option. `None` if neither is set. Call it on merged options.
    #[must_use]
    pub fn password_path<'a>(&'a self, config: Option<&'a Path>) -> Option<&'a Path> {
        match self.password {
            Some(_) => config,
            None => self.password_file.as_deref(),
        }
    }

    /// Returns true if backups are wanted but none will be made, because there is no log on disk.
    #[must_use]
    pub fn lacks_log_to_back_up(&self) -> bool {
        self.backup_dir.is_some() && self.log_directory().is_none()
    }

    /// Returns the directory of the log on disk: the data directory, otherwise systemd's
    /// `STATE_DIRECTORY`. `None` for a log in memory.
    fn log_directory(&self) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| systemd_directory("STATE_DIRECTORY"))
    }

    /// Returns the settings of the nightly backups. `None` if `backup-dir` is not set.
    ///
    /// # Errors
    /// `backup-keep` is 0, even without `backup-dir`.
    fn backup_settings(&self) -> Result<Option<BackupSettings>> {
        let keep = self.backup_keep.unwrap_or(DEFAULT_BACKUP_KEEP);
        ensure!(keep >= 1, "backup-keep: must be at least 1");
        let directory = self.backup_dir.clone();
        Ok(directory.map(|directory| BackupSettings { directory, keep }))
    }

    /// Returns these options, with this server to follow.
    #[must_use]
    pub fn following(self, server: String) -> Self {
        Self { follow: Some(server), ..self }
    }

    /// Returns the file with the owner's key for a follower. `None` if the settings of a follower are
    /// missing or wrong.
    #[must_use]
    pub fn follow_key_path(&self) -> Option<PathBuf> {
        Some(self.follow_settings().ok()??.key)
    }

    /// Returns the settings of a follower. `None` if `follow` is not set, or empty. Without a directory
    /// for the copy, as only the service may know it, the server does not start.
    ///
    /// # Errors
    /// The address is none of TLS.
    fn follow_settings(&self) -> Result<Option<FollowSettings>> {
        let Some(text) = self.follow.as_deref().filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        let address = match text.contains("://") {
            true => text.to_owned(),
            false => format!("chats://{text}"),
        };
        let server: ServerLink =
            address.parse().with_context(|| format!("follow: “{text}” is no server's address"))?;
        ensure!(
            server.address.scheme == Some(Scheme::Tls),
            "follow: a server is followed over TLS only: chats://HOST"
        );
        let directory = self.log_directory().unwrap_or_default();
        let key = self.follow_key.clone().unwrap_or_else(|| directory.join("follow.key"));
        Ok(Some(FollowSettings { server, key }))
    }

    /// Returns the path of the control socket for `chat-server status` and `announce`. This is the
    /// `control` option, otherwise `control` in systemd's `RUNTIME_DIRECTORY`, otherwise
    /// `control.sock` in the data directory. `None` if none of these is set; then the server uses a
    /// private directory of the user.
    #[must_use]
    pub fn control_socket(&self) -> Option<PathBuf> {
        let in_runtime_directory = || Some(systemd_directory("RUNTIME_DIRECTORY")?.join("control"));
        let in_data = || Some(self.data_dir.as_ref()?.join("control.sock"));
        self.control.clone().or_else(in_runtime_directory).or_else(in_data)
    }

    /// Converts the options to checked server settings. Reads the password file and systemd's
    /// `STATE_DIRECTORY` and `RUNTIME_DIRECTORY`, and fills in defaults. The default of
    /// `max-sessions` grows to twice `max-connections`. For a log in memory, the retention is that
    /// of its limits.
    ///
    /// # Errors
    /// A value is invalid or out of its range, options contradict each other, or the password file
    /// cannot be read.
    pub fn into_settings(self) -> Result<ServerSettings> {
        let hub = HubSettings::default();
        let log = self.log_settings()?;
        let control = self.control_socket().map_or(ControlSocket::OfUser, ControlSocket::At);
        let backup = self.backup_settings()?;
        let tls = self.tls_settings()?;
        let follow = self.follow_settings()?;
        let plain = self.plain.unwrap_or(true);
        let is_durable = matches!(log, LogSettings::Disk(_));
        let retention = match &log {
            LogSettings::Memory(limits) => Retention {
                days: 0,
                messages: u32::try_from(limits.room_entries).unwrap_or(u32::MAX),
                bytes: limits.total_bytes as u64,
            },
            LogSettings::Disk(store) => store.retention,
        };
        let server = ServerSettings::default();
        let max_connections = self.max_connections.unwrap_or(hub.max_connections);
        let settings = ServerSettings {
            web: self.web_settings()?,
            listen: self.listen.unwrap_or_default(),
            plain,
            tls,
            metrics: self.metrics_listen.unwrap_or_default(),
            trusted_proxies: parse_networks(&self.trusted_proxies.unwrap_or_default())?,
            control,
            backup,
            follow,
            announce: self.announce.unwrap_or(server.announce),
            log,
            backlog: FanoutLimits {
                feed_bytes: self.max_backlog.unwrap_or(server.backlog.feed_bytes),
                total_bytes: self.max_backlog_total.unwrap_or(server.backlog.total_bytes),
            },
            hub: HubSettings {
                motd: parse_motd(self.motd.as_deref())?,
                server_name: self.name.unwrap_or(hub.server_name),
                password: read_password(self.password, self.password_file)?,
                refuse_lookalikes: self.look_alikes != Some(LookAlikes::Allow),
                access: self.access.map_or(hub.access, Into::into),
                claims: self.claims.map_or(hub.claims, Into::into),
                claims_unused: self.claims_unused.unwrap_or(hub.claims_unused),
                max_connections,
                max_connections_per_address: self
                    .max_connections_per_address
                    .unwrap_or(hub.max_connections_per_address),
                max_rooms: self.max_rooms.unwrap_or(hub.max_rooms),
                reserved_rooms: match self.reserved_rooms {
                    None => hub.reserved_rooms,
                    Some(names) => parse_rooms(&names)?,
                },
                max_sessions: self
                    .max_sessions
                    .unwrap_or_else(|| hub.max_sessions.max(max_connections.saturating_mul(2))),
                burst: self.burst.unwrap_or(hub.burst),
                frames_per_minute: self.per_minute.unwrap_or(hub.frames_per_minute),
                retention,
                is_durable,
                ..hub
            },
        };
        settings.hub.check()?;
        let FanoutLimits { feed_bytes, total_bytes } = settings.backlog;
        ensure!(feed_bytes >= MAX_FRAME, "max-backlog: must be at least {MAX_FRAME}");
        ensure!(
            total_bytes >= feed_bytes,
            "max-backlog-total: must be at least max-backlog ({feed_bytes})"
        );
        Ok(settings)
    }
}

/// Parses the addresses and networks of the `trusted-proxies` option.
///
/// # Errors
/// A text is no address or network.
fn parse_networks(texts: &[String]) -> Result<Vec<IpNetwork>> {
    let parse = |text: &String| {
        text.parse().map_err(|error: NetworkError| anyhow!("trusted-proxies: “{text}” {error}"))
    };
    texts.iter().map(parse).collect()
}

/// Parses the room names of the `reserved-rooms` option, each with or without `#`.
///
/// # Errors
/// A name is not a valid room name.
fn parse_rooms(names: &[String]) -> Result<Vec<RoomName>> {
    let parse = |name: &String| {
        RoomName::new(strip_room_prefix(name))
            .map_err(|_| anyhow!("reserved-rooms: “{name}” cannot be the name of a room"))
    };
    names.iter().map(parse).collect()
}

/// Validates the message of the day; `None` if there is none. An empty one counts as none.
///
/// # Errors
/// It is more than a line or too long.
fn parse_motd(motd: Option<&str>) -> Result<Option<AnnouncementText>> {
    let motd = motd.filter(|it| !it.is_empty()).map(AnnouncementText::new);
    motd.transpose().context("motd must be one line of at most 512 bytes")
}

/// Returns the server's password: `given`, otherwise the first line of `file`. `None` if neither is
/// set.
///
/// # Errors
/// Both are set, or the file cannot be read.
fn read_password(given: Option<String>, file: Option<PathBuf>) -> Result<Option<String>> {
    match (given, file) {
        (Some(_), Some(_)) => bail!("set either password or password-file, not both"),
        (given, None) => Ok(given),
        (None, Some(path)) => {
            let line = text_input::read_first_line(&path)
                .with_context(|| format!("cannot read the password file {}", path.display()))?;
            Ok(Some(line))
        }
    }
}
