//! The link against a model of a server, in virtual time, with connections
//! that break at every point.

mod logs;
mod search;
mod server;

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use self::server::Server;
use super::*;
use crate::model::{Command, Place, Request, Style, Token};
use crate::wire::tcp::{Error, Received, ServerFrame};

/// A client, the way to the server and back, and what was shown.
struct World {
    /// The engine.
    link: Link,
    /// The model.
    server: Server,
    /// Time.
    now: Moment,
    /// The engine wants to be woken.
    wake: Option<Moment>,
    /// It has asked for a connection.
    wants_connection: bool,
    /// There is one.
    connected: bool,
    /// On the way to the server.
    up: VecDeque<ClientFrame>,
    /// On the way to the client.
    down: VecDeque<ServerFrame>,
    /// What was shown.
    events: Vec<Event>,
    /// What was kept.
    saved: Option<Saved>,
    /// What an earlier link has kept, until the first connection.
    former: Option<Saved>,
    /// How it ended.
    end: Option<End>,
    /// Messages that were asked for.
    said: u32,
}

/// How links begin here.
fn settings() -> Settings {
    Settings {
        username: "anna".to_owned(),
        rooms: Vec::new(),
        password: None,
        observe: true,
        patient: false,
        can_ask: false,
        program: "test",
        version: "1",
        seed: 7,
    }
}

impl World {
    /// A client that is about to connect.
    fn new(settings: Settings, server: Server) -> Self {
        let mut world = Self {
            link: Link::new(settings),
            server,
            now: Moment::START,
            wake: None,
            wants_connection: false,
            connected: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            events: Vec::new(),
            saved: None,
            former: None,
            end: None,
            said: 0,
        };
        world.take_outputs();
        world
    }

    /// The next run of the client, with what this one has kept.
    fn next_run(self, settings: Settings) -> Self {
        let world = Self::new(settings, self.server);
        Self { former: self.saved.clone(), saved: self.saved, now: self.now, ..world }
    }

    /// Does what the link wants done.
    fn take_outputs(&mut self) {
        while let Some(output) = self.link.poll_output() {
            assert!(self.end.is_none(), "{output:?} after the end");
            match output {
                Output::Connect => self.wants_connection = true,
                Output::Send(frame) => {
                    assert!(self.connected, "{frame:?} without a connection");
                    self.up.push_back(frame);
                }
                Output::Disconnect => {
                    assert!(self.connected);
                    self.connected = false;
                    // What is due is sent.
                    while self.server_reads() {}
                    self.server.disconnect();
                    self.down.clear();
                }
                Output::Event(event) => self.events.push(event),
                Output::Persist(saved) => self.saved = Some(saved),
                Output::WakeAt(moment) => self.wake = Some(moment),
                Output::Finished(end) => self.end = Some(end),
            }
        }
    }

    /// Tells the link something.
    fn input(&mut self, input: Input) {
        self.link.handle_input(self.now, input);
        self.take_outputs();
    }

