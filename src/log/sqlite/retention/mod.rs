//! Retention: deletes messages that are too old, too many or too large, some in each step.
//!
//! | module | contents |
//! |---|---|
//! | `message_counts` | number of messages in each room, without counting them again |
//! | `clock_trust` | whether the wall clock can be trusted |
//! | `room_eviction` | deletes whole rooms if there are too many |

mod clock_trust;
mod message_counts;
mod room_eviction;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use self::clock_trust::ClockTrust;
use self::message_counts::MessageCounts;
use self::room_eviction::EvictionQueue;
use super::database::{fact, write_fact};
use super::rows::{self, sequence_to_sql, u64_to_sql};
use super::search;
use crate::hub::Now;
use crate::model::limits::HISTORY_LENGTH;
use crate::model::{NameKey, Retention, Sequence, Timestamp};

/// Maximum number of messages deleted in one step, so few that no client notices a delay.
const MAX_DELETED_PER_STEP: usize = 256;

/// Maximum number of messages counted in one step.
const MAX_COUNTED_PER_STEP: usize = 20_000;

/// Maximum number of messages examined in one step because the database is too large.
const MAX_SCANNED_PER_STEP: usize = 2_000;

/// Milliseconds of a day.
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Maximum number of direct messages kept in all.
const MAX_DIRECTS: usize = 100_000;

/// Progress of retention between its steps.
#[derive(Debug, Default)]
pub(super) struct RetentionProgress {
    /// Number of messages in each room.
    counts: MessageCounts,
    /// Rooms to evict, in this order.
    eviction_queue: EvictionQueue,
    /// Sequence up to which all messages were examined and must stay, even if the database is too
    /// large.
    size_scan_position: i64,
    /// Trust in the wall clock.
    clock_trust: ClockTrust,
}

/// Result of one retention step.
#[derive(Debug, Default)]
pub(super) struct RetentionStepResult {
    /// True if there may be more to delete.
    pub(super) more: bool,
    /// Touched rooms that do not exceed the maximum number of messages any more.
    pub(super) trimmed: Vec<NameKey>,
    /// Rooms that were evicted: their rows are gone.
    pub(super) evicted: Vec<NameKey>,
}

/// Performs one step of retention, in a transaction. `rooms_to_trim` are the rooms with new
/// messages since a step reported them as trimmed. `head` is the last sequence of the log; it is
/// stored when messages are deleted. Call it again if there is more to delete.
///
/// # Errors
/// Nothing is deleted; counting starts again.
pub(super) fn run_step(
    connection: &mut Connection,
    progress: &mut RetentionProgress,
    retention: Retention,
    rooms_to_trim: &BTreeSet<NameKey>,
    now: Now,
    head: Sequence,
) -> rusqlite::Result<RetentionStepResult> {
    let is_steady = progress.clock_trust.update(now);
    let step = connection.transaction().and_then(|transaction| {
        let mut run = RetentionStep {
            connection: &transaction,
            progress,
            delete_budget: MAX_DELETED_PER_STEP,
            count_budget: MAX_COUNTED_PER_STEP,
        };
        let step = run.run(retention, rooms_to_trim, is_steady.then_some(now.time))?;
        if run.delete_budget < MAX_DELETED_PER_STEP {
            write_fact(&transaction, fact::HEAD, sequence_to_sql(head))?;
        }
        transaction.commit()?;
        Ok(step)
    });
    if step.is_err() {
        // The counts include what was rolled back.
        *progress = RetentionProgress {
            clock_trust: std::mem::take(&mut progress.clock_trust),
            ..RetentionProgress::default()
        };
    }
    step
}

/// Returns the number of bytes in use in the database, without free pages.
pub(crate) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = ask("page_count")?.saturating_sub(ask("freelist_count")?);
    Ok(pages.saturating_mul(ask("page_size")?).cast_unsigned())
}

