//! Tests of paths: by which path a peer is told to send, and by which path it is believed to hear.
//! Sections 11 and 12.

use super::bench::{FakePeer, Sent, TestBench, agree_from, candidate_nonce};
use crate::mesh::{Input, Outgoing};
use crate::model::{ChatCommand, Path, PathSet, RoomSelector, Style};
use crate::wire::udp::{Control, PageItem, Recent};

impl TestBench {
    /// Returns a bench whose peer "anna" has joined. Its only voter, this fake peer, has agreed at
    /// 100 ms by unicast, and has answered the `recall`. `hosts`: number of hosts that anna names.
    fn joined_with(voter: &mut FakePeer, hosts: u16) -> Self {
        let mut bench = Self::candidate();
        let hosts = (0..hosts).map(|it| FakePeer::new(700 + it).address);
        bench.input(Input::Hosts(hosts.collect()));
        bench.advance(100);
        let nonce = candidate_nonce(&bench);
        let agree = agree_from(&bench, voter, nonce, 0, 0);
        let before = bench.sent.len();
        bench.receive_by(None, voter, agree);
        bench.answer_cookies_by(None, voter, before);
        bench.advance(1_900);
        let recent = Recent { nonce, page: 0, pages: 1, entries: vec![], marks: vec![] };
        bench.receive_by(None, voter, Control::Recent(recent));
        bench
    }

    /// Has the peer under test say something. Returns the paths and addresses that the entry is
    /// sent to.
    fn destinations(&mut self) -> (PathSet, Vec<std::net::SocketAddr>) {
        let (room, style, text) = (RoomSelector::Only, Style::SAID, "hello".to_owned());
        self.request(ChatCommand::Say { room, style, text });
        let is_entry = |it: &&Sent| matches!(it.packet, Outgoing::Entry(_));
        let last = self.sent.iter().rfind(is_entry).unwrap();
        (last.paths, last.addresses.clone())
    }

    /// Returns the number of pings sent.
    fn pings(&self) -> usize {
        self.count_sent(|it| matches!(it, Control::Ping(_)))
    }
}

/// For 1.25 × I(n) after joining, a peer tells a member nothing about paths, although nothing of it
/// came by a path during the candidacy. Once a heartbeat has come by the group, nothing is to be
/// told.
#[test]
fn paths_are_judged_from_joining_on() {
    let mut bert = FakePeer::new(1);
    let mut bench = TestBench::joined_with(&mut bert, 0);
    // The ping that followed the agreement.
    bench.sent.clear();
    bench.advance(2_400);
    assert_eq!(bench.pings(), 0);
    for _ in 0..10 {
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.advance(2_000);
    }
    assert_eq!(bench.pings(), 0);
}

/// A member that was never heard by a path, but has answered an announce that went by paths only,
/// is believed to hear the IPv4 group. If hosts were named, it may have been reached by unicast
/// only, and gets a copy.
#[test]
fn answer_to_an_announce_by_paths_proves_a_path() {
    for (hosts, paths) in [(0, PathSet::NONE.with(Path::GroupV4)), (1, PathSet::NONE)] {
        let mut bert = FakePeer::new(1);
        let mut bench = TestBench::joined_with(&mut bert, hosts);
        let copies = if hosts == 0 { vec![] } else { vec![bert.address] };
        assert_eq!(bench.destinations(), (paths, copies));
    }
}

/// A peer that is known by name, was never heard by a path, and becomes a member because another
/// one lists it, is pinged at once: its address must be verified, to send copies there.
#[test]
fn unicast_member_without_a_verified_address_is_pinged_at_once() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    let page = vec![PageItem { author: carl.signer.id, have: 0, ago: 0 }];
    bench.receive_heartbeat(&mut bert, "bert", 0, page);
    bench.sent.clear();
    let beat = bench.heartbeat("carl", 0, vec![]);
    bench.receive_by(None, &mut carl, beat);
    assert!(bench.names().contains("carl"));
    bench.advance(200);
    assert!(bench.answer_cookies_by(None, &mut carl, 0));
    assert!(bench.destinations().1.contains(&carl.address));
}

