//! Log on disk: an SQLite database in a directory of its own.
//!
//! ```text
//! engine ─ SqliteLog ─ jobs ─▶ writer ─ reads ─▶ readers
//!             ▲                  │ Committed        │ ReadDone
//!             └───── events ◀────┴──────────────────┘
//! ```
//!
//! SQLite blocks, so it runs in three threads. The writer thread assigns sequences. It writes
//! everything that arrived since its last transaction in one transaction, and reports it as
//! committed.
//! Read requests pass through the writer's queue, so that they see every append before them. Then
//! they go to one of two reader threads, each with its own database connection. One reader thread
//! runs searches, which may take long. The other one runs everything else, so that joins do not
//! wait for searches.
//! `docs/durability.md` states which data survives which failure.
//!
//! | module | contents |
//! |---|---|
//! | `settings` | settings and errors |
//! | `directory` | the directory, its lock and its permissions |
//! | `schema`, `database`, `rows`, `facts` | tables and their versions; connections; entries and sessions as rows; facts and the moderation state as rows |
//! | `facts` | facts and the moderation state as rows |
//! | `read_marks` | what persons have read, as rows |
//! | `recovery` | log id and state when the log is opened |
//! | `server_key` | the server's key pair |
//! | `sequencer` | assigns sequences and links, without I/O |
//! | `writer`, `store` | the writer thread: batches, syncs, failures, maintenance; its transactions |
//! | `reader`, `queries`, `search` | the reader threads; queries for entries; the search index |
//! | `index_purge` | the words of removed messages leave the search index |
//! | `pending`, `unwritten`, `sequence_gaps` | while the disk fails: changes to write later, their entries in reads, skipped sequences |
//! | `replica` | copies of the log: what a follower gets and writes, promotion |
//! | `retention` | deletes what exceeds the retention limits |

pub(crate) mod database;
pub(crate) mod directory;
pub(crate) mod facts;
mod index_purge;
mod pending;
mod queries;
mod read_marks;
mod reader;
pub(crate) mod recovery;
pub(crate) mod replica;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod sequence_gaps;
mod sequencer;
mod server_key;
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

pub(crate) use server_key::MAKE_SERVER_KEY;
pub use server_key::StoredServerKey;
pub use settings::{Durability, OnFailure, StoreError, StoreSettings};

use self::directory::LockedDirectory;
use self::reader::{ReadQueues, ThreadEndNotifier};
pub use self::replica::ReplicaHandle;
use self::sequencer::{Sequencer, WriteRequest, fact_text_bytes};
use self::store::Store;
use self::writer::{Job, Writer, WriterState};
use super::volatile::VolatileSequencer;
use super::{Log, LogEvent, TimestampSource};
use crate::hub::{NotStoredReason, Now, Proposal, ReadRequest, ReadTag, RestoredState, Ticket};
use crate::model::{IdentityKey, Retention, RoomName, ServerId};
use crate::os::Clock;
use crate::tls::{DamagedIdentity, StoredIdentity};

/// Maximum memory of the drafts that wait for the writer thread, in bytes. If a call of
/// [`Log::propose`] would exceed it, all drafts of the call are refused, but its changes of
/// sessions take effect.
const MAX_QUEUED_DRAFT_BYTES: usize = 32 << 20;

/// Memory of a waiting draft besides its text, in bytes.
const DRAFT_OVERHEAD: usize = size_of::<WriteRequest>();

/// Log on disk, in an SQLite database. Dropping it blocks until everything is written and the
/// database is closed. If the disk fails meanwhile, what is not written is lost.
#[derive(Debug)]
pub struct SqliteLog {
    /// Job queue of the writer thread. `None` while the log is being dropped: the closed queue ends
    /// the thread.
    jobs: Option<mpsc::Sender<Job>>,
    /// Events that the writer and reader threads have sent.
    events: UnboundedReceiver<LogEvent>,
    /// Signals of reader threads that have ended. While the log is in use, a reader thread ends
    /// only because of a bug, or because the writer thread has ended.
    reader_ends: UnboundedReceiver<()>,
    /// Events of drafts that were refused, and of volatile changes that were committed, at once and
    /// without the writer thread.
    immediate_events: VecDeque<LogEvent>,
    /// Source of the numbers of volatile changes.
    volatile: VolatileSequencer,
    /// Source of the entries' timestamps.
    timestamps: TimestampSource,
    /// Memory of the drafts that wait for the writer thread, in bytes; shared with that thread.
    queued_draft_bytes: Arc<AtomicUsize>,
    /// Writer thread and the two reader threads, in the order in which they are joined.
    threads: Vec<JoinHandle<()>>,
    /// Permanent identifier of the server that the log belongs to.
    server_id: ServerId,
    /// True if the log is a follower's copy: only what is replicated is written.
    is_follower: bool,
    /// Handle for replication.
    replica: ReplicaHandle,
    /// Public key of that server.
    server_key: IdentityKey,
    /// Key and certificate of that server for TLS.
    identity: Result<StoredIdentity, DamagedIdentity>,
    /// Lock of the log's directory, held until all threads have ended.
    _directory: LockedDirectory,
}

