//! Tests of retention.

use super::super::database::{open_to_write, read_property};
use super::super::facts;
use super::super::sequencer::Change;
use super::super::store::{Store, SyncLevel};
use super::room_eviction::{MAX_ROOMS, RoomToEvict};
use super::*;
use crate::hub::{CLOCK_TRUST_AFTER, FactTicket};
use crate::model::{
    Actor, Draft, Fact, FactDraft, LogEntry, MessageText, ModerationAction, Moment, Reference,
    RoomName, RoomSetting, Target,
};
use crate::moderation::ModerationState;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Returns a store with one indexed message for each element of `rooms`. The first message is sent
/// on day 1, the second on day 2, and so on.
fn store(rooms: &[&str]) -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    std::fs::File::create(&path).unwrap();
    let mut store = Store::new(open_to_write(&path, None).unwrap()).unwrap();
    let changes: Vec<Change> = (1..).zip(rooms).map(|(at, room)| entry(at, room)).collect();
    store.write(&changes, SyncLevel::Ordered).unwrap();
    search::index_next(&store.connection, rooms.len()).unwrap();
    (directory, store)
}

/// Returns the change that inserts a message sent on this day since 1970. Its sequence equals the
/// day.
fn entry(day: u64, room: &str) -> Change {
    let draft = Draft {
        reference: Reference(day),
        target: Target::Room(RoomName::new(room).unwrap()),
        text: MessageText::new(&format!("word{day} {}", "filler ".repeat(100))).unwrap(),
        ..Draft::example()
    };
    let (sequence, time) = (Sequence(day), Timestamp(day * DAY_MILLIS));
    Change::Entry(LogEntry { sequence, previous: Sequence::ZERO, time, draft }.into())
}

/// Returns clock readings of this many milliseconds on both clocks.
fn now(milliseconds: u64) -> Now {
    let moment = Moment::after_start(Duration::from_millis(milliseconds));
    Now { moment, time: Timestamp(milliseconds) }
}

/// Runs retention steps for the rooms a and b until nothing is left to delete, and asserts that
/// both are then trimmed. Returns the results.
fn run_steps(store: &mut Store, retention: Retention, now: Now) -> Vec<RetentionStepResult> {
    let mut touched: BTreeSet<NameKey> = ["a", "b"].map(NameKey::of).into();
    let mut steps: Vec<RetentionStepResult> = Vec::new();
    while steps.last().is_none_or(|it| it.more) {
        let step = store.run_retention_step(retention, &touched, now, Sequence(1_000)).unwrap();
        touched.retain(|room| !step.trimmed.contains(room));
        steps.push(step);
    }
    assert!(touched.is_empty(), "not looked through: {touched:?}");
    steps
}

/// Runs retention at the start of a day, with a trusted clock. Returns the sequences of the
/// remaining messages.
fn run_retention(store: &mut Store, retention: Retention, day: u64) -> Vec<i64> {
    let hour = u64::try_from(CLOCK_TRUST_AFTER.as_millis()).unwrap();
    run_steps(store, retention, now(day * DAY_MILLIS - hour));
    run_steps(store, retention, now(day * DAY_MILLIS));
    remaining(store)
}

/// Returns the sequences of the remaining messages. Asserts that the search index has exactly
/// these.
fn remaining(store: &Store) -> Vec<i64> {
    let ask = |sql| {
        let mut statement = store.connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<Vec<i64>>>().unwrap()
    };
    let left = ask("SELECT sequence FROM entries ORDER BY sequence");
    assert_eq!(left, ask("SELECT rowid FROM found WHERE found MATCH 'filler' ORDER BY rowid"));
    left
}

/// Returns the greatest deleted sequence of a room (the column `dropped`).
fn dropped(store: &Store, room: &str) -> i64 {
    let ask = "SELECT dropped FROM rooms WHERE key = ?";
    store.connection.query_row(ask, [room], |row| row.get(0)).unwrap()
}

