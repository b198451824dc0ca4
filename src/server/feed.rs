//! Feed of a room: published entries that some connection has not taken, encoded once for all.
//!
//! A feed is the newest end of a room's log: batches of frames, shared by all connections that read
//! the room. Each connection has a [`FeedReader`] with a cursor into the feed. A batch is dropped
//! when every reader has passed it. So a feed is empty if all its readers are up to date.
//!
//! A feed is bounded in bytes and in age. If it has dropped the next entry of a slow reader, that
//! reader is [`Behind`]: its connection is closed, and the client resumes from the log. For
//! [`BURST_TIME`] a feed may hold [`BURST_FACTOR`] times as much, so that a burst closes no reader
//! that keeps up.

mod batch;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub(super) use self::batch::{Batch, BatchBuilder};
use super::memory_budget::MemoryBudget;
use crate::model::{AddressGroup, Moment, Sequence};

/// Time for which a batch is kept although the feed exceeds its maximum size. Readers that keep up
/// take the batch within this time.
const BURST_TIME: Duration = Duration::from_secs(2);

/// Factor by which a burst may exceed the maximum size of a feed.
const BURST_FACTOR: usize = 8;

/// Batch in a feed, and the number of cursors in it.
#[derive(Debug)]
struct Slot {
    /// Batch.
    batch: Batch,
    /// Number of cursors in this batch: their next entry belongs to it.
    cursors: usize,
}

/// Feed of a room: the batches that some reader has not passed.
#[derive(Debug)]
pub(super) struct Feed {
    /// Batches in ascending order of sequence. At least one cursor is in the oldest batch.
    batches: VecDeque<Slot>,
    /// Number of the oldest batch. Batches are numbered from 0, so it equals the number of dropped
    /// batches.
    first: u64,
    /// Number of cursors after the newest batch: the readers that are up to date.
    cursors_at_end: usize,
    /// Readers, by [`FeedReader::number`]. `None` is a free place.
    readers: Vec<Option<ReaderState>>,
    /// Numbers of the free places in `readers`.
    free_numbers: Vec<usize>,
    /// Memory of the batches, in bytes.
    bytes: usize,
    /// Maximum of `bytes`. While it is exceeded, batches older than [`BURST_TIME`] are dropped;
    /// while [`BURST_FACTOR`] times as much is exceeded, younger ones too.
    max_bytes: usize,
    /// Memory budget of all feeds and outboxes, from which `bytes` are taken.
    budget: Arc<MemoryBudget>,
    /// Sequence of the last entry that was dropped; 0 if none was.
    last_dropped: Sequence,
}

/// Position of a reader in a feed: its next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// Number of the batch, as counted by [`Feed::first`].
    batch: u64,
    /// Number of the entry in the batch.
    entry: usize,
}

/// State of a reader in its feed.
#[derive(Clone, Copy, Debug)]
struct ReaderState {
    /// Position of the reader.
    cursor: Cursor,
    /// Address group of the client; `None` in tests.
    group: Option<AddressGroup>,
}

