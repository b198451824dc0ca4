//! Room clock: taking over that of others, what counts as a jump, and its limit. Section 13, rules 1
//! to 3.

use std::time::Duration;

use super::timers::heartbeat_interval;
use super::{Mesh, Phase};
use crate::model::{Moment, RoomClock};

/// Greatest value of a room clock. Greater values count as this one.
pub(super) const CLOCK_END: RoomClock = RoomClock(1 << 47);
/// Greatest room clock, in milliseconds, that this peer adopts from another: 34.8 years. So no lie
/// brings a room clock to its end.
pub(super) const MAX_ADOPTED_CLOCK: RoomClock = RoomClock(1 << 40);
/// Difference of two room clocks, in milliseconds, beyond which *since* is converted from one clock
/// to the other. Used for a jump of this peer's clock, and for another peer's clock that differs
/// from this peer's.
pub(super) const CLOCK_JUMP_MS: u64 = 1_000;
/// Maximum of [`DriftCredit`], in microseconds, with which it begins.
const MAX_DRIFT_CREDIT_US: u64 = 1_000_000;
/// Extra time, beyond 1.1 × I(n) after joining, until this peer begins to note when other peers
/// come. By then it has heard of all earlier members.
const WITNESS_SLACK: Duration = Duration::from_secs(1);

/// Credit for small steps of the room clock that are no jump, because machines' clocks drift and
/// packets take time to travel. It grows by 1 ms each second. Without a limit, many small steps
/// would make everybody seem to have been here for longer.
#[derive(Debug)]
pub(super) struct DriftCredit {
    /// Credit at the time `at`, in microseconds; at most [`MAX_DRIFT_CREDIT_US`].
    microseconds: u64,
    /// Time of the last change of the credit.
    at: Moment,
}

impl DriftCredit {
    /// Creates a full credit.
    pub(super) const fn new(now: Moment) -> Self {
        Self { microseconds: MAX_DRIFT_CREDIT_US, at: now }
    }

    /// Returns true if there is credit for a step of so many milliseconds, and takes it away. If
    /// there is not enough, takes nothing.
    fn try_take(&mut self, now: Moment, milliseconds: u64) -> bool {
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let grown = self.microseconds.saturating_add(elapsed).min(MAX_DRIFT_CREDIT_US);
        let left = grown.checked_sub(milliseconds.saturating_mul(1_000));
        (self.microseconds, self.at) = (left.unwrap_or(grown), now);
        left.is_some()
    }
}

impl Mesh {
    /// Sets the room clock to `theirs` if that is greater and at most [`MAX_ADOPTED_CLOCK`]. A jump
    /// is added to this peer's `since` and `name_since`, and to the times noted in contacts. So the
    /// durations of stays in the room do not change. A step of up to [`CLOCK_JUMP_MS`] is no jump as
    /// long as there is [`DriftCredit`] for it: it changes the clock only.
    pub(super) fn advance_room_clock(&mut self, now: Moment, theirs: RoomClock) {
        let own = self.room_clock(now);
        if theirs <= own || theirs > MAX_ADOPTED_CLOCK {
            return;
        }
        let step = theirs.0 - own.0;
        self.clock = (theirs, now);
        if step > CLOCK_JUMP_MS || !self.drift_credit.try_take(now, step) {
            self.since = RoomClock(self.since.0 + step);
            self.name_since = RoomClock(self.name_since.0 + step);
            self.contacts.shift_clocks(|it| RoomClock(it.0.saturating_add(step)));
        }
        if self.contacts.is_witness() {
            self.contacts.set_witness_clock(theirs, now);
        }
    }

    /// Sets the room clock of a member back to the length of its stay if it is above
    /// [`MAX_ADOPTED_CLOCK`], to which a stranger may have pushed it: others would not adopt it, and
    /// seniorities could not be compared. Then this peer's `since` is 0. Also moves back the times
    /// noted in contacts. All members do so at about the same time, and then adopt the clock of the
    /// one that has been here for longest.
    pub(super) fn limit_room_clock(&mut self, now: Moment) {
        let (clock, excess) = (self.room_clock(now), self.since.0);
        if clock <= MAX_ADOPTED_CLOCK || excess == 0 || !self.is_member() {
            return;
        }
        let back = |it: RoomClock| RoomClock(it.0.saturating_sub(excess));
        self.clock = (back(clock), now);
        (self.since, self.name_since) = (RoomClock(0), back(self.name_since));
        self.contacts.shift_clocks(back);
        if self.contacts.is_witness() {
            self.contacts.set_witness_clock(back(clock), now);
        }
    }

    /// Begins to note when other peers come, once this peer has been a member for 1.1 × I(n) plus
    /// [`WITNESS_SLACK`]. By then it has heard of all earlier members. Does nothing before the
    /// history is complete.
    pub(super) fn begin_witnessing(&mut self, now: Moment) {
        if self.contacts.is_witness() || !matches!(self.phase, Phase::In) {
            return;
        }
        let clock = self.room_clock(now);
        let grace = heartbeat_interval(self.member_count()) * 11 / 10 + WITNESS_SLACK;
        if clock.since(self.since) >= grace {
            self.contacts.set_witness_clock(clock, now);
        }
    }
}
