//! Race of connection attempts to the addresses of a server (“Happy Eyeballs”, RFC 8305).
//!
//! Addresses are tried in the given order, with both address families in turn. The next attempt
//! starts [`ATTEMPT_DELAY`] after the previous attempt has started, or at once when an attempt has
//! ended; but at most [`MAX_ATTEMPTS_IN_FLIGHT`] run at a time. All attempts go on until the first
//! `server_hello` arrives: its attempt has won. An open TCP connection alone proves little, because
//! it may end at a proxy, or at a server that hangs.
//!
//! An attempt sends nothing but `hello`, so losing attempts leave no trace in the server's
//! sessions.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::stream::Stream;
use super::trust::{Expectation, Trust, WrongFingerprint};
use crate::identity::ProofContext;
use crate::model::IdentityKey;
use crate::text;
use crate::tls::{self, Fingerprint, HandshakeError};
use crate::ui::io_error_text;
use crate::wire::FrameReader;
use crate::wire::tcp::{Decoded, ServerFrame, ServerHello, VERSION, feature};

/// Time between the starts of two attempts, if no attempt ends meanwhile (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Maximum number of attempts at the same time. Each holds a socket here and perhaps a connection
/// of the server.
const MAX_ATTEMPTS_IN_FLIGHT: usize = 8;

/// Maximum number of addresses that one race tries. It bounds the duration of the race.
const MAX_RACED_ADDRESSES: usize = 64;

/// Maximum time to connect to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time from `hello` to `server_hello` (`docs/protocol/tcp.md`, section 17).
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of bytes that a server may send before its first frame of a known kind is
/// complete. It bounds memory.
const MAX_GREETING_BYTES: usize = 64 * 1024;

/// Size of one read during the greeting, in bytes.
const READ_SIZE: usize = 4 * 1024;

/// Connection on which the other side has answered `hello`, or sent something before reading it.
#[derive(Debug)]
pub(super) struct GreetedConnection {
    /// Socket.
    pub(super) stream: Stream,
    /// Fingerprint of the server, and how it is known; `None` over plain TCP.
    pub(super) identity: Option<(Fingerprint, Trust)>,
    /// True if the server has said that it offers TLS at the default port.
    pub(super) offers_tls: bool,
    /// What a proof of the user's key signs on this connection; `None` if the server takes none.
    pub(super) proof_context: Option<ProofContext>,
    /// All bytes received so far. Frames that a client ignores may come before the answer. The
    /// bytes may also be no frames at all.
    pub(super) received: Vec<u8>,
}

/// Result of an attempt that received an answer to `hello`.
#[derive(Debug)]
enum Answer {
    /// A `server_hello` with the version of this program: the race is won.
    Greeting(GreetedConnection),
    /// Anything else, such as an `error` or another protocol. The caller gets this connection, and
    /// so the reason, only if no attempt receives a `server_hello`.
    Other(GreetedConnection),
}

/// Failed connection attempt to one address.
#[derive(Debug)]
pub(super) struct FailedAttempt {
    /// Address that was tried.
    address: SocketAddr,
    /// Reason why the attempt failed.
    reason: AttemptError,
}

/// Reason why a connection attempt has failed.
#[derive(Debug)]
enum AttemptError {
    /// The connection was established, and no answer was complete within [`GREETING_TIMEOUT`].
    NoGreeting,
    /// The connection was established, and ended before an answer was complete.
    Closed,
    /// The server has another fingerprint than it should have. Nothing was sent to it.
    Fingerprint(WrongFingerprint),
    /// The connection was established, and TLS was not.
    Handshake(HandshakeError),
    /// The connection could not be established, or broke.
    Io(io::Error),
    /// The connection was not established within [`CONNECT_TIMEOUT`].
    NoAnswer,
}

impl AttemptError {
    /// Returns the rank of the reason by its usefulness for users; 0 is the most useful. The nearer
    /// to the server an attempt got, the more useful its reason.
    fn usefulness_rank(&self) -> u8 {
        match self {
            Self::Fingerprint(_) => 0,
            Self::NoGreeting | Self::Closed | Self::Handshake(_) => 1,
            Self::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::PermissionDenied => 2,
                ErrorKind::HostUnreachable | ErrorKind::TimedOut => 4,
                ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => 5,
                _ => 3,
            },
            Self::NoAnswer => 4,
        }
    }
}

impl AttemptError {
    /// Returns the reason for users, as a part of a sentence.
    fn text(&self) -> String {
        match self {
            Self::NoGreeting => text!("attempt-no-greeting"),
            Self::Closed => text!("attempt-closed"),
            Self::Fingerprint(_) => text!("attempt-wrong-key"),
            Self::Handshake(HandshakeError::Io(error)) => {
                text!("attempt-no-tls", reason = io_error_text(error))
            }
            Self::Handshake(HandshakeError::Tls(error)) => {
                text!("attempt-no-tls", reason = error.to_string())
            }
            Self::Io(error) => io_error_text(error),
            Self::NoAnswer => text!("attempt-no-answer"),
        }
    }
}

