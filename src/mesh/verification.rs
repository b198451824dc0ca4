//! Verification of peers: pings and cookies prove that a peer is alive and owns its address. Also
//! the lookup of addresses of silent peers (`where`, `peers`). Sections 11 and 12.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::contact::{Contact, Stage};
use super::dispatch::PacketMeta;
use super::timers::{
    HEARD_TIMEOUT, INTRODUCTION_INTERVAL, MAX_INTRODUCTIONS, PING_RETRY_MAX, PING_RETRY_MIN,
    address_patience, heartbeat_interval, path_report_delay,
};
use super::{Mesh, Now};
use crate::model::limits::MAX_PEERS;
use crate::model::{Moment, Path, PathSet, PeerId};
use crate::wire::udp::{Control, PeerAddress, Peers, Ping, Pong, Where};

/// Length of a `pong`, and of a `ping` without padding, in bytes, before sealing.
const MIN_PING: usize = 137;
/// Number of pings in a series before the pause grows: to a member, to a verified peer, or to any
/// peer while this peer is alone. Then the pause doubles with each ping, up to [`PING_RETRY_MAX`];
/// to a member that is heard by unicast only, it doubles once. The pause of an unverified peer that
/// is heard by unicast only is fixed.
const QUICK_PINGS: u32 = 10;

/// Number of pings with twice the shortest pause to an unverified peer that is no member, unless
/// this peer is alone. After each further ping the pause doubles.
const EARLY_PINGS: u32 = 5;

/// Time for which an answer to a `where` is accepted.
const WHERE_TIMEOUT: Duration = Duration::from_secs(10);

impl Mesh {
    /// Sends a `ping` to a peer at its [`Contact::address_to_ping`]. Schedules the next ping; the
    /// pause grows up to [`PING_RETRY_MAX`]. Records in the contact that it was pinged, and the
    /// path that the ping tells it. Does nothing if there is no such address.
    pub(super) fn ping(&mut self, now: Now, id: PeerId) {
        let cookie = |it| self.cookie(now.moment, id, it, 0);
        let patience = address_patience(self.member_count());
        let address = self.contacts.get(id).and_then(|it| it.address_to_ping(now.moment, patience));
        let Some(address) = address else { return };
        let ping = Ping { cookie: cookie(address), heard: self.paths_heard_from(now.moment, id) };
        self.send_to(address, Control::Ping(ping));
        let interval = heartbeat_interval(self.member_count());
        let is_alone = self.contacts.member_count() == 0;
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.pinged_path = preferred_path(ping.heard);
        contact.is_told_uncertain |= contact.told_path != contact.pinged_path;
        contact.count_ping(address);
        contact.is_pinged = true;
        // Others may not hear a peer that no path brings. As long as it is heard here, it is alive,
        // and gets hardly more pings than it sends packets.
        let is_remote = !contact.is_heard_by_path() && !contact.is_silent(now.moment, patience);
        let doublings = match contact.stage {
            Stage::Member if is_remote => contact.pings.saturating_sub(QUICK_PINGS).min(1),
            // Nobody else can tell this peer who is there.
            _ if is_alone => contact.pings.saturating_sub(QUICK_PINGS),
            Stage::Member => contact.pings.saturating_sub(QUICK_PINGS),
            // The first few may have been lost.
            _ if contact.is_verified => contact.pings.saturating_sub(QUICK_PINGS - 1).max(1),
            _ => contact.pings.saturating_sub(EARLY_PINGS - 1).max(1),
        };
        // In a large room many members may fall silent at once.
        let first = PING_RETRY_MIN.max(interval / 2);
        let wait = match contact.stage {
            Stage::Heard if is_remote && !contact.is_verified => INTRODUCTION_INTERVAL,
            _ => (first * 2_u32.saturating_pow(doublings.min(5))).min(PING_RETRY_MAX),
        };
        contact.ping_at = Some(now.moment + wait);
    }

    /// Pings a peer, whose IPv6 network has no place for further members, at the IPv4 address that
    /// it was last heard from. With a `pong` from there it counts for the IPv4 address. All
    /// machines of a LAN may share an IPv6 network, and which address is verified first is chance.
    /// Neither counts the ping in the series nor schedules the next one.
    ///
    /// Returns false if there is no unverified IPv4 address, or if the peer has been heard for so
    /// long that it does not seem to answer.
    pub(super) fn ping_for_place(&mut self, now: Moment, id: PeerId) -> bool {
        let contact = self.contacts.get(id);
        let contact = contact.filter(|it| now.since(it.first_heard) < HEARD_TIMEOUT);
        let Some(address) = contact.and_then(Contact::unverified_ipv4) else { return false };
        self.ping_at(now, id, address);
        true
    }

