//! The newcomer's ten messages and floors, asked for and given: section 8.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::contacts::Contact;
use super::logs::{Logs, place};
use super::timers::{RECALL_AGAIN, RECALL_TRIES, WANT_TRIES};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{HISTORY_LENGTH, MAX_PAGE};
use crate::model::{Event, Moment, PathSet, PeerId};
use crate::wire::udp::{Control, Entry, EntryId, EntryRange, Mark, Nonce, Recall, Recent, Want};

/// Entries that a newcomer keeps until it knows its floors, besides the ten.
const MAX_ARRIVED: usize = 256;
/// Pages of marks that a newcomer asks for: enough for all authors that it
/// can know.
const MAX_PAGES: u16 = 18;

/// The newcomer's way to its history.
#[derive(Debug)]
pub(super) struct History {
    /// That of the attempt.
    nonce: Nonce,
    /// Whom to ask, the oldest first.
    sources: Vec<PeerId>,
    /// Which of them is asked now.
    source: usize,
    /// Requests to it without an answer.
    tries: u8,
    /// When to ask (again).
    due: Moment,
    /// The page that is asked for.
    page: u16,
    /// How many pages there are, once one has come.
    pages: Option<u16>,
    /// The newest entries, as the source has named them.
    named: Vec<EntryId>,
    /// How far the source has got with each author.
    marks: Vec<Mark>,
    /// Entries that have come: of the ten, and of what is said meanwhile.
    arrived: BTreeMap<(PeerId, u32), Arc<Entry>>,
}

impl History {
    /// Begins with the first of `sources`.
    pub(super) fn new(nonce: Nonce, now: Moment, sources: Vec<PeerId>) -> Self {
        Self {
            nonce,
            sources,
            source: 0,
            tries: 0,
            due: now,
            page: 0,
            pages: None,
            named: Vec::new(),
            marks: Vec::new(),
            arrived: BTreeMap::new(),
        }
    }

    /// An entry has come, before one knows what it is for.
    pub(super) fn on_entry(&mut self, entry: &Arc<Entry>) {
        let name = EntryId { author: entry.author.id, sequence: entry.fields.sequence };
        if self.arrived.len() < MAX_ARRIVED || self.named.contains(&name) {
            self.arrived.insert((entry.author.id, entry.fields.sequence), entry.clone());
        }
    }

    /// How many entries and marks it holds.
    pub(super) fn stats(&self) -> usize {
        self.arrived.len() + self.named.len() + self.marks.len()
    }

    /// Those of the ten that have not come.
    fn missing(&self) -> Vec<EntryRange> {
        let is_missing = |it: &&EntryId| !self.arrived.contains_key(&(it.author, it.sequence));
        let range =
            |it: &EntryId| EntryRange { author: it.author, first: it.sequence, last: it.sequence };
        self.named.iter().filter(is_missing).map(range).collect()
    }

    /// All pages have come.
    fn has_all_pages(&self) -> bool {
        self.pages.is_some_and(|pages| self.page >= pages)
    }

    /// Goes on to the next source, with nothing from the one before.
    fn give_up_source(&mut self) {
        self.source += 1;
        (self.tries, self.page, self.pages) = (0, 0, None);
        self.named.clear();
        self.marks.clear();
    }
}

