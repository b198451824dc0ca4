//! Attacks through the port for browsers. A newcomer with a browser loads the page and joins by
//! WebSocket while they last.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pi_chat::model::{Reference, Sequence};
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{Decoded, History, ServerFrame};
use tokio_rustls::rustls::StreamOwned;

use crate::client::{self, Client, encoded, greeting};
use crate::common;
use crate::flood::{Reading, flood};
use crate::harness::{ATTACKER, Attack, Target, fill};

/// Size of the large file in the directory of the page, in bytes: more than sockets hold.
const LARGE_FILE: usize = 8 << 20;

/// Addresses that attack with a connection each: more than there are places for connections that
/// are no WebSockets.
const ADDRESSES: u16 = 300;

/// Time between two rounds in which connections that the server has closed are opened again.
const ROUND: Duration = Duration::from_millis(100);

/// Attempts of the newcomer for each of its connections. A browser makes as many, too.
const ATTEMPTS: usize = 3;

/// Size of the receive buffers of those who do not read, in bytes.
const RECEIVE_BUFFER: usize = 4_096;

/// Fields of a request for a WebSocket, and the end of its head.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: pi-chat\r\n\r\n";

/// Returns an attack on a server with the port for browsers, with a newcomer that comes by it.
fn attack(name: &str) -> Attack<'_> {
    Attack { name, has_web: true, ..Attack::default() }
}

/// Writes the files of a page into a new directory: a small first one and a large one.
pub(crate) fn write_page(root: &Path) {
    std::fs::create_dir_all(root.join("assets")).unwrap();
    std::fs::write(root.join("index.html"), "<p>".repeat(700)).unwrap();
    std::fs::write(root.join("assets/large.bin"), vec![7; LARGE_FILE]).unwrap();
}

/// Returns a request for a path, which names this host.
fn request(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 192.0.2.77\r\n")
}

/// Loads the page, then joins by WebSocket, from this address.
///
/// # Errors
/// A description of the problem: no page, no WebSocket or no history after some attempts.
pub(crate) fn arrive(from: Ipv4Addr, web: SocketAddr) -> Result<(), String> {
    arrive_over(|| client::connect(from, web, 0))
}

/// Does the same over https.
///
/// # Errors
/// Those of [`arrive`].
pub(crate) fn arrive_over_https(from: Ipv4Addr, https: SocketAddr) -> Result<(), String> {
    arrive_over(|| {
        let stream = client::connect(from, https, 0)?;
        Ok(StreamOwned::new(common::tls_connection(https), stream))
    })
}

/// Loads the page, then joins by WebSocket, each on a connection that `connect` makes.
///
/// # Errors
/// Those of [`arrive`].
fn arrive_over<S: Read + Write>(connect: impl Fn() -> io::Result<S>) -> Result<(), String> {
    let retry = |step: fn(S) -> io::Result<()>| {
        let mut outcome = connect().and_then(step);
        for _ in 1..ATTEMPTS {
            outcome = outcome.or_else(|_| connect().and_then(step));
        }
        outcome.map_err(|error| error.to_string())
    };
    retry(load_page).map_err(|error| format!("no page: {error}"))?;
    retry(join).map_err(|error| format!("no WebSocket: {error}"))
}

