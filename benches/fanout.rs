//! What a delivery costs: CPU time of the server for a million deliveries,
//! beside a bare relay that does nothing but write the same bytes to
//! everybody, in the same run, for these machines are noisy.
//!
//! ```text
//! cargo bench --bench fanout -- [--clients 1000] [--messages 2000] [--rounds 3]
//! ```
//!
//! All clients are in one room; 4 of them say messages of 64 bytes, each with
//! 32 of them unacknowledged. Server and generator have a core each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pi_chat::model::{Reference, Sequence, SessionId, Timestamp};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, Decoded, Entry, Hello, Join, MAGIC, Say, ServerFrame};
use tokio::io::Interest;

/// Who says something.
const SENDERS: usize = 4;

/// Unacknowledged messages of each.
const WINDOW: u64 = 32;

/// What they say.
const MESSAGE_TEXT: &str = "sixty-four bytes of text, the length of an ordinary chat message";

/// Nothing takes longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it is measured with.
#[derive(Clone, Copy)]
struct Load {
    /// How many are in the room.
    clients: usize,
    /// How many messages are sent in all.
    messages: u64,
}

/// What is measured.
#[derive(Clone, Copy)]
enum Target {
    /// `chat-server` with its log in memory.
    Server,
    /// `chat-server` with its log on disk, relaxed.
    Disk,
    /// The bare relay.
    Relay,
}

