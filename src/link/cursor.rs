//! The client's cursor into the server's log: resume position, duplicate detection and gap
//! detection (`docs/protocol/tcp.md`, section 6).

use std::collections::HashMap;

use crate::model::{LogId, NameKey, Position, Sequence};

/// Maximum number of rooms whose progress is tracked. It bounds the memory that a server can make
/// the client use. In further rooms every entry counts as new.
const MAX_ROOMS: usize = 1_000;

/// Result of duplicate and gap detection for one received entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// The entry was not received before: show it.
    New {
        /// True if entries of the room are missing between the newest received entry and this one,
        /// and the report of this gap is not suppressed.
        gap: bool,
    },
    /// The entry was received before: do not show it.
    Duplicate,
}

/// Progress of the cursor within one room: the oldest entry shown, the newest entry received, and
/// whether the next gap is reported.
#[derive(Debug, Default)]
struct RoomProgress {
    /// Sequence before which `history` continues with older entries: that of the first new entry,
    /// or a lower one from an answer to `history`. `None` if no entry was shown.
    oldest_shown: Option<Sequence>,
    /// Sequence of the last new entry; answers to `history` do not count. `None` if there was none.
    newest_received: Option<Sequence>,
    /// True if a gap before the next new entry is not reported, because the user knows of the gap
    /// or it is expected. The next new entry clears the flag.
    is_gap_suppressed: bool,
}

/// Cursor into the server's log: the position to resume from, and the progress within each room.
#[derive(Debug, Default)]
pub(super) struct ReceiveCursor {
    /// Id of the log. `None` before the first `welcome`, unless a saved position was restored.
    log_id: Option<LogId>,
    /// Greatest sequence received; with the log id it forms the position. `None` if there is no
    /// position. Zero is a position in an empty log.
    max_sequence: Option<Sequence>,
    /// Position at which the current replay started. Entries up to and including it are duplicates.
    /// Zero outside a replay, and in a replay without a position.
    replay_start: Sequence,
    /// Greatest sequence of a direct message received; zero if there was none.
    newest_direct: Sequence,
    /// Progress within each room, by the key of its name.
    rooms: HashMap<NameKey, RoomProgress>,
}

impl ReceiveCursor {
    /// Creates a cursor at a saved position, without progress in any room.
    pub(super) fn resume_from(position: Position) -> Self {
        Self {
            log_id: Some(position.log_id),
            max_sequence: Some(position.sequence),
            ..Self::default()
        }
    }

    /// Creates a cursor in a known log, without a position.
    pub(super) fn in_log(log: LogId) -> Self {
        Self { log_id: Some(log), ..Self::default() }
    }

    /// Returns the position to resume from; `None` if there is none.
    pub(super) fn position(&self) -> Option<Position> {
        let log_id = self.log_id?;
        self.max_sequence.map(|sequence| Position { log_id, sequence })
    }

    /// Returns the id of the log; `None` if it is not known.
    pub(super) const fn log_id(&self) -> Option<LogId> {
        self.log_id
    }

    /// Updates the cursor for a `welcome` and starts the replay. Call it for each `welcome`.
    /// Returns true if another log was known before.
    ///
    /// `position_sent` is true if the join included the position. `position_kept` is true if the
    /// server replays from it.
    ///
    /// - If the log is another, the whole cursor is reset.
    /// - If the position was sent and not kept, the cursor is reset too. The log has lost its end
    ///   and assigns the same sequences again. So entries that seem to be duplicates may be new.
    /// - If no position was sent, only the position is discarded. The progress within rooms stays.
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

    /// Suppresses the report of a gap before the next new entry of this room. Call it if the server
    /// has announced the gap, or if the room was entered anew, so that missing entries are
    /// expected.
    pub(super) fn suppress_next_gap(&mut self, room: &str) {
        if let Some(room) = self.room_mut(room) {
            room.is_gap_suppressed = true;
        }
    }

    /// Records an entry of a room: raises the position to it, and returns whether the entry is new.
    /// Call it once for each entry, in the order of arrival. `previous`: sequence of the entry
    /// before this one in the room.
    ///
    /// An entry is a duplicate if its sequence is at most the start of the current replay, or at
    /// most that of the room's newest entry. In a room that is not tracked, every entry counts as
    /// new.
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

    /// Records an entry of an answer to `history`; such an entry is always shown. Raises the
    /// position, because the answer may contain the greatest sequence so far. Lowers the room's
    /// oldest shown sequence. Does not affect duplicate and gap detection.
    pub(super) fn on_requested_entry(&mut self, room: &str, sequence: Sequence) {
        self.advance(sequence);
        if let Some(room) = self.room_mut(room) {
            room.oldest_shown =
                Some(room.oldest_shown.map_or(sequence, |oldest| oldest.min(sequence)));
        }
    }

    /// Returns the sequence of the oldest entry shown of a room; `history` continues before it.
    /// `None` if no entry of the room was shown.
    pub(super) fn oldest_shown(&self, room: &str) -> Option<Sequence> {
        self.rooms.get(&NameKey::of(room)).and_then(|it| it.oldest_shown)
    }

    /// Returns the sequence of the newest entry received of a room, or of the newest direct message
    /// (empty); `None` if none was received.
    pub(super) fn newest(&self, room: &str) -> Option<Sequence> {
        if room.is_empty() {
            return Some(self.newest_direct).filter(|it| *it != Sequence::ZERO);
        }
        self.rooms.get(&NameKey::of(room))?.newest_received
    }

    /// Records a direct message: raises the position to it, and returns whether the message is new.
    /// A new message has a sequence above the start of the current replay and above all earlier
    /// direct messages. Reports no gaps.
    pub(super) fn on_direct(&mut self, sequence: Sequence) -> Novelty {
        let is_known = sequence <= self.newest_direct || sequence <= self.replay_start;
        self.advance(sequence);
        self.newest_direct = self.newest_direct.max(sequence);
        if is_known { Novelty::Duplicate } else { Novelty::New { gap: false } }
    }

    /// Raises the position to `sequence`. A higher position stays. Call it for the `head` of an
    /// `end` frame; the functions that record entries call it themselves.
    pub(super) fn advance(&mut self, sequence: Sequence) {
        self.max_sequence = self.max_sequence.max(Some(sequence));
    }

    /// Ends the replay: entries are no longer compared with the position at its start.
    pub(super) fn end_replay(&mut self) {
        self.replay_start = Sequence::ZERO;
    }

    /// Returns the progress of the room with this name, in any spelling. Starts tracking the room
    /// if necessary. Returns `None` if the room is not tracked, but [`MAX_ROOMS`] others are.
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

    /// The log id is the same, but the server does not replay from the position. The log has lost
    /// its end and reuses these sequences, so the position and the progress of rooms are reset.
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

    /// A join without a position brings recent history again. Entries that were shown stay known.
    #[test]
    fn join_without_position_keeps_progress_of_rooms() {
        let mut cursor = ReceiveCursor::default();
        cursor.on_welcome(LogId([1; 16]), false, false);
        entry(&mut cursor, 5, 4);
        cursor.on_welcome(LogId([1; 16]), false, false);
        assert_eq!(cursor.position(), None);
        assert_eq!(entry(&mut cursor, 5, 4), Novelty::Duplicate);
    }

    /// After a restart only the position is known. Replayed entries up to it are duplicates. After
    /// the replay, an older entry brought by `enter` is new.
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
