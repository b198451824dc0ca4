//! The newcomer's history_entries messages and floors, asked for and given: section 8.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::contact::Contact;
use super::logs::{Logs, order_key};
use super::timers::{MAX_HISTORY_WANTS, MAX_RECALLS_PER_SOURCE, RECALL_RETRY_INTERVAL};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{HISTORY_LENGTH, MAX_PAGE};
use crate::model::{Event, Moment, PathSet, PeerId};
use crate::wire::udp::{Control, Entry, EntryId, EntryRange, Mark, Nonce, Recall, Recent, Want};

/// Entries that a newcomer keeps until it knows its floors, besides the history_entries.
const MAX_RECEIVED: usize = 256;
/// Pages of marks that a newcomer asks for: enough for all authors that it
/// can know.
const MAX_PAGES: u16 = 18;

/// The newcomer's way to its history.
#[derive(Debug)]
pub(super) struct HistoryFetch {
    /// That of the attempt.
    nonce: Nonce,
    /// Whom to ask, the oldest first.
    sources: Vec<PeerId>,
    /// Which of them is asked now.
    source_index: usize,
    /// Requests to it without an answer.
    attempts: u8,
    /// When to ask (again).
    request_at: Moment,
    /// The page that is asked for.
    next_page: u16,
    /// How many pages there are, once one has come.
    page_count: Option<u16>,
    /// The newest entries, as the source has newest_ids them.
    newest_ids: Vec<EntryId>,
    /// How far the source has got with each author.
    marks: Vec<Mark>,
    /// Entries that have come: of the history_entries, and of what is said meanwhile.
    received: BTreeMap<(PeerId, u32), Arc<Entry>>,
}

impl HistoryFetch {
    /// Begins with the first of `sources`.
    pub(super) fn new(nonce: Nonce, now: Moment, sources: Vec<PeerId>) -> Self {
        Self {
            nonce,
            sources,
            source_index: 0,
            attempts: 0,
            request_at: now,
            next_page: 0,
            page_count: None,
            newest_ids: Vec::new(),
            marks: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    /// An entry has come, before one knows what it is for.
    pub(super) fn on_entry(&mut self, entry: &Arc<Entry>) {
        let name = EntryId { author: entry.author.id, sequence: entry.fields.sequence };
        if self.received.len() < MAX_RECEIVED || self.newest_ids.contains(&name) {
            self.received.insert((entry.author.id, entry.fields.sequence), entry.clone());
        }
    }

    /// How many entries and marks it holds.
    pub(super) fn stats(&self) -> usize {
        self.received.len() + self.newest_ids.len() + self.marks.len()
    }

    /// Those of the history_entries that have not come.
    fn missing_ranges(&self) -> Vec<EntryRange> {
        let is_missing = |it: &&EntryId| !self.received.contains_key(&(it.author, it.sequence));
        let range =
            |it: &EntryId| EntryRange { author: it.author, first: it.sequence, last: it.sequence };
        self.newest_ids.iter().filter(is_missing).map(range).collect()
    }

    /// All pages have come.
    fn has_all_pages(&self) -> bool {
        self.page_count.is_some_and(|pages| self.next_page >= pages)
    }

    /// Goes on to the next source, with nothing from the one before.
    fn advance_source(&mut self) {
        self.source_index += 1;
        (self.attempts, self.next_page, self.page_count) = (0, 0, None);
        self.newest_ids.clear();
        self.marks.clear();
    }
}

impl Mesh {
    /// When to ask again.
    pub(super) fn history_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Recalling(history) => Some(history.request_at),
            _ => None,
        }
    }

