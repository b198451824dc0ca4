//! Keys of users, names of their own and invitations, with the real `chat-client` and the real
//! server (`docs/protocol/identity.md`).

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "common/client_home.rs"]
mod client_home;
mod common;
#[path = "common/program.rs"]
mod program;
#[path = "common/tls_proxy.rs"]
mod tls_proxy;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use client_home::{ClientHome, addresses};
use common::{Server, WITH_TLS, run_server_command};
use program::{Program, python_example};
use serde_json::{Value, json};
use tempfile::TempDir;
use tls_proxy::TlsProxy;

/// What a user is told whose name somebody else has claimed.
const CLAIMED: &str = "anna: This name belongs to somebody. Choose another, or come from the \
                       device on which it was claimed, or with the invitation for it.";

/// Starts a server that keeps its messages in this directory, speaks TLS as well, and lets
/// everybody claim a name.
fn start(data: &Path) -> Server {
    start_with(data, &["--claims", "open"])
}

/// Starts a server that keeps its messages in this directory, and speaks TLS as well, with further
/// arguments.
fn start_with(data: &Path, more: &[&str]) -> Server {
    let data = data.to_str().unwrap();
    Server::start(&[WITH_TLS, &["--data", data, "--announce", "false"], more].concat())
}

/// Computer of a user.
struct Computer(ClientHome);

impl Computer {
    /// Creates a computer on which nothing is saved.
    fn new() -> Self {
        Self(ClientHome::new())
    }

    /// Returns the directory in which `chat-client` keeps what it needs.
    fn state(&self) -> PathBuf {
        self.0.state()
    }

    /// Returns the file with the user's key.
    fn key_file(&self) -> PathBuf {
        self.state().join("client.key")
    }

    /// Returns a command for `chat-client` as `name`.
    fn client(&self, server: &str, name: &str, more: &[&str]) -> Command {
        self.0.client(&[&[server, "--name", name], more].concat())
    }

    /// Runs a script that says nothing. Returns its exit code and everything that it has written.
    fn run(&self, server: &str, name: &str, more: &[&str]) -> (Option<i32>, String) {
        self.0.visit(&[&[server, "--name", name], more].concat())
    }

    /// Carries out a request in JSON lines as `name`, and returns its answer.
    fn request(&self, server: &str, name: &str, kind: &str) -> Value {
        let mut client = Program::start(self.client(server, name, &["--json"]));
        client.send_json(&json!({"type": kind, "id": 7}));
        let answer = client.expect_json(&json!({"id": 7}));
        client.finish();
        answer
    }

    /// Claims the name, or gives it up (`unclaim`). Panics if the server refuses.
    fn change_claim(&self, server: &str, name: &str, kind: &str) {
        let answer = self.request(server, name, kind);
        assert_eq!(answer["type"], "done", "{answer}");
    }
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

/// A server that keeps nothing takes no proofs: everything is as without keys, no key is made for it,
/// and a claim is refused with the reason.
#[test]
fn server_without_a_key_is_as_before() {
    let server = Server::start(&[]);
    let computer = Computer::new();
    let address = server.address().to_string();
    let (session, _) = join(&computer, &address, &[]);
    assert_eq!(join(&computer, &address, &[]), (session, true));
    let answer = computer.request(&address, "anna", "claim");
    assert!(answer["text"].as_str().unwrap().contains("keeps nothing on disk"), "{answer}");
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
    for part in ["client.key does not contain a key", "remove it", "--no-key"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(computer.run(&address, "anna", &["--no-key"]).0, Some(0));
    assert_eq!(fs::read(computer.key_file()).unwrap(), b"my diary");
}

/// A claimed name is for who has the key, over plain TCP and TLS, also after a restart of client and
/// server, and on a computer to which the key was copied. Others are told so, and get another name.
#[test]
fn claimed_name_is_for_who_has_the_key() {
    let data = TempDir::new().unwrap();
    let (annas, bobs, second) = (Computer::new(), Computer::new(), Computer::new());
    let mut server = start(data.path());
    annas.change_claim(&addresses(&server)[0], "anna", "claim");
    fs::create_dir_all(second.state()).unwrap();
    fs::copy(annas.key_file(), second.key_file()).unwrap();
    // After a crash the name might wait for the session, which is known at the old address only.
    server.terminate();
    let server = start(data.path());
    for address in addresses(&server) {
        let (code, told) = bobs.run(&address, "anna", &[]);
        assert!(code == Some(77) && told.contains(CLAIMED), "{code:?} {told}");
        let (code, told) = bobs.run(&address, "bob", &[]);
        assert_eq!(code, Some(0), "{told}");
        for computer in [&annas, &second] {
            let (code, told) = computer.run(&address, "anna", &[]);
            assert_eq!(code, Some(0), "{told}");
        }
    }
}

/// Without the key, or with `--no-key`, the name is refused, and the client says how to get it.
/// With `--fresh` a key that is there counts, and none is made.
#[test]
fn key_is_used_unless_it_is_forbidden() {
    let data = TempDir::new().unwrap();
    let (annas, others) = (Computer::new(), Computer::new());
    let server = start(data.path());
    let [_, address] = addresses(&server);
    annas.change_claim(&address, "anna", "claim");
    let (code, told) = annas.run(&address, "anna", &["--no-key"]);
    assert!(code == Some(77) && told.contains("come without --no-key"), "{told}");
    let mut command = annas.client(&address, "anna", &[]);
    let output = command.env("PI_CHAT_NO_KEY", "1").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    let (code, told) = annas.run(&address, "anna", &["--fresh"]);
    assert_eq!(code, Some(0), "{told}");
    for more in ["--fresh", "--no-key"] {
        let (code, told) = others.run(&address, "bob", &[more]);
        assert_eq!(code, Some(0), "{told}");
        assert!(!others.key_file().exists(), "{more}");
    }
    let answer = {
        let mut client = Program::start(others.client(&address, "bob", &["--json", "--no-key"]));
        client.send_json(&json!({"type": "claim", "id": 7}));
        let answer = client.expect_json(&json!({"id": 7}));
        client.finish();
        answer
    };
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(0)), "{answer}");
}

