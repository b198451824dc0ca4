//! The peer under test: a [`Mesh`] in virtual time, with a record of its outputs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pi_chat::mesh::{End, Input, Mesh, Now, Outgoing, Output, Settings, Sign};
use pi_chat::model::{
    ChatCommand, Command, Event, Moment, Path, PathSet, PeerId, Request, RequestTag, RoomName,
    RoomSelector, Style, Timestamp, Username,
};
use pi_chat::wire::udp::{
    Entry, EntryFields, Identity, Room, Sealer, Signer, UnverifiedPacket, open,
};
use serde_json::{Value, json};

use super::simulated_peers::{SimulatedPeers, identity, name_and_fields};
use crate::scenario::as_vector;

/// The wall clock when a scenario begins, in milliseconds since 1970.
const WALL_CLOCK: u64 = 1_760_000_000_000;

/// The engine's clock when a scenario begins.
const BEGIN: Duration = Duration::from_secs(3_600);

/// Signs the peer's entries.
struct Author(Arc<Identity>, Arc<Room>);

impl Sign for Author {
    fn signer(&self) -> Signer {
        self.0.signer()
    }

    fn sign(&self, fields: EntryFields) -> Entry {
        self.0.sign_entry(&self.1, fields)
    }
}

/// A datagram that was sent.
struct Sent {
    /// Time of sending, in milliseconds since the scenario's start.
    at: u64,
    /// Packet, fields, length and destinations.
    what: Value,
    /// True once it has met an expectation.
    is_taken: bool,
}

/// The peer under test with a record of its outputs.
pub(super) struct Peer {
    /// The engine.
    mesh: Mesh,
    /// Its id.
    id: PeerId,
    /// The room.
    room: Arc<Room>,
    /// Makes its datagrams.
    sealer: Sealer,
    /// Names of the others by their addresses.
    others: BTreeMap<SocketAddr, String>,
    /// Milliseconds since the scenario's start.
    now: u64,
    /// Time of the next wake-up.
    wake: Option<Moment>,
    /// All datagrams sent.
    sent: Vec<Sent>,
    /// Messages that it showed.
    shown: Vec<Value>,
    /// Other news for the user.
    told: Vec<Value>,
    /// End of the peer, or null.
    ended: Value,
}

impl Peer {
    /// Starts the peer of a scenario.
    pub(super) fn new(scenario: &Value, simulated: &SimulatedPeers) -> Self {
        let (identity, _) = identity(&scenario["peer"]);
        let settings = Settings {
            username: Username::new(scenario["peer"]["username"].as_str().unwrap()).unwrap(),
            room: RoomName::new(scenario["room"].as_str().unwrap()).unwrap(),
            is_closed: scenario["passphrase"].is_string(),
            ask: false,
            secret: [9; 32],
        };
        let author = Author(Arc::clone(&identity), Arc::clone(&simulated.room));
        let mut peer = Self {
            mesh: Mesh::new(settings, Box::new(author), now(0)),
            id: identity.signer().id,
            room: Arc::clone(&simulated.room),
            sealer: Sealer::new(identity, Arc::clone(&simulated.room)),
            others: simulated.addresses(),
            now: 0,
            wake: None,
            sent: Vec::new(),
            shown: Vec::new(),
            told: Vec::new(),
            ended: Value::Null,
        };
        peer.collect();
        peer
    }

    /// Advances the time to `at` milliseconds and fires the timers that are due.
    pub(super) fn advance(&mut self, at: u64) {
        assert!(at >= self.now, "steps go back in time");
        while let Some(wake) = self.wake.filter(|it| *it <= now(at).moment) {
            self.now = u64::try_from((wake.since_start() - BEGIN).as_millis()).unwrap();
            self.wake = None;
            self.feed(Input::Wake);
        }
        self.now = at;
    }

    /// Delivers a datagram as the driver does: only if its signature is worth checking.
    pub(super) fn receive(&mut self, datagram: &[u8], from: SocketAddr, by_group: bool) {
        let path = by_group.then_some(Path::GroupV4);
        let is_known = |peek| match peek {
            UnverifiedPacket::Entry { sender, author, sequence } => {
                !self.mesh.accepts_entries_from(sender, from)
                    || self.mesh.is_known(author, sequence)
            }
            UnverifiedPacket::Control { sender, counter } => {
                self.mesh.is_replayed(now(self.now).moment, sender, counter, path)
            }
        };
        if let Ok((packet, size)) = open(datagram, &self.room, self.id, is_known) {
            self.feed(Input::Received { from, path, size, packet });
        }
    }

