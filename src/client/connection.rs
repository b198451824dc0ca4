//! The client's TCP connection: address lookup, connecting, reading, writing and closing.
//! Connecting includes the greeting: see [`super::race`].

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
use super::race::{GreetedConnection, describe_failures, race};
use crate::model::{HostAddress, is_service_instance};
use crate::wire::FrameReader;
use crate::wire::tcp::{ClientFrame, Hello};

/// Maximum time to resolve a host name, or to find a discovered server again by multicast DNS.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time to close a connection: to send the queued frames and to read to the end of the
/// server's stream.
const CLOSING_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum size of one read from the socket, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// Future of a connection attempt.
type ConnectFuture = Pin<Box<dyn Future<Output = ConnectResult>>>;

/// Result of a connection attempt: the connection that has won the [`race`], and the server to
/// which it leads. On failure, the reason as text for the user.
type ConnectResult = Result<(GreetedConnection, Destination), String>;

/// Connection to the server, in any state.
pub(super) enum Connection {
    /// There is no connection and no attempt.
    Closed,
    /// A connection attempt is in progress.
    Connecting(ConnectFuture),
    /// The connection is established.
    Open(OpenConnection),
}

/// Established TCP connection with its buffers.
pub(super) struct OpenConnection {
    /// TCP socket.
    stream: TcpStream,
    /// Send buffer: encoded frames that are not written yet.
    outgoing: Vec<u8>,
    /// Splits the received bytes into frames.
    pub(super) reader: FrameReader,
}

/// Event of the connection, returned by [`Connection::next_event`].
pub(super) enum ConnectionEvent {
    /// The connection attempt has succeeded or failed.
    ConnectDone(ConnectResult),
    /// The socket is readable or writable. If it is readable, call [`OpenConnection::read`]. Then
    /// call [`OpenConnection::flush`].
    Ready(Ready),
    /// Waiting for the socket has failed: the connection is broken.
    Broken(io::Error),
}

impl Connection {
    /// Starts a connection attempt, which sends `hello`. Drops an earlier connection or attempt at
    /// once, without [`Connection::close`].
    pub(super) fn connect(&mut self, server: Destination, hello: Hello) {
        let mut encoded = Vec::new();
        ClientFrame::from(hello).encode(&mut encoded);
        *self = Self::Connecting(Box::pin(connect(server, encoded)));
    }

    /// Waits for the next event of the connection or of the connection attempt. Never returns if
    /// there is neither. Cancel-safe. After [`ConnectionEvent::ConnectDone`], replace the
    /// connection before the next call; another call panics.
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

    /// Closes the connection gracefully: sends the queued frames, closes the sending half, and
    /// reads and discards up to the end of the stream. So the server can read all sent frames.
    /// Drops the connection on an error, and after [`CLOSING_TIMEOUT`]. Abandons a connection
    /// attempt.
    pub(super) async fn close(&mut self) {
        if let Self::Open(mut open) = std::mem::replace(self, Self::Closed) {
            let _ = timeout(CLOSING_TIMEOUT, open.shut_down()).await;
        }
    }

    /// Resets the connection, so that the server does not treat its end as leaving. Frames that are
    /// queued are lost, and those on the way may be. Abandons a connection attempt.
    pub(super) fn reset(&mut self) {
        if let Self::Open(open) = std::mem::replace(self, Self::Closed) {
            // If this fails, the connection is closed instead, and the name does not wait.
            let _ = SockRef::from(&open.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl OpenConnection {
    /// Wraps a connected socket, with empty buffers. Sets `TCP_NODELAY`, so that small packets are
    /// sent without delay.
    pub(super) fn new(stream: TcpStream) -> Self {
        // If this fails, messages only arrive a little later.
        let _ = stream.set_nodelay(true);
        Self { stream, outgoing: Vec::new(), reader: FrameReader::from_server() }
    }

    /// Encodes a frame into the send buffer. [`OpenConnection::flush`] writes the buffer.
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

    /// Reads up to [`READ_SIZE`] available bytes. Returns `None` if there are none for now, and an
    /// empty vector at the end of the stream. To empty the socket, call it until it returns `None`.
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

    /// Writes the rest of the send buffer and closes the sending half. Then discards all bytes that
    /// the server still sends, up to the end of the stream; that may never come.
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

/// Resolves a host name or address with the system's resolver, within [`LOOKUP_TIMEOUT`]. The error
/// is text for the user.
async fn resolve_host(address: &HostAddress) -> Result<Vec<SocketAddr>, String> {
    let host = &address.host;
    match timeout(LOOKUP_TIMEOUT, lookup_host((host.as_str(), address.port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(format!("The name {host} was not found ({error}).")),
        Err(_) => Err(format!("Looking up the name {host} took too long.")),
    }
}

/// Finds a discovered server again by multicast DNS, within [`LOOKUP_TIMEOUT`], because its address
/// may have changed. The error is text for the user.
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

/// Connects to a server: tries its addresses in a race, and returns the connection that has won.
/// Finds a discovered server by multicast DNS first, and returns the destination under which it was
/// found. If every address fails, the error text names the most useful reason.
async fn connect(mut server: Destination, hello: Vec<u8>) -> ConnectResult {
    let addresses = if is_service_instance(&server.address.host) {
        let found = rediscover_server(&server).await?;
        server = found.destination();
        found.addresses
    } else {
        resolve_host(&server.address).await?
    };
    match race(addresses, &hello).await {
        Ok(greeted) => Ok((greeted, server)),
        Err(failures) => {
            Err(format!("No connection to {server} ({}).", describe_failures(&failures)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::TcpListener;

    use super::*;

    /// Connects to a listener, and ends the connection with `end`. Returns the result of reading on
    /// the other side.
    async fn read_after(end: impl AsyncFnOnce(&mut Connection)) -> Result<usize, ErrorKind> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let reading =
            spawn_blocking(move || server.read(&mut [0; 1]).map_err(|error| error.kind()));
        end(&mut Connection::Open(OpenConnection::new(stream))).await;
        reading.await.unwrap()
    }

    /// After `close`, the other side reads the end of the stream. After `reset`, it gets an error.
    #[tokio::test]
    async fn reset_differs_from_close_for_the_server() {
        assert_eq!(read_after(async |it| it.close().await).await, Ok(0));
        assert_eq!(read_after(async |it| it.reset()).await, Err(ErrorKind::ConnectionReset));
    }
}
