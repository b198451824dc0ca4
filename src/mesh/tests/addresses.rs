//! Tests of the addresses of other peers: asking for them, taking them, and where pings go. Section
//! 11, rules 6 and 16 to 18.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::bench::{FakePeer, Sent, TestBench};
use crate::mesh::Outgoing;
use crate::model::{ChatCommand, PeerId, RoomSelector, Style};
use crate::wire::udp::{Announce, Control, EntryRange, Nonce, PageItem, PeerAddress, Peers, Want};

/// Returns a `peers` that states this IPv4 address of a peer.
fn peers(peer: PeerId, address: SocketAddr) -> Control {
    let SocketAddr::V4(it) = address else { panic!() };
    let (address, port) = (it.ip().to_ipv6_mapped().octets(), it.port());
    Control::Peers(Peers { peers: vec![PeerAddress { peer, address, port }] })
}

/// Returns a page that says that this peer was heard just now.
fn page(it: &FakePeer) -> Vec<PageItem> {
    vec![PageItem { author: it.signer.id, have: 0, ago: 0 }]
}

impl TestBench {
    /// Returns the addresses that pings were sent to, in their order, and forgets all that was
    /// sent.
    fn take_pings(&mut self) -> Vec<SocketAddr> {
        let sent = std::mem::take(&mut self.sent);
        let pings = sent.iter().filter(|it| {
            let Outgoing::Control(control) = &it.packet else { return false };
            matches!(control, Control::Ping(_))
        });
        pings.flat_map(|it| it.addresses.clone()).collect()
    }

    /// Returns the number of `where`s about a peer, sent to `to` and nobody else, and forgets all
    /// that was sent. Panics if there is another `where`.
    fn take_wheres(&mut self, about: PeerId, to: SocketAddr) -> usize {
        let sent = std::mem::take(&mut self.sent);
        let wheres = sent.iter().filter(|it| {
            let Outgoing::Control(Control::Where(asked)) = &it.packet else { return false };
            assert_eq!(
                (asked.peers.as_slice(), it.addresses.as_slice()),
                (&[about][..], &[to][..])
            );
            true
        });
        wheres.count()
    }
}

/// A member that was not heard for 1.5 × I(n) + 1 s, but that another one hears, is asked for: at
/// once, and every 3 s. No longer once it is heard again.
#[test]
fn silent_member_that_another_one_hears_is_asked_for() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut carl, "carl"));
    let (about, to) = (carl.signer.id, bert.address);
    bench.sent.clear();
    for (count, pause, expected) in [(39, 100, 0), (1, 200, 1), (28, 100, 0), (1, 200, 1)] {
        for _ in 0..count {
            bench.advance(pause);
            bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        }
        bench.advance(50);
        assert_eq!(bench.take_wheres(about, to), expected, "{}", bench.now);
    }
    bench.receive_heartbeat(&mut carl, "carl", 0, vec![]);
    for _ in 0..39 {
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        bench.advance(100);
    }
    assert_eq!(bench.take_wheres(about, to), 0);
}

/// A silent member is pinged at once at the address that another one states, then at all its
/// addresses in turns, until it answers. An address of a member that is heard is not taken.
#[test]
fn stated_address_of_a_silent_member_is_pinged_at_once() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    assert!(bench.admit(&mut carl, "carl"));
    let (id, old, new) = (carl.signer.id, carl.address, FakePeer::new(3).address);
    bench.sent.clear();
    for is_silent in [false, true] {
        for _ in 0..3 {
            bench.advance(1_400);
            if !is_silent {
                bench.receive_heartbeat(&mut carl, "carl", 0, vec![]);
            }
            bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        }
        bench.receive_by(None, &mut bert, peers(id, new));
        bench.advance(200);
        let expected = if is_silent { vec![new] } else { vec![] };
        assert_eq!(bench.take_pings(), expected, "{is_silent}");
    }
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
    bench.advance(3_000);
    assert_eq!(bench.take_pings(), [old, new, old]);
    carl.address = new;
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
    bench.advance(1_000);
    assert!(bench.answer_cookies(&mut carl, 0));
    bench.sent.clear();
    for _ in 0..5 {
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        bench.receive_heartbeat(&mut carl, "carl", 0, vec![]);
        bench.advance(1_000);
    }
    assert_eq!(bench.take_pings(), []);
    assert_eq!(bench.mesh.contacts.get(id).unwrap().address(), Some(new));
}

