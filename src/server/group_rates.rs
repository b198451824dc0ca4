//! Rate limit of the messages, or of the TLS handshakes, of each address group, shared by its
//! connections: `docs/protocol/tcp.md`, section 12, and `tls.md`, section 6.
//!
//! Each connection has a rate limit of its own. But a message is delivered to many clients, and
//! its words are indexed. So an address with hundreds of connections that all use their limits
//! could keep a small computer busy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{AddressGroup, HubSettings, Moment, TokenBucket};

/// Minimum number of connections whose whole rate one address group may use. It is ample for a
/// household of 30 users.
const MIN_FULL_CONNECTIONS: usize = 16;

/// Divisor of `max-connections-per-address`. The result, or [`MIN_FULL_CONNECTIONS`] if that is
/// more, is the number of connections whose whole rate one address group may use.
const FULL_CONNECTIONS_DIVISOR: usize = 16;

/// Divisor of an address group's burst. A group may use the whole rate of N connections
/// ([`FULL_CONNECTIONS_DIVISOR`]). Its burst is N times that of one connection, divided by this
/// number: with the default N, 16, as much as that of one connection. Each message may be delivered
/// to hundreds of readers, so what a group sends at once delays all other clients.
const BURST_DIVISOR: u32 = 16;

/// Divisor of `max-connections-per-address`: so many TLS handshakes an address group may begin at
/// once. A handshake costs a small computer some milliseconds.
const HANDSHAKE_BURST_DIVISOR: u32 = 2;

/// Minimum number of TLS handshakes that an address group may begin at once.
const MIN_HANDSHAKE_BURST: u32 = 16;

/// Minimum number of handshakes that an address group may begin per minute after that.
const MIN_HANDSHAKES_PER_MINUTE: u32 = 60;

/// Factor of `max-connections-per-address`: so many handshakes an address group may begin per minute
/// after that.
const HANDSHAKES_PER_MINUTE_FACTOR: u32 = 2;

/// Minimum number of remembered groups at which idle groups are forgotten. An address group is idle
/// if it has no connection and its bucket is full.
const MIN_PURGE: usize = 64;

/// Rate limit of an address group's messages or handshakes, in units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Number of units that an address group may use at once.
    burst: u32,
    /// Number of units per minute after the burst.
    per_minute: u32,
}

impl Limit {
    /// Derives the limit of messages from the settings.
    pub(super) fn of_messages(settings: &HubSettings) -> Self {
        let full = settings.max_connections_per_address / FULL_CONNECTIONS_DIVISOR;
        let full = u32::try_from(full.max(MIN_FULL_CONNECTIONS)).unwrap_or(u32::MAX);
        Self {
            burst: settings.burst.saturating_mul(full) / BURST_DIVISOR,
            per_minute: settings.frames_per_minute.saturating_mul(full),
        }
    }

    /// Derives the limit of handshakes from the settings: a handshake is a unit.
    pub(super) fn of_handshakes(settings: &HubSettings) -> Self {
        let connections = settings.max_connections_per_address;
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        Self {
            burst: (connections / HANDSHAKE_BURST_DIVISOR).max(MIN_HANDSHAKE_BURST),
            per_minute: connections
                .saturating_mul(HANDSHAKES_PER_MINUTE_FACTOR)
                .max(MIN_HANDSHAKES_PER_MINUTE),
        }
    }
}

/// Rate limit of one address group, shared by its connections.
#[derive(Clone, Debug)]
pub(super) struct GroupRate(Arc<Mutex<TokenBucket>>);

impl GroupRate {
    /// Takes units for a message. If there are too few, it takes those that come next.
    /// Returns the time to wait before it may go on; zero if there were enough.
    pub(super) fn take(&self, now: Moment, units: u32) -> Duration {
        lock(&self.0).take_many(now, units)
    }

    /// Takes a unit and returns the time to wait before it may be used. `None` if that is longer
    /// than `max_wait`: then it takes nothing, so a flood that is refused delays nobody later on.
    pub(super) fn take_within(&self, now: Moment, max_wait: Duration) -> Option<Duration> {
        let mut bucket = lock(&self.0);
        let mut after = *bucket;
        let wait = after.take(now);
        (wait <= max_wait).then(|| {
            *bucket = after;
            wait
        })
    }
}

/// Rate limits of all address groups.
#[derive(Debug)]
pub(super) struct GroupRates(Mutex<Groups>);

/// Rate limits by group.
#[derive(Debug)]
struct Groups {
    /// Limit of each group.
    limit: Limit,
    /// Bucket of each group that has connections. The bucket of another group stays until a purge
    /// finds it full.
    buckets: HashMap<AddressGroup, GroupRate>,
    /// Number of buckets at which the next purge removes those of idle groups.
    purge_at: usize,
}

impl GroupRates {
    /// Creates the limits of a server without clients.
    pub(super) fn new(limit: Limit) -> Self {
        let buckets = HashMap::new();
        Self(Mutex::new(Groups { limit, buckets, purge_at: MIN_PURGE }))
    }

