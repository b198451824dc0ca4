//! The sockets of a peer: `docs/protocol/udp.md`, section 6.
//!
//! For IPv4 and for IPv6 there are two: a *shared* one on the room's port,
//! which any number of peers on this machine have, and *one's own*, from
//! which everything is sent. Either family may be absent.
//!
//! By which way a datagram received to the shared socket is told by the address
//! that it was sent to. (One socket for each way, bound to the group's
//! address, would do on Linux, but Windows cannot bind to a group, and macOS
//! not to a broadcast address.) The crate `quinn-udp` asks all three systems
//! for it, safely.

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

/// Datagrams between the sockets and the engine; beyond, the system keeps
/// some, and then drops them.
const QUEUE_CAPACITY: usize = 256;

/// A datagram that cannot be sent for so long is lost, like any other.
const SEND_TIMEOUT: Duration = Duration::from_millis(50);

/// Something that has come.
#[derive(Debug)]
pub(super) struct Datagram {
    /// Where from.
    pub(super) from: SocketAddr,
    /// Which address it was sent to; only known of the shared sockets.
    pub(super) to: Option<IpAddr>,
    /// By which interface, where the system tells.
    pub(super) interface: Option<u32>,
    /// What it is.
    pub(super) bytes: Vec<u8>,
}

/// What has become of a datagram that was to be sent.
#[derive(Debug, Default)]
pub(super) struct SendResult {
    /// So many copies have gone.
    pub(super) copies: usize,
    /// What prevented others; `None` in place of a way: to one address.
    pub(super) failed: Vec<(Option<Path>, io::Error)>,
}

/// All sockets of a peer.
pub(super) struct Sockets {
    /// The room's port.
    port: u16,
    /// Those for IPv4.
    v4: Option<SocketPair>,
    /// Those for IPv6.
    v6: Option<SocketPair>,
    /// The networks that one is in.
    interfaces: Interfaces,
    /// Groups that were joined.
    joined: BTreeSet<GroupMembership>,
    /// Reads all sockets; ends with this.
    _readers: JoinSet<()>,
}

/// A member of a group by one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupMembership {
    /// By the interface with this address.
    V4(Ipv4Addr),
    /// By the interface with this number.
    V6(u32),
}

/// The sockets of one family.
struct SocketPair {
    /// Everything is sent from here.
    own: Arc<UdpSocket>,
    /// On the room's port, if it could be had.
    shared: Option<Arc<UdpSocket>>,
}

