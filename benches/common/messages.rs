//! Messages for a log on disk, the same in each run.
//!
//! Words are as frequent as in ordinary language (Zipf's law: the n-th most frequent word is n
//! times rarer than the first). Most messages are in one room.

use std::future::poll_fn;
use std::ops::Range;
use std::time::Duration;

use pi_chat::hub::{Now, Proposal, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use pi_chat::log::{Log, LogEvent, SqliteLog};
use pi_chat::model::{
    Draft, MessageText, Moment, Reference, RoomName, SearchQuery, SearchTerms, Sequence, SessionId,
    Style, Target, Timestamp, Username,
};

/// Number of different words.
const VOCABULARY_SIZE: u64 = 50_000;

/// Number of messages that are written together.
const BATCH: u64 = 1_000;

/// Time of the first message.
pub(crate) const START: u64 = 1_700_000_000_000;

/// Milliseconds between two batches, for each message of them.
pub(crate) const MESSAGE_INTERVAL: u64 = 60_000;

/// Pseudo-random number generator with a fixed seed, so that all runs use the same messages.
pub(crate) struct Random(pub(crate) u64);

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

/// Appends the messages with these numbers, all of session 1, in batches of 1,000.
pub(crate) async fn append_messages(log: &mut SqliteLog, random: &mut Random, numbers: Range<u64>) {
    let mut reference = numbers.start;
    while reference < numbers.end {
        let time = Timestamp(START + reference * MESSAGE_INTERVAL);
        let proposals: Vec<Proposal> = (0..BATCH.min(numbers.end - reference))
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

/// Waits until all messages can be found: the log refuses to search until then.
pub(crate) async fn wait_until_indexed(log: &mut SqliteLog) {
    while search(log, "lobby", query("w1")).await.is_none() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A query for these words, without filters.
pub(crate) fn query(text: &str) -> SearchQuery {
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
pub(crate) async fn search(
    log: &mut SqliteLog,
    room: &str,
    query: SearchQuery,
) -> Option<ReadOutcome> {
    let rooms = room.split(' ').map(|it| RoomName::new(it).unwrap()).collect();
    let range = ReadRange::Matching(query);
    log.read(ReadTag::without_hub(), ReadRequest { rooms, session: None, range });
    match poll_fn(|context| log.poll_event(context)).await.unwrap() {
        LogEvent::ReadDone { outcome, .. } => outcome.ok(),
        other => panic!("{other:?}"),
    }
}
