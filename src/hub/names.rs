//! Who is called what at this moment.

use std::collections::HashMap;

use crate::model::{ErrorCode, NameKey, SessionId, Username};

/// The names of all who are connected. A name is held by one session at a
/// time, and nobody holds one without a connection.
pub(super) struct NameRegistry {
    /// By key.
    holders: HashMap<NameKey, SessionId>,
    /// By what they look like; empty unless look-alikes are refused.
    skeleton_holders: HashMap<String, SessionId>,
    /// The owner's policy.
    refuse_lookalikes: bool,
}

impl NameRegistry {
    /// Nobody is here.
    pub(super) fn new(refuse_lookalikes: bool) -> Self {
        Self { holders: HashMap::new(), skeleton_holders: HashMap::new(), refuse_lookalikes }
    }

    /// From now on look-alikes are refused or not. Those who are here stay.
    pub(super) fn set_refuse_lookalikes(&mut self, refuse_lookalikes: bool) {
        if self.refuse_lookalikes != refuse_lookalikes {
            self.refuse_lookalikes = refuse_lookalikes;
            let looks = self.holders.iter().filter(|_| refuse_lookalikes);
            self.skeleton_holders =
                looks.map(|(key, session)| (key.skeleton(), *session)).collect();
        }
    }

    /// Whether `session` (none: a new one) may be called so. Call it before
    /// [`Self::claim`].
    pub(super) fn check_available(
        &self,
        name: &Username,
        session: Option<SessionId>,
    ) -> Result<(), ErrorCode> {
        let other = |holder: &&SessionId| Some(**holder) != session;
        if self.holders.get(name.key()).filter(other).is_some() {
            return Err(ErrorCode::NameTaken);
        }
        if self.refuse_lookalikes
            && self.skeleton_holders.get(&name.key().skeleton()).filter(other).is_some()
        {
            return Err(ErrorCode::NameLookalike);
        }
        Ok(())
    }

    /// Gives a name that has been checked to a session that holds none.
    pub(super) fn claim(&mut self, name: &Username, session: SessionId) {
        self.holders.insert(name.key().clone(), session);
        if self.refuse_lookalikes {
            self.skeleton_holders.insert(name.key().skeleton(), session);
        }
    }

    /// Frees a name, if this session holds it.
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

    /// Who is connected by this name.
    pub(super) fn holder(&self, key: &NameKey) -> Option<SessionId> {
        self.holders.get(key).copied()
    }

    /// Nothing is kept about anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.skeleton_holders.is_empty()
    }
}
