//! Layer 1: the moderation state, folded from the facts of the log: roles, bans, mutes, topics and
//! modes of rooms, claimed names with their devices, and invitations.
//!
//! [`ModerationState`] is a map of last-writer-wins registers: each [`Register`] holds the fact
//! that wrote it last. The fold is deterministic. It consults neither a clock nor settings, so the
//! same facts give the same state, byte by byte, whoever folds them. A sanction or a claim ends by a
//! fact, not by the time. Whether the time of an invitation is over, the caller decides.
//!
//! Whoever commits a fact first asks [`ModerationState::judge`], stores the verdict in the fact
//! ([`Fact::is_effective`]), and then calls [`ModerationState::apply`].
//!
//! | module | contents |
//! |---|---|
//! | `register` | registers, and the table of which fact writes which register |
//! | `judge` | who may do what to whom: ranks, permissions, limits; who may talk |
//! | `identity` | claimed names, their devices, and invitations: verdicts and lookups |
//! | `identity_index` | index of the claims and invitations by key, name and look-alike |
//! | `sanction_index` | index of the sanctions by name, session, look-alike and address |
//! | `encoding` | canonical bytes of facts and of the state |
//!
//! [`Fact::is_effective`]: crate::model::Fact::is_effective

mod encoding;
mod identity;
mod identity_index;
mod judge;
mod register;
mod sanction_index;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

pub use encoding::{decode_fact, encode_fact};
pub use identity::{Claim, ClaimConflict, LinkCode, MadeInvitation};
pub use judge::{FactError, SpeechError};
pub use register::{Invitee, MAX_DEVICES_OF_PERSON, Register, RegisterChange};

use self::identity_index::IdentityIndex;
use self::register::Write;
use self::sanction_index::{Identifier, SanctionIndex};
use crate::model::{
    AddressGroup, FactDraft, IdentityKey, ModerationAction, NameKey, Role, RoomName, RoomSetting,
    SanctionKind, SessionId, SharedFact, SlowMode, Topic, Username,
};

/// Moderation state in force: the fold of all facts so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModerationState {
    /// Registers that are set, each with the fact that set it.
    registers: BTreeMap<Register, SharedFact>,
    /// Index of the bans and mutes among them.
    sanctions: SanctionIndex,
    /// Index of the claims, invitations and their uses among them.
    identities: IdentityIndex,
}

/// User who wants to come in: what a ban is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Joiner<'a> {
    /// Username.
    pub username: &'a Username,
    /// Session that is resumed, or is in already. `None` for a new one.
    pub session: Option<SessionId>,
    /// Key that the user has proved.
    pub key: Option<IdentityKey>,
    /// Address group of the connection.
    pub group: AddressGroup,
    /// True if a ban also applies to names that look like its name: the setting
    /// `refuse_lookalikes`.
    pub matches_lookalikes: bool,
}

