//! Pinning of direct messages: a reply to a username goes to the session that wrote last under this
//! name, and not to someone who has taken the name since (`docs/protocol/tcp.md`, section 8).

use std::collections::VecDeque;

use crate::model::{NameKey, SessionId};

/// The session that each username last wrote from.
#[derive(Debug, Default)]
pub(super) struct PinnedSessions {
    /// Username and session, least recently pinned first.
    pins: VecDeque<(NameKey, SessionId)>,
}

impl PinnedSessions {
    /// Maximum number of pins.
    const MAX_PINS: usize = 1_000;

    /// Pins a username to the session that has just sent a direct message; evicts the oldest pin if
    /// there are too many.
    pub(super) fn pin(&mut self, name: &str, session: SessionId) {
        self.unpin(name);
        self.pins.push_back((NameKey::of(name), session));
        if self.pins.len() > Self::MAX_PINS {
            self.pins.pop_front();
        }
    }

    /// Returns the session that a username is pinned to, if any.
    pub(super) fn session_of(&self, name: &str) -> Option<SessionId> {
        let key = NameKey::of(name);
        self.pins.iter().find(|(it, _)| *it == key).map(|(_, session)| *session)
    }

    /// Removes a username's pin: the next message may go to whoever holds the name.
    pub(super) fn unpin(&mut self, name: &str) {
        let key = NameKey::of(name);
        self.pins.retain(|(it, _)| *it != key);
    }

    /// Removes all pins. Session numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.pins.clear();
    }
}
