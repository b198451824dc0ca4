//! Member list of a room.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::limits::MAX_LISTED_NAMES;
use crate::model::{NameKey, Username};

/// Member of a room: a user, who may be in it with several sessions.
struct Member {
    /// Username, in the spelling of the session that came last.
    username: Username,
    /// Number of sessions; not 0.
    sessions: u32,
}

/// Members of a room, ordered by name key.
#[derive(Default)]
pub(super) struct RoomMembers(BTreeMap<NameKey, Member>);

impl RoomMembers {
    /// Adds a session of a member, whose spelling is that of the session from now on. Returns true
    /// if the member was not here in exactly this spelling.
    pub(super) fn insert(&mut self, username: &Username) -> bool {
        let is_new = !self.contains_exactly(username);
        let member = self
            .0
            .entry(username.key().clone())
            .or_insert_with(|| Member { username: username.clone(), sessions: 0 });
        member.sessions = member.sessions.saturating_add(1);
        if is_new {
            member.username = username.clone();
        }
        is_new
    }

    /// Removes a session of the member with this name in any spelling. If it was the member's last
    /// one, returns the spelling that the member had.
    pub(super) fn remove(&mut self, username: &Username) -> Option<Username> {
        let member = self.0.get_mut(username.key())?;
        member.sessions = member.sessions.saturating_sub(1);
        if member.sessions > 0 {
            return None;
        }
        self.0.remove(username.key()).map(|it| it.username)
    }

    /// Returns the number of sessions of each member, by name key.
    #[cfg(test)]
    pub(super) fn session_counts(&self) -> BTreeMap<NameKey, u32> {
        self.0.iter().map(|(key, it)| (key.clone(), it.sessions)).collect()
    }

    /// Returns the number of members.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of members for a frame's `u32` field; at most `u32::MAX`.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Returns true if a member has this name in exactly this spelling.
    pub(super) fn contains_exactly(&self, name: &Username) -> bool {
        self.0.get(name.key()).is_some_and(|it| it.username.as_str() == name.as_str())
    }

    /// Returns the spelling of a member's name; `None` if nobody has the name.
    pub(super) fn spelling(&self, key: &NameKey) -> Option<&Username> {
        self.0.get(key).map(|it| &it.username)
    }

    /// Returns the keys of the members' names, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &NameKey> {
        self.0.keys()
    }

    /// Returns a page of members' names, ordered by name key, and true if more follow. The page has
    /// at most [`MAX_LISTED_NAMES`] names, all after the name `after`. An empty `after` starts at
    /// the first name. For the next page, pass the last name of this one.
    pub(super) fn page(&self, after: &str) -> (Vec<String>, bool) {
        let after = NameKey::of(after);
        let mut behind = self.0.range((Bound::Excluded(after), Bound::Unbounded));
        let names = behind
            .by_ref()
            .take(MAX_LISTED_NAMES)
            .map(|(_, it)| it.username.as_str().to_owned())
            .collect();
        (names, behind.next().is_some())
    }
}
