//! Tests of what remains of a removed message in the files of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::super::super::database::open_to_write;
use super::super::super::index_purge::IndexPurge;
use super::super::super::reader::ReadQueues;
use super::super::super::search;
use super::super::super::sequencer::{Sequencer, WriteRequest};
use super::super::super::settings::StoreSettings;
use super::super::super::store::Store;
use super::super::removed_texts::{
    ATTEMPTS_PER_WAIT, IMPATIENT_ATTEMPTS, READER_PATIENCE, WAL_TRUNCATION_DELAY,
    WAL_TRUNCATION_RETRY,
};
use super::super::{Writer, WriterState};
use crate::hub::{FactTicket, StorageHealth};
use crate::model::{
    Actor, Draft, FactDraft, MessageText, ModerationAction, NamedSession, Reference, RoomName,
    SearchQuery, SearchTerms, Sequence, SessionId, Timestamp, Username,
};
use crate::os::Clock;

/// Text of the message that is removed; it begins with [`WORD`].
const TEXT: &str = "xyzzyplugh is the word that nobody may read";

/// Word of [`TEXT`], by which the search index is searched.
const WORD: &str = "xyzzyplugh";

/// Writes [`TEXT`], as message 1, and 600 others. Returns the directory and the writer.
fn writer_with_text() -> (TempDir, Writer) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    fs::File::create(&path).unwrap();
    let clock = Clock::start();
    let mut writer = Writer {
        store: Store::new(open_to_write(&path, None).unwrap()).unwrap(),
        state: WriterState::new(clock.now(), BTreeSet::new()),
        sequencer: Sequencer::default(),
        settings: StoreSettings::default(),
        clock,
        events: unbounded_channel().0,
        read_queues: ReadQueues::new().0,
        queued_draft_bytes: Arc::new(AtomicUsize::new(0)),
    };
    let texts = [TEXT.to_owned()].into_iter().chain((0..600).map(|it| format!("message {it}")));
    writer.write_requests((1..).zip(texts).map(|(number, text)| say(number, &text)).collect());
    (directory, writer)
}

/// Returns the request to append a message.
fn say(number: u64, text: &str) -> WriteRequest {
    let text = MessageText::new(text).unwrap();
    let draft = Draft { reference: Reference(number), text, ..Draft::example() };
    WriteRequest::Draft(Timestamp(number), draft)
}

/// Returns the request of the owner to remove a message of session 1 in the lobby.
fn remove(message: Sequence) -> WriteRequest {
    let author = NamedSession { session: SessionId(1), username: Username::new("anna").unwrap() };
    let action = ModerationAction::MessageRemoved { room: RoomName::lobby(), message, author };
    let draft = FactDraft { actor: Actor::CommandLine, action, reason: None };
    WriteRequest::Fact(Timestamp(1), FactTicket(1), draft)
}

