//! Pinning of direct messages. A reply to a username goes to whoever last sent a direct message under
//! this name: the person or, of somebody who has claimed no name, the session. It does not go to a
//! user who has taken the name since (`docs/protocol/tcp.md`, section 8).

use std::collections::VecDeque;

#[cfg(feature = "ui")]
use super::known_persons::KnownPersons;
use crate::model::{NameKey, SessionId};

/// Map from a username to whoever last sent this client a direct message under it.
#[derive(Debug, Default)]
pub(super) struct PinnedSessions {
    /// Username and number of each pin, ordered by the time of the last [`Self::pin`], oldest first.
    pins: VecDeque<(NameKey, SessionId)>,
    /// Persons with whom direct messages were exchanged. They go before the pins.
    #[cfg(feature = "ui")]
    pub(super) persons: KnownPersons,
}

impl PinnedSessions {
    /// Maximum number of pins. Beyond this number, the pin whose last [`Self::pin`] is oldest is
    /// removed.
    const MAX_PINS: usize = 1_000;

    /// Pins a username to whoever has just sent a direct message, by the number of the person or
    /// session. Replaces an earlier pin of the name. If there are more than [`Self::MAX_PINS`],
    /// removes the oldest.
    pub(super) fn pin(&mut self, name: &str, number: SessionId) {
        let key = NameKey::of(name);
        self.pins.retain(|(it, _)| *it != key);
        self.pins.push_back((key, number));
        if self.pins.len() > Self::MAX_PINS {
            self.pins.pop_front();
        }
    }

    /// Returns the number of the person or session that a username is pinned to; `None` if it is not
    /// pinned.
    pub(super) fn session_of(&self, name: &str) -> Option<SessionId> {
        let key = NameKey::of(name);
        #[cfg(feature = "ui")]
        if let Some(number) = self.persons.number_of(&key) {
            return Some(number);
        }
        self.pins.iter().find(|(it, _)| *it == key).map(|(_, session)| *session)
    }

    /// Removes a username's pin, if any. The next direct message to the name then goes to whoever
    /// holds it.
    pub(super) fn unpin(&mut self, name: &str) {
        let key = NameKey::of(name);
        #[cfg(feature = "ui")]
        self.persons.forget(&key);
        self.pins.retain(|(it, _)| *it != key);
    }

    /// Removes all pins. Session numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.pins.clear();
        #[cfg(feature = "ui")]
        self.persons.clear();
    }
}
