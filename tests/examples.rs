//! The programs of `examples/`, which were written from the protocol pages,
//! against the real server and beside the real client.

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

/// The line client for somebody on the server at this address.
fn python_client(address: SocketAddr, name: &str) -> Command {
    let mut command = python_example("chat_client.py");
    command.args([&address.to_string(), "--name", name]);
    command
}

/// Our own client for somebody on the server at this address, with nothing
/// of our own settings; it leaves nothing on disk.
fn rust_client(address: SocketAddr, name: &str, mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-client"));
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args([&address.to_string(), "--name", name, "--fresh", mode]);
    command
}

/// What a [`Proxy`] does at the moment.
#[derive(Default)]
struct ProxyState {
    /// Where connections lead, if not to the first server.
    server: Option<SocketAddr>,
    /// Both ends of what is connected.
    open: Vec<TcpStream>,
    /// Who connects is hung up on.
    is_down: bool,
    /// What comes from clients is thrown away.
    loses_requests: bool,
    /// What comes from the server is thrown away.
    loses_answers: bool,
    /// When one end is closed, the other end is not told.
    keeps_stale_connections: bool,
    /// So many bytes were thrown away.
    lost: usize,
    /// So many connections were hung up on.
    refused: usize,
}

/// A connection to the server that can be bad.
struct Proxy {
    /// Where clients connect.
    address: SocketAddr,
    /// How it is, and the bell for changes.
    state: Arc<(Mutex<ProxyState>, Condvar)>,
}

impl Proxy {
    /// A good one.
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

    /// How it is.
    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.0.lock().unwrap()
    }

    /// Waits until it is so.
    fn wait_until(&self, wanted: impl Fn(&ProxyState) -> bool) {
        let (state, timeout) =
            self.state.1.wait_timeout_while(self.state(), PATIENCE, |it| !wanted(it)).unwrap();
        drop(state);
        assert!(!timeout.timed_out(), "the line does not change");
    }

    /// Cuts what is connected; from now on nobody gets through until
    /// [`Self::restore`].
    fn cut(&self) {
        let mut state = self.state();
        state.is_down = true;
        for end in std::mem::take(&mut state.open) {
            // The other side may have closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// All is well again.
    fn restore(&self) {
        *self.state() = ProxyState::default();
    }
}

/// Passes bytes on until the end, but for those that are to be lost.
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

/// The texts of so many entries that a peer gets, with their authors.
fn next_texts(peer: &mut TestClient, count: usize) -> Vec<String> {
    let entries = peer.next_entries(count);
    entries.iter().map(|it| format!("{}: {}", it.username, it.text)).collect()
}

/// The pages' own bytes and all vectors.
#[test]
fn codec_reads_pages_and_vectors() {
    let (code, lines) = Program::start(python_example("test_codec.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The client passes the recorded conversations.
#[test]
fn client_passes_the_scenario_vectors() {
    let (code, lines) = Program::start(python_example("test_tcp_scenarios.py")).finish();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The client of section 1 talks, hears and leaves.
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

/// The Python client and ours, which speaks JSON, in one room.
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

/// The Python client and ours, which shows lines, in one room; older
/// messages page by page.
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

/// A connection is cut again and again, with something under way each time:
/// nothing is lost, nothing comes twice.
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

    // The message arrives, its echo does not; then others talk.
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

    // Nothing of what is asked for arrives: it comes later, in its order.
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

    // The server does not notice that she has gone: she takes her name back
    // from her own ghost.
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

/// Who ends and begins again with a state file gets what was missed, and
/// goes on as the same session.
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
    // One at a time.
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

/// A server that is stopped says so and forgets everything; another one in
/// its place has another log. The client says that, and goes on.
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

/// A name that somebody has, and a server that is not there.
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

/// The password goes only to a server that asks for one.
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
