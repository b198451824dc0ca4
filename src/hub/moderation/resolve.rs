//! Requests as actions: which session a username means, which sanction ends.

use std::net::Ipv4Addr;

use super::super::Hub;
use super::proposals::ResolvedRequest;
use crate::model::{
    AddressGroup, AnnouncementText, ClaimEnd, ErrorCode, IdentityKey, InvitationHash, InvitationId,
    ModerationAction, ModerationRequest, Moment, NamedSession, RoomName, Sanction, SanctionKind,
    Scope, Sequence, SessionId, UserSelector, Username,
};
use crate::moderation::Register;

/// Session number of nobody, in the placeholder of an action whose target is not found.
const NOBODY: SessionId = SessionId(0);

impl Hub {
    /// Turns a request into an action. [`ModerationRequest::Remove`] is not resolved here: it needs
    /// the message.
    pub(super) fn resolve_request(
        &self,
        now: Moment,
        request: ModerationRequest,
    ) -> ResolvedRequest {
        match request {
            ModerationRequest::SetRole { scope, user, role } => {
                let scope = self.canonical_scope(scope);
                let known = role.is_none().then(|| self.find_role_holder(&scope, &user)).flatten();
                let (holder, problem) =
                    known.map_or_else(|| self.find_present(now, &user), |it| (it, None));
                let action = ModerationAction::RoleSet { scope, holder, role };
                ResolvedRequest { problem, ..ResolvedRequest::new(action) }
            }
            ModerationRequest::Kick { scope, user, reason } => {
                let (target, problem) = self.find_present(now, &user);
                let action =
                    ModerationAction::Kicked { scope: self.canonical_scope(scope), target };
                ResolvedRequest { reason, problem, ..ResolvedRequest::new(action) }
            }
            ModerationRequest::Ban { scope, user, length, by_address, is_dry_run, reason } => {
                let (found, problem) = self.find_or_none(now, &user);
                let sanction = self.sanction(scope, user.username, found, length);
                let sessions = found.map(|it| self.sessions_known_by(it)).unwrap_or_default();
                let latest = sessions.last().copied();
                let group = latest.filter(|_| by_address);
                let group = group.and_then(|it| self.sessions.get(it)).and_then(|it| it.group());
                // A ban by address that would leave the address out is another ban.
                let unknown =
                    (by_address && group.is_none()).then_some(ErrorCode::RecipientUnknown);
                let problem = problem.or(unknown);
                // Any address will do: it needs the permission to ban by address.
                let placeholder = AddressGroup::of(Ipv4Addr::UNSPECIFIED.into());
                let group = group.or(unknown.map(|_| placeholder));
                let claim = found.and_then(|it| self.moderation.claim_of_person(it));
                let key = claim.map(|it| it.key).or(latest.and_then(|it| self.bound_key(it)));
                let action = match key {
                    Some(key) => ModerationAction::BannedWithKey { sanction, group, key },
                    None => ModerationAction::Banned { sanction, group },
                };
                ResolvedRequest { reason, problem, is_dry_run, ..ResolvedRequest::new(action) }
            }
            ModerationRequest::Mute { scope, user, length, reason } => {
                let (found, problem) = self.find_or_none(now, &user);
                let action =
                    ModerationAction::Muted(self.sanction(scope, user.username, found, length));
                ResolvedRequest { reason, problem, ..ResolvedRequest::new(action) }
            }
            ModerationRequest::EndSanction { kind, scope, username } => {
                ResolvedRequest::new(self.sanction_end(kind, scope, username))
            }
            ModerationRequest::SetRoom { room, setting } => {
                let room = self.canonical_room(room);
                ResolvedRequest::new(ModerationAction::RoomSet { room, setting })
            }
            ModerationRequest::Announce { scope, text } => {
                let scope = self.canonical_scope(scope);
                let announcement: Option<AnnouncementText> = Some(text);
                let action = ModerationAction::Announced(scope);
                ResolvedRequest { announcement, ..ResolvedRequest::new(action) }
            }
            ModerationRequest::MakeInvitation(invitation) => {
                ResolvedRequest::new(ModerationAction::InvitationMade(invitation))
            }
            ModerationRequest::RevokeInvitation { id } => {
                let invitation = self.find_invitation(id);
                ResolvedRequest::new(ModerationAction::InvitationRevoked { invitation })
            }
            ModerationRequest::ReleaseClaim { username } => {
                ResolvedRequest::new(self.claim_end(&username, ClaimEnd::Released))
            }
            ModerationRequest::Remove { room, message, reason } => {
                let action = removal_of_unknown(room, message);
                let problem = Some(ErrorCode::MessageUnknown);
                ResolvedRequest { reason, problem, ..ResolvedRequest::new(action) }
            }
        }
    }

    /// Returns the session that got a role in this scope under the username of a selector, and still
    /// has it. If there are several, the one that has the name now; otherwise the first one. So the
    /// role of a session can be taken whose name somebody else has now, and of one that will not come
    /// back.
    fn find_role_holder(&self, scope: &Scope, user: &UserSelector) -> Option<NamedSession> {
        let present = self.names.holder(user.username.key()).map(|it| self.number_of(it));
        let mut first = None;
        for fact in self.moderation.roles() {
            if let ModerationAction::RoleSet { scope: held, holder, .. } = &fact.draft.action
                && held.room() == scope.room()
                && holder.username == user.username
                && user.session.is_none_or(|it| self.number_of(it) == holder.session)
            {
                if Some(holder.session) == present {
                    return Some(holder.clone());
                }
                first.get_or_insert(holder);
            }
        }
        first.cloned()
    }

