//! Tests of the writer on a full disk: a database that may not grow.

mod persons;
mod read_marks;
mod removed_texts;

use std::sync::atomic::AtomicUsize;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::database::open_to_write;
use super::super::sequence_gaps::{self, MIN_GAP};
use super::super::settings::OnFailure;
use super::failure::retry_pause;
use super::*;
use crate::hub::LogItem;
use crate::model::{Draft, MessageText, Reference, SessionId, Timestamp};

/// Writer with a database of its own, and the values that its tests check.
struct Fixture {
    /// Writer under test.
    writer: Writer,
    /// Events that the writer has sent.
    events: UnboundedReceiver<LogEvent>,
    /// Number of transactions that have failed.
    failed: Arc<AtomicUsize>,
    /// Number of transactions that were committed.
    committed: Arc<AtomicUsize>,
    /// Number of messages written so far, in the database or in memory.
    messages: u64,
    /// Directory of the database.
    _directory: TempDir,
}

impl Fixture {
    /// Creates a writer on a disk with space. It has no reader threads, so its reads fail.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        std::fs::File::create(&path).unwrap();
        let mut connection = open_to_write(&path, None).unwrap();
        let [failed, committed] = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
        let count = failed.clone();
        let hook = move || _ = count.fetch_add(1, Ordering::Relaxed);
        connection.rollback_hook(Some(hook)).unwrap();
        let count = committed.clone();
        let hook = move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.commit_hook(Some(hook)).unwrap();
        let clock = Clock::start();
        let (sender, events) = unbounded_channel();
        let writer = Writer {
            store: Store::new(connection).unwrap(),
            state: WriterState::new(clock.now(), BTreeSet::new()),
            sequencer: Sequencer::default(),
            settings: StoreSettings::default(),
            clock,
            events: sender,
            read_queues: ReadQueues::new().0,
            queued_draft_bytes: Arc::default(),
        };
        let messages = 0;
        Self { writer, events, failed, committed, messages, _directory: directory }
    }

    /// Simulates a full disk if `is_full`: the database cannot grow. Otherwise lets it grow again.
    fn set_full(&self, is_full: bool) {
        let connection = &self.writer.store.connection;
        let pages: i64 =
            connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let most = if is_full { pages } else { pages * 1_000 };
        connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
    }

    /// Lets the writer write a message of 4,000 bytes, and then run its due tasks.
    fn say(&mut self) {
        self.write(vec![]);
    }

    /// Lets the writer write a message as [`Self::say`] does, after these other requests.
    fn write(&mut self, mut requests: Vec<WriteRequest>) {
        self.messages += 1;
        let reference = Reference(self.messages);
        let text = MessageText::new(&"x".repeat(4_000)).unwrap();
        let draft = Draft { reference, text, ..Draft::example() };
        requests.push(WriteRequest::Draft(Timestamp(self.messages), draft));
        self.writer.write_requests(requests);
        self.writer.run_due_tasks();
    }

    /// Removes the events that the writer has sent. Returns the `clock_was_set` of each `Committed`
    /// event among them.
    fn take_clock_changes(&mut self) -> Vec<bool> {
        let mut changes = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let LogEvent::Committed { clock_was_set, .. } = event {
                changes.push(clock_was_set);
            }
        }
        changes
    }

    /// Removes the events that the writer has sent. Returns the items of the `Committed` events
    /// among them.
    fn take_items(&mut self) -> Vec<LogItem> {
        let mut all = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let LogEvent::Committed { items, .. } = event {
                all.extend(items);
            }
        }
        all
    }

    /// Returns the number of messages in the database.
    fn stored(&self) -> u64 {
        let ask = "SELECT count(*) FROM entries";
        let count: i64 = self.writer.store.connection.query_row(ask, [], |row| row.get(0)).unwrap();
        count.cast_unsigned()
    }
}

/// While the disk is full, the thread sleeps until its next attempt to write, even if messages are
/// unsynced. Otherwise it would spin, because nothing is synced meanwhile.
#[test]
fn writer_rests_between_attempts_while_the_disk_is_full() {
    let mut fixture = Fixture::new();
    fixture.say();
    fixture.writer.state.is_unsynced = true;
    fixture.set_full(true);
    fixture.say();
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::MemoryOnly);
    for _ in 0..1_000 {
        fixture.say();
        assert_eq!(fixture.writer.next_due_at(), fixture.writer.state.retry_at);
    }
}

