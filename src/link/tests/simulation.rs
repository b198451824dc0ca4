//! Simulation of the link with a model server, in virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use super::model_server::ModelServer;
use crate::link::*;
use crate::model::{Command, Request, RoomSelector, Style};
use crate::wire::tcp::{Decoded, Proof, ServerFrame};

/// Simulation of a link, a model server and the connection between them.
pub(super) struct Simulation {
    /// Link under test.
    pub(super) link: Link,
    /// Model server.
    pub(super) server: ModelServer,
    /// Virtual time.
    pub(super) now: Moment,
    /// Wake-up time that the link announced last; `None` if it has passed or none was announced.
    pub(super) wake: Option<Moment>,
    /// `hello` of the connection that the link has asked for and that is not established yet.
    pub(super) wanted_hello: Option<Hello>,
    /// True if there is a connection.
    pub(super) connected: bool,
    /// Number of connections that the link has given up without closing them in order.
    pub(super) resets: usize,
    /// Frames sent to the server and not delivered yet.
    pub(super) to_server: VecDeque<ClientFrame>,
    /// Frames sent to the client and not delivered yet.
    pub(super) to_client: VecDeque<ServerFrame>,
    /// Events that the link has reported.
    pub(super) events: Vec<Event>,
    /// Session that the link persisted last.
    pub(super) saved: Option<SavedSession>,
    /// Session that an earlier link persisted. The first connection passes it to the link.
    pub(super) initial_saved: Option<SavedSession>,
    /// Proof that each connection passes to the link; `None` if the user has no key.
    pub(super) proof: Option<Proof>,
    /// Reason why the link has ended; `None` if it has not.
    pub(super) end: Option<EndReason>,
    /// Number of messages sent with [`Simulation::say_next`].
    pub(super) message_count: u32,
}

/// Returns the default settings of these tests.
pub(super) fn settings() -> Settings {
    Settings {
        username: "anna".to_owned(),
        rooms: Vec::new(),
        password: None,
        invite: None,
        observe: true,
        retry_first_connect: false,
        can_prompt: false,
        can_ask_name: false,
        takes_invited_name: false,
        program: "test",
        version: "1",
        seed: 7,
    }
}

impl Simulation {
    /// Creates a simulation whose link has asked for its first connection.
    pub(super) fn new(settings: Settings, server: ModelServer) -> Self {
        let mut sim = Self {
            link: Link::new(settings),
            server,
            now: Moment::START,
            wake: None,
            wanted_hello: None,
            connected: false,
            resets: 0,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            events: Vec::new(),
            saved: None,
            initial_saved: None,
            proof: None,
            end: None,
            message_count: 0,
        };
        sim.process_outputs();
        sim
    }

    /// Starts a new link, as another process would, with the session that this link has persisted.
    /// Server and time stay; everything else begins anew.
    pub(super) fn restart(self, settings: Settings) -> Self {
        let sim = Self::new(settings, self.server);
        Self { initial_saved: self.saved.clone(), saved: self.saved, now: self.now, ..sim }
    }

    /// Starts a new link like [`Self::restart`], with the unanswered messages of this one, too.
    pub(super) fn restart_with_messages(self, settings: Settings) -> Self {
        let (log, messages) = (self.link.log_id(), self.link.unanswered_messages().collect());
        let message_count = self.message_count;
        let mut sim = self.restart(settings);
        sim.link.restore_messages(log, messages);
        Self { message_count, ..sim }
    }

    /// Carries out all outputs of the link. Asserts that there are none after its end.
    pub(super) fn process_outputs(&mut self) {
        while let Some(output) = self.link.poll_output() {
            assert!(self.end.is_none(), "{output:?} after the end");
            match output {
                Output::Connect { hello } => self.wanted_hello = Some(hello),
                Output::Send(frame) => {
                    assert!(self.connected, "{frame:?} without a connection");
                    self.to_server.push_back(frame);
                }
                Output::Disconnect => {
                    assert!(self.connected);
                    self.connected = false;
                    // Queued frames are sent before the connection closes.
                    while self.deliver_to_server() {}
                    self.server.disconnect();
                    self.to_client.clear();
                }
                Output::Abandon => {
                    assert!(self.connected);
                    self.connected = false;
                    self.resets += 1;
                    self.to_server.clear();
                    self.to_client.clear();
                    self.server.disconnect();
                }
                Output::Event(event) => self.events.push(event),
                Output::Persist(saved) => self.saved = Some(saved),
                Output::WakeAt(moment) => self.wake = Some(moment),
                Output::Finished(end) => self.end = Some(end),
            }
        }
    }

