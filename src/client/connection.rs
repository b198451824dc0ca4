//! The client's connection, over plain TCP or TLS: address lookup, connecting, reading, writing and
//! closing. Connecting includes the greeting: see [`super::race`].

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::lookup_host;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Destination;
use super::discovery::{self, DiscoveredServer, Rediscovery, discovery_error_text};
use super::race::{GreetedConnection, describe_failures, race, wrong_fingerprint};
use super::stream::Stream;
use super::trust::{Expectation, KnownServers, WrongFingerprint};
use crate::model::limits::DEFAULT_TLS_PORT;
use crate::model::{HostAddress, Scheme, is_service_instance};
use crate::text;
use crate::tls::SaidFingerprint;
use crate::ui::{disk_error_text, lookup_error_text, safe_line};
use crate::wire::FrameReader;
use crate::wire::tcp::{ClientFrame, Hello, feature};

/// Maximum time to resolve a host name, or to find a discovered server again by multicast DNS.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time to reach over TLS a server that was reached in plain, and says that it offers TLS.
const OFFER_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum time to close a connection: to send the queued frames and to read to the end of the
/// server's stream.
const CLOSING_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum size of one read from the socket, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// Future of a connection attempt.
type ConnectFuture = Pin<Box<dyn Future<Output = ConnectResult>>>;

/// Result of a connection attempt: the connection that has won the [`race`], and the server to
/// which it leads.
type ConnectResult = Result<(GreetedConnection, Destination), ConnectError>;

/// Reason why a connection attempt has failed, with a text for the user.
pub(super) enum ConnectError {
    /// There is no connection now; a later attempt may succeed.
    Failed(String),
    /// The server has another key than it should have. Do not try again.
    WrongKey(String),
}

impl From<String> for ConnectError {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// Connection to the server, in any state.
pub(super) enum Connection {
    /// There is no connection and no attempt.
    Closed,
    /// A connection attempt is in progress.
    Connecting(ConnectFuture),
    /// The connection is established.
    Open(OpenConnection),
}

/// Established connection with its buffers.
pub(super) struct OpenConnection {
    /// Socket.
    stream: Stream,
    /// Send buffer: encoded frames that are not written yet.
    outgoing: Vec<u8>,
    /// Splits the received bytes into frames.
    pub(super) reader: FrameReader,
}

/// Event of the connection, returned by [`Connection::next_event`].
pub(super) enum ConnectionEvent {
    /// The connection attempt has succeeded or failed.
    ConnectDone(Box<ConnectResult>),
    /// The socket is readable or writable. If it is readable, call [`OpenConnection::read`]. Then
    /// call [`OpenConnection::flush`].
    Ready(Ready),
    /// Waiting for the socket has failed: the connection is broken.
    Broken(io::Error),
}

impl Connection {
    /// Starts a connection attempt, which sends `hello`. Drops an earlier connection or attempt at
    /// once, without [`Connection::close`].
    ///
    /// `known`: fingerprints of the servers. `said`: fingerprint that the user has said, which only
    /// TLS can prove; `None` if there is none. `can_prove`: true to ask the server for what a proof
    /// of the user's key signs.
    pub(super) fn connect(
        &mut self,
        server: Destination,
        known: KnownServers,
        said: Option<SaidFingerprint>,
        can_prove: bool,
        mut hello: Hello,
    ) {
        hello.features |= feature::TLS | if can_prove { feature::IDENTITY } else { 0 };
        let mut encoded = Vec::new();
        ClientFrame::from(hello).encode(&mut encoded);
        *self = Self::Connecting(Box::pin(connect(server, known, said, encoded)));
    }

