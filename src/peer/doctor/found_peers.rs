//! Peers of this room that the doctor has found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::model::{Path, PathSet, PeerId};

/// Maximum number of peers remembered.
const MAX_PEERS: usize = 1_000;

/// Maximum number of addresses of one peer that are pinged.
const MAX_ADDRESSES: usize = 4;

/// Maximum number of pings to one address; several, because some may be lost.
const MAX_PINGS_PER_ADDRESS: u32 = 3;

/// Path on one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InterfacePath {
    /// Name of the interface.
    pub(super) interface: String,
    /// Path.
    pub(super) path: Path,
}

/// Findings about one peer.
#[derive(Clone, Debug)]
pub(super) struct FoundPeer {
    /// Username, if a heartbeat was received.
    pub(super) name: Option<String>,
    /// Address from which it was first heard.
    pub(super) address: SocketAddr,
    /// True if it runs on this machine.
    pub(super) is_local: bool,
    /// Paths by which it was heard.
    pub(super) heard_on: BTreeSet<InterfacePath>,
    /// Paths on which pings reached it.
    pub(super) answered_on: BTreeSet<InterfacePath>,
    /// True if it has answered a unicast ping.
    pub(super) answers_unicast: bool,
    /// Number of pings sent to each of its addresses.
    pings_sent: BTreeMap<SocketAddr, u32>,
}

impl FoundPeer {
    /// Returns the set of paths on which pings reached it.
    pub(super) fn paths(&self) -> PathSet {
        self.answered_on.iter().fold(PathSet::NONE, |paths, it| paths.with(it.path))
    }

    /// Returns true if it has answered any ping.
    pub(super) fn has_answered(&self) -> bool {
        self.answers_unicast || !self.answered_on.is_empty()
    }

    /// Returns the addresses to ping now, and counts the pings.
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

/// All peers found.
#[derive(Debug, Default)]
pub(super) struct FoundPeers {
    /// Peers by id.
    pub(super) by_id: BTreeMap<PeerId, FoundPeer>,
    /// True when it is too late for new peers to answer: none is added any more.
    pub(super) is_frozen: bool,
}

impl FoundPeers {
    /// Records that a peer was heard from an address. Returns `None` if it is not remembered.
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

    /// Returns the peers that count for the conclusion: those on other machines or, if there are
    /// none, those on this one.
    pub(super) fn relevant(&self) -> Vec<&FoundPeer> {
        let is_elsewhere = self.has_remote_peer();
        self.by_id.values().filter(|it| it.is_local != is_elsewhere).collect()
    }

    /// Returns true if a peer runs on another machine.
    pub(super) fn has_remote_peer(&self) -> bool {
        self.by_id.values().any(|it| !it.is_local)
    }

    /// Returns true if a multicast group is known to work in both directions with other machines.
    pub(super) fn has_two_way_group(&self) -> bool {
        let elsewhere = || self.by_id.values().filter(|it| !it.is_local);
        let mut answered = elsewhere().flat_map(|it| &it.answered_on);
        answered.any(|interface_path| {
            interface_path.path != Path::Broadcast
                && elsewhere().any(|it| it.heard_on.contains(interface_path))
        })
    }
}
