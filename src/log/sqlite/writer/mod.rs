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
use super::debt::Debt;
use super::ledger::{Change, Item, Ledger, Plan};
use super::reader::{ReadJob, Readers};
use super::settings::{Durability, StoreSettings};
use super::store::{Store, Sync};
use crate::hub::{ReadFailed, ReadRequest, ReadTag, StorageHealth};
use crate::model::{Moment, NameKey, Retention, Target};
use crate::os::Clock;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Job {
    /// Keep these, in this order. The number is the bytes that they take.
    Keep(Vec<Item>, usize),
    /// Read this, when everything before is in the log.
    Read(ReadTag, ReadRequest),
    /// Keep messages so long from now on.
    Retention(Retention),
}

/// Items that are written together at the most.
const BATCH: usize = 4_096;

/// In `Relaxed`, what was written is synced after so long.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// While the disk takes nothing, it is tried so often.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Messages after which they are made findable and the room is looked
/// through for what is too much.
const CHORES_AFTER: usize = 256;

/// The thread's belongings.
pub(super) struct Writer {
    /// The database.
    pub(super) store: Store,
    /// What is handed out.
    pub(super) ledger: Ledger,
    /// What the owner wants.
    pub(super) settings: StoreSettings,
    /// The time.
    pub(super) clock: Clock,
    /// Where answers go.
    pub(super) events: UnboundedSender<LogEvent>,
    /// To the threads that read.
    pub(super) reads: Readers,
    /// Bytes that wait for this thread.
    pub(super) waiting: Arc<AtomicUsize>,
    /// How the disk fares, and what is owed to it.
    pub(super) state: State,
}

/// How the disk fares, and what is owed to it.
pub(super) struct State {
    /// What everybody was told last.
    storage: StorageHealth,
    /// What the disk has not taken.
    debt: Debt,
    /// A write or a sync has failed: what was written before may not be on the
    /// disk although it seems so.
    is_doubtful: bool,
    /// When the disk is tried again.
    retry_at: Moment,
    /// When everything that was written then was synced.
    synced_at: Moment,
    /// Something was written since.
    is_unsynced: bool,
    /// Messages written since the last chores.
    since_chores: usize,
    /// When chores are due.
    chores_at: Moment,
    /// Rooms in which something was said since they were looked through.
    touched: BTreeSet<NameKey>,
}

impl State {
    /// All is well.
    pub(super) fn new(now: Moment, touched: BTreeSet<NameKey>) -> Self {
        Self {
            storage: StorageHealth::Sound,
            debt: Debt::default(),
            is_doubtful: false,
            retry_at: now,
            synced_at: now,
            is_unsynced: false,
            since_chores: 0,
            chores_at: now,
            touched,
        }
    }
}

impl Writer {
    /// Works until nobody has anything more to do; then leaves the database
    /// as one that was closed.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = VecDeque::new();
        loop {
            match jobs.recv_timeout(self.patience()) {
                Ok(job) => {
                    batch.push_back(job);
                    while batch.len() < BATCH
                        && let Ok(job) = jobs.try_recv()
                    {
                        batch.push_back(job);
                    }
                    self.work(&mut batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_at_the_time();
        }
        self.close();
    }

    /// How long nothing has to be done if nothing comes.
    fn patience(&self) -> Duration {
        let mut at = self.state.chores_at;
        if self.state.is_unsynced {
            at = at.min(self.state.synced_at + SYNC_INTERVAL);
        }
        if self.state.storage != StorageHealth::Sound {
            at = at.min(self.state.retry_at);
        }
        at.since(self.clock.now())
    }

    /// Does jobs in their order: first everything that is to be kept, in one
    /// piece, then what is to be read.
    fn work(&mut self, batch: &mut VecDeque<Job>) {
        let mut items = Vec::new();
        let mut reads = Vec::new();
        let mut bytes = 0;
        for job in batch.drain(..) {
            match job {
                Job::Keep(more, size) => {
                    items.extend(more);
                    bytes += size;
                }
                Job::Read(tag, request) => reads.push((tag, request)),
                Job::Retention(retention) => self.change_retention(retention),
            }
        }
        if !items.is_empty() {
            self.keep(items);
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        for (tag, request) in reads {
            self.pass_on(tag, request);
        }
    }

    /// Puts items into the log.
    fn keep(&mut self, items: Vec<Item>) {
        let plan = self.ledger.plan(self.ledger.head, items);
        if self.state.storage == StorageHealth::Sound {
            match self.write(&plan.changes) {
                Ok(()) => self.settle(plan),
                Err(error) => self.fail(&error, plan.into_items()),
            }
        } else {
            self.keep_in_memory(plan);
        }
    }

    /// A plan has become so: tells what there is to tell.
    fn settle(&mut self, mut plan: Plan) {
        self.ledger.apply(&mut plan);
        for change in &plan.changes {
            if let Change::Entry(entry) = change {
                self.state.since_chores += 1;
                if let Target::Room(room) = &entry.draft.target {
                    self.state.touched.insert(room.key().clone());
                }
            }
        }
        if self.state.since_chores >= CHORES_AFTER {
            self.state.chores_at = self.clock.now();
        }
        for event in plan.events {
            self.tell(event);
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
    const fn full_sync(&self) -> Sync {
        if self.settings.never_sync { Sync::Never } else { Sync::Full }
    }

    /// The sync that only keeps the database whole.
    const fn ordering_sync(&self) -> Sync {
        if self.settings.never_sync { Sync::Never } else { Sync::Order }
    }

    /// Hands a request to the thread that reads.
    fn pass_on(&mut self, tag: ReadTag, request: ReadRequest) {
        let is_sound = self.state.storage == StorageHealth::Sound;
        let unwritten = (!is_sound).then(|| self.state.debt.entries());
        let job = ReadJob { tag, request, head: self.ledger.head, unwritten };
        if let Err(tag) = self.reads.send(job) {
            self.tell(LogEvent::ReadDone { tag, outcome: Err(ReadFailed) });
        }
    }

    /// Tells whoever has the log; if nobody has it any more, nobody.
    fn tell(&self, event: LogEvent) {
        let _ = self.events.send(event);
    }

    /// Writes what is left, and that the database was closed. If the disk still
    /// takes nothing, nothing is noted that is not so.
    fn close(mut self) {
        if self.state.storage != StorageHealth::Sound {
            self.retry();
        }
        let lost = self.state.debt.entries().len();
        if self.state.storage != StorageHealth::Sound {
            tracing::error!("the disk takes nothing: {lost} messages that were seen are lost");
            return;
        }
        let to_note = self.ledger.to_note();
        if let Err(error) = self.store.close(&to_note, self.ledger.head, self.full_sync()) {
            tracing::error!("cannot close the log: {error}");
        }
    }
}
