//! Benchmark of the fan-out: CPU time of the server for a million deliveries, and for a client that
//! joins, compared with a bare relay that does nothing but write the same bytes to every client.
//! Both are measured in the same run, because CPU speeds of virtual machines vary.
//!
//! ```text
//! cargo bench --bench fanout -- [--clients 1000] [--messages 2000] [--rounds 3]
//! ```
//!
//! The server is measured with clients over TCP and with clients over WebSockets. Two relays over
//! WebSockets differ in their codec only: the server's own one, and tungstenite with small buffers.
//! With its log on disk it is also measured with clients over TLS, over TCP beside them, and over
//! WebSockets with TLS; and so is `nats-server` (in the path, or named by `NATS_SERVER`), if it is
//! there, over TLS and over TCP. `--only relays` leaves out the server, and `--only tls` all but these.
//!
//! All clients are in one room. 4 of them send messages of 64 bytes, each with up to 32 of them
//! unacknowledged. Server and load generator have a core each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

mod nats;
#[path = "../../tests/common/owner_files.rs"]
mod owner_files;
#[path = "../common/process.rs"]
mod process;
mod relay;
mod tls;
#[path = "../../tests/common/tls_connection.rs"]
mod tls_connection;
mod web_relay;

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use self::process::cpu_time;
use self::tls::Tls;
use pi_chat::model::{Reference, Sequence, SessionId, Timestamp};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, Entry, Hello, Join, MAGIC, Say, ServerFrame};
use tokio::io::Interest;

/// Number of clients that send messages.
const SENDERS: usize = 4;

/// Maximum number of unacknowledged messages of each sender.
const WINDOW: u64 = 32;

/// Text of every message.
const MESSAGE_TEXT: &str = "sixty-four bytes of text, the length of an ordinary chat message";

/// Maximum time for any step.
const PATIENCE: Duration = Duration::from_secs(120);

/// Load of a measurement.
#[derive(Clone, Copy)]
struct Load {
    /// Number of clients in the room.
    clients: usize,
    /// Number of messages sent in all.
    messages: u64,
}

/// Program under measurement.
#[derive(Clone, Copy)]
enum Target {
    /// `chat-server` with its log in memory.
    Server,
    /// The same, with clients over WebSockets.
    Web,
    /// `chat-server` with its log on disk, `durability = "relaxed"`.
    Disk,
    /// The same, with clients over TLS.
    DiskTls,
    /// The same, with clients over WebSockets with TLS.
    DiskWebTls,
    /// `nats-server`.
    Nats,
    /// The same, with clients over TLS.
    NatsTls,
    /// The bare relay.
    Relay,
    /// Relay over WebSockets, with the server's own codec.
    OwnCodec,
    /// Relay over WebSockets, with tungstenite.
    Tungstenite,
}

impl Target {
    /// Returns true if the clients come by WebSocket.
    const fn is_web(self) -> bool {
        matches!(self, Self::Web | Self::DiskWebTls | Self::OwnCodec | Self::Tungstenite)
    }

    /// Returns true if the clients begin with TLS.
    const fn is_tls(self) -> bool {
        matches!(self, Self::DiskTls | Self::DiskWebTls)
    }

    /// Returns true if it is `nats-server`.
    const fn is_nats(self) -> bool {
        matches!(self, Self::Nats | Self::NatsTls)
    }

    /// Returns true if it is a relay, which knows no joins and forwards bytes unchanged.
    const fn is_relay(self) -> bool {
        matches!(self, Self::Relay | Self::OwnCodec | Self::Tungstenite)
    }

    /// Returns true if it forwards bytes unchanged: then a message has to be an entry already.
    const fn forwards(self) -> bool {
        self.is_relay() || self.is_nats()
    }
}

