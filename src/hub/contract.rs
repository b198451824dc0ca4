//! Inputs and outputs of the hub: the contract between the engine and its driver.

use std::net::IpAddr;

use super::moderation::{ModerationRefusal, OwnerRequestId, RemovalRequest};
use super::volatile::{HeldName, HubId, SharedState, VolatileDraft, VolatileItem};
use crate::identity::ProofContext;
use crate::model::{
    AddressGroup, AnnouncementText, Draft, ErrorCode, FactDraft, HubSettings, LogId,
    ModerationRequest, Moment, PageUrl, PersonReadMarks, Reference, RoomName, SearchQuery,
    Sequence, SessionId, SessionRecord, SharedEntry, SharedFact, Timestamp, Token,
};
use crate::moderation::{ModerationState, SpeechError};
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

/// State that the log has restored when the server starts, for [`Hub::new`](super::Hub::new).
#[derive(Clone, Debug)]
pub struct RestoredState {
    /// Id of the log that all sequences belong to.
    pub log_id: LogId,
    /// Head of the log: greatest assigned sequence that the log knows.
    pub head: Sequence,
    /// Number that the log will assign to the next new session: greater than all numbers used in
    /// this log; not 0. The hub does not need it.
    pub next_session: SessionId,
    /// Records of the stored sessions, in any order. The hub removes those that have expired.
    pub sessions: Vec<SessionRecord>,
    /// Names of rooms that have or had entries, in the spelling of the log. The least recently used
    /// room comes first. The log may omit the least recently used ones.
    pub rooms: Vec<RoomName>,
    /// Sequence gaps: ranges of sequences that the log has skipped. Each excludes its first value
    /// and includes its second. A client whose position lies in such a range may have seen entries
    /// that the log has lost. The hub does not accept that position.
    pub sequence_gaps: Vec<(Sequence, Sequence)>,
    /// Moderation state: the fold of all facts up to the head.
    pub moderation: ModerationState,
    /// What persons have read, as it was stored last.
    pub read_marks: Vec<PersonReadMarks>,
    /// This hub and the others, if the log is one that hubs share.
    pub shared: Option<SharedState>,
}

impl RestoredState {
    /// Returns the restored state of an empty log with this id.
    #[must_use]
    pub fn empty(log_id: LogId) -> Self {
        Self {
            log_id,
            head: Sequence::ZERO,
            next_session: SessionId(1),
            sessions: Vec::new(),
            rooms: Vec::new(),
            sequence_gaps: Vec::new(),
            moderation: ModerationState::default(),
            read_marks: Vec::new(),
            shared: None,
        }
    }
}

/// Health of the log's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageHealth {
    /// Healthy: the log stores entries as durably as configured.
    Sound,
    /// Writing fails. New entries are kept in memory only, until they can be written.
    MemoryOnly,
    /// Writing fails, and the log refuses new entries: it answers every draft with
    /// [`Input::NotStored`].
    Refusing,
    /// The log has not answered for some time. The driver reports this state, not the log. When the
    /// log answers again, the driver reports the log's last state again.
    Stalled,
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

/// Change that the hub proposes to the log. Proposals take effect in the order in which they are
/// proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Append this draft. The log answers with [`Input::Committed`] or [`Input::NotStored`].
    Message(Draft),
    /// Append this fact. The log answers with [`Input::Committed`], also if the action is not
    /// permitted ([`Fact::is_effective`](crate::model::Fact::is_effective)), or with
    /// [`Input::NotStored`].
    Fact {
        /// Ticket, which the answer repeats.
        ticket: FactTicket,
        /// Fact to append.
        draft: FactDraft,
    },
    /// Persist this session record, in place of the session's previous record. The first record of
    /// a session comes before its first message. The log does not answer.
    PersistSession(SessionRecord),
    /// Delete a session that has expired or was evicted, with the direct messages that are kept for
    /// it, unless its number is that of a person who has claimed a name. Its number is not used again. The log does not answer.
    DeleteSession(SessionId),
    /// Store the read marks of these persons, in place of their former ones. The log does not
    /// answer.
    KeepReadMarks(Vec<PersonReadMarks>),
    /// Order this change among the other volatile ones, and do not store it. The log answers with
    /// [`Input::Committed`], and does not refuse it, not even while its storage is failing. It may
    /// overtake messages, and be overtaken by them.
    Volatile(VolatileDraft),
    /// Hand this to the hub that has just begun: who is here, at the place of its
    /// [`VolatileItem::HubBegan`]. Proposed only to a log that hubs share. The log does not answer.
    HandOver {
        /// Hub that begins.
        to: HubId,
        /// All names that are held, those of each name in the order in which the sessions got it.
        holds: Vec<HeldName>,
    },
}

/// Identifier of a proposed fact, assigned by the hub. It is not used again by the same hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactTicket(pub u64);

/// Identifier of a proposal that the log answers: names the proposal in its refusal
/// ([`Input::NotStored`]). A message that is proposed again after a refusal has the same ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// Ticket of a [`Proposal::Message`].
    Message {
        /// Session of the author.
        session: SessionId,
        /// Reference of the message.
        reference: Reference,
    },
    /// Ticket of a [`Proposal::Fact`].
    Fact(FactTicket),
}

impl Ticket {
    /// Returns the ticket of a message.
    #[must_use]
    pub const fn of_message(draft: &Draft) -> Self {
        Self::Message { session: draft.session, reference: draft.reference }
    }
}

/// Reason why the log has refused a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStoredReason {
    /// The log cannot store it: the disk fails, or too much is waiting.
    Storage,
    /// The log is that of a follower, which takes nothing but what the server it follows sends.
    Follower,
    /// The author of the message may not send it. The log judges each message at its place in the
    /// log, by the facts before it.
    Forbidden(SpeechError),
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

