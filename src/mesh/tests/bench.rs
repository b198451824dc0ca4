//! Test bench: one peer's engine that faces fake peers, whose packets the tests make by hand.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::NoSignature;
use crate::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings};
use crate::model::{
    Event, Lamport, Moment, Path, PathSet, RoomClock, RoomName, Timestamp, Username,
};
use crate::wire::udp::*;

/// Fake peer whose packets the test makes by hand: an attacker or an honest peer.
pub(super) struct FakePeer {
    /// Identity of the peer.
    pub(super) signer: Signer,
    /// Address that the peer sends from.
    pub(super) address: SocketAddr,
    /// Last packet counter used.
    pub(super) counter: u64,
}

impl FakePeer {
    /// Creates a fake peer. Its key and its address, 10.1.x.y with port 9, follow from `number`.
    pub(super) fn new(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        let mut key = [0; 32];
        key[..3].copy_from_slice(&[1, high, low]);
        let signer = Signer::new(key, [9; 8]);
        Self { signer, address: SocketAddr::from(([10, 1, high, low], 9)), counter: 0 }
    }

    /// Returns the same peer with another address. Several fake peers may share an address.
    pub(super) fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Returns the username that the `agree`s of this peer state ([`agree_from`]).
    pub(super) fn name(&self) -> String {
        format!("member-{}", self.address).replace([':', '[', ']'], "-")
    }

    /// Returns an entry of this peer's own log, with the username "liar", the sequence as its text,
    /// and a signature of zeros.
    pub(super) fn entry(&self, sequence: u32, lamport: u64) -> Arc<Entry> {
        let fields = EntryFields {
            sequence,
            lamport: Lamport(lamport),
            time: Timestamp(0),
            username: "liar".to_owned(),
            style: 0,
            text: format!("{sequence}"),
        };
        Arc::new(Entry::with_signature(self.signer, fields, [0; 64]))
    }
}

/// Packet sent by the peer under test.
#[derive(Debug)]
pub(super) struct Sent {
    /// Multicast or broadcast paths that the packet was sent by.
    pub(super) paths: PathSet,
    /// Unicast addresses that the packet was sent to.
    pub(super) addresses: Vec<SocketAddr>,
    /// Packet without its destinations.
    pub(super) packet: Outgoing,
}

/// Test bench: the engine of the peer under test, and its outputs.
pub(super) struct TestBench {
    /// Engine of the peer under test.
    pub(super) mesh: Mesh,
    /// Virtual time in milliseconds.
    pub(super) now: u64,
    /// Time of the engine's next wake-up; `None` if none is requested.
    pub(super) wake: Option<Moment>,
    /// Number of wake-ups delivered so far.
    pub(super) wakes: usize,
    /// Packets that the engine has sent, the oldest first. Tests may clear the list.
    pub(super) sent: Vec<Sent>,
    /// Events that the engine has emitted, the oldest first.
    pub(super) events: Vec<Event>,
    /// Result with which the engine ended; `None` while it runs.
    pub(super) end: Option<End>,
}

/// Time within which a candidate joins an empty room, in milliseconds of virtual time.
pub(super) const JOIN_TIME_MS: u64 = 3_000;

impl TestBench {
    /// Creates a bench at time 0. Its peer "anna" is a candidate and does not ask its user about
    /// newcomers.
    pub(super) fn candidate() -> Self {
        let settings = Settings {
            username: Username::new("anna").unwrap(),
            room: RoomName::lobby(),
            is_closed: false,
            ask: false,
            secret: [7; 32],
        };
        let signer = Signer::new([200; 32], [200; 8]);
        let now = Now { moment: Moment::START, time: Timestamp(0) };
        let mesh = Mesh::new(settings, Box::new(NoSignature(signer)), now);
        let (sent, events) = (Vec::new(), Vec::new());
        let mut bench = Self { mesh, now: 0, wake: None, wakes: 0, sent, events, end: None };
        bench.collect();
        bench
    }

    /// Creates a bench whose peer "anna" is the only member of its room. Its list of sent packets
    /// is empty.
    pub(super) fn alone() -> Self {
        let mut bench = Self::candidate();
        bench.advance(JOIN_TIME_MS);
        bench.sent.clear();
        bench
    }

