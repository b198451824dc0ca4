//! Benchmark of the start of `chat-server`: how long it takes until the server listens and until
//! somebody is in, with logs of different lengths, and how much memory it has when it is idle.
//!
//! ```text
//! cargo bench --bench startup -- [--quick] [--rounds 7]
//! ```
//!
//! The first run writes the databases, with a million messages in the largest, through the log
//! itself; later runs find them in the build directory. `--quick` leaves out all above 10,000
//! messages.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    dead_code,
    reason = "a benchmark fails by panicking; it uses a part of the harness"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../common/conditions.rs"]
mod conditions;
mod database;
mod idle;
#[path = "../../tests/networks/lab.rs"]
mod lab;
#[path = "../common/messages.rs"]
mod messages;
#[path = "../common/number.rs"]
mod number;
#[path = "../common/process.rs"]
mod process;
mod starts;
#[path = "../common/verdict.rs"]
mod verdict;

use number::number;
use starts::{End, Figures};
use verdict::{Compared, verdict};

/// Numbers of messages in the logs.
const SIZES: [u64; 4] = [0, 10_000, 100_000, 1_000_000];

/// Greatest of them in a quick run.
const QUICK_SIZE: u64 = 10_000;

/// Milliseconds within which a server is to listen, with the largest log.
const MAX_START: f64 = 20.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let is_quick = arguments.iter().any(|it| it == "--quick");
    let rounds = arguments.iter().position(|it| it == "--rounds");
    let rounds =
        rounds.map_or(if is_quick { 3 } else { 7 }, |it| arguments[it + 1].parse().unwrap());
    let before = conditions::busy_share();
    println!(
        "| messages | the server before was | listens after, ms | someone is in after, ms | CPU ms | ÷ empty |\n\
         |--:|---|--:|--:|--:|--:|"
    );
    let mut compared = Vec::new();
    for end in [End::Stopped, End::Killed] {
        let mut empty = None;
        for size in SIZES.into_iter().filter(|it| !is_quick || *it <= QUICK_SIZE) {
            let directory = database::copy(size);
            let figures = Figures::of(&starts::measure(directory.path(), end, rounds));
            let least = empty.get_or_insert(figures.listening.median);
            let ratio = figures.listening.median / *least;
            println!(
                "| {} | {} | {} | {} | {} | {} |",
                thousands(size),
                end.name(),
                figures.listening,
                figures.joined,
                figures.cpu,
                number(ratio)
            );
            if size == SIZES[SIZES.len() - 1] {
                compared.push(Compared {
                    what: end.name().to_owned(),
                    unit: "ms until it listens, median",
                    figure: figures.listening.median,
                    most: MAX_START,
                });
            }
        }
    }
    let memory = idle::measure();
    println!(
        "\n- Medians of {rounds} starts; in parentheses the shortest. *÷ empty*: the median until it \
         listens, to that with an empty log.\n- {}\n- {}",
        conditions::machine(),
        conditions::disturbance(before, conditions::busy_share())
    );
    println!("- {}", memory.description());
    let title = format!("with 1,000,000 messages the server listens within {MAX_START} ms");
    print!("\nTargets:\n\n{}{}", verdict(&title, &compared), memory.verdict());
}

/// Returns a number with commas.
fn thousands(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { number(count as f64) }
}
