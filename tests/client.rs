//! Tests of `chat-client` in scripts: the real program with pipes, connected to a real server.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;
#[path = "common/program.rs"]
mod program;

#[cfg(unix)]
use std::fs::DirEntry;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use common::{Server, isolated_command};
use pi_chat::model::{LogId, Reference, Sequence, SessionId, Timestamp, Token};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{
    ClientFrame, Decoded, End, Entered, Notice, ServerFrame, ServerHello, VERSION, Welcome, flag,
};
use program::Program;
use serde_json::{Value, json};

/// Returns a command for `chat-client` as `name`, independent of the user's settings, that saves
/// nothing. All three standard streams are pipes.
fn client_command(server: &str, name: &str) -> Command {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args([server, "--name", name, "--fresh"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command, whose standard streams are pipes, with this input, and returns its output.
fn run_with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().unwrap();
    // It may exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns an address on which nothing listens.
fn unused_address() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Joins these rooms, and returns their recent texts, each with its room.
fn room_history(server: &Server, rooms: &[&str]) -> Vec<String> {
    let (_, answer) = server.join_rooms("witness", rooms);
    answer.history.iter().map(|it| format!("{}: {}", it.room, it.text)).collect()
}

/// Returns the standard error of a program as text.
fn stderr_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Lines after `/join` and `/leave` go to the room that these select, although their answers have
/// not arrived.
#[test]
fn script_lines_follow_join_and_leave() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let input = "/join #Kitchen\nhello kitchen\n/leave\nafter leave\n";
    let output = run_with_input(client_command(&address, "anna"), input);
    assert_eq!(output.status.code(), Some(0), "{}", stderr_text(&output));
    assert_eq!(
        room_history(&server, &["lobby", "kitchen"]),
        ["Kitchen: hello kitchen", "lobby: after leave"]
    );
}

/// A standard error that cannot be written changes neither delivery nor exit codes.
#[cfg(target_os = "linux")]
#[test]
fn unwritable_stderr_changes_no_exit_code() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let server = Server::start(&[]);
    let mut command = client_command(&server.address().to_string(), "anna");
    command.stderr(full());
    assert_eq!(run_with_input(command, "/nonsense\nhi\n").status.code(), Some(64));
    assert_eq!(room_history(&server, &["lobby"]), ["lobby: hi"]);
    let mut command = client_command(&unused_address(), "anna");
    command.stderr(full());
    assert_eq!(run_with_input(command, "hi\n").status.code(), Some(69));
    let mut command = client_command(&server.address().to_string(), "anna");
    command.stdout(full()).stderr(full());
    assert_eq!(run_with_input(command, "/help\nho\n").status.code(), Some(0));
    assert_eq!(room_history(&server, &["lobby"]), ["lobby: hi", "lobby: ho"]);
}

/// If standard output is closed, all input is sent nevertheless, also input that comes later.
#[test]
fn closed_stdout_loses_no_input() {
    for (mode, line) in [("--json", "{\"type\":\"say\",\"text\":\"x\"}\n"), ("--plain", "x\n")] {
        let server = Server::start(&[]);
        let mut witness = server.join("witness");
        let mut command = client_command(&server.address().to_string(), "anna");
        command.arg(mode);
        let mut child = command.spawn().unwrap();
        // As `head -1` does, only earlier.
        drop(child.stdout.take());
        let mut input = child.stdin.take().unwrap();
        input.write_all(line.as_bytes()).unwrap();
        witness.next_entry();
        input.write_all(line.repeat(44).as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{mode}: {}", stderr_text(&output));
        assert_eq!(witness.next_entries(44).len(), 44, "{mode}");
    }
}

/// Plain and JSON lines give the same exit codes.
#[test]
fn plain_and_json_scripts_share_exit_codes() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let (say, refused) =
        (r#"{"type":"say","text":"x"}"#, r#"{"type":"direct","to":"nobody","text":"x"}"#);
    let cases = [
        ("--plain", "x".to_owned(), 0),
        ("--plain", "/nonsense\nx".to_owned(), 64),
        ("--plain", "/nonsense\n/msg nobody x\nx".to_owned(), 77),
        ("--json", say.to_owned(), 0),
        ("--json", format!("nonsense\n{say}"), 64),
        ("--json", format!("nonsense\n{refused}\n{say}"), 77),
    ];
    for (mode, input, code) in cases {
        let mut command = client_command(&address, "anna");
        command.arg(mode);
        let output = run_with_input(command, &input);
        assert_eq!(output.status.code(), Some(code), "{mode} {input}: {}", stderr_text(&output));
        if mode == "--plain" && code == 77 {
            assert!(
                stderr_text(&output).contains("!! Nobody here is called “nobody”."),
                "{}",
                stderr_text(&output)
            );
        }
        if mode == "--json" {
            let shown = String::from_utf8(output.stdout).unwrap();
            let end: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
            assert_eq!((&end["type"], &end["exit"]), (&json!("end"), &json!(code)), "{input}");
        }
    }
    // Lines after a mistake are sent nevertheless.
    assert_eq!(room_history(&server, &["lobby"]).len(), 6);
}

/// Starts a server with 25 messages about tea and one about coffee in the lobby, and one about tea
/// in the attic.
fn server_with_tea_messages() -> Server {
    let server = Server::start(&[]);
    let mut carla = server.join_rooms("carla", &["lobby", "attic"]).0;
    for number in 1..=25 {
        carla.say_in_lobby(&format!("Tea, pot {number}"));
    }
    carla.say_in_lobby("coffee");
    carla.say("attic", "the tea is up here");
    carla.next_entry();
    server
}

/// Returns the search results among lines, without their times.
fn found_lines(lines: &[String]) -> Vec<&str> {
    let of_found = |line: &&String| line.starts_with("~[") && line.contains("] #");
    lines.iter().filter(of_found).filter_map(|it| Some(it.split_once("] ")?.1)).collect()
}

/// Search by words and filters, page by page.
#[test]
fn search_shows_matches_page_by_page() {
    let server = server_with_tea_messages();
    let mut anna = Program::start(client_command(&server.address().to_string(), "anna"));
    anna.type_line("/search tea from:CARLA");
    anna.expect_text("-- 20 messages with tea from CARLA:");
    anna.expect_text("-- there are older ones: type /search to see them");
    anna.type_line("/search");
    let lines = anna.wait_for_lines(|lines| found_lines(lines).len() == 25);
    let all: Vec<_> =
        (6..=25).chain(1..=5).map(|it| format!("#lobby carla: Tea, pot {it}")).collect();
    assert_eq!(found_lines(&lines), all);
    assert!(lines.contains(&"-- 5 older messages with tea from CARLA:".to_owned()));
    // The attic is searched only after anna has joined it.
    anna.type_line("/join attic");
    anna.expect_text("-- you are in #attic now");
    anna.type_line("/search \"tea is\" in:#Attic after:yesterday");
    anna.expect_text("] #attic carla: the tea is up here");
    anna.type_line("/search \"is tea\"");
    anna.expect_text("-- nothing found with \"is tea\"");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert_eq!(lines.iter().filter(|it| it.contains("there are older ones")).count(), 1);
}

/// Each kind of refused search has its own error text and exit code.
#[test]
fn refused_searches_state_reason() {
    let server = server_with_tea_messages();
    let address = server.address().to_string();
    let outcome_of = |typed: &str| {
        let mut anna = Program::start(client_command(&address, "anna"));
        anna.type_line(typed);
        let (code, lines) = anna.finish();
        let told = lines.into_iter().filter(|it| it.starts_with("!!")).collect::<String>();
        (code, told)
    };
    let refused = |text: &str| (Some(77), format!("!! {text}"));
    assert_eq!(outcome_of("/search tea in:attic"), refused("attic: You are not in this room."));
    let none = "There must be a word in a search, and not too many.";
    assert_eq!(outcome_of("/search ?!"), refused(none));
    let (code, told) = outcome_of("/search tea frm:bob");
    assert!(code == Some(64) && told.contains("but by from:NAME, in:ROOM"), "{told}");
    let (code, told) = outcome_of("/search tea before:noon");
    assert!(code == Some(64) && told.contains("noon is not a date"), "{told}");
    let (code, told) = outcome_of("/search");
    assert!(code == Some(64) && told.contains("no older results"), "{told}");
}

/// A message that its author removes is removed for all who see it: in JSON objects, in lines, and
/// for who comes later. Without a role, other requests of moderators are refused.
#[test]
fn removed_message_is_told_to_everybody() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let start = |name| {
        let mut command = client_command(&address, name);
        command.arg("--json");
        Program::start(command)
    };
    let (mut anna, mut bob) = (start("anna"), start("bob"));
    bob.expect_json(&json!({"type": "history_end", "room": null}));
    anna.send_json(&json!({"type": "say", "text": "oops"}));
    let said = bob.expect_json(&json!({"type": "message", "text": "oops"}));
    anna.send_json(&json!({"type": "remove", "seq": said["seq"], "reason": "typo", "id": 1}));
    anna.expect_json(&json!({"type": "done", "affected": 1, "id": 1}));
    let removed = json!({"type": "removed", "room": "lobby", "seq": said["seq"], "by": "anna"});
    assert_eq!(bob.expect_json(&removed)["reason"], "typo");
    bob.send_json(&json!({"type": "kick", "name": "anna", "id": 2}));
    bob.expect_json(&json!({"type": "error", "name": "not_permitted", "to": "anna", "id": 2}));
    bob.send_json(&json!({"type": "rooms", "id": 3}));
    let rooms = bob.expect_json(&json!({"type": "rooms", "id": 3}));
    assert_eq!(rooms["rooms"], json!([{"name": "lobby", "members": 2, "topic": null}]));
    assert_eq!(room_history(&server, &["lobby"]), ["lobby: [removed]"]);
}

/// Search with JSON requests, page by page, and its errors.
#[test]
fn json_search_returns_pages() {
    let server = server_with_tea_messages();
    let mut command = client_command(&server.address().to_string(), "anna");
    command.arg("--json");
    let mut anna = Program::start(command);
    let request = json!({"type": "search", "text": "tea", "room": "lobby", "limit": 2, "id": 1});
    anna.send_json(&request);
    let end = anna.expect_json(&json!({"type": "search_end", "found": 2, "more": true, "id": 1}));
    let mut older = request.clone();
    older["before"] = end["before"].clone();
    older["id"] = json!(2);
    anna.send_json(&older);
    anna.expect_json(&json!({"type": "search_end", "found": 2, "more": true, "id": 2}));
    for (text, id) in [("24", 1), ("25", 1), ("22", 2), ("23", 2)] {
        let text = format!("Tea, pot {text}");
        let found = json!({"type": "found", "text": text, "from": "carla", "own": false, "id": id});
        anna.expect_json(&found);
    }
    anna.send_json(
        &json!({"type": "search", "text": "tea", "until": "2000-01-01T00:00:00Z", "id": 3}),
    );
    let nothing = json!({"type": "search_end", "found": 0, "more": false, "before": null, "id": 3});
    anna.expect_json(&nothing);
    anna.send_json(&json!({"type": "search", "room": "attic", "id": 4}));
    anna.expect_json(&json!({"type": "error", "name": "not_in_room", "to": "attic", "id": 4}));
    anna.send_json(&json!({"type": "search", "since": "noon", "id": 5}));
    anna.expect_json(&json!({"type": "error", "name": "input", "id": 5}));
    assert_eq!(anna.finish().0, Some(77));
}

/// Starts a scripted server that announces retention on disk, no search feature and a disk failure.
/// It serves one client, whatever that requests, and returns the kinds of the frames that it
/// received when the client has closed the connection.
fn start_scripted_server() -> (SocketAddr, JoinHandle<Vec<u16>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(program::PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        for frame in scripted_frames() {
            frame.encode(&mut bytes);
        }
        stream.write_all(&bytes).unwrap();
        received_kinds(&mut stream)
    });
    (address, server)
}