/// If a listed peer that has not answered many pings becomes a member by its name, the series of
/// pings begins anew: they come each second.
#[test]
fn pings_begin_anew_when_a_listed_peer_becomes_a_member() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    for _ in 0..60 {
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        bench.receive_by(None, &mut bert, peers(carl.signer.id, carl.address));
        bench.advance(1_000);
    }
    bench.take_pings();
    let beat = bench.heartbeat("carl", 0, vec![]);
    bench.receive_by(None, &mut carl, beat);
    assert!(bench.names().contains("carl"));
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
    bench.advance(3_500);
    assert_eq!(bench.take_pings(), [carl.address; 4]);
}

/// Addresses in a `peers` are taken only if it answers a question and comes by unicast, and each
/// answer brings three pings at most. So nobody has a whole room send pings to a victim.
#[test]
fn addresses_are_taken_only_if_asked_for() {
    let mut bench = TestBench::alone();
    let (mut bert, carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    let (about, to, victim) = (carl.signer.id, bert.address, FakePeer::new(3).address);
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
    bench.sent.clear();
    // Not asked for yet.
    bench.receive_by(None, &mut bert, peers(about, victim));
    bench.advance(2_000);
    assert_eq!(bench.take_pings(), []);
    bench.advance(2_000);
    assert_eq!(bench.take_wheres(about, to), 1);
    // By the group, by another peer, and then as it should be.
    bench.receive(&mut bert, peers(about, victim));
    let mut dora = FakePeer::new(4);
    assert!(bench.admit(&mut dora, "dora"));
    bench.receive_by(None, &mut dora, peers(about, victim));
    bench.advance(100);
    assert!(!bench.take_pings().contains(&victim));
    for _ in 0..10 {
        bench.receive_by(None, &mut bert, peers(about, victim));
    }
    bench.advance(200);
    assert_eq!(bench.take_pings(), [victim]);
    // The question has been answered already.
    bench.receive_by(None, &mut bert, peers(about, victim));
    for _ in 0..10 {
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        bench.advance(1_000);
    }
    assert_eq!(bench.take_pings().iter().filter(|it| **it == victim).count(), 2);
}

/// An answer about the address of a silent member is taken for 10 s after the question.
#[test]
fn late_answer_about_an_address_is_not_taken() {
    for (wait, is_taken) in [(9_900, true), (10_000, false)] {
        let mut bench = TestBench::alone();
        let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
        assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut carl, "carl"));
        let (about, new) = (carl.signer.id, FakePeer::new(3).address);
        bench.advance(4_000);
        bench.sent.clear();
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        let asked_at = bench.now;
        while bench.take_wheres(about, bert.address) == 0 {
            bench.advance(1);
        }
        let elapsed = bench.now - asked_at;
        // It is heard again, so it is asked for no more. Then it falls silent.
        bench.advance(2_500 - elapsed);
        bench.receive_heartbeat(&mut carl, "carl", 0, vec![]);
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.advance(wait + elapsed - 2_500);
        bench.sent.clear();
        bench.receive_by(None, &mut bert, peers(about, new));
        // Pings to its other address are in progress, one each second.
        bench.advance(2_200);
        assert_eq!(bench.take_pings().contains(&new), is_taken, "{wait}");
    }
}

/// A peer that only a page has verified, and that asks for an entry, is pinged once each time that
/// it asks. When it has answered, it gets the entry.
#[test]
fn listed_peer_that_asks_for_an_entry_is_pinged() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    let (room, style, text) = (RoomSelector::Only, Style::SAID, "hello".to_owned());
    bench.request(ChatCommand::Say { room, style, text });
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
    let ranges = vec![EntryRange { author: bench.mesh.me.id, first: 1, last: 1 }];
    let want = Control::Want(Want { ranges });
    bench.sent.clear();
    for _ in 0..2 {
        bench.receive(&mut carl, want.clone());
        bench.advance(200);
        assert_eq!(bench.sent.iter().filter(|it| it.addresses == [carl.address]).count(), 1);
        assert_eq!(bench.take_pings(), [carl.address]);
        bench.advance(2_200);
        bench.receive_heartbeat(&mut bert, "bert", 0, page(&carl));
        assert_eq!(bench.take_pings(), []);
    }
    bench.receive(&mut carl, want.clone());
    bench.advance(200);
    assert!(bench.answer_cookies(&mut carl, 0));
    bench.receive(&mut carl, want);
    let is_entry = |it: &Sent| matches!(it.packet, Outgoing::Entry(_));
    assert!(bench.sent.iter().any(|it| is_entry(it) && it.addresses == [carl.address]));
}

