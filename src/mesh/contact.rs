//! State of a single other peer: section 11, and the tables of section 16.

use std::net::SocketAddr;
use std::time::Duration;

use super::audibility::Hearing;
use super::replay_window::ReplayWindow;
use crate::model::{AddressGroup, Moment, NameKey, Path, PathSet, PeerId, RoomClock, TokenBucket};
use crate::wire::udp::Signer;

/// Tolerance, in milliseconds, for the time at which a peer claims to have joined. It may be at
/// most so long before this peer first noticed that peer, whose first packets may be lost.
const WITNESS_TOLERANCE_MS: u64 = 5_000;
/// Maximum number of addresses remembered per peer.
const MAX_ADDRESSES: usize = 4;
/// Number of pings to suggested addresses that each accepted suggestion allows: together less than
/// three times as long as the `peers` that made it.
const PINGS_PER_SUGGESTION: u32 = 3;
/// Rate limit for control packets received from one sender: burst, and packets per minute.
const CONTROL_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for unrequested entries of one author: burst, and entries per minute.
const ENTRY_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for entries sent to one peer at its request: burst, and entries per minute.
const ANSWER_RATE_PER_PEER: (u32, u32) = (128, 6_000);

/// Stage of another peer in its stay in the room, as this peer sees it: the last state table of
/// section 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Listed in a verified peer's page, but not heard: no control packet has arrived from it since
    /// it was added or marked as gone. If it was in stage heard before, none has arrived for
    /// `HEARD_TIMEOUT`.
    Listed,
    /// A control packet has arrived from it. It is not a member yet, or not yet a member again.
    Heard,
    /// Member of the room.
    Member,
    /// Gone: it has sent `bye`, or it was a member that timed out or lost its place.
    Gone {
        /// Time at which it was marked as gone.
        at: Moment,
    },
}

/// Name and joining time of a peer, as it states them in `agree` and `heartbeat`.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Username; valid.
    pub(super) name: String,
    /// Comparison key of the username.
    pub(super) key: NameKey,
    /// Value of the room clock when the peer joined. It is converted to this peer's room clock if
    /// the two clocks differ much.
    pub(super) since: RoomClock,
}

/// One address of a peer, its last use, and whether it is verified.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// Socket address.
    address: SocketAddr,
    /// Time of the last control packet from this address; `None` if another peer has only suggested
    /// the address.
    last_heard: Option<Moment>,
    /// True if the peer has proved that it receives at this address: a cookie sent there came back.
    is_verified: bool,
}

