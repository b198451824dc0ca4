//! Tests of links that carry one direction only, or of peers that know each other through others
//! only: what the user is told. Section 11, rules 21 to 23.

use std::collections::BTreeSet;

use super::bench::{FakePeer, TestBench};
use super::reports::present;
use super::{SimPeer, SimRoom};
use crate::model::{
    ChatCommand, Command, Event, NameKey, NoticeCode, PathSet, RosterNote, RosterStatus,
};
use crate::wire::udp::{Control, Cookie, PageItem, Ping};

/// Returns the texts of the hints that nobody hears the peer.
fn hints(events: &[Event]) -> Vec<String> {
    let code = NoticeCode::NotHeard.number();
    let hint = |it: &'_ Event| matches!(it, Event::Notice { code: it, .. } if *it == code);
    let texts = events.iter().filter(|it| hint(it)).filter_map(|it| match it {
        Event::Notice { text, .. } => Some(text.to_string()),
        _ => None,
    });
    texts.collect()
}

impl SimRoom {
    /// Loses all packets that the peer `from` sends to the peer `to` from now on.
    fn cut_link(&mut self, from: u8, to: u8) {
        self.blocked.insert((from, to));
    }

    /// Requests the member list of a peer. Returns its names and its notes.
    fn roster(&mut self, number: u8) -> (Vec<String>, Vec<RosterNote>) {
        let members = ChatCommand::Members { room: crate::model::RoomSelector::Only };
        self.request(number, Command::Chat(members));
        let events = self.peers[&number].events.iter().rev();
        let rosters = events.filter_map(|it| match it {
            Event::Roster { names, notes, members, .. } => {
                Some((names.clone()?, notes.clone()?, members))
            }
            _ => None,
        });
        let (names, notes, members) = rosters.take(1).next().unwrap();
        assert_eq!(usize::try_from(*members).unwrap(), names.len());
        (names, notes)
    }

    /// Returns the hints that a peer has given its user.
    fn hints(&self, number: u8) -> Vec<String> {
        hints(&self.peers[&number].events)
    }

    /// Returns true if the presence events of a peer add up to its member list.
    fn presence_adds_up(&mut self, number: u8) -> bool {
        let (names, _) = self.roster(number);
        let names: BTreeSet<NameKey> = names.iter().map(|it| NameKey::of(it)).collect();
        names == present(&self.peers[&number].events)
    }
}

/// Returns a note that a member is heard through another one only.
fn indirect(name: &str, through: &str) -> RosterNote {
    let through = Some(through.to_owned());
    RosterNote { name: name.to_owned(), status: RosterStatus::Indirect { through } }
}

/// Returns a note that a member does not hear the peer.
fn deaf(name: &str) -> RosterNote {
    RosterNote { name: name.to_owned(), status: RosterStatus::Deaf }
}

/// The peer bert is in two networks. Peers of one network get messages from the other one. An
/// author in the other network is listed as heard through bert, until the author has left.
#[test]
fn bridge_between_two_networks_shows_both_sides() {
    let mut room = SimRoom::default();
    for (from, to) in [(1, 3), (3, 1), (1, 4), (4, 1)] {
        room.cut_link(from, to);
    }
    for (number, name) in [(2, "bert"), (1, "anna"), (3, "dora"), (4, "emil")] {
        room.start(number, name);
        room.advance(3_000);
    }
    room.advance(10_000);
    assert_eq!(room.roster(1).0, ["anna", "bert"]);
    room.say(3, "from the other side");
    room.say(1, "from this side");
    room.advance(10_000);
    assert_eq!(room.texts(1, false).len(), 2);
    assert_eq!(
        room.roster(1),
        (["anna", "bert", "dora"].map(str::to_owned).to_vec(), vec![indirect("dora", "bert")])
    );
    let all = ["anna", "bert", "dora", "emil"].map(str::to_owned).to_vec();
    assert_eq!(room.roster(3), (all.clone(), vec![indirect("anna", "bert")]));
    assert_eq!(room.roster(2), (all, vec![]));
    // They are no members: no heartbeat interval, vote or name depends on them.
    assert_eq!(room.peers[&1].mesh.member_count(), 2);
    for number in 1..=4 {
        assert!(room.presence_adds_up(number), "{number}");
    }
    room.request(3, Command::Quit);
    room.advance(30_000);
    assert_eq!(room.roster(1), (["anna", "bert"].map(str::to_owned).to_vec(), vec![]));
    assert!(room.presence_adds_up(1));
    // Once the two networks are one, all are ordinary members.
    room.say(4, "still apart");
    room.advance(5_000);
    assert_eq!(room.roster(1).1, [indirect("emil", "bert")]);
    room.blocked.clear();
    room.advance(20_000);
    let all = ["anna", "bert", "emil"].map(str::to_owned).to_vec();
    for number in [1, 2, 4] {
        assert_eq!(room.roster(number), (all.clone(), vec![]), "{number}");
        assert!(room.presence_adds_up(number), "{number}");
        assert_eq!(room.hints(number), [""; 0], "{number}");
    }
}

