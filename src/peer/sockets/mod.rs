//! UDP sockets of a peer: `docs/protocol/udp.md`, section 6.
//!
//! For each of IPv4 and IPv6 there are two: a *shared* socket on the room's port, which any number
//! of peers on this machine bind, and the peer's *own* socket, from which everything is sent.
//! Either address family may be absent.
//!
//! The destination address of a datagram tells by which path it came to the shared socket;
//! `quinn-udp` reports it on Linux, macOS and Windows, without unsafe code here. (One socket for
//! each path, bound to the group's address, would do on Linux, but Windows cannot bind to a group
//! and macOS not to a broadcast address.)

mod bind;
mod receive;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::bind::{bind_sending, bind_shared};
use self::receive::{receive_own, receive_shared};
use super::interfaces::{Interface, Interfaces};
use crate::model::limits::{GROUP_V4, GROUP_V6};
use crate::model::{Path, PathSet};

/// Capacity of the queue between sockets and engine, in datagrams. Beyond it, the operating system
/// buffers some, then drops.
const QUEUE_CAPACITY: usize = 256;

/// Timeout for sending one datagram, after which it counts as lost.
const SEND_TIMEOUT: Duration = Duration::from_millis(50);

/// Received datagram.
#[derive(Debug)]
pub(super) struct Datagram {
    /// Source address.
    pub(super) from: SocketAddr,
    /// Destination address; known for the shared sockets only.
    pub(super) to: Option<IpAddr>,
    /// Index of the receiving interface, if the system reports it.
    pub(super) interface: Option<u32>,
    /// Payload.
    pub(super) bytes: Vec<u8>,
}

/// Result of sending all copies of a datagram.
#[derive(Debug, Default)]
pub(super) struct SendResult {
    /// Number of copies sent.
    pub(super) copies_sent: usize,
    /// Errors of the other copies, with the path; `None`: a unicast copy.
    pub(super) failed: Vec<(Option<Path>, io::Error)>,
}

/// All sockets of a peer.
pub(super) struct Sockets {
    /// UDP port of the room.
    port: u16,
    /// IPv4 sockets.
    v4: Option<SocketPair>,
    /// IPv6 sockets.
    v6: Option<SocketPair>,
    /// Interfaces in use.
    interfaces: Interfaces,
    /// Multicast groups that were joined.
    joined_groups: BTreeSet<GroupMembership>,
    /// Receiving tasks; aborted when this is dropped.
    _receive_tasks: JoinSet<()>,
}

/// Membership in a multicast group on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupMembership {
    /// IPv4 group, on the interface with this address.
    V4(Ipv4Addr),
    /// IPv6 group, on the interface with this index.
    V6(u32),
}

/// Sending and shared socket of one address family.
struct SocketPair {
    /// Socket from which everything is sent.
    own: Arc<UdpSocket>,
    /// Socket on the room's port, if it could be bound.
    shared: Option<Arc<UdpSocket>>,
}

