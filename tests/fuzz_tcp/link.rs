//! The client's engine against a server that sends anything, driven by bytes: connections that
//! fail, break and are given up, frames of all kinds in any order, requests, time that passes.
//! After every step the promises of the engine to its driver and to the user are checked.

use std::collections::BTreeSet;
use std::ops::Add;
use std::time::Duration;

use pi_chat::link::{EndReason, Input, Link, Output, SavedSession, Settings};
use pi_chat::model::{
    ChatCommand, Command, ErrorCode, Event, LogId, Moment, Password, PeerCommand, Reference,
    Request, RequestTag, RoomSelector, SearchRequest, Sequence, SessionId, Style, Timestamp, Token,
};
use pi_chat::wire::tcp::{
    Accepted, ClientFrame, Decoded, DirectEntry, End, Entered, Entry, Error, Left, Notice, Ping,
    Pong, Presence, Roster, ServerFrame, ServerHello, Welcome,
};

use super::bytes::Bytes;

/// Largest number of outputs of the link for one input: at its end it reports up to 1,000
/// unanswered requests, and after a welcome it sends them.
const MAX_OUTPUTS: usize = 2_100;

/// Totals of one or more runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    /// Number of joins that the link has reported.
    pub(crate) joins: usize,
    /// Number of messages shown.
    pub(crate) shown: usize,
    /// Number of messages of the user that were answered or reported as unsent.
    pub(crate) answers: usize,
}

impl Add for Summary {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            joins: self.joins + other.joins,
            shown: self.shown + other.shown,
            answers: self.answers + other.answers,
        }
    }
}

/// Connection as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    /// There is none, and none is wanted.
    Closed,
    /// The link has asked for one.
    Wanted,
    /// It is open. The value is true once the server has sent `server_hello`.
    Open(bool),
}

/// The link with the driver's view of it.
struct World {
    /// The engine under test.
    link: Link,
    /// Virtual time since the start.
    elapsed: Duration,
    /// The connection.
    connection: Connection,
    /// Time of the last scheduled wake-up; `None` if there is none.
    wake_at: Option<Moment>,
    /// Numbers of the user's messages that are not answered yet; their tags.
    unanswered: BTreeSet<u64>,
    /// Number of messages requested.
    messages: u64,
    /// References of messages that the link has sent, for the server to answer.
    references: Vec<Reference>,
    /// Session that the link has saved last.
    saved: Option<SavedSession>,
    /// True once the link has ended.
    has_ended: bool,
    /// Totals so far.
    summary: Summary,
}

/// Runs a link through the events that the bytes stand for, and ends it.
pub(crate) fn run(bytes: &[u8]) -> Summary {
    let mut bytes = Bytes(bytes);
    let choice = bytes.u8();
    let settings = Settings {
        username: bytes.name(),
        rooms: (0..choice % 3).map(|_| bytes.name()).collect(),
        password: (choice & 4 != 0).then(|| Password("secret".to_owned())),
        invite: None,
        observe: choice & 8 == 0,
        retry_first_connect: choice & 16 == 0,
        can_prompt: choice & 32 == 0,
        can_ask_name: choice & 64 == 0,
        takes_invited_name: false,
        program: "fuzz",
        version: "1",
        seed: 7,
    };
    let mut world = World {
        link: Link::new(settings),
        elapsed: Duration::ZERO,
        connection: Connection::Closed,
        wake_at: None,
        unanswered: BTreeSet::new(),
        messages: 0,
        references: Vec::new(),
        saved: None,
        has_ended: false,
        summary: Summary::default(),
    };
    world.carry_out();
    while !bytes.0.is_empty() && !world.has_ended {
        world.step(&mut bytes);
    }
    world.request(Command::Quit);
    assert!(world.has_ended, "the link goes on after `Quit`");
    assert!(world.unanswered.is_empty(), "messages without an answer: {:?}", world.unanswered);
    world.summary
}

impl World {
    /// Returns the current virtual time.
    fn now(&self) -> Moment {
        Moment::START + self.elapsed
    }