/// Result of one measurement.
struct Measurement {
    /// Seconds of CPU time for a million deliveries.
    cpu_seconds: f64,
    /// Seconds of wall-clock time for a million deliveries.
    wall_seconds: f64,
    /// Kilobytes of resident memory with all clients connected, before the load.
    resident: u64,
    /// Kilobytes of resident memory before the first client connects.
    resident_without_clients: u64,
    /// Microseconds of CPU time for a client that connects and joins, one after the other.
    join_microseconds: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|it| it == name);
    if has("--relay") {
        relay::run();
    } else if has("--relay-own-codec") {
        web_relay::run::<web_relay::OwnCodec>();
    } else if has("--relay-tungstenite") {
        web_relay::run::<web_relay::Tungstenite>();
    }
    if std::env::var_os("FANOUT_PINNED").is_none() && rerun_pinned() {
        return;
    }
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|it| it == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(default, |it| it.parse().unwrap())
    };
    let load = Load {
        clients: usize::try_from(number("--clients", 1_000)).unwrap(),
        messages: number("--messages", 2_000),
    };
    let rounds = number("--rounds", 3);
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    println!(
        "{} clients, {} messages of {} bytes",
        load.clients,
        load.messages,
        MESSAGE_TEXT.len()
    );
    let is_only = |name: &str| has("--only") && has(name);
    if !is_only("tls") {
        compare_codecs(load, rounds);
    }
    if !is_only("tls") && !is_only("relays") {
        measure_server(load, rounds);
    }
    if !is_only("relays") {
        measure_tls(load, rounds);
    }
}

/// Returns the kilobytes of resident memory of a program for each idle client.
fn kilobytes_per_client(load: Load, measured: &Measurement) -> f64 {
    (measured.resident as f64 - measured.resident_without_clients as f64) / load.clients as f64
}

/// Measures the relays over WebSockets, in turns, and prints the figures.
fn compare_codecs(load: Load, rounds: u64) {
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let own = measure(load, Target::OwnCodec);
        let tungstenite = measure(load, Target::Tungstenite);
        println!(
            "round {round}: relay over WebSockets: CPU seconds per million deliveries {:.3} with the own \
             codec, {:.3} with tungstenite; {:.2} and {:.2} kB per idle client",
            own.cpu_seconds,
            tungstenite.cpu_seconds,
            kilobytes_per_client(load, &own),
            kilobytes_per_client(load, &tungstenite),
        );
        ratios.push(tungstenite.cpu_seconds / own.cpu_seconds);
    }
    println!("median ratio tungstenite/own codec {:.2}", median(ratios));
}

/// Returns the median of some numbers, of which there must be one.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Measures the server in all ways beside the relay, in turns, and prints the figures.
fn measure_server(load: Load, rounds: u64) {
    let (mut ratios, mut web_ratios, mut disk_ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let relay = measure(load, Target::Relay);
        let server = measure(load, Target::Server);
        let web = measure(load, Target::Web);
        let disk = measure(load, Target::Disk);
        let ratio = server.cpu_seconds / relay.cpu_seconds;
        println!(
            "round {round}: CPU seconds per million deliveries: server {:.3}, relay {:.3}, ratio \
             {ratio:.2}; wall {:.3} and {:.3}; server's memory {} kB idle, {:.2} kB per client",
            server.cpu_seconds,
            relay.cpu_seconds,
            server.wall_seconds,
            relay.wall_seconds,
            server.resident_without_clients,
            kilobytes_per_client(load, &server),
        );
        println!(
            "         over WebSockets {:.3} ({:.2} times that over TCP), wall {:.3}; server's memory \
             {} kB idle, {:.2} kB per client",
            web.cpu_seconds,
            web.cpu_seconds / server.cpu_seconds,
            web.wall_seconds,
            web.resident_without_clients,
            kilobytes_per_client(load, &web),
        );
        println!(
            "         with the log on disk {:.3} ({:.2} times that in memory), wall {:.3}; deliveries per CPU \
             second: {:.0} in memory, {:.0} on disk",
            disk.cpu_seconds,
            disk.cpu_seconds / server.cpu_seconds,
            disk.wall_seconds,
            1e6 / server.cpu_seconds,
            1e6 / disk.cpu_seconds,
        );
        println!(
            "         CPU microseconds for a client that joins: {:.1} in memory, {:.1} on disk; the relay {:.1} \
             to accept it",
            server.join_microseconds, disk.join_microseconds, relay.join_microseconds,
        );
        ratios.push(ratio);
        web_ratios.push(web.cpu_seconds / server.cpu_seconds);
        disk_ratios.push(server.cpu_seconds / disk.cpu_seconds);
    }
    println!("median ratio server/relay {:.2}", median(ratios));
    println!("median ratio WebSockets/TCP {:.2}", median(web_ratios));
    let disk = median(disk_ratios);
    println!("median of deliveries per CPU second, log on disk/log in memory: {disk:.2}");
}

