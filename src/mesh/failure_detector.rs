//! Failure detector: a periodic sweep over all contacts. It pings silent peers, and drops peers
//! that no peer has heard. Section 11.

use std::time::Duration;

use super::contact::{Contact, Stage};
use super::timers::{
    GONE_RETENTION, HEARD_TIMEOUT, MIN_SWEEP_INTERVAL, address_patience, gone_after,
    heartbeat_interval, path_report_delay,
};
use super::verification::preferred_path;
use super::{Mesh, Now};
use crate::model::{Moment, PeerId};

/// Action that the sweep takes for a contact.
#[derive(Debug, PartialEq, Eq)]
enum ContactAction {
    /// Nothing is due before this time.
    Wait(Moment),
    /// End the contact's stage: mark a member as gone, or forget any other contact.
    Remove,
    /// Ping the contact: to learn whether it is alive, to verify an address, or to tell it by which
    /// paths it is heard.
    Ping,
    /// Ping the contact only because it is heard from an address of the other family, IPv4 or IPv6.
    /// At most one contact in each I(n): if this peer loses a path, all seem to have moved.
    PingOtherFamily,
    /// Send a `where` to the peer that has listed the contact, to ask for the contact's address.
    AskAddress,
}

impl Mesh {
    /// Schedules a sweep as soon as the minimum interval allows. Call it if a contact has changed.
    pub(super) fn schedule_sweep(&mut self, now: Moment) {
        self.schedule_sweep_at(now);
    }

    /// Schedules a sweep at `at`, but not before the minimum interval since the last sweep has
    /// passed. The minimum interval is 2 ms for each member, at least [`MIN_SWEEP_INTERVAL`]. If an
    /// earlier sweep is scheduled already, changes nothing.
    pub(super) fn schedule_sweep_at(&mut self, at: Moment) {
        // A sweep takes longer with more members, so it runs less often.
        let pause =
            Duration::from_millis(2) * u32::try_from(self.member_count()).unwrap_or(u32::MAX);
        let at = at.max(self.last_sweep + MIN_SWEEP_INTERVAL.max(pause));
        self.sweep_at = Some(self.sweep_at.map_or(at, |due| due.min(at)));
    }

