//! What goes into the hub and what comes out of it.

use std::net::IpAddr;

use crate::model::{
    Draft, ErrorCode, HubSettings, LogId, Moment, Reference, RoomName, SearchQuery, Sequence,
    SessionId, SessionRecord, SharedEntry, Timestamp, Token,
};
use crate::wire::tcp::{ClientFrame, Received, ServerFrame};

/// A connection, as long as it lasts. The driver numbers them and never
/// uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A room, as long as it exists. The hub numbers them and never uses a
/// number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u32);

/// What the clocks show when something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub moment: Moment,
    /// For people.
    pub time: Timestamp,
}

/// What the hub takes over from the log at the start.
#[derive(Clone, Debug)]
pub struct RestoredState {
    /// Which log the sequences belong to.
    pub log_id: LogId,
    /// The last sequence that it has given.
    pub head: Sequence,
    /// A number that no session in this log has, nor any above it; not 0.
    pub next_session: SessionId,
    /// The sessions that may still come back, in any order.
    pub sessions: Vec<SessionRecord>,
    /// How rooms are spelt in which something was said, those used last at the end.
    pub rooms: Vec<RoomName>,
    /// From behind the first up to the second sequence of each there is
    /// nothing: whoever has a position there has seen what is lost.
    pub sequence_gaps: Vec<(Sequence, Sequence)>,
}

impl RestoredState {
    /// A log with this id in which there is nothing.
    #[must_use]
    pub const fn empty(log_id: LogId) -> Self {
        Self {
            log_id,
            head: Sequence::ZERO,
            next_session: SessionId(1),
            sessions: Vec::new(),
            rooms: Vec::new(),
            sequence_gaps: Vec::new(),
        }
    }
}

/// How the log fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageHealth {
    /// It keeps what it is there to keep.
    Sound,
    /// It cannot write: what is said goes on, in memory only, and will be
    /// written as soon as that is possible.
    MemoryOnly,
    /// It cannot write and takes nothing: every draft comes back with
    /// [`Input::NotStored`].
    Refusing,
    /// It has not answered for some time. (No log says that of itself: the
    /// driver does, and then again what the log said last.)
    Stalled,
}

/// What the hub knows of itself, for whoever looks after the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubStats {
    /// What the server is called.
    pub server_name: String,
    /// People who are connected.
    pub connected_users: usize,
    /// Connections, also of those who have not said who they are.
    pub connections: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// The last sequence that was committed.
    pub head: Sequence,
    /// How the log fares.
    pub storage: StorageHealth,
}

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// Somebody has connected.
    Connected {
        /// The new connection.
        connection: ConnectionId,
        /// Where from.
        address: IpAddr,
        /// Fresh from the operating system's random source; becomes the
        /// token if this connection begins a session.
        token: Token,
    },
    /// A frame has arrived.
    Received {
        /// On this connection.
        connection: ConnectionId,
        /// What it is.
        frame: Received<ClientFrame>,
    },
    /// The driver gives a connection up and wants it told why: bytes that
    /// are no frames, a reader that is too slow, a bug.
    ConnectionFailed {
        /// This connection.
        connection: ConnectionId,
        /// Why; a code that closes.
        error: ErrorCode,
    },
    /// The client will say nothing more, but may still listen. It gets what
    /// it has asked for, and then [`Delivery::Close`].
    HalfClosed {
        /// On this connection.
        connection: ConnectionId,
    },
    /// The connection is gone: whatever is delivered to it goes nowhere.
    Disconnected {
        /// This connection.
        connection: ConnectionId,
    },
    /// The log has taken drafts: all of them in the log's order, those of
    /// this hub and, one day, those of other nodes.
    Committed {
        /// In ascending order. A hole is a void: nothing will ever be there.
        entries: Vec<SharedEntry>,
    },
    /// The log could not take a draft.
    NotStored {
        /// Its author.
        session: SessionId,
        /// The author's number for it.
        reference: Reference,
    },
    /// What a [`Output::Read`] has brought.
    ReadDone {
        /// As in the request.
        tag: ReadTag,
        /// What was found.
        outcome: Result<ReadOutcome, ReadFailed>,
    },
    /// Everything before a [`Delivery::Mark`] has been taken up by the
    /// connection.
    MarkReached {
        /// This connection.
        connection: ConnectionId,
    },
    /// The log has changed its state.
    StorageChanged(StorageHealth),
    /// The log was told by its clock that time has been set by more than
    /// [`crate::model::limits::CLOCK_STEP`].
    ClockChanged,
    /// The driver's own probe: answered by a `pong` with this token through
    /// [`Output::Deliver`] to this connection, which need not be known.
    Probe {
        /// Where the answer goes.
        connection: ConnectionId,
        /// Repeated in the answer.
        token: u64,
    },
    /// The time of the last [`Output::WakeAt`] has come. Harmless when it
    /// has not.
    Wake,
    /// The owner wants something else from now on. Whoever is there stays;
    /// whether messages are durable cannot change.
    SettingsChanged(HubSettings),
    /// Tell everybody goodbye and take nobody in any more.
    ShutDown {
        /// When they may come back, in milliseconds; 0 for no advice.
        retry_after: u32,
    },
}

