//! Jobs of the writer for replication: batches for a copy, promotion, and the end of a server that
//! was replaced.

use super::super::LogEvent;
use super::super::facts;
use super::super::replica::{
    self, Applied, ReplicaBatch, ReplicaChange, ReplicaError, ReplicaJob, convert,
};
use super::super::sequencer::Change;
use super::super::settings::Durability;
use super::{MAINTENANCE_AFTER, Writer};
use crate::model::Target;
use crate::wire::tcp::replica_flag;

impl Writer {
    /// Does a job for replication, and answers it.
    pub(super) fn handle_replica_job(&mut self, job: ReplicaJob) {
        // Whoever has asked may be gone.
        match job {
            ReplicaJob::Apply(batch, answer) => {
                let _ = answer.send(self.apply_replica(*batch));
            }
            ReplicaJob::Promote(answer) => {
                let sync = self.full_sync();
                let ready = self.store.set_sync_level(sync).map_err(|it| it.to_string());
                let promoted = ready.and_then(|()| replica::promote(&mut self.store.connection));
                if promoted.is_ok() {
                    self.state.is_over = true;
                }
                let _ = answer.send(promoted);
            }
            ReplicaJob::Supersede(epoch, position, answer) => {
                let sync = self.full_sync();
                let noted = self.store.set_sync_level(sync).and_then(|()| {
                    replica::note_superseded(&mut self.store.connection, epoch, position)
                });
                let _ = answer.send(noted);
            }
            ReplicaJob::MakeAnew(answer) => {
                let _ = answer.send(replica::make_anew(&self.store.connection));
            }
            ReplicaJob::NoteTold => {
                if let Err(error) = replica::note_told(&self.store.connection) {
                    tracing::warn!("cannot note that the former server knows: {error}");
                }
            }
        }
    }

    /// Applies a batch of a replication to the copy, in one transaction, and publishes the items in
    /// it.
    ///
    /// # Errors
    /// [`ReplicaError`]. Nothing is applied.
    fn apply_replica(&mut self, batch: ReplicaBatch) -> Result<Applied, ReplicaError> {
        let ReplicaBatch { parts, commit, epoch } = batch;
        let mut head = self.sequencer.head;
        let mut moderation = self.sequencer.moderation().clone();
        let (mut changes, items) = convert(parts, &mut head, Some(&mut moderation))?;
        if commit.head < head || self.state.is_over {
            return Err(ReplicaError::Malformed);
        }
        self.sequencer.correct_records(&mut changes);
        let now = self.clock.now();
        let is_due = now >= self.state.last_timed_sync + super::SYNC_INTERVAL;
        let sync = match is_due || self.settings.durability == Durability::Strict {
            true => self.full_sync(),
            false => self.ordering_sync(),
        };
        self.store.write_replica(&changes, commit, epoch, sync)?;
        if is_due {
            self.state.last_timed_sync = now;
        }
        self.state.is_unsynced = !is_due && self.settings.durability == Durability::Relaxed;
        let is_whole = commit.flags & replica_flag::WHOLE_STATE != 0;
        // After a long absence, facts may be missing that retention has deleted meanwhile.
        let must_reopen = is_whole && facts::read_state(&self.store.connection)? != moderation;
        self.sequencer.follow(&changes, commit.head, moderation);
        let mut room_messages = 0;
        for change in &changes {
            match change {
                ReplicaChange::Own(Change::Entry(entry)) => {
                    self.state.entries_since_maintenance += 1;
                    if let Target::Room(room) = &entry.draft.target {
                        room_messages += 1;
                        self.state.rooms_to_trim.insert(room.key().clone());
                    }
                }
                ReplicaChange::Own(change) if change.removal().is_some() => {
                    self.request_wal_truncation();
                }
                _ => {}
            }
        }
        if self.state.entries_since_maintenance >= MAINTENANCE_AFTER {
            self.state.maintenance_at = now;
        }
        self.state.index_schedule.on_committed(room_messages, now);
        if !items.is_empty() {
            self.send_event(LogEvent::Committed { items, clock_was_set: false });
        }
        Ok(Applied { head: commit.head, must_reopen })
    }
}
