//! Integrity check of a log: SQLite's own check of the database, and a check of each rule that this
//! program relies on.

use std::fmt::Display;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::links::LinkChecker;
use super::words::{Reindexer, WordHashes};
use super::{ArchiveError, open};
use crate::log::sqlite::database::{property, read_property};
use crate::log::sqlite::facts;
use crate::log::sqlite::retention::used_bytes;
use crate::log::sqlite::rows::{self, DIRECT_COLUMNS, ENTRY_COLUMNS, sequence_to_sql};
use crate::log::sqlite::search;
use crate::log::sqlite::sequence_gaps::{self, MAX_GAPS, MIN_GAP, SequenceGap};
use crate::model::Sequence;
use crate::moderation::encode_fact;

/// Maximum number of faults listed in a report; further ones are only counted.
const MAX_LISTED_FAULTS: usize = 50;

/// Result of an integrity check: size of the log, and faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Number of messages in rooms.
    pub messages: u64,
    /// Number of direct messages.
    pub directs: u64,
    /// Number of rooms.
    pub rooms: u64,
    /// Size of the used part of the database, in bytes.
    pub bytes: u64,
    /// Faults found first, at most `MAX_LISTED_FAULTS`, each as human-readable text. Empty if there
    /// are none.
    pub faults: Vec<String>,
    /// Number of further faults, which are not in `faults`.
    pub unlisted_faults: u64,
}

impl CheckReport {
    /// Adds a fault to the list. If the list already has [`MAX_LISTED_FAULTS`], only counts the
    /// fault.
    fn add_fault(&mut self, fault: impl Into<String>) {
        if self.faults.len() < MAX_LISTED_FAULTS {
            self.faults.push(fault.into());
        } else {
            self.unlisted_faults = self.unlisted_faults.saturating_add(1);
        }
    }

    /// Returns the value of `done`. If `done` is an error, adds it to the report as a fault of
    /// `what`, and returns `None`.
    fn ok_or_fault<T>(&mut self, what: impl Display, done: rusqlite::Result<T>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                self.add_fault(format!("{what}: {error}"));
                None
            }
        }
    }
}

/// Function that checks one part of the log, and adds the faults found to the report. Returns an
/// error if the check cannot go on.
type CheckFn = fn(&Connection, &mut CheckReport) -> rusqlite::Result<()>;

/// All checks, in order. Each has the name of the part that it reads, for error texts.
const CHECKS: &[(&str, CheckFn)] = &[
    ("the database", check_database),
    ("rooms", check_rooms),
    ("messages", check_messages),
    ("direct messages", check_directs),
    ("mailboxes", check_mailboxes),
    ("sessions", check_sessions),
    ("facts", check_facts),
    ("the moderation state", check_moderation),
    ("properties", check_properties),
    ("sequences", check_sequences),
    ("search", check_search_index),
    ("words", check_words),
];

/// Checks the integrity of a directory's log without changing it. Faults, and parts that cannot be
/// read, are in the report. A server may run meanwhile.
///
/// # Errors
/// [`ArchiveError`] if the log cannot be opened or its size cannot be read.
pub fn check(directory: &Path) -> Result<CheckReport, ArchiveError> {
    let connection = open(directory)?;
    // All checks see one state of the database.
    let transaction = connection.unchecked_transaction()?;
    let mut report = CheckReport { bytes: used_bytes(&transaction)?, ..CheckReport::default() };
    for (name, part) in CHECKS {
        let done = part(&transaction, &mut report);
        report.ok_or_fault(format_args!("{name} cannot be read"), done);
    }
    Ok(report)
}

/// Calls `work` for each row of a query. Stops at the first error.
fn for_each_row(
    connection: &Connection,
    query: &str,
    mut work: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(query)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        work(row)?;
    }
    Ok(())
}

/// Adds a fault to the report for each row of a query. `fault` turns the number in the first column
/// into text.
fn fault_for_each_row(
    connection: &Connection,
    report: &mut CheckReport,
    query: &str,
    fault: impl Fn(i64) -> String,
) -> rusqlite::Result<()> {
    for_each_row(connection, query, |row| {
        report.add_fault(fault(row.get(0)?));
        Ok(())
    })
}

/// Checks the database with SQLite's `PRAGMA integrity_check`, which includes the search index.
fn check_database(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    for_each_row(connection, "PRAGMA integrity_check", |row| {
        let told: String = row.get(0)?;
        if told != "ok" {
            report.add_fault(format!("the database: {told}"));
        }
        Ok(())
    })
}

