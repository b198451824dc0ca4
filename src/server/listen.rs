//! Sockets that are listened on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::model::Moment;
use crate::model::limits::DEFAULT_PORT;
use crate::os::Clock;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4_096;

/// “Address family not supported by protocol” on Linux, for which `std` has
/// no name.
const EAFNOSUPPORT: i32 = 97;

/// An address that the machine does not have is tried again so often.
const RETRY: Duration = Duration::from_secs(2);

/// After a failed accept the next one waits so long: the usual reason, too
/// few file descriptors, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What does not pass is complained of so often.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// An address cannot be listened on, and waiting would not help. Nothing has
/// been bound for it.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// What came of trying to listen on an address.
pub(super) enum Bound {
    /// It is listened on.
    Listening(TcpListener),
    /// The machine does not have the address now; it may come.
    NotYet(SocketAddr),
}

/// Listens on `address`; where `[::]` is wanted and IPv6 is switched off, on
/// all addresses of IPv4.
///
/// # Errors
/// [`ListenError`] for everything but an address that may still come.
pub(super) fn bind(address: SocketAddr) -> Result<Bound, ListenError> {
    match try_bind(address) {
        Ok(listener) => Ok(Bound::Listening(listener)),
        Err(error) if is_any(address) && address.is_ipv6() && is_without_ipv6(&error) => {
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Ok(Bound::NotYet(address)),
        Err(source) => Err(ListenError { address, source }),
    }
}

/// Where a server listens that is not told: on all addresses of IPv6 and
/// IPv4.
pub(super) fn default_address() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT))
}

/// Whether an error says that there is no IPv6 here.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.kind() == ErrorKind::Unsupported
        || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Makes a listening socket.
fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!is_any(address))?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether it stands for all addresses, those of IPv4 too.
fn is_any(address: SocketAddr) -> bool {
    address.ip().is_unspecified()
}

/// Waits until the address can be listened on. A server that runs does not
/// die of one that is taken when it comes: it says so, and goes on trying.
pub(super) async fn bind_when_there(address: SocketAddr) -> TcpListener {
    let mut complained = false;
    loop {
        sleep(RETRY).await;
        match bind(address) {
            Ok(Bound::Listening(listener)) => return listener,
            Ok(Bound::NotYet(_)) => {}
            Err(error) if !complained => {
                complained = true;
                tracing::warn!("{error}, and go on trying: {}", error.source);
            }
            Err(_) => {}
        }
    }
}

/// Takes connections in, and says so when it cannot: not oftener than once a
/// minute, for the usual reason, too few file descriptors, may last.
pub(super) struct Entrance {
    /// Where they come.
    listener: TcpListener,
    /// When it said so last.
    complained_at: Option<Moment>,
    /// The time.
    clock: Clock,
}

impl Entrance {
    /// The entrance at this socket.
    pub(super) const fn new(listener: TcpListener, clock: Clock) -> Self {
        Self { listener, complained_at: None, clock }
    }

    /// The next connection. Failures are waited for to pass.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    let now = self.clock.now();
                    if self.complained_at.is_none_or(|at| now.since(at) >= COMPLAINT_INTERVAL) {
                        self.complained_at = Some(now);
                        tracing::warn!("cannot accept connections for now: {error}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
