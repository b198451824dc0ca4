//! Cases: the server's engine, with its log in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pi_chat::hub::{
    ConnectionId, Delivery, Hub, Input, LogItem, Now, Output, Proposal, RestoredState,
};
use pi_chat::log::{Log, LogEvent, MemoryLimits, MemoryLog};
use pi_chat::model::{
    Draft, HubSettings, LogId, MessageText, Moment, Reference, RoomName, SessionId, Style, Target,
    Timestamp, Token, Username,
};
use pi_chat::wire::tcp::{ClientFrame, Decoded, Hello, Join, MAGIC, Say, ServerFrame, feature};

use super::{Case, TEXT, measured};

/// Number of people in the lobby before a case begins.
const PEOPLE: u16 = 100;

/// Number of times that each case does what is counted.
const TIMES: u64 = 100;

/// Returns the cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("hub-say", TIMES, say),
        Case::new("hub-deliver-to-100", TIMES, deliver),
        Case::new("hub-join-room-of-100", TIMES, join),
        Case::new("log-memory-append", TIMES, append),
    ]
}

/// Returns the time in all cases.
pub(crate) fn now() -> Now {
    let moment = Moment::after_start(Duration::from_secs(1));
    Now { moment, time: Timestamp(1_700_000_000_000) }
}

/// Returns a message to the lobby on its way into the log.
pub(crate) fn draft(reference: u64) -> Draft {
    Draft {
        person: None,
        session: SessionId(1),
        username: Username::new("guest1").unwrap(),
        reference: Reference(reference),
        target: Target::Room(RoomName::lobby()),
        style: Style::SAID,
        text: MessageText::new(TEXT).unwrap(),
    }
}

/// The server's engine and its log.
struct Club {
    /// The engine.
    hub: Hub,
    /// The log.
    log: MemoryLog,
    /// Number of clients that were welcomed.
    welcomes: u64,
    /// Number of messages that were published.
    published: u64,
}

impl Club {
    /// Creates a server with this many people in the lobby, who want to know who comes and goes,
    /// and ten messages.
    fn new(people: u16) -> Self {
        let settings = HubSettings { burst: 100_000, ..HubSettings::default() };
        let restored = RestoredState::empty(LogId([7; 16]));
        let mut club = Self {
            hub: Hub::new(now(), settings, restored),
            log: MemoryLog::new(MemoryLimits::default()),
            welcomes: 0,
            published: 0,
        };
        for number in 1..=people {
            club.join(number);
        }
        for reference in 1..=10 {
            club.input(say_frame(reference));
        }
        assert_eq!((club.welcomes, club.published), (people.into(), 10));
        club
    }

