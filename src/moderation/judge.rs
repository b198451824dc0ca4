//! Permissions: who may do what to whom, and who may talk.
//!
//! | action | who may do it |
//! |---|---|
//! | remove an own message | everybody |
//! | remove another message; set topic or mode; kick, ban, mute, and lift it; announce | moderators and owners of the scope: of the room, or of the server |
//! | ban by address, in a room too | moderators and owners of the server |
//! | give or take the role of a moderator | owners of the scope |
//! | give or take the role of an owner of a room | owners of the server |
//! | give or take the role of an owner of the server | the command line |
//! | claim a name, use an invitation | everybody, for themselves |
//! | link a device | whoever has the key, with a link code of the person |
//! | make a link code; give up a claim; leave it to one key | whoever has one of its keys |
//! | make and revoke invitations, release names | the command line |
//!
//! A role on the server counts in every room. Nobody acts on somebody of equal or higher [`Rank`],
//! except by kicking oneself. The command line may do everything that is possible. The server itself
//! only ends sanctions and unused claims, renews claims, and forgets invitations.

use std::cmp::max;

use thiserror::Error;

use super::ModerationState;
use super::register::{Register, Write};
use crate::model::{
    Actor, ClaimEnd, Draft, FactDraft, ModerationAction, NameKey, Role, Sanction, SanctionKind,
    SessionId, Target, Timestamp, Username,
};

/// Reason why a fact is not effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FactError {
    /// The actor may not do this, there or to this user.
    #[error("not permitted")]
    NotPermitted,
    /// The sanction that should end is not in force.
    #[error("not in force")]
    NotInForce,
    /// There are as many roles, sanctions, room settings, claims or invitations as the actor may
    /// fill.
    #[error("there are too many already")]
    Full,
    /// The name is claimed with another key, or the key has claimed another name.
    #[error("the name or the key has another claim")]
    Claimed,
    /// An invitation keeps the name for somebody.
    #[error("an invitation keeps the name")]
    Reserved,
    /// The invitation does not permit this use, or no further one.
    #[error("the invitation does not permit this")]
    NotInvited,
}

/// Reason why a session may not send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpeechError {
    /// The author is banned, from the room or from the server.
    #[error("banned")]
    Banned,
    /// The author is muted, in the room or on the server.
    #[error("muted")]
    Muted,
    /// Only sessions with a role may talk in the room.
    #[error("only moderators talk here")]
    Moderated,
}

/// Rank of an actor or target in a scope. Nobody acts on somebody of equal or higher rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Without a role in the scope.
    Guest,
    /// Moderator of the room.
    RoomModerator,
    /// Owner of the room.
    RoomOwner,
    /// Moderator of the server.
    ServerModerator,
    /// Owner of the server.
    ServerOwner,
}

impl Rank {
    /// Returns the rank that a role gives in a room, or on the server (`None`).
    pub(super) const fn of(role: Option<Role>, room: Option<&NameKey>) -> Self {
        match (role, room) {
            (None, _) => Self::Guest,
            (Some(Role::Moderator), Some(_)) => Self::RoomModerator,
            (Some(Role::Owner), Some(_)) => Self::RoomOwner,
            (Some(Role::Moderator), None) => Self::ServerModerator,
            (Some(Role::Owner), None) => Self::ServerOwner,
        }
    }
}

impl ModerationState {
    /// Judges a fact at its place in the log: is the actor permitted to do this, is what should end
    /// in force, does a claim or the use of an invitation agree with those before it, and is there
    /// room for a further register of its class? `time`: that of the fact.
    ///
    /// # Errors
    /// [`FactError`]: the fact is not effective.
    pub fn judge(&self, draft: &FactDraft, time: Timestamp) -> Result<(), FactError> {
        let FactDraft { actor, action, .. } = draft;
        let is_permitted = match actor {
            Actor::CommandLine => true,
            Actor::Server => self.is_of_server(action),
            Actor::Session(actor) => self.is_permitted(actor.session, action),
        };
        if !is_permitted {
            return Err(FactError::NotPermitted);
        }
        let Some(register) = Register::of(action) else {
            return Ok(());
        };
        self.judge_place_of_claim(actor, action)?;
        self.judge_identity(action, time)?;
        let held = self.registers.get(&register);
        match Write::of(action) {
            Write::Set if held.is_none() && self.is_full(&register, actor) => Err(FactError::Full),
            Write::ClearIf(sequence) if held.is_none_or(|it| it.sequence != sequence) => {
                Err(FactError::NotInForce)
            }
            _ => Ok(()),
        }
    }

