//! Reads lines of JSON, checks every one of them, and brings what is new
//! into the log.

use std::io::{self, BufRead, Read};
use std::path::Path;

use rusqlite::Connection;

use super::{ArchiveError, json_lines, merge};
use crate::log::StoreError;
use crate::log::sqlite::database::{open_to_read, open_to_write};
use crate::log::sqlite::directory::LockedDirectory;

/// What has come of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// Messages that are in the log now and were not.
    pub added: u64,
    /// Messages that were there before, or twice in the file.
    pub known: u64,
}

/// Brings the messages of a file into the log of a directory, by their
/// times; makes the directory if it is not there. Nobody else may have it.
///
/// If anything is new, all sequences are given anew, under another log id,
/// so that clients begin afresh.
///
/// # Errors
/// [`ArchiveError`]; the log is as it was.
pub fn import(directory: &Path, input: &mut impl BufRead) -> Result<ImportSummary, ArchiveError> {
    let directory = LockedDirectory::lock(directory)?;
    let path = directory.database();
    if let Err(error @ StoreError::Older { .. }) = open_to_read(&path, None) {
        return Err(error.into());
    }
    let mut connection = open_to_write(&path, None)?;
    // What does not come to its end has not been.
    let transaction = connection.transaction()?;
    merge::create_staging_table(&transaction)?;
    let read = stage_lines(&transaction, input)?;
    let added = merge::drop_duplicates(&transaction)?;
    if added > 0 {
        merge::merge(&transaction)?;
        transaction.commit()?;
    }
    Ok(ImportSummary { added, known: read.saturating_sub(added) })
}

/// Puts all lines aside; gives how many messages they are.
fn stage_lines(connection: &Connection, input: &mut impl BufRead) -> Result<u64, ArchiveError> {
    let mut buffer = Vec::new();
    let mut number: u64 = 0;
    loop {
        number = number.saturating_add(1);
        let wrong = |problem| ArchiveError::Line { number, problem };
        let is_there = read_line(input, &mut buffer).map_err(ArchiveError::Input)?;
        if buffer.len() as u64 > json_lines::MAX_LINE_BYTES {
            return Err(wrong(format!("it is longer than {} bytes", json_lines::MAX_LINE_BYTES)));
        }
        if number == 1 {
            json_lines::Header::check(&buffer).map_err(wrong)?;
            continue;
        }
        if !is_there {
            return Ok(number.saturating_sub(2));
        }
        let message = json_lines::parse(&buffer).map_err(wrong)?;
        merge::stage_message(connection, number, &message)?;
    }
}

/// Reads a line without its end, or so much of it that it is seen to be too
/// long; says whether there was one.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let count = input
        .by_ref()
        .take(json_lines::MAX_LINE_BYTES.saturating_add(2))
        .read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(count > 0)
}
