//! Feed of a room: published entries that some connection has not taken, encoded once for all.
//!
//! A feed is the newest end of a room's log: batches of frames, shared by all connections that read
//! the room. Each connection has a [`FeedReader`] with a cursor into the feed. A batch is dropped
//! when every reader has passed it. So a feed is empty if all its readers are up to date.
//!
//! A feed is bounded in bytes and in age. If it has dropped the next entry of a slow reader, that
//! reader is [`Behind`]: its connection is closed, and the client resumes from the log.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::model::{Moment, Sequence};

/// Batch: frames of entries that were published together in one room.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Frames, concatenated.
    bytes: Bytes,
    /// Sequence of each entry, and the offset of the end of its frame in `bytes`.
    ends: Box<[(Sequence, usize)]>,
    /// Memory of the batch in a feed, in bytes.
    memory: usize,
    /// Time of publication, by which [`Feed::trim`] drops the batch.
    published: Moment,
}

/// Batch under construction.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    /// Frames of the entries added so far, concatenated.
    bytes: Vec<u8>,
    /// Sequence of each entry, and the offset of the end of its frame in `bytes`.
    ends: Vec<(Sequence, usize)>,
}

impl BatchBuilder {
    /// Adds an entry. `encode` must append its frame to the buffer. Sequences must ascend.
    pub(super) fn push(&mut self, sequence: Sequence, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.ends.push((sequence, self.bytes.len()));
    }

    /// Returns true if no entry was added.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Builds the finished batch. `now`: time of its publication.
    pub(super) fn finish(self, now: Moment) -> Batch {
        let memory = size_of::<Slot>() + self.bytes.capacity() + size_of_val(self.ends.as_slice());
        Batch { bytes: self.bytes.into(), ends: self.ends.into(), memory, published: now }
    }
}

impl Batch {
    /// Returns the frames from entry number `first` to the last entry whose sequence is at most
    /// `limit`, and the number of the entry after them. If there is no such entry, returns no bytes
    /// and `first`.
    fn slice(&self, first: usize, limit: Sequence) -> (Bytes, usize) {
        let fits = |(sequence, _): &(Sequence, usize)| *sequence <= limit;
        let end = match self.ends.last() {
            Some(last) if fits(last) => self.ends.len(),
            _ => self.ends.partition_point(fits),
        };
        if end <= first {
            return (Bytes::new(), first);
        }
        (self.bytes.slice(self.offset(first)..self.offset(end)), end)
    }

    /// Returns the offset in the batch's bytes at which the frame of entry `number` begins. Returns
    /// the length of the bytes for the number after the last entry.
    fn offset(&self, number: usize) -> usize {
        let before = number.checked_sub(1).and_then(|index| self.ends.get(index));
        before.map_or(0, |(_, end)| *end)
    }
}

/// Counter of the memory of all feeds together, in bytes. All feeds share it.
#[derive(Debug, Default)]
pub(super) struct FeedMemory(AtomicUsize);

impl FeedMemory {
    /// Returns the number of bytes.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Batch in a feed, with its cursors.
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
    /// Batches in ascending order of sequence. At least one cursor is in the oldest one.
    batches: VecDeque<Slot>,
    /// Number of the oldest batch. Batches are counted from 0, so it is the number of dropped ones.
    first: u64,
    /// Number of cursors after the newest batch: those of readers that are up to date.
    cursors_at_end: usize,
    /// Memory of the batches, in bytes.
    bytes: usize,
    /// Maximum of `bytes`. The newest batch is kept even if it alone exceeds the maximum.
    max_bytes: usize,
    /// Memory of all feeds together, which includes `bytes`.
    memory: Arc<FeedMemory>,
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

/// Error: the feed has dropped the reader's next entry, so the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    /// Creates an empty feed of at most `max_bytes` bytes. It counts its memory in `memory` too.
    pub(super) fn new(max_bytes: usize, memory: Arc<FeedMemory>) -> Self {
        Self {
            batches: VecDeque::new(),
            first: 0,
            cursors_at_end: 0,
            bytes: 0,
            max_bytes,
            memory,
            last_dropped: Sequence::ZERO,
        }
    }

