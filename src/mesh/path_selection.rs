//! Path selection: the multicast or broadcast paths and the unicast copies that reach everybody.
//! Section 12.

use std::net::SocketAddr;

use super::contact::{Contact, Stage};
use super::{Mesh, Outgoing};
use crate::model::{Path, PathSet};

/// Plan for sending a packet to everybody: multicast or broadcast paths, and unicast addresses.
#[derive(Clone, Debug)]
pub(super) struct SendPlan {
    /// Paths to send by.
    paths: PathSet,
    /// Verified addresses of the peers that none of the paths reaches. These peers get unicast
    /// copies.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Mesh {
    /// Sends one packet by the send plan ([`Self::send_plan`]), with unicast copies as needed: to
    /// all members, and to others that the plan covers. If there is nobody, sends it by the IPv4
    /// group.
    pub(super) fn send_to_all(&mut self, packet: Outgoing) {
        let SendPlan { paths, addresses } = self.send_plan().clone();
        self.send(paths, addresses, packet);
    }

    /// Returns the plan for reaching all members. It also covers the verified peers in stage heard
    /// that have a verified address. The plan is cached until the field `send_plan` is set to
    /// `None`.
    ///
    /// Peers without a verified address get no unicast copies: their address might belong to
    /// somebody else.
    pub(super) fn send_plan(&mut self) -> &SendPlan {
        let is_reached = |it: &Contact| {
            let is_new = it.stage == Stage::Heard && it.is_verified;
            it.is_member() || is_new && it.verified_address().is_some()
        };
        let members = self.contacts.iter().filter(|(_, it)| is_reached(it));
        self.send_plan.get_or_insert_with(|| {
            choose_paths(
                members.map(|(_, it)| (believed_paths(it), it.verified_address())).collect(),
            )
        })
    }
}

/// Returns the paths by which a peer is believed to hear this peer. They are the paths that it has
/// stated; the IPv4 group if it has stated nothing.
///
/// Everybody states the IPv4 group at first, so the IPv4 group alone is doubtful. It is believed if
/// the peer was heard by a path, has answered an announce by paths, or has no verified address.
/// Otherwise returns no path.
fn believed_paths(contact: &Contact) -> PathSet {
    let default = PathSet::NONE.with(Path::GroupV4);
    let stated = contact.hears.unwrap_or(default);
    let is_proven = contact.is_heard_by_path() || contact.has_answered_by_path;
    let is_doubtful = stated == default && !is_proven;
    if is_doubtful && contact.verified_address().is_some() { PathSet::NONE } else { stated }
}

/// Chooses paths greedily. `left` has one pair for each peer: the paths that it hears, and its
/// verified address. Repeatedly takes the path that reaches most of the remaining peers, as long as
/// it reaches at least two. A peer without an address counts as two. The remaining peers with an
/// address get unicast copies. If there are no peers, the plan is the IPv4 group.
///
/// If there is only one peer, a path that reaches it is chosen: that costs the same as unicast, and
/// the peer keeps seeing that the path works.
fn choose_paths(mut left: Vec<(PathSet, Option<SocketAddr>)>) -> SendPlan {
    let mut paths = PathSet::NONE;
    if left.is_empty() {
        return SendPlan { paths: PathSet::NONE.with(Path::GroupV4), addresses: Vec::new() };
    }
    let all = left.len();
    loop {
        let worth = |path: &Path| {
            let reached = left.iter().filter(|(heard, _)| heard.has(*path));
            reached.map(|(_, address)| if address.is_none() { 2 } else { 1 }).sum::<usize>()
        };
        // The iterator is reversed so that the preferred path wins a tie.
        let best = Path::ALL.into_iter().rev().max_by_key(worth);
        let least = if all == 1 { 1 } else { 2 };
        let Some(best) = best.filter(|it| worth(it) >= least) else { break };
        paths = paths.with(best);
        left.retain(|(heard, _)| !heard.has(best));
    }
    let addresses = left.into_iter().filter_map(|(_, address)| address).collect();
    SendPlan { paths, addresses }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the pair for a peer that hears the paths with these bits, and whose verified address
    /// is 127.0.0.1 with this port.
    fn hears(bits: u8, port: u16) -> (PathSet, Option<SocketAddr>) {
        (PathSet(bits), Some(SocketAddr::from(([127, 0, 0, 1], port))))
    }

    /// If one path reaches all peers, it is the whole plan. Peers that it does not reach get
    /// unicast copies.
    #[test]
    fn paths_are_preferred_over_copies() {
        let plan = choose_paths(vec![hears(7, 1), hears(1, 2), hears(3, 3)]);
        assert_eq!((plan.paths, plan.addresses.len()), (PathSet(1), 0));
        let plan = choose_paths(vec![hears(1, 1), hears(1, 2), hears(2, 3), hears(0, 4)]);
        assert_eq!((plan.paths, plan.addresses.len()), (PathSet(1), 2));
        let plan = choose_paths(vec![hears(6, 1), hears(2, 2), hears(4, 3), hears(4, 4)]);
        assert_eq!((plan.paths, plan.addresses.len()), (PathSet(4), 1));
        let plan = choose_paths(vec![hears(1, 1)]);
        assert_eq!((plan.paths, plan.addresses.len()), (PathSet(1), 0));
        let plan = choose_paths(vec![hears(0, 1)]);
        assert_eq!((plan.paths, plan.addresses.len()), (PathSet(0), 1));
        let plan = choose_paths(vec![(PathSet(1), None)]);
        assert_eq!(plan.paths, PathSet(1));
    }
}