/// Returns all frames that the scripted server sends.
fn scripted_frames() -> Vec<ServerFrame> {
    let hello = ServerHello {
        version: VERSION,
        min_version: VERSION,
        max_version: VERSION,
        features: 0,
        server_program: "keeper".to_owned(),
        server_version: "1".to_owned(),
        challenge: [0; 32],
        server_key: [0; 32],
    };
    let welcome = Welcome {
        session: SessionId(1),
        username: "anna".to_owned(),
        token: Token([1; 16]),
        flags: flag::DURABLE,
        last_reference: Reference::NONE,
        log_id: LogId([1; 16]),
        time: Timestamp(1_795_384_987_123),
        server_name: "cellar".to_owned(),
        rooms: vec!["lobby".to_owned()],
        max_text: 4_096,
        max_rooms: 16,
        history_length: 10,
        ping_interval: 30,
        idle_timeout: 60,
        session_lifetime: 86_400,
        burst: 60,
        per_minute: 600,
        keep_days: 90,
        keep_messages: 10_000,
        keep_bytes: 0,
    };
    let entered =
        Entered { reference: Reference::NONE, room: "lobby".to_owned(), flags: 0, members: 1 };
    let end = End { about: 2, reference: Reference::NONE, head: Sequence(0), flags: 0 };
    let notice = Notice { code: 5, text: "The disk is full.".to_owned() };
    vec![hello.into(), welcome.into(), notice.into(), entered.into(), end.into()]
}

