//! Formatting and parsing of times in the user's time zone.

use jiff::Timestamp as Instant;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::model::Timestamp;
use crate::text;

/// Placeholder for a time that cannot be formatted because it is after the year 9999.
const INVALID_TIME: &str = "--:--:--";

/// The user's time zone, for formatting and parsing times.
#[derive(Clone, Debug)]
pub(super) struct LocalTimeZone {
    /// Time zone, including its daylight saving rules.
    zone: TimeZone,
}

impl LocalTimeZone {
    /// Returns the time zone from the environment variable `TZ`. If it is not set, returns the time
    /// zone of the system.
    pub(super) fn system() -> Self {
        Self { zone: TimeZone::system() }
    }

    /// Returns the time zone for a POSIX rule such as `UTC0`, for tests.
    #[cfg(test)]
    pub(super) fn from_posix(rule: &str) -> Self {
        Self { zone: TimeZone::posix(rule).unwrap() }
    }

    /// Formats the local time of day, as `14:03:07`; [`INVALID_TIME`] after the year 9999.
    pub(super) fn format_time(&self, time: Timestamp) -> String {
        self.format(time, "%H:%M:%S")
    }

    /// Formats the local time of day to the minute, as `14:03`.
    pub(super) fn format_minute(&self, time: Timestamp) -> String {
        self.format(time, "%H:%M")
    }

    /// Returns the local date of a time; `None` after the year 9999.
    pub(super) fn date(&self, time: Timestamp) -> Option<Date> {
        Some(to_jiff(time)?.to_zoned(self.zone.clone()).date())
    }

    /// Formats local date and time, as `2026-11-22 14:03:07`, the date as the user's language has
    /// it; [`INVALID_TIME`] after the year 9999.
    pub(super) fn format_date_time(&self, time: Timestamp) -> String {
        match self.date(time) {
            Some(date) => format!("{} {}", date_text(date), self.format_time(time)),
            None => INVALID_TIME.to_owned(),
        }
    }

    /// Formats local date and minute, as `2026-11-22 14:03`, the date as the user's language has it.
    /// Formats the start of a day as the date alone, and a time after the year 9999 as
    /// [`INVALID_TIME`].
    pub(super) fn format_date_minute(&self, time: Timestamp) -> String {
        match self.date(time) {
            Some(day) if self.start_of_day(day) == Some(time) => date_text(day),
            Some(day) => format!("{} {}", date_text(day), self.format_minute(time)),
            None => INVALID_TIME.to_owned(),
        }
    }

    /// Parses a local date or time that the user typed: `2026-11-03`, `2026-11-03T14:30`, `today`
    /// or `yesterday`. A date stands for the start of that day. `now` is the current time. Returns
    /// `None` if the text has none of these forms, or if the time is not after the start of 1970.
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

    /// Returns the time at which a local day starts; `None` if it is not after the start of 1970.
    fn start_of_day(&self, day: Date) -> Option<Timestamp> {
        self.to_timestamp(day.to_datetime(Time::midnight()))
    }

    /// Converts a local date and time to a timestamp; `None` if it is not after the start of 1970.
    /// If daylight saving skips the time, shifts it forward by as much as is skipped. If the time
    /// occurs twice, takes the first.
    fn to_timestamp(&self, shown: DateTime) -> Option<Timestamp> {
        checked_timestamp(shown.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// Formats a time in the local time zone, with a `strftime` format. Returns [`INVALID_TIME`]
    /// after the year 9999.
    fn format(&self, time: Timestamp, form: &str) -> String {
        to_jiff(time).map_or_else(
            || INVALID_TIME.to_owned(),
            |it| it.to_zoned(self.zone.clone()).strftime(form).to_string(),
        )
    }
}

/// Returns a date with its weekday in the user's language, as `Monday, 2026-11-23`.
pub(super) fn date_line(date: Date) -> String {
    let weekday = date.weekday().to_monday_one_offset();
    text!("date-line", weekday = weekday, date = date_text(date))
}

/// Returns a date as the user's language has it, as `2026-11-23`.
fn date_text(date: Date) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    text!(
        "date-day",
        year = format!("{year:04}"),
        month = format!("{month:02}"),
        day = format!("{day:02}"),
    )
}

/// Converts a time of the library to a protocol timestamp. Returns `None` if it is not after the
/// start of 1970, because zero means "no time" in the protocol.
fn checked_timestamp(time: Instant) -> Option<Timestamp> {
    let milliseconds = u64::try_from(time.as_millisecond()).ok()?;
    (milliseconds > 0).then_some(Timestamp(milliseconds))
}

/// Converts a protocol timestamp to the library's type; `None` after the year 9999.
fn to_jiff(time: Timestamp) -> Option<Instant> {
    Instant::from_millisecond(i64::try_from(time.0).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Dates, and the names of days, are as the user's language has them.
    #[test]
    fn dates_are_in_the_language() {
        let zone = LocalTimeZone::from_posix("UTC0");
        let time = Timestamp(1_772_409_787_123); // 2026-03-02T00:03:07Z
        let all = || {
            let day = Timestamp(time.0 - 187_123);
            let shown = [zone.format_date_time(time), zone.format_date_minute(time)];
            [&shown[..], &[zone.format_date_minute(day), date_line(zone.date(time).unwrap())]]
                .concat()
        };
        let english =
            ["2026-03-02 00:03:07", "2026-03-02 00:03", "2026-03-02", "Monday, 2026-03-02"];
        assert_eq!(all(), english);
        let german =
            ["02.03.2026 00:03:07", "02.03.2026 00:03", "02.03.2026", "Montag, 02.03.2026"];
        assert_eq!(with_language(Language::German, all), german);
    }

    /// Daylight saving is applied for the formatted time, not for the current time.
    #[test]
    fn summer_time_follows_the_formatted_time() {
        let berlin = LocalTimeZone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3");
        let winter = Timestamp(1_774_742_400_000); // 2026-03-29T00:00:00Z
        assert_eq!(berlin.format_time(winter), "01:00:00");
        assert_eq!(berlin.format_time(Timestamp(winter.0 + 3_600_000)), "03:00:00");
        assert_eq!(berlin.date(winter).unwrap().to_string(), "2026-03-29");
    }

    /// Times that are out of range are replaced by a placeholder or `None`.
    #[test]
    fn out_of_range_times_are_invalid() {
        assert_eq!(
            LocalTimeZone::from_posix("UTC0").format_time(Timestamp(u64::MAX)),
            INVALID_TIME
        );
        assert_eq!(LocalTimeZone::from_posix("UTC0").date(Timestamp(1 << 60)), None);
    }
}
