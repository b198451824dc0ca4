//! Layer 3: clock and random source of the operating system. The engines use neither, so that they
//! stay deterministic.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Moment, Timestamp};

/// Source of monotonic time and wall-clock time. Copies of a clock return the same times.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Instant of the operating system from which [`Moment`]s count.
    start: Instant,
}

impl Clock {
    /// Creates a clock whose [`Moment`]s count from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the monotonic time since the start of the clock, for timers. On Linux it stands
    /// still while the machine is suspended.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    /// Converts a moment of this clock to an [`Instant`], for the timers of tokio.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.since_start()
    }

    /// Returns the wall-clock time: milliseconds since 1970 (UTC). It may jump, also backwards. A
    /// clock set before 1970 gives 0.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn time_of_day(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Returns `N` cryptographically secure random bytes from the operating system.
///
/// # Errors
/// The operating system's random source fails. That is permanent: a program that needs random bytes
/// should stop.
#[expect(clippy::disallowed_methods, reason = "this is the random source")]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
