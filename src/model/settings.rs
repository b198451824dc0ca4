//! Settings of the hub, the server's engine.

use thiserror::Error;

use super::limits;
use super::name::RoomName;
use super::sanitize::is_unsafe_char;
use super::text::AnnouncementText;

/// Who may join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody, with the password if there is one.
    #[default]
    Everybody,
    /// Whoever brings an invitation, has come in by one before, or has claimed a name.
    Invited,
}

/// Who may claim a name with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimPolicy {
    /// Nobody. Claims that were made stay in force.
    Off,
    /// Whoever has an invitation that permits it.
    #[default]
    Invited,
    /// Whoever has a key.
    Open,
}

/// Settings of the hub. The module `config` builds them from file, environment and flags;
/// [`HubSettings::check`] validates them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// Name that the owner gave the server; 1 to 64 bytes, without characters that are unsafe to
    /// display ([`is_unsafe_char`]).
    pub server_name: String,
    /// Password that a `join` must contain, 1 to 256 bytes; `None`: no password is required.
    pub password: Option<String>,
    /// True if the server refuses usernames that look like one in use (error 202 `name_lookalike`).
    pub refuse_lookalikes: bool,
    /// Maximum number of connections, including those that have not joined. While evicted
    /// connections are closing, up to an eighth more (at least one) may exist.
    pub max_connections: usize,
    /// Maximum number of connections of one address group, closing ones included. Most other limits
    /// of a group are derived from this number.
    pub max_connections_per_address: usize,
    /// Maximum number of open rooms (with members) of the whole server. Only reserved rooms can be
    /// opened beyond it.
    pub max_rooms: usize,
    /// Reserved rooms, which can be opened and entered beyond `max_rooms` and the limits of address
    /// groups. The lobby is reserved even if it is not listed.
    pub reserved_rooms: Vec<RoomName>,
    /// Maximum number of sessions, connected and disconnected; not below `max_connections`. For a
    /// further one, a disconnected session is ended.
    pub max_sessions: usize,
    /// Rate limit of a connection: burst, in units (`docs/protocol/tcp.md`, section 12).
    pub burst: u32,
    /// Rate limit of a connection: units per minute after the burst; at least 60.
    pub frames_per_minute: u32,
    /// Retention limits of messages, stated in the `welcome`.
    pub retention: Retention,
    /// Message of the day: a notice to each user who joins, except to those who resume a session.
    pub motd: Option<AnnouncementText>,
    /// True if messages survive a restart of the server; stated in the `welcome`.
    pub is_durable: bool,
    /// Who may join.
    pub access: Access,
    /// Who may claim a name.
    pub claims: ClaimPolicy,
    /// Days after which a claim ends that is not used; 0: never.
    pub claims_unused: u32,
    /// True if clients are told that TLS is at its default port; stated in `server_hello`.
    pub offers_tls: bool,
}

/// Retention limits: maximum age, number and size of the messages that are kept. 0: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Maximum age, in days.
    pub days: u32,
    /// Maximum number of messages in each room.
    pub messages: u32,
    /// Maximum size of all messages together, in bytes.
    pub bytes: u64,
}

impl Default for HubSettings {
    /// Returns the settings of a `chat-server` without configuration.
    fn default() -> Self {
        Self {
            server_name: "pi-chat".to_owned(),
            password: None,
            refuse_lookalikes: true,
            max_connections: 10_000,
            max_connections_per_address: 256,
            max_rooms: 1_000,
            reserved_rooms: vec![RoomName::lobby()],
            max_sessions: 20_000,
            burst: 60,
            frames_per_minute: 600,
            retention: Retention::default(),
            motd: None,
            is_durable: false,
            access: Access::Everybody,
            claims: ClaimPolicy::Invited,
            claims_unused: 365,
            offers_tls: false,
        }
    }
}

/// Error for an invalid setting.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// Key of the setting in the configuration file.
    pub key: &'static str,
    /// Human-readable explanation.
    pub problem: String,
}

impl HubSettings {
    /// Validates the settings that their types do not restrict.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, problem: &str| Err(SettingsError { key, problem: problem.to_owned() });
        if self.server_name.is_empty() || self.server_name.len() > limits::MAX_SERVER_NAME {
            return wrong("name", "must have 1 to 64 bytes");
        }
        if self.server_name.chars().any(is_unsafe_char) {
            return wrong("name", "must not contain characters that control how it is shown");
        }
        if self.password.as_ref().is_some_and(|p| p.is_empty() || p.len() > limits::MAX_PASSWORD) {
            return wrong("password", "must have 1 to 256 bytes");
        }
        if self.max_connections == 0 {
            return wrong("max-connections", "must be at least 1");
        }
        if self.max_connections_per_address == 0 {
            return wrong("max-connections-per-address", "must be at least 1");
        }
        if self.max_rooms == 0 {
            return wrong("max-rooms", "must be at least 1");
        }
        if self.max_sessions < self.max_connections {
            return wrong("max-sessions", "must be at least max-connections");
        }
        if self.burst == 0 {
            return wrong("burst", "must be at least 1");
        }
        if self.frames_per_minute < 60 {
            return wrong("per-minute", "must be at least 60");
        }
        Ok(())
    }
}
