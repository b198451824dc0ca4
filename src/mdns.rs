//! Layer 3: multicast DNS (mDNS), for service discovery of servers.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mdns_sd::{Error, MDNS_PORT, ServiceDaemon};
use socket2::{Domain, Protocol, Socket, Type};

/// Starts the mDNS daemon in a thread of its own.
///
/// # Errors
/// The thread or socket cannot be created, or another program has bound the mDNS port exclusively.
/// (The library would not report the latter, so it is checked here.)
pub(crate) fn start_daemon() -> Result<ServiceDaemon, Error> {
    let v4 = try_bind_shared(SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)));
    // One address family is enough for discovery.
    if let Err(error) = v4
        && try_bind_shared(SocketAddr::from((Ipv6Addr::UNSPECIFIED, MDNS_PORT))).is_err()
    {
        return Err(Error::Msg(format!("UDP port {MDNS_PORT} cannot be had: {error}")));
    }
    ServiceDaemon::new()
}

/// Checks that an address can be bound with address reuse, as the library does.
fn try_bind_shared(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    // Best effort: where it is unsupported, SO_REUSEADDR is enough.
    let _ = socket.set_reuse_port(true);
    socket.bind(&address.into())
}
