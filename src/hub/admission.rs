//! Who may come in, and under which name: invitations and claimed names at a `join`
//! (`docs/protocol/identity.md`).
//!
//! An invitation is spent by a fact. A `join` that needs a use proposes this fact when its session
//! has begun, and is accepted when the fact is committed: so the log's order decides who gets the
//! last use.

use super::Hub;
use super::contract::{ConnectionId, Now};
use super::handshake::{JoinRefusal, ValidatedJoin};
use super::joins::PendingJoin;
use super::moderation::Requester;
use crate::model::{
    Access, Actor, ErrorCode, FactDraft, IdentityKey, Invitation, InvitationCode, InvitationHash,
    ModerationAction, NamedSession, SessionId, Timestamp, Username,
};
use crate::moderation::{ClaimConflict, Invitee, MadeInvitation};

/// Text of error 202 about a name that looks like a claimed one.
const LOOKS_CLAIMED: &str = "This looks too much like a name that belongs to somebody.";

/// Text of error 207 about a name that an invitation reserves.
const KEPT_FOR_INVITED: &str = "This name is kept for somebody who was invited.";

/// Text of error 202 about a name that looks like one that an invitation reserves.
const LOOKS_KEPT: &str =
    "This looks too much like a name that is kept for somebody who was invited.";

/// Text of error 308 about a `join` whose invitation could not be spent.
const NOT_SPENT: &str = "The server cannot note that your invitation is used, so it cannot let you in now. Try again \
     later.";

/// User who wants to come in, as far as names and invitations are concerned.
#[derive(Clone, Copy)]
pub(super) struct Newcomer<'a> {
    /// Username.
    pub(super) username: &'a Username,
    /// Key that the client has proved.
    pub(super) key: Option<IdentityKey>,
    /// Session that is resumed.
    pub(super) session: Option<SessionId>,
}

impl Newcomer<'_> {
    /// Returns those by whose use of an invitation this user has used it: the key, and the session
    /// that is resumed.
    fn invitees(&self) -> impl Iterator<Item = Invitee> {
        let session = self.session.map(Invitee::Session);
        self.key.map(Invitee::Key).into_iter().chain(session)
    }
}

impl Hub {
    /// Checks the invitation that a `join` brings, and whether it needs one. Returns the hash of the
    /// invitation that the user may use; `None` if the `join` brings none, or one that this user has
    /// used before.
    ///
    /// # Errors
    /// The invitation is not valid (210), or one is needed (209).
    pub(super) fn check_access(
        &self,
        now: Timestamp,
        newcomer: Newcomer<'_>,
        code: Option<&str>,
    ) -> Result<Option<InvitationHash>, JoinRefusal> {
        let invitation = match code {
            Some(code) => self.check_invitation(now, newcomer, code)?,
            None => None,
        };
        let is_known = newcomer.session.is_some();
        if !is_known && self.needs_invitation(newcomer.key) && invitation.is_none() {
            return Err(ErrorCode::InviteRequired.into());
        }
        Ok(invitation)
    }

    /// Returns true if a new session needs an invitation. `key`: the key that the client has proved.
    pub(super) fn needs_invitation(&self, key: Option<IdentityKey>) -> bool {
        let is_admitted = key.is_some_and(|it| self.moderation.is_admitted(&it));
        self.settings.access == Access::Invited && !is_admitted
    }

    /// Returns true if a code is, or was, that of an invitation: it is no guess. One that was
    /// revoked or forgotten is known as long as its uses are.
    pub(super) fn is_known_code(&self, code: &str) -> bool {
        code.parse::<InvitationCode>().is_ok_and(|it| {
            let hash = it.hash();
            self.moderation.invitation(hash).is_some()
                || self.moderation.uses(hash).next().is_some()
                || self.moderation.find_link_code(hash).is_some()
        })
    }

