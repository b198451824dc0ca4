//! Queries for entries of the database.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::database::fact;
use super::rows::{self, DIRECT, ENTRY, place, sequence, signed};
use crate::hub::{ReadRange, ReadRequest};
use crate::model::{NameKey, RoomName, Sequence, SessionId, SharedEntry};

/// Entries by their sequence.
pub(super) type Found = BTreeMap<Sequence, SharedEntry>;

/// Drops the oldest beyond so many; says whether there were any.
pub(super) fn shorten_first(found: &mut Found, count: u16) -> bool {
    let mut dropped = false;
    while found.len() > usize::from(count) {
        found.pop_first();
        dropped = true;
    }
    dropped
}

/// Takes the first so many rows that are not damaged: only those count, for
/// else a page that is not full would look like the last one.
fn take_rows(
    found_rows: &mut Rows<'_>,
    most: i64,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<SharedEntry>,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let mut left = most;
    while left > 0
        && let Some(row) = found_rows.next()?
    {
        if let Some(entry) = rows::unless_damaged(read(row))? {
            found.insert(entry.sequence, entry);
            left -= 1;
        }
    }
    Ok(())
}

/// The latest so many of a room before a sequence.
pub(super) fn before(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    bound: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY} FROM entries e WHERE room = ? AND sequence < ?
         ORDER BY sequence DESC"
    ))?;
    let mut found_rows = statement.query(params![number, place(bound)])?;
    take_rows(&mut found_rows, most, |row| rows::room_entry(row, room), found)
}

/// The first so many of a room behind a sequence, up to another one.
pub(super) fn after(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    sequence: Sequence,
    head: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY} FROM entries e WHERE room = ? AND sequence > ? AND sequence <= ?
         ORDER BY sequence"
    ))?;
    let mut found_rows = statement.query(params![number, place(sequence), place(head)])?;
    take_rows(&mut found_rows, most, |row| rows::room_entry(row, room), found)
}

/// The latest so many direct messages of a session, up to a sequence.
pub(super) fn directs_before(
    connection: &Connection,
    session: Option<SessionId>,
    head: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let Some(session) = session else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT} FROM mailboxes m JOIN directs d ON d.sequence = m.sequence
         WHERE m.session = ? AND m.sequence <= ? ORDER BY m.sequence DESC"
    ))?;
    let mut found_rows = statement.query(params![signed(session.0), place(head)])?;
    take_rows(&mut found_rows, most, rows::direct_entry, found)
}

/// The first so many direct messages of a session behind a sequence, up to
/// another one.
pub(super) fn directs_after(
    connection: &Connection,
    session: Option<SessionId>,
    sequence: Sequence,
    head: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let Some(session) = session else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT} FROM mailboxes m JOIN directs d ON d.sequence = m.sequence
         WHERE m.session = ? AND m.sequence > ? AND m.sequence <= ? ORDER BY m.sequence"
    ))?;
    let session = signed(session.0);
    let mut found_rows = statement.query(params![session, place(sequence), place(head)])?;
    take_rows(&mut found_rows, most, rows::direct_entry, found)
}

/// The rooms in which something behind the range's sequence has been
/// deleted, or may have been.
pub(super) fn gaps(
    connection: &Connection,
    request: &ReadRequest,
) -> rusqlite::Result<Vec<RoomName>> {
    let ReadRange::After(after, _) = request.range else { return Ok(Vec::new()) };
    let forgotten: i64 = fact(connection, fact::FORGOTTEN)?.unwrap_or(0);
    let mut gaps = Vec::new();
    for room in &request.rooms {
        let dropped = dropped_of(connection, room.key())?.unwrap_or(forgotten);
        if sequence(dropped) > after {
            gaps.push(room.clone());
        }
    }
    Ok(gaps)
}

/// The greatest sequence that a room has lost, if it has a row.
fn dropped_of(connection: &Connection, key: &NameKey) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT dropped FROM rooms WHERE key = ?")?;
    statement.query_row([key.as_str()], |row| row.get(0)).optional()
}
