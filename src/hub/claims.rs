//! Claimed names: `claim`, the renewal of claims in use, the end of unused ones, and of invitations
//! that are over (`docs/protocol/identity.md`).
//!
//! What ends by the wall clock ends only when that is trusted ([`ClockTrust`]).

use std::time::Duration;

use super::Hub;
use super::admission::Newcomer;
use super::clock_trust::ClockTrust;
use super::contract::{ConnectionId, Now};
use super::moderation::Requester;
use crate::model::{
    Actor, ClaimEnd, ClaimPolicy, ErrorCode, FactDraft, IdentityKey, InvitationHash,
    ModerationAction, Moment, NameKey, NamedSession, SessionId, Timestamp, Username,
};
use crate::moderation::{Claim, ClaimConflict, Invitee};
use crate::wire::tcp::{Claim as ClaimFrame, claim_action, kind};

/// Time between two looks at the claims and invitations.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Time after which the claim of a name that is in use is renewed.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(7 * DAY);

/// Time after which an invitation is forgotten that is over or used up.
const INVITATION_MEMORY: Duration = Duration::from_secs(30 * DAY);

/// Maximum number of facts that are proposed at one look.
const MAX_PROPOSALS: usize = 100;

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// 2020-01-01. A fact with an earlier time was dated by a clock that was not set: the time says
/// nothing.
const EARLIEST_PLAUSIBLE: Timestamp = Timestamp(1_577_836_800_000);

/// When to look at the claims and invitations.
#[derive(Debug)]
pub(super) struct IdentityTimer {
    /// Decides whether the wall clock is trusted.
    clock: ClockTrust,
    /// Whether it is, by the last reading.
    is_trusted: bool,
    /// Moment of the next look.
    next: Moment,
}

impl IdentityTimer {
    /// Starts the timer.
    pub(super) fn start(now: Now) -> Self {
        let mut clock = ClockTrust::default();
        let is_trusted = clock.update(now);
        Self { clock, is_trusted, next: now.moment + CHECK_INTERVAL }
    }

    /// Takes a reading of the clocks. Call it for each input, so that it notices when the clock is
    /// set.
    pub(super) fn read_clocks(&mut self, now: Now) {
        self.is_trusted = self.clock.update(now);
    }

    /// Returns the moment of the next look.
    pub(super) const fn next(&self) -> Moment {
        self.next
    }

    /// Returns true if a look is due, and sets the moment of the next one. There is nothing to do
    /// while the wall clock is not trusted.
    fn take_due(&mut self, now: Moment) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + CHECK_INTERVAL;
        self.is_trusted
    }
}

/// Refusal of a `claim`: the text of error 317.
type ClaimRefusal = String;

impl Hub {
    /// Handles `claim`: claims the name of the session with its key, or gives up the claim of this
    /// key. The log decides; the answer is `done`, or error 317.
    pub(super) fn handle_claim(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        frame: &ClaimFrame,
    ) {
        let (about, reference) = (kind::CLAIM, frame.reference);
        let requester = Requester::Client { connection: id, about, reference };
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let user = NamedSession { session, username: known.username.clone() };
        let Some(key) = known.key else {
            return self.refuse_claim(&requester, self.text_without_key());
        };
        match frame.action {
            claim_action::CLAIM => self.claim_name(requester, user, key),
            claim_action::GIVE_UP => self.give_up_claim(requester, user, &key),
            _ => self.answer_moderation(&requester, Err(ErrorCode::NotPermitted)),
        }
    }

    /// Returns the text for a client that has proved no key.
    fn text_without_key(&self) -> ClaimRefusal {
        match self.settings.is_durable {
            true => "Your client has proved no key, and a name is claimed with one.",
            false => "This server keeps nothing on a disk, so no name can be claimed.",
        }
        .to_owned()
    }

    /// Claims the name of a session, or says why not.
    fn claim_name(&mut self, requester: Requester, user: NamedSession, key: IdentityKey) {
        if let Some(held) = self.moderation.claim_of(&key) {
            if held.username == &user.username {
                return self.answer_moderation(&requester, Ok(1));
            }
            let text =
                format!("You have claimed the name {} already: give it up first.", held.username);
            return self.refuse_claim(&requester, text);
        }
        let invitation = match self.permit_claim(&user, key) {
            Ok(invitation) => invitation,
            Err(text) => return self.refuse_claim(&requester, text),
        };
        if let Some(invitation) = invitation {
            let NamedSession { session, username } = user.clone();
            let key = match self.invitee_to_claim(invitation, session, key) {
                Invitee::Key(key) => Some(key),
                Invitee::Session(_) => None,
            };
            self.propose_use(Requester::Hub, session, username, key, invitation, true);
        }
        let actor = Actor::Session(user.clone());
        let action = ModerationAction::NameClaimed { holder: user, key, invitation };
        self.propose_fact(requester, FactDraft { actor, action, reason: None }, None);
    }

