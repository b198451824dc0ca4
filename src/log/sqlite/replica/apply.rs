//! Applying what a follower has received: a batch is written completely or not at all.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rusqlite::{Connection, params};

use super::super::database::{
    delete_property, open_to_write, property, read_property, write_property,
};
use super::super::directory::LockedDirectory;
use super::super::facts;
use super::super::recovery::read_head;
use super::super::rows;
use super::super::rows::{sequence_to_sql, u64_to_sql};
use super::super::sequence_gaps;
use super::super::sequencer::Change;
use super::super::settings::StoreError;
use super::super::store::{Store, SyncLevel, delete_mailbox, room_id};
use super::ReplicaError;
use super::conversion::{ReplicaChange, convert};
use crate::model::{LogId, NameKey, Sequence, SessionId};
use crate::tls::{Fingerprint, StoredIdentity};
use crate::wire::tcp::{Replica, ReplicaBegin, ReplicaCommit, replica_flag};

/// Parts that take effect together.
#[derive(Debug)]
pub(crate) struct ReplicaBatch {
    /// Parts, except `Begin` and `Commit`, in the order received.
    pub(crate) parts: Vec<Replica>,
    /// End of the batch.
    pub(crate) commit: ReplicaCommit,
    /// Epoch of the server.
    pub(crate) epoch: u64,
}

/// Result of applying a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Position of the copy.
    pub(crate) head: Sequence,
    /// True if the readers' hub does not know all of the state that is stored now: open the log
    /// again.
    pub(crate) must_reopen: bool,
}

/// Writes the changes of a batch. Call it within a transaction.
pub(in super::super) fn write_changes(
    connection: &Connection,
    room_ids: &mut HashMap<NameKey, i64>,
    changes: &[ReplicaChange],
    commit: ReplicaCommit,
    mut apply_own: impl FnMut(&mut HashMap<NameKey, i64>, &Change) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let is_whole = commit.flags & replica_flag::WHOLE_STATE != 0;
    if is_whole {
        connection.execute("DELETE FROM moderation", [])?;
        connection.execute("DELETE FROM read_marks", [])?;
    }
    let mut sessions = HashSet::new();
    for change in changes {
        match change {
            ReplicaChange::Own(Change::SkipSequences(after, up_to)) => {
                if !sequence_gaps::read_all(connection)?.contains(&(*after, *up_to)) {
                    sequence_gaps::store(connection, *after, *up_to)?;
                }
            }
            ReplicaChange::Own(change) => {
                if let Change::PersistSession(record, _) = change {
                    sessions.insert(record.session);
                }
                apply_own(room_ids, change)?;
            }
            ReplicaChange::NotKept(mailbox, sequence) => {
                connection
                    .prepare_cached("DELETE FROM mailboxes WHERE session = ? AND sequence = ?")?
                    .execute(params![u64_to_sql(mailbox.0), sequence_to_sql(*sequence)])?;
            }
            ReplicaChange::Register(register, fact) => {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO moderation (register, fact) VALUES (?, ?)",
                    )?
                    .execute(params![register, fact])?;
            }
            ReplicaChange::Forgotten(Some(room), up_to) => {
                let id = room_id(connection, room_ids, room)?;
                connection
                    .prepare_cached("UPDATE rooms SET dropped = max(dropped, ?) WHERE id = ?")?
                    .execute(params![sequence_to_sql(*up_to), id])?;
            }
            ReplicaChange::Forgotten(None, up_to) => {
                let known: i64 = read_property(connection, property::EVICTED_UP_TO)?.unwrap_or(0);
                let up_to = known.max(sequence_to_sql(*up_to));
                write_property(connection, property::EVICTED_UP_TO, up_to)?;
            }
        }
    }
    if is_whole {
        write_property(connection, property::MODERATED_UP_TO, sequence_to_sql(commit.head))?;
        end_other_sessions(connection, &sessions)?;
    }
    if commit.flags & replica_flag::CAUGHT_UP != 0 {
        delete_property(connection, property::IS_COPYING)?;
    }
    write_property(connection, property::HEAD, sequence_to_sql(commit.head))
}

