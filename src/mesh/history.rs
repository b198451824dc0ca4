//! History of a newcomer: fetching the latest ten messages and the floors, and serving them. The
//! floors are sent as pages of marks. Section 8.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::contact::Contact;
use super::contacts::Contacts;
use super::logs::{Logs, order_key};
use super::timers::{
    BELATED_HISTORY_TIMEOUT, HISTORY_TIMEOUT, JOIN_WINDOW, MAX_HISTORY_WANTS,
    MAX_RECALLS_PER_SOURCE, RECALL_RETRY_INTERVAL,
};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::{HISTORY_LENGTH, MAX_PAGE};
use crate::model::{Event, Moment, PathSet, PeerId};
use crate::wire::udp::{Control, Entry, EntryId, EntryRange, Mark, Nonce, Recall, Recent, Want};

/// Maximum number of entries kept during the fetch. History entries, which the source has listed,
/// are kept beyond it.
const MAX_RECEIVED: usize = 256;
/// Maximum number of pages of marks to fetch; further pages are not requested. A page has 60 marks,
/// so these pages are enough for 1,024 authors.
const MAX_PAGES: u16 = 18;

/// State of this newcomer's history fetch.
#[derive(Debug)]
pub(super) struct HistoryFetch {
    /// Nonce of this peer's candidacy; `recall` and `recent` repeat it.
    nonce: Nonce,
    /// Members to fetch from, the most senior first.
    sources: Vec<PeerId>,
    /// Time at which the fetch began. When [`HISTORY_TIMEOUT`] has passed, no further round through
    /// the sources begins.
    started_at: Moment,
    /// True if this is a belated fetch: this peer has already joined without a history, and has
    /// reported that it has joined.
    is_belated: bool,
    /// Index of the current source.
    source_index: usize,
    /// Number of requests to the current source since its last page arrived. They are `recall`s for
    /// the next page or, after the last page, `want`s for history entries.
    attempts: u8,
    /// Time of the next step: the next request, or the end of the fetch if no request is left.
    request_at: Moment,
    /// Number of the next page of marks to request.
    next_page: u16,
    /// Number of pages to fetch, as the latest page has stated, at most [`MAX_PAGES`]. `None` if
    /// the current source has sent no page.
    page_count: Option<u16>,
    /// Ids of the history entries: the newest entries of the room, as listed by the current source.
    newest_ids: Vec<EntryId>,
    /// Marks received from the current source: for each author, the sequence up to which the source
    /// has the entries. The marks become the floors.
    marks: Vec<Mark>,
    /// Entries received during the fetch, from any peer: history entries, and entries published
    /// meanwhile.
    received: BTreeMap<(PeerId, u32), Arc<Entry>>,
}

impl HistoryFetch {
    /// Creates the state of a fetch that begins with the first of `sources`. The first request is
    /// due at once.
    pub(super) fn new(nonce: Nonce, now: Moment, sources: Vec<PeerId>) -> Self {
        Self {
            nonce,
            sources,
            started_at: now,
            is_belated: false,
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

    /// Keeps an entry until the fetch ends. Drops the entry if [`MAX_RECEIVED`] are kept and the
    /// current source has not listed it.
    pub(super) fn on_entry(&mut self, entry: &Arc<Entry>) {
        let name = EntryId { author: entry.author.id, sequence: entry.fields.sequence };
        if self.received.len() < MAX_RECEIVED || self.newest_ids.contains(&name) {
            self.received.insert((entry.author.id, entry.fields.sequence), entry.clone());
        }
    }

    /// Returns true if this is a belated fetch: this peer has already joined without a history.
    pub(super) const fn is_belated(&self) -> bool {
        self.is_belated
    }

    /// Returns the number of remembered entries, entry ids and marks together.
    pub(super) fn stats(&self) -> usize {
        self.received.len() + self.newest_ids.len() + self.marks.len()
    }

    /// Returns a range of one sequence for each history entry that has not arrived.
    fn missing_ranges(&self) -> Vec<EntryRange> {
        let is_missing = |it: &&EntryId| !self.received.contains_key(&(it.author, it.sequence));
        let range =
            |it: &EntryId| EntryRange { author: it.author, first: it.sequence, last: it.sequence };
        self.newest_ids.iter().filter(is_missing).map(range).collect()
    }

    /// Returns true if all pages of marks of the current source have arrived.
    fn has_all_pages(&self) -> bool {
        self.page_count.is_some_and(|pages| self.next_page >= pages)
    }

    /// Returns the address of the current source. Moves on over sources that are no members or have
    /// no known address. `None` if no source is left.
    fn next_address(&mut self, contacts: &Contacts) -> Option<SocketAddr> {
        loop {
            let source = self.sources.get(self.source_index)?;
            match contacts.member(*source).and_then(Contact::address) {
                Some(address) => return Some(address),
                None => self.advance_source(),
            }
        }
    }

    /// Moves on to the next source. Discards the entry ids and marks of the former source; keeps
    /// the received entries.
    fn advance_source(&mut self) {
        self.source_index += 1;
        (self.attempts, self.next_page, self.page_count) = (0, 0, None);
        self.newest_ids.clear();
        self.marks.clear();
    }
}

impl Mesh {
    /// Returns the time of the fetch's next step; `None` if no history is being fetched.
    pub(super) fn history_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Recalling(history) => Some(history.request_at),
            _ => None,
        }
    }

