//! Set of all other peers, with limits, an index of names, and seniority: sections 11 and 17.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::contact::{Contact, Profile, Stage};
use crate::model::{AddressGroup, Moment, NameKey, PeerId, RoomClock};
use crate::wire::udp::Signer;

/// Maximum number of contacts in stage heard. It is checked only when an unknown peer is added.
const MAX_HEARD: usize = 256;
/// Maximum number of contacts in all stages together.
const MAX_CONTACTS: usize = 4_096;
/// Maximum number of contacts in stage listed that are known from the pages of one peer.
const MAX_LISTED: usize = 128;
/// Maximum number of contacts in stage listed that are known from the pages of peers of one address
/// group.
const MAX_LISTED_PER_GROUP: usize = 512;

/// Maximum number of members, this peer not counted. It is below the maximum number of authors, so
/// that logs of authors that have gone find a place.
const MAX_MEMBERS: usize = 896;
/// Maximum number of members of one address group.
const MAX_MEMBERS_PER_GROUP: usize = 128;

/// Result of the check whether the room has capacity, a place, for a new member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is a place.
    Free,
    /// There is a place if this member is marked as gone. It is the newest member of the address
    /// group with the most members.
    Instead(PeerId),
    /// There is none: the new member's address group has [`MAX_MEMBERS_PER_GROUP`] members. Holds
    /// that group; `None` if it is unknown.
    GroupFull(Option<AddressGroup>),
    /// There is none: the room is full, and no member may be evicted. Only a group with more than
    /// twice as many members as the new member's group loses one.
    Full,
}

/// Seniority of a member: value of the room clock when it joined, then its id. The smaller pair is
/// more senior.
pub(super) type Seniority = (RoomClock, PeerId);

/// Set of all other peers by id, with an index of member names.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    /// All contacts by peer id.
    contacts: BTreeMap<PeerId, Contact>,
    /// Index of members: ids by the comparison key of the name. This peer is not in it.
    names: BTreeMap<NameKey, BTreeSet<PeerId>>,
    /// Index of the keys in `names` by their look-alike skeletons (UTS #39).
    skeletons: BTreeMap<String, BTreeSet<NameKey>>,
    /// Number of contacts in stage member.
    member_count: usize,
    /// Number of contacts in stage heard.
    heard_count: usize,
    /// Room clock of this peer, stored as its value at a moment. New contacts get their
    /// `Contact::witnessed_since` from it. `None` until this peer has been a member long enough to
    /// have heard of all earlier members.
    witness_clock: Option<(RoomClock, Moment)>,
}

impl Contacts {
    /// Returns a contact by id; `None` if the id is unknown.
    pub(super) fn get(&self, id: PeerId) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// Returns a contact by id, mutably; `None` if the id is unknown. Change its stage and profile
    /// only by [`Self::set_stage`] and [`Self::set_profile`], which keep the indexes up to date.
    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Contact> {
        self.contacts.get_mut(&id)
    }

    /// Returns a member by id; `None` if the id is unknown or the contact is not a member.
    pub(super) fn member(&self, id: PeerId) -> Option<&Contact> {
        self.get(id).filter(|it| it.is_member())
    }

