//! Check of the links between messages: the `previous` of each message must be the sequence of the
//! message before it in its room.

use std::collections::HashMap;

/// Checker of the `previous` links of all messages in a log.
#[derive(Debug, Default)]
pub(super) struct LinkChecker {
    /// Sequence of the last message checked in each room, by the room's row id.
    last_in_room: HashMap<i64, i64>,
}

impl LinkChecker {
    /// Checks the link of the next message. Call it for all messages of the log, in ascending order
    /// of sequence.
    ///
    /// Returns true if `previous` is the sequence of the message last checked in this room; 0 if
    /// none was. Also true if retention may have deleted the linked message: `previous` then lies
    /// between the two sequences, and is at most `dropped`, the room's greatest deleted sequence.
    pub(super) fn check_next(
        &mut self,
        room: i64,
        sequence: i64,
        previous: i64,
        dropped: i64,
    ) -> bool {
        let last = self.last_in_room.insert(room, sequence).unwrap_or(0);
        previous == last || (previous > last && previous < sequence && previous <= dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link must lead to the message before it in its room, or to a deleted message between the
    /// two.
    #[test]
    fn link_must_lead_to_previous_or_dropped_message() {
        let mut links = LinkChecker::default();
        assert!(links.check_next(1, 5, 3, 3), "the room has lost 3");
        assert!(links.check_next(2, 6, 0, 0), "another room begins");
        assert!(links.check_next(1, 8, 5, 3));
        assert!(!links.check_next(1, 9, 5, 3), "8 is left out");
        assert!(!links.check_next(1, 12, 10, 9), "10 is not there, and not lost");
        assert!(!links.check_next(1, 13, 13, 20), "that is itself");
    }
}
