//! The hub over a memory log, driven by bytes: connections that come and go, frames of all kinds,
//! requests of the command line, time that passes, reads that are answered late or fail. After every step the promises of
//! `docs/protocol/tcp.md` are checked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::ops::Add;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use super::bytes::Bytes;
use super::moderation;
use pi_chat::hub::{
    ConnectionId, Delivery, Hub, Input, Now, Output, OwnerRequestId, ReadFailed, ReadRange,
    ReadRequest, ReadTag, RestoredState, RoomId,
};
use pi_chat::identity::{ChannelBinding, KeyPair, ProofContext};
use pi_chat::log::{Log, LogEvent, MemoryLimits, MemoryLog};
use pi_chat::model::{
    Access, ClaimPolicy, ErrorCode, HubSettings, IdentityKey, LogId, Moment, Position, Reference,
    Sequence, SessionId, SharedEntry, Timestamp, Token,
};
use pi_chat::wire::tcp::{
    ClientFrame, Decoded, Direct, Enter, Hello, History, Join, Leave, MAGIC, Members, Ping, Pong,
    Proof, Say, Search, ServerFrame, feature,
};

/// Largest number of open connections.
const MAX_CONNECTIONS: usize = 12;

/// Largest number of outputs of the hub for one input: a welcome, a page of a replay, and the
/// presence of all rooms stay far below it.
const MAX_OUTPUTS: usize = 400;

/// What proofs sign on all connections: signing anew for each would take most of the time.
const CONTEXT: ProofContext = ProofContext {
    challenge: [1; 32],
    server_key: IdentityKey([2; 32]),
    binding: ChannelBinding::None,
};

/// Proofs of two keys that hold, and one of the first key that does not.
static PROOFS: LazyLock<[Proof; 3]> = LazyLock::new(|| {
    let [one, other] = [[1; 32], [2; 32]].map(|seed| KeyPair::from_seed(&seed).prove(&CONTEXT));
    let wrong = Proof { binding: 1, ..one.clone() };
    [one, other, wrong]
});

/// A connection as its client sees it.
#[derive(Default)]
struct Client {
    /// The name and session of the welcome; none before it.
    joined: Option<(String, SessionId)>,
    /// Sequence of the last entry that was neither requested nor came with an `enter`.
    last_live: Sequence,
    /// Rooms that the connection is subscribed to.
    rooms: BTreeSet<RoomId>,
    /// Marks that were delivered and not reported as reached.
    marks: usize,
    /// Whether `Close` was delivered.
    is_closed: bool,
    /// Keys that its `join`s have proved; `None` is a `join` without a proof that holds.
    proved: BTreeSet<Option<IdentityKey>>,
}

/// Totals of one or more runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// Number of clients that joined.
    pub(crate) welcomes: usize,
    /// Number of entries that clients received live.
    pub(crate) entries_received: usize,
    /// Number of pages of history, replay and search that clients received.
    pub(crate) pages: usize,
    /// Number of requests of the command line that were carried out.
    pub(crate) owner_actions: usize,
}

impl Add for Summary {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            welcomes: self.welcomes + other.welcomes,
            entries_received: self.entries_received + other.entries_received,
            pages: self.pages + other.pages,
            owner_actions: self.owner_actions + other.owner_actions,
        }
    }
}

/// Waker that unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The hub with its log and its clients.
struct World {
    /// The engine under test.
    hub: Hub,
    /// The log.
    log: MemoryLog,
    /// Virtual time since the start.
    elapsed: Duration,
    /// Connections that are open from the hub's point of view.
    clients: BTreeMap<ConnectionId, Client>,
    /// Number of the next connection.
    next_connection: u64,
    /// Tokens and positions of earlier welcomes, for clients that resume.
    resumable: Vec<(Token, LogId)>,
    /// Keys of the sessions that are bound for certain.
    bound: BTreeMap<SessionId, IdentityKey>,
    /// Number of requests of the command line.
    owner_requests: u64,
    /// Requests of the command line that are not answered.
    unanswered: BTreeSet<OwnerRequestId>,
    /// Answers of the log that the hub has not received yet.
    delayed: VecDeque<LogEvent>,
    /// Totals so far.
    summary: Summary,
}

