//! Tests of the link against a model server, in virtual time, with connections that break at any
//! point.

mod answers;
mod claims;
mod devices;
mod invites;
mod log_change;
mod model_server;
mod moderation;
mod names;
mod read_marks;
mod search;
mod simulation;
mod unanswered;

use std::time::Duration;

use proptest::prelude::*;

use self::model_server::ModelServer;
use self::simulation::{Simulation, settings};
use super::*;
use crate::model::{Command, Request, RoomSelector, Sequence, Style, Token};
use crate::wire::tcp::{Accepted, Decoded, Error, ServerFrame};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Connections break and sessions expire at random. Each message sent is in the log once and in
    /// order. Each log entry is shown once and in order. Each message is acknowledged once.
    #[test]
    fn messages_survive_connection_losses_exactly_once(
        steps in prop::collection::vec(0_u8..24, 0..400),
    ) {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        sim.run_until_idle();
        for step in steps {
            match step {
                0..4 => sim.say_next(),
                4..6 => sim.other_says("lobby"),
                6 => sim.break_connection(),
                7 => sim.server.expire_disconnected_sessions(),
                8 => sim.advance(Duration::from_secs(1)),
                9..12 => sim.connect(),
                12..18 => drop(sim.deliver_to_server()),
                _ => drop(sim.deliver_to_client()),
            }
        }
        sim.run_until_idle();
        let log = sim.server.texts("lobby");
        prop_assert_eq!(&sim.shown_messages("lobby"), &log);
        let mine: Vec<_> = log.iter().filter(|(_, it)| it.starts_with("mine")).map(|(_, it)| it.clone()).collect();
        let said: Vec<_> = (1..=sim.message_count).map(|it| format!("mine {it}")).collect();
        prop_assert_eq!(mine, said);
        prop_assert_eq!(sim.acknowledged_tags(), (1..=sim.message_count).collect::<Vec<_>>());
        prop_assert_eq!(sim.count_events(|it| matches!(it, Event::Gap { .. } | Event::Refused(_) | Event::Problem { .. })), 0);
    }

    /// A process ends at any point, and another resumes from its saved session. Together they show
    /// everything in the log.
    #[test]
    fn resumed_process_misses_nothing(
        steps in prop::collection::vec(0_u8..10, 0..200),
    ) {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        let mut shown: Vec<(u64, String)> = Vec::new();
        sim.run_until_idle();
        for step in steps {
            match step {
                0..3 => sim.other_says("lobby"),
                3 => sim.say_next(),
                4 => {
                    sim.break_connection();
                    shown.extend(sim.shown_messages("lobby"));
                    sim = sim.restart(settings());
                }
                5 => sim.advance(Duration::from_secs(2)),
                _ => sim.run_until_idle(),
            }
        }
        sim.run_until_idle();
        shown.extend(sim.shown_messages("lobby"));
        // The next process may show up to three seconds of entries again.
        shown.sort();
        shown.dedup();
        prop_assert_eq!(shown, sim.server.texts("lobby"));
    }

    /// Arbitrary bytes from a server cause no panic and no output after the end.
    #[test]
    fn arbitrary_server_bytes_do_not_panic(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..40),
        kinds in prop::collection::vec(prop::option::of(60_u8..90), 40),
    ) {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        sim.run_until_idle();
        for (mut body, kind) in bodies.into_iter().zip(kinds) {
            if let Some(kind) = kind {
                body[0] = kind;
            }
            sim.input(Input::Received(ServerFrame::decode(&body)));
        }
    }
}

/// A message that is sent again keeps its reference in the same session. In another session, the
/// message gets a new reference.
#[test]
fn resend_keeps_reference_in_same_session_only() {
    for is_kept in [true, false] {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        sim.run_until_idle();
        sim.say_next();
        sim.run_until_idle();
        sim.say_next();
        sim.break_connection();
        if !is_kept {
            sim.server.expire_disconnected_sessions();
        }
        while sim.link.phase != Phase::Live {
            sim.advance(Duration::from_secs(1));
            sim.connect();
            while !sim.to_server.is_empty()
                && sim.link.phase != Phase::Live
                && sim.deliver_to_server()
            {}
            sim.deliver_to_client();
        }
        let Some(ClientFrame::Say(say)) = sim.to_server.pop_back() else {
            panic!("nothing was sent again");
        };
        assert_eq!(say.reference.0, if is_kept { 2 } else { 1 });
    }
}

