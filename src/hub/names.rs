//! Registry of the usernames in use, and of those that wait.
//!
//! Who holds a name is decided by the order of the log: only committed items change the holds. What
//! this hub has proposed, and not seen committed, counts for the checks of its own clients only:
//! names that pending joins want are reserved, and names that are being released count as free.

use std::collections::{BTreeMap, HashMap};

use super::contract::ConnectionId;
use super::volatile::NameHold;
use crate::model::{ErrorCode, NameKey, SessionId, Username};

/// Conflict of a wanted name with another session: that session holds the name, or a name that
/// looks like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameConflict {
    /// [`ErrorCode::NameTaken`] or [`ErrorCode::NameLookalike`].
    pub(super) code: ErrorCode,
    /// Session that holds the name or the similar name. `None` if a new session wants it, whose
    /// `join` is not committed.
    pub(super) holder: Option<SessionId>,
}

/// Hold of a session on its username.
struct Hold {
    /// Username that the session holds.
    username: Username,
    /// Number of the hold.
    number: NameHold,
    /// True if this hub has proposed to release the name.
    is_releasing: bool,
}

/// Reservation of a username for a `join` that is proposed and not committed.
struct Reservation {
    /// Username that the `join` wants.
    username: Username,
    /// Confusable skeleton of the name.
    skeleton: String,
    /// Session that is resumed; `None`: a new session.
    session: Option<SessionId>,
}

/// Registry of the usernames of all connected sessions, and of those that
/// [wait](super::waiting_names) for a session. A session holds at most one name, and at most one
/// session holds a name.
pub(super) struct NameRegistry {
    /// Holds by session.
    holds: HashMap<SessionId, Hold>,
    /// Session that holds each name, by name key.
    holders: HashMap<NameKey, SessionId>,
    /// Session that holds each name, by the confusable skeleton of the name. Empty if look-alikes
    /// are allowed.
    skeleton_holders: HashMap<String, SessionId>,
    /// Reserved names by the connections of the pending joins.
    reservations: BTreeMap<ConnectionId, Reservation>,
    /// Look-alike policy: true if names that look like a name in use are refused.
    refuse_lookalikes: bool,
}