/// Runs a hub through the events that the bytes stand for.
pub(crate) fn run(bytes: &[u8]) -> Summary {
    let mut bytes = Bytes(bytes);
    let settings = HubSettings {
        max_connections: MAX_CONNECTIONS,
        max_connections_per_address: MAX_CONNECTIONS,
        max_rooms: 3,
        max_sessions: 16,
        password: (bytes.u8().is_multiple_of(8)).then(|| "secret".to_owned()),
        access: if bytes.u8() % 4 == 1 { Access::Invited } else { Access::Everybody },
        claims: if bytes.u8() % 4 == 1 { ClaimPolicy::Open } else { ClaimPolicy::Invited },
        ..HubSettings::default()
    };
    let start = Now { moment: Moment::START, time: Timestamp(1_000_000) };
    let mut world = World {
        hub: Hub::new(start, settings, RestoredState::empty(LogId([7; 16]))),
        log: MemoryLog::new(MemoryLimits::default()),
        elapsed: Duration::ZERO,
        clients: BTreeMap::new(),
        next_connection: 1,
        resumable: Vec::new(),
        bound: BTreeMap::new(),
        owner_requests: 0,
        unanswered: BTreeSet::new(),
        delayed: VecDeque::new(),
        summary: Summary::default(),
    };
    while !bytes.0.is_empty() {
        world.step(&mut bytes);
    }
    world.answer_all();
    assert!(world.unanswered.is_empty(), "the command line waits: {:?}", world.unanswered);
    world.summary
}

