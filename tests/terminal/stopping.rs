//! Stopping the program, and letting it go on.

use std::process::Command;

use rustix::process::Signal;

use super::common::Server;
use super::terminal::{Terminal, key};
use super::{User, expect_lobby, leave};

/// Ctrl-Z leaves the terminal as it was and stops the program. When it goes on, everything is drawn
/// again, with what was typed, and with what was said meanwhile.
#[test]
fn ctrl_z_gives_the_terminal_back() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    let anna = User::new("anna").join(&server);
    anna.type_text("draft");
    anna.expect_typed("#lobby> draft");
    for _ in 0..2 {
        anna.type_text(key::CTRL_Z);
        anna.wait_for_stop();
        anna.expect_restored();
        anna.scribble("[1]+  Stopped\r\n$ fg\r\n");
        bob.say("lobby", "meanwhile");
        bob.drain();
        anna.signal(Signal::CONT);
        anna.wait_for("everything", |it| it.is_alternate && it.has(" bob: meanwhile"));
        anna.expect_typed("#lobby> draft");
    }
    anna.type_text(&format!("s{}", key::ENTER));
    anna.expect(" anna: drafts");
    leave(&anna);
}

/// So it does after it was stopped from outside, when it could not leave the terminal: a shell has
/// changed the modes then, and written something.
#[test]
fn a_program_stopped_from_outside_takes_the_terminal_again() {
    let server = Server::start(&[]);
    let anna = User::new("anna").join(&server);
    anna.type_text("draft");
    anna.expect_typed("#lobby> draft");
    let modes = anna.modes();
    anna.signal(Signal::STOP);
    anna.wait_for_stop();
    anna.set_modes_of_shell();
    anna.scribble("\x1b[?1049l\x1b[?2004l[1]+  Stopped\r\n$ fg\r\n");
    anna.signal(Signal::CONT);
    anna.wait_for("everything", |it| it.is_alternate && it.has("you are anna in #lobby"));
    anna.expect_typed("#lobby> draft");
    assert_eq!(anna.modes(), modes);
    anna.type_text(&format!("\x1b[DX{}", key::ENTER));
    anna.expect(" anna: drafXt");
    leave(&anna);
}

/// The same in a real shell, with job control.
#[test]
fn a_shell_stops_the_program_and_goes_on_with_it() {
    let server = Server::start(&[]);
    let user = User::new("anna");
    let client = user.client(&server, &[]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "shell> ").env("PATH", "/usr/bin:/bin");
    for (name, value) in client.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let shell = Terminal::start(&shell);
    shell.wait_for("the shell", |it| it.has("shell>"));
    let line = [client.get_program()].into_iter().chain(client.get_args());
    let line: Vec<_> = line.map(|it| format!("'{}'", it.to_str().unwrap())).collect();
    shell.enter(&line.join(" "));
    expect_lobby(&shell);
    shell.type_text("draft");
    shell.expect_typed("#lobby> draft");
    shell.type_text(key::CTRL_Z);
    shell.wait_for("the shell", |it| !it.is_alternate && it.has("Stopped"));
    // The shell reads lines, and the terminal echoes them.
    shell.enter("echo sum-$((40+2))");
    shell.expect("sum-42");
    // And back again.
    shell.enter("fg");
    shell.wait_for("the chat", |it| it.is_alternate && it.has_typed("#lobby> draft"));
    shell.type_text(&format!("s{}", key::ENTER));
    shell.expect(" anna: drafts");
    shell.enter("/quit");
    shell.wait_for("the shell", |it| !it.is_alternate && it.rows.iter().any(|it| it == "shell>"));
    shell.enter("echo $?; exit");
    shell.end();
    shell.expect_restored();
}
