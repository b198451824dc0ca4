//! Page of a replay: the first entries and removals after a position.

use std::collections::BTreeMap;

use crate::model::{Sequence, SharedEntry, SharedFact};

/// Entries and removals by sequence, from which a page of a replay is made.
#[derive(Debug, Default)]
pub(super) struct ReplayPage {
    /// Entries.
    pub(super) entries: BTreeMap<Sequence, SharedEntry>,
    /// Facts by which messages were removed.
    pub(super) removals: BTreeMap<Sequence, SharedFact>,
}

impl ReplayPage {
    /// Removes the latest items, until at most `count` entries and removals together are left.
    /// Returns true if it removed any.
    pub(super) fn keep_first(&mut self, count: usize) -> bool {
        let mut dropped = false;
        while self.entries.len() + self.removals.len() > count {
            if self.entries.last_key_value().map(|it| it.0)
                > self.removals.last_key_value().map(|it| it.0)
            {
                self.entries.pop_last();
            } else {
                self.removals.pop_last();
            }
            dropped = true;
        }
        dropped
    }
}
