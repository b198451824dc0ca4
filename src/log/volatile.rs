//! Volatile changes ([`VolatileDraft`]) in logs of this process: they are committed at once, in the
//! order of proposals, and are written nowhere.

use crate::hub::{HubId, LogItem, NameHold, VolatileDraft, VolatileItem};
use crate::model::SessionId;

/// Source of the numbers that volatile changes get.
#[derive(Debug)]
pub(super) struct VolatileSequencer {
    /// Number of the next new session.
    next_session: SessionId,
    /// Last hold on a name that was assigned.
    last_hold: NameHold,
}

impl VolatileSequencer {
    /// Creates a source. `next_session`: number of the next new session, greater than all that the
    /// log knows.
    pub(super) const fn new(next_session: SessionId) -> Self {
        Self { next_session, last_hold: NameHold::RESTORED }
    }

    /// Commits a volatile change of the only hub: assigns its numbers.
    pub(super) fn commit(&mut self, draft: VolatileDraft) -> LogItem {
        LogItem::Volatile(match draft {
            VolatileDraft::SessionBegin { connection, session, terms } => {
                let session = session.unwrap_or_else(|| self.take_session());
                self.last_hold = NameHold(self.last_hold.0.saturating_add(1));
                VolatileItem::SessionBegan {
                    connection: Some(connection),
                    hub: HubId::ALONE,
                    session,
                    hold: self.last_hold,
                    terms,
                }
            }
            VolatileDraft::RoomsChange { session, hold, rooms } => {
                VolatileItem::RoomsChanged { session, hold, rooms }
            }
            VolatileDraft::NameRelease { session, hold } => {
                VolatileItem::NameReleased { session, hold }
            }
        })
    }

    /// Returns the number of a new session.
    const fn take_session(&mut self) -> SessionId {
        let session = self.next_session;
        self.next_session = SessionId(session.0.saturating_add(1));
        session
    }
}
