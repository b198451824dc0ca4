//! Tests of the Python clients in `examples/`, which were written from the protocol pages, with the
//! real server and beside the real client.

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

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use common::{Server, TestClient};
use program::{PATIENCE, Program, python_example};
use serde_json::json;

/// Returns a command for the line client in Python, as `name`.
fn python_client(address: SocketAddr, name: &str) -> Command {
    let mut command = python_example("chat_client.py");
    command.args([&address.to_string(), "--name", name]);
    command
}

/// Returns a command for `chat-client` as `name` with this mode flag, independent of the user's
/// settings, that saves nothing.
fn rust_client(address: SocketAddr, name: &str, mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-client"));
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args([&address.to_string(), "--name", name, "--fresh", mode]);
    command
}

/// State of a [`Proxy`], changed by tests.
#[derive(Default)]
struct ProxyState {
    /// Server of new connections, if not the first one.
    server: Option<SocketAddr>,
    /// Both sockets of the open connection.
    open: Vec<TcpStream>,
    /// True to close new connections at once.
    is_down: bool,
    /// True to discard bytes from clients.
    loses_requests: bool,
    /// True to discard bytes from the server.
    loses_answers: bool,
    /// True to keep one side open when the other side closes, which leaves a stale connection.
    keeps_stale_connections: bool,
    /// Number of bytes discarded.
    lost: usize,
    /// Number of connections closed at once.
    refused: usize,
}

/// TCP proxy between client and server that can lose bytes and cut connections. Only the newest
/// connection can be cut.
struct Proxy {
    /// Address for clients.
    address: SocketAddr,
    /// Current state, and the condition variable that signals changes.
    state: Arc<(Mutex<ProxyState>, Condvar)>,
}

impl Proxy {
    /// Starts a proxy that relays everything.
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::default());
        let proxy = Self { address, state };
        let state = proxy.state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut now = state.0.lock().unwrap();
                if now.is_down {
                    now.refused += 1;
                    state.1.notify_all();
                    continue;
                }
                let server = now.server.unwrap_or(server);
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                now.open = vec![client.try_clone().unwrap(), upstream.try_clone().unwrap()];
                let ends = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                relay(client, upstream, state.clone(), |it| it.loses_requests);
                relay(ends.1, ends.0, state.clone(), |it| it.loses_answers);
            }
        });
        proxy
    }

    /// Locks the state.
    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.0.lock().unwrap()
    }

    /// Waits until the state satisfies `wanted`. Panics after [`PATIENCE`].
    fn wait_until(&self, wanted: impl Fn(&ProxyState) -> bool) {
        let (state, timeout) =
            self.state.1.wait_timeout_while(self.state(), PATIENCE, |it| !wanted(it)).unwrap();
        drop(state);
        assert!(!timeout.timed_out(), "the line does not change");
    }

    /// Cuts the open connection, and refuses new ones until [`Self::restore`].
    fn cut(&self) {
        let mut state = self.state();
        state.is_down = true;
        for end in std::mem::take(&mut state.open) {
            // The other side may have closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Resets the state: relays everything again, for new connections to the first server. Forgets
    /// the open connection.
    fn restore(&self) {
        *self.state() = ProxyState::default();
    }
}

/// Spawns a thread that relays bytes of one direction, and discards them while `is_lost`. When
/// `from` ends, it closes the sending half of `to`, unless stale connections are kept.
fn relay(
    mut from: TcpStream,
    mut to: TcpStream,
    state: Arc<(Mutex<ProxyState>, Condvar)>,
    is_lost: fn(&ProxyState) -> bool,
) {
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut now = state.0.lock().unwrap();
            if is_lost(&now) {
                now.lost += count;
                state.1.notify_all();
                continue;
            }
            drop(now);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        if !state.0.lock().unwrap().keeps_stale_connections {
            // The other side may have closed already.
            let _ = to.shutdown(Shutdown::Write);
        }
    });
}

/// Returns the next `count` messages of a client, as author and text.
fn next_texts(peer: &mut TestClient, count: usize) -> Vec<String> {
    let entries = peer.next_entries(count);
    entries.iter().map(|it| format!("{}: {}", it.username, it.text)).collect()
}