/// Each message older than two days is deleted, also one with a wrong timestamp. The head of the
/// log is stored.
#[test]
fn retention_deletes_messages_beyond_max_age() {
    let (_directory, mut store) = store(&["a", "b", "a", "b", "a"]);
    // A wrong timestamp does not protect a message.
    let Change::Entry(late) = entry(6, "b") else { panic!("no entry") };
    let wrong = LogEntry { time: Timestamp(1), ..(*late).clone() };
    store.write(&[Change::Entry(wrong.into())], SyncLevel::Ordered).unwrap();
    search::index_next(&store.connection, 10).unwrap();
    let retention = Retention { days: 2, ..Retention::default() };
    assert_eq!(run_retention(&mut store, retention, 5), [3, 4, 5]);
    assert_eq!((dropped(&store, "a"), dropped(&store, "b")), (1, 6));
    assert_eq!(run_retention(&mut store, retention, 20), Vec::<i64>::new());
    let head: Option<i64> = read_property(&store.connection, property::HEAD).unwrap();
    assert_eq!(head, Some(1_000), "the next message must not get the place of one that is gone");
}

#[test]
fn retention_deletes_oldest_messages_beyond_count_per_room() {
    let (_directory, mut store) = store(&["a", "b", "a", "a", "a", "b"]);
    let retention = Retention { messages: 3, ..Retention::default() };
    assert_eq!(run_retention(&mut store, retention, 9), [2, 3, 4, 5, 6]);
    assert_eq!((dropped(&store, "a"), dropped(&store, "b")), (1, 0));
}

/// The newest facts are kept, and the head of the log is stored. The moderation state stays whole.
#[test]
fn retention_deletes_oldest_facts_but_not_the_state() {
    let (_directory, mut store) = store(&["a"]);
    let mut state = ModerationState::default();
    let changes: Vec<Change> = (2..=300)
        .map(|number| {
            let room = RoomName::new(&format!("room{number}")).unwrap();
            let action = ModerationAction::RoomSet { room, setting: RoomSetting::Moderated(true) };
            let draft = FactDraft { actor: Actor::CommandLine, action, reason: None };
            let (sequence, time) = (Sequence(number), Timestamp(0));
            let fact = Arc::new(Fact { sequence, time, draft, is_effective: true });
            let change = state.apply(&fact);
            Change::Fact(FactTicket(number), fact, change)
        })
        .collect();
    store.write(&changes, SyncLevel::Ordered).unwrap();
    let mut progress = RetentionProgress::default();
    for (deleted, left) in [(MAX_DELETED_PER_STEP, 43), (23, 20), (0, 20)] {
        let mut step = RetentionStep {
            connection: &store.connection,
            progress: &mut progress,
            delete_budget: MAX_DELETED_PER_STEP,
            count_budget: MAX_COUNTED_PER_STEP,
        };
        step.delete_excess_facts(20).unwrap();
        assert_eq!(step.delete_budget, MAX_DELETED_PER_STEP - deleted);
        let ask = "SELECT count(*), max(sequence) FROM facts";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        assert_eq!(store.connection.query_row(ask, [], read).unwrap(), (left, 300));
    }
    assert_eq!(facts::read_state(&store.connection).unwrap(), state);
}

#[test]
fn retention_by_size_keeps_the_last_10_of_each_room() {
    let mut rooms = vec!["b"; 3];
    rooms.extend(["a"; 700]);
    let (_directory, mut store) = store(&rooms);
    let full = used_bytes(&store.connection).unwrap();
    let retention = Retention { bytes: full / 2, ..Retention::default() };
    let left = run_retention(&mut store, retention, 9_999);
    assert!(used_bytes(&store.connection).unwrap() <= full / 2);
    assert!(left.len() > 50, "no more than has to be: {}", left.len());
    assert_eq!(left[..3], [1, 2, 3], "what a newcomer gets stays");
    let retention = Retention { bytes: 1, ..Retention::default() };
    assert_eq!(run_retention(&mut store, retention, 9_999).len(), 13);
}

