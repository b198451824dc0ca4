//! Copy of one author's log: what is here, what is missing, and which peers have it. Sections 9 and
//! 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::Entry;

/// Copy of one author's log. The entries up to `have` are complete above the floor (the low-water
/// mark at which this peer came in); there may be gaps beyond.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Greatest sequence without a gap (contiguous); at first the floor.
    pub(super) have: u32,
    /// Greatest sequence that exists, as any peer has claimed or an entry has proven.
    pub(super) highest_claimed: u32,
    /// Greatest sequence that the author itself has stated, or an entry has proven.
    pub(super) highest_written: u32,
    /// Lamport counter of the last entry in order.
    pub(super) last_lamport: Lamport,
    /// Entries beyond a gap, by sequence; they wait for the missing ones.
    pub(super) out_of_order: BTreeMap<u32, Arc<Entry>>,
    /// Entries in order that are retained to serve them to other peers, by sequence.
    pub(super) retained: BTreeMap<u32, Arc<Entry>>,
    /// Peers that claim to have missing entries: (peer, greatest sequence it has). At most
    /// `MAX_HOLDERS`.
    pub(super) holders: Vec<(PeerId, u32)>,
    /// Peers that have answered `lost` for the next missing entry: last sequence that they lack.
    /// Their pages are not believed up to there, or they would be asked for ever.
    pub(super) lost_by: BTreeMap<PeerId, u32>,
    /// Time since which no missing entry has arrived in order; `None` if nothing is missing.
    pub(super) stalled_since: Option<Moment>,
    /// Time of the next `want` for missing entries.
    pub(super) want_at: Option<Moment>,
    /// Number of `want`s since the last entry that arrived.
    pub(super) attempts: u32,
    /// Greatest sequence that was requested. Never decreases.
    pub(super) requested_up_to: u32,
    /// Peer whose page has introduced this author; `None` if the author is or was a member.
    pub(super) introduced_by: Option<PeerId>,
}

impl Log {
    /// Returns the ranges of missing sequences, of at most `most` entries in all.
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

    /// Returns true if an entry is missing that is claimed to exist.
    pub(super) fn is_incomplete(&self) -> bool {
        self.have < self.highest_claimed
    }

    /// Iterates over the peers that claim to have the next missing entry.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        self.holders.iter().filter(|(_, have)| *have > self.have).map(|(peer, _)| *peer)
    }

    /// Records the greatest sequence that the author states to have written. If the floor is above
    /// it, the floor was a false one, from the history's source, and is lowered: else this author
    /// would never be heard.
    pub(super) fn note_written(&mut self, sequence: u32) {
        self.highest_written = self.highest_written.max(sequence);
        if self.highest_written < self.have {
            (self.have, self.highest_claimed) = (self.highest_written, self.highest_written);
        }
    }

    /// Returns true if an entry is missing that the author itself has written. The author is asked
    /// for those only: of sequences that only others claim it would answer `lost`, before it writes
    /// them.
    pub(super) fn lacks_written(&self) -> bool {
        self.have < self.highest_written
    }

    /// Records that the author lacks the next missing entry, up to `last` or its own highest
    /// sequence.
    pub(super) fn note_lost_by_author(&mut self, author: PeerId, last: u32) {
        self.note_lost(author, last.min(self.highest_written));
    }

    /// Records that a peer lacks the next missing entry, up to `last`.
    pub(super) fn note_lost(&mut self, by: PeerId, last: u32) {
        self.forget_holder(by);
        self.lost_by.insert(by, last);
    }

    /// Returns true if this peer has answered `lost` for the next missing entry.
    pub(super) fn is_lost_by(&self, peer: PeerId) -> bool {
        self.lost_by.get(&peer).is_some_and(|last| *last > self.have)
    }

    /// Returns the greatest sequence up to which all peers that have answered `lost` lack the
    /// missing entries; `None` if no peer has.
    pub(super) fn lost_by_all_up_to(&self) -> Option<u32> {
        self.lost_by.values().filter(|last| **last > self.have).min().copied()
    }

    /// Removes a peer from the holders, so that it is not asked again until it repeats its claim.
    pub(super) fn forget_holder(&mut self, peer: PeerId) {
        self.holders.retain(|(holder, _)| *holder != peer);
    }
}
