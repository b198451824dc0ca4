//! The log that outlives restarts: a directory with an SQLite database.
//!
//! ```text
//! engine ─ SqliteLog ─ jobs ─▶ writer ─ reads ─▶ readers
//!             ▲                  │ committed        │ found
//!             └───── events ◀────┴──────────────────┘
//! ```
//!
//! Threads, for SQLite blocks. The writer gives sequences, writes all that has
//! come since the last time in one transaction, and tells what it has written. A request to read takes the
//! same way, so that it finds what was given before it; a reader then reads beside the writer. There are two
//! of them: a search may take long, and nobody who joins shall wait for it.
//! What is promised is in `docs/durability.md`.
//!
//! | file | what it is about |
//! |---|---|
//! | `settings` | what can be set, and why it may not open |
//! | `directory` | the directory and its lock |
//! | `schema`, `database`, `rows` | tables, connections, messages as rows |
//! | `opening` | what is found when the log is opened, and by which name it goes on |
//! | `ledger` | sequences and links; no disk |
//! | `store`, `writer` | writing, syncing, what becomes of it when the disk takes nothing |
//! | `reader`, `queries`, `search`, `unwritten` | reading, searching, and what is not on the disk |
//! | `debt`, `voids` | what the disk has not taken, and the sequences that are left out then |
//! | `retention` | forgetting |

pub(crate) mod database;
mod debt;
pub(crate) mod directory;
mod ledger;
pub(crate) mod opening;
mod queries;
mod reader;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod search;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod unwritten;
mod voids;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use settings::{Durability, OnFailure, StoreError, StoreSettings};

use self::directory::Directory;
use self::ledger::{Item, Ledger};
use self::reader::{Ending, Readers};
use self::store::Store;
use self::writer::{Job, State, Writer};
use super::{Log, LogEvent, Stamper};
use crate::hub::{Now, ReadRequest, ReadTag, RestoredState};
use crate::model::{Draft, Retention, RoomName, ServerId, SessionId, SessionRecord};
use crate::os::Clock;

/// Bytes of messages that may wait for the disk; beyond that they are
/// refused.
const MAX_WAITING: usize = 32 << 20;

/// A log on disk. Dropping it closes it.
#[derive(Debug)]
pub struct SqliteLog {
    /// To the thread that writes. None: it is to end.
    jobs: Option<mpsc::Sender<Job>>,
    /// From all threads.
    events: UnboundedReceiver<LogEvent>,
    /// From the threads that read, when they end. While this log is in use,
    /// only a bug ends them, or the end of the thread that writes.
    endings: UnboundedReceiver<()>,
    /// What was answered at once.
    answered: VecDeque<LogEvent>,
    /// Gives the times.
    stamper: Stamper,
    /// Bytes that wait for the thread that writes.
    waiting: Arc<AtomicUsize>,
    /// Ended in this order.
    threads: Vec<JoinHandle<()>>,
    /// Which server it belongs to.
    server_id: ServerId,
    /// Held until all threads have ended.
    _directory: Directory,
}

impl SqliteLog {
    /// Opens the log in a directory, or begins one; gives it, and what the hub
    /// takes over.
    ///
    /// # Errors
    /// [`StoreError`]; the log is as it was.
    pub fn open(settings: StoreSettings) -> Result<(Self, RestoredState), StoreError> {
        let directory = Directory::take(&settings.directory)?;
        let path = directory.database();
        let vfs = settings.vfs.clone();
        let mut connection = database::open_to_write(&path, vfs.as_deref())?;
        let log_id = opening::begin(&mut connection, &settings, &path)?;
        let server_id = opening::server_id(&connection)?;
        let restored = opening::restore(&connection, log_id)?;
        let lasts = opening::last_in_rooms(&connection)?;
        let last_time = opening::last_time(&connection)?;
        let mut searching = database::open_to_read(&path, vfs.as_deref())?;
        let mut reading = database::open_to_read(&path, vfs.as_deref())?;
        let clock = Clock::start();
        let (jobs, to_do) = mpsc::channel();
        let (reads, searches, others) = Readers::new();
        let (sender, events) = unbounded_channel();
        let found = sender.clone();
        let (ending, endings) = unbounded_channel();
        let (search_ending, reader_ending) = (Ending(ending.clone()), Ending(ending));
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            store: Store::new(connection)?,
            state: State::new(clock.now(), lasts.keys().cloned().collect()),
            ledger: Ledger::new(
                restored.head,
                lasts,
                restored.sessions.iter().map(|it| (it.session, it.last_reference)).collect(),
            ),
            settings,
            clock,
            events: sender.clone(),
            reads,
            waiting: waiting.clone(),
        };
        let threads = vec![
            begin_thread("log-writer", move || writer.run(&to_do))?,
            begin_thread("log-search", move || {
                let _ending = search_ending;
                reader::run(&mut searching, clock, &searches, &found);
            })?,
            begin_thread("log-reader", move || {
                let _ending = reader_ending;
                reader::run(&mut reading, clock, &others, &sender);
            })?,
        ];
        let log = Self {
            jobs: Some(jobs),
            events,
            endings,
            answered: VecDeque::new(),
            stamper: last_time.map_or_else(Stamper::default, Stamper::after),
            waiting,
            threads,
            server_id,
            _directory: directory,
        };
        Ok((log, restored))
    }

    /// Which server it belongs to. It stays when the log is moved, renamed or
    /// restored.
    #[must_use]
    pub const fn server_id(&self) -> ServerId {
        self.server_id
    }

    /// Gives the writing thread something to do. If it has died, the events
    /// end.
    fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

/// Begins a thread.
fn begin_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|_| StoreError::System("further thread"))
}

impl Log for SqliteLog {
    fn append(&mut self, now: Now, drafts: Vec<Draft>) {
        let (time, clock_was_set) = self.stamper.stamp(now);
        let cost = |draft: &Draft| size_of::<Item>() + draft.text.as_str().len();
        let bytes: usize = drafts.iter().map(cost).sum();
        if self.waiting.load(Ordering::Relaxed) + bytes > MAX_WAITING {
            let refused = drafts.into_iter().map(|draft| LogEvent::NotStored {
                session: draft.session,
                reference: draft.reference,
            });
            self.answered.extend(refused);
            return;
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let set = clock_was_set.then_some(Item::ClockSet);
        let items = set.into_iter().chain(drafts.into_iter().map(|it| Item::Draft(time, it)));
        self.give(Job::Keep(items.collect(), bytes));
    }

    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        self.give(Job::Read(tag, request));
    }

    fn keep_session(&mut self, record: SessionRecord) {
        self.give(Job::Keep(vec![Item::Session(record)], 0));
    }

    fn forget_session(&mut self, session: SessionId) {
        self.give(Job::Keep(vec![Item::Ended(session)], 0));
    }

    /// The thread that writes does it by itself.
    fn tidy(&mut self, _: &dyn Fn(&RoomName) -> bool) {}

    fn set_retention(&mut self, retention: Retention) {
        self.give(Job::Retention(retention));
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        if let Some(event) = self.answered.pop_front() {
            return Poll::Ready(Some(event));
        }
        // What was told before is told; then the server is begun again, for
        // else nobody could join until somebody looks.
        if self.endings.poll_recv(context).is_ready() {
            self.events.close();
        }
        self.events.poll_recv(context)
    }

    fn close(self: Box<Self>) {}
}

impl Drop for SqliteLog {
    /// Waits until everything is written.
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a bug has ended a thread of the log");
            }
        }
    }
}
