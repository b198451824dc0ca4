//! Sockets that are listened on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::model::limits::DEFAULT_PORT;

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

/// Listens on `address`.
///
/// # Errors
/// [`ListenError`] for everything but an address that may still come.
pub(super) fn bind(address: SocketAddr) -> Result<Bound, ListenError> {
    match try_bind(address) {
        Ok(listener) => Ok(Bound::Listening(listener)),
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => Ok(Bound::NotYet(address)),
        Err(source) => Err(ListenError { address, source }),
    }
}

/// Listens on the default address: all of IPv6 and IPv4, or IPv4 alone where
/// IPv6 is switched off.
///
/// # Errors
/// [`ListenError`], of the last attempt.
pub(super) fn bind_default() -> Result<Bound, ListenError> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT));
    match try_bind(both) {
        Ok(listener) => Ok(Bound::Listening(listener)),
        Err(error) if is_without_ipv6(&error) => {
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT)))
        }
        Err(source) => Err(ListenError { address: both, source }),
    }
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

/// Waits until the machine has the address.
///
/// # Errors
/// [`ListenError`] when it cannot be listened on after all.
pub(super) async fn bind_when_there(address: SocketAddr) -> Result<TcpListener, ListenError> {
    loop {
        sleep(RETRY).await;
        if let Bound::Listening(listener) = bind(address)? {
            return Ok(listener);
        }
    }
}

/// The next connection. Failures are logged, the first of a row, and waited
/// for to pass.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut complained = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if !complained {
                    tracing::warn!("cannot accept connections for now: {error}");
                    complained = true;
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