/// Error: the feed has dropped the reader's next entry, so the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    /// Creates an empty feed of at most `max_bytes` bytes; for [`BURST_TIME`], of [`BURST_FACTOR`]
    /// times as many. The feed takes its memory from `budget`, even beyond the budget's limit.
    pub(super) fn new(max_bytes: usize, budget: Arc<MemoryBudget>) -> Self {
        Self {
            batches: VecDeque::new(),
            first: 0,
            cursors_at_end: 0,
            readers: Vec::new(),
            free_numbers: Vec::new(),
            bytes: 0,
            max_bytes,
            budget,
            last_dropped: Sequence::ZERO,
        }
    }

    /// Appends a batch. Then drops the oldest batches as [`Self::drop_excess`] says. If the feed
    /// has no readers, it stays empty.
    pub(super) fn push(&mut self, batch: Batch) {
        let now = batch.published;
        self.bytes += batch.memory;
        self.budget.take(batch.memory);
        let cursors = std::mem::take(&mut self.cursors_at_end);
        self.batches.push_back(Slot { batch, cursors });
        self.drop_passed();
        self.drop_excess(now);
    }

    /// Drops the oldest batches while the feed exceeds its maximum size, but keeps those younger
    /// than [`BURST_TIME`]. Drops these too while the feed exceeds [`BURST_FACTOR`] times its
    /// maximum size, but keeps the newest batch.
    fn drop_excess(&mut self, now: Moment) {
        let max_burst = self.max_bytes.saturating_mul(BURST_FACTOR);
        while self.bytes > self.max_bytes && self.is_oldest_older_than(now, BURST_TIME)
            || self.bytes > max_burst && self.batches.len() > 1
        {
            self.drop_oldest();
        }
    }

    /// Returns true if the oldest batch was published more than `age` ago. Returns false if there
    /// is no batch.
    fn is_oldest_older_than(&self, now: Moment, age: Duration) -> bool {
        self.batches.front().is_some_and(|it| now.since(it.batch.published) > age)
    }

    /// Drops the batches that were published more than `max_age` ago. Then drops the oldest batches
    /// as [`Self::drop_excess`] says. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment, max_age: Duration) {
        while self.is_oldest_older_than(now, max_age) {
            self.drop_oldest();
        }
        self.drop_excess(now);
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
    }

    /// Returns the memory of the batches in the feed, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the oldest batch, even if readers have not passed it: they are then [`Behind`]. Also
    /// drops the batches after it that all other readers have passed. Does nothing if the feed is
    /// empty.
    pub(super) fn drop_oldest(&mut self) {
        self.pop_oldest();
        self.drop_passed();
    }

    /// Drops the oldest batches that every cursor has passed.
    fn drop_passed(&mut self) {
        while self.batches.front().is_some_and(|it| it.cursors == 0) {
            self.pop_oldest();
        }
    }

    /// Removes the oldest batch, and only that. Does nothing if the feed is empty.
    fn pop_oldest(&mut self) {
        if let Some(Slot { batch, .. }) = self.batches.pop_front() {
            self.first += 1;
            self.bytes -= batch.memory;
            self.budget.release(batch.memory);
            self.last_dropped =
                batch.ends.last().map_or(self.last_dropped, |(sequence, _)| *sequence);
        }
    }

    /// Iterates over the address groups of the readers that are furthest behind. Because of these
    /// readers, the feed holds its oldest batch. A group occurs once for each such reader. Yields
    /// none if the feed is empty; readers that are [`Behind`] do not count.
    pub(super) fn slowest_groups(&self) -> impl Iterator<Item = AddressGroup> {
        let is_slowest =
            |it: &&ReaderState| !self.batches.is_empty() && it.cursor.batch == self.first;
        self.readers.iter().flatten().filter(is_slowest).filter_map(|it| it.group)
    }

    /// Adds a reader of the entries after `sequence`. If one of them was dropped, the reader is
    /// [`Behind`]. Returns the reader's number.
    fn add_reader(&mut self, sequence: Sequence, group: Option<AddressGroup>) -> usize {
        let state = ReaderState { cursor: self.add_cursor(sequence), group };
        let number = self.free_numbers.pop().unwrap_or(self.readers.len());
        match self.readers.get_mut(number) {
            Some(place) => *place = Some(state),
            None => self.readers.push(Some(state)),
        }
        number
    }

    /// Removes a reader, and drops the oldest batches that all other readers have passed.
    fn remove_reader(&mut self, number: usize) {
        if let Some(state) = self.readers.get_mut(number).and_then(Option::take) {
            self.free_numbers.push(number);
            self.remove_cursor(state.cursor);
        }
    }

    /// Returns the position of a reader.
    ///
    /// # Errors
    /// [`Behind`] if there is no such reader, which does not happen.
    fn cursor(&self, number: usize) -> Result<Cursor, Behind> {
        self.readers.get(number).copied().flatten().map(|it| it.cursor).ok_or(Behind)
    }

    /// Adds a cursor at the first entry after `sequence`. That entry may be published later. If an
    /// entry after `sequence` was dropped, the cursor is [`Behind`].
    fn add_cursor(&mut self, sequence: Sequence) -> Cursor {
        if sequence < self.last_dropped {
            return Cursor { batch: self.first.saturating_sub(1), entry: 0 };
        }
        let is_before = |it: &Slot| it.batch.ends.last().is_none_or(|(last, _)| *last <= sequence);
        let index = self.batches.partition_point(is_before);
        let ends = self.batches.get(index).map(|it| &it.batch.ends);
        let entry = ends.map_or(0, |it| it.partition_point(|(entry, _)| *entry <= sequence));
        *self.cursors_at(index) += 1;
        Cursor { batch: self.first + index as u64, entry }
    }

    /// Removes a cursor, and drops the oldest batches that all other cursors have passed.
    fn remove_cursor(&mut self, cursor: Cursor) {
        if let Ok(index) = self.index_of(cursor.batch) {
            *self.cursors_at(index) -= 1;
            self.drop_passed();
        }
    }

    /// Returns the number of cursors in the batch at this index, mutably. If there is no batch at
    /// this index, returns the number of cursors after the newest batch.
    fn cursors_at(&mut self, index: usize) -> &mut usize {
        match self.batches.get_mut(index) {
            Some(slot) => &mut slot.cursors,
            None => &mut self.cursors_at_end,
        }
    }

    /// Returns the sequence of a reader's next entry; `None` if it is not published.
    ///
    /// # Errors
    /// [`Behind`] if the entry was dropped.
    fn peek(&self, reader: usize) -> Result<Option<Sequence>, Behind> {
        let cursor = self.cursor(reader)?;
        let slot = self.batches.get(self.index_of(cursor.batch)?);
        let entry = slot.and_then(|it| it.batch.ends.get(cursor.entry));
        Ok(entry.map(|(sequence, _)| *sequence))
    }

    /// Passes a reader's next frames, up to and including sequence `limit`, to `sink`. Stops
    /// earlier, between two batches, if the passed frames use `max_memory` bytes or more
    /// ([`memory_of`]). Advances the reader past the passed frames. Drops the oldest batches that
    /// every reader has passed.
    ///
    /// # Errors
    /// [`Behind`] if the next entry was dropped. Then nothing is passed to `sink`.
    fn take(
        &mut self,
        reader: usize,
        limit: Sequence,
        max_memory: usize,
        mut sink: impl FnMut(Bytes),
    ) -> Result<(), Behind> {
        let mut memory = 0;
        let mut cursor = self.cursor(reader)?;
        let start = self.index_of(cursor.batch)?;
        let mut index = start;
        while let Some(Slot { batch, .. }) = self.batches.get(index)
            && memory < max_memory
        {
            let (bytes, end) = batch.slice(cursor.entry, limit);
            if !bytes.is_empty() {
                memory += memory_of(&bytes);
                sink(bytes);
            }
            if end < batch.ends.len() {
                cursor.entry = end;
                break;
            }
            index += 1;
            cursor.entry = 0;
        }
        cursor.batch += (index - start) as u64;
        if let Some(Some(state)) = self.readers.get_mut(reader) {
            state.cursor = cursor;
        }
        if index != start {
            *self.cursors_at(index) += 1;
            *self.cursors_at(start) -= 1;
            self.drop_passed();
        }
        Ok(())
    }

    /// Returns the index in [`Self::batches`] of the batch with this number; the number of batches
    /// if that batch is not published.
    ///
    /// # Errors
    /// [`Behind`] if the batch was dropped.
    fn index_of(&self, batch: u64) -> Result<usize, Behind> {
        let index = batch.checked_sub(self.first).ok_or(Behind)?;
        Ok(usize::try_from(index).unwrap_or(usize::MAX))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

/// Returns the memory of unsent frames, in bytes: the length of the frames, and the size of the
/// handle.
pub(super) const fn memory_of(frames: &Bytes) -> usize {
    frames.len() + size_of::<Bytes>()
}

/// Feed of a room, shared by the fan-out and the readers of the room.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// Locks a feed. Poison is ignored: if a task panics while it holds the lock, the feed can still be
/// read. At worst it keeps batches longer than necessary.
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reader of a feed, for one connection. Within its limits, the feed keeps the entries that the
/// reader has not taken. Every function of the reader, and dropping it, locks the feed: do neither
/// while the feed is locked.
#[derive(Debug)]
pub(super) struct FeedReader {
    /// Feed that is read.
    feed: SharedFeed,
    /// Number by which the feed knows the reader.
    number: usize,
}

impl FeedReader {
    /// Creates a reader of the entries after `sequence`, for a client of this address group. If one
    /// of the entries was dropped, the reader is [`Behind`].
    pub(super) fn new(feed: SharedFeed, sequence: Sequence, group: Option<AddressGroup>) -> Self {
        let number = lock_feed(&feed).add_reader(sequence, group);
        Self { feed, number }
    }

    /// Returns the sequence of the next entry; `None` if it is not published.
    ///
    /// # Errors
    /// [`Behind`] if the next entry was dropped.
    pub(super) fn peek(&self) -> Result<Option<Sequence>, Behind> {
        lock_feed(&self.feed).peek(self.number)
    }

    /// Passes the frames of the next entries, up to and including sequence `limit`, to `sink`.
    /// Stops earlier, between two batches, if the passed frames use `max_memory` bytes or more
    /// ([`memory_of`]). The reader has then taken the passed entries.
    ///
    /// # Errors
    /// [`Behind`] if the next entry was dropped. Then nothing is passed to `sink`.
    pub(super) fn take(
        &mut self,
        limit: Sequence,
        max_memory: usize,
        sink: impl FnMut(Bytes),
    ) -> Result<(), Behind> {
        lock_feed(&self.feed).take(self.number, limit, max_memory, sink)
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        lock_feed(&self.feed).remove_reader(self.number);
    }
}

#[cfg(test)]
mod tests;
