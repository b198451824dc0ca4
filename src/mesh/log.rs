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
    /// lack without a break. Until `have` reaches that sequence, they are asked only behind it.
    pub(super) lost_by: BTreeMap<PeerId, u32>,
    /// Ranges last requested of each peer that has not answered yet. A holder that is listed here
    /// is not asked again until it answers or repeats its claim.
    pub(super) asked: BTreeMap<PeerId, Vec<(u32, u32)>>,
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
    /// Returns the ranges (first, last) of missing sequences above `after` and up to `end`, in
    /// ascending order, both ends included. Together they have at most `most` sequences: the
    /// smallest ones.
    pub(super) fn missing_ranges(&self, after: u32, end: u32, most: u64) -> Vec<(u32, u32)> {
        let mut ranges = Vec::new();
        let (mut next, mut left) = (after.saturating_add(1), most);
        let here = self.out_of_order.range(next..).map(|(sequence, _)| *sequence);
        for end in here.take_while(|it| *it <= end).chain([end.saturating_add(1)]) {
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

    /// Returns ranges to request behind a long run of entries that a peer has lost: missing ones
    /// directly above `after`, and single ones at even distances up to `end`, at most `most`
    /// sequences in all. So a few requests find where the peer's entries begin.
    pub(super) fn probe_ranges(&self, after: u32, end: u32, most: u64) -> Vec<(u32, u32)> {
        if u64::from(end.saturating_sub(after)) <= most {
            return self.missing_ranges(after, end, most);
        }
        let mut ranges = self.missing_ranges(after, end, most.div_ceil(2));
        let probes = u32::try_from(most / 2).unwrap_or(u32::MAX);
        let first = ranges.last().map_or(after, |it| it.1);
        // Before the last one, for `end` itself is what everybody has.
        let step = (end.saturating_sub(first) / probes.saturating_add(1)).max(1);
        let singles = (1..=probes).map(|it| first.saturating_add(step.saturating_mul(it)));
        let is_missing = |it: &u32| *it <= end && !self.out_of_order.contains_key(it);
        ranges.extend(singles.filter(is_missing).map(|it| (it, it)));
        ranges
    }

    /// Returns true if an entry is missing that is claimed or proven to exist.
    pub(super) fn is_incomplete(&self) -> bool {
        self.have < self.highest_claimed
    }

    /// Iterates over the peers other than the author that claim to have the next missing entry,
    /// have not answered `lost` for it, and were not asked in vain since their claim.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        let can_be_asked =
            |peer: &PeerId| !self.is_lost_by(*peer) && !self.asked.contains_key(peer);
        let holders = self.holders.iter().filter(|(_, have)| *have > self.have);
        holders.map(|(peer, _)| *peer).filter(can_be_asked)
    }

    /// Returns the last sequence that a peer lacks without a break above `have`, by its answers
    /// `lost`; `have` if it has answered none.
    pub(super) fn lost_up_to(&self, peer: PeerId) -> u32 {
        self.lost_by.get(&peer).map_or(self.have, |last| self.have.max(*last))
    }

    /// Iterates over the peers that have answered `lost` for the next missing entry and claim to
    /// have later ones, each with the last sequence that it lacks.
    pub(super) fn sources_behind(&self, author: PeerId) -> impl Iterator<Item = (PeerId, u32)> {
        let claims = self.holders.iter().copied().chain([(author, self.highest_written)]);
        let lost = claims.map(|(peer, claim)| (peer, self.lost_up_to(peer), claim));
        let later = lost.filter(move |(peer, lost, claim)| {
            let can_be_asked = *peer == author || !self.asked.contains_key(peer);
            *lost > self.have && lost < claim && can_be_asked
        });
        later.map(|(peer, lost, _)| (peer, lost))
    }

    /// Records a sequence that the author states to have written; `highest_written` never
    /// decreases. If `have` is above `highest_written`, lowers `have` and `highest_claimed` to it:
    /// the floor, from the history's source, was a false one, and later entries of the author would
    /// be ignored.
    pub(super) fn note_written(&mut self, sequence: u32) {
        self.highest_written = self.highest_written.max(sequence);
        if self.highest_written < self.have {
            (self.have, self.highest_claimed) = (self.highest_written, self.highest_written);
            self.clear_repair();
        }
    }

    /// Forgets everything about the repair of this log, because nothing is missing any more.
    pub(super) fn clear_repair(&mut self) {
        (self.stalled_since, self.want_at) = (None, None);
        self.holders.clear();
        self.asked.clear();
    }

    /// Returns true if an entry is missing that the author itself has stated, or an entry has
    /// proven, to be written. The author is asked only then: if only other peers claim a sequence,
    /// the author may not have written it yet, and would answer `lost`.
    pub(super) fn lacks_written(&self) -> bool {
        self.have < self.highest_written
    }

    /// Records the answer `lost` of a peer with these ranges of sequences. Goes through the ranges
    /// that it was asked for: as far as all are lost, the peer lacks them and what lies between. If
    /// it was not asked for them, only the range with the next missing entry counts. The author
    /// lacks nothing beyond `highest_written`.
    ///
    /// Returns true if it is known to lack more than before. Then it may be asked for what it
    /// claims to have behind that.
    pub(super) fn note_lost(&mut self, by: PeerId, author: PeerId, lost: &[(u32, u32)]) -> bool {
        let before = self.lost_up_to(by);
        let end_of = |sequence: u32| {
            lost.iter().find(|it| it.0 <= sequence && sequence <= it.1).map(|it| it.1)
        };
        let next = self.missing_ranges(before, self.highest_claimed, 1);
        let next = next.first().map_or(before.saturating_add(1), |it| it.0);
        let asked = self.asked.get(&by).filter(|it| it.first().is_some_and(|it| it.0 <= next));
        let mut up_to = before;
        match asked {
            Some(asked) => {
                for (first, last) in asked.iter().filter(|it| it.1 > before) {
                    let Some(end) = end_of((*first).max(next)) else { break };
                    up_to = up_to.max(end.min(*last));
                    if end < *last {
                        break;
                    }
                }
            }
            None => up_to = end_of(next).unwrap_or(before),
        }
        if by == author {
            up_to = up_to.min(self.highest_written);
        }
        if up_to <= before {
            return false;
        }
        self.asked.remove(&by);
        self.lost_by.insert(by, up_to);
        true
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

    /// Notes that a peer may be asked again: it has answered, or repeated its claim.
    pub(super) fn note_answer(&mut self, peer: PeerId) {
        self.asked.remove(&peer);
    }
}
