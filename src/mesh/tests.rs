//! Tests of simulated rooms with several peers, in virtual time. Tests with many kinds of faults
//! are in `tests/sim_mesh`.

mod addresses;
mod amplification;
mod bench;
mod blocking;
mod crowds;
mod forged_agreements;
mod healing;
mod hostile;
mod leaving;
mod limits;
mod merges;
mod objections;
mod one_way;
mod order;
mod paths;
mod repair;
mod reports;
mod rivals;
mod seniority;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use crate::model::{
    ChatCommand, Command, Event, Moment, Path, PeerCommand, Request, RequestTag, RoomName,
    RoomSelector, Style, Timestamp, Username,
};
use crate::wire::udp::{Control, Entry, EntryFields, Packet, Signer};

/// Signer whose signatures are zeros.
struct NoSignature(Signer);

impl Sign for NoSignature {
    fn signer(&self) -> Signer {
        self.0
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        Entry::with_signature(self.0, fields, [0; 64])
    }
}

/// Simulated peer, with the outputs of its engine.
struct SimPeer {
    /// Engine of the peer.
    mesh: Mesh,
    /// Public identity of the peer: public key, incarnation and id.
    signer: Signer,
    /// Events that the peer has emitted, the oldest first.
    events: Vec<Event>,
    /// Result with which the peer ended; `None` while it runs.
    end: Option<End>,
    /// Time of the peer's next wake-up; `None` if none is requested.
    wake: Option<Moment>,
    /// Last packet counter used.
    counter: u64,
    /// Number of `pong` packets sent, copies not counted.
    pongs: usize,
    /// Number of datagrams sent to peers within reach, lost ones included. Each copy to each
    /// receiver counts.
    sent: usize,
    /// Network partition that the peer is in. Only peers of one partition hear each other.
    partition: u8,
    /// Network that the peer is in. Only peers of one network hear each other by the IPv4 group.
    network: u8,
    /// Last byte of the peer's IP address.
    host: u8,
    /// True while the peer's machine sleeps: packets wait in the socket, and wake-ups wait.
    sleeps: bool,
}

/// Simulated room of peers. Peers of one partition hear each other by unicast, and also by the IPv4
/// group if they are in one network. Each packet takes 1 ms, or up to `jitter` more.
struct SimRoom {
    /// Peers by number, ended ones included. The number is the last byte of a peer's first address.
    peers: BTreeMap<u8, SimPeer>,
    /// Virtual time in milliseconds.
    now: u64,
    /// Packets in flight: arrival time in milliseconds, sender, receiver, path (`None`: unicast),
    /// size (always 400) and packet.
    in_flight: Vec<(u64, u8, u8, Option<Path>, usize, Packet)>,
    /// Links on which all packets are lost, each as sender and receiver.
    blocked: BTreeSet<(u8, u8)>,
    /// Share of datagrams that are lost, in per cent.
    loss: u8,
    /// Maximum additional travel time of a packet, in milliseconds.
    jitter: u64,
    /// Seeded random generator that decides which datagrams are lost, and how long they take.
    dice: fastrand::Rng,
    /// Number of bytes that peers have sent by unicast to the address of [`STRANGER`].
    bytes_to_stranger: usize,
}

/// Number of a peer that the room does not run. Tests make its packets by hand.
const STRANGER: u8 = 99;

impl Default for SimRoom {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            now: 0,
            in_flight: Vec::new(),
            blocked: BTreeSet::new(),
            loss: 0,
            jitter: 0,
            dice: fastrand::Rng::with_seed(1),
            bytes_to_stranger: 0,
        }
    }
}

impl SimRoom {
    /// Returns the clock readings at the current virtual time.
    fn now(&self) -> Now {
        let moment = Moment::after_start(Duration::from_millis(self.now));
        Now { moment, time: Timestamp(1_000_000 + self.now) }
    }

