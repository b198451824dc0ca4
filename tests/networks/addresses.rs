//! Addresses that change, and peers that can be reached only at an address that they have named or
//! sent to.

use std::time::{Duration, Instant};

use serde_json::json;

use super::lab::{Family, Lab, Machine};
use super::peer_process::{PeerProcess, join_all};

/// A running peer gets another IPv4 address. Both go on seeing each other's messages, and leaving
/// does not wait for anything.
#[test]
fn peer_with_a_new_address_is_heard_and_hears() {
    let Some(lab) = Lab::new() else { return };
    let mut machines = lab.machines(2, Family::Both);
    let [mut anna, mut bob] = join_all(&machines, ["anna", "bob"]);
    anna.say("before");
    bob.wait_for_messages(&["before"]);
    for last_byte in [111, 112] {
        machines[0].change_address(last_byte);
        let said = [format!("anna at {last_byte}"), format!("bob to {last_byte}")];
        anna.say(&said[0]);
        bob.say(&said[1]);
        anna.wait_for_messages(&said);
        bob.wait_for_messages(&said);
    }
    let asked = Instant::now();
    assert_eq!(anna.quit()["exit"], json!(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// A running peer loses its IPv4 address and keeps IPv6. Both go on seeing each other's messages.
#[test]
fn peer_that_loses_ipv4_is_heard_and_hears_by_ipv6() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    let [mut anna, mut bob] = join_all(&machines, ["anna", "bob"]);
    anna.say("before");
    bob.wait_for_messages(&["before"]);
    machines[0].remove_ipv4_address();
    let begin = Instant::now();
    anna.say("anna by IPv6");
    bob.say("bob to IPv6");
    for peer in [&mut anna, &mut bob] {
        peer.wait_for_messages(&["anna by IPv6", "bob to IPv6"]);
        println!("a peer has both messages after {:?}", begin.elapsed());
    }
}

/// Drops on a machine what comes by groups and by broadcast.
fn allow_unicast_only(machine: &Machine) {
    machine.drop_multicast();
    machine.drop_incoming("fib daddr type broadcast");
}

/// Waits until all peers see one another and have received a message of each.
fn assert_all_talk(peers: &mut [PeerProcess], names: &[&str]) {
    let begin = Instant::now();
    for peer in peers.iter_mut() {
        peer.wait_for_members(names);
    }
    println!("all saw one another {:?} after the last was started", begin.elapsed());
    for (peer, name) in peers.iter_mut().zip(names) {
        peer.say(&format!("from {name}"));
    }
    let said: Vec<_> = names.iter().map(|name| format!("from {name}")).collect();
    for peer in peers {
        peer.wait_for_messages(&said);
    }
}

/// Two peers that start at once and know each other by `--peer` only find each other soon.
#[test]
fn peers_that_name_each_other_find_each_other() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines.iter().for_each(allow_unicast_only);
    let names = ["anna", "bob"];
    let mut peers = [0, 1].map(|it| {
        let other = machines[1 - it].addresses[0].as_str();
        PeerProcess::start(&machines[it], names[it], &["--peer", other])
    });
    assert_all_talk(&mut peers, &names);
}

/// A peer behind a stateful firewall reaches the room through a host that it names: answers come
/// from the port that it has sent to.
#[test]
fn named_host_is_reached_through_a_stateful_firewall() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines.iter().for_each(allow_unicast_only);
    machines[1].install_firewall();
    let anna = PeerProcess::join(&machines[0], "anna");
    let bob = PeerProcess::start(&machines[1], "bob", &["--peer", &machines[0].addresses[0]]);
    assert_all_talk(&mut [anna, bob], &["anna", "bob"]);
}

/// Two peers that are both behind a stateful firewall reach each other if each names the other.
#[test]
fn two_stateful_firewalls_are_passed_by_naming_each_other() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(2, Family::Both);
    machines.iter().for_each(Machine::install_firewall);
    let names = ["anna", "bob"];
    let mut peers = [0, 1].map(|it| {
        let other = machines[1 - it].addresses[0].as_str();
        PeerProcess::start(&machines[it], names[it], &["--peer", other])
    });
    assert_all_talk(&mut peers, &names);
}
