//! Write access to the database: transactions, checkpoints and syncs. A transaction writes a list
//! of changes completely or not at all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::database::{BUSY_TIMEOUT, property, read_property, write_property};
use super::facts;
use super::read_marks;
use super::replica::{self, ReplicaChange};
use super::retention::{self, RetentionProgress, RetentionStepResult};
use super::rows::{self, RoomEntryInsert, sequence_to_sql, u64_to_sql};
use super::sequence_gaps;
use super::sequencer::Change;
use crate::hub::Now;
use crate::model::limits::MAX_KEPT_DIRECT_MESSAGES;
use crate::model::{LogEntry, NameKey, Retention, RoomName, Sequence, SessionId, Target, Username};
use crate::wire::tcp::ReplicaCommit;

/// Size of the write-ahead log at which a checkpoint is run, in pages.
const CHECKPOINT_PAGES: i32 = 1_000;

/// Number of sequences by which the head may be ahead of what a session record is right up to,
/// before that is noted anew. So a start reads at most about twice as many messages to correct
/// session records, unless one of them has refused messages: such a record is not noted anew, and
/// lives for a day at most after its session.
pub(super) const MAX_NOTED_LAG: u64 = 10_000;

/// Sync level of commits: what SQLite syncs to the disk (`PRAGMA synchronous`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncLevel {
    /// `off`: no sync, so a power cut may damage the database. For tests.
    Off,
    /// `normal`: only the syncs that keep the database intact. A power cut may lose the last
    /// commits.
    Ordered,
    /// `full`: each commit syncs the write-ahead log. This commit and all earlier ones are then
    /// durable.
    Full,
}

/// Write access to the database, used by the writer thread only.
pub(super) struct Store {
    /// Read-write connection to the database.
    pub(super) connection: Connection,
    /// Cache of the row ids of rooms. Evicted rooms are removed from it.
    room_ids: HashMap<NameKey, i64>,
    /// Sync level that is set at the connection; `None` if none was set.
    sync_level: Option<SyncLevel>,
    /// Number of pages in the write-ahead log after the last commit, set by a hook of SQLite.
    /// [`Self::checkpoint_if_large`] resets it to 0.
    wal_pages: Arc<AtomicI32>,
    /// Progress of retention between its steps.
    retention_progress: RetentionProgress,
}

