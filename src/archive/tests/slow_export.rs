//! Tests of an export whose output is read slowly, while the log changes.

use std::io::{self, Write};

use super::*;

/// Number of messages in the log at the beginning: several pages.
const MESSAGES: u64 = 1_000;

/// Output of an export that calls `work` with a connection to the database before it takes the
/// bytes of each call.
struct SlowOutput<F> {
    /// Connection to the database of the export.
    connection: Connection,
    /// What happens meanwhile.
    work: F,
    /// The bytes taken.
    bytes: Vec<u8>,
}

impl<F: FnMut(&Connection)> Write for SlowOutput<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.work)(&self.connection);
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Exports a log of [`MESSAGES`] messages of the lobby as JSON lines, while `work` is called as by
/// [`SlowOutput`]. Returns the result and the bytes that were written.
fn export_while(
    room: Option<&str>,
    work: impl FnMut(&Connection),
) -> (Result<(), ArchiveError>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let all: Vec<_> = (1..=MESSAGES).map(|it| message(it, "anna", 1, it, "hello")).collect();
    import_all(directory.path(), &all);
    let connection = Connection::open(directory.path().join("chat.db")).unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let mut out = SlowOutput { connection, work, bytes: Vec::new() };
    let room = room.map(|it| crate::model::RoomName::new(it).unwrap());
    let options = ExportOptions { room, since: None, format: ExportFormat::JsonLines };
    let done = export(directory.path(), &options, &mut out);
    (done, out.bytes)
}

/// Inserts a message after all others.
const SAY: &str =
    "INSERT INTO entries SELECT max(sequence) + 1, room, max(sequence), session, username,
                   time, reference, style, 'said meanwhile' FROM entries";

/// While the output is not read, the write-ahead log can be emptied; so it does not grow.
#[test]
fn export_holds_back_no_checkpoint_while_it_writes() {
    let mut calls = 0;
    let (done, bytes) = export_while(None, |connection| {
        calls += 1;
        connection.execute(SAY, []).unwrap();
        let ask = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = connection.query_row(ask, [], |row| row.get(0)).unwrap();
        assert!(!is_busy, "at call {calls}");
    });
    done.unwrap();
    assert!(calls > 3, "{calls}");
    let exported = parsed(&bytes).1;
    assert_eq!(exported.len() as u64, MESSAGES, "those that were there at the beginning");
}

/// What is deleted before its page is read is left out; everything else comes once and in order,
/// also if the room is deleted altogether.
#[test]
fn export_leaves_out_what_is_deleted_meanwhile() {
    for room in [None, Some("lobby")] {
        let mut has_deleted = false;
        let (done, bytes) = export_while(room, |connection| {
            if !std::mem::replace(&mut has_deleted, true) {
                let forget = "DELETE FROM entries WHERE sequence BETWEEN 101 AND 900";
                connection.execute(forget, []).unwrap();
            }
        });
        done.unwrap();
        let exported = parsed(&bytes).1;
        let references: Vec<u64> = exported.iter().map(|it| it.reference).collect();
        let expected: Vec<u64> = (1..=100).chain(901..=MESSAGES).collect();
        assert_eq!(references, expected);
        let (done, bytes) = export_while(room, |connection| {
            connection.execute_batch("DELETE FROM entries; DELETE FROM rooms").unwrap();
        });
        done.unwrap();
        assert!(parsed(&bytes).1.is_empty(), "{} bytes", bytes.len());
    }
}

/// An import numbers all messages anew, so the position of an export means nothing any more.
#[test]
fn export_ends_with_an_error_if_messages_are_numbered_anew() {
    let (done, _) = export_while(None, |connection| {
        let change = "UPDATE facts SET value = randomblob(16) WHERE name = 'log_id'";
        connection.execute(change, []).unwrap();
    });
    assert!(matches!(done, Err(ArchiveError::Replaced)), "{done:?}");
}
