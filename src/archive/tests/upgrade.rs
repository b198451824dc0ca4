//! Tests of databases that older and newer versions have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::log::sqlite::database::{open_to_read, open_to_write};
use crate::log::sqlite::{schema, search};
use crate::log::{SqliteLog, StoreError, StoreSettings};
use crate::model::{RoomName, SearchQuery, SearchTerms, Sequence, SessionId};
use crate::os::Clock;

/// Returns the settings of a log in a directory.
fn settings(directory: &Path) -> StoreSettings {
    StoreSettings { directory: directory.to_path_buf(), ..StoreSettings::default() }
}

/// Creates a database of format 1 with 20 messages of a session in the lobby. Returns its path.
fn create_format_1(directory: &Path) -> PathBuf {
    let path = directory.join("chat.db");
    let connection = Connection::open(&path).unwrap();
    schema::create_old_format(&connection, 1);
    connection.execute_batch("INSERT INTO rooms (key, name) VALUES ('lobby', 'Lobby')").unwrap();
    let session = "INSERT INTO sessions VALUES (1, zeroblob(32), 'anna', NULL, 20, x'', 20)";
    connection.execute_batch(session).unwrap();
    for number in 1..=20 {
        let entry = format!(
            "INSERT INTO entries VALUES
                 ({number}, 1, {number} - 1, 1, 'anna', {number}, {number}, 0, 'number {number}')"
        );
        connection.execute_batch(&entry).unwrap();
    }
    path
}

/// Returns the contents of all files in a directory.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    paths.map(|it| (it.clone(), fs::read(it).unwrap())).collect()
}

#[test]
fn format_1_is_upgraded_without_loss_and_searchable() {
    let directory = tempfile::tempdir().unwrap();
    let path = create_format_1(directory.path());
    let (log, restored) = SqliteLog::open(settings(directory.path())).unwrap();
    assert_eq!(restored.head, Sequence(20));
    assert_eq!(restored.rooms.iter().map(RoomName::as_str).collect::<Vec<_>>(), ["Lobby"]);
    let sessions: Vec<_> = restored.sessions.iter().map(|it| (it.session, it.keeps_name)).collect();
    assert_eq!(sessions, [(SessionId(1), false)]);
    drop(log);
    let report = check(directory.path()).unwrap();
    assert_eq!((report.messages, report.faults), (20, Vec::new()));
    // In a server, the writer thread does this.
    let connection = open_to_write(&path, None).unwrap();
    search::index_next(&connection, 1_000).unwrap();
    assert_eq!(search::indexed_up_to(&connection).unwrap(), Sequence(20));
    let query = SearchQuery {
        text: SearchTerms::new("\"number 7\"").unwrap(),
        from: None,
        since: None,
        until: None,
        before: Sequence(u64::MAX),
        limit: 10,
    };
    let mut found = BTreeMap::new();
    let mut connection = open_to_read(&path, None).unwrap();
    search::with_timeout(&mut connection, Clock::start(), |it| {
        search::find_matches(it, &[(1, RoomName::lobby())], &query, Sequence(20), &mut found)
    })
    .unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [Sequence(7)]);
}

/// Format 3 had no moderation: a style of removed messages, which a client has sent, becomes an
/// ordinary one. The moderation state is empty.
#[test]
fn format_3_is_upgraded_without_imitated_removals() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("chat.db")).unwrap();
    schema::create_old_format(&connection, 3);
    connection
        .execute_batch(
            "INSERT INTO rooms (key, name) VALUES ('lobby', 'lobby');
             INSERT INTO facts VALUES ('head', 9);
             INSERT INTO entries VALUES (1, 1, 0, 1, 'anna', 1, 1, 2, 'imitated'),
                 (2, 1, 1, 1, 'anna', 2, 2, 1, 'waves')",
        )
        .unwrap();
    drop(connection);
    let (log, restored) = SqliteLog::open(settings(directory.path())).unwrap();
    drop(log);
    assert_eq!(restored.head, Sequence(9));
    assert_eq!(restored.moderation.encode(), BTreeMap::new());
    let exported = String::from_utf8(exported(directory.path())).unwrap();
    assert!(exported.contains("\"style\":0,\"text\":\"imitated\""), "{exported}");
    assert!(exported.contains("\"style\":1,\"text\":\"waves\""), "{exported}");
    check_without_faults(directory.path());
}

