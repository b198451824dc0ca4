//! Fuzz harness: turns bytes into events of one peer: datagrams from anywhere, rightly signed ones
//! of malicious members, and time. After each step it checks the limits of memory, bytes sent and
//! wake-ups. Used by `tests/fuzz_mesh` and by `fuzz/`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pi_chat::mesh::{Input, Mesh, MeshStats, Now, Outgoing, Output, Settings, Sign};
use pi_chat::model::{
    ChatCommand, Command, Lamport, Moment, Path, PathSet, PeerId, Request, RequestTag, RoomClock,
    RoomName, RoomSelector, Style, Timestamp, Username,
};
use pi_chat::wire::udp::*;

/// Number of malicious members.
const ATTACKERS: usize = 3;
/// Number of IP addresses that send; more than there are attackers.
const ADDRESSES: u8 = 8;
/// Limits of remembered items: those of the protocol page, and the mesh's own where it has none.
const LIMITS: MeshStats = MeshStats {
    contacts: 4_096,
    heard: 512,
    members: 4_096,
    authors: 1_024,
    retained: 2_000,
    out_of_order: 2_048 + 1,
    holders: 1_024 * 16,
    held_back: 4_096,
    candidates: 256,
    recent_wants: 1_024,
    history: 256 + 10 + 10 + 18 * 60,
};
/// Number of bytes of a datagram's header.
const HEADER_LEN: usize = 23;
/// Number of bytes of a signature, with which a body ends.
const SIGNATURE_LEN: usize = 64;
/// Index of the first field in a body, after kind, public key and incarnation.
const FIRST_FIELD: usize = 1 + 32 + 8;
/// Number of kinds of packets, and 1: they are numbered from 1 on.
pub(crate) const KINDS: usize = 15;
/// Maximum number of outputs for one input: up to 64 requested entries, and some pings.
const MAX_OUTPUTS: usize = 600;
/// Maximum number of wake-ups in a virtual second.
const MAX_WAKES_PER_SECOND: usize = 200;
/// Number of bytes that an unverified address may get beyond what came from there: pings to
/// addresses that a member has named (section 19), and to silent peers.
const MAX_EXTRA_PING_BYTES: usize = 137;

/// Input bytes that are consumed to make decisions.
pub(crate) struct FuzzInput<'a>(&'a [u8]);

impl<'a> FuzzInput<'a> {
    /// Creates an input of these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns true if no byte is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Consumes one byte; returns 0 if none is left.
    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Consumes two bytes.
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Returns mostly a small number, sometimes one at the ends of the range.
    pub(crate) fn u32(&mut self) -> u32 {
        match self.u8() {
            byte @ 0..200 => u32::from(byte % 100),
            200..230 => u32::MAX - u32::from(self.u8()),
            _ => u32::from(self.u16()) << (self.u8() % 17),
        }
    }

    /// Returns mostly a small number, sometimes one at the ends of the range or near 2⁴⁸.
    pub(crate) fn u64(&mut self) -> u64 {
        match self.u8() {
            byte @ 0..160 => u64::from(byte % 100),
            160..200 => u64::MAX - u64::from(self.u8()),
            200..230 => (1 << 48) - 1 - u64::from(self.u8()),
            _ => u64::from(self.u32()) << (self.u8() % 33),
        }
    }

