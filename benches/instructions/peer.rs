//! Cases: a peer that receives messages of another one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pi_chat::mesh::{Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use pi_chat::model::{
    Event, Lamport, Moment, Path, PathSet, RoomClock, RoomName, Timestamp, Username,
};
use pi_chat::wire::udp::{
    Announce, Control, Cookie, Entry, EntryFields, Heartbeat, Identity, Nonce, Packet, Pong, Room,
    Sealer, Signer, open,
};

use super::{Case, TEXT, measured};

/// Number of messages that are received.
const TIMES: u32 = 20;

/// Returns the cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("datagram-open-entry", TIMES.into(), || receive(true)),
        Case::new("mesh-receive-entry", TIMES.into(), || receive(false)),
    ]
}

/// Signs a peer's entries with its identity.
struct Signing {
    /// The identity.
    identity: Arc<Identity>,
    /// The room.
    room: Arc<Room>,
}

impl Sign for Signing {
    fn signer(&self) -> Signer {
        self.identity.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.identity.sign_entry(&self.room, fields)
    }
}

/// A peer's engine, alone with another peer that is made by hand.
struct Pair {
    /// The engine.
    mesh: Mesh,
    /// The room.
    room: Arc<Room>,
    /// Identity of the engine's peer.
    own: Arc<Identity>,
    /// Identity of the other peer.
    other: Arc<Identity>,
    /// Builds the other peer's datagrams.
    sealer: Sealer,
    /// Time, in milliseconds.
    now: u64,
    /// Time of the next wake-up.
    wake: Option<Moment>,
    /// Cookies that were sent to the other peer and not answered.
    cookies: Vec<Cookie>,
    /// Number of messages that were shown.
    shown: u32,
}

/// Address of the other peer.
fn address() -> SocketAddr {
    SocketAddr::from(([10, 1, 0, 1], 9))
}

impl Pair {
    /// Creates a peer that has joined an empty room, and lets the other one in.
    fn new() -> Self {
        let room = Arc::new(Room::open(&RoomName::lobby()));
        let [own, other] = [1, 2].map(|it| Arc::new(Identity::new([it; 32], [it; 8])));
        let settings = Settings {
            username: Username::new("anna").unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask: false,
            secret: [7; 32],
        };
        let sign = Signing { identity: own.clone(), room: room.clone() };
        let start = Now { moment: Moment::START, time: Timestamp(0) };
        let mut pair = Self {
            mesh: Mesh::new(settings, Box::new(sign), start),
            sealer: Sealer::new(other.clone(), room.clone()),
            room,
            own,
            other,
            now: 0,
            wake: None,
            cookies: Vec::new(),
            shown: 0,
        };
        pair.collect();
        pair.advance(3_000);
        let nonce = Nonce([5; 8]);
        pair.receive_control(&Control::Announce(Announce::new(nonce, "bob".to_owned(), vec![])));
        pair.advance(150);
        assert!(!pair.cookies.is_empty(), "the other peer was sent no cookie");
        for cookie in std::mem::take(&mut pair.cookies) {
            pair.receive_control(&Control::Pong(Pong { cookie, heard: PathSet(1) }));
        }
        let clock = RoomClock(pair.now - 2_000);
        pair.receive_control(&Control::Heartbeat(Heartbeat {
            clock,
            since: clock,
            username: "bob".to_owned(),
            time: Timestamp(pair.now),
            members: 2,
            sequence: 0,
            page: vec![],
        }));
        pair
    }

    /// Returns the time.
    fn now(&self) -> Now {
        let moment = Moment::after_start(Duration::from_millis(self.now));
        Now { moment, time: Timestamp(self.now) }
    }

    /// Carries out what the engine wants.
    fn collect(&mut self) {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { addresses, packet: Outgoing::Control(control), .. } => {
                    let cookie = match control {
                        Control::Ping(it) => Some(it.cookie),
                        Control::Agree(it) => Some(it.cookie),
                        _ => None,
                    };
                    self.cookies.extend(cookie.filter(|_| addresses.contains(&address())));
                }
                Output::Event(Event::Message(_)) => self.shown += 1,
                Output::WakeAt(at) => self.wake = Some(at),
                _ => {}
            }
        }
    }

    /// Lets this many milliseconds pass.
    fn advance(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += 1;
            let now = self.now();
            if self.wake.take_if(|at| *at <= now.moment).is_some() {
                self.mesh.handle_input(now, Input::Wake);
                self.collect();
            }
        }
    }

    /// Opens a datagram of the other peer.
    fn open(&self, datagram: &[u8]) -> (Packet, usize) {
        open(datagram, &self.room, self.own.signer().id, |_| false).unwrap()
    }

    /// Passes a packet of the other peer, of this size, to the engine.
    fn receive(&mut self, packet: Packet, size: usize) {
        let (now, path) = (self.now(), Some(Path::GroupV4));
        self.mesh.handle_input(now, Input::Received { from: address(), path, size, packet });
        self.collect();
    }

    /// Receives a control packet of the other peer.
    fn receive_control(&mut self, control: &Control) {
        let datagram = self.sealer.control(control).unwrap();
        let (packet, size) = self.open(&datagram);
        self.receive(packet, size);
    }

    /// Returns the datagram of a message of the other peer.
    fn message(&mut self, sequence: u32) -> Vec<u8> {
        let fields = EntryFields {
            sequence,
            lamport: Lamport(sequence.into()),
            time: Timestamp(self.now),
            username: "bob".to_owned(),
            style: 0,
            text: TEXT.to_owned(),
        };
        let entry = self.other.sign_entry(&self.room, fields);
        self.sealer.entry(&entry).unwrap()
    }
}

/// Receives [`TIMES`] messages. Counts opening their datagrams, with the check of the signature, or
/// what the engine does with them.
fn receive(counts_open: bool) {
    let mut pair = Pair::new();
    for sequence in 1..=TIMES {
        pair.advance(200);
        let datagram = pair.message(sequence);
        let mut opened = None;
        let mut open = || opened = Some(pair.open(&datagram));
        if counts_open {
            measured(&mut open)
        } else {
            open()
        }
        let mut receive =
            || opened.take().map(|(packet, size)| pair.receive(packet, size)).unwrap();
        if counts_open { receive() } else { measured(&mut receive) }
    }
    pair.advance(1_000);
    assert_eq!(pair.shown, TIMES);
}
