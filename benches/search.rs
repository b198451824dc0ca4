//! Benchmark of the search: time of a search among a million messages in a log on disk, as a caller
//! of the log sees it.
//!
//! ```text
//! cargo bench --bench search -- [--messages 1000000]
//! ```
//!
//! Words are as frequent as in ordinary language (Zipf's law: the n-th most frequent word is n
//! times rarer than the first). Most messages are in one room.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails by panicking"
)]

use std::future::poll_fn;
use std::time::{Duration, Instant};

use pi_chat::hub::{Now, Proposal, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use pi_chat::log::{Log, LogEvent, SqliteLog, StoreSettings};
use pi_chat::model::{
    Draft, MessageText, Moment, NameKey, Reference, RoomName, SearchQuery, SearchTerms, Sequence,
    SessionId, Style, Target, Timestamp, Username,
};

/// Number of different words.
const VOCABULARY_SIZE: u64 = 50_000;

/// Number of times that each search is repeated.
const REPETITIONS: usize = 7;

/// Milliseconds between two messages.
const MESSAGE_INTERVAL: u64 = 60_000;

/// Pseudo-random number generator with a fixed seed, so that all runs use the same messages.
struct Random(u64);

impl Random {
    /// Returns a random number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Returns a random word, distributed by Zipf's law.
    fn word(&mut self) -> String {
        let exponent = self.below(1_000_000) as f64 / 1_000_000.0;
        format!("w{}", (VOCABULARY_SIZE as f64).powf(exponent) as u64)
    }
}

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
        append_messages(&mut log, messages).await;
        println!("{messages} messages written in {:.1} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        while search(&mut log, "lobby", query("w1")).await.is_none() {
            // The log refuses to search until all messages are indexed.
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("and made findable {:.1} s later", start.elapsed().as_secs_f64());
        let size = std::fs::metadata(directory.path().join("log/chat.db")).unwrap().len();
        println!("{:.0} bytes of database for each message", size as f64 / messages as f64);
        let slowest = measure_searches(&mut log, messages).await;
        println!("slowest median {:.1} ms", slowest.as_secs_f64() * 1e3);
    });
}

/// Appends this many random messages, in batches of 1,000.
async fn append_messages(log: &mut SqliteLog, messages: u64) {
    let mut random = Random(1);
    let mut reference = 0;
    while reference < messages {
        let time = Timestamp(1_700_000_000_000 + reference * MESSAGE_INTERVAL);
        let proposals: Vec<Proposal> = (0..1_000)
            .map(|_| {
                reference += 1;
                let words: Vec<String> = (0..4 + random.below(12)).map(|_| random.word()).collect();
                let room = if random.below(100) == 0 { "attic" } else { "lobby" };
                Proposal::Message(Draft {
                    person: None,
                    session: SessionId(1),
                    username: Username::new(&format!("guest{}", random.below(50))).unwrap(),
                    reference: Reference(reference),
                    target: Target::Room(RoomName::new(room).unwrap()),
                    style: Style::SAID,
                    text: MessageText::new(&words.join(" ")).unwrap(),
                })
            })
            .collect();
        let since_start = Duration::from_millis(reference * MESSAGE_INTERVAL);
        log.propose(Now { moment: Moment::after_start(since_start), time }, proposals);
        match poll_fn(|context| log.poll_event(context)).await.unwrap() {
            LogEvent::Committed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A query for these words, without filters.
fn query(text: &str) -> SearchQuery {
    SearchQuery {
        text: SearchTerms::new(text).unwrap(),
        from: None,
        since: None,
        until: None,
        before: Sequence(u64::MAX),
        limit: 50,
    }
}

/// Searches some rooms, separated by blanks. Returns none if the log refuses.
async fn search(log: &mut SqliteLog, room: &str, query: SearchQuery) -> Option<ReadOutcome> {
    let rooms = room.split(' ').map(|it| RoomName::new(it).unwrap()).collect();
    let range = ReadRange::Matching(query);
    log.read(ReadTag::without_hub(), ReadRequest { rooms, session: None, range });
    match poll_fn(|context| log.poll_event(context)).await.unwrap() {
        LogEvent::ReadDone { outcome, .. } => outcome.ok(),
        other => panic!("{other:?}"),
    }
}

/// Measures various searches and prints their times. Returns the slowest median.
async fn measure_searches(log: &mut SqliteLog, messages: u64) -> Duration {
    let tenth =
        |part: u64| Some(Timestamp(1_700_000_000_000 + messages / 10 * part * MESSAGE_INTERVAL));
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
