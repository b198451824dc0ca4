//! Heartbeats: sending them with their pages, and learning from those of others. Sections 10 and 13.

use std::collections::BTreeSet;

use super::contact::{Contact, Profile, Stage};
use super::room_clock::{CLOCK_END, CLOCK_JUMP_MS};
use super::timers::{
    ALL_PATHS_EVERY, FOLLOW_UP_DELAY, INTRODUCTION_INTERVAL, MAX_INTRODUCTIONS,
    REDISCOVERY_INTERVAL, SKEW_HOLIDAY, heartbeat_interval,
};
use super::{Mesh, Now, Outgoing, Phase};
use crate::model::limits::MAX_PAGE;
use crate::model::{Event, Moment, NameKey, PathSet, PeerId, RoomClock, Timestamp, Username};
use crate::wire::udp::{Control, Heartbeat, PageItem};

/// Number of places reserved for members in a page of [`MAX_PAGE`] places. The rest is reserved for
/// absent authors. Members may take free places of absent authors, and vice versa.
pub(super) const MEMBERS_IN_PAGE: usize = 45;
/// Maximum number of gone peers to which a lone peer sends a heartbeat at one time, each at one
/// address.
const MAX_REDISCOVERY_ADDRESSES: usize = 16;
/// Number of heartbeats received from a peer after which the loss estimate of the peer restarts.
const LOSS_WINDOW: u32 = 32;

/// Schedule of this peer's heartbeats, and the position of the next page.
#[derive(Debug)]
pub(super) struct Heartbeats {
    /// Time of the next regular heartbeat; `None` before this peer has joined.
    next_at: Option<Moment>,
    /// Time of the follow-up heartbeat after an own message; `None` if none is scheduled.
    follow_up_at: Option<Moment>,
    /// Number of regular heartbeats sent since the start or the last [`Heartbeats::schedule_now`].
    /// If it is a multiple of [`ALL_PATHS_EVERY`], the next regular heartbeat goes by all paths.
    sent: u32,
    /// Last member listed in the latest page. The next page continues after it. All zero if the
    /// latest page listed no member.
    last_member: PeerId,
    /// Last absent author listed in the latest page. The next page continues after it. All zero if
    /// the latest page listed no absent author.
    last_author: PeerId,
    /// Time of the last heartbeat to addresses of gone peers; at first the time of creation.
    last_rediscovery: Moment,
    /// Time of the next heartbeat that introduces this peer to named hosts; `None` if none is
    /// scheduled.
    introduce_at: Option<Moment>,
    /// Number of heartbeats that have introduced this peer to named hosts, since it has joined or
    /// the address of a named host was found.
    introductions: u8,
}

impl Heartbeats {
    /// Creates a schedule with no heartbeat due.
    pub(super) fn new(now: Moment) -> Self {
        let (last_member, last_author) = (PeerId::default(), PeerId::default());
        Self {
            next_at: None,
            follow_up_at: None,
            sent: 0,
            last_member,
            last_author,
            last_rediscovery: now,
            introduce_at: None,
            introductions: 0,
        }
    }

    /// Starts the heartbeats; the first one is due at once. Also schedules the introductions to
    /// named hosts. Call it when this peer has joined.
    pub(super) fn begin(&mut self, now: Moment) {
        self.next_at = Some(now);
        self.introduce_at = Some(now + INTRODUCTION_INTERVAL);
    }

    /// Schedules a follow-up heartbeat [`FOLLOW_UP_DELAY`] after an own message. Replaces a
    /// follow-up that is scheduled already.
    pub(super) fn schedule_follow_up(&mut self, now: Moment) {
        self.follow_up_at = Some(now + FOLLOW_UP_DELAY);
    }

    /// Makes the next regular heartbeat due at once; it goes by all paths.
    pub(super) fn schedule_now(&mut self, now: Moment) {
        self.sent = 0;
        self.next_at = Some(now);
    }

    /// Returns the time of the next heartbeat of any kind; `None` if none is scheduled.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        [self.next_at, self.follow_up_at, self.introduce_at].into_iter().flatten().min()
    }
}