impl Store {
    /// Creates write access with this read-write connection. Sets the hook that counts the pages of
    /// the write-ahead log.
    pub(super) fn new(mut connection: Connection) -> rusqlite::Result<Self> {
        let wal_pages = Arc::new(AtomicI32::new(0));
        let counted = wal_pages.clone();
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            connection,
            room_ids: HashMap::new(),
            sync_level: None,
            wal_pages,
            retention_progress: RetentionProgress::default(),
        })
    }

    /// Writes changes, in this order, in one transaction with this sync level.
    ///
    /// # Errors
    /// None of the changes is written.
    pub(super) fn write(&mut self, changes: &[Change], sync: SyncLevel) -> rusqlite::Result<()> {
        self.set_sync_level(sync)?;
        // If the transaction fails, the rooms that it inserted do not exist, so the cache stays
        // empty.
        let mut room_ids = std::mem::take(&mut self.room_ids);
        let transaction = self.connection.transaction()?;
        apply_changes(&transaction, &mut room_ids, changes)?;
        transaction.commit()?;
        self.room_ids = room_ids;
        Ok(())
    }

    /// Writes a batch of a replication in one transaction with this sync level. `commit`: its end. `epoch`: that
    /// of the server.
    ///
    /// # Errors
    /// None of the changes is written.
    pub(super) fn write_replica(
        &mut self,
        changes: &[ReplicaChange],
        commit: ReplicaCommit,
        epoch: u64,
        sync: SyncLevel,
    ) -> rusqlite::Result<()> {
        self.set_sync_level(sync)?;
        let mut room_ids = std::mem::take(&mut self.room_ids);
        let transaction = self.connection.transaction()?;
        replica::write_changes(&transaction, &mut room_ids, changes, commit, |rooms, change| {
            apply_change(&transaction, rooms, &mut None, change)
        })?;
        write_property(&transaction, property::EPOCH, u64_to_sql(epoch))?;
        transaction.commit()?;
        self.room_ids = room_ids;
        Ok(())
    }

    /// Runs a checkpoint if the write-ahead log has at least [`CHECKPOINT_PAGES`] pages. Does not
    /// wait for readers, which may keep it from copying all pages. A checkpoint copies the pages of
    /// the write-ahead log into the database file. It is not run at each commit, so a page that
    /// changes often is copied once for many commits.
    pub(super) fn checkpoint_if_large(&mut self) -> rusqlite::Result<()> {
        if self.wal_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return Ok(());
        }
        self.wal_pages.store(0, Ordering::Relaxed);
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Runs a checkpoint of the complete write-ahead log (WAL), and truncates it to nothing. Call
    /// it after a failed sync. Pages of the write-ahead log may then be missing on the disk. The
    /// operating system still returns these pages from its cache, without an error.
    ///
    /// # Errors
    /// The checkpoint has failed, or a reader has prevented it.
    pub(super) fn truncate_wal(&mut self) -> rusqlite::Result<()> {
        let ask = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = self.connection.query_row(ask, [], |row| row.get(0))?;
        if is_busy { Err(rusqlite::Error::QueryReturnedNoRows) } else { Ok(()) }
    }

    /// Does what [`Self::truncate_wal`] does, but waits for readers no longer than `patience`.
    /// Returns false if a reader has prevented it: call it again later.
    ///
    /// New readers do not prevent it for ever: those that begin after all pages are copied read the
    /// database file alone. So it is enough that the readers of before end.
    ///
    /// # Errors
    /// The checkpoint has failed.
    pub(super) fn try_truncate_wal(&mut self, patience: Duration) -> rusqlite::Result<bool> {
        self.connection.busy_timeout(patience)?;
        let ask = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: rusqlite::Result<bool> = self.connection.query_row(ask, [], |row| row.get(0));
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        match is_busy {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
            is_busy => Ok(!is_busy?),
        }
    }

    /// Stores `head`, the last sequence of the log, in a commit with this sync level. Syncs nothing
    /// below [`SyncLevel::Full`]. With [`SyncLevel::Full`], everything written before is then
    /// durable too.
    pub(super) fn sync(&mut self, head: Sequence, sync: SyncLevel) -> rusqlite::Result<()> {
        self.set_sync_level(sync)?;
        write_property(&self.connection, property::HEAD, sequence_to_sql(head))
    }

    /// Writes the last changes and `head`, the last sequence of the log. Marks the database as
    /// properly closed. All this is one transaction with this sync level.
    ///
    /// # Errors
    /// Nothing is written, and the database is not marked as closed.
    pub(super) fn close(
        &mut self,
        changes: &[Change],
        head: Sequence,
        sync: SyncLevel,
    ) -> rusqlite::Result<()> {
        self.set_sync_level(sync)?;
        let transaction = self.connection.transaction()?;
        apply_changes(&transaction, &mut self.room_ids, changes)?;
        advance_noted(&transaction, head)?;
        write_property(&transaction, property::HEAD, sequence_to_sql(head))?;
        write_property(&transaction, property::IS_CLEAN, 1)?;
        transaction.commit()
    }

    /// Notes that the stored session records are right up to `head`, so that the next start need
    /// not read the messages up to there. Does so only for records that lag behind by
    /// [`MAX_NOTED_LAG`]. All last references up to `head` must be stored.
    pub(super) fn advance_noted(&self, head: Sequence) -> rusqlite::Result<()> {
        advance_noted(&self.connection, head)
    }

    /// Sets the sync level of the following commits.
    pub(super) fn set_sync_level(&mut self, sync: SyncLevel) -> rusqlite::Result<()> {
        if self.sync_level != Some(sync) {
            let word = match sync {
                SyncLevel::Off => "off",
                SyncLevel::Ordered => "normal",
                SyncLevel::Full => "full",
            };
            self.connection.pragma_update(None, "synchronous", word)?;
            self.sync_level = Some(sync);
        }
        Ok(())
    }

    /// Runs one step of retention ([`retention::run_step`]). Removes evicted rooms from the cache
    /// of row ids.
    pub(super) fn run_retention_step(
        &mut self,
        retention: Retention,
        rooms_to_trim: &BTreeSet<NameKey>,
        now: Now,
        head: Sequence,
    ) -> rusqlite::Result<RetentionStepResult> {
        let Self { connection, retention_progress, room_ids, .. } = self;
        let step = retention::run_step(
            connection,
            retention_progress,
            retention,
            rooms_to_trim,
            now,
            head,
        )?;
        for key in &step.evicted {
            room_ids.remove(key);
        }
        Ok(step)
    }
}

