//! Starts of a server with a database, each behind a former server's end.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Server, TestClient, join};
use crate::number::number;
use crate::process::cpu_time;

/// Messages that are said before the server is killed, so that the next one finds them in the
/// write-ahead log.
const LAST_MESSAGES: usize = 500;

/// How the server before has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to stop, and closed its log.
    Stopped,
    /// It was killed, just after somebody had said something.
    Killed,
}

/// A start.
pub(crate) struct Start {
    /// Time from the start of the process until it has said that it listens, and a connection is
    /// open.
    listening: Duration,
    /// Time until a client has joined, and has got the room's latest messages.
    joined: Duration,
    /// CPU time of the server until then.
    cpu: Duration,
}

/// A median and the least, in milliseconds.
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    /// The least.
    least: f64,
}

/// Figures of several starts.
pub(crate) struct Figures {
    /// [`Start::listening`].
    pub(crate) listening: Spread,
    /// [`Start::joined`].
    pub(crate) joined: Spread,
    /// [`Start::cpu`].
    pub(crate) cpu: Spread,
}

impl End {
    /// Returns what is said of a server that has ended so.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        }
    }
}

impl Figures {
    /// Returns the figures of these starts.
    pub(crate) fn of(starts: &[Start]) -> Self {
        Self {
            listening: Spread::of(starts.iter().map(|it| it.listening)),
            joined: Spread::of(starts.iter().map(|it| it.joined)),
            cpu: Spread::of(starts.iter().map(|it| it.cpu)),
        }
    }
}

impl Spread {
    /// Returns the spread of some times.
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<f64> = times.map(|it| it.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        Self { median: times[times.len() / 2], least: times[0] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", number(self.median), number(self.least))
    }
}

/// Starts a server with this database as often as `rounds` says, each time when the one before has
/// ended so.
pub(crate) fn measure(directory: &Path, end: End, rounds: usize) -> Vec<Start> {
    // Brings the database up to date, and into the cache.
    start(directory, end);
    (0..rounds).map(|_| start(directory, end)).collect()
}

/// Starts a server, measures that, and ends it so.
fn start(directory: &Path, end: End) -> Start {
    let arguments = [
        "--data",
        directory.to_str().unwrap(),
        "--web",
        "false",
        "--tls",
        "false",
        "--announce",
        "false",
        "--burst",
        "100000",
        "--per-minute",
        "6000000",
        "--keep-bytes",
        "0",
    ];
    let begin = Instant::now();
    let mut server = Server::start(&arguments);
    let stream = TcpStream::connect(server.address()).unwrap();
    let listening = begin.elapsed();
    let mut client = TestClient::new(stream);
    client.send_hello(0);
    client.send(join("starter", &[]));
    client.join_answer();
    let joined = begin.elapsed();
    let cpu = cpu_time(server.id());
    match end {
        End::Stopped => {
            client.hang_up();
            assert!(server.terminate().0.success());
        }
        End::Killed => {
            for number in 0..LAST_MESSAGES {
                client.say("lobby", &format!("the last words, number {number}"));
            }
            client.next_entries(LAST_MESSAGES);
            server.kill();
        }
    }
    Start { listening, joined, cpu }
}
