//! Settings of the log on disk, and errors of opening it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::Retention;

/// Durability: what a power cut may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// At most the messages of the last second. The disk is synced once a second if there is
    /// something to sync.
    #[default]
    Relaxed,
    /// No message that was shown to anybody. The disk is synced before messages are shown.
    Strict,
}

/// Handling of messages while the disk fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Commit them in memory, and write them when the disk works again.
    #[default]
    Continue,
    /// Refuse them.
    Refuse,
}

/// Settings of a [`super::SqliteLog`].
#[derive(Clone, Debug, Default)]
pub struct StoreSettings {
    /// Directory of the log's files. It is created if it does not exist.
    pub directory: PathBuf,
    /// Durability: what a power cut may cost.
    pub durability: Durability,
    /// Retention limits when the log is opened.
    pub retention: Retention,
    /// Handling of messages while the disk fails.
    pub on_failure: OnFailure,
    /// Name of an SQLite VFS to use in place of the default one. For tests.
    pub vfs: Option<String>,
    /// Boot id to use in place of the operating system's. For tests.
    pub boot_id: Option<String>,
    /// Identifier of the database file to use in place of its inode number. For tests.
    pub file_id: Option<String>,
    /// True to never sync the disk, so that a test can show that it notices. For tests.
    pub never_sync: bool,
}

/// Error: a log on disk cannot be opened. The log is unchanged.
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
    /// The directory contains no log.
    #[error("there is no log in {}", .0.display())]
    Missing(PathBuf),
    /// Another process has locked the directory.
    #[error("{} is in use by process {holder}", directory.display())]
    InUse {
        /// Directory of the log.
        directory: PathBuf,
        /// Process id of the lock's holder; `?` if it is unknown.
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
    /// An older version of this program has written the database, and it has not been upgraded.
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
        /// Format that is needed.
        known: i64,
    },
    /// The file is an SQLite database of another application.
    #[error("{} is not a log of chat-server", .0.display())]
    Foreign(PathBuf),
    /// The database cannot be read or written.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The operating system has no randomness, or no further thread.
    #[error("the system has no {0} to give")]
    System(&'static str),
}
