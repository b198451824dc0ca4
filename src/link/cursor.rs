//! The client's cursor into the server's log: resume position, duplicate detection and gap
//! detection (`docs/protocol/tcp.md`, section 6).

use std::collections::HashMap;

use crate::model::{LogId, NameKey, Position, Sequence};

/// Maximum number of rooms that are tracked. It exceeds what any server allows, and bounds the
/// memory that a server can make the client use. Entries of further rooms count as new.
const MAX_ROOMS: usize = 1_000;

/// Result of duplicate and gap detection for a received entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// The entry is new: show it.
    New {
        /// True if entries before it are missing and the user has not been told.
        gap: bool,
    },
    /// The entry was received before: do not show it.
    Duplicate,
}

/// Progress within one room.
#[derive(Debug, Default)]
struct RoomProgress {
    /// Sequence of the oldest entry that was shown.
    oldest_shown: Option<Sequence>,
    /// Sequence of the newest entry that was received.
    newest_received: Option<Sequence>,
    /// True if the gap before the next entry must not be reported, because the user knows of it or
    /// it is expected.
    is_gap_suppressed: bool,
}

/// Cursor into one log: the position, and the progress within each room.
#[derive(Debug, Default)]
pub(super) struct ReceiveCursor {
    /// Id of the log; `None` before the first welcome.
    log_id: Option<LogId>,
    /// Greatest sequence received, the position to resume from. It may be zero, from the `end` of
    /// an empty log; `None` means that there is no position.
    max_sequence: Option<Sequence>,
    /// Position from which the current replay started: until the replay ends, entries up to here
    /// are duplicates. Zero otherwise.
    replay_start: Sequence,
    /// Sequence of the newest direct message.
    newest_direct: Sequence,
    /// Progress within each room.
    rooms: HashMap<NameKey, RoomProgress>,
}

impl ReceiveCursor {
    /// Creates a cursor that resumes from a saved position.
    pub(super) fn resume_from(position: Position) -> Self {
        Self {
            log_id: Some(position.log_id),
            max_sequence: Some(position.sequence),
            ..Self::default()
        }
    }

    /// Returns the position, if there is one.
    pub(super) fn position(&self) -> Option<Position> {
        let log_id = self.log_id?;
        self.max_sequence.map(|sequence| Position { log_id, sequence })
    }

    /// Returns the id of the log, if it is known.
    pub(super) const fn log_id(&self) -> Option<LogId> {
        self.log_id
    }

    /// Updates the cursor for a `welcome`: call it for each. Returns true if the log differs from
    /// the one known before; the cursor is then reset.
    ///
    /// `position_sent` tells whether the join included the position. If the server did not keep it,
    /// its log has lost what it had after some sequence and assigns those sequences again. So the
    /// position, which may be ahead of the log, and the progress within rooms are discarded.
    /// Without a position sent, only the position is discarded.
    pub(super) fn on_welcome(
        &mut self,
        log: LogId,
        position_sent: bool,
        position_kept: bool,
    ) -> bool {
        let changed = self.log_id.is_some_and(|known| known != log);
        if changed || (position_sent && !position_kept) {
            *self = Self::default();
        }
        self.log_id = Some(log);
        self.max_sequence = self.max_sequence.filter(|_| position_kept);
        self.replay_start = self.max_sequence.unwrap_or_default();
        changed
    }

    /// Suppresses the gap report for the next entry of this room: the server has announced the gap,
    /// or the room was entered anew, so missing entries are expected.
    pub(super) fn suppress_next_gap(&mut self, room: &str) {
        if let Some(room) = self.room_mut(room) {
            room.is_gap_suppressed = true;
        }
    }

