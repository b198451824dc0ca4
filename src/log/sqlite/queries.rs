//! Database queries for ranges of entries.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::database::{fact, read_fact};
use super::rows::{
    self, DIRECT_COLUMNS, ENTRY_COLUMNS, sequence_from_sql, sequence_to_sql, u64_to_sql,
};
use crate::hub::{ReadRange, ReadRequest};
use crate::model::{NameKey, RoomName, Sequence, SessionId, SharedEntry};

/// Entries found by a read, by sequence.
pub(super) type EntriesBySequence = BTreeMap<Sequence, SharedEntry>;

/// Drops the oldest entries beyond `count`. Returns true if there were any.
pub(super) fn keep_latest(found: &mut EntriesBySequence, count: u16) -> bool {
    let mut dropped = false;
    while found.len() > usize::from(count) {
        found.pop_first();
        dropped = true;
    }
    dropped
}

/// Adds the entries of the first `limit` rows that are not damaged. Damaged rows do not count,
/// because a page that is not full would be taken for the last one.
fn collect_entries(
    found_rows: &mut Rows<'_>,
    limit: i64,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<SharedEntry>,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let mut left = limit;
    while left > 0
        && let Some(row) = found_rows.next()?
    {
        if let Some(entry) = rows::skip_damaged(read(row))? {
            found.insert(entry.sequence, entry);
            left -= 1;
        }
    }
    Ok(())
}

/// Adds the latest `limit` entries of a room before the sequence `bound`.
pub(super) fn latest_before(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    bound: Sequence,
    limit: i64,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entries e WHERE room = ? AND sequence < ?
         ORDER BY sequence DESC"
    ))?;
    let mut found_rows = statement.query(params![number, sequence_to_sql(bound)])?;
    collect_entries(&mut found_rows, limit, |row| rows::read_room_entry(row, room), found)
}

/// Adds the first `limit` entries of a room after `sequence`, up to `head`.
pub(super) fn first_after(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    sequence: Sequence,
    head: Sequence,
    limit: i64,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entries e WHERE room = ? AND sequence > ? AND sequence <= ?
         ORDER BY sequence"
    ))?;
    let mut found_rows =
        statement.query(params![number, sequence_to_sql(sequence), sequence_to_sql(head)])?;
    collect_entries(&mut found_rows, limit, |row| rows::read_room_entry(row, room), found)
}

/// Adds the latest `limit` direct messages of a session, up to `head`.
pub(super) fn latest_directs(
    connection: &Connection,
    session: Option<SessionId>,
    head: Sequence,
    limit: i64,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let Some(session) = session else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT_COLUMNS} FROM mailboxes m JOIN directs d ON d.sequence = m.sequence
         WHERE m.session = ? AND m.sequence <= ? ORDER BY m.sequence DESC"
    ))?;
    let mut found_rows = statement.query(params![u64_to_sql(session.0), sequence_to_sql(head)])?;
    collect_entries(&mut found_rows, limit, rows::read_direct_entry, found)
}

/// Adds the first `limit` direct messages of a session after `sequence`, up to `head`.
pub(super) fn first_directs_after(
    connection: &Connection,
    session: Option<SessionId>,
    sequence: Sequence,
    head: Sequence,
    limit: i64,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let Some(session) = session else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT_COLUMNS} FROM mailboxes m JOIN directs d ON d.sequence = m.sequence
         WHERE m.session = ? AND m.sequence > ? AND m.sequence <= ? ORDER BY m.sequence"
    ))?;
    let session = u64_to_sql(session.0);
    let mut found_rows =
        statement.query(params![session, sequence_to_sql(sequence), sequence_to_sql(head)])?;
    collect_entries(&mut found_rows, limit, rows::read_direct_entry, found)
}

/// Returns the requested rooms in which entries after the range's start have been deleted, or may
/// have been.
pub(super) fn rooms_with_gaps(
    connection: &Connection,
    request: &ReadRequest,
) -> rusqlite::Result<Vec<RoomName>> {
    let ReadRange::After(after, _) = request.range else { return Ok(Vec::new()) };
    let forgotten: i64 = read_fact(connection, fact::EVICTED_UP_TO)?.unwrap_or(0);
    let mut gaps = Vec::new();
    for room in &request.rooms {
        let dropped = dropped_sequence(connection, room.key())?.unwrap_or(forgotten);
        if sequence_from_sql(dropped) > after {
            gaps.push(room.clone());
        }
    }
    Ok(gaps)
}

/// Returns the greatest sequence that a room has lost by retention; none if the room is unknown.
fn dropped_sequence(connection: &Connection, key: &NameKey) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT dropped FROM rooms WHERE key = ?")?;
    statement.query_row([key.as_str()], |row| row.get(0)).optional()
}
