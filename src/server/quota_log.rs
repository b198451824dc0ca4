//! Counters and rate-limited log lines about address groups that reach a limit.

use std::collections::HashMap;
use std::time::Duration;

use crate::hub::Quota;
use crate::model::{AddressGroup, Moment};

/// Minimum time between two log lines about limits, over all address groups and limits; and the
/// interval for which events are counted.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum number of pairs of address group and limit that are counted in one [`LINE_INTERVAL`].
/// Further pairs count only in the totals.
const MAX_COUNTED: usize = 1_024;

/// Address group that has reached a limit, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pressure {
    /// Address group.
    pub(super) group: AddressGroup,
    /// Limit that the address group has reached.
    pub(super) quota: Quota,
    /// Number of times that the address group has reached the limit within one [`LINE_INTERVAL`]:
    /// the running one, or the one before.
    pub(super) times: u64,
}

/// Counters and rate-limited log lines of the times that address groups reach their limits. The
/// first time is logged at once. Then the group and limit with the largest count are logged every
/// [`LINE_INTERVAL`], until no limit is reached for a whole interval.
#[derive(Debug, Default)]
pub(super) struct QuotaLog {
    /// Number of times that any group has reached each limit since the start.
    totals: HashMap<Quota, u64>,
    /// Number of times in the running [`LINE_INTERVAL`], by address group and limit.
    recent: HashMap<(AddressGroup, Quota), u64>,
    /// Largest count in the interval before the running one; `None` if no limit was reached in it.
    previous: Option<Pressure>,
    /// Start of the running [`LINE_INTERVAL`]: time of the last line, or of the last flush that
    /// found a single event. `None` if no interval runs: then the next event is logged at once.
    logged_at: Option<Moment>,
    /// True if the running interval began with an event that was logged at once. If that stays the
    /// only event, no further line follows.
    is_first_logged: bool,
}

impl QuotaLog {
    /// Records that an address group has reached a limit. If no [`LINE_INTERVAL`] runs, logs this
    /// event at once and begins an interval.
    pub(super) fn record(&mut self, now: Moment, group: AddressGroup, quota: Quota) {
        *self.totals.entry(quota).or_default() += 1;
        let is_known = self.recent.contains_key(&(group, quota));
        if is_known || self.recent.len() < MAX_COUNTED {
            *self.recent.entry((group, quota)).or_default() += 1;
        }
        if self.logged_at.is_none() {
            self.logged_at = Some(now);
            self.is_first_logged = true;
            let limit = quota.name();
            tracing::warn!("{group} has reached the limit of an address: {limit}");
        }
    }

    /// If the running [`LINE_INTERVAL`] is over, logs the address group and limit with the largest
    /// count in it, and begins the next interval. If the only event was logged at once, logs
    /// nothing. If there was no event, no interval begins. Call it every few seconds.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        if let Some(line) = self.due_line(now) {
            tracing::warn!("{line}");
        }
    }

    /// Returns the log line that is due at `now`; `None` if no line is due. Begins the next
    /// interval as [`Self::flush_if_due`] says.
    fn due_line(&mut self, now: Moment) -> Option<String> {
        if self.logged_at.is_none_or(|at| now.since(at) < LINE_INTERVAL) {
            return None;
        }
        self.previous = self.greatest_recent();
        let others = self.recent.len().saturating_sub(1);
        self.recent = HashMap::new();
        self.logged_at = self.previous.map(|_| now);
        let is_logged = std::mem::take(&mut self.is_first_logged);
        let Pressure { group, quota, times } = self.previous?;
        let limit = quota.name();
        match (times, others) {
            (1, 0) if is_logged => None,
            (1, 0) => Some(format!("{group} has reached the limit of an address: {limit}")),
            _ => Some(format!(
                "{group} has reached the limit of an address {times} times: {limit} ({others} \
                 further addresses or limits)"
            )),
        }
    }

    /// Returns the address group and limit with the largest count in the running interval; `None`
    /// if no limit was reached in it.
    fn greatest_recent(&self) -> Option<Pressure> {
        let greatest = self.recent.iter().max_by_key(|(_, times)| **times);
        greatest.map(|((group, quota), times)| Pressure {
            group: *group,
            quota: *quota,
            times: *times,
        })
    }

    /// Returns the address group and limit with the largest count in the running interval or the
    /// one before. `None` if no limit was reached in them.
    pub(super) fn pressure(&self) -> Option<Pressure> {
        let candidates = [self.greatest_recent(), self.previous];
        candidates.into_iter().flatten().max_by_key(|it| it.times)
    }

    /// Returns the number of times since the start that each limit was reached; 0 for the others.
    pub(super) fn totals(&self) -> Vec<(Quota, u64)> {
        let count = |quota: &Quota| self.totals.get(quota).copied().unwrap_or_default();
        Quota::ALL.iter().map(|quota| (*quota, count(quota))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address group and limit with the largest count are reported as pressure, until an
    /// interval passes without an event.
    #[test]
    fn group_with_most_events_is_reported_until_it_stops() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let [one, other] = [1, 2].map(|it| AddressGroup::of([192, 0, 2, it].into()));
        let mut log = QuotaLog::default();
        assert_eq!(log.pressure(), None);
        log.record(at(10), one, Quota::Joins);
        log.record(at(11), other, Quota::Rooms);
        log.record(at(12), other, Quota::Rooms);
        let pressure = Some(Pressure { group: other, quota: Quota::Rooms, times: 2 });
        assert_eq!(log.pressure(), pressure);
        log.flush_if_due(at(69));
        assert_eq!(log.recent.len(), 2);
        log.flush_if_due(at(70));
        assert_eq!((log.recent.len(), log.pressure()), (0, pressure));
        log.flush_if_due(at(130));
        assert_eq!((log.pressure(), log.logged_at), (None, None));
        let totals: Vec<_> = log.totals().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(totals, [(Quota::Joins, 1), (Quota::Rooms, 2)]);
    }

    /// The only event of an interval is logged once.
    #[test]
    fn single_event_of_each_interval_is_logged() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let group = AddressGroup::of([192, 0, 2, 1].into());
        let mut log = QuotaLog::default();
        log.record(at(10), group, Quota::Joins);
        assert_eq!(log.due_line(at(70)), None, "it was logged at once");
        log.record(at(71), group, Quota::Rooms);
        let line = "192.0.2.1 has reached the limit of an address: rooms";
        assert_eq!(log.due_line(at(130)).as_deref(), Some(line));
        log.record(at(131), group, Quota::Rooms);
        assert_eq!(log.due_line(at(190)).as_deref(), Some(line));
        assert_eq!((log.due_line(at(250)), log.logged_at), (None, None));
        log.record(at(300), group, Quota::Rooms);
        assert_eq!(log.due_line(at(360)), None, "it was logged at once");
    }
}