/// Format 4 had no keys: its sessions are bound to none. The server gets a key, and keeps it.
#[test]
fn format_4_is_upgraded_without_keys() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("chat.db")).unwrap();
    schema::create_old_format(&connection, 4);
    connection
        .execute_batch(
            "INSERT INTO sessions VALUES (3, zeroblob(32), 'anna', NULL, 7, x'', 7, 1);
             INSERT INTO properties VALUES ('server_id', x'000102030405060708090a0b0c0d0e0f')",
        )
        .unwrap();
    drop(connection);
    let open = || {
        let (log, restored) = SqliteLog::open(settings(directory.path())).unwrap();
        let sessions = restored.sessions.iter().map(|it| (it.session, it.keeps_name, it.key));
        (log.server_id().to_string(), log.server_key(), sessions.collect::<Vec<_>>())
    };
    let first = open();
    assert_eq!(first.0, "000102030405060708090a0b0c0d0e0f");
    assert_eq!(first.2, [(SessionId(3), true, None)]);
    assert_eq!(open(), first);
    check_without_faults(directory.path());
}

/// A restored backup has the key of its server.
#[test]
fn backup_has_the_server_key() {
    let parent = tempfile::tempdir().unwrap();
    let (origin, restored) = (parent.path().join("origin"), parent.path().join("restored"));
    let key = SqliteLog::open(settings(&origin)).unwrap().0.server_key();
    fs::create_dir(&restored).unwrap();
    backup(&origin, &restored.join("chat.db")).unwrap();
    assert_eq!(SqliteLog::open(settings(&restored)).unwrap().0.server_key(), key);
}

/// Runs each of the owner's tools; the import has no messages, and the backup goes into the
/// directory. Returns their names and results.
fn run_tools(directory: &Path) -> [(&'static str, Result<(), ArchiveError>); 4] {
    let options = ExportOptions { room: None, since: None, format: ExportFormat::JsonLines };
    let header = "{\"format\":\"pi-chat-log\",\"version\":1,\"log_id\":\"\"}\n";
    [
        ("export", export(directory, &options, &mut Vec::new())),
        ("import", import(directory, &mut header.as_bytes()).map(drop)),
        ("backup", backup(directory, &directory.join("backup")).map(drop)),
        ("check", check(directory).map(drop)),
    ]
}

#[test]
fn tools_refuse_an_older_format_and_leave_it_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = create_format_1(directory.path());
    let before = fs::read(&path).unwrap();
    for (name, outcome) in run_tools(directory.path()) {
        match outcome {
            Err(ArchiveError::Log(error @ StoreError::Older { found: 1, .. })) => {
                assert!(error.to_string().contains("start chat-server"), "{error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A database of a newer format is not changed, whether it was closed or has a write-ahead log.
#[test]
fn newer_format_is_refused_and_left_unchanged() {
    for is_closed in [true, false] {
        let parent = tempfile::tempdir().unwrap();
        let (origin, directory) = (parent.path().join("origin"), parent.path().join("data"));
        fs::create_dir(&directory).unwrap();
        drop(SqliteLog::open(settings(&origin)).unwrap());
        let connection = open_to_write(&origin.join("chat.db"), None).unwrap();
        connection.pragma_update(None, "user_version", schema::latest_format() + 1).unwrap();
        // While the database is open, everything is in the write-ahead log.
        let names: &[&str] = if is_closed { &["chat.db"] } else { &["chat.db", "chat.db-wal"] };
        if is_closed {
            drop(connection);
            copy(&origin, &directory, names);
        } else {
            copy(&origin, &directory, names);
            drop(connection);
        }
        let before = files(&directory);
        assert_eq!(before.len(), names.len());
        let is_newer = |error: &StoreError| matches!(error, StoreError::Newer { .. });
        for (name, outcome) in run_tools(&directory) {
            match outcome {
                Err(ArchiveError::Log(error)) if is_newer(&error) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
        let error = SqliteLog::open(settings(&directory)).unwrap_err();
        assert!(is_newer(&error), "{error:?}");
        let after = files(&directory);
        for (path, bytes) in before {
            assert_eq!(after.get(&path), Some(&bytes), "{}", path.display());
        }
    }
}

/// Copies files from one directory to another.
fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}