    /// Runs the sweep if it is due: takes the due action for each contact, except pings for which
    /// it is not this peer's turn. Also sends the introductions that are due
    /// ([`Self::introduce_to`]), and has the indirect peers updated. After any action, schedules
    /// the next sweep as soon as the minimum interval allows. Otherwise schedules it for the
    /// earliest time at which an action is due.
    pub(super) fn sweep_contacts(&mut self, now: Now) {
        if self.sweep_at.is_none_or(|it| it > now.moment) {
            return;
        }
        self.last_sweep = now.moment;
        self.sweep_at = None;
        let mut actions = Vec::new();
        let mut next: Option<Moment> = None;
        let context =
            SweepContext::new(self.member_count(), now.moment, self.is_member(), self.me.id);
        let mut other_family_ping_at = self.other_family_ping_at;
        let mut introductions = Vec::new();
        for (id, contact) in self.contacts.iter() {
            match contact.introduce_at {
                Some(at) if at <= now.moment => introductions.push(id),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
            match context.action(contact) {
                ContactAction::Ping if !self.is_turn_to_ping(now.moment, id, contact) => {
                    let end = contact.last_heard.unwrap_or(contact.known_at) + HEARD_TIMEOUT;
                    next = Some(next.map_or(end, |next| next.min(end)));
                }
                ContactAction::PingOtherFamily if other_family_ping_at > now.moment => {
                    let at = other_family_ping_at;
                    next = Some(next.map_or(at, |next| next.min(at)));
                }
                ContactAction::PingOtherFamily => {
                    other_family_ping_at = now.moment + context.interval;
                    actions.push((id, ContactAction::Ping));
                }
                ContactAction::Wait(at) => next = Some(next.map_or(at, |next| next.min(at))),
                action => actions.push((id, action)),
            }
        }
        self.other_family_ping_at = other_family_ping_at;
        for (id, action) in actions {
            match action {
                ContactAction::Remove => self.expire(now, id),
                ContactAction::Ping => self.ping(now, id),
                ContactAction::AskAddress => self.send_where(now, id),
                ContactAction::PingOtherFamily | ContactAction::Wait(_) => {}
            }
            self.schedule_sweep_at(now.moment + MIN_SWEEP_INTERVAL);
        }
        for id in introductions {
            self.introduce_to(now, id);
        }
        self.indirect.invalidate();
        if let Some(at) = next {
            self.schedule_sweep_at(at);
        }
    }

    /// Returns true if it is this peer's turn to ping a contact. Turns apply only to a contact in
    /// stage heard that was heard by a path, never was a member, and needs no verified address; for
    /// others returns true.
    ///
    /// One datagram of that contact causes pings of only two members, the nearest to its id. The
    /// number doubles with each 0.9 × I(n) between `known_at` and the last packet, because the
    /// nearest members may not hear the contact.
    fn is_turn_to_ping(&self, now: Moment, id: PeerId, contact: &Contact) -> bool {
        let is_excepted = contact.was_member || contact.needs_verified_address;
        if contact.stage != Stage::Heard || is_excepted || !contact.is_heard_by_path() {
            return true;
        }
        let heard_for = contact.last_heard.unwrap_or(now).since(contact.known_at);
        let interval = heartbeat_interval(self.member_count()) * 9 / 10;
        let rounds = heard_for.as_millis() / interval.as_millis().max(1);
        let count = 2_usize << u32::try_from(rounds).unwrap_or(u32::MAX).min(16);
        self.is_among_nearest(count, id.0)
    }

    /// Ends the stage of a contact whose time is over: marks a member as gone
    /// ([`Self::mark_gone`]), forgets any other contact. A contact in stage heard that has stated
    /// no name, but that others still list, goes back to stage listed instead.
    fn expire(&mut self, now: Now, id: PeerId) {
        let gone = gone_after(self.member_count());
        let is_listed = |it: &Contact| it.is_verified && it.last_vouched + gone > now.moment;
        let is_indirect = |it: &Contact| it.profile.is_none() && is_listed(it);
        if let Some(contact) = self.contacts.get_mut(id)
            && contact.stage == Stage::Heard
            && is_indirect(contact)
        {
            // It is not heard any more, but others list it as before.
            contact.where_at = Some(now.moment);
            self.contacts.set_stage(id, Stage::Listed);
            return;
        }
        match self.contacts.get(id).map(|it| it.stage) {
            Some(Stage::Member) => self.mark_gone(now.moment, id),
            Some(_) => {
                self.contacts.remove(id);
                self.send_plan = None;
            }
            None => {}
        }
    }
}

/// Values shared by all decisions of one sweep.
struct SweepContext {
    /// I(n), the heartbeat interval.
    interval: Duration,
    /// G(n), the silence after which a member is gone.
    gone: Duration,
    /// W(n), the silence after which a path counts as not working.
    path_timeout: Duration,
    /// Time without a packet of a peer after which this peer looks for another address of it.
    address_patience: Duration,
    /// Time for which a new member is observed before it is told by which paths it is heard.
    report_delay: Duration,
    /// Time of the sweep.
    now: Moment,
    /// True if this peer is a member. A candidate pings neither contacts in stage heard nor
    /// members.
    is_member: bool,
    /// Id of this peer.
    me: PeerId,
}

impl SweepContext {
    /// Creates the context of a sweep at `now` in a room with `size` members, this peer included.
    fn new(size: usize, now: Moment, is_member: bool, me: PeerId) -> Self {
        let (interval, gone) = (heartbeat_interval(size), gone_after(size));
        let path_timeout = super::timers::path_timeout(size);
        let (report_delay, address_patience) = (path_report_delay(size), address_patience(size));
        Self { interval, gone, path_timeout, address_patience, report_delay, now, is_member, me }
    }

    /// Returns the action for a contact, by its stage. A gone contact is removed after
    /// [`GONE_RETENTION`].
    fn action(&self, contact: &Contact) -> ContactAction {
        match contact.stage {
            Stage::Gone { at } => self.remove_at(at + GONE_RETENTION),
            Stage::Listed => self.action_for_listed(contact),
            Stage::Heard => self.action_for_heard(contact),
            Stage::Member => self.action_for_member(contact),
        }
    }

    /// Returns `Remove` if `at` has come, otherwise `Wait(at)`.
    fn remove_at(&self, at: Moment) -> ContactAction {
        if at <= self.now { ContactAction::Remove } else { ContactAction::Wait(at) }
    }

    /// Returns `Ping` if `at` has come, otherwise `Wait` until the earlier one of `at` and
    /// `latest`.
    fn ping_at(&self, at: Moment, latest: Moment) -> ContactAction {
        if at <= self.now { ContactAction::Ping } else { ContactAction::Wait(at.min(latest)) }
    }

    /// Returns the action for a contact in stage listed. If no peer has vouched for it for G(n), it
    /// is removed. Otherwise it is pinged if it may be; if not, a `where` is sent. Ping and `where`
    /// wait for their scheduled times.
    fn action_for_listed(&self, contact: &Contact) -> ContactAction {
        let end = contact.last_vouched + self.gone;
        if end <= self.now {
            return ContactAction::Remove;
        }
        if contact.is_pingable() {
            return self.ping_at(contact.ping_at.unwrap_or(self.now), end);
        }
        match contact.where_at {
            Some(at) if at <= self.now => ContactAction::AskAddress,
            Some(at) => ContactAction::Wait(at.min(end)),
            None => ContactAction::Wait(end),
        }
    }

