//! A room's feed: recently published entries, encoded once for all connections.
//!
//! A feed is the newest end of a room's log: batches of frames shared by all connections that read
//! the room. Each connection has a cursor into it. A feed is bounded in bytes and in age; a cursor
//! that points before its beginning is lost, and its connection has to resume from the log.

use std::collections::VecDeque;
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
        Batch { bytes: self.bytes.into(), ends: self.ends.into(), published: now }
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

/// The most recent batches of one room.
#[derive(Debug)]
pub(super) struct Feed {
    /// Batches in ascending order of sequence.
    batches: VecDeque<Batch>,
    /// Number of the oldest batch held: the number of batches that have been dropped.
    first: u64,
    /// Sum of the batches' frames, in bytes.
    bytes: usize,
    /// Limit of `bytes`. The newest batch is kept even if it alone is larger.
    max_bytes: usize,
    /// Sequence of the last entry that was dropped; zero if none was.
    last_dropped: Sequence,
}

/// A connection's position in a feed: its next entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Number of the batch, as counted by [`Feed::first`].
    batch: u64,
    /// Number of the entry in the batch.
    entry: usize,
}

/// Error: a reader's next entry has been dropped from the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    /// Creates an empty feed that holds up to `max_bytes` of frames.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_bytes,
            last_dropped: Sequence::ZERO,
        }
    }

    /// Appends a batch, then drops the oldest batches while the feed exceeds its limit of bytes.
    /// The newest batch is kept whatever its size.
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.bytes.len();
        self.batches.push_back(batch);
        while self.bytes > self.max_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
    }

    /// Drops the batches that were published more than `max_age` ago. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment, max_age: Duration) {
        while self.batches.front().is_some_and(|it| now.since(it.published) > max_age) {
            self.drop_oldest();
        }
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
    }

    /// Returns the size of all frames held, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the oldest batch, if there is one. Cursors in it are behind from now on.
    pub(super) fn drop_oldest(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.first += 1;
            self.bytes -= batch.bytes.len();
            self.last_dropped =
                batch.ends.last().map_or(self.last_dropped, |(sequence, _)| *sequence);
        }
    }

    /// Returns a cursor at the first entry after `sequence`, which need not be published yet.
    ///
    /// # Errors
    /// [`Behind`] if an entry after `sequence` has been dropped.
    pub(super) fn cursor_after(&self, sequence: Sequence) -> Result<Cursor, Behind> {
        if sequence < self.last_dropped {
            return Err(Behind);
        }
        let is_before = |it: &Batch| it.ends.last().is_none_or(|(last, _)| *last <= sequence);
        let index = self.batches.partition_point(is_before);
        let batch = self.batches.get(index);
        let entry = batch.map_or(0, |it| it.ends.partition_point(|(entry, _)| *entry <= sequence));
        Ok(Cursor { batch: self.first + index as u64, entry })
    }

    /// Returns the sequence of the entry at the cursor; `None` if it is not published yet.
    ///
    /// # Errors
    /// [`Behind`] if the entry has been dropped.
    pub(super) fn peek(&self, cursor: Cursor) -> Result<Option<Sequence>, Behind> {
        let entry = self.batch(cursor)?.and_then(|batch| batch.ends.get(cursor.entry));
        Ok(entry.map(|(sequence, _)| *sequence))
    }

    /// Passes the frames from the cursor up to and including sequence `limit` to `sink`, and
    /// advances the cursor past them.
    ///
    /// # Errors
    /// [`Behind`] if the entry at the cursor has been dropped; nothing was passed on.
    pub(super) fn take(
        &self,
        cursor: &mut Cursor,
        limit: Sequence,
        mut sink: impl FnMut(Bytes),
    ) -> Result<(), Behind> {
        while let Some(batch) = self.batch(*cursor)? {
            let (bytes, end) = batch.slice(cursor.entry, limit);
            if !bytes.is_empty() {
                sink(bytes);
            }
            if end < batch.ends.len() {
                cursor.entry = end;
                break;
            }
            *cursor = Cursor { batch: cursor.batch + 1, entry: 0 };
        }
        Ok(())
    }

    /// Returns the batch at the cursor; `None` if it is not published yet.
    ///
    /// # Errors
    /// [`Behind`] if the batch has been dropped.
    fn batch(&self, cursor: Cursor) -> Result<Option<&Batch>, Behind> {
        let index = cursor.batch.checked_sub(self.first).ok_or(Behind)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.batches.get(index)))
    }
}

#[cfg(test)]
mod tests {
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

    /// Returns the bytes that `take` passes to its sink, concatenated.
    fn taken(feed: &Feed, cursor: &mut Cursor, limit: u64) -> Result<Vec<u8>, Behind> {
        let mut bytes = Vec::new();
        feed.take(cursor, Sequence(limit), |piece| bytes.extend_from_slice(&piece))?;
        Ok(bytes)
    }

    #[test]
    fn cursor_receives_each_entry_once_under_any_limit() {
        let mut feed = Feed::new(100);
        let mut cursor = feed.cursor_after(Sequence(0)).unwrap();
        feed.push(batch(&[1, 3, 4]));
        feed.push(batch(&[6]));
        assert_eq!(taken(&feed, &mut cursor, 3).unwrap(), [1, 3]);
        assert!(taken(&feed, &mut cursor, 3).unwrap().is_empty());
        assert_eq!(feed.peek(cursor), Ok(Some(Sequence(4))));
        assert_eq!(taken(&feed, &mut cursor, 5).unwrap(), [4]);
        assert_eq!(taken(&feed, &mut cursor, 9).unwrap(), [6]);
        assert_eq!(feed.peek(cursor), Ok(None));
        feed.push(batch(&[9, 10]));
        assert_eq!(taken(&feed, &mut cursor, 9).unwrap(), [9]);
        assert_eq!(taken(&feed, &mut cursor, 10).unwrap(), [10]);
    }

    #[test]
    fn cursor_after_starts_at_any_sequence() {
        let mut feed = Feed::new(100);
        feed.push(batch(&[1, 3]));
        feed.push(batch(&[5, 7]));
        for (after, expected) in
            [(0, vec![1, 3, 5, 7]), (1, vec![3, 5, 7]), (4, vec![5, 7]), (7, vec![])]
        {
            let mut cursor = feed.cursor_after(Sequence(after)).unwrap();
            assert_eq!(taken(&feed, &mut cursor, 100).unwrap(), expected, "after {after}");
        }
    }

    #[test]
    fn cursor_behind_the_feed_is_reported() {
        let mut feed = Feed::new(4);
        let mut early = feed.cursor_after(Sequence(0)).unwrap();
        feed.push(batch(&[1, 2]));
        feed.push(batch(&[3, 4]));
        feed.push(batch(&[5]));
        assert_eq!(taken(&feed, &mut early, 9), Err(Behind));
        assert_eq!(feed.cursor_after(Sequence(1)), Err(Behind));
        let mut late = feed.cursor_after(Sequence(2)).unwrap();
        assert_eq!(taken(&feed, &mut late, 9).unwrap(), [3, 4, 5]);
        feed.trim(Moment::START + Duration::from_secs(31), Duration::from_secs(30));
        assert_eq!(feed.peek(late), Ok(None));
        assert_eq!(feed.bytes, 0);
    }
}
