//! Other peers, as one sees them: section 11 and the last table of
//! section 16.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::replay_window::ReplayWindow;
use crate::model::{Moment, NameKey, Path, PathSet, PeerId, RoomClock, TokenBucket};
use crate::wire::udp::Signer;

/// Peers that were heard and are not verified.
const MAX_HEARD: usize = 256;
/// Contacts in all. (Members of a room are made for some hundreds.)
const MAX_CONTACTS: usize = 4_096;
/// Contacts that are known from one peer's pages only.
const MAX_LISTED: usize = 128;
/// Addresses of one peer.
const MAX_ADDRESSES: usize = 4;
/// Control packets of one sender at once, and in a minute.
const CONTROL_RATE: (u32, u32) = (200, 3_000);
/// Entries of one author that nobody has asked for, likewise.
const ENTRY_RATE: (u32, u32) = (200, 3_000);

/// Entries that one peer gets because it asks, likewise.
const ANSWER_RATE_PER_PEER: (u32, u32) = (128, 6_000);

/// How long somebody has been here: the smaller one for longer.
pub(super) type Seniority = (RoomClock, PeerId);

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
    fn new(now: Moment, stage: Stage) -> Self {
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

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    /// By id.
    contacts: BTreeMap<PeerId, Contact>,
    /// Members by the keys of their names.
    names: BTreeMap<NameKey, BTreeSet<PeerId>>,
    /// The keys of those names by what they look like: worked out when a
    /// name comes, not each time that one is compared.
    skeletons: BTreeMap<String, BTreeSet<NameKey>>,
    /// How many members there are.
    member_count: usize,
    /// How many are heard and not verified.
    heard_count: usize,
}

impl Contacts {
    /// One of them.
    pub(super) fn get(&self, id: PeerId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// One of them, to change it. Stage and name are changed by
    /// [`Self::set_stage`] and [`Self::set_profile`] only.
    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Contact> {
        self.contacts.get_mut(&id)
    }

    /// One of them, if it is a member.
    pub(super) fn member(&self, id: PeerId) -> Option<&Contact> {
        self.get(id).filter(|it| it.is_member())
    }

    /// Somebody of whom a control packet has come; `None` where all places
    /// are taken by members.
    pub(super) fn add_heard(&mut self, now: Moment, signer: Signer) -> Option<&mut Contact> {
        let is_new = !self.contacts.contains_key(&signer.id);
        if is_new && self.heard_count >= MAX_HEARD {
            self.evict_heard();
        }
        if is_new && !self.make_room() {
            return None;
        }
        if is_new {
            self.heard_count += 1;
            self.contacts.insert(signer.id, Contact::new(now, Stage::PathSet));
        } else if self.get(signer.id).is_some_and(|it| it.stage == Stage::Listed) {
            self.set_stage(signer.id, Stage::PathSet);
        }
        let contact = self.contacts.get_mut(&signer.id)?;
        contact.signer = Some(signer);
        Some(contact)
    }

    /// Somebody whom a member's page has named; `None` where too many are
    /// known.
    pub(super) fn add_listed(
        &mut self,
        now: Moment,
        id: PeerId,
        by: PeerId,
    ) -> Option<&mut Contact> {
        if !self.contacts.contains_key(&id) {
            let is_listed = |it: &&Contact| it.stage == Stage::Listed && it.listed_by == Some(by);
            let listed = self.contacts.values().filter(is_listed).count();
            if listed >= MAX_LISTED || self.contacts.len() >= MAX_CONTACTS {
                return None;
            }
            self.contacts.insert(id, Contact::new(now, Stage::Listed));
        }
        let contact = self.contacts.get_mut(&id)?;
        contact.listed_by.get_or_insert(by);
        Some(contact)
    }

    /// Forgets one of those who are heard and not members: of those at the
    /// address with most of them, one that is not verified, the oldest. So
    /// who invents many keeps nobody else out.
    fn evict_heard(&mut self) {
        let ip = |it: &Contact| it.address().map(|it| it.ip());
        let heard = || self.iter().filter(|(_, it)| it.stage == Stage::PathSet);
        let mut crowds: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
        heard().for_each(|(_, it)| *crowds.entry(ip(it)).or_default() += 1);
        let one = heard()
            .max_by_key(|(_, it)| (crowds.get(&ip(it)), !it.is_verified, Reverse(it.first_heard)));
        if let Some((id, _)) = one {
            self.remove(id);
        }
    }

    /// Whether there is a place, once the one who was listed or gone for
    /// longest has made room.
    fn make_room(&mut self) -> bool {
        if self.contacts.len() < MAX_CONTACTS {
            return true;
        }
        let absent =
            self.iter().filter(|(_, it)| matches!(it.stage, Stage::Listed | Stage::Gone { .. }));
        let oldest = absent.min_by_key(|(_, it)| it.last_vouched).map(|(id, _)| id);
        if let Some(id) = oldest {
            self.remove(id);
        }
        oldest.is_some()
    }

    /// Moves somebody on.
    pub(super) fn set_stage(&mut self, id: PeerId, stage: Stage) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let before = std::mem::replace(&mut contact.stage, stage);
        let key = contact.profile.as_ref().map(|it| it.key.clone());
        let count = |it: Stage, what: Stage| usize::from(it == what);
        self.member_count += count(stage, Stage::Member);
        self.member_count -= count(before, Stage::Member);
        self.heard_count += count(stage, Stage::PathSet);
        self.heard_count -= count(before, Stage::PathSet);
        if let Some(key) = key {
            if before == Stage::Member {
                self.unindex_name(&key, id);
            }
            if stage == Stage::Member {
                self.index_name(key, id);
            }
        }
    }

