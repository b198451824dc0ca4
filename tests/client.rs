//! `chat-client` as scripts use it: a process with pipes, and the real server.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use common::Server;
use serde_json::{Value, json};

/// Our client for somebody on this server, with nothing of our own settings;
/// it leaves nothing on disk.
fn client(server: &str, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-client"));
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args([server, "--name", name, "--fresh"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with this input to its end.
fn feed(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // It may be gone before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// What was said in these rooms, each with its room.
fn said(server: &Server, rooms: &[&str]) -> Vec<String> {
    let (_, arrival) = server.arrive("witness", rooms);
    arrival.history.iter().map(|it| format!("{}: {}", it.room, it.text)).collect()
}

/// What a program said on standard error.
fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lines behind `/join` and `/leave` go where these have led, although
/// nobody has waited for the answers.
#[test]
fn lines_follow_into_the_room() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let input = "/join #Kitchen\nhello kitchen\n/leave\nafter leave\n";
    let output = feed(client(&address, "anna"), input);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(
        said(&server, &["lobby", "kitchen"]),
        ["Kitchen: hello kitchen", "lobby: after leave"]
    );
}

/// Whether somebody can read what goes wrong changes nothing else.
#[cfg(target_os = "linux")]
#[test]
fn standard_error_that_cannot_be_written() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let server = Server::start(&[]);
    let mut command = client(&server.address().to_string(), "anna");
    command.stderr(full());
    assert_eq!(feed(command, "/nonsense\nhi\n").status.code(), Some(64));
    assert_eq!(said(&server, &["lobby"]), ["lobby: hi"]);
    let mut command = client(&nobody(), "anna");
    command.stderr(full());
    assert_eq!(feed(command, "hi\n").status.code(), Some(69));
    let mut command = client(&server.address().to_string(), "anna");
    command.stdout(full()).stderr(full());
    assert_eq!(feed(command, "/help\nho\n").status.code(), Some(0));
    assert_eq!(said(&server, &["lobby"]), ["lobby: hi", "lobby: ho"]);
}

/// Who does not read what the client writes loses nothing of what it is to
/// say, however late it comes.
#[test]
fn standard_output_that_nobody_reads() {
    for (look, line) in [("--json", "{\"type\":\"say\",\"text\":\"x\"}\n"), ("--plain", "x\n")] {
        let server = Server::start(&[]);
        let mut witness = server.join("witness");
        let mut command = client(&server.address().to_string(), "anna");
        command.arg(look);
        let mut child = command.spawn().unwrap();
        // As `head -1` does it, only sooner.
        drop(child.stdout.take());
        let mut input = child.stdin.take().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        witness.next_entry();
        input.write_all(line.repeat(44).as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{look}: {}", told(&output));
        assert_eq!(witness.entries(44).len(), 44, "{look}");
    }
}

/// Lines and objects give the same exit codes.
#[test]
fn exit_codes_of_scripts() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let (say, refused) =
        (r#"{"type":"say","text":"x"}"#, r#"{"type":"direct","to":"nobody","text":"x"}"#);
    let cases = [
        ("--plain", "x".to_owned(), 0),
        ("--plain", "/nonsense\nx".to_owned(), 64),
        ("--plain", "/nonsense\n/msg nobody x\nx".to_owned(), 77),
        ("--json", say.to_owned(), 0),
        ("--json", format!("nonsense\n{say}"), 64),
        ("--json", format!("nonsense\n{refused}\n{say}"), 77),
    ];
    for (look, input, code) in cases {
        let mut command = client(&address, "anna");
        command.arg(look);
        let output = feed(command, &input);
        assert_eq!(output.status.code(), Some(code), "{look} {input}: {}", told(&output));
        if look == "--plain" && code == 77 {
            assert!(
                told(&output).contains("!! nobody: Nobody has this name."),
                "{}",
                told(&output)
            );
        }
        if look == "--json" {
            let shown = String::from_utf8(output.stdout).unwrap();
            let end: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
            assert_eq!((&end["type"], &end["exit"]), (&json!("end"), &json!(code)), "{input}");
        }
    }
    // What comes after a mistake is still said.
    assert_eq!(said(&server, &["lobby"]).len(), 6);
}
