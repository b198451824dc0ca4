//! Tests of `agree`s with forged sources: their nonce was announced to everybody, so they prove no
//! address. Section 7, rule 12.

use std::net::SocketAddr;

use super::bench::{FakePeer, Sent, TestBench, agree_from, candidate_nonce};
use crate::mesh::{End, Outgoing};
use crate::model::{ErrorCode, Event, Lamport, PathSet, PeerId, RoomClock};
use crate::wire::udp::{Agree, Announce, Control, Object, PageItem, Pong};

impl TestBench {
    /// Delivers an `agree` of a fake member to the candidate under test. The fake member does not
    /// get the ping that follows: it has forged the source.
    fn receive_forged_agree(&mut self, who: &mut FakePeer, flags: u8, lamport: u64) {
        let agree = agree_from(self, who, candidate_nonce(self), flags, lamport);
        self.receive_by(None, who, agree);
    }

    /// Delivers an objection with the code `Blocked` of a fake peer that names itself "stranger",
    /// and its `pong` to the ping that follows.
    fn receive_proven_objection(&mut self, who: &mut FakePeer) {
        let before = self.sent.len();
        let object = Object {
            nonce: candidate_nonce(self),
            code: ErrorCode::Blocked.number(),
            by: "stranger".to_owned(),
            username: "anna".to_owned(),
            holder: who.signer.id,
            clock: RoomClock(1_000_000 + self.now),
            since: RoomClock(0),
            text: "No.".to_owned(),
        };
        self.receive(who, Control::Object(object));
        if self.end.is_none() {
            self.answer_cookies(who, before);
        }
    }

    /// Returns the `agreed` lists of the announces sent so far, from index `since` in `sent` on.
    fn agreed_lists(&self, since: usize) -> Vec<Vec<PeerId>> {
        let announce = |it: &Sent| match &it.packet {
            Outgoing::Control(Control::Announce(Announce { agreed, .. })) => Some(agreed.clone()),
            _ => None,
        };
        self.sent[since..].iter().filter_map(announce).collect()
    }

    /// Returns the addresses that were asked for the history.
    fn history_sources(&self) -> Vec<SocketAddr> {
        let recalls = self
            .sent
            .iter()
            .filter(|it| matches!(it.packet, Outgoing::Control(Control::Recall(_))));
        recalls.flat_map(|it| it.addresses.clone()).collect()
    }

    /// Returns true if the peer under test has told its user that it has joined.
    fn has_told_joining(&self) -> bool {
        self.events.iter().any(|it| matches!(it, Event::JoinedMesh(_)))
    }
}

/// An invented voter at another address does not vouch for a stranger's objection.
#[test]
fn forged_voter_does_not_vouch() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut stranger) = (FakePeer::new(1), FakePeer::new(66));
    let mut invented = FakePeer::new(67);
    bench.receive_agree(&mut bert, 0, 0);
    bench.receive_forged_agree(&mut invented, 0, 0);
    bench.receive_proven_objection(&mut stranger);
    let page = vec![PageItem { author: stranger.signer.id, have: 0, ago: 0 }];
    bench.receive_heartbeat(&mut invented, "invented", 0, page);
    bench.advance(20_000);
    assert_eq!(bench.end, None);
    assert!(bench.has_told_joining());
}

/// An invented voter at another address does not outvote the objection of the only member.
#[test]
fn forged_voter_does_not_outvote_an_objection() {
    let mut bench = TestBench::candidate();
    let (mut anna, mut invented) = (FakePeer::new(1), FakePeer::new(67));
    bench.receive_forged_agree(&mut invented, 0, 0);
    bench.receive_proven_objection(&mut anna);
    bench.advance(7_000);
    assert!(matches!(bench.end, Some(End::Rejected { .. })), "{:?}", bench.end);
}

/// Invented voters are not listed as having agreed, however many they are, and take no places in
/// the list from a member.
#[test]
fn forged_voters_are_not_listed_as_agreed() {
    let mut bench = TestBench::candidate();
    for number in 100..400 {
        bench.receive_forged_agree(&mut FakePeer::new(number), 0, 0);
    }
    let mut bert = FakePeer::new(1);
    // All places are taken by invented voters. The second `agree` counts at once.
    bench.receive_agree(&mut bert, 0, 0);
    let before = bench.sent.len();
    bench.receive_agree(&mut bert, 0, 0);
    bench.advance(600);
    let lists = bench.agreed_lists(before);
    assert!(!lists.is_empty());
    assert!(lists.iter().all(|it| *it == [bert.signer.id]), "{lists:?}");
}

