//! Ring of the latest entries of one room or of one session.

use std::sync::Arc;

use super::chunks::Chunks;
use crate::model::{LogEntry, RemovedMessage, RoomName, Sequence, SharedEntry, Target};

/// Ring (bounded queue) of the latest entries of one room, or of the latest direct messages of one
/// session. The log bounds it by [`Ring::drop_oldest`].
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Entries in ascending order of sequence.
    pub(super) entries: Chunks,
    /// Sequence of the last entry that was dropped from this ring. For a room it begins as
    /// `MemoryLog::evicted_up_to`, because the room may have existed before and been evicted.
    pub(super) last_dropped: Sequence,
    /// Memory of `entries`, in bytes, as counted by [`memory_cost`].
    pub(super) bytes: usize,
}

impl Ring {
    /// Returns the sequence of the newest entry; 0 if the ring is empty.
    pub(super) fn last_sequence(&self) -> Sequence {
        self.entries.back().map_or(Sequence::ZERO, |entry| entry.sequence)
    }

    /// Returns the name of the entries' room, as spelt in the newest entry. `None` for direct
    /// messages and for an empty ring.
    pub(super) fn room(&self) -> Option<&RoomName> {
        match &self.entries.back()?.draft.target {
            Target::Room(room) => Some(room),
            Target::Session(..) => None,
        }
    }

    /// Adds an entry, whose sequence must be the greatest, at the newest end. Drops nothing.
    pub(super) fn push(&mut self, entry: SharedEntry) {
        self.bytes += memory_cost(&entry);
        self.entries.push_back(entry);
    }

    /// Drops the oldest entry, and records its sequence as `last_dropped`. Returns the memory that
    /// it freed, in bytes; 0 if the ring is empty.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let freed = memory_cost(&entry);
        self.last_dropped = entry.sequence;
        self.bytes -= freed;
        freed
    }

    /// Removes the text of a message, if the ring has this message. That may make `bytes` greater:
    /// the placeholder may be longer than the text.
    pub(super) fn remove_text(&mut self, message: &RemovedMessage<'_>) {
        let entry = self.entries.find(message.sequence).filter(|it| message.is_entry(it));
        if let Some(placeholder) = entry.map(|it| Arc::new(it.with_text_removed())) {
            self.bytes += memory_cost(&placeholder);
            let removed = self.entries.replace(placeholder);
            self.bytes -= removed.map_or(0, |it| memory_cost(&it));
        }
    }

    /// Returns the latest `count` entries before `sequence` (exclusive), in ascending order, and
    /// true if the ring has older entries than these.
    pub(super) fn latest_before(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> (impl Iterator<Item = &SharedEntry>, bool) {
        let end = self.entries.index_of(sequence);
        let start = end.saturating_sub(count.into());
        (self.entries.range(start, end - start), start > 0)
    }

    /// Returns the first entries after `sequence` (exclusive), in ascending order. Returns up to
    /// `count` + 1 entries, so that the caller sees if there are more than `count`.
    pub(super) fn first_after(
        &self,
        sequence: Sequence,
        count: u16,
    ) -> impl Iterator<Item = &SharedEntry> {
        let start = self.entries.index_of(sequence.next());
        self.entries.range(start, usize::from(count).saturating_add(1))
    }
}

/// Returns the approximate memory of an entry, in bytes: a fixed amount and the length of its text.
pub(super) fn memory_cost(entry: &LogEntry) -> usize {
    size_of::<LogEntry>() + entry.draft.text.as_str().len()
}
