//! Tests of a server whose log has been replaced by another.

use super::*;

/// Another log id is reported once. Messages of the new log are shown, even with sequences that the
/// client has seen in the old log.
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

/// In the new log, another user has the client's former session number. That user's message does
/// not acknowledge the client's message.
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

/// A process that has persisted a session without a position ends. In the new log, another user has
/// the session's number. Their messages are not the next process's own.
#[test]
fn restored_session_number_is_not_own_in_new_log() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    let saved = sim.saved.as_mut().unwrap();
    saved.position = None;
    let session = saved.session;
    sim.break_connection();
    let mut sim = sim.restart(settings());
    sim.server = ModelServer::with_log(9);
    sim.server.other_session_says("lobby", session, 1);
    sim.run_until_idle();
    let own: Vec<bool> = sim.events.iter().filter_map(own_message).collect();
    assert_eq!(own, [false]);
}

/// Returns whether an event shows a message of the client's own; `None` if it shows no message.
fn own_message(event: &Event) -> Option<bool> {
    match event {
        Event::Message(it) => Some(it.own),
        _ => None,
    }
}

/// Direct messages to a session of a former log are refused with their text. This holds for
/// messages that name the session and for replies, sent before or not. Other direct messages are
/// sent again.
#[test]
fn direct_to_session_of_former_log_is_refused() {
    use crate::model::ErrorCode;
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.to_client.extend(sim.server.other_sends_direct("bob", 8));
    sim.run_until_idle();
    let direct = |sim: &mut Simulation, to: &str, session: Option<u64>, text: &str| {
        sim.request(Command::Chat(ChatCommand::Direct {
            to: to.to_owned(),
            session: session.map(SessionId),
            style: Style::SAID,
            text: text.to_owned(),
        }));
    };
    direct(&mut sim, "bob", None, "answer");
    direct(&mut sim, "carl", Some(9), "named");
    direct(&mut sim, "dora", None, "whoever has the name");
    sim.run_until_idle();
    assert_eq!(sim.server.received_directs.len(), 3);
    sim.break_connection();
    direct(&mut sim, "bob", None, "unsent answer");
    direct(&mut sim, "carl", Some(9), "unsent named");
    sim.server = ModelServer::with_log(9);
    sim.run_until_idle();
    let texts: Vec<_> = sim.server.received_directs.iter().map(|it| &it.text).collect();
    assert_eq!(texts, ["whoever has the name"]);
    let refused: Vec<_> = sim
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Refused(it) => {
                assert_eq!(it.code, ErrorCode::RecipientChanged.number());
                it.message.as_deref()
            }
            _ => None,
        })
        .collect();
    assert_eq!(refused, ["answer", "named", "unsent answer", "unsent named"]);
    // The user sends the message again: it goes to the session that holds the name now.
    direct(&mut sim, "bob", None, "answer");
    sim.run_until_idle();
    let last = sim.server.received_directs.last().unwrap();
    assert_eq!((last.text.as_str(), last.session), ("answer", SessionId(0)));
}

/// A moderation command that names a session or a message of a former log is not sent.
#[test]
fn moderation_in_a_former_log_is_refused() {
    use crate::model::{ModerationCommand, Sequence};
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.break_connection();
    let remove =
        ModerationCommand::Remove { room: RoomSelector::Only, message: Sequence(1), reason: None };
    sim.request(Command::Chat(ChatCommand::Moderate(remove)));
    sim.server = ModelServer::with_log(9);
    sim.run_until_idle();
    let refused = sim.count_events(|it| {
        matches!(it, Event::Refused(it) if it.code == crate::model::ErrorCode::RecipientChanged.number())
    });
    assert_eq!(refused, 1);
}
