//! The client's TCP connection: address lookup, connecting, reading, writing and closing.

use std::future::pending;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Destination;
use super::discovery::{self, DiscoveredServer, Rediscovery};
use crate::model::{HostAddress, is_service_instance};
use crate::wire::FrameReader;
use crate::wire::tcp::ClientFrame;

/// Timeout of resolving a host name, and of finding a discovered server again.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of connecting, for each address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout of sending queued data and closing in order.
const CLOSING_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum number of bytes per read.
const READ_SIZE: usize = 16 * 1024;

/// Future of a connection attempt.
type ConnectFuture = Pin<Box<dyn Future<Output = ConnectResult>>>;

/// Result of a connection attempt: the stream and the server that it leads to, or a human-readable
/// reason.
type ConnectResult = Result<(TcpStream, Destination), String>;

/// Connection in any state.
pub(super) enum Connection {
    /// There is no connection.
    Closed,
    /// A connection attempt is in progress.
    Connecting(ConnectFuture),
    /// The connection is established.
    Open(OpenConnection),
}

/// Established connection.
pub(super) struct OpenConnection {
    /// TCP socket.
    stream: TcpStream,
    /// Send buffer: encoded frames that have not been written.
    outgoing: Vec<u8>,
    /// Splits the received bytes into frames.
    pub(super) reader: FrameReader,
}

/// Event of the connection.
pub(super) enum ConnectionEvent {
    /// The connection attempt has succeeded or failed.
    ConnectDone(ConnectResult),
    /// The socket is readable or writable: call [`OpenConnection::flush`] and
    /// [`OpenConnection::read`].
    Ready(Ready),
    /// The connection is broken.
    Broken(io::Error),
}

impl Connection {
    /// Starts a connection attempt. Drops an existing connection.
    pub(super) fn connect(&mut self, server: Destination) {
        *self = Self::Connecting(Box::pin(connect(server)));
    }

    /// Waits for the next event; pending forever if there is no connection. Cancel-safe.
    pub(super) async fn next_event(&mut self) -> ConnectionEvent {
        match self {
            Self::Closed => pending().await,
            Self::Connecting(connecting) => ConnectionEvent::ConnectDone(connecting.await),
            Self::Open(open) => {
                let interest = if open.outgoing.is_empty() {
                    Interest::READABLE
                } else {
                    Interest::READABLE | Interest::WRITABLE
                };
                match open.stream.ready(interest).await {
                    Ok(ready) => ConnectionEvent::Ready(ready),
                    Err(error) => ConnectionEvent::Broken(error),
                }
            }
        }
    }

    /// Sends queued frames and closes the connection, within [`CLOSING_TIMEOUT`]. The sending half
    /// is closed first, so that the server can read everything that was sent.
    pub(super) async fn close(&mut self) {
        if let Self::Open(mut open) = std::mem::replace(self, Self::Closed) {
            let _ = timeout(CLOSING_TIMEOUT, open.shut_down()).await;
        }
    }
}

impl OpenConnection {
    /// Wraps a socket that has just been connected.
    pub(super) fn new(stream: TcpStream) -> Self {
        // If this fails, messages only arrive a little later.
        let _ = stream.set_nodelay(true);
        Self { stream, outgoing: Vec::new(), reader: FrameReader::from_server() }
    }

    /// Appends a frame to the send buffer.
    pub(super) fn queue_frame(&mut self, frame: &ClientFrame) {
        frame.encode(&mut self.outgoing);
    }

    /// Writes as much of the send buffer as the socket accepts now. Call it after queueing frames,
    /// and again when the socket is writable.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.try_write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads available bytes. Returns `None` if there are none for now, and an empty chunk at the
    /// end of the stream. Call it until it returns `None`, and again when the socket is readable.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; READ_SIZE];
        match self.stream.try_read(&mut buffer) {
            Ok(count) => {
                buffer.truncate(count);
                Ok(Some(buffer))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the rest of the send buffer, shuts down the sending half, and waits until the server
    /// has closed its own.
    async fn shut_down(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            self.stream.writable().await?;
            self.flush()?;
        }
        SockRef::from(&self.stream).shutdown(Shutdown::Write)?;
        loop {
            self.stream.readable().await?;
            while let Some(chunk) = self.read()? {
                if chunk.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}

/// Resolves a host name to its addresses with the system's resolver.
async fn resolve_host(address: &HostAddress) -> Result<Vec<SocketAddr>, String> {
    let host = &address.host;
    match timeout(LOOKUP_TIMEOUT, lookup_host((host.as_str(), address.port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(format!("The name {host} was not found ({error}).")),
        Err(_) => Err(format!("Looking up the name {host} took too long.")),
    }
}

/// Finds a discovered server again by multicast DNS, since its address may have changed.
async fn rediscover_server(server: &Destination) -> Result<DiscoveredServer, String> {
    let sought = server.clone();
    let found = spawn_blocking(move || discovery::rediscover(&sought, LOOKUP_TIMEOUT)).await;
    match found {
        Ok(Ok(Rediscovery::Found(found))) => Ok(found),
        Ok(Ok(Rediscovery::Replaced)) => Err(format!(
            "The server that was {server} is not on this network, and another one is called so now. (To go there, start again.)"
        )),
        Ok(Ok(Rediscovery::NotFound)) => Err(format!("{server} was not found on this network.")),
        Ok(Err(error)) => Err(format!("Cannot look for {server} ({error}).")),
        Err(error) => Err(format!("Cannot look for {server} ({error}).")),
    }
}

/// Connects to the server, trying each of its addresses in turn. The error text lists all failures.
async fn connect(mut server: Destination) -> ConnectResult {
    let addresses = if is_service_instance(&server.address.host) {
        let found = rediscover_server(&server).await?;
        server = found.destination();
        found.addresses
    } else {
        resolve_host(&server.address).await?
    };
    let mut failures = Vec::new();
    for candidate in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => return Ok((stream, server)),
            Ok(Err(error)) => failures.push(format!("{candidate}: {error}")),
            Err(_) => failures.push(format!("{candidate}: no answer")),
        }
    }
    Err(format!("No connection to {server} ({}).", failures.join("; ")))
}
