//! Search: the list of results, and a result where it was said.

use insta::assert_snapshot;
use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::Modifier;

use super::desk::{Desk, message};
use crate::model::{
    ChatCommand, Command, Event, Message, ModerationEvent, Refusal, Request, RequestTag,
    RoomSelector, SearchRequest, SearchResult, Sequence,
};
use crate::ui::full_screen::app::{Input, Overlay, Scroll};

/// Presses a key without others.
fn press(desk: &mut Desk, code: KeyCode) {
    desk.press(code, KeyModifiers::NONE);
}

/// Takes the search that was requested, which must be the only request.
fn take_search(desk: &mut Desk) -> (RequestTag, SearchRequest) {
    let requests = desk.take_requests();
    let [Request { tag, command: Command::Chat(ChatCommand::Search(search)) }] =
        requests.as_slice()
    else {
        panic!("{requests:?}");
    };
    (tag.clone(), search.clone())
}

/// Takes the request for older messages, which must be the only one. Returns its tag, room and upper
/// bound.
fn take_history(desk: &mut Desk) -> (RequestTag, String, u64) {
    let requests = desk.take_requests();
    let [
        Request {
            tag,
            command:
                Command::Chat(ChatCommand::History {
                    room: RoomSelector::Named(room),
                    before: Some(Sequence(before)),
                    ..
                }),
        },
    ] = requests.as_slice()
    else {
        panic!("{requests:?}");
    };
    (tag.clone(), room.clone(), *before)
}

/// Answers a search with these messages of the lobby, oldest first.
fn answer(desk: &mut Desk, messages: &[(u64, &str)], more: bool) {
    let (tag, search) = take_search(desk);
    let messages = messages.iter().map(|(at, text)| message(*at, "lobby", "bob", text)).collect();
    desk.event(Event::SearchResult(SearchResult { tag, search, messages, more }));
}

/// Answers a request for older messages with those of these sequences.
fn answer_history(desk: &mut Desk, tag: &RequestTag, sequences: std::ops::Range<u64>, more: bool) {
    for sequence in sequences {
        let message = message(sequence, "lobby", "bob", &format!("message {sequence}"));
        desk.event(Event::Message(Message { history: true, requested: true, ..message }));
    }
    let room = Some("lobby".to_owned());
    desk.event(Event::HistoryEnd { tag: tag.clone(), room, more, requested: true });
}

/// Returns a desk in the lobby with messages 1001 to 1040.
fn desk_with_messages(width: u16, height: u16) -> Desk {
    let mut desk = Desk::in_lobby(width, height);
    for sequence in 1_001..=1_040 {
        let message = message(sequence, "lobby", "bob", &format!("message {sequence}"));
        desk.event(Event::Message(message));
    }
    desk.take_requests();
    desk
}

/// Returns the rows with messages.
fn rows(desk: &mut Desk) -> Vec<String> {
    desk.screen().lines().filter(|it| it.contains("bob:")).map(str::to_owned).collect()
}

/// Returns a desk with the results of a search.
fn desk_with_results(width: u16, height: u16) -> Desk {
    let mut desk = desk_with_messages(width, height);
    desk.enter_line("/search tea* \"hot milk\"");
    let long =
        "so it goes on and on. ".repeat(10) + "Hot milk with TEAS " + &"and more ".repeat(30);
    let messages = [
        (17, "hot: milk, then tea"),
        (400, long.as_str()),
        (1_030, "two\nlines of teatime and hot milk"),
    ];
    answer(&mut desk, &messages, true);
    desk
}

#[test]
fn results_on_a_usual_terminal() {
    assert_snapshot!(desk_with_results(80, 24).screen());
}

#[test]
fn results_on_a_small_terminal() {
    assert_snapshot!(desk_with_results(40, 10).screen());
}

