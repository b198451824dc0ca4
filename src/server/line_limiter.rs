//! Rate limit of log lines about events that anybody can cause often.

use std::time::Duration;

use crate::model::Moment;

/// Minimum time between two log lines.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// Rate limit of log lines about one kind of event: at most one line in each [`LINE_INTERVAL`].
#[derive(Debug, Default)]
pub(super) struct LineLimiter {
    /// Time of the last line; `None` before the first one.
    logged_at: Option<Moment>,
    /// Number of events since the last line, which were not logged.
    unlogged: u64,
}

impl LineLimiter {
    /// Counts an event, and decides if its line is logged. If so, returns the number of events
    /// suppressed since the last line. `None` if this event is suppressed.
    pub(super) fn next_line(&mut self, now: Moment) -> Option<u64> {
        if self.logged_at.is_some_and(|at| now.since(at) < LINE_INTERVAL) {
            self.unlogged = self.unlogged.saturating_add(1);
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At most one line is due in a minute. It comes with the number of events that were not
    /// logged.
    #[test]
    fn lines_are_a_minute_apart_and_events_between_them_are_counted() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let mut limiter = LineLimiter::default();
        let lines = [1, 2, 60, 61, 62, 200].map(|seconds| limiter.next_line(at(seconds)));
        assert_eq!(lines, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
