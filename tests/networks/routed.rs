//! Two networks with a router between them, which passes neither multicast nor broadcast.

use std::time::{Duration, Instant};

use super::lab::{Family, Lab};
use super::peer_process::PeerProcess;

/// Time within which those that name a host in the other network see one another. They need about
/// 4 s, of which joining takes 2.
const MEETING_TIME: Duration = Duration::from_secs(10);

/// Four peers, two in each network, start at once, and each names a host in the other network.
/// Within [`MEETING_TIME`] they see one another. A fifth, which names nobody, is found through
/// them, and each message reaches all.
#[test]
fn named_hosts_connect_two_routed_networks() {
    let Some(lab) = Lab::new() else { return };
    let lans = [lab.lan(), lab.lan()];
    let router = lab.machine(&lans, Family::Both);
    router.forward_packets();
    let names = ["anna", "bob", "carol", "dave", "eve"];
    let machines = [0, 0, 1, 1, 1].map(|network| {
        let machine = lab.machine(&[lans[network]], Family::Both);
        machine.route_through(&router, network);
        machine
    });
    let [anna, carol] = [0, 2].map(|it| machines[it].addresses[0].as_str());
    let named = [Some(carol), Some(carol), Some(anna), Some(anna), None];
    let mut peers = [0, 1, 2, 3, 4].map(|number| {
        let arguments: Vec<_> = named[number].iter().flat_map(|&it| ["--peer", it]).collect();
        PeerProcess::start(&machines[number], names[number], &arguments)
    });
    let begin = Instant::now();
    for peer in &mut peers[..4] {
        peer.wait_until_present(&names[..4]);
    }
    let time = begin.elapsed();
    println!("those that name a host saw one another after {time:?}");
    assert!(time < MEETING_TIME, "{time:?}");
    for peer in &mut peers {
        peer.wait_for_members(&names);
    }
    for (peer, name) in peers.iter_mut().zip(names) {
        peer.say(name);
    }
    for peer in &mut peers {
        peer.wait_for_messages(&names);
    }
}
