//! Reader threads: their job queues, and reads from the database while the writer writes.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;

use super::super::LogEvent;
use super::super::replay_page::ReplayPage;
use super::queries::{
    first_after, first_directs_after, keep_latest, latest_before, latest_directs, rooms_with_gaps,
};
use super::unwritten::Unwritten;
use super::{facts, rows, search, unwritten};
use crate::hub::{ReadFailed, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use crate::model::{SearchQuery, Sequence};
use crate::os::Clock;

/// Job for a reader thread: a read request, with the state of the log when the writer passed it on.
#[derive(Debug)]
pub(super) struct ReadJob {
    /// Tag of the read, which its answer repeats.
    pub(super) tag: ReadTag,
    /// Rooms, session and range to read.
    pub(super) request: ReadRequest,
    /// Last sequence of the log. The answer contains no entry after it.
    pub(super) head: Sequence,
    /// Entries and removals that are committed in memory but not in the database. `None` while the
    /// disk works: there are none, and the read fails if the database cannot be read.
    pub(super) unwritten: Option<Unwritten>,
}

/// Guard, held by a reader thread, that sends a signal when the thread ends, even by a panic. The
/// log then ends its events, because it is of no use without reader threads.
#[derive(Debug)]
pub(super) struct ThreadEndNotifier(pub(super) UnboundedSender<()>);

impl Drop for ThreadEndNotifier {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Maximum number of searches in the queue of the search thread. Further searches fail.
const MAX_QUEUED_SEARCHES: usize = 64;

/// Sending ends of the job queues of the two reader threads. Searches have their own thread, so
/// that other reads do not wait for searches.
#[derive(Debug)]
pub(super) struct ReadQueues {
    /// Queue of the search thread, bounded by [`MAX_QUEUED_SEARCHES`].
    searches: SyncSender<ReadJob>,
    /// Unbounded queue of the thread for all other reads.
    others: Sender<ReadJob>,
}

impl ReadQueues {
    /// Creates both queues. Returns the sending ends, the receiving end for searches, and the
    /// receiving end for all other reads.
    pub(super) fn new() -> (Self, Receiver<ReadJob>, Receiver<ReadJob>) {
        let (searches, to_search) = sync_channel(MAX_QUEUED_SEARCHES);
        let (others, to_read) = channel();
        (Self { searches, others }, to_search, to_read)
    }

    /// Queues a read for its reader thread.
    ///
    /// # Errors
    /// The tag of the read, if the search queue is full or the thread has ended. The read will not
    /// be performed.
    pub(super) fn send(&self, job: ReadJob) -> Result<(), ReadTag> {
        let refused = match job.request.range {
            ReadRange::Matching(_) => self.searches.try_send(job),
            ReadRange::Latest(_) | ReadRange::After(..) | ReadRange::Before(..) => {
                self.others.send(job).map_err(|it| TrySendError::Disconnected(it.0))
            }
        };
        refused.map_err(|error| match error {
            TrySendError::Full(job) => {
                tracing::debug!("too many searches are waiting");
                job.tag
            }
            TrySendError::Disconnected(job) => {
                tracing::error!("a bug has ended a thread that reads");
                job.tag
            }
        })
    }
}

/// Runs a reader thread: performs the reads in its job queue and sends a `ReadDone` for each. If
/// the database cannot be read while the disk fails, answers from the unwritten items alone, as
/// far as [`unwritten::outcome_without_database`] allows. Otherwise an error becomes
/// [`ReadFailed`]. Returns when the job queue or the event queue is closed.
pub(super) fn run_reader(
    connection: &mut Connection,
    clock: Clock,
    jobs: &Receiver<ReadJob>,
    events: &UnboundedSender<LogEvent>,
) {
    while let Ok(job) = jobs.recv() {
        let found = match &job.request.range {
            ReadRange::Matching(_) => {
                search::with_timeout(connection, clock, |it| perform_read(it, &job))
            }
            ReadRange::Latest(_) | ReadRange::After(..) | ReadRange::Before(..) => {
                perform_read(connection, &job)
            }
        };
        let found = found.or_else(|error| {
            // The database cannot be read. While the disk fails, unwritten entries may be the
            // answer.
            let nothing = job
                .unwritten
                .as_ref()
                .and_then(|_| unwritten::outcome_without_database(&job.request));
            nothing.ok_or_else(|| {
                tracing::error!("cannot read messages: {error}");
                ReadFailed
            })
        });
        let outcome = found.map(|found| match &job.unwritten {
            None => found,
            Some(unwritten) => unwritten.add_to(found, &job.request, job.head),
        });
        if events.send(LogEvent::ReadDone { tag: job.tag, outcome }).is_err() {
            return;
        }
    }
}

/// Performs a read on the database alone, in one transaction. The job's unwritten items are not
/// added. A search passes over the messages that unwritten removals remove.
fn perform_read(connection: &Connection, job: &ReadJob) -> rusqlite::Result<ReadOutcome> {
    let request = &job.request;
    // All queries see one state of the database.
    let transaction = connection.unchecked_transaction()?;
    let mut rooms = Vec::new();
    for room in &request.rooms {
        if let Some(known) = rows::find_room(&transaction, room.key())? {
            rooms.push(known);
        }
    }
    let mut page = ReplayPage::default();
    let ReplayPage { entries: found, removals } = &mut page;
    let mut more = false;
    match &request.range {
        ReadRange::Latest(count) => {
            for room in &rooms {
                latest_before(&transaction, room, job.head.next(), (*count).into(), found)?;
            }
            latest_directs(&transaction, request.session, job.head, (*count).into(), found)?;
        }
        ReadRange::Before(bound, count) => {
            let bound = (*bound).min(job.head.next());
            for room in &rooms {
                let limit = i64::from(*count) + 1;
                let mut page = BTreeMap::new();
                latest_before(&transaction, room, bound, limit, &mut page)?;
                more |= keep_latest(&mut page, *count);
                found.append(&mut page);
            }
        }
        ReadRange::After(sequence, count) => {
            let limit = i64::from(*count) + 1;
            for room in &rooms {
                first_after(&transaction, room, *sequence, job.head, limit, found)?;
            }
            first_directs_after(&transaction, request.session, *sequence, job.head, limit, found)?;
            let count = usize::from(*count);
            for room in &request.rooms {
                let (room, limit) = (room.key(), count.saturating_add(1));
                facts::removals_after(&transaction, room, *sequence, job.head, limit, removals)?;
            }
            more = page.keep_first(count);
        }
        ReadRange::Matching(query) => {
            let unwritten = job.unwritten.as_ref();
            let extra = unwritten.map_or(0, Unwritten::removal_count);
            let limit = query.limit.saturating_add(u16::try_from(extra).unwrap_or(u16::MAX));
            let wider = SearchQuery { limit, ..query.clone() };
            search::find_matches(&transaction, &rooms, &wider, job.head, found)?;
            found.retain(|_, entry| unwritten.is_none_or(|it| !it.removes(entry)));
            more = keep_latest(found, query.limit);
        }
    }
    let gaps = rooms_with_gaps(&transaction, request)?;
    let (entries, removals) =
        (page.entries.into_values().collect(), page.removals.into_values().collect());
    Ok(ReadOutcome { entries, removals, head: job.head, gaps, more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RoomName, SearchTerms};

    /// Returns a job that reads from the lobby while the disk fails, without unwritten entries.
    fn job(range: ReadRange) -> ReadJob {
        let rooms = vec![RoomName::lobby()];
        ReadJob {
            tag: ReadTag::without_hub(),
            request: ReadRequest { rooms, session: None, range },
            head: Sequence(9),
            unwritten: Some(Unwritten::default()),
        }
    }

    /// Returns a range that searches for "tea".
    fn search() -> ReadRange {
        ReadRange::Matching(SearchQuery {
            text: SearchTerms::new("tea").unwrap(),
            from: None,
            since: None,
            until: None,
            before: Sequence(9),
            limit: 1,
        })
    }

    #[test]
    fn unreadable_database_fails_history_and_search_but_not_replay() {
        let mut broken = Connection::open_in_memory().unwrap();
        let (jobs, to_do) = channel();
        let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
        let latest = ReadRange::Latest(5);
        let after = ReadRange::After(Sequence(3), 5);
        for range in [latest, after, ReadRange::Before(Sequence(9), 5), search()] {
            jobs.send(job(range)).unwrap();
        }
        drop(jobs);
        run_reader(&mut broken, Clock::start(), &to_do, &events);
        let mut outcome = || match told.try_recv().unwrap() {
            LogEvent::ReadDone { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome().unwrap().head, Sequence(9));
        assert_eq!(outcome().unwrap().gaps, [RoomName::lobby()]);
        assert_eq!(outcome(), Err(ReadFailed), "nobody knows what is before");
        assert_eq!(outcome(), Err(ReadFailed), "nobody knows what could be found");
    }

    #[test]
    fn full_search_queue_does_not_block_other_reads() {
        let (readers, to_search, to_read) = ReadQueues::new();
        for _ in 0..MAX_QUEUED_SEARCHES {
            readers.send(job(search())).unwrap();
        }
        assert_eq!(readers.send(job(search())), Err(ReadTag::without_hub()));
        readers.send(job(ReadRange::Latest(5))).unwrap();
        assert_eq!(to_read.try_recv().unwrap().request.range, ReadRange::Latest(5));
        assert_eq!(to_search.try_iter().count(), MAX_QUEUED_SEARCHES);
    }
}
