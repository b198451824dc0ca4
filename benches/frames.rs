//! Measures the price of each frame of a client: CPU time of the server, and bytes that it sends.
//!
//! ```text
//! cargo bench --bench frames -- [--count 2000] [--messages 10000] [--rounds 3]
//! ```
//!
//! Prints a Markdown table for a log in memory and one for a log on disk, with the frame's units
//! (`docs/protocol/tcp.md`, section 12) and the ratio of its CPU time to that of the cheapest frame
//! that is charged the same: as many units, and units of its address or not; of several rounds the
//! cheapest counts. `docs/threats.md` shows the tables.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[path = "common/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use self::process::cpu_time;
use pi_chat::model::limits::REPLAY_PAGE;
use pi_chat::model::{Position, Reference, Sequence, SessionId, Timestamp};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{
    ClientFrame, Decoded, Direct, Enter, Hello, History, Join, Leave, MAGIC, Members, Ping, Pong,
    Say, Search, ServerFrame,
};

/// Text of every message: 64 bytes.
const TEXT: &str = "sixty-four bytes of text, the length of an ordinary chat message";

/// Room with the messages that are requested and searched.
const FULL: &str = "full";

/// Room with as many members as one `roster` lists.
const CROWD: &str = "crowd";

/// Number of members of [`CROWD`].
const MEMBERS: usize = 100;

/// Number of requests that are sent before their answers are awaited.
const BATCH: u64 = 64;

/// Token of the ping that ends a measurement.
const LAST: u64 = u64::MAX;

/// Longest time without a byte of an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time after which a thread of the server that has nothing to do has ended: 10 s, and some more.
const IDLE_THREAD_LIFETIME: Duration = Duration::from_secs(12);

/// Time for which a server that has nothing to do uses less than [`QUIET_CPU_TIME`].
const QUIET_TIME: Duration = Duration::from_millis(300);

/// CPU time that a server may use in [`QUIET_TIME`] and count as having nothing to do.
const QUIET_CPU_TIME: Duration = Duration::from_micros(500);

/// Size of a measurement.
#[derive(Clone, Copy)]
struct Load {
    /// Number of frames of each kind.
    count: u64,
    /// Number of messages in the log.
    messages: u64,
    /// Number of rounds.
    rounds: u64,
}

/// A kind of request to measure.
struct Kind {
    /// Description, for the table.
    name: &'static str,
    /// Units that it costs.
    units: u32,
    /// Builds the bytes of the request with this number, from 1 on.
    request: Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
}

/// Price of a request.
struct Price {
    /// CPU time of the server, in microseconds.
    cpu: f64,
    /// Bytes that the server sent.
    bytes: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|it| it == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(default, |it| it.parse().unwrap())
    };
    let load = Load {
        count: number("--count", 2_000),
        messages: number("--messages", 10_000),
        rounds: number("--rounds", 3),
    };
    println!("{} frames of each kind, {} messages in the log", load.count, load.messages);
    for on_disk in [false, true] {
        println!("\nLog {}:\n", if on_disk { "on disk" } else { "in memory" });
        print_table(&measure_all(load, on_disk));
    }
}

/// Encodes a frame with its length.
fn encoded(frame: impl Into<ClientFrame>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.into().encode(&mut bytes);
    bytes
}

/// Returns a frame of an unknown kind whose body has this length, in bytes.
fn unknown(length: u16) -> Vec<u8> {
    let mut body = vec![0; length.into()];
    body[0] = 0x3f;
    [&length.to_be_bytes()[..], &body].concat()
}

/// Returns true if the frame's requests also cost units of the client's address.
fn is_charged_to_address(name: &str) -> bool {
    name.starts_with("`history`") || name.starts_with("`search`")
}

/// Returns an encoded message to the room in which the client is alone.
fn say_alone(number: u64, text: String) -> Vec<u8> {
    let room = "alone".to_owned();
    encoded(Say { reference: Reference(number), room, style: 0, text })
}

