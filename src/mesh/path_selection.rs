//! By which ways to send to everybody: section 12.

use std::net::SocketAddr;

use super::contact::{Contact, Stage};
use super::{Mesh, Outgoing};
use crate::model::{Path, PathSet};

/// How everybody is reached.
#[derive(Clone, Debug)]
pub(super) struct SendPlan {
    /// By these ways.
    paths: PathSet,
    /// Whom they do not reach.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Mesh {
    /// Sends one datagram to all members.
    pub(super) fn send_to_all(&mut self, packet: Outgoing) {
        let SendPlan { paths, addresses } = self.send_plan().clone();
        self.send(paths, addresses, packet);
    }

    /// How everybody is reached, those who are about to be members too,
    /// worked out anew if something has changed.
    /// Nobody gets copies of everything at an address that may be another's.
    pub(super) fn send_plan(&mut self) -> &SendPlan {
        let is_reached = |it: &Contact| {
            let is_new = it.stage == Stage::PathSet && it.is_verified;
            it.is_member() || is_new && it.verified_address().is_some()
        };
        let members = self.contacts.iter().filter(|(_, it)| is_reached(it));
        self.send_plan.get_or_insert_with(|| {
            let default = PathSet::NONE.with(Path::GroupV4);
            let left = members
                .map(|(_, it)| (it.hears.unwrap_or(default), it.verified_address()))
                .collect::<Vec<_>>();
            choose_paths(left)
        })
    }
}

/// Chooses ways, one after the other: the one that reaches most of those not
/// reached yet, as long as it reaches two, or one without an address. The
/// rest get copies of their own. A way that reaches all there are is taken
/// even if that is one: it costs the same, and goes on being known to work.
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
        // Of equals the first is preferred.
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

    /// Somebody who hears these ways.
    fn hears(bits: u8, port: u16) -> (PathSet, Option<SocketAddr>) {
        (PathSet(bits), Some(SocketAddr::from(([127, 0, 0, 1], port))))
    }

    /// One datagram where one way reaches all; copies for the rest.
    #[test]
    fn few_datagrams() {
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
