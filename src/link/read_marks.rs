//! Read marks: how far the user has read, on this device and on the others
//! (`docs/protocol/identity.md`, "Read marks").

use std::time::Duration;

use super::{Link, Phase};
use crate::model::{Event, Moment, NameKey, Sequence};
use crate::wire::tcp::{MarkRead, ReadMark, feature};

/// Minimum time between two marks of one room. Of those within it, the last one is sent.
const MARK_INTERVAL: Duration = Duration::from_secs(5);

/// Mark of a room that the user is in or enters, or of the direct messages.
#[derive(Debug)]
pub(super) struct RoomMark {
    /// Name of the room; empty: the direct messages.
    room: String,
    /// What was last sent, or told by the server; `None`: not known.
    known: Option<Sequence>,
    /// What is to be sent; `None`: nothing.
    wanted: Option<Sequence>,
    /// Time from which on the next mark may be sent.
    next: Moment,
}

impl Link {
    /// Notes that the user has read a room, or the direct messages (empty), up to a sequence;
    /// `None`: as far as messages were received. Tells that to the server as soon as it may. Ignores
    /// a room in which the user is not.
    pub(super) fn mark_read(&mut self, now: Moment, room: &str, sequence: Option<Sequence>) {
        let key = NameKey::of(room);
        let joined = self.rooms.iter().find(|it| NameKey::of(it) == key);
        let Some(room) = joined.cloned().or_else(|| room.is_empty().then(String::new)) else {
            return;
        };
        let Some(sequence) = sequence.or_else(|| self.cursor.newest(&room)) else {
            return;
        };
        if let Some(mark) = self.room_mark(&room) {
            mark.wanted = Some(sequence).filter(|it| mark.known != Some(*it));
        }
        self.send_marks(now);
    }

    /// Sends the marks that are due, if the link is live and the server takes marks.
    pub(super) fn send_marks(&mut self, now: Moment) {
        if !self.takes_marks() {
            return;
        }
        let mut due = Vec::new();
        for mark in &mut self.read_marks {
            if mark.next <= now
                && let Some(sequence) = mark.wanted.take()
            {
                (mark.known, mark.next) = (Some(sequence), now + MARK_INTERVAL);
                due.push(MarkRead { room: mark.room.clone(), sequence });
            }
        }
        due.into_iter().for_each(|it| self.send(it));
    }

    /// Sends the marks that wait, whenever they were to be sent: the link ends.
    pub(super) fn send_last_marks(&mut self) {
        self.read_marks.iter_mut().for_each(|it| it.next = Moment::START);
        self.send_marks(Moment::START);
    }

    /// Returns the time at which [`Self::send_marks`] has something to do; `None` if it has nothing.
    pub(super) fn marks_due(&self) -> Option<Moment> {
        let waiting = self.read_marks.iter().filter(|it| it.wanted.is_some());
        waiting.map(|it| it.next).min().filter(|_| self.takes_marks())
    }

    /// Handles `read_mark`: another device of the user has read this far, or this one before it
    /// joined. A mark that waits to be sent and is not above it is dropped. Ignores a room in which
    /// the user is not.
    pub(super) fn on_read_mark(&mut self, frame: ReadMark) {
        let ReadMark { room, sequence } = frame;
        let Some(mark) = self.room_mark(&room) else {
            return;
        };
        mark.known = Some(sequence);
        mark.wanted = mark.wanted.filter(|it| *it > sequence);
        self.emit(Event::ReadMark { room: (!room.is_empty()).then_some(room), sequence });
    }

    /// Forgets the marks of rooms in which the user is no longer. Call it when rooms were left, and
    /// after a `welcome`.
    pub(super) fn forget_marks_of_left_rooms(&mut self) {
        let mut marks = std::mem::take(&mut self.read_marks);
        marks.retain(|it| self.can_have_mark(&it.room));
        self.read_marks = marks;
    }

    /// Adapts the marks to a `welcome`: what was sent may be lost, and in another log the sequences
    /// mean nothing.
    pub(super) fn renew_marks(&mut self, log_changed: bool) {
        if log_changed {
            self.read_marks.clear();
        }
        self.read_marks.iter_mut().for_each(|it| it.known = None);
    }

    /// Returns true if marks can be sent.
    fn takes_marks(&self) -> bool {
        self.phase == Phase::Live && self.features & feature::READ_MARKS != 0
    }

    /// Returns true if there may be a mark of this room: it is empty, which stands for the direct
    /// messages, or the user is in it or enters it. So there are no more marks than rooms, and one.
    fn can_have_mark(&self, room: &str) -> bool {
        let key = NameKey::of(room);
        // The first join may name no room; until its replay ends, the rooms are those of `welcome`.
        let rooms = match &self.welcome {
            Some(welcome) if self.phase == Phase::Replaying => &welcome.rooms,
            _ => &self.rooms,
        };
        room.is_empty()
            || rooms.iter().any(|it| NameKey::of(it) == key)
            || self.pending.is_entering(&key)
    }

    /// Returns the mark of a room, or of the direct messages (empty). `None` if the user is not in
    /// the room.
    fn room_mark(&mut self, room: &str) -> Option<&mut RoomMark> {
        if !self.can_have_mark(room) {
            return None;
        }
        let key = NameKey::of(room);
        let at = self.read_marks.iter().position(|it| NameKey::of(&it.room) == key);
        let at = at.unwrap_or_else(|| {
            let (room, next) = (room.to_owned(), Moment::START);
            self.read_marks.push(RoomMark { room, known: None, wanted: None, next });
            self.read_marks.len() - 1
        });
        self.read_marks.get_mut(at)
    }
}