/// State kept for one other peer.
#[derive(Debug)]
pub(super) struct Contact {
    /// Identity of the peer: public key, incarnation and id. `None` until a control packet has
    /// arrived.
    pub(super) signer: Option<Signer>,
    /// Stage of the peer. Change it by `Contacts::set_stage` only.
    pub(super) stage: Stage,
    /// True if the peer is verified to be alive: it has sent back a cookie, or a verified peer's
    /// page has listed it. Set to false when a member is marked as
    /// gone, and when a gone peer is heard again.
    pub(super) is_verified: bool,
    /// Profile that the peer last stated; `None` if it has stated none. Change it by
    /// `Contacts::set_profile` only.
    pub(super) profile: Option<Profile>,
    /// Value of this peer's room clock when the contact was added, or when it first stated a name
    /// (`Contacts::mark_as_come`). `None` if this peer was no witness then
    /// (`Contacts::is_witness`): the contact may have been in the room before. A jump of the room
    /// clock is added to it.
    pub(super) witnessed_since: Option<RoomClock>,
    /// Greatest packet counter of a `bye` of the contact; `None` if it has sent none. Until a
    /// packet with a greater counter comes, the contact has left: no page brings it back.
    pub(super) left_at_counter: Option<u64>,
    /// True if the contact has ever been a member, as far as this peer knows.
    pub(super) was_member: bool,
    /// True if the contact has sent an announce while this peer was a member. So it was not in the
    /// room before.
    pub(super) has_announced: bool,
    /// Value of this peer's room clock when the contact last changed its name as a member; `None`
    /// if it never did. A jump of the room clock is added to it.
    pub(super) renamed_at: Option<RoomClock>,
    /// Value of this peer's room clock when the contact was last heard, by anybody, before it was
    /// marked as gone as a member; `None` if it never was. A jump of the room clock is added to it.
    pub(super) parted_at: Option<RoomClock>,
    /// Known addresses of the peer, at most [`MAX_ADDRESSES`].
    addresses: Vec<Address>,
    /// Anti-replay window of the contact's packet counters.
    pub(super) window: ReplayWindow,
    /// Rate limit for control packets received from the contact.
    pub(super) controls: TokenBucket,
    /// Rate limit for entries sent to the contact at its request.
    pub(super) answers: TokenBucket,
    /// Rate limit for unrequested entries of the contact's own log.
    pub(super) entries: TokenBucket,
    /// Time at which the contact was added, by a packet or a page. If the contact was gone and a
    /// packet of it came, the time of that packet.
    pub(super) first_heard: Moment,
    /// Time at which this peer and the contact met. It is the latest of four times: the contact was
    /// added; it first stated a name and was marked as come (`Contacts::mark_as_come`); it returned
    /// after it was gone, by a packet or a page; a suspension of this machine ended.
    pub(super) met_at: Moment,
    /// Time of the contact's last change of state. It is the latest of these: the contact was
    /// added; a packet came after it was gone; it first stated a name; it became a member; this
    /// peer became a member.
    pub(super) known_at: Moment,
    /// Time of the contact's last control packet; `None` if none has arrived.
    pub(super) last_heard: Option<Moment>,
    /// Latest time at which the contact was heard: by this peer, or by another peer according to
    /// that peer's page. At first the time of adding the contact. A suspension of this machine
    /// moves a member's time forward.
    pub(super) last_vouched: Moment,
    /// Time at which the last control packet, or a copy of one, arrived by each path, in the order
    /// of [`path_index`]. `None` if none has arrived by the path.
    last_heard_by: [Option<Moment>; 3],
    /// Path that the contact was told to use, as its `pong` has confirmed. `None` if it was told to
    /// use no path but unicast copies. At first the IPv4 group, which new members assume.
    pub(super) told_path: Option<Path>,
    /// True if it is uncertain which path the contact uses: a later `ping` or `pong` has told it
    /// another path than `told_path`, and may have been lost.
    pub(super) is_told_uncertain: bool,
    /// Preferred path stated in the last `ping` or `agree` to the contact. `None` if that named no
    /// path, or nothing was sent.
    pub(super) pinged_path: Option<Path>,
    /// Paths by which the contact hears this peer, as it last stated; `None` if it has stated
    /// nothing.
    pub(super) hears: Option<PathSet>,
    /// True if the contact has answered an announce that went to no named host. So the contact
    /// hears some path.
    pub(super) has_answered_by_path: bool,
    /// Packet counter of the packet that stated `hears`. A `ping` or `pong` with the same or a
    /// smaller counter does not change `hears`.
    pub(super) hears_counter: u64,
    /// Earliest time of the next ping to the contact; `None` if no series of pings is in progress.
    pub(super) ping_at: Option<Moment>,
    /// Number of pings in the current series. A `pong` with a valid cookie ends the series, and so
    /// does the end of membership.
    pub(super) pings: u32,
    /// Time of the next heartbeat that introduces this peer to the contact; `None` if none is
    /// scheduled.
    pub(super) introduce_at: Option<Moment>,
    /// Number of heartbeats that have introduced this peer to the contact.
    pub(super) introductions: u8,
    /// True if the contact was pinged since its last control packet arrived.
    pub(super) is_pinged: bool,
    /// True if the contact was sent a `want` since its last control packet arrived. Set only while
    /// the contact has no verified address.
    pub(super) is_asked: bool,
    /// True if this peer needs a verified address of the contact, and so has to ping it: it has
    /// none, or another peer has suggested a further one. Cleared when an address is verified.
    pub(super) needs_verified_address: bool,
    /// Peer whose page has listed the contact, and that is asked for the contact's address. `None`
    /// if no page has listed the contact. A later such peer replaces it only while the contact is
    /// in stage listed or is a silent member.
    pub(super) listed_by: Option<PeerId>,
    /// Time of the next `where` about the contact; `None` if none is scheduled.
    pub(super) where_at: Option<Moment>,
    /// Peer that was asked for the contact's address by the last `where`, and the time of that;
    /// `None` if none was asked, or if it has answered.
    pub(super) where_asked: Option<(PeerId, Moment)>,
    /// Number of pings that may still go to suggested addresses, from which the contact was never
    /// heard.
    suggested_pings: u32,
    /// Clock skew in milliseconds: how far the contact's wall clock is ahead of this machine's. Of
    /// the last two measurements, the one closer to zero; 0 before the second measurement.
    pub(super) skew: i64,
    /// Last measurement of the clock skew, in milliseconds; `None` before the first.
    last_skew: Option<i64>,
    /// True if the user was told about the clock skew.
    pub(super) is_skew_reported: bool,
    /// Loss estimate: number of heartbeats received, and the time at which that count began. The
    /// count restarts when the contact becomes a member, and after `heartbeats::LOSS_WINDOW`
    /// heartbeats.
    pub(super) heartbeats: (u32, Moment),
    /// Greatest sequence of this peer's own log that the contact has, by its pages; `None` if its
    /// pages have never listed this peer.
    pub(super) has_own_up_to: Option<u32>,
    /// Signs that the other peer hears this one, or does not.
    pub(super) hearing: Hearing,
}

