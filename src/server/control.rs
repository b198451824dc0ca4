//! The socket on which the server tells its owner how it fares. Whoever
//! connects is told, and that is all: `docs/status.md`.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::ServerSettings;
use super::status::StatusSource;

/// Who asks is answered within this time, or not at all.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// So long a server that starts looks whether another one listens.
const PROBE_TIMEOUT: Duration = Duration::from_millis(10);

/// After a failed accept the next one waits so long.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Those who may wait for their turn.
const BACKLOG: i32 = 16;

/// The socket. Its file is taken away when this is dropped.
pub(super) struct Control {
    /// Where they come.
    listener: UnixListener,
    /// The file.
    path: PathBuf,
    /// Which one it is: another server may have put its own there since.
    file: Option<(u64, u64)>,
}

impl Control {
    /// Opens the socket, if one is wanted. A server that cannot tell how it
    /// fares is better than none: it says so and goes on.
    pub(super) fn open(settings: &ServerSettings) -> Option<Self> {
        let path = settings.control.clone()?;
        match bind(&path) {
            Ok(listener) => Some(Self { listener, file: file_identity(&path), path }),
            Err(error) => {
                let path = path.display();
                tracing::warn!("`chat-server status` will not work: cannot use {path}: {error}");
                None
            }
        }
    }

    /// Tells all who ask, one after the other, for ever.
    pub(super) async fn serve(
        self,
        settings: watch::Receiver<ServerSettings>,
        status_source: StatusSource,
    ) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let settings = settings.borrow().clone();
                    if timeout(RESPONSE_TIMEOUT, send_status(stream, settings, &status_source))
                        .await
                        .is_err()
                    {
                        tracing::warn!(
                            "somebody who status_source for the status had to be sent away"
                        );
                    }
                }
                Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.file.is_some() && file_identity(&self.path) == self.file {
            // If it stays, the next server sees that nobody listens.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Tells one who has status_source. Whether they stay to hear it is their affair.
async fn send_status(
    mut stream: UnixStream,
    settings: ServerSettings,
    status_source: &StatusSource,
) {
    let Some(status) = status_source.status(settings).await else { return };
    if let Ok(mut line) = serde_json::to_vec(&status) {
        line.push(b'\n');
        let _ = stream.write_all(&line).await;
    }
}

/// Connects to a server's socket. Where those who wait are many, so much time
/// is waited for a place among them.
///
/// # Errors
/// Nobody listens there, or [`ErrorKind::WouldBlock`]: somebody does, who has
/// let nobody in for all that time.
pub fn connect(path: &Path, patience: Duration) -> io::Result<StdStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It counts for connecting, too.
    socket.set_write_timeout(Some(patience))?;
    let address = SockAddr::unix(path)?;
    while let Err(error) = socket.connect(&address) {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(OwnedFd::from(socket).into())
}

/// Listens at a path, for the owner only. The file of a server that has died
/// is replaced, that of one that lives is not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let in_use = || Err(io::Error::new(ErrorKind::AddrInUse, "a server listens there"));
    match connect(path, PROBE_TIMEOUT) {
        Ok(_) => return in_use(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return in_use(),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path)?;
        }
        // Whatever else is there or is wrong, binding finds it.
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before it is listened on.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

/// What tells a file from others: its device and number there.
fn file_identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// Whether there is a socket, and not somebody's file.
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
}
