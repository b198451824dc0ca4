//! What the hub and the log say to each other: proposals, committed items, reads, and the state that
//! is restored at a start.

use super::contract::ConnectionId;
use super::moderation::RemovalRequest;
use super::volatile::{HeldName, HubId, SharedState, VolatileDraft, VolatileItem};
use crate::model::{
    Draft, FactDraft, LogId, PersonReadMarks, Reference, RoomName, SearchQuery, Sequence,
    SessionId, SessionRecord, SharedEntry, SharedFact,
};
use crate::moderation::{ModerationState, SpeechError};

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
    /// [`Input::NotStored`](super::Input::NotStored).
    Refusing,
    /// The log has not answered for some time. The driver reports this state, not the log. When the
    /// log answers again, the driver reports the log's last state again.
    Stalled,
}

/// Change that the hub proposes to the log. Proposals take effect in the order in which they are
/// proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Append this draft. The log answers with [`Input::Committed`](super::Input::Committed) or [`Input::NotStored`](super::Input::NotStored).
    Message(Draft),
    /// Append this fact. The log answers with [`Input::Committed`](super::Input::Committed), also if the action is not
    /// permitted ([`Fact::is_effective`](crate::model::Fact::is_effective)), or with
    /// [`Input::NotStored`](super::Input::NotStored).
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
    /// [`Input::Committed`](super::Input::Committed), and does not refuse it, not even while its storage is failing. It may
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
/// ([`Input::NotStored`](super::Input::NotStored)). A message that is proposed again after a refusal has the same ticket.
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
    /// [`Input::Committed`](super::Input::Committed).
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
