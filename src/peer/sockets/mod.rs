//! UDP sockets of a peer: `docs/protocol/udp.md`, section 6.
//!
//! For each of IPv4 and IPv6 there are two sockets. The *shared* socket is bound to the room's
//! port, as are those of other peers on this machine. The *own* socket is bound to a free port. A
//! peer sends every copy from the own socket, and answers come to it. Some unicast copies are sent
//! from the shared socket as well: see [`Sockets::send`]. Either address family may be absent.
//!
//! The destination address of a datagram tells by which path it came to the shared socket.
//! `quinn-udp` reports it on Linux, macOS and Windows, without unsafe code here. On Linux, a socket
//! for each path would do too, bound to the address of the group. But Windows cannot bind to a
//! group, and macOS not to a broadcast address.

mod bind;
mod receive;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use socket2::{InterfaceIndexOrAddress, SockRef};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::bind::{bind_sending, bind_shared};
use self::receive::{receive_own, receive_shared};
use super::interfaces::{Interface, Interfaces};
use crate::model::limits::{GROUP_V4, GROUP_V6};
use crate::model::{Moment, Path, PathSet};

/// Capacity of the queue from the sockets to the engine, in datagrams. While it is full, datagrams
/// wait in the operating system's socket buffers. When these are full too, the system drops new
/// datagrams.
const QUEUE_CAPACITY: usize = 256;

/// Maximum time to send one copy of a datagram. After it, the copy counts as failed.
const SEND_TIMEOUT: Duration = Duration::from_millis(50);

/// Time for which an address counts as a caller, from its last unicast datagram to a shared socket.
const CALLER_RETENTION: Duration = Duration::from_secs(60);

/// Maximum number of callers remembered. Beyond it, a new caller is ignored until another has
/// expired.
const MAX_CALLERS: usize = 256;

/// Received UDP datagram.
#[derive(Debug)]
pub(super) struct Datagram {
    /// Source address of the datagram.
    pub(super) from: SocketAddr,
    /// Destination address. `None` on the peer's own socket, and where the system does not report
    /// it.
    pub(super) to: Option<IpAddr>,
    /// Index of the receiving interface. `None` on the peer's own socket, and where the system does
    /// not report it.
    pub(super) interface: Option<u32>,
    /// True if the datagram came to the shared socket, false if to the peer's own socket.
    pub(super) is_shared: bool,
    /// Payload of the datagram.
    pub(super) bytes: Vec<u8>,
}

/// Socket of a pair from which a datagram is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Own socket, on a free port.
    Own,
    /// Shared socket, on the room's port.
    Shared,
}

/// Result of sending a datagram by several paths and to several addresses.
#[derive(Debug)]
pub(super) struct SendResult {
    /// Number of copies sent without error.
    pub(super) copies_sent: usize,
    /// Paths by which at least one copy was sent.
    pub(super) working: PathSet,
    /// Error of each copy that was not sent, with its path; for a unicast copy the path is `None`.
    pub(super) failed: Vec<(Option<Path>, io::Error)>,
}

/// Multicast group that could not be joined on an interface.
#[derive(Debug)]
pub(super) struct FailedJoin {
    /// Path of the group.
    pub(super) path: Path,
    /// Name of the interface.
    pub(super) interface: String,
    /// Reason.
    pub(super) error: io::Error,
}

/// All UDP sockets of a peer, and its multicast group memberships.
pub(super) struct Sockets {
    /// UDP port of the room.
    port: u16,
    /// IPv4 sockets; `None` if the own socket could not be opened.
    v4: Option<SocketPair>,
    /// IPv6 sockets; `None` if the own socket could not be opened.
    v6: Option<SocketPair>,
    /// Selected network interfaces, as set by [`Self::set_interfaces`].
    interfaces: Interfaces,
    /// Callers: addresses that have sent unicast to a shared socket lately, each with the time of
    /// its last datagram. A caller's firewall may let in only datagrams from the port to which the
    /// caller has sent.
    callers: BTreeMap<SocketAddr, Moment>,
    /// Multicast groups that the shared sockets have joined.
    joined_groups: BTreeSet<GroupMembership>,
    /// Tasks that receive datagrams, one for each socket. Dropping the set aborts them.
    _receive_tasks: JoinSet<()>,
}