    /// Consumes up to `most` bytes.
    pub(crate) fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Signer of the peer's entries, with real signatures.
struct EntrySigner(Arc<Identity>, Arc<Room>);

impl Sign for EntrySigner {
    fn signer(&self) -> Signer {
        self.0.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.0.sign_entry(&self.1, fields)
    }
}

/// Malicious member.
struct Attacker {
    /// Identity that signs its entries.
    identity: Arc<Identity>,
    /// Sealer that makes its datagrams.
    sealer: Sealer,
    /// Address that it sends from when it wants answers.
    address: SocketAddr,
}

/// Traffic between the peer and one address.
#[derive(Default)]
struct AddressTraffic {
    /// Number of bytes that came from there.
    received: usize,
    /// Number of bytes sent there by unicast while it was not verified, without announces and
    /// pings.
    sent_unverified: usize,
    /// Number of pings sent there.
    pings: usize,
    /// True if a cookie may have come back from there.
    is_verified: bool,
    /// Cookies sent there and not answered yet.
    cookies: Vec<Cookie>,
}

/// Statistics of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunStats {
    /// Number of datagrams received.
    pub(crate) received: usize,
    /// Number of those that were opened.
    pub(crate) opened: usize,
    /// Number of mutated bodies with a valid signature that were opened, by kind.
    pub(crate) mutated_opened: [usize; KINDS],
    /// Number of mutated bodies that could not be decoded, by kind.
    pub(crate) mutated_malformed: [usize; KINDS],
    /// Number of wake-ups.
    pub(crate) wakes: usize,
    /// Number of outputs.
    pub(crate) outputs: usize,
    /// Peak of each count of remembered items.
    pub(crate) peak: MeshStats,
}

/// Test bench: the peer under test and its surroundings.
pub(crate) struct TestBench {
    /// Engine of the peer under test.
    mesh: Mesh,
    /// Room of the peer.
    room: Arc<Room>,
    /// Id of the peer.
    me: PeerId,
    /// Malicious members.
    attackers: Vec<Attacker>,
    /// Virtual time since the start.
    now: Duration,
    /// Time of the peer's next wake-up.
    wake: Option<Moment>,
    /// Current second, and the number of wake-ups in it.
    wakes: (u64, usize),
    /// Traffic by address.
    traffic: BTreeMap<SocketAddr, AddressTraffic>,
    /// Recent datagrams of attackers, to be replayed or mutated. At most 64.
    recorded: Vec<Vec<u8>>,
    /// Nonce of the peer's candidacy, once it was seen.
    nonce: Nonce,
    /// True if the mesh has finished.
    is_ended: bool,
    /// Statistics of this run.
    run_stats: RunStats,
}

/// Returns one of a few addresses.
fn some_address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number % ADDRESSES], 2_000 + u16::from(number / 128)))
}

/// Returns a username, sometimes one that another peer holds.
fn some_name(bytes: &mut FuzzInput<'_>) -> String {
    match bytes.u8() % 8 {
        0 => "anna".to_owned(),
        1 => "ANNA".to_owned(),
        2 => "bert".to_owned(),
        3 => String::new(),
        4 => "\u{430}nna".to_owned(),
        5 => "x".repeat(64),
        number => format!("liar-{number}"),
    }
}

impl TestBench {
    /// Creates a candidate and attackers that it has never heard.
    pub(crate) fn new(seed: u8) -> Self {
        let room = Arc::new(Room::open(&RoomName::lobby()));
        let own = Arc::new(Identity::new([seed; 32], [7; 8]));
        let me = own.signer().id;
        let settings = Settings {
            username: Username::new("anna").unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask: seed.is_multiple_of(4),
            secret: [seed; 32],
        };
        let now = Now { moment: Moment::START, time: Timestamp(1_000_000) };
        let mesh = Mesh::new(settings, Box::new(EntrySigner(own, room.clone())), now);
        let attackers = (0..ATTACKERS).map(|number| {
            let number = u8::try_from(number).unwrap();
            let identity = Arc::new(Identity::new([100 + number; 32], [number; 8]));
            let sealer = Sealer::new(identity.clone(), room.clone());
            Attacker { identity, sealer, address: some_address(number + 1) }
        });
        let mut bench = Self {
            mesh,
            attackers: attackers.collect(),
            room,
            me,
            now: Duration::ZERO,
            wake: None,
            wakes: (0, 0),
            traffic: BTreeMap::new(),
            recorded: Vec::new(),
            nonce: Nonce::default(),
            is_ended: false,
            run_stats: RunStats::default(),
        };
        bench.collect();
        bench
    }