    /// Sends the next `recall` or `want` if it is due, or finishes the fetch. The fetch finishes at
    /// once when all pages and history entries have arrived. It also finishes when
    /// [`MAX_HISTORY_WANTS`] `want`s have not brought all entries, and when no source is left.
    ///
    /// After [`MAX_RECALLS_PER_SOURCE`] unanswered `recall`s, moves on to the next source. After
    /// the last source, begins again with the first, unless [`HISTORY_TIMEOUT`] has passed. Skips
    /// sources that are no longer members or have no known address.
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
        let mut address = history.next_address(&self.contacts);
        if address.is_none() && now.moment.since(history.started_at) < HISTORY_TIMEOUT {
            history.source_index = 0;
            address = history.next_address(&self.contacts);
        }
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

    /// Handles `recent`: stores the marks of the page, and, from page 0, the ids of the history
    /// entries. Then requests the next page; after the last one, waits for missing history entries
    /// or finishes the fetch. Drops the packet unless it is the awaited page of the current source,
    /// with the nonce of this peer's candidacy.
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
        // After the last page, wait for the history entries that the source sends with page 0.
        let is_next_page = !history.has_all_pages();
        history.request_at =
            if is_next_page { now.moment } else { now.moment + RECALL_RETRY_INTERVAL };
        self.drive_history_fetch(now);
    }

    /// Ends the fetch: enters phase `In`, sets the floors, and adds logs for all members. Unless
    /// the fetch is belated, reports that this peer has joined. Then shows the history, reports its
    /// end, inserts the other received entries of authors that have a log, and schedules requests
    /// for gaps. If not all pages of the current source have arrived, sets `joined_alone`, unless
    /// the fetch is belated.
    fn finish_history(&mut self, now: Now) {
        let ended = std::mem::replace(&mut self.phase, Phase::In);
        let Phase::Recalling(mut history) = ended else { return };
        if !history.has_all_pages() && !history.is_belated {
            self.joined_alone = Some((now.moment, history.nonce));
        }
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
        if !history.is_belated {
            self.report_joined(source);
        }
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

    /// Begins a belated history fetch from a member that this peer has just met, and returns true,
    /// if all of these hold. Otherwise does nothing and returns false.
    ///
    /// - This peer joined without getting a history, less than [`BELATED_HISTORY_TIMEOUT`] ago.
    /// - The member had been in the room for longer than [`JOIN_WINDOW`] when this peer joined.
    /// - This peer has published nothing, retains no entry, and is fetching no history now.
    ///
    /// `present`: time that the member has been in the room. Without the fetch, the member's whole
    /// log would come as new messages.
    pub(super) fn fetch_belated_history(
        &mut self,
        now: Now,
        id: PeerId,
        present: std::time::Duration,
    ) -> bool {
        let is_new = |at: Moment| now.moment.since(at) < BELATED_HISTORY_TIMEOUT;
        let Some((at, nonce)) = self.joined_alone.filter(|it| is_new(it.0)) else { return false };
        let was_here = present > now.moment.since(at) + JOIN_WINDOW;
        let is_untouched = self.outbox.sequence == 0 && self.logs.is_nothing_retained();
        if !matches!(self.phase, Phase::In) || !was_here || !is_untouched {
            return false;
        }
        self.joined_alone = None;
        let mut history = HistoryFetch::new(nonce, now.moment, vec![id]);
        history.is_belated = true;
        self.phase = Phase::Recalling(history);
        self.drive_history_fetch(now);
        true
    }

    /// Handles `recall` of a newcomer: sends the requested page of marks to its verified address.
    /// For page 0, also sends the newest entries and their ids. A page after the last one has no
    /// marks. If the newcomer has no verified address, only has it pinged.
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
