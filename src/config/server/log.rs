//! Settings of the log: on disk or in memory.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use super::ServerOptions;
use crate::log::{Durability, LogSettings, MemoryLimits, OnFailure, StoreSettings};
use crate::model::Retention;
use crate::model::limits::HISTORY_LENGTH;

/// Value of the `durability` option: which messages a power cut may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DurabilityMode {
    /// The last second.
    Relaxed,
    /// Nothing that anybody saw.
    Strict,
}

/// Value of the `on-disk-failure` option: what happens to new messages while the disk cannot be
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DiskFailure {
    /// New messages are kept in memory, and written when the disk works again.
    Continue,
    /// New messages are refused.
    Refuse,
}

/// Default of the `keep-bytes` option, the maximum size of the log on disk, in bytes (1 GiB).
const DEFAULT_KEEP_BYTES: u64 = 1 << 30;

/// Minimum of the `keep-bytes` option, in bytes; 0 is allowed too. An empty database takes a tenth
/// of it.
const MIN_KEEP_BYTES: u64 = 1 << 20;

impl ServerOptions {
    /// Returns the settings of the log. The log is on disk if a data directory is set or systemd
    /// passes a `STATE_DIRECTORY`. Otherwise it is in memory.
    ///
    /// # Errors
    /// A limit of either kind of log is below its minimum. Both kinds are checked, because
    /// the command `chat-server validate` does not know the directory that systemd passes to the
    /// service.
    pub(super) fn log_settings(&self) -> Result<LogSettings> {
        self.check_log_limits()?;
        let Some(directory) = self.log_directory() else {
            let log = MemoryLimits::default();
            let room_entries = self.log_length.unwrap_or(log.room_entries);
            let total_bytes = self.log_bytes.unwrap_or(log.total_bytes);
            return Ok(LogSettings::Memory(MemoryLimits {
                room_entries,
                total_bytes,
                rooms: log.rooms,
            }));
        };
        let retention = Retention {
            days: self.keep_days.unwrap_or(0),
            messages: self.keep_messages.unwrap_or(0),
            bytes: self.keep_bytes.unwrap_or(DEFAULT_KEEP_BYTES),
        };
        let durability = match self.durability {
            None | Some(DurabilityMode::Relaxed) => Durability::Relaxed,
            Some(DurabilityMode::Strict) => Durability::Strict,
        };
        let on_failure = match (self.on_disk_failure, durability) {
            (Some(DiskFailure::Continue), _) | (None, Durability::Relaxed) => OnFailure::Continue,
            (Some(DiskFailure::Refuse), _) | (None, Durability::Strict) => OnFailure::Refuse,
        };
        let defaults = StoreSettings::default();
        Ok(LogSettings::Disk(StoreSettings {
            directory,
            durability,
            retention,
            on_failure,
            makes_key_apart: true,
            ..defaults
        }))
    }

    /// Checks the limits of both kinds of log. 0 means no limit for `keep-messages` and
    /// `keep-bytes`.
    ///
    /// # Errors
    /// A limit is below its minimum.
    fn check_log_limits(&self) -> Result<()> {
        let least = u32::from(HISTORY_LENGTH);
        let is_enough = |limit: Option<u32>| limit.is_none_or(|it| it >= least);
        let log_length = self.log_length.map(|it| u32::try_from(it).unwrap_or(u32::MAX));
        ensure!(is_enough(log_length), "log-length: must be at least {least}");
        let messages = self.keep_messages.filter(|it| *it != 0);
        ensure!(is_enough(messages), "keep-messages: must be 0 or at least {least}");
        let bytes = self.keep_bytes.filter(|it| *it != 0);
        ensure!(
            bytes.is_none_or(|it| it >= MIN_KEEP_BYTES),
            "keep-bytes: must be 0 or at least {MIN_KEEP_BYTES}"
        );
        Ok(())
    }
}