impl Mesh {
    /// Sends a heartbeat if this peer is a member and a regular or a follow-up heartbeat is due.
    /// Cancels a scheduled follow-up. After a regular heartbeat, schedules the next one after I(n)
    /// ± 10 %.
    ///
    /// If this peer is alone, and otherwise each [`ALL_PATHS_EVERY`]th time, a regular heartbeat
    /// goes by all paths, and to named hosts without a known member. If this peer is alone, it also
    /// goes to addresses of gone peers every [`REDISCOVERY_INTERVAL`]. All other heartbeats go by
    /// the send plan.
    pub(super) fn send_due_heartbeat(&mut self, now: Now) {
        let is_regular = self.heartbeats.next_at.is_some_and(|it| it <= now.moment);
        let is_follow_up = self.heartbeats.follow_up_at.is_some_and(|it| it <= now.moment);
        if !self.is_member() || !is_regular && !is_follow_up {
            return;
        }
        self.heartbeats.follow_up_at = None;
        let heartbeat = self.build_heartbeat(now);
        let packet = Outgoing::Control(Control::Heartbeat(heartbeat));
        if !is_regular {
            self.send_to_all(packet);
            return;
        }
        let is_alone = self.contacts.member_count() == 0;
        if is_alone || self.heartbeats.sent.is_multiple_of(ALL_PATHS_EVERY) {
            let mut addresses = self.hosts_without_members();
            if is_alone
                && now.moment.since(self.heartbeats.last_rediscovery) >= REDISCOVERY_INTERVAL
            {
                self.heartbeats.last_rediscovery = now.moment;
                addresses.extend(self.rediscovery_addresses());
            }
            self.send_by_all_paths(addresses, packet);
        } else {
            self.send_to_all(packet);
        }
        self.heartbeats.sent = self.heartbeats.sent.wrapping_add(1);
        let period =
            u64::try_from(heartbeat_interval(self.member_count()).as_millis()).unwrap_or(u64::MAX);
        let period = self.random_delay((period * 9 / 10, period * 11 / 10));
        self.heartbeats.next_at = Some(now.moment + period);
    }

    /// Replaces the addresses of the named hosts. If one is new and this peer is a member, the
    /// introductions begin, or begin anew; the first one is due at once. (DNS may work only later.)
    pub(super) fn set_hosts(&mut self, now: Moment, hosts: Vec<std::net::SocketAddr>) {
        let is_found = hosts.iter().any(|it| !self.hosts.contains(it));
        self.hosts = hosts;
        if is_found && self.is_member() {
            self.heartbeats.introductions = 0;
            self.heartbeats.introduce_at = Some(now);
        }
    }

    /// Sends the heartbeat that introduces this peer to the named hosts without a known member, if
    /// it is due. Schedules the next one, up to [`MAX_INTRODUCTIONS`]. Ends the series if there is
    /// no such host. With the regular heartbeats alone, two peers need long to see each other where
    /// many datagrams are lost.
    pub(super) fn introduce_to_hosts(&mut self, now: Now) {
        if self.heartbeats.introduce_at.is_none_or(|it| it > now.moment) {
            return;
        }
        let hosts = self.hosts_without_members();
        if hosts.is_empty() || self.heartbeats.introductions >= MAX_INTRODUCTIONS {
            self.heartbeats.introduce_at = None;
            return;
        }
        self.heartbeats.introductions += 1;
        self.heartbeats.introduce_at = Some(now.moment + INTRODUCTION_INTERVAL);
        let heartbeat = self.build_heartbeat(now);
        self.send(PathSet::NONE, hosts, Outgoing::Control(Control::Heartbeat(heartbeat)));
    }

    /// Returns the verified addresses of gone peers, one for each, the last gone first; at most
    /// [`MAX_REDISCOVERY_ADDRESSES`]. Unverified addresses may belong to victims.
    fn rediscovery_addresses(&self) -> Vec<std::net::SocketAddr> {
        let gone = |it: &Contact| match it.stage {
            Stage::Gone { at } => Some((at, it.verified_address()?)),
            _ => None,
        };
        let mut old: Vec<_> = self.contacts.iter().filter_map(|(_, it)| gone(it)).collect();
        old.sort_unstable_by(|a, b| b.cmp(a));
        old.into_iter().map(|(_, address)| address).take(MAX_REDISCOVERY_ADDRESSES).collect()
    }

