//! TLS (`docs/protocol/tls.md`): the real server with TLS clients of its own and others, and with
//! those who sit in between.

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

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::slice;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use common::owner_files::write_owner_files;
use common::{
    PATIENCE, Server, TestClient, WITH_TLS, isolated_command, join, run_server_command, say,
    tls_connection,
};
use pi_chat::tls::{Fingerprint, Identity, StoredIdentity};
use pi_chat::wire::tcp::{Ping, Pong, ServerFrame, feature};
use program::{Program, python_example};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// Starts a server with TLS that keeps its messages in this directory, with further arguments.
fn start(data: &Path, more: &[&str]) -> Server {
    let data = data.to_str().unwrap();
    Server::start(&[WITH_TLS, &["--data", data, "--announce", "false"], more].concat())
}

/// Returns the fingerprint of a server's key, as its status shows it.
fn fingerprint(data: &Path) -> String {
    let output = run_server_command(&["status", "--json", "--data", data.to_str().unwrap()]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["tls"]["fingerprint"].as_str().unwrap().to_owned()
}

/// Runs `chat-client send` over TLS with this home directory and further arguments.
fn send(home: &Path, server: &str, more: &[&str]) -> Output {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", home).args(["send", server, "hello", "--name", "anna"]).args(more);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Returns the standard error of a program as text.
fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Joins the lobby over TLS, and returns the client.
fn join_tls(server: &Server, name: &str) -> TestClient {
    let mut client = TestClient::connect_tls(server.tls_address());
    client.send_hello(feature::RESUME);
    client.send(join(name, &[]));
    client.join_answer();
    client
}

/// A client over TLS and one over plain TCP are in the same room.
#[test]
fn tls_and_plain_clients_talk_to_each_other() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let mut anna = join_tls(&server, "anna");
    let mut bob = server.join("bob");
    let long = "x".repeat(4_000);
    for reference in 1..=10 {
        anna.send(say(reference, "lobby", &long));
    }
    for _ in 0..10 {
        assert_eq!(bob.next_entry().text, long);
        assert_eq!(anna.next_entry().text, long);
    }
    bob.send(say(1, "lobby", "hello anna"));
    assert_eq!(anna.next_entry().text, "hello anna");
}

/// Who sends `close_notify` leaves, and gets what is due and a `close_notify`. Whose line is cut
/// does not leave: the name waits.
#[test]
fn only_close_notify_leaves() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let mut anna = join_tls(&server, "anna");
    anna.send(say(1, "lobby", "bye"));
    anna.end_sending();
    let mut last = None;
    while let Some(body) = anna.next_body() {
        last = Some(ServerFrame::decode(&body));
    }
    assert!(last.is_some(), "the connection ends without what was due");
    server.join("anna");

    let bob = join_tls(&server, "bob");
    bob.stream().shutdown(Shutdown::Both).unwrap();
    // The server notices the end before or after the next join; a name that is held has no time.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut other = server.connect();
        other.send_hello(0);
        other.send(join("bob", &[]));
        match other.next() {
            ServerFrame::Error(error) if error.code == 201 && error.retry_after > 0 => break,
            ServerFrame::Error(error) if error.code == 201 => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "the server has not noticed the end");
    }
}

/// A client that speaks TLS 1.2 at most is refused, and one that speaks no TLS too.
#[test]
fn older_versions_and_plain_bytes_are_refused() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let script = "import socket, ssl, sys\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n\
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n\
        context.maximum_version = getattr(ssl.TLSVersion, sys.argv[2])\n\
        sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
        print(context.wrap_socket(sock).version())";
    let connect = |version: &str| {
        let mut command = isolated_command("/usr/bin/env");
        let port = server.tls_address().port().to_string();
        command.args(["python3", "-c", script, &port, version]).output().unwrap()
    };
    let modern = connect("TLSv1_3");
    assert_eq!(String::from_utf8_lossy(&modern.stdout).trim(), "TLSv1.3", "{}", stderr(&modern));
    let old = connect("TLSv1_2");
    assert!(stderr(&old).contains("PROTOCOL_VERSION"), "{}", stderr(&old));
    let mut plain = TcpStream::connect(server.tls_address()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"\x00\x0f\x01PiCh\x01\x01\x00\x04tiny\x011").unwrap();
    let mut received = Vec::new();
    match plain.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(received.len() <= 7, "more than an alert: {received:?}");
}