    /// Returns the clock readings at the current virtual time.
    pub(super) fn now(&self) -> Now {
        let moment = Moment::after_start(Duration::from_millis(self.now));
        Now { moment, time: Timestamp(self.now) }
    }

    /// Returns the clock of a room that the peer under test has started: the time since the peer
    /// joined, at 2 s. 0 before.
    pub(super) fn clock(&self) -> RoomClock {
        RoomClock(self.now.saturating_sub(2_000))
    }

    /// Stores all pending outputs of the peer under test. Asserts that there are none after its
    /// end.
    pub(super) fn collect(&mut self) {
        while let Some(output) = self.mesh.poll_output() {
            assert!(self.end.is_none(), "{output:?} after the end");
            match output {
                Output::Send { paths, addresses, packet } => {
                    self.sent.push(Sent { paths, addresses, packet });
                }
                Output::Event(event) => self.events.push(event),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Finished(end) => self.end = Some(end),
            }
        }
    }

    /// Passes an input to the peer under test and stores its outputs.
    pub(super) fn input(&mut self, input: Input) {
        self.mesh.handle_input(self.now(), input);
        self.collect();
    }

    /// Advances the virtual time by a number of milliseconds. Delivers each wake-up that the peer
    /// under test has requested at its time.
    pub(super) fn advance(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += 1;
            if self
                .wake
                .take_if(|at| *at <= Moment::after_start(Duration::from_millis(self.now)))
                .is_some()
            {
                self.wakes += 1;
                self.input(Input::Wake);
            }
        }
    }

    /// Delivers a control packet of a fake peer to the peer under test, by the IPv4 group. The
    /// packet has the fake peer's next counter and its real size.
    pub(super) fn receive(&mut self, who: &mut FakePeer, control: Control) {
        self.receive_by(Some(Path::GroupV4), who, control);
    }

    /// Delivers a control packet of a fake peer to the peer under test, by `path`; `None`: by
    /// unicast. The packet has the fake peer's next counter and its real size.
    pub(super) fn receive_by(&mut self, path: Option<Path>, who: &mut FakePeer, control: Control) {
        who.counter += 1;
        let (sender, counter, size) = (who.signer, who.counter, control.datagram_len());
        let packet = Packet::Control { sender, counter, control };
        self.input(Input::Received { from: who.address, path, size, packet });
    }

    /// Delivers an entry to the peer under test, sent by a fake peer by the IPv4 group.
    pub(super) fn receive_entry(&mut self, who: &FakePeer, entry: Arc<Entry>) {
        let (size, packet) = (entry.datagram_len(), Packet::Entry { sender: who.signer.id, entry });
        self.input(Input::Received { from: who.address, path: Some(Path::GroupV4), size, packet });
    }

    /// Delivers a heartbeat of a fake peer with this name, last sequence and page. The heartbeat
    /// states 2 members, the right room clock, and that the sender has joined just now.
    pub(super) fn receive_heartbeat(
        &mut self,
        who: &mut FakePeer,
        name: &str,
        sequence: u32,
        page: Vec<PageItem>,
    ) {
        let beat = self.heartbeat(name, sequence, page);
        self.receive(who, beat);
    }

    /// Returns a heartbeat with this name, last sequence and page. It states 2 members, the right
    /// room clock, and that the sender has joined just now.
    pub(super) fn heartbeat(&self, name: &str, sequence: u32, page: Vec<PageItem>) -> Control {
        let (clock, time) = (self.clock(), Timestamp(self.now));
        let (username, since) = (name.to_owned(), clock);
        let beat = Heartbeat { clock, since, username, time, members: 2, sequence, page };
        Control::Heartbeat(beat)
    }

    /// Answers each `ping` and `agree` that was sent to the fake peer's address with a `pong`, by
    /// the IPv4 group. `since`: index in `sent` from which on packets are answered. Returns true if
    /// there were any.
    pub(super) fn answer_cookies(&mut self, who: &mut FakePeer, since: usize) -> bool {
        self.answer_cookies_by(Some(Path::GroupV4), who, since)
    }

    /// Answers like [`Self::answer_cookies`], by `path`; `None`: by unicast.
    pub(super) fn answer_cookies_by(
        &mut self,
        path: Option<Path>,
        who: &mut FakePeer,
        since: usize,
    ) -> bool {
        let cookies: Vec<Cookie> = self.sent[since..]
            .iter()
            .filter(|it| it.addresses.contains(&who.address))
            .filter_map(|it| match &it.packet {
                Outgoing::Control(Control::Ping(it)) => Some(it.cookie),
                Outgoing::Control(Control::Agree(it)) => Some(it.cookie),
                _ => None,
            })
            .collect();
        for cookie in &cookies {
            let pong = Pong { cookie: *cookie, heard: PathSet(1) };
            self.receive_by(path, who, Control::Pong(pong));
        }
        !cookies.is_empty()
    }

    /// Delivers an `agree` of a fake member ([`agree_from`]) with the nonce of the candidate under
    /// test, and the `pong` to the ping that follows. `flags`: 0 for a yes.
    pub(super) fn receive_agree(&mut self, who: &mut FakePeer, flags: u8, lamport: u64) {
        let before = self.sent.len();
        let agree = agree_from(self, who, candidate_nonce(self), flags, lamport);
        self.receive(who, agree);
        self.answer_cookies(who, before);
    }

    /// Makes a fake peer join as an honest peer does: with an announce, a `pong` to each cookie
    /// after 150 ms, and a heartbeat. Returns false if the fake peer was sent no cookie.
    pub(super) fn admit(&mut self, who: &mut FakePeer, name: &str) -> bool {
        let before = self.sent.len();
        let nonce = Nonce(who.signer.id.0);
        self.receive(who, Control::Announce(Announce::new(nonce, name.to_owned(), vec![])));
        self.advance(150);
        let has_answered = self.answer_cookies(who, before);
        self.receive_heartbeat(who, name, 0, vec![]);
        has_answered
    }

    /// Returns the number of bytes of the stored packets sent to an address by unicast.
    pub(super) fn bytes_to(&self, address: SocketAddr) -> usize {
        let sent = self.sent.iter().filter(|it| it.addresses.contains(&address));
        sent.map(|it| datagram_len(&it.packet)).sum()
    }

    /// Returns the number of stored control packets that match a predicate.
    pub(super) fn count_sent(&self, is_it: impl Fn(&Control) -> bool) -> usize {
        let controls = self.sent.iter().filter_map(|it| match &it.packet {
            Outgoing::Control(control) => Some(control),
            Outgoing::Entry(_) => None,
        });
        controls.filter(|it| is_it(it)).count()
    }

    /// Returns the texts of all messages that the peer under test has shown, in their order.
    /// Messages of the history are included.
    pub(super) fn texts(&self) -> Vec<&str> {
        let texts = self.events.iter().filter_map(|it| match it {
            Event::Message(it) => Some(it.text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Returns the names in the report of the peer under test: the members, itself included, and
    /// peers known through others only.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.mesh.report(self.now()).into_iter().map(|it| it.name).collect()
    }
}

/// Returns the length of the datagram of a packet, in bytes.
pub(super) fn datagram_len(packet: &Outgoing) -> usize {
    match packet {
        Outgoing::Control(control) => control.datagram_len(),
        Outgoing::Entry(entry) => entry.datagram_len(),
    }
}

/// Returns an `agree` of a fake member, with these flags and this Lamport counter. It states
/// *since* 0, the greatest possible seniority, a room clock of 1,000 s plus the virtual time, and
/// a username that follows from the address.
pub(super) fn agree_from(
    bench: &TestBench,
    who: &FakePeer,
    nonce: Nonce,
    flags: u8,
    lamport: u64,
) -> Control {
    Control::Agree(Agree {
        nonce,
        cookie: Cookie([1; 8]),
        flags,
        heard: PathSet(1),
        clock: RoomClock(1_000_000 + bench.now),
        since: RoomClock(0),
        username: who.name(),
        members: 2,
        lamport: Lamport(lamport),
        time: Timestamp(0),
    })
}

/// Returns the nonce of the first `announce` in `sent`. Panics if there is none.
pub(super) fn candidate_nonce(bench: &TestBench) -> Nonce {
    let nonce = |it: &Sent| match &it.packet {
        Outgoing::Control(Control::Announce(it)) => Some(it.nonce),
        _ => None,
    };
    bench.sent.iter().find_map(nonce).unwrap()
}
