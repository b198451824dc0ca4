//! Inputs and outputs of the hub: the contract between the engine and its driver. What of it concerns
//! the log is in `log_contract`.

use std::net::IpAddr;

use super::log_contract::{
    LogItem, NotStoredReason, Proposal, ReadFailed, ReadOutcome, ReadRequest, ReadTag,
    StorageHealth, Ticket,
};
use super::moderation::{ModerationRefusal, OwnerRequestId};
use crate::identity::ProofContext;
use crate::model::{
    AddressGroup, AnnouncementText, ErrorCode, HubSettings, LogId, ModerationRequest, Moment,
    PageUrl, Sequence, SharedEntry, Timestamp, Token,
};
use crate::wire::tcp::{ClientFrame, Decoded, ServerFrame};
/// Identifier of a connection, assigned by the driver. It is not reused while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Identifier of an open room, assigned by the hub. A room that is closed and opened again gets a
/// new one. An identifier is used again only after 2³² rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u32);

/// Current time by both clocks, passed in with every input.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic time, for timers.
    pub moment: Moment,
    /// Wall-clock time, for display and storage.
    pub time: Timestamp,
}

/// Quota: limit on a resource that one address group may hold or use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// Number of connections. Beyond the limit, a new connection is refused. If the server is full,
    /// a connection of the address group may be evicted for one of another group.
    Connections,
    /// Rate of `join`s. Beyond the limit, the connection is closed.
    Joins,
    /// Number of wrong passwords, and apart from them of unknown codes of invitations. Beyond the
    /// limit, a pause begins: every `join` with a password, or with an unknown code, is refused, and
    /// its connection is closed.
    Passwords,
    /// Rate of claims without an invitation, where everybody may claim a name. Beyond the limit, a
    /// claim is refused.
    Claims,
    /// Number of open rooms. A `join` or `enter` that would open a further room is refused if the
    /// address group has opened too many, or if the server has too many.
    Rooms,
    /// Number of sessions that are away (disconnected). If the server has too many sessions, one of
    /// the address group is evicted.
    Sessions,
    /// Rate of `history` and `search` requests, and of replay pages after the first one. Beyond the
    /// limit, a replay or a request waits. If a request would wait too long, its connection is
    /// closed.
    Requests,
    /// Number of names: those in use, and those that wait for sessions that have lost their
    /// connections. Beyond the limit, a waiting name is freed early.
    Names,
    /// Rate of messages. Beyond the limit, connections are read more slowly. Only the driver counts
    /// the messages.
    Messages,
    /// Number of unsent bytes for slow readers. Beyond the limit, a connection is closed. Only the
    /// driver counts these bytes.
    Unsent,
}

impl Quota {
    /// All quotas.
    pub const ALL: &[Self] = &[
        Self::Connections,
        Self::Joins,
        Self::Passwords,
        Self::Claims,
        Self::Rooms,
        Self::Sessions,
        Self::Requests,
        Self::Names,
        Self::Messages,
        Self::Unsent,
    ];

    /// Returns the name of the quota, for the status report and the server's log file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Joins => "joins",
            Self::Passwords => "passwords",
            Self::Claims => "claims",
            Self::Rooms => "rooms",
            Self::Sessions => "sessions",
            Self::Requests => "requests",
            Self::Names => "names",
            Self::Messages => "messages",
            Self::Unsent => "unsent",
        }
    }
}

/// Snapshot of the hub's state for the status report: counters, server name, head, and storage
/// health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubStats {
    /// Name of the server, from the settings.
    pub server_name: String,
    /// Number of connected sessions.
    pub connected_users: usize,
    /// Number of connections, including those that have not joined and those that are closing.
    pub connections: usize,
    /// Number of open rooms.
    pub rooms: usize,
    /// Number of names that wait for sessions that have lost their connections.
    pub waiting_names: usize,
    /// Number of sessions, those that are away included.
    pub sessions: usize,
    /// Hub's head: sequence of the last committed entry.
    pub head: Sequence,
    /// Health of the log's storage.
    pub storage: StorageHealth,
}

