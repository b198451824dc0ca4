//! Name conflicts: two members with one name, after a split and merge. Section 13.

use std::collections::BTreeSet;
use std::time::Duration;

use super::contact::{Contact, Stage};
use super::contacts::Seniority;
use super::timers::{gone_after, heartbeat_interval};
use super::{Mesh, Now};
use crate::model::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS};
use crate::model::{ErrorCode, Event, Moment, NameKey, PeerId, RoomClock, Username};
use crate::wire::udp::{Nonce, Object};

/// Largest difference of two room clocks, in milliseconds, at which seniorities are comparable.
const CLOCK_TOLERANCE_MS: u64 = 1_000;

/// Tolerance for the time at which a peer was vouched for: a page's *ago* is rounded, and packets
/// take time to travel.
const VOUCH_ROUNDING: Duration = Duration::from_secs(1);

/// Maximum number of peers that begin to be pinged because of one heartbeat that states this peer's
/// name. The pings verify addresses of possible witnesses.
const MAX_WITNESS_PINGS: usize = 16;

/// Sides of a merge of two parts of the room: whether this peer and the other holder of its name
/// have witnesses. Used to decide which of the two keeps the name.
#[derive(Debug, Default)]
struct Sides {
    /// True if a witness is on this peer's side: a member that this peer met clearly before it met
    /// the other holder.
    has_own_witness: bool,
    /// True if a witness is on the other holder's side: a peer with a verified address that has
    /// come with the other holder.
    has_their_witness: bool,
    /// True if a companion has come with the other holder. Unlike a witness, a companion needs no
    /// verified address: it may be known from pages only. Peers that have announced themselves do
    /// not count.
    has_their_companion: bool,
    /// Members that would be witnesses on the other holder's side if they had a verified address.
    /// With each: true if this peer had not known it before, so that members that have come back
    /// sort first.
    unproven: Vec<(bool, PeerId)>,
    /// Latest room clock at which this peer parted from a witness on the other holder's side that
    /// it had known before, and that has come back; `None` if there is no such witness.
    parted_at: Option<RoomClock>,
    /// Most senior claim among the witnesses on the other holder's side that this peer had not
    /// known before; `None` if there is no such witness.
    strangers_since: Option<RoomClock>,
}

impl Sides {
    /// Returns the value of the room clock up to which the other holder was not in the room: the
    /// members that have come back with it would have known it, and so would this peer. It is the
    /// time at which they parted, minus `patience`. `None` if none has come back, or if strangers
    /// with earlier claims have come as well: those may be of another room, with the holder.
    fn absent_until(&self, patience: Duration) -> Option<RoomClock> {
        let absent_until = self.parted_at?.before(patience);
        let is_earlier = |it: RoomClock| it < absent_until;
        (!self.strangers_since.is_some_and(is_earlier)).then_some(absent_until)
    }
}

