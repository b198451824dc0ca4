//! Counters of the datagrams that pass the switch of a lab.

use crate::lab::{Lab, PacketCounts, run};

/// Kinds of datagrams that are counted, by number, in a room without a passphrase: that of a closed
/// room is sealed.
pub(crate) const KINDS: [(u8, &str); 14] = [
    (1, "announce"),
    (2, "agree"),
    (3, "object"),
    (4, "heartbeat"),
    (5, "ping"),
    (6, "pong"),
    (7, "entry"),
    (8, "want"),
    (9, "lost"),
    (10, "recall"),
    (11, "recent"),
    (12, "where"),
    (13, "peers"),
    (14, "bye"),
];

/// Name of the counter of all datagrams.
pub(crate) const ALL: &str = "total";

/// Name of the counter of those that go to one machine only. Where groups work, there are none as
/// long as nobody joins or leaves and nothing is lost.
pub(crate) const UNICAST: &str = "unicast";

/// Installs the counters.
pub(crate) fn install_counters(lab: &Lab) {
    let mut rules = "add table bridge kinds\n\
         add chain bridge kinds c { type filter hook prerouting priority 0; }\n"
        .to_owned();
    // The kind is the first byte behind the headers of UDP (8 bytes) and of the protocol (23).
    let kinds = KINDS.map(|(number, name)| (name, format!("meta l4proto udp @th,248,8 {number}")));
    let others = [
        (ALL, "meta l4proto udp".to_owned()),
        (UNICAST, "meta l4proto udp meta pkttype { host, other }".to_owned()),
    ];
    for (name, filter) in kinds.into_iter().chain(others) {
        rules.push_str(&format!("add counter bridge kinds {name}\n"));
        rules.push_str(&format!("add rule bridge kinds c {filter} counter name {name}\n"));
    }
    run(lab.switch_command("nft").args(["-f", "-"]), &rules).unwrap();
}

/// Reads the counters.
pub(crate) fn counts(lab: &Lab) -> PacketCounts {
    let mut list = lab.switch_command("nft");
    PacketCounts::read(list.args(["-j", "list", "counters", "table", "bridge", "kinds"]))
}