/// Returns the wrong fingerprint that an attempt of a race has met; `None` if none has.
pub(super) fn wrong_fingerprint(failures: &[FailedAttempt]) -> Option<&WrongFingerprint> {
    failures.iter().find_map(|it| match &it.reason {
        AttemptError::Fingerprint(wrong) => Some(wrong),
        _ => None,
    })
}

/// Describes the failed attempts of a race for users: the most useful reason with its address, and
/// the number of further failed addresses.
/// `server`: how the user knows the server; an address that is the same is not repeated.
pub(super) fn describe_failures(server: &str, failures: &[FailedAttempt]) -> String {
    let Some(FailedAttempt { address, reason }) =
        failures.iter().min_by_key(|it| it.reason.usefulness_rank())
    else {
        return text!("attempt-no-address");
    };
    let (address, reason) = (address.to_string(), reason.text());
    let reason = match address == server {
        true => reason,
        false => text!("attempt-at-address", reason = reason, address = address),
    };
    text!("attempts-failed", reason = reason, count = failures.len() - 1)
}

/// Connects to the addresses of one server in a race, and returns the connection on which
/// `server_hello` arrived first. If no attempt receives a `server_hello`, returns the first
/// connection with any other answer. `hello` is the encoded frame that each attempt sends.
/// `expectation`: what is expected of the server's fingerprint; `None` for plain TCP. Tries at most
/// [`MAX_RACED_ADDRESSES`] addresses, and leaves out the rest.
///
/// # Errors
/// All attempts failed. The error lists them in the order in which they failed. It is empty if
/// there was no address.
pub(super) async fn race(
    addresses: Vec<SocketAddr>,
    hello: &[u8],
    expectation: Option<Expectation>,
) -> Result<GreetedConnection, Vec<FailedAttempt>> {
    let mut waiting = interleave_families(addresses);
    waiting.truncate(MAX_RACED_ADDRESSES);
    // Dropping the set ends the attempts that have lost.
    let mut attempts = JoinSet::new();
    let (mut failures, mut fallback) = (Vec::new(), None);
    let mut next_start = Instant::now();
    loop {
        let has_room = attempts.len() < MAX_ATTEMPTS_IN_FLIGHT;
        if has_room
            && Instant::now() >= next_start
            && let Some(address) = waiting.pop_front()
        {
            attempts.spawn(attempt(address, hello.to_vec(), expectation));
            next_start = Instant::now() + ATTEMPT_DELAY;
            continue;
        }
        tokio::select! {
            Some(ended) = attempts.join_next() => {
                match ended {
                    Ok(Ok(Answer::Greeting(won))) => return Ok(won),
                    Ok(Ok(Answer::Other(other))) => drop(fallback.get_or_insert(other)),
                    Ok(Err(failed)) => failures.push(failed),
                    // The attempt was aborted, which happens only when the runtime ends.
                    Err(_) => {}
                }
                next_start = Instant::now();
            }
            () = sleep_until(next_start), if has_room && !waiting.is_empty() => {}
            else => return fallback.ok_or(failures),
        }
    }
}

/// Orders addresses for a race: the address families take turns, beginning with the family of the
/// first address. The order within a family stays. Removes duplicates.
fn interleave_families(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|it| it.is_ipv6() == is_first_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = VecDeque::new();
    loop {
        let next = (first.next(), second.next());
        if next == (None, None) {
            return ordered;
        }
        for address in [next.0, next.1].into_iter().flatten() {
            if !ordered.contains(&address) {
                ordered.push_back(address);
            }
        }
    }
}

/// Connects to one address within [`CONNECT_TIMEOUT`], sends `hello`, and waits for the answer. The
/// handshake of TLS and the greeting take up to [`GREETING_TIMEOUT`] together.
async fn attempt(
    address: SocketAddr,
    hello: Vec<u8>,
    expectation: Option<Expectation>,
) -> Result<Answer, FailedAttempt> {
    let failed = |reason| FailedAttempt { address, reason };
    let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failed(AttemptError::Io(error))),
        Err(_) => return Err(failed(AttemptError::NoAnswer)),
    };
    let greeting = async {
        match expectation {
            None => greet(Stream::Plain(stream), None, &hello).await,
            Some(expectation) => {
                // Otherwise `hello` would wait until the end of the handshake is acknowledged, for
                // the server says nothing between the two.
                let _ = stream.set_nodelay(true);
                let (socket, found) =
                    tls::connect(stream).await.map_err(AttemptError::Handshake)?;
                let trust = expectation.judge(found).map_err(AttemptError::Fingerprint)?;
                greet(Stream::Tls(socket), Some((found, trust)), &hello).await
            }
        }
    };
    match timeout(GREETING_TIMEOUT, greeting).await {
        Ok(outcome) => outcome.map_err(failed),
        Err(_) => Err(failed(AttemptError::NoGreeting)),
    }
}