impl World {
    /// Lets one event happen.
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 16 {
            0 if self.clients.len() < MAX_CONNECTIONS => self.connect(bytes),
            1 => self.advance(Duration::from_millis(bytes.number().min(600_000) * 50)),
            2 => self.answer(bytes),
            3 => self.end_connection(bytes),
            4 => {
                if let Some(connection) = self.any_connection(bytes) {
                    self.reach_mark(connection);
                }
            }
            5 if bytes.u8().is_multiple_of(2) => self.request_as_owner(bytes),
            _ => {
                if let Some(connection) = self.any_connection(bytes) {
                    let frame = self.frame(connection, bytes);
                    self.input(Input::Received { connection, frame });
                }
            }
        }
        if !bytes.u8().is_multiple_of(4) {
            self.answer_all();
        }
        self.check_names();
    }

    /// Opens a connection; most of them greet and join at once.
    fn connect(&mut self, bytes: &mut Bytes<'_>) {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.clients.insert(connection, Client::default());
        let address = IpAddr::from([127, 0, 0, bytes.u8() % 3]);
        let token = Token([u8::try_from(connection.0 % 251).unwrap(); 16]);
        let proof_context = bytes.u8().is_multiple_of(2).then(|| Box::new(CONTEXT));
        self.input(Input::Connected { connection, address, token, proof_context });
        if !bytes.u8().is_multiple_of(8) {
            let hello = self.hello(bytes);
            self.input(Input::Received { connection, frame: Decoded::Frame(hello.into()) });
            let join = self.join(connection, bytes);
            self.input(Input::Received { connection, frame: Decoded::Frame(join.into()) });
        }
    }

    /// Ends a connection in one of the ways that a driver reports.
    fn end_connection(&mut self, bytes: &mut Bytes<'_>) {
        let Some(connection) = self.any_connection(bytes) else { return };
        match bytes.u8() % 4 {
            0 => self.input(Input::HalfClosed { connection, in_frame: false }),
            3 => self.input(Input::HalfClosed { connection, in_frame: true }),
            1 => self.input(Input::ConnectionFailed { connection, error: ErrorCode::TooSlow }),
            _ => self.disconnect(connection),
        }
    }

    /// Makes a request of the command line.
    fn request_as_owner(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(request) = moderation::owner_request(bytes) {
            self.owner_requests += 1;
            let id = OwnerRequestId(self.owner_requests);
            self.unanswered.insert(id);
            self.input(Input::Moderate { id, request });
        }
    }

    /// Reports a connection as gone.
    fn disconnect(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
        self.input(Input::Disconnected { connection });
    }

    /// Lets time pass, and wakes the hub.
    fn advance(&mut self, time: Duration) {
        self.elapsed += time;
        self.input(Input::Wake);
    }

    /// Reports a mark of a connection as reached, if one was delivered.
    fn reach_mark(&mut self, connection: ConnectionId) {
        if let Some(client) = self.clients.get_mut(&connection)
            && client.marks > 0
        {
            client.marks -= 1;
            self.input(Input::MarkReached { connection });
        }
    }

    /// Returns an open connection.
    fn any_connection(&self, bytes: &mut Bytes<'_>) -> Option<ConnectionId> {
        let index = usize::from(bytes.u8()).checked_rem(self.clients.len())?;
        self.clients.keys().nth(index).copied()
    }

    /// Returns a frame for this connection, or what is left of one that could not be decoded.
    fn frame(&mut self, connection: ConnectionId, bytes: &mut Bytes<'_>) -> Decoded<ClientFrame> {
        let reference = Reference(bytes.number());
        let frame: ClientFrame = match bytes.u8() % 24 {
            0 => self.hello(bytes).into(),
            1 | 2 => self.join(connection, bytes).into(),
            3 => Enter { reference, room: bytes.name() }.into(),
            4 => Leave { reference, room: bytes.name() }.into(),
            5 => {
                let before = Sequence(bytes.number());
                History { reference, room: bytes.name(), before, limit: 3 }.into()
            }
            6 => Members { reference, room: bytes.name(), after: bytes.name() }.into(),
            7 => Ping { token: bytes.number() }.into(),
            8 => Pong { token: bytes.number() }.into(),
            9 => self.search(reference, bytes).into(),
            10 | 11 => Direct {
                reference,
                to: bytes.name(),
                session: SessionId(bytes.number()),
                style: 0,
                text: bytes.text(),
            }
            .into(),
            12 => return Decoded::Ignored,
            14 | 15 => moderation::frame(reference, bytes),
            13 if bytes.u8().is_multiple_of(8) => return Decoded::Malformed(bytes.u8().into()),
            _ => Say { reference, room: bytes.name(), style: 0, text: bytes.text() }.into(),
        };
        Decoded::Frame(frame)
    }

    /// Returns a `hello`, of our version in most cases.
    fn hello(&self, bytes: &mut Bytes<'_>) -> Hello {
        let version = if bytes.u8().is_multiple_of(16) { 2 } else { 1 };
        Hello {
            magic: MAGIC,
            min_version: version,
            max_version: version,
            features: bytes.number() | feature::IDENTITY,
            client_name: String::new(),
            client_version: String::new(),
        }
    }

    /// Returns a `join` for this connection, with a token of an earlier welcome and a proof in some
    /// cases.
    fn join(&mut self, connection: ConnectionId, bytes: &mut Bytes<'_>) -> Join {
        let chosen = usize::from(bytes.u8() % 8);
        let proof = PROOFS.get(chosen).cloned();
        if let Some(client) = self.clients.get_mut(&connection) {
            client.proved.insert(proof.as_ref().filter(|_| chosen < 2).map(|it| it.key));
        }
        let earlier = usize::from(bytes.u8()).checked_rem(self.resumable.len() * 2);
        let earlier = earlier.and_then(|index| self.resumable.get(index));
        let sequence = Sequence(bytes.number());
        Join {
            username: bytes.name(),
            password: (bytes.u8().is_multiple_of(2)).then(|| "secret".to_owned()),
            rooms: (0..bytes.u8() % 4).map(|_| bytes.name()).collect(),
            token: earlier.map(|(token, _)| *token),
            position: earlier.map(|(_, log_id)| Position { log_id: *log_id, sequence }),
            proof: proof.map(Box::new),
            invite: (bytes.u8() % 4 == 1).then(|| moderation::code(bytes.u8()).to_string()),
        }
    }

    /// Returns a `search`.
    fn search(&self, reference: Reference, bytes: &mut Bytes<'_>) -> Search {
        Search {
            reference,
            room: bytes.name(),
            from: bytes.name(),
            text: bytes.text(),
            since: Timestamp(bytes.number()),
            until: Timestamp(bytes.number()),
            before: Sequence(bytes.number()),
            limit: 3,
        }
    }

    /// Passes the next answer of the log to the hub; a read fails in some cases.
    fn answer(&mut self, bytes: &mut Bytes<'_>) {
        self.poll_log();
        match self.delayed.pop_front() {
            Some(LogEvent::ReadDone { tag, .. }) if bytes.u8().is_multiple_of(4) => {
                self.input(Input::ReadDone { tag, outcome: Err(ReadFailed) });
            }
            Some(event) => self.pass_on(event),
            None => {}
        }
    }

    /// Passes all answers of the log to the hub, and those to what they lead to.
    fn answer_all(&mut self) {
        loop {
            self.poll_log();
            let Some(event) = self.delayed.pop_front() else { return };
            self.pass_on(event);
        }
    }

    /// Collects the answers that the log has.
    fn poll_log(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = self.log.poll_event(&mut context) {
            self.delayed.push_back(event);
        }
    }

    /// Has the log perform a read. A search has a thread of its own: waits for its answer, so that
    /// the same bytes always have the same effect.
    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        let is_search = matches!(request.range, ReadRange::Matching(_));
        self.log.read(tag.clone(), request);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut is_answered = !is_search;
        while !is_answered {
            match self.log.poll_event(&mut Context::from_waker(&waker)) {
                Poll::Ready(event) => {
                    let event = event.unwrap();
                    is_answered =
                        matches!(&event, LogEvent::ReadDone { tag: it, .. } if *it == tag);
                    self.delayed.push_back(event);
                }
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Passes an answer of the log to the hub.
    fn pass_on(&mut self, event: LogEvent) {
        match event {
            LogEvent::Committed { items, .. } => self.input(Input::Committed { items }),
            LogEvent::NotStored { ticket, reason } => {
                self.input(Input::NotStored { ticket, reason });
            }
            LogEvent::ReadDone { tag, outcome } => self.input(Input::ReadDone { tag, outcome }),
            LogEvent::StorageChanged(health) => self.input(Input::StorageChanged(health)),
        }
    }

    /// Passes an input to the hub and carries out its outputs.
    fn input(&mut self, input: Input) {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap();
        let now = Now { moment: Moment::START + self.elapsed, time: Timestamp(1_000_000 + millis) };
        self.hub.handle_input(now, input);
        let mut outputs = 0;
        while let Some(output) = self.hub.poll_output() {
            outputs += 1;
            assert!(outputs <= MAX_OUTPUTS, "too many outputs for one input");
            self.perform(now, output);
        }
    }

    /// Carries out one output of the hub, and checks it.
    fn perform(&mut self, now: Now, output: Output) {
        match output {
            Output::Propose(proposal) => self.log.propose(now, vec![proposal]),
            Output::Read { tag, request } => self.read(tag, request),
            Output::Publish { room, entry } => self.publish(room, &entry),
            Output::Deliver { connection, delivery, .. } => self.deliver(connection, delivery),
            Output::DeliverAll { connections, frame, .. } => {
                for connection in connections {
                    self.deliver(connection, Delivery::Frame(frame.clone()));
                }
            }
            Output::Moderated { id, outcome } => {
                assert!(self.unanswered.remove(&id), "a second answer to the command line");
                self.summary.owner_actions += usize::from(outcome.is_ok());
            }
            Output::RoomClosed { room } => {
                let reads = |client: &Client| client.rooms.contains(&room);
                assert!(!self.clients.values().any(reads), "a room with readers was closed");
            }
            Output::Replicate { .. } => panic!("nobody here has an owner's key over TLS"),
            Output::Published { .. }
            | Output::Replicated { .. }
            | Output::WakeAt(_)
            | Output::ConnectedUsers(_)
            | Output::QuotaReached { .. } => {}
        }
    }

    /// Delivers an entry to the subscribers of a room: each one exactly once, in ascending order.
    fn publish(&mut self, room: RoomId, entry: &SharedEntry) {
        for client in self.clients.values_mut().filter(|it| it.rooms.contains(&room)) {
            assert!(entry.sequence > client.last_live, "entries out of order");
            client.last_live = entry.sequence;
            self.summary.entries_received += 1;
        }
    }

    /// Delivers an item to one connection.
    fn deliver(&mut self, connection: ConnectionId, delivery: Delivery) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        assert!(!client.is_closed, "an item after the end: {delivery:?}");
        match delivery {
            Delivery::Frame(ServerFrame::Welcome(welcome)) => {
                assert!(client.joined.is_none(), "a second welcome");
                self.summary.welcomes += 1;
                let bound = self.bound.get(&welcome.session);
                assert!(
                    bound.is_none_or(|key| client.proved.contains(&Some(*key))),
                    "a session goes to a client that has not proved its key"
                );
                // Which of several `join`s was accepted is not known.
                if let (Some(Some(key)), 1) = (client.proved.first(), client.proved.len()) {
                    self.bound.entry(welcome.session).or_insert(*key);
                }
                client.joined = Some((welcome.username, welcome.session));
                self.resumable.push((welcome.token, welcome.log_id));
            }
            Delivery::Frame(ServerFrame::Error(error)) => {
                assert!(ErrorCode::from_number(error.code).is_some(), "an unknown error code");
            }
            Delivery::Frame(_) => {}
            Delivery::Entries { entries, .. } => {
                assert!(
                    entries.is_sorted_by(|a, b| a.sequence < b.sequence),
                    "a page out of order"
                );
                self.summary.pages += 1;
            }
            Delivery::Subscribe(room) => assert!(client.rooms.insert(room), "subscribed twice"),
            Delivery::Unsubscribe(room) => assert!(client.rooms.remove(&room), "never subscribed"),
            Delivery::Mark => client.marks += 1,
            Delivery::Close => {
                client.is_closed = true;
                self.disconnect(connection);
            }
        }
    }

    /// Checks that no two connected users have the same session or the same name.
    fn check_names(&self) {
        let (mut names, mut sessions) = (BTreeSet::new(), BTreeSet::new());
        for (name, session) in self.clients.values().filter_map(|it| it.joined.as_ref()) {
            let name = pi_chat::model::Username::new(name).unwrap();
            assert!(names.insert(name.key().as_str().to_owned()), "a name is held twice");
            assert!(sessions.insert(session.0), "a session is connected twice");
        }
    }
}