/// What a follower asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicationRequest {
    /// Id of the log that the follower has; all zero: none.
    pub log_id: LogId,
    /// Sequence up to which the follower has everything.
    pub position: Sequence,
    /// Epoch of what the follower has.
    pub epoch: u64,
}

/// Event that the driver reports to the hub.
#[derive(Debug)]
pub enum Input {
    /// A client has connected.
    Connected {
        /// Identifier of the new connection.
        connection: ConnectionId,
        /// IP address of the client.
        address: IpAddr,
        /// Random token, new for each connection. It becomes the session token if this connection
        /// starts a new session.
        token: Token,
        /// What a proof on this connection signs, with a random challenge. `None`: no proof is
        /// possible, and the feature `identity` is not provided.
        proof_context: Option<Box<ProofContext>>,
    },
    /// A frame has arrived from a client.
    Received {
        /// Connection on which the frame arrived.
        connection: ConnectionId,
        /// Decoded frame.
        frame: Decoded<ClientFrame>,
    },
    /// The driver asks the hub to close a connection with an error: because of undecodable bytes, a
    /// slow reader or a panic.
    ConnectionFailed {
        /// Connection to close.
        connection: ConnectionId,
        /// Error code to send. It must be one that closes the connection.
        error: ErrorCode,
    },
    /// The client has closed its sending half, but may still read. The hub answers all frames that
    /// have arrived, and waits for the log's answers to messages. Then it delivers
    /// [`Delivery::Close`].
    HalfClosed {
        /// Connection that is half-closed.
        connection: ConnectionId,
        /// True if the stream has ended inside a frame, so the connection was cut off. If false,
        /// the client leaves.
        in_frame: bool,
    },
    /// A connection is gone: the driver has closed its socket, and discards later deliveries to it.
    Disconnected {
        /// Connection that is gone.
        connection: ConnectionId,
    },
    /// The log has committed items, in the order of the log. Some may not come from this hub, if
    /// the log is distributed.
    Committed {
        /// Committed items in the order of the log, so messages and facts in ascending order of
        /// sequence. The hub ignores those whose sequence is not above its head.
        items: Vec<LogItem>,
    },
    /// The log has refused a proposal, which is not stored, now or later. The hub sends an error to
    /// the author of a message that is still in flight.
    NotStored {
        /// Ticket of the proposal.
        ticket: Ticket,
        /// Why it was refused.
        reason: NotStoredReason,
    },
    /// Answer to [`Output::Read`].
    ReadDone {
        /// Tag of the read request.
        tag: ReadTag,
        /// Entries that were read, or the failure.
        outcome: Result<ReadOutcome, ReadFailed>,
    },
    /// A connection has reached its flow-control mark ([`Delivery::Mark`]).
    MarkReached {
        /// Connection that reached the mark.
        connection: ConnectionId,
    },
    /// The health of the log's storage has changed.
    StorageChanged(StorageHealth),
    /// The log has noticed, when it dated an entry, that the wall clock was set by more than
    /// [`crate::model::limits::MAX_CLOCK_STEP`].
    ClockChanged,
    /// Owner's announcement to all users. Every joined connection gets it as notice 3.
    Announce(AnnouncementText),
    /// Moderation request of the server's command line. The answer is [`Output::Moderated`], once
    /// for each request.
    Moderate {
        /// Identifier of the request, which the answer repeats.
        id: OwnerRequestId,
        /// What to do.
        request: ModerationRequest,
    },
    /// Health probe of the driver's watchdog. The hub answers with a `pong` through
    /// [`Output::Deliver`], even if it does not know the connection.
    Probe {
        /// Connection that receives the `pong`.
        connection: ConnectionId,
        /// Token that the `pong` repeats.
        token: u64,
    },
    /// The moment of the last [`Output::WakeAt`] has come. A `Wake` before that moment is harmless.
    Wake,
    /// The settings were reloaded. Existing connections, sessions and rooms stay, even above new
    /// limits. `is_durable` keeps its value.
    SettingsChanged(HubSettings),
    /// The URL of the page for browsers is this one now; `None`: there is none that others reach.
    PageUrl(Option<PageUrl>),
    /// The server shuts down: the hub closes all connections, and refuses new ones.
    ShutDown {
        /// Time after which clients should reconnect, in milliseconds; 0 for no advice.
        retry_after: u32,
    },
}