    /// Returns the clock readings at the current virtual time.
    fn now(&self) -> Now {
        let millis = u64::try_from(self.now.as_millis()).unwrap();
        Now { moment: Moment::after_start(self.now), time: Timestamp(1_000_000 + millis) }
    }

    /// Runs steps until the input is used up or the mesh has finished.
    pub(crate) fn run(mut self, bytes: &mut FuzzInput<'_>) -> RunStats {
        while !bytes.is_empty() && !self.is_ended {
            self.step(bytes);
        }
        self.run_stats
    }

    /// Performs one step that the input chooses.
    fn step(&mut self, bytes: &mut FuzzInput<'_>) {
        match bytes.u8() % 16 {
            0 => self.advance(Duration::from_millis(u64::from(bytes.u16()) * 4)),
            1 => self.advance(Duration::from_millis(u64::from(bytes.u8()))),
            2 => self.receive_raw(bytes),
            3 => self.receive_replayed(bytes),
            4 => self.receive_mutated(bytes),
            5 => self.say(bytes),
            6 => self.answer_cookies(bytes),
            7 => self.suspend(bytes),
            8 | 9 => self.receive_entry(bytes),
            10 => self.join_attacker(bytes),
            11 => self.receive_mutated_body(bytes),
            _ => self.receive_control(bytes),
        }
    }

    /// Receives a datagram of raw input bytes, half of them with a valid start of the header.
    fn receive_raw(&mut self, bytes: &mut FuzzInput<'_>) {
        let from = some_address(bytes.u8());
        let len = usize::from(bytes.u16() % 1_300);
        let mut datagram = bytes.take(len).to_vec();
        if len % 2 == 0 && datagram.len() >= 9 {
            datagram[..5].copy_from_slice(b"PiC\x01\x00");
            datagram[5..9].copy_from_slice(&self.room.tag());
        }
        let _ = self.receive(from, None, &datagram);
    }

    /// Receives a recorded datagram again, from any address.
    fn receive_replayed(&mut self, bytes: &mut FuzzInput<'_>) {
        let (from, which) = (some_address(bytes.u8()), usize::from(bytes.u16()));
        if let Some(datagram) = self.recorded.get(which % self.recorded.len().max(1)).cloned() {
            let _ = self.receive(from, Some(Path::GroupV4), &datagram);
        }
    }

    /// Receives a recorded datagram with one byte changed.
    fn receive_mutated(&mut self, bytes: &mut FuzzInput<'_>) {
        let (from, which) = (some_address(bytes.u8()), usize::from(bytes.u16()));
        let recorded = self.recorded.get(which % self.recorded.len().max(1)).cloned();
        let Some(mut datagram) = recorded else { return };
        let at = usize::from(bytes.u16()) % datagram.len();
        datagram[at] ^= bytes.u8().max(1);
        let _ = self.receive(from, None, &datagram);
    }

    /// Receives the body of a recorded datagram with some bytes changed, removed or added, and
    /// perhaps of another kind, which an attacker has rightly signed. So it reaches the decoder of
    /// its kind and, if it can be decoded, the mesh.
    fn receive_mutated_body(&mut self, bytes: &mut FuzzInput<'_>) {
        let which = usize::from(bytes.u16()) % self.recorded.len().max(1);
        let Some(datagram) = self.recorded.get(which) else { return };
        let mut body = datagram[HEADER_LEN..datagram.len() - SIGNATURE_LEN].to_vec();
        let attacker = &mut self.attackers[usize::from(bytes.u8()) % ATTACKERS];
        let Signer { key, incarnation, .. } = attacker.identity.signer();
        body[1..FIRST_FIELD].copy_from_slice(&[&key[..], &incarnation].concat());
        match bytes.u8() {
            kind @ ..64 => body[0] = kind % 16,
            64..96 => body.truncate(FIRST_FIELD.max(body.len() - usize::from(bytes.u8() % 32))),
            96..128 => body.extend_from_slice(bytes.take(8)),
            _ => {}
        }
        let fields = body.len() - FIRST_FIELD;
        for _ in 0..bytes.u8() % 4 {
            if fields > 0 {
                body[FIRST_FIELD + usize::from(bytes.u16()) % fields] ^= bytes.u8();
            }
        }
        let (kind, from) = (usize::from(body[0]), attacker.address);
        let Some(datagram) = attacker.sealer.unchecked_body(&body) else { return };
        let path = Path::ALL.get(usize::from(bytes.u8()) % 6).copied();
        let outcome = self.receive(from, path, &datagram);
        let stats = &mut self.run_stats;
        let counts = match outcome {
            Ok(()) => &mut stats.mutated_opened,
            Err(DropReason::Malformed) => &mut stats.mutated_malformed,
            Err(_) => return,
        };
        if let Some(count) = counts.get_mut(kind) {
            *count += 1;
        }
    }

