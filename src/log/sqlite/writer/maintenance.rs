//! What the thread that writes does from time to time.

use std::time::Duration;

use super::super::{opening, search};
use super::failure::is_of_disk;
use super::{SYNC_INTERVAL, Writer};
use crate::hub::{Now, StorageHealth};
use crate::model::Retention;

/// Whether or not anything is said, the same is done so often.
const CHORES_INTERVAL: Duration = Duration::from_secs(600);

/// So long until the next step, if there is more to do.
const NEXT_CHORE: Duration = Duration::from_millis(10);

/// Messages that are made findable at one time.
const INDEX_STEP: usize = 500;

impl Writer {
    /// Keeps messages so long from now on: looks through all rooms soon.
    pub(super) fn change_retention(&mut self, retention: Retention) {
        self.settings.retention = retention;
        self.state.chores_at = self.clock.now();
        match opening::last_in_rooms(&self.store.connection) {
            Ok(lasts) => self.state.touched.extend(lasts.into_keys()),
            Err(error) => tracing::warn!("cannot look through the rooms: {error}"),
        }
    }

    /// Makes some messages findable; gives how many. It need not be on the
    /// disk: it can be done again.
    pub(super) fn index(&mut self) -> rusqlite::Result<usize> {
        let sync = self.ordering_sync();
        self.store.ask(sync)?;
        let transaction = self.store.connection.transaction()?;
        let (_, count) = search::index(&transaction, INDEX_STEP)?;
        if count > 0 {
            transaction.commit()?;
        }
        Ok(count)
    }

    /// Does what is due.
    pub(super) fn look_at_the_time(&mut self) {
        let now = self.clock.now();
        if self.state.storage != StorageHealth::Sound {
            if now >= self.state.retry_at {
                self.retry();
            }
            self.state.chores_at = self.state.chores_at.max(self.state.retry_at);
            return;
        }
        if self.state.is_unsynced && now >= self.state.synced_at + SYNC_INTERVAL {
            match self.store.sync(self.ledger.head, self.full_sync()) {
                Ok(()) => {
                    self.state.synced_at = now;
                    self.state.is_unsynced = false;
                }
                Err(error) => return self.fail(&error, Vec::new()),
            }
        }
        if let Err(error) = self.store.bring_home() {
            return self.fail(&error, Vec::new());
        }
        if now >= self.state.chores_at {
            match self.do_chores() {
                Ok(true) => self.state.chores_at = now + NEXT_CHORE,
                Ok(false) => {
                    self.state.chores_at = now + CHORES_INTERVAL;
                    self.state.since_chores = 0;
                }
                // What a failed sync leaves is not to be believed, whatever it was for.
                Err(error) if is_of_disk(&error) => self.fail(&error, Vec::new()),
                Err(error) => {
                    tracing::warn!("cannot tidy up: {error}");
                    self.state.chores_at = now + CHORES_INTERVAL;
                }
            }
        }
    }

    /// Makes messages findable, forgets what is too much, notes references:
    /// some of it. Says whether there is more.
    pub(super) fn do_chores(&mut self) -> rusqlite::Result<bool> {
        let mut more = self.index()? == INDEX_STEP;
        // What is forgotten next must not be needed to know who said what.
        let to_note = self.ledger.to_note();
        if !to_note.is_empty() {
            self.write(&to_note)?;
            self.ledger.is_noted();
        }
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let retention = self.settings.retention;
        let step = self.store.forget(retention, &self.state.touched, now, self.ledger.head)?;
        for room in &step.rooms {
            self.ledger.forget_room(room);
        }
        for room in &step.done {
            self.state.touched.remove(room);
        }
        more |= step.more;
        Ok(more)
    }
}
