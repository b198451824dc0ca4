//! Events: reports of an engine to the user interface. All engines use the same events.
//!
//! Strings in events come from other users and are not sanitised. Call [`super::sanitize_text`]
//! before you display them.

use std::net::SocketAddr;
use std::time::Duration;

#[cfg(feature = "ui")]
use super::InvitationCode;
use super::{
    Lamport, ModerationEvent, Path, RequestTag, Retention, SearchRequest, Sentence, Sequence,
    SessionId, Style, Timestamp,
};

/// Event for the user interface, from an engine or from the program around the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state of the connection has changed.
    Connection(ConnectionState),
    /// The server has accepted a `join`: the first one, or one after a reconnection.
    JoinedServer(JoinedServer),
    /// This client has entered a room, by a join or by an `Enter` request.
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
        /// Tag of the pending `Leave` request that caused it; empty if there is none.
        tag: RequestTag,
        /// Canonical name of the room.
        room: String,
        /// True if a moderator has sent the user out of the room. Usually
        /// [`super::ModerationEvent::Sanctioned`] has been reported before.
        is_forced: bool,
    },
    /// Message in a room: live, replayed, or older.
    Message(Message),
    /// Direct message, sent or received.
    Direct(DirectMessage),
    /// Gap in a room: messages between the last reported one and the next one are missing. They can
    /// no longer be read.
    Gap {
        /// Room with the gap.
        room: String,
    },
    /// End of the history: all old messages that a join, an `Enter` or a `History` brought were
    /// reported.
    HistoryEnd {
        /// Tag of the `Enter` or `History` request; empty after a join.
        tag: RequestTag,
        /// Room whose messages were reported. `None` after a join of a server: all rooms of the
        /// join.
        room: Option<String>,
        /// True if the event answers a `History` request and the log holds older messages of the
        /// room.
        more: bool,
        /// True if the event answers a [`super::ChatCommand::History`]. False after a join or
        /// `Enter`.
        requested: bool,
    },
    /// Result of a [`super::ChatCommand::Search`].
    SearchResult(SearchResult),
    /// Member list (roster) of a room.
    Roster {
        /// Tag of the `Members` request; empty if the list was not requested.
        tag: RequestTag,
        /// Room that is listed.
        room: String,
        /// Number of members, this client or peer included.
        members: u32,
        /// Members' names. `None` if the list was not requested and the room is too large for
        /// names.
        names: Option<Vec<String>>,
        /// Notes about members that are not known as usual. `None` in a room of a server.
        notes: Option<Vec<RosterNote>>,
        /// True if the event answers a [`super::ChatCommand::Members`].
        requested: bool,
    },
    /// Presence update: members have joined or left a room.
    Presence {
        /// Room whose members changed.
        room: String,
        /// Number of members after the changes, this client or peer included.
        members: u32,
        /// Names of members that joined; `None` if the room is too large for names.
        joined: Option<Vec<String>>,
        /// Names of members that left; `None` if the room is too large for names.
        left: Option<Vec<String>>,
    },
    /// Notice for the user, from the server or from the peer's own engine.
    Notice {
        /// Number in the registry of notice codes.
        code: u16,
        /// Human-readable text.
        text: Sentence,
    },
    /// The message of a `Say` or `Direct` request was stored in the log. Usually its echo has just
    /// been reported: [`Event::Message`] or [`Event::Direct`].
    Acknowledged {
        /// Tag of the request.
        tag: RequestTag,
        /// Sequence in the log; `None` if the server acknowledged without an echo.
        sequence: Option<Sequence>,
        /// Time of the log entry; `None` if the server acknowledged without an echo.
        time: Option<Timestamp>,
        /// Text of the message if the server acknowledged it without an echo. No [`Event::Message`]
        /// or [`Event::Direct`] will show it. `None` if an echo has arrived.
        unechoed: Option<String>,
    },
    /// A request was refused by the server or by the engine, and will not be carried out.
    Refused(Refusal),
    /// A message was not acknowledged before the engine ended. Other unanswered requests are not
    /// reported then.
    Unsent {
        /// Tag of the request.
        tag: RequestTag,
        /// Room or username to which the message was addressed.
        to: String,
        /// Text of the message.
        text: String,
        /// True if the message was sent but not answered, so the server may have stored it.
        perhaps_taken: bool,
    },
    /// The server requires a password. Answer with [`super::Command::Password`].
    PasswordWanted {
        /// True if a password was sent and was wrong.
        again: bool,
    },
    /// The requested username was refused: it is invalid, taken, or looks like another one. Answer
    /// with [`super::Command::Name`].
    NameWanted {
        /// Username that was refused.
        name: String,
        /// Number in the registry of error codes.
        code: u16,
        /// Human-readable reason.
        text: String,
    },
    /// The server admits only invited users, or the invitation that was sent is not valid. Answer
    /// with [`super::Command::Invite`].
    InviteWanted {
        /// Error code.
        code: u16,
        /// Human-readable reason.
        text: String,
    },
    /// This peer has joined a room of peers.
    JoinedMesh(JoinedMesh),
    /// A candidate asks to join the room of peers, and this peer's user may reject it. Answer with
    /// [`super::PeerCommand::Admit`]. Without an answer within 10 s, this peer agrees to the join.
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
    /// Status reports of all peers in the room.
    Peers {
        /// Tag of the `Peers` request.
        tag: RequestTag,
        /// Reports: of this peer first, then of the other members, most senior first, then of peers
        /// known only through others.
        peers: Vec<PeerReport>,
    },
    /// A request whose result needs no event of its own was carried out.
    Done {
        /// Tag of the request.
        tag: RequestTag,
        /// Human-readable text.
        text: Sentence,
    },
    /// A link code was made, as [`super::ClaimAction::Link`] has asked for.
    #[cfg(feature = "ui")]
    LinkCode(LinkCode),
    /// The user has exchanged direct messages with somebody of this name, whom the server knew by a
    /// key, and whoever has the name now is not known by it. Reported once for each new holder,
    /// directly before their first message. The next direct message to the name is refused once.
    #[cfg(feature = "ui")]
    HolderChanged {
        /// Username.
        name: String,
    },
    /// The user has read this far: on another device, or before this client joined.
    ReadMark {
        /// Canonical name of the room; `None`: the direct messages.
        room: Option<String>,
        /// Sequence of the last message that was read.
        sequence: Sequence,
    },
    /// Event about moderation.
    Moderation(ModerationEvent),
    /// Error that does not answer a pending request.
    Problem {
        /// Number in the registry of error codes; 0 if the error does not come from the server.
        code: u16,
        /// Human-readable text.
        text: Sentence,
    },
}

