//! Test harness: a hub, a simulated log, and clients that record what they receive.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::hub::ReplicationRequest;
use crate::hub::{
    ConnectionId, Delivery, FactTicket, HeldName, Hub, HubId, Input, Now, Output, Proposal, Quota,
    ReadFailed, ReadOutcome, ReadRequest, ReadTag, RestoredState, RoomId, VolatileDraft,
};
use crate::identity::ProofContext;
use crate::model::{
    Draft, ErrorCode, FactDraft, HubSettings, LogId, Moment, PersonReadMarks, Position, Sequence,
    SessionId, SessionRecord, SharedEntry, SharedFact, Timestamp, Token,
};
use crate::moderation::ModerationState;
use crate::wire::tcp::{ClientFrame, Decoded, Join, Welcome, entry_frame};

use super::frames::{ClientEvent, hello, join, summarize, welcome};

/// Proposal that waits for the simulated log.
#[derive(Clone, Debug)]
pub(super) enum PendingDraft {
    /// Message.
    Message(Draft),
    /// Fact with its ticket.
    Fact(FactTicket, FactDraft),
}

/// Log identifier used by all tests.
pub(super) const LOG: LogId = LogId([7; 16]);

/// Connection of a client, as the driver sees it.
#[derive(Default)]
pub(super) struct ClientConnection {
    /// Subscribed rooms, each with the sequence after which the client receives the room's entries.
    subscribed: BTreeMap<RoomId, Sequence>,
    /// Sequence up to which all entries were sent to the connection. Later deliveries must not come
    /// before it.
    sent_up_to: Sequence,
    /// Frames and close events received since they were last taken.
    pub(super) received: Vec<ClientEvent>,
    /// True if a flow-control mark was delivered but not reached.
    mark_pending: bool,
    /// True if the connection is closed. Nothing may be delivered then.
    closed: bool,
    /// True if the client has disconnected. Deliveries are then discarded.
    disconnected: bool,
}

/// Test harness around a hub: virtual clock, simulated log and clients.
pub(super) struct Harness {
    /// The hub under test.
    pub(super) hub: Hub,
    /// Another hub of the same log, without clients. It gets the same committed items.
    pub(super) observer: Option<Hub>,
    /// Current moment of the virtual clock.
    pub(super) now: Moment,
    /// Wall-clock time at the start, in milliseconds.
    pub(super) start_time_ms: u64,
    /// Committed entries of the simulated log.
    pub(super) log: Vec<SharedEntry>,
    /// Committed facts of the simulated log.
    pub(super) facts: Vec<SharedFact>,
    /// Fold of the facts.
    pub(super) moderation: ModerationState,
    /// Answers to requests of the command line, with the numbers of the requests.
    pub(super) owner_answers: Vec<(u64, Result<u32, ErrorCode>)>,
    /// Text of the last refusal of such a request; empty before the first one.
    pub(super) owner_text: String,
    /// Client connections by identifier.
    pub(super) clients: BTreeMap<ConnectionId, ClientConnection>,
    /// Moment of the hub's last `WakeAt`; `None` before the first one, and after each wake.
    pub(super) wake_at: Option<Moment>,
    /// Number of connected users in the hub's last output.
    pub(super) connected_users: usize,
    /// True if the log answers only when a test tells it to. Volatile changes are not meant: see
    /// [`Self::delays_volatile`].
    pub(super) manual_log: bool,
    /// True if the log commits volatile changes only when a test tells it to. Otherwise it does at
    /// once, even if it is manual.
    pub(super) delays_volatile: bool,
    /// Maximum number of entries in a replay page that the log returns.
    pub(super) page_limit: u16,
    /// Queue of messages and facts that the log has not committed.
    pub(super) pending_drafts: VecDeque<PendingDraft>,
    /// Queue of volatile changes that the log has not committed.
    pub(super) pending_volatile: VecDeque<VolatileDraft>,
    /// Persons whose session each session was at some time, by their numbers.
    pub(super) persons: HashMap<SessionId, BTreeSet<SessionId>>,
    /// Number of the session that the log has begun last; 0 before the first one.
    pub(super) last_session: u64,
    /// Number of the hold on a name that the log has assigned last; 0 before the first one.
    pub(super) last_hold: u64,
    /// Queue of reads that the log has not performed.
    pub(super) pending_reads: VecDeque<(ReadTag, ReadRequest)>,
    /// Queue of outcomes of performed reads that were not passed to the hub.
    pub(super) pending_outcomes: VecDeque<(ReadTag, Result<ReadOutcome, ReadFailed>)>,
    /// Read requests of the hub so far.
    pub(super) read_requests: Vec<ReadRequest>,
    /// Session records persisted so far.
    pub(super) persisted_sessions: Vec<SessionRecord>,
    /// Read marks that were to be stored so far, one list for each write.
    pub(super) kept_marks: Vec<Vec<PersonReadMarks>>,
    /// Sessions deleted so far.
    pub(super) deleted_sessions: Vec<SessionId>,
    /// What was handed over to other hubs so far.
    pub(super) handed_over: Vec<(HubId, Vec<HeldName>)>,
    /// Rooms closed so far.
    pub(super) closed_rooms: Vec<RoomId>,
    /// Address groups that have reached a limit so far, each with the limit.
    pub(super) reached_quotas: Vec<(String, Quota)>,
    /// What followers have asked for.
    pub(super) replications: Vec<(ConnectionId, ReplicationRequest)>,
    /// What followers have taken: position and bytes.
    pub(super) replicated: Vec<(Sequence, u64)>,
    /// Number of the last created connection; 0 before the first one.
    pub(super) last_connection: u64,
}

