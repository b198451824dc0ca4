//! Benchmark of `chat-peer`: what messages, joins and silence cost, in rooms of different sizes.
//!
//! ```text
//! cargo bench --bench peers -- [--quick]
//! ```
//!
//! Each peer is a real process on a simulated machine, which is a network namespace; up to 20 peers
//! have one each, more share them. All machines are on one switch, whose counters tell how many
//! datagrams there were. Nothing of that is left behind. It needs what the tests of networks need: root, or user namespaces, and
//! nftables. `--quick` tries everything out with rooms of at most 10.
//!
//! The kernel counts what it does to bring a datagram to all machines as CPU time of the peer that
//! sends it: on a real network nobody has that.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    dead_code,
    reason = "a benchmark fails by panicking; it uses a part of the harness"
)]

#[path = "../common/conditions.rs"]
mod conditions;
mod joins;
#[path = "../../tests/common/json_process.rs"]
mod json_process;
#[path = "../../tests/networks/lab.rs"]
mod lab;
mod messages;
#[path = "../common/number.rs"]
mod number;
#[path = "../../tests/networks/peer_process.rs"]
mod peer_process;
#[path = "../common/process.rs"]
mod process;
mod room;
mod signatures;
mod switch;
#[path = "../common/verdict.rs"]
mod verdict;

use std::time::Duration;

use joins::Join;
use lab::Lab;
use number::number;
use process::memory;
use room::Room;
use verdict::{Compared, verdict};

/// Sizes of the rooms in which messages are said.
const SIZES: [usize; 3] = [3, 10, 30];

/// Sizes of idle rooms, each with the share of a core, in percent, below which a peer is to stay.
const IDLE_SIZES: [(usize, f64); 2] = [(10, 0.1), (100, 1.0)];

/// Number of joins that are measured.
const JOINS: usize = 3;

/// Number of datagrams that a join is to cost at most, in a room of 100 too.
const MAX_DATAGRAMS: f64 = 200.0;

/// How much is measured.
struct Length {
    /// Greatest number of peers in a room.
    peers: usize,
    /// Number of messages that each of three peers says.
    messages: usize,
    /// Time for which the CPU time of idle peers is measured.
    idle: Duration,
}

fn main() {
    if let Err(error) = Lab::check_available() {
        println!("nothing is measured: {error}");
        return;
    }
    let is_quick = std::env::args().any(|it| it == "--quick");
    let length = if is_quick {
        Length { peers: 10, messages: 20, idle: Duration::from_secs(5) }
    } else {
        Length { peers: 100, messages: 80, idle: Duration::from_secs(20) }
    };
    let before = conditions::busy_share();
    measure_messages(&length);
    let targets = measure_large_rooms(&length);
    println!("\n- {}", conditions::machine());
    println!("- {}", conditions::disturbance(before, conditions::busy_share()));
    print!("\nTargets:\n\n{targets}");
}

/// Measures what messages cost, and prints a table.
fn measure_messages(length: &Length) {
    let [open, closed] = [false, true].map(|it| 1e6 * signatures::time_to_open(it).as_secs_f64());
    println!(
        "Decoding a message and checking its signature alone: {} µs; sealed: {} µs.\n",
        number(open),
        number(closed)
    );
    println!(
        "| peers | CPU µs for a delivery | ÷ signature | sealed | sealed ÷ plain | datagrams for a message | sealed |\n\
         |--:|--:|--:|--:|--:|--:|--:|"
    );
    for peers in SIZES.into_iter().filter(|it| *it <= length.peers) {
        let [plain, sealed] =
            [false, true].map(|it| messages::measure(peers, it, length.messages, length.idle / 4));
        println!(
            "| {peers} | {} | {} | {} | {} | {} | {} |",
            number(plain.cpu),
            number(plain.cpu / open),
            number(sealed.cpu),
            number(sealed.cpu / plain.cpu),
            number(plain.datagrams),
            number(sealed.datagrams)
        );
    }
}

/// Measures idle rooms and joins to them, and prints tables. Returns how far the targets are met.
fn measure_large_rooms(length: &Length) -> String {
    println!(
        "\n| idle peers | % of a core each | at most | datagrams/s each | MB resident each, in its share |\n\
         |--:|--:|--:|--:|--:|"
    );
    let (mut idle, mut joins, mut lines) = (Vec::new(), Vec::new(), String::new());
    for (count, most) in IDLE_SIZES.into_iter().filter(|(count, _)| *count <= length.peers) {
        let room = Room::start(count, false);
        let used = room.used_idle(length.idle);
        let seconds = used.time.as_secs_f64();
        let share = |it: Duration| 100.0 * it.as_secs_f64() / seconds;
        let mean = share(used.cpu_of_all()) / count as f64;
        let greatest = used.cpu.iter().map(|it| share(*it)).fold(0.0, f64::max);
        let rate = used.datagrams as f64 / seconds / count as f64;
        let memory: f64 = room.peers.iter().map(|it| memory(it.id()).proportional).sum();
        println!(
            "| {count} | {mean:.3} | {greatest:.3} | {} | {} |",
            number(rate),
            number(memory / 1e3 / count as f64)
        );
        idle.push(Compared {
            what: format!("{count} peers"),
            unit: "% of a core",
            figure: mean,
            most,
        });
        // Joins to the largest room.
        let joins_to_measure = if count == length.peers { JOINS } else { 0 };
        for number in 0..joins_to_measure {
            let join = joins::measure(&room, &format!("n{number}"));
            lines.push_str(&line_of_join(count, &join));
            joins.push(Compared {
                what: format!("join {}", number + 1),
                unit: "datagrams",
                figure: join.count() as f64,
                most: MAX_DATAGRAMS,
            });
        }
    }
    println!(
        "\n| a join to a room of | datagrams | in after, s | knows all after, s | by kind |\n\
         |--:|--:|--:|--:|---|\n{lines}"
    );
    let idle_title =
        "an idle peer uses less than 0.1 % of a core with 10 peers, and than 1 % with 100";
    let join_title =
        format!("a join costs at most {MAX_DATAGRAMS} datagrams, in a room of 100 too");
    verdict(idle_title, &idle) + &verdict(&join_title, &joins)
}

/// Returns the line of a table about a join.
fn line_of_join(room: usize, join: &Join) -> String {
    let kinds = join.datagrams.iter().filter(|(_, count)| **count > 0);
    let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{kind} {count}")).collect();
    format!(
        "| {room} | {} | {:.2} | {:.2} | {} |\n",
        join.count(),
        join.time.as_secs_f64(),
        join.time_to_know_all.as_secs_f64(),
        kinds.join(", ")
    )
}
