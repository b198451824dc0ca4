//! Exponential back-off with jitter for reconnecting: `docs/protocol/tcp.md`, section 13.

use std::time::Duration;

use fastrand::Rng;

use crate::model::Moment;

/// Maximum reconnect delay if the server advises none. The delay is random. Its upper bound starts
/// at one second and doubles up to this value.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// Maximum reconnect delay if the server advises one, jitter included.
const MAX_ADVISED_DELAY: Duration = Duration::from_secs(600);

/// Minimum time from a connection's `welcome` to its end for the end to reset the attempt count.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Back-off state: counts attempts and draws delays.
#[derive(Debug)]
pub(super) struct Backoff {
    /// Random generator for the jitter.
    rng: Rng,
    /// Number of delays drawn since the last connection that lasted [`STABLE_AFTER`].
    attempts: u32,
    /// Time at which the current connection joined; `None` if it has not.
    joined_at: Option<Moment>,
}

impl Backoff {
    /// Creates the state before the first attempt.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), attempts: 0, joined_at: None }
    }

    /// Records the time of a `welcome`, from which [`STABLE_AFTER`] is counted.
    pub(super) fn record_join(&mut self, now: Moment) {
        self.joined_at = Some(now);
    }

    /// Returns the delay before the next connection attempt. Call it once for each connection that
    /// has ended or failed. Resets the attempt count if the connection lasted [`STABLE_AFTER`]
    /// since its join.
    ///
    /// `advice` is the server's `retry_after`. With advice, the delay is between the advice and 1.5
    /// times the advice, and at most [`MAX_ADVISED_DELAY`]. Without advice, it is a random time
    /// between zero and a bound. The bound is one second at first, and doubles with each attempt up
    /// to [`MAX_DELAY`].
    pub(super) fn next_delay(&mut self, now: Moment, advice: Option<Duration>) -> Duration {
        if self.joined_at.take().is_some_and(|since| now.since(since) >= STABLE_AFTER) {
            self.attempts = 0;
        }
        let doubled = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        match advice {
            Some(advice) => {
                let advice = advice.min(MAX_ADVISED_DELAY);
                advice.saturating_add(self.random_up_to(advice / 2)).min(MAX_ADVISED_DELAY)
            }
            None => {
                self.random_up_to(MAX_DELAY.min(Duration::from_secs(1).saturating_mul(doubled)))
            }
        }
    }

    /// Returns a random duration from zero to `most`, in whole milliseconds.
    fn random_up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..=most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delays stay within the protocol's bounds, also after very many attempts.
    #[test]
    fn delays_stay_within_protocol_bounds() {
        let mut backoff = Backoff::new(1);
        for attempt in 0..200_u32 {
            let most = Duration::from_secs(1 << attempt.min(6)).min(MAX_DELAY);
            assert!(backoff.next_delay(Moment::START, None) <= most);
        }
    }

    /// Only a stable connection resets the attempt count.
    #[test]
    fn short_connection_does_not_reset_attempts() {
        let mut backoff = Backoff::new(1);
        for _ in 0..20 {
            backoff.next_delay(Moment::START, None);
        }
        let later = |s| Moment::START + Duration::from_secs(s);
        backoff.record_join(Moment::START);
        backoff.next_delay(later(9), None);
        assert_eq!(backoff.attempts, 21);
        backoff.record_join(Moment::START);
        assert!(backoff.next_delay(later(10), None) <= Duration::from_secs(1));
        assert_eq!(backoff.attempts, 1);
    }

    /// The server's advice is a lower bound, to which jitter is added. The sum is cut to
    /// [`MAX_ADVISED_DELAY`].
    #[test]
    fn advised_delay_is_minimum_with_jitter() {
        let mut backoff = Backoff::new(1);
        assert_eq!(backoff.next_delay(Moment::START, Some(Duration::MAX)), MAX_ADVISED_DELAY);
        let advice = Duration::from_secs(4);
        let waits: Vec<_> =
            (0..50).map(|_| backoff.next_delay(Moment::START, Some(advice))).collect();
        assert!(waits.iter().all(|it| (advice..=advice * 3 / 2).contains(it)));
        assert!(waits.iter().any(|it| *it != waits[0]));
    }
}
