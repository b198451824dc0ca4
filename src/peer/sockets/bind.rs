//! Creation of UDP sockets: options and binding.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use quinn_udp::UdpSocketState;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Requested size of a socket's receive buffer and of its send buffer, in bytes.
const SOCKET_BUFFER_SIZE: usize = 1024 * 1024;

/// Creates a non-blocking UDP socket of one address family. Calls `prepare` to set options. Then
/// binds the socket to the wildcard address and `port`; 0 means a free port. An IPv6 socket is
/// restricted to IPv6.
fn bind_any(
    is_v6: bool,
    port: u16,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<UdpSocket> {
    let domain = if is_v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if is_v6 {
        socket.set_only_v6(true)?;
    }
    prepare(&socket)?;
    // Best effort: the system may allow less.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_SIZE);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_SIZE);
    let anywhere =
        if is_v6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
    socket.bind(&SocketAddr::new(anywhere, port).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Creates the peer's own socket, on a free port. Multicast has a hop limit of 1 and is looped back
/// to this machine. IPv4 broadcasts are allowed.
pub(super) fn bind_sending(is_v6: bool) -> io::Result<UdpSocket> {
    bind_any(is_v6, 0, |socket| {
        if is_v6 {
            socket.set_multicast_hops_v6(1)?;
            socket.set_multicast_loop_v6(true)
        } else {
            socket.set_broadcast(true)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.set_multicast_loop_v4(true)
        }
    })
}

/// Creates the shared socket on the room's port. Other peers of this machine can bind the same
/// port. IPv4 broadcasts are allowed. On Linux, the socket gets multicast only of groups that it
/// has joined itself. Also returns the socket's `quinn-udp` state, which receiving needs.
pub(super) fn bind_shared(is_v6: bool, port: u16) -> io::Result<(UdpSocket, UdpSocketState)> {
    let socket = bind_any(is_v6, port, |socket| {
        socket.set_reuse_address(true)?;
        if !is_v6 {
            socket.set_broadcast(true)?;
        }
        // Not on Linux. There SO_REUSEADDR is enough, and SO_REUSEPORT would spread unicast
        // datagrams over all sockets.
        #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
        socket.set_reuse_port(true)?;
        // Do not receive from groups that only other programs have joined.
        #[cfg(target_os = "linux")]
        if is_v6 {
            socket.set_multicast_all_v6(false)?;
        } else {
            socket.set_multicast_all_v4(false)?;
        }
        Ok(())
    })?;
    let state = UdpSocketState::new((&socket).into())?;
    Ok((socket, state))
}
