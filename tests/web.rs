//! The way in for browsers: the real `chat-server`, with requests and WebSocket frames byte by byte
//! (`docs/protocol/websocket.md`). That WebSockets carry the same conversations as TCP is shown in
//! `tests/conformance.rs`.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, TestClient, WITH_WEB, hello, join};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, ServerFrame};
use serde_json::Value;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

/// Fields of a handshake, without host and origin.
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: pi-chat\r\n";

/// Feature `resume`.
const RESUME: u64 = 4;

/// Starts a server that lets browsers in, with these further flags.
fn start(more: &[&str]) -> Server {
    Server::start(&[WITH_WEB, more].concat())
}

/// Connects to the HTTP port.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Response of the server.
struct Response {
    /// Status code.
    status: u16,
    /// Head, in lower case.
    head: String,
    /// Body.
    body: String,
}

/// Sends a request on a connection and reads the response: a body only if `has_body`, and never
/// after a 304.
fn exchange(stream: &mut TcpStream, request: &str, has_body: bool) -> Response {
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "ended in {head:?}");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|it| it.split('\r').next());
    let length = length.map_or(0, |it| it.parse().unwrap());
    let has_body = has_body && status != 304;
    let mut body = vec![0; if has_body { length } else { 0 }];
    stream.read_exact(&mut body).unwrap();
    Response { status, head, body: String::from_utf8_lossy(&body).into_owned() }
}

/// Requests a path with these further fields, each with its line end.
fn get(server: &Server, path: &str, fields: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    exchange(&mut connect(server.web_address()), &request, true)
}

/// Asks for a WebSocket with this host and these further fields. Returns the socket and the status.
fn handshake(server: &Server, host: &str, fields: &str) -> (TcpStream, u16) {
    let mut stream = connect(server.web_address());
    let request = format!("GET /chat HTTP/1.1\r\nHost: {host}\r\n{HANDSHAKE}{fields}\r\n");
    let response = exchange(&mut stream, &request, true);
    if response.status == 101 {
        assert!(response.head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="));
        assert!(response.head.contains("sec-websocket-protocol: pi-chat\r\n"));
    }
    (stream, response.status)
}

/// Opens a WebSocket without an origin.
fn open(server: &Server) -> TcpStream {
    let (stream, status) = handshake(server, "localhost", "");
    assert_eq!(status, 101);
    stream
}

/// Returns a client's WebSocket frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 1, 9, 3];
    let mut bytes = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length => bytes.extend([&[0xfe], &length.to_be_bytes()[..]].concat()),
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Returns the bytes of a frame of the protocol.
fn encoded(frame: impl Into<ClientFrame>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes);
    bytes
}

/// Returns the bytes with which anna joins.
fn greeting(features: u64) -> Vec<u8> {
    [encoded(hello(features)), encoded(join("anna", &[]))].concat()
}

/// What a server has sent until it has closed.
#[derive(Debug, Default)]
struct Received {
    /// Codes of the errors in binary messages.
    errors: Vec<u16>,
    /// Number of other frames of the protocol.
    others: usize,
    /// Payloads of pongs.
    pongs: Vec<Vec<u8>>,
    /// Code of the close frame; `None` if none came.
    close: Option<u16>,
}

impl Received {
    /// Counts the frames of the protocol in a binary message.
    fn count_frames(&mut self, reader: &mut FrameReader, payload: &[u8]) {
        let count = |body: &[u8]| {
            match ServerFrame::decode(body) {
                Decoded::Frame(ServerFrame::Error(error)) => self.errors.push(error.code),
                _ => self.others += 1,
            }
            true
        };
        reader.feed(payload, count).unwrap();
    }
}

/// Reads the server's next WebSocket frame: first byte and payload. `None` at the end of the
/// stream.
fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    match stream.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
        Err(error) => panic!("{error}"),
    }
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        length => {
            assert!(length < 126, "masked or long: {length}");
            usize::from(length)
        }
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    Some((head[0], payload))
}

/// Reads until the server closes.
fn read_to_end(stream: &mut TcpStream) -> Received {
    let mut received = Received::default();
    let mut reader = FrameReader::from_server();
    while let Some((first, payload)) = read_frame(stream) {
        match first {
            0x82 => received.count_frames(&mut reader, &payload),
            0x8a => received.pongs.push(payload),
            0x88 => received.close = Some(u16::from_be_bytes(payload.try_into().unwrap())),
            other => panic!("first byte {other:02x}"),
        }
        assert!(!reader.has_rest(), "a message holds whole frames");
    }
    received
}

