//! Tests of rivals: candidates that ask for the same name at the same time.

use std::net::SocketAddr;

use super::bench::{FakePeer, Sent, TestBench, agree_from, candidate_nonce};
use super::{End, SimRoom};
use crate::mesh::Outgoing;
use crate::model::{ErrorCode, Event};
use crate::wire::udp::{Agree, Announce, Control, Nonce, Object};

/// Returns the first fake peer, by number, whose id is smaller than that of the peer under test.
fn rival_ahead(bench: &TestBench) -> FakePeer {
    (100..).map(FakePeer::new).find(|it| it.signer.id < bench.mesh.me.id).unwrap()
}

/// Delivers an announce of a fake candidate for the name "anna".
fn announce_rival(bench: &mut TestBench, rival: &mut FakePeer) {
    let announce = Announce::new(Nonce([7; 8]), "anna".to_owned(), vec![]);
    bench.receive(rival, Control::Announce(announce));
}

/// A stranger that announces the newcomer's name with a smaller id, and objects, does not reject
/// the newcomer if a member has agreed.
#[test]
fn stranger_takes_no_name_as_rival() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut stranger) = (FakePeer::new(1), rival_ahead(&bench));
    let nonce = candidate_nonce(&bench);
    bench.receive_agree(&mut bert, 0, 0);
    for _ in 0..40 {
        let before = bench.sent.len();
        announce_rival(&mut bench, &mut stranger);
        bench.answer_cookies(&mut stranger, before);
        let object = Object {
            nonce,
            code: ErrorCode::NameTaken.number(),
            by: "anna".to_owned(),
            username: "anna".to_owned(),
            holder: stranger.signer.id,
            clock: bench.clock(),
            since: bench.clock(),
            text: "Mine.".to_owned(),
        };
        bench.receive(&mut stranger, Control::Object(object));
        bench.advance(500);
    }
    assert_eq!(bench.end, None);
    assert!(bench.events.iter().any(|it| matches!(it, Event::JoinedMesh(_))));
}

/// In an empty room, the announce of a verified rival with a smaller id rejects the candidate at
/// the end of its window. An announce of a rival that answers no ping does not.
#[test]
fn rival_ahead_wins_an_empty_room_if_it_is_alive() {
    for is_alive in [true, false] {
        let mut bench = TestBench::candidate();
        let mut rival = rival_ahead(&bench);
        announce_rival(&mut bench, &mut rival);
        if is_alive {
            assert!(bench.answer_cookies(&mut rival, 0));
        }
        bench.advance(1_900);
        assert_eq!(bench.end, None);
        bench.advance(200);
        let is_rejected = matches!(&bench.end, Some(End::Rejected { code: 201, .. }));
        assert_eq!(is_rejected, is_alive);
    }
}

/// A candidate that a member asks to wait, after the member has agreed, does not come in. It comes
/// in after 12 s at the latest.
#[test]
fn yes_can_be_withdrawn_for_some_time() {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    let nonce = candidate_nonce(&bench);
    let yes = agree_from(&bench, &bert, nonce, 0, 0);
    let wait = agree_from(&bench, &bert, nonce, Agree::ASKING, 0);
    bench.receive_agree(&mut bert, 0, 0);
    bert.counter = 3;
    bench.receive(&mut bert, wait);
    // An answer that was sent before the last one, and arrives after it, changes nothing.
    bert.counter = 2;
    bench.receive(&mut bert, yes);
    let is_recall = |it: &Control| matches!(it, Control::Recall(_));
    bert.counter = 4;
    for _ in 0..11 {
        bench.advance(1_000);
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    }
    assert_eq!(bench.count_sent(is_recall), 0);
    bench.advance(2_000);
    assert!(bench.count_sent(is_recall) > 0);
}

