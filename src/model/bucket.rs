//! Token bucket for rate limits.

use std::time::Duration;

use super::Moment;

/// Token bucket (rate limiter): allows a burst, then a steady rate per minute. [`Self::take`] and
/// [`Self::take_many`] may overdraw it.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Burst size, stored as the time in which an empty bucket becomes full.
    capacity: Duration,
    /// Time in which the bucket gains one token.
    interval: Duration,
    /// Moment when the bucket is full if no more tokens are taken. In the past if the bucket is
    /// full. It is stored instead of a token count, so that no timer has to refill the bucket.
    full_at: Moment,
}

impl TokenBucket {
    /// Creates a full bucket that holds `burst` tokens and gains `per_minute` tokens per minute. An
    /// argument of 0 counts as 1: a bucket that never refills would block a connection for ever.
    #[must_use]
    pub fn new(burst: u32, per_minute: u32) -> Self {
        Self::with_interval(burst, Duration::from_secs(60) / per_minute.max(1))
    }

    /// Creates a full bucket that holds `burst` tokens and gains one in each `interval`. A burst of 0
    /// counts as 1.
    #[must_use]
    pub fn with_interval(burst: u32, interval: Duration) -> Self {
        let capacity = interval.saturating_mul(burst.max(1));
        Self { capacity, interval, full_at: Moment::START }
    }

    /// Changes burst and rate; the arguments are those of [`Self::new`]. The bucket then lacks as
    /// many whole tokens as before, as [`Self::set_limits`] says.
    pub fn set_rate(&mut self, now: Moment, burst: u32, per_minute: u32) {
        self.set_limits(now, Self::new(burst, per_minute));
    }

    /// Changes burst and rate to those of another bucket, which is full. The bucket then lacks as many
    /// whole tokens as before, so the additional tokens of a larger burst can be used at once. If it
    /// lacked more than the new burst, it is empty afterwards, not overdrawn.
    pub fn set_limits(&mut self, now: Moment, new: Self) {
        let missing = self.full_at.since(now).as_nanos() / self.interval.as_nanos().max(1);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let full_at = now + new.interval.saturating_mul(missing).min(new.capacity);
        *self = Self { full_at, ..new };
    }

    /// Takes a token and returns true. If the bucket holds less than one token, returns false and
    /// changes nothing.
    #[must_use]
    pub fn try_take(&mut self, now: Moment) -> bool {
        let mut after = *self;
        let is_there = after.take(now).is_zero();
        if is_there {
            *self = after;
        }
        is_there
    }

    /// Returns true if the bucket is full at `now`.
    #[must_use]
    pub fn is_full(&self, now: Moment) -> bool {
        self.full_at <= now
    }

    /// Returns the moment when the bucket is full if no more tokens are taken. Not in the future
    /// if the bucket is full.
    #[must_use]
    pub const fn full_at(&self) -> Moment {
        self.full_at
    }

    /// Takes a token for a frame that has arrived, and overdraws the bucket if it is empty. Returns
    /// the time until the bucket is no longer overdrawn: read the next frame only after this time.
    /// Zero if the bucket is not overdrawn. Call it once for each frame.
    #[must_use]
    pub fn take(&mut self, now: Moment) -> Duration {
        self.take_many(now, 1)
    }

    /// Takes `count` tokens, and overdraws the bucket if it holds fewer. Returns the time until the
    /// bucket is no longer overdrawn; zero if it is not. `count` may be 0.
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

    /// A larger burst can be used at once. After a smaller burst, the bucket is empty but not
    /// overdrawn.
    #[test]
    fn changed_rate_keeps_the_missing_tokens() {
        let taken = |bucket: &mut TokenBucket| (0..100).filter(|_| bucket.try_take(at(0))).count();
        let mut bucket = TokenBucket::new(3, 600);
        assert_eq!(taken(&mut bucket), 3);
        bucket.set_rate(at(0), 5, 1_200);
        assert_eq!(taken(&mut bucket), 2);
        assert!(!bucket.is_full(at(249)) && bucket.is_full(at(250)), "5 tokens, 50 ms each");
        bucket.set_rate(at(0), 2, 60);
        assert_eq!(taken(&mut bucket), 0);
        assert!(!bucket.is_full(at(1_999)) && bucket.is_full(at(2_000)), "empty, not overdrawn");
        bucket.set_rate(at(5_000), 1, 60);
        assert_eq!(bucket.take(at(5_000)), Duration::ZERO, "full");
    }

    proptest! {
        /// If a sender waits for the time that `take` returns, it never exceeds burst and rate. It
        /// never waits longer than the time in which one token is added.
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