/// Opened sockets, received datagrams and the errors of sockets that could not be opened.
pub(super) struct OpenedSockets {
    /// Sockets that work.
    pub(super) sockets: Sockets,
    /// Received datagrams and receive errors.
    pub(super) incoming: mpsc::Receiver<io::Result<Datagram>>,
    /// Sockets that could not be opened, by name, with the error.
    pub(super) failed: Vec<(&'static str, io::Error)>,
}

/// Opens the sockets of both address families. Must be called within a tokio runtime.
///
/// # Errors
/// Neither an IPv4 nor an IPv6 socket can be opened.
pub(super) fn open(port: u16) -> io::Result<OpenedSockets> {
    let (queue, incoming) = mpsc::channel(QUEUE_CAPACITY);
    let mut receive_tasks = JoinSet::new();
    let mut failed = Vec::new();
    let mut pair = |is_v6: bool| -> io::Result<SocketPair> {
        let own = Arc::new(bind_sending(is_v6)?);
        receive_tasks.spawn(receive_own(own.clone(), queue.clone()));
        let shared = match bind_shared(is_v6, port) {
            Ok((socket, state)) => {
                let socket = Arc::new(socket);
                receive_tasks.spawn(receive_shared(socket.clone(), state, queue.clone()));
                Some(socket)
            }
            Err(error) => {
                failed.push((if is_v6 { "the IPv6 port" } else { "the IPv4 port" }, error));
                None
            }
        };
        Ok(SocketPair { own, shared })
    };
    let (v4, v6) = match (pair(false), pair(true)) {
        (Err(error), Err(_)) => return Err(error),
        (v4, v6) => (v4, v6),
    };
    let mut keep = |what, it: io::Result<SocketPair>| match it {
        Ok(pair) => Some(pair),
        Err(error) => {
            failed.push((what, error));
            None
        }
    };
    let (v4, v6) = (keep("IPv4", v4), keep("IPv6", v6));
    let (interfaces, joined_groups) = (Interfaces::new(), BTreeSet::new());
    let sockets =
        Sockets { port, v4, v6, interfaces, joined_groups, _receive_tasks: receive_tasks };
    Ok(OpenedSockets { sockets, incoming, failed })
}

impl Sockets {
    /// Sets the interfaces in use and joins the multicast groups on them, again also where that
    /// failed before. Returns the failures.
    pub(super) fn set_interfaces(&mut self, interfaces: Interfaces) -> Vec<(Path, io::Error)> {
        let wanted: BTreeSet<GroupMembership> =
            interfaces.values().flat_map(memberships_on).collect();
        for gone in self.joined_groups.difference(&wanted) {
            // Leaving fails if the interface is gone; then the membership is gone, too.
            let _ = self.leave(*gone);
        }
        self.joined_groups.retain(|it| wanted.contains(it));
        let mut failed = Vec::new();
        for member in wanted {
            // Existing members join again, because an interface that was gone for a moment has
            // lost its membership. Otherwise the error is meaningless.
            match self.join(member) {
                Ok(true) => drop(self.joined_groups.insert(member)),
                Err(error) if !self.joined_groups.contains(&member) => {
                    failed.push((member.path(), error))
                }
                Ok(false) | Err(_) => {}
            }
        }
        self.interfaces = interfaces;
        failed
    }

    /// Returns the path by which a datagram arrived; `None` if it was unicast.
    pub(super) fn path_of(&self, datagram: &Datagram) -> Option<Path> {
        match datagram.to?.to_canonical() {
            IpAddr::V4(GROUP_V4) => Some(Path::GroupV4),
            IpAddr::V6(GROUP_V6) => Some(Path::GroupV6),
            IpAddr::V4(Ipv4Addr::BROADCAST) => Some(Path::Broadcast),
            IpAddr::V4(address) => {
                let mut networks = self.interfaces.values().flat_map(|it| &it.networks);
                networks.any(|it| it.broadcast == Some(address)).then_some(Path::Broadcast)
            }
            IpAddr::V6(_) => None,
        }
    }

    /// Returns true if a datagram arrived on an interface in use.
    pub(super) fn is_on_selected_interface(&self, datagram: &Datagram) -> bool {
        let index = datagram.interface;
        index.is_none_or(|index| self.interfaces.values().any(|it| it.index == index))
    }

    /// Returns true if a socket is bound to the room's port.
    pub(super) fn has_shared_socket(&self) -> bool {
        [&self.v4, &self.v6].into_iter().flatten().any(|it| it.shared.is_some())
    }

    /// Sends a datagram on all these paths and to all these addresses.
    pub(super) async fn send(
        &self,
        bytes: &[u8],
        paths: PathSet,
        addresses: &[SocketAddr],
    ) -> SendResult {
        let mut sent = SendResult::default();
        for path in Path::ALL.into_iter().filter(|it| paths.has(*it)) {
            for interface in self.interfaces.values() {
                for outcome in self.send_on(path, interface, bytes).await {
                    sent.record(Some(path), outcome);
                }
            }
        }
        for address in addresses {
            let address = unmap_ipv4(*address);
            let pair = if address.is_ipv4() { &self.v4 } else { &self.v6 };
            let outcome = match pair {
                Some(pair) => send_to(&pair.own, bytes, address).await,
                None => Err(io::ErrorKind::NetworkUnreachable.into()),
            };
            sent.record(None, outcome);
        }
        sent
    }

