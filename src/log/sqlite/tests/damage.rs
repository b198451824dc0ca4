//! Tests of broken reader threads and damaged rows.

use std::future::poll_fn;
use std::thread;

use super::super::*;
use crate::hub::ReadRange;
use crate::model::{Sequence, SessionId};

/// Waits for the next event of a log, and returns it. `None` if the events have ended.
fn next(log: &mut SqliteLog) -> Option<LogEvent> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(poll_fn(|context| log.poll_event(context)))
}

/// Events from before the end of the thread are still returned, then `None`.
#[test]
fn events_end_when_a_reader_thread_dies() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_path_buf();
    let (mut log, _) =
        SqliteLog::open(StoreSettings { directory, ..StoreSettings::default() }).unwrap();
    log.immediate_events.push_back(LogEvent::StorageChanged(crate::hub::StorageHealth::Sound));
    let (ending, endings) = unbounded_channel();
    log.reader_ends = endings;
    let ending = ThreadEndNotifier(ending);
    let broken = thread::spawn(move || {
        let _ending = ending;
        panic!("a bug");
    });
    assert!(broken.join().is_err());
    assert_eq!(next(&mut log), Some(LogEvent::StorageChanged(crate::hub::StorageHealth::Sound)));
    assert_eq!(next(&mut log), None);
    assert_eq!(next(&mut log), None, "and nothing comes after that");
}

/// Damaged messages and sessions are skipped. Reads return as many undamaged messages as requested.
#[test]
fn damaged_rows_are_skipped() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("log");
    let settings = StoreSettings { directory, ..StoreSettings::default() };
    drop(SqliteLog::open(settings.clone()).unwrap());
    let path = settings.directory.join("chat.db");
    let connection = database::open_to_write(&path, None).unwrap();
    let damage = "
        INSERT INTO rooms (id, key, name) VALUES (1, 'lobby', 'Lobby'), (2, 'attic', '');
        INSERT INTO entries VALUES (1, 1, 0, 1, 'anna', 1, 1, 0, 'tea', NULL);
        INSERT INTO entries VALUES (2, 1, 1, 1, '', 2, 2, 0, 'nobody', NULL);
        INSERT INTO entries VALUES (3, 1, 2, 1, 'anna', 3, 3, 256, 'how?', NULL);
        INSERT INTO entries VALUES (4, 1, 3, 1, 'anna', 4, 4, 0, CAST(x'ff' AS TEXT), NULL);
        INSERT INTO entries VALUES (5, 1, 4, 1, 'bob', 5, 5, 0, 'milk', NULL);
        INSERT INTO directs VALUES (6, 1, '', 2, 'bob', 6, 6, 0, 'psst', NULL);
        INSERT INTO directs VALUES (7, 1, 'anna', 2, 'bob', 7, 7, 0, 'hush', NULL);
        INSERT INTO mailboxes VALUES (2, 6), (2, 7);
        INSERT INTO sessions VALUES (1, zeroblob(32), '', NULL, 0, x'', 0, 0, NULL);
        INSERT INTO sessions VALUES (2, zeroblob(32), 'bob', NULL, 0, x'', 0, 0, NULL);
        INSERT INTO sessions VALUES (3, zeroblob(31), 'carl', NULL, 0, x'', 0, 0, NULL);
        INSERT INTO sessions VALUES (4, zeroblob(32), 'dora', NULL, 0, x'', 0, 0, x'00');
    ";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let (mut log, restored) = SqliteLog::open(settings).unwrap();
    assert_eq!(restored.sessions.iter().map(|it| it.session.0).collect::<Vec<_>>(), [2]);
    for (range, expected, more) in [
        (ReadRange::Latest(10), &[1, 5, 7][..], false),
        (ReadRange::After(Sequence::ZERO, 10), &[1, 5, 7], false),
        (ReadRange::After(Sequence::ZERO, 1), &[1], true),
        (ReadRange::Before(Sequence(8), 1), &[5], true),
    ] {
        let rooms = vec![RoomName::lobby()];
        let request = ReadRequest { rooms, session: Some(SessionId(2)), range };
        log.read(ReadTag::without_hub(), request);
        let Some(LogEvent::ReadDone { outcome: Ok(outcome), .. }) = next(&mut log) else {
            panic!("it could not be read");
        };
        let sequences: Vec<u64> = outcome.entries.iter().map(|it| it.sequence.0).collect();
        assert_eq!((&sequences[..], outcome.more), (expected, more));
    }
    drop(log);
    // Messages after damaged ones are indexed.
    let connection = database::open_to_write(&path, None).unwrap();
    search::index_next(&connection, 10).unwrap();
    assert_eq!(search::indexed_up_to(&connection).unwrap(), Sequence(5));
    // A damaged room name does not hide the room.
    connection.execute_batch("UPDATE rooms SET name = ''").unwrap();
    let lobby = rows::find_room(&connection, RoomName::lobby().key()).unwrap();
    assert_eq!(lobby, Some((1, RoomName::lobby())));
}