/// Frames of a joined client, with their units.
fn kinds() -> Vec<Kind> {
    let kind = |name, units, request: Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>| Kind {
        name,
        units,
        request,
    };
    let search = |text: &'static str| {
        move |number| {
            encoded(Search {
                reference: Reference(number),
                room: String::new(),
                from: String::new(),
                text: text.to_owned(),
                since: Timestamp(0),
                until: Timestamp(0),
                before: Sequence::ZERO,
                limit: 50,
            })
        }
    };
    let history = |limit| {
        move |number| {
            encoded(History {
                reference: Reference(number),
                room: FULL.to_owned(),
                before: Sequence::ZERO,
                limit,
            })
        }
    };
    vec![
        kind("unknown kind, no fields", 1, Box::new(|_| unknown(1))),
        kind("unknown kind, 1,025 bytes", 2, Box::new(|_| unknown(1_025))),
        kind("unknown kind, 2,049 bytes", 3, Box::new(|_| unknown(2_049))),
        kind("unknown kind, 4,097 bytes", 5, Box::new(|_| unknown(4_097))),
        kind("unknown kind, 16 KiB", 16, Box::new(|_| unknown(16_384))),
        kind("`pong` that nobody asked for", 1, Box::new(|_| encoded(Pong { token: 1 }))),
        kind("`ping`", 1, Box::new(|number| encoded(Ping { token: number }))),
        kind(
            "`leave` of a room that one is not in",
            1,
            Box::new(|number| {
                encoded(Leave { reference: Reference(number), room: "elsewhere".to_owned() })
            }),
        ),
        kind(
            "`say`, 64 bytes, alone in the room",
            1,
            Box::new(|number| say_alone(number, TEXT.to_owned())),
        ),
        kind(
            "`say`, 4 KiB of one letter, alone in the room",
            5,
            Box::new(|number| say_alone(number, "x".repeat(4_096))),
        ),
        kind(
            "`say`, 4 KiB of words, alone in the room",
            5,
            Box::new(|number| {
                let words = (0..512).map(|word| format!("{:07x} ", number * 4_096 + word));
                say_alone(number, words.collect())
            }),
        ),
        kind(
            "`say` that is refused: not in the room",
            1,
            Box::new(|number| {
                let room = "elsewhere".to_owned();
                encoded(Say { reference: Reference(number), room, style: 0, text: TEXT.to_owned() })
            }),
        ),
        kind(
            "`direct`, 64 bytes, to oneself",
            1,
            Box::new(|number| {
                encoded(Direct {
                    reference: Reference(number),
                    to: "price".to_owned(),
                    session: SessionId(0),
                    style: 0,
                    text: TEXT.to_owned(),
                })
            }),
        ),
        kind(
            "`members`, 100 names",
            2,
            Box::new(|number| {
                let room = CROWD.to_owned();
                encoded(Members { reference: Reference(number), room, after: String::new() })
            }),
        ),
        kind(
            "`enter` of a room that one is in",
            2,
            Box::new(|number| {
                encoded(Enter { reference: Reference(number), room: FULL.to_owned() })
            }),
        ),
        kind(
            "`enter` of a new room, and `leave`",
            3,
            Box::new(|number| {
                let room = format!("new{number}");
                let enter = Enter { reference: Reference(number), room: room.clone() };
                let leave = Leave { reference: Reference(number), room };
                [encoded(enter), encoded(leave)].concat()
            }),
        ),
        kind("`history`, 1 entry", 3, Box::new(history(1))),
        kind("`history`, 100 entries", 3, Box::new(history(100))),
        kind("`search` that finds nothing", 5, Box::new(search("absent"))),
        kind("`search` that finds one", 5, Box::new(search("cup77"))),
        kind("`search` that finds all", 5, Box::new(search("sixty"))),
    ]
}

/// Measures every kind on one server.
fn measure_all(load: Load, on_disk: bool) -> Vec<(&'static str, Option<u32>, Price)> {
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut server, address) = start_server(on_disk.then(|| data.path().to_str().unwrap()));
    // The thread that has opened the log ends, and its CPU time is no longer counted.
    thread::sleep(IDLE_THREAD_LIFETIME);
    fill(address, load.messages);
    // Its units are those of its two frames; the join counts against its address, too.
    let greeting = cheapest(load, || greeting(address, &server, load));
    let pages = cheapest(load, || replay(address, &server, load));
    let mut rows = vec![
        ("connection with `hello` and `join`", None, greeting),
        ("page of a replay, 100 entries", None, pages),
    ];
    for kind in kinds() {
        // Its members do not answer pings, so they do not stay for long.
        let _crowd: Vec<_> = (0..if kind.name.starts_with("`members`") { MEMBERS } else { 0 })
            .map(|number| join(address, number, &[CROWD]))
            .collect();
        // Searching a log in memory reads all of it.
        let count = if kind.name.starts_with("`search`") { load.count / 200 } else { load.count };
        let price = cheapest(load, || measure(&kind, address, &server, count.max(1)));
        rows.push((kind.name, Some(kind.units), price));
    }
    server.kill().unwrap();
    server.wait().unwrap();
    rows
}

