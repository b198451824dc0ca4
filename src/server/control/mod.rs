//! Control socket: a Unix socket that answers each connection with one line of JSON, and then
//! closes it. The answer is the result of a request, or a status report if there was no request
//! (`docs/status.md`).
//!
//! | module | contents |
//! |---|---|
//! | `requests` | requests and answers |

mod requests;

use std::fmt::Display;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::ReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::requests::{
    ClaimListing, ControlAnswer, ControlList, ControlRequest, InvitationListing, InviteRequest,
    IssuedInvitation, RoleListing, RoomListing, SanctionListing,
};
use super::ServerSettings;
use super::engine::EngineInput;
use super::status::StatusSource;
use super::user_sockets;
use crate::model::{AnnouncementText, InvitationCode, ModerationRequest};
use crate::os::random_bytes;

/// Maximum time to serve one connection: to read the request, carry it out and write the answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time that a client has to begin its request. If it sends nothing by then, it gets the status
/// report.
const REQUEST_BEGIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum time to receive the rest of a request that has begun.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum length of a request, in bytes. An announcement in which every character is escaped fits.
const MAX_REQUEST_BYTES: u64 = 8 << 10;

/// Place of the control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ControlSocket {
    /// No control socket.
    #[default]
    None,
    /// Socket at this path.
    At(PathBuf),
    /// Socket in the user's private directory for sockets, named after this process. For a server
    /// that is started by hand.
    OfUser,
}

/// Maximum time that a starting server tries to connect to the socket, to find out whether another
/// server listens there.
const PROBE_TIMEOUT: Duration = Duration::from_millis(10);

/// Maximum number of connections that are served at a time. Further connections wait.
const MAX_CONNECTIONS: usize = 64;

/// Pause after a failed accept.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Maximum number of connections that the kernel holds until they are accepted.
const ACCEPT_QUEUE_LENGTH: i32 = 16;

/// Listening control socket. Dropping it removes the socket's file, unless another server has
/// replaced the file.
pub(super) struct Control {
    /// Listening socket.
    listener: UnixListener,
    /// Path of the socket's file.
    path: PathBuf,
    /// Identity of the socket's file ([`file_identity`]) when it was created. Another server may
    /// replace the file later. `None` if the identity could not be read; then the file is never
    /// removed.
    file: Option<(u64, u64)>,
}

impl Control {
    /// Opens the control socket. `None` if there is to be none. If it cannot be opened, logs the
    /// failure and returns `None`; the server continues.
    pub(super) fn open(settings: &ServerSettings) -> Option<Self> {
        let warn = |problem: &dyn Display| {
            tracing::warn!("`chat-server status` and `announce` will not work: {problem}");
        };
        let path = match &settings.control {
            ControlSocket::None => return None,
            ControlSocket::At(path) => path.clone(),
            ControlSocket::OfUser => user_sockets::create_own()
                .inspect_err(|error| warn(&format!("{error}; --control names a socket")))
                .ok()?,
        };
        match bind(&path) {
            Ok(listener) => Some(Self { listener, file: file_identity(&path), path }),
            Err(error) => {
                warn(&format!("cannot use {}: {error}", path.display()));
                None
            }
        }
    }