    /// Has a newcomer with this number join the lobby, from an address of its own.
    fn join(&mut self, number: u16) {
        let connection = ConnectionId(number.into());
        let [high, low] = number.to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, high, low));
        let mut token = [7; 16];
        (token[0], token[1]) = (high, low);
        let token = Token(token);
        self.input(Input::Connected { connection, address, token, proof_context: None });
        let hello = Hello {
            magic: MAGIC,
            min_version: 1,
            max_version: 1,
            features: feature::PRESENCE,
            client_name: "counter".to_owned(),
            client_version: "1".to_owned(),
        };
        self.input(Input::Received { connection, frame: Decoded::Frame(hello.into()) });
        let join = Join {
            username: format!("guest{number}"),
            password: None,
            rooms: vec!["lobby".to_owned()],
            token: None,
            position: None,
            proof: None,
            invite: None,
        };
        self.input(Input::Received { connection, frame: Decoded::Frame(join.into()) });
    }

    /// Passes an input to the hub, and carries out what follows.
    fn input(&mut self, input: Input) {
        let mut outputs = self.hub_input(input);
        while !outputs.is_empty() {
            let mut inputs = Vec::new();
            for output in outputs.drain(..) {
                self.perform(output, &mut inputs);
            }
            while let Some(event) = self.poll_log() {
                inputs.push(event);
            }
            for input in inputs {
                outputs.extend(self.hub_input(input));
            }
        }
    }

    /// Passes an input to the hub, and returns the outputs.
    fn hub_input(&mut self, input: Input) -> Vec<Output> {
        self.hub.handle_input(now(), input);
        std::iter::from_fn(|| self.hub.poll_output()).collect()
    }

    /// Carries out an output. Adds what the hub has to know of it to `inputs`.
    fn perform(&mut self, output: Output, inputs: &mut Vec<Input>) {
        match output {
            Output::Propose(proposal) => self.log.propose(now(), vec![proposal]),
            Output::Read { tag, request } => self.log.read(tag, request),
            Output::Publish { .. } => self.published += 1,
            Output::Deliver { connection, delivery: Delivery::Mark, .. } => {
                inputs.push(Input::MarkReached { connection });
            }
            Output::Deliver { delivery: Delivery::Frame(frame), .. } => match frame {
                ServerFrame::Welcome(_) => self.welcomes += 1,
                ServerFrame::Error(error) => panic!("{error:?}"),
                _ => {}
            },
            _ => {}
        }
    }

    /// Returns the next event of the log, for the hub.
    fn poll_log(&mut self) -> Option<Input> {
        match self.log.poll_event(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(LogEvent::Committed { items, .. })) => {
                Some(Input::Committed { items })
            }
            Poll::Ready(Some(LogEvent::ReadDone { tag, outcome })) => {
                Some(Input::ReadDone { tag, outcome })
            }
            Poll::Pending => None,
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the input of a message of the first of the people.
fn say_frame(reference: u64) -> Input {
    let (reference, room, text) = (Reference(reference), "lobby".to_owned(), TEXT.to_owned());
    let frame: ClientFrame = Say { reference, room, style: 0, text }.into();
    Input::Received { connection: ConnectionId(1), frame: Decoded::Frame(frame) }
}

/// Counts the hub's step for a message that a client sends: until it is proposed to the log.
fn say() {
    let mut club = Club::new(PEOPLE);
    for reference in 11..11 + TIMES {
        let mut input = Some(say_frame(reference));
        let mut outputs = Vec::new();
        measured(&mut || outputs = input.take().map(|it| club.hub_input(it)).unwrap());
        assert!(outputs.iter().any(|it| matches!(it, Output::Propose(Proposal::Message(_)))));
        for output in outputs {
            club.perform(output, &mut Vec::new());
        }
        while let Some(committed) = club.poll_log() {
            club.input(committed);
        }
    }
    assert_eq!(club.published, 10 + TIMES);
}

/// Counts the hub's step for a message that the log has committed, to a room of [`PEOPLE`].
fn deliver() {
    let mut club = Club::new(PEOPLE);
    for reference in 11..11 + TIMES {
        let outputs = club.hub_input(say_frame(reference));
        for output in outputs {
            club.perform(output, &mut Vec::new());
        }
        let mut committed = club.poll_log();
        assert!(matches!(&committed, Some(Input::Committed { items })
            if matches!(items.as_slice(), [LogItem::Message(_)])));
        let mut outputs = Vec::new();
        measured(&mut || outputs = committed.take().map(|it| club.hub_input(it)).unwrap());
        assert!(outputs.iter().any(|it| matches!(it, Output::Publish { .. })));
    }
}

/// Counts what hub and log do when people join a room in which [`PEOPLE`] and more are told of it:
/// from the connection to the end of the latest messages.
fn join() {
    let mut club = Club::new(PEOPLE);
    let last = PEOPLE + u16::try_from(TIMES).unwrap();
    measured(&mut || (PEOPLE + 1..=last).for_each(|it| club.join(it)));
    assert_eq!(club.welcomes, u64::from(last));
}

/// Counts appends to a log in memory that has 1,000 messages.
fn append() {
    let mut log = MemoryLog::new(MemoryLimits::default());
    let mut append = |reference| {
        let mut proposals = vec![Proposal::Message(draft(reference))];
        let mut event = None;
        let mut work = || {
            log.propose(now(), std::mem::take(&mut proposals));
            event = Some(log.poll_event(&mut Context::from_waker(Waker::noop())));
        };
        if reference <= 1_000 {
            work()
        } else {
            measured(&mut work)
        }
        assert!(matches!(event, Some(Poll::Ready(Some(LogEvent::Committed { .. })))));
    };
    (1..=1_000 + TIMES).for_each(&mut append);
}
