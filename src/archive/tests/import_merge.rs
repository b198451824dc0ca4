//! Tests of the effect of an import on direct messages, sessions, search and log id.

use rusqlite::Connection;

use super::*;
use crate::hub::RestoredState;
use crate::log::sqlite::database::{open_to_read, open_to_write};
use crate::log::sqlite::{recovery, rows, search};
use crate::log::{SqliteLog, StoreSettings};
use crate::model::{
    Draft, LogEntry, MessageText, Reference, RoomName, SearchQuery, SearchTerms, Sequence,
    SessionId, SessionRecord, Target, TokenHash, Username,
};

/// Opens the log of a directory as a server does, and closes it. Returns the restored state.
fn open_and_close(directory: &Path) -> RestoredState {
    let settings = StoreSettings { directory: directory.to_path_buf(), ..StoreSettings::default() };
    SqliteLog::open(settings).unwrap().1
}

/// Opens the database of a directory to write.
fn database(directory: &Path) -> Connection {
    open_to_write(&directory.join("chat.db"), None).unwrap()
}

/// Returns an entry of the user anna (session 3) at this time.
fn entry(sequence: u64, time: u64, target: Target) -> LogEntry {
    LogEntry {
        sequence: Sequence(sequence),
        previous: Sequence::ZERO,
        time: Timestamp(time),
        draft: Draft {
            session: SessionId(3),
            reference: Reference(sequence),
            target,
            text: MessageText::new(&format!("number {sequence}")).unwrap(),
            ..Draft::example()
        },
    }
}

/// Creates the log of a stopped server: sessions 3 and 4, a message in the lobby, and a direct
/// message between the sessions. Many messages were deleted by retention. Returns its restored
/// state.
fn server_log(directory: &Path) -> RestoredState {
    open_and_close(directory);
    let mut connection = database(directory);
    let transaction = connection.transaction().unwrap();
    for session in [3, 4] {
        let record = SessionRecord {
            session: SessionId(session),
            token: TokenHash([9; 32]),
            username: Username::new("anna").unwrap(),
            away_since: None,
            last_reference: Reference(5),
            refused: vec![Reference(2)],
            keeps_name: false,
            key: None,
        };
        rows::upsert_session(&transaction, &record, Sequence(50)).unwrap();
    }
    transaction
        .execute_batch(
            "INSERT INTO rooms (key, name, dropped) VALUES ('lobby', 'Lobby', 90);
             INSERT INTO properties (name, value) VALUES ('head', 90), ('forgotten', 80)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value;",
        )
        .unwrap();
    let lobby = RoomName::new("Lobby").unwrap();
    let mut said = entry(101, 2_000, Target::Room(lobby));
    said.draft.person = Some(SessionId(4));
    rows::RoomEntryInsert::prepare(&transaction).unwrap().insert(1, &said).unwrap();
    let (to, name) = (SessionId(4), Username::new("bob").unwrap());
    let mut direct = entry(102, 3_000, Target::Session(to, name.clone()));
    direct.draft.person = Some(SessionId(3));
    rows::insert_direct(&transaction, &direct, to, &name).unwrap();
    transaction
        .execute_batch(
            "INSERT INTO mailboxes (session, sequence) VALUES (3, 102), (4, 102);
             INSERT INTO read_marks VALUES
                 (4, 'lobby', 101, 0), (4, 'attic', 85, 1), (4, '', 110, 2);",
        )
        .unwrap();
    transaction.commit().unwrap();
    drop(connection);
    open_and_close(directory)
}

/// An import into a log of a server gives all messages new sequences. Direct messages and session
/// records stay, and the authors of imported messages get new session numbers.
#[test]
fn import_preserves_direct_messages_and_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let before = server_log(directory);
    check_without_faults(directory);
    let new = [
        message(1_000, "carla", 3, 9_000, "before"),
        message(2_500, "carla", 3, 9_001, "between"),
        message(4_000, "dora", 70, 9_000, "after"),
    ];
    assert_eq!(import_all(directory, &new), 3);
    assert_eq!(
        (check_without_faults(directory).messages, check_without_faults(directory).directs),
        (4, 1)
    );
    let texts: Vec<_> = messages(directory).into_iter().map(|it| (it.session, it.text)).collect();
    let expected = [(5, "before"), (3, "number 101"), (5, "between"), (6, "after")];
    assert_eq!(texts, expected.map(|(session, text)| (session, text.to_owned())));
    let after = open_and_close(directory);
    assert_ne!(after.log_id, before.log_id, "clients begin afresh");
    assert_eq!(after.head, Sequence(5));
    assert_eq!(after.next_session, SessionId(7));
    // Read marks stay at the messages that were read last.
    let marks: Vec<_> = after.read_marks[0].marks.iter().map(|it| it.sequence.0).collect();
    assert_eq!(marks, [2, 0, 4]);
    // The last references of the sessions are restored. They are not computed from the new
    // sequences.
    assert_eq!(after.sessions, before.sessions);
    let last: Vec<_> = after.sessions.iter().map(|it| it.last_reference.0).collect();
    assert_eq!(last, [102, 5]);
    let connection = database(directory);
    let all = |sql: &str| -> Vec<(i64, i64)> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(all("SELECT session, sequence FROM mailboxes"), [(3, 4), (4, 4)]);
    assert_eq!(all("SELECT sequence, time FROM directs"), [(4, 3_000)]);
    assert_eq!(all("SELECT sequence, previous FROM entries"), [(1, 0), (2, 1), (3, 2), (5, 3)]);
    assert_eq!(all("SELECT sequence, person FROM directs"), [(4, 3)]);
    let of_persons = all("SELECT sequence, person FROM entries WHERE person IS NOT NULL");
    assert_eq!(of_persons, [(2, 4)], "who is imported is no person");
    assert_eq!(all("SELECT dropped, id FROM rooms"), [(0, 1)]);
    assert_eq!(all("SELECT value, 0 FROM properties WHERE name = 'forgotten'"), [(0, 0)]);
    // The log id given by the import stays, although the boot id has changed.
    assert_eq!(open_and_close(directory).log_id, after.log_id);
}

