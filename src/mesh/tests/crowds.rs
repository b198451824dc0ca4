//! Tests of one peer that faces a crowd of invented members.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::bench::{FakePeer, TestBench};
use crate::model::{Event, PeerId};
use crate::wire::udp::{Control, Heartbeat, PageItem};

impl TestBench {
    /// Delivers a heartbeat of a fake peer with this name and room clock. It states *since* 0: the
    /// peer claims to have been here since the room began.
    pub(super) fn receive_claim(&mut self, who: &mut FakePeer, name: &str, clock: u64) {
        let beat = Heartbeat {
            clock: crate::model::RoomClock(clock),
            since: crate::model::RoomClock(0),
            username: name.to_owned(),
            time: crate::model::Timestamp(self.now),
            members: 2,
            sequence: 0,
            page: Vec::<PageItem>::new(),
        };
        self.receive(who, Control::Heartbeat(beat));
    }

    /// Makes a fake peer a member without an announce. It sends a heartbeat, and a `pong` to the
    /// ping that follows. Gives up after 3 s.
    pub(super) fn meet(&mut self, who: &mut FakePeer, name: &str) {
        let before = self.sent.len();
        self.receive_heartbeat(who, name, 0, vec![]);
        for _ in 0..30 {
            self.advance(100);
            if self.answer_cookies(who, before) {
                return;
            }
        }
    }

    /// Returns the number of [`Event::Problem`]s that the user was shown.
    pub(super) fn problems(&self) -> usize {
        self.events.iter().filter(|it| matches!(it, Event::Problem { .. })).count()
    }
}

/// 1,000 members invented at one address get at most 128 places. They do not push out earlier
/// members, and do not take their votes. No message of an earlier member is lost. The user is told
/// once.
#[test]
fn invented_members_of_one_address_are_limited() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    bench.advance(5_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    for number in 0..1_000 {
        let mut invented = FakePeer::new(1_000 + number).at(crowd);
        let before = bench.sent.len();
        let announce = crate::wire::udp::Announce::new(
            crate::wire::udp::Nonce(invented.signer.id.0),
            format!("x{number}"),
            vec![],
        );
        bench.receive(&mut invented, Control::Announce(announce));
        bench.advance(if number < 150 { 101 } else { 5 });
        bench.answer_cookies(&mut invented, before);
        bench.receive_claim(&mut invented, &format!("x{number}"), bench.now);
        if number % 100 == 0 {
            let sequence = u32::from(number) / 100 + 1;
            bench.receive_entry(&bert, bert.entry(sequence, u64::from(sequence)));
            bench.receive_heartbeat(&mut bert, "bert", sequence, vec![]);
        }
    }
    bench.advance(1_000);
    let is_lost = |it: &&Event| matches!(it, Event::Presence { left: Some(left), .. } if left.contains(&"bert".to_owned()));
    let members_lost = bench.events.iter().filter(is_lost).count();
    let messages_lost = 10 - bench.texts().len();
    println!("1,000 invented members: {members_lost} members and {messages_lost} messages lost");
    assert_eq!((members_lost, messages_lost), (0, 0));
    assert!(bench.mesh.stats().members <= 129, "{:?}", bench.mesh.stats());
    assert!(bench.mesh.is_voter());
    assert_eq!(bench.problems(), 1);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let mut honest = FakePeer::new(5_000);
    assert!(bench.admit(&mut honest, "carl"));
    assert!(bench.names().contains("bert") && bench.names().contains("carl"));
}

