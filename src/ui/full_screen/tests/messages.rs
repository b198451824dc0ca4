//! Messages: the user's own, those of others, and what came of them.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::desk::{Desk, message};
use crate::model::{
    ChatCommand, Command, ConnectionState, Event, Message, ModerationEvent, Refusal, RequestTag,
    Sequence,
};
use crate::ui::full_screen::app::{Input, Output};

/// The user's message is on the screen at once, dimmed, and once only: its echo takes its place.
#[test]
fn own_message_is_dimmed_until_its_echo_comes() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("hello *all*");
    assert!(desk.is_dim("hello *all*"), "{}", desk.screen());
    let (tag, text) = desk.take_said();
    desk.now = Duration::from_millis(25);
    let echo = Message { tag, ..desk.message("lobby", "anna", &text) };
    desk.event(Event::Message(echo));
    let screen = desk.screen();
    assert_eq!(screen.matches("hello").count(), 1, "{screen}");
    assert!(!desk.is_dim("hello"), "{screen}");
    assert!(screen.contains("25 ms"), "{screen}");
}

/// Two messages with the same text are two, also if their answers come in another order.
#[test]
fn equal_messages_are_told_apart_by_their_requests() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("same");
    let (first, _) = desk.take_said();
    desk.enter_line("same");
    let (second, _) = desk.take_said();
    assert_ne!(first, second);
    let echo = Message { tag: second, ..desk.message("lobby", "anna", "same") };
    desk.event(Event::Message(echo));
    assert_eq!(desk.app.waiting_messages(), 1);
    let echo = Message { tag: first, ..desk.message("lobby", "anna", "same") };
    desk.event(Event::Message(echo));
    assert_eq!(desk.app.waiting_messages(), 0);
    assert_eq!(desk.screen().matches("same").count(), 2);
}

/// A refused message stays, with the reason, and Up brings it back into the line.
#[test]
fn refused_message_stays_and_can_be_edited_again() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("too fast");
    let (tag, text) = desk.take_said();
    let refusal = Refusal {
        tag,
        code: 500,
        text: "You are muted.".to_owned().into(),
        to: "lobby".to_owned(),
        message: Some(text),
    };
    desk.event(Event::Refused(refusal));
    let screen = desk.screen();
    assert!(screen.contains("anna: too fast"), "{screen}");
    assert!(screen.contains("not sent: You are muted."), "{screen}");
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "too fast");
}

/// What is not sent when the chat ends is told after the screen is gone.
#[test]
fn unsent_messages_are_told_at_the_end() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("are you there?");
    let (tag, text) = desk.take_said();
    let to = "lobby".to_owned();
    desk.event(Event::Unsent { tag, to, text, perhaps_taken: false });
    assert_eq!(desk.app.farewell().len(), 1);
    assert!(desk.app.farewell()[0].contains("are you there?"), "{:?}", desk.app.farewell());
}

/// While the server is away, the status line counts, and says how many messages wait.
#[test]
fn status_line_tells_of_waiting_messages() {
    let mut desk = Desk::in_lobby(80, 12);
    let reason = "the server has closed the connection".to_owned().into();
    desk.event(Event::Connection(ConnectionState::Disconnected { reason }));
    let delay = Duration::from_secs(4);
    desk.event(Event::Connection(ConnectionState::Reconnecting { delay }));
    desk.enter_line("one");
    desk.enter_line("two");
    let screen = desk.screen();
    assert!(screen.contains("reconnecting in 4 s · 2 messages waiting"), "{screen}");
    desk.now += desk.app.next_tick().unwrap();
    desk.input(Input::Tick);
    assert!(desk.screen().contains("reconnecting in 3 s"));
    // Enter on an empty line does not wait for it.
    desk.take_requests();
    desk.enter_line("");
    let requests = desk.take_requests();
    assert!(matches!(requests[0].command, Command::Reconnect { is_forced: false }));
}

