//! The log as lines, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use rusqlite::{Connection, params};

use super::{ArchiveError, line, open, when};
use crate::log::sqlite::database::fact;
use crate::log::sqlite::rows::{self, ENTRY};
use crate::model::{LogEntry, LogId, RoomName, Style, Timestamp, sanitize_text};

/// What stands in place of a time that cannot be shown.
const NO_TIME: &str = "---------- --:--:--Z";

/// What further lines of a text begin with.
const CONTINUED: &str = "    ";

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line of JSON each, behind a header: what can be imported.
    JsonLines,
    /// Lines for people.
    Text,
}

/// What is to be exported, and how.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Only this room.
    pub room: Option<RoomName>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// How messages are written.
    pub form: Form,
}

/// Writes the messages of a log in its order, while they are read. Direct
/// messages belong to two people, and are not among them.
///
/// # Errors
/// [`ArchiveError`]; some of it may have been written.
pub fn export(directory: &Path, wanted: &Wanted, out: &mut impl Write) -> Result<(), ArchiveError> {
    let connection = open(directory)?;
    // One state of the database, whatever is said meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let room = match &wanted.room {
        None => None,
        Some(room) => {
            let known = rows::find_room(&transaction, room.key())?;
            Some(known.ok_or_else(|| ArchiveError::NoRoom(room.to_string()))?.0)
        }
    };
    if wanted.form == Form::JsonLines {
        let header = line::Header::of(log_id(&transaction)?);
        let header = serde_json::to_string(&header).map_err(io::Error::from);
        header.and_then(|it| writeln!(out, "{it}")).map_err(ArchiveError::Output)?;
    }
    // Each room is looked up: a join in the other order would sort everything.
    let rest = "FROM entries e CROSS JOIN rooms r ON r.id = e.room WHERE e.time >= ?1";
    let only = room.map_or("", |_| "AND e.room = ?2");
    let mut statement = transaction
        .prepare(&format!("SELECT {ENTRY}, r.name {rest} {only} ORDER BY e.sequence"))?;
    let since = wanted.since.map_or(i64::MIN, |it| i64::try_from(it.0).unwrap_or(i64::MAX));
    let mut found = match room {
        None => statement.query([since])?,
        Some(room) => statement.query(params![since, room])?,
    };
    while let Some(row) = found.next()? {
        let room = rows::room_name(row, 8)?;
        let entry = rows::room_entry(row, &room)?;
        let written = match wanted.form {
            Form::JsonLines => line::write(&entry, &room).map_err(io::Error::from),
            Form::Text => Ok(text(&entry, &room)),
        };
        written.and_then(|it| writeln!(out, "{it}")).map_err(ArchiveError::Output)?;
    }
    out.flush().map_err(ArchiveError::Output)
}

/// Which log it is. (A log without a name was never opened by a server.)
fn log_id(connection: &Connection) -> rusqlite::Result<LogId> {
    Ok(LogId(fact(connection, fact::LOG_ID)?.unwrap_or_default()))
}

/// A message for people. No part of it can be taken for another one.
fn text(entry: &LogEntry, room: &RoomName) -> String {
    let time = when::readable(entry.time);
    let time = time.as_deref().unwrap_or(NO_TIME);
    let draft = &entry.draft;
    let said = sanitize_text(draft.text.as_str()).replace('\n', &format!("\n{CONTINUED}"));
    match draft.style {
        Style::ACTION => format!("{time} #{room} * {} {said}", draft.username),
        _ => format!("{time} #{room} {}: {said}", draft.username),
    }
}
