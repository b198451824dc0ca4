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

use program::{Program, python_with};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the peers are signed and sealed with.
const CRYPTOGRAPHY: &str = "cryptography";

/// A room on this machine: a port, and homes for who is in it.
struct Place {
    port: String,
    home: TempDir,
}

impl Place {
    /// Nobody is there.
    fn new() -> Self {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        Self { port, home: tempfile::tempdir().unwrap() }
    }

    /// A real peer that wants to come in, with nothing of our own settings.
    fn real(&self, name: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-peer"));
        command.env_clear().env("HOME", self.home.path().join(name));
        command.args(["--json", "--name", name, "--port", &self.port, "--interface", "lo"]);
        Program::start(command)
    }

    /// A real peer that is in; whose history it got.
    fn real_in(&self, name: &str) -> (Program, Value) {
        let peer = self.real(name);
        let admitted = peer.tells(&json!({"type": "admitted", "name": name}));
        (peer, admitted["history_from"].clone())
    }

    /// The complete peer of the examples, with further arguments.
    fn full(&self, name: &str, arguments: &[&str]) -> Program {
        let mut command = python_with(CRYPTOGRAPHY, "chat_peer.py");
        command.args(["--name", name, "--port", &self.port, "--interface", "lo"]).args(arguments);
        Program::start(command)
    }

    /// The least peer of the examples, which takes no further arguments.
    fn tiny(&self, name: &str, _: &[&str]) -> Program {
        let mut command = python_with(CRYPTOGRAPHY, "tiny_peer.py");
        command.args([name, &self.port, "127.0.0.1"]);
        Program::start(command)
    }
}

/// How both examples are started, and a name for each.
const KINDS: [(Start, &str); 2] = [(Place::full, "pia"), (Place::tiny, "tina")];

/// Starts one of the examples with this name and further arguments.
type Start = fn(&Place, &str, &[&str]) -> Program;

/// Waits until one of the examples is in.
fn is_in(peer: &Program) {
    peer.shows("-- you are in as ");
}

/// Waits until a real peer has heard so many messages; gives them.
fn heard(peer: &Program, count: usize) -> Vec<String> {
    let messages = |lines: &[String]| -> Vec<String> {
        let objects = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let text = |it: Value| format!("{}: {}", it["from"], it["text"]).replace('"', "");
        objects.filter(|it| it["type"] == "message").map(text).collect()
    };
    messages(&peer.wait_for_lines(|lines| messages(lines).len() >= count))
}

/// Waits until one of the examples has shown the last of these lines; all of
/// them are to be there, in this order, and nothing else of these people.
fn shows_in_order(peer: &Program, expected: &[String]) {
    peer.wait_for_lines(|lines| lines.contains(expected.last().unwrap()));
    let is_news = |line: &String| line.starts_with("-- ") || line.starts_with("!! ");
    let lines = peer.wait_for_lines(|_| true);
    let shown: Vec<_> = lines.into_iter().filter(|line| !is_news(line)).collect();
    assert_eq!(shown, expected);
}

/// A real peer is not let in: by whom and why.
fn is_rejected(peer: &mut Program, by: &str) {
    let end = peer.tells(&json!({"type": "end"}));
    assert_eq!((&end["reason"], &end["by"]), (&json!("rejected"), &json!(by)), "{end}");
    assert_eq!(end["code"], 201);
    assert_eq!(peer.ends().0, Some(77));
}

