//! Recovery of the log's state from the database when it is opened: log id, server id, keys, head,
//! sessions, rooms.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::{env, fs};

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::{property, read_property, write_property};
use super::facts;
use super::read_marks;
use super::rows::{self, sequence_from_sql};
use super::sequence_gaps;
use super::server_key::StoredServerKey;
use super::settings::{Durability, StoreError, StoreSettings};
use super::{DRAFT_OVERHEAD, MAX_QUEUED_DRAFT_BYTES};
use crate::hub::RestoredState;
use crate::model::{
    IdentityKey, LogId, NameKey, Reference, RoomName, Sequence, ServerId, SessionId, SessionRecord,
    Timestamp,
};
use crate::os::random_bytes;
use crate::tls::{DamagedIdentity, StoredIdentity};

/// File from which the operating system's boot id is read. The id is new at each boot.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Environment variable that contains the boot id. The unit of a service that cannot read
/// [`BOOT_ID_FILE`] sets it.
const BOOT_ID_VARIABLE: &str = "CHAT_SERVER_BOOT_ID";

/// Upper bound of the number of drafts in flight: messages that the hub has passed to the log and
/// that are not committed.
const MAX_DRAFTS_IN_FLIGHT: u64 = (MAX_QUEUED_DRAFT_BYTES / DRAFT_OVERHEAD) as u64;

/// Maximum number of rooms whose names are restored.
const MAX_RESTORED_ROOMS: i64 = 1_000;

/// Determines the id under which the log continues, and marks the database as open. Both are
/// committed before this function returns; after an error, neither is.
///
/// The log keeps its id if none of its entries can be missing. That is so in four cases:
/// - The database was closed properly.
/// - Every commit since it was last opened was synced.
/// - The operating system has not been rebooted since: it then still has everything that a killed
///   process has written.
/// - The log is the copy of a follower, which gets again what it has lost.
///
/// In all other cases, the log gets a new id. A copied file, which has another inode number, gets a
/// new id too. Warns if an existing log gets a new id.
pub(super) fn establish_log_id(
    connection: &mut Connection,
    settings: &StoreSettings,
    database: &Path,
) -> Result<LogId, StoreError> {
    let file_id = match &settings.file_id {
        Some(file_id) => file_id.clone(),
        None => file_id(database)?,
    };
    let boot_id = settings.boot_id.clone().or_else(system_boot_id).unwrap_or_default();
    let is_strict = settings.durability == Durability::Strict;
    let transaction = connection.transaction()?;
    let known = read_property::<[u8; 16]>(&transaction, property::LOG_ID)?;
    let was_clean = read_property(&transaction, property::IS_CLEAN)? == Some(1_i64);
    let was_strict = read_property(&transaction, property::IS_STRICT)? == Some(1_i64);
    let former_boot = read_property::<String>(&transaction, property::BOOT_ID)?.unwrap_or_default();
    let is_same_boot = !boot_id.is_empty() && former_boot == boot_id;
    let former_file = read_property::<String>(&transaction, property::FILE_ID)?;
    let is_copy = former_file.is_some_and(|it| it != file_id);
    // What a follower may have lost comes again, and has the same sequences.
    let is_follower = read_property(&transaction, property::FOLLOWS)? == Some(1_i64);
    let log_id = match known {
        Some(known) if is_follower => known,
        Some(known) if !is_copy && (was_clean || was_strict || is_same_boot) => known,
        _ => random_bytes().map_err(|_| StoreError::System("random numbers"))?,
    };
    if known.is_some_and(|known| known != log_id) {
        tracing::warn!(
            "the system went down while the log was open, and the last second may be missing; or \
             this is a backup: clients begin afresh"
        );
    }
    write_property(&transaction, property::LOG_ID, log_id)?;
    write_property(&transaction, property::IS_CLEAN, 0)?;
    write_property(&transaction, property::IS_STRICT, i64::from(is_strict))?;
    write_property(&transaction, property::BOOT_ID, boot_id)?;
    write_property(&transaction, property::FILE_ID, file_id)?;
    transaction.commit()?;
    Ok(LogId(log_id))
}

/// Returns the permanent identifier of the server. Generates and stores it if the database has
/// none.
pub(super) fn read_or_create_server_id(connection: &Connection) -> Result<ServerId, StoreError> {
    if let Some(known) = read_property(connection, property::SERVER_ID)? {
        return Ok(ServerId(known));
    }
    let new: [u8; 16] = random_bytes().map_err(|_| StoreError::System("random numbers"))?;
    write_property(connection, property::SERVER_ID, new)?;
    Ok(ServerId(new))
}

