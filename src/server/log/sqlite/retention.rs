//! Forgets what is too old, too much or too large, some of it at a time.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::{fact, note_fact};
use super::rows::{place, signed};
use super::search;
use crate::model::limits::HISTORY_LENGTH;
use crate::model::{NameKey, Retention, Sequence, Timestamp};

/// Messages that are forgotten at one time: so few that nobody notices.
const STEP: i64 = 256;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Rooms of which something is kept. Beyond that those are forgotten in which
/// nothing has been said for longest.
const MAX_ROOMS: i64 = 10_000;

/// Direct messages that are kept in all.
const MAX_DIRECTS: i64 = 100_000;

/// What one step has done.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// There may be more to forget.
    pub(super) more: bool,
    /// Rooms that are gone altogether.
    pub(super) rooms: Vec<NameKey>,
}

/// Forgets some of what is too much. `touched` are the rooms in which
/// something was said since they were looked at last. `head` is how far the
/// log has come. Call it within a transaction, and again if there is more.
pub(super) fn step(
    connection: &Connection,
    retention: Retention,
    touched: &[NameKey],
    now: Timestamp,
    head: Sequence,
) -> rusqlite::Result<Step> {
    let mut deleted = 0;
    if retention.days > 0 {
        deleted += too_old(connection, retention.days, now)?;
    }
    if retention.messages > 0 {
        for room in touched {
            deleted += too_many(connection, room, retention.messages)?;
        }
    }
    if retention.bytes > 0 && used_bytes(connection)? > retention.bytes {
        deleted += oldest(connection)?;
    }
    deleted += excess_directs(connection)?;
    let rooms = excess_rooms(connection)?;
    if deleted > 0 {
        note_fact(connection, fact::HEAD, place(head))?;
    }
    Ok(Step { more: deleted > 0, rooms })
}

/// Bytes that the database needs.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = ask("page_count")?.saturating_sub(ask("freelist_count")?);
    Ok(pages.saturating_mul(ask("page_size")?).cast_unsigned())
}

/// Forgets messages that were sent before so many days.
fn too_old(connection: &Connection, days: u32, now: Timestamp) -> rusqlite::Result<usize> {
    let end = signed(now.0.saturating_sub(u64::from(days).saturating_mul(DAY)));
    let day = search::day_of(end.cast_unsigned());
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries
         WHERE sequence >= (SELECT min(first) FROM days WHERE day <= ?1)
           AND sequence <= (SELECT max(last) FROM days WHERE day <= ?1) AND time < ?2
         ORDER BY sequence LIMIT ?3",
    )?;
    let doomed = doomed(&mut statement, params![day, end, STEP])?;
    delete(connection, &doomed)?;
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM directs WHERE time < ? LIMIT ?")?;
    let directs = statement.query_map([end, STEP], |row| row.get(0))?;
    let directs = directs.collect::<rusqlite::Result<Vec<i64>>>()?;
    delete_directs(connection, &directs)?;
    if doomed.is_empty() {
        // Of the days before, nothing is left.
        connection.prepare_cached("DELETE FROM days WHERE day < ?")?.execute([day])?;
    }
    Ok(doomed.len() + directs.len())
}

/// Forgets messages of a room beyond the latest so many.
fn too_many(connection: &Connection, room: &NameKey, most: u32) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM entries WHERE room = (SELECT id FROM rooms WHERE key = ?)
         ORDER BY sequence DESC LIMIT 1 OFFSET ?",
    )?;
    let excess: Option<i64> =
        statement.query_row(params![room.as_str(), most], |row| row.get(0)).optional()?;
    let Some(last) = excess else { return Ok(0) };
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries
         WHERE room = (SELECT id FROM rooms WHERE key = ?) AND sequence <= ?
         ORDER BY sequence LIMIT ?",
    )?;
    let doomed = doomed(&mut statement, params![room.as_str(), last, STEP])?;
    delete(connection, &doomed)?;
    Ok(doomed.len())
}

