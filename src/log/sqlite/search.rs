//! Full-text search: index (FTS5) and queries.
//!
//! Messages are added to the index in batches, some time after they were written. This saves writes
//! to the SD card. A search scans the messages that are not in the index one by one.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use rusqlite::{Connection, Rows, params};

use super::database::{property, read_property, write_property};
use super::index_purge;
use super::queries::EntriesBySequence;
use super::rows::{self, ENTRY_COLUMNS, sequence_to_sql, u64_to_sql};
use crate::log::SEARCH_TIMEOUT;
use crate::model::{
    LogEntry, NameKey, Phrase, RoomName, SearchQuery, Sequence, Style, Timestamp, Username,
};
use crate::os::Clock;

/// Length of a day, in milliseconds.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;

/// Maximum number of messages that a search scans because they are not in the index. More are left
/// after an upgrade from a format without search, or after many messages were written at once.
/// Searches then fail until enough messages are indexed.
const MAX_UNINDEXED_MESSAGES: i64 = 5_000;

/// Number of SQLite virtual machine instructions between two checks of [`SEARCH_TIMEOUT`].
const TIMEOUT_CHECK_INSTRUCTIONS: i32 = 10_000;

/// Runs database work with a time limit. After [`SEARCH_TIMEOUT`], SQLite aborts the work with an
/// error.
pub(crate) fn with_timeout<T>(
    connection: &mut Connection,
    clock: Clock,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let end = clock.now() + SEARCH_TIMEOUT;
    connection.progress_handler(TIMEOUT_CHECK_INSTRUCTIONS, Some(move || clock.now() > end))?;
    let done = work(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    done
}

/// Searches these rooms, given by row id and name, up to the sequence `head`. Adds to `found`,
/// which must be empty:
/// - the latest indexed messages that match, at most one more than the query's limit;
/// - all unindexed messages that match.
///
/// # Errors
/// SQLite fails or times out, or there are too many unindexed messages.
pub(crate) fn find_matches(
    connection: &Connection,
    rooms: &[(i64, RoomName)],
    query: &SearchQuery,
    head: Sequence,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    if rooms.is_empty() {
        return Ok(());
    }
    let (first, last) = sequence_bounds(connection, query)?;
    let last = last.min(sequence_to_sql(query.before).saturating_sub(1)).min(sequence_to_sql(head));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS}, e.room FROM found JOIN entries e ON e.sequence = found.rowid
         WHERE found MATCH ? AND found.rowid >= ? AND found.rowid <= ? AND e.time >= ? AND e.time < ?
             AND e.style <> ?
         ORDER BY found.rowid DESC"
    ))?;
    let time = |time: Option<Timestamp>, default| {
        time.map_or(default, |it| i64::try_from(it.0).unwrap_or(i64::MAX))
    };
    let mut found_rows = statement.query(params![
        match_expression(rooms, query),
        first,
        last,
        time(query.since, i64::MIN),
        time(query.until, i64::MAX),
        Style::REMOVED.0,
    ])?;
    let limit = usize::from(query.limit).saturating_add(1);
    collect_matches(&mut found_rows, rooms, limit, |_| true, found)?;
    find_unindexed(connection, rooms, query, head, found)
}

/// Scans all messages up to `head` that are not in the index. Adds to `found` those that match the
/// query and belong to one of `rooms`.
///
/// # Errors
/// There are more than [`MAX_UNINDEXED_MESSAGES`] unindexed messages in all rooms together, or
/// SQLite fails.
fn find_unindexed(
    connection: &Connection,
    rooms: &[(i64, RoomName)],
    query: &SearchQuery,
    head: Sequence,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    let indexed = sequence_to_sql(indexed_up_to(connection)?);
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM entries WHERE sequence > ? LIMIT ?)",
    )?;
    let rest: i64 = statement.query_row([indexed, MAX_UNINDEXED_MESSAGES + 1], |row| row.get(0))?;
    if rest > MAX_UNINDEXED_MESSAGES {
        tracing::warn!("too many messages cannot be found yet; no search until they can");
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS}, e.room FROM entries e WHERE sequence > ? AND sequence <= ?"
    ))?;
    let mut rest = statement.query([indexed, sequence_to_sql(head)])?;
    collect_matches(&mut rest, rooms, usize::MAX, |entry| query.matches(entry), found)
}

