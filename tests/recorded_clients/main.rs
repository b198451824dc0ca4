//! Programs of the last version before moderation, recorded, with today's: a conversation of its
//! `chat-client` with its `chat-server` is replayed once with today's server in place of the old
//! one, and once with today's client in place of each old one.
//!
//! `conversation.json` is `{"note": how it was recorded, "steps": [{"do": title, "events": […]}]}`.
//! An event is a list: whose client, what, and a value. `record.py` makes the file.
//!
//! | what | value | meaning |
//! |---|---|---|
//! | `start` | username | the client is started |
//! | `connect` | | the server accepts a connection of the client |
//! | `client`, `server` | frame in hex | a frame that the client or the server sent |
//! | `lost` | frame in hex | a frame that the server sent and the client did not get |
//! | `reset` | | the connection is lost |
//! | `client closes`, `server closes` | | it ends in order |
//! | `input`, `output` | object | a request to the client, or what it reports ([docs/json.md]) |
//!
//! [docs/json.md]: ../../docs/json.md

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/json_process.rs"]
mod json_process;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, TestClient, isolated_command};
use json_process::JsonProcess;
use pi_chat::model::{LogId, Timestamp, Token};
use pi_chat::wire::tcp::{ClientFrame, Decoded, ServerFrame};
use serde_json::Value;
use socket2::SockRef;

/// The recorded conversation.
const RECORDED: &str = include_str!("conversation.json");

/// Event of the conversation.
struct Event {
    /// Title of its step, for failure messages.
    step: String,
    /// Whose client it is about.
    who: String,
    /// What happened: see the table at the head of this file.
    what: String,
    /// Value that goes with it, or null.
    value: Value,
}

impl Event {
    /// Returns the frame of the event, without its length.
    fn body(&self) -> Vec<u8> {
        let digits = self.value.as_str().unwrap().as_bytes();
        let pairs = digits.chunks(2).map(|it| std::str::from_utf8(it).unwrap());
        pairs.map(|it| u8::from_str_radix(it, 16).unwrap()).skip(2).collect()
    }
}

/// Returns all events of the conversation, in order.
fn events() -> Vec<Event> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let mut events = Vec::new();
    for step in recorded["steps"].as_array().unwrap() {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        events.extend(step["events"].as_array().unwrap().iter().map(|it| Event {
            step: text(&step["do"]),
            who: text(&it[0]),
            what: text(&it[1]),
            value: it.get(2).cloned().unwrap_or_default(),
        }));
    }
    assert!(events.len() > 200, "the recording is nearly empty");
    events
}

/// Returns a frame from its length and body.
fn with_length(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    length.iter().chain(body).copied().collect()
}

/// Decodes the body of a frame of a server.
fn decode(body: &[u8]) -> ServerFrame {
    match ServerFrame::decode(body) {
        Decoded::Frame(frame) => frame,
        other => panic!("not a frame of a server: {other:?}"),
    }
}

/// Replaces what differs from run to run: times, tokens, log ids, and the program's version.
fn without_variables(frame: ServerFrame) -> ServerFrame {
    let time = Timestamp(0);
    match frame {
        ServerFrame::ServerHello(mut it) => {
            it.server_version.clear();
            it.into()
        }
        ServerFrame::Welcome(mut it) => {
            (it.time, it.token, it.log_id) = (time, Token([0; 16]), LogId([0; 16]));
            it.into()
        }
        ServerFrame::Entry(mut it) => {
            it.time = time;
            it.into()
        }
        ServerFrame::DirectEntry(mut it) => {
            it.time = time;
            it.into()
        }
        other => other,
    }
}

/// Recorded clients on a server of today.
struct RecordedClients {
    /// The server, with an empty log on disk.
    server: Server,
    /// Open connections.
    connections: HashMap<String, TestClient>,
    /// Recorded tokens and log ids, each with that of this run.
    secrets: Vec<([u8; 16], [u8; 16])>,
}

impl RecordedClients {
    /// Replays an event. Panics if the server does anything else than the recorded one, except for
    /// [variables](without_variables).
    fn replay(&mut self, event: &Event) {
        let Event { step, who, .. } = event;
        if event.what == "connect" {
            self.connections.insert(who.clone(), self.server.connect());
        }
        let Some(client) = self.connections.get_mut(who) else { return };
        match event.what.as_str() {
            "client" => {
                let mut body = event.body();
                for (recorded, actual) in &self.secrets {
                    if let Some(at) = body.windows(16).position(|it| it == recorded) {
                        body[at..at + 16].copy_from_slice(actual);
                    }
                }
                client.send_bytes(&with_length(&body));
            }
            "server" | "lost" => {
                let recorded = decode(&event.body());
                let mut encoded = Vec::new();
                recorded.encode(&mut encoded);
                assert_eq!(encoded[2..], event.body(), "today's bytes for {recorded:?}");
                let actual = client.next();
                if let (ServerFrame::Welcome(recorded), ServerFrame::Welcome(actual)) =
                    (&recorded, &actual)
                {
                    self.secrets.push((recorded.token.0, actual.token.0));
                    self.secrets.push((recorded.log_id.0, actual.log_id.0));
                }
                let (recorded, actual) = (without_variables(recorded), without_variables(actual));
                assert_eq!(actual, recorded, "{step}: to {who}");
            }
            "reset" => {
                SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap();
                self.connections.remove(who);
            }
            "client closes" => client.stream().shutdown(Shutdown::Write).unwrap(),
            "server closes" => client.expect_closed(),
            _ => {}
        }
    }
}

