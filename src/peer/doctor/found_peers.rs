//! Peers of this room that the doctor has found, by their heartbeats and pongs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::model::{Path, PathSet, PeerId};

/// Maximum number of peers that are remembered. Further peers are ignored.
const MAX_PEERS: usize = 1_000;

/// Maximum number of addresses of one peer that are pinged. The addresses seen first are pinged.
const MAX_ADDRESSES: usize = 4;

/// Maximum number of unicast pings to one address of a peer. One ping is not enough, because it may
/// be lost.
const MAX_PINGS_PER_ADDRESS: u32 = 3;

/// Path on one network interface, such as the IPv4 group on `eth0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InterfacePath {
    /// Name of the network interface.
    pub(super) interface: String,
    /// Multicast group or broadcast.
    pub(super) path: Path,
}

/// Results about one peer of this room.
#[derive(Clone, Debug)]
pub(super) struct FoundPeer {
    /// Username in its last heartbeat, made safe to display; `None` if no heartbeat was received.
    pub(super) name: Option<String>,
    /// Source address of the first heartbeat or pong.
    pub(super) address: SocketAddr,
    /// True if that address is one of this machine's own.
    pub(super) is_local: bool,
    /// Paths on which the peer's heartbeats have arrived.
    pub(super) heard_on: BTreeSet<InterfacePath>,
    /// Paths by which pings reached the peer: it has answered pings that were sent on them.
    pub(super) answered_on: BTreeSet<InterfacePath>,
    /// True if the peer has answered a unicast ping, sent to its own address or to a host that the
    /// user has named.
    pub(super) answers_unicast: bool,
    /// Number of unicast pings sent to each source address of the peer.
    pings_sent: BTreeMap<SocketAddr, u32>,
}

impl FoundPeer {
    /// Returns the paths by which pings reached the peer, on any interface.
    pub(super) fn paths(&self) -> PathSet {
        self.answered_on.iter().fold(PathSet::NONE, |paths, it| paths.with(it.path))
    }

    /// Returns true if the peer has answered any ping, sent by unicast or on a path.
    pub(super) fn has_answered(&self) -> bool {
        self.answers_unicast || !self.answered_on.is_empty()
    }

    /// Returns the addresses to ping now, and counts the pings. These are the addresses with fewer
    /// than [`MAX_PINGS_PER_ADDRESS`] pings so far. There are none once the peer answers unicast.
    fn take_next_pings(&mut self) -> impl Iterator<Item = SocketAddr> {
        let needs_ping = !self.answers_unicast;
        let due = self
            .pings_sent
            .iter_mut()
            .filter(move |(_, count)| needs_ping && **count < MAX_PINGS_PER_ADDRESS);
        due.map(|(address, count)| {
            *count += 1;
            *address
        })
    }
}

/// Peers of this room that were found, except those that have sent `bye`.
#[derive(Debug, Default)]
pub(super) struct FoundPeers {
    /// Found peers by peer id.
    pub(super) by_id: BTreeMap<PeerId, FoundPeer>,
    /// True if no new peer is added, because too little time is left for its answers.
    pub(super) is_frozen: bool,
}

impl FoundPeers {
    /// Records that a heartbeat or pong of a peer came from an address. Returns the peer's results.
    /// `None` if the peer is new and cannot be added, because the set is frozen or holds
    /// [`MAX_PEERS`].
    pub(super) fn record(
        &mut self,
        id: PeerId,
        from: SocketAddr,
        is_local: bool,
    ) -> Option<&mut FoundPeer> {
        let is_full = self.is_frozen || self.by_id.len() >= MAX_PEERS;
        if is_full && !self.by_id.contains_key(&id) {
            return None;
        }
        let peer = self.by_id.entry(id).or_insert_with(|| FoundPeer {
            name: None,
            address: from,
            is_local,
            heard_on: BTreeSet::new(),
            answered_on: BTreeSet::new(),
            answers_unicast: false,
            pings_sent: BTreeMap::new(),
        });
        if peer.pings_sent.len() < MAX_ADDRESSES {
            peer.pings_sent.entry(from).or_default();
        }
        Some(peer)
    }

    /// Returns the addresses of all peers to ping now, and counts the pings.
    pub(super) fn take_next_pings(&mut self) -> Vec<SocketAddr> {
        self.by_id.values_mut().flat_map(FoundPeer::take_next_pings).collect()
    }

    /// Returns the peers on which the conclusion rests: the peers on other machines, or, if there
    /// are none, the peers on this machine.
    pub(super) fn relevant(&self) -> Vec<&FoundPeer> {
        let is_elsewhere = self.has_remote_peer();
        self.by_id.values().filter(|it| it.is_local != is_elsewhere).collect()
    }

    /// Returns true if a peer on another machine was found.
    pub(super) fn has_remote_peer(&self) -> bool {
        self.by_id.values().any(|it| !it.is_local)
    }

    /// Returns true if a multicast group works in both directions on one interface: a peer on
    /// another machine has answered a ping sent on it, and a heartbeat of a peer on another machine
    /// has arrived on it.
    pub(super) fn has_two_way_group(&self) -> bool {
        let elsewhere = || self.by_id.values().filter(|it| !it.is_local);
        let mut answered = elsewhere().flat_map(|it| &it.answered_on);
        answered.any(|interface_path| {
            interface_path.path != Path::Broadcast
                && elsewhere().any(|it| it.heard_on.contains(interface_path))
        })
    }
}
