//! Tests of read marks on a full disk.

use super::super::super::sequencer::WriteRequest;
use super::Fixture;
use crate::hub::StorageHealth;
use crate::model::{PersonReadMarks, ReadMark, Sequence, SessionId};

/// Returns the request to store one mark of a person; 0: none.
fn mark(person: u64, sequence: u64) -> WriteRequest {
    let mark = ReadMark { room: None, sequence: Sequence(sequence) };
    let marks = (sequence > 0).then_some(mark).into_iter().collect();
    WriteRequest::KeepReadMarks(PersonReadMarks { person: SessionId(person), marks })
}

/// While the disk is full, the latest marks of each person are kept in memory, however often they
/// change, and are written later.
#[test]
fn read_marks_wait_for_a_full_disk() {
    let mut fixture = Fixture::new();
    fixture.say();
    fixture.set_full(true);
    fixture.say();
    assert_eq!(fixture.writer.state.storage_health, StorageHealth::MemoryOnly);
    for turn in 1..=3_000 {
        fixture.writer.write_requests(vec![mark(7, turn), mark(9, 1)]);
    }
    fixture.writer.write_requests(vec![mark(9, 0)]);
    assert!(fixture.writer.state.pending.changes().len() < 1_200);
    let stored = |fixture: &Fixture| -> Vec<(i64, i64)> {
        let ask = "SELECT person, sequence FROM read_marks";
        let mut statement = fixture.writer.store.connection.prepare(ask).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(stored(&fixture), []);
    fixture.set_full(false);
    fixture.writer.state.retry_at = fixture.writer.clock.now();
    fixture.writer.run_due_tasks();
    assert_eq!(stored(&fixture), [(7, 3_000)]);
}
