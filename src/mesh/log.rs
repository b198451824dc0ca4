//! Copy of one author's log: the entries that are here, the missing ones, and the peers that have
//! those. Sections 9 and 10.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Lamport, Moment, PeerId};
use crate::wire::udp::Entry;

/// Copy of one author's log. The floor is the author's low-water mark when this peer joined.
/// Between the floor and `have`, only entries are missing that were given up or dropped. Beyond
/// `have` there may be gaps.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Greatest sequence up to which no entry is awaited; at first 0 or the floor. Lowered only by
    /// [`Log::note_written`].
    pub(super) have: u32,
    /// Greatest sequence that a peer has claimed, or that an entry has proven to exist. Lowered
    /// when a claim is given up, and by [`Log::note_written`].
    pub(super) highest_claimed: u32,
    /// Greatest sequence that the author itself has stated, or an entry has proven.
    pub(super) highest_written: u32,
    /// Greatest Lamport counter of the entries in order and of the history entries; 0 if there are
    /// none.
    pub(super) last_lamport: Lamport,
    /// Entries beyond a gap, by sequence. They wait until the entries before them arrive or are
    /// given up.
    pub(super) out_of_order: BTreeMap<u32, Arc<Entry>>,
    /// Entries in order and history entries that are retained, to serve them to other peers, by
    /// sequence.
    pub(super) retained: BTreeMap<u32, Arc<Entry>>,
    /// Peers other than the author that claim to have missing entries, each with the sequence of
    /// its last claim. They stand in the order in which they were added. At most `MAX_HOLDERS`.
    pub(super) holders: Vec<(PeerId, u32)>,
    /// Peers that have answered `lost` for the next missing entry, each with the end of the
    /// unbroken range that it lacks. Until `have` reaches that end, the peer is asked only for
    /// entries behind it.
    pub(super) lost_by: BTreeMap<PeerId, u32>,
    /// Ranges last requested of each peer that has not answered yet. A holder that is listed here
    /// is not asked again until it answers or repeats its claim.
    pub(super) asked: BTreeMap<PeerId, Vec<(u32, u32)>>,
    /// Start of the give-up timer; `None` if nothing is missing. The timer starts when a gap is
    /// noticed. It restarts when the next missing entry arrives, when a gap is skipped, and after a
    /// suspension of the machine.
    pub(super) stalled_since: Option<Moment>,
    /// True if a gap was skipped, and the next missing entry has not arrived since.
    pub(super) has_skipped: bool,
    /// Time of the next `want` for missing entries; `None` if none is scheduled.
    pub(super) want_at: Option<Moment>,
    /// Number of due `want`s since an entry of the author was accepted, a `lost` brought news, or a
    /// gap was skipped. It counts a due `want` even if there was no peer to ask.
    pub(super) attempts: u32,
    /// Greatest sequence that was requested; 0 if none. Never decreases.
    pub(super) requested_up_to: u32,
    /// Peer whose claim is the only reason to know this author. `None` if the author is this peer
    /// or a member, or stands in a mark or in the history.
    pub(super) introduced_by: Option<PeerId>,
}

impl Log {
    /// Returns the ranges (first, last) of missing sequences above `after` and up to `end`, both
    /// included, in ascending order. `after` must not be below `have`. Stops after the first `most`
    /// missing sequences.
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

    /// Returns ranges to request behind the entries that a peer has lost, at most `most` sequences
    /// in all. If `end` is at most `most` above `after`, returns all missing sequences up to `end`.
    ///
    /// Otherwise half of the ranges' sequences are the missing ones directly above `after`. The
    /// others are single sequences at even distances up to `end`. So a few requests find where the
    /// peer's entries begin.
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

    /// Iterates over the peers other than the author that can be asked for the next missing entry:
    /// they claim to have it, have not answered `lost` for it, and owe no answer to a request.
    pub(super) fn holders(&self) -> impl Iterator<Item = PeerId> {
        let can_be_asked =
            |peer: &PeerId| !self.is_lost_by(*peer) && !self.asked.contains_key(peer);
        let holders = self.holders.iter().filter(|(_, have)| *have > self.have);
        holders.map(|(peer, _)| *peer).filter(can_be_asked)
    }

