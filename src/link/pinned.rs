//! Pinning of direct messages. A reply to a username goes to the session that last sent a direct
//! message under this name. It does not go to a user who has taken the name since
//! (`docs/protocol/tcp.md`, section 8).

use std::collections::VecDeque;

use crate::model::{NameKey, SessionId};

/// Map from a username to the session that last sent this client a direct message under it.
#[derive(Debug, Default)]
pub(super) struct PinnedSessions {
    /// Username and session of each pin, ordered by the time of the last [`Self::pin`], oldest
    /// first.
    pins: VecDeque<(NameKey, SessionId)>,
}

impl PinnedSessions {
    /// Maximum number of pins. Beyond this number, the pin whose last [`Self::pin`] is oldest is
    /// removed.
    const MAX_PINS: usize = 1_000;

    /// Pins a username to a session that has just sent a direct message. Replaces an earlier pin of
    /// the name. If there are more than [`Self::MAX_PINS`], removes the oldest.
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

    /// Removes a username's pin, if any. The next direct message to the name then goes to the
    /// session that holds it.
    pub(super) fn unpin(&mut self, name: &str) {
        let key = NameKey::of(name);
        self.pins.retain(|(it, _)| *it != key);
    }

    /// Removes all pins. Session numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.pins.clear();
    }
}
