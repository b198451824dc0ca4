//! What the tests sit at: a hub, a log, and clients that note what they get.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::hub::{
    ConnectionId, Delivery, Hub, Input, Now, Output, ReadFailed, ReadOutcome, ReadRequest, ReadTag,
    RestoredState, RoomId,
};
use crate::model::{
    Draft, HubSettings, LogId, Moment, Position, Sequence, SessionId, SessionRecord, SharedEntry,
    Timestamp, Token,
};
use crate::wire::tcp::{ClientFrame, Join, Received, Welcome, entry_frame};

use super::frames::{ClientEvent, hello, join, summarize, welcome};

/// The log of all tests.
pub(super) const LOG: LogId = LogId([7; 16]);

/// A connection as the driver has it.
#[derive(Default)]
pub(super) struct ClientConnection {
    /// Rooms whose entries it gets, each behind a sequence.
    subscribed: BTreeMap<RoomId, Sequence>,
    /// Up to here it has received everything.
    sent_up_to: Sequence,
    /// What has come.
    pub(super) received: Vec<ClientEvent>,
    /// It has been asked to tell that it has come so far.
    mark_pending: bool,
    /// Nothing may come any more.
    closed: bool,
    /// Whatever comes goes nowhere.
    disconnected: bool,
}

/// A hub with everything around it.
pub(super) struct Harness {
    /// What is tested.
    pub(super) hub: Hub,
    /// The time.
    pub(super) now: Moment,
    /// What a clock on the wall showed when it all began.
    pub(super) start_time_ms: u64,
    /// The log.
    pub(super) log: Vec<SharedEntry>,
    /// The connections.
    pub(super) clients: BTreeMap<ConnectionId, ClientConnection>,
    /// When the hub wants to be woken.
    pub(super) wake_at: Option<Moment>,
    /// What it said last of how many people there are.
    pub(super) connected_users: usize,
    /// The log answers only when told to.
    pub(super) manual_log: bool,
    /// It brings no more than so many entries at a time to whoever comes back.
    pub(super) page_limit: u16,
    /// Drafts that it has not taken.
    pub(super) pending_drafts: VecDeque<Draft>,
    /// Reads that it has not done.
    pub(super) pending_reads: VecDeque<(ReadTag, ReadRequest)>,
    /// Reads that were done but not told.
    pub(super) pending_outcomes: VecDeque<(ReadTag, Result<ReadOutcome, ReadFailed>)>,
    /// All requests to read.
    pub(super) read_requests: Vec<ReadRequest>,
    /// Sessions that were to be kept.
    pub(super) persisted_sessions: Vec<SessionRecord>,
    /// Sessions that have ended.
    pub(super) deleted_sessions: Vec<SessionId>,
    /// Rooms that have been closed.
    pub(super) closed_rooms: Vec<RoomId>,
    /// The number of the last connection.
    pub(super) last_connection: u64,
}

/// So long after the beginning.
pub(super) fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

impl Harness {
    /// A harness with ordinary settings.
    pub(super) fn new() -> Self {
        Self::with(HubSettings::default())
    }

    /// A harness with these settings.
    pub(super) fn with(settings: HubSettings) -> Self {
        Self {
            hub: Hub::new(
                Now { moment: at(1_000), time: Timestamp(1_000_000) },
                settings,
                RestoredState::empty(LOG),
            ),
            now: at(1_000),
            start_time_ms: 1_000_000,
            log: Vec::new(),
            clients: BTreeMap::new(),
            wake_at: None,
            connected_users: 0,
            manual_log: false,
            page_limit: u16::MAX,
            pending_drafts: VecDeque::new(),
            pending_reads: VecDeque::new(),
            pending_outcomes: VecDeque::new(),
            read_requests: Vec::new(),
            persisted_sessions: Vec::new(),
            deleted_sessions: Vec::new(),
            closed_rooms: Vec::new(),
            last_connection: 0,
        }
    }

    /// Gives the hub an input and does everything that comes of it.
    pub(super) fn input(&mut self, input: Input) {
        self.hub.handle_input(self.current_time(), input);
        self.run_outputs();
        if !self.manual_log {
            self.run_log();
        }
    }

    /// What the clocks show.
    pub(super) fn current_time(&self) -> Now {
        let passed = self.now.since(at(1_000)).as_millis();
        let time = Timestamp(self.start_time_ms + u64::try_from(passed).unwrap());
        Now { moment: self.now, time }
    }