/// Today's server answers the recorded bytes of clients from before moderation with the same
/// frames in the same order, which it encodes as the server of that version did.
#[test]
fn todays_server_answers_recorded_clients_as_the_old_one_did() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::start(&["--data", data.to_str().unwrap()]);
    let mut clients = RecordedClients { server, connections: HashMap::new(), secrets: Vec::new() };
    for event in events() {
        clients.replay(&event);
    }
}

/// Today's client on a recorded server.
struct TodaysClient {
    /// Accepts the client's connections.
    listener: TcpListener,
    /// The client, once it is started.
    client: Option<JsonProcess>,
    /// Its connection.
    stream: Option<TcpStream>,
}

impl TodaysClient {
    /// Replays an event. Panics if the client does anything else than the recorded one, except
    /// that its `hello` may ask for more features, and that it may report more: further fields, and
    /// whether the connection is encrypted.
    fn replay(&mut self, event: &Event) {
        match event.what.as_str() {
            "start" => {
                let address = self.listener.local_addr().unwrap().to_string();
                let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
                command.env("HOME", env!("CARGO_TARGET_TMPDIR"));
                let name = event.value.as_str().unwrap();
                command.args([&address, "--name", name, "--json", "--fresh"]);
                self.client = Some(JsonProcess::start(&mut command));
            }
            "connect" => {
                let (stream, _) = self.listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                self.stream = Some(stream);
            }
            "input" => self.client.as_mut().unwrap().send(&event.value),
            "output" => {
                let client = self.client.as_mut().unwrap();
                let mut next = || client.next(Instant::now() + PATIENCE).expect("a report").1;
                let mut report = next();
                if report["type"] == "encryption" {
                    report = next();
                }
                assert_reports(&report, event);
            }
            "client" => {
                let mut length = [0; 2];
                let mut stream = self.stream.as_ref().unwrap();
                stream.read_exact(&mut length).unwrap();
                let mut body = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut body).unwrap();
                assert_sends(&body, event);
            }
            "server" => {
                self.stream.as_ref().unwrap().write_all(&with_length(&event.body())).unwrap();
            }
            "reset" => {
                let stream = self.stream.take().unwrap();
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            "client closes" => {
                let count = self.stream.as_ref().unwrap().read(&mut [0; 1]).unwrap();
                assert_eq!(count, 0, "{}: the client does not close", event.step);
            }
            "server closes" => self.stream = None,
            "lost" => {}
            other => panic!("unknown event {other}"),
        }
    }
}

/// Asserts that a body that today's client has sent is the recorded one. A `hello` may have another
/// version and more features.
fn assert_sends(body: &[u8], event: &Event) {
    let (Decoded::Frame(actual), Decoded::Frame(recorded)) =
        (ClientFrame::decode(body), ClientFrame::decode(&event.body()))
    else {
        panic!("{}: not a frame of a client: {body:02x?}", event.step)
    };
    match (&actual, &recorded) {
        (ClientFrame::Hello(actual), ClientFrame::Hello(recorded)) => {
            assert_eq!(actual.features & recorded.features, recorded.features);
            assert_eq!(actual.min_version, recorded.min_version);
        }
        _ => assert_eq!(body, event.body(), "{}: {actual:?}, not {recorded:?}", event.step),
    }
}

/// Asserts that today's client reports what the recorded one did. It may add fields. The reason of
/// a lost connection, the time until the next attempt, and the text about the end, which is for
/// people, are not compared.
fn assert_reports(actual: &Value, event: &Event) {
    for (key, recorded) in event.value.as_object().unwrap() {
        let varies = recorded.is_string()
            && matches!(
                (key.as_str(), actual["type"].as_str()),
                ("reason", Some("state")) | ("text", Some("end"))
            );
        if !varies && key != "delay_ms" {
            assert_eq!(&actual[key], recorded, "{}: {key} of {actual}", event.step);
        }
    }
}

/// Replays the recording with today's client in place of one of the old ones.
fn replay_with_todays_client(who: &str) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = TodaysClient { listener, client: None, stream: None };
    for event in events().iter().filter(|it| it.who == who) {
        client.replay(event);
    }
}

/// It receives history, talks, pages, searches, is refused, loses its connection and an echo, and
/// comes back, as the old client did.
#[test]
fn todays_client_talks_to_a_recorded_server() {
    replay_with_todays_client("anna");
}

/// It sees others come, go and talk, as the old client did.
#[test]
fn todays_client_sees_others_on_a_recorded_server() {
    replay_with_todays_client("bob");
}

/// It ends with the old client's words when its name is taken.
#[test]
fn todays_client_is_refused_by_a_recorded_server() {
    replay_with_todays_client("other");
}
