//! Clients behind a reverse proxy: the real `chat-server` with `trusted-proxies` and PROXY headers.
//! Addresses of 127.0.0.0/8 stand for proxies and for clients without one.

#![cfg(all(feature = "server", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests measure how long a real program takes")]

mod common;

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Shutdown};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Server, TestClient, join, server_command};
use pi_chat::wire::tcp::{ClientFrame, Join};
use rustix::process::Signal;
use serde_json::Value;

/// Address of the trusted proxy.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Address of a client that connects directly.
const DIRECT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// First bytes of every header.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Error: the stream is none of this protocol.
const NOT_PI_CHAT: u16 = 100;

/// Error: too many from this address.
const TOO_MANY_FROM_ADDRESS: u16 = 109;

/// Error: the password is wrong.
const PASSWORD_WRONG: u16 = 204;

/// Starts a server that trusts the proxy.
fn start(more: &[&str]) -> Server {
    Server::start(&[&["--trusted-proxies", "127.0.0.9"], more].concat())
}

/// Returns a header with this command, family and transport, and rest.
fn raw_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// Returns the header for a client with this address. `tlvs`: bytes of further fields in it.
fn header(client: &str, tlvs: &[u8]) -> Vec<u8> {
    let (family, source) = match client.parse().unwrap() {
        IpAddr::V4(address) => (0x11, address.octets().to_vec()),
        IpAddr::V6(address) => (0x21, address.octets().to_vec()),
    };
    let destination = vec![0; source.len() + 4];
    raw_header(0x21, family, &[&source, &destination[..], tlvs].concat())
}

/// Connects through the proxy with these first bytes.
fn connect_proxied(server: &Server, first: &[u8]) -> TestClient {
    let mut client = TestClient::new(server.connect_from(PROXY, None));
    client.send_bytes(first);
    client
}

/// Connects through the proxy as the client with this address, and joins; the answer is not read.
fn send_join(server: &Server, client: &str, join: Join) -> TestClient {
    let mut connection = connect_proxied(server, &header(client, &[]));
    connection.send_hello(0);
    connection.send(join);
    connection
}

/// Joins directly, without a header.
fn join_directly(server: &Server, name: &str) -> TestClient {
    let mut client = TestClient::new(server.connect_from(DIRECT, None));
    client.send_hello(0);
    client.send(join(name, &[]));
    client.join_answer();
    client
}

/// Reads the first byte of an answer; returns false if the server closes the connection instead,
/// with or without having read everything.
fn is_answered(client: &TestClient) -> bool {
    match client.stream().read(&mut [0; 1]) {
        Ok(count) => count > 0,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            false
        }
    }
}

/// Asserts that a connection through the proxy that begins with these bytes is closed without an
/// answer, while another client can join. Returns the log line about it.
fn refusal(first: &[u8]) -> String {
    let server = start(&[]);
    assert!(!is_answered(&connect_proxied(&server, first)));
    join_directly(&server, "anna");
    let lines = server.wait_for_log(|lines| lines.iter().any(|it| it.contains("trusted proxy")));
    lines.into_iter().find(|it| it.contains("127.0.0.9")).unwrap()
}

/// The limit is that of the address, or IPv6 network of 64 bits, that the header states.
#[test]
fn clients_behind_one_proxy_do_not_share_the_limits_of_an_address() {
    let server = start(&["--max-connections-per-address", "1"]);
    let clients = ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"];
    let joined: Vec<TestClient> = (clients.iter().zip(["anna", "bob", "carol", "dave"]))
        .map(|(address, name)| {
            let mut client = send_join(&server, address, join(name, &[]));
            client.join_answer();
            client
        })
        .collect();
    // One more of each address or IPv6 network is too many; so the stated address counts.
    for address in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8:0:1::2"] {
        let mut client = connect_proxied(&server, &header(address, &[]));
        client.expect_error(TOO_MANY_FROM_ADDRESS);
        client.expect_closed();
    }
    // The limit of the proxy's own address is not used up by its clients.
    let mut own = connect_proxied(&server, &raw_header(0x20, 0, &[]));
    own.send_hello(0);
    drop(joined);
}

/// Another client of the same proxy can join meanwhile.
#[test]
fn wrong_passwords_pause_the_stated_address_which_log_and_status_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (password_file, control) = (path("password"), path("control"));
    fs::write(&password_file, "sesame").unwrap();
    let server = start(&["--password-file", &password_file, "--control", &control]);
    let with = |password: &str| Join { password: Some(password.to_owned()), ..join("anna", &[]) };
    let mut code = PASSWORD_WRONG;
    for _ in 0..100 {
        let mut client = send_join(&server, "192.0.2.1", with("guess"));
        match client.next() {
            pi_chat::wire::tcp::ServerFrame::Error(error) => code = error.code,
            other => panic!("{other:?}"),
        }
        if code == TOO_MANY_FROM_ADDRESS {
            break;
        }
    }
    assert_eq!(code, TOO_MANY_FROM_ADDRESS);
    send_join(&server, "192.0.2.2", with("sesame")).join_answer();
    server.wait_for_log(|lines| {
        let line = "192.0.2.1 has reached the limit of an address: passwords";
        lines.iter().any(|it| it.contains(line))
    });
    let output =
        server_command().args(["status", "--json", "--control", &control]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["pressure"]["address"], "192.0.2.1");
}

