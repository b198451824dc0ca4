//! Network probe: sends pings on each path, to each peer heard, and to each named host. Records the
//! results. The probe has an identity of its own and joins no room. On interfaces that are not
//! selected it only listens.
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

use super::found_peers::InterfacePath;
use super::loss::{Loss, MAX_MEASURED_MEMBERS};
use super::observations::{Observations, SendError, Silence};
use crate::model::{Path, PathSet, PeerId};
use crate::os::random_bytes;
use crate::peer::interfaces::Interfaces;
use crate::peer::sockets::{Datagram, Sockets, Source};
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

/// Further time to wait for pongs if a peer has answered a unicast ping and not a later one: a busy
/// machine may answer late.
const LATE_WAIT: Duration = Duration::from_secs(2);

/// Time between two unicast pings that measure the loss of a peer.
const PING_INTERVAL: Duration = Duration::from_millis(300);

/// Number of [`PING_INTERVAL`]s between two rounds of pings to all.
const TICKS_PER_ROUND: u32 = 2;

/// Number of rounds of pings on each path, and to each named host that has not answered. One ping
/// is not enough, because it may be lost, and in a large room many peers answer each.
const PING_ROUNDS: u32 = 8;

/// Number of the first rounds whose pings are padded for a large room.
const LARGE_ROUNDS: u32 = 3;

/// Size of a ping on a path in the first rounds, and in every round if the room is large, in bytes.
/// It is padded so that up to 17 peers answer each.
const LARGE_PING: usize = 1_200;

/// Size of any other ping on a path, in bytes. It is padded so that up to 8 peers answer each.
const SMALL_PING: usize = 600;

/// Rounds in which a path that nobody has answered yet gets a ping from the shared socket too. A
/// firewall may let in only what comes to the room's port.
const SHARED_ROUNDS: [u32; 2] = [2, 5];

/// Maximum number of peers heard on an interface that is not selected. Further ones are ignored.
const MAX_HEARD_PEERS: usize = 1_000;

/// Target of a ping.
#[derive(Clone, Debug)]
enum Target {
    /// All peers that this path reaches. Sent in this round from the own socket; `None`: sent from
    /// the shared socket.
    InterfacePath(InterfacePath, Option<u32>),
    /// Named host, by its index in [`Observations::hosts`].
    Host(usize),
    /// Single peer that was found. The ping, with this number, is sent by unicast to this address.
    Peer(PeerId, SocketAddr, u32),
}

/// State and results of the network probe.
pub(super) struct Probe<'a> {
    /// Room whose peers are looked for.
    room: &'a Room,
    /// Selected network interfaces.
    interfaces: &'a Interfaces,
    /// Network interfaces that are up and not selected.
    other_interfaces: &'a Interfaces,
    /// All IP addresses of this machine.
    local_addresses: &'a BTreeSet<IpAddr>,
    /// Signs and encrypts the pings.
    sealer: Sealer,
    /// Target of each ping, by the ping's cookie. A pong repeats the cookie.
    pings_by_cookie: BTreeMap<[u8; 8], Target>,
    /// Target of each ping to a path or named host, by the bytes of its datagram. A ping that loops
    /// back is recognized by its bytes.
    sent_datagrams: BTreeMap<Vec<u8>, Target>,
    /// Number of rounds of pings sent.
    rounds: u32,
    /// Results.
    pub(super) results: Observations,
}

impl<'a> Probe<'a> {
    /// Creates a probe with a new identity. It adds to `results`.
    ///
    /// # Errors
    /// The operating system's random source fails.
    pub(super) fn new(
        room: &'a Room,
        interfaces: &'a Interfaces,
        other_interfaces: &'a Interfaces,
        local_addresses: &'a BTreeSet<IpAddr>,
        results: Observations,
    ) -> Result<Self, getrandom::Error> {
        let identity = Identity::new(random_bytes()?, random_bytes()?);
        Ok(Self {
            room,
            interfaces,
            other_interfaces,
            local_addresses,
            sealer: Sealer::new(Arc::new(identity), Arc::new(room.clone())),
            pings_by_cookie: BTreeMap::new(),
            sent_datagrams: BTreeMap::new(),
            rounds: 0,
            results,
        })
    }

