//! Layer 3: the log. It gives every message its sequence and its time, keeps it, and is read from
//! a position.
//!
//! Everything that users are shown has passed through it: the hub publishes what the log has
//! committed, in the log's order, and nothing else. The contract is the [`Log`] trait; nothing
//! outside this module knows which implementation it has. An implementation may take its time, and
//! it may live on other machines: its commits are events, never return values.
//!
//! | module | implementation |
//! |---|---|
//! | `memory` | keeps entries in memory, until the process ends |
//! | `sqlite` | keeps entries in an SQLite database, in a directory |
//! | `stamp` | shared by both: timestamps from a clock that may be wrong |
//!
//! The owner's tools (export, import, backup, check) read and write the database of `sqlite`
//! without a server; they are in `crate::archive`.

mod memory;
mod settings;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;
mod timestamps;

use std::task::{Context, Poll};

pub use memory::{MemoryLimits, MemoryLog};
pub use settings::{LogOpenError, LogSettings, OpenedLog};
pub use sqlite::{Durability, OnFailure, SqliteLog, StoreError, StoreSettings};
pub use timestamps::TimestampSource;

use crate::hub::{Now, ReadFailed, ReadOutcome, ReadRequest, ReadTag, StorageHealth};
use crate::model::{Draft, Reference, Retention, RoomName, SessionId, SessionRecord, SharedEntry};

/// Where messages are kept. What it is asked for is done in the order of
/// asking; nothing is answered by the function that asks, everything by
/// [`Log::poll_event`].
pub trait Log: Send {
    /// Takes drafts in this order. Each comes back in a
    /// [`LogEvent::Committed`], with its place and the time of this call, or in
    /// a [`LogEvent::NotStored`].
    fn append(&mut self, now: Now, drafts: Vec<Draft>);

    /// Reads. Answered by one [`LogEvent::ReadDone`] with this tag. What was
    /// committed before it, and no more, was in a [`LogEvent::Committed`]
    /// before it.
    fn read(&mut self, tag: ReadTag, request: ReadRequest);

    /// Keeps a session beyond a restart, if anything is.
    fn persist_session(&mut self, record: SessionRecord);

    /// Forgets a session that cannot come back, and its direct messages.
    /// (The other side keeps its copies.)
    fn delete_session(&mut self, session: SessionId);

    /// Does what is to be done from time to time; `is_room_open` says whether
    /// somebody is in a room. Call it after each [`Log::append`].
    fn maintain(&mut self, is_room_open: &dyn Fn(&RoomName) -> bool);

    /// Keeps messages so long from now on.
    fn set_retention(&mut self, retention: Retention);

    /// The next thing that the log has to tell; none if it has broken down, and
    /// will say nothing more.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>>;

    /// Keeps everything that it was given, and ends. May take as long as the
    /// disk does.
    fn close(self: Box<Self>);
}

/// What a log has to tell.
#[derive(Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// These are in the log, in ascending order, without holes since the last time.
    Committed {
        /// What it took.
        entries: Vec<SharedEntry>,
        /// Between the one before and these the clock was set.
        clock_was_set: bool,
    },
    /// A draft could not be taken.
    NotStored {
        /// Its author.
        session: SessionId,
        /// The author's number for it.
        reference: Reference,
    },
    /// Something was read, or could not be.
    ReadDone {
        /// What it was for.
        tag: ReadTag,
        /// What was found.
        outcome: Result<ReadOutcome, ReadFailed>,
    },
    /// It fares differently from now on.
    StorageChanged(StorageHealth),
}