    /// Has the peer's user say something.
    fn say(&mut self, bytes: &mut FuzzInput<'_>) {
        let text = "x".repeat(usize::from(bytes.u16() % 1_100));
        let task = ChatCommand::Say { room: RoomSelector::Only, style: Style::SAID, text };
        let request = Request { tag: RequestTag::default(), command: Command::Chat(task) };
        self.input(Input::Request(request));
    }

    /// Has an attacker answer all cookies that went to its address.
    fn answer_cookies(&mut self, bytes: &mut FuzzInput<'_>) {
        let number = usize::from(bytes.u8()) % ATTACKERS;
        let from = self.attackers[number].address;
        let Some(traffic) = self.traffic.get_mut(&from) else { return };
        for cookie in std::mem::take(&mut traffic.cookies) {
            let pong = Control::Pong(Pong { cookie, heard: PathSet(bytes.u8()) });
            self.send(number, from, None, &pong);
        }
    }

    /// Sometimes lets hours pass without a wake-up, as if the machine were suspended.
    fn suspend(&mut self, bytes: &mut FuzzInput<'_>) {
        if bytes.u8() < 8 {
            self.now += Duration::from_secs(u64::from(bytes.u16()));
            self.advance(Duration::from_millis(1));
        }
    }

    /// Has an attacker join as an honest peer would.
    fn join_attacker(&mut self, bytes: &mut FuzzInput<'_>) {
        let number = usize::from(bytes.u8()) % ATTACKERS;
        let from = self.attackers[number].address;
        let announce = Announce::new(Nonce([9; 8]), format!("liar {number}"), vec![]);
        self.send(number, from, Some(Path::GroupV4), &Control::Announce(announce));
        let beat = Heartbeat {
            clock: RoomClock(0),
            since: RoomClock(0),
            username: format!("liar-{number}"),
            time: self.now().time,
            members: 1,
            sequence: 0,
            page: vec![],
        };
        self.advance(Duration::from_millis(110));
        self.answer_cookies(&mut FuzzInput::new(&[u8::try_from(number).unwrap()]));
        self.send(number, from, Some(Path::GroupV4), &Control::Heartbeat(beat));
    }

    /// Receives an entry of one attacker, sent by the same or another one.
    fn receive_entry(&mut self, bytes: &mut FuzzInput<'_>) {
        let (author, sender) =
            (usize::from(bytes.u8()) % ATTACKERS, usize::from(bytes.u8()) % ATTACKERS);
        let from = if bytes.u8() < 200 {
            self.attackers[sender].address
        } else {
            some_address(bytes.u8())
        };
        let fields = EntryFields {
            sequence: bytes.u32().max(1),
            lamport: Lamport(bytes.u64().clamp(1, (1 << 48) - 1)),
            time: Timestamp(bytes.u64().min((1 << 48) - 1)),
            username: "liar".to_owned(),
            style: bytes.u8(),
            text: "x".repeat(1 + usize::from(bytes.u8())),
        };
        let entry = self.attackers[author].identity.sign_entry(&self.room, fields);
        if let Some(datagram) = self.attackers[sender].sealer.entry(&entry) {
            self.record(&datagram);
            let _ = self.receive(from, Some(Path::GroupV4), &datagram);
        }
    }

