//! Timed tasks of the writer after a message was removed: its text leaves the write-ahead log, and
//! its words leave the search index.

use std::time::Duration;

use super::super::index_purge::IndexPurge;
use super::Writer;

/// Time from a removal to the truncation of the write-ahead log. Further removals in that time
/// share it.
const WAL_TRUNCATION_DELAY: Duration = Duration::from_secs(20);

/// Time from a truncation that a reader has prevented to the next attempt.
const WAL_TRUNCATION_RETRY: Duration = Duration::from_secs(5);

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
    /// after [`WAL_TRUNCATION_RETRY`].
    ///
    /// # Errors
    /// The checkpoint has failed; the truncation is still due.
    pub(super) fn truncate_wal_if_due(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        if self.state.wal_truncation_at.is_some_and(|it| now >= it) {
            let is_truncated = self.store.try_truncate_wal()?;
            self.state.wal_truncation_at = (!is_truncated).then_some(now + WAL_TRUNCATION_RETRY);
        }
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
