//! Writer thread: writes everything that arrived during its last transaction in the next one.
//!
//! | module | contents |
//! |---|---|
//! | `failure` | memory-only and refusing operation while the disk fails, retries |
//! | `maintenance` | timers: sync, checkpoint, search index, retention |

mod failure;
mod maintenance;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::super::LogEvent;
use super::pending::PendingWrites;
use super::reader::{ReadJob, ReadQueues};
use super::sequencer::{Change, Plan, Sequencer, WriteRequest};
use super::settings::{Durability, StoreSettings};
use super::store::{Store, SyncLevel};
use crate::hub::{ReadFailed, ReadRequest, ReadTag, StorageHealth};
use crate::model::{Moment, NameKey, Retention, Target};
use crate::os::Clock;

/// Job for the writer thread.
#[derive(Debug)]
pub(super) enum Job {
    /// Write these requests, in this order. The number is their memory, in bytes.
    Write(Vec<WriteRequest>, usize),
    /// Pass this read on to a reader thread, after all jobs before it.
    Read(ReadTag, ReadRequest),
    /// Use these retention limits from now on.
    SetRetention(Retention),
}

/// Maximum number of jobs handled together.
const MAX_BATCH: usize = 4_096;

/// Maximum time between syncs of the disk, with [`Durability::Relaxed`].
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Time between attempts to write while the disk fails.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Number of messages after which maintenance (indexing and retention) is run.
const MAINTENANCE_AFTER: usize = 256;

/// State of the writer thread.
pub(super) struct Writer {
    /// Write access to the database.
    pub(super) store: Store,
    /// Source of sequences and links.
    pub(super) sequencer: Sequencer,
    /// Settings of the log.
    pub(super) settings: StoreSettings,
    /// Clock, for timers and retention.
    pub(super) clock: Clock,
    /// Queue of events to the log's user.
    pub(super) events: UnboundedSender<LogEvent>,
    /// Queues of the reader threads.
    pub(super) read_queues: ReadQueues,
    /// Memory of the requests that wait for this thread, in bytes; shared with
    /// [`super::SqliteLog`].
    pub(super) queued_draft_bytes: Arc<AtomicUsize>,
    /// State of storage, timers and maintenance.
    pub(super) state: WriterState,
}

/// State of the writer's storage, timers and maintenance.
pub(super) struct WriterState {
    /// Health of the storage, as reported last.
    storage_health: StorageHealth,
    /// Changes that are committed but could not be written.
    pending: PendingWrites,
    /// True after a failed write or sync: the write-ahead log may be incomplete on the disk
    /// although it reads as if it were complete.
    is_wal_suspect: bool,
    /// Time of the next attempt to write while the disk fails.
    retry_at: Moment,
    /// Time of the last full sync that was due by [`SYNC_INTERVAL`].
    last_timed_sync: Moment,
    /// True if changes were written since the last full sync. Additions to the search index do not
    /// count.
    is_unsynced: bool,
    /// Number of messages committed since the last complete maintenance.
    entries_since_maintenance: usize,
    /// Time of the next maintenance.
    maintenance_at: Moment,
    /// Rooms with new messages since retention last finished with them.
    rooms_to_trim: BTreeSet<NameKey>,
}

impl WriterState {
    /// Creates the state of a healthy storage. `rooms_to_trim` are the rooms to check for
    /// retention.
    pub(super) fn new(now: Moment, rooms_to_trim: BTreeSet<NameKey>) -> Self {
        Self {
            storage_health: StorageHealth::Sound,
            pending: PendingWrites::default(),
            is_wal_suspect: false,
            retry_at: now,
            last_timed_sync: now,
            is_unsynced: false,
            entries_since_maintenance: 0,
            maintenance_at: now,
            rooms_to_trim,
        }
    }
}

impl Writer {
    /// Runs the writer thread until all senders of jobs are dropped, then closes the database.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = VecDeque::new();
        loop {
            match jobs.recv_timeout(self.time_until_due()) {
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
            self.run_due_tasks();
        }
        self.close();
    }

    /// Returns the time until the next timer expires.
    fn time_until_due(&self) -> Duration {
        let mut at = self.state.maintenance_at;
        if self.state.is_unsynced {
            at = at.min(self.state.last_timed_sync + SYNC_INTERVAL);
        }
        if self.state.storage_health != StorageHealth::Sound {
            at = at.min(self.state.retry_at);
        }
        at.since(self.clock.now())
    }

    /// Handles jobs: first writes all requests in one transaction, then passes on the reads.
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

    /// Plans requests and commits them: in the database, or in memory while the disk fails.
    fn write_requests(&mut self, requests: Vec<WriteRequest>) {
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

    /// Makes a plan effective once its changes are committed, and sends its events.
    fn complete_plan(&mut self, mut plan: Plan) {
        self.sequencer.commit(&mut plan);
        for change in &plan.changes {
            if let Change::Entry(entry) = change {
                self.state.entries_since_maintenance += 1;
                if let Target::Room(room) = &entry.draft.target {
                    self.state.rooms_to_trim.insert(room.key().clone());
                }
            }
        }
        if self.state.entries_since_maintenance >= MAINTENANCE_AFTER {
            self.state.maintenance_at = self.clock.now();
        }
        for event in plan.events {
            self.send_event(event);
        }
    }

    /// Writes changes in one transaction, as durably as configured; in any case with a full sync if
    /// the last full sync is [`SYNC_INTERVAL`] ago.
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

    /// Returns the sync level that makes everything durable.
    const fn full_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Full }
    }

    /// Returns the sync level that only keeps the database intact.
    const fn ordering_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Ordered }
    }

    /// Passes a read on to a reader thread, with the unwritten entries if the disk fails.
    fn dispatch_read(&mut self, tag: ReadTag, request: ReadRequest) {
        let is_sound = self.state.storage_health == StorageHealth::Sound;
        let unwritten = (!is_sound).then(|| self.state.pending.entries());
        let job = ReadJob { tag, request, head: self.sequencer.head, unwritten };
        if let Err(tag) = self.read_queues.send(job) {
            self.send_event(LogEvent::ReadDone { tag, outcome: Err(ReadFailed) });
        }
    }

    /// Sends an event; does nothing if the log has been dropped.
    fn send_event(&self, event: LogEvent) {
        let _ = self.events.send(event);
    }

    /// Writes what is pending and marks the database as properly closed. If the disk still fails,
    /// it is not marked, and what is pending is lost.
    fn close(mut self) {
        if self.state.storage_health != StorageHealth::Sound {
            self.retry_writes();
        }
        let lost = self.state.pending.entries().len();
        if self.state.storage_health != StorageHealth::Sound {
            tracing::error!("the disk takes nothing: {lost} messages that were seen are lost");
            return;
        }
        let references = self.sequencer.unpersisted_references();
        if let Err(error) = self.store.close(&references, self.sequencer.head, self.full_sync()) {
            tracing::error!("cannot close the log: {error}");
        }
    }
}
