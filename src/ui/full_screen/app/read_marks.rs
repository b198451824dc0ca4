//! How far the user has read, on this device and on their others.

use std::time::Duration;

use super::App;
use super::conversation::{Conversation, Place};
use crate::model::{Command, Dialect, Sequence};

/// Minimum time between two marks of how far the user has read.
const MARK_INTERVAL: Duration = Duration::from_secs(2);

impl App {
    /// Notes that the user has read a room, or all direct messages, this far on another device.
    pub(super) fn read_elsewhere(&mut self, room: Option<&str>, sequence: Sequence) {
        if let Some(room) = room {
            if let Some(it) = self.conversations.find_mut(&Place::Room(room.to_owned())) {
                it.read_elsewhere(sequence);
            }
            return;
        }
        self.direct_read = Some(sequence);
        let is_direct = |it: &Place| matches!(it, Place::Direct(_));
        for it in self.conversations.iter_mut().filter(|it| is_direct(&it.place)) {
            it.read_elsewhere(sequence);
        }
    }

    /// Returns the time at which to say how far the user has read what is shown; `None` if there is
    /// nothing to say now.
    pub(super) fn next_mark(&self) -> Option<Duration> {
        self.mark()?;
        Some(self.marked_at.map_or(Duration::ZERO, |it| it + MARK_INTERVAL))
    }

    /// Says how far the user has read what is shown, for their other devices: every
    /// [`MARK_INTERVAL`] at most.
    pub(super) fn mark_read(&mut self) {
        if self.next_mark().is_none_or(|it| it > self.now) {
            return;
        }
        let Some((room, sequence)) = self.mark() else { return };
        if room.is_none() {
            self.direct_read = Some(sequence);
        }
        self.conversations.current_mut().told_mark = Some(sequence);
        self.marked_at = Some(self.now);
        self.request(Command::MarkRead { room, sequence: Some(sequence) });
    }

    /// Returns the room, or `None` for direct messages, and how far the user has read there, if that
    /// is not told yet and can be told now. Direct messages have one mark, so it waits for those
    /// that are unread elsewhere.
    fn mark(&self) -> Option<(Option<String>, Sequence)> {
        // Messages of peers have no sequences: all of them would be looked through.
        if self.dialect() == Dialect::Peers || !self.connection.is_up() {
            return None;
        }
        let conversation = self.conversations.current();
        let sequence = conversation.last_sequence()?;
        if conversation.told_mark.is_some_and(|it| it >= sequence) {
            return None;
        }
        match &conversation.place {
            Place::Start => None,
            Place::Room(room) => Some((Some(room.clone()), sequence)),
            Place::Direct(_) => {
                let is_unread =
                    |it: &Conversation| matches!(it.place, Place::Direct(_)) && it.unread > 0;
                let is_known = self.direct_read.is_some_and(|it| it >= sequence);
                (!is_known && !self.conversations.iter().any(is_unread)).then_some((None, sequence))
            }
        }
    }
}