    /// Returns the end of the unbroken range above `have` that a peer lacks, by its answers `lost`.
    /// Returns `have` if it lacks no such range.
    pub(super) fn lost_up_to(&self, peer: PeerId) -> u32 {
        self.lost_by.get(&peer).map_or(self.have, |last| self.have.max(*last))
    }

    /// Iterates over the peers, the author included, that have answered `lost` for the next missing
    /// entry but claim later entries. Each comes with its [`Self::lost_up_to`]. Leaves out peers
    /// other than the author that owe an answer to a request.
    pub(super) fn sources_behind(&self, author: PeerId) -> impl Iterator<Item = (PeerId, u32)> {
        let claims = self.holders.iter().copied().chain([(author, self.highest_written)]);
        let lost = claims.map(|(peer, claim)| (peer, self.lost_up_to(peer), claim));
        let later = lost.filter(move |(peer, lost, claim)| {
            let can_be_asked = *peer == author || !self.asked.contains_key(peer);
            *lost > self.have && lost < claim && can_be_asked
        });
        later.map(|(peer, lost, _)| (peer, lost))
    }

    /// Records the last sequence that the author states to have written: raises `highest_written`
    /// to it. If `have` is above `highest_written` then, the floor from the history's source was
    /// false. In that case lowers `have` and `highest_claimed` to `highest_written`, and calls
    /// [`Log::clear_repair`]. So later entries of the author are not ignored.
    pub(super) fn note_written(&mut self, sequence: u32) {
        self.highest_written = self.highest_written.max(sequence);
        if self.highest_written < self.have {
            (self.have, self.highest_claimed) = (self.highest_written, self.highest_written);
            self.clear_repair();
        }
    }

    /// Forgets the state of the repair: give-up timer, skipped gaps, time of the next `want`,
    /// holders, and open requests. Keeps `lost_by` and `attempts`. Call it if nothing is missing.
    pub(super) fn clear_repair(&mut self) {
        (self.stalled_since, self.want_at, self.has_skipped) = (None, None, false);
        self.holders.clear();
        self.asked.clear();
    }

    /// Returns true if an entry is missing that is known to be written: the author has stated it,
    /// or a later entry proves it. The author is asked only then. If only other peers claim a
    /// sequence, the author may not have written it yet, and would answer `lost`.
    pub(super) fn lacks_written(&self) -> bool {
        self.have < self.highest_written
    }

    /// Records the answer `lost` of a peer. `lost`: ranges of lost sequences. They are compared
    /// with the ranges that the peer was asked for. Up to the first asked sequence that is not
    /// lost, the peer counts as lacking everything. If it was not asked, only the lost range with
    /// the next missing entry counts. The author counts as lacking nothing beyond
    /// `highest_written`.
    ///
    /// Returns true if the peer is now known to lack more than before. The peer may then be asked
    /// for later entries.
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

    /// Returns true if `peer` has answered `lost` for the next missing entry.
    pub(super) fn is_lost_by(&self, peer: PeerId) -> bool {
        self.lost_by.get(&peer).is_some_and(|last| *last > self.have)
    }

    /// Returns the smallest [`Self::lost_up_to`] of the peers that have answered `lost` for the
    /// next missing entry: up to it, all of them lack the entries. `None` if there is no such peer.
    pub(super) fn lost_by_all_up_to(&self) -> Option<u32> {
        self.lost_by.values().filter(|last| **last > self.have).min().copied()
    }

    /// Returns true if a peer has answered `lost` for all missing entries up to `last`, and so has
    /// each other peer that was asked and has not sent an entry or repeated its claim since.
    pub(super) fn is_gap_lost_by_all(&self, last: u32) -> bool {
        self.lost_by_all_up_to().is_some_and(|it| it >= last)
            && self.asked.keys().all(|it| self.is_lost_by(*it))
    }

    /// Lets a peer be asked again. Call it if the peer has answered, or has repeated its claim.
    pub(super) fn note_answer(&mut self, peer: PeerId) {
        self.asked.remove(&peer);
    }
}
