//! Layer 2: the client's protocol engine. It manages one user's session on one server: it joins,
//! reconnects and resumes after every connection loss, resends unanswered requests, and reports
//! every message once and in order.
//!
//! The engine does no I/O and reads no clock. A driver passes [`Input`]s with the time at which
//! they occurred to [`Link::handle_input`], then takes [`Output`]s from [`Link::poll_output`] until
//! there are none. The same inputs always produce the same outputs.
//!
//! - `contract`: settings, inputs and outputs
//! - `requests`, `search`: requests of the user interface, and when they are sent
//! - `pending`, `encode`, `pinned`: the queue of unanswered requests and their frames
//! - `frames`, `errors`: frames and errors received from the server
//! - `cursor`, `accepted`: the position, duplicate and gap detection
//! - `timers`, `backoff`: timeouts, pings, reconnect delays
//!
//! The protocol is described in `docs/protocol/tcp.md`; section 6 covers resuming.

mod accepted;
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

use self::accepted::AcceptedMessages;
use self::backoff::Backoff;
use self::cursor::ReceiveCursor;
use self::pending::PendingRequests;
use self::pinned::PinnedSessions;
use crate::model::{
    ChatCommand, ConnectionState, Event, Moment, NameKey, Position, Refusal, RequestTag, RoomName,
    SessionId,
};
use crate::wire::tcp::{ClientFrame, Hello, Join, MAGIC, VERSION, Welcome, feature};

/// Delay before a changed position is written to disk. It batches writes, to reduce wear on SD
/// cards.
const PERSIST_DELAY: Duration = Duration::from_secs(3);

/// Maximum number of unanswered requests. Further requests are refused. A driver that can pause its
/// input should do so earlier: see [`Link::has_capacity`].
const MAX_PENDING_REQUESTS: usize = 1_000;

/// Maximum number of bytes of message text in unanswered requests. See [`MAX_PENDING_REQUESTS`].
const MAX_PENDING_BYTES: usize = 1 << 20;

/// Optional protocol features, as bits of [`feature`], that `hello` requests if
/// [`Settings::observe`] is set.
const REQUESTED_FEATURES: u64 = feature::PRESENCE | feature::SEARCH;

/// State of the connection state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The driver is making a connection.
    Connecting,
    /// Connected: `hello` has been sent, `server_hello` is awaited.
    AwaitingHello {
        /// Start of the wait, for the handshake timeout.
        since: Moment,
    },
    /// `server_hello` has been received and `join` sent; `welcome` is awaited.
    AwaitingWelcome {
        /// Start of the wait, for the handshake timeout.
        since: Moment,
    },
    /// Disconnected while the user is asked for the server's password.
    AwaitingPassword,
    /// `welcome` has been received; missed messages are being replayed until `end`.
    Replaying,
    /// Joined, and the replay has ended: requests are sent as they are made.
    Live,
    /// Disconnected; waiting before the next connection attempt.
    BackingOff {
        /// Time of the next connection attempt.
        until: Moment,
    },
    /// Final state: inputs are ignored.
    Ended,
}

/// Graceful shutdown in progress: the link leaves as soon as no request is pending.
#[derive(Clone, Copy, Debug)]
struct Draining {
    /// Timeout: give up after this time without any answer.
    patience: Duration,
    /// Time of the last answer, or of the shutdown request if there was none since.
    last_answer: Moment,
}