/// The peers' own tests: all vectors, and rooms in virtual time.
#[test]
fn tests_of_their_own() {
    let (code, lines) = Program::start(python_with(CRYPTOGRAPHY, "test_chat_peer.py")).ends();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The peer passes the recorded conversations.
#[test]
fn peer_passes_the_scenario_vectors() {
    let (code, lines) = Program::start(python_with(CRYPTOGRAPHY, "test_udp_scenarios.py")).ends();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// It comes into a room of real peers: gets the ten most recent messages,
/// hears, is heard, and says goodbye.
#[test]
fn among_real_peers() {
    let place = Place::new();
    let (mut anna, _) = place.real_in("anna");
    let (mut bob, _) = place.real_in("bob");
    for number in 0..12 {
        anna.gets(&json!({"type": "say", "text": format!("line {number}")}));
    }
    heard(&bob, 12);
    let mut pia = place.full("pia", &[]);
    pia.shows("-- you are in as pia; the history is from anna");
    let mut expected: Vec<_> = (2..12).map(|number| format!("~ anna: line {number}")).collect();
    pia.types("hello");
    pia.types("/me waves");
    for peer in [&anna, &bob] {
        assert_eq!(heard(peer, 14)[12..], ["pia: hello", "pia: waves"]);
        peer.tells(&json!({"type": "message", "text": "waves", "style": "action"}));
    }
    bob.gets(&json!({"type": "say", "text": "hi pia"}));
    expected.extend(["pia: hello", "* pia waves", "bob: hi pia"].map(str::to_owned));
    shows_in_order(&pia, &expected);
    assert_eq!(pia.ends().0, Some(0));
    anna.tells(&json!({"type": "presence", "left": ["pia"]}));
}

/// A name that is taken, in both directions, and by the least one, too.
#[test]
fn taken_names() {
    let place = Place::new();
    let (_anna, _) = place.real_in("anna");
    let (code, lines) = place.full("ANNA", &[]).ends();
    assert_eq!(code, Some(77), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("!! anna says no: ")), "{lines:#?}");
    let (code, lines) = place.tiny("Anna", &[]).ends();
    assert_eq!(code, Some(77), "{lines:#?}");
    for (start, name) in KINDS {
        let place = Place::new();
        let first = start(&place, name, &[]);
        is_in(&first);
        is_rejected(&mut place.real(&name.to_uppercase()), name);
    }
}

/// The oldest of a room gives its history, whichever program it is, and goes
/// on; what others said is still there when they are gone.
fn gives_the_history(start: Start, name: &str) {
    let place = Place::new();
    let mut first = start(&place, name, &[]);
    is_in(&first);
    for number in 0..12 {
        first.types(&format!("line {number}"));
    }
    let expected: Vec<_> = (0..12).map(|number| format!("{name}: line {number}")).collect();
    shows_in_order(&first, &expected);
    let (mut dora, from) = place.real_in("dora");
    assert_eq!(from, name);
    assert_eq!(heard(&dora, 10), expected[2..]);
    dora.gets(&json!({"type": "say", "text": "hello"}));
    first.shows("dora: hello");
    first.types("hi dora");
    assert_eq!(heard(&dora, 12)[10..], ["dora: hello".to_owned(), format!("{name}: hi dora")]);
    dora.terminate();
    first.shows("-- dora is gone");
    let (eve, _) = place.real_in("eve");
    assert!(heard(&eve, 10).contains(&"dora: hello".to_owned()));
}

/// The complete one does.
#[test]
fn giving_the_history() {
    gives_the_history(Place::full, "pia");
}

/// The least one does, too.
#[test]
fn giving_the_history_is_easy() {
    gives_the_history(Place::tiny, "tina");
}

/// What gets lost is asked for again: of a real peer, and of the least one.
#[test]
fn repair() {
    let place = Place::new();
    let (mut anna, _) = place.real_in("anna");
    let mut tina = place.tiny("tina", &[]);
    is_in(&tina);
    let pia = place.full("pia", &["--drop", "2"]);
    is_in(&pia);
    anna.tells(&json!({"type": "presence", "joined": ["pia"]}));
    for text in ["one", "two", "three"] {
        anna.gets(&json!({"type": "say", "text": text}));
    }
    shows_in_order(&pia, &["anna: one", "anna: two", "anna: three"].map(str::to_owned));
    let paul = place.full("paul", &["--drop", "4"]);
    paul.shows("-- you are in as paul; the history is from anna");
    tina.types("four");
    tina.types("five");
    paul.shows("tina: five");
    let history = ["~ anna: one", "~ anna: two", "~ anna: three", "tina: four", "tina: five"];
    shows_in_order(&paul, &history.map(str::to_owned));
}
