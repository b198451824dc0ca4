//! Quotas by address group: usage and limits of connections, rooms, `join`s, wrong passwords,
//! unknown codes of invitations, claims of names, requests (those that read the log, moderate or ask for a list),
//! and further replay pages.
//!
//! The quota of sessions is in `sessions`, that of names in `waiting_names`. The driver has the
//! quotas of messages and of unsent bytes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::contract::ConnectionId;
use crate::model::{AddressGroup, HubSettings, Moment, TokenBucket};

/// Maximum number of remembered idle groups. An idle group has no connections and no rooms. Beyond
/// the maximum, the address group whose usage is over first is forgotten.
const MAX_IDLE_GROUPS: usize = 4_096;

/// Number of rooms that each group may open in any case, within the server's maximum. It equals the
/// maximum number of rooms of one session.
const MIN_ROOM_SHARE: usize = 16;

/// Maximum time that a request waits for its address group's tokens. If it would wait longer, its
/// connection is closed. It is not longer than the ten seconds that
/// [`deferred_frame_limit`](super::deferred_frame_limit) allows for, so a client within its own
/// rate limit does not exceed the maximum number of deferred frames meanwhile.
const MAX_REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Units that each page of a replay after the first one costs the address group.
const REPLAY_PAGE_UNITS: u32 = 1;

/// Time in which an address group gains one claim without an invitation. In the year after which
/// unused claims end by default, the group gains fewer than the server keeps.
const CLAIM_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Pause after the first wrong password beyond the free ones. Each further wrong password doubles
/// the pause.
const MIN_PASSWORD_PAUSE: Duration = Duration::from_secs(1);

/// Maximum pause after a wrong password.
const MAX_PASSWORD_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Time until an address group's wrong passwords are forgotten. It is counted from the end of the
/// last pause, or from the last wrong password if that caused no pause.
const PASSWORD_FAILURES_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Limits of each group. Most are derived from `max-connections-per-address`: an address group with
/// more connections needs more of everything else.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits {
    /// Maximum number of connections of an address group, closing ones included.
    connections: usize,
    /// Maximum number of open rooms of the whole server. Reserved rooms count, but may be opened
    /// beyond it.
    rooms: usize,
    /// Burst of `join`s: number that an address group may send at once.
    join_burst: u32,
    /// Rate limit of `join`s: number per minute after the burst.
    joins_per_minute: u32,
    /// Burst of requests and of further replay pages, in units.
    request_burst: u32,
    /// Rate limit of requests and of further replay pages, in units per minute after the burst.
    requests_per_minute: u32,
    /// Number of wrong passwords, and of unknown codes, before the first pause.
    free_failures: u32,
    /// Burst of claims without an invitation: number that an address group may make at once.
    claim_burst: u32,
}

impl GroupLimits {
    /// Derives the limits from the settings. The defaults are ample for a household of 30 users.
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
            claim_burst: (many / 8).max(30),
        }
    }

    /// Returns the full token bucket of claims without an invitation.
    fn claims(&self) -> TokenBucket {
        TokenBucket::with_interval(self.claim_burst, CLAIM_INTERVAL)
    }
}

/// Wrong guesses of an address group at one kind of secret, and the pause that follows them.
#[derive(Clone, Copy, Debug, Default)]
struct WrongGuesses {
    /// Number of wrong guesses that are not forgotten.
    count: u32,
    /// End of the last pause. There is no pause from this moment on.
    paused_until: Moment,
    /// Moment when the wrong guesses are forgotten. A further one postpones it.
    forgotten_at: Moment,
}

impl WrongGuesses {
    /// Counts a wrong guess. First forgets earlier ones whose time is over. The first `free` wrong
    /// guesses cause no pause. Each further one causes a pause, twice as long as the one before, at
    /// most [`MAX_PASSWORD_PAUSE`].
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

    /// Returns the remaining time of the pause; `None` if there is none.
    fn pause(&self, now: Moment) -> Option<Duration> {
        (now < self.paused_until).then(|| self.paused_until.since(now))
    }
}