    /// Receives a control packet of an attacker with arbitrary fields.
    fn receive_control(&mut self, bytes: &mut FuzzInput<'_>) {
        let number = usize::from(bytes.u8()) % ATTACKERS;
        let from = if bytes.u8() < 200 {
            self.attackers[number].address
        } else {
            some_address(bytes.u8())
        };
        let path = Path::ALL.get(usize::from(bytes.u8()) % 6).copied();
        let control = self.some_control(bytes);
        self.send(number, from, path, &control);
    }

    /// Returns a peer id: an attacker's, the peer's own, or one of many phantoms.
    fn some_id(&self, bytes: &mut FuzzInput<'_>) -> PeerId {
        match bytes.u8() {
            0..20 => self.me,
            byte @ 20..120 => self.attackers[usize::from(byte) % ATTACKERS].identity.signer().id,
            _ => PeerId(u64::from(bytes.u16()).to_be_bytes()),
        }
    }

    /// Returns a list of up to `most` items.
    fn some_list<T>(
        &self,
        bytes: &mut FuzzInput<'_>,
        most: u8,
        item: impl Fn(&Self, &mut FuzzInput<'_>) -> T,
    ) -> Vec<T> {
        let count = bytes.u8() % (most + 1);
        (0..count).map(|_| item(self, bytes)).collect()
    }

    /// Returns ranges of entries within the wire's limits.
    fn some_ranges(&self, bytes: &mut FuzzInput<'_>) -> Vec<EntryRange> {
        let mut left = 64_u32;
        let mut ranges = self.some_list(bytes, 32, |it, bytes| {
            let (author, first) = (it.some_id(bytes), bytes.u32().max(1));
            let last = first.saturating_add(u32::from(bytes.u8() % 64));
            EntryRange { author, first, last }
        });
        ranges.retain(|it| {
            let count = it.last - it.first + 1;
            let fits = count <= left;
            left -= if fits { count } else { 0 };
            fits
        });
        ranges
    }

    /// Returns an arbitrary control packet within the wire's limits.
    fn some_control(&self, bytes: &mut FuzzInput<'_>) -> Control {
        let nonce = |bytes: &mut FuzzInput<'_>| match bytes.u8() {
            0..50 => Nonce::default(),
            50..60 => Nonce([9; 8]),
            _ => self.nonce,
        };
        match bytes.u8() % 16 {
            0 => {
                let agreed = self.some_list(bytes, 8, Self::some_id);
                let nonce = Nonce([bytes.u8().max(1); 8]);
                Control::Announce(Announce::new(nonce, some_name(bytes), agreed))
            }
            1 => Control::Agree(Agree {
                nonce: nonce(bytes),
                cookie: Cookie([bytes.u8(); 8]),
                flags: bytes.u8(),
                heard: PathSet(bytes.u8()),
                clock: RoomClock(bytes.u64()),
                since: RoomClock(bytes.u64()),
                username: some_name(bytes),
                members: bytes.u32(),
                lamport: Lamport(bytes.u64().min((1 << 48) - 1)),
                time: Timestamp(bytes.u64()),
            }),
            2 => Control::Object(Object {
                // A matching nonce is rare, or each run would end with a rejection.
                nonce: if bytes.u8() == 0 { self.nonce } else { Nonce::default() },
                code: [201, 202, 400, 9][usize::from(bytes.u8() % 4)],
                by: some_name(bytes),
                username: some_name(bytes),
                holder: self.some_id(bytes),
                clock: RoomClock(bytes.u64()),
                since: RoomClock(bytes.u64()),
                text: some_name(bytes),
            }),
            3 => {
                Control::Ping(Ping { cookie: Cookie([bytes.u8(); 8]), heard: PathSet(bytes.u8()) })
            }
            4 => {
                Control::Pong(Pong { cookie: Cookie([bytes.u8(); 8]), heard: PathSet(bytes.u8()) })
            }
            5 | 6 => Control::Want(Want { ranges: self.some_ranges(bytes) }),
            7 => Control::Lost(Lost { ranges: self.some_ranges(bytes) }),
            8 => Control::Recall(Recall { nonce: nonce(bytes), page: bytes.u16() % 40 }),
            9 => Control::Recent(Recent {
                nonce: self.nonce,
                page: 0,
                pages: bytes.u16().max(1),
                entries: self.some_list(bytes, 10, |it, bytes| EntryId {
                    author: it.some_id(bytes),
                    sequence: bytes.u32(),
                }),
                marks: self.some_list(bytes, 60, |it, bytes| Mark {
                    author: it.some_id(bytes),
                    have: bytes.u32(),
                }),
            }),
            10 => Control::Where(Where { peers: self.some_list(bytes, 16, Self::some_id) }),
            11 => Control::Peers(Peers {
                peers: self.some_list(bytes, 16, |it, bytes| {
                    let mut octets = [0; 16];
                    octets[10..].copy_from_slice(&[255, 255, 10, 0, 0, bytes.u8() % ADDRESSES]);
                    PeerAddress { peer: it.some_id(bytes), address: octets, port: 2_000 }
                }),
            }),
            12 if bytes.u8() < 20 => Control::Bye(Bye {}),
            _ => Control::Heartbeat(Heartbeat {
                clock: RoomClock(bytes.u64()),
                since: RoomClock(bytes.u64()),
                username: some_name(bytes),
                time: Timestamp(bytes.u64()),
                members: bytes.u32(),
                sequence: bytes.u32(),
                page: self.some_list(bytes, 60, |it, bytes| PageItem {
                    author: it.some_id(bytes),
                    have: bytes.u32(),
                    ago: bytes.u8(),
                }),
            }),
        }
    }