/// Membership of a shared socket in a multicast group on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupMembership {
    /// Membership in the IPv4 group, on the interface with this index.
    V4(u32),
    /// Membership in the IPv6 group, on the interface with this index.
    V6(u32),
}

/// Own socket and shared socket of one address family.
struct SocketPair {
    /// Own socket on a free port. [`Sockets::send`] sends every copy from it, and unicast answers
    /// come to it.
    own: Arc<UdpSocket>,
    /// Shared socket on the room's port; `None` if it could not be bound.
    shared: Option<Arc<UdpSocket>>,
}

/// Result of [`open`]: the sockets, the queue of received datagrams, and the failures.
pub(super) struct OpenedSockets {
    /// All sockets that could be opened.
    pub(super) sockets: Sockets,
    /// Queue of received datagrams and receive errors of all sockets.
    pub(super) incoming: mpsc::Receiver<io::Result<Datagram>>,
    /// Sockets that could not be opened.
    pub(super) failed: Vec<UnusableSocket>,
}

/// Socket that could not be opened.
#[derive(Debug)]
pub(super) struct UnusableSocket {
    /// True if only the port that all peers share is missing; false if the address family has no
    /// socket at all.
    pub(super) is_port_only: bool,
    /// Address family.
    pub(super) is_v6: bool,
    /// Why.
    pub(super) error: io::Error,
}

/// Opens the sockets of both address families, and starts a receiving task for each socket. Call it
/// within a tokio runtime. Until [`Sockets::set_interfaces`], the sockets are in no group, and send
/// nothing by a path.
///
/// # Errors
/// Returns the error of IPv4 if the own socket can be opened neither for IPv4 nor for IPv6.
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
                failed.push(UnusableSocket { is_port_only: true, is_v6, error });
                None
            }
        };
        Ok(SocketPair { own, shared })
    };
    let (v4, v6) = match (pair(false), pair(true)) {
        (Err(error), Err(_)) => return Err(error),
        (v4, v6) => (v4, v6),
    };
    let mut keep = |is_v6, it: io::Result<SocketPair>| match it {
        Ok(pair) => Some(pair),
        Err(error) => {
            failed.push(UnusableSocket { is_port_only: false, is_v6, error });
            None
        }
    };
    let (v4, v6) = (keep(false, v4), keep(true, v6));
    let (interfaces, callers) = (Interfaces::new(), BTreeMap::new());
    let joined_groups = BTreeSet::new();
    let sockets =
        Sockets { port, v4, v6, interfaces, callers, joined_groups, _receive_tasks: receive_tasks };
    Ok(OpenedSockets { sockets, incoming, failed })
}

impl Sockets {
    /// Sets the network interfaces in use. Joins the multicast groups on each of these interfaces,
    /// and leaves the groups on other interfaces. Returns the join errors, except for groups that
    /// are joined already.
    ///
    /// Call it after each scan: it retries failed joins, and repairs memberships that the system
    /// has lost.
    pub(super) fn set_interfaces(&mut self, interfaces: Interfaces) -> Vec<FailedJoin> {
        let wanted: BTreeSet<GroupMembership> =
            interfaces.values().flat_map(memberships_on).collect();
        for gone in self.joined_groups.difference(&wanted) {
            // Leaving fails if the interface is gone. Then the membership is gone too.
            let _ = self.leave(*gone);
        }
        self.joined_groups.retain(|it| wanted.contains(it));
        let mut failed = Vec::new();
        for member in wanted {
            // Existing members join again, because an interface that was gone for a moment has lost
            // its membership. If the membership still exists, the error means nothing.
            match self.join(member) {
                Ok(true) => drop(self.joined_groups.insert(member)),
                Err(error) if !self.joined_groups.contains(&member) => {
                    let on = interfaces.iter().find(|(_, it)| it.index == member.interface());
                    let interface = on.map(|(name, _)| name.clone()).unwrap_or_default();
                    failed.push(FailedJoin { path: member.path(), interface, error });
                }
                Ok(false) | Err(_) => {}
            }
        }
        self.interfaces = interfaces;
        failed
    }

