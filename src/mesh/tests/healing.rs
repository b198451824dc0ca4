//! Tests of recovery: splits, lost datagrams, and changes of addresses.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::{End, Input, Outgoing};
use super::SimRoom;
use super::bench::{FakePeer, Sent, TestBench};
use crate::model::{AddressGroup, Command, Event};
use crate::wire::udp::Control;

/// Returns the texts that a peer has shown, and the number of gaps reported to its user. Considers
/// only events from index `from` on.
fn shown_since(room: &SimRoom, number: u8, from: usize) -> (Vec<String>, usize) {
    let events = &room.peers[&number].events[from..];
    let texts = events.iter().filter_map(|it| match it {
        Event::Message(it) => Some(it.text.clone()),
        _ => None,
    });
    let gaps = events.iter().filter(|it| matches!(it, Event::Gap { .. })).count();
    (texts.collect(), gaps)
}

/// Has each of the peers 1 to 4 send `count` messages, as fast as the rate limit allows. Then waits
/// for 2 s.
fn talk(room: &mut SimRoom, count: usize) {
    for index in 0..count {
        for number in 1..=4 {
            room.say(number, &format!("{number}:{index}"));
        }
        // 25 messages a second may be said.
        room.advance(40);
    }
    room.advance(2_000);
}

/// Returns a room of four peers that was split into two halves and has just merged. While it was
/// split, each half sent `2 * count` messages.
fn merged_halves(count: usize) -> SimRoom {
    let mut room = SimRoom::default();
    for number in 1..=4 {
        room.start(number, &format!("peer{number}"));
        room.advance(3_000);
    }
    for number in 3..=4 {
        room.peers.get_mut(&number).unwrap().partition = 1;
    }
    room.advance(15_000);
    talk(&mut room, count);
    for number in 3..=4 {
        room.peers.get_mut(&number).unwrap().partition = 0;
    }
    room
}

/// Two halves have each sent more messages than a peer retains. After the merge they exchange what
/// they retain. Each peer's user is told of the gap within 14 s.
#[test]
fn halves_heal_after_more_messages_than_are_kept() {
    let mut room = merged_halves(2_500);
    let from: Vec<usize> = (1..=4).map(|it| room.peers[&it].events.len()).collect();
    room.advance(14_000);
    for number in 1..=4 {
        let (_, gaps) = shown_since(&room, number, from[usize::from(number) - 1]);
        assert!(gaps > 0, "peer {number} was not told of the gap");
    }
    let (mut shown, mut last) = (0, 0);
    for second in 15..=40 {
        room.advance(1_000);
        let of = |it: u8| shown_since(&room, it, from[usize::from(it) - 1]).0.len();
        let now: usize = (1..=4).map(of).sum();
        if now > shown {
            (shown, last) = (now, second);
        }
    }
    println!("two halves of 5,000 messages each: the last one came within {last} s of the merge");
    for number in 1..=4 {
        let (texts, gaps) = shown_since(&room, number, from[usize::from(number) - 1]);
        // Each half keeps 2,000; of both together only the newest 2,000 have to survive.
        println!("peer {number} was shown {} messages and {gaps} gaps", texts.len());
        assert!(texts.len() >= 1_000, "peer {number} was shown only {}", texts.len());
        for other in if number <= 2 { [3, 4] } else { [1, 2] } {
            let newest = format!("{other}:2499");
            assert!(texts.contains(&newest), "peer {number} lacks {newest}");
        }
        assert!(gaps <= 4, "peer {number} was told of {gaps} gaps");
    }
}

/// A peer was cut off while the others sent more than they retain. Then it gets what they retain,
/// and its user is told of one gap.
#[test]
fn peer_heals_after_missing_more_messages_than_are_kept() {
    let mut room = SimRoom::default();
    for number in 1..=4 {
        room.start(number, &format!("peer{number}"));
        room.advance(3_000);
    }
    room.peers.get_mut(&4).unwrap().partition = 1;
    for index in 0..3_000 {
        room.say(1, &format!("1:{index}"));
        room.advance(40);
    }
    room.peers.get_mut(&4).unwrap().partition = 0;
    let from = room.peers[&4].events.len();
    room.advance(30_000);
    let (texts, gaps) = shown_since(&room, 4, from);
    assert_eq!(texts, (1_000..3_000).map(|it| format!("1:{it}")).collect::<Vec<_>>());
    assert_eq!(gaps, 1);
}

