//! Selection and opening of a log implementation.

use thiserror::Error;

use super::{Log, MemoryLimits, MemoryLog, SqliteLog, StoreError, StoreSettings};
use crate::hub::RestoredState;
use crate::model::{LogId, ServerId};
use crate::os::random_bytes;

/// The log implementation to use, with its settings.
#[derive(Clone, Debug)]
pub enum LogSettings {
    /// A [`MemoryLog`]: messages are kept until the process ends.
    Memory(MemoryLimits),
    /// An [`SqliteLog`]: messages are kept in a directory, across restarts.
    Disk(StoreSettings),
}

/// An open log and the state found in it.
pub struct OpenedLog {
    /// The open log.
    pub log: Box<dyn Log>,
    /// State that the hub restores.
    pub restored: RestoredState,
    /// Permanent identifier of the server that the log belongs to; none if the log stores no
    /// identifier.
    pub server_id: Option<ServerId>,
}

/// Error: a log cannot be opened. A log on disk is unchanged.
#[derive(Debug, Error)]
pub enum LogOpenError {
    /// The log on disk cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system has no randomness for the id of a new log.
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
}

impl LogSettings {
    /// Opens the selected log, or creates it if it does not exist. Blocks while a log on disk is
    /// read: call it outside of asynchronous tasks.
    ///
    /// # Errors
    /// [`LogOpenError`]; a log on disk is unchanged.
    pub fn open(self) -> Result<OpenedLog, LogOpenError> {
        match self {
            Self::Memory(limits) => {
                let log_id = LogId(random_bytes().map_err(LogOpenError::Random)?);
                let (log, restored) = (MemoryLog::new(limits), RestoredState::empty(log_id));
                Ok(OpenedLog { log: Box::new(log), restored, server_id: None })
            }
            Self::Disk(settings) => {
                let (log, restored) = SqliteLog::open(settings)?;
                let server_id = Some(log.server_id());
                Ok(OpenedLog { log: Box::new(log), restored, server_id })
            }
        }
    }
}
