//! One other peer, as this peer sees it: section 11 and the last table of
//! section 16.

use std::net::SocketAddr;
use std::time::Duration;

use super::replay_window::ReplayWindow;
use crate::model::{Moment, NameKey, Path, PathSet, PeerId, RoomClock, TokenBucket};
use crate::wire::udp::Signer;

/// Addresses of one peer.
const MAX_ADDRESSES: usize = 4;
/// Control packets of one sender at once, and in a minute.
const CONTROL_RATE: (u32, u32) = (200, 3_000);
/// Entries of one author that nobody has asked for, likewise.
const ENTRY_RATE: (u32, u32) = (200, 3_000);
/// Entries that one peer gets because it asks, likewise.
const ANSWER_RATE_PER_PEER: (u32, u32) = (128, 6_000);

/// What one knows of another peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Named by a member's page; not heard.
    Listed,
    /// Heard; not a member, or not verified to be one.
    PathSet,
    /// In the room.
    Member,
    /// Was in the room.
    Gone {
        /// Since when.
        at: Moment,
    },
}

/// What a peer says of itself.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// What it is called. From a stranger.
    pub(super) name: String,
    /// What the name is compared by.
    pub(super) key: NameKey,
    /// When it meta in, by the room clock; by ours as long as the two differ.
    pub(super) since: RoomClock,
}

/// Where a peer sends from.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// There.
    address: SocketAddr,
    /// When it was last heard from there, if ever.
    last_heard: Option<Moment>,
    /// A cookie has come back from there.
    is_verified: bool,
}

/// Another peer.
#[derive(Debug)]
pub(super) struct Contact {
    /// Its key, once it was heard.
    pub(super) signer: Option<Signer>,
    /// What it is to us.
    pub(super) stage: Stage,
    /// It is alive, not a recording.
    pub(super) is_verified: bool,
    /// What it says of itself.
    pub(super) profile: Option<Profile>,
    /// Where it can be reached.
    addresses: Vec<Address>,
    /// Which of its counters were seen.
    pub(super) window: ReplayWindow,
    /// How much it may send.
    pub(super) controls: TokenBucket,
    /// How many entries it gets because it asks.
    pub(super) answers: TokenBucket,
    /// How many entries it may send that nobody has asked for.
    pub(super) entries: TokenBucket,
    /// When it was first heard, in this stay.
    pub(super) first_heard: Moment,
    /// When it became known, or a member.
    pub(super) known_at: Moment,
    /// When it was last heard directly.
    pub(super) last_heard: Option<Moment>,
    /// When it was last heard by anybody.
    pub(super) last_vouched: Moment,
    /// When something last meta by each way.
    last_heard_by: [Option<Moment>; 3],
    /// The way by which it believes to be heard; `None`: by none.
    pub(super) told_path: Option<Path>,
    /// It was told something else since, and may not have heard that.
    pub(super) is_told_uncertain: bool,
    /// What the last ping to it said about that.
    pub(super) pinged_path: Option<Path>,
    /// How it hears us, if it has said so.
    pub(super) hears: Option<PathSet>,
    /// The counter of the packet in which it said so.
    pub(super) hears_counter: u64,
    /// When to ping it.
    pub(super) ping_at: Option<Moment>,
    /// Pings without success.
    pub(super) pings: u32,
    /// It was pinged since it was last heard.
    pub(super) is_pinged: bool,
    /// It was asked for entries since it was last heard.
    pub(super) is_asked: bool,
    /// Something is to be sent to an address that is not verified.
    pub(super) needs_verified_address: bool,
    /// Whose page named it.
    pub(super) listed_by: Option<PeerId>,
    /// When to ask for its address.
    pub(super) where_at: Option<Moment>,
    /// How much its clock is ahead of ours, in milliseconds.
    pub(super) skew: i64,
    /// As it seemed the last time.
    last_skew: Option<i64>,
    /// The person has been told of it.
    pub(super) is_skew_reported: bool,
    /// Heartbeats that have come, of those since `known_at` at most 32.
    pub(super) heartbeats: (u32, Moment),
    /// It has our log up to here; `None`: its pages have never told.
    pub(super) has_own_up_to: Option<u32>,
}

impl Contact {
    /// Somebody new.
    pub(super) fn new(now: Moment, stage: Stage) -> Self {
        Self {
            signer: None,
            stage,
            is_verified: false,
            profile: None,
            addresses: Vec::new(),
            window: ReplayWindow::default(),
            controls: TokenBucket::new(CONTROL_RATE.0, CONTROL_RATE.1),
            answers: TokenBucket::new(ANSWER_RATE_PER_PEER.0, ANSWER_RATE_PER_PEER.1),
            entries: TokenBucket::new(ENTRY_RATE.0, ENTRY_RATE.1),
            first_heard: now,
            known_at: now,
            last_heard: None,
            last_vouched: now,
            last_heard_by: [None; 3],
            told_path: Some(Path::GroupV4),
            is_told_uncertain: false,
            pinged_path: None,
            hears: None,
            hears_counter: 0,
            ping_at: None,
            pings: 0,
            is_pinged: false,
            is_asked: false,
            needs_verified_address: false,
            listed_by: None,
            where_at: None,
            skew: 0,
            last_skew: None,
            is_skew_reported: false,
            heartbeats: (0, now),
            has_own_up_to: None,
        }
    }

