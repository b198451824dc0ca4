//! The thread that writes. What came while the last set of changes was
//! written goes into the next one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::ErrorCode;
use tokio::sync::mpsc::UnboundedSender;

use super::super::LogEvent;
use super::debt::Debt;
use super::ledger::{Change, Item, Ledger, Plan};
use super::opening;
use super::reader::{ReadJob, Readers};
use super::search;
use super::settings::{Durability, OnFailure, StoreSettings};
use super::store::{Store, Sync};
use crate::hub::{Now, ReadFailed, ReadRequest, ReadTag, StorageHealth};
use crate::model::{Moment, NameKey, Retention, Sequence, Target};
use crate::os::{Clock, random_bytes};

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

/// Bytes of messages that are kept in memory while the disk takes nothing;
/// beyond that they are refused.
const MAX_UNWRITTEN: usize = 32 << 20;

/// Messages after which they are made findable and the room is looked
/// through for what is too much.
const CHORES_AFTER: usize = 256;

/// Whether or not anything is said, the same is done so often.
const CHORES_INTERVAL: Duration = Duration::from_secs(600);

/// So long until the next step, if there is more to do.
const NEXT_CHORE: Duration = Duration::from_millis(10);

/// Messages that are made findable at one time.
const INDEX_STEP: usize = 500;

