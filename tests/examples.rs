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

use common::{Peer, Server};
use program::{PATIENCE, Program, python};
use serde_json::json;

/// The line client for somebody on the server at this address.
fn chat_client(address: SocketAddr, name: &str) -> Command {
    let mut command = python("chat_client.py");
    command.args([&address.to_string(), "--name", name]);
    command
}

/// Our own client for somebody on the server at this address, with nothing
/// of our own settings; it leaves nothing on disk.
fn ours(address: SocketAddr, name: &str, mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-client"));
    command.env_clear().env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.args([&address.to_string(), "--name", name, "--fresh", mode]);
    command
}

/// What a [`Proxy`] does at the moment.
#[derive(Default)]
struct Line {
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
    keeps_ghosts: bool,
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
    line: Arc<(Mutex<Line>, Condvar)>,
}

impl Proxy {
    /// A good one.
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, line) = (listener.local_addr().unwrap(), Arc::default());
        let proxy = Self { address, line };
        let line = proxy.line.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut now = line.0.lock().unwrap();
                if now.is_down {
                    now.refused += 1;
                    line.1.notify_all();
                    continue;
                }
                let server = now.server.unwrap_or(server);
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                now.open = vec![client.try_clone().unwrap(), upstream.try_clone().unwrap()];
                let ends = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                pass_on(client, upstream, line.clone(), |line| line.loses_requests);
                pass_on(ends.1, ends.0, line.clone(), |line| line.loses_answers);
            }
        });
        proxy
    }

    /// How it is.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.0.lock().unwrap()
    }

    /// Waits until it is so.
    fn wait_until(&self, wanted: impl Fn(&Line) -> bool) {
        let (line, timeout) =
            self.line.1.wait_timeout_while(self.line(), PATIENCE, |line| !wanted(line)).unwrap();
        drop(line);
        assert!(!timeout.timed_out(), "the line does not change");
    }

    /// Cuts what is connected; from now on nobody gets through until
    /// [`Self::mend`].
    fn cut(&self) {
        let mut line = self.line();
        line.is_down = true;
        for end in std::mem::take(&mut line.open) {
            // The other side may have closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// All is well again.
    fn mend(&self) {
        *self.line() = Line::default();
    }
}

/// Passes bytes on until the end, but for those that are to be lost.
fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    line: Arc<(Mutex<Line>, Condvar)>,
    is_lost: fn(&Line) -> bool,
) {
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut now = line.0.lock().unwrap();
            if is_lost(&now) {
                now.lost += count;
                line.1.notify_all();
                continue;
            }
            drop(now);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        if !line.0.lock().unwrap().keeps_ghosts {
            // The other side may have closed already.
            let _ = to.shutdown(Shutdown::Write);
        }
    });
}

/// The texts of so many entries that a peer gets, with their authors.
fn heard(peer: &mut Peer, count: usize) -> Vec<String> {
    let entries = peer.entries(count);
    entries.iter().map(|it| format!("{}: {}", it.username, it.text)).collect()
}

/// The pages' own bytes and all vectors.
#[test]
fn the_codec_reads_pages_and_vectors() {
    let (code, lines) = Program::start(python("test_codec.py")).ends();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The client passes the recorded conversations.
#[test]
fn client_passes_the_scenario_vectors() {
    let (code, lines) = Program::start(python("test_tcp_scenarios.py")).ends();
    assert_eq!(code, Some(0), "{lines:#?}");
}

/// The client of section 1 talks, hears and leaves.
#[test]
fn the_tiny_client() {
    let server = Server::start(&[]);
    let mut bob = server.join("bob");
    bob.says("before");
    let address = server.address();
    let mut command = python("tiny_client.py");
    command.args([&address.ip().to_string(), &address.port().to_string(), "tiny"]);
    let mut tiny = Program::start(command);
    tiny.shows("-- you are tiny");
    tiny.types("hello");
    assert_eq!(heard(&mut bob, 1), ["tiny: hello"]);
    bob.say("lobby", "good\ndness");
    tiny.shows("bob: good");
    tiny.types("the last words");
    let (code, lines) = tiny.ends();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines[1].starts_with('~'), "{lines:#?}");
    let said: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once("] ")?.1)).collect();
    let wanted = ["bob: before", "tiny: hello", "bob: good\u{fffd}dness", "tiny: the last words"];
    assert_eq!(said, wanted);
}