/// The words that were searched for are marked in the results, and nothing else.
#[test]
fn found_words_are_marked() {
    let mut desk = desk_with_results(80, 24);
    let (buffer, _) = desk.draw();
    let marked = |row: &str| -> String {
        let screen = desk_rows(&buffer);
        let y = screen.iter().position(|it| it.contains(row)).unwrap();
        let cells = (0..buffer.area.width).map(|x| &buffer[(x, u16::try_from(y).unwrap())]);
        let is_marked = Modifier::BOLD | Modifier::REVERSED;
        let text = cells.map(|it| if it.modifier.contains(is_marked) { it.symbol() } else { "|" });
        let text = text.collect::<String>();
        text.split('|').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(marked("then tea"), "hot: milk|tea");
}

/// Returns the rows of a screen.
fn desk_rows(buffer: &ratatui::buffer::Buffer) -> Vec<String> {
    let columns = 0..buffer.area.width;
    let row = |y| columns.clone().map(|x| buffer[(x, y)].symbol()).collect();
    (0..buffer.area.height).map(row).collect()
}

/// The list is open while the server searches; keys select in it, and Esc closes it. `/search` alone
/// shows it again.
#[test]
fn list_is_opened_and_closed() {
    let mut desk = Desk::in_lobby(80, 24);
    desk.control('f');
    assert_eq!(desk.app.composer.text(), "/search ");
    desk.enter_line("tea");
    assert!(desk.screen().contains("searching with tea …"), "{}", desk.screen());
    answer(&mut desk, &[(1, "a tea"), (2, "b tea"), (3, "c tea")], false);
    let selected = |desk: &mut Desk| {
        let screen = desk.screen();
        let row = screen.lines().find(|it| it.contains("> 2026")).unwrap();
        row.trim_end().to_owned()
    };
    assert!(desk.screen().contains("3 messages with tea"), "{}", desk.screen());
    for (key, text) in [
        (KeyCode::Up, "c tea"),
        (KeyCode::Down, "b tea"),
        (KeyCode::End, "a tea"),
        (KeyCode::Down, "a tea"),
        (KeyCode::PageUp, "c tea"),
        (KeyCode::PageDown, "a tea"),
        (KeyCode::Home, "c tea"),
    ] {
        press(&mut desk, key);
        assert!(selected(&mut desk).ends_with(text), "{key:?}: {}", desk.screen());
    }
    // There is nothing older.
    press(&mut desk, KeyCode::End);
    press(&mut desk, KeyCode::PageDown);
    assert!(desk.take_requests().is_empty());
    press(&mut desk, KeyCode::Esc);
    assert_eq!(desk.app.overlay, Overlay::None);
    desk.enter_line("/search");
    assert!(selected(&mut desk).ends_with("a tea"));
    // What is typed is not lost, and goes to the line.
    desk.write("x");
    assert_eq!((desk.app.overlay, desk.app.composer.text().as_str()), (Overlay::None, "x"));
}

/// At the end of the list, older results are requested, once at a time; the first one of them is
/// selected then.
#[test]
fn older_results_are_added() {
    let mut desk = Desk::in_lobby(80, 24);
    desk.enter_line("/search tea");
    answer(&mut desk, &[(50, "tea 50"), (60, "tea 60")], true);
    press(&mut desk, KeyCode::Down);
    press(&mut desk, KeyCode::Down);
    assert!(desk.screen().contains("> older results"), "{}", desk.screen());
    press(&mut desk, KeyCode::Enter);
    press(&mut desk, KeyCode::Enter);
    let (tag, search) = take_search(&mut desk);
    assert_eq!((search.before, search.text.as_str()), (Some(Sequence(50)), "tea"));
    let messages = vec![message(40, "lobby", "bob", "tea 40")];
    desk.event(Event::SearchResult(SearchResult { tag, search, messages, more: false }));
    let screen = desk.screen();
    let texts: Vec<_> = ["tea 60", "tea 50", "tea 40"].map(|it| screen.find(it).unwrap()).into();
    assert!(texts.is_sorted(), "{screen}");
    assert!(screen.lines().any(|it| it.contains('>') && it.contains("tea 40")), "{screen}");
    assert!(!screen.contains("older results"), "{screen}");
}

/// A list that is longer than the screen is scrolled: every result is on the screen when it is
/// selected, and a click opens what is under it.
#[test]
fn long_list_is_scrolled() {
    let mut desk = Desk::in_lobby(60, 14);
    desk.enter_line("/search tea");
    let texts: Vec<_> = (1..=20).map(|it| format!("tea {it}.")).collect();
    let messages: Vec<_> = (1..).zip(texts.iter().map(String::as_str)).collect();
    answer(&mut desk, &messages, false);
    for text in texts.iter().rev() {
        let screen = desk.screen();
        assert!(screen.lines().any(|it| it.contains("> 2026") && it.contains(text)), "{screen}");
        press(&mut desk, KeyCode::Down);
    }
    // Going back up within the screen does not scroll.
    let at_end = desk.screen().replace('>', " ");
    for _ in 0..5 {
        press(&mut desk, KeyCode::Up);
        assert_eq!(desk.screen().replace('>', " "), at_end);
    }
    let screen = desk.screen();
    let row = screen.lines().position(|it| it.contains("tea 5.")).unwrap();
    desk.input(Input::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 30,
        row: u16::try_from(row).unwrap(),
        modifiers: KeyModifiers::NONE,
    }));
    assert_eq!(desk.app.overlay, Overlay::None);
    assert_eq!(take_history(&mut desk).2, 5 + 61);
}