    /// Sends a control packet of an attacker to the peer.
    fn send(&mut self, number: usize, from: SocketAddr, path: Option<Path>, control: &Control) {
        if let Some(datagram) = self.attackers[number].sealer.control(control) {
            self.record(&datagram);
            let _ = self.receive(from, path, &datagram);
        }
    }

    /// Records a datagram for replay.
    fn record(&mut self, datagram: &[u8]) {
        if self.recorded.len() >= 64 {
            self.recorded.remove(0);
        }
        self.recorded.push(datagram.to_vec());
    }

    /// Receives a datagram, as the real driver does: checks, opening, and input to the mesh.
    /// Returns why it was dropped before the mesh, if it was.
    fn receive(
        &mut self,
        from: SocketAddr,
        path: Option<Path>,
        datagram: &[u8],
    ) -> Result<(), DropReason> {
        self.run_stats.received += 1;
        let now = self.now().moment;
        let mesh = &self.mesh;
        let is_known = |peek| match peek {
            UnverifiedPacket::Entry { sender, author, sequence } => {
                !mesh.accepts_entries_from(sender, from) || mesh.is_known(author, sequence)
            }
            UnverifiedPacket::Control { sender, counter } => {
                mesh.is_replayed(now, sender, counter, path)
            }
        };
        let opened = open(datagram, &self.room, self.me, is_known);
        let traffic = self.traffic.entry(from).or_default();
        traffic.received += datagram.len();
        let (packet, size) = opened?;
        self.run_stats.opened += 1;
        if let Packet::Control { control: Control::Pong(_) | Control::Agree(_), .. } = &packet {
            // Only the mesh knows whether the cookie is right; assume that it is.
            traffic.is_verified = true;
        }
        self.input(Input::Received { from, path, size, packet });
        Ok(())
    }

    /// Passes an input to the mesh and checks its outputs.
    fn input(&mut self, input: Input) {
        if !self.is_ended {
            self.mesh.handle_input(self.now(), input);
            self.collect();
        }
    }