    /// Lets one event happen.
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match (bytes.u8() % 16, self.connection) {
            (0, _) => self.advance(Duration::from_millis(bytes.number().min(600_000) * 50)),
            (1 | 2, _) => self.make_request(bytes),
            (3, Connection::Open(_)) if bytes.u8().is_multiple_of(4) => {
                self.connection = Connection::Closed;
                self.input(Input::Disconnected { reason: String::new() });
            }
            (_, Connection::Wanted) => self.end_attempt(bytes),
            (_, Connection::Closed) => self.advance(Duration::from_secs(1)),
            (_, Connection::Open(_)) => {
                let received = self.received(bytes);
                self.receive(received);
            }
        }
    }

    /// Lets time pass; wakes the link if it has asked for that.
    fn advance(&mut self, time: Duration) {
        self.elapsed += time;
        if self.wake_at.is_some_and(|it| it <= self.now()) {
            self.wake_at = None;
            self.input(Input::Wake);
        }
    }

    /// Ends the connection attempt: most succeed, and the server greets.
    fn end_attempt(&mut self, bytes: &mut Bytes<'_>) {
        if bytes.u8().is_multiple_of(8) {
            self.connection = Connection::Closed;
            self.input(Input::ConnectFailed { reason: String::new() });
            return;
        }
        self.connection = Connection::Open(false);
        let saved = self.saved.clone().filter(|_| bytes.u8().is_multiple_of(2));
        self.input(Input::Connected { saved, proof: None });
        for frame in [Self::hello(bytes).into(), Self::welcome(bytes).into()] {
            if bytes.u8().is_multiple_of(16) {
                return;
            }
            self.receive(Decoded::Frame(frame));
        }
        let end = End {
            about: 2,
            reference: Reference::NONE,
            head: Sequence(bytes.number()),
            flags: bytes.u8(),
        };
        self.receive(Decoded::Frame(end.into()));
    }

    /// Passes what the server has sent to the link, if there is a connection.
    fn receive(&mut self, received: Decoded<ServerFrame>) {
        if let Connection::Open(is_greeted) = &mut self.connection {
            *is_greeted |= matches!(received, Decoded::Frame(ServerFrame::ServerHello(_)));
            self.input(Input::Received(received));
        }
    }

    /// Makes a request of the user.
    fn make_request(&mut self, bytes: &mut Bytes<'_>) {
        let room = match bytes.u8() % 4 {
            0 => RoomSelector::First,
            1 => RoomSelector::Only,
            _ => RoomSelector::Named(bytes.name()),
        };
        let command = match bytes.u8() % 20 {
            0 => ChatCommand::Enter { room: bytes.name() },
            1 => ChatCommand::Leave { room },
            2 => ChatCommand::History {
                room,
                before: (bytes.u8().is_multiple_of(2)).then(|| Sequence(bytes.number())),
                limit: bytes.u8().into(),
            },
            3 => ChatCommand::Members { room },
            4 => ChatCommand::Search(SearchRequest {
                text: bytes.text(),
                limit: bytes.u8().into(),
                ..SearchRequest::default()
            }),
            5 => return self.request(Command::Password(Password(bytes.text()))),
            6 => return self.request(Command::Name(bytes.name())),
            7 => {
                let is_forced = bytes.u8().is_multiple_of(2);
                return self.request(Command::Reconnect { is_forced });
            }
            8 => return self.request(Command::Peer(PeerCommand::Peers)),
            9 if bytes.u8().is_multiple_of(8) => {
                let patience = Duration::from_secs(bytes.u8().into());
                return self.request(Command::Finish { patience });
            }
            10..14 => {
                let session = (bytes.u8().is_multiple_of(4)).then(|| SessionId(bytes.number()));
                ChatCommand::Direct {
                    to: bytes.name(),
                    session,
                    style: Style(bytes.u8()),
                    text: bytes.text(),
                }
            }
            _ => ChatCommand::Say { room, style: Style(bytes.u8()), text: bytes.text() },
        };
        let mut tag = RequestTag::default();
        if matches!(command, ChatCommand::Say { .. } | ChatCommand::Direct { .. }) {
            self.messages += 1;
            self.unanswered.insert(self.messages);
            tag = RequestTag(Some(self.messages.to_string().into()));
        }
        self.input(Input::Request(Request { tag, command: Command::Chat(command) }));
    }

    /// Makes a request without a tag.
    fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Passes an input to the link, and carries out what it asks for.
    fn input(&mut self, input: Input) {
        self.link.handle_input(self.now(), input);
        self.carry_out();
    }

    /// Carries out all outputs of the link, and checks them.
    fn carry_out(&mut self) {
        let mut count = 0;
        while let Some(output) = self.link.poll_output() {
            count += 1;
            assert!(count <= MAX_OUTPUTS, "too many outputs for one input");
            assert!(!self.has_ended, "{output:?} after the end");
            self.perform(output);
        }
    }

    /// Carries out one output, and checks it.
    fn perform(&mut self, output: Output) {
        match output {
            Output::Connect { .. } => {
                assert!(!matches!(self.connection, Connection::Open(_)), "connected twice");
                self.connection = Connection::Wanted;
            }
            Output::Send(frame) => {
                // A join that is sent earlier could arrive late, by a connection that was given up.
                let Connection::Open(is_greeted) = self.connection else {
                    panic!("{frame:?} without a connection");
                };
                let is_pong = matches!(frame, ClientFrame::Pong(_));
                assert!(is_greeted || is_pong, "{frame:?} before the greeting");
                match frame {
                    ClientFrame::Say(say) => self.references.push(say.reference),
                    ClientFrame::Direct(direct) => self.references.push(direct.reference),
                    _ => {}
                }
            }
            Output::Disconnect | Output::Abandon => {
                assert!(matches!(self.connection, Connection::Open(_)), "no connection to end");
                self.connection = Connection::Closed;
            }
            Output::Event(event) => self.show(event),
            Output::Persist(saved) => self.saved = Some(saved),
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::Finished(end) => {
                self.has_ended = true;
                if let EndReason::Left { unsent, .. } = end {
                    assert!(unsent as u64 <= self.messages, "more unsent messages than there were");
                }
            }
        }
    }

    /// Notes what the user is shown.
    fn show(&mut self, event: Event) {
        let tag = match event {
            Event::JoinedServer(_) => {
                self.summary.joins += 1;
                return;
            }
            Event::Message(_) | Event::Direct(_) => {
                self.summary.shown += 1;
                return;
            }
            Event::Acknowledged { tag, .. } | Event::Unsent { tag, .. } => tag,
            Event::Refused(refusal) => refusal.tag,
            _ => return,
        };
        if let Some(number) = tag.0 {
            let number = number.parse().unwrap();
            assert!(self.unanswered.remove(&number), "a second answer to message {number}");
            self.summary.answers += 1;
        }
    }

    /// Returns a frame of the server, or what is left of one that could not be decoded.
    fn received(&self, bytes: &mut Bytes<'_>) -> Decoded<ServerFrame> {
        let reference = self.reference(bytes);
        let (flags, members) = (bytes.u8(), u32::from(bytes.u8()));
        let names = |bytes: &mut Bytes<'_>| (0..bytes.u8() % 4).map(|_| bytes.name()).collect();
        let frame: ServerFrame = match bytes.u8() % 24 {
            0 if bytes.u8().is_multiple_of(4) => Self::hello(bytes).into(),
            1 if bytes.u8().is_multiple_of(4) => Self::welcome(bytes).into(),
            2 => Entered { reference, room: bytes.name(), flags, members }.into(),
            3 => Left { reference, room: bytes.name() }.into(),
            4 => {
                let about = u16::from(bytes.u8() % 13);
                End { about, reference, head: Sequence(bytes.number()), flags }.into()
            }
            5 => {
                Roster { reference, room: bytes.name(), flags, members, names: names(bytes) }.into()
            }
            6 => {
                let (room, joined, left) = (bytes.name(), names(bytes), names(bytes));
                Presence { room, flags, members, joined, left }.into()
            }
            7 | 8 => Accepted { reference }.into(),
            9 => Notice { code: bytes.u8().into(), text: bytes.text() }.into(),
            10 => Ping { token: bytes.number() }.into(),
            11 => Pong { token: bytes.number() }.into(),
            12 | 13 => self.error(reference, bytes).into(),
            14 => return Decoded::Ignored,
            15 if bytes.u8().is_multiple_of(16) => return Decoded::Malformed(bytes.u8().into()),
            16 | 17 => DirectEntry {
                flags,
                sequence: Sequence(bytes.number()),
                from_session: SessionId(bytes.number()),
                from: bytes.name(),
                to_session: SessionId(bytes.number()),
                to: bytes.name(),
                time: Timestamp(bytes.number()),
                reference,
                style: bytes.u8(),
                text: bytes.text(),
                from_person: SessionId(bytes.number()),
            }
            .into(),
            _ => Entry {
                flags,
                sequence: Sequence(bytes.number()),
                previous: Sequence(bytes.number()),
                room: bytes.name(),
                session: SessionId(bytes.number()),
                username: bytes.name(),
                time: Timestamp(bytes.number()),
                reference,
                style: bytes.u8(),
                text: bytes.text(),
                person: SessionId(bytes.number()),
            }
            .into(),
        };
        Decoded::Frame(frame)
    }

    /// Returns the reference of a message that the link has sent, or any other.
    fn reference(&self, bytes: &mut Bytes<'_>) -> Reference {
        let choice = usize::from(bytes.u8());
        let sent = choice.checked_rem(self.references.len() * 2);
        let sent = sent.and_then(|it| self.references.get(it)).copied();
        sent.unwrap_or(Reference(bytes.number()))
    }

    /// Returns an error; the final ones are rare.
    fn error(&self, reference: Reference, bytes: &mut Bytes<'_>) -> Error {
        let code = ErrorCode::ALL[usize::from(bytes.u8()) % ErrorCode::ALL.len()];
        let is_rare = code.is_final() && !bytes.u8().is_multiple_of(8);
        let code = if is_rare { ErrorCode::NotStored } else { code };
        let about = u16::from(bytes.u8() % 13);
        Error { retry_after: bytes.u8().into(), ..Error::about(code, about, reference) }
    }

    /// Returns a `server_hello`, of our version in most cases.
    fn hello(bytes: &mut Bytes<'_>) -> ServerHello {
        let version = if bytes.u8().is_multiple_of(32) { bytes.u8().into() } else { 1 };
        ServerHello {
            version,
            min_version: version,
            max_version: version,
            features: bytes.number(),
            server_program: String::new(),
            server_version: String::new(),
            challenge: [0; 32],
            server_key: [0; 32],
        }
    }

    /// Returns a `welcome`, of one of few sessions and logs.
    fn welcome(bytes: &mut Bytes<'_>) -> Welcome {
        Welcome {
            session: SessionId(u64::from(bytes.u8() % 4)),
            username: bytes.name(),
            token: Token([bytes.u8() % 4; 16]),
            flags: bytes.u8(),
            last_reference: Reference(bytes.number()),
            log_id: LogId([bytes.u8() % 3; 16]),
            time: Timestamp(bytes.number()),
            server_name: bytes.name(),
            rooms: (0..bytes.u8() % 4).map(|_| bytes.name()).collect(),
            max_text: bytes.u8().into(),
            max_rooms: 16,
            history_length: 10,
            ping_interval: bytes.u8().into(),
            idle_timeout: bytes.u8().into(),
            session_lifetime: 60,
            burst: 10,
            per_minute: 10,
            keep_days: 0,
            keep_messages: 0,
            keep_bytes: 0,
        }
    }
}
