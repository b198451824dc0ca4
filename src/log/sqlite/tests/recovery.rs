//! Tests of recovery: log id, server id, last references.

use std::fs;
use std::future::poll_fn;
use std::path::Path;

use super::super::*;
use crate::hub::ReadRange;
use crate::identity::KeyPair;
use crate::model::{
    Draft, IdentityKey, LogEntry, LogId, Moment, Reference, Sequence, ServerId, SessionId,
    SessionRecord, Timestamp, TokenHash, Username,
};

/// Opens and closes the log of a directory, with this boot id in place of the operating system's.
/// If `closes` is false, then marks the log as not properly closed, as after a kill. Returns the
/// log id.
fn open(directory: &Path, boot_id: &str, durability: Durability, closes: bool) -> LogId {
    let settings = StoreSettings {
        directory: directory.join("log"),
        durability,
        boot_id: Some(boot_id.to_owned()),
        ..StoreSettings::default()
    };
    let (log, restored) = SqliteLog::open(settings).unwrap();
    drop(log);
    if !closes {
        let path = directory.join("log").join("chat.db");
        let connection = database::open_to_write(&path, None).unwrap();
        database::write_property(&connection, database::property::IS_CLEAN, 0).unwrap();
    }
    restored.log_id
}

/// The log gets a new id only if the system went down while the log was open, and commits were not
/// synced.
#[test]
fn log_id_changes_only_if_the_end_may_be_lost() {
    let directory = tempfile::tempdir().unwrap();
    let open = |boot_id, durability, closes| open(directory.path(), boot_id, durability, closes);
    let first = open("1", Durability::Relaxed, true);
    assert_eq!(open("2", Durability::Relaxed, false), first, "it was closed");
    assert_eq!(open("2", Durability::Relaxed, false), first, "the process was killed");
    let second = open("3", Durability::Strict, false);
    assert_ne!(second, first, "the system went down");
    assert_eq!(open("4", Durability::Relaxed, true), second, "everything was synced");
}

/// A copy in the place of the original is recognised by its inode number, once.
#[test]
fn copied_database_gets_a_new_log_id() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path(), "1", Durability::Strict, true);
    let path = directory.path().join("log").join("chat.db");
    let bytes = fs::read(&path).unwrap();
    fs::write(path.with_extension("copy"), bytes).unwrap();
    fs::rename(path.with_extension("copy"), &path).unwrap();
    let second = open(directory.path(), "1", Durability::Strict, true);
    assert_ne!(second, first);
    assert_eq!(open(directory.path(), "1", Durability::Strict, true), second);
}

/// Opens and closes the log of a directory. Returns its server id.
fn server_id(directory: &Path) -> ServerId {
    let directory = directory.join("log");
    let (log, _) = SqliteLog::open(StoreSettings { directory, ..Default::default() }).unwrap();
    log.server_id()
}

/// A copy of the database has the same server id. Another database has another one.
#[test]
fn server_id_moves_with_the_database() {
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [origin, copy, other] = directories.each_ref().map(tempfile::TempDir::path);
    let id = server_id(origin);
    assert_eq!(server_id(origin), id);
    fs::create_dir(copy.join("log")).unwrap();
    fs::copy(origin.join("log/chat.db"), copy.join("log/chat.db")).unwrap();
    assert_eq!(server_id(copy), id);
    assert_ne!(server_id(other), id);
}

/// Opens and closes the log of a directory. Returns its server key.
fn server_key(directory: &Path) -> IdentityKey {
    let directory = directory.join("log");
    let (log, _) = SqliteLog::open(StoreSettings { directory, ..Default::default() }).unwrap();
    log.server_key()
}

/// The server key stays, moves with the database, and is another one in another database. What is
/// stored is the pair whose public half is told.
#[test]
fn server_key_moves_with_the_database() {
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [origin, copy, other] = directories.each_ref().map(tempfile::TempDir::path);
    let key = server_key(origin);
    assert_eq!(server_key(origin), key);
    let path = origin.join("log/chat.db");
    let connection = database::open_to_read(&path, None).unwrap();
    let stored: [u8; 64] =
        database::read_property(&connection, database::property::SERVER_KEY).unwrap().unwrap();
    drop(connection);
    let (seed, public) = stored.split_at(32);
    assert_eq!(KeyPair::from_seed(seed.try_into().unwrap()).public(), key);
    assert_eq!(public, key.0);
    fs::create_dir(copy.join("log")).unwrap();
    fs::copy(path, copy.join("log/chat.db")).unwrap();
    assert_eq!(server_key(copy), key);
    assert_ne!(server_key(other), key);
}

