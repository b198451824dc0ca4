//! Token bucket for rate limits.

use std::time::Duration;

use super::Moment;

/// Token bucket: allows a burst of frames, then a steady rate per minute.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Burst size, expressed as the time in which the bucket refills completely.
    capacity: Duration,
    /// Time in which one token is refilled.
    interval: Duration,
    /// Time at which the bucket is full again if nothing more is taken. Stored instead of a token
    /// count, so that no timer has to refill the bucket.
    full_at: Moment,
}

impl TokenBucket {
    /// Creates a full bucket. Zero arguments count as one: a bucket that never refills would stop a
    /// connection for good.
    #[must_use]
    pub fn new(burst: u32, per_minute: u32) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        let capacity = interval.saturating_mul(burst.max(1));
        Self { capacity, interval, full_at: Moment::START }
    }

    /// Takes a token and returns true, or returns false and changes nothing if the bucket is empty.
    #[must_use]
    pub fn try_take(&mut self, now: Moment) -> bool {
        let mut after = *self;
        let is_there = after.take(now).is_zero();
        if is_there {
            *self = after;
        }
        is_there
    }

    /// Returns true if the bucket is full at `now`: nothing was taken for long enough.
    #[must_use]
    pub fn is_full(&self, now: Moment) -> bool {
        self.full_at <= now
    }

    /// Returns the moment from which on the bucket is full if nothing more is taken.
    #[must_use]
    pub const fn full_at(&self) -> Moment {
        self.full_at
    }

    /// Takes a token for a frame that has arrived, overdrawing the bucket if it is empty. Returns
    /// the time to wait before reading the next frame; zero if there is no need. Call it once for
    /// each frame.
    #[must_use]
    pub fn take(&mut self, now: Moment) -> Duration {
        self.take_many(now, 1)
    }

    /// Takes `count` tokens at once, as [`Self::take`] takes one; none at all for 0.
    #[must_use]
    pub fn take_many(&mut self, now: Moment, count: u32) -> Duration {
        self.full_at = self.full_at.max(now) + self.interval.saturating_mul(count);
        self.full_at.since(now + self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the moment `millis` milliseconds after the start.
    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn bucket_allows_burst_then_rate() {
        let mut bucket = TokenBucket::new(3, 600);
        let waits: Vec<_> = (0..5).map(|_| bucket.take(at(0)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        assert!(!bucket.is_full(at(499)) && bucket.is_full(at(500)));
        assert_eq!(bucket.take(at(10_000)), Duration::ZERO);
    }

    proptest! {
        /// A sender that waits as long as `take` returns gets no more through than burst and
        /// rate allow, and never waits longer than one token takes.
        #[test]
        fn bucket_never_exceeds_burst_plus_rate(
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

            #[test]
        fn sender_within_rate_never_waits(burst in 1_u32..5, per_minute in 1_u32..5_000) {
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
