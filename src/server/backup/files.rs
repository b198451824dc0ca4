//! Files of the nightly backups: names, making and removing them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};
use jiff::civil::Date;

use super::schedule;
use crate::archive;
use crate::model::{ServerId, Timestamp};

/// Free space that a backup must leave in its file system, in bytes.
const RESERVED_SPACE: u64 = 64 << 20;

/// Suffix of the file of a backup that is being made or was interrupted.
const PARTIAL_SUFFIX: &str = ".part";

/// File name of a backup: `chat-2026-11-22.db`, or `chat-2026-11-22-2.db` for the second one of a
/// date. Names are ordered by date, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BackupName {
    /// Local date on which the backup was made.
    date: Date,
    /// Number of the backup within its date, from 1.
    number: u32,
}

impl BackupName {
    /// Returns the name for a further backup of a date. Its number is one more than the largest
    /// number of that date in `taken`; 1 if there is none. Gaps are not filled.
    fn next(date: Date, taken: &[Self]) -> Self {
        let last = taken.iter().filter(|it| it.date == date).map(|it| it.number).max();
        Self { date, number: last.unwrap_or(0).saturating_add(1) }
    }

    /// Parses a file name; `None` if it is no name of a backup exactly as [`Self::file_name`]
    /// spells it.
    fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_prefix("chat-")?.strip_suffix(".db")?;
        let (date, rest) = (stem.get(..10)?, stem.get(10..)?);
        let number = match rest.strip_prefix('-') {
            Some(number) => number.parse().ok()?,
            None => 1,
        };
        let found = Self { date: Date::strptime("%Y-%m-%d", date).ok()?, number };
        (found.file_name() == name).then_some(found)
    }

    /// Returns the file name as text.
    fn file_name(self) -> String {
        let Self { date, number } = self;
        let date = date.strftime("%Y-%m-%d");
        match number {
            1 => format!("chat-{date}.db"),
            _ => format!("chat-{date}-{number}.db"),
        }
    }
}

/// Returns the oldest backups, in order, that must be removed so that `keep` (at least 1) are left.
/// `made`, the backup that was just made, counts but is not returned, even if a wrong clock makes
/// it look like the oldest.
fn surplus(mut backups: Vec<BackupName>, made: BackupName, keep: usize) -> Vec<BackupName> {
    backups.retain(|it| *it != made);
    backups.sort_unstable();
    let count = (backups.len() + 1).saturating_sub(keep.max(1));
    backups.truncate(count);
    backups
}

/// Backups of one server in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackupFiles {
    /// Directory of the backups.
    pub(super) directory: PathBuf,
    /// Directory of the server's log.
    pub(super) log_directory: PathBuf,
    /// Server id, which each backup of this server contains. Backups of other servers in the
    /// directory are neither counted nor removed.
    pub(super) server_id: ServerId,
    /// Number of backups to keep; 0 counts as 1.
    pub(super) keep: usize,
}

impl BackupFiles {
    /// Returns the latest modification time of the server's backups. Skips times that
    /// [`schedule::is_future`] rejects. `None` if there is no backup, or the directory does not
    /// exist. Blocks.
    ///
    /// # Errors
    /// The directory exists but cannot be read.
    pub(super) fn last_backup_time(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let times = self.own_backups()?.into_iter().filter_map(|(_, time)| time);
        Ok(times.filter(|time| !schedule::is_future(*time, now)).max())
    }

    /// Makes a backup for this date, under the next number of the date. First creates the directory
    /// if it is missing, removes the files of interrupted backups, and checks that there is space.
    /// Then removes the server's oldest backups beyond [`Self::keep`]. If a backup cannot be
    /// removed, logs that. Blocks.
    ///
    /// # Errors
    /// No backup was made, and no older backup was removed.
    pub(super) fn make(&self, date: Date) -> Result<()> {
        self.create_directory()?;
        self.remove_interrupted();
        self.check_space()?;
        let taken = self.backup_names()?;
        let mut name = BackupName::next(date, &taken);
        let path = |name: BackupName| self.directory.join(name.file_name());
        // The name may be taken by something that is no file.
        while path(name).symlink_metadata().is_ok() {
            name.number = name.number.saturating_add(1);
        }
        archive::backup(&self.log_directory, &path(name))?;
        let own =
            self.own_backups().unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        for name in surplus(own, name, self.keep) {
            if let Err(error) = fs::remove_file(path(name)) {
                tracing::warn!("cannot remove the backup {}: {error}", path(name).display());
            }
        }
        Ok(())
    }