    /// Returns the invitation that permits a claim; `None` if none is needed.
    ///
    /// # Errors
    /// Why the name cannot be claimed.
    fn permit_claim(
        &self,
        user: &NamedSession,
        key: IdentityKey,
    ) -> Result<Option<InvitationHash>, ClaimRefusal> {
        let NamedSession { session, username } = user;
        let now = self.wall_clock();
        let refuses = self.settings.refuse_lookalikes;
        match self.moderation.claim_conflict(username, Some(&key), refuses) {
            Some(ClaimConflict::Name) => return Err("This name belongs to somebody.".to_owned()),
            Some(ClaimConflict::Lookalike) => {
                return Err(
                    "This name looks too much like one that belongs to somebody.".to_owned()
                );
            }
            None => {}
        }
        let invitation = self.find_claim_permit(now, *session, username, key);
        let claimer = Newcomer { username, key: Some(key), session: Some(*session) };
        if self.is_reserved_for_others(now, claimer, invitation) {
            return Err("This name is kept for somebody who was invited.".to_owned());
        }
        match self.settings.claims {
            ClaimPolicy::Off => Err("On this server no name can be claimed.".to_owned()),
            ClaimPolicy::Invited if invitation.is_none() => {
                Err("You need an invitation to claim this name: ask whoever runs the server."
                    .to_owned())
            }
            ClaimPolicy::Invited => Ok(invitation),
            ClaimPolicy::Open => {
                let reserves = |hash: &InvitationHash| {
                    let mut reserving = self.moderation.reservations(username.key(), now);
                    reserving.any(|it| it.invitation.hash == *hash)
                };
                Ok(invitation.filter(reserves))
            }
        }
    }

    /// Returns an invitation by which a session may claim a name: one that it or its key has come in
    /// by, or the one that it has brought, if that has not ended. One for this name is preferred.
    fn find_claim_permit(
        &self,
        now: Timestamp,
        session: SessionId,
        username: &Username,
        key: IdentityKey,
    ) -> Option<InvitationHash> {
        let brought = self.sessions.get(session).and_then(|it| it.invitation).filter(|it| {
            let made = self.moderation.invitation(*it);
            made.is_some_and(|it| !it.invitation.has_ended(it.fact.time, now))
        });
        self.moderation
            .used_by(&key)
            .chain(self.moderation.used_by_session(session))
            .chain(brought)
            .filter(|it| {
                let invitee = self.invitee_to_claim(*it, session, key);
                self.moderation.may_use(*it, invitee, username, true)
            })
            .max_by_key(|it| {
                self.moderation.invitation(*it).is_some_and(|it| it.invitation.username.is_some())
            })
    }

    /// Returns by whose use of an invitation a session claims a name: its own, if it came in by it
    /// before it was bound to the key; else that of the key. So a claim costs no second use.
    fn invitee_to_claim(
        &self,
        invitation: InvitationHash,
        session: SessionId,
        key: IdentityKey,
    ) -> Invitee {
        let own = Invitee::Session(session);
        let has_used = |it| self.moderation.use_of(invitation, it).is_some();
        if has_used(own) && !has_used(Invitee::Key(key)) { own } else { Invitee::Key(key) }
    }

    /// Returns the time of the wall clock, right or wrong, at the input that is handled.
    pub(super) fn wall_clock(&self) -> Timestamp {
        self.identity_timer.clock.last().map_or(Timestamp(0), |it| it.time)
    }

    /// Gives up the claim of a key. Answers at once if there is none.
    fn give_up_claim(&mut self, requester: Requester, user: NamedSession, key: &IdentityKey) {
        let Some(claim) = self.moderation.claim_of(key) else {
            return self.answer_moderation(&requester, Ok(0));
        };
        let action = end_of(claim, ClaimEnd::GivenBack);
        let draft = FactDraft { actor: Actor::Session(user), action, reason: None };
        self.propose_fact(requester, draft, None);
    }

    /// Renews the claim of the name with which a session has joined, if that is due.
    pub(super) fn renew_claim(&mut self, now: Timestamp, session: SessionId) {
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let user = NamedSession { session, username: known.username.clone() };
        let claim = self.moderation.claim(known.username.key());
        if let Some(claim) = claim.filter(|it| Some(it.key) == known.key)
            && claim.fact.time.until(now) >= self.renewal_interval()
        {
            let draft = renewal_of(claim, user);
            self.propose_fact(Requester::Hub, draft, None);
        }
    }

