//! Events: what an engine reports to the user interface, which knows no engine.
//!
//! Strings in events come from other users and are not sanitised: whoever displays them must
//! sanitise them first ([`super::sanitize_text`]).

use std::net::SocketAddr;
use std::time::Duration;

use super::{Path, RequestTag, Retention, SearchRequest, Sequence, SessionId, Style, Timestamp};

/// Event that an engine reports to the user interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state of the connection has changed.
    Connection(ConnectionState),
    /// The server has accepted the join, for the first time or again.
    JoinedServer(JoinedServer),
    /// This client has entered a room.
    Entered {
        /// Tag of the `Enter` request; empty after a join.
        tag: RequestTag,
        /// Canonical name of the room.
        room: String,
        /// Number of members, this client included.
        members: u32,
    },
    /// This client has left a room.
    Left {
        /// Tag of the `Leave` request.
        tag: RequestTag,
        /// Canonical name of the room.
        room: String,
    },
    /// Message in a room, new or from the history.
    Message(Message),
    /// Direct message, sent or received.
    Direct(DirectMessage),
    /// Messages between the last one shown of this room and the next one are lost for good.
    Gap {
        /// Room with the gap.
        room: String,
    },
    /// End of a batch of old messages: all that were to be shown have been shown.
    HistoryEnd {
        /// Tag of the request; empty after a join.
        tag: RequestTag,
        /// Room that was read; `None`: all rooms of the join.
        room: Option<String>,
        /// True if the log holds older messages.
        more: bool,
        /// True if it answers a [`super::ChatCommand::History`], false after a join.
        requested: bool,
    },
    /// Result of a [`super::ChatCommand::Search`].
    SearchResult(SearchResult),
    /// Member list of a room.
    Roster {
        /// Tag of the `Members` request; empty if the list was not requested.
        tag: RequestTag,
        /// Room that is listed.
        room: String,
        /// Number of members.
        members: u32,
        /// Members' names; `None` if the room is too large for an unrequested list.
        names: Option<Vec<String>>,
        /// True if the list was requested.
        requested: bool,
    },
    /// Members have joined or left a room.
    Presence {
        /// Room whose members changed.
        room: String,
        /// Number of members now.
        members: u32,
        /// Names of members that joined; `None`, as is `left`, if the room is too large for names.
        joined: Option<Vec<String>>,
        /// Names of members that left.
        left: Option<Vec<String>>,
    },
    /// Notice from the server, for people.
    Notice {
        /// Number in the registry of notice codes.
        code: u16,
        /// Human-readable text.
        text: String,
    },
    /// The message of a request was stored in the log.
    Acknowledged {
        /// Tag of the request.
        tag: RequestTag,
        /// Sequence in the log; `None` if the server acknowledged without an echo.
        sequence: Option<Sequence>,
        /// Time of the log entry; `None` if the server acknowledged without an echo.
        time: Option<Timestamp>,
        /// Text of the message, if no [`Event::Message`] or [`Event::Direct`] will show it.
        unechoed: Option<String>,
    },
    /// A request was refused and will not be carried out.
    Refused(Refusal),
    /// Delivery of a message was not confirmed before the program ended.
    Unsent {
        /// Tag of the request.
        tag: RequestTag,
        /// Room or username that it was addressed to.
        to: String,
        /// Text of the message.
        text: String,
        /// True if it was sent and only the answer is missing, so it may have been stored.
        perhaps_taken: bool,
    },
    /// The server requires a password: answer with [`super::Command::Password`].
    PasswordWanted {
        /// True if a password was given and it was wrong.
        again: bool,
    },
    /// This peer has joined a room of peers.
    JoinedMesh(JoinedMesh),
    /// A candidate asks to join the room of peers and this user may object: answer with
    /// [`super::PeerCommand::Admit`]. No answer means yes.
    AdmissionRequested {
        /// Username of the candidate.
        name: String,
    },
    /// This peer had to take another username, because a more senior peer holds its old one.
    Renamed {
        /// Old username.
        from: String,
        /// New username.
        to: String,
    },
    /// Status of every peer in the room.
    Peers {
        /// Tag of the `Peers` request.
        tag: RequestTag,
        /// This peer first, the others by seniority.
        peers: Vec<PeerReport>,
    },
    /// A request that has no other answer was carried out.
    Done {
        /// Tag of the request.
        tag: RequestTag,
        /// Human-readable text.
        text: String,
    },
    /// Error that is not the answer to a request.
    Problem {
        /// Number in the registry of error codes; 0 if the error is a local one.
        code: u16,
        /// Human-readable text.
        text: String,
    },
}

/// State of the connection to the server; of peers, only `Connecting` is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// A connection is being established.
    Connecting,
    /// Connected; [`Event::JoinedServer`] follows when the join is accepted.
    Connected,
    /// The connection has ended.
    Disconnected {
        /// Human-readable reason.
        reason: String,
    },
    /// Reconnection is scheduled.
    Reconnecting {
        /// Time until the next attempt.
        delay: Duration,
    },
}