    /// Returns the address 10.0.0.`number`, port 9, with which the peer of this number starts.
    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 9))
    }

    /// Starts a peer in partition 0 and network 0 that does not ask its user about newcomers.
    fn start(&mut self, number: u8, name: &str) {
        self.start_with(number, name, false);
    }

    /// Starts a peer in partition 0 and network 0. `ask`: true if it asks its user about newcomers.
    /// The peer's key follows from its number. Replaces a former peer of that number.
    fn start_with(&mut self, number: u8, name: &str, ask: bool) {
        self.start_as(number, name, ask, Signer::new([number; 32], [number; 8]));
    }

    /// Starts a peer in partition 0 and network 0 with this identity. `ask`: true if it asks its
    /// user about newcomers. Replaces a former peer of that number.
    fn start_as(&mut self, number: u8, name: &str, ask: bool, signer: Signer) {
        let settings = Settings {
            username: Username::new(name).unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask,
            secret: [number; 32],
        };
        let mesh = Mesh::new(settings, Box::new(NoSignature(signer)), self.now());
        let (events, end, wake, counter, sent, partition) = (Vec::new(), None, None, 0, 0, 0);
        let (pongs, network, host) = (0, 0, number);
        let peer = SimPeer {
            mesh,
            signer,
            events,
            end,
            wake,
            counter,
            pongs,
            sent,
            partition,
            network,
            host,
            sleeps: false,
        };
        self.peers.insert(number, peer);
        self.collect(number);
    }

    /// Carries out all outputs of a peer. Puts packets in flight to the addressed peers within
    /// reach, unless the packets are lost. Counts what the peer sends. Stores events, the next
    /// wake-up and the end.
    fn collect(&mut self, number: u8) {
        let others: Vec<_> = self
            .peers
            .iter()
            .filter(|(other, _)| **other != number)
            .map(|(other, it)| (*other, it.partition, it.network, it.host))
            .collect();
        let peer = self.peers.get_mut(&number).unwrap();
        while let Some(output) = peer.mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    peer.counter += 1;
                    if addresses.contains(&Self::address(STRANGER)) {
                        self.bytes_to_stranger += match &packet {
                            Outgoing::Control(control) => control.datagram_len(),
                            Outgoing::Entry(entry) => entry.datagram_len(),
                        };
                    }
                    let (packet, size) = match packet {
                        Outgoing::Control(control) => {
                            let is_pong = matches!(control, Control::Pong(_));
                            peer.pongs += usize::from(is_pong);
                            let (sender, counter) = (peer.signer, peer.counter);
                            (Packet::Control { sender, counter, control }, 400)
                        }
                        Outgoing::Entry(entry) => {
                            (Packet::Entry { sender: peer.signer.id, entry }, 400)
                        }
                    };
                    for (other, partition, network, host) in &others {
                        let is_reached = *partition == peer.partition
                            && !self.blocked.contains(&(number, *other));
                        let is_named = |it: &SocketAddr| it.ip() == Self::address(*host).ip();
                        let alone = addresses.iter().any(is_named);
                        let by_group = paths.has(Path::GroupV4) && *network == peer.network;
                        let copies = [(by_group, Some(Path::GroupV4)), (alone, None)];
                        for (_, path) in copies.into_iter().filter(|it| it.0 && is_reached) {
                            peer.sent += 1;
                            if self.dice.u8(0..100) >= self.loss {
                                let is_steady = self.jitter == 0;
                                let more =
                                    if is_steady { 0 } else { self.dice.u64(0..=self.jitter) };
                                let at = self.now + 1 + more;
                                self.in_flight.push((
                                    at,
                                    number,
                                    *other,
                                    path,
                                    size,
                                    packet.clone(),
                                ));
                            }
                        }
                    }
                }
                Output::Event(event) => peer.events.push(event),
                Output::WakeAt(at) => peer.wake = Some(at),
                Output::Finished(end) => peer.end = Some(end),
            }
        }
    }

    /// Advances the virtual time by a number of milliseconds. In each millisecond, first delivers
    /// the packets that are due, then the wake-ups. A peer that sleeps gets neither.
    fn advance(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += 1;
            let now = self.now();
            let (due, later) = std::mem::take(&mut self.in_flight)
                .into_iter()
                .partition(|it| it.0 <= self.now && !self.peers[&it.2].sleeps);
            self.in_flight = later;
            let due: Vec<_> = due;
            for (_, from, to, path, size, packet) in due {
                let from = Self::address(self.peers[&from].host);
                self.input(to, Input::Received { from, path, size, packet });
            }
            let waking: Vec<u8> = self
                .peers
                .iter()
                .filter(|(_, it)| !it.sleeps && it.wake.is_some_and(|at| at <= now.moment))
                .map(|(number, _)| *number)
                .collect();
            for number in waking {
                self.peers.get_mut(&number).unwrap().wake = None;
                self.input(number, Input::Wake);
            }
        }
    }

    /// Passes an input to a peer and carries out its outputs. Does nothing if there is no such
    /// peer, or it has ended.
    fn input(&mut self, number: u8, input: Input) {
        let now = self.now();
        if let Some(peer) = self.peers.get_mut(&number)
            && peer.end.is_none()
        {
            peer.mesh.handle_input(now, input);
            self.collect(number);
        }
    }

    /// Passes a request of the user to a peer, with the default tag.
    fn request(&mut self, number: u8, command: Command) {
        self.input(number, Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Has a peer send this message to its room.
    fn say(&mut self, number: u8, text: &str) {
        let text = text.to_owned();
        let task = ChatCommand::Say { room: RoomSelector::Only, style: Style::SAID, text };
        self.request(number, Command::Chat(task));
    }

    /// Returns the message texts that a peer has shown, in their order. If `history` is true, only
    /// texts of its history; otherwise only texts of new messages.
    fn texts(&self, number: u8, history: bool) -> Vec<&str> {
        let events = &self.peers[&number].events;
        events
            .iter()
            .filter_map(|it| match it {
                Event::Message(it) if it.history == history => Some(it.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns the current username of a peer.
    fn name(&self, number: u8) -> String {
        self.peers[&number].mesh.report(self.now())[0].name.clone()
    }

    /// Returns the sorted names in a peer's report: the members, itself included, and peers known
    /// through others only.
    fn names(&self, number: u8) -> Vec<String> {
        let report = self.peers[&number].mesh.report(self.now());
        let mut names: Vec<_> = report.into_iter().map(|it| it.name).collect();
        names.sort();
        names
    }
}

/// All three peers show all messages, in the same order.
#[test]
fn messages_of_three_peers_reach_everybody() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl")] {
        room.start(number, name);
        room.advance(3_000);
    }
    assert_eq!(room.names(1), ["anna", "bert", "carl"]);
    assert_eq!(room.names(3), ["anna", "bert", "carl"]);
    room.say(1, "one");
    room.advance(100);
    room.say(2, "two");
    room.advance(1_000);
    for number in 1..=3 {
        assert_eq!(room.texts(number, false), ["one", "two"], "{number}");
    }
}

/// Peers that start at the same moment all become members of one room.
#[test]
fn peers_that_start_at_once_find_each_other() {
    let mut room = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl"), (4, "dora")] {
        room.start(number, name);
    }
    room.advance(10_000);
    for number in 1..=4 {
        assert_eq!(room.names(number).len(), 4, "{number}");
    }
}

/// A candidate that wants a taken name is rejected, and learns the holder's name.
#[test]
fn taken_name_is_rejected_by_its_holder() {
    let mut room = SimRoom::default();
    room.start(1, "anna");
    room.advance(3_000);
    room.start(2, "bert");
    room.advance(3_000);
    room.start(3, "ANNA");
    room.advance(3_000);
    let end = room.peers[&3].end.clone();
    assert!(matches!(end, Some(End::Rejected { by, code: 201, .. }) if by == "anna"));
}

/// If two candidates announce the same name at the same moment, exactly one of them joins.
#[test]
fn one_of_two_rivals_is_rejected() {
    let mut room = SimRoom::default();
    room.start(1, "anna");
    room.start(2, "anna");
    room.advance(5_000);
    let ended = room.peers.values().filter(|it| it.end.is_some()).count();
    assert_eq!(ended, 1);
}

/// A newcomer gets the last ten messages as history, and later ones as they come.
#[test]
fn newcomer_gets_the_last_ten_messages() {
    let mut room = SimRoom::default();
    room.start(1, "anna");
    room.advance(3_000);
    room.start(2, "bert");
    room.advance(3_000);
    for number in 0..15 {
        room.say(1 + number % 2, &format!("m{number}"));
        room.advance(50);
    }
    room.advance(2_000);
    room.start(3, "carl");
    room.advance(5_000);
    let expected: Vec<String> = (5..15).map(|it| format!("m{it}")).collect();
    assert_eq!(room.texts(3, true), expected);
    assert!(room.texts(3, false).is_empty());
    room.say(1, "more");
    room.advance(1_000);
    assert_eq!(room.texts(3, false), ["more"]);
}

/// If the user denies a candidate, it is rejected. If the user is silent, the candidate joins.
#[test]
fn denial_rejects_and_silence_admits() {
    let mut room = SimRoom::default();
    room.start_with(1, "anna", true);
    room.advance(3_000);
    room.start(2, "bert");
    room.advance(3_000);
    let task = PeerCommand::Admit { name: "bert".to_owned(), is_welcome: false };
    room.request(1, Command::Peer(task));
    room.advance(100);
    assert!(matches!(room.peers[&2].end, Some(End::Rejected { code: 401, .. })));
    room.start(3, "carl");
    room.advance(8_000);
    assert_eq!(room.names(1), ["anna"]);
    room.advance(5_000);
    assert_eq!(room.names(1), ["anna", "carl"]);
}

/// When the two halves of a split room meet again, each peer gets all messages, and each name has
/// one holder.
#[test]
fn merge_gives_one_order_and_unique_names() {
    let mut room = SimRoom::default();
    room.start(1, "anna");
    room.advance(10_000);
    room.start(2, "anna2");
    room.advance(3_000);
    room.start(3, "bert");
    room.advance(3_000);
    room.peers.get_mut(&3).unwrap().partition = 1;
    room.advance(15_000);
    room.start(4, "anna");
    room.peers.get_mut(&4).unwrap().partition = 1;
    room.peers.get_mut(&4).unwrap().events.clear();
    room.advance(10_000);
    room.say(1, "left");
    room.say(4, "right");
    room.advance(3_000);
    room.peers.get_mut(&3).unwrap().partition = 0;
    room.peers.get_mut(&4).unwrap().partition = 0;
    room.advance(20_000);
    let names: Vec<String> = [1, 2, 3, 4].map(|it| room.name(it)).to_vec();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 4, "{names:?} {:?}", room.peers[&4].end);
    for number in [2, 3] {
        let mut texts = room.texts(number, false);
        texts.sort_unstable();
        assert_eq!(texts, ["left", "right"], "{number}");
    }
}

/// An idle room sends few datagrams besides its heartbeats.
#[test]
fn idle_room_sends_few_datagrams() {
    let mut room = SimRoom::default();
    for number in 1..=10 {
        room.start(number, &format!("peer{number}"));
        room.advance(500);
    }
    room.advance(20_000);
    let before: usize = room.peers.values().map(|it| it.sent).sum();
    room.advance(60_000);
    let after: usize = room.peers.values().map(|it| it.sent).sum();
    // Ten peers with a heartbeat every two seconds, and nine copies on this network.
    let heartbeats = (after - before) as f64 / 60.0 / 9.0 / 10.0;
    assert!(heartbeats < 0.6, "{heartbeats} a second");
    for number in 1..=10 {
        assert_eq!(room.names(number).len(), 10);
    }
}

/// A returning peer is pinged by few of the other 19 members. The first members that verify it list
/// it to the others.
#[test]
fn returning_peer_gets_few_pings() {
    let mut room = SimRoom::default();
    for number in 1..=20 {
        room.start(number, &format!("peer{number}"));
        room.advance(500);
    }
    room.advance(10_000);
    room.peers.get_mut(&20).unwrap().partition = 1;
    room.advance(20_000);
    assert_eq!(room.names(1).len(), 19);
    room.peers.get_mut(&20).unwrap().partition = 0;
    let before = room.peers[&20].pongs;
    room.advance(10_000);
    assert_eq!(room.names(1).len(), 20);
    assert_eq!(room.names(20).len(), 20);
    let pongs = room.peers[&20].pongs - before;
    assert!(pongs <= 12, "{pongs}");
}
