//! Tests of moderation: requests and their answers, being sent out, removed messages, lists.

use super::*;
use crate::model::{
    ErrorCode, ListedRoom, ListedSanction, ModerationCommand, ModerationEvent, Place, Reason,
    Reference, Role, SanctionKind, SanctionLength, Sanctioning, Timestamp, Topic, UserAction,
};
use crate::wire::tcp::{
    Done, Left, Moderate, Removed, RoleChanged, RoomItem, RoomModes, Rooms, SanctionItem,
    Sanctioned, SanctionsList, TopicChanged, action, flag,
};

/// Creates a simulation whose link is live, with a server that grants moderation and the list of
/// rooms. The events so far are discarded.
fn live() -> Simulation {
    let mut server = ModelServer::new();
    server.features = feature::EVENTS | feature::DIRECTORY;
    let mut sim = Simulation::new(settings(), server);
    sim.run_until_idle();
    sim.events.clear();
    sim
}

/// Passes a frame of the server to the link.
fn receive(sim: &mut Simulation, frame: impl Into<ServerFrame>) {
    sim.input(Input::Received(Decoded::Frame(frame.into())));
}

/// Requests a moderation command, and delivers its frame to the server. Returns the frames that the
/// server has received in all.
fn moderate(sim: &mut Simulation, command: ModerationCommand) -> Vec<ClientFrame> {
    sim.request(Command::Chat(ChatCommand::Moderate(command)));
    while sim.deliver_to_server() {}
    sim.server.received_moderation.clone()
}

