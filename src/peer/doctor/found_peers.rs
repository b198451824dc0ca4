//! The peers of this room that the doctor has found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::model::{Path, PathSet, PeerId};

/// FoundPeers that are remembered.
const MAX_PEERS: usize = 1_000;

/// Addresses of one peer that are tried.
const MAX_ADDRESSES: usize = 4;

/// Pings to one address, for some may be lost.
const MAX_PINGS: u32 = 3;

/// A way by one interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InterfacePath {
    /// The interface's name.
    pub(super) interface: String,
    /// The way.
    pub(super) path: Path,
}

/// What is known of one peer.
#[derive(Clone, Debug)]
pub(super) struct FoundPeer {
    /// What it calls itself, if it has been heard to.
    pub(super) name: Option<String>,
    /// Where it was first heard from.
    pub(super) address: SocketAddr,
    /// It is on this machine.
    pub(super) is_local: bool,
    /// It has been heard by these.
    pub(super) heard: BTreeSet<InterfacePath>,
    /// It has answered what was sent by these.
    pub(super) answered: BTreeSet<InterfacePath>,
    /// It has answered what was sent to it alone.
    pub(super) by_unicast: bool,
    /// Where it has been heard from, and how often it was pinged there.
    pings: BTreeMap<SocketAddr, u32>,
}

impl FoundPeer {
    /// By which ways it has answered.
    pub(super) fn paths(&self) -> PathSet {
        self.answered.iter().fold(PathSet::NONE, |paths, it| paths.with(it.path))
    }

    /// Whether it has answered at all.
    pub(super) fn has_answered(&self) -> bool {
        self.by_unicast || !self.answered.is_empty()
    }

    /// Where it is to be pinged now.
    fn next_pings(&mut self) -> impl Iterator<Item = SocketAddr> {
        let is_due = !self.by_unicast;
        let due = self.pings.iter_mut().filter(move |(_, count)| is_due && **count < MAX_PINGS);
        due.map(|(address, count)| {
            *count += 1;
            *address
        })
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct FoundPeers {
    /// By id.
    pub(super) all: BTreeMap<PeerId, FoundPeer>,
    /// So late in the probe that it could not answer any more, a peer is
    /// not added.
    pub(super) is_closed: bool,
}

impl FoundPeers {
    /// Somebody has been heard from there; `None` if it is not remembered.
    pub(super) fn record(
        &mut self,
        id: PeerId,
        from: SocketAddr,
        is_local: bool,
    ) -> Option<&mut FoundPeer> {
        let is_full = self.is_closed || self.all.len() >= MAX_PEERS;
        if is_full && !self.all.contains_key(&id) {
            return None;
        }
        let peer = self.all.entry(id).or_insert_with(|| FoundPeer {
            name: None,
            address: from,
            is_local,
            heard: BTreeSet::new(),
            answered: BTreeSet::new(),
            by_unicast: false,
            pings: BTreeMap::new(),
        });
        if peer.pings.len() < MAX_ADDRESSES {
            peer.pings.entry(from).or_default();
        }
        Some(peer)
    }

    /// Where to ping somebody now.
    pub(super) fn next_pings(&mut self) -> Vec<SocketAddr> {
        self.all.values_mut().flat_map(FoundPeer::next_pings).collect()
    }

    /// Those that count: on other machines, or where there are none, on this
    /// one.
    pub(super) fn relevant(&self) -> Vec<&FoundPeer> {
        let is_elsewhere = self.has_remote_peer();
        self.all.values().filter(|it| it.is_local != is_elsewhere).collect()
    }

    /// Whether there is one on another machine.
    pub(super) fn has_remote_peer(&self) -> bool {
        self.all.values().any(|it| !it.is_local)
    }

    /// Whether a group is known to work with another machine both ways.
    pub(super) fn has_two_way_group(&self) -> bool {
        let elsewhere = || self.all.values().filter(|it| !it.is_local);
        let mut answered = elsewhere().flat_map(|it| &it.answered);
        answered.any(|link| {
            link.path != Path::Broadcast && elsewhere().any(|it| it.heard.contains(link))
        })
    }
}