/// Sends bytes after `greeting` of a client without features. Returns what comes until the server
/// closes.
fn after_greeting(server: &Server, bytes: &[u8]) -> Received {
    let mut stream = open(server);
    stream.write_all(&[&frame(0x82, &greeting(0)), bytes].concat()).unwrap();
    read_to_end(&mut stream)
}

/// Files are sent with type, policy and caching; compressed ones to those who take them.
#[test]
fn files_are_sent_with_policy_and_caching() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("assets")).unwrap();
    fs::write(root.path().join("index.html"), "<p>hello").unwrap();
    fs::write(root.path().join("assets/a-1234.wasm"), vec![b'w'; 100_000]).unwrap();
    fs::write(root.path().join("assets/a-1234.wasm.gz"), "zipped").unwrap();
    let server = start(&["--web-root", root.path().to_str().unwrap()]);
    let page = get(&server, "/?x=1", "");
    assert_eq!((page.status, page.body.as_str()), (200, "<p>hello"));
    for wanted in [
        "content-type: text/html; charset=utf-8\r\n",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';",
        "connect-src 'self' ws://localhost wss://localhost;",
        "frame-ancestors 'none'\r\n",
        "x-content-type-options: nosniff\r\n",
        "referrer-policy: no-referrer\r\n",
        "cache-control: no-cache\r\n",
    ] {
        assert!(page.head.contains(wanted), "{wanted} is missing in {}", page.head);
    }
    let tag = page.head.split("etag: ").nth(1).unwrap().split('\r').next().unwrap();
    let again = get(&server, "/", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let plain = get(&server, "/assets/a-1234.wasm", "");
    assert!(plain.body.len() == 100_000 && plain.head.contains("content-type: application/wasm"));
    assert!(plain.head.contains("immutable") && !plain.head.contains("etag"));
    let zipped = get(&server, "/assets/a-1234.wasm", "Accept-Encoding: gzip, br\r\n");
    assert_eq!(zipped.body, "zipped");
    assert!(zipped.head.contains("content-encoding: gzip\r\n"));
}

/// Several requests go over one connection; HEAD has no body; other methods, bodies and paths that
/// lead elsewhere are refused.
#[test]
fn requests_follow_each_other_and_others_are_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("index.html"), "<p>hello").unwrap();
    let server = start(&["--web-root", root.path().to_str().unwrap()]);
    let mut stream = connect(server.web_address());
    let request =
        |line: &str, fields: &str| format!("{line} HTTP/1.1\r\nHost: [::1]:9\r\n{fields}\r\n");
    assert_eq!(exchange(&mut stream, &request("GET /", ""), true).body, "<p>hello");
    let head = exchange(&mut stream, &request("HEAD /", ""), false);
    assert!(head.status == 200 && head.head.contains("content-length: 8\r\n"));
    for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/missing", "/.git"] {
        let response = exchange(&mut stream, &request(&format!("GET {path}"), ""), true);
        assert_eq!(response.status, 404, "{path}");
    }
    assert_eq!(exchange(&mut stream, &request("POST /", ""), true).status, 405);
    let no_upgrade = exchange(&mut stream, &request("GET /chat", ""), true);
    assert!(no_upgrade.status == 426 && no_upgrade.head.contains("connection: upgrade\r\n"));
    for (url, status) in [("http://localhost/", 200), ("http://evil.example/", 421)] {
        let response = exchange(&mut stream, &request(&format!("GET {url}"), ""), true);
        assert_eq!(response.status, status, "{url}");
    }
    let body = exchange(&mut stream, &request("GET /", "Content-Length: 3\r\n"), true);
    assert!(body.status == 413 && body.head.contains("connection: close"));
    assert_eq!(exchange(&mut connect(server.web_address()), "nonsense\r\n\r\n", true).status, 400);
    assert_eq!(get(&server, "/", &format!("Cookie: {}\r\n", "x".repeat(17_000))).status, 431);
}

/// Requests that come all at once are answered one after the other, 100 on a connection.
#[test]
fn pipelined_requests_are_answered_up_to_a_limit() {
    let server = start(&[]);
    let mut stream = connect(server.web_address());
    stream.write_all("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(110).as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 404 Not Found\r\n").count(), 100);
    assert_eq!(answers.matches("Connection: close\r\n").count(), 1);
}