/// Measures the server, with its log on disk, with clients over TCP, over TLS and over WebSockets
/// with TLS, and `nats-server` beside it if it is there, in turns, and prints the figures.
fn measure_tls(load: Load, rounds: u64) {
    let nats = nats::program();
    match &nats {
        Some(program) => println!("compared with {}", nats::version(program)),
        None => println!(
            "nats-server is not there, so it is not compared: install it, or name it with NATS_SERVER"
        ),
    }
    let (mut ratios, mut nats_ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let plain = measure(load, Target::Disk);
        let tls = measure(load, Target::DiskTls);
        let web = measure(load, Target::DiskWebTls);
        println!(
            "round {round}: CPU seconds per million deliveries: over TLS {:.3}, over TCP {:.3}, ratio {:.2}; \
             over WebSockets with TLS {:.3}; server's memory {:.2}, {:.2} and {:.2} kB per client; CPU \
             microseconds for a client that joins {:.1}, {:.1} and {:.1}",
            tls.cpu_seconds,
            plain.cpu_seconds,
            tls.cpu_seconds / plain.cpu_seconds,
            web.cpu_seconds,
            kilobytes_per_client(load, &tls),
            kilobytes_per_client(load, &plain),
            kilobytes_per_client(load, &web),
            tls.join_microseconds,
            plain.join_microseconds,
            web.join_microseconds,
        );
        ratios.push(tls.cpu_seconds / plain.cpu_seconds);
        if nats.is_some() {
            nats_ratios.push(measure_nats(load, &plain, &tls));
        }
    }
    println!("median ratio TLS/TCP {:.2}", median(ratios));
    if !nats_ratios.is_empty() {
        let (over_tls, over_tcp): (Vec<_>, Vec<_>) = nats_ratios.into_iter().unzip();
        println!(
            "median ratio chat-server/nats-server: {:.2} over TLS, {:.2} over TCP",
            median(over_tls),
            median(over_tcp)
        );
    }
}

/// Measures `nats-server` over TCP and over TLS, and prints the figures. Returns how many times as
/// much CPU time `chat-server` has taken, over TLS and over TCP.
fn measure_nats(load: Load, plain: &Measurement, tls: &Measurement) -> (f64, f64) {
    let nats = measure(load, Target::Nats);
    let nats_tls = measure(load, Target::NatsTls);
    println!(
        "         nats-server: over TLS {:.3}, over TCP {:.3}, ratio {:.2}; memory {:.2} and {:.2} kB per \
         client; CPU microseconds for a client that connects {:.1} and {:.1}",
        nats_tls.cpu_seconds,
        nats.cpu_seconds,
        nats_tls.cpu_seconds / nats.cpu_seconds,
        kilobytes_per_client(load, &nats_tls),
        kilobytes_per_client(load, &nats),
        nats_tls.join_microseconds,
        nats.join_microseconds,
    );
    (tls.cpu_seconds / nats_tls.cpu_seconds, plain.cpu_seconds / nats.cpu_seconds)
}

/// Runs this program again, pinned to core 1 by `taskset`. Returns false if that is not possible.
fn rerun_pinned() -> bool {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).arg(own).args(std::env::args().skip(1)).env("FANOUT_PINNED", "1");
    command.status().is_ok_and(|status| {
        assert!(status.success());
        true
    })
}

