//! Trust in the wall clock. A clock that was just set may be years ahead. Messages deleted because
//! of it could not be restored.

use std::time::Duration;

use crate::hub::Now;
use crate::log::TimestampSource;
use crate::model::Moment;

/// Time without a clock step after which the wall clock is trusted. By then, the system or its
/// owner has usually corrected a wrong clock.
pub(super) const TRUST_AFTER: Duration = Duration::from_secs(60 * 60);

/// Decides whether the wall clock is trusted: detects clock steps, and measures the time since the
/// last one.
#[derive(Debug, Default)]
pub(super) struct ClockTrust {
    /// Timestamp source, used only to detect clock steps.
    timestamps: TimestampSource,
    /// Time of the first clock reading, or of the last clock step if there was one. `None` before
    /// the first reading.
    steady_since: Option<Moment>,
}

impl ClockTrust {
    /// Takes a reading of the clocks. Returns true if the wall clock is trusted: the first reading
    /// and the last clock step are both at least [`TRUST_AFTER`] ago.
    pub(super) fn update(&mut self, now: Now) -> bool {
        let (_, was_set) = self.timestamps.generate(now);
        let steady_since = self.steady_since.filter(|_| !was_set).unwrap_or(now.moment);
        self.steady_since = Some(steady_since);
        now.moment.since(steady_since) >= TRUST_AFTER
    }
}
