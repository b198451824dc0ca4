//! Pinning of direct messages: a reply to a username goes to the session that last sent a direct
//! message under this name. It does not go to a user who has taken the name since
//! (`docs/protocol/tcp.md`, section 8).

use std::collections::VecDeque;

use crate::model::{NameKey, SessionId};

/// Map from a username to the session that last sent this client a direct message under it.
#[derive(Debug, Default)]
pub(super) struct PinnedSessions {
    /// Username and session of each pin; the one pinned or renewed longest ago comes first.
    pins: VecDeque<(NameKey, SessionId)>,
}

impl PinnedSessions {
    /// Maximum number of pins. Beyond it, the one pinned or renewed longest ago is removed.
    const MAX_PINS: usize = 1_000;

    /// Pins a username to a session that has just sent a direct message, replacing an earlier pin
    /// of the name. Removes the oldest pin if there are more than [`Self::MAX_PINS`].
    pub(super) fn pin(&mut self, name: &str, session: SessionId) {
        self.unpin(name);
        self.pins.push_back((NameKey::of(name), session));
        if self.pins.len() > Self::MAX_PINS {
            self.pins.pop_front();
        }
    }

    /// Returns the session that a username is pinned to; `None` if it is not pinned.
    pub(super) fn session_of(&self, name: &str) -> Option<SessionId> {
        let key = NameKey::of(name);
        self.pins.iter().find(|(it, _)| *it == key).map(|(_, session)| *session)
    }

    /// Removes a username's pin, if any: the next message goes to the session that holds the name.
    pub(super) fn unpin(&mut self, name: &str) {
        let key = NameKey::of(name);
        self.pins.retain(|(it, _)| *it != key);
    }

    /// Removes all pins. Session numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.pins.clear();
    }
}