/// Measures in several rounds and returns the round with the least CPU time.
fn cheapest(load: Load, measure: impl Fn() -> Price) -> Price {
    let rounds = (0..load.rounds.max(1)).map(|_| measure());
    rounds.min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
}

/// Prints prices as a table, with ratios to the cheapest that is charged the same.
fn print_table(rows: &[(&'static str, Option<u32>, Price)]) {
    let mut cheapest: BTreeMap<(u32, bool), f64> = BTreeMap::new();
    for (name, units, price) in rows {
        if let Some(units) = units {
            let charge = (*units, is_charged_to_address(name));
            let least = cheapest.entry(charge).or_insert(f64::INFINITY);
            *least = least.min(price.cpu);
        }
    }
    println!("| frame | units | CPU, µs | bytes out | CPU, ratio |\n|---|---|---|---|---|");
    for (name, units, price) in rows {
        let (units, ratio) = match units {
            Some(units) => {
                let least = cheapest[&(*units, is_charged_to_address(name))];
                (units.to_string(), format!("{:.1}", price.cpu / least))
            }
            None => ("–".to_owned(), "–".to_owned()),
        };
        println!("| {name} | {units} | {:.1} | {:.0} | {ratio} |", price.cpu, price.bytes);
    }
}

/// Measures `count` requests of a kind by a client of its own, which sends [`BATCH`] at a time and
/// waits for their answers.
fn measure(kind: &Kind, address: SocketAddr, server: &Child, count: u64) -> Price {
    let (mut stream, mut reader) = join_as(address, "price", &[FULL, CROWD, "alone"]);
    let before = settled_cpu_time(server.id());
    let mut bytes_received = 0;
    // Answers come in order, but the echoes of messages when the log has stored them.
    let has_echo = kind.name.starts_with("`say`, ") || kind.name.starts_with("`direct`");
    let mut first = 1;
    while first <= count {
        let batch = BATCH.min(count + 1 - first);
        let mut bytes: Vec<u8> = (first..first + batch).flat_map(&kind.request).collect();
        bytes.extend(encoded(Ping { token: LAST }));
        let mut writer = stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&bytes).unwrap());
            let (mut missing, mut is_answered) = (if has_echo { batch } else { 0 }, false);
            read(&mut stream, &mut reader, &mut bytes_received, |frame| {
                match frame {
                    ServerFrame::Pong(pong) if pong.token == LAST => is_answered = true,
                    ServerFrame::Entry(it) if has_echo && it.room == "alone" => missing -= 1,
                    ServerFrame::DirectEntry(_) => missing -= 1,
                    ServerFrame::Error(error) if error.code < 200 => panic!("{error:?}"),
                    _ => {}
                }
                is_answered && missing == 0
            });
        });
        first += batch;
    }
    let cpu = settled_cpu_time(server.id()).saturating_sub(before);
    leave(&mut stream);
    price_of(cpu, bytes_received, count)
}

/// Measures connections that join the room [`FULL`] and leave again.
fn greeting(address: SocketAddr, server: &Child, load: Load) -> Price {
    let count = (load.count / 4).max(1);
    let before = settled_cpu_time(server.id());
    let mut bytes_received = 0;
    for _ in 0..count {
        let mut stream = connect(address);
        stream.write_all(&join_bytes("price", &[FULL], None)).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        bytes_received += answer.len();
    }
    price_of(settled_cpu_time(server.id()).saturating_sub(before), bytes_received, count)
}

/// Measures the pages of replays: connections that join the room [`FULL`] at its first message.
fn replay(address: SocketAddr, server: &Child, load: Load) -> Price {
    let pages = load.messages.div_ceil(REPLAY_PAGE.into()).max(1);
    let rounds = (load.count / pages).max(1);
    let (mut stream, mut reader) = (connect(address), FrameReader::from_server());
    stream.write_all(&join_bytes("price", &[FULL], None)).unwrap();
    let mut log_id = None;
    read(&mut stream, &mut reader, &mut 0, |frame| {
        if let ServerFrame::Welcome(welcome) = &frame {
            log_id = Some(welcome.log_id);
        }
        matches!(frame, ServerFrame::End(_))
    });
    leave(&mut stream);
    let position = log_id.map(|log_id| Position { log_id, sequence: Sequence::ZERO });
    let before = settled_cpu_time(server.id());
    let mut bytes_received = 0;
    for _ in 0..rounds {
        let (mut stream, mut reader) = (connect(address), FrameReader::from_server());
        stream.write_all(&join_bytes("price", &[FULL], position)).unwrap();
        read(&mut stream, &mut reader, &mut bytes_received, |frame| {
            matches!(frame, ServerFrame::End(_))
        });
        leave(&mut stream);
    }
    price_of(settled_cpu_time(server.id()).saturating_sub(before), bytes_received, rounds * pages)
}

