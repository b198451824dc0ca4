//! Rooms of several peers on a network without faults, in virtual time.
//! (With faults: `tests/sim_mesh.rs`.)

mod hostile;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use crate::model::{
    ChatCommand, Command, Event, Moment, Path, PeerCommand, Request, RequestTag, RoomName,
    RoomSelector, Style, Timestamp, Username,
};
use crate::wire::udp::{Control, Entry, EntryFields, Packet, Signer};

/// Signs with nothing.
struct NoSignature(Signer);

impl Sign for NoSignature {
    fn signer(&self) -> Signer {
        self.0
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        Entry::with_signature(self.0, fields, [0; 64])
    }
}

/// One peer of the world.
struct SimPeer {
    /// Its engine.
    mesh: Mesh,
    /// Who it is.
    signer: Signer,
    /// What it has shown.
    events: Vec<Event>,
    /// How it ended.
    end: Option<End>,
    /// When it wants to wake.
    wake: Option<Moment>,
    /// Its last counter.
    counter: u64,
    /// Pongs that it has sent.
    pongs: usize,
    /// Datagrams that it has sent.
    sent: usize,
    /// Which partition of the network it is in.
    partition: u8,
}

/// A room of peers that all receive the IPv4 group.
#[derive(Default)]
struct SimRoom {
    /// By the last byte of their addresses.
    members: BTreeMap<u8, SimPeer>,
    /// Milliseconds since the beginning.
    now: u64,
    /// On their way: when, to whom, what.
    in_flight: Vec<(u64, u8, u8, Option<Path>, usize, Packet)>,
}

impl SimRoom {
    /// What clocks show.
    fn now(&self) -> Now {
        let moment = Moment::after_start(Duration::from_millis(self.now));
        Now { moment, time: Timestamp(1_000_000 + self.now) }
    }