    /// Returns the action for a contact in stage heard. After a silence of [`HEARD_TIMEOUT`] it is
    /// removed. A member pings it once after each of its packets, perhaps after a delay, if it is
    /// unverified, and has stated a name or needs a verified address.
    ///
    /// A contact that only pages have verified has no verified address. A member pings it, too,
    /// once after each of its packets, if it needs a verified address. If it was never heard by a
    /// path, and others list it, a member pings it like a listed one that was not heard: both may
    /// wait for the other one.
    fn action_for_heard(&self, contact: &Contact) -> ContactAction {
        let end = contact.last_heard.unwrap_or(contact.known_at) + HEARD_TIMEOUT;
        if end <= self.now {
            return ContactAction::Remove;
        }
        let is_remote = !contact.is_heard_by_path();
        if contact.is_verified {
            // It has asked for something that goes to a verified address only. Or others list it:
            // where no path works, it learns of this peer only at a verified address.
            let has_asked = contact.needs_verified_address && !contact.is_pinged;
            let is_listed = contact.last_vouched + self.gone > self.now;
            let is_wanted = has_asked || is_remote && is_listed;
            return if is_wanted && contact.verified_address().is_none() && self.is_member {
                self.ping_at(contact.ping_at.unwrap_or(self.now), end)
            } else {
                ContactAction::Wait(end)
            };
        }
        // A candidate that has stated no name yet is verified after it has joined.
        let is_wanted = contact.profile.is_some() || contact.needs_verified_address;
        // One ping each time that it is heard: it may be a recording, sent from a victim's address.
        if !is_wanted || !self.is_member || contact.is_pinged {
            return ContactAction::Wait(end);
        }
        // Delayed, because another peer may list it meanwhile. But a contact that came by unicast
        // only may be heard by no other peer.
        let is_alone = is_remote && contact.profile.is_some();
        let delay = if is_alone { Duration::ZERO } else { self.first_ping_delay(contact) };
        let at = contact.ping_at.unwrap_or(contact.known_at + delay);
        self.ping_at(at, end)
    }

    /// Returns the delay of the first ping to a contact in stage heard: below I(n), computed from
    /// the last bytes of both ids. The delay differs among peers, so that the first pings make
    /// further pings needless.
    fn first_ping_delay(&self, contact: &Contact) -> Duration {
        let last = |it: PeerId| it.0.last().copied().unwrap_or_default();
        let byte = contact.signer.map_or(0, |it| last(it.id) ^ last(self.me));
        self.interval * u32::from(byte) / 256
    }

    /// Returns the action for a member, the first that applies:
    /// - Removal, if no peer has vouched for the member for G(n).
    /// - A `where`, if this peer is a member, and the contact is silent and a `where` is due.
    /// - A ping, if the contact is silent, was not told the right path, has moved, or needs a
    ///   verified address; [`ContactAction::PingOtherFamily`] if the only reason is that it has
    ///   moved to the other family. No ping while this peer is a candidate, or if no address of the
    ///   contact may be pinged.
    /// - Otherwise, waiting.
    fn action_for_member(&self, contact: &Contact) -> ContactAction {
        let gone = contact.last_vouched + self.gone;
        if gone <= self.now {
            return ContactAction::Remove;
        }
        let is_silent = contact.is_silent(self.now, self.address_patience);
        let where_at = contact.where_at.filter(|_| self.is_member && is_silent).unwrap_or(gone);
        if where_at <= self.now {
            return ContactAction::AskAddress;
        }
        let gone = gone.min(where_at);
        if !self.is_member || !contact.is_pingable() {
            return ContactAction::Wait(gone);
        }
        // Allow more time if other peers hear it.
        let heard = contact.last_heard.unwrap_or(contact.known_at);
        let silent = (contact.last_vouched + self.gone / 2)
            .min(heard + self.gone)
            .max(heard + self.gone / 2);
        let is_known_enough = self.now.since(contact.known_at) >= self.report_delay;
        let wanted_path = preferred_path(contact.recent_paths(self.now, self.path_timeout));
        let is_told = contact.told_path == wanted_path && !contact.is_told_uncertain;
        let is_told = is_told || !is_known_enough || contact.last_heard.is_none();
        let is_needed = silent <= self.now || !is_told || contact.needs_verified_address;
        if is_needed || contact.has_moved(self.address_patience) {
            let is_other = !is_needed && contact.has_changed_family(self.address_patience);
            return match self.ping_at(contact.ping_at.unwrap_or(self.now), gone) {
                ContactAction::Ping if is_other => ContactAction::PingOtherFamily,
                action => action,
            };
        }
        let observed_at = if is_known_enough { gone } else { contact.known_at + self.report_delay };
        let lapses = contact
            .told_path_expires(self.path_timeout)
            .unwrap_or(gone)
            .max(self.now + MIN_SWEEP_INTERVAL);
        ContactAction::Wait(gone.min(silent).min(observed_at).min(lapses))
    }
}