/// Adds the entries that belong to one of the rooms and for which `matches` returns true, until
/// `found` has `limit` entries. Skips damaged rows. Each row must hold the columns of
/// [`ENTRY_COLUMNS`], then the row id of its room.
fn collect_matches(
    found_rows: &mut Rows<'_>,
    rooms: &[(i64, RoomName)],
    limit: usize,
    matches: impl Fn(&LogEntry) -> bool,
    found: &mut EntriesBySequence,
) -> rusqlite::Result<()> {
    while found.len() < limit
        && let Some(row) = found_rows.next()?
    {
        let number: i64 = row.get(9)?;
        if let Some((_, room)) = rooms.iter().find(|(it, _)| *it == number) {
            let entry = rows::skip_damaged(rows::read_room_entry(row, room))?;
            found.extend(entry.filter(|it| matches(it)).map(|it| (it.sequence, it)));
        }
    }
    Ok(())
}

/// Returns the first and last sequence (inclusive) of a range that contains all indexed messages
/// from the day of the query's `since` to the day of its `until`. The range may contain other
/// messages too.
///
/// If there are no such messages, the range may be empty (first > last). Without `since` or
/// `until`, the range has no bound on that side.
fn sequence_bounds(connection: &Connection, query: &SearchQuery) -> rusqlite::Result<(i64, i64)> {
    let day = |time: Timestamp| i64::try_from(time.0).unwrap_or(i64::MAX) / DAY_MILLIS;
    let first = match query.since {
        None => i64::MIN,
        Some(since) => connection
            .prepare_cached("SELECT min(first) FROM days WHERE day >= ?")?
            .query_row([day(since)], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(i64::MAX),
    };
    let last = match query.until {
        None => i64::MAX,
        Some(until) => connection
            .prepare_cached("SELECT max(last) FROM days WHERE day <= ?")?
            .query_row([day(until)], |row| row.get::<_, Option<i64>>(0))?
            .unwrap_or(i64::MIN),
    };
    Ok((first, last))
}

/// Returns the FTS5 MATCH expression of a query: any of the rooms, the author if one is given, and
/// all phrases. `rooms` must not be empty.
///
/// A phrase stands between double quotes and contains none, so FTS5 interprets nothing in it. FTS5
/// splits and folds phrases in the same way as messages.
fn match_expression(rooms: &[(i64, RoomName)], query: &SearchQuery) -> String {
    let mut expression = String::from("tags : (");
    for (at, (number, _)) in rooms.iter().enumerate() {
        let or = if at == 0 { "" } else { " OR " };
        let _ = write!(expression, "{or}\"r{number}\"");
    }
    expression.push(')');
    if let Some(from) = &query.from {
        let _ = write!(expression, " AND tags : \"{}\"", author_tag(from));
    }
    for Phrase { raw, is_prefix, .. } in query.text.phrases() {
        let star = if *is_prefix { " *" } else { "" };
        let _ = write!(expression, " AND text : \"{raw}\"{star}");
    }
    expression
}

/// Returns the index term (tag) of an author: `u`, then the name's key in hexadecimal.
fn author_tag(key: &NameKey) -> String {
    key.as_str().bytes().fold(String::from("u"), |mut tag, byte| {
        let _ = write!(tag, "{byte:02x}");
        tag
    })
}

/// Returns the sequence up to which messages are in the search index; zero if there are none.
pub(crate) fn indexed_up_to(connection: &Connection) -> rusqlite::Result<Sequence> {
    Ok(rows::sequence_from_sql(read_property(connection, property::INDEXED_UP_TO)?.unwrap_or(0)))
}

/// Result of one step of indexing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexStep {
    /// Sequence up to which messages are indexed after the step.
    pub(crate) last: Sequence,
    /// Number of messages added.
    pub(crate) count: usize,
    /// True if the step ended at one of its limits, so that more messages may be left.
    pub(crate) more: bool,
}

