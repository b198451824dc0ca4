//! A copy of the database, of one moment, whole or not there at all.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{ArchiveError, open};
use crate::disk::open_private_file;
use crate::log::sqlite::database::{fact, write_fact};

/// Copies the log of a directory to a file that is not there yet; gives its
/// bytes. Whoever opens the copy goes on under another log id: what was
/// said since is missing in it, and clients would miss it silently.
///
/// # Errors
/// [`ArchiveError`]; the file is not there.
pub fn backup(directory: &Path, file: &Path) -> Result<u64, ArchiveError> {
    let source = open(directory)?;
    if file.symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists(file.to_path_buf()));
    }
    let part = partial_path(file);
    let locked = lock_partial_file(&part).map_err(file_error(&part))?;
    let made = copy_database(&source, &part).and_then(|()| sync_and_rename(&locked, &part, file));
    if made.is_err() {
        // What went wrong before is told; this may well go wrong for the same reason.
        let _ = fs::remove_file(&part);
    }
    made
}

/// Under which name a file is written until it is whole.
fn partial_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".part");
    PathBuf::from(name)
}

/// Takes the unfinished file, and empties what somebody has left there who
/// was stopped. SQLite's own locks are gone when any file of this process
/// on it is closed, so keep it until the end.
fn lock_partial_file(part: &Path) -> io::Result<File> {
    let locked = open_private_file(part)?;
    locked.try_lock()?;
    locked.set_permissions(Permissions::from_mode(0o600))?;
    locked.set_len(0)?;
    Ok(locked)
}

/// Copies the database, without what was deleted in it.
fn copy_database(source: &Connection, part: &Path) -> Result<(), ArchiveError> {
    let Some(name) = part.to_str() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8");
        return Err(file_error(part)(source));
    };
    // Nothing is written to the source; but to something.
    source.pragma_update(None, "query_only", false)?;
    source.execute("VACUUM INTO ?", [name])?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part, flags)?;
    // No further file: what is unfinished is thrown away anyway.
    copy.pragma_update(None, "journal_mode", "memory")?;
    let transaction = copy.transaction()?;
    // As if the system had gone down: then nobody goes on by the same name.
    write_fact(&transaction, fact::IS_CLEAN, 0)?;
    write_fact(&transaction, fact::IS_STRICT, 0)?;
    write_fact(&transaction, fact::BOOT_ID, "")?;
    transaction.commit()?;
    Ok(())
}

/// Has it on the disk, and gives it its name.
fn sync_and_rename(locked: &File, part: &Path, file: &Path) -> Result<u64, ArchiveError> {
    locked.sync_all().map_err(file_error(part))?;
    let bytes = locked.metadata().map_err(file_error(part))?.len();
    fs::rename(part, file).map_err(file_error(file))?;
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|it| it.sync_all()).map_err(file_error(parent))?;
    Ok(bytes)
}

/// Names the file that something is wrong with.
fn file_error(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_path_buf();
    move |source| ArchiveError::File { path: path.clone(), source }
}
