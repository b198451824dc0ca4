//! Tests of the question for another username.

use super::*;
use crate::model::ErrorCode;

/// Returns the settings of a client whose user can be asked for a username.
fn asking() -> Settings {
    Settings { can_ask_name: true, ..settings() }
}

/// Returns a server on which `anna` is taken.
fn server_with_anna() -> ModelServer {
    let mut server = ModelServer::new();
    server.taken_name = Some("anna");
    server
}

/// If the username is taken, the link disconnects and asks the user for another, again if that one
/// is taken too. If the user cannot be asked, the link ends.
#[test]
fn user_is_asked_for_another_name() {
    let mut sim = Simulation::new(asking(), server_with_anna());
    sim.run_until_idle();
    for name in ["ANNA", "anna2"] {
        assert!(!sim.connected && sim.end.is_none());
        sim.request(Command::Name(name.to_owned()));
        sim.run_until_idle();
    }
    assert_eq!(sim.link.phase, Phase::Live);
    let asks = |it: &Event| matches!(it, Event::NameWanted { .. });
    assert_eq!(sim.count_events(asks), 2);
    // A name that was not asked for changes nothing.
    sim.request(Command::Name("bob".to_owned()));
    assert_eq!(sim.link.phase, Phase::Live);

    let mut sim = Simulation::new(settings(), server_with_anna());
    sim.run_until_idle();
    let code = Some(ErrorCode::NameTaken);
    assert!(matches!(sim.end, Some(EndReason::Refused { code: it, .. }) if it == code));
}

/// If the username was taken while the connection was lost, the user is asked for another. Then the
/// session continues under the other username, and waiting requests are sent.
#[test]
fn another_name_continues_the_session() {
    let mut sim = Simulation::new(asking(), ModelServer::new());
    sim.run_until_idle();
    let session = sim.saved.as_ref().unwrap().session;
    sim.server.taken_name = Some("anna");
    sim.input(Input::Disconnected { reason: "lost".to_owned() });
    sim.connected = false;
    sim.server.disconnect();
    sim.say_next();
    sim.run_until_idle();
    assert!(sim.end.is_none());
    sim.request(Command::Name("anna2".to_owned()));
    sim.run_until_idle();
    assert_eq!(sim.saved.as_ref().unwrap().session, session);
    assert_eq!(sim.acknowledged_tags(), [1]);
}

/// The user can quit while the link waits for another username.
#[test]
fn user_may_leave_at_the_question_for_a_name() {
    let mut sim = Simulation::new(asking(), server_with_anna());
    sim.run_until_idle();
    sim.request(Command::Quit);
    assert_eq!(sim.end, Some(EndReason::Left { unsent: 0, refused: 0 }));
}
