//! Rooms and people: which one is shown, what is unread, who is there.

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::desk::Desk;
use crate::model::{ChatCommand, Command, Event, RequestTag, RoomSelector};
use crate::ui::full_screen::app::{App, Input};

/// Returns the labels of all conversations, with unread messages and mentions.
fn labels(desk: &Desk) -> Vec<(String, usize, usize)> {
    let all = desk.app.conversations.iter();
    all.map(|it| (App::label(&it.place), it.unread, it.mentions)).collect()
}

/// Returns the label of the conversation that is shown.
fn shown(desk: &Desk) -> String {
    App::label(&desk.app.conversations.current().place)
}

/// A room that the user asks for is shown when it is entered; typed lines go there.
#[test]
fn entered_room_is_shown_and_gets_what_is_typed() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/join garden");
    assert_eq!(shown(&desk), "#lobby");
    desk.enter("garden", 1);
    assert_eq!(shown(&desk), "#garden");
    desk.take_requests();
    desk.press(KeyCode::Char('1'), KeyModifiers::ALT);
    desk.enter_line("hi lobby");
    desk.press(KeyCode::Char('2'), KeyModifiers::ALT);
    desk.enter_line("hi garden");
    let rooms: Vec<_> = desk
        .take_requests()
        .into_iter()
        .map(|it| match it.command {
            Command::Chat(ChatCommand::Say { room: RoomSelector::Named(room), text, .. }) => {
                (room, text)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let pair = |room: &str, text: &str| (room.to_owned(), text.to_owned());
    assert_eq!(rooms, [pair("lobby", "hi lobby"), pair("garden", "hi garden")]);
}

/// What comes where the user does not look is counted; looking there ends that, and a mark shows
/// where the new messages begin.
#[test]
fn unread_messages_are_counted_and_marked() {
    let mut desk = Desk::in_lobby(80, 14);
    desk.enter_line("/join garden");
    desk.hear("bob", "seen");
    desk.enter("garden", 2);
    desk.hear("bob", "one");
    desk.hear("bob", "two, anna");
    assert_eq!(labels(&desk), [("#lobby".to_owned(), 2, 1), ("#garden".to_owned(), 0, 0)]);
    assert!(desk.screen().contains("2 unread elsewhere (Alt-A)"), "{}", desk.screen());
    desk.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert_eq!(shown(&desk), "#lobby");
    assert_eq!(labels(&desk)[0].1, 0);
    let screen = desk.screen();
    let at = |text: &str| screen.find(text).unwrap();
    assert!(at("seen") < at("─ new ─") && at("─ new ─") < at("bob: one"), "{screen}");
    // Whoever answers has read it.
    desk.enter_line("hi");
    assert!(!desk.screen().contains("─ new ─"));
}

/// Each room keeps what the user was typing there.
#[test]
fn rooms_keep_their_drafts() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/join garden");
    desk.enter("garden", 1);
    desk.write("for the garden");
    desk.press(KeyCode::Left, KeyModifiers::ALT);
    assert_eq!(desk.app.composer.text(), "");
    desk.write("for the lobby");
    desk.press(KeyCode::Right, KeyModifiers::ALT);
    assert_eq!(desk.app.composer.text(), "for the garden");
    desk.press(KeyCode::F(5), KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "for the lobby");
}

/// A click on a room shows it.
#[test]
fn click_shows_a_room() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/join garden");
    desk.enter("garden", 1);
    let row = desk.screen().lines().position(|it| it.starts_with("1 #lobby")).unwrap();
    desk.input(Input::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 4,
        row: u16::try_from(row).unwrap(),
        modifiers: KeyModifiers::NONE,
    }));
    assert_eq!(shown(&desk), "#lobby");
}

/// A room that the user has left is closed. Rooms that are gone after a reconnect are, too.
#[test]
fn left_rooms_are_closed() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/join garden");
    desk.enter("garden", 1);
    desk.enter_line("/close");
    let requests = desk.take_requests();
    assert!(
        requests.iter().any(|it| matches!(it.command, Command::Chat(ChatCommand::Leave { .. }))),
        "{requests:?}"
    );
    let (tag, room) = (RequestTag::default(), "garden".to_owned());
    desk.event(Event::Left { tag, room, is_forced: false });
    assert_eq!(labels(&desk).len(), 1);
    assert!(desk.screen().contains("you have left #garden"));
    desk.enter("cellar", 1);
    assert_eq!(labels(&desk).len(), 2);
    desk.join(&["lobby"]);
    assert_eq!(labels(&desk).len(), 1);
}

/// People who come and leave between two messages are one line.
#[test]
fn joins_and_leaves_are_folded() {
    let mut desk = Desk::in_lobby(80, 12);
    let presence = |joined: &[&str], left: &[&str]| Event::Presence {
        room: "lobby".to_owned(),
        members: 4,
        joined: Some(joined.iter().copied().map(str::to_owned).collect()),
        left: Some(left.iter().copied().map(str::to_owned).collect()),
    };
    desk.event(presence(&["carl"], &[]));
    desk.event(presence(&["dora", "anna"], &["bob"]));
    desk.event(presence(&[], &["carl"]));
    let screen = desk.screen();
    assert!(screen.contains("dora joined; bob left; carl came and went"), "{screen}");
    assert!(screen.contains("4 people"), "{screen}");
    desk.hear("dora", "hi");
    desk.event(presence(&["carl"], &[]));
    assert!(desk.screen().contains("carl joined"));
}

/// `/query` shows the messages with one person, `/close` ends that.
#[test]
fn query_shows_a_person_and_close_ends_that() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/query @bob");
    assert_eq!(shown(&desk), "@bob");
    assert!(desk.screen().contains("@bob> ▏"), "{}", desk.screen());
    desk.enter_line("/close");
    assert_eq!(shown(&desk), "#lobby");
    desk.enter_line("/close now");
    assert_eq!(labels(&desk).len(), 1);
}