/// With 30 % of the datagrams lost and one member to ask, each newcomer gets a history, and at most
/// 2 of 100 an incomplete one.
#[test]
fn every_newcomer_gets_its_history_under_loss() {
    let (mut without, mut incomplete, mut flooded) = (0, 0, 0);
    for seed in 0..100 {
        let mut room = SimRoom { dice: fastrand::Rng::with_seed(seed), ..SimRoom::default() };
        room.start(1, "anna");
        room.advance(10_000);
        for index in 0..15 {
            room.say(1, &format!("m{index}"));
        }
        room.advance(1_000);
        room.loss = 30;
        room.start(2, "bert");
        room.advance(15_000);
        without += usize::from(room.texts(2, true).is_empty());
        incomplete += usize::from(room.texts(2, true).len() < 10);
        flooded += usize::from(!room.texts(2, false).is_empty());
    }
    println!(
        "of 100 newcomers {without} without history, {incomplete} with less than ten messages"
    );
    assert_eq!((without, flooded), (0, 0));
    assert!(incomplete <= 2, "{incomplete}");
}

/// Returns the longest time, in milliseconds, from a peer's start until it joins. `count` peers
/// start within 300 ms in an empty room, and `loss` per cent of the datagrams are lost. Panics if a
/// peer has not joined after 60 s.
fn slowest_start(count: u8, loss: u8) -> u64 {
    let dice = fastrand::Rng::with_seed(7);
    let mut room = SimRoom { loss, dice, ..SimRoom::default() };
    let mut started = Vec::new();
    for number in 1..=count {
        started.push(room.now);
        room.start(number, &format!("peer{number}"));
        room.advance(if number % 3 == 0 { 10 } else { 0 });
    }
    let mut slowest = 0;
    let is_in = |room: &SimRoom, number: u8| {
        room.peers[&number].events.iter().any(|it| matches!(it, Event::JoinedMesh(_)))
    };
    let mut waiting: Vec<u8> = (1..=count).collect();
    while !waiting.is_empty() && room.now < 60_000 {
        room.advance(20);
        waiting.retain(|number| {
            let joined = is_in(&room, *number);
            if joined {
                slowest = slowest.max(room.now - started[usize::from(*number) - 1]);
            }
            !joined
        });
    }
    assert!(waiting.is_empty(), "{waiting:?} are not in");
    slowest
}

/// Peers that start at once in an empty room join after about two seconds, even if they are many or
/// half of the datagrams are lost. No peer waits for the vote of a peer that joined while it was
/// announcing itself.
#[test]
fn peers_that_start_at_once_join_after_two_seconds() {
    for (count, loss, most) in [(10, 0, 2_200), (60, 0, 2_200), (10, 50, 2_200), (60, 50, 2_200)] {
        let slowest = slowest_start(count, loss);
        println!("{count} peers at once, {loss} % loss: the last was in after {slowest} ms");
        assert!(slowest <= most, "{count} peers, {loss} % loss: {slowest} ms");
    }
}

/// Members that have agreed to a newcomer do not ping it afterwards: it has been told its path.
#[test]
fn newcomer_is_not_pinged_about_paths() {
    let mut room = SimRoom::default();
    for number in 1..=6 {
        room.start(number, &format!("peer{number}"));
        room.advance(3_000);
    }
    room.advance(10_000);
    let before: usize = room.peers.values().map(|it| it.pongs).sum();
    room.start(7, "newcomer");
    room.advance(20_000);
    let pongs: usize = room.peers.values().map(|it| it.pongs).sum();
    // Two for each agreement: the newcomer proves its address, and the member its own.
    assert_eq!(pongs - before, 12);
}

