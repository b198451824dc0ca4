//! Database rows of entries, rooms and sessions: conversion, insertion and reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::model::{
    Draft, IdentityKey, LogEntry, MessageText, NameKey, Reference, RoomName, Sequence, SessionId,
    SessionRecord, SharedEntry, Style, Target, Timestamp, TokenHash, Username,
};

/// Columns of the table `entries` (alias `e`) for a SELECT, in the order that [`read_room_entry`]
/// expects.
pub(crate) const ENTRY_COLUMNS: &str =
    "e.sequence, e.previous, e.session, e.username, e.time, e.reference, e.style, e.text, e.person";

/// Columns of the table `directs` (alias `d`) for a SELECT, in the order that [`read_direct_entry`]
/// expects.
pub(crate) const DIRECT_COLUMNS: &str = "d.sequence, d.session, d.username, d.to_session, d.to_username, \
                                 d.time, d.reference, d.style, d.text, d.person";

/// Converts a number to an SQL integer with the same bits. SQL integers are signed, so a number of
/// 2^63 or more becomes negative.
pub(crate) const fn u64_to_sql(number: u64) -> i64 {
    number.cast_signed()
}

/// Converts a sequence to an SQL integer. A sequence of 2^63 or more becomes 2^63 - 1; no assigned
/// sequence reaches that.
pub(crate) const fn sequence_to_sql(sequence: Sequence) -> i64 {
    if sequence.0 > i64::MAX as u64 { i64::MAX } else { sequence.0.cast_signed() }
}

/// Converts an SQL integer to a sequence with the same bits. A negative one, as only a damaged
/// database holds, becomes 2⁶³ or more.
pub(crate) const fn sequence_from_sql(value: i64) -> Sequence {
    Sequence(value.cast_unsigned())
}

/// Returns the error for a column value that breaks the rules of the model, such as an invalid
/// name. The database is damaged, or another program has written to it. [`skip_damaged`] recognises
/// this error.
pub(super) fn damaged_value(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// Number of rows that [`skip_damaged`] has skipped since the process started. A damaged row counts
/// each time it is read.
static SKIPPED_ROW_READS: AtomicU64 = AtomicU64::new(0);

/// Returns the value that was read from a row. `None` if the row is damaged: a column has a wrong
/// type or an invalid value. So a damaged row does not prevent reading the others.
///
/// The program's log reports only the 1st, 2nd, 4th, 8th, … skipped row, because the same row is
/// read again and again.
///
/// # Errors
/// All other errors of SQLite.
pub(crate) fn skip_damaged<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};

    match read {
        Ok(read) => Ok(Some(read)),
        Err(
            error @ (FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)),
        ) => {
            let count = SKIPPED_ROW_READS.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if count.is_power_of_two() {
                tracing::error!("passed over damaged rows of the database ({count}): {error}");
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Statement that inserts room entries.
pub(crate) struct RoomEntryInsert<'connection>(CachedStatement<'connection>);

impl<'connection> RoomEntryInsert<'connection> {
    /// Prepares the statement. Do so once for many entries: looking it up for each takes a seventh
    /// of the instructions of an insertion.
    pub(crate) fn prepare(connection: &'connection Connection) -> rusqlite::Result<Self> {
        let statement = connection.prepare_cached(
            "INSERT INTO entries (sequence, room, previous, session, username, time, reference, style, text, person)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        Ok(Self(statement))
    }

    /// Inserts a room entry. Fails if its sequence exists. `room`: row id of its room.
    pub(crate) fn insert(&mut self, room: i64, entry: &LogEntry) -> rusqlite::Result<()> {
        let draft = &entry.draft;
        self.0.execute(params![
            sequence_to_sql(entry.sequence),
            room,
            sequence_to_sql(entry.previous),
            u64_to_sql(draft.session.0),
            draft.username.as_str(),
            u64_to_sql(entry.time.0),
            u64_to_sql(draft.reference.0),
            draft.style.0,
            draft.text.as_str(),
            draft.person.map(|it| u64_to_sql(it.0)),
        ])?;
        Ok(())
    }
}

/// Inserts a direct message into the table `directs`. Fails if its sequence exists. Does not put it
/// into mailboxes.
pub(crate) fn insert_direct(
    connection: &Connection,
    entry: &LogEntry,
    to: SessionId,
    to_username: &Username,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO directs (sequence, session, username, to_session, to_username, time, reference, style, text, person)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let draft = &entry.draft;
    statement.execute(params![
        sequence_to_sql(entry.sequence),
        u64_to_sql(draft.session.0),
        draft.username.as_str(),
        u64_to_sql(to.0),
        to_username.as_str(),
        u64_to_sql(entry.time.0),
        u64_to_sql(draft.reference.0),
        draft.style.0,
        draft.text.as_str(),
        draft.person.map(|it| u64_to_sql(it.0)),
    ])?;
    Ok(())
}

/// Reads an entry of the room `room` from a row that begins with [`ENTRY_COLUMNS`]. Fails if the
/// row is damaged ([`skip_damaged`]).
pub(crate) fn read_room_entry(row: &Row<'_>, room: &RoomName) -> rusqlite::Result<SharedEntry> {
    let draft = Draft {
        session: SessionId(row.get::<_, i64>(2)?.cast_unsigned()),
        person: read_person(row, 8)?,
        username: read_username(row, 3)?,
        reference: Reference(row.get::<_, i64>(5)?.cast_unsigned()),
        target: Target::Room(room.clone()),
        style: Style(row.get(6)?),
        text: read_text(row, 7)?,
    };
    Ok(Arc::new(LogEntry {
        sequence: sequence_from_sql(row.get(0)?),
        previous: sequence_from_sql(row.get(1)?),
        time: Timestamp(row.get::<_, i64>(4)?.cast_unsigned()),
        draft,
    }))
}

/// Reads a direct message from a row that begins with [`DIRECT_COLUMNS`]. Fails if the row is
/// damaged ([`skip_damaged`]).
pub(crate) fn read_direct_entry(row: &Row<'_>) -> rusqlite::Result<SharedEntry> {
    let to = SessionId(row.get::<_, i64>(3)?.cast_unsigned());
    let draft = Draft {
        session: SessionId(row.get::<_, i64>(1)?.cast_unsigned()),
        person: read_person(row, 9)?,
        username: read_username(row, 2)?,
        reference: Reference(row.get::<_, i64>(6)?.cast_unsigned()),
        target: Target::Session(to, read_username(row, 4)?),
        style: Style(row.get(7)?),
        text: read_text(row, 8)?,
    };
    Ok(Arc::new(LogEntry {
        sequence: sequence_from_sql(row.get(0)?),
        previous: Sequence::ZERO,
        time: Timestamp(row.get::<_, i64>(5)?.cast_unsigned()),
        draft,
    }))
}

/// Reads the number of a person from a column; `None`: nobody who has claimed a name.
fn read_person(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<SessionId>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|it| SessionId(it.cast_unsigned())))
}