    /// Builds a heartbeat with the current state and the next page. The next call continues with
    /// the page after that.
    pub(super) fn build_heartbeat(&mut self, now: Now) -> Heartbeat {
        Heartbeat {
            clock: self.room_clock(now.moment),
            since: self.since,
            username: self.name.as_str().to_owned(),
            time: now.time,
            members: u32::try_from(self.member_count()).unwrap_or(u32::MAX),
            sequence: self.outbox.sequence,
            page: self.next_page(now.moment),
        }
    }

    /// Returns the next page and advances the position. The page lists other members, then absent
    /// authors whose `have` is above 0. Each of the two lists continues round-robin after its last
    /// item in the latest page.
    fn next_page(&mut self, now: Moment) -> Vec<PageItem> {
        let member = |(id, contact): (PeerId, &Contact)| PageItem {
            author: id,
            have: self.logs.get(id).map_or(0, |it| it.have),
            ago: ago(now, contact),
        };
        let from = self.heartbeats.last_member;
        let absent =
            self.logs.iter().filter(|(id, log)| self.is_absent_author(*id) && log.have > 0);
        let others = absent.count().min(MAX_PAGE - MEMBERS_IN_PAGE);
        let room = (MAX_PAGE - others).min(self.contacts.member_count());
        let later = self.contacts.members_after(from);
        let again =
            self.contacts.members_after(PeerId::default()).take_while(|(id, _)| *id <= from);
        let mut page: Vec<_> = later.chain(again).map(member).take(room).collect();
        let last_member = page.last().map(|it| it.author);
        let absentee = |(id, log): (PeerId, &super::log::Log)| PageItem {
            author: id,
            have: log.have,
            ago: PageItem::ABSENT,
        };
        let from = self.heartbeats.last_author;
        let is_listed =
            |(id, log): &(PeerId, &super::log::Log)| self.is_absent_author(*id) && log.have > 0;
        let later = self.logs.iter_after(from).filter(is_listed);
        let again = self.logs.iter().take_while(|(id, _)| *id <= from).filter(is_listed);
        let left = MAX_PAGE - page.len();
        page.extend(later.chain(again).map(absentee).take(left));
        let last_author = page.last().map(|it| it.author).filter(|it| Some(*it) != last_member);
        self.heartbeats.last_member = last_member.unwrap_or_default();
        self.heartbeats.last_author = last_author.unwrap_or_default();
        page
    }

    /// Returns true if an author is absent: neither a member nor this peer.
    fn is_absent_author(&self, id: PeerId) -> bool {
        id != self.me.id && self.contacts.member(id).is_none()
    }

    /// Handles `heartbeat`: counts it for the loss estimate, and updates the sender's profile. A
    /// candidate also notes the sender as a voter. If the sender is verified, the candidate also
    /// notes the members that its page lists.
    ///
    /// If the sender is verified, a member also adopts the room clock, and resolves a name
    /// conflict. Then it begins a belated history fetch if possible; otherwise it handles the
    /// sequence and the page. If the sender is unverified, the heartbeat also counts as dropped.
    pub(super) fn on_heartbeat(&mut self, now: Now, id: PeerId, it: &Heartbeat, is_verified: bool) {
        let present = it.clock.since(it.since);
        if let Phase::Announcing(_) = self.phase {
            let address = self.contacts.get(id).and_then(Contact::address);
            if let Some(address) = address {
                self.note_voter(now.moment, id, address, it.since, present);
            }
        }
        if is_verified && self.is_member() {
            self.advance_room_clock(now.moment, it.clock.min(CLOCK_END));
        }
        if let Some(contact) = self.contacts.get_mut(id) {
            if contact.heartbeats.0 >= LOSS_WINDOW {
                contact.heartbeats = (0, now.moment);
            }
            contact.heartbeats.0 += 1;
        }
        self.update_profile(now, id, &it.username, it.clock, it.since, it.time);
        if let Some(own) = it.page.iter().find(|it| is_verified && it.author == self.me.id) {
            self.note_own_listing(now.moment, id, *own);
        }
        self.hint_if_unheard(now, id);
        if !is_verified {
            self.drops.unverified += 1;
            return;
        }
        if !self.is_member() {
            self.note_vouchers_in_page(now.moment, id, &it.page);
            return;
        }
        self.resolve_name_conflict(now, id, it.clock);
        if self.contacts.member(id).is_some() && self.fetch_belated_history(now, id, present) {
            return;
        }
        if self.logs.note_claim(now.moment, id, it.sequence, id) {
            self.schedule_want(now.moment, id);
        }
        for item in &it.page {
            self.on_page_item(now.moment, id, *item);
        }
    }

