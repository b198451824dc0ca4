//! Trust in the wall clock. A clock that was just set, or that has not been set since the machine
//! was started, may be years ahead. What is deleted or ended because of it could not be restored.

use std::time::Duration;

use super::contract::Now;
use crate::model::limits::MAX_CLOCK_STEP;
use crate::model::{Moment, Timestamp};

/// Time without a clock step after which the wall clock is trusted. By then, the system or its
/// owner has usually corrected a wrong clock.
pub const CLOCK_TRUST_AFTER: Duration = Duration::from_secs(60 * 60);

/// Decides whether the wall clock is trusted: detects clock steps, and measures the time since the
/// last one.
#[derive(Debug, Default)]
pub struct ClockTrust {
    /// Last reading of the clocks. `None` before the first one.
    last: Option<Now>,
    /// Moment of the first reading, or of the last clock step if there was one.
    steady_since: Moment,
}

impl ClockTrust {
    /// Takes a reading of the clocks. Returns true if the wall clock is trusted: the first reading
    /// and the last clock step are both at least [`CLOCK_TRUST_AFTER`] ago. A clock step is a difference
    /// of more than [`MAX_CLOCK_STEP`] between the times that have passed since the last reading by
    /// the wall clock and by the monotonic clock.
    pub fn update(&mut self, now: Now) -> bool {
        let expected = self.last.map(|last| {
            let passed = now.moment.since(last.moment).as_millis();
            Timestamp(last.time.0.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
        });
        let is_steady = expected.is_some_and(|expected| {
            expected.until(now.time).max(now.time.until(expected)) <= MAX_CLOCK_STEP
        });
        if !is_steady {
            self.steady_since = now.moment;
        }
        self.last = Some(now);
        now.moment >= self.trusted_at()
    }

    /// Returns the moment from which on the wall clock is trusted, if it is not set before.
    #[must_use]
    pub fn trusted_at(&self) -> Moment {
        self.steady_since + CLOCK_TRUST_AFTER
    }

    /// Returns the last reading of the clocks; `None` before the first one.
    #[must_use]
    pub const fn last(&self) -> Option<Now> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns clock readings `minutes` after the start, by a wall clock that is `ahead`
    /// milliseconds ahead.
    fn now(minutes: u64, ahead: u64) -> Now {
        let passed = Duration::from_secs(60 * minutes);
        let time = Timestamp(60_000 * minutes + ahead);
        Now { moment: Moment::after_start(passed), time }
    }

    /// The clock is trusted an hour after the start or the last step, in whichever direction that
    /// was. Drift is no step.
    #[test]
    fn clock_is_trusted_after_an_hour_without_a_step() {
        let mut trust = ClockTrust::default();
        assert!(!trust.update(now(5, 900_000)));
        assert!(!trust.update(now(64, 904_000)));
        assert!(trust.update(now(65, 908_000)));
        for (minutes, ahead) in [(70, 1_000_000), (135, 0)] {
            assert!(!trust.update(now(minutes, ahead)), "set");
            assert!(!trust.update(now(minutes + 59, ahead)));
            assert_eq!(trust.trusted_at(), now(minutes + 60, 0).moment);
            assert!(trust.update(now(minutes + 60, ahead)));
        }
    }
}
