//! Read marks across restarts.

use rusqlite::Connection;

use super::super::*;
use crate::model::{Moment, NameKey, PersonReadMarks, ReadMark, Sequence, SessionId, Timestamp};

/// Returns the marks of a person: of their direct messages, and of the room attic.
fn marks(person: u64, directs: u64, attic: u64) -> PersonReadMarks {
    let mark = |room, sequence| ReadMark { room, sequence: Sequence(sequence) };
    let marks = vec![mark(Some(NameKey::of("Attic")), attic), mark(None, directs)];
    PersonReadMarks { person: SessionId(person), marks }
}

/// Returns a person without marks.
fn none(person: u64) -> PersonReadMarks {
    PersonReadMarks { person: SessionId(person), marks: Vec::new() }
}

/// The marks of a person replace the former ones, in their order, and survive a restart; also where
/// the database had format 6.
#[test]
fn read_marks_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("chat.db")).unwrap();
    schema::create_old_format(&connection, 6);
    drop(connection);
    let settings =
        StoreSettings { directory: directory.path().to_path_buf(), ..StoreSettings::default() };
    let now = Now { moment: Moment::START, time: Timestamp(1) };
    let (mut log, restored) = SqliteLog::open(settings.clone()).unwrap();
    assert_eq!(restored.read_marks, []);
    log.propose(now, vec![Proposal::KeepReadMarks(vec![marks(7, 1, 2), marks(9, 3, 4)])]);
    log.propose(now, vec![Proposal::KeepReadMarks(vec![marks(7, 6, 5)])]);
    drop(log);
    let (mut log, restored) = SqliteLog::open(settings.clone()).unwrap();
    assert_eq!(restored.read_marks, [marks(7, 6, 5), marks(9, 3, 4)]);
    log.propose(now, vec![Proposal::KeepReadMarks(vec![none(7)])]);
    drop(log);
    assert_eq!(SqliteLog::open(settings).unwrap().1.read_marks, [marks(9, 3, 4)]);
}
