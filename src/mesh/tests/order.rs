//! Tests of the order in which messages are shown while several peers talk at the same time.

use std::time::Duration;

use super::SimRoom;
use crate::model::{Command, Event, Message};

/// Time for which a message is held so that all peers show one order, in milliseconds.
const HOLD: u64 = 75;

impl SimRoom {
    /// Starts peers 1 to `count`, and waits for 10 s. Panics if they do not all know each other
    /// then.
    fn start_many(&mut self, count: u8) {
        for number in 1..=count {
            self.start(number, &format!("peer{number}"));
            self.advance(100);
        }
        self.advance(10_000);
        assert!((1..=count).all(|it| self.names(it).len() == usize::from(count)));
    }

    /// Returns all messages that a peer has shown, in their order.
    fn messages(&self, number: u8) -> Vec<&Message> {
        let events = self.peers[&number].events.iter();
        events.filter_map(|it| if let Event::Message(it) = it { Some(it) } else { None }).collect()
    }

    /// Has random peers talk for 10 seconds, 30 messages a second in all. Returns the number of
    /// peers that have shown them in another order than the common one, and the number of late
    /// marks on all peers together. Panics if a peer has not shown all messages.
    fn count_disorder(&mut self) -> (usize, usize) {
        let count = u8::try_from(self.peers.len()).unwrap();
        let mut said = 0;
        for _ in 0..10_000 {
            if self.dice.u32(0..1_000) < 30 {
                let author = self.dice.u8(1..=count);
                self.say(author, "hi");
                said += 1;
            }
            self.advance(1);
        }
        self.advance(2_000);
        let place = |it: &&Message| (it.lamport.unwrap_or_default(), it.session, it.sequence);
        let (mut disordered, mut late) = (0, 0);
        for number in 1..=count {
            let messages = self.messages(number);
            assert_eq!(messages.len(), said, "{number}");
            disordered += usize::from(!messages.is_sorted_by_key(place));
            late += messages.iter().filter(|it| it.late).count();
        }
        (disordered, late)
    }
}

/// In a busy room on a clean network with travel times of 1 to 20 ms, all peers show all messages
/// in the common order. Without the hold, most do not: so the check can fail.
#[test]
fn busy_room_shows_one_order_to_all() {
    for (is_held, seed) in [(true, 1), (true, 2), (false, 1)] {
        let mut room = SimRoom { jitter: 19, ..SimRoom::default() };
        room.dice = fastrand::Rng::with_seed(seed);
        room.start_many(30);
        if !is_held {
            for peer in room.peers.values_mut() {
                peer.mesh.display.order_hold = Duration::ZERO;
            }
        }
        let (disordered, late) = room.count_disorder();
        println!("held: {is_held}; {disordered} of 30 peers, {late} messages late");
        if is_held {
            assert_eq!((disordered, late), (0, 0), "seed {seed}");
        } else {
            assert!(disordered >= 25 && late >= 100, "{disordered} peers, {late} messages");
        }
    }
}

/// In a small room, too, all that is said while several talk is shown in the common order.
#[test]
fn talk_in_small_room_is_shown_in_one_order() {
    let mut room = SimRoom { jitter: 19, ..SimRoom::default() };
    room.start_many(5);
    for number in 1..=2 {
        room.say(number, "hi");
        room.advance(100);
    }
    for peer in room.peers.values_mut() {
        peer.events.clear();
    }
    assert_eq!(room.count_disorder(), (0, 0));
}

/// In a room of two, messages of the other peer are not held. An own message is held if the other
/// peer has just talked.
#[test]
fn room_of_two_holds_only_own_messages() {
    let mut room = SimRoom::default();
    room.start_many(2);
    room.say(1, "tea?");
    room.advance(2);
    assert_eq!([1, 2].map(|it| room.messages(it).len()), [1, 1]);
    room.say(2, "please");
    room.advance(2);
    assert_eq!([1, 2].map(|it| room.messages(it).len()), [2, 1]);
    room.advance(HOLD - 3);
    assert_eq!(room.messages(2).len(), 1);
    room.advance(1);
    assert_eq!(room.messages(2).len(), 2);
}

/// A small room in which only one peer talks holds nothing; a large one holds everything, for the
/// stated time.
#[test]
fn quiet_room_holds_messages_only_if_it_is_large() {
    for (count, is_held) in [(8, false), (9, true)] {
        let mut room = SimRoom::default();
        room.start_many(count);
        for round in 1..=2 {
            room.say(1, "hi");
            room.advance(2);
            let before = if is_held { round - 1 } else { round };
            assert_eq!([1, 2].map(|it| room.messages(it).len()), [before, before]);
            room.advance(HOLD);
            assert_eq!([1, 2].map(|it| room.messages(it).len()), [round, round]);
        }
        // Another one talks.
        room.say(2, "hi");
        room.advance(2);
        let shown = [1, 2, 3].map(|it| room.messages(it).len());
        assert_eq!(shown, if is_held { [2, 2, 2] } else { [3, 2, 2] });
        room.advance(HOLD);
        assert_eq!([1, 2, 3].map(|it| room.messages(it).len()), [3, 3, 3]);
    }
}

/// A message is shown before the leaving of its author, and nothing that has arrived is lost when
/// the peer itself leaves.
#[test]
fn held_messages_are_shown_before_leaving() {
    let mut room = SimRoom::default();
    room.start_many(9);
    room.say(1, "bye");
    room.advance(2);
    for number in [1, 2] {
        assert_eq!(room.messages(number).len(), 0);
        room.request(number, Command::Quit);
    }
    assert_eq!([1, 2].map(|it| room.messages(it).len()), [1, 1]);
    room.advance(2);
    let has_left = |left: &Option<Vec<_>>| left.as_ref().is_some_and(|it| !it.is_empty());
    let events: Vec<_> = room.peers[&3].events.iter().collect();
    let [.., message, first, second] = events[..] else { panic!("too few events: {events:?}") };
    assert!(matches!(message, Event::Message(_)), "{message:?}");
    for leaving in [first, second] {
        assert!(matches!(leaving, Event::Presence { left, .. } if has_left(left)), "{leaving:?}");
    }
}
