//! Other devices of the networks, whether or not they run `chat-peer`: which ones answer a ping to
//! all devices, which addresses no device has, and which hosts refuse the room's port.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::observations::Silence;

/// Link-local group of all IPv6 devices of a network.
const ALL_DEVICES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// ICMPv6 type of an echo request.
const ECHO_REQUEST: u8 = 128;

/// ICMPv6 type of an echo reply.
const ECHO_REPLY: u8 = 129;

/// Data of the echo requests, which replies repeat, and of the datagrams to hosts.
const ECHO_DATA: [u8; 8] = *b"pi-chat?";

/// Number of echo requests on an interface, and maximum number of datagrams to an address.
const ATTEMPTS: u32 = 4;

/// Time to wait for answers to one attempt.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// Maximum number of answering devices that are remembered.
const MAX_DEVICES: usize = 1_000;

/// IPv4 neighbor table of Linux (ARP). On other systems the file does not exist.
const ARP_TABLE: &str = "/proc/net/arp";

/// IPv6 routing table of Linux. On other systems the file does not exist.
const IPV6_ROUTES: &str = "/proc/net/ipv6_route";

/// Flag of a complete entry of [`ARP_TABLE`].
const ARP_COMPLETE: u32 = 2;

/// Pings all IPv6 devices of the network on an interface. Returns the addresses that answer within
/// 4 s, those of this machine included, at most [`MAX_DEVICES`]. Takes these 4 s in any case.
///
/// # Errors
/// The system does not allow such pings without privileges.
pub(super) async fn ping_all_devices(interface: u32) -> io::Result<BTreeSet<IpAddr>> {
    let socket = open_ping_socket(interface)?;
    let to = SocketAddr::from(SocketAddrV6::new(ALL_DEVICES, 0, 0, interface));
    let mut request = vec![ECHO_REQUEST, 0, 0, 0, 0, 0, 0, 0];
    request.extend_from_slice(&ECHO_DATA);
    let mut answering = BTreeSet::new();
    let mut buffer = [0; 256];
    for attempt in 0..ATTEMPTS {
        // A failed send is a lost request. If all fail, there are no answers.
        let _ = socket.send_to(&request, to).await;
        let end = Instant::now() + ATTEMPT_TIME;
        while let Ok(Ok((len, from))) = timeout_at(end, socket.recv_from(&mut buffer)).await {
            let reply = buffer.get(..len).unwrap_or_default();
            let is_reply = reply.first() == Some(&ECHO_REPLY) && reply.ends_with(&ECHO_DATA);
            if is_reply && answering.len() < MAX_DEVICES {
                answering.insert(from.ip());
            }
        }
        if attempt + 1 < ATTEMPTS {
            // `recv_from` may have failed at once.
            sleep_until(end).await;
        }
    }
    Ok(answering)
}

/// Opens a socket for ICMPv6 echo requests. Many systems allow one to everybody; a raw socket needs
/// privileges.
///
/// # Errors
/// The system allows neither.
fn open_ping_socket(interface: u32) -> io::Result<UdpSocket> {
    let open = |kind| Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6));
    let socket = open(Type::DGRAM).or_else(|_| open(Type::RAW))?;
    socket.set_multicast_if_v6(interface)?;
    socket.set_nonblocking(true)?;
    // The type's only methods in use send and receive bytes, as for UDP.
    UdpSocket::from_std(socket.into())
}

/// Finds out why nothing may come back from a UDP address: the port is refused, or no device of
/// this network has the address (recognised for IPv4 on Linux only). Sends up to 4 datagrams, which
/// no peer takes for its own, in 4 s.
pub(super) async fn check_address(address: SocketAddr) -> Silence {
    let outcome = contact(address).await;
    let is_refused = outcome.is_err_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
    });
    // The system forgets addresses without a device soon, so the table is read at once.
    let has_device = match address.ip().to_canonical() {
        IpAddr::V4(it) => read_arp_table().get(&it).copied(),
        IpAddr::V6(_) => None,
    };
    match (is_refused, has_device) {
        (true, _) => Silence::Refused,
        (false, Some(false)) => Silence::NoDevice,
        (false, _) => Silence::Unknown,
    }
}

/// Sends datagrams to an address, until something comes back or there were [`ATTEMPTS`].
///
/// # Errors
/// The host refuses the port, or the system cannot send.
async fn contact(address: SocketAddr) -> io::Result<()> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Only a connected socket gets to know of a refusal.
    socket.connect(address).await?;
    for _ in 0..ATTEMPTS {
        socket.send(&ECHO_DATA).await?;
        if let Ok(received) = timeout(ATTEMPT_TIME, socket.recv(&mut [0; 1_500])).await {
            return received.map(drop);
        }
    }
    Ok(())
}

/// Reads the IPv4 neighbor table: addresses that the system has lately looked for in a network of
/// this machine. The value is true if a device has answered. Empty on other systems than Linux.
fn read_arp_table() -> BTreeMap<Ipv4Addr, bool> {
    parse_arp_table(&std::fs::read_to_string(ARP_TABLE).unwrap_or_default())
}

/// Parses the lines of [`ARP_TABLE`]: address, hardware type, flags in hexadecimal, and more.
fn parse_arp_table(text: &str) -> BTreeMap<Ipv4Addr, bool> {
    let entry = |line: &str| {
        let mut fields = line.split_whitespace();
        let address = fields.next()?.parse().ok()?;
        let flags = fields.nth(1)?.strip_prefix("0x")?;
        Some((address, u32::from_str_radix(flags, 16).ok()? & ARP_COMPLETE != 0))
    };
    text.lines().filter_map(entry).collect()
}

/// Returns the addresses of the IPv6 routers that this machine uses. Empty on other systems than
/// Linux.
pub(super) fn read_routers() -> BTreeSet<IpAddr> {
    parse_routers(&std::fs::read_to_string(IPV6_ROUTES).unwrap_or_default())
}

/// Parses the lines of [`IPV6_ROUTES`]: destination, its prefix length, source, its prefix length,
/// next hop, and more, all in hexadecimal. Returns the next hops of default routes.
fn parse_routers(text: &str) -> BTreeSet<IpAddr> {
    let next_hop = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (destination, length, hop) = (fields.first()?, fields.get(1)?, fields.get(4)?);
        let hop = u128::from_str_radix(hop, 16).ok().filter(|it| *it != 0)?;
        let is_default = *length == "00" && destination.bytes().all(|it| it == b'0');
        is_default.then_some(IpAddr::V6(Ipv6Addr::from_bits(hop)))
    };
    text.lines().filter_map(next_hop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arp_table_tells_which_addresses_have_a_device() {
        let text = "\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:00:5e:00:53:01     *        eth0
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
nonsense
";
        let expected = [([192, 0, 2, 1], true), ([192, 0, 2, 9], false)];
        let expected = expected.map(|(address, it)| (Ipv4Addr::from(address), it));
        assert_eq!(parse_arp_table(text), BTreeMap::from(expected));
        assert_eq!(parse_arp_table(""), BTreeMap::new());
    }

    #[test]
    fn routers_are_next_hops_of_default_routes() {
        let zero = "0".repeat(32);
        let hop = "fe800000000000000000000000000001";
        let text = format!(
            "{zero} 00 {zero} 00 {hop} 00000400 00000001 00000000 00450003 eth0\n\
             fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 1 0 00000001 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(parse_routers(&text), BTreeSet::from(["fe80::1".parse().unwrap()]));
    }
}
