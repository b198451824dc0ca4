//! A machine's clocks: none of them is right.

use std::time::Duration;

use pi_chat::mesh::Now;
use pi_chat::model::{Moment, Timestamp};

/// EventKind the clocks of one machine show at a time of the world (microseconds
/// since it began).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The monotonic clock showed `shown` at the world's time `at`.
    at: u64,
    /// See there.
    shown: u64,
    /// How much too fast it is, in millionths.
    drift: i64,
    /// Time of day at the world's beginning, in milliseconds.
    wall: u64,
}

/// The world begins in the year 2026.
const BEGINNING: u64 = 1_770_000_000_000;
/// A million.
const MILLION: i128 = 1_000_000;

impl Clock {
    /// A clock so much too fast (millionths), its time of day so much ahead
    /// (milliseconds).
    pub(crate) fn new(drift: i64, ahead: i64, shown: u64) -> Self {
        Self { at: 0, shown, drift, wall: BEGINNING.saturating_add_signed(ahead) }
    }

    /// Microseconds that the monotonic clock shows.
    fn monotonic(&self, time: u64) -> u64 {
        let elapsed = i128::from(time.saturating_sub(self.at));
        let elapsed = elapsed * (MILLION + i128::from(self.drift)) / MILLION;
        self.shown + u64::try_from(elapsed).unwrap()
    }

    /// EventKind both show.
    pub(crate) fn now(&self, time: u64) -> Now {
        Now {
            moment: Moment::after_start(Duration::from_micros(self.monotonic(time))),
            time: Timestamp(self.wall + time / 1_000),
        }
    }

    /// The world's time at which the monotonic clock shows this.
    pub(crate) fn time_of(&self, moment: Moment) -> u64 {
        let moment = moment.since_start().as_nanos().div_ceil(1_000);
        let ahead = i128::try_from(moment).unwrap() - i128::from(self.shown);
        let ahead = ahead.max(0) * MILLION;
        let rate = MILLION + i128::from(self.drift);
        self.at + u64::try_from((ahead + rate - 1) / rate).unwrap_or(u64::MAX / 4)
    }

    /// The time of day jumps.
    pub(crate) fn step(&mut self, millis: i64) {
        self.wall = self.wall.saturating_add_signed(millis);
    }

    /// The monotonic clock stood still from `from` to `to`, as some do while
    /// a machine sleeps.
    pub(crate) fn stand_still(&mut self, from: u64, to: u64) {
        self.shown = self.monotonic(from);
        self.at = to;
    }
}
