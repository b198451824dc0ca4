//! Keys of users, with the real `chat-client` and the real server (`docs/protocol/identity.md`).

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;
#[path = "common/program.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Server, WITH_TLS, isolated_command};
use program::Program;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Starts a server that keeps its messages in this directory, and speaks TLS as well.
fn start(data: &Path) -> Server {
    let data = data.to_str().unwrap();
    Server::start(&[WITH_TLS, &["--data", data, "--announce", "false"]].concat())
}

/// Computer of a user: its home directory.
struct Computer(TempDir);

impl Computer {
    /// Creates a computer on which nothing is saved.
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Returns the directory in which `chat-client` keeps what it needs.
    fn state(&self) -> PathBuf {
        self.0.path().join(".local/state/pi-chat")
    }

    /// Returns the file with the user's key.
    fn key_file(&self) -> PathBuf {
        self.state().join("client.key")
    }

    /// Returns a command for `chat-client` as `name`.
    fn client(&self, server: &str, name: &str, more: &[&str]) -> Command {
        let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
        command.env("HOME", self.0.path()).args([server, "--name", name]).args(more);
        command
    }

    /// Runs a script that says nothing. Returns its exit code and everything that it has written.
    fn run(&self, server: &str, name: &str, more: &[&str]) -> (Option<i32>, String) {
        let mut command = self.client(server, name, more);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }
}

/// Returns the addresses of a server: over plain TCP and over TLS.
fn addresses(server: &Server) -> [String; 2] {
    [format!("chat://{}", server.address()), format!("chats://{}", server.tls_address())]
}

/// Joins as anna, with further arguments. Returns the number of the session, and true if it is that
/// of an earlier run.
fn join(computer: &Computer, server: &str, more: &[&str]) -> (Value, bool) {
    let arguments = [&["--json"], more].concat();
    let mut client = Program::start(computer.client(server, "anna", &arguments));
    let welcome = client.expect_json(&json!({"type": "welcome"}));
    client.finish();
    (welcome["session"].clone(), welcome["session_kept"].as_bool().unwrap())
}

/// The key is proved over plain TCP and over TLS, and makes the session its own: what is saved to
/// come back with is worth nothing without the key, also for a thief who has another.
#[test]
fn stolen_session_is_not_resumed_without_the_key() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    for address in addresses(&server) {
        let (annas, thiefs) = (Computer::new(), Computer::new());
        let (session, _) = join(&annas, &address, &[]);
        assert_eq!(join(&annas, &address, &[]), (session.clone(), true));
        copy_sessions(&annas.state(), &thiefs.state());
        for more in [&["--no-key"], &[][..]] {
            let (other, is_kept) = join(&thiefs, &address, more);
            assert!(!is_kept && other != session, "{address}: {other}");
            copy_sessions(&annas.state(), &thiefs.state());
        }
        assert_ne!(fs::read(annas.key_file()).unwrap(), fs::read(thiefs.key_file()).unwrap());
        assert_eq!(join(&annas, &address, &[]), (session.clone(), true));
        fs::copy(annas.key_file(), thiefs.key_file()).unwrap();
        assert_eq!(join(&thiefs, &address, &[]), (session, true));
    }
}

/// With `--fresh` or `--no-key`, no key is made.
#[test]
fn key_is_made_only_where_it_may_be() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let [_, address] = addresses(&server);
    let computer = Computer::new();
    for more in ["--fresh", "--no-key"] {
        assert_eq!(computer.run(&address, "anna", &[more]).0, Some(0));
        assert!(!computer.key_file().exists(), "{more}");
    }
    assert_eq!(computer.run(&address, "anna", &[]).0, Some(0));
    assert_eq!(fs::read(computer.key_file()).unwrap().len(), 32);
}

/// Copies the saved sessions from one state directory to another, and nothing else.
fn copy_sessions(from: &Path, to: &Path) {
    for server in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if server.file_type().unwrap().is_dir() {
            let copy = to.join(server.file_name());
            fs::create_dir_all(&copy).unwrap();
            for file in fs::read_dir(server.path()).unwrap().map(Result::unwrap) {
                fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
    }
}

/// A server that keeps nothing takes no proofs: everything is as without keys, and no key is made
/// for it.
#[test]
fn server_without_a_key_is_as_before() {
    let server = Server::start(&[]);
    let computer = Computer::new();
    let address = server.address().to_string();
    let (session, _) = join(&computer, &address, &[]);
    assert_eq!(join(&computer, &address, &[]), (session, true));
    assert!(!computer.key_file().exists());
}

/// A damaged key file ends the client with what to do, and is kept. `--no-key` does without it.
#[test]
fn damaged_key_file_is_reported_and_kept() {
    let server = Server::start(&[]);
    let computer = Computer::new();
    fs::create_dir_all(computer.state()).unwrap();
    fs::write(computer.key_file(), "my diary").unwrap();
    let address = server.address().to_string();
    let (code, told) = computer.run(&address, "anna", &[]);
    assert_eq!(code, Some(71), "{told}");
    for part in ["client.key holds no key", "remove it", "--no-key"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(computer.run(&address, "anna", &["--no-key"]).0, Some(0));
    assert_eq!(fs::read(computer.key_file()).unwrap(), b"my diary");
}
