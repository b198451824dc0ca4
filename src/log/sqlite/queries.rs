//! Database queries for ranges of entries of one room, and of the direct messages of one session.
//! Each query adds its entries to a map, so that a read can merge several rooms.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::database::{property, read_property};
use super::rows::{
    self, DIRECT_COLUMNS, ENTRY_COLUMNS, sequence_from_sql, sequence_to_sql, u64_to_sql,
};
use crate::hub::{ReadRange, ReadRequest};
use crate::model::{NameKey, RoomName, Sequence, SessionId, SharedEntry};

/// Entries found by a read, sorted by sequence.
pub(super) type EntriesBySequence = BTreeMap<Sequence, SharedEntry>;

/// Removes the oldest entries until at most `count` are left. Returns true if it removed any.
pub(super) fn keep_latest(found: &mut EntriesBySequence, count: u16) -> bool {
    let mut dropped = false;
    while found.len() > usize::from(count) {
        found.pop_first();
        dropped = true;
    }
    dropped
}

/// Adds the entries of the first `limit` undamaged rows to `found`. Damaged rows are skipped and do
/// not count. So if fewer than `limit` entries are added, no more exist; callers rely on this.
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

/// Adds the latest `limit` undamaged entries of a room before the sequence `bound` (exclusive) to
/// `found`. The room is given by row id and name.
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

/// Adds the first `limit` undamaged entries of a room after `sequence` (exclusive) and up to `head`
/// (inclusive) to `found`. The room is given by row id and name.
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

/// Adds the latest `limit` undamaged direct messages, sent or received, of a session up to `head`
/// (inclusive) to `found`. Without a session it adds nothing.
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

/// Adds the first `limit` undamaged direct messages, sent or received, of a session after
/// `sequence` (exclusive) and up to `head` (inclusive) to `found`. Without a session it adds
/// nothing.
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

/// Returns the requested rooms that have lost, or may have lost, entries after the start of the
/// range. For a room without a row, the evicted entries of all rooms count, because the room may
/// have been evicted. Empty if the range is not [`ReadRange::After`].
pub(super) fn rooms_with_gaps(
    connection: &Connection,
    request: &ReadRequest,
) -> rusqlite::Result<Vec<RoomName>> {
    let ReadRange::After(after, _) = request.range else { return Ok(Vec::new()) };
    let forgotten: i64 = read_property(connection, property::EVICTED_UP_TO)?.unwrap_or(0);
    let mut gaps = Vec::new();
    for room in &request.rooms {
        let dropped = dropped_sequence(connection, room.key())?.unwrap_or(forgotten);
        if sequence_from_sql(dropped) > after {
            gaps.push(room.clone());
        }
    }
    Ok(gaps)
}

/// Returns the column `dropped` of a room: no entry after this sequence was deleted, not even with
/// an evicted room of the same name. 0 if none can have been deleted. `None` if the room has no
/// row.
fn dropped_sequence(connection: &Connection, key: &NameKey) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT dropped FROM rooms WHERE key = ?")?;
    statement.query_row([key.as_str()], |row| row.get(0)).optional()
}
