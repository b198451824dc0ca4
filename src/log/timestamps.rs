//! Monotonic message timestamps from a wall clock that may be wrong or set.

use crate::hub::Now;
use crate::model::limits::MAX_CLOCK_STEP;
use crate::model::{Moment, Timestamp};

/// Generator of timestamps for messages: monotonic, except when the clock is set.
///
/// If the clock goes back by up to [`MAX_CLOCK_STEP`] (as NTP corrects it), the last timestamp is
/// repeated until the clock has caught up. If it is set back further, the timestamps follow it,
/// because a Raspberry Pi without a clock battery must not be stuck in a wrong future.
#[derive(Debug, Default)]
pub struct TimestampSource {
    /// Previous timestamp, with the clock readings at that time; none before the first timestamp.
    last: Option<Previous>,
}

/// Previous timestamp and the clock readings at that time.
#[derive(Clone, Copy, Debug)]
struct Previous {
    /// Timestamp that was generated.
    stamp: Timestamp,
    /// Wall-clock reading at that time.
    time: Timestamp,
    /// Monotonic clock reading at that time; none if it was in an earlier process.
    moment: Option<Moment>,
}

impl TimestampSource {
    /// Creates a generator that continues after the last timestamp of an earlier process.
    #[must_use]
    pub const fn resuming_after(stamp: Timestamp) -> Self {
        Self { last: Some(Previous { stamp, time: stamp, moment: None }) }
    }

    /// Returns the timestamp for the current time, and true if the clock has been set since the
    /// previous timestamp: by more than [`MAX_CLOCK_STEP`], back or ahead. A step ahead is not
    /// detected at the first call in a process.
    pub fn generate(&mut self, now: Now) -> (Timestamp, bool) {
        let (stamp, was_set) = match self.last {
            None => (now.time, false),
            Some(last) if now.time < last.time && now.time.until(last.time) > MAX_CLOCK_STEP => {
                (now.time, true)
            }
            Some(last) => {
                // After a restart it is unknown how much time has really passed.
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

    /// Clock readings `moment` milliseconds after the start, with the wall clock at `time`.
    fn now(moment: u64, time: u64) -> Now {
        Now { moment: Moment::after_start(Duration::from_millis(moment)), time: Timestamp(time) }
    }

    /// Returns the timestamps generated for clock readings, in this order.
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
