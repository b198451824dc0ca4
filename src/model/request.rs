//! Requests of a user interface or a bot to an engine. The answers are [`super::Event`]s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    InvitationCode, InvitationHash, ModerationCommand, Sequence, SessionId, Style, Timestamp,
};

/// Correlation id of a request, chosen by the user interface. The events that answer the request
/// repeat it. Engines do not interpret it. `None` (empty): the request has no id.
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

/// Dialect of commands: the set of commands and JSON requests that the user can give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Dialect for a server: several rooms, history, search and direct messages.
    #[default]
    Server,
    /// Dialect for peers: one room, no server, and commands about peers.
    Peers,
}

/// Command for an engine: a chat command, a command that only peers support, a password, a
/// username, a read mark, a reconnection, or a disconnection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Carries out a chat command. A client's engine queues it until the client has joined.
    Chat(ChatCommand),
    /// Carries out a command that only a peer supports. The client's engine refuses it.
    Peer(PeerCommand),
    /// Supplies the password that [`super::Event::PasswordWanted`] asked for. If the engine has not
    /// asked, it keeps the password for the next join that needs one. Peers ignore it.
    Password(Password),
    /// Supplies another username, as [`super::Event::NameWanted`] asked for. Kept for the next join
    /// if [`super::Event::InviteWanted`] has asked; ignored if the engine has not asked at all.
    Name(String),
    /// Supplies the invitation that [`super::Event::InviteWanted`] asked for; `None`: join without
    /// one. If the engine has not asked, it keeps the invitation for the next join. Ignored once the
    /// client has joined. Peers ignore it.
    Invite(Option<InvitationCode>),
    /// Says how far the user has read, for the user's other devices. No event answers. A client's
    /// engine sends one every few seconds, the latest, and only to a server with read marks, which
    /// ignores it if the user has not claimed the name. Peers ignore the command.
    MarkRead {
        /// Name of a joined room, in any spelling; `None`: the direct messages.
        room: Option<String>,
        /// Sequence of the last message that was read; `None`: the last one that was reported.
        sequence: Option<Sequence>,
    },
    /// Leaves gracefully: a client disconnects as soon as every request is answered, a peer leaves
    /// as soon as the other members have all its messages. Either also leaves when there was no
    /// progress for `patience`.
    Finish {
        /// Longest time to wait for further progress: an answer, or a message delivered.
        patience: Duration,
    },
    /// Connects to the server at once, without waiting for the end of the reconnect delay. If there
    /// is a connection whose server does not answer, drops that connection first. Peers ignore the
    /// command.
    Reconnect {
        /// True to drop an existing connection even if its server answers.
        is_forced: bool,
    },
    /// Disconnects immediately, without waiting for answers. Messages that were not acknowledged
    /// are reported as [`super::Event::Unsent`].
    Quit,
}

/// Chat command, for the client's engine and the peer's engine. An event answers each command. The
/// peer's engine refuses the commands that peers do not support, such as `History` and `Search`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatCommand {
    /// Sends a message to a room. The answer is [`super::Event::Acknowledged`],
    /// [`super::Event::Refused`] or [`super::Event::Unsent`].
    Say {
        /// Room to send the message to.
        room: RoomSelector,
        /// Display style of the text.
        style: Style,
        /// Text of the message; validated by the engine.
        text: String,
    },
    /// Sends a direct message to one user. The answers are those of `Say`.
    Direct {
        /// Recipient's username, in any spelling.
        to: String,
        /// Session that must hold the name; otherwise the message is refused. `None`: the session
        /// that sent the last direct message under this name; any session if there was none.
        session: Option<SessionId>,
        /// Display style of the text.
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
    /// Requests a page of older messages (history) of a room.
    History {
        /// Room to read.
        room: RoomSelector,
        /// Exclusive upper bound of the sequences. `None`: messages before the oldest one of the
        /// room that was reported; the latest messages if none was.
        before: Option<Sequence>,
        /// Maximum number of messages. The client's engine clamps it to 1 to 100.
        limit: u16,
    },
    /// Requests the list of members of a room.
    Members {
        /// Room to list.
        room: RoomSelector,
    },
    /// Searches the messages in the server's log.
    Search(SearchRequest),
    /// Changes roles, sanctions, topics, modes or messages, or lists sanctions or rooms.
    Moderate(ModerationCommand),
    /// Claims the username that the user holds, gives up the claim, or links and unlinks devices.
    /// The answer is [`super::Event::Done`], [`super::Event::LinkCode`] or
    /// [`super::Event::Refused`]. If the connection is lost meanwhile, it is not sent again but
    /// refused: the server may have carried it out.
    Claim(ClaimAction),
}

/// What is done about a claim: the right of a person, with the keys of their devices, to a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimAction {
    /// Claims the username that the session holds: without the key, nobody else gets it.
    Claim,
    /// Gives up the claim.
    GiveUp,
    /// Makes this code a link code: one other device that joins with it gets the claimed username
    /// too. It replaces an earlier link code.
    #[cfg(feature = "ui")]
    Link(InvitationCode),
    /// Makes the code with this hash a link code, as [`Self::Link`] does, for whoever keeps the code
    /// to themselves: the answer is [`super::Event::Done`].
    LinkHash(InvitationHash),
    /// Takes the claimed username from all other devices.
    UnlinkOthers,
}

/// Command that only the peer's engine supports. Each is answered by an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerCommand {
    /// Requests the list of peers and the route to each: [`super::Event::Peers`].
    Peers,
    /// Blocks peers by username. Hides the messages of all that hold the name now, as far as their
    /// keys are known. Objects to candidates that have the name or one of these keys. The block is
    /// not saved to disk.
    Block {
        /// Username to block, in any spelling.
        name: String,
    },
    /// Unblocks a username. Also unblocks the keys that were blocked by this name, and the key of
    /// its present holder.
    Unblock {
        /// Username to unblock, in any spelling.
        name: String,
    },
    /// Requests the list of blocked usernames.
    ListBlocked,
    /// Admits or rejects a candidate: the answer to [`super::Event::AdmissionRequested`].
    Admit {
        /// Username of the candidate.
        name: String,
        /// True to admit the candidate, false to reject it.
        is_welcome: bool,
    },
}

/// Selects the room that a command applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomSelector {
    /// Room with this name, in any spelling.
    Named(String),
    /// The only joined room. The request is refused if no room is joined, or several.
    Only,
    /// The room that was joined first. The request is refused if no room is joined.
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

/// Search filters from the user, not validated. A message must pass all of them. A filter that is
/// `None` or empty lets every message pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Room to search, in any spelling; `None`: all joined rooms.
    pub room: Option<String>,
    /// Author's username at the time of the message, in any spelling.
    pub from: Option<String>,
    /// Words and phrases that a message must contain, as typed.
    pub text: String,
    /// Earliest time of a message, inclusive.
    pub since: Option<Timestamp>,
    /// Latest time of a message, exclusive.
    pub until: Option<Timestamp>,
    /// Exclusive upper bound of the sequences; `None`: no bound. It is the cursor of the next older
    /// page.
    pub before: Option<Sequence>,
    /// Maximum number of results; the newest matches are returned. The client's engine clamps it to
    /// 1 to 50.
    pub limit: u16,
}
