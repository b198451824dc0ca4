//! Older messages, and other sizes of the terminal.

use super::common::Server;
use super::terminal::{Picture, Terminal, key};
use super::{User, leave};

/// Number of messages that were said before the user came: more than come with the join, and more
/// than one answer has.
const MESSAGES: usize = 300;

/// Returns the numbers of the messages that a picture shows, from top to bottom.
fn numbers(picture: &Picture) -> Vec<usize> {
    let number = |row: &String| row.split_once("message ")?.1.parse().ok();
    picture.rows.iter().filter_map(number).collect()
}

/// Presses a key, and returns the picture once it is drawn and no messages are on their way.
fn press(terminal: &Terminal, key: &str) -> Picture {
    let frames = terminal.frames();
    terminal.type_text(key);
    terminal.wait_for_frames(frames + 1);
    terminal.expect_gone("fetching older messages")
}

/// Page Up goes back to the first message that was ever said, without a gap and without a jump. Esc
/// returns to the newest one, and what was being typed is still there.
#[test]
fn page_up_reads_back_to_the_first_message() {
    let server = Server::start(&["--burst", "1000"]);
    let mut bob = server.join("bob");
    for number in 1..=MESSAGES {
        bob.say_in_lobby(&format!("message {number}"));
    }
    let anna = User::new("anna").join(&server);
    anna.type_text("draft");
    let mut picture = anna.expect_typed("#lobby> draft");
    assert_eq!(numbers(&picture).last(), Some(&MESSAGES));
    let mut presses = 0;
    while !numbers(&picture).contains(&1) {
        presses += 1;
        assert!(presses < 200, "the first message does not come:\n{}", picture.text());
        let before = picture;
        picture = press(&anna, key::PAGE_UP);
        let (old, new) = (numbers(&before), numbers(&picture));
        assert!(new.windows(2).all(|it| it[0] + 1 == it[1]), "{new:?}");
        // It overlaps with what was there before, or begins directly above it.
        assert!(new.first() <= old.first() && new.last() >= old.first(), "{old:?} {new:?}");
        assert!(!new.is_empty());
    }
    assert!(picture.has("reading back"), "{}", picture.text());
    // What is said meanwhile does not move what one reads.
    bob.say_in_lobby("message 301");
    let later = anna.expect("1 new below");
    assert_eq!(numbers(&later), numbers(&picture));
    anna.type_text(key::ESC);
    anna.wait_for("the newest message", |it| it.has("message 301") && !it.has("reading back"));
    anna.expect_typed("#lobby> draft");
    leave_with_draft(&anna);
}

/// Clears the line and leaves.
fn leave_with_draft(terminal: &Terminal) {
    terminal.type_text(key::CTRL_C);
    terminal.expect_typed("#lobby> ");
    leave(terminal);
}

/// Returns what is typed, from all its rows, without blanks.
fn typed(picture: &Picture) -> Option<String> {
    let first = picture.rows.iter().position(|it| it.starts_with("#lobby> "))?;
    let text = picture.rows[first..].concat();
    Some(text.trim_start_matches("#lobby> ").replace(' ', ""))
}

/// A terminal that becomes narrower, very small and wider again loses nothing: neither what is typed
/// nor messages. The cursor is always in the window.
#[test]
fn other_sizes_lose_nothing() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    for text in ["one of the first messages, long enough for a narrow terminal", "short"] {
        bob.say_in_lobby(text);
    }
    anna.expect(" bob: short");
    let words: String = (0..24).map(|it| format!("word{it} ")).collect();
    anna.type_text(words.trim_end());
    let all = words.replace(' ', "");
    anna.wait_for("what is typed", |it| typed(it).as_deref() == Some(&all));
    for (columns, rows) in [(40, 24), (20, 6), (5, 3), (2, 2), (1, 1), (120, 40), (33, 30)] {
        let frames = anna.frames();
        anna.resize(columns, rows);
        anna.wait_for_frames(frames + 1);
        let picture = anna
            .wait_for("a cursor in the window", |it| it.cursor.0 < rows && it.cursor.1 < columns);
        if columns >= 33 {
            anna.wait_for("what is typed", |it| typed(it).as_deref() == Some(&all));
            assert!(picture.has("bob: short"), "{}", picture.text());
        }
    }
    bob.say_in_lobby("still here");
    anna.resize(80, 24);
    anna.wait_for("everything", |it| {
        typed(it).as_deref() == Some(&all)
            && it.has("bob: one of the first messages, long enough for a narrow terminal")
            && it.has("bob: short")
            && it.has("bob: still here")
    });
    anna.type_text(key::ENTER);
    assert_eq!(bob.next_entry().text, words.trim_end());
    leave(&anna);
}