/// Adds the next messages to the search index, at most `limit`, in ascending order of sequence.
/// Returns the sequence up to which messages are then indexed, and the number added. See
/// [`index_step`].
pub(crate) fn index_next(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<(Sequence, usize)> {
    let step = index_step(connection, limit, usize::MAX)?;
    Ok((step.last, step.count))
}

/// Adds the next messages to the search index, in ascending order of sequence, at most `limit`.
/// Ends after the message with which the texts have `max_bytes` bytes or more in total.
///
/// Stores the sequence up to which messages are then indexed. Also extends the table `days`, which
/// holds the first and last indexed sequence of each day. A message with a damaged author or text
/// is indexed without it. Call it within a transaction.
pub(crate) fn index_step(
    connection: &Connection,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<IndexStep> {
    let indexed = indexed_up_to(connection)?;
    let mut select = connection.prepare_cached(
        "SELECT sequence, room, username, time, text FROM entries WHERE sequence > ?
         ORDER BY sequence LIMIT ?",
    )?;
    let mut insert =
        connection.prepare_cached("INSERT INTO found (rowid, tags, text) VALUES (?, ?, ?)")?;
    let mut days: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    // A few authors write most messages, and validating a name takes longer than looking it up.
    let mut author_tags: HashMap<String, String> = HashMap::new();
    let mut last = sequence_to_sql(indexed);
    let (mut count, mut bytes) = (0_usize, 0_usize);
    let row_limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found_rows = select.query(params![sequence_to_sql(indexed), row_limit])?;
    while bytes < max_bytes
        && let Some(row) = found_rows.next()?
    {
        last = row.get(0)?;
        count = count.saturating_add(1);
        let (room, time): (i64, i64) = (row.get(1)?, row.get(3)?);
        // A damaged row cannot be found, but indexing continues after it.
        let username = row.get_ref(2)?.as_str().unwrap_or_default();
        let author = match author_tags.get(username) {
            Some(known) => known,
            None => author_tags
                .entry(username.to_owned())
                .or_insert_with_key(|username| author_tag_of(username)),
        };
        let tags = tags(room, author);
        let text = row.get_ref(4)?.as_str().unwrap_or_default();
        bytes = bytes.saturating_add(text.len());
        insert.execute(params![last, tags, text])?;
        days.entry(time / DAY_MILLIS).or_insert((last, last)).1 = last;
    }
    let mut note = connection.prepare_cached(
        "INSERT INTO days (day, first, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (day) DO UPDATE SET first = min(first, ?2), last = max(last, ?3)",
    )?;
    for (day, (first, last)) in days {
        note.execute([day, first, last])?;
    }
    if count > 0 {
        write_property(connection, property::INDEXED_UP_TO, last)?;
    }
    let more = count == limit || bytes >= max_bytes;
    Ok(IndexStep { last: rows::sequence_from_sql(last), count, more })
}

/// Indexes a message again, whose text was overwritten: by its new text. Does nothing if the
/// message is not in the index yet. Call it within a transaction.
///
/// The old words cannot be searched for from then on. They are in the file until the purge that
/// this requests.
pub(super) fn index_again(connection: &Connection, sequence: Sequence) -> rusqlite::Result<()> {
    if sequence > indexed_up_to(connection)? {
        return Ok(());
    }
    index_purge::request(connection, sequence)?;
    let sequence = sequence_to_sql(sequence);
    connection.prepare_cached("DELETE FROM found WHERE rowid = ?")?.execute([sequence])?;
    let mut select =
        connection.prepare_cached("SELECT room, username, text FROM entries WHERE sequence = ?")?;
    let mut insert =
        connection.prepare_cached("INSERT INTO found (rowid, tags, text) VALUES (?, ?, ?)")?;
    let mut found_rows = select.query([sequence])?;
    while let Some(row) = found_rows.next()? {
        let author = author_tag_of(row.get_ref(1)?.as_str().unwrap_or_default());
        let tags = tags(row.get(0)?, &author);
        insert.execute(params![sequence, tags, row.get_ref(2)?.as_str().unwrap_or_default()])?;
    }
    Ok(())
}

/// Returns the index term (tag) of the author with this username; empty if it is invalid.
fn author_tag_of(username: &str) -> String {
    Username::new(username).map(|it| author_tag(it.key())).unwrap_or_default()
}

/// Returns the tags of a message in the index: its room, given by row id, and the tag of its author.
fn tags(room: i64, author: &str) -> String {
    format!("r{room} {author}")
}

/// Returns the UTC day of a time, in days since 1970. `time`: milliseconds since 1970.
pub(super) const fn day_of(time: u64) -> i64 {
    u64_to_sql(time) / DAY_MILLIS
}
