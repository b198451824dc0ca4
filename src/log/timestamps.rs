//! The time at which a message was received, from clocks that may be wrong.

use crate::hub::Now;
use crate::model::limits::MAX_CLOCK_STEP;
use crate::model::{Moment, Timestamp};

/// Stamps messages. A clock that goes back by a little (NTP corrects it) is
/// waited for, so that times in the log do not go back; one that is set by
/// more is followed, for a Raspberry Pi without a clock battery must not be
/// stuck in a wrong future.
#[derive(Debug, Default)]
pub struct TimestampSource {
    /// The last stamp, with what the clocks showed then.
    last: Option<Previous>,
}

/// What [`TimestampSource`] compares with.
#[derive(Clone, Copy, Debug)]
struct Previous {
    /// What was stamped.
    stamp: Timestamp,
    /// Time of day when it was.
    time: Timestamp,
    /// Monotonic time when it was; none if that was before this process.
    moment: Option<Moment>,
}

impl TimestampSource {
    /// Goes on behind a stamp that was given by a process before this one.
    #[must_use]
    pub const fn resuming_after(stamp: Timestamp) -> Self {
        Self { last: Some(Previous { stamp, time: stamp, moment: None }) }
    }

    /// The stamp for something that happens now, and whether the clock has
    /// been set since the last one.
    pub fn generate(&mut self, now: Now) -> (Timestamp, bool) {
        let (stamp, was_set) = match self.last {
            None => (now.time, false),
            Some(last) if now.time < last.time && now.time.until(last.time) > MAX_CLOCK_STEP => {
                (now.time, true)
            }
            Some(last) => {
                // How long nobody was there to look, nobody knows.
                let was_set = last.moment.is_some_and(|moment| {
                    last.time.until(now.time) > now.moment.since(moment) + MAX_CLOCK_STEP
                });
                (now.time.max(last.stamp), was_set)
            }
        };
        self.last = Some(Previous { stamp, time: now.time, moment: Some(now.moment) });
        (stamp, was_set)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What the clocks show after so many milliseconds, the time of day
    /// being `time`.
    fn now(moment: u64, time: u64) -> Now {
        Now { moment: Moment::after_start(Duration::from_millis(moment)), time: Timestamp(time) }
    }

    /// Stamps `clocks` one after the other.
    fn stamps(clocks: &[(u64, u64)]) -> Vec<(u64, bool)> {
        let mut source = TimestampSource::default();
        clocks
            .iter()
            .map(|(moment, time)| {
                let (stamp, was_set) = source.generate(now(*moment, *time));
                (stamp.0, was_set)
            })
            .collect()
    }

    #[test]
    fn small_step_back_repeats_the_last_timestamp() {
        let clocks = [(0, 10_000), (1_000, 7_000), (2_000, 8_000), (6_000, 12_000)];
        let expected = [(10_000, false), (10_000, false), (10_000, false), (12_000, false)];
        assert_eq!(stamps(&clocks), expected);
    }

    #[test]
    fn large_step_is_followed_and_reported() {
        let back = [(0, 90_000), (1_000, 84_999)];
        assert_eq!(stamps(&back), [(90_000, false), (84_999, true)]);
        let forth = [(0, 10_000), (1_000, 16_001), (2_000, 17_001)];
        assert_eq!(stamps(&forth), [(10_000, false), (16_001, true), (17_001, false)]);
    }

    #[test]
    fn restart_continues_after_the_last_timestamp() {
        let first =
            |clock| TimestampSource::resuming_after(Timestamp(50_000)).generate(now(0, clock));
        assert_eq!(first(48_000), (Timestamp(50_000), false));
        assert_eq!(first(10_000), (Timestamp(10_000), true));
        assert_eq!(first(900_000), (Timestamp(900_000), false));
    }

    #[test]
    fn long_idle_time_is_no_clock_step() {
        assert_eq!(stamps(&[(0, 0), (3_600_000, 3_600_000)]), [(0, false), (3_600_000, false)]);
    }
}
