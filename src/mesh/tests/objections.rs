//! Tests of objections to this candidate: those of members count, those of strangers do not.

use super::bench::{FakePeer, TestBench, candidate_nonce};
use crate::mesh::{End, Outgoing};
use crate::model::{ErrorCode, Event, PeerId, RoomClock};
use crate::wire::udp::{Control, Object, PageItem};

/// Returns an objection to the peer under test with this code. `by`: name of the objector.
/// `holder`: holder of the name.
fn objection(bench: &TestBench, code: ErrorCode, by: &str, holder: PeerId) -> Control {
    Control::Object(Object {
        nonce: candidate_nonce(bench),
        code: code.number(),
        by: by.to_owned(),
        username: "anna".to_owned(),
        holder,
        clock: RoomClock(1_000_000 + bench.now),
        since: RoomClock(0),
        text: "No.".to_owned(),
    })
}

/// Returns a page that lists these peers as members heard just now.
fn page(members: &[&FakePeer]) -> Vec<PageItem> {
    let item = |it: &&FakePeer| PageItem { author: it.signer.id, have: 0, ago: 0 };
    members.iter().map(item).collect()
}

impl TestBench {
    /// Delivers an objection (code `Blocked`) of a fake peer, and its `pong` to the ping that
    /// follows. `by`: name that the objection states.
    fn receive_objection(&mut self, who: &mut FakePeer, by: &str) {
        let before = self.sent.len();
        let object = objection(self, ErrorCode::Blocked, by, who.signer.id);
        self.receive(who, object);
        if self.end.is_none() {
            self.answer_cookies(who, before);
        }
    }

    /// Returns the name shown for the peer that has rejected the peer under test; `None` if it was
    /// not rejected.
    fn rejected_by(&self) -> Option<&str> {
        match &self.end {
            Some(End::Rejected { by, .. }) => Some(by),
            _ => None,
        }
    }

    /// Returns true if the peer under test has told its user that it has joined.
    fn has_joined(&self) -> bool {
        self.events.iter().any(|it| matches!(it, Event::JoinedMesh(_)))
    }
}

/// A stranger that no member knows cannot reject a newcomer, although it objects under 100 keys and
/// five times with each. The user is told once.
#[test]
fn strangers_do_not_reject_a_newcomer() {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    let address = FakePeer::new(66).address;
    let mut strangers: Vec<_> = (100..200).map(|it| FakePeer::new(it).at(address)).collect();
    bench.receive_agree(&mut bert, 0, 0);
    for round in 0..5 {
        for stranger in &mut strangers {
            bench.receive_objection(stranger, "bert");
        }
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        bench.advance(500 + round);
    }
    assert_eq!(bench.rejected_by(), None);
    bench.advance(15_000);
    assert!(bench.has_joined());
    let is_told = |it: &Event| matches!(it, Event::Problem { text, .. } if text.to_string().contains("unknown"));
    assert_eq!(bench.events.iter().filter(|it| is_told(it)).count(), 1);
}

/// Has strangers object to a candidate. Returns the time, in milliseconds, at which it joins all
/// the same; 20,000 if it does not join. `at`: time of the first objection of each stranger. The
/// strangers object again each 400 ms, and answer pings. One member agrees, and vouches for no
/// stranger.
fn joined_after_objections(at: &[u64]) -> u64 {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    bench.receive_agree(&mut bert, 0, 0);
    let mut strangers: Vec<_> = (60..).map(FakePeer::new).zip(at).collect();
    while !bench.mesh.is_member() && bench.now < 20_000 {
        bench.advance(1);
        for (stranger, first) in &mut strangers {
            if bench.now >= **first && (bench.now - **first).is_multiple_of(400) {
                bench.receive_objection(stranger, "x");
            }
        }
    }
    bench.now
}

/// A candidate waits for vouchers until 2.5 s after the first `object` of a stranger, and no longer
/// than 3 s after the join window of 2 s.
#[test]
fn stranger_that_objects_is_waited_for_as_long_as_the_page_says() {
    assert_eq!(joined_after_objections(&[]), 2_000);
    assert_eq!(joined_after_objections(&[1_000]), 3_500);
    assert_eq!(joined_after_objections(&[1_000, 2_000]), 4_500);
    assert_eq!(joined_after_objections(&[1_000, 3_200, 4_900]), 5_000);
}

/// A stranger's vouching for another stranger of its address does not count.
#[test]
fn strangers_of_one_address_do_not_vouch_for_one_another() {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    let (mut one, mut other) = (FakePeer::new(66), FakePeer::new(67));
    other.address = one.address;
    bench.receive_agree(&mut bert, 0, 0);
    bench.receive_objection(&mut one, "one");
    bench.receive_objection(&mut other, "other");
    bench.receive_heartbeat(&mut other, "other", 0, page(&[&one]));
    assert_eq!(bench.rejected_by(), None);
    bench.advance(15_000);
    assert!(bench.has_joined());
}

/// 100 strangers of one address object, and list others. There is still room for a member's
/// objection, and for the member that vouches for it.
#[test]
fn crowd_of_one_address_leaves_room_for_a_member() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut carl, dora) = (FakePeer::new(1), FakePeer::new(2), FakePeer::new(3));
    bench.receive_agree(&mut bert, 0, 0);
    let address = FakePeer::new(66).address;
    let mut strangers: Vec<_> = (100..200).map(|it| FakePeer::new(it).at(address)).collect();
    for stranger in &mut strangers {
        bench.receive_objection(stranger, "x");
        bench.receive_agree(stranger, 0, 0);
        bench.receive_heartbeat(stranger, "x", 0, page(&[&dora]));
    }
    bench.receive_objection(&mut carl, "carl");
    assert_eq!(bench.rejected_by(), None);
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&[&carl]));
    assert_eq!(bench.rejected_by(), Some("carl"));
}

