//! State of one other peer: section 11, and the tables of section 16.

use std::net::SocketAddr;
use std::time::Duration;

use super::replay_window::ReplayWindow;
use crate::model::{AddressGroup, Moment, NameKey, Path, PathSet, PeerId, RoomClock, TokenBucket};
use crate::wire::udp::Signer;

/// Time in milliseconds by which a peer may claim to have come before this one has noticed it: its
/// first packets may be lost.
const WITNESS_TOLERANCE_MS: u64 = 5_000;
/// Maximum number of addresses remembered per peer.
const MAX_ADDRESSES: usize = 4;
/// Rate limit for control packets received from one sender: burst, and packets per minute.
const CONTROL_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for unrequested entries received of one author: burst, and entries per minute.
const ENTRY_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for entries sent to one peer because it requested them: burst, and entries per
/// minute.
const ANSWER_RATE_PER_PEER: (u32, u32) = (128, 6_000);

/// Stage of another peer, as this peer sees it: the last state table of section 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Listed in a page of a verified peer; no control packet of it has arrived.
    Listed,
    /// A control packet of it has arrived; it is not a member yet, or not again.
    Heard,
    /// Member of the room.
    Member,
    /// Gone: it was a member and timed out, or it has sent `bye`.
    Gone {
        /// Time at which it timed out or its `bye` arrived.
        at: Moment,
    },
}

/// Name and joining time of a peer, as it states them in `agree` and `heartbeat`.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Username; not validated.
    pub(super) name: String,
    /// Comparison key of the username.
    pub(super) key: NameKey,
    /// Value of the room clock when the peer joined. If the peer's room clock is far from this
    /// peer's one, it is converted to the latter.
    pub(super) since: RoomClock,
}

/// One address of a peer, its last use, and whether it is verified.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// The socket address.
    address: SocketAddr,
    /// Time of the last control packet from this address; `None` if the address was only suggested.
    last_heard: Option<Moment>,
    /// True if the peer has proved that it receives at this address: a cookie sent there, or the
    /// nonce of this candidate (in an `agree`), has come back.
    is_verified: bool,
}