/// Usage of one group: resources that it holds or has used recently.
#[derive(Debug)]
struct GroupUsage {
    /// Number of connections, closing ones included.
    connections: usize,
    /// Live connections: connections that are not closing.
    live: BTreeSet<ConnectionId>,
    /// Number of open rooms that count towards the limits of the address group, because the group
    /// has opened them.
    rooms: usize,
    /// Token bucket (rate limit) of `join`s.
    joins: TokenBucket,
    /// Token bucket (rate limit) of requests and of further replay pages, in units.
    requests: TokenBucket,
    /// Token bucket (rate limit) of claims without an invitation.
    claims: TokenBucket,
    /// Wrong passwords.
    passwords: WrongGuesses,
    /// Unknown codes of invitations. They are counted apart from passwords: mistyped codes keep
    /// nobody out who knows the password, and a right password gives nobody new guesses at codes.
    codes: WrongGuesses,
    /// Moment when the address group can be forgotten, which is its key in [`Quotas::idle`]. `None`
    /// if the group is not idle.
    forgotten_at: Option<Moment>,
}

/// Decision about a request, by the rate limit of its address group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestQuota {
    /// The request's tokens are taken. Handle the request at once.
    Now,
    /// The request's tokens are taken in advance. Handle the request at this moment.
    At(Moment),
    /// The request would have to wait longer than [`MAX_REQUEST_WAIT`]. Refuse it. No tokens were
    /// taken.
    Exhausted,
}

/// Usage of all groups that hold connections or rooms, or have recently used other resources.
pub(super) struct Quotas {
    /// Limits of each group.
    limits: GroupLimits,
    /// Usage by group.
    groups: HashMap<AddressGroup, GroupUsage>,
    /// Groups with live connections, ordered by their number of live connections.
    by_connections: BTreeSet<(usize, AddressGroup)>,
    /// Idle groups, by the moment when they can be forgotten.
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

    /// Changes the limits of all groups. Connections and rooms above a new limit stay.
    pub(super) fn set_limits(&mut self, limits: GroupLimits, now: Moment) {
        self.limits = limits;
        let groups: Vec<AddressGroup> = self.groups.keys().copied().collect();
        for group in groups {
            self.update(group, now, |usage, limits| {
                usage.joins.set_rate(now, limits.join_burst, limits.joins_per_minute);
                usage.requests.set_rate(now, limits.request_burst, limits.requests_per_minute);
                usage.claims.set_limits(now, limits.claims());
            });
        }
    }

    /// Returns true if the address group has the maximum number of connections, closing ones
    /// included.
    pub(super) fn is_full(&self, group: AddressGroup) -> bool {
        let connections = self.groups.get(&group).map_or(0, |it| it.connections);
        connections >= self.limits.connections
    }

    /// Counts a new connection of an address group. First forgets the idle groups whose usage is
    /// over.
    pub(super) fn add_connection(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.forget_idle(now);
        self.update(group, now, |usage, _| {
            usage.connections += 1;
            usage.live.insert(id);
        });
    }

    /// Records that a connection is closing. A closing connection is not live, and is no eviction
    /// candidate.
    pub(super) fn mark_closing(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.update(group, now, |usage, _| _ = usage.live.remove(&id));
    }

    /// Removes a connection that is gone, live or closing, from the counts of its address group.
    pub(super) fn remove_connection(&mut self, group: AddressGroup, id: ConnectionId, now: Moment) {
        self.update(group, now, |usage, _| {
            usage.connections = usage.connections.saturating_sub(1);
            usage.live.remove(&id);
        });
    }

    /// Returns the address group with the most live connections, and its live connections, newest
    /// first. One of these connections may be evicted for a new connection of the group `newcomer`.
    /// `None` if no group has at least twice as many live connections as `newcomer` will have.
    pub(super) fn eviction_candidates(
        &self,
        newcomer: AddressGroup,
    ) -> Option<(AddressGroup, impl Iterator<Item = ConnectionId>)> {
        let (most, group) = self.by_connections.last().copied()?;
        let newcomers = self.groups.get(&newcomer).map_or(0, |it| it.live.len()) + 1;
        let usage = self.groups.get(&group).filter(|_| most >= newcomers.saturating_mul(2))?;
        Some((group, usage.live.iter().rev().copied()))
    }

    /// Returns true if an address group may open `count` further rooms. `open`: number of rooms
    /// that are open on the whole server.
    ///
    /// At least `count` rooms must be left. The address group may then hold, with the further ones,
    /// at most a third of the rooms that are left now, or [`MIN_ROOM_SHARE`] if that is more. So a
    /// single group gets about a quarter of all rooms, and other groups still find some left.
    pub(super) fn may_open_rooms(&self, group: AddressGroup, count: usize, open: usize) -> bool {
        let held = self.groups.get(&group).map_or(0, |it| it.rooms);
        let left = self.limits.rooms.saturating_sub(open);
        count <= left && held.saturating_add(count) <= (left / 3).max(MIN_ROOM_SHARE)
    }

