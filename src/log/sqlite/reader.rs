//! Reads from the log, beside whoever writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;

use super::super::LogEvent;
use super::queries::{
    first_after, first_directs_after, keep_latest, latest_before, latest_directs, rooms_with_gaps,
};
use super::{rows, search, unwritten};
use crate::hub::{ReadFailed, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use crate::model::{Sequence, SharedEntry};
use crate::os::Clock;

/// Something to read.
#[derive(Debug)]
pub(super) struct ReadJob {
    /// To be repeated in the answer.
    pub(super) tag: ReadTag,
    /// What to read.
    pub(super) request: ReadRequest,
    /// How far the log has come: nothing behind it is told.
    pub(super) head: Sequence,
    /// What is in the log but not in the database, in order. None: nothing
    /// is, and the database is believed to be sound.
    pub(super) unwritten: Option<Arc<[SharedEntry]>>,
}

/// Tells, when it is dropped, that a thread has ended: also when a bug ends
/// it, for the log is of no use then, although others still have something to
/// tell.
#[derive(Debug)]
pub(super) struct ThreadEndNotifier(pub(super) UnboundedSender<()>);

impl Drop for ThreadEndNotifier {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Searches that may wait; beyond that they are refused.
const MAX_QUEUED_SEARCHES: usize = 64;

/// To the two threads that read: nobody who joins waits for somebody's
/// search.
#[derive(Debug)]
pub(super) struct ReadQueues {
    /// To the one that searches.
    searches: SyncSender<ReadJob>,
    /// To the one that reads everything else.
    others: Sender<ReadJob>,
}

impl ReadQueues {
    /// Gives what the threads get: first the searches, then everything else.
    pub(super) fn new() -> (Self, Receiver<ReadJob>, Receiver<ReadJob>) {
        let (searches, to_search) = sync_channel(MAX_QUEUED_SEARCHES);
        let (others, to_read) = channel();
        (Self { searches, others }, to_search, to_read)
    }

    /// Hands something to the thread that reads such things; gives its tag
    /// back if it will not be read.
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

/// Reads what is asked for until nobody asks any more. Runs in a thread of
/// its own.
pub(super) fn run(
    connection: &mut Connection,
    clock: Clock,
    jobs: &Receiver<ReadJob>,
    events: &UnboundedSender<LogEvent>,
) {
    while let Ok(job) = jobs.recv() {
        let found = match &job.request.range {
            ReadRange::Matching(_) => search::with_timeout(connection, clock, |it| read(it, &job)),
            ReadRange::Latest(_) | ReadRange::After(..) | ReadRange::Before(..) => {
                read(connection, &job)
            }
        };
        let found = found.or_else(|error| {
            // The disk gives nothing, but there may be something in memory.
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
            Some(entries) => unwritten::add_unwritten(found, entries, &job.request, job.head),
        });
        if events.send(LogEvent::ReadDone { tag: job.tag, outcome }).is_err() {
            return;
        }
    }
}

/// Reads from the database.
fn read(connection: &Connection, job: &ReadJob) -> rusqlite::Result<ReadOutcome> {
    let request = &job.request;
    // One state of the database for all that follows.
    let transaction = connection.unchecked_transaction()?;
    let mut rooms = Vec::new();
    for room in &request.rooms {
        if let Some(known) = rows::find_room(&transaction, room.key())? {
            rooms.push(known);
        }
    }
    let mut found = BTreeMap::new();
    let mut more = false;
    match &request.range {
        ReadRange::Latest(count) => {
            for room in &rooms {
                latest_before(&transaction, room, job.head.next(), (*count).into(), &mut found)?;
            }
            latest_directs(&transaction, request.session, job.head, (*count).into(), &mut found)?;
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
                first_after(&transaction, room, *sequence, job.head, limit, &mut found)?;
            }
            first_directs_after(
                &transaction,
                request.session,
                *sequence,
                job.head,
                limit,
                &mut found,
            )?;
            while found.len() > usize::from(*count) {
                found.pop_last();
                more = true;
            }
        }
        ReadRange::Matching(query) => {
            search::find_matches(&transaction, &rooms, query, job.head, &mut found)?;
            more = keep_latest(&mut found, query.limit);
        }
    }
    let gaps = rooms_with_gaps(&transaction, request)?;
    Ok(ReadOutcome { entries: found.into_values().collect(), head: job.head, gaps, more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RoomName, SearchQuery, SearchTerms};

    /// Something to read in the lobby, while the disk takes nothing.
    fn job(range: ReadRange) -> ReadJob {
        let rooms = vec![RoomName::lobby()];
        ReadJob {
            tag: ReadTag::without_hub(),
            request: ReadRequest { rooms, session: None, range },
            head: Sequence(9),
            unwritten: Some(Arc::new([])),
        }
    }

    /// A search.
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
        run(&mut broken, Clock::start(), &to_do, &events);
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