/// Returns the public half of the server's key pair. Generates and stores the pair if the database
/// has none; it is synced to the disk before this function returns. What is stored is never
/// replaced: it belongs to what clients know of the server. `makes_key_apart`:
/// [`StoreSettings::makes_key_apart`].
///
/// # Errors
/// [`StoreError`], also if what is stored does not have the length of a key pair.
pub(super) fn read_or_create_server_key(
    connection: &Connection,
    makes_key_apart: bool,
) -> Result<IdentityKey, StoreError> {
    if let Some(pair) = read_property(connection, property::SERVER_KEY)? {
        return Ok(StoredServerKey { pair }.public());
    }
    let new = match makes_key_apart {
        true => StoredServerKey::generate_apart(),
        false => StoredServerKey::generate(),
    };
    let new = new.map_err(|_| StoreError::System("random numbers"))?;
    write_property(connection, property::SERVER_KEY, new.pair)?;
    Ok(new.public())
}

/// Returns the key and the certificate of the server for TLS. Generates and stores them if the
/// database has none; they are synced to the disk before this function returns. What is stored is
/// never replaced: clients would no longer trust the server. `makes_key_apart`:
/// [`StoreSettings::makes_key_apart`].
///
/// Returns [`DamagedIdentity`] if only one of both is stored, or if they are not what was written,
/// as far as that was noted. A server without TLS need not care.
///
/// # Errors
/// [`StoreError`].
pub(super) fn read_or_create_identity(
    connection: &mut Connection,
    makes_key_apart: bool,
) -> Result<Result<StoredIdentity, DamagedIdentity>, StoreError> {
    let transaction = connection.transaction()?;
    let key = read_property(&transaction, property::TLS_KEY)?;
    let certificate = read_property(&transaction, property::TLS_CERTIFICATE)?;
    match (key, certificate) {
        (Some(key), Some(certificate)) => {
            let stored = StoredIdentity { key, certificate };
            let noted = read_property::<[u8; 32]>(&transaction, property::TLS_DIGEST)?;
            let is_whole = noted.is_none_or(|it| it == stored.digest());
            Ok(is_whole.then_some(stored).ok_or(DamagedIdentity))
        }
        (None, None) => {
            let new = match makes_key_apart {
                true => StoredIdentity::generate_apart(),
                false => StoredIdentity::generate(),
            };
            let new = new.map_err(|_| StoreError::System("random numbers"))?;
            write_property(&transaction, property::TLS_KEY, &new.key)?;
            write_property(&transaction, property::TLS_CERTIFICATE, &new.certificate)?;
            write_property(&transaction, property::TLS_DIGEST, new.digest())?;
            transaction.commit()?;
            Ok(Ok(new))
        }
        _ => Ok(Err(DamagedIdentity)),
    }
}

/// Returns the boot id of the operating system; `None` if it is unknown. Removes hyphens, because
/// systemd writes the id without them. [`BOOT_ID_VARIABLE`] takes precedence over [`BOOT_ID_FILE`].
fn system_boot_id() -> Option<String> {
    let said = env::var(BOOT_ID_VARIABLE).ok().filter(|it| !it.is_empty());
    let told = said.or_else(|| fs::read_to_string(BOOT_ID_FILE).ok());
    told.map(|it| it.trim().replace('-', ""))
}

/// Returns the inode number of a file, as text. A copy of the file has another number.
fn file_id(path: &Path) -> Result<String, StoreError> {
    use std::os::unix::fs::MetadataExt;

    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.ino().to_string()),
        Err(source) => Err(StoreError::Directory { path: path.to_path_buf(), source }),
    }
}

/// Reads the state that the hub restores: head, next session number, sessions, rooms, sequence
/// gaps, moderation state, read marks. Skips damaged sessions, rooms and facts. Corrects the session
/// records by later messages ([`apply_later_messages`]), but only in the result. Also returns the
/// sessions whose `last_reference` is corrected. `log_id` becomes part of the result.
pub(crate) fn restore_state(
    connection: &Connection,
    log_id: LogId,
) -> rusqlite::Result<(RestoredState, BTreeSet<SessionId>)> {
    let head = read_head(connection)?;
    let last_session: Option<i64> = connection.query_row(
        "SELECT max(seq) FROM sqlite_sequence WHERE name = 'sessions'",
        [],
        |row| row.get(0),
    )?;
    let next_session = SessionId(last_session.unwrap_or(0).cast_unsigned().saturating_add(1));
    let mut sessions = rows::read_sessions(connection)?;
    let corrected = apply_later_messages(connection, &mut sessions)?;
    let sessions = sessions.into_iter().map(|(record, _)| record).collect();
    let (rooms, sequence_gaps) =
        (recent_room_names(connection)?, sequence_gaps::read_all(connection)?);
    let moderation = facts::read_state(connection)?;
    let read_marks = read_marks::read_all(connection)?;
    let restored = RestoredState {
        log_id,
        head,
        next_session,
        sessions,
        rooms,
        sequence_gaps,
        moderation,
        read_marks,
        shared: None,
    };
    Ok((restored, corrected))
}

