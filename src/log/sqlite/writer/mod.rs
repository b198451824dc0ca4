//! Writer thread: assigns sequences and writes to the database. Each transaction writes everything
//! that arrived during the last one.
//!
//! | module | contents |
//! |---|---|
//! | `failure` | while the disk fails: commits in memory or refuses, and retries |
//! | `index_schedule` | when messages are added to the search index |
//! | `maintenance` | timers: sync, checkpoint, search index, retention |
//! | `replication` | what a follower's copy gets, and the ends of roles |
//! | `removed_texts` | timers: removed texts leave the write-ahead log and the search index |

mod failure;
mod index_schedule;
mod maintenance;
mod removed_texts;
mod replication;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use self::index_schedule::IndexSchedule;
use super::super::LogEvent;
use super::index_purge::IndexPurge;
use super::pending::PendingWrites;
use super::reader::{ReadJob, ReadQueues};
use super::replica::ReplicaJob;
use super::sequencer::{Change, Plan, Sequencer, WriteRequest};
use super::settings::{Durability, StoreSettings};
use super::store::{Store, SyncLevel};
use crate::hub::{ReadFailed, ReadRequest, ReadTag, StorageHealth};
use crate::model::{Moment, NameKey, Retention, Sequence, Target};
use crate::os::Clock;

/// Job for the writer thread.
#[derive(Debug)]
pub(super) enum Job {
    /// Write these requests, in this order. The number is the memory of their drafts, in bytes.
    Write(Vec<WriteRequest>, usize),
    /// Pass this read on to a reader thread, after all write jobs before it.
    Read(ReadTag, ReadRequest),
    /// Use these retention limits from now on.
    SetRetention(Retention),
    /// Do this for replication.
    Replica(ReplicaJob),
}

/// Maximum number of jobs handled together, with one transaction for all their requests.
const MAX_BATCH: usize = 4_096;

/// Time between syncs of the disk with [`Durability::Relaxed`], while messages are written.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum time between attempts to write while the disk fails.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Number of committed messages after which maintenance runs without waiting for its timer. No more
/// than a step of retention deletes, so that retention keeps up.
const MAINTENANCE_AFTER: usize = 256;

/// Writer thread, with everything that it owns.
pub(super) struct Writer {
    /// Write access to the database.
    pub(super) store: Store,
    /// Sequencer, which assigns sequences and links.
    pub(super) sequencer: Sequencer,
    /// Settings of the log.
    pub(super) settings: StoreSettings,
    /// Clock for timers and retention.
    pub(super) clock: Clock,
    /// Sending end of the log's event queue.
    pub(super) events: UnboundedSender<LogEvent>,
    /// Job queues of the reader threads.
    pub(super) read_queues: ReadQueues,
    /// Memory of the drafts that wait for this thread, in bytes; shared with [`super::SqliteLog`].
    pub(super) queued_draft_bytes: Arc<AtomicUsize>,
    /// Health of the storage, pending writes, timers and maintenance.
    pub(super) state: WriterState,
}

/// State of the writer: health of the storage, pending writes, timers and maintenance.
pub(super) struct WriterState {
    /// Health of the storage, as last reported.
    storage_health: StorageHealth,
    /// Changes that are committed in memory but not written. Empty while the storage is sound.
    pending: PendingWrites,
    /// True after a failed write or sync, until the write-ahead log is truncated. The write-ahead
    /// log may be incomplete on the disk, although it is read without an error.
    is_wal_suspect: bool,
    /// True if the clock was set before a refused draft, and no draft was committed since. The next
    /// commit reports the clock change.
    has_unreported_clock_change: bool,
    /// Time of the next attempt to write. Used only while the disk fails.
    retry_at: Moment,
    /// Time of the last full sync that was made because [`SYNC_INTERVAL`] had passed. Full syncs
    /// made only for [`Durability::Strict`] do not count. At first, the time when the log was
    /// opened.
    last_timed_sync: Moment,
    /// True if changes were written after the last full sync. Additions to the search index and
    /// deletions by retention do not count. May stay true after [`Writer::write_pending`], which
    /// syncs the changes but does not reset it.
    is_unsynced: bool,
    /// Number of messages committed, in the database or in memory, since maintenance was last
    /// complete.
    entries_since_maintenance: usize,
    /// Time of the next maintenance step.
    maintenance_at: Moment,
    /// When the next messages are added to the search index.
    index_schedule: IndexSchedule,
    /// Time at which the write-ahead log is truncated next, so that it holds no text that was
    /// removed; `None` if no text was removed since it was truncated.
    wal_truncation_at: Option<Moment>,
    /// Number of attempts to truncate the write-ahead log that readers have prevented since it was
    /// truncated.
    failed_wal_truncations: u32,
    /// Purge of the search index in progress.
    index_purge: Option<IndexPurge>,
    /// Time from which on the next purge of the search index may begin.
    index_purge_at: Moment,
    /// True if the copy was promoted: it takes no batch any more, and its head is not written again.
    is_over: bool,
    /// Head when it was last noted in session records up to where they are right; zero if this was
    /// not done since the log was opened.
    noted_up_to: Sequence,
    /// Rooms whose number of messages retention must check. At the start and after a change of the
    /// limits, all rooms are added. Later, each room that gets a message is added. Retention
    /// removes the rooms that are within the limit.
    rooms_to_trim: BTreeSet<NameKey>,
}