/// Starts a program pinned to core 0. Returns it with the address at the end of the line on standard
/// error that has `prefix` before it.
fn start_pinned(
    program: &std::ffi::OsStr,
    arguments: &[&str],
    prefix: &str,
) -> (Child, SocketAddr) {
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it ended before it listened").unwrap();
        if let Some((_, address)) = line.split_once(prefix) {
            break address.parse().unwrap();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Starts the server with limits that slow down no sender; with its log in the directory `data`, or
/// in memory. Returns the address at which the clients of `target` connect.
fn start_server(data: Option<&str>, target: Target) -> (Child, SocketAddr) {
    let mut arguments = vec![
        "--listen",
        "127.0.0.1:0",
        "--max-connections-per-address",
        "10000",
        "--burst",
        "1000000",
        "--per-minute",
        "100000000",
    ];
    if let Some(data) = data {
        arguments.extend(["--data", data]);
    }
    let prefix = match target {
        Target::Web => {
            arguments.extend(["--web-listen", "127.0.0.1:0", "--tls", "false"]);
            "listening for browsers on "
        }
        Target::DiskTls => {
            arguments.extend(["--web", "false", "--tls-listen", "127.0.0.1:0"]);
            "listening with TLS on "
        }
        Target::DiskWebTls => {
            arguments.extend(["--web", "false", "--tls", "false"]);
            arguments.extend(["--web-tls", "true", "--web-tls-listen", "127.0.0.1:0"]);
            "listening for browsers with TLS on "
        }
        _ => {
            arguments.extend(["--web", "false", "--tls", "false"]);
            "listening on "
        }
    };
    start_pinned(env!("CARGO_BIN_EXE_chat-server").as_ref(), &arguments, prefix)
}

/// Starts a relay, which is this program with a flag.
fn start_relay(flag: &str) -> (Child, SocketAddr) {
    start_pinned(std::env::current_exe().unwrap().as_os_str(), &[flag], "listening on ")
}

/// Starts the target, measures it under the load, and stops it.
fn measure(load: Load, target: Target) -> Measurement {
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut child, address) = match target {
        Target::Server | Target::Web => start_server(None, target),
        Target::Disk | Target::DiskTls | Target::DiskWebTls => {
            start_server(data.path().to_str(), target)
        }
        Target::Nats | Target::NatsTls => {
            nats::start(data.path(), matches!(target, Target::NatsTls))
        }
        Target::Relay => start_relay("--relay"),
        Target::OwnCodec => start_relay("--relay-own-codec"),
        Target::Tungstenite => start_relay("--relay-tungstenite"),
    };
    let resident_without_clients = resident_kilobytes(child.id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let measurement = runtime.block_on(async {
        let cpu_before_joins = cpu_time(child.id());
        let clients = connect_all(load, target, address).await;
        let joins = cpu_time(child.id()).saturating_sub(cpu_before_joins);
        let resident = resident_kilobytes(child.id());
        let (cpu, start_time) = (cpu_time(child.id()), Instant::now());
        run_load(load, clients).await;
        let millions = load.messages as f64 * load.clients as f64 / 1e6;
        Measurement {
            cpu_seconds: cpu_time(child.id()).saturating_sub(cpu).as_secs_f64() / millions,
            wall_seconds: start_time.elapsed().as_secs_f64() / millions,
            resident,
            resident_without_clients,
            join_microseconds: joins.as_secs_f64() * 1e6 / load.clients as f64,
        }
    });
    child.kill().unwrap();
    child.wait().unwrap();
    measurement
}

/// Resident memory of a process in kilobytes.
fn resident_kilobytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A client of the load generator.
struct Client {
    /// Its connection.
    stream: tokio::net::TcpStream,
    /// Splits the received bytes into frames.
    reader: FrameReader,
    /// Encrypts and decrypts, over TLS.
    tls: Tls,
    /// Removes what is around the frames in the received bytes.
    messages: MessageReader,
    /// Program that it is connected to.
    target: Target,
    /// Number of entries received.
    received: u64,
    /// Number of messages sent.
    sent: u64,
    /// Number of own messages received back: the acknowledged ones.
    echoed: u64,
    /// Session of its own messages.
    session: u64,
}

/// Connects all clients, one after the other.
async fn connect_all(load: Load, target: Target, address: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::with_capacity(load.clients);
    for number in 0..load.clients {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut tls = match target {
            Target::Nats | Target::NatsTls => {
                nats::join(&mut stream, matches!(target, Target::NatsTls))
            }
            it if it.is_tls() => Tls::connect(&mut stream),
            _ => Tls::default(),
        };
        let mut messages = match target {
            it if it.is_nats() => MessageReader::Nats(nats::Unwrapper::default()),
            it if it.is_web() => {
                shake_hands(&mut stream, &mut tls);
                MessageReader::WebSocket(WebSocketReader::default())
            }
            _ => MessageReader::Bare,
        };
        let (reader, session) = match target.forwards() {
            false => join(&mut stream, number, &mut tls, &mut messages),
            true => (FrameReader::from_server(), 1 + number as u64),
        };
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        clients.push(Client {
            stream,
            reader,
            tls,
            messages,
            target,
            received: 0,
            sent: 0,
            echoed: 0,
            session,
        });
    }
    clients
}

/// Opens a WebSocket.
fn shake_hands(stream: &mut TcpStream, tls: &mut Tls) {
    let request = "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: pi-chat\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(&tls.encrypt(request.as_bytes().to_vec())).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(tls.decrypt(&byte));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
}

/// Returns a WebSocket message of a client; its mask is 0.
fn wrap_message(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let header = match payload.len() {
        short @ 0..=125 => vec![0x82, 0x80 | u8::try_from(short).unwrap()],
        _ => [&[0x82, 0xfe], &length[..]].concat(),
    };
    [&header[..], &[0; 4], payload].concat()
}

/// Removes what is around the frames that a server sends.
enum MessageReader {
    /// Nothing is.
    Bare,
    /// The headers of WebSocket messages.
    WebSocket(WebSocketReader),
    /// What `nats-server` writes around them.
    Nats(nats::Unwrapper),
}

impl MessageReader {
    /// Returns the pieces of payload in received bytes.
    fn payloads<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Bare => vec![bytes],
            Self::WebSocket(reader) => reader.payloads(bytes),
            Self::Nats(unwrapper) => unwrapper.payloads(bytes),
        }
    }

    /// Returns what a client sends for a frame.
    fn wrap(&self, frame: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Bare => frame,
            Self::WebSocket(_) => wrap_message(&frame),
            Self::Nats(_) => nats::publish(&frame),
        }
    }
}