/// Action that the driver must perform.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Propose this change to the log, after all earlier proposals.
    Propose(Proposal),
    /// Read entries from the log; the answer is [`Input::ReadDone`].
    Read {
        /// Tag to return with the answer.
        tag: ReadTag,
        /// Entries to read.
        request: ReadRequest,
    },
    /// Send an entry to all connections subscribed to a room, but not before the next
    /// [`Output::Published`].
    Publish {
        /// Room of the entry.
        room: RoomId,
        /// Entry to send. It is encoded once for all subscribers.
        entry: SharedEntry,
    },
    /// End of a batch of `Publish` outputs: all entries up to `head` are published, so the
    /// subscribed connections may send them. One follows each [`Input::Committed`] that has more
    /// than volatile items.
    Published {
        /// Hub's head: sequence of the last committed entry.
        head: Sequence,
    },
    /// Deliver an item to one connection.
    Deliver {
        /// Connection that receives the item.
        connection: ConnectionId,
        /// Place of the item among the room entries. The connection sends the item after all
        /// entries of its rooms up to and including this sequence, and before all later entries.
        after: Sequence,
        /// Item to deliver.
        delivery: Delivery,
    },
    /// Deliver one frame to several connections, as `Deliver` does to one. The frame is encoded
    /// once.
    DeliverAll {
        /// Connections that receive the frame.
        connections: Vec<ConnectionId>,
        /// Place among the room entries, as in `Deliver`.
        after: Sequence,
        /// Frame to send.
        frame: ServerFrame,
    },
    /// A room is closed, because its last member has left. The driver may drop its state for the
    /// room.
    RoomClosed {
        /// Room that is closed.
        room: RoomId,
    },
    /// Send [`Input::Wake`] at this moment. Replaces the previous `WakeAt`.
    WakeAt(Moment),
    /// An address group has reached a limit; [`Quota`] says what happens then. For the server's log
    /// file and the status report.
    QuotaReached {
        /// Group that reached the limit.
        group: AddressGroup,
        /// Limit that the address group reached.
        quota: Quota,
    },
    /// Answer to [`Input::Moderate`]: its fact is committed, or the request is refused.
    Moderated {
        /// Identifier of the request.
        id: OwnerRequestId,
        /// Number of connected users whom the action has hit or, in a dry run, would hit; or the
        /// reason of the refusal.
        outcome: Result<u32, ModerationRefusal>,
    },
    /// A connection is a follower's from now on: serve it by this request.
    Replicate {
        /// Connection of the follower.
        connection: ConnectionId,
        /// What it asks for.
        request: ReplicationRequest,
    },
    /// A follower has stored and taken this much.
    Replicated {
        /// Connection of the follower.
        connection: ConnectionId,
        /// Sequence up to which it has stored everything.
        position: Sequence,
        /// Number of bytes that it has taken.
        received: u64,
    },
    /// Number of connected sessions (users). It is output when it changes.
    ConnectedUsers(usize),
}

/// Item to deliver to a single connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Send this frame.
    Frame(ServerFrame),
    /// Send these log entries. They are encoded just before they are sent.
    Entries {
        /// Entries in ascending order of sequence.
        entries: Vec<SharedEntry>,
        /// Value of the `flags` field of each entry's frame.
        flags: u8,
    },
    /// Subscribe the connection to a room: the connection then sends the entries that are published
    /// there after the delivery's `after`.
    Subscribe(RoomId),
    /// Unsubscribe the connection from a room: it gets no entry published there after the
    /// delivery's `after`.
    Unsubscribe(RoomId),
    /// Flow-control mark. The driver answers with [`Input::MarkReached`] when the connection has
    /// passed everything before the mark to the operating system, except a bounded number of bytes.
    Mark,
    /// Send everything that is pending, then close the connection. Nothing is delivered after it.
    /// The driver then reports [`Input::Disconnected`].
    Close,
}
