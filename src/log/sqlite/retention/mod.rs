//! Retention: deletes messages beyond the limits of age, number and size, a few in each step.
//!
//! | module | contents |
//! |---|---|
//! | `message_counts` | number of messages in each room |
//! | `room_eviction` | deletes whole rooms when there are too many |

mod message_counts;
mod room_eviction;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use self::message_counts::MessageCounts;
use self::room_eviction::EvictionQueue;
use super::database::{property, write_property};
use super::rows::{self, sequence_to_sql, u64_to_sql};
use super::search;
use crate::hub::{ClockTrust, Now};
use crate::model::limits::HISTORY_LENGTH;
use crate::model::{NameKey, Retention, Sequence, Timestamp};

/// Maximum number of messages and facts deleted in one step. Each evicted room counts as one more.
/// It is small, so that no client notices a delay.
const MAX_DELETED_PER_STEP: usize = 256;

/// Maximum number of messages counted in one step, in all rooms together. Each room examined counts
/// as one more.
const MAX_COUNTED_PER_STEP: usize = 20_000;

/// Maximum number of messages examined in one step when the database exceeds its maximum size.
const MAX_SCANNED_PER_STEP: usize = 2_000;

/// Length of a day, in milliseconds.
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Maximum number of direct messages kept, for all sessions together. Retention deletes the oldest
/// beyond it.
const MAX_DIRECTS: usize = 100_000;

/// Maximum number of facts kept. Retention deletes the oldest beyond it. The moderation state does
/// not depend on them.
const MAX_FACTS: usize = 50_000;

/// State of retention that is kept between its steps.
#[derive(Debug, Default)]
pub(super) struct RetentionProgress {
    /// Number of messages in each room.
    counts: MessageCounts,
    /// Rooms still to evict, in this order.
    eviction_queue: EvictionQueue,
    /// Sequence up to which messages were examined because the database is too large. Each of them
    /// was deleted, or is among the last [`HISTORY_LENGTH`] of its room. 0: the examination starts
    /// at the oldest message.
    size_scan_position: i64,
    /// Decides whether the wall clock is trusted.
    clock_trust: ClockTrust,
}

/// Result of one retention step.
#[derive(Debug, Default)]
pub(super) struct RetentionStepResult {
    /// True if another step may find more to delete.
    pub(super) more: bool,
    /// Rooms of `rooms_to_trim` that are within the maximum number of messages, or do not exist.
    /// They need no further check until they get a new message.
    pub(super) trimmed: Vec<NameKey>,
    /// Keys of the rooms that this step has evicted: their messages and their rows are deleted.
    /// Damaged keys are left out.
    pub(super) evicted: Vec<NameKey>,
}

/// Runs one step of retention, in a transaction: deletes at most [`MAX_DELETED_PER_STEP`] messages,
/// and perhaps evicts rooms. Call it again if the result's `more` is true.
///
/// - `rooms_to_trim`: rooms whose number of messages is checked. A room is added when it gets a new
///   message, and removed when a step reports it as trimmed.
/// - `now`: clock readings. Messages are deleted by age only while the wall clock is trusted
///   ([`ClockTrust`]).
/// - `head`: last sequence of the log. It is stored if messages or rooms are deleted.
///
/// # Errors
/// Nothing is deleted. `progress` is reset, except for the trust in the clock.
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
            write_property(&transaction, property::HEAD, sequence_to_sql(head))?;
        }
        transaction.commit()?;
        Ok(step)
    });
    if step.is_err() {
        // The counts include changes that were rolled back.
        *progress = RetentionProgress {
            clock_trust: std::mem::take(&mut progress.clock_trust),
            ..RetentionProgress::default()
        };
    }
    step
}

/// Returns the size of the used part of the database, in bytes: all pages except the free ones.
pub(crate) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = ask("page_count")?.saturating_sub(ask("freelist_count")?);
    Ok(pages.saturating_mul(ask("page_size")?).cast_unsigned())
}