impl WriterState {
    /// Creates the state of a sound storage when the log is opened. Maintenance is due at once, and
    /// so is the truncation of the write-ahead log, which may hold texts that were removed in an
    /// earlier run.
    pub(super) fn new(now: Moment, rooms_to_trim: BTreeSet<NameKey>) -> Self {
        Self {
            storage_health: StorageHealth::Sound,
            pending: PendingWrites::default(),
            is_wal_suspect: false,
            has_unreported_clock_change: false,
            retry_at: now,
            last_timed_sync: now,
            is_unsynced: false,
            entries_since_maintenance: 0,
            maintenance_at: now,
            index_schedule: IndexSchedule::new(now),
            wal_truncation_at: Some(now),
            failed_wal_truncations: 0,
            index_purge: None,
            index_purge_at: now,
            is_over: false,
            noted_up_to: Sequence::ZERO,
            rooms_to_trim,
        }
    }
}

impl Writer {
    /// Runs the writer thread: handles jobs in batches, and the tasks that are due. When the
    /// sending end of the job queue is dropped, closes the database and returns.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = VecDeque::new();
        loop {
            match jobs.recv_timeout(self.next_due_at().since(self.clock.now())) {
                Ok(job) => {
                    batch.push_back(job);
                    while batch.len() < MAX_BATCH
                        && let Ok(job) = jobs.try_recv()
                    {
                        batch.push_back(job);
                    }
                    self.handle_jobs(&mut batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.state.is_over {
                self.run_due_tasks();
            }
        }
        self.close();
    }

    /// Returns the time at which [`Self::run_due_tasks`] has something to do next: a retry while
    /// the disk fails, else maintenance, indexing, a sync or the truncation of the write-ahead log.
    /// The returned time must not be earlier than that: the thread would spin until then.
    fn next_due_at(&self) -> Moment {
        if self.state.storage_health != StorageHealth::Sound {
            return self.state.retry_at;
        }
        if self.state.is_over {
            return self.clock.now() + RETRY_INTERVAL;
        }
        let sync_at = self.state.last_timed_sync + SYNC_INTERVAL;
        let others = [
            self.state.is_unsynced.then_some(sync_at),
            self.state.wal_truncation_at,
            Some(self.state.index_schedule.due_at()),
        ];
        others.into_iter().flatten().fold(self.state.maintenance_at, Moment::min)
    }

    /// Handles all jobs of the batch: sets retention limits, writes all requests in one
    /// transaction, then passes on the reads. So a read also sees requests that come after it in
    /// the batch.
    fn handle_jobs(&mut self, batch: &mut VecDeque<Job>) {
        let mut requests = Vec::new();
        let mut reads = Vec::new();
        let mut bytes = 0;
        for job in batch.drain(..) {
            match job {
                Job::Write(more, size) => {
                    requests.extend(more);
                    bytes += size;
                }
                Job::Read(tag, request) => reads.push((tag, request)),
                Job::SetRetention(retention) => self.set_retention(retention),
                Job::Replica(job) => self.handle_replica_job(job),
            }
        }
        if !requests.is_empty() {
            self.write_requests(requests);
            self.queued_draft_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        for (tag, request) in reads {
            self.dispatch_read(tag, request);
        }
    }

    /// Plans requests and commits them: in the database or, while the disk fails, in memory. If
    /// writing fails, enters failure mode.
    // Not inlined, so that the guard of instruction counts finds it (`benches/instructions/`).
    #[inline(never)]
    fn write_requests(&mut self, mut requests: Vec<WriteRequest>) {
        if requests.iter().any(WriteRequest::is_draft)
            && std::mem::take(&mut self.state.has_unreported_clock_change)
        {
            requests.insert(0, WriteRequest::ClockSet);
        }
        let plan = self.sequencer.plan(self.sequencer.head, requests);
        if self.state.storage_health == StorageHealth::Sound {
            match self.write(&plan.changes) {
                Ok(()) => self.complete_plan(plan),
                Err(error) => self.enter_failure_mode(&error, plan.into_requests()),
            }
        } else {
            self.keep_in_memory(plan);
        }
    }

    /// Makes a plan effective and sends its events. Call it when the plan's changes are committed.
    /// If [`MAINTENANCE_AFTER`] messages were committed since maintenance was last complete, makes
    /// maintenance due at once.
    fn complete_plan(&mut self, mut plan: Plan) {
        self.sequencer.commit(&mut plan);
        self.state.has_unreported_clock_change |= plan.has_unreported_clock_change;
        if plan.changes.iter().any(|it| it.removal().is_some()) {
            self.request_wal_truncation();
        }
        let now = self.clock.now();
        let mut room_messages = 0;
        for change in &plan.changes {
            if let Change::Entry(entry) = change {
                self.state.entries_since_maintenance += 1;
                if let Target::Room(room) = &entry.draft.target {
                    room_messages += 1;
                    self.state.rooms_to_trim.insert(room.key().clone());
                }
            }
        }
        if self.state.entries_since_maintenance >= MAINTENANCE_AFTER {
            self.state.maintenance_at = now;
        }
        self.state.index_schedule.on_committed(room_messages, now);
        for event in plan.events {
            self.send_event(event);
        }
    }

    /// Writes changes in one transaction. The transaction is fully synced with
    /// [`Durability::Strict`], or if the last timed sync was at least [`SYNC_INTERVAL`] ago.
    ///
    /// # Errors
    /// None of the changes is written.
    fn write(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let is_due = now >= self.state.last_timed_sync + SYNC_INTERVAL;
        let sync = if is_due || self.settings.durability == Durability::Strict {
            self.full_sync()
        } else {
            self.ordering_sync()
        };
        self.store.write(changes, sync)?;
        if is_due {
            self.state.last_timed_sync = now;
        }
        self.state.is_unsynced = !is_due && self.settings.durability == Durability::Relaxed;
        Ok(())
    }

    /// Returns the sync level that makes every commit durable; [`SyncLevel::Off`] if a test forbids
    /// syncs.
    const fn full_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Full }
    }

    /// Returns the sync level that only keeps the database intact; [`SyncLevel::Off`] if a test
    /// forbids syncs.
    const fn ordering_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Ordered }
    }

    /// Passes a read on to a reader thread. While the disk fails, adds the unwritten items. If
    /// the reader thread cannot take the read, answers it with [`ReadFailed`].
    fn dispatch_read(&mut self, tag: ReadTag, request: ReadRequest) {
        let is_sound = self.state.storage_health == StorageHealth::Sound;
        let unwritten = (!is_sound).then(|| self.state.pending.unwritten());
        let job = ReadJob { tag, request, head: self.sequencer.head, unwritten };
        if let Err(tag) = self.read_queues.send(job) {
            self.send_event(LogEvent::ReadDone { tag, outcome: Err(ReadFailed) });
        }
    }

    /// Sends an event to the owner of the log. Does nothing if the receiving end is closed or
    /// dropped.
    fn send_event(&self, event: LogEvent) {
        let _ = self.events.send(event);
    }

    /// Writes pending changes and last references, and marks the database as properly closed. If
    /// the disk still fails, pending changes are lost and the database is not marked.
    fn close(mut self) {
        if self.state.storage_health != StorageHealth::Sound {
            self.retry_writes();
        }
        let lost = self.state.pending.unwritten().entries.len();
        if self.state.storage_health != StorageHealth::Sound {
            tracing::error!(
                "the disk cannot be written to: {lost} messages that were seen are lost"
            );
            return;
        }
        if self.state.is_over {
            // The head in the database is another one, and it is marked as closed.
            return;
        }
        let references = self.sequencer.unpersisted_references();
        if let Err(error) = self.store.close(&references, self.sequencer.head, self.full_sync()) {
            tracing::error!("cannot close the log: {error}");
        }
    }
}