/// Returns the names of the files of a directory that contain these bytes.
fn files_with(directory: &Path, bytes: &str) -> Vec<String> {
    let has_bytes =
        |path: &Path| fs::read(path).unwrap().windows(bytes.len()).any(|it| it == bytes.as_bytes());
    let paths = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    let mut found: Vec<String> = paths
        .filter(|it| has_bytes(it))
        .map(|it| it.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

/// Lets the time of all timed tasks come, and runs them until maintenance is complete.
fn run_timed_tasks(writer: &mut Writer) {
    loop {
        let before = writer.store.try_truncate_wal(Duration::ZERO).unwrap();
        assert!(before, "nobody reads");
        let more = writer.run_maintenance().unwrap();
        if !more {
            break;
        }
    }
    writer.state.wal_truncation_at = writer.state.wal_truncation_at.map(|_| writer.clock.now());
    writer.run_due_tasks();
}

/// Before the message is indexed, no file contains its text after the write-ahead log was
/// truncated.
#[test]
fn text_leaves_all_files_when_the_write_ahead_log_is_truncated() {
    let (directory, mut writer) = writer_with_text();
    assert!(writer.store.try_truncate_wal(Duration::ZERO).unwrap());
    assert_eq!(files_with(directory.path(), TEXT), ["chat.db"]);
    writer.state.wal_truncation_at = None;
    writer.write_requests(vec![remove(Sequence(1))]);
    let due = writer.state.wal_truncation_at.unwrap();
    assert!(due.since(writer.clock.now()).as_secs() < 60, "within a minute");
    assert!(writer.next_due_at() <= due, "the thread wakes up for it");
    writer.state.wal_truncation_at = Some(writer.clock.now());
    writer.state.maintenance_at = due;
    writer.run_due_tasks();
    assert_eq!(writer.state.wal_truncation_at, None);
    assert_eq!(files_with(directory.path(), WORD), Vec::<String>::new());
    assert_eq!(files_with(directory.path(), "[removed]"), ["chat.db"]);
}

/// A reader keeps the write-ahead log from being truncated; the writer does not wait, and tries
/// again.
#[test]
fn truncation_is_tried_again_while_somebody_reads() {
    let (directory, mut writer) = writer_with_text();
    let reader = open_to_write(&directory.path().join("chat.db"), None).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").unwrap();
    writer.write_requests(vec![remove(Sequence(1))]);
    writer.state.wal_truncation_at = Some(writer.clock.now());
    writer.truncate_wal_if_due().unwrap();
    let again = writer.state.wal_truncation_at.unwrap();
    assert!(again > writer.clock.now());
    assert_eq!(files_with(directory.path(), TEXT), ["chat.db-wal"]);
    reader.execute_batch("COMMIT").unwrap();
    writer.state.wal_truncation_at = Some(writer.clock.now());
    writer.truncate_wal_if_due().unwrap();
    assert_eq!(writer.state.wal_truncation_at, None);
    assert_eq!(files_with(directory.path(), TEXT), Vec::<String>::new());
}

/// Reads without a pause from two connections until `is_over`: the next read begins before the last
/// one ends. Sends a message when it has begun.
fn read_without_pause(path: &Path, begun: &mpsc::Sender<()>, is_over: &AtomicBool) {
    let connections = [(), ()].map(|()| open_to_write(path, None).unwrap());
    let read = "BEGIN; SELECT count(*) FROM entries";
    connections[0].execute_batch(read).unwrap();
    begun.send(()).unwrap();
    for number in 1.. {
        connections[number % 2].execute_batch(read).unwrap();
        connections[(number + 1) % 2].execute_batch("COMMIT").unwrap();
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
}

/// Searches that follow each other without a pause do not keep a removed text in the write-ahead
/// log for longer than a minute: after some attempts, one waits for the reads that have begun.
#[test]
fn text_leaves_the_write_ahead_log_while_others_read_without_a_pause() {
    let (directory, mut writer) = writer_with_text();
    let path = directory.path().join("chat.db");
    writer.write_requests(vec![remove(Sequence(1))]);
    let first = open_to_write(&path, None).unwrap();
    first.execute_batch("BEGIN; SELECT count(*) FROM entries").unwrap();
    let mut waited = WAL_TRUNCATION_DELAY;
    let mut try_again = |writer: &mut Writer| {
        // Readers use the write-ahead log only while it has what the database has not.
        writer.write_requests(vec![say(700 + waited.as_secs(), "more")]);
        writer.state.wal_truncation_at = Some(writer.clock.now());
        writer.truncate_wal_if_due().unwrap();
        waited += WAL_TRUNCATION_RETRY;
        assert!(waited + READER_PATIENCE < Duration::from_secs(60));
        writer.state.wal_truncation_at.is_none()
    };
    for _ in 0..IMPATIENT_ATTEMPTS {
        let begin = writer.clock.now();
        assert!(!try_again(&mut writer));
        assert!(writer.clock.now().since(begin) < READER_PATIENCE, "it does not wait");
    }
    let is_over = AtomicBool::new(false);
    let (sender, begun) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| read_without_pause(&path, &sender, &is_over));
        begun.recv().unwrap();
        first.execute_batch("COMMIT").unwrap();
        let is_truncated = try_again(&mut writer);
        is_over.store(true, Ordering::Relaxed);
        assert!(is_truncated, "it waits for those that have begun");
    });
    assert_eq!(files_with(directory.path(), TEXT), Vec::<String>::new());
    assert_eq!(writer.state.failed_wal_truncations, 0);
}