    /// Judges whether a claim finds a place. The use of an invitation that a claim follows is judged
    /// as the claim will be, so that a refused claim spends no invitation. Other actions pass.
    fn judge_place_of_claim(
        &self,
        actor: &Actor,
        action: &ModerationAction,
    ) -> Result<(), FactError> {
        use ModerationAction as Action;

        let (user, used_key) = match action {
            Action::NameClaimed { holder, .. } => (holder, None),
            Action::InvitationUsed { user, key, is_for_claim: true, .. } => (user, Some(*key)),
            _ => return Ok(()),
        };
        let name = user.username.key();
        let claim = self.claim(name);
        if let Some(key) = used_key {
            let is_others = claim.is_some_and(|it| Some(it.key) != key);
            let has_claim = key.is_some_and(|it| self.claim_of(&it).is_some());
            if is_others || has_claim {
                return Err(FactError::Claimed);
            }
        }
        if claim.is_none() && self.is_full(&Register::Claim(name.clone()), actor) {
            return Err(FactError::Full);
        }
        Ok(())
    }

    /// Returns true if as many registers of this one's class are set as this actor may fill.
    fn is_full(&self, register: &Register, actor: &Actor) -> bool {
        let class = register.class();
        self.registers.keys().filter(|it| it.class() == class).count() >= class.limit_for(actor)
    }

    /// Returns true if a session may perform an action.
    fn is_permitted(&self, actor: SessionId, action: &ModerationAction) -> bool {
        use ModerationAction as Action;

        let room = action.room().map(|it| it.key());
        let rank = self.rank(actor, room);
        let moderator = Rank::of(Some(Role::Moderator), room);
        match action {
            Action::RoleSet { holder, role, .. } => {
                let held = self.role(holder.session, room);
                self.owner_rank(actor, room) > Rank::of(max(*role, held), room)
                    && rank > self.rank(holder.session, room)
            }
            Action::Banned { sanction, group: None }
            | Action::BannedWithKey { sanction, group: None, .. }
            | Action::Muted(sanction) => {
                rank >= moderator && rank > self.target_rank(sanction, room)
            }
            Action::Banned { sanction, group: Some(_) }
            | Action::BannedWithKey { sanction, group: Some(_), .. } => {
                rank >= Rank::ServerModerator && rank > self.target_rank(sanction, room)
            }
            Action::SanctionEnded { .. } => {
                let held = Register::of(action).and_then(|it| self.registers.get(&it));
                let sanction = held.and_then(|it| it.draft.action.sanction());
                let target = sanction.map(|(_, it)| self.target_rank(it, room));
                rank >= moderator && target.is_none_or(|it| rank > it)
            }
            Action::Kicked { target, .. } => {
                let is_self = target.session == actor;
                rank >= moderator && (is_self || rank > self.rank(target.session, room))
            }
            Action::MessageRemoved { author, .. } => {
                let is_self = author.session == actor;
                is_self || rank >= moderator && rank > self.rank(author.session, room)
            }
            Action::RoomSet { .. } | Action::Announced(_) => rank >= moderator,
            Action::NameClaimed { holder: it, .. } | Action::InvitationUsed { user: it, .. } => {
                it.session == actor
            }
            Action::ClaimEnded { username, key, why, .. } => {
                let is_held = self.claim(username.key()).is_some_and(|it| it.key == *key);
                *why == ClaimEnd::GivenBack && is_held
            }
            Action::DeviceInvited { person: it, .. } | Action::DeviceLinked { person: it, .. } => {
                it.session == actor
            }
            Action::InvitationMade(_) | Action::InvitationRevoked { .. } => false,
        }
    }

