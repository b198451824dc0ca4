//! How the terminal is left, and what is told then.

use std::process::Command;
use std::time::Duration;

use pi_chat::ui::SharedViewState;
use pi_chat::ui::full_screen::{SettingsFile, open};
use rustix::process::Signal;

use super::client_home::ClientHome;
use super::common::{Server, server_command};
use super::terminal::{Life, Terminal, key};
use super::{User, stop};

/// Every way to leave restores the terminal.
#[test]
fn every_way_out_restores_the_terminal() {
    let server = Server::start(&[]);
    for way in ["/quit\r", key::CTRL_D, "\x03\x03", "\x03y"] {
        let anna = User::new("anna").join(&server);
        anna.type_text(way);
        anna.expect_success();
    }
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let anna = User::new("anna").join(&server);
        anna.type_text("draft");
        anna.expect_typed("#lobby> draft");
        anna.signal(signal);
        anna.expect_success();
    }
}

/// Messages that have not arrived are told once the screen is gone, so that they can be copied.
#[test]
fn unsent_messages_are_told_at_the_end() {
    let server = Server::start(&[]);
    let anna = User::new("anna").join(&server);
    stop(&server);
    anna.enter("the message that waits");
    anna.expect("1 message waiting");
    anna.type_text("/quit\r/quit\r");
    assert!(matches!(anna.end(), Life::Exited(_)));
    anna.expect_restored();
    let picture = anna.picture();
    assert!(picture.has("the message that waits"), "{}", picture.text());
    assert!(picture.has("not sent"), "{}", picture.text());
}

/// Closing the window ends the client.
#[test]
fn a_closed_terminal_ends_the_client() {
    let server = Server::start(&[]);
    let mut anna = User::new("anna").join(&server);
    anna.hang_up();
    assert_eq!(anna.end(), Life::Exited(0));
}

/// So does closing it at the first question, which waits for the terminal in another way.
#[test]
fn a_closed_terminal_ends_the_questions() {
    let (server, home) = (Server::start(&[]), ClientHome::new());
    let mut anna = Terminal::start(&home.client(&[&server.address().to_string()]));
    anna.expect("What do you want to be called?");
    anna.hang_up();
    assert!(anna.end().is_over());
}

/// Closing the window of a server stops the server.
#[test]
fn a_closed_terminal_stops_the_server() {
    let mut command = server_command();
    command.args(["--listen", "127.0.0.1:0", "--announce", "false"]);
    let mut server = Terminal::start(&command);
    server.expect("listening on 127.0.0.1:");
    server.hang_up();
    assert_eq!(server.end(), Life::Exited(0));
}

/// Environment variable that makes [`panicking_program`] the program that panics.
const PANICS: &str = "PI_CHAT_TEST_PANICS";

/// A program that panics leaves the terminal as it was, with the message of the panic on it.
#[test]
fn a_panic_restores_the_terminal() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "ending::panicking_program", "--nocapture"]).env(PANICS, "1");
    let terminal = Terminal::start(&command);
    assert!(matches!(terminal.end(), Life::Exited(code) if code != 0));
    terminal.expect_restored();
    terminal.expect_written("\x1b[?1049h");
    assert!(terminal.picture().has("nobody expects this"), "{}", terminal.picture().text());
}

/// Opens the full screen and panics, in the program that [`a_panic_restores_the_terminal`] starts.
/// Otherwise does nothing.
#[test]
fn panicking_program() {
    if std::env::var_os(PANICS).is_none() {
        return;
    }
    let (requests, _queue) = tokio::sync::mpsc::channel(1);
    let patience = Duration::from_secs(1);
    let _screen =
        open(SharedViewState::default(), requests, patience, SettingsFile::default()).unwrap();
    panic!("nobody expects this");
}
