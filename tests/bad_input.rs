//! Tests of the real server with invalid input: it answers with the right error, other clients
//! notice nothing, and the number of its log lines is bounded.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{Server, TestClient, join, say};
use pi_chat::model::Reference;
use pi_chat::wire::tcp::{History, ServerFrame};
use socket2::{Domain, Socket, Type};

/// Two well-behaved clients that chat in a room of their own for as long as a test lasts, at least
/// 10 messages. [`Self::finish`] panics if a message was lost or late.
struct Bystanders {
    /// Tells the thread to stop.
    stop: Arc<AtomicBool>,
    /// Thread that chats; returns the longest time until a message arrived.
    chat: JoinHandle<Duration>,
}

impl Bystanders {
    /// Starts the chat.
    fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut pair =
            ["neighbour1", "neighbour2"].map(|name| server.join_rooms(name, &["bystanders"]).0);
        let told = stop.clone();
        let chat = thread::spawn(move || {
            let (mut count, mut longest) = (0, Duration::ZERO);
            while count < 10 || !told.load(Ordering::Relaxed) {
                let text = format!("message {count}");
                let begin = Instant::now();
                pair[count % 2].say("bystanders", &text);
                for client in &mut pair {
                    assert_eq!(client.next_entry().text, text);
                }
                longest = longest.max(begin.elapsed());
                count += 1;
                // A realistic rate, and time for the server's other work.
                thread::sleep(Duration::from_millis(2));
            }
            longest
        });
        Self { stop, chat }
    }

    /// Stops the chat, and asserts that no message was lost or took 2 s or more.
    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.chat.join().unwrap();
        assert!(longest < Duration::from_secs(2), "an answer took {longest:?}");
    }
}

/// Starts a server with additional arguments and without a noticeable rate limit, also for all
/// clients of one address together.
fn start_server(more: &[&str]) -> Server {
    let mut arguments = vec!["--burst", "1000000", "--max-connections-per-address", "10000"];
    arguments.extend(more);
    Server::start(&arguments)
}

/// Asserts that the log is bounded: at most two lines for each of `codes` error codes (the first
/// occurrence, and a count of the others) in each interval of 5 seconds since `began`. It must have
/// a line, and none about a bug.
fn expect_bounded_log(server: &Server, codes: usize, began: Instant) {
    let rounds = usize::try_from(began.elapsed().as_secs() / 5).unwrap() + 1;
    let log = server.log();
    assert!(!log.is_empty(), "it says nothing");
    assert!(log.len() <= 2 * codes * rounds, "{} lines: {log:#?}", log.len());
    assert!(!log.iter().any(|line| line.contains("bug")), "{log:#?}");
}

