//! Events: what an engine reports to the user interface, which knows no
//! engine.
//!
//! Strings in events come from other users. They are unsanitised: whoever
//! displays them must sanitise them first.

use std::net::SocketAddr;
use std::time::Duration;

use super::{RequestTag, Retention, SearchRequest, Sequence, SessionId, Style, Timestamp, Way};

/// Something that a person may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// How the connection is.
    Connection(ConnectionState),
    /// In, or in again.
    JoinedServer(JoinedServer),
    /// In a room.
    Entered {
        /// The `Enter`'s; none after a join.
        tag: RequestTag,
        /// Its canonical name.
        room: String,
        /// Members, oneself included.
        members: u32,
    },
    /// No longer in a room.
    Left {
        /// The `Leave`'s.
        tag: RequestTag,
        /// Its canonical name.
        room: String,
    },
    /// Something was said in a room.
    Message(Message),
    /// Something was said to one person.
    Direct(DirectMessage),
    /// Something between the last message of this room and what follows is
    /// missing for good.
    Gap {
        /// Which room.
        room: String,
    },
    /// All that there was to show of the past has been shown.
    HistoryEnd {
        /// That of the request; none after a join.
        tag: RequestTag,
        /// Which room; `None`: all rooms of the join.
        room: Option<String>,
        /// There are still older messages.
        more: bool,
        /// It answers a [`ChatCommand::History`].
        requested: bool,
    },
    /// What a [`ChatCommand::Search`] has found.
    SearchResult(SearchResult),
    /// Who is in a room.
    Roster {
        /// The `Members`'; none when it came unasked.
        tag: RequestTag,
        /// Which room.
        room: String,
        /// How many.
        members: u32,
        /// Their names; `None`: too many to tell unasked.
        names: Option<Vec<String>>,
        /// It was asked for.
        asked: bool,
    },
    /// Who has come and gone.
    Presence {
        /// Which room.
        room: String,
        /// How many are there now.
        members: u32,
        /// Names of those who are here now; `None` with `left`: too many to tell.
        joined: Option<Vec<String>>,
        /// Names of those who are not.
        left: Option<Vec<String>>,
    },
    /// A sentence of the server.
    Notice {
        /// From the registry.
        code: u16,
        /// For people.
        text: String,
    },
    /// The message is in the log.
    Acknowledged {
        /// That of the request.
        tag: RequestTag,
        /// Its place, if an echo told.
        sequence: Option<Sequence>,
        /// Its time, if an echo told.
        time: Option<Timestamp>,
        /// What was said, if no [`Event::Message`] or [`Event::Direct`] shows
        /// it.
        unechoed: Option<String>,
    },
    /// A request was not done and will not be.
    Refused(Refusal),
    /// A message of which nobody knows whether it arrived: the program ends
    /// before an answer came.
    Unsent {
        /// That of the request.
        tag: RequestTag,
        /// Room or person.
        to: String,
        /// What was to be said.
        text: String,
        /// It was sent, only the answer did not come.
        perhaps_taken: bool,
    },
    /// The server wants a password; answer with [`Command::Password`].
    PasswordWanted {
        /// One was given and it was wrong.
        again: bool,
    },
    /// In, among peers.
    JoinedMesh(JoinedMesh),
    /// Somebody wants to come in, and this person is asked; answer with
    /// [`PeerCommand::Admit`]. Silence is a yes.
    AdmissionRequested {
        /// Username.
        name: String,
    },
    /// One's own name is another one now: somebody has held it for longer.
    Renamed {
        /// What one was called.
        from: String,
        /// What one is called now.
        to: String,
    },
    /// How each peer is reached.
    Peers {
        /// The `Peers`'.
        tag: RequestTag,
        /// Oneself first, then by standing.
        peers: Vec<PeerReport>,
    },
    /// A task that needs no other answer was done.
    Done {
        /// That of the request.
        tag: RequestTag,
        /// For people.
        text: String,
    },
    /// An error that is about no request.
    Problem {
        /// From the registry; 0 where it is not the server's.
        code: u16,
        /// For people.
        text: String,
    },
}

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Being made.
    Connecting,
    /// Made; [`Event::JoinedServer`] follows when the server has let us in.
    Connected,
    /// Ended.
    Disconnected {
        /// For people.
        reason: String,
    },
    /// It will be tried again.
    Reconnecting {
        /// After so long.
        delay: Duration,
    },
}

