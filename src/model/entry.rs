//! Log entries: drafts, and what the log makes of them.

use std::sync::Arc;

use super::{MessageText, Reference, RoomName, Sequence, SessionId, Style, Timestamp, Username};

/// Recipient of a message: a room or a single session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All members of this room.
    Room(RoomName),
    /// One session, with the username that it was addressed by.
    Session(SessionId, Username),
}

/// Message that is not in the log yet: without sequence and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Author's session number.
    pub session: SessionId,
    /// Author's username at this time.
    pub username: Username,
    /// Reference number that the author's client gave the message; never [`Reference::NONE`].
    pub reference: Reference,
    /// Recipient: a room or a session.
    pub target: Target,
    /// Display style of the text.
    pub style: Style,
    /// Text of the message.
    pub text: MessageText,
}

/// Entry of the log: a draft with the sequence and time that the log assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Sequence in the log.
    pub sequence: Sequence,
    /// Sequence of the previous entry in the same room; zero for the first one and for direct
    /// messages.
    pub previous: Sequence,
    /// Time at which the server appended the message; after a small step back of the clock it
    /// repeats the last time until the clock has caught up.
    pub time: Timestamp,
    /// Message as it was given to the log.
    pub draft: Draft,
}

/// Log entry behind a reference count: shared, never copied, between the log and its readers.
pub type SharedEntry = Arc<LogEntry>;
