//! Whether the clock can be believed. One that has just been set may be
//! years ahead, and what is forgotten because of it is gone for good.

use std::time::Duration;

use crate::hub::Now;
use crate::log::TimestampSource;
use crate::model::Moment;

/// A clock that has gone for so long without being set is believed. By then
/// a wrong one has been noticed, by the system or its owner.
pub(super) const TRUST_AFTER: Duration = Duration::from_secs(60 * 60);

/// For how long the clock has not been set.
#[derive(Debug, Default)]
pub(super) struct ClockTrust {
    /// Notices when it is.
    timestamps: TimestampSource,
    /// When it was first looked at after that.
    since: Option<Moment>,
}

impl ClockTrust {
    /// Looks at the clock; says whether it can be believed.
    pub(super) fn update(&mut self, now: Now) -> bool {
        let (_, was_set) = self.timestamps.generate(now);
        let since = self.since.filter(|_| !was_set).unwrap_or(now.moment);
        self.since = Some(since);
        now.moment.since(since) >= TRUST_AFTER
    }
}