/// The least step of the sequence when the disk takes nothing any more.
/// Positions of what is then said stay ahead of everything that the
/// database could come to, should it be lost.
const LEAP: u64 = 1 << 32;

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

    /// Keeps messages so long from now on: looks through all rooms soon.
    fn change_retention(&mut self, retention: Retention) {
        self.settings.retention = retention;
        self.state.chores_at = self.clock.now();
        match opening::last_in_rooms(&self.store.connection) {
            Ok(lasts) => self.state.touched.extend(lasts.into_keys()),
            Err(error) => tracing::warn!("cannot look through the rooms: {error}"),
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

    /// The disk takes nothing any more.
    fn fail(&mut self, error: &rusqlite::Error, items: Vec<Item>) {
        tracing::error!("cannot write messages; trying again every 2 s: {error}");
        self.state.is_doubtful = true;
        self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        let storage = match self.settings.on_failure {
            OnFailure::Continue => StorageHealth::MemoryOnly,
            OnFailure::Refuse => StorageHealth::Refusing,
        };
        self.change_storage(storage);
        // Positions of what is only in memory must not be mistaken for those of
        // what will be said if it is lost.
        let head = match (storage, random_bytes()) {
            (StorageHealth::MemoryOnly, Ok(random)) => {
                let leap = LEAP.saturating_add(u64::from_be_bytes(random) >> 28);
                Sequence(self.ledger.head.0.saturating_add(leap))
            }
            _ => self.ledger.head,
        };
        let plan = self.ledger.plan(head, items);
        self.keep_in_memory(plan);
    }

    /// Keeps what it may in memory, until the disk takes it. Of sessions that
    /// is everything.
    fn keep_in_memory(&mut self, plan: Plan) {
        let bytes: usize = plan.changes.iter().map(Change::bytes).sum();
        let is_full = self.state.debt.bytes() + bytes > MAX_UNWRITTEN;
        if self.state.storage == StorageHealth::MemoryOnly && is_full {
            tracing::error!("too much is kept in memory; messages are refused until it is written");
            self.change_storage(StorageHealth::Refusing);
        }
        let plan =
            if self.state.storage == StorageHealth::Refusing { self.refuse(plan) } else { plan };
        self.state.debt.add(&plan.changes);
        self.settle(plan);
    }

    /// Tells the authors that their messages are not taken; gives what is
    /// left.
    fn refuse(&self, plan: Plan) -> Plan {
        let mut left = Vec::new();
        for item in plan.into_items() {
            match item {
                Item::Draft(_, draft) => {
                    let (session, reference) = (draft.session, draft.reference);
                    self.tell(LogEvent::NotStored { session, reference });
                }
                Item::ClockSet => {}
                Item::Session(_) | Item::Ended(_) => left.push(item),
            }
        }
        self.ledger.plan(self.ledger.head, left)
    }

    /// Tries to write what could not be written.
    fn retry(&mut self) {
        if let Err(error) = self.write_unwritten() {
            tracing::debug!("still cannot write messages: {error}");
            self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        } else {
            self.change_storage(StorageHealth::Sound);
        }
    }

    /// Writes what could not be written, and has it on the disk.
    fn write_unwritten(&mut self) -> rusqlite::Result<()> {
        if self.state.is_doubtful {
            self.store.begin_anew()?;
            self.state.is_doubtful = false;
        }
        let debt = std::mem::take(&mut self.state.debt);
        if let Err(error) = self.write(debt.changes()) {
            self.state.debt = debt;
            self.state.is_doubtful = true;
            return Err(error);
        }
        // Even if there was nothing, something has to be written: else
        // nothing is learnt of the disk.
        let synced = self.store.sync(self.ledger.head, self.full_sync());
        self.state.is_doubtful = synced.is_err();
        synced
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

    /// Makes some messages findable; gives how many. It need not be on the
    /// disk: it can be done again.
    fn index(&mut self) -> rusqlite::Result<usize> {
        let sync = self.ordering_sync();
        self.store.ask(sync)?;
        let transaction = self.store.connection.transaction()?;
        let (_, count) = search::index(&transaction, INDEX_STEP)?;
        if count > 0 {
            transaction.commit()?;
        }
        Ok(count)
    }

    /// Does what is due.
    fn look_at_the_time(&mut self) {
        let now = self.clock.now();
        if self.state.storage != StorageHealth::Sound {
            if now >= self.state.retry_at {
                self.retry();
            }
            self.state.chores_at = self.state.chores_at.max(self.state.retry_at);
            return;
        }
        if self.state.is_unsynced && now >= self.state.synced_at + SYNC_INTERVAL {
            match self.store.sync(self.ledger.head, self.full_sync()) {
                Ok(()) => {
                    self.state.synced_at = now;
                    self.state.is_unsynced = false;
                }
                Err(error) => return self.fail(&error, Vec::new()),
            }
        }
        if let Err(error) = self.store.bring_home() {
            return self.fail(&error, Vec::new());
        }
        if now >= self.state.chores_at {
            match self.do_chores() {
                Ok(true) => self.state.chores_at = now + NEXT_CHORE,
                Ok(false) => {
                    self.state.chores_at = now + CHORES_INTERVAL;
                    self.state.since_chores = 0;
                }
                // What a failed sync leaves is not to be believed, whatever it was for.
                Err(error) if is_of_disk(&error) => self.fail(&error, Vec::new()),
                Err(error) => {
                    tracing::warn!("cannot tidy up: {error}");
                    self.state.chores_at = now + CHORES_INTERVAL;
                }
            }
        }
    }

    /// Makes messages findable, forgets what is too much, notes references:
    /// some of it. Says whether there is more.
    fn do_chores(&mut self) -> rusqlite::Result<bool> {
        let mut more = self.index()? == INDEX_STEP;
        // What is forgotten next must not be needed to know who said what.
        let to_note = self.ledger.to_note();
        if !to_note.is_empty() {
            self.write(&to_note)?;
            self.ledger.is_noted();
        }
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let retention = self.settings.retention;
        let step = self.store.forget(retention, &self.state.touched, now, self.ledger.head)?;
        for room in &step.rooms {
            self.ledger.forget_room(room);
        }
        for room in &step.done {
            self.state.touched.remove(room);
        }
        more |= step.more;
        Ok(more)
    }

    /// Tells of the disk's state, if it is another one.
    fn change_storage(&mut self, storage: StorageHealth) {
        if self.state.storage != storage {
            match storage {
                StorageHealth::Sound => tracing::info!("messages can be written again"),
                StorageHealth::MemoryOnly => tracing::error!("messages are kept in memory only"),
                StorageHealth::Refusing => tracing::error!("messages are refused"),
                // That is said of the log by others.
                StorageHealth::Stalled => {}
            }
            self.state.storage = storage;
            self.tell(LogEvent::Storage(storage));
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

/// Whether it is the disk that has failed, not what is on it.
fn is_of_disk(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
        )
    )
}
