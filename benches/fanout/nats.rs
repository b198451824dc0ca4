//! `nats-server` as a target, for comparison: its clients subscribe to one subject and publish on it.
//! A message is the encoded entry that `chat-server` would deliver, so both deliver the same bytes,
//! each with its own header.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

use super::tls::Tls;
use crate::owner_files::write_owner_files;
use crate::start_pinned;

/// Subject on which all clients talk.
const SUBJECT: &str = "lobby";

/// Configuration: it sends no pings, which the load generator would not answer.
const CONFIG: &str = "ping_interval: \"1h\"\nmax_connections: 100000\n";

/// Beginning of a line by which it delivers a message: the subject and the subscription follow.
const MESSAGE: &str = "MSG ";

/// Returns the program, if it is there: that of the environment variable `NATS_SERVER`, or
/// `nats-server` in the path.
pub(crate) fn program() -> Option<OsString> {
    let program = std::env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into());
    Command::new(&program).arg("--version").output().ok().map(|_| program)
}

/// Returns the version of the program, for the report.
pub(crate) fn version(program: &OsString) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Starts it with its files in this directory. With `has_tls`, it takes clients over TLS only.
pub(crate) fn start(directory: &Path, has_tls: bool) -> (Child, SocketAddr) {
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let config = path("nats.conf");
    std::fs::write(&config, CONFIG).unwrap();
    let mut arguments = vec!["--config", &config, "--addr", "127.0.0.1", "--port", "-1"];
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    if has_tls {
        write_owner_files(directory, &["127.0.0.1"]);
        arguments.extend(["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    }
    let program = program().unwrap();
    start_pinned(&program, &arguments, "Listening for client connections on ")
}

/// Begins the conversation of a client, up to its subscription. With `has_tls`, goes on over TLS
/// after the first line of the server, which is not encrypted.
pub(crate) fn join(stream: &mut TcpStream, has_tls: bool) -> Tls {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    assert!(line.starts_with(b"INFO "));
    let mut tls = if has_tls { Tls::connect(stream) } else { Tls::default() };
    let hello = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"tls_required\":{has_tls},\"echo\":true,\
         \"lang\":\"rust\",\"version\":\"0\",\"name\":\"fanout\"}}\r\nSUB {SUBJECT} 1\r\nPING\r\n"
    );
    stream.write_all(&tls.encrypt(hello.into_bytes())).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    while !answer.ends_with(b"PONG\r\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "nats-server hung up");
        answer.extend(tls.decrypt(&buffer[..count]));
    }
    tls
}

/// Returns what publishes a message.
pub(crate) fn publish(message: &[u8]) -> Vec<u8> {
    let header = format!("PUB {SUBJECT} {}\r\n", message.len());
    [header.as_bytes(), message, b"\r\n"].concat()
}

/// Removes what is around the messages that it delivers.
#[derive(Default)]
pub(crate) struct Unwrapper {
    /// Line that is not complete.
    line: Vec<u8>,
    /// Number of bytes of the message that have not come.
    missing: usize,
    /// True while the end of the line after a message has not come.
    is_after_message: bool,
}

impl Unwrapper {
    /// Returns the pieces of messages in received bytes.
    pub(crate) fn payloads<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            if self.missing > 0 {
                let (piece, rest) = bytes.split_at(self.missing.min(bytes.len()));
                pieces.push(piece);
                self.missing -= piece.len();
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (piece, rest) = bytes.split_at(end.map_or(bytes.len(), |it| it + 1));
            self.line.extend(piece);
            bytes = rest;
            if end.is_some() {
                if !std::mem::take(&mut self.is_after_message) {
                    self.begin_message();
                }
                self.line.clear();
            }
        }
        pieces
    }

    /// Notes the length of the message that follows, if the line announces one.
    fn begin_message(&mut self) {
        let line = std::str::from_utf8(&self.line).unwrap();
        assert!(!line.starts_with("-ERR"), "{line}");
        if line.starts_with(MESSAGE) {
            self.missing = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
            self.is_after_message = true;
        }
    }
}
