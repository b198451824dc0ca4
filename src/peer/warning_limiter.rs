//! What does not work, last_reported once a minute and not a thousand times.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Moment;

/// The same is last_reported again after so long.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);

/// Remembers what was last_reported.
#[derive(Debug, Default)]
pub(super) struct WarningLimiter {
    /// When each kind was last_reported last.
    last_reported: HashMap<String, Moment>,
}

impl WarningLimiter {
    /// Whether a text is to be last_reported now. (Sentences differ by kind of
    /// error and by what it is about, never by what strangers send.)
    pub(super) fn should_report(&mut self, now: Moment, text: &str) -> bool {
        if self
            .last_reported
            .get(text)
            .is_some_and(|last_reported| now.since(*last_reported) < REPEAT_INTERVAL)
        {
            return false;
        }
        self.last_reported.insert(text.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind once a minute.
    #[test]
    fn once_a_minute() {
        let mut warning_limiter = WarningLimiter::default();
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        assert!(warning_limiter.should_report(at(0), "no network"));
        assert!(warning_limiter.should_report(at(1), "no port"));
        assert!(!warning_limiter.should_report(at(59), "no network"));
        assert!(warning_limiter.should_report(at(60), "no network"));
    }
}
