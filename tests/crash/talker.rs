//! Client of the crash test that chats and always reconnects: the real client's engine with a
//! socket.
//!
//! It replaces the real client's driver because the back-off between attempts grows to a minute.
//! Here virtual time skips it.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use pi_chat::link::{Input, Link, Output, Settings};
use pi_chat::model::{
    ChatCommand, Command, DirectMessage, Event, Message, Moment, Request, RequestTag, RoomSelector,
    Sequence, Style,
};
use pi_chat::os::Clock;
use pi_chat::wire::FrameReader;
use pi_chat::wire::tcp::{ClientFrame, ServerFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::link_settings::link_settings;

/// Names of the rooms.
pub(super) const ROOMS: [&str; 3] = ["attic", "cellar", "kitchen"];

/// Prefix of each talker's last message in a room.
pub(super) const LAST_PREFIX: &str = "last";

/// Maximum number of unacknowledged messages of a talker.
const MAX_UNACKNOWLEDGED: usize = 4;

/// Returns the two rooms of a talker.
pub(super) const fn rooms_of(number: usize) -> [&'static str; 2] {
    [ROOMS[number % 3], ROOMS[(number + 1) % 3]]
}

/// Stage of the test, the same for all talkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Joining: all talkers wait for each other, because a newcomer gets only the latest messages.
    Gathering,
    /// Sending messages.
    Talking,
    /// Sending the last message to each room.
    Leaving,
}

/// Recipient of a message.
#[derive(Clone, Debug)]
pub(super) enum Recipient {
    /// All members of a room.
    Room(&'static str),
    /// User with this name, by a direct message.
    Person(String),
}

/// Record of the messages that a talker has sent and received, and of its problems.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Recipients and texts of the messages sent, in order.
    pub(super) said: Vec<(Recipient, String)>,
    /// Texts of the acknowledged messages.
    pub(super) acknowledged: Vec<String>,
    /// Messages received in rooms, in order.
    pub(super) seen: Vec<Message>,
    /// Direct messages received, in order.
    pub(super) directs: Vec<DirectMessage>,
    /// Sequences of all messages received, in order.
    pub(super) sequences: Vec<Sequence>,
    /// Number of times that the talker was welcomed.
    pub(super) welcomes: usize,
    /// Unexpected events.
    pub(super) problems: Vec<String>,
}

impl fmt::Display for Record {
    /// Formats a summary of the progress.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { said, acknowledged, seen, welcomes, problems, .. } = self;
        let (said, acknowledged, seen) = (said.len(), acknowledged.len(), seen.len());
        write!(f, "in {welcomes} times, said {said}, of which {acknowledged} are acknowledged, ")?;
        write!(f, "saw {seen}, problems: {problems:?}")
    }
}

/// Client that sends and records messages.
pub(super) struct Talker {
    /// Number of the talker, part of its name.
    number: usize,
    /// The client's engine.
    link: Link,
    /// Source of real time.
    clock: Clock,
    /// Total back-off time that was skipped; virtual time is real time plus this.
    skipped_time: Duration,
    /// Random numbers for texts and recipients.
    random: fastrand::Rng,
    /// Current stage.
    stage: Stage,
    /// Record of messages, shared with the test.
    record: Rc<RefCell<Record>>,
    /// Notified when the record has changed.
    progress: Rc<watch::Sender<()>>,
}

impl Talker {
    /// Creates a talker that is not connected yet.
    pub(super) fn new(
        number: usize,
        seed: u64,
        record: Rc<RefCell<Record>>,
        progress: Rc<watch::Sender<()>>,
    ) -> Self {
        let link = Link::new(Settings {
            rooms: rooms_of(number).map(str::to_owned).to_vec(),
            retry_first_connect: true,
            ..link_settings(format!("talker{number}"), seed)
        });
        let random = fastrand::Rng::with_seed(seed);
        let (clock, skipped_time) = (Clock::start(), Duration::ZERO);
        let stage = Stage::Gathering;
        Self { number, link, clock, skipped_time, random, stage, record, progress }
    }

    /// Passes an input to the engine, at the current virtual time.
    fn input(&mut self, input: Input) {
        self.link.handle_input(self.clock.now() + self.skipped_time, input);
    }

    /// Runs the talker: connects, sends what the stage requires, and records what it receives.
    /// Returns only if the engine finishes, which is recorded as a problem.
    pub(super) async fn run(
        mut self,
        mut server: watch::Receiver<Option<SocketAddr>>,
        mut stage: watch::Receiver<Stage>,
    ) {
        let (mut stream, mut reader) = (None, FrameReader::from_server());
        let (mut wake, mut due) = (None, Vec::new());
        loop {
            let mut connect = None;
            while let Some(output) = self.link.poll_output() {
                match output {
                    Output::Connect { hello } => connect = Some(hello),
                    Output::Send(frame) => frame.encode(&mut due),
                    Output::Disconnect | Output::Abandon => stream = None,
                    Output::Event(event) => self.record_event(event),
                    Output::Persist(_) => {}
                    Output::WakeAt(moment) => wake = Some(moment),
                    Output::Finished(end) => return self.record_problem(&end),
                }
            }
            if let Some(hello) = connect {
                (reader, due) = (FrameReader::from_server(), Vec::new());
                ClientFrame::from(hello).encode(&mut due);
                stream = self.connect(&mut server).await;
                continue;
            }
            // A received echo may have made room for another message.
            if self.send_messages() {
                continue;
            }
            let Some(open) = &mut stream else {
                self.skip_wait(wake.take());
                continue;
            };
            if open.write_all(&std::mem::take(&mut due)).await.is_err() {
                stream = None;
                self.input(Input::Disconnected { reason: "writing".to_owned() });
                continue;
            }
            let mut buffer = [0; 16_384];
            tokio::select! {
                read = open.read(&mut buffer) => match read {
                    Ok(count @ 1..) => self.receive(&mut reader, &buffer[..count]),
                    _ => {
                        stream = None;
                        self.input(Input::Disconnected { reason: "reading".to_owned() });
                    }
                },
                () = self.sleep(wake) => {
                    wake = None;
                    self.input(Input::Wake);
                }
                Ok(()) = stage.changed() => self.stage = *stage.borrow_and_update(),
            }
        }
    }