/// The Python example talks over TLS to the server with the right fingerprint, and says nothing to
/// another one.
#[test]
fn python_client_checks_the_fingerprint() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let mut witness = server.join("witness");
    let port = server.tls_address().port().to_string();
    let run = |text: &str, fingerprint: &str| {
        let mut command = python_example("say_over_tls.py");
        command.args(["127.0.0.1", &port, "python", text, fingerprint]);
        Program::start(command).finish()
    };
    let right = fingerprint(data.path());
    let (code, lines) = run("wrong", "00000 11111 22222 33333 44444 55555 66666 77777");
    assert_eq!(code, Some(1), "{lines:?}");
    let (code, lines) = run("right", &right);
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(lines.contains(&"-- it has arrived".to_owned()), "{lines:?}");
    assert_eq!(witness.next_entry().text, "right");
}

/// Server with another key that records what a client sends to it after the handshake.
struct ManInTheMiddle {
    /// Address at which it listens.
    address: SocketAddr,
    /// Fingerprint of its key.
    fingerprint: String,
    /// Thread that serves one connection; it returns the decrypted bytes of the client.
    served: JoinHandle<Vec<u8>>,
}

/// Starts a man in the middle for one connection.
fn start_man_in_the_middle() -> ManInTheMiddle {
    let stored = StoredIdentity::generate().unwrap();
    let fingerprint = Identity::from_stored(&stored).unwrap().fingerprint().to_string();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(stored.certificate)],
            PrivatePkcs8KeyDer::from(stored.key).into(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut received = Vec::new();
        while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {
            // An error only means that there is nothing now.
            let _ = tls.reader().read_to_end(&mut received);
        }
        received
    });
    ManInTheMiddle { address, fingerprint, served }
}

/// Replaces the address of the only kept fingerprint below this home directory, as if the server
/// that it belongs to were at another address.
fn move_kept_fingerprint(home: &Path, from: SocketAddr, to: SocketAddr) {
    let state = home.join(".local/state/pi-chat");
    let directory_of = |port: u16| state.join(format!("at-chats_3a_2f_2f127.0.0.1_3a{port}"));
    let file = directory_of(from.port()).join("tls.json");
    let moved = fs::read_to_string(&file).unwrap().replace(&from.to_string(), &to.to_string());
    fs::create_dir_all(directory_of(to.port())).unwrap();
    fs::write(directory_of(to.port()).join("tls.json"), moved).unwrap();
}

/// A server is trusted on first use. When another key is at its place, the client sends nothing,
/// and says both fingerprints and the way out, which works. So does `forget`.
#[test]
fn changed_key_is_refused_before_anything_is_sent() {
    let (data, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = start(data.path(), &[]);
    let first = send(home.path(), &format!("chats://{}", server.tls_address()), &[]);
    assert!(first.status.success(), "{}", stderr(&first));
    let right = fingerprint(data.path());

    let man = start_man_in_the_middle();
    move_kept_fingerprint(home.path(), server.tls_address(), man.address);
    let address = format!("chats://{}", man.address);
    let refused = send(home.path(), &address, &[]);
    let told = stderr(&refused);
    assert_eq!(refused.status.code(), Some(77), "{told}");
    assert!(!told.contains("Is chat-server running"), "{told}");
    for part in [&right, &format!("--fingerprint \"{}\"", man.fingerprint)] {
        assert!(told.contains(part.as_str()), "{told}");
    }
    assert_eq!(man.served.join().unwrap(), b"", "something was sent");

    // The address is free now: the server itself takes the place of the man in the middle.
    let listen = man.address.to_string();
    let other = TempDir::new().unwrap();
    let arguments = ["--data", other.path().to_str().unwrap(), "--announce", "false"];
    let tls = ["--tls", "true", "--tls-listen", &listen];
    let _moved = Server::start(&[&arguments[..], &tls[..]].concat());
    let still = send(home.path(), &address, &[]);
    assert_eq!(still.status.code(), Some(77), "{}", stderr(&still));
    let new = fingerprint(other.path());
    for arguments in [&["--fingerprint", &new][..], &[]] {
        let after = send(home.path(), &address, arguments);
        assert!(after.status.success(), "{}", stderr(&after));
    }
    let mut forget = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    let forget = forget.env("HOME", home.path()).args(["forget", &address]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&forget.stdout), "The key is forgotten.\n");
    let after = send(home.path(), &address, &[]);
    assert!(after.status.success(), "{}", stderr(&after));
}

