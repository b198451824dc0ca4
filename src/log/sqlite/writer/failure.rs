//! What becomes of messages while the disk takes nothing.

use rusqlite::ErrorCode;

use super::super::sequencer::{Change, Plan, WriteRequest};
use super::super::settings::OnFailure;
use super::{LogEvent, RETRY_INTERVAL, Writer};
use crate::hub::StorageHealth;
use crate::model::Sequence;
use crate::os::random_bytes;

/// Bytes of messages that are kept in memory while the disk takes nothing;
/// beyond that they are refused.
const MAX_PENDING_BYTES: usize = 32 << 20;

/// The least step of the sequence when the disk takes nothing any more.
/// Positions of what is then said stay ahead of everything that the
/// database could come to, should it be lost.
const MIN_SEQUENCE_JUMP: u64 = 1 << 32;

impl Writer {
    /// The disk takes nothing any more.
    pub(super) fn enter_failure_mode(
        &mut self,
        error: &rusqlite::Error,
        requests: Vec<WriteRequest>,
    ) {
        tracing::error!("cannot write messages; trying again every 2 s: {error}");
        self.state.is_wal_suspect = true;
        self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        let storage = match self.settings.on_failure {
            OnFailure::Continue => StorageHealth::MemoryOnly,
            OnFailure::Refuse => StorageHealth::Refusing,
        };
        self.set_storage_health(storage);
        // Positions of what is only in memory must not be mistaken for those of
        // what will be said if it is lost.
        let head = match (storage, random_bytes()) {
            (StorageHealth::MemoryOnly, Ok(random)) => {
                let leap = MIN_SEQUENCE_JUMP.saturating_add(u64::from_be_bytes(random) >> 28);
                Sequence(self.sequencer.head.0.saturating_add(leap))
            }
            _ => self.sequencer.head,
        };
        let plan = self.sequencer.plan(head, requests);
        self.keep_in_memory(plan);
    }

    /// Keeps what it may in memory, until the disk takes it. Of sessions that
    /// is everything.
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

    /// Tells the authors that their messages are not taken; gives what is
    /// left.
    pub(super) fn refuse_drafts(&self, plan: Plan) -> Plan {
        let mut left = Vec::new();
        for request in plan.into_requests() {
            match request {
                WriteRequest::Draft(_, draft) => {
                    let (session, reference) = (draft.session, draft.reference);
                    self.send_event(LogEvent::NotStored { session, reference });
                }
                WriteRequest::ClockSet => {}
                WriteRequest::PersistSession(_) | WriteRequest::DeleteSession(_) => {
                    left.push(request)
                }
            }
        }
        self.sequencer.plan(self.sequencer.head, left)
    }

    /// Tries to write what could not be written.
    pub(super) fn retry_writes(&mut self) {
        if let Err(error) = self.write_pending() {
            tracing::debug!("still cannot write messages: {error}");
            self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        } else {
            self.set_storage_health(StorageHealth::Sound);
        }
    }

    /// Writes what could not be written, and has it on the disk.
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
        // Even if there was nothing, something has to be written: else
        // nothing is learnt of the disk.
        let synced = self.store.sync(self.sequencer.head, self.full_sync());
        self.state.is_wal_suspect = synced.is_err();
        synced
    }

    /// Tells of the disk's state, if it is another one.
    pub(super) fn set_storage_health(&mut self, storage: StorageHealth) {
        if self.state.storage_health != storage {
            match storage {
                StorageHealth::Sound => tracing::info!("messages can be written again"),
                StorageHealth::MemoryOnly => tracing::error!("messages are kept in memory only"),
                StorageHealth::Refusing => tracing::error!("messages are refused"),
                // That is said of the log by others.
                StorageHealth::Stalled => {}
            }
            self.state.storage_health = storage;
            self.send_event(LogEvent::StorageChanged(storage));
        }
    }
}

/// Whether it is the disk that has failed, not what is on it.
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