    /// Sends the pings and records what arrives, for [`LISTEN_TIME`] or [`LONG_LISTEN_TIME`]. Then
    /// waits [`FINAL_WAIT`] for the last answers, and [`LATE_WAIT`] more if a peer has answered a
    /// unicast ping and not a later one. In both waits, adds no peer of the room, and pings none.
    /// At the end computes the loss, the duration, and whether silence is conclusive.
    ///
    /// # Errors
    /// The operating system's random source fails.
    pub(super) async fn run(
        &mut self,
        sockets: &Sockets,
        incoming: &mut mpsc::Receiver<io::Result<Datagram>>,
    ) -> Result<(), getrandom::Error> {
        let mut listen_time = LISTEN_TIME;
        let mut final_wait = FINAL_WAIT;
        let mut end = Instant::now() + listen_time;
        let mut ticks = interval(PING_INTERVAL);
        let mut tick = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let is_new_round = tick % TICKS_PER_ROUND == 0;
                    if is_new_round && self.rounds < PING_ROUNDS {
                        self.ping_all_paths(sockets).await?;
                        self.ping_hosts(sockets).await?;
                        self.rounds += 1;
                    }
                    self.ping_peers(sockets, is_new_round).await?;
                    tick += 1;
                }
                came = timeout_at(end, incoming.recv()) => match came {
                    Ok(Some(Ok(datagram))) => self.receive(sockets, &datagram),
                    Ok(Some(Err(_))) => {}
                    Ok(None) => break,
                    Err(_) if !self.results.peers.is_frozen => {
                        if listen_time == LISTEN_TIME && self.needs_long_listen_time() {
                            end += LONG_LISTEN_TIME - LISTEN_TIME;
                            listen_time = LONG_LISTEN_TIME;
                        } else {
                            self.results.peers.is_frozen = true;
                            end += FINAL_WAIT;
                        }
                    }
                    Err(_) if final_wait == FINAL_WAIT && self.results.peers.awaits_answers() => {
                        end += LATE_WAIT;
                        final_wait += LATE_WAIT;
                    }
                    Err(_) => break,
                },
            }
        }
        self.results.loss = Loss::of(&self.results.peers, self.rounds);
        self.results.duration_seconds = (listen_time + final_wait).as_secs();
        self.results.is_conclusive = listen_time >= LONG_LISTEN_TIME;
        Ok(())
    }

    /// Returns true if longer listening may give further results: a peer answers but has sent no
    /// heartbeat, or there are peers on other machines and no multicast group works in both
    /// directions yet.
    fn needs_long_listen_time(&self) -> bool {
        let peers = &self.results.peers;
        let has_nameless = peers.by_id.values().any(|it| it.name.is_none());
        has_nameless || peers.has_remote_peer() && !peers.has_two_way_group()
    }

    /// Builds the datagram of a ping with a new cookie, of at least `size` bytes before sealing.
    /// Remembers its target, to recognize a pong or the looped-back ping.
    ///
    /// # Errors
    /// The operating system's random source fails.
    fn build_ping(&mut self, target: Target, size: usize) -> Result<Vec<u8>, getrandom::Error> {
        let cookie = random_bytes()?;
        let ping = Ping { cookie: Cookie(cookie), heard: PathSet::NONE.with(Path::GroupV4) };
        let bytes = self.sealer.padded_control(&Control::Ping(ping), size).unwrap_or_default();
        self.pings_by_cookie.insert(cookie, target.clone());
        if !matches!(target, Target::Peer(..)) {
            self.sent_datagrams.insert(bytes.clone(), target);
        }
        Ok(bytes)
    }

    /// Sends a ping on each path of each selected interface; in the [`SHARED_ROUNDS`], also one
    /// from the shared socket on a path that nobody has answered. Records send errors of the own
    /// socket.
    async fn ping_all_paths(&mut self, sockets: &Sockets) -> Result<(), getrandom::Error> {
        // A ping to many is answered by as many peers as twice its size allows.
        let is_large_room = self.results.peers.by_id.len() > MAX_MEASURED_MEMBERS;
        let is_large = self.rounds < LARGE_ROUNDS || is_large_room;
        let size = if is_large { LARGE_PING } else { SMALL_PING };
        let interfaces = self.interfaces;
        for (name, interface) in interfaces {
            for path in Path::ALL {
                let interface_path = InterfacePath { interface: name.clone(), path };
                if SHARED_ROUNDS.contains(&self.rounds) && !self.is_answered(&interface_path) {
                    let target = Target::InterfacePath(interface_path.clone(), None);
                    let bytes = self.build_ping(target, size)?;
                    sockets.send_on(path, interface, &bytes, Source::Shared).await;
                }
                let target = Target::InterfacePath(interface_path.clone(), Some(self.rounds));
                let bytes = self.build_ping(target, size)?;
                let outcomes = sockets.send_on(path, interface, &bytes, Source::Own).await;
                if outcomes.is_empty() {
                    continue;
                }
                let error = outcomes.into_iter().find_map(Result::err);
                self.results.loopback_results.entry(interface_path).or_default().error =
                    error.as_ref().map(SendError::from);
            }
        }
        Ok(())
    }

    /// Returns true if a peer has answered a ping on this path.
    fn is_answered(&self, interface_path: &InterfacePath) -> bool {
        self.results.peers.by_id.values().any(|it| it.answered_on.contains(interface_path))
    }

    /// Pings all addresses of each named host at which no peer has answered yet. If sending fails
    /// to all addresses of a host, records the error.
    async fn ping_hosts(&mut self, sockets: &Sockets) -> Result<(), getrandom::Error> {
        for number in 0..self.results.hosts.len() {
            let host = self.results.hosts.get(number).filter(|it| it.answering_peers.is_empty());
            let addresses = host.map(|it| it.addresses.clone()).unwrap_or_default();
            let mut errors = Vec::new();
            for address in &addresses {
                let bytes = self.build_ping(Target::Host(number), 0)?;
                let sent = sockets.send(&bytes, PathSet::NONE, &[*address], |_| true).await;
                errors.extend(sent.failed.first().map(|(_, error)| SendError::from(error)));
            }
            if errors.len() == addresses.len()
                && let Some((error, host)) = errors.pop().zip(self.results.hosts.get_mut(number))
            {
                host.explain(Silence::SendFailed(error));
            }
        }
        Ok(())
    }

    /// Pings found peers by unicast, up to the limits for each peer and address.
    async fn ping_peers(
        &mut self,
        sockets: &Sockets,
        is_new_round: bool,
    ) -> Result<(), getrandom::Error> {
        for (id, address, number) in self.results.peers.take_next_pings(is_new_round) {
            let bytes = self.build_ping(Target::Peer(id, address, number), 0)?;
            sockets.send(&bytes, PathSet::NONE, &[address], |_| true).await;
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
    /// control packet of this room. Of multicast and broadcast on interfaces that are not selected,
    /// records only who was heard.
    fn receive(&mut self, sockets: &Sockets, datagram: &Datagram) {
        let interface_path = self.arrival_path(sockets, datagram);
        if interface_path.is_none() && self.was_sent_to_many(sockets, datagram) {
            return self.receive_on_other_interface(datagram);
        }
        if let Some(target) = self.sent_datagrams.get(&datagram.bytes).cloned() {
            return self.record_echo(&target, interface_path.as_ref());
        }
        self.results.other_rooms.record(&datagram.bytes, self.room);
        if let Some((id, control)) = open_control(&datagram.bytes, self.room) {
            self.record_packet(id, datagram.from, interface_path, control);
        }
    }

    /// Records the peer of a heartbeat that came by multicast or broadcast on an interface that is
    /// not selected, at most [`MAX_HEARD_PEERS`] for each. Ignores everything else.
    fn receive_on_other_interface(&mut self, datagram: &Datagram) {
        let mut all = self.other_interfaces.iter();
        let Some((name, _)) = all.find(|(_, it)| Some(it.index) == datagram.interface) else {
            return;
        };
        if let Some((id, Control::Heartbeat(_))) = open_control(&datagram.bytes, self.room)
            && let Some(interface) = self.results.other_interfaces.get_mut(name)
            && interface.heard_peers.len() < MAX_HEARD_PEERS
        {
            interface.heard_peers.insert(id);
        }
    }

    /// Records that a ping of the probe came back. A ping to a path counts only if it arrived on
    /// the same path, `interface_path`. A ping to a host counts in any case: it shows that the host
    /// is this machine.
    fn record_echo(&mut self, target: &Target, interface_path: Option<&InterfacePath>) {
        match target {
            Target::InterfacePath(sent, _) if Some(sent) == interface_path => {
                self.results.loopback_results.entry(sent.clone()).or_default().has_looped_back =
                    true;
            }
            Target::Host(number) => {
                if let Some(host) = self.results.hosts.get_mut(*number) {
                    host.silence = Silence::ThisMachine;
                }
            }
            Target::InterfacePath(..) | Target::Peer(..) => {}
        }
    }

    /// Records a verified heartbeat or pong of a peer of this room; a new peer only as long as the
    /// set of found peers is not frozen or full. Removes the peer at its bye. Ignores other
    /// packets.
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
                let peers = &mut self.results.peers;
                peers.stated_members =
                    peers.stated_members.max(usize::try_from(it.members).unwrap_or(usize::MAX));
                if let Some(peer) = peers.record(id, from, is_local) {
                    peer.name = Some(safe_line(&it.username));
                    peer.heard_on.extend(interface_path);
                }
            }
            Control::Pong(pong) => self.record_pong(id, from, is_local, pong),
            Control::Bye(_) => drop(self.results.peers.by_id.remove(&id)),
            _ => {}
        }
    }

    /// Records a peer's answer to a ping, if the cookie is one of this probe.
    fn record_pong(&mut self, id: PeerId, from: SocketAddr, is_local: bool, pong: Pong) {
        let Some(target) = self.pings_by_cookie.get(&pong.cookie.0) else { return };
        let Some(peer) = self.results.peers.record(id, from, is_local) else { return };
        match target {
            Target::InterfacePath(interface_path, round) => {
                peer.record_path_answer(interface_path, *round);
            }
            Target::Peer(pinged, address, number) if *pinged == id => {
                peer.record_unicast_answer(*address, *number);
            }
            Target::Peer(..) => {}
            Target::Host(number) => {
                peer.answers_unicast = true;
                if let Some(host) = self.results.hosts.get_mut(*number) {
                    host.answering_peers.insert(id);
                }
            }
        }
    }
}

/// Verifies and decrypts a control packet of a room. Returns it with the id of its sender. `None`
/// if the bytes are no valid control packet of the room. Replays are not recognised.
pub(super) fn open_control(bytes: &[u8], room: &Room) -> Option<(PeerId, Control)> {
    // Entries are ignored, so their signatures need no verification. Own packets are harmless:
    // pings of the probe that come back are recognized before.
    let is_known = |peek| matches!(peek, UnverifiedPacket::Entry { .. });
    match open(bytes, room, PeerId([0; 8]), is_known) {
        Ok((Packet::Control { sender, control, .. }, _)) => Some((sender.id, control)),
        _ => None,
    }
}
