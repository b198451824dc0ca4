//! Wall-clock time and monotonic time, as two types that cannot be mixed up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time: milliseconds since the Unix epoch (1970-01-01 00:00 UTC), for display, search
/// and retention. Messages are not ordered by it, because clocks may be wrong.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the time elapsed from this timestamp to `later`; zero if `later` is not later.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// Monotonic time, for timers: time since the start of the driver or simulation. Engines read no
/// clock: the driver passes the current moment in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// Start of the driver or simulation.
    pub const START: Self = Self(Duration::ZERO);

    /// Returns the moment `elapsed` after the start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Returns the time elapsed since the start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Returns the time elapsed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    /// Returns the moment `delay` later, or the latest possible moment if that is out of range.
    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }
}
