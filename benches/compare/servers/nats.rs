//! `nats-server`: a room is a subject to which everybody in it subscribes.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{Item, Member, Server, cut_line, find, version};
use crate::program::{Cores, Listening, Program, directory};

/// Name of the program.
const PROGRAM: &str = "nats-server";

/// Configuration: any free port, and no pings.
const CONFIG: &str = "listen: \"127.0.0.1:-1\"\nping_interval: \"1h\"\nmax_connections: 100000\n";

/// Configuration that stores streams in files. When it flushes them to the disk is left to its
/// default: every two minutes.
const STORE: &str = "jetstream { store_dir: \"data\" }\n";

/// Stream that stores what is said in any room.
const STREAM: &str = r#"{"name":"rooms","subjects":["room.*"],"storage":"file"}"#;

/// What every client says first.
const HELLO: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\
    \"echo\":true,\"lang\":\"rust\",\"version\":\"0\",\"name\":\"compare\"}\r\n";

/// `nats-server`.
pub(super) struct Nats {
    /// A stream of JetStream, with its storage in files, has all messages. Clients get them from
    /// their subscriptions all the same, without waiting for the stream: this costs least.
    pub(super) has_disk: bool,
}

impl Server for Nats {
    fn name(&self) -> &'static str {
        if self.has_disk { "jetstream" } else { "nats" }
    }

    fn has_disk(&self) -> bool {
        self.has_disk
    }

    fn version(&self) -> Option<String> {
        version(PROGRAM, "--version")
    }

    fn start(&self, cores: Cores) -> Program {
        let directory = directory();
        let config = [CONFIG, if self.has_disk { STORE } else { "" }].concat();
        fs::write(directory.path().join("nats.conf"), config).unwrap();
        let listening = Listening::Says("Listening for client connections on ");
        let arguments = ["--config", "nats.conf"];
        let program =
            Program::start(cores, &find(PROGRAM).unwrap(), &arguments, directory, listening);
        if self.has_disk {
            create_stream(program.address);
        }
        program
    }

    fn greeting(&self, member: Member) -> Vec<u8> {
        format!("{HELLO}SUB room.{} 1\r\nPING\r\n", member.room).into_bytes()
    }

    fn say(&self, member: Member, _number: u32, text: &[u8], bytes: &mut Vec<u8>) {
        write!(bytes, "PUB room.{} {}\r\n", member.room, text.len()).unwrap();
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(b"\r\n");
    }

    fn cut<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Item<'a>)> {
        let (length, line) = cut_line(bytes)?;
        if line.starts_with(b"MSG ") {
            let digits = line.rsplit(|byte| *byte == b' ').next().unwrap();
            let size: usize = std::str::from_utf8(digits).unwrap().parse().unwrap();
            let text = bytes.get(length..length + size + 2)?;
            return Some((length + size + 2, Item::Message(&text[..size])));
        }
        let item = match line {
            b"PONG" => Item::Ready,
            b"PING" => Item::Question(b"PONG\r\n".to_vec()),
            _ if line.starts_with(b"-ERR") => panic!("nats: {}", String::from_utf8_lossy(line)),
            _ => Item::Other,
        };
        Some((length, item))
    }
}

/// Has the server create the stream, and waits until it has.
fn create_stream(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = STREAM.len();
    let request = format!(
        "{HELLO}SUB answer 1\r\nPUB $JS.API.STREAM.CREATE.rooms answer {length}\r\n{STREAM}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (String::new(), [0; 4_096]);
    while !answer.contains("stream_create_response") {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "nats-server has hung up: {answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert!(!answer.contains("\"error\""), "{answer}");
}
