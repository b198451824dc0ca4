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

use super::frames::{Got, hello, join, welcome, word};

/// The log of all tests.
pub(super) const LOG: LogId = LogId([7; 16]);

/// A connection as the driver has it.
#[derive(Default)]
pub(super) struct Line {
    /// Rooms whose entries it gets, each behind a sequence.
    subscribed: BTreeMap<RoomId, Sequence>,
    /// Up to here it has got everything.
    after: Sequence,
    /// What has come.
    pub(super) got: Vec<Got>,
    /// It has been asked to tell that it has come so far.
    marked: bool,
    /// Nothing may come any more.
    closed: bool,
    /// Whatever comes goes nowhere.
    gone: bool,
}

/// A hub with everything around it.
pub(super) struct Table {
    /// What is tested.
    pub(super) hub: Hub,
    /// The time.
    pub(super) now: Moment,
    /// What a clock on the wall showed when it all began.
    pub(super) wall: u64,
    /// The log.
    pub(super) log: Vec<SharedEntry>,
    /// The connections.
    pub(super) lines: BTreeMap<ConnectionId, Line>,
    /// When the hub wants to be woken.
    pub(super) wake_at: Option<Moment>,
    /// What it said last of how many people there are.
    pub(super) people: usize,
    /// The log answers only when told to.
    pub(super) delayed: bool,
    /// It brings no more than so many entries at a time to whoever comes back.
    pub(super) page: u16,
    /// Drafts that it has not taken.
    pub(super) drafts: VecDeque<Draft>,
    /// Reads that it has not done.
    pub(super) reads: VecDeque<(ReadTag, ReadRequest)>,
    /// Reads that were done but not told.
    pub(super) outcomes: VecDeque<(ReadTag, Result<ReadOutcome, ReadFailed>)>,
    /// All requests to read.
    pub(super) requests: Vec<ReadRequest>,
    /// Sessions that were to be kept.
    pub(super) kept: Vec<SessionRecord>,
    /// Sessions that have ended.
    pub(super) ended: Vec<SessionId>,
    /// Rooms that have been closed.
    pub(super) closed_rooms: Vec<RoomId>,
    /// The number of the last connection.
    pub(super) last: u64,
}

/// So long after the beginning.
pub(super) fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

impl Table {
    /// A table with ordinary settings.
    pub(super) fn new() -> Self {
        Self::with(HubSettings::default())
    }

    /// A table with these settings.
    pub(super) fn with(settings: HubSettings) -> Self {
        Self {
            hub: Hub::new(
                Now { moment: at(1_000), time: Timestamp(1_000_000) },
                settings,
                RestoredState::empty(LOG),
            ),
            now: at(1_000),
            wall: 1_000_000,
            log: Vec::new(),
            lines: BTreeMap::new(),
            wake_at: None,
            people: 0,
            delayed: false,
            page: u16::MAX,
            drafts: VecDeque::new(),
            reads: VecDeque::new(),
            outcomes: VecDeque::new(),
            requests: Vec::new(),
            kept: Vec::new(),
            ended: Vec::new(),
            closed_rooms: Vec::new(),
            last: 0,
        }
    }

    /// Gives the hub an input and does everything that comes of it.
    pub(super) fn input(&mut self, input: Input) {
        self.hub.handle_input(self.clocks(), input);
        self.obey();
        if !self.delayed {
            self.answer();
        }
    }

    /// What the clocks show.
    pub(super) fn clocks(&self) -> Now {
        let passed = self.now.since(at(1_000)).as_millis();
        let time = Timestamp(self.wall + u64::try_from(passed).unwrap());
        Now { moment: self.now, time }
    }

