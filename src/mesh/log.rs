//! Copy of one author's log: what is here, what is missing, and which peers
//! have it. Sections 9 and 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::Entry;

/// My copy of one author's log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// I have everything up to here, above the floor; never below the floor.
    pub(super) have: u32,
    /// What exists, as far as anybody has told.
    pub(super) highest_claimed: u32,
    /// What the author itself says that it has written, or an entry proves.
    pub(super) highest_written: u32,
    /// The Lamport counter of the last one in order.
    pub(super) last_lamport: Lamport,
    /// Beyond a gap.
    pub(super) out_of_order: BTreeMap<u32, Arc<Entry>>,
    /// What I can give to others.
    pub(super) retained: BTreeMap<u32, Arc<Entry>>,
    /// Who has what I lack: each has everything up to a sequence.
    pub(super) holders: Vec<(PeerId, u32)>,
    /// Who has said that it lacks what I lack next, and up to where. What
    /// they say in their pages is not believed so far, or they would be
    /// asked for ever.
    pub(super) lost_by: BTreeMap<PeerId, u32>,
    /// Since when nothing that I lack has come.
    pub(super) stalled_since: Option<Moment>,
    /// When to ask for what I lack.
    pub(super) want_at: Option<Moment>,
    /// So often I have asked without success.
    pub(super) attempts: u32,
    /// Up to here I have asked for.
    pub(super) requested_up_to: u32,
    /// Whose page told of this author; `None`: it is or was a member.
    pub(super) introduced_by: Option<PeerId>,
}

impl Log {
    /// The ranges that I lack, of at most `most` entries in all.
    pub(super) fn missing_ranges(&self, most: u64) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        let (mut next, mut left) = (self.have.saturating_add(1), most);
        let ends =
            self.out_of_order.keys().copied().chain([self.highest_claimed.saturating_add(1)]);
        for end in ends {
            if next < end && left > 0 {
                let most = u32::try_from(left - 1).unwrap_or(u32::MAX);
                let last = (end - 1).min(next.saturating_add(most));
                left -= u64::from(last - next) + 1;
                ranges.push((next, last));
            }
            next = next.max(end.saturating_add(1));
        }
        ranges
    }

    /// Whether there is something that I lack.
    pub(super) fn is_incomplete(&self) -> bool {
        self.have < self.highest_claimed
    }

    /// Who is said to have the next one that I lack.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        self.holders.iter().filter(|(_, have)| *have > self.have).map(|(peer, _)| *peer)
    }

    /// The author says what it has written. A floor above that was a lie of
    /// whoever gave me the history: I would never hear this author again.
    pub(super) fn note_written(&mut self, sequence: u32) {
        self.highest_written = self.highest_written.max(sequence);
        if self.highest_written < self.have {
            (self.have, self.highest_claimed) = (self.highest_written, self.highest_written);
        }
    }

    /// Whether the author says that it has something that I lack. What only
    /// others say to exist of it, it is not asked for: it would say that it
    /// lacks what it is yet to write.
    pub(super) fn lacks_written(&self) -> bool {
        self.have < self.highest_written
    }

    /// The author lacks what I lack next, up to `last`.
    pub(super) fn note_lost_by_author(&mut self, author: PeerId, last: u32) {
        self.note_lost(author, last.min(self.highest_written));
    }

    /// This one has said that it lacks what I lack next, up to `last`.
    pub(super) fn note_lost(&mut self, by: PeerId, last: u32) {
        self.forget_holder(by);
        self.lost_by.insert(by, last);
    }

    /// Whether this one has said that it lacks what I lack next.
    pub(super) fn is_lost_by(&self, peer: PeerId) -> bool {
        self.lost_by.get(&peer).is_some_and(|last| *last > self.have)
    }

    /// Up to where everybody lacks what I lack who has said that it lacks
    /// the next one.
    pub(super) fn lost_by_all_up_to(&self) -> Option<u32> {
        self.lost_by.values().filter(|last| **last > self.have).min().copied()
    }

    /// This one is not asked again before it says again what it has.
    pub(super) fn forget_holder(&mut self, peer: PeerId) {
        self.holders.retain(|(holder, _)| *holder != peer);
    }
}
