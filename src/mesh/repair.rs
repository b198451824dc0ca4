//! Asking for what is missing, and answering: section 10.

use std::collections::{BTreeMap, BTreeSet};

use super::log::Log;
use super::timers::{
    GIVE_UP_TIMEOUT, WANT_COALESCE_WINDOW, WANT_DEDUP_WINDOW, WANT_DELAY_MS, WANT_RETRY_MS,
    gone_after,
};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{MAX_RANGES, MAX_WANTED};
use crate::model::{Event, Moment, PathSet, PeerId, TokenBucket};
use crate::wire::udp::{Control, EntryRange, Lost, Want};

/// Entries sent because somebody asked, at once and in a minute.
const TOTAL_ANSWER_RATE: (u32, u32) = (256, 12_000);
/// Entries remembered as having been asked for lately.
const MAX_RECENT_WANTS: usize = 1_024;
/// Requests without any success (for some ten seconds) after which one asks
/// more seldom.
const WANTS_BEFORE_BACKOFF: u32 = 40;
/// By how much.
const BACKOFF_FACTOR: u64 = 16;

/// An entry that somebody has asked for lately.
#[derive(Clone, Copy, Debug)]
struct RecentWant {
    /// When.
    at: Moment,
    /// Who; `None`: it went to everybody since.
    by: Option<PeerId>,
}

/// What others have asked for, and when to ask oneself.
#[derive(Debug)]
pub(super) struct RepairState {
    /// By author and sequence.
    recent_wants: BTreeMap<(PeerId, u32), RecentWant>,
    /// How fast one answers.
    bucket: TokenBucket,
    /// When some log is to be looked at.
    next_want_at: Option<Moment>,
}

impl Default for RepairState {
    fn default() -> Self {
        let bucket = TokenBucket::new(TOTAL_ANSWER_RATE.0, TOTAL_ANSWER_RATE.1);
        Self { recent_wants: BTreeMap::new(), bucket, next_want_at: None }
    }
}

impl RepairState {
    /// How many entries are remembered as having been asked for.
    pub(super) fn stats(&self) -> usize {
        self.recent_wants.len()
    }

    /// When something is to be asked for.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.next_want_at
    }
}

/// Whom to send an entry that was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Recipients {
    /// Only whoever asked.
    Asker,
    /// Everybody: others lack it, too.
    All,
    /// Nobody: it went to everybody just now.
    Nobody,
}

impl RepairState {
    /// Whom to send this entry, which `asker` wants.
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
    /// Asks for what is missing of an author before long, if anything is.
    pub(super) fn schedule_want(&mut self, now: Moment, author: PeerId) {
        let is_new =
            self.logs.get(author).is_some_and(|it| it.is_incomplete() && it.want_at.is_none());
        if is_new {
            let at = now + self.random_delay(WANT_DELAY_MS);
            self.schedule_want_at(author, at);
        }
    }

    /// Asks for what is missing of an author then.
    fn schedule_want_at(&mut self, author: PeerId, at: Moment) {
        if let Some(log) = self.logs.get_mut(author) {
            log.want_at = Some(at);
            self.repair.next_want_at = Some(self.repair.next_want_at.map_or(at, |due| due.min(at)));
        }
    }

