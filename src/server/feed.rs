//! A room's feed: published entries that some connection has not taken yet, encoded once for all.
//!
//! A feed is the newest end of a room's log: batches of frames shared by all connections that read
//! the room. Each connection has a [`FeedReader`] with a cursor into it. A batch is dropped as soon
//! as every reader has passed it, so a feed whose readers are up to date is empty. For readers that
//! lag, a feed is bounded in bytes and in age: a cursor that points before its beginning is lost,
//! and its connection has to resume from the log.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::model::{Moment, Sequence};

/// The frames of entries that were published together in one room.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The frames, concatenated.
    bytes: Bytes,
    /// Sequence of each entry, and the offset of the end of its frame in `bytes`.
    ends: Box<[(Sequence, usize)]>,
    /// Memory of the batch in a feed, in bytes.
    memory: usize,
    /// Time of publication, by which [`Feed::trim`] drops the batch.
    published: Moment,
}

/// A [`Batch`] under construction.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    /// The frames so far; see [`Batch::bytes`].
    bytes: Vec<u8>,
    /// The entries so far; see [`Batch::ends`].
    ends: Vec<(Sequence, usize)>,
}

impl BatchBuilder {
    /// Adds an entry; `encode` appends its frame to the buffer. Sequences must ascend.
    pub(super) fn push(&mut self, sequence: Sequence, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.ends.push((sequence, self.bytes.len()));
    }

    /// Returns true if no entry has been added.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Finishes the batch, published at `now`.
    pub(super) fn finish(self, now: Moment) -> Batch {
        let memory = size_of::<Slot>() + self.bytes.capacity() + size_of_val(self.ends.as_slice());
        Batch { bytes: self.bytes.into(), ends: self.ends.into(), memory, published: now }
    }
}

impl Batch {
    /// Returns the frames from entry number `first` to the last one whose sequence is at most
    /// `limit`, and the number of the entry after them. Without such an entry, returns no bytes and
    /// `first`.
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

    /// Returns the offset in the batch's bytes at which the frame of entry `number` begins. The
    /// number after the last entry gives the end of the bytes.
    fn offset(&self, number: usize) -> usize {
        let before = number.checked_sub(1).and_then(|index| self.ends.get(index));
        before.map_or(0, |(_, end)| *end)
    }
}

/// Memory of all feeds together, in bytes; they share it.
#[derive(Debug, Default)]
pub(super) struct FeedMemory(AtomicUsize);

impl FeedMemory {
    /// Returns the number of bytes.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A batch in a feed.
#[derive(Debug)]
struct Slot {
    /// The batch.
    batch: Batch,
    /// Number of cursors at an entry of this batch.
    cursors: usize,
}

/// The batches of one room that some reader has not passed yet.
#[derive(Debug)]
pub(super) struct Feed {
    /// Batches in ascending order of sequence. The oldest one has a cursor.
    batches: VecDeque<Slot>,
    /// Number of the oldest batch held: the number of batches that have been dropped.
    first: u64,
    /// Number of cursors behind the newest batch: those of readers that are up to date.
    cursors_at_end: usize,
    /// Memory of the batches, in bytes.
    bytes: usize,
    /// Limit of `bytes`. The newest batch is kept even if it alone is larger.
    max_bytes: usize,
    /// Memory of all feeds together, which includes `bytes`.
    memory: Arc<FeedMemory>,
    /// Sequence of the last entry that was dropped; zero if none was.
    last_dropped: Sequence,
}

/// A reader's position in a feed: its next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// Number of the batch, as counted by [`Feed::first`].
    batch: u64,
    /// Number of the entry in the batch.
    entry: usize,
}

