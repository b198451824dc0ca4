//! Index of the bans and mutes in force by what they apply to, so that a join need not look at each
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use super::register::Register;
use crate::model::{
    AddressGroup, Fact, IdentityKey, ModerationAction, NameKey, Sanction, SanctionKind, SessionId,
};

/// Identifier of a user that a sanction is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier {
    /// Key of the username.
    Name(NameKey),
    /// Session.
    Session(SessionId),
    /// Confusable skeleton of the username. Only bans are compared with it.
    Skeleton(String),
    /// Address group. Only bans are compared with it.
    Group(AddressGroup),
    /// Key that was proved. Only bans are compared with it.
    Key(IdentityKey),
}

/// Index of sanctions: kind, scope and identifier to the names under which the sanctions are
/// registered. A scope is the key of a room's name; `None` for the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SanctionIndex(
    BTreeMap<(SanctionKind, Option<NameKey>, Identifier), BTreeSet<NameKey>>,
);

impl SanctionIndex {
    /// Returns true if no sanction is in force.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the sanction that a fact imposes. Any other fact is ignored.
    pub(super) fn insert(&mut self, fact: &Fact) {
        for (key, name) in index_keys(fact) {
            self.0.entry(key).or_default().insert(name);
        }
    }

    /// Removes the sanction that a fact imposes. Any other fact is ignored.
    pub(super) fn remove(&mut self, fact: &Fact) {
        for (key, name) in index_keys(fact) {
            if let Some(names) = self.0.get_mut(&key) {
                names.remove(&name);
                if names.is_empty() {
                    self.0.remove(&key);
                }
            }
        }
    }

    /// Returns the registers of the sanctions of a kind and scope that apply to an identifier.
    pub(super) fn find(
        &self,
        kind: SanctionKind,
        room: Option<&NameKey>,
        identifier: Identifier,
    ) -> impl Iterator<Item = Register> {
        let scope = room.cloned();
        let names = self.0.get(&(kind, scope.clone(), identifier));
        names
            .into_iter()
            .flatten()
            .map(move |name| Register::Sanction(kind, scope.clone(), name.clone()))
    }
}

/// Returns the keys of the index under which the sanction of a fact is found, each with the name
/// under which it is registered. Empty for any other fact.
fn index_keys(
    fact: &Fact,
) -> impl Iterator<Item = ((SanctionKind, Option<NameKey>, Identifier), NameKey)> {
    let action = &fact.draft.action;
    let group = action.banned_group();
    let banned_key = match action {
        ModerationAction::BannedWithKey { key, .. } => Some(*key),
        _ => None,
    };
    action.sanction().into_iter().flat_map(
        move |(kind, Sanction { scope, username, session, .. })| {
            let name = username.key();
            let is_ban = kind == SanctionKind::Ban;
            let identifiers = [
                Some(Identifier::Name(name.clone())),
                session.map(Identifier::Session),
                is_ban.then(|| Identifier::Skeleton(name.skeleton())),
                group.map(Identifier::Group),
                banned_key.map(Identifier::Key),
            ];
            let scope = scope.room().map(|it| it.key().clone());
            let key = move |identifier| ((kind, scope.clone(), identifier), name.clone());
            identifiers.into_iter().flatten().map(key)
        },
    )
}