    /// Somebody wants something done.
    fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: Tag::default(), command }));
    }

    /// Says the next message.
    fn say(&mut self) {
        self.said += 1;
        let tag = Tag(Some(self.said.to_string().into()));
        let text = format!("mine {}", self.said);
        let command = Command::Do(Task::Say { place: Place::First, style: Style::SAID, text });
        self.input(Input::Request(Request { tag, command }));
    }

    /// The connection that was asked for is made.
    fn connects(&mut self) {
        if std::mem::take(&mut self.wants_connection) {
            self.connected = true;
            self.up.clear();
            self.down.clear();
            let saved = self.former.take();
            self.input(Input::Connected { saved });
        }
    }

    /// The server reads one frame; false if there was none.
    fn server_reads(&mut self) -> bool {
        let Some(frame) = self.up.pop_front() else {
            return false;
        };
        self.down.extend(self.server.receive(frame));
        true
    }

    /// The client reads one frame; false if there was none.
    fn client_reads(&mut self) -> bool {
        let Some(frame) = self.down.pop_front() else {
            return false;
        };
        self.input(Input::Received(Received::Frame(frame)));
        true
    }

    /// The connection breaks: what is on the way may be lost.
    fn breaks(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.up.clear();
            self.down.clear();
            self.server.disconnect();
            self.input(Input::Disconnected { reason: "broken".to_owned() });
        }
    }

    /// Somebody else says something.
    fn other_says(&mut self, room: &str) {
        self.down.extend(self.server.other_says(room));
    }

    /// Time passes.
    fn passes(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
            self.input(Input::Wake);
        }
    }

    /// Until nothing more happens by itself.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.connects();
            if !self.server_reads() && !self.client_reads() {
                if self.end.is_some() || (self.connected && self.link.phase == Phase::Live) {
                    return;
                }
                self.passes(Duration::from_millis(500));
            }
        }
        panic!("it never settles: {:?}", self.link.phase);
    }

    /// The texts that were shown of a room, with their sequences.
    fn shown(&self, room: &str) -> Vec<(u64, String)> {
        let of_room = |event: &Event| match event {
            Event::Message(it) if it.room == room && !it.requested => {
                Some((it.sequence.0, it.text.clone()))
            }
            _ => None,
        };
        self.events.iter().filter_map(of_room).collect()
    }

    /// The tags of the messages that were acknowledged, in order.
    fn acknowledged(&self) -> Vec<u32> {
        let tag = |event: &Event| match event {
            Event::Acknowledged { tag, .. } => tag.0.as_ref()?.parse().ok(),
            _ => None,
        };
        self.events.iter().filter_map(tag).collect()
    }

    /// How often something was shown.
    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|it| is(it)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever breaks and whenever: everything that is said is in the log
    /// once and in order, everything in the log is shown once and in order,
    /// every message is acknowledged once. Sessions may be lost meanwhile.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        steps in prop::collection::vec(0_u8..24, 0..400),
    ) {
        let mut world = World::new(settings(), Server::new());
        world.settle();
        for step in steps {
            match step {
                0..4 => world.say(),
                4..6 => world.other_says("lobby"),
                6 => world.breaks(),
                7 => world.server.forget_sessions_without_connection(),
                8 => world.passes(Duration::from_secs(1)),
                9..12 => world.connects(),
                12..18 => drop(world.server_reads()),
                _ => drop(world.client_reads()),
            }
        }
        world.settle();
        let log = world.server.texts("lobby");
        prop_assert_eq!(&world.shown("lobby"), &log);
        let mine: Vec<_> = log.iter().filter(|(_, it)| it.starts_with("mine")).map(|(_, it)| it.clone()).collect();
        let said: Vec<_> = (1..=world.said).map(|it| format!("mine {it}")).collect();
        prop_assert_eq!(mine, said);
        prop_assert_eq!(world.acknowledged(), (1..=world.said).collect::<Vec<_>>());
        prop_assert_eq!(world.count(|it| matches!(it, Event::Gap { .. } | Event::Refused(_) | Event::Problem { .. })), 0);
    }

    /// The same with a process that ends at any point and another that goes
    /// on with what the first kept: nothing of the log is missing.
    #[test]
    fn another_process_goes_on(
        steps in prop::collection::vec(0_u8..10, 0..200),
    ) {
        let mut world = World::new(settings(), Server::new());
        let mut shown: Vec<(u64, String)> = Vec::new();
        world.settle();
        for step in steps {
            match step {
                0..3 => world.other_says("lobby"),
                3 => world.say(),
                4 => {
                    world.breaks();
                    shown.extend(world.shown("lobby"));
                    world = world.next_run(settings());
                }
                5 => world.passes(Duration::from_secs(2)),
                _ => world.settle(),
            }
        }
        world.settle();
        shown.extend(world.shown("lobby"));
        // Up to three seconds may be shown again by the next process.
        shown.sort();
        shown.dedup();
        prop_assert_eq!(shown, world.server.texts("lobby"));
    }

    /// Whatever a server sends, the link neither panics nor goes on after
    /// its end.
    #[test]
    fn any_bytes_are_survived(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..40),
        kinds in prop::collection::vec(prop::option::of(60_u8..80), 40),
    ) {
        let mut world = World::new(settings(), Server::new());
        world.settle();
        for (mut body, kind) in bodies.into_iter().zip(kinds) {
            if let Some(kind) = kind {
                body[0] = kind;
            }
            world.input(Input::Received(ServerFrame::decode(&body)));
        }
    }
}

/// In the same session a message keeps its number, in another it gets a new
/// one.
#[test]
fn references() {
    for is_kept in [true, false] {
        let mut world = World::new(settings(), Server::new());
        world.settle();
        world.say();
        world.settle();
        world.say();
        world.breaks();
        if !is_kept {
            world.server.forget_sessions_without_connection();
        }
        while world.link.phase != Phase::Live {
            world.passes(Duration::from_secs(1));
            world.connects();
            while !world.up.is_empty() && world.link.phase != Phase::Live && world.server_reads() {}
            world.client_reads();
        }
        let Some(ClientFrame::Say(say)) = world.up.pop_back() else {
            panic!("nothing was sent again");
        };
        assert_eq!(say.reference.0, if is_kept { 2 } else { 1 });
    }
}

