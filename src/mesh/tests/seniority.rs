//! Tests of claims about seniority: what a peer has seen beats what others claim.

use super::bench::{FakePeer, TestBench, agree_from, candidate_nonce};
use crate::mesh::contact::{Contact, Profile, Stage};
use crate::mesh::{Input, Outgoing};
use crate::model::{ErrorCode, Event, Moment, NameKey, PathSet, RoomClock};
use crate::wire::udp::{Announce, Control, Cookie, Nonce, Object, PageItem, Ping};

/// Huge reading of the room clock, the milliseconds since a room was opened: about 30 years.
const HUGE: u64 = 1_000_000_000_000;

/// Returns a bench whose peer "anna" has been a member long enough to note when others come, and
/// the more junior member bert.
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

/// Returns true if the peer under test has taken a new name.
fn is_renamed(bench: &TestBench) -> bool {
    bench.events.iter().any(|it| matches!(it, Event::Renamed { .. }))
}

/// Returns a bench whose peer "anna" is alone in its room, and has been a member long enough to
/// note when others come.
fn settled_bench() -> TestBench {
    let mut bench = TestBench::alone();
    bench.advance(10_000);
    bench
}

/// A member has announced itself. Then it claims this peer's name, and to have been here for years.
/// It gets neither the name nor a greater seniority, even if this peer has no witness.
#[test]
fn newcomer_that_claims_to_be_the_oldest_takes_no_name() {
    let benches = || [bench_with_bert().0, settled_bench()];
    for (bench, first) in benches().into_iter().chain(benches()).zip(["x", "x", "anna", "anna"]) {
        let (mut bench, mut mallory) = (bench, FakePeer::new(2));
        let before = bench.sent.len();
        let announce = Announce::new(Nonce([2; 8]), "mallory".to_owned(), vec![]);
        bench.receive(&mut mallory, Control::Announce(announce));
        bench.advance(150);
        assert!(bench.answer_cookies(&mut mallory, before));
        bench.receive_heartbeat(&mut mallory, first, 0, vec![]);
        for clock in [HUGE, HUGE + 2_000, (1 << 47) - 1, u64::MAX] {
            bench.receive_claim(&mut mallory, "anna", clock);
            bench.advance(2_000);
            bench.receive_claim(&mut mallory, "anna", bench.room_clock());
        }
        assert!(!is_renamed(&bench), "{first}");
        // Bert is left out: his *since* is converted to the new clock only with his next heartbeat.
        assert!(bench.mesh.is_among_most_senior(1, &[FakePeer::new(1).signer.id]), "{first}");
    }
}

/// A stranger comes under another name, then claims the name of a peer without a witness. It does
/// not get the name.
#[test]
fn stranger_takes_no_name_by_renaming_itself() {
    let mut bench = settled_bench();
    let mut mallory = FakePeer::new(2);
    bench.meet(&mut mallory, "mallory");
    for _ in 0..3 {
        bench.receive_claim(&mut mallory, "anna", HUGE);
        bench.advance(1_000);
        bench.receive_claim(&mut mallory, "anna", bench.room_clock());
    }
    assert!(!is_renamed(&bench));
}

/// A claim to have joined up to 5 s before the peer was noticed is believed. An earlier claim
/// counts as the time at which it was noticed.
#[test]
fn claim_is_believed_up_to_the_tolerance() {
    let mut contact = Contact::new(Moment::START, Stage::Heard);
    contact.witnessed_since = Some(RoomClock(10_000));
    for (claimed, counted) in [(5_000, 5_000), (4_999, 10_000), (12_000, 12_000)] {
        let (name, key, since) = ("bert".to_owned(), NameKey::of("bert"), RoomClock(claimed));
        contact.profile = Some(Profile { name, key, since });
        assert_eq!(contact.since(), RoomClock(counted));
    }
}

/// A stranger turns up alone, without an announce, and claims this peer's name and to have been
/// here for years. It does not get the name, because this peer has a witness.
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

