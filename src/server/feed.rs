//! What has been published in one room, encoded once for everybody.
//!
//! A feed is the hot end of a room's log: batches of frames, shared by all
//! connections, each of which is a cursor into it. It holds no more than a
//! bounded number of bytes and seconds; a cursor that falls behind that is
//! lost, and its connection has to resume from the log.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{Moment, Sequence};

/// Entries that were published together in one room, as frames.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The frames, one behind the other.
    bytes: Bytes,
    /// Sequence of each entry with the end of its frame in `bytes`.
    ends: Box<[(Sequence, usize)]>,
    /// When it was published.
    published: Moment,
}

/// Collects the frames of a [`Batch`].
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    /// See [`Batch`].
    bytes: Vec<u8>,
    /// See [`Batch`].
    ends: Vec<(Sequence, usize)>,
}

impl BatchBuilder {
    /// Adds an entry's frame, which `encode` appends to the buffer.
    pub(super) fn push(&mut self, sequence: Sequence, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.ends.push((sequence, self.bytes.len()));
    }

    /// Whether nothing has been added yet.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The batch.
    pub(super) fn finish(self, now: Moment) -> Batch {
        Batch { bytes: self.bytes.into(), ends: self.ends.into(), published: now }
    }
}

impl Batch {
    /// The frames from the `first` entry on, up to the last whose sequence
    /// is not above `limit`; with the number of the first entry behind them.
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

    /// Where the frame of entry `number` begins.
    fn offset(&self, number: usize) -> usize {
        let before = number.checked_sub(1).and_then(|index| self.ends.get(index));
        before.map_or(0, |(_, end)| *end)
    }
}

/// The batches of one room that connections may still want.
#[derive(Debug)]
pub(super) struct Feed {
    /// In ascending order.
    batches: VecDeque<Batch>,
    /// Number of the first of them, counted from the room's beginning.
    first: u64,
    /// Bytes in them.
    bytes: usize,
    /// Most bytes that may be in them.
    max_bytes: usize,
    /// The last sequence that has been dropped.
    dropped: Sequence,
}

/// How far a connection has got in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Number of the batch.
    batch: u64,
    /// Number of the entry in it.
    entry: usize,
}

/// The cursor points at what the feed no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    /// An empty one that holds up to so many bytes.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { batches: VecDeque::new(), first: 0, bytes: 0, max_bytes, dropped: Sequence::ZERO }
    }

    /// Adds a batch; drops old ones where there are too many bytes. The
    /// newest is kept however large it is.
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.bytes.len();
        self.batches.push_back(batch);
        while self.bytes > self.max_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
    }

    /// Drops what is older than `max_age`. Call it now and then.
    pub(super) fn trim(&mut self, now: Moment, max_age: Duration) {
        while self.batches.front().is_some_and(|it| now.since(it.published) > max_age) {
            self.drop_oldest();
        }
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
    }

    /// Bytes that it holds.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops one batch.
    pub(super) fn drop_oldest(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.first += 1;
            self.bytes -= batch.bytes.len();
            self.dropped = batch.ends.last().map_or(self.dropped, |(sequence, _)| *sequence);
        }
    }

    /// A cursor at the first entry behind `sequence`.
    pub(super) fn cursor_after(&self, sequence: Sequence) -> Result<Cursor, Behind> {
        if sequence < self.dropped {
            return Err(Behind);
        }
        let is_before = |it: &Batch| it.ends.last().is_none_or(|(last, _)| *last <= sequence);
        let index = self.batches.partition_point(is_before);
        let batch = self.batches.get(index);
        let entry = batch.map_or(0, |it| it.ends.partition_point(|(entry, _)| *entry <= sequence));
        Ok(Cursor { batch: self.first + index as u64, entry })
    }

    /// Sequence of the entry that the cursor points at, if it is published.
    pub(super) fn peek(&self, cursor: Cursor) -> Result<Option<Sequence>, Behind> {
        let entry = self.batch(cursor)?.and_then(|batch| batch.ends.get(cursor.entry));
        Ok(entry.map(|(sequence, _)| *sequence))
    }

    /// Hands to `sink` what is between the cursor and `limit` (included),
    /// and moves the cursor behind it.
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

    /// The batch that the cursor points into, if it is published.
    fn batch(&self, cursor: Cursor) -> Result<Option<&Batch>, Behind> {
        let index = cursor.batch.checked_sub(self.first).ok_or(Behind)?;
        Ok(usize::try_from(index).ok().and_then(|index| self.batches.get(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch in which each entry's frame is its sequence as one byte.
    fn batch(sequences: &[u8]) -> Batch {
        let mut builder = BatchBuilder::default();
        for sequence in sequences {
            builder.push(Sequence((*sequence).into()), |buffer| buffer.push(*sequence));
        }
        builder.finish(Moment::START)
    }

    /// What `take` gives, in one piece.
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