    /// Sends the requests whose time has come.
    pub(super) fn send_due_wants(&mut self, now: Now) {
        if !matches!(self.phase, Phase::In)
            || self.repair.next_want_at.is_none_or(|it| it > now.moment)
        {
            return;
        }
        // What is asked for again goes along if its time is near: one packet
        // and one wake for many authors.
        let near = now.moment + WANT_COALESCE_WINDOW;
        let is_due = |log: &Log| {
            log.want_at.is_some_and(|it| it <= now.moment || log.attempts > 0 && it <= near)
        };
        let due = self.logs.iter().filter(|(_, log)| log.is_incomplete() && is_due(log));
        let due: Vec<PeerId> = due.map(|(author, _)| author).collect();
        let mut wants: BTreeMap<PeerId, Vec<EntryRange>> = BTreeMap::new();
        for author in due {
            let source = self.choose_source(now.moment, author);
            if source.is_none() && self.logs.give_up_gap(now.moment, author) {
                let room = self.settings.room.as_str().to_owned();
                self.emit(Event::Gap { room });
            }
            if let Some(source) = source {
                self.add_ranges(author, wants.entry(source).or_default());
                if source != author
                    && let Some(log) = self.logs.get_mut(author)
                {
                    // If it answers nothing, somebody else is asked. It is
                    // believed again when it says again that it has it.
                    log.forget_holder(source);
                }
            }
            let attempts = self.logs.get_mut(author).map_or(1, |log| {
                log.attempts = log.attempts.saturating_add(1);
                log.attempts
            });
            let factor = if attempts < WANTS_BEFORE_BACKOFF { 1 } else { BACKOFF_FACTOR };
            let delay = self.random_delay((WANT_RETRY_MS.0 * factor, WANT_RETRY_MS.1 * factor));
            // Not what was given up just now: a time that nobody looks at
            // would keep `schedule_want` from ever asking again.
            if self.logs.get(author).is_some_and(Log::is_incomplete) {
                self.schedule_want_at(author, now.moment + delay);
            }
        }
        for (source, ranges) in wants {
            self.send_want(now.moment, source, ranges);
        }
        let behind = self.logs.iter().filter(|(_, log)| log.is_incomplete());
        self.repair.next_want_at = behind.filter_map(|(_, log)| log.want_at).min();
    }

    /// Sends a request. To an address that may be another's only a short one,
    /// and one for each time that something has come: claims cost nothing.
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

    /// Adds what is missing of an author to a request, as far as it fits.
    fn add_ranges(&mut self, author: PeerId, ranges: &mut Vec<EntryRange>) {
        let asked: u64 = ranges.iter().map(|it| u64::from(it.last - it.first) + 1).sum();
        let Some(log) = self.logs.get(author) else { return };
        let missing = log.missing_ranges(MAX_WANTED.saturating_sub(asked));
        let room = MAX_RANGES.saturating_sub(ranges.len());
        let mut greatest = 0;
        for (first, last) in missing.into_iter().take(room) {
            ranges.push(EntryRange { author, first, last });
            greatest = last;
        }
        self.logs.note_requested(author, greatest);
    }

    /// Whom to ask for what is missing of an author: first the author, then
    /// anybody who says that it has it.
    fn choose_source(&mut self, now: Moment, author: PeerId) -> Option<PeerId> {
        let log = self.logs.get(author)?;
        let silence = gone_after(self.member_count()) / 2;
        let can_be_asked = |it: &PeerId| {
            self.contacts.member(*it).is_some_and(|contact| {
                contact.last_heard.is_some_and(|heard| now.since(heard) < silence)
                    && contact.has_address()
            })
        };
        let is_home = log.lacks_written() && !log.is_lost_by(author) && can_be_asked(&author);
        let holders: Vec<PeerId> = log.holders().filter(can_be_asked).collect();
        if is_home && (log.attempts == 0 || holders.is_empty() || log.attempts % 2 == 0) {
            return Some(author);
        }
        self.random.choice(&holders).copied()
    }

    /// Somebody asks for entries.
    ///
    /// The wire has checked that it is not about more than [`MAX_WANTED`].
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

    /// Somebody does not have what it was asked for.
    pub(super) fn on_lost(&mut self, now: Now, id: PeerId, lost: &Lost) {
        let authors: BTreeSet<PeerId> = lost.ranges.iter().map(|it| it.author).collect();
        for author in authors {
            let Some(log) = self.logs.get_mut(author) else { continue };
            let next = log.have.saturating_add(1);
            let concerns =
                |it: &&EntryRange| it.author == author && it.first <= next && next <= it.last;
            let Some(range) = lost.ranges.iter().find(concerns) else { continue };
            if id == author {
                log.note_lost_by_author(id, range.last);
            } else {
                log.note_lost(id, range.last);
            }
            // Nobody left to ask: look again when it may be given up.
            let due = log.stalled_since.map(|it| (it + GIVE_UP_TIMEOUT).max(now.moment));
            if let Some(due) = due {
                let at = log.want_at.map_or(due, |it| it.min(due));
                self.schedule_want_at(author, at);
            }
        }
    }
}
