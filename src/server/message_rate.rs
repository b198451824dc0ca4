//! Message counters: the total since the start, and the number in the last minute.

use std::collections::VecDeque;

use crate::model::Moment;

/// Length of the sliding window, in seconds.
const WINDOW_SECS: u64 = 60;

/// Counts messages in total and over a sliding window of one minute.
#[derive(Debug, Default)]
pub(super) struct MessageRate {
    /// Number of messages since the start.
    total: u64,
    /// Seconds of the window that had messages, each with its number of messages. Seconds are
    /// counted from the start of the clock.
    seconds: VecDeque<(u64, u64)>,
}

impl MessageRate {
    /// Counts messages that were committed at `now`. Drops the counts that have left the window.
    pub(super) fn count(&mut self, now: Moment, messages: usize) {
        let (second, messages) = (now.since_start().as_secs(), messages as u64);
        self.total = self.total.saturating_add(messages);
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count = count.saturating_add(messages),
            _ => self.seconds.push_back((second, messages)),
        }
        self.expire(second);
    }

    /// Returns the number of messages since the start.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of messages in the current second and the 59 seconds before it. Drops
    /// older counts.
    pub(super) fn last_minute(&mut self, now: Moment) -> u64 {
        self.expire(now.since_start().as_secs());
        self.seconds.iter().map(|(_, count)| count).sum()
    }

    /// Drops the counts of seconds that have left the window. `second`: the current second.
    fn expire(&mut self, second: u64) {
        while self.seconds.front().is_some_and(|(at, _)| at + WINDOW_SECS <= second) {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Only messages of the current second and the 59 before it count as the last minute.
    #[test]
    fn last_minute_counts_the_last_60_seconds() {
        let at = |second| Moment::after_start(Duration::from_secs(second));
        let mut message_rate = MessageRate::default();
        for second in 0..100 {
            message_rate.count(at(second), 2);
        }
        assert_eq!((message_rate.total(), message_rate.last_minute(at(99))), (200, 120));
        assert_eq!(message_rate.last_minute(at(130)), 58);
        assert_eq!(message_rate.last_minute(at(159)), 0);
        assert!(message_rate.seconds.is_empty());
    }
}
