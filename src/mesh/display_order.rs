//! Display order: a hold-back queue, so that messages are shown in room order as far as possible.
//! Section 9.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::contact::Contact;
use super::logs::{OrderKey, order_key};
use super::order_hold::RecentAuthors;
use super::requests::session;
use super::timers::{HOLD_BACK_TIMEOUT, ORDER_HOLD};
use super::{Mesh, Now};
use crate::model::{
    Event, Lamport, MeshSentence, Message, Moment, NameKey, PeerId, RequestTag, Sequence, Style,
    Timestamp,
};
use crate::wire::udp::Entry;

/// Greatest clock skew that is not reported to the user, in milliseconds.
const MAX_UNREPORTED_SKEW_MS: u64 = 5_000;

/// Hold-back queue: entries that may have to wait for entries that sort before them.
#[derive(Debug)]
pub(super) struct DisplayQueue {
    /// Held-back entries in room order.
    held: BTreeMap<OrderKey, HeldEntry>,
    /// Greatest Lamport counter that was shown, or counts as shown.
    shown_lamport: u64,
    /// Greatest sort key of the shown entries; entries below it are shown as late. Entries of
    /// blocked authors count as shown. `None` if none was shown.
    last_shown: Option<OrderKey>,
    /// The authors that have written last.
    pub(super) authors: RecentAuthors,
    /// Time for which an entry is held for the common order, if it is: [`ORDER_HOLD`]. Tests may
    /// change it.
    pub(super) order_hold: Duration,
    /// Request tags of own messages by sequence, until the messages are shown.
    tags: HashMap<u32, RequestTag>,
}

/// Entry in the hold-back queue.
#[derive(Debug)]
struct HeldEntry {
    /// The entry.
    entry: Arc<Entry>,
    /// Time at which it was queued.
    queued_at: Moment,
    /// Time at which it may be shown, unless a Lamport counter is missing before it.
    show_at: Moment,
}

impl Default for DisplayQueue {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            shown_lamport: 0,
            last_shown: None,
            authors: RecentAuthors::default(),
            order_hold: ORDER_HOLD,
            tags: HashMap::new(),
        }
    }
}

impl DisplayQueue {
    /// Treats every Lamport counter up to `lamport` as shown. So an entry with the next counter
    /// does not have to wait.
    pub(super) fn start_after(&mut self, lamport: Lamport) {
        self.shown_lamport = self.shown_lamport.max(lamport.0);
    }

    /// Remembers the request tag of an own message until the message is shown.
    pub(super) fn note_tag(&mut self, sequence: u32, tag: RequestTag) {
        self.tags.insert(sequence, tag);
    }

    /// Returns the number of held-back entries.
    pub(super) fn stats(&self) -> usize {
        self.held.len()
    }

    /// Queues an entry, and holds it for the common order for the time `hold`. If it sorts before
    /// an entry that was shown already, it may be shown at once. Notes its author as the last that
    /// has written.
    fn insert(&mut self, now: Moment, hold: Duration, entry: Arc<Entry>) {
        let key = order_key(&entry);
        let is_late = self.last_shown.is_some_and(|last| key < last);
        let show_at = if is_late { now } else { now + hold };
        self.authors.note(now, entry.author.id);
        self.held.insert(key, HeldEntry { entry, queued_at: now, show_at });
    }

    /// Ends the hold of this author's entries for the common order.
    fn expedite(&mut self, now: Moment, author: PeerId) {
        for held in self.held.values_mut().filter(|it| it.entry.author.id == author) {
            held.show_at = held.show_at.min(now);
        }
    }

    /// Iterates over the held-back entries in room order. Stops before the first one that is
    /// preceded by a missing Lamport counter.
    fn without_gap(&self) -> impl Iterator<Item = &HeldEntry> {
        let mut shown = self.shown_lamport;
        self.held.values().take_while(move |it| {
            let lamport = it.entry.fields.lamport.0;
            let is_next = lamport <= shown.saturating_add(1);
            shown = shown.max(lamport);
            is_next
        })
    }

    /// Returns the time at which the next entry may be shown; `None` if none is held.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let next = self.without_gap().map(|it| it.show_at).min();
        let first = || self.held.values().next().map(|it| it.queued_at + HOLD_BACK_TIMEOUT);
        next.or_else(first)
    }

    /// Returns the number of entries at the beginning of the queue that may be shown. The last of
    /// them is the last entry whose `show_at` has come and before which no Lamport counter is
    /// missing.
    ///
    /// If a counter is missing before the first entry, returns 1 if that entry has waited for
    /// [`HOLD_BACK_TIMEOUT`], otherwise 0.
    fn ready_count(&self, now: Moment) -> usize {
        let (mut ready, mut is_gap) = (0, true);
        for (index, held) in self.without_gap().enumerate() {
            is_gap = false;
            if held.show_at <= now {
                ready = index + 1;
            }
        }
        let is_over = |it: &HeldEntry| now.since(it.queued_at) >= HOLD_BACK_TIMEOUT;
        ready + usize::from(is_gap && self.held.values().next().is_some_and(is_over))
    }

    /// Removes and returns the first `count` held-back entries in room order.
    fn take_first(&mut self, count: usize) -> Vec<Arc<Entry>> {
        let first = std::iter::from_fn(|| self.held.pop_first());
        first.take(count).map(|(_, it)| it.entry).collect()
    }
}

