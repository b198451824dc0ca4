//! Tests of the owner's commands of the real program, `chat-server export`, `audit`, `import`,
//! `backup` and `check`, beside a running server and without one.

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

use common::{Server, run_server_command, server_command};
use pi_chat::hub::{FactTicket, Now, Proposal};
use pi_chat::log::{Log, SqliteLog, StoreSettings};
use pi_chat::model::{
    Actor, Draft, FactDraft, MessageText, ModerationAction, Moment, NamedSession, Reference,
    RoomName, Scope, Sequence, SessionId, Style, Target, Timestamp, Username,
};
use pi_chat::wire::tcp::{Direct, ServerFrame};
use serde_json::Value;

/// Temporary directory for data directories and files.
struct Workspace {
    /// Parent directory, removed on drop.
    parent: tempfile::TempDir,
}

impl Workspace {
    /// Creates an empty workspace.
    fn new() -> Self {
        Self { parent: tempfile::tempdir().unwrap() }
    }

    /// Returns the path of `name` in the workspace.
    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// Returns the path as a command-line argument.
    fn argument(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Starts a server with this data directory and a high rate limit.
    fn start_server(&self, directory: &str) -> Server {
        Server::start(&["--data", &self.argument(directory), "--burst", "10000"])
    }

    /// Runs a command on a data directory.
    fn run_tool(&self, directory: &str, arguments: &[&str]) -> Output {
        let (tool, rest) = arguments.split_first().unwrap();
        run_server_command(&[&[*tool, "--data", &self.argument(directory)], rest].concat())
    }

    /// Runs a command that must succeed with nothing on standard error, and returns its standard
    /// output.
    fn tool_output(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.run_tool(directory, arguments);
        assert_eq!((output.status.code(), to_text(&output.stderr).as_str()), (Some(0), ""));
        to_text(&output.stdout)
    }

    /// Runs a command that must fail with exit code 1 and nothing on standard output, and returns
    /// its error text.
    fn tool_error(&self, directory: &str, arguments: &[&str]) -> String {
        let output = self.run_tool(directory, arguments);
        assert_eq!((output.status.code(), to_text(&output.stdout).as_str()), (Some(1), ""));
        to_text(&output.stderr)
    }

    /// Exports a log as JSON lines and returns the texts of its messages.
    fn exported_texts(&self, directory: &str) -> Vec<String> {
        let exported = self.tool_output(directory, &["export"]);
        let values = exported.lines().skip(1).map(|it| serde_json::from_str::<Value>(it).unwrap());
        values.map(|it| it["text"].as_str().unwrap().to_owned()).collect()
    }
}

/// Converts output to text.
fn to_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Joins as `name`, sends a direct message to itself, and waits for it.
fn send_direct(server: &Server, name: &str, text: &str) {
    let mut peer = server.join(name);
    let (to, text) = (name.to_owned(), text.to_owned());
    peer.send(Direct { reference: Reference(1), to, session: SessionId(0), style: 0, text });
    while !matches!(peer.next(), ServerFrame::DirectEntry(_)) {}
}

/// The export has the messages of the rooms, but not the direct ones. Room, time and format can be
/// chosen. As text, a message cannot forge the line of another one.
#[test]
fn export_works_beside_running_server() {
    let workspace = Workspace::new();
    let server = workspace.start_server("log");
    let (mut anna, arrival) = server.join_rooms("anna", &["lobby", "kitchen"]);
    anna.say_in_lobby("first\n#lobby bob: not bob");
    anna.say("kitchen", "second \u{202e}");
    anna.next_entry();
    send_direct(&server, "bob", "secret");
    assert_eq!(workspace.exported_texts("log"), ["first\n#lobby bob: not bob", "second \u{202e}"]);
    let kitchen =
        workspace.tool_output("log", &["export", "--room", "Kitchen", "--format", "text"]);
    assert!(kitchen.ends_with("Z #kitchen anna: second \u{fffd}\n"), "{kitchen}");
    assert_eq!(kitchen.lines().count(), 1);
    let all =
        workspace.tool_output("log", &["export", "--format", "text", "--since", "2020-01-01"]);
    assert!(all.contains("Z #lobby anna: first\n    #lobby bob: not bob\n"), "{all}");
    assert_eq!(
        workspace.tool_output("log", &["export", "--format", "text", "--since", "2999-01-01"]),
        ""
    );
    let header = workspace.tool_output("log", &["export", "--since", "2999-01-01"]);
    let header: Value = serde_json::from_str(&header).unwrap();
    let log_id = arrival.welcome.log_id.0.map(|it| format!("{it:02x}")).concat();
    assert_eq!(header["log_id"].as_str(), Some(log_id.as_str()));
    // The export has not disturbed the server.
    assert_eq!(anna.say_in_lobby("third").text, "third");
    let checked = workspace.tool_output("log", &["check"]);
    assert!(checked.starts_with("no fault found: 3 messages in 2 rooms, 1 direct message, "));
}

/// The audit names who did what to whom, also what had no effect, and says nothing of texts.
#[test]
fn audit_lists_the_moderation_actions() {
    let workspace = Workspace::new();
    let directory = workspace.path("log");
    let settings = StoreSettings { directory, ..StoreSettings::default() };
    let (mut log, _) = SqliteLog::open(settings).unwrap();
    let named = |name: &str, session| {
        let username = Username::new(name).unwrap();
        NamedSession { session: SessionId(session), username }
    };
    let text = MessageText::new("a secret").unwrap();
    let said = Draft {
        person: None,
        session: SessionId(4),
        username: Username::new("bob").unwrap(),
        reference: Reference(1),
        target: Target::Room(RoomName::lobby()),
        style: Style::SAID,
        text,
    };
    let author = named("bob", 4);
    let (room, message) = (RoomName::lobby(), Sequence(1));
    let action = ModerationAction::MessageRemoved { room, message, author };
    let fact = |ticket, actor| {
        let draft = FactDraft { actor, action: action.clone(), reason: None };
        Proposal::Fact { ticket: FactTicket(ticket), draft }
    };
    let stranger = Actor::Session(named("eve", 5));
    let proposals = vec![Proposal::Message(said), fact(1, stranger), fact(2, Actor::CommandLine)];
    log.propose(Now { moment: Moment::START, time: Timestamp(0) }, proposals);
    drop(log);
    let text = workspace.tool_output("log", &["audit"]);
    let what = "removed message 1 of bob (session 4) in #lobby";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let without_effect = "(without effect: not permitted, or not possible)";
    assert!(lines[0].ends_with(&format!("eve (session 5) {what} {without_effect}")), "{text}");
    assert!(lines[1].ends_with(&format!("the command line {what}")), "{text}");
    let json = workspace.tool_output("log", &["audit", "--json"]);
    let effects: Vec<Value> = json.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let effects: Vec<bool> =
        effects.iter().map(|it: &Value| it["effective"].as_bool().unwrap()).collect();
    assert_eq!(effects, [false, true]);
    assert!(!json.contains("secret"), "{json}");
    assert_eq!(workspace.exported_texts("log"), ["[removed]"]);
}

/// An audit may be of one room, and from some time on. Actions for the whole server belong to no
/// room.
#[test]
fn audit_is_filtered_by_room_and_time() {
    let workspace = Workspace::new();
    let directory = workspace.path("log");
    let settings = StoreSettings { directory, ..StoreSettings::default() };
    let (mut log, _) = SqliteLog::open(settings).unwrap();
    let day = 24 * 60 * 60 * 1_000;
    let scopes = ["lobby", "attic"].map(|it| Scope::Room(RoomName::new(it).unwrap()));
    for (time, scope) in (1..).zip(scopes.into_iter().chain([Scope::Server]).cycle().take(6)) {
        let action = ModerationAction::Announced(scope);
        let draft = FactDraft { actor: Actor::CommandLine, action, reason: None };
        let proposal = Proposal::Fact { ticket: FactTicket(time), draft };
        let now = Now { moment: Moment::START, time: Timestamp(time * day) };
        log.propose(now, vec![proposal]);
    }
    drop(log);
    let days = |arguments: &[&str]| -> Vec<String> {
        let text = workspace.tool_output("log", &[&["audit"], arguments].concat());
        text.lines().map(|it| it[..10].to_owned()).collect()
    };
    assert_eq!(days(&[]).len(), 6);
    assert_eq!(days(&["--room", "Lobby"]), ["1970-01-02", "1970-01-05"]);
    assert_eq!(days(&["--since", "1970-01-06"]), ["1970-01-06", "1970-01-07"]);
    assert_eq!(days(&["--since", "1970-01-03", "--room", "attic"]), ["1970-01-03", "1970-01-06"]);
    assert_eq!(days(&["--since", "1970-01-07", "--room", "lobby"]), [""; 0]);
}

/// Messages are ordered by time, and imported only once. Earlier clients come back as newcomers.
/// While a server uses the directory, the import is refused.
#[test]
fn import_merges_into_another_log() {
    let workspace = Workspace::new();
    let mut server = workspace.start_server("one");
    let mut anna = server.join("anna");
    anna.say_in_lobby("one");
    anna.say_in_lobby("two");
    server.terminate();
    fs::write(workspace.path("file"), workspace.tool_output("one", &["export"])).unwrap();
    let file = workspace.argument("file");

    let mut server = workspace.start_server("other");
    let (mut bob, before) = server.join_rooms("bob", &[]);
    let last = bob.say_in_lobby("three");
    // A data directory has only one user at a time.
    let complaint = workspace.tool_error("other", &["import", &file]);
    assert!(complaint.contains(&format!("is in use by process {}", server.id())), "{complaint}");
    server.terminate();
    let done = workspace.tool_output("other", &["import", &file]);
    assert_eq!(done, "2 messages added, 0 already there\n");
    let again = workspace.tool_output("other", &["import", &file]);
    assert_eq!(again, "0 messages added, 2 already there\n");
    assert!(workspace.tool_output("other", &["check"]).starts_with("no fault found: 3 messages"));

    let server = workspace.start_server("other");
    // A client of before the import resumes as a newcomer, and receives all messages.
    let (_bob, after) = server.resume("bob", &before.welcome, last.sequence);
    assert_ne!(after.welcome.log_id, before.welcome.log_id);
    assert_eq!(after.texts(), ["one", "two", "three"]);
    let sequences: Vec<_> = after.history.iter().map(|it| (it.sequence.0, it.previous.0)).collect();
    assert_eq!(sequences, [(1, 0), (2, 1), (3, 2)]);
    // The sessions of imported messages differ from those of new clients.
    let (mut carla, newcomer) = server.join_rooms("carla", &[]);
    let sessions: Vec<_> = after.history.iter().map(|it| it.session).collect();
    assert!(!sessions.contains(&newcomer.welcome.session));
    assert_eq!((sessions[0], sessions[2]), (sessions[1], before.welcome.session));
    assert_eq!(carla.say_in_lobby("four").previous.0, 3);
}

/// Starts an import from standard input and writes a part of the input, which stays open.
fn start_partial_import(workspace: &Workspace, directory: &str, given: &str) -> Child {
    let mut command = server_command();
    command.args(["import", "--data", &workspace.argument(directory), "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(given.as_bytes()).unwrap();
    child
}

/// Builds an export with this number of messages.
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

/// An import that is killed halfway, or that finds an invalid last line, leaves the log as it was.
/// The same import succeeds afterwards.
#[test]
fn killed_or_failed_import_changes_nothing() {
    let workspace = Workspace::new();
    let mut server = workspace.start_server("log");
    server.join("bob").say_in_lobby("here before");
    server.terminate();
    let before = workspace.tool_output("log", &["export"]);
    // More than a pipe holds, so the import has read some of it when all is written.
    let all = large_export(20_000);
    let mut child = start_partial_import(&workspace, "log", &all);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(workspace.tool_output("log", &["export"]), before);
    assert!(workspace.tool_output("log", &["check"]).starts_with("no fault found: 1 message in"));
    // A failed import changes nothing either, and a complete one succeeds.
    for (more, added) in [("{\n", None), ("", Some("20000 messages added"))] {
        let mut child = start_partial_import(&workspace, "log", &all);
        child.stdin.take().unwrap().write_all(more.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match added {
            Some(added) => assert!(to_text(&output.stdout).starts_with(added)),
            None => {
                assert!(to_text(&output.stderr).contains("line 20002"));
                assert_eq!(workspace.tool_output("log", &["export"]), before);
            }
        }
    }
    assert_eq!(workspace.exported_texts("log").len(), 20_001);
}

/// A reader of the export that ends early, such as `head`, gives exit code 0 and no error text.
#[test]
fn closed_stdout_is_no_export_failure() {
    let workspace = Workspace::new();
    fs::write(workspace.path("file"), large_export(20_000)).unwrap();
    workspace.tool_output("log", &["import", &workspace.argument("file")]);
    let mut command = server_command();
    command.args(["export", "--data", &workspace.argument("log")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    // The reader is dropped at the end of this statement, which closes the pipe.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("pi-chat-log"));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), to_text(&output.stderr).as_str()), (Some(0), ""));
}

/// The backup has the session, and another log id. An existing file is not overwritten.
#[test]
fn backup_of_running_server_can_be_restored() {
    let workspace = Workspace::new();
    let server = workspace.start_server("one");
    let (mut anna, arrival) = server.join_rooms("anna", &[]);
    let last = anna.say_in_lobby("before");
    let file = workspace.argument("backup");
    let told = workspace.tool_output("one", &["backup", &file]);
    assert!(told.ends_with(&format!(" bytes in {file}\n")), "{told}");
    let later = anna.say_in_lobby("after");
    assert!(workspace.tool_error("one", &["backup", &file]).contains("is there already"));
    // Restored as described in `--help`.
    fs::create_dir(workspace.path("other")).unwrap();
    fs::copy(&file, workspace.path("other/chat.db")).unwrap();
    assert!(workspace.tool_output("other", &["check"]).starts_with("no fault found: 1 message in"));
    drop(server);
    let server = workspace.start_server("other");
    // The session is in the backup; the later position belongs to another log.
    let (_anna, again) = server.resume("anna", &arrival.welcome, later.sequence);
    assert_eq!(again.welcome.session, arrival.welcome.session);
    assert_ne!(again.welcome.log_id, arrival.welcome.log_id);
    assert_eq!(again.texts(), ["before"]);
    assert_eq!(server.join("bob").say_in_lobby("again").previous, last.sequence);
}

/// Each fault has a line; the last line has their number, and the exit code is 1.
#[test]
fn check_reports_faults() {
    let workspace = Workspace::new();
    fs::write(workspace.path("file"), large_export(3)).unwrap();
    workspace.tool_output("log", &["import", &workspace.argument("file")]);
    let connection = rusqlite::Connection::open(workspace.path("log/chat.db")).unwrap();
    connection.execute_batch("UPDATE entries SET previous = 1 WHERE sequence = 3").unwrap();
    drop(connection);
    let output = workspace.run_tool("log", &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let told = to_text(&output.stdout);
    let expected =
        "message 3: 1 is not the one before it\nfaults found: 1, in 3 messages in 1 room";
    assert!(told.starts_with(expected), "{told}");
}

/// Arguments of each command, without the data directory.
const TOOLS: &[&[&str]] = &[&["export"], &["import", "-"], &["backup", "b"], &["check"]];

/// Every command refuses a database of another program or of a newer version of this one.
#[test]
fn foreign_and_newer_databases_are_left_unchanged() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path("log")).unwrap();
    let path = workspace.path("log/chat.db");
    for (statement, told) in [
        ("CREATE TABLE recipes (name TEXT)", "is not a log of chat-server"),
        ("PRAGMA application_id = 1349075816; PRAGMA user_version = 1000", "newer version"),
    ] {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        for tool in TOOLS {
            let complaint = workspace.tool_error("log", tool);
            assert!(complaint.contains(told), "{tool:?}: {complaint}");
            assert_eq!(fs::read(&path).unwrap(), before, "{tool:?}");
        }
    }
}

/// Without a directory, the exit code is 78; with wrong usage, 64. A directory that does not exist
/// is an error, and is not created.
#[test]
fn directory_comes_from_flag_environment_or_config() {
    for tool in TOOLS {
        let output = run_server_command(tool);
        assert_eq!(output.status.code(), Some(78), "{tool:?}");
        assert!(to_text(&output.stderr).contains("--data"), "{tool:?}");
    }
    for wrong in [&["export", "--since", "soon"][..], &["export", "--room", "a b"], &["import"]] {
        assert_eq!(run_server_command(wrong).status.code(), Some(64), "{wrong:?}");
    }
    // The directory can be given in each way that the server accepts.
    let workspace = Workspace::new();
    let file = workspace.path("file");
    fs::write(&file, large_export(2)).unwrap();
    workspace.tool_output("log", &["import", file.to_str().unwrap()]);
    let config = workspace.path("config");
    fs::write(&config, format!("data-dir = {:?}\n", workspace.argument("log"))).unwrap();
    let found = |variable: Option<(&str, &Path)>, arguments: &[&str]| {
        let mut command = server_command();
        command.arg("check").args(arguments).envs(variable);
        let output = command.output().unwrap();
        assert!(to_text(&output.stdout).contains(" 2 messages"), "{output:?}");
    };
    found(Some(("CHAT_SERVER_DATA", &workspace.path("log"))), &[]);
    found(Some(("CHAT_SERVER_CONFIG", &config)), &[]);
    found(None, &["--config", config.to_str().unwrap()]);
    let nowhere = workspace.tool_error("nowhere", &["export"]);
    assert!(nowhere.contains("there is no chat.db in"), "{nowhere}");
    assert!(!workspace.path("nowhere").exists());
}

/// SQLite takes names that begin with `file:` for URIs; the programs take them for names.
#[test]
fn data_directory_may_be_named_like_a_uri() {
    let workspace = Workspace::new();
    let run = |arguments: &[&str]| {
        let mut command = server_command();
        command.current_dir(workspace.parent.path()).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(to_text(&output.stderr), "", "{arguments:?}");
        to_text(&output.stdout)
    };
    {
        let server = Server::start_with(&["--data", "file:chat?mode=ro"], |command| {
            command.current_dir(workspace.parent.path());
        });
        server.join("anna").say_in_lobby("kept");
    }
    assert!(run(&["export", "--data", "file:chat?mode=ro"]).contains("kept"));
    run(&["backup", "--data", "file:chat?mode=ro", "file:copy"]);
    assert!(workspace.path("file:copy").exists());
}