/// A peer whose IP address changes still sends and receives messages. Messages lost meanwhile are
/// repaired.
#[test]
fn peer_that_changes_its_address_is_proven_anew() {
    for pause in [1_000, 6_000, 16_000] {
        let mut room = SimRoom::default();
        for (number, name) in [(1, "anna"), (2, "bert")] {
            room.start(number, name);
            room.advance(3_000);
        }
        room.advance(5_000);
        room.peers.get_mut(&1).unwrap().partition = 1;
        room.say(1, "a lost");
        room.say(2, "b lost");
        room.advance(pause);
        let anna = room.peers.get_mut(&1).unwrap();
        (anna.partition, anna.host) = (0, 111);
        room.advance(500);
        room.say(1, "a later");
        room.say(2, "b later");
        room.advance(12_000);
        for number in 1..=2 {
            let mut texts = room.texts(number, false);
            texts.sort_unstable();
            assert_eq!(texts, ["a later", "a lost", "b later", "b lost"], "{number}, {pause} ms");
        }
        // All messages are delivered, so leaving does not wait.
        room.request(1, Command::Finish { patience: Duration::from_secs(60) });
        room.advance(2_000);
        assert!(matches!(room.peers[&1].end, Some(End::Left { unsent: 0, .. })), "{pause} ms");
    }
}

/// Three peers that only unicast connects still get all messages after two of them change their
/// addresses, first one at a time, then both at once.
#[test]
fn addresses_change_where_only_unicast_works() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl")] {
        room.start(number, name);
        room.peers.get_mut(&number).unwrap().network = number;
        room.input(number, Input::Hosts(vec![SimRoom::address(1)]));
    }
    room.advance(10_000);
    let changes: [&[(u8, u8)]; 4] = [&[(2, 102)], &[(3, 103)], &[(2, 202)], &[(2, 112), (3, 113)]];
    for change in changes {
        for (number, host) in change {
            room.peers.get_mut(number).unwrap().host = *host;
        }
        room.advance(15_000);
        for other in 1..=3 {
            room.say(other, &format!("{other} after {change:?}"));
        }
        room.advance(3_000);
        for other in 1..=3 {
            let texts = room.texts(other, false);
            assert!((1..=3).all(|it| texts.contains(&format!("{it} after {change:?}").as_str())));
        }
    }
}

/// Returns the time, in milliseconds, until all `count` peers know all others as members; 120,000
/// if they do not. They start at once, each in a network of its own. `named`: pairs (a, b):
/// the user of peer a has named the host of b. `seed`: of the choice of datagrams that are lost.
fn time_until_all_see_all(count: u8, named: &[(u8, u8)], loss: u8, seed: u64) -> u64 {
    let dice = fastrand::Rng::with_seed(seed);
    let mut room = SimRoom { loss, dice, ..SimRoom::default() };
    for number in 1..=count {
        room.start(number, &format!("peer{number}"));
        room.peers.get_mut(&number).unwrap().network = number;
        let hosts = named.iter().filter(|it| it.0 == number).map(|it| SimRoom::address(it.1));
        room.input(number, Input::Hosts(hosts.collect()));
    }
    let sees_all = |room: &SimRoom, number: u8| room.names(number).len() == usize::from(count);
    while room.now < 120_000 && !(1..=count).all(|it| sees_all(&room, it)) {
        room.advance(10);
    }
    room.now
}