/// Removes the headers of a server's WebSocket messages.
#[derive(Default)]
struct WebSocketReader {
    /// Incomplete header.
    header: Vec<u8>,
    /// Number of bytes of the message that have not come.
    missing: usize,
}

impl WebSocketReader {
    /// Returns the pieces of payload in received bytes.
    fn payloads<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            if self.missing == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.missing = match self.header[..] {
                    [_, short @ 1..=125] => usize::from(short),
                    [_, 126, high, low] => usize::from(u16::from_be_bytes([high, low])),
                    [_, 127, _, _, _, _, _, a, b, c] => {
                        usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
                    }
                    _ => continue,
                };
                self.header.clear();
            }
            let (piece, rest) = bytes.split_at(self.missing.min(bytes.len()));
            pieces.push(piece);
            self.missing -= piece.len();
            bytes = rest;
        }
        pieces
    }
}

/// Joins and waits for the end of the history. Returns the session as well.
fn join(
    stream: &mut TcpStream,
    number: usize,
    tls: &mut Tls,
    messages: &mut MessageReader,
) -> (FrameReader, u64) {
    let mut bytes = Vec::new();
    let hello = Hello {
        magic: MAGIC,
        min_version: 1,
        max_version: 1,
        features: 0,
        client_name: "fanout".to_owned(),
        client_version: String::new(),
    };
    let join = Join {
        username: format!("client{number}"),
        password: None,
        rooms: Vec::new(),
        token: None,
        position: None,
        proof: None,
        invite: None,
    };
    ClientFrame::from(hello).encode(&mut bytes);
    ClientFrame::from(join).encode(&mut bytes);
    stream.write_all(&tls.encrypt(messages.wrap(bytes))).unwrap();
    let mut reader = FrameReader::from_server();
    let (mut session, mut is_joined) = (0, false);
    let mut buffer = [0; 4_096];
    while !is_joined {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the server hung up");
        let mut take = |body: &[u8]| {
            match ServerFrame::decode(body) {
                Decoded::Frame(ServerFrame::Welcome(welcome)) => session = welcome.session.0,
                Decoded::Frame(ServerFrame::End(_)) => is_joined = true,
                Decoded::Frame(ServerFrame::Error(error)) => panic!("{error:?}"),
                _ => {}
            }
            true
        };
        for payload in messages.payloads(&tls.decrypt(&buffer[..count])) {
            reader.feed(payload, &mut take).unwrap();
        }
    }
    (reader, session)
}

