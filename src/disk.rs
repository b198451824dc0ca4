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

/// Returns the options of [`open_private_file`].
fn private_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
