//! Times in RFC 3339 format.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::model::Timestamp;

/// Formats a time in UTC with milliseconds, as `2026-11-22T14:03:07.123Z`. Returns `None` after the
/// year 9999.
pub(super) fn format_utc(time: Timestamp) -> Option<String> {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let since_epoch = Duration::from_millis(time.0).try_into().ok()?;
    OffsetDateTime::UNIX_EPOCH.checked_add(since_epoch)?.format(form).ok()
}

/// Parses a time in RFC 3339 format, with a time zone offset or `Z`. Fractions of a millisecond are
/// cut off. Returns `None` if it is invalid or not after the start of 1970, because zero means "no
/// time" in the protocol.
pub(super) fn parse_time(written: &str) -> Option<Timestamp> {
    let nanoseconds = OffsetDateTime::parse(written, &Rfc3339).ok()?.unix_timestamp_nanos();
    let milliseconds = u64::try_from(nanoseconds.div_euclid(1_000_000)).ok()?;
    (milliseconds > 0).then_some(Timestamp(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The UTC format always has three digits of milliseconds.
    #[test]
    fn utc_format_has_millisecond_digits() {
        let time = |ms| format_utc(Timestamp(ms));
        assert_eq!(time(1_795_384_987_123).unwrap(), "2026-11-22T22:03:07.123Z");
        assert_eq!(time(0).unwrap(), "1970-01-01T00:00:00.000Z");
    }

    /// A time after the year 9999 cannot be formatted.
    #[test]
    fn out_of_range_time_is_none() {
        assert_eq!(format_utc(Timestamp(u64::MAX)), None);
    }
}
