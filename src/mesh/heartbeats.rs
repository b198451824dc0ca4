//! Telling what exists, and learning it: section 10.

use std::collections::BTreeSet;

use super::contacts::{Contact, Stage, Stated};
use super::timers::{ALL_WAYS_EACH, KNOCK, TAIL, interval};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::MAX_PAGE;
use crate::model::{Event, Moment, NameKey, PathSet, PeerId, RoomClock, Timestamp};
use crate::wire::udp::{Control, Heartbeat, PageItem};

/// Places of a page that are kept for members.
const MEMBERS_IN_PAGE: usize = 45;
/// Room clocks stop here.
pub(super) const CLOCK_END: RoomClock = RoomClock(1 << 47);
/// A jump of the room clock by more than this moves one's own coming in.
const CLOCK_JUMP: u64 = 1_000;
/// Addresses knocked at while one is alone.
const KNOCKS: usize = 16;
/// Heartbeats that are looked at to estimate loss.
const LOSS_SAMPLE: u32 = 32;

/// One's own heartbeats.
#[derive(Debug)]
pub(super) struct Heartbeats {
    /// The next regular one; `None` before one is in.
    at: Option<Moment>,
    /// One more, because something was said.
    tail_at: Option<Moment>,
    /// How many were sent.
    sent: u32,
    /// The last member in a page.
    member: PeerId,
    /// The last other author in a page.
    author: PeerId,
    /// When one last knocked at old addresses.
    knocked: Moment,
}

impl Heartbeats {
    /// None yet.
    pub(super) fn new(now: Moment) -> Self {
        let (member, author) = (PeerId::default(), PeerId::default());
        Self { at: None, tail_at: None, sent: 0, member, author, knocked: now }
    }

    /// One is in: the first goes out now.
    pub(super) fn begin(&mut self, now: Moment) {
        self.at = Some(now);
    }

    /// Something was said.
    pub(super) fn tell_soon(&mut self, now: Moment) {
        self.tail_at = Some(now + TAIL);
    }

    /// The next one goes out now, by all ways.
    pub(super) fn tell_now(&mut self, now: Moment) {
        self.sent = 0;
        self.at = Some(now);
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Moment> {
        [self.at, self.tail_at].into_iter().flatten().min()
    }
}

impl Mesh {
    /// Sends a heartbeat if it is time.
    pub(super) fn beat(&mut self, now: Now) {
        let is_regular = self.heartbeats.at.is_some_and(|it| it <= now.moment);
        let is_tail = self.heartbeats.tail_at.is_some_and(|it| it <= now.moment);
        if !self.is_member() || !is_regular && !is_tail {
            return;
        }
        self.heartbeats.tail_at = None;
        let heartbeat = self.heartbeat(now);
        let packet = Outgoing::Control(Control::Heartbeat(heartbeat));
        if !is_regular {
            self.send_to_all(packet);
            return;
        }
        let is_alone = self.contacts.members() == 0;
        if is_alone || self.heartbeats.sent.is_multiple_of(ALL_WAYS_EACH) {
            let mut addresses = self.hosts_without_members();
            if is_alone && now.moment.since(self.heartbeats.knocked) >= KNOCK {
                self.heartbeats.knocked = now.moment;
                addresses.extend(self.last_known());
            }
            self.send_by_all_ways(addresses, packet);
        } else {
            self.send_to_all(packet);
        }
        self.heartbeats.sent = self.heartbeats.sent.wrapping_add(1);
        let period = u64::try_from(interval(self.size()).as_millis()).unwrap_or(u64::MAX);
        let period = self.delay((period * 9 / 10, period * 11 / 10));
        self.heartbeats.at = Some(now.moment + period);
    }

    /// Where the members were that have gone last: of addresses that were
    /// verified, or others would be knocked at for somebody's fun.
    fn last_known(&self) -> Vec<std::net::SocketAddr> {
        let gone = |it: &Contact| match it.stage {
            Stage::Gone { at } => Some((at, it.verified_address()?)),
            _ => None,
        };
        let mut old: Vec<_> = self.contacts.iter().filter_map(|(_, it)| gone(it)).collect();
        old.sort_unstable_by(|a, b| b.cmp(a));
        old.into_iter().map(|(_, address)| address).take(KNOCKS).collect()
    }