    /// Takes all outputs of the mesh and checks them.
    fn collect(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.mesh.poll_output() {
            outputs += 1;
            match output {
                Output::Send { addresses, packet, .. } => self.note_sent(&addresses, &packet),
                Output::WakeAt(at) => {
                    assert!(at > self.now().moment, "a wake in the past");
                    self.wake = Some(at);
                }
                Output::Event(_) => {}
                Output::Finished(_) => self.is_ended = true,
            }
        }
        self.run_stats.outputs += outputs;
        assert!(outputs <= MAX_OUTPUTS, "{outputs} outputs for one input");
        assert!(self.is_ended || self.wake.is_some(), "it would sleep for ever");
        self.check_memory();
    }

    /// Records a sent packet, and checks the limits for unverified addresses.
    fn note_sent(&mut self, addresses: &[SocketAddr], packet: &Outgoing) {
        let (len, cookie, is_ping) = match packet {
            Outgoing::Entry(entry) => (entry.datagram_len(), None, false),
            Outgoing::Control(control) => {
                let (cookie, is_ping) = match control {
                    Control::Ping(it) => (Some(it.cookie), true),
                    Control::Agree(it) => (Some(it.cookie), false),
                    Control::Announce(it) => {
                        self.nonce = it.nonce;
                        (None, false)
                    }
                    _ => (None, false),
                };
                (control.datagram_len(), cookie, is_ping)
            }
        };
        let is_announce = matches!(packet, Outgoing::Control(Control::Announce(_)));
        for to in addresses {
            let traffic = self.traffic.entry(*to).or_default();
            traffic.cookies.extend(cookie);
            traffic.pings += usize::from(is_ping);
            if traffic.is_verified || is_announce || is_ping {
                continue;
            }
            traffic.sent_unverified += len;
            let least = traffic.received + MAX_EXTRA_PING_BYTES;
            let large = matches!(
                packet,
                Outgoing::Entry(_)
                    | Outgoing::Control(
                        Control::Recent(_)
                            | Control::Lost(_)
                            | Control::Peers(_)
                            | Control::Heartbeat(_)
                            | Control::Where(_)
                    )
            );
            assert!(!large, "{packet:?} to {to}, which is not verified");
            assert!(
                traffic.sent_unverified <= least * 2,
                "{} bytes for {}",
                traffic.sent_unverified,
                least
            );
        }
    }

    /// Checks the limits of remembered items.
    fn check_memory(&mut self) {
        let (stats, most) = (self.mesh.stats(), &mut self.run_stats.peak);
        let pairs = |it: &MeshStats| {
            [
                it.contacts,
                it.heard,
                it.members,
                it.authors,
                it.retained,
                it.out_of_order,
                it.holders,
                it.held_back,
                it.candidates,
                it.recent_wants,
                it.history,
            ]
        };
        for (number, limit) in pairs(&stats).into_iter().zip(pairs(&LIMITS)) {
            assert!(number <= limit, "{stats:?}");
        }
        *most = MeshStats {
            contacts: most.contacts.max(stats.contacts),
            heard: most.heard.max(stats.heard),
            members: most.members.max(stats.members),
            authors: most.authors.max(stats.authors),
            retained: most.retained.max(stats.retained),
            out_of_order: most.out_of_order.max(stats.out_of_order),
            holders: most.holders.max(stats.holders),
            held_back: most.held_back.max(stats.held_back),
            candidates: most.candidates.max(stats.candidates),
            recent_wants: most.recent_wants.max(stats.recent_wants),
            history: most.history.max(stats.history),
        };
    }

    /// Advances the virtual time, and wakes the peer when it has asked for it.
    fn advance(&mut self, time: Duration) {
        let end = Moment::after_start(self.now + time);
        while let Some(at) = self.wake.filter(|at| *at <= end && !self.is_ended) {
            self.now = self.now.max(at.since_start());
            self.wake = None;
            self.run_stats.wakes += 1;
            let second = self.now.as_secs();
            self.wakes =
                if self.wakes.0 == second { (second, self.wakes.1 + 1) } else { (second, 1) };
            assert!(
                self.wakes.1 <= MAX_WAKES_PER_SECOND,
                "woken {} times in a second",
                self.wakes.1
            );
            self.input(Input::Wake);
        }
        self.now = self.now.max(end.since_start());
    }
}
