//! Schedule of backups: decides when the next backup is due, without I/O or a clock of its own.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::hub::Now;
use crate::model::{Moment, Timestamp};

/// Hour of the day at which backups are made, in local time.
const BACKUP_HOUR: i8 = 3;

/// Time between a failed backup and the next attempt.
const RETRY_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Earliest wall-clock time that is believed: the start of 2020. An earlier time means that the
/// clock is not set.
const CLOCK_UNSET_BEFORE: Timestamp = Timestamp(1_577_836_800_000);

/// Maximum time by which the last backup may lie in the future, in milliseconds. Beyond it, a clock
/// was wrong.
const MAX_FUTURE: u64 = 24 * 60 * 60 * 1_000;

/// Decides when a backup is due: each night at [`BACKUP_HOUR`], and at once if that was missed.
/// After a failed attempt, a backup is due again after [`RETRY_INTERVAL`].
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// Local time zone.
    zone: TimeZone,
    /// Time of the last attempt if that failed; `None` if it succeeded or there was none.
    failed_at: Option<Moment>,
}

impl Schedule {
    /// Creates a schedule for this time zone, without a failed attempt.
    pub(super) const fn new(zone: TimeZone) -> Self {
        Self { zone, failed_at: None }
    }

    /// Returns true if a backup is due: 3 o'clock has passed since `last`, the time of the last
    /// good backup, or `last` is `None`. A `last` that [`is_future`] rejects counts as none.
    ///
    /// Returns false while the clock is not set, and for [`RETRY_INTERVAL`] after a failed attempt.
    pub(super) fn is_due(&self, now: Now, last: Option<Timestamp>) -> bool {
        let waits = self.failed_at.is_some_and(|at| now.moment.since(at) < RETRY_INTERVAL);
        if waits || now.time < CLOCK_UNSET_BEFORE {
            return false;
        }
        let last = last.filter(|last| !is_future(*last, now.time));
        last.and_then(|last| self.night_after(last)).is_none_or(|night| night <= now.time)
    }

    /// Records the outcome of an attempt. After a failed attempt, the next attempt waits for
    /// [`RETRY_INTERVAL`]. A good attempt ends this delay.
    pub(super) fn record_attempt(&mut self, now: Moment, has_failed: bool) {
        self.failed_at = has_failed.then_some(now);
    }

    /// Returns the local date at `time`; `None` after the year 9999.
    pub(super) fn date(&self, time: Timestamp) -> Option<Date> {
        Some(to_instant(time)?.to_zoned(self.zone.clone()).date())
    }

    /// Returns the first 3 o'clock, local time, after `time`; `None` after the year 9999.
    fn night_after(&self, time: Timestamp) -> Option<Timestamp> {
        let day = self.date(time)?;
        [day, day.tomorrow().ok()?].into_iter().find_map(|day| {
            let night = day.at(BACKUP_HOUR, 0, 0, 0).to_zoned(self.zone.clone()).ok()?;
            let night = Timestamp(u64::try_from(night.timestamp().as_millisecond()).ok()?);
            (night > time).then_some(night)
        })
    }
}

/// Returns true if `time` is later than `now` by more than [`MAX_FUTURE`]. Then one of them comes
/// from a wrong clock.
pub(super) fn is_future(time: Timestamp, now: Timestamp) -> bool {
    time.0 > now.0.saturating_add(MAX_FUTURE)
}

/// Formats a time in UTC, to the second: `2026-11-22T03:00:07Z`; `None` after the year 9999.
pub(in crate::server) fn format_utc(time: Timestamp) -> Option<String> {
    Some(to_instant(time)?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Converts a timestamp to jiff's type; `None` after the year 9999.
fn to_instant(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(time.0).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the timestamp of an RFC 3339 text.
    fn time(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(instant.as_millisecond()).unwrap())
    }

    /// Returns both clock readings at an RFC 3339 text. The monotonic clock starts with the year
    /// 2026.
    fn now(text: &str) -> Now {
        let elapsed = time(text).0.saturating_sub(time("2026-01-01T00:00:00Z").0);
        let moment = Moment::after_start(Duration::from_millis(elapsed));
        Now { moment, time: time(text) }
    }

    /// Returns a schedule for the time zone of Berlin, without a failed attempt.
    fn schedule() -> Schedule {
        Schedule::new(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    /// A backup is due from 3 o'clock local time on, once a night.
    #[test]
    fn backup_is_due_at_three_each_night() {
        let last = Some(time("2026-11-21T02:00:05Z"));
        assert!(!schedule().is_due(now("2026-11-22T01:59:59Z"), last));
        assert!(schedule().is_due(now("2026-11-22T02:00:00Z"), last));
        assert!(
            !schedule().is_due(now("2026-11-22T23:00:00Z"), Some(time("2026-11-22T02:00:00Z")))
        );
    }

    /// If a night was missed, a backup is due at once.
    #[test]
    fn missed_backup_is_due_at_once() {
        // This also holds if the last backup is less than a day old, because it was made late.
        for last in [None, Some(time("2026-11-21T09:00:05Z")), Some(time("2025-01-01T00:00:00Z"))] {
            assert!(schedule().is_due(now("2026-11-22T08:00:00Z"), last));
        }
    }

    /// In the nights in which daylight saving begins and ends, one backup is due.
    #[test]
    fn nights_of_clock_changes_have_one_backup() {
        // The clock jumps from 2 to 3 o'clock, and from 3 back to 2. So 3 o'clock exists in both
        // nights.
        for (last, night) in [
            ("2026-03-28T02:00:10Z", "2026-03-29T01:00:00Z"),
            ("2026-10-24T01:00:10Z", "2026-10-25T02:00:00Z"),
        ] {
            let night = time(night);
            let (before, last) = (Timestamp(night.0 - 1), Some(time(last)));
            assert!(!schedule().is_due(Now { moment: Moment::START, time: before }, last));
            assert!(schedule().is_due(Now { moment: Moment::START, time: night }, last));
            let at = Now { moment: Moment::START, time: Timestamp(night.0 + 20 * 3_600_000) };
            assert!(!schedule().is_due(at, Some(night)));
        }
    }

    /// After a failed attempt, a backup is due again after an hour. A good attempt ends the delay.
    #[test]
    fn failed_backup_is_retried_each_hour() {
        let mut schedule = schedule();
        schedule.record_attempt(now("2026-11-22T02:00:00Z").moment, true);
        assert!(!schedule.is_due(now("2026-11-22T02:59:59Z"), None));
        assert!(schedule.is_due(now("2026-11-22T03:00:00Z"), None));
        schedule.record_attempt(now("2026-11-22T03:00:00Z").moment, false);
        assert!(schedule.is_due(now("2026-11-22T03:00:01Z"), None));
    }

    /// No backup is due while the clock is not set. A last backup from the far future counts as
    /// none.
    #[test]
    fn wrong_clock_neither_prevents_nor_repeats_backups() {
        let last = |text| Some(time(text));
        assert!(!schedule().is_due(now("1970-01-01T00:01:00Z"), None));
        // The last backup is from the year 2040: its clock was wrong.
        assert!(schedule().is_due(now("2026-11-22T12:00:00Z"), last("2040-01-01T00:00:00Z")));
        // The clock was set back by an hour.
        assert!(!schedule().is_due(now("2026-11-22T01:30:00Z"), last("2026-11-22T02:00:05Z")));
        let end = Now { moment: Moment::START, time: Timestamp(u64::MAX) };
        assert!(schedule().is_due(end, Some(Timestamp(u64::MAX))));
    }
}
