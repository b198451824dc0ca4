//! Measures how much a server with a log on disk writes, because writing wears out memory cards.
//!
//! `cargo test --test card -- --nocapture` prints the figures. They are the bytes that the system
//! counts for the process: whole file pages, each time that a changed page is written to the disk.
//! (A file system's own journal is not included.) Single messages cost as much in `relaxed` as in
//! `strict`, because each is synced; only bursts of messages show the difference.

#![cfg(all(feature = "server", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and measure how long something takes"
)]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::{Server, TestClient};
use tempfile::TempDir;

/// Number of messages in each measurement: enough to include checkpoints of the write-ahead log.
const MESSAGES: u64 = 600;

/// Number of messages in one burst.
const BURST_LENGTH: u64 = 50;

/// Length of the measurement without messages.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// Number of connected clients in the measurement without messages.
const IDLE_CLIENTS: usize = 5;

/// Server with its log on a real disk.
struct MeasuredServer {
    /// Running server.
    server: Server,
    /// Data directory, removed on drop.
    _data: TempDir,
}

impl MeasuredServer {
    /// Starts a server with this durability and without a noticeable rate limit.
    fn start(durability: &str) -> Self {
        let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fast = ["--burst", "100000", "--per-minute", "6000000"];
        let path = data.path().to_str().unwrap();
        let server =
            Server::start(&[&["--data", path, "--durability", durability], &fast[..]].concat());
        Self { server, _data: data }
    }

    /// Returns the bytes that the process has written to the disk so far; 0 if the system does not
    /// count them.
    fn bytes_written(&self) -> u64 {
        let path = Path::new("/proc").join(self.server.id().to_string()).join("io");
        let told = fs::read_to_string(path).unwrap();
        let count = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        count("write_bytes:")
    }

    /// Returns the bytes written during `work` and afterwards, until nothing has been written for
    /// 1.5 s.
    fn bytes_written_during(&self, work: impl FnOnce()) -> u64 {
        let before = self.bytes_written();
        work();
        // In `relaxed`, the last message is synced within a second.
        let (mut last, mut since) = (self.bytes_written(), Instant::now());
        while since.elapsed() < Duration::from_millis(1_500) {
            let now = self.bytes_written();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            thread::sleep(Duration::from_millis(10));
        }
        last - before
    }
}

/// Sends `messages` messages of 60 bytes, in bursts of `at_once`. Waits for the echoes of each
/// burst.
fn say_messages(peer: &mut TestClient, messages: u64, at_once: u64) {
    for _ in 0..messages / at_once {
        for _ in 0..at_once {
            peer.say("lobby", &"x".repeat(60));
        }
        for _ in 0..at_once {
            peer.next_entry();
        }
    }
}

/// Measures a server with this durability, and prints the figures. Returns bytes per message sent
/// alone, bytes per message in bursts, and bytes per hour without messages, projected from
/// [`IDLE_TIME`].
fn measure(durability: &str) -> [u64; 3] {
    let measured = MeasuredServer::start(durability);
    let mut anna = measured.server.join("anna");
    let alone = measured.bytes_written_during(|| say_messages(&mut anna, MESSAGES, 1)) / MESSAGES;
    let in_bursts = measured
        .bytes_written_during(|| say_messages(&mut anna, MESSAGES, BURST_LENGTH))
        / MESSAGES;
    drop(anna);
    let people: Vec<_> =
        (0..IDLE_CLIENTS).map(|number| measured.server.join(&format!("guest{number}"))).collect();
    measured.bytes_written_during(|| {});
    let begin = Instant::now();
    let idle = measured.bytes_written_during(|| thread::sleep(IDLE_TIME));
    let hour = Duration::from_secs(3_600).as_millis() / begin.elapsed().as_millis();
    drop(people);
    let idle = idle * u64::try_from(hour).unwrap();
    println!("{durability}: {alone} B a message, {in_bursts} B in bursts, {idle} B an idle hour");
    [alone, in_bursts, idle]
}

/// Without messages, nothing is written. A single message costs less than 32 kB (in `strict` 64
/// kB), a message in a burst less than 8 kB. Tests nothing where the system does not count writes.
#[test]
fn log_writes_few_bytes_to_disk() {
    let strict = thread::spawn(|| measure("strict"));
    let [alone, bursts, idle] = measure("relaxed");
    let [strict_alone, strict_bursts, strict_idle] = strict.join().unwrap();
    if strict_alone == 0 {
        println!("NOT TESTED: this system does not count what is written");
        return;
    }
    assert_eq!([strict_idle, idle], [0, 0], "something is written though nobody says anything");
    assert!(strict_alone < 64_000 && strict_bursts < 8_000, "{strict_alone} {strict_bursts}");
    assert!(alone < 32_000 && bursts < 8_000, "{alone} {bursts}");
}