/// The reason why a search is refused is in the list; results of ignored people are only counted.
#[test]
fn refusals_and_ignored_people_are_told() {
    let mut desk = Desk::in_lobby(80, 24);
    desk.enter_line("/search ?!");
    let (tag, _) = take_search(&mut desk);
    let text = "This cannot be looked for.".to_owned().into();
    desk.event(Event::Refused(Refusal { tag, code: 310, text, to: String::new(), message: None }));
    let told = "not found: There must be a word in a search, and not too many.";
    assert!(desk.screen().contains(told), "{}", desk.screen());
    press(&mut desk, KeyCode::Esc);
    desk.enter_line("/ignore carl");
    desk.enter_line("/search tea");
    let (tag, search) = take_search(&mut desk);
    let messages = vec![message(1, "lobby", "carl", "tea spam"), message(2, "lobby", "bob", "tea")];
    desk.event(Event::SearchResult(SearchResult { tag, search, messages, more: false }));
    let screen = desk.screen();
    assert!(!screen.contains("spam") && screen.contains("1 is not shown"), "{screen}");
    press(&mut desk, KeyCode::Esc);
    desk.enter_line("/search tea from:carl");
    let (tag, search) = take_search(&mut desk);
    let messages = vec![message(1, "lobby", "carl", "tea spam")];
    desk.event(Event::SearchResult(SearchResult { tag, search, messages, more: false }));
    assert!(desk.screen().contains("carl: tea spam"), "{}", desk.screen());
}

/// A message whose text is removed is no longer in the list.
#[test]
fn removed_message_is_not_found() {
    let mut desk = Desk::in_lobby(80, 24);
    desk.enter_line("/search tea");
    answer(&mut desk, &[(1, "tea one"), (2, "tea two")], false);
    let room = "lobby".to_owned();
    desk.event(Event::Moderation(ModerationEvent::MessageRemoved {
        room,
        message: Sequence(2),
        by: None,
        reason: None,
    }));
    let screen = desk.screen();
    assert!(screen.contains("tea one") && !screen.contains("tea two"), "{screen}");
}

