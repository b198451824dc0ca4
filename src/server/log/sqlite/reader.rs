//! Reads from the log, beside whoever writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, params};
use tokio::sync::mpsc::UnboundedSender;

use super::super::LogEvent;
use super::database::fact;
use super::rows::{self, DIRECT, ENTRY, place, sequence, signed};
use super::search;
use super::unwritten;
use crate::hub::{ReadFailed, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use crate::model::{NameKey, RoomName, Sequence, SessionId, SharedEntry};
use crate::os::Clock;

/// Something to read.
#[derive(Debug)]
pub(super) struct ReadJob {
    /// To be repeated in the answer.
    pub(super) tag: ReadTag,
    /// What to read.
    pub(super) request: ReadRequest,
    /// How far the log has come: nothing behind it is told.
    pub(super) head: Sequence,
    /// What is in the log but not in the database, in order. None: nothing
    /// is, and the database is believed to be sound.
    pub(super) unwritten: Option<Arc<[SharedEntry]>>,
}

/// Reads what is asked for until nobody asks any more. Runs in a thread of
/// its own.
pub(super) fn run(
    connection: &mut Connection,
    clock: Clock,
    jobs: &Receiver<ReadJob>,
    events: &UnboundedSender<LogEvent>,
) {
    while let Ok(job) = jobs.recv() {
        let found = match &job.request.range {
            ReadRange::Matching(_) => search::with_deadline(connection, clock, |it| read(it, &job)),
            ReadRange::Latest(_) | ReadRange::After(..) | ReadRange::Before(..) => {
                read(connection, &job)
            }
        };
        let outcome = match (found, &job.unwritten) {
            (Ok(found), None) => Ok(found),
            (Ok(found), Some(entries)) => {
                Ok(unwritten::complete(found, entries, &job.request, job.head))
            }
            // The disk gives nothing, but there is something in memory.
            (Err(_), Some(entries)) => {
                let nothing = unwritten::nothing(&job.request);
                Ok(unwritten::complete(nothing, entries, &job.request, job.head))
            }
            (Err(error), None) => {
                tracing::error!("cannot read messages: {error}");
                Err(ReadFailed)
            }
        };
        if events.send(LogEvent::ReadDone { tag: job.tag, outcome }).is_err() {
            return;
        }
    }
}

/// Reads from the database.
fn read(connection: &Connection, job: &ReadJob) -> rusqlite::Result<ReadOutcome> {
    let request = &job.request;
    // One state of the database for all that follows.
    let transaction = connection.unchecked_transaction()?;
    let mut rooms = Vec::new();
    for room in &request.rooms {
        if let Some(known) = rows::find_room(&transaction, room.key())? {
            rooms.push(known);
        }
    }
    let mut found = BTreeMap::new();
    let mut more = false;
    match &request.range {
        ReadRange::Latest(count) => {
            for room in &rooms {
                before(&transaction, room, job.head.next(), (*count).into(), &mut found)?;
            }
            directs_before(&transaction, request.session, job.head, *count, &mut found)?;
        }
        ReadRange::Before(bound, count) => {
            let bound = (*bound).min(job.head.next());
            for room in &rooms {
                let most = i64::from(*count) + 1;
                let mut page = BTreeMap::new();
                before(&transaction, room, bound, most, &mut page)?;
                more |= shorten_first(&mut page, *count);
                found.append(&mut page);
            }
        }
        ReadRange::After(sequence, count) => {
            let most = i64::from(*count) + 1;
            for room in &rooms {
                after(&transaction, room, *sequence, job.head, most, &mut found)?;
            }
            directs_after(&transaction, request.session, *sequence, job.head, most, &mut found)?;
            while found.len() > usize::from(*count) {
                found.pop_last();
                more = true;
            }
        }
        ReadRange::Matching(query) => {
            search::find(&transaction, &rooms, query, job.head, &mut found)?;
            more = shorten_first(&mut found, query.limit);
        }
    }
    let gaps = gaps(&transaction, request)?;
    Ok(ReadOutcome { entries: found.into_values().collect(), head: job.head, gaps, more })
}

/// Entries by their sequence.
pub(super) type Found = BTreeMap<Sequence, SharedEntry>;

/// Drops the oldest beyond so many; says whether there were any.
fn shorten_first(found: &mut Found, count: u16) -> bool {
    let mut dropped = false;
    while found.len() > usize::from(count) {
        found.pop_first();
        dropped = true;
    }
    dropped
}

/// The latest so many of a room before a sequence.
fn before(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    bound: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY} FROM entries e WHERE room = ? AND sequence < ?
         ORDER BY sequence DESC LIMIT ?"
    ))?;
    let mut found_rows = statement.query(params![number, place(bound), most])?;
    while let Some(row) = found_rows.next()? {
        let entry = rows::room_entry(row, room)?;
        found.insert(entry.sequence, entry);
    }
    Ok(())
}

/// The first so many of a room behind a sequence, up to another one.
fn after(
    connection: &Connection,
    (number, room): &(i64, RoomName),
    sequence: Sequence,
    head: Sequence,
    most: i64,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY} FROM entries e WHERE room = ? AND sequence > ? AND sequence <= ?
         ORDER BY sequence LIMIT ?"
    ))?;
    let mut found_rows = statement.query(params![number, place(sequence), place(head), most])?;
    while let Some(row) = found_rows.next()? {
        let entry = rows::room_entry(row, room)?;
        found.insert(entry.sequence, entry);
    }
    Ok(())
}

/// The latest so many direct messages of a session, up to a sequence.
fn directs_before(
    connection: &Connection,
    session: Option<SessionId>,
    head: Sequence,
    count: u16,
    found: &mut Found,
) -> rusqlite::Result<()> {
    let Some(session) = session else { return Ok(()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {DIRECT} FROM mailboxes m JOIN directs d ON d.sequence = m.sequence
         WHERE m.session = ? AND m.sequence <= ? ORDER BY m.sequence DESC LIMIT ?"
    ))?;
    let mut found_rows = statement.query(params![signed(session.0), place(head), count])?;
    while let Some(row) = found_rows.next()? {
        let entry = rows::direct_entry(row)?;
        found.insert(entry.sequence, entry);
    }
    Ok(())
}

/// The first so many direct messages of a session behind a sequence, up to
/// another one.
fn directs_after(
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
         WHERE m.session = ? AND m.sequence > ? AND m.sequence <= ? ORDER BY m.sequence LIMIT ?"
    ))?;
    let session = signed(session.0);
    let mut found_rows = statement.query(params![session, place(sequence), place(head), most])?;
    while let Some(row) = found_rows.next()? {
        let entry = rows::direct_entry(row)?;
        found.insert(entry.sequence, entry);
    }
    Ok(())
}

/// The rooms in which something behind the range's sequence has been
/// deleted, or may have been.
fn gaps(connection: &Connection, request: &ReadRequest) -> rusqlite::Result<Vec<RoomName>> {
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
    use rusqlite::OptionalExtension;

    let mut statement = connection.prepare_cached("SELECT dropped FROM rooms WHERE key = ?")?;
    statement.query_row([key.as_str()], |row| row.get(0)).optional()
}
