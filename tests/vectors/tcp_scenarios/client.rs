//! The client under test: a [`Link`] in virtual time, with a record of its outputs.

use std::collections::VecDeque;
use std::time::Duration;

use pi_chat::link::{Input, Link, Output, SavedSession, Settings};
use pi_chat::model::{
    ChatCommand, Command, Event, LogId, ModerationCommand, ModerationEvent, Moment, Password,
    Position, Request, RequestTag, RoomSelector, Sequence, SessionId, Style, Token, Topic,
};
use pi_chat::wire::tcp::{self, ClientFrame, Hello, ServerFrame};
use serde_json::{Value, json};

use crate::link_settings::link_settings;
use crate::scenario::{as_vector, list};
use crate::{decode, fields, unhex};

/// Input of the link, recorded so that it can be replayed to another link.
#[derive(Clone, Debug)]
enum RecordedInput {
    /// The connection is established.
    Connected(Option<SavedSession>),
    /// The body of a frame has arrived.
    Body(Vec<u8>),
    /// The connection is lost.
    Lost,
    /// The user wants something.
    Request(Request),
    /// A timer.
    Wake,
}

impl RecordedInput {
    /// The link's input.
    fn input(&self) -> Input {
        match self.clone() {
            Self::Connected(saved) => Input::Connected { saved, proof: None },
            Self::Body(body) => Input::Received(ServerFrame::decode(&body)),
            Self::Lost => Input::Disconnected { reason: "lost".to_owned() },
            Self::Request(request) => Input::Request(request),
            Self::Wake => Input::Wake,
        }
    }
}

/// The client under test with the outputs that were not compared yet.
pub(super) struct Client {
    /// Settings of the present link.
    settings: Settings,
    /// Saved session that the present link was started with.
    kept: Option<SavedSession>,
    /// True once the present link has had a connection.
    has_connected: bool,
    /// The engine.
    link: Link,
    /// All inputs of the present link, with their times.
    inputs: Vec<(Moment, RecordedInput)>,
    /// Milliseconds since the scenario's start.
    now: u64,
    /// Time of the next wake-up.
    wake: Option<Moment>,
    /// Time at which the link asked for the connection that it still waits for, in milliseconds,
    /// and the `hello` to send on it.
    asked: Option<(u64, Hello)>,
    /// Session that the link persisted last.
    saved: Option<SavedSession>,
    /// True once the link has finished.
    is_over: bool,
    /// Frames that it sent, not compared yet.
    frames: VecDeque<Value>,
    /// Messages that it showed, not compared yet.
    shown: Vec<Value>,
    /// Other news for the user, not compared yet.
    told: Vec<Value>,
    /// Tags and texts of the messages that are not answered.
    pending: Vec<(RequestTag, String)>,
    /// Tags and kinds of all requests, such as `topic`.
    kinds: Vec<(RequestTag, String)>,
    /// Number of requests made, for their tags.
    requests: usize,
    /// True if the last `join` had a position.
    had_position: bool,
}

impl Client {
    /// Starts the client of a scenario.
    pub(super) fn new(start: &Value) -> Self {
        let bytes = |it: &Value| unhex(it).try_into().unwrap();
        let kept = start.get("kept").map(|kept| SavedSession {
            token: Token(bytes(&kept["token"])),
            session: SessionId(kept["session"].as_u64().unwrap()),
            position: kept["position"].as_object().map(|it| Position {
                log_id: LogId(bytes(&it["log_id"])),
                sequence: Sequence(it["sequence"].as_u64().unwrap()),
            }),
            rooms: texts(&kept["rooms"]),
            password_required: false,
        });
        let settings = Settings {
            rooms: texts(&start["rooms"]),
            password: start["password"].as_str().map(|it| Password(it.to_owned())),
            retry_first_connect: true,
            ..link_settings(start["username"].as_str().unwrap().to_owned(), 7)
        };
        let mut client = Self {
            link: Link::new(settings.clone()),
            settings,
            saved: kept.clone(),
            kept,
            has_connected: false,
            inputs: Vec::new(),
            now: 0,
            wake: None,
            asked: None,
            is_over: false,
            frames: VecDeque::new(),
            shown: Vec::new(),
            told: Vec::new(),
            pending: Vec::new(),
            kinds: Vec::new(),
            requests: 0,
            had_position: false,
        };
        client.collect();
        client
    }

    /// Ends the program and starts it again with its saved session, perhaps under another username.
    pub(super) fn restart(&mut self, start: &Value) {
        if !self.is_over {
            self.feed(RecordedInput::Request(Request {
                tag: RequestTag::default(),
                command: Command::Quit,
            }));
        }
        let mut settings = self.settings.clone();
        if let Some(username) = start["username"].as_str() {
            username.clone_into(&mut settings.username);
        }
        self.link = Link::new(settings.clone());
        (self.settings, self.kept) = (settings, self.saved.clone());
        (self.is_over, self.has_connected) = (false, false);
        (self.wake, self.asked, self.inputs) = (None, None, Vec::new());
        self.pending.clear();
        self.collect();
    }