    /// Passes an input to the link and carries out the resulting outputs.
    pub(super) fn input(&mut self, input: Input) {
        self.link.handle_input(self.now, input);
        self.process_outputs();
    }

    /// Makes a request without a tag, and carries out the resulting outputs.
    pub(super) fn request(&mut self, command: Command) {
        self.input(Input::Request(Request { tag: RequestTag::default(), command }));
    }

    /// Sends the next numbered message, `mine 1` and so on, to the first room; the number is its
    /// tag.
    pub(super) fn say_next(&mut self) {
        self.message_count += 1;
        let tag = RequestTag(Some(self.message_count.to_string().into()));
        let text = format!("mine {}", self.message_count);
        let command =
            Command::Chat(ChatCommand::Say { room: RoomSelector::First, style: Style::SAID, text });
        self.input(Input::Request(Request { tag, command }));
    }

    /// Establishes the connection if the link has asked for one; undelivered frames are lost. The
    /// first connection passes the saved session.
    pub(super) fn connect(&mut self) {
        if let Some(hello) = self.wanted_hello.take() {
            self.connected = true;
            self.to_server = VecDeque::from([hello.into()]);
            self.to_client.clear();
            let saved = self.initial_saved.take();
            self.input(Input::Connected { saved, proof: self.proof.clone() });
        }
    }

    /// Delivers one frame to the server and queues the answers; returns false if there is none.
    pub(super) fn deliver_to_server(&mut self) -> bool {
        let Some(frame) = self.to_server.pop_front() else {
            return false;
        };
        self.to_client.extend(self.server.handle(frame));
        true
    }

    /// Delivers one frame to the client; returns false if there is none.
    pub(super) fn deliver_to_client(&mut self) -> bool {
        let Some(frame) = self.to_client.pop_front() else {
            return false;
        };
        self.input(Input::Received(Decoded::Frame(frame)));
        true
    }

    /// Breaks the connection if there is one. Frames that are not delivered are lost.
    pub(super) fn break_connection(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.to_server.clear();
            self.to_client.clear();
            self.server.disconnect();
            self.input(Input::Disconnected { reason: "broken".to_owned() });
        }
    }

    /// Has another user send a message to a room. Queues its frame if the client is in the room.
    pub(super) fn other_says(&mut self, room: &str) {
        self.to_client.extend(self.server.other_says(room));
    }

    /// Advances the virtual time. If the link's wake-up time has come, wakes the link once.
    pub(super) fn advance(&mut self, time: Duration) {
        self.now = self.now + time;
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
            self.input(Input::Wake);
        }
    }

    /// Establishes connections, delivers frames and advances the time. Stops when no frame is
    /// undelivered and the link is live, has ended or waits for the user's answer. Panics if that does not
    /// happen.
    pub(super) fn run_until_idle(&mut self) {
        for _ in 0..100_000 {
            self.connect();
            if !self.deliver_to_server() && !self.deliver_to_client() {
                let is_live = self.connected && self.link.phase == Phase::Live;
                let is_asking =
                    matches!(self.link.phase, Phase::AwaitingName | Phase::AwaitingInvite);
                if self.end.is_some() || is_live || is_asking {
                    return;
                }
                self.advance(Duration::from_millis(500));
            }
        }
        panic!("it never settles: {:?}", self.link.phase);
    }

    /// Returns sequence and text of the messages shown in a room, without requested history.
    pub(super) fn shown_messages(&self, room: &str) -> Vec<(u64, String)> {
        let of_room = |event: &Event| match event {
            Event::Message(it) if it.room == room && !it.requested => {
                Some((it.sequence.0, it.text.clone()))
            }
            _ => None,
        };
        self.events.iter().filter_map(of_room).collect()
    }

    /// Returns the tags of acknowledged messages, in order; only tags that are numbers.
    pub(super) fn acknowledged_tags(&self) -> Vec<u32> {
        let tag = |event: &Event| match event {
            Event::Acknowledged { tag, .. } => tag.0.as_ref()?.parse().ok(),
            _ => None,
        };
        self.events.iter().filter_map(tag).collect()
    }

    /// Returns the number of events that satisfy the predicate.
    pub(super) fn count_events(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|it| is(it)).count()
    }
}
