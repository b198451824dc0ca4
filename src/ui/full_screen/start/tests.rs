//! Tests of the first questions, in virtual time.

use std::time::Duration;

use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

use super::{
    Answers, Lock, NameDefault, Offer, Outcome, Questions, ServerChoice, ServerQuestion, Start,
    StartInput, view,
};
use crate::l10n::Language;
use crate::l10n::tests::with_language;
use crate::model::Username;
use crate::ui::full_screen::text::{ColorScheme, Theme};

/// Returns a server in the list.
fn offer(name: &str, lock: Lock) -> Offer {
    Offer {
        key: format!("id {name}"),
        name: name.to_owned(),
        host: format!("{}.local", name.to_lowercase()),
        address: "192.0.2.7:2428".to_owned(),
        lock,
    }
}

/// Returns the choice of a server that was found.
fn found(name: &str) -> ServerChoice {
    ServerChoice::Found(format!("id {name}"))
}

/// Refuses texts with a blank as addresses.
fn check(text: &str) -> Result<(), String> {
    if text.contains(' ') { Err(format!("“{text}” is not an address")) } else { Ok(()) }
}

/// Asks for a server, and for a name if `has_name`.
fn start(last: Option<ServerChoice>, has_name: bool) -> Start {
    let name = NameDefault { name: Username::new("anna").unwrap(), problem: None };
    let questions = Questions {
        program: "chat-client",
        server: Some(ServerQuestion { last, check }),
        name: has_name.then_some(name),
    };
    Start::new(questions, Theme::new(ColorScheme::Monochrome))
}

/// Takes an input after this many milliseconds.
fn at(start: &mut Start, milliseconds: u64, input: StartInput) {
    start.handle(Duration::from_millis(milliseconds), input);
}