/// Raises `noted` to `head` in the session records that are more than [`MAX_NOTED_LAG`] behind, but
/// not in those with refused messages: what they say of these may be older
/// (`recovery::apply_later_messages`).
fn advance_noted(connection: &Connection, head: Sequence) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE sessions SET noted = ?1 WHERE noted < ?2 AND length(refused) = 0",
    )?;
    let least = Sequence(head.0.saturating_sub(MAX_NOTED_LAG));
    statement.execute([sequence_to_sql(head), sequence_to_sql(least)])?;
    Ok(())
}

/// Writes changes to the database, in this order. Drops a last reference whose session has no record.
/// Adds the row ids that it looks up to the cache `room_ids`.
fn apply_changes(
    connection: &Connection,
    room_ids: &mut HashMap<NameKey, i64>,
    changes: &[Change],
) -> rusqlite::Result<()> {
    let mut insert = None;
    for change in changes {
        apply_change(connection, room_ids, &mut insert, change)?;
    }
    Ok(())
}

/// Writes one change. `insert`: the statement for room entries; prepared if it is `None`.
fn apply_change<'connection>(
    connection: &'connection Connection,
    room_ids: &mut HashMap<NameKey, i64>,
    insert: &mut Option<RoomEntryInsert<'connection>>,
    change: &Change,
) -> rusqlite::Result<()> {
    match change {
        Change::Entry(entry) => match &entry.draft.target {
            Target::Room(room) => {
                let room = room_id(connection, room_ids, room)?;
                let insert = match insert {
                    Some(insert) => insert,
                    None => insert.insert(RoomEntryInsert::prepare(connection)?),
                };
                insert.insert(room, entry)
            }
            Target::Session(to, username) => insert_direct(connection, entry, *to, username),
        },
        Change::Fact(_, fact, changes) => facts::insert(connection, fact, changes),
        Change::PersistSession(record, noted) => rows::upsert_session(connection, record, *noted),
        Change::PersistLastReference(session, reference, noted) => {
            let mut statement = connection
                .prepare_cached("UPDATE sessions SET last_reference = ?, noted = ? WHERE id = ?")?;
            statement.execute(params![
                u64_to_sql(reference.0),
                sequence_to_sql(*noted),
                u64_to_sql(session.0)
            ])?;
            Ok(())
        }
        Change::DeleteSession(session, head, keeps_directs) => {
            if !keeps_directs {
                delete_mailbox(connection, *session, *head)?;
            }
            rows::delete_session(connection, *session)
        }
        Change::KeepReadMarks(marks) => read_marks::replace(connection, marks),
        Change::SkipSequences(from, to) => {
            sequence_gaps::store(connection, *from, *to)?;
            // No sequence of the gap may be assigned, even if no message follows.
            write_property(connection, property::HEAD, sequence_to_sql(*to))
        }
    }
}

/// Returns the row id of a room, from the cache `room_ids` or the database. Inserts the room if the
/// database does not have it.
pub(super) fn room_id(
    connection: &Connection,
    room_ids: &mut HashMap<NameKey, i64>,
    room: &RoomName,
) -> rusqlite::Result<i64> {
    if let Some(number) = room_ids.get(room.key()) {
        return Ok(*number);
    }
    let number = match rows::find_room(connection, room.key())? {
        Some((number, _)) => number,
        None => {
            // An earlier row of this room may have been evicted, and its entries with it.
            let forgotten: i64 = read_property(connection, property::EVICTED_UP_TO)?.unwrap_or(0);
            let mut statement = connection
                .prepare_cached("INSERT INTO rooms (key, name, dropped) VALUES (?, ?, ?)")?;
            statement.insert(params![room.key().as_str(), room.as_str(), forgotten])?
        }
    };
    room_ids.insert(room.key().clone(), number);
    Ok(number)
}