impl Mesh {
    /// When to ask again.
    pub(super) fn history_due(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Recalling(history) => Some(history.due),
            _ => None,
        }
    }

    /// Asks for what has not come of the history, or goes on without it.
    pub(super) fn go_on_recalling(&mut self, now: Now) {
        let Phase::Recalling(history) = &mut self.phase else { return };
        if now.moment < history.due && !(history.has_all_pages() && history.missing().is_empty()) {
            return;
        }
        let missing = history.missing();
        let is_complete = history.has_all_pages() && missing.is_empty();
        let most = if history.has_all_pages() { WANT_TRIES } else { RECALL_TRIES };
        let is_tried = history.tries >= most;
        if is_complete || history.has_all_pages() && is_tried {
            self.finish_history(now);
            return;
        }
        if is_tried {
            history.give_up_source();
        }
        let address = loop {
            let Some(source) = history.sources.get(history.source) else { break None };
            match self.contacts.member(*source).and_then(Contact::address) {
                Some(address) => break Some(address),
                None => history.give_up_source(),
            }
        };
        let Some(address) = address else {
            self.finish_history(now);
            return;
        };
        history.tries += 1;
        history.due = now.moment + RECALL_AGAIN;
        let control = if history.has_all_pages() {
            Control::Want(Want { ranges: missing })
        } else {
            Control::Recall(Recall { nonce: history.nonce, page: history.page })
        };
        self.send_to(address, control);
    }

    /// A page of the history has come.
    pub(super) fn on_recent(&mut self, now: Now, id: PeerId, recent: Recent) {
        let Phase::Recalling(history) = &mut self.phase else {
            self.drops.unexpected += 1;
            return;
        };
        let is_expected = history.sources.get(history.source) == Some(&id)
            && recent.nonce == history.nonce
            && recent.page == history.page
            && !history.has_all_pages();
        if !is_expected {
            self.drops.unexpected += 1;
            return;
        }
        if recent.page == 0 {
            history.named = recent.entries;
        }
        history.marks.extend(recent.marks);
        history.page += 1;
        history.pages = Some(recent.pages.min(MAX_PAGES));
        history.tries = 0;
        // What was sent along may still be on its way.
        let is_next_page = !history.has_all_pages();
        history.due = if is_next_page { now.moment } else { now.moment + RECALL_AGAIN };
        self.go_on_recalling(now);
    }

    /// Sets the floors, shows the history, and is in.
    fn finish_history(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Recalling(mut history) = ended else { return };
        let own = self.me.id;
        for mark in history.marks.iter().filter(|it| it.author != own) {
            self.logs.set_floor(*mark);
        }
        let members: Vec<_> = self.contacts.seniorities().iter().map(|(_, id)| *id).collect();
        for member in members {
            self.logs.admit(member);
        }
        let named: BTreeSet<_> = history.named.iter().map(|it| (it.author, it.sequence)).collect();
        let mut ten: Vec<_> = named.iter().filter_map(|it| history.arrived.remove(it)).collect();
        ten.sort_by_key(|it| place(it));
        ten.retain(|it| self.logs.keep(now.moment, it.clone()));
        let source = history.sources.get(history.source).copied();
        self.showing.begin_after(self.logs.lamport());
        self.tell_admitted(source);
        for entry in ten {
            self.show_entry(&entry, true, false);
        }
        let room = Some(self.settings.room.as_str().to_owned());
        let tag = crate::model::RequestTag::default();
        self.show(Event::HistoryEnd { tag, room, more: false, requested: false });
        for (_, entry) in history.arrived {
            if self.logs.get(entry.author.id).is_some() {
                let author = entry.author.id;
                self.logs.insert(now.moment, entry);
                self.want_soon(now.moment, author);
            }
        }
    }

    /// A newcomer asks for the history.
    pub(super) fn on_recall(&mut self, now: Now, id: PeerId, recall: Recall) {
        let Some(address) = self.verified_address(now, id) else { return };
        let mut entries = Vec::new();
        if recall.page == 0 {
            let newest = self.logs.newest(usize::from(HISTORY_LENGTH));
            entries = Logs::names(&newest);
            for entry in newest {
                self.send(PathSet::NONE, vec![address], Outgoing::Entry(entry));
            }
        }
        let marks: Vec<Mark> = self
            .logs
            .iter()
            .filter(|(author, log)| log.have > 0 && *author != id)
            .map(|(author, log)| Mark { author, have: log.have })
            .collect();
        let pages = marks.len().div_ceil(MAX_PAGE).max(1);
        let skipped = usize::from(recall.page).saturating_mul(MAX_PAGE);
        let recent = Recent {
            nonce: recall.nonce,
            page: recall.page,
            pages: u16::try_from(pages).unwrap_or(u16::MAX),
            entries,
            marks: marks.into_iter().skip(skipped).take(MAX_PAGE).collect(),
        };
        self.send_to(address, Control::Recent(recent));
    }
}