/// Forty members of one address list thousands of invented peers. A peer that another member lists
/// still gets a place.
#[test]
fn listings_of_one_address_are_limited() {
    let mut bench = TestBench::alone();
    let (mut bert, honest) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    for number in 0..40_u16 {
        let mut lister = FakePeer::new(1_000 + number).at(crowd);
        assert!(bench.admit(&mut lister, &format!("x{number}")));
        for first in [0, 60, 120] {
            let invented = (first..first + 60).map(|it| FakePeer::new(2_000 + number * 200 + it));
            let page = invented.map(|it| PageItem { author: it.signer.id, have: 0, ago: 0 });
            bench.receive_heartbeat(&mut lister, &format!("x{number}"), 0, page.collect());
        }
    }
    let page = vec![PageItem { author: honest.signer.id, have: 0, ago: 0 }];
    bench.receive_heartbeat(&mut bert, "bert", 0, page);
    assert!(bench.mesh.contacts.get(honest.signer.id).is_some_and(|it| it.is_verified));
    let contacts = bench.mesh.contacts.stats().0;
    assert!(contacts <= 600, "{contacts}");
}

/// More than 128 peers of a network with IPv4 and IPv6, each of which proves its IPv6 address
/// first, all become members: those that the IPv6 network has no place for are pinged at their IPv4
/// addresses.
#[test]
fn full_ipv6_network_lets_in_peers_with_ipv4_addresses() {
    let mut bench = TestBench::alone();
    let mut peers = Vec::new();
    for number in 1..140 {
        let ipv4 = FakePeer::new(number).address;
        let ipv6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, number], 9));
        let mut peer = FakePeer::new(number).at(ipv6);
        assert!(bench.admit(&mut peer, &format!("person{number}")));
        peers.push(FakePeer { address: ipv4, ..peer });
        // All go on to send heartbeats.
        if number % 20 == 19 {
            for (index, peer) in peers.iter_mut().enumerate() {
                let before = bench.sent.len();
                bench.receive_heartbeat(peer, &format!("person{}", index + 1), 0, vec![]);
                bench.answer_cookies(peer, before);
            }
        }
    }
    assert_eq!(bench.mesh.stats().members, 139);
}

/// In a full room, a newcomer from an address group with few members takes the place of the newest
/// member of the largest group.
#[test]
fn full_room_makes_place_for_another_address() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let mut all: Vec<FakePeer> = Vec::new();
    for group in 0..8 {
        for number in 0..120 {
            let address = SocketAddr::from(([10, 9, 9, group], 6));
            all.push(FakePeer::new(1_000 + u16::from(group) * 200 + number).at(address));
        }
    }
    // Members that a member lists are verified, which saves the pings.
    for chunk in 0..all.len().div_ceil(60) {
        let ids: Vec<PeerId> =
            all.iter().skip(chunk * 60).take(60).map(|it| it.signer.id).collect();
        let page = ids.iter().map(|id| PageItem { author: *id, have: 0, ago: 0 }).collect();
        bench.receive_heartbeat(&mut bert, "bert", 0, page);
        for number in chunk * 60..(chunk * 60 + 60).min(all.len()) {
            bench.receive_heartbeat(&mut all[number], &format!("m{number}"), 0, vec![]);
        }
        bench.advance(20);
    }
    assert_eq!(bench.mesh.stats().members, 896);
    let mut honest = FakePeer::new(5_000);
    bench.receive_heartbeat(
        &mut bert,
        "bert",
        0,
        vec![PageItem { author: honest.signer.id, have: 0, ago: 0 }],
    );
    bench.receive_heartbeat(&mut honest, "carl", 0, vec![]);
    assert_eq!(bench.mesh.stats().members, 896);
    let names = bench.names();
    assert!(names.contains("bert") && names.contains("carl"));
    // Six of the newest members made room: one for carl, and five for members of the eighth address
    // while it had less than half as many as a full address.
    let missing: Vec<usize> = (0..895).filter(|it| !names.contains(&format!("m{it}"))).collect();
    let addresses: BTreeSet<usize> = missing.iter().map(|it| it / 120).collect();
    assert!(missing.len() == 6 && addresses.len() == 6, "{missing:?}");
    assert!(missing.iter().all(|it| it % 120 >= 60), "{missing:?}");
}
