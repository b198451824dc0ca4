//! Benchmark of the search: time of a search among a million messages in a log on disk, as a caller
//! of the log sees it.
//!
//! ```text
//! cargo bench --bench search -- [--messages 1000000]
//! ```
//!
//! `common/messages.rs` says what is in the messages.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails by panicking"
)]

#[path = "common/messages.rs"]
mod messages;

use std::time::{Duration, Instant};

use messages::{
    MESSAGE_INTERVAL, Random, START, append_messages, query, search, wait_until_indexed,
};
use pi_chat::log::{SqliteLog, StoreSettings};
use pi_chat::model::{NameKey, SearchQuery, Sequence, Timestamp};

/// Number of times that each search is repeated.
const REPETITIONS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|it| it == "--messages");
    let messages = at.and_then(|at| arguments.get(at + 1));
    let messages: u64 = messages.map_or(1_000_000, |it| it.parse().unwrap());
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings =
        StoreSettings { directory: directory.path().join("log"), ..StoreSettings::default() };
    let (mut log, _) = SqliteLog::open(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        append_messages(&mut log, &mut Random(1), 0..messages).await;
        println!("{messages} messages written in {:.1} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        wait_until_indexed(&mut log).await;
        println!("and made findable {:.1} s later", start.elapsed().as_secs_f64());
        let size = std::fs::metadata(directory.path().join("log/chat.db")).unwrap().len();
        println!("{:.0} bytes of database for each message", size as f64 / messages as f64);
        let slowest = measure_searches(&mut log, messages).await;
        println!("slowest median {:.1} ms", slowest.as_secs_f64() * 1e3);
    });
}

/// Measures various searches and prints their times. Returns the slowest median.
async fn measure_searches(log: &mut SqliteLog, messages: u64) -> Duration {
    let tenth = |part: u64| Some(Timestamp(START + messages / 10 * part * MESSAGE_INTERVAL));
    let from = |name: &str| Some(NameKey::of(name));
    let searches = [
        ("the most frequent word", "lobby", query("w1")),
        ("a frequent word, in the small room", "attic", query("w3")),
        ("a rare word", "lobby", query("w49000")),
        ("a rare word, in the small room", "attic", query("w49000")),
        ("a word that nobody said", "lobby attic", query("nothing")),
        ("five frequent words", "lobby", query("w1 w2 w3 w4 w5")),
        ("a frequent and a rare word", "lobby attic", query("w1 w40000")),
        ("a phrase", "lobby", query("\"w1 w2 w3\"")),
        ("a phrase that nobody said", "lobby", query("\"w9 w8 w7 w6 w5 w4\"")),
        ("the beginning of words", "lobby", query("w12*")),
        ("an author, any text", "lobby", SearchQuery { from: from("guest7"), ..query("") }),
        (
            "an author in the small room",
            "attic",
            SearchQuery { from: from("guest7"), ..query("w2") },
        ),
        ("an author who never was", "lobby", SearchQuery { from: from("nobody"), ..query("w1") }),
        ("a word, long ago", "lobby", SearchQuery { until: tenth(1), ..query("w1") }),
        (
            "a word, in a few days in between",
            "lobby",
            SearchQuery { since: tenth(4), until: tenth(5), ..query("w1000") },
        ),
        ("a later page", "lobby", SearchQuery { before: Sequence(messages / 2), ..query("w1") }),
    ];
    let mut slowest = Duration::ZERO;
    for (description, room, query) in searches {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..REPETITIONS {
            let start = Instant::now();
            found = search(log, room, query.clone()).await.expect("an answer").entries.len();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let (median, worst) = (times[REPETITIONS / 2], times[REPETITIONS - 1]);
        slowest = slowest.max(median);
        println!(
            "{description:40} {found:3} found, median {:7.2} ms, worst {:7.2} ms",
            median.as_secs_f64() * 1e3,
            worst.as_secs_f64() * 1e3
        );
    }
    slowest
}
