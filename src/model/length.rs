//! Lengths of sanctions and invitations, and intervals of slow mode, as users write them: `90s`, `10m`, `2h`, `3d`.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Timestamp;

/// Length of a ban, mute or invitation: 1 second to 3,650 days, or without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SanctionLength(
    /// Seconds; 0: without end.
    u32,
);

/// Error for a text or number that is not a valid [`SanctionLength`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a length is “forever”, or a number with s, m, h or d, such as 10m, up to 3650d")]
pub struct SanctionLengthError;

impl SanctionLength {
    /// Without end: it lasts until it is lifted or revoked.
    pub const FOREVER: Self = Self(0);

    /// Greatest length, in seconds: 3,650 days.
    const MAX_SECONDS: u32 = 3_650 * 24 * 60 * 60;

    /// Validates a number of seconds; 0: without end.
    ///
    /// # Errors
    /// [`SanctionLengthError`] if it is more than 3,650 days.
    pub const fn from_seconds(seconds: u32) -> Result<Self, SanctionLengthError> {
        if seconds > Self::MAX_SECONDS { Err(SanctionLengthError) } else { Ok(Self(seconds)) }
    }

    /// Returns the seconds; 0: without end.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// Returns the time at which a sanction or invitation of this length ends; `None`: never.
    #[must_use]
    pub fn end(self, start: Timestamp) -> Option<Timestamp> {
        let millis = u64::from(self.0) * 1_000;
        (self != Self::FOREVER).then(|| Timestamp(start.0.saturating_add(millis)))
    }
}

impl TryFrom<u32> for SanctionLength {
    type Error = SanctionLengthError;

    /// Validates a stored number of seconds.
    fn try_from(seconds: u32) -> Result<Self, SanctionLengthError> {
        Self::from_seconds(seconds)
    }
}

impl From<SanctionLength> for u32 {
    /// Returns the seconds to store.
    fn from(length: SanctionLength) -> Self {
        length.0
    }
}

impl FromStr for SanctionLength {
    type Err = SanctionLengthError;

    /// Parses `forever`, or a number of seconds, minutes, hours or days, such as `10m`, but not
    /// zero.
    fn from_str(text: &str) -> Result<Self, SanctionLengthError> {
        if text == "forever" {
            return Ok(Self::FOREVER);
        }
        let seconds = parse_seconds(text).filter(|it| *it > 0).ok_or(SanctionLengthError)?;
        Self::from_seconds(seconds)
    }
}

/// Slow mode of a room: minimum interval between two messages of one user, up to an hour, or
/// off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct SlowMode(
    /// Interval in seconds; 0: off.
    u16,
);

/// Error for a text or number that is not a valid [`SlowMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("slow mode is “off”, or a number with s or m, such as 10s, up to 1h")]
pub struct SlowModeError;

impl SlowMode {
    /// No slow mode.
    pub const OFF: Self = Self(0);

    /// Greatest interval, in seconds: an hour.
    const MAX_SECONDS: u16 = 60 * 60;

    /// Validates an interval in seconds; 0: off.
    ///
    /// # Errors
    /// [`SlowModeError`] if it is more than an hour.
    pub const fn from_seconds(seconds: u16) -> Result<Self, SlowModeError> {
        if seconds > Self::MAX_SECONDS { Err(SlowModeError) } else { Ok(Self(seconds)) }
    }

    /// Returns the minimum interval between two messages; zero if slow mode is off.
    #[must_use]
    pub const fn interval(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl TryFrom<u16> for SlowMode {
    type Error = SlowModeError;

    /// Validates a stored interval in seconds.
    fn try_from(seconds: u16) -> Result<Self, SlowModeError> {
        Self::from_seconds(seconds)
    }
}

impl From<SlowMode> for u16 {
    /// Returns the seconds to store.
    fn from(mode: SlowMode) -> Self {
        mode.0
    }
}

impl FromStr for SlowMode {
    type Err = SlowModeError;

    /// Parses `off`, or an interval such as `10s` or `1m`, up to an hour. An interval of zero is
    /// `off`.
    fn from_str(text: &str) -> Result<Self, SlowModeError> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let seconds = parse_seconds(text).ok_or(SlowModeError)?;
        u16::try_from(seconds).map_err(|_| SlowModeError).and_then(Self::from_seconds)
    }
}

/// Parses a number of seconds (`s`), minutes (`m`), hours (`h`) or days (`d`). Returns seconds.
/// `None` if the text is something else, or the number is too great.
fn parse_seconds(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    // `parse` would take a plus sign.
    let is_number = number.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten().and_then(|it: u32| it.checked_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number with a unit, and `forever`, are parsed. Zero and all other texts are refused.
    #[test]
    fn sanction_length_parses_numbers_with_a_unit() {
        let seconds = |text: &str| text.parse::<SanctionLength>().map(SanctionLength::seconds);
        for (text, expected) in [
            ("1s", 1),
            ("90s", 90),
            ("10m", 600),
            ("2h", 7_200),
            ("3d", 259_200),
            ("3650d", 315_360_000),
            ("forever", 0),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "10", "0s", "+1s", "-1s", "1.5h", "1 h", "10é", "3651d", "9999999d"]
        {
            assert_eq!(seconds(text), Err(SanctionLengthError), "{text}");
        }
    }

    #[test]
    fn sanction_ends_its_length_after_its_start() {
        let length: SanctionLength = "10m".parse().unwrap();
        assert_eq!(length.end(Timestamp(5)), Some(Timestamp(600_005)));
        assert_eq!(SanctionLength::FOREVER.end(Timestamp(5)), None);
    }

    #[test]
    fn slow_mode_is_off_or_up_to_an_hour() {
        assert_eq!("off".parse(), Ok(SlowMode::OFF));
        assert_eq!("0s".parse(), Ok(SlowMode::OFF));
        let mode: SlowMode = "10s".parse().unwrap();
        assert_eq!(mode.interval(), Duration::from_secs(10));
        assert_eq!("1h".parse(), Ok(SlowMode(3_600)));
        for text in ["", "3601s", "2h", "1d", "on"] {
            assert_eq!(text.parse::<SlowMode>(), Err(SlowModeError), "{text}");
        }
    }
}
