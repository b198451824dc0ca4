//! Test of `chat-client` and `chat-server` on a terminal. The script `terminal.py` provides the
//! pseudo terminal, with Python's standard library.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking; not every test needs all of the harness"
)]

mod common;

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use common::{Server, run_server_command};

/// Runs a Python script of this directory, which exits with 0 if it finds no fault. Panics with its
/// error text otherwise.
fn run_script(name: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let output = Command::new("python3").arg("-B").arg(script).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// A session of one user with messages of another one in between, and further short sessions.
#[test]
fn terminal_session_edits_completes_and_shows_messages() {
    let server = Server::start(&[]);
    let (client, program) = (env!("CARGO_BIN_EXE_chat-client"), env!("CARGO_BIN_EXE_chat-server"));
    run_script("terminal.py", &[client, &server.address().to_string(), program]);
}

/// Users of one login name meet: the second is asked for another name, where Enter takes the one
/// suggested, and has it the next time.
#[test]
fn taken_or_invalid_name_asks_for_another() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let port = UdpSocket::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port();
    let (client, peer) = (env!("CARGO_BIN_EXE_chat-client"), env!("CARGO_BIN_EXE_chat-peer"));
    run_script(
        "name_question.py",
        &[
            client,
            peer,
            &server.address().to_string(),
            &port.to_string(),
            directory.path().to_str().unwrap(),
        ],
    );
}

/// Where only invited people come in, the user is asked for the code, until it is a valid one.
#[test]
fn missing_invitation_is_asked_for() {
    let (data, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = data.path().to_str().unwrap();
    let server = Server::start(&["--data", path, "--announce", "false", "--access", "invited"]);
    let output = run_server_command(&["invite", "--code", "--json", "--data", path]);
    let issued: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    run_script(
        "invite_question.py",
        &[
            env!("CARGO_BIN_EXE_chat-client"),
            &server.address().to_string(),
            issued["invited"]["code"].as_str().unwrap(),
            home.path().to_str().unwrap(),
        ],
    );
}
