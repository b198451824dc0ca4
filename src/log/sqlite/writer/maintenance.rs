//! Timed tasks of the writer: retry, sync, checkpoint, search index, retention.

use std::time::Duration;

use super::super::search::IndexStep;
use super::super::store::MAX_NOTED_LAG;
use super::super::{recovery, search};
use super::failure::is_disk_error;
use super::{SYNC_INTERVAL, Writer};
use crate::hub::{Now, StorageHealth};
use crate::model::{Moment, Retention};

/// Time from maintenance that is complete, or has failed other than by a disk error, to the next.
/// Sooner if [`super::MAINTENANCE_AFTER`] messages were committed since it was complete or failed.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(600);

/// Time from one maintenance step to the next while there is more to do. Sooner if
/// [`super::MAINTENANCE_AFTER`] messages were committed since maintenance was complete or failed.
const MAINTENANCE_STEP_DELAY: Duration = Duration::from_millis(10);

/// Maximum number of messages added to the search index in one step.
const INDEX_BATCH: usize = 1_000;

/// Maximum total length of the texts that one step adds to the search index, in bytes. The text
/// that reaches the maximum is still added. New messages wait for the step, for about 10 ms.
const INDEX_BYTES: usize = 64 << 10;

impl Writer {
    /// Replaces the retention limits. Makes a maintenance step due at once. Marks all rooms to
    /// be checked by this step and later ones, or no further one if the rooms cannot be read.
    pub(super) fn set_retention(&mut self, retention: Retention) {
        self.settings.retention = retention;
        self.state.maintenance_at = self.clock.now();
        match recovery::last_sequence_by_room(&self.store.connection) {
            Ok(lasts) => self.state.rooms_to_trim.extend(lasts.into_keys()),
            Err(error) => tracing::warn!("cannot look through the rooms: {error}"),
        }
    }

    /// Adds the next messages to the search index: at most [`INDEX_BATCH`], until their texts have
    /// [`INDEX_BYTES`]. The commit is not synced: after a crash, indexing is repeated.
    pub(super) fn index_messages(&mut self) -> rusqlite::Result<IndexStep> {
        let sync = self.ordering_sync();
        self.store.set_sync_level(sync)?;
        let transaction = self.store.connection.transaction()?;
        let step = search::index_step(&transaction, INDEX_BATCH, INDEX_BYTES)?;
        if step.count > 0 {
            transaction.commit()?;
        }
        Ok(step)
    }

    /// Runs the tasks that are due. While the disk fails, only retries to write, and postpones
    /// maintenance and indexing. Otherwise syncs, runs a checkpoint if the write-ahead log is large,
    /// truncates the write-ahead log after a removal, and runs a step of maintenance and one of
    /// indexing. A failed sync or checkpoint, or a disk error of such a step, begins the failure
    /// mode. After another error of a step, warns and waits for the interval of these steps.
    pub(super) fn run_due_tasks(&mut self) {
        let now = self.clock.now();
        if self.state.storage_health != StorageHealth::Sound {
            if now >= self.state.retry_at {
                self.retry_writes();
            }
            self.state.maintenance_at = self.state.maintenance_at.max(self.state.retry_at);
            self.state.index_schedule.postpone(self.state.retry_at);
            return;
        }
        if let Err(error) = self.run_due_disk_tasks(now) {
            return self.enter_failure_mode(&error, Vec::new());
        }
        if now >= self.state.maintenance_at {
            let step = self.run_maintenance();
            let is_complete = matches!(step, Ok(false));
            if step.is_err() || is_complete {
                // After an error, too: otherwise the next batch would make it due again.
                self.state.entries_since_maintenance = 0;
            }
            let pause = if matches!(step, Ok(true)) {
                MAINTENANCE_STEP_DELAY
            } else {
                MAINTENANCE_INTERVAL
            };
            self.state.maintenance_at = now + pause;
            if let Err(error) = step {
                self.handle_failed_step(&error);
            }
        }
        let is_sound = self.state.storage_health == StorageHealth::Sound;
        if is_sound && now >= self.state.index_schedule.due_at() {
            match self.index_messages() {
                Ok(step) => self.state.index_schedule.on_step(step, now),
                Err(error) => {
                    self.state.index_schedule.on_failure(now);
                    self.handle_failed_step(&error);
                }
            }
        }
    }

    /// Syncs, runs a checkpoint and truncates the write-ahead log, each if it is due.
    ///
    /// # Errors
    /// The disk has failed. The tasks after the failed one are still due.
    fn run_due_disk_tasks(&mut self, now: Moment) -> rusqlite::Result<()> {
        if self.state.is_unsynced && now >= self.state.last_timed_sync + SYNC_INTERVAL {
            self.store.sync(self.sequencer.head, self.full_sync())?;
            self.state.last_timed_sync = now;
            self.state.is_unsynced = false;
        }
        self.store.checkpoint_if_large()?;
        self.truncate_wal_if_due()
    }

    /// Handles the error of a step of maintenance or indexing.
    fn handle_failed_step(&mut self, error: &rusqlite::Error) {
        if is_disk_error(error) {
            // After a failed sync, the write-ahead log is suspect, no matter which data was written.
            self.enter_failure_mode(error, Vec::new());
        } else {
            tracing::warn!("cannot tidy up: {error}");
        }
    }

    /// Runs one step of maintenance: stores last references, notes up to where session records are
    /// right, deletes some messages beyond the retention limits, and purges the search index of
    /// removed texts. Returns true if more is left to do.
    ///
    /// # Errors
    /// Each of the four tasks is committed separately. Tasks before the failed one are kept.
    pub(super) fn run_maintenance(&mut self) -> rusqlite::Result<bool> {
        // Until they are stored, last references are recovered from messages. Retention may delete
        // those next.
        let references = self.sequencer.unpersisted_references();
        if !references.is_empty() {
            self.write(&references)?;
            self.sequencer.mark_references_persisted();
        }
        let head = self.sequencer.head;
        if head.0.saturating_sub(self.state.noted_up_to.0) > MAX_NOTED_LAG {
            self.store.advance_noted(head)?;
            self.state.noted_up_to = head;
        }
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let retention = self.settings.retention;
        let step = self.store.run_retention_step(
            retention,
            &self.state.rooms_to_trim,
            now,
            self.sequencer.head,
        )?;
        for room in &step.evicted {
            self.sequencer.forget_room(room);
        }
        for room in &step.trimmed {
            self.state.rooms_to_trim.remove(room);
        }
        let is_purging = self.purge_index()?;
        Ok(step.more || is_purging)
    }
}
