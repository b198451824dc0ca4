//! Topics, modes and roles, as clients see them.

use super::*;

/// Sets slow mode and the topic of the lobby, as the command line does.
fn set_up(harness: &mut Harness) {
    use crate::model::{RoomSetting, SlowMode, Topic};
    let settings = [
        RoomSetting::Topic(Some(Topic::new("tea").unwrap())),
        RoomSetting::SlowMode(SlowMode::from_seconds(10).unwrap()),
    ];
    for setting in settings {
        let room = RoomName::new("Lobby").unwrap();
        harness.owner(ModerationRequest::SetRoom { room, setting }).unwrap();
    }
}

/// Who comes into a room is told its topic and modes and their own role, before the history; only
/// clients with `events`, and only what is not the default.
#[test]
fn state_follows_entered() {
    let (mut harness, moderator, bob) = lobby();
    harness.promote("", "bob", Role::Owner);
    set_up(&mut harness);
    harness.send(moderator, say(1, "x"));
    harness.disconnect(bob);
    harness.disconnect(moderator);
    let expected = ["topic lobby \"tea\" by \"\"", "modes lobby 10 false"];
    let carl = harness.connect_and_greet(EVENTS);
    harness.send(carl, join("carl", &[]));
    let summaries = harness.take_summaries(carl);
    assert_eq!(summaries[2..4], expected);
    assert_eq!(summaries[4], "5:lobby mod: x (1)");
    harness.send(carl, leave(1, "lobby"));
    assert_eq!(harness.ask(carl, enter(2, "lobby"))[1..3], expected);
    assert_eq!(harness.ask(carl, enter(3, "attic")), ["entered attic 0 of 1", "end 5 5 0"]);
    let old = harness.connect_and_greet(0);
    harness.send(old, join("old", &[]));
    assert_eq!(harness.take_summaries(old)[2], "5:lobby mod: x (1)");
}

/// A client that comes back is told its roles: that on the server after the welcome, that in a room
/// after the room.
#[test]
fn roles_are_told_after_welcome_and_entered() {
    let mut harness = Harness::new();
    let anna = harness.connect_and_greet(EVENTS);
    harness.send(anna, join("anna", &[]));
    let token = welcome(&harness.take_received(anna)).token;
    harness.promote("lobby", "anna", Role::Moderator);
    harness.promote("", "anna", Role::Owner);
    assert_eq!(harness.take_summaries(anna), ["role \"lobby\" anna 1", "role \"\" anna 2"]);
    let back = harness.connect_and_greet(EVENTS);
    harness.send(back, crate::wire::tcp::Join { token: Some(token), ..join("Annabel", &[]) });
    let summaries = harness.take_summaries(back);
    assert_eq!(
        summaries[1..4],
        ["role \"\" Annabel 2", "entered lobby 0 of 1", "role \"lobby\" Annabel 1"]
    );
    // Another session under the name has no role.
    harness.disconnect(back);
    let other = harness.connect_and_greet(EVENTS);
    harness.send(other, join("anna", &[]));
    let summaries = harness.take_summaries(other);
    assert!(summaries.iter().all(|it| !it.starts_with("role")), "{summaries:?}");
    assert_eq!(harness.ask(other, topic(1, "lobby", "x")), ["not_permitted 12 1"]);
}

/// Changes are told to the members of the room with `events`. A role on the server is told to its
/// holder only.
#[test]
fn changes_are_told_to_members() {
    let (mut harness, moderator, bob) = lobby();
    let old = harness.join_with(0, "old", &[]);
    let away = harness.join_with(EVENTS, "away", &["attic"]);
    let slow = Moderate { seconds: 10, ..moderate(2, action::SLOW, "lobby", "") };
    harness.send(moderator, topic(1, "lobby", "tea"));
    harness.send(moderator, slow);
    harness.send(moderator, Moderate { seconds: 1, ..moderate(3, action::MODERATED, "lobby", "") });
    harness.send(moderator, topic(4, "lobby", ""));
    harness.promote("lobby", "old", Role::Moderator);
    harness.promote("lobby", "away", Role::Moderator);
    harness.promote("", "bob", Role::Moderator);
    assert_eq!(
        harness.take_summaries(bob),
        [
            "topic lobby \"tea\" by \"mod\"",
            "modes lobby 10 false",
            "modes lobby 10 true",
            "topic lobby \"\" by \"mod\"",
            "role \"lobby\" old 1",
            "role \"lobby\" away 1",
            "role \"\" bob 1",
        ]
    );
    assert_eq!(harness.take_summaries(old), [""; 0]);
    assert_eq!(harness.take_summaries(away), ["role \"lobby\" away 1"]);
    harness.check_fold();
}

/// What changes while a client is joining is told after its replay at the latest: here, after the
/// welcome and before the last page.
#[test]
fn changes_during_join_are_told() {
    let (mut harness, moderator, _) = lobby();
    let carl = harness.connect_and_greet(EVENTS);
    harness.send(carl, join("carl", &[]));
    let token = welcome(&harness.take_received(carl)).token;
    harness.disconnect(carl);
    for reference in 1..=3 {
        harness.send(moderator, say(reference, "x"));
    }
    harness.page_limit = 1;
    let carl = harness.connect_and_greet(EVENTS);
    harness.manual_log = true;
    let position = Some(crate::model::Position { log_id: LOG, sequence: Sequence(1) });
    let join = crate::wire::tcp::Join { token: Some(token), position, ..join("carl", &[]) };
    harness.send(carl, join);
    harness.perform_read();
    harness.deliver_outcome();
    assert_eq!(harness.take_summaries(carl).len(), 3, "welcome, room and a page");
    harness.send(moderator, topic(1, "lobby", "tea"));
    harness.run_log();
    let summaries = harness.take_summaries(carl);
    assert_eq!(summaries.last().unwrap(), "topic lobby \"tea\" by \"mod\"", "{summaries:?}");
}

/// Topics and modes stay when a room is empty, and after a restart.
#[test]
fn settings_outlive_empty_rooms_and_restarts() {
    let (mut harness, moderator, bob) = lobby();
    set_up(&mut harness);
    harness.disconnect(moderator);
    harness.disconnect(bob);
    harness.restart(crate::model::HubSettings::default(), 10);
    let carl = harness.connect_and_greet(EVENTS);
    harness.send(carl, join("carl", &[]));
    assert_eq!(
        harness.take_summaries(carl)[2..4],
        ["topic lobby \"tea\" by \"\"", "modes lobby 10 false"]
    );
    harness.check_fold();
}

/// The message of the day comes after the `end` of a join, but not when a session is resumed.
#[test]
fn message_of_the_day_follows_the_join() {
    let motd = Some(crate::model::AnnouncementText::new("welcome!").unwrap());
    let mut harness = Harness::with(crate::model::HubSettings { motd, ..Default::default() });
    let anna = harness.connect_and_greet(0);
    harness.send(anna, join("anna", &[]));
    let received = harness.take_received(anna);
    let token = welcome(&received).token;
    let summaries: Vec<String> = received.iter().map(summarize).collect();
    assert_eq!(summaries[2..], ["end 2 0 0", "notice 8"]);
    let back = harness.resume("anna", &[], token, Some(0));
    let summaries = harness.take_summaries(back);
    assert!(!summaries.contains(&"notice 8".to_owned()), "{summaries:?}");
}
