//! Tests of the Python peers in `examples/`, which were written from the protocol page, together
//! with real peers: processes on the loopback interface, each test on a port of its own.

#![cfg(all(feature = "peer", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "common/program.rs"]
mod program;

use std::net::UdpSocket;
use std::process::Command;

use program::{Program, python_example_with_module};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Python module that the peers need for signatures and encryption.
const CRYPTOGRAPHY: &str = "cryptography";

/// Room on the loopback interface: a UDP port, and home directories for its peers.
struct TestRoom {
    /// UDP port of the room.
    port: String,
    /// Parent of the home directories.
    home: TempDir,
}

impl TestRoom {
    /// Creates a room on a free port.
    fn new() -> Self {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        Self { port, home: tempfile::tempdir().unwrap() }
    }

    /// Starts a real peer, independent of the user's settings.
    fn start_real(&self, name: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().env("HOME", self.home.path().join(name));
        command.args(["--json", "--name", name, "--port", &self.port, "--interface", "lo"]);
        Program::start(command)
    }

    /// Starts a real peer and waits until it is admitted. Returns it, and the name of the peer that
    /// sent the history.
    fn join_real(&self, name: &str) -> (Program, Value) {
        let peer = self.start_real(name);
        let admitted = peer.expect_json(&json!({"type": "admitted", "name": name}));
        (peer, admitted["history_from"].clone())
    }

    /// Starts the complete Python peer with further arguments.
    fn start_full(&self, name: &str, arguments: &[&str]) -> Program {
        let mut command = python_example_with_module(CRYPTOGRAPHY, "chat_peer.py");
        command.args(["--name", name, "--port", &self.port, "--interface", "lo"]).args(arguments);
        Program::start(command)
    }

    /// Starts the minimal Python peer, which takes no further arguments.
    fn start_tiny(&self, name: &str, _: &[&str]) -> Program {
        let mut command = python_example_with_module(CRYPTOGRAPHY, "tiny_peer.py");
        command.args([name, &self.port, "127.0.0.1"]);
        Program::start(command)
    }
}

/// Both Python peers: function that starts it, and a name for it.
const EXAMPLES: [(Start, &str); 2] =
    [(TestRoom::start_full, "pia"), (TestRoom::start_tiny, "tina")];

/// Function that starts a Python peer with this name and further arguments.
type Start = fn(&TestRoom, &str, &[&str]) -> Program;

/// Waits until a Python peer is admitted.
fn expect_admitted(peer: &Program) {
    peer.expect_text("-- you are in as ");
}

/// Waits until a real peer has shown at least `count` messages, its own included, and returns all
/// of them, as author and text.
fn wait_for_messages(peer: &Program, count: usize) -> Vec<String> {
    let messages = |lines: &[String]| -> Vec<String> {
        let objects = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |it: Value| format!("{}: {}", it["from"], it["text"]).replace('"', "");
        objects.filter(|it| it["type"] == "message").map(text).collect()
    };
    messages(&peer.wait_for_lines(|lines| messages(lines).len() >= count))
}

/// Waits until a Python peer has shown the last of these lines, and asserts that its messages are
/// exactly these lines, in this order.
fn expect_lines_in_order(peer: &Program, expected: &[String]) {
    peer.wait_for_lines(|lines| lines.contains(expected.last().unwrap()));
    let is_news = |line: &String| line.starts_with("-- ") || line.starts_with("!! ");
    let lines = peer.wait_for_lines(|_| true);
    let shown: Vec<_> = lines.into_iter().filter(|line| !is_news(line)).collect();
    assert_eq!(shown, expected);
}

/// Asserts that a real peer is rejected by the peer `by` because of its name, and ends with exit
/// code 77.
fn expect_rejected(peer: &mut Program, by: &str) {
    let end = peer.expect_json(&json!({"type": "end"}));
    assert_eq!((&end["reason"], &end["by"]), (&json!("rejected"), &json!(by)), "{end}");
    assert_eq!(end["code"], 201);
    assert_eq!(peer.finish().0, Some(77));
}

