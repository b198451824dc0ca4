//! The control socket: a Unix socket that answers each connection with a line of JSON and closes it:
//! to a request the result, without one a status report (`docs/status.md`).

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::ReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::ServerSettings;
use super::engine::EngineInput;
use super::status::StatusSource;
use crate::model::AnnouncementText;

/// Maximum time to serve one connection, from reading the request to writing the answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that a client has to begin its request. A client that has sent nothing by then gets the
/// status report.
const REQUEST_BEGIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum time to receive the rest of a request that has begun.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum length of a request, in bytes: an announcement in which every character is escaped fits.
const MAX_REQUEST_BYTES: u64 = 8 << 10;

/// A request on the control socket: a JSON object whose only key is the name of the request, such
/// as `{"announce": "text"}`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlRequest {
    /// Sends this text to all users, as a notice.
    Announce(String),
}

/// Answer to a [`ControlRequest`]: an object with one key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlAnswer {
    /// The text was sent to this number of users.
    Announced(usize),
    /// The request was refused; the text says why.
    Error(String),
}

/// Maximum time that a starting server tries to connect to the socket, to learn whether another
/// server listens there.
const PROBE_TIMEOUT: Duration = Duration::from_millis(10);

/// Pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Maximum number of connections that the kernel holds until they are accepted.
const ACCEPT_QUEUE_LENGTH: i32 = 16;

/// The listening control socket. Dropping it removes the socket's file, unless another server has
/// replaced the file.
pub(super) struct Control {
    /// The listening socket.
    listener: UnixListener,
    /// Path of the socket's file.
    path: PathBuf,
    /// Identity of the file ([`file_identity`]) when it was created: another server may have
    /// replaced it since. `None` if it could not be read; then the file is never removed.
    file: Option<(u64, u64)>,
}

impl Control {
    /// Opens the control socket; `None` if none is configured. Logs a failure and returns `None`,
    /// too; the server goes on.
    pub(super) fn open(settings: &ServerSettings) -> Option<Self> {
        let path = settings.control.clone()?;
        match bind(&path) {
            Ok(listener) => Some(Self { listener, file: file_identity(&path), path }),
            Err(error) => {
                let path = path.display();
                tracing::warn!(
                    "`chat-server status` and `announce` will not work: cannot use {path}: {error}"
                );
                None
            }
        }
    }

    /// Answers connections for ever, one after another. A connection that takes longer than
    /// [`RESPONSE_TIMEOUT`] is logged and dropped.
    pub(super) async fn serve(
        self,
        settings: watch::Receiver<ServerSettings>,
        status_source: StatusSource,
    ) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let settings = settings.borrow().clone();
                    if timeout(RESPONSE_TIMEOUT, answer(stream, settings, &status_source))
                        .await
                        .is_err()
                    {
                        tracing::warn!("somebody at the control socket had to be sent away");
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
            // A file that is left is replaced by the next server, as nobody listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads a connection's request, carries it out and writes the answer as a line of JSON: a status
/// report if there was no request. Writes nothing if the engine has ended. Ignores write errors.
async fn answer(mut stream: UnixStream, settings: ServerSettings, status_source: &StatusSource) {
    let (reader, mut writer) = stream.split();
    let answer = match read_request(reader).await {
        Request::None => {
            let Some(status) = status_source.status(settings).await else { return };
            serde_json::to_vec(&status)
        }
        Request::Valid(request) => {
            let Some(answer) = carry_out(request, status_source).await else { return };
            serde_json::to_vec(&answer)
        }
        Request::Invalid(problem) => serde_json::to_vec(&ControlAnswer::Error(problem)),
    };
    if let Ok(mut line) = answer {
        line.push(b'\n');
        let _ = writer.write_all(&line).await;
    }
}

/// What a client has sent on the control socket.
#[derive(Debug)]
enum Request {
    /// No byte came within [`REQUEST_BEGIN_TIMEOUT`], or the stream ended before one: the client gets
    /// the status.
    None,
    /// A complete, valid request.
    Valid(ControlRequest),
    /// An invalid or incomplete request. The text says what is wrong.
    Invalid(String),
}

/// Reads a request: a line of JSON, ended by a newline or the end of the stream, of at most
/// [`MAX_REQUEST_BYTES`].
async fn read_request(reader: ReadHalf<'_>) -> Request {
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST_BYTES));
    match timeout(REQUEST_BEGIN_TIMEOUT, reader.fill_buf()).await {
        Ok(Ok(received)) if !received.is_empty() => {}
        _ => return Request::None,
    }
    if timeout(REQUEST_TIMEOUT, reader.read_until(b'\n', &mut line)).await.is_err() {
        return Request::Invalid("the request is incomplete".to_owned());
    }
    match serde_json::from_slice(&line) {
        Ok(request) => Request::Valid(request),
        Err(error) => Request::Invalid(format!("not a request: {error}")),
    }
}

/// Carries out a request and returns the answer, which is an error for an invalid text; `None` if
/// the engine has ended.
async fn carry_out(request: ControlRequest, status_source: &StatusSource) -> Option<ControlAnswer> {
    let ControlRequest::Announce(text) = request;
    let text = match AnnouncementText::new(&text) {
        Ok(text) => text,
        Err(error) => return Some(ControlAnswer::Error(error.to_string())),
    };
    let (answer, told) = oneshot::channel();
    status_source.engine.send(EngineInput::Announce { text, answer }).await.ok()?;
    let users = told.await.ok()?;
    tracing::info!("an announcement of the owner was sent to {users} users");
    Some(ControlAnswer::Announced(users))
}

/// Connects to a server's control socket. Blocks for up to `patience` while the socket's queue of
/// connections is full.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if a server listens but its queue stayed full for that time; any other
/// error if connecting fails, for example because no server listens there.
pub fn connect(path: &Path, patience: Duration) -> io::Result<StdStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux the write time-out also limits connecting.
    socket.set_write_timeout(Some(patience))?;
    let address = SockAddr::unix(path)?;
    while let Err(error) = socket.connect(&address) {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(OwnedFd::from(socket).into())
}

/// Listens at a path, with access for the owner only. Replaces the socket file of a server that has
/// died.
///
/// # Errors
/// [`ErrorKind::AddrInUse`] if a running server listens there or the path is no socket; else the
/// error of the operating system.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let in_use = || Err(io::Error::new(ErrorKind::AddrInUse, "a server listens there"));
    match connect(path, PROBE_TIMEOUT) {
        Ok(_) => return in_use(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return in_use(),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path)?;
        }
        // Binding reports any other problem.
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Clients cannot connect before `listen`, so the mode is never too wide.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(ACCEPT_QUEUE_LENGTH)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

/// Returns the identity of a file, device and inode number; `None` if it does not exist or cannot
/// be read. Symbolic links are not followed.
fn file_identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// Returns true if there is a Unix socket at the path. Symbolic links are not followed.
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
}
