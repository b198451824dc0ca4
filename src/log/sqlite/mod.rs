//! The log that outlives restarts: a directory with an SQLite database.
//!
//! ```text
//! engine ─ SqliteLog ─ jobs ─▶ writer ─ reads ─▶ readers
//!             ▲                  │ committed        │ reader_events
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
//! | `recovery` | what is reader_events when the log is opened, and by which name it goes on |
//! | `sequencer` | sequences and links; no disk |
//! | `store`, `writer` | writing, syncing, what becomes of it when the disk takes nothing |
//! | `reader`, `queries`, `search`, `unwritten` | read_connection, search_connection, and what is not on the disk |
//! | `pending`, `sequence_gaps` | what the disk has not taken, and the sequences that are left out then |
//! | `retention` | forgetting |

pub(crate) mod database;
pub(crate) mod directory;
mod pending;
mod queries;
mod reader;
pub(crate) mod recovery;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod search;
mod sequence_gaps;
mod sequencer;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod unwritten;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use settings::{Durability, OnFailure, StoreError, StoreSettings};

use self::directory::LockedDirectory;
use self::reader::{ReadQueues, ThreadEndNotifier};
use self::sequencer::{Sequencer, WriteRequest};
use self::store::Store;
use self::writer::{Job, Writer, WriterState};
use super::{Log, LogEvent, TimestampSource};
use crate::hub::{Now, ReadRequest, ReadTag, RestoredState};
use crate::model::{Draft, Retention, RoomName, ServerId, SessionId, SessionRecord};
use crate::os::Clock;

/// Bytes of messages that may wait for the disk; beyond that they are
/// refused.
const MAX_QUEUED_BYTES: usize = 32 << 20;

/// A log on disk. Dropping it closes it.
#[derive(Debug)]
pub struct SqliteLog {
    /// To the thread that writes. None: it is to end.
    jobs: Option<mpsc::Sender<Job>>,
    /// From all threads.
    events: UnboundedReceiver<LogEvent>,
    /// From the threads that read, when they end. While this log is in use,
    /// only a bug ends them, or the end of the thread that writes.
    reader_ends: UnboundedReceiver<()>,
    /// What was immediate_events at once.
    immediate_events: VecDeque<LogEvent>,
    /// Gives the times.
    timestamps: TimestampSource,
    /// Bytes that wait for the thread that writes.
    queued_bytes: Arc<AtomicUsize>,
    /// Ended in this order.
    threads: Vec<JoinHandle<()>>,
    /// Which server it belongs to.
    server_id: ServerId,
    /// Held until all threads have ended.
    _directory: LockedDirectory,
}

impl SqliteLog {
    /// Opens the log in a directory, or begins one; gives it, and what the hub
    /// takes over.
    ///
    /// # Errors
    /// [`StoreError`]; the log is as it was.
    pub fn open(settings: StoreSettings) -> Result<(Self, RestoredState), StoreError> {
        let directory = LockedDirectory::lock(&settings.directory)?;
        let path = directory.database();
        let vfs = settings.vfs.clone();
        let mut connection = database::open_to_write(&path, vfs.as_deref())?;
        let log_id = recovery::establish_log_id(&mut connection, &settings, &path)?;
        let server_id = recovery::read_or_create_server_id(&connection)?;
        let restored = recovery::restore_state(&connection, log_id)?;
        let last_in_room = recovery::last_sequence_by_room(&connection)?;
        let last_time = recovery::last_message_time(&connection)?;
        let mut search_connection = database::open_to_read(&path, vfs.as_deref())?;
        let mut read_connection = database::open_to_read(&path, vfs.as_deref())?;
        let clock = Clock::start();
        let (jobs, to_do) = mpsc::channel();
        let (read_queues, searches, others) = ReadQueues::new();
        let (sender, events) = unbounded_channel();
        let reader_events = sender.clone();
        let (ending, reader_ends) = unbounded_channel();
        let (search_ending, reader_ending) =
            (ThreadEndNotifier(ending.clone()), ThreadEndNotifier(ending));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            store: Store::new(connection)?,
            state: WriterState::new(clock.now(), last_in_room.keys().cloned().collect()),
            sequencer: Sequencer::new(
                restored.head,
                last_in_room,
                restored.sessions.iter().map(|it| (it.session, it.last_reference)).collect(),
            ),
            settings,
            clock,
            events: sender.clone(),
            read_queues,
            queued_bytes: queued_bytes.clone(),
        };
        let threads = vec![
            spawn_thread("log-writer", move || writer.run(&to_do))?,
            spawn_thread("log-search", move || {
                let _ending = search_ending;
                reader::run(&mut search_connection, clock, &searches, &reader_events);
            })?,
            spawn_thread("log-reader", move || {
                let _ending = reader_ending;
                reader::run(&mut read_connection, clock, &others, &sender);
            })?,
        ];
        let log = Self {
            jobs: Some(jobs),
            events,
            reader_ends,
            immediate_events: VecDeque::new(),
            timestamps: last_time
                .map_or_else(TimestampSource::default, TimestampSource::resuming_after),
            queued_bytes,
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
    fn send_job(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

/// Begins a thread.
fn spawn_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|_| StoreError::System("further thread"))
}

impl Log for SqliteLog {
    fn append(&mut self, now: Now, drafts: Vec<Draft>) {
        let (time, clock_was_set) = self.timestamps.generate(now);
        let cost = |draft: &Draft| size_of::<WriteRequest>() + draft.text.as_str().len();
        let bytes: usize = drafts.iter().map(cost).sum();
        if self.queued_bytes.load(Ordering::Relaxed) + bytes > MAX_QUEUED_BYTES {
            let refused = drafts.into_iter().map(|draft| LogEvent::NotStored {
                session: draft.session,
                reference: draft.reference,
            });
            self.immediate_events.extend(refused);
            return;
        }
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let set = clock_was_set.then_some(WriteRequest::ClockSet);
        let requests =
            set.into_iter().chain(drafts.into_iter().map(|it| WriteRequest::Draft(time, it)));
        self.send_job(Job::Write(requests.collect(), bytes));
    }

    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        self.send_job(Job::Read(tag, request));
    }

    fn persist_session(&mut self, record: SessionRecord) {
        self.send_job(Job::Write(vec![WriteRequest::PersistSession(record)], 0));
    }

    fn delete_session(&mut self, session: SessionId) {
        self.send_job(Job::Write(vec![WriteRequest::DeleteSession(session)], 0));
    }

    /// The thread that writes does it by itself.
    fn maintain(&mut self, _: &dyn Fn(&RoomName) -> bool) {}

    fn set_retention(&mut self, retention: Retention) {
        self.send_job(Job::SetRetention(retention));
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        if let Some(event) = self.immediate_events.pop_front() {
            return Poll::Ready(Some(event));
        }
        // What was told before is told; then the server is begun again, for
        // else nobody could join until somebody looks.
        if self.reader_ends.poll_recv(context).is_ready() {
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
