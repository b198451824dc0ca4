//! Tests of messages that one process saves and the next one sends.

use super::*;
use crate::model::SessionId;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Connections break, sessions expire, and processes end at any point. The next process has the
    /// unanswered messages of the one before: each message is in the log once and in order.
    #[test]
    fn messages_survive_restarts_exactly_once(
        steps in prop::collection::vec(0_u8..24, 0..300),
    ) {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        sim.run_until_idle();
        for step in steps {
            match step {
                0..5 => sim.say_next(),
                5 => sim.other_says("lobby"),
                6 => sim.break_connection(),
                7 | 8 => {
                    sim.server.disconnect();
                    sim = sim.restart_with_messages(Settings { retry_first_connect: true, ..settings() });
                }
                9 => sim.server.expire_disconnected_sessions(),
                10 => sim.advance(Duration::from_secs(1)),
                11 | 12 => sim.connect(),
                13..18 => drop(sim.deliver_to_server()),
                _ => drop(sim.deliver_to_client()),
            }
        }
        sim.run_until_idle();
        let log = sim.server.texts("lobby").into_iter().map(|(_, it)| it);
        let mine: Vec<_> = log.filter(|it| it.starts_with("mine")).collect();
        let said: Vec<_> = (1..=sim.message_count).map(|it| format!("mine {it}")).collect();
        prop_assert_eq!(mine, said);
        prop_assert_eq!(sim.link.unanswered_messages().count(), 0);
    }
}

/// Says a message that is sent but does not arrive, and ends the process.
fn with_lost_message() -> Simulation {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.say_next();
    sim.break_connection();
    sim.restart_with_messages(settings())
}

/// The next process acknowledges a message of the one before, with its tag.
#[test]
fn restored_message_is_acknowledged_with_its_tag() {
    let mut sim = with_lost_message();
    sim.say_next();
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags(), [1, 2]);
}

/// In another log, somebody else has the session number with which a restored message was sent.
/// Their message does not acknowledge it, also if the position was lost.
#[test]
fn restored_message_is_sent_in_new_log() {
    for has_position in [true, false] {
        let mut sim = with_lost_message();
        let saved = sim.initial_saved.as_mut().unwrap();
        let session = saved.session;
        saved.position = saved.position.filter(|_| has_position);
        sim.server = ModelServer::with_log(9);
        sim.server.other_session_says("lobby", session, 1);
        sim.run_until_idle();
        let texts: Vec<_> = sim.server.texts("lobby").into_iter().map(|(_, it)| it).collect();
        assert_eq!(texts, ["a stranger's", "mine 1"], "{has_position}");
    }
}

/// A direct message that names a session of another log is refused after a restart.
#[test]
fn restored_direct_message_to_session_of_former_log_is_refused() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.request(Command::Chat(ChatCommand::Direct {
        to: "bob".to_owned(),
        session: Some(SessionId(5)),
        style: Style::SAID,
        text: "psst".to_owned(),
    }));
    sim.break_connection();
    let mut sim = sim.restart_with_messages(settings());
    sim.server = ModelServer::with_log(9);
    sim.run_until_idle();
    assert!(sim.server.received_directs.is_empty());
    assert_eq!(sim.count_events(|it| matches!(it, Event::Refused(it) if it.code == 307)), 1);
}

/// What is no message, or does not fit into the queue, is not restored.
#[test]
fn restored_messages_obey_the_limits() {
    let message = |command| UnansweredMessage {
        tag: RequestTag::default(),
        command,
        sent_as: None,
        addressed_session: SessionId(0),
    };
    let say = |size| {
        let text = "x".repeat(size);
        message(ChatCommand::Say { room: RoomSelector::First, style: Style::SAID, text })
    };
    let mut link = Link::new(settings());
    let leave = ChatCommand::Leave { room: RoomSelector::First };
    link.restore_messages(None, vec![message(leave), say(1 << 20), say(1)]);
    assert_eq!(link.unanswered_messages().count(), 1);
}