impl Mesh {
    /// Resolves a conflict about the name that the verified member `id` has just stated. `clock`:
    /// the member's room clock. If it differs from this peer's by more than [`CLOCK_TOLERANCE_MS`],
    /// does nothing.
    ///
    /// First marks the member's former run as gone. If this peer holds the name, has the member's
    /// possible witnesses pinged. Then this peer takes a new name if it gives way
    /// ([`Self::yields_to`]); otherwise, if it is more senior, it sends the member an `object`. If
    /// this peer does not hold the name but is a voter, it sends the member an `object` if another
    /// holder is more senior than the member.
    pub(super) fn resolve_name_conflict(&mut self, now: Now, id: PeerId, clock: RoomClock) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(clock.0) <= CLOCK_TOLERANCE_MS;
        let Some(contact) = self.contacts.member(id).filter(|_| is_alike) else { return };
        let Some(profile) = &contact.profile else { return };
        let (name, theirs) = (profile.name.clone(), (contact.name_since(), id));
        let key = profile.key.clone();
        let address = contact.address();
        self.retire_former_incarnation(now, id, &key);
        if *self.name.key() == key {
            self.verify_their_witnesses(now.moment, id);
        }
        if *self.name.key() == key && self.yields_to(now.moment, id) {
            self.take_new_name(now);
            return;
        }
        let oldest: Option<Seniority> = if *self.name.key() == key {
            Some((self.name_since, self.me.id))
        } else if self.is_voter() {
            let others = self.contacts.holders(&key).filter(|it| *it != id);
            others.filter_map(|it| Some((self.contacts.get(it)?.name_since(), it))).min()
        } else {
            None
        };
        let Some(holder) = oldest.filter(|it| *it < theirs) else { return };
        if let Some(address) = address {
            let code = ErrorCode::NameTaken;
            self.object(now, address, Nonce::default(), code, &name, holder);
        }
    }

    /// Marks the former run (incarnation) of the peer `id` as gone: that run ended without a `bye`.
    /// It is a member with this name and the public key of `id`. Nobody has heard it later than
    /// [`VOUCH_ROUNDING`] after `id` was first heard.
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

    /// Returns true if this peer gives way to the member `id`, which holds the same name. Then this
    /// peer must take a new name. Section 13, rules 11 to 13.
    fn yields_to(&self, now: Moment, id: PeerId) -> bool {
        let Some(contact) = self.contacts.get(id) else { return false };
        let (claimed, mine) = ((contact.claimed_since(), id), (self.name_since, self.me.id));
        if contact.witnessed_since.is_none() {
            // It may have been here before this peer. If it has changed its name since, it holds
            // the new name from then on.
            let held_since = contact.renamed_at.map_or(claimed.0, |it| it.max(claimed.0));
            return (held_since, id) < mine;
        }
        if contact.has_announced || contact.renamed_at.is_some_and(|it| it > self.name_since) {
            return false;
        }
        let sides = self.sides_of(now, id, contact);
        let claimed = if contact.parted_at.is_some() {
            // What was seen before the other holder was gone still counts.
            (contact.since(), id)
        } else {
            let patience = gone_after(self.member_count());
            (sides.absent_until(patience).map_or(claimed.0, |it| it.max(claimed.0)), id)
        };
        match (sides.has_own_witness, sides.has_their_witness) {
            (true, false) => false,
            (false, _) if sides.has_their_companion => true,
            _ => claimed < mine,
        }
    }

    /// Returns the witnesses on this peer's side, and on the side of member `id`, when the two met.
    /// Ignores peers of the address group of `id`, and of this machine's own groups: they prove
    /// nothing.
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
        for (other, it) in self.contacts.iter().filter(|(other, _)| *other != id) {
            let group = it.group();
            let is_elsewhere = group
                .is_some_and(|it| Some(it) != holder.group() && !self.own_groups.contains(&it));
            if it.is_member() && it.met_at + slack < met {
                sides.has_own_witness |= is_elsewhere;
            } else if !it.has_announced && has_come_by(it, met + slack, latest) {
                sides.has_their_companion |= group.is_none() || is_elsewhere;
                let is_witness = is_elsewhere && it.verified_address().is_some();
                sides.has_their_witness |= is_witness;
                if is_witness && it.parted_at.is_some() {
                    sides.parted_at = sides.parted_at.max(it.parted_at);
                } else if is_witness {
                    let since = it.claimed_since();
                    sides.strangers_since =
                        Some(sides.strangers_since.map_or(since, |it| it.min(since)));
                } else if is_elsewhere && it.is_member() {
                    sides.unproven.push((it.parted_at.is_none(), other));
                }
            }
        }
        sides
    }

    /// Has possible witnesses of the member `id` pinged, which holds this peer's name: members that
    /// would be witnesses on its side if they had a verified address. After a merge, pages verify
    /// most members, and nothing else verifies their addresses.
    ///
    /// Pings one member of each address group at a time, and begins to ping at most
    /// [`MAX_WITNESS_PINGS`] in one call, members that have come back first. Does nothing if the
    /// result of [`Self::yields_to`] does not depend on such a witness.
    fn verify_their_witnesses(&mut self, now: Moment, id: PeerId) {
        let Some(holder) = self.contacts.get(id) else { return };
        if holder.witnessed_since.is_none() || holder.has_announced {
            return;
        }
        let mut sides = self.sides_of(now, id, holder);
        if !sides.has_own_witness || sides.has_their_witness {
            return;
        }
        let mut groups = BTreeSet::new();
        for contact in self.contacts.iter().map(|it| it.1).filter(|it| it.needs_verified_address) {
            groups.extend(contact.group());
        }
        let mut begun = 0;
        sides.unproven.sort_unstable();
        for (_, it) in sides.unproven {
            let Some(contact) = self.contacts.get_mut(it) else { continue };
            let is_other_group = contact.group().is_some_and(|it| groups.insert(it));
            if is_other_group && begun < MAX_WITNESS_PINGS {
                contact.needs_verified_address = true;
                begun += 1;
            }
        }
        self.schedule_sweep(now);
    }

    /// Returns true if this peer gives way because of an objection of the verified member `by`. The
    /// objection states a holder of this peer's name. That holder must be verified, must not have
    /// announced itself, and must not have stated another name.
    ///
    /// This peer gives way by its own judgement ([`Self::yields_to`]), or if `by` is a witness and
    /// the holder is more senior by the stated seniority. A witness is another member than the
    /// holder, more senior than this peer, and not of the holder's address group.
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

    /// Handles an objection to the name of this member: takes a new name if this peer gives way to
    /// the stated holder ([`Self::yields_to_stated`]). Ignores other error codes than a taken name,
    /// other names, and objections whose room clock differs by more than [`CLOCK_TOLERANCE_MS`].
    pub(super) fn on_late_objection(&mut self, now: Now, by: PeerId, object: &Object) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(object.clock.0) <= CLOCK_TOLERANCE_MS;
        let is_taken = object.code == ErrorCode::NameTaken.number();
        let is_mine = NameKey::of(&object.username) == *self.name.key();
        if is_alike && is_taken && is_mine && self.yields_to_stated(now.moment, by, object) {
            self.take_new_name(now);
        }
    }

    /// Takes the first name of the form `username-number` that no member holds, with the configured
    /// username and numbers from 2 on. The name counts as held from now on. Makes a heartbeat due
    /// at once, and tells the user.
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

/// Returns true if a peer has come early enough. If it has stated a profile, its `since` must be at
/// most `latest`. Otherwise this peer must have met it by `met`. False in other stages than member
/// and listed.
fn has_come_by(it: &Contact, met: Moment, latest: RoomClock) -> bool {
    matches!(it.stage, Stage::Member | Stage::Listed)
        && it.profile.as_ref().map_or(it.met_at <= met, |it| it.since <= latest)
}

/// Returns `name` with `-number` appended. Shortens `name` at its end, so that the result keeps the
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

    /// A numbered name is a valid username, even if the old name has the maximum length.
    #[test]
    fn numbered_names_are_valid() {
        assert_eq!(with_number("anna", 2), "anna-2");
        for long in ["a".repeat(32), "é".repeat(32), "日".repeat(21)] {
            let name = with_number(&long, 4_294_967_295);
            assert!(Username::new(&name).is_ok(), "{name}");
        }
    }
}
