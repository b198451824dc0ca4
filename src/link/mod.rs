//! Floor 2: the client's engine. It holds one person's place on one server:
//! joins, comes back after every loss, sends again what was not answered,
//! shows everything once and in order.
//!
//! It has no socket, no clock and no disk. A driver feeds it [`Input`]s with
//! the time at which they happened and then takes [`Output`]s until there
//! are none; the same inputs give the same outputs.

mod backoff;
mod contract;
mod errors;
mod frames;
mod outbox;
mod requests;
mod search;
mod seen;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::VecDeque;
use std::time::Duration;

pub use contract::{End, Input, Output, Saved, Settings};

use self::backoff::Backoff;
use self::outbox::{Outbox, Pins};
use self::seen::Seen;
use crate::model::{
    Event, Moment, NameKey, Position, Refusal, RoomName, SessionId, State, Tag, Task,
};
use crate::wire::tcp::{ClientFrame, Hello, Join, MAGIC, VERSION, Welcome, feature};

/// A position is kept so long before it is written to disk: a card wears.
const PERSIST_DELAY: Duration = Duration::from_secs(3);

/// Things that may wait for an answer, and bytes of text in them. More is
/// refused; a driver that can hold its input back does so earlier.
const MAX_WAITING: usize = 1_000;

/// See [`MAX_WAITING`].
const MAX_WAITING_BYTES: usize = 1 << 20;

/// What is asked of a server where somebody sees what is said.
const WANTED: u64 = feature::PRESENCE | feature::SEARCH;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A connection is being made.
    Connecting,
    /// `hello` and `join` are sent.
    Hailing {
        /// Since when.
        since: Moment,
    },
    /// `server_hello` has come, `join` is sent.
    Greeted {
        /// Since when.
        since: Moment,
    },
    /// A person is asked for the password; there is no connection meanwhile.
    Asking,
    /// `welcome` has come, what was missed is coming.
    Replaying,
    /// Everything that comes is new.
    Live,
    /// Waiting before the next attempt.
    Resting {
        /// Until when.
        until: Moment,
    },
    /// Nothing more happens.
    Over,
}

/// Leaving as soon as everything is answered.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    /// Give up when nothing was answered for so long.
    patience: Duration,
    /// When something was answered last.
    progress: Moment,
}

/// The engine; see the module's page.
#[derive(Debug)]
pub struct Link {
    /// How it was begun.
    settings: Settings,
    /// Where it stands.
    phase: Phase,
    /// What the driver has not taken yet.
    outputs: VecDeque<Output>,
    /// When to connect again.
    backoff: Backoff,
    /// What has been received.
    seen: Seen,
    /// What is not answered.
    outbox: Outbox,
    /// Whom answers are for.
    pins: Pins,
    /// What the next join brings to come back.
    saved: Option<Saved>,
    /// The position that is not ours to move (see [`Settings::observe`]),
    /// with its rooms.
    untouched: Option<(Position, Vec<String>)>,
    /// The next join brings the position.
    has_position: bool,
    /// The sessions that were ours, the present one last.
    sessions: Vec<SessionId>,
    /// What the welcome said; it is shown together with the replay.
    welcome: Option<Welcome>,
    /// The server's program and version.
    server_program: String,
    /// What the server will do of what was asked for: bits of [`feature`].
    features: u64,
    /// Rooms that we are in, or want to be in: the next join names them.
    rooms: Vec<String>,
    /// We have been let in before.
    was_joined: bool,
    /// The join under way brought the password.
    password_sent: bool,
    /// This server has asked for a password.
    password_asked: bool,
    /// When the last bytes came on this connection.
    heard: Moment,
    /// A ping is out since then.
    pinged: bool,
    /// When to write the position to disk.
    persist_at: Option<Moment>,
    /// Leaving as soon as possible.
    leaving: Option<Leaving>,
    /// Requests that were refused.
    refused: usize,
    /// What the driver was last told.
    wake_told: Option<Moment>,
}