/// The codec decodes the examples of the protocol pages, and all vectors.
#[test]
fn codec_reads_pages_and_vectors() {
    let (code, lines) = Program::start(python_example("test_codec.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The client passes the recorded conversations (scenario vectors).
#[test]
fn client_passes_the_scenario_vectors() {
    let (code, lines) = Program::start(python_example("test_tcp_scenarios.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The minimal client of section 1 of the TCP page sends, receives and leaves.
#[test]
fn tiny_client_chats() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    bob.say_in_lobby("before");
    let address = server.address();
    let mut command = python_example("tiny_client.py");
    command.args([&address.ip().to_string(), &address.port().to_string(), "tiny"]);
    let mut tiny = Program::start(command);
    tiny.expect_text("-- you are tiny");
    tiny.type_line("hello");
    assert_eq!(next_texts(&mut bob, 1), ["tiny: hello"]);
    bob.say("lobby", "good\ndness");
    tiny.expect_text("bob: good");
    tiny.type_line("the last words");
    let (code, lines) = tiny.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines[1].starts_with('~'), "{lines:#?}");
    let said: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once("] ")?.1)).collect();
    let wanted = ["bob: before", "tiny: hello", "bob: good\u{fffd}dness", "tiny: the last words"];
    assert_eq!(said, wanted);
}

/// The Python client and `chat-client --json` in one room.
#[test]
fn python_client_chats_with_json_client() {
    let server = Server::start(&[]);
    let mut carla = server.join("carla");
    carla.say_in_lobby("before");
    let mut bob = Program::start(rust_client(server.address(), "bob", "--json"));
    bob.expect_json(
        &json!({"type": "message", "text": "before", "from": "carla", "history": true}),
    );
    let mut anna = Program::start(python_client(server.address(), "anna"));
    anna.expect_text("-- in lobby: anna, bob, carla");
    assert_eq!(anna.messages(), ["carla: before"]);
    assert!(anna.wait_for_lines(|_| true).iter().any(|line| line.starts_with("~[")));

    anna.type_line("hello bob");
    anna.type_line("/me waves");
    let message = json!({"type": "message", "from": "anna", "text": "hello bob", "own": false});
    let session = bob.expect_json(&message)["session"].clone();
    bob.expect_json(
        &json!({"type": "message", "from": "anna", "text": "waves", "style": "action"}),
    );
    bob.send_json(&json!({"type": "say", "text": "hello\n anna", "id": 1}));
    anna.expect_text("] bob: hello");
    anna.expect_text("    |  anna");
    anna.expect_text("] * anna waves");

    anna.type_line("/msg BOB a secret");
    let secret = bob.expect_json(&json!({"type": "direct", "text": "a secret", "to": "bob"}));
    assert_eq!(secret["from_session"], session);
    let answer = json!({"type": "direct", "to": "anna", "session": session, "text": "another"});
    bob.send_json(&answer);
    anna.expect_text("] bob -> anna: another");
    anna.type_line("/msg nobody hello");
    anna.expect_text("(error 306): not sent: hello");

    let mut dora = Program::start(python_client(server.address(), "dora"));
    anna.expect_text("-- dora joined lobby");
    assert_eq!(dora.finish().0, Some(0));
    anna.expect_text("-- dora left lobby");
    anna.type_line("/join attic");
    anna.expect_text("-- in attic: anna");
    anna.type_line("/leave lobby");
    anna.expect_text("-- you left lobby");
    bob.expect_json(&json!({"type": "presence", "room": "lobby", "left": ["anna"]}));
    bob.send_json(&json!({"type": "join", "room": "Attic"}));
    anna.expect_text("-- bob joined attic");
    bob.send_json(&json!({"type": "say", "room": "ATTIC", "text": "up here"}));
    anna.expect_text("] bob: up here");
    anna.type_line("/who");
    anna.expect_text("-- in attic (2): anna, bob");

    bob.send_json(&json!({"type": "say", "room": "attic", "text": "Caf\u{e9} in the attic"}));
    anna.expect_text("] bob: Caf\u{e9}");
    anna.type_line("/search \"cafe in\" att*");
    anna.expect_text("-- searched for \"cafe in\" att*: no older ones");
    anna.expect_text(" (attic) bob: Caf\u{e9} in the attic");
    anna.type_line("/search ?!");
    anna.expect_text("(error 310)");

    let (code, lines) = anna.finish();
    assert_eq!(code, Some(77), "one message was refused: {lines:#?}");
    let (code, lines) = bob.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    let heard = next_texts(&mut carla, 3);
    assert_eq!(heard, ["anna: hello bob", "anna: waves", "bob: hello\n anna"]);
}

/// The Python client and `chat-client --plain` in one room; older messages page by page.
#[test]
fn python_client_chats_with_plain_client() {
    let server = Server::start(&[]);
    let mut carla = server.join("carla");
    for number in 1..=25 {
        carla.say_in_lobby(&format!("m{number}"));
    }
    let mut bob = Program::start(rust_client(server.address(), "bob", "--plain"));
    bob.expect_text("carla: m25");
    let mut anna = Program::start(python_client(server.address(), "anna"));
    anna.expect_text("-- in lobby: anna, bob, carla");
    let latest: Vec<_> = (16..=25).map(|number| format!("carla: m{number}")).collect();
    assert_eq!(anna.messages(), latest);
    anna.type_line("/history 10");
    anna.expect_text("there are older ones");
    anna.type_line("/history 10");
    anna.expect_text("no older ones");
    let pages = (16..=25).chain(6..=15).chain(1..=5);
    let all: Vec<_> = pages.map(|number| format!("carla: m{number}")).collect();
    assert_eq!(anna.messages(), all);
    bob.type_line("hello");
    anna.expect_text("] bob: hello");
    anna.type_line("good evening");
    bob.expect_text("] anna: good evening");
    bob.type_line("/msg anna a secret");
    anna.expect_text("] bob -> anna: a secret");
    assert_eq!(anna.finish().0, Some(0));
    bob.expect_text("anna left");
    assert_eq!(bob.finish().0, Some(0));
}

/// Connections are cut with frames in transit: no message is lost or duplicated.
#[test]
fn python_client_survives_cut_connections() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.address());
    let mut bob = server.join("bob");
    let mut anna = Program::start(python_client(proxy.address, "anna"));
    anna.expect_text("-- in lobby: anna, bob");
    anna.type_line("one");
    assert_eq!(next_texts(&mut bob, 1), ["anna: one"]);
    anna.expect_text("] anna: one");

    // The message arrives, but its echo does not; then others send messages.
    proxy.state().loses_answers = true;
    anna.type_line("two");
    assert_eq!(next_texts(&mut bob, 1), ["anna: two"]);
    proxy.wait_until(|it| it.lost > 0);
    proxy.cut();
    for text in ["b1", "b2", "b3"] {
        bob.say_in_lobby(text);
    }
    proxy.wait_until(|it| it.refused > 0);
    anna.type_line("typed while away");
    proxy.restore();
    anna.expect_text("] anna: typed while away");
    assert_eq!(next_texts(&mut bob, 1), ["anna: typed while away"]);

    // None of the requests arrives; they are resent later, in order.
    proxy.state().loses_requests = true;
    for line in ["three", "/join attic", "four", "/msg bob five"] {
        anna.type_line(line);
    }
    proxy.wait_until(|it| it.lost > 0);
    bob.say_in_lobby("b4");
    anna.expect_text("bob: b4");
    proxy.cut();
    proxy.restore();
    anna.expect_text("] anna -> bob: five");
    assert_eq!(next_texts(&mut bob, 1), ["anna: three"]);

    // The server does not notice the closed connection: the client's resume replaces its own stale
    // connection.
    proxy.state().loses_requests = true;
    anna.type_line("six");
    proxy.wait_until(|it| it.lost > 0);
    let ends = std::mem::take(&mut proxy.state().open);
    proxy.restore();
    proxy.state().keeps_stale_connections = true;
    ends[0].shutdown(Shutdown::Both).unwrap();
    anna.expect_text("] anna: six");
    proxy.state().keeps_stale_connections = false;

    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    let said: Vec<_> = anna.messages().iter().map(|it| it.replace("(lobby) ", "")).collect();
    let wanted = [
        "anna: one",
        "anna: two",
        "bob: b1",
        "bob: b2",
        "bob: b3",
        "anna: typed while away",
        "bob: b4",
        "anna: three",
        "anna: four",
        "anna -> bob: five",
        "anna: six",
    ];
    assert_eq!(said, wanted, "{lines:#?}");
}