/// Reads a username from a column, and validates it.
fn read_username(row: &Row<'_>, column: usize) -> rusqlite::Result<Username> {
    Username::new(row.get_ref(column)?.as_str()?).map_err(|error| damaged_value(column, error))
}

/// Reads a message text from a column, and validates it.
fn read_text(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageText> {
    MessageText::new(row.get_ref(column)?.as_str()?).map_err(|error| damaged_value(column, error))
}

/// Looks up a room by its key. Returns its row id and its name in the stored spelling (the first
/// spelling that was used). `None` if the room has no row. If the stored name is damaged, returns
/// the key as the name.
pub(crate) fn find_room(
    connection: &Connection,
    key: &NameKey,
) -> rusqlite::Result<Option<(i64, RoomName)>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM rooms WHERE key = ?")?;
    let known = statement.query_row([key.as_str()], |row| {
        let name = match skip_damaged(read_room_name(row, 1))? {
            Some(name) => name,
            None => RoomName::new(key.as_str()).map_err(|error| damaged_value(1, error))?,
        };
        Ok((row.get(0)?, name))
    });
    known.optional()
}

/// Reads a room name from a column, and validates it.
pub(crate) fn read_room_name(row: &Row<'_>, column: usize) -> rusqlite::Result<RoomName> {
    RoomName::new(row.get_ref(column)?.as_str()?).map_err(|error| damaged_value(column, error))
}

/// Inserts a session record, or replaces the session's earlier one. The record's `last_reference`
/// must cover all entries up to the sequence `noted`.
pub(crate) fn upsert_session(
    connection: &Connection,
    record: &SessionRecord,
    noted: Sequence,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO sessions
             (id, token, username, away_since, last_reference, refused, noted, keeps_name, key)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let refused: Vec<u8> = record.refused.iter().flat_map(|it| it.0.to_be_bytes()).collect();
    statement.execute(params![
        u64_to_sql(record.session.0),
        record.token.0,
        record.username.as_str(),
        record.away_since.map(|it| u64_to_sql(it.0)),
        u64_to_sql(record.last_reference.0),
        refused,
        sequence_to_sql(noted),
        record.keeps_name,
        record.key.map(|it| it.0),
    ])?;
    Ok(())
}

/// Deletes the record of a session, if there is one.
pub(super) fn delete_session(connection: &Connection, session: SessionId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM sessions WHERE id = ?")?;
    statement.execute([u64_to_sql(session.0)])?;
    Ok(())
}

/// Reads all session records. Skips damaged ones. Each record comes with its `noted` sequence:
/// `last_reference` covers the entries up to it.
pub(super) fn read_sessions(
    connection: &Connection,
) -> rusqlite::Result<Vec<(SessionRecord, Sequence)>> {
    let mut sessions = Vec::new();
    for_each_session(connection, |session| {
        sessions.extend(skip_damaged(session)?);
        Ok(())
    })?;
    Ok(sessions)
}

/// Calls `take` for each session record: with the record and its `noted` sequence, or with the
/// error of reading that row. Stops at the first error that `take` returns.
pub(crate) fn for_each_session(
    connection: &Connection,
    mut take: impl FnMut(rusqlite::Result<(SessionRecord, Sequence)>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, token, username, away_since, last_reference, refused, noted, keeps_name, key
         FROM sessions",
    )?;
    let mut found_rows = statement.query([])?;
    while let Some(row) = found_rows.next()? {
        take(read_session(row))?;
    }
    Ok(())
}

/// Reads a session record, and the sequence up to which its `last_reference` covers the session's
/// entries (column `noted`), from a row of [`for_each_session`].
fn read_session(row: &Row<'_>) -> rusqlite::Result<(SessionRecord, Sequence)> {
    let refused = row.get_ref(5)?.as_blob()?;
    let record = SessionRecord {
        session: SessionId(row.get::<_, i64>(0)?.cast_unsigned()),
        token: TokenHash(row.get(1)?),
        username: read_username(row, 2)?,
        away_since: row.get::<_, Option<i64>>(3)?.map(|it| Timestamp(it.cast_unsigned())),
        last_reference: Reference(row.get::<_, i64>(4)?.cast_unsigned()),
        refused: refused
            .as_chunks()
            .0
            .iter()
            .map(|it| Reference(u64::from_be_bytes(*it)))
            .collect(),
        keeps_name: row.get(7)?,
        key: row.get::<_, Option<_>>(8)?.map(IdentityKey),
    };
    Ok((record, sequence_from_sql(row.get(6)?)))
}
