//! Whether every message leads back to the one before it in its room.

use std::collections::HashMap;

/// How far the links of each room have been followed.
#[derive(Debug, Default)]
pub(super) struct LinkChecker {
    /// The last message of each room.
    last_in_room: HashMap<i64, i64>,
}

impl LinkChecker {
    /// Follows the next message, all rooms in ascending order; says whether
    /// its link is right. It may lead to one that the room has lost, the last of
    /// which was `dropped`.
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