/// Hundreds of strangers of one address that agree, or that seem to be members, are at most 8
/// voters. A member of another address still becomes a voter.
#[test]
fn voters_of_one_address_are_limited() {
    let mut bench = TestBench::candidate();
    let at = |number: u16| SocketAddr::from(([10, 0, 0, 66], 1_000 + number));
    for number in 0..300 {
        let mut stranger = FakePeer::new(1_000 + number).at(at(number));
        if number % 2 == 0 {
            bench.receive_heartbeat(&mut stranger, "stranger", 0, vec![]);
        }
        bench.receive_agree(&mut stranger, Agree::ASKING, 0);
        bench.receive_heartbeat(&mut FakePeer::new(3_000 + number), "old", 0, vec![]);
    }
    let mut bert = FakePeer::new(1);
    bench.receive_agree(&mut bert, 0, 0);
    bench.sent.clear();
    bench.advance(500);
    let announces: Vec<(&Sent, &Announce)> = bench
        .sent
        .iter()
        .filter_map(|it| match &it.packet {
            Outgoing::Control(Control::Announce(announce)) => Some((it, announce)),
            _ => None,
        })
        .collect();
    assert!(!announces.is_empty());
    for (sent, announce) in announces {
        let asked = sent.addresses.iter().filter(|it| it.ip() == at(0).ip()).count();
        assert_eq!(asked, 8);
        assert_eq!(announce.agreed, [bert.signer.id]);
    }
}

/// Eight keys of one address turn up one after the other, claim to have been there before, and
/// answer nothing. They delay a newcomer like one of them: by 3.5 s at most.
#[test]
fn silent_voters_of_one_address_delay_like_one() {
    let mut bench = TestBench::candidate();
    let mut silent = 0;
    while !bench.mesh.is_member() && bench.now < 20_000 {
        if bench.now >= silent * 1_900 && silent < 8 {
            silent += 1;
            let address =
                SocketAddr::from(([10, 0, 0, 66], 1_000 + u16::try_from(silent).unwrap()));
            let mut voter = FakePeer::new(1_000 + u16::try_from(silent).unwrap()).at(address);
            bench.receive_claim(&mut voter, "old", 1_000_000 + bench.now);
        }
        bench.advance(1);
    }
    assert!(bench.now <= 5_500, "{}", bench.now);
}

/// Of two candidates that ask a room with a member for the same name, the one that is behind is
/// told to wait, and is rejected when the other one is in. This holds whichever announces first,
/// and if they cannot hear each other.
#[test]
fn one_of_two_rivals_joins_a_room_with_members() {
    for delay in [0, 150, 700, 1_400] {
        for is_deaf in [false, true] {
            let mut room = SimRoom::default();
            room.start(1, "carl");
            room.advance(3_000);
            if is_deaf {
                room.blocked.extend([(2, 3), (3, 2)]);
            }
            for number in [2, 3] {
                room.start(number, "anna");
                room.advance(delay);
            }
            room.advance(8_000);
            let ends: Vec<_> = room.peers.values().filter_map(|it| it.end.clone()).collect();
            let [End::Rejected { code: 201, .. }] = &ends[..] else {
                panic!("{delay} ms, deaf: {is_deaf}: {ends:?}")
            };
            assert_eq!(room.names(1), ["anna", "carl"]);
        }
    }
}

/// The announces of a rival cause no packets to the 99 candidates behind it, all at a victim's
/// address.
#[test]
fn announces_of_a_rival_cause_no_packets_to_others() {
    let mut bench = TestBench::alone();
    let victim = SocketAddr::from(([10, 0, 0, 99], 9));
    let mut rivals: Vec<FakePeer> = (0..100).map(|it| FakePeer::new(it).at(victim)).collect();
    rivals.sort_by_key(|it| it.signer.id);
    let mut winner = rivals.remove(0).at(SocketAddr::from(([10, 0, 0, 66], 6)));
    let announce = |it: &FakePeer| {
        Control::Announce(Announce::new(Nonce(it.signer.id.0), "bert".to_owned(), vec![]))
    };
    let control = announce(&winner);
    bench.receive(&mut winner, control);
    bench.advance(150);
    for rival in &mut rivals {
        let control = announce(rival);
        bench.receive(rival, control);
    }
    assert!(bench.answer_cookies(&mut winner, 0));
    bench.advance(150);
    let before = bench.bytes_to(victim);
    for _ in 0..50 {
        let control = announce(&winner);
        bench.receive(&mut winner, control);
    }
    assert_eq!(bench.bytes_to(victim), before);
}
