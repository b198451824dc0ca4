//! Terminals without a full screen: plain lines, and why.

use std::fs::File;
use std::process::Stdio;

use super::User;
use super::common::Server;
use super::terminal::{Terminal, key};

/// A user who asks for plain lines gets them, and no word about it.
#[test]
fn plain_lines_are_there_for_the_asking() {
    let server = Server::start(&[]);
    let user = User::new("anna");
    let anna = Terminal::start(&user.client(&server, &["--plain"]));
    anna.expect("you are anna in #lobby");
    anna.type_text("hello\n");
    anna.expect("] anna: hello");
    assert!(!anna.written().contains("plain lines") && !anna.written().contains("\x1b[?1049h"));
    anna.type_text(key::CTRL_D);
    anna.expect_success();
}

/// A terminal that cannot move its cursor has plain lines, and is told so.
#[test]
fn dumb_terminals_have_plain_lines() {
    let server = Server::start(&[]);
    for kind in ["dumb", "emacs"] {
        let user = User::new("anna");
        let mut command = user.client(&server, &[]);
        let anna = Terminal::start(command.env("TERM", kind));
        anna.expect("-- plain lines: this terminal cannot show a full screen");
        anna.expect("you are anna in #lobby");
        anna.type_text("hello\n");
        anna.expect("] anna: hello");
        anna.type_text(key::CTRL_D);
        anna.expect_success();
        assert!(!anna.written().contains('\x1b'), "{:?}", anna.written());
    }
}

/// Output into a file is plain lines; the terminal is told so.
#[test]
fn output_into_a_file_is_plain_lines() {
    let (server, directory) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let path = directory.path().join("output");
    let user = User::new("anna");
    let command = user.client(&server, &[]);
    let anna = Terminal::start_with(&command, 80, 24, |it| {
        it.stdout(Stdio::from(File::create(&path).unwrap()));
    });
    anna.expect("-- plain lines: the output is not a terminal");
    anna.expect("you are anna in #lobby");
    anna.type_text(&format!("hello\n{}", key::CTRL_D));
    anna.expect_success();
    let output = std::fs::read_to_string(&path).unwrap();
    assert!(output.contains("] anna: hello"), "{output}");
    assert!(!output.contains('\x1b'), "{output:?}");
}
