//! Token buckets by source of datagrams, limited in number: anybody can forge sources.

use std::collections::HashMap;
use std::hash::Hash;

use crate::model::{Moment, TokenBucket};

/// Maximum number of sources with buckets of their own.
pub(super) const MAX_SOURCES: usize = 1_024;

/// Token buckets of one source, which can tell whether the source is idle.
pub(super) trait SourceBuckets {
    /// Returns true if all buckets are full at `now`, so that new ones would allow the same.
    fn is_full(&self, now: Moment) -> bool;
}

impl SourceBuckets for TokenBucket {
    fn is_full(&self, now: Moment) -> bool {
        self.is_full(now)
    }
}

/// Token buckets `B` by source `S`, of at most [`MAX_SOURCES`] sources.
#[derive(Debug)]
pub(super) struct BoundedBuckets<S, B> {
    /// Buckets by source. If another source comes when there are [`MAX_SOURCES`], the full buckets,
    /// which are those of idle sources, are removed.
    by_source: HashMap<S, B>,
}

impl<S, B> Default for BoundedBuckets<S, B> {
    fn default() -> Self {
        Self { by_source: HashMap::new() }
    }
}

impl<S: Eq + Hash, B: SourceBuckets> BoundedBuckets<S, B> {
    /// Returns the buckets of a source. If the source is new, creates them with `new`. Returns
    /// `None` if the source is new and there is no room: [`MAX_SOURCES`] others are not idle.
    pub(super) fn get(
        &mut self,
        now: Moment,
        source: S,
        new: impl FnOnce() -> B,
    ) -> Option<&mut B> {
        let is_known = self.by_source.contains_key(&source);
        if !is_known && self.by_source.len() >= MAX_SOURCES {
            self.by_source.retain(|_, buckets| !buckets.is_full(now));
        }
        let has_room = is_known || self.by_source.len() < MAX_SOURCES;
        has_room.then(|| self.by_source.entry(source).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The number of buckets stays bounded, and those of idle sources make room for others.
    #[test]
    fn forged_sources_do_not_exhaust_memory() {
        let mut buckets = BoundedBuckets::default();
        let mut allows = |seconds, source: usize| {
            let now = Moment::START + Duration::from_secs(seconds);
            let bucket = buckets.get(now, source, || TokenBucket::new(2, 60));
            let is_allowed = bucket.map(|it| it.try_take(now));
            assert!(buckets.by_source.len() <= MAX_SOURCES);
            is_allowed
        };
        for source in 0..10_000 {
            assert_eq!(allows(0, source), (source < MAX_SOURCES).then_some(true));
        }
        assert_eq!([(), ()].map(|()| allows(0, 7)), [Some(true), Some(false)], "known");
        assert_eq!(allows(1, 10_000), Some(true), "all but one are idle");
        assert_eq!([(), ()].map(|()| allows(1, 7)), [Some(true), Some(false)], "not forgotten");
    }
}
