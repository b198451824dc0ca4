//! Sequence gaps: ranges of sequences that the log has skipped and never assigned.
//!
//! When the disk begins to fail, the log skips far ahead and commits entries in memory. If the
//! server ends before these entries are written, they are lost.
//!
//! The log then continues from before the gap. If the log skips again, its sequences may pass those
//! of the lost entries. A client that has received lost entries has a position within a gap. The
//! hub does not accept such a position.

use rusqlite::Connection;

use super::database::{property, read_property, write_property};
use crate::model::Sequence;

/// Minimum length of a gap. A log whose sequences jump by more has stored a gap there, because so
/// many messages cannot have been deleted.
pub(crate) const MIN_GAP: u64 = 1 << 32;

/// Maximum number of gaps stored. If there is one more, the two oldest gaps are joined. The joined
/// gap also covers the assigned sequences between them. A client with such a position starts again
/// without a position, which does no harm.
pub(crate) const MAX_GAPS: usize = 64;

/// Sequence gap: a range of sequences that the log has skipped, `(first, second]`.
pub(crate) type SequenceGap = (Sequence, Sequence);

/// Reads all stored sequence gaps, oldest first.
pub(crate) fn read_all(connection: &Connection) -> rusqlite::Result<Vec<SequenceGap>> {
    let bytes: Vec<u8> = read_property(connection, property::SEQUENCE_GAPS)?.unwrap_or_default();
    let number = |bytes: [u8; 8]| Sequence(u64::from_be_bytes(bytes));
    let numbers: Vec<Sequence> = bytes.as_chunks().0.iter().map(|it| number(*it)).collect();
    Ok(numbers.as_chunks().0.iter().map(|[from, to]| (*from, *to)).collect())
}

/// Stores a further sequence gap `(from, to]`. If there are then more than [`MAX_GAPS`], joins the
/// two oldest gaps. Call it within a transaction.
pub(super) fn store(connection: &Connection, from: Sequence, to: Sequence) -> rusqlite::Result<()> {
    let mut gaps = read_all(connection)?;
    gaps.push((from, to));
    if gaps.len() > MAX_GAPS
        && let [(from, _), (_, to), ..] = *gaps.as_slice()
    {
        gaps.splice(..2, [(from, to)]);
    }
    let bytes: Vec<u8> =
        gaps.iter().flat_map(|(from, to)| [from.0, to.0]).flat_map(u64::to_be_bytes).collect();
    write_property(connection, property::SEQUENCE_GAPS, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_gaps_are_stored_and_bounded_by_joining_the_oldest() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE properties (name TEXT PRIMARY KEY, value ANY)")
            .unwrap();
        assert_eq!(read_all(&connection).unwrap(), []);
        let gaps: Vec<SequenceGap> =
            (1..=66).map(|it| (Sequence(it * 100), Sequence(it * 100 + 50))).collect();
        for (from, to) in &gaps {
            store(&connection, *from, *to).unwrap();
        }
        let kept = read_all(&connection).unwrap();
        assert_eq!(kept.len(), MAX_GAPS);
        assert_eq!(kept[0], (Sequence(100), Sequence(350)));
        assert_eq!(kept[1..], gaps[3..]);
    }
}