/// State kept for one other peer.
#[derive(Debug)]
pub(super) struct Contact {
    /// Its public key and incarnation; `None` until a control packet has arrived.
    pub(super) signer: Option<Signer>,
    /// Stage of the peer. Change it by `Contacts::set_stage` only.
    pub(super) stage: Stage,
    /// True if the peer is verified to be alive: a cookie or, in an `agree`, this candidate's nonce
    /// has come back from it, or a verified peer's page has listed it. Set to false when a member
    /// is marked as gone, and when a gone peer returns.
    pub(super) is_verified: bool,
    /// Profile that it last stated; `None` before the first. Change it by `Contacts::set_profile`
    /// only.
    pub(super) profile: Option<Profile>,
    /// Value of this peer's room clock when the contact was added, if this peer was a settled member
    /// then: it has seen the other one come. `None` if the other one may have been there before.
    /// Moves along when the room clock jumps.
    pub(super) witnessed_since: Option<RoomClock>,
    /// True if it has been a member, as far as this peer knows.
    pub(super) was_member: bool,
    /// True if it has announced itself to this peer as a member: it was not in the room before.
    pub(super) has_announced: bool,
    /// Value of this peer's room clock when this member took its name, if it had another one before.
    /// Moves along when the room clock jumps.
    pub(super) renamed_at: Option<RoomClock>,
    /// Known addresses of the peer, at most [`MAX_ADDRESSES`].
    addresses: Vec<Address>,
    /// Anti-replay window of its packet counters.
    pub(super) window: ReplayWindow,
    /// Rate limit for control packets received from it.
    pub(super) controls: TokenBucket,
    /// Rate limit for entries sent to it because it requested them.
    pub(super) answers: TokenBucket,
    /// Rate limit for entries of its own log that arrive unrequested.
    pub(super) entries: TokenBucket,
    /// Time at which this contact was added (by a packet or a page), or at which its first packet
    /// came after it was gone.
    pub(super) first_heard: Moment,
    /// Time since which this peer and the contact have been together: when the contact was added,
    /// when it returned after it was gone (by a packet or a page), or when a suspension of this
    /// machine ended, whichever was last.
    pub(super) met_at: Moment,
    /// Time at which its current state began: when the contact was added, or a packet came after it
    /// was gone; then when it first stated a name; then when it or this peer became a member.
    pub(super) known_at: Moment,
    /// Time of its last control packet; `None` if none has arrived.
    pub(super) last_heard: Option<Moment>,
    /// Latest time at which this peer heard it, or another peer did according to its page. Starts
    /// with the time of adding the contact; a suspension of this machine moves it forward.
    pub(super) last_vouched: Moment,
    /// Time of the last packet or copy that arrived by each path, in the order of [`path_index`];
    /// `None`: never.
    last_heard_by: [Option<Moment>; 3],
    /// Preferred path that it was told to use, as its `pong` has confirmed; `None`: no path, so it
    /// sends unicast copies. Starts with the IPv4 group, which new members assume.
    pub(super) told_path: Option<Path>,
    /// True if a later `ping` or `pong`, which may have been lost, has told it another path than
    /// `told_path`.
    pub(super) is_told_uncertain: bool,
    /// Preferred path stated in the last ping to it; `None`: no path, or no ping yet.
    pub(super) pinged_path: Option<Path>,
    /// Paths by which it hears this peer, as it last stated; `None` if it has stated nothing.
    pub(super) hears: Option<PathSet>,
    /// True if it has answered an announce that went out by paths only, so that it hears some path.
    pub(super) has_answered_by_path: bool,
    /// Packet counter of the packet that stated `hears`; statements with a smaller counter are
    /// ignored.
    pub(super) hears_counter: u64,
    /// Earliest time of the next ping to it; `None` if no series of pings is in progress.
    pub(super) ping_at: Option<Moment>,
    /// Number of pings in the current series, which a `pong` or being gone ends.
    pub(super) pings: u32,
    /// True if it was pinged since its last control packet arrived.
    pub(super) is_pinged: bool,
    /// True if it was sent a `want` since its last control packet arrived.
    pub(super) is_asked: bool,
    /// True if a verified address of it is needed, so that it is to be pinged. Cleared when an
    /// address is verified.
    pub(super) needs_verified_address: bool,
    /// Peer whose page has listed it, which is asked for its address: the last one while it is in
    /// stage listed or silent, otherwise the first. `None` if no page has listed it.
    pub(super) listed_by: Option<PeerId>,
    /// Time of the next `where` about it; `None` if none is scheduled.
    pub(super) where_at: Option<Moment>,
    /// Clock skew in milliseconds: how far its wall clock is ahead of this machine's. It is the one
    /// closer to zero of the last two measurements, and 0 before the second.
    pub(super) skew: i64,
    /// Last measurement of the clock skew, in milliseconds; `None` before the first.
    last_skew: Option<i64>,
    /// True if the user was told about the clock skew.
    pub(super) is_skew_reported: bool,
    /// Number of heartbeats received since a time, and that time, for the loss estimate. Counted
    /// anew when it becomes a member, and after `heartbeats::LOSS_WINDOW` heartbeats.
    pub(super) heartbeats: (u32, Moment),
    /// Greatest sequence of this peer's own log that the other peer is known to have, by its pages;
    /// `None` if they have never listed this peer.
    pub(super) has_own_up_to: Option<u32>,
}

impl Contact {
    /// Creates a contact in this stage, with all its times set to `now` and nothing else known.
    pub(super) fn new(now: Moment, stage: Stage) -> Self {
        Self {
            signer: None,
            stage,
            is_verified: false,
            profile: None,
            witnessed_since: None,
            was_member: false,
            has_announced: false,
            renamed_at: None,
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
            is_pinged: false,
            is_asked: false,
            needs_verified_address: false,
            listed_by: None,
            where_at: None,
            skew: 0,
            last_skew: None,
            is_skew_reported: false,
            heartbeats: (0, now),
            has_own_up_to: None,
        }
    }