    /// Does everything that the hub has asked for.
    pub(super) fn obey(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            self.take(output);
        }
    }

    /// Does what the hub has asked for.
    fn take(&mut self, output: Output) {
        match output {
            Output::Append(draft) => {
                let is_kept = self.kept.iter().any(|it| it.session == draft.session);
                assert!(is_kept, "an author must be kept before what they say");
                self.drafts.push_back(draft);
            }
            Output::Read { tag, request } => {
                self.requests.push(request.clone());
                self.reads.push_back((tag, request));
            }
            Output::Publish { room, entry } => {
                for line in self.lines.values_mut() {
                    if line.subscribed.get(&room).is_some_and(|after| entry.sequence > *after) {
                        assert!(!line.closed);
                        assert!(entry.sequence > line.after, "an entry comes too late");
                        line.after = entry.sequence;
                        line.got.push(Got::Frame(entry_frame(&entry, 0)));
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
                    self.lines.values().all(|it| it.closed || !it.subscribed.contains_key(&room))
                );
                self.closed_rooms.push(room);
            }
            Output::PersistSession(record) => self.kept.push(record),
            Output::DeleteSession { session } => self.ended.push(session),
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::ConnectedUsers(people) => {
                assert_ne!(people, self.people);
                self.people = people;
            }
        }
    }

    /// Gives a line something, as the driver does.
    fn deliver(&mut self, connection: ConnectionId, after: Sequence, delivery: Delivery) {
        let line = self.lines.get_mut(&connection).expect("a connection that is known");
        if line.gone {
            return;
        }
        assert!(!line.closed, "nothing comes after the end: {delivery:?}");
        assert!(after >= line.after, "what comes must not be behind what has come");
        line.after = after;
        match delivery {
            Delivery::Frame(frame) => line.got.push(Got::Frame(frame)),
            Delivery::Entries { entries, flags } => {
                assert!(entries.is_sorted_by(|a, b| a.sequence < b.sequence));
                line.got.extend(entries.iter().map(|it| Got::Frame(entry_frame(it, flags))));
            }
            Delivery::Subscribe(room) => {
                assert!(line.subscribed.insert(room, after).is_none());
            }
            Delivery::Unsubscribe(room) => assert!(line.subscribed.remove(&room).is_some()),
            Delivery::Mark => {
                assert!(!std::mem::replace(&mut line.marked, true), "one mark at a time");
            }
            Delivery::Close => {
                line.closed = true;
                line.marked = false;
                line.subscribed.clear();
                line.got.push(Got::Closed);
            }
        }
    }

    /// A client takes up what it was given, if one has to.
    pub(super) fn mark(&mut self) -> bool {
        let Some((id, line)) = self.lines.iter_mut().find(|(_, line)| line.marked) else {
            return false;
        };
        line.marked = false;
        let connection = *id;
        self.input(Input::MarkReached { connection });
        true
    }

    /// Lets time pass, waking the hub whenever it asked for it.
    pub(super) fn pass(&mut self, millis: u64) {
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
        self.last += 1;
        let connection = ConnectionId(self.last);
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.last.to_be_bytes());
        self.lines.insert(connection, Line::default());
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
    pub(super) fn drop(&mut self, connection: ConnectionId) {
        let line = self.lines.get_mut(&connection).unwrap();
        (line.gone, line.closed, line.marked) = (true, true, false);
        self.input(Input::Disconnected { connection });
        self.lines.remove(&connection);
    }

    /// Somebody connects and greets.
    pub(super) fn greet(&mut self, features: u64) -> ConnectionId {
        let connection = self.connect();
        self.send(connection, hello(features));
        self.got(connection);
        connection
    }

    /// Somebody comes in, wanting to know who comes and goes.
    pub(super) fn come(&mut self, name: &str, rooms: &[&str]) -> (ConnectionId, Welcome) {
        let connection = self.greet(1);
        self.send(connection, join(name, rooms));
        let welcome = welcome(&self.got(connection));
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
        let connection = self.greet(1);
        let position = position.map(|it| Position { log_id: LOG, sequence: Sequence(it) });
        self.send(connection, Join { token: Some(token), position, ..join(name, rooms) });
        connection
    }

    /// What a connection has got since the last time.
    pub(super) fn got(&mut self, connection: ConnectionId) -> Vec<Got> {
        std::mem::take(&mut self.lines.get_mut(&connection).unwrap().got)
    }

    /// The same, in words.
    pub(super) fn words(&mut self, connection: ConnectionId) -> Vec<String> {
        self.got(connection).iter().map(word).collect()
    }

    /// A line of which the hub knows nothing.
    pub(super) fn unknown_line(&mut self) -> ConnectionId {
        let connection = ConnectionId(u64::MAX);
        self.lines.insert(connection, Line::default());
        connection
    }

    /// Somebody comes into the lobby, and what they get is only counted.
    pub(super) fn join_quietly(&mut self, number: u64) -> usize {
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
                        let outcome = self.find(&request);
                        inputs.push_back(Input::ReadDone { tag, outcome: Ok(outcome) });
                    }
                    Output::ConnectedUsers(people) => self.people = people,
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
