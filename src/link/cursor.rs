//! What has been received already: the position, what comes twice, what is
//! missing (`docs/protocol/tcp.md`, section 6).

use std::collections::HashMap;

use crate::model::{LogId, NameKey, Position, Sequence};

/// Rooms that are remembered. Nobody is in so many; it bounds what a server
/// can make us keep.
const MAX_ROOMS: usize = 1_000;

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It is new.
    New {
        /// Something before it is missing, and nobody has been told.
        gap: bool,
    },
    /// It was shown before.
    Duplicate,
}

/// How far one room has been cursor.
#[derive(Debug, Default)]
struct RoomProgress {
    /// The oldest entry that was shown.
    oldest_shown: Option<Sequence>,
    /// The newest.
    newest_received: Option<Sequence>,
    /// The server has said that something before the next entry is missing.
    gap_reported: bool,
}

/// How far everything has been cursor, within one log.
#[derive(Debug, Default)]
pub(super) struct ReceiveCursor {
    /// Which log.
    log_id: Option<LogId>,
    /// The greatest sequence of all that have come. (That may be zero: the
    /// end of an empty history.)
    max_sequence: Option<Sequence>,
    /// Until the end of the replay nothing up to here is new.
    replay_start: Sequence,
    /// The newest direct message.
    newest_direct: Sequence,
    /// The rooms.
    rooms: HashMap<NameKey, RoomProgress>,
}

impl ReceiveCursor {
    /// Goes on where an earlier program stopped.
    pub(super) fn resume_from(position: Position) -> Self {
        Self {
            log_id: Some(position.log_id),
            max_sequence: Some(position.sequence),
            ..Self::default()
        }
    }

    /// The position, if there is one.
    pub(super) fn position(&self) -> Option<Position> {
        let log_id = self.log_id?;
        self.max_sequence.map(|sequence| Position { log_id, sequence })
    }

    /// Which log it is, if any is known.
    pub(super) const fn log_id(&self) -> Option<LogId> {
        self.log_id
    }

    /// Call it for each welcome. True if this is another log than the one
    /// known before, all of which is then forgotten.
    pub(super) fn welcome(&mut self, log: LogId, position_kept: bool) -> bool {
        let changed = self.log_id.is_some_and(|known| known != log);
        if changed {
            *self = Self::default();
        }
        self.log_id = Some(log);
        self.replay_start = self.max_sequence.filter(|_| position_kept).unwrap_or_default();
        changed
    }

    /// The next `previous` of this room says nothing that is not known: the
    /// server has told of a gap, or the room was entered anew.
    pub(super) fn suppress_next_gap(&mut self, room: &str) {
        if let Some(room) = self.room_mut(room) {
            room.gap_reported = true;
        }
    }

    /// An entry of a room. Call it once for each, in the order of arrival.
    pub(super) fn on_entry(
        &mut self,
        room: &str,
        sequence: Sequence,
        previous: Sequence,
    ) -> Novelty {
        let is_replayed_again = sequence <= self.replay_start;
        self.advance(sequence);
        let Some(room) = self.room_mut(room) else {
            return Novelty::New { gap: false };
        };
        if is_replayed_again || room.newest_received.is_some_and(|newest| sequence <= newest) {
            return Novelty::Duplicate;
        }
        let is_missing = room.newest_received.is_some_and(|newest| previous > newest);
        let gap = is_missing && !room.gap_reported;
        room.gap_reported = false;
        room.newest_received = Some(sequence);
        room.oldest_shown = room.oldest_shown.or(Some(sequence));
        Novelty::New { gap }
    }

    /// An entry that was asked for: always shown, for somebody wants it.
    pub(super) fn on_requested_entry(&mut self, room: &str, sequence: Sequence) {
        self.advance(sequence);
        if let Some(room) = self.room_mut(room) {
            room.oldest_shown =
                Some(room.oldest_shown.map_or(sequence, |oldest| oldest.min(sequence)));
        }
    }

    /// The oldest entry of a room that was shown.
    pub(super) fn oldest_shown(&self, room: &str) -> Option<Sequence> {
        self.rooms.get(&NameKey::of(room)).and_then(|it| it.oldest_shown)
    }

    /// A direct message. As [`ReceiveCursor::on_entry`].
    pub(super) fn on_direct(&mut self, sequence: Sequence) -> Novelty {
        let is_known = sequence <= self.newest_direct || sequence <= self.replay_start;
        self.advance(sequence);
        self.newest_direct = self.newest_direct.max(sequence);
        if is_known { Novelty::Duplicate } else { Novelty::New { gap: false } }
    }

    /// The `head` of an `end`, or a sequence of whatever else.
    pub(super) fn advance(&mut self, sequence: Sequence) {
        self.max_sequence = self.max_sequence.max(Some(sequence));
    }

    /// The replay after a welcome is over.
    pub(super) fn end_replay(&mut self) {
        self.replay_start = Sequence::ZERO;
    }

    /// What is known of a room; `None` if there are too many.
    fn room_mut(&mut self, name: &str) -> Option<&mut RoomProgress> {
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
    fn entry(cursor: &mut ReceiveCursor, sequence: u64, previous: u64) -> Novelty {
        cursor.on_entry("lobby", Sequence(sequence), Sequence(previous))
    }

    /// New, again, with a hole.
    #[test]
    fn duplicates_and_gaps_are_detected() {
        let mut cursor = ReceiveCursor::default();
        assert!(!cursor.welcome(LogId([1; 16]), false));
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::Duplicate);
        assert_eq!(entry(&mut cursor, 9, 5), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 20, 15), Novelty::New { gap: true });
        assert_eq!(cursor.position().unwrap().sequence, Sequence(20));
    }

    /// A hole that the server has told of is not told twice.
    #[test]
    fn announced_gap_is_not_reported_again() {
        let mut cursor = ReceiveCursor::default();
        cursor.welcome(LogId([1; 16]), false);
        entry(&mut cursor, 5, 4);
        cursor.suppress_next_gap("LOBBY");
        assert_eq!(entry(&mut cursor, 20, 15), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 30, 25), Novelty::New { gap: true });
    }

    /// Another log: everything is new.
    #[test]
    fn log_change_clears_cursor() {
        let mut cursor = ReceiveCursor::default();
        cursor.welcome(LogId([1; 16]), false);
        entry(&mut cursor, 5, 4);
        assert!(cursor.welcome(LogId([2; 16]), false));
        assert_eq!(cursor.position(), None);
        assert_eq!(entry(&mut cursor, 1, 0), Novelty::New { gap: false });
    }

    /// After a restart only the position is known; what is replayed up to it
    /// is not shown again, but what a later `enter` brings is.
    #[test]
    fn resume_skips_replayed_entries_up_to_position() {
        let position = Position { log_id: LogId([1; 16]), sequence: Sequence(10) };
        let mut cursor = ReceiveCursor::resume_from(position);
        cursor.welcome(LogId([1; 16]), true);
        assert_eq!(entry(&mut cursor, 10, 9), Novelty::Duplicate);
        assert_eq!(entry(&mut cursor, 11, 10), Novelty::New { gap: false });
        cursor.end_replay();
        let old = cursor.on_entry("garden", Sequence(3), Sequence(2));
        assert_eq!(old, Novelty::New { gap: false });
    }
}
