//! Eviction: deletion of whole rooms when the log has too many.

use std::collections::VecDeque;

use rusqlite::{OptionalExtension, params};

use super::super::database::{property, read_property, write_property};
use super::{HISTORY_LENGTH, RetentionStep};
use crate::model::NameKey;

/// Number of rooms to which eviction reduces the log. Eviction begins when the number is more than
/// an eighth above it.
pub(super) const MAX_ROOMS: i64 = 10_000;

/// Queue of rooms to evict, in this order.
pub(super) type EvictionQueue = VecDeque<RoomToEvict>;

/// Room chosen for eviction. If the room gets a new message before its eviction, it is not evicted.
#[derive(Debug)]
pub(super) struct RoomToEvict {
    /// Row id of the room.
    pub(super) room_id: i64,
    /// Greatest sequence of the room's messages, when the room was chosen; the column `dropped` if
    /// that is greater.
    pub(super) last_sequence: i64,
}

impl RetentionStep<'_> {
    /// If there are too many rooms, evicts rooms with all their messages, as far as the delete
    /// budget allows. Keeps a chosen room that has got a message since. A room with many messages
    /// takes several steps. Each evicted room costs one more unit of the budget. Stores the
    /// greatest evicted sequence ([`property::EVICTED_UP_TO`]). Returns the keys of the rooms that
    /// are deleted completely; damaged keys are left out.
    pub(super) fn evict_rooms(&mut self) -> rusqlite::Result<Vec<NameKey>> {
        let (mut gone, mut has_evicted) = (Vec::new(), false);
        if self.delete_budget == 0 {
            return Ok(gone);
        }
        if self.progress.eviction_queue.is_empty() {
            self.progress.eviction_queue = self.choose_rooms_to_evict()?;
        }
        let mut forgotten: i64 =
            read_property(self.connection, property::EVICTED_UP_TO)?.unwrap_or(0);
        while self.delete_budget > 0
            && let Some(RoomToEvict { room_id: room, last_sequence: last }) =
                self.progress.eviction_queue.pop_front()
        {
            let mut statement = self.connection.prepare_cached(
                "SELECT key, (SELECT max(sequence) FROM entries WHERE room = rooms.id)
                 FROM rooms WHERE id = ?",
            )?;
            let found = statement
                .query_row([room], |row| {
                    // A room with a damaged key is evicted like any other; nobody can find it.
                    let key = row.get_ref(0)?.as_str().ok().map(NameKey::of);
                    Ok((key, row.get::<_, Option<i64>>(1)?))
                })
                .optional()?;
            let Some((key, newest)) = found else { continue };
            if newest.is_some_and(|newest| newest > last) {
                // The room has new messages: it is in use again.
                continue;
            }
            self.delete_oldest_of_room(room, self.delete_budget)?;
            let mut statement = self.connection.prepare_cached(
                "DELETE FROM rooms WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM entries WHERE room = ?1)",
            )?;
            if statement.execute([room])? == 0 {
                self.progress
                    .eviction_queue
                    .push_front(RoomToEvict { room_id: room, last_sequence: last });
                break;
            }
            // Deleting an empty room takes time too.
            self.delete_budget = self.delete_budget.saturating_sub(1);
            self.progress.counts.forget_room(room);
            forgotten = forgotten.max(last);
            has_evicted = true;
            gone.extend(key);
        }
        if has_evicted {
            write_property(self.connection, property::EVICTED_UP_TO, forgotten)?;
        }
        Ok(gone)
    }

    /// Chooses the rooms to evict, in order. Empty if there are at most [`MAX_ROOMS`] rooms plus an
    /// eighth. Rooms with fewer than [`HISTORY_LENGTH`] messages come first, the smallest at the
    /// front, so that a user cannot displace messages of others by creating rooms. Then come the
    /// rooms used least recently.
    fn choose_rooms_to_evict(&self) -> rusqlite::Result<EvictionQueue> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM rooms")?;
        let count: i64 = statement.query_row([], |row| row.get(0))?;
        // Eviction waits for an excess of an eighth, so that rooms are not sorted in each step.
        if count <= MAX_ROOMS + MAX_ROOMS / 8 {
            return Ok(EvictionQueue::new());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT id,
                 max(dropped, ifnull((SELECT max(sequence) FROM entries WHERE room = rooms.id), 0))
                     AS last,
                 (SELECT count(*) FROM (SELECT 1 FROM entries WHERE room = rooms.id LIMIT ?))
                     AS messages
             FROM rooms ORDER BY messages, last LIMIT ?",
        )?;
        let rooms = statement.query_map(params![HISTORY_LENGTH, count - MAX_ROOMS], |row| {
            Ok(RoomToEvict { room_id: row.get(0)?, last_sequence: row.get(1)? })
        })?;
        rooms.collect()
    }
}