/// Factor of the patience before a contact counts as moved to an address of the other family, IPv4
/// or IPv6. A peer that sends by paths of both families has an address of each, and sends only one
/// in [`super::timers::ALL_PATHS_EVERY`] heartbeats by both. If two of these are lost, it has not
/// moved.
const OTHER_FAMILY_PATIENCE: u32 = 8;

impl Contact {
    /// Creates a contact in this stage. Sets its times to `now`; the time of its last control
    /// packet is `None`.
    pub(super) fn new(now: Moment, stage: Stage) -> Self {
        Self {
            signer: None,
            stage,
            is_verified: false,
            profile: None,
            witnessed_since: None,
            left_at_counter: None,
            was_member: false,
            has_announced: false,
            renamed_at: None,
            parted_at: None,
            addresses: Vec::new(),
            window: ReplayWindow::default(),
            controls: TokenBucket::new(CONTROL_RATE.0, CONTROL_RATE.1),
            answers: TokenBucket::new(ANSWER_RATE_PER_PEER.0, ANSWER_RATE_PER_PEER.1),
            entries: TokenBucket::new(ENTRY_RATE.0, ENTRY_RATE.1),
            first_heard: now,
            met_at: now,
            known_at: now,
            last_heard: None,
            last_vouched: now,
            last_heard_by: [None; 3],
            told_path: Some(Path::GroupV4),
            is_told_uncertain: false,
            pinged_path: None,
            hears: None,
            has_answered_by_path: false,
            hears_counter: 0,
            ping_at: None,
            pings: 0,
            introduce_at: None,
            introductions: 0,
            is_pinged: false,
            is_asked: false,
            needs_verified_address: false,
            listed_by: None,
            where_at: None,
            where_asked: None,
            suggested_pings: 0,
            skew: 0,
            last_skew: None,
            is_skew_reported: false,
            heartbeats: (0, now),
            has_own_up_to: None,
            hearing: Hearing::default(),
        }
    }

    /// Records the time, path and source address of a control packet that is no duplicate. Adds the
    /// address if it is new. Clears `is_pinged`, `is_asked` and `where_at`.
    pub(super) fn record_packet(&mut self, now: Moment, from: SocketAddr, path: Option<Path>) {
        self.last_heard = Some(now);
        self.last_vouched = now;
        (self.is_pinged, self.is_asked) = (false, false);
        self.where_at = None;
        if let Some(slot) = path.and_then(|it| self.last_heard_by.get_mut(path_index(it))) {
            *slot = Some(now);
        }
        match self.addresses.iter_mut().find(|it| it.address == from) {
            Some(known) => known.last_heard = Some(now),
            None => self.add_address(from, Some(now)),
        }
    }

