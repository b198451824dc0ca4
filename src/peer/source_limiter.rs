//! Rate limit of received datagrams for each source address. It is applied before a datagram is
//! parsed or verified, because verifying a signature costs more than forging a datagram.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::{Moment, TokenBucket};

/// Maximum number of datagrams that one source address may send at once.
const BURST: u32 = 4_000;

/// Number of datagrams that one source address may send per minute after its burst: 2,000 a second.
const PER_MINUTE: u32 = 120_000;

/// Maximum number of source addresses that have a token bucket of their own.
const MAX_SOURCES: usize = 1_024;

/// Rate limiter with a token bucket for each source address.
#[derive(Debug)]
pub(super) struct SourceLimiter {
    /// Token buckets by source address. If there are [`MAX_SOURCES`] when a new address comes, full
    /// buckets are removed: their sources are idle. If no bucket is full, the new address uses
    /// `shared`.
    buckets: HashMap<IpAddr, TokenBucket>,
    /// Token bucket shared by all addresses that are not in `buckets`.
    shared: TokenBucket,
}

impl Default for SourceLimiter {
    fn default() -> Self {
        Self { buckets: HashMap::new(), shared: TokenBucket::new(BURST, PER_MINUTE) }
    }
}

impl SourceLimiter {
    /// Takes a token for one datagram from `source`, and returns true. If there is none, returns
    /// false: the datagram exceeds the limit and must be dropped.
    pub(super) fn allow(&mut self, now: Moment, source: IpAddr) -> bool {
        let has_room = |buckets: &HashMap<IpAddr, TokenBucket>| {
            buckets.len() < MAX_SOURCES || buckets.contains_key(&source)
        };
        if !has_room(&self.buckets) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        if !has_room(&self.buckets) {
            return self.shared.try_take(now);
        }
        let new = || TokenBucket::new(BURST, PER_MINUTE);
        self.buckets.entry(source).or_insert_with(new).try_take(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns the number of datagrams, out of `count`, that pass the limiter.
    fn passing(limit: &mut SourceLimiter, now: Moment, source: IpAddr, count: u32) -> u32 {
        (0..count).map(|_| u32::from(limit.allow(now, source))).sum()
    }

    /// Each source may send its burst, then its rate, whatever others send. Refused datagrams take no
    /// tokens.
    #[test]
    fn sources_are_limited_independently() {
        let mut limit = SourceLimiter::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!(passing(&mut limit, Moment::START, one, 100_000), BURST);
        assert_eq!(passing(&mut limit, Moment::START, two, 10), 10);
        let later = Moment::START + Duration::from_secs(1);
        assert_eq!(passing(&mut limit, later, one, 100_000), 2_000);
    }

    /// The number of buckets stays bounded. Three seconds after the flood, a new source is allowed.
    #[test]
    fn forged_source_addresses_do_not_exhaust_memory() {
        let mut limit = SourceLimiter::default();
        for number in 0..100_000_u32 {
            limit.allow(Moment::START, IpAddr::from(number.to_be_bytes()));
        }
        assert!(limit.buckets.len() <= MAX_SOURCES);
        let later = Moment::START + Duration::from_secs(3);
        assert!(limit.allow(later, IpAddr::from([10, 0, 0, 1])));
    }
}
