//! Connections to the database, and the facts about the log as a whole.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::schema;
use super::settings::StoreError;

/// How long one connection waits for another one's lock, in milliseconds.
const BUSY_TIMEOUT: u32 = 10_000;

/// Bytes that the write-ahead log's file keeps when it begins anew.
const WAL_SIZE_LIMIT: i64 = 8 << 20;

/// Names of facts.
pub(crate) mod fact {
    /// Which server it is: 16 bytes, which never change.
    pub(crate) const SERVER_ID: &str = "server_id";
    /// Which log the sequences belong to: 16 bytes.
    pub(crate) const LOG_ID: &str = "log_id";
    /// 1 if whoever had the database has closed it properly.
    pub(crate) const IS_CLEAN: &str = "is_clean";
    /// The run of the operating system in which the database was opened.
    pub(crate) const BOOT_ID: &str = "boot_id";
    /// What names the database's file: another one if it is a copy.
    pub(crate) const FILE_ID: &str = "file_id";
    /// 1 if everything that was shown since was synced before.
    pub(crate) const IS_STRICT: &str = "is_strict";
    /// At least the greatest sequence of what has been deleted.
    pub(crate) const HEAD: &str = "head";
    /// Up to this sequence everything can be found by `search`.
    pub(crate) const INDEXED: &str = "indexed";
    /// Between which sequences there is nothing: pairs of 8 bytes each.
    pub(crate) const SEQUENCE_GAPS: &str = "voids";
    /// The greatest sequence of a room whose row is gone.
    pub(crate) const FORGOTTEN: &str = "forgotten";
}

/// Opens the connection that writes, and brings the database to the latest
/// format. One that cannot be used is left as it is.
pub(crate) fn open_to_write(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    let mut connection = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
    let format = schema::read_format(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // The writer sees to it, and to what becomes of it.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What is deleted shall not be found in free pages ("fast" would leave
    // it in those that are wholly free).
    connection.pragma_update(None, "secure_delete", "on")?;
    schema::migrate(&mut connection, format)?;
    skip_checkpoint_on_close(&connection, false)?;
    Ok(connection)
}

/// Opens a connection that only reads, beside one that writes. A database
/// that has not the latest format is refused, and left as it is.
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

/// Whether this connection, should it be the last one, leaves what is in the
/// write-ahead log where it is when it is closed.
fn skip_checkpoint_on_close(connection: &Connection, skips: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, skips)?;
    Ok(())
}

/// Opens a connection. It changes nothing, not even by being closed.
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

/// A fact, if it is noted.
pub(crate) fn read_fact<T: FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Notes a fact.
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
