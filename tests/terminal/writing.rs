//! The line that is typed, and messages that come meanwhile.

use super::common::Server;
use super::terminal::{Terminal, key};
use super::{User, expect_said, leave};

/// What is typed is there once, whoever speaks meanwhile. What arrives changes neither the line that
/// is typed nor its cursor.
#[test]
fn messages_come_while_a_line_is_typed() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    anna.enter("first");
    anna.wait_for("the echo", |it| it.has(" ms ") && it.has(" anna: first"));
    anna.type_text("half a line");
    anna.expect_typed("#lobby> half a line");
    // The cursor is moved into the line.
    anna.type_text("\x1b[D\x1b[D");
    let before = anna.wait_for("the cursor two columns back", |it| it.cursor.1 == 17);
    bob.say("lobby", "here I am");
    let after = anna.expect(" bob: here I am");
    assert_eq!((after.input(), after.cursor), (before.input(), before.cursor));
    anna.type_text("!");
    anna.wait_for("the letter at the cursor", |it| it.input() == "#lobby> half a li!ne");
    anna.type_text(key::ENTER);
    expect_said(&anna, " anna: half a li!ne");
    bob.say("lobby", "and good night");
    let picture = anna.expect(" bob: and good night");
    for text in [" anna: first", " bob: here I am", " anna: half a li!ne"] {
        assert_eq!(picture.count(text), 1, "{}", picture.text());
    }
    leave(&anna);
    // One message each, and in this order.
    let texts = |it: &[&str]| it.join("|");
    let (_, answer) = server.join_rooms("carl", &[]);
    assert_eq!(texts(&answer.texts()), "first|here I am|half a li!ne|and good night");
}

/// Lines that are typed faster than they are carried out are all sent, in their order. So are those
/// that were typed before the connection was there.
#[test]
fn fast_lines_are_all_sent() {
    let server = Server::start(&["--burst", "1000"]);
    let user = User::new("anna");
    let anna = user.start(&server);
    anna.wait_for("the screen", |it| it.is_alternate);
    let lines: Vec<String> = (0..40).map(|it| format!("word{it}")).collect();
    anna.type_text(&lines.iter().map(|it| format!("{it}\r")).collect::<String>());
    anna.wait_for("the last line", |it| it.has(" anna: word39") && it.has(" connected"));
    leave(&anna);
    let (_, answer) = server.join_rooms("carl", &[]);
    let last = answer.texts().join(" ");
    assert_eq!(last, lines[30..].join(" "));
}

/// Tab completes commands and names.
#[test]
fn tab_completes() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    anna.type_text(&format!("/wh{}", key::TAB));
    anna.expect_typed("#lobby> /who ");
    anna.type_text(key::ENTER);
    anna.wait_for("who is here", |it| it.has("anna, bob"));
    anna.type_text(&format!("BO{}look", key::TAB));
    anna.expect_typed("#lobby> bob: look");
    anna.type_text(key::ENTER);
    assert_eq!(bob.next_entry().text, "bob: look");
    leave(&anna);
}

/// Two pasted lines are one message. Seven are a question first, and so is nothing sent by pasting.
#[test]
fn pasted_lines_are_one_message() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    anna.paste("one\ntwo");
    anna.wait_for("both lines", |it| it.rows[22] == "#lobby> one" && it.rows[23] == "        two");
    anna.type_text(key::ENTER);
    assert_eq!(bob.next_entry().text, "one\ntwo");
    let seven = "a\nb\nc\nd\ne\nf\ng\n";
    anna.paste(seven);
    anna.expect("Paste 7 lines?");
    anna.type_text("n");
    anna.wait_for("nothing", |it| !it.has("Paste 7 lines?") && it.has_typed("#lobby> "));
    anna.paste(seven);
    anna.expect("Paste 7 lines?");
    anna.type_text("y");
    let picture = anna.wait_for("the lines", |it| it.has("#lobby> a") && it.has("        g"));
    assert_eq!(picture.count("anna:"), 1, "{}", picture.text());
    anna.type_text(key::ENTER);
    assert_eq!(bob.next_entry().text.trim_end(), seven.trim_end());
    leave(&anna);
}

/// Up brings back what was sent, Down the line that was being typed.
#[test]
fn up_brings_back_what_was_sent() {
    let server = Server::start(&[]);
    let anna = User::new("anna").join(&server);
    anna.enter("the first");
    anna.enter("the second");
    anna.type_text("begun");
    anna.expect_typed("#lobby> begun");
    anna.type_text(key::UP);
    anna.expect_typed("#lobby> the second");
    anna.type_text(key::UP);
    anna.expect_typed("#lobby> the first");
    anna.type_text(&format!("{}{}", key::DOWN, key::DOWN));
    anna.expect_typed("#lobby> begun");
    anna.type_text(&format!("{}{} again{}", key::UP, key::UP, key::ENTER));
    anna.expect(" anna: the first again");
    anna.expect_typed("#lobby> ");
    leave(&anna);
}

/// A message that names the user rings the bell; what somebody says who is ignored is not shown.
#[test]
fn names_ring_and_ignored_people_are_not_shown() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    anna.enter("/ignore BOB");
    anna.expect("You ignore BOB now");
    bob.say("lobby", "anna? unseen");
    anna.enter("after it");
    anna.wait_for("the echo", |it| it.has(" ms ") && it.has(" anna: after it"));
    assert_eq!(anna.picture().count("unseen"), 0);
    anna.type_text(&format!("/unig{}B{}{}", key::TAB, key::TAB, key::ENTER));
    anna.expect("You no longer ignore BOB");
    // Only in another window a bell is needed.
    anna.type_text("\x1b[O");
    bob.say("lobby", "anna! seen, trick \u{202e}ecno");
    anna.expect(" bob: anna! seen");
    assert!(!anna.written().contains('\u{202e}'));
    anna.expect_written("\u{7}");
    leave(&anna);
}

/// What is set lasts: the next start has the same colours.
#[test]
fn settings_last() {
    let (server, user) = (Server::start(&[]), User::new("anna"));
    let background = |it: &Terminal| {
        it.with_screen(|screen| screen.cell(5, 0).map(vt100::Cell::bgcolor)).unwrap()
    };
    let anna = user.join(&server);
    assert_eq!(background(&anna), vt100::Color::Default);
    anna.enter("/set theme dark");
    anna.expect_written("48;5;");
    leave(&anna);
    let anna = user.join(&server);
    assert_ne!(background(&anna), vt100::Color::Default);
    leave(&anna);
}
