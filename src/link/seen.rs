//! What has been received already: the position, what comes twice, what is
//! missing (`docs/protocol/tcp.md`, section 6).

use std::collections::HashMap;

use crate::model::{LogId, NameKey, Position, Sequence};

/// Rooms that are remembered. Nobody is in so many; it bounds what a server
/// can make us keep.
const MAX_ROOMS: usize = 1_000;

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new.
    Show {
        /// Something before it is missing, and nobody has been told.
        gap: bool,
    },
    /// It was shown before.
    Duplicate,
}

/// How far one room has been seen.
#[derive(Debug, Default)]
struct Room {
    /// The oldest entry that was shown.
    oldest: Option<Sequence>,
    /// The newest.
    newest: Option<Sequence>,
    /// The server has said that something before the next entry is missing.
    gap_told: bool,
}

/// How far everything has been seen, within one log.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Which log.
    log: Option<LogId>,
    /// The greatest sequence of all that have come. (That may be zero: the
    /// end of an empty history.)
    position: Option<Sequence>,
    /// Until the end of the replay nothing up to here is new.
    replayed_from: Sequence,
    /// The newest direct message.
    newest_direct: Sequence,
    /// The rooms.
    rooms: HashMap<NameKey, Room>,
}

impl Seen {
    /// Goes on where an earlier program stopped.
    pub(super) fn from(position: Position) -> Self {
        Self { log: Some(position.log_id), position: Some(position.sequence), ..Self::default() }
    }

    /// The position, if there is one.
    pub(super) fn position(&self) -> Option<Position> {
        let log_id = self.log?;
        self.position.map(|sequence| Position { log_id, sequence })
    }

    /// Which log it is, if any is known.
    pub(super) const fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Call it for each welcome. True if this is another log than the one
    /// known before, all of which is then forgotten.
    pub(super) fn welcome(&mut self, log: LogId, position_kept: bool) -> bool {
        let changed = self.log.is_some_and(|known| known != log);
        if changed {
            *self = Self::default();
        }
        self.log = Some(log);
        self.replayed_from = self.position.filter(|_| position_kept).unwrap_or_default();
        changed
    }

    /// The next `previous` of this room says nothing that is not known: the
    /// server has told of a gap, or the room was entered anew.
    pub(super) fn gap_told(&mut self, room: &str) {
        if let Some(room) = self.room(room) {
            room.gap_told = true;
        }
    }

    /// An entry of a room. Call it once for each, in the order of arrival.
    pub(super) fn entry(&mut self, room: &str, sequence: Sequence, previous: Sequence) -> Verdict {
        let is_replayed_again = sequence <= self.replayed_from;
        self.advance(sequence);
        let Some(room) = self.room(room) else {
            return Verdict::Show { gap: false };
        };
        if is_replayed_again || room.newest.is_some_and(|newest| sequence <= newest) {
            return Verdict::Duplicate;
        }
        let is_missing = room.newest.is_some_and(|newest| previous > newest);
        let gap = is_missing && !room.gap_told;
        room.gap_told = false;
        room.newest = Some(sequence);
        room.oldest = room.oldest.or(Some(sequence));
        Verdict::Show { gap }
    }

    /// An entry that was asked for: always shown, for somebody wants it.
    pub(super) fn requested(&mut self, room: &str, sequence: Sequence) {
        self.advance(sequence);
        if let Some(room) = self.room(room) {
            room.oldest = Some(room.oldest.map_or(sequence, |oldest| oldest.min(sequence)));
        }
    }

    /// The oldest entry of a room that was shown.
    pub(super) fn oldest(&self, room: &str) -> Option<Sequence> {
        self.rooms.get(&NameKey::of(room)).and_then(|it| it.oldest)
    }

    /// A direct message. As [`Seen::entry`].
    pub(super) fn direct(&mut self, sequence: Sequence) -> Verdict {
        let is_known = sequence <= self.newest_direct || sequence <= self.replayed_from;
        self.advance(sequence);
        self.newest_direct = self.newest_direct.max(sequence);
        if is_known { Verdict::Duplicate } else { Verdict::Show { gap: false } }
    }

    /// The `head` of an `end`, or a sequence of whatever else.
    pub(super) fn advance(&mut self, sequence: Sequence) {
        self.position = self.position.max(Some(sequence));
    }

    /// The replay after a welcome is over.
    pub(super) fn replay_ended(&mut self) {
        self.replayed_from = Sequence::ZERO;
    }

    /// What is known of a room; `None` if there are too many.
    fn room(&mut self, name: &str) -> Option<&mut Room> {
        let key = NameKey::of(name);
        if self.rooms.len() >= MAX_ROOMS && !self.rooms.contains_key(&key) {
            return None;
        }
        Some(self.rooms.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short for a verdict on an entry of the lobby.
    fn entry(seen: &mut Seen, sequence: u64, previous: u64) -> Verdict {
        seen.entry("lobby", Sequence(sequence), Sequence(previous))
    }

    /// New, again, with a hole.
    #[test]
    fn entries_come_once_and_holes_are_seen() {
        let mut seen = Seen::default();
        assert!(!seen.welcome(LogId([1; 16]), false));
        assert_eq!(entry(&mut seen, 5, 4), Verdict::Show { gap: false });
        assert_eq!(entry(&mut seen, 5, 4), Verdict::Duplicate);
        assert_eq!(entry(&mut seen, 9, 5), Verdict::Show { gap: false });
        assert_eq!(entry(&mut seen, 20, 15), Verdict::Show { gap: true });
        assert_eq!(seen.position().unwrap().sequence, Sequence(20));
    }

    /// A hole that the server has told of is not told twice.
    #[test]
    fn a_hole_is_told_once() {
        let mut seen = Seen::default();
        seen.welcome(LogId([1; 16]), false);
        entry(&mut seen, 5, 4);
        seen.gap_told("LOBBY");
        assert_eq!(entry(&mut seen, 20, 15), Verdict::Show { gap: false });
        assert_eq!(entry(&mut seen, 30, 25), Verdict::Show { gap: true });
    }

    /// Another log: everything is new.
    #[test]
    fn another_log_begins_anew() {
        let mut seen = Seen::default();
        seen.welcome(LogId([1; 16]), false);
        entry(&mut seen, 5, 4);
        assert!(seen.welcome(LogId([2; 16]), false));
        assert_eq!(seen.position(), None);
        assert_eq!(entry(&mut seen, 1, 0), Verdict::Show { gap: false });
    }

    /// After a restart only the position is known; what is replayed up to it
    /// is not shown again, but what a later `enter` brings is.
    #[test]
    fn after_a_restart() {
        let position = Position { log_id: LogId([1; 16]), sequence: Sequence(10) };
        let mut seen = Seen::from(position);
        seen.welcome(LogId([1; 16]), true);
        assert_eq!(entry(&mut seen, 10, 9), Verdict::Duplicate);
        assert_eq!(entry(&mut seen, 11, 10), Verdict::Show { gap: false });
        seen.replay_ended();
        let old = seen.entry("garden", Sequence(3), Sequence(2));
        assert_eq!(old, Verdict::Show { gap: false });
    }
}
