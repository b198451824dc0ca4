//! The way in for browsers over https (`docs/protocol/websocket.md`, section 2): the real
//! `chat-server`. That WebSockets over TLS carry the same conversations as TCP is shown in
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
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use common::owner_files::write_owner_files;
use common::{
    PATIENCE, Server, TestClient, WITH_TLS, WITH_WEB, WITH_WEB_TLS, join, run_server_command, say,
    tls_connection,
};
use pi_chat::tls::Fingerprint;
use rustix::process::Signal;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// Starts a server that lets browsers in over https and keeps its messages and the page in this
/// directory, with further arguments.
fn start(data: &Path, more: &[&str]) -> Server {
    let root = data.join("web");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("index.html"), "<p>page").unwrap();
    let (data, root) = (data.to_str().unwrap(), root.to_str().unwrap());
    let flags = ["--data", data, "--announce", "false", "--web-root", root];
    Server::start(&[WITH_WEB_TLS, &flags, more].concat())
}

/// Connects to an address from this address of the loopback.
fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddrV4::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE * 2)).unwrap();
    socket.into()
}

/// Connects to the port for https.
fn connect(server: &Server) -> TcpStream {
    connect_from(Ipv4Addr::LOCALHOST, server.web_tls_address())
}

/// Sends a request for a path over https, with further fields, each with its line end. Returns the
/// whole response: the server closes the connection after it.
fn get(server: &Server, path: &str, host: &str, fields: &str) -> String {
    let (mut stream, mut tls) = (connect(server), tls_connection(server.web_tls_address()));
    let options = if fields.contains("Upgrade") { "Upgrade, close" } else { "close" };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {options}\r\n{fields}\r\n");
    tls.writer().write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    // `close_notify` ends the stream: without it, reading would be an error.
    loop {
        tls.complete_io(&mut stream).unwrap();
        match tls.reader().read_to_end(&mut response) {
            Ok(_) => return String::from_utf8(response).unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
}

/// Returns the URLs that the status of a server tells.
fn urls(data: &Path) -> Value {
    let output = run_server_command(&["status", "--json", "--data", data.to_str().unwrap()]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["web"].clone()
}

/// The page comes over https, says that its WebSocket may be one over TLS, and the QR code for
/// others leads there too. A WebSocket from there is let in, one of a page from elsewhere is not.
#[test]
fn page_and_code_come_over_https() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), WITH_WEB);
    let host = server.web_tls_address().to_string();
    let page = get(&server, "/", &host, "");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("<p>page"), "{page}");
    assert!(page.contains(&format!(" wss://{host};")), "{page}");
    assert!(!page.to_lowercase().contains("strict-transport-security"), "{page}");
    let code = get(&server, "/invite.svg", "attic-chat.local:2443", "");
    assert!(code.contains("<title>https://attic-chat.local:2443/</title>"), "{code}");

    let handshake = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: pi-chat\r\n";
    let elsewhere = format!("{handshake}Origin: https://evil.example\r\n");
    assert!(get(&server, "/chat", &host, &elsewhere).starts_with("HTTP/1.1 403 "));
    // The page of the other port has another origin.
    let plain = format!("{handshake}Origin: http://{}\r\n", server.web_address());
    assert!(get(&server, "/chat", &host, &plain).starts_with("HTTP/1.1 403 "));

    let url = |scheme: &str, address: SocketAddr| format!("{scheme}://{address}/");
    let (http, https) = (url("http", server.web_address()), url("https", server.web_tls_address()));
    assert_eq!(urls(data.path()), json!([http, https]), "browsers warn of the server's own");
}

/// Who talks over https is in the same rooms as the others, also with as many bytes as TLS takes in
/// pieces. Who leaves does so by the close frame; whose line is cut does not leave.
#[test]
fn web_sockets_over_tls_talk_with_all_others() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), WITH_WEB);
    let mut anna = TestClient::connect_web_tls(server.web_tls_address());
    anna.send_hello(0);
    anna.send(join("anna", &[]));
    anna.join_answer();
    let mut bob = TestClient::connect_web(server.web_address());
    bob.send_hello(0);
    bob.send(join("bob", &[]));
    bob.join_answer();
    let long = "x".repeat(4_000);
    for reference in 1..=10 {
        bob.send(say(reference, "lobby", &long));
    }
    for _ in 0..10 {
        assert_eq!(bob.next_entry().text, long);
    }
    // Anna reads only now: much of it has had to wait.
    for _ in 0..10 {
        assert_eq!(anna.next_entry().text, long);
    }
    anna.send(say(1, "lobby", "hello bob"));
    assert_eq!(anna.next_entry().text, "hello bob");
    assert_eq!(bob.next_entry().text, "hello bob");
    anna.hang_up();
    server.join("anna");
}

