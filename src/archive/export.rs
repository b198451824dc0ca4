//! Export of a log's room messages: as JSON lines for programs, or as text for people.

use std::io::{self, Write};
use std::path::Path;

use rusqlite::Connection;

use super::{ArchiveError, json_lines, open, time_format};
use crate::log::sqlite::database::{property, read_property};
use crate::log::sqlite::rows::{self, ENTRY_COLUMNS};
use crate::model::{LogEntry, LogId, RoomName, Style, Timestamp, sanitize_text};

/// Placeholder in a text export for a time after the year 9999.
const UNKNOWN_TIME: &str = "---------- --:--:--Z";

/// Indentation of the second and further lines of a message in a text export.
const CONTINUATION_INDENT: &str = "    ";

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON lines: a header, then an object for each message. Only this format can be imported.
    JsonLines,
    /// Text for people. The first line of each message has its time, room and author.
    Text,
}

/// Options of an export: filters and format.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Room to export; `None` for all rooms.
    pub room: Option<RoomName>,
    /// Time of the earliest message to export, inclusive; `None`: no bound.
    pub since: Option<Timestamp>,
    /// Format of the output.
    pub format: ExportFormat,
}

/// Number of messages read from the database at a time.
const PAGE_MESSAGES: i64 = 256;

/// Writes the room messages of a log to `out`, in ascending order of sequence. Flushes `out`.
/// Direct messages are not exported, because they belong to two people. A server may run meanwhile.
///
/// The log is read page by page, each page in a transaction of its own. No transaction is open
/// during a write, so a slow `out` does not hinder the database. The messages that exist at the
/// beginning are exported, each once. Messages that are deleted before their page is read are left
/// out.
///
/// # Errors
/// [`ArchiveError`]; part of the output may have been written.
pub fn export(
    directory: &Path,
    options: &ExportOptions,
    out: &mut impl Write,
) -> Result<(), ArchiveError> {
    let connection = open(directory)?;
    let mut pages = Pages::begin(&connection, options)?;
    if options.format == ExportFormat::JsonLines {
        let header = json_lines::Header::for_log(pages.log_id);
        let header = serde_json::to_string(&header).map_err(io::Error::from);
        header.and_then(|it| writeln!(out, "{it}")).map_err(ArchiveError::Output)?;
    }
    while let Some(lines) = pages.read_next()? {
        out.write_all(lines.as_bytes()).map_err(ArchiveError::Output)?;
    }
    out.flush().map_err(ArchiveError::Output)
}

/// Reader of an export: reads and formats the messages page by page.
struct Pages<'a> {
    /// Connection to the database, without a transaction between pages.
    connection: &'a Connection,
    /// Filters and format.
    options: &'a ExportOptions,
    /// Log id at the beginning.
    log_id: LogId,
    /// Sequence of the last message that was read, as an SQL integer; 0 before the first one.
    position: i64,
    /// Sequence of the last message to export, as an SQL integer: the log's last room message at
    /// the beginning.
    end: i64,
}

impl<'a> Pages<'a> {
    /// Begins an export: remembers the log's id and its last message.
    ///
    /// # Errors
    /// [`ArchiveError::NoRoom`] if the log has no room of the requested name. An error of the
    /// database.
    fn begin(connection: &'a Connection, options: &'a ExportOptions) -> Result<Self, ArchiveError> {
        let transaction = connection.unchecked_transaction()?;
        if let Some(room) = &options.room
            && rows::find_room(&transaction, room.key())?.is_none()
        {
            return Err(ArchiveError::NoRoom(room.to_string()));
        }
        let log_id = log_id(&transaction)?;
        let ask = "SELECT ifnull(max(sequence), 0) FROM entries";
        let end = transaction.query_row(ask, [], |row| row.get(0))?;
        Ok(Self { connection, options, log_id, position: 0, end })
    }

    /// Reads and formats the next page, in a transaction of its own. Returns `None` at the end, or
    /// if the room to export was deleted.
    ///
    /// # Errors
    /// [`ArchiveError::Replaced`] if the log id has changed since the beginning. An error of the
    /// database.
    fn read_next(&mut self) -> Result<Option<String>, ArchiveError> {
        let transaction = self.connection.unchecked_transaction()?;
        if log_id(&transaction)? != self.log_id {
            return Err(ArchiveError::Replaced);
        }
        let since = self.options.since;
        let since = since.map_or(i64::MIN, |it| i64::try_from(it.0).unwrap_or(i64::MAX));
        // Each page looks up the room's row, because it may be deleted and created again.
        let (room, only) = match &self.options.room {
            None => (0, ""),
            Some(room) => match rows::find_room(&transaction, room.key())? {
                Some((number, _)) => (number, "AND e.room = ?5"),
                None => return Ok(None),
            },
        };
        // A cross join looks up each room. The other order would sort all messages.
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT {ENTRY_COLUMNS}, r.name FROM entries e CROSS JOIN rooms r ON r.id = e.room
             WHERE e.sequence > ?1 AND e.sequence <= ?2 AND e.time >= ?3 {only}
             ORDER BY e.sequence LIMIT ?4"
        ))?;
        let values = [self.position, self.end, since, PAGE_MESSAGES, room];
        let values = if only.is_empty() { &values[..4] } else { &values };
        let mut found = statement.query(rusqlite::params_from_iter(values))?;
        let mut lines = String::new();
        while let Some(row) = found.next()? {
            self.position = row.get(0)?;
            let room = rows::read_room_name(row, 9)?;
            let entry = rows::read_room_entry(row, &room)?;
            match self.options.format {
                ExportFormat::JsonLines => {
                    let line = json_lines::format(&entry, &room).map_err(io::Error::from);
                    lines.push_str(&line.map_err(ArchiveError::Output)?);
                }
                ExportFormat::Text => lines.push_str(&format_text(&entry, &room)),
            }
            lines.push('\n');
        }
        Ok(Some(lines).filter(|it| !it.is_empty()))
    }
}

/// Returns the log id; all zeros if the database has none, because no server has opened it.
fn log_id(connection: &Connection) -> rusqlite::Result<LogId> {
    Ok(LogId(read_property(connection, property::LOG_ID)?.unwrap_or_default()))
}

/// Formats a message as text for people, without a newline at the end. Control characters are
/// replaced, and all lines but the first are indented. So no text can imitate another message.
fn format_text(entry: &LogEntry, room: &RoomName) -> String {
    let time = time_format::format_readable(entry.time);
    let time = time.as_deref().unwrap_or(UNKNOWN_TIME);
    let draft = &entry.draft;
    let said =
        sanitize_text(draft.text.as_str()).replace('\n', &format!("\n{CONTINUATION_INDENT}"));
    match draft.style {
        Style::ACTION => format!("{time} #{room} * {} {said}", draft.username),
        _ => format!("{time} #{room} {}: {said}", draft.username),
    }
}