    /// Sends a `ping` to a peer at this address. Neither counts the ping in the series nor
    /// schedules the next one.
    pub(super) fn ping_at(&mut self, now: Moment, id: PeerId, address: SocketAddr) {
        let heard = self.paths_heard_from(now, id);
        let ping = Ping { cookie: self.cookie(now, id, address, 0), heard };
        self.send_to(address, Control::Ping(ping));
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.pinged_path = preferred_path(heard);
            contact.is_told_uncertain |= contact.told_path != contact.pinged_path;
        }
    }

    /// Sends a `where` about the peer `id` to the peer that has listed it, and schedules the next
    /// `where` in 3 s. Sends nothing if the lister is no member. If the lister has no verified
    /// address, has the lister pinged instead.
    pub(super) fn send_where(&mut self, now: Now, id: PeerId) {
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.where_at = Some(now.moment + PING_RETRY_MAX / 10);
        let lister = contact.listed_by;
        let lister = lister.filter(|it| self.contacts.member(*it).is_some());
        let address = lister.and_then(|it| self.verified_address(now, it));
        // One peer can list many: do not send to an address that may belong to a victim.
        if let Some(address) = address {
            if let Some(contact) = self.contacts.get_mut(id) {
                contact.where_asked = lister.map(|it| (it, now.moment));
            }
            self.send_to(address, Control::Where(Where { peers: vec![id] }));
        }
    }

    /// Handles `where`: answers with the shareable addresses of the members that it asks for, at
    /// most [`MAX_PEERS`]. Sends nothing if no address can be shared. If the asker has no verified
    /// address, has the asker pinged instead.
    pub(super) fn on_where(&mut self, now: Now, asker: PeerId, asked: &Where) {
        let address = |id: &PeerId| {
            let address = self.contacts.member(*id)?.shareable_address()?;
            let octets = match address.ip() {
                IpAddr::V4(it) => it.to_ipv6_mapped().octets(),
                IpAddr::V6(it) => it.octets(),
            };
            Some(PeerAddress { peer: *id, address: octets, port: address.port() })
        };
        let peers: Vec<_> = asked.peers.iter().take(MAX_PEERS).filter_map(address).collect();
        let to = self.verified_address(now, asker);
        if let Some(to) = to.filter(|_| !peers.is_empty()) {
            self.send_to(to, Control::Peers(Peers { peers }));
        }
    }

    /// Handles `peers`, which must come by unicast. For each contact that the sender was asked for
    /// within [`WHERE_TIMEOUT`], adds the stated address if the contact is silent here, and
    /// schedules a ping. Ignores other contacts, and addresses that are no unicast addresses. Of a
    /// packet, takes only as many addresses as [`MIN_PING`] fits into its length.
    pub(super) fn on_peers(&mut self, now: Now, meta: PacketMeta, told: &Peers) {
        let by = meta.sender.id;
        if meta.is_to_many {
            // Everybody would ping a victim at once.
            self.drops.unexpected += 1;
            return;
        }
        let patience = address_patience(self.member_count());
        for it in told.peers.iter().take(MAX_PEERS.min(meta.size / MIN_PING)) {
            let contact = self.contacts.get_mut(it.peer);
            let is_asked =
                |it: (PeerId, Moment)| it.0 == by && now.moment.since(it.1) < WHERE_TIMEOUT;
            let is_asked = |it: &&mut Contact| it.where_asked.is_some_and(is_asked);
            let Some(contact) = contact.filter(is_asked) else { continue };
            contact.where_asked = None;
            let ip = Ipv6Addr::from(it.address);
            let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
            let is_one = !ip.is_unspecified()
                && !ip.is_multicast()
                && ip != IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
            if it.port != 0 && is_one {
                contact.suggest_address(now.moment, patience, SocketAddr::new(ip, it.port));
                contact.ping_at.get_or_insert(now.moment);
            }
        }
        self.schedule_sweep(now.moment);
    }

    /// Handles `ping`: records by which paths the sender hears this peer, and answers with a `pong`
    /// to the source address. If the ping came by a path, only the members nearest to its cookie
    /// answer. Their answers together are at most twice as long as the ping.
    pub(super) fn on_ping(&mut self, now: Now, meta: PacketMeta, ping: Ping) {
        let id = meta.sender.id;
        self.note_hears(now.moment, id, ping.heard, meta.counter);
        // All answers together are at most twice as large as a ping to many.
        let answers = 2 * meta.size / MIN_PING;
        if meta.is_to_many && !self.is_among_nearest(answers, ping.cookie.0) {
            return;
        }
        let heard = self.paths_heard_from(now.moment, id);
        self.send_to(meta.from, Control::Pong(Pong { cookie: ping.cookie, heard }));
        // The pong may be lost. Only the pong to an own ping proves that the peer was told.
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.is_told_uncertain |= contact.told_path != preferred_path(heard);
        }
    }

    /// Handles `pong`. The cookie must have been made in this or the last minute, for the source
    /// address or another known address of the sender. If not, drops the packet.
    ///
    /// Otherwise marks the sender and that address as verified, ends the series of pings, and
    /// records the path stated in the last ping as told. Restarts the timeouts after which the
    /// sender counts as not hearing this peer. Then may make the sender a member, has its vote on
    /// this candidate count, and decides on objections. If the address is the sender's first
    /// verified one, calls [`Self::introduce_to`].
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
        let mut is_first = false;
        if let Some(contact) = self.contacts.get_mut(id) {
            is_first = contact.verified_address().is_none();
            contact.verify_address(address);
            contact.hearing.restart(now.moment);
            (contact.ping_at, contact.pings) = (None, 0);
            (contact.told_path, contact.is_told_uncertain) = (contact.pinged_path, false);
        }
        self.note_hears(now.moment, id, pong.heard, meta.counter);
        self.promote(now.moment, id);
        self.on_voter_verified(now.moment, id, address);
        self.decide_objections(now.moment);
        if is_first {
            self.introduce_to(now, id);
        }
    }

    /// Sends a heartbeat to the verified address of a peer that was never heard by a path. That
    /// peer may not hear this peer by a path either, and so may not know this peer's name and
    /// entries. Schedules the next such heartbeat, up to [`MAX_INTRODUCTIONS`]. Ends the series,
    /// and sends nothing, if this peer is no member, or if the other one is gone, was heard by a
    /// path, or has no verified address.
    pub(super) fn introduce_to(&mut self, now: Now, id: PeerId) {
        let is_member = self.is_member();
        let Some(contact) = self.contacts.get_mut(id) else { return };
        contact.introduce_at = None;
        let is_here = matches!(contact.stage, Stage::Heard | Stage::Member);
        let is_remote = is_here && !contact.is_heard_by_path();
        let address = contact.verified_address().filter(|_| is_member && is_remote);
        let Some(address) = address.filter(|_| contact.introductions < MAX_INTRODUCTIONS) else {
            return;
        };
        let at = now.moment + INTRODUCTION_INTERVAL;
        contact.introductions += 1;
        contact.introduce_at = Some(at);
        self.schedule_sweep_at(at);
        let heartbeat = self.build_heartbeat(now);
        self.send_to(address, Control::Heartbeat(heartbeat));
    }

    /// Records by which paths a peer hears this peer. `counter`: packet counter of the statement; a
    /// statement that is not newer than the recorded one is ignored. If the paths have changed and
    /// the peer is a member without a verified address, requires a verified address: the peer may
    /// need unicast copies.
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

    /// Returns the paths to state to a peer: the paths by which it was heard within W(n). If the
    /// peer is unknown, or known for less than [`path_report_delay`], returns the IPv4 group, which
    /// it assumes anyway.
    pub(super) fn paths_heard_from(&self, now: Moment, id: PeerId) -> PathSet {
        let path_timeout = super::timers::path_timeout(self.member_count());
        let report_delay = path_report_delay(self.member_count());
        let known = self.contacts.get(id).filter(|it| now.since(it.known_at) >= report_delay);
        known.map_or(PathSet::NONE.with(Path::GroupV4), |it| it.recent_paths(now, path_timeout))
    }

    /// Returns the verified address of a peer, for an answer that is larger than its question. If
    /// there is none, returns `None`, marks the peer as needing one, and schedules a sweep, which
    /// pings the peer when its next ping is due.
    pub(super) fn verified_address(&mut self, now: Now, id: PeerId) -> Option<SocketAddr> {
        let address = self.contacts.get(id).and_then(Contact::verified_address);
        if address.is_none() {
            self.require_verified_address(id);
            self.schedule_sweep(now.moment);
        }
        address
    }

    /// Marks a peer as needing a verified address, so that a later sweep pings it. Does not
    /// schedule the sweep.
    fn require_verified_address(&mut self, id: PeerId) {
        if let Some(contact) = self.contacts.get_mut(id) {
            contact.needs_verified_address = true;
        }
    }
}

/// Returns the path that a peer should use: the first path of `heard` in the order of
/// [`Path::ALL`]. `None` if `heard` is empty. `heard`: paths by which the peer is heard.
pub(super) fn preferred_path(heard: PathSet) -> Option<Path> {
    Path::ALL.into_iter().find(|it| heard.has(*it))
}
