//! The owner's tools as the real program: `chat-server export`, `import`,
//! `backup` and `check`, beside a server that runs.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use common::{Server, program, run};
use pi_chat::model::{Reference, SessionId};
use pi_chat::wire::tcp::{Direct, ServerFrame};
use serde_json::Value;

/// A directory for the messages, and room for files beside it.
struct Place {
    /// Removed when this is dropped.
    parent: tempfile::TempDir,
}

impl Place {
    /// Nothing is in it.
    fn new() -> Self {
        Self { parent: tempfile::tempdir().unwrap() }
    }

    /// Where something is.
    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// The same as an argument.
    fn argument(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A server on a directory.
    fn serve(&self, directory: &str) -> Server {
        Server::start(&["--data", &self.argument(directory), "--burst", "10000"])
    }

    /// Runs a tool on a directory.
    fn tool(&self, directory: &str, arguments: &[&str]) -> Output {
        let (tool, rest) = arguments.split_first().unwrap();
        run(&[&[*tool, "--data", &self.argument(directory)], rest].concat())
    }

    /// The same; gives what a tool tells that has done what it should.
    fn done(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.tool(directory, arguments);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
        text(&output.stdout)
    }

    /// The same; gives what a tool complains of.
    fn refused(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.tool(directory, arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
        text(&output.stderr)
    }

    /// The texts that are exported.
    fn texts(&self, directory: &str) -> Vec<String> {
        let exported = self.done(directory, &["export"]);
        let values = exported.lines().skip(1).map(|it| serde_json::from_str::<Value>(it).unwrap());
        values.map(|it| it["text"].as_str().unwrap().to_owned()).collect()
    }
}

/// What a program has written.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Somebody new says something to themselves.
fn whisper(server: &Server, name: &str, text: &str) {
    let mut peer = server.join(name);
    let (to, text) = (name.to_owned(), text.to_owned());
    peer.send(Direct { reference: Reference(1), to, session: SessionId(0), style: 0, text });
    while !matches!(peer.next(), ServerFrame::DirectEntry(_)) {}
}

#[test]
fn export_while_a_server_runs() {
    let place = Place::new();
    let server = place.serve("log");
    let (mut anna, arrival) = server.arrive("anna", &["lobby", "kitchen"]);
    anna.says("first\n#lobby bob: not bob");
    anna.say("kitchen", "second \u{202e}");
    anna.next_entry();
    whisper(&server, "bob", "secret");
    assert_eq!(place.texts("log"), ["first\n#lobby bob: not bob", "second \u{202e}"]);
    let kitchen = place.done("log", &["export", "--room", "Kitchen", "--format", "text"]);
    assert!(kitchen.ends_with("Z #kitchen anna: second \u{fffd}\n"), "{kitchen}");
    assert_eq!(kitchen.lines().count(), 1);
    let all = place.done("log", &["export", "--format", "text", "--since", "2020-01-01"]);
    assert!(all.contains("Z #lobby anna: first\n    #lobby bob: not bob\n"), "{all}");
    assert_eq!(place.done("log", &["export", "--format", "text", "--since", "2999-01-01"]), "");
    let header = place.done("log", &["export", "--since", "2999-01-01"]);
    let header: Value = serde_json::from_str(&header).unwrap();
    let log_id = arrival.welcome.log_id.0.map(|it| format!("{it:02x}")).concat();
    assert_eq!(header["log_id"].as_str(), Some(log_id.as_str()));
    // The server is none the wiser.
    assert_eq!(anna.says("third").text, "third");
    let checked = place.done("log", &["check"]);
    assert!(checked.starts_with("no fault found: 3 messages in 2 rooms, 1 direct messages, "));
}

#[test]
fn import_into_another_server() {
    let place = Place::new();
    let mut server = place.serve("one");
    let mut anna = server.join("anna");
    anna.says("one");
    anna.says("two");
    server.terminate();
    fs::write(place.path("file"), place.done("one", &["export"])).unwrap();
    let file = place.argument("file");

    let mut server = place.serve("other");
    let (mut bob, before) = server.arrive("bob", &[]);
    let last = bob.says("three");
    // Nobody else may have the directory.
    let complaint = place.refused("other", &["import", &file]);
    assert!(complaint.contains(&format!("is in use by process {}", server.id())), "{complaint}");
    server.terminate();
    let done = place.done("other", &["import", &file]);
    assert_eq!(done, "2 messages added, 0 were there already\n");
    let again = place.done("other", &["import", &file]);
    assert_eq!(again, "0 messages added, 2 were there already\n");
    assert!(place.done("other", &["check"]).starts_with("no fault found: 3 messages"));

    let server = place.serve("other");
    // Who was there before comes back as a newcomer, and sees all of it.
    let (_bob, after) = server.resume("bob", &before.welcome, last.sequence);
    assert_ne!(after.welcome.log_id, before.welcome.log_id);
    assert_eq!(after.texts(), ["one", "two", "three"]);
    let sequences: Vec<_> = after.history.iter().map(|it| (it.sequence.0, it.previous.0)).collect();
    assert_eq!(sequences, [(1, 0), (2, 1), (3, 2)]);
    // Imported authors are other sessions than those that come.
    let (mut carla, newcomer) = server.arrive("carla", &[]);
    let sessions: Vec<_> = after.history.iter().map(|it| it.session).collect();
    assert!(!sessions.contains(&newcomer.welcome.session));
    assert_eq!((sessions[0], sessions[2]), (sessions[1], before.welcome.session));
    assert_eq!(carla.says("four").previous.0, 3);
}

/// Begins an import from standard input, and gives it something.
fn half_an_import(place: &Place, directory: &str, given: &str) -> Child {
    let mut command = program();
    command.args(["import", "--data", &place.argument(directory), "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(given.as_bytes()).unwrap();
    child
}

/// A large export, with so many messages.
fn large_export(messages: usize) -> String {
    let mut lines = String::from("{\"format\":\"pi-chat-log\",\"version\":1,\"log_id\":\"\"}\n");
    for number in 1..=messages {
        let time = format!("2026-01-01T00:00:00.{:03}Z", number % 1_000);
        let rest = "\"room\":\"lobby\",\"username\":\"anna\",\"session\":1";
        lines += &format!(
            "{{\"sequence\":{number},\"time\":\"{time}\",{rest},\"reference\":{number},\
             \"style\":0,\"text\":\"number {number}\"}}\n"
        );
    }
    lines
}

#[test]
fn an_import_that_is_killed_has_not_been() {
    let place = Place::new();
    let mut server = place.serve("log");
    server.join("bob").says("here before");
    server.terminate();
    let before = place.done("log", &["export"]);
    // More than a pipe holds: it has read some of it when all is written.
    let all = large_export(20_000);
    let mut child = half_an_import(&place, "log", &all);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.done("log", &["export"]), before);
    assert!(place.done("log", &["check"]).starts_with("no fault found: 1 messages"));
    // One that fails likewise; one that comes to its end does not.
    for (more, added) in [("{\n", None), ("", Some("20000 messages added"))] {
        let mut child = half_an_import(&place, "log", &all);
        child.stdin.take().unwrap().write_all(more.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match added {
            Some(added) => assert!(text(&output.stdout).starts_with(added)),
            None => {
                assert!(text(&output.stderr).contains("line 20002"));
                assert_eq!(place.done("log", &["export"]), before);
            }
        }
    }
    assert_eq!(place.texts("log").len(), 20_001);
}

#[test]
fn whoever_reads_no_further_has_seen_enough() {
    let place = Place::new();
    fs::write(place.path("file"), large_export(20_000)).unwrap();
    place.done("log", &["import", &place.argument("file")]);
    let mut command = program();
    command.args(["export", "--data", &place.argument("log")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    // The reader is dropped at the end of this statement, and the pipe with it.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("pi-chat-log"));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn a_backup_of_a_server_that_runs() {
    let place = Place::new();
    let server = place.serve("one");
    let (mut anna, arrival) = server.arrive("anna", &[]);
    let last = anna.says("before");
    let file = place.argument("backup");
    let told = place.done("one", &["backup", &file]);
    assert!(told.ends_with(&format!(" bytes in {file}\n")), "{told}");
    let later = anna.says("after");
    assert!(place.refused("one", &["backup", &file]).contains("is there already"));
    // Restored as the help says.
    fs::create_dir(place.path("other")).unwrap();
    fs::copy(&file, place.path("other/chat.db")).unwrap();
    assert!(place.done("other", &["check"]).starts_with("no fault found: 1 messages"));
    drop(server);
    let server = place.serve("other");
    // The session is there; what it has seen later is of another log.
    let (_anna, again) = server.resume("anna", &arrival.welcome, later.sequence);
    assert_eq!(again.welcome.session, arrival.welcome.session);
    assert_ne!(again.welcome.log_id, arrival.welcome.log_id);
    assert_eq!(again.texts(), ["before"]);
    assert_eq!(server.join("bob").says("again").previous, last.sequence);
}

#[test]
fn faults_are_told() {
    let place = Place::new();
    fs::write(place.path("file"), large_export(3)).unwrap();
    place.done("log", &["import", &place.argument("file")]);
    let connection = rusqlite::Connection::open(place.path("log/chat.db")).unwrap();
    connection.execute_batch("UPDATE entries SET previous = 1 WHERE sequence = 3").unwrap();
    drop(connection);
    let output = place.tool("log", &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    let expected =
        "message 3: 1 is not the one before it\nfaults found: 1, in 3 messages in 1 rooms";
    assert!(told.starts_with(expected), "{told}");
}

/// Every tool, as it is called on a directory.
const TOOLS: &[&[&str]] = &[&["export"], &["import", "-"], &["backup", "b"], &["check"]];

#[test]
fn what_is_not_ours_is_left_alone() {
    let place = Place::new();
    fs::create_dir(place.path("log")).unwrap();
    let path = place.path("log/chat.db");
    for (statement, told) in [
        ("CREATE TABLE recipes (name TEXT)", "is not a log of chat-server"),
        ("PRAGMA application_id = 1349075816; PRAGMA user_version = 1000", "newer version"),
    ] {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        for tool in TOOLS {
            let complaint = place.refused("log", tool);
            assert!(complaint.contains(told), "{tool:?}: {complaint}");
            assert_eq!(fs::read(&path).unwrap(), before, "{tool:?}");
        }
    }
}

#[test]
fn which_directory() {
    for tool in TOOLS {
        let output = run(tool);
        assert_eq!(output.status.code(), Some(78), "{tool:?}");
        assert!(text(&output.stderr).contains("--data"), "{tool:?}");
    }
    for wrong in [&["export", "--since", "soon"][..], &["export", "--room", "a b"], &["import"]] {
        assert_eq!(run(wrong).status.code(), Some(64), "{wrong:?}");
    }
    // By each of the ways in which the server is told.
    let place = Place::new();
    let file = place.path("file");
    fs::write(&file, large_export(2)).unwrap();
    place.done("log", &["import", file.to_str().unwrap()]);
    let config = place.path("config");
    fs::write(&config, format!("data-dir = {:?}\n", place.argument("log"))).unwrap();
    let found = |variable: Option<(&str, &Path)>, arguments: &[&str]| {
        let mut command = program();
        command.arg("check").args(arguments).envs(variable);
        let output = command.output().unwrap();
        assert!(text(&output.stdout).contains(" 2 messages"), "{output:?}");
    };
    found(Some(("CHAT_SERVER_DATA", &place.path("log"))), &[]);
    found(Some(("CHAT_SERVER_CONFIG", &config)), &[]);
    found(None, &["--config", config.to_str().unwrap()]);
    let nowhere = place.refused("nowhere", &["export"]);
    assert!(nowhere.contains("there is no log in"), "{nowhere}");
    assert!(!place.path("nowhere").exists());
}
