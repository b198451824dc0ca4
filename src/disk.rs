//! Layer 3: private files and directories, accessible to their owner only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a directory and its missing parents, accessible to their owner only (mode 0700 on Unix).
/// Directories that exist already keep their permissions.
pub(crate) fn create_private_dir(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Returns true if the mode of the file lets every user of this machine read it; false also if the
/// mode cannot be read. The permissions of its parent directories are not checked, because they may
/// change later.
#[cfg(all(unix, feature = "server"))]
pub(crate) fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o004 != 0)
}

/// Opens a file for reading and writing. Creates it, accessible to the owner only (mode 0600 on
/// Unix), if it does not exist; an existing file keeps its contents and permissions.
pub(crate) fn open_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
