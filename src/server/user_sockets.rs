//! Control sockets of servers that users start by hand, in a private directory of the user: its
//! place, the names of the sockets, and the search for running servers (`docs/status.md`).

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

/// Prefix of the name of a socket. The process id of its server follows.
const NAME_PREFIX: &str = "server-";

/// Returns the path of this process's own socket. Creates the directory if necessary, and removes
/// the sockets of dead servers in it.
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
            // If it remains, it is removed the next time.
            let _ = fs::remove_file(&socket);
        }
    }
    Ok(directory.join(format!("{NAME_PREFIX}{}", process::id())))
}

/// Lists the sockets of this user's running servers that were started by hand, sorted.
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
/// there is no such directory.
fn runtime_directory() -> Option<PathBuf> {
    let directory = PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?);
    is_private(&directory).then(|| directory.join("pi-chat"))
}

/// Returns the directory for sockets where the user has no runtime directory.
fn temporary_directory() -> PathBuf {
    env::temp_dir().join(format!("pi-chat-{}", geteuid().as_raw()))
}

/// Returns true if the path is a directory that belongs to this user and to which nobody else has
/// access. Does not follow symbolic links: in the directory for temporary files, others could set a
/// trap.
fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw() && it.mode() & 0o077 == 0)
}

/// Lists the sockets in a directory, with the process id of each if its name holds a valid one.
fn sockets_in(directory: &Path) -> impl Iterator<Item = (PathBuf, Option<Pid>)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix(NAME_PREFIX)?;
        Some((entry.path(), number.parse().ok().and_then(Pid::from_raw)))
    })
}

/// Returns true if a server listens on a socket.
fn is_listening(socket: &Path) -> bool {
    match connect(socket, PROBE_TIMEOUT) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
