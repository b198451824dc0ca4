//! Directory of the log on disk. One process at a time locks it, and only the owner can access its
//! files.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::settings::StoreError;
use crate::disk::{create_private_dir, open_private_file, open_private_file_without_link};

/// File name of the database.
const DATABASE_FILE: &str = "chat.db";

/// File name of the lock file.
const LOCK_FILE: &str = "lock";

/// Files that are made private to their owner: the database, the two files that SQLite keeps beside
/// it, and the lock file.
const PRIVATE_FILES: [&str; 4] = [DATABASE_FILE, "chat.db-wal", "chat.db-shm", LOCK_FILE];

/// Locked directory of a log. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct LockedDirectory {
    /// Path of the directory.
    path: PathBuf,
    /// Open lock file, which holds the lock.
    _lock: File,
}

impl LockedDirectory {
    /// Locks the directory of a log. Creates the directory if it does not exist, and an empty
    /// database file if there is none. Writes the id of this process into the lock file. Removes
    /// the permissions of group and others from all files of the log, but not from the directory.
    /// Does not wait for the lock.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if the directory is locked already, by another process or by this one.
    /// [`StoreError::Directory`] if the directory, its lock file or its database file cannot be
    /// created or used, or if the lock file is a symbolic link.
    ///
    /// Permissions that cannot be changed are no error: they are reported in the program's log.
    pub(crate) fn lock(path: &Path) -> Result<Self, StoreError> {
        let wrap = |at: &Path| {
            let path = at.to_path_buf();
            |source| StoreError::Directory { path, source }
        };
        create_private_dir(path).map_err(wrap(path))?;
        warn_if_accessible(path);
        let lock_path = path.join(LOCK_FILE);
        let mut lock = open_private_file_without_link(&lock_path).map_err(wrap(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let directory = path.to_path_buf();
                return Err(StoreError::InUse { directory, holder: read_lock_holder(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(wrap(&lock_path)(error)),
        }
        // A process that finds the directory locked reads this process id. If it cannot be written,
        // that process reports an unknown holder.
        let _ = write_lock_holder(&mut lock);
        let database = path.join(DATABASE_FILE);
        // SQLite gives its other files the same permissions.
        open_private_file(&database).map_err(wrap(&database))?;
        for name in PRIVATE_FILES {
            make_private(&path.join(name));
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// Returns the path of the database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }
}

/// Returns the path of the database file in a directory, which need not be locked.
///
/// # Errors
/// [`StoreError::Missing`] if there is no such file. [`StoreError::Directory`] if the file cannot
/// be accessed.
pub(crate) fn existing_database(directory: &Path) -> Result<PathBuf, StoreError> {
    let path = directory.join(DATABASE_FILE);
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::Missing(directory.to_path_buf()))
        }
        Err(source) => Err(StoreError::Directory { path, source }),
    }
}

/// Reads the process id of the lock's holder from the lock file. Returns `?` if the file contains
/// none or cannot be read.
fn read_lock_holder(lock: &mut File) -> String {
    let mut noted = String::new();
    let is_read = lock.take(20).read_to_string(&mut noted).is_ok();
    let noted = noted.trim();
    if is_read && noted.parse::<u32>().is_ok() { noted.to_owned() } else { "?".to_owned() }
}

/// Writes the id of this process into the lock file, for other processes that find the lock taken.
fn write_lock_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    writeln!(lock, "{}", std::process::id())
}

/// Permission bits of a file's group and of other users.
const GROUP_AND_OTHERS_MASK: u32 = 0o077;

/// Warns if group or others have any permission for the directory. Does not change the permissions,
/// because other users may need them. The files in the directory are made private anyway.
fn warn_if_accessible(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
    if mode & GROUP_AND_OTHERS_MASK != 0 {
        tracing::warn!("others can look into {}; chmod 700 would keep them out", path.display());
    }
}

/// Removes all permissions of group and others from a file, and warns; logs an error if that fails.
/// Such permissions may come from a copy or an older backup. Does nothing if there are none, or if
/// the file does not exist.
fn make_private(path: &Path) {
    // The file need not exist.
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode();
    if mode & GROUP_AND_OTHERS_MASK == 0 {
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
    fn directory_is_locked_by_one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert!(matches!(existing_database(&path), Err(StoreError::Missing(_))));
        let first = LockedDirectory::lock(&path).unwrap();
        assert_eq!((mode(&path), mode(&path.join(LOCK_FILE))), (0o700, 0o600));
        assert_eq!(mode(&existing_database(&path).unwrap()), 0o600);
        match LockedDirectory::lock(&path) {
            Err(StoreError::InUse { holder, .. }) => {
                assert_eq!(holder, std::process::id().to_string());
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        LockedDirectory::lock(&path).unwrap();
    }

    #[test]
    fn lock_file_that_is_a_link_is_refused_and_its_target_kept() {
        let directory = tempfile::tempdir().unwrap();
        let precious = directory.path().join("precious");
        fs::write(&precious, "my diary").unwrap();
        std::os::unix::fs::symlink(&precious, directory.path().join(LOCK_FILE)).unwrap();
        let refused = LockedDirectory::lock(directory.path());
        assert!(matches!(refused, Err(StoreError::Directory { .. })), "{refused:?}");
        assert_eq!(fs::read(&precious).unwrap(), b"my diary");
    }

    #[test]
    fn files_are_made_private() {
        let directory = tempfile::tempdir().unwrap();
        for name in PRIVATE_FILES {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        }
        let _taken = LockedDirectory::lock(directory.path()).unwrap();
        for name in PRIVATE_FILES {
            let mode = fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