/// Without the files of the page there is a sentence in its place, and WebSockets work.
#[test]
fn without_files_the_websocket_works() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    let server = start(&["--web-root", missing.to_str().unwrap()]);
    let page = get(&server, "/", "");
    assert!(page.status == 404 && page.body.contains("not installed"), "{}", page.body);
    let mut client = TestClient::connect_web(server.web_address());
    client.send_hello(0);
    client.send(join("anna", &[]));
    assert_eq!(client.join_answer().welcome.username, "anna");
    client.hang_up();
}

/// Pages of other sites cannot talk to the server, and neither can names that lead to it by
/// rebinding, unless the owner allows them. A handshake without our subprotocol is refused.
#[test]
fn foreign_origins_and_rebound_hosts_are_refused() {
    let server = start(&[]);
    let status = |host, origin| handshake(&server, host, origin).1;
    assert_eq!(status("localhost:9", "Origin: http://localhost:9\r\n"), 101);
    assert_eq!(status("127.0.0.1", ""), 101);
    assert_eq!(status("localhost:9", "Origin: http://evil.example\r\n"), 403);
    assert_eq!(status("localhost:9", "Origin: null\r\n"), 403);
    assert_eq!(status("evil.example", "Origin: http://evil.example\r\n"), 421);
    let page = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(exchange(&mut connect(server.web_address()), page, true).status, 421);
    let request = "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(exchange(&mut connect(server.web_address()), request, true).status, 400);
    let server = start(&["--web-hosts", "chat.example.org", "--web-origins", "https://my.example"]);
    let status = |host, origin| handshake(&server, host, origin).1;
    assert_eq!(status("chat.example.org", "Origin: https://chat.example.org\r\n"), 101);
    assert_eq!(status("localhost", "Origin: https://my.example\r\n"), 101);
    assert_eq!(status("localhost", "Origin: http://my.example\r\n"), 403);
}

