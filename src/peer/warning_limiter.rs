//! Rate limiter of repeated warnings, by their text.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Moment;

/// Minimum time between two reports of the same text.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// Rate limiter of warnings: it suppresses a text that was reported less than a minute ago.
#[derive(Debug, Default)]
pub(super) struct WarningLimiter {
    /// Time of the last report of each text. Each new report removes the texts that were last
    /// reported [`REPEAT_INTERVAL`] ago or earlier.
    last_reported: HashMap<String, Moment>,
}

impl WarningLimiter {
    /// Returns true if the warning `text` is to be reported: it was not reported in the last
    /// minute. Then records it as reported now. Texts must not contain data from the network,
    /// because each distinct text is kept for a minute.
    pub(super) fn should_report(&mut self, now: Moment, text: &str) -> bool {
        if self
            .last_reported
            .get(text)
            .is_some_and(|last_reported| now.since(*last_reported) < REPEAT_INTERVAL)
        {
            return false;
        }
        self.last_reported.retain(|_, reported| now.since(*reported) < REPEAT_INTERVAL);
        self.last_reported.insert(text.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text is reported again only after a minute. A different text is not affected.
    #[test]
    fn same_warning_is_reported_once_a_minute() {
        let mut warning_limiter = WarningLimiter::default();
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        assert!(warning_limiter.should_report(at(0), "no network"));
        assert!(warning_limiter.should_report(at(1), "no port"));
        assert!(!warning_limiter.should_report(at(59), "no network"));
        assert!(warning_limiter.should_report(at(60), "no network"));
    }

    /// Texts that were last reported a minute ago or earlier are forgotten.
    #[test]
    fn old_warnings_are_forgotten() {
        let mut warning_limiter = WarningLimiter::default();
        for second in 0..10_000 {
            let now = Moment::START + Duration::from_secs(second);
            assert!(warning_limiter.should_report(now, &format!("no network {second}")));
            assert!(warning_limiter.last_reported.len() <= 60);
        }
    }
}