    /// Advances the time to `at` milliseconds and fires the timers that are due.
    pub(super) fn advance(&mut self, at: u64) {
        let end = moment(at);
        while let Some(wake) = self.wake.filter(|it| *it <= end) {
            self.now = u64::try_from(wake.since_start().as_millis()).unwrap().max(self.now);
            self.wake = None;
            self.feed(RecordedInput::Wake);
        }
        assert!(at >= self.now, "steps go back in time");
        self.now = at;
    }

    /// Gives the client the connection that it has asked for; gives the time at which it did.
    pub(super) fn connect(&mut self) -> Result<u64, String> {
        let (asked, hello) = self.asked.take().ok_or("it has not asked for a connection")?;
        self.note_frame(&hello.into());
        let saved = if self.has_connected { None } else { self.kept.clone() };
        self.has_connected = true;
        self.feed(RecordedInput::Connected(saved));
        Ok(asked)
    }

    /// Reports a lost connection.
    pub(super) fn drop_connection(&mut self) {
        self.feed(RecordedInput::Lost);
    }

    /// Delivers the body of a frame.
    pub(super) fn receive(&mut self, body: Vec<u8>) {
        self.feed(RecordedInput::Body(body));
    }

    /// Makes a request of the user.
    pub(super) fn request(&mut self, request: &Value) {
        let (what, value) = request.as_object().unwrap().iter().next().unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        let place = || RoomSelector::Named(text("room"));
        let task = match what.as_str() {
            "say" => ChatCommand::Say { room: place(), style: Style::SAID, text: text("text") },
            "direct" => ChatCommand::Direct {
                to: text("to"),
                session: None,
                style: Style::SAID,
                text: text("text"),
            },
            "enter" => ChatCommand::Enter { room: text("room") },
            "leave" => ChatCommand::Leave { room: place() },
            "history" => ChatCommand::History {
                room: place(),
                before: value["before"].as_u64().map(Sequence),
                limit: u16::try_from(value["limit"].as_u64().unwrap()).unwrap(),
            },
            "topic" => ChatCommand::Moderate(ModerationCommand::SetTopic {
                room: place(),
                topic: Some(Topic::new(&text("text")).unwrap()),
            }),
            "remove" => ChatCommand::Moderate(ModerationCommand::Remove {
                room: place(),
                message: Sequence(value["sequence"].as_u64().unwrap()),
                reason: None,
            }),
            other => panic!("no such request: {other}"),
        };
        self.requests += 1;
        let tag = RequestTag(Some(self.requests.to_string().into()));
        self.kinds.push((tag.clone(), what.clone()));
        if let ChatCommand::Say { text, .. } | ChatCommand::Direct { text, .. } = &task {
            self.pending.push((tag.clone(), text.clone()));
        }
        self.feed(RecordedInput::Request(Request { tag, command: Command::Chat(task) }));
    }

    /// Feeds the link, and takes its outputs.
    fn feed(&mut self, input: RecordedInput) {
        self.link.handle_input(moment(self.now), input.input());
        self.inputs.push((moment(self.now), input));
        self.collect();
    }