    /// Records that a copy of the contact's newest packet has arrived by a path. Changes only the
    /// time of that path.
    pub(super) fn record_copy(&mut self, now: Moment, path: Path) {
        if let Some(slot) = self.last_heard_by.get_mut(path_index(path)) {
            *slot = Some(now);
        }
    }

    /// Returns true if nothing has arrived from the contact by a path for the time `lately` or
    /// longer. Also returns true if nothing has ever arrived by the path.
    pub(super) fn is_path_silent(&self, now: Moment, path: Path, lately: Duration) -> bool {
        !self.recent_paths(now, lately).has(path)
    }

    /// Records a measurement of the clock skew, in milliseconds. Sets `skew` to the one of the last
    /// two measurements that is closer to zero, because a packet may have been delayed. After the
    /// first measurement `skew` is 0.
    pub(super) fn note_skew(&mut self, skew: i64) {
        let before = self.last_skew.replace(skew).unwrap_or(0);
        self.skew = if before.unsigned_abs() < skew.unsigned_abs() { before } else { skew };
    }

    /// Adds an unverified address. If there are [`MAX_ADDRESSES`] already, replaces the address
    /// heard longest ago or never. Replaces a verified address only if all are verified, because
    /// recordings can be replayed from any address.
    fn add_address(&mut self, address: SocketAddr, last_heard: Option<Moment>) {
        let new = Address { address, last_heard, is_verified: false };
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push(new);
        } else if let Some(oldest) =
            self.addresses.iter_mut().min_by_key(|it| (it.is_verified, it.last_heard))
        {
            *oldest = new;
        }
    }

    /// Adds an address that another peer has stated, and allows [`PINGS_PER_SUGGESTION`] pings to
    /// it. If the address is new and the contact is a member, has it pinged. Does nothing if a
    /// control packet of the contact itself has arrived within `patience`.
    pub(super) fn suggest_address(&mut self, now: Moment, patience: Duration, address: SocketAddr) {
        if !self.is_silent(now, patience) {
            return;
        }
        self.suggested_pings = PINGS_PER_SUGGESTION;
        if !self.addresses().any(|it| it == address) {
            self.add_address(address, None);
            // A member that others hear would be pinged only after G(n).
            self.needs_verified_address |= self.is_member();
        }
    }

    /// Returns true if the contact may be pinged: it has sent from a known address, or a suggested
    /// one may get a further ping.
    pub(super) fn is_pingable(&self) -> bool {
        let is_allowed = self.suggested_pings > 0;
        self.addresses.iter().any(|it| it.last_heard.is_some() || is_allowed)
    }

    /// Counts a ping to `address`. If the address is only suggested, it uses up one of the pings
    /// that the suggestion allows.
    pub(super) fn count_ping(&mut self, address: SocketAddr) {
        self.pings += 1;
        if !self.has_sent_from(address) {
            self.suggested_pings = self.suggested_pings.saturating_sub(1);
        }
    }

    /// Returns true if no control packet of the contact has arrived for the time `patience` or
    /// longer. Also returns true if none has ever arrived.
    pub(super) fn is_silent(&self, now: Moment, patience: Duration) -> bool {
        self.last_heard.is_none_or(|it| now.since(it) >= patience)
    }

    /// Returns true if a control packet of the contact has ever arrived by a path, rather than by
    /// unicast.
    pub(super) fn is_heard_by_path(&self) -> bool {
        self.last_heard_by.iter().any(Option::is_some)
    }

    /// Returns the address that the contact seems to have moved to; `None` if there is none.
    ///
    /// It is an unverified address. For the time `patience` before its last packet, nothing may
    /// have come from a verified address; for [`OTHER_FAMILY_PATIENCE`] times that, if the two
    /// addresses are of different families. Of several such addresses it is the one heard last. The
    /// contact must have a verified address.
    fn moved_to(&self, patience: Duration) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        let before = verified.max_by_key(|it| it.last_heard)?;
        let is_later = |it: &&Address| {
            let is_same_family = before.address.is_ipv4() == it.address.is_ipv4();
            let patience = if is_same_family { patience } else { patience * OTHER_FAMILY_PATIENCE };
            let silence = |at: Moment| at.since(before.last_heard.unwrap_or_default());
            it.last_heard.is_some_and(|at| silence(at) >= patience)
        };
        let others = self.addresses.iter().filter(|it| !it.is_verified);
        others.filter(is_later).max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns true if the contact seems to have moved to another address, which must be verified.
    pub(super) fn has_moved(&self, patience: Duration) -> bool {
        self.moved_to(patience).is_some()
    }

    /// Returns true if the contact seems to have moved to an address of the other family.
    pub(super) fn has_changed_family(&self, patience: Duration) -> bool {
        let (new, former) = (self.moved_to(patience), self.verified_address());
        new.zip(former).is_some_and(|(new, former)| new.is_ipv4() != former.is_ipv4())
    }

    /// Returns the address to ping; `None` if no address is known. It is the address that the
    /// contact seems to have moved to, otherwise the best address. If these two are of different
    /// families, successive pings go to both in turn: the contact may send by one family and
    /// receive by the other. If the contact is silent for the time `patience`, they go to all
    /// known addresses in turn, suggested ones first, as long as these may get pings.
    pub(super) fn address_to_ping(&self, now: Moment, patience: Duration) -> Option<SocketAddr> {
        if let Some(new) = self.moved_to(patience) {
            let other_family = self.address().filter(|it| it.is_ipv4() != new.is_ipv4());
            return other_family.filter(|_| self.pings % 2 == 1).or(Some(new));
        }
        if !self.is_silent(now, patience) {
            return self.address();
        }
        let is_allowed = self.suggested_pings > 0;
        let allowed = |it: &&Address| it.last_heard.is_some() || is_allowed;
        let mut known: Vec<_> = self.addresses.iter().filter(allowed).collect();
        known.sort_by_key(|it| {
            (it.last_heard.is_some(), std::cmp::Reverse((it.is_verified, it.last_heard)))
        });
        let turn = usize::try_from(self.pings).unwrap_or(0).checked_rem(known.len())?;
        known.get(turn).map(|it| it.address)
    }

    /// Marks the contact as verified, and `address` too if it is a known address. Clears
    /// `needs_verified_address`. Call it when a cookie has come back.
    pub(super) fn verify_address(&mut self, address: SocketAddr) {
        self.is_verified = true;
        self.needs_verified_address = false;
        if let Some(known) = self.addresses.iter_mut().find(|it| it.address == address) {
            known.is_verified = true;
        }
    }

    /// Returns true if at least one address of the contact is known.
    pub(super) const fn has_address(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Iterates over all known addresses, verified or not.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|it| it.address)
    }

    /// Returns true if a control packet of the contact has come from this address, and the address
    /// is still remembered.
    pub(super) fn has_sent_from(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|it| it.address == address && it.last_heard.is_some())
    }

    /// Returns true if this is a verified address of the contact.
    pub(super) fn has_verified(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|it| it.address == address && it.is_verified)
    }

    /// Returns the best address to send to: the verified address heard last, else the unverified
    /// address heard last, else a suggested address. `None` if no address is known.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().max_by_key(|it| (it.is_verified, it.last_heard)).map(|it| it.address)
    }

    /// Returns the verified address heard last; `None` if no address is verified. Answers that are
    /// larger than their questions go only there.
    pub(super) fn verified_address(&self) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        verified.max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the address group of the best known address; `None` if no address is known. Limits
    /// count the peers of a group together, because one machine could invent them all.
    ///
    /// The best address is a verified one if possible, then an IPv4 address, then the address heard
    /// last. An IPv4 address says more than an IPv6 network, which many peers may share.
    pub(super) fn group(&self) -> Option<AddressGroup> {
        let best = self
            .addresses
            .iter()
            .max_by_key(|it| (it.is_verified, it.address.is_ipv4(), it.last_heard));
        best.map(|it| AddressGroup::of_peer(it.address.ip()))
    }

    /// Iterates over the address groups of the verified addresses. A group may come several times.
    pub(super) fn verified_groups(&self) -> impl Iterator<Item = AddressGroup> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        verified.map(|it| AddressGroup::of_peer(it.address.ip()))
    }

    /// Returns the IPv4 address that the contact was last heard from, if none of its IPv4 addresses
    /// is verified.
    pub(super) fn unverified_ipv4(&self) -> Option<SocketAddr> {
        let known = || self.addresses.iter().filter(|it| it.address.is_ipv4());
        let heard = known().filter(|it| it.last_heard.is_some());
        let newest = heard.max_by_key(|it| it.last_heard).map(|it| it.address);
        newest.filter(|_| !known().any(|it| it.is_verified))
    }

    /// Returns the address to pass on in `peers`: the address heard last, verified or not, except
    /// IPv6 link-local addresses. `None` if there is none.
    pub(super) fn shareable_address(&self) -> Option<SocketAddr> {
        let is_lasting = |it: &&Address| match it.address {
            SocketAddr::V4(_) => true,
            SocketAddr::V6(it) => !it.ip().is_unicast_link_local(),
        };
        let heard = self.addresses.iter().filter(|it| it.last_heard.is_some());
        heard.filter(is_lasting).max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the paths by which a control packet of the contact, or a copy, has arrived less than
    /// `lately` ago.
    pub(super) fn recent_paths(&self, now: Moment, lately: Duration) -> PathSet {
        Path::ALL.into_iter().zip(self.last_heard_by).fold(PathSet::NONE, |heard, (path, at)| {
            if at.is_some_and(|at| now.since(at) < lately) { heard.with(path) } else { heard }
        })
    }

    /// Returns the time at which [`Self::told_path`] fails if nothing more arrives by it: `lately`
    /// after the last packet by it. `None` if there is no told path, or nothing has ever arrived by
    /// it.
    pub(super) fn told_path_expires(&self, lately: Duration) -> Option<Moment> {
        let at =
            self.told_path.and_then(|it| self.last_heard_by.get(path_index(it)).copied().flatten());
        at.map(|at| at + lately)
    }

    /// Returns true if the contact is in stage member.
    pub(super) fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// Returns the username that the contact last stated; empty if it has stated none.
    pub(super) fn name(&self) -> &str {
        self.profile.as_ref().map_or("", |it| &it.name)
    }

    /// Returns the value of the room clock when the contact joined: the claimed value,
    /// [`Self::claimed_since`]. If the claim is more than [`WITNESS_TOLERANCE_MS`] before
    /// `witnessed_since`, returns `witnessed_since` instead.
    pub(super) fn since(&self) -> RoomClock {
        let claimed = self.claimed_since();
        let is_false = |it: &RoomClock| it.0 > claimed.0.saturating_add(WITNESS_TOLERANCE_MS);
        self.witnessed_since.filter(is_false).unwrap_or(claimed)
    }

    /// Returns the value of the room clock since which the contact holds its name, for conflicts
    /// about names. It is the value when the contact joined. If the contact is known to have
    /// changed its name after that, it is the value at the change.
    pub(super) fn name_since(&self) -> RoomClock {
        self.renamed_at.map_or(self.since(), |it| it.max(self.since()))
    }

    /// Returns the value of the room clock at which the contact claims to have joined. If it has
    /// stated none, returns the greatest possible value, so that the contact counts as the most
    /// junior.
    pub(super) fn claimed_since(&self) -> RoomClock {
        self.profile.as_ref().map_or(RoomClock(u64::MAX), |it| it.since)
    }
}

/// Returns the index of a path in [`Contact::last_heard_by`].
const fn path_index(path: Path) -> usize {
    match path {
        Path::GroupV4 => 0,
        Path::GroupV6 => 1,
        Path::Broadcast => 2,
    }
}