impl Link {
    /// Begins; take the outputs at once, the first asks for a connection.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut link = Self {
            phase: Phase::Connecting,
            outputs: VecDeque::new(),
            backoff: Backoff::new(settings.seed),
            seen: Seen::default(),
            outbox: Outbox::default(),
            pins: Pins::default(),
            untouched: None,
            has_position: settings.observe,
            sessions: Vec::new(),
            password_asked: false,
            saved: None,
            welcome: None,
            server_program: String::new(),
            features: 0,
            rooms: settings.rooms.clone(),
            was_joined: false,
            password_sent: false,
            heard: Moment::START,
            pinged: false,
            persist_at: None,
            leaving: None,
            refused: 0,
            wake_told: None,
            settings,
        };
        link.connect();
        link
    }

    /// Something has happened at `now`. Take the outputs afterwards.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Connected { saved } => self.on_connected(now, saved),
            Input::Heard => self.on_heard(now),
            Input::Received(received) => {
                self.on_heard(now);
                self.on_received(now, received);
            }
            Input::Garbled if self.is_connected() => {
                self.protocol("What came from there is not pi-chat.".to_owned());
            }
            Input::ConnectFailed { reason } if self.phase == Phase::Connecting => {
                self.on_lost(now, reason, None);
            }
            Input::Disconnected { reason } if self.is_connected() => {
                self.on_lost(now, reason, None);
            }
            Input::Request(request) => self.on_request(now, request),
            // What a connection brings after it was given up is of no interest.
            Input::Garbled
            | Input::ConnectFailed { .. }
            | Input::Disconnected { .. }
            | Input::Wake => {}
        }
        self.on_time(now);
        self.tell_wake();
    }

    /// What the driver is to do next. Call it until it gives nothing, after
    /// every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether little enough waits that a driver which can hold its input
    /// back should go on reading it. Ask again after every input.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.outbox.len() < MAX_WAITING / 4 && self.outbox.bytes() < MAX_WAITING_BYTES / 4
    }

    /// Puts an output behind the others.
    fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Has something shown.
    fn show(&mut self, event: Event) {
        self.put(Output::Event(event));
    }

    /// Has a frame sent.
    fn send(&mut self, frame: impl Into<ClientFrame>) {
        self.put(Output::Send(frame.into()));
    }

    /// Has a connection made.
    fn connect(&mut self) {
        self.phase = Phase::Connecting;
        self.show(Event::State(State::Connecting));
        self.put(Output::Connect);
    }

    /// The connection is there: greets.
    fn on_connected(&mut self, now: Moment, saved: Option<Saved>) {
        if self.phase != Phase::Connecting {
            return;
        }
        if let Some(saved) = saved.filter(|_| self.saved.is_none()) {
            self.take_up(saved);
        }
        self.phase = Phase::Hailing { since: now };
        self.heard = now;
        self.pinged = false;
        self.show(Event::State(State::Connected));
        self.send(Hello {
            magic: MAGIC,
            min_version: VERSION,
            max_version: VERSION,
            features: if self.settings.observe { WANTED } else { 0 },
            client_name: self.settings.program.to_owned(),
            client_version: self.settings.version.to_owned(),
        });
    }

    /// Goes on where an earlier link stopped.
    fn take_up(&mut self, saved: Saved) {
        self.sessions.push(saved.session);
        self.password_asked |= saved.password_asked;
        if let Some(position) = saved.position {
            if self.settings.observe {
                self.seen = Seen::from(position);
                self.choose_rooms(&saved.rooms);
            } else {
                self.untouched = Some((position, saved.rooms.clone()));
            }
        }
        self.saved = Some(saved);
    }

    /// Decides which rooms the first join names, and whether it brings the position. A
    /// room that the position is not about would bring everything since then:
    /// such rooms are entered afterwards, but before anything else that was
    /// asked. If there are no others, the join brings no position.
    fn choose_rooms(&mut self, seen: &[String]) {
        if self.rooms.is_empty() {
            self.rooms.push(RoomName::lobby().as_str().to_owned());
        }
        let is_known = |room: &String| seen.iter().any(|it| NameKey::of(it) == NameKey::of(room));
        let (known, new): (Vec<_>, Vec<_>) = self.rooms.iter().cloned().partition(is_known);
        self.has_position = !known.is_empty();
        if self.has_position {
            for room in new.into_iter().rev() {
                self.outbox.put_back(Tag::default(), Task::Enter { room }, Vec::new());
            }
            self.rooms = known;
        }
    }

    /// Asks to be let in, once the server has answered: a join in a connection
    /// that was given up may yet arrive, and end the one that followed. The
    /// password goes only to a server that has asked for one, now or earlier.
    fn join(&mut self) {
        let password = self.settings.password.clone().filter(|_| self.password_asked);
        self.password_sent = password.is_some();
        self.send(Join {
            username: self.settings.username.clone(),
            password: password.map(|it| it.0),
            rooms: self.rooms.clone(),
            token: self.saved.as_ref().map(|it| it.token),
            position: self.seen.position().filter(|_| self.has_position),
        });
    }

    /// Bytes have come.
    fn on_heard(&mut self, now: Moment) {
        self.heard = now;
        self.pinged = false;
    }

    /// There is a connection, or there seems to be.
    const fn is_connected(&self) -> bool {
        matches!(
            self.phase,
            Phase::Hailing { .. } | Phase::Greeted { .. } | Phase::Replaying | Phase::Live
        )
    }

    /// The connection has ended, or was given up: rests and tries again, or
    /// ends if it has never worked and nobody said to wait.
    fn on_lost(&mut self, now: Moment, reason: String, advice: Option<Duration>) {
        for (tag, room) in self.outbox.forget_leaves() {
            let key = NameKey::of(&room);
            self.rooms.retain(|it| NameKey::of(it) != key);
            self.show(Event::Left { tag, room });
        }
        if !self.was_joined && !self.settings.patient {
            self.phase = Phase::Resting { until: now };
            self.conclude(End::Unavailable { reason });
            return;
        }
        self.show(Event::State(State::Disconnected { reason }));
        let delay = self.backoff.next_wait(now, advice);
        self.phase = Phase::Resting { until: now + delay };
        self.show(Event::State(State::Reconnecting { delay }));
    }

    /// Closes the connection, then as [`Link::on_lost`].
    fn give_up(&mut self, now: Moment, reason: String, advice: Option<Duration>) {
        self.put(Output::Disconnect);
        self.on_lost(now, reason, advice);
    }

    /// One side does not keep to the protocol: it ends here.
    fn protocol(&mut self, reason: String) {
        self.conclude(End::Protocol { reason });
    }

    /// It is over: tells what is lost, keeps what is to be kept, closes.
    fn conclude(&mut self, end: End) {
        let mut end = end;
        let mut lost = 0;
        let left: Vec<_> = self.outbox.drain().collect();
        for (item, perhaps_taken) in left {
            let Some(text) = item.task.message().map(str::to_owned) else {
                continue;
            };
            lost += 1;
            let to = item.task.target();
            self.show(Event::Unsent { tag: item.tag, to, text, perhaps_taken });
        }
        if let End::Left { unsent, .. } = &mut end {
            *unsent = lost;
        }
        if self.persist_at.take().is_some() {
            self.persist();
        }
        if self.is_connected() {
            self.put(Output::Disconnect);
        }
        self.phase = Phase::Over;
        self.put(Output::Finished(end));
    }

    /// Leaves in order.
    fn leave(&mut self) {
        let refused = self.refused;
        self.conclude(End::Left { unsent: 0, refused });
    }

    /// The position has changed: it goes to disk soon.
    fn keep_position(&mut self, now: Moment) {
        if self.settings.observe && self.persist_at.is_none() {
            self.persist_at = Some(now + PERSIST_DELAY);
        }
    }

    /// Hands out what is to be on disk.
    fn persist(&mut self) {
        let (position, rooms) = if self.settings.observe {
            (self.seen.position(), self.rooms.clone())
        } else {
            let untouched = self.untouched.clone();
            let untouched = untouched.filter(|(it, _)| Some(it.log_id) == self.seen.log());
            untouched.map_or((None, Vec::new()), |(position, rooms)| (Some(position), rooms))
        };
        if let Some(saved) = &mut self.saved {
            saved.position = position;
            saved.rooms = rooms;
            saved.password_asked = self.password_asked;
            let saved = saved.clone();
            self.put(Output::Persist(saved));
        }
    }

    /// Something was answered.
    fn progress(&mut self, now: Moment) {
        if let Some(leaving) = &mut self.leaving {
            leaving.progress = now;
        }
    }

    /// A request was answered with "no".
    fn refuse(&mut self, tag: Tag, code: u16, text: String, task: &Task) {
        self.refused += 1;
        let (to, message) = (task.target(), task.message().map(str::to_owned));
        self.show(Event::Refused(Refusal { tag, code, text, to, message }));
    }
}