/// A key pair of another length is an error: it is not replaced.
#[test]
fn damaged_server_key_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    server_key(directory.path());
    let path = directory.path().join("log/chat.db");
    let connection = database::open_to_write(&path, None).unwrap();
    database::write_property(&connection, database::property::SERVER_KEY, [1_u8; 32]).unwrap();
    drop(connection);
    let settings = StoreSettings { directory: directory.path().join("log"), ..Default::default() };
    assert!(SqliteLog::open(settings).is_err());
    let connection = database::open_to_read(&path, None).unwrap();
    let stored = database::read_property(&connection, database::property::SERVER_KEY);
    assert_eq!(stored.unwrap(), Some([1_u8; 32]));
}

/// Returns a draft for the lobby, as a proposal.
fn draft(session: u64, reference: u64) -> Proposal {
    let (session, reference) = (SessionId(session), Reference(reference));
    Proposal::Message(Draft { session, reference, ..Draft::example() })
}

/// Returns the record of session 1, which has sent nothing.
fn record() -> SessionRecord {
    SessionRecord {
        session: SessionId(1),
        token: TokenHash([1; 32]),
        username: Username::new("anna").unwrap(),
        away_since: None,
        last_reference: Reference(0),
        refused: Vec::new(),
        keeps_name: false,
        key: None,
    }
}

