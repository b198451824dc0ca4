//! Writer while the disk fails: commits in memory or refuses messages, and retries to write.

use std::time::Duration;

use rusqlite::ErrorCode;

use super::super::sequence_gaps::MIN_GAP;
use super::super::sequencer::{Change, Plan, WriteRequest};
use super::super::settings::OnFailure;
use super::{LogEvent, RETRY_INTERVAL, Writer};
use crate::hub::{NotStoredReason, StorageHealth, Ticket};
use crate::model::Sequence;
use crate::os::random_bytes;

/// Maximum memory of pending writes, in bytes. If further changes would exceed it, messages are
/// refused until everything pending is written. Changes of sessions may exceed it.
const MAX_PENDING_BYTES: usize = 32 << 20;

/// Pause after a failed attempt to write, as a multiple of the attempt's duration. An attempt
/// writes everything that is pending, so attempts take longer the longer the disk fails.
const RETRY_PAUSE_FACTOR: u32 = 20;

/// Maximum time between attempts to write while the disk fails.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// Returns the pause after a failed attempt to write that took `duration`: from [`RETRY_INTERVAL`]
/// to [`MAX_RETRY_INTERVAL`].
pub(super) fn retry_pause(duration: Duration) -> Duration {
    duration.saturating_mul(RETRY_PAUSE_FACTOR).clamp(RETRY_INTERVAL, MAX_RETRY_INTERVAL)
}

impl Writer {
    /// Handles a failed write or sync. Reports the new storage health, and sets the time of the
    /// first retry. Commits the messages of `requests` in memory or refuses them, as [`OnFailure`]
    /// says. If too much is pending, refuses them in any case. Keeps changes of sessions in memory.
    ///
    /// With [`OnFailure::Continue`], first skips a random number of sequences, at least
    /// [`MIN_GAP`]. So the sequences of lost entries are not used again. If the operating system
    /// has no random numbers, or if the messages are refused, skips none.
    pub(super) fn enter_failure_mode(
        &mut self,
        error: &rusqlite::Error,
        requests: Vec<WriteRequest>,
    ) {
        tracing::error!("cannot write messages; trying again until it works: {error}");
        self.state.is_wal_suspect = true;
        self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        let storage = match self.settings.on_failure {
            OnFailure::Continue => StorageHealth::MemoryOnly,
            OnFailure::Refuse => StorageHealth::Refusing,
        };
        self.set_storage_health(storage);
        // The position of a lost entry must not be taken for that of a later entry. The skip puts
        // the sequences of entries in memory beyond all that the database can reach.
        let head = match (storage, random_bytes()) {
            (StorageHealth::MemoryOnly, Ok(random)) => {
                let leap = MIN_GAP.saturating_add(u64::from_be_bytes(random) >> 28);
                Sequence(self.sequencer.head.0.saturating_add(leap))
            }
            _ => self.sequencer.head,
        };
        let plan = self.sequencer.plan(head, requests);
        self.keep_in_memory(plan);
    }

    /// Commits a plan in memory, as pending writes, and sends its events. If that would exceed
    /// [`MAX_PENDING_BYTES`], the storage becomes [`StorageHealth::Refusing`]. In that state, the
    /// plan's drafts are refused. Changes of sessions and read marks are kept in any case.
    pub(super) fn keep_in_memory(&mut self, plan: Plan) {
        let bytes: usize = plan.changes.iter().map(Change::bytes).sum();
        let is_full = self.state.pending.bytes() + bytes > MAX_PENDING_BYTES;
        if self.state.storage_health == StorageHealth::MemoryOnly && is_full {
            tracing::error!("too much is kept in memory; messages are refused until it is written");
            self.set_storage_health(StorageHealth::Refusing);
        }
        let plan = if self.state.storage_health == StorageHealth::Refusing {
            self.refuse_drafts(plan)
        } else {
            plan
        };
        self.state.pending.add(&plan.changes);
        self.complete_plan(plan);
    }

    /// Answers all drafts of a plan with `NotStored`. Returns a plan of its other requests. The
    /// returned plan assigns and skips no sequences. A clock change in the plan is reported with
    /// the next draft that is committed.
    pub(super) fn refuse_drafts(&mut self, plan: Plan) -> Plan {
        let mut left = Vec::new();
        for request in plan.into_requests() {
            match request {
                WriteRequest::Draft(_, draft) => self.refuse(Ticket::of_message(&draft)),
                WriteRequest::Fact(_, ticket, _) => self.refuse(Ticket::Fact(ticket)),
                WriteRequest::ClockSet => self.state.has_unreported_clock_change = true,
                WriteRequest::PersistSession(_)
                | WriteRequest::DeleteSession(_)
                | WriteRequest::KeepReadMarks(_) => left.push(request),
            }
        }
        self.sequencer.plan(self.sequencer.head, left)
    }

    /// Answers a draft that cannot be stored.
    fn refuse(&self, ticket: Ticket) {
        self.send_event(LogEvent::NotStored { ticket, reason: NotStoredReason::Storage });
    }

    /// Tries to write and sync the pending changes. If that succeeds, reports the storage as sound.
    /// Otherwise sets the time of the next attempt, later if this one took long.
    pub(super) fn retry_writes(&mut self) {
        let begin = self.clock.now();
        if let Err(error) = self.write_pending() {
            tracing::debug!("still cannot write messages: {error}");
            let end = self.clock.now();
            self.state.retry_at = end + retry_pause(end.since(begin));
        } else {
            self.set_storage_health(StorageHealth::Sound);
        }
    }

    /// Writes and syncs all pending changes. If the write-ahead log is suspect, truncates it first.
    ///
    /// # Errors
    /// The changes are still pending, or are written but not synced. Call it again in both cases.
    pub(super) fn write_pending(&mut self) -> rusqlite::Result<()> {
        if self.state.is_wal_suspect {
            self.store.truncate_wal()?;
            self.state.is_wal_suspect = false;
        }
        let pending = std::mem::take(&mut self.state.pending);
        if let Err(error) = self.write(pending.changes()) {
            self.state.pending = pending;
            self.state.is_wal_suspect = true;
            return Err(error);
        }
        // Write something even if nothing is pending: otherwise success would not prove that the
        // disk works.
        let synced = self.store.sync(self.sequencer.head, self.full_sync());
        self.state.is_wal_suspect = synced.is_err();
        synced
    }

    /// Sets the health of the storage. If it changes, sends `StorageChanged` and, except for
    /// `Stalled`, writes a line to the program's log.
    pub(super) fn set_storage_health(&mut self, storage: StorageHealth) {
        if self.state.storage_health != storage {
            match storage {
                StorageHealth::Sound => tracing::info!("messages can be written again"),
                StorageHealth::MemoryOnly => tracing::error!("messages are kept in memory only"),
                StorageHealth::Refusing => tracing::error!("messages are refused"),
                // The engine reports this state, not the log.
                StorageHealth::Stalled => {}
            }
            self.state.storage_health = storage;
            self.send_event(LogEvent::StorageChanged(storage));
        }
    }
}

/// Returns true if the error comes from the disk: I/O error, disk full, read-only, or a file that
/// cannot be opened. False for all other errors, such as damaged content of the database.
pub(super) fn is_disk_error(error: &rusqlite::Error) -> bool {
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
