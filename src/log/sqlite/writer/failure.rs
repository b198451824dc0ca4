//! What becomes of messages while the disk takes nothing.

use rusqlite::ErrorCode;

use super::super::ledger::{Change, Item, Plan};
use super::super::settings::OnFailure;
use super::{LogEvent, RETRY_INTERVAL, Writer};
use crate::hub::StorageHealth;
use crate::model::Sequence;
use crate::os::random_bytes;

/// Bytes of messages that are kept in memory while the disk takes nothing;
/// beyond that they are refused.
const MAX_UNWRITTEN: usize = 32 << 20;

/// The least step of the sequence when the disk takes nothing any more.
/// Positions of what is then said stay ahead of everything that the
/// database could come to, should it be lost.
const LEAP: u64 = 1 << 32;

impl Writer {
    /// The disk takes nothing any more.
    pub(super) fn fail(&mut self, error: &rusqlite::Error, items: Vec<Item>) {
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
    pub(super) fn keep_in_memory(&mut self, plan: Plan) {
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
    pub(super) fn refuse(&self, plan: Plan) -> Plan {
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
    pub(super) fn retry(&mut self) {
        if let Err(error) = self.write_unwritten() {
            tracing::debug!("still cannot write messages: {error}");
            self.state.retry_at = self.clock.now() + RETRY_INTERVAL;
        } else {
            self.change_storage(StorageHealth::Sound);
        }
    }

    /// Writes what could not be written, and has it on the disk.
    pub(super) fn write_unwritten(&mut self) -> rusqlite::Result<()> {
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

    /// Tells of the disk's state, if it is another one.
    pub(super) fn change_storage(&mut self, storage: StorageHealth) {
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
}

/// Whether it is the disk that has failed, not what is on it.
pub(super) fn is_of_disk(error: &rusqlite::Error) -> bool {
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