/// Peers that are connected only by named hosts know all others as members within 5 s, or 30 s if
/// 30 % of the datagrams are lost, whichever of them.
#[test]
fn named_hosts_are_enough_to_see_one_another_soon() {
    /// Description, number of peers, and pairs (a, b): the user of peer a has named the host of b.
    type Case = (&'static str, u8, &'static [(u8, u8)]);
    /// Number of times that each case is tried with loss.
    const SEEDS: u64 = 20;
    let cases: [Case; 4] = [
        ("two that name each other", 2, &[(1, 2), (2, 1)]),
        ("two of which one names the other", 2, &[(1, 2)]),
        ("three that name one", 3, &[(2, 1), (3, 1)]),
        ("six that name one", 6, &[(2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]),
    ];
    for (what, count, named) in cases {
        let clean = time_until_all_see_all(count, named, 0, 1);
        let mut lossy: Vec<u64> =
            (0..SEEDS).map(|seed| time_until_all_see_all(count, named, 30, seed)).collect();
        lossy.sort_unstable();
        let (median, longest) = (lossy[lossy.len() / 2], lossy[lossy.len() - 1]);
        println!("{what}: {clean} ms, with 30 % loss {median} ms, at most {longest} ms");
        assert!(clean < 5_000, "{what}: {clean} ms");
        assert!(longest < 30_000, "{what}, 30 % loss: {lossy:?} ms");
    }
}

/// Delivers `heartbeats` heartbeats of a fake peer named bert, 1.5 s apart, sent from its current
/// address. Returns the addresses to which pings went meanwhile.
fn pings_after_heartbeats(
    bench: &mut TestBench,
    who: &mut FakePeer,
    heartbeats: usize,
) -> Vec<SocketAddr> {
    bench.sent.clear();
    for _ in 0..heartbeats {
        bench.receive_heartbeat(who, "bert", 0, vec![]);
        bench.advance(1_500);
    }
    let is_ping = |it: &&Sent| matches!(it.packet, Outgoing::Control(Control::Ping(_)));
    bench.sent.iter().filter(is_ping).flat_map(|it| it.addresses.clone()).collect()
}

/// A peer that is heard only from an address of the other family, IPv4 or IPv6, for 32 s must prove
/// it, and is asked for lost messages there. Before, it is not pinged: many peers send by both. As
/// long as it does not answer there, the former address is pinged too. Once both are proven, there
/// are no more pings. Limits go by its IPv4 address.
#[test]
fn address_of_the_other_family_is_proven() {
    let (v4, v6): (SocketAddr, SocketAddr) =
        ("10.1.0.1:9".parse().unwrap(), "[2001:db8::1]:9".parse().unwrap());
    for (before, after) in [(v4, v6), (v6, v4)] {
        let mut bench = TestBench::alone();
        let mut bert = FakePeer::new(1).at(before);
        assert!(bench.admit(&mut bert, "bert"));
        bert.address = after;
        assert_eq!(pings_after_heartbeats(&mut bench, &mut bert, 20), []);
        let pinged = pings_after_heartbeats(&mut bench, &mut bert, 5);
        assert!(pinged.starts_with(&[after, before]), "{pinged:?}");
        assert!(bench.answer_cookies(&mut bert, 0));
        for address in [before, after] {
            bert.address = address;
            assert_eq!(pings_after_heartbeats(&mut bench, &mut bert, 4), []);
        }
        bench.receive_heartbeat(&mut bert, "bert", 1, vec![]);
        bench.sent.clear();
        bench.advance(200);
        let want = bench.sent.iter().find(|it| is_want(&it.packet)).unwrap();
        assert_eq!(want.addresses, [after]);
        let group = bench.mesh.contacts.get(bert.signer.id).unwrap().group();
        assert_eq!(group, Some(AddressGroup::of_peer(v4.ip())));
    }
}

/// If all of five peers are heard from addresses of the other family only, as when this peer has
/// lost a path, only one of them is pinged in each I(n), which is 2 s.
#[test]
fn peers_of_the_other_family_are_pinged_one_after_the_other() {
    let mut bench = TestBench::alone();
    let mut peers: Vec<FakePeer> = (1..=5).map(FakePeer::new).collect();
    for (number, peer) in (1..).zip(&mut peers) {
        assert!(bench.admit(peer, &format!("peer{number}")));
        peer.address = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number], 9));
    }
    let mut pings = Vec::new();
    for _ in 0..60 {
        bench.sent.clear();
        for (number, peer) in (1..).zip(&mut peers) {
            bench.receive_heartbeat(peer, &format!("peer{number}"), 0, vec![]);
        }
        bench.advance(1_000);
        pings.push(bench.count_sent(|it| matches!(it, Control::Ping(_))));
    }
    assert!(pings.iter().sum::<usize>() > 5, "{pings:?}");
    assert!(pings.windows(2).all(|it| it[0] + it[1] <= 2), "{pings:?}");
}

/// Returns true if a packet is a `want`.
fn is_want(packet: &Outgoing) -> bool {
    matches!(packet, Outgoing::Control(Control::Want(_)))
}