    /// Counts a room for the address group that has opened it.
    pub(super) fn add_room(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.rooms += 1);
    }

    /// Removes a closed room from the count of the address group that had opened it.
    pub(super) fn remove_room(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.rooms = usage.rooms.saturating_sub(1));
    }

    /// Takes a token for a `join`, and returns true. If the address group has no token left, takes
    /// nothing and returns false.
    #[must_use]
    pub(super) fn take_join(&mut self, group: AddressGroup, now: Moment) -> bool {
        self.update(group, now, |usage, _| usage.joins.try_take(now))
    }

    /// Takes a token for a claim without an invitation, and returns true. If the address group has no
    /// token left, takes nothing and returns false.
    #[must_use]
    pub(super) fn take_claim(&mut self, group: AddressGroup, now: Moment) -> bool {
        self.update(group, now, |usage, _| usage.claims.try_take(now))
    }

    /// Takes tokens of an address group for a request that costs this number of units. Returns when
    /// to handle the request. If the request must be refused, takes nothing.
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

    /// Takes a token of an address group for a further page of a replay. If the group has no token
    /// left, takes one in advance. Returns the moment from which the page may be read. No page is
    /// refused. The wait is bounded, because each joining connection waits for one page at a time.
    #[must_use]
    pub(super) fn take_replay_page(&mut self, group: AddressGroup, now: Moment) -> Moment {
        self.update(group, now, |usage, _| now + usage.requests.take_many(now, REPLAY_PAGE_UNITS))
    }

    /// Returns the remaining time of an address group's pause after wrong passwords; `None` if
    /// there is no pause.
    pub(super) fn password_pause(&self, group: AddressGroup, now: Moment) -> Option<Duration> {
        self.groups.get(&group)?.passwords.pause(now)
    }

    /// Returns the remaining time of an address group's pause after unknown codes of invitations;
    /// `None` if there is no pause.
    pub(super) fn code_pause(&self, group: AddressGroup, now: Moment) -> Option<Duration> {
        self.groups.get(&group)?.codes.pause(now)
    }

    /// Counts a wrong password of an address group. A wrong password beyond the free ones begins a
    /// pause.
    pub(super) fn record_password_failure(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, limits| usage.passwords.record(now, limits.free_failures));
    }

    /// Counts an unknown code of an invitation of an address group. One beyond the free ones begins
    /// a pause.
    pub(super) fn record_unknown_code(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, limits| usage.codes.record(now, limits.free_failures));
    }

    /// Forgets the wrong passwords of an address group that has sent the right one. A client that
    /// does not know the password cannot cause this.
    pub(super) fn clear_password_failures(&mut self, group: AddressGroup, now: Moment) {
        self.update(group, now, |usage, _| usage.passwords = WrongGuesses::default());
    }

    /// Removes the idle groups whose usage is over: the token buckets are full, and no wrong
    /// password or unknown code counts any more. Call it at each wake-up. [`Self::add_connection`] calls it too.
    pub(super) fn forget_idle(&mut self, now: Moment) {
        while let Some((at, group)) = self.idle.first().copied()
            && at <= now
        {
            self.idle.remove(&(at, group));
            self.groups.remove(&group);
        }
    }

    /// Applies `change` to the usage of an address group, which is created if there is none,
    /// updates the indexes, and returns the result of `change`.
    ///
    /// If the address group is then idle and its usage is over, removes the group. If there are
    /// more than [`MAX_IDLE_GROUPS`] idle groups, removes the one whose usage is over first.
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
            claims: limits.claims(),
            passwords: WrongGuesses::default(),
            codes: WrongGuesses::default(),
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
        let buckets =
            usage.joins.full_at().max(usage.requests.full_at()).max(usage.claims.full_at());
        let guesses = usage.passwords.forgotten_at.max(usage.codes.forgotten_at);
        let at = buckets.max(guesses);
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

    /// Returns true if no group holds connections or rooms, and all usage is over at `now`.
    #[cfg(test)]
    pub(super) fn is_empty(&self, now: Moment) -> bool {
        self.by_connections.is_empty()
            && self.groups.len() == self.idle.len()
            && self.idle.last().is_none_or(|(at, _)| *at <= now)
    }

    /// Returns the number of remembered groups.
    #[cfg(test)]
    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }
}
