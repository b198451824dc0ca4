//! Latency of messages: the time from a message's proposal to the log until the log has committed it
//! and it is its turn to be published. The engine measures it, once for all messages that it
//! proposes together.

use std::collections::VecDeque;
use std::time::Duration;

use crate::hub::LogItem;
use crate::model::Moment;

/// Upper bounds of the buckets, in microseconds: from a log in memory to an SD card that is about to
/// fail.
const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// Histogram of latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct LatencyHistogram {
    /// Number of messages in each bucket: those above the bound before, up to its own.
    counts: [u64; BOUNDS.len()],
    /// Number of messages above all bounds.
    above: u64,
    /// Sum of all latencies.
    sum: Duration,
}

impl LatencyHistogram {
    /// Counts messages with this latency.
    fn observe(&mut self, latency: Duration, messages: u32) {
        let micros = latency.as_nanos().div_ceil(1_000);
        let bucket = BOUNDS.iter().position(|bound| micros <= u128::from(*bound));
        let count = bucket.and_then(|it| self.counts.get_mut(it)).unwrap_or(&mut self.above);
        *count = count.saturating_add(messages.into());
        self.sum = self.sum.saturating_add(latency.saturating_mul(messages));
    }

    /// Returns the number of messages.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// Returns the sum of all latencies, in seconds.
    pub(super) const fn sum(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// Returns the buckets: the upper bound in seconds, and the number of messages in it alone.
    pub(in crate::server) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().map(|it| Duration::from_micros(*it).as_secs_f64());
        let counts = self.counts.iter().copied();
        bounds.zip(counts).chain([(f64::INFINITY, self.above)]).collect()
    }
}

/// Measures latencies. Takes the log's answers for those to the drafts that wait longest. A refusal may
/// overtake them: then a message has the latency of one that was proposed next to it.
#[derive(Debug, Default)]
pub(in crate::server) struct LatencyMeter {
    /// Drafts that wait for the log: their number and the time, for each proposal. Their number is
    /// that of the hub's unanswered drafts at most.
    waiting: VecDeque<(usize, Moment)>,
    /// Latencies of all messages so far.
    histogram: LatencyHistogram,
}

impl LatencyMeter {
    /// Notes that drafts are proposed together; at least one.
    pub(in crate::server) fn propose(&mut self, now: Moment, drafts: usize) {
        self.waiting.push_back((drafts, now));
    }

    /// Counts the messages among committed items.
    pub(in crate::server) fn commit(&mut self, now: Moment, items: &[LogItem]) {
        let mut messages = 0;
        let mut since = None;
        for item in items.iter().filter(|it| it.sequence().is_some()) {
            let next = self.take_draft();
            if next != since {
                self.observe(now, since, messages);
                (since, messages) = (next, 0);
            }
            messages += u32::from(item.entry().is_some());
        }
        self.observe(now, since, messages);
    }

    /// Notes that a draft was not stored.
    pub(in crate::server) fn refuse(&mut self) {
        self.take_draft();
    }

    /// Returns the latencies so far.
    pub(in crate::server) const fn histogram(&self) -> &LatencyHistogram {
        &self.histogram
    }

    /// Counts messages that were proposed at `since`.
    fn observe(&mut self, now: Moment, since: Option<Moment>, messages: u32) {
        if let Some(since) = since.filter(|_| messages > 0) {
            self.histogram.observe(now.since(since), messages);
        }
    }

    /// Takes the first waiting draft, and returns the time at which it was proposed. `None` if none
    /// waits.
    fn take_draft(&mut self) -> Option<Moment> {
        let (left, since) = self.waiting.front_mut()?;
        let since = *since;
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.waiting.pop_front();
        }
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Draft, LogEntry, Sequence, Timestamp};

    /// Returns a committed message.
    fn message(sequence: u64) -> LogItem {
        let (sequence, previous) = (Sequence(sequence), Sequence::ZERO);
        let entry = LogEntry { sequence, previous, time: Timestamp(0), draft: Draft::example() };
        LogItem::Message(Arc::new(entry))
    }

    /// A bucket includes its bound, and what is above all bounds is counted too.
    #[test]
    fn buckets_include_their_bounds() {
        let mut histogram = LatencyHistogram::default();
        for (micros, messages) in [(0, 1), (500, 2), (501, 4), (10_000_000, 8), (10_000_001, 16)] {
            histogram.observe(Duration::from_micros(micros), messages);
        }
        histogram.observe(Duration::from_nanos(500_001), 32);
        let buckets = histogram.buckets();
        let filled: Vec<_> = buckets.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.0005, 3), (0.001, 36), (10.0, 8), (f64::INFINITY, 16)]);
        assert_eq!((histogram.count(), buckets.len()), (63, BOUNDS.len() + 1));
        assert!(BOUNDS.is_sorted());
    }

    /// Each message has the latency of its own proposal, in whatever pieces the log answers. A
    /// draft that is not stored has none, and what is no draft takes no place.
    #[test]
    fn answers_belong_to_their_proposals() {
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let void = LogItem::Void { after: Sequence(2), up_to: Sequence(9) };
        let mut meter = LatencyMeter::default();
        meter.propose(at(0), 3);
        meter.propose(at(2), 2);
        meter.commit(at(4), &[message(1), message(2), void]);
        meter.refuse();
        meter.commit(at(6), &[message(10), message(11)]);
        assert_eq!(meter.histogram.count(), 4);
        assert_eq!(meter.histogram.sum, Duration::from_millis(2 * 4 + 2 * 4));
        meter.propose(at(7), 1);
        meter.propose(at(8), 1);
        meter.commit(at(9), &[message(12), message(13)]);
        assert_eq!(meter.histogram.sum, Duration::from_millis(16 + 2 + 1));
        assert!(meter.waiting.is_empty());
        meter.commit(at(9), &[message(14)]);
        assert_eq!(meter.histogram.count(), 6, "a message that nobody has proposed");
    }
}
