//! Network probe: sends pings on each path, to each peer heard, and to each named host. Records the
//! results. The probe has an identity of its own and joins no room.
//!
//! - A ping that loops back shows that a path works within this machine.
//! - A pong shows that a path reaches a peer.
//! - A heartbeat shows that a path brings datagrams of a peer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout_at};

use super::found_peers::{FoundPeers, InterfacePath};
use super::other_rooms::OtherRooms;
use crate::model::{HostAddress, Path, PathSet, PeerId};
use crate::os::random_bytes;
use crate::peer::interfaces::Interfaces;
use crate::peer::sockets::{Datagram, Sockets};
use crate::ui::safe_line;
use crate::wire::udp::{
    Control, Cookie, Identity, Packet, Ping, Pong, Room, Sealer, UnverifiedPacket, open,
};

/// Time to listen for new peers, from the start of the probe. Heartbeats are 2 s apart; in rooms of
/// more than 50 members, they are further apart.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// Time to listen for new peers, from the start of the probe, if [`Probe::needs_long_listen_time`].
/// On a path that a peer does not need, it sends only every fifth heartbeat. In rooms of up to 50
/// members, these heartbeats are at most 11 s apart.
const LONG_LISTEN_TIME: Duration = Duration::from_secs(12);

/// Time to wait for the last pongs after listening.
const FINAL_WAIT: Duration = Duration::from_secs(1);

/// Time between two rounds of pings.
const PING_INTERVAL: Duration = Duration::from_millis(900);

/// Number of rounds of pings on each path, and to each named host that has not answered. A ping may
/// be lost. In a large room, only some of the peers answer each ping.
const PING_ROUNDS: u32 = 3;

/// Size of a ping on a path, in bytes. It is padded so that up to 17 peers answer each ping.
const PADDED_PING: usize = 1_200;

/// Target of a ping.
#[derive(Clone, Debug)]
enum Target {
    /// All peers that this path reaches.
    InterfacePath(InterfacePath),
    /// Named host, by its index in [`Probe::hosts`].
    Host(usize),
    /// Single peer that was found. The ping is sent by unicast.
    Peer,
}

/// Loopback result of a path: whether pings on it are sent and come back within this machine.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopbackResult {
    /// True if a ping came back on the path on which it was sent.
    pub(super) has_looped_back: bool,
    /// Error of the last ping on the path. `None` if all its copies were sent.
    pub(super) error: Option<String>,
}

/// Named host, a peer outside the local network, with its answers.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Host as the user has named it.
    pub(super) named: HostAddress,
    /// Addresses of the host, from DNS.
    pub(super) addresses: Vec<SocketAddr>,
    /// Ids of the peers that have answered pings to this host.
    pub(super) answering_peers: BTreeSet<PeerId>,
    /// True if a ping to the host came back to the probe: the host is this machine.
    pub(super) is_local: bool,
}

impl Host {
    /// Creates a named host from its resolved addresses, without answers.
    pub(super) const fn new(named: HostAddress, addresses: Vec<SocketAddr>) -> Self {
        Self { named, addresses, answering_peers: BTreeSet::new(), is_local: false }
    }
}

/// State and results of the network probe.
pub(super) struct Probe<'a> {
    /// Room whose peers are looked for.
    room: &'a Room,
    /// Selected network interfaces.
    interfaces: &'a Interfaces,
    /// All IP addresses of this machine.
    local_addresses: BTreeSet<IpAddr>,
    /// Peer id of the probe, for this run only.
    me: PeerId,
    /// Signs and encrypts the pings.
    sealer: Sealer,
    /// Target of each ping, by the ping's cookie. A pong repeats the cookie.
    pings_by_cookie: BTreeMap<[u8; 8], Target>,
    /// Target of each ping to a path or named host, by the bytes of its datagram. A ping that loops
    /// back is recognized by its bytes.
    sent_datagrams: BTreeMap<Vec<u8>, Target>,
    /// Loopback result of each path on which a ping was sent or tried.
    pub(super) loopback_results: BTreeMap<InterfacePath, LoopbackResult>,
    /// Named hosts whose addresses were found.
    pub(super) hosts: Vec<Host>,
    /// Peers of this room that were found.
    pub(super) peers: FoundPeers,
    /// Rooms other than this one, with the peers in them.
    pub(super) other_rooms: OtherRooms,
    /// Duration of the whole probe, in seconds. Zero before its end.
    pub(super) duration_seconds: u64,
}

impl<'a> Probe<'a> {
    /// Creates a probe without results, with a new identity.
    ///
    /// # Errors
    /// The operating system's random source fails.
    pub(super) fn new(
        room: &'a Room,
        interfaces: &'a Interfaces,
        local_addresses: BTreeSet<IpAddr>,
        hosts: Vec<Host>,
    ) -> Result<Self, getrandom::Error> {
        let identity = Identity::new(random_bytes()?, random_bytes()?);
        Ok(Self {
            room,
            interfaces,
            local_addresses,
            me: identity.signer().id,
            sealer: Sealer::new(Arc::new(identity), Arc::new(room.clone())),
            pings_by_cookie: BTreeMap::new(),
            sent_datagrams: BTreeMap::new(),
            loopback_results: BTreeMap::new(),
            hosts,
            peers: FoundPeers::default(),
            other_rooms: OtherRooms::default(),
            duration_seconds: 0,
        })
    }

