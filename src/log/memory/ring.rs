//! The latest entries of one room or session.

use std::collections::VecDeque;

use crate::model::{LogEntry, RoomName, SearchQuery, Sequence, SharedEntry, Target};

/// The latest entries of one room or session.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// In ascending order.
    pub(super) entries: VecDeque<SharedEntry>,
    /// What the ring begins behind: the last one that was dropped; of a
    /// room that may have been evicted_up_to, whatever was.
    pub(super) dropped: Sequence,
    /// Bytes of `entries`.
    pub(super) bytes: usize,
}

impl Ring {
    /// The last entry's sequence; a ring always has one.
    pub(super) fn last_sequence(&self) -> Sequence {
        self.entries.back().map_or(Sequence::ZERO, |entry| entry.sequence)
    }

    /// The room that it is about.
    pub(super) fn room(&self) -> Option<&RoomName> {
        match &self.entries.back()?.draft.target {
            Target::Room(room) => Some(room),
            Target::Session(..) => None,
        }
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, entry: SharedEntry) {
        self.bytes += memory_cost(&entry);
        self.entries.push_back(entry);
    }

    /// Drops the oldest; gives the bytes that it took.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let freed = memory_cost(&entry);
        self.dropped = entry.sequence;
        self.bytes -= freed;
        freed
    }

    /// Index of the first entry behind `sequence`.
    pub(super) fn index_after(&self, sequence: Sequence) -> usize {
        self.entries.partition_point(|entry| entry.sequence <= sequence)
    }

    /// The latest so many before a sequence, and whether there are older
    /// ones.
    pub(super) fn before(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> (impl Iterator<Item = &SharedEntry>, bool) {
        let end = self.entries.partition_point(|entry| entry.sequence < sequence);
        let start = end.saturating_sub(count.into());
        (self.entries.range(start..end), start > 0)
    }

    /// The first so many behind a sequence, and one more if there is one.
    pub(super) fn after(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> impl Iterator<Item = &SharedEntry> {
        let start = self.index_after(sequence);
        self.entries.range(start..).take(usize::from(count).saturating_add(1))
    }

    /// Those that match, the latest first.
    pub(super) fn matching<'a>(
        &'a self,
        query: &'a SearchQuery,
    ) -> impl Iterator<Item = &'a SharedEntry> {
        self.entries.iter().rev().filter(|entry| query.matches(entry))
    }
}

/// What an entry takes of memory, roughly.
pub(super) fn memory_cost(entry: &LogEntry) -> usize {
    size_of::<LogEntry>() + entry.draft.text.as_str().len()
}
