//! Rooms and people: which one is shown, what is unread, who is there.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::desk::Desk;
use crate::model::{
    ChatCommand, Command, ConnectionState, Dialect, Event, Message, Request, RequestTag,
    RoomSelector, Sequence,
};
use crate::ui::full_screen::app::{Attention, Input, Output, Place};
use crate::ui::full_screen::text::ColorScheme;

/// A click on a person shows the direct messages with them; on oneself it does nothing.
#[test]
fn click_on_a_person_shows_direct_messages() {
    let mut desk = Desk::in_lobby(120, 24);
    let mut click = |name: &str| {
        let screen = desk.screen();
        let rows: Vec<_> = screen.lines().collect();
        let row = rows.iter().position(|it| it.ends_with(name)).unwrap();
        desk.input(Input::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column: 110,
            row: u16::try_from(row).unwrap(),
            modifiers: KeyModifiers::NONE,
        }));
        desk.app.conversations.current().place.label()
    };
    assert_eq!(click("anna"), "#lobby");
    assert_eq!(click("3 people"), "#lobby");
    assert_eq!(click("Ünal"), "@Ünal");
}

/// A command that nearly is one about the window is told as that; commands known from elsewhere are
/// known here, too.
#[test]
fn commands_from_elsewhere_are_known() {
    let mut desk = Desk::in_lobby(80, 24);
    desk.enter_line("/qeury bob");
    assert!(desk.screen().contains("Did you mean /query?"), "{}", desk.screen());
    desk.enter_line("/nick carl");
    assert!(desk.screen().contains("Your name cannot change"), "{}", desk.screen());
    desk.take_requests();
    desk.enter_line("/part");
    let requests = desk.take_requests();
    let is_leave = matches!(
        requests.as_slice(),
        [Request { command: Command::Chat(ChatCommand::Leave { .. }), .. }]
    );
    assert!(is_leave, "{requests:?}");
    let mut desk = Desk::with_dialect(80, 24, Dialect::Peers);
    desk.enter_line("/query bob");
    assert!(desk.screen().contains("no direct messages without a server"), "{}", desk.screen());
}

/// Returns the labels of all conversations, with unread messages and mentions.
fn labels(desk: &Desk) -> Vec<(String, usize, usize)> {
    let all = desk.app.conversations.iter();
    all.map(|it| (it.place.label(), it.unread, it.mentions)).collect()
}

/// Returns the label of the conversation that is shown.
fn shown(desk: &Desk) -> String {
    desk.app.conversations.current().place.label()
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

/// Takes the marks of how far the user has read.
fn take_marks(desk: &mut Desk) -> Vec<(Option<String>, u64)> {
    let marks = desk.take_all_requests().into_iter().filter_map(|it| match it.command {
        Command::MarkRead { room, sequence } => Some((room, sequence.unwrap().0)),
        _ => None,
    });
    marks.collect()
}

/// What is on the screen is told to the user's other devices, at most every two seconds.
#[test]
fn what_is_read_is_told_to_other_devices() {
    let mut desk = Desk::in_lobby(80, 12);
    let lobby = || Some("lobby".to_owned());
    desk.hear("bob", "one");
    assert_eq!(take_marks(&mut desk), [(lobby(), 1)]);
    desk.hear("bob", "two");
    desk.hear("bob", "three");
    assert_eq!(take_marks(&mut desk), []);
    desk.now += Duration::from_secs(2);
    desk.input(Input::Tick);
    assert_eq!(take_marks(&mut desk), [(lobby(), 3)]);
    // Not what the user does not see.
    desk.now += Duration::from_secs(10);
    desk.input(Input::Focus(false));
    desk.hear("bob", "four");
    desk.hear_direct("bob", "psst");
    assert_eq!(take_marks(&mut desk), []);
    desk.input(Input::Focus(true));
    assert_eq!(take_marks(&mut desk), [(lobby(), 4)]);
    desk.now += Duration::from_secs(10);
    desk.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert_eq!(take_marks(&mut desk), [(None, 5)]);
}

/// What was read on another device is not unread here.
#[test]
fn what_was_read_elsewhere_is_read() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/join garden");
    desk.enter("garden", 1);
    for text in ["one, anna", "two", "three"] {
        desk.hear("bob", text);
    }
    desk.hear_direct("bob", "psst");
    assert_eq!(labels(&desk)[0], ("#lobby".to_owned(), 3, 1));
    let read = |room: Option<&str>, sequence| Event::ReadMark {
        room: room.map(str::to_owned),
        sequence: Sequence(sequence),
    };
    desk.event(read(Some("lobby"), 1));
    assert_eq!(labels(&desk)[0], ("#lobby".to_owned(), 2, 0));
    desk.event(read(Some("lobby"), 3));
    assert_eq!(labels(&desk)[0], ("#lobby".to_owned(), 0, 0));
    desk.event(read(None, 4));
    assert_eq!(labels(&desk)[2], ("@bob".to_owned(), 0, 0));
}