    /// Waits for the next event of the connection or of the connection attempt. Never returns if
    /// there is neither. Cancel-safe. After [`ConnectionEvent::ConnectDone`], replace the
    /// connection before the next call; another call panics.
    pub(super) async fn next_event(&mut self) -> ConnectionEvent {
        match self {
            Self::Closed => pending().await,
            Self::Connecting(connecting) => {
                ConnectionEvent::ConnectDone(Box::new(connecting.await))
            }
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
            let _ = SockRef::from(open.stream.tcp()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl OpenConnection {
    /// Wraps a connected socket, with empty buffers. Sets `TCP_NODELAY`, so that small packets are
    /// sent without delay.
    pub(super) fn new(stream: Stream) -> Self {
        // If this fails, messages only arrive a little later.
        let _ = stream.tcp().set_nodelay(true);
        Self { stream, outgoing: Vec::new(), reader: FrameReader::from_server() }
    }

    /// Returns the address and port of the server.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn server_address(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().peer_addr()
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
            self.stream.ready(Interest::WRITABLE).await?;
            self.flush()?;
        }
        self.stream.end_sending().await?;
        loop {
            self.stream.ready(Interest::READABLE).await?;
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
        Ok(Err(error)) => Err(lookup_error_text(host, &error)),
        Err(_) => Err(text!("lookup-too-long", host = safe_line(host))),
    }
}

/// Finds a discovered server again by multicast DNS, within [`LOOKUP_TIMEOUT`], because its address
/// may have changed. The error is text for the user.
async fn rediscover_server(server: &Destination) -> Result<DiscoveredServer, String> {
    let sought = server.clone();
    let name = || safe_line(&server.to_string());
    let failed =
        |reason: String| Err(text!("rediscovery-failed", server = name(), reason = reason));
    let found = spawn_blocking(move || discovery::rediscover(&sought, LOOKUP_TIMEOUT)).await;
    match found {
        Ok(Ok(Rediscovery::Found(found))) => Ok(found),
        Ok(Ok(Rediscovery::Replaced)) => Err(text!("server-replaced", server = name())),
        Ok(Ok(Rediscovery::NotFound)) => Err(text!("server-not-found", server = name())),
        Ok(Err(error)) => failed(discovery_error_text(&error)),
        // The search has panicked.
        Err(_) => failed(text!("mdns-fails")),
    }
}

/// Way to a server: its addresses, and how to talk to it there.
struct Route {
    /// Addresses, with the port of plain TCP or of TLS.
    addresses: Vec<SocketAddr>,
    /// What is expected of the server's fingerprint; `None` for plain TCP.
    expectation: Option<Expectation>,
}

/// Connects to a server: tries its addresses in a race, and returns the connection that has won.
/// Finds a discovered server by multicast DNS first, and returns the destination under which it was
/// found. If every address fails, the error text names the most useful reason. For `known` and
/// `said` see [`Connection::connect`].
async fn connect(
    mut server: Destination,
    known: KnownServers,
    said: Option<SaidFingerprint>,
    hello: Vec<u8>,
) -> ConnectResult {
    let Route { addresses, expectation } = if is_service_instance(&server.address.host) {
        let found = rediscover_server(&server).await?;
        server = Destination { scheme: server.scheme, ..found.destination() };
        route_to_found(found, &server, &known, said)?
    } else {
        route_to_host(&server, &known, said).await?
    };
    match race(addresses, &hello, expectation).await {
        Ok(greeted) => Ok((prefer_tls(greeted, &server, DEFAULT_TLS_PORT, &hello).await, server)),
        Err(failures) => Err(match wrong_fingerprint(&failures) {
            Some(wrong) => ConnectError::WrongKey(describe_wrong_fingerprint(&server, wrong)),
            None => {
                let server = server.to_string();
                let reason = describe_failures(&server, &failures);
                text!("cannot-connect", server = safe_line(&server), reason = reason).into()
            }
        }),
    }
}

/// Returns a connection over TLS to the server that has been greeted in plain, if it offers that and
/// the user has not chosen plain TCP. Returns the plain connection otherwise, and if TLS cannot be
/// had within [`OFFER_TIMEOUT`] or its port is not known: this server was not seen with TLS.
/// `port`: where TLS is.
async fn prefer_tls(
    greeted: GreetedConnection,
    server: &Destination,
    port: u16,
    hello: &[u8],
) -> GreetedConnection {
    let is_open = greeted.identity.is_none() && server.scheme.is_none();
    // With another port than the default one, TLS at its default port may be another server's, as
    // behind a port forward, and there is no key under which the fingerprint could be kept.
    if !(is_open && greeted.offers_tls && server.trust_key().is_some()) {
        return greeted;
    }
    let Ok(mut address) = greeted.stream.tcp().peer_addr() else { return greeted };
    address.set_port(port);
    // No fingerprint is kept of this server: otherwise the way would have been TLS at once.
    let attempt = race(vec![address], hello, Some(Expectation::default()));
    match timeout(OFFER_TIMEOUT, attempt).await {
        // A server that has no place for a second connection answers with an error.
        Ok(Ok(encrypted)) if encrypted.offers_tls => encrypted,
        Ok(_) | Err(_) => greeted,
    }
}

/// Returns what is expected of the fingerprint of a server; `None` if none was said, and none was
/// kept. The error is text for the user.
fn expectation_of(
    server: &Destination,
    known: &KnownServers,
    said: Option<SaidFingerprint>,
) -> Result<Expectation, String> {
    let key = server.trust_key();
    let kept = key.map(|key| known.load(&key)).transpose();
    let kept = kept.map_err(|error| {
        let server = safe_line(&server.to_string());
        let reason = disk_error_text(&error.path, &error.source);
        text!("cannot-connect", server = server, reason = reason)
    })?;
    Ok(Expectation { kept: kept.flatten(), said })
}

/// Chooses the way to a server that was found by multicast DNS: TLS if it offers that, unless the
/// user wants plain TCP. The error is text for the user: the server has had TLS, or the user
/// demands it, and it is not offered now.
fn route_to_found(
    found: DiscoveredServer,
    server: &Destination,
    known: &KnownServers,
    said: Option<SaidFingerprint>,
) -> Result<Route, String> {
    let mut addresses = found.addresses;
    if server.scheme == Some(Scheme::Plain) && said.is_none() {
        return Ok(Route { addresses, expectation: None });
    }
    let expectation = expectation_of(server, known, said)?;
    match found.tls_port {
        Some(port) => {
            addresses.iter_mut().for_each(|it| it.set_port(port));
            Ok(Route { addresses, expectation: Some(expectation) })
        }
        None if expectation == Expectation::default() && server.scheme != Some(Scheme::Tls) => {
            Ok(Route { addresses, expectation: None })
        }
        None => Err(describe_missing_tls(server)),
    }
}

/// Chooses the way to a server that was given by its host, and resolves its name: TLS with
/// `chats://`, if the server was seen with TLS, or if the user has said its fingerprint; otherwise
/// plain TCP. The error is text for the user.
async fn route_to_host(
    server: &Destination,
    known: &KnownServers,
    said: Option<SaidFingerprint>,
) -> Result<Route, String> {
    let is_plain = server.scheme == Some(Scheme::Plain) && said.is_none();
    let expectation = match is_plain {
        true => Expectation::default(),
        false => expectation_of(server, known, said)?,
    };
    if server.scheme != Some(Scheme::Tls) && expectation == Expectation::default() {
        return Ok(Route { addresses: resolve_host(&server.address).await?, expectation: None });
    }
    let Some(address) = server.tls_address() else { return Err(describe_missing_tls(server)) };
    Ok(Route { addresses: resolve_host(&address).await?, expectation: Some(expectation) })
}

/// Describes for users that a server must have TLS and does not offer it.
fn describe_missing_tls(server: &Destination) -> String {
    text!("tls-missing", server = safe_line(&server.to_string()))
}

/// Describes for users that a server has another fingerprint than it should have, and what to do.
fn describe_wrong_fingerprint(server: &Destination, wrong: &WrongFingerprint) -> String {
    let WrongFingerprint { expected, found, is_kept } = wrong;
    let (server, found) = (safe_line(&server.to_string()), found.to_string());
    let expected = expected.to_string();
    match is_kept {
        true => text!("wrong-key-kept", server = server, found = found, expected = expected),
        false => text!("wrong-key-said", server = server, found = found, expected = expected),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;
    use crate::client::trust::KeptFingerprint;
    use crate::model::{ServerAddress, ServerId};
    use crate::tls::Fingerprint;

    /// Connects to a listener, and ends the connection with `end`. Returns the result of reading on
    /// the other side.
    async fn read_after(end: impl AsyncFnOnce(&mut Connection)) -> Result<usize, ErrorKind> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let reading =
            spawn_blocking(move || server.read(&mut [0; 1]).map_err(|error| error.kind()));
        end(&mut Connection::Open(OpenConnection::new(Stream::Plain(stream)))).await;
        reading.await.unwrap()
    }

    /// After `close`, the other side reads the end of the stream. After `reset`, it gets an error.
    #[tokio::test]
    async fn reset_differs_from_close_for_the_server() {
        assert_eq!(read_after(async |it| it.close().await).await, Ok(0));
        assert_eq!(read_after(async |it| it.reset()).await, Err(ErrorKind::ConnectionReset));
    }

    /// Fingerprints of servers, of which those with these keys are kept, not on disk.
    fn known(keys: &[&str]) -> KnownServers {
        let fingerprint = Fingerprint::of_public_key(b"key");
        let kept = KeptFingerprint { fingerprint, is_verified: false };
        let of_this_run = keys.iter().map(|key| ((*key).to_owned(), kept)).collect();
        KnownServers { directory: None, is_kept: false, of_this_run }
    }

    /// Returns the port of the way to a server given by its host, and true if it is TLS. `None` if
    /// there is no way.
    async fn route_of(text: &str, known: &KnownServers, is_said: bool) -> Option<(u16, bool)> {
        let server = Destination::from(text.parse::<ServerAddress>().unwrap());
        let said = Fingerprint::of_public_key(b"key");
        let said = is_said.then_some(SaidFingerprint::Whole(said));
        let route = route_to_host(&server, known, said).await.ok()?;
        Some((route.addresses[0].port(), route.expectation.is_some()))
    }

    /// A server that was seen with TLS is never reached in plain, unless the user says `chat://`.
    #[tokio::test]
    async fn no_way_back_to_plain_by_host() {
        let (nothing, seen) = (known(&[]), known(&["chats://127.0.0.1:2429"]));
        for (text, known, is_said, expected) in [
            ("127.0.0.1", &nothing, false, Some((2_428, false))),
            ("127.0.0.1", &seen, false, Some((2_429, true))),
            ("chats://127.0.0.1", &nothing, false, Some((2_429, true))),
            ("chats://127.0.0.1:7", &nothing, false, Some((7, true))),
            ("chat://127.0.0.1", &seen, false, Some((2_428, false))),
            ("127.0.0.1:7", &seen, false, Some((7, false))),
            ("127.0.0.1", &nothing, true, Some((2_429, true))),
            ("chat://127.0.0.1", &nothing, true, Some((2_429, true))),
            ("127.0.0.1:7", &nothing, true, None),
        ] {
            assert_eq!(route_of(text, known, is_said).await, expected, "{text} {is_said}");
        }
    }

    /// Who is told in plain that TLS is offered keeps the plain connection if TLS cannot be had.
    #[tokio::test]
    async fn offer_that_cannot_be_taken_leaves_plain() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let own = stream.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let stream = Stream::Plain(stream);
        let greeted = GreetedConnection {
            stream,
            identity: None,
            offers_tls: true,
            proof_context: None,
            received: Vec::new(),
        };
        let server = Destination::from("127.0.0.1".parse::<ServerAddress>().unwrap());
        let left = prefer_tls(greeted, &server, closed, b"hello").await;
        assert_eq!(left.stream.tcp().local_addr().unwrap(), own);
        assert!(left.identity.is_none() && left.offers_tls);
    }

    /// With a port whose server has TLS nobody knows where, the offer of TLS leads nowhere: at the
    /// default port of TLS may be another server.
    #[tokio::test]
    async fn offer_at_another_port_leaves_plain() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let stream = Stream::Plain(stream);
        let greeted = GreetedConnection {
            stream,
            identity: None,
            offers_tls: true,
            proof_context: None,
            received: Vec::new(),
        };
        let server = Destination::from("127.0.0.1:7".parse::<ServerAddress>().unwrap());
        let left = prefer_tls(greeted, &server, port, b"hello").await;
        assert!(left.identity.is_none());
        other.set_nonblocking(true).unwrap();
        assert_eq!(other.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    /// A server that was found is reached over TLS if it offers that. If it was seen with TLS, or
    /// the user demands it, and it does not offer it, there is no way; `chat://` is one.
    #[test]
    fn no_way_back_to_plain_by_discovery() {
        let id = ServerId([7; 16]);
        let found = |tls_port| DiscoveredServer {
            name: "pi".to_owned(),
            instance_name: "pi._pi-chat._tcp.local".to_owned(),
            host: "pi-chat.local".to_owned(),
            port: 1,
            tls_port,
            addresses: vec!["192.0.2.1:1".parse().unwrap()],
            has_likely_address: true,
            version: String::new(),
            id: Some(id),
            has_txt_record: true,
        };
        let (nothing, seen) = (known(&[]), known(&[&format!("id {id}")]));
        let (plain, tls) = (Some(Scheme::Plain), Some(Scheme::Tls));
        for (tls_port, scheme, known, expected) in [
            (None, None, &nothing, Some((1, false))),
            (None, None, &seen, None),
            (None, tls, &nothing, None),
            (None, plain, &seen, Some((1, false))),
            (Some(2), None, &nothing, Some((2, true))),
            (Some(2), None, &seen, Some((2, true))),
            (Some(2), plain, &seen, Some((1, false))),
        ] {
            let server = Destination { scheme, ..found(tls_port).destination() };
            let route = route_to_found(found(tls_port), &server, known, None).ok();
            let way = route.map(|it| (it.addresses[0].port(), it.expectation.is_some()));
            assert_eq!(way, expected, "{tls_port:?} {scheme:?}");
        }
    }
}
