//! Quotas by address group: what a group of addresses holds and uses, and how much of it.
//!
//! The quotas of sessions are in `sessions`, those of unsent frames in the driver's fan-out.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::contract::ConnectionId;
use crate::model::{AddressGroup, HubSettings, Moment, TokenBucket};

/// Maximum number of groups without connections and rooms that are remembered for what they used.
const MAX_IDLE_GROUPS: usize = 4_096;

/// Number of rooms that every group may open while the server has any left: those of one session.
const MIN_ROOM_SHARE: usize = 16;

/// Longest time that a request waits for its group's tokens. So a client that keeps to its own rate
/// limit has no more frames deferred meanwhile than is allowed.
const MAX_REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Pause after the first failed password beyond the free ones. It doubles with each further one.
const MIN_PASSWORD_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failed password.
const MAX_PASSWORD_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Time without a further failure after which a group's failed passwords are forgotten; it begins
/// with the end of the pause.
const PASSWORD_FAILURES_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Limits of a single group. They follow `max-connections-per-address`: where an owner expects more
/// connections of a group, more of everything else comes with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits {
    /// Maximum number of connections.
    connections: usize,
    /// Maximum number of rooms of all groups together.
    rooms: usize,
    /// `join`s at once.
    join_burst: u32,
    /// `join`s per minute after the burst.
    joins_per_minute: u32,
    /// Units of `history` and `search` at once.
    request_burst: u32,
    /// Units of `history` and `search` per minute after the burst.
    requests_per_minute: u32,
    /// Number of failed passwords without a pause.
    free_failures: u32,
}

impl GroupLimits {
    /// Derives the limits from the settings. At the defaults a household of 30 users reaches none.
    pub(super) fn new(settings: &HubSettings) -> Self {
        let connections = settings.max_connections_per_address;
        let many = u32::try_from(connections).unwrap_or(u32::MAX);
        Self {
            connections,
            rooms: settings.max_rooms,
            join_burst: (many / 2).max(120),
            joins_per_minute: many.saturating_mul(2).max(600),
            request_burst: many.max(300),
            requests_per_minute: many.saturating_mul(12).max(3_000),
            free_failures: (many / 8).max(30),
        }
    }
}

/// Failed passwords of a group, and the pause that they have led to.
#[derive(Clone, Copy, Debug, Default)]
struct PasswordFailures {
    /// Number of failures that are not forgotten.
    count: u32,
    /// End of the current pause.
    paused_until: Moment,
    /// Moment when the failures are forgotten.
    forgotten_at: Moment,
}

impl PasswordFailures {
    /// Counts a failure. Each one after the first `free` ones begins a pause twice as long as the
    /// one before.
    fn record(&mut self, now: Moment, free: u32) {
        if self.forgotten_at <= now {
            *self = Self::default();
        }
        self.count = self.count.saturating_add(1);
        let pause = match self.count.saturating_sub(free) {
            0 => Duration::ZERO,
            over => {
                let factor = 1_u32.checked_shl(over.saturating_sub(1)).unwrap_or(u32::MAX);
                MIN_PASSWORD_PAUSE.saturating_mul(factor).min(MAX_PASSWORD_PAUSE)
            }
        };
        self.paused_until = now + pause;
        self.forgotten_at = self.paused_until + PASSWORD_FAILURES_LIFETIME;
    }
}

/// What one group holds and uses.
#[derive(Debug)]
struct GroupUsage {
    /// Number of connections, closing ones included.
    connections: usize,
    /// Connections that are not closing.
    live: BTreeSet<ConnectionId>,
    /// Number of open rooms that the group has opened.
    rooms: usize,
    /// Bucket of `join`s.
    joins: TokenBucket,
    /// Bucket of `history` and `search`, in units.
    requests: TokenBucket,
    /// Failed passwords.
    failures: PasswordFailures,
    /// Key of the group in [`Quotas::idle`], if it is there.
    forgotten_at: Option<Moment>,
}

/// Answer to a request of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestQuota {
    /// It may be handled at once.
    Now,
    /// Its tokens are there at this moment, and are taken already.
    At(Moment),
    /// The group has too many requests waiting; nothing was taken.
    Exhausted,
}

/// Usage of all groups that hold anything or have used something a short time ago.
pub(super) struct Quotas {
    /// Limits of each group.
    limits: GroupLimits,
    /// Usage by group.
    groups: HashMap<AddressGroup, GroupUsage>,
    /// Groups by number of connections that are not closing, those without any left out.
    by_connections: BTreeSet<(usize, AddressGroup)>,
    /// Groups without connections and rooms, by the moment when they can be forgotten.
    idle: BTreeSet<(Moment, AddressGroup)>,
}

