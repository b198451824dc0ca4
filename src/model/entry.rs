//! Log entries, and drafts: messages before the log assigns sequence and time.

use std::sync::Arc;

use super::{MessageText, Reference, RoomName, Sequence, SessionId, Style, Timestamp, Username};

/// Recipient of a message: a room, or a session for a direct message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Room with this name: all its members receive the message.
    Room(RoomName),
    /// Session with this number, and the username that it had when the message was sent.
    Session(SessionId, Username),
}

/// Message that is not in the log yet: without sequence and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Author's session number.
    pub session: SessionId,
    /// Number of the person whose session it was; `None` if it was nobody's who has claimed a name.
    pub person: Option<SessionId>,
    /// Author's username when the message was sent.
    pub username: Username,
    /// Reference number that the author's client gave to the message; never [`Reference::NONE`].
    pub reference: Reference,
    /// Recipient: a room or a session.
    pub target: Target,
    /// Display style of the text.
    pub style: Style,
    /// Text of the message.
    pub text: MessageText,
}

impl Draft {
    /// Returns the number by which moderation and mailboxes know the author: that of the person or,
    /// without one, of the session.
    #[must_use]
    pub const fn author(&self) -> SessionId {
        match self.person {
            Some(person) => person,
            None => self.session,
        }
    }
}

#[cfg(test)]
#[cfg(feature = "server")]
impl Draft {
    /// Returns a draft for tests: `hello` from `anna` (session 1) to the lobby, with reference 1.
    pub(crate) fn example() -> Self {
        Self {
            session: SessionId(1),
            person: None,
            username: Username::new("anna").unwrap(),
            reference: Reference(1),
            target: Target::Room(RoomName::lobby()),
            style: Style::SAID,
            text: MessageText::new("hello").unwrap(),
        }
    }
}

/// Entry of the log: a draft with the sequence and time that the log assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Sequence in the log; not [`Sequence::ZERO`].
    pub sequence: Sequence,
    /// Sequence of the previous entry in the same room. [`Sequence::ZERO`] for a direct message,
    /// and if the log knows no earlier entry of the room.
    pub previous: Sequence,
    /// Wall-clock time at which the server appended the message. After a small step back of the
    /// clock, the log repeats its last time until the clock has caught up.
    pub time: Timestamp,
    /// The message.
    pub draft: Draft,
}

impl LogEntry {
    /// Returns the entry after its text was removed: with a placeholder and [`Style::REMOVED`].
    /// Everything else stays.
    #[must_use]
    pub fn with_text_removed(&self) -> Self {
        let (style, text) = (Style::REMOVED, MessageText::removed());
        Self { draft: Draft { style, text, ..self.draft.clone() }, ..*self }
    }
}

/// Log entry behind a reference count, so that log, hub and connections share it without copying.
pub type SharedEntry = Arc<LogEntry>;
