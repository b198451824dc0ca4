//! Control sockets of servers that users start by hand (`docs/status.md`). Each user has a private
//! directory for them. This module finds the directory, names the sockets, and lists the running
//! servers.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use rustix::process::{Pid, geteuid, test_kill_process};

use super::control::connect;

/// Maximum time to connect to a socket, to find out whether a server listens there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Prefix of the file name of a socket. The process id of the socket's server follows.
const NAME_PREFIX: &str = "server-";

/// Returns the path for the socket of this process, without creating the socket. Creates the
/// directory if it is missing, and removes the sockets of dead servers in it.
///
/// # Errors
/// The directory cannot be created, or others may have access to it.
pub(super) fn create_own() -> io::Result<PathBuf> {
    let directory = match runtime_directory() {
        Some(directory) => directory,
        None => temporary_directory(),
    };
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_private(&directory) {
        let text = format!("{} is not a private directory of this user", directory.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    for (socket, pid) in sockets_in(&directory) {
        let is_dead = pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
        if is_dead && !is_listening(&socket) {
            // If the socket remains, the next server removes it.
            let _ = fs::remove_file(&socket);
        }
    }
    Ok(directory.join(format!("{NAME_PREFIX}{}", process::id())))
}

/// Lists the sockets of this user's running servers that were started by hand, sorted. Connects to
/// each of them, and waits up to a second for one that does not accept. Skips directories
/// that cannot be read.
#[must_use]
pub fn running_servers() -> Vec<PathBuf> {
    let directories: Vec<PathBuf> =
        runtime_directory().into_iter().chain([temporary_directory()]).collect();
    let private = directories.iter().filter(|it| is_private(it));
    let mut sockets: Vec<PathBuf> =
        private.flat_map(|it| sockets_in(it)).map(|(path, _)| path).collect();
    sockets.retain(|it| is_listening(it));
    sockets.sort();
    sockets
}

/// Returns the directory for sockets in the user's runtime directory, `XDG_RUNTIME_DIR`. `None` if
/// that is not set, or is no private directory of the user.
fn runtime_directory() -> Option<PathBuf> {
    let directory = PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?);
    is_private(&directory).then(|| directory.join("pi-chat"))
}

/// Returns the directory for sockets of a user without a runtime directory: in the directory for
/// temporary files.
fn temporary_directory() -> PathBuf {
    env::temp_dir().join(format!("pi-chat-{}", geteuid().as_raw()))
}

/// Returns true if the path is a private directory: it belongs to this user, and no other user has
/// access. Does not follow symbolic links: in the directory for temporary files, others could set a
/// trap.
fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw() && it.mode() & 0o077 == 0)
}

/// Lists the entries of a directory with names that begin with [`NAME_PREFIX`]. Each comes with the
/// process id in its name; `None` if that is no valid process id. Yields none if the directory
/// cannot be read.
fn sockets_in(directory: &Path) -> impl Iterator<Item = (PathBuf, Option<Pid>)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix(NAME_PREFIX)?;
        Some((entry.path(), number.parse().ok().and_then(Pid::from_raw)))
    })
}

/// Returns true if a server listens on a socket, even if the socket's queue of connections is full.
fn is_listening(socket: &Path) -> bool {
    match connect(socket, PROBE_TIMEOUT) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