    /// Appends a batch. Then drops the oldest batches while the feed exceeds its maximum size, but
    /// keeps the newest one. If the feed has no readers, it stays empty.
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.memory;
        self.memory.0.fetch_add(batch.memory, Ordering::Relaxed);
        let cursors = std::mem::take(&mut self.cursors_at_end);
        self.batches.push_back(Slot { batch, cursors });
        self.drop_passed();
        while self.bytes > self.max_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
    }

    /// Drops the batches that were published more than `max_age` ago. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment, max_age: Duration) {
        let is_old = |it: &Slot| now.since(it.batch.published) > max_age;
        while self.batches.front().is_some_and(is_old) {
            self.drop_oldest();
        }
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
    }

    /// Returns the memory of the batches in the feed, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the oldest batch, even if readers have not passed it: they are then [`Behind`]. Also
    /// drops the batches after it that every cursor has passed. Does nothing if the feed is empty.
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
            self.memory.0.fetch_sub(batch.memory, Ordering::Relaxed);
            self.last_dropped =
                batch.ends.last().map_or(self.last_dropped, |(sequence, _)| *sequence);
        }
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

    /// Returns the number of cursors in the batch at this index. If there is no such batch, returns
    /// the number of cursors after the newest one.
    fn cursors_at(&mut self, index: usize) -> &mut usize {
        match self.batches.get_mut(index) {
            Some(slot) => &mut slot.cursors,
            None => &mut self.cursors_at_end,
        }
    }

    /// Returns the sequence of the entry at the cursor; `None` if it is not published.
    ///
    /// # Errors
    /// [`Behind`] if the entry was dropped.
    fn peek(&self, cursor: Cursor) -> Result<Option<Sequence>, Behind> {
        let slot = self.batches.get(self.index_of(cursor.batch)?);
        let entry = slot.and_then(|it| it.batch.ends.get(cursor.entry));
        Ok(entry.map(|(sequence, _)| *sequence))
    }

    /// Passes the frames from the cursor up to and including sequence `limit` to `sink`. Advances
    /// the cursor past them. Drops the oldest batches that every cursor has passed.
    ///
    /// # Errors
    /// [`Behind`] if the entry at the cursor was dropped. Then nothing is passed to `sink`.
    fn take(
        &mut self,
        cursor: &mut Cursor,
        limit: Sequence,
        mut sink: impl FnMut(Bytes),
    ) -> Result<(), Behind> {
        let start = self.index_of(cursor.batch)?;
        let mut index = start;
        while let Some(Slot { batch, .. }) = self.batches.get(index) {
            let (bytes, end) = batch.slice(cursor.entry, limit);
            if !bytes.is_empty() {
                sink(bytes);
            }
            if end < batch.ends.len() {
                cursor.entry = end;
                break;
            }
            index += 1;
            cursor.entry = 0;
        }
        if index != start {
            cursor.batch += (index - start) as u64;
            *self.cursors_at(index) += 1;
            *self.cursors_at(start) -= 1;
            self.drop_passed();
        }
        Ok(())
    }

    /// Returns the index in [`Self::batches`] of the batch with this number.
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
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Feed of a room, shared by the fan-out and the readers of the room.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// Locks a feed. Poison is ignored: if a task panics while it holds the lock, the feed can still be
/// read. At worst it keeps batches longer than necessary.
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reader of a feed, for one connection. Within its limits, the feed keeps the entries that the
/// reader has not taken. Dropping the reader locks the feed, so do not drop it while the feed is
/// locked.
#[derive(Debug)]
pub(super) struct FeedReader {
    /// Feed that is read.
    feed: SharedFeed,
    /// Position of the reader in the feed.
    cursor: Cursor,
}

impl FeedReader {
    /// Creates a reader of the entries after `sequence`. If one of them was dropped, the reader is
    /// [`Behind`].
    pub(super) fn new(feed: SharedFeed, sequence: Sequence) -> Self {
        let cursor = lock_feed(&feed).add_cursor(sequence);
        Self { feed, cursor }
    }

    /// Returns the sequence of the next entry; `None` if it is not published.
    ///
    /// # Errors
    /// [`Behind`] if the next entry was dropped.
    pub(super) fn peek(&self) -> Result<Option<Sequence>, Behind> {
        lock_feed(&self.feed).peek(self.cursor)
    }

