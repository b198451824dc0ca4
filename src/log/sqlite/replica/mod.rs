//! Replication of the log: a follower has a copy of the log of its server, and may take its place
//! (`docs/protocol/replicate.md`).
//!
//! | module | contents |
//! |---|---|
//! | `source` | reads what a follower lacks, from the position that it has |
//! | `conversion` | parts as they travel, from and to the log's own types |
//! | `apply` | writes what was received: all of a batch, or nothing |
//! | `role` | what a database is: a server's own, a copy, or one that was replaced; promotion |

mod apply;
mod conversion;
mod role;
mod source;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use thiserror::Error;
use tokio::sync::oneshot;

pub(super) use self::apply::write_changes;
pub(crate) use self::apply::{Applied, CopyStore, ReplicaBatch};
pub(super) use self::conversion::{ReplicaChange, convert};
pub use self::role::Replaced;
pub(crate) use self::role::{
    FollowedServer, Promotion, StoreRole, promote_stopped, set_aside, store_role,
};
pub(super) use self::role::{
    check_role, first_reader_session, make_anew, note_superseded, note_told, promote,
};
pub(crate) use self::source::{Refusal, ReplicaSource};
use super::writer::Job;
use crate::model::Sequence;
use crate::wire::Malformed;

/// Reason why a batch of a replication is not applied. Nothing of it is.
#[derive(Debug, Error)]
pub enum ReplicaError {
    /// The server sends something that no log contains, or that is out of order.
    #[error("the server sends what cannot be stored: update the older of both programs")]
    Malformed,
    /// The database cannot be written.
    #[error("the database fails")]
    Database(#[from] rusqlite::Error),
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

impl From<Malformed> for ReplicaError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Job for the writer thread that concerns replication. Whoever waits for the answer may be gone.
#[derive(Debug)]
pub(super) enum ReplicaJob {
    /// Apply this batch.
    Apply(Box<ReplicaBatch>, oneshot::Sender<Result<Applied, ReplicaError>>),
    /// Make the copy a server's log.
    Promote(oneshot::Sender<Result<Promotion, String>>),
    /// Note that the server was replaced by one of this epoch, which has everything up to this
    /// sequence.
    Supersede(u64, Sequence, oneshot::Sender<rusqlite::Result<Replaced>>),
    /// Note that the copy has to be made anew.
    MakeAnew(oneshot::Sender<rusqlite::Result<()>>),
    /// Note that the server that was followed has learned of the promotion.
    NoteTold,
}

/// Handle of an open log for replication.
#[derive(Clone, Debug)]
pub struct ReplicaHandle(Arc<Mutex<Option<mpsc::Sender<Job>>>>);

impl ReplicaHandle {
    /// Creates a handle that puts jobs into this queue.
    pub(super) fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self(Arc::new(Mutex::new(Some(jobs))))
    }

    /// Closes the handle and its clones, so that the writer thread can end.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts a job into the queue of the writer thread. Drops it if the log is closed.
    fn send(&self, job: ReplicaJob) {
        if let Some(jobs) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = jobs.send(Job::Replica(job));
        }
    }

    /// Applies a batch to the copy, in one transaction, and publishes what is new in it.
    ///
    /// # Errors
    /// [`ReplicaError`]. Nothing is applied.
    pub(crate) async fn apply(&self, batch: ReplicaBatch) -> Result<Applied, ReplicaError> {
        let (answer, told) = oneshot::channel();
        self.send(ReplicaJob::Apply(Box::new(batch), answer));
        told.await.map_err(|_| ReplicaError::Closed)?
    }

    /// Makes the copy a server's log ([`promote`]). Close it then, and open it again.
    ///
    /// # Errors
    /// A text that says why not. Nothing has changed.
    pub(crate) async fn promote(&self) -> Result<Promotion, String> {
        let (answer, told) = oneshot::channel();
        self.send(ReplicaJob::Promote(answer));
        told.await.map_err(|_| ReplicaError::Closed.to_string())?
    }

    /// Notes that the server was replaced ([`note_superseded`]).
    ///
    /// # Errors
    /// [`ReplicaError`]. Nothing has changed.
    pub(crate) async fn supersede(
        &self,
        epoch: u64,
        position: Sequence,
    ) -> Result<Replaced, ReplicaError> {
        let (answer, told) = oneshot::channel();
        self.send(ReplicaJob::Supersede(epoch, position, answer));
        Ok(told.await.map_err(|_| ReplicaError::Closed)??)
    }

    /// Notes that the copy has to be made anew, because the server has another log. Close it then.
    ///
    /// # Errors
    /// [`ReplicaError`]. Nothing has changed.
    pub(crate) async fn make_anew(&self) -> Result<(), ReplicaError> {
        let (answer, told) = oneshot::channel();
        self.send(ReplicaJob::MakeAnew(answer));
        Ok(told.await.map_err(|_| ReplicaError::Closed)??)
    }

    /// Notes that the server that was followed has learned of the promotion.
    pub(crate) fn note_told(&self) {
        self.send(ReplicaJob::NoteTold);
    }
}