/// Encodes a frame with this body.
fn frame_bytes(body: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// Progress of a connection when it sends invalid input.
#[derive(Clone, Copy, Debug)]
enum HandshakeState {
    /// Nothing sent yet.
    Connected,
    /// `hello` was answered.
    Greeted,
    /// Member of the lobby.
    Joined,
}

/// Opens a connection and brings it into this state. A joined client is called `name`.
fn connect_in_state(server: &Server, state: HandshakeState, name: &str) -> TestClient {
    let mut client = server.connect();
    if !matches!(state, HandshakeState::Connected) {
        client.send_hello(0);
    }
    if matches!(state, HandshakeState::Joined) {
        client.send(join(name, &[]));
        client.join_answer();
    }
    client
}

/// Each kind of invalid frame gets its error code with a text, 30 times over.
#[test]
fn invalid_frames_close_with_error() {
    use HandshakeState::{Connected, Greeted, Joined};
    let began = Instant::now();
    let server = start_server(&[]);
    let bystanders = Bystanders::start(&server);
    let bad: &[(&str, HandshakeState, Vec<u8>, u16)] = &[
        ("wrong magic", Connected, frame_bytes(b"\x01PICH\x01\x01\x00\x00\x00"), 100),
        ("a browser", Connected, b"GET / HTTP/1.1\r\nHost: pi\r\n\r\n".to_vec(), 100),
        ("no hello", Connected, frame_bytes(b"\x02\x04anna\x00\x00\x00\x00"), 100),
        ("a first frame that is too long", Connected, vec![0x01, 0x01], 100),
        ("wrong version", Connected, frame_bytes(b"\x01PiCh\x07\x09\x00\x00\x00"), 101),
        ("a frame above the limit", Greeted, vec![0x40, 0x01], 102),
        ("a frame above the limit", Joined, vec![0xff, 0xff], 102),
        ("an empty frame", Joined, vec![0, 0], 103),
        ("a number that is not canonical", Joined, frame_bytes(b"\x09\x80\x00"), 103),
        ("a kind that is not canonical", Joined, frame_bytes(b"\x89\x00\x01"), 103),
        ("invalid UTF-8", Joined, frame_bytes(b"\x03\x01\x05lobby\x00\x02\xc3\x28"), 103),
        ("invalid UTF-8 in a name", Greeted, frame_bytes(b"\x02\x02\xff\xfe\x00\x00\x00\x00"), 103),
        ("a string beyond the end", Joined, frame_bytes(b"\x03\x01\x05lobby\x00\x7fhi"), 103),
        (
            "a list beyond all memory",
            Greeted,
            frame_bytes(b"\x02\x01a\x00\xff\xff\xff\xff\x0f"),
            103,
        ),
        ("half a frame's fields", Joined, frame_bytes(b"\x03\x01\x05lobby"), 103),
        ("out of turn", Greeted, frame_bytes(b"\x03\x01\x05lobby\x00\x02hi"), 104),
        ("a second hello", Joined, frame_bytes(b"\x01PiCh\x01\x01\x00\x00\x00"), 104),
        ("a second join", Joined, frame_bytes(b"\x02\x04anna\x00\x00\x00\x00"), 104),
    ];
    for round in 0..30 {
        for (what, state, bytes, code) in bad {
            let mut client = connect_in_state(&server, *state, &format!("guest{round}"));
            client.send_bytes(bytes);
            if *code == 101 {
                let answer = client.next();
                assert!(matches!(&answer, ServerFrame::ServerHello(it) if it.version == 0));
            }
            let error = match client.next() {
                ServerFrame::Error(error) => error,
                other => panic!("{what}: {other:?}"),
            };
            assert_eq!(error.code, *code, "{what}");
            assert!(error.text.len() > 10, "{what}: {}", error.text);
            client.expect_closed();
        }
    }
    bystanders.finish();
    expect_bounded_log(&server, 5, began);
}

/// The connection stays open, and a valid name or text is accepted afterwards. After five refused
/// joins the connection is closed.
#[test]
fn invalid_names_and_texts_are_refused_with_reason() {
    let server = start_server(&[]);
    let bystanders = Bystanders::start(&server);
    let mut holder = server.join("Holder");
    // A client may retry `join` up to five times.
    let mut guest = server.connect();
    guest.send_hello(0);
    for (name, code) in [("", 200), ("a\u{7}b", 200), ("hоlder", 202), ("ＨＯＬＤＥＲ", 201)]
    {
        guest.send(join(name, &[]));
        assert!(guest.expect_error(code).text.len() > 10);
    }
    guest.send(join("guest", &[]));
    guest.join_answer();
    let mut other = server.connect();
    other.send_hello(0);
    for name in
        ["a".repeat(33), "é".repeat(40), "x".repeat(10_000), "a b".into(), "\u{202e}".into()]
    {
        other.send(join(&name, &[]));
        other.expect_error(200);
    }
    other.expect_error(205);
    other.expect_closed();
    // Invalid texts are refused; the next valid one is delivered.
    for (number, text) in (1..).zip(["", "a\u{0}b", "\u{1b}[31mred", "a\rb", "\u{9b}x"]) {
        guest.send(say(number, "lobby", text));
        assert_eq!(guest.expect_error(300).reference, Reference(number));
    }
    guest.send(say(6, "lobby", &"x".repeat(4_097)));
    guest.expect_error(300);
    guest.send(say(7, "lobby", "fine"));
    for client in [&mut guest, &mut holder] {
        assert_eq!(client.next_entry().text, "fine");
    }
    bystanders.finish();
}

/// The connection goes on, without an answer to them, and nothing is logged.
#[test]
fn unknown_kinds_and_trailing_fields_are_ignored() {
    let server = start_server(&[]);
    let bystanders = Bystanders::start(&server);
    let mut guest = server.join("guest");
    guest.send_bytes(&frame_bytes(b"\x3e\xff\xff\xff"));
    guest.send_bytes(&frame_bytes(b"\x80\x7d"));
    guest.send_bytes(&frame_bytes(&[&[0x3f][..], &[0xee; 16_383]].concat()));
    // Bytes after the last field.
    guest.send_bytes(&frame_bytes(b"\x03\x01\x05lobby\x00\x02hi and more"));
    assert_eq!(guest.next_entry().text, "hi");
    guest.expect_nothing();
    bystanders.finish();
    assert_eq!(server.log(), Vec::<String>::new());
}

/// Deterministic pseudo-random number generator (xorshift).
struct Random(u64);

impl Random {
    /// Returns the next number.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Returns `count` pseudo-random bytes.
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// 600 connections send random bytes, or valid frames with random bytes changed. None of them gets
/// the error for a bug.
#[test]
fn random_bytes_disturb_nobody() {
    let began = Instant::now();
    let server = start_server(&[]);
    let bystanders = Bystanders::start(&server);
    let mut random = Random(0x2428);
    let good: &[&[u8]] = &[
        b"\x02\x04anna\x01\x06sesame\x02\x05lobby\x05attic\x00\x00",
        b"\x03\x01\x05lobby\x00\x05hello",
        b"\x04\x02\x08stranger\x00\x00\x05hello",
        b"\x05\x01\x05attic",
        b"\x06\x02\x05lobby",
        b"\x07\x03\x05lobby\x00\x64",
        b"\x08\x04\x05lobby\x00",
        b"\x09\x2a",
    ];
    for number in 0..600 {
        let state = [HandshakeState::Connected, HandshakeState::Greeted, HandshakeState::Joined]
            [number % 3];
        let mut client = connect_in_state(&server, state, &format!("guest{number}"));
        let mut bytes = Vec::new();
        if number % 2 == 0 {
            let length = random.below(2_000);
            bytes = random.bytes(length);
        } else {
            // Valid frames with a random byte changed in some of them.
            for _ in 0..10 {
                let mut body = good[random.below(good.len())].to_vec();
                if random.below(3) == 0 {
                    let at = random.below(body.len());
                    body[at] = random.bytes(1)[0];
                }
                bytes.extend(frame_bytes(&body));
            }
        }
        // The server may close the connection before it has read everything.
        client.try_send_bytes(&bytes);
        if number % 4 < 2 {
            let _ = client.stream().shutdown(std::net::Shutdown::Write);
            while let Some(frame) = client.next_or_end() {
                let is_internal = matches!(&frame, ServerFrame::Error(it) if it.code == 112);
                assert!(!is_internal, "a bug: {frame:?}");
            }
        }
    }
    bystanders.finish();
    expect_bounded_log(&server, 6, began);
}

/// Returns the server's resident memory in bytes, from `/proc`.
fn resident_memory(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024
}

/// Returns the number of bytes that the operating system holds for a client: those that the server
/// has written and the client has not acknowledged.
fn system_queue(server: &Server, client: &TcpStream) -> usize {
    let (from, to) = (server.address().port(), client.local_addr().unwrap().port());
    let has_port = |field: Option<&str>, port: u16| {
        field.is_some_and(|it| it.ends_with(&format!(":{port:04X}")))
    };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queues = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_it = has_port(fields.next(), from) && has_port(fields.next(), to);
        is_it.then(|| fields.nth(1))?
    });
    let unsent = queues.unwrap().split_once(':').unwrap().0;
    usize::from_str_radix(unsent, 16).unwrap()
}

