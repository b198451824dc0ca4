//! Nightly backups of the log on disk: `docs/durability.md`.
//!
//! | module | contents |
//! |---|---|
//! | `schedule` | when the next backup is due |
//! | `files` | file names, making a backup, removing the oldest |

mod files;
mod schedule;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Error, anyhow};
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use self::files::BackupFiles;
use self::schedule::Schedule;
use super::ServerSettings;
use crate::hub::Now;
use crate::log::LogSettings;
use crate::model::{ServerId, Timestamp};
use crate::os::Clock;

pub(super) use self::schedule::format_utc;

/// Time from the start of the server, or from a change of its settings, until the next check
/// whether a backup is due.
const START_DELAY: Duration = Duration::from_secs(5);

/// Time between two checks whether a backup is due. A timer until the next night would not follow
/// changes of the wall clock.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// Settings of the nightly backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSettings {
    /// Directory of the backups.
    pub directory: PathBuf,
    /// Number of backups to keep, at least 1.
    pub keep: usize,
}

/// State of the nightly backups, for the status report and systemd's status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackupState {
    /// Directory of the backups.
    pub(super) directory: PathBuf,
    /// Time of the last good backup. `None` if there is none, or if none was found because of an
    /// error.
    pub(super) last: Option<Timestamp>,
    /// Error of the last attempt; before the first attempt, error of looking for the last backup.
    /// `None` after success.
    pub(super) error: Option<String>,
}

impl BackupState {
    /// Returns the age of the last good backup, in seconds. 0 if its time is in the future; `None`
    /// if there is none.
    pub(super) fn age(&self, now: Timestamp) -> Option<u64> {
        self.last.map(|last| now.0.saturating_sub(last.0) / 1_000)
    }
}

/// While the settings ask for backups, makes one each night, or soon after the start if a night was
/// missed. Publishes the state of the backups: `None` without a backup directory or without a log
/// on disk. A failed backup is tried again after an hour, or soon after a change of the backup
/// settings. Never returns.
pub(super) async fn make_backups(
    server_id: Option<ServerId>,
    clock: Clock,
    mut settings: watch::Receiver<ServerSettings>,
    state: watch::Sender<Option<BackupState>>,
) {
    let mut files = None;
    // Looking up the time zone reads the names of all zones: 0.1 MB that a server without
    // backups does not need.
    let mut schedule = None;
    let mut delay = START_DELAY;
    loop {
        let wanted = backup_files(server_id, &settings.borrow_and_update());
        if wanted != files {
            files = wanted;
            schedule = files.as_ref().map(|_| Schedule::new(TimeZone::system()));
            state.send_replace(initial_state(files.clone(), clock).await);
        }
        tokio::select! {
            () = sleep(delay) => delay = CHECK_INTERVAL,
            Ok(()) = settings.changed() => {
                delay = START_DELAY;
                continue;
            }
        }
        let (Some(files), Some(schedule)) = (&files, &mut schedule) else { continue };
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        let last = state.borrow().as_ref().and_then(|it| it.last);
        if schedule.is_due(now, last) {
            let made = make(files.clone(), schedule, now.time).await;
            schedule.record_attempt(clock.now(), made.is_err());
            state.send_replace(Some(next_state(files, last, now.time, made)));
        }
    }
}

/// Returns the location of the backups; `None` if the settings ask for no backups or the log is not
/// on disk.
fn backup_files(server_id: Option<ServerId>, settings: &ServerSettings) -> Option<BackupFiles> {
    let BackupSettings { directory, keep } = settings.backup.clone()?;
    let LogSettings::Disk(log) = &settings.log else { return None };
    Some(BackupFiles {
        directory,
        log_directory: log.directory.clone(),
        server_id: server_id?,
        keep,
    })
}

/// Returns the state before the first attempt. It has the time of the last backup found in the
/// directory, or the error of reading it. `None` if `files` is `None`.
async fn initial_state(files: Option<BackupFiles>, clock: Clock) -> Option<BackupState> {
    let directory = files.as_ref()?.directory.clone();
    let now = clock.time_of_day();
    let found = spawn_blocking(move || files.map_or(Ok(None), |it| it.last_backup_time(now))).await;
    let found = found.unwrap_or_else(|_| Err(internal_error()));
    let (last, error) = match found {
        Ok(last) => (last, None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    Some(BackupState { directory, last, error })
}

/// Makes a backup for the local date of `now`, on a thread for blocking work.
///
/// # Errors
/// The errors of [`BackupFiles::make`]; an error if the time has no date because the clock is
/// wrong, or if the thread panics.
async fn make(files: BackupFiles, schedule: &Schedule, now: Timestamp) -> Result<(), Error> {
    let date = schedule.date(now).ok_or_else(|| anyhow!("the clock is wrong"))?;
    let made = spawn_blocking(move || files.make(date)).await;
    made.unwrap_or_else(|_| Err(internal_error()))
}

/// Returns the state after an attempt with the outcome `made`, and logs the outcome. `last`: time
/// of the last good backup before the attempt. It stays after a failure.
fn next_state(
    files: &BackupFiles,
    last: Option<Timestamp>,
    now: Timestamp,
    made: Result<(), Error>,
) -> BackupState {
    let directory = files.directory.clone();
    match made {
        Ok(()) => {
            tracing::info!("backup made in {}", directory.display());
            BackupState { directory, last: Some(now), error: None }
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!("no backup: {error}; trying again in an hour");
            BackupState { directory, last, error: Some(error) }
        }
    }
}

/// Returns the error for a panic on a thread for blocking work.
fn internal_error() -> Error {
    anyhow!("a bug in the server")
}
