//! Claimed names: `claim`, the renewal of claims in use, the end of unused ones, and of invitations
//! that are over (`docs/protocol/identity.md`).
//!
//! What ends by the wall clock ends only when that is trusted ([`ClockTrust`]).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Hub;
use super::admission::Newcomer;
use super::clock_trust::ClockTrust;
use super::contract::{ConnectionId, Now, Quota};
use super::moderation::Requester;
use crate::model::{
    Actor, AddressGroup, ClaimEnd, ClaimPolicy, ErrorCode, FactDraft, IdentityKey, InvitationHash,
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
    /// Last uses of claimed names since the start of the server, by the monotonic clock: the key of
    /// the claim, and the moment. It has at most one for each claim in force.
    uses: BTreeMap<NameKey, (IdentityKey, Moment)>,
}

impl IdentityTimer {
    /// Starts the timer.
    pub(super) fn start(now: Now) -> Self {
        let mut clock = ClockTrust::default();
        let is_trusted = clock.update(now);
        Self { clock, is_trusted, next: now.moment + CHECK_INTERVAL, uses: BTreeMap::new() }
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

    /// Notes that a claimed name is in use with the key of its claim.
    pub(super) fn note_use(&mut self, name: NameKey, key: IdentityKey, now: Moment) {
        self.uses.insert(name, (key, now));
    }

    /// Returns the time since a claimed name was last used; `None` if it was not since the start.
    fn time_since_use(&self, claim: &Claim<'_>, now: Moment) -> Option<Duration> {
        let (key, moment) = self.uses.get(claim.username.key())?;
        (*key == claim.key).then(|| now.since(*moment))
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

/// Text of error 317 for whoever has an invitation that excludes a claim.
const CLAIM_NOT_PERMITTED: &str =
    "Your invitation does not permit a claim: ask whoever runs the server for one that does.";

/// Text of error 317 for whose address has made too many claims.
const TOO_MANY_CLAIMS: &str = "Your address has claimed many names lately: try again in an hour, or ask whoever \
     runs the server for an invitation.";

/// Refusal of a `claim`: the text of error 317.
type ClaimRefusal = String;

/// What permits a claim.
enum ClaimPermit {
    /// This invitation.
    Invitation(InvitationHash),
    /// The policy: everybody may claim a name. The claim counts for the claimer's address group. If
    /// that may make no more, this invitation permits the claim, if there is one.
    Policy(Option<InvitationHash>),
}

impl Hub {
    /// Handles `claim`: claims the name of the session with its key, or gives up the claim of this
    /// key. The log decides; the answer is `done`, or error 317.
    pub(super) fn handle_claim(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        frame: &ClaimFrame,
    ) {
        let (about, reference) = (kind::CLAIM, frame.reference);
        let requester = Requester::Client { connection: id, about, reference };
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        let user = NamedSession { session, username: known.username.clone() };
        let Some(key) = known.key else {
            return self.refuse_claim(&requester, self.text_without_key());
        };
        match frame.action {
            claim_action::CLAIM => self.claim_name(now, requester, group, user, key),
            claim_action::GIVE_UP => self.give_up_claim(requester, user, &key),
            claim_action::LINK | claim_action::UNLINK_OTHERS => {
                self.handle_device_claim(now, requester, group, session, key, frame);
            }
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
    fn claim_name(
        &mut self,
        now: Moment,
        requester: Requester,
        group: AddressGroup,
        user: NamedSession,
        key: IdentityKey,
    ) {
        if let Some(held) = self.moderation.claim_of(&key) {
            if held.username == &user.username {
                return self.answer_moderation(&requester, Ok(1));
            }
            let text =
                format!("You have claimed the name {} already: give it up first.", held.username);
            return self.refuse_claim(&requester, text);
        }
        let invitation = match self.permit_claim(&user, key) {
            Ok(ClaimPermit::Invitation(it)) => Some(it),
            Ok(ClaimPermit::Policy(spare)) => {
                if self.quotas.take_claim(group, now) {
                    None
                } else if spare.is_some() {
                    spare
                } else {
                    self.report_quota(group, Quota::Claims);
                    return self.refuse_claim(&requester, TOO_MANY_CLAIMS.to_owned());
                }
            }
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

    /// Returns what permits a claim.
    ///
    /// # Errors
    /// Why the name cannot be claimed.
    fn permit_claim(
        &self,
        user: &NamedSession,
        key: IdentityKey,
    ) -> Result<ClaimPermit, ClaimRefusal> {
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
            let brought = self.sessions.get(*session).and_then(|it| it.invitation);
            return Err(if self.is_reserved_for_others(now, claimer, brought) {
                "This name is kept for somebody who was invited.".to_owned()
            } else {
                CLAIM_NOT_PERMITTED.to_owned()
            });
        }
        if refuses && self.looks_reserved_for_others(now, claimer, invitation) {
            return Err("This name looks too much like one that is kept for somebody who was \
                        invited."
                .to_owned());
        }
        match self.settings.claims {
            ClaimPolicy::Off => Err("On this server no name can be claimed.".to_owned()),
            ClaimPolicy::Invited => match invitation {
                Some(it) => Ok(ClaimPermit::Invitation(it)),
                None => Err(self.text_without_permit(*session, key).to_owned()),
            },
            ClaimPolicy::Open => {
                let reserves = |hash: &InvitationHash| {
                    let mut reserving = self.moderation.reservations(username.key(), now);
                    reserving.any(|it| it.invitation.hash == *hash)
                };
                Ok(match invitation {
                    Some(it) if reserves(&it) => ClaimPermit::Invitation(it),
                    spare => ClaimPermit::Policy(spare),
                })
            }
        }
    }

    /// Returns the text for whoever needs an invitation that permits a claim, and has none.
    fn text_without_permit(&self, session: SessionId, key: IdentityKey) -> &'static str {
        let brought = self.sessions.get(session).and_then(|it| it.invitation);
        let mut own = self
            .moderation
            .used_by(&key)
            .chain(self.moderation.used_by_session(session))
            .chain(brought)
            .filter_map(|it| self.moderation.invitation(it));
        if own.any(|it| !it.invitation.permits_claim) {
            CLAIM_NOT_PERMITTED
        } else {
            "You need an invitation to claim this name: ask whoever runs the server."
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

    /// Notes that a session has joined under a name that is claimed with its key, and renews the
    /// claim if that is due. While the clock is not trusted, the next look at the claims does that.
    pub(super) fn renew_claim(&mut self, now: Now, session: SessionId) {
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let username = known.username.clone();
        let Some(claim) = self.moderation.own_claim(username.key(), known.key) else {
            return;
        };
        self.identity_timer.note_use(claim.username.key().clone(), claim.key, now.moment);
        let is_due = claim.fact.time.until(now.time) >= self.renewal_interval();
        if is_due && self.identity_timer.is_trusted {
            let draft = renewal_of(claim, username);
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
        let is_in_force = |name: &NameKey, key: IdentityKey| {
            self.moderation.claim(name).is_some_and(|it| it.key == key)
        };
        self.identity_timer.uses.retain(|name, (key, _)| is_in_force(name, *key));
        let present: Vec<(NameKey, IdentityKey)> = self
            .moderation
            .claims()
            .filter(|it| self.present_name(it).is_some())
            .map(|it| (it.username.key().clone(), it.key))
            .collect();
        for (name, key) in present {
            self.identity_timer.note_use(name, key, now.moment);
        }
        if self.rank() > 0 {
            // The oldest hub does it.
            return;
        }
        let claims = self.moderation.claims().filter_map(|it| self.due_change(now, it));
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

    /// Returns the fact that renews or ends a claim, if one is due. The wall clock tells when the claim
    /// was made or renewed, and may have been wrong then. So a use since the start counts by the
    /// monotonic clock.
    fn due_change(&self, now: Now, claim: Claim<'_>) -> Option<FactDraft> {
        let ModerationAction::NameClaimed { holder, .. } = &claim.fact.draft.action else {
            return None;
        };
        let age = claim.fact.time.until(now.time);
        let since_use = self.identity_timer.time_since_use(&claim, now.moment);
        let unused = since_use.map_or(age, |it| it.min(age));
        if age.saturating_sub(unused) >= self.renewal_interval() {
            let name = self.present_name(&claim).unwrap_or_else(|| holder.username.clone());
            return Some(renewal_of(claim, name));
        }
        let most = Duration::from_secs(u64::from(self.settings.claims_unused) * DAY);
        if most.is_zero() || unused < most {
            return None;
        }
        if claim.fact.time < EARLIEST_PLAUSIBLE {
            return Some(renewal_of(claim, holder.username.clone()));
        }
        let action = end_of(claim, ClaimEnd::Unused);
        Some(FactDraft { actor: Actor::Server, action, reason: None })
    }

    /// Returns the name of a person who is connected, in the spelling of the session that came last.
    fn present_name(&self, claim: &Claim<'_>) -> Option<Username> {
        let sessions: Vec<_> = self.names.holders(claim.username.key()).collect();
        let present = sessions.into_iter().rev().filter_map(|it| self.sessions.get(it));
        let is_own = |key: IdentityKey| self.moderation.is_key_of(claim, &key);
        present
            .filter(|it| it.is_connected() && it.key.is_some_and(is_own))
            .map(|it| it.username.clone())
            .next()
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
    pub(super) fn refuse_claim(&mut self, requester: &Requester, text: ClaimRefusal) {
        self.refuse_with_text(requester, ErrorCode::CannotClaim, text);
    }
}

/// Returns the action that ends a claim.
fn end_of(claim: Claim<'_>, why: ClaimEnd) -> ModerationAction {
    let (username, key) = (claim.username.clone(), claim.key);
    ModerationAction::ClaimEnded { username, key, claim: claim.fact.sequence, why }
}

/// Returns the fact that renews a claim. `username`: the claimed name, in its latest spelling.
fn renewal_of(claim: Claim<'_>, username: Username) -> FactDraft {
    let (key, invitation) = (claim.key, claim.invitation);
    // The number of the person stays, whichever session is there.
    let holder = NamedSession { session: claim.person, username };
    let action = ModerationAction::NameClaimed { holder, key, invitation };
    FactDraft { actor: Actor::Server, action, reason: None }
}