/// A client that restarts with its state file resumes its session and receives what it missed.
#[test]
fn state_file_resumes_session() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let start = || {
        let mut command = python_client(server.address(), "anna");
        command.arg("--state").arg(&state);
        Program::start(command)
    };
    let mut bob = server.join("bob");
    let mut anna = start();
    anna.type_line("one");
    let session = bob.next_entry().session;
    bob.say_in_lobby("b1");
    anna.expect_text("] bob: b1");
    // A state file serves one client at a time.
    assert_eq!(start().finish().0, Some(64));
    assert_eq!(anna.finish().0, Some(0));
    for number in 2..=20 {
        bob.say_in_lobby(&format!("b{number}"));
    }
    let mut anna = start();
    anna.type_line("two");
    anna.expect_text("] anna: two");
    assert_eq!(bob.next_entry().session, session);
    assert_eq!(anna.finish().0, Some(0));
    let missed = (2..=20).map(|number| format!("bob: b{number}"));
    assert_eq!(anna.messages(), missed.chain(["anna: two".to_owned()]).collect::<Vec<_>>());
    let kept = std::fs::metadata(&state).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
}

/// A stopped server says so and loses its log; the server in its place has another log. The client
/// reports this and continues.
#[test]
fn new_log_is_reported_and_chat_goes_on() {
    let mut server = Server::start(&[]);
    let proxy = Proxy::start(server.address());
    let mut anna = Program::start(python_client(proxy.address, "anna"));
    anna.type_line("hello");
    anna.expect_text("] anna: hello");
    let successor = Server::start(&[]);
    let mut bob = successor.join("bob");
    bob.say_in_lobby("b1");
    proxy.state().server = Some(successor.address());
    server.terminate();
    anna.expect_text("(error 111)");
    anna.type_line("hello again");
    anna.expect_text("-- the server has forgotten our session");
    anna.expect_text("-- the server's log is a new one");
    assert_eq!(next_texts(&mut bob, 1), ["anna: hello again"]);
    assert_eq!(anna.finish().0, Some(0));
    assert_eq!(anna.messages(), ["anna: hello", "bob: b1", "anna: hello again"]);
}

