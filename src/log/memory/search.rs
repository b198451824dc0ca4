//! Search thread: a search takes longer the larger the log is, so it does not run in the engine.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::{LogEvent, SEARCH_TIMEOUT};
use super::chunks::Chunks;
use crate::hub::{ReadFailed, ReadOutcome, ReadTag};
use crate::model::{SearchQuery, Sequence};
use crate::os::Clock;

/// Number of entries that are searched between two checks of [`SEARCH_TIMEOUT`].
const TIMEOUT_CHECK_ENTRIES: usize = 64;

/// Search to perform: the query, and a snapshot of the log at the time of the request.
#[derive(Debug)]
pub(super) struct SearchJob {
    /// Tag of the read, which its answer repeats.
    pub(super) tag: ReadTag,
    /// Filters that an entry must pass.
    pub(super) query: SearchQuery,
    /// Entries of each room that is searched.
    pub(super) rooms: Vec<Chunks>,
    /// Last sequence of the log.
    pub(super) head: Sequence,
}

/// Handle of the search thread. The thread starts with the first search. It ends when the handle is
/// dropped.
#[derive(Debug)]
pub(super) struct Searcher {
    /// Job queue of the thread; `None` before the first search.
    jobs: Option<Sender<SearchJob>>,
    /// Sending end of `events`, for the thread.
    sender: UnboundedSender<LogEvent>,
    /// Answers of the thread.
    events: UnboundedReceiver<LogEvent>,
}

impl Searcher {
    /// Creates a searcher without a thread.
    pub(super) fn new() -> Self {
        let (sender, events) = unbounded_channel();
        Self { jobs: None, sender, events }
    }

    /// Starts a search. One `ReadDone` answers it: [`Self::poll_event`] returns it. The search
    /// fails if it takes longer than [`SEARCH_TIMEOUT`], or if the operating system has no further
    /// thread.
    pub(super) fn search(&mut self, job: SearchJob) {
        let tag = job.tag.clone();
        if self.jobs.is_none() {
            let (jobs, to_do) = channel();
            let events = self.sender.clone();
            let thread = thread::Builder::new().name("log-search".to_owned());
            match thread.spawn(move || run(&to_do, &events)) {
                Ok(_) => self.jobs = Some(jobs),
                Err(error) => tracing::error!("cannot search: {error}"),
            }
        }
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            // The receiving end is in this struct.
            let _ = self.sender.send(LogEvent::ReadDone { tag, outcome: Err(ReadFailed) });
        }
    }

    /// Returns the next answer, as [`Log::poll_event`](super::Log::poll_event) does.
    pub(super) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        self.events.poll_recv(context)
    }
}

/// Runs the search thread: performs the searches in its job queue. Returns when the queue is
/// closed. If a search panics, only this search fails.
fn run(jobs: &Receiver<SearchJob>, events: &UnboundedSender<LogEvent>) {
    let clock = Clock::start();
    while let Ok(job) = jobs.recv() {
        let end = clock.now() + SEARCH_TIMEOUT;
        let found = catch_unwind(AssertUnwindSafe(|| perform(&job, || clock.now() > end)));
        let outcome = found.unwrap_or_else(|_| {
            tracing::error!("a bug in a search");
            Err(ReadFailed)
        });
        if events.send(LogEvent::ReadDone { tag: job.tag, outcome }).is_err() {
            return;
        }
    }
}

/// Performs a search: returns the latest matching entries of all rooms, up to the query's limit;
/// `more` is true if others match.
///
/// # Errors
/// [`ReadFailed`] if `is_late` has returned true.
fn perform(job: &SearchJob, is_late: impl Fn() -> bool) -> Result<ReadOutcome, ReadFailed> {
    let SearchJob { query, rooms, head, .. } = job;
    let most = usize::from(query.limit).saturating_add(1);
    let mut merged = BTreeMap::new();
    for room in rooms {
        let mut found = 0;
        for (index, entry) in room.newest_first().enumerate() {
            if index % TIMEOUT_CHECK_ENTRIES == 0 && is_late() {
                return Err(ReadFailed);
            }
            if query.matches(entry) {
                merged.insert(entry.sequence, entry.clone());
                found += 1;
            }
            if found == most {
                break;
            }
        }
    }
    let mut more = false;
    while merged.len() > usize::from(query.limit) {
        merged.pop_first();
        more = true;
    }
    let entries = merged.into_values().collect();
    Ok(ReadOutcome { entries, removals: Vec::new(), head: *head, gaps: Vec::new(), more })
}
