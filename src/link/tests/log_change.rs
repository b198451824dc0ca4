//! Tests of a server whose log has been replaced by another.

use super::*;

/// Another log id is reported once, and all messages are shown anew.
#[test]
fn log_change_is_reported_and_replayed() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.say_next();
    sim.run_until_idle();
    sim.break_connection();
    sim.server = ModelServer::with_log(9);
    sim.server.other_says("lobby");
    sim.run_until_idle();
    let is_told = |it: &Event| matches!(it, Event::JoinedServer(it) if it.log_changed);
    assert_eq!(sim.count_events(is_told), 1);
    assert_eq!(sim.shown_messages("lobby").len(), 2);
}

/// A message of another session that has the client's former session number in the new log does not
/// acknowledge the client's message.
#[test]
fn former_session_number_does_not_acknowledge_in_new_log() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    let session = sim.saved.clone().unwrap().session;
    sim.say_next();
    sim.break_connection();
    sim.server = ModelServer::with_log(9);
    sim.server.other_session_says("lobby", session, 1);
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags(), [1]);
    let texts: Vec<_> = sim.server.texts("lobby").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a stranger's", "mine 1"]);
}
