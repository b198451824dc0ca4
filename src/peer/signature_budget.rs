//! Budget of signature checks for datagrams of strangers. A check costs more than forging a
//! datagram. All datagrams wait in one queue, so checks for strangers delay the messages of
//! members.

use super::bounded_buckets::{BoundedBuckets, SourceBuckets};
use crate::model::{AddressGroup, Moment, TokenBucket};

/// Rate limit of checks for one address group: burst, and checks per minute. A household whose 30
/// peers start at once stays below it.
const GROUP_RATE: (u32, u32) = (600, 9_000);
/// Rate of reserved checks, which one address group has even if others use up the shared budget:
/// burst, and checks per minute.
const RESERVED_RATE: (u32, u32) = (8, 240);
/// Rate limit of checks for all strangers together, reserved checks not counted: burst, and checks
/// per minute.
const SHARED_RATE: (u32, u32) = (600, 48_000);

/// Token buckets of one address group.
#[derive(Debug)]
struct GroupBudget {
    /// Bucket for all checks of the address group.
    all: TokenBucket,
    /// Bucket for reserved checks, which take nothing from the shared budget.
    reserved: TokenBucket,
}

impl Default for GroupBudget {
    fn default() -> Self {
        Self {
            all: TokenBucket::new(GROUP_RATE.0, GROUP_RATE.1),
            reserved: TokenBucket::new(RESERVED_RATE.0, RESERVED_RATE.1),
        }
    }
}

impl SourceBuckets for GroupBudget {
    fn is_full(&self, now: Moment) -> bool {
        self.all.is_full(now) && self.reserved.is_full(now)
    }
}

/// Budget of signature checks for datagrams whose sender is not verified at their source address.
#[derive(Debug)]
pub(super) struct SignatureBudget {
    /// Buckets by address group. A group for which there is no room has only the shared budget.
    groups: BoundedBuckets<AddressGroup, GroupBudget>,
    /// Bucket for all strangers together.
    shared: TokenBucket,
}

impl Default for SignatureBudget {
    fn default() -> Self {
        let shared = TokenBucket::new(SHARED_RATE.0, SHARED_RATE.1);
        Self { groups: BoundedBuckets::default(), shared }
    }
}

impl SignatureBudget {
    /// Takes the tokens for one check of a datagram that came from `source`, and returns true. If
    /// there are none, returns false: the datagram must be dropped without a check. A token of the
    /// group may be taken nevertheless.
    pub(super) fn allow(&mut self, now: Moment, source: AddressGroup) -> bool {
        match self.groups.get(now, source, GroupBudget::default) {
            Some(GroupBudget { all, reserved }) => {
                all.try_take(now) && (reserved.try_take(now) || self.shared.try_take(now))
            }
            None => self.shared.try_take(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    /// Returns an address group that differs for each number.
    fn group(number: u32) -> AddressGroup {
        AddressGroup::of_peer(IpAddr::from((0x0a00_0000 + number).to_be_bytes()))
    }

    /// Simulates a flood of bad signatures for 20 s: `sources` take turns in sending `per_second`
    /// datagrams a second in all. Another source sends 4 a second. Returns the checks per second of
    /// the flood and of the other source, both in the last 10 s.
    fn flooded_by(sources: u32, per_second: u32) -> (u32, u32) {
        let mut budget = SignatureBudget::default();
        let (mut checks, mut honest) = (0, 0);
        for number in 0..per_second * 20 {
            let at = Duration::from_secs(u64::from(number)) / per_second;
            let now = Moment::START + at;
            let is_allowed = budget.allow(now, group(number % sources));
            let is_counted = number >= per_second * 10;
            checks += u32::from(is_allowed && is_counted);
            if number % (per_second / 4) == 0 {
                honest += u32::from(budget.allow(now, group(99_999)) && is_counted);
            }
        }
        (checks / 10, honest / 10)
    }

    /// A flood causes few more checks than the shared budget and the reserved checks of its sources
    /// allow. A source that sends little gets all its checks.
    #[test]
    fn flood_causes_limited_checks_and_starves_nobody() {
        for (sources, most) in [(1, 160), (30, 930), (200, 1_610), (1_000, 4_900)] {
            let (checks, honest) = flooded_by(sources, 10_000);
            assert!(checks <= most, "{sources} sources: {checks} checks a second");
            assert_eq!(honest, 4, "{sources} sources");
        }
    }

    /// A flood from more sources than there can be buckets causes no more checks than a flood from
    /// 1,000 sources.
    #[test]
    fn flood_from_more_sources_than_buckets_causes_limited_checks() {
        for (sources, per_second) in [(1_050, 5_000), (2_000, 10_000)] {
            let (checks, honest) = flooded_by(sources, per_second);
            assert!(checks <= 4_900, "{sources} sources: {checks} checks a second");
            assert!(honest >= 1, "{sources} sources");
        }
    }

    /// Thirty peers behind one address start at once. All their checks are allowed: about ten for
    /// each peer in two seconds.
    #[test]
    fn household_that_starts_at_once_stays_below_budget() {
        let mut budget = SignatureBudget::default();
        for ms in 0..2_000_u64 {
            let now = Moment::START + Duration::from_millis(ms);
            if ms % 20 < 3 {
                assert!(budget.allow(now, group(1)), "after {ms} ms");
            }
        }
    }
}