    /// Answers connections for ever, at most [`MAX_CONNECTIONS`] at a time. If a connection takes
    /// longer than [`RESPONSE_TIMEOUT`], logs that and drops it.
    pub(super) async fn serve(
        self,
        settings: watch::Receiver<ServerSettings>,
        status_source: StatusSource,
    ) {
        let status_source = Arc::new(status_source);
        let mut answers = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept(), if answers.len() < MAX_CONNECTIONS => accepted,
                Some(_) = answers.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (settings, source) = (settings.borrow().clone(), status_source.clone());
                    answers.spawn(async move {
                        let answer = answer(stream, settings, &source);
                        if timeout(RESPONSE_TIMEOUT, answer).await.is_err() {
                            tracing::warn!("somebody at the control socket had to be sent away");
                        }
                    });
                }
                Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.file.is_some() && file_identity(&self.path) == self.file {
            // If the file remains, the next server replaces it, because no server listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads a connection's request, carries it out, and writes the answer as a line of JSON. Writes a
/// status report if there was no request. Writes nothing if the engine has ended. Ignores write
/// errors.
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

/// Result of reading a request from the control socket.
#[derive(Debug)]
enum Request {
    /// No request: no byte arrived within [`REQUEST_BEGIN_TIMEOUT`], or the stream ended or failed
    /// before the first byte. The client gets the status report.
    None,
    /// Complete and valid request.
    Valid(ControlRequest),
    /// Invalid or incomplete request, with the error text.
    Invalid(String),
}

/// Reads a request: a line of JSON of at most [`MAX_REQUEST_BYTES`]. It ends with a newline or the
/// end of the stream; what follows the newline is ignored. A longer request is invalid. Waits
/// [`REQUEST_BEGIN_TIMEOUT`] for the first byte, and [`REQUEST_TIMEOUT`] for the rest.
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

/// Carries out a request, and returns the answer. `None` if the engine has ended.
async fn carry_out(request: ControlRequest, status_source: &StatusSource) -> Option<ControlAnswer> {
    match request {
        ControlRequest::Announce(text) => announce(&text, status_source).await,
        ControlRequest::Moderate(request) => moderate(request, status_source).await,
        ControlRequest::Invite(request) => invite(request, status_source).await,
        ControlRequest::List(list) => self::list(list, status_source).await,
        ControlRequest::Promote => Some(promote(status_source).await),
    }
}

/// Makes a follower the server. Returns the answer, an error if it is none.
async fn promote(status_source: &StatusSource) -> ControlAnswer {
    match &status_source.role {
        Some(role) => {
            role.promote().await.map_or_else(ControlAnswer::Error, ControlAnswer::Promoted)
        }
        None => ControlAnswer::Error("this is no follower: it is the server already".to_owned()),
    }
}

/// Returns a list. `None` if the engine has ended.
async fn list(list: ControlList, status_source: &StatusSource) -> Option<ControlAnswer> {
    let (answer, told) = oneshot::channel();
    status_source.engine.send(EngineInput::List { list, answer }).await.ok()?;
    told.await.ok()
}

/// Makes an invitation with a random code, and waits until the log has committed or refused it.
/// Returns the answer, an error if it was refused. `None` if the engine has ended.
async fn invite(request: InviteRequest, status_source: &StatusSource) -> Option<ControlAnswer> {
    let Ok(bits) = random_bytes() else {
        return Some(ControlAnswer::Error("the system has no random numbers".to_owned()));
    };
    let code = InvitationCode::from_random(bits);
    let invitation = match request.invitation(code.hash()) {
        Ok(invitation) => invitation,
        Err(problem) => return Some(ControlAnswer::Error(problem)),
    };
    match moderate(ModerationRequest::MakeInvitation(invitation), status_source).await? {
        ControlAnswer::Done(_) => {}
        refused => return Some(refused),
    }
    let made = match list(ControlList::Invitations, status_source).await? {
        ControlAnswer::Invitations(made) => made.into_iter().find(|it| it.id == code.hash().id()),
        _ => None,
    };
    Some(match made {
        Some(invitation) => {
            let code = code.to_string();
            ControlAnswer::Invited(IssuedInvitation { code, invitation })
        }
        None => ControlAnswer::Error("the invitation was revoked meanwhile".to_owned()),
    })
}

/// Sends an announcement to all users, and logs that. Returns the answer, an error if the text is
/// invalid. `None` if the engine has ended.
async fn announce(text: &str, status_source: &StatusSource) -> Option<ControlAnswer> {
    let text = match AnnouncementText::new(text) {
        Ok(text) => text,
        Err(error) => return Some(ControlAnswer::Error(error.to_string())),
    };
    let (answer, told) = oneshot::channel();
    status_source.engine.send(EngineInput::Announce { text, answer }).await.ok()?;
    let users = told.await.ok()?;
    tracing::info!("an announcement of the owner was sent to {users} users");
    Some(ControlAnswer::Announced(users))
}

/// Performs a moderation action, and waits until the log has committed or refused it. Returns the
/// answer, an error if the action was refused. `None` if the engine has ended.
async fn moderate(
    request: ModerationRequest,
    status_source: &StatusSource,
) -> Option<ControlAnswer> {
    let (answer, outcome) = oneshot::channel();
    status_source
        .engine
        .send(EngineInput::Moderate { request: Box::new(request), answer })
        .await
        .ok()?;
    Some(match outcome.await.ok()? {
        Ok(users) => ControlAnswer::Done(users),
        Err(refusal) => ControlAnswer::Error(refusal.text),
    })
}

/// Connects to a server's control socket. While the socket's queue of connections is full, blocks
/// for up to `patience`, which also stays the stream's time-out for writing.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if a server listens but its queue stayed full for `patience`. Any
/// other error if connecting fails, for example because no server listens there.
pub fn connect(path: &Path, patience: Duration) -> io::Result<StdStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux, the write time-out also limits connecting.
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
/// [`ErrorKind::AddrInUse`] if a server listens there or the path is no socket. Otherwise the error
/// of the operating system.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let in_use = || Err(io::Error::new(ErrorKind::AddrInUse, "a server listens there"));
    match connect(path, PROBE_TIMEOUT) {
        Ok(_) => return in_use(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return in_use(),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_socket(path) => {
            fs::remove_file(path)?;
        }
        // Binding reports all other problems.
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

/// Returns the identity of a file: device and inode number. `None` if the file does not exist or
/// cannot be read. Does not follow symbolic links.
fn file_identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// Returns true if the path is a Unix socket. Does not follow symbolic links.
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
}
