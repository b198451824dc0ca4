//! Conformance tests: run the cases of `tests/conformance/*.json` and the client vectors of
//! `docs/protocol/vectors/` against the real server. `tests/conformance/README.md` describes the
//! format of the cases.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::owner_files::write_owner_files;
use common::{Server, TestClient, WITH_WEB, WITH_WEB_TLS};
use pi_chat::model::ErrorCode;
use pi_chat::wire::tcp::{Decoded, ServerFrame};
use serde_json::Value;

/// Declares the case files, with a test for each.
macro_rules! case_files {
    ($($name:ident)*) => {
        /// Names of the case files that have a test.
        const CASE_FILES: &[&str] = &[$(stringify!($name),)*];

        $(#[test]
        fn $name() {
            run_case_file(stringify!($name));
        })*
    };
}

case_files! {
    frames greeting joining names sessions messages direct rooms history search members presence
    endings moderation
}

/// Reads a file below the package's directory.
fn read_package_file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A new file of cases is not forgotten in [`CASE_FILES`].
#[test]
fn every_case_file_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(CASE_FILES.contains(&name), "{name} has no test");
        }
    }
}

/// Runs all cases of a file all ways, four at a time, and reports all that fail.
fn run_case_file(name: &str) {
    let file: Value =
        serde_json::from_str(&read_package_file(&format!("tests/conformance/{name}.json")))
            .unwrap();
    let cases = file["cases"].as_array().unwrap();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(String::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            for way in [Way::Tcp, Way::Web, Way::WebTls] {
                if let Err(why) = catch_panic(|| run_case(case, way)) {
                    let (title, clause) = (&case["name"], &case["clause"]);
                    let text = format!("\n{name}: {title} ({clause}), {way:?}\n{why}\n");
                    failures.lock().unwrap().push_str(&text);
                }
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{failures}");
}

/// Calls a function and returns the message of its panic as an error; an empty one if the panic has
/// no text.
fn catch_panic(it: impl FnOnce()) -> Result<(), String> {
    std::panic::catch_unwind(AssertUnwindSafe(it)).map_err(|why| match why.downcast::<String>() {
        Ok(text) => *text,
        Err(why) => why.downcast_ref::<&str>().map_or_else(String::new, |it| (*it).to_owned()),
    })
}

/// Starts a server with the configuration of a case and runs the case against it, one way. Panics at the
/// first step that fails.
fn run_case(case: &Value, way: Way) {
    assert!(case["clause"].is_string(), "no clause");
    let configuration = tempfile::NamedTempFile::new().unwrap();
    let mut text = String::new();
    for (key, value) in case["server"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "{key} = {value}");
    }
    fs::write(configuration.path(), text).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control").to_str().unwrap().to_owned();
    let configuration = configuration.path().to_str().unwrap();
    let flags = ["--config", configuration, "--control", &control];
    let server = match way {
        Way::Tcp | Way::Web => Server::start(&[&flags, WITH_WEB].concat()),
        Way::WebTls => {
            write_owner_files(directory.path(), &[]);
            let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
            let (certificate, key) = (path("certificate.pem"), path("key.pem"));
            let files = ["--tls-certificate", &certificate, "--tls-key", &key];
            Server::start(&[&flags, &files[..], WITH_WEB_TLS].concat())
        }
    };
    let (peers, captures) = (HashMap::new(), HashMap::new());
    let mut runner = CaseRunner { server, control, way, peers, captures };
    for (number, step) in (1..).zip(case["steps"].as_array().unwrap()) {
        if let Err(why) = catch_panic(|| runner.run_step(step)) {
            panic!("  step {number}: {step}\n  {why}");
        }
    }
}

/// Ways to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// TCP.
    Tcp,
    /// WebSocket.
    Web,
    /// WebSocket over TLS.
    WebTls,
}

/// Runner of a case: its server, connections and captured fields.
struct CaseRunner {
    /// Server of this case.
    server: Server,
    /// Path of its control socket.
    control: String,
    /// Way to the server, for all connections.
    way: Way,
    /// Connections, by the names that the case gives them.
    peers: HashMap<String, TestClient>,
    /// Bytes of captured fields, by name.
    captures: HashMap<String, Vec<u8>>,
}

