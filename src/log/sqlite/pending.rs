//! Pending writes: changes that are committed in memory only, while the disk fails.

use std::collections::HashSet;
use std::sync::Arc;

use super::sequencer::Change;
use crate::model::SharedEntry;

/// Queue of changes that are committed but not written to the database yet, in order.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    /// Pending changes, in order.
    changes: Vec<Change>,
    /// Approximate memory of the changes, in bytes.
    bytes: usize,
    /// Cache of the entries among the changes, for readers; none if it must be rebuilt.
    entries: Option<Arc<[SharedEntry]>>,
    /// Number of changes that the last compaction left.
    compacted_len: usize,
}

impl PendingWrites {
    /// Returns the approximate memory of the pending changes, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the pending changes, in order.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Appends changes. Compacts the queue if it has doubled since the last compaction.
    pub(super) fn add(&mut self, changes: &[Change]) {
        if changes.iter().any(|it| matches!(it, Change::Entry(_))) {
            self.entries = None;
        }
        self.changes.extend_from_slice(changes);
        self.bytes += changes.iter().map(Change::bytes).sum::<usize>();
        if self.changes.len() > 2 * self.compacted_len + 1_000 {
            self.compact();
        }
    }

    /// Returns the entries among the pending changes, in ascending order of sequence.
    pub(super) fn entries(&mut self) -> Arc<[SharedEntry]> {
        let changes = &self.changes;
        let collect = || changes.iter().filter_map(Change::entry).cloned().collect();
        self.entries.get_or_insert_with(collect).clone()
    }

    /// Leaves out what later changes replace: however long the disk takes
    /// nothing, of each session one record is enough.
    fn compact(&mut self) {
        let mut seen = HashSet::new();
        let mut kept: Vec<Change> = Vec::new();
        for change in self.changes.drain(..).rev() {
            let is_latest = match &change {
                Change::Entry(_) | Change::SkipSequences(..) => true,
                Change::PersistSession(record, _) => seen.insert(record.session),
                Change::PersistLastReference(session, ..) | Change::DeleteSession(session, _) => {
                    seen.insert(*session)
                }
            };
            if is_latest {
                kept.push(change);
            }
        }
        kept.reverse();
        self.changes = kept;
        self.bytes = self.changes.iter().map(Change::bytes).sum();
        self.compacted_len = self.changes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reference, Sequence, SessionId, SessionRecord, TokenHash, Username};

    /// However often sessions come and go, the memory for them is bounded.
    #[test]
    fn pending_writes_keep_one_record_per_session() {
        let mut pending = PendingWrites::default();
        for turn in 0..20_000_u64 {
            let record = SessionRecord {
                session: SessionId(turn % 5),
                token: TokenHash([0; 32]),
                username: Username::new("anna").unwrap(),
                away_since: None,
                last_reference: Reference(turn),
                refused: Vec::new(),
            };
            pending.add(&[Change::PersistSession(record, Sequence(turn))]);
        }
        assert!(pending.changes().len() < 1_100);
        let Some(Change::PersistSession(last, _)) = pending.changes().last() else { panic!() };
        assert_eq!(last.last_reference, Reference(19_999));
    }
}
