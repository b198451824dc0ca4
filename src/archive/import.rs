//! Import of JSON lines: checks every line, and merges new messages into the log.

use std::io::{self, BufRead, Read};
use std::path::Path;

use rusqlite::Connection;

use super::{ArchiveError, json_lines, merge};
use crate::log::StoreError;
use crate::log::sqlite::database::{open_to_read, open_to_write};
use crate::log::sqlite::directory::LockedDirectory;
use crate::text_input::without_byte_order_mark;

/// Result of an import: numbers of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// Number of messages added to the log.
    pub added: u64,
    /// Number of messages skipped as duplicates: already in the log, or earlier in the input.
    pub duplicates: u64,
}

/// Merges the messages of a JSON lines export into the log of a directory, ordered by time. Creates
/// the log if it does not exist. Locks the directory: fails while a server uses it, and lets none
/// start meanwhile.
///
/// If any message is new, the log gets a new log id, and all its messages get new sequences.
/// Clients then start again without a position. Otherwise the log stays unchanged.
///
/// # Errors
/// [`ArchiveError`]. No message was added, but an empty log may have been created.
pub fn import(directory: &Path, input: &mut impl BufRead) -> Result<ImportSummary, ArchiveError> {
    let directory = LockedDirectory::lock(directory)?;
    let path = directory.database();
    if let Err(error @ StoreError::Older { .. }) = open_to_read(&path, None) {
        return Err(error.into());
    }
    let mut connection = open_to_write(&path, None)?;
    // Dropping the transaction rolls back everything, so an import is complete or has no effect.
    let transaction = connection.transaction()?;
    merge::create_staging_table(&transaction)?;
    let read = stage_lines(&transaction, input)?;
    let added = merge::drop_duplicates(&transaction)?;
    if added > 0 {
        merge::merge(&transaction)?;
        transaction.commit()?;
    }
    Ok(ImportSummary { added, duplicates: read.saturating_sub(added) })
}

/// Parses all lines of the input, and inserts their messages into the staging table. Returns the
/// number of messages read, duplicates included.
///
/// # Errors
/// [`ArchiveError::Line`] for the first invalid line or a missing header. Any error of the input or
/// the database.
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
            json_lines::Header::check(without_byte_order_mark(&buffer)).map_err(wrong)?;
            continue;
        }
        if !is_there {
            return Ok(number.saturating_sub(2));
        }
        let message = json_lines::parse(&buffer).map_err(wrong)?;
        merge::stage_message(connection, number, &message)?;
    }
}

/// Reads the next line into `line`, without its newline. Returns false at the end of the input.
///
/// A line longer than [`json_lines::MAX_LINE_BYTES`] is cut, but stays longer than that limit, so
/// the caller detects it. Do not read on after such a line.
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