/// Starts `chat-client` with this home directory and these arguments, driven by lines.
fn start_client(home: &Path, arguments: &[&str]) -> Program {
    let mut command = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    command.env("HOME", home).args(arguments).args(["--name", "anna"]);
    Program::start(command)
}

/// A key that changes while somebody is in the chat ends the client as well: it does not try again,
/// and reports what has not arrived.
#[test]
fn key_that_changes_in_the_middle_ends_the_client() {
    let (data, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let home = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let listen = server.tls_address().to_string();
    let mut client = start_client(home.path(), &[&format!("chats://{listen}"), "--json"]);
    client.expect_json(&json!({"type": "welcome"}));
    drop(server);
    client.expect_json(&json!({"type": "state", "state": "disconnected"}));
    client.send_json(&json!({"type": "say", "id": "1", "text": "for the first server only"}));
    let data = ["--data", other.path().to_str().unwrap(), "--announce", "false"];
    let tls = ["--tls", "true", "--tls-listen", &listen];
    let _other = Server::start(&[&data[..], &tls[..]].concat());
    client.expect_json(&json!({"type": "unsent"}));
    let end = client.expect_json(&json!({"type": "end", "reason": "wrong_key", "exit": 77}));
    let text = end["text"].as_str().unwrap();
    assert!(text.contains(&fingerprint(other.path())), "{text}");
    assert!(text.contains("IS NOT THE ONE"), "{text}");
    assert_eq!(client.finish().0, Some(77));
}

/// Who comes over TLS is told whether the key will be remembered. `send` says nothing of it, as it
/// says nothing over plain TCP.
#[test]
fn only_a_key_that_is_kept_is_said_to_be_remembered() {
    let (data, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = start(data.path(), &[]);
    let address = format!("chats://{}", server.tls_address());
    let told = |more: &[&str]| {
        let arguments = [&[address.as_str(), "--plain"], more].concat();
        start_client(home.path(), &arguments).finish().1.join("\n")
    };
    let fresh = told(&["--fresh"]);
    assert!(fresh.contains("this key is new here") && !fresh.contains("remembered"), "{fresh}");
    let first = told(&[]);
    assert!(first.contains("will be remembered"), "{first}");
    let again = told(&[]);
    assert!(again.contains("the same key as before"), "{again}");
    let sent = send(home.path(), &address, &[]);
    assert!(sent.status.success() && sent.stdout.is_empty() && sent.stderr.is_empty(), "{sent:?}");
}

/// A fingerprint that the user says is demanded at the first connection already.
#[test]
fn said_fingerprint_is_demanded() {
    let (data, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = start(data.path(), &[]);
    let address = format!("chats://{}", server.tls_address());
    let right = fingerprint(data.path());
    let good = send(home.path(), &address, &["--fingerprint", &right]);
    assert!(good.status.success(), "{}", stderr(&good));
    let man = start_man_in_the_middle();
    let bad = send(home.path(), &format!("chats://{}", man.address), &["--fingerprint", &right]);
    assert_eq!(bad.status.code(), Some(77), "{}", stderr(&bad));
    assert_eq!(man.served.join().unwrap(), b"", "something was sent");
}

/// A link brings the fingerprint, of which every bit is compared: the server that has it is talked
/// to, and kept as verified. Another key gets nothing, also if its digits are the same, and neither
/// does anybody by a link that is damaged or contradicts the flag.
#[test]
fn link_is_demanded_and_kept_as_verified() {
    let (data, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = start(data.path(), &[]);
    let status = run_server_command(&["status", "--json", "--data", data.path().to_str().unwrap()]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let link = status["tls"]["links"][0].as_str().unwrap().to_owned();
    let address = format!("chats://{}", server.tls_address());
    let hex = status["tls"]["sha256"].as_str().unwrap();
    assert_eq!(link, format!("{address}/#fingerprint={hex}"));

    let good = send(home.path(), &link, &[]);
    assert!(good.status.success(), "{}", stderr(&good));
    let port = server.tls_address().port();
    let directory = format!(".local/state/pi-chat/at-chats_3a_2f_2f127.0.0.1_3a{port}");
    let kept = fs::read_to_string(home.path().join(directory).join("tls.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["verified"], kept["sha256"].as_str()), (&Value::Bool(true), Some(hex)));

    // A group of digits stays the same if 100000 is added to its bytes, or taken off.
    let first = u32::from_str_radix(&hex[..8], 16).unwrap();
    let same_digits = first.checked_sub(100_000).unwrap_or(first.wrapping_add(100_000));
    let forged = link.replace(&hex[..8], &format!("{same_digits:08x}"));
    let refused = send(home.path(), &forged, &[]);
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    let man = start_man_in_the_middle();
    let wrong = link.replace(&address, &format!("chats://{}", man.address));
    let refused = send(home.path(), &wrong, &[]);
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("IS NOT THE ONE"), "{}", stderr(&refused));
    assert_eq!(man.served.join().unwrap(), b"", "something was sent");

    let digits = "00000 11111 22222 33333 44444 55555 66666 77777";
    for (link, flags) in [
        (&link[..link.len() - 1], &[][..]),
        (&link.replace("chats://", "chat://"), &[]),
        (&link, &["--fingerprint", digits]),
    ] {
        let refused = send(home.path(), link, flags);
        assert_eq!(refused.status.code(), Some(64), "{link} {}", stderr(&refused));
    }
    let mut forget = isolated_command(env!("CARGO_BIN_EXE_chat-client"));
    let forget = forget.env("HOME", home.path()).args(["forget", &link]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&forget.stdout), "The key is forgotten.\n");
}

/// A backup that becomes the log of another directory brings the key along, and the file with the
/// key is private. A server without a log on disk has no key, and says so.
#[test]
fn restored_backup_keeps_the_key() {
    let (data, restored) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = start(data.path(), &[]);
    let right = fingerprint(data.path());
    let backup = restored.path().join("chat.db");
    let arguments = ["backup", "--data", data.path().to_str().unwrap(), backup.to_str().unwrap()];
    let made = run_server_command(&arguments);
    assert!(made.status.success(), "{}", stderr(&made));
    drop(server);
    let _again = start(restored.path(), &[]);
    assert_eq!(fingerprint(restored.path()), right);
    for file in [&backup, &data.path().join("chat.db")] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", file.display());
    }
    let none = Server::start(&["--tls", "true", "--announce", "false"]);
    none.wait_for_log(|lines| {
        lines.iter().any(|it| it.contains("there is no TLS, because messages are kept in memory"))
    });
}

/// Starts a server once, and then damages the key in its database.
fn make_damaged(data: &Path, damage: impl Fn(&rusqlite::Connection)) {
    drop(start(data, &[]));
    damage(&rusqlite::Connection::open(data.join("chat.db")).unwrap());
}

/// Damage to the key in the database, also to its secret half, is noticed at the start, which says
/// what to do. A server without TLS does not care.
#[test]
fn damaged_key_is_noticed_at_the_start() {
    let remove = |name: &'static str| {
        move |database: &rusqlite::Connection| {
            let deleted = database.execute("DELETE FROM properties WHERE name = ?", [name]);
            assert_eq!(deleted.unwrap(), 1);
        }
    };
    let change_secret = |database: &rusqlite::Connection| {
        let query = "SELECT value FROM properties WHERE name = 'tls_key'";
        let mut key: Vec<u8> = database.query_row(query, [], |row| row.get(0)).unwrap();
        // The secret number begins after 36 bytes.
        key[40] ^= 1;
        let update = "UPDATE properties SET value = ? WHERE name = 'tls_key'";
        assert_eq!(database.execute(update, [key]).unwrap(), 1);
    };
    let damages: [&dyn Fn(&rusqlite::Connection); 3] =
        [&change_secret, &remove("tls_key"), &remove("tls_certificate")];
    for damage in damages {
        let data = TempDir::new().unwrap();
        make_damaged(data.path(), damage);
        let flags = ["--data", data.path().to_str().unwrap(), "--announce", "false"];
        let listen = ["--listen", "127.0.0.1:0"];
        let output = run_server_command(&[&flags[..], &listen, WITH_TLS].concat());
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("restore a backup") && told.contains("tls-certificate"), "{told}");
        Server::start(&[&flags[..], &["--tls", "false"]].concat()).join("anna");
    }
}

/// Returns the fingerprint of the server at an address, as a new connection sees it.
fn fingerprint_at(address: SocketAddr) -> Fingerprint {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut tls = tls_connection(address);
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
    }
    Fingerprint::of_certificate(&tls.peer_certificates().unwrap()[0]).unwrap()
}

/// The owner's files are used, without a log on disk too. SIGHUP reads them again; files that
/// cannot be used change nothing, and the log says so.
#[test]
fn own_certificate_is_read_again() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let first = write_owner_files(directory.path(), &[]);
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let files = ["--tls-certificate", &certificate, "--tls-key", &key, "--announce", "false"];
    let server = Server::start(&[WITH_TLS, &files[..]].concat());
    assert_eq!(fingerprint_at(server.tls_address()), first);
    let is_warning = |it: &String| it.contains("can read the key for TLS");
    assert!(server.wait_for_log(|_| true).iter().any(is_warning), "everybody can read it");

    let good_key = fs::read(&key).unwrap();
    fs::write(&key, "no key").unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log(|lines| {
        lines.iter().any(|it| it.contains("the configuration was not reloaded"))
    });
    assert_eq!(fingerprint_at(server.tls_address()), first);
    fs::write(&key, good_key).unwrap();

    let second = write_owner_files(directory.path(), &[]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let warnings = server.log().iter().filter(|it| is_warning(it)).count();
    server.signal(Signal::HUP);
    server.wait_for_log(|lines| lines.iter().any(|it| it.contains("configuration reloaded")));
    assert_eq!(fingerprint_at(server.tls_address()), second);
    assert_ne!(first, second);
    assert_eq!(server.log().iter().filter(|it| is_warning(it)).count(), warnings);
}

/// Unfinished handshakes of one address are bounded: a further one takes the place of the oldest.
/// They are cut off after 10 seconds, and keep nobody from TLS or plain TCP.
#[test]
fn unfinished_handshakes_are_bounded_and_cut_off() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let connect = || {
        let mut stream = TcpStream::connect(server.tls_address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        stream.write_all(&[0x16, 0x03, 0x01]).unwrap();
        stream
    };
    let mut silent: Vec<_> = (0..128).map(|_| connect()).collect();
    let ends = |stream: &mut TcpStream| match stream.read(&mut [0; 64]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    };
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = (&*stream).read(&mut [0; 64]);
        stream.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    // The next one takes the place of the oldest, which ends, while all others stay.
    silent.push(connect());
    ends(&mut silent.remove(0));
    assert!(silent.iter().all(is_open));
    server.join("anna");
    join_tls(&server, "bob");
    silent.iter_mut().for_each(ends);
}

/// What TLS adds to the bytes of frames is bounded: a frame in few records is taken, and who sends it
/// with a record for each byte, which adds more than 256 KiB, is disconnected.
#[test]
fn overhead_of_records_is_bounded() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &[]);
    let mut anna = join_tls(&server, "anna");
    // Frame of the maximum length and of a kind that nobody knows.
    let frame = [&[0x40, 0x00, 50][..], &[0; 16_383]].concat();
    anna.send_bytes(&frame);
    anna.send(Ping { token: 7 });
    assert_eq!(anna.next(), Pong { token: 7 }.into());

    frame.iter().all(|byte| anna.try_send_bytes(slice::from_ref(byte)));
    let mut stream = anna.stream();
    let mut buffer = [0; 64];
    let end = std::iter::repeat_with(|| stream.read(&mut buffer)).find(|it| !matches!(it, Ok(1..)));
    let end = end.unwrap().map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
}

/// With `plain = false`, TLS is the only way in, and `status` says so.
#[test]
fn plain_port_can_be_off() {
    let data = TempDir::new().unwrap();
    let server = start(data.path(), &["--plain", "false"]);
    assert!(server.addresses().is_empty());
    join_tls(&server, "anna");
    let output = run_server_command(&["status", "--data", data.path().to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("listening  not for plain TCP"), "{told}");
    assert!(told.contains(&fingerprint(data.path())), "{told}");
    let nobody = run_server_command(&["--plain", "false", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&nobody).contains("nobody could get in"), "{}", stderr(&nobody));
}
