//! What the person sees, and in which order: section 9.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::logs::{Place, place};
use super::publish::session;
use super::timers::HOLD;
use super::{Mesh, Now};
use crate::model::{Event, Lamport, Message, Moment, RequestTag, Sequence, Style, Timestamp};
use crate::wire::udp::Entry;

/// What was shown, and what waits to be.
#[derive(Debug, Default)]
pub(super) struct Showing {
    /// In their authors' order; waiting for something before them, since then.
    waiting: BTreeMap<Place, (Arc<Entry>, Moment)>,
    /// The greatest Lamport counter shown.
    lamport: u64,
    /// The last place in the order that was shown.
    last: Option<Place>,
    /// Tags of one's own messages by their sequences, until they are shown.
    tags: HashMap<u32, RequestTag>,
}

impl Showing {
    /// Everything up to here was before one came, or was shown.
    pub(super) fn begin_after(&mut self, lamport: Lamport) {
        self.lamport = self.lamport.max(lamport.0);
    }

    /// One's own message with this sequence has this tag.
    pub(super) fn note_tag(&mut self, sequence: u32, tag: RequestTag) {
        self.tags.insert(sequence, tag);
    }

    /// How many wait.
    pub(super) fn stats(&self) -> usize {
        self.waiting.len()
    }

    /// When something that waits is to be shown in any case.
    pub(super) fn due(&self) -> Option<Moment> {
        self.waiting.first_key_value().map(|(_, (_, since))| *since + HOLD)
    }

    /// The next entry that can be shown now.
    fn next(&mut self, now: Moment) -> Option<Arc<Entry>> {
        let waiting = self.waiting.first_entry()?;
        let (entry, since) = waiting.get();
        let is_next = entry.fields.lamport.0 <= self.lamport.saturating_add(1);
        if !is_next && now.since(*since) < HOLD {
            return None;
        }
        Some(waiting.remove().0)
    }
}

impl Mesh {
    /// Shows what has come into its author's order and has waited enough.
    pub(super) fn show_what_is_ready(&mut self, now: Now) {
        for entry in self.logs.take_ready() {
            self.showing.waiting.insert(place(&entry), (entry, now.moment));
        }
        while let Some(entry) = self.showing.next(now.moment) {
            let is_late = self.showing.last.is_some_and(|last| place(&entry) < last);
            self.show_entry(&entry, false, is_late);
        }
    }

    /// Shows an entry.
    pub(super) fn show_entry(&mut self, entry: &Arc<Entry>, is_history: bool, is_late: bool) {
        let fields = &entry.fields;
        let last = self.showing.last.map_or(place(entry), |last| last.max(place(entry)));
        self.showing.last = Some(last);
        self.showing.lamport = self.showing.lamport.max(fields.lamport.0);
        let is_own = entry.author.id == self.me.id;
        let tag = if is_own { self.showing.tags.remove(&fields.sequence) } else { None };
        if self.voting.is_blocked(&entry.author.key) {
            return;
        }
        if !is_history && !is_own {
            self.tell_skew(entry);
        }
        let sequence = Sequence(fields.sequence.into());
        self.show(Event::Message(Message {
            sequence,
            time: fields.time,
            room: self.settings.room.as_str().to_owned(),
            session: session(entry.author.id),
            from: fields.username.clone(),
            style: Style(fields.style),
            text: fields.text.clone(),
            history: is_history,
            requested: false,
            own: is_own,
            late: is_late,
            tag: tag.clone().unwrap_or_default(),
        }));
        if let Some(tag) = tag {
            let (sequence, time) = (Some(sequence), Some(fields.time));
            self.show(Event::Acknowledged { tag, sequence, time, unechoed: None });
        }
    }

    /// Tells the person, once for each peer, that its clock differs.
    fn tell_skew(&mut self, entry: &Arc<Entry>) {
        let Some(contact) = self.contacts.get_mut(entry.author.id) else { return };
        let seconds = contact.skew / 1_000;
        if contact.is_skew_told || seconds.abs() <= 5 {
            return;
        }
        contact.is_skew_told = true;
        let how = if seconds > 0 { "ahead of" } else { "behind" };
        let text = format!(
            "The clock of {} is {} {how} yours: the times of those messages differ by that.",
            contact.name(),
            in_words(seconds.unsigned_abs())
        );
        self.show(Event::Notice { code: crate::model::NoticeCode::ClockDiffers.number(), text });
    }

    /// By how much a clock that shows `time` is ahead of ours.
    pub(super) fn skew(now: Now, time: Timestamp) -> i64 {
        let ahead = i128::from(time.0) - i128::from(now.time.0);
        i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
    }
}

/// A number of seconds for people.
pub(super) fn in_words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
