//! What can be set of the log on disk, and why it may not open.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::Retention;

/// What a power cut may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The last second, at the most. The disk is made to write once a
    /// second, if there is something to write.
    #[default]
    Relaxed,
    /// Nothing that anybody saw. The disk is made to write before anything
    /// is shown.
    Strict,
}

/// What becomes of messages while the disk takes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They go round, are kept in memory, and are written when that is
    /// possible again.
    #[default]
    Continue,
    /// They are refused.
    Refuse,
}

/// Settings of a [`super::SqliteLog`].
#[derive(Clone, Debug, Default)]
pub struct StoreSettings {
    /// Where its files are. Made if it is not there.
    pub directory: PathBuf,
    /// What a power cut may cost.
    pub durability: Durability,
    /// How long messages are kept.
    pub retention: Retention,
    /// What becomes of messages while the disk takes nothing.
    pub on_failure: OnFailure,
    /// The name of an SQLite VFS in place of the ordinary one. For tests.
    pub vfs: Option<String>,
    /// What names this run of the operating system, in place of what it
    /// says itself. For tests.
    pub boot_id: Option<String>,
    /// What names the database's file, in place of its number in the file
    /// system. For tests.
    pub file_id: Option<String>,
    /// Never makes the disk write. For the proof that a test sees it.
    pub never_sync: bool,
}

/// Why a log on disk cannot be opened. It is as it was.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be made or used.
    #[error("cannot use {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no log.
    #[error("there is no log in {}", .0.display())]
    Missing(PathBuf),
    /// Another process has it.
    #[error("{} is in use by process {holder}", directory.display())]
    InUse {
        /// The log's directory.
        directory: PathBuf,
        /// Its number, as it has noted it; `?` if it has not.
        holder: String,
    },
    /// A later version of this program has written it.
    #[error(
        "{} was written by a newer version (format {found}; this one knows {known}): update this program",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
    /// An earlier version of this program has written it, and nobody has
    /// brought it up to date.
    #[error(
        "{} was written by an older version (format {found}; this one has {known}): \
         start chat-server with it once, which brings it up to date",
        path.display()
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The one that is needed.
        known: i64,
    },
    /// It is an SQLite database, but not one of ours.
    #[error("{} is not a log of chat-server", .0.display())]
    Foreign(PathBuf),
    /// The database cannot be read or written.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The operating system has no randomness, or no further thread.
    #[error("the system has no {0} to give")]
    System(&'static str),
}
