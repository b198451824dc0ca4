//! Tests of an export whose output is read slowly, while the log changes.

use std::io::{self, Write};

use super::*;

/// Number of messages in the log at the beginning: several pages.
const MESSAGES: u64 = 1_000;

/// Output of an export. Each write first calls `work` with a connection to the database of the
/// export.
struct SlowOutput<F> {
    /// Connection to the database of the export.
    connection: Connection,
    /// Function that is called before each write.
    work: F,
    /// Bytes written so far.
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

/// Exports a log with [`MESSAGES`] messages in the lobby as JSON lines. `room`: room to export;
/// `None` for all. Calls `work` before each write to the output. Returns the result and the bytes
/// written.
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
                   time, reference, style, 'said meanwhile', NULL FROM entries";

/// While an export waits for its output, a checkpoint can empty the write-ahead log.
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

/// Messages that are deleted before their page is read are left out. All other messages are
/// exported once and in order. If the room itself is deleted, the export ends without an error.
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

/// If an import gives all messages new sequences during an export, the export fails.
#[test]
fn export_ends_with_an_error_if_messages_are_numbered_anew() {
    let (done, _) = export_while(None, |connection| {
        let change = "UPDATE properties SET value = randomblob(16) WHERE name = 'log_id'";
        connection.execute(change, []).unwrap();
    });
    assert!(matches!(done, Err(ArchiveError::Replaced)), "{done:?}");
}
