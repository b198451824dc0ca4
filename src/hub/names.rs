//! Registry of the usernames in use, and of those that wait.
//!
//! Who holds a name is decided by the order of the log: only committed items change the holds. What
//! this hub has proposed, and not seen committed, counts for the checks of its own clients only:
//! names that pending joins want are reserved, and names that are being released count as free.

use std::collections::{BTreeMap, HashMap};

use super::contract::ConnectionId;
use super::volatile::{HeldName, HubId, JoinTerms, NameHold};
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
    /// Number of the person who has claimed the name and whose session this is.
    person: Option<SessionId>,
    /// Hub at which the session has got the name.
    hub: HubId,
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
    /// Number of the person who has claimed the name.
    person: Option<SessionId>,
}

/// Registry of the usernames of all connected sessions, and of those that
/// [wait](super::waiting_names) for a session. A session holds at most one name. One session holds a
/// name, or several of the person who has claimed it.
pub(super) struct NameRegistry {
    /// Holds by session.
    holds: HashMap<SessionId, Hold>,
    /// Sessions that hold each name, by name key, in the order in which they got it. No list is
    /// empty.
    holders: HashMap<NameKey, Vec<SessionId>>,
    /// Names that are held, by their confusable skeleton. No list is empty. Empty if nobody asks for
    /// look-alikes.
    held_skeletons: HashMap<String, Vec<NameKey>>,
    /// Reserved names by the connections of the pending joins.
    reservations: BTreeMap<ConnectionId, Reservation>,
    /// Look-alike policy: true if names that look like a name in use are refused.
    refuse_lookalikes: bool,
    /// True if other hubs share the log. Their policies may differ, so names that look alike are
    /// always found.
    is_shared: bool,
}

impl NameRegistry {
    /// Creates an empty registry. `is_shared`: true if other hubs share the log.
    pub(super) fn new(refuse_lookalikes: bool, is_shared: bool) -> Self {
        let (holds, holders, held_skeletons, reservations) = Default::default();
        Self { holds, holders, held_skeletons, reservations, refuse_lookalikes, is_shared }
    }

    /// Returns true if names that look alike have to be found.
    const fn indexes_lookalikes(&self) -> bool {
        self.refuse_lookalikes || self.is_shared
    }

    /// Sets the look-alike policy. If it changes, rebuilds or clears the index of skeletons. Names
    /// in use stay, even if they look alike.
    pub(super) fn set_refuse_lookalikes(&mut self, refuse_lookalikes: bool) {
        if self.refuse_lookalikes == refuse_lookalikes {
            return;
        }
        self.refuse_lookalikes = refuse_lookalikes;
        self.held_skeletons.clear();
        if self.indexes_lookalikes() {
            for key in self.holders.keys() {
                self.held_skeletons.entry(key.skeleton()).or_default().push(key.clone());
            }
        }
    }

