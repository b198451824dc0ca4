//! Failure detection: silent and gone peers. Section 11.

use std::time::Duration;

use super::contact::{Contact, Stage};
use super::timers::{
    GONE_RETENTION, HEARD_TIMEOUT, MIN_SWEEP_INTERVAL, gone_after, heartbeat_interval,
    path_report_delay,
};
use super::verification::preferred_path;
use super::{Mesh, Now};
use crate::model::{Moment, PeerId};

/// What is to be done about a contact.
#[derive(Debug, PartialEq, Eq)]
enum ContactAction {
    /// Nothing before this.
    Wait(Moment),
    /// It is gone, or was never there.
    Remove,
    /// Ask it whether it is there, or tell it how one hears it.
    Ping,
    /// Ask the one who named it for its address.
    AskAddress,
}

impl Mesh {
    /// Looks at all contacts soon; something about one has changed.
    pub(super) fn schedule_sweep(&mut self, now: Moment) {
        self.schedule_sweep_at(now);
    }

    /// Looks at all contacts then, but not too often.
    pub(super) fn schedule_sweep_at(&mut self, at: Moment) {
        // The more there are the longer it takes, and the less it hurries.
        let pause =
            Duration::from_millis(2) * u32::try_from(self.member_count()).unwrap_or(u32::MAX);
        let at = at.max(self.last_sweep + MIN_SWEEP_INTERVAL.max(pause));
        self.sweep_at = Some(self.sweep_at.map_or(at, |due| due.min(at)));
    }

    /// Does what is due about each contact.
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
        for (id, contact) in self.contacts.iter() {
            match context.action(contact) {
                ContactAction::Wait(at) => next = Some(next.map_or(at, |next| next.min(at))),
                action => actions.push((id, action)),
            }
        }
        for (id, action) in actions {
            match action {
                ContactAction::Remove => self.expire(now, id),
                ContactAction::Ping => self.ping(now, id),
                ContactAction::AskAddress => self.send_where(now, id),
                ContactAction::Wait(_) => {}
            }
            self.schedule_sweep_at(now.moment + MIN_SWEEP_INTERVAL);
        }
        if let Some(at) = next {
            self.schedule_sweep_at(at);
        }
    }

    /// Somebody was silent for too long.
    fn expire(&mut self, now: Now, id: PeerId) {
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

/// What all actions depend on.
struct SweepContext {
    /// I(n).
    interval: Duration,
    /// G(n).
    gone: Duration,
    /// W(n).
    lately: Duration,
    /// How long somebody has to be known before it is told how it is heard.
    look: Duration,
    /// Now.
    now: Moment,
    /// Candidates do nothing about others.
    is_member: bool,
    /// Oneself.
    me: PeerId,
}

impl SweepContext {
    /// For a room of so many.
    fn new(size: usize, now: Moment, is_member: bool, me: PeerId) -> Self {
        let (interval, gone) = (heartbeat_interval(size), gone_after(size));
        let lately = super::timers::path_timeout(size);
        let look = path_report_delay(size);
        Self { interval, gone, lately, look, now, is_member, me }
    }

    /// What is to be done about somebody now.
    fn action(&self, contact: &Contact) -> ContactAction {
        match contact.stage {
            Stage::Gone { at } => self.remove_at(at + GONE_RETENTION),
            Stage::Listed => self.action_for_listed(contact),
            Stage::PathSet => self.action_for_heard(contact),
            Stage::Member => self.action_for_member(contact),
        }
    }

    /// Removes somebody when the time has come.
    fn remove_at(&self, at: Moment) -> ContactAction {
        if at <= self.now { ContactAction::Remove } else { ContactAction::Wait(at) }
    }

    /// Pings somebody when the time has come, but no later than `latest`
    /// something else is to be done.
    fn ping_at(&self, at: Moment, latest: Moment) -> ContactAction {
        if at <= self.now { ContactAction::Ping } else { ContactAction::Wait(at.min(latest)) }
    }

    /// Somebody whom a page has named.
    fn action_for_listed(&self, contact: &Contact) -> ContactAction {
        let end = contact.last_vouched + self.gone;
        if end <= self.now {
            return ContactAction::Remove;
        }
        if contact.has_address() {
            return self.ping_at(contact.ping_at.unwrap_or(self.now), end);
        }
        match contact.where_at {
            Some(at) if at <= self.now => ContactAction::AskAddress,
            Some(at) => ContactAction::Wait(at.min(end)),
            None => ContactAction::Wait(end),
        }
    }

    /// Somebody who is heard and not a member.
    fn action_for_heard(&self, contact: &Contact) -> ContactAction {
        let end = contact.last_heard.unwrap_or(contact.known_at) + HEARD_TIMEOUT;
        if end <= self.now {
            return ContactAction::Remove;
        }
        // A candidate that has said no name yet is verified when it is in.
        if contact.is_verified || contact.profile.is_none() && !contact.needs_verified_address {
            return ContactAction::Wait(end);
        }
        if !self.is_member {
            return ContactAction::Wait(end);
        }
        // One ping for each time that it is heard: it may be a recording, from
        // an address of somebody who has nothing to do with it.
        if contact.is_pinged {
            return ContactAction::Wait(end);
        }
        // Not all at once; somebody may name it meanwhile.
        let at = contact.ping_at.unwrap_or_else(|| contact.known_at + self.share(contact));
        self.ping_at(at, end)
    }

    /// A delay of up to I(n), another for each contact and each peer that
    /// looks at it, so that the first ones to ping it spare the others that.
    fn share(&self, contact: &Contact) -> Duration {
        let last = |it: PeerId| it.0.last().copied().unwrap_or_default();
        let byte = contact.signer.map_or(0, |it| last(it.id) ^ last(self.me));
        self.interval * u32::from(byte) / 256
    }

    /// Somebody in the room.
    fn action_for_member(&self, contact: &Contact) -> ContactAction {
        let gone = contact.last_vouched + self.gone;
        if gone <= self.now {
            return ContactAction::Remove;
        }
        if !self.is_member || !contact.has_address() {
            return ContactAction::Wait(gone);
        }
        // If others hear it, there is less of a hurry.
        let heard = contact.last_heard.unwrap_or(contact.known_at);
        let silent = (contact.last_vouched + self.gone / 2)
            .min(heard + self.gone)
            .max(heard + self.gone / 2);
        let is_known_enough = self.now.since(contact.known_at) >= self.look;
        let wish = preferred_path(contact.recent_paths(self.now, self.lately));
        let is_told = contact.told_path == wish && !contact.is_told_uncertain;
        let is_told = is_told || !is_known_enough || contact.last_heard.is_none();
        if silent <= self.now || !is_told || contact.needs_verified_address {
            return self.ping_at(contact.ping_at.unwrap_or(self.now), gone);
        }
        let look = if is_known_enough { gone } else { contact.known_at + self.look };
        let lapses = contact
            .told_path_expires(self.lately)
            .unwrap_or(gone)
            .max(self.now + MIN_SWEEP_INTERVAL);
        ContactAction::Wait(gone.min(silent).min(look).min(lapses))
    }
}