/// What is sent to everybody follows a peer that only unicast reaches to a new address, once that
/// one is verified, and back to the former one as soon as it sends from there.
#[test]
fn copies_follow_a_peer_to_its_new_address_and_back() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    let (old, new) = (bert.address, FakePeer::new(2).address);
    let beat = |bench: &mut TestBench, bert: &mut FakePeer| {
        let beat = bench.heartbeat("bert", 0, vec![]);
        bench.sent.clear();
        bench.receive_by(None, bert, beat);
        for _ in 0..40 {
            bench.advance(100);
            bench.answer_cookies_by(None, bert, 0);
            bench.sent.clear();
        }
    };
    beat(&mut bench, &mut bert);
    assert_eq!(bench.destinations(), (PathSet::NONE, vec![old]));
    bench.advance(4_500);
    bert.address = new;
    beat(&mut bench, &mut bert);
    assert_eq!(bench.destinations(), (PathSet::NONE, vec![new]));
    bert.address = old;
    let again = bench.heartbeat("bert", 0, vec![]);
    bench.receive_by(None, &mut bert, again);
    assert_eq!(bench.destinations(), (PathSet::NONE, vec![old]));
}

/// A peer that no path brings, and that has proven its address, is sent a heartbeat every 500 ms
/// until its page lists this peer, ten times at most.
#[test]
fn peer_is_introduced_where_no_path_works_until_it_is_listed() {
    for is_listed in [false, true] {
        let mut bench = TestBench::alone();
        let mut bert = FakePeer::new(1);
        let me = PageItem { author: bench.mesh.me.id, have: 0, ago: 0 };
        let beat = bench.heartbeat("bert", 0, vec![]);
        bench.receive_by(None, &mut bert, beat);
        bench.advance(200);
        bench.answer_cookies_by(None, &mut bert, 0);
        if is_listed {
            let beat = bench.heartbeat("bert", 0, vec![me]);
            bench.receive_by(None, &mut bert, beat);
        }
        bench.sent.clear();
        bench.advance(8_000);
        let beats = bench.count_sent(|it| matches!(it, Control::Heartbeat(_)));
        // The regular ones are three to five.
        let expected = if is_listed { 3..=5 } else { 12..=14 };
        assert!(expected.contains(&beats), "{is_listed}: {beats}");
    }
}

/// A peer that comes by unicast, and was never heard by a path, is pinged at once, whichever of the
/// members is nearest to it: the others may not hear it.
#[test]
fn peer_that_no_path_brings_is_pinged_out_of_turn() {
    let mut bench = TestBench::alone();
    for number in 1..10 {
        assert!(bench.admit(&mut FakePeer::new(number), &format!("m{number}")));
    }
    bench.sent.clear();
    for number in 100..120 {
        let beat = bench.heartbeat("stranger", 0, vec![]);
        bench.receive_by(None, &mut FakePeer::new(number), beat);
    }
    bench.advance(200);
    assert_eq!(bench.pings(), 20);
}

/// If the address of a named host is found only when this peer is a member, the host gets ten
/// heartbeats within 5 s, as at the start. The same list again, or a shorter one, brings none.
#[test]
fn member_is_introduced_to_hosts_that_are_found_late() {
    let mut bench = TestBench::alone();
    let (one, other) = (FakePeer::new(700).address, FakePeer::new(701).address);
    let lists: [(&[_], usize); 5] =
        [(&[], 0), (&[one], 10), (&[one], 0), (&[one, other], 10), (&[other], 0)];
    for (hosts, expected) in lists {
        bench.sent.clear();
        bench.input(Input::Hosts(hosts.to_vec()));
        bench.advance(4_900);
        // The regular heartbeats of a lone peer go by all paths as well.
        let unicast = bench.sent.iter().filter(|it| it.paths == PathSet::NONE);
        let introductions: Vec<_> = unicast.map(|it| it.addresses.as_slice()).collect();
        assert_eq!(introductions, vec![hosts; expected]);
        bench.advance(5_000);
    }
}