/// Checks that room names are valid and match their keys. Counts the rooms.
fn check_rooms(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    for_each_row(connection, "SELECT id, name, key FROM rooms", |row| {
        report.rooms = report.rooms.saturating_add(1);
        let number: i64 = row.get(0)?;
        let Some(name) =
            report.ok_or_fault(format_args!("room {number}"), rows::read_room_name(row, 1))
        else {
            return Ok(());
        };
        if row.get_ref(2)?.as_str().ok() != Some(name.key().as_str()) {
            report.add_fault(format!("room {number}: {name} is not found by its name"));
        }
        Ok(())
    })
}

/// Checks that room messages are valid, belong to an existing room, and have a correct link
/// ([`LinkChecker`]). Counts the messages.
fn check_messages(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut links = LinkChecker::default();
    // A cross join looks up each room. The other order would sort all messages.
    let query = format!(
        "SELECT {ENTRY_COLUMNS}, e.room, r.name, r.dropped
         FROM entries e LEFT JOIN rooms r ON r.id = e.room ORDER BY e.sequence"
    );
    for_each_row(connection, &query, |row| {
        report.messages = report.messages.saturating_add(1);
        let (sequence, previous): (i64, i64) = (row.get(0)?, row.get(1)?);
        let room: i64 = row.get(9)?;
        if row.get_ref(10)?.as_str().is_err() {
            report.add_fault(format!("message {sequence}: its room {room} is not there"));
            return Ok(());
        }
        let entry =
            rows::read_room_name(row, 10).and_then(|name| rows::read_room_entry(row, &name));
        report.ok_or_fault(format_args!("message {sequence}"), entry);
        if !links.check_next(room, sequence, previous, row.get(11)?) {
            report.add_fault(format!("message {sequence}: {previous} is not the one before it"));
        }
        Ok(())
    })
}

/// Checks that direct messages are valid, and that none has the sequence of a room message. Counts
/// the direct messages.
fn check_directs(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    for_each_row(connection, &format!("SELECT {DIRECT_COLUMNS} FROM directs d"), |row| {
        report.directs = report.directs.saturating_add(1);
        let sequence: i64 = row.get(0)?;
        report.ok_or_fault(format_args!("direct message {sequence}"), rows::read_direct_entry(row));
        Ok(())
    })?;
    let query = "SELECT d.sequence FROM directs d JOIN entries e ON e.sequence = d.sequence";
    fault_for_each_row(connection, report, query, |it| format!("sequence {it} was given twice"))
}

/// Checks that every direct message is in at least one mailbox. Checks that a mailbox contains only
/// existing direct messages of its own session or person.
fn check_mailboxes(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let query = "SELECT m.sequence FROM mailboxes m LEFT JOIN directs d ON d.sequence = m.sequence
                 WHERE d.sequence IS NULL OR m.session NOT IN (coalesce(d.person, d.session), d.to_session)";
    fault_for_each_row(connection, report, query, |it| {
        format!("direct message {it} is in a mailbox, and not there or somebody else's")
    })?;
    let query = "SELECT sequence FROM directs d
                 WHERE NOT EXISTS (SELECT 1 FROM mailboxes m WHERE m.sequence = d.sequence)";
    fault_for_each_row(connection, report, query, |it| {
        format!("direct message {it} is in nobody's mailbox")
    })
}

/// Checks that session records are valid, and that no session number can be assigned again.
fn check_sessions(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    rows::for_each_session(connection, |session| {
        report.ok_or_fault("a session", session);
        Ok(())
    })?;
    let query = "SELECT id FROM sessions
                 WHERE id > (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'sessions')";
    fault_for_each_row(connection, report, query, |it| {
        format!("session {it}: its number may be given again")
    })
}

