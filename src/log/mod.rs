//! Layer 3: the server's log. It assigns sequence and time to every message and stores it. Reads
//! start from a position.
//!
//! All messages that users see have passed through the log: the hub publishes only entries that the
//! log has committed, in the log's order.
//!
//! [`Log`] is the contract. No other module knows which implementation is in use. [`LogSettings`]
//! selects and opens it, so a new implementation needs one more variant there.
//!
//! | module | contents |
//! |---|---|
//! | `settings` | selecting and opening an implementation |
//! | `memory` | [`MemoryLog`]: entries in memory, until the process ends |
//! | `sqlite` | [`SqliteLog`]: entries in an SQLite database, across restarts |
//! | `shared` | what a log does that several hubs share, without I/O; no driver uses it yet |
//! | `replay_page` | the first entries and removals after a position; used by both implementations |
//! | `timestamps` | timestamps from a wall clock that may be set; used by both implementations |
//! | `volatile` | changes that are ordered but not stored; used by both implementations |
//!
//! `tests.rs` performs the same operations on both implementations and compares every event. A new
//! implementation should pass it too. The owner's tools (export, audit, import, backup, check) are
//! in `crate::archive`. They work on the database of `sqlite` without a server.

mod memory;
mod replay_page;
mod settings;
#[cfg(test)]
mod shared;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;
mod timestamps;
mod volatile;

use std::task::{Context, Poll};
use std::time::Duration;

pub use memory::{MemoryLimits, MemoryLog};
pub use settings::{LogOpenError, LogSettings, OpenedLog};
pub(crate) use sqlite::MAKE_SERVER_KEY;
pub(crate) use sqlite::replica::{
    CopyStore, FollowedServer, Refusal, ReplicaBatch, ReplicaSource, StoreRole, promote_stopped,
    set_aside, store_role,
};
pub use sqlite::replica::{Replaced, ReplicaError};
pub use sqlite::{
    Durability, OnFailure, ReplicaHandle, SqliteLog, StoreError, StoreSettings, StoredServerKey,
};
pub use timestamps::TimestampSource;

use crate::hub::{
    LogItem, NotStoredReason, Now, Proposal, ReadFailed, ReadOutcome, ReadRequest, ReadTag,
    StorageHealth, Ticket,
};
use crate::model::{Retention, RoomName};