/// Sends `hello` on a new connection, and reads until an answer is complete. More than
/// [`MAX_GREETING_BYTES`] of ignored frames count as [`Answer::Other`]. `identity`: fingerprint of
/// the server and how it is known, which is passed on.
async fn greet(
    mut stream: Stream,
    identity: Option<(Fingerprint, Trust)>,
    hello: &[u8],
) -> Result<Answer, AttemptError> {
    // A server that is full sends an error before it reads. So read, even if writing fails.
    let written = stream.write_all(hello).await;
    let (mut reader, mut received) = (FrameReader::from_server(), Vec::new());
    loop {
        let mut buffer = [0; READ_SIZE];
        let count = stream.read(&mut buffer).await.map_err(AttemptError::Io)?;
        let chunk = buffer.get(..count).unwrap_or_default();
        if chunk.is_empty() {
            return Err(written.err().map_or(AttemptError::Closed, AttemptError::Io));
        }
        received.extend_from_slice(chunk);
        let verdict = judge_answer(&mut reader, chunk);
        if verdict.is_some() || received.len() > MAX_GREETING_BYTES {
            let greeting = verdict.flatten();
            let offers_tls = greeting.is_some_and(|it| it.offers_tls);
            let proof_context = greeting.and_then(|it| it.proof_context(&stream));
            let greeted =
                GreetedConnection { stream, identity, offers_tls, proof_context, received };
            return Ok(match greeting {
                Some(_) => Answer::Greeting(greeted),
                None => Answer::Other(greeted),
            });
        }
    }
}

/// What a `server_hello` offers.
#[derive(Clone, Copy, Debug)]
struct Greeting {
    /// True if TLS is at the default port.
    offers_tls: bool,
    /// Challenge and public key of the server; `None` if it takes no proofs.
    challenge: Option<([u8; 32], IdentityKey)>,
}

impl From<&ServerHello> for Greeting {
    fn from(hello: &ServerHello) -> Self {
        let ServerHello { features, challenge, server_key, .. } = hello;
        let is_complete = *challenge != [0; 32] && *server_key != [0; 32];
        let takes_proofs = features & feature::IDENTITY != 0 && is_complete;
        Self {
            offers_tls: features & feature::TLS != 0,
            challenge: takes_proofs.then_some((*challenge, IdentityKey(*server_key))),
        }
    }
}

impl Greeting {
    /// Returns what a proof signs on the connection of this greeting; `None` if the server takes
    /// none.
    fn proof_context(self, stream: &Stream) -> Option<ProofContext> {
        let (challenge, server_key) = self.challenge?;
        Some(ProofContext { challenge, server_key, binding: stream.channel_binding()? })
    }
}

