//! Number of messages in each room. Each message is counted once. When a counted message is
//! deleted, the number is reduced.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::to_sql_limit;

/// Message counts of rooms, by the row id of the room.
#[derive(Debug, Default)]
pub(super) struct MessageCounts(HashMap<i64, RoomCount>);

/// Message count of one room, up to a sequence.
#[derive(Clone, Copy, Debug, Default)]
struct RoomCount {
    /// Sequence up to which the room's messages are counted.
    counted_up_to: i64,
    /// Number of messages up to and including `counted_up_to`, without deleted ones.
    messages: usize,
}

impl MessageCounts {
    /// Counts up to `budget` further messages of a room. Reduces the budget by the number counted
    /// plus one. Returns the room's message count so far, and true if all its messages are counted:
    /// fewer than the budget were left.
    pub(super) fn count_more(
        &mut self,
        connection: &Connection,
        room: i64,
        budget: &mut usize,
    ) -> rusqlite::Result<(usize, bool)> {
        let count = self.0.entry(room).or_default();
        let mut statement = connection.prepare_cached(
            "SELECT count(*), max(sequence) FROM (SELECT sequence FROM entries
                 WHERE room = ? AND sequence > ? ORDER BY sequence LIMIT ?)",
        )?;
        let (more, end): (i64, Option<i64>) = statement
            .query_row(params![room, count.counted_up_to, to_sql_limit(*budget)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        count.counted_up_to = end.unwrap_or(count.counted_up_to);
        count.messages = count.messages.saturating_add(more);
        let is_all = more < *budget;
        // Looking at a room costs something even if it has no new messages.
        *budget = budget.saturating_sub(more.saturating_add(1));
        Ok((count.messages, is_all))
    }

    /// Returns the room's message count so far, without deleted messages. 0 if the room was not
    /// counted.
    pub(super) fn counted(&self, room: i64) -> usize {
        self.0.get(&room).map_or(0, |it| it.messages)
    }

    /// Reduces the message count of a room by one, because a message was deleted. Does nothing if
    /// that message was not counted.
    pub(super) fn on_deleted(&mut self, sequence: i64, room: i64) {
        if let Some(count) = self.0.get_mut(&room)
            && sequence <= count.counted_up_to
        {
            count.messages = count.messages.saturating_sub(1);
        }
    }

    /// Removes the message count of an evicted room. Another room may get its row id.
    pub(super) fn forget_room(&mut self, room: i64) {
        self.0.remove(&room);
    }
}
