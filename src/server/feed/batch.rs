//! Batch of a feed: frames that were published together, encoded once for all readers.

use bytes::Bytes;

use super::Slot;
use crate::model::{Moment, Sequence};

/// Size of the frames from which a batch is complete, in bytes. A connection that has unsent bytes
/// of a batch keeps the batch in memory, so batches must be small.
const FULL_BATCH: usize = 32 << 10;

/// Batch: frames of entries that were published together in one room.
#[derive(Clone, Debug)]
pub(in crate::server) struct Batch {
    /// Frames, concatenated.
    bytes: Bytes,
    /// Sequence of each entry, and the offset of the end of its frame in `bytes`.
    pub(super) ends: Box<[(Sequence, usize)]>,
    /// Memory of the batch in a feed, in bytes.
    pub(super) memory: usize,
    /// Time of publication, by which [`Feed::trim`](super::Feed::trim) drops the batch.
    pub(super) published: Moment,
}

/// Batch under construction.
#[derive(Debug, Default)]
pub(in crate::server) struct BatchBuilder {
    /// Frames of the entries added so far, concatenated.
    bytes: Vec<u8>,
    /// Sequence of each entry, and the offset of the end of its frame in `bytes`.
    ends: Vec<(Sequence, usize)>,
}

impl BatchBuilder {
    /// Adds an entry. `encode` must append its frame to the buffer. Sequences must ascend.
    pub(in crate::server) fn push(
        &mut self,
        sequence: Sequence,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        encode(&mut self.bytes);
        self.ends.push((sequence, self.bytes.len()));
    }

    /// Returns true if no entry was added.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns true if the batch must be finished before further entries are added: its frames have
    /// [`FULL_BATCH`] bytes or more.
    pub(in crate::server) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BATCH
    }

    /// Builds the finished batch. `now`: time of its publication.
    pub(in crate::server) fn finish(self, now: Moment) -> Batch {
        let memory = size_of::<Slot>() + self.bytes.capacity() + size_of_val(self.ends.as_slice());
        Batch { bytes: self.bytes.into(), ends: self.ends.into(), memory, published: now }
    }
}

impl Batch {
    /// Returns the frames from entry number `first` to the last entry whose sequence is at most
    /// `limit`, and the number of the entry after them. If no entry is left up to `limit`, returns
    /// no bytes and `first`.
    pub(super) fn slice(&self, first: usize, limit: Sequence) -> (Bytes, usize) {
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
