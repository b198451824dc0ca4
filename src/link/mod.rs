//! Floor 2: the client's engine. It holds one person's place on one server:
//! joins, comes back after every loss, sends again what was not answered,
//! shows everything once and in order.
//!
//! It has no socket, no clock and no disk. A driver feeds it [`Input`]s with
//! the time at which they happened and then takes [`Output`]s until there
//! are none; the same inputs give the same outputs.

mod backoff;
mod contract;
mod cursor;
mod encode;
mod errors;
mod frames;
mod pending;
mod pinned;
mod requests;
mod search;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::VecDeque;
use std::time::Duration;

pub use contract::{EndReason, Input, Output, SavedSession, Settings};

use self::backoff::Backoff;
use self::cursor::ReceiveCursor;
use self::pending::PendingRequests;
use self::pinned::PinnedSessions;
use crate::model::{
    Event, Moment, NameKey, Position, Refusal, RoomName, SessionId, State, Tag, Task,
};
use crate::wire::tcp::{ClientFrame, Hello, Join, MAGIC, VERSION, Welcome, feature};

/// A position is kept so long before it is written to disk: a card wears.
const PERSIST_DELAY: Duration = Duration::from_secs(3);

/// Things that may wait for an answer, and bytes of text in them. More is
/// refused; a driver that can hold its input back does so earlier.
const MAX_PENDING_REQUESTS: usize = 1_000;

/// See [`MAX_PENDING_REQUESTS`].
const MAX_PENDING_BYTES: usize = 1 << 20;

/// What is asked of a server where somebody sees what is said.
const REQUESTED_FEATURES: u64 = feature::PRESENCE | feature::SEARCH;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A connection is being made.
    Connecting,
    /// `hello` and `join` are sent.
    AwaitingHello {
        /// Since when.
        since: Moment,
    },
    /// `server_hello` has come, `join` is sent.
    AwaitingWelcome {
        /// Since when.
        since: Moment,
    },
    /// A person is asked for the password; there is no connection meanwhile.
    AwaitingPassword,
    /// `welcome` has come, what was missed is coming.
    Replaying,
    /// Everything that comes is new.
    Live,
    /// Waiting before the next attempt.
    BackingOff {
        /// Until when.
        until: Moment,
    },
    /// Nothing more happens.
    Ended,
}

/// Draining as soon as everything is answered.
#[derive(Clone, Copy, Debug)]
struct Draining {
    /// Give up when nothing was answered for so long.
    patience: Duration,
    /// When something was answered last.
    last_answer: Moment,
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
    cursor: ReceiveCursor,
    /// What is not answered.
    pending: PendingRequests,
    /// Whom answers are for.
    pinned_sessions: PinnedSessions,
    /// What the next join brings to come back.
    saved: Option<SavedSession>,
    /// The position that is not ours to move (see [`Settings::observe`]),
    /// with its rooms.
    preserved_position: Option<(Position, Vec<String>)>,
    /// The next join brings the position.
    sends_position: bool,
    /// The sessions that were ours, the present one last.
    own_sessions: Vec<SessionId>,
    /// What the welcome said; it is shown together with the replay.
    welcome: Option<Welcome>,
    /// The server's program and version.
    server_program: String,
    /// What the server will do of what was asked for: bits of [`feature`].
    features: u64,
    /// Rooms that we are in, or want to be in: the next join names them.
    rooms: Vec<String>,
    /// We have been let in before.
    has_joined: bool,
    /// The join under way brought the password.
    password_sent: bool,
    /// This server has asked for a password.
    password_required: bool,
    /// When the last bytes came on this connection.
    last_received: Moment,
    /// A ping is out since then.
    ping_outstanding: bool,
    /// When to write the position to disk.
    persist_at: Option<Moment>,
    /// Draining as soon as possible.
    draining: Option<Draining>,
    /// Requests that were refused.
    refused_count: usize,
    /// What the driver was last told.
    announced_wake: Option<Moment>,
}