/// Somebody who reads for long delays messages once a minute at most.
#[test]
fn one_attempt_in_twelve_waits() {
    let waits = (0..40).filter(|it| it % ATTEMPTS_PER_WAIT == IMPATIENT_ATTEMPTS);
    assert_eq!(waits.collect::<Vec<_>>(), [3, 15, 27, 39]);
    assert_eq!(WAL_TRUNCATION_RETRY * ATTEMPTS_PER_WAIT, Duration::from_secs(60));
}

/// The words of an indexed message are not found at once, and leave the file with the purge. The
/// next purge waits.
#[test]
fn words_leave_the_search_index_with_the_purge() {
    let (directory, mut writer) = writer_with_text();
    run_timed_tasks(&mut writer);
    assert_eq!(search::indexed_up_to(&writer.store.connection).unwrap(), Sequence(601));
    let found = |writer: &Writer| {
        let query = SearchQuery {
            text: SearchTerms::new(WORD).unwrap(),
            from: None,
            since: None,
            until: None,
            before: Sequence(u64::MAX),
            limit: 10,
        };
        let (mut found, rooms) = (BTreeMap::new(), [(1, RoomName::lobby())]);
        let connection = &writer.store.connection;
        search::find_matches(connection, &rooms, &query, Sequence(700), &mut found).unwrap();
        found.len()
    };
    assert_eq!(found(&writer), 1);
    writer.write_requests(vec![remove(Sequence(1))]);
    assert_eq!(found(&writer), 0);
    assert!(writer.store.try_truncate_wal(Duration::ZERO).unwrap());
    assert_eq!(files_with(directory.path(), TEXT), Vec::<String>::new());
    assert_eq!(files_with(directory.path(), WORD), ["chat.db"], "in the index");
    run_timed_tasks(&mut writer);
    assert_eq!(files_with(directory.path(), WORD), Vec::<String>::new());
    assert!(IndexPurge::of_request(&writer.store.connection).unwrap().is_none());
    writer.write_requests(vec![remove(Sequence(2))]);
    assert!(!writer.purge_index().unwrap(), "not each removal writes the index anew");
    assert!(IndexPurge::of_request(&writer.store.connection).unwrap().is_some());
    writer.state.index_purge_at = writer.clock.now();
    assert!(writer.purge_index().unwrap());
}

/// While the disk fails, a message that is committed in memory and removed is never written with
/// its text.
#[test]
fn text_that_was_removed_before_it_could_be_written_never_is() {
    let (directory, mut writer) = writer_with_text();
    let secret = "plover is another word";
    writer.enter_failure_mode(&rusqlite::Error::InvalidQuery, vec![say(700, secret)]);
    assert_eq!(writer.state.storage_health, StorageHealth::MemoryOnly);
    let message = writer.sequencer.head;
    writer.write_requests(vec![remove(message), remove(Sequence(1))]);
    let unwritten = writer.state.pending.unwritten();
    assert_eq!(unwritten.entries[0].draft.text, MessageText::removed());
    assert_eq!(unwritten.removals.len(), 2);
    writer.state.retry_at = writer.clock.now();
    writer.run_due_tasks();
    assert_eq!(writer.state.storage_health, StorageHealth::Sound);
    assert_eq!(files_with(directory.path(), secret), Vec::<String>::new());
    run_timed_tasks(&mut writer);
    assert_eq!(files_with(directory.path(), WORD), Vec::<String>::new());
    let ask = "SELECT count(*) FROM entries WHERE style = 2 AND text = '[removed]'";
    let count: i64 = writer.store.connection.query_row(ask, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}