    /// Returns the path by which a datagram arrived, according to its destination address. `None`
    /// if it was unicast or if its destination is unknown.
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

    /// Returns true if all IPv4 addresses of the selected interfaces are loopback addresses, or
    /// there are none. Many systems have no IPv6 multicast on loopback interfaces, which is no
    /// fault.
    pub(super) fn is_loopback_only(&self) -> bool {
        let mut networks = self.interfaces.values().flat_map(|it| &it.networks);
        networks.all(|it| it.address.is_loopback())
    }

    /// Returns true if a datagram arrived on a selected interface, or if its interface is unknown,
    /// as on the own socket.
    pub(super) fn is_on_selected_interface(&self, datagram: &Datagram) -> bool {
        let index = datagram.interface;
        index.is_none_or(|index| self.interfaces.values().any(|it| it.index == index))
    }

    /// Returns true if a shared socket of either address family is bound to the room's port.
    pub(super) fn has_shared_socket(&self) -> bool {
        [&self.v4, &self.v6].into_iter().flatten().any(|it| it.shared.is_some())
    }

    /// Remembers that unicast has come from an address to a shared socket. [`Self::send`] then uses
    /// the shared socket too for this address. Ignores a new address if there are [`MAX_CALLERS`].
    pub(super) fn note_caller(&mut self, now: Moment, from: SocketAddr) {
        if self.callers.len() < MAX_CALLERS || self.callers.contains_key(&from) {
            self.callers.insert(from, now);
        }
    }

    /// Forgets each caller (address that has sent unicast to a shared socket) whose last datagram
    /// of this kind is at least [`CALLER_RETENTION`] old.
    pub(super) fn expire_callers(&mut self, now: Moment) {
        self.callers.retain(|_, at| now.since(*at) < CALLER_RETENTION);
    }

    /// Returns true if an address is to get a second copy from the shared socket: it is a caller,
    /// or it has the room's port and `is_trusted` returns true for it. The source port of a
    /// datagram that came by a group may be forged.
    fn takes_second_copy(
        &self,
        address: SocketAddr,
        is_trusted: impl Fn(SocketAddr) -> bool,
    ) -> bool {
        self.callers.contains_key(&address) || address.port() == self.port && is_trusted(address)
    }

    /// Sends a datagram by each of `paths` on every selected interface, and by unicast to each of
    /// `addresses`. Some of these get a second copy from the shared socket
    /// ([`Self::takes_second_copy`]). The result leaves out these second copies. Unicast of a
    /// family without sockets counts as a failed copy; a path of that family sends no copy. Sends
    /// one copy after the other, each in at most [`SEND_TIMEOUT`].
    ///
    /// `is_trusted`: returns true for an address that a peer has proven to be its own, or that the
    /// user has named.
    pub(super) async fn send(
        &self,
        bytes: &[u8],
        paths: PathSet,
        addresses: &[SocketAddr],
        is_trusted: impl Fn(SocketAddr) -> bool,
    ) -> SendResult {
        let mut sent = SendResult { copies_sent: 0, working: PathSet::NONE, failed: Vec::new() };
        for path in Path::ALL.into_iter().filter(|it| paths.has(*it)) {
            for interface in self.interfaces.values() {
                for outcome in self.send_on(path, interface, bytes, Source::Own).await {
                    sent.record(Some(path), outcome);
                }
            }
        }
        for address in addresses {
            let address = unmap_ipv4(*address);
            let is_twice = self.takes_second_copy(address, &is_trusted);
            let pair = if address.is_ipv4() { &self.v4 } else { &self.v6 };
            let outcome = match pair {
                Some(pair) => send_to(&pair.own, bytes, address).await,
                None => Err(io::ErrorKind::NetworkUnreachable.into()),
            };
            sent.record(None, outcome);
            if let Some(shared) = pair.as_ref().and_then(|it| it.shared.as_ref())
                && is_twice
            {
                // If this copy fails, the first copy has failed, too, or is enough.
                let _ = send_to(shared, bytes, address).await;
            }
        }
        sent
    }

