//! The members of a room.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::limits::MAX_NAMES;
use crate::model::{NameKey, Username};

/// Who is in a room, in the order of the names' keys.
#[derive(Default)]
pub(super) struct RoomMembers(BTreeMap<NameKey, Username>);

impl RoomMembers {
    /// Adds a user, replacing the spelling of a member with the same name key.
    pub(super) fn insert(&mut self, username: &Username) {
        self.0.insert(username.key().clone(), username.clone());
    }

    /// Removes the member with this name in any spelling. Returns true if there was one.
    pub(super) fn remove(&mut self, username: &Username) -> bool {
        self.0.remove(username.key()).is_some()
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many they are, as frames say it.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Whether somebody with this name, spelled so, is in the room.
    pub(super) fn has_exactly(&self, name: &Username) -> bool {
        self.0.get(name.key()).is_some_and(|it| it.as_str() == name.as_str())
    }

    /// The names behind `after` in the order of keys, as many as a frame
    /// holds, and whether there are more. Call it again with the last of
    /// them for the next page.
    pub(super) fn page(&self, after: &str) -> (Vec<String>, bool) {
        let after = NameKey::of(after);
        let mut behind = self.0.range((Bound::Excluded(after), Bound::Unbounded));
        let names =
            behind.by_ref().take(MAX_NAMES).map(|(_, name)| name.as_str().to_owned()).collect();
        (names, behind.next().is_some())
    }
}
