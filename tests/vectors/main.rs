//! Reads `docs/protocol/vectors/*.json`, the very files that strangers test
//! their programs with, and checks ours against them. (What the server
//! answers to invalid bytes is checked against the real program, in
//! `tests/conformance.rs`.) Those of the UDP protocol are in [`udp`].

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../common/link_settings.rs"]
mod link_settings;
#[cfg(any(feature = "server", feature = "client"))]
mod proofs;
mod replica;
mod scenario;
mod tcp_scenarios;
mod udp;
mod udp_scenarios;
#[cfg(feature = "server")]
mod websocket;

use std::fs;
use std::path::Path;

use pi_chat::model::{MessageText, RoomName, SessionId, Username};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{Claim, ClientFrame, Decoded, Done, Join, ServerFrame, ServerHello};
use serde::Serialize;
use serde_json::{Value, json};

/// The vectors of one file.
fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol/vectors").join(file);
    let vectors: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(vectors.len() > 20, "{file} is nearly empty");
    vectors
}

/// Bytes written in hex.
fn unhex(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes();
    assert_eq!(digits.len() % 2, 0);
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A frame's fields as our JSON has them: without the name of its kind.
fn fields(frame: &impl Serialize) -> Value {
    serde_json::to_value(frame).unwrap()
}

/// A `join` as our JSON has it: with its trailing fields, if they are there.
fn join_fields(join: &Join) -> Value {
    let mut value = fields(join);
    if let Some(proof) = &join.proof {
        value["proof"] = fields(proof);
    }
    if let Some(invite) = &join.invite {
        value["invite"] = json!(invite);
    }
    value
}

/// A `server_hello` as our JSON has it: with its trailing fields, if they are there.
fn server_hello_fields(hello: &ServerHello) -> Value {
    let mut value = fields(hello);
    for (key, bytes) in [("challenge", hello.challenge), ("server_key", hello.server_key)] {
        if bytes != [0; 32] {
            value[key] = json!(bytes);
        }
    }
    value
}

/// A `claim` as our JSON has it: with its trailing field, if it is there.
fn claim_fields(claim: &Claim) -> Value {
    let mut value = fields(claim);
    if claim.code_hash != [0; 32] {
        value["code_hash"] = json!(claim.code_hash);
    }
    value
}

/// A `done` as our JSON has it: with its trailing field, if it is there.
fn done_fields(done: &Done) -> Value {
    let mut value = fields(done);
    if !done.page.is_empty() {
        value["page"] = json!(done.page);
    }
    value
}

/// An entry as our JSON has it: with the trailing field for its author as a person, if that is
/// there.
fn with_person(mut value: Value, field: &str, person: SessionId) -> Value {
    if person != SessionId(0) {
        value[field] = json!(person);
    }
    value
}

/// A vector's `value` as serde would write our structs: bytes as arrays,
/// numbers as numbers.
fn as_ours(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let is_bytes = matches!(
                    key.as_str(),
                    "magic"
                        | "log_id"
                        | "challenge"
                        | "server_key"
                        | "key"
                        | "signature"
                        | "code_hash"
                ) || key == "token"
                    && value.as_str().is_some_and(|it| it.len() == 32);
                let is_text = matches!(
                    key.as_str(),
                    "text"
                        | "username"
                        | "room"
                        | "from"
                        | "to"
                        | "after"
                        | "password"
                        | "invite"
                        | "client_name"
                        | "client_version"
                        | "server_program"
                        | "server_version"
                        | "server_name"
                        | "by"
                        | "reason"
                        | "name"
                        | "topic"
                        | "page"
                );
                let ours = match value {
                    // Serde has no arrays of 64 bytes.
                    _ if key == "signature" => json!([unhex(value)[..32], unhex(value)[32..]]),
                    _ if is_bytes => json!(unhex(value)),
                    Value::String(digits) if !is_text => json!(digits.parse::<u64>().unwrap()),
                    Value::Object(_) => as_ours(value),
                    Value::Array(items) => items.iter().map(as_ours).collect(),
                    other => other.clone(),
                };
                (key.clone(), ours)
            })
            .collect(),
        other => other.clone(),
    }
}

/// What became of a body, in a form that both directions have.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The kind, the fields, and the encoding of the whole frame.
    Frame(u16, Value, Vec<u8>),
    /// Not for us.
    Ignored,
    /// Refused.
    Malformed,
}