/// Presses a key.
fn press(start: &mut Start, code: KeyCode) {
    at(start, 0, StartInput::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

/// Types a line and presses Enter.
fn enter(start: &mut Start, line: &str) {
    line.chars().for_each(|it| press(start, KeyCode::Char(it)));
    press(start, KeyCode::Enter);
}

/// Returns the screen as text.
fn screen(start: &mut Start, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let _ = view::draw(start, &mut buffer);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

/// Returns the server that was chosen.
fn server(start: &Start) -> Option<ServerChoice> {
    match start.outcome()? {
        Outcome::Answered(answers) => answers.server.clone(),
        Outcome::Left => None,
    }
}

/// Returns a start with three servers in the list.
fn with_three() -> Start {
    let mut start = start(None, false);
    for (name, lock) in [("Attic", Lock::Known), ("Küche", Lock::Encrypted), ("Cellar", Lock::Open)]
    {
        at(&mut start, 0, StartInput::Found(offer(name, lock)));
    }
    start
}

#[test]
fn servers_on_a_usual_terminal() {
    let mut start = with_three();
    press(&mut start, KeyCode::Down);
    assert_snapshot!(screen(&mut start, 80, 24));
}

#[test]
fn servers_on_a_small_terminal() {
    assert_snapshot!(screen(&mut with_three(), 40, 10));
}

#[test]
fn name_on_a_usual_terminal() {
    let mut start = start(None, true);
    enter(&mut start, "pi.local");
    enter(&mut start, "two words");
    assert_snapshot!(screen(&mut start, 80, 24));
}

#[test]
fn servers_on_a_small_terminal_in_german() {
    let screen = || screen(&mut with_three(), 40, 10);
    assert_snapshot!(with_language(Language::German, screen));
}

#[test]
fn name_in_german() {
    assert_snapshot!(with_language(Language::German, || {
        let mut start = start(None, true);
        enter(&mut start, "pi.local");
        screen(&mut start, 80, 24)
    }));
}

/// A server is chosen by arrow, number, name, host or address; what is none of them is told, and
/// asked again.
#[test]
fn server_is_chosen_in_every_way() {
    for (line, chosen) in [
        ("", found("Attic")),
        ("3", found("Cellar")),
        ("KÜCHE", found("Küche")),
        ("cellar.local", found("Cellar")),
        ("chats://pi:1", ServerChoice::Typed("chats://pi:1".to_owned())),
    ] {
        let mut start = with_three();
        enter(&mut start, "4");
        assert!(screen(&mut start, 80, 24).contains("There is no number 4"));
        enter(&mut start, "a b");
        assert!(screen(&mut start, 80, 24).contains("“a b” is not an address"));
        enter(&mut start, line);
        assert_eq!(server(&start), Some(chosen), "{line}");
    }
    let mut start = with_three();
    press(&mut start, KeyCode::Down);
    press(&mut start, KeyCode::Enter);
    assert_eq!(server(&start), Some(found("Küche")));
}

/// The only server is taken when others have had time to answer, but not if the user has begun to
/// choose, nor if another one was there first.
#[test]
fn only_server_is_taken() {
    let mut alone = start(None, false);
    assert!(screen(&mut alone, 80, 24).contains("Looking for servers"));
    at(&mut alone, 5_000, StartInput::Found(offer("Attic", Lock::Open)));
    at(&mut alone, 6_199, StartInput::Tick);
    assert_eq!(alone.outcome(), None);
    at(&mut alone, 6_200, StartInput::Tick);
    assert_eq!(server(&alone), Some(found("Attic")));
    let mut typing = start(None, false);
    at(&mut typing, 0, StartInput::Found(offer("Attic", Lock::Open)));
    press(&mut typing, KeyCode::Char('p'));
    at(&mut typing, 60_000, StartInput::Tick);
    assert_eq!(typing.outcome(), None);
    let mut several = with_three();
    at(&mut several, 60_000, StartInput::Tick);
    assert_eq!(several.outcome(), None);
}

/// The server of the last time is taken as soon as it is there; another one never in its place. An
/// address of the last time is the first entry.
#[test]
fn last_server_is_preferred() {
    let mut again = start(Some(found("Attic")), false);
    at(&mut again, 0, StartInput::Found(offer("Cellar", Lock::Open)));
    at(&mut again, 60_000, StartInput::Tick);
    assert_eq!(again.outcome(), None);
    assert!(screen(&mut again, 80, 24).contains("has not answered yet"));
    at(&mut again, 60_000, StartInput::Found(offer("Attic", Lock::Open)));
    assert_eq!(server(&again), Some(found("Attic")));
    let mut typed = start(Some(ServerChoice::Typed("pi:1".to_owned())), false);
    at(&mut typed, 0, StartInput::Found(offer("Cellar", Lock::Open)));
    assert!(screen(&mut typed, 80, 24).contains(">  1 pi:1"), "{}", screen(&mut typed, 80, 24));
    press(&mut typed, KeyCode::Enter);
    assert_eq!(server(&typed), Some(ServerChoice::Typed("pi:1".to_owned())));
}

/// A server that no longer answers leaves the list; the user is told when there is none.
#[test]
fn lost_server_leaves_the_list() {
    let mut start = with_three();
    at(&mut start, 0, StartInput::Searched(vec![offer("Cellar", Lock::Open)]));
    let shown = screen(&mut start, 80, 24);
    assert!(shown.contains("Cellar") && !shown.contains("Attic"), "{shown}");
    press(&mut start, KeyCode::Down);
    at(&mut start, 0, StartInput::Searched(Vec::new()));
    assert!(screen(&mut start, 80, 24).contains("Is chat-server running"));
    press(&mut start, KeyCode::Enter);
    assert!(screen(&mut start, 80, 24).contains("No server was found yet."));
}

/// The name is asked for after the server, until it can be one; an empty line takes the suggestion.
#[test]
fn name_is_asked_for() {
    let name_of = |lines: &[&str]| {
        let mut start = start(None, true);
        enter(&mut start, "pi");
        assert!(screen(&mut start, 80, 24).contains("name [anna]>"));
        lines.iter().for_each(|it| enter(&mut start, it));
        match start.outcome() {
            Some(Outcome::Answered(Answers { name, .. })) => name.clone(),
            _ => None,
        }
    };
    assert_eq!(name_of(&[""]).as_deref(), Some("anna"));
    assert_eq!(name_of(&["Bob"]).as_deref(), Some("Bob"));
    assert_eq!(name_of(&["two words", ""]).as_deref(), Some("two-words"));
    assert_eq!(name_of(&["two words"]), None);
}

/// An answer has one line: Alt-Enter and Ctrl-J end it, too.
#[test]
fn answer_has_one_line() {
    for (code, held) in
        [(KeyCode::Enter, KeyModifiers::ALT), (KeyCode::Char('j'), KeyModifiers::CONTROL)]
    {
        let mut start = with_three();
        press(&mut start, KeyCode::Char('3'));
        at(&mut start, 0, StartInput::Key(KeyEvent::new(code, held)));
        assert_eq!(server(&start), Some(found("Cellar")));
    }
}

/// Ctrl-C, Ctrl-D, Esc and a signal leave.
#[test]
fn questions_can_be_left() {
    for key in ['c', 'd'] {
        let mut start = start(None, false);
        let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
        at(&mut start, 0, StartInput::Key(key));
        assert_eq!(start.outcome(), Some(&Outcome::Left));
    }
    let mut by_key = start(None, false);
    press(&mut by_key, KeyCode::Esc);
    assert_eq!(by_key.outcome(), Some(&Outcome::Left));
    let mut by_signal = start(None, false);
    at(&mut by_signal, 0, StartInput::End);
    assert_eq!(by_signal.outcome(), Some(&Outcome::Left));
}