/// Deletes the session records that the server has not sent, as the end of each session does.
fn end_other_sessions(connection: &Connection, sent: &HashSet<SessionId>) -> rusqlite::Result<()> {
    let mut ended = Vec::new();
    let mut statement = connection.prepare("SELECT id FROM sessions")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let session = SessionId(row.get::<_, i64>(0)?.cast_unsigned());
        if !sent.contains(&session) {
            ended.push(session);
        }
    }
    if ended.is_empty() {
        return Ok(());
    }
    let moderation = facts::read_state(connection)?;
    let head = read_head(connection)?;
    for session in ended {
        if moderation.claim_of_person(session).is_none() {
            delete_mailbox(connection, session, head)?;
        }
        rows::delete_session(connection, session)?;
    }
    Ok(())
}

/// Copy that is not complete, so that nobody reads it: its directory is locked, and no log is open.
pub(crate) struct CopyStore {
    /// Write access.
    store: Store,
    /// Position of the copy.
    head: Sequence,
    /// Lock of the directory.
    _directory: LockedDirectory,
}

impl CopyStore {
    /// Locks a directory and opens the database there, or creates it. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let directory = LockedDirectory::lock(directory)?;
        let connection = open_to_write(&directory.database(), None)?;
        let head = read_head(&connection)?;
        Ok(Self { store: Store::new(connection)?, head, _directory: directory })
    }

    /// Returns the log id and the position of the copy; all zero if there is nothing yet.
    ///
    /// # Errors
    /// The database fails.
    pub(crate) fn position(&self) -> rusqlite::Result<(LogId, Sequence)> {
        let log_id = read_property(&self.store.connection, property::LOG_ID)?;
        Ok((LogId(log_id.unwrap_or_default()), self.head))
    }

    /// Notes what server the copy is of. `fingerprint`: that of the key which it has shown.
    ///
    /// # Errors
    /// The database fails. Nothing is noted.
    pub(crate) fn begin(
        &mut self,
        begin: &ReplicaBegin,
        fingerprint: Fingerprint,
    ) -> rusqlite::Result<()> {
        self.store.set_sync_level(SyncLevel::Full)?;
        let transaction = self.store.connection.transaction()?;
        write_property(&transaction, property::LOG_ID, begin.log_id.0)?;
        write_property(&transaction, property::SERVER_ID, begin.server_id)?;
        let pair = begin.server_key.as_flattened();
        write_property(&transaction, property::SERVER_KEY, pair)?;
        if !begin.tls_key.is_empty() {
            let identity = StoredIdentity {
                key: begin.tls_key.clone(),
                certificate: begin.tls_certificate.clone(),
            };
            write_property(&transaction, property::TLS_KEY, &identity.key)?;
            write_property(&transaction, property::TLS_CERTIFICATE, &identity.certificate)?;
            write_property(&transaction, property::TLS_DIGEST, identity.digest())?;
        }
        write_property(&transaction, property::EPOCH, begin.epoch.cast_signed())?;
        write_property(&transaction, property::FOLLOWS, 1)?;
        write_property(&transaction, property::IS_COPYING, 1)?;
        let fingerprint = fingerprint.to_bytes();
        write_property(&transaction, property::FOLLOWED_FINGERPRINT, fingerprint)?;
        transaction.commit()
    }

    /// Applies a batch.
    ///
    /// # Errors
    /// [`ReplicaError`]. Nothing is applied.
    pub(crate) fn apply(&mut self, batch: ReplicaBatch) -> Result<(), ReplicaError> {
        let mut head = self.head;
        let (changes, _) = convert(batch.parts, &mut head, None)?;
        let is_caught_up = batch.commit.flags & replica_flag::CAUGHT_UP != 0;
        let sync = if is_caught_up { SyncLevel::Full } else { SyncLevel::Ordered };
        self.store.write_replica(&changes, batch.commit, batch.epoch, sync)?;
        self.store.checkpoint_if_large()?;
        self.head = batch.commit.head;
        Ok(())
    }
}
