//! What the disk has not taken.

use std::collections::HashSet;
use std::sync::Arc;

use super::sequencer::Change;
use crate::model::SharedEntry;

/// Changes that are still to be written, in order.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    /// The changes.
    changes: Vec<Change>,
    /// Bytes of memory that they take, roughly.
    bytes: usize,
    /// The messages among them, for readers; none if they have to be
    /// collected anew.
    entries: Option<Arc<[SharedEntry]>>,
    /// So many there were when superseded ones were last left out.
    compacted: usize,
}

impl PendingWrites {
    /// Bytes of memory that it takes, roughly.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The changes.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Further changes are owed.
    pub(super) fn add(&mut self, changes: &[Change]) {
        if changes.iter().any(|it| matches!(it, Change::Entry(_))) {
            self.entries = None;
        }
        self.changes.extend_from_slice(changes);
        self.bytes += changes.iter().map(Change::bytes).sum::<usize>();
        if self.changes.len() > 2 * self.compacted + 1_000 {
            self.compact();
        }
    }

    /// The messages among them.
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
        self.compacted = self.changes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reference, Sequence, SessionId, SessionRecord, TokenHash, Username};

    /// However often sessions come and go, what is kept of them is bounded.
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
