//! How fast somebody may send: a bucket of tokens.

use std::time::Duration;

use super::Moment;

/// Lets a burst of frames through, then so many per minute. The driver has
/// one for each connection and reads on when it says so.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Time that the tokens of a full bucket stand for.
    capacity: Duration,
    /// Time that one token stands for.
    interval: Duration,
    /// When the bucket is, or was, full if nothing more is taken. (Kept in
    /// place of a number of tokens: nothing has to be refilled.)
    full_at: Moment,
}

impl TokenBucket {
    /// A full bucket. Zeros are taken for ones: a bucket that never lets
    /// anything through would stop a connection for good.
    #[must_use]
    pub fn new(burst: u32, per_minute: u32) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        let capacity = interval.saturating_mul(burst.max(1));
        Self { capacity, interval, full_at: Moment::START }
    }

    /// Takes a token if there is one; for what is dropped where there is none.
    #[must_use]
    pub fn try_take(&mut self, now: Moment) -> bool {
        let mut after = *self;
        let is_there = after.take(now).is_zero();
        if is_there {
            *self = after;
        }
        is_there
    }

    /// Whether nothing has to be waited for, however much comes: who was too
    /// fast has rested enough for it to be forgotten.
    #[must_use]
    pub fn is_full(&self, now: Moment) -> bool {
        self.full_at <= now
    }

    /// Takes the token for a frame that has arrived, and says how long to
    /// wait before reading on; zero if the next one may come at once. The
    /// frame itself is let through in any case. Call it once for each frame.
    #[must_use]
    pub fn take(&mut self, now: Moment) -> Duration {
        self.full_at = self.full_at.max(now) + self.interval;
        self.full_at.since(now + self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// So many milliseconds after the beginning.
    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    /// A burst passes, then one waits for each frame.
    #[test]
    fn a_burst_then_a_rate() {
        let mut bucket = TokenBucket::new(3, 600);
        let waits: Vec<_> = (0..5).map(|_| bucket.take(at(0)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        assert!(!bucket.is_full(at(499)) && bucket.is_full(at(500)));
        assert_eq!(bucket.take(at(10_000)), Duration::ZERO);
    }

    proptest! {
        /// Who waits as told gets no more through than the burst and the
        /// rate, and never waits longer than one token takes.
        #[test]
        fn never_more_than_burst_and_rate(
            burst in 0_u32..50,
            per_minute in 0_u32..5_000,
            pauses in prop::collection::vec(0_u64..200, 1..300),
        ) {
            let mut bucket = TokenBucket::new(burst, per_minute);
            let interval = Duration::from_secs(60) / per_minute.max(1);
            let mut now = at(5);
            let mut arrivals = Vec::new();
            for pause in pauses {
                now = now + Duration::from_millis(pause);
                arrivals.push(now);
                let wait = bucket.take(now);
                prop_assert!(wait <= interval);
                now = now + wait;
            }
            for (first, begin) in arrivals.iter().enumerate() {
                for (last, end) in arrivals.iter().enumerate().skip(first) {
                    // One more than the burst: the frame that has to wait
                    // has arrived already.
                    let allowed = end.since(*begin).as_nanos() / interval.as_nanos()
                        + u128::from(burst.max(1)) + 1;
                    prop_assert!((last - first + 1) as u128 <= allowed + 1);
                }
            }
        }

        /// Who sends no faster than the rate never waits.
        #[test]
        fn who_keeps_to_the_rate_never_waits(burst in 1_u32..5, per_minute in 1_u32..5_000) {
            let mut bucket = TokenBucket::new(burst, per_minute);
            let interval = Duration::from_secs(60) / per_minute;
            let mut now = at(0);
            for _ in 0..100 {
                prop_assert_eq!(bucket.take(now), Duration::ZERO);
                now = now + interval;
            }
        }
    }
}
