//! Simulated clocks of one machine, which drift and jump.

use std::time::Duration;

use pi_chat::mesh::Now;
use pi_chat::model::{Moment, Timestamp};

/// Monotonic and wall clock of one machine. World time is in microseconds since the world began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// World time at which the monotonic clock showed `shown`.
    at: u64,
    /// Reading of the monotonic clock at world time `at`, in microseconds.
    shown: u64,
    /// Drift in millionths; positive: too fast.
    drift: i64,
    /// Wall-clock time at the start of the world, in milliseconds.
    wall: u64,
}

/// Wall-clock time at the start of the world: in 2026, in milliseconds.
const BEGINNING: u64 = 1_770_000_000_000;
/// One million.
const MILLION: i128 = 1_000_000;

impl Clock {
    /// Creates a clock with a drift in millionths and a wall clock that is ahead by some
    /// milliseconds. `shown`: first reading of the monotonic clock, in microseconds.
    pub(crate) fn new(drift: i64, ahead: i64, shown: u64) -> Self {
        Self { at: 0, shown, drift, wall: BEGINNING.saturating_add_signed(ahead) }
    }

    /// Returns the monotonic reading at a world time, in microseconds.
    fn monotonic(&self, time: u64) -> u64 {
        let elapsed = i128::from(time.saturating_sub(self.at));
        let elapsed = elapsed * (MILLION + i128::from(self.drift)) / MILLION;
        self.shown + u64::try_from(elapsed).unwrap()
    }

    /// Returns the readings of both clocks at a world time.
    pub(crate) fn now(&self, time: u64) -> Now {
        Now {
            moment: Moment::after_start(Duration::from_micros(self.monotonic(time))),
            time: Timestamp(self.wall + time / 1_000),
        }
    }

    /// Returns the world time at which the monotonic clock shows `moment`.
    pub(crate) fn time_of(&self, moment: Moment) -> u64 {
        let moment = moment.since_start().as_nanos().div_ceil(1_000);
        let ahead = i128::try_from(moment).unwrap() - i128::from(self.shown);
        let ahead = ahead.max(0) * MILLION;
        let rate = MILLION + i128::from(self.drift);
        self.at + u64::try_from((ahead + rate - 1) / rate).unwrap_or(u64::MAX / 4)
    }

    /// Steps the wall clock by some milliseconds.
    pub(crate) fn step(&mut self, millis: i64) {
        self.wall = self.wall.saturating_add_signed(millis);
    }

    /// Makes the monotonic clock stand still from `from` to `to`, as some do during suspension.
    pub(crate) fn stand_still(&mut self, from: u64, to: u64) {
        self.shown = self.monotonic(from);
        self.at = to;
    }
}