/// One retention step in progress.
struct RetentionStep<'a> {
    /// Database connection, within a transaction.
    connection: &'a Connection,
    /// Progress of retention.
    progress: &'a mut RetentionProgress,
    /// Number of messages that this step may still delete.
    delete_budget: usize,
    /// Number of messages that this step may still count.
    count_budget: usize,
}

impl RetentionStep<'_> {
    /// Applies all limits, as far as the budgets allow. Without the current time (`now`), no
    /// message is too old.
    fn run(
        &mut self,
        retention: Retention,
        rooms_to_trim: &BTreeSet<NameKey>,
        now: Option<Timestamp>,
    ) -> rusqlite::Result<RetentionStepResult> {
        let mut step = RetentionStepResult::default();
        if let Some(now) = now
            && retention.days > 0
        {
            self.delete_by_age(retention.days, now)?;
        }
        for room in rooms_to_trim {
            if self.delete_budget == 0 || self.count_budget == 0 {
                break;
            }
            if retention.messages == 0 || self.delete_by_count(room, retention.messages)? {
                step.trimmed.push(room.clone());
            }
        }
        if retention.bytes > 0 && used_bytes(self.connection)? > retention.bytes {
            step.more |= self.delete_by_size()?;
        } else {
            self.progress.size_scan_position = 0;
        }
        self.delete_excess_directs()?;
        step.evicted = self.evict_rooms()?;
        step.more |= self.delete_budget == 0 || step.trimmed.len() < rooms_to_trim.len();
        Ok(step)
    }

    /// Deletes messages older than `days` days, room messages and direct messages. Call it before
    /// anything else is deleted in this step.
    fn delete_by_age(&mut self, days: u32, now: Timestamp) -> rusqlite::Result<()> {
        let end = u64_to_sql(now.0.saturating_sub(u64::from(days).saturating_mul(DAY_MILLIS)));
        let day = search::day_of(end.cast_unsigned());
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, room FROM entries
             WHERE sequence >= (SELECT min(first) FROM days WHERE day <= ?1)
               AND sequence <= (SELECT max(last) FROM days WHERE day <= ?1) AND time < ?2
             ORDER BY sequence LIMIT ?3",
        )?;
        let old = query_sequences_and_rooms(
            &mut statement,
            params![day, end, to_sql_limit(self.delete_budget)],
        )?;
        self.delete_entries(&old)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT sequence FROM directs WHERE time < ? LIMIT ?")?;
        let directs =
            statement.query_map([end, to_sql_limit(self.delete_budget)], |row| row.get(0))?;
        self.delete_directs(&directs.collect::<rusqlite::Result<Vec<i64>>>()?)?;
        if old.is_empty() {
            // No message of the days before is left.
            self.connection.prepare_cached("DELETE FROM days WHERE day < ?")?.execute([day])?;
        }
        Ok(())
    }

    /// Deletes the oldest messages of a room beyond `most`. Returns true if the room does not
    /// exceed that number any more.
    fn delete_by_count(&mut self, room: &NameKey, most: u32) -> rusqlite::Result<bool> {
        let Some((room, _)) = rows::find_room(self.connection, room)? else { return Ok(true) };
        let (counted, is_all) =
            self.progress.counts.count_more(self.connection, room, &mut self.count_budget)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let excess = counted.saturating_sub(most);
        if excess > 0 {
            self.delete_oldest_of_room(room, excess)?;
        }
        Ok(is_all && self.progress.counts.counted(room) <= most)
    }

    /// Deletes the oldest messages of all rooms, but not the last [`HISTORY_LENGTH`] of a room.
    /// Returns true if there may be more to delete.
    fn delete_by_size(&mut self) -> rusqlite::Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, room, EXISTS (SELECT 1 FROM entries
                 WHERE room = e.room AND sequence > e.sequence LIMIT 1 OFFSET ?)
             FROM entries e WHERE sequence > ? ORDER BY sequence LIMIT ?",
        )?;
        let mut old = Vec::new();
        let mut scanned: usize = 0;
        let mut rows = statement.query(params![
            HISTORY_LENGTH.saturating_sub(1),
            self.progress.size_scan_position,
            to_sql_limit(MAX_SCANNED_PER_STEP)
        ])?;
        while old.len() < self.delete_budget
            && let Some(row) = rows.next()?
        {
            scanned = scanned.saturating_add(1);
            self.progress.size_scan_position = row.get(0)?;
            if row.get(2)? {
                old.push((row.get(0)?, row.get(1)?));
            }
        }
        drop(rows);
        let is_end = old.len() < self.delete_budget && scanned < MAX_SCANNED_PER_STEP;
        if is_end {
            // Start again next time: messages that had to stay may be deletable once newer ones are
            // there.
            self.progress.size_scan_position = 0;
        }
        self.delete_entries(&old)?;
        Ok(!is_end)
    }

    /// Deletes the oldest direct messages beyond [`MAX_DIRECTS`].
    fn delete_excess_directs(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence FROM directs WHERE sequence <=
                 (SELECT sequence FROM directs ORDER BY sequence DESC LIMIT 1 OFFSET ?)
             ORDER BY sequence LIMIT ?",
        )?;
        let directs = statement
            .query_map([to_sql_limit(MAX_DIRECTS), to_sql_limit(self.delete_budget)], |row| {
                row.get(0)
            })?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        self.delete_directs(&directs)
    }

    /// Deletes the oldest messages of a room, at most `most` and at most what the budget allows.
    fn delete_oldest_of_room(&mut self, room: i64, most: usize) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, room FROM entries WHERE room = ? ORDER BY sequence LIMIT ?",
        )?;
        let first = query_sequences_and_rooms(
            &mut statement,
            params![room, to_sql_limit(most.min(self.delete_budget))],
        )?;
        self.delete_entries(&first)
    }

    /// Deletes room messages, given as sequence and row id of the room, also from the search index.
    /// Updates the rooms' `dropped` sequences and counts.
    fn delete_entries(&mut self, chosen: &[(i64, i64)]) -> rusqlite::Result<()> {
        let indexed = sequence_to_sql(search::indexed_up_to(self.connection)?);
        let prepare = |sql| self.connection.prepare_cached(sql);
        let mut from_entries = prepare("DELETE FROM entries WHERE sequence = ?")?;
        let mut from_found = prepare("DELETE FROM found WHERE rowid = ?")?;
        let mut note = prepare("UPDATE rooms SET dropped = max(dropped, ?) WHERE id = ?")?;
        for (sequence, room) in chosen {
            from_entries.execute([sequence])?;
            if *sequence <= indexed {
                from_found.execute([sequence])?;
            }
            note.execute([sequence, room])?;
            self.progress.counts.on_deleted(*sequence, *room);
        }
        self.delete_budget = self.delete_budget.saturating_sub(chosen.len());
        Ok(())
    }

    /// Deletes direct messages, also from all mailboxes.
    fn delete_directs(&mut self, chosen: &[i64]) -> rusqlite::Result<()> {
        let prepare = |sql| self.connection.prepare_cached(sql);
        let mut from_mailboxes = prepare("DELETE FROM mailboxes WHERE sequence = ?")?;
        let mut from_directs = prepare("DELETE FROM directs WHERE sequence = ?")?;
        for sequence in chosen {
            from_mailboxes.execute([sequence])?;
            from_directs.execute([sequence])?;
        }
        self.delete_budget = self.delete_budget.saturating_sub(chosen.len());
        Ok(())
    }
}

/// Runs a query for messages to delete. Returns their sequences and their rooms' row ids.
fn query_sequences_and_rooms(
    statement: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Converts a number of messages to an SQL limit.
fn to_sql_limit(messages: usize) -> i64 {
    i64::try_from(messages).unwrap_or(i64::MAX)
}