    /// Sends a datagram on one path and one interface. Returns the result of each copy; there may
    /// be none.
    pub(super) async fn send_on(
        &self,
        path: Path,
        interface: &Interface,
        bytes: &[u8],
    ) -> Vec<io::Result<()>> {
        let mut outcomes = Vec::new();
        match (path, &self.v4, &self.v6) {
            (Path::GroupV4, Some(pair), _) => {
                // One copy for each interface, even if it is in several networks.
                if let Some(network) = interface.networks.first() {
                    let chosen = SockRef::from(&pair.own).set_multicast_if_v4(&network.address);
                    let to = SocketAddr::from((GROUP_V4, self.port));
                    outcomes.push(match chosen {
                        Ok(()) => send_to(&pair.own, bytes, to).await,
                        Err(error) => Err(error),
                    });
                }
            }
            (Path::GroupV6, _, Some(pair)) if interface.has_v6 => {
                let chosen = SockRef::from(&pair.own).set_multicast_if_v6(interface.index);
                let to = SocketAddrV6::new(GROUP_V6, self.port, 0, interface.index);
                outcomes.push(match chosen {
                    Ok(()) => send_to(&pair.own, bytes, to.into()).await,
                    Err(error) => Err(error),
                });
            }
            (Path::Broadcast, Some(pair), _) => {
                for address in interface.networks.iter().filter_map(|it| it.broadcast) {
                    let to = SocketAddr::from((address, self.port));
                    outcomes.push(send_to(&pair.own, bytes, to).await);
                }
            }
            _ => {}
        }
        outcomes
    }

    /// Joins a group; returns false if its address family has no socket.
    fn join(&self, member: GroupMembership) -> io::Result<bool> {
        match (member, self.shared_socket(member)) {
            (_, None) => return Ok(false),
            (GroupMembership::V4(address), Some(it)) => {
                it.join_multicast_v4(&GROUP_V4, &address)?
            }
            (GroupMembership::V6(index), Some(it)) => it.join_multicast_v6(&GROUP_V6, index)?,
        }
        Ok(true)
    }

    /// Leaves a group.
    fn leave(&self, member: GroupMembership) -> io::Result<()> {
        match (member, self.shared_socket(member)) {
            (_, None) => Ok(()),
            (GroupMembership::V4(address), Some(it)) => it.leave_multicast_v4(&GROUP_V4, &address),
            (GroupMembership::V6(index), Some(it)) => it.leave_multicast_v6(&GROUP_V6, index),
        }
    }

    /// Returns the socket that is a member of a group.
    fn shared_socket(&self, member: GroupMembership) -> Option<SockRef<'_>> {
        let pair = match member {
            GroupMembership::V4(_) => &self.v4,
            GroupMembership::V6(_) => &self.v6,
        };
        pair.as_ref()?.shared.as_ref().map(SockRef::from)
    }
}

impl GroupMembership {
    /// Returns the path that the membership enables.
    const fn path(self) -> Path {
        match self {
            Self::V4(_) => Path::GroupV4,
            Self::V6(_) => Path::GroupV6,
        }
    }
}

impl SendResult {
    /// Adds the result of one copy.
    fn record(&mut self, path: Option<Path>, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => self.copies_sent += 1,
            Err(error) => self.failed.push((path, error)),
        }
    }
}

/// Lists the groups that can be joined on an interface.
fn memberships_on(interface: &Interface) -> impl Iterator<Item = GroupMembership> {
    let v4 = interface.networks.first().map(|it| GroupMembership::V4(it.address));
    let v6 = interface.has_v6.then_some(GroupMembership::V6(interface.index));
    v4.into_iter().chain(v6)
}

/// Converts an IPv4-mapped address to IPv4. A link-local address keeps its scope id.
fn unmap_ipv4(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Sends a datagram to one address, with a timeout.
async fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
    match timeout(SEND_TIMEOUT, socket.send_to(bytes, to)).await {
        Ok(outcome) => outcome.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
