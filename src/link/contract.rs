//! The link's contract with its driver: settings, inputs and outputs.

use crate::model::{ErrorCode, Event, Moment, Password, Position, Request, SessionId, Token};
use crate::wire::tcp::{ClientFrame, Decoded, ServerFrame};

/// Settings of a link. They are fixed when it is created, except for the password.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requested username. The server validates it.
    pub username: String,
    /// Rooms to join; if empty, the server's lobby.
    pub rooms: Vec<String>,
    /// The server's password. It is sent only to a server that asks for it.
    pub password: Option<Password>,
    /// True if received messages are shown. If false, the link is send-only: it fetches no missed
    /// messages and leaves the saved position unchanged, for a later client that shows messages.
    pub observe: bool,
    /// True to retry if the first connection attempt fails. After a first successful join the
    /// link always reconnects.
    pub retry_first_connect: bool,
    /// True if the user can answer [`Event::PasswordWanted`] before the first welcome.
    pub can_prompt: bool,
    /// Name of the client program, sent in `hello`; at most 32 bytes.
    pub program: &'static str,
    /// Version of the client program, sent in `hello`; at most 32 bytes.
    pub version: &'static str,
    /// Seed for the jitter of reconnect delays. Use a different one for each link.
    pub seed: u64,
}

/// Persistent session state, with which a later process resumes the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSession {
    /// Secret token of the session.
    pub token: Token,
    /// Public number of the session.
    pub session: SessionId,
    /// Position in the server's log up to which messages were received, if any.
    pub position: Option<Position>,
    /// Rooms that the position covers.
    pub rooms: Vec<String>,
    /// True if this server has asked for a password; the next join then includes it at once.
    pub password_required: bool,
}

/// Event that the driver reports to the link.
#[derive(Debug)]
pub enum Input {
    /// The connection requested by [`Output::Connect`] is established.
    Connected {
        /// Session saved by an earlier link for this server. Used with the first connection only.
        saved: Option<SavedSession>,
    },
    /// The connection requested by [`Output::Connect`] failed.
    ConnectFailed {
        /// Human-readable reason.
        reason: String,
    },
    /// Bytes were received, whether or not they complete a frame. Restarts the silence timers.
    BytesReceived,
    /// A frame was received and decoded.
    Received(Decoded<ServerFrame>),
    /// The received bytes cannot be split into frames; the driver reads no further.
    FramingError,
    /// The connection has ended or broken.
    Disconnected {
        /// Human-readable reason.
        reason: String,
    },
    /// Request from the user interface.
    Request(Request),
    /// The time of the last [`Output::WakeAt`] has come. A wake-up that comes too early does no
    /// harm.
    Wake,
}

/// Action for the driver to carry out.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the server; answer with [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect,
    /// Send this frame, in order.
    Send(ClientFrame),
    /// Send all queued frames, then close the connection. Do not report [`Input::Disconnected`] for
    /// it; any further input from this connection is ignored.
    Disconnect,
    /// Show this event to the user.
    Event(Event),
    /// Save this session to disk, replacing what was saved before.
    Persist(SavedSession),
    /// Send [`Input::Wake`] at this time; replaces the wake-up time announced before.
    WakeAt(Moment),
    /// The link has ended. It is the last output, and further inputs are ignored.
    Finished(EndReason),
}

/// Reason why the link has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client left on request.
    Left {
        /// Number of messages that were not acknowledged.
        unsent: usize,
        /// Number of requests that were refused.
        refused: usize,
    },
    /// The server could not be reached.
    Unavailable {
        /// Human-readable reason.
        reason: String,
    },
    /// The server refused the client for good, for example because of its name or password.
    Refused {
        /// Error code, if this client knows it.
        code: Option<ErrorCode>,
        /// Human-readable reason.
        reason: String,
    },
    /// The peer violated the protocol, or there is no common version.
    Protocol {
        /// Human-readable reason.
        reason: String,
    },
}
