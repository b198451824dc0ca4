//! Floor 3: multicast DNS, by which servers are found.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mdns_sd::{Error, MDNS_PORT, ServiceDaemon};
use socket2::{Domain, Protocol, Socket, Type};

/// Begins to ask and to answer, in a thread of its own.
///
/// # Errors
/// The system has no thread or socket for it, or another program keeps the
/// port to itself. (Usually all who want it share it. The library would be
/// silent about it, in both meanings.)
pub(crate) fn start_daemon() -> Result<ServiceDaemon, Error> {
    let v4 = try_bind_shared(SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)));
    // One family is enough to be found by.
    if let Err(error) = v4
        && try_bind_shared(SocketAddr::from((Ipv6Addr::UNSPECIFIED, MDNS_PORT))).is_err()
    {
        return Err(Error::Msg(format!("UDP port {MDNS_PORT} cannot be had: {error}")));
    }
    ServiceDaemon::new()
}

/// Whether an address can be had together with others, just now: as the library
/// asks for it.
fn try_bind_shared(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    // Where there is no such thing, the other one does.
    let _ = socket.set_reuse_port(true);
    socket.bind(&address.into())
}