    /// Records the time, path and source address of a control packet that is no duplicate. Adds a
    /// new address, and clears `is_pinged`, `is_asked` and `where_at`.
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

    /// Records that a copy of its newest packet has arrived by this path. Changes only the time of
    /// the path.
    pub(super) fn record_copy(&mut self, now: Moment, path: Path) {
        if let Some(slot) = self.last_heard_by.get_mut(path_index(path)) {
            *slot = Some(now);
        }
    }

    /// Returns true if nothing has arrived from it by this path for the time `lately` or longer.
    pub(super) fn is_path_silent(&self, now: Moment, path: Path, lately: Duration) -> bool {
        !self.recent_paths(now, lately).has(path)
    }

    /// Records a measurement of the clock skew in milliseconds. `skew` becomes the one closer to
    /// zero of the last two, because a packet may have been delayed; 0 after the first.
    pub(super) fn note_skew(&mut self, skew: i64) {
        let before = self.last_skew.replace(skew).unwrap_or(0);
        self.skew = if before.unsigned_abs() < skew.unsigned_abs() { before } else { skew };
    }

    /// Adds an unverified address. If there are [`MAX_ADDRESSES`] already, it replaces an
    /// unverified one if there is one, and of those the one heard least recently (never heard
    /// first). Verified ones are kept longer because recordings can be replayed from any address.
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

    /// Adds an address that another peer has stated. Does nothing if the address is known, or if a
    /// control packet of the peer itself has arrived within `patience`.
    pub(super) fn suggest_address(&mut self, now: Moment, patience: Duration, address: SocketAddr) {
        let is_silent = self.is_silent(now, patience);
        if is_silent && !self.addresses().any(|it| it == address) {
            self.add_address(address, None);
        }
    }

    /// Returns true if no control packet of it has arrived for the time `patience`, or ever.
    pub(super) fn is_silent(&self, now: Moment, patience: Duration) -> bool {
        self.last_heard.is_none_or(|it| now.since(it) >= patience)
    }

    /// Returns true if anything has ever arrived from it by a path, rather than by unicast.
    pub(super) fn is_heard_by_path(&self) -> bool {
        self.last_heard_by.iter().any(Option::is_some)
    }

