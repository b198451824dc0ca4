//! Tests of limits on requests of the peer's own user, and on announces to a voter.

use super::bench::{FakePeer, TestBench};
use crate::mesh::Outgoing;
use crate::mesh::publish::MAX_DEFERRED_REQUESTS;
use crate::mesh::timers::MAX_UNICAST_ANNOUNCES;
use crate::mesh::{Input, Phase};
use crate::model::{ChatCommand, Command, Event, Request, RequestTag, RoomSelector, Style};
use crate::wire::udp::{Announce, Control, Nonce};

impl TestBench {
    /// Passes a chat command of the user to the peer under test, with the default tag.
    pub(super) fn request(&mut self, command: ChatCommand) {
        let command = Command::Chat(command);
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Returns the number of refused requests, and the number of refusals that gave back a message
    /// text.
    fn refused(&self) -> (usize, usize) {
        let refusals = self.events.iter().filter_map(|it| match it {
            Event::Refused(it) => Some(it),
            _ => None,
        });
        refusals
            .fold((0, 0), |(all, texts), it| (all + 1, texts + usize::from(it.message.is_some())))
    }
}

/// A voter that does not answer is sent seven unicast announces. Then the candidate joins.
#[test]
fn silent_voter_gets_seven_unicast_announces() {
    let mut bench = TestBench::candidate();
    let mut voter = FakePeer::new(1);
    bench.receive_heartbeat(&mut voter, "voter", 0, vec![]);
    bench.advance(10_000);
    let to_voter = bench.sent.iter().filter(|it| it.addresses.contains(&voter.address));
    let announces =
        to_voter.filter(|it| matches!(it.packet, Outgoing::Control(Control::Announce(_)))).count();
    assert_eq!((announces, MAX_UNICAST_ANNOUNCES), (7, 7));
    assert!(matches!(bench.mesh.phase, Phase::In));
}

/// Requests beyond the maximum number of deferred requests are refused. Deferred requests are
/// answered after joining.
#[test]
fn deferred_requests_beyond_the_limit_are_refused() {
    let mut bench = TestBench::candidate();
    for _ in 0..MAX_DEFERRED_REQUESTS + 5 {
        bench.request(ChatCommand::Members { room: RoomSelector::Only });
    }
    assert_eq!(bench.refused(), (5, 0));
    bench.advance(3_000);
    let rosters = bench.events.iter().filter(|it| matches!(it, Event::Roster { .. })).count();
    assert_eq!(rosters, MAX_DEFERRED_REQUESTS);
}

/// If the sequences are used up, a message is refused, and its text is given back.
#[test]
fn message_without_a_sequence_is_refused() {
    let mut bench = TestBench::alone();
    bench.mesh.outbox.sequence = u32::MAX;
    let (room, style, text) = (RoomSelector::Only, Style::SAID, "last".to_owned());
    bench.request(ChatCommand::Say { room, style, text });
    assert_eq!(bench.refused(), (1, 1));
}

/// Of 100 silent voters at one address, a candidate remembers 8.
#[test]
fn silent_voters_of_one_address_are_limited() {
    let mut bench = TestBench::candidate();
    let address = FakePeer::new(66).address;
    for number in 0..100 {
        let mut invented = FakePeer::new(number).at(address);
        bench.receive_heartbeat(&mut invented, "voter", 0, vec![]);
    }
    let Phase::Announcing(candidacy) = &bench.mesh.phase else { panic!() };
    assert_eq!(candidacy.votes.len(), 8);
}

/// If the last awaited vote comes after the join window, the candidate joins at once.
#[test]
fn last_vote_ends_the_candidacy_at_once() {
    let mut bench = TestBench::candidate();
    let mut voter = FakePeer::new(1);
    bench.receive_heartbeat(&mut voter, "voter", 0, vec![]);
    bench.advance(2_100);
    assert!(matches!(bench.mesh.phase, Phase::Announcing(_)));
    bench.receive_agree(&mut voter, 0, 0);
    bench.advance(1);
    assert!(bench.mesh.is_member());
}

/// A candidate whose announce lists eight agreements gets no further `agree`.
#[test]
fn candidate_with_eight_agreements_gets_no_further_one() {
    for (agreed, expected) in [(8, 0), (7, 1)] {
        let mut bench = TestBench::alone();
        let mut bert = FakePeer::new(1);
        let agreed = (10..10 + agreed).map(|it| FakePeer::new(it).signer.id).collect();
        let announce = Announce::new(Nonce([2; 8]), "bert".to_owned(), agreed);
        bench.receive(&mut bert, Control::Announce(announce));
        bench.advance(200);
        assert_eq!(bench.count_sent(|it| matches!(it, Control::Agree(_))), expected);
    }
}

/// A candidate that lists this peer's vote but has not answered its `agree` is pinged. Otherwise it
/// would get no history.
#[test]
fn candidate_whose_pong_was_lost_is_pinged() {
    let mut bench = TestBench::alone();
    let mut bert = FakePeer::new(1);
    let pings = |bench: &TestBench| bench.count_sent(|it| matches!(it, Control::Ping(_)));
    let agreed = vec![bench.mesh.me.id];
    let announce = Control::Announce(Announce::new(Nonce([2; 8]), "bert".to_owned(), agreed));
    bench.receive(&mut bert, announce.clone());
    assert_eq!(pings(&bench), 1);
    assert!(bench.answer_cookies(&mut bert, 0));
    bench.receive(&mut bert, announce);
    assert_eq!(pings(&bench), 1);
}