    /// Checks the code of an invitation, as [`Self::check_access`].
    ///
    /// # Errors
    /// It is not valid. The text says why only if there is such an invitation.
    fn check_invitation(
        &self,
        now: Timestamp,
        newcomer: Newcomer<'_>,
        code: &str,
    ) -> Result<Option<InvitationHash>, JoinRefusal> {
        let unknown = || JoinRefusal::from(ErrorCode::InviteInvalid);
        let invalid = |text: &str| JoinRefusal::with_text(ErrorCode::InviteInvalid, text);
        let hash = code.parse::<InvitationCode>().map_err(|_| unknown())?.hash();
        // Before the invitation, which may be revoked or forgotten: its user need not notice.
        if self.has_used(newcomer, hash) {
            return Ok(None);
        }
        let MadeInvitation { invitation, fact } =
            self.moderation.invitation(hash).ok_or_else(unknown)?;
        if let Some(name) = invitation.username.as_ref().filter(|it| *it != newcomer.username) {
            return Err(invalid(&format!("This invitation is for the name {name}.")));
        }
        if invitation.has_ended(fact.time, now) {
            return Err(invalid("This invitation has ended: ask for another one."));
        }
        if self.moderation.uses_left(hash) == 0 {
            return Err(invalid("This invitation has been used already: ask for another one."));
        }
        Ok(Some(hash))
    }

    /// Returns true if the key, or the session that is resumed, has used an invitation.
    fn has_used(&self, newcomer: Newcomer<'_>, hash: InvitationHash) -> bool {
        let has_linked = |key: &IdentityKey| {
            let claim = self.moderation.claim_of(key);
            claim.is_some_and(|it| self.moderation.is_linked_by(&it, key, hash))
        };
        newcomer.invitees().any(|it| self.moderation.use_of(hash, it).is_some())
            || newcomer.key.as_ref().is_some_and(has_linked)
    }

    /// Checks that a name is not claimed by somebody else, does not look like such a name, and is not
    /// reserved by an invitation. `invitation`: the one that the user brings and may use. Who holds
    /// the name, connected or waiting for it to come back, keeps it, unless it is claimed.
    ///
    /// # Errors
    /// Error 207 or 202.
    pub(super) fn check_claims(
        &self,
        now: Timestamp,
        newcomer: Newcomer<'_>,
        invitation: Option<InvitationHash>,
    ) -> Result<(), JoinRefusal> {
        let Newcomer { username, key, session } = newcomer;
        let holds_name =
            session.is_some_and(|it| self.names.holders(username.key()).any(|of| of == it));
        let refuses = self.settings.refuse_lookalikes && !holds_name;
        match self.moderation.claim_conflict(username, key.as_ref(), refuses) {
            Some(ClaimConflict::Name) => return Err(ErrorCode::NameClaimed.into()),
            Some(ClaimConflict::Lookalike) => {
                return Err(JoinRefusal::with_text(ErrorCode::NameLookalike, LOOKS_CLAIMED));
            }
            None => {}
        }
        if !holds_name && self.is_reserved_for_others(now, newcomer, invitation) {
            return Err(JoinRefusal::with_text(ErrorCode::NameClaimed, KEPT_FOR_INVITED));
        }
        if refuses && self.looks_reserved_for_others(now, newcomer, invitation) {
            return Err(JoinRefusal::with_text(ErrorCode::NameLookalike, LOOKS_KEPT));
        }
        Ok(())
    }

    /// Returns true if an invitation reserves a name for somebody else that looks like the user's
    /// name. Nothing looks like a name that the user has claimed, or that an invitation reserves: it
    /// is the user's own.
    pub(super) fn looks_reserved_for_others(
        &self,
        now: Timestamp,
        newcomer: Newcomer<'_>,
        invitation: Option<InvitationHash>,
    ) -> bool {
        let name = newcomer.username.key();
        let is_own = self.moderation.claim(name).is_some()
            || self.moderation.reservations(name, now).next().is_some();
        !is_own
            && self.moderation.lookalike_reservations(name, now).any(|it| {
                let hash = it.invitation.hash;
                Some(hash) != invitation && !self.has_used(newcomer, hash)
            })
    }