/// Loads the first file of the page.
///
/// # Errors
/// The server does not send it.
fn load_page(mut stream: impl Read + Write) -> io::Result<()> {
    stream.write_all((request("/", "localhost") + "Connection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_good = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("<p>");
    if is_good { Ok(()) } else { Err(io::Error::other(format!("it is {answer:?}"))) }
}

/// Opens a WebSocket and joins the lobby.
///
/// # Errors
/// The server refuses one of both, or sends no history.
fn join(stream: impl Read + Write) -> io::Result<()> {
    let mut stream = upgrade(stream)?;
    stream.write_all(&message(&greeting("newcomer", &[])))?;
    let (mut reader, mut entries, mut is_over) = (FrameReader::from_server(), 0, false);
    while !is_over {
        let take = |body: &[u8]| {
            match ServerFrame::decode(body) {
                Decoded::Frame(ServerFrame::Entry(_)) => entries += 1,
                Decoded::Frame(ServerFrame::End(_) | ServerFrame::Error(_)) => is_over = true,
                _ => {}
            }
            true
        };
        reader.feed(&read_message(&mut stream)?, take).map_err(io::Error::other)?;
    }
    if entries > 0 { Ok(()) } else { Err(io::Error::other("no history")) }
}

/// Opens a WebSocket from this address; `receive_buffer` as for [`client::connect`].
///
/// # Errors
/// The server does not accept it.
fn open(from: Ipv4Addr, web: SocketAddr, receive_buffer: usize) -> io::Result<TcpStream> {
    upgrade(client::connect(from, web, receive_buffer)?)
}

/// Opens a WebSocket on a connection, and returns that.
///
/// # Errors
/// The server does not accept it.
fn upgrade<S: Read + Write>(mut stream: S) -> io::Result<S> {
    stream.write_all((request("/chat", "localhost") + UPGRADE).as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let is_open = head.starts_with(b"HTTP/1.1 101 ");
    if is_open { Ok(stream) } else { Err(io::Error::other(String::from_utf8_lossy(&head))) }
}

/// Reads the next message or control frame of a server, up to 65,535 bytes long. Returns its
/// payload.
///
/// # Errors
/// Those of the socket.
fn read_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let mut length = usize::from(head[1]);
    if length == 126 {
        stream.read_exact(&mut head)?;
        length = usize::from(u16::from_be_bytes(head));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

/// Returns a client's WebSocket frame with a mask of 0.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut bytes = match u8::try_from(length) {
        Ok(short @ 0..=125) => vec![first, 0x80 | short],
        _ => [&[first, 0xfe], &length.to_be_bytes()[..]].concat(),
    };
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Returns a client's binary message.
fn message(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

/// Keeps connections open until the attack is over: opens them at the beginning, and each
/// [`ROUND`] those again that the server has closed. `open` opens that with a number; `tend` is
/// called for each connection in each round.
fn besiege(
    target: &Target<'_>,
    count: u16,
    open: impl Fn(u16) -> io::Result<TcpStream>,
    tend: impl Fn(&mut TcpStream),
) {
    let mut connections: Vec<Option<TcpStream>> = (0..count).map(|_| None).collect();
    while !target.is_over() {
        for (number, connection) in (0..).zip(&mut connections) {
            if target.is_over() {
                return;
            }
            if connection.as_ref().is_none_or(is_closed) {
                *connection = open(number).ok();
            }
            if let Some(stream) = connection {
                tend(stream);
            }
        }
        thread::sleep(ROUND);
    }
}

/// Returns true if the server has closed a connection on which it sends nothing.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    let is_open = match &peeked {
        Ok(count) => *count > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    !is_open
}

/// Connections of many addresses that never speak; heads that never end, a byte at a time; requests
/// in a row for hosts that differ, with claimed addresses; downloads that nobody reads.
#[test]
fn connections_that_never_become_websockets() {
    attack("no WebSockets").run(|target| {
        thread::scope(|scope| {
            scope.spawn(|| {
                let from = |number: u16| {
                    let [high, low] = number.to_be_bytes();
                    Ipv4Addr::new(127, 1, high, low)
                };
                let silent = |number| client::connect(from(number), target.web(), 0);
                besiege(target, ADDRESSES, silent, |_| {});
            });
            scope.spawn(|| {
                let endless = |_| {
                    let mut stream = client::connect(ATTACKER, target.web(), 0)?;
                    stream.write_all((request("/", "localhost") + "Cookie: ").as_bytes())?;
                    Ok(stream)
                };
                let dribble = |stream: &mut TcpStream| {
                    for _ in 0..100 {
                        let _ = stream.write(b"x");
                    }
                };
                besiege(target, 64, endless, dribble);
            });
            scope.spawn(|| {
                while !target.is_over() {
                    let _ = send_requests(target.web());
                }
            });
            scope.spawn(|| {
                let download = |_| {
                    let from = Ipv4Addr::new(127, 0, 0, 5);
                    let mut stream = client::connect(from, target.web(), RECEIVE_BUFFER)?;
                    let wanted = request("/assets/large.bin", "localhost") + "\r\n";
                    stream.write_all(wanted.as_bytes())?;
                    Ok(stream)
                };
                besiege(target, 128, download, |_| {});
            });
        });
    });
}

/// Sends as many requests on a connection as the server answers, all at once, and reads the answers.
///
/// # Errors
/// Those of the socket.
fn send_requests(web: SocketAddr) -> io::Result<()> {
    let mut stream = client::connect(Ipv4Addr::new(127, 0, 0, 4), web, 0)?;
    let mut requests = String::new();
    for number in 0..100 {
        let host = if number % 2 == 0 { format!("h{number}.example") } else { "pi.local".into() };
        requests += &(request("/", &host) + "\r\n");
    }
    let mut reader = stream.try_clone()?;
    thread::scope(|scope| {
        let read = scope.spawn(move || io::copy(&mut reader, &mut io::sink()));
        stream.write_all(requests.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        read.join().unwrap().map(|_| ())
    })
}

/// WebSockets that flood with pings, with fragments of a byte and with messages of a byte; that are
/// opened and closed again and again; that request history and do not read.
#[test]
fn floods_over_websockets() {
    let fill_room = |address| {
        fill(address, common::join("filler", &["attic"]), 100, |_| "x".repeat(4_000));
    };
    let attack = Attack { prepare: &fill_room, ..attack("floods over WebSockets") };
    let history = History {
        reference: Reference(1),
        room: "attic".to_owned(),
        before: Sequence::ZERO,
        limit: 100,
    };
    let history = message(&encoded(history).repeat(100));
    let say = encoded(common::say(1, "lobby", &"x".repeat(1_000)));
    let messages: Vec<u8> = say.iter().flat_map(|byte| message(&[*byte])).collect();
    let fragments: Vec<u8> = {
        let (last, rest) = say.split_last().unwrap();
        let mut all = frame(0x02, &rest[..1]);
        all.extend(rest[1..].iter().flat_map(|byte| frame(0x00, &[*byte])));
        all.extend(frame(0x80, &[*last]));
        all
    };
    attack.run(|target| {
        let joined = |name: &str, count: usize| -> Vec<Client> {
            let join = |number| {
                let mut stream = open(ATTACKER, target.web(), RECEIVE_BUFFER).ok()?;
                let rooms = ["lobby".to_owned(), "attic".to_owned()];
                let greeting = greeting(&format!("{name}{number}"), &rooms);
                stream.write_all(&message(&greeting)).ok()?;
                Some(Client::over(stream))
            };
            (0..count).map_while(join).collect()
        };
        thread::scope(|scope| {
            for (name, bytes) in [("messages", &messages), ("fragments", &fragments)] {
                scope.spawn(move || {
                    flood(target, joined(name, 20), bytes, Reading::Everything);
                });
            }
            scope.spawn(|| flood(target, joined("silent", 100), &history, Reading::Nothing));
            scope.spawn(|| {
                let pings = frame(0x89, &[b'x'; 125]).repeat(100);
                while !target.is_over() {
                    // The server closes it after 60 pings.
                    let _ = open(ATTACKER, target.web(), 0).and_then(|mut it| it.write_all(&pings));
                }
            });
            scope.spawn(|| {
                let begin = Instant::now();
                let mut opened = 0;
                while !target.is_over() {
                    let close = frame(0x88, &1_000_u16.to_be_bytes());
                    let cycle =
                        open(ATTACKER, target.web(), 0).and_then(|mut it| it.write_all(&close));
                    opened += u32::from(cycle.is_ok());
                }
                eprintln!("opened and closed {opened} times in {:.1?}", begin.elapsed());
            });
        });
    });
}