/// Returns the texts of the lobby that a search finds, at most 10, in the order of the log.
fn search_lobby(directory: &Path, words: &str) -> Vec<String> {
    let mut connection = open_to_read(&directory.join("chat.db"), None).unwrap();
    let clock = crate::os::Clock::start();
    let query = SearchQuery {
        text: SearchTerms::new(words).unwrap(),
        from: None,
        since: None,
        until: None,
        before: Sequence(u64::MAX),
        limit: 10,
    };
    let rooms = [(1, RoomName::new("lobby").unwrap())];
    let mut found = std::collections::BTreeMap::new();
    search::with_timeout(&mut connection, clock, |it| {
        search::find_matches(it, &rooms, &query, Sequence(u64::MAX), &mut found)
    })
    .unwrap();
    found.into_values().map(|it| it.draft.text.as_str().to_owned()).collect()
}

#[test]
fn imported_messages_are_searchable_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    server_log(directory);
    import_all(directory, &[message(1_000, "carla", 3, 1, "number nine")]);
    assert_eq!(search_lobby(directory, "number"), ["number nine", "number 101"]);
    assert_eq!(search_lobby(directory, "nine"), ["number nine"]);
}

/// Before the import, the log may lack its end, so it would get a new id. After the import, the log
/// keeps the id that the import gave it.
#[test]
fn log_id_of_an_import_survives_a_boot() {
    let directory = tempfile::tempdir().unwrap();
    let boot = |boot_id: &str| {
        let settings = StoreSettings {
            directory: directory.path().to_path_buf(),
            boot_id: Some(boot_id.to_owned()),
            ..StoreSettings::default()
        };
        SqliteLog::open(settings).unwrap().1.log_id
    };
    let first = boot("1");
    database(directory.path())
        .execute_batch("UPDATE properties SET value = 0 WHERE name = 'is_clean'")
        .unwrap();
    import_all(directory.path(), &[message(1, "anna", 1, 1, "a")]);
    let second = boot("2");
    assert_ne!(second, first);
    let header = parsed(&exported(directory.path())).0;
    let told = u128::from_str_radix(header["log_id"].as_str().unwrap(), 16).unwrap();
    assert_eq!(told.to_be_bytes(), second.0);
}

#[test]
fn bad_line_is_reported_and_nothing_is_imported() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    server_log(directory);
    let before = exported(directory);
    let good = file(&[message(1, "anna", 1, 1, "a"), message(2, "anna", 1, 2, "b")]);
    let good = String::from_utf8(good).unwrap();
    let long = " ".repeat(1 << 16);
    for (wrong, line, told) in [
        (good.replace("\"b\"", "\"\\u0007\""), 3, "control character"),
        (format!("{good}{{}}\n"), 4, "sequence"),
        (format!("{good}\n"), 4, "EOF"),
        (good[..good.len() - 5].to_owned(), 3, "EOF"),
        (good.replace("\"b\"", &format!("{long}\"b\"")), 3, "longer than"),
        (good.replace("\"format\"", &format!("{long}\"format\"")), 1, "longer than"),
        (good.replace("pi-chat-log", "cookbook"), 1, "pi-chat-log"),
        (String::new(), 1, "header"),
    ] {
        match import(directory, &mut wrong.as_bytes()) {
            Err(ArchiveError::Line { number, problem }) => {
                assert_eq!(number, line, "{problem}");
                assert!(problem.contains(told), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(exported(directory), before);
    }
    // Invalid UTF-8 is refused, too.
    let mut bytes = good.into_bytes();
    let last = bytes.iter().rposition(|it| *it == b'b').unwrap();
    bytes[last] = 0xff;
    assert!(matches!(
        import(directory, &mut bytes.as_slice()),
        Err(ArchiveError::Line { number: 3, .. })
    ));
    assert_eq!(exported(directory), before);
    check_without_faults(directory);
}

/// The search index is built in several batches. The links of a room skip messages of other rooms.
#[test]
fn import_of_12000_messages_is_indexed_and_linked() {
    let directory = tempfile::tempdir().unwrap();
    let one = |number: u64| TestMessage {
        room: format!("room{}", number % 7),
        ..message(number / 3, "anna", number % 11, number, "many words")
    };
    let all: Vec<_> = (0..12_000).map(one).collect();
    assert_eq!(import_all(directory.path(), &all), 12_000);
    let report = check_without_faults(directory.path());
    assert_eq!((report.messages, report.rooms), (12_000, 7));
    let connection = database(directory.path());
    let indexed = search::indexed_up_to(&connection).unwrap();
    assert_eq!(indexed, Sequence(12_000));
    assert!(
        recovery::restore_state(&connection, crate::model::LogId([0; 16])).unwrap().0.head
            == indexed
    );
}
