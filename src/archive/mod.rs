//! Layer 3: the owner's tools for a log on disk: export, import, backup and check.
//!
//! Exporting, backing up and checking only read, one state of the database,
//! and may be done while a server runs. Importing needs the directory.
//!
//! | file | what it is about |
//! |---|---|
//! | `line`, `when` | a message as a line of JSON; times |
//! | `export` | the log as lines |
//! | `import`, `merge` | lines read and checked; what is new brought in |
//! | `backup` | a copy of the database |
//! | `check`, `links` | whether everything is as it should be |

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

pub use backup::backup;
pub use check::{CheckReport, check};
pub use export::{ExportFormat, ExportOptions, export};
pub use import::{ImportSummary, import};
pub use time_format::parse_since;

use crate::log::StoreError;
use crate::log::sqlite::database;
use crate::log::sqlite::directory::existing_database;

/// Why the owner does not get what was asked for. The log is as it was.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The database cannot be read or written.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// Nothing was ever said in this room.
    #[error("there is no room {0} in the log")]
    NoRoom(String),
    /// It cannot be written there.
    #[error("cannot write")]
    Output(#[source] io::Error),
    /// What is to be imported cannot be read.
    #[error("cannot read what is to be imported")]
    Input(#[source] io::Error),
    /// What is to be imported has a line that is wrong.
    #[error("line {number}: {problem}; nothing is imported")]
    Line {
        /// The first is 1.
        number: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A backup never goes over something else.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The backup cannot be written.
    #[error("cannot write {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Opens the log of a directory to read it, beside whoever has it.
fn open(directory: &Path) -> Result<Connection, ArchiveError> {
    Ok(database::open_to_read(&existing_database(directory)?, None)?)
}

#[cfg(test)]
mod tests;
