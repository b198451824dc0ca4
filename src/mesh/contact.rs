//! State of one other peer: section 11, and the tables of section 16.

use std::net::SocketAddr;
use std::time::Duration;

use super::replay_window::ReplayWindow;
use crate::model::{Moment, NameKey, Path, PathSet, PeerId, RoomClock, TokenBucket};
use crate::wire::udp::Signer;

/// Maximum number of addresses remembered per peer.
const MAX_ADDRESSES: usize = 4;
/// Rate limit for control packets of one sender: burst, and packets per minute.
const CONTROL_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for unrequested entries of one author: burst, and entries per minute.
const ENTRY_RATE: (u32, u32) = (200, 3_000);
/// Rate limit for entries served to one peer on request: burst, and entries per minute.
const ANSWER_RATE_PER_PEER: (u32, u32) = (128, 6_000);

/// Stage of another peer, as this peer sees it: the last state table of section 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Listed in a page of a verified peer; no packet of it has arrived.
    Listed,
    /// A control packet of it has arrived; it is not a member (yet).
    Heard,
    /// Member of the room.
    Member,
    /// Was a member, or said goodbye, and has gone.
    Gone {
        /// Time at which it went.
        at: Moment,
    },
}

/// Profile of a peer, as it states it in `agree` and `heartbeat`.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// Username; not validated.
    pub(super) name: String,
    /// Comparison key of the username.
    pub(super) key: NameKey,
    /// Room clock's value when the peer came in; converted to this peer's room clock while the two
    /// differ.
    pub(super) since: RoomClock,
}

/// Address of a peer, with what is known about it.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// The socket address.
    address: SocketAddr,
    /// Time of the last control packet from this address; `None` if the address was only suggested.
    last_heard: Option<Moment>,
    /// True if a cookie has come back from this address.
    is_verified: bool,
}

/// State kept for one other peer.
#[derive(Debug)]
pub(super) struct Contact {
    /// Its public key and incarnation; `None` until a control packet has arrived.
    pub(super) signer: Option<Signer>,
    /// Stage of the peer. Change it by `Contacts::set_stage` only.
    pub(super) stage: Stage,
    /// True if it is verified to be alive now, rather than a recording.
    pub(super) is_verified: bool,
    /// Profile that it last stated. Change it by `Contacts::set_profile` only.
    pub(super) profile: Option<Profile>,
    /// Known addresses of the peer, at most [`MAX_ADDRESSES`].
    addresses: Vec<Address>,
    /// Anti-replay window of its packet counters.
    pub(super) window: ReplayWindow,
    /// Rate limit for its control packets.
    pub(super) controls: TokenBucket,
    /// Rate limit for entries served to it on request.
    pub(super) answers: TokenBucket,
    /// Rate limit for its own entries that nobody has requested.
    pub(super) entries: TokenBucket,
    /// Time of its first control packet in this stay.
    pub(super) first_heard: Moment,
    /// Time of its first stated name, then of its becoming a member.
    pub(super) known_at: Moment,
    /// Time of its last control packet; `None` if none has arrived.
    pub(super) last_heard: Option<Moment>,
    /// Latest time at which this peer, or another one according to its page, has heard it.
    pub(super) last_vouched: Moment,
    /// Time of the last packet by each path, in the order of [`path_index`].
    last_heard_by: [Option<Moment>; 3],
    /// Preferred path that it was certainly told to use; `None`: no path, it sends unicast copies.
    pub(super) told_path: Option<Path>,
    /// True if it may have been told another path since, in a packet that may be lost.
    pub(super) is_told_uncertain: bool,
    /// Preferred path that the last ping to it has stated.
    pub(super) pinged_path: Option<Path>,
    /// Paths by which it hears this peer, as it last stated; `None` if it has stated nothing.
    pub(super) hears: Option<PathSet>,
    /// Packet counter of that statement; older statements are ignored.
    pub(super) hears_counter: u64,
    /// Time of the next ping to it, once a ping series has begun.
    pub(super) ping_at: Option<Moment>,
    /// Number of pings in the current series, that is without a `pong`.
    pub(super) pings: u32,
    /// True if it was pinged since it was last heard.
    pub(super) is_pinged: bool,
    /// True if it was sent a `want` since it was last heard. Kept up for peers without a verified
    /// address.
    pub(super) is_asked: bool,
    /// True if something waits for a verified address of it, so that a ping is needed.
    pub(super) needs_verified_address: bool,
    /// Peer whose page listed it last; that peer is asked for its address.
    pub(super) listed_by: Option<PeerId>,
    /// Time of the next `where` about it.
    pub(super) where_at: Option<Moment>,
    /// Clock skew in milliseconds: how far its wall clock is ahead of this machine's; the smaller
    /// of the last two measurements.
    pub(super) skew: i64,
    /// Last measurement of the clock skew, in milliseconds.
    last_skew: Option<i64>,
    /// True if the user was told about the clock skew.
    pub(super) is_skew_reported: bool,
    /// Number of heartbeats received since a time, for the loss estimate. Starts again after
    /// `heartbeats::LOSS_WINDOW` heartbeats.
    pub(super) heartbeats: (u32, Moment),
    /// Greatest sequence of this peer's own log that it is known to have; `None` if its pages have
    /// never listed this peer.
    pub(super) has_own_up_to: Option<u32>,
}