/// Error: a reader's next entry has been dropped from the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    /// Creates an empty feed that holds up to `max_bytes` of batches and counts them in `memory`.
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

    /// Appends a batch, then drops the oldest batches while the feed exceeds its limit of bytes.
    /// The newest batch is kept whatever its size. Without a reader the feed stays empty.
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

    /// Returns the memory of all batches held, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the oldest batch, if there is one, whoever lacks it, and those after it that nobody
    /// lacks. Cursors in it are behind from now on.
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

    /// Removes the oldest batch, if there is one.
    fn pop_oldest(&mut self) {
        if let Some(Slot { batch, .. }) = self.batches.pop_front() {
            self.first += 1;
            self.bytes -= batch.memory;
            self.memory.0.fetch_sub(batch.memory, Ordering::Relaxed);
            self.last_dropped =
                batch.ends.last().map_or(self.last_dropped, |(sequence, _)| *sequence);
        }
    }

    /// Adds a cursor at the first entry after `sequence`, which need not be published yet. The
    /// cursor is behind if an entry after `sequence` has been dropped.
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

    /// Removes a cursor, and drops the batches that all others have passed.
    fn remove_cursor(&mut self, cursor: Cursor) {
        if let Ok(index) = self.index_of(cursor.batch) {
            *self.cursors_at(index) -= 1;
            self.drop_passed();
        }
    }

    /// Returns the number of cursors in the batch at this index, or behind the newest batch.
    fn cursors_at(&mut self, index: usize) -> &mut usize {
        match self.batches.get_mut(index) {
            Some(slot) => &mut slot.cursors,
            None => &mut self.cursors_at_end,
        }
    }

    /// Returns the sequence of the entry at the cursor; `None` if it is not published yet.
    ///
    /// # Errors
    /// [`Behind`] if the entry has been dropped.
    fn peek(&self, cursor: Cursor) -> Result<Option<Sequence>, Behind> {
        let slot = self.batches.get(self.index_of(cursor.batch)?);
        let entry = slot.and_then(|it| it.batch.ends.get(cursor.entry));
        Ok(entry.map(|(sequence, _)| *sequence))
    }

    /// Passes the frames from the cursor up to and including sequence `limit` to `sink`, advances
    /// the cursor past them, and drops the batches that every cursor has passed.
    ///
    /// # Errors
    /// [`Behind`] if the entry at the cursor has been dropped; nothing was passed on.
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

    /// Returns the index in [`Self::batches`] of the batch of this number.
    ///
    /// # Errors
    /// [`Behind`] if the batch has been dropped.
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

/// A room's feed, shared by the fan-out and the readers of the room.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// Locks a feed. Poison is ignored: a task that panicked while it held the lock has left a feed
/// that can be read, at worst one that holds batches longer than necessary.
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's subscription to a feed: the feed holds what this reader has not taken, within
/// its limits, until the reader is dropped. Do not drop it while the feed is locked.
#[derive(Debug)]
pub(super) struct FeedReader {
    /// The feed.
    feed: SharedFeed,
    /// The reader's position in it.
    cursor: Cursor,
}

impl FeedReader {
    /// Creates a reader of the entries after `sequence`, which need not be published yet. It is
    /// behind if one of them has been dropped.
    pub(super) fn new(feed: SharedFeed, sequence: Sequence) -> Self {
        let cursor = lock_feed(&feed).add_cursor(sequence);
        Self { feed, cursor }
    }

    /// Returns the sequence of the next entry; `None` if it is not published yet.
    ///
    /// # Errors
    /// [`Behind`] if the next entry has been dropped.
    pub(super) fn peek(&self) -> Result<Option<Sequence>, Behind> {
        lock_feed(&self.feed).peek(self.cursor)
    }

    /// Passes the frames of the next entries, up to and including sequence `limit`, to `sink`.
    ///
    /// # Errors
    /// [`Behind`] if the next entry has been dropped; nothing was passed on.
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

    /// Returns the bytes that `take` passes to its sink, concatenated.
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
        /// Whatever readers do, a feed holds the batches from the slowest cursor on, and every
        /// reader gets every entry once.
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
