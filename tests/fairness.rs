//! Attacks on the real `chat-server` from one address, while clients of other addresses must notice
//! nothing. Addresses of 127.0.0.0/8 stand for different clients.

#![cfg(all(feature = "server", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, TestClient, join, server_command};
use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::tcp::{History, Join, ServerFrame};
use serde_json::Value;
use tempfile::TempDir;

/// Address of the attacker.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// Address of a well-behaved household.
const HOUSEHOLD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A server with a control socket.
struct AttackedServer {
    /// The server.
    server: Server,
    /// Directory of the control socket.
    directory: TempDir,
}

impl AttackedServer {
    /// Starts a server with a control socket and additional arguments.
    fn start(more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control = directory.path().join("control").to_str().unwrap().to_owned();
        let arguments = [&["--control", &control], more].concat();
        Self { server: Server::start(&arguments), directory }
    }

    /// Opens a connection from a local address. `receive_buffer` is its size in bytes, if it is not
    /// to be the usual one.
    fn connect(&self, from: Ipv4Addr, receive_buffer: Option<usize>) -> TestClient {
        TestClient::new(self.server.connect_from(from, receive_buffer))
    }

    /// Connects from a local address and sends `hello` and `join`; its answer is not read.
    fn send_join(&self, from: Ipv4Addr, join: Join) -> TestClient {
        let mut client = self.connect(from, None);
        client.send_hello(0);
        client.send(join);
        client
    }

    /// Joins rooms from the household's address. Panics if that is refused.
    fn join(&self, name: &str, rooms: &[&str]) -> TestClient {
        let mut client = self.send_join(HOUSEHOLD, join(name, rooms));
        client.join_answer();
        client
    }

    /// Returns the status report.
    fn status(&self) -> Value {
        let control = self.directory.path().join("control");
        let mut command = server_command();
        let output = command.args(["status", "--json", "--control"]).arg(control).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// 63 connections of one address, with 16 rooms each, do not keep others out of the lobby or from
/// opening rooms.
#[test]
fn rooms_of_one_address_keep_nobody_out() {
    let server = AttackedServer::start(&[]);
    let mut attackers = Vec::new();
    let mut refused = 0;
    for number in 0..63 {
        let rooms: Vec<String> = (0..16).map(|it| format!("x{number}-{it}")).collect();
        let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let mut client = server.send_join(ATTACKER, join(&format!("x{number}"), &rooms));
        match client.next() {
            ServerFrame::Welcome(_) => {}
            ServerFrame::Error(error) if error.code == 304 => refused += 1,
            other => panic!("{other:?}"),
        }
        attackers.push(client);
    }
    assert!(refused > 40, "{refused}");
    let mut anna = server.join("anna", &["lobby", "kitchen"]);
    let mut bob = server.join("bob", &["kitchen"]);
    bob.say("kitchen", "tea?");
    assert_eq!((anna.next_entry().text, bob.next_entry().text), ("tea?".into(), "tea?".into()));
    let status = server.status();
    assert_eq!(status["refusals"]["rooms"], refused, "{status}");
    assert_eq!(status["pressure"]["address"], "127.0.0.66", "{status}");
    assert_eq!(status["pressure"]["limit"], "rooms", "{status}");
    let told = "127.0.0.66 has reached the limit of an address: rooms";
    server.server.wait_for_log(|lines| lines.iter().any(|line| line.contains(told)));
}

/// Builds a request for 100 entries of the library.
fn history_of_library(reference: u64) -> History {
    let (reference, room) = (Reference(reference), "library".to_owned());
    History { reference, room, before: Sequence::ZERO, limit: 100 }
}

/// Readers of one address that request much and take nothing use up the memory for unsent frames;
/// only they are closed as too slow.
#[test]
fn readers_that_do_not_read_close_nobody_else() {
    /// Number of readers that do not read.
    const READERS: usize = 40;
    let server = AttackedServer::start(&[
        "--burst",
        "100000",
        "--max-connections-per-address",
        "2000",
        "--max-backlog-total",
        "4194304",
    ]);
    let mut anna = server.join("anna", &["lobby", "library"]);
    let text = "x".repeat(4_000);
    for _ in 0..100 {
        anna.say("library", &text);
    }
    anna.next_entries(100);
    let attackers: Vec<TestClient> = (0..READERS)
        .map(|number| {
            let mut client = server.connect(ATTACKER, Some(4_096));
            client.send_hello(0);
            client.send(join(&format!("x{number}"), &["library"]));
            for reference in 1..=10 {
                client.send(history_of_library(reference));
            }
            client
        })
        .collect();
    // The memory is used up, and the attacker loses connections.
    let begin = Instant::now();
    while server.status()["refusals"]["unsent"] == 0 {
        assert!(begin.elapsed() < PATIENCE, "the attack fails: {}", server.status());
        thread::sleep(Duration::from_millis(20));
    }
    // Newcomers get what they ask for, although it is more than is left, and stay.
    let mut newcomers = Vec::new();
    for number in 0..20 {
        let mut newcomer = server.join(&format!("guest{number}"), &["library"]);
        newcomer.send(history_of_library(1));
        newcomer.next_entries(100);
        assert!(matches!(newcomer.next(), ServerFrame::End(_)));
        newcomer.say("library", "hello");
        assert_eq!(newcomer.next_entry().text, "hello");
        newcomers.push(newcomer);
    }
    anna.next_entries(20);
    anna.say_in_lobby("still here");
    let status = server.status();
    assert_eq!(status["pressure"]["address"], "127.0.0.66", "{status}");
    let people = usize::try_from(status["people"].as_u64().unwrap()).unwrap();
    assert!((21..21 + READERS).contains(&people), "{status}");
    drop(attackers);
}
