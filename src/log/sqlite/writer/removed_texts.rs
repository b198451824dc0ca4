//! Timed tasks of the writer after a message was removed: its text leaves the write-ahead log, and
//! its words leave the search index.

use std::time::Duration;

use super::super::super::SEARCH_TIMEOUT;
use super::super::index_purge::IndexPurge;
use super::Writer;

/// Time from a removal to the truncation of the write-ahead log. Further removals in that time
/// share it.
pub(super) const WAL_TRUNCATION_DELAY: Duration = Duration::from_secs(20);

/// Time from a truncation that a reader has prevented to the next attempt.
pub(super) const WAL_TRUNCATION_RETRY: Duration = Duration::from_secs(5);

/// Number of attempts in a row that do not wait for readers, before one waits. So the first one that
/// waits comes 35 seconds after the removal, and each further one a minute later.
pub(super) const IMPATIENT_ATTEMPTS: u32 = 3;

/// Number of attempts, [`WAL_TRUNCATION_RETRY`] apart, of which one waits for readers.
pub(super) const ATTEMPTS_PER_WAIT: u32 = 12;

/// Maximum time that an attempt waits for readers. Messages wait meanwhile. It is enough for the
/// longest search, so that searches which follow each other without a pause do not keep removed
/// texts in the file; `backup` and `check` may take longer.
pub(super) const READER_PATIENCE: Duration =
    SEARCH_TIMEOUT.saturating_add(Duration::from_millis(500));

/// Minimum time from the beginning of one purge of the search index to that of the next. A purge
/// writes the whole index, and every user may remove messages: the own ones.
const INDEX_PURGE_INTERVAL: Duration = Duration::from_secs(60 * 60);

impl Writer {
    /// Has the write-ahead log truncated within [`WAL_TRUNCATION_DELAY`].
    pub(super) fn request_wal_truncation(&mut self) {
        let at = self.clock.now() + WAL_TRUNCATION_DELAY;
        self.state.wal_truncation_at =
            Some(self.state.wal_truncation_at.map_or(at, |it| it.min(at)));
    }

    /// Truncates the write-ahead log if its time has come. If a reader prevents it, tries again
    /// after [`WAL_TRUNCATION_RETRY`]. After [`IMPATIENT_ATTEMPTS`] one attempt in
    /// [`ATTEMPTS_PER_WAIT`] waits for readers, for at most [`READER_PATIENCE`].
    ///
    /// # Errors
    /// The checkpoint has failed; the truncation is still due.
    pub(super) fn truncate_wal_if_due(&mut self) -> rusqlite::Result<()> {
        if self.state.wal_truncation_at.is_none_or(|it| self.clock.now() < it) {
            return Ok(());
        }
        let failed = self.state.failed_wal_truncations;
        let is_patient = failed % ATTEMPTS_PER_WAIT == IMPATIENT_ATTEMPTS;
        let patience = if is_patient { READER_PATIENCE } else { Duration::ZERO };
        let is_truncated = self.store.try_truncate_wal(patience)?;
        self.state.failed_wal_truncations = if is_truncated { 0 } else { failed.wrapping_add(1) };
        let retry_at = self.clock.now() + WAL_TRUNCATION_RETRY;
        self.state.wal_truncation_at = (!is_truncated).then_some(retry_at);
        Ok(())
    }

    /// Runs one step of a purge of the search index, if one was requested and the last one was long
    /// enough ago. Returns true if more steps are left.
    pub(super) fn purge_index(&mut self) -> rusqlite::Result<bool> {
        let now = self.clock.now();
        if self.state.index_purge.is_none() && now >= self.state.index_purge_at {
            self.state.index_purge = IndexPurge::of_request(&self.store.connection)?;
            if self.state.index_purge.is_some() {
                self.state.index_purge_at = now + INDEX_PURGE_INTERVAL;
            }
        }
        let Some(purge) = &mut self.state.index_purge else { return Ok(false) };
        let is_complete = purge.run_step(&mut self.store.connection)?;
        if is_complete {
            self.state.index_purge = None;
            self.request_wal_truncation();
        }
        Ok(!is_complete)
    }
}
