//! Trust in the wall clock. A clock that has just been set may be years ahead, and messages deleted
//! because of it cannot be restored.

use std::time::Duration;

use crate::hub::Now;
use crate::log::TimestampSource;
use crate::model::Moment;

/// Time without a clock step after which the wall clock is trusted. By then the system or its owner
/// has corrected a wrong clock.
pub(super) const TRUST_AFTER: Duration = Duration::from_secs(60 * 60);

/// Trust in the wall clock: detects clock steps and measures the time since the last one.
#[derive(Debug, Default)]
pub(super) struct ClockTrust {
    /// Timestamp source, used only to detect clock steps.
    timestamps: TimestampSource,
    /// Time of the first reading since the start of the program or since the last clock step.
    /// `None` before the first reading.
    steady_since: Option<Moment>,
}

impl ClockTrust {
    /// Takes a reading of the clocks. Returns true if the wall clock is trusted: no clock step was
    /// detected in the last [`TRUST_AFTER`], and the first reading was at least that long ago.
    pub(super) fn update(&mut self, now: Now) -> bool {
        let (_, was_set) = self.timestamps.generate(now);
        let steady_since = self.steady_since.filter(|_| !was_set).unwrap_or(now.moment);
        self.steady_since = Some(steady_since);
        now.moment.since(steady_since) >= TRUST_AFTER
    }
}