/// Decodes a body that came from a client or a server.
fn decode(from: &str, body: &[u8]) -> Outcome {
    /// Fields of whichever frame it is.
    macro_rules! fields_of {
        ($frame:expr, $enum:ident: $($variant:ident)*; $($other:ident($it:ident) => $fields:expr),*) => {
            match $frame { $($enum::$variant(it) => fields(it),)* $($enum::$other($it) => $fields,)* }
        };
    }
    let mut encoded = Vec::new();
    match from {
        "client" => match ClientFrame::decode(body) {
            Decoded::Frame(frame) => {
                frame.encode(&mut encoded);
                let fields = fields_of!(&frame, ClientFrame: Hello Say Direct Enter Leave
                    History Members Ping Pong Search Topic Remove Moderate Sanctions Directory
                    Announce Role MarkRead Replicate Replicated; Claim(it) => claim_fields(it), Join(it) => join_fields(it));
                Outcome::Frame(frame.kind(), fields, encoded)
            }
            Decoded::Ignored => Outcome::Ignored,
            Decoded::Malformed(_) => Outcome::Malformed,
        },
        _ => match ServerFrame::decode(body) {
            Decoded::Frame(frame) => {
                frame.encode(&mut encoded);
                let fields = fields_of!(&frame, ServerFrame: Ping Pong Welcome Entered
                    End Left Roster Presence Accepted Notice Error Removed
                    TopicChanged RoomModes RoleChanged SanctionsList Rooms ReadMark Sanctioned;
                    ServerHello(it) => server_hello_fields(it), Done(it) => done_fields(it),
                    Entry(it) => with_person(fields(it), "person", it.person),
                    DirectEntry(it) => with_person(fields(it), "from_person", it.from_person));
                Outcome::Frame(frame.kind(), fields, encoded)
            }
            Decoded::Ignored => Outcome::Ignored,
            Decoded::Malformed(_) => Outcome::Malformed,
        },
    }
}

#[test]
fn varints() {
    for vector in vectors("varints.json") {
        let bytes = unhex(&vector["hex"]);
        let decoded = match vector["type"].as_str().unwrap() {
            "u16" => canonical::<u16>(&bytes).map(u64::from),
            "u32" => canonical::<u32>(&bytes).map(u64::from),
            "u64" => canonical::<u64>(&bytes),
            other => panic!("{other}"),
        };
        let expected = match &vector["value"] {
            Value::Null => None,
            Value::String(digits) => Some(digits.parse().unwrap()),
            number => Some(number.as_u64().unwrap()),
        };
        assert_eq!(decoded, expected, "{vector}");
    }
}

/// A number, if the bytes are its one encoding: the rule of the page, on
/// postcard itself.
fn canonical<T: Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).ok()?;
    let again = postcard::to_allocvec(&value).ok()?;
    (rest.is_empty() && again == bytes).then_some(value)
}

#[test]
fn names() {
    for vector in vectors("names.json") {
        let input = vector["input"].as_str().unwrap();
        let (user, room) = (Username::new(input), RoomName::new(input));
        assert_eq!(user.is_ok(), room.is_ok());
        match vector["name"].as_str() {
            Some(name) => {
                let user = user.unwrap_or_else(|error| panic!("{vector}: {error}"));
                assert_eq!(user.as_str(), name, "{vector}");
                assert_eq!(user.key().as_str(), vector["key"].as_str().unwrap(), "{vector}");
            }
            None => assert!(user.is_err(), "{vector}"),
        }
    }
}

#[test]
fn texts() {
    for vector in vectors("texts.json") {
        let text = match vector["text"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                let times = usize::try_from(vector["times"].as_u64().unwrap()).unwrap();
                vector["repeat"].as_str().unwrap().repeat(times)
            }
        };
        assert_eq!(
            MessageText::new(&text).is_ok(),
            vector["accepted"].as_bool().unwrap(),
            "{vector}"
        );
    }
}

#[test]
fn frames_both_ways() {
    for vector in vectors("tcp-frames.json") {
        let (body, wire) = (unhex(&vector["body"]), unhex(&vector["wire"]));
        let kind = u16::try_from(vector["kind"].as_u64().unwrap()).unwrap();
        let expected = Outcome::Frame(kind, as_ours(&vector["value"]), wire);
        assert_eq!(decode(vector["from"].as_str().unwrap(), &body), expected, "{}", vector["name"]);
    }
}

#[test]
fn what_is_tolerated() {
    for vector in vectors("tcp-tolerated.json") {
        let outcome = decode(vector["from"].as_str().unwrap(), &unhex(&vector["body"]));
        match outcome {
            Outcome::Ignored => assert_eq!(vector["ignored"], true, "{}", vector["name"]),
            Outcome::Frame(kind, fields, _) => {
                assert_eq!(vector["kind"], kind, "{}", vector["name"]);
                assert_eq!(fields, as_ours(&vector["value"]), "{}", vector["name"]);
            }
            Outcome::Malformed => panic!("refused: {}", vector["name"]),
        }
    }
}

/// The part that needs no server: what a client must refuse, and what a
/// server must refuse whatever its state.
#[test]
fn what_is_refused() {
    for vector in vectors("tcp-invalid.json") {
        let from = vector["from"].as_str().unwrap();
        let mut reader = match vector["state"].as_str() {
            Some("connected") if from == "client" => FrameReader::from_client(),
            _ => FrameReader::from_server(),
        };
        let mut outcomes = Vec::new();
        let read = reader.feed(&unhex(&vector["wire"]), |body| {
            outcomes.push(decode(from, body));
            true
        });
        let is_about_state = matches!(vector["error"].as_u64(), Some(101 | 104));
        let is_refused = read.is_err() || outcomes.contains(&Outcome::Malformed);
        assert!(is_refused || is_about_state, "{vector}: {outcomes:?}");
    }
}
