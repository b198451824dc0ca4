//! Pending writes: changes that are committed in memory only, while the disk fails.

use std::collections::HashSet;
use std::sync::Arc;

use super::sequencer::Change;
use super::unwritten::Unwritten;
use crate::model::{Fact, SessionId};

/// Pending writes: queue of changes that were committed in memory while the disk fails. They are
/// written later.
#[derive(Debug, Default)]
pub(super) struct PendingWrites {
    /// Pending changes, in the order in which they are to be written.
    changes: Vec<Change>,
    /// Approximate memory of `changes`, in bytes.
    bytes: usize,
    /// Cache of the entries and removals among `changes`, shared with readers. `None` if the cache
    /// is out of date.
    unwritten: Option<Unwritten>,
    /// Length of `changes` after the last compaction; 0 before the first one.
    compacted_len: usize,
}

impl PendingWrites {
    /// Returns the approximate memory of the pending changes, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the pending changes, in the order in which they are to be written.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Appends changes. The caller limits the memory. If the queue is then longer than 1,000 plus
    /// twice `compacted_len`, compacts it. Removes the texts of the pending entries that the
    /// changes remove.
    pub(super) fn add(&mut self, changes: &[Change]) {
        if changes.iter().any(|it| matches!(it, Change::Entry(_) | Change::Fact(..))) {
            self.unwritten = None;
        }
        self.changes.extend_from_slice(changes);
        self.bytes += changes.iter().map(Change::bytes).sum::<usize>();
        for message in changes.iter().filter_map(Change::removal) {
            self.remove_text(message);
        }
        if self.changes.len() > 2 * self.compacted_len + 1_000 {
            self.compact();
        }
    }

    /// Removes the text of the message that a fact removes, if that message is pending.
    fn remove_text(&mut self, fact: &Fact) {
        let Some(message) = fact.removed_message() else { return };
        for change in &mut self.changes {
            if let Change::Entry(entry) = change
                && message.is_entry(entry)
            {
                let before = entry.draft.text.as_str().len();
                *entry = Arc::new(entry.with_text_removed());
                self.bytes += entry.draft.text.as_str().len();
                self.bytes -= before;
            }
        }
    }

    /// Returns the entries and removals among the pending changes.
    pub(super) fn unwritten(&mut self) -> Unwritten {
        let changes = &self.changes;
        let collect = || Unwritten {
            entries: changes.iter().filter_map(Change::entry).cloned().collect(),
            removals: changes.iter().filter_map(Change::removal).cloned().collect(),
        };
        self.unwritten.get_or_insert_with(collect).clone()
    }

    /// Removes changes of sessions and read marks that later changes replace. One change for each session is
    /// enough, however long the disk fails; but the record with the greatest session number is kept
    /// even if its session is deleted later. Keeps all entries, facts and sequence gaps.
    fn compact(&mut self) {
        let mut greatest = self.changes.iter().filter_map(persisted_session).max();
        let mut seen = HashSet::new();
        let mut marked = HashSet::new();
        let mut kept: Vec<Change> = Vec::new();
        for change in self.changes.drain(..).rev() {
            let is_latest = match &change {
                Change::Entry(_) | Change::Fact(..) | Change::SkipSequences(..) => true,
                Change::PersistSession(record, _) => {
                    // The database takes from it which numbers were used: without it, another
                    // session could get the number after a restart, and with it messages and role.
                    let is_greatest = greatest.take_if(|it| *it == record.session).is_some();
                    seen.insert(record.session) || is_greatest
                }
                Change::PersistLastReference(session, ..) | Change::DeleteSession(session, ..) => {
                    seen.insert(*session)
                }
                Change::KeepReadMarks(marks) => marked.insert(marks.person),
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

/// Returns the session whose record a change stores; `None` for any other change.
const fn persisted_session(change: &Change) -> Option<SessionId> {
    match change {
        Change::PersistSession(record, _) => Some(record.session),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reference, Sequence, SessionRecord, TokenHash, Username};

    /// Returns the change that stores the record of a session.
    fn persist(session: u64, last_reference: u64) -> Change {
        let record = SessionRecord {
            session: SessionId(session),
            token: TokenHash([0; 32]),
            username: Username::new("anna").unwrap(),
            away_since: None,
            last_reference: Reference(last_reference),
            refused: Vec::new(),
            keeps_name: false,
            key: None,
        };
        Change::PersistSession(record, Sequence(last_reference))
    }

    /// The memory for sessions is bounded, however often sessions begin and end.
    #[test]
    fn pending_writes_keep_one_record_per_session() {
        let mut pending = PendingWrites::default();
        for turn in 0..20_000_u64 {
            pending.add(&[persist(turn % 5, turn)]);
        }
        assert!(pending.changes().len() < 1_100);
        let Some(Change::PersistSession(last, _)) = pending.changes().last() else { panic!() };
        assert_eq!(last.last_reference, Reference(19_999));
    }

    /// The record of the last session is written even if the session has ended meanwhile, because
    /// its number must not be given again; each once, and before the deletion.
    #[test]
    fn compaction_keeps_the_greatest_session_number() {
        let mut pending = PendingWrites::default();
        for session in 1..=2_000 {
            let changes = [persist(session, 1), persist(session, 2)];
            pending.add(&changes);
            pending.add(&[Change::DeleteSession(SessionId(session), Sequence(1), false)]);
        }
        pending.compact();
        let persisted: Vec<_> = pending.changes().iter().filter_map(persisted_session).collect();
        assert_eq!(persisted, [SessionId(2_000)]);
        let last = pending.changes().last().unwrap();
        assert!(matches!(last, Change::DeleteSession(SessionId(2_000), ..)), "{last:?}");
    }
}
