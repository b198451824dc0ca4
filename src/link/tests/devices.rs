//! Tests of several devices under one name, and of names that get another holder.

use super::*;
use crate::model::{ErrorCode, Message, Reference, SessionId, Timestamp};
use crate::wire::tcp::{Direct, DirectEntry, Entry};

/// Returns a simulation whose link is live as anna, in session 2.
fn live() -> Simulation {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    assert_eq!(sim.link.own_sessions, [SessionId(2)]);
    sim.events.clear();
    sim
}

/// Author or recipient in a frame: name, session and person.
type User = (&'static str, u64, u64);

/// Another device of the user, if session 2 is one of person 2.
const OTHER_DEVICE: User = ("Anna", 5, 2);

/// Somebody who has claimed the name.
const BOB: User = ("bob", 7, 6);

/// Somebody else who has claimed the same name later.
const OTHER_BOB: User = ("bob", 9, 9);

/// Delivers a message in the lobby, and returns the event; `None` if it is a duplicate.
fn hear(sim: &mut Simulation, sequence: u64, (name, session, person): User) -> Option<Message> {
    let entry = Entry {
        flags: 0,
        sequence: Sequence(sequence),
        previous: Sequence(0),
        room: "lobby".to_owned(),
        session: SessionId(session),
        username: name.to_owned(),
        time: Timestamp(0),
        reference: Reference(sequence),
        style: 0,
        text: "hi".to_owned(),
        person: SessionId(person),
    };
    sim.input(Input::Received(Decoded::Frame(entry.into())));
    match sim.events.last() {
        Some(Event::Message(it)) => Some(it.clone()),
        _ => None,
    }
}

/// Delivers a direct message, and returns true if it counts as the user's own. `to`: name and number
/// of the recipient.
fn receive(sim: &mut Simulation, sequence: u64, from: User, to: (&str, u64)) -> bool {
    let entry = DirectEntry {
        flags: 0,
        sequence: Sequence(sequence),
        from_session: SessionId(from.1),
        from: from.0.to_owned(),
        to_session: SessionId(to.1),
        to: to.0.to_owned(),
        time: Timestamp(0),
        reference: Reference(sequence),
        style: 0,
        text: "psst".to_owned(),
        from_person: SessionId(from.2),
    };
    sim.input(Input::Received(Decoded::Frame(entry.into())));
    let Some(Event::Direct(it)) = sim.events.last() else { panic!("{:?}", sim.events) };
    it.own
}

/// Sends a direct message to bob, and returns the frame.
fn write_to_bob(sim: &mut Simulation) -> Direct {
    sim.request(Command::Chat(ChatCommand::Direct {
        to: "BOB".to_owned(),
        session: None,
        style: Style::SAID,
        text: "hi".to_owned(),
    }));
    match sim.to_server.pop_back() {
        Some(ClientFrame::Direct(it)) => it,
        other => panic!("{other:?}"),
    }
}

/// Returns the number of reports that a name has another holder.
fn reports(sim: &Simulation) -> usize {
    sim.count_events(|it| matches!(it, Event::HolderChanged { name } if name == "bob"))
}

/// What another device of the user sends is the user's own, in a room and to one person. What others
/// send is not: neither under another name nor by who has no claim.
#[test]
fn messages_of_other_devices_are_own() {
    let mut sim = live();
    let heard = hear(&mut sim, 1, OTHER_DEVICE).unwrap();
    assert!(heard.own && heard.person == Some(SessionId(2)), "{heard:?}");
    assert!(receive(&mut sim, 2, OTHER_DEVICE, ("bob", 6)));
    assert!(receive(&mut sim, 3, OTHER_DEVICE, ("anna", 2)), "to oneself");
    assert!(!hear(&mut sim, 4, BOB).unwrap().own);
    assert!(!hear(&mut sim, 5, ("anna", 8, 0)).unwrap().own);
    assert!(!receive(&mut sim, 6, BOB, ("anna", 2)));
    assert!(!receive(&mut sim, 7, ("anna", 8, 0), ("anna", 2)));
    assert_eq!(reports(&sim), 0);
}

/// Once the user's number is known, messages of a person who had the name before are not the user's;
/// nor is what such a person wrote to the user under another name.
#[test]
fn former_person_of_the_name_is_somebody_else() {
    let mut sim = live();
    assert!(!receive(&mut sim, 1, ("anna", 3, 3), ("carol", 2)));
    assert!(hear(&mut sim, 2, ("anna", 2, 2)).unwrap().own);
    assert!(!hear(&mut sim, 3, ("anna", 3, 3)).unwrap().own);
    assert!(hear(&mut sim, 4, OTHER_DEVICE).unwrap().own);
    // Under another name it is not known again.
    sim.link.own_person = None;
    assert!(!hear(&mut sim, 5, BOB).unwrap().own);
}

/// A reply to a person goes to all of their devices. A new holder of the name is reported once, in a
/// room or by a direct message, and the first reply is meant for the old one: the server refuses it.
/// After that the name is the new holder's.
#[test]
fn new_holder_is_reported_once_and_gets_no_reply_by_accident() {
    for is_in_room in [false, true] {
        let mut sim = live();
        receive(&mut sim, 1, BOB, ("anna", 2));
        receive(&mut sim, 2, ("bob", 8, 6), ("anna", 2));
        assert_eq!((reports(&sim), write_to_bob(&mut sim).session), (0, SessionId(6)));
        if is_in_room {
            hear(&mut sim, 3, OTHER_BOB);
            assert!(matches!(sim.events[sim.events.len() - 2], Event::HolderChanged { .. }));
        }
        receive(&mut sim, 4, OTHER_BOB, ("anna", 2));
        receive(&mut sim, 5, OTHER_BOB, ("anna", 2));
        hear(&mut sim, 6, OTHER_BOB);
        assert_eq!(reports(&sim), 1);
        let reply = write_to_bob(&mut sim);
        assert_eq!(reply.session, SessionId(6));
        let error = Error::about(ErrorCode::RecipientChanged, 4, reply.reference);
        sim.input(Input::Received(Decoded::Frame(error.into())));
        assert_eq!(write_to_bob(&mut sim).session, SessionId(0));
        receive(&mut sim, 7, OTHER_BOB, ("anna", 2));
        assert_eq!((reports(&sim), write_to_bob(&mut sim).session), (1, SessionId(9)));
    }
}

/// Somebody without a claim who comes in another session, or who has claimed the name since, may be
/// the same one. Somebody without the claim that the name had is not known to be.
#[test]
fn only_who_was_a_person_is_missed() {
    let mut sim = live();
    for (sequence, from) in [(1, ("bob", 4, 0)), (2, ("bob", 5, 0)), (3, BOB)] {
        receive(&mut sim, sequence, from, ("anna", 2));
    }
    assert_eq!((reports(&sim), write_to_bob(&mut sim).session), (0, SessionId(6)));
    // The session that had claimed the name may go on without the claim.
    receive(&mut sim, 4, ("bob", 6, 0), ("anna", 2));
    assert_eq!(reports(&sim), 0);
    receive(&mut sim, 5, BOB, ("anna", 2));
    receive(&mut sim, 6, ("bob", 8, 0), ("anna", 2));
    assert_eq!(reports(&sim), 1);
}

/// Who has only written to a person is told of a new holder as well, if the recipient was found to be
/// a person. Otherwise nothing is certain, and the next message goes to whoever has the name.
#[test]
fn recipient_is_remembered_if_it_is_a_person() {
    let mut sim = live();
    receive(&mut sim, 1, OTHER_DEVICE, ("bob", 6));
    assert_eq!(write_to_bob(&mut sim).session, SessionId(0));
    hear(&mut sim, 2, BOB);
    assert_eq!(write_to_bob(&mut sim).session, SessionId(6));
    hear(&mut sim, 3, OTHER_BOB);
    assert_eq!(reports(&sim), 1);
    let mut sim = live();
    receive(&mut sim, 1, OTHER_DEVICE, ("bob", 6));
    hear(&mut sim, 2, OTHER_BOB);
    assert_eq!((reports(&sim), write_to_bob(&mut sim).session), (0, SessionId(0)));
}

/// Old messages of former holders are no news.
#[test]
fn old_messages_report_no_holder() {
    let mut sim = live();
    receive(&mut sim, 1, BOB, ("anna", 2));
    sim.server.other_says("lobby");
    sim.run_until_idle();
    let old = |flags| Entry {
        flags,
        sequence: Sequence(2),
        previous: Sequence(0),
        room: "lobby".to_owned(),
        session: SessionId(9),
        username: "bob".to_owned(),
        time: Timestamp(0),
        reference: Reference(1),
        style: 0,
        text: "hi".to_owned(),
        person: SessionId(9),
    };
    for flags in [1, 3] {
        sim.input(Input::Received(Decoded::Frame(old(flags).into())));
    }
    assert_eq!(reports(&sim), 0);
}

/// A link whose user has chosen no name joins under the one that the invitation is for, once. If the
/// user has chosen one, it ends with the reason.
#[test]
fn invited_name_is_taken_if_none_was_chosen() {
    let invite = Some("0000000000000007".parse().unwrap());
    for takes_invited_name in [true, false] {
        let mut server = ModelServer::new();
        server.invited_name = Some("zoe");
        let settings = Settings { takes_invited_name, invite, ..settings() };
        let mut sim = Simulation::new(settings, server);
        sim.run_until_idle();
        assert_eq!(sim.end.is_none(), takes_invited_name);
        if takes_invited_name {
            assert_eq!((sim.link.username(), sim.link.phase), ("zoe", Phase::Live));
            assert_eq!(sim.server.credentials.len(), 2);
            sim.break_connection();
            sim.server.invited_name = Some("eve");
            sim.run_until_idle();
            assert_eq!(sim.link.username(), "zoe");
        }
    }
}
