//! Formatting and parsing of times (UTC).

use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description as form;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use crate::model::Timestamp;

/// Formats a time by RFC 3339 in UTC, to the millisecond: `2026-11-03T14:30:05.123Z`. `None` after
/// the year 9999.
pub(super) fn format_rfc3339(time: Timestamp) -> Option<String> {
    let form = form!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    to_date_time(time)?.format(form).ok()
}

/// Formats a time for people in UTC, to the second: `2026-11-03 14:30:05Z`. `None` after the year
/// 9999.
#[must_use]
pub fn format_readable(time: Timestamp) -> Option<String> {
    to_date_time(time)?.format(form!("[year]-[month]-[day] [hour]:[minute]:[second]Z")).ok()
}

/// Parses a time by RFC 3339 with any offset. Fractions of a millisecond are cut off. `None` if the
/// time is invalid or before 1970.
pub(super) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    from_date_time(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

/// Parses the start time of an export as an owner types it: `2026-11-03` (start of the day),
/// `2026-11-03 14:30` or `2026-11-03T14:30:05`, all in UTC; or RFC 3339 with any offset. `None` if
/// the time is invalid or before 1970.
#[must_use]
pub fn parse_since(typed: &str) -> Option<Timestamp> {
    let typed = typed.replacen(' ', "T", 1);
    if let Some(time) = parse_rfc3339(&typed) {
        return Some(time);
    }
    let to_the_minute = form!("[year]-[month]-[day]T[hour]:[minute]");
    let to_the_second = form!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let at = match Date::parse(&typed, form!("[year]-[month]-[day]")) {
        Ok(day) => PrimitiveDateTime::new(day, Time::MIDNIGHT),
        Err(_) => PrimitiveDateTime::parse(&typed, to_the_minute)
            .or_else(|_| PrimitiveDateTime::parse(&typed, to_the_second))
            .ok()?,
    };
    from_date_time(at.assume_utc())
}

/// Converts a timestamp to a UTC date and time. `None` after the year 9999.
fn to_date_time(time: Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::UNIX_EPOCH.checked_add(Duration::from_millis(time.0).try_into().ok()?)
}

/// Converts a date and time to a timestamp, cut off to milliseconds. `None` before 1970.
fn from_date_time(moment: OffsetDateTime) -> Option<Timestamp> {
    let milliseconds = moment.unix_timestamp_nanos().div_euclid(1_000_000);
    Some(Timestamp(u64::try_from(milliseconds).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Last millisecond of the year 9999.
    const LAST: u64 = 253_402_300_799_999;

    proptest! {
        /// Formatting and parsing lose nothing.
        #[test]
        fn rfc3339_round_trip(time in 0..=LAST) {
            let time = Timestamp(time);
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(time).unwrap()), Some(time));
        }
    }

    /// The years 1970 to 9999 are formatted. Times before 1970 are not parsed.
    #[test]
    fn time_range_ends_are_handled() {
        assert_eq!(format_rfc3339(Timestamp(0)).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_rfc3339(Timestamp(LAST)).unwrap(), "9999-12-31T23:59:59.999Z");
        for beyond in [LAST + 1, u64::MAX] {
            assert_eq!(
                (format_rfc3339(Timestamp(beyond)), format_readable(Timestamp(beyond))),
                (None, None)
            );
        }
        assert_eq!(format_readable(Timestamp(1_793_716_205_999)).unwrap(), "2026-11-03 14:30:05Z");
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.999Z"), None);
        let beyond = Timestamp(LAST - 999 + 23 * 3_600_000);
        assert_eq!(parse_rfc3339("9999-12-31T23:59:59-23:00"), Some(beyond));
        assert_eq!(parse_rfc3339("0000-01-01T00:00:00+23:00"), None);
    }

    #[test]
    fn since_accepts_dates_times_and_rfc3339() {
        let at = |typed| parse_since(typed).map(|it| format_rfc3339(it).unwrap());
        for typed in [
            "2026-11-03T14:30",
            "2026-11-03 14:30",
            "2026-11-03 14:30:00",
            "2026-11-03T14:30:00Z",
            "2026-11-03T15:30:00+01:00",
        ] {
            assert_eq!(at(typed).unwrap(), "2026-11-03T14:30:00.000Z", "{typed}");
        }
        assert_eq!(at("2026-11-03").unwrap(), "2026-11-03T00:00:00.000Z");
        for wrong in ["", "yesterday", "2026-13-03", "2026-11-03 25:00", "14:30", "1969-12-31"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
