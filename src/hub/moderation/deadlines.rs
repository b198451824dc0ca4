//! Ends of bans and mutes. A sanction ends by a fact, which the hub proposes when the time is over.
//! The time is monotonic, so that a clock that is set moves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::Hub;
use super::super::contract::Now;
use super::proposals::Requester;
use crate::model::{Actor, FactDraft, Moment, SharedFact, Timestamp};
use crate::moderation::{ModerationState, Register, RegisterChange};

/// Time until the end of a sanction is proposed again, if the log could not store it.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Ends of all bans and mutes in force that have one.
#[derive(Debug, Default)]
pub(in super::super) struct SanctionDeadlines {
    /// End of each sanction, by register.
    ends: BTreeMap<Register, Moment>,
    /// Registers by the moment when the end is proposed. Without those that are proposed and not
    /// committed.
    due: BTreeSet<(Moment, Register)>,
}

impl SanctionDeadlines {
    /// Restores the ends at a start. What is left of each sanction is told by the wall clock, and
    /// is at most its length.
    pub(in super::super) fn restore(state: &ModerationState, now: Now) -> Self {
        let mut deadlines = Self::default();
        for fact in state.sanctions() {
            if let Some(register) = Register::of(&fact.draft.action)
                && let Some(length) = length_of(fact)
            {
                let end = fact.sanction_end().unwrap_or(Timestamp(0));
                let left = now.time.until(end).min(length);
                deadlines.insert(register, now.moment + left);
            }
        }
        deadlines
    }

    /// Records that a register was changed by a fact that was committed now.
    pub(super) fn update(&mut self, change: RegisterChange, now: Moment) {
        self.remove(&change.register);
        if let Some(length) = change.value.as_ref().and_then(length_of) {
            self.insert(change.register, now + length);
        }
    }

    /// Adds the end of a sanction.
    fn insert(&mut self, register: Register, end: Moment) {
        self.due.insert((end, register.clone()));
        self.ends.insert(register, end);
    }

    /// Removes the end of a sanction. Does nothing if it has none.
    fn remove(&mut self, register: &Register) {
        if let Some(end) = self.ends.remove(register) {
            self.due.retain(|(_, it)| it != register);
            self.due.remove(&(end, register.clone()));
        }
    }

    /// Proposes the end of a sanction again later.
    pub(super) fn retry(&mut self, register: &Register, now: Moment) {
        if self.ends.contains_key(register) {
            self.due.insert((now + RETRY_PAUSE, register.clone()));
        }
    }

    /// Takes a register whose sanction is over at `now`.
    fn take_due(&mut self, now: Moment) -> Option<Register> {
        let first = self.due.first().filter(|(end, _)| *end <= now)?.clone();
        self.due.remove(&first);
        Some(first.1)
    }

    /// Returns the time that is left of the sanction that a fact has imposed; `None` if it has no
    /// end.
    pub(super) fn remaining(&self, fact: &SharedFact, now: Moment) -> Option<Duration> {
        let end = self.ends.get(&Register::of(&fact.draft.action)?)?;
        Some(end.since(now))
    }

    /// Returns the moment when the next sanction ends; `None` if none has an end.
    pub(in super::super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(end, _)| *end)
    }
}

/// Returns the length of the sanction that a fact imposes; `None` if it has no end, or if the fact
/// imposes none.
fn length_of(fact: &SharedFact) -> Option<Duration> {
    let (_, sanction) = fact.draft.action.sanction()?;
    let seconds = sanction.length.seconds();
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

impl Hub {
    /// Proposes the ends of the bans and mutes whose time is over.
    pub(in super::super) fn end_expired_sanctions(&mut self, now: Moment) {
        while let Some(register) = self.deadlines.take_due(now) {
            let Some((kind, imposed)) =
                self.moderation.value(&register).and_then(|it| it.draft.action.sanction())
            else {
                continue;
            };
            let (scope, username) = (imposed.scope.clone(), imposed.username.clone());
            let action = self.sanction_end(kind, scope, username);
            let draft = FactDraft { actor: Actor::Server, action, reason: None };
            self.propose_fact(Requester::Expiry(register), draft, None);
        }
    }
}