    /// Notes what somebody says of itself. Returns its former name if it is
    /// a member that has another one now.
    pub(super) fn set_profile(&mut self, id: PeerId, profile: Profile) -> Option<String> {
        let contact = self.contacts.get_mut(&id)?;
        let is_member = contact.is_member();
        let key = profile.key.clone();
        let before = contact.profile.replace(profile)?;
        let is_other = before.name != contact.name();
        if is_member && before.key != key {
            self.unindex_name(&before.key, id);
            self.index_name(key, id);
        }
        (is_member && is_other).then_some(before.name)
    }

    /// A member has this name.
    fn index_name(&mut self, key: NameKey, id: PeerId) {
        if !self.names.contains_key(&key) {
            self.skeletons.entry(key.skeleton()).or_default().insert(key.clone());
        }
        self.names.entry(key).or_default().insert(id);
    }

    /// Somebody does not have this name any more.
    fn unindex_name(&mut self, key: &NameKey, id: PeerId) {
        if let Some(holders) = self.names.get_mut(key) {
            holders.remove(&id);
            if holders.is_empty() {
                self.names.remove(key);
                let skeleton = key.skeleton();
                if let Some(alike) = self.skeletons.get_mut(&skeleton) {
                    alike.remove(key);
                    if alike.is_empty() {
                        self.skeletons.remove(&skeleton);
                    }
                }
            }
        }
    }

    /// Forgets somebody.
    pub(super) fn remove(&mut self, id: PeerId) {
        self.set_stage(id, Stage::Listed);
        self.contacts.remove(&id);
    }

    /// How many there are, and how many of them are heard and not members.
    pub(super) fn stats(&self) -> (usize, usize) {
        (self.contacts.len(), self.heard_count)
    }

    /// How many members there are, without oneself.
    pub(super) const fn member_count(&self) -> usize {
        self.member_count
    }

    /// Everybody, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Contact)> {
        self.contacts.iter().map(|(id, contact)| (*id, contact))
    }

    /// The same, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerId, &mut Contact)> {
        self.contacts.iter_mut().map(|(id, contact)| (*id, contact))
    }

    /// Members after this one, by id.
    pub(super) fn members_after(&self, id: PeerId) -> impl Iterator<Item = (PeerId, &Contact)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let later = self.contacts.range((Excluded(id), Unbounded));
        later.map(|(id, contact)| (*id, contact)).filter(|(_, it)| it.is_member())
    }

    /// Members that hold a name with this key.
    pub(super) fn holders(&self, key: &NameKey) -> impl Iterator<Item = PeerId> {
        self.names.get(key).into_iter().flatten().copied()
    }

    /// Members whose names look like this.
    pub(super) fn look_alikes(&self, skeleton: &str) -> impl Iterator<Item = PeerId> {
        let keys = self.skeletons.get(skeleton).into_iter().flatten();
        keys.flat_map(|key| self.holders(key))
    }

    /// Standings of all members, the smallest first.
    pub(super) fn members_by_seniority(&self) -> Vec<Seniority> {
        let members = self.iter().filter(|(_, it)| it.is_member());
        let mut seniorities: Vec<_> = members.map(|(id, it)| (it.since(), id)).collect();
        seniorities.sort_unstable();
        seniorities
    }
}