impl Contact {
    /// Creates a contact in this stage, with nothing known about it.
    pub(super) fn new(now: Moment, stage: Stage) -> Self {
        Self {
            signer: None,
            stage,
            is_verified: false,
            profile: None,
            addresses: Vec::new(),
            window: ReplayWindow::default(),
            controls: TokenBucket::new(CONTROL_RATE.0, CONTROL_RATE.1),
            answers: TokenBucket::new(ANSWER_RATE_PER_PEER.0, ANSWER_RATE_PER_PEER.1),
            entries: TokenBucket::new(ENTRY_RATE.0, ENTRY_RATE.1),
            first_heard: now,
            known_at: now,
            last_heard: None,
            last_vouched: now,
            last_heard_by: [None; 3],
            told_path: Some(Path::GroupV4),
            is_told_uncertain: false,
            pinged_path: None,
            hears: None,
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

    /// Records a control packet that is no duplicate: time, path and source address.
    pub(super) fn record_packet(&mut self, now: Moment, from: SocketAddr, path: Option<Path>) {
        self.last_heard = Some(now);
        self.last_vouched = now;
        (self.is_pinged, self.is_asked) = (false, false);
        if let Some(slot) = path.and_then(|it| self.last_heard_by.get_mut(path_index(it))) {
            *slot = Some(now);
        }
        match self.addresses.iter_mut().find(|it| it.address == from) {
            Some(known) => known.last_heard = Some(now),
            None => self.add_address(from, Some(now)),
        }
    }

    /// Records that a copy of the latest packet has come by another path.
    pub(super) fn record_copy(&mut self, now: Moment, path: Path) {
        if let Some(slot) = self.last_heard_by.get_mut(path_index(path)) {
            *slot = Some(now);
        }
    }

    /// Returns true if nothing has come by this path within `lately`.
    pub(super) fn is_path_silent(&self, now: Moment, path: Path, lately: Duration) -> bool {
        !self.recent_paths(now, lately).has(path)
    }

    /// Records a measurement of the clock skew in milliseconds. Of the last two the one closer to
    /// zero counts, because a packet may have been delayed.
    pub(super) fn note_skew(&mut self, skew: i64) {
        let before = self.last_skew.replace(skew).unwrap_or(0);
        self.skew = if before.unsigned_abs() < skew.unsigned_abs() { before } else { skew };
    }

    /// Adds an address. If all places are taken, it replaces the one not heard for longest,
    /// unverified ones first, because recordings can be replayed from any address.
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

    /// Adds an address that another peer has named, unless this peer was heard itself.
    pub(super) fn suggest_address(&mut self, address: SocketAddr) {
        if self.last_heard.is_none() && !self.addresses().any(|it| it == address) {
            self.add_address(address, None);
        }
    }

    /// Marks the peer and this address of it as verified, after its cookie has come back.
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

    /// Returns true if a control packet has come from this address.
    pub(super) fn has_sent_from(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|it| it.address == address && it.last_heard.is_some())
    }

    /// Returns the best address to send to: the verified one heard last, else the one heard last,
    /// else a suggested one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().max_by_key(|it| (it.is_verified, it.last_heard)).map(|it| it.address)
    }

    /// Returns the verified address that was heard last. Answers larger than their questions go
    /// there only.
    pub(super) fn verified_address(&self) -> Option<SocketAddr> {
        let verified = self.addresses.iter().filter(|it| it.is_verified);
        verified.max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the address heard last that may be passed on in `peers`: not an IPv6 link-local one.
    pub(super) fn shareable_address(&self) -> Option<SocketAddr> {
        let is_lasting = |it: &&Address| match it.address {
            SocketAddr::V4(_) => true,
            SocketAddr::V6(it) => !it.ip().is_unicast_link_local(),
        };
        let heard = self.addresses.iter().filter(|it| it.last_heard.is_some());
        heard.filter(is_lasting).max_by_key(|it| it.last_heard).map(|it| it.address)
    }

    /// Returns the paths by which it was heard within `lately`.
    pub(super) fn recent_paths(&self, now: Moment, lately: Duration) -> PathSet {
        Path::ALL.into_iter().zip(self.last_heard_by).fold(PathSet::NONE, |heard, (path, at)| {
            if at.is_some_and(|at| now.since(at) < lately) { heard.with(path) } else { heard }
        })
    }

    /// Returns the time at which the path that it was told to use counts as failed if nothing more
    /// comes by it; `None` if nothing has ever come by it.
    pub(super) fn told_path_expires(&self, lately: Duration) -> Option<Moment> {
        let at =
            self.told_path.and_then(|it| self.last_heard_by.get(path_index(it)).copied().flatten());
        at.map(|at| at + lately)
    }

    /// Returns true if the peer is in stage member.
    pub(super) fn is_member(&self) -> bool {
        self.stage == Stage::Member
    }

    /// Returns its stated username; empty if it has stated none.
    pub(super) fn name(&self) -> &str {
        self.profile.as_ref().map_or("", |it| &it.name)
    }

    /// Returns the room clock's value when it came in; the greatest possible value if it has stated
    /// none.
    pub(super) fn since(&self) -> RoomClock {
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
