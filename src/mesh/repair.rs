//! Anti-entropy repair: requesting missing entries (`want`), serving them, and `lost`. Section 10.

use std::collections::BTreeMap;

use super::log::Log;
use super::timers::{
    GIVE_UP_TIMEOUT, WANT_COALESCE_WINDOW, WANT_DEDUP_WINDOW, WANT_DELAY_MS, WANT_RETRY_MS,
    gone_after,
};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{MAX_RANGES, MAX_WANTED};
use crate::model::{Event, Moment, PathSet, PeerId, TokenBucket};
use crate::wire::udp::{Control, EntryRange, Lost, Want};

/// Rate limit for entries served at the request of all peers together: burst, and entries per
/// minute.
const TOTAL_ANSWER_RATE: (u32, u32) = (256, 12_000);
/// Maximum number of remembered recent `want`s. At the limit, expired `want`s are removed. If none
/// has expired, a further `want` is not remembered.
const MAX_RECENT_WANTS: usize = 1_024;
/// Number of due `want`s for an author, without an entry arriving, from which on the retry interval
/// is longer. That takes about ten seconds.
const WANTS_BEFORE_BACKOFF: u32 = 40;
/// Factor by which the retry interval is multiplied from [`WANTS_BEFORE_BACKOFF`] attempts on.
const BACKOFF_FACTOR: u32 = 16;

/// Recent `want` of another peer for one entry. It is remembered so that a second peer's `want` is
/// answered to everybody.
#[derive(Clone, Copy, Debug)]
struct RecentWant {
    /// Time of the `want`.
    at: Moment,
    /// Peer that sent the `want`; `None` if the entry was sent to everybody.
    by: Option<PeerId>,
}

/// Repair state: recent `want`s of other peers, and the time of this peer's next `want`.
#[derive(Debug)]
pub(super) struct RepairState {
    /// Recent `want`s of other peers for entries that are here, by (author, sequence). Expired ones
    /// may be among them.
    recent_wants: BTreeMap<(PeerId, u32), RecentWant>,
    /// Rate limit for entries served to all peers together.
    bucket: TokenBucket,
    /// Time of the earliest scheduled `want` for any author; `None` if none is scheduled.
    next_want_at: Option<Moment>,
}

impl Default for RepairState {
    /// Creates the state of a peer that has neither sent nor received a `want`, with a full rate
    /// limit.
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
    /// Everybody, because another peer wanted the entry less than [`WANT_DEDUP_WINDOW`] ago.
    All,
    /// Nobody, because the entry was sent to everybody less than [`WANT_DEDUP_WINDOW`] ago.
    Nobody,
}

impl RepairState {
    /// Returns the recipients of an entry that `asker` wants. Remembers the `want`, unless the
    /// result is [`Recipients::Nobody`] or the memory is full: [`MAX_RECENT_WANTS`] are remembered,
    /// even after expired ones were removed.
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

    /// Sets the time of the next `want` for an author's missing entries; replaces the time set
    /// before. Does nothing if the author has no log.
    fn schedule_want_at(&mut self, author: PeerId, at: Moment) {
        if let Some(log) = self.logs.get_mut(author) {
            log.want_at = Some(at);
            self.repair.next_want_at = Some(self.repair.next_want_at.map_or(at, |due| due.min(at)));
        }
    }

    /// Sends the `want`s that are due, one packet per source, and schedules the next ones. Does
    /// nothing before the history is complete.
    ///
    /// If no peer can be asked for an author's next entry, calls
    /// [`give_up_gap`](super::logs::Logs::give_up_gap), and reports a skipped gap to the user. Then
    /// asks a peer for entries behind the gap.
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
            let pause = self.random_delay(WANT_RETRY_MS);
            // If nothing is missing any more, `want_at` must stay empty: `schedule_want` does
            // nothing while it is set.
            if let Some(log) = self.logs.get(author).filter(|it| it.is_incomplete()) {
                let at = now.moment + pause * factor;
                // A gap is given up in time, but not before an answer can have come.
                let give_up_at = log.stalled_since.map(|it| it + GIVE_UP_TIMEOUT);
                let give_up_at = give_up_at.filter(|it| *it > now.moment);
                let at = give_up_at.map_or(at, |it| at.min(it.max(now.moment + pause)));
                self.schedule_want_at(author, at);
            }
        }
        let behind = self.logs.iter().filter(|(_, log)| log.is_incomplete());
        self.repair.next_want_at = behind.filter_map(|(_, log)| log.want_at).min();
    }

    /// Sends a `want` to the best known address of a peer. Does nothing if no address is known.
    ///
    /// If the peer has no verified address, its address may belong to a victim. Then sends at most
    /// one range, and no range if the peer was sent a `want` since it was last heard. If ranges
    /// were left out, or the peer was sent a `want` before, also requires a verified address of it.
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

    /// Returns the ranges of a `want` to `source` about these authors, and records them as
    /// requested. They are at most [`MAX_RANGES`] ranges and [`MAX_WANTED`] entries, shared evenly
    /// among the authors.
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

    /// Returns the ranges of an author's missing entries to request of `source`. Leaves out the
    /// entries that the source has lost. If it is unknown where the source's entries after those
    /// begin, returns single sequences far apart as well, to find out ([`Log::probe_ranges`]). At
    /// most `most` entries and `room` ranges.
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

    /// Returns true if a peer may be asked for entries: it is a member with a known address, and
    /// was heard less than half of G(n) ago.
    fn can_be_asked(&self, now: Moment, peer: PeerId) -> bool {
        let silence = gone_after(self.member_count()) / 2;
        self.contacts.member(peer).is_some_and(|contact| {
            contact.last_heard.is_some_and(|heard| now.since(heard) < silence)
                && contact.has_address()
        })
    }

    /// Returns the peers that have lost an author's next entries, but may be asked for later
    /// entries. Each comes with the last sequence that it lacks.
    fn sources_behind(&self, now: Moment, author: PeerId) -> Vec<(PeerId, u32)> {
        let Some(log) = self.logs.get(author) else { return Vec::new() };
        let sources = log.sources_behind(author).filter(|it| self.can_be_asked(now, it.0));
        sources.collect()
    }

    /// Chooses a peer to ask for later entries of an author, although the peer has lost the next
    /// ones. Call it if no peer can be asked for the author's next missing entry.
    ///
    /// If for some peers it is unknown where their entries begin, chooses the one of them that
    /// lacks least: the beginning must be found before the gap can be given up. Otherwise chooses a
    /// random peer, if there is room for entries out of order. `None` if there is no peer or no
    /// room.
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

    /// Chooses the peer to ask for an author's next missing entries; `None` if there is none. Asks
    /// only peers for which [`Self::can_be_asked`] is true.
    ///
    /// The author is asked first. Then a random holder and the author take turns; without a holder
    /// the author is asked each time. The author is left out if it has answered `lost`, or if only
    /// other peers claim the missing entries.
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

    /// Handles `want`: sends each retained entry among those asked for to its [`Recipients`], and
    /// answers `lost` for the rest, with at most [`MAX_RANGES`] ranges. Stops at the first entry
    /// beyond a rate limit, and then sends no `lost`. If the asker has no verified address, only
    /// has it pinged.
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

    /// Handles `lost`: for each author with missing entries, records which entries the peer lacks,
    /// so that it is not asked for them again. If the peer lacks more than was known, resets
    /// `attempts`, and brings the next `want` forward to [`WANT_COALESCE_WINDOW`] from now.
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