/// Forgets the oldest messages, but for those that a newcomer to their room
/// gets.
fn oldest(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, room FROM entries e
         WHERE EXISTS (SELECT 1 FROM entries WHERE room = e.room AND sequence > e.sequence
                       LIMIT 1 OFFSET ?1)
         ORDER BY sequence LIMIT ?2",
    )?;
    let doomed = doomed(&mut statement, params![HISTORY_LENGTH - 1, STEP])?;
    delete(connection, &doomed)?;
    Ok(doomed.len())
}

/// Forgets the oldest direct messages, if there are too many.
fn excess_directs(connection: &Connection) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence FROM directs
         WHERE sequence <= (SELECT sequence FROM directs ORDER BY sequence DESC LIMIT 1 OFFSET ?)
         LIMIT ?",
    )?;
    let directs = statement.query_map([MAX_DIRECTS, STEP], |row| row.get(0))?;
    let directs = directs.collect::<rusqlite::Result<Vec<i64>>>()?;
    delete_directs(connection, &directs)?;
    Ok(directs.len())
}

/// Forgets the quietest rooms, if there are too many; gives them.
fn excess_rooms(connection: &Connection) -> rusqlite::Result<Vec<NameKey>> {
    let count: i64 =
        connection.prepare_cached("SELECT count(*) FROM rooms")?.query_row([], |row| row.get(0))?;
    // An eighth too many, so that it has not to be done each time.
    if count <= MAX_ROOMS + MAX_ROOMS / 8 {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT id, name, max(dropped,
                ifnull((SELECT max(sequence) FROM entries WHERE room = rooms.id), 0)) AS last
         FROM rooms ORDER BY last LIMIT ?",
    )?;
    let quiet = statement.query_map([count - MAX_ROOMS], |row| {
        Ok((row.get::<_, i64>(0)?, super::rows::room_name(row, 1)?, row.get::<_, i64>(2)?))
    })?;
    let quiet = quiet.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut forgotten: i64 = fact(connection, fact::FORGOTTEN)?.unwrap_or(0);
    let mut keys = Vec::new();
    for (number, name, last) in quiet {
        let mut statement =
            connection.prepare_cached("SELECT sequence, room FROM entries WHERE room = ?")?;
        let doomed = doomed(&mut statement, params![number])?;
        delete(connection, &doomed)?;
        connection.prepare_cached("DELETE FROM rooms WHERE id = ?")?.execute([number])?;
        forgotten = forgotten.max(last);
        keys.push(name.key().clone());
    }
    note_fact(connection, fact::FORGOTTEN, forgotten)?;
    Ok(keys)
}

/// Sequences and rooms of what is to be deleted.
fn doomed(
    statement: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Deletes messages, and notes in their rooms that something is missing.
fn delete(connection: &Connection, doomed: &[(i64, i64)]) -> rusqlite::Result<()> {
    let indexed = place(search::indexed(connection)?);
    let mut from_entries = connection.prepare_cached("DELETE FROM entries WHERE sequence = ?")?;
    let mut from_found = connection.prepare_cached("DELETE FROM found WHERE rowid = ?")?;
    let mut note =
        connection.prepare_cached("UPDATE rooms SET dropped = max(dropped, ?) WHERE id = ?")?;
    for (sequence, room) in doomed {
        from_entries.execute([sequence])?;
        if *sequence <= indexed {
            from_found.execute([sequence])?;
        }
        note.execute([sequence, room])?;
    }
    Ok(())
}

/// Deletes direct messages, whoever has them.
fn delete_directs(connection: &Connection, doomed: &[i64]) -> rusqlite::Result<()> {
    for sequence in doomed {
        connection
            .prepare_cached("DELETE FROM mailboxes WHERE sequence = ?")?
            .execute([sequence])?;
        connection.prepare_cached("DELETE FROM directs WHERE sequence = ?")?.execute([sequence])?;
    }
    Ok(())
}