/// A page has listed a peer before this one was settled, and the peer states its first name later:
/// this peer's. It does not get the name if a peer of its own address has listed it, for those can
/// list whom they like. If a member of another address has, it was a member before this one.
#[test]
fn listed_stranger_without_a_name_takes_no_name() {
    for is_listed_elsewhere in [false, true] {
        let mut bench = TestBench::alone();
        let (mut bert, mut mallory) = (FakePeer::new(1), FakePeer::new(2));
        let mut helper = FakePeer::new(3).at(mallory.address);
        assert!(bench.admit(&mut bert, "bert"));
        assert!(bench.admit(&mut helper, "helper"));
        let page = vec![PageItem { author: mallory.signer.id, have: 0, ago: 0 }];
        let lister = if is_listed_elsewhere { &mut bert } else { &mut helper };
        bench.receive_heartbeat(lister, "bert", 0, page);
        assert!(!bench.mesh.contacts.is_witness());
        for _ in 0..3 {
            bench.advance(2_000);
            bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        }
        assert!(bench.mesh.contacts.is_witness());
        bench.meet(&mut mallory, "anna");
        for _ in 0..3 {
            bench.receive_claim(&mut mallory, "anna", bench.room_clock());
            bench.advance(1_000);
        }
        assert_eq!(is_renamed(&bench), is_listed_elsewhere);
    }
}

/// A stranger with three helpers at its own address does not get this peer's name either.
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

/// When two rooms with several peers each meet, the more senior holder keeps the name.
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

/// While the room is split, a stranger takes this peer's name in the other half, and claims to have
/// been here from the beginning. When a member of that half comes back with it, the stranger does
/// not get the name: it was unknown before the split. It does get it with a witness of its own,
/// which claims the same.
#[test]
fn stranger_in_the_other_half_takes_no_name_at_the_merge() {
    for has_own_witness in [false, true] {
        let (mut bench, mut bert) = bench_with_bert();
        let (mut dora, mut mallory) = (FakePeer::new(2), FakePeer::new(3));
        let mut carl = FakePeer::new(4);
        // Otherwise nobody could claim to have been here before this peer.
        bench.receive_claim(&mut bert, "bert", HUGE);
        bench.meet(&mut dora, "dora");
        let dora_since = bench.room_clock();
        let talk = |bench: &mut TestBench, bert: &mut FakePeer, rounds: usize| {
            for _ in 0..rounds {
                bench.receive_heartbeat(bert, "bert", 0, vec![]);
                bench.advance(2_000);
            }
        };
        for _ in 0..10 {
            bench.receive_since(&mut dora, "dora", dora_since);
            talk(&mut bench, &mut bert, 1);
        }
        // Dora is in the other half now, and gone here.
        talk(&mut bench, &mut bert, 8);
        assert!(!bench.names().contains("dora"));
        for _ in 0..8 {
            let before = bench.sent.len();
            bench.receive_since(&mut dora, "dora", dora_since);
            if has_own_witness {
                bench.receive_since(&mut carl, "carl", 0);
            }
            bench.receive_since(&mut mallory, "anna", 0);
            for _ in 0..10 {
                for who in [&mut dora, &mut carl, &mut mallory] {
                    bench.answer_cookies(who, before);
                }
                bench.advance(100);
            }
            bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        }
        assert!(bench.names().contains("dora"));
        assert_eq!(is_renamed(&bench), has_own_witness);
    }
}

/// The time since which a peer holds its name moves with the room clock when that jumps. So of two
/// peers that meet, the one that is here for longer keeps the name, whichever of the room clocks is
/// ahead.
#[test]
fn time_of_the_own_name_moves_with_the_room_clock() {
    // The peer under test is here for 11 s when the other one, whose clock is far ahead, turns up.
    for (present, is_renamed_then) in [(5_000, false), (60_000, true)] {
        let mut bench = settled_bench();
        let mut anna = FakePeer::new(2);
        let since = HUGE + bench.now - present;
        let before = bench.sent.len();
        for _ in 0..30 {
            let clock = RoomClock(HUGE + bench.now);
            let beat = crate::wire::udp::Heartbeat {
                clock,
                since: RoomClock(since),
                username: "anna".to_owned(),
                time: crate::model::Timestamp(bench.now),
                members: 1,
                sequence: 0,
                page: vec![],
            };
            bench.receive(&mut anna, Control::Heartbeat(beat));
            bench.advance(500);
            bench.answer_cookies(&mut anna, before);
        }
        assert_eq!(is_renamed(&bench), is_renamed_then, "{present}");
    }
}

/// A peer that was alone gives way to a group that it meets, although it is more senior: the group
/// has witnesses.
#[test]
fn lone_peer_gives_way_to_a_group() {
    let mut bench = TestBench::alone();
    bench.advance(20_000);
    let (mut anna, mut carl) = (FakePeer::new(2), FakePeer::new(3));
    bench.meet(&mut carl, "carl");
    bench.meet(&mut anna, "anna");
    // By their claims, this peer is more senior.
    for _ in 0..3 {
        bench.receive_since(&mut carl, "carl", 15_000);
        bench.receive_since(&mut anna, "anna", 15_000);
        bench.advance(1_000);
    }
    assert!(is_renamed(&bench));
}