/// Returns the kinds of the frames received until the client closes the connection.
fn received_kinds(stream: &mut TcpStream) -> Vec<u16> {
    let (mut reader, mut kinds, mut buffer) = (FrameReader::from_client(), Vec::new(), [0; 4_096]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            return kinds;
        }
        let note = |body: &[u8]| {
            if let Decoded::Frame(frame) = ClientFrame::decode(body) {
                kinds.push(frame.kind());
            }
            true
        };
        reader.feed(&buffer[..count], note).unwrap();
    }
}

/// The client shows the server's retention and its disk notice, and does not send a search to a
/// server without that feature.
#[test]
fn client_reports_retention_disk_notice_and_missing_search() {
    let (address, server) = start_scripted_server();
    let mut anna = Program::start(client_command(&address.to_string(), "anna"));
    anna.type_line("/search tea");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(77), "{lines:#?}");
    for line in [
        "-- messages are kept for 90 days, 10,000 in each room",
        "!! server: The disk is full.",
        "!! This server cannot search.",
    ] {
        assert_eq!(lines.iter().filter(|it| *it == line).count(), 1, "{line}: {lines:#?}");
    }
    assert_eq!(server.join().unwrap(), [1, 2]);

    let (address, server) = start_scripted_server();
    let mut command = client_command(&address.to_string(), "anna");
    command.arg("--json");
    let mut anna = Program::start(command);
    let kept = json!({"durable": true, "keep_days": 90, "keep_messages": 10_000, "keep_bytes": 0});
    anna.expect_json(&kept);
    anna.send_json(&json!({"type": "search", "text": "tea", "id": 1}));
    anna.expect_json(&json!({"type": "error", "code": 0, "name": "client", "id": 1}));
    assert_eq!(anna.finish().0, Some(77));
    assert_eq!(server.join().unwrap(), [1, 2]);
}