impl ModerationState {
    /// Folds facts, in the log's order, into the state that they leave.
    pub fn fold<'a>(facts: impl IntoIterator<Item = &'a SharedFact>) -> Self {
        let mut state = Self::default();
        for fact in facts {
            state.apply(fact);
        }
        state
    }

    /// Applies the next fact of the log. Returns the registers that it has changed. Every fact is
    /// accepted; one that is not effective changes nothing.
    pub fn apply(&mut self, fact: &SharedFact) -> Vec<RegisterChange> {
        let FactDraft { actor, action, .. } = &fact.draft;
        let Some(register) = Register::of(action).filter(|_| fact.is_effective) else {
            return Vec::new();
        };
        let held = self.registers.get(&register).map(|it| it.sequence);
        let value = match Write::of(action) {
            Write::Set => Some(fact.clone()),
            Write::Clear if held.is_some() => None,
            Write::ClearIf(sequence) if held == Some(sequence) => None,
            Write::Clear | Write::ClearIf(_) => return Vec::new(),
        };
        let ended = self.devices_ended_by(actor, action);
        // Devices end first: the key of one of them may be that of the claim from now on.
        let ended = ended.into_iter().map(|register| RegisterChange { register, value: None });
        let changes: Vec<_> = ended.chain([RegisterChange { register, value }]).collect();
        for RegisterChange { register, value } in &changes {
            self.write(register.clone(), value.clone());
        }
        changes
    }

    /// Sets a register to a fact, or clears it (`None`), and updates the indexes.
    fn write(&mut self, register: Register, value: Option<SharedFact>) {
        let before = match &value {
            Some(fact) => self.registers.insert(register, fact.clone()),
            None => self.registers.remove(&register),
        };
        if let Some(before) = before {
            self.sanctions.remove(&before);
            self.identities.remove(&before.draft.action);
        }
        if let Some(fact) = value {
            self.sanctions.insert(&fact);
            self.identities.insert(&fact.draft.action);
        }
    }

    /// Returns true if there are claims or invitations.
    #[must_use]
    pub fn has_identities(&self) -> bool {
        let first = Register::Claim(NameKey::of(""));
        self.registers
            .range(first..)
            .next()
            .is_some_and(|(it, _)| matches!(it, Register::Claim(_) | Register::Invitation(_)))
    }

    /// Returns the fact that a register holds; `None` if it is not set.
    #[must_use]
    pub fn value(&self, register: &Register) -> Option<&SharedFact> {
        self.registers.get(register)
    }

    /// Returns the role of a session in a room, or on the server (`None`). A role on the server
    /// counts in its rooms too, and is asked for separately.
    #[must_use]
    pub fn role(&self, session: SessionId, room: Option<&NameKey>) -> Option<Role> {
        let fact = self.registers.get(&Register::Role(session, room.cloned()))?;
        match fact.draft.action {
            ModerationAction::RoleSet { role, .. } => role,
            _ => None,
        }
    }

    /// Returns true if a session has a role, on the server or in any room.
    #[must_use]
    pub fn has_role(&self, session: SessionId) -> bool {
        let mut from = self.registers.range(Register::Role(session, None)..);
        from.next().is_some_and(|(it, _)| matches!(it, Register::Role(of, _) if *of == session))
    }

    /// Returns the facts that gave the roles in force, in order of sessions.
    pub fn roles(&self) -> impl Iterator<Item = &SharedFact> {
        self.registers.iter().filter(|(it, _)| matches!(it, Register::Role(..))).map(|(_, it)| it)
    }

    /// Returns the facts that imposed the bans and mutes in force, in order of kinds, scopes and
    /// names.
    pub fn sanctions(&self) -> impl Iterator<Item = &SharedFact> {
        self.sanctions_after(None).map(|(_, it)| it)
    }

    /// Returns the bans and mutes in force after a register, in the order of [`Self::sanctions`]:
    /// registers, and the facts that imposed them. `None`: returns all.
    pub fn sanctions_after(
        &self,
        register: Option<&Register>,
    ) -> impl Iterator<Item = (&Register, &SharedFact)> {
        let start = register.map_or(Bound::Unbounded, Bound::Excluded);
        self.registers
            .range::<Register, _>((start, Bound::Unbounded))
            .filter(|(it, _)| matches!(it, Register::Sanction(..)))
    }

    /// Returns the ban from a room, or from the server (`None`), that applies to a user. If several
    /// do, the one that ends last. Only a ban of
    /// its own session applies to a session with a role there, none by name, key or address.
    /// A ban from the server is not looked for in a room: ask for both.
    #[must_use]
    pub fn ban(&self, room: Option<&NameKey>, joiner: &Joiner<'_>) -> Option<&SharedFact> {
        if self.sanctions.is_empty() {
            return None;
        }
        let name = joiner.username.key();
        // A session with a role is banned only itself. Otherwise a moderator could send out an owner
        // by banning a name that looks like the owner's, or the owner's address.
        let is_guest = joiner.session.is_none_or(|it| !self.has_role_in(it, room));
        let identifiers = [
            joiner.session.map(Identifier::Session),
            is_guest.then(|| Identifier::Name(name.clone())),
            (is_guest && joiner.matches_lookalikes).then(|| Identifier::Skeleton(name.skeleton())),
            is_guest.then_some(Identifier::Group(joiner.group)),
            joiner.key.filter(|_| is_guest).map(Identifier::Key),
        ];
        self.find_sanction(SanctionKind::Ban, room, identifiers.into_iter().flatten())
    }

    /// Returns the mute in a room, or on the server (`None`), that applies to a session with a
    /// username. If two do, the one that ends last. A mute on the server is not looked for in a
    /// room: ask for both.
    #[must_use]
    pub fn mute(
        &self,
        room: Option<&NameKey>,
        session: SessionId,
        username: &Username,
    ) -> Option<&SharedFact> {
        self.sanction_of(SanctionKind::Mute, room, session, username)
    }

    /// Returns the sanction of a kind and scope that applies to a session or, if that has no role
    /// there, its username. If two do, the one that ends last.
    fn sanction_of(
        &self,
        kind: SanctionKind,
        room: Option<&NameKey>,
        session: SessionId,
        username: &Username,
    ) -> Option<&SharedFact> {
        // As for a ban, a session with a role is hit only itself.
        let is_guest = !self.has_role_in(session, room);
        let name = is_guest.then(|| Identifier::Name(username.key().clone()));
        let identifiers = name.into_iter().chain([Identifier::Session(session)]);
        self.find_sanction(kind, room, identifiers)
    }

    /// Returns the sanction of a kind and scope that applies to one of the identifiers. If several
    /// do, the one that ends last.
    fn find_sanction(
        &self,
        kind: SanctionKind,
        room: Option<&NameKey>,
        identifiers: impl IntoIterator<Item = Identifier>,
    ) -> Option<&SharedFact> {
        identifiers
            .into_iter()
            .flat_map(|it| self.sanctions.find(kind, room, it))
            .filter_map(|it| self.registers.get(&it))
            .max_by_key(|it| (it.sanction_end().is_none(), it.sanction_end(), it.sequence))
    }

    /// Returns the topic of a room.
    #[must_use]
    pub fn topic(&self, room: &NameKey) -> Option<&Topic> {
        match self.setting(&Register::Topic(room.clone())) {
            Some(RoomSetting::Topic(topic)) => topic.as_ref(),
            _ => None,
        }
    }

    /// Returns the topics of all rooms that have one, each with the room's name as it was written.
    pub fn topics(&self) -> impl Iterator<Item = (&RoomName, &Topic)> {
        self.registers.values().filter_map(|fact| match &fact.draft.action {
            ModerationAction::RoomSet { room, setting: RoomSetting::Topic(Some(topic)) } => {
                Some((room, topic))
            }
            _ => None,
        })
    }

    /// Returns the slow mode of a room.
    #[must_use]
    pub fn slow_mode(&self, room: &NameKey) -> SlowMode {
        match self.setting(&Register::SlowMode(room.clone())) {
            Some(RoomSetting::SlowMode(mode)) => *mode,
            _ => SlowMode::OFF,
        }
    }

    /// Returns true if only sessions with a role may talk in a room.
    #[must_use]
    pub fn is_moderated(&self, room: &NameKey) -> bool {
        self.registers.contains_key(&Register::Moderated(room.clone()))
    }

    /// Returns the room setting that a register holds.
    fn setting(&self, register: &Register) -> Option<&RoomSetting> {
        match &self.registers.get(register)?.draft.action {
            ModerationAction::RoomSet { setting, .. } => Some(setting),
            _ => None,
        }
    }
}
