//! The limits of the tables of `docs/protocol/udp.md`, section 15.

use super::*;
use crate::model::MessageText;
use crate::model::limits::{
    COUNTER_END, MAX_AGREED, MAX_NAME_BYTES, MAX_OBJECTION, MAX_PADDING, MAX_PAGE, MAX_PEER_TEXT,
    MAX_PEERS, MAX_RANGES, MAX_RAW_NAME_BYTES, MAX_RECENT, MAX_WANTED,
};

/// A packet whose table states limits.
pub(super) trait Limited {
    /// Whether it keeps to all of them.
    fn is_within_limits(&self) -> bool {
        true
    }
}

impl Limited for Announce {
    fn is_within_limits(&self) -> bool {
        self.nonce != Nonce::default()
            && self.username.len() <= MAX_RAW_NAME_BYTES
            && self.agreed.len() <= MAX_AGREED
            && self.padding.len() <= MAX_PADDING
    }
}

impl Limited for Agree {
    fn is_within_limits(&self) -> bool {
        self.username.len() <= MAX_NAME_BYTES && self.lamport.0 < COUNTER_END
    }
}

impl Limited for Object {
    fn is_within_limits(&self) -> bool {
        self.by.len() <= MAX_NAME_BYTES && self.text.len() <= MAX_OBJECTION
    }
}

impl Limited for Heartbeat {
    fn is_within_limits(&self) -> bool {
        self.username.len() <= MAX_NAME_BYTES && self.page.len() <= MAX_PAGE
    }
}

impl Limited for Ping {}

impl Limited for Pong {}

impl Limited for Want {
    fn is_within_limits(&self) -> bool {
        let wanted: u64 = self.ranges.iter().map(|it| it.entries()).sum();
        are_ranges(&self.ranges) && wanted <= MAX_WANTED
    }
}

impl Limited for Lost {
    fn is_within_limits(&self) -> bool {
        are_ranges(&self.ranges)
    }
}

impl Limited for Recall {}

impl Limited for Recent {
    fn is_within_limits(&self) -> bool {
        let most = if self.page == 0 { MAX_RECENT } else { 0 };
        self.pages >= 1 && self.entries.len() <= most && self.marks.len() <= MAX_PAGE
    }
}

impl Limited for Where {
    fn is_within_limits(&self) -> bool {
        self.peers.len() <= MAX_PEERS
    }
}

impl Limited for Peers {
    fn is_within_limits(&self) -> bool {
        self.peers.len() <= MAX_PEERS
    }
}

impl Limited for Bye {}

impl Limited for EntryFields {
    fn is_within_limits(&self) -> bool {
        self.sequence >= 1
            && (1..COUNTER_END).contains(&self.lamport.0)
            && self.time.0 < COUNTER_END
            && (1..=MAX_NAME_BYTES).contains(&self.username.len())
            && self.text.len() <= MAX_PEER_TEXT
            && MessageText::new(&self.text).is_ok()
    }
}

impl Range {
    /// How many entries it is.
    fn entries(&self) -> u64 {
        u64::from(self.last.saturating_sub(self.first)) + 1
    }
}

/// Whether they are few enough and none ends before it begins.
fn are_ranges(ranges: &[Range]) -> bool {
    ranges.len() <= MAX_RANGES && ranges.iter().all(|it| it.first <= it.last)
}
