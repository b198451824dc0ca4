//! Tests of check and backup: faults in the database, and files that exist already.

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
        "INSERT INTO directs VALUES (10, 1, 'anna', 2, 'bob', 4, 3, 0, 'psst', NULL);
         INSERT INTO mailboxes VALUES (1, 10), (2, 10);
         INSERT INTO sessions VALUES (2, zeroblob(32), 'bob', NULL, 1, zeroblob(0), 0, 0, NULL);",
    );
}

/// Executes SQL statements on the database of a directory.
fn change(directory: &Path, statements: &str) {
    let connection = Connection::open(directory.join("chat.db")).unwrap();
    connection.execute_batch(statements).unwrap();
}

/// Each case damages the database in one way. The check reports the fault with the expected text.
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
        (
            "DELETE FROM properties WHERE name = 'log_id'",
            "there are messages, but the log has no id",
        ),
        ("UPDATE properties SET value = zeroblob(5) WHERE name = 'log_id'", "log_id: "),
        ("UPDATE properties SET value = 2 WHERE name = 'is_clean'", "is_clean: 2 is neither"),
        ("UPDATE properties SET value = 'far' WHERE name = 'head'", "head: "),
        ("UPDATE properties SET value = 11 WHERE name = 'indexed'", "indexed: 11 is not between"),
        (
            "UPDATE properties SET value = -1 WHERE name = 'forgotten'",
            "forgotten: -1 is not between",
        ),
        ("DELETE FROM found WHERE rowid = 2", "message 2 cannot be found"),
        ("DELETE FROM entries WHERE sequence = 3", "a search finds 3"),
        ("UPDATE entries SET text = 'd' WHERE sequence = 3", "message 3: its room, author or text"),
        ("UPDATE entries SET username = 'ann' WHERE sequence = 1", "message 1: its room, author"),
        (
            "UPDATE entries SET sequence = 8589934592 WHERE sequence = 3",
            "sequence 8589934592 comes after 10",
        ),
        (
            "UPDATE properties SET value = 8589934592 WHERE name = 'head'",
            "sequence 8589934593 comes after",
        ),
        (
            "INSERT INTO properties VALUES ('voids', x'00000000000000010000000000000002')",
            "message 2: 1 to 2 were never given",
        ),
        (
            "INSERT INTO properties VALUES ('voids', x'00000000000000020000000000000001')",
            "voids: 2 to 1 is no range",
        ),
        (
            "INSERT INTO properties VALUES ('voids', x'0000000000000001')",
            "voids: the list is cut off",
        ),
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

/// A jump of the sequences is no fault if a stored sequence gap explains it. An import numbers all
/// messages anew, and deletes the stored gaps.
#[test]
fn stored_sequence_gaps_are_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    create_log(directory.path());
    let (from, to) = (12_u64, 12 + (1_u64 << 33));
    let gap = [from, to].map(u64::to_be_bytes).concat();
    let connection = Connection::open(directory.path().join("chat.db")).unwrap();
    connection.execute("INSERT INTO properties VALUES ('voids', ?)", [gap]).unwrap();
    connection
        .execute("UPDATE properties SET value = ? WHERE name = 'head'", [to.cast_signed()])
        .unwrap();
    check_without_faults(directory.path());
    let say =
        "INSERT INTO entries SELECT ?, room, 3, session, username, time, reference, style, text, person
               FROM entries WHERE sequence = 3";
    connection.execute(say, [to.cast_signed() + 5]).unwrap();
    check_without_faults(directory.path());
    import_all(directory.path(), &[message(5, "carla", 1, 1, "d")]);
    check_without_faults(directory.path());
    let ask = "SELECT count(*) FROM properties WHERE name = 'voids'";
    assert_eq!(connection.query_row(ask, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

/// The words are compared in each batch of messages. Deleted and unindexed messages are not
/// compared.
#[test]
fn changed_texts_are_found_among_many() {
    let directory = tempfile::tempdir().unwrap();
    let all: Vec<_> = (1..=2_500)
        .map(|it| message(it, "anna", 1, it, &format!("Nümber {it}, of \"many\" {}", it % 7)))
        .collect();
    import_all(directory.path(), &all);
    change(
        directory.path(),
        "DELETE FROM entries WHERE sequence % 5 = 0; DELETE FROM found WHERE rowid % 5 = 0;
         UPDATE rooms SET dropped = 2500; UPDATE entries SET previous = sequence - 2 WHERE sequence % 5 = 1;
         UPDATE entries SET previous = 0 WHERE sequence = 1;
         INSERT INTO entries VALUES (2501, 1, 2499, 1, 'anna', 2501, 2501, 0, 'not indexed', NULL);",
    );
    check_without_faults(directory.path());
    change(
        directory.path(),
        "UPDATE entries SET text = replace(text, 'many', 'few') WHERE sequence IN (7, 1001, 2499);
         UPDATE entries SET text = upper(text) WHERE sequence = 8;
         UPDATE entries SET text = 'said later' WHERE sequence = 2501;",
    );
    let faults = check(directory.path()).unwrap().faults;
    let numbers: Vec<_> = faults.iter().filter_map(|it| it.split([' ', ':']).nth(1)).collect();
    assert_eq!(numbers, ["7", "1001", "2499"], "{faults:#?}");
}

/// Many bytes of the database file are changed: the check reports faults, or an error of the
/// database.
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