    /// Sends the pings and records the received datagrams, for [`LISTEN_TIME`] or
    /// [`LONG_LISTEN_TIME`]. Then waits [`FINAL_WAIT`] for the last answers. In this last time,
    /// adds no new peer.
    ///
    /// # Errors
    /// The operating system's random source fails.
    pub(super) async fn run(
        &mut self,
        sockets: &Sockets,
        incoming: &mut mpsc::Receiver<io::Result<Datagram>>,
    ) -> Result<(), getrandom::Error> {
        let mut listen_time = LISTEN_TIME;
        let mut end = Instant::now() + listen_time;
        let mut rounds = interval(PING_INTERVAL);
        let mut round = 0;
        loop {
            tokio::select! {
                _ = rounds.tick() => {
                    if round < PING_ROUNDS {
                        self.ping_all_paths(sockets).await?;
                        self.ping_hosts(sockets).await?;
                    }
                    round += 1;
                    self.ping_peers(sockets).await?;
                }
                came = timeout_at(end, incoming.recv()) => match came {
                    Ok(Some(Ok(datagram))) => self.receive(sockets, &datagram),
                    Ok(Some(Err(_))) => {}
                    Ok(None) => break,
                    Err(_) if self.peers.is_frozen => break,
                    Err(_) if listen_time == LISTEN_TIME && self.needs_long_listen_time() => {
                        end += LONG_LISTEN_TIME - LISTEN_TIME;
                        listen_time = LONG_LISTEN_TIME;
                    }
                    Err(_) => {
                        self.peers.is_frozen = true;
                        end += FINAL_WAIT;
                    }
                },
            }
        }
        self.duration_seconds = (listen_time + FINAL_WAIT).as_secs();
        Ok(())
    }

    /// Returns true if longer listening may give further results: a peer answers but has sent no
    /// heartbeat, or there are peers on other machines and no multicast group works in both
    /// directions yet.
    fn needs_long_listen_time(&self) -> bool {
        let has_nameless = self.peers.by_id.values().any(|it| it.name.is_none());
        has_nameless || self.peers.has_remote_peer() && !self.peers.has_two_way_group()
    }

    /// Returns true if the probe has listened long enough to draw a conclusion from a silent path.
    /// In a room of up to 50 members, heartbeats must then have arrived on every working path. That
    /// includes paths that the peers do not need.
    pub(super) fn is_conclusive(&self) -> bool {
        self.duration_seconds >= LONG_LISTEN_TIME.as_secs()
    }

    /// Builds the datagram of a ping with a new cookie. Remembers its target, to recognize a pong
    /// or the looped-back ping.
    ///
    /// # Errors
    /// The operating system's random source fails.
    fn build_ping(&mut self, target: Target) -> Result<Vec<u8>, getrandom::Error> {
        let cookie = random_bytes()?;
        let ping = Ping { cookie: Cookie(cookie), heard: PathSet::NONE.with(Path::GroupV4) };
        // A ping to many is answered by as many peers as twice its size allows.
        let size = if matches!(target, Target::InterfacePath(_)) { PADDED_PING } else { 0 };
        let bytes = self.sealer.padded_control(&Control::Ping(ping), size).unwrap_or_default();
        self.pings_by_cookie.insert(cookie, target.clone());
        if !matches!(target, Target::Peer) {
            self.sent_datagrams.insert(bytes.clone(), target);
        }
        Ok(bytes)
    }

    /// Sends a ping on each path of each selected interface. Records send errors.
    async fn ping_all_paths(&mut self, sockets: &Sockets) -> Result<(), getrandom::Error> {
        let interfaces = self.interfaces;
        for (name, interface) in interfaces {
            for path in Path::ALL {
                let interface_path = InterfacePath { interface: name.clone(), path };
                let bytes = self.build_ping(Target::InterfacePath(interface_path.clone()))?;
                let outcomes = sockets.send_on(path, interface, &bytes).await;
                if outcomes.is_empty() {
                    continue;
                }
                let error = outcomes.into_iter().find_map(Result::err);
                self.loopback_results.entry(interface_path).or_default().error =
                    error.map(|it| it.to_string());
            }
        }
        Ok(())
    }

    /// Pings all addresses of each named host at which no peer has answered yet.
    async fn ping_hosts(&mut self, sockets: &Sockets) -> Result<(), getrandom::Error> {
        for number in 0..self.hosts.len() {
            let host = self.hosts.get(number).filter(|it| it.answering_peers.is_empty());
            for address in host.map(|it| it.addresses.clone()).unwrap_or_default() {
                let bytes = self.build_ping(Target::Host(number))?;
                sockets.send(&bytes, PathSet::NONE, &[address]).await;
            }
        }
        Ok(())
    }