/// Checks that facts are valid, that none has the sequence of a message, and that removed messages
/// have the placeholder instead of a text.
fn check_facts(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut find_room = connection.prepare("SELECT removed_in FROM facts WHERE sequence = ?")?;
    let mut find_message = connection.prepare(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entries e JOIN rooms r ON r.id = e.room
         WHERE e.sequence = ? AND e.style <> 2 AND r.key = ?"
    ))?;
    facts::for_each_after(connection, Sequence::ZERO, |fact| {
        let Some(fact) = report.ok_or_fault("a fact", fact) else { return Ok(()) };
        let sequence = fact.sequence;
        let removed = fact.removed_message();
        let room: Option<String> =
            find_room.query_row([sequence_to_sql(sequence)], |row| row.get(0))?;
        if room.as_deref() != removed.map(|it| it.room.key().as_str()) {
            report.add_fault(format!("fact {sequence}: the room of its message is wrong"));
        }
        if let Some(removed) = removed {
            let message = params![sequence_to_sql(removed.sequence), removed.room.key().as_str()];
            let entry = find_message
                .query_row(message, |row| rows::read_room_entry(row, removed.room))
                .optional();
            if let Ok(Some(entry)) = entry
                && removed.is_entry(&entry)
            {
                let message = removed.sequence;
                report.add_fault(format!("message {message} was removed, and its text is there"));
            }
        }
        Ok(())
    })?;
    let query = "SELECT f.sequence FROM facts f WHERE EXISTS
                     (SELECT 1 FROM entries e WHERE e.sequence = f.sequence
                      UNION ALL SELECT 1 FROM directs d WHERE d.sequence = f.sequence)";
    fault_for_each_row(connection, report, query, |it| format!("sequence {it} was given twice"))?;
    let query = "SELECT sequence FROM entries WHERE style = 2 AND text <> '[removed]'";
    fault_for_each_row(connection, report, query, |it| {
        format!("message {it} was removed, and its text is there")
    })
}

/// Checks that the stored moderation state is valid, and that its facts are those of the log, as
/// far as the log still has them.
fn check_moderation(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut find = connection.prepare("SELECT fact FROM facts WHERE sequence = ?")?;
    facts::for_each_register(connection, |row| {
        let Some((_, fact)) = report.ok_or_fault("the moderation state", row) else {
            return Ok(());
        };
        let sequence = sequence_to_sql(fact.sequence);
        let stored: Option<Vec<u8>> = find.query_row([sequence], |row| row.get(0)).optional()?;
        if stored.is_some_and(|it| it != encode_fact(&fact)) {
            report.add_fault(format!("the moderation state holds another fact {sequence}"));
        }
        Ok(())
    })
}

/// Checks the values in the table `properties`, and the column `dropped` of rooms:
/// - Server id and log id are 16 bytes, if they are stored. A log with messages has a log id.
/// - The flags `is_clean` and `is_strict` are 0 or 1, if they are stored.
/// - The sequences `indexed`, `forgotten`, `moderated` and `dropped` are between 0 and the log's
///   last sequence.
fn check_properties(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let last: i64 = connection.query_row(
        "SELECT max(ifnull((SELECT max(sequence) FROM entries), 0),
                    ifnull((SELECT max(sequence) FROM directs), 0),
                    ifnull((SELECT max(sequence) FROM facts), 0))",
        [],
        |row| row.get(0),
    )?;
    report.ok_or_fault(
        property::SERVER_ID,
        read_property::<[u8; 16]>(connection, property::SERVER_ID),
    );
    let log_id = read_property::<[u8; 16]>(connection, property::LOG_ID);
    if let Some(None) = report.ok_or_fault(property::LOG_ID, log_id)
        && last > 0
    {
        report.add_fault("there are messages, but the log has no id");
    }
    for name in [property::IS_CLEAN, property::IS_STRICT] {
        let value = read_property::<i64>(connection, name);
        if let Some(Some(value @ (..=-1 | 2..))) = report.ok_or_fault(name, value) {
            report.add_fault(format!("{name}: {value} is neither 0 nor 1"));
        }
    }
    let head = read_property::<i64>(connection, property::HEAD);
    let head = report.ok_or_fault(property::HEAD, head).flatten().unwrap_or(0).max(last);
    for name in [property::INDEXED_UP_TO, property::EVICTED_UP_TO, property::MODERATED_UP_TO] {
        let value = read_property::<i64>(connection, name);
        let value = report.ok_or_fault(name, value).flatten().unwrap_or(0);
        if !(0..=head).contains(&value) {
            report.add_fault(format!("{name}: {value} is not between 0 and {head}"));
        }
    }
    let query = format!("SELECT id FROM rooms WHERE dropped NOT BETWEEN 0 AND {head}");
    fault_for_each_row(connection, report, &query, |it| {
        format!("room {it} has lost what it never had")
    })
}

