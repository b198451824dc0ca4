//! The peers of `examples/`, which were written from the protocol page,
//! among real ones: processes on the loopback interface, each test on a port
//! of its own.

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

/// What the peers are signed and sealed with.
const CRYPTOGRAPHY: &str = "cryptography";

/// A room on this machine: a port, and homes for who is in it.
struct TestRoom {
    port: String,
    home: TempDir,
}

impl TestRoom {
    /// Nobody is there.
    fn new() -> Self {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        Self { port, home: tempfile::tempdir().unwrap() }
    }

    /// A real peer that wants to come in, with nothing of our own settings.
    fn start_real(&self, name: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().env("HOME", self.home.path().join(name));
        command.args(["--json", "--name", name, "--port", &self.port, "--interface", "lo"]);
        Program::start(command)
    }

    /// A real peer that is in; whose history it got.
    fn join_real(&self, name: &str) -> (Program, Value) {
        let peer = self.start_real(name);
        let admitted = peer.expect_json(&json!({"type": "admitted", "name": name}));
        (peer, admitted["history_from"].clone())
    }

    /// The complete peer of the examples, with further arguments.
    fn start_full(&self, name: &str, arguments: &[&str]) -> Program {
        let mut command = python_example_with_module(CRYPTOGRAPHY, "chat_peer.py");
        command.args(["--name", name, "--port", &self.port, "--interface", "lo"]).args(arguments);
        Program::start(command)
    }

    /// The least peer of the examples, which takes no further arguments.
    fn start_tiny(&self, name: &str, _: &[&str]) -> Program {
        let mut command = python_example_with_module(CRYPTOGRAPHY, "tiny_peer.py");
        command.args([name, &self.port, "127.0.0.1"]);
        Program::start(command)
    }
}

/// How both examples are started, and a name for each.
const EXAMPLES: [(Start, &str); 2] =
    [(TestRoom::start_full, "pia"), (TestRoom::start_tiny, "tina")];

/// Starts one of the examples with this name and further arguments.
type Start = fn(&TestRoom, &str, &[&str]) -> Program;

/// Waits until one of the examples is in.
fn expect_admitted(peer: &Program) {
    peer.expect_text("-- you are in as ");
}

/// Waits until a real peer has heard so many messages; gives them.
fn wait_for_messages(peer: &Program, count: usize) -> Vec<String> {
    let messages = |lines: &[String]| -> Vec<String> {
        let objects = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |it: Value| format!("{}: {}", it["from"], it["text"]).replace('"', "");
        objects.filter(|it| it["type"] == "message").map(text).collect()
    };
    messages(&peer.wait_for_lines(|lines| messages(lines).len() >= count))
}

/// Waits until one of the examples has shown the last of these lines; all of
/// them are to be there, in this order, and nothing else of these people.
fn expect_lines_in_order(peer: &Program, expected: &[String]) {
    peer.wait_for_lines(|lines| lines.contains(expected.last().unwrap()));
    let is_news = |line: &String| line.starts_with("-- ") || line.starts_with("!! ");
    let lines = peer.wait_for_lines(|_| true);
    let shown: Vec<_> = lines.into_iter().filter(|line| !is_news(line)).collect();
    assert_eq!(shown, expected);
}

/// A real peer is not let in: by whom and why.
fn expect_rejected(peer: &mut Program, by: &str) {
    let end = peer.expect_json(&json!({"type": "end"}));
    assert_eq!((&end["reason"], &end["by"]), (&json!("rejected"), &json!(by)), "{end}");
    assert_eq!(end["code"], 201);
    assert_eq!(peer.finish().0, Some(77));
}

/// The peers' own tests: all vectors, and rooms in virtual time.
#[test]
fn python_unit_tests_pass() {
    let (code, lines) =
        Program::start(python_example_with_module(CRYPTOGRAPHY, "test_chat_peer.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The peer passes the recorded conversations.
#[test]
fn peer_passes_the_scenario_vectors() {
    let (code, lines) =
        Program::start(python_example_with_module(CRYPTOGRAPHY, "test_udp_scenarios.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// It comes into a room of real peers: gets the ten most recent messages,
/// hears, is heard, and says goodbye.
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

/// A name that is taken, in both directions, and by the least one, too.
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

/// The oldest of a room gives its history, whichever program it is, and goes
/// on; what others said is still there when they are gone.
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

/// The complete one does.
#[test]
fn full_peer_sends_history() {
    check_history_source(TestRoom::start_full, "pia");
}

/// The least one does, too.
#[test]
fn tiny_peer_sends_history() {
    check_history_source(TestRoom::start_tiny, "tina");
}

/// What gets lost is asked for again: of a real peer, and of the least one.
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
