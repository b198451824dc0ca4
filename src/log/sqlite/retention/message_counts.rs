//! How many messages each room has: counted once, and from then on only what
//! is new.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::to_sql_limit;

/// How many messages rooms have, by the rooms' numbers.
#[derive(Debug, Default)]
pub(super) struct MessageCounts(HashMap<i64, RoomCount>);

/// How many messages a room has, as far as they are counted.
#[derive(Clone, Copy, Debug, Default)]
struct RoomCount {
    /// Up to this sequence they are.
    end: i64,
    /// So many.
    messages: usize,
}

impl MessageCounts {
    /// MessageCounts a room's messages, from where that ended the last time, but not
    /// more than `budget`, which becomes less by it. Gives how many there are so far, and whether
    /// these are all.
    pub(super) fn count(
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
            .query_row(params![room, count.end, to_sql_limit(*budget)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        count.end = end.unwrap_or(count.end);
        count.messages = count.messages.saturating_add(more);
        let is_all = more < *budget;
        // A room costs something even if nothing in it is new.
        *budget = budget.saturating_sub(more.saturating_add(1));
        Ok((count.messages, is_all))
    }

    /// How many messages of a room are counted.
    pub(super) fn counted(&self, room: i64) -> usize {
        self.0.get(&room).map_or(0, |it| it.messages)
    }

    /// A message of a room is gone.
    pub(super) fn on_deleted(&mut self, sequence: i64, room: i64) {
        if let Some(count) = self.0.get_mut(&room)
            && sequence <= count.end
        {
            count.messages = count.messages.saturating_sub(1);
        }
    }

    /// A room is gone; its number may be given to another one.
    pub(super) fn forget_room(&mut self, room: i64) {
        self.0.remove(&room);
    }
}
