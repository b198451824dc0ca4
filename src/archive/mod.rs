//! Layer 3: the owner's tools for a log on disk: export, import, backup and check.
//!
//! Export, backup and check only read one state of the database, and may be used while a server
//! runs. Import needs the directory's lock.
//!
//! | module | contents |
//! |---|---|
//! | `json_lines`, `time_format` | JSON lines format of messages; formats of times |
//! | `export` | writes the log as JSON lines or text |
//! | `import`, `merge` | reads and checks JSON lines; merges new messages into the log |
//! | `backup` | copies the database |
//! | `check`, `links` | integrity check of a log; of its links |

mod backup;
mod check;
mod export;
mod import;
mod json_lines;
mod links;
mod merge;
mod time_format;

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use thiserror::Error;

pub use backup::{backup, server_of_backup};
pub use check::{CheckReport, check};
pub use export::{ExportFormat, ExportOptions, export};
pub use import::{ImportSummary, import};
pub use time_format::parse_since;

use crate::log::StoreError;
use crate::log::sqlite::database;
use crate::log::sqlite::directory::existing_database;

/// Error: a tool could not do its work. The log is unchanged.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The database cannot be read or written.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The log has no room of this name.
    #[error("there is no room {0} in the log")]
    NoRoom(String),
    /// The output cannot be written.
    #[error("cannot write")]
    Output(#[source] io::Error),
    /// The input cannot be read.
    #[error("cannot read what is to be imported")]
    Input(#[source] io::Error),
    /// A line of the input is invalid.
    #[error("line {number}: {problem}; nothing is imported")]
    Line {
        /// Line number, from 1.
        number: u64,
        /// Error text.
        problem: String,
    },
    /// The target file of a backup exists already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The backup cannot be written.
    #[error("cannot write {}", path.display())]
    File {
        /// Path of the file or directory.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
}

/// Opens the log of a directory read-only; a server may run meanwhile.
fn open(directory: &Path) -> Result<Connection, ArchiveError> {
    Ok(database::open_to_read(&existing_database(directory)?, None)?)
}

#[cfg(test)]
mod tests;
