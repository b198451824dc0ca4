//! Ends of bans and mutes. A sanction ends by a fact, which the hub proposes when the time is over.
//! The time is monotonic, so that a clock that is set moves nothing.
//!
//! How long the server was down, only the wall clock tells. It may be wrong at a start, and is
//! trusted later ([`ClockTrust`]). Until then, a sanction from before the start ends only when its
//! whole length has passed since the start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::Hub;
use super::super::clock_trust::ClockTrust;
use super::super::contract::Now;
use super::proposals::Requester;
use crate::model::{Actor, FactDraft, Moment, SharedFact, Timestamp};
use crate::moderation::{ModerationState, Register, RegisterChange};

/// Time until the end of a sanction is proposed again, if the log could not store it.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Time for which each hub of a log waits longer than the one that has begun before it.
const DUTY_DELAY: Duration = Duration::from_secs(10);

/// Ends of all bans and mutes in force that have one.
#[derive(Debug, Default)]
pub(in super::super) struct SanctionDeadlines {
    /// End of each sanction, by register.
    ends: BTreeMap<Register, End>,
    /// Registers by the moment when the end is proposed. Without those that are proposed and not
    /// committed.
    due: BTreeSet<(Moment, Register)>,
    /// Sanctions from before the start, until the wall clock is trusted. `None` if there are none.
    unsettled: Option<Unsettled>,
}

/// End of a sanction.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Moment when the sanction is over.
    at: Moment,
    /// Moment when the end is proposed next: its key in [`SanctionDeadlines::due`]. Later than `at`
    /// if the end could not be stored.
    due_at: Moment,
}

/// Sanctions from before the start whose ends are not settled, because the wall clock is not
/// trusted.
#[derive(Debug)]
struct Unsettled {
    /// Decides whether the wall clock is trusted.
    clock: ClockTrust,
    /// End of each sanction by the wall clock, by register.
    ends: BTreeMap<Register, Timestamp>,
}

impl SanctionDeadlines {
    /// Restores the ends at a start. Each sanction has its whole length left, until the wall clock
    /// is trusted ([`Self::read_clocks`]).
    pub(in super::super) fn restore(state: &ModerationState, now: Now) -> Self {
        let mut deadlines = Self::default();
        let mut ends = BTreeMap::new();
        for fact in state.sanctions() {
            if let Some(register) = Register::of(&fact.draft.action)
                && let Some(length) = length_of(fact)
            {
                ends.insert(register.clone(), fact.sanction_end().unwrap_or(Timestamp(0)));
                deadlines.insert(register, now.moment + length);
            }
        }
        if !ends.is_empty() {
            let mut clock = ClockTrust::default();
            clock.update(now);
            deadlines.unsettled = Some(Unsettled { clock, ends });
        }
        deadlines
    }

    /// Takes a reading of the clocks. When the wall clock is trusted, settles the ends of the
    /// sanctions from before the start: each ends when the wall clock says so, but not later than
    /// its whole length after the start. Call it for each input, so that it notices when the clock
    /// is set.
    pub(in super::super) fn read_clocks(&mut self, now: Now) {
        if !self.unsettled.as_mut().is_some_and(|it| it.clock.update(now)) {
            return;
        }
        for (register, end) in self.unsettled.take().into_iter().flat_map(|it| it.ends) {
            let end = now.moment + now.time.until(end);
            if self.ends.get(&register).is_some_and(|latest| end < latest.at) {
                self.remove(&register);
                self.insert(register, end);
            }
        }
    }

    /// Forgets that the end of a sanction is not settled: it has ended, or another one has replaced
    /// it.
    fn forget_unsettled(&mut self, register: &Register) {
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.ends.remove(register);
        }
        self.unsettled.take_if(|it| it.ends.is_empty());
    }

    /// Records that a register was changed by a fact that was committed now.
    pub(super) fn update(&mut self, change: RegisterChange, now: Moment) {
        self.remove(&change.register);
        self.forget_unsettled(&change.register);
        if let Some(length) = change.value.as_ref().and_then(length_of) {
            self.insert(change.register, now + length);
        }
    }

    /// Adds the end of a sanction.
    fn insert(&mut self, register: Register, end: Moment) {
        self.due.insert((end, register.clone()));
        self.ends.insert(register, End { at: end, due_at: end });
    }

    /// Removes the end of a sanction. Does nothing if it has none.
    fn remove(&mut self, register: &Register) {
        if let Some(end) = self.ends.remove(register) {
            self.due.remove(&(end.due_at, register.clone()));
        }
    }

    /// Proposes the end of a sanction again later.
    pub(super) fn retry(&mut self, register: &Register, now: Moment) {
        if let Some(end) = self.ends.get_mut(register) {
            self.due.remove(&(end.due_at, register.clone()));
            end.due_at = now + RETRY_PAUSE;
            self.due.insert((end.due_at, register.clone()));
        }
    }

    /// Takes a register whose sanction is over at `now` for this time.
    fn take_due(&mut self, now: Moment, delay: Duration) -> Option<Register> {
        let first = self.due.first().filter(|(end, _)| *end + delay <= now)?.clone();
        self.due.remove(&first);
        self.forget_unsettled(&first.1);
        Some(first.1)
    }

    /// Returns the time that is left of the sanction that a fact has imposed; `None` if it has no
    /// end. While the wall clock is not trusted, this is what the clock says, but not less than the
    /// time until it is trusted.
    pub(super) fn remaining(&self, fact: &SharedFact, now: Moment) -> Option<Duration> {
        let register = Register::of(&fact.draft.action)?;
        let left = self.ends.get(&register)?.at.since(now);
        let by_clock = self.unsettled.as_ref().and_then(|it| {
            let time = it.clock.last()?.time;
            Some(time.until(*it.ends.get(&register)?).max(it.clock.trusted_at().since(now)))
        });
        Some(by_clock.map_or(left, |it| left.min(it)))
    }

    /// Returns the moment when the next sanction is over for this time or the wall clock is trusted,
    /// whichever is earlier; `None` if no sanction has an end.
    pub(in super::super) fn next(&self, delay: Duration) -> Option<Moment> {
        let end = self.due.first().map(|(end, _)| *end + delay);
        let trusted_at = self.unsettled.as_ref().map(|it| it.clock.trusted_at());
        end.into_iter().chain(trusted_at).min()
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
    /// Returns the time for which this hub waits before it does what one of the hubs of a log has to
    /// do: the oldest one should have done it by then.
    pub(in super::super) fn duty_delay(&self) -> Duration {
        DUTY_DELAY.saturating_mul(self.rank())
    }

    /// Proposes the ends of the bans and mutes whose time is over.
    pub(in super::super) fn end_expired_sanctions(&mut self, now: Moment) {
        let delay = self.duty_delay();
        while let Some(register) = self.deadlines.take_due(now, delay) {
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