/// A result that is among the lines of the conversation is shown there: in the middle, marked, and
/// nothing is requested. Esc returns to the end.
#[test]
fn near_result_is_shown_in_its_conversation() {
    let mut desk = desk_with_messages(60, 24);
    desk.enter_line("/search 1015");
    answer(&mut desk, &[(1_015, "message 1015")], false);
    press(&mut desk, KeyCode::Enter);
    assert!(desk.take_requests().is_empty());
    let shown = rows(&mut desk);
    let at = shown.iter().position(|it| it.contains("message 1015")).unwrap();
    assert!((at * 2).abs_diff(shown.len()) <= 3, "{at} of {}", shown.len());
    let (buffer, _) = desk.draw();
    let row = desk_rows(&buffer).iter().position(|it| it.contains("message 1015")).unwrap();
    let is_marked = |y: usize| {
        let cell = &buffer[(8, u16::try_from(y).unwrap())];
        cell.modifier.contains(Modifier::REVERSED)
    };
    assert!(is_marked(row) && !is_marked(row + 1) && !is_marked(row - 1));
    assert!(desk.screen().contains("reading back"), "{}", desk.screen());
    press(&mut desk, KeyCode::Esc);
    assert!(rows(&mut desk).last().unwrap().contains("message 1040"));
    assert_eq!(desk.app.conversations.current().marked, None);
}

/// Returns a desk with message 500 and what is around it on the screen.
fn desk_in_context(width: u16, height: u16) -> Desk {
    let mut desk = desk_with_messages(width, height);
    desk.enter_line("/search 500");
    answer(&mut desk, &[(500, "message 500")], false);
    press(&mut desk, KeyCode::Enter);
    let (tag, room, before) = take_history(&mut desk);
    assert_eq!((room.as_str(), before), ("lobby", 561));
    assert!(desk.screen().contains("fetching the messages around it"), "{}", desk.screen());
    answer_history(&mut desk, &tag, 461..561, true);
    desk
}

#[test]
fn context_on_a_usual_terminal() {
    let mut desk = desk_in_context(80, 24);
    press(&mut desk, KeyCode::PageDown);
    press(&mut desk, KeyCode::PageDown);
    press(&mut desk, KeyCode::PageDown);
    assert_snapshot!(desk.screen());
}

#[test]
fn context_on_a_small_terminal() {
    assert_snapshot!(desk_in_context(40, 10).screen());
}

/// A result that is far back is shown with what is around it, without a hole in the conversation,
/// which goes on meanwhile. Esc returns to its newest message.
#[test]
fn far_result_is_shown_apart() {
    let mut desk = desk_in_context(60, 24);
    let shown = rows(&mut desk);
    let at = shown.iter().position(|it| it.contains("message 500")).unwrap();
    assert!((at * 2).abs_diff(shown.len()) <= 3, "{at} of {}", shown.len());
    let new = message(1_041, "lobby", "bob", "message 1041");
    desk.event(Event::Message(new));
    assert_eq!(rows(&mut desk), shown);
    assert!(desk.screen().contains("1 new below"), "{}", desk.screen());
    let conversation = desk.app.conversations.current();
    assert_eq!(conversation.first_sequence(), Some(Sequence(1_001)));
    // Older messages are added to what is shown.
    desk.press(KeyCode::Home, KeyModifiers::ALT);
    let (tag, _, before) = take_history(&mut desk);
    assert_eq!(before, 461);
    answer_history(&mut desk, &tag, 361..461, true);
    desk.press(KeyCode::PageUp, KeyModifiers::NONE);
    assert!(rows(&mut desk)[0].contains("message 44"), "{:?}", rows(&mut desk));
    press(&mut desk, KeyCode::Esc);
    assert!(rows(&mut desk).last().unwrap().contains("message 1041"));
    assert!(!desk.screen().contains("newer ones are not shown"));
}