/// The owner's certificate is used, and URLs with a host that is in it come first. SIGHUP reads it
/// again. Without plain HTTP, https is the only way in for browsers.
#[test]
fn certificate_of_the_owner_is_used_and_read_again() {
    let data = TempDir::new().unwrap();
    let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    let first = write_owner_files(data.path(), &["127.0.0.1"]);
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let files = ["--tls-certificate", &certificate, "--tls-key", &key];
    let server = start(data.path(), &[&files[..], WITH_WEB].concat());
    let fingerprint = || {
        let (mut stream, mut tls) = (connect(&server), tls_connection(server.web_tls_address()));
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).unwrap();
        }
        Fingerprint::of_certificate(&tls.peer_certificates().unwrap()[0]).unwrap()
    };
    assert_eq!(fingerprint(), first);
    assert_eq!(urls(data.path())[0], format!("https://{}/", server.web_tls_address()));
    let second = write_owner_files(data.path(), &["chat.example.org"]);
    server.signal(Signal::HUP);
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("configuration reloaded")));
    assert_eq!(fingerprint(), second);
    assert_eq!(urls(data.path())[0], format!("http://{}/", server.web_address()));
    drop(server);
    let only = start(data.path(), &[&files[..], &["--plain", "false"]].concat());
    assert_eq!(urls(data.path()), json!([format!("https://{}/", only.web_tls_address())]));
    assert!(get(&only, "/", "localhost", "").ends_with("<p>page"));
}

/// A server without a key says that there is no https.
#[test]
fn https_needs_a_key() {
    let server = Server::start(&["--web-tls", "true", "--announce", "false"]);
    server.wait_for_log(|lines| {
        lines.iter().any(|it| it.contains("there is no TLS, because messages are kept in memory"))
    });
}

/// Plain HTTP at the port for https gets no answer in plain, and is closed.
#[test]
fn plain_requests_are_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let mut stream = connect(&server);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(received.len() <= 7, "more than an alert: {received:?}");
}

/// Returns true if the other side has closed a connection, and waits until it has.
fn ends(stream: &mut TcpStream) {
    match stream.read(&mut [0; 64]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// Unfinished handshakes are bounded together with connections over HTTP that are no WebSockets: a
/// further one takes the place of the oldest.
#[test]
fn unfinished_handshakes_and_requests_share_their_places() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), WITH_WEB);
    let begin = Instant::now();
    let mut silent: Vec<_> = (0..129).map(|_| connect(&server)).collect();
    // All of them have been accepted when the last one has taken a place.
    ends(&mut silent[0]);
    let plain = connect_from(Ipv4Addr::LOCALHOST, server.web_address());
    ends(&mut silent[1]);
    // Without a newcomer, the end of a handshake is waited for 10 seconds.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    drop(plain);
    assert!(get(&server, "/", "localhost", "").ends_with("<p>page"));
}

/// An address has one rate of handshakes for both ports with TLS, and exhausts nobody else's.
#[test]
fn handshakes_at_both_ports_have_one_rate() {
    let data = TempDir::new().unwrap();
    // 16 at once, and 64 a minute.
    let limit = ["--max-connections-per-address", "32"];
    let server = start(data.path(), &[WITH_TLS, &limit].concat());
    // 11 of these wait for up to 10 seconds; those after them are closed at once.
    let mut begun: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connect_from(Ipv4Addr::LOCALHOST, server.tls_address());
            stream.write_all(&[0x16, 0x03, 0x01]).unwrap();
            stream
        })
        .collect();
    ends(begun.last_mut().unwrap());
    let mut late = connect(&server);
    late.write_all(&[0x16, 0x03, 0x01]).unwrap();
    ends(&mut late);
    let is_waiting = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        (&*stream).read(&mut [0; 64]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    assert!(begun.iter().any(is_waiting), "it was not closed at once");
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let mut stream = connect_from(other, server.web_tls_address());
    let mut tls = tls_connection(server.web_tls_address());
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
    }
}
