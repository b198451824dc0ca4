//! The link's contract with its driver: settings, inputs and outputs.

use crate::model::{
    ErrorCode, Event, InvitationCode, Moment, Password, Position, Request, Sentence, SessionId,
    Token,
};
#[cfg(doc)]
use crate::wire::tcp::feature;
use crate::wire::tcp::{ClientFrame, Decoded, Hello, Proof, ServerFrame};

/// Settings of a link, fixed when it is created. Only the password, the username and the invitation
/// can change later, when the user enters others.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Username to request. The server validates it.
    pub username: String,
    /// Rooms to join first, in any spelling; if empty, the lobby.
    pub rooms: Vec<String>,
    /// Password of the server; `None` if the user gave none. It is sent only after the server has
    /// asked for one, in this process or an earlier one.
    pub password: Option<Password>,
    /// Invitation to this server; `None` if the user gave none. Each join has it, because it may
    /// also permit a claim, until a name is claimed, or until the server refuses it although it has
    /// admitted the user before.
    pub invite: Option<InvitationCode>,
    /// True if the client shows messages: the link resumes from the saved position and advances it.
    /// False if the client only sends: the link joins without a position, and keeps the saved one.
    /// So a later client still receives the missed messages. A link that only sends also requests
    /// no presence updates, and refuses searches.
    pub observe: bool,
    /// True to reconnect before the first completed join. If false, the link ends when a connection
    /// fails or ends before that join. After a completed join, the loss of the connection does not
    /// end the link.
    pub retry_first_connect: bool,
    /// True if a user at the keyboard can answer [`Event::PasswordWanted`] and `InviteWanted`, and
    /// is told when a request waits. The link asks for password and invitation only before the
    /// first [`Event::JoinedServer`]; if a later join needs one, the link ends.
    pub can_prompt: bool,
    /// True if a user can answer [`Event::NameWanted`]. If false, the link ends when the username
    /// is refused.
    pub can_ask_name: bool,
    /// True if the user has not chosen the username: if the invitation is for another one, the link
    /// joins under that. If false, the user is told.
    #[cfg(feature = "ui")]
    pub takes_invited_name: bool,
    /// Name of the client program, sent in `hello`; at most 32 bytes.
    pub program: &'static str,
    /// Version of the client program, sent in `hello`; at most 32 bytes.
    pub version: &'static str,
    /// Seed of the random jitter in reconnect delays. Use a different one for each link.
    pub seed: u64,
}

/// Session state saved to disk. A later process resumes the session with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSession {
    /// Secret token of the session.
    pub token: Token,
    /// Public number of the session.
    pub session: SessionId,
    /// Position in the server's log up to which messages were received; `None` if there is none.
    pub position: Option<Position>,
    /// Rooms that were joined when the position was saved. The position covers only these rooms.
    pub rooms: Vec<String>,
    /// True if this server has asked for a password. Then the first join includes it.
    pub password_required: bool,
}

/// Input that the driver passes to the link.
#[derive(Debug)]
pub enum Input {
    /// The connection requested by [`Output::Connect`] is established, and its `hello` is sent.
    Connected {
        /// Session that an earlier process saved for this server. Ignored if the link has a session
        /// already.
        saved: Option<SavedSession>,
        /// Proof of the user's key, for the joins on this connection. `None` if the server takes
        /// none, or the user has no key. A driver that makes proofs sets [`feature::IDENTITY`] in
        /// the `hello`, and passes this input when it has received `server_hello`, which holds what
        /// a proof signs; or it passes `None` here, holds `server_hello` back, and calls
        /// [`Link::set_proof`](super::Link::set_proof) before it passes that.
        proof: Option<Proof>,
    },
    /// The connection requested by [`Output::Connect`] failed.
    ConnectFailed {
        /// Human-readable reason.
        reason: String,
    },
    /// Bytes were received, whether or not they complete a frame. Restarts the silence timers.
    BytesReceived,
    /// A frame was received and decoded, or could not be decoded. Includes
    /// [`Input::BytesReceived`].
    Received(Decoded<ServerFrame>),
    /// The received bytes cannot be split into frames, so the driver stops reading. The link ends.
    FramingError,
    /// The connection was closed by the server or has broken.
    Disconnected {
        /// Human-readable reason.
        reason: String,
    },
    /// Request from the user interface.
    Request(Request),
    /// The time of the last [`Output::WakeAt`] has come. An early wake-up has no effect.
    Wake,
}

/// Output of the link: an action for the driver to carry out, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the server and send `hello`; answer with [`Input::Connected`] or
    /// [`Input::ConnectFailed`]. Replaces an attempt that is still in progress.
    ///
    /// A driver may connect to several addresses of the server at once, send `hello` on each
    /// connection, and keep the one on which `server_hello` arrives first. It passes only what it
    /// receives on that one, after [`Input::Connected`].
    Connect {
        /// First frame of the connection.
        hello: Hello,
    },
    /// Send this frame, after those of earlier outputs. If the connection has broken meanwhile,
    /// drop the frame.
    Send(ClientFrame),
    /// Send all queued frames, then close the connection. Pass no further input from this
    /// connection.
    Disconnect,
    /// Give up the connection at once: drop the queued frames and reset the connection. An orderly
    /// close would tell the server that the client leaves, and then its name would not wait for it.
    /// Pass no further input from this connection.
    Abandon,
    /// Show this event to the user.
    Event(Event),
    /// Save this session to disk, replacing the one saved before.
    Persist(SavedSession),
    /// Pass [`Input::Wake`] at this time. Replaces the time of the previous `WakeAt`.
    WakeAt(Moment),
    /// The link has ended. This is the last output; further inputs are ignored. A connection
    /// attempt in progress must be given up.
    Finished(EndReason),
}

/// Reason why the link has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user or the driver asked for the end: by [`crate::model::Command::Quit`], or by
    /// [`crate::model::Command::Finish`] after a completed join.
    Left {
        /// Number of messages that the server had not acknowledged.
        unsent: usize,
        /// Number of chat requests that the link or the server refused.
        refused: usize,
    },
    /// The server could not be reached or the connection was lost before the first completed join.
    /// Or a graceful shutdown timed out before that join.
    Unavailable {
        /// Human-readable reason.
        reason: Sentence,
    },
    /// The server refused the client for good, for example because of its name or password.
    Refused {
        /// Error code; `None` if this client does not know the number.
        code: Option<ErrorCode>,
        /// Human-readable reason.
        reason: Sentence,
    },
    /// The server violated the protocol, reported a violation by the client, or speaks no common
    /// version.
    Protocol {
        /// Human-readable reason.
        reason: Sentence,
    },
}
