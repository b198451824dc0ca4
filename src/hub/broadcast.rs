//! Notices to all joined clients: `docs/protocol/README.md`, section 8.

use super::Hub;
use super::contract::ConnectionId;
use super::log_contract::StorageHealth;
use crate::model::{AnnouncementText, NoticeCode};
use crate::wire::tcp::Notice;

impl Hub {
    /// Broadcasts a notice that the server's wall clock was set. Clients that join later do not get
    /// it.
    pub(super) fn handle_clock_changed(&mut self) {
        let text = "The server's clock was set: times before and after do not compare.";
        self.broadcast(Notice::new(NoticeCode::ClockChanged, text));
    }

    /// Broadcasts the owner's announcement. Clients that join later do not get it.
    pub(super) fn handle_announce(&mut self, text: &AnnouncementText) {
        self.broadcast(Notice::new(NoticeCode::Announcement, text.as_str()));
    }

    /// Records the health of the log's storage. If it has changed, also from one kind of failure to
    /// another, broadcasts notice `StorageFailing`, or `StorageSound` if the storage is healthy
    /// again.
    pub(super) fn handle_storage_changed(&mut self, storage: StorageHealth) {
        let before = std::mem::replace(&mut self.storage, storage);
        if before == storage {
            return;
        }
        let notice = storage_failure_notice(storage).unwrap_or_else(|| {
            let text = match before {
                StorageHealth::Refusing => {
                    "The server can write to its disk again; messages are taken again."
                }
                StorageHealth::Stalled => "The server's disk answers again; nothing is lost.",
                StorageHealth::MemoryOnly | StorageHealth::Sound => {
                    "The server can write to its disk again; everything said is kept."
                }
            };
            Notice::new(NoticeCode::StorageSound, text)
        });
        self.broadcast(notice);
    }

    /// If the log's storage is failing, sends notice `StorageFailing` to a client that has just
    /// joined.
    pub(super) fn send_storage_notice(&mut self, id: ConnectionId) {
        if let Some(notice) = storage_failure_notice(self.storage) {
            self.send_frame(id, notice);
        }
    }

    /// Sends a notice to all connections that have joined, and returns their number. A connection
    /// whose replay is not completely queued never gets it, not even after its replay.
    pub(super) fn broadcast(&mut self, notice: Notice) -> usize {
        let joined: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.joined_session().is_some())
            .map(|(id, _)| *id)
            .collect();
        let count = joined.len();
        self.send_frame_to_all(joined, notice.into());
        count
    }
}

/// Returns the notice `StorageFailing` with a text for this state; `None` if the storage is
/// healthy.
fn storage_failure_notice(storage: StorageHealth) -> Option<Notice> {
    let text = match storage {
        StorageHealth::Sound => return None,
        StorageHealth::MemoryOnly => {
            "The server cannot write to its disk: what is said now is kept in memory only, \
             and is lost if the server stops."
        }
        StorageHealth::Refusing => {
            "The server cannot write to its disk: new messages are refused until it can."
        }
        StorageHealth::Stalled => {
            "The server's disk does not answer: what is said now appears when it does."
        }
    };
    Some(Notice::new(NoticeCode::StorageFailing, text))
}
