//! Tests of check and backup: faults in the database, files in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::log::{SqliteLog, StoreSettings};
use crate::model::LogId;

/// Creates a log with messages in two rooms, direct messages and a session.
fn create_log(directory: &Path) {
    let other = TestMessage { room: "kitchen".to_owned(), ..message(2, "bob", 2, 1, "b") };
    import_all(directory, &[message(1, "anna", 1, 1, "a"), other, message(3, "anna", 1, 2, "c")]);
    change(
        directory,
        "INSERT INTO directs VALUES (10, 1, 'anna', 2, 'bob', 4, 3, 0, 'psst');
         INSERT INTO mailboxes VALUES (1, 10), (2, 10);
         INSERT INTO sessions VALUES (2, zeroblob(32), 'bob', NULL, 1, zeroblob(0), 0, 0);",
    );
}

/// Executes SQL statements on the database of a directory.
fn change(directory: &Path, statements: &str) {
    let connection = Connection::open(directory.join("chat.db")).unwrap();
    connection.execute_batch(statements).unwrap();
}

#[test]
fn check_reports_each_kind_of_fault() {
    for (statements, told) in [
        (
            "UPDATE entries SET previous = 2 WHERE sequence = 3",
            "message 3: 2 is not the one before",
        ),
        ("UPDATE entries SET text = char(7) WHERE sequence = 3", "message 3: "),
        ("UPDATE entries SET username = '' WHERE sequence = 1", "message 1: "),
        ("UPDATE entries SET room = 9 WHERE sequence = 2", "message 2: its room 9 is not there"),
        ("UPDATE rooms SET key = 'attic' WHERE id = 2", "room 2: kitchen is not found"),
        ("UPDATE rooms SET name = 'a b' WHERE id = 2", "room 2: "),
        ("UPDATE rooms SET dropped = 11", "room 1 has lost what it never had"),
        ("UPDATE directs SET text = ''", "direct message 10: "),
        (
            "UPDATE directs SET sequence = 3; UPDATE mailboxes SET sequence = 3",
            "sequence 3 was given twice",
        ),
        ("DELETE FROM directs", "direct message 10 is in a mailbox"),
        ("UPDATE mailboxes SET session = 7 WHERE session = 2", "direct message 10 is in a mailbox"),
        ("DELETE FROM mailboxes", "direct message 10 is in nobody's mailbox"),
        ("UPDATE sessions SET token = zeroblob(5)", "a session: "),
        ("UPDATE sqlite_sequence SET seq = 1", "session 2: "),
        ("DELETE FROM facts WHERE name = 'log_id'", "there are messages, but the log has no id"),
        ("UPDATE facts SET value = zeroblob(5) WHERE name = 'log_id'", "log_id: "),
        ("UPDATE facts SET value = 2 WHERE name = 'is_clean'", "is_clean: 2 is neither"),
        ("UPDATE facts SET value = 'far' WHERE name = 'head'", "head: "),
        ("UPDATE facts SET value = 11 WHERE name = 'indexed'", "indexed: 11 is not between"),
        ("UPDATE facts SET value = -1 WHERE name = 'forgotten'", "forgotten: -1 is not between"),
        ("DELETE FROM found WHERE rowid = 2", "message 2 cannot be found"),
        ("DELETE FROM entries WHERE sequence = 3", "a search finds 3"),
        ("DELETE FROM found_data WHERE id > 10", "the database: "),
    ] {
        let directory = tempfile::tempdir().unwrap();
        create_log(directory.path());
        check_without_faults(directory.path());
        change(directory.path(), statements);
        let faults = check(directory.path()).unwrap().faults;
        assert!(faults.iter().any(|it| it.starts_with(told)), "{statements}: {faults:#?}");
    }
}

#[test]
fn damaged_file_is_reported_without_panic() {
    let directory = tempfile::tempdir().unwrap();
    create_log(directory.path());
    let path = directory.path().join("chat.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = 4_096;
    for at in bytes.iter_mut().skip(page).step_by(5) {
        *at ^= 0x55;
    }
    fs::write(&path, &bytes).unwrap();
    match check(directory.path()) {
        Ok(report) => assert!(!report.faults.is_empty()),
        Err(ArchiveError::Database(_) | ArchiveError::Log(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn faults_beyond_the_listed_ones_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let all: Vec<_> = (1..=80).map(|number| message(number, "anna", 1, number, "a")).collect();
    import_all(directory.path(), &all);
    change(directory.path(), "UPDATE entries SET username = '?'");
    let report = check(directory.path()).unwrap();
    assert_eq!((report.faults.len(), report.unlisted_faults), (50, 30));
}

/// Opens the log of a directory as a server does, and closes it. Returns its log id.
fn open_and_close(directory: &Path) -> LogId {
    let settings = StoreSettings { directory: directory.to_path_buf(), ..StoreSettings::default() };
    SqliteLog::open(settings).unwrap().1.log_id
}

#[test]
fn backup_is_complete_and_opens_with_a_new_log_id() {
    let parent = tempfile::tempdir().unwrap();
    let (one, file) = (parent.path().join("one"), parent.path().join("backup.db"));
    create_log(&one);
    let former = open_and_close(&one);
    // The rest of an interrupted backup does not prevent another one.
    fs::write(parent.path().join("backup.db.part"), "half of it").unwrap();
    let bytes = backup(&one, &file).unwrap();
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (bytes, 0o600));
    let mut ids = vec![former];
    for name in ["two", "three"] {
        let directory = parent.path().join(name);
        fs::create_dir(&directory).unwrap();
        fs::copy(&file, directory.join("chat.db")).unwrap();
        assert_eq!(messages(&directory), messages(&one));
        ids.push(open_and_close(&directory));
        assert_eq!(
            (check_without_faults(&directory).messages, check_without_faults(&directory).directs),
            (3, 1)
        );
    }
    ids.sort_unstable_by_key(|it| it.0);
    ids.dedup();
    assert_eq!(ids.len(), 3, "each goes on by itself");
    assert_eq!(open_and_close(&one), former, "and the first one as before");
    let mut left: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort_unstable();
    assert_eq!(left, ["backup.db", "one", "three", "two"]);
}

#[test]
fn backup_does_not_overwrite_files() {
    let parent = tempfile::tempdir().unwrap();
    let (one, file) = (parent.path().join("one"), parent.path().join("backup.db"));
    create_log(&one);
    fs::write(&file, "dear to me").unwrap();
    assert!(matches!(backup(&one, &file), Err(ArchiveError::Exists(_))));
    assert_eq!(fs::read(&file).unwrap(), b"dear to me");
    let nowhere = parent.path().join("nowhere/backup.db");
    assert!(matches!(backup(&one, &nowhere), Err(ArchiveError::File { .. })));
}
