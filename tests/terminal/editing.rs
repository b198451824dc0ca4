//! The user's own editor.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use tempfile::tempdir;

use super::common::Server;
use super::terminal::{Terminal, key};
use super::{User, expect_lobby, leave};

/// Writes an editor, a shell script, and returns its path.
fn write_editor(directory: &Path, script: &str) -> String {
    let path = directory.join("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Starts `chat-client` with this editor, and waits until the user is in the lobby.
fn start(user: &User, server: &Server, editor: &str) -> Terminal {
    let mut command = user.client(server, &[]);
    command.env("EDITOR", editor).env("PATH", "/usr/bin:/bin");
    let terminal = Terminal::start(&command).keep(user.home.clone());
    expect_lobby(&terminal);
    terminal
}

/// The editor gets the terminal and what was typed. Its text comes back, and so does everything that
/// was said meanwhile: the connection is kept.
#[test]
fn text_comes_back_from_the_editor() {
    let (server, directory) = (Server::start(&[]), tempdir().unwrap());
    let mut bob = server.join("bob");
    let script = "printf 'the text is: '; cat \"$1\"; echo; read line; printf '%s\\nsecond\\n' \"$line\" > \"$1\"";
    let editor = write_editor(directory.path(), script);
    let anna = start(&User::new("anna"), &server, &editor);
    anna.type_text(&format!("draft{}", key::CTRL_X_CTRL_E));
    anna.wait_for("the editor", |it| !it.is_alternate && it.has("the text is: draft"));
    bob.say_in_lobby("meanwhile");
    bob.expect_nothing();
    // The terminal is the editor's: it echoes, and nothing of the chat is drawn.
    anna.type_text("edited");
    let picture = anna.expect("edited");
    assert!(!picture.has("meanwhile") && !picture.has("#lobby"), "{}", picture.text());
    anna.type_text("\n");
    anna.wait_for("the text", |it| {
        it.is_alternate
            && it.has(" bob: meanwhile")
            && it.has(" connected")
            && it.rows[22] == "#lobby> edited"
            && it.rows[23] == "        second"
    });
    anna.type_text(key::ENTER);
    assert_eq!(bob.next_entry().text, "edited\nsecond");
    leave(&anna);
}

/// An editor that does not work is told, and what was typed is not lost.
#[test]
fn an_editor_that_fails_loses_nothing() {
    let server = Server::start(&[]);
    let anna = start(&User::new("anna"), &server, "/bin/false");
    anna.type_text(&format!("draft{}", key::CTRL_X_CTRL_E));
    anna.expect("The text is as it was: /bin/false ended with error 1.");
    anna.expect_typed("#lobby> draft");
    leave_with_draft(&anna);
}

/// Clears the line and leaves.
fn leave_with_draft(terminal: &Terminal) {
    terminal.type_text(key::CTRL_C);
    terminal.expect_typed("#lobby> ");
    leave(terminal);
}

/// Ctrl-Z in the editor stops both programs, as one job of the shell.
#[test]
fn an_editor_is_stopped_with_the_program() {
    let (server, directory) = (Server::start(&[]), tempdir().unwrap());
    let script =
        "echo ready; read line; kill -s TSTP 0; echo again; read line; printf end > \"$1\"";
    let editor = write_editor(directory.path(), script);
    let anna = start(&User::new("anna"), &server, &editor);
    anna.type_text(key::CTRL_X_CTRL_E);
    anna.expect("ready");
    anna.type_text("\n");
    anna.wait_for_stop();
    anna.signal_group(Signal::CONT);
    let picture = anna.expect("again");
    assert!(!picture.is_alternate, "{}", picture.text());
    anna.type_text("\n");
    anna.expect_typed("#lobby> end");
    leave_with_draft(&anna);
}
