//! Server of the simulation: a hub with its fold and its publisher, and the clients' connections.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

use super::super::{Fold, Folded, FoldedItem, HubStage, Publication, Publisher, SharedChange};
use crate::hub::{
    ConnectionId, Delivery, HeldName, Hub, HubId, Input, Now, Output, Proposal, ReadOutcome,
    ReadRange, ReadRequest, ReadTag, RestoredState, RoomId, SharedState, VolatileItem,
};
use crate::log::LogEvent;
use crate::model::{
    HubSettings, LogId, Moment, RoomName, Sequence, ServerId, SessionId, SessionRecord,
    SharedEntry, Target, Timestamp, Token,
};
use crate::wire::tcp::{ClientFrame, Decoded, ServerFrame, entry_frame};

/// Log identifier of all servers.
pub(super) const LOG: LogId = LogId([7; 16]);

/// Number of publications that a server may have on their way.
const WINDOW: usize = 8;

/// What a client receives.
#[derive(Debug)]
pub(super) enum Received {
    /// A frame. Each log entry is one.
    Frame(ServerFrame),
    /// The connection is closed.
    Closed,
}

/// Connection of a client.
#[derive(Debug, Default)]
struct Client {
    /// Subscribed rooms, each with the sequence after which its entries are sent.
    subscribed: BTreeMap<RoomId, Sequence>,
    /// What the client has not taken.
    received: Vec<Received>,
    /// True if a mark was delivered and not reached.
    has_mark: bool,
    /// True if the server has closed the connection.
    is_closed: bool,
}

/// What a server has stored of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Projection {
    /// Messages.
    pub(super) entries: Vec<SharedEntry>,
    /// Session records.
    pub(super) sessions: BTreeMap<SessionId, SessionRecord>,
    /// Sequence of the last message or fact.
    head: Sequence,
}

impl Projection {
    /// Stores what a publication has come to.
    fn store(&mut self, folded: &Folded) {
        match &folded.item {
            FoldedItem::Message(entry) => {
                self.head = entry.sequence;
                if let Some(record) = self.sessions.get_mut(&entry.draft.session) {
                    let reference = entry.draft.reference;
                    record.last_reference = record.last_reference.max(reference);
                    record.refused.retain(|it| *it != reference);
                }
                self.entries.push(entry.clone());
            }
            FoldedItem::Fact(_, fact) => self.head = fact.sequence,
            FoldedItem::Session(record) => {
                self.sessions.insert(record.session, record.clone());
            }
            FoldedItem::SessionDeleted(session, _) => _ = self.sessions.remove(session),
            FoldedItem::MessageRefused(..)
            | FoldedItem::MessageKnown(..)
            | FoldedItem::ReadMarks(_)
            | FoldedItem::Volatile(_) => {}
        }
    }
}

/// Hub of a running server, with its connections.
pub(super) struct Running {
    /// The hub.
    pub(super) hub: Hub,
    /// Its identifier.
    pub(super) id: HubId,
    /// Its publisher.
    pub(super) publisher: Publisher,
    /// Clients by connection.
    clients: BTreeMap<ConnectionId, Client>,
    /// Moment for which the hub has asked to be woken.
    wake_at: Option<Moment>,
    /// Reads that were not answered.
    reads: VecDeque<(ReadTag, ReadRequest)>,
}

/// Server: it starts, runs, or was stopped.
pub(super) struct Server {
    /// Identifier of the server.
    server: ServerId,
    /// Fold of what it has read.
    pub(super) fold: Fold,
    /// What it has stored.
    pub(super) projection: Projection,
    /// Random number of the beginning that it has published last.
    nonce: u64,
    /// Its hub, from the time when it has read its beginning and who is here.
    pub(super) running: Option<Running>,
    /// Place of its beginning, while it waits for who is here.
    begun: Option<HubId>,
    /// Publications on their way to the stream.
    pub(super) in_flight: VecDeque<Publication>,
    /// What its hub has handed over to others.
    pub(super) handed_over: Vec<(HubId, Vec<HeldName>)>,
    /// True if the process does nothing at present.
    pub(super) is_stopped: bool,
    /// True if its publications are lost.
    pub(super) loses: bool,
    /// True if it reads nothing.
    pub(super) is_deaf: bool,
}

