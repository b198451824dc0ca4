//! Whole screens at several sizes, compared with those that are kept in `snapshots`.

use insta::assert_snapshot;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::desk::Desk;
use crate::model::{Event, Message, Style};

/// Returns a desk with messages of all kinds on a terminal of this size.
pub(super) fn busy_desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::in_lobby(width, height);
    for (from, text) in [
        ("bob", "Has anybody seen my keys? They were on the table when I left this morning."),
        ("Ünal", "Look under *the sofa*: https://example.org/where-keys-go, `ls -l`."),
        ("陳大文", "我在這裡 👩‍👧 flags 🇩🇪🇫🇷 done"),
        ("דנה", "שלום לכולם, מה שלומכם היום? אני כאן"),
    ] {
        desk.hear(from, text);
    }
    let waves = Message { style: Style::ACTION, ..desk.message("lobby", "bob", "waves") };
    desk.event(Event::Message(waves));
    desk.enter_line("found them, anna says");
    desk.enter_line("/join garden");
    desk.enter("garden", 1);
    desk.press(KeyCode::Char('1'), KeyModifiers::ALT);
    desk.hear_direct("bob", "thank you");
    desk.write("and now a longer line that");
    desk
}

#[test]
fn small_terminal() {
    assert_snapshot!(busy_desk(40, 10).screen());
}

#[test]
fn usual_terminal() {
    assert_snapshot!(busy_desk(80, 24).screen());
}

#[test]
fn wide_terminal() {
    assert_snapshot!(busy_desk(200, 60).screen());
}

#[test]
fn help() {
    let mut desk = busy_desk(80, 24);
    desk.press(KeyCode::F(1), KeyModifiers::NONE);
    assert_snapshot!(desk.screen());
}
