//! Tests of claims about seniority: what a peer has seen beats what another one claims.

use super::hostile::{FakePeer, TestBench, agree_from, candidate_nonce};
use crate::model::{ErrorCode, Event, RoomClock};
use crate::wire::udp::{Control, Nonce, Object, PageItem};

/// A huge room clock, of about 30 years.
const HUGE: u64 = 1_000_000_000_000;

/// Returns a bench whose peer "anna" is a settled member, with the more junior member bert.
fn bench_with_bert() -> (TestBench, FakePeer) {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    bench.advance(5_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    bench.advance(5_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    (bench, bert)
}

/// Returns true if the peer under test has lost its name.
fn is_renamed(bench: &TestBench) -> bool {
    bench.events.iter().any(|it| matches!(it, Event::Renamed { .. }))
}

/// A member that has announced itself, and then claims to have been here for years under the name
/// of another one, takes no name.
#[test]
fn newcomer_that_claims_to_be_the_oldest_takes_no_name() {
    let (mut bench, _bert) = bench_with_bert();
    let mut mallory = FakePeer::new(2);
    assert!(bench.admit(&mut mallory, "mallory"));
    for clock in [HUGE, HUGE + 2_000, (1 << 47) - 1, u64::MAX] {
        bench.receive_claim(&mut mallory, "anna", clock);
        bench.advance(2_000);
    }
    assert!(!is_renamed(&bench));
    assert!(bench.mesh.is_voter());
}

/// A stranger that turns up alone, without announcing itself, and claims to have been here for
/// years takes no name from a member that others have been with.
#[test]
fn lone_stranger_that_claims_to_be_the_oldest_takes_no_name() {
    let (mut bench, mut bert) = bench_with_bert();
    let mut mallory = FakePeer::new(2);
    bench.meet(&mut mallory, "anna");
    for round in 0..5 {
        bench.receive_claim(&mut mallory, "anna", HUGE + round * 1_000);
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.advance(1_000);
    }
    assert!(!is_renamed(&bench));
    let is_told = |it: &Control| matches!(it, Control::Object(it) if it.nonce == Nonce::default());
    assert!(bench.count_sent(is_told) > 0, "it is told to give way");
}

/// The same stranger with helpers of its own address takes no name either.
#[test]
fn helpers_of_one_address_are_no_witnesses() {
    let (mut bench, mut bert) = bench_with_bert();
    let mut crowd: Vec<_> = (2..6).map(FakePeer::new).collect();
    let address = crowd[0].address;
    crowd.iter_mut().for_each(|it| it.address = address);
    for (number, helper) in crowd.iter_mut().enumerate() {
        bench.meet(helper, if number == 0 { "anna" } else { "helper" });
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    }
    for round in 0..5 {
        for (number, helper) in crowd.iter_mut().enumerate() {
            bench.receive_claim(
                helper,
                if number == 0 { "anna" } else { "helper" },
                HUGE + round * 1_000,
            );
        }
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.advance(1_000);
    }
    assert!(!is_renamed(&bench));
}

/// Two rooms with several peers each that meet: the more senior holder keeps the name, as before.
#[test]
fn merge_of_two_rooms_is_decided_by_seniority() {
    let (mut bench, mut bert) = bench_with_bert();
    let (mut anna, mut carl) = (FakePeer::new(2), FakePeer::new(3));
    let beat = |bench: &mut TestBench, anna: &mut FakePeer, carl: &mut FakePeer| {
        let clock = HUGE + bench.now;
        bench.receive_claim(anna, "anna", clock);
        bench.receive_claim(carl, "carl", clock);
    };
    beat(&mut bench, &mut anna, &mut carl);
    for _ in 0..40 {
        let before = bench.sent.len().saturating_sub(20);
        bench.answer_cookies(&mut anna, before);
        bench.answer_cookies(&mut carl, before);
        bench.advance(100);
    }
    beat(&mut bench, &mut anna, &mut carl);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    bench.advance(1_000);
    beat(&mut bench, &mut anna, &mut carl);
    assert!(is_renamed(&bench));
}

/// A peer that was alone gives way to a group that it meets, although it claims to be more senior
/// itself: the group has witnesses.
#[test]
fn lone_peer_gives_way_to_a_group() {
    let mut bench = TestBench::alone();
    bench.advance(20_000);
    let (mut anna, mut carl) = (FakePeer::new(2), FakePeer::new(3));
    bench.meet(&mut carl, "carl");
    bench.meet(&mut anna, "anna");
    // By their claims this peer is more senior.
    for _ in 0..3 {
        bench.receive_since(&mut carl, "carl", 15_000);
        bench.receive_since(&mut anna, "anna", 15_000);
        bench.advance(1_000);
    }
    assert!(is_renamed(&bench));
}

/// A member that was there before this peer takes its name by calling itself so only later: the
/// name was held already.
#[test]
fn senior_member_takes_no_name_by_renaming_itself() {
    let mut bench = TestBench::candidate();
    let mut senior = FakePeer::new(1);
    let agree = agree_from(&bench, &senior, candidate_nonce(&bench), 0, 0);
    bench.receive(&mut senior, agree);
    bench.advance(4_000);
    for name in ["senior", "anna", "anna"] {
        let clock = 1_000_000 + bench.now;
        bench.receive_claim(&mut senior, name, clock);
        bench.advance(1_000);
    }
    assert!(!is_renamed(&bench));
}

/// A junior member that says that an unheard peer holds this peer's name for longer is no witness.
#[test]
fn junior_member_is_no_witness_for_an_invented_holder() {
    let (mut bench, mut bert) = bench_with_bert();
    let invented = FakePeer::new(3).signer.id;
    let page = vec![PageItem { author: invented, have: 0, ago: 0 }];
    bench.receive_heartbeat(&mut bert, "bert", 0, page);
    let (clock, since) = (bench.clock(), RoomClock(0));
    let object = Object {
        nonce: Nonce::default(),
        code: ErrorCode::NameTaken.number(),
        by: "bert".to_owned(),
        username: "anna".to_owned(),
        holder: invented,
        clock,
        since,
        text: String::new(),
    };
    bench.receive(&mut bert, Control::Object(object));
    assert!(!is_renamed(&bench));
}

/// No stated room clock brings that of this peer near its end, so newcomers stay comparable.
#[test]
fn absurd_room_clock_is_not_taken_over() {
    let (mut bench, mut bert) = bench_with_bert();
    bench.receive_claim(&mut bert, "bert", u64::MAX);
    let clock = bench.mesh.room_clock(bench.now().moment);
    assert_eq!(clock, bench.clock());
}

impl TestBench {
    /// Delivers a heartbeat of a fake peer that states this name and *since*, and the right room
    /// clock.
    fn receive_since(&mut self, who: &mut FakePeer, name: &str, since: u64) {
        let beat = crate::wire::udp::Heartbeat {
            clock: self.clock(),
            since: RoomClock(since),
            username: name.to_owned(),
            time: crate::model::Timestamp(self.now),
            members: 2,
            sequence: 0,
            page: vec![],
        };
        self.receive(who, Control::Heartbeat(beat));
    }
}
