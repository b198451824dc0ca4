//! Verified, silent, gone; pings and addresses: section 11.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::contacts::{Contact, Stage};
use super::dispatch::PacketMeta;
use super::timers::{
    GONE_RETENTION, HEARD_TIMEOUT, MIN_SWEEP_INTERVAL, PING_RETRY_MAX, PING_RETRY_MIN, gone_after,
    heartbeat_interval, path_report_delay,
};
use super::{Mesh, Now};
use crate::model::limits::MAX_PEERS;
use crate::model::{Moment, NameKey, Path, PathSet, PeerId};
use crate::wire::udp::{Control, PageItem, PeerAddress, Peers, Ping, Pong, Where};

/// Pings to a silent member that are not further apart than the first.
const QUICK_PINGS: u32 = 10;

/// A rumour that is no more than this younger than somebody's going is not
/// younger.
const REPORT_SLACK: Duration = Duration::from_secs(1);

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
    /// This machine has slept: what was not heard meanwhile could not be.
    /// Everybody gets some time to be heard.
    pub(super) fn on_resume(&mut self, now: Moment) {
        let since_start = now.since_start();
        let grace = gone_after(self.member_count()) / 2;
        let heard = Moment::after_start(since_start.saturating_sub(grace));
        for (_, contact) in self.contacts.iter_mut() {
            if contact.is_member() {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
        }
        self.logs.restart_stall_timers(now);
    }

    /// Looks at all contacts soon; something about one has changed.
    pub(super) fn schedule_sweep(&mut self, now: Moment) {
        self.schedule_sweep_at(now);
    }

    /// Looks at all contacts then, but not too often.
    fn schedule_sweep_at(&mut self, at: Moment) {
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

    /// A member is gone.
    pub(super) fn mark_gone(&mut self, now: Moment, id: PeerId) {
        self.contacts.set_stage(id, Stage::Gone { at: now });
        self.send_plan = None;
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.is_verified = false;
        (contact.ping_at, contact.pings) = (None, 0);
        let name = contact.name().to_owned();
        // Who comes back at once under the same name has not left.
        if self.contacts.holders(&NameKey::of(&name)).next().is_none() {
            self.report_presence(Vec::new(), vec![name]);
        }
    }

    /// Somebody says goodbye.
    pub(super) fn on_bye(&mut self, now: Now, id: PeerId) {
        self.forget_voter(id);
        match self.contacts.get(id).map(|it| it.stage) {
            Some(Stage::Member) => self.mark_gone(now.moment, id),
            Some(Stage::Gone { .. }) | None => {}
            Some(_) => self.contacts.set_stage(id, Stage::Gone { at: now.moment }),
        }
    }

    /// Makes a member of somebody who is verified and has said its name.
    pub(super) fn promote(&mut self, now: Moment, id: PeerId) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        let is_ready = contact.is_verified && contact.profile.is_some();
        if !is_ready || !matches!(contact.stage, Stage::PathSet | Stage::Listed) {
            return;
        }
        contact.known_at = now;
        contact.last_vouched = contact.last_vouched.max(contact.last_heard.unwrap_or_default());
        contact.heartbeats = (0, now);
        let name = contact.name().to_owned();
        let is_known = self.contacts.holders(&NameKey::of(&name)).next().is_some();
        self.contacts.set_stage(id, Stage::Member);
        self.send_plan = None;
        if self.is_member() && matches!(self.phase, super::Phase::In) {
            self.logs.ensure_author(id);
        }
        if !is_known {
            self.report_presence(vec![name], Vec::new());
        }
        self.schedule_sweep(now);
    }

    /// A verified member has heard somebody, or knows that it is there.
    pub(super) fn on_vouch(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let id = item.author;
        let ago = Duration::from_millis(500) * u32::from(item.ago);
        let is_heard = item.ago < PageItem::INDIRECT;
        let size = self.member_count();
        let heard = Moment::after_start(now.since_start().saturating_sub(ago));
        if let Some(contact) = self.contacts.get_mut(id).filter(|it| it.is_member()) {
            // Most of those in a page.
            if is_heard {
                contact.last_vouched = contact.last_vouched.max(heard);
            }
            return;
        }
        let Some(contact) = self.contacts.add_listed(now, id, by) else { return };
        if let Stage::Gone { at } = contact.stage {
            // An old rumour does not bring anybody back. (It is rounded down,
            // and was under way.)
            if !is_heard || now.since(at) <= ago + REPORT_SLACK {
                return;
            }
            self.contacts.set_stage(id, Stage::Listed);
        }
        let Some(contact) = self.contacts.get_mut(id) else { return };
        if is_heard {
            contact.last_vouched = contact.last_vouched.max(heard);
        }
        if contact.stage == Stage::Listed {
            contact.listed_by = Some(by);
            // Its next heartbeat comes within 1.1 × I(n).
            let at = now + heartbeat_interval(size) * 3 / 2 + Duration::from_secs(1);
            let at = *contact.where_at.get_or_insert(at);
            self.schedule_sweep_at(at);
        }
        if let Some(contact) = self.contacts.get_mut(id)
            && !contact.is_verified
        {
            contact.is_verified = true;
            self.send_plan = None;
            self.promote(now, id);
        }
    }

    /// Sends a ping.
    pub(super) fn ping(&mut self, now: Now, id: PeerId) {
        let cookie = |it| self.cookie(now.moment, id, it, 0);
        let Some(address) = self.contacts.get(id).and_then(Contact::address) else { return };
        let ping = Ping { cookie: cookie(address), heard: self.paths_heard_from(now.moment, id) };
        self.send_to(address, Control::Ping(ping));
        let interval = heartbeat_interval(self.member_count());
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.pinged_path = preferred_path(ping.heard);
        contact.is_told_uncertain |= contact.told_path != contact.pinged_path;
        contact.pings += 1;
        contact.is_pinged = true;
        let doublings = match contact.stage {
            Stage::Member => contact.pings.saturating_sub(QUICK_PINGS),
            _ => contact.pings,
        };
        // In a large room many may fall silent at once, for many.
        let first = PING_RETRY_MIN.max(interval / 2);
        let wait = (first * 2_u32.saturating_pow(doublings.min(5))).min(PING_RETRY_MAX);
        contact.ping_at = Some(now.moment + wait);
    }

    /// Asks the one who has named somebody for its address.
    fn send_where(&mut self, now: Now, id: PeerId) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.where_at = Some(now.moment + PING_RETRY_MAX / 10);
        let lister = contact.listed_by;
        let lister = lister.filter(|it| self.contacts.member(*it).is_some());
        let address = lister.and_then(|it| self.verified_address(now, it));
        // Many can be listed: not to an address that may be another's.
        if let Some(address) = address {
            self.send_to(address, Control::Where(Where { peers: vec![id] }));
        }
    }

    /// Somebody asks for addresses.
    pub(super) fn on_where(&mut self, asker: PeerId, asked: &Where) {
        let address = |id: &PeerId| {
            let address = self.contacts.member(*id)?.shareable_address()?;
            let octets = match address.ip() {
                IpAddr::V4(it) => it.to_ipv6_mapped().octets(),
                IpAddr::V6(it) => it.octets(),
            };
            Some(PeerAddress { peer: *id, address: octets, port: address.port() })
        };
        let peers: Vec<_> = asked.peers.iter().take(MAX_PEERS).filter_map(address).collect();
        let to = self.contacts.get(asker).and_then(Contact::verified_address);
        match to {
            Some(to) if !peers.is_empty() => {
                self.send_to(to, Control::Peers(Peers { peers }));
            }
            Some(_) => {}
            None => self.require_verified_address(asker),
        }
    }

    /// Somebody tells addresses.
    pub(super) fn on_peers(&mut self, now: Now, by: PeerId, told: &Peers) {
        for it in told.peers.iter().take(MAX_PEERS) {
            let contact = self.contacts.get_mut(it.peer);
            // Only what was asked for, from the one who was asked.
            let Some(contact) = contact.filter(|it| it.listed_by == Some(by)) else { continue };
            let ip = Ipv6Addr::from(it.address);
            let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
            let is_one = !ip.is_unspecified()
                && !ip.is_multicast()
                && ip != IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
            if it.port != 0 && is_one {
                contact.suggest_address(SocketAddr::new(ip, it.port));
                contact.ping_at.get_or_insert(now.moment);
            }
        }
        self.schedule_sweep(now.moment);
    }

    /// Somebody asks whether one is there.
    pub(super) fn on_ping(&mut self, now: Now, meta: PacketMeta, ping: Ping) {
        let id = meta.sender.id;
        self.note_hears(now.moment, id, ping.heard, meta.counter);
        let heard = self.paths_heard_from(now.moment, id);
        self.send_to(meta.from, Control::Pong(Pong { cookie: ping.cookie, heard }));
        // Whether that arrives nobody knows: only an answer to one's own
        // ping proves that somebody was told.
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.is_told_uncertain |= contact.told_path != preferred_path(heard);
        }
    }

    /// A cookie comes back.
    pub(super) fn on_pong(&mut self, now: Now, meta: PacketMeta, pong: Pong) {
        let id = meta.sender.id;
        let is_from = |address: &SocketAddr| {
            let mine = |minutes| self.cookie(now.moment, id, *address, minutes);
            [mine(0), mine(1)].contains(&pong.cookie)
        };
        // It may answer from another of its addresses.
        let known = self.contacts.get(id).into_iter().flat_map(Contact::addresses);
        let Some(address) = [meta.from].into_iter().chain(known).find(is_from) else {
            self.drops.unexpected += 1;
            return;
        };
        self.send_plan = None;
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.verify_address(address);
            (contact.ping_at, contact.pings) = (None, 0);
            (contact.told_path, contact.is_told_uncertain) = (contact.pinged_path, false);
        }
        self.note_hears(now.moment, id, pong.heard, meta.counter);
        self.promote(now.moment, id);
    }

    /// Somebody says how it hears this peer; what it said later counts, in
    /// whatever order that comes. It may need copies of its own, for which
    /// its address has to be verified.
    fn note_hears(&mut self, now: Moment, id: PeerId, heard: PathSet, counter: u64) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        if counter <= contact.hears_counter {
            return;
        }
        contact.hears_counter = counter;
        if contact.hears.replace(heard) == Some(heard) {
            return;
        }
        self.send_plan = None;
        if contact.is_member() && contact.verified_address().is_none() {
            contact.needs_verified_address = true;
            self.schedule_sweep(now);
        }
    }

    /// How this peer says that it hears somebody. Of those whom it has not
    /// known for long it says what is believed anyhow.
    pub(super) fn paths_heard_from(&self, now: Moment, id: PeerId) -> PathSet {
        let lately = super::timers::path_timeout(self.member_count());
        let look = path_report_delay(self.member_count());
        let known = self.contacts.get(id).filter(|it| now.since(it.known_at) >= look);
        known.map_or(PathSet::NONE.with(Path::GroupV4), |it| it.recent_paths(now, lately))
    }

    /// Where to send what is larger than what was asked. `None`, and a ping
    /// is sent, where no address of it is verified.
    pub(super) fn verified_address(&mut self, now: Now, id: PeerId) -> Option<SocketAddr> {
        let address = self.contacts.get(id).and_then(Contact::verified_address);
        if address.is_none() {
            self.require_verified_address(id);
            self.schedule_sweep(now.moment);
        }
        address
    }

    /// Somebody's address is to be verified.
    fn require_verified_address(&mut self, id: PeerId) {
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.needs_verified_address = true;
        }
    }
}

/// The way that one would like somebody to use.
fn preferred_path(heard: PathSet) -> Option<Path> {
    Path::ALL.into_iter().find(|it| heard.has(*it))
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
