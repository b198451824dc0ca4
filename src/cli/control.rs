//! Client of the control socket. By this socket `chat-server status` and `chat-server announce`
//! reach the server on this machine.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use clap::Args;
use thiserror::Error as ErrorType;

use crate::config::server::ServerOptions;
use crate::os::Clock;
use crate::server::{Status, connect_control, running_servers};

/// Path of the control socket of the packaged systemd service. Used if no other path is known.
const SERVICE_SOCKET: &str = "/run/chat-server/control";

/// Maximum time of a request over the control socket, from connecting to the last byte of the
/// answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// Limit of the server's answer, in bytes. An answer of this length or more is an error.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Flags that locate the control socket.
#[derive(Args, Debug)]
pub(super) struct ControlArgs {
    /// Control socket of the server [default: the one that the settings name, otherwise that of the
    /// service, /run/chat-server/control, otherwise that of the server that you started by hand]
    #[arg(long, value_name = "SOCKET", env = "CHAT_SERVER_CONTROL")]
    control: Option<PathBuf>,

    /// Directory where the server keeps its messages, and maybe its socket
    #[arg(long = "data", value_name = "DIR", env = "CHAT_SERVER_DATA")]
    data_dir: Option<PathBuf>,

    /// Configuration file of the server
    #[arg(long, value_name = "FILE", env = "CHAT_SERVER_CONFIG")]
    config: Option<PathBuf>,
}

impl ControlArgs {
    /// Returns the directory in which the server keeps its messages, from flags, environment or
    /// configuration file; `None` if none names it.
    ///
    /// # Errors
    /// The configuration file cannot be read or is invalid.
    pub(super) fn data_directory(&self) -> Result<Option<PathBuf>> {
        let of_file = match &self.config {
            Some(path) => ServerOptions::from_file(path)?.data_dir(),
            None => None,
        };
        Ok(self.data_dir.clone().or(of_file))
    }

    /// Returns the path of the control socket, from flags, environment, or configuration file. If
    /// none names it: [`SERVICE_SOCKET`] if the service can be asked there, otherwise the socket of
    /// the only server that this user has started by hand. Connects to these sockets to find out,
    /// which may take up to [`ANSWER_TIMEOUT`] for the service. Does not check a socket that is
    /// named.
    ///
    /// # Errors
    /// The configuration file cannot be read or is invalid. Or no server can be asked, or several;
    /// the text says what to give. For several, it describes each, which queries them one after
    /// another.
    pub(super) fn locate(&self) -> Result<PathBuf> {
        let file = match &self.config {
            Some(path) => ServerOptions::from_file(path)?,
            None => ServerOptions::default(),
        };
        let (control, data_dir) = (self.control.clone(), self.data_dir.clone());
        let options = ServerOptions::for_control_socket(control, data_dir).or(file);
        if let Some(path) = options.control_socket() {
            return Ok(path);
        }
        let service = match connect_control(Path::new(SERVICE_SOCKET), ANSWER_TIMEOUT) {
            Ok(_) => return Ok(SERVICE_SOCKET.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(SERVICE_SOCKET.into()),
            Err(error) => error,
        };
        let mut servers = running_servers();
        match servers.as_slice() {
            [_] => Ok(servers.remove(0)),
            [] => Err(Error::from(service).context(format!(
                "no running server was found: none that you started by hand, and no service at {SERVICE_SOCKET} (if it runs elsewhere, use --control or --data)"
            ))),
            several => {
                let lines: String = several.iter().map(|it| describe_server(it)).collect();
                bail!("several of your servers are running; choose one of them:{lines}")
            }
        }
    }
}

/// Returns a newline, then a line that describes the server with this socket and gives the flag
/// that selects it. Queries the server's status for that, within [`ANSWER_TIMEOUT`].
fn describe_server(socket: &Path) -> String {
    let status = exchange(socket, b"").and_then(|it| Ok(serde_json::from_str::<Status>(&it)?));
    let what = status.map_or("a server that does not answer".to_owned(), |it| {
        let tls = it.tls.iter().flat_map(|it| &it.listening);
        let listening: Vec<String> =
            it.listening.iter().chain(tls).map(ToString::to_string).collect();
        format!("“{}” on {}", it.name, listening.join(", "))
    });
    format!("\n  {what}: --control {}", socket.display())
}

/// Error: the server was reached, but has not answered completely and in time. It may have done what
/// was requested, or may still do it.
#[derive(Debug, ErrorType)]
#[error("the server at {0} does not answer")]
pub(super) struct NoAnswer(String);

/// Sends a request over the control socket at `path`. If `request` is empty, only connects. Returns
/// the server's answer as text, not empty.
///
/// # Errors
/// [`NoAnswer`] if the server was reached, but does not answer in time, or sends an empty or too
/// long answer. Any other error if the server cannot be reached or the answer is not UTF-8.
pub(super) fn exchange(path: &Path, request: &[u8]) -> Result<String> {
    let shown = path.display();
    let no_answer = || NoAnswer(shown.to_string());
    let clock = Clock::start();
    let mut stream = connect_control(path, ANSWER_TIMEOUT).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => anyhow!("the server at {shown} does not answer"),
        _ => Error::from(error).context(format!(
            "no server was found at {shown} (if it runs elsewhere, use --control)"
        )),
    })?;
    // If the server has ended the connection already, writing fails, but an answer may still be
    // readable. Shutting down the sending half tells the server that the request is complete.
    let _ = stream.write_all(request).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let left = ANSWER_TIMEOUT.saturating_sub(clock.now().since_start());
        ensure!(!left.is_zero() && answer.len() < MAX_ANSWER_BYTES, no_answer());
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut piece) {
            // A timeout appears as `WouldBlock`. The loop checks the remaining time.
            Err(error)
                if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) =>
            {
                continue;
            }
            // An older server closes the connection without reading the request.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            read => read.with_context(no_answer)?,
        };
        if count == 0 {
            break;
        }
        answer.extend(piece.iter().take(count));
    }
    ensure!(!answer.is_empty(), no_answer());
    String::from_utf8(answer).context("the server's answer is not text")
}