/// Going down from a result that is far back, newer messages are fetched until they reach the
/// conversation; then there is no end any more, and every message is there once.
#[test]
fn context_grows_into_the_conversation() {
    let mut desk = desk_in_context(60, 24);
    let mut newest = 560;
    while desk.app.context.is_some() {
        for _ in 0..20 {
            press(&mut desk, KeyCode::PageDown);
        }
        let (tag, _, before) = take_history(&mut desk);
        assert!(before > newest + 1 && before <= 1_001, "{before}");
        // A server gives the latest ones before the bound.
        answer_history(&mut desk, &tag, before - 100..before, true);
        let shown = desk.app.shown().last_sequence().unwrap().0;
        assert!(shown > newest);
        newest = shown;
    }
    let conversation = desk.app.conversations.current();
    let sequences: Vec<_> =
        (0..conversation.lines().len()).filter_map(|it| conversation.sequence_at(it)).collect();
    let expected: Vec<_> = (461..=1_040).map(Sequence).collect();
    assert_eq!(sequences, expected);
    for _ in 0..5 {
        press(&mut desk, KeyCode::PageDown);
    }
    assert!(rows(&mut desk).last().unwrap().contains("message 1040"));
    assert_eq!(conversation_scroll(&desk), Scroll::End);
}

/// Returns how far the conversation is scrolled.
fn conversation_scroll(desk: &Desk) -> Scroll {
    desk.app.conversations.current().scroll
}

/// Where other rooms have had all the messages, newer ones are looked for further ahead, until there
/// are some.
#[test]
fn quiet_room_is_crossed() {
    let mut desk = desk_with_messages(60, 24);
    desk.enter_line("/search 10");
    answer(&mut desk, &[(10, "message 10")], false);
    press(&mut desk, KeyCode::Enter);
    let (tag, ..) = take_history(&mut desk);
    answer_history(&mut desk, &tag, 5..11, false);
    press(&mut desk, KeyCode::PageDown);
    press(&mut desk, KeyCode::PageDown);
    let mut bounds = Vec::new();
    while desk.app.context.is_some() {
        let (tag, _, before) = take_history(&mut desk);
        bounds.push(before);
        answer_history(&mut desk, &tag, 5..11, false);
    }
    assert_eq!(bounds, [131, 251, 491, 971, 1_001]);
    assert!(desk.screen().contains("message 1001"), "{}", desk.screen());
}

/// An answer that comes after the user has gone elsewhere is not shown, and a room that the user has
/// left is not opened.
#[test]
fn late_context_is_dropped() {
    let mut desk = desk_with_messages(80, 24);
    desk.enter_line("/search x");
    answer(&mut desk, &[(500, "message 500")], false);
    press(&mut desk, KeyCode::Enter);
    let (tag, ..) = take_history(&mut desk);
    press(&mut desk, KeyCode::Esc);
    answer_history(&mut desk, &tag, 461..561, true);
    assert!(desk.app.context.is_none());
    assert!(rows(&mut desk).last().unwrap().contains("message 1040"));
    desk.enter_line("/search");
    desk.event(Event::Left {
        tag: RequestTag::default(),
        room: "lobby".to_owned(),
        is_forced: true,
    });
    press(&mut desk, KeyCode::Enter);
    assert!(desk.screen().contains("You are not in #lobby."), "{}", desk.screen());
    assert!(desk.take_requests().is_empty());
}

/// `/history` and scrolling ask for what is before the conversation's own lines, also after messages
/// further back were shown.
#[test]
fn older_messages_never_leave_a_hole() {
    let mut desk = desk_in_context(60, 24);
    desk.enter_line("/history 30");
    let (tag, _, before) = take_history(&mut desk);
    assert_eq!(before, 1_001);
    answer_history(&mut desk, &tag, 971..1_001, true);
    assert_eq!(desk.app.conversations.current().first_sequence(), Some(Sequence(971)));
    desk.press(KeyCode::Home, KeyModifiers::ALT);
    let (tag, _, before) = take_history(&mut desk);
    assert_eq!(before, 971);
    // The lines were removed meanwhile: these would be too old.
    desk.enter_line("/clear");
    answer_history(&mut desk, &tag, 871..971, true);
    assert_eq!(desk.app.conversations.current().first_sequence(), None);
}