/// The client's protocol engine. The module documentation explains how to drive it.
#[derive(Debug)]
pub struct Link {
    /// Settings passed to [`Link::new`].
    settings: Settings,
    /// State of the connection state machine.
    phase: Phase,
    /// Queue of outputs that the driver has not taken yet.
    outputs: VecDeque<Output>,
    /// Reconnect delays.
    backoff: Backoff,
    /// Position in the server's log, duplicate and gap detection.
    cursor: ReceiveCursor,
    /// Messages that were shown when `accepted` came, so that their entries are duplicates.
    accepted_messages: AcceptedMessages,
    /// Queue of unanswered requests.
    pending: PendingRequests,
    /// Sessions that direct messages to a username are pinned to.
    pinned_sessions: PinnedSessions,
    /// Session state to persist; its token resumes the session at the next join.
    saved: Option<SavedSession>,
    /// Saved position and its rooms, kept unchanged because a link without [`Settings::observe`]
    /// must not advance them.
    preserved_position: Option<(Position, Vec<String>)>,
    /// True if the next `join` includes the position.
    sends_position: bool,
    /// This client's session numbers within the current log, former ones included, the current one
    /// last.
    own_sessions: Vec<SessionId>,
    /// Last `welcome` received, for its limits, intervals and rooms.
    welcome: Option<Welcome>,
    /// Name and version of the server's program, from `server_hello`.
    server_program: String,
    /// Features that the server has granted: bits of [`feature`].
    features: u64,
    /// Joined rooms; the next `join` names them.
    rooms: Vec<String>,
    /// True if a join has succeeded before, up to the end of its replay.
    has_joined: bool,
    /// True if the last `join` included the password.
    password_sent: bool,
    /// True if this server has ever asked for a password.
    password_required: bool,
    /// Time at which bytes were last received on this connection.
    last_received: Moment,
    /// True if a ping has been sent since `last_received`.
    ping_outstanding: bool,
    /// Time of the next write of the position to disk, if it has changed.
    persist_at: Option<Moment>,
    /// Graceful shutdown in progress, if one was requested.
    draining: Option<Draining>,
    /// Number of refused requests.
    refused_count: usize,
    /// Wake-up time that was last announced to the driver.
    announced_wake: Option<Moment>,
}

impl Link {
    /// Creates a link and queues its first outputs: take them at once, they ask for a connection.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut link = Self {
            phase: Phase::Connecting,
            outputs: VecDeque::new(),
            backoff: Backoff::new(settings.seed),
            cursor: ReceiveCursor::default(),
            accepted_messages: AcceptedMessages::default(),
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

