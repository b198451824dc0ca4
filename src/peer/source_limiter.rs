//! Rate limit of received datagrams for each source address. It is applied before a datagram is
//! parsed or verified, because verifying a signature costs more than forging a datagram.

use std::net::IpAddr;

use super::bounded_buckets::BoundedBuckets;
use crate::model::{Moment, TokenBucket};

/// Maximum number of datagrams that one source address may send at once.
const BURST: u32 = 4_000;

/// Number of datagrams that one source address may send per minute after its burst: 2,000 a second.
const PER_MINUTE: u32 = 120_000;

/// Rate limiter with a token bucket for each source address.
#[derive(Debug)]
pub(super) struct SourceLimiter {
    /// Token buckets by source address.
    buckets: BoundedBuckets<IpAddr, TokenBucket>,
    /// Token bucket shared by all addresses for which `buckets` has no room.
    shared: TokenBucket,
}

impl Default for SourceLimiter {
    /// Creates a limiter with full buckets.
    fn default() -> Self {
        Self { buckets: BoundedBuckets::default(), shared: TokenBucket::new(BURST, PER_MINUTE) }
    }
}

impl SourceLimiter {
    /// Takes a token for one datagram from `source`, and returns true. If there is none, returns
    /// false: the datagram exceeds the limit and must be dropped.
    pub(super) fn allow(&mut self, now: Moment, source: IpAddr) -> bool {
        let new = || TokenBucket::new(BURST, PER_MINUTE);
        let bucket = self.buckets.get(now, source, new).unwrap_or(&mut self.shared);
        bucket.try_take(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bounded_buckets::MAX_SOURCES;
    use super::*;

    /// Returns the number of datagrams, out of `count`, that pass the limiter.
    fn passing(limit: &mut SourceLimiter, now: Moment, source: IpAddr, count: u32) -> u32 {
        (0..count).map(|_| u32::from(limit.allow(now, source))).sum()
    }

    /// Each source may send its burst, then its rate, whatever others send. Refused datagrams take
    /// no tokens.
    #[test]
    fn sources_are_limited_independently() {
        let mut limit = SourceLimiter::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!(passing(&mut limit, Moment::START, one, 100_000), BURST);
        assert_eq!(passing(&mut limit, Moment::START, two, 10), 10);
        let later = Moment::START + Duration::from_secs(1);
        assert_eq!(passing(&mut limit, later, one, 100_000), 2_000);
    }

    /// Sources beyond the maximum share one bucket. A new source has its own again after some
    /// seconds.
    #[test]
    fn sources_beyond_the_maximum_share_a_bucket() {
        let mut limit = SourceLimiter::default();
        let passed = (0..100_000_u32)
            .filter(|number| limit.allow(Moment::START, IpAddr::from(number.to_be_bytes())));
        assert_eq!(passed.count(), MAX_SOURCES + BURST as usize);
        let later = Moment::START + Duration::from_secs(3);
        assert_eq!(passing(&mut limit, later, IpAddr::from([10, 0, 0, 1]), 100_000), BURST);
    }
}
