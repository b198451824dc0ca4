//! What the log took while it was being read.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::contract::{ReadRange, ReadRequest};
use crate::model::{NameKey, Sequence, SharedEntry, Target};

/// Entries that were committed since the oldest read that is not answered.
/// Empty while nothing is being read.
#[derive(Default)]
pub(super) struct Backlog {
    /// The heads at which reads were asked for, and how many at each.
    read_heads: BTreeMap<Sequence, usize>,
    /// Everything behind the least of them.
    entries: VecDeque<SharedEntry>,
}

impl Backlog {
    /// A read is asked for while the log's head is this. Call
    /// [`Self::end`] with the same when it is answered or not needed.
    pub(super) fn begin(&mut self, head: Sequence) {
        let reads = self.read_heads.entry(head).or_default();
        *reads = reads.saturating_add(1);
    }

    /// A read is over.
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

    /// An entry is committed.
    pub(super) fn push(&mut self, entry: &SharedEntry) {
        if !self.read_heads.is_empty() {
            self.entries.push_back(entry.clone());
        }
    }

    /// Adds to what a read has found, when the log's head was this, what was
    /// committed after it and was asked for, so that it reaches up to the
    /// hub's head. Call it before [`Self::end`].
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
                session.is_some_and(|it| it == *to || it == entry.draft.session)
            }
        };
        let later = self.entries.iter().filter(|it| it.sequence > head).filter(is_wanted);
        let before = found.len();
        found.extend(later.cloned());
        if found.len() > before
            && let ReadRange::Latest(most) = range
        {
            keep_latest(found, *most);
        }
    }

    /// Nothing is kept.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.read_heads.is_empty() && self.entries.is_empty()
    }
}

/// Drops all but the latest so many of each room and of the direct messages.
fn keep_latest(entries: &mut Vec<SharedEntry>, most: u16) {
    let mut seen: HashMap<Option<NameKey>, u16> = HashMap::new();
    entries.reverse();
    entries.retain(|entry| {
        let room = match &entry.draft.target {
            Target::Room(room) => Some(room.key().clone()),
            Target::Session(..) => None,
        };
        let count = seen.entry(room).or_default();
        *count = count.saturating_add(1);
        *count <= most
    });
    entries.reverse();
}
