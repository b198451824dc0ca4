//! Database connections, and the table of facts about the log as a whole.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::schema;
use super::settings::StoreError;

/// Time that a connection waits for another connection's lock, in milliseconds.
const BUSY_TIMEOUT: u32 = 10_000;

/// Size to which SQLite truncates the write-ahead log file after a checkpoint, in bytes.
const WAL_SIZE_LIMIT: i64 = 8 << 20;

/// Names of the rows in the table `facts`.
pub(crate) mod fact {
    /// Server id: 16 bytes, which never change.
    pub(crate) const SERVER_ID: &str = "server_id";
    /// Log id, to which the sequences belong: 16 bytes.
    pub(crate) const LOG_ID: &str = "log_id";
    /// 1 if the database was closed properly, 0 while it is open.
    pub(crate) const IS_CLEAN: &str = "is_clean";
    /// Boot id of the operating system when the database was opened.
    pub(crate) const BOOT_ID: &str = "boot_id";
    /// Inode number of the database file: a copy has another number.
    pub(crate) const FILE_ID: &str = "file_id";
    /// 1 if every commit since the opening was synced before it was shown.
    pub(crate) const IS_STRICT: &str = "is_strict";
    /// Lower bound of the last sequence that was assigned. It is kept because the last entries may
    /// be deleted.
    pub(crate) const HEAD: &str = "head";
    /// Sequence up to which messages are in the search index.
    pub(crate) const INDEXED_UP_TO: &str = "indexed";
    /// Sequence gaps: pairs of 8 bytes each, big-endian.
    pub(crate) const SEQUENCE_GAPS: &str = "voids";
    /// Greatest sequence in any evicted room, whose row is gone.
    pub(crate) const EVICTED_UP_TO: &str = "forgotten";
}

/// Opens a read-write connection, and upgrades the database to the latest format.
///
/// # Errors
/// [`StoreError`]; a foreign or newer database is unchanged.
pub(crate) fn open_to_write(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    let mut connection = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
    let format = schema::read_format(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // The writer runs checkpoints itself, and handles their errors.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Overwrite deleted content ("fast" would leave it in pages that become wholly free).
    connection.pragma_update(None, "secure_delete", "on")?;
    schema::migrate(&mut connection, format)?;
    skip_checkpoint_on_close(&connection, false)?;
    Ok(connection)
}

/// Opens a read-only connection, to be used beside a read-write connection.
///
/// # Errors
/// [`StoreError`] if the database is not of the latest format, too; it is unchanged.
pub(crate) fn open_to_read(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    // Readers, too, write to the index of the write-ahead log.
    let connection = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
    let found = schema::read_format(&connection, path)?;
    if found == 0 {
        let directory = path.parent().unwrap_or(path);
        return Err(StoreError::Missing(directory.to_path_buf()));
    }
    if found < schema::latest_format() {
        let (path, known) = (path.to_path_buf(), schema::latest_format());
        return Err(StoreError::Older { path, found, known });
    }
    connection.pragma_update(None, "query_only", true)?;
    skip_checkpoint_on_close(&connection, false)?;
    Ok(connection)
}

/// Sets whether closing the last connection leaves the write-ahead log as it is, without a
/// checkpoint.
fn skip_checkpoint_on_close(connection: &Connection, skips: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, skips)?;
    Ok(())
}

/// Opens a connection that changes nothing, not even when it is closed.
fn open_connection(
    path: &Path,
    flags: OpenFlags,
    vfs: Option<&str>,
) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    skip_checkpoint_on_close(&connection, true)?;
    connection.pragma_update(None, "busy_timeout", BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Reads a fact by its name; none if it is not stored.
pub(crate) fn read_fact<T: FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Stores a fact under its name.
pub(crate) fn write_fact(
    connection: &Connection,
    name: &str,
    value: impl ToSql,
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)")?;
    statement.execute(params![name, value])?;
    Ok(())
}