/// A message that names the user rings, and shows a notification if the window has no focus.
#[test]
fn mentions_call_the_user() {
    let mut desk = Desk::in_lobby(80, 12);
    let calls = |desk: &mut Desk| {
        let outputs = std::mem::take(&mut desk.outputs);
        let is_bell = |it: &&Output| matches!(it, Output::Bell);
        let is_notice = |it: &&Output| matches!(it, Output::Notify { .. });
        (outputs.iter().filter(is_bell).count(), outputs.iter().filter(is_notice).count())
    };
    desk.hear("bob", "hello");
    desk.hear("bob", "anna: hello");
    // They are seen as they come.
    assert_eq!(calls(&mut desk), (0, 0));
    desk.input(Input::Focus(false));
    desk.hear("bob", "hello");
    assert_eq!(calls(&mut desk), (0, 0));
    desk.hear("bob", "hello anna!");
    assert_eq!(calls(&mut desk), (1, 1));
    // Not again within a second.
    desk.hear("bob", "anna anna anna");
    assert_eq!(calls(&mut desk), (0, 0));
    desk.now += Duration::from_secs(1);
    desk.enter_line("/set notify nothing");
    desk.hear("bob", "hello anna!");
    assert_eq!(calls(&mut desk), (0, 0));
    desk.enter_line("/set notify all");
    desk.hear("bob", "hello");
    assert_eq!(calls(&mut desk), (1, 1));
}

/// A removed message loses its text where it stands.
#[test]
fn removed_message_loses_its_text() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.hear("bob", "buy pills");
    desk.hear("bob", "sorry");
    desk.event(Event::Moderation(ModerationEvent::MessageRemoved {
        room: "lobby".to_owned(),
        message: Sequence(1),
        by: Some("carl".to_owned()),
        reason: None,
    }));
    let screen = desk.screen();
    assert!(!screen.contains("pills"), "{screen}");
    assert!(screen.contains("bob: [removed]"), "{screen}");
}

/// In a conversation with one person, what is typed goes to that person.
#[test]
fn lines_go_to_the_person_whose_conversation_is_shown() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.hear_direct("bob", "psst");
    desk.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert!(desk.screen().contains("bob: psst"));
    for (line, said) in [("yes?", "yes?"), ("/me listens", "listens"), ("//x", "/x")] {
        desk.enter_line(line);
        let requests = desk.take_requests();
        let Command::Chat(ChatCommand::Direct { to, text, .. }) = &requests[0].command else {
            panic!("{requests:?}");
        };
        assert_eq!((to.as_str(), text.as_str()), ("bob", said));
    }
    assert_eq!(desk.app.waiting_messages(), 3);
}

/// Messages that were requested later are placed by their sequence, and none is there twice.
#[test]
fn older_messages_are_placed_before_newer_ones() {
    let mut desk = Desk::in_lobby(80, 12);
    for sequence in [10, 8, 9, 8] {
        let text = format!("number {sequence}");
        let requested = sequence != 10;
        let message = message(sequence, "lobby", "bob", &text);
        desk.event(Event::Message(Message { history: requested, requested, ..message }));
    }
    let screen = desk.screen();
    let at = |text: &str| screen.find(text).unwrap();
    assert!(at("number 8") < at("number 9") && at("number 9") < at("number 10"), "{screen}");
    assert_eq!(screen.matches("number 8").count(), 1);
}

/// Text of others cannot draw anywhere else, nor look like a line of the program.
#[test]
fn text_of_others_stays_in_its_place() {
    let mut desk = Desk::in_lobby(60, 12);
    desk.hear("b\u{1b}[2Job", "\u{1b}[2J\u{7}x\n10:00 carl: I am carl\u{202e}");
    let (buffer, _) = desk.draw();
    let all: String = buffer.content().iter().map(|it| it.symbol().to_owned()).collect();
    assert!(!all.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    let screen = desk.screen();
    // A line break is followed by the indent, where no time stands.
    assert!(screen.contains("\n      10:00 carl"), "{screen}");
}

/// A message that the server already had is told as such.
#[test]
fn acknowledged_message_without_echo_is_told() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("once");
    let (tag, text) = desk.take_said();
    let unechoed = Some(text);
    desk.event(Event::Acknowledged { tag, sequence: None, time: None, unechoed });
    assert_eq!(desk.app.waiting_messages(), 0);
    assert!(desk.screen().contains("this message had already arrived: once"));
    let unknown = RequestTag(Some("#99".into()));
    desk.event(Event::Acknowledged { tag: unknown, sequence: None, time: None, unechoed: None });
}