/// Returns the moment `millis` milliseconds after the start of the clock.
pub(super) fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

/// Returns the address of a client in a crowd. Ten consecutive numbers share an address.
pub(super) fn crowd_address(number: u64) -> IpAddr {
    let number = u32::try_from(number / 10).unwrap();
    IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number))
}

impl Harness {
    /// Creates a harness with default settings.
    pub(super) fn new() -> Self {
        Self::with(HubSettings::default())
    }

    /// Creates a harness with these settings.
    pub(super) fn with(settings: HubSettings) -> Self {
        Self {
            hub: Hub::new(
                Now { moment: at(1_000), time: Timestamp(1_000_000) },
                settings,
                RestoredState::empty(LOG),
            ),
            observer: None,
            now: at(1_000),
            start_time_ms: 1_000_000,
            log: Vec::new(),
            facts: Vec::new(),
            moderation: ModerationState::default(),
            owner_answers: Vec::new(),
            owner_text: String::new(),
            clients: BTreeMap::new(),
            wake_at: None,
            connected_users: 0,
            manual_log: false,
            delays_volatile: false,
            page_limit: u16::MAX,
            pending_drafts: VecDeque::new(),
            pending_volatile: VecDeque::new(),
            persons: HashMap::new(),
            last_session: 0,
            last_hold: 0,
            pending_reads: VecDeque::new(),
            pending_outcomes: VecDeque::new(),
            read_requests: Vec::new(),
            persisted_sessions: Vec::new(),
            kept_marks: Vec::new(),
            deleted_sessions: Vec::new(),
            handed_over: Vec::new(),
            closed_rooms: Vec::new(),
            reached_quotas: Vec::new(),
            replications: Vec::new(),
            replicated: Vec::new(),
            last_connection: 0,
        }
    }

    /// Passes an input to the hub and performs its outputs. Then lets the log answer, unless the
    /// log is manual; volatile changes are committed all the same, unless they are delayed.
    pub(super) fn input(&mut self, input: Input) {
        let now = self.current_time();
        if let (Input::Committed { items }, Some(observer)) = (&input, &mut self.observer) {
            let items = items.clone();
            observer.handle_input(now, Input::Committed { items });
            while observer.poll_output().is_some() {}
        }
        self.hub.handle_input(now, input);
        self.run_outputs();
        if !self.delays_volatile {
            self.commit_volatile(usize::MAX);
        }
        if !self.manual_log {
            self.run_log();
        }
    }