/// Closes the sending half and reads to the end: the name is then free.
fn leave(stream: &mut TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    while stream.read(&mut [0; 4_096]).unwrap() > 0 {}
}

/// Returns the price of one of `count` requests.
fn price_of(cpu: Duration, bytes: usize, count: u64) -> Price {
    let count = count as f64;
    Price { cpu: cpu.as_secs_f64() * 1e6 / count, bytes: bytes as f64 / count }
}

/// Says `count` messages in the room [`FULL`], [`BATCH`] at a time; leaves when all are stored.
fn fill(address: SocketAddr, count: u64) {
    let (mut stream, mut reader) = join_as(address, "filler", &[FULL]);
    let mut said = 0;
    while said < count {
        let last = count.min(said + BATCH);
        let message = |number| {
            let (reference, room) = (Reference(number), FULL.to_owned());
            encoded(Say { reference, room, style: 0, text: format!("{TEXT} cup{number}") })
        };
        let bytes: Vec<u8> = (said + 1..=last).flat_map(message).collect();
        stream.write_all(&bytes).unwrap();
        read(
            &mut stream,
            &mut reader,
            &mut 0,
            |frame| matches!(frame, ServerFrame::Entry(entry) if entry.reference.0 == last),
        );
        said = last;
    }
}

/// Reads frames until `is_last` returns true; adds their bytes to `bytes`.
fn read(
    stream: &mut TcpStream,
    reader: &mut FrameReader,
    bytes: &mut usize,
    mut is_last: impl FnMut(ServerFrame) -> bool,
) {
    let (mut buffer, mut is_over) = (vec![0; 65_536], false);
    while !is_over {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the server closed the connection");
        *bytes += count;
        let decode = |body: &[u8]| {
            if let Decoded::Frame(frame) = ServerFrame::decode(body) {
                is_over |= is_last(frame);
            }
            true
        };
        reader.feed(&buffer[..count], decode).unwrap();
    }
}

/// Connects.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Joins rooms under a numbered name and reads to the end of the history.
fn join(address: SocketAddr, number: usize, rooms: &[&str]) -> TcpStream {
    join_as(address, &format!("member-with-a-long-name-{number}"), rooms).0
}

/// Joins rooms under a name and reads to the end of the history.
fn join_as(address: SocketAddr, name: &str, rooms: &[&str]) -> (TcpStream, FrameReader) {
    let mut stream = connect(address);
    stream.write_all(&join_bytes(name, rooms, None)).unwrap();
    let mut reader = FrameReader::from_server();
    read(&mut stream, &mut reader, &mut 0, |frame| match frame {
        ServerFrame::End(_) => true,
        ServerFrame::Error(error) => panic!("{error:?}"),
        _ => false,
    });
    (stream, reader)
}

/// Encodes `hello`, and a `join` with this position.
fn join_bytes(name: &str, rooms: &[&str], position: Option<Position>) -> Vec<u8> {
    let hello = Hello {
        magic: MAGIC,
        min_version: 1,
        max_version: 1,
        features: 0,
        client_name: "frames".to_owned(),
        client_version: String::new(),
    };
    let join = Join {
        username: name.to_owned(),
        password: None,
        rooms: rooms.iter().map(|it| (*it).to_owned()).collect(),
        token: None,
        position,
        proof: None,
        invite: None,
    };
    [encoded(hello), encoded(join)].concat()
}

/// Starts a server without rate limits; with its log in the directory `data`, or in memory.
fn start_server(data: Option<&str>) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env("CHAT_SERVER_WEB", "false");
    command.args(["--listen", "127.0.0.1:0", "--announce", "false"]);
    command.args(["--burst", "1000000000", "--per-minute", "1000000000"]);
    command.args(["--max-connections-per-address", "1000000"]);
    if let Some(data) = data {
        command.args(["--data", data]);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it ended before it listened").unwrap();
        if let Some(address) = line.strip_prefix("listening on ") {
            break address.parse().unwrap();
        }
    };
    thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Waits until a process has nothing more to do, for the log indexes messages some time later, and
/// returns the CPU time that it has used.
fn settled_cpu_time(pid: u32) -> Duration {
    let mut before = cpu_time(pid);
    loop {
        thread::sleep(QUIET_TIME);
        let now = cpu_time(pid);
        if now >= before && now - before < QUIET_CPU_TIME {
            return now;
        }
        before = now;
    }
}
