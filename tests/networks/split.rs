//! Networks that split and merge, and a peer that is in two networks.

use std::collections::BTreeSet;

use super::lab::{Family, Lab};
use super::peer_process::{PeerProcess, join_all, say_numbered};

/// Both halves of a split network go on, and a peer with the same name joins each. After the merge
/// all peers have all messages, and the junior of the two is renamed.
#[test]
fn split_room_merges_and_renames_the_junior() {
    let Some(lab) = Lab::new() else { return };
    let here = lab.lan();
    let (there, cable) = lab.add_switch(here);
    let machines = [here, here, there, there].map(|lan| lab.machine(&[lan], Family::Both));
    let [anna, bob, carol, dave] = join_all(&machines, ["anna", "bob", "carol", "dave"]);
    let (mut left, mut right) = (vec![anna, bob], vec![carol, dave]);
    left[0].say("before");
    for peer in left.iter_mut().chain(&mut right) {
        peer.wait_for_messages(&["before"]);
    }

    lab.unplug(&cable);
    for (half, names) in [(&mut left, ["anna", "bob"]), (&mut right, ["carol", "dave"])] {
        for peer in half {
            peer.wait_for_members(&names);
        }
    }
    left.push(PeerProcess::join(&machines[1], "eve"));
    right.push(PeerProcess::join(&machines[2], "eve"));
    for (number, (one, other)) in left.iter_mut().zip(&mut right).enumerate() {
        one.say(&format!("left {number}"));
        other.say(&format!("right {number}"));
    }
    for peer in &mut left {
        peer.wait_for_messages(&["left 0", "left 1", "left 2"]);
    }
    for peer in &mut right {
        peer.wait_for_messages(&["right 0", "right 1", "right 2"]);
    }

    lab.plug(&cable);
    for peer in left.iter_mut().chain(&mut right) {
        peer.wait_for_members(&["anna", "bob", "carol", "dave", "eve", "eve-2"]);
        peer.wait_for_messages(&[
            "before", "left 0", "left 1", "left 2", "right 0", "right 1", "right 2",
        ]);
    }
    let renamed = right[2].wait_for_type("renamed");
    assert_eq!((&renamed["from"], &renamed["to"]), (&"eve".into(), &"eve-2".into()));
    // No message is shown twice, and no other peer is renamed.
    for (number, peer) in left.iter_mut().chain(&mut right).enumerate() {
        peer.read_pending();
        assert_eq!(peer.messages().len(), 7);
        assert_eq!(peer.has_received("renamed"), number == 5);
    }
}

/// Number of messages that each author says in a split room: more than a `want` may ask for.
const MESSAGES_IN_SPLIT: usize = 150;

/// In a split network both authors of each half say more than a `want` may ask for at once. After
/// the merge nobody says anything new, and all peers get all messages, each once.
#[test]
fn split_room_heals_without_new_messages() {
    let Some(lab) = Lab::new() else { return };
    let here = lab.lan();
    let (there, cable) = lab.add_switch(here);
    let machines = [here, here, there, there].map(|lan| lab.machine(&[lan], Family::Both));
    let names = ["anna", "bob", "carol", "dave"];
    let mut peers = join_all(&machines, names);
    lab.unplug(&cable);
    for (peer, name) in peers.iter_mut().zip(names) {
        say_numbered(peer, name, MESSAGES_IN_SPLIT);
    }
    for (peer, half) in peers.iter_mut().zip([&names[..2], &names[..2], &names[2..], &names[2..]]) {
        peer.wait_for_members(half);
        peer.wait_for_message_count(2 * MESSAGES_IN_SPLIT);
        assert_eq!(peer.messages().len(), 2 * MESSAGES_IN_SPLIT);
    }

    lab.plug(&cable);
    for peer in &mut peers {
        peer.wait_for_message_count(4 * MESSAGES_IN_SPLIT);
    }
    for peer in &mut peers {
        peer.wait_for_members(&names);
        peer.read_pending();
        assert!(!peer.has_received("gap"));
        let texts: BTreeSet<_> = peer.messages().into_iter().map(|it| it.text).collect();
        assert_eq!((texts.len(), peer.messages().len()), (4 * MESSAGES_IN_SPLIT, texts.len()));
    }
}

/// Asserts that a peer with two interfaces counts as one member in both networks, and passes the
/// messages of each on to the other. At first each peer lists the names of its own network. When
/// all have written, it lists the authors behind the relay as well. A name counts as taken in both.
fn assert_relay_between_networks(family: Family) {
    let Some(lab) = Lab::new() else { return };
    let (one, other) = (lab.lan(), lab.lan());
    let machines = [&[one][..], &[one, other], &[other]].map(|lans| lab.machine(lans, family));
    let names = ["anna", "bob", "carol"];
    let mut peers = [0, 1, 2].map(|number| PeerProcess::join(&machines[number], names[number]));
    let seen = [&names[..2], &names[..], &names[1..]];
    for (peer, names) in peers.iter_mut().zip(seen) {
        peer.wait_for_members(names);
    }
    let said = ["from anna", "from bob", "from carol"];
    for (peer, text) in peers.iter_mut().zip(said) {
        peer.say(text);
    }
    for peer in &mut peers {
        peer.wait_for_messages(&said);
        // Their authors are listed, also those that are known through the relay only.
        peer.wait_for_members(&names);
        assert_eq!(peer.messages().len(), said.len());
    }
    let mut other = PeerProcess::start(&machines[2], "Anna", &[]);
    assert_eq!(other.wait_for_type("end")["code"], 201);
}

/// Relay with IPv4 and IPv6 addresses.
#[test]
fn peer_in_two_networks_relays_messages() {
    assert_relay_between_networks(Family::Both);
}

/// Relay with link-local IPv6 addresses only, which do not tell the network that they belong to.
#[test]
fn peer_in_two_networks_relays_messages_by_ipv6() {
    assert_relay_between_networks(Family::V6);
}