/// State of the connection to a server. Among peers, only `Connecting` is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// A connection is being established, or a room of peers is being joined.
    Connecting,
    /// The connection is being established over TLS, and the server has the fingerprint that it
    /// should have, as far as that is known. Nothing was sent before.
    Encrypted {
        /// How far the server's key is trusted.
        security: Security,
        /// Fingerprint of the server's key, as people compare it.
        fingerprint: String,
    },
    /// The connection is being established over plain TCP: it is not encrypted.
    Plain {
        /// True if the server offers TLS; it could not be reached so, or the user wants plain TCP.
        is_tls_offered: bool,
    },
    /// The connection is established. [`Event::JoinedServer`] follows when the join is accepted.
    Connected,
    /// The connection has ended.
    Disconnected {
        /// Human-readable reason.
        reason: Sentence,
    },
    /// A reconnection is scheduled.
    Reconnecting {
        /// Time until the next attempt.
        delay: Duration,
    },
    /// A request is unanswered, and the server has sent nothing for 5 seconds. If that goes on, the
    /// connection is given up.
    Unresponsive {
        /// Number of unanswered requests.
        requests: usize,
    },
    /// The server has sent something after [`Self::Unresponsive`].
    Responsive,
    /// A request of the user waits, because there is no connection or the server does not answer.
    /// Reported only to a user at the keyboard, after the first join.
    Waiting {
        /// Number of unanswered requests.
        requests: usize,
    },
}