    /// What a heartbeat says now.
    fn heartbeat(&mut self, now: Now) -> Heartbeat {
        Heartbeat {
            clock: self.room_clock(now.moment),
            since: self.since,
            username: self.name.as_str().to_owned(),
            time: now.time,
            members: u32::try_from(self.size()).unwrap_or(u32::MAX),
            sequence: self.outbox.sequence,
            page: self.page(now.moment),
        }
    }

    /// The next page: members and other authors, each in turns.
    fn page(&mut self, now: Moment) -> Vec<PageItem> {
        let member = |(id, contact): (PeerId, &Contact)| PageItem {
            author: id,
            have: self.logs.get(id).map_or(0, |it| it.have),
            ago: ago(now, contact),
        };
        let from = self.heartbeats.member;
        let absent = self.logs.iter().filter(|(id, log)| self.is_absent(*id) && log.have > 0);
        let others = absent.count().min(MAX_PAGE - MEMBERS_IN_PAGE);
        let room = (MAX_PAGE - others).min(self.contacts.members());
        let later = self.contacts.members_after(from);
        let again =
            self.contacts.members_after(PeerId::default()).take_while(|(id, _)| *id <= from);
        let mut page: Vec<_> = later.chain(again).map(member).take(room).collect();
        let last_member = page.last().map(|it| it.author);
        let absentee = |(id, log): (PeerId, &super::logs::Log)| PageItem {
            author: id,
            have: log.have,
            ago: PageItem::ABSENT,
        };
        let from = self.heartbeats.author;
        let is_listed =
            |(id, log): &(PeerId, &super::logs::Log)| self.is_absent(*id) && log.have > 0;
        let later = self.logs.after(from).filter(is_listed);
        let again = self.logs.iter().take_while(|(id, _)| *id <= from).filter(is_listed);
        let left = MAX_PAGE - page.len();
        page.extend(later.chain(again).map(absentee).take(left));
        let last_author = page.last().map(|it| it.author).filter(|it| Some(*it) != last_member);
        self.heartbeats.member = last_member.unwrap_or_default();
        self.heartbeats.author = last_author.unwrap_or_default();
        page
    }

    /// Neither a member nor oneself.
    fn is_absent(&self, id: PeerId) -> bool {
        id != self.me.id && self.contacts.member(id).is_none()
    }

    /// A heartbeat has come.
    pub(super) fn on_heartbeat(&mut self, now: Now, id: PeerId, it: &Heartbeat, is_verified: bool) {
        if let Phase::Announcing(_) = self.phase {
            let address = self.contacts.get(id).and_then(Contact::address);
            if let Some(address) = address {
                self.on_voter(id, address, it.since);
            }
        }
        if is_verified && self.is_member() {
            self.follow_clock(now.moment, it.clock.min(CLOCK_END));
        }
        if let Some(contact) = self.contacts.get_mut(id) {
            if contact.heartbeats.0 >= LOSS_SAMPLE {
                contact.heartbeats = (0, now.moment);
            }
            contact.heartbeats.0 += 1;
        }
        self.note_stated(now, id, &it.username, it.clock, it.since, it.time);
        if !is_verified {
            self.drops.unverified += 1;
            return;
        }
        if !self.is_member() {
            return;
        }
        self.resolve_name(now, id, it.clock);
        if self.logs.learn(now.moment, id, it.sequence, id) {
            self.want_soon(now.moment, id);
        }
        for item in &it.page {
            self.on_page_item(now.moment, id, *item);
        }
    }