/// Rooms are entered and left while connections break. In the end the client is in the requested
/// rooms.
#[test]
fn rooms_are_rejoined_after_connection_loss() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.request(Command::Chat(ChatCommand::Enter { room: "garden".to_owned() }));
    sim.break_connection();
    sim.run_until_idle();
    sim.other_says("garden");
    sim.run_until_idle();
    assert_eq!(sim.shown_messages("garden").len(), 1);
    sim.break_connection();
    sim.server.other_says("garden");
    sim.run_until_idle();
    assert_eq!(sim.shown_messages("garden"), sim.server.texts("garden"));
    for room in ["garden", "lobby"] {
        sim.request(Command::Chat(ChatCommand::Leave {
            room: RoomSelector::Named(room.to_owned()),
        }));
    }
    sim.run_until_idle();
    sim.break_connection();
    sim.run_until_idle();
    assert_eq!(sim.link.rooms, Vec::<String>::new());
    assert_eq!(sim.server.rooms(), Vec::<String>::new());
}

/// A `leave` that follows an unanswered `enter` of the same room is sent again after it. The room
/// is reported as left only when the client is no longer in it.
#[test]
fn leave_is_resent_after_unanswered_enter_of_same_room() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.request(Command::Chat(ChatCommand::Enter { room: "garden".to_owned() }));
    sim.request(Command::Chat(ChatCommand::Leave {
        room: RoomSelector::Named("garden".to_owned()),
    }));
    sim.break_connection();
    let is_left = |it: &Event| matches!(it, Event::Left { .. });
    assert_eq!(sim.count_events(is_left), 0);
    sim.run_until_idle();
    assert_eq!(sim.count_events(is_left), 1);
    assert_eq!(sim.link.rooms, ["lobby"]);
    assert_eq!(sim.server.rooms(), ["lobby"]);
}

/// A second process joins one more room. It gets the missed messages of the first room, and only
/// the recent history of the new one.
#[test]
fn new_room_in_second_run_gets_recent_history_only() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.advance(Duration::from_secs(4));
    sim.break_connection();
    for _ in 0..30 {
        sim.server.other_says("lobby");
        sim.server.other_says("garden");
    }
    let rooms = vec!["Lobby".to_owned(), "garden".to_owned()];
    let mut sim = sim.restart(Settings { rooms, ..settings() });
    sim.run_until_idle();
    assert_eq!(sim.shown_messages("lobby").len(), 30);
    assert_eq!(sim.shown_messages("garden").len(), 10);
    assert_eq!(sim.count_events(|it| matches!(it, Event::Gap { .. })), 0);
}

/// A send-only link leaves the saved position as it was.
#[test]
fn send_only_link_leaves_saved_position_unchanged() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.other_says("lobby");
    sim.run_until_idle();
    sim.advance(Duration::from_secs(4));
    sim.break_connection();
    let before = sim.saved.clone().unwrap();
    let mut sim = sim.restart(Settings { observe: false, ..settings() });
    sim.say_next();
    sim.request(Command::Finish { patience: Duration::from_secs(60) });
    sim.run_until_idle();
    assert_eq!(sim.end, Some(EndReason::Left { unsent: 0, refused: 0 }));
    assert_eq!(sim.saved, Some(before));
}

/// A failed first connection attempt ends the link if [`Settings::retry_first_connect`] is false.
#[test]
fn first_connect_failure_ends_link_unless_retry_is_set() {
    let failed = || Input::ConnectFailed { reason: "no".to_owned() };
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.input(failed());
    assert!(matches!(sim.end, Some(EndReason::Unavailable { .. })));
    let mut sim =
        Simulation::new(Settings { retry_first_connect: true, ..settings() }, ModelServer::new());
    sim.wanted_hello = None;
    sim.input(failed());
    assert_eq!(sim.end, None);
    sim.run_until_idle();
    assert_eq!(sim.link.phase, Phase::Live);
}