    /// Notes that a control packet has come.
    pub(super) fn record_packet(&mut self, now: Moment, from: SocketAddr, path: Option<Path>) {
        self.last_heard = Some(now);
        self.last_vouched = now;
        (self.is_pinged, self.is_asked) = (false, false);
        if let Some(slot) = path.and_then(|it| self.last_heard_by.get_mut(path_index(it))) {
            *slot = Some(now);
        }
        match self.addresses.iter_mut().find(|it| it.address == from) {
            Some(known) => known.last_heard = Some(now),
            None => self.add_address(from, Some(now)),
        }
    }

    /// Notes that a copy of what was heard last has come by another way.
    pub(super) fn record_copy(&mut self, now: Moment, path: Path) {
        if let Some(slot) = self.last_heard_by.get_mut(path_index(path)) {
            *slot = Some(now);
        }
    }

    /// Whether something by this way would be news.
    pub(super) fn is_path_silent(&self, now: Moment, path: Path, lately: Duration) -> bool {
        !self.recent_paths(now, lately).has(path)
    }

    /// Notes by how much its clock seemed to be ahead. Of the last two the
    /// smaller difference counts: a packet may have waited on its way.
    pub(super) fn note_skew(&mut self, skew: i64) {
        let before = self.last_skew.replace(skew).unwrap_or(0);
        self.skew = if before.unsigned_abs() < skew.unsigned_abs() { before } else { skew };
    }

    /// Remembers an address, in place of the one not heard for longest, if
    /// possible not of a verified one: recordings can come from anywhere.
    fn add_address(&mut self, address: SocketAddr, last_heard: Option<Moment>) {
        let new = Address { address, last_heard, is_verified: false };
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push(new);
        } else if let Some(oldest) =
            self.addresses.iter_mut().min_by_key(|it| (it.is_verified, it.last_heard))
        {
            *oldest = new;
        }
    }

    /// Somebody says that it can be reached there.
    pub(super) fn suggest_address(&mut self, address: SocketAddr) {
        if self.last_heard.is_none() && !self.addresses().any(|it| it == address) {
            self.add_address(address, None);
        }
    }

    /// A cookie has come back from there.
    pub(super) fn verify_address(&mut self, address: SocketAddr) {
        self.is_verified = true;
        self.needs_verified_address = false;
        if let Some(known) = self.addresses.iter_mut().find(|it| it.address == address) {
            known.is_verified = true;
        }
    }

    /// Whether it can be reached anywhere.
    pub(super) const fn has_address(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Every address that it may have.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|it| it.address)
    }

    /// Whether it has been heard from there.
    pub(super) fn has_sent_from(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|it| it.address == address && it.last_heard.is_some())
    }

    /// Where to send: the verified address heard last, else the one heard
    /// last, else one that somebody has named.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().max_by_key(|it| (it.is_verified, it.last_heard)).map(|it| it.address)
    }

    /// Where to send what is larger than what meta.
    pub(super) fn verified_address(&self) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        verified.max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// The addresses that may be passed on.
    pub(super) fn shareable_address(&self) -> Option<SocketAddr> {
        let is_lasting = |it: &&Address| match it.address {
            SocketAddr::V4(_) => true,
            SocketAddr::V6(it) => !it.ip().is_unicast_link_local(),
        };
        let heard = self.addresses.iter().filter(|it| it.last_heard.is_some());
        heard.filter(is_lasting).max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// By which ways it was heard within `lately`.
    pub(super) fn recent_paths(&self, now: Moment, lately: Duration) -> PathSet {
        Path::ALL.into_iter().zip(self.last_heard_by).fold(PathSet::NONE, |heard, (path, at)| {
            if at.is_some_and(|at| now.since(at) < lately) { heard.with(path) } else { heard }
        })
    }

    /// When the way that it is told to use will have failed, if nothing
    /// comes by it.
    pub(super) fn told_path_expires(&self, lately: Duration) -> Option<Moment> {
        let at =
            self.told_path.and_then(|it| self.last_heard_by.get(path_index(it)).copied().flatten());
        at.map(|at| at + lately)
    }

    /// It is in the room.
    pub(super) fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// What it is called; empty if nobody has said.
    pub(super) fn name(&self) -> &str {
        self.profile.as_ref().map_or("", |it| &it.name)
    }

    /// Since when it has been in the room.
    pub(super) fn since(&self) -> RoomClock {
        self.profile.as_ref().map_or(RoomClock(u64::MAX), |it| it.since)
    }
}

/// Which place a way has in [`Contact::ways`].
const fn path_index(path: Path) -> usize {
    match path {
        Path::GroupV4 => 0,
        Path::GroupV6 => 1,
        Path::Broadcast => 2,
    }
}
