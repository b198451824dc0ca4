//! Selection and opening of a log implementation.

use thiserror::Error;

use super::{Log, MemoryLimits, MemoryLog, ReplicaHandle, SqliteLog, StoreError, StoreSettings};
use crate::hub::RestoredState;
use crate::model::{IdentityKey, LogId, ServerId};
use crate::os::random_bytes;
use crate::tls::{DamagedIdentity, StoredIdentity};

/// Log implementation to use, with its settings.
#[derive(Clone, Debug)]
pub enum LogSettings {
    /// A [`MemoryLog`] with these limits: entries are lost when the process ends.
    Memory(MemoryLimits),
    /// An [`SqliteLog`] with these settings: entries are stored in a directory and survive
    /// restarts.
    Disk(StoreSettings),
}

/// Result of opening a log: the log, the state that was found in it, and the server's identity.
pub struct OpenedLog {
    /// The open log.
    pub log: Box<dyn Log>,
    /// State that the hub restores from the log.
    pub restored: RestoredState,
    /// Permanent identifier of the server, as stored in the log. `None` for a log in memory, which
    /// stores no identifier.
    pub server_id: Option<ServerId>,
    /// Public key of the server, as stored in the log. `None` for a log in memory.
    pub server_key: Option<IdentityKey>,
    /// Handle for replication. `None` for a log in memory.
    pub replica: Option<ReplicaHandle>,
    /// Key and certificate of the server for TLS, as stored in the log. `None` for a log in memory.
    pub identity: Option<Result<StoredIdentity, DamagedIdentity>>,
}

/// Error of opening a log. The messages of a log on disk are unchanged, but its database may have
/// been migrated.
#[derive(Debug, Error)]
pub enum LogOpenError {
    /// The log on disk cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's random source has failed, so a new log in memory has no id.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

impl LogSettings {
    /// Opens the selected log, or creates it if it does not exist. Blocks while it reads a log on
    /// disk, so call it outside of asynchronous tasks.
    ///
    /// # Errors
    /// [`LogOpenError`]. The messages of a log on disk are unchanged, but its database may have
    /// been migrated.
    pub fn open(self) -> Result<OpenedLog, LogOpenError> {
        match self {
            Self::Memory(limits) => {
                let log_id = LogId(random_bytes().map_err(LogOpenError::Random)?);
                let (log, restored) = (MemoryLog::new(limits), RestoredState::empty(log_id));
                Ok(OpenedLog {
                    log: Box::new(log),
                    restored,
                    server_id: None,
                    server_key: None,
                    identity: None,
                    replica: None,
                })
            }
            Self::Disk(settings) => {
                let (log, restored) = SqliteLog::open(settings)?;
                let server_id = Some(log.server_id());
                let server_key = Some(log.server_key());
                let identity = Some(log.identity().clone());
                let replica = Some(log.replica());
                Ok(OpenedLog {
                    log: Box::new(log),
                    restored,
                    server_id,
                    server_key,
                    replica,
                    identity,
                })
            }
        }
    }
}