    /// Returns the time after which the claim of a name that is in use is renewed: much less than
    /// that after which an unused one ends.
    fn renewal_interval(&self) -> Duration {
        match self.settings.claims_unused {
            0 => RENEWAL_INTERVAL,
            days => RENEWAL_INTERVAL.min(Duration::from_secs(u64::from(days) * DAY / 10)),
        }
    }

    /// Returns the moment of the next look at claims and invitations; `None` if there are none.
    pub(super) fn next_identity_check(&self) -> Option<Moment> {
        self.moderation.has_identities().then(|| self.identity_timer.next())
    }

    /// If a look is due: renews the claims of those who are here, ends the claims that were not used
    /// for too long, and forgets the invitations that were over long ago.
    pub(super) fn check_identities(&mut self, now: Now) {
        if !self.identity_timer.take_due(now.moment) {
            return;
        }
        let claims = self.moderation.claims().filter_map(|it| self.due_change(now.time, it));
        let over = self.moderation.invitations().into_iter().map(|it| it.invitation.hash);
        let over = over.filter(|it| self.is_forgotten(now.time, *it)).map(|invitation| {
            let action = ModerationAction::InvitationRevoked { invitation };
            FactDraft { actor: Actor::Server, action, reason: None }
        });
        let drafts: Vec<FactDraft> = claims.chain(over).take(MAX_PROPOSALS).collect();
        for draft in drafts {
            self.propose_fact(Requester::Hub, draft, None);
        }
    }

    /// Returns the fact that renews or ends a claim, if one is due.
    fn due_change(&self, now: Timestamp, claim: Claim<'_>) -> Option<FactDraft> {
        let idle = claim.fact.time.until(now);
        if let Some(holder) = self.present_holder(claim.username.key(), claim.key) {
            return (idle >= self.renewal_interval()).then(|| renewal_of(claim, holder));
        }
        let most = Duration::from_secs(u64::from(self.settings.claims_unused) * DAY);
        if most.is_zero() || idle < most {
            return None;
        }
        if claim.fact.time < EARLIEST_PLAUSIBLE
            && let ModerationAction::NameClaimed { holder, .. } = &claim.fact.draft.action
        {
            return Some(renewal_of(claim, holder.clone()));
        }
        let action = end_of(claim, ClaimEnd::Unused);
        Some(FactDraft { actor: Actor::Server, action, reason: None })
    }

    /// Returns the connected session that has a name and is bound to a key.
    fn present_holder(&self, name: &NameKey, key: IdentityKey) -> Option<NamedSession> {
        let session = self.names.holder(name)?;
        let known = self.sessions.get(session)?;
        let is_present = known.connection.is_some() && known.key == Some(key);
        is_present.then(|| NamedSession { session, username: known.username.clone() })
    }

    /// Returns true if an invitation is over, or used up, for so long that it is forgotten.
    fn is_forgotten(&self, now: Timestamp, hash: InvitationHash) -> bool {
        let Some(made) = self.moderation.invitation(hash) else {
            return false;
        };
        let end = made.invitation.length.end(made.fact.time);
        let last_use = self.moderation.uses(hash).map(|it| it.time).max();
        let used_up = last_use.filter(|_| self.moderation.uses_left(hash) == 0);
        let is_long_ago = |it: Timestamp| it.until(now) >= INVITATION_MEMORY;
        end.is_some_and(is_long_ago) || used_up.is_some_and(is_long_ago)
    }

    /// Answers a `claim` by error 317 with a text.
    fn refuse_claim(&mut self, requester: &Requester, text: ClaimRefusal) {
        self.refuse_with_text(requester, ErrorCode::CannotClaim, text);
    }
}

/// Returns the action that ends a claim.
fn end_of(claim: Claim<'_>, why: ClaimEnd) -> ModerationAction {
    let (username, key) = (claim.username.clone(), claim.key);
    ModerationAction::ClaimEnded { username, key, claim: claim.fact.sequence, why }
}

/// Returns the fact that renews a claim. `holder`: who has the name.
fn renewal_of(claim: Claim<'_>, holder: NamedSession) -> FactDraft {
    let (key, invitation) = (claim.key, claim.invitation);
    let action = ModerationAction::NameClaimed { holder, key, invitation };
    FactDraft { actor: Actor::Server, action, reason: None }
}