/// How far the key of a server is trusted that is reached over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// The user has said the fingerprint, now or earlier.
    Verified,
    /// It is the same key as at earlier connections.
    Known,
    /// It is the first connection, and nothing proves whose key it is. It is remembered.
    FirstUse,
    /// The same, but it is not remembered: the client leaves nothing on disk.
    Unkept,
}

/// Session and server details of an accepted join, from the server's `welcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedServer {
    /// Public session number of this client.
    pub session: SessionId,
    /// Username in canonical form.
    pub username: String,
    /// Name of the server, from its owner's settings.
    pub server_name: String,
    /// Server's program name and version.
    pub server_program: String,
    /// Canonical names of the joined rooms, in the order of the join.
    pub rooms: Vec<String>,
    /// Server's wall-clock time at the join.
    pub time: Timestamp,
    /// Maximum length of a message text, in bytes.
    pub max_text: u16,
    /// True if messages survive a restart of the server.
    pub is_durable: bool,
    /// Retention limits of messages.
    pub retention: Retention,
    /// True if the previous session was resumed.
    pub session_kept: bool,
    /// True if the server accepted the client's position. Every message after it follows, except
    /// those that retention has deleted ([`Event::Gap`]). If false, only the latest messages
    /// follow.
    pub position_kept: bool,
    /// True if the server has another log than at the last join. Messages may be missing, or may be
    /// shown twice.
    pub log_changed: bool,
}

/// Message in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sequence in the server's log. Among peers: sequence in the author's log.
    pub sequence: Sequence,
    /// Time at which the server appended the message to its log. Among peers: time at which the
    /// author wrote it.
    pub time: Timestamp,
    /// Canonical name of the room.
    pub room: String,
    /// Author's session number.
    pub session: SessionId,
    /// Number of the person whose session that is; `None`: nobody's who has claimed a name. All
    /// devices of a person have this number.
    pub person: Option<SessionId>,
    /// Author's username at that time.
    pub from: String,
    /// Display style of the text.
    pub style: Style,
    /// Text, not sanitised.
    pub text: String,
    /// True if the message is old (replayed or requested). False if it is live.
    pub history: bool,
    /// True if the message answers a [`super::ChatCommand::History`] or
    /// [`super::ChatCommand::Search`].
    pub requested: bool,
    /// True if the message was written by this user: in the current session, in an earlier one that
    /// the engine remembers, or on another device of the user.
    pub own: bool,
    /// True if the message sorts before one that was already reported. Only messages of peers can
    /// be late.
    pub late: bool,
    /// Lamport counter of the message among peers, for the common order: (Lamport counter, author's
    /// id, sequence). `None` for a message from a server.
    pub lamport: Option<Lamport>,
    /// Tag of the pending request that sent this message. Empty if no pending request did.
    pub tag: RequestTag,
}

/// Direct message between two users, sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// Sequence in the server's log.
    pub sequence: Sequence,
    /// Time at which the server appended the message to its log.
    pub time: Timestamp,
    /// Author's session number.
    pub from_session: SessionId,
    /// Number of the person whose session that is; `None`: nobody's who has claimed a name.
    pub from_person: Option<SessionId>,
    /// Author's username at that time.
    pub from: String,
    /// Recipient's session number; that of the person if the name is claimed.
    pub to_session: SessionId,
    /// Recipient's username at that time.
    pub to: String,
    /// Display style of the text.
    pub style: Style,
    /// Text, not sanitised.
    pub text: String,
    /// True if the message is old (replayed). False if it is live.
    pub history: bool,
    /// True if the message was written by this user: in the current session, in an earlier one that
    /// the engine remembers, or on another device of the user.
    pub own: bool,
    /// Tag of the pending request that sent this message. Empty if no pending request did.
    pub tag: RequestTag,
}

/// Code by which one other device of the user gets the claimed username.
#[cfg(feature = "ui")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCode {
    /// Tag of the request.
    pub tag: RequestTag,
    /// The claimed username.
    pub name: String,
    /// The code. It is good once, for [`LINK_CODE_SECONDS`] after it was made.
    pub code: InvitationCode,
    /// Link to the server with the code, which the client's driver adds; `None` from the engine.
    pub link: Option<String>,
    /// Link to the server's page for browsers with the code; `None` if the server has named none.
    pub page_link: Option<String>,
}

