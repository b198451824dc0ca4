//! Requests: what a user interface or a bot asks of an engine. The answers
//! are [`super::Event`]s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Sequence, SessionId, Style, Timestamp};

/// What the user interface calls a request, so that it knows it again in
/// the events about it. Engines only repeat it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestTag(pub Option<Arc<str>>);

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Comes back in the events about it.
    pub tag: RequestTag,
    /// What to do.
    pub command: Command,
}

/// What can be asked of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Have this done by the server; it waits for a connection if need be.
    Chat(ChatCommand),
    /// Have this done by a peer. A server cannot.
    Peer(PeerCommand),
    /// The answer to [`Event::PasswordWanted`].
    Password(Password),
    /// Leave as soon as everything that was asked is answered; give up when
    /// for so long nothing was.
    Finish {
        /// How long without any answer.
        patience: Duration,
    },
    /// Leave now.
    Quit,
}

/// What a server can be asked to do. Each task is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatCommand {
    /// Say something to everybody in a room. Ends in
    /// [`Event::Acknowledged`], [`Event::Refused`] or [`Event::Unsent`].
    Say {
        /// Which room.
        room: RoomSelector,
        /// How it is meant.
        style: Style,
        /// What to say.
        text: String,
    },
    /// Say something to one person. Ends as `Say` does.
    Direct {
        /// Username.
        to: String,
        /// Insist on this session. Without it, an answer goes to the session
        /// that was heard last under this name.
        session: Option<SessionId>,
        /// How it is meant.
        style: Style,
        /// What to say.
        text: String,
    },
    /// Go into a further room.
    Enter {
        /// Any spelling of its name.
        room: String,
    },
    /// Go out of a room.
    Leave {
        /// Which room.
        room: RoomSelector,
    },
    /// Bring older messages.
    History {
        /// Which room.
        room: RoomSelector,
        /// Those before this one; `None`: before the oldest that was shown.
        before: Option<Sequence>,
        /// At most so many; 1 to 100.
        limit: u16,
    },
    /// Tell who is there.
    Members {
        /// Which room.
        room: RoomSelector,
    },
    /// Look for messages of the past.
    Search(SearchRequest),
}

/// What can be asked of peers besides. Each task is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerCommand {
    /// Tell how each peer is reached: [`Event::Peers`].
    Peers,
    /// Hide what somebody says, and object when they want to come in again.
    Block {
        /// Username.
        name: String,
    },
    /// The answer to [`Event::AdmissionRequested`].
    Admit {
        /// Username.
        name: String,
        /// Let them in.
        is_welcome: bool,
    },
}

/// A room, as far as somebody has said which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomSelector {
    /// This one, in any spelling.
    Named(String),
    /// The only one; an error where there are several.
    Only,
    /// The first one.
    First,
}

/// A password. It does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Something to look for. What is left open is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// In which room, in any spelling; `None`: all that one is in.
    pub room: Option<String>,
    /// Who must have written it, in any spelling.
    pub from: Option<String>,
    /// Words and phrases that a text must hold, as they were typed.
    pub text: String,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only messages with a smaller sequence: the next older page.
    pub before: Option<Sequence>,
    /// The latest so many; 1 to 50.
    pub limit: u16,
}
