//! Name conflicts: two members with one name, after a split and merge. Section 13.

use std::time::Duration;

use super::contact::{Contact, Stage};
use super::contacts::Seniority;
use super::timers::heartbeat_interval;
use super::{Mesh, Now};
use crate::model::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS};
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, RoomClock, Username};
use crate::wire::udp::{Nonce, Object};

/// Largest difference of two room clocks, in milliseconds, at which seniorities count as
/// comparable.
const CLOCK_TOLERANCE_MS: u64 = 1_000;

/// Tolerance for the time at which a peer was vouched for: *ago* in pages is rounded, and packets
/// take time to travel.
const VOUCH_ROUNDING: Duration = Duration::from_secs(1);

/// Members on both sides of a merge, for the decision between two holders of one name.
#[derive(Debug, Default)]
struct Sides {
    /// True if a member of another address group was here before the other holder.
    has_own_witness: bool,
    /// True if a member with a verified address, of another address group, has come with the other
    /// holder.
    has_their_witness: bool,
    /// True if a peer of another or an unknown address group has come with the other holder, listed
    /// ones included.
    has_their_company: bool,
}

impl Mesh {
    /// Resolves a conflict about the name that a verified member has just stated: takes a new name
    /// if it is this peer's name and it gives way to that member. Sends it an `object` if this peer,
    /// or (if this peer votes) another holder, is more senior. Marks the member's former
    /// incarnation as gone first.
    ///
    /// Does nothing if the room clocks differ by more than [`CLOCK_TOLERANCE_MS`].
    pub(super) fn resolve_name_conflict(&mut self, now: Now, id: PeerId, clock: RoomClock) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(clock.0) <= CLOCK_TOLERANCE_MS;
        let Some(contact) = self.contacts.member(id).filter(|_| is_alike) else { return };
        let Some(profile) = &contact.profile else { return };
        let (name, theirs) = (profile.name.clone(), (contact.since(), id));
        let key = profile.key.clone();
        let address = contact.address();
        self.retire_former_incarnation(now, id, &key);
        if *self.name.key() == key && self.yields_to(now.moment, id) {
            self.take_new_name(now);
            return;
        }
        let oldest: Option<Seniority> = if *self.name.key() == key {
            Some(self.seniority())
        } else if self.is_voter() {
            let others = self.contacts.holders(&key).filter(|it| *it != id);
            others.filter_map(|it| Some((self.contacts.get(it)?.since(), it))).min()
        } else {
            None
        };
        let Some(holder) = oldest.filter(|it| *it < theirs) else { return };
        if let Some(address) = address {
            let code = ErrorCode::NameTaken;
            self.object(now, address, Nonce::default(), code, &name, holder);
        }
    }

    /// Marks another member as gone if it has this name and the public key of `id`, and was not
    /// vouched for since the contact `id` was added: it is the former incarnation of that peer,
    /// which ended without a `bye`.
    fn retire_former_incarnation(&mut self, now: Now, id: PeerId, name: &NameKey) {
        let Some(contact) = self.contacts.get(id) else { return };
        let Some(signer) = contact.signer else { return };
        let is_former = |it: &PeerId| {
            self.contacts.get(*it).is_some_and(|other| {
                *it != id
                    && other.signer.is_some_and(|it| it.key == signer.key)
                    && other.last_vouched < contact.first_heard + VOUCH_ROUNDING
            })
        };
        let former = self.contacts.holders(name).find(is_former);
        if let Some(former) = former {
            self.mark_gone(now.moment, former);
        }
    }

    /// Returns true if this peer gives way to member `id`, which holds the same name. Section 13,
    /// rule 10.
    fn yields_to(&self, now: Moment, id: PeerId) -> bool {
        let Some(contact) = self.contacts.get(id) else { return false };
        let (claimed, mine) = ((contact.claimed_since(), id), (self.name_since, self.me.id));
        if contact.witnessed_since.is_none() {
            // It may have been here before this peer. A name that it has taken since is a new one.
            let held_since = contact.renamed_at.map_or(claimed.0, |it| it.max(claimed.0));
            return (held_since, id) < mine;
        }
        if contact.has_announced || contact.renamed_at.is_some_and(|it| it > self.name_since) {
            return false;
        }
        let sides = self.sides_of(now, id, contact);
        match (sides.has_own_witness, sides.has_their_witness) {
            (true, false) => false,
            (false, _) if sides.has_their_company => true,
            _ => claimed < mine,
        }
    }

    /// Returns who else was on this peer's side, and who has come with member `id`, when the two
    /// met. Members of the same address group as that one, or as this machine, prove nothing.
    fn sides_of(&self, now: Moment, id: PeerId, holder: &Contact) -> Sides {
        let slack = heartbeat_interval(self.member_count()) * 11 / 10 + VOUCH_ROUNDING;
        let met = holder.met_at;
        let clock_then = self
            .room_clock(now)
            .0
            .saturating_sub(u64::try_from(now.since(met).as_millis()).unwrap_or(u64::MAX));
        let slack_ms = u64::try_from(slack.as_millis()).unwrap_or(u64::MAX);
        let latest = RoomClock(clock_then.saturating_add(slack_ms));
        let mut sides = Sides::default();
        for (_, it) in self.contacts.iter().filter(|(other, _)| *other != id) {
            let group = it.group();
            let is_elsewhere = group
                .is_some_and(|it| Some(it) != holder.group() && !self.own_groups.contains(&it));
            if it.is_member() && it.met_at + slack < met {
                sides.has_own_witness |= is_elsewhere;
            } else if !it.has_announced && has_come_by(it, met + slack, latest) {
                sides.has_their_company |= group.is_none() || is_elsewhere;
                sides.has_their_witness |= is_elsewhere && it.verified_address().is_some();
            }
        }
        sides
    }

    /// Returns true if an objection of a verified peer names a holder of this peer's name to which
    /// it gives way: by its own judgement, or because a member that is more senior than this peer
    /// says so, which has seen who came when. The holder itself, and another peer of its address
    /// group, are no witnesses.
    fn yields_to_stated(&self, now: Moment, by: PeerId, object: &Object) -> bool {
        let holder = self.contacts.get(object.holder).filter(|it| it.is_verified);
        let (Some(holder), Some(objector)) = (holder, self.contacts.member(by)) else {
            return false;
        };
        let is_other = holder.profile.as_ref().is_some_and(|it| it.key != *self.name.key());
        if is_other || holder.has_announced {
            return false;
        }
        let is_witness = by != object.holder
            && objector.group() != holder.group()
            && (objector.since(), by) < self.seniority();
        let is_stated = (object.since, object.holder) < (self.name_since, self.me.id);
        is_witness && is_stated || holder.profile.is_some() && self.yields_to(now, object.holder)
    }

    /// Handles an objection to the name of this member: takes a new name if the stated holder is
    /// verified and this peer gives way to it. Ignores other error codes, other names, and
    /// objections whose room clock differs by more than [`CLOCK_TOLERANCE_MS`].
    pub(super) fn on_late_objection(&mut self, now: Now, by: PeerId, object: &Object) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(object.clock.0) <= CLOCK_TOLERANCE_MS;
        let is_taken = object.code == ErrorCode::NameTaken.number();
        let is_mine = NameKey::of(&object.username) == *self.name.key();
        if is_alike && is_taken && is_mine && self.yields_to_stated(now.moment, by, object) {
            self.take_new_name(now);
        }
    }

    /// Takes the first free name of the form `username-number`, from 2 on, because a more senior
    /// member holds the current one. The username is the configured one. Makes a heartbeat due at
    /// once, and tells the user.
    fn take_new_name(&mut self, now: Now) {
        let before = self.name.clone();
        let Some(name) = (2..=u32::MAX).find_map(|number| {
            let name = Username::new(&with_number(self.settings.username.as_str(), number)).ok()?;
            (!self.is_name_held(name.key())).then_some(name)
        }) else {
            return;
        };
        self.name = name;
        self.name_since = self.room_clock(now.moment);
        self.heartbeats.schedule_now(now.moment);
        let (from, to) = (before.as_str().to_owned(), self.name.as_str().to_owned());
        self.emit(Event::Renamed { from, to });
    }
}

