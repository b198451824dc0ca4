//! Two kinds of time that must not be mixed up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time of day for people: milliseconds since 1970-01-01 00:00 UTC. Nothing
/// is ordered by it, for clocks are wrong.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How much earlier this is than `later`; zero if it is not earlier.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// Time for timers: what a monotonic clock shows, counted from wherever the
/// driver (or the simulation) began. Engines never read a clock; they are
/// given this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// Where counting began.
    pub const START: Self = Self(Duration::ZERO);

    /// So long after counting began.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time since counting began.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time that has passed since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    /// The moment `delay` later.
    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }
}
