//! Member list of a room.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::limits::MAX_LISTED_NAMES;
use crate::model::{NameKey, Username};

/// Members of a room, ordered by name key.
#[derive(Default)]
pub(super) struct RoomMembers(BTreeMap<NameKey, Username>);

impl RoomMembers {
    /// Adds a member, or replaces the spelling of the member with the same name key.
    pub(super) fn insert(&mut self, username: &Username) {
        self.0.insert(username.key().clone(), username.clone());
    }

    /// Removes the member with this name in any spelling. Returns true if there was one.
    pub(super) fn remove(&mut self, username: &Username) -> bool {
        self.0.remove(username.key()).is_some()
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
        self.0.get(name.key()).is_some_and(|it| it.as_str() == name.as_str())
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
            .map(|(_, name)| name.as_str().to_owned())
            .collect();
        (names, behind.next().is_some())
    }
}