    /// Advances the cursor past an entry of a room, and returns whether it is new. Call it once for
    /// each entry, in the order of arrival.
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
        let gap = is_missing && !room.is_gap_suppressed;
        room.is_gap_suppressed = false;
        room.newest_received = Some(sequence);
        room.oldest_shown = room.oldest_shown.or(Some(sequence));
        Novelty::New { gap }
    }

    /// Records an entry of an answer to `history`, which is always shown. Advances the position
    /// like any other entry, because the answer may contain the greatest sequence so far, and
    /// extends the room's oldest shown entry.
    pub(super) fn on_requested_entry(&mut self, room: &str, sequence: Sequence) {
        self.advance(sequence);
        if let Some(room) = self.room_mut(room) {
            room.oldest_shown =
                Some(room.oldest_shown.map_or(sequence, |oldest| oldest.min(sequence)));
        }
    }

    /// Returns the sequence of the oldest entry of a room that was shown.
    pub(super) fn oldest_shown(&self, room: &str) -> Option<Sequence> {
        self.rooms.get(&NameKey::of(room)).and_then(|it| it.oldest_shown)
    }

    /// Advances the cursor past a direct message, and returns whether it is new. Never reports a
    /// gap.
    pub(super) fn on_direct(&mut self, sequence: Sequence) -> Novelty {
        let is_known = sequence <= self.newest_direct || sequence <= self.replay_start;
        self.advance(sequence);
        self.newest_direct = self.newest_direct.max(sequence);
        if is_known { Novelty::Duplicate } else { Novelty::New { gap: false } }
    }

    /// Raises the position to `sequence` if it is greater. Used directly for the `head` of an `end`
    /// frame.
    pub(super) fn advance(&mut self, sequence: Sequence) {
        self.max_sequence = self.max_sequence.max(Some(sequence));
    }

    /// Ends the replay after a welcome: from now on no entry counts as replayed.
    pub(super) fn end_replay(&mut self) {
        self.replay_start = Sequence::ZERO;
    }

    /// Returns the progress of a room, creating it if necessary; `None` if [`MAX_ROOMS`] are
    /// tracked.
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

    /// Passes an entry of the lobby to the cursor.
    fn entry(cursor: &mut ReceiveCursor, sequence: u64, previous: u64) -> Novelty {
        cursor.on_entry("lobby", Sequence(sequence), Sequence(previous))
    }

    /// A repeated sequence is a duplicate, and a greater `previous` than expected is a gap.
    #[test]
    fn duplicates_and_gaps_are_detected() {
        let mut cursor = ReceiveCursor::default();
        assert!(!cursor.on_welcome(LogId([1; 16]), false, false));
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::Duplicate);
        assert_eq!(entry(&mut cursor, 9, 5), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 20, 15), Novelty::New { gap: true });
        assert_eq!(cursor.position().unwrap().sequence, Sequence(20));
    }

    /// A gap that the server has announced is not reported again; the next one is.
    #[test]
    fn announced_gap_is_not_reported_again() {
        let mut cursor = ReceiveCursor::default();
        cursor.on_welcome(LogId([1; 16]), false, false);
        entry(&mut cursor, 5, 4);
        cursor.suppress_next_gap("LOBBY");
        assert_eq!(entry(&mut cursor, 20, 15), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 30, 25), Novelty::New { gap: true });
    }

    /// Another log id resets the position and the progress of rooms.
    #[test]
    fn log_change_clears_cursor() {
        let mut cursor = ReceiveCursor::default();
        cursor.on_welcome(LogId([1; 16]), false, false);
        entry(&mut cursor, 5, 4);
        assert!(cursor.on_welcome(LogId([2; 16]), true, false));
        assert_eq!(cursor.position(), None);
        assert_eq!(entry(&mut cursor, 1, 0), Novelty::New { gap: false });
    }

    /// A position that the same log does not keep is discarded, and so is the progress of rooms: the
    /// log assigns these sequences again, to other messages.
    #[test]
    fn refused_position_clears_cursor() {
        let mut cursor = ReceiveCursor::default();
        cursor.on_welcome(LogId([1; 16]), false, false);
        entry(&mut cursor, 5, 4);
        cursor.on_direct(Sequence(6));
        assert!(!cursor.on_welcome(LogId([1; 16]), true, false));
        assert_eq!(cursor.position(), None);
        assert_eq!(entry(&mut cursor, 4, 3), Novelty::New { gap: false });
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::New { gap: false });
        assert_eq!(cursor.on_direct(Sequence(6)), Novelty::New { gap: false });
        assert_eq!(cursor.position().unwrap().sequence, Sequence(6));
    }

    /// A join without a position brings recent history again: what was shown stays known.
    #[test]
    fn join_without_position_keeps_progress_of_rooms() {
        let mut cursor = ReceiveCursor::default();
        cursor.on_welcome(LogId([1; 16]), false, false);
        entry(&mut cursor, 5, 4);
        cursor.on_welcome(LogId([1; 16]), false, false);
        assert_eq!(cursor.position(), None);
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::Duplicate);
    }

    /// After a restart only the position is known: replayed entries up to it are duplicates, but
    /// after the replay an older entry brought by `enter` is new.
    #[test]
    fn resume_skips_replayed_entries_up_to_position() {
        let position = Position { log_id: LogId([1; 16]), sequence: Sequence(10) };
        let mut cursor = ReceiveCursor::resume_from(position);
        cursor.on_welcome(LogId([1; 16]), true, true);
        assert_eq!(entry(&mut cursor, 10, 9), Novelty::Duplicate);
        assert_eq!(entry(&mut cursor, 11, 10), Novelty::New { gap: false });
        cursor.end_replay();
        let old = cursor.on_entry("garden", Sequence(3), Sequence(2));
        assert_eq!(old, Novelty::New { gap: false });
    }
}