/// Further fields in the header are skipped.
#[test]
fn header_may_arrive_in_pieces_and_be_followed_by_frames_at_once() {
    let server = start(&[]);
    let mut greeting = Vec::new();
    ClientFrame::from(common::hello(0)).encode(&mut greeting);
    ClientFrame::from(join("anna", &[])).encode(&mut greeting);
    // Fields that are skipped.
    let bytes = [header("192.0.2.1", &[0xe0; 2_000]), greeting].concat();
    let mut client = TestClient::new(server.connect_from(PROXY, None));
    for piece in [&bytes[..1], &bytes[1..13], &bytes[13..30], &bytes[30..700], &bytes[700..]] {
        client.send_bytes(piece);
    }
    client.next();
    client.join_answer();
}

/// Such are headers of the command `LOCAL`, and of families other than IP.
#[test]
fn connection_without_client_address_counts_as_the_proxy() {
    let server = start(&["--max-connections-per-address", "1"]);
    for first in [
        raw_header(0x20, 0x00, &[]),
        raw_header(0x20, 0x11, &[1; 12]),
        raw_header(0x21, 0x00, &[]),
        raw_header(0x21, 0x31, &[0; 216]),
    ] {
        let mut health_check = connect_proxied(&server, &first);
        health_check.send_hello(0);
        connect_proxied(&server, &first).expect_error(TOO_MANY_FROM_ADDRESS);
        // A client of the proxy has an address of its own.
        let mut client = send_join(&server, "192.0.2.1", join("anna", &[]));
        client.join_answer();
        client.hang_up();
        health_check.hang_up();
    }
}

/// No header, a header of version 1, a malformed one, and one that is too long. The log says which.
#[test]
fn invalid_headers_close_the_connection_and_the_log_names_the_proxy() {
    let mut hello = Vec::new();
    ClientFrame::from(common::hello(0)).encode(&mut hello);
    let log = refusal(&hello);
    assert!(log.contains("does not begin with a PROXY header"), "{log}");
    let log = refusal(b"PROXY TCP4 192.0.2.1 192.0.2.9 4000 2428\r\n");
    assert!(log.contains("version 1 (text)"), "{log}");
    let log = refusal(&raw_header(0x21, 0x12, &[0; 12]));
    assert!(log.contains("malformed"), "{log}");
    let log = refusal(&[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat());
    assert!(log.contains("too long"), "{log}");
}

/// Clients with and without the proxy join meanwhile. The time-out is logged.
#[test]
fn unfinished_header_times_out_and_disturbs_nobody() {
    let server = start(&[]);
    let begin = Instant::now();
    let slow: Vec<TestClient> =
        [1, 12, 20].map(|it| connect_proxied(&server, &header("192.0.2.1", &[])[..it])).into();
    // Neither clients without the proxy wait, nor others behind it.
    join_directly(&server, "anna");
    send_join(&server, "192.0.2.2", join("bob", &[])).join_answer();
    assert!(begin.elapsed() < Duration::from_secs(4));
    for mut client in slow {
        client.expect_closed();
    }
    assert!(begin.elapsed() > Duration::from_secs(4));
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("no complete PROXY header")));
}

#[test]
fn closed_before_the_header_is_logged_only_if_bytes_came() {
    let server = start(&[]);
    // A health check that only connects.
    server.connect_from(PROXY, None).shutdown(Shutdown::Write).unwrap();
    let mut client = connect_proxied(&server, &SIGNATURE[..5]);
    client.stream().shutdown(Shutdown::Write).unwrap();
    client.expect_closed();
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("ends within")));
    let log = server.log();
    assert_eq!(log.iter().filter(|it| it.contains("proxy")).count(), 1, "{log:?}");
}

#[test]
fn header_of_an_untrusted_peer_is_no_part_of_the_protocol() {
    let server = start(&[]);
    let mut client = TestClient::new(server.connect_from(DIRECT, None));
    client.send_bytes(&header("192.0.2.1", &[]));
    client.expect_error(NOT_PI_CHAT);
    client.expect_closed();
}

/// Beyond an eighth of the connections that clients may have, connections of the proxy are closed.
/// Direct clients can join, and the places of closed connections are free again.
#[test]
fn connections_without_header_are_bounded() {
    let mut command = Command::new("/bin/sh");
    command
        .env_clear()
        .env("CHAT_SERVER_WEB", "false")
        .args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]);
    command.arg(server_command().get_program());
    let server = Server::start_command(command, &["--trusted-proxies", "127.0.0.9"], |_| {});
    // Of 64 connections that clients may have, 8 may be without a header.
    let silent: Vec<TestClient> = (0..8).map(|_| connect_proxied(&server, SIGNATURE)).collect();
    assert!(!is_answered(&TestClient::new(server.connect_from(PROXY, None))));
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("too many connections wait")));
    join_directly(&server, "anna");
    drop(silent);
    // Their places are free again.
    loop {
        let mut bytes = header("192.0.2.1", &[]);
        ClientFrame::from(common::hello(0)).encode(&mut bytes);
        let mut client = TestClient::new(server.connect_from(PROXY, None));
        if client.try_send_bytes(&bytes) && is_answered(&client) {
            break;
        }
    }
}

/// A network of proxies that a reload adds is trusted from then on.
#[test]
fn reload_changes_the_trusted_proxies() {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&file, "").unwrap();
    let server = Server::start(&["--config", file.to_str().unwrap()]);
    connect_proxied(&server, &header("192.0.2.1", &[])).expect_error(NOT_PI_CHAT);
    fs::write(&file, "trusted-proxies = [\"127.0.0.8/31\"]\n").unwrap();
    server.signal(Signal::HUP);
    let applied = "configuration reloaded";
    server.wait_for_log(|lines| lines.iter().any(|it| it.ends_with(applied)));
    send_join(&server, "192.0.2.1", join("anna", &[])).join_answer();
}