/// After a sleep, a peer gives way to a group that it meets, although it had a companion before.
#[test]
fn peer_back_from_sleep_gives_way_to_a_group() {
    let (mut bench, mut bert) = bench_with_bert();
    bench.now += 8_000;
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    let (mut anna, mut carl) = (FakePeer::new(2), FakePeer::new(3));
    bench.meet(&mut carl, "carl");
    bench.meet(&mut anna, "anna");
    for _ in 0..3 {
        bench.receive_since(&mut carl, "carl", 15_000);
        bench.receive_since(&mut anna, "anna", 15_000);
        bench.advance(1_000);
    }
    assert!(is_renamed(&bench));
}

/// A peer at an address of this peer's own machine is no witness for another holder of the name.
#[test]
fn companion_on_the_own_machine_is_no_witness() {
    let mut bench = settled_bench();
    let (mut anna, mut carl) = (FakePeer::new(2), FakePeer::new(3));
    bench.input(Input::OwnAddresses(vec![carl.address.ip()]));
    bench.meet(&mut carl, "carl");
    bench.meet(&mut anna, "anna");
    for _ in 0..3 {
        bench.receive_since(&mut carl, "carl", 8_000);
        bench.receive_since(&mut anna, "anna", 8_000);
        bench.advance(1_000);
    }
    assert!(!is_renamed(&bench));
}

/// A senior member's statement about another holder of this peer's name counts. It does not count
/// if the holder shares the member's address, has announced itself, or has another name.
#[test]
fn senior_witness_is_believed_about_an_unannounced_holder() {
    /// What the peer under test knows of the other holder of its name before the senior member
    /// states that this holder exists.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Holder {
        /// It has sent nothing.
        Unheard,
        /// It has sent a ping, from an address of its own.
        HeardElsewhere,
        /// It has sent a ping, from the address of the senior member.
        HeardAtTheWitness,
        /// It has announced itself.
        Announced,
        /// It has sent a heartbeat with another name.
        OtherName,
    }
    use Holder::*;
    for what in [Unheard, HeardElsewhere, HeardAtTheWitness, Announced, OtherName] {
        let mut bench = TestBench::candidate();
        let (mut senior, mut holder) = (FakePeer::new(1), FakePeer::new(2));
        bench.receive_agree(&mut senior, 0, 0);
        // The senior sends no history, so this peer joins without one, and later no longer asks for
        // it.
        for _ in 0..60 {
            bench.advance(1_000);
            bench.receive_since(&mut senior, "senior", 0);
        }
        assert!(bench.mesh.is_member());
        if what == HeardAtTheWitness {
            holder.address = senior.address;
        }
        let announce = Announce::new(Nonce([2; 8]), "x".to_owned(), vec![]);
        match what {
            Unheard => {}
            Announced => bench.receive(&mut holder, Control::Announce(announce)),
            OtherName => bench.receive_since(&mut holder, "carl", 0),
            HeardElsewhere | HeardAtTheWitness => {
                let ping = Ping { cookie: Cookie([1; 8]), heard: PathSet(1) };
                bench.receive(&mut holder, Control::Ping(ping));
            }
        }
        let page = vec![PageItem { author: holder.signer.id, have: 0, ago: 0 }];
        bench.receive_heartbeat(&mut senior, "senior", 0, page);
        // The heartbeat says that the witness was here first.
        bench.receive_since(&mut senior, "senior", 0);
        let (clock, since) = (RoomClock(bench.room_clock()), RoomClock(0));
        let object = Object {
            nonce: Nonce::default(),
            code: ErrorCode::NameTaken.number(),
            by: "senior".to_owned(),
            username: "anna".to_owned(),
            holder: holder.signer.id,
            clock,
            since,
            text: String::new(),
        };
        bench.receive(&mut senior, Control::Object(object));
        assert_eq!(is_renamed(&bench), matches!(what, Unheard | HeardElsewhere), "{what:?}");
    }
}

/// The member bert takes the name of carl, a member that came later. The peer under test tells bert
/// that carl holds the name. It does not testify for bert.
#[test]
fn witness_does_not_testify_for_a_member_that_renamed_itself() {
    let mut bench = settled_bench();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    let bert_since = bench.room_clock();
    for _ in 0..4 {
        bench.advance(2_000);
        bench.receive_since(&mut bert, "bert", bert_since);
    }
    assert!(bench.admit(&mut carl, "carl"));
    let carl_since = bench.room_clock();
    bench.advance(2_000);
    bench.sent.clear();
    for _ in 0..3 {
        bench.receive_since(&mut bert, "carl", bert_since);
        bench.receive_since(&mut carl, "carl", carl_since);
        bench.advance(1_000);
    }
    let objections = bench.sent.iter().filter_map(|it| match &it.packet {
        Outgoing::Control(Control::Object(object)) => Some((it.addresses[0], object.holder)),
        _ => None,
    });
    let objections: Vec<_> = objections.collect();
    assert!(!objections.is_empty());
    assert!(objections.iter().all(|it| *it == (bert.address, carl.signer.id)), "{objections:?}");
}

