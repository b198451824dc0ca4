//! Layer 3: multicast DNS (mDNS), for announcing and discovering servers.
//!
//! - `bridges`: interfaces of this machine that lead only to its containers

pub(crate) mod bridges;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mdns_sd::{Error, MDNS_PORT, ServiceDaemon};
use socket2::{Domain, Protocol, Socket, Type};

/// Beginning of the error of [`start_daemon`] if the port cannot be bound.
const PORT_UNAVAILABLE: &str = "UDP port 5353 cannot be had";

/// Returns true if an error says that the mDNS port cannot be bound.
#[cfg(feature = "client")]
pub(crate) fn is_port_unavailable(error: &Error) -> bool {
    matches!(error, Error::Msg(words) if words.starts_with(PORT_UNAVAILABLE))
}

/// Starts the mDNS daemon of the `mdns-sd` library in a thread of its own. Call
/// [`ServiceDaemon::shutdown`] to end it.
///
/// # Errors
/// The thread or its socket cannot be created. Or the mDNS port can be bound neither for IPv4 nor
/// for IPv6, for example because another program has bound it exclusively. The library would not
/// report that, so it is checked here.
pub(crate) fn start_daemon() -> Result<ServiceDaemon, Error> {
    let v4 = try_bind_shared(SocketAddr::from((Ipv4Addr::UNSPECIFIED, MDNS_PORT)));
    // One address family is enough for discovery.
    if let Err(error) = v4
        && try_bind_shared(SocketAddr::from((Ipv6Addr::UNSPECIFIED, MDNS_PORT))).is_err()
    {
        return Err(Error::Msg(format!("{PORT_UNAVAILABLE}: {error}")));
    }
    ServiceDaemon::new()
}

/// Checks that a UDP socket can be bound to an address with address reuse, as the library binds it.
/// Closes the socket again.
fn try_bind_shared(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    // Best effort: where it is unsupported, SO_REUSEADDR is enough.
    let _ = socket.set_reuse_port(true);
    socket.bind(&address.into())
}
