//! Anti-entropy repair: requesting missing entries (`want`), serving them, and `lost`. Section 10.

use std::collections::BTreeMap;

use super::log::Log;
use super::timers::{
    WANT_COALESCE_WINDOW, WANT_DEDUP_WINDOW, WANT_DELAY_MS, WANT_RETRY_MS, gone_after,
};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{MAX_RANGES, MAX_WANTED};
use crate::model::{Event, Moment, PathSet, PeerId, TokenBucket};
use crate::wire::udp::{Control, EntryRange, Lost, Want};

/// Rate limit for entries served on request to all peers together: burst, and entries per minute.
const TOTAL_ANSWER_RATE: (u32, u32) = (256, 12_000);
/// Maximum number of entries remembered as wanted recently. At the limit, expired ones are removed;
/// if none has expired, a further `want` is not remembered.
const MAX_RECENT_WANTS: usize = 1_024;
/// Number of due `want`s for an author without an entry arriving (some ten seconds) at which the
/// retry interval grows.
const WANTS_BEFORE_BACKOFF: u32 = 40;
/// Factor by which the retry interval is multiplied once `attempts` has reached
/// [`WANTS_BEFORE_BACKOFF`].
const BACKOFF_FACTOR: u64 = 16;

/// Recent `want` of another peer for one entry, remembered to answer several peers with one
/// multicast.
#[derive(Clone, Copy, Debug)]
struct RecentWant {
    /// Time of the `want`.
    at: Moment,
    /// Peer that sent it; `None` if it was answered to everybody.
    by: Option<PeerId>,
}

/// State of repair: recent `want`s of other peers, and the time of this peer's next `want`.
#[derive(Debug)]
pub(super) struct RepairState {
    /// Recent `want`s of other peers for entries that are here, by (author, sequence). May hold
    /// expired ones.
    recent_wants: BTreeMap<(PeerId, u32), RecentWant>,
    /// Rate limit for entries served to all peers.
    bucket: TokenBucket,
    /// Time at which the earliest `want` for any author is due; `None` if none is scheduled.
    next_want_at: Option<Moment>,
}

impl Default for RepairState {
    fn default() -> Self {
        let bucket = TokenBucket::new(TOTAL_ANSWER_RATE.0, TOTAL_ANSWER_RATE.1);
        Self { recent_wants: BTreeMap::new(), bucket, next_want_at: None }
    }
}

impl RepairState {
    /// Returns the number of entries remembered as wanted, expired ones included.
    pub(super) fn stats(&self) -> usize {
        self.recent_wants.len()
    }

    /// Returns the time at which the next `want` is due; `None` if none is scheduled.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.next_want_at
    }
}

/// Recipients of an entry that was requested.
#[derive(Debug, PartialEq, Eq)]
enum Recipients {
    /// Only the peer that has asked.
    Asker,
    /// Everybody, because another peer has wanted it within [`WANT_DEDUP_WINDOW`].
    All,
    /// Nobody, because it was sent to everybody within [`WANT_DEDUP_WINDOW`].
    Nobody,
}

impl RepairState {
    /// Decides on the recipients of an entry that `asker` wants. Remembers the `want`, unless there
    /// are no recipients or too many are remembered ([`MAX_RECENT_WANTS`]).
    fn recipients(&mut self, now: Moment, entry: (PeerId, u32), asker: PeerId) -> Recipients {
        let before = self
            .recent_wants
            .get(&entry)
            .filter(|it| now.since(it.at) < WANT_DEDUP_WINDOW)
            .copied();
        let (recipients, by) = match before.map(|it| it.by) {
            Some(None) => return Recipients::Nobody,
            Some(Some(other)) if other != asker => (Recipients::All, None),
            _ => (Recipients::Asker, Some(asker)),
        };
        if self.recent_wants.len() >= MAX_RECENT_WANTS {
            self.recent_wants.retain(|_, it| now.since(it.at) < WANT_DEDUP_WINDOW);
        }
        if self.recent_wants.len() < MAX_RECENT_WANTS {
            self.recent_wants.insert(entry, RecentWant { at: now, by });
        }
        recipients
    }
}

