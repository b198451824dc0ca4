//! Tests of names that wait for clients with the feature `resume` (`docs/protocol/tcp.md`, section
//! 6), with a real server and sockets that are reset or closed.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;
#[path = "common/program.rs"]
mod program;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    JoinAnswer, PATIENCE, Server, TestClient, isolated_command, join, run_server_command,
};
use pi_chat::model::ErrorCode;
use pi_chat::wire::tcp::{Join, ServerFrame, feature};
use program::Program;
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

/// Joins the lobby with the feature `resume`. Returns the client and the answer to the join.
fn join_to_come_back(server: &Server, name: &str) -> (TestClient, JoinAnswer) {
    let mut client = server.connect();
    assert_eq!(client.send_hello(feature::RESUME).features, feature::RESUME);
    client.send(join(name, &[]));
    let answer = client.join_answer();
    (client, answer)
}

/// Resets a client's connection.
fn reset(client: TestClient) {
    SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Tries to join under a name, without the feature, until the server has noticed the end of the
/// connection that holds the name. Returns for how long the name waits, in milliseconds; `None` if
/// it was free, and the join has succeeded. Panics after [`PATIENCE`].
fn waiting_time(server: &Server, name: &str) -> Option<u32> {
    let begin = Instant::now();
    loop {
        let mut client = server.connect();
        client.send_hello(0);
        client.send(join(name, &[]));
        match client.next() {
            ServerFrame::Welcome(_) => return None,
            ServerFrame::Error(error) => {
                assert_eq!(error.code, ErrorCode::NameTaken.number(), "{error:?}");
                if error.retry_after > 0 {
                    assert!(error.text.contains("lost their connection"), "{error:?}");
                    return Some(error.retry_after);
                }
            }
            frame => panic!("{frame:?}"),
        }
        assert!(begin.elapsed() < PATIENCE, "{name} is still connected");
    }
}

/// After a reset nobody else gets the name; the token gets it, and the session goes on.
#[test]
fn name_waits_after_a_reset() {
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control");
    let control = control.to_str().unwrap();
    let server = Server::start(&["--control", control]);
    let count = || -> Value {
        let output = run_server_command(&["status", "--json", "--control", control]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["waiting_names"].clone()
    };
    let (mut anna, answer) = join_to_come_back(&server, "anna");
    anna.say_in_lobby("one");
    reset(anna);
    assert!((20_000..=30_000).contains(&waiting_time(&server, "anna").unwrap()));
    assert_eq!(count(), 1);
    let (mut anna, again) = server.resume("anna", &answer.welcome, answer.end.head);
    assert_eq!((again.welcome.session, again.texts()), (answer.welcome.session, vec!["one"]));
    anna.say_in_lobby("two");
    assert_eq!(count(), 0);
    // This connection has not the feature.
    reset(anna);
    assert_eq!(waiting_time(&server, "anna"), None);
}

/// The end of the stream inside a frame counts as a lost connection.
#[test]
fn name_waits_after_the_end_of_the_stream_inside_a_frame() {
    let server = Server::start(&[]);
    let (anna, _) = join_to_come_back(&server, "anna");
    anna.stream().write_all(&[0, 12, 3]).unwrap();
    anna.stream().shutdown(Shutdown::Write).unwrap();
    assert!(waiting_time(&server, "anna").is_some());
}

/// A client that does not read is closed as too slow, and its name waits.
#[test]
fn name_waits_after_too_slow() {
    let server = Server::start(&["--max-backlog", "65536", "--burst", "100000"]);
    let mut bob = server.join("bob");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut anna = TestClient::new(socket.into());
    anna.send_hello(feature::RESUME);
    anna.send(join("anna", &[]));
    let token = anna.join_answer().welcome.token;
    let text = "x".repeat(4_000);
    let begin = Instant::now();
    loop {
        bob.say_in_lobby(&text);
        let mut other = server.connect();
        other.send_hello(0);
        other.send(join("anna", &[]));
        if matches!(other.next(), ServerFrame::Error(error) if error.retry_after > 0) {
            break;
        }
        for _ in 0..100 {
            bob.say_in_lobby(&text);
        }
        assert!(begin.elapsed() < PATIENCE, "a client that reads nothing is not closed");
    }
    let mut again = server.connect();
    again.send_hello(feature::RESUME);
    again.send(Join { token: Some(token), ..join("anna", &[]) });
    assert_eq!(again.join_answer().welcome.token, token);
    drop(anna);
}

/// A client that closes its sending half, or its connection, leaves: its name is free at once.
#[test]
fn name_is_free_after_leaving() {
    let server = Server::start(&[]);
    for number in 0..20 {
        let name = format!("anna{number}");
        let (mut anna, _) = join_to_come_back(&server, &name);
        anna.say("lobby", "bye");
        if number % 2 == 0 {
            anna.hang_up();
        } else {
            // All bytes are read, so this is no reset.
            anna.next_entry();
            drop(anna);
        }
        assert_eq!(waiting_time(&server, &name), None);
    }
}

/// A client that has closed its sending half leaves, although it does not read to the end: in a
/// busy room the server may notice the reset that follows before it has read the end of the stream.
#[test]
fn name_is_free_after_closing_in_a_busy_room() {
    let server = Server::start(&["--burst", "1000000", "--max-connections-per-address", "10000"]);
    let mut bob = server.join("bob");
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = is_over.clone();
    let talker = thread::spawn(move || {
        for _ in 0..4 {
            bob.say("lobby", "blah");
        }
        while !stop.load(Ordering::Relaxed) {
            bob.next_entry();
            bob.say("lobby", "blah");
        }
    });
    for number in 0..60 {
        let name = format!("anna{number}");
        let (mut anna, _) = join_to_come_back(&server, &name);
        anna.next_entries(3);
        anna.stream().shutdown(Shutdown::Write).unwrap();
        reset(anna);
        assert_eq!(waiting_time(&server, &name), None, "{name}");
    }
    is_over.store(true, Ordering::Relaxed);
    talker.join().unwrap();
}

/// Names wait after a restart if the log is on disk: after a crash and after an orderly stop.
#[test]
fn names_wait_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let mut server = Server::start(&["--data", data, "--durability", "strict"]);
    let address = server.address().to_string();
    let arguments = ["--data", data, "--durability", "strict", "--listen", &address];
    let (mut anna, answer) = join_to_come_back(&server, "anna");
    let bob = server.join("bob");
    anna.say_in_lobby("stored");
    for is_crash in [true, false] {
        if is_crash {
            server.kill();
        } else {
            server.terminate();
        }
        server = Server::start(&arguments);
        assert!((20_000..=30_000).contains(&waiting_time(&server, "anna").unwrap()));
        assert_eq!(waiting_time(&server, "bob"), None, "bob has not the feature");
        anna = server.connect();
        anna.send_hello(feature::RESUME);
        anna.send(Join { token: Some(answer.welcome.token), ..join("anna", &[]) });
        assert_eq!(anna.join_answer().welcome.session, answer.welcome.session);
    }
    drop((anna, bob));
}

/// Starts `chat-client` as `name`, with lines as input and output, which saves nothing.
fn start_client(address: SocketAddr, name: &str) -> Program {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.arg(address.to_string()).args(["--name", name, "--fresh"]);
    Program::start(command)
}

/// Relays one client's connection to a server, until one side ends or [`Self::reset`]. Dropping it
/// changes nothing.
struct Relay {
    /// Sockets of the client and of the server.
    sides: [TcpStream; 2],
}

impl Relay {
    /// Accepts a connection and relays it to the server.
    fn accept(listener: &TcpListener, server: &Server) -> Self {
        let sides = [listener.accept().unwrap().0, TcpStream::connect(server.address()).unwrap()];
        for (from, to) in [(0, 1), (1, 0)] {
            let from = sides[from].try_clone().unwrap();
            let to = sides[to].try_clone().unwrap();
            thread::spawn(move || relay_bytes(from, to));
        }
        Self { sides }
    }

    /// Resets both sides.
    fn reset(self) {
        for side in &self.sides {
            SockRef::from(side).set_linger(Some(Duration::ZERO)).unwrap();
            // Ends the relaying threads, which hold the sockets, too.
            side.shutdown(Shutdown::Read).unwrap();
        }
    }
}

/// Relays bytes in one direction until either socket ends.
fn relay_bytes(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// The real client loses its connection; another one does not get its name, and the first one comes
/// back under it and goes on.
#[test]
fn client_keeps_its_name_over_a_reset() {
    let server = Server::start(&[]);
    let mut witness = server.join("witness");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut anna = start_client(listener.local_addr().unwrap(), "anna");
    let relay = Relay::accept(&listener, &server);
    anna.type_line("before");
    assert_eq!(witness.next_entry().text, "before");
    relay.reset();
    assert!(waiting_time(&server, "anna").is_some());
    let mut rival = start_client(server.address(), "anna");
    let (code, lines) = rival.finish();
    assert_eq!(code, Some(77), "{lines:?}");
    assert!(lines.iter().any(|it| it.contains("if they do not come back, the name is free in")));
    anna.type_line("after");
    let _relay = Relay::accept(&listener, &server);
    let after = witness.next_entry();
    assert_eq!((after.username.as_str(), after.text.as_str()), ("anna", "after"));
}

/// The real client closes its connection in order when it leaves, so its name is free at once.
#[test]
fn client_that_leaves_frees_its_name() {
    let server = Server::start(&[]);
    let mut witness = server.join("witness");
    for (number, how) in ["end of input", "quit", "SIGTERM"].into_iter().enumerate() {
        let name = format!("anna{number}");
        let mut anna = start_client(server.address(), &name);
        anna.type_line("here");
        assert_eq!(witness.next_entry().text, "here");
        match how {
            "quit" => anna.type_line("/quit"),
            "SIGTERM" => anna.terminate(),
            _ => {}
        }
        anna.finish();
        assert_eq!(waiting_time(&server, &name), None, "{how}");
    }
}