impl CaseRunner {
    /// Runs one step; panics if it fails. Opens the step's connection if it is not open.
    fn run_step(&mut self, step: &Value) {
        let on = step["on"].as_str().unwrap().to_owned();
        let mut peer = self.peers.remove(&on).unwrap_or_else(|| match self.way {
            Way::Tcp => self.server.connect(),
            Way::Web => TestClient::connect_web(self.server.web_address()),
            Way::WebTls => TestClient::connect_web_tls(self.server.web_tls_address()),
        });
        let mut keys = step.as_object().unwrap().keys().map(String::as_str);
        let actions: Vec<&str> = keys.by_ref().filter(|it| !NON_ACTION_KEYS.contains(it)).collect();
        let [action] = actions[..] else { panic!("a step needs exactly one action: {actions:?}") };
        let value = &step[action];
        match action {
            "joins" => self.join(&on, &mut peer, step),
            "greets" => self.greet(&mut peer, value.as_u64().unwrap()),
            "send" => {
                let bodies = strings(value).into_iter().map(|body| self.resolve_bytes(body));
                peer.send_bytes(&bodies.flat_map(|body| encode_frame(&body)).collect::<Vec<u8>>());
            }
            "write" => peer.send_bytes(&self.resolve_bytes(value.as_str().unwrap())),
            "recv" => strings(value).iter().for_each(|it| self.expect_frame(&mut peer, it)),
            "quiet" => peer.expect_nothing(),
            "role" => self.give_role(step),
            "closed" => peer.expect_closed(),
            "ends" if value == "sending" => peer.end_sending(),
            "ends" if value == "all" => return peer.hang_up(),
            other => panic!("unknown action {other}"),
        }
        self.peers.insert(on, peer);
    }

    /// Gives a role, as the server's owner.
    fn give_role(&self, step: &Value) {
        let text = |key: &str| step[key].as_str().unwrap();
        let mut arguments = vec!["role", "add", text("of"), text("role")];
        arguments.extend(["--control", &self.control]);
        if let Some(room) = step["room"].as_str() {
            arguments.extend(["--room", room]);
        }
        let output = common::run_server_command(&arguments);
        assert!(output.status.success(), "{output:?}");
    }

    /// Sends `hello` with these features and expects `server_hello`.
    fn greet(&mut self, peer: &mut TestClient, features: u64) {
        self.exchange(
            peer,
            &format!("01 50694368 01 01 ={features} 'test' 00"),
            SERVER_HELLO_PATTERN,
        );
    }

    /// Joins: sends `hello` and `join`, receives everything up to `end`, and captures session,
    /// token and log id.
    fn join(&mut self, on: &str, peer: &mut TestClient, step: &Value) {
        let features = step["features"].as_u64().unwrap_or_default();
        let rooms: Vec<&str> = match &step["rooms"] {
            Value::Null => Vec::new(),
            rooms => strings(rooms),
        };
        let name = step["joins"].as_str().unwrap();
        self.greet(peer, features);
        let mut body = format!("02 '{name}' 00 ={}", rooms.len());
        for room in &rooms {
            let _ = write!(body, " '{room}'");
        }
        let welcome = format!(
            "41 {{{on}.session:number}} {{:string}} {{{on}.token:16}} 00 00 {{log_id:16}} ..."
        );
        self.exchange(peer, &format!("{body} 00 00"), &welcome);
        loop {
            let body = peer.next_body().expect("closed before end");
            match body[0] {
                // entered, entry, direct_entry
                66..=68 => {}
                69 => return,
                _ => panic!("before end: {}", describe_body(&body)),
            }
        }
    }

    /// Sends a body and expects an answer that matches a pattern.
    fn exchange(&mut self, peer: &mut TestClient, body: &str, answer: &str) {
        peer.send_bytes(&encode_frame(&self.resolve_bytes(body)));
        self.expect_frame(peer, answer);
    }

    /// Resolves a written body to bytes, inserting captured fields. Panics if it holds wildcards.
    fn resolve_bytes(&self, written: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parse_pattern(written) {
            match part {
                PatternPart::Bytes(it) => bytes.extend(it),
                PatternPart::Field(name, _) => bytes.extend(&self.captures[&name]),
                PatternPart::AnyByte | PatternPart::Rest => {
                    panic!("wildcards cannot be sent: {written}")
                }
            }
        }
        bytes
    }

