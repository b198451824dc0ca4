//! Tests of reports to the user about other peers: presence, clocks, and reasons of rejections.

use std::collections::BTreeSet;

use super::super::End;
use super::SimRoom;
use super::bench::{FakePeer, TestBench};
use crate::mesh::Outgoing;
use crate::model::{ErrorCode, Event, NameKey, NoticeCode, Timestamp};
use crate::wire::udp::{Announce, Bye, Control, Heartbeat, Nonce};

/// Returns the keys of the names that are present according to a peer's events: the names when it
/// joined, changed by each `Presence` and `Renamed` since. A `Renamed` adds the new name, and keeps
/// the former one, which another peer holds. Panics if a present name joins, or an absent name
/// leaves or is replaced.
pub(super) fn present(events: &[Event]) -> BTreeSet<NameKey> {
    let mut keys = BTreeSet::new();
    for event in events {
        match event {
            Event::JoinedMesh(it) => keys = it.members.iter().map(|it| NameKey::of(it)).collect(),
            Event::Presence { joined, left, .. } => {
                for name in left.iter().flatten() {
                    assert!(keys.remove(&NameKey::of(name)), "{name} was never here");
                }
                for name in joined.iter().flatten() {
                    assert!(keys.insert(NameKey::of(name)), "{name} was here already");
                }
            }
            Event::Renamed { from, to } => {
                // The other holder of the former name was never reported as joined: that name stays
                // present.
                assert!(keys.contains(&NameKey::of(from)), "{from}");
                keys.insert(NameKey::of(to));
            }
            _ => {}
        }
    }
    keys
}

/// After a merge with one name on both sides, the reported names add up to the members. No name is
/// reported as left that was not present.
#[test]
fn presence_adds_up_after_a_merge() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl"), (4, "dora")] {
        room.start(number, name);
        room.advance(3_000);
    }
    for number in 3..=4 {
        room.peers.get_mut(&number).unwrap().partition = 1;
    }
    room.advance(15_000);
    room.start(5, "Anna");
    room.peers.get_mut(&5).unwrap().partition = 1;
    room.advance(10_000);
    for number in 3..=5 {
        room.peers.get_mut(&number).unwrap().partition = 0;
    }
    room.advance(20_000);
    for number in 1..=5 {
        let names: BTreeSet<NameKey> =
            room.names(number).iter().map(|it| NameKey::of(it)).collect();
        assert_eq!(names.len(), 5);
        assert_eq!(present(&room.peers[&number].events), names, "{number}");
    }
}

/// A name that several members hold is reported as joined with the first holder, and as left with
/// the last.
#[test]
fn name_of_two_holders_joins_and_leaves_once() {
    let mut bench = TestBench::alone();
    let (mut bert, mut carl, mut dora) = (FakePeer::new(1), FakePeer::new(2), FakePeer::new(3));
    assert!(bench.admit(&mut bert, "bert") && bench.admit(&mut carl, "carl"));
    let keys = |names: &[&str]| names.iter().map(|it| NameKey::of(it)).collect::<BTreeSet<_>>();
    assert_eq!(present(&bench.events), keys(&["anna", "bert", "carl"]));
    bench.receive_heartbeat(&mut carl, "bert", 0, vec![]);
    assert_eq!(present(&bench.events), keys(&["anna", "bert"]));
    bench.meet(&mut dora, "bert");
    assert_eq!(bench.mesh.member_count(), 4);
    assert_eq!(present(&bench.events), keys(&["anna", "bert"]));
    for (who, left) in [(&mut carl, false), (&mut bert, false), (&mut dora, true)] {
        bench.receive(who, Control::Bye(Bye {}));
        let expected: &[&str] = if left { &["anna"] } else { &["anna", "bert"] };
        assert_eq!(present(&bench.events), keys(expected));
    }
}

