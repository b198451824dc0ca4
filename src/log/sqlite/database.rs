//! Database connections, and the table `properties`, which holds values about the whole log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::schema;
use super::settings::StoreError;

/// Maximum time that a connection waits for the lock of another connection. Then its operation
/// fails.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Size to which SQLite truncates a larger file of the write-ahead log after a checkpoint, in
/// bytes.
const WAL_SIZE_LIMIT: i64 = 8 << 20;

/// Names of properties: keys of the rows in the table `properties`.
pub(crate) mod property {
    /// Server id: 16 bytes. It never changes.
    pub(crate) const SERVER_ID: &str = "server_id";
    /// Ed25519 key pair of the server: the secret half (seed), then the public half, 32 bytes each.
    /// It never changes.
    pub(crate) const SERVER_KEY: &str = "server_key";
    /// Private key of the server for TLS: PKCS#8 in DER. It never changes.
    pub(crate) const TLS_KEY: &str = "tls_key";
    /// Certificate of the server for TLS, in DER.
    pub(crate) const TLS_CERTIFICATE: &str = "tls_certificate";
    /// SHA-256 of both, to notice damage: 32 bytes.
    pub(crate) const TLS_DIGEST: &str = "tls_digest";
    /// Log id, to which the sequences belong: 16 bytes.
    pub(crate) const LOG_ID: &str = "log_id";
    /// 1 if the database was closed properly; 0 while it is open and after a crash.
    pub(crate) const IS_CLEAN: &str = "is_clean";
    /// Boot id of the operating system when the database was last opened; empty if it was unknown.
    pub(crate) const BOOT_ID: &str = "boot_id";
    /// Inode number of the database file when it was last opened, as text. A copy has another
    /// number.
    pub(crate) const FILE_ID: &str = "file_id";
    /// 1 if the database was last opened with `Durability::Strict`: every commit since then was
    /// synced before it was reported.
    pub(crate) const IS_STRICT: &str = "is_strict";
    /// Lower bound of the log's head (the last sequence that was assigned). The head is otherwise
    /// read from the last entries and facts, but those may have been deleted.
    pub(crate) const HEAD: &str = "head";
    /// Sequence up to which room messages are in the search index.
    pub(crate) const INDEXED_UP_TO: &str = "indexed";
    /// Unused ranges of sequences: for each range the sequence before it and its last sequence,
    /// each as 8 bytes, big-endian.
    pub(crate) const SEQUENCE_GAPS: &str = "voids";
    /// Greatest sequence among the entries that were deleted with their room by eviction.
    pub(crate) const EVICTED_UP_TO: &str = "forgotten";
    /// Sequence of the last removed message whose words may still be in the file of the search
    /// index, until a purge; not stored if there is none.
    pub(crate) const PURGE: &str = "purge";
    /// Sequence of the last fact that is applied to the table `moderation`.
    pub(crate) const MODERATED_UP_TO: &str = "moderated";
    /// Epoch: how often a follower was promoted on the way to this log. Not stored if never.
    pub(crate) const EPOCH: &str = "epoch";
    /// 1 if the log is a copy of that of the server that this one follows; else not stored.
    pub(crate) const FOLLOWS: &str = "follows";
    /// 1 until the copy is complete for the first time; else not stored.
    pub(crate) const IS_COPYING: &str = "copying";
    /// Fingerprint of the TLS key of the server that is or was followed: 32 bytes.
    pub(crate) const FOLLOWED_FINGERPRINT: &str = "followed_fingerprint";
    /// Head of the copy when it was promoted; not stored if it never was.
    pub(crate) const PROMOTED_AT: &str = "promoted_at";
    /// 1 if the server that was followed has learned of the promotion; else not stored.
    pub(crate) const HAS_TOLD: &str = "has_told";
    /// Epoch of the server by which this one was replaced; not stored if it was not.
    pub(crate) const SUPERSEDED_BY: &str = "superseded_by";
    /// Sequence up to which that server has what this one had.
    pub(crate) const SUPERSEDED_AT: &str = "superseded_at";
}

/// Opens a read-write connection to an existing file, and migrates the database to the latest
/// format. An empty file becomes an empty database. Until the last connection is closed, SQLite
/// runs no checkpoint by itself. `vfs`: name of an SQLite VFS; `None`: the default one.
///
/// # Errors
/// [`StoreError`]. A database of another application or of a newer version is unchanged.
pub(crate) fn open_to_write(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    let mut connection = open_connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
    let format = schema::read_format(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // The writer runs checkpoints itself, and handles their errors.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Overwrites deleted content. The value "fast" would leave it in pages that become completely
    // free.
    connection.pragma_update(None, "secure_delete", "on")?;
    schema::migrate(&mut connection, format)?;
    skip_checkpoint_on_close(&connection, false)?;
    Ok(connection)
}

/// Opens a read-only connection to an existing database. Other connections may use the database
/// meanwhile. `vfs`: name of an SQLite VFS; `None`: the default one.
///
/// # Errors
/// [`StoreError`], also if the database is empty or not of the latest format. The database is
/// unchanged.
pub(crate) fn open_to_read(path: &Path, vfs: Option<&str>) -> Result<Connection, StoreError> {
    // The connection is read-write because readers, too, write to the index of the write-ahead log.
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

/// Sets whether SQLite skips the checkpoint that it runs when the last connection is closed.
/// Without that checkpoint, the file of the write-ahead log stays as it is.
fn skip_checkpoint_on_close(connection: &Connection, skips: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, skips)?;
    Ok(())
}

/// Returns the path in a form that SQLite does not take for a URI: a relative path gets the prefix
/// `./`. SQLite would take `file:chat` for a URI.
pub(crate) fn not_a_uri(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

/// Opens a connection with these flags, a busy timeout, and no checkpoint when it is closed.
/// Changes nothing in the database.
fn open_connection(
    path: &Path,
    flags: OpenFlags,
    vfs: Option<&str>,
) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = not_a_uri(path);
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    skip_checkpoint_on_close(&connection, true)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Reads a property of the log by its name ([`property`]); `None` if it is not stored. A value of
/// another type than `T` is an error.
pub(crate) fn read_property<T: FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM properties WHERE name = ?")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Stores a property under its name ([`property`]). Replaces an earlier value.
pub(crate) fn write_property(
    connection: &Connection,
    name: &str,
    value: impl ToSql,
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO properties (name, value) VALUES (?, ?)")?;
    statement.execute(params![name, value])?;
    Ok(())
}

/// Deletes a property, if it is stored.
pub(super) fn delete_property(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM properties WHERE name = ?")?.execute([name])?;
    Ok(())
}
