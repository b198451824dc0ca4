//! Questions: password, invitation, name, leaving, pasting, who may come in.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::desk::Desk;
use crate::model::{Command, Dialect, Event, JoinedMesh, PeerCommand, SessionId};
use crate::ui::full_screen::app::Input;

/// Returns the only request.
fn only_command(desk: &mut Desk) -> Command {
    let mut requests = desk.take_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0).command
}

/// A password is asked for, is not shown, and is not in the history.
#[test]
fn password_is_not_shown() {
    let mut desk = Desk::new(60, 10);
    desk.write("half a line");
    desk.event(Event::PasswordWanted { again: false });
    desk.write("sesame");
    let screen = desk.screen();
    assert!(screen.contains("The server has a password."), "{screen}");
    assert!(screen.contains("password> ") && !screen.contains("sesame"), "{screen}");
    desk.press(KeyCode::Enter, KeyModifiers::NONE);
    let Command::Password(password) = only_command(&mut desk) else { panic!() };
    assert_eq!(password.0, "sesame");
    assert_eq!(desk.app.composer.text(), "half a line");
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "half a line");
    desk.event(Event::PasswordWanted { again: true });
    assert!(desk.screen().contains("That was not the password."));
}

/// A name that is taken is asked again; Enter takes the one that is suggested.
#[test]
fn taken_name_is_asked_again() {
    let mut desk = Desk::new(80, 12);
    desk.write("half a line");
    let (name, text) = ("anna".to_owned(), "Somebody here has this name.".to_owned());
    desk.event(Event::NameWanted { name, code: 201, text });
    let screen = desk.screen();
    assert!(screen.contains("name [anna2]> ▏"), "{screen}");
    assert!(screen.contains("Which name would you like instead?"), "{screen}");
    desk.enter_line("");
    let Command::Name(name) = only_command(&mut desk) else { panic!() };
    assert_eq!(name, "anna2");
    assert_eq!(desk.app.composer.text(), "half a line");
}

/// The code of an invitation is asked for until it can be one.
#[test]
fn invitation_is_asked_for() {
    let mut desk = Desk::new(80, 12);
    let text = "Only invited users may join.".to_owned();
    desk.event(Event::InviteWanted { code: 211, text });
    desk.enter_line("nonsense");
    assert!(desk.take_requests().is_empty());
    assert!(desk.screen().contains("invitation> "));
    desk.enter_line("/quit");
    assert!(matches!(only_command(&mut desk), Command::Quit));
}

/// What is typed while the answer to a question is on its way is not sent to everybody.
#[test]
fn answer_that_is_typed_early_is_not_sent() {
    let mut desk = Desk::new(80, 12);
    desk.event(Event::PasswordWanted { again: false });
    desk.enter_line("wrong");
    desk.take_requests();
    desk.enter_line("sesame");
    assert!(desk.take_requests().is_empty());
    assert_eq!(desk.app.composer.text(), "sesame");
    assert!(desk.screen().contains("You are not in the chat yet"), "{}", desk.screen());
}

/// Ctrl-C clears the line first, and asks before it leaves. Nothing that was typed is lost.
#[test]
fn control_c_asks_before_it_leaves() {
    let mut desk = Desk::in_lobby(80, 12);
    desk.write("half a line");
    desk.control('c');
    assert_eq!(desk.app.composer.text(), "");
    assert!(!desk.screen().contains("Leave the chat?"));
    desk.control('c');
    assert!(desk.screen().contains("Leave the chat?"));
    // Whoever goes on typing stays.
    desk.write("x");
    assert_eq!(desk.app.composer.text(), "x");
    desk.control('c');
    assert!(desk.take_requests().is_empty());
    desk.control('c');
    desk.write("y");
    assert!(matches!(only_command(&mut desk), Command::Finish { .. }));
    // Who does not want to wait presses it again.
    desk.control('c');
    assert!(matches!(only_command(&mut desk), Command::Quit));
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "half a line");
}

/// What was written in the editor is not taken for something else that is asked or shown meanwhile.
#[test]
fn text_of_the_editor_stays_with_its_place() {
    let mut desk = Desk::in_lobby(80, 12);
    let edit = |desk: &mut Desk| {
        desk.control('x');
        desk.control('e');
    };
    edit(&mut desk);
    desk.input(Input::Edited(Ok("for the lobby\n".to_owned())));
    assert_eq!(desk.app.composer.text(), "for the lobby");
    edit(&mut desk);
    desk.event(Event::PasswordWanted { again: false });
    desk.input(Input::Edited(Ok("my secret".to_owned())));
    assert_eq!(desk.app.composer.text(), "");
    desk.enter_line("sesame");
    assert_eq!(desk.app.composer.text(), "for the lobby");
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert_eq!(desk.app.composer.text(), "my secret");
    edit(&mut desk);
    desk.input(Input::Edited(Err("vi ended with exit status: 1".to_owned())));
    assert!(desk.screen().contains("vi ended with exit status: 1"), "{}", desk.screen());
    assert_eq!(desk.app.composer.text(), "my secret");
}

