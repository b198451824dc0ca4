//! Making a connection, and moving bytes over it.

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
use crate::model::{HostAddress, is_entry};
use crate::wire::FrameReader;
use crate::wire::tcp::ClientFrame;

/// For finding the addresses of a name.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// For each address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For sending what is due before closing.
const CLOSING_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes that are read at once.
const READ_SIZE: usize = 16 * 1024;

/// A connection being made.
type ConnectFuture = Pin<Box<dyn Future<Output = ConnectResult>>>;

/// A connection and the server that it leads to, as far as that is known now;
/// or why there is none, for people.
type ConnectResult = Result<(TcpStream, Destination), String>;

/// The connection, in whatever state it is.
pub(super) enum Connection {
    /// There is none.
    Closed,
    /// It is being made.
    Connecting(ConnectFuture),
    /// It is there.
    Open(OpenConnection),
}

/// A connection that is there.
pub(super) struct OpenConnection {
    /// The socket.
    stream: TcpStream,
    /// What is to be sent.
    outgoing: Vec<u8>,
    /// Cuts what comes into frames.
    pub(super) reader: FrameReader,
}

/// What has become of the wire.
pub(super) enum ConnectionEvent {
    /// It is being made no more: here it is, or why not.
    ConnectDone(ConnectResult),
    /// Bytes can be read or written: call [`OpenConnection::flush`] and [`OpenConnection::read`].
    Ready(Ready),
    /// It is broken.
    Broken(io::Error),
}

impl Connection {
    /// Begins to connect. Drops what was there.
    pub(super) fn connect(&mut self, server: Destination) {
        *self = Self::Connecting(Box::pin(connect(server)));
    }

    /// Waits until something happens. May be dropped and called again.
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

    /// Sends what is due, as far as that goes quickly, and closes: its own
    /// half first, so that nothing that was sent is thrown away unread.
    pub(super) async fn close(&mut self) {
        if let Self::Open(mut open) = std::mem::replace(self, Self::Closed) {
            let _ = timeout(CLOSING_TIMEOUT, open.shut_down()).await;
        }
    }
}

impl OpenConnection {
    /// Takes over a connection that has just been made.
    pub(super) fn new(stream: TcpStream) -> Self {
        // Where it cannot be set, messages are a little later.
        let _ = stream.set_nodelay(true);
        Self { stream, outgoing: Vec::new(), reader: FrameReader::from_server() }
    }

    /// Puts a frame behind what is to be sent.
    pub(super) fn queue_frame(&mut self, frame: &ClientFrame) {
        frame.encode(&mut self.outgoing);
    }

    /// Sends as much as can be sent now. Call it when there is something to
    /// send, and again when the socket is ready.
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

    /// Reads what has come; `None` when there is nothing more for now, an
    /// empty chunk at the end of the stream. Call it until it gives `None`,
    /// or again when the socket is ready.
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

    /// Sends the rest, closes the sending half, waits for the other side.
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

/// The addresses of a host, by whatever way the system has.
async fn resolve_host(address: &HostAddress) -> Result<Vec<SocketAddr>, String> {
    let host = &address.host;
    match timeout(LOOKUP_TIMEOUT, lookup_host((host.as_str(), address.port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(format!("The name {host} was not found ({error}).")),
        Err(_) => Err(format!("Looking up the name {host} took too long.")),
    }
}

/// Asks the network again for a server that was found there: it may have
/// moved.
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

/// Tries every address of the server in turn. The sentence about the failure
/// tells what was tried.
async fn connect(mut server: Destination) -> ConnectResult {
    let addresses = if is_entry(&server.address.host) {
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
