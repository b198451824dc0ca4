//! Scrolling: rows, older messages, and that nothing jumps.

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Size;

use super::desk::{Desk, message};
use crate::model::{ChatCommand, Command, Event, Message, RequestTag};
use crate::ui::full_screen::app::{Input, Scroll};

/// Returns a desk with messages 1001 to 1040 on the screen.
fn desk_with_messages() -> Desk {
    let mut desk = Desk::in_lobby(60, 14);
    for sequence in 1_001..=1_040 {
        hear(&mut desk, sequence, false);
    }
    desk
}

/// Receives a message with this sequence.
fn hear(desk: &mut Desk, sequence: u64, requested: bool) {
    let message = message(sequence, "lobby", "bob", &format!("message {sequence}"));
    desk.event(Event::Message(Message { history: requested, requested, ..message }));
}

/// Returns the rows with messages.
fn rows(desk: &mut Desk) -> Vec<String> {
    desk.screen().lines().filter(|it| it.contains("bob:")).map(str::to_owned).collect()
}

/// Page Up goes back by a page, and new messages do not move what is read.
#[test]
fn reading_back_does_not_jump() {
    let mut desk = desk_with_messages();
    let newest = rows(&mut desk);
    assert!(newest.last().unwrap().contains("message 1040"));
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    let before = rows(&mut desk);
    assert!(before.last().unwrap().contains(&newest[0][10..]), "{before:?}");
    hear(&mut desk, 1_041, false);
    hear(&mut desk, 1_042, false);
    assert_eq!(rows(&mut desk), before);
    assert!(desk.screen().contains("2 new below"), "{}", desk.screen());
    desk.press(KeyCode::PageDown, KeyModifiers::NONE);
    desk.press(KeyCode::PageDown, KeyModifiers::NONE);
    assert!(rows(&mut desk).last().unwrap().contains("message 1042"));
    assert_eq!(desk.app.conversations.current().scroll, Scroll::End);
}

/// At the top, older messages are requested once, and are inserted above without a jump.
#[test]
fn older_messages_come_without_a_jump() {
    let mut desk = desk_with_messages();
    desk.take_requests();
    for _ in 0..10 {
        desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    }
    let requests = desk.take_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(matches!(requests[0].command, Command::Chat(ChatCommand::History { .. })));
    assert!(desk.screen().contains("fetching older messages"), "{}", desk.screen());
    let before = rows(&mut desk);
    for sequence in 901..=1_000 {
        hear(&mut desk, sequence, true);
    }
    let end = |tag: &RequestTag, more| Event::HistoryEnd {
        tag: tag.clone(),
        room: Some("lobby".to_owned()),
        more,
        requested: true,
    };
    desk.event(end(&requests[0].tag, true));
    // The hint is gone, so there is one row more.
    assert!(rows(&mut desk).ends_with(&before[1..]), "{:?}\n{before:?}", rows(&mut desk));
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert!(rows(&mut desk)[0].contains("message 9"), "{:?}", rows(&mut desk));
    // Where there is nothing older, nothing is requested.
    desk.press(KeyCode::Home, KeyModifiers::ALT);
    let requests = desk.take_requests();
    assert_eq!(requests.len(), 1);
    desk.event(end(&requests[0].tag, false));
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert!(desk.take_requests().is_empty());
    assert!(rows(&mut desk)[0].contains("message 901"));
}

/// Page Up also works while the user's own messages wait.
#[test]
fn reading_back_works_beside_waiting_messages() {
    let mut desk = desk_with_messages();
    for number in 0..20 {
        desk.enter_line(&format!("waiting {number}"));
    }
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert!(rows(&mut desk).len() > 3, "{}", desk.screen());
    for _ in 0..5 {
        desk.press(KeyCode::PageDown, KeyModifiers::NONE);
    }
    assert_eq!(desk.app.conversations.current().scroll, Scroll::End);
}

/// Whoever reads back sees a full window, whatever is forgotten above and however wide it becomes.
#[test]
fn window_stays_full() {
    let mut desk = Desk::in_lobby(40, 14);
    for _ in 0..3 {
        desk.hear("bob", &"long words ".repeat(60));
    }
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    desk.input(Input::Resize(Size { width: 200, height: 14 }));
    assert!(desk.screen().contains("long words"), "{}", desk.screen());
    let mut desk = desk_with_messages();
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    for sequence in 2_000..13_000 {
        hear(&mut desk, sequence, false);
    }
    assert!(rows(&mut desk).len() > 8, "{}", desk.screen());
    desk.press(KeyCode::Home, KeyModifiers::ALT);
    desk.take_requests();
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert!(desk.take_requests().is_empty(), "what would be forgotten at once is not requested");
    assert!(desk.screen().contains("/search finds them"), "{}", desk.screen());
}

/// After `/clear`, older messages can be fetched again, and Alt-A leads to what is unread below.
#[test]
fn cleared_conversation_can_be_read_back() {
    let mut desk = desk_with_messages();
    let end = Event::HistoryEnd {
        tag: RequestTag::default(),
        room: Some("lobby".to_owned()),
        more: false,
        requested: true,
    };
    desk.event(end);
    desk.enter_line("/clear");
    desk.take_requests();
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert_eq!(desk.take_requests().len(), 1);
    let mut desk = desk_with_messages();
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    hear(&mut desk, 1_041, false);
    assert!(!desk.screen().contains("message 1041"), "{}", desk.screen());
    desk.press(KeyCode::Char('a'), KeyModifiers::ALT);
    assert!(desk.screen().contains("message 1041"), "{}", desk.screen());
}

/// Row by row from the end to the beginning, every row of every message is on the screen once.
#[test]
fn every_row_is_reached() {
    let mut desk = Desk::in_lobby(40, 10);
    let mut texts = Vec::new();
    for number in 0..30 {
        let words: Vec<_> = (0..number % 17).map(|it| format!("w{number}x{it}")).collect();
        let text = format!("begin{number} {} end{number}", words.join(" "));
        desk.hear("bob", &text);
        texts.push(text);
    }
    let mut seen = Vec::new();
    for _ in 0..400 {
        let screen = desk.screen();
        seen.extend(screen.split_whitespace().map(str::to_owned));
        desk.input(Input::Mouse(MouseEvent {
            kind: MouseEventKind::ScrollUp,
            column: 1,
            row: 3,
            modifiers: KeyModifiers::NONE,
        }));
    }
    for word in texts.iter().flat_map(|it| it.split_whitespace()) {
        assert!(seen.iter().any(|it| it == word), "{word} was never on the screen");
    }
}
