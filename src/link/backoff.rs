//! How long to wait before connecting again: `docs/protocol/tcp.md`,
//! section 13.

use std::time::Duration;

use fastrand::Rng;

use crate::model::Moment;

/// Longest wait that is chosen without the server's advice.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// Longest wait whatever the server asks for, its random part included.
const MAX_ADVISED_DELAY: Duration = Duration::from_secs(600);

/// A connection that has been joined for so long was a good one.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Counts attempts and draws waits.
#[derive(Debug)]
pub(super) struct Backoff {
    /// For the random part.
    rng: Rng,
    /// Attempts since the last good connection.
    attempts: u32,
    /// Since when this connection has been joined.
    joined_at: Option<Moment>,
}

impl Backoff {
    /// Before the first attempt.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), attempts: 0, joined_at: None }
    }

    /// Call it when the server has let us in.
    pub(super) fn record_join(&mut self, now: Moment) {
        self.joined_at = Some(now);
    }

    /// How long to wait now that the connection has ended or could not be
    /// made. `advice` is the server's `retry_after`. Call it once for each
    /// ending.
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

    /// A random time between zero and `most`.
    fn random_up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..=most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds are those of the page, also after very many attempts.
    #[test]
    fn delays_stay_within_protocol_bounds() {
        let mut backoff = Backoff::new(1);
        for attempt in 0..200_u32 {
            let most = Duration::from_secs(1 << attempt.min(6)).min(MAX_DELAY);
            assert!(backoff.next_delay(Moment::START, None) <= most);
        }
    }

    /// Only a connection that held resets the counting.
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

    /// The server's advice is a lower bound, and it is spread.
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