impl SqliteLog {
    /// Locks and opens the log in a directory, or creates it, and starts its threads. Returns the
    /// log, and the state that the hub restores from it. Blocks while it reads the database and, if
    /// the format is old, migrates it.
    ///
    /// # Errors
    /// [`StoreError`]; no message of the log is changed.
    pub fn open(settings: StoreSettings) -> Result<(Self, RestoredState), StoreError> {
        let directory = LockedDirectory::lock(&settings.directory)?;
        let path = directory.database();
        let vfs = settings.vfs.clone();
        let mut connection = database::open_to_write(&path, vfs.as_deref())?;
        let is_follower = replica::check_role(&connection, settings.is_follower)?;
        let log_id = recovery::establish_log_id(&mut connection, &settings, &path)?;
        let server_id = recovery::read_or_create_server_id(&connection)?;
        let server_key =
            recovery::read_or_create_server_key(&connection, settings.makes_key_apart)?;
        let identity =
            recovery::read_or_create_identity(&mut connection, settings.makes_key_apart)?;
        let (mut restored, corrected) = recovery::restore_state(&connection, log_id)?;
        let last_in_room = recovery::last_sequence_by_room(&connection)?;
        let last_time = recovery::last_entry_time(&connection)?;
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
        let queued_draft_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            store: Store::new(connection)?,
            state: WriterState::new(clock.now(), last_in_room.keys().cloned().collect()),
            sequencer: Sequencer::new(
                restored.head,
                last_in_room,
                restored.sessions.iter().map(|it| (it.session, it.last_reference)).collect(),
                corrected,
                restored.moderation.clone(),
            ),
            settings,
            clock,
            events: sender.clone(),
            read_queues,
            queued_draft_bytes: queued_draft_bytes.clone(),
        };
        let threads = vec![
            spawn_thread("log-writer", move || writer.run(&to_do))?,
            spawn_thread("log-search", move || {
                let _ending = search_ending;
                reader::run_reader(&mut search_connection, clock, &searches, &reader_events);
            })?,
            spawn_thread("log-reader", move || {
                let _ending = reader_ending;
                reader::run_reader(&mut read_connection, clock, &others, &sender);
            })?,
        ];
        if is_follower {
            // They are the server's. Those of the readers are stored nowhere.
            restored.sessions.clear();
            restored.next_session = replica::first_reader_session();
        }
        let log = Self {
            replica: ReplicaHandle::new(jobs.clone()),
            is_follower,
            jobs: Some(jobs),
            events,
            reader_ends,
            immediate_events: VecDeque::new(),
            volatile: VolatileSequencer::new(restored.next_session),
            timestamps: last_time
                .map_or_else(TimestampSource::default, TimestampSource::resuming_after),
            queued_draft_bytes,
            threads,
            server_id,
            server_key,
            identity,
            _directory: directory,
        };
        Ok((log, restored))
    }

    /// Returns the permanent identifier of the server that the log belongs to. It does not change
    /// when the log is moved, renamed or restored from a backup.
    #[must_use]
    pub const fn server_id(&self) -> ServerId {
        self.server_id
    }

    /// Returns a handle for replication.
    #[must_use]
    pub fn replica(&self) -> ReplicaHandle {
        self.replica.clone()
    }

    /// Returns the public key of the server. Its pair is made with the database, and stays as it is
    /// moved, or restored from a backup.
    #[must_use]
    pub const fn server_key(&self) -> IdentityKey {
        self.server_key
    }

    /// Returns the key and the certificate of the server for TLS. They are made with the database,
    /// and stay as it is moved, or restored from a backup.
    pub const fn identity(&self) -> &Result<StoredIdentity, DamagedIdentity> {
        &self.identity
    }

    /// Answers the proposals to a follower's copy: refuses messages and facts, commits volatile
    /// changes, and drops what concerns sessions and read marks of its readers.
    fn refuse(&mut self, proposals: Vec<Proposal>) {
        let mut items = Vec::new();
        let mut refused = Vec::new();
        for proposal in proposals {
            match proposal {
                Proposal::Message(draft) => refused.push(Ticket::of_message(&draft)),
                Proposal::Fact { ticket, .. } => refused.push(Ticket::Fact(ticket)),
                Proposal::Volatile(draft) => items.push(self.volatile.commit(draft)),
                Proposal::PersistSession(_)
                | Proposal::DeleteSession(_)
                | Proposal::KeepReadMarks(_)
                | Proposal::HandOver { .. } => {}
            }
        }
        if !items.is_empty() {
            let committed = LogEvent::Committed { items, clock_was_set: false };
            self.immediate_events.push_back(committed);
        }
        let reason = NotStoredReason::Follower;
        let refusals = refused.into_iter().map(|ticket| LogEvent::NotStored { ticket, reason });
        self.immediate_events.extend(refusals);
    }

    /// Sends a job to the writer thread. If that thread has ended, the job is lost, and
    /// [`Log::poll_event`] reports the end.
    fn send_job(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }
}