#[test]
fn retention_by_age_waits_until_the_clock_is_trusted() {
    let (_directory, mut store) = store(&["a"; 5]);
    let retention = Retention { days: 2, ..Retention::default() };
    let hour = CLOCK_TRUST_AFTER;
    let mut left_at = |time: u64, passed: Duration| {
        let now = Now { moment: Moment::after_start(passed), time: Timestamp(time) };
        run_steps(&mut store, retention, now);
        remaining(&store).len()
    };
    let minute = Duration::from_secs(60);
    let at =
        |day: u64, passed: Duration| day * DAY_MILLIS + u64::try_from(passed.as_millis()).unwrap();
    assert_eq!(left_at(at(9_999, Duration::ZERO), Duration::ZERO), 5, "just started");
    assert_eq!(left_at(at(5, minute), minute), 5, "set right");
    assert_eq!(left_at(at(5, hour), hour), 5, "right for less than an hour");
    assert_eq!(left_at(at(9_999, 2 * hour), 2 * hour), 5, "years ahead");
    assert_eq!(left_at(at(5, 3 * hour), 3 * hour), 5, "set right again");
    assert_eq!(left_at(at(5, 4 * hour), 4 * hour), 2, "right for an hour");
}

/// A step deletes at most 256 messages of all rooms together. Rooms that were not passed to the
/// step are not trimmed. Messages that arrive later are counted too.
#[test]
fn retention_step_deletes_a_bounded_number_of_messages() {
    let rooms: Vec<&str> = ["a", "b", "c"].into_iter().cycle().take(900).collect();
    let (_directory, mut store) = store(&rooms);
    let retention = Retention { messages: 50, ..Retention::default() };
    let touched: BTreeSet<NameKey> = ["a", "b", "c"].map(NameKey::of).into();
    let step = store.run_retention_step(retention, &touched, now(0), Sequence(900)).unwrap();
    assert_eq!(remaining(&store).len(), 900 - MAX_DELETED_PER_STEP, "for all rooms together");
    assert!(step.more && step.trimmed == [NameKey::of("a")], "{step:?}");
    run_steps(&mut store, retention, now(0));
    assert_eq!(remaining(&store).len(), 300 + 2 * 50, "in c nothing was looked for");
    // New messages are counted; deleted ones are not.
    let changes: Vec<Change> = (901..=960).map(|day| entry(day, "a")).collect();
    store.write(&changes, SyncLevel::Ordered).unwrap();
    search::index_next(&store.connection, 100).unwrap();
    assert_eq!(run_steps(&mut store, retention, now(0)).len(), 1);
    let kept = remaining(&store);
    assert_eq!((kept.len(), kept[kept.len() - 50]), (400, 911));
}

/// After a step that was rolled back, messages are counted anew, so the next steps delete the right
/// number.
#[test]
fn failed_retention_step_resets_message_counts() {
    let (_directory, mut store) = store(&["a"; 30]);
    let retention = Retention { messages: 20, ..Retention::default() };
    let fail = "CREATE TEMP TRIGGER fail BEFORE DELETE ON entries WHEN old.sequence = 5
                BEGIN SELECT raise(ABORT, 'the disk is full'); END";
    store.connection.execute_batch(fail).unwrap();
    let touched = BTreeSet::from([NameKey::of("a")]);
    store.run_retention_step(retention, &touched, now(0), Sequence(30)).unwrap_err();
    store.connection.execute_batch("DROP TRIGGER fail").unwrap();
    run_steps(&mut store, retention, now(0));
    assert_eq!(remaining(&store), (11..=30).collect::<Vec<_>>());
}

/// Each call counts only the messages that earlier calls have not counted.
#[test]
fn message_count_resumes_where_it_stopped() {
    let (_directory, store) = store(&["a"; 30]);
    let mut counts = MessageCounts::default();
    let mut count = |mut most| counts.count_more(&store.connection, 1, &mut most).unwrap();
    assert_eq!([count(20), count(20), count(20)], [(20, false), (30, true), (30, true)]);
}