impl Server {
    /// Creates a server that has read nothing, and publishes its beginning.
    pub(super) fn start(index: usize, nonce: u64) -> Self {
        let mut server = Self {
            server: ServerId([u8::try_from(index + 1).unwrap(); 16]),
            fold: Fold::default(),
            projection: Projection::default(),
            nonce,
            running: None,
            begun: None,
            in_flight: VecDeque::new(),
            handed_over: Vec::new(),
            is_stopped: false,
            loses: false,
            is_deaf: false,
        };
        server.begin(nonce);
        server
    }

    /// Publishes that a hub begins. A hub that runs has ended.
    pub(super) fn begin(&mut self, nonce: u64) {
        (self.running, self.begun, self.nonce) = (None, None, nonce);
        self.in_flight.clear();
        let change = SharedChange::HubBegin { server: self.server, nonce };
        self.in_flight.push_back(Publication { hub: HubId::ALONE, number: 0, change });
    }

    /// Returns the connections of clients that are to be told that the process has ended.
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.running.iter().flat_map(|it| it.clients.keys().copied()).collect()
    }

    /// Reads the next publication of the stream. Returns true if its hub has ended by that.
    pub(super) fn read(
        &mut self,
        now: Now,
        place: Sequence,
        time: Timestamp,
        publication: Publication,
    ) -> bool {
        let is_own_begin = matches!(&publication.change,
            SharedChange::HubBegin { nonce, .. } if *nonce == self.nonce);
        let folded = self.fold.apply(place, time, publication);
        for it in &folded {
            self.projection.store(it);
        }
        if is_own_begin {
            self.begun = Some(HubId(place.0));
        }
        let Some(own) = self.running.as_mut() else {
            return false;
        };
        let id = own.id;
        if let Some(live) = self.fold.hubs().get(&id) {
            own.publisher.note_read(live.last_number);
        }
        self.send();
        for it in folded {
            if it.item == FoldedItem::Volatile(VolatileItem::HubEnded { hub: id }) {
                return true;
            }
            match it.event_for(id) {
                Some(LogEvent::Committed { items, .. }) => {
                    self.input(now, Input::Committed { items });
                }
                Some(LogEvent::NotStored { ticket, reason }) => {
                    self.input(now, Input::NotStored { ticket, reason });
                }
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
        false
    }

    /// Returns true if the server has read its beginning and has no hub yet. It reads nothing
    /// meanwhile.
    pub(super) const fn waits_for_presence(&self) -> bool {
        self.begun.is_some()
    }

    /// Runs the hub if nobody else is there, or if another hub has handed over who is here.
    pub(super) fn run_hub(&mut self, now: Now, handed_over: &HashMap<HubId, Vec<HeldName>>) {
        let Some(own) = self.begun else {
            return;
        };
        let hubs = self.fold.hubs();
        let is_alone = hubs.get(&own).is_some_and(|it| it.stage == HubStage::BegunAlone);
        let holds = handed_over.get(&own).filter(|_| !is_alone).cloned();
        if holds.is_none() && !is_alone {
            return;
        }
        self.begun = None;
        let hubs = hubs.keys().copied().collect();
        let restored = RestoredState {
            head: self.projection.head,
            sessions: self.projection.sessions.values().cloned().collect(),
            rooms: room_names(&self.projection.entries),
            moderation: self.fold.moderation().clone(),
            shared: Some(SharedState { own, hubs, holds }),
            ..RestoredState::empty(LOG)
        };
        let mut publisher = Publisher::new(own);
        publisher.push(SharedChange::HubServes);
        self.running = Some(Running {
            hub: Hub::new(now, HubSettings::default(), restored),
            id: own,
            publisher,
            clients: BTreeMap::new(),
            wake_at: None,
            reads: VecDeque::new(),
        });
        self.input(now, Input::Wake);
    }

    /// Stops waiting for another hub that does not answer: declares all others gone, and begins anew.
    pub(super) fn begin_without_others(&mut self, nonce: u64) {
        let Some(id) = self.begun else {
            return;
        };
        let mut publisher = Publisher::new(id);
        for (hub, live) in self.fold.hubs().iter().filter(|(hub, _)| **hub != id) {
            publisher.push(SharedChange::HubGone { hub: *hub, last_heard: live.last_heard });
        }
        self.begin(nonce);
        let begin = self.in_flight.pop_back();
        self.in_flight.extend(std::iter::from_fn(|| publisher.take(usize::MAX)));
        self.in_flight.extend(begin);
    }

    /// Publishes that another hub was not heard for too long.
    pub(super) fn suspect(&mut self, index: usize) {
        let Some(running) = &mut self.running else {
            return;
        };
        let others: Vec<_> =
            self.fold.hubs().iter().filter(|(hub, _)| **hub != running.id).collect();
        if let Some((hub, live)) = others.get(index % others.len().max(1)) {
            let (hub, last_heard) = (**hub, live.last_heard);
            running.publisher.push(SharedChange::HubGone { hub, last_heard });
        }
        self.send();
    }

    /// Publishes that the hub is alive.
    pub(super) fn keep_alive(&mut self) {
        if let Some(running) = &mut self.running {
            running.publisher.push(SharedChange::HubAlive);
        }
        self.send();
    }

    /// Publishes that the hub ends. It begins again when it has read that.
    pub(super) fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            running.publisher.push(SharedChange::HubEnd);
        }
        self.send();
    }

    /// Passes an input to the hub, if one runs, and performs its outputs.
    pub(super) fn input(&mut self, now: Now, input: Input) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.hub.handle_input(now, input);
        while let Some(output) = running.hub.poll_output() {
            match output {
                Output::Propose(Proposal::HandOver { to, holds }) => {
                    self.handed_over.push((to, holds));
                }
                Output::Propose(it) => running.publisher.push(SharedChange::Propose(it)),
                Output::Read { tag, request } => running.reads.push_back((tag, request)),
                Output::WakeAt(at) => running.wake_at = Some(at),
                other => running.deliver(other),
            }
        }
        self.send();
    }

    /// Sends what is to be published.
    fn send(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        self.in_flight.extend(std::iter::from_fn(|| running.publisher.take(WINDOW)));
    }

    /// Sends everything again that was not read.
    pub(super) fn send_again(&mut self) {
        if let Some(running) = &mut self.running {
            if running.publisher.is_waiting() {
                running.publisher.rewind();
            }
        } else if self.begun.is_none() && self.in_flight.is_empty() {
            self.begin(self.nonce);
        }
        self.send();
    }

    /// Answers reads and reaches marks until there are none.
    pub(super) fn answer(&mut self, now: Now) {
        while let Some(running) = &mut self.running {
            let Some((tag, request)) = running.reads.pop_front() else {
                let marks = running.clients.iter_mut().filter(|(_, it)| !it.is_closed);
                let marked = marks.map(|(id, _)| *id).collect::<Vec<_>>();
                let mut reached = false;
                for connection in marked {
                    reached |= self.reach_mark(now, connection);
                }
                if reached { continue } else { return }
            };
            let outcome = Ok(read(&self.projection, &request));
            self.input(now, Input::ReadDone { tag, outcome });
        }
    }

    /// Ends what hinders the server.
    pub(super) const fn mend(&mut self) {
        (self.is_stopped, self.loses, self.is_deaf) = (false, false, false);
    }

    /// Wakes the hub if it has asked for that.
    pub(super) fn wake(&mut self, now: Now) {
        if let Some(running) = &mut self.running
            && running.wake_at.take_if(|at| *at <= now.moment).is_some()
        {
            self.input(now, Input::Wake);
        }
    }

    /// Connects a client, and sends its frames.
    pub(super) fn connect(
        &mut self,
        now: Now,
        connection: ConnectionId,
        token: Token,
        frames: Vec<ClientFrame>,
    ) {
        if let Some(running) = &mut self.running {
            running.clients.insert(connection, Client::default());
        }
        let address =
            IpAddr::from([10, 0, connection.0.to_be_bytes()[6], connection.0.to_be_bytes()[7]]);
        self.input(now, Input::Connected { connection, address, token, proof_context: None });
        for frame in frames {
            self.receive(now, connection, frame);
        }
    }

    /// Passes a frame of a client to the hub.
    pub(super) fn receive(&mut self, now: Now, connection: ConnectionId, frame: ClientFrame) {
        self.input(now, Input::Received { connection, frame: Decoded::Frame(frame) });
    }

    /// Ends the connection of a client.
    pub(super) fn disconnect(&mut self, now: Now, connection: ConnectionId) {
        if let Some(running) = &mut self.running {
            running.clients.remove(&connection);
        }
        self.input(now, Input::Disconnected { connection });
    }

    /// Takes what a client has received.
    pub(super) fn take_received(&mut self, connection: ConnectionId) -> Vec<Received> {
        let client = self.running.as_mut().and_then(|it| it.clients.get_mut(&connection));
        client.map(|it| std::mem::take(&mut it.received)).unwrap_or_default()
    }

    /// Reports the mark of a client as reached. Returns false if it has none.
    fn reach_mark(&mut self, now: Now, connection: ConnectionId) -> bool {
        let client = self.running.as_mut().and_then(|it| it.clients.get_mut(&connection));
        let is_marked = client.is_some_and(|it| std::mem::take(&mut it.has_mark));
        if is_marked {
            self.input(now, Input::MarkReached { connection });
        }
        is_marked
    }
}

