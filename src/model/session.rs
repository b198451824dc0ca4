//! Session records: the state of a session that survives a restart of the server.

use std::fmt;

use super::{IdentityKey, Reference, SessionId, Timestamp, Username};

/// Hash of a session token ([`super::Token`]). The server finds the session by it, but no client
/// can resume the session with it. `Debug` does not print it.
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
    /// Hash of the session's token.
    pub token: TokenHash,
    /// Username of the session; if it is disconnected, the last one.
    pub username: Username,
    /// Wall-clock time of the disconnection; `None` while the session is connected.
    pub away_since: Option<Timestamp>,
    /// Greatest reference of the session's messages that are stored in the log. It may be out of
    /// date. When the server starts, the log corrects it from the stored messages.
    pub last_reference: Reference,
    /// References of refused messages, ascending, at most
    /// [`super::limits::MAX_REFUSED_REFERENCES`]. These messages may be sent again, although their
    /// references can be below `last_reference`. When the server starts, the log removes the
    /// references of messages that are stored after all.
    pub refused: Vec<Reference>,
    /// True if the username waits for the session after a restart. Either a client with the feature
    /// `resume` is connected, or the name waits already, because the connection was lost.
    pub keeps_name: bool,
    /// Key that the session is bound to: only a client that proves it can resume the session.
    /// `None`: the token is enough.
    pub key: Option<IdentityKey>,
}
