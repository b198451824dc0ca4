//! Queue of entries in shared chunks. A snapshot of it costs little.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Sequence, SharedEntry};

/// Maximum number of entries in a chunk. A snapshot raises one reference count for each chunk. The
/// first change of a chunk after a snapshot copies the chunk, and raises one reference count for
/// each of its entries.
const CHUNK_ENTRIES: usize = 512;

/// Queue of entries in ascending order of sequence. A clone is a snapshot: it shares the chunks.
/// Each later change, of queue or snapshot, copies at most one chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    /// Chunks of entries, none of them empty. All but the first and the last have
    /// [`CHUNK_ENTRIES`].
    chunks: VecDeque<Arc<VecDeque<SharedEntry>>>,
    /// Number of entries.
    len: usize,
}

impl Chunks {
    /// Returns the number of entries.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there is no entry.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the oldest entry; `None` if there is none.
    pub(super) fn front(&self) -> Option<&SharedEntry> {
        self.chunks.front()?.front()
    }

    /// Returns the newest entry; `None` if there is none.
    pub(super) fn back(&self) -> Option<&SharedEntry> {
        self.chunks.back()?.back()
    }

    /// Adds an entry, whose sequence must be the greatest, at the newest end.
    pub(super) fn push_back(&mut self, entry: SharedEntry) {
        self.len += 1;
        match self.chunks.back_mut() {
            Some(last) if last.len() < CHUNK_ENTRIES => Arc::make_mut(last).push_back(entry),
            _ => self.chunks.push_back(Arc::new(VecDeque::from([entry]))),
        }
    }

    /// Removes and returns the oldest entry; `None` if there is none.
    pub(super) fn pop_front(&mut self) -> Option<SharedEntry> {
        let first = Arc::make_mut(self.chunks.front_mut()?);
        let entry = first.pop_front();
        if first.is_empty() {
            self.chunks.pop_front();
        }
        self.len -= usize::from(entry.is_some());
        entry
    }

    /// Replaces the entry with the sequence of this one. Returns the entry that was replaced;
    /// `None` if there is none with this sequence, and nothing changes.
    pub(super) fn replace(&mut self, entry: SharedEntry) -> Option<SharedEntry> {
        let index = self.index_of(entry.sequence);
        self.get(index).filter(|it| it.sequence == entry.sequence)?;
        let first_len = self.chunks.front()?.len();
        let (chunk, place) = match index.checked_sub(first_len) {
            None => (0, index),
            Some(rest) => (1 + rest / CHUNK_ENTRIES, rest % CHUNK_ENTRIES),
        };
        let held = Arc::make_mut(self.chunks.get_mut(chunk)?).get_mut(place)?;
        Some(std::mem::replace(held, entry))
    }

    /// Returns the entry with this sequence; `None` if there is none.
    pub(super) fn find(&self, sequence: Sequence) -> Option<&SharedEntry> {
        self.get(self.index_of(sequence)).filter(|it| it.sequence == sequence)
    }

    /// Returns the entry with this index, counted from the oldest; `None` if there are fewer.
    fn get(&self, index: usize) -> Option<&SharedEntry> {
        let first = self.chunks.front()?;
        match index.checked_sub(first.len()) {
            None => first.get(index),
            Some(rest) => self.chunks.get(1 + rest / CHUNK_ENTRIES)?.get(rest % CHUNK_ENTRIES),
        }
    }

    /// Returns the index of the first entry with at least this sequence; the number of entries if
    /// there is none.
    pub(super) fn index_of(&self, sequence: Sequence) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(|it| it.sequence < sequence) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns up to `count` entries from an index on, oldest first.
    pub(super) fn range(&self, start: usize, count: usize) -> impl Iterator<Item = &SharedEntry> {
        (start..start.saturating_add(count)).map_while(|index| self.get(index))
    }

    /// Returns all entries, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &SharedEntry> {
        self.chunks.iter().rev().flat_map(|chunk| chunk.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Draft, LogEntry, Timestamp};

    /// Returns an entry with this sequence.
    fn entry(sequence: u64) -> SharedEntry {
        let draft = Draft::example();
        let sequence = Sequence(sequence);
        Arc::new(LogEntry { sequence, previous: Sequence::ZERO, time: Timestamp(0), draft })
    }

    /// Returns all sequences, oldest first. Asserts that all accessors agree with them.
    fn sequences(chunks: &Chunks) -> Vec<u64> {
        let all: Vec<u64> = chunks.range(0, usize::MAX).map(|it| it.sequence.0).collect();
        let mut newest_first: Vec<u64> = chunks.newest_first().map(|it| it.sequence.0).collect();
        newest_first.reverse();
        assert_eq!(all, newest_first);
        assert_eq!((all.len(), all.is_empty()), (chunks.len(), chunks.is_empty()));
        assert_eq!(chunks.front().map(|it| it.sequence.0), all.first().copied());
        assert_eq!(chunks.back().map(|it| it.sequence.0), all.last().copied());
        for (index, sequence) in all.iter().enumerate() {
            assert_eq!(chunks.index_of(Sequence(*sequence)), index);
        }
        assert_eq!(chunks.index_of(Sequence(u64::MAX)), all.len());
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]
        /// The chunks behave as a plain queue, and a snapshot keeps its entries.
        #[test]
        fn chunks_are_a_queue_whose_snapshots_do_not_change(
            steps in prop::collection::vec((0_u64..1_200, 0_usize..1_200), 1..6),
        ) {
            let (mut chunks, mut plain, mut last) = (Chunks::default(), VecDeque::new(), 0);
            for (pushes, pops) in steps {
                let (snapshot, before) = (chunks.clone(), sequences(&chunks));
                for _ in 0..pushes {
                    last += 1;
                    chunks.push_back(entry(last));
                    plain.push_back(last);
                }
                for _ in 0..pops {
                    let popped = chunks.pop_front().map(|it| it.sequence.0);
                    prop_assert_eq!(popped, plain.pop_front());
                }
                prop_assert_eq!(sequences(&chunks), plain.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(sequences(&snapshot), before);
            }
        }
    }
}