impl Mesh {
    /// Queues the entries that were moved into their author's order. Then shows all queued entries
    /// that do not have to wait.
    pub(super) fn deliver_ready(&mut self, now: Now) {
        for entry in self.logs.take_ready() {
            let hold = self.order_hold(now.moment, entry.author.id);
            self.display.insert(now.moment, hold, entry);
        }
        self.show_ready(now.moment);
    }

    /// Shows the held-back entries of an author, and the entries that sort before them, because the
    /// author's leaving is reported now. An entry before which a Lamport counter is missing stays
    /// held back.
    pub(super) fn show_entries_of(&mut self, now: Moment, author: PeerId) {
        self.display.expedite(now, author);
        self.show_ready(now);
    }

    /// Shows all held-back entries, because this peer leaves.
    pub(super) fn show_all_held(&mut self) {
        self.show_first(usize::MAX);
    }

    /// Shows all held-back entries that need not wait any longer.
    fn show_ready(&mut self, now: Moment) {
        loop {
            let count = self.display.ready_count(now);
            if count == 0 {
                return;
            }
            self.show_first(count);
        }
    }

    /// Shows the first `count` held-back entries in room order.
    fn show_first(&mut self, count: usize) {
        for entry in self.display.take_first(count) {
            let is_late = self.display.last_shown.is_some_and(|last| order_key(&entry) < last);
            self.display_entry(&entry, false, is_late);
        }
    }

    /// Shows an entry to the user, under its [`Self::name_shown`], and advances the display order.
    /// If the author is blocked, only advances the display order. May first notify about the
    /// author's clock ([`Self::report_clock_skew`]), unless the entry is own or history. If the
    /// entry is an own message with a request tag, also acknowledges the request.
    pub(super) fn display_entry(&mut self, entry: &Arc<Entry>, is_history: bool, is_late: bool) {
        let fields = &entry.fields;
        let last =
            self.display.last_shown.map_or(order_key(entry), |last| last.max(order_key(entry)));
        self.display.last_shown = Some(last);
        self.display.shown_lamport = self.display.shown_lamport.max(fields.lamport.0);
        let is_own = entry.author.id == self.me.id;
        let tag = if is_own { self.display.tags.remove(&fields.sequence) } else { None };
        if self.block_list.has_key(&entry.author.key) {
            return;
        }
        if !is_history && !is_own {
            self.report_clock_skew(entry);
        }
        if self.contacts.member(entry.author.id).is_none() {
            self.indirect.invalidate();
        }
        let sequence = Sequence(fields.sequence.into());
        self.emit(Event::Message(Message {
            sequence,
            time: fields.time,
            room: self.settings.room.as_str().to_owned(),
            session: session(entry.author.id),
            from: self.name_shown(entry).to_owned(),
            style: Style(fields.style),
            text: fields.text.clone(),
            history: is_history,
            requested: false,
            own: is_own,
            late: is_late,
            person: None,
            lamport: Some(fields.lamport),
            tag: tag.clone().unwrap_or_default(),
        }));
        if let Some(tag) = tag {
            let (sequence, time) = (Some(sequence), Some(fields.time));
            self.emit(Event::Acknowledged { tag, sequence, time, unechoed: None });
        }
    }

    /// Returns the name to show for an entry: the one that it states. If its author is a member of
    /// another name, and somebody else here holds the stated one ([`Self::is_held_by_another`]),
    /// returns the author's own name. An author can state any name in an entry. Section 9, rule 9.
    fn name_shown<'a>(&'a self, entry: &'a Entry) -> &'a str {
        let (author, stated) = (entry.author.id, entry.fields.username.as_str());
        let own = self.contacts.member(author).map(Contact::name);
        // Nearly always the two are the same.
        let Some(own) = own.filter(|it| *it != stated) else { return stated };
        let is_other = NameKey::of(own) != NameKey::of(stated);
        if is_other && self.is_held_by_another(author, stated) { own } else { stated }
    }

    /// Notifies the user if the clock of an entry's author differs by more than
    /// [`MAX_UNREPORTED_SKEW_MS`]. Notifies again only after the difference was smaller. Does
    /// nothing if the author is no known contact.
    fn report_clock_skew(&mut self, entry: &Arc<Entry>) {
        let Some(contact) = self.contacts.get_mut(entry.author.id) else { return };
        let differs = contact.skew.unsigned_abs() > MAX_UNREPORTED_SKEW_MS;
        let is_new = differs && !contact.is_skew_reported;
        contact.is_skew_reported = differs;
        if !is_new {
            return;
        }
        let text = MeshSentence::ClockDiffers {
            name: contact.name().to_owned(),
            seconds: contact.skew.unsigned_abs() / 1_000,
            is_ahead: contact.skew > 0,
        };
        let code = crate::model::NoticeCode::ClockDiffers.number();
        self.emit(Event::Notice { code, text: text.into() });
    }

    /// Returns the clock skew in milliseconds: how far a clock that shows `time` is ahead of this
    /// machine's; negative if it is behind.
    pub(super) fn clock_skew(now: Now, time: Timestamp) -> i64 {
        let ahead = i128::from(time.0) - i128::from(now.time.0);
        i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
    }
}