impl Running {
    /// Performs an output for clients, as the driver does.
    fn deliver(&mut self, output: Output) {
        match output {
            Output::Publish { room, entry } => {
                for client in self.clients.values_mut().filter(|it| !it.is_closed) {
                    if client.subscribed.get(&room).is_some_and(|after| entry.sequence > *after) {
                        client.received.push(Received::Frame(entry_frame(&entry, 0)));
                    }
                }
            }
            Output::Deliver { connection, after, delivery } => {
                let client = self.clients.get_mut(&connection).filter(|it| !it.is_closed);
                if let Some(client) = client {
                    client.deliver(after, delivery);
                }
            }
            Output::DeliverAll { connections, after, frame } => {
                for connection in connections {
                    let delivery = Delivery::Frame(frame.clone());
                    self.deliver(Output::Deliver { connection, after, delivery });
                }
            }
            _ => {}
        }
    }
}

impl Client {
    /// Delivers an item.
    fn deliver(&mut self, after: Sequence, delivery: Delivery) {
        match delivery {
            Delivery::Frame(frame) => self.received.push(Received::Frame(frame)),
            Delivery::Entries { entries, flags } => {
                let frames = entries.iter().map(|it| Received::Frame(entry_frame(it, flags)));
                self.received.extend(frames);
            }
            Delivery::Subscribe(room) => _ = self.subscribed.insert(room, after),
            Delivery::Unsubscribe(room) => _ = self.subscribed.remove(&room),
            Delivery::Mark => self.has_mark = true,
            Delivery::Close => {
                self.is_closed = true;
                self.received.push(Received::Closed);
            }
        }
    }
}