    /// Asks for what has not come of the history, or goes on without it.
    pub(super) fn drive_history_fetch(&mut self, now: Now) {
        let Phase::Recalling(history) = &mut self.phase else { return };
        if now.moment < history.request_at
            && !(history.has_all_pages() && history.missing_ranges().is_empty())
        {
            return;
        }
        let missing = history.missing_ranges();
        let is_complete = history.has_all_pages() && missing.is_empty();
        let most = if history.has_all_pages() { MAX_HISTORY_WANTS } else { MAX_RECALLS_PER_SOURCE };
        let is_tried = history.attempts >= most;
        if is_complete || history.has_all_pages() && is_tried {
            self.finish_history(now);
            return;
        }
        if is_tried {
            history.advance_source();
        }
        let address = loop {
            let Some(source) = history.sources.get(history.source_index) else { break None };
            match self.contacts.member(*source).and_then(Contact::address) {
                Some(address) => break Some(address),
                None => history.advance_source(),
            }
        };
        let Some(address) = address else {
            self.finish_history(now);
            return;
        };
        history.attempts += 1;
        history.request_at = now.moment + RECALL_RETRY_INTERVAL;
        let control = if history.has_all_pages() {
            Control::Want(Want { ranges: missing })
        } else {
            Control::Recall(Recall { nonce: history.nonce, page: history.next_page })
        };
        self.send_to(address, control);
    }

    /// A page of the history has come.
    pub(super) fn on_recent(&mut self, now: Now, id: PeerId, recent: Recent) {
        let Phase::Recalling(history) = &mut self.phase else {
            self.drops.unexpected += 1;
            return;
        };
        let is_expected = history.sources.get(history.source_index) == Some(&id)
            && recent.nonce == history.nonce
            && recent.page == history.next_page
            && !history.has_all_pages();
        if !is_expected {
            self.drops.unexpected += 1;
            return;
        }
        if recent.page == 0 {
            history.newest_ids = recent.entries;
        }
        history.marks.extend(recent.marks);
        history.next_page += 1;
        history.page_count = Some(recent.pages.min(MAX_PAGES));
        history.attempts = 0;
        // What was sent along may still be on its way.
        let is_next_page = !history.has_all_pages();
        history.request_at =
            if is_next_page { now.moment } else { now.moment + RECALL_RETRY_INTERVAL };
        self.drive_history_fetch(now);
    }

    /// Sets the floors, shows the history, and is in.
    fn finish_history(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Recalling(mut history) = ended else { return };
        let own = self.me.id;
        for mark in history.marks.iter().filter(|it| it.author != own) {
            self.logs.set_floor(*mark);
        }
        let members: Vec<_> =
            self.contacts.members_by_seniority().iter().map(|(_, id)| *id).collect();
        for member in members {
            self.logs.ensure_author(member);
        }
        let newest_ids: BTreeSet<_> =
            history.newest_ids.iter().map(|it| (it.author, it.sequence)).collect();
        let mut history_entries: Vec<_> =
            newest_ids.iter().filter_map(|it| history.received.remove(it)).collect();
        history_entries.sort_by_key(|it| order_key(it));
        history_entries.retain(|it| self.logs.insert_history(now.moment, it.clone()));
        let source = history.sources.get(history.source_index).copied();
        self.display.start_after(self.logs.lamport());
        self.report_joined(source);
        for entry in history_entries {
            self.display_entry(&entry, true, false);
        }
        let room = Some(self.settings.room.as_str().to_owned());
        let tag = crate::model::RequestTag::default();
        self.emit(Event::HistoryEnd { tag, room, more: false, requested: false });
        for (_, entry) in history.received {
            if self.logs.get(entry.author.id).is_some() {
                let author = entry.author.id;
                self.logs.insert(now.moment, entry);
                self.schedule_want(now.moment, author);
            }
        }
    }

    /// A newcomer asks for the history.
    pub(super) fn on_recall(&mut self, now: Now, id: PeerId, recall: Recall) {
        let Some(address) = self.verified_address(now, id) else { return };
        let mut entries = Vec::new();
        if recall.page == 0 {
            let newest = self.logs.newest(usize::from(HISTORY_LENGTH));
            entries = Logs::entry_ids(&newest);
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