/// The objection of a candidate to its rival does not say that the candidate has been in the room.
#[test]
fn objection_to_a_rival_does_not_say_who_is_here() {
    let mut bench = TestBench::candidate();
    // Of two rivals, the one with the smaller id objects.
    let mut rivals = (1..).map(FakePeer::new);
    let mut rival = rivals.find(|it| it.signer.id > bench.mesh.me.id).unwrap();
    let announce = Control::Announce(Announce::new(Nonce([7; 8]), "anna".to_owned(), vec![]));
    bench.receive(&mut rival, announce.clone());
    assert!(bench.answer_cookies(&mut rival, 0));
    bench.receive(&mut rival, announce);
    let texts: Vec<_> = bench
        .sent
        .iter()
        .filter_map(|it| match &it.packet {
            Outgoing::Control(Control::Object(it)) => Some(it.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, [ErrorCode::NameTaken.default_text()]);
}

/// The reason of a rejection in favour of a rival does not say that the rival has been here for 0
/// seconds.
#[test]
fn rival_is_not_said_to_be_here() {
    let mut rejected = 0;
    for loss in [0, 40] {
        for seed in 0..20 {
            let dice = fastrand::Rng::with_seed(seed);
            let mut room = SimRoom { loss, dice, ..SimRoom::default() };
            room.start(1, "anna");
            room.advance(100);
            room.start(2, "anna");
            room.advance(6_000);
            let ends = room.peers.values().filter_map(|it| it.end.clone());
            for end in ends {
                let End::Rejected { reason, .. } = end else { continue };
                assert!(!reason.contains("has been here for 0 "), "{reason}");
                rejected += 1;
            }
        }
    }
    assert!(rejected >= 30, "{rejected}");
}

/// Heartbeats and messages that have waited in the socket while the machine slept cause no notice
/// about wrong clocks.
#[test]
fn sleep_is_not_reported_as_wrong_clocks() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert")] {
        room.start(number, name);
        room.advance(3_000);
    }
    room.advance(5_000);
    room.peers.get_mut(&1).unwrap().sleeps = true;
    room.advance(30_000);
    room.say(2, "in the night");
    room.advance(30_000);
    room.peers.get_mut(&1).unwrap().sleeps = false;
    room.say(2, "good morning");
    room.advance(10_000);
    room.say(2, "still there?");
    room.advance(1_000);
    let differs = NoticeCode::ClockDiffers.number();
    let is_it = |it: &&Event| matches!(it, Event::Notice { code, .. } if *code == differs);
    assert_eq!(room.peers[&1].events.iter().filter(is_it).count(), 0);
    assert_eq!(room.texts(1, false), ["in the night", "good morning", "still there?"]);
}

impl TestBench {
    /// Delivers two heartbeats of bert, then his entry with this sequence. Returns the total number
    /// of notices about clocks. The sequences must count up from 1, call by call. `ahead`: how far
    /// his clock is ahead, in milliseconds.
    fn clock_notices(&mut self, bert: &mut FakePeer, ahead: i64, sequence: u32) -> usize {
        for _ in 0..2 {
            self.advance(1_000);
            let (clock, time) = (self.clock(), Timestamp(self.now.saturating_add_signed(ahead)));
            let (username, page) = ("bert".to_owned(), vec![]);
            let since = clock;
            let beat = Heartbeat { clock, since, username, time, members: 2, sequence: 0, page };
            self.receive(bert, Control::Heartbeat(beat));
        }
        let entry = bert.entry(sequence, sequence.into());
        self.receive_entry(bert, entry);
        assert_eq!(self.texts().len(), usize::try_from(sequence).unwrap());
        let differs = NoticeCode::ClockDiffers.number();
        let is_it = |it: &&Event| matches!(it, Event::Notice { code, .. } if *code == differs);
        self.events.iter().filter(is_it).count()
    }
}

/// A clock that is ahead or behind by more than 5 s is reported. It is reported again only after it
/// has differed by less.
#[test]
fn clock_that_differs_by_more_than_five_seconds_is_reported() {
    let mut bench = TestBench::alone();
    bench.advance(20_000);
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    let steps = [(5_000, 0), (5_001, 1), (9_000, 1), (-5_000, 1), (-5_001, 2), (5_000, 2)];
    for (index, (ahead, notices)) in (1..).zip(steps) {
        assert_eq!(bench.clock_notices(&mut bert, ahead, index), notices, "{ahead} ms");
    }
}

/// Returns the texts of the notices that two peers have one name.
fn shared_names(bench: &TestBench) -> Vec<String> {
    let code = NoticeCode::NameShared.number();
    let notices = bench.events.iter().filter_map(|it| match it {
        Event::Notice { code: it, text } if *it == code => Some(text.to_string()),
        _ => None,
    });
    notices.collect()
}

/// The user is told when a second peer with a name is here, once, whether it comes with that name
/// or takes it, and whether the name is that of another peer or the user's own. A peer that has
/// started again is no second one: it has the same public key.
#[test]
fn second_holder_of_a_name_is_told() {
    let mut bench = TestBench::alone();
    let (mut bert, mut other) = (FakePeer::new(1), FakePeer::new(2));
    bench.meet(&mut bert, "bert");
    assert_eq!(shared_names(&bench), [""; 0]);
    bench.meet(&mut other, "bert");
    let expected = ["Two people here are called bert. One of the two will get another name."];
    assert_eq!(shared_names(&bench), expected);
    // The same again, and a third one.
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    bench.receive_heartbeat(&mut other, "bert", 0, vec![]);
    bench.meet(&mut FakePeer::new(3), "bert");
    assert_eq!(shared_names(&bench).len(), 1);
    bench.receive_heartbeat(&mut other, "anna", 0, vec![]);
    let own = "Somebody else here is called anna too. One of the two will get another name.";
    assert_eq!(shared_names(&bench)[1..], [own]);
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    bench.meet(&mut bert, "bert");
    let mut again = FakePeer::new(1).at(FakePeer::new(4).address);
    again.signer = crate::wire::udp::Signer::new(bert.signer.key, [8; 8]);
    bench.meet(&mut again, "bert");
    assert_eq!(shared_names(&bench), [""; 0]);
}