impl Quotas {
    /// Creates the quotas of a server without clients.
    pub(super) fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            groups: HashMap::new(),
            by_connections: BTreeSet::new(),
            idle: BTreeSet::new(),
        }
    }

    /// Changes the limits. What exceeds them already stays, and a group that is known keeps its
    /// rates until it is forgotten.
    pub(super) fn set_limits(&mut self, limits: GroupLimits) {
        self.limits = limits;
    }

    /// Returns true if the group has as many connections as a group may have.
    pub(super) fn is_full(&self, group: AddressGroup) -> bool {
        let connections = self.groups.get(&group).map_or(0, |it| it.connections);
        connections >= self.limits.connections
    }

    /// Counts a new connection of a group.
    pub(super) fn add_connection(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.forget_idle(now);
        self.update(group, now, |usage, _| {
            usage.connections += 1;
            usage.live.insert(id);
        });
    }

    /// Records that a connection is closing: it does not count any more for
    /// [`Self::eviction_candidates`].
    pub(super) fn mark_closing(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.update(group, now, |usage, _| _ = usage.live.remove(&id));
    }

    /// Removes a connection that is gone.
    pub(super) fn remove_connection(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.update(group, now, |usage, _| {
            usage.connections = usage.connections.saturating_sub(1);
            usage.live.remove(&id);
        });
    }

    /// Returns the connections of the group that must make room for a newcomer of another one,
    /// newest first, and that group: the one with most connections, if it has at least twice as
    /// many as the newcomer's will have.
    pub(super) fn eviction_candidates(
        &self,
        newcomer: AddressGroup,
    ) -> Option<(AddressGroup, impl Iterator<Item = ConnectionId>)> {
        let (most, group) = self.by_connections.last().copied()?;
        let newcomers = self.groups.get(&newcomer).map_or(0, |it| it.live.len()) + 1;
        let usage = self.groups.get(&group).filter(|_| most >= newcomers.saturating_mul(2))?;
        Some((group, usage.live.iter().rev().copied()))
    }

    /// Returns true if a group may open `count` further rooms while `open` rooms are open in all. It
    /// may hold a third of what is left. So a group alone gets a quarter of all rooms, and however
    /// many groups take their share, something is left for the next one.
    pub(super) fn may_open_rooms(&self, group: AddressGroup, count: usize, open: usize) -> bool {
        let held = self.groups.get(&group).map_or(0, |it| it.rooms);
        let left = self.limits.rooms.saturating_sub(open);
        count <= left && held.saturating_add(count) <= (left / 3).max(MIN_ROOM_SHARE)
    }

    /// Counts a room that a group has opened.
    pub(super) fn add_room(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.rooms += 1);
    }

    /// Removes a room that a group had opened and that is closed.
    pub(super) fn remove_room(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.rooms = usage.rooms.saturating_sub(1));
    }

    /// Takes a token for a `join`. Returns false if the group has none left.
    #[must_use]
    pub(super) fn take_join(&mut self, group: AddressGroup, now: Moment) -> bool {
        self.update(group, now, |usage, _| usage.joins.try_take(now))
    }

    /// Takes the units of a `history` or `search`.
    #[must_use]
    pub(super) fn take_request(
        &mut self,
        group: AddressGroup,
        units: u32,
        now: Moment,
    ) -> RequestQuota {
        self.update(group, now, |usage, _| {
            let mut after = usage.requests;
            let wait = after.take_many(now, units);
            if wait > MAX_REQUEST_WAIT {
                return RequestQuota::Exhausted;
            }
            usage.requests = after;
            if wait.is_zero() { RequestQuota::Now } else { RequestQuota::At(now + wait) }
        })
    }

    /// Returns the time that is left of a group's pause after failed passwords, if it is paused.
    pub(super) fn password_pause(&self, group: AddressGroup, now: Moment) -> Option<Duration> {
        let until = self.groups.get(&group)?.failures.paused_until;
        (now < until).then(|| until.since(now))
    }

    /// Counts a failed password of a group.
    pub(super) fn record_password_failure(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, limits| {
            usage.failures.record(now, limits.free_failures);
        });
    }

    /// Forgets the failed passwords of a group that has sent the right one. (Who does not know it
    /// cannot cause this.)
    pub(super) fn clear_password_failures(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.failures = PasswordFailures::default());
    }

    /// Forgets the groups that hold nothing and whose usage is over. Each new connection does so;
    /// call it at every timer, too.
    pub(super) fn forget_idle(&mut self, now: Moment) {
        while let Some((at, group)) = self.idle.first().copied()
            && at <= now
        {
            self.idle.remove(&(at, group));
            self.groups.remove(&group);
        }
    }

    /// Changes the usage of a group, and keeps the indexes.
    fn update<T>(
        &mut self,
        group: AddressGroup,
        now: Moment,
        change: impl FnOnce(&mut GroupUsage, &GroupLimits) -> T,
    ) -> T {
        let Self { limits, groups, by_connections, idle } = self;
        let usage = groups.entry(group).or_insert_with(|| GroupUsage {
            connections: 0,
            live: BTreeSet::new(),
            rooms: 0,
            joins: TokenBucket::new(limits.join_burst, limits.joins_per_minute),
            requests: TokenBucket::new(limits.request_burst, limits.requests_per_minute),
            failures: PasswordFailures::default(),
            forgotten_at: None,
        });
        let before = usage.live.len();
        let result = change(usage, limits);
        let after = usage.live.len();
        if before != after {
            by_connections.remove(&(before, group));
            if after > 0 {
                by_connections.insert((after, group));
            }
        }
        if let Some(at) = usage.forgotten_at.take() {
            idle.remove(&(at, group));
        }
        if usage.connections > 0 || usage.rooms > 0 {
            return result;
        }
        let buckets = usage.joins.full_at().max(usage.requests.full_at());
        let at = buckets.max(usage.failures.forgotten_at);
        if at <= now {
            groups.remove(&group);
            return result;
        }
        usage.forgotten_at = Some(at);
        idle.insert((at, group));
        if idle.len() > MAX_IDLE_GROUPS
            && let Some((_, group)) = idle.pop_first()
        {
            groups.remove(&group);
        }
        result
    }

    /// Returns true if nothing is counted that is not over at `now`.
    #[cfg(test)]
    pub(super) fn is_empty(&self, now: Moment) -> bool {
        self.by_connections.is_empty()
            && self.groups.len() == self.idle.len()
            && self.idle.last().is_none_or(|(at, _)| *at <= now)
    }

    /// Returns the number of groups that are remembered.
    #[cfg(test)]
    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }
}
