//! How long to wait before connecting again: `docs/protocol/tcp.md`,
//! section 13.

use std::time::Duration;

use fastrand::Rng;

use crate::model::Moment;

/// Longest wait that is chosen without the server's advice.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Longest wait whatever the server asks for, its random part included.
const MAX_ADVICE: Duration = Duration::from_secs(600);

/// A connection that has been joined for so long was a good one.
const STABLE: Duration = Duration::from_secs(10);

/// Counts attempts and draws waits.
#[derive(Debug)]
pub(super) struct Backoff {
    /// For the random part.
    random: Rng,
    /// Attempts since the last good connection.
    attempts: u32,
    /// Since when this connection has been joined.
    joined: Option<Moment>,
}

impl Backoff {
    /// Before the first attempt.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), attempts: 0, joined: None }
    }

    /// Call it when the server has let us in.
    pub(super) fn joined(&mut self, now: Moment) {
        self.joined = Some(now);
    }

    /// How long to wait now that the connection has ended or could not be
    /// made. `advice` is the server's `retry_after`. Call it once for each
    /// ending.
    pub(super) fn next_wait(&mut self, now: Moment, advice: Option<Duration>) -> Duration {
        if self.joined.take().is_some_and(|since| now.since(since) >= STABLE) {
            self.attempts = 0;
        }
        let doubled = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        match advice {
            Some(advice) => {
                let advice = advice.min(MAX_ADVICE);
                advice.saturating_add(self.up_to(advice / 2)).min(MAX_ADVICE)
            }
            None => self.up_to(MAX_WAIT.min(Duration::from_secs(1).saturating_mul(doubled))),
        }
    }

    /// A random time between zero and `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random.u64(0..=most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds are those of the page, also after very many attempts.
    #[test]
    fn waits_are_within_the_page_s_bounds() {
        let mut backoff = Backoff::new(1);
        for attempt in 0..200_u32 {
            let most = Duration::from_secs(1 << attempt.min(6)).min(MAX_WAIT);
            assert!(backoff.next_wait(Moment::START, None) <= most);
        }
    }

    /// Only a connection that held resets the counting.
    #[test]
    fn a_short_connection_does_not_count() {
        let mut backoff = Backoff::new(1);
        for _ in 0..20 {
            backoff.next_wait(Moment::START, None);
        }
        let later = |s| Moment::START + Duration::from_secs(s);
        backoff.joined(Moment::START);
        backoff.next_wait(later(9), None);
        assert_eq!(backoff.attempts, 21);
        backoff.joined(Moment::START);
        assert!(backoff.next_wait(later(10), None) <= Duration::from_secs(1));
        assert_eq!(backoff.attempts, 1);
    }

    /// The server's advice is a lower bound, and it is spread.
    #[test]
    fn advice_is_spread() {
        let mut backoff = Backoff::new(1);
        assert_eq!(backoff.next_wait(Moment::START, Some(Duration::MAX)), MAX_ADVICE);
        let advice = Duration::from_secs(4);
        let waits: Vec<_> =
            (0..50).map(|_| backoff.next_wait(Moment::START, Some(advice))).collect();
        assert!(waits.iter().all(|it| (advice..=advice * 3 / 2).contains(it)));
        assert!(waits.iter().any(|it| *it != waits[0]));
    }
}
