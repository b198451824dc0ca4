//! What the log holds.

use std::sync::Arc;

use super::{MessageText, Reference, RoomName, Sequence, SessionId, Style, Timestamp, Username};

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everybody in this room.
    Room(RoomName),
    /// One session, under the name that it was addressed by.
    Session(SessionId, Username),
}

/// A message on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who wrote it.
    pub session: SessionId,
    /// What the author is called now.
    pub username: Username,
    /// The author's number for it.
    pub reference: Reference,
    /// Whom it is for.
    pub target: Target,
    /// How it is meant.
    pub style: Style,
    /// What it says.
    pub text: MessageText,
}

/// A message in the log: a draft to which the log has given its place and
/// its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place.
    pub sequence: Sequence,
    /// The one before it in the same room; zero for the first, and for
    /// direct messages.
    pub previous: Sequence,
    /// When it was received.
    pub time: Timestamp,
    /// What was written.
    pub draft: Draft,
}

/// Entries are shared, never copied, between the log and those who read it.
pub type SharedEntry = Arc<LogEntry>;
