//! Asking for what is missing, and answering: section 10.

use std::collections::{BTreeMap, BTreeSet};

use super::logs::Log;
use super::timers::{ASKED_TWICE, GIVE_UP, WANT_AGAIN, WANT_DELAY, WANT_TOGETHER, gone_after};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{MAX_RANGES, MAX_WANTED};
use crate::model::{Event, Moment, PathSet, PeerId, TokenBucket};
use crate::wire::udp::{Control, EntryRange, Lost, Want};

/// Entries sent because somebody asked, at once and in a minute.
const ANSWER_RATE: (u32, u32) = (256, 12_000);
/// Entries remembered as having been asked for lately.
const MAX_ASKED: usize = 1_024;
/// Requests without any success (for some ten seconds) after which one asks
/// more seldom.
const MAX_TRIES: u32 = 40;
/// By how much.
const PATIENCE: u64 = 16;

/// An entry that somebody has asked for lately.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// When.
    at: Moment,
    /// Who; `None`: it went to everybody since.
    by: Option<PeerId>,
}

/// What others have asked for, and when to ask oneself.
#[derive(Debug)]
pub(super) struct Answers {
    /// By author and sequence.
    asked: BTreeMap<(PeerId, u32), Asked>,
    /// How fast one answers.
    bucket: TokenBucket,
    /// When some log is to be looked at.
    due: Option<Moment>,
}

impl Default for Answers {
    fn default() -> Self {
        let bucket = TokenBucket::new(ANSWER_RATE.0, ANSWER_RATE.1);
        Self { asked: BTreeMap::new(), bucket, due: None }
    }
}

impl Answers {
    /// How many entries are remembered as having been asked for.
    pub(super) fn stats(&self) -> usize {
        self.asked.len()
    }

    /// When something is to be asked for.
    pub(super) fn due(&self) -> Option<Moment> {
        self.due
    }
}

/// Whom to send an entry that was asked for.
#[derive(Debug, PartialEq, Eq)]
enum To {
    /// Only whoever asked.
    Asker,
    /// Everybody: others lack it, too.
    All,
    /// Nobody: it went to everybody just now.
    Nobody,
}

impl Answers {
    /// Whom to send this entry, which `asker` wants.
    fn decide(&mut self, now: Moment, entry: (PeerId, u32), asker: PeerId) -> To {
        let before = self.asked.get(&entry).filter(|it| now.since(it.at) < ASKED_TWICE).copied();
        let (to, by) = match before.map(|it| it.by) {
            Some(None) => return To::Nobody,
            Some(Some(other)) if other != asker => (To::All, None),
            _ => (To::Asker, Some(asker)),
        };
        if self.asked.len() >= MAX_ASKED {
            self.asked.retain(|_, it| now.since(it.at) < ASKED_TWICE);
        }
        if self.asked.len() < MAX_ASKED {
            self.asked.insert(entry, Asked { at: now, by });
        }
        to
    }
}

impl Mesh {
    /// Asks for what is missing of an author before long, if anything is.
    pub(super) fn want_soon(&mut self, now: Moment, author: PeerId) {
        let is_new = self.logs.get(author).is_some_and(|it| it.is_behind() && it.want_at.is_none());
        if is_new {
            let at = now + self.delay(WANT_DELAY);
            self.set_want(author, at);
        }
    }

    /// Asks for what is missing of an author then.
    fn set_want(&mut self, author: PeerId, at: Moment) {
        if let Some(log) = self.logs.get_mut(author) {
            log.want_at = Some(at);
            self.answers.due = Some(self.answers.due.map_or(at, |due| due.min(at)));
        }
    }