    /// Returns the current time of both clocks.
    pub(super) fn current_time(&self) -> Now {
        let passed = self.now.since(at(1_000)).as_millis();
        let time = Timestamp(self.start_time_ms + u64::try_from(passed).unwrap());
        Now { moment: self.now, time }
    }

    /// Performs all outputs of the hub.
    pub(super) fn run_outputs(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            self.apply_output(output);
        }
    }

    /// Performs one output as the driver does. Asserts that it obeys the contract.
    fn apply_output(&mut self, output: Output) {
        match output {
            Output::Propose(Proposal::Message(draft)) => {
                let is_kept = self.persisted_sessions.iter().any(|it| it.session == draft.session);
                assert!(is_kept, "a session must be persisted before its first message");
                self.pending_drafts.push_back(PendingDraft::Message(draft));
            }
            Output::Propose(Proposal::Fact { ticket, draft }) => {
                self.pending_drafts.push_back(PendingDraft::Fact(ticket, draft));
            }
            Output::Moderated { id, outcome } => {
                if let Err(refusal) = &outcome {
                    self.owner_text.clone_from(&refusal.text);
                }
                self.owner_answers.push((id.0, outcome.map_err(|it| it.code)));
            }
            Output::Read { tag, request } => {
                self.read_requests.push(request.clone());
                self.pending_reads.push_back((tag, request));
            }
            Output::Publish { room, entry } => {
                for client in self.clients.values_mut() {
                    if client.subscribed.get(&room).is_some_and(|after| entry.sequence > *after) {
                        assert!(!client.closed);
                        assert!(entry.sequence > client.sent_up_to, "an entry is out of order");
                        client.sent_up_to = entry.sequence;
                        client.received.push(ClientEvent::Frame(entry_frame(&entry, 0)));
                    }
                }
            }
            Output::Published { head } => {
                assert_eq!(head, self.head());
            }
            Output::Deliver { connection, after, delivery } => {
                self.deliver(connection, after, delivery);
            }
            Output::DeliverAll { connections, after, frame } => {
                for connection in connections {
                    self.deliver(connection, after, Delivery::Frame(frame.clone()));
                }
            }
            Output::RoomClosed { room } => {
                assert!(
                    self.clients.values().all(|it| it.closed || !it.subscribed.contains_key(&room))
                );
                self.closed_rooms.push(room);
            }
            Output::Propose(Proposal::PersistSession(record)) => {
                self.persisted_sessions.push(record);
            }
            Output::Propose(Proposal::KeepReadMarks(marks)) => self.kept_marks.push(marks),
            Output::Propose(Proposal::Volatile(VolatileDraft::RoomsChange { .. })) => {}
            Output::Propose(Proposal::Volatile(draft)) => self.pending_volatile.push_back(draft),
            Output::Propose(Proposal::HandOver { to, holds }) => self.handed_over.push((to, holds)),
            Output::Propose(Proposal::DeleteSession(session)) => {
                self.deleted_sessions.push(session);
            }
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::QuotaReached { group, quota } => {
                self.reached_quotas.push((group.to_string(), quota));
            }
            Output::Replicate { connection, request } => {
                self.replications.push((connection, request));
            }
            Output::Replicated { position, received, .. } => {
                self.replicated.push((position, received));
            }
            Output::ConnectedUsers(users) => {
                assert_ne!(users, self.connected_users);
                self.connected_users = users;
            }
        }
    }

    /// Delivers an item to a client as the driver does. Asserts the order of deliveries.
    fn deliver(&mut self, connection: ConnectionId, after: Sequence, delivery: Delivery) {
        let client = self.clients.get_mut(&connection).expect("a known connection");
        if client.disconnected {
            return;
        }
        assert!(!client.closed, "delivery after close: {delivery:?}");
        assert!(after >= client.sent_up_to, "a delivery is out of order");
        client.sent_up_to = after;
        match delivery {
            Delivery::Frame(frame) => client.received.push(ClientEvent::Frame(frame)),
            Delivery::Entries { entries, flags } => {
                assert!(entries.is_sorted_by(|a, b| a.sequence < b.sequence));
                client
                    .received
                    .extend(entries.iter().map(|it| ClientEvent::Frame(entry_frame(it, flags))));
            }
            Delivery::Subscribe(room) => {
                assert!(client.subscribed.insert(room, after).is_none());
            }
            Delivery::Unsubscribe(room) => assert!(client.subscribed.remove(&room).is_some()),
            Delivery::Mark => {
                assert!(!std::mem::replace(&mut client.mark_pending, true), "one mark at a time");
            }
            Delivery::Close => {
                client.closed = true;
                client.mark_pending = false;
                client.subscribed.clear();
                client.received.push(ClientEvent::Closed);
            }
        }
    }

    /// Reports the pending mark of one connection, that with the lowest identifier, as reached.
    /// Returns false if no connection has one.
    pub(super) fn reach_mark(&mut self) -> bool {
        let Some((id, client)) = self.clients.iter_mut().find(|(_, client)| client.mark_pending)
        else {
            return false;
        };
        client.mark_pending = false;
        let connection = *id;
        self.input(Input::MarkReached { connection });
        true
    }

    /// Advances the clock by this many milliseconds. Wakes the hub at each moment for which it has
    /// asked.
    pub(super) fn advance(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(wake_at) = self.wake_at.filter(|it| *it <= end) {
            self.now = self.now.max(wake_at);
            self.wake_at = None;
            self.input(Input::Wake);
        }
        self.now = end;
    }

    /// Connects a client from localhost. Sends no `hello`.
    pub(super) fn connect(&mut self) -> ConnectionId {
        self.connect_from(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Connects a client from an address. Sends no `hello`.
    pub(super) fn connect_from(&mut self, address: IpAddr) -> ConnectionId {
        self.connect_with(address, None)
    }

    /// Connects a client from an address; proofs on this connection sign `proof_context`. Sends no
    /// `hello`.
    pub(super) fn connect_with(
        &mut self,
        address: IpAddr,
        proof_context: Option<ProofContext>,
    ) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.last_connection.to_be_bytes());
        self.clients.insert(connection, ClientConnection::default());
        let proof_context = proof_context.map(Box::new);
        self.input(Input::Connected { connection, address, token: Token(token), proof_context });
        connection
    }

    /// Sends a frame from a client to the hub.
    pub(super) fn send(&mut self, connection: ConnectionId, frame: impl Into<ClientFrame>) {
        self.receive(connection, Decoded::Frame(frame.into()));
    }

    /// Passes a received frame to the hub, decodable or not.
    pub(super) fn receive(&mut self, connection: ConnectionId, frame: Decoded<ClientFrame>) {
        self.input(Input::Received { connection, frame });
    }

    /// Disconnects a client, which must exist, and reports that to the hub. Forgets what the client
    /// has received.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        let client = self.clients.get_mut(&connection).unwrap();
        (client.disconnected, client.closed, client.mark_pending) = (true, true, false);
        self.input(Input::Disconnected { connection });
        self.clients.remove(&connection);
    }

    /// Connects a client from localhost and sends `hello` with these features. Discards the answer.
    pub(super) fn connect_and_greet(&mut self, features: u64) -> ConnectionId {
        let connection = self.connect();
        self.send(connection, hello(features));
        self.take_received(connection);
        connection
    }

    /// Connects a client from an address, without features, and sends its `join`. Does not check
    /// the answer.
    pub(super) fn join_from(&mut self, address: IpAddr, join: Join) -> ConnectionId {
        let connection = self.connect_from(address);
        self.send(connection, hello(0));
        self.take_received(connection);
        self.send(connection, join);
        connection
    }

    /// Connects a client with the feature presence, and joins. Returns its connection and its
    /// welcome; discards all else that it has received. Panics if the `join` is refused, or if a
    /// manual log has not answered.
    pub(super) fn join(&mut self, name: &str, rooms: &[&str]) -> (ConnectionId, Welcome) {
        let connection = self.connect_and_greet(1);
        self.send(connection, join(name, rooms));
        let welcome = welcome(&self.take_received(connection));
        (connection, welcome)
    }

    /// Connects a client with the feature presence, and joins with a token. With a position too, if
    /// one is given. Does not check the answer.
    pub(super) fn resume(
        &mut self,
        name: &str,
        rooms: &[&str],
        token: Token,
        position: Option<u64>,
    ) -> ConnectionId {
        let connection = self.connect_and_greet(1);
        let position = position.map(|it| Position { log_id: LOG, sequence: Sequence(it) });
        self.send(connection, Join { token: Some(token), position, ..join(name, rooms) });
        connection
    }

    /// Removes and returns the events that a client has received since the last call.
    pub(super) fn take_received(&mut self, connection: ConnectionId) -> Vec<ClientEvent> {
        std::mem::take(&mut self.clients.get_mut(&connection).unwrap().received)
    }

    /// Removes the events that a client has received since the last call. Returns their summaries.
    pub(super) fn take_summaries(&mut self, connection: ConnectionId) -> Vec<String> {
        self.take_received(connection).iter().map(summarize).collect()
    }

    /// Adds a connection that the hub does not know, and returns its identifier.
    pub(super) fn add_unknown_connection(&mut self) -> ConnectionId {
        let connection = ConnectionId(u64::MAX);
        self.clients.insert(connection, ClientConnection::default());
        connection
    }

    /// Joins the lobby with a new client, whose connection and name `p…` have this number. Returns
    /// the number of outputs of the hub meanwhile. The harness answers reads and records the number
    /// of connected users, and ignores the other outputs.
    pub(super) fn join_counting_outputs(&mut self, number: u64) -> usize {
        let connection = ConnectionId(number);
        let now = Now { moment: self.now, time: Timestamp(0) };
        let mut token = [1; 16];
        token[..8].copy_from_slice(&number.to_be_bytes());
        let address = crowd_address(number);
        let join = ClientFrame::from(join(&format!("p{number}"), &[]));
        let mut count = 0;
        let mut inputs = VecDeque::from([
            Input::Connected { connection, address, token: Token(token), proof_context: None },
            Input::Received { connection, frame: Decoded::Frame(hello(1)) },
            Input::Received { connection, frame: Decoded::Frame(join) },
        ]);
        while let Some(input) = inputs.pop_front() {
            self.hub.handle_input(now, input);
            while let Some(output) = self.hub.poll_output() {
                count += 1;
                match output {
                    Output::Read { tag, request } => {
                        let outcome = self.read_log(&request);
                        inputs.push_back(Input::ReadDone { tag, outcome: Ok(outcome) });
                    }
                    Output::Propose(Proposal::Volatile(draft)) => {
                        let items = vec![self.assign_numbers(draft)];
                        inputs.push_back(Input::Committed { items });
                    }
                    Output::ConnectedUsers(users) => self.connected_users = users,
                    _ => {}
                }
            }
        }
        count
    }

    /// Returns true if the hub holds no state of any connection, session or room, and no usage of
    /// any address group.
    pub(super) fn is_empty(&self) -> bool {
        self.hub.connections.is_empty()
            && self.hub.half_closed.is_empty()
            && self.hub.quotas.is_empty(self.now)
            && self.hub.sessions.is_empty()
            && self.hub.pending_joins.is_empty()
            && self.hub.names.is_empty()
            && self.hub.waiting_names.is_empty()
            && self.hub.rooms.is_empty()
            && self.hub.facts.is_empty()
            && self.hub.reads.is_empty()
            && self.hub.backlog.is_empty()
    }
}
