//! Other peers, as one sees them: section 11 and the last table of
//! section 16.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::contact::{Contact, Profile, Stage};
use crate::model::{Moment, NameKey, PeerId, RoomClock};
use crate::wire::udp::Signer;

/// Peers that were heard and are not verified.
const MAX_HEARD: usize = 256;
/// Contacts in all. (Members of a room are made for some hundreds.)
const MAX_CONTACTS: usize = 4_096;
/// Contacts that are known from one peer's pages only.
const MAX_LISTED: usize = 128;

/// How long somebody has been here: the smaller one for longer.
pub(super) type Seniority = (RoomClock, PeerId);

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
