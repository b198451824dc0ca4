//! Test of `chat-client` and `chat-server` on a terminal. The script `terminal.py` provides the pseudo terminal, with
//! Python's standard library.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests fail by panicking; not every test needs all of the harness"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::Server;

#[test]
fn terminal_session_edits_completes_and_shows_messages() {
    let server = Server::start(&[]);
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terminal.py"))
        .args([env!("CARGO_BIN_EXE_chat-client"), &server.address().to_string()])
        .arg(env!("CARGO_BIN_EXE_chat-server"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}
