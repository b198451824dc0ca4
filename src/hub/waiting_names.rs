//! Names that wait for the sessions that have lost their connections: `docs/protocol/tcp.md`,
//! section 6.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::Hub;
use super::contract::Quota;
use super::volatile::{HubId, NameHold};
use crate::model::limits::NAME_WAIT;
use crate::model::{AddressGroup, Moment, SessionId, Username};

/// Name that waits for its session. The [registry](super::names) still has the session as its
/// holder.
struct WaitingName {
    /// Address group whose maximum number of names includes this one. `None` if the name was
    /// restored after a restart: it then counts towards no maximum.
    group: Option<AddressGroup>,
    /// Moment when the name is freed at the latest.
    until: Moment,
}

/// All names that wait, by session, with their indexes.
#[derive(Default)]
pub(super) struct WaitingNames {
    /// Names by session.
    by_session: BTreeMap<SessionId, WaitingName>,
    /// Sessions by the moment when their names are freed.
    by_deadline: BTreeSet<(Moment, SessionId)>,
    /// Sessions of each address group, by the moment when their names are freed. The session whose
    /// name has waited longest comes first.
    by_group: HashMap<AddressGroup, BTreeSet<(Moment, SessionId)>>,
}

impl WaitingNames {
    /// Adds a name that waits for its session for [`NAME_WAIT`] from `now`. `group`: see
    /// [`WaitingName::group`].
    pub(super) fn insert(&mut self, session: SessionId, group: Option<AddressGroup>, now: Moment) {
        let until = now + NAME_WAIT;
        self.by_deadline.insert((until, session));
        if let Some(group) = group {
            self.by_group.entry(group).or_default().insert((until, session));
        }
        self.by_session.insert(session, WaitingName { group, until });
    }

    /// Removes the name that waits for a session, and returns true; false if no name does. The
    /// registry still has the session as its holder: the caller releases the name there.
    pub(super) fn remove(&mut self, session: SessionId) -> bool {
        let Some(WaitingName { group, until }) = self.by_session.remove(&session) else {
            return false;
        };
        self.by_deadline.remove(&(until, session));
        if let Some(group) = group
            && let Some(of_group) = self.by_group.get_mut(&group)
        {
            of_group.remove(&(until, session));
            if of_group.is_empty() {
                self.by_group.remove(&group);
            }
        }
        true
    }

    /// Returns the time for which the name of a session still waits; `None` if it does not wait.
    pub(super) fn remaining(&self, session: SessionId, now: Moment) -> Option<Duration> {
        self.by_session.get(&session).map(|it| it.until.since(now))
    }

    /// Returns the number of names that wait.
    pub(super) fn len(&self) -> usize {
        self.by_session.len()
    }

    /// Returns the number of names that wait and count towards the limits of an address group, and
    /// the session whose name has waited longest; `None` if no name of the group waits.
    fn of_group(&self, group: AddressGroup) -> Option<(usize, SessionId)> {
        let of_group = self.by_group.get(&group)?;
        of_group.first().map(|(_, session)| (of_group.len(), *session))
    }

    /// Returns a session whose name has waited for [`NAME_WAIT`] at `now`; `None` if there is none.
    fn expired(&self, now: Moment) -> Option<SessionId> {
        self.by_deadline.first().filter(|(until, _)| *until <= now).map(|(_, session)| *session)
    }

    /// Returns the moment when the next name is freed; `None` if no name waits.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.by_deadline.first().map(|(until, _)| *until)
    }

    /// Returns true if no name waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty() && self.by_deadline.is_empty() && self.by_group.is_empty()
    }
}

impl Hub {
    /// Lets the name of a session that has lost its connection wait for this session, for
    /// [`NAME_WAIT`]. The session must still be registered as the holder of the name. If the
    /// address group then has too many names, frees those that have waited longest
    /// ([`Self::limit_names`]).
    pub(super) fn let_name_wait(&mut self, session: SessionId, group: AddressGroup, now: Moment) {
        self.waiting_names.insert(session, Some(group), now);
        self.limit_names(group);
    }

    /// Lets the names of restored sessions wait for these sessions, for [`NAME_WAIT`] from `now`.
    /// If several sessions have the same name, the name waits for the last one in `names`, and for
    /// the others of the same person. The rest are persisted without a waiting name.
    pub(super) fn restore_waiting_names(&mut self, names: Vec<(SessionId, Username)>, now: Moment) {
        for (session, username) in names.into_iter().rev() {
            let key = self.sessions.get(session).and_then(|it| it.key);
            let person = self.moderation.own_claim(username.key(), key).map(|it| it.person);
            let holder = self.names.holder(username.key());
            if holder.is_some_and(|it| person.is_none() || self.names.person(it) != person) {
                self.sessions.set_keeps_name(session, false);
                self.persist_session(session);
                continue;
            }
            let hold = (HubId::ALONE, NameHold::RESTORED);
            self.names.restore(&username, session, person, hold);
            self.waiting_names.insert(session, None, now);
        }
    }

    /// While an address group has more than `max_connections_per_address` names, in use and
    /// waiting, frees the name that has waited longest, and reports the quota. Names in use are not
    /// freed. Call it when the group has a further connected session or waiting name.
    pub(super) fn limit_names(&mut self, group: AddressGroup) {
        while let Some((waiting, oldest)) = self.waiting_names.of_group(group)
            && waiting + self.sessions.connected_count_of(group)
                > self.settings.max_connections_per_address
        {
            self.free_waiting_name(oldest);
            self.report_quota(group, Quota::Names);
        }
    }

    /// Frees the names that have waited for [`NAME_WAIT`].
    pub(super) fn free_expired_names(&mut self, now: Moment) {
        while let Some(session) = self.waiting_names.expired(now) {
            self.free_waiting_name(session);
        }
    }

    /// Frees the name that waits for a session, and persists that it no longer does. Does nothing
    /// if no name waits for the session.
    pub(super) fn free_waiting_name(&mut self, session: SessionId) {
        if self.waiting_names.remove(session) {
            self.release_name(session);
            self.sessions.set_keeps_name(session, false);
            self.persist_session(session);
        }
    }
}