/// If drafts after a clock change are refused because too many wait, the clock change is reported
/// with the next committed ones.
#[test]
fn clock_change_before_messages_beyond_the_queue_is_reported_later() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("log");
    let (mut log, _) = SqliteLog::open(StoreSettings { directory, ..Default::default() }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut append = |time, reference, queued_bytes| {
        log.queued_draft_bytes.fetch_add(queued_bytes, Ordering::Relaxed);
        let now = Now { moment: Moment::START, time: Timestamp(time) };
        log.propose(now, vec![draft(1, reference)]);
        log.queued_draft_bytes.fetch_sub(queued_bytes, Ordering::Relaxed);
        match runtime.block_on(poll_fn(|context| log.poll_event(context))).unwrap() {
            LogEvent::Committed { clock_was_set, .. } => Some(clock_was_set),
            LogEvent::NotStored { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(append(1_000_000, 1, 0), Some(false));
    assert_eq!(append(1, 2, MAX_QUEUED_DRAFT_BYTES), None);
    assert_eq!(append(1, 3, 0), Some(true));
    assert_eq!(append(1, 4, 0), Some(false));
}

/// If the queue of drafts is full, only the drafts of a call are refused. Its changes of sessions
/// take effect.
#[test]
fn full_queue_refuses_messages_but_not_session_records() {
    let parent = tempfile::tempdir().unwrap();
    let settings = StoreSettings { directory: parent.path().join("log"), ..Default::default() };
    let (mut log, _) = SqliteLog::open(settings.clone()).unwrap();
    log.queued_draft_bytes.fetch_add(MAX_QUEUED_DRAFT_BYTES, Ordering::Relaxed);
    let now = Now { moment: Moment::START, time: Timestamp(1) };
    log.propose(now, vec![draft(1, 7), Proposal::PersistSession(record()), draft(2, 8)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (session, reference) in [(1, 7), (2, 8)] {
        let event = runtime.block_on(poll_fn(|context| log.poll_event(context)));
        let (session, reference) = (SessionId(session), Reference(reference));
        let ticket = Ticket::Message { session, reference };
        assert_eq!(event, Some(LogEvent::NotStored { ticket, reason: NotStoredReason::Storage }));
    }
    drop(log);
    let (_log, restored) = SqliteLog::open(settings).unwrap();
    assert_eq!((restored.head, restored.sessions), (Sequence::ZERO, vec![record()]));
}

/// After a kill, the log knows the references of messages that retention has deleted. So none of
/// these messages is accepted twice.
#[test]
fn last_reference_survives_retention_and_a_kill() {
    let parent = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        directory: parent.path().join("log"),
        retention: Retention { messages: 10, ..Retention::default() },
        ..StoreSettings::default()
    };
    let (mut log, _) = SqliteLog::open(settings.clone()).unwrap();
    let now = Now { moment: Moment::START, time: Timestamp(1) };
    log.propose(now, vec![Proposal::PersistSession(record())]);
    log.propose(now, (1..=5).map(|it| draft(1, it)).collect());
    log.propose(now, (1..=600).map(|it| draft(2, it)).collect());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut is_forgotten = || {
        let range = ReadRange::Before(Sequence(10), 1);
        let rooms = vec![RoomName::lobby()];
        log.read(ReadTag::without_hub(), ReadRequest { rooms, session: None, range });
        loop {
            match runtime.block_on(poll_fn(|context| log.poll_event(context))).unwrap() {
                LogEvent::ReadDone { outcome, .. } => return outcome.unwrap().entries.is_empty(),
                LogEvent::Committed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert!((0..100_000).any(|_| is_forgotten()));
    // These are the files as a killed process leaves them.
    let copy = parent.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["chat.db", "chat.db-wal"] {
        fs::copy(settings.directory.join(name), copy.join(name)).unwrap();
    }
    let (_log, restored) = SqliteLog::open(StoreSettings { directory: copy, ..settings }).unwrap();
    assert_eq!(restored.sessions[0].last_reference, Reference(5));
}

/// Returns drafts of a session for the lobby, as proposals.
fn drafts(session: u64, references: std::ops::RangeInclusive<u64>) -> Vec<Proposal> {
    references.map(|it| draft(session, it)).collect()
}

/// Returns the stored sequences up to which the session records are right, by session.
fn noted(directory: &Path) -> Vec<u64> {
    let connection = database::open_to_read(&directory.join("chat.db"), None).unwrap();
    let mut sessions = rows::read_sessions(&connection).unwrap();
    sessions.sort_by_key(|(record, _)| record.session);
    sessions.into_iter().map(|(_, noted)| noted.0).collect()
}

/// The record of a silent session does not make each start read all later messages. One with refused
/// messages does, for it may have to be corrected.
#[test]
fn start_reads_no_messages_for_the_sake_of_silent_sessions() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("log");
    let settings = StoreSettings { directory: directory.clone(), ..Default::default() };
    let (mut log, _) = SqliteLog::open(settings.clone()).unwrap();
    let now = Now { moment: Moment::START, time: Timestamp(1) };
    let refused = vec![Reference(7)];
    let second = SessionRecord { session: SessionId(2), refused, ..record() };
    log.propose(now, vec![Proposal::PersistSession(record())]);
    log.propose(now, vec![Proposal::PersistSession(second.clone())]);
    let count = store::MAX_NOTED_LAG + 1;
    log.propose(now, drafts(3, 1..=count));
    drop(log);
    assert_eq!(noted(&directory), [count, 0]);
    let (mut log, restored) = SqliteLog::open(settings.clone()).unwrap();
    assert_eq!(restored.sessions, [record(), second.clone()]);
    // The refused message is sent again after all.
    log.propose(now, drafts(2, 7..=7));
    drop(log);
    let (_log, restored) = SqliteLog::open(settings).unwrap();
    let corrected = SessionRecord { refused: vec![], last_reference: Reference(7), ..second };
    assert_eq!(restored.sessions, [record(), corrected]);
}

/// What a start has found out about a session after a kill is stored before the start after that
/// need not look for it any more.
#[test]
fn last_reference_survives_a_kill_and_many_later_messages() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("log");
    let settings = StoreSettings { directory: directory.clone(), ..Default::default() };
    let (mut log, _) = SqliteLog::open(settings.clone()).unwrap();
    let now = Now { moment: Moment::START, time: Timestamp(1) };
    log.propose(now, vec![Proposal::PersistSession(record())]);
    drop(log);
    // A process that was killed has left messages, and no last reference.
    let connection = database::open_to_write(&directory.join("chat.db"), None).unwrap();
    let room = "INSERT INTO rooms (id, key, name) VALUES (1, 'lobby', 'lobby')";
    connection.execute(room, []).unwrap();
    let mut insert = rows::RoomEntryInsert::prepare(&connection).unwrap();
    for number in 1..=5 {
        let draft =
            Draft { session: SessionId(1), reference: Reference(number), ..Draft::example() };
        let (sequence, previous) = (Sequence(number), Sequence(number - 1));
        insert.insert(1, &LogEntry { sequence, previous, time: Timestamp(1), draft }).unwrap();
    }
    drop(insert);
    drop(connection);
    let (mut log, restored) = SqliteLog::open(settings.clone()).unwrap();
    assert_eq!(restored.sessions[0].last_reference, Reference(5));
    log.propose(now, drafts(2, 1..=store::MAX_NOTED_LAG + 1));
    drop(log);
    assert_eq!(noted(&directory), [store::MAX_NOTED_LAG + 6]);
    let (_log, restored) = SqliteLog::open(settings).unwrap();
    assert_eq!(restored.sessions[0].last_reference, Reference(5));
}
