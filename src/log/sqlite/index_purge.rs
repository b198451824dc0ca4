//! Purge of the search index: the words of removed messages leave the file.
//!
//! Deleting a message from the index only marks it as deleted: no search finds it, but its words
//! stay in the segments of the index until SQLite merges them. A purge merges all segments into
//! one, a few pages at a time. It writes the whole index anew, so it is not run for each removal.

use rusqlite::Connection;

use super::database::{property, read_property, write_property};
use super::rows::sequence_to_sql;
use crate::model::Sequence;

/// Number of pages that a step writes, about 4 KB each.
const PAGES_PER_STEP: i64 = 64;

/// Notes that the words of a removed message may be in the index. Call it within the transaction of
/// the removal.
pub(super) fn request(connection: &Connection, message: Sequence) -> rusqlite::Result<()> {
    write_property(connection, property::PURGE, sequence_to_sql(message))
}

/// Purge in progress.
#[derive(Debug)]
pub(super) struct IndexPurge {
    /// The request: the last removed message before the purge, as an SQL integer.
    requested: i64,
    /// True after the first step.
    has_begun: bool,
}

impl IndexPurge {
    /// Returns a new purge if one was requested, also in an earlier run; `None` if none was.
    pub(super) fn of_request(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let requested = read_property(connection, property::PURGE)?;
        Ok(requested.map(|requested| Self { requested, has_begun: false }))
    }

    /// Runs the next step, in a transaction. Returns true if the purge is complete. The request is
    /// then deleted, unless another message was removed meanwhile.
    ///
    /// # Errors
    /// Nothing has changed; call it again.
    pub(super) fn run_step(&mut self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let transaction = connection.transaction()?;
        let changes =
            |it: &Connection| it.query_row("SELECT total_changes()", [], |row| row.get(0));
        let before: i64 = changes(&transaction)?;
        // A negative number takes in all segments.
        let pages = if self.has_begun { PAGES_PER_STEP } else { -PAGES_PER_STEP };
        transaction
            .prepare_cached("INSERT INTO found (found, rank) VALUES ('merge', ?)")?
            .execute([pages])?;
        // A merge that has nothing to do changes one row at most.
        let is_complete = changes(&transaction)?.saturating_sub(before) < 2;
        if is_complete && read_property(&transaction, property::PURGE)? == Some(self.requested) {
            transaction
                .prepare_cached("DELETE FROM properties WHERE name = ?")?
                .execute([property::PURGE])?;
        }
        transaction.commit()?;
        self.has_begun = true;
        Ok(is_complete)
    }
}
