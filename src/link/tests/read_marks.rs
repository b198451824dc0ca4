//! Tests of read marks: how often they are sent, and what is told of other devices.

use super::*;
use crate::model::Reference;
use crate::wire::tcp::{MarkRead, ReadMark};

/// Creates a simulation whose link is live in the lobby, with a server that takes read marks. The
/// lobby has five messages.
fn live() -> Simulation {
    let mut server = ModelServer::new();
    server.features = feature::IDENTITY | feature::READ_MARKS;
    let mut sim = Simulation::new(settings(), server);
    sim.run_until_idle();
    for _ in 0..5 {
        sim.other_says("lobby");
    }
    sim.run_until_idle();
    sim
}

/// Marks a room as read, and lets the server get what is sent.
fn mark(sim: &mut Simulation, room: Option<&str>, sequence: Option<u64>) {
    let (room, sequence) = (room.map(str::to_owned), sequence.map(Sequence));
    sim.request(Command::MarkRead { room, sequence });
    while sim.deliver_to_server() {}
}

/// Returns the marks that the server has got since the last call.
fn take_marks(sim: &mut Simulation) -> Vec<(String, u64)> {
    while sim.deliver_to_server() {}
    let marks = std::mem::take(&mut sim.server.received_marks).into_iter();
    marks.map(|MarkRead { room, sequence }| (room, sequence.0)).collect()
}

/// Delivers a mark of another device.
fn tell(sim: &mut Simulation, room: &str, sequence: u64) {
    let frame = ReadMark { room: room.to_owned(), sequence: Sequence(sequence) };
    sim.input(Input::Received(Decoded::Frame(frame.into())));
}

/// Returns a mark of the lobby.
fn lobby(sequence: u64) -> (String, u64) {
    ("lobby".to_owned(), sequence)
}

/// A mark is sent at once, and the next one of the same room five seconds later: only the last one
/// of those that were made meanwhile. Each room has a time of its own. What is known is not sent.
#[test]
fn marks_of_a_room_are_merged_for_five_seconds() {
    let mut sim = live();
    for sequence in [1, 2, 3] {
        mark(&mut sim, Some("LOBBY"), Some(sequence));
        mark(&mut sim, None, Some(sequence));
        sim.advance(Duration::from_millis(100));
    }
    assert_eq!(take_marks(&mut sim), [lobby(1), (String::new(), 1)]);
    sim.advance(Duration::from_millis(4_600));
    assert_eq!(take_marks(&mut sim), []);
    sim.advance(Duration::from_millis(100));
    assert_eq!(take_marks(&mut sim), [lobby(3), (String::new(), 3)]);
    sim.advance(Duration::from_secs(10));
    mark(&mut sim, Some("lobby"), Some(3));
    mark(&mut sim, Some("attic"), Some(3));
    assert_eq!(take_marks(&mut sim), [], "it is known; the user is not in the attic");
    mark(&mut sim, Some("lobby"), None);
    assert_eq!(take_marks(&mut sim), [lobby(5)], "what was received");
    mark(&mut sim, None, None);
    assert_eq!(take_marks(&mut sim), [], "there was no direct message");
}

/// What another device has read is reported. A mark that waits is dropped if it is not above that.
#[test]
fn mark_of_another_device_is_reported() {
    let mut sim = live();
    mark(&mut sim, Some("lobby"), Some(1));
    mark(&mut sim, Some("lobby"), Some(2));
    sim.events.clear();
    tell(&mut sim, "lobby", 4);
    tell(&mut sim, "", 3);
    let told = |room: Option<&str>, sequence| Event::ReadMark {
        room: room.map(str::to_owned),
        sequence: Sequence(sequence),
    };
    assert_eq!(sim.events, [told(Some("lobby"), 4), told(None, 3)]);
    sim.advance(Duration::from_secs(5));
    mark(&mut sim, Some("lobby"), Some(4));
    assert_eq!(take_marks(&mut sim), [lobby(1)]);
    mark(&mut sim, Some("lobby"), Some(2));
    assert_eq!(take_marks(&mut sim), [lobby(2)], "the user wants it so");
}

/// A mark that is made without a connection, or that waits, is sent after the next join; what waits
/// at the end is sent before it. A server without the feature gets none.
#[test]
fn marks_wait_for_the_connection() {
    let mut sim = live();
    mark(&mut sim, Some("lobby"), Some(1));
    sim.break_connection();
    assert_eq!(take_marks(&mut sim), [lobby(1)]);
    mark(&mut sim, Some("lobby"), Some(2));
    assert_eq!(take_marks(&mut sim), []);
    sim.run_until_idle();
    sim.advance(Duration::from_secs(5));
    assert_eq!(take_marks(&mut sim), [lobby(2)]);
    mark(&mut sim, Some("lobby"), Some(3));
    sim.request(Command::Finish { patience: Duration::from_secs(1) });
    assert_eq!(take_marks(&mut sim), [lobby(3)]);

    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.other_says("lobby");
    sim.run_until_idle();
    mark(&mut sim, Some("lobby"), None);
    sim.advance(Duration::from_secs(10));
    assert_eq!(take_marks(&mut sim), []);
}

/// That a mark was refused is not told: the user was sent out of the room meanwhile.
#[test]
fn refused_mark_is_not_reported() {
    let mut sim = live();
    sim.events.clear();
    for (about, count) in [(23, 0), (8, 1)] {
        let error = Error::about(crate::model::ErrorCode::NotInRoom, about, Reference::NONE);
        sim.input(Input::Received(Decoded::Frame(error.into())));
        assert_eq!(sim.count_events(|it| matches!(it, Event::Problem { .. })), count);
    }
}

/// A server cannot make the link remember marks without end.
#[test]
fn number_of_marks_is_bounded() {
    let mut sim = live();
    for number in 0..1_000 {
        tell(&mut sim, &format!("room{number}"), 1);
    }
    assert!(sim.link.read_marks.len() <= 64);
}
