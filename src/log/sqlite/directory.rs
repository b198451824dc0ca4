//! The directory: its files are nobody else's business, and one process at
//! a time writes to them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::settings::StoreError;
use crate::disk::{create_private_dir, open_private_file};

/// The database's name.
const DATABASE: &str = "chat.db";

/// The name of the file that whoever has the directory locks.
const LOCK: &str = "lock";

/// All files: with those that SQLite keeps beside the database.
const FILES: [&str; 4] = [DATABASE, "chat.db-wal", "chat.db-shm", LOCK];

/// A directory that this process alone may write to, until this is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Where it is.
    path: PathBuf,
    /// Locked.
    _lock: File,
}

impl Directory {
    /// Takes a directory; makes it if it is not there.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let wrap = |at: &Path| {
            let path = at.to_path_buf();
            |source| StoreError::Directory { path, source }
        };
        create_private_dir(path).map_err(wrap(path))?;
        warn_if_open(path);
        let lock_path = path.join(LOCK);
        let mut lock = open_private_file(&lock_path).map_err(wrap(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let directory = path.to_path_buf();
                return Err(StoreError::InUse { directory, holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(wrap(&lock_path)(error)),
        }
        // Whoever finds it locked reads it; if it cannot be written, they
        // read something else.
        let _ = note_holder(&mut lock);
        let database = path.join(DATABASE);
        // SQLite gives its other files the same permissions.
        open_private_file(&database).map_err(wrap(&database))?;
        for name in FILES {
            close_to_others(&path.join(name));
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// Where the database of a directory is, to be read beside whoever has it.
pub(crate) fn database_in(directory: &Path) -> Result<PathBuf, StoreError> {
    let path = directory.join(DATABASE);
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::Missing(directory.to_path_buf()))
        }
        Err(source) => Err(StoreError::Directory { path, source }),
    }
}

/// Who has noted in the lock file that the directory is theirs.
fn holder(lock: &mut File) -> String {
    let mut noted = String::new();
    let is_read = lock.take(20).read_to_string(&mut noted).is_ok();
    let noted = noted.trim();
    if is_read && noted.parse::<u32>().is_ok() { noted.to_owned() } else { "?".to_owned() }
}

/// Notes in the lock file that the directory is ours.
fn note_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", std::process::id())
}

/// What others may do with a file.
const OTHERS: u32 = 0o077;

/// A directory that was there before keeps its permissions, for others may
/// need them; the files in it are made private all the same.
fn warn_if_open(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
    if mode & OTHERS != 0 {
        tracing::warn!("others can look into {}; chmod 700 would keep them out", path.display());
    }
}

/// Takes a file from others who can read it: it may have come from a copy or
/// an older backup.
fn close_to_others(path: &Path) {
    // It need not be there.
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode();
    if mode & OTHERS == 0 {
        return;
    }
    let path_shown = path.display();
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)) {
        Ok(()) => tracing::warn!("others could read {path_shown}; now they cannot"),
        Err(error) => tracing::error!("others can read {path_shown}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert!(matches!(database_in(&path), Err(StoreError::Missing(_))));
        let first = Directory::take(&path).unwrap();
        assert_eq!((mode(&path), mode(&path.join(LOCK))), (0o700, 0o600));
        assert_eq!(mode(&database_in(&path).unwrap()), 0o600);
        match Directory::take(&path) {
            Err(StoreError::InUse { holder, .. }) => {
                assert_eq!(holder, std::process::id().to_string());
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        Directory::take(&path).unwrap();
    }

    #[test]
    fn files_are_taken_from_others() {
        let directory = tempfile::tempdir().unwrap();
        for name in FILES {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        }
        let _taken = Directory::take(directory.path()).unwrap();
        for name in FILES {
            let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