/// Passes received bytes to `reader`, and judges the server's next frame. Skips the frames that a
/// client ignores before `server_hello`. Returns what it offers if it is a `server_hello` with the
/// version of this program, and `Some(None)` if it is anything else or no frame. `None` if it is not
/// complete yet.
fn judge_answer(reader: &mut FrameReader, chunk: &[u8]) -> Option<Option<Greeting>> {
    let mut verdict = None;
    let outcome = reader.feed(chunk, |body| {
        verdict = match ServerFrame::decode(body) {
            Decoded::Frame(ServerFrame::ServerHello(hello)) => {
                Some((hello.version == VERSION).then(|| Greeting::from(&hello)))
            }
            Decoded::Frame(ServerFrame::Error(_)) | Decoded::Malformed(_) => Some(None),
            Decoded::Frame(_) | Decoded::Ignored => None,
        };
        verdict.is_none()
    });
    if outcome.is_err() { Some(None) } else { verdict }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::model::ErrorCode;
    use crate::os::Clock;
    use crate::wire::tcp::Error;

    /// Bytes that every attempt of these tests sends.
    const HELLO: &[u8] = b"hello";

    /// Encodes a frame of a server.
    fn encoded(frame: impl Into<ServerFrame>) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.into().encode(&mut bytes);
        bytes
    }

    /// Returns an encoded `server_hello`.
    fn server_hello() -> Vec<u8> {
        encoded(ServerHello {
            version: VERSION,
            min_version: VERSION,
            max_version: VERSION,
            features: 0,
            server_program: "test".to_owned(),
            server_version: "1".to_owned(),
            challenge: [0; 32],
            server_key: [0; 32],
        })
    }

    /// Listens on a free port of the loopback.
    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Returns an address that refuses connections.
    fn closed_port() -> SocketAddr {
        listen().1
    }

    /// Starts a server that answers each `hello` with these bytes. Returns its address, and a
    /// channel with the bytes that each of its connections received up to its end.
    fn answering(answer: Vec<u8>) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
        use std::io::{Read, Write};
        let (listener, address) = listen();
        let (told, received) = mpsc::channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut bytes = vec![0; HELLO.len()];
                stream.read_exact(&mut bytes).unwrap();
                stream.write_all(&answer).unwrap();
                let _ = stream.read_to_end(&mut bytes);
                // A test need not look at what its server received.
                let _ = told.send(bytes);
            }
        });
        (address, received)
    }

    /// Runs a race, and returns its result and its duration.
    fn run_race(
        addresses: Vec<SocketAddr>,
    ) -> (Result<GreetedConnection, Vec<FailedAttempt>>, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clock = Clock::start();
        let outcome = runtime.block_on(race(addresses, HELLO, None));
        (outcome, clock.now().since_start())
    }

    /// A server that never answers and a closed port delay the connection to the good address only
    /// by the attempt delay. The loser receives nothing but `hello`.
    #[test]
    fn handshake_decides_the_race() {
        let (silent, silent_received) = answering(Vec::new());
        let (good, _) = answering(server_hello());
        let (won, duration) = run_race(vec![silent, closed_port(), good]);
        let won = won.unwrap();
        assert_eq!(won.stream.tcp().peer_addr().unwrap(), good);
        assert_eq!(won.received, server_hello());
        assert!(duration >= ATTEMPT_DELAY && duration < CONNECT_TIMEOUT, "{duration:?}");
        assert_eq!(silent_received.recv_timeout(CONNECT_TIMEOUT).unwrap(), HELLO);
    }

    /// A server that refuses loses against a server that greets, even if the refusal comes first.
    /// If no server greets, the refusal is the result.
    #[test]
    fn refusal_wins_only_if_nobody_greets() {
        let refusal = encoded(Error::new(ErrorCode::ServerFull));
        let (full, _) = answering(refusal.clone());
        let (good, _) = answering(server_hello());
        let (won, _) = run_race(vec![full, good]);
        assert_eq!(won.unwrap().stream.tcp().peer_addr().unwrap(), good);
        let (only, _) = run_race(vec![closed_port(), full]);
        assert_eq!(only.unwrap().received, refusal);
        let (foreign, _) = answering(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec());
        assert!(run_race(vec![foreign]).0.is_ok());
    }

    /// If all attempts fail, the text names the reason that came nearest to the server.
    #[test]
    fn most_useful_reason_is_described() {
        let address = closed_port();
        let failed = |reason| FailedAttempt { address, reason };
        let io = |kind: ErrorKind| AttemptError::Io(kind.into());
        let failures = [
            failed(io(ErrorKind::NetworkUnreachable)),
            failed(AttemptError::NoAnswer),
            failed(io(ErrorKind::ConnectionRefused)),
        ];
        let text = describe_failures("pi:2428", &failures);
        let all = "2 other addresses failed as well";
        assert_eq!(text, format!("connection refused at {address}; {all}"));
        let text = describe_failures("pi:2428", &failures[1..]);
        assert_eq!(
            text,
            format!("connection refused at {address}; another address failed as well")
        );
        let text = describe_failures(&address.to_string(), &failures[2..]);
        assert_eq!(text, "connection refused");
        let (all_failed, _) = run_race(vec![address, closed_port()]);
        assert_eq!(all_failed.unwrap_err().len(), 2);
        let none = run_race(Vec::new()).0.unwrap_err();
        assert_eq!(describe_failures("pi:2428", &none), "its name has no address");
        let refused = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(io_error_text(&refused), "connection refused");
    }

    /// At most 8 attempts are in flight.
    #[test]
    fn attempts_in_flight_are_bounded() {
        let silent: Vec<_> = (0..MAX_ATTEMPTS_IN_FLIGHT).map(|_| answering(Vec::new())).collect();
        let (good, received) = answering(server_hello());
        let addresses = silent.iter().map(|(address, _)| *address).chain([good]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Without the bound, the last attempt would start in this time.
        let patience = ATTEMPT_DELAY * 11;
        let outcome =
            runtime.block_on(async { timeout(patience, race(addresses, HELLO, None)).await });
        assert!(outcome.is_err());
        assert!(received.try_recv().is_err());
    }

    /// The families take turns, beginning with the first address. The order within a family stays.
    #[test]
    fn address_families_take_turns() {
        let parse = |it: &str| -> SocketAddr { it.parse().unwrap() };
        let given = ["[::1]:1", "[::2]:1", "[::1]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"];
        let ordered: Vec<_> = interleave_families(given.map(parse).into()).into();
        let expected = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"];
        assert_eq!(ordered, expected.map(parse));
    }
}
