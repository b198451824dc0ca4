//! Session state that survives a restart of the server.

use std::fmt;

use super::{Reference, SessionId, Timestamp, Username};

/// Hash of a session token ([`super::Token`]). It cannot be used to resume the session. Its `Debug`
/// output hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Persistent record of a session, as the log stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Session number.
    pub session: SessionId,
    /// Hash of the token that resumes the session.
    pub token: TokenHash,
    /// Username that the session had last.
    pub username: Username,
    /// Time at which the session was disconnected; `None` while it is connected.
    pub away_since: Option<Timestamp>,
    /// Greatest reference that the log has taken from this session. The log corrects it by the
    /// messages it holds, so it need not be updated for each message.
    pub last_reference: Reference,
    /// References of refused messages, ascending, at most
    /// [`super::limits::MAX_REFUSED_REFERENCES`]; they may be below `last_reference`. Here, too,
    /// the log's own messages take precedence.
    pub refused: Vec<Reference>,
}
