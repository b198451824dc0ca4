//! Copy of one author's log: what is here, what is missing, and which peers have it. Sections 9 and
//! 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::Entry;

/// Copy of one author's log. Up to `have` nothing is missing above the floor (the low-water mark of
/// the author when this peer joined), except entries that were given up or dropped. Beyond `have`
/// there may be gaps.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Greatest sequence up to which no entry is awaited any more; at first 0 or the floor. Lowered
    /// only by [`Log::note_written`].
    pub(super) have: u32,
    /// Greatest sequence that any peer has claimed or an entry has proven to exist. Claims that
    /// were given up are forgotten.
    pub(super) highest_claimed: u32,
    /// Greatest sequence that the author itself has stated, or an entry has proven.
    pub(super) highest_written: u32,
    /// Greatest Lamport counter of the entries in order and of the history; 0 if there are none.
    pub(super) last_lamport: Lamport,
    /// Entries beyond a gap, by sequence: they wait until the entries before them arrive or are
    /// given up.
    pub(super) out_of_order: BTreeMap<u32, Arc<Entry>>,
    /// Entries in order that are retained to serve them to other peers, by sequence.
    pub(super) retained: BTreeMap<u32, Arc<Entry>>,
    /// Peers other than the author that claim to have missing entries, with the greatest sequence
    /// of their last claim; in the order in which they were added. At most `MAX_HOLDERS`.
    pub(super) holders: Vec<(PeerId, u32)>,
    /// Peers that have answered `lost` for the next missing entry, with the last sequence that they
    /// lack. Until `have` reaches that sequence, they are not recorded as holders, or they would be
    /// asked for ever.
    pub(super) lost_by: BTreeMap<PeerId, u32>,
    /// Start of the give-up timer: time at which a gap was noticed or skipped, or the next missing
    /// entry arrived, whichever was last; a suspension of the machine restarts it. Cleared when
    /// reassembly finds nothing missing.
    pub(super) stalled_since: Option<Moment>,
    /// Time of the next `want` for missing entries; `None` if none is scheduled.
    pub(super) want_at: Option<Moment>,
    /// Number of times that a `want` was due, even if there was no peer to ask, since an entry of
    /// the author was accepted or a gap was skipped.
    pub(super) attempts: u32,
    /// Greatest sequence that was requested; 0 if none. Never decreases.
    pub(super) requested_up_to: u32,
    /// Peer whose claim is the only reason to know this author; `None` if there is a better one:
    /// the author is this peer or a member, or stands in a mark or in the history.
    pub(super) introduced_by: Option<PeerId>,
}

impl Log {
    /// Returns the ranges (first, last) of missing sequences up to `highest_claimed`, in ascending
    /// order, both ends included. Together they have at most `most` sequences: the smallest ones.
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

    /// Returns true if an entry is missing that is claimed or proven to exist.
    pub(super) fn is_incomplete(&self) -> bool {
        self.have < self.highest_claimed
    }

    /// Iterates over the peers other than the author that claim to have the next missing entry.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        self.holders.iter().filter(|(_, have)| *have > self.have).map(|(peer, _)| *peer)
    }

    /// Records a sequence that the author states to have written; `highest_written` never
    /// decreases. If `have` is above `highest_written`, lowers `have` and `highest_claimed` to it:
    /// the floor, from the history's source, was a false one, and later entries of the author would
    /// be ignored.
    pub(super) fn note_written(&mut self, sequence: u32) {
        self.highest_written = self.highest_written.max(sequence);
        if self.highest_written < self.have {
            (self.have, self.highest_claimed) = (self.highest_written, self.highest_written);
        }
    }

    /// Returns true if an entry is missing that the author itself has stated, or an entry has
    /// proven, to be written. The author is asked only then: if only other peers claim a sequence,
    /// the author may not have written it yet, and would answer `lost`.
    pub(super) fn lacks_written(&self) -> bool {
        self.have < self.highest_written
    }

    /// Records the answer `lost` of the author itself: it lacks the next missing entry and those up
    /// to `last`, but at most up to `highest_written`.
    pub(super) fn note_lost_by_author(&mut self, author: PeerId, last: u32) {
        self.note_lost(author, last.min(self.highest_written));
    }

    /// Records the answer `lost` of a peer: it lacks the next missing entry and those up to `last`.
    /// Replaces its last such answer, and removes it from the holders.
    pub(super) fn note_lost(&mut self, by: PeerId, last: u32) {
        self.forget_holder(by);
        self.lost_by.insert(by, last);
    }

    /// Returns true if this peer has answered `lost` for the next missing entry.
    pub(super) fn is_lost_by(&self, peer: PeerId) -> bool {
        self.lost_by.get(&peer).is_some_and(|last| *last > self.have)
    }

    /// Returns the greatest sequence up to which every peer that has answered `lost` for the next
    /// missing entry lacks the entries; `None` if no peer has.
    pub(super) fn lost_by_all_up_to(&self) -> Option<u32> {
        self.lost_by.values().filter(|last| **last > self.have).min().copied()
    }

    /// Removes a peer from the holders, so that it is not asked again until it repeats its claim.
    pub(super) fn forget_holder(&mut self, peer: PeerId) {
        self.holders.retain(|(holder, _)| *holder != peer);
    }
}