/// Returns a command for `chat-client` as anna that saves its state below this directory.
#[cfg(unix)]
fn saving_client_command(server: &str, home: &Path, mode: &str) -> Command {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", home).args([server, "--name", "anna", mode]);
    command
}

/// Returns the file with the ignore list of the only server below this home directory.
#[cfg(unix)]
fn ignore_file(home: &Path) -> PathBuf {
    let state = home.join(".local/state/pi-chat");
    let file_in = |it: std::io::Result<DirEntry>| it.unwrap().path().join("ignored.json");
    std::fs::read_dir(state).unwrap().map(file_in).find(|it| it.exists()).unwrap()
}

/// What comes under an ignored name is not shown, live and after a restart, until the name is not
/// ignored any more. Old messages that are hidden are counted.
#[cfg(unix)]
#[test]
fn ignored_name_is_hidden_also_after_restart() {
    let server = Server::start(&[]);
    let (address, home) = (server.address().to_string(), tempfile::tempdir().unwrap());
    let start_anna = || Program::start(saving_client_command(&address, home.path(), "--plain"));
    let mut anna = start_anna();
    anna.type_line("/ignore BOB");
    anna.expect_text("-- You ignore BOB now: ");
    let mut bob = Program::start(client_command(&address, "bob"));
    bob.type_line("from bob");
    bob.type_line("/msg anna psst");
    bob.expect_text("you -> anna: psst");
    let mut carla = server.join("carla");
    carla.say_in_lobby("from carla");
    anna.expect_text("carla joined");
    anna.type_line("/msg bob hello");
    anna.expect_text("you ignore bob, so you will not see an answer");
    anna.expect_text("(direct) you -> bob: hello");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines.iter().any(|it| it.ends_with("carla: from carla")), "{lines:#?}");
    let of_bob = ["from bob", "psst", "bob joined"];
    assert!(!lines.iter().any(|line| of_bob.iter().any(|it| line.contains(it))), "{lines:#?}");

    bob.type_line("while away");
    bob.expect_text("bob: while away");
    let mut anna = start_anna();
    anna.expect_text("-- you ignore BOB, so ");
    anna.expect_text("-- 1 message is not shown");
    anna.type_line("/search away");
    anna.expect_text("-- 1 message with away:");
    anna.type_line("/who");
    anna.expect_text("bob (ignored)");
    anna.type_line("/unignore bob");
    anna.expect_text("-- You no longer ignore BOB.");
    bob.type_line("heard again");
    anna.expect_text("bob: heard again");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(!lines.iter().any(|it| it.contains("while away")), "{lines:#?}");
    let (_, lines) = start_anna().finish();
    assert!(!lines.iter().any(|it| it.contains("ignore")), "{lines:#?}");
}