/// What the driver is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this into the log; answer with [`Input::Committed`] or
    /// [`Input::NotStored`].
    Append(Draft),
    /// Read from the log; answer with [`Input::ReadDone`].
    Read {
        /// To be repeated in the answer.
        tag: ReadTag,
        /// What to read.
        request: ReadRequest,
    },
    /// Send an entry to everybody who is subscribed to this room.
    Publish {
        /// The room.
        room: RoomId,
        /// The entry, to be encoded once for all.
        entry: SharedEntry,
    },
    /// Everything up to here has been published: subscribers may be woken.
    /// Comes once after the `Publish`es of one `Committed`.
    Published {
        /// The last sequence.
        head: Sequence,
    },
    /// Give a connection something of its own.
    Deliver {
        /// This connection.
        connection: ConnectionId,
        /// Only after everything of its rooms with a sequence up to and with
        /// this one, and before everything behind it.
        after: Sequence,
        /// What it is.
        delivery: Delivery,
    },
    /// Give several connections the same frame, as `Deliver` does; it is
    /// encoded once.
    DeliverAll {
        /// These connections.
        connections: Vec<ConnectionId>,
        /// As in `Deliver`.
        after: Sequence,
        /// What they get.
        frame: ServerFrame,
    },
    /// A room has ceased to exist: nobody is subscribed to it and its number
    /// is not used again.
    RoomClosed {
        /// The room.
        room: RoomId,
    },
    /// Keep this beyond a restart, in place of what was kept of the same
    /// session. Comes before the `Append`s that it has a part in.
    PersistSession(SessionRecord),
    /// A session is forgotten: so are its direct messages. Its number is not
    /// used again.
    DeleteSession {
        /// The session.
        session: SessionId,
    },
    /// Send [`Input::Wake`] at this time; replaces the one before. Comes
    /// after every input that changes it.
    WakeAt(Moment),
    /// How many people are connected; comes when it changes.
    ConnectedUsers(usize),
}

/// Something for one connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One frame.
    Frame(ServerFrame),
    /// Entries of the log, encoded as they are sent.
    Entries {
        /// In ascending order.
        entries: Vec<SharedEntry>,
        /// Flags of their frames.
        flags: u8,
    },
    /// From here on (behind `after`) it also gets what is published in this room.
    Subscribe(RoomId),
    /// From here on it no longer gets what is published in this room.
    Unsubscribe(RoomId),
    /// Answer with [`Input::MarkReached`] when this is reached and what was in front of it
    /// is no longer kept for the connection, but for a bounded number of bytes.
    Mark,
    /// Send what is due, then close. Nothing is delivered after it; the
    /// driver answers with [`Input::Disconnected`] as for every connection.
    Close,
}

/// What a read is for; opaque to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadTag {
    /// Whom it is for.
    pub(super) connection: ConnectionId,
    /// What it answers.
    pub(super) purpose: ReadPurpose,
}

impl ReadTag {
    /// For whoever reads a log without a hub. A hub does nothing with what
    /// comes of it.
    #[must_use]
    pub const fn without_hub() -> Self {
        Self { connection: ConnectionId(u64::MAX), purpose: ReadPurpose::Join }
    }
}

/// What a read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadPurpose {
    /// A `join`.
    Join,
    /// An `enter` with this reference.
    Enter(Reference, RoomName),
    /// A `history` with this reference.
    History(Reference),
    /// A `search` with this reference.
    Search(Reference),
}

/// What to read from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Entries of these rooms.
    pub rooms: Vec<RoomName>,
    /// Direct messages from and to this session as well ([`ReadRange::Latest`]
    /// and [`ReadRange::After`]).
    pub session: Option<SessionId>,
    /// Which of them.
    pub range: ReadRange,
}

/// Which entries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// Of each room, and of the direct messages, the latest so many.
    Latest(u16),
    /// The first so many behind this sequence, of rooms and direct messages
    /// together, as far as the log reaches back.
    After(Sequence, u16),
    /// Of each room the latest so many before this sequence.
    Before(Sequence, u16),
    /// Those of the rooms that match, none of the direct messages.
    Matching(SearchQuery),
}

/// What a read has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// In ascending order of sequence, rooms and direct messages mixed.
    pub entries: Vec<SharedEntry>,
    /// The last sequence of the log at the time of the read. Everything up
    /// to it has been given to the hub by `Committed` before this outcome.
    pub head: Sequence,
    /// Rooms in which something between the range's sequence and the
    /// entries is missing (only for [`ReadRange::After`]).
    pub gaps: Vec<RoomName>,
    /// There are more: older ones ([`ReadRange::Before`], one room;
    /// [`ReadRange::Matching`]) or later ones up to `head` ([`ReadRange::After`]).
    pub more: bool,
}

/// The log could not be read. It may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFailed;