    /// A verified member tells of an author.
    fn on_page_item(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let id = item.author;
        if id == self.me.id {
            if let Some(contact) = self.contacts.get_mut(by) {
                contact.has_ours = Some(item.have.max(contact.has_ours.unwrap_or(0)));
            }
            return;
        }
        if !matches!(self.phase, Phase::In) {
            return;
        }
        if item.ago != PageItem::ABSENT {
            self.vouch(now, by, item);
        }
        if self.logs.learn(now, id, item.have, by) {
            self.want_soon(now, id);
        }
    }

    /// Takes over a greater room clock.
    fn follow_clock(&mut self, now: Moment, stated: RoomClock) {
        let own = self.room_clock(now);
        if stated <= own {
            return;
        }
        let jump = stated.0 - own.0;
        self.clock = (stated, now);
        if jump > CLOCK_JUMP {
            self.since = RoomClock(self.since.0 + jump);
        }
    }

    /// Notes what somebody says of itself; it may be a member from now on.
    pub(super) fn note_stated(
        &mut self,
        now: Now,
        id: PeerId,
        name: &str,
        clock: RoomClock,
        since: RoomClock,
        time: Timestamp,
    ) {
        let own = self.room_clock(now.moment);
        let clock = clock.min(CLOCK_END);
        let since = since.min(clock);
        // By my own clock, as long as the two differ.
        let present = clock.since(since);
        let is_apart = own.0.abs_diff(clock.0) > CLOCK_JUMP && self.is_member();
        let since = if is_apart {
            RoomClock(own.0.saturating_sub(u64::try_from(present.as_millis()).unwrap_or(u64::MAX)))
        } else {
            since
        };
        let stated = Stated { name: name.to_owned(), key: NameKey::of(name), since };
        if let Some(contact) = self.contacts.get_mut(id).filter(|it| it.stated.is_none()) {
            // Not since it has announced itself: those who have agreed will
            // soon say that they know it.
            contact.known_at = now.moment;
        }
        let former = self.contacts.state(id, stated);
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.note_skew(Self::skew(now, time));
        }
        if let Some(former) = former {
            let name = self.contacts.get(id).map_or("", Contact::name).to_owned();
            self.tell_presence(vec![name], vec![former]);
        }
        self.promote(now.moment, id);
    }

    /// Tells who has come and gone, once one is in.
    pub(super) fn tell_presence(&mut self, joined: Vec<String>, left: Vec<String>) {
        if !matches!(self.phase, Phase::In) {
            return;
        }
        self.show(Event::Presence {
            room: self.settings.room.as_str().to_owned(),
            members: u32::try_from(self.size()).unwrap_or(u32::MAX),
            joined: Some(joined),
            left: Some(left),
        });
    }

    /// The share of somebody's heartbeats that did not arrive, in thousandths.
    pub(super) fn loss(&self, now: Moment, contact: &Contact) -> u16 {
        let (came, since) = contact.heartbeats;
        let period = interval(self.size()).as_millis().max(1);
        let due = now.since(since).as_millis() / period;
        let missing = due.saturating_sub(came.into());
        u16::try_from((missing * 1_000).checked_div(due).unwrap_or(0)).unwrap_or(1_000)
    }

    /// The named hosts at which no member is known.
    fn hosts_without_members(&self) -> Vec<std::net::SocketAddr> {
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let known: BTreeSet<_> =
            members.filter_map(|(_, it)| it.address()).map(|it| it.ip()).collect();
        self.hosts.iter().copied().filter(|host| !known.contains(&host.ip())).collect()
    }

    /// Sends by every way, and to whom no way reaches.
    fn send_by_all_ways(&mut self, mut addresses: Vec<std::net::SocketAddr>, packet: Outgoing) {
        addresses.extend(self.plan().addresses.iter().copied());
        self.send(PathSet::ALL, addresses, packet);
    }
}

/// How long ago somebody was heard directly, as pages say it.
fn ago(now: Moment, contact: &Contact) -> u8 {
    let Some(heard) = contact.heard else { return PageItem::INDIRECT };
    let half_seconds = now.since(heard).as_millis() / 500;
    u8::try_from(half_seconds).unwrap_or(u8::MAX).min(PageItem::INDIRECT)
}
