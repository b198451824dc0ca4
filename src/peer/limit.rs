//! How much one address may send before anything is looked at: checking
//! signatures costs more than making up datagrams.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::Moment;

/// Datagrams of one address at once.
const BURST: u32 = 4_000;

/// From then on one in this time: 2,000 a second.
const INTERVAL: Duration = Duration::from_micros(500);

/// Addresses that are remembered. Whoever makes up more than these shares
/// what is left with all who are not among them.
const MAX_SOURCES: usize = 1_024;

/// A bucket of tokens for each address.
#[derive(Debug, Default)]
pub(super) struct Limit {
    /// When each one's bucket will be full again.
    full_at: HashMap<IpAddr, Moment>,
    /// The same for all that there is no room for.
    others: Moment,
}

impl Limit {
    /// Whether one more datagram of this address may pass. Call it once for
    /// each.
    pub(super) fn lets_pass(&mut self, now: Moment, source: IpAddr) -> bool {
        if self.full_at.len() >= MAX_SOURCES && !self.full_at.contains_key(&source) {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = if self.full_at.len() < MAX_SOURCES || self.full_at.contains_key(&source) {
            self.full_at.entry(source).or_default()
        } else {
            &mut self.others
        };
        let next = (*full_at).max(now) + INTERVAL;
        let may_pass = next.since(now) <= INTERVAL * BURST;
        if may_pass {
            *full_at = next;
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many of a thousand datagrams pass.
    fn passing(limit: &mut Limit, now: Moment, source: IpAddr, count: u32) -> u32 {
        (0..count).map(|_| u32::from(limit.lets_pass(now, source))).sum()
    }

    /// A burst, then the rate, each address for itself; who floods is not
    /// punished for longer than that.
    #[test]
    fn each_address_for_itself() {
        let mut limit = Limit::default();
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!(passing(&mut limit, Moment::START, one, 100_000), BURST);
        assert_eq!(passing(&mut limit, Moment::START, two, 10), 10);
        let later = Moment::START + Duration::from_secs(1);
        assert_eq!(passing(&mut limit, later, one, 100_000), 2_000);
    }

    /// Memory is bounded, and somebody new still gets through.
    #[test]
    fn made_up_addresses() {
        let mut limit = Limit::default();
        for number in 0..100_000_u32 {
            limit.lets_pass(Moment::START, IpAddr::from(number.to_be_bytes()));
        }
        assert!(limit.full_at.len() <= MAX_SOURCES);
        let later = Moment::START + Duration::from_secs(3);
        assert!(limit.lets_pass(later, IpAddr::from([10, 0, 0, 1])));
    }
}
