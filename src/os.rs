//! Floor 3: the clock and the random source of the operating system. The
//! only place that asks for either, so that engines stay free of them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Moment, Timestamp};

/// Shows both kinds of time. Copies of it agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Where [`Moment`]s are counted from.
    start: Instant,
}

impl Clock {
    /// A clock that begins to count now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time for timers.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    /// What a timer of the operating system calls `moment`.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.since_start()
    }

    /// Time of day. Before 1970 counts as 1970.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn time_of_day(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// So many random bytes, good enough for secrets.
///
/// # Errors
/// Where the operating system has none to give. That does not pass by
/// itself: a program that needs them should stop.
#[expect(clippy::disallowed_methods, reason = "this is the random source")]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
