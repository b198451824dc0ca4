//! `sanctions` and `directory`.

use super::*;

/// Builds a `sanctions` request.
fn sanctions(reference: u64, room: &str) -> SanctionsRequest {
    SanctionsRequest { reference: Reference(reference), room: room.to_owned() }
}

/// Those who moderate see the sanctions of their scope, with everything about them.
#[test]
fn moderators_see_sanctions_of_their_scope() {
    let (mut harness, moderator, _) = lobby();
    assert_eq!(harness.ask(moderator, sanctions(1, "lobby")), ["sanctions [] last true"]);
    harness.ban("", "eve", 0);
    harness.ban("lobby", "carl", 60);
    harness.send(
        moderator,
        Moderate { reason: "noise".to_owned(), ..moderate(2, action::MUTE, "lobby", "Bob") },
    );
    harness.take_received(moderator);
    harness.send(moderator, sanctions(3, "Lobby"));
    let received = harness.take_received(moderator);
    let [ClientEvent::Frame(ServerFrame::SanctionsList(list))] = received.as_slice() else {
        panic!("{received:?}")
    };
    let items: Vec<_> = list
        .items
        .iter()
        .map(|it| {
            (it.kind, it.room.as_str(), it.username.as_str(), it.by.as_str(), it.reason.as_str())
        })
        .collect();
    assert_eq!(items, [(2, "lobby", "carl", "", "spam"), (4, "lobby", "bob", "mod", "noise")]);
    assert!(list.items[0].until.0 > 0 && list.items[1].until.0 == 0 && list.last);
    assert_eq!(harness.ask(moderator, sanctions(4, "")), ["not_permitted 16 4"]);
    assert_eq!(harness.ask(moderator, sanctions(5, "#")), ["room_invalid 16 5"]);
    harness.promote("", "mod", Role::Moderator);
    assert_eq!(
        harness.ask(moderator, sanctions(6, "")),
        ["sanctions [\"2:\\\"eve\\\"\"] last true"]
    );
}

