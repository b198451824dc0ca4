//! Backup: a consistent copy of the database. The copy gets its final name only when it is
//! complete.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{ArchiveError, open};
use crate::disk::open_private_file;
use crate::log::sqlite::database::{not_a_uri, property, read_property, write_property};
use crate::model::ServerId;

/// Copies the log of a directory to the new file `file`. Returns the size of the copy, in bytes,
/// when it is synced to the disk. Until then the copy is named `file` with `.part` appended. A
/// server may run meanwhile.
///
/// A log opened from the copy gets a new log id, because the copy lacks later messages. With the
/// old id, clients would miss the later messages without notice.
///
/// # Errors
/// [`ArchiveError`]. If `file` existed before, it is unchanged ([`ArchiveError::Exists`]).
/// Otherwise it does not exist.
pub fn backup(directory: &Path, file: &Path) -> Result<u64, ArchiveError> {
    let source = open(directory)?;
    if file.symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists(file.to_path_buf()));
    }
    let part = partial_path(file);
    let locked = lock_partial_file(&part).map_err(file_error(&part))?;
    let made = copy_database(&source, &part)
        .and_then(|()| sync_and_rename(&locked, &part, file, sync_directory));
    if made.is_err() {
        // The first error is reported; this may fail for the same reason.
        let _ = fs::remove_file(&part);
    }
    made
}

/// Returns the server id stored in a backup, without changing the file. `None` if the file cannot
/// be read, or is no backup.
pub fn server_of_backup(file: &Path) -> Option<ServerId> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(not_a_uri(file), flags).ok()?;
    read_property(&copy, property::SERVER_ID).ok()?.map(ServerId)
}

/// Returns the path of an incomplete backup: `file` with `.part` appended.
fn partial_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".part");
    PathBuf::from(name)
}

/// Opens or creates the partial file of a backup, readable by its owner only. Locks the file, and
/// empties it: an interrupted backup may have left contents.
///
/// Keep the returned file open until the backup is complete. If this process closed any handle of
/// the file, SQLite's own locks would be released.
///
/// # Errors
/// The file cannot be used, or another backup has locked it.
fn lock_partial_file(part: &Path) -> io::Result<File> {
    let locked = open_private_file(part)?;
    locked.try_lock()?;
    locked.set_permissions(Permissions::from_mode(0o600))?;
    locked.set_len(0)?;
    Ok(locked)
}

/// Copies the database to the empty partial file, without deleted content. Marks the copy as not
/// properly closed, so that a log opened from it gets a new log id. Lifts the write protection of
/// the connection `source`, and leaves it lifted.
fn copy_database(source: &Connection, part: &Path) -> Result<(), ArchiveError> {
    let Some(name) = not_a_uri(part).to_str().map(str::to_owned) else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        return Err(file_error(part)(source));
    };
    // Lifts the write protection of this connection, which also applies to the copy.
    source.pragma_update(None, "query_only", false)?;
    source.execute("VACUUM INTO ?", [name])?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(not_a_uri(part), flags)?;
    // No journal file: an incomplete copy is thrown away anyway.
    copy.pragma_update(None, "journal_mode", "memory")?;
    let transaction = copy.transaction()?;
    // These are the properties of a log whose system has crashed, so opening it gives it a new log
    // id.
    write_property(&transaction, property::IS_CLEAN, 0)?;
    write_property(&transaction, property::IS_STRICT, 0)?;
    write_property(&transaction, property::BOOT_ID, "")?;
    transaction.commit()?;
    Ok(())
}

/// Syncs the partial file to the disk, renames it to `file` (replacing an existing one), and syncs
/// the directory by `sync_directory`. Returns the size of the file, in bytes.
///
/// Syncing the directory fails on some network file systems, although the backup is complete. That
/// is logged, and is no error.
fn sync_and_rename(
    locked: &File,
    part: &Path,
    file: &Path,
    sync_directory: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<u64, ArchiveError> {
    locked.sync_all().map_err(file_error(part))?;
    let bytes = locked.metadata().map_err(file_error(part))?.len();
    fs::rename(part, file).map_err(file_error(file))?;
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if let Err(error) = sync_directory(parent) {
        let file = file.display();
        tracing::warn!("{file} is complete, but a power cut now may remove its name: {error}");
    }
    Ok(bytes)
}

/// Syncs a directory to the disk, so that the names of its files are durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Returns a function that wraps an I/O error in [`ArchiveError::File`] with this path.
fn file_error(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_path_buf();
    move |source| ArchiveError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A complete backup is a success, even if its directory cannot be synced.
    #[test]
    fn file_that_is_there_is_a_success_although_its_directory_cannot_be_synced() {
        let parent = tempfile::tempdir().unwrap();
        let [part, file] = ["backup.part", "backup"].map(|it| parent.path().join(it));
        fs::write(&part, "all of it").unwrap();
        let locked = open_to_write(&part);
        let fail = |directory: &Path| {
            assert_eq!(directory, parent.path());
            Err(io::ErrorKind::InvalidInput.into())
        };
        assert_eq!(sync_and_rename(&locked, &part, &file, fail).unwrap(), 9);
        assert_eq!(fs::read(&file).unwrap(), b"all of it");
        assert!(!part.exists());
    }

    /// Opens an existing file to write, without emptying it. Panics if it cannot.
    fn open_to_write(part: &Path) -> File {
        File::options().write(true).open(part).unwrap()
    }
}