/// Inserts a direct message, and puts it into the mailboxes of its sender and its recipient. Trims
/// these mailboxes. A mailbox is the list of the direct messages kept for a session or a person.
fn insert_direct(
    connection: &Connection,
    entry: &LogEntry,
    to: SessionId,
    username: &Username,
) -> rusqlite::Result<()> {
    rows::insert_direct(connection, entry, to, username)?;
    let mut statement =
        connection.prepare_cached("INSERT INTO mailboxes (session, sequence) VALUES (?, ?)")?;
    statement.execute(params![u64_to_sql(to.0), sequence_to_sql(entry.sequence)])?;
    trim_mailbox(connection, to)?;
    let author = entry.draft.author();
    if to != author {
        statement.execute(params![u64_to_sql(author.0), sequence_to_sql(entry.sequence)])?;
        trim_mailbox(connection, author)?;
    }
    Ok(())
}

/// Removes the oldest direct messages beyond [`MAX_KEPT_DIRECT_MESSAGES`] from a session's mailbox
/// ([`delete_from_mailbox`]).
fn trim_mailbox(connection: &Connection, session: SessionId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM mailboxes WHERE session = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?",
    )?;
    let most = i64::try_from(MAX_KEPT_DIRECT_MESSAGES).unwrap_or(i64::MAX);
    let excess: Option<i64> =
        statement.query_row(params![u64_to_sql(session.0), most], |row| row.get(0)).optional()?;
    if let Some(last) = excess {
        delete_from_mailbox(connection, session, last)?;
    }
    Ok(())
}

/// Removes the direct messages up to and including the sequence `last` from a session's mailbox.
/// Deletes each message that is then in no mailbox. Returns the number removed from this mailbox.
fn delete_from_mailbox(
    connection: &Connection,
    session: SessionId,
    last: i64,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM mailboxes WHERE session = ? AND sequence <= ? RETURNING sequence",
    )?;
    let dropped = statement.query_map(params![u64_to_sql(session.0), last], |row| row.get(0))?;
    let dropped = dropped.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM directs WHERE sequence = ?1
         AND NOT EXISTS (SELECT 1 FROM mailboxes WHERE sequence = ?1)",
    )?;
    for sequence in &dropped {
        statement.execute([sequence])?;
    }
    Ok(dropped.len())
}

/// Deletes all direct messages from a session's mailbox. If there were any, stores the head of the
/// log, because their sequences must not be assigned again.
pub(super) fn delete_mailbox(
    connection: &Connection,
    session: SessionId,
    head: Sequence,
) -> rusqlite::Result<()> {
    if delete_from_mailbox(connection, session, i64::MAX)? > 0 {
        write_property(connection, property::HEAD, sequence_to_sql(head))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::database::open_to_write;
    use super::*;
    use crate::model::{Draft, MessageText, Timestamp};

    /// A new room may have been evicted before, so its column `dropped` starts at the greatest
    /// evicted sequence.
    #[test]
    fn recreated_room_reports_evicted_messages_as_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        std::fs::File::create(&path).unwrap();
        let mut store = Store::new(open_to_write(&path, None).unwrap()).unwrap();
        write_property(&store.connection, property::EVICTED_UP_TO, 7).unwrap();
        let draft = Draft { text: MessageText::new("here again").unwrap(), ..Draft::example() };
        let (sequence, previous) = (Sequence(8), Sequence::ZERO);
        let entry = LogEntry { sequence, previous, time: Timestamp(1), draft };
        store.write(&[Change::Entry(entry.into())], SyncLevel::Ordered).unwrap();
        let ask = "SELECT dropped FROM rooms WHERE key = 'lobby'";
        let dropped: i64 = store.connection.query_row(ask, [], |row| row.get(0)).unwrap();
        assert_eq!(dropped, 7, "a client that was at 3 must be told of the gap");
    }
}
