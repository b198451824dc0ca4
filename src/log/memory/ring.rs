//! Ring of the latest entries of one room or session.

use std::collections::VecDeque;

use crate::model::{LogEntry, RoomName, SearchQuery, Sequence, SharedEntry, Target};

/// Latest entries of one room, or latest direct messages of one session.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Entries in ascending order of sequence.
    pub(super) entries: VecDeque<SharedEntry>,
    /// Sequence up to which entries may be missing: that of the last entry last_dropped from this ring.
    /// It starts as [`super::MemoryLog::evicted_up_to`], because the room may have been evicted
    /// before.
    pub(super) last_dropped: Sequence,
    /// Memory of `entries`, in bytes.
    pub(super) bytes: usize,
}

impl Ring {
    /// Returns the sequence of the newest entry; zero if the ring is empty.
    pub(super) fn last_sequence(&self) -> Sequence {
        self.entries.back().map_or(Sequence::ZERO, |entry| entry.sequence)
    }

    /// Returns the room of the entries; none for direct messages and for an empty ring.
    pub(super) fn room(&self) -> Option<&RoomName> {
        match &self.entries.back()?.draft.target {
            Target::Room(room) => Some(room),
            Target::Session(..) => None,
        }
    }

    /// Appends the newest entry.
    pub(super) fn push(&mut self, entry: SharedEntry) {
        self.bytes += memory_cost(&entry);
        self.entries.push_back(entry);
    }

    /// Drops the oldest entry. Returns the memory that it freed, in bytes.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let freed = memory_cost(&entry);
        self.last_dropped = entry.sequence;
        self.bytes -= freed;
        freed
    }

    /// Returns the index of the first entry after `sequence`.
    pub(super) fn index_after(&self, sequence: Sequence) -> usize {
        self.entries.partition_point(|entry| entry.sequence <= sequence)
    }

    /// Returns the latest `count` entries before a sequence, and true if there are older ones.
    pub(super) fn latest_before(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> (impl Iterator<Item = &SharedEntry>, bool) {
        let end = self.entries.partition_point(|entry| entry.sequence < sequence);
        let start = end.saturating_sub(count.into());
        (self.entries.range(start..end), start > 0)
    }

    /// Returns the first `count` entries after a sequence, and one more if there is one.
    pub(super) fn first_after(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> impl Iterator<Item = &SharedEntry> {
        let start = self.index_after(sequence);
        self.entries.range(start..).take(usize::from(count).saturating_add(1))
    }

    /// Returns the entries that match a search query, newest first.
    pub(super) fn matching_newest_first<'a>(
        &'a self,
        query: &'a SearchQuery,
    ) -> impl Iterator<Item = &'a SharedEntry> {
        self.entries.iter().rev().filter(|entry| query.matches(entry))
    }
}

/// Returns the approximate memory of an entry, in bytes.
pub(super) fn memory_cost(entry: &LogEntry) -> usize {
    size_of::<LogEntry>() + entry.draft.text.as_str().len()
}