/// After a first join the link reconnects without limit.
#[test]
fn joined_link_reconnects_without_limit() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.break_connection();
    for _ in 0..500 {
        sim.advance(Duration::from_secs(61));
        assert!(sim.wanted_hello.take().is_some());
        sim.input(Input::ConnectFailed { reason: "no".to_owned() });
    }
    assert_eq!(sim.end, None);
}

/// After 30 seconds of silence the link sends a ping. After 60 seconds it abandons the connection.
#[test]
fn silence_causes_ping_then_disconnect() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.advance(Duration::from_secs(30));
    assert!(matches!(sim.to_server.pop_front(), Some(ClientFrame::Ping(_))));
    sim.advance(Duration::from_secs(29));
    assert!(sim.connected);
    sim.advance(Duration::from_secs(1));
    assert!(!sim.connected);
    sim.run_until_idle();
    assert_eq!(sim.end, None);
}

/// The link asks for the feature `resume`. It resets a connection that it gives up because of
/// silence. It closes a connection in order when the user quits, or when the server closes with an
/// error.
#[test]
fn only_abandoned_connections_are_reset() {
    for observe in [true, false] {
        let mut sim = Simulation::new(Settings { observe, ..settings() }, ModelServer::new());
        sim.connect();
        let Some(ClientFrame::Hello(hello)) = sim.to_server.front() else {
            panic!("no hello");
        };
        let others = if observe { OBSERVER_FEATURES } else { 0 };
        assert_eq!(hello.features, feature::RESUME | others);
        sim.run_until_idle();
        sim.advance(Duration::from_secs(60));
        assert!(!sim.connected);
        assert_eq!(sim.resets, 1, "the server fell silent");
        sim.run_until_idle();
        let error = Error::new(crate::model::ErrorCode::TooSlow);
        sim.input(Input::Received(Decoded::Frame(error.into())));
        sim.run_until_idle();
        sim.request(Command::Quit);
        assert!(sim.end.is_some() && !sim.connected);
        assert_eq!(sim.resets, 1);
    }
}

/// On a connection that is given up before `server_hello`, the link sends no join. Such a join
/// could arrive late and end the next connection.
#[test]
fn join_is_sent_only_after_server_hello() {
    let mut sim =
        Simulation::new(Settings { retry_first_connect: true, ..settings() }, ModelServer::new());
    sim.connect();
    assert!(matches!(sim.to_server.pop_front(), Some(ClientFrame::Hello(_))));
    assert!(sim.to_server.is_empty());
    sim.advance(Duration::from_secs(10));
    assert!(!sim.connected && sim.to_server.is_empty());
    sim.run_until_idle();
    assert_eq!((sim.end, sim.server.joins.len()), (None, 1));
}

/// A graceful shutdown waits for answers while the server is away, until its timeout.
#[test]
fn finish_waits_for_answers_until_timeout() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.break_connection();
    sim.say_next();
    sim.request(Command::Finish { patience: Duration::from_secs(60) });
    sim.advance(Duration::from_secs(59));
    assert_eq!(sim.end, None);
    sim.advance(Duration::from_secs(2));
    assert_eq!(sim.end, Some(EndReason::Left { unsent: 1, refused: 0 }));
    assert_eq!(sim.count_events(|it| matches!(it, Event::Unsent { perhaps_taken: false, .. })), 1);
}

/// The password is sent only to a server that asks for it. If the user gave none and cannot be
/// asked, the link ends.
#[test]
fn password_is_sent_only_on_demand() {
    let password = Some(crate::model::Password("secret".to_owned()));
    let mut server = ModelServer::new();
    server.password = Some("secret");
    let mut sim = Simulation::new(Settings { password, ..settings() }, server);
    sim.run_until_idle();
    assert_eq!(sim.end, None);
    assert_eq!(sim.server.joins, [None, Some("secret".to_owned())]);
    assert!(sim.saved.as_ref().unwrap().password_required);

    let mut server = ModelServer::new();
    server.password = Some("secret");
    let mut sim = Simulation::new(settings(), server);
    sim.run_until_idle();
    assert!(matches!(sim.end, Some(EndReason::Refused { .. })));
}