    /// Does everything that the hub has asked for.
    pub(super) fn run_outputs(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            self.apply_output(output);
        }
    }

    /// Does what the hub has asked for.
    fn apply_output(&mut self, output: Output) {
        match output {
            Output::Append(draft) => {
                let is_kept = self.persisted_sessions.iter().any(|it| it.session == draft.session);
                assert!(is_kept, "an author must be kept before what they say");
                self.pending_drafts.push_back(draft);
            }
            Output::Read { tag, request } => {
                self.read_requests.push(request.clone());
                self.pending_reads.push_back((tag, request));
            }
            Output::Publish { room, entry } => {
                for client in self.clients.values_mut() {
                    if client.subscribed.get(&room).is_some_and(|after| entry.sequence > *after) {
                        assert!(!client.closed);
                        assert!(entry.sequence > client.sent_up_to, "an entry comes too late");
                        client.sent_up_to = entry.sequence;
                        client.received.push(ClientEvent::Frame(entry_frame(&entry, 0)));
                    }
                }
            }
            Output::Published { head } => {
                assert_eq!(head, self.log.last().unwrap().sequence);
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
            Output::PersistSession(record) => self.persisted_sessions.push(record),
            Output::DeleteSession { session } => self.deleted_sessions.push(session),
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::ConnectedUsers(users) => {
                assert_ne!(users, self.connected_users);
                self.connected_users = users;
            }
        }
    }

    /// Gives a line something, as the driver does.
    fn deliver(&mut self, connection: ConnectionId, after: Sequence, delivery: Delivery) {
        let client = self.clients.get_mut(&connection).expect("a connection that is known");
        if client.disconnected {
            return;
        }
        assert!(!client.closed, "nothing comes after the end: {delivery:?}");
        assert!(after >= client.sent_up_to, "what comes must not be behind what has come");
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

    /// A client takes up what it was given, if one has to.
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

    /// Lets time pass, waking the hub whenever it asked for it.
    pub(super) fn advance(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(wake_at) = self.wake_at.filter(|it| *it <= end) {
            self.now = self.now.max(wake_at);
            self.wake_at = None;
            self.input(Input::Wake);
        }
        self.now = end;
    }

    /// Somebody connects.
    pub(super) fn connect(&mut self) -> ConnectionId {
        self.connect_from(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Somebody connects from somewhere.
    pub(super) fn connect_from(&mut self, address: IpAddr) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.last_connection.to_be_bytes());
        self.clients.insert(connection, ClientConnection::default());
        self.input(Input::Connected { connection, address, token: Token(token) });
        connection
    }

    /// A frame comes.
    pub(super) fn send(&mut self, connection: ConnectionId, frame: impl Into<ClientFrame>) {
        self.receive(connection, Received::Frame(frame.into()));
    }

    /// Whatever comes.
    pub(super) fn receive(&mut self, connection: ConnectionId, frame: Received<ClientFrame>) {
        self.input(Input::Received { connection, frame });
    }

    /// A connection is gone.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        let client = self.clients.get_mut(&connection).unwrap();
        (client.disconnected, client.closed, client.mark_pending) = (true, true, false);
        self.input(Input::Disconnected { connection });
        self.clients.remove(&connection);
    }

    /// Somebody connects and greets.
    pub(super) fn connect_and_greet(&mut self, features: u64) -> ConnectionId {
        let connection = self.connect();
        self.send(connection, hello(features));
        self.take_received(connection);
        connection
    }

    /// Somebody comes in, wanting to know who comes and goes.
    pub(super) fn join(&mut self, name: &str, rooms: &[&str]) -> (ConnectionId, Welcome) {
        let connection = self.connect_and_greet(1);
        self.send(connection, join(name, rooms));
        let welcome = welcome(&self.take_received(connection));
        (connection, welcome)
    }

    /// Somebody comes back by a token, with a position or without.
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

    /// What a connection has received since the last time.
    pub(super) fn take_received(&mut self, connection: ConnectionId) -> Vec<ClientEvent> {
        std::mem::take(&mut self.clients.get_mut(&connection).unwrap().received)
    }

    /// The same, in summaries.
    pub(super) fn take_summaries(&mut self, connection: ConnectionId) -> Vec<String> {
        self.take_received(connection).iter().map(summarize).collect()
    }

    /// A line of which the hub knows nothing.
    pub(super) fn add_unknown_connection(&mut self) -> ConnectionId {
        let connection = ConnectionId(u64::MAX);
        self.clients.insert(connection, ClientConnection::default());
        connection
    }

    /// Somebody comes into the lobby, and what they get is only counted.
    pub(super) fn join_counting_outputs(&mut self, number: u64) -> usize {
        let connection = ConnectionId(number);
        let now = Now { moment: self.now, time: Timestamp(0) };
        let mut token = [1; 16];
        token[..8].copy_from_slice(&number.to_be_bytes());
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let join = ClientFrame::from(join(&format!("p{number}"), &[]));
        let mut count = 0;
        let mut inputs = VecDeque::from([
            Input::Connected { connection, address, token: Token(token) },
            Input::Received { connection, frame: Received::Frame(hello(1)) },
            Input::Received { connection, frame: Received::Frame(join) },
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
                    Output::ConnectedUsers(users) => self.connected_users = users,
                    _ => {}
                }
            }
        }
        count
    }

    /// Nothing is kept about anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.hub.connections.is_empty()
            && self.hub.half_closed.is_empty()
            && self.hub.connections_per_address.is_empty()
            && self.hub.sessions.is_empty()
            && self.hub.names.is_empty()
            && self.hub.rooms.is_empty()
            && self.hub.backlog.is_empty()
    }
}
