//! When the writer adds messages to the search index.

use std::time::Duration;

use super::super::search::IndexStep;
use crate::model::Moment;

/// Number of messages outside the index from which a pause in the conversation is used to add them.
/// Fewer wait for [`INTERVAL`]: adding a few costs as many writes to the SD card as adding many.
const MIN_MESSAGES: usize = 256;

/// Length of that pause.
const PAUSE: Duration = Duration::from_secs(2);

/// Number of messages outside the index at which they are added although more keep coming. Searches
/// scan what is not in the index.
const MAX_MESSAGES: usize = 2_048;

/// Time from one step to the next while there is more to add.
const STEP_DELAY: Duration = Duration::from_millis(10);

/// Time from when nothing is left to add, or adding has failed, to the next step, if not enough
/// messages come before.
const INTERVAL: Duration = Duration::from_secs(600);

/// Decides when the next step of indexing is due. Adding many messages at once costs less for each
/// of them, and adding them in a pause of the conversation lets nobody wait.
#[derive(Debug)]
pub(super) struct IndexSchedule {
    /// Time of the next step.
    due_at: Moment,
    /// Latest time of the next step, however many messages come.
    latest: Moment,
    /// Number of messages committed since nothing was left to add, or adding has failed, without
    /// those that steps have added since.
    unindexed: usize,
    /// True while the steps follow each other until nothing is left to add.
    is_running: bool,
}

impl IndexSchedule {
    /// Creates the schedule of a log that is opened. A step is due at once: the log may have messages
    /// that are not in the index.
    pub(super) const fn new(now: Moment) -> Self {
        Self { due_at: now, latest: now, unindexed: 0, is_running: true }
    }

    /// Returns the time of the next step.
    pub(super) const fn due_at(&self) -> Moment {
        self.due_at
    }

    /// Counts messages that were committed, and are to be indexed.
    pub(super) fn on_committed(&mut self, messages: usize, now: Moment) {
        self.unindexed = self.unindexed.saturating_add(messages);
        if messages > 0 && self.unindexed >= MAX_MESSAGES {
            // Also while steps follow each other: they must not fall behind.
            self.due_at = now;
            self.is_running = true;
        } else if messages > 0 && self.unindexed >= MIN_MESSAGES && !self.is_running {
            self.due_at = (now + PAUSE).min(self.latest);
        }
    }

    /// Notes that a step was made.
    pub(super) fn on_step(&mut self, step: IndexStep, now: Moment) {
        if step.more {
            self.unindexed = self.unindexed.saturating_sub(step.count);
            self.is_running = true;
            self.due_at = now + STEP_DELAY;
        } else {
            self.rest(now);
        }
    }

    /// Notes that a step has failed. The next one is not made with the next message.
    pub(super) fn on_failure(&mut self, now: Moment) {
        self.rest(now);
    }

    /// Postpones the next step to this time at least.
    pub(super) fn postpone(&mut self, until: Moment) {
        self.due_at = self.due_at.max(until);
    }

    /// Waits for further messages.
    fn rest(&mut self, now: Moment) {
        let latest = now + INTERVAL;
        *self = Self { due_at: latest, latest, unindexed: 0, is_running: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sequence;

    /// Returns the result of a step that has added so many messages.
    fn step(count: usize, more: bool) -> IndexStep {
        IndexStep { last: Sequence(1), count, more }
    }

    /// Returns the time so many milliseconds after the start.
    fn at(milliseconds: u64) -> Moment {
        Moment::default() + Duration::from_millis(milliseconds)
    }

    /// Returns a schedule with nothing left to add at time 0.
    fn resting() -> IndexSchedule {
        let mut schedule = IndexSchedule::new(at(0));
        assert_eq!(schedule.due_at(), at(0), "what an earlier run has left is added at once");
        schedule.on_step(step(0, false), at(0));
        schedule
    }

    /// A few messages wait for the interval, many for a pause, and very many for nothing.
    #[test]
    fn messages_are_indexed_in_a_pause_or_when_they_are_many() {
        let mut schedule = resting();
        schedule.on_committed(255, at(10));
        assert_eq!(schedule.due_at(), at(600_000));
        schedule.on_committed(1, at(20));
        assert_eq!(schedule.due_at(), at(2_020));
        schedule.on_committed(1_000, at(2_000));
        assert_eq!(schedule.due_at(), at(4_000), "the pause begins with the last message");
        schedule.on_committed(0, at(3_000));
        assert_eq!(schedule.due_at(), at(4_000), "what is no message ends no pause");
        schedule.on_committed(792, at(3_500));
        assert_eq!(schedule.due_at(), at(3_500));
    }

    /// Messages that keep coming without a pause do not put the step off for ever.
    #[test]
    fn messages_without_a_pause_are_indexed_after_the_interval() {
        let mut schedule = resting();
        for second in 0..600 {
            schedule.on_committed(1, at(second * 1_000));
        }
        assert_eq!(schedule.due_at(), at(600_000));
    }

    /// Steps follow each other until nothing is left, and do not wait while they fall behind.
    #[test]
    fn steps_go_on_until_nothing_is_left() {
        let mut schedule = resting();
        schedule.on_committed(2_048, at(5));
        schedule.on_step(step(1_000, true), at(5));
        schedule.on_committed(900, at(7));
        assert_eq!(schedule.due_at(), at(15), "1,948 are left");
        schedule.on_committed(100, at(8));
        assert_eq!(schedule.due_at(), at(8), "2,048 are left");
        schedule.on_step(step(1_000, true), at(9));
        assert_eq!(schedule.due_at(), at(19));
        schedule.on_step(step(600, false), at(19));
        assert_eq!(schedule.due_at(), at(600_019));
    }

    /// After a failure neither the next message nor the pause behind it brings the next step.
    #[test]
    fn failed_step_is_not_made_again_with_the_next_message() {
        let mut schedule = resting();
        schedule.on_committed(2_048, at(5));
        schedule.on_failure(at(5));
        schedule.on_committed(1, at(6));
        assert_eq!(schedule.due_at(), at(600_005));
        schedule.on_committed(255, at(7));
        assert_eq!(schedule.due_at(), at(2_007));
        schedule.postpone(at(3_000));
        assert_eq!(schedule.due_at(), at(3_000));
    }
}