/// Behind a proxy that ends TLS no proof holds. The client says what to do, and that helps.
#[test]
fn proof_behind_a_proxy_that_ends_tls_is_refused_with_the_way_out() {
    let (data, computer) = (TempDir::new().unwrap(), Computer::new());
    let server = start(data.path());
    let proxy = TlsProxy::start(server.address());
    let address = format!("chats://{}", proxy.address);
    for more in [&[][..], &["--json"]] {
        let (code, told) = computer.run(&address, "anna", more);
        assert_eq!(code, Some(77), "{told}");
        let way_out =
            "If a proxy that you trust ends the encryption on the way, start with --no-key;";
        assert!(told.contains(way_out), "{told}");
    }
    let (code, told) = computer.run(&address, "anna", &["--no-key"]);
    assert_eq!(code, Some(0), "{told}");
}

/// A claim that is given up leaves the name to others.
#[test]
fn name_is_free_when_the_claim_is_given_up() {
    let data = TempDir::new().unwrap();
    let (annas, bobs) = (Computer::new(), Computer::new());
    let server = start(data.path());
    let [address, _] = addresses(&server);
    annas.change_claim(&address, "anna", "claim");
    assert_eq!(bobs.run(&address, "anna", &[]).0, Some(77));
    annas.change_claim(&address, "anna", "unclaim");
    let (code, told) = bobs.run(&address, "anna", &[]);
    assert_eq!(code, Some(0), "{told}");
}

/// Makes an invitation on a server with this data directory, and returns its code.
fn invite(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let output = run_server_command(&["invite", "--code", "--json", "--data", data]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let issued: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
    issued["invited"]["code"].as_str().unwrap().to_owned()
}

/// Where only invited people come in, the client says what is missing. A code admits, by itself or
/// in a link, and is not needed again.
#[test]
fn invitation_admits_and_is_not_needed_again() {
    let data = TempDir::new().unwrap();
    let (annas, bobs) = (Computer::new(), Computer::new());
    let server = start_with(data.path(), &["--access", "invited"]);
    let [plain, tls] = addresses(&server);
    let (code, told) = annas.run(&tls, "anna", &[]);
    assert!(code == Some(77) && told.contains("--invite CODE"), "{told}");
    let (code, told) = annas.run(&tls, "anna", &["--invite", "0000-0000-0000-0000"]);
    assert!(
        code == Some(77) && told.contains("To use another one, start with --invite CODE"),
        "{told}"
    );
    let (code, told) = annas.run(&tls, "anna", &["--invite", "0000"]);
    assert!(code == Some(64) && told.contains("16 letters and digits"), "{told}");
    let spelled = invite(data.path()).to_lowercase().replace('-', "");
    let (code, told) = annas.run(&tls, "anna", &["--invite", &spelled]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = annas.run(&tls, "anna", &[]);
    assert_eq!(code, Some(0), "{told}");
    let link = format!("{plain}/#invite={}", invite(data.path()));
    let (code, told) = bobs.run(&link, "bob", &[]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = bobs.run(&plain, "bob", &[]);
    assert_eq!(code, Some(0), "{told}");
}

/// The example in Python claims a name, and comes in again with its key. Without it, the name is
/// refused.
#[test]
fn python_example_claims_a_name() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let run = |scheme: &str, address: SocketAddr, key: &str| {
        let mut command = python_example("claim_name.py");
        let (host, port) = (format!("{scheme}{}", address.ip()), address.port().to_string());
        command.args([&host, &port, "python"]).arg(data.path().join(key));
        Program::start(command).finish()
    };
    for (scheme, address) in [("", server.address()), ("chats://", server.tls_address())] {
        let (code, lines) = run(scheme, address, "right");
        assert_eq!(
            (code, lines.last().map(String::as_str)),
            (Some(0), Some("-- the name is yours"))
        );
        let (code, lines) = run(scheme, address, "other");
        assert_eq!(code, Some(1));
        assert!(lines.iter().any(|it| it.starts_with("!! error 207")), "{lines:?}");
    }
    let (code, told) = Computer::new().run(&addresses(&server)[1], "python", &[]);
    assert_eq!(code, Some(77), "{told}");
}

/// Where only who was invited may claim a name, a code permits it, also when it comes in a link.
#[test]
fn invitation_permits_a_claim() {
    let data = TempDir::new().unwrap();
    let (annas, bobs) = (Computer::new(), Computer::new());
    let server = start_with(data.path(), &[]);
    let [plain, tls] = addresses(&server);
    let answer = annas.request(&tls, "anna", "claim");
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(317)), "{answer}");
    let code = invite(data.path());
    annas.change_claim(&format!("{tls}/#invite={code}"), "anna", "claim");
    assert_eq!(bobs.run(&plain, "anna", &[]).0, Some(77));
    let (code, told) = annas.run(&plain, "anna", &["--invite", &code]);
    assert_eq!(code, Some(0), "{told}");
}