/// Returns the names of the rooms with messages, the most recently used one last.
fn room_names(entries: &[SharedEntry]) -> Vec<RoomName> {
    let mut rooms: Vec<RoomName> = Vec::new();
    for entry in entries {
        if let Target::Room(room) = &entry.draft.target {
            rooms.retain(|it| it != room);
            rooms.push(room.clone());
        }
    }
    rooms
}

/// Reads what a server has stored.
fn read(stored: &Projection, request: &ReadRequest) -> ReadOutcome {
    let is_in = |entry: &SharedEntry| match &entry.draft.target {
        Target::Room(room) => request.rooms.contains(room),
        Target::Session(to, _) => {
            request.session.is_some_and(|it| [*to, entry.draft.author()].contains(&it))
        }
    };
    let mut entries: Vec<_> = stored.entries.iter().filter(|it| is_in(it)).cloned().collect();
    let mut more = false;
    match request.range {
        ReadRange::Latest(most) => {
            // Nobody is in more than two rooms here, so this is what the hub expects or more.
            entries.drain(..entries.len().saturating_sub(usize::from(most)));
        }
        ReadRange::After(after, most) => {
            entries.retain(|it| it.sequence > after);
            more = entries.len() > usize::from(most);
            entries.truncate(usize::from(most));
        }
        ReadRange::Before(..) | ReadRange::Matching(_) => panic!("{request:?}"),
    }
    ReadOutcome { entries, removals: Vec::new(), head: stored.head, gaps: Vec::new(), more }
}
