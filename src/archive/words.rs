//! Comparison of the search index with the messages. Hashes of the indexed words are compared with
//! those of a second index, which is built in memory from the stored messages.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Connection;

use crate::log::sqlite::rows::{self, ENTRY_COLUMNS, RoomEntryInsert};
use crate::log::sqlite::{schema, search};
use crate::model::RoomName;

/// Number of messages that are indexed in memory at a time.
const BATCH: usize = 1_000;

/// Hash of the indexed words of each message and their places, by the message's sequence.
#[derive(Debug, Default)]
pub(super) struct WordHashes(HashMap<i64, u64>);

impl WordHashes {
    /// Reads the words from the search index of a database. Creates a table in the connection's
    /// temporary database. Lifts the write protection of the connection, and does not restore it.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        // Lifts the write protection of the connection, for the temporary database.
        connection.pragma_update(None, "query_only", false)?;
        connection.execute_batch(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab(main, found, instance)",
        )?;
        let mut statement =
            connection.prepare_cached("SELECT doc, term, col, offset FROM temp.words")?;
        let mut found = statement.query([])?;
        let mut hashes: HashMap<i64, u64> = HashMap::new();
        while let Some(row) = found.next()? {
            let mut hasher = DefaultHasher::new();
            row.get_ref(1)?.as_bytes()?.hash(&mut hasher);
            row.get_ref(2)?.as_bytes()?.hash(&mut hasher);
            row.get::<_, i64>(3)?.hash(&mut hasher);
            // A sum, because the index lists the words of all messages by word.
            let sum = hashes.entry(row.get(0)?).or_default();
            *sum = sum.wrapping_add(hasher.finish());
        }
        Ok(Self(hashes))
    }

    /// Returns the hash of a message; `None` if it has no indexed words.
    pub(super) fn get(&self, sequence: i64) -> Option<u64> {
        self.0.get(&sequence).copied()
    }
}

/// Builder of a search index in memory: indexes messages again, a batch at a time.
#[derive(Debug)]
pub(super) struct Reindexer {
    /// Log in memory, with the messages of the last batch and their index.
    memory: Connection,
    /// Sequence of the last message that was read, valid or not, as an SQL integer.
    position: i64,
}

impl Reindexer {
    /// Creates a reindexer that begins at the first message.
    pub(super) fn new() -> rusqlite::Result<Self> {
        let memory = Connection::open_in_memory()?;
        schema::create_tables(&memory)?;
        Ok(Self { memory, position: 0 })
    }

    /// Indexes the next [`BATCH`] messages of `connection`, up to the sequence `last`. Returns the
    /// sequences of the valid ones, and the hashes of their words. `None` if no message is left.
    pub(super) fn index_next(
        &mut self,
        connection: &Connection,
        last: i64,
    ) -> rusqlite::Result<Option<(Vec<i64>, WordHashes)>> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT {ENTRY_COLUMNS}, e.room FROM entries e
             WHERE e.sequence > ? AND e.sequence <= ? ORDER BY e.sequence LIMIT ?"
        ))?;
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let before = self.position;
        let mut found = select.query([before, last, limit])?;
        let transaction = self.memory.transaction()?;
        transaction.execute_batch(
            "DELETE FROM entries; INSERT INTO found (found) VALUES ('delete-all');",
        )?;
        let mut insert = RoomEntryInsert::prepare(&transaction)?;
        let mut valid = Vec::new();
        while let Some(row) = found.next()? {
            self.position = row.get(0)?;
            // The room's name is not indexed, only its number.
            if let Ok(entry) = rows::read_room_entry(row, &RoomName::lobby()) {
                insert.insert(row.get(9)?, &entry)?;
                valid.push(self.position);
            }
        }
        drop(insert);
        search::index_next(&transaction, BATCH)?;
        transaction.commit()?;
        if self.position == before {
            return Ok(None);
        }
        Ok(Some((valid, WordHashes::read(&self.memory)?)))
    }
}