/// Opens a connection with a small receive buffer, which is full soon if it is not read.
fn connect_with_small_buffer(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&server.address().into()).unwrap();
    socket.into()
}

/// Encodes `hello` and `join`.
fn handshake_bytes(name: &str) -> Vec<u8> {
    let mut bytes = frame_bytes(b"\x01PiCh\x01\x01\x00\x00\x00");
    let mut body = vec![2, u8::try_from(name.len()).unwrap()];
    body.extend(name.as_bytes());
    body.extend([0, 0, 0, 0]);
    bytes.extend(frame_bytes(&body));
    bytes
}

/// The server's memory stays bounded. The closing is logged once, and the name is free again.
#[test]
fn slow_reader_is_closed_and_disturbs_nobody() {
    let server = start_server(&["--max-backlog", "262144", "--log-bytes", "1000000"]);
    let bystanders = Bystanders::start(&server);
    let mut anna = server.join("anna");
    let mut deaf = connect_with_small_buffer(&server);
    deaf.write_all(&handshake_bytes("deaf")).unwrap();
    // Its first message shows that it is in the room.
    deaf.write_all(&frame_bytes(b"\x03\x01\x05lobby\x00\x02hi")).unwrap();
    assert_eq!(anna.next_entry().text, "hi");
    let text = "x".repeat(4_000);
    for _ in 0..300 {
        anna.say_in_lobby(&text);
    }
    let before = resident_memory(&server);
    let begin = Instant::now();
    for _ in 0..3_000 {
        anna.say_in_lobby(&text);
    }
    // Twelve megabytes have been sent; the server may keep only a bounded part of them.
    let grown = resident_memory(&server).saturating_sub(before);
    assert!(grown < 6_000_000, "grown by {grown} bytes");
    assert!(begin.elapsed() < Duration::from_secs(10));
    server.wait_for_log(|lines| lines.iter().any(|line| line.contains("too_slow")));
    // The name is free, and the connection ends after the buffered bytes.
    server.join("deaf");
    deaf.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let mut buffer = [0; 16_384];
    while deaf.read(&mut buffer).is_ok_and(|count| count > 0) {}
    bystanders.finish();
    assert_eq!(server.log().len(), 1, "{:#?}", server.log());
}

