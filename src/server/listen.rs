//! Listening sockets: binding them, and accepting connections through temporary failures.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::line_limiter::LineLimiter;
use super::listen_address::ListenAddress;
use crate::model::limits::DEFAULT_PORT;
use crate::os::Clock;

/// Maximum number of connections that the kernel holds until they are accepted.
const ACCEPT_QUEUE_LENGTH: i32 = 4_096;

/// Linux's error number for “address family not supported by protocol”, which `std` does not name.
const EAFNOSUPPORT: i32 = 97;

/// Unix's error number for “no such device”, which `std` does not name. Binding to an address fails
/// with it if there is no interface with the address's scope.
const ENODEV: i32 = 19;

/// Time between attempts to bind to an address that the machine does not have.
const BIND_RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Pause after a failed accept. Its usual reason, no free file descriptors, lasts for a while.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Error of listening on an address. An address that the machine does not have yet is no such
/// error.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Address that cannot be listened on.
    pub address: ListenAddress,
    /// Error of the operating system.
    #[source]
    pub source: io::Error,
}

/// Result of binding to an address.
pub(super) enum Bound {
    /// Listening socket.
    Listening(TcpListener),
    /// Address that the machine does not have now, but may get later.
    NotYet(ListenAddress),
}

impl Bound {
    /// Returns the listening socket. If the machine does not have the address yet, first logs that
    /// and waits for it.
    pub(super) async fn wait(self) -> TcpListener {
        match self {
            Self::Listening(listener) => listener,
            Self::NotYet(address) => {
                tracing::warn!("{address} is not an address of this machine yet; waiting for it");
                bind_when_available(&address).await
            }
        }
    }
}

/// Listens on `wanted`. If that is `[::]` and IPv6 is switched off, listens on `0.0.0.0` with the
/// same port. Returns [`Bound::NotYet`] if the machine does not have the address or its interface.
/// Call it in the tokio runtime.
///
/// # Errors
/// [`ListenError`] for every other failure.
pub(super) fn bind(wanted: &ListenAddress) -> Result<Bound, ListenError> {
    let Some(address) = wanted.resolve() else { return Ok(Bound::NotYet(wanted.clone())) };
    match try_bind(address) {
        Ok(listener) => Ok(Bound::Listening(listener)),
        Err(error) if is_wildcard(address) && address.is_ipv6() && is_without_ipv6(&error) => {
            bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())).into())
        }
        Err(error) if is_missing(&error) => Ok(Bound::NotYet(wanted.clone())),
        Err(source) => Err(ListenError { address: wanted.clone(), source }),
    }
}

/// Returns true if an error of binding means that the machine has no such address or interface.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(ENODEV)
}

/// Returns the default address: the default port on all addresses, IPv6 and IPv4.
pub(super) fn default_address() -> ListenAddress {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)).into()
}

/// Returns true if an error of binding to `[::]` means that IPv6 is switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.kind() == ErrorKind::Unsupported
        || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Creates a non-blocking listening socket. A socket on `[::]` also accepts IPv4.
fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!is_wildcard(address))?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE_LENGTH)?;
    TcpListener::from_std(socket.into())
}

/// Returns true for the wildcard addresses `0.0.0.0` and `[::]`.
fn is_wildcard(address: SocketAddr) -> bool {
    address.ip().is_unspecified()
}

/// Waits until the machine has the address, and listens on it. Tries every [`BIND_RETRY_INTERVAL`],
/// the first time after one interval, also after any other failure, such as an address in use. Logs
/// the first such failure.
async fn bind_when_available(address: &ListenAddress) -> TcpListener {
    let mut has_warned = false;
    loop {
        sleep(BIND_RETRY_INTERVAL).await;
        match bind(address) {
            Ok(Bound::Listening(listener)) => return listener,
            Ok(Bound::NotYet(_)) => {}
            Err(error) if !has_warned => {
                has_warned = true;
                tracing::warn!("{error}, and go on trying: {}", error.source);
            }
            Err(_) => {}
        }
    }
}

/// Listening socket that retries after a failed accept. Failures are logged at most once a minute.
pub(super) struct RetryingListener {
    /// Listening socket.
    listener: TcpListener,
    /// Rate limit of the log lines about failed accepts.
    warnings: LineLimiter,
    /// Clock of the server.
    clock: Clock,
}

impl RetryingListener {
    /// Wraps a listening socket.
    pub(super) fn new(listener: TcpListener, clock: Clock) -> Self {
        Self { listener, warnings: LineLimiter::default(), clock }
    }

    /// Waits for the next connection. Returns it with the client's address. After a failure, pauses
    /// for [`ACCEPT_RETRY_DELAY`] and tries again.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    if self.warnings.next_line(self.clock.now()).is_some() {
                        tracing::warn!("cannot accept connections for now: {error}");
                    }
                    sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address whose interface does not exist is waited for, whether the address names it or
    /// states its index.
    #[test]
    fn missing_interface_is_waited_for() {
        for text in ["[fe80::1%no-such]:0", "[fe80::1%4000000000]:0"] {
            let address: ListenAddress = text.parse().unwrap();
            match bind(&address) {
                Ok(Bound::NotYet(missing)) => assert_eq!(missing, address),
                Ok(Bound::Listening(_)) => panic!("listens on {text}"),
                Err(error) => panic!("{error}: {}", error.source),
            }
        }
    }
}
