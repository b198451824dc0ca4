//! Own messages that `accepted` has acknowledged. Each is shown when its `accepted` comes. If its
//! entry comes later, that entry is a duplicate (`docs/protocol/tcp.md`, section 6).

use std::collections::VecDeque;

use crate::model::{Reference, SessionId};

/// Bounded set of own messages that `accepted` has acknowledged within the current log.
#[derive(Debug, Default)]
pub(super) struct AcceptedMessages {
    /// Session and reference of each message, in order of acknowledgement.
    messages: VecDeque<(SessionId, Reference)>,
}

impl AcceptedMessages {
    /// Maximum number of messages remembered. Beyond this number, the message that was acknowledged
    /// first is forgotten. If the entry of a forgotten message comes later, it is shown a second
    /// time.
    const MAX_MESSAGES: usize = 1_000;

    /// Adds a message. If there are more than [`Self::MAX_MESSAGES`], removes the oldest.
    pub(super) fn insert(&mut self, session: SessionId, reference: Reference) {
        self.messages.push_back((session, reference));
        if self.messages.len() > Self::MAX_MESSAGES {
            self.messages.pop_front();
        }
    }

    /// Returns true if `accepted` has acknowledged the message and the set still holds it. Takes
    /// time linear in the size of the set.
    pub(super) fn contains(&self, session: SessionId, reference: Reference) -> bool {
        self.messages.contains(&(session, reference))
    }

    /// Removes all messages. Session numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The set keeps the latest messages, up to its limit.
    #[test]
    fn oldest_accepted_message_is_forgotten_first() {
        let mut accepted = AcceptedMessages::default();
        for reference in 1..=1_001 {
            accepted.insert(SessionId(7), Reference(reference));
        }
        assert!(!accepted.contains(SessionId(7), Reference(1)));
        assert!(accepted.contains(SessionId(7), Reference(2)));
        assert!(accepted.contains(SessionId(7), Reference(1_001)));
        assert!(!accepted.contains(SessionId(8), Reference(2)));
    }
}