/// A room that is entered, left and entered again while connections break.
#[test]
fn rooms_survive_a_loss() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.request(Command::Do(Task::Enter { room: "garden".to_owned() }));
    world.breaks();
    world.settle();
    world.other_says("garden");
    world.settle();
    assert_eq!(world.shown("garden").len(), 1);
    world.breaks();
    world.server.other_says("garden");
    world.settle();
    assert_eq!(world.shown("garden"), world.server.texts("garden"));
    for room in ["garden", "lobby"] {
        world.request(Command::Do(Task::Leave { place: Place::Named(room.to_owned()) }));
    }
    world.settle();
    world.breaks();
    world.settle();
    assert_eq!(world.link.rooms, Vec::<String>::new());
    assert_eq!(world.server.rooms(), Vec::<String>::new());
}

/// A second run in a further room gets what was missed in the first, and
/// the usual history of the second.
#[test]
fn a_new_room_does_not_bring_everything() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.passes(Duration::from_secs(4));
    world.breaks();
    for _ in 0..30 {
        world.server.other_says("lobby");
        world.server.other_says("garden");
    }
    let rooms = vec!["Lobby".to_owned(), "garden".to_owned()];
    let mut world = world.next_run(Settings { rooms, ..settings() });
    world.settle();
    assert_eq!(world.shown("lobby").len(), 30);
    assert_eq!(world.shown("garden").len(), 10);
    assert_eq!(world.count(|it| matches!(it, Event::Gap { .. })), 0);
}

/// A program that only sends leaves the position to the one that shows.
#[test]
fn who_does_not_observe_moves_nothing() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.other_says("lobby");
    world.settle();
    world.passes(Duration::from_secs(4));
    world.breaks();
    let before = world.saved.clone().unwrap();
    let mut world = world.next_run(Settings { observe: false, ..settings() });
    world.say();
    world.request(Command::Finish { patience: Duration::from_secs(60) });
    world.settle();
    assert_eq!(world.end, Some(End::Left { unsent: 0, refused: 0 }));
    assert_eq!(world.saved, Some(before));
}

/// A first attempt that fails ends it, unless somebody said to wait.
#[test]
fn the_first_attempt() {
    let failed = || Input::ConnectFailed { reason: "no".to_owned() };
    let mut world = World::new(settings(), Server::new());
    world.input(failed());
    assert!(matches!(world.end, Some(End::Unavailable { .. })));
    let mut world = World::new(Settings { patient: true, ..settings() }, Server::new());
    world.wants_connection = false;
    world.input(failed());
    assert_eq!(world.end, None);
    world.settle();
    assert_eq!(world.link.phase, Phase::Live);
}

/// Once it was in, it never gives up by itself.
#[test]
fn it_tries_for_ever() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.breaks();
    for _ in 0..500 {
        world.passes(Duration::from_secs(61));
        assert!(std::mem::take(&mut world.wants_connection));
        world.input(Input::ConnectFailed { reason: "no".to_owned() });
    }
    assert_eq!(world.end, None);
}

/// Silence: a ping, then the connection counts as lost.
#[test]
fn silence() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.passes(Duration::from_secs(30));
    assert!(matches!(world.up.pop_front(), Some(ClientFrame::Ping(_))));
    world.passes(Duration::from_secs(29));
    assert!(world.connected);
    world.passes(Duration::from_secs(1));
    assert!(!world.connected);
    world.settle();
    assert_eq!(world.end, None);
}

/// A connection that is given up before the server has answered has no join in
/// it, which could arrive late and end the next one.
#[test]
fn a_join_waits_for_an_answer() {
    let mut world = World::new(Settings { patient: true, ..settings() }, Server::new());
    world.connects();
    assert!(matches!(world.up.pop_front(), Some(ClientFrame::Hello(_))));
    assert!(world.up.is_empty());
    world.passes(Duration::from_secs(10));
    assert!(!world.connected && world.up.is_empty());
    world.settle();
    assert_eq!((world.end, world.server.joins.len()), (None, 1));
}