    /// Takes the link's outputs.
    fn collect(&mut self) {
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Connect { hello } => self.asked = Some((self.now, hello)),
                Output::Send(frame) => self.note_frame(&frame),
                Output::Disconnect | Output::Abandon => {}
                Output::Event(event) => self.note_event(event),
                Output::Persist(saved) => self.saved = Some(saved),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Finished(_) => self.is_over = true,
            }
        }
    }

    /// Records a frame that was sent.
    fn note_frame(&mut self, frame: &ClientFrame) {
        if let ClientFrame::Join(join) = frame {
            self.had_position = join.position.is_some();
        }
        let mut wire = Vec::new();
        frame.encode(&mut wire);
        let crate::Outcome::Frame(_, value, _) = decode("client", &wire[2..]) else {
            panic!("the client's frame does not decode")
        };
        self.frames.push_back(json!({"frame": name(frame), "value": as_vector(value)}));
    }

    /// Records an event for the user.
    fn note_event(&mut self, event: Event) {
        match event {
            Event::Message(it) => self.shown.push(json!({
                "sequence": it.sequence.0, "room": it.room, "from": it.from, "text": it.text,
                "history": it.history, "requested": it.requested, "own": it.own,
            })),
            Event::Direct(it) => self.shown.push(json!({
                "sequence": it.sequence.0, "from": it.from, "to": it.to, "text": it.text,
                "history": it.history, "own": it.own,
            })),
            Event::Acknowledged { tag, unechoed, .. } => {
                self.pending.retain(|(it, _)| *it != tag);
                if let Some(text) = unechoed {
                    self.shown.push(json!({"accepted": true, "text": text}));
                }
            }
            // The link itself refuses only what was perhaps carried out, if it is no message.
            Event::Refused(it) if it.code == 0 && it.message.is_none() => {
                let kind = self.kinds.iter().find(|(tag, _)| *tag == it.tag).map(|(_, kind)| kind);
                self.told.push(json!({"perhaps": kind}));
            }
            Event::Refused(it) => {
                self.pending.retain(|(tag, _)| *tag != it.tag);
                self.told.push(json!({"refused": it.message, "code": it.code}));
            }
            Event::Gap { room } => self.told.push(json!({"gap": room})),
            Event::JoinedServer(it) if self.had_position && !it.position_kept => {
                self.told.push(json!({"position_lost": true}));
            }
            Event::Left { room, is_forced: true, .. } => {
                self.told.push(json!({"sent_out": room}));
            }
            Event::Moderation(ModerationEvent::MessageRemoved { message, .. }) => {
                self.told.push(json!({"removed": message.0}));
            }
            Event::Moderation(ModerationEvent::Topic { topic, .. }) => {
                self.told.push(json!({"topic": topic.unwrap_or_default()}));
            }
            Event::Notice { code, .. } => self.told.push(json!({"notice": code})),
            _ => {}
        }
    }

    /// Takes the frames that were sent since the last time.
    pub(super) fn take_frames(&mut self) -> Vec<Value> {
        self.frames.drain(..).collect()
    }

    /// Takes the messages that were shown since the last time.
    pub(super) fn take_shown(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.shown)
    }

    /// Takes what else was told since the last time.
    pub(super) fn take_told(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.told)
    }

    /// Texts of the messages that are not answered, oldest first.
    pub(super) fn unacknowledged(&self) -> Value {
        json!(self.pending.iter().map(|(_, text)| text).collect::<Vec<_>>())
    }

    /// Returns true if it has ended, and will not connect again by itself.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the position, or null. A link hands its position out only now and then, so this
    /// replays which is then made to quit.
    pub(super) fn position(&self) -> Value {
        let mut twin = Link::new(self.settings.clone());
        let mut saved = self.kept.clone();
        let quit =
            RecordedInput::Request(Request { tag: RequestTag::default(), command: Command::Quit });
        for (at, input) in self.inputs.iter().chain([&(moment(self.now), quit)]) {
            twin.handle_input(*at, input.input());
            while let Some(output) = twin.poll_output() {
                if let Output::Persist(it) = output {
                    saved = Some(it);
                }
            }
        }
        saved.and_then(|it| it.position).map_or(Value::Null, |it| as_vector(fields(&it)))
    }
}

/// A time of the scenario.
fn moment(milliseconds: u64) -> Moment {
    Moment::after_start(Duration::from_millis(milliseconds))
}

/// A list of strings.
fn texts(value: &Value) -> Vec<String> {
    list(Some(value)).iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// Names of the frames, as tcp.md has them, and the bytes of a frame from its fields.
macro_rules! frames {
    (client: $($client:ident $client_name:literal)*; server: $($server:ident $server_name:literal)*) => {
        /// The name of a frame of ours.
        fn name(frame: &ClientFrame) -> &'static str {
            match frame { $(ClientFrame::$client(_) => $client_name,)* }
        }

        /// The bytes of a frame of the server.
        pub(super) fn encode(name: &Value, value: &Value) -> Vec<u8> {
            let mut wire = Vec::new();
            let frame: ServerFrame = match name.as_str().unwrap() {
                $($server_name => {
                    serde_json::from_value::<tcp::$server>(value.clone()).unwrap().into()
                })*
                other => panic!("no such frame: {other}"),
            };
            frame.encode(&mut wire);
            wire
        }
    };
}

frames! {
    client: Hello "hello" Join "join" Say "say" Direct "direct" Enter "enter" Leave "leave"
        History "history" Members "members" Ping "ping" Pong "pong" Search "search"
        Topic "topic" Remove "remove" Moderate "moderate" Sanctions "sanctions"
        Directory "directory" Announce "announce" Role "role" Claim "claim"
        MarkRead "mark_read" Replicate "replicate" Replicated "replicated";
    server: Ping "ping" Pong "pong" ServerHello "server_hello" Welcome "welcome" Entered "entered"
        Entry "entry" DirectEntry "direct_entry" End "end" Left "left" Roster "roster"
        Presence "presence" Accepted "accepted" Notice "notice" Error "error"
        Done "done" Removed "removed" TopicChanged "topic_changed" RoomModes "room_modes"
        RoleChanged "role_changed" SanctionsList "sanctions_list" Rooms "rooms"
        ReadMark "read_mark" Sanctioned "sanctioned"
}