/// What came out of one measurement.
struct Measurement {
    /// Seconds of CPU time for a million deliveries.
    cpu_seconds: f64,
    /// Seconds that passed for a million deliveries.
    wall_seconds: f64,
    /// Kilobytes of resident memory with all clients connected, before load.
    resident: u64,
    /// The same before anybody came.
    resident_without_clients: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|it| it == "--relay") {
        run_relay();
        return;
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
    let mut ratios = Vec::new();
    let mut disk_ratios = Vec::new();
    for round in 1..=rounds {
        let relay = measure(load, Target::Relay);
        let server = measure(load, Target::Server);
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
            (server.resident - server.resident_without_clients) as f64 / load.clients as f64,
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
        ratios.push(ratio);
        disk_ratios.push(server.cpu_seconds / disk.cpu_seconds);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio server/relay {:.2}", ratios[ratios.len() / 2]);
    disk_ratios.sort_by(f64::total_cmp);
    let median = disk_ratios[disk_ratios.len() / 2];
    println!("median of deliveries per CPU second, log on disk/log in memory: {median:.2}");
}

/// Runs this program again on the last core; true if that was done.
fn rerun_pinned() -> bool {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", "1"]).arg(own).args(std::env::args().skip(1)).env("FANOUT_PINNED", "1");
    command.status().is_ok_and(|status| {
        assert!(status.success());
        true
    })
}

/// A program on the first core, with the line `listening on …` read from
/// its standard error.
fn start_pinned(program: &std::ffi::OsStr, arguments: &[&str]) -> (Child, SocketAddr) {
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
        if let Some(address) = line.strip_prefix("listening on ") {
            break address.parse().unwrap();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// The server, without limits that would slow down a sender; with its log in
/// this directory, if one is given.
fn start_server(data: Option<&str>) -> (Child, SocketAddr) {
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
    start_pinned(env!("CARGO_BIN_EXE_chat-server").as_ref(), &arguments)
}

/// The relay, which is this program.
fn start_relay() -> (Child, SocketAddr) {
    start_pinned(std::env::current_exe().unwrap().as_os_str(), &["--relay"])
}

/// Puts the load on a program, and stops it.
fn measure(load: Load, target: Target) -> Measurement {
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut child, address) = match target {
        Target::Server => start_server(None),
        Target::Disk => start_server(data.path().to_str()),
        Target::Relay => start_relay(),
    };
    let resident_without_clients = resident_kilobytes(child.id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let measurement = runtime.block_on(async {
        let clients = connect_all(load, target, address).await;
        let resident = resident_kilobytes(child.id());
        let (cpu, start_time) = (cpu_time(child.id()), Instant::now());
        run_load(load, clients).await;
        let millions = load.messages as f64 * load.clients as f64 / 1e6;
        Measurement {
            cpu_seconds: (cpu_time(child.id()) - cpu).as_secs_f64() / millions,
            wall_seconds: start_time.elapsed().as_secs_f64() / millions,
            resident,
            resident_without_clients,
        }
    });
    child.kill().unwrap();
    child.wait().unwrap();
    measurement
}

/// CPU time that all threads of a process have had.
fn cpu_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanoseconds = tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    Duration::from_nanos(nanoseconds)
}

/// Kilobytes of memory that a process has.
fn resident_kilobytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// One client of the generator.
struct Client {
    /// Its connection.
    stream: tokio::net::TcpStream,
    /// Cuts what it reads.
    reader: FrameReader,
    /// What it talks to.
    target: Target,
    /// Live entries that it has got.
    received: u64,
    /// For a sender: messages sent, and own ones that came back.
    sent: u64,
    /// See `sent`.
    echoed: u64,
    /// What its own messages are known by.
    session: u64,
}

/// Connects everybody, one after the other.
async fn connect_all(load: Load, target: Target, address: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::with_capacity(load.clients);
    for number in 0..load.clients {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (reader, session) = match target {
            Target::Server | Target::Disk => join(&mut stream, number),
            Target::Relay => (FrameReader::from_server(), 1 + number as u64),
        };
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        clients.push(Client { stream, reader, target, received: 0, sent: 0, echoed: 0, session });
    }
    clients
}

/// Joins and waits until the history has ended.
fn join(stream: &mut TcpStream, number: usize) -> (FrameReader, u64) {
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
    };
    ClientFrame::from(hello).encode(&mut bytes);
    ClientFrame::from(join).encode(&mut bytes);
    stream.write_all(&bytes).unwrap();
    let mut reader = FrameReader::from_server();
    let (mut session, mut is_joined) = (0, false);
    let mut buffer = [0; 4_096];
    while !is_joined {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the server hung up");
        reader
            .feed(&buffer[..count], |body| {
                match ServerFrame::decode(body) {
                    Decoded::Frame(ServerFrame::Welcome(welcome)) => session = welcome.session.0,
                    Decoded::Frame(ServerFrame::End(_)) => is_joined = true,
                    Decoded::Frame(ServerFrame::Error(error)) => panic!("{error:?}"),
                    _ => {}
                }
                true
            })
            .unwrap();
    }
    (reader, session)
}

/// Says everything and reads until everybody has got everything.
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
    /// Says `message_count` messages, and reads until it has got `all`.
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

    /// Puts the next message behind what is to be sent.
    fn queue_message(&self, unsent: &mut VecDeque<u8>) {
        let mut bytes = Vec::new();
        match self.target {
            Target::Server | Target::Disk => ClientFrame::from(Say {
                reference: Reference(self.sent),
                room: "lobby".to_owned(),
                style: 0,
                text: MESSAGE_TEXT.to_owned(),
            })
            .encode(&mut bytes),
            // The relay makes no entry of it, so it has to be one already.
            Target::Relay => ServerFrame::from(Entry {
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
            .encode(&mut bytes),
        }
        unsent.extend(bytes);
    }

    /// Sends what can be sent.
    fn write_some(&self, unsent: &mut VecDeque<u8>) {
        while !unsent.is_empty() {
            match self.stream.try_write(unsent.make_contiguous()) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Reads what is there and counts it.
    fn read_some(&mut self) {
        let mut buffer = [0; 65_536];
        let count = match self.stream.try_read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        };
        assert_ne!(count, 0, "the server hung up");
        let Self { reader, received, echoed, session, sent, .. } = self;
        reader
            .feed(&buffer[..count], |body| {
                // Only senders look into what they get: the generator must
                // not be slower than what it measures.
                *received += u64::from(body.first() == Some(&67));
                if *sent > 0 {
                    *echoed += u64::from(is_from_session(body, *session));
                }
                true
            })
            .unwrap();
    }
}

/// Whether an entry is by this session.
fn is_from_session(body: &[u8], session: u64) -> bool {
    match ServerFrame::decode(body) {
        Decoded::Frame(ServerFrame::Entry(entry)) => entry.session.0 == session,
        _ => false,
    }
}

/// A relay that knows nothing of chat: what anybody sends is written to
/// everybody, all that is due with one write for each wake-up. What it costs
/// is what the kernel costs.
fn run_relay() {
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(1_024);
    let mut listener = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let accepting = mio::Token(usize::MAX);
    poll.registry().register(&mut listener, accepting, mio::Interest::READABLE).unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    // Everything that was ever sent, and how far each connection has got.
    let mut forwarded: Vec<u8> = Vec::new();
    let mut connections: Vec<(mio::net::TcpStream, usize)> = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == accepting {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).unwrap();
                    let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
                    let token = mio::Token(connections.len());
                    poll.registry().register(&mut stream, token, interest).unwrap();
                    connections.push((stream, forwarded.len()));
                }
            } else if event.is_readable() {
                let (stream, _) = &mut connections[event.token().0];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    forwarded.extend_from_slice(&buffer[..count]);
                }
            }
        }
        for (stream, position) in &mut connections {
            while *position < forwarded.len() {
                match stream.write(&forwarded[*position..]) {
                    Ok(count) => *position += count,
                    Err(_) => break,
                }
            }
        }
    }
}