/// Time for which a link code is good, in seconds by the server's clock.
#[cfg(feature = "ui")]
pub const LINK_CODE_SECONDS: u32 = 300;

/// Refused request, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Tag of the request.
    pub tag: RequestTag,
    /// Number in the registry of error codes; 0 if the refusal has no code.
    pub code: u16,
    /// Human-readable reason.
    pub text: Sentence,
    /// Room or username of the request; empty if the request has none. Among peers: always this
    /// peer's room.
    pub to: String,
    /// Text of the refused message, for the user to send again. `None` if the request is not a
    /// message.
    pub message: Option<String>,
}

/// Answer to a [`SearchRequest`]: one page of matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    /// Tag of the request.
    pub tag: RequestTag,
    /// Search request that this answers.
    pub search: SearchRequest,
    /// Messages that match, oldest first.
    pub messages: Vec<Message>,
    /// True if older matches exist.
    pub more: bool,
}

impl SearchResult {
    /// Returns the search request for the next older page, or `None` if there are no older matches,
    /// or no messages in this page.
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
    /// Username of the peer that supplied the history; `None` if no peer did.
    pub history_from: Option<String>,
}

/// Status report of one peer: time in the room, address, route, packet loss and clock skew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReport {
    /// Username.
    pub name: String,
    /// Public session number.
    pub session: SessionId,
    /// True if the report is about this peer itself.
    pub is_self: bool,
    /// Time since the peer joined the room. For a peer known only through others: time since this
    /// peer learned of it.
    pub present: Duration,
    /// Address to which this peer would send; a verified address is preferred. `None` for this peer
    /// itself, for a peer known only through others, or if no address is known.
    pub address: Option<SocketAddr>,
    /// Route by which this peer sends to the reported peer.
    pub route: PeerRoute,
    /// Packet loss: share of the peer's heartbeats that did not arrive since the current
    /// measurement began, in thousandths. 0 if nothing was measured.
    pub loss: u16,
    /// Clock skew: the peer's wall clock minus this machine's, in milliseconds. Positive if the
    /// peer's clock is ahead. Of the last two measurements, the one closer to zero; 0 before the
    /// second.
    pub skew: i64,
    /// Time since the peer was last heard: by this peer, or by another peer that reports it in a
    /// heartbeat. Zero for this peer itself.
    pub silence: Duration,
    /// With [`PeerRoute::Indirect`], name of the peer through which the reported peer is known;
    /// `None` if that is unknown.
    pub through: Option<String>,
    /// False if the peer is heard, but has not heard this one for some time.
    pub hears_me: bool,
}

impl PeerReport {
    /// Returns the note about this peer in the member list; `None` if there is nothing to say.
    #[must_use]
    pub fn note(&self) -> Option<RosterNote> {
        let status = match self.route {
            PeerRoute::Indirect => RosterStatus::Indirect { through: self.through.clone() },
            _ if !self.hears_me => RosterStatus::Deaf,
            _ => return None,
        };
        Some(RosterNote { name: self.name.clone(), status })
    }
}

/// Note about a member in the member list of a room of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterNote {
    /// Username of the member.
    pub name: String,
    /// Status that the note states.
    pub status: RosterStatus,
}

/// Status of a member of a room of peers that is not reached as usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterStatus {
    /// Heard through other peers only.
    Indirect {
        /// Name of the peer that has listed it last; `None` if that is unknown.
        through: Option<String>,
    },
    /// Heard, but does not hear this peer.
    Deaf,
}

/// Route by which a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRoute {
    /// No route: the report is about this peer itself.
    Local,
    /// Multicast or broadcast by this path: the most preferred one by which the reported peer hears
    /// this peer. [`Path::GroupV4`] if that is unknown.
    Path(Path),
    /// Unicast to the reported peer's own address, because that peer hears none of the multicast
    /// and broadcast paths.
    Unicast,
    /// Through other peers, because this peer has never heard the reported peer directly, or not
    /// recently.
    Indirect,
}