impl Mesh {
    /// Schedules a `want` for an author's missing entries after a random delay ([`WANT_DELAY_MS`]).
    /// Does nothing if none is missing or a `want` is scheduled already.
    pub(super) fn schedule_want(&mut self, now: Moment, author: PeerId) {
        let is_new =
            self.logs.get(author).is_some_and(|it| it.is_incomplete() && it.want_at.is_none());
        if is_new {
            let at = now + self.random_delay(WANT_DELAY_MS);
            self.schedule_want_at(author, at);
        }
    }

    /// Sets the time of the next `want` for an author's missing entries, replacing an earlier
    /// setting. Does nothing if the author has no log.
    fn schedule_want_at(&mut self, author: PeerId, at: Moment) {
        if let Some(log) = self.logs.get_mut(author) {
            log.want_at = Some(at);
            self.repair.next_want_at = Some(self.repair.next_want_at.map_or(at, |due| due.min(at)));
        }
    }

    /// Sends the `want`s that are due, one packet per source, and schedules the next ones. If there
    /// is no source to ask for an author's next entry, gives up its gap if
    /// [`give_up_gap`](super::logs::Logs::give_up_gap) allows, reports a gap that was skipped to the
    /// user, and asks for entries behind it. Does nothing before the history is complete.
    pub(super) fn send_due_wants(&mut self, now: Now) {
        if !matches!(self.phase, Phase::In)
            || self.repair.next_want_at.is_none_or(|it| it > now.moment)
        {
            return;
        }
        // Repeated requests that are almost due are sent as well: one packet and one wake-up serve
        // many authors.
        let near = now.moment + WANT_COALESCE_WINDOW;
        let is_due = |log: &Log| {
            log.want_at.is_some_and(|it| it <= now.moment || log.attempts > 0 && it <= near)
        };
        let due = self.logs.iter().filter(|(_, log)| log.is_incomplete() && is_due(log));
        let due: Vec<PeerId> = due.map(|(author, _)| author).collect();
        let mut wants: BTreeMap<PeerId, Vec<PeerId>> = BTreeMap::new();
        for author in &due {
            let mut source = self.choose_source(now.moment, *author);
            if source.is_none() {
                let can_ask_behind = !self.sources_behind(now.moment, *author).is_empty();
                if self.logs.give_up_gap(now.moment, *author, can_ask_behind) {
                    let room = self.settings.room.as_str().to_owned();
                    self.emit(Event::Gap { room });
                }
                source = self.choose_source_behind(now.moment, *author);
            }
            if let Some(source) = source {
                wants.entry(source).or_default().push(*author);
            }
        }
        for (source, authors) in wants {
            let ranges = self.ranges_for(source, authors);
            self.send_want(now.moment, source, ranges);
        }
        for author in due {
            let attempts = self.logs.get_mut(author).map_or(1, |log| {
                log.attempts = log.attempts.saturating_add(1);
                log.attempts
            });
            let factor = if attempts < WANTS_BEFORE_BACKOFF { 1 } else { BACKOFF_FACTOR };
            let delay = self.random_delay((WANT_RETRY_MS.0 * factor, WANT_RETRY_MS.1 * factor));
            // If nothing is missing any more, `want_at` must stay empty: `schedule_want` does
            // nothing while it is set.
            if self.logs.get(author).is_some_and(Log::is_incomplete) {
                self.schedule_want_at(author, now.moment + delay);
            }
        }
        let behind = self.logs.iter().filter(|(_, log)| log.is_incomplete());
        self.repair.next_want_at = behind.filter_map(|(_, log)| log.want_at).min();
    }