/// The user is asked for the password while the connection is closed, and again if the password is
/// wrong.
#[test]
fn user_is_asked_for_password_while_disconnected() {
    let mut server = ModelServer::new();
    server.password = Some("secret");
    let mut sim = Simulation::new(Settings { can_prompt: true, ..settings() }, server);
    sim.connect();
    while sim.deliver_to_server() || sim.deliver_to_client() {}
    for wrong in ["wrong", "secret"] {
        assert!(!sim.connected);
        sim.request(Command::Password(crate::model::Password(wrong.to_owned())));
        sim.connect();
        while sim.deliver_to_server() || sim.deliver_to_client() {}
    }
    assert_eq!(sim.link.phase, Phase::Live);
    assert_eq!(sim.count_events(|it| *it == Event::PasswordWanted { again: true }), 1);
}

/// If the server asks for a password after the user has been in, the link ends, also if the first
/// replay had not ended. The keyboard then belongs to the lines of the chat.
#[test]
fn password_asked_for_after_an_interrupted_replay_ends_the_link() {
    let settings = Settings { can_prompt: true, retry_first_connect: true, ..settings() };
    let mut sim = Simulation::new(settings, ModelServer::new());
    sim.connect();
    while sim.count_events(|it| matches!(it, Event::JoinedServer(_))) == 0 {
        assert!(sim.deliver_to_server() || sim.deliver_to_client());
    }
    assert_eq!(sim.link.phase, Phase::Replaying);
    sim.break_connection();
    sim.server.password = Some("secret");
    sim.run_until_idle();
    assert!(matches!(sim.end, Some(EndReason::Refused { .. })), "{:?}", sim.end);
    assert_eq!(sim.count_events(|it| matches!(it, Event::PasswordWanted { .. })), 0);
}

/// A final error ends the link. After any other closing error the link reconnects with the advised
/// delay.
#[test]
fn only_final_closing_errors_end_the_link() {
    use crate::model::ErrorCode;
    for code in ErrorCode::ALL.iter().filter(|it| it.closes()) {
        let mut sim = Simulation::new(settings(), ModelServer::new());
        sim.run_until_idle();
        let error = Error { retry_after: 5_000, ..Error::new(*code) };
        sim.input(Input::Received(Decoded::Frame(error.into())));
        assert!(!sim.connected);
        assert_eq!(sim.end.is_some(), code.is_final(), "{code:?}");
        if !code.is_final() {
            // The driver may still report the end of the stream, without an effect.
            sim.input(Input::Disconnected { reason: "closed".to_owned() });
            sim.input(Input::ConnectFailed { reason: "closed".to_owned() });
            let waits =
                |it: &Event| matches!(it, Event::Connection(ConnectionState::Reconnecting { .. }));
            assert_eq!(sim.count_events(waits), 1);
            sim.advance(Duration::from_millis(4_900));
            assert!(sim.wanted_hello.is_none());
            sim.advance(Duration::from_millis(2_700));
            assert!(sim.wanted_hello.is_some());
        }
    }
}

/// A request that a closing error answers is reported as refused, and not sent again.
#[test]
fn request_refused_by_closing_error_is_not_sent_again() {
    use crate::model::ErrorCode;
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    let room = RoomSelector::First;
    sim.request(Command::Chat(ChatCommand::History { room, before: None, limit: 2 }));
    sim.say_next();
    let Some(ClientFrame::History(history)) = sim.to_server.pop_front() else {
        panic!("no request was sent");
    };
    let error = Error::about(
        ErrorCode::TooManyFromAddress,
        crate::wire::tcp::kind::HISTORY,
        history.reference,
    );
    sim.input(Input::Received(Decoded::Frame(error.into())));
    assert!(!sim.connected);
    let is_refused = |it: &Event| matches!(it, Event::Refused(it) if it.code == 109);
    assert_eq!(sim.count_events(is_refused), 1);
    sim.run_until_idle();
    let is_answered = |it: &Event| matches!(it, Event::HistoryEnd { requested: true, .. });
    assert_eq!((sim.count_events(is_answered), sim.acknowledged_tags()), (0, vec![1]));
}