    /// Passes the frames of the next entries, up to and including sequence `limit`, to `sink`. The
    /// reader has then taken these entries.
    ///
    /// # Errors
    /// [`Behind`] if the next entry was dropped. Then nothing is passed to `sink`.
    pub(super) fn take(&mut self, limit: Sequence, sink: impl FnMut(Bytes)) -> Result<(), Behind> {
        lock_feed(&self.feed).take(&mut self.cursor, limit, sink)
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        lock_feed(&self.feed).remove_cursor(self.cursor);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a batch, published at the start of the clock, in which each entry's frame is its
    /// sequence as one byte.
    fn batch(sequences: &[u8]) -> Batch {
        let mut builder = BatchBuilder::default();
        for sequence in sequences {
            builder.push(Sequence((*sequence).into()), |buffer| buffer.push(*sequence));
        }
        builder.finish(Moment::START)
    }

    /// Returns an empty feed with this limit of bytes.
    fn feed(max_bytes: usize) -> SharedFeed {
        Arc::new(Mutex::new(Feed::new(max_bytes, Arc::default())))
    }

    /// Publishes a batch as [`batch`] makes it.
    fn publish(feed: &SharedFeed, sequences: &[u8]) {
        lock_feed(feed).push(batch(sequences));
    }

    /// Takes the next entries up to `limit` from a reader. Returns the bytes of their frames.
    fn taken(reader: &mut FeedReader, limit: u64) -> Result<Vec<u8>, Behind> {
        let mut bytes = Vec::new();
        reader.take(Sequence(limit), |piece| bytes.extend_from_slice(&piece))?;
        Ok(bytes)
    }

    #[test]
    fn reader_receives_each_entry_once_under_any_limit() {
        let feed = feed(1_000);
        let mut reader = FeedReader::new(feed.clone(), Sequence(0));
        publish(&feed, &[1, 3, 4]);
        publish(&feed, &[6]);
        assert_eq!(taken(&mut reader, 3).unwrap(), [1, 3]);
        assert!(taken(&mut reader, 3).unwrap().is_empty());
        assert_eq!(reader.peek(), Ok(Some(Sequence(4))));
        assert_eq!(taken(&mut reader, 5).unwrap(), [4]);
        assert_eq!(taken(&mut reader, 9).unwrap(), [6]);
        assert_eq!(reader.peek(), Ok(None));
        publish(&feed, &[9, 10]);
        assert_eq!(taken(&mut reader, 9).unwrap(), [9]);
        assert_eq!(taken(&mut reader, 10).unwrap(), [10]);
    }

    #[test]
    fn reader_starts_at_any_sequence_that_is_held() {
        let feed = feed(1_000);
        let _slow = FeedReader::new(feed.clone(), Sequence(0));
        publish(&feed, &[1, 3]);
        publish(&feed, &[5, 7]);
        for (after, expected) in
            [(0, vec![1, 3, 5, 7]), (1, vec![3, 5, 7]), (4, vec![5, 7]), (7, vec![])]
        {
            let mut reader = FeedReader::new(feed.clone(), Sequence(after));
            assert_eq!(taken(&mut reader, 100).unwrap(), expected, "after {after}");
        }
    }

    #[test]
    fn feed_is_empty_while_no_reader_lacks_anything() {
        let feed = feed(1 << 20);
        publish(&feed, &[1]);
        assert_eq!(lock_feed(&feed).bytes(), 0, "there is no reader");
        let mut readers: Vec<_> =
            (0..5).map(|_| FeedReader::new(feed.clone(), Sequence(1))).collect();
        for sequence in 2..=200 {
            publish(&feed, &[sequence]);
            for reader in &mut readers {
                assert_eq!(taken(reader, 200).unwrap(), [sequence]);
            }
            assert_eq!(lock_feed(&feed).bytes(), 0);
        }
        let memory = lock_feed(&feed).memory.clone();
        assert_eq!(memory.get(), 0);
    }

    #[test]
    fn slow_reader_holds_what_it_lacks_and_no_more_than_the_limit() {
        let limit = 10 * batch(&[1]).memory;
        let feed = feed(limit);
        let memory = lock_feed(&feed).memory.clone();
        let mut slow = FeedReader::new(feed.clone(), Sequence(0));
        let mut quick = FeedReader::new(feed.clone(), Sequence(0));
        for sequence in 1..=5 {
            publish(&feed, &[sequence]);
            taken(&mut quick, 5).unwrap();
        }
        assert_eq!(memory.get(), limit / 2);
        assert_eq!(taken(&mut slow, 3).unwrap(), [1, 2, 3]);
        assert_eq!(memory.get(), limit / 5, "it lacks two of them");
        for sequence in 6..=200 {
            publish(&feed, &[sequence]);
            taken(&mut quick, 200).unwrap();
            assert!(memory.get() <= limit);
        }
        assert_eq!(taken(&mut slow, 200), Err(Behind));
        drop(slow);
        taken(&mut quick, 200).unwrap();
        publish(&feed, &[201]);
        taken(&mut quick, 201).unwrap();
        assert_eq!(memory.get(), 0, "nobody lacks anything");
        publish(&feed, &[202]);
        assert_ne!(memory.get(), 0);
        drop((feed, quick));
        assert_eq!(memory.get(), 0, "the room is closed");
    }

    #[test]
    fn reader_behind_the_feed_is_reported() {
        let feed = feed(batch(&[1, 2]).memory + batch(&[5]).memory);
        let mut early = FeedReader::new(feed.clone(), Sequence(0));
        let mut late = FeedReader::new(feed.clone(), Sequence(0));
        publish(&feed, &[1, 2]);
        assert_eq!(taken(&mut late, 9).unwrap(), [1, 2]);
        publish(&feed, &[3, 4]);
        publish(&feed, &[5]);
        assert_eq!(taken(&mut early, 9), Err(Behind));
        assert_eq!(FeedReader::new(feed.clone(), Sequence(1)).peek(), Err(Behind));
        let mut later = FeedReader::new(feed.clone(), Sequence(3));
        assert_eq!(taken(&mut later, 9).unwrap(), [4, 5]);
        assert_eq!(taken(&mut late, 9).unwrap(), [3, 4, 5]);
        let last = FeedReader::new(feed.clone(), Sequence(5));
        publish(&feed, &[6]);
        let (end, most) = (Moment::START + Duration::from_secs(31), Duration::from_secs(30));
        lock_feed(&feed).trim(end, most);
        assert_eq!((last.peek(), lock_feed(&feed).bytes()), (Err(Behind), 0));
    }

    proptest! {
        /// A feed holds the batches from the slowest cursor on, and every reader gets every entry
        /// once. The steps publish, and add, drop or advance readers, in any order.
        #[test]
        fn feed_holds_what_the_slowest_reader_lacks(
            steps in prop::collection::vec((0_usize..6, 1_u8..4), 1..150),
        ) {
            let feed = feed(usize::MAX);
            let mut published = 0_u8;
            let mut batches: Vec<(u8, usize)> = Vec::new();
            let mut readers: Vec<(FeedReader, u8)> = Vec::new();
            for (step, amount) in steps {
                match step {
                    0 | 1 if published < 250 => {
                        let sequences: Vec<u8> = (published + 1..=published + amount).collect();
                        published += amount;
                        batches.push((published, batch(&sequences).memory));
                        publish(&feed, &sequences);
                    }
                    2 => readers.push((
                        FeedReader::new(feed.clone(), Sequence(published.into())),
                        published,
                    )),
                    3 => drop(readers.pop()),
                    _ => {
                        if let Some((reader, position)) = readers.first_mut() {
                            let limit = published.min(*position + amount);
                            let expected: Vec<u8> = (*position + 1..=limit).collect();
                            prop_assert_eq!(taken(reader, limit.into()).unwrap(), expected);
                            *position = limit;
                        }
                        let turn = usize::from(amount) % readers.len().max(1);
                        readers.rotate_left(turn);
                    }
                }
                let slowest = readers.iter().map(|(_, position)| *position).min();
                let lacked = batches.iter().filter(|(last, _)| slowest.is_some_and(|it| it < *last));
                let expected: usize = lacked.map(|(_, memory)| memory).sum();
                prop_assert_eq!(lock_feed(&feed).bytes(), expected);
            }
        }
    }
}