/// While the disk is full, the writer tries to write at most every two seconds, once for all
/// messages that wait. When the disk has space again, one transaction writes all of them.
#[test]
fn one_attempt_covers_all_messages_that_wait() {
    let mut fixture = Fixture::new();
    fixture.say();
    fixture.set_full(true);
    let begin = fixture.writer.clock.now();
    for _ in 0..1_000 {
        fixture.say();
    }
    // Allows for one attempt at the first moment and one at the last.
    let most = 2 + fixture.writer.clock.now().since(begin).as_secs() / RETRY_INTERVAL.as_secs();
    let attempts = fixture.failed.load(Ordering::Relaxed) as u64;
    assert!((1..=most).contains(&attempts), "{attempts} attempts");
    assert_eq!(fixture.stored(), 1);
    fixture.set_full(false);
    let before = fixture.committed.load(Ordering::Relaxed);
    fixture.writer.state.retry_at = fixture.writer.clock.now();
    fixture.writer.run_due_tasks();
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::Sound);
    assert_eq!(fixture.committed.load(Ordering::Relaxed) - before, 2, "the messages, and a sync");
    assert_eq!(fixture.stored(), fixture.messages);
    let committed = fixture.take_items().iter().filter_map(LogItem::entry).count() as u64;
    assert_eq!(committed, fixture.messages, "each was delivered");
}

/// When the disk begins to fail, the log reports the sequences that it skips as a void: before the
/// first message behind it, and also if no message follows. Once written, the same ranges are
/// restored after a restart. A log that refuses messages skips nothing.
#[test]
fn skipped_sequences_are_reported_as_voids() {
    let mut fixture = Fixture::new();
    fixture.say();
    for is_followed in [true, false] {
        fixture.set_full(true);
        let before = fixture.writer.sequencer.head;
        if is_followed {
            fixture.say();
        } else {
            fixture.writer.enter_failure_mode(&rusqlite::Error::InvalidQuery, vec![]);
        }
        fixture.set_full(false);
        fixture.writer.state.retry_at = fixture.writer.clock.now();
        fixture.writer.run_due_tasks();
        assert_eq!(fixture.writer.state.storage_health, StorageHealth::Sound);
        let items = fixture.take_items();
        let [.., LogItem::Void { after, up_to }] = items[..items.len() - usize::from(is_followed)]
        else {
            panic!("{items:?}");
        };
        assert!(after == before && up_to.0 >= after.0 + MIN_GAP, "{items:?}");
        let next = items.last().and_then(LogItem::entry).map(|it| it.sequence);
        assert_eq!(next, is_followed.then(|| up_to.next()));
        let stored = sequence_gaps::read_all(&fixture.writer.store.connection).unwrap();
        assert_eq!(stored.last(), Some(&(after, up_to)));
    }
    fixture.say();
    assert_eq!(fixture.take_items().len(), 1, "no void once the disk works");
    fixture.writer.settings.on_failure = OnFailure::Refuse;
    fixture.set_full(true);
    fixture.say();
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::Refusing);
    assert_eq!(fixture.take_items(), []);
}

/// Maintenance that fails is tried again after 256 further messages, or after its interval, rather
/// than with each message.
#[test]
fn failed_maintenance_is_not_tried_with_each_message() {
    let mut fixture = Fixture::new();
    fixture.writer.store.connection.execute_batch("DROP TABLE sessions; DROP TABLE found").unwrap();
    let mut attempts = BTreeSet::new();
    for _ in 0..600 {
        fixture.say();
        attempts.insert(fixture.writer.state.maintenance_at);
        assert!(fixture.writer.state.index_schedule.due_at() > fixture.writer.clock.now());
    }
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::Sound);
    assert_eq!(attempts.len(), 3, "at the start, and after 256 and 512 messages");
}

/// If a draft after a clock change is refused, the clock change is reported with the next draft
/// that is committed.
#[test]
fn clock_change_before_a_refused_message_is_reported_later() {
    let mut fixture = Fixture::new();
    fixture.writer.settings.on_failure = OnFailure::Refuse;
    fixture.say();
    fixture.set_full(true);
    fixture.write(vec![WriteRequest::ClockSet]);
    fixture.say();
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::Refusing);
    fixture.set_full(false);
    fixture.writer.state.retry_at = fixture.writer.clock.now();
    fixture.writer.run_due_tasks();
    assert_eq!(fixture.take_clock_changes(), [false]);
    fixture.writer.write_requests(vec![WriteRequest::DeleteSession(SessionId(7))]);
    fixture.say();
    fixture.say();
    assert_eq!(fixture.take_clock_changes(), [true, false]);
}

/// The pause after an attempt is 20 times its duration, but from 2 to 60 seconds.
#[test]
fn attempts_that_take_long_are_made_less_often() {
    for (duration, pause) in [(0, 2_000), (100, 2_000), (1_000, 20_000), (90_000, 60_000)] {
        let (duration, pause) = (Duration::from_millis(duration), Duration::from_millis(pause));
        assert_eq!(retry_pause(duration), pause);
    }
}