/// The server stops reading requests while their answers are not read. The operating system holds
/// few bytes for the client.
#[test]
fn unread_history_requests_use_bounded_memory() {
    let server = Server::start(&["--burst", "1000", "--per-minute", "60000"]);
    let bystanders = Bystanders::start(&server);
    let mut anna = server.join("anna");
    for _ in 0..100 {
        anna.say_in_lobby(&"x".repeat(4_000));
    }
    let before = resident_memory(&server);
    let mut greedy = connect_with_small_buffer(&server);
    greedy.write_all(&handshake_bytes("greedy")).unwrap();
    greedy.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    // Each request asks for 400 kB. The server soon stops reading.
    let mut request = Vec::new();
    let history = History {
        reference: Reference(1),
        room: "lobby".to_owned(),
        before: pi_chat::model::Sequence::ZERO,
        limit: 100,
    };
    pi_chat::wire::tcp::ClientFrame::from(history).encode(&mut request);
    let many = request.repeat(1_000);
    let mut sent = 0;
    while sent < 50_000_000 && greedy.write_all(&many).is_ok() {
        sent += many.len();
    }
    // The limit leaves room for the kernel's socket buffers.
    assert!(sent < 50_000_000, "it reads for ever");
    let grown = resident_memory(&server).saturating_sub(before);
    assert!(grown < 16_000_000, "grown by {grown} bytes");
    let queued = system_queue(&server, &greedy);
    assert!((1..400_000).contains(&queued), "the system holds {queued} bytes");
    anna.say_in_lobby("and I am served");
    bystanders.finish();
}