    /// Returns true if the server may do this by itself.
    fn is_of_server(&self, action: &ModerationAction) -> bool {
        use ModerationAction as Action;

        match action {
            Action::SanctionEnded { .. } | Action::InvitationRevoked { .. } => true,
            Action::ClaimEnded { why, .. } => *why == ClaimEnd::Unused,
            Action::NameClaimed { holder, key, .. } => {
                self.claim(holder.username.key()).is_some_and(|it| it.key == *key)
            }
            _ => false,
        }
    }

    /// Returns the rank of a session in a room, or on the server (`None`). A role on the server
    /// counts in each room.
    pub(super) fn rank(&self, session: SessionId, room: Option<&NameKey>) -> Rank {
        let in_room = Rank::of(room.and_then(|_| self.role(session, room)), room);
        max(in_room, Rank::of(self.role(session, None), None))
    }

    /// Returns the rank of a session as an owner of a room or of the server; [`Rank::Guest`] if it
    /// owns neither. Only owners give roles.
    fn owner_rank(&self, session: SessionId, room: Option<&NameKey>) -> Rank {
        let owner = |room| Rank::of(self.role(session, room).filter(|it| *it == Role::Owner), room);
        max(owner(room), owner(None))
    }

    /// Returns the rank of the target of a sanction in the sanction's scope: that of its session. If
    /// it names no session, that of a session that got a role there under its name.
    fn target_rank(&self, sanction: &Sanction, room: Option<&NameKey>) -> Rank {
        // A guest who has taken the name of an absent moderator is no moderator.
        let by_name =
            self.roles().filter(|_| sanction.session.is_none()).filter_map(|it| {
                match &it.draft.action {
                    ModerationAction::RoleSet { holder, .. } => {
                        (holder.username == sanction.username).then_some(holder.session)
                    }
                    _ => None,
                }
            });
        let sessions = by_name.chain(sanction.session);
        sessions.map(|it| self.rank(it, room)).max().unwrap_or(Rank::Guest)
    }

    /// Returns true if a session has a role in a room, or on the server.
    #[must_use]
    pub fn has_role_in(&self, session: SessionId, room: Option<&NameKey>) -> bool {
        self.rank(session, room) > Rank::Guest
    }

    /// Judges a message at its place in the log: may its author send it? A session that is muted on
    /// the server may still write to sessions with a role, on the server or in any room. Slow mode
    /// is not judged here.
    ///
    /// # Errors
    /// [`SpeechError`]: the message must not be stored.
    pub fn judge_message(&self, draft: &Draft) -> Result<(), SpeechError> {
        if self.registers.is_empty() {
            return Ok(());
        }
        match &draft.target {
            Target::Room(room) => {
                let room = Some(room.key());
                self.judge_author(draft.author(), &draft.username, room)
            }
            Target::Session(recipient, _) => {
                match self.judge_author(draft.author(), &draft.username, None) {
                    Err(SpeechError::Muted) if self.has_role(*recipient) => Ok(()),
                    verdict => verdict,
                }
            }
        }
    }

    /// Judges the author of a message to a room, or to a session (`None`).
    fn judge_author(
        &self,
        session: SessionId,
        username: &Username,
        room: Option<&NameKey>,
    ) -> Result<(), SpeechError> {
        let is_hit = |kind| {
            let applies = |scope| self.sanction_of(kind, scope, session, username).is_some();
            applies(None) || room.is_some() && applies(room)
        };
        if !self.sanctions.is_empty() {
            if is_hit(SanctionKind::Ban) {
                return Err(SpeechError::Banned);
            }
            if is_hit(SanctionKind::Mute) {
                return Err(SpeechError::Muted);
            }
        }
        if room.is_some_and(|it| self.is_moderated(it)) && !self.has_role_in(session, room) {
            return Err(SpeechError::Moderated);
        }
        Ok(())
    }
}