/// Returns the head of the log: the greatest sequence among the stored head, the room entries, the
/// direct messages and the facts. Zero if there is none.
pub(super) fn read_head(connection: &Connection) -> rusqlite::Result<Sequence> {
    let noted: i64 = read_property(connection, property::HEAD)?.unwrap_or(0);
    let kept: i64 = connection.query_row(
        "SELECT max(ifnull((SELECT max(sequence) FROM entries), 0),
                    ifnull((SELECT max(sequence) FROM directs), 0),
                    ifnull((SELECT max(sequence) FROM facts), 0))",
        [],
        |row| row.get(0),
    )?;
    Ok(sequence_from_sql(noted.max(kept)))
}

/// Corrects session records by the stored messages behind their `noted` sequences. Raises
/// `last_reference` to the references of these messages, and removes these references from
/// `refused`. So the hub accepts none of the messages twice. Returns the sessions whose
/// `last_reference` was raised.
///
/// What a record says of refused messages may be older than its `noted` sequence: a message that
/// was in flight when the record was made, and so came before it in the log, may be one of them. So
/// a record with refused messages is compared with that many messages before, too.
fn apply_later_messages(
    connection: &Connection,
    sessions: &mut [(SessionRecord, Sequence)],
) -> rusqlite::Result<BTreeSet<SessionId>> {
    let mut raised = BTreeSet::new();
    let begins = sessions.iter().map(|(record, noted)| match record.refused.is_empty() {
        true => noted.0,
        false => noted.0.saturating_sub(MAX_DRAFTS_IN_FLIGHT),
    });
    let Some(begin) = begins.min() else { return Ok(raised) };
    let mut by_id: HashMap<SessionId, &mut SessionRecord> =
        sessions.iter_mut().map(|(record, _)| (record.session, record)).collect();
    for table in ["entries", "directs"] {
        let mut statement = connection
            .prepare(&format!("SELECT session, reference FROM {table} WHERE sequence > ?"))?;
        let mut found = statement.query([rows::sequence_to_sql(Sequence(begin))])?;
        while let Some(row) = found.next()? {
            let session = SessionId(row.get::<_, i64>(0)?.cast_unsigned());
            let reference = Reference(row.get::<_, i64>(1)?.cast_unsigned());
            if let Some(record) = by_id.get_mut(&session) {
                if record.last_reference < reference {
                    record.last_reference = reference;
                    raised.insert(session);
                }
                record.refused.retain(|it| *it != reference);
            }
        }
    }
    Ok(raised)
}

/// Returns the sequence of the last entry of each room, by the key of the room's name. Rooms
/// without entries and rooms with damaged keys are not included.
pub(super) fn last_sequence_by_room(
    connection: &Connection,
) -> rusqlite::Result<HashMap<NameKey, Sequence>> {
    let mut statement = connection.prepare(
        "SELECT key, (SELECT max(sequence) FROM entries WHERE room = rooms.id) FROM rooms",
    )?;
    let rows = statement.query_map([], |row| {
        let last: Option<i64> = row.get(1)?;
        let key = row.get_ref(0)?.as_str().map(NameKey::of).map_err(rusqlite::Error::from);
        let key = rows::skip_damaged(key)?;
        Ok(key.zip(last.map(sequence_from_sql)))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// Returns the time of the last room message or fact; `None` if there is none. Direct messages do
/// not count.
pub(super) fn last_entry_time(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let ask = "SELECT sequence, time FROM entries ORDER BY sequence DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((sequence_from_sql(row.get(0)?), row.get::<_, i64>(1)?));
    let entry = connection.query_row(ask, [], read).optional()?;
    let entry = entry.map(|(sequence, time)| (sequence, Timestamp(time.cast_unsigned())));
    let fact = facts::read_last(connection)?.map(|it| (it.sequence, it.time));
    Ok(entry.max(fact).map(|(_, time)| time))
}

/// Returns the names of the most recently used rooms, in their stored spelling, at most
/// [`MAX_RESTORED_ROOMS`]. The least recently used room comes first; rooms without entries come
/// before all others. Damaged names are skipped.
fn recent_room_names(connection: &Connection) -> rusqlite::Result<Vec<RoomName>> {
    let mut statement = connection.prepare(
        "SELECT name, (SELECT max(sequence) FROM entries WHERE room = rooms.id) AS last
         FROM rooms ORDER BY last DESC LIMIT ?",
    )?;
    let names = statement
        .query_map([MAX_RESTORED_ROOMS], |row| rows::skip_damaged(rows::read_room_name(row, 0)))?;
    let mut names = names.filter_map(Result::transpose).collect::<rusqlite::Result<Vec<_>>>()?;
    names.reverse();
    Ok(names)
}