/// A long list comes in frames of 30 items, and no more than the client takes.
#[test]
fn long_lists_come_in_pages() {
    let (mut harness, moderator, _) = lobby();
    for number in 0..250 {
        harness.ban("lobby", &format!("spammer{number}"), 0);
    }
    harness.take_received(moderator);
    harness.manual_log = true;
    harness.send(moderator, sanctions(1, "lobby"));
    harness.send(moderator, announce(2, "lobby", "x"));
    let mut frames = Vec::new();
    loop {
        let received = harness.take_received(moderator);
        assert!(received.len() <= 4, "no more than a page");
        frames.extend(received);
        if !harness.reach_mark() {
            break;
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for (number, frame) in frames.iter().enumerate() {
        let ClientEvent::Frame(ServerFrame::SanctionsList(list)) = frame else {
            panic!("{frame:?}")
        };
        assert!(list.items.len() <= 30);
        assert_eq!(list.last, number + 1 == frames.len());
        names.extend(list.items.iter().map(|it| it.username.clone()));
    }
    assert_eq!((frames.len(), names.len()), (9, 250));
    harness.run_log();
    assert_eq!(harness.take_summaries(moderator), ["notice 3", "done 18 2"]);
}

/// A page begins behind the last item of the one before: what is lifted or added while the client
/// reads the list neither hides another item nor repeats one.
#[test]
fn list_that_changes_between_pages_has_each_item_once() {
    let (mut harness, moderator, _) = lobby();
    let name = |number: usize| format!("spammer{number:03}");
    for number in 100..400 {
        harness.ban("lobby", &name(number), 0);
    }
    harness.take_received(moderator);
    harness.manual_log = true;
    harness.send(moderator, sanctions(1, "lobby"));
    let mut told = Vec::new();
    let mut page = 0;
    loop {
        for frame in harness.take_received(moderator) {
            if let ClientEvent::Frame(ServerFrame::SanctionsList(list)) = frame {
                told.extend(list.items.into_iter().map(|it| it.username));
            }
        }
        // After the first page, lifts a ban that was told; later adds one that belongs before it.
        let scope = scope("lobby");
        let request = if page == 0 {
            let username = Username::new(&name(100)).unwrap();
            let kind = crate::model::SanctionKind::Ban;
            ModerationRequest::EndSanction { kind, scope, username }
        } else {
            ModerationRequest::Ban {
                scope,
                user: user(&name(0)),
                length: crate::model::SanctionLength::FOREVER,
                by_address: false,
                is_dry_run: false,
                reason: None,
            }
        };
        harness.input(Input::Moderate { id: OwnerRequestId(7), request });
        assert!(harness.commit(1));
        page += 1;
        if !harness.reach_mark() {
            break;
        }
    }
    assert!(page > 2, "the list has pages");
    assert_eq!(told, (100..400).map(name).collect::<Vec<_>>());
}

/// Everybody may see the rooms that exist: those in which somebody is, those that have a topic, and
/// those in which something was said, also after a restart; not those that nobody has used.
#[test]
fn directory_lists_every_room_that_exists() {
    let (mut harness, _, bob) = lobby();
    for room in ["cellar", "Lobby"] {
        let setting =
            crate::model::RoomSetting::Topic(Some(crate::model::Topic::new("tea").unwrap()));
        let room = RoomName::new(room).unwrap();
        harness.owner(ModerationRequest::SetRoom { room, setting }).unwrap();
    }
    let carl = harness.join_with(0, "carl", &["attic", "Den", "empty"]);
    harness.send(carl, say_in("den", 1, "hello"));
    harness.send(carl, leave(2, "den"));
    harness.send(carl, leave(3, "empty"));
    harness.send(carl, enter(4, "bower"));
    harness.manual_log = true;
    harness.send(carl, say_in("bower", 5, "hello"));
    harness.send(carl, leave(6, "bower"));
    harness.run_log();
    harness.manual_log = false;
    let directory = |reference| Directory { reference: Reference(reference) };
    let expected = |attic: u8, lobby: u8| {
        [
            format!("attic {attic} \"\""),
            "bower 0 \"\"".to_owned(),
            "cellar 0 \"tea\"".to_owned(),
            "Den 0 \"\"".to_owned(),
            format!("lobby {lobby} \"tea\""),
        ]
    };
    assert_eq!(harness.ask(bob, directory(1)), [format!("rooms {:?} last true", expected(1, 2))]);
    assert_eq!(harness.hub.room_list().len(), 5);
    assert_eq!(harness.ask(bob, directory(0)), ["reference_invalid 17 0"]);
    harness.restart(crate::model::HubSettings::default(), 0);
    let dora = harness.join_with(0, "dora", &[]);
    let [_, rest @ ..] = expected(0, 1);
    assert_eq!(harness.ask(dora, directory(1)), [format!("rooms {rest:?} last true")]);
}

/// A long list of rooms has each room once, in the order of their names, wherever they come from.
#[test]
fn long_directory_has_each_room_once() {
    let (mut harness, _, bob) = lobby();
    let name = |number: usize| format!("room{number:03}");
    let carl = harness.join_with(0, "carl", &[]);
    for number in (0..300).rev() {
        let room = RoomName::new(&name(number)).unwrap();
        let reference = 2 * (300 - number as u64);
        if number % 3 != 1 {
            harness.send(carl, enter(reference, room.as_str()));
            harness.send(carl, say_in(room.as_str(), reference, "hello"));
            harness.send(carl, leave(reference + 1, room.as_str()));
        }
        if number % 3 != 2 {
            let topic = crate::model::Topic::new("tea").unwrap();
            let setting = crate::model::RoomSetting::Topic(Some(topic));
            harness.owner(ModerationRequest::SetRoom { room, setting }).unwrap();
        }
    }
    harness.take_received(bob);
    harness.send(bob, Directory { reference: Reference(1) });
    let mut told = Vec::new();
    for frame in harness.take_received(bob) {
        if let ClientEvent::Frame(ServerFrame::Rooms(rooms)) = frame {
            told.extend(rooms.items.into_iter().map(|it| it.name));
        }
    }
    let expected = ["lobby".to_owned()].into_iter().chain((0..300).map(name));
    assert!(told.iter().cloned().eq(expected), "{} rooms: {told:?}", told.len());
}

/// A server without rooms answers with an empty list.
#[test]
fn directory_may_be_empty() {
    let mut harness = Harness::new();
    let anna = harness.join_with(0, "anna", &[]);
    harness.send(anna, leave(1, "lobby"));
    let directory = Directory { reference: Reference(1) };
    assert_eq!(harness.ask(anna, directory), ["rooms [] last true"]);
}
