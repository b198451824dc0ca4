//! Name conflicts: two members with one name, after a split and merge. Section 13.

use std::time::Duration;

use super::contacts::Seniority;
use super::{Mesh, Now};
use crate::model::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS};
use crate::model::{ErrorCode, Event, NameKey, PeerId, RoomClock, Username};
use crate::wire::udp::{Nonce, Object};

/// Largest difference of two room clocks, in milliseconds, at which seniorities count as
/// comparable.
const CLOCK_TOLERANCE_MS: u64 = 1_000;

/// Tolerance for the time at which a peer was vouched for: *ago* in pages is rounded, and packets
/// take time to travel.
const VOUCH_ROUNDING: Duration = Duration::from_secs(1);

impl Mesh {
    /// Resolves a conflict about the name that a verified member has just stated: takes a new name
    /// if it is this peer's name and that member is more senior. Sends it an `object` if this peer,
    /// or (if this peer votes) another holder, is more senior. Marks the member's former
    /// incarnation as gone first.
    ///
    /// Does nothing if the room clocks differ by more than [`CLOCK_TOLERANCE_MS`].
    pub(super) fn resolve_name_conflict(&mut self, now: Now, id: PeerId, clock: RoomClock) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(clock.0) <= CLOCK_TOLERANCE_MS;
        let Some(contact) = self.contacts.member(id).filter(|_| is_alike) else { return };
        let Some(profile) = &contact.profile else { return };
        let (name, theirs) = (profile.name.clone(), (profile.since, id));
        let key = profile.key.clone();
        let address = contact.address();
        let mine = self.seniority();
        self.retire_former_incarnation(now, id, &key);
        if *self.name.key() == key && theirs < mine {
            self.take_new_name(now);
            return;
        }
        let oldest: Option<Seniority> = if *self.name.key() == key {
            Some(mine)
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

    /// Handles an objection to the name of this member: takes a new name if the stated holder is
    /// verified and more senior. Ignores other error codes, other names, and objections whose room
    /// clock differs by more than [`CLOCK_TOLERANCE_MS`].
    pub(super) fn on_late_objection(&mut self, now: Now, object: &Object) {
        let is_alike = self.room_clock(now.moment).0.abs_diff(object.clock.0) <= CLOCK_TOLERANCE_MS;
        let is_taken = object.code == ErrorCode::NameTaken.number();
        let is_mine = NameKey::of(&object.username) == *self.name.key();
        let holder = (object.since, object.holder);
        let is_there = self.contacts.get(object.holder).is_some_and(|it| it.is_verified);
        if is_alike && is_taken && is_mine && is_there && holder < self.seniority() {
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
        self.heartbeats.schedule_now(now.moment);
        let (from, to) = (before.as_str().to_owned(), self.name.as_str().to_owned());
        self.emit(Event::Renamed { from, to });
    }
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
