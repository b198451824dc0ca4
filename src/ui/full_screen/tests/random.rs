//! Random keys, events and sizes: nothing of a message is ever missing on the screen.

use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Size;

use super::desk::Desk;
use crate::model::{ConnectionState, Event, Message, RequestTag, SearchRequest, SearchResult};
use crate::ui::full_screen::app::Input;

/// Returns a random input.
fn any_input() -> impl Strategy<Value = Input> {
    let code = prop_oneof![
        prop::char::any().prop_map(KeyCode::Char),
        (1_u8..13).prop_map(KeyCode::F),
        prop::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Tab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Backspace,
            KeyCode::Esc,
        ]),
    ];
    let key = (code, 0_u8..8).prop_map(|(code, bits)| {
        Input::Key(KeyEvent::new(code, KeyModifiers::from_bits_truncate(bits)))
    });
    let mouse = (any::<u16>(), any::<u16>(), any::<bool>()).prop_map(|(column, row, is_up)| {
        let kind = if is_up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown };
        Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    let name = prop::sample::select(vec!["bob", "anna", "carl", "日本"]);
    let room = prop::sample::select(vec!["lobby", "garden"]);
    let event = prop_oneof![
        (room.clone(), name.clone(), ".{0,200}", 1_u64..50).prop_map(|(room, from, text, at)| {
            Event::Message(super::desk::message(at, room, from, &text))
        }),
        (room.clone(), name).prop_map(|(room, name)| Event::Presence {
            room: room.to_owned(),
            members: 2,
            joined: Some(vec![name.to_owned()]),
            left: Some(Vec::new()),
        }),
        room.clone().prop_map(|room| Event::Entered {
            tag: RequestTag::default(),
            room: room.to_owned(),
            members: 1,
        }),
        room.prop_map(|room| Event::Left {
            tag: RequestTag::default(),
            room: room.to_owned(),
            is_forced: true,
        }),
        (1_u64..9, 1_u64..50, any::<bool>()).prop_map(|(tag, at, more)| {
            Event::SearchResult(SearchResult {
                tag: RequestTag(Some(format!("#{tag}").into())),
                search: SearchRequest { text: "tea".to_owned(), ..SearchRequest::default() },
                messages: vec![super::desk::message(at, "lobby", "bob", "a tea")],
                more,
            })
        }),
        (1_u64..9, any::<bool>()).prop_map(|(tag, more)| Event::HistoryEnd {
            tag: RequestTag(Some(format!("#{tag}").into())),
            room: Some("lobby".to_owned()),
            more,
            requested: true,
        }),
        (1_u64..50).prop_map(|at| {
            let message = super::desk::message(at, "lobby", "bob", "requested");
            Event::Message(Message { history: true, requested: true, ..message })
        }),
        Just(Event::PasswordWanted { again: false }),
        Just(Event::Connection(ConnectionState::Responsive)),
    ];
    prop_oneof![
        4 => key,
        1 => mouse,
        4 => event.prop_map(Input::Event),
        1 => ".{0,100}".prop_map(Input::Paste),
        1 => (0_u16..120, 0_u16..40).prop_map(|(width, height)| {
            Input::Resize(Size { width, height })
        }),
        1 => any::<bool>().prop_map(Input::Focus),
        1 => Just(Input::Tick),
        1 => Just(Input::Paste("/search tea".to_owned())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens, the screen can be drawn, and the cursor is on it.
    #[test]
    fn any_inputs_can_be_drawn(inputs in prop::collection::vec(any_input(), 0..60)) {
        let mut desk = Desk::in_lobby(80, 24);
        for input in inputs {
            desk.input(input);
            let (buffer, drawn) = desk.draw();
            let area = buffer.area;
            prop_assert!(area.is_empty() || area.contains(drawn.cursor), "{:?}", drawn.cursor);
        }
    }

    /// The newest message is whole on every screen that has room for it.
    #[test]
    fn newest_message_is_whole(
        text in "[a-zé日👩 ]{1,120}",
        width in 40_u16..200,
        height in 14_u16..60,
        others in prop::collection::vec(".{0,80}", 0..20),
    ) {
        let mut desk = Desk::in_lobby(width, height);
        for other in &others {
            desk.hear("carl", other);
        }
        let text = format!("BEGIN{text}END");
        desk.hear("bob", &text);
        let screen = desk.screen();
        let flat = |text: &str| text.chars().filter(|it| !it.is_whitespace()).collect::<String>();
        // Beside the messages there may be a list of people.
        let rows = screen.lines().map(|row| row.split('│').next().unwrap_or_default());
        let shown = flat(&rows.collect::<Vec<_>>().join(""));
        prop_assert!(shown.contains(&flat(&text)), "{}\n{}", text, screen);
    }
}
