//! Somebody who talks, and is back by themselves whatever happens: the real
//! client's engine on a real socket.
//!
//! It is not the real client's driver for one reason: the waits between
//! attempts grow to a minute, and nobody wants to wait for that in a test.
//! Here the clock leaps over them.

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
use pi_chat::wire::tcp::ServerFrame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The rooms that are talked in.
pub(super) const ROOMS: [&str; 3] = ["attic", "cellar", "kitchen"];

/// How the last message of everybody begins.
pub(super) const LAST_PREFIX: &str = "last";

/// So many messages are under way at one time.
const MAX_UNACKNOWLEDGED: usize = 4;

/// Where somebody is: in two of the rooms.
pub(super) const fn rooms_of(number: usize) -> [&'static str; 2] {
    [ROOMS[number % 3], ROOMS[(number + 1) % 3]]
}

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// They wait until all are there, for a newcomer sees only the latest
    /// messages.
    Gathering,
    /// They talk.
    Talking,
    /// They say their last words.
    Leaving,
}

/// Whom something is said to.
#[derive(Clone, Debug)]
pub(super) enum Recipient {
    /// Everybody in a room.
    Room(&'static str),
    /// One person.
    Person(String),
}

/// What somebody has said and seen.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// What was said to whom, in this order.
    pub(super) said: Vec<(Recipient, String)>,
    /// Texts that were acknowledged.
    pub(super) acknowledged: Vec<String>,
    /// What was seen in rooms, in this order.
    pub(super) seen: Vec<Message>,
    /// What was seen of direct messages, in this order.
    pub(super) directs: Vec<DirectMessage>,
    /// The sequences of both, in this order.
    pub(super) sequences: Vec<Sequence>,
    /// How often they were let in.
    pub(super) welcomes: usize,
    /// What should not have happened.
    pub(super) problems: Vec<String>,
}

impl fmt::Display for Record {
    /// How far they have come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { said, acknowledged, seen, welcomes, problems, .. } = self;
        let (said, acknowledged, seen) = (said.len(), acknowledged.len(), seen.len());
        write!(f, "in {welcomes} times, said {said}, of which {acknowledged} are acknowledged, ")?;
        write!(f, "saw {seen}, problems: {problems:?}")
    }
}

/// Somebody who talks.
pub(super) struct Talker {
    /// Who it is.
    number: usize,
    /// The engine.
    link: Link,
    /// Shows real time.
    clock: Clock,
    /// So much time was skipped_time over.
    skipped_time: Duration,
    /// For what is said.
    random: fastrand::Rng,
    /// What they do.
    stage: Stage,
    /// What they do and see.
    record: Rc<RefCell<Record>>,
    /// Told when there is something new in it.
    progress: Rc<watch::Sender<()>>,
}

impl Talker {
    /// Somebody who is not there yet.
    pub(super) fn new(
        number: usize,
        seed: u64,
        record: Rc<RefCell<Record>>,
        progress: Rc<watch::Sender<()>>,
    ) -> Self {
        let link = Link::new(Settings {
            username: format!("talker{number}"),
            rooms: rooms_of(number).map(str::to_owned).to_vec(),
            password: None,
            observe: true,
            retry_first_connect: true,
            can_prompt: false,
            program: "crash",
            version: "",
            seed,
        });
        let random = fastrand::Rng::with_seed(seed);
        let (clock, skipped_time) = (Clock::start(), Duration::ZERO);
        let stage = Stage::Gathering;
        Self { number, link, clock, skipped_time, random, stage, record, progress }
    }

    /// Tells the engine what has happened.
    fn input(&mut self, input: Input) {
        self.link.handle_input(self.clock.now() + self.skipped_time, input);
    }

    /// Does what the stage says, for ever.
    pub(super) async fn run(
        mut self,
        mut server: watch::Receiver<Option<SocketAddr>>,
        mut stage: watch::Receiver<Stage>,
    ) {
        let (mut stream, mut reader) = (None, FrameReader::from_server());
        let (mut wake, mut due) = (None, Vec::new());
        loop {
            let mut connect = false;
            while let Some(output) = self.link.poll_output() {
                match output {
                    Output::Connect => connect = true,
                    Output::Send(frame) => frame.encode(&mut due),
                    Output::Disconnect => stream = None,
                    Output::Event(event) => self.record_event(event),
                    Output::Persist(_) => {}
                    Output::WakeAt(moment) => wake = Some(moment),
                    Output::Finished(end) => return self.record_problem(&end),
                }
            }
            if connect {
                (reader, due) = (FrameReader::from_server(), Vec::new());
                stream = self.connect(&mut server).await;
                continue;
            }
            // What was heard may be the answer that they waited for.
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

    /// Connects as soon as there is a server.
    async fn connect(
        &mut self,
        server: &mut watch::Receiver<Option<SocketAddr>>,
    ) -> Option<TcpStream> {
        let address = server.wait_for(Option::is_some).await.unwrap().unwrap();
        let stream = TcpStream::connect(address).await;
        self.input(match &stream {
            Ok(_) => Input::Connected { saved: None },
            Err(error) => Input::ConnectFailed { reason: error.to_string() },
        });
        stream.ok()
    }

    /// Takes what has come.
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

    /// There is no connection: it is already as late as the engine wants to wait.
    fn skip_wait(&mut self, wake: Option<Moment>) {
        let Some(wake) = wake else { return self.record_problem(&"waits for ever") };
        self.skipped_time += wake.since(self.clock.now() + self.skipped_time);
        self.input(Input::Wake);
    }

    /// Ready when the engine wants to be woken.
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

    /// Says what there is to say, as far as what was said before is
    /// acknowledged; false if that is nothing.
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

    /// What to say next, and to whom; nothing after the last words in each
    /// room.
    fn next_message(&mut self) -> Option<(Recipient, String)> {
        let record = self.record.borrow();
        let (number, said) = (self.number, record.said.len());
        let last = record.said.iter().filter(|it| it.1.starts_with(LAST_PREFIX)).count();
        let room = *rooms_of(number).get(last)?;
        if self.stage == Stage::Leaving {
            return Some((Recipient::Room(room), format!("{LAST_PREFIX} {number} {room}")));
        }
        let text = format!("{number} {said} {}", "x".repeat(self.random.usize(0..200)));
        // Somebody who is known to be there.
        let someone = self.random.choice(&record.seen).map(|it| it.from.clone());
        let to = match someone {
            Some(someone) if self.random.u8(0..8) == 0 => Recipient::Person(someone),
            _ => Recipient::Room(rooms_of(number)[self.random.usize(0..2)]),
        };
        Some((to, text))
    }

    /// Notes what is shown.
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

    /// Notes what should not have happened.
    fn record_problem(&self, what: &dyn fmt::Debug) {
        self.record.borrow_mut().problems.push(format!("{what:?}"));
        self.progress.send_replace(());
    }
}
