//! Sessions that replies to a username are pinned to.

use std::collections::VecDeque;

use crate::model::{NameKey, SessionId};

/// The sessions that were heard under a name, so that an answer goes to
/// whom it is meant for.
#[derive(Debug, Default)]
pub(super) struct PinnedSessions {
    /// Newest last.
    pins: VecDeque<(NameKey, SessionId)>,
}

impl PinnedSessions {
    /// How many are remembered.
    const MAX_PINS: usize = 1_000;

    /// Somebody with this name has written to us.
    pub(super) fn pin(&mut self, name: &str, session: SessionId) {
        self.unpin(name);
        self.pins.push_back((NameKey::of(name), session));
        if self.pins.len() > Self::MAX_PINS {
            self.pins.pop_front();
        }
    }

    /// Who that was, if it was anybody.
    pub(super) fn session_of(&self, name: &str) -> Option<SessionId> {
        let key = NameKey::of(name);
        self.pins.iter().find(|(it, _)| *it == key).map(|(_, session)| *session)
    }

    /// The next message to this name may go to whoever holds it.
    pub(super) fn unpin(&mut self, name: &str) {
        let key = NameKey::of(name);
        self.pins.retain(|(it, _)| *it != key);
    }

    /// Sessions mean nothing in another log.
    pub(super) fn clear(&mut self) {
        self.pins.clear();
    }
}
