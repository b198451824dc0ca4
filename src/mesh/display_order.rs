//! Display order: a hold-back queue, so that messages are shown in room order as far as possible.
//! Section 9.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::logs::{OrderKey, order_key};
use super::requests::session;
use super::timers::HOLD_BACK_TIMEOUT;
use super::{Mesh, Now};
use crate::model::{Event, Lamport, Message, Moment, RequestTag, Sequence, Style, Timestamp};
use crate::wire::udp::Entry;

/// Greatest clock skew that is not reported to the user, in milliseconds.
const MAX_UNREPORTED_SKEW_MS: u64 = 5_000;

/// Hold-back queue: entries that may have to wait for entries with smaller Lamport counters.
#[derive(Debug, Default)]
pub(super) struct DisplayQueue {
    /// Held-back entries in room order, each with the time at which it was queued.
    held: BTreeMap<OrderKey, (Arc<Entry>, Moment)>,
    /// Greatest Lamport counter that was shown, or counts as shown.
    shown_lamport: u64,
    /// Greatest sort key of the shown entries; entries below it are shown as late. Entries of
    /// blocked authors count as shown. `None` if none was shown.
    last_shown: Option<OrderKey>,
    /// Request tags of own messages by sequence, until the messages are shown.
    tags: HashMap<u32, RequestTag>,
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

    /// Returns the time at which the first held-back entry in room order has waited for
    /// [`HOLD_BACK_TIMEOUT`]; `None` if none is held.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.held.first_key_value().map(|(_, (_, since))| *since + HOLD_BACK_TIMEOUT)
    }

    /// Removes and returns the first held-back entry in room order, if it may be shown. It may if
    /// its Lamport counter is at most `shown_lamport` + 1, or if it has waited for
    /// [`HOLD_BACK_TIMEOUT`]. Otherwise returns `None`.
    fn pop_ready(&mut self, now: Moment) -> Option<Arc<Entry>> {
        let waiting = self.held.first_entry()?;
        let (entry, since) = waiting.get();
        let is_next = entry.fields.lamport.0 <= self.shown_lamport.saturating_add(1);
        if !is_next && now.since(*since) < HOLD_BACK_TIMEOUT {
            return None;
        }
        Some(waiting.remove().0)
    }
}

impl Mesh {
    /// Queues the entries that were moved into their author's order. Then shows all queued entries
    /// that do not have to wait.
    pub(super) fn deliver_ready(&mut self, now: Now) {
        for entry in self.logs.take_ready() {
            self.display.held.insert(order_key(&entry), (entry, now.moment));
        }
        while let Some(entry) = self.display.pop_ready(now.moment) {
            let is_late = self.display.last_shown.is_some_and(|last| order_key(&entry) < last);
            self.display_entry(&entry, false, is_late);
        }
    }

    /// Shows an entry to the user, and advances the display order. If the author is blocked, only
    /// advances the display order. If the entry is an own message with a request tag, also
    /// acknowledges the request.
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
            from: fields.username.clone(),
            style: Style(fields.style),
            text: fields.text.clone(),
            history: is_history,
            requested: false,
            own: is_own,
            late: is_late,
            lamport: Some(fields.lamport),
            tag: tag.clone().unwrap_or_default(),
        }));
        if let Some(tag) = tag {
            let (sequence, time) = (Some(sequence), Some(fields.time));
            self.emit(Event::Acknowledged { tag, sequence, time, unechoed: None });
        }
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
        let how = if contact.skew > 0 { "ahead of" } else { "behind" };
        let text = format!(
            "The clock of {} is {} {how} yours: the times of those messages differ by that.",
            contact.name(),
            duration_text(contact.skew.unsigned_abs() / 1_000)
        );
        self.emit(Event::Notice { code: crate::model::NoticeCode::ClockDiffers.number(), text });
    }

    /// Returns the clock skew in milliseconds: how far a clock that shows `time` is ahead of this
    /// machine's; negative if it is behind.
    pub(super) fn clock_skew(now: Now, time: Timestamp) -> i64 {
        let ahead = i128::from(time.0) - i128::from(now.time.0);
        i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Returns a number of seconds as a human-readable duration, in whole units, rounded down. The unit
/// is minutes from 2 minutes on, hours from 2 hours on, and days from 2 days on.
pub(super) fn duration_text(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