    /// Receives the next body, which must match the pattern, or one of its alternatives, and
    /// captures its fields. A body that does not match an optional pattern (`?` in front) is put
    /// back.
    fn expect_frame(&mut self, peer: &mut TestClient, pattern: &str) {
        let Some(body) = peer.next_body() else {
            panic!("expected {pattern}\n  but the connection was closed");
        };
        let (pattern, is_optional) = match pattern.strip_prefix('?') {
            Some(rest) if !rest.starts_with('?') => (rest, true),
            _ => (pattern, false),
        };
        let mismatch = alternatives(pattern).iter().find_map(|it| self.match_body(&body, it).err());
        let fits = alternatives(pattern).iter().any(|it| self.match_body(&body, it).is_ok());
        match mismatch.filter(|_| !fits) {
            None => {}
            Some(_) if is_optional => peer.put_back(body),
            Some(why) => panic!("expected {pattern}\n  but got {}\n  {why}", describe_body(&body)),
        }
    }

    /// Matches a body against a pattern without alternatives and captures its fields. A field that
    /// was captured before must have the same bytes again. Returns the position and reason of a
    /// mismatch; fields before it stay captured.
    fn match_body(&mut self, body: &[u8], pattern: &str) -> Result<(), String> {
        let mut rest = body;
        for part in parse_pattern(pattern) {
            let at = body.len() - rest.len();
            let length = match &part {
                PatternPart::Bytes(expected) if rest.starts_with(expected) => expected.len(),
                PatternPart::Bytes(expected) => {
                    return Err(format!("at byte {at}: not {expected:02x?}"));
                }
                PatternPart::AnyByte => 1,
                PatternPart::Rest => return Ok(()),
                PatternPart::Field(name, field_length) => {
                    let length = match field_length {
                        FieldLength::Captured => self.captures[name].len(),
                        FieldLength::Bytes(count) => *count,
                        FieldLength::Varint => decode_varint(rest).1,
                        FieldLength::String => {
                            let (length, header) = decode_varint(rest);
                            header + usize::try_from(length).unwrap()
                        }
                    };
                    let found = rest.get(..length).ok_or("the body is too short")?;
                    if !name.is_empty() {
                        let before = self.captures.entry(name.clone()).or_insert(found.to_vec());
                        if before != found {
                            return Err(format!("at byte {at}: {name} was {before:02x?}"));
                        }
                    }
                    length
                }
            };
            rest = rest.get(length..).ok_or("the body is too short")?;
        }
        if rest.is_empty() { Ok(()) } else { Err(format!("{} trailing bytes", rest.len())) }
    }
}

/// Keys of a step that are not actions.
const NON_ACTION_KEYS: &[&str] = &["on", "features", "rooms", "of", "room", "note"];

/// Pattern that matches any `server_hello` of version 1.
const SERVER_HELLO_PATTERN: &str = "40 01 {:number} {:number} {:number} {:string} {:string}";

/// Returns a JSON string, or each string of a JSON list.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().map(|it| it.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

/// Part of a written body or pattern.
enum PatternPart {
    /// Literal bytes.
    Bytes(Vec<u8>),
    /// Wildcard for any single byte (`??`).
    AnyByte,
    /// Wildcard for the rest of the body (`...`).
    Rest,
    /// Field that is captured under a name, or only skipped if the name is empty.
    Field(String, FieldLength),
}

/// Encoding of a captured field, which determines its length.
enum FieldLength {
    /// The bytes captured earlier under this name.
    Captured,
    /// This number of bytes.
    Bytes(usize),
    /// A varint.
    Varint,
    /// A string with its length in front.
    String,
}