    /// Creates the directory, with access for the owner only, if it does not exist. Does not create
    /// its parent, because that may be a disk that is not mounted.
    ///
    /// # Errors
    /// There is no such directory, and it cannot be created.
    fn create_directory(&self) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists && !self.directory.is_dir() => {
                Err(error).with_context(|| format!("cannot create {}", self.directory.display()))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the file system of the backups has space for a copy of the log, plus
    /// [`RESERVED_SPACE`]. The log may be in the same file system, which must not become full.
    ///
    /// # Errors
    /// The space is too small or cannot be determined.
    fn check_space(&self) -> Result<()> {
        let shown = self.directory.display();
        let free = rustix::fs::statvfs(&self.directory)
            .with_context(|| format!("cannot use {shown}"))
            .map(|it| it.f_bavail.saturating_mul(it.f_frsize))?;
        let size = |name| fs::metadata(self.log_directory.join(name)).map_or(0, |it| it.len());
        let needed = size("chat.db") + size("chat.db-wal") + RESERVED_SPACE;
        let mega = |bytes: u64| bytes / 1_000_000;
        ensure!(
            free >= needed,
            "too little space in {shown}: {} MB of {} MB",
            mega(free),
            mega(needed)
        );
        Ok(())
    }

    /// Returns the names in the directory that have the form of a backup name, in any order. They
    /// may be backups of other servers, or things that are no files.
    ///
    /// # Errors
    /// The directory exists but cannot be read.
    fn backup_names(&self) -> Result<Vec<BackupName>> {
        let names = self.file_names()?;
        Ok(names.iter().filter_map(|name| BackupName::parse(name)).collect())
    }

    /// Returns the names of the backup files that contain this server's id, with their modification
    /// times. A time is `None` if it cannot be read.
    ///
    /// # Errors
    /// The directory exists but cannot be read.
    fn own_backups(&self) -> Result<Vec<(BackupName, Option<Timestamp>)>> {
        let own = |name: BackupName| {
            let path = self.directory.join(name.file_name());
            let metadata = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
            (archive::server_of_backup(&path)? == self.server_id).then_some(())?;
            let made = metadata.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
            let made = made.and_then(|it| u64::try_from(it.as_millis()).ok()).map(Timestamp);
            Some((name, made))
        };
        Ok(self.backup_names()?.into_iter().filter_map(own).collect())
    }

    /// Removes the partial files of interrupted backups, with their SQLite journals. Keeps a locked
    /// file: another process is making that backup. Ignores errors.
    fn remove_interrupted(&self) {
        let is_partial = |name: &&String| {
            name.strip_suffix(PARTIAL_SUFFIX).is_some_and(|it| BackupName::parse(it).is_some())
        };
        for name in self.file_names().unwrap_or_default().iter().filter(is_partial) {
            let path = self.directory.join(name);
            let is_abandoned = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if is_abandoned {
                // If the file remains, it is reported when it prevents a backup. The journal is
                // removed first, because without the other file it would not be found again.
                let _ = fs::remove_file(self.directory.join(format!("{name}-journal")));
                let _ = fs::remove_file(&path);
            }
        }
    }

    /// Returns the names of everything in the directory, except names that are not UTF-8. Empty if
    /// the directory does not exist.
    ///
    /// # Errors
    /// The directory exists but cannot be read.
    fn file_names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let entries =
            entries.with_context(|| format!("cannot read {}", display_path(&self.directory)))?;
        Ok(entries.into_iter().filter_map(|it| it.file_name().into_string().ok()).collect())
    }
}

/// Returns a path as text for error messages.
fn display_path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the backup names with these spellings.
    fn names(names: &[&str]) -> Vec<BackupName> {
        names.iter().map(|it| BackupName::parse(it).unwrap()).collect()
    }

    /// Only a file name in the exact form that the server writes is parsed.
    #[test]
    fn only_exact_names_are_backups() {
        for name in ["chat-2026-11-22.db", "chat-2026-11-22-2.db", "chat-2026-02-01-31.db"] {
            assert_eq!(BackupName::parse(name).unwrap().file_name(), name);
        }
        for name in [
            "chat.db",
            "chat-2026-11-22.db.part",
            "chat-2026-11-22-1.db",
            "chat-2026-11-22-02.db",
            "chat-2026-11-22-.db",
            "chat-2026-13-22.db",
            "chat-2026-11-2.db",
            "chat-2026-11-22-old.db",
            "Chat-2026-11-22.db",
            "chat-2026-11-é2.db",
        ] {
            assert_eq!(BackupName::parse(name), None, "{name}");
        }
    }

    /// The next name of a date has a number that was not used on that date.
    #[test]
    fn name_is_new_within_its_day() {
        let taken = names(&["chat-2026-11-22-2.db", "chat-2026-11-21.db"]);
        let next = |text: &str| BackupName::next(text.parse().unwrap(), &taken).file_name();
        assert_eq!(next("2026-11-22"), "chat-2026-11-22-3.db");
        assert_eq!(next("2026-11-21"), "chat-2026-11-21-2.db");
        assert_eq!(next("2026-11-20"), "chat-2026-11-20.db");
    }

    /// The oldest backups are surplus, but never the backup that was just made.
    #[test]
    fn oldest_backups_are_surplus() {
        let all = ["chat-2026-11-22-10.db", "chat-2026-11-22-2.db", "chat-2026-11-22.db"];
        let made = names(&all)[0];
        assert_eq!(surplus(names(&all), made, 3), []);
        assert_eq!(surplus(names(&all), made, 2), names(&all[2..]));
        assert_eq!(surplus(names(&all), made, 1), names(&["chat-2026-11-22.db", all[1]]));
        // The clock was wrong: the new backup looks like the oldest.
        assert_eq!(surplus(names(&all), names(&all)[2], 2), names(&[all[1]]));
    }
}