    /// Puts changed limits in force, for groups in use too. The units that a group has used stay
    /// used.
    pub(super) fn set_limits(&self, now: Moment, limit: Limit) {
        let mut groups = lock(&self.0);
        groups.limit = limit;
        for rate in groups.buckets.values() {
            lock(&rate.0).set_rate(now, limit.burst, limit.per_minute);
        }
    }

    /// Returns the rate limit of an address group, for a new connection. If [`Groups::purge_at`]
    /// groups are remembered, first forgets those that have no connection and a full bucket. A
    /// group has a connection as long as a result of this function is kept.
    pub(super) fn rate_of(&self, now: Moment, group: AddressGroup) -> GroupRate {
        let mut groups = lock(&self.0);
        let Groups { limit, buckets, purge_at } = &mut *groups;
        if buckets.len() >= *purge_at {
            buckets.retain(|_, it| Arc::strong_count(&it.0) > 1 || !lock(&it.0).is_full(now));
            *purge_at = (buckets.len() * 2).max(MIN_PURGE);
        }
        let new = || TokenBucket::new(limit.burst, limit.per_minute);
        buckets.entry(group).or_insert_with(|| GroupRate(Arc::new(Mutex::new(new())))).clone()
    }
}

/// Locks a mutex. Poison is ignored: if a task panics while it holds the lock, the contents can
/// still be used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the address group of an IPv4 address with this number.
    fn group(number: u32) -> AddressGroup {
        AddressGroup::of(std::net::IpAddr::V4(number.into()))
    }

    /// Returns settings with a burst of 60 units and 600 units per minute for each connection.
    fn settings() -> HubSettings {
        let max_connections_per_address = 256;
        HubSettings {
            burst: 60,
            frames_per_minute: 600,
            max_connections_per_address,
            ..HubSettings::default()
        }
    }

    /// The connections of an address group share its limit. Other groups have limits of their own.
    #[test]
    fn connections_of_a_group_share_its_limit() {
        let rates = GroupRates::new(Limit::of_messages(&settings()));
        let connections: Vec<_> =
            (0..240).map(|_| rates.rate_of(Moment::START, group(66))).collect();
        let delayed_at = |now| connections.iter().filter(|it| !it.take(now, 2).is_zero()).count();
        assert_eq!(delayed_at(Moment::START), 240 - 30, "the burst is 60 units");
        let minute = Moment::START + Duration::from_secs(60);
        assert_eq!(delayed_at(minute), 240 - 30, "the burst is 60 units again");
        assert_eq!(rates.rate_of(minute, group(1)).take(minute, 60), Duration::ZERO);
    }

    /// What would have to wait too long takes nothing: the group goes on at its rate after a flood.
    #[test]
    fn refused_units_are_not_taken() {
        let rate =
            GroupRates::new(Limit::of_handshakes(&settings())).rate_of(Moment::START, group(66));
        let patience = Duration::from_secs(10);
        let taken = |now| (0..100_000).map_while(|_| rate.take_within(now, patience)).count();
        // A burst of 128, and what 512 a minute bring in 10 seconds.
        assert_eq!(taken(Moment::START), 128 + 85);
        assert_eq!(rate.take_within(Moment::START, patience), None);
        let later = Moment::START + Duration::from_secs(15);
        assert_eq!(rate.take_within(later, Duration::ZERO), Some(Duration::ZERO));
    }

    /// Where an address may have few connections only, it may still begin some handshakes.
    #[test]
    fn few_connections_leave_some_handshakes() {
        let few = HubSettings { max_connections_per_address: 1, ..settings() };
        let rate = GroupRates::new(Limit::of_handshakes(&few)).rate_of(Moment::START, group(66));
        let taken = |now| (0..100).map_while(|_| rate.take_within(now, Duration::ZERO)).count();
        assert_eq!(taken(Moment::START), 16);
        assert_eq!(taken(Moment::START + Duration::from_secs(4)), 4);
    }

    /// Changed limits apply to an address group in use: it has used up its old burst, and may use
    /// the rest of the new one.
    #[test]
    fn changed_limits_apply_to_groups_in_use() {
        let rates = GroupRates::new(Limit::of_messages(&settings()));
        let now = Moment::START;
        let connection = rates.rate_of(now, group(66));
        assert_eq!(connection.take(now, 60), Duration::ZERO);
        let max_connections_per_address = 512;
        let settings = HubSettings { max_connections_per_address, ..settings() };
        rates.set_limits(now, Limit::of_messages(&settings));
        assert_eq!(connection.take(now, 60), Duration::ZERO);
        assert_ne!(connection.take(now, 1), Duration::ZERO);
    }

    /// Idle groups are forgotten; one that has just used its burst is not, even if it has
    /// disconnected.
    #[test]
    fn idle_groups_are_forgotten() {
        let rates = GroupRates::new(Limit::of_messages(&settings()));
        let now = Moment::START;
        assert_eq!(rates.rate_of(now, group(0)).take(now, 60), Duration::ZERO);
        for number in 1..10_000 {
            assert_eq!(rates.rate_of(now, group(number)).take(now, 0), Duration::ZERO);
            assert!(lock(&rates.0).buckets.len() <= MIN_PURGE);
        }
        assert_ne!(rates.rate_of(now, group(0)).take(now, 1), Duration::ZERO);
    }
}
