//! Networks with and without working multicast: which path carries messages.

use serde_json::json;

use super::lab::{Family, Lab, Machine};
use super::peer_process::{PeerProcess, join_all, say_numbered};

/// Number of messages that a peer sends while datagrams are counted.
const MESSAGES: usize = 15;

/// Waits until the first peer knows that all others hear it by `path`. Then asserts that it sends
/// each message as exactly one datagram by that path, and that all peers receive it.
fn assert_one_datagram_per_message(machines: &[Machine], peers: &mut [PeerProcess], path: &str) {
    peers[0].wait_for_reach(peers.len() - 1, path);
    let before: Vec<_> = machines.iter().map(Machine::packet_counts).collect();
    let texts = say_numbered(&mut peers[0], path, MESSAGES);
    for peer in peers {
        peer.wait_for_messages(&texts);
    }
    let mut wanted = vec![0; machines.len()];
    wanted[0] = MESSAGES as u64;
    for name in ["entries".to_owned(), format!("entries_{path}")] {
        let counts = machines.iter().zip(&before);
        let sent: Vec<_> =
            counts.map(|(it, before)| it.packet_counts().since(before, &name)).collect();
        assert_eq!(sent, wanted, "{name}");
    }
}

/// Asserts that a newcomer with the name of a member, in another spelling, is rejected, and that
/// the rejection names a member and the reason. Any member may be the one that objects.
fn assert_name_is_refused(machine: &Machine, name: &str) {
    let end = PeerProcess::start(machine, name, &[]).wait_for_type("end");
    let (reason, by) = (&end["reason"], end["by"].as_str().unwrap());
    assert!(reason == "rejected" && ["anna", "bob", "carol", "dave"].contains(&by), "{end}");
    assert_eq!((&end["code"], &end["exit"]), (&json!(201), &json!(77)), "{end}");
}

/// Three peers talk: each message is one datagram to the group, not one to each peer. A newcomer
/// gets the history, and one with a name in use is rejected.
#[test]
fn multicast_carries_each_message_in_one_datagram() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(4, Family::Both);
    let mut peers = join_all(&machines, ["anna", "bob", "carol"]);
    peers[1].say("hi");
    peers[2].say("hello");
    for peer in &mut peers {
        peer.wait_for_messages(&["hi", "hello"]);
    }
    assert_one_datagram_per_message(&machines, &mut peers, "group4");

    let mut dave = PeerProcess::join(&machines[3], "dave");
    dave.wait_for_messages(&[format!("group4 {}", MESSAGES - 1)]);
    let history: Vec<_> = dave.messages().into_iter().map(|it| it.text).collect();
    let wanted: Vec<_> =
        (MESSAGES - 10..MESSAGES).map(|number| format!("group4 {number}")).collect();
    assert_eq!(history, wanted);
    dave.wait_for_members(&["anna", "bob", "carol", "dave"]);

    assert_name_is_refused(&machines[3], "Bob");
}

/// A group that cannot be joined is reported, with its interface. The peer talks by the other
/// paths.
#[test]
fn group_that_cannot_be_joined_is_reported() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let mut sysctl = machines[0].command("sysctl");
    sysctl.args(["-qw", "net.ipv4.igmp_max_memberships=0"]);
    assert!(sysctl.status().unwrap().success());
    let mut anna = PeerProcess::start(&machines[0], "anna", &[]);
    let problem = anna.wait_for_type("error");
    let text = problem["text"].as_str().unwrap();
    assert!(
        text.starts_with("This peer does not hear what is sent to the IPv4 group on eth0: "),
        "{text}"
    );
    anna.wait_for_type("admitted");
    let mut bob = PeerProcess::join(&machines[1], "bob");
    bob.say("hello");
    anna.wait_for_messages(&["hello"]);
}

/// If multicast is dropped, peers find each other by broadcast, and each message is one broadcast
/// datagram. A newcomer with a name in use is rejected.
#[test]
fn broadcast_carries_messages_where_multicast_is_dropped() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    for machine in &machines {
        machine.drop_multicast();
    }
    let mut peers = join_all(&machines, ["anna", "bob", "carol"]);
    assert_one_datagram_per_message(&machines, &mut peers, "broadcast");
    assert_name_is_refused(&machines[1], "Anna");
}

/// If only unicast arrives, peers join through a host that they name, and this host tells them each
/// other's addresses.
#[test]
fn named_host_introduces_peers_where_only_unicast_works() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::Both);
    for machine in &machines {
        machine.drop_multicast();
        machine.drop_incoming("fib daddr type broadcast");
    }
    let mut anna = PeerProcess::join(&machines[0], "anna");
    let mut others = [(1, "bob"), (2, "carol")].map(|(number, name)| {
        let mut peer =
            PeerProcess::start(&machines[number], name, &["--peer", &machines[0].addresses[0]]);
        assert_eq!(peer.wait_for_type("admitted")["history_from"], "anna");
        peer
    });
    for peer in others.iter_mut().chain([&mut anna]) {
        peer.wait_for_members(&["anna", "bob", "carol"]);
        peer.wait_for_reach(2, "unicast");
    }
    let said = ["from bob", "from carol"];
    for (peer, text) in others.iter_mut().zip(said) {
        peer.say(text);
    }
    for peer in others.iter_mut().chain([&mut anna]) {
        peer.wait_for_messages(&said);
    }
}

/// Without IPv4 addresses the IPv6 group carries everything, each message in one datagram. A
/// newcomer with a name in use is rejected.
#[test]
fn ipv6_group_carries_messages_without_ipv4() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(3, Family::V6);
    let mut peers = join_all(&machines, ["anna", "bob", "carol"]);
    assert_one_datagram_per_message(&machines, &mut peers, "group6");
    assert_name_is_refused(&machines[1], "Anna");
}
