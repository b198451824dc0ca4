//! What an owner can set of the server's engine.

use thiserror::Error;

use super::limits;
use super::sanitize::is_unsafe_char;

/// Settings of the hub. Made by `config` from file, environment and flags;
/// checked once by [`HubSettings::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// What the owner calls this server; at most 64 bytes.
    pub server_name: String,
    /// What a `join` must bring, if anything; at most 256 bytes.
    pub password: Option<String>,
    /// Refuse usernames that look like one which is held.
    pub refuse_lookalikes: bool,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_address: usize,
    /// Rooms that exist at one time.
    pub max_rooms: usize,
    /// Sessions that are remembered, connected ones included.
    pub max_sessions: usize,
    /// Frames that a connection may send at once.
    pub burst: u32,
    /// Frames per minute that it may send after that.
    pub frames_per_minute: u32,
    /// What people are told of how long messages are kept.
    pub retention: Retention,
    /// Messages survive a restart of the server; people are told.
    pub is_durable: bool,
}

/// How long messages are kept. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days.
    pub days: u32,
    /// Messages of each room.
    pub messages: u32,
    /// Bytes of all rooms together.
    pub bytes: u64,
}

impl Default for HubSettings {
    /// What a bare `chat-server` does.
    fn default() -> Self {
        Self {
            server_name: "pi-chat".to_owned(),
            password: None,
            refuse_lookalikes: true,
            max_connections: 10_000,
            max_connections_per_address: 256,
            max_rooms: 1_000,
            max_sessions: 20_000,
            burst: 60,
            frames_per_minute: 600,
            retention: Retention::default(),
            is_durable: false,
        }
    }
}

/// A setting that makes no sense. Nothing has been started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct SettingsError {
    /// The setting, by its name in the configuration file.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl HubSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), SettingsError> {
        let wrong = |key, problem: &str| Err(SettingsError { key, problem: problem.to_owned() });
        if self.server_name.is_empty() || self.server_name.len() > limits::MAX_SERVER_NAME {
            return wrong("name", "must have 1 to 64 bytes");
        }
        if self.server_name.chars().any(is_unsafe_char) {
            return wrong("name", "must not hold characters that control how it is shown");
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
            return wrong("max-sessions", "must not be below max-connections");
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
