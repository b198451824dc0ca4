//! A network with heavy packet loss.

use std::collections::BTreeSet;
use std::time::Instant;

use super::lab::{Family, Lab};
use super::peer_process::{PeerProcess, ShownMessage, say_numbered};
use super::report;

/// Number of peers in the room.
const PEERS: usize = 10;

/// Number of messages that each peer sends.
const MESSAGES_PER_PEER: usize = 200;

/// With 30 % of all datagrams dropped at each receiver, every peer shows every message exactly
/// once, and all show them in the same order, except for messages marked as late. Reports delivery
/// times and the number of datagrams.
#[test]
fn thirty_percent_loss_is_repaired() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(PEERS, Family::Both);
    for machine in &machines {
        machine.drop_incoming("meta l4proto udp numgen random mod 100 < 30");
    }
    let names: Vec<_> = (0..PEERS).map(|number| format!("p{number}")).collect();
    let mut peers: Vec<_> =
        machines.iter().zip(&names).map(|(it, name)| PeerProcess::start(it, name, &[])).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for peer in &mut peers {
        peer.wait_for_type("admitted");
        peer.wait_for_members(&names);
    }

    let before: Vec<_> = machines.iter().map(|it| it.packet_counts()).collect();
    let begin = Instant::now();
    for (peer, name) in peers.iter_mut().zip(&names) {
        say_numbered(peer, name, MESSAGES_PER_PEER);
    }
    let mut times: Vec<_> = peers
        .iter_mut()
        .flat_map(|it| it.wait_for_message_count(PEERS * MESSAGES_PER_PEER))
        .collect();
    times.sort_unstable();
    // Seconds after which this percentage of all messages was delivered.
    let delivered =
        |percent: usize| (times[(times.len() - 1) * percent / 100] - begin).as_secs_f64();
    let count = |name| -> u64 {
        machines
            .iter()
            .zip(&before)
            .map(|(it, before)| it.packet_counts().since(before, name))
            .sum()
    };
    let (sent, entries, said) =
        (count("sent"), count("entries"), (PEERS * MESSAGES_PER_PEER) as f64);
    for peer in &mut peers {
        peer.read_pending();
    }
    let views: Vec<_> = peers.iter().map(PeerProcess::messages).collect();
    let late = views.iter().flatten().filter(|it| it.is_late).count();
    report(format_args!(
        "30 % loss, {PEERS} peers, {said} messages: half of them delivered {:.1} s after the first \
         was said, 99 % {:.1} s, all {:.1} s; for each message {:.1} datagrams, {:.1} of them \
         entries; {:.0} % shown late",
        delivered(50),
        delivered(99),
        delivered(100),
        sent as f64 / said,
        entries as f64 / said,
        100.0 * late as f64 / (times.len() as f64),
    ));
    let all = sorted_messages(&views[0]);
    assert_eq!(all.len(), PEERS * MESSAGES_PER_PEER);
    for view in &views {
        // No message is missing, and none is shown twice.
        assert!(sorted_messages(view) == all);
        for other in &views {
            assert_eq!(order_without_late(view, other), order_without_late(other, view));
        }
    }
}

/// The messages of a view, sorted so that views can be compared.
fn sorted_messages(view: &[ShownMessage]) -> Vec<(&str, u64, &str)> {
    let mut all: Vec<_> =
        view.iter().map(|it| (it.author.as_str(), it.sequence, it.text.as_str())).collect();
    all.sort_unstable();
    all
}

/// The order of the messages in `view`, without those that are late in it or in `other`.
fn order_without_late(view: &[ShownMessage], other: &[ShownMessage]) -> Vec<(String, u64)> {
    let place = |it: &ShownMessage| (it.author.clone(), it.sequence);
    let late: BTreeSet<_> = view.iter().chain(other).filter(|it| it.is_late).map(place).collect();
    view.iter().map(place).filter(|it| !late.contains(it)).collect()
}