/// Exit codes for a taken name, a server that does not speak the protocol, and an unreachable
/// server.
#[test]
fn exit_codes_tell_taken_name_wrong_protocol_and_missing_server() {
    let server = Server::start(&[]);
    let bob = server.join("bob");
    let mut ghost = Program::start(python_client(server.address(), "Bob"));
    ghost.type_line("hello");
    let (code, lines) = ghost.finish();
    assert_eq!(code, Some(77), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("(error 201)")), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "!! not sent: hello"), "{lines:#?}");
    bob.hang_up();

    let (listener, mut http) = (TcpListener::bind("127.0.0.1:0").unwrap(), String::new());
    let mut lost = Program::start(python_client(listener.local_addr().unwrap(), "bob"));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    assert_eq!(lost.finish().0, Some(76));
    let _ = stream.read_to_string(&mut http);
    let gone = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(Program::start(python_client(gone, "bob")).finish().0, Some(69));
}

/// The password is sent only to a server that requires one.
#[test]
fn password_is_sent_only_when_required() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let server = Server::start(&["--password-file", file.to_str().unwrap()]);
    assert_eq!(Program::start(python_client(server.address(), "anna")).finish().0, Some(77));
    let mut command = python_client(server.address(), "anna");
    command.arg("--password-file").arg(&file);
    let mut anna = Program::start(command);
    anna.type_line("hello");
    let (code, lines) = anna.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("] anna: hello")), "{lines:#?}");
}

/// The signatures of the example that claims a name are those of the vectors.
#[test]
fn claim_example_signs_like_the_vectors() {
    let (code, lines) = Program::start(python_example("test_claim_name.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}
