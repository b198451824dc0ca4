//! Peers of this room that the doctor has found, by their heartbeats and pongs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::loss::PingLog;
use crate::model::{Path, PathSet, PeerId};

/// Maximum number of peers that are remembered. Further peers are ignored.
const MAX_PEERS: usize = 1_000;

/// Maximum number of addresses of one peer that are pinged. The addresses seen first are pinged.
const MAX_ADDRESSES: usize = 4;

/// Maximum number of unicast pings to one address of a peer that has not answered unicast. One ping
/// is not enough, because it may be lost.
const MAX_UNANSWERED_PINGS: u32 = 6;

/// Number of unicast pings by which the loss of a peer that answers unicast is measured.
const MEASURING_PINGS: u32 = 20;

/// Maximum number of peers whose loss is measured by unicast pings.
const MAX_MEASURED_PEERS: usize = 5;

/// Maximum number of unicast pings to all found peers together. The last round may exceed it.
const MAX_UNICAST_PINGS: usize = 4_000;

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
    /// Paths on which the peer was pinged, and has answered.
    pub(super) answered_on: BTreeSet<InterfacePath>,
    /// True if the peer has answered a unicast ping, sent to its own address or to a host that the
    /// user has named.
    pub(super) answers_unicast: bool,
    /// Rounds whose pings the peer has answered, by path. Pings from the shared socket belong to no
    /// round.
    pub(super) answered_rounds: BTreeMap<InterfacePath, BTreeSet<u32>>,
    /// Unicast pings to each of the first [`MAX_ADDRESSES`] source addresses of the peer, and their
    /// answers.
    pub(super) unicast_pings: BTreeMap<SocketAddr, PingLog>,
}

impl FoundPeer {
    /// Creates a peer without results.
    pub(super) const fn new(address: SocketAddr, is_local: bool) -> Self {
        Self {
            name: None,
            address,
            is_local,
            heard_on: BTreeSet::new(),
            answered_on: BTreeSet::new(),
            answers_unicast: false,
            answered_rounds: BTreeMap::new(),
            unicast_pings: BTreeMap::new(),
        }
    }

    /// Returns the paths by which pings reached the peer, on any interface.
    pub(super) fn paths(&self) -> PathSet {
        self.answered_on.iter().fold(PathSet::NONE, |paths, it| paths.with(it.path))
    }

    /// Returns true if the peer has answered any ping, sent by unicast or on a path.
    pub(super) fn has_answered(&self) -> bool {
        self.answers_unicast || !self.answered_on.is_empty()
    }

    /// Records an answer to a ping on a path. `round`: round of the ping; `None` if the ping was
    /// sent from the shared socket.
    pub(super) fn record_path_answer(
        &mut self,
        interface_path: &InterfacePath,
        round: Option<u32>,
    ) {
        self.answered_on.insert(interface_path.clone());
        self.answered_rounds.entry(interface_path.clone()).or_default().extend(round);
    }

    /// Records an answer to the unicast ping with this number to this address.
    pub(super) fn record_unicast_answer(&mut self, address: SocketAddr, number: u32) {
        self.answers_unicast = true;
        if let Some(log) = self.unicast_pings.get_mut(&address) {
            log.answered.insert(number);
        }
    }

    /// Returns true if the peer has answered pings from the shared socket and none from the own
    /// socket, though enough unicast pings were sent to it.
    pub(super) fn answers_shared_socket_only(&self) -> bool {
        let has_path_answer = self.answered_rounds.values().any(|it| !it.is_empty());
        !self.answered_on.is_empty() && !has_path_answer && self.is_silent_to_unicast()
    }

    /// Returns true if the peer has answered no unicast ping, though it was sent
    /// [`MAX_UNANSWERED_PINGS`] or more.
    pub(super) fn is_silent_to_unicast(&self) -> bool {
        let sent = self.unicast_pings.values().map(|it| it.sent).sum::<u32>();
        !self.answers_unicast && sent >= MAX_UNANSWERED_PINGS
    }

    /// Returns the addresses to ping now, each with the number of its ping, and counts these pings.
    ///
    /// If the peer has not answered unicast, these are the addresses with fewer than
    /// [`MAX_UNANSWERED_PINGS`] pings, but only in a new round. If it has, and `is_measured` is
    /// true, it is one address that has answered, until [`MEASURING_PINGS`] are sent there.
    fn take_next_pings(&mut self, is_new_round: bool, is_measured: bool) -> Vec<(SocketAddr, u32)> {
        let due: Vec<_> = if self.answers_unicast {
            let answering = self.unicast_pings.iter_mut().find(|(_, it)| !it.answered.is_empty());
            let is_due = |(_, it): &(&SocketAddr, &mut PingLog)| it.sent < MEASURING_PINGS;
            answering.into_iter().filter(|it| is_measured && is_due(it)).collect()
        } else {
            let all = self.unicast_pings.iter_mut();
            all.filter(|(_, it)| is_new_round && it.sent < MAX_UNANSWERED_PINGS).collect()
        };
        let send = |(address, log): (&SocketAddr, &mut PingLog)| (*address, log.next_number());
        due.into_iter().map(send).collect()
    }
}

/// Peers of this room that were found, except those that have sent `bye`.
#[derive(Debug, Default)]
pub(super) struct FoundPeers {
    /// Found peers by peer id.
    pub(super) by_id: BTreeMap<PeerId, FoundPeer>,
    /// Greatest number of members that a peer has stated.
    pub(super) stated_members: usize,
    /// True if no new peer is added and no found peer is pinged by unicast any more, because too
    /// little time is left for the answers.
    pub(super) is_frozen: bool,
    /// Number of unicast pings sent to found peers.
    unicast_pings: usize,
}

impl FoundPeers {
    /// Records that a heartbeat or pong of a peer came from an address. The first [`MAX_ADDRESSES`]
    /// of a peer are then pinged. Returns the peer's results. `None` if the peer is new and cannot
    /// be added, because the set is frozen or holds [`MAX_PEERS`].
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
        let peer = self.by_id.entry(id).or_insert_with(|| FoundPeer::new(from, is_local));
        if peer.unicast_pings.len() < MAX_ADDRESSES {
            peer.unicast_pings.entry(from).or_default();
        }
        Some(peer)
    }

    /// Returns the peers and addresses to ping by unicast now, each with the number of the ping,
    /// and counts the pings. There are none once the set is frozen or [`MAX_UNICAST_PINGS`] are
    /// sent.
    pub(super) fn take_next_pings(&mut self, is_new_round: bool) -> Vec<(PeerId, SocketAddr, u32)> {
        let mut pings = Vec::new();
        if self.is_frozen || self.unicast_pings >= MAX_UNICAST_PINGS {
            return pings;
        }
        let mut measured = 0;
        for (id, peer) in &mut self.by_id {
            measured += usize::from(peer.answers_unicast);
            let is_measured = measured <= MAX_MEASURED_PEERS;
            let addresses = peer.take_next_pings(is_new_round, is_measured);
            pings.extend(addresses.into_iter().map(|(address, number)| (*id, address, number)));
        }
        self.unicast_pings += pings.len();
        pings
    }

    /// Returns true if a unicast ping has no answer yet, though an earlier one to the same address
    /// has.
    pub(super) fn awaits_answers(&self) -> bool {
        let mut logs = self.by_id.values().flat_map(|it| it.unicast_pings.values());
        logs.any(|it| it.count().lost() > 0)
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
