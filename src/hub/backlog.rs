//! Backlog: entries that the log commits while reads for `join` and `enter` are in progress.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::log_contract::{ReadRange, ReadRequest};
use crate::model::{NameKey, Sequence, SharedEntry, Target};

/// Buffer of the entries committed since the oldest registered read began. Empty while no read is
/// registered.
#[derive(Default)]
pub(super) struct Backlog {
    /// Number of registered reads, by the hub's head when they were registered.
    read_heads: BTreeMap<Sequence, usize>,
    /// Entries after the lowest head in `read_heads`, in ascending order of sequence.
    entries: VecDeque<SharedEntry>,
}

impl Backlog {
    /// Registers a read. `head` is the hub's head: the sequence of its last committed entry. Call
    /// [`Self::end`] with the same `head` when the read is answered or cancelled.
    pub(super) fn begin(&mut self, head: Sequence) {
        let reads = self.read_heads.entry(head).or_default();
        *reads = reads.saturating_add(1);
    }

    /// Unregisters a read that was registered at `head`. Drops the entries that no other read
    /// needs.
    pub(super) fn end(&mut self, head: Sequence) {
        if let Some(reads) = self.read_heads.get_mut(&head) {
            *reads = reads.saturating_sub(1);
            if *reads == 0 {
                self.read_heads.remove(&head);
            }
        }
        match self.read_heads.keys().next() {
            Some(least) => {
                while self.entries.front().is_some_and(|it| it.sequence <= *least) {
                    self.entries.pop_front();
                }
            }
            None => self.entries = VecDeque::new(),
        }
    }

    /// Buffers a committed entry. Does nothing if no read is registered.
    pub(super) fn push(&mut self, entry: &SharedEntry) {
        if !self.read_heads.is_empty() {
            self.entries.push_back(entry.clone());
        }
    }

    /// Adds buffered entries to `found`: those after `head` that belong to the rooms and the
    /// session of the request. So `found` reaches up to the hub's head. `head`: head of the log
    /// when the log was read. `found`: last page of a read, in ascending order of sequence.
    ///
    /// Do not call it for a page that is not the last one: the result would have a hole.
    ///
    /// If entries were added and the range is [`ReadRange::Latest`], applies the limit to `found`.
    /// Limits and filters of other ranges are not applied.
    ///
    /// Call it before [`Self::end`].
    pub(super) fn add_later_entries(
        &self,
        found: &mut Vec<SharedEntry>,
        head: Sequence,
        request: &ReadRequest,
    ) {
        let ReadRequest { rooms, session, range } = request;
        let is_wanted = |entry: &&SharedEntry| match &entry.draft.target {
            Target::Room(room) => rooms.contains(room),
            Target::Session(to, _) => {
                session.is_some_and(|it| it == *to || it == entry.draft.author())
            }
        };
        let later = self.entries.iter().filter(|it| it.sequence > head).filter(is_wanted);
        let before = found.len();
        found.extend(later.cloned());
        if found.len() > before
            && let ReadRange::Latest(limit) = range
        {
            keep_latest(found, *limit);
        }
    }

    /// Returns true if no read is registered and no entry is buffered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.read_heads.is_empty() && self.entries.is_empty()
    }
}

/// Keeps only the latest `limit` entries of each room, and the latest `limit` direct messages.
/// `entries` must ascend by sequence.
fn keep_latest(entries: &mut Vec<SharedEntry>, limit: u16) {
    let mut seen: HashMap<Option<NameKey>, u16> = HashMap::new();
    entries.reverse();
    entries.retain(|entry| {
        let room = match &entry.draft.target {
            Target::Room(room) => Some(room.key().clone()),
            Target::Session(..) => None,
        };
        let count = seen.entry(room).or_default();
        *count = count.saturating_add(1);
        *count <= limit
    });
    entries.reverse();
}
