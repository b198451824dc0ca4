//! Budget of signature checks for datagrams of strangers. A check costs more than forging a
//! datagram, and all datagrams wait in one queue, so checks for strangers delay the messages of
//! members.

use std::collections::HashMap;

use crate::model::{AddressGroup, Moment, TokenBucket};

/// Checks for one address group: burst, and checks per minute. A household whose 30 peers start at
/// once stays below.
const GROUP_RATE: (u32, u32) = (600, 9_000);
/// Checks for one address group that it may have even if others use up the shared budget: burst,
/// and checks per minute.
const RESERVED_RATE: (u32, u32) = (8, 240);
/// Checks for all strangers together, beside the reserved ones: burst, and checks per minute.
const SHARED_RATE: (u32, u32) = (600, 48_000);
/// Maximum number of address groups with buckets of their own. Further groups have only the shared
/// budget.
const MAX_GROUPS: usize = 1_024;

/// Token buckets of one address group.
#[derive(Debug)]
struct GroupBudget {
    /// All checks for the group.
    all: TokenBucket,
    /// Checks that do not depend on the shared budget.
    reserved: TokenBucket,
}

/// Budget of signature checks for datagrams whose sender is not verified at their source address.
#[derive(Debug)]
pub(super) struct SignatureBudget {
    /// Buckets by address group. When there are [`MAX_GROUPS`], those with a full bucket are removed
    /// to make room.
    groups: HashMap<AddressGroup, GroupBudget>,
    /// Bucket for all strangers together.
    shared: TokenBucket,
}

impl Default for SignatureBudget {
    fn default() -> Self {
        let shared = TokenBucket::new(SHARED_RATE.0, SHARED_RATE.1);
        Self { groups: HashMap::new(), shared }
    }
}

impl SignatureBudget {
    /// Takes a token for one check of a datagram that came from `source`. Returns false if there is
    /// none: the datagram must be dropped without a check.
    pub(super) fn allow(&mut self, now: Moment, source: AddressGroup) -> bool {
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&source) {
            self.groups.retain(|_, it| !it.all.is_full(now));
        }
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&source) {
            return self.shared.try_take(now);
        }
        let group = self.groups.entry(source).or_insert_with(|| GroupBudget {
            all: TokenBucket::new(GROUP_RATE.0, GROUP_RATE.1),
            reserved: TokenBucket::new(RESERVED_RATE.0, RESERVED_RATE.1),
        });
        group.all.try_take(now) && (group.reserved.try_take(now) || self.shared.try_take(now))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    /// Returns the address group of a number.
    fn group(number: u32) -> AddressGroup {
        AddressGroup::of_peer(IpAddr::from((0x0a00_0000 + number).to_be_bytes()))
    }

    /// Returns how many checks per second 10,000 bad signatures a second from this number of sources
    /// cause in the long run, and how many of the 4 datagrams a second of another source pass then.
    fn flooded_by(sources: u32) -> (u32, u32) {
        let mut budget = SignatureBudget::default();
        let (mut checks, mut honest) = (0, 0);
        for tenth_of_ms in 0..200_000_u32 {
            let now = Moment::START + Duration::from_micros(u64::from(tenth_of_ms) * 100);
            let is_allowed = budget.allow(now, group(tenth_of_ms % sources));
            let is_counted = tenth_of_ms >= 100_000;
            checks += u32::from(is_allowed && is_counted);
            if tenth_of_ms % 2_500 == 0 {
                honest += u32::from(budget.allow(now, group(9_999)) && is_counted);
            }
        }
        (checks / 10, honest / 10)
    }

    /// However many sources a flood has, it causes hardly more checks than the shared budget, and a
    /// source that sends little is not starved.
    #[test]
    fn flood_causes_limited_checks_and_starves_nobody() {
        for (sources, most) in [(1, 160), (30, 930), (200, 1_610), (1_000, 4_900)] {
            let (checks, honest) = flooded_by(sources);
            assert!(checks <= most, "{sources} sources: {checks} checks a second");
            assert_eq!(honest, 4, "{sources} sources");
        }
    }

    /// Thirty peers behind one address that start at the same moment, with some ten datagrams each
    /// in two seconds, do not notice the budget.
    #[test]
    fn household_that_starts_at_once_stays_below() {
        let mut budget = SignatureBudget::default();
        for ms in 0..2_000_u64 {
            let now = Moment::START + Duration::from_millis(ms);
            if ms % 20 < 3 {
                assert!(budget.allow(now, group(1)), "after {ms} ms");
            }
        }
    }

    /// The number of buckets stays bounded.
    #[test]
    fn forged_sources_do_not_exhaust_memory() {
        let mut budget = SignatureBudget::default();
        for number in 0..100_000 {
            budget.allow(Moment::START, group(number));
        }
        assert!(budget.groups.len() <= MAX_GROUPS);
    }
}