/// The sender gets one notice. Messages of other clients are not delayed, and nothing is logged.
#[test]
fn rate_limit_delays_messages_and_loses_none() {
    /// Number of messages sent at once; the burst limit is 10.
    const COUNT: usize = 30;
    let mut server = Server::start(&["--burst", "10", "--per-minute", "600"]);
    let mut bob = server.join("bob");
    let mut anna = server.join("anna");
    let begin = Instant::now();
    for number in 1..=COUNT {
        anna.say("lobby", &format!("m{number}"));
    }
    let (mut notices, mut texts) = (Vec::new(), Vec::new());
    while texts.len() < COUNT {
        match anna.next() {
            ServerFrame::Notice(notice) => notices.push(notice.code),
            ServerFrame::Entry(entry) => texts.push(entry.text),
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<String> = (1..=COUNT).map(|number| format!("m{number}")).collect();
    assert_eq!((notices, &texts), (vec![1], &expected));
    // The 20 messages above the burst take two seconds.
    let took = begin.elapsed();
    assert!(Duration::from_millis(1_700) < took && took < Duration::from_secs(6), "{took:?}");
    let heard: Vec<String> = bob.next_entries(COUNT).into_iter().map(|it| it.text).collect();
    assert_eq!(heard, expected);
    // Other clients are not slowed down.
    let begin = Instant::now();
    bob.say_in_lobby("quick");
    assert!(begin.elapsed() < Duration::from_secs(1));
    server.terminate();
    assert_eq!(server.log(), Vec::<String>::new());
}

/// A connection that is being closed is not read for as long as its client goes on sending: a flood
/// would cost as much as the network brings in a second.
#[test]
fn closing_connection_takes_only_a_bounded_flood() {
    let server = start_server(&[]);
    let mut client = server.connect();
    // A frame without a body is an error.
    client.send_bytes(&[0, 0]);
    let chunk = vec![0; 64 << 10];
    let mut taken = 0;
    let mut stream = client.stream();
    while let Ok(count) = stream.write(&chunk) {
        taken += count;
        assert!(taken < 32 << 20, "the server reads on and on");
    }
}

/// Covers all cases of the ten-second handshake timeout in one test, to wait only once.
#[test]
fn incomplete_handshake_times_out_after_ten_seconds() {
    /// Number of connections that send nothing.
    const SILENT: usize = 1_000;
    rlimit::increase_nofile_limit(4_096).unwrap();
    let mut server = start_server(&[]);
    let bystanders = Bystanders::start(&server);
    let begin = Instant::now();
    let mut slow: Vec<TestClient> = Vec::new();
    let half_frames: &[&[u8]] = &[b"", b"\x00", b"\x00\x0a\x01PiC", &handshake_bytes("x")[..11]];
    for bytes in half_frames {
        let mut client = server.connect();
        client.send_bytes(bytes);
        slow.push(client);
    }
    // `hello` without `join`, and with half a `join`.
    for half_join in [&b""[..], b"\x00\x0a\x02\x04an"] {
        let mut client = server.connect();
        client.send_hello(0);
        client.send_bytes(half_join);
        slow.push(client);
    }
    // An unknown frame does not replace `join`.
    let mut client = server.connect();
    client.send_hello(0);
    client.send_bytes(&frame_bytes(b"\x3e"));
    slow.push(client);
    let mut silent: Vec<TestClient> = (0..SILENT).map(|_| server.connect()).collect();
    // Meanwhile other clients can join and chat.
    let mut anna = server.join("anna");
    anna.say_in_lobby("nobody else here?");
    // After a refused join the limit is a minute.
    let mut refused = server.connect();
    refused.send_hello(0);
    refused.send(join("anna", &[]));
    refused.expect_error(201);

    let mut slow_but_not_yet = true;
    for client in slow.iter_mut().chain(&mut silent) {
        client.stream().set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        client.expect_error(105);
        client.expect_closed();
        if std::mem::take(&mut slow_but_not_yet) {
            assert!(begin.elapsed() > Duration::from_millis(9_500), "{:?}", begin.elapsed());
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(14), "{:?}", begin.elapsed());
    refused.expect_nothing();
    anna.say_in_lobby("still here");
    bystanders.finish();
    // The first timeout is logged at once, the others are counted.
    server.terminate();
    let lines = server.wait_for_log(|lines| lines.iter().any(|it| it.contains("more times")));
    let about: Vec<&String> = lines.iter().filter(|it| it.contains("handshake_timeout")).collect();
    assert!(about.len() <= 4, "{about:#?}");
    assert!(about.len() == server.log().len(), "{:#?}", server.log());
}
