//! Layer 3: private files and directories, which only their owner can access.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a directory and its missing parents, accessible only by their owner (mode 0700 on Unix).
/// Existing directories keep their permissions.
pub(crate) fn create_private_dir(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Returns true if the mode of the file lets every user of this machine read it. Returns false if
/// the mode cannot be read. Does not check the permissions of parent directories, because they may
/// change later.
#[cfg(all(unix, feature = "server"))]
pub(crate) fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o004 != 0)
}

/// Opens a file for reading and writing. Creates a missing file, accessible only by its owner (mode
/// 0600 on Unix). An existing file keeps its contents and permissions. Follows symbolic links.
pub(crate) fn open_private_file(path: &Path) -> io::Result<File> {
    private_file_options().open(path)
}

/// Opens or creates a file like [`open_private_file`], for a program that overwrites it.
///
/// # Errors
/// The file cannot be opened, or the path is a symbolic link. A link is refused, because
/// overwriting its target could destroy any file of the user.
#[cfg(all(unix, feature = "server"))]
pub(crate) fn open_private_file_without_link(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    private_file_options().custom_flags(no_link).open(path)
}

/// Replaces a file by one with this content, which only its owner can access (mode 0600 on Unix),
/// or creates it. The directory must exist. After a crash of the program or a power cut, the file
/// has either the old or the new content. Waits for the disk.
///
/// # Errors
/// The new file cannot be written, or not put in place of the old one. The old file is unchanged,
/// and no temporary file is left.
#[cfg(feature = "ui")]
pub(crate) fn replace_private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_file(path, content, File::sync_all)
}

/// Replaces a file like [`replace_private_file`]. `sync`: writes a file's content to the disk; an
/// error of it is an error of this function.
///
/// On Unix the directory is synced, too, so that the new content survives a power cut after this
/// function. That it cannot be synced, as on some network file systems, is no error: then a power
/// cut soon afterwards may bring the old content back.
#[cfg(feature = "ui")]
fn replace_file(
    path: &Path,
    content: &[u8],
    sync: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    io::Write::write_all(&mut temporary, content)?;
    // Otherwise a power cut after the renaming could leave an empty file.
    sync(temporary.as_file())?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    #[cfg(unix)]
    drop(File::open(directory).and_then(|it| it.sync_all()));
    Ok(())
}

/// Returns the options of [`open_private_file`].
fn private_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(all(test, feature = "ui"))]
mod tests {
    use std::fs;

    use super::*;

    /// A file is replaced by a private one with the new content. If that cannot be brought to the
    /// disk, which is tried before the old file goes, the old file stays. No other file is left.
    #[test]
    fn replaced_file_has_old_or_new_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace_private_file(&path, b"old").unwrap();
        let fail = |file: &File| {
            assert_eq!(file.metadata()?.len(), 4);
            Err(io::Error::other("the disk fails"))
        };
        assert!(replace_file(&path, b"lost", fail).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut is_synced = false;
        let sync = |_: &File| {
            assert_eq!(fs::read(&path).unwrap(), b"old", "replaced before the new file is on disk");
            is_synced = true;
            Ok(())
        };
        replace_file(&path, b"new", sync).unwrap();
        assert!(is_synced);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(replace_private_file(&directory.path().join("missing/file"), b"new").is_err());
    }
}
