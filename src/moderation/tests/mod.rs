//! Tests of the moderation state.

mod encoding;
mod fold;
mod identity;
mod lookups;
mod permissions;
mod random;

use std::sync::Arc;

use super::*;
use crate::model::{
    Actor, ClaimEnd, Fact, FactDraft, IdentityKey, Invitation, InvitationHash, InvitationUses,
    NamedSession, RoomName, Sanction, SanctionLength, Scope, Sequence, Timestamp,
};

/// Returns a valid username.
fn name(text: &str) -> Username {
    Username::new(text).unwrap()
}

/// Returns the room `lobby` as a scope.
fn lobby() -> Scope {
    Scope::Room(RoomName::lobby())
}

/// Returns a session with a username.
fn user(session: u64, username: &str) -> NamedSession {
    NamedSession { session: SessionId(session), username: name(username) }
}

/// Returns a draft without a reason.
fn draft(actor: Actor, action: ModerationAction) -> FactDraft {
    FactDraft { actor, action, reason: None }
}

/// Returns a draft of the command line, without a reason.
fn command(action: ModerationAction) -> FactDraft {
    draft(Actor::CommandLine, action)
}

/// Returns the action that gives a role to a session, or takes it (`None`). The session's username
/// is `user` and its number.
fn role_set(scope: Scope, session: u64, role: Option<Role>) -> ModerationAction {
    ModerationAction::RoleSet { scope, holder: user(session, &format!("user{session}")), role }
}

/// Returns a sanction of a length in seconds (0: without end).
fn sanction(scope: Scope, username: &str, session: Option<u64>, seconds: u32) -> Sanction {
    let length = SanctionLength::from_seconds(seconds).unwrap();
    Sanction { scope, username: name(username), session: session.map(SessionId), length }
}

/// Returns a ban without an address.
fn ban(scope: Scope, username: &str, session: Option<u64>, seconds: u32) -> ModerationAction {
    ModerationAction::Banned { sanction: sanction(scope, username, session, seconds), group: None }
}

/// Returns the end of the sanction that a fact imposed. Panics if it imposed none.
fn end_of(fact: &Fact) -> ModerationAction {
    let (kind, imposed) = fact.draft.action.sanction().unwrap();
    ModerationAction::SanctionEnded {
        kind,
        scope: imposed.scope.clone(),
        username: imposed.username.clone(),
        sanction: fact.sequence,
    }
}

/// Returns a key whose bytes are this number.
fn key(number: u8) -> IdentityKey {
    IdentityKey([number; 32])
}

/// Returns the hash of an invitation, whose bytes are this number.
fn hash(number: u8) -> InvitationHash {
    InvitationHash([number; 32])
}

/// Returns the making of an invitation for a name, or for any name, with this number of uses. It has
/// no end, and permits a claim.
fn invitation(number: u8, username: Option<&str>, uses: u16) -> ModerationAction {
    ModerationAction::InvitationMade(Invitation {
        hash: hash(number),
        username: username.map(name),
        uses: InvitationUses::new(uses).unwrap(),
        length: SanctionLength::FOREVER,
        permits_claim: true,
    })
}

/// Returns the use of an invitation.
fn invitation_use(
    number: u8,
    user: NamedSession,
    key: Option<IdentityKey>,
    is_for_claim: bool,
) -> ModerationAction {
    ModerationAction::InvitationUsed { invitation: hash(number), user, key, is_for_claim }
}

/// Returns the claim of a session's name with a key.
fn claim(holder: NamedSession, key: IdentityKey, invitation: Option<u8>) -> ModerationAction {
    ModerationAction::NameClaimed { holder, key, invitation: invitation.map(hash) }
}

/// Returns the end of the claim that a fact made. Panics if it made none.
fn claim_end(fact: &Fact, why: ClaimEnd) -> ModerationAction {
    let ModerationAction::NameClaimed { holder, key, .. } = &fact.draft.action else { panic!() };
    let (username, key, claim) = (holder.username.clone(), *key, fact.sequence);
    ModerationAction::ClaimEnded { username, key, claim, why }
}

/// Returns the address group of an address.
fn group(address: &str) -> AddressGroup {
    AddressGroup::of(address.parse().unwrap())
}

/// Log of facts, with the state that they leave.
#[derive(Clone, Debug, Default)]
struct FactLog {
    /// Facts in the log's order.
    facts: Vec<SharedFact>,
    /// Their fold.
    state: ModerationState,
}

impl FactLog {
    /// Judges a draft and appends it, as a log does, also if it is refused. Returns the verdict.
    fn commit(&mut self, draft: FactDraft) -> Result<(), FactError> {
        let verdict = self.state.judge(&draft, self.next_time());
        self.append(draft, verdict.is_ok());
        verdict
    }

    /// Returns the sequence of the next fact.
    fn next_sequence(&self) -> Sequence {
        self.facts.last().map_or(Sequence::ZERO, |it| it.sequence).next()
    }

    /// Returns the time of the next fact.
    fn next_time(&self) -> Timestamp {
        Timestamp(self.next_sequence().0 * 1_000)
    }

    /// Appends a draft with a given verdict. Its time, in seconds, is its sequence.
    fn append(&mut self, draft: FactDraft, is_effective: bool) {
        let (sequence, time) = (self.next_sequence(), self.next_time());
        let fact = Arc::new(Fact { sequence, time, draft, is_effective });
        self.state.apply(&fact);
        self.facts.push(fact);
    }
}