/// Retention step in progress.
struct RetentionStep<'a> {
    /// Database connection, within the transaction of the step.
    connection: &'a Connection,
    /// Progress of retention, which this step updates.
    progress: &'a mut RetentionProgress,
    /// Number of messages that this step may still delete. Each evicted room costs one more.
    delete_budget: usize,
    /// Number of messages that this step may still count.
    count_budget: usize,
}

impl RetentionStep<'_> {
    /// Applies all limits, as far as the budgets allow: first age, then number in each room, size,
    /// number of direct messages, number of facts, number of rooms. A limit of 0 in `retention` is
    /// not applied. `now`: current time; `None`: the limit of age is not applied.
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
        self.delete_excess_facts(MAX_FACTS)?;
        step.evicted = self.evict_rooms()?;
        step.more |= self.delete_budget == 0 || step.trimmed.len() < rooms_to_trim.len();
        Ok(step)
    }

    /// Deletes room messages and direct messages older than `days` days, as far as the budget
    /// allows. Room messages that are not in the search index are kept.
    ///
    /// Call it while the delete budget is unused: if this function finds no old room message, it
    /// concludes that none is left.
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
            // No message of the days before `day` is left.
            self.connection.prepare_cached("DELETE FROM days WHERE day < ?")?.execute([day])?;
        }
        Ok(())
    }

    /// Deletes the oldest messages of a room beyond its latest `most`, as far as the budgets allow.
    /// Returns true if all messages of the room are counted and at most `most` are left, or if
    /// there is no such room.
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

    /// Deletes the oldest messages of all rooms, as many as the budgets allow. Does not check the
    /// size again. Continues where the last step ended. Keeps the last [`HISTORY_LENGTH`] of each
    /// room. Call it while the database exceeds its maximum size. Returns false if all messages
    /// were examined; true if a budget ended the deletion before.
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
            // Start again next time: a message among the last of its room can be deleted when newer
            // ones are there.
            self.progress.size_scan_position = 0;
        }
        self.delete_entries(&old)?;
        Ok(!is_end)
    }

    /// Deletes the oldest direct messages beyond [`MAX_DIRECTS`], as far as the budget allows.
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

    /// Deletes the oldest facts beyond the latest `most`, as far as the budget allows. Removals,
    /// which everybody may make of their own messages, are counted apart from all other facts: they
    /// cannot push those out of the audit log.
    fn delete_excess_facts(&mut self, most: usize) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM facts WHERE sequence IN (
                 SELECT sequence FROM facts WHERE (removed_in IS NULL) = ?3 AND sequence <=
                     (SELECT sequence FROM facts WHERE (removed_in IS NULL) = ?3
                      ORDER BY sequence DESC LIMIT 1 OFFSET ?1)
                 ORDER BY sequence LIMIT ?2)",
        )?;
        for is_other in [false, true] {
            let budget = to_sql_limit(self.delete_budget);
            let deleted = statement.execute(params![to_sql_limit(most), budget, is_other])?;
            self.delete_budget = self.delete_budget.saturating_sub(deleted);
        }
        Ok(())
    }

    /// Deletes the oldest `most` messages of a room, given by row id, as far as the budget allows.
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

    /// Deletes room messages, given by sequence and row id of the room. Also removes them from the
    /// search index. Updates the column `dropped` of their rooms (greatest deleted sequence), the
    /// message counts and the delete budget.
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

    /// Deletes direct messages, given by sequence, also from all mailboxes. Updates the delete
    /// budget.
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

/// Runs a query for messages to delete. Returns sequence and row id of the room: the first two
/// columns of each row.
fn query_sequences_and_rooms(
    statement: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Converts a number of messages to the type of an SQL LIMIT.
fn to_sql_limit(messages: usize) -> i64 {
    i64::try_from(messages).unwrap_or(i64::MAX)
}