/// The Python client and ours, which speaks JSON, in one room.
#[test]
fn python_and_ours() {
    let server = Server::start(&[]);
    let mut carla = server.join("carla");
    carla.says("before");
    let mut bob = Program::start(ours(server.address(), "bob", "--json"));
    bob.tells(&json!({"type": "message", "text": "before", "from": "carla", "history": true}));
    let mut anna = Program::start(chat_client(server.address(), "anna"));
    anna.shows("-- in lobby: anna, bob, carla");
    assert_eq!(anna.messages(), ["carla: before"]);
    assert!(anna.wait_for_lines(|_| true).iter().any(|line| line.starts_with("~[")));

    anna.types("hello bob");
    anna.types("/me waves");
    let message = json!({"type": "message", "from": "anna", "text": "hello bob", "own": false});
    let session = bob.tells(&message)["session"].clone();
    bob.tells(&json!({"type": "message", "from": "anna", "text": "waves", "style": "action"}));
    bob.gets(&json!({"type": "say", "text": "hello\n anna", "id": 1}));
    anna.shows("] bob: hello");
    anna.shows("    |  anna");
    anna.shows("] * anna waves");

    anna.types("/msg BOB a secret");
    let secret = bob.tells(&json!({"type": "direct", "text": "a secret", "to": "bob"}));
    assert_eq!(secret["from_session"], session);
    let answer = json!({"type": "direct", "to": "anna", "session": session, "text": "another"});
    bob.gets(&answer);
    anna.shows("] bob -> anna: another");
    anna.types("/msg nobody hello");
    anna.shows("(error 306): not sent: hello");

    let mut dora = Program::start(chat_client(server.address(), "dora"));
    anna.shows("-- dora joined lobby");
    assert_eq!(dora.ends().0, Some(0));
    anna.shows("-- dora left lobby");
    anna.types("/join attic");
    anna.shows("-- in attic: anna");
    anna.types("/leave lobby");
    anna.shows("-- you left lobby");
    bob.tells(&json!({"type": "presence", "room": "lobby", "left": ["anna"]}));
    bob.gets(&json!({"type": "join", "room": "Attic"}));
    anna.shows("-- bob joined attic");
    bob.gets(&json!({"type": "say", "room": "ATTIC", "text": "up here"}));
    anna.shows("] bob: up here");
    anna.types("/who");
    anna.shows("-- in attic (2): anna, bob");

    bob.gets(&json!({"type": "say", "room": "attic", "text": "Caf\u{e9} in the attic"}));
    anna.shows("] bob: Caf\u{e9}");
    anna.types("/search \"cafe in\" att*");
    anna.shows("-- searched for \"cafe in\" att*: no older ones");
    anna.shows(" (attic) bob: Caf\u{e9} in the attic");
    anna.types("/search ?!");
    anna.shows("(error 310)");

    let (code, lines) = anna.ends();
    assert_eq!(code, Some(77), "one message was refused: {lines:#?}");
    let (code, lines) = bob.ends();
    assert_eq!(code, Some(0), "{lines:#?}");
    let heard = heard(&mut carla, 3);
    assert_eq!(heard, ["anna: hello bob", "anna: waves", "bob: hello\n anna"]);
}

/// The Python client and ours, which shows lines, in one room; older
/// messages page by page.
#[test]
fn python_and_plain_lines() {
    let server = Server::start(&[]);
    let mut carla = server.join("carla");
    for number in 1..=25 {
        carla.says(&format!("m{number}"));
    }
    let mut bob = Program::start(ours(server.address(), "bob", "--plain"));
    bob.shows("carla: m25");
    let mut anna = Program::start(chat_client(server.address(), "anna"));
    anna.shows("-- in lobby: anna, bob, carla");
    let latest: Vec<_> = (16..=25).map(|number| format!("carla: m{number}")).collect();
    assert_eq!(anna.messages(), latest);
    anna.types("/history 10");
    anna.shows("there are older ones");
    anna.types("/history 10");
    anna.shows("no older ones");
    let pages = (16..=25).chain(6..=15).chain(1..=5);
    let all: Vec<_> = pages.map(|number| format!("carla: m{number}")).collect();
    assert_eq!(anna.messages(), all);
    bob.types("hello");
    anna.shows("] bob: hello");
    anna.types("good evening");
    bob.shows("] anna: good evening");
    bob.types("/msg anna a secret");
    anna.shows("] bob -> anna: a secret");
    assert_eq!(anna.ends().0, Some(0));
    bob.shows("anna left");
    assert_eq!(bob.ends().0, Some(0));
}

