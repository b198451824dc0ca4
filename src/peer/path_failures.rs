//! Paths on which sending fails while others work, and when to tell the user of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Moment, Path};

/// Minimum time for which every copy by a path must have failed before the user is told. Shorter
/// failures are normal: a new IPv6 address takes seconds until it can be used.
const MIN_FAILURE_AGE: Duration = Duration::from_secs(10);

/// Failing paths: those by which no copy has gone out since a failure was recorded.
#[derive(Debug, Default)]
pub(super) struct PathFailures {
    /// For each failing path, the time of the first failure, and true if it was reported.
    failing: BTreeMap<Path, (Moment, bool)>,
}

impl PathFailures {
    /// Records that a copy has gone out by a path: it works.
    pub(super) fn record_success(&mut self, path: Path) {
        self.failing.remove(&path);
    }

    /// Records that all copies by a path have failed. Returns true if the user is to be told: once
    /// until the next success, when the path has been failing for [`MIN_FAILURE_AGE`].
    pub(super) fn record_failure(&mut self, now: Moment, path: Path) -> bool {
        let (since, is_reported) = self.failing.entry(path).or_insert((now, false));
        let is_due = !*is_reported && now.since(*since) >= MIN_FAILURE_AGE;
        *is_reported |= is_due;
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure of ten seconds is reported once, and a later one again if the path has worked in
    /// between.
    #[test]
    fn lasting_failure_is_reported_once() {
        let mut failures = PathFailures::default();
        let mut at = |seconds, path| {
            failures.record_failure(Moment::START + Duration::from_secs(seconds), path)
        };
        let (group, broadcast) = (Path::GroupV6, Path::Broadcast);
        assert!(!at(0, group) && !at(9, group) && !at(9, broadcast));
        assert!(at(10, group) && !at(11, group) && !at(18, broadcast));
        failures.record_success(group);
        let mut at =
            |seconds| failures.record_failure(Moment::START + Duration::from_secs(seconds), group);
        assert!(!at(30) && at(40) && !at(50));
    }
}
