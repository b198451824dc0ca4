//! The thread that writes. What came while the last set of changes was
//! written goes into the next one.

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

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Job {
    /// Keep these, in this order. The number is the bytes that they take.
    Write(Vec<WriteRequest>, usize),
    /// Read this, when everything before is in the log.
    Read(ReadTag, ReadRequest),
    /// Keep messages so long from now on.
    SetRetention(Retention),
}

/// Items that are written together at the most.
const MAX_BATCH: usize = 4_096;

/// In `Relaxed`, what was written is synced after so long.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// While the disk takes nothing, it is tried so often.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Messages after which they are made findable and the room is looked
/// through for what is too much.
const MAINTENANCE_AFTER: usize = 256;

/// The thread's belongings.
pub(super) struct Writer {
    /// The database.
    pub(super) store: Store,
    /// What is handed out.
    pub(super) sequencer: Sequencer,
    /// What the owner wants.
    pub(super) settings: StoreSettings,
    /// The time.
    pub(super) clock: Clock,
    /// Where answers go.
    pub(super) events: UnboundedSender<LogEvent>,
    /// To the threads that read.
    pub(super) read_queues: ReadQueues,
    /// Bytes that wait for this thread.
    pub(super) queued_bytes: Arc<AtomicUsize>,
    /// How the disk fares, and what is owed to it.
    pub(super) state: WriterState,
}

/// How the disk fares, and what is owed to it.
pub(super) struct WriterState {
    /// What everybody was told last.
    storage_health: StorageHealth,
    /// What the disk has not taken.
    pending: PendingWrites,
    /// A write or a sync has failed: what was written before may not be on the
    /// disk although it seems so.
    is_wal_suspect: bool,
    /// When the disk is tried again.
    retry_at: Moment,
    /// When everything that was written then was synced.
    synced_at: Moment,
    /// Something was written since.
    is_unsynced: bool,
    /// Messages written since the last chores.
    entries_since_maintenance: usize,
    /// When chores are due.
    maintenance_at: Moment,
    /// Rooms in which something was said since they were looked through.
    touched_rooms: BTreeSet<NameKey>,
}

impl WriterState {
    /// All is well.
    pub(super) fn new(now: Moment, touched_rooms: BTreeSet<NameKey>) -> Self {
        Self {
            storage_health: StorageHealth::Sound,
            pending: PendingWrites::default(),
            is_wal_suspect: false,
            retry_at: now,
            synced_at: now,
            is_unsynced: false,
            entries_since_maintenance: 0,
            maintenance_at: now,
            touched_rooms,
        }
    }
}

impl Writer {
    /// Works until nobody has anything more to do; then leaves the database
    /// as one that was closed.
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

    /// How long nothing has to be done if nothing comes.
    fn time_until_due(&self) -> Duration {
        let mut at = self.state.maintenance_at;
        if self.state.is_unsynced {
            at = at.min(self.state.synced_at + SYNC_INTERVAL);
        }
        if self.state.storage_health != StorageHealth::Sound {
            at = at.min(self.state.retry_at);
        }
        at.since(self.clock.now())
    }

    /// Does jobs in their order: first everything that is to be kept, in one
    /// piece, then what is to be read.
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
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        for (tag, request) in reads {
            self.dispatch_read(tag, request);
        }
    }

    /// Puts requests into the log.
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

    /// A plan has become so: tells what there is to tell.
    fn complete_plan(&mut self, mut plan: Plan) {
        self.sequencer.commit(&mut plan);
        for change in &plan.changes {
            if let Change::Entry(entry) = change {
                self.state.entries_since_maintenance += 1;
                if let Target::Room(room) = &entry.draft.target {
                    self.state.touched_rooms.insert(room.key().clone());
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

    /// Writes changes, as durably as is wanted.
    fn write(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let now = self.clock.now();
        let is_due = now >= self.state.synced_at + SYNC_INTERVAL;
        let sync = if is_due || self.settings.durability == Durability::Strict {
            self.full_sync()
        } else {
            self.ordering_sync()
        };
        self.store.write(changes, sync)?;
        if is_due {
            self.state.synced_at = now;
        }
        self.state.is_unsynced = !is_due && self.settings.durability == Durability::Relaxed;
        Ok(())
    }

    /// The sync that has everything on the disk.
    const fn full_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Full }
    }

    /// The sync that only keeps the database whole.
    const fn ordering_sync(&self) -> SyncLevel {
        if self.settings.never_sync { SyncLevel::Off } else { SyncLevel::Ordered }
    }

    /// Hands a request to the thread that reads.
    fn dispatch_read(&mut self, tag: ReadTag, request: ReadRequest) {
        let is_sound = self.state.storage_health == StorageHealth::Sound;
        let unwritten = (!is_sound).then(|| self.state.pending.entries());
        let job = ReadJob { tag, request, head: self.sequencer.head, unwritten };
        if let Err(tag) = self.read_queues.send(job) {
            self.send_event(LogEvent::ReadDone { tag, outcome: Err(ReadFailed) });
        }
    }

    /// Tells whoever has the log; if nobody has it any more, nobody.
    fn send_event(&self, event: LogEvent) {
        let _ = self.events.send(event);
    }

    /// Writes what is left, and that the database was closed. If the disk still
    /// takes nothing, nothing is noted that is not so.
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
