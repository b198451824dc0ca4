//! Limits of packet fields: `docs/protocol/udp.md`, section 15.

use super::*;
use crate::model::MessageText;
use crate::model::limits::{
    COUNTER_END, MAX_AGREEMENTS, MAX_NAME_BYTES, MAX_OBJECTION_TEXT, MAX_PADDING, MAX_PAGE,
    MAX_PEER_TEXT, MAX_PEERS, MAX_RANGES, MAX_RAW_NAME_BYTES, MAX_RECENT, MAX_WANTED,
};

/// Check of a packet's decoded fields against the limits of the protocol.
pub(super) trait PacketLimits {
    /// Returns true if all fields are within the limits of section 15, minimums as well as
    /// maximums. The default implementation accepts every packet.
    fn is_within_limits(&self) -> bool {
        true
    }
}

impl PacketLimits for Announce {
    fn is_within_limits(&self) -> bool {
        self.nonce != Nonce::default()
            && self.username.len() <= MAX_RAW_NAME_BYTES
            && self.agreed.len() <= MAX_AGREEMENTS
            && self.padding.len() <= MAX_PADDING
    }
}

impl PacketLimits for Agree {
    fn is_within_limits(&self) -> bool {
        self.username.len() <= MAX_NAME_BYTES && self.lamport.0 < COUNTER_END
    }
}

impl PacketLimits for Object {
    fn is_within_limits(&self) -> bool {
        self.by.len() <= MAX_NAME_BYTES
            && self.username.len() <= MAX_NAME_BYTES
            && self.text.len() <= MAX_OBJECTION_TEXT
    }
}

impl PacketLimits for Heartbeat {
    fn is_within_limits(&self) -> bool {
        self.username.len() <= MAX_NAME_BYTES && self.page.len() <= MAX_PAGE
    }
}

impl PacketLimits for Ping {}

impl PacketLimits for Pong {}

impl PacketLimits for Want {
    fn is_within_limits(&self) -> bool {
        are_ranges_within_limits(&self.ranges)
    }
}

impl PacketLimits for Lost {
    fn is_within_limits(&self) -> bool {
        are_ranges_within_limits(&self.ranges)
    }
}

impl PacketLimits for Recall {}

impl PacketLimits for Recent {
    fn is_within_limits(&self) -> bool {
        self.pages >= 1 && self.entries.len() <= MAX_RECENT && self.marks.len() <= MAX_PAGE
    }
}

impl PacketLimits for Where {
    fn is_within_limits(&self) -> bool {
        self.peers.len() <= MAX_PEERS
    }
}

impl PacketLimits for Peers {
    fn is_within_limits(&self) -> bool {
        self.peers.len() <= MAX_PEERS
    }
}

impl PacketLimits for Bye {}

impl PacketLimits for EntryFields {
    fn is_within_limits(&self) -> bool {
        self.sequence >= 1
            && (1..COUNTER_END).contains(&self.lamport.0)
            && self.time.0 < COUNTER_END
            && (1..=MAX_NAME_BYTES).contains(&self.username.len())
            && self.text.len() <= MAX_PEER_TEXT
            && MessageText::new(&self.text).is_ok()
    }
}

impl EntryRange {
    /// Returns the number of entries in the range; 1 if it is reversed.
    fn entry_count(&self) -> u64 {
        u64::from(self.last.saturating_sub(self.first)) + 1
    }
}

/// Returns true if there are at most [`MAX_RANGES`] ranges with at most [`MAX_WANTED`] entries in
/// all, and each has 1 ≤ first ≤ last.
fn are_ranges_within_limits(ranges: &[EntryRange]) -> bool {
    ranges.len() <= MAX_RANGES
        && ranges.iter().all(|it| 1 <= it.first && it.first <= it.last)
        && ranges.iter().map(EntryRange::entry_count).sum::<u64>() <= MAX_WANTED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lamport, PeerId, Timestamp};

    /// Returns an example entry with all fields within the limits.
    fn entry() -> EntryFields {
        EntryFields {
            sequence: 1,
            lamport: Lamport(1),
            time: Timestamp(0),
            username: "a".into(),
            style: 0,
            text: "a".into(),
        }
    }

    /// Each case has one field outside its limits. The tests of the parent module have packets at
    /// their limits.
    #[test]
    fn entry_fields_beyond_limits_are_refused() {
        assert!(entry().is_within_limits());
        let end = COUNTER_END;
        for beyond in [
            EntryFields { sequence: 0, ..entry() },
            EntryFields { lamport: Lamport(0), ..entry() },
            EntryFields { lamport: Lamport(end), ..entry() },
            EntryFields { time: Timestamp(end), ..entry() },
            EntryFields { username: String::new(), ..entry() },
            EntryFields { username: "a".repeat(65), ..entry() },
            EntryFields { text: String::new(), ..entry() },
            EntryFields { text: "a".repeat(1_001), ..entry() },
            EntryFields { text: "a\r\n".into(), ..entry() },
        ] {
            assert!(!beyond.is_within_limits(), "{beyond:?}");
        }
    }

    #[test]
    fn want_and_lost_ranges_respect_limits() {
        /// Returns a range of one author from `first` to `last`.
        fn range(first: u32, last: u32) -> EntryRange {
            EntryRange { author: PeerId([2; 8]), first, last }
        }
        for (ranges, is_allowed) in [
            (vec![], true),
            (vec![range(1, 64)], true),
            (vec![range(u32::MAX, u32::MAX)], true),
            (vec![range(1, 65)], false),
            (vec![range(1, 32), range(1, 33)], false),
            (vec![range(2, 1)], false),
            (vec![range(0, 1)], false),
            (vec![range(1, u32::MAX); 32], false),
            (vec![range(5, 5); 33], false),
        ] {
            let want = Want { ranges: ranges.clone() };
            assert_eq!(want.is_within_limits(), is_allowed, "{ranges:?}");
            assert_eq!(
                Lost { ranges: ranges.clone() }.is_within_limits(),
                is_allowed,
                "{ranges:?}"
            );
        }
    }
}