    /// Processes an input that occurred at `now`. Take the outputs afterwards.
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
            // Late events of a connection that has been given up.
            Input::FramingError
            | Input::ConnectFailed { .. }
            | Input::Disconnected { .. }
            | Input::Wake => {}
        }
        self.run_timers(now);
        self.announce_wake();
    }

    /// Returns the next output, if any. Call it after every input until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns true if the queue of unanswered requests is less than a quarter full, so that a
    /// driver that can pause its input should keep reading it. Ask again after every input.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.pending.len() < MAX_PENDING_REQUESTS / 4
            && self.pending.bytes() < MAX_PENDING_BYTES / 4
    }

    /// Queues an output.
    fn push_output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Queues an event for the user interface.
    fn emit(&mut self, event: Event) {
        self.push_output(Output::Event(event));
    }

    /// Queues a frame to send.
    fn send(&mut self, frame: impl Into<ClientFrame>) {
        self.push_output(Output::Send(frame.into()));
    }

    /// Starts a connection attempt.
    fn connect(&mut self) {
        self.phase = Phase::Connecting;
        self.emit(Event::Connection(ConnectionState::Connecting));
        self.push_output(Output::Connect);
    }

    /// Handles a new connection: restores a saved session, then sends `hello`.
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
        self.emit(Event::Connection(ConnectionState::Connected));
        self.send(Hello {
            magic: MAGIC,
            min_version: VERSION,
            max_version: VERSION,
            features: if self.settings.observe { REQUESTED_FEATURES } else { 0 },
            client_name: self.settings.program.to_owned(),
            client_version: self.settings.version.to_owned(),
        });
    }

    /// Restores the session that an earlier link has saved.
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

    /// Chooses which rooms the first `join` names and whether it includes the position, from the
    /// rooms that the saved position covers.
    ///
    /// A room that it does not cover would replay everything since the position. Such rooms are
    /// entered after the join instead, before any other pending request. If the position covers
    /// none of the rooms, the join names them all and includes no position.
    fn choose_join_rooms(&mut self, seen: &[String]) {
        if self.rooms.is_empty() {
            self.rooms.push(RoomName::lobby().as_str().to_owned());
        }
        let is_known = |room: &String| seen.iter().any(|it| NameKey::of(it) == NameKey::of(room));
        let (known, new): (Vec<_>, Vec<_>) = self.rooms.iter().cloned().partition(is_known);
        self.sends_position = !known.is_empty();
        if self.sends_position {
            for room in new.into_iter().rev() {
                self.pending.push_front(
                    RequestTag::default(),
                    ChatCommand::Enter { room },
                    Vec::new(),
                );
            }
            self.rooms = known;
        }
    }

    /// Sends `join`. It includes the password only if this server has asked for one.
    ///
    /// Call it only after `server_hello`: a join that is still under way in an abandoned connection
    /// could arrive late and end the connection that followed.
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

    /// Records activity on the connection, which restarts the silence timers.
    fn on_bytes_received(&mut self, now: Moment) {
        self.last_received = now;
        self.ping_outstanding = false;
    }

    /// Returns true if the link regards the connection as established.
    const fn is_connected(&self) -> bool {
        matches!(
            self.phase,
            Phase::AwaitingHello { .. }
                | Phase::AwaitingWelcome { .. }
                | Phase::Replaying
                | Phase::Live
        )
    }

    /// Handles the end of the connection: schedules a reconnect, or ends the link if no join has
    /// ever succeeded and [`Settings::retry_first_connect`] is not set. `advice` is the server's
    /// minimum delay.
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
        self.emit(Event::Connection(ConnectionState::Disconnected { reason }));
        let delay = self.backoff.next_delay(now, advice);
        self.phase = Phase::BackingOff { until: now + delay };
        self.emit(Event::Connection(ConnectionState::Reconnecting { delay }));
    }

    /// Closes the connection, then proceeds as [`Link::on_connection_lost`].
    fn drop_connection(&mut self, now: Moment, reason: String, advice: Option<Duration>) {
        self.push_output(Output::Disconnect);
        self.on_connection_lost(now, reason, advice);
    }

    /// Ends the link because of a protocol violation.
    fn end_with_protocol_error(&mut self, reason: String) {
        self.finish(EndReason::Protocol { reason });
    }

    /// Ends the link: reports unsent messages, persists the position if it has changed,
    /// disconnects, and queues [`Output::Finished`].
    fn finish(&mut self, end: EndReason) {
        let mut end = end;
        let mut lost = 0;
        let left: Vec<_> = self.pending.drain().collect();
        for (item, perhaps_taken) in left {
            let Some(text) = item.command.message_text().map(str::to_owned) else {
                continue;
            };
            lost += 1;
            let to = item.command.target();
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

    /// Ends the link normally, as [`EndReason::Left`].
    fn finish_left(&mut self) {
        let refused = self.refused_count;
        self.finish(EndReason::Left { unsent: 0, refused });
    }

    /// Schedules a write of the position to disk after [`PERSIST_DELAY`], unless one is scheduled.
    /// Does nothing without [`Settings::observe`].
    fn schedule_persist(&mut self, now: Moment) {
        if self.settings.observe && self.persist_at.is_none() {
            self.persist_at = Some(now + PERSIST_DELAY);
        }
    }

    /// Queues [`Output::Persist`] with the current session, position and rooms.
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

    /// Records that a request was answered, which restarts the timeout of a graceful shutdown.
    fn record_answer(&mut self, now: Moment) {
        if let Some(draining) = &mut self.draining {
            draining.last_answer = now;
        }
    }

    /// Reports a request as refused, with its message text, and counts it.
    fn refuse(&mut self, tag: RequestTag, code: u16, text: String, command: &ChatCommand) {
        self.refused_count += 1;
        let (to, message) = (command.target(), command.message_text().map(str::to_owned));
        self.emit(Event::Refused(Refusal { tag, code, text, to, message }));
    }
}
