//! State of the connection, in words.

use std::time::Duration;

use crate::model::limits::ANSWER_TIMEOUT;
use crate::model::{ConnectionState, Dialect, Security};
use crate::text;

/// State of the connection to a server or to a room of peers.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Where the connection is in its life.
    phase: Phase,
    /// Encryption; `None`: not known, or nothing to say about it.
    encryption: Option<Encryption>,
    /// Name of the server; empty if it is not known.
    pub server_name: String,
    /// Time from handing a message over until its echo came, of the last one; `None`: none yet.
    pub latency: Option<Duration>,
}

/// Where the connection is in its life. Times are those of the program's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Being established for the first time, or again.
    #[default]
    Connecting,
    /// The user is in the chat.
    Joined,
    /// The next attempt is due at this time.
    Reconnecting(Duration),
    /// The server has not answered since this time.
    Silent(Duration),
    /// There is no connection.
    Disconnected,
}

/// Encryption of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// TLS, and the user has said the fingerprint.
    Verified,
    /// TLS.
    Encrypted,
    /// Plain TCP, or an open room.
    Plain,
    /// Closed room of peers.
    Passphrase,
}

impl Connection {
    /// Updates the state for an event.
    pub fn update(&mut self, state: &ConnectionState, now: Duration) {
        match state {
            ConnectionState::Connecting => self.phase = Phase::Connecting,
            ConnectionState::Encrypted { security: Security::Verified, .. } => {
                self.encryption = Some(Encryption::Verified);
            }
            ConnectionState::Encrypted { .. } => self.encryption = Some(Encryption::Encrypted),
            ConnectionState::Plain { .. } => self.encryption = Some(Encryption::Plain),
            ConnectionState::Connected | ConnectionState::Waiting { .. } => {}
            ConnectionState::Disconnected { .. } => self.phase = Phase::Disconnected,
            ConnectionState::Reconnecting { delay } => {
                self.phase = Phase::Reconnecting(now + *delay)
            }
            ConnectionState::Unresponsive { .. } => {
                self.phase = Phase::Silent(now.saturating_sub(ANSWER_TIMEOUT));
            }
            ConnectionState::Responsive => self.phase = Phase::Joined,
        }
    }

    /// Notes that the user has joined the server or the room.
    pub fn joined(&mut self) {
        self.phase = Phase::Joined;
    }

    /// Notes whether the room of peers has a passphrase.
    pub const fn set_closed(&mut self, is_closed: bool) {
        let kind = if is_closed { Encryption::Passphrase } else { Encryption::Plain };
        self.encryption = Some(kind);
    }

    /// Returns true if the user is in the chat and the server answers.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Joined
    }

    /// Describes the state: `connected`, `reconnecting in 4 s`.
    #[must_use]
    pub fn describe(&self, dialect: Dialect, now: Duration) -> String {
        match (&self.phase, dialect) {
            (Phase::Connecting, Dialect::Server) => text!("status-connecting"),
            (Phase::Connecting, Dialect::Peers) => text!("status-connecting-peers"),
            (Phase::Joined, Dialect::Server) => text!("status-connected"),
            (Phase::Joined, Dialect::Peers) => text!("status-connected-peers"),
            (Phase::Reconnecting(at), _) => {
                let left = at.saturating_sub(now);
                let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                text!("status-reconnecting", seconds = seconds)
            }
            (Phase::Silent(since), _) => {
                text!("status-silent", seconds = now.saturating_sub(*since).as_secs())
            }
            (Phase::Disconnected, _) => text!("status-disconnected"),
        }
    }

    /// Describes the encryption in a word or two; `None`: nothing is known.
    #[must_use]
    pub fn describe_encryption(&self) -> Option<String> {
        Some(match self.encryption? {
            Encryption::Verified => text!("status-verified"),
            Encryption::Encrypted => text!("status-encrypted"),
            Encryption::Plain => text!("status-plain"),
            Encryption::Passphrase => text!("status-closed"),
        })
    }

    /// Returns true if [`Self::describe`] changes with every second.
    #[must_use]
    pub const fn is_counting(&self) -> bool {
        matches!(self.phase, Phase::Reconnecting(_) | Phase::Silent(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_described_with_their_times() {
        let mut connection = Connection::default();
        let seconds = Duration::from_secs;
        let told = |it: &Connection, now| it.describe(Dialect::Server, seconds(now));
        assert_eq!(told(&connection, 0), "connecting …");
        connection.joined();
        assert_eq!(told(&connection, 1), "connected");
        connection.update(&ConnectionState::Unresponsive { requests: 1 }, seconds(10));
        assert_eq!(told(&connection, 13), "not answering for 8 s");
        connection.update(&ConnectionState::Responsive, seconds(14));
        assert!(connection.is_up());
        let reason = "the server has closed the connection".to_owned().into();
        connection.update(&ConnectionState::Disconnected { reason }, seconds(20));
        assert_eq!(told(&connection, 20), "not connected");
        let delay = Duration::from_millis(3_500);
        connection.update(&ConnectionState::Reconnecting { delay }, seconds(20));
        assert_eq!(told(&connection, 20), "reconnecting in 4 s");
        assert_eq!(told(&connection, 30), "reconnecting in 0 s");
        assert!(connection.is_counting());
    }
}