    /// Pings by unicast each found peer that has not answered unicast, up to the limit for each
    /// address.
    async fn ping_peers(&mut self, sockets: &Sockets) -> Result<(), getrandom::Error> {
        for address in self.peers.take_next_pings() {
            let bytes = self.build_ping(Target::Peer)?;
            sockets.send(&bytes, PathSet::NONE, &[address]).await;
        }
        Ok(())
    }

    /// Returns the path on which a datagram arrived. `None` if the datagram was unicast or came on
    /// an interface that is not selected. If the system does not report the interface, returns the
    /// path only if a single interface is selected.
    fn arrival_path(&self, sockets: &Sockets, datagram: &Datagram) -> Option<InterfacePath> {
        let path = sockets.path_of(datagram)?;
        let mut all = self.interfaces.iter();
        let interface = match datagram.interface {
            Some(index) => all.find(|(_, it)| it.index == index),
            None => all.next().filter(|_| self.interfaces.len() == 1),
        };
        interface.map(|(name, _)| InterfacePath { interface: name.clone(), path })
    }

    /// Returns true if a datagram was sent to a group or broadcast address. Returns false if it was
    /// sent to an address of this machine, or if its destination is unknown.
    fn was_sent_to_many(&self, sockets: &Sockets, datagram: &Datagram) -> bool {
        let is_own = datagram.to.is_none_or(|it| self.local_addresses.contains(&it.to_canonical()));
        sockets.path_of(datagram).is_some() || !is_own
    }

    /// Handles a received datagram: records a looped-back ping, a peer of another room, or a
    /// control packet of this room. Ignores multicast and broadcast on interfaces that are not
    /// selected.
    fn receive(&mut self, sockets: &Sockets, datagram: &Datagram) {
        let interface_path = self.arrival_path(sockets, datagram);
        if interface_path.is_none() && self.was_sent_to_many(sockets, datagram) {
            return;
        }
        if let Some(target) = self.sent_datagrams.get(&datagram.bytes).cloned() {
            return self.record_echo(&target, interface_path.as_ref());
        }
        self.other_rooms.record(&datagram.bytes, self.room);
        // Entries are ignored, so their signatures need no verification.
        let is_known = |peek| matches!(peek, UnverifiedPacket::Entry { .. });
        let opened = open(&datagram.bytes, self.room, self.me, is_known);
        if let Ok((Packet::Control { sender, control, .. }, _)) = opened {
            self.record_packet(sender.id, datagram.from, interface_path, control);
        }
    }

    /// Records that a ping of the probe came back. A ping to a path counts only if it arrived on
    /// the same path, `interface_path`. A ping to a host counts in any case.
    fn record_echo(&mut self, target: &Target, interface_path: Option<&InterfacePath>) {
        match target {
            Target::InterfacePath(sent) if Some(sent) == interface_path => {
                self.loopback_results.entry(sent.clone()).or_default().has_looped_back = true;
            }
            Target::Host(number) => {
                if let Some(host) = self.hosts.get_mut(*number) {
                    host.is_local = true;
                }
            }
            Target::InterfacePath(_) | Target::Peer => {}
        }
    }

    /// Records a verified heartbeat or pong of a peer of this room. Removes the peer at its bye.
    /// Ignores other packets.
    fn record_packet(
        &mut self,
        id: PeerId,
        from: SocketAddr,
        interface_path: Option<InterfacePath>,
        control: Control,
    ) {
        let ip = from.ip().to_canonical();
        let is_local = ip.is_loopback() || self.local_addresses.contains(&ip);
        match control {
            Control::Heartbeat(it) => {
                if let Some(peer) = self.peers.record(id, from, is_local) {
                    peer.name = Some(safe_line(&it.username));
                    peer.heard_on.extend(interface_path);
                }
            }
            Control::Pong(pong) => self.record_pong(id, from, is_local, pong),
            Control::Bye(_) => drop(self.peers.by_id.remove(&id)),
            _ => {}
        }
    }

    /// Records a peer's answer to a ping, if the cookie is one of this probe.
    fn record_pong(&mut self, id: PeerId, from: SocketAddr, is_local: bool, pong: Pong) {
        let Some(target) = self.pings_by_cookie.get(&pong.cookie.0) else { return };
        let Some(peer) = self.peers.record(id, from, is_local) else { return };
        match target {
            Target::InterfacePath(interface_path) => {
                peer.answered_on.insert(interface_path.clone());
            }
            Target::Peer => peer.answers_unicast = true,
            Target::Host(number) => {
                peer.answers_unicast = true;
                if let Some(host) = self.hosts.get_mut(*number) {
                    host.answering_peers.insert(id);
                }
            }
        }
    }
}