/// Violations of the rules of WebSocket end with an error and their close codes.
#[test]
fn violations_end_with_their_close_codes() {
    let server = start(&[]);
    let unmasked = [&[0x82, 1][..], b"x"].concat();
    let too_big = [&[0x82, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    for (bytes, code) in [
        (unmasked, 1_002),
        (frame(0xc2, b"x"), 1_002),
        (frame(0x81, b"hello"), 1_003),
        (frame(0x88, &[3, 0xe8, 0xc3, 0x28]), 1_007),
        (frame(0x8a, b"").repeat(100), 1_008),
        (frame(0x82, b"").repeat(100), 1_008),
        (too_big, 1_009),
    ] {
        let received = after_greeting(&server, &bytes);
        assert_eq!((received.errors, received.close), (vec![103], Some(code)), "{bytes:02x?}");
    }
}

/// Fragments, pings between them and several frames in a message are taken; a pong answers each
/// ping; the close frame of a client that leaves is answered.
#[test]
fn fragments_pings_and_closing_work() {
    let server = start(&[]);
    let mut stream = open(&server);
    let greeting = greeting(0);
    let (one, two) = greeting.split_at(9);
    let bytes = [
        frame(0x02, one),
        frame(0x89, b"are you there"),
        frame(0x80, two),
        frame(0x88, &1_000_u16.to_be_bytes()),
    ];
    // In small pieces, as over a slow network.
    for piece in bytes.concat().chunks(5) {
        stream.write_all(piece).unwrap();
    }
    let received = read_to_end(&mut stream);
    assert_eq!(received.pongs, [b"are you there"]);
    assert_eq!((received.errors.as_slice(), received.close), (&[][..], Some(1_000)));
    assert!(received.others >= 4, "server_hello, welcome, entered, end: {received:?}");
}

/// The close code of a fatal error is 4000 and its number.
#[test]
fn errors_have_close_codes() {
    let mut server = start(&[]);
    let mut stream = open(&server);
    stream.write_all(&frame(0x82, b"GET / HTTP/1.1")).unwrap();
    let received = read_to_end(&mut stream);
    assert_eq!((received.errors, received.close), (vec![100], Some(4_100)));
    let mut stream = open(&server);
    stream.write_all(&frame(0x82, &greeting(0))).unwrap();
    read_frame(&mut stream).unwrap();
    server.terminate();
    let received = read_to_end(&mut stream);
    assert_eq!((received.errors, received.close), (vec![111], Some(4_111)));
}

/// A client that leaves gives up its name. The name of a client whose page goes away, or whose
/// connection is lost, waits.
#[test]
fn name_waits_unless_the_client_leaves() {
    for (last, waits) in [
        (frame(0x88, &1_000_u16.to_be_bytes()), false),
        (frame(0x88, &[]), false),
        (frame(0x88, &1_001_u16.to_be_bytes()), true),
        (Vec::new(), true),
    ] {
        let server = start(&[]);
        let mut stream = open(&server);
        stream.write_all(&frame(0x82, &greeting(RESUME))).unwrap();
        read_frame(&mut stream).unwrap();
        stream.write_all(&last).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // The server notices the end before or after the next join; a name that is held has no
        // time.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut other = server.connect();
            other.send_hello(0);
            other.send(join("anna", &[]));
            match other.next() {
                ServerFrame::Welcome(_) if !waits => break,
                ServerFrame::Error(error) if waits && error.retry_after > 0 => break,
                ServerFrame::Error(error) if error.code == 201 && error.retry_after == 0 => {}
                other => panic!("{other:?} after {last:02x?}"),
            }
            assert!(Instant::now() < deadline, "the server has not noticed the end");
        }
    }
}

/// Behind a trusted proxy, the rightmost untrusted address of `X-Forwarded-For` counts.
#[test]
fn address_behind_a_proxy_counts() {
    let flags = ["--trusted-proxies", "127.0.0.1", "--max-connections-per-address", "1"];
    let server = start(&flags);
    let open = |list: &str| {
        let field = format!("X-Forwarded-For: {list}\r\n");
        let (mut stream, status) = handshake(&server, "localhost", &field);
        assert_eq!(status, 101);
        stream.write_all(&frame(0x82, &encoded(hello(0)))).unwrap();
        stream
    };
    let mut first = open("203.0.113.9, 192.0.2.1");
    let mut second = open("203.0.113.9, 192.0.2.2");
    for stream in [&mut first, &mut second] {
        assert_eq!(read_frame(stream).unwrap().1[2], 64, "server_hello");
    }
    let received = read_to_end(&mut open("203.0.113.10, 192.0.2.1, 127.0.0.1"));
    assert_eq!((received.errors, received.close), (vec![109], Some(4_109)));
}

/// A head that comes too slowly does not keep a connection, and many such connections do not keep
/// others out: an address that has all its places loses the oldest.
#[test]
fn slow_heads_are_cut_off() {
    let server = start(&[]);
    let begin = Instant::now();
    let mut slow: Vec<TcpStream> = (0..128).map(|_| connect(server.web_address())).collect();
    slow[1].write_all(b"GET / HTTP/1.1\r\nHost: a").unwrap();
    assert_eq!(get(&server, "/missing", "").status, 404);
    assert_eq!(slow[0].read(&mut [0]).unwrap_or(0), 0);
    assert!(begin.elapsed() < Duration::from_secs(9), "the oldest lost its place at once");
    slow[1].set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(slow[1].read(&mut [0]).unwrap_or(0), 0);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}

/// Handshakes that are wrong have the status that the page of the protocol says.
#[test]
fn wrong_handshakes_have_their_status() {
    let server = start(&[]);
    let valid = format!("GET /chat HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (request, status, field) in [
        (valid.replace("Version: 13", "Version: 8"), 426, "sec-websocket-version: 13\r\n"),
        (valid.replace("Upgrade: websocket\r\n", ""), 426, "upgrade: websocket\r\n"),
        (valid.replace("HTTP/1.1", "HTTP/1.0"), 426, "connection: close\r\n"),
        (valid.replace("pi-chat", "chat"), 400, ""),
        (valid.replace(key, ""), 400, ""),
        (valid.replace("==", "="), 400, ""),
        (valid.replace("Host: localhost\r\n", ""), 400, ""),
        (format!("{valid}\u{1}"), 400, ""),
        (valid.replace("GET", "POST"), 405, "allow: get, head\r\n"),
    ] {
        let response = exchange(&mut connect(server.web_address()), &request, true);
        assert_eq!(response.status, status, "{request}");
        assert!(response.head.contains(field), "{request}: {}", response.head);
    }
    assert_eq!(exchange(&mut connect(server.web_address()), &valid, false).status, 101);
}

/// Every answer has the fields that keep a browser from guessing a type, from telling the address
/// of the page to others, and from showing or loading anything of others; also an error.
#[test]
fn every_answer_has_the_policy() {
    let server = start(&[]);
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /chat HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let response = exchange(&mut connect(server.web_address()), request, true);
        for wanted in [
            "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval';",
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
        ] {
            assert!(response.head.contains(wanted), "{request}: {wanted} in {}", response.head);
        }
    }
}

