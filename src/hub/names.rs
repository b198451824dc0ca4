//! Registry of the usernames in use, and of those that wait.

use std::collections::HashMap;

use crate::model::{ErrorCode, NameKey, SessionId, Username};

/// Conflict of a wanted name with another session: that session holds the name, or a name that
/// looks like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameConflict {
    /// [`ErrorCode::NameTaken`] or [`ErrorCode::NameLookalike`].
    pub(super) code: ErrorCode,
    /// Session that holds the name or the similar name.
    pub(super) holder: SessionId,
}

/// Registry of the usernames of all connected sessions, and of those that
/// [wait](super::waiting_names) for a session. At most one session holds a name.
pub(super) struct NameRegistry {
    /// Session that holds each name, by name key.
    holders: HashMap<NameKey, SessionId>,
    /// Session that holds each name, by the confusable skeleton of the name. Empty if look-alikes
    /// are allowed.
    skeleton_holders: HashMap<String, SessionId>,
    /// Look-alike policy: true if names that look like a name in use are refused.
    refuse_lookalikes: bool,
}

impl NameRegistry {
    /// Creates an empty registry.
    pub(super) fn new(refuse_lookalikes: bool) -> Self {
        Self { holders: HashMap::new(), skeleton_holders: HashMap::new(), refuse_lookalikes }
    }

    /// Sets the look-alike policy. If it changes, rebuilds or clears the index of skeletons. Names
    /// in use stay, even if they look alike.
    pub(super) fn set_refuse_lookalikes(&mut self, refuse_lookalikes: bool) {
        if self.refuse_lookalikes != refuse_lookalikes {
            self.refuse_lookalikes = refuse_lookalikes;
            let looks = self.holders.iter().filter(|_| refuse_lookalikes);
            self.skeleton_holders =
                looks.map(|(key, session)| (key.skeleton(), *session)).collect();
        }
    }

    /// Checks that no other session holds this name. If look-alikes are refused, also checks that
    /// no other session holds a similar name. `session`: the session that wants the name; `None`
    /// for a new session. Call it before [`Self::claim`].
    ///
    /// # Errors
    /// The conflict with the other session.
    pub(super) fn check_available(
        &self,
        name: &Username,
        session: Option<SessionId>,
    ) -> Result<(), NameConflict> {
        let other = |holder: &&SessionId| Some(**holder) != session;
        if let Some(holder) = self.holders.get(name.key()).filter(other) {
            return Err(NameConflict { code: ErrorCode::NameTaken, holder: *holder });
        }
        if self.refuse_lookalikes
            && let Some(holder) = self.skeleton_holders.get(&name.key().skeleton()).filter(other)
        {
            return Err(NameConflict { code: ErrorCode::NameLookalike, holder: *holder });
        }
        Ok(())
    }

    /// Assigns a name to a session that holds none, after [`Self::check_available`].
    pub(super) fn claim(&mut self, name: &Username, session: SessionId) {
        self.holders.insert(name.key().clone(), session);
        if self.refuse_lookalikes {
            self.skeleton_holders.insert(name.key().skeleton(), session);
        }
    }

    /// Releases a name if this session holds it. Does nothing if another session does.
    pub(super) fn release(&mut self, name: &Username, session: SessionId) {
        if self.holders.get(name.key()) == Some(&session) {
            self.holders.remove(name.key());
        }
        if self.refuse_lookalikes {
            let look = name.key().skeleton();
            if self.skeleton_holders.get(&look) == Some(&session) {
                self.skeleton_holders.remove(&look);
            }
        }
    }

    /// Returns the session that holds the name with this key, connected or away with a name that
    /// waits for it; `None` if the name is free.
    pub(super) fn holder(&self, key: &NameKey) -> Option<SessionId> {
        self.holders.get(key).copied()
    }

    /// Returns true if no name is in use.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.skeleton_holders.is_empty()
    }
}