/// After a reconnect without a position, the server replays only the ten most recent entries of a
/// room. Missed entries before them are not reported as a gap.
#[test]
fn reconnect_without_position_reports_no_gap() {
    let mut sim = Simulation::new(Settings { observe: false, ..settings() }, ModelServer::new());
    sim.run_until_idle();
    sim.other_says("lobby");
    sim.run_until_idle();
    sim.break_connection();
    for _ in 0..30 {
        sim.server.other_says("lobby");
    }
    sim.run_until_idle();
    assert_eq!(sim.shown_messages("lobby").len(), 11);
    assert_eq!(sim.count_events(|it| matches!(it, Event::Gap { .. })), 0);
}

/// A reconnect joins the lobby although the user is in no room. Messages that were sent there
/// meanwhile are no gap.
#[test]
fn lobby_joined_only_by_reconnect_reports_no_gap() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    sim.other_says("lobby");
    sim.run_until_idle();
    sim.request(Command::Chat(ChatCommand::Leave { room: RoomSelector::First }));
    sim.run_until_idle();
    sim.server.other_says("lobby");
    // This direct message raises the position above the entry that was not received.
    sim.to_client.extend(sim.server.other_sends_direct("bob", 77));
    sim.run_until_idle();
    sim.break_connection();
    sim.server.other_says("lobby");
    sim.run_until_idle();
    assert_eq!(sim.count_events(|it| matches!(it, Event::Gap { .. })), 0);
    assert_eq!(sim.server.rooms(), Vec::<String>::new());
}

/// A reply to a username goes to the session that wrote under it.
#[test]
fn direct_reply_is_pinned_to_sender_session() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    let direct = || {
        Command::Chat(ChatCommand::Direct {
            to: "BOB".to_owned(),
            session: None,
            style: Style::SAID,
            text: "hi".to_owned(),
        })
    };
    let session_of = |frame| match frame {
        Some(ClientFrame::Direct(it)) => it.session,
        other => panic!("{other:?}"),
    };
    sim.request(direct());
    assert_eq!(session_of(sim.to_server.pop_back()), SessionId(0));
    sim.to_client.extend(sim.server.other_sends_direct("bob", 77));
    while sim.deliver_to_client() {}
    sim.request(direct());
    assert_eq!(session_of(sim.to_server.pop_back()), SessionId(77));
}

/// A message that was shown when `accepted` came is not shown again when its entry comes. An answer
/// to `history` shows it nevertheless.
#[test]
fn accepted_message_is_not_shown_again_when_room_is_reentered() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    let lobby = || RoomSelector::Named("lobby".to_owned());
    sim.say_next();
    sim.request(Command::Chat(ChatCommand::Leave { room: lobby() }));
    while sim.deliver_to_server() {}
    // The server sends `accepted` in place of an echo that would come after `left`.
    for frame in &mut sim.to_client {
        if let ServerFrame::Entry(entry) = frame {
            *frame = Accepted { reference: entry.reference }.into();
        }
    }
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags(), [1]);
    sim.request(Command::Chat(ChatCommand::Enter { room: "lobby".to_owned() }));
    sim.run_until_idle();
    assert_eq!(sim.server.texts("lobby").len(), 1);
    assert_eq!(sim.shown_messages("lobby"), []);
    let before = Some(Sequence(100));
    sim.request(Command::Chat(ChatCommand::History { room: lobby(), before, limit: 5 }));
    sim.run_until_idle();
    assert_eq!(sim.count_events(|it| matches!(it, Event::Message(_))), 1);
}

/// At most 64 messages are in flight, and at most 1,000 requests pending.
#[test]
fn messages_in_flight_and_pending_requests_are_limited() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    for _ in 0..100 {
        sim.say_next();
    }
    assert_eq!(sim.to_server.len(), 64);
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags().len(), 100);
    sim.break_connection();
    for _ in 0..1_001 {
        sim.say_next();
    }
    assert_eq!(sim.count_events(|it| matches!(it, Event::Refused(_))), 1);
    assert!(!sim.link.has_capacity());
    sim.run_until_idle();
    assert_eq!(sim.acknowledged_tags().len(), 1_100);
}

/// Debug output does not contain the token.
#[test]
fn token_is_hidden_in_debug_output() {
    let saved = SavedSession {
        token: Token([0xab; 16]),
        session: SessionId(1),
        position: None,
        rooms: Vec::new(),
        password_required: false,
    };
    assert!(!format!("{saved:?}").contains("171"));
}