/// An objection does not count if the objector does not answer the ping, even if nobody else is
/// there.
#[test]
fn unverified_objection_does_not_reject() {
    let mut bench = TestBench::candidate();
    let mut stranger = FakePeer::new(1);
    let id = stranger.signer.id;
    for _ in 0..4 {
        let object = objection(&bench, ErrorCode::NameTaken, "anna", id);
        bench.receive(&mut stranger, object);
        bench.advance(400);
    }
    bench.advance(3_000);
    assert!(bench.has_joined());
    let pings = bench.bytes_to(stranger.address);
    let asked = objection(&bench, ErrorCode::NameTaken, "anna", id).datagram_len() * 4;
    assert!(pings <= asked, "{pings} {asked}");
}

/// The objection of a member counts as soon as another member lists that member. It is shown under
/// the name of the member's heartbeats, not the name in the objection.
#[test]
fn member_rejects_under_its_own_name() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    bench.receive_agree(&mut bert, 0, 0);
    bench.receive_heartbeat(&mut carl, "carl", 0, vec![]);
    bench.receive_objection(&mut carl, "bert");
    bench.advance(100);
    assert_eq!(bench.rejected_by(), None);
    bench.receive_heartbeat(&mut bert, "bert", 0, page(&[&carl]));
    assert_eq!(bench.rejected_by(), Some("carl"));
}

/// If the holder of a name and another member both object, the objection counts at once: both state
/// the holder.
#[test]
fn holder_and_voter_reject_at_once() {
    let mut bench = TestBench::candidate();
    let (mut anna, mut bert) = (FakePeer::new(1), FakePeer::new(2));
    let holder = anna.signer.id;
    for (who, by) in [(&mut anna, "Anna"), (&mut bert, "bert")] {
        let before = bench.sent.len();
        let object = objection(&bench, ErrorCode::NameTaken, by, holder);
        bench.receive(who, object);
        bench.answer_cookies(who, before);
    }
    assert_eq!(bench.rejected_by(), Some("Anna"));
}

/// If an objection claims the name of another member, that name is not shown.
#[test]
fn borrowed_name_is_not_shown() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut mallory) = (FakePeer::new(1), FakePeer::new(2));
    bench.receive_agree(&mut bert, 0, 0);
    let name = bert.name();
    bench.receive_objection(&mut mallory, &name);
    bench.receive_heartbeat(&mut bert, &name, 0, page(&[&mallory]));
    assert_eq!(bench.rejected_by(), Some("somebody unknown"));
}

/// If nobody else can tell, the objection of a verified peer counts at the end of the join window.
#[test]
fn lone_newcomer_believes_a_verified_objector() {
    let mut bench = TestBench::candidate();
    let mut anna = FakePeer::new(1);
    bench.receive_objection(&mut anna, "Anna");
    bench.advance(1_900);
    assert_eq!(bench.rejected_by(), None);
    bench.advance(200);
    assert_eq!(bench.rejected_by(), Some("Anna"));
}

/// A candidate asks the members that have agreed about an objector. Their answer `peers` vouches
/// for the objector.
#[test]
fn voters_are_asked_about_an_objector() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut carl) = (FakePeer::new(1), FakePeer::new(2));
    bench.receive_agree(&mut bert, 0, 0);
    bench.receive_objection(&mut carl, "carl");
    bench.advance(600);
    let is_where = |it: &Control| matches!(it, Control::Where(it) if it.peers == [carl.signer.id]);
    assert!(bench.count_sent(is_where) >= 1);
    assert!(bench.sent.iter().all(|it| match &it.packet {
        Outgoing::Control(Control::Where(_)) => it.addresses == [bert.address],
        _ => true,
    }));
    let address = crate::wire::udp::PeerAddress { peer: carl.signer.id, address: [1; 16], port: 1 };
    let peers = crate::wire::udp::Peers { peers: vec![address] };
    bench.receive(&mut bert, Control::Peers(peers));
    assert_eq!(bench.rejected_by(), Some("carl"));
}

/// A newcomer asks the member that has agreed for the history, not a more senior peer whose
/// objection did not count.
#[test]
fn history_is_not_taken_from_an_unknown_objector() {
    let mut bench = TestBench::candidate();
    let mut bert = FakePeer::new(1);
    let mut others = (2..).map(FakePeer::new);
    let mut stranger = others.find(|it| it.signer.id < bert.signer.id).unwrap();
    bench.receive_agree(&mut bert, 0, 0);
    bench.receive_objection(&mut stranger, "stranger");
    bench.receive_heartbeat(&mut stranger, "stranger", 0, vec![]);
    bench.advance(6_000);
    let asked = bench.sent.iter().find_map(|it| match it.packet {
        Outgoing::Control(Control::Recall(_)) => Some(it.addresses.clone()),
        _ => None,
    });
    assert_eq!(asked, Some(vec![bert.address]));
}

/// A stranger that passes on the agreements of a member from its own address does not make the
/// member appear as its companion: the member still outvotes its objection.
#[test]
fn relayed_agreements_do_not_make_an_objection_count() {
    let mut bench = TestBench::candidate();
    let (mut bert, mut stranger) = (FakePeer::new(1), FakePeer::new(66));
    bench.receive_agree(&mut bert, 0, 0);
    let direct = bert.address;
    for _ in 0..5 {
        bench.advance(100);
        bert.address = stranger.address;
        bench.receive_agree(&mut bert, 0, 0);
        bert.address = direct;
        bench.receive_objection(&mut stranger, "x");
        bench.advance(400);
    }
    bench.advance(15_000);
    assert_eq!(bench.rejected_by(), None);
    assert!(bench.has_joined());
}
