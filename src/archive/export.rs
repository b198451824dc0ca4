//! Export of a log's room messages: as JSON lines for programs, or as text for people.

use std::io::{self, Write};
use std::path::Path;

use rusqlite::{Connection, params};

use super::{ArchiveError, json_lines, open, time_format};
use crate::log::sqlite::database::{fact, read_fact};
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

/// Writes the room messages of a log to `out`, in ascending order of sequence, and flushes it.
/// Direct messages are not exported, because they belong to two people. A server may run meanwhile.
///
/// # Errors
/// [`ArchiveError`]; part of the output may have been written.
pub fn export(
    directory: &Path,
    options: &ExportOptions,
    out: &mut impl Write,
) -> Result<(), ArchiveError> {
    let connection = open(directory)?;
    // All queries see one state of the database, even if a server writes meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let room = match &options.room {
        None => None,
        Some(room) => {
            let known = rows::find_room(&transaction, room.key())?;
            Some(known.ok_or_else(|| ArchiveError::NoRoom(room.to_string()))?.0)
        }
    };
    if options.format == ExportFormat::JsonLines {
        let header = json_lines::Header::for_log(log_id(&transaction)?);
        let header = serde_json::to_string(&header).map_err(io::Error::from);
        header.and_then(|it| writeln!(out, "{it}")).map_err(ArchiveError::Output)?;
    }
    // A cross join looks up each room. The other order would sort all messages.
    let rest = "FROM entries e CROSS JOIN rooms r ON r.id = e.room WHERE e.time >= ?1";
    let only = room.map_or("", |_| "AND e.room = ?2");
    let mut statement = transaction
        .prepare(&format!("SELECT {ENTRY_COLUMNS}, r.name {rest} {only} ORDER BY e.sequence"))?;
    let since = options.since.map_or(i64::MIN, |it| i64::try_from(it.0).unwrap_or(i64::MAX));
    let mut found = match room {
        None => statement.query([since])?,
        Some(room) => statement.query(params![since, room])?,
    };
    while let Some(row) = found.next()? {
        let room = rows::read_room_name(row, 8)?;
        let entry = rows::read_room_entry(row, &room)?;
        let written = match options.format {
            ExportFormat::JsonLines => json_lines::format(&entry, &room).map_err(io::Error::from),
            ExportFormat::Text => Ok(format_text(&entry, &room)),
        };
        written.and_then(|it| writeln!(out, "{it}")).map_err(ArchiveError::Output)?;
    }
    out.flush().map_err(ArchiveError::Output)
}

/// Returns the log id; all zeros if the database has none, because no server has opened it yet.
fn log_id(connection: &Connection) -> rusqlite::Result<LogId> {
    Ok(LogId(read_fact(connection, fact::LOG_ID)?.unwrap_or_default()))
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