/// The unit tests of the Python peers: all vectors, and rooms in virtual time.
#[test]
fn python_unit_tests_pass() {
    let (code, lines) =
        Program::start(python_example_with_module(CRYPTOGRAPHY, "test_chat_peer.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The peer passes the recorded conversations (scenario vectors).
#[test]
fn peer_passes_the_scenario_vectors() {
    let (code, lines) =
        Program::start(python_example_with_module(CRYPTOGRAPHY, "test_udp_scenarios.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The complete peer joins a room of real peers: receives the ten most recent messages, sends,
/// receives, and leaves.
#[test]
fn full_peer_chats_with_real_peers() {
    let room = TestRoom::new();
    let (mut anna, _) = room.join_real("anna");
    let (mut bob, _) = room.join_real("bob");
    for number in 0..12 {
        anna.send_json(&json!({"type": "say", "text": format!("line {number}")}));
    }
    wait_for_messages(&bob, 12);
    let mut pia = room.start_full("pia", &[]);
    pia.expect_text("-- you are in as pia; the history is from anna");
    let mut expected: Vec<_> = (2..12).map(|number| format!("~ anna: line {number}")).collect();
    pia.type_line("hello");
    pia.type_line("/me waves");
    for peer in [&anna, &bob] {
        assert_eq!(wait_for_messages(peer, 14)[12..], ["pia: hello", "pia: waves"]);
        peer.expect_json(&json!({"type": "message", "text": "waves", "style": "action"}));
    }
    bob.send_json(&json!({"type": "say", "text": "hi pia"}));
    expected.extend(["pia: hello", "* pia waves", "bob: hi pia"].map(str::to_owned));
    expect_lines_in_order(&pia, &expected);
    assert_eq!(pia.finish().0, Some(0));
    anna.expect_json(&json!({"type": "presence", "left": ["pia"]}));
}

/// A taken name is rejected by real peers and by both Python peers.
#[test]
fn taken_name_is_rejected_in_both_directions() {
    let room = TestRoom::new();
    let (_anna, _) = room.join_real("anna");
    let (code, lines) = room.start_full("ANNA", &[]).finish();
    assert_eq!(code, Some(77), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("!! anna says no: ")), "{lines:#?}");
    let (code, lines) = room.start_tiny("Anna", &[]).finish();
    assert_eq!(code, Some(77), "{lines:#?}");
    for (start, name) in EXAMPLES {
        let room = TestRoom::new();
        let first = start(&room, name, &[]);
        expect_admitted(&first);
        expect_rejected(&mut room.start_real(&name.to_uppercase()), name);
    }
}

/// Checks that a Python peer, as the most senior of a room, sends the history to a newcomer, and
/// keeps the messages of a peer that has left.
fn check_history_source(start: Start, name: &str) {
    let room = TestRoom::new();
    let mut first = start(&room, name, &[]);
    expect_admitted(&first);
    for number in 0..12 {
        first.type_line(&format!("line {number}"));
    }
    let expected: Vec<_> = (0..12).map(|number| format!("{name}: line {number}")).collect();
    expect_lines_in_order(&first, &expected);
    let (mut dora, from) = room.join_real("dora");
    assert_eq!(from, name);
    assert_eq!(wait_for_messages(&dora, 10), expected[2..]);
    dora.send_json(&json!({"type": "say", "text": "hello"}));
    first.expect_text("dora: hello");
    first.type_line("hi dora");
    assert_eq!(
        wait_for_messages(&dora, 12)[10..],
        ["dora: hello".to_owned(), format!("{name}: hi dora")]
    );
    dora.terminate();
    first.expect_text("-- dora is gone");
    let (eve, _) = room.join_real("eve");
    assert!(wait_for_messages(&eve, 10).contains(&"dora: hello".to_owned()));
}

/// The complete peer sends the history.
#[test]
fn full_peer_sends_history() {
    check_history_source(TestRoom::start_full, "pia");
}

/// The minimal peer sends the history.
#[test]
fn tiny_peer_sends_history() {
    check_history_source(TestRoom::start_tiny, "tina");
}

/// Lost entries are requested again, from a real peer and from the minimal one.
#[test]
fn lost_entries_are_repaired() {
    let room = TestRoom::new();
    let (mut anna, _) = room.join_real("anna");
    let mut tina = room.start_tiny("tina", &[]);
    expect_admitted(&tina);
    let pia = room.start_full("pia", &["--drop", "2"]);
    expect_admitted(&pia);
    anna.expect_json(&json!({"type": "presence", "joined": ["pia"]}));
    for text in ["one", "two", "three"] {
        anna.send_json(&json!({"type": "say", "text": text}));
    }
    expect_lines_in_order(&pia, &["anna: one", "anna: two", "anna: three"].map(str::to_owned));
    let paul = room.start_full("paul", &["--drop", "4"]);
    paul.expect_text("-- you are in as paul; the history is from anna");
    tina.type_line("four");
    tina.type_line("five");
    paul.expect_text("tina: five");
    let history = ["~ anna: one", "~ anna: two", "~ anna: three", "tina: four", "tina: five"];
    expect_lines_in_order(&paul, &history.map(str::to_owned));
}