    /// Sends a `want` to the best known address of a peer; does nothing if it has none.
    ///
    /// If that peer has no verified address, sends at most one range, and nothing if it was sent a
    /// `want` since it was last heard: its address may belong to a victim, and claims cost an
    /// attacker nothing. If something was left out, has its address verified.
    fn send_want(&mut self, now: Moment, source: PeerId, mut ranges: Vec<EntryRange>) {
        let Some(contact) = self.contacts.get_mut(source) else { return };
        let Some(address) = contact.address() else { return };
        if contact.verified_address().is_none() {
            let is_too_much = contact.is_asked || ranges.len() > 1;
            if contact.is_asked {
                ranges.clear();
            }
            ranges.truncate(1);
            contact.is_asked = true;
            contact.needs_verified_address |= is_too_much;
            if is_too_much {
                self.schedule_sweep(now);
            }
        }
        if !ranges.is_empty() {
            self.send_to(address, Control::Want(Want { ranges }));
        }
    }

    /// Returns the ranges of a `want` to `source` about these authors, at most [`MAX_RANGES`] ranges
    /// and [`MAX_WANTED`] entries, which the authors share evenly. Records them as requested.
    fn ranges_for(&mut self, source: PeerId, mut authors: Vec<PeerId>) -> Vec<EntryRange> {
        // If there is not enough room for all, others come first the next time.
        self.random.shuffle(&mut authors);
        let mut wanted = Vec::new();
        let mut left = MAX_WANTED;
        for (index, author) in authors.iter().enumerate() {
            let others = u64::try_from(authors.len() - index).unwrap_or(1);
            let room = MAX_RANGES.saturating_sub(wanted.len()) / (authors.len() - index);
            let mut ranges = self.missing_of(source, *author, left.div_ceil(others), room.max(1));
            ranges.truncate(MAX_RANGES.saturating_sub(wanted.len()));
            left -= ranges.iter().map(|it| u64::from(it.1 - it.0) + 1).sum::<u64>().min(left);
            let author = *author;
            wanted.extend(ranges.iter().map(|&(first, last)| EntryRange { author, first, last }));
            if !ranges.is_empty() {
                self.logs.note_requested(author, source, ranges);
            }
        }
        wanted
    }

    /// Returns the ranges of an author's entries to request of `source`: what is missing behind
    /// those that the source has lost. At most `most` entries and `room` ranges.
    fn missing_of(
        &self,
        source: PeerId,
        author: PeerId,
        most: u64,
        room: usize,
    ) -> Vec<(u32, u32)> {
        let Some(log) = self.logs.get(author) else { return Vec::new() };
        let (lost, claimed) = (log.lost_up_to(source), log.highest_claimed);
        let is_missing = !log.out_of_order.contains_key(&lost.saturating_add(1));
        let mut ranges = if lost > log.have && is_missing {
            let held = log.out_of_order.range(lost..).next();
            let end = held.map_or(claimed, |(sequence, _)| sequence.saturating_sub(1));
            let most = most.min(u64::try_from(room).unwrap_or(most).saturating_mul(2));
            log.probe_ranges(lost, end, most)
        } else {
            log.missing_ranges(lost, claimed, most)
        };
        ranges.truncate(room);
        ranges
    }

    /// Returns true if a peer may be asked for entries: it is a member with a known address, heard
    /// within half of G(n).
    fn can_be_asked(&self, now: Moment, peer: PeerId) -> bool {
        let silence = gone_after(self.member_count()) / 2;
        self.contacts.member(peer).is_some_and(|contact| {
            contact.last_heard.is_some_and(|heard| now.since(heard) < silence)
                && contact.has_address()
        })
    }

    /// Returns the peers that may be asked for entries of an author behind those that they have
    /// answered `lost` for, each with the last sequence that it lacks.
    fn sources_behind(&self, now: Moment, author: PeerId) -> Vec<(PeerId, u32)> {
        let Some(log) = self.logs.get(author) else { return Vec::new() };
        let sources = log.sources_behind(author).filter(|it| self.can_be_asked(now, it.0));
        sources.collect()
    }

    /// Chooses a peer to ask for entries of an author behind those that it has answered `lost` for.
    /// Call it if no peer is left to ask for the latter. Chooses the peer that lacks least, while it
    /// is unknown where the entries of any peer begin: that must be found before the gap can be
    /// given up. Later chooses any peer, if there is room for entries out of order. `None` if there
    /// is no such peer or no room.
    fn choose_source_behind(&mut self, now: Moment, author: PeerId) -> Option<PeerId> {
        let sources = self.sources_behind(now, author);
        let log = self.logs.get(author)?;
        let is_unknown =
            |lost: u32| !log.out_of_order.range(..=lost.saturating_add(1)).any(|_| true);
        let searched = sources.iter().filter(|it| is_unknown(it.1)).min_by_key(|it| it.1);
        if let Some((peer, ..)) = searched {
            return Some(*peer);
        }
        if !self.logs.has_room_behind(author) {
            return None;
        }
        self.random.choice(&sources).map(|it| it.0)
    }