/// One `peers` with 16 addresses of one victim, all of them asked for, brings less than three times
/// its size.
#[test]
fn pings_to_suggested_addresses_are_less_than_three_times_the_size() {
    let mut bench = TestBench::alone();
    let mut mallory = FakePeer::new(1);
    assert!(bench.admit(&mut mallory, "mallory"));
    let (victim, invented) = (FakePeer::new(2).address, (10..26).map(FakePeer::new));
    let ids: Vec<_> = invented.map(|it| it.signer.id).collect();
    let page: Vec<_> = ids.iter().map(|id| PageItem { author: *id, have: 0, ago: 0 }).collect();
    let items = ids.iter().map(|id| {
        let Control::Peers(it) = peers(*id, victim) else { panic!() };
        it.peers[0]
    });
    let told = Control::Peers(Peers { peers: items.collect() });
    bench.receive_heartbeat(&mut mallory, "mallory", 0, page.clone());
    bench.advance(4_500);
    assert_eq!(bench.count_sent(|it| matches!(it, Control::Where(_))), 16);
    let size = told.datagram_len();
    bench.receive_by(None, &mut mallory, told);
    for _ in 0..20 {
        bench.receive_heartbeat(&mut mallory, "mallory", 0, page.clone());
        bench.advance(1_000);
    }
    let sent = bench.bytes_to(victim);
    assert!(sent > 0 && sent < 3 * size, "{sent} bytes to {size}");
}

/// Of ten members, only the two nearest to the id of a peer that is not verified ping it. With each
/// further 0.9 × I(n) in which it is heard, twice as many do. So 100 strangers cause few pings.
#[test]
fn unverified_peers_are_pinged_by_the_nearest_members_first() {
    let mut bench = TestBench::alone();
    let mut members: Vec<_> = (1..10).map(FakePeer::new).collect();
    for (number, member) in members.iter_mut().enumerate() {
        assert!(bench.admit(member, &format!("m{number}")));
    }
    let distance =
        |one: PeerId, other: PeerId| u64::from_be_bytes(one.0) ^ u64::from_be_bytes(other.0);
    let me = bench.mesh.me.id;
    let is_near = |it: PeerId, count: usize| {
        let nearer =
            members.iter().filter(|other| distance(other.signer.id, it) < distance(me, it));
        nearer.count() < count
    };
    let mut strangers: Vec<_> = (100..200).map(FakePeer::new).collect();
    let mut pinged = BTreeSet::new();
    bench.sent.clear();
    for count in [2, 4, 8, 16] {
        for stranger in &mut strangers {
            bench.receive_heartbeat(stranger, "stranger", 0, vec![]);
        }
        // The first pings come within I(n).
        bench.advance(2_200);
        pinged.extend(bench.take_pings());
        let expected = strangers.iter().filter(|it| is_near(it.signer.id, count));
        let expected: BTreeSet<_> = expected.map(|it| it.address).collect();
        let is_stranger = |it: &&SocketAddr| strangers.iter().any(|other| other.address == **it);
        let strangers_pinged: BTreeSet<_> = pinged.iter().filter(is_stranger).copied().collect();
        assert_eq!(strangers_pinged, expected, "{count}");
    }
}

/// If 256 peers of one address are heard that are not members, a further one takes the place of the
/// oldest one that is not verified, although one that is verified is older.
#[test]
fn unverified_peer_is_evicted_before_a_verified_one() {
    let mut bench = TestBench::alone();
    let crowd = SocketAddr::from(([10, 0, 0, 66], 6));
    let mut all: Vec<_> = (0..258).map(|it| FakePeer::new(it).at(crowd)).collect();
    for (number, it) in all.iter_mut().enumerate() {
        // An announce states no name for the members: its sender is no member before its heartbeat.
        let announce = Announce::new(Nonce(it.signer.id.0), format!("x{number}"), vec![]);
        bench.receive(it, Control::Announce(announce));
        if number == 0 {
            bench.advance(150);
            assert!(bench.answer_cookies(it, 0));
        }
        bench.advance(1);
    }
    let is_known = |it: &FakePeer| bench.mesh.contacts.get(it.signer.id).is_some();
    let evicted: Vec<_> = (0..all.len()).filter(|it| !is_known(&all[*it])).collect();
    assert_eq!(evicted, [1, 2]);
}