    /// Checks, before a `join` is proposed, that no other session holds this name, and that no
    /// pending join wants it. If look-alikes are refused, also checks that for similar names. A
    /// name that is being released counts as free. `session`: the session that wants the name;
    /// `None` for a new session. `person`: the person whose session it is; the name may be held by
    /// other sessions of this person. Then call [`Self::reserve`].
    ///
    /// # Errors
    /// The conflict with the other session.
    pub(super) fn check_available(
        &self,
        name: &Username,
        session: Option<SessionId>,
        person: Option<SessionId>,
    ) -> Result<(), NameConflict> {
        let is_releasing = |it: SessionId| self.holds.get(&it).is_some_and(|it| it.is_releasing);
        let is_ignored = |it| Some(it) == session || is_releasing(it);
        self.check_holders(name, person, self.refuse_lookalikes, is_ignored)?;
        if self.reservations.is_empty() {
            return Ok(());
        }
        let skeleton = name.key().skeleton();
        for it in self.reservations.values() {
            let code = if it.username.key() == name.key() {
                if person.is_some() && it.person == person {
                    continue;
                }
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

    /// Checks that no session holds this name or, if `refuse_lookalikes` is true, a similar one.
    /// Sessions for which `is_ignored` returns true do not count, nor do those of the same person
    /// that hold this name.
    ///
    /// # Errors
    /// The conflict with the session.
    fn check_holders(
        &self,
        name: &Username,
        person: Option<SessionId>,
        refuse_lookalikes: bool,
        is_ignored: impl Fn(SessionId) -> bool,
    ) -> Result<(), NameConflict> {
        let find = |key: &NameKey, counts: &dyn Fn(SessionId) -> bool| {
            self.sessions_with(key).find(|it| !is_ignored(*it) && counts(*it))
        };
        let is_other = |it: SessionId| person.is_none() || self.person(it) != person;
        if let Some(holder) = find(name.key(), &is_other) {
            return Err(NameConflict { code: ErrorCode::NameTaken, holder: Some(holder) });
        }
        if refuse_lookalikes
            && let Some(alike) = self.held_skeletons.get(&name.key().skeleton())
            && let Some(holder) =
                alike.iter().filter(|it| *it != name.key()).find_map(|it| find(it, &|_| true))
        {
            return Err(NameConflict { code: ErrorCode::NameLookalike, holder: Some(holder) });
        }
        Ok(())
    }

    /// Reserves a name for the pending join of a connection. `session`: session that is resumed.
    /// `person`: person who has claimed the name, if it is a session of theirs.
    pub(super) fn reserve(
        &mut self,
        connection: ConnectionId,
        username: Username,
        session: Option<SessionId>,
        person: Option<SessionId>,
    ) {
        let skeleton = username.key().skeleton();
        self.reservations.insert(connection, Reservation { username, skeleton, session, person });
    }

    /// Ends the reservation for the pending join of a connection. Does nothing if there is none.
    pub(super) fn end_reservation(&mut self, connection: ConnectionId) {
        self.reservations.remove(&connection);
    }

    /// Applies a committed `join`: gives the name to the session, in place of the one that it held.
    /// `hub`: hub of the `join`.
    ///
    /// # Errors
    /// A session of somebody else holds the name, or one that looks like it. Then nothing has
    /// changed.
    pub(super) fn claim(
        &mut self,
        session: SessionId,
        (hub, number): (HubId, NameHold),
        terms: &JoinTerms,
    ) -> Result<(), NameConflict> {
        let JoinTerms { username, person, refuses_lookalikes, .. } = terms;
        self.check_holders(username, *person, *refuses_lookalikes, |it| it == session)?;
        self.remove(session);
        self.insert(username, session, *person, (hub, number));
        Ok(())
    }

    /// Restores the hold on a name that waits since before the start of the server. No session may
    /// hold the name, except those of the same person. Names that look like it may be held.
    pub(super) fn restore(
        &mut self,
        name: &Username,
        session: SessionId,
        person: Option<SessionId>,
        (hub, number): (HubId, NameHold),
    ) {
        self.insert(name, session, person, (hub, number));
    }

    /// Adds a hold of a session that has none.
    fn insert(
        &mut self,
        name: &Username,
        session: SessionId,
        person: Option<SessionId>,
        (hub, number): (HubId, NameHold),
    ) {
        let sessions = self.holders.entry(name.key().clone()).or_default();
        let is_first = sessions.is_empty();
        sessions.push(session);
        if is_first && self.indexes_lookalikes() {
            self.held_skeletons.entry(name.key().skeleton()).or_default().push(name.key().clone());
        }
        let hold = Hold { username: name.clone(), number, person, hub, is_releasing: false };
        self.holds.insert(session, hold);
    }

    /// Records whose session holds a name: that of a person, or nobody's who has claimed the name.
    /// Does nothing if the session holds none.
    pub(super) fn set_person(&mut self, session: SessionId, person: Option<SessionId>) {
        if let Some(hold) = self.holds.get_mut(&session) {
            hold.person = person;
        }
    }

    /// Records that the claim of the name with this key has ended: those who hold it are nobody's
    /// sessions any more.
    pub(super) fn end_person(&mut self, name: &NameKey) {
        let sessions: Vec<_> = self.sessions_with(name).collect();
        for session in sessions {
            self.set_person(session, None);
        }
    }

    /// Returns the number of the person whose session this is. `None` if it holds no name, or one
    /// that is not claimed by its user.
    pub(super) fn person(&self, session: SessionId) -> Option<SessionId> {
        self.holds.get(&session).and_then(|it| it.person)
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

    /// Returns the number of the session's hold on its name; `None` if it holds none.
    pub(super) fn number(&self, session: SessionId) -> Option<NameHold> {
        self.holds.get(&session).map(|it| it.number)
    }

    /// Returns all holds, those of each name in the order in which the sessions got it. Connections,
    /// records and rooms are left for the caller to fill in.
    pub(super) fn all_held(&self) -> Vec<HeldName> {
        let mut names: Vec<&NameKey> = self.holders.keys().collect();
        names.sort_unstable();
        let sessions = names.into_iter().flat_map(|it| self.sessions_with(it));
        let held = sessions.filter_map(|session| {
            let hold = self.holds.get(&session)?;
            Some(HeldName {
                session,
                username: hold.username.clone(),
                person: hold.person,
                hold: hold.number,
                hub: hold.hub,
                is_connected: false,
                record: None,
                rooms: Vec::new(),
            })
        });
        held.collect()
    }

    /// Removes the hold of a session, with its places in the indexes. Does nothing if it has none.
    pub(super) fn remove(&mut self, session: SessionId) {
        let Some(Hold { username, .. }) = self.holds.remove(&session) else {
            return;
        };
        let Some(sessions) = self.holders.get_mut(username.key()) else {
            return;
        };
        sessions.retain(|it| *it != session);
        if !sessions.is_empty() {
            return;
        }
        self.holders.remove(username.key());
        if self.indexes_lookalikes() {
            let look = username.key().skeleton();
            if let Some(alike) = self.held_skeletons.get_mut(&look) {
                alike.retain(|it| it != username.key());
                if alike.is_empty() {
                    self.held_skeletons.remove(&look);
                }
            }
        }
    }

    /// Returns the sessions that hold the name with this key, also those that are releasing it.
    fn sessions_with(&self, key: &NameKey) -> impl Iterator<Item = SessionId> {
        self.holders.get(key).into_iter().flatten().copied()
    }

    /// Returns the sessions that hold the name with this key, connected or away with a name that
    /// waits for them, in the order in which they got it. Those that are releasing it are left out.
    pub(super) fn holders(&self, key: &NameKey) -> impl Iterator<Item = SessionId> {
        let is_held = |it: &SessionId| self.holds.get(it).is_some_and(|it| !it.is_releasing);
        self.sessions_with(key).filter(is_held)
    }

    /// Returns the session that has got the name with this key last, as [`Self::holders`]; `None` if
    /// the name is free or is being released.
    pub(super) fn holder(&self, key: &NameKey) -> Option<SessionId> {
        self.holders(key).last()
    }

    /// Returns true if no name is in use.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.holds.is_empty()
            && self.holders.is_empty()
            && self.held_skeletons.is_empty()
            && self.reservations.is_empty()
    }
}
