//! Tests of the owner's tools, without the command line.

mod facts;
mod faults;
mod import_merge;
mod round_trip;
mod slow_export;
mod upgrade;

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::model::Timestamp;

/// Message of a test, for export and import.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TestMessage {
    /// Time in milliseconds since 1970.
    time: u64,
    /// Name of the room.
    room: String,
    /// Username of the author.
    username: String,
    /// Session of the author.
    session: u64,
    /// Reference of the message.
    reference: u64,
    /// Text of the message.
    text: String,
}

impl TestMessage {
    /// Returns the fields by which duplicates are recognised: all but the session. The room is in
    /// lower case.
    fn identity(&self) -> (u64, String, String, u64, String) {
        let room = self.room.to_lowercase();
        (self.time, room, self.username.clone(), self.reference, self.text.clone())
    }
}

/// Returns a message in the lobby with these fields.
fn message(time: u64, username: &str, session: u64, reference: u64, text: &str) -> TestMessage {
    let (room, username, text) = ("lobby".to_owned(), username.to_owned(), text.to_owned());
    TestMessage { time, room, username, session, reference, text }
}

/// Returns the content of a JSON lines file: the header line, then these messages, numbered from 1.
fn file(messages: &[TestMessage]) -> Vec<u8> {
    let header = json!({"format": "pi-chat-log", "version": 1, "log_id": ""});
    let lines = messages.iter().zip(1_u64..).map(|(it, sequence)| {
        json!({
            "sequence": sequence, "time": time_format::format_rfc3339(Timestamp(it.time)), "room": it.room,
            "username": it.username, "session": it.session, "reference": it.reference,
            "style": 0, "text": it.text,
        })
    });
    let lines = [header].into_iter().chain(lines);
    lines.map(|it| format!("{it}\n")).collect::<String>().into_bytes()
}

/// Imports messages into the log of a directory. Returns the number of messages added, duplicates
/// not counted.
fn import_all(directory: &Path, messages: &[TestMessage]) -> u64 {
    let done = import(directory, &mut file(messages).as_slice()).unwrap();
    assert_eq!(done.added + done.duplicates, messages.len() as u64);
    done.added
}

/// Exports the log of a directory as JSON lines.
fn exported(directory: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    let options = ExportOptions { room: None, since: None, format: ExportFormat::JsonLines };
    export(directory, &options, &mut out).unwrap();
    out
}

/// Parses an export into its header and messages.
fn parsed(exported: &[u8]) -> (Value, Vec<TestMessage>) {
    let lines = std::str::from_utf8(exported).unwrap().lines();
    let mut values = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = values.next().unwrap();
    let messages = values.map(|it| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        TestMessage {
            time: time_format::parse_rfc3339(&text("time")).unwrap().0,
            room: text("room"),
            username: text("username"),
            session: it["session"].as_u64().unwrap(),
            reference: it["reference"].as_u64().unwrap(),
            text: text("text"),
        }
    });
    (header, messages.collect())
}

/// Returns the room messages of a directory's log, by exporting it.
fn messages(directory: &Path) -> Vec<TestMessage> {
    parsed(&exported(directory)).1
}

/// Checks the log of a directory and asserts that there are no faults.
fn check_without_faults(directory: &Path) -> CheckReport {
    let report = check(directory).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    report
}