/// Sockets that work, what comes in, and what does not work.
pub(super) struct OpenedSockets {
    /// The sockets.
    pub(super) sockets: Sockets,
    /// What comes in.
    pub(super) incoming: mpsc::Receiver<io::Result<Datagram>>,
    /// What does not work, each with what it is.
    pub(super) failed: Vec<(&'static str, io::Error)>,
}

/// Opens what can be opened. To be called within a runtime.
///
/// # Errors
/// Neither IPv4 nor IPv6 is there at all.
pub(super) fn open(port: u16) -> io::Result<OpenedSockets> {
    let (queue, incoming) = mpsc::channel(QUEUE_CAPACITY);
    let mut readers = JoinSet::new();
    let mut failed = Vec::new();
    let mut pair = |is_v6: bool| -> io::Result<SocketPair> {
        let own = Arc::new(bind_sending(is_v6)?);
        readers.spawn(receive_own(own.clone(), queue.clone()));
        let shared = match bind_shared(is_v6, port) {
            Ok((socket, state)) => {
                let socket = Arc::new(socket);
                readers.spawn(receive_shared(socket.clone(), state, queue.clone()));
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
    let (interfaces, joined) = (Interfaces::new(), BTreeSet::new());
    let sockets = Sockets { port, v4, v6, interfaces, joined, _readers: readers };
    Ok(OpenedSockets { sockets, incoming, failed })
}

impl Sockets {
    /// The networks that one is in now. Joins the groups by them, also where
    /// that did not work before; gives what did not work now.
    pub(super) fn set_interfaces(&mut self, interfaces: Interfaces) -> Vec<(Path, io::Error)> {
        let wanted: BTreeSet<GroupMembership> = interfaces.values().flat_map(memberships).collect();
        for gone in self.joined.difference(&wanted) {
            // Where the interface is gone, so is the membership.
            let _ = self.leave(*gone);
        }
        self.joined.retain(|it| wanted.contains(it));
        let mut failed = Vec::new();
        for member in wanted {
            // Those that are in join again: an interface that was gone for a
            // moment has forgotten them. Else it is an error without meaning.
            match self.join(member) {
                Ok(true) => drop(self.joined.insert(member)),
                Err(error) if !self.joined.contains(&member) => failed.push((member.path(), error)),
                Ok(false) | Err(_) => {}
            }
        }
        self.interfaces = interfaces;
        failed
    }

    /// By which way a datagram has come; `None`: it was for this machine
    /// alone.
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

    /// Whether a datagram has come by one of the networks that one is in.
    pub(super) fn is_ours(&self, datagram: &Datagram) -> bool {
        let index = datagram.interface;
        index.is_none_or(|index| self.interfaces.values().any(|it| it.index == index))
    }

    /// Whether there is a socket on the room's port.
    pub(super) fn is_shared(&self) -> bool {
        [&self.v4, &self.v6].into_iter().flatten().any(|it| it.shared.is_some())
    }

    /// Sends the same bytes by all these ways and to all these addresses.
    pub(super) async fn send(
        &self,
        bytes: &[u8],
        paths: PathSet,
        addresses: &[SocketAddr],
    ) -> SendResult {
        let mut sent = SendResult::default();
        for path in Path::ALL.into_iter().filter(|it| paths.has(*it)) {
            for interface in self.interfaces.values() {
                for outcome in self.send_by(path, interface, bytes).await {
                    sent.count(Some(path), outcome);
                }
            }
        }
        for address in addresses {
            let address = canonical(*address);
            let pair = if address.is_ipv4() { &self.v4 } else { &self.v6 };
            let outcome = match pair {
                Some(pair) => send_to(&pair.own, bytes, address).await,
                None => Err(io::ErrorKind::NetworkUnreachable.into()),
            };
            sent.count(None, outcome);
        }
        sent
    }

    /// Sends by one way and one interface. Gives what has become of each
    /// copy; there may be none.
    pub(super) async fn send_by(
        &self,
        path: Path,
        interface: &Interface,
        bytes: &[u8],
    ) -> Vec<io::Result<()>> {
        let mut outcomes = Vec::new();
        match (path, &self.v4, &self.v6) {
            (Path::GroupV4, Some(pair), _) => {
                // One copy for each interface, however many networks it is in.
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

    /// Joins a group; false where its family is absent.
    fn join(&self, member: GroupMembership) -> io::Result<bool> {
        match (member, self.shared(member)) {
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
        match (member, self.shared(member)) {
            (_, None) => Ok(()),
            (GroupMembership::V4(address), Some(it)) => it.leave_multicast_v4(&GROUP_V4, &address),
            (GroupMembership::V6(index), Some(it)) => it.leave_multicast_v6(&GROUP_V6, index),
        }
    }

    /// The socket that is a member of a group.
    fn shared(&self, member: GroupMembership) -> Option<SockRef<'_>> {
        let pair = match member {
            GroupMembership::V4(_) => &self.v4,
            GroupMembership::V6(_) => &self.v6,
        };
        pair.as_ref()?.shared.as_ref().map(SockRef::from)
    }
}

impl GroupMembership {
    /// What it is good for.
    const fn path(self) -> Path {
        match self {
            Self::V4(_) => Path::GroupV4,
            Self::V6(_) => Path::GroupV6,
        }
    }
}

impl SendResult {
    /// What has become of one copy.
    fn count(&mut self, path: Option<Path>, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => self.copies += 1,
            Err(error) => self.failed.push((path, error)),
        }
    }
}

/// The groups that an interface can be in.
fn memberships(interface: &Interface) -> impl Iterator<Item = GroupMembership> {
    let v4 = interface.networks.first().map(|it| GroupMembership::V4(it.address));
    let v6 = interface.has_v6.then_some(GroupMembership::V6(interface.index));
    v4.into_iter().chain(v6)
}

/// The same address, as IPv4 where it is that. (One that is good only on one
/// link keeps the number of the interface.)
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Sends to one address.
async fn send_to(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
    match timeout(SEND_TIMEOUT, socket.send_to(bytes, to)).await {
        Ok(outcome) => outcome.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
