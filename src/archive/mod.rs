//! Layer 3: the owner's tools for a log on disk: export, audit, import, backup and check.
//!
//! Export, audit, backup and check do not change the log, so a server may run meanwhile. Backup and
//! check read one state of the database. Export and audit read page by page. Import changes the log
//! and locks its directory, so no server may run.
//!
//! | module | contents |
//! |---|---|
//! | `json_lines`, `time_format` | JSON lines format of messages; formats of times |
//! | `export` | writes the log as JSON lines or text |
//! | `audit` | writes the moderation actions as JSON lines or text |
//! | `import`, `merge`, `renumber` | reads and checks JSON lines; merges new messages into the log; gives its facts new numbers |
//! | `backup` | copies the database |
//! | `check`, `links`, `words` | integrity check of a log; of the links between its messages; of the search index |

mod audit;
mod backup;
mod check;
mod export;
mod import;
mod json_lines;
mod links;
mod merge;
mod renumber;
mod time_format;
mod words;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use thiserror::Error;

pub use audit::{AuditFormat, AuditOptions, audit};
pub use backup::{backup, server_of_backup};
pub use check::{CheckReport, check};
pub use export::{ExportFormat, ExportOptions, export};
pub use import::{ImportSummary, import};
pub use time_format::{format_readable, parse_since};

use crate::log::StoreError;
use crate::log::sqlite::database;
use crate::log::sqlite::directory::existing_database;

/// Error of one of the owner's tools. A tool that fails has changed no stored message.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The log on disk cannot be opened, or the operating system has no random number for the id of
    /// the log after an import.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// SQLite cannot read or write the database, or the copy of a backup.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The log has no room of the name that an export asks for.
    #[error("there is no room {0} in the log")]
    NoRoom(String),
    /// During an export, the log got another id: by an import, or by a server that had to assume a
    /// lost end of the log.
    #[error("the messages were replaced or numbered anew meanwhile; export again")]
    Replaced,
    /// The output of an export cannot be written.
    #[error("cannot write")]
    Output(#[source] io::Error),
    /// The input of an import cannot be read.
    #[error("cannot read what is to be imported")]
    Input(#[source] io::Error),
    /// A line of an import is invalid.
    #[error("line {number}: {problem}; nothing is imported")]
    Line {
        /// Line number; the header is line 1.
        number: u64,
        /// Human-readable text of the error.
        problem: String,
    },
    /// The target file of a backup exists already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The partial or final file of a backup cannot be created, locked, synced or renamed; or
    /// another backup has locked it, or its path is not UTF-8.
    #[error("cannot write {}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system, or `InvalidInput` if the path is not UTF-8.
        #[source]
        source: io::Error,
    },
}

/// Opens the database of a directory read-only, without locking the directory: a server may run
/// meanwhile.
///
/// # Errors
/// There is no database, it cannot be read, or its format is not the latest one.
fn open(directory: &Path) -> Result<Connection, ArchiveError> {
    Ok(database::open_to_read(&existing_database(directory)?, None)?)
}

#[cfg(test)]
mod tests;