    /// Handles a page item of the verified sender `by`. An item about this peer states up to which
    /// sequence the sender has this peer's entries. An item about another peer states when that
    /// peer was heard, and up to which sequence the sender has its entries. Items about other peers
    /// are ignored until the history is complete.
    fn on_page_item(&mut self, now: Moment, by: PeerId, item: PageItem) {
        let id = item.author;
        if id == self.me.id {
            if let Some(contact) = self.contacts.get_mut(by) {
                contact.has_own_up_to = Some(item.have.max(contact.has_own_up_to.unwrap_or(0)));
            }
            return;
        }
        if !matches!(self.phase, Phase::In) {
            return;
        }
        if item.ago != PageItem::ABSENT {
            self.on_vouch(now, by, item);
        }
        if self.logs.note_claim(now, id, item.have, by) {
            self.schedule_want(now, id);
        }
    }

    /// Updates the profile and clock skew of a peer from its `agree` or `heartbeat`. For
    /// [`SKEW_HOLIDAY`] after a suspension, does not measure the skew. An invalid name counts as not
    /// stated: the former one stays, and without one this does nothing. If a member has changed its
    /// name, reports that to the user ([`Self::report_new_name`]). Then calls [`Self::promote`],
    /// which may make the peer a member.
    pub(super) fn update_profile(
        &mut self,
        now: Now,
        id: PeerId,
        name: &str,
        clock: RoomClock,
        since: RoomClock,
        time: Timestamp,
    ) {
        let own = self.room_clock(now.moment);
        let known = self.contacts.get(id).and_then(|it| it.profile.as_ref());
        let (name, key) = match Username::new(name) {
            Ok(it) => (it.as_str().to_owned(), it.key().clone()),
            Err(_) => match known {
                Some(it) => (it.name.clone(), it.key.clone()),
                None => return,
            },
        };
        let clock = clock.min(CLOCK_END);
        let since = since.min(clock);
        // While the two room clocks differ, *since* is converted to this peer's.
        let present = clock.since(since);
        let is_apart = own.0.abs_diff(clock.0) > CLOCK_JUMP_MS && self.is_member();
        let since = if is_apart {
            RoomClock(own.0.saturating_sub(u64::try_from(present.as_millis()).unwrap_or(u64::MAX)))
        } else {
            since
        };
        let profile = Profile { name, key: key.clone(), since };
        if let Some(contact) = self.contacts.get_mut(id).filter(|it| it.profile.is_none()) {
            // The delay of a ping counts from the first stated name, not from the announce: voters
            // that have agreed will soon list the peer in their pages, which saves the ping.
            contact.known_at = now.moment;
            self.note_first_name(now.moment, id);
        }
        let former = self.contacts.set_profile(id, profile);
        if former.as_ref().is_some_and(|it| NameKey::of(it) != key)
            && let Some(contact) = self.contacts.get_mut(id)
        {
            contact.renamed_at = Some(own);
        }
        if let Some(contact) = self.contacts.get_mut(id) {
            // What waited in the socket while the machine slept says nothing about clocks.
            if self.resumed_at.is_none_or(|it| now.moment.since(it) >= SKEW_HOLIDAY) {
                contact.note_skew(Self::clock_skew(now, time));
            }
        }
        if let Some(former) = former {
            self.report_new_name(id, former);
        }
        self.promote(now.moment, id);
    }