impl Link {
    /// Begins; take the outputs at once, the first asks for a connection.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut link = Self {
            phase: Phase::Connecting,
            outputs: VecDeque::new(),
            backoff: Backoff::new(settings.seed),
            cursor: ReceiveCursor::default(),
            pending: PendingRequests::default(),
            pinned_sessions: PinnedSessions::default(),
            preserved_position: None,
            sends_position: settings.observe,
            own_sessions: Vec::new(),
            password_required: false,
            saved: None,
            welcome: None,
            server_program: String::new(),
            features: 0,
            rooms: settings.rooms.clone(),
            has_joined: false,
            password_sent: false,
            last_received: Moment::START,
            ping_outstanding: false,
            persist_at: None,
            draining: None,
            refused_count: 0,
            announced_wake: None,
            settings,
        };
        link.connect();
        link
    }

    /// Something has happened at `now`. Take the outputs afterwards.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Connected { saved } => self.on_connected(now, saved),
            Input::BytesReceived => self.on_bytes_received(now),
            Input::Received(received) => {
                self.on_bytes_received(now);
                self.on_received(now, received);
            }
            Input::FramingError if self.is_connected() => {
                self.end_with_protocol_error("What came from there is not pi-chat.".to_owned());
            }
            Input::ConnectFailed { reason } if self.phase == Phase::Connecting => {
                self.on_connection_lost(now, reason, None);
            }
            Input::Disconnected { reason } if self.is_connected() => {
                self.on_connection_lost(now, reason, None);
            }
            Input::Request(request) => self.on_request(now, request),
            // What a connection brings after it was given up is of no interest.
            Input::FramingError
            | Input::ConnectFailed { .. }
            | Input::Disconnected { .. }
            | Input::Wake => {}
        }
        self.run_timers(now);
        self.announce_wake();
    }

    /// What the driver is to do next. Call it until it gives nothing, after
    /// every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether little enough waits that a driver which can hold its input
    /// back should go on reading it. Ask again after every input.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.pending.len() < MAX_PENDING_REQUESTS / 4
            && self.pending.bytes() < MAX_PENDING_BYTES / 4
    }

    /// Puts an output behind the others.
    fn push_output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Has something shown.
    fn emit(&mut self, event: Event) {
        self.push_output(Output::Event(event));
    }

    /// Has a frame sent.
    fn send(&mut self, frame: impl Into<ClientFrame>) {
        self.push_output(Output::Send(frame.into()));
    }

    /// Has a connection made.
    fn connect(&mut self) {
        self.phase = Phase::Connecting;
        self.emit(Event::State(State::Connecting));
        self.push_output(Output::Connect);
    }

    /// The connection is there: greets.
    fn on_connected(&mut self, now: Moment, saved: Option<SavedSession>) {
        if self.phase != Phase::Connecting {
            return;
        }
        if let Some(saved) = saved.filter(|_| self.saved.is_none()) {
            self.restore(saved);
        }
        self.phase = Phase::AwaitingHello { since: now };
        self.last_received = now;
        self.ping_outstanding = false;
        self.emit(Event::State(State::Connected));
        self.send(Hello {
            magic: MAGIC,
            min_version: VERSION,
            max_version: VERSION,
            features: if self.settings.observe { REQUESTED_FEATURES } else { 0 },
            client_name: self.settings.program.to_owned(),
            client_version: self.settings.version.to_owned(),
        });
    }

    /// Goes on where an earlier link stopped.
    fn restore(&mut self, saved: SavedSession) {
        self.own_sessions.push(saved.session);
        self.password_required |= saved.password_required;
        if let Some(position) = saved.position {
            if self.settings.observe {
                self.cursor = ReceiveCursor::resume_from(position);
                self.choose_join_rooms(&saved.rooms);
            } else {
                self.preserved_position = Some((position, saved.rooms.clone()));
            }
        }
        self.saved = Some(saved);
    }

    /// Decides which rooms the first join names, and whether it brings the position. A
    /// room that the position is not about would bring everything since then:
    /// such rooms are entered afterwards, but before anything else that was
    /// asked. If there are no others, the join brings no position.
    fn choose_join_rooms(&mut self, seen: &[String]) {
        if self.rooms.is_empty() {
            self.rooms.push(RoomName::lobby().as_str().to_owned());
        }
        let is_known = |room: &String| seen.iter().any(|it| NameKey::of(it) == NameKey::of(room));
        let (known, new): (Vec<_>, Vec<_>) = self.rooms.iter().cloned().partition(is_known);
        self.sends_position = !known.is_empty();
        if self.sends_position {
            for room in new.into_iter().rev() {
                self.pending.push_front(Tag::default(), Task::Enter { room }, Vec::new());
            }
            self.rooms = known;
        }
    }

    /// Asks to be let in, once the server has answered: a join in a connection
    /// that was given up may yet arrive, and end the one that followed. The
    /// password goes only to a server that has asked for one, now or earlier.
    fn send_join(&mut self) {
        let password = self.settings.password.clone().filter(|_| self.password_required);
        self.password_sent = password.is_some();
        self.send(Join {
            username: self.settings.username.clone(),
            password: password.map(|it| it.0),
            rooms: self.rooms.clone(),
            token: self.saved.as_ref().map(|it| it.token),
            position: self.cursor.position().filter(|_| self.sends_position),
        });
    }

    /// Bytes have come.
    fn on_bytes_received(&mut self, now: Moment) {
        self.last_received = now;
        self.ping_outstanding = false;
    }

    /// There is a connection, or there seems to be.
    const fn is_connected(&self) -> bool {
        matches!(
            self.phase,
            Phase::AwaitingHello { .. }
                | Phase::AwaitingWelcome { .. }
                | Phase::Replaying
                | Phase::Live
        )
    }

    /// The connection has ended, or was given up: rests and tries again, or
    /// ends if it has never worked and nobody said to wait.
    fn on_connection_lost(&mut self, now: Moment, reason: String, advice: Option<Duration>) {
        for (tag, room) in self.pending.remove_sent_leaves() {
            let key = NameKey::of(&room);
            self.rooms.retain(|it| NameKey::of(it) != key);
            self.emit(Event::Left { tag, room });
        }
        if !self.has_joined && !self.settings.retry_first_connect {
            self.phase = Phase::BackingOff { until: now };
            self.finish(EndReason::Unavailable { reason });
            return;
        }
        self.emit(Event::State(State::Disconnected { reason }));
        let delay = self.backoff.next_delay(now, advice);
        self.phase = Phase::BackingOff { until: now + delay };
        self.emit(Event::State(State::Reconnecting { delay }));
    }

    /// Closes the connection, then as [`Link::on_connection_lost`].
    fn drop_connection(&mut self, now: Moment, reason: String, advice: Option<Duration>) {
        self.push_output(Output::Disconnect);
        self.on_connection_lost(now, reason, advice);
    }

    /// One side does not keep to the protocol: it ends here.
    fn end_with_protocol_error(&mut self, reason: String) {
        self.finish(EndReason::Protocol { reason });
    }

    /// It is over: tells what is lost, keeps what is to be kept, closes.
    fn finish(&mut self, end: EndReason) {
        let mut end = end;
        let mut lost = 0;
        let left: Vec<_> = self.pending.drain().collect();
        for (item, perhaps_taken) in left {
            let Some(text) = item.task.message_text().map(str::to_owned) else {
                continue;
            };
            lost += 1;
            let to = item.task.target();
            self.emit(Event::Unsent { tag: item.tag, to, text, perhaps_taken });
        }
        if let EndReason::Left { unsent, .. } = &mut end {
            *unsent = lost;
        }
        if self.persist_at.take().is_some() {
            self.persist();
        }
        if self.is_connected() {
            self.push_output(Output::Disconnect);
        }
        self.phase = Phase::Ended;
        self.push_output(Output::Finished(end));
    }

    /// Leaves in order.
    fn finish_left(&mut self) {
        let refused = self.refused_count;
        self.finish(EndReason::Left { unsent: 0, refused });
    }

    /// The position has changed: it goes to disk soon.
    fn schedule_persist(&mut self, now: Moment) {
        if self.settings.observe && self.persist_at.is_none() {
            self.persist_at = Some(now + PERSIST_DELAY);
        }
    }

    /// Hands out what is to be on disk.
    fn persist(&mut self) {
        let (position, rooms) = if self.settings.observe {
            (self.cursor.position(), self.rooms.clone())
        } else {
            let preserved_position = self.preserved_position.clone();
            let preserved_position =
                preserved_position.filter(|(it, _)| Some(it.log_id) == self.cursor.log_id());
            preserved_position
                .map_or((None, Vec::new()), |(position, rooms)| (Some(position), rooms))
        };
        if let Some(saved) = &mut self.saved {
            saved.position = position;
            saved.rooms = rooms;
            saved.password_required = self.password_required;
            let saved = saved.clone();
            self.push_output(Output::Persist(saved));
        }
    }

    /// Something was answered.
    fn record_answer(&mut self, now: Moment) {
        if let Some(draining) = &mut self.draining {
            draining.last_answer = now;
        }
    }

    /// A request was answered with "no".
    fn refuse(&mut self, tag: Tag, code: u16, text: String, task: &Task) {
        self.refused_count += 1;
        let (to, message) = (task.target(), task.message_text().map(str::to_owned));
        self.emit(Event::Refused(Refusal { tag, code, text, to, message }));
    }
}
