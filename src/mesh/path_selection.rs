//! Path selection: which multicast paths and unicast copies reach everybody. Section 12.

use std::net::SocketAddr;

use super::contact::{Contact, Stage};
use super::{Mesh, Outgoing};
use crate::model::{Path, PathSet};

/// Plan for sending a packet to everybody: multicast or broadcast paths, and unicast addresses.
#[derive(Clone, Debug)]
pub(super) struct SendPlan {
    /// Paths to send by.
    paths: PathSet,
    /// Verified addresses of the peers that none of the paths reaches; they get unicast copies.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Mesh {
    /// Sends one packet to all members by the send plan, with copies as needed.
    pub(super) fn send_to_all(&mut self, packet: Outgoing) {
        let SendPlan { paths, addresses } = self.send_plan().clone();
        self.send(paths, addresses, packet);
    }

    /// Returns the plan for reaching all members, and those verified peers in stage heard that have
    /// a verified address. The plan is cached until the field is set to `None`.
    ///
    /// Peers without a verified address get no unicast copies: the address might belong to somebody
    /// else.
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

/// Returns the paths by which a peer is believed to hear this one: those that it has stated. If it
/// has stated nothing, or the IPv4 group, which everybody states at first, this is believed only if
/// it was itself heard by a path, has answered what went by paths, or cannot be reached by unicast.
fn believed_paths(contact: &Contact) -> PathSet {
    let default = PathSet::NONE.with(Path::GroupV4);
    let stated = contact.hears.unwrap_or(default);
    let is_proven = contact.is_heard_by_path() || contact.has_answered_by_path;
    let is_doubtful = stated == default && !is_proven;
    if is_doubtful && contact.verified_address().is_some() { PathSet::NONE } else { stated }
}

/// Chooses paths greedily from one (paths that the peer hears, verified address) pair for each
/// peer. Repeatedly takes the path that reaches most of the remaining peers, while it reaches at
/// least two, or one without an address (which counts as two). Remaining peers with an address get
/// unicast copies; without any peer, the plan is the IPv4 group.
///
/// If there is only one peer, a path that reaches it is chosen, too: it costs the same as unicast,
/// and the peer keeps seeing that it works.
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

    /// Returns a (paths, address) pair of a peer that hears the paths with these bits, with the
    /// verified address 127.0.0.1 and this port.
    fn hears(bits: u8, port: u16) -> (PathSet, Option<SocketAddr>) {
        (PathSet(bits), Some(SocketAddr::from(([127, 0, 0, 1], port))))
    }

    /// One datagram is planned where one path reaches everybody; the rest get unicast copies.
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