/// Returns the events about moderation so far, and discards all events.
fn take_moderation(sim: &mut Simulation) -> Vec<ModerationEvent> {
    let events = sim.events.drain(..);
    events
        .filter_map(|it| match it {
            Event::Moderation(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Returns a command that kicks bob out of the first room.
fn kick() -> ModerationCommand {
    ModerationCommand::ActOnUser {
        place: Place::Room(RoomSelector::First),
        username: "bob".to_owned(),
        session: None,
        action: UserAction::Kick,
        reason: None,
    }
}

/// Returns the selector of a named room.
fn named(room: &str) -> RoomSelector {
    RoomSelector::Named(room.to_owned())
}

/// Returns the frame that the user was sent out of a room.
fn sent_out(room: &str) -> Left {
    Left { reference: Reference::NONE, room: room.to_owned() }
}

/// Returns a `removed` of a message.
fn removed(sequence: u64) -> Removed {
    Removed {
        room: "lobby".to_owned(),
        sequence: Sequence(sequence),
        by: "anna".to_owned(),
        reason: String::new(),
    }
}

/// Returns the number of refusals so far.
fn refusals(sim: &Simulation) -> usize {
    sim.count_events(|it| matches!(it, Event::Refused(_)))
}

/// A ban is sent with all its fields, in the only room, and `done` answers it.
#[test]
fn ban_is_sent_and_done_answers_it() {
    let mut sim = live();
    let command = ModerationCommand::ActOnUser {
        place: Place::Room(RoomSelector::First),
        username: "Bob".to_owned(),
        session: Some(SessionId(9)),
        action: UserAction::Ban {
            length: SanctionLength::from_seconds(600).unwrap(),
            by_address: true,
            is_dry_run: true,
        },
        reason: Some(Reason::new("spam").unwrap()),
    };
    let sent = moderate(&mut sim, command.clone());
    let frame = Moderate {
        reference: Reference(1),
        action: action::BAN,
        room: "lobby".to_owned(),
        username: "Bob".to_owned(),
        session: SessionId(9),
        seconds: 600,
        flags: flag::BY_ADDRESS | flag::DRY_RUN,
        reason: "spam".to_owned(),
    };
    assert_eq!(sent, [frame.into()]);
    // Neither another reference nor another kind answers it.
    receive(
        &mut sim,
        Done { about: 15, reference: Reference(2), affected: 1, page: String::new() },
    );
    receive(
        &mut sim,
        Done { about: 13, reference: Reference(1), affected: 1, page: String::new() },
    );
    assert_eq!(take_moderation(&mut sim), []);
    receive(
        &mut sim,
        Done { about: 15, reference: Reference(1), affected: 3, page: String::new() },
    );
    let mut resolved = command;
    *resolved.room_mut().unwrap() = named("lobby");
    let done = ModerationEvent::Done {
        tag: RequestTag::default(),
        command: resolved,
        affected: 3,
        is_durable: false,
    };
    assert_eq!(take_moderation(&mut sim), [done]);
    assert!(sim.link.pending.is_empty());
}

/// A change that was sent and not answered is not sent again after a loss of the connection: it is
/// refused. A list is requested again.
#[test]
fn changes_are_not_repeated_after_connection_loss() {
    let mut sim = live();
    assert_eq!(moderate(&mut sim, kick()).len(), 1);
    assert_eq!(moderate(&mut sim, ModerationCommand::ListRooms).len(), 2);
    sim.break_connection();
    assert_eq!(refusals(&sim), 1);
    // One that the user asks for meanwhile is sent.
    sim.request(Command::Chat(ChatCommand::Moderate(kick())));
    sim.run_until_idle();
    let kinds: Vec<u16> = sim.server.received_moderation.iter().map(ClientFrame::kind).collect();
    assert_eq!(kinds, [15, 17, 17, 15]);
}

/// A server that has not granted the features would never answer: the link refuses the commands.
#[test]
fn servers_without_moderation_are_not_asked() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    assert!(moderate(&mut sim, kick()).is_empty());
    assert!(moderate(&mut sim, ModerationCommand::ListRooms).is_empty());
    assert_eq!(refusals(&sim), 2);
    let mut long = live();
    let topic = ModerationCommand::SetTopic { room: named(&"x".repeat(257)), topic: None };
    assert!(moderate(&mut long, topic).is_empty());
    assert_eq!(refusals(&long), 1);
}

/// Who is sent out of a room is not in it, and the next join does not name it. A `left` for another
/// room changes nothing.
#[test]
fn forced_left_takes_the_room_from_the_next_join() {
    let mut sim = live();
    sim.request(Command::Chat(ChatCommand::Enter { room: "garden".to_owned() }));
    sim.run_until_idle();
    receive(&mut sim, sent_out("cellar"));
    assert_eq!(sim.link.rooms, ["lobby", "garden"]);
    receive(&mut sim, sent_out("garden"));
    let is_forced =
        |it: &Event| matches!(it, Event::Left { room, is_forced: true, .. } if room == "garden");
    assert_eq!(sim.count_events(is_forced), 1);
    sim.break_connection();
    sim.run_until_idle();
    assert_eq!(sim.server.rooms(), ["lobby"]);
    assert_eq!(sim.link.rooms, ["lobby"]);
}

/// Who is sent out during the replay of a join is not in the room afterwards.
#[test]
fn forced_left_during_the_replay_counts() {
    let mut server = ModelServer::new();
    server.features = feature::EVENTS;
    let rooms = vec!["lobby".to_owned(), "garden".to_owned()];
    let mut sim = Simulation::new(Settings { rooms, ..settings() }, server);
    sim.connect();
    while sim.link.phase != Phase::Replaying {
        assert!(sim.deliver_to_server() || sim.deliver_to_client());
    }
    receive(&mut sim, sent_out("garden"));
    sim.run_until_idle();
    assert_eq!(sim.link.rooms, ["lobby"]);
}

/// Who is sent out between `entered` and `end` is not in the room afterwards. Before `entered`, the
/// `left` is about an earlier stay.
#[test]
fn forced_left_before_the_end_of_an_enter_counts() {
    for (is_after_entered, rooms) in [(true, vec!["lobby"]), (false, vec!["lobby", "garden"])] {
        let mut sim = live();
        sim.request(Command::Chat(ChatCommand::Enter { room: "garden".to_owned() }));
        assert!(sim.deliver_to_server());
        if is_after_entered {
            assert!(sim.deliver_to_client());
        }
        receive(&mut sim, sent_out("garden"));
        sim.run_until_idle();
        assert_eq!(sim.link.rooms, rooms);
    }
}

/// A removal is reported once, also of a message that was never shown; never for an entry that came
/// as removed. The position does not count it.
#[test]
fn removals_are_reported_once() {
    let mut sim = live();
    sim.other_says("lobby");
    sim.run_until_idle();
    sim.events.clear();
    let position = sim.link.cursor.position();
    for sequence in [1, 99, 1, 99] {
        receive(&mut sim, removed(sequence));
    }
    let reported: Vec<_> = take_moderation(&mut sim)
        .into_iter()
        .map(|it| match it {
            ModerationEvent::MessageRemoved { message, by, reason: None, .. } => (message.0, by),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reported, [(1, Some("anna".to_owned())), (99, Some("anna".to_owned()))]);
    assert_eq!(sim.link.cursor.position(), position);
    let ServerFrame::Entry(mut entry) = sim.server.other_says("lobby").unwrap() else {
        panic!("no entry");
    };
    (entry.style, entry.text) = (Style::REMOVED.0, "[removed]".to_owned());
    let sequence = entry.sequence.0;
    receive(&mut sim, entry);
    assert_eq!(sim.count_events(|it| matches!(it, Event::Message(_))), 1);
    receive(&mut sim, removed(sequence));
    assert_eq!(take_moderation(&mut sim), []);
}

/// A message that was shown with its text, and whose entry comes again without it, is reported as
/// removed, once.
#[test]
fn entry_of_a_shown_message_reports_its_removal() {
    let mut sim = live();
    let ServerFrame::Entry(mut entry) = sim.server.other_says("lobby").unwrap() else {
        panic!("no entry");
    };
    receive(&mut sim, entry.clone());
    assert_eq!(sim.count_events(|it| matches!(it, Event::Message(_))), 1);
    take_moderation(&mut sim);
    (entry.style, entry.text) = (Style::REMOVED.0, "[removed]".to_owned());
    let message = entry.sequence;
    receive(&mut sim, entry.clone());
    let (room, by, reason) = ("lobby".to_owned(), None, None);
    let expected = ModerationEvent::MessageRemoved { room, message, by, reason };
    assert_eq!(take_moderation(&mut sim), [expected]);
    receive(&mut sim, entry);
    receive(&mut sim, removed(message.0));
    assert_eq!(take_moderation(&mut sim), []);
}

/// Who was banned from a room while away is told when the welcome leaves it out, once, and the next
/// join does not name it.
#[test]
fn room_missing_in_welcome_is_reported_once() {
    let settings = Settings { rooms: vec!["lobby".to_owned(), "Attic".to_owned()], ..settings() };
    let mut sim = Simulation::new(settings, ModelServer::new());
    sim.run_until_idle();
    sim.break_connection();
    sim.server.banned_room = Some("attic");
    sim.events.clear();
    sim.run_until_idle();
    let sent_out = |sim: &Simulation| {
        let is_told =
            |it: &Event| matches!(it, Event::Left { room, is_forced: true, .. } if room == "attic");
        sim.count_events(is_told)
    };
    assert_eq!((sent_out(&sim), sim.server.rooms()), (1, vec!["lobby".to_owned()]));
    sim.server.banned_room = None;
    sim.break_connection();
    sim.run_until_idle();
    assert_eq!((sent_out(&sim), sim.server.rooms()), (1, vec!["lobby".to_owned()]));
}

/// The latest 1,000 removed messages are remembered.
#[test]
fn oldest_removed_message_is_forgotten_first() {
    let mut set = RemovedMessages::default();
    assert!((1..=1_001).all(|it| set.insert(Sequence(it))));
    assert!(!set.insert(Sequence(2)) && !set.insert(Sequence(1_001)));
    assert!(set.insert(Sequence(1)));
}

/// Topic, modes and role are reported. A topic that comes with a room that is being entered is no
/// change.
#[test]
fn room_settings_are_reported() {
    let mut sim = live();
    let topic = |room: &str, text: &str| TopicChanged {
        room: room.to_owned(),
        text: text.to_owned(),
        by: String::new(),
        time: Timestamp(5),
    };
    let event = |room: &str, topic: Option<&str>, is_change| ModerationEvent::Topic {
        room: room.to_owned(),
        topic: topic.map(str::to_owned),
        by: None,
        time: Timestamp(5),
        is_change,
    };
    receive(&mut sim, topic("lobby", "tea"));
    receive(&mut sim, topic("lobby", ""));
    receive(&mut sim, topic("garden", "roses"));
    let expected =
        [("lobby", Some("tea"), true), ("lobby", None, true), ("garden", Some("roses"), false)];
    assert_eq!(take_moderation(&mut sim), expected.map(|(a, b, c)| event(a, b, c)));

    receive(&mut sim, RoomModes { room: "lobby".to_owned(), slow: 10, moderated: true });
    let me = sim.link.own_sessions.last().copied().unwrap();
    for (session, role) in [(me, 1), (SessionId(99), 2), (me, 7)] {
        let username = "x".to_owned();
        receive(&mut sim, RoleChanged { room: String::new(), session, username, role });
    }
    let role = |session, role, own| ModerationEvent::RoleChanged {
        room: None,
        session,
        username: "x".to_owned(),
        role,
        own,
    };
    let modes = ModerationEvent::RoomModes {
        room: "lobby".to_owned(),
        slow: Duration::from_secs(10),
        is_moderated: true,
    };
    let expected = [
        modes,
        role(me, Some(Role::Moderator), true),
        role(SessionId(99), Some(Role::Owner), false),
        role(me, None, true),
    ];
    assert_eq!(take_moderation(&mut sim), expected);
}

/// What was done to the user is reported; an unknown action is not.
#[test]
fn sanctions_of_the_user_are_reported() {
    let mut sim = live();
    for number in 0..=6 {
        receive(
            &mut sim,
            Sanctioned {
                action: number,
                room: "lobby".to_owned(),
                by: "bob".to_owned(),
                reason: "spam".to_owned(),
                until: Timestamp(if number == action::BAN { 7 } else { 0 }),
            },
        );
    }
    let actions: Vec<_> = take_moderation(&mut sim)
        .into_iter()
        .map(|it| match it {
            ModerationEvent::Sanctioned { action, until, .. } => (action, until),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (Sanctioning::Kicked, None),
        (Sanctioning::Banned, Some(Timestamp(7))),
        (Sanctioning::Unbanned, None),
        (Sanctioning::Muted, None),
        (Sanctioning::Unmuted, None),
    ];
    assert_eq!(actions, expected);
}

/// Lists that come in several frames are reported as one. Frames that answer no request are
/// ignored.
#[test]
fn lists_are_collected() {
    let mut sim = live();
    moderate(&mut sim, ModerationCommand::ListSanctions { place: Place::Server });
    moderate(&mut sim, ModerationCommand::ListRooms);
    let item = |kind, name: &str| SanctionItem {
        kind,
        room: String::new(),
        username: name.to_owned(),
        until: Timestamp(0),
        by: String::new(),
        reason: String::new(),
        flags: flag::BY_ADDRESS,
    };
    let list = |reference, last, items| SanctionsList { reference, last, items };
    receive(&mut sim, list(Reference(2), true, vec![item(action::BAN, "no")]));
    let first = vec![item(action::BAN, "a"), item(99, "unknown")];
    receive(&mut sim, list(Reference(1), false, first));
    receive(&mut sim, list(Reference(1), true, vec![item(action::MUTE, "b")]));
    let room = |name: &str| RoomItem { name: name.to_owned(), members: 1, topic: String::new() };
    for (last, name) in [(false, "lobby"), (true, "garden")] {
        receive(&mut sim, Rooms { reference: Reference(2), last, items: vec![room(name)] });
    }
    let listed = |kind, name: &str| ListedSanction {
        kind,
        username: name.to_owned(),
        until: None,
        by: None,
        reason: None,
        by_address: true,
    };
    let items = vec![listed(SanctionKind::Ban, "a"), listed(SanctionKind::Mute, "b")];
    let listed_room = |name: &str| ListedRoom { name: name.to_owned(), members: 1, topic: None };
    let tag = RequestTag::default;
    let expected = [
        ModerationEvent::Sanctions { tag: tag(), room: None, items },
        ModerationEvent::Rooms {
            tag: tag(),
            rooms: vec![listed_room("lobby"), listed_room("garden")],
        },
    ];
    assert_eq!(take_moderation(&mut sim), expected);
    assert!(sim.link.pending.is_empty());
}

/// A room that the user may not enter refuses the request; the link goes on. Being sent out of the
/// server ends the link.
#[test]
fn bans_refuse_an_enter_and_end_a_session() {
    let mut sim = live();
    sim.request(Command::Chat(ChatCommand::Enter { room: "garden".to_owned() }));
    let Some(ClientFrame::Enter(enter)) = sim.to_server.pop_front() else {
        panic!("no enter");
    };
    receive(&mut sim, Error::about(ErrorCode::Banned, 5, enter.reference));
    assert_eq!((refusals(&sim), sim.end.is_none()), (1, true));
    assert_eq!(sim.link.rooms, ["lobby"]);
    receive(&mut sim, Error::new(ErrorCode::Removed));
    assert!(matches!(sim.end, Some(EndReason::Refused { .. })), "{:?}", sim.end);
}

/// A topic is sent to the room that the command names.
#[test]
fn topic_names_its_room() {
    let mut sim = live();
    let topic = Some(Topic::new("tea").unwrap());
    let sent = moderate(&mut sim, ModerationCommand::SetTopic { room: named("Lobby"), topic });
    let [ClientFrame::Topic(frame)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((frame.room.as_str(), frame.text.as_str()), ("lobby", "tea"));
}