/// Has the senders send everything, and waits until all clients have received everything.
async fn run_load(load: Load, clients: Vec<Client>) {
    let work = clients.into_iter().enumerate().map(|(number, client)| {
        let message_count = if number < SENDERS { load.messages / SENDERS as u64 } else { 0 };
        tokio::spawn(client.run(message_count, load.messages))
    });
    let work: Vec<_> = work.collect();
    for client in work {
        tokio::time::timeout(PATIENCE, client).await.expect("too slow").unwrap();
    }
}

impl Client {
    /// Sends `message_count` messages, and reads until `total` have been received.
    async fn run(mut self, message_count: u64, total: u64) {
        let mut unsent = VecDeque::new();
        while self.received < total {
            while self.sent < message_count && self.sent - self.echoed < WINDOW {
                self.sent += 1;
                self.queue_message(&mut unsent);
            }
            self.write_some(&mut unsent);
            let interest = if unsent.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            self.stream.ready(interest).await.unwrap();
            self.read_some();
        }
    }

    /// Encodes the next message into the send buffer.
    fn queue_message(&mut self, unsent: &mut VecDeque<u8>) {
        let mut bytes = Vec::new();
        if self.target.forwards() {
            // A relay forwards bytes unchanged, so the message has to be an entry already.
            ServerFrame::from(Entry {
                person: SessionId(0),
                flags: 0,
                sequence: Sequence(self.sent),
                previous: Sequence(self.sent),
                room: "lobby".to_owned(),
                session: SessionId(self.session),
                username: "client1".to_owned(),
                time: Timestamp(1_795_384_987_123),
                reference: Reference(self.sent),
                style: 0,
                text: MESSAGE_TEXT.to_owned(),
            })
            .encode(&mut bytes);
        } else {
            ClientFrame::from(Say {
                reference: Reference(self.sent),
                room: "lobby".to_owned(),
                style: 0,
                text: MESSAGE_TEXT.to_owned(),
            })
            .encode(&mut bytes);
        }
        unsent.extend(self.tls.encrypt(self.messages.wrap(bytes)));
    }

    /// Writes as much of the send buffer as the socket takes.
    fn write_some(&self, unsent: &mut VecDeque<u8>) {
        while !unsent.is_empty() {
            match self.stream.try_write(unsent.make_contiguous()) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Reads what is available and counts the entries in it.
    fn read_some(&mut self) {
        let mut buffer = [0; 65_536];
        let count = match self.stream.try_read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        };
        assert_ne!(count, 0, "the server hung up");
        let Self { reader, tls, messages, received, echoed, session, sent, .. } = self;
        let mut take = |body: &[u8]| {
            // Only senders decode what they receive: the generator must not be slower than the
            // program that it measures.
            *received += u64::from(body.first() == Some(&67));
            if *sent > 0 {
                *echoed += u64::from(is_from_session(body, *session));
            }
            true
        };
        for payload in messages.payloads(&tls.decrypt(&buffer[..count])) {
            reader.feed(payload, &mut take).unwrap();
        }
    }
}

/// Returns true if a frame is an entry of this session.
fn is_from_session(body: &[u8], session: u64) -> bool {
    match ServerFrame::decode(body) {
        Decoded::Frame(ServerFrame::Entry(entry)) => entry.session.0 == session,
        _ => false,
    }
}
