//! Tests of the watch over unanswered requests, and of connecting at once for the user.

use super::*;
use crate::model::ModerationCommand;

/// Creates a simulation whose link is live, for a user at the keyboard.
fn live() -> Simulation {
    let mut sim = Simulation::new(Settings { can_prompt: true, ..settings() }, ModelServer::new());
    sim.run_until_idle();
    sim
}

/// Returns the number of reports of this connection state.
fn count_states(sim: &Simulation, state: &ConnectionState) -> usize {
    sim.count_events(|it| matches!(it, Event::Connection(it) if it == state))
}

/// Returns the number of pings among the frames that were sent and not delivered. Discards all of
/// these frames.
fn take_pings(sim: &mut Simulation) -> usize {
    sim.to_server.drain(..).filter(|it| matches!(it, ClientFrame::Ping(_))).count()
}

/// Advances the time by this number of milliseconds, in steps of 100 ms. Delivers no frames.
fn wait(sim: &mut Simulation, milliseconds: u64) {
    for _ in 0..milliseconds / 100 {
        sim.advance(Duration::from_millis(100));
    }
}

/// If the server does not answer a message, the link sends a ping after 5 seconds, and gives the
/// connection up after 10. The message then arrives once.
#[test]
fn unanswered_message_reveals_dead_connection() {
    let mut sim = live();
    wait(&mut sim, 3_000);
    sim.say_next();
    sim.to_server.clear();
    wait(&mut sim, 4_900);
    assert_eq!(take_pings(&mut sim), 0);
    wait(&mut sim, 100);
    assert_eq!(take_pings(&mut sim), 1);
    assert_eq!(count_states(&sim, &ConnectionState::Unresponsive { requests: 1 }), 1);
    sim.say_next();
    sim.to_server.clear();
    assert_eq!(count_states(&sim, &ConnectionState::Waiting { requests: 2 }), 1);
    wait(&mut sim, 4_900);
    assert!(sim.connected);
    wait(&mut sim, 100);
    assert!(!sim.connected);
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags(), [1, 2]);
    assert_eq!(sim.server.texts("lobby").len(), 2);
}

/// Any byte keeps the connection. While a message is unanswered, the user is told of silence only
/// once.
#[test]
fn any_byte_keeps_the_connection() {
    let mut sim = live();
    sim.say_next();
    sim.to_server.clear();
    for _ in 0..5 {
        wait(&mut sim, 9_900);
        assert_eq!(take_pings(&mut sim), 1);
        sim.input(Input::BytesReceived);
    }
    assert!(sim.connected);
    assert_eq!(count_states(&sim, &ConnectionState::Unresponsive { requests: 1 }), 1);
    assert_eq!(count_states(&sim, &ConnectionState::Responsive), 1);
}

/// Without an unanswered request, silence causes no ping before 30 seconds.
#[test]
fn silence_without_request_is_no_sign() {
    let mut sim = live();
    sim.say_next();
    sim.run_until_idle();
    wait(&mut sim, 29_000);
    assert_eq!(take_pings(&mut sim), 0);
    assert!(sim.connected);
}

/// If the server takes long to read its log, the link sends a ping, but keeps the connection until
/// the idle timeout.
#[test]
fn slow_history_does_not_end_connection_early() {
    let mut sim = live();
    let room = RoomSelector::First;
    sim.request(Command::Chat(ChatCommand::History { room, before: None, limit: 2 }));
    sim.say_next();
    sim.to_server.clear();
    wait(&mut sim, 59_000);
    assert!(sim.connected);
    assert_eq!(count_states(&sim, &ConnectionState::Unresponsive { requests: 2 }), 1);
    wait(&mut sim, 1_500);
    assert!(!sim.connected);
}

/// The same holds while the server stores what a moderator has done: a lost answer would leave it
/// open whether that was carried out.
#[test]
fn slow_moderation_does_not_end_connection_early() {
    let mut server = ModelServer::new();
    server.features = feature::EVENTS;
    let mut sim = Simulation::new(Settings { can_prompt: true, ..settings() }, server);
    sim.run_until_idle();
    let room = RoomSelector::First;
    let command = ModerationCommand::SetTopic { room, topic: None };
    sim.request(Command::Chat(ChatCommand::Moderate(command)));
    sim.to_server.clear();
    wait(&mut sim, 59_000);
    assert!(sim.connected);
    wait(&mut sim, 1_500);
    assert!(!sim.connected);
}

/// Breaks the connection, then lets connection attempts fail until the link begins to wait for more
/// than 3 seconds.
fn fail_until_long_delay(sim: &mut Simulation) {
    sim.break_connection();
    let is_long = |it: &Event| {
        matches!(it, Event::Connection(ConnectionState::Reconnecting { delay })
            if *delay > Duration::from_secs(3))
    };
    while sim.count_events(is_long) == 0 {
        while sim.wanted_hello.take().is_none() {
            sim.advance(Duration::from_millis(100));
        }
        sim.input(Input::ConnectFailed { reason: "no".to_owned() });
    }
}

/// The user need not wait for the reconnect delay, only until one second after the last attempt. An
/// attempt is restarted only if it takes 5 seconds.
#[test]
fn user_ends_reconnect_delay() {
    let mut sim = live();
    fail_until_long_delay(&mut sim);
    let retry = || Command::Reconnect { is_forced: false };
    sim.request(retry());
    assert!(sim.wanted_hello.is_none());
    wait(&mut sim, 1_000);
    assert!(sim.wanted_hello.take().is_some());
    // The attempt takes long. Only then is it restarted.
    wait(&mut sim, 4_000);
    sim.request(retry());
    assert!(sim.wanted_hello.is_none());
    wait(&mut sim, 1_000);
    sim.request(retry());
    assert!(sim.wanted_hello.is_some());
    sim.run_until_idle();
    assert_eq!(sim.end, None);
}

/// A forced reconnect replaces a connection whose server answers. An unforced one replaces only a
/// connection whose server does not answer.
#[test]
fn user_replaces_connection() {
    let mut sim = live();
    wait(&mut sim, 2_000);
    sim.request(Command::Reconnect { is_forced: false });
    assert!(sim.connected);
    sim.request(Command::Reconnect { is_forced: true });
    assert!(!sim.connected && sim.wanted_hello.is_some());
    sim.run_until_idle();
    wait(&mut sim, 1_000);
    sim.say_next();
    sim.to_server.clear();
    wait(&mut sim, 5_000);
    sim.request(Command::Reconnect { is_forced: false });
    assert!(!sim.connected && sim.wanted_hello.is_some());
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags(), [1]);
}
