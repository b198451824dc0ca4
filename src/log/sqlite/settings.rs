//! Settings of the log on disk, and the errors of opening it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::replica::Replaced;
use crate::model::Retention;

/// Durability mode: which messages a power cut may lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// At most the messages of the last second. The disk is synced once a second while messages are
    /// written.
    #[default]
    Relaxed,
    /// No message that anybody has seen. Each commit is synced to the disk before it is reported.
    /// Exception: [`OnFailure::Continue`] while the disk fails.
    Strict,
}

/// Policy for new messages while the disk fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Commits messages in memory, and writes them when the disk works again. If too much is in
    /// memory, refuses messages. If the server ends before they are written, they are lost.
    #[default]
    Continue,
    /// Refuses messages until the disk works again.
    Refuse,
}

/// Settings of a [`super::SqliteLog`].
#[derive(Clone, Debug, Default)]
pub struct StoreSettings {
    /// Directory of the log's files. It is created if it does not exist.
    pub directory: PathBuf,
    /// Durability mode: which messages a power cut may lose.
    pub durability: Durability,
    /// Retention limits, until `set_retention` changes them.
    pub retention: Retention,
    /// Policy for new messages while the disk fails.
    pub on_failure: OnFailure,
    /// True if the log is to be opened as the copy of another server's: only what is replicated is
    /// written.
    pub is_follower: bool,
    /// True to make the server's keys in other processes of the program `chat-server`, to save
    /// memory ([`crate::tls::StoredIdentity::generate_apart`], and the same for the server key).
    pub makes_key_apart: bool,
    /// For tests: name of an SQLite VFS; `None`: SQLite's default one.
    pub vfs: Option<String>,
    /// For tests: boot id; `None`: that of the operating system.
    pub boot_id: Option<String>,
    /// For tests: identifier of the database file; `None`: its inode number.
    pub file_id: Option<String>,
    /// For tests: true to never sync the disk. A test of power cuts uses it to prove that it
    /// detects missing syncs.
    pub never_sync: bool,
}

/// Error of opening a log on disk. The messages of the log are unchanged.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be created or used.
    #[error("cannot use {}", path.display())]
    Directory {
        /// Path of the directory or file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// This directory contains no log.
    #[error("there is no chat.db in {}", .0.display())]
    Missing(PathBuf),
    /// The directory is locked already, by another process or by another log of this process.
    #[error("{} is in use by process {holder}: stop that server first", directory.display())]
    InUse {
        /// Directory of the log.
        directory: PathBuf,
        /// Process id of the process that holds the lock; `?` if it is unknown.
        holder: String,
    },
    /// A newer version of this program has written the database.
    #[error(
        "{} was written by a newer version (format {found}; this one knows {known}): update this program",
        path.display()
    )]
    Newer {
        /// Path of the database.
        path: PathBuf,
        /// Format of the database.
        found: i64,
        /// Latest format that this program knows.
        known: i64,
    },
    /// An older version of this program has written the database, and it was not upgraded.
    #[error(
        "{} was written by an older version (format {found}; this one has {known}): \
         start chat-server with it once, which brings it up to date",
        path.display()
    )]
    Older {
        /// Path of the database.
        path: PathBuf,
        /// Format of the database.
        found: i64,
        /// Format that this program needs.
        known: i64,
    },
    /// The file at this path is an SQLite database of another application.
    #[error("{} is not a log of chat-server", .0.display())]
    Foreign(PathBuf),
    /// The server of this log was replaced by a follower, which was promoted.
    #[error(
        "this server was replaced: {0}. So that nobody is led astray, it does not serve any more. \
         To have it follow the new server, start it with `chat-server follow HOST`; its database \
         is then set aside, from where `chat-server export` gets the messages"
    )]
    Superseded(Replaced),
    /// The log is the copy of a follower.
    #[error(
        "the database is a copy of another server's: follow that one (chat-server follow HOST), \
         or make this one the server (chat-server promote)"
    )]
    Copy,
    /// SQLite cannot read or write the database.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The operating system has no random numbers or cannot create another thread. The text names
    /// what is missing.
    #[error("the system has no {0} to give")]
    System(&'static str),
}