/// Session and server details from the server's answer to a join (`welcome`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedServer {
    /// Public session number of this client.
    pub session: SessionId,
    /// Username in canonical form.
    pub username: String,
    /// Name that the owner gave the server.
    pub server_name: String,
    /// Server's program name and version.
    pub server_program: String,
    /// Canonical names of the joined rooms.
    pub rooms: Vec<String>,
    /// Server's clock at the join.
    pub time: Timestamp,
    /// Maximum length of a text, in bytes.
    pub max_text: u16,
    /// True if messages survive a restart of the server.
    pub is_durable: bool,
    /// Retention limits of messages.
    pub retention: Retention,
    /// True if the previous session was resumed.
    pub session_kept: bool,
    /// True if what follows continues exactly at the client's position, without a gap.
    pub position_kept: bool,
    /// True if the server's log is not the one known before: messages may be missing, or be shown a
    /// second time.
    pub log_changed: bool,
}

/// Message in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sequence in the server's log; among peers, in the log of its author.
    pub sequence: Sequence,
    /// Time at which the server received it; among peers, at which the author first sent it.
    pub time: Timestamp,
    /// Canonical name of the room.
    pub room: String,
    /// Author's session number.
    pub session: SessionId,
    /// Author's username at that time.
    pub from: String,
    /// Display style of the text.
    pub style: Style,
    /// Text, not sanitised.
    pub text: String,
    /// True if it is a replayed or older message, false if it is live.
    pub history: bool,
    /// True if it answers a [`super::ChatCommand::History`].
    pub requested: bool,
    /// True if this user wrote it.
    pub own: bool,
    /// True if it sorts before a message that was already shown. Only among peers.
    pub late: bool,
    /// Tag of the request, if this program sent the message; else empty.
    pub tag: RequestTag,
}

/// Direct message between two users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// Sequence in the server's log.
    pub sequence: Sequence,
    /// Time at which the server received it.
    pub time: Timestamp,
    /// Author's session number.
    pub from_session: SessionId,
    /// Author's username at that time.
    pub from: String,
    /// Recipient's session number.
    pub to_session: SessionId,
    /// Username by which the recipient was addressed.
    pub to: String,
    /// Display style of the text.
    pub style: Style,
    /// Text, not sanitised.
    pub text: String,
    /// True if it is a replayed message, false if it is live.
    pub history: bool,
    /// True if this user wrote it.
    pub own: bool,
    /// Tag of the request, if this program sent the message; else empty.
    pub tag: RequestTag,
}

/// Refused request, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Tag of the request.
    pub tag: RequestTag,
    /// Number in the registry of error codes; 0 if the engine itself refused.
    pub code: u16,
    /// Human-readable reason.
    pub text: String,
    /// Room or username of the request; empty if none was given.
    pub to: String,
    /// Text of the refused message, so that the user interface can give it back; `None` for other
    /// requests.
    pub message: Option<String>,
}

/// Complete answer to a [`SearchRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    /// Tag of the request.
    pub tag: RequestTag,
    /// Search that is answered.
    pub search: SearchRequest,
    /// Messages found, oldest first.
    pub messages: Vec<Message>,
    /// True if older matches exist.
    pub more: bool,
}

impl SearchResult {
    /// Returns the search for the next older page, or `None` if there are no older matches.
    #[must_use]
    pub fn older(&self) -> Option<SearchRequest> {
        let first = self.messages.iter().map(|it| it.sequence).min().filter(|_| self.more)?;
        Some(SearchRequest { before: Some(first), ..self.search.clone() })
    }
}

/// Session and room details of a peer that has joined a room of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMesh {
    /// Public session number of this peer.
    pub session: SessionId,
    /// Username in canonical form.
    pub username: String,
    /// Canonical name of the room.
    pub room: String,
    /// True if the room has a passphrase.
    pub is_closed: bool,
    /// Usernames of the members known so far, this peer's included.
    pub members: Vec<String>,
    /// Username of the peer that supplies the history; `None` if this peer is the first.
    pub history_from: Option<String>,
}

/// Status of one peer: presence, address, route, loss and clock skew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// Username.
    pub name: String,
    /// Public session number.
    pub session: SessionId,
    /// True for this peer itself.
    pub is_self: bool,
    /// Time since it joined the room.
    pub present: Duration,
    /// Source address of its datagrams, if it was heard directly.
    pub address: Option<SocketAddr>,
    /// Route by which this peer reaches it.
    pub route: PeerRoute,
    /// Share of its heartbeats that were lost, in thousandths.
    pub loss: u16,
    /// Offset of its clock from this machine's clock, in milliseconds; positive if ahead.
    pub skew: i64,
    /// Time since any peer last heard it.
    pub silence: Duration,
}

/// Route by which a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRoute {
    /// The peer is this peer itself.
    Local,
    /// Reached by datagrams on this path, multicast or broadcast.
    Path(Path),
    /// Reached by unicast copies.
    Unicast,
    /// Reached only through other peers.
    Indirect,
}