/// Returns the memory that a proposal takes in the queue of the writer thread, in bytes, if it is a
/// message or a fact; otherwise 0.
fn draft_bytes(proposal: &Proposal) -> usize {
    match proposal {
        Proposal::Message(draft) => DRAFT_OVERHEAD + draft.text.as_str().len(),
        Proposal::Fact { draft, .. } => DRAFT_OVERHEAD + fact_text_bytes(draft),
        Proposal::PersistSession(_)
        | Proposal::DeleteSession(_)
        | Proposal::KeepReadMarks(_)
        | Proposal::Volatile(_)
        | Proposal::HandOver { .. } => 0,
    }
}

/// Spawns a named thread that runs `work`.
///
/// # Errors
/// [`StoreError::System`] if the operating system cannot create another thread.
fn spawn_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|_| StoreError::System("further thread"))
}

impl Log for SqliteLog {
    fn propose(&mut self, now: Now, proposals: Vec<Proposal>) {
        if self.is_follower {
            return self.refuse(proposals);
        }
        let mut bytes = proposals.iter().map(draft_bytes).sum();
        let queued = self.queued_draft_bytes.load(Ordering::Relaxed);
        let is_full = queued + bytes > MAX_QUEUED_DRAFT_BYTES;
        if is_full {
            bytes = 0;
        }
        let mut refused = Vec::new();
        let mut requests = Vec::with_capacity(proposals.len() + 1);
        let mut timestamp = None;
        let mut items = Vec::new();
        // Called only for an accepted draft, because a clock change is reported once.
        let timestamps = &mut self.timestamps;
        let mut date = |requests: &mut Vec<WriteRequest>| {
            *timestamp.get_or_insert_with(|| {
                let (time, clock_was_set) = timestamps.generate(now);
                requests.extend(clock_was_set.then_some(WriteRequest::ClockSet));
                time
            })
        };
        for proposal in proposals {
            match proposal {
                Proposal::Message(draft) if is_full => refused.push(Ticket::of_message(&draft)),
                Proposal::Fact { ticket, .. } if is_full => refused.push(Ticket::Fact(ticket)),
                Proposal::Message(draft) => {
                    let time = date(&mut requests);
                    requests.push(WriteRequest::Draft(time, draft));
                }
                Proposal::Fact { ticket, draft } => {
                    let time = date(&mut requests);
                    requests.push(WriteRequest::Fact(time, ticket, draft));
                }
                Proposal::PersistSession(record) => {
                    requests.push(WriteRequest::PersistSession(record));
                }
                Proposal::DeleteSession(session) => {
                    requests.push(WriteRequest::DeleteSession(session));
                }
                Proposal::KeepReadMarks(marks) => {
                    requests.extend(marks.into_iter().map(WriteRequest::KeepReadMarks));
                }
                Proposal::Volatile(draft) => items.push(self.volatile.commit(draft)),
                // No other hub shares this log.
                Proposal::HandOver { .. } => {}
            }
        }
        if !items.is_empty() {
            let committed = LogEvent::Committed { items, clock_was_set: false };
            self.immediate_events.push_back(committed);
        }
        let reason = NotStoredReason::Storage;
        let refusals = refused.into_iter().map(|ticket| LogEvent::NotStored { ticket, reason });
        self.immediate_events.extend(refusals);
        if !requests.is_empty() {
            self.queued_draft_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.send_job(Job::Write(requests, bytes));
        }
    }

    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        self.send_job(Job::Read(tag, request));
    }

    /// Does nothing: the writer thread runs maintenance by its own timers.
    fn maintain(&mut self, _: &dyn Fn(&RoomName) -> bool) {}

    fn set_retention(&mut self, retention: Retention) {
        self.send_job(Job::SetRetention(retention));
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        if let Some(event) = self.immediate_events.pop_front() {
            return Poll::Ready(Some(event));
        }
        // Returns the events that are there, then ends. The server must be restarted, because
        // without a reader thread no client can join.
        if self.reader_ends.poll_recv(context).is_ready() {
            self.events.close();
        }
        self.events.poll_recv(context)
    }

    fn close(self: Box<Self>) {}
}

impl Drop for SqliteLog {
    /// Waits until everything is written and all threads have ended.
    fn drop(&mut self) {
        self.jobs = None;
        self.replica.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a bug has ended a thread of the log");
            }
        }
    }
}