    /// Sends the requests whose time has come.
    pub(super) fn ask_for_what_is_missing(&mut self, now: Now) {
        if !matches!(self.phase, Phase::In) || self.answers.due.is_none_or(|it| it > now.moment) {
            return;
        }
        // What is asked for again goes along if its time is near: one packet
        // and one wake for many authors.
        let near = now.moment + WANT_TOGETHER;
        let is_due = |log: &Log| {
            log.want_at.is_some_and(|it| it <= now.moment || log.tries > 0 && it <= near)
        };
        let due = self.logs.iter().filter(|(_, log)| log.is_behind() && is_due(log));
        let due: Vec<PeerId> = due.map(|(author, _)| author).collect();
        let mut wants: BTreeMap<PeerId, Vec<EntryRange>> = BTreeMap::new();
        for author in due {
            let source = self.source_for(now.moment, author);
            if source.is_none() && self.logs.give_up(now.moment, author) {
                let room = self.settings.room.as_str().to_owned();
                self.show(Event::Gap { room });
            }
            if let Some(source) = source {
                self.ask(author, wants.entry(source).or_default());
                if source != author
                    && let Some(log) = self.logs.get_mut(author)
                {
                    // If it answers nothing, somebody else is asked. It is
                    // believed again when it says again that it has it.
                    log.forget_holder(source);
                }
            }
            let tries = self.logs.get_mut(author).map_or(1, |log| {
                log.tries = log.tries.saturating_add(1);
                log.tries
            });
            let patience = if tries < MAX_TRIES { 1 } else { PATIENCE };
            let delay = self.delay((WANT_AGAIN.0 * patience, WANT_AGAIN.1 * patience));
            // Not what was given up just now: a time that nobody looks at
            // would keep `want_soon` from ever asking again.
            if self.logs.get(author).is_some_and(Log::is_behind) {
                self.set_want(author, now.moment + delay);
            }
        }
        for (source, ranges) in wants {
            self.send_want(now.moment, source, ranges);
        }
        let behind = self.logs.iter().filter(|(_, log)| log.is_behind());
        self.answers.due = behind.filter_map(|(_, log)| log.want_at).min();
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
            contact.wants_address |= is_too_much;
            if is_too_much {
                self.look_soon(now);
            }
        }
        if !ranges.is_empty() {
            self.send_to(address, Control::Want(Want { ranges }));
        }
    }

    /// Adds what is missing of an author to a request, as far as it fits.
    fn ask(&mut self, author: PeerId, ranges: &mut Vec<EntryRange>) {
        let asked: u64 = ranges.iter().map(|it| u64::from(it.last - it.first) + 1).sum();
        let Some(log) = self.logs.get(author) else { return };
        let missing = log.missing(MAX_WANTED.saturating_sub(asked));
        let room = MAX_RANGES.saturating_sub(ranges.len());
        let mut greatest = 0;
        for (first, last) in missing.into_iter().take(room) {
            ranges.push(EntryRange { author, first, last });
            greatest = last;
        }
        self.logs.note_asked(author, greatest);
    }

    /// Whom to ask for what is missing of an author: first the author, then
    /// anybody who says that it has it.
    fn source_for(&mut self, now: Moment, author: PeerId) -> Option<PeerId> {
        let log = self.logs.get(author)?;
        let silence = gone_after(self.size()) / 2;
        let can_be_asked = |it: &PeerId| {
            self.contacts.member(*it).is_some_and(|contact| {
                contact.heard.is_some_and(|heard| now.since(heard) < silence)
                    && contact.has_address()
            })
        };
        let is_home = log.is_behind_author() && !log.is_lost_by(author) && can_be_asked(&author);
        let holders: Vec<PeerId> = log.holders().filter(can_be_asked).collect();
        if is_home && (log.tries == 0 || holders.is_empty() || log.tries % 2 == 0) {
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
                if !may_ask || !self.answers.bucket.try_take(now.moment) {
                    return;
                }
                match self.answers.decide(now.moment, (range.author, sequence), asker) {
                    To::Asker => {
                        self.send(PathSet::NONE, vec![address], Outgoing::Entry(entry));
                    }
                    To::All => self.send_to_all(Outgoing::Entry(entry)),
                    To::Nobody => {}
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
                log.note_lost_at_home(id, range.last);
            } else {
                log.note_lost(id, range.last);
            }
            // Nobody left to ask: look again when it may be given up.
            let due = log.stuck.map(|it| (it + GIVE_UP).max(now.moment));
            if let Some(due) = due {
                let at = log.want_at.map_or(due, |it| it.min(due));
                self.set_want(author, at);
            }
        }
    }
}
