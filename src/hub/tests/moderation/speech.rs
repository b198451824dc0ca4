//! Who may speak: mutes, moderated rooms, slow mode.

use super::*;

/// A muted user is told, may not speak in the room, and may do so when the mute is lifted. Messages
/// to others are free.
#[test]
fn muted_user_may_not_speak() {
    let (mut harness, moderator, bob) = lobby();
    let mute = Moderate {
        seconds: 90,
        reason: "noise".to_owned(),
        ..moderate(1, action::MUTE, "lobby", "bob")
    };
    assert_eq!(harness.ask(moderator, mute), ["done 15 1"]);
    let received = harness.take_received(bob);
    let [ClientEvent::Frame(ServerFrame::Sanctioned(told))] = received.as_slice() else {
        panic!("{received:?}")
    };
    let start = harness.facts.last().unwrap().time.0;
    assert_eq!((told.action, told.until.0), (action::MUTE, start + 90_000));
    harness.advance(1_000);
    harness.send(bob, say(1, "x"));
    let error = harness.take_error(bob);
    assert_eq!((error.code, error.about, error.reference), (312, 3, Reference(1)));
    assert_eq!(error.text, "You are muted in room lobby for another 89 s: noise");
    assert_eq!(harness.ask(bob, say_in("attic", 2, "x")), ["not_in_room 3 2"]);
    assert_eq!(harness.ask(bob, direct("mod", 0, 3, "x")), ["3:bob>mod: x (0)"]);
    assert_eq!(
        harness.ask(moderator, moderate(2, action::UNMUTE, "lobby", "bob")).last().unwrap(),
        "done 15 1"
    );
    assert_eq!(harness.take_summaries(bob), ["sanctioned 5 \"lobby\" by \"mod\" \"\""]);
    // What was refused may be sent again.
    assert_eq!(harness.ask(bob, say(1, "x")), ["5:lobby bob: x (0)"]);
}

/// A mute on the server holds for direct messages, except those to somebody with a role, and for
/// everybody with the name.
#[test]
fn server_mute_holds_for_direct_messages() {
    let (mut harness, _, bob) = lobby();
    harness.join_with(0, "carl", &[]);
    let mute = ModerationRequest::Mute {
        scope: Scope::Server,
        user: user("bob"),
        length: crate::model::SanctionLength::FOREVER,
        reason: None,
    };
    assert_eq!(harness.owner(mute), Ok(1));
    harness.send(bob, direct("carl", 0, 1, "x"));
    harness.take_received(bob);
    harness.send(bob, direct("carl", 0, 1, "x"));
    let error = harness.take_error(bob);
    assert_eq!(
        (error.code, error.about, error.text.as_str()),
        (312, 4, "You are muted on this server.")
    );
    assert_eq!(harness.ask(bob, direct("mod", 0, 2, "sorry")), ["3:bob>mod: sorry (0)"]);
    harness.disconnect(bob);
    let again = harness.join_with(EVENTS, "Bob", &[]);
    assert_eq!(harness.ask(again, say(1, "x")), ["muted 3 1"]);
}

/// In a moderated room only those with a role speak.
#[test]
fn only_roles_speak_in_a_moderated_room() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(moderator, Moderate { seconds: 1, ..moderate(1, action::MODERATED, "lobby", "") });
    assert_eq!(harness.ask(moderator, say(1, "x")), ["3:lobby mod: x (0)"]);
    harness.take_received(bob);
    harness.send(bob, say(1, "y"));
    let error = harness.take_error(bob);
    assert_eq!((error.code, error.text.as_str()), (312, "Only moderators may speak here now."));
    harness.send(moderator, moderate(2, action::MODERATED, "lobby", ""));
    assert_eq!(harness.ask(bob, say(1, "y")), ["5:lobby bob: y (0)"]);
}

/// A message that is on its way when its author is muted is refused by the log.
#[test]
fn message_in_flight_is_refused_by_the_log() {
    let (mut harness, moderator, bob) = lobby();
    harness.manual_log = true;
    harness.send(moderator, moderate(1, action::MUTE, "lobby", "bob"));
    harness.send(bob, say(1, "x"));
    harness.send(moderator, moderate(2, action::BAN, "lobby", "bob"));
    harness.run_log();
    let summaries = harness.take_summaries(bob);
    assert_eq!(summaries[0], "sanctioned 4 \"lobby\" by \"mod\" \"\"");
    assert!(summaries.contains(&"muted 3 1".to_owned()), "{summaries:?}");
    assert!(harness.log.is_empty());
}

/// In slow mode a session waits between two messages to the room, but not those with a role, and
/// not for other rooms. The time is monotonic.
#[test]
fn slow_mode_makes_sessions_wait() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(moderator, Moderate { seconds: 10, ..moderate(1, action::SLOW, "lobby", "") });
    harness.ask(bob, enter(1, "attic"));
    assert_eq!(harness.ask(bob, say(1, "a")), ["3:lobby bob: a (0)"]);
    assert_eq!(harness.ask(bob, say_in("attic", 2, "b")), ["4:attic bob: b (0)"]);
    harness.advance(4_000);
    harness.start_time_ms += 1_000_000;
    harness.take_received(bob);
    harness.send(bob, say(3, "c"));
    let error = harness.take_error(bob);
    assert_eq!((error.code, error.about, error.retry_after), (315, 3, 6_000));
    assert!(error.text.ends_with("in 6 s."), "{}", error.text);
    harness.advance(6_000);
    assert_eq!(harness.ask(bob, say(3, "c")), ["5:lobby bob: c (0)"]);
    for reference in 1..=3 {
        let answer = harness.ask(moderator, say(reference, "m"));
        assert!(answer.last().unwrap().ends_with("mod: m (0)"), "{answer:?}");
    }
    harness.send(moderator, moderate(2, action::SLOW, "lobby", ""));
    assert_eq!(harness.ask(bob, say(4, "d")), ["10:lobby bob: d (0)"]);
}

/// A message that the log has refused does not count for slow mode.
#[test]
fn refused_message_does_not_count_for_slow_mode() {
    let (mut harness, moderator, bob) = lobby();
    harness.send(moderator, Moderate { seconds: 60, ..moderate(1, action::SLOW, "lobby", "") });
    harness.take_received(bob);
    harness.manual_log = true;
    harness.send(bob, say(1, "a"));
    assert!(harness.reject_draft());
    assert_eq!(harness.take_error(bob).code, 308);
    harness.manual_log = false;
    let summaries = harness.ask(bob, say(1, "a"));
    assert!(summaries.iter().any(|it| it.contains("bob: a")), "{summaries:?}");
}