/// If a link carries one direction only and a third peer hears both ends, each end lists the other
/// one. The unheard end lists the other one as `Deaf`. The end that does not hear lists the unheard
/// one as `Indirect`.
#[test]
fn one_way_link_is_shown_on_both_sides() {
    let mut room = SimRoom::default();
    room.cut_link(1, 2);
    for (number, name) in [(3, "carl"), (2, "bert"), (1, "anna")] {
        room.start(number, name);
        room.advance(3_000);
    }
    room.advance(5_000);
    room.say(1, "can you hear me?");
    room.say(2, "no");
    room.advance(30_000);
    let all = ["anna", "bert", "carl"].map(str::to_owned).to_vec();
    assert_eq!(room.roster(1), (all.clone(), vec![deaf("bert")]));
    assert_eq!(room.roster(2), (all.clone(), vec![indirect("anna", "carl")]));
    assert_eq!(room.roster(3), (all.clone(), vec![]));
    for number in 1..=3 {
        assert_eq!(room.texts(number, false).len(), 2, "{number}");
        assert!(room.presence_adds_up(number), "{number}");
        assert_eq!(room.hints(number), [""; 0], "{number}");
    }
    room.blocked.clear();
    room.advance(40_000);
    for number in 1..=3 {
        assert_eq!(room.roster(number), (all.clone(), vec![]), "{number}");
        assert!(room.presence_adds_up(number), "{number}");
    }
}

/// A peer that hears others, but that nobody hears, gets one hint with advice. It may have been
/// heard before or not. The others get no hint.
#[test]
fn peer_that_nobody_hears_is_told_once() {
    for is_heard_at_first in [false, true] {
        let mut room = SimRoom::default();
        let block = |room: &mut SimRoom| [2, 3].map(|it| room.cut_link(1, it));
        if !is_heard_at_first {
            block(&mut room);
        }
        for (number, name) in [(3, "carl"), (2, "bert"), (1, "anna")] {
            room.start(number, name);
            room.advance(5_000);
        }
        room.advance(60_000);
        if is_heard_at_first {
            assert_eq!(room.hints(1), [""; 0]);
            block(&mut room);
            room.advance(80_000);
        }
        let hints = room.hints(1);
        assert_eq!(hints.len(), 1, "{is_heard_at_first}");
        assert!(hints[0].contains("bert") && hints[0].contains("carl"), "{}", hints[0]);
        assert!(hints[0].contains("chat-peer doctor"), "{}", hints[0]);
        room.advance(300_000);
        assert_eq!(room.hints(1).len(), 1);
        assert_eq!(room.hints(2).len() + room.hints(3).len(), 0);
    }
}