/// Room clock, Lamport counter and history come from voters that have proven their address only.
/// Invented voters become no members.
#[test]
fn newcomer_takes_nothing_over_from_forged_voters() {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    for number in 100..110 {
        let mut invented = FakePeer::new(number);
        let Control::Agree(agree) =
            agree_from(&bench, &invented, candidate_nonce(&bench), 0, 1 << 40)
        else {
            panic!()
        };
        let agree = Agree { clock: RoomClock(1 << 39), ..agree };
        bench.receive_by(None, &mut invented, Control::Agree(agree));
    }
    bench.receive_agree(&mut bert, 0, 77);
    while !bench.mesh.is_member() && bench.now < 20_000 {
        bench.advance(1);
    }
    assert_eq!(bench.mesh.room_clock(bench.now().moment), RoomClock(1_000_000 + bench.now));
    assert_eq!(bench.mesh.logs.lamport(), Lamport(77));
    bench.advance(3_000);
    let sources = bench.history_sources();
    assert!(!sources.is_empty() && sources.iter().all(|it| *it == bert.address), "{sources:?}");
    let members = bench.mesh.contacts.member_count();
    assert_eq!(members, 1);
}

/// A forged `agree` delays a candidate no longer than a forged heartbeat does: by 3.5 s at most.
/// One that claims to ask its user does not delay it further.
#[test]
fn forged_voter_delays_like_a_silent_one() {
    for flags in [0, Agree::ASKING] {
        let mut bench = TestBench::candidate();
        bench.receive_forged_agree(&mut FakePeer::new(100), flags, 0);
        while !bench.mesh.is_member() && bench.now < 20_000 {
            bench.advance(1);
        }
        assert!(bench.now <= 5_500, "{}", bench.now);
    }
}

/// A forged `agree` brings its source a `pong` and a `ping` at once, less than twice its size, and
/// seven pings more at most until the candidate has joined; and nothing but a ping after that.
#[test]
fn forged_agree_attracts_little_traffic() {
    for flags in [0, Agree::ASKING] {
        let mut bench = TestBench::candidate();
        let mut bert = FakePeer::new(1);
        bench.receive_agree(&mut bert, 0, 0);
        let mut invented = FakePeer::new(100);
        let agree = agree_from(&bench, &invented, candidate_nonce(&bench), flags, 0);
        let size = agree.datagram_len();
        bench.receive_by(None, &mut invented, agree);
        assert!(bench.bytes_to(invented.address) <= 2 * size);
        bench.advance(30_000);
        let bytes = bench.bytes_to(invented.address);
        assert!(bytes <= 137 * 10, "{bytes}");
        let is_small =
            |it: &Sent| matches!(it.packet, Outgoing::Control(Control::Ping(_) | Control::Pong(_)));
        let to_it = bench.sent.iter().filter(|it| it.addresses.contains(&invented.address));
        assert!(to_it.clone().all(is_small));
    }
}

/// The pong of a voter was lost. It gets pings until it answers, and then its vote counts.
#[test]
fn lost_pong_of_a_voter_is_asked_for_again() {
    for lost in 1..=6 {
        let mut bench = TestBench::candidate();
        let mut bert = FakePeer::new(1);
        bench.receive_forged_agree(&mut bert, 0, 0);
        let is_ping = |it: &Control| matches!(it, Control::Ping(_));
        while bench.count_sent(is_ping) <= lost {
            bench.advance(1);
        }
        assert!(!bench.mesh.is_member());
        let last = bench.sent.iter().rev().find_map(|it| match it.packet {
            Outgoing::Control(Control::Ping(it)) => Some(it.cookie),
            _ => None,
        });
        let pong = Pong { cookie: last.unwrap(), heard: PathSet(1) };
        bench.receive(&mut bert, Control::Pong(pong));
        bench.advance(2_100);
        assert_eq!(bench.history_sources().first(), Some(&bert.address), "{lost}");
    }
}

/// However many voters a stranger invents with forged sources, those that prove its own address
/// later are at most 8 of a candidate's votes.
#[test]
fn voters_that_move_to_one_address_are_limited() {
    let mut bench = TestBench::candidate();
    let own = FakePeer::new(66).address;
    for number in 100..150 {
        let mut stranger = FakePeer::new(number);
        bench.receive_forged_agree(&mut stranger, Agree::ASKING, 0);
        let mut stranger = stranger.at(own);
        bench.receive_agree(&mut stranger, Agree::ASKING, 0);
    }
    bench.sent.clear();
    bench.advance(260);
    let announces =
        bench.sent.iter().filter(|it| matches!(it.packet, Outgoing::Control(Control::Announce(_))));
    let asked: Vec<usize> =
        announces.map(|it| it.addresses.iter().filter(|it| **it == own).count()).collect();
    assert_eq!(asked, [8]);
}

/// Hundreds of keys of one address do not set a newcomer's Lamport counter, as long as there are
/// voters at two other addresses.
#[test]
fn keys_of_one_address_count_as_one_for_the_lamport_counter() {
    let mut bench = TestBench::candidate();
    let own = FakePeer::new(66).address;
    for number in 100..110 {
        bench.receive_agree(&mut FakePeer::new(number).at(own), 0, (1 << 47) - 1);
    }
    for (number, lamport) in [(1, 1_000), (2, 1_001)] {
        bench.receive_agree(&mut FakePeer::new(number), 0, lamport);
    }
    while !bench.mesh.is_member() && bench.now < 20_000 {
        bench.advance(1);
    }
    assert_eq!(bench.mesh.logs.lamport(), Lamport(1_001));
}