    /// Returns true if an invitation reserves a name for somebody else: it is not the one that the
    /// user brings (`invitation`), and the user has not used it.
    pub(super) fn is_reserved_for_others(
        &self,
        now: Timestamp,
        newcomer: Newcomer<'_>,
        invitation: Option<InvitationHash>,
    ) -> bool {
        self.moderation.reservations(newcomer.username.key(), now).any(|it| {
            let hash = it.invitation.hash;
            Some(hash) != invitation && !self.has_used(newcomer, hash)
        })
    }

    /// Returns why no invitation for a name can be made, for the owner who asks for it; `None` if
    /// one can. The log decides again when it stores the invitation.
    pub(super) fn invitation_conflict(
        &self,
        now: Timestamp,
        invitation: &Invitation,
    ) -> Option<String> {
        let name = invitation.username.as_ref()?;
        if let Some(claim) = self.moderation.claim(name.key()) {
            let name = claim.username;
            return Some(format!(
                "The name {name} is claimed: chat-server claims release {name} makes it free."
            ));
        }
        let made = self.moderation.reservations(name.key(), now).next()?;
        let name = made.invitation.username.as_ref().unwrap_or(name);
        let id = made.invitation.hash.id();
        Some(format!(
            "The invitation {id} keeps the name {name} already: chat-server invitations revoke {id} \
             ends it."
        ))
    }

    /// If a new session needs its invitation to come in, proposes to spend it, and returns true: the
    /// `join` is completed by [`Self::finish_admission`].
    pub(super) fn spend_to_come_in(
        &mut self,
        id: ConnectionId,
        pending: &mut PendingJoin,
        session: SessionId,
    ) -> bool {
        let (key, username) = (pending.join.key, pending.join.username.clone());
        if self.propose_link(id, &pending.join) {
            pending.begun = Some(session);
            return true;
        }
        let Some(invitation) = pending.join.invitation else {
            return false;
        };
        if pending.join.resumed.is_some() || !self.needs_invitation(key) {
            return false;
        }
        pending.begun = Some(session);
        self.propose_use(Requester::Join(id), session, username, key, invitation, false);
        true
    }

    /// Returns true if a `join` whose invitation or link code was not accepted has no need of it:
    /// another one of its key has used that.
    fn is_admitted_meanwhile(&self, join: &ValidatedJoin) -> bool {
        match join.link_code {
            Some(_) => self.is_linked(join),
            None => !self.needs_invitation(join.key),
        }
    }

    /// Proposes to spend a use of an invitation.
    pub(super) fn propose_use(
        &mut self,
        requester: Requester,
        session: SessionId,
        username: Username,
        key: Option<IdentityKey>,
        invitation: InvitationHash,
        is_for_claim: bool,
    ) {
        let user = NamedSession { session, username };
        let actor = Actor::Session(user.clone());
        let action = ModerationAction::InvitationUsed { invitation, user, key, is_for_claim };
        self.propose_fact(requester, FactDraft { actor, action, reason: None }, None);
    }

    /// Completes a `join` whose invitation the log has judged: accepts it, or refuses it if somebody
    /// else has got the last use, or if the log could not store it. If the connection has ended
    /// meanwhile, its session ends too: nobody has its token.
    pub(super) fn finish_admission(
        &mut self,
        now: Now,
        id: ConnectionId,
        outcome: Result<usize, ErrorCode>,
    ) {
        let Some((pending, session)) =
            self.pending_joins.remove(&id).and_then(|it| it.begun.map(|session| (it, session)))
        else {
            return;
        };
        match (outcome, pending.lost) {
            (_, Some(_)) => self.release_name(session),
            (Ok(_), None) => self.complete_join(now, id, pending, session),
            // Another join of this key has spent the use or the link code meanwhile.
            (Err(ErrorCode::CannotClaim), None) if self.is_admitted_meanwhile(&pending.join) => {
                self.complete_join(now, id, pending, session);
            }
            (Err(code), None) => {
                self.release_name(session);
                let refusal = match code {
                    ErrorCode::NotStored => JoinRefusal::with_text(code, NOT_SPENT),
                    _ => JoinRefusal::with_text(
                        ErrorCode::InviteInvalid,
                        "This invitation has been used already: ask for another one.",
                    ),
                };
                self.refuse_pending_join(now, id, pending.into_token(), &refusal);
            }
        }
    }
}