/// Of what the user gets when they come in, that is new which no device of theirs has shown; without
/// a claimed name nothing is.
#[test]
fn history_begins_to_be_new_where_nobody_has_read() {
    for (mark, rule) in [(None, false), (Some(2), true), (Some(3), false)] {
        let mut desk = Desk::in_lobby(80, 12);
        if let Some(sequence) = mark {
            let (room, sequence) = (Some("lobby".to_owned()), Sequence(sequence));
            desk.event(Event::ReadMark { room, sequence });
        }
        for text in ["one", "two", "three"] {
            let message = desk.message("lobby", "bob", text);
            desk.event(Event::Message(Message { history: true, ..message }));
        }
        let (tag, requested) = (RequestTag::default(), false);
        desk.event(Event::HistoryEnd { tag, room: None, more: false, requested });
        let screen = desk.screen();
        assert_eq!(screen.contains("─ new ─"), rule, "{mark:?}\n{screen}");
        if rule {
            assert!(screen.find("bob: two") < screen.find("─ new ─"), "{screen}");
        }
    }
}

/// What came while the connection was lost is new.
#[test]
fn what_was_missed_is_new() {
    let mut desk = Desk::in_lobby(80, 12);
    let end = || Event::HistoryEnd {
        tag: RequestTag::default(),
        room: None,
        more: false,
        requested: false,
    };
    desk.event(end());
    desk.hear("bob", "before");
    desk.join(&["lobby"]);
    let message = desk.message("lobby", "bob", "meanwhile");
    desk.event(Event::Message(Message { history: true, ..message }));
    desk.event(end());
    let screen = desk.screen();
    assert!(screen.find("─ new ─") < screen.find("meanwhile"), "{screen}");
    assert!(screen.contains("─ new ─"), "{screen}");
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

/// Who is sent out of a room reads why, and does not send to another room what was meant for it.
#[test]
fn kick_tells_its_reason_and_sends_nothing_elsewhere() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.write("draft of the lobby");
    desk.event(Event::Entered { tag: RequestTag::default(), room: "attic".to_owned(), members: 2 });
    desk.press(KeyCode::Char('2'), KeyModifiers::ALT);
    desk.write("my secret");
    let text = "you have been sent out of #attic: because".to_owned().into();
    desk.event(Event::Problem { code: 0, text });
    let (tag, room) = (RequestTag::default(), "attic".to_owned());
    desk.event(Event::Left { tag, room, is_forced: true });
    let screen = desk.screen();
    assert!(screen.contains("sent out of #attic: because"), "{screen}");
    assert!(screen.contains("you are no longer in #attic"), "{screen}");
    assert_eq!(desk.app.composer.text(), "draft of the lobby");
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "my secret");
}

/// The program sleeps while there is nothing to say about what was read.
#[test]
fn nothing_is_due_while_marks_cannot_be_told() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.hear("bob", "one");
    desk.hear("bob", "two");
    let reason = "the server has closed the connection".to_owned().into();
    desk.event(Event::Connection(ConnectionState::Disconnected { reason }));
    assert_eq!(desk.app.next_tick(), None);
    desk.event(Event::Connection(ConnectionState::Responsive));
    assert!(desk.app.next_tick().is_some());
    // Direct messages have one mark.
    desk.hear_direct("carla", "hey");
    desk.hear_direct("bob", "psst");
    desk.now += Duration::from_secs(10);
    desk.press(KeyCode::Char('3'), KeyModifiers::ALT);
    assert_eq!(shown(&desk), "@bob");
    desk.now += Duration::from_secs(10);
    desk.input(Input::Tick);
    assert_eq!(desk.app.next_tick(), None);
}

/// A server that cannot be reached is told once, not at every attempt.
#[test]
fn equal_troubles_are_told_once() {
    let mut desk = Desk::in_lobby(80, 16);
    for _ in 0..5 {
        let reason = "Cannot connect to Club: connection refused.".to_owned().into();
        desk.event(Event::Connection(ConnectionState::Disconnected { reason }));
    }
    assert_eq!(desk.screen().matches("connection refused").count(), 1, "{}", desk.screen());
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

/// What calls in a room, and the colours, are set for good: the driver gets them to keep.
#[test]
fn settings_are_kept() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/set notify nothing");
    desk.enter_line("/set theme dark");
    let kept = desk.outputs.iter().rev().find_map(|it| match it {
        Output::KeepSettings(settings) => Some(settings.clone()),
        _ => None,
    });
    let kept = kept.unwrap();
    assert_eq!(kept.theme, Some(ColorScheme::Dark));
    let lobby = Place::Room("lobby".to_owned());
    assert_eq!(kept.attention("Club", &lobby), Attention::Nothing);
    desk.input(Input::SettingsNotKept("disk full".to_owned()));
    assert!(desk.screen().contains("only until you leave: disk full"), "{}", desk.screen());
}