    /// Sends a datagram by one path on one interface, and returns the result of each copy.
    /// Broadcast sends a copy to each broadcast address of the interface. Sends no copy if the
    /// path's address family does not have the socket `source`, or if the interface has no address
    /// of that family.
    pub(super) async fn send_on(
        &self,
        path: Path,
        interface: &Interface,
        bytes: &[u8],
        source: Source,
    ) -> Vec<io::Result<()>> {
        let pair = if path == Path::GroupV6 { &self.v6 } else { &self.v4 };
        let Some(socket) = pair.as_ref().and_then(|it| it.socket(source)) else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        match path {
            Path::GroupV4 => {
                // Send one copy on the interface, even if it is in several networks.
                if let Some(network) = interface.networks.first() {
                    let chosen = SockRef::from(socket).set_multicast_if_v4(&network.address);
                    let to = SocketAddr::from((GROUP_V4, self.port));
                    outcomes.push(match chosen {
                        Ok(()) => send_to(socket, bytes, to).await,
                        Err(error) => Err(error),
                    });
                }
            }
            Path::GroupV6 if interface.has_v6 => {
                let chosen = SockRef::from(socket).set_multicast_if_v6(interface.index);
                let to = SocketAddrV6::new(GROUP_V6, self.port, 0, interface.index);
                outcomes.push(match chosen {
                    Ok(()) => send_to(socket, bytes, to.into()).await,
                    Err(error) => Err(error),
                });
            }
            Path::GroupV6 => {}
            Path::Broadcast => {
                for address in interface.networks.iter().filter_map(|it| it.broadcast) {
                    let to = SocketAddr::from((address, self.port));
                    outcomes.push(send_to(socket, bytes, to).await);
                }
            }
        }
        outcomes
    }

    /// Joins a multicast group and returns true. Returns false if its address family has no shared
    /// socket. Fails also if the socket is in the group already.
    fn join(&self, member: GroupMembership) -> io::Result<bool> {
        match (member, self.shared_socket(member)) {
            (_, None) => return Ok(false),
            (GroupMembership::V4(index), Some(it)) => {
                it.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?
            }
            (GroupMembership::V6(index), Some(it)) => it.join_multicast_v6(&GROUP_V6, index)?,
        }
        Ok(true)
    }

    /// Leaves a multicast group. Does nothing if its address family has no shared socket.
    fn leave(&self, member: GroupMembership) -> io::Result<()> {
        match (member, self.shared_socket(member)) {
            (_, None) => Ok(()),
            (GroupMembership::V4(index), Some(it)) => {
                it.leave_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))
            }
            (GroupMembership::V6(index), Some(it)) => it.leave_multicast_v6(&GROUP_V6, index),
        }
    }

    /// Returns the shared socket of a group's address family; `None` if there is none.
    fn shared_socket(&self, member: GroupMembership) -> Option<SockRef<'_>> {
        let pair = match member {
            GroupMembership::V4(_) => &self.v4,
            GroupMembership::V6(_) => &self.v6,
        };
        pair.as_ref()?.shared.as_ref().map(SockRef::from)
    }
}

impl SocketPair {
    /// Returns one of the two sockets; `None` if the shared socket is asked for and could not be
    /// bound.
    fn socket(&self, source: Source) -> Option<&UdpSocket> {
        match source {
            Source::Own => Some(&self.own),
            Source::Shared => self.shared.as_deref(),
        }
    }
}

