//! Database schema (format), and its migration from older formats.

use std::path::Path;

use rusqlite::Connection;

use super::settings::StoreError;

/// SQLite application id of this program's databases: `PiCh` in ASCII.
const APPLICATION_ID: i64 = 0x5069_4368;

/// Migrations: the SQL statements at index N change a database from format N to format N + 1.
/// Format 0 is an empty database. A released migration is never changed.
const MIGRATIONS: &[&str] = &[
    // Format 1: messages, sessions, direct messages.
    "
    -- One row for each fact about the log as a whole.
    CREATE TABLE facts (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    -- `dropped`: the greatest sequence that this room has lost to retention.
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        dropped INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE entries (
        sequence INTEGER PRIMARY KEY, room INTEGER NOT NULL, previous INTEGER NOT NULL,
        session INTEGER NOT NULL, username TEXT NOT NULL, time INTEGER NOT NULL,
        reference INTEGER NOT NULL, style INTEGER NOT NULL, text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_room ON entries (room);
    CREATE TABLE directs (
        sequence INTEGER PRIMARY KEY, session INTEGER NOT NULL, username TEXT NOT NULL,
        to_session INTEGER NOT NULL, to_username TEXT NOT NULL, time INTEGER NOT NULL,
        reference INTEGER NOT NULL, style INTEGER NOT NULL, text TEXT NOT NULL
    ) STRICT;
    -- Who still has a direct message.
    CREATE TABLE mailboxes (
        session INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (session, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mailboxes_by_sequence ON mailboxes (sequence);
    -- `noted`: `last_reference` is right up to this sequence; what came later is in `entries` and `directs`.
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL, username TEXT NOT NULL,
        away_since INTEGER, last_reference INTEGER NOT NULL, refused BLOB NOT NULL,
        noted INTEGER NOT NULL
    ) STRICT;
    ",
    // Format 2: search.
    "
    -- `tags`: the room as `r` and its id, the author as `u` and the name's key in hexadecimal.
    CREATE VIRTUAL TABLE found USING fts5 (
        tags, text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
    );
    -- Between which sequences the messages of a day (since 1970, UTC) are.
    CREATE TABLE days (
        day INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL
    ) STRICT;
    ",
    // Format 3: names that wait for their sessions.
    "
    -- Whether the session's username waits for it after a restart.
    ALTER TABLE sessions ADD COLUMN keeps_name INTEGER NOT NULL DEFAULT 0;
    ",
    // Format 4: moderation.
    "
    ALTER TABLE facts RENAME TO properties;
    -- The facts, in their canonical encoding: the audit log.
    -- `removed_in`: the key of the room where the fact has removed a message; else NULL.
    CREATE TABLE facts (
        sequence INTEGER PRIMARY KEY, fact BLOB NOT NULL, removed_in TEXT
    ) STRICT;
    -- Style 2 is for removed messages from now on; clients could send it before.
    UPDATE entries SET style = 0 WHERE style = 2;
    UPDATE directs SET style = 0 WHERE style = 2;
    CREATE INDEX removals ON facts (removed_in) WHERE removed_in IS NOT NULL;
    -- The moderation state: the registers that are set, each with the fact that set it.
    CREATE TABLE moderation (
        register BLOB PRIMARY KEY, fact BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    ",
    // Format 5: keys.
    "
    -- The key that the session is bound to; NULL if none.
    ALTER TABLE sessions ADD COLUMN key BLOB;
    ",
    // Format 6: persons.
    "
    -- The number of the person who is the author; NULL if none. It is the number of the mailbox.
    ALTER TABLE entries ADD COLUMN person INTEGER;
    ALTER TABLE directs ADD COLUMN person INTEGER;
    ",
    // Format 7: read marks.
    "
    -- How far a person has read a room, given by its key, or their direct messages (empty).
    -- `place`: in ascending order of the time when the marks were set.
    CREATE TABLE read_marks (
        person INTEGER NOT NULL, room TEXT NOT NULL, sequence INTEGER NOT NULL,
        place INTEGER NOT NULL, PRIMARY KEY (person, room)
    ) STRICT, WITHOUT ROWID;
    ",
];

/// Returns the latest format (schema version), which this program reads and writes.
pub(crate) fn latest_format() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Returns the format (schema version) of a database; 0 if it is empty. `path` is used for errors
/// only.
///
/// # Errors
/// [`StoreError::Foreign`] if the database belongs to another application. [`StoreError::Newer`] if
/// its format is newer than this program. [`StoreError::Database`] if it cannot be read.
pub(super) fn read_format(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let format = ask("user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && ask("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_path_buf()));
    }
    let known = latest_format();
    if format > known {
        return Err(StoreError::Newer { path: path.to_path_buf(), found: format, known });
    }
    Ok(format)
}

/// Migrates a database from `format`, as returned by [`read_format`], to the latest format. Each
/// step to the next format is a transaction of its own. Does nothing if `format` is the latest.
///
/// # Errors
/// [`StoreError::Database`]. The steps before the failed one are kept.
pub(super) fn migrate(connection: &mut Connection, format: i64) -> Result<(), StoreError> {
    let steps = (1..).zip(MIGRATIONS).skip_while(|(step, _)| *step <= format);
    for (step, statements) in steps {
        let transaction = connection.transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", step)?;
        transaction.commit()?;
        if format > 0 {
            tracing::info!("the database has format {step} now");
        }
    }
    Ok(())
}

/// Creates the tables of the latest format in an empty database. Does not set the application id
/// and the format number.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    MIGRATIONS.iter().try_for_each(|statements| connection.execute_batch(statements))
}

/// Creates the tables of an older format in an empty database, for tests of migrations. Also sets
/// the application id and the format number.
#[cfg(test)]
pub(crate) fn create_old_format(connection: &Connection, format: usize) {
    for statements in &MIGRATIONS[..format] {
        connection.execute_batch(statements).unwrap();
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", i64::try_from(format).unwrap()).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_and_newer_databases_are_refused() {
        let path = Path::new("chat.db");
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(read_format(&connection, path).unwrap(), 0);
        migrate(&mut connection, 0).unwrap();
        assert_eq!(read_format(&connection, path).unwrap(), latest_format());
        connection.pragma_update(None, "user_version", latest_format() + 1).unwrap();
        match read_format(&connection, path) {
            Err(StoreError::Newer { found, known, .. }) => assert_eq!(found, known + 1),
            other => panic!("{other:?}"),
        }
        let foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
        assert!(matches!(read_format(&foreign, path), Err(StoreError::Foreign(_))));
    }
}
