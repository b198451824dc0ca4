//! The cost of a join.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::room::Room;
use crate::switch::KINDS;

/// A join.
pub(crate) struct Join {
    /// Datagrams by kind until nobody asks anybody anything any more. Of heartbeats only the
    /// newcomer's until it was in: the others send theirs whether somebody joins or not.
    pub(crate) datagrams: BTreeMap<&'static str, u64>,
    /// Time from the start of the newcomer's process until it was in, with its history.
    pub(crate) time: Duration,
    /// Time until it knew all members.
    pub(crate) time_to_know_all: Duration,
}

/// Lets somebody join a room in which all know one another, and leave it again.
pub(crate) fn measure(room: &Room, name: &str) -> Join {
    let before = room.datagrams();
    let (machine, mut newcomer) = room.newcomer(name);
    // The process was started just now, behind its machine.
    let start = Instant::now();
    newcomer.wait_for_type("admitted");
    let time = start.elapsed();
    let heartbeats = machine.packet_counts().count("heartbeats");
    let mut names: Vec<String> = (0..room.peers.len()).map(|it| format!("p{it}")).collect();
    names.push(name.to_owned());
    newcomer.wait_for_members(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let time_to_know_all = start.elapsed();
    room.settle();
    let after = room.datagrams();
    let mut datagrams: BTreeMap<&str, u64> =
        KINDS.iter().map(|(_, kind)| (*kind, after.since(&before, kind))).collect();
    datagrams.insert("heartbeat", heartbeats);
    newcomer.quit();
    room.settle();
    Join { datagrams, time, time_to_know_all }
}

impl Join {
    /// Returns the number of all datagrams.
    pub(crate) fn count(&self) -> u64 {
        self.datagrams.values().sum()
    }
}