    /// Returns the contact of the sender of a control packet, and stores the sender's identity in
    /// it. Adds an unknown sender in stage heard. Moves a listed contact to stage heard, but no
    /// gone one.
    ///
    /// If there are [`MAX_HEARD`] contacts in stage heard, adding a contact evicts one of these. If
    /// there are [`MAX_CONTACTS`] contacts, it evicts a listed or gone contact, and returns `None`
    /// if there is none.
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
            self.insert_new(now, signer.id, Stage::Heard);
        } else if self.get(signer.id).is_some_and(|it| it.stage == Stage::Listed) {
            self.set_stage(signer.id, Stage::Heard);
        }
        let contact = self.contacts.get_mut(&signer.id)?;
        contact.signer = Some(signer);
        Some(contact)
    }

    /// Returns the contact of a peer that the page of `by` lists. Adds an unknown peer in stage
    /// listed; if there are [`MAX_CONTACTS`], it evicts a listed or gone contact. Sets `listed_by`
    /// only if it is empty. `None` if the peer is unknown, and there is no place for it: the
    /// contacts listed by `by` or by its address group are at their limit, or none can be evicted.
    pub(super) fn add_listed(
        &mut self,
        now: Moment,
        id: PeerId,
        by: PeerId,
    ) -> Option<&mut Contact> {
        if !self.contacts.contains_key(&id) {
            let (listed, of_group) = self.listed_counts(by);
            if listed >= MAX_LISTED || of_group >= MAX_LISTED_PER_GROUP || !self.make_room() {
                return None;
            }
            self.insert_new(now, id, Stage::Listed);
        }
        let contact = self.contacts.get_mut(&id)?;
        contact.listed_by.get_or_insert(by);
        Some(contact)
    }

    /// Returns the number of contacts in stage listed that are known from the pages of `by`, and from
    /// those of all peers of its address group.
    fn listed_counts(&self, by: PeerId) -> (usize, usize) {
        let listed = self.contacts.values().filter(|it| it.stage == Stage::Listed);
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        listed.filter_map(|it| it.listed_by).for_each(|it| *counts.entry(it).or_default() += 1);
        let group = |id: PeerId| self.get(id).and_then(Contact::group);
        let own = group(by);
        let of_group = counts.iter().filter(|(lister, _)| group(**lister) == own);
        (counts.get(&by).copied().unwrap_or(0), of_group.map(|(_, count)| count).sum())
    }

    /// Adds a contact that is not there yet. The caller checks limits and updates the counters. If
    /// this peer is a witness, stores the current room clock in the contact's
    /// `witnessed_since`.
    fn insert_new(&mut self, now: Moment, id: PeerId, stage: Stage) {
        let mut contact = Contact::new(now, stage);
        contact.witnessed_since = self.witness_clock.map(|(clock, at)| clock.after(now.since(at)));
        self.contacts.insert(id, contact);
    }

    /// Marks a contact as come at `now`, if this peer is a witness and the contact counted as there
    /// before: sets its `witnessed_since` and `met_at`. Otherwise does nothing.
    pub(super) fn mark_as_come(&mut self, now: Moment, id: PeerId) {
        let clock = self.witness_clock.map(|(clock, at)| clock.after(now.since(at)));
        let contact = self.contacts.get_mut(&id).filter(|it| it.witnessed_since.is_none());
        if let (Some(contact), Some(clock)) = (contact, clock) {
            contact.witnessed_since = Some(clock);
            contact.met_at = now;
        }
    }

    /// Sets the room clock from which new contacts get their `witnessed_since`: `clock` is its
    /// value at the moment `at`.
    pub(super) fn set_witness_clock(&mut self, clock: RoomClock, at: Moment) {
        self.witness_clock = Some((clock, at));
    }

    /// Returns true if this peer is a witness: it has been a member long enough, and notes when new
    /// contacts come.
    pub(super) const fn is_witness(&self) -> bool {
        self.witness_clock.is_some()
    }

    /// Moves all values of the room clock in contacts with it when it jumps: claimed *since*,
    /// `witnessed_since`, `renamed_at` and `parted_at`. `moved` returns a value after the jump.
    pub(super) fn shift_clocks(&mut self, moved: impl Fn(RoomClock) -> RoomClock) {
        for contact in self.contacts.values_mut() {
            for value in
                [&mut contact.witnessed_since, &mut contact.renamed_at, &mut contact.parted_at]
            {
                *value = value.map(&moved);
            }
            if let Some(profile) = &mut contact.profile {
                profile.since = moved(profile.since);
            }
        }
    }

    /// Returns whether there is a place for `id` as a member. An address group has at most
    /// [`MAX_MEMBERS_PER_GROUP`] members, the room at most [`MAX_MEMBERS`]. If the room is full,
    /// the newest member of the largest group can be replaced, if `id` is of a group with less than
    /// half as many members. Changes nothing.
    pub(super) fn place_for(&self, id: PeerId) -> Place {
        let group = self.get(id).and_then(Contact::group);
        if self.member_count < MAX_MEMBERS_PER_GROUP {
            return Place::Free;
        }
        let mut sizes: BTreeMap<Option<AddressGroup>, usize> = BTreeMap::new();
        let members = || self.iter().filter(|(_, it)| it.is_member());
        members().for_each(|(_, it)| *sizes.entry(it.group()).or_default() += 1);
        let own = sizes.get(&group).copied().unwrap_or(0);
        if own >= MAX_MEMBERS_PER_GROUP {
            return Place::GroupFull(group);
        }
        if self.member_count < MAX_MEMBERS {
            return Place::Free;
        }
        let greatest = sizes.iter().max_by_key(|(_, size)| **size);
        let Some((greatest, _)) = greatest.filter(|(_, size)| own * 2 < **size) else {
            return Place::Full;
        };
        let newest = members()
            .filter(|(_, it)| it.group() == *greatest)
            .max_by_key(|(id, it)| (it.known_at, *id));
        newest.map_or(Place::Full, |(id, _)| Place::Instead(id))
    }

    /// Removes one contact in stage heard. Takes the IP address with the most of them, and there
    /// the oldest contact, an unverified one if possible. So an attacker that invents many peers at
    /// one address evicts only peers at that address.
    fn evict_heard(&mut self) {
        let ip = |it: &Contact| it.address().map(|it| it.ip());
        let heard = || self.iter().filter(|(_, it)| it.stage == Stage::Heard);
        let mut crowds: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
        heard().for_each(|(_, it)| *crowds.entry(ip(it)).or_default() += 1);
        let one = heard()
            .max_by_key(|(_, it)| (crowds.get(&ip(it)), !it.is_verified, Reverse(it.first_heard)));
        if let Some((id, _)) = one {
            self.remove(id);
        }
    }

    /// Makes room for a new contact and returns true. If there are [`MAX_CONTACTS`], removes the
    /// listed or gone contact with the earliest `last_vouched`. Returns false if there is none to
    /// remove.
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

    /// Moves a contact to a stage, and updates the counters and the name index. Does nothing if the
    /// contact is unknown.
    pub(super) fn set_stage(&mut self, id: PeerId, stage: Stage) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let before = std::mem::replace(&mut contact.stage, stage);
        let key = contact.profile.as_ref().map(|it| it.key.clone());
        let count = |it: Stage, what: Stage| usize::from(it == what);
        self.member_count += count(stage, Stage::Member);
        self.member_count -= count(before, Stage::Member);
        self.heard_count += count(stage, Stage::Heard);
        self.heard_count -= count(before, Stage::Heard);
        if let Some(key) = key {
            if before == Stage::Member {
                self.unindex_name(&key, id);
            }
            if stage == Stage::Member {
                self.index_name(key, id);
            }
        }
    }

    /// Replaces the profile of a contact, and updates the name index. Returns the old name if the
    /// contact is a member and its name has changed in any character; otherwise `None`.
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

    /// Adds a member to the index of names, and its name to the index of skeletons.
    fn index_name(&mut self, key: NameKey, id: PeerId) {
        if !self.names.contains_key(&key) {
            self.skeletons.entry(key.skeleton()).or_default().insert(key.clone());
        }
        self.names.entry(key).or_default().insert(id);
    }

    /// Removes a member from the index of names. If no other member has the name, also removes the
    /// name from the index of skeletons.
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

    /// Removes a contact, also from the counters and the name index. Reports nothing to the user: a
    /// member must be marked as gone first.
    pub(super) fn remove(&mut self, id: PeerId) {
        self.set_stage(id, Stage::Listed);
        self.contacts.remove(&id);
    }

    /// Returns the number of all contacts, and the number of those in stage heard.
    pub(super) fn stats(&self) -> (usize, usize) {
        (self.contacts.len(), self.heard_count)
    }

    /// Returns the number of members, this peer not counted.
    pub(super) const fn member_count(&self) -> usize {
        self.member_count
    }

    /// Iterates over all contacts in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Contact)> {
        self.contacts.iter().map(|(id, contact)| (*id, contact))
    }

    /// Iterates over all contacts in the order of their ids, mutably. Do not change stage and
    /// profile here.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerId, &mut Contact)> {
        self.contacts.iter_mut().map(|(id, contact)| (*id, contact))
    }

    /// Iterates over the members with greater ids than `id`, in the order of their ids.
    pub(super) fn members_after(&self, id: PeerId) -> impl Iterator<Item = (PeerId, &Contact)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let later = self.contacts.range((Excluded(id), Unbounded));
        later.map(|(id, contact)| (*id, contact)).filter(|(_, it)| it.is_member())
    }

    /// Iterates over the ids of the members whose names have this comparison key, in ascending
    /// order. This peer is not among them.
    pub(super) fn holders(&self, key: &NameKey) -> impl Iterator<Item = PeerId> {
        self.names.get(key).into_iter().flatten().copied()
    }

    /// Iterates over the ids of the members whose names have this look-alike skeleton. This peer is
    /// not among them.
    pub(super) fn look_alikes(&self, skeleton: &str) -> impl Iterator<Item = PeerId> {
        let keys = self.skeletons.get(skeleton).into_iter().flatten();
        keys.flat_map(|key| self.holders(key))
    }

    /// Returns the seniorities of all members except this peer, the most senior first.
    pub(super) fn members_by_seniority(&self) -> Vec<Seniority> {
        let members = self.iter().filter(|(_, it)| it.is_member());
        let mut seniorities: Vec<_> = members.map(|(id, it)| (it.since(), id)).collect();
        seniorities.sort_unstable();
        seniorities
    }
}
