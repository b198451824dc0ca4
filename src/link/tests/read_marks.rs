//! Tests of read marks: how often they are sent, and what is told of other devices.

use super::*;
use crate::model::Reference;
use crate::wire::tcp::{Left, MarkRead, ReadMark};

/// Creates a simulation with a server that takes read marks.
fn simulation() -> Simulation {
    let mut server = ModelServer::new();
    server.features = feature::IDENTITY | feature::READ_MARKS;
    Simulation::new(settings(), server)
}

/// Creates a simulation whose link is live in the lobby, with a server that takes read marks. The
/// lobby has five messages.
fn live() -> Simulation {
    let mut sim = simulation();
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

/// Lets the user enter a room.
fn enter(sim: &mut Simulation, room: &str) {
    sim.request(Command::Chat(ChatCommand::Enter { room: room.to_owned() }));
}

/// Lets the user leave a room.
fn leave(sim: &mut Simulation, room: &str) {
    let room = RoomSelector::Named(room.to_owned());
    sim.request(Command::Chat(ChatCommand::Leave { room }));
}

/// A mark of a room counts while the user is in it: from `entered` on, in a replay too, until they
/// leave or are sent out. One that comes before is ignored.
#[test]
fn mark_of_a_room_that_the_user_is_not_in_is_ignored() {
    let told = |sim: &mut Simulation, room: &str, sequence: u64| {
        let before = sim.count_events(|it| matches!(it, Event::ReadMark { .. }));
        tell(sim, room, sequence);
        sim.count_events(|it| matches!(it, Event::ReadMark { .. })) > before
    };
    let mut sim = simulation();
    sim.connect();
    while sim.link.phase != Phase::Replaying {
        assert!(sim.deliver_to_server() || sim.deliver_to_client());
    }
    assert!(sim.link.rooms.is_empty(), "the first join has named no room");
    assert!(told(&mut sim, "lobby", 1) && !told(&mut sim, "garden", 1));

    let mut sim = live();
    assert!(!told(&mut sim, "garden", 1));
    enter(&mut sim, "garden");
    assert!(sim.deliver_to_server());
    assert!(!told(&mut sim, "garden", 2), "just before `entered`");
    assert!(sim.deliver_to_client());
    assert!(told(&mut sim, "garden", 3));
    sim.run_until_idle();
    assert!(told(&mut sim, "GARDEN", 4));
    sim.break_connection();
    while sim.link.phase != Phase::Replaying {
        sim.connect();
        if !sim.deliver_to_server() && !sim.deliver_to_client() {
            sim.advance(Duration::from_millis(500));
        }
    }
    assert!(told(&mut sim, "garden", 5));
    sim.run_until_idle();
    leave(&mut sim, "garden");
    sim.run_until_idle();
    assert!(!told(&mut sim, "garden", 6));
    assert!(told(&mut sim, "", 7));
    enter(&mut sim, "garden");
    assert!(sim.deliver_to_server() && sim.deliver_to_client());
    let left = Left { reference: Reference::NONE, room: "garden".to_owned() };
    sim.input(Input::Received(Decoded::Frame(left.into())));
    assert!(!told(&mut sim, "garden", 8));
}

/// A mark that waits ends with the stay in its room, however that ends. So there is one for the last
/// of a hundred rooms, too.
#[test]
fn mark_of_a_room_that_was_left_is_dropped() {
    let mut sim = live();
    for number in 0..100 {
        let room = format!("room{number}");
        enter(&mut sim, &room);
        sim.run_until_idle();
        mark(&mut sim, Some(&room), Some(number));
        assert_eq!(take_marks(&mut sim), [(room.clone(), number)]);
        mark(&mut sim, Some(&room), Some(number + 1));
        match number % 3 {
            0 => leave(&mut sim, &room),
            1 => {
                leave(&mut sim, &room);
                while sim.deliver_to_server() {}
                sim.break_connection();
            }
            _ => {
                let left = Left { reference: Reference::NONE, room };
                sim.input(Input::Received(Decoded::Frame(left.into())));
            }
        }
        sim.run_until_idle();
        assert!(sim.link.read_marks.is_empty());
    }
    sim.advance(Duration::from_secs(10));
    assert_eq!(take_marks(&mut sim), []);
}

/// A server cannot make the link remember more marks than the user has rooms, and one.
#[test]
fn number_of_marks_is_bounded() {
    let mut sim = live();
    for number in 0..1_000 {
        tell(&mut sim, &format!("room{number}"), 1);
    }
    for room in ["lobby", "Lobby", "LOBBY", ""] {
        tell(&mut sim, room, 1);
    }
    assert_eq!(sim.link.read_marks.len(), 2);
}