/// Maximum duration of a search. A longer search fails, so that it does not delay the searches
/// after it.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Contract of a log: an ordered, readable store of entries and session records.
///
/// One task, the server's engine, owns the log and calls it. Only [`Log::close`] may block that
/// task: an implementation hands slow work to threads or to other machines.
///
/// Only [`Log::poll_event`] returns a result. All other calls are answered by [`LogEvent`]s, at
/// once or later, or not at all.
///
/// # Order
///
/// - Proposals take effect in the order in which they are proposed, within a call and over all
///   calls.
/// - `Committed` events contain entries and facts in ascending order of sequence, each once, and in
///   the order in which their drafts were proposed. One call may be answered by several events, and
///   several calls by one event.
/// - Sequences start at 1 and only ascend, over entries and facts together. Unused sequences
///   between two of them are allowed, and mean nothing by themselves.
/// - A [`LogItem::Void`] comes before the first entry or fact behind it, and also if none follows.
///   No entry and no fact has one of its sequences.
/// - Timestamps do not go back, except when the clock is set ([`TimestampSource`]).
/// - Every draft, of a message or a fact, is answered exactly once: in a `Committed` or by a
///   `NotStored`. A `NotStored` may arrive before the `Committed` of earlier drafts. But if a
///   message is forbidden ([`NotStoredReason::Forbidden`]), it arrives after the facts that forbid
///   the message.
/// - Every read is answered exactly once, by a `ReadDone`, after the answers to all drafts that
///   were proposed before it. Reads may be answered in any order.
/// - A read sees the effect of every call before it, and perhaps of later calls: all entries up to
///   the `head` that it reports, and none after it. All entries up to `head` were in `Committed`
///   events before the `ReadDone`. Entries after `head`, which the read did not see, may have been
///   in such events too.
/// - `StorageChanged` precedes the `Committed` events to which the new state applies.
///
/// # Other hubs
///
/// A log may be shared by several hubs. Then each of them gets, in one order:
/// - all messages and facts, whoever has proposed them. A fact has the ticket of the hub that has
///   proposed it for that hub only.
/// - all volatile changes, except the rooms of its own sessions.
/// - what other hubs have stored about sessions and persons ([`LogItem::Elsewhere`]), and which of
///   their messages were refused. Of what it has stored itself it is told of sessions only.
///
/// A read then sees what was in events before the call, and perhaps more; drafts that this hub has
/// proposed and that are not committed do not hold it up.
///
/// # Facts
///
/// - The log folds the facts into a [`ModerationState`](crate::moderation::ModerationState), and
///   judges each draft by the state at its place in the log. So every log gives the same verdicts.
/// - A fact is stored with its verdict, also if it is not effective.
/// - A message whose author may not send it is not stored
///   ([`ModerationState::judge_message`](crate::moderation::ModerationState::judge_message)).
/// - A fact by which a message is removed overwrites the message's text and style
///   ([`LogEntry::with_text_removed`](crate::model::LogEntry::with_text_removed)). Later reads get
///   the placeholder, and later searches do not find the message. If the log has no such message in
///   this room by this author, the fact changes nothing.
///
/// # Commitment
///
/// - A committed entry is final: only the removal of its text changes anything in it.
///   It disappears only by a limit (retention, [`Log::maintain`]) or by
///   [`Proposal::DeleteSession`]. If a read starts at a position before a deleted room entry, it
///   reports the room as a gap. Deleted direct messages are not reported.
/// - The log commits an entry when it is stored as durably as configured, not earlier. Only in the
///   state [`StorageHealth::MemoryOnly`] does it commit entries that are not stored.
/// - Within a log id, no sequence is given to two entries, not even if the first one was committed
///   and lost. A log that may have lost committed entries opens under a new log id, or makes sure
///   that the lost sequences lie after its head or in the ranges that it restores as
///   [`sequence_gaps`](crate::hub::RestoredState::sequence_gaps). A log that skips sequences for
///   that while it is open reports the range as a [`LogItem::Void`].
/// - The log does not look for duplicates: the hub does, by the restored session records. Drafts
///   that were proposed but not answered before the process ended may be in the log after a
///   restart, and the records must cover them (see [`Log::propose`]).
///
/// # Failure
///
/// - While writing fails, the log retries by itself. Either it reports `MemoryOnly` and commits
///   entries in memory only, or it reports [`StorageHealth::Refusing`] and answers drafts with
///   `NotStored`. When everything is stored again, it reports [`StorageHealth::Sound`], the initial
///   state. It never reports [`StorageHealth::Stalled`]: the engine does, when drafts stay
///   unanswered.
/// - In every state, the log may refuse drafts when too many are waiting.
/// - A read that cannot be performed is answered with [`ReadFailed`]; the log remains usable.
/// - A log that has broken down ends its events (see [`Log::poll_event`]).
pub trait Log: Send {
    /// Makes changes to the log in this order: appends drafts, stores session records and read marks,
    /// and deletes sessions.
    ///
    /// # Messages and facts
    /// Each draft ([`Proposal::Message`], [`Proposal::Fact`]) is answered once: in a
    /// [`LogEvent::Committed`], with its sequence and the time of this call, or by a
    /// [`LogEvent::NotStored`].
    ///
    /// Room messages and direct messages share one order of sequences. A direct message is kept for
    /// the sessions of its sender and its recipient.
    ///
    /// # Sessions
    /// No event answers a change of a session. While writing fails, the change is kept in memory.
    ///
    /// [`Proposal::PersistSession`] stores a session record, so that the session can be resumed
    /// after a restart of the server. It replaces the session's earlier record. After a restart the
    /// log returns the record, corrected by the session's own entries:
    /// - `last_reference` is at least the greatest reference of these entries, including those that
    ///   retention has deleted since.
    /// - `refused` contains no reference of an entry.
    ///
    /// Session numbers are never reused within a log: after a restart,
    /// [`next_session`](crate::hub::RestoredState::next_session) is greater than every number that
    /// was persisted. A log that does not survive a restart ignores session records.
    ///
    /// [`Proposal::DeleteSession`] deletes the record of a session, so that the session cannot be
    /// resumed. It also deletes the session's direct messages, including those proposed before. The
    /// other session of a direct message keeps its copy. While the number is that of a person who
    /// has claimed a name, the direct messages stay: they are the person's.
    ///
    /// # Read marks
    /// [`Proposal::KeepReadMarks`] replaces the read marks of persons, which are restored after a
    /// restart ([`read_marks`](crate::hub::RestoredState::read_marks)). They have no place in the
    /// order of the log, and no event answers. A log that does not survive a restart ignores them.
    ///
    /// # Volatile changes
    /// Each [`Proposal::Volatile`] is answered once, in a [`LogEvent::Committed`], in the order in
    /// which they are proposed. The log assigns the numbers of new sessions, and nothing is
    /// written: so nobody needs the disk to join. They have no place among the messages: a log may
    /// commit them before messages that were proposed earlier.
    fn propose(&mut self, now: Now, proposals: Vec<Proposal>);