impl NameRegistry {
    /// Creates an empty registry.
    pub(super) fn new(refuse_lookalikes: bool) -> Self {
        let (holds, holders, skeleton_holders, reservations) = Default::default();
        Self { holds, holders, skeleton_holders, reservations, refuse_lookalikes }
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

    /// Checks, before a `join` is proposed, that no other session holds this name, and that no
    /// pending join wants it. If look-alikes are refused, also checks that for similar names. A
    /// name that is being released counts as free. `session`: the session that wants the name;
    /// `None` for a new session. Then call [`Self::reserve`].
    ///
    /// # Errors
    /// The conflict with the other session.
    pub(super) fn check_available(
        &self,
        name: &Username,
        session: Option<SessionId>,
    ) -> Result<(), NameConflict> {
        let is_releasing = |it: SessionId| self.holds.get(&it).is_some_and(|it| it.is_releasing);
        self.check_holders(name, |it| Some(it) == session || is_releasing(it))?;
        if self.reservations.is_empty() {
            return Ok(());
        }
        let skeleton = name.key().skeleton();
        for it in self.reservations.values() {
            let code = if it.username.key() == name.key() {
                ErrorCode::NameTaken
            } else if self.refuse_lookalikes && it.skeleton == skeleton {
                ErrorCode::NameLookalike
            } else {
                continue;
            };
            if session.is_none() || it.session != session {
                return Err(NameConflict { code, holder: it.session });
            }
        }
        Ok(())
    }

    /// Checks that no session holds this name or, if look-alikes are refused, a similar one.
    /// Sessions for which `is_ignored` returns true do not count.
    ///
    /// # Errors
    /// The conflict with the session.
    fn check_holders(
        &self,
        name: &Username,
        is_ignored: impl Fn(SessionId) -> bool,
    ) -> Result<(), NameConflict> {
        let counts = |holder: &&SessionId| !is_ignored(**holder);
        if let Some(holder) = self.holders.get(name.key()).filter(counts) {
            return Err(NameConflict { code: ErrorCode::NameTaken, holder: Some(*holder) });
        }
        if self.refuse_lookalikes
            && let Some(holder) = self.skeleton_holders.get(&name.key().skeleton()).filter(counts)
        {
            return Err(NameConflict { code: ErrorCode::NameLookalike, holder: Some(*holder) });
        }
        Ok(())
    }

    /// Reserves a name for the pending join of a connection. `session`: session that is resumed.
    pub(super) fn reserve(
        &mut self,
        connection: ConnectionId,
        username: Username,
        session: Option<SessionId>,
    ) {
        let skeleton = username.key().skeleton();
        self.reservations.insert(connection, Reservation { username, skeleton, session });
    }

    /// Ends the reservation for the pending join of a connection. Does nothing if there is none.
    pub(super) fn end_reservation(&mut self, connection: ConnectionId) {
        self.reservations.remove(&connection);
    }

    /// Applies a committed `join`: gives the name to the session, in place of the one that it held.
    ///
    /// # Errors
    /// Another session holds the name, or one that looks like it. Then nothing has changed.
    pub(super) fn claim(
        &mut self,
        name: &Username,
        session: SessionId,
        number: NameHold,
    ) -> Result<(), NameConflict> {
        self.check_holders(name, |it| it == session)?;
        self.remove(session);
        self.insert(name, session, number);
        Ok(())
    }

    /// Restores the hold on a name that waits since before the start of the server. No session may
    /// hold the name. Names that look like it may be held.
    pub(super) fn restore(&mut self, name: &Username, session: SessionId) {
        self.insert(name, session, NameHold::RESTORED);
    }

    /// Adds a hold of a session that has none.
    fn insert(&mut self, name: &Username, session: SessionId, number: NameHold) {
        self.holders.insert(name.key().clone(), session);
        if self.refuse_lookalikes {
            self.skeleton_holders.insert(name.key().skeleton(), session);
        }
        let hold = Hold { username: name.clone(), number, is_releasing: false };
        self.holds.insert(session, hold);
    }

    /// Marks the name of a session as being released: it counts as free from now on. Returns the
    /// number of the hold, whose release the caller must propose. `None` if the session holds no
    /// name, or if its release is proposed already.
    #[must_use]
    pub(super) fn begin_release(&mut self, session: SessionId) -> Option<NameHold> {
        let hold = self.holds.get_mut(&session).filter(|it| !it.is_releasing)?;
        hold.is_releasing = true;
        Some(hold.number)
    }

    /// Applies a committed release. Does nothing if the session has another hold meanwhile.
    pub(super) fn release(&mut self, session: SessionId, number: NameHold) {
        if self.holds.get(&session).is_some_and(|it| it.number == number) {
            self.remove(session);
        }
    }

    /// Removes the hold of a session, with its places in the indexes. Does nothing if it has none.
    fn remove(&mut self, session: SessionId) {
        let Some(Hold { username, .. }) = self.holds.remove(&session) else {
            return;
        };
        self.holders.remove(username.key());
        if self.refuse_lookalikes {
            let look = username.key().skeleton();
            if self.skeleton_holders.get(&look) == Some(&session) {
                self.skeleton_holders.remove(&look);
            }
        }
    }

    /// Returns the session that holds the name with this key, connected or away with a name that
    /// waits for it; `None` if the name is free or is being released.
    pub(super) fn holder(&self, key: &NameKey) -> Option<SessionId> {
        let holder = self.holders.get(key)?;
        self.holds.get(holder).filter(|it| !it.is_releasing).map(|_| *holder)
    }

    /// Returns true if no name is in use.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.holds.is_empty()
            && self.holders.is_empty()
            && self.skeleton_holders.is_empty()
            && self.reservations.is_empty()
    }
}