/// A member that is more senior than this peer takes this peer's name later. It does not get the
/// name, because this peer held it first.
#[test]
fn senior_member_takes_no_name_by_renaming_itself() {
    let mut bench = TestBench::candidate();
    let mut senior = FakePeer::new(1);
    bench.receive_agree(&mut senior, 0, 0);
    bench.advance(4_000);
    for name in ["senior", "anna", "anna"] {
        let clock = 1_000_000 + bench.now;
        bench.receive_claim(&mut senior, name, clock);
        bench.advance(1_000);
    }
    assert!(!is_renamed(&bench));
}

/// A junior member states that an unheard peer is the senior holder of this peer's name. The junior
/// member is no witness, so this peer keeps its name.
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

/// A stated room clock that is absurdly great is not adopted.
#[test]
fn absurd_room_clock_is_not_taken_over() {
    let (mut bench, mut bert) = bench_with_bert();
    bench.receive_claim(&mut bert, "bert", u64::MAX);
    let clock = bench.mesh.room_clock(bench.now().moment);
    assert_eq!(clock, bench.clock());
}

/// A candidate does not adopt an absurdly great room clock from an `agree`.
#[test]
fn candidate_takes_no_absurd_room_clock() {
    let mut bench = TestBench::candidate();
    let mut senior = FakePeer::new(1);
    let nonce = candidate_nonce(&bench);
    let Control::Agree(mut agree) = agree_from(&bench, &senior, nonce, 0, 0) else { panic!() };
    agree.clock = RoomClock((1 << 40) + 1);
    let before = bench.sent.len();
    bench.receive(&mut senior, Control::Agree(agree));
    assert!(bench.answer_cookies(&mut senior, before));
    bench.advance(2_000);
    assert_eq!(bench.mesh.room_clock(bench.now().moment), RoomClock(0));
}

/// A member that states a slightly greater room clock again and again does not make this peer's stay
/// longer: by one second and 1 ms for each further second at most, as clocks drift.
#[test]
fn creeping_room_clock_does_not_lengthen_a_stay() {
    let (mut bench, mut bert) = bench_with_bert();
    bench.advance(1_000);
    for _ in 0..1_000 {
        bench.advance(100);
        bench.receive_claim(&mut bert, "bert", bench.room_clock() + 900);
    }
    assert!(bench.room_clock() > bench.clock().0 + 800_000, "the clock is taken over");
    let stay = bench.room_clock() - bench.mesh.since.0;
    let gained = stay - bench.clock().0;
    assert!(gained <= 1_100, "{gained}");
}

/// A room clock that a member has pushed to the limit goes back to the length of this peer's stay,
/// and with it what this peer has noted. So do members that were pushed together, and all have the
/// same order of seniority as before.
#[test]
fn room_clock_goes_back_at_its_limit() {
    let (mut bench, mut bert) = bench_with_bert();
    let carl_since = bench.room_clock();
    let mut carl = FakePeer::new(2);
    assert!(bench.admit(&mut carl, "carl"));
    bench.receive_claim(&mut bert, "bert", (1 << 40) - 500);
    assert!(bench.room_clock() > HUGE);
    bench.advance(2_000);
    assert_eq!((bench.room_clock(), bench.mesh.since), (bench.clock().0, RoomClock(0)));
    let contact = bench.mesh.contacts.get(carl.signer.id).unwrap();
    let known = [contact.witnessed_since.unwrap(), contact.claimed_since()];
    assert!(known.iter().all(|it| it.0.abs_diff(carl_since) < 1_000), "{known:?}");
}

impl TestBench {
    /// Returns the room clock of the peer under test, in milliseconds.
    fn room_clock(&self) -> u64 {
        self.mesh.room_clock(self.now().moment).0
    }

    /// Delivers a heartbeat of a fake peer with this name and *since*, and the right room clock.
    fn receive_since(&mut self, who: &mut FakePeer, name: &str, since: u64) {
        let beat = crate::wire::udp::Heartbeat {
            clock: RoomClock(self.room_clock()),
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