impl GroupMembership {
    /// Returns the index of the interface.
    const fn interface(self) -> u32 {
        match self {
            Self::V4(index) | Self::V6(index) => index,
        }
    }

    /// Returns the path by which datagrams to this group arrive.
    const fn path(self) -> Path {
        match self {
            Self::V4(_) => Path::GroupV4,
            Self::V6(_) => Path::GroupV6,
        }
    }
}

impl SendResult {
    /// Adds the result of one copy: counts a success, keeps an error. `path` is `None` for unicast.
    fn record(&mut self, path: Option<Path>, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => {
                self.copies_sent += 1;
                self.working = path.map_or(self.working, |it| self.working.with(it));
            }
            Err(error) => self.failed.push((path, error)),
        }
    }
}

/// Lists the memberships to have on an interface: the IPv4 group if the interface has an IPv4
/// address, and the IPv6 group if it has an IPv6 address.
fn memberships_on(interface: &Interface) -> impl Iterator<Item = GroupMembership> {
    let v4 = (!interface.networks.is_empty()).then_some(GroupMembership::V4(interface.index));
    let v6 = interface.has_v6.then_some(GroupMembership::V6(interface.index));
    v4.into_iter().chain(v6)
}

/// Converts an IPv4-mapped IPv6 address to IPv4. Returns any other address unchanged, with its
/// scope id.
fn unmap_ipv4(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Sends a datagram to one address. Fails with `TimedOut` after [`SEND_TIMEOUT`].
async fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
    match timeout(SEND_TIMEOUT, socket.send_to(bytes, to)).await {
        Ok(outcome) => outcome.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use socket2::{Domain, Socket, Type};
    use tokio::runtime::Runtime;

    use super::*;

    /// Size of each datagram that the tests send.
    const SIZE: usize = 137;

    /// Returns a socket of a stranger on a loopback address, and its address. A peer of this
    /// machine can bind its port, too.
    fn stranger() -> (UdpSocket, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 7], 0)).into()).unwrap();
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Returns a tokio runtime.
    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Sends three datagrams of [`SIZE`] bytes to a stranger, one after the other. Returns how many
    /// copies of each arrive. `is_trusted`: true if the address counts as proven or named.
    fn copies(
        runtime: &Runtime,
        sockets: &Sockets,
        (socket, address): &(UdpSocket, SocketAddr),
        is_trusted: bool,
    ) -> [usize; 3] {
        let addresses = [*address];
        [0; 3].map(|_| {
            let sending = sockets.send(&[7; SIZE], PathSet::NONE, &addresses, |_| is_trusted);
            runtime.block_on(sending);
            std::iter::from_fn(|| socket.recv(&mut [0; 2 * SIZE]).ok()).count()
        })
    }

    /// An address that has sent unicast to the shared socket lately gets second copies.
    #[test]
    fn caller_gets_second_copies_for_some_time() {
        let (runtime, stranger) = (runtime(), stranger());
        let _entered = runtime.enter();
        let mut sockets = open(0).unwrap().sockets;
        let copies = |sockets: &mut _, it| copies(&runtime, sockets, &stranger, it);
        assert_eq!(copies(&mut sockets, false), [1, 1, 1]);
        sockets.note_caller(Moment::START, stranger.1);
        assert_eq!(copies(&mut sockets, false), [2, 2, 2]);
        sockets.expire_callers(Moment::START + CALLER_RETENTION);
        assert_eq!(copies(&mut sockets, false), [1, 1, 1]);
    }

    /// A stranger that sends from the room's port gets no second copies. A trusted address with
    /// this port gets them.
    #[test]
    fn room_port_of_a_stranger_brings_no_second_copies() {
        let (runtime, stranger) = (runtime(), stranger());
        let _entered = runtime.enter();
        let sockets = open(stranger.1.port()).unwrap().sockets;
        assert_eq!(copies(&runtime, &sockets, &stranger, false), [1, 1, 1]);
        assert_eq!(copies(&runtime, &sockets, &stranger, true), [2, 2, 2]);
    }
}
