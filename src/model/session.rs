//! What outlives a restart of a session.

use std::fmt;

use super::{Reference, SessionId, Timestamp, Username};

/// What is kept of a [`super::Token`]: whoever reads it cannot come back by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A session as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its number.
    pub session: SessionId,
    /// By which it is taken up again.
    pub token: TokenHash,
    /// What it was called last.
    pub username: Username,
    /// Since when it has been away; none while it is connected.
    pub away_since: Option<Timestamp>,
    /// The greatest reference that the log has of it. (The log makes it good
    /// by what it holds itself: it need not be told of each message.)
    pub last_reference: Reference,
    /// References that the log has not taken, whatever the greatest is,
    /// ascending; at the most [`super::limits::MAX_REFUSED_REFERENCES`]. (Here, too,
    /// what the log holds is right.)
    pub refused: Vec<Reference>,
}