    /// Somebody's address.
    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 9))
    }

    /// Starts a peer.
    fn start(&mut self, number: u8, name: &str) {
        self.start_with(number, name, false);
    }

    /// Starts a peer that may ask its person.
    fn start_with(&mut self, number: u8, name: &str, ask: bool) {
        let signer = Signer::new([number; 32], [number; 8]);
        let settings = Settings {
            username: Username::new(name).unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask,
            secret: [number; 32],
        };
        let mesh = Mesh::new(settings, Box::new(NoSignature(signer)), self.now());
        let (events, end, wake, counter, sent, partition) = (Vec::new(), None, None, 0, 0, 0);
        let pongs = 0;
        let member = SimPeer { mesh, signer, events, end, wake, counter, pongs, sent, partition };
        self.members.insert(number, member);
        self.collect(number);
    }

    /// Does what a peer wants done.
    fn collect(&mut self, number: u8) {
        let partitions: BTreeMap<u8, u8> =
            self.members.iter().map(|(n, it)| (*n, it.partition)).collect();
        let member = self.members.get_mut(&number).unwrap();
        while let Some(output) = member.mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    member.counter += 1;
                    let (packet, size) = match packet {
                        Outgoing::Control(control) => {
                            let is_pong = matches!(control, Control::Pong(_));
                            member.pongs += usize::from(is_pong);
                            let (sender, counter) = (member.signer, member.counter);
                            (Packet::Control { sender, counter, control }, 400)
                        }
                        Outgoing::Entry(entry) => {
                            (Packet::Entry { sender: member.signer.id, entry }, 400)
                        }
                    };
                    for (other, partition) in &partitions {
                        let is_reached = *partition == member.partition && *other != number;
                        let alone = addresses.contains(&Self::address(*other));
                        let at = self.now + 1;
                        if is_reached && paths.has(Path::GroupV4) {
                            member.sent += 1;
                            let path = Some(Path::GroupV4);
                            self.in_flight.push((at, number, *other, path, size, packet.clone()));
                        }
                        if is_reached && alone {
                            member.sent += 1;
                            self.in_flight.push((at, number, *other, None, size, packet.clone()));
                        }
                    }
                }
                Output::Event(event) => member.events.push(event),
                Output::WakeAt(at) => member.wake = Some(at),
                Output::Finished(end) => member.end = Some(end),
            }
        }
    }

    /// Lets so many milliseconds advance.
    fn advance(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += 1;
            let now = self.now();
            let (due, later) =
                std::mem::take(&mut self.in_flight).into_iter().partition(|it| it.0 <= self.now);
            self.in_flight = later;
            let due: Vec<_> = due;
            for (_, from, to, path, size, packet) in due {
                let from = Self::address(from);
                self.input(to, Input::Received { from, path, size, packet });
            }
            let waking: Vec<u8> = self
                .members
                .iter()
                .filter(|(_, it)| it.wake.is_some_and(|at| at <= now.moment))
                .map(|(number, _)| *number)
                .collect();
            for number in waking {
                self.members.get_mut(&number).unwrap().wake = None;
                self.input(number, Input::Wake);
            }
        }
    }

    /// Gives a peer an input.
    fn input(&mut self, number: u8, input: Input) {
        let now = self.now();
        if let Some(member) = self.members.get_mut(&number)
            && member.end.is_none()
        {
            member.mesh.handle_input(now, input);
            self.collect(number);
        }
    }

    /// A peer's person wants something.
    fn request(&mut self, number: u8, command: Command) {
        self.input(number, Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// A peer's person says something.
    fn say(&mut self, number: u8, text: &str) {
        let text = text.to_owned();
        let task = ChatCommand::Say { room: RoomSelector::Only, style: Style::SAID, text };
        self.request(number, Command::Chat(task));
    }

    /// The texts that a peer has shown, those of the history or the others.
    fn texts(&self, number: u8, history: bool) -> Vec<&str> {
        let events = &self.members[&number].events;
        events
            .iter()
            .filter_map(|it| match it {
                Event::Message(it) if it.history == history => Some(it.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What a peer is called.
    fn name(&self, number: u8) -> String {
        self.members[&number].mesh.report(self.now())[0].name.clone()
    }

    /// Names that a peer knows, itself included.
    fn names(&self, number: u8) -> Vec<String> {
        let report = self.members[&number].mesh.report(self.now());
        let mut names: Vec<_> = report.into_iter().map(|it| it.name).collect();
        names.sort();
        names
    }
}

/// Three of them talk, and everybody sees everything, the author too.
#[test]
fn messages_of_three_peers_reach_everybody() {
    let mut world = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl")] {
        world.start(number, name);
        world.advance(3_000);
    }
    assert_eq!(world.names(1), ["anna", "bert", "carl"]);
    assert_eq!(world.names(3), ["anna", "bert", "carl"]);
    world.say(1, "one");
    world.advance(100);
    world.say(2, "two");
    world.advance(1_000);
    for number in 1..=3 {
        assert_eq!(world.texts(number, false), ["one", "two"], "{number}");
    }
}

/// All who start at one moment find each other.
#[test]
fn peers_that_start_at_once_find_each_other() {
    let mut world = SimRoom::default();
    for (number, name) in [(1, "anna"), (2, "bert"), (3, "carl"), (4, "dora")] {
        world.start(number, name);
    }
    world.advance(10_000);
    for number in 1..=4 {
        assert_eq!(world.names(number).len(), 4, "{number}");
    }
}

/// A taken name is refused, and one is told by whom.
#[test]
fn taken_name_is_rejected_by_its_holder() {
    let mut world = SimRoom::default();
    world.start(1, "anna");
    world.advance(3_000);
    world.start(2, "bert");
    world.advance(3_000);
    world.start(3, "ANNA");
    world.advance(3_000);
    let end = world.members[&3].end.clone();
    assert!(matches!(end, Some(End::Rejected { by, code: 201, .. }) if by == "anna"));
}

/// Of two that announce one name at one moment exactly one comes in.
#[test]
fn one_of_two_rivals_is_rejected() {
    let mut world = SimRoom::default();
    world.start(1, "anna");
    world.start(2, "anna");
    world.advance(5_000);
    let ended = world.members.values().filter(|it| it.end.is_some()).count();
    assert_eq!(ended, 1);
}

/// A newcomer gets the last ten, and goes on from there.
#[test]
fn newcomer_gets_the_last_ten_messages() {
    let mut world = SimRoom::default();
    world.start(1, "anna");
    world.advance(3_000);
    world.start(2, "bert");
    world.advance(3_000);
    for number in 0..15 {
        world.say(1 + number % 2, &format!("m{number}"));
        world.advance(50);
    }
    world.advance(2_000);
    world.start(3, "carl");
    world.advance(5_000);
    let expected: Vec<String> = (5..15).map(|it| format!("m{it}")).collect();
    assert_eq!(world.texts(3, true), expected);
    assert!(world.texts(3, false).is_empty());
    world.say(1, "more");
    world.advance(1_000);
    assert_eq!(world.texts(3, false), ["more"]);
}

/// A person's no is a veto, silence a yes.
#[test]
fn denial_rejects_and_silence_admits() {
    let mut world = SimRoom::default();
    world.start_with(1, "anna", true);
    world.advance(3_000);
    world.start(2, "bert");
    world.advance(3_000);
    let task = PeerCommand::Admit { name: "bert".to_owned(), is_welcome: false };
    world.request(1, Command::Peer(task));
    world.advance(100);
    assert!(matches!(world.members[&2].end, Some(End::Rejected { code: 401, .. })));
    world.start(3, "carl");
    world.advance(8_000);
    assert_eq!(world.names(1), ["anna"]);
    world.advance(5_000);
    assert_eq!(world.names(1), ["anna", "carl"]);
}

/// Two halves that meet: one order, one holder of each name.
#[test]
fn merge_gives_one_order_and_unique_names() {
    let mut world = SimRoom::default();
    world.start(1, "anna");
    world.advance(10_000);
    world.start(2, "anna2");
    world.advance(3_000);
    world.start(3, "bert");
    world.advance(3_000);
    world.members.get_mut(&3).unwrap().partition = 1;
    world.advance(15_000);
    world.start(4, "anna");
    world.members.get_mut(&4).unwrap().partition = 1;
    world.members.get_mut(&4).unwrap().events.clear();
    world.advance(10_000);
    world.say(1, "left");
    world.say(4, "right");
    world.advance(3_000);
    world.members.get_mut(&3).unwrap().partition = 0;
    world.members.get_mut(&4).unwrap().partition = 0;
    world.advance(20_000);
    let names: Vec<String> = [1, 2, 3, 4].map(|it| world.name(it)).to_vec();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 4, "{names:?} {:?}", world.members[&4].end);
    for number in [2, 3] {
        let mut texts = world.texts(number, false);
        texts.sort_unstable();
        assert_eq!(texts, ["left", "right"], "{number}");
    }
}

/// An idle room is idle_room_sends_few_datagrams.
#[test]
fn idle_room_sends_few_datagrams() {
    let mut world = SimRoom::default();
    for number in 1..=10 {
        world.start(number, &format!("peer{number}"));
        world.advance(500);
    }
    world.advance(20_000);
    let before: usize = world.members.values().map(|it| it.sent).sum();
    world.advance(60_000);
    let after: usize = world.members.values().map(|it| it.sent).sum();
    // Ten peers, a heartbeat each two seconds, nine copies on this network.
    let heartbeats = (after - before) as f64 / 60.0 / 9.0 / 10.0;
    assert!(heartbeats < 0.6, "{heartbeats} a second");
    for number in 1..=10 {
        assert_eq!(world.names(number).len(), 10);
    }
}

/// Somebody who comes back is not asked by everybody whether it is really
/// there: those who have asked first tell the others. (About √2n ask.)
#[test]
fn returning_peer_gets_few_pings() {
    let mut world = SimRoom::default();
    for number in 1..=20 {
        world.start(number, &format!("peer{number}"));
        world.advance(500);
    }
    world.advance(10_000);
    world.members.get_mut(&20).unwrap().partition = 1;
    world.advance(20_000);
    assert_eq!(world.names(1).len(), 19);
    world.members.get_mut(&20).unwrap().partition = 0;
    let before = world.members[&20].pongs;
    world.advance(10_000);
    assert_eq!(world.names(1).len(), 20);
    assert_eq!(world.names(20).len(), 20);
    let pongs = world.members[&20].pongs - before;
    assert!(pongs <= 12, "{pongs}");
}