/// JSON lines mark what comes under an ignored name, and the list is that of the other interfaces.
/// Refused requests are errors of the input.
#[cfg(unix)]
#[test]
fn json_marks_messages_of_ignored_names() {
    let server = Server::start(&[]);
    let (address, home) = (server.address().to_string(), tempfile::tempdir().unwrap());
    let start_anna = || Program::start(saving_client_command(&address, home.path(), "--json"));
    let mut bob = Program::start(client_command(&address, "bob"));
    bob.type_line("before");
    bob.expect_text("bob: before");
    let mut anna = start_anna();
    anna.expect_json(&json!({"type": "message", "text": "before", "ignored": false}));
    anna.send_json(&json!({"type": "ignore", "name": "Bob", "id": 1}));
    anna.expect_json(&json!({"type": "ignored", "names": ["Bob"], "saved": true, "id": 1}));
    bob.type_line("after");
    anna.expect_json(&json!({"type": "message", "text": "after", "ignored": true}));
    bob.type_line("/msg anna psst");
    anna.expect_json(&json!({"type": "direct", "text": "psst", "ignored": true}));
    anna.send_json(&json!({"type": "search", "text": "after"}));
    anna.expect_json(&json!({"type": "found", "text": "after", "ignored": true}));
    for (id, kind, name) in
        [(2, "ignore", "two words"), (3, "ignore", "ANNA"), (4, "unignore", "eve")]
    {
        anna.send_json(&json!({"type": kind, "name": name, "id": id}));
        anna.expect_json(&json!({"type": "error", "name": "input", "id": id}));
    }
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(64), "{lines:#?}");
    let mut anna = start_anna();
    anna.send_json(&json!({"type": "ignored", "id": 5}));
    anna.expect_json(&json!({"type": "ignored", "names": ["Bob"], "saved": true, "id": 5}));
    anna.send_json(&json!({"type": "unignore", "name": "BOB", "id": 6}));
    anna.expect_json(&json!({"type": "ignored", "names": [], "saved": true, "id": 6}));
    assert_eq!(anna.finish().0, Some(0));
}

/// A damaged ignore list is reported with its path and left as it is. `/ignore` works until the
/// program ends. With `--fresh` the file is not read.
#[cfg(unix)]
#[test]
fn damaged_ignore_list_is_reported_and_kept() {
    let server = Server::start(&[]);
    let (address, home) = (server.address().to_string(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str], input: &str| {
        let mut command = saving_client_command(&address, home.path(), "--plain");
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = run_with_input(command, input);
        assert_eq!(output.status.code(), Some(0), "{}", stderr_text(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr_text(&output))
    };
    let (told, errors) = run(&[], "/ignore bob\n");
    assert!(told.contains("/unignore bob ends it, quitting does not."), "{told}");
    assert_eq!(errors.matches("!!").count(), 0, "{errors}");
    let (told, _) = run(&["--fresh"], "/ignore\n/ignore eve\n");
    assert!(told.contains("You ignore nobody.") && told.contains("so does quitting"), "{told}");
    let file = ignore_file(home.path());
    std::fs::write(&file, "damaged").unwrap();
    let (told, errors) = run(&[], "/ignore bob\n/ignore\n");
    assert!(errors.contains(&format!("!! {} cannot be used (", file.display())), "{errors}");
    assert!(told.contains("/unignore bob ends it, and so does quitting"), "{told}");
    assert!(told.contains("You ignore bob (until you quit)."), "{told}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "damaged");
}