/// Parses a written body or pattern without alternatives. Panics if it is not valid.
fn parse_pattern(written: &str) -> Vec<PatternPart> {
    let mut parts = Vec::new();
    let mut rest = written.trim_start();
    while !rest.is_empty() {
        let (part, used) = if let Some(inner) = rest.strip_prefix('\'') {
            let end = inner.find('\'').expect("an unclosed string");
            let mut text = inner[..end].to_owned();
            let mut used = end + 2;
            if let Some(times) = inner[end + 1..].strip_prefix('*') {
                let digits = leading_digits(times);
                text = text.repeat(digits.parse().unwrap());
                used += 1 + digits.len();
            }
            let mut bytes = encode_varint(u64::try_from(text.len()).unwrap());
            bytes.extend(text.as_bytes());
            (PatternPart::Bytes(bytes), used)
        } else if let Some(inner) = rest.strip_prefix('=') {
            let digits = leading_digits(inner);
            (PatternPart::Bytes(encode_varint(digits.parse().unwrap())), 1 + digits.len())
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').expect("an unclosed field");
            let (name, field_length) = match inner[..end].split_once(':') {
                None => (&inner[..end], FieldLength::Captured),
                Some((name, "number")) => (name, FieldLength::Varint),
                Some((name, "string")) => (name, FieldLength::String),
                Some((name, count)) => (name, FieldLength::Bytes(count.parse().unwrap())),
            };
            (PatternPart::Field(name.to_owned(), field_length), end + 2)
        } else if rest.starts_with("...") {
            (PatternPart::Rest, 3)
        } else if rest.starts_with("??") {
            (PatternPart::AnyByte, 2)
        } else {
            (PatternPart::Bytes(vec![u8::from_str_radix(&rest[..2], 16).unwrap()]), 2)
        };
        parts.push(part);
        rest = rest[used..].trim_start();
    }
    parts
}

/// Expands a pattern with a choice `(…|…)` into its alternatives.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('(') else { return vec![pattern.to_owned()] };
    let (choice, after) = rest.split_once(')').unwrap();
    choice.split('|').map(|chosen| format!("{before} {chosen} {after}")).collect()
}

/// Returns the decimal digits at the start of a text.
fn leading_digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

/// Encodes a number as a varint.
fn encode_varint(number: u64) -> Vec<u8> {
    postcard::to_allocvec(&number).unwrap()
}

/// Decodes the varint at the start; returns the number and its length. If there is none, the number
/// is 0 and the length exceeds the input.
fn decode_varint(bytes: &[u8]) -> (u64, usize) {
    match postcard::take_from_bytes::<u64>(bytes) {
        Ok((number, rest)) => (number, bytes.len() - rest.len()),
        Err(_) => (0, bytes.len() + 1),
    }
}

/// Encodes a frame: a body with its length in front.
fn encode_frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// Describes a body for a failure message: hex, and the decoded frame.
fn describe_body(body: &[u8]) -> String {
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    match ServerFrame::decode(body) {
        Decoded::Frame(frame) => format!("{hex}\n  = {frame:?}"),
        _ => hex,
    }
}

/// Returns the vectors of a file that are sent by clients. Panics if there are 50 or fewer.
fn client_vectors(file: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_json::from_str(&read_package_file(&format!("docs/protocol/vectors/{file}"))).unwrap();
    let from_clients: Vec<Value> = all.into_iter().filter(|it| it["from"] == "client").collect();
    assert!(from_clients.len() > 50, "{file} is nearly empty");
    from_clients
}

/// Parses bytes written in hex.
fn parse_hex(hex: &Value) -> Vec<u8> {
    parse_pattern(hex.as_str().unwrap())
        .into_iter()
        .flat_map(|part| match part {
            PatternPart::Bytes(bytes) => bytes,
            _ => panic!("not hex: {hex}"),
        })
        .collect()
}

/// Opens a connection and brings it into the state that a vector names. A joined client is called
/// `name`.
fn peer_in_state(server: &Server, state: &Value, name: &str) -> TestClient {
    let mut peer = server.connect();
    match state.as_str().unwrap() {
        "connected" => {}
        "greeted" => {
            peer.send_hello(0);
        }
        "joined" => {
            peer.send_hello(0);
            peer.send(common::join(name, &[]));
            peer.join_answer();
        }
        other => panic!("no state of a server: {other}"),
    }
    peer
}

