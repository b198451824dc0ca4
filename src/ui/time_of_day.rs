//! Times as people read them.

use jiff::Timestamp as Instant;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// What stands in place of a time that cannot be shown.
const NO_TIME: &str = "--:--:--";

/// Knows the zone that the person lives in.
#[derive(Clone, Debug)]
pub(super) struct TimeOfDay {
    /// That zone, with its summer times.
    zone: TimeZone,
}

impl TimeOfDay {
    /// The zone that the operating system (or `TZ`) names.
    pub(super) fn local() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// The zone with this rule, for tests.
    #[cfg(test)]
    pub(super) fn posix(rule: &str) -> Self {
        Self { zone: TimeZone::posix(rule).unwrap() }
    }

    /// `14:03:07`
    pub(super) fn clock(&self, time: Timestamp) -> String {
        instant(time).map_or_else(
            || NO_TIME.to_owned(),
            |it| it.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string(),
        )
    }

    /// The day that it was.
    pub(super) fn date(&self, time: Timestamp) -> Option<Date> {
        Some(instant(time)?.to_zoned(self.zone.clone()).date())
    }
}

/// `2026-11-22T14:03:07.123Z`; `None` for a time that has no such form.
pub(super) fn utc(time: Timestamp) -> Option<String> {
    Some(instant(time)?.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// A time up to the year 9999.
fn instant(time: Timestamp) -> Option<Instant> {
    Instant::from_millisecond(i64::try_from(time.0).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same hour of the clock, before and after summer time began.
    #[test]
    fn summer_time_is_that_of_the_time_shown() {
        let berlin = TimeOfDay::posix("CET-1CEST,M3.5.0,M10.5.0/3");
        let winter = Timestamp(1_774_742_400_000); // 2026-03-29T00:00:00Z
        assert_eq!(berlin.clock(winter), "01:00:00");
        assert_eq!(berlin.clock(Timestamp(winter.0 + 3_600_000)), "03:00:00");
        assert_eq!(berlin.date(winter).unwrap().to_string(), "2026-03-29");
    }

    /// In UTC to the millisecond, always with three digits.
    #[test]
    fn utc_has_three_digits() {
        let time = |ms| utc(Timestamp(ms));
        assert_eq!(time(1_795_384_987_123).unwrap(), "2026-11-22T22:03:07.123Z");
        assert_eq!(time(0).unwrap(), "1970-01-01T00:00:00.000Z");
    }

    /// Times that no clock shows do no harm.
    #[test]
    fn absurd_times() {
        assert_eq!(utc(Timestamp(u64::MAX)), None);
        assert_eq!(TimeOfDay::posix("UTC0").clock(Timestamp(u64::MAX)), NO_TIME);
        assert_eq!(TimeOfDay::posix("UTC0").date(Timestamp(1 << 60)), None);
    }
}