    /// Requests a read of entries. One [`LogEvent::ReadDone`] with this tag is the answer. It comes
    /// after the answers to all drafts proposed before this call, and the read sees the entries of
    /// these drafts.
    ///
    /// The hub has only a few reads in progress at a time, and decides which read comes next. So an
    /// implementation need not limit reads or be fair to clients.
    fn read(&mut self, tag: ReadTag, request: ReadRequest);

    /// Performs maintenance that depends on which rooms are open. An implementation may evict a
    /// room for which `is_room_open` returns false: it deletes all entries of the room, and later
    /// reads report the room as a gap. No event answers the call.
    ///
    /// The engine calls this function after it has proposed messages, so it must return quickly if
    /// there is nothing to do. An implementation with its own maintenance thread may ignore the
    /// call.
    fn maintain(&mut self, is_room_open: &dyn Fn(&RoomName) -> bool);

    /// Replaces the retention limits. The engine calls it when the configuration is reloaded.
    /// Entries beyond the new limits are deleted over time, not at once. No event answers the call.
    fn set_retention(&mut self, retention: Retention);

    /// Returns the next event. After each call of another function, and whenever the waker of
    /// `context` is called, the engine calls this function until it returns [`Poll::Pending`]. The
    /// waker need not be called for events that another function of this trait adds during its
    /// call.
    ///
    /// Returns `None` if the log has broken down. No event follows, and unanswered requests stay
    /// unanswered. Events from before the breakdown are returned before `None`. The engine then
    /// ends, and the server is started again.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>>;

    /// Stores everything that was proposed, and closes the log. What cannot be written, because the
    /// disk fails, is lost. Events that were not polled are lost. It blocks until the storage has
    /// finished, so call it outside of asynchronous tasks.
    fn close(self: Box<Self>);
}

/// Event of a log: an answer to a request, or a change of the storage's health.
#[derive(Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Items were committed: entries, facts, voids and volatile changes.
    Committed {
        /// Committed items in the order of the log, so entries and facts in ascending order of
        /// sequence. Successive `Committed` events skip no committed item.
        items: Vec<LogItem>,
        /// True if the clock was set (a step of more than `MAX_CLOCK_STEP`) between the previous
        /// entry or fact of the log and the first of these. The times before and after the step are
        /// not comparable.
        clock_was_set: bool,
    },
    /// A draft was refused and is not in the log. It may be proposed again.
    NotStored {
        /// Ticket of the draft.
        ticket: Ticket,
        /// Why it was refused.
        reason: NotStoredReason,
    },
    /// A read was performed, or failed.
    ReadDone {
        /// Tag that was given to [`Log::read`].
        tag: ReadTag,
        /// Entries found, or the error of the read. After an error the same read may succeed later.
        outcome: Result<ReadOutcome, ReadFailed>,
    },
    /// The health of the storage has changed. This is the new state.
    StorageChanged(StorageHealth),
}