    /// Returns the address that it seems to have moved to: an unverified one from which it was
    /// heard, while nothing came from its verified ones for the time `patience` before. Only
    /// addresses of the family of the verified one that was heard last count: a peer that sends by
    /// paths of both families has an address of each. `None` if there is none, or it has no
    /// verified address.
    fn moved_to(&self, patience: Duration) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        let proven = verified.max_by_key(|it| it.last_heard)?;
        let others = self
            .addresses
            .iter()
            .filter(|it| !it.is_verified && it.address.is_ipv4() == proven.address.is_ipv4());
        let new = others.max_by_key(|it| it.last_heard)?;
        let (before, at) = (proven.last_heard.unwrap_or_default(), new.last_heard?);
        (at.since(before) >= patience).then_some(new.address)
    }

    /// Returns true if it seems to have moved to another address, which is to be verified.
    pub(super) fn has_moved(&self, patience: Duration) -> bool {
        self.moved_to(patience).is_some()
    }

    /// Returns the address to ping: the one that it seems to have moved to, else the best one. If
    /// it is silent for the time `patience`, all known ones in turns. `None` if none is known.
    pub(super) fn address_to_ping(&self, now: Moment, patience: Duration) -> Option<SocketAddr> {
        if let Some(address) = self.moved_to(patience) {
            return Some(address);
        }
        if !self.is_silent(now, patience) {
            return self.address();
        }
        let mut known: Vec<_> = self.addresses.iter().collect();
        known.sort_by_key(|it| std::cmp::Reverse((it.is_verified, it.last_heard)));
        let turn = usize::try_from(self.pings).unwrap_or(0).checked_rem(known.len())?;
        known.get(turn).map(|it| it.address)
    }

    /// Marks the peer as verified, and this address if it is known, after a cookie or a nonce has
    /// come back. Clears `needs_verified_address`.
    pub(super) fn verify_address(&mut self, address: SocketAddr) {
        self.is_verified = true;
        self.needs_verified_address = false;
        if let Some(known) = self.addresses.iter_mut().find(|it| it.address == address) {
            known.is_verified = true;
        }
    }

    /// Returns true if any address of the peer is known.
    pub(super) const fn has_address(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Returns all known addresses, verified or not.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().map(|it| it.address)
    }

    /// Returns true if a control packet has come from this address and the address is still
    /// remembered.
    pub(super) fn has_sent_from(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|it| it.address == address && it.last_heard.is_some())
    }

    /// Returns the best address to send to: the verified one heard last, else the unverified one
    /// heard last, else a suggested one. `None` if no address is known.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().max_by_key(|it| (it.is_verified, it.last_heard)).map(|it| it.address)
    }

    /// Returns the verified address that was heard last; `None` if none is verified. Answers larger
    /// than their questions go only there.
    pub(super) fn verified_address(&self) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        verified.max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the address group of the best known address. Limits count the peers of a group
    /// together, because one machine could invent them all. `None` if no address is known.
    ///
    /// An IPv4 address comes first: it says more than an IPv6 network, which many may share.
    pub(super) fn group(&self) -> Option<AddressGroup> {
        let best = self
            .addresses
            .iter()
            .max_by_key(|it| (it.is_verified, it.address.is_ipv4(), it.last_heard));
        best.map(|it| AddressGroup::of_peer(it.address.ip()))
    }

    /// Returns the address heard last that may be passed on in `peers`, verified or not: IPv4, or
    /// IPv6 other than link-local. `None` if none was heard.
    pub(super) fn shareable_address(&self) -> Option<SocketAddr> {
        let is_lasting = |it: &&Address| match it.address {
            SocketAddr::V4(_) => true,
            SocketAddr::V6(it) => !it.ip().is_unicast_link_local(),
        };
        let heard = self.addresses.iter().filter(|it| it.last_heard.is_some());
        heard.filter(is_lasting).max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the paths by which a packet or copy has arrived from it less than `lately` ago.
    pub(super) fn recent_paths(&self, now: Moment, lately: Duration) -> PathSet {
        Path::ALL.into_iter().zip(self.last_heard_by).fold(PathSet::NONE, |heard, (path, at)| {
            if at.is_some_and(|at| now.since(at) < lately) { heard.with(path) } else { heard }
        })
    }

    /// Returns the time at which the told path counts as failed if nothing more arrives by it:
    /// `lately` after the last packet. `None` if it was told to use no path, or nothing has ever
    /// arrived by it.
    pub(super) fn told_path_expires(&self, lately: Duration) -> Option<Moment> {
        let at =
            self.told_path.and_then(|it| self.last_heard_by.get(path_index(it)).copied().flatten());
        at.map(|at| at + lately)
    }

    /// Returns true if the peer is in stage member.
    pub(super) fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// Returns the username that it last stated; empty if it has stated none.
    pub(super) fn name(&self) -> &str {
        self.profile.as_ref().map_or("", |it| &it.name)
    }

    /// Returns the value of the room clock when it joined: the one that it claims, unless it is
    /// earlier than this peer has seen it come by more than [`WITNESS_TOLERANCE_MS`]. The greatest possible value if it has stated none, so that
    /// it counts as the most junior.
    pub(super) fn since(&self) -> RoomClock {
        let claimed = self.claimed_since();
        let is_false = |it: &RoomClock| it.0 > claimed.0.saturating_add(WITNESS_TOLERANCE_MS);
        self.witnessed_since.filter(is_false).unwrap_or(claimed)
    }

    /// Returns the value of the room clock when it joined, as it claims; the greatest possible value
    /// if it has stated none.
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