    /// Returns the user that a selector means, by [number](Hub::number_of): the person who has
    /// claimed the name, or else the session that holds it, or that was disconnected last under it.
    /// If there is none, or another one than the selector requires, returns a placeholder and the
    /// error.
    fn find_present(&self, now: Moment, user: &UserSelector) -> (NamedSession, Option<ErrorCode>) {
        let (found, changed) = self.find_or_none(now, user);
        let problem = changed.or(found.is_none().then_some(ErrorCode::RecipientUnknown));
        let username = found.and_then(|it| self.name_known_by(it));
        let username = username.unwrap_or_else(|| user.username.clone());
        (NamedSession { session: found.unwrap_or(NOBODY), username }, problem)
    }

    /// Returns the number of the user that a selector means, as [`Self::find_present`] does; `None` if
    /// nobody has the name. Also returns an error if the selector requires another session.
    fn find_or_none(
        &self,
        now: Moment,
        user: &UserSelector,
    ) -> (Option<SessionId>, Option<ErrorCode>) {
        let key = user.username.key();
        let found = self
            .moderation
            .claim(key)
            .map(|it| it.person)
            .or_else(|| self.names.holder(key).filter(|it| self.sessions.get(*it).is_some()))
            .or_else(|| self.sessions.find_away_by_name(key, now));
        let required = user.session.map(|it| self.number_of(it));
        let is_other = required.is_some() && required != found;
        (found, is_other.then_some(ErrorCode::RecipientChanged))
    }

    /// Returns the name of a user in the spelling of their session, or of their claim. `number`: by
    /// which the user is known.
    fn name_known_by(&self, number: SessionId) -> Option<Username> {
        let present = self.sessions_known_by(number).into_iter().rev();
        let mut known = present.filter_map(|it| self.sessions.get(it));
        known
            .next()
            .map(|it| it.username.clone())
            .or_else(|| self.moderation.claim_of_person(number).map(|it| it.username.clone()))
    }

    /// Builds a sanction. Its username has the spelling of the session, if one is found.
    fn sanction(
        &self,
        scope: Scope,
        username: Username,
        session: Option<SessionId>,
        length: crate::model::SanctionLength,
    ) -> Sanction {
        let username = session.and_then(|it| self.name_known_by(it)).unwrap_or(username);
        Sanction { scope: self.canonical_scope(scope), username, session, length }
    }

    /// Returns the action that ends the sanction of a name. If there is no such sanction, the
    /// action names none that was ever in force.
    pub(super) fn sanction_end(
        &self,
        kind: SanctionKind,
        scope: Scope,
        username: Username,
    ) -> ModerationAction {
        let key = scope.room().map(|it| it.key().clone());
        let register = Register::Sanction(kind, key, username.key().clone());
        let imposed = self.moderation.value(&register);
        let sanction = imposed.map_or(Sequence::ZERO, |it| it.sequence);
        ModerationAction::SanctionEnded { kind, scope, username, sanction }
    }

    /// Returns the hash of the invitation with this identifier. If there is none, a hash that none
    /// ever had.
    fn find_invitation(&self, id: InvitationId) -> InvitationHash {
        let found = self.moderation.invitations().into_iter().map(|it| it.invitation.hash);
        found.into_iter().find(|it| it.id() == id).unwrap_or(InvitationHash([0; 32]))
    }

    /// Returns the action that ends the claim of a name. If there is no such claim, the action names
    /// none that was ever in force.
    pub(super) fn claim_end(&self, username: &Username, why: ClaimEnd) -> ModerationAction {
        let claim = self.moderation.claim(username.key());
        let (username, key, claim) = claim.map_or_else(
            || (username.clone(), IdentityKey([0; 32]), Sequence::ZERO),
            |it| (it.username.clone(), it.key, it.fact.sequence),
        );
        ModerationAction::ClaimEnded { username, key, claim, why }
    }

    /// Returns the name of a room in its canonical spelling, if the room is open.
    pub(super) fn canonical_room(&self, room: RoomName) -> RoomName {
        let open = self.rooms.find(&room).and_then(|it| self.rooms.get(it));
        open.map_or(room, |it| it.name.clone())
    }

    /// Returns a scope with the name of its room in the canonical spelling.
    fn canonical_scope(&self, scope: Scope) -> Scope {
        match scope {
            Scope::Server => Scope::Server,
            Scope::Room(room) => Scope::Room(self.canonical_room(room)),
        }
    }
}

/// Returns the placeholder of the removal of a message that is not there: nobody has written it.
pub(super) fn removal_of_unknown(room: RoomName, message: Sequence) -> ModerationAction {
    // Any name will do: a permission depends on the session.
    let username = Username::from_text("");
    let author = NamedSession { session: NOBODY, username };
    ModerationAction::MessageRemoved { room, message, author }
}
