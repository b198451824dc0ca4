//! Times as people read them.

use jiff::Timestamp as Instant;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// What stands in place of a time that cannot be shown.
const INVALID_TIME: &str = "--:--:--";

/// Knows the zone that the person lives in.
#[derive(Clone, Debug)]
pub(super) struct LocalTime {
    /// That zone, with its summer times.
    zone: TimeZone,
}

impl LocalTime {
    /// The zone that the operating system (or `TZ`) names.
    pub(super) fn local() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// The zone with this rule, for tests.
    #[cfg(test)]
    pub(super) fn from_posix(rule: &str) -> Self {
        Self { zone: TimeZone::posix(rule).unwrap() }
    }

    /// `14:03:07`
    pub(super) fn format_time(&self, time: Timestamp) -> String {
        self.format(time, "%H:%M:%S")
    }

    /// The day that it was.
    pub(super) fn date(&self, time: Timestamp) -> Option<Date> {
        Some(to_jiff(time)?.to_zoned(self.zone.clone()).date())
    }

    /// `2026-11-22 14:03:07`
    pub(super) fn format_date_time(&self, time: Timestamp) -> String {
        self.format(time, "%Y-%m-%d %H:%M:%S")
    }

    /// `2026-11-22 14:03`, or only the day when it is its beginning.
    pub(super) fn format_date_minute(&self, time: Timestamp) -> String {
        let is_day = self.date(time).is_some_and(|day| self.start_of_day(day) == Some(time));
        self.format(time, if is_day { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" })
    }

    /// The time that somebody means who writes `2026-11-03` (when that day
    /// begins), `2026-11-03T14:30`, `today` or `yesterday`. None before 1970.
    pub(super) fn parse_typed(&self, typed: &str, now: Timestamp) -> Option<Timestamp> {
        match typed.to_ascii_lowercase().as_str() {
            "today" => self.start_of_day(self.date(now)?),
            "yesterday" => self.start_of_day(self.date(now)?.yesterday().ok()?),
            _ => match Date::strptime("%Y-%m-%d", typed) {
                Ok(day) => self.start_of_day(day),
                Err(_) => self.to_timestamp(DateTime::strptime("%Y-%m-%dT%H:%M", typed).ok()?),
            },
        }
    }

    /// When a day begins.
    fn start_of_day(&self, day: Date) -> Option<Timestamp> {
        self.to_timestamp(day.to_datetime(Time::midnight()))
    }

    /// When a clock here shows this. (One that summer time leaves out is
    /// taken as an hour later; of two that are the same, the first.)
    fn to_timestamp(&self, shown: DateTime) -> Option<Timestamp> {
        checked_timestamp(shown.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// In this form.
    fn format(&self, time: Timestamp, form: &str) -> String {
        to_jiff(time).map_or_else(
            || INVALID_TIME.to_owned(),
            |it| it.to_zoned(self.zone.clone()).strftime(form).to_string(),
        )
    }
}

/// `2026-11-22T14:03:07.123Z`; `None` for a time that has no such form.
pub(super) fn format_utc(time: Timestamp) -> Option<String> {
    Some(to_jiff(time)?.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// The time that is written like this, in any zone that is given with it.
pub(super) fn parse_time(written: &str) -> Option<Timestamp> {
    checked_timestamp(written.parse().ok()?)
}

/// A time after the beginning of 1970: zero would mean that there is none.
fn checked_timestamp(time: Instant) -> Option<Timestamp> {
    let milliseconds = u64::try_from(time.as_millisecond()).ok()?;
    (milliseconds > 0).then_some(Timestamp(milliseconds))
}

/// A time up to the year 9999.
fn to_jiff(time: Timestamp) -> Option<Instant> {
    Instant::from_millisecond(i64::try_from(time.0).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same hour of the clock, before and after summer time began.
    #[test]
    fn summer_time_follows_the_formatted_time() {
        let berlin = LocalTime::from_posix("CET-1CEST,M3.5.0,M10.5.0/3");
        let winter = Timestamp(1_774_742_400_000); // 2026-03-29T00:00:00Z
        assert_eq!(berlin.format_time(winter), "01:00:00");
        assert_eq!(berlin.format_time(Timestamp(winter.0 + 3_600_000)), "03:00:00");
        assert_eq!(berlin.date(winter).unwrap().to_string(), "2026-03-29");
    }

    /// In UTC to the millisecond, always with three digits.
    #[test]
    fn utc_format_has_millisecond_digits() {
        let time = |ms| format_utc(Timestamp(ms));
        assert_eq!(time(1_795_384_987_123).unwrap(), "2026-11-22T22:03:07.123Z");
        assert_eq!(time(0).unwrap(), "1970-01-01T00:00:00.000Z");
    }

    /// Times that no clock shows do no harm.
    #[test]
    fn out_of_range_times_are_invalid() {
        assert_eq!(format_utc(Timestamp(u64::MAX)), None);
        assert_eq!(LocalTime::from_posix("UTC0").format_time(Timestamp(u64::MAX)), INVALID_TIME);
        assert_eq!(LocalTime::from_posix("UTC0").date(Timestamp(1 << 60)), None);
    }
}
