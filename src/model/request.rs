//! Requests: what a user interface or a bot asks of an engine. The answers are [`super::Event`]s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Sequence, SessionId, Style, Timestamp};

/// Correlation id of a request, chosen by the user interface and repeated in the events that answer
/// the request. Engines do not interpret it. `None`: no answer needs to be matched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestTag(pub Option<Arc<str>>);

/// Request of the user interface to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Correlation id, repeated in the events that answer this request.
    pub tag: RequestTag,
    /// Command to carry out.
    pub command: Command,
}

/// Command for an engine: a chat operation, an operation of peers only, a password, or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Carries out a chat command. If there is no connection, it is queued until there is one.
    Chat(ChatCommand),
    /// Carries out a command that only a peer supports. The client's engine refuses it.
    Peer(PeerCommand),
    /// Supplies the password that [`super::Event::PasswordWanted`] asked for.
    Password(Password),
    /// Leaves as soon as every request was answered, or when no answer has arrived for `patience`.
    Finish {
        /// Longest time without any answer before giving up.
        patience: Duration,
    },
    /// Leaves immediately.
    Quit,
}

/// Chat command that the client's engine and the peer's engine understand. Each is answered by an
/// event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatCommand {
    /// Sends a message to everybody in a room. Ends in [`super::Event::Acknowledged`],
    /// [`super::Event::Refused`] or [`super::Event::Unsent`].
    Say {
        /// Room to send the message to.
        room: RoomSelector,
        /// Display style of the text: said, or an action.
        style: Style,
        /// Text of the message; validated by the engine.
        text: String,
    },
    /// Sends a direct message to one user. Ends as `Say` does.
    Direct {
        /// Recipient's username, in any spelling.
        to: String,
        /// Session that must hold the name. `None`: the session that was last heard under this
        /// name, if there is one.
        session: Option<SessionId>,
        /// Display style of the text: said, or an action.
        style: Style,
        /// Text of the message; validated by the engine.
        text: String,
    },
    /// Enters another room.
    Enter {
        /// Room name in any spelling.
        room: String,
    },
    /// Leaves a room.
    Leave {
        /// Room to leave.
        room: RoomSelector,
    },
    /// Requests a page of older messages of a room.
    History {
        /// Room to read.
        room: RoomSelector,
        /// Returns only messages with a smaller sequence. `None`: older than the oldest message
        /// already shown.
        before: Option<Sequence>,
        /// Maximum number of messages, 1 to 100.
        limit: u16,
    },
    /// Requests the list of members of a room.
    Members {
        /// Room to list.
        room: RoomSelector,
    },
    /// Searches old messages.
    Search(SearchRequest),
}

/// Command that only the peer's engine supports. Each is answered by an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerCommand {
    /// Requests the list of peers and the route to each: [`super::Event::Peers`].
    Peers,
    /// Hides the messages of a user and objects when that user asks to join again.
    Block {
        /// Username to block, in any spelling.
        name: String,
    },
    /// Answers [`super::Event::AdmissionRequested`].
    Admit {
        /// Username of the candidate.
        name: String,
        /// Admits the candidate if true, objects if false.
        is_welcome: bool,
    },
}

/// Selects the room that a command applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomSelector {
    /// Room with this name, in any spelling.
    Named(String),
    /// The only joined room; an error if several are joined.
    Only,
    /// The room that was joined first.
    First,
}

/// Password in plain text. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Search filters as the user gave them, not validated. A filter that is `None` or empty matches
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Room to search, in any spelling; `None`: all joined rooms.
    pub room: Option<String>,
    /// Author's username, in any spelling.
    pub from: Option<String>,
    /// Words and phrases that a message must contain, as typed.
    pub text: String,
    /// Earliest time, inclusive.
    pub since: Option<Timestamp>,
    /// Latest time, exclusive.
    pub until: Option<Timestamp>,
    /// Returns only messages with a smaller sequence: the cursor of the next older page.
    pub before: Option<Sequence>,
    /// Maximum number of results, 1 to 50; the newest matches are returned.
    pub limit: u16,
}