/// What one learns when one is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedServer {
    /// One's public number.
    pub session: SessionId,
    /// One's name in its canonical form.
    pub username: String,
    /// What the owner calls the server.
    pub server_name: String,
    /// The server's program and version.
    pub server_program: String,
    /// The rooms one is in.
    pub rooms: Vec<String>,
    /// The server's clock.
    pub time: Timestamp,
    /// Bytes in a text, at most.
    pub max_text: u16,
    /// What is said outlives a restart of the server.
    pub is_durable: bool,
    /// How long messages are kept.
    pub retention: Retention,
    /// The same session as before.
    pub session_kept: bool,
    /// What follows begins exactly where one had stopped.
    pub position_kept: bool,
    /// The server's log is another than the one known before: messages may
    /// be missing or come twice, once.
    pub log_changed: bool,
}

/// Something that was said in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the server's log; among peers in its author's.
    pub sequence: Sequence,
    /// When the server received it; among peers, when it was first sent.
    pub time: Timestamp,
    /// Which room.
    pub room: String,
    /// The author's number.
    pub session: SessionId,
    /// What the author was called then.
    pub from: String,
    /// How it is meant.
    pub style: Style,
    /// What was said.
    pub text: String,
    /// From before.
    pub history: bool,
    /// It was asked for with [`ChatCommand::History`].
    pub requested: bool,
    /// One said it oneself.
    pub own: bool,
    /// It belongs before something that was shown already. Only among peers.
    pub late: bool,
    /// That of the request, if it was said by this program.
    pub tag: RequestTag,
}

/// Something that was said to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// Its place in the log.
    pub sequence: Sequence,
    /// When the server received it.
    pub time: Timestamp,
    /// The author's number.
    pub from_session: SessionId,
    /// What the author was called then.
    pub from: String,
    /// The recipient's number.
    pub to_session: SessionId,
    /// By what name the recipient was addressed.
    pub to: String,
    /// How it is meant.
    pub style: Style,
    /// What was said.
    pub text: String,
    /// From before.
    pub history: bool,
    /// One said it oneself.
    pub own: bool,
    /// That of the request, if it was said by this program.
    pub tag: RequestTag,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// That of the request.
    pub tag: RequestTag,
    /// From the registry; 0 where the client itself refused.
    pub code: u16,
    /// For people.
    pub text: String,
    /// Room or person that it was about; empty where nobody has said which.
    pub to: String,
    /// What was to be said, if it was a message, so that it is not lost.
    pub message: Option<String>,
}

/// The whole answer to a [`Search`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    /// That of the request.
    pub tag: RequestTag,
    /// What was looked for.
    pub search: SearchRequest,
    /// What was found, oldest first.
    pub messages: Vec<Message>,
    /// There are older ones.
    pub more: bool,
}

impl SearchResult {
    /// The search for the older ones, if there are any.
    #[must_use]
    pub fn older(&self) -> Option<SearchRequest> {
        let first = self.messages.iter().map(|it| it.sequence).min().filter(|_| self.more)?;
        Some(SearchRequest { before: Some(first), ..self.search.clone() })
    }
}

/// What one learns when one is in, among peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMesh {
    /// One's public number.
    pub session: SessionId,
    /// One's name in its canonical form.
    pub username: String,
    /// The room's canonical name.
    pub room: String,
    /// It has a passphrase.
    pub is_closed: bool,
    /// Names of those who are there, as far as they are known by now,
    /// oneself included.
    pub members: Vec<String>,
    /// Whom the history comes from; `None`: one is the first.
    pub history_from: Option<String>,
}

/// How a peer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// What it is called.
    pub name: String,
    /// Its public number.
    pub session: SessionId,
    /// It is oneself.
    pub is_self: bool,
    /// How long it has been in the room.
    pub present: Duration,
    /// Where it sends from, if it has been heard directly.
    pub address: Option<SocketAddr>,
    /// How it is reached.
    pub route: PeerRoute,
    /// Share of its heartbeats that did not arrive, in thousandths.
    pub loss: u16,
    /// How much its clock is ahead, in milliseconds.
    pub skew: i64,
    /// Time since it was heard, by anybody.
    pub silence: Duration,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRoute {
    /// It is oneself.
    Local,
    /// By what goes to everybody.
    Way(Way),
    /// By copies of its own.
    Unicast,
    /// Only through others.
    Indirect,
}
