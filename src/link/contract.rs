//! What goes into the link and what comes out of it.

use crate::model::{ErrorCode, Event, Moment, Password, Position, Request, SessionId, Token};
use crate::wire::tcp::{ClientFrame, Received, ServerFrame};

/// How a link begins. Does not change afterwards.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the person would like to be called. The server checks it.
    pub username: String,
    /// Rooms to go into; none: the server's lobby.
    pub rooms: Vec<String>,
    /// Given only to a server that asks for it.
    pub password: Option<Password>,
    /// Show what is said. Without it nothing that was missed is fetched, and
    /// the saved position stays as it is, for whoever shows it later.
    pub observe: bool,
    /// Try again when the very first attempt fails.
    pub retry_first_connect: bool,
    /// Somebody can answer [`Event::PasswordWanted`] before the first welcome.
    pub can_prompt: bool,
    /// What the program calls itself; at most 32 bytes.
    pub program: &'static str,
    /// Its version; at most 32 bytes.
    pub version: &'static str,
    /// For the random part of delays: any number, another one each time.
    pub seed: u64,
}

/// What has to outlive the program so that the next one can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSession {
    /// The session's secret.
    pub token: Token,
    /// The session's public number.
    pub session: SessionId,
    /// How far it had got, if anywhere.
    pub position: Option<Position>,
    /// The rooms that the position is about.
    pub rooms: Vec<String>,
    /// This server has asked for a password, so it may be sent at once.
    pub password_required: bool,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// The connection that [`Output::Connect`] asked for is there.
    Connected {
        /// What an earlier link left behind for this server; with the first
        /// connection only.
        saved: Option<SavedSession>,
    },
    /// It could not be made.
    ConnectFailed {
        /// Why, for people.
        reason: String,
    },
    /// Bytes have arrived, whole frames or not.
    BytesReceived,
    /// A frame has arrived.
    Received(Received<ServerFrame>),
    /// What arrives are no frames; nothing more will be read.
    FramingError,
    /// The connection is gone.
    Disconnected {
        /// Why, for people.
        reason: String,
    },
    /// Somebody wants something done.
    Request(Request),
    /// The time of the last [`Output::WakeAt`] has come. Harmless when it
    /// has not.
    Wake,
}

/// What the driver is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a connection; answer with [`Input::Connected`] or
    /// [`Input::ConnectFailed`].
    Connect,
    /// Send this frame after those before it.
    Send(ClientFrame),
    /// Send what is due, then close. It is not answered by
    /// [`Input::Disconnected`]; what else this connection brings is ignored.
    Disconnect,
    /// Show this.
    Event(Event),
    /// Keep this on disk in place of what was kept before.
    Persist(SavedSession),
    /// Send [`Input::Wake`] at this time; replaces the one before.
    WakeAt(Moment),
    /// It is over. Nothing comes after it, and inputs are ignored.
    Finished(EndReason),
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It was asked for.
    Left {
        /// So many messages were not acknowledged.
        unsent: usize,
        /// So many requests were refused.
        refused: usize,
    },
    /// There is no such server, or it takes nobody.
    Unavailable {
        /// For people.
        reason: String,
    },
    /// The server does not take us like this.
    Refused {
        /// From the registry, if it is in ours.
        code: Option<ErrorCode>,
        /// For people.
        reason: String,
    },
    /// One side does not speak the protocol.
    Protocol {
        /// For people.
        reason: String,
    },
}
