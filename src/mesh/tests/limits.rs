//! Tests of limits that one peer keeps towards its own user and towards voters.

use super::hostile::{FakePeer, TestBench};
use crate::mesh::Outgoing;
use crate::mesh::publish::MAX_DEFERRED_REQUESTS;
use crate::mesh::timers::MAX_UNICAST_ANNOUNCES;
use crate::mesh::{Input, Phase};
use crate::model::{ChatCommand, Command, Event, Request, RequestTag, RoomSelector, Style};
use crate::wire::udp::Control;

impl TestBench {
    /// Passes a request of its user to the peer under test, with the default tag.
    fn request(&mut self, command: ChatCommand) {
        let command = Command::Chat(command);
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Returns the number of requests that were refused, and how many of them gave a text back.
    fn refused(&self) -> (usize, usize) {
        let refusals = self.events.iter().filter_map(|it| match it {
            Event::Refused(it) => Some(it),
            _ => None,
        });
        refusals
            .fold((0, 0), |(all, texts), it| (all + 1, texts + usize::from(it.message.is_some())))
    }
}

/// A voter that does not answer is sent as many unicast announces as the page says, and no more.
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

/// Requests beyond those that wait for the history are refused, not forgotten.
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

/// A message that gets no sequence any more is refused, with its text.
#[test]
fn message_without_a_sequence_is_refused() {
    let mut bench = TestBench::alone();
    bench.mesh.outbox.sequence = u32::MAX;
    let (room, style, text) = (RoomSelector::Only, Style::SAID, "last".to_owned());
    bench.request(ChatCommand::Say { room, style, text });
    assert_eq!(bench.refused(), (1, 1));
}