/// Ctrl-D on an empty line leaves; before the user has joined it ends the program at once.
#[test]
fn control_d_leaves() {
    let mut desk = Desk::new(80, 12);
    desk.control('d');
    assert!(matches!(only_command(&mut desk), Command::Quit));
    let mut desk = Desk::in_lobby(80, 12);
    desk.control('d');
    assert!(matches!(only_command(&mut desk), Command::Finish { .. }));
    let mut desk = Desk::in_lobby(80, 12);
    desk.enter_line("/quit");
    assert!(matches!(only_command(&mut desk), Command::Finish { .. }));
}

/// More than five pasted lines are asked about, and are never sent by themselves.
#[test]
fn long_paste_is_asked_about() {
    let mut desk = Desk::in_lobby(80, 24);
    let text = (1..=7).map(|it| format!("line {it}")).collect::<Vec<_>>().join("\n");
    desk.input(Input::Paste(text.clone()));
    assert!(desk.screen().contains("Paste 7 lines?"), "{}", desk.screen());
    desk.write("n");
    assert_eq!(desk.app.composer.text(), "");
    desk.input(Input::Paste(text.clone()));
    desk.write("y");
    assert_eq!(desk.app.composer.text(), text);
    assert!(desk.take_requests().is_empty());
    desk.press(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(desk.take_said().1, text);
}

/// A peer that asks shows who wants to come in; Alt-Y and Alt-N answer.
#[test]
fn admission_is_a_question_in_the_window() {
    let mut desk = Desk::with_dialect(80, 12, Dialect::Peers);
    desk.event(Event::JoinedMesh(JoinedMesh {
        session: SessionId(1),
        username: "anna".to_owned(),
        room: "lobby".to_owned(),
        is_closed: false,
        members: vec!["anna".to_owned()],
        history_from: None,
    }));
    let ask = |desk: &mut Desk, name: &str| {
        desk.event(Event::AdmissionRequested { name: name.to_owned() });
    };
    ask(&mut desk, "bob");
    assert!(desk.screen().contains("Let bob in? Press Alt-Y or Alt-N"), "{}", desk.screen());
    assert!(desk.screen().contains("in 10 s the answer is yes"), "{}", desk.screen());
    desk.now = desk.app.next_tick().unwrap();
    desk.input(Input::Tick);
    assert!(desk.screen().contains("in 9 s the answer is yes"), "{}", desk.screen());
    desk.press(KeyCode::Char('n'), KeyModifiers::ALT);
    let Command::Peer(PeerCommand::Admit { name, is_welcome: false }) = only_command(&mut desk)
    else {
        panic!()
    };
    assert_eq!(name, "bob");
    // A command is an answer, too.
    ask(&mut desk, "emil");
    desk.enter_line("/yes EMIL");
    assert!(matches!(only_command(&mut desk), Command::Peer(PeerCommand::Admit { .. })));
    assert!(!desk.screen().contains("Let emil in?"), "{}", desk.screen());
    // A message that begins with one of the letters is no answer.
    ask(&mut desk, "carl");
    ask(&mut desk, "dora");
    assert!(desk.screen().contains("1 more asks."), "{}", desk.screen());
    desk.write("no wait");
    assert_eq!(desk.app.composer.text(), "no wait");
    assert!(desk.take_requests().is_empty());
    // After ten seconds the question has answered itself.
    desk.now += Duration::from_secs(11);
    desk.input(Input::Tick);
    assert!(!desk.screen().contains("Let carl in?"));
}

/// F1 and `/help` show keys and commands; another key closes that.
#[test]
fn help_lies_over_the_messages() {
    let mut desk = Desk::in_lobby(80, 20);
    desk.press(KeyCode::F(1), KeyModifiers::NONE);
    assert!(desk.screen().contains("Tab               completes"), "{}", desk.screen());
    for _ in 0..20 {
        desk.press(KeyCode::PageDown, KeyModifiers::NONE);
    }
    assert!(desk.screen().contains("Any other key closes this."), "{}", desk.screen());
    desk.press(KeyCode::Up, KeyModifiers::NONE);
    assert!(!desk.screen().contains("Any other key closes this."), "{}", desk.screen());
    desk.press(KeyCode::Esc, KeyModifiers::NONE);
    assert!(!desk.screen().contains("closes this"));
    desk.enter_line("/help");
    assert!(desk.screen().contains("Keys"));
}