/// Then the connection is closed.
#[test]
fn invalid_vectors_get_their_error_code() {
    let server = Server::start(MANY_JOINS);
    for (number, vector) in client_vectors("tcp-invalid.json").iter().enumerate() {
        let mut peer = peer_in_state(&server, &vector["state"], &format!("guest{number}"));
        peer.send_bytes(&parse_hex(&vector["wire"]));
        let code = vector["error"].as_u64().unwrap();
        let mut answer = peer.next_or_end();
        if code == 101 {
            assert!(
                matches!(&answer, Some(ServerFrame::ServerHello(hello)) if hello.version == 0),
                "{vector}: {answer:?}"
            );
            answer = peer.next_or_end();
        }
        match &answer {
            Some(ServerFrame::Error(error)) => assert_eq!(u64::from(error.code), code, "{vector}"),
            other => panic!("{vector}: {other:?}"),
        }
        assert_eq!(peer.next_or_end(), None, "{vector}");
    }
}

/// Arguments of a server that accepts a join for each vector from one address.
const MANY_JOINS: &[&str] = &["--max-connections-per-address", "10000"];

/// Joins under this name on a new connection, and leaves; returns the server's first answer to the
/// join.
fn join_answer(server: &Server, name: &str) -> ServerFrame {
    let mut peer = server.connect();
    peer.send_hello(0);
    peer.send(common::join(name, &[]));
    let answer = peer.next();
    peer.hang_up();
    answer
}

/// The server welcomes under the name of the vector, or refuses with error 200 if it has none.
#[test]
fn name_vectors_match_join_answers() {
    let server = Server::start(MANY_JOINS);
    let vectors: Vec<Value> =
        serde_json::from_str(&read_package_file("docs/protocol/vectors/names.json")).unwrap();
    for vector in vectors {
        match join_answer(&server, vector["input"].as_str().unwrap()) {
            ServerFrame::Welcome(welcome) => assert_eq!(vector["name"], *welcome.username),
            ServerFrame::Error(error) => {
                assert_eq!((error.code, vector["name"].as_str()), (200, None), "{vector}");
            }
            other => panic!("{vector}: {other:?}"),
        }
    }
}

/// The server delivers an accepted text unchanged, and refuses others with error 300. Texts that no
/// frame can hold are left out.
#[test]
fn text_vectors_match_message_answers() {
    let server = Server::start(&["--burst", "10000"]);
    let mut anna = server.join("anna");
    let vectors: Vec<Value> =
        serde_json::from_str(&read_package_file("docs/protocol/vectors/texts.json")).unwrap();
    for vector in vectors {
        let text = match vector["text"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                let times = usize::try_from(vector["times"].as_u64().unwrap()).unwrap();
                vector["repeat"].as_str().unwrap().repeat(times)
            }
        };
        if text.len() > 16_000 {
            // No frame can hold it.
            continue;
        }
        anna.say("lobby", &text);
        match anna.next() {
            ServerFrame::Entry(entry) => {
                assert_eq!((vector["accepted"].as_bool(), entry.text), (Some(true), text));
            }
            ServerFrame::Error(error) => {
                assert_eq!((error.code, vector["accepted"].as_bool()), (300, Some(false)));
            }
            other => panic!("{vector}: {other:?}"),
        }
    }
}

/// No connection is closed. An ignored vector gets no answer; another one gets the error that its
/// note names, if any.
#[test]
fn tolerated_vectors_are_tolerated() {
    let server = Server::start(&[]);
    for vector in client_vectors("tcp-tolerated.json") {
        let mut peer = peer_in_state(&server, &vector["state"], "guest");
        peer.send_bytes(&parse_hex(&vector["wire"]));
        let came = peer.drain();
        let expected: Option<u16> = vector["note"]
            .as_str()
            .and_then(|note| note.strip_prefix("answered by error "))
            .map(|rest| leading_digits(rest).parse().unwrap());
        let errors: Vec<u16> = came
            .iter()
            .filter_map(|frame| match frame {
                ServerFrame::Error(error) => Some(error.code),
                _ => None,
            })
            .collect();
        if vector["ignored"] == true {
            assert!(came.is_empty(), "{vector}: {came:?}");
        } else if let Some(expected) = expected {
            assert_eq!(errors, [expected], "{vector}");
        }
        for code in errors {
            assert!(!ErrorCode::from_number(code).unwrap().closes(), "{vector}: {code}");
        }
        peer.hang_up();
    }
}