    /// Makes a request of the user.
    pub(super) fn request(&mut self, request: &Value) {
        let command = match request["say"].as_str() {
            Some(text) => {
                let text = text.to_owned();
                Command::Chat(ChatCommand::Say {
                    room: RoomSelector::Only,
                    style: Style::SAID,
                    text,
                })
            }
            None => {
                assert_eq!(request["leave"], true);
                Command::Quit
            }
        };
        self.feed(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Feeds the engine, and takes its outputs.
    fn feed(&mut self, input: Input) {
        self.mesh.handle_input(now(self.now), input);
        self.collect();
    }

    /// Takes the engine's outputs.
    fn collect(&mut self) {
        while let Some(output) = self.mesh.poll_output() {
            match output {
                Output::Send { paths, addresses, packet } => {
                    self.note_sent(paths, &addresses, packet)
                }
                Output::Event(event) => self.note_event(event),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Finished(End::Left { .. }) => self.ended = json!("left"),
                Output::Finished(End::Rejected { by, code, .. }) => {
                    self.ended = json!({"rejected": {"by": by, "code": code}});
                }
            }
        }
    }

    /// Notes a datagram that was sent: `to` names those who are reached by a copy of their own,
    /// "all" where everybody is reached, and "ways" where it goes by all ways.
    fn note_sent(&mut self, paths: PathSet, addresses: &[SocketAddr], packet: Outgoing) {
        let (packet, value, datagram) = match packet {
            Outgoing::Control(control) => {
                let (name, value) = name_and_fields(&control);
                (name, value, self.sealer.control(&control))
            }
            Outgoing::Entry(entry) => {
                let mut value = crate::fields(&entry.fields);
                value["author"] = json!(entry.author.id.0);
                ("entry", value, self.sealer.entry(&entry))
            }
        };
        let mut to: Vec<String> =
            addresses.iter().filter_map(|it| self.others.get(it).cloned()).collect();
        if paths.has(Path::GroupV4) || self.others.keys().all(|it| addresses.contains(it)) {
            to.push("all".to_owned());
        }
        if paths == PathSet::ALL {
            to.push("ways".to_owned());
        }
        let bytes = datagram.unwrap().len();
        let what = json!({"packet": packet, "to": to, "bytes": bytes, "value": as_vector(value)});
        self.sent.push(Sent { at: self.now, what, is_taken: false });
    }

    /// Records an event for the user.
    fn note_event(&mut self, event: Event) {
        match event {
            Event::Message(it) => self.shown.push(json!({
                "from": it.from, "sequence": it.sequence.0, "text": it.text,
                "history": it.history, "late": it.late,
            })),
            Event::Gap { .. } => self.told.push(json!("gap")),
            Event::Renamed { to, .. } => self.told.push(json!({"renamed": to})),
            _ => {}
        }
    }

    /// Datagrams sent within a window that have met no expectation yet.
    pub(super) fn sent(&self, (first, last): (u64, u64)) -> Vec<Value> {
        let within = |it: &&Sent| !it.is_taken && (first..=last).contains(&it.at);
        self.sent.iter().filter(within).map(|it| it.what.clone()).collect()
    }

    /// Takes the last datagram within a window that `is_match`.
    pub(super) fn take_sent(
        &mut self,
        (first, last): (u64, u64),
        mut is_match: impl FnMut(&Value) -> bool,
    ) -> Option<()> {
        let within = |it: &&mut Sent| !it.is_taken && (first..=last).contains(&it.at);
        let mut sent = self.sent.iter_mut().rev().filter(within);
        sent.find(|it| is_match(&it.what)).map(|it| it.is_taken = true)
    }

    /// Returns the state that the key of a step is compared with.
    pub(super) fn state(&self, key: &str) -> Value {
        let names = || self.mesh.report(now(self.now)).into_iter().map(|it| it.name);
        match key {
            "shown" => json!(self.shown),
            "told" => json!(self.told),
            "ended" => self.ended.clone(),
            "name" => json!(names().next()),
            _ => {
                let mut names: Vec<String> = names().collect();
                names.sort();
                json!(names)
            }
        }
    }
}

/// Returns the clocks' values at a time of the scenario.
fn now(milliseconds: u64) -> Now {
    let moment = Moment::after_start(BEGIN + Duration::from_millis(milliseconds));
    Now { moment, time: Timestamp(WALL_CLOCK + milliseconds) }
}
