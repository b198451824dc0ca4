//! Steps of the search index: bounded in messages and in bytes.

use super::super::database::open_to_write;
use super::super::search::{self, IndexStep};
use super::super::sequencer::Change;
use super::super::store::{Store, SyncLevel};
use crate::model::{Draft, LogEntry, MessageText, Reference, Sequence, Timestamp};

/// Returns the change that inserts a message with a text of this length.
fn entry(sequence: u64, length: usize) -> Change {
    let draft = Draft {
        reference: Reference(sequence),
        text: MessageText::new(&"x".repeat(length)).unwrap(),
        ..Draft::example()
    };
    let (sequence, previous) = (Sequence(sequence), Sequence::ZERO);
    Change::Entry(LogEntry { sequence, previous, time: Timestamp(1), draft }.into())
}

/// Long messages are indexed a few at a time, so that new messages do not wait for them.
#[test]
fn index_step_ends_at_its_limit_of_messages_or_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    std::fs::File::create(&path).unwrap();
    let mut store = Store::new(open_to_write(&path, None).unwrap()).unwrap();
    let changes: Vec<Change> =
        (1..=10).map(|it| entry(it, if it <= 4 { 10 } else { 4_000 })).collect();
    store.write(&changes, SyncLevel::Ordered).unwrap();
    let steps: Vec<IndexStep> =
        (0..5).map(|_| search::index_step(&store.connection, 3, 8_000).unwrap()).collect();
    let step = |last, count, more| IndexStep { last: Sequence(last), count, more };
    assert_eq!(
        steps,
        [
            step(3, 3, true),
            step(6, 3, true),
            step(8, 2, true),
            step(10, 2, true),
            step(10, 0, false)
        ]
    );
}
