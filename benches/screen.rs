//! Benchmark of the full-screen interface: `chat-client` on a pseudo terminal of 100 columns and 30
//! rows, with a real server.
//!
//! ```text
//! cargo bench --bench screen -- [--seconds 10]
//! ```
//!
//! - the time from the start of the program until its screen is drawn, and until the user is in the
//!   lobby
//! - with 1,000 messages a second from another client: CPU time of the client, frames drawn, and the
//!   latency of a key from the terminal until it is drawn; and the CPU time of `chat-client --plain`
//!   with the same messages, in the same run, because CPU speeds of virtual machines vary
//! - resident memory after the join, and with 10,000 lines

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    dead_code,
    reason = "a benchmark fails by panicking; it uses a part of the harness"
)]

#[path = "../tests/common/client_home.rs"]
mod client_home;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "common/process.rs"]
mod process;
#[path = "../tests/common/terminal.rs"]
mod terminal;

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use client_home::ClientHome;
use common::{Server, TestClient};
use process::cpu_time;
use terminal::{Terminal, key};

/// Size of the terminal: columns and rows.
const SIZE: (u16, u16) = (100, 30);

/// Number of starts that are measured.
const STARTS: usize = 20;

/// Number of messages that are sent at once.
const BURST: u32 = 10;

/// Time from one burst to the next: 1,000 messages a second.
const INTERVAL: Duration = Duration::from_millis(10);

/// Time from one key to the next, no multiple of the time of a frame.
const KEY_INTERVAL: Duration = Duration::from_millis(47);

/// Number of keys after which the line is cleared.
const MAX_KEYS: usize = 40;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds = arguments.iter().position(|it| it == "--seconds");
    let seconds = seconds.map_or(10, |it| arguments[it + 1].parse().unwrap());
    let limits = ["--burst", "100000", "--per-minute", "6000000"];
    let server = Server::start(&limits);
    measure_start(&server);
    let full = measure_load(&server, seconds, true);
    let plain = measure_load(&server, seconds, false);
    println!(
        "CPU time of a message, compared with plain lines: {:.1}",
        full.as_secs_f64() / plain.as_secs_f64()
    );
}

/// Starts `chat-client` with these arguments.
fn start(server: &Server, arguments: &[&str]) -> Terminal {
    let home = Arc::new(ClientHome::new());
    let address = server.address().to_string();
    let command = home.client(&[&[address.as_str(), "--name", "anna"], arguments].concat());
    Terminal::with_size(&command, SIZE.0, SIZE.1).keep(home)
}

/// Waits until the user is in the lobby.
fn expect_lobby(terminal: &Terminal) {
    terminal.wait_for("the lobby", |it| it.has(" connected") && it.has_typed("#lobby> "));
}

/// Measures the time from the start until something is drawn.
fn measure_start(server: &Server) {
    let (mut drawn, mut joined) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begin = Instant::now();
        let terminal = start(server, &[]);
        terminal.wait_for_frames(1);
        drawn.push(begin.elapsed());
        expect_lobby(&terminal);
        joined.push(begin.elapsed());
        terminal.enter("/quit");
        terminal.expect_success();
    }
    println!("from the start to the first screen: {}", describe(&mut drawn));
    println!("from the start to the lobby: {}", describe(&mut joined));
}

/// Measures a client on the full screen, or with plain lines, while messages come. Returns the CPU
/// time for each message.
fn measure_load(server: &Server, seconds: u32, is_full: bool) -> Duration {
    let bob = server.join("bob");
    let client = start(server, if is_full { &[] } else { &["--plain"] });
    if is_full {
        expect_lobby(&client);
    } else {
        client.expect("you are anna in #lobby");
    }
    let what = if is_full { "full screen" } else { "plain lines" };
    println!("{what}: {} kB resident after the join", resident(client.id()));
    let (cpu, frames, begin) = (cpu_time(client.id()), client.frames(), Instant::now());
    let bursts = seconds * 100;
    let talker = thread::spawn(move || talk(bob, bursts));
    let mut latencies = Vec::new();
    while is_full && begin.elapsed() < Duration::from_secs(seconds.into()) {
        latencies.push(press(&client, latencies.len() % MAX_KEYS));
        thread::sleep(KEY_INTERVAL);
    }
    let mut bob = talker.join().unwrap();
    let (took, messages) = (begin.elapsed(), bursts * BURST);
    bob.say("lobby", "the very last");
    client.expect("the very last");
    let cpu = cpu_time(client.id()).saturating_sub(cpu);
    let frames = client.frames() - frames;
    println!(
        "{what}: {:.0} messages a second, {:.1} % of a core, {:.1} µs for each message",
        f64::from(messages) / took.as_secs_f64(),
        cpu.as_secs_f64() / took.as_secs_f64() * 100.0,
        cpu.as_secs_f64() * 1e6 / f64::from(messages),
    );
    println!("{what}: {} kB resident with {messages} messages", resident(client.id()));
    if is_full {
        let rate = f64::from(u32::try_from(frames).unwrap()) / took.as_secs_f64();
        println!("{what}: {rate:.1} frames a second");
        println!("{what}: from a key to the screen: {}", describe(&mut latencies));
    }
    bob.hang_up();
    cpu / messages
}

/// Types a letter into a line that has `typed` of them, and returns how long it takes until it is
/// drawn. An empty line is made first.
fn press(client: &Terminal, typed: usize) -> Duration {
    if typed == 0 {
        client.type_text(&format!("x{}", key::CTRL_C));
        client.expect_typed("#lobby> ");
    }
    let line = format!("#lobby> {}", "x".repeat(typed + 1));
    let begin = Instant::now();
    client.type_text("x");
    client.expect_typed(&line);
    begin.elapsed()
}

/// Sends bursts of messages. Returns the client.
fn talk(mut bob: TestClient, bursts: u32) -> TestClient {
    let begin = Instant::now();
    for burst in 0..bursts {
        thread::sleep((INTERVAL * burst).saturating_sub(begin.elapsed()));
        for number in 0..BURST {
            let number = burst * BURST + number;
            bob.say("lobby", &format!("message {number}, as long as they are in a usual chat"));
        }
        bob.drain();
    }
    bob
}

/// Returns the resident memory of a process, in kB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Describes times: median, nine of ten, and the longest.
fn describe(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64();
    format!(
        "median {:.1} ms, 90 % below {:.1} ms, longest {:.1} ms",
        at(50) * 1e3,
        at(90) * 1e3,
        at(100) * 1e3
    )
}