/// A script that ends while the server is away waits, but not for ever.
#[test]
fn a_script_is_patient() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.breaks();
    world.say();
    world.request(Command::Finish { patience: Duration::from_secs(60) });
    world.passes(Duration::from_secs(59));
    assert_eq!(world.end, None);
    world.passes(Duration::from_secs(2));
    assert_eq!(world.end, Some(End::Left { unsent: 1, refused: 0 }));
    assert_eq!(world.count(|it| matches!(it, Event::Unsent { perhaps_taken: false, .. })), 1);
}

/// The password goes only to who asks, and is not asked for twice.
#[test]
fn passwords() {
    let password = Some(crate::model::Password("secret".to_owned()));
    let mut server = Server::new();
    server.password = Some("secret");
    let mut world = World::new(Settings { password, ..settings() }, server);
    world.settle();
    assert_eq!(world.end, None);
    assert_eq!(world.server.joins, [None, Some("secret".to_owned())]);
    assert!(world.saved.as_ref().unwrap().password_asked);

    let mut server = Server::new();
    server.password = Some("secret");
    let mut world = World::new(settings(), server);
    world.settle();
    assert!(matches!(world.end, Some(End::Refused { .. })));
}

/// A person is asked, with the connection closed meanwhile.
#[test]
fn a_person_is_asked_for_the_password() {
    let mut server = Server::new();
    server.password = Some("secret");
    let mut world = World::new(Settings { can_ask: true, ..settings() }, server);
    world.connects();
    while world.server_reads() || world.client_reads() {}
    for wrong in ["wrong", "secret"] {
        assert!(!world.connected);
        world.request(Command::Password(crate::model::Password(wrong.to_owned())));
        world.connects();
        while world.server_reads() || world.client_reads() {}
    }
    assert_eq!(world.link.phase, Phase::Live);
    assert_eq!(world.count(|it| *it == Event::PasswordWanted { again: true }), 1);
}

/// What is final ends it; what is not is tried again when the server says.
#[test]
fn errors_that_close() {
    use crate::model::ErrorCode;
    for code in ErrorCode::ALL.iter().filter(|it| it.closes()) {
        let mut world = World::new(settings(), Server::new());
        world.settle();
        let error = Error { retry_after: 5_000, ..Error::new(*code) };
        world.input(Input::Received(Received::Frame(error.into())));
        assert!(!world.connected);
        assert_eq!(world.end.is_some(), code.is_final(), "{code:?}");
        if !code.is_final() {
            // The driver reads on to the end of the stream: that changes nothing.
            world.input(Input::Disconnected { reason: "closed".to_owned() });
            world.input(Input::ConnectFailed { reason: "closed".to_owned() });
            let waits = |it: &Event| matches!(it, Event::State(State::Reconnecting { .. }));
            assert_eq!(world.count(waits), 1);
            world.passes(Duration::from_millis(4_900));
            assert!(!world.wants_connection);
            world.passes(Duration::from_millis(2_700));
            assert!(world.wants_connection);
        }
    }
}

/// Answers go to whom they are meant for.
#[test]
fn answers_are_pinned() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    let direct = || {
        Command::Do(Task::Direct {
            to: "BOB".to_owned(),
            session: None,
            style: Style::SAID,
            text: "hi".to_owned(),
        })
    };
    let session_of = |frame| match frame {
        Some(ClientFrame::Direct(it)) => it.session,
        other => panic!("{other:?}"),
    };
    world.request(direct());
    assert_eq!(session_of(world.up.pop_back()), SessionId(0));
    world.down.extend(world.server.other_writes("bob", 77));
    while world.client_reads() {}
    world.request(direct());
    assert_eq!(session_of(world.up.pop_back()), SessionId(77));
}

/// More than 64 unanswered messages wait for the answers of the first.
#[test]
fn not_everything_is_sent_at_once() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    for _ in 0..100 {
        world.say();
    }
    assert_eq!(world.up.len(), 64);
    world.settle();
    assert_eq!(world.acknowledged().len(), 100);
    world.breaks();
    for _ in 0..1_001 {
        world.say();
    }
    assert_eq!(world.count(|it| matches!(it, Event::Refused(_))), 1);
    assert!(!world.link.wants_more());
    world.settle();
    assert_eq!(world.acknowledged().len(), 1_100);
}

/// Tokens are not shown by accident.
#[test]
fn tokens_stay_secret() {
    let saved = Saved {
        token: Token([0xab; 16]),
        session: SessionId(1),
        position: None,
        rooms: Vec::new(),
        password_asked: false,
    };
    assert!(!format!("{saved:?}").contains("171"));
}
