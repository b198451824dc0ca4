//! Index of the claims, the invitations and their uses in force, so that a join need not look at
//! each of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{IdentityKey, InvitationHash, ModerationAction, NameKey, SessionId};

/// Map from keys to sets of values, without empty sets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MultiMap<K, V>(BTreeMap<K, BTreeSet<V>>);

impl<K, V> Default for MultiMap<K, V> {
    /// Returns an empty map.
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V: Ord> MultiMap<K, V> {
    /// Adds a value to the set of a key, or removes it.
    fn set(&mut self, key: K, value: V, is_in: bool) {
        if is_in {
            self.0.entry(key).or_default().insert(value);
        } else if let Some(values) = self.0.get_mut(&key) {
            values.remove(&value);
            if values.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// Returns the values of a key, in ascending order.
    fn get(&self, key: &K) -> impl Iterator<Item = &V> {
        self.0.get(key).into_iter().flatten()
    }
}

/// Index of claims, invitations and their uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IdentityIndex {
    /// Claimed names by key, also by those of linked devices. A judged log gives each key one at
    /// most.
    names: MultiMap<IdentityKey, NameKey>,
    /// Claimed names by the number of the person. A judged log gives each person one at most.
    persons: MultiMap<SessionId, NameKey>,
    /// Claimed names by their link codes.
    link_codes: MultiMap<InvitationHash, NameKey>,
    /// Claimed names by their confusable skeletons.
    lookalikes: MultiMap<String, NameKey>,
    /// Invitations by the name under which the invited user comes in.
    invitations: MultiMap<NameKey, InvitationHash>,
    /// The same by the confusable skeleton of the name.
    invited_lookalikes: MultiMap<String, InvitationHash>,
    /// Invitations that whoever has a key has used.
    used: MultiMap<IdentityKey, InvitationHash>,
}

impl IdentityIndex {
    /// Adds what an action sets. Any other action is ignored.
    pub(super) fn insert(&mut self, action: &ModerationAction) {
        self.set(action, true);
    }

    /// Removes what an action has set. Any other action is ignored.
    pub(super) fn remove(&mut self, action: &ModerationAction) {
        self.set(action, false);
    }

    /// Adds or removes what an action sets.
    fn set(&mut self, action: &ModerationAction, is_in: bool) {
        match action {
            ModerationAction::NameClaimed { holder, key, .. } => {
                let name = holder.username.key();
                self.names.set(*key, name.clone(), is_in);
                self.persons.set(holder.session, name.clone(), is_in);
                self.lookalikes.set(name.skeleton(), name.clone(), is_in);
            }
            ModerationAction::InvitationMade(it) => {
                if let Some(username) = &it.username {
                    let name = username.key();
                    self.invitations.set(name.clone(), it.hash, is_in);
                    self.invited_lookalikes.set(name.skeleton(), it.hash, is_in);
                }
            }
            ModerationAction::DeviceInvited { person, code, .. } => {
                self.link_codes.set(*code, person.username.key().clone(), is_in);
            }
            ModerationAction::DeviceLinked { person, key, .. } => {
                self.names.set(*key, person.username.key().clone(), is_in);
            }
            ModerationAction::InvitationUsed { invitation, key: Some(key), .. } => {
                self.used.set(*key, *invitation, is_in);
            }
            _ => {}
        }
    }

    /// Returns the names that the person with this number has claimed.
    pub(super) fn names_of_person(&self, person: &SessionId) -> impl Iterator<Item = &NameKey> {
        self.persons.get(person)
    }

    /// Returns the names whose link code has this hash.
    pub(super) fn link_codes(&self, hash: &InvitationHash) -> impl Iterator<Item = &NameKey> {
        self.link_codes.get(hash)
    }

    /// Returns the names that are claimed with a key, or to which its device is linked.
    pub(super) fn names(&self, key: &IdentityKey) -> impl Iterator<Item = &NameKey> {
        self.names.get(key)
    }

    /// Returns the claimed names with this confusable skeleton.
    pub(super) fn lookalikes(&self, skeleton: &String) -> impl Iterator<Item = &NameKey> {
        self.lookalikes.get(skeleton)
    }

    /// Returns true if no name is claimed.
    pub(super) fn has_no_claims(&self) -> bool {
        self.lookalikes.0.is_empty()
    }

    /// Returns the invitations under this name.
    pub(super) fn invitations(&self, name: &NameKey) -> impl Iterator<Item = &InvitationHash> {
        self.invitations.get(name)
    }

    /// Returns the invitations under the names with this confusable skeleton.
    pub(super) fn invited_lookalikes(
        &self,
        skeleton: &String,
    ) -> impl Iterator<Item = &InvitationHash> {
        self.invited_lookalikes.get(skeleton)
    }

    /// Returns the invitations that whoever has this key has used.
    pub(super) fn used(&self, key: &IdentityKey) -> impl Iterator<Item = &InvitationHash> {
        self.used.get(key)
    }
}
