//! How much one address may send before anything is looked at: checking
//! signatures costs more than making up datagrams.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::{Moment, TokenBucket};

/// Datagrams of one address at once.
const BURST: u32 = 4_000;

/// Datagrams of one address in a minute: 2,000 a second.
const PER_MINUTE: u32 = 120_000;

/// Addresses that are remembered. If there are more at a time, those beyond
/// share one bucket.
const MAX_SOURCES: usize = 1_024;

/// A bucket of tokens for each address.
#[derive(Debug)]
pub(super) struct SourceLimiter {
    /// Those that are not full.
    buckets: HashMap<IpAddr, TokenBucket>,
    /// That of all for which there is no room.
    shared: TokenBucket,
}

impl Default for SourceLimiter {
    fn default() -> Self {
        Self { buckets: HashMap::new(), shared: TokenBucket::new(BURST, PER_MINUTE) }
    }
}

impl SourceLimiter {
    /// Whether one more datagram of this address may pass. Call it once for
    /// each.
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

    /// So many of `count` datagrams pass.
    fn passing(limit: &mut SourceLimiter, now: Moment, source: IpAddr, count: u32) -> u32 {
        (0..count).map(|_| u32::from(limit.allow(now, source))).sum()
    }

    /// A burst, then the rate, each address for itself; who floods is not
    /// punished for longer than that.
    #[test]
    fn each_address_for_itself() {
        let mut limit = SourceLimiter::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!(passing(&mut limit, Moment::START, one, 100_000), BURST);
        assert_eq!(passing(&mut limit, Moment::START, two, 10), 10);
        let later = Moment::START + Duration::from_secs(1);
        assert_eq!(passing(&mut limit, later, one, 100_000), 2_000);
    }

    /// Memory is bounded, and somebody new still gets through.
    #[test]
    fn made_up_addresses() {
        let mut limit = SourceLimiter::default();
        for number in 0..100_000_u32 {
            limit.allow(Moment::START, IpAddr::from(number.to_be_bytes()));
        }
        assert!(limit.buckets.len() <= MAX_SOURCES);
        let later = Moment::START + Duration::from_secs(3);
        assert!(limit.allow(later, IpAddr::from([10, 0, 0, 1])));
    }
}