    /// Notes that a peer comes only now, with its first stated name, although this peer has heard of
    /// it before: then it sent packets without a name, or a page listed it. Does nothing if the
    /// member that has listed it is of another address group and so has heard its name, or if this
    /// peer is no witness yet. Call it before the profile is set.
    fn note_first_name(&mut self, now: Moment, id: PeerId) {
        let group = self.contacts.get(id).and_then(Contact::group);
        let lister = self.contacts.get(id).and_then(|it| it.listed_by);
        let lister = lister.and_then(|it| self.contacts.member(it));
        if lister.is_none_or(|it| it.group() == group) {
            self.contacts.mark_as_come(now, id);
        }
    }

    /// Reports the new name of a member as joined and its former name as left. Leaves out a name
    /// that another peer here holds as well; if that is the new one, notifies the user
    /// ([`Self::report_shared_name`]).
    fn report_new_name(&mut self, id: PeerId, former: String) {
        let name = self.contacts.get(id).map_or("", Contact::name).to_owned();
        let is_shared = self.is_held_by_another(id, &name);
        let is_other = NameKey::of(&name) != NameKey::of(&former);
        let joined = if is_shared { Vec::new() } else { vec![name] };
        let left = if self.is_held_by_another(id, &former) { Vec::new() } else { vec![former] };
        if !joined.is_empty() || !left.is_empty() {
            self.report_presence(joined, left);
        }
        if is_shared && is_other {
            self.report_shared_name(id);
        }
    }

    /// Returns true if a peer other than `id` holds this name: this peer, another member, or a peer
    /// that is shown although it is known through others only.
    pub(super) fn is_held_by_another(&self, id: PeerId, name: &str) -> bool {
        let key = NameKey::of(name);
        *self.name.key() == key
            || self.contacts.holders(&key).any(|it| it != id)
            || self.indirect.is_held_by_another(id, &key)
    }

    /// Reports to the user the names that have joined and the names that have left. Does nothing
    /// before this peer has reported its own joining.
    pub(super) fn report_presence(&mut self, joined: Vec<String>, left: Vec<String>) {
        if !self.has_joined() {
            return;
        }
        self.emit(Event::Presence {
            room: self.settings.room.as_str().to_owned(),
            members: u32::try_from(self.member_count() + self.indirect.len()).unwrap_or(u32::MAX),
            joined: Some(joined),
            left: Some(left),
        });
    }

    /// Returns the heartbeat loss of a peer, in thousandths: the share of its heartbeats that did
    /// not arrive, of those due since the loss estimate started. 0 if none was due.
    pub(super) fn heartbeat_loss(&self, now: Moment, contact: &Contact) -> u16 {
        let (received, since) = contact.heartbeats;
        let period = heartbeat_interval(self.member_count()).as_millis().max(1);
        let due = now.since(since).as_millis() / period;
        let missing = due.saturating_sub(received.into());
        u16::try_from((missing * 1_000).checked_div(due).unwrap_or(0)).unwrap_or(1_000)
    }

    /// Returns the addresses of the named hosts at which no member is known. Compares the IP
    /// address, without the port, with the best known address of each member.
    fn hosts_without_members(&self) -> Vec<std::net::SocketAddr> {
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let known: BTreeSet<_> =
            members.filter_map(|(_, it)| it.address()).map(|it| it.ip()).collect();
        self.hosts.iter().copied().filter(|host| !known.contains(&host.ip())).collect()
    }

    /// Sends a packet by all paths, to `addresses`, and to the unicast addresses of the send plan
    /// (peers that no path reaches).
    fn send_by_all_paths(&mut self, mut addresses: Vec<std::net::SocketAddr>, packet: Outgoing) {
        addresses.extend(self.send_plan().addresses.iter().copied());
        self.send(PathSet::ALL, addresses, packet);
    }
}

/// Returns *ago* of a page item: the time since the last control packet of a contact, in half
/// seconds, rounded down. [`PageItem::INDIRECT`] if none has arrived, or none for 127 seconds.
fn ago(now: Moment, contact: &Contact) -> u8 {
    let Some(heard) = contact.last_heard else { return PageItem::INDIRECT };
    let half_seconds = now.since(heard).as_millis() / 500;
    u8::try_from(half_seconds).unwrap_or(u8::MAX).min(PageItem::INDIRECT)
}