/// Opens a WebSocket with an implementation that is not ours, which checks the handshake.
fn open_independently(server: &Server) -> tungstenite::WebSocket<TcpStream> {
    use tungstenite::client::IntoClientRequest;
    let stream = connect(server.web_address());
    let url = format!("ws://{}/chat", server.web_address());
    let mut request = url.into_client_request().unwrap();
    let protocol = "pi-chat".parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
    tungstenite::client(request, stream).unwrap().0
}

/// Reads until the server closes, with that implementation, which checks every frame of it.
fn read_independently(mut socket: tungstenite::WebSocket<TcpStream>) -> Received {
    let mut received = Received::default();
    let mut reader = FrameReader::from_server();
    loop {
        match socket.read() {
            Ok(Message::Binary(payload)) => received.count_frames(&mut reader, &payload),
            Ok(Message::Pong(payload)) => received.pongs.push(payload.to_vec()),
            Ok(Message::Close(frame)) => received.close = frame.map(|it| it.code.into()),
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::ConnectionClosed) => return received,
            Err(error) => panic!("{error}"),
        }
    }
}

/// An implementation that is not ours shakes hands, sends messages in fragments with a ping between
/// them, and reads what the server sends and how it closes.
#[test]
fn independent_client_understands_the_server() {
    let server = start(&[]);
    let mut socket = open_independently(&server);
    let greeting = greeting(0);
    let (one, rest) = greeting.split_at(9);
    let (two, three) = rest.split_at(1);
    for (number, (part, is_last)) in [(one, false), (two, false), (three, true)].iter().enumerate()
    {
        let data = if number == 0 { Data::Binary } else { Data::Continue };
        let frame = Frame::message(part.to_vec(), OpCode::Data(data), *is_last);
        socket.send(Message::Frame(frame)).unwrap();
        // A ping is answered before the next is sent: the server may leave out all but the last.
        let payload = vec![b"abc"[number]; 125];
        socket.send(Message::Ping(payload.clone().into())).unwrap();
        loop {
            match socket.read().unwrap() {
                Message::Pong(pong) if pong == payload => break,
                Message::Binary(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let leave = CloseFrame { code: CloseCode::Normal, reason: "good night".into() };
    socket.close(Some(leave)).unwrap();
    let received = read_independently(socket);
    assert_eq!((received.errors.as_slice(), received.close), (&[][..], Some(1_000)));

    let mut socket = open_independently(&server);
    socket.send(Message::text("hello")).unwrap();
    let received = read_independently(socket);
    assert_eq!((received.errors, received.close), (vec![103], Some(1_003)));

    let mut socket = open_independently(&server);
    socket.send(Message::binary(vec![0; 65_537])).unwrap();
    let received = read_independently(socket);
    assert_eq!((received.errors, received.close), (vec![103], Some(1_009)));

    let mut socket = open_independently(&server);
    socket.send(Message::binary(b"GET / HTTP/1.1".to_vec())).unwrap();
    let received = read_independently(socket);
    assert_eq!((received.errors, received.close), (vec![100], Some(4_100)));
}

/// `chat-server status` says where to point a browser, if a page is installed.
#[test]
fn status_tells_where_to_point_a_browser() {
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control");
    let control = control.to_str().unwrap();
    let root = directory.path().join("web");
    let server = start(&["--control", control, "--web-root", root.to_str().unwrap()]);
    let told = || {
        let output = common::run_server_command(&["status", "--json", "--control", control]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        status["web"].clone()
    };
    assert_eq!(told(), serde_json::json!([]));
    drop(server);
    fs::create_dir(&root).unwrap();
    fs::write(root.join("index.html"), "<p>page").unwrap();
    let server = start(&["--control", control, "--web-root", root.to_str().unwrap()]);
    let url = format!("http://{}/", server.web_address());
    assert_eq!(told(), serde_json::json!([url]));
    let output = common::run_server_command(&["status", "--control", control]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("browsers   {url}\n")), "{text}");
    server.wait_for_log(|lines| lines.iter().any(|it| it.ends_with(&format!("browser: {url}"))));
}