/// Checks the stored sequence gaps, and that they explain the jumps of the sequences:
/// - Each gap `(first, second]` ascends, and no message lies in it. If the list is full, messages
///   may lie in the oldest gap, because that may consist of several joined gaps.
/// - From one message to the next, the sequence rises by at most [`MIN_GAP`] plus the gaps between
///   them. The same holds from 0 to the first message, and from the last message to the log's head.
///   Smaller jumps are deleted messages; [`check_messages`] checks the links between messages.
fn check_sequences(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let bytes = read_property::<Vec<u8>>(connection, property::SEQUENCE_GAPS)?.unwrap_or_default();
    let gaps = sequence_gaps::read_all(connection)?;
    if bytes.len() != gaps.len() * size_of::<SequenceGap>() {
        report.add_fault(format!("{}: the list is cut off", property::SEQUENCE_GAPS));
    }
    for (from, to) in &gaps {
        if from >= to {
            report.add_fault(format!("{}: {from} to {to} is no range", property::SEQUENCE_GAPS));
        }
    }
    let exact_gaps = gaps.get(usize::from(gaps.len() >= MAX_GAPS)..).unwrap_or_default();
    let mut last = 0;
    let mut check_next = |report: &mut CheckReport, sequence: i64| {
        let jump = u64::try_from(sequence.saturating_sub(last)).unwrap_or(0);
        if jump > MIN_GAP {
            let is_between = |(from, to): &&SequenceGap| {
                sequence_to_sql(*from) >= last && sequence_to_sql(*to) < sequence
            };
            let between = gaps.iter().filter(is_between);
            let explained = between
                .map(|(from, to)| to.0.saturating_sub(from.0))
                .fold(MIN_GAP, u64::saturating_add);
            if jump > explained {
                report.add_fault(format!(
                    "sequence {sequence} comes after {last}, and nothing says why"
                ));
            }
        }
        last = sequence;
    };
    let query = "SELECT sequence FROM entries UNION ALL SELECT sequence FROM directs
                 UNION ALL SELECT sequence FROM facts ORDER BY 1";
    for_each_row(connection, query, |row| {
        let sequence: i64 = row.get(0)?;
        let is_within = |(from, to): &&SequenceGap| {
            sequence_to_sql(*from) < sequence && sequence <= sequence_to_sql(*to)
        };
        if let Some((from, to)) = exact_gaps.iter().find(is_within) {
            report.add_fault(format!("message {sequence}: {from} to {to} were never given"));
        }
        check_next(report, sequence);
        Ok(())
    })?;
    let head = read_property::<i64>(connection, property::HEAD).ok().flatten().unwrap_or(0);
    check_next(report, head.saturating_add(1));
    Ok(())
}

/// Checks that the search index contains every message up to [`search::indexed_up_to`], and only
/// existing messages. [`check_words`] compares the words.
fn check_search_index(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let indexed = sequence_to_sql(search::indexed_up_to(connection)?);
    let query = format!(
        "SELECT sequence FROM entries WHERE sequence <= {indexed}
         AND NOT EXISTS (SELECT 1 FROM found_docsize WHERE id = sequence)"
    );
    fault_for_each_row(connection, report, &query, |it| format!("message {it} cannot be found"))?;
    let query = "SELECT id FROM found_docsize
                 WHERE NOT EXISTS (SELECT 1 FROM entries WHERE sequence = id)";
    fault_for_each_row(connection, report, query, |it| {
        format!("a search finds {it}, which is not there")
    })
}

/// Checks that the indexed words of each message are those of its room, author and text. Finds
/// messages that were changed in the database file. A change of case, accents or punctuation is not
/// found, because the words stay the same. Indexes all valid messages again, in memory, a batch at
/// a time.
fn check_words(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let indexed = sequence_to_sql(search::indexed_up_to(connection)?);
    let stored = WordHashes::read(connection)?;
    let mut reindexer = Reindexer::new()?;
    while let Some((sequences, expected)) = reindexer.index_next(connection, indexed)? {
        for sequence in sequences {
            // A message that is not in the index at all is reported by `check_search_index`.
            if let Some(words) = stored.get(sequence)
                && Some(words) != expected.get(sequence)
            {
                let told = "its room, author or text is not the one that was indexed";
                report.add_fault(format!("message {sequence}: {told}"));
            }
        }
    }
    Ok(())
}
