//! Roster: who is here as far as the user is told, and how each peer is known. Section 11, rules 21
//! and 22.

use std::collections::BTreeMap;

use super::contact::{Contact, Stage};
use super::{Mesh, Now};
use crate::model::{Event, Moment, NameKey, PeerId, PeerReport, RequestTag, RosterNote};

/// Peers that are known through others only and shown to the user: names by id.
#[derive(Debug, Default)]
pub(super) struct IndirectPeers {
    /// Names under which they were reported as here.
    shown: BTreeMap<PeerId, String>,
    /// True if the peers to show, or their names, may have changed since `shown` was updated.
    is_stale: bool,
}

impl IndirectPeers {
    /// Marks the peers as perhaps changed: an entry was shown, or a contact has changed.
    pub(super) fn invalidate(&mut self) {
        self.is_stale = true;
    }

    /// Returns the number of peers shown.
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// Returns true if a peer other than `id` is shown under this name.
    pub(super) fn is_held_by_another(&self, id: PeerId, key: &NameKey) -> bool {
        self.shown.iter().any(|(other, name)| *other != id && NameKey::of(name) == *key)
    }

    /// Removes a peer that has become a member. Returns the name under which it was shown; `None`
    /// if it was not shown.
    pub(super) fn remove(&mut self, id: PeerId) -> Option<String> {
        self.shown.remove(&id)
    }
}

impl Mesh {
    /// Updates the peers that are known through others only, if they may have changed, and reports
    /// the names that have joined and left, except names that a member or this peer holds. Does
    /// nothing before this peer has reported its own joining.
    pub(super) fn update_indirect_peers(&mut self) {
        if !self.indirect.is_stale || !self.has_joined() {
            return;
        }
        self.indirect.is_stale = false;
        let present: BTreeMap<PeerId, String> = self
            .contacts
            .iter()
            .filter_map(|(id, it)| Some((id, self.indirect_name(id, it)?)))
            .collect();
        if present == self.indirect.shown {
            return;
        }
        let before = std::mem::replace(&mut self.indirect.shown, present);
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        let is_key_in = |names: &BTreeMap<PeerId, String>, key: &NameKey| {
            names.values().any(|it| NameKey::of(it) == *key)
        };
        for name in self.indirect.shown.values() {
            let key = NameKey::of(name);
            if !is_key_in(&before, &key) && !self.is_name_held(&key) {
                joined.push(name.clone());
            }
        }
        for name in before.values() {
            let key = NameKey::of(name);
            if !is_key_in(&self.indirect.shown, &key) && !self.is_name_held(&key) {
                left.push(name.clone());
            }
        }
        if !joined.is_empty() || !left.is_empty() {
            self.report_presence(joined, left);
        }
    }

    /// Returns the name under which a peer that is known through others only is shown: that of its
    /// newest entry. `None` if it is a member or gone, is not verified, has stated a name itself,
    /// has no entry here, or is blocked.
    fn indirect_name(&self, id: PeerId, contact: &Contact) -> Option<String> {
        let is_listed = matches!(contact.stage, Stage::Listed | Stage::Heard);
        if !is_listed || !contact.is_verified || contact.profile.is_some() {
            return None;
        }
        let (_, entry) = self.logs.get(id)?.retained.last_key_value()?;
        let is_blocked = self.block_list.has_key(&entry.author.key);
        (!is_blocked).then(|| entry.fields.username.clone())
    }

    /// Iterates over the ids, contacts and names of the peers that are shown and known through
    /// others only.
    pub(super) fn indirect_peers(&self) -> impl Iterator<Item = (PeerId, &Contact, &str)> {
        let shown = self.indirect.shown.iter();
        shown.filter_map(|(id, name)| Some((*id, self.contacts.get(*id)?, name.as_str())))
    }

    /// Returns the name of the member through which a peer is heard: the member that has listed it.
    /// `None` if the peer is heard directly, if nobody has listed it, or if its lister is no
    /// member.
    pub(super) fn heard_through(&self, now: Moment, contact: &Contact) -> Option<String> {
        let is_direct = self.is_audible(now, contact);
        let by = contact.listed_by.filter(|_| !is_direct);
        by.and_then(|it| self.contacts.member(it)).map(|it| it.name().to_owned())
    }

    /// Reports to the user the sorted names of all peers that are here, this peer included, with
    /// notes on how peers are known if there is something to say.
    pub(super) fn report_roster(&mut self, now: Now, tag: RequestTag) {
        let reports = self.report(now);
        let mut names: Vec<String> = reports.iter().map(|it| it.name.clone()).collect();
        names.sort();
        let mut notes: Vec<RosterNote> = reports.iter().filter_map(PeerReport::note).collect();
        notes.sort_by(|a, b| a.name.cmp(&b.name));
        self.emit(Event::Roster {
            tag,
            room: self.settings.room.as_str().to_owned(),
            members: u32::try_from(names.len()).unwrap_or(u32::MAX),
            names: Some(names),
            notes: Some(notes),
            requested: true,
        });
    }
}