/// Item that the log has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// Entry of the log: a message. Its sequence is above those of all earlier entries, but need
    /// not follow the last one directly: a sequence that does not come means nothing by itself.
    Message(SharedEntry),
    /// Fact. Facts and messages share one order of sequences. No message is linked to a fact: a
    /// message's `previous` names an earlier message.
    Fact {
        /// Ticket of the proposal, if this hub has proposed the fact.
        ticket: Option<FactTicket>,
        /// The fact, with the verdict of the log.
        fact: SharedFact,
    },
    /// Void (sequence gap): the sequences `(after, up_to]`, which the log skips. Users may have
    /// seen entries there that the log has lost. A client whose position lies in a void starts
    /// again without a position. A void does not move the hub's head, which would otherwise become
    /// such a position.
    Void {
        /// Sequence before the first skipped one.
        after: Sequence,
        /// Last skipped sequence.
        up_to: Sequence,
    },
    /// Volatile change: it has no sequence, does not move the hub's head and is not stored.
    Volatile(VolatileItem),
    /// What is stored about a session or a person, mostly by another hub of the log. It does not move
    /// the hub's head. A log that is not shared has none.
    Elsewhere(StoredElsewhere),
}

/// What is stored in a shared log besides messages and facts, mostly by another hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredElsewhere {
    /// A session record, in place of the session's earlier one. This hub is told of its own ones, too.
    Session(HubId, SessionRecord),
    /// A session was deleted, and its name is free. It stays if it is connected to a third hub at this
    /// place of the log. This hub is told of what it has deleted itself, too.
    SessionDeleted(HubId, SessionId),
    /// The log has refused a message of another hub's session, which may send it again.
    MessageRefused(SessionId, Reference),
    /// A message that this hub has proposed is not appended: its reference says that it is in the log
    /// already, for another hub has proposed it or a later one of the session.
    MessageKnown(SessionId, Reference),
    /// Read marks, in place of the former ones of these persons.
    ReadMarks(Vec<PersonReadMarks>),
}

impl LogItem {
    /// Returns the entry of a [`LogItem::Message`]; `None` for any other item.
    #[must_use]
    pub const fn entry(&self) -> Option<&SharedEntry> {
        match self {
            Self::Message(entry) => Some(entry),
            Self::Fact { .. } | Self::Void { .. } | Self::Volatile(_) | Self::Elsewhere(_) => None,
        }
    }

    /// Returns the sequence of a message or fact; `None` for any other item.
    #[must_use]
    pub fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::Message(entry) => Some(entry.sequence),
            Self::Fact { fact, .. } => Some(fact.sequence),
            Self::Void { .. } | Self::Volatile(_) | Self::Elsewhere(_) => None,
        }
    }
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

/// Tag that matches the answer of a read to its request. The driver does not interpret it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadTag {
    /// Connection that waits for the answer.
    pub(super) connection: ConnectionId,
    /// Client request that the read serves.
    pub(super) purpose: ReadPurpose,
}

impl ReadTag {
    /// Returns a tag for reading a log without a hub. A hub ignores an answer with this tag.
    #[must_use]
    pub const fn without_hub() -> Self {
        Self { connection: ConnectionId(u64::MAX), purpose: ReadPurpose::Join }
    }
}

/// Client request that a log read serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadPurpose {
    /// A `join`: its history, or a page of its replay.
    Join,
    /// An `enter` with this reference, into this room: the room's history.
    Enter(Reference, RoomName),
    /// A `history` request with this reference.
    History(Reference),
    /// A `search` request with this reference.
    Search(Reference),
    /// The removal of a message, whose author must be known.
    Remove(Box<RemovalRequest>),
}

/// Query for a log read: which entries to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Rooms whose entries are read.
    pub rooms: Vec<RoomName>,
    /// Session or person whose direct messages, sent and received, are read too, by the number of
    /// their mailbox; `None`: no direct messages.
    /// Used only with [`ReadRange::Latest`] and [`ReadRange::After`].
    pub session: Option<SessionId>,
    /// Range of entries to read.
    pub range: ReadRange,
}

/// Range of log entries to read. Each `u16` is a limit: the maximum number of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// The latest entries: up to the limit for each room, and up to the limit for direct messages.
    Latest(u16),
    /// The first entries and removals after this sequence: up to the limit for rooms, direct
    /// messages and removals together.
    After(Sequence, u16),
    /// The latest entries before this sequence: up to the limit for each room.
    Before(Sequence, u16),
    /// The latest entries of the rooms that match a search query: up to the query's limit for all
    /// rooms together.
    Matching(SearchQuery),
}

/// Result of a log read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Entries in ascending order of sequence. Rooms and direct messages are mixed. A message whose
    /// text was removed comes with the placeholder.
    pub entries: Vec<SharedEntry>,
    /// Facts by which messages of the rooms were removed, in ascending order of sequence: those
    /// after the range's sequence, also if the message itself is not in `entries`. The range's
    /// limit counts them together with the entries. Used only with [`ReadRange::After`].
    pub removals: Vec<SharedFact>,
    /// Head of the log when it was read. The result contains every matching entry up to this head,
    /// within the range. The hub has already got all entries up to this head by
    /// [`Input::Committed`].
    pub head: Sequence,
    /// Rooms in which entries after the range's sequence are missing, or may be missing, because
    /// the log has deleted entries. Used only with [`ReadRange::After`].
    pub gaps: Vec<RoomName>,
    /// True if more entries match: older ones ([`ReadRange::Before`] with one room,
    /// [`ReadRange::Matching`]), or later ones or removals up to `head` ([`ReadRange::After`]).
    pub more: bool,
}

/// Error of a log read. The same read may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFailed;