/// Rooms without one-way links give no hint and no `Deaf` note. The cases: alone, at the start,
/// under loss, in the halves of a split and after it, after a sleep, and where only unicast works.
#[test]
fn ordinary_rooms_give_no_hint() {
    for (loss, seed) in [(0, 0), (30, 1), (30, 2)] {
        let dice = fastrand::Rng::with_seed(seed);
        let mut room = SimRoom { loss, dice, ..SimRoom::default() };
        room.start(1, "anna");
        room.advance(70_000);
        assert_eq!(room.hints(1), [""; 0]);
        for number in 2..=6 {
            room.start(number, &format!("peer{number}"));
        }
        let check = |room: &mut SimRoom, seconds: u64, what: &str| {
            for _ in 0..seconds / 5 {
                room.advance(5_000);
                let can_tell = |it: &SimPeer| it.mesh.has_joined() && !it.sleeps;
                let awake = room.peers.iter().filter(|(_, it)| can_tell(it));
                for number in awake.map(|it| *it.0).collect::<Vec<_>>() {
                    let (_, notes) = room.roster(number);
                    let is_deaf = |it: &&RosterNote| it.status == RosterStatus::Deaf;
                    assert_eq!(
                        notes.iter().find(is_deaf),
                        None,
                        "{what}: {loss} %, {seed}, {number}"
                    );
                    assert_eq!(room.hints(number), [""; 0], "{what}: {loss} %, {seed}, {number}");
                }
            }
        };
        check(&mut room, 60, "start");
        for number in 4..=6 {
            room.peers.get_mut(&number).unwrap().partition = 1;
        }
        check(&mut room, 60, "split");
        for number in 4..=6 {
            room.peers.get_mut(&number).unwrap().partition = 0;
        }
        check(&mut room, 60, "merge");
        room.peers.get_mut(&1).unwrap().sleeps = true;
        check(&mut room, 60, "sleep");
        room.peers.get_mut(&1).unwrap().sleeps = false;
        check(&mut room, 60, "awake");
        for number in 1..=6 {
            room.peers.get_mut(&number).unwrap().network = number;
        }
        check(&mut room, 120, "unicast only");
    }
}

/// A peer whose pages are always empty counts as a peer that hears this one.
#[test]
fn empty_pages_say_nothing() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    assert!(bench.admit(&mut bert, "bert"));
    for _ in 0..100 {
        bench.advance(2_000);
        bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    }
    assert!(bench.mesh.report(bench.now()).iter().all(|it| it.hears_me));
    assert_eq!(hints(&bench.events), [""; 0]);
}

/// The hint comes after others were heard for 30 s. A silence of 11 s starts this time anew.
#[test]
fn hint_comes_after_thirty_seconds() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    for (pause, count) in [(2_000, 14), (11_000, 1), (2_000, 14)] {
        for _ in 0..count {
            bench.advance(pause);
            bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
        }
    }
    assert_eq!(hints(&bench.events), [""; 0]);
    bench.advance(2_000);
    bench.receive_heartbeat(&mut bert, "bert", 0, vec![]);
    assert_eq!(hints(&bench.events).len(), 1);
}

/// A peer that is known through others only, and was heard once without a name, stays in the member
/// list as long as others list it.
#[test]
fn indirect_peer_that_was_heard_once_stays() {
    let mut bench = TestBench::alone();
    let (mut bert, mut dora) = (FakePeer::new(1), FakePeer::new(2));
    assert!(bench.admit(&mut bert, "bert"));
    for round in 0..40 {
        bench.advance(2_000);
        let page = vec![PageItem { author: dora.signer.id, have: 1, ago: 0 }];
        bench.receive_heartbeat(&mut bert, "bert", 0, page);
        if round == 1 {
            let ping = Ping { cookie: Cookie([1; 8]), heard: PathSet(1) };
            bench.receive(&mut dora, Control::Ping(ping));
            let entry = dora.entry(1, 1);
            bench.receive_entry(&bert, entry);
        }
    }
    let names = ["anna", "bert", "liar"].map(NameKey::of);
    assert_eq!(present(&bench.events), BTreeSet::from(names));
    let has_left =
        |it: &&Event| matches!(it, Event::Presence { left: Some(left), .. } if !left.is_empty());
    assert_eq!(bench.events.iter().find(has_left), None);
}