/// A connection is cut again and again, with something under way each time:
/// nothing is lost, nothing comes twice.
#[test]
fn the_connection_is_cut() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.address());
    let mut bob = server.join("bob");
    let mut anna = Program::start(chat_client(proxy.address, "anna"));
    anna.shows("-- in lobby: anna, bob");
    anna.types("one");
    assert_eq!(heard(&mut bob, 1), ["anna: one"]);
    anna.shows("] anna: one");

    // The message arrives, its echo does not; then others talk.
    proxy.line().loses_answers = true;
    anna.types("two");
    assert_eq!(heard(&mut bob, 1), ["anna: two"]);
    proxy.wait_until(|line| line.lost > 0);
    proxy.cut();
    for text in ["b1", "b2", "b3"] {
        bob.says(text);
    }
    proxy.wait_until(|line| line.refused > 0);
    anna.types("typed while away");
    proxy.mend();
    anna.shows("] anna: typed while away");
    assert_eq!(heard(&mut bob, 1), ["anna: typed while away"]);

    // Nothing of what is asked for arrives: it comes later, in its order.
    proxy.line().loses_requests = true;
    for line in ["three", "/join attic", "four", "/msg bob five"] {
        anna.types(line);
    }
    proxy.wait_until(|line| line.lost > 0);
    bob.says("b4");
    anna.shows("bob: b4");
    proxy.cut();
    proxy.mend();
    anna.shows("] anna -> bob: five");
    assert_eq!(heard(&mut bob, 1), ["anna: three"]);

    // The server does not notice that she has gone: she takes her name back
    // from her own ghost.
    proxy.line().loses_requests = true;
    anna.types("six");
    proxy.wait_until(|line| line.lost > 0);
    let ends = std::mem::take(&mut proxy.line().open);
    proxy.mend();
    proxy.line().keeps_ghosts = true;
    ends[0].shutdown(Shutdown::Both).unwrap();
    anna.shows("] anna: six");
    proxy.line().keeps_ghosts = false;

    let (code, lines) = anna.ends();
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
fn a_state_file() {
    let server = Server::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let start = || {
        let mut command = chat_client(server.address(), "anna");
        command.arg("--state").arg(&state);
        Program::start(command)
    };
    let mut bob = server.join("bob");
    let mut anna = start();
    anna.types("one");
    let session = bob.next_entry().session;
    bob.says("b1");
    anna.shows("] bob: b1");
    // One at a time.
    assert_eq!(start().ends().0, Some(64));
    assert_eq!(anna.ends().0, Some(0));
    for number in 2..=20 {
        bob.says(&format!("b{number}"));
    }
    let mut anna = start();
    anna.types("two");
    anna.shows("] anna: two");
    assert_eq!(bob.next_entry().session, session);
    assert_eq!(anna.ends().0, Some(0));
    let missed = (2..=20).map(|number| format!("bob: b{number}"));
    assert_eq!(anna.messages(), missed.chain(["anna: two".to_owned()]).collect::<Vec<_>>());
    let kept = std::fs::metadata(&state).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
}

/// A server that is stopped says so and forgets everything; another one in
/// its place has another log. The client says that, and goes on.
#[test]
fn another_log() {
    let mut server = Server::start(&[]);
    let proxy = Proxy::start(server.address());
    let mut anna = Program::start(chat_client(proxy.address, "anna"));
    anna.types("hello");
    anna.shows("] anna: hello");
    let successor = Server::start(&[]);
    let mut bob = successor.join("bob");
    bob.says("b1");
    proxy.line().server = Some(successor.address());
    server.terminate();
    anna.shows("(error 111)");
    anna.types("hello again");
    anna.shows("-- the server has forgotten our session");
    anna.shows("-- the server's log is a new one");
    assert_eq!(heard(&mut bob, 1), ["anna: hello again"]);
    assert_eq!(anna.ends().0, Some(0));
    assert_eq!(anna.messages(), ["anna: hello", "bob: b1", "anna: hello again"]);
}

/// A name that somebody has, and a server that is not there.
#[test]
fn exit_codes() {
    let server = Server::start(&[]);
    let bob = server.join("bob");
    let mut ghost = Program::start(chat_client(server.address(), "Bob"));
    ghost.types("hello");
    let (code, lines) = ghost.ends();
    assert_eq!(code, Some(77), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("(error 201)")), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "!! not sent: hello"), "{lines:#?}");
    bob.hang_up();

    let (listener, mut http) = (TcpListener::bind("127.0.0.1:0").unwrap(), String::new());
    let mut lost = Program::start(chat_client(listener.local_addr().unwrap(), "bob"));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    assert_eq!(lost.ends().0, Some(76));
    let _ = stream.read_to_string(&mut http);
    let gone = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(Program::start(chat_client(gone, "bob")).ends().0, Some(69));
}

/// The password goes only to a server that asks for one.
#[test]
fn a_password() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let server = Server::start(&["--password-file", file.to_str().unwrap()]);
    assert_eq!(Program::start(chat_client(server.address(), "anna")).ends().0, Some(77));
    let mut command = chat_client(server.address(), "anna");
    command.arg("--password-file").arg(&file);
    let mut anna = Program::start(command);
    anna.types("hello");
    let (code, lines) = anna.ends();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("] anna: hello")), "{lines:#?}");
}