    /// Chooses the peer to ask for an author's next missing entries; `None` if there is none. Only
    /// members with a known address and heard within half of G(n) are asked.
    ///
    /// The author is asked first, then by turns a random holder and the author. The author is left
    /// out if it has not written what is missing or has answered `lost`; without a holder it is
    /// asked each time.
    fn choose_source(&mut self, now: Moment, author: PeerId) -> Option<PeerId> {
        let log = self.logs.get(author)?;
        let can_be_asked = |it: &PeerId| self.can_be_asked(now, *it);
        let is_home = log.lacks_written() && !log.is_lost_by(author) && can_be_asked(&author);
        let holders: Vec<PeerId> = log.holders().filter(can_be_asked).collect();
        if is_home && (log.attempts == 0 || holders.is_empty() || log.attempts % 2 == 0) {
            return Some(author);
        }
        self.random.choice(&holders).copied()
    }

    /// Handles `want`: serves the retained entries, and answers `lost` for the others. At the first
    /// entry beyond a rate limit it stops, and sends no `lost` either. If the asker has no verified
    /// address, it only has a ping sent.
    ///
    /// The wire layer has checked that a `want` asks for at most [`MAX_WANTED`] entries.
    pub(super) fn on_want(&mut self, now: Now, asker: PeerId, want: &Want) {
        let Some(address) = self.verified_address(now, asker) else { return };
        let mut lost = Vec::new();
        for range in want.ranges.iter().take(MAX_RANGES) {
            let mut absent: Option<EntryRange> = None;
            for sequence in range.first..=range.last {
                let Some(entry) = self.logs.entry(range.author, sequence).cloned() else {
                    let first = absent.map_or(sequence, |it| it.first);
                    absent = Some(EntryRange { author: range.author, first, last: sequence });
                    continue;
                };
                lost.extend(absent.take());
                let contact = self.contacts.get_mut(asker);
                let may_ask = contact.is_some_and(|it| it.answers.try_take(now.moment));
                if !may_ask || !self.repair.bucket.try_take(now.moment) {
                    return;
                }
                match self.repair.recipients(now.moment, (range.author, sequence), asker) {
                    Recipients::Asker => {
                        self.send(PathSet::NONE, vec![address], Outgoing::Entry(entry));
                    }
                    Recipients::All => self.send_to_all(Outgoing::Entry(entry)),
                    Recipients::Nobody => {}
                }
            }
            lost.extend(absent);
        }
        lost.truncate(MAX_RANGES);
        if !lost.is_empty() {
            self.send_to(address, Control::Lost(Lost { ranges: lost }));
        }
    }

    /// Handles `lost`: for each author with missing entries, records what the peer lacks, so that it
    /// is not asked for that again. If it lacks more than was known, the next `want` is due after
    /// [`WANT_COALESCE_WINDOW`]: behind that, or to another peer.
    pub(super) fn on_lost(&mut self, now: Now, id: PeerId, lost: &Lost) {
        let mut by_author: BTreeMap<PeerId, Vec<(u32, u32)>> = BTreeMap::new();
        for it in &lost.ranges {
            by_author.entry(it.author).or_default().push((it.first, it.last));
        }
        for (author, mut ranges) in by_author {
            ranges.sort_unstable();
            let Some(log) = self.logs.get_mut(author) else { continue };
            if log.is_incomplete() && log.note_lost(id, author, &ranges) {
                log.attempts = 0;
                let at = now.moment + WANT_COALESCE_WINDOW;
                let at = log.want_at.map_or(at, |it| it.min(at));
                self.schedule_want_at(author, at);
            }
        }
    }
}
