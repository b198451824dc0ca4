//! Tests of the moderation state.

mod encoding;
mod fold;
mod lookups;
mod permissions;
mod random;

use std::sync::Arc;

use super::*;
use crate::model::{
    Actor, Fact, FactDraft, NamedSession, RoomName, Sanction, SanctionLength, Scope, Sequence,
    Timestamp,
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
        let verdict = self.state.judge(&draft);
        self.append(draft, verdict.is_ok());
        verdict
    }

    /// Appends a draft with a given verdict. Its time, in seconds, is its sequence.
    fn append(&mut self, draft: FactDraft, is_effective: bool) {
        let sequence = self.facts.last().map_or(Sequence::ZERO, |it| it.sequence).next();
        let time = Timestamp(sequence.0 * 1_000);
        let fact = Arc::new(Fact { sequence, time, draft, is_effective });
        self.state.apply(&fact);
        self.facts.push(fact);
    }
}