/// The rooms with one message are evicted, oldest first. The lobby, which has 10 messages, stays.
#[test]
fn eviction_deletes_rooms_with_fewest_messages_first() {
    let most = usize::try_from(MAX_ROOMS + MAX_ROOMS / 8).unwrap();
    let names: Vec<String> = (0..most).map(|number| format!("room{number}")).collect();
    let mut rooms = vec!["lobby"; 10];
    rooms.extend(names.iter().map(String::as_str));
    let (_directory, mut store) = store(&rooms);
    let steps = run_steps(&mut store, Retention::default(), now(0));
    assert!(steps.iter().all(|it| it.evicted.len() <= MAX_DELETED_PER_STEP));
    let gone: Vec<&NameKey> = steps.iter().flat_map(|it| &it.evicted).collect();
    assert_eq!(gone.len(), names.len() + 1 - usize::try_from(MAX_ROOMS).unwrap());
    let first: Vec<NameKey> = names[..gone.len()].iter().map(|it| NameKey::of(it)).collect();
    assert!(gone.into_iter().eq(&first), "the quietest, but not the lobby");
    let forgotten: Option<i64> = read_property(&store.connection, property::EVICTED_UP_TO).unwrap();
    assert_eq!(forgotten, Some(i64::try_from(first.len()).unwrap() + 10));
}

/// A large room is evicted in several steps. If the room gets a message between two steps, it keeps
/// its other messages.
#[test]
fn room_eviction_takes_several_steps_and_stops_if_the_room_is_used() {
    for somebody_speaks in [false, true] {
        let (_directory, mut store) = store(&["a"; 300]);
        let mut progress = RetentionProgress::default();
        progress.eviction_queue.push_back(RoomToEvict { room_id: 1, last_sequence: 300 });
        let mut step = |store: &mut Store| {
            let touched = BTreeSet::new();
            let none = Retention::default();
            run_step(&mut store.connection, &mut progress, none, &touched, now(0), Sequence(400))
                .unwrap()
        };
        let first = step(&mut store);
        assert!(first.more && first.evicted.is_empty(), "{first:?}");
        assert_eq!(remaining(&store).len(), 300 - MAX_DELETED_PER_STEP);
        if somebody_speaks {
            store.write(&[entry(301, "a")], SyncLevel::Ordered).unwrap();
            search::index_next(&store.connection, 1).unwrap();
        }
        let second = step(&mut store);
        assert_eq!((second.more, second.evicted.len()), (false, usize::from(!somebody_speaks)));
        assert_eq!(
            remaining(&store).len(),
            if somebody_speaks { 301 - MAX_DELETED_PER_STEP } else { 0 }
        );
        if somebody_speaks {
            assert_eq!(dropped(&store, "a"), i64::try_from(MAX_DELETED_PER_STEP).unwrap());
        }
    }
}

/// A room with a damaged name or key is evicted like any other. The rooms behind it are evicted
/// too.
#[test]
fn damaged_room_names_do_not_stall_eviction() {
    let (_directory, mut store) = store(&["a", "b", "c"]);
    let damage = "UPDATE rooms SET name = '' WHERE key = 'a';
                  UPDATE rooms SET name = 'x y', key = CAST(x'ff' AS TEXT) WHERE key = 'b'";
    store.connection.execute_batch(damage).unwrap();
    let mut progress = RetentionProgress::default();
    progress
        .eviction_queue
        .extend((1..=3).map(|it| RoomToEvict { room_id: it, last_sequence: it }));
    let none = Retention::default();
    let touched = BTreeSet::new();
    let step = run_step(&mut store.connection, &mut progress, none, &touched, now(0), Sequence(3))
        .unwrap();
    assert_eq!(step.evicted, ["a", "c"].map(NameKey::of));
    assert_eq!(remaining(&store), [0_i64; 0]);
    assert_eq!(read_property(&store.connection, property::EVICTED_UP_TO).unwrap(), Some(3));
}

#[test]
fn deleted_text_is_overwritten_in_the_file() {
    let (directory, mut store) = store(&["a"; 700]);
    let retention = Retention { messages: 10, ..Retention::default() };
    assert_eq!(run_retention(&mut store, retention, 9_999).len(), 10);
    store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = std::fs::read(directory.path().join("chat.db")).unwrap();
    let file = String::from_utf8_lossy(&file);
    let after_word = file.split("word").filter_map(|it| it.split_once(" filler filler"));
    let left: BTreeSet<u64> = after_word.filter_map(|(day, _)| day.parse().ok()).collect();
    assert_eq!(left, (691..=700).collect());
}