    /// Connects as soon as there is a server. Returns `None` if the attempt fails.
    async fn connect(
        &mut self,
        server: &mut watch::Receiver<Option<SocketAddr>>,
    ) -> Option<TcpStream> {
        let address = server.wait_for(Option::is_some).await.unwrap().unwrap();
        let stream = TcpStream::connect(address).await;
        self.input(match &stream {
            Ok(_) => Input::Connected { saved: None, proof: None },
            Err(error) => Input::ConnectFailed { reason: error.to_string() },
        });
        stream.ok()
    }

    /// Passes received bytes to the engine, cut into frames.
    fn receive(&mut self, reader: &mut FrameReader, bytes: &[u8]) {
        self.input(Input::BytesReceived);
        let outcome = reader.feed(bytes, |body| {
            self.input(Input::Received(ServerFrame::decode(body)));
            true
        });
        if outcome.is_err() {
            self.record_problem(&"garbled");
        }
    }

    /// Skips the back-off: without a connection, virtual time jumps to the engine's next wake-up.
    fn skip_wait(&mut self, wake: Option<Moment>) {
        let Some(wake) = wake else { return self.record_problem(&"waits for ever") };
        self.skipped_time += wake.since(self.clock.now() + self.skipped_time);
        self.input(Input::Wake);
    }

    /// Returns a future that resolves at the engine's next wake-up.
    fn sleep(&self, wake: Option<Moment>) -> impl Future<Output = ()> + use<> {
        let at = wake.map(|it| {
            let real = Moment::START + it.since_start().saturating_sub(self.skipped_time);
            Instant::from_std(self.clock.instant(real))
        });
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Sends messages until [`MAX_UNACKNOWLEDGED`] are unacknowledged or nothing is left to send.
    /// Returns true if it sent any.
    fn send_messages(&mut self) -> bool {
        let mut has_sent = false;
        let unacknowledged = |record: &Record| record.said.len() - record.acknowledged.len();
        while self.stage != Stage::Gathering
            && unacknowledged(&self.record.borrow()) < MAX_UNACKNOWLEDGED
        {
            let Some((to, text)) = self.next_message() else { break };
            has_sent = true;
            self.record.borrow_mut().said.push((to.clone(), text.clone()));
            let (tag, style) = (RequestTag(Some(text.as_str().into())), Style::SAID);
            let task = match to {
                Recipient::Room(room) => {
                    ChatCommand::Say { room: RoomSelector::Named(room.to_owned()), style, text }
                }
                Recipient::Person(to) => ChatCommand::Direct { to, session: None, style, text },
            };
            self.input(Input::Request(Request { tag, command: Command::Chat(task) }));
        }
        has_sent
    }

    /// Returns recipient and text of the next message; `None` after the last message in each room.
    fn next_message(&mut self) -> Option<(Recipient, String)> {
        let record = self.record.borrow();
        let (number, said) = (self.number, record.said.len());
        let last = record.said.iter().filter(|it| it.1.starts_with(LAST_PREFIX)).count();
        let room = *rooms_of(number).get(last)?;
        if self.stage == Stage::Leaving {
            return Some((Recipient::Room(room), format!("{LAST_PREFIX} {number} {room}")));
        }
        let text = format!("{number} {said} {}", "x".repeat(self.random.usize(0..200)));
        // An author of a received message is a user who exists.
        let someone = self.random.choice(&record.seen).map(|it| it.from.clone());
        let to = match someone {
            Some(someone) if self.random.u8(0..8) == 0 => Recipient::Person(someone),
            _ => Recipient::Room(rooms_of(number)[self.random.usize(0..2)]),
        };
        Some((to, text))
    }

    /// Records an event of the engine.
    fn record_event(&mut self, event: Event) {
        let mut record = self.record.borrow_mut();
        match event {
            Event::Message(message) => {
                record.sequences.push(message.sequence);
                record.seen.push(message);
            }
            Event::Direct(message) => {
                record.sequences.push(message.sequence);
                record.directs.push(message);
            }
            Event::Acknowledged { tag, .. } => {
                record.acknowledged.push(tag.0.unwrap().as_ref().to_owned());
            }
            Event::JoinedServer(joined) => {
                let is_back = record.welcomes > 0;
                if joined.session_kept != is_back || joined.position_kept != is_back {
                    record.problems.push(format!("{joined:?}"));
                }
                record.welcomes += 1;
            }
            Event::Gap { .. }
            | Event::Refused(_)
            | Event::Problem { .. }
            | Event::Notice { .. }
            | Event::Unsent { .. } => record.problems.push(format!("{event:?}")),
            _ => return,
        }
        drop(record);
        self.progress.send_replace(());
    }

    /// Records an unexpected event.
    fn record_problem(&self, what: &dyn fmt::Debug) {
        self.record.borrow_mut().problems.push(format!("{what:?}"));
        self.progress.send_replace(());
    }
}
