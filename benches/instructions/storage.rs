//! Cases: the log on disk.

use std::future::poll_fn;

use pi_chat::hub::{Proposal, ReadRange, ReadRequest, ReadTag};
use pi_chat::log::{Log, LogEvent, SqliteLog, StoreSettings};
use pi_chat::model::RoomName;

use super::server::{draft, now};
use super::{Case, measured};

/// Function of the log's writer thread that writes a batch.
const WRITE: &str = "*log::sqlite::writer::Writer*write_requests";

/// Number of reads before a case begins. After each of them the writer thread does a step of what is
/// due when a log has been opened, and these are more than enough for all of it.
const READS: usize = 20;

/// Returns the cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("log-sqlite-batch-of-1", 100, || append_batches(100, 1)),
        case("log-sqlite-batch-of-16", 15, || append_batches(15, 16)),
        case("log-sqlite-batch-of-256", 1, || append_batches(1, 256)),
    ]
}

/// Creates a case in which the writer thread is counted, too.
fn case(name: &'static str, times: u64, run: fn()) -> Case {
    Case { counted_too: Some(WRITE), ..Case::new(name, times, run) }
}

/// Counts appends of batches of messages to a log on disk: each is a transaction. What the first
/// one prepares is shared by all. In all there are at most 256 messages: beyond that the writer
/// thread does maintenance between batches, and how much of it depends on the time.
fn append_batches(batches: u64, size: u64) {
    let directory = tempfile::tempdir_in(".").unwrap();
    // Without syncs, for whether one is due depends on the time.
    let settings = StoreSettings {
        directory: directory.path().join("log"),
        never_sync: true,
        ..StoreSettings::default()
    };
    let (mut log, _) = SqliteLog::open(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let next_event =
        |log: &mut SqliteLog| runtime.block_on(poll_fn(|context| log.poll_event(context))).unwrap();
    for _ in 0..READS {
        let rooms = vec![RoomName::lobby()];
        let request = ReadRequest { rooms, session: None, range: ReadRange::Latest(1) };
        log.read(ReadTag::without_hub(), request);
        assert!(matches!(next_event(&mut log), LogEvent::ReadDone { .. }));
    }
    // They are kept longer than the log: otherwise it would depend on the time which thread frees them.
    let mut committed = Vec::new();
    for batch in 0..batches {
        let first = 1 + batch * size;
        let mut proposals: Vec<Proposal> =
            (first..first + size).map(|it| Proposal::Message(draft(it))).collect();
        measured(&mut || log.propose(now(), std::mem::take(&mut proposals)));
        let mut missing = usize::try_from(size).unwrap();
        while missing > 0 {
            match next_event(&mut log) {
                LogEvent::Committed { items, .. } => {
                    missing -= items.len();
                    committed.extend(items);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    drop(log);
    drop(committed);
}
