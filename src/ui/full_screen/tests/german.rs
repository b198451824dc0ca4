//! The full screen of a user who reads German.

use std::time::Duration;

use insta::assert_snapshot;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::desk::Desk;
use super::screens::busy_desk;
use crate::l10n::tests::with_language;
use crate::l10n::{self, Argument, Language};
use crate::model::{ConnectionState, Event, Security};
use crate::ui::full_screen::app::{Output, Place};
use crate::ui::full_screen::text::columns;

/// Returns the screen of a German user.
fn german_screen(width: u16, height: u16, has_help: bool) -> String {
    with_language(Language::German, || {
        let mut desk = busy_desk(width, height);
        desk.event(Event::Presence {
            room: "lobby".to_owned(),
            members: 4,
            joined: Some(vec!["carl".to_owned(), "dora".to_owned()]),
            left: Some(vec!["bob".to_owned()]),
        });
        if has_help {
            desk.press(KeyCode::F(1), KeyModifiers::NONE);
        }
        desk.screen()
    })
}

#[test]
fn small_terminal() {
    assert_snapshot!(german_screen(40, 10, false));
}

#[test]
fn usual_terminal() {
    assert_snapshot!(german_screen(80, 24, false));
}

#[test]
fn help() {
    assert_snapshot!(german_screen(80, 24, true));
}

#[test]
fn help_on_a_small_terminal() {
    assert_snapshot!(german_screen(40, 10, true));
}

/// Returns the status line, and the numbers of whole parts on its left and on its right.
fn status_line(desk: &mut Desk) -> (String, usize, usize) {
    let screen = desk.screen();
    let line = screen.lines().nth_back(1).unwrap().trim();
    let (left, right) = line.split_once("  ").unwrap_or((line, ""));
    let whole = left.split(" · ").count() - usize::from(left.ends_with('…'));
    (line.to_owned(), whole, right.split(" · ").filter(|it| !it.is_empty()).count())
}

/// In 80 columns, nothing of the status line is cut off or left out in German that there is room for
/// in English.
#[test]
fn status_line_fits() {
    let mut desk = Desk::in_lobby(80, 8);
    (0..20).for_each(|_| desk.hear("bob", "hello"));
    desk.enter("garden", 2);
    let encrypted = |security| ConnectionState::Encrypted { fingerprint: String::new(), security };
    let encryption = [
        encrypted(Security::Verified),
        encrypted(Security::FirstUse),
        ConnectionState::Plain { is_tls_offered: false },
    ];
    let states = [
        ConnectionState::Responsive,
        ConnectionState::Reconnecting { delay: Duration::from_secs(12) },
        ConnectionState::Unresponsive { requests: 1 },
        ConnectionState::Disconnected { reason: "gone".to_owned().into() },
    ];
    for waiting in [0, 1, 11] {
        (0..waiting).for_each(|_| desk.enter_line("hello"));
        for event in encryption.iter().chain(&states) {
            desk.event(Event::Connection(event.clone()));
            for unread in [None, Some(0), Some(3), Some(120)] {
                let key = if unread.is_some() { KeyCode::PageUp } else { KeyCode::Esc };
                desk.press(key, KeyModifiers::NONE);
                desk.app.conversations.current_mut().unread = unread.unwrap_or(0);
                compare_status_lines(&mut desk);
            }
        }
    }
}

/// Compares the status lines in English and German, with and without what may also be in them.
fn compare_status_lines(desk: &mut Desk) {
    for (elsewhere, people, latency) in
        [(0, 3, 3), (0, 25, 240), (1, 1, 3), (1, 3, 12), (12, 3, 3), (120, 25, 240)]
    {
        desk.app.conversations.iter_mut().nth(1).unwrap().unread = elsewhere;
        desk.app.conversations.current_mut().people = Some(people);
        desk.app.connection.latency = Some(Duration::from_millis(latency));
        let (english, left, right) = status_line(desk);
        let (german, german_left, german_right) =
            with_language(Language::German, || status_line(desk));
        assert!(german_left >= left && german_right >= right, "{english}\n{german}");
    }
}

/// Questions and hints, which have one row, are not cut off in German where they are whole in English.
#[test]
fn questions_and_hints_fit() {
    let columns_of = |id: &str, count: u32| {
        let arguments = [
            ("name", Argument::from("christine")),
            ("seconds", Argument::from(30)),
            ("others", Argument::from(count - 1)),
            ("lines", Argument::from(count)),
            ("bytes", Argument::from(count)),
        ];
        columns(&l10n::find(id, arguments).unwrap())
    };
    for id in [
        "ask-password",
        "ask-password-again",
        "ask-invite",
        "ask-leave",
        "ask-paste",
        "ask-paste-cut",
        "ask-admission",
        "hint-opening",
        "hint-older",
        "hint-full",
        "hint-too-long",
    ] {
        for count in [1, 2, 12] {
            let english = columns_of(id, count);
            let german = with_language(Language::German, || columns_of(id, count));
            for room in [38, 78] {
                assert!(german <= room || english > room, "{id}: {german}, but {english}");
            }
        }
    }
}

/// The letter of "ja" says yes, as Y does; in English it is a letter as any other.
#[test]
fn ja_says_yes() {
    let answer = |letter: &str| {
        let mut desk = Desk::in_lobby(40, 10);
        desk.take_requests();
        desk.control('c');
        desk.write(letter);
        (desk.take_requests().len(), desk.app.composer.text().to_owned())
    };
    let german = |letter: &str| with_language(Language::German, || answer(letter));
    let (left, stayed) = ((1, String::new()), (0, "j".to_owned()));
    assert_eq!((german("j"), german("J"), german("y")), (left.clone(), left.clone(), left.clone()));
    assert_eq!((answer("y"), answer("j")), (left, stayed));
}

/// What is told beside the screen is German, too: the title, and notifications of the desktop.
#[test]
fn title_and_notifications_are_german() {
    with_language(Language::German, || {
        let mut desk = Desk::new(40, 10);
        desk.event(Event::AdmissionRequested { name: "bob".to_owned() });
        let shown = desk.screen();
        assert!(shown.contains("bob hereinlassen?"), "{shown}");
        let is_title = |it: &Output| matches!(it, Output::Title(title) if title == "Chat");
        assert!(desk.outputs.iter().any(is_title), "{:?}", desk.outputs);
        assert_eq!(Place::Start.label(), "Start");
    });
}