/// Returns true if a member or listed peer has come in time. If it has stated since when it is in
/// the room, that must be at most `latest` of this peer's room clock. Otherwise the two peers must
/// have met by `met`. False in other stages.
fn has_come_by(it: &Contact, met: Moment, latest: RoomClock) -> bool {
    matches!(it.stage, Stage::Member | Stage::Listed)
        && it.profile.as_ref().map_or(it.met_at <= met, |it| it.since <= latest)
}

/// Returns a name with `-number` appended; the name is shortened at its end so that both fit the
/// limits of names.
fn with_number(name: &str, number: u32) -> String {
    let ending = format!("-{number}");
    let mut base = name;
    while base.chars().count() + ending.len() > MAX_NAME_CHARS
        || base.len() + ending.len() > MAX_NAME_BYTES
    {
        let Some((last, _)) = base.char_indices().next_back() else { break };
        base = base.get(..last).unwrap_or_default();
    }
    format!("{base}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A numbered name obeys the name rule, however long the old one was.
    #[test]
    fn numbered_names_are_valid() {
        assert_eq!(with_number("anna", 2), "anna-2");
        for long in ["a".repeat(32), "é".repeat(32), "日".repeat(21)] {
            let name = with_number(&long, 4_294_967_295);
            assert!(Username::new(&name).is_ok(), "{name}");
        }
    }
}
