//! Own messages that `accepted` has acknowledged. Their text is shown when `accepted` comes. If
//! their entry comes later, it is a duplicate (`docs/protocol/tcp.md`, section 6).

use std::collections::VecDeque;

use crate::model::{Reference, SessionId};

/// Bounded set of this client's messages that `accepted` has acknowledged within the current log.
#[derive(Debug, Default)]
pub(super) struct AcceptedMessages {
    /// Session and reference of each message, in order of acknowledgement.
    messages: VecDeque<(SessionId, Reference)>,
}

impl AcceptedMessages {
    /// Maximum number of messages remembered. Beyond it, the message acknowledged first is
    /// forgotten, and shown a second time if its entry comes.
    const MAX_MESSAGES: usize = 1_000;

    /// Adds a message; if there are more than [`Self::MAX_MESSAGES`], removes the oldest.
    pub(super) fn insert(&mut self, session: SessionId, reference: Reference) {
        self.messages.push_back((session, reference));
        if self.messages.len() > Self::MAX_MESSAGES {
            self.messages.pop_front();
        }
    }

    /// Returns true if the message was acknowledged by `accepted`. Takes time linear in the number
    /// of messages.
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

    /// The set keeps the latest messages, as many as its bound allows.
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
