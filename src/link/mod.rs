//! Layer 2: the client's protocol engine. It manages one user's session on one server. It joins,
//! and after a connection loss it reconnects and resumes. It resends unanswered requests,
//! removes duplicate messages, and reports gaps.
//!
//! The engine does no I/O and reads no clock. A driver passes each [`Input`] to
//! [`Link::handle_input`], with the time at which the input occurred. Then the driver takes
//! [`Output`]s from [`Link::poll_output`] until there are none. The same settings and inputs always
//! produce the same outputs.
//!
//! - `contract`: settings, inputs and outputs
//! - `requests`, `search`: validation, queueing and sending of the user's requests
//! - `pending`, `encode`, `pinned`: the queue of unanswered requests and their frames
//! - `unanswered`: the messages of this queue, as they are saved for a later process
//! - `frames`, `errors`: frames and errors received from the server
//! - `cursor`, `accepted`: the position, duplicate detection and gap detection
//! - `timers`, `backoff`: timeouts, pings, reconnect delays
//! - `moderation`: roles, sanctions, topics, removed messages, list of rooms
//! - `claims`: claiming a username, and linking further devices to it
//! - `own_messages`: which messages are the user's own, from other devices too
//! - `known_persons`: persons with whom direct messages were exchanged, and others who have their names
//! - `read_marks`: how far the user has read, on all devices
//! - `invite`: the user's invitation, and the question for one
//! - `answer_watch`: notices a dead connection by an unanswered request
//! - `reconnect`: connecting at once for the user
//!
//! The protocol is described in `docs/protocol/tcp.md`. Its section 6 covers resuming.

mod accepted;
mod answer_watch;
mod backoff;
mod claims;
mod contract;
mod cursor;
mod encode;
mod errors;
mod frames;
mod invite;
#[cfg(feature = "ui")]
mod known_persons;
mod moderation;
mod own_messages;
mod pending;
mod pinned;
mod read_marks;
mod reconnect;
mod requests;
mod search;
#[cfg(test)]
mod tests;
mod timers;
mod unanswered;

use std::collections::VecDeque;
use std::time::Duration;

pub use contract::{EndReason, Input, Output, SavedSession, Settings};
pub use unanswered::UnansweredMessage;

use self::accepted::AcceptedMessages;
use self::answer_watch::AnswerWatch;
use self::backoff::Backoff;
use self::cursor::ReceiveCursor;
use self::moderation::RemovedMessages;
use self::pending::PendingRequests;
use self::pinned::PinnedSessions;
use self::read_marks::RoomMark;
use crate::model::{
    ChatCommand, ConnectionState, Event, LinkSentence, Moment, NameKey, Position, Refusal,
    RequestTag, RoomName, Sentence, SessionId,
};
use crate::wire::tcp::{ClientFrame, Hello, Join, MAGIC, Proof, VERSION, Welcome, feature};

/// Time from scheduling a write of the session to disk until the write. Changes within this time
/// share one write, which reduces wear on SD cards.
const PERSIST_DELAY: Duration = Duration::from_secs(3);

/// Number of unanswered requests at which further chat commands of the user are refused. A driver
/// that can pause its input pauses earlier: see [`Link::has_capacity`].
const MAX_PENDING_REQUESTS: usize = 1_000;

/// Maximum total size of the message texts in unanswered requests, in bytes. A message beyond it is
/// refused.
const MAX_PENDING_BYTES: usize = 1 << 20;

/// Protocol features that every `hello` requests, as bits of [`feature`]. `RESUME` tells the server
/// that the link keeps its token and reconnects by itself.
const REQUESTED_FEATURES: u64 = feature::RESUME;

/// Protocol features that `hello` also requests if [`Settings::observe`] is true.
const OBSERVER_FEATURES: u64 = feature::PRESENCE
    | feature::SEARCH
    | feature::EVENTS
    | feature::DIRECTORY
    | feature::READ_MARKS;

/// Phase of the connection: the state of the link's state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// [`Output::Connect`] has been queued; the driver has not answered yet.
    Connecting,
    /// Connected: `hello` has been sent, `server_hello` has not been received yet.
    AwaitingHello {
        /// Start of the wait, for the handshake timeout.
        since: Moment,
    },
    /// `server_hello` has been received and `join` sent; `welcome` has not been received yet.
    AwaitingWelcome {
        /// Time of the last `join`, for the handshake timeout.
        since: Moment,
    },
    /// Disconnected; the user has been asked for the server's password.
    AwaitingPassword,
    /// Disconnected; the user has been asked for another username.
    AwaitingName,
    /// Disconnected; the user has been asked for an invitation.
    AwaitingInvite,
    /// `welcome` has been received. The server replays entries until `end`. Requests wait for the
    /// `end`.
    Replaying,
    /// Joined, and the replay has ended: requests can be sent.
    Live,
    /// Disconnected; waiting before the next connection attempt.
    BackingOff {
        /// Time of the next connection attempt.
        until: Moment,
    },
    /// Final state: inputs are ignored.
    Ended,
}

/// Graceful shutdown in progress. The link ends as soon as it is live and no request is unanswered.
/// At the latest it ends when `patience` has passed without an answer.
#[derive(Clone, Copy, Debug)]
struct Draining {
    /// Maximum time without an answer, counted from `last_answer`.
    patience: Duration,
    /// Time of the last answer to a request or the last end of a replay. Initially the time of the
    /// request to shut down.
    last_answer: Moment,
}

/// The client's protocol engine. See the module documentation for how to drive it.
#[derive(Debug)]
pub struct Link {
    /// Settings passed to [`Link::new`]. Later only the password and the username change, when the
    /// user enters others, and the invitation, which is dropped when it is no longer needed.
    settings: Settings,
    /// Phase of the connection.
    phase: Phase,
    /// Queue of outputs that the driver has not taken yet.
    outputs: VecDeque<Output>,
    /// Back-off state, which determines the delay before each reconnect.
    backoff: Backoff,
    /// Time of the last [`Output::Connect`].
    last_attempt: Moment,
    /// Cursor into the server's log: the position to resume from, duplicate and gap detection.
    cursor: ReceiveCursor,
    /// Own messages that `accepted` has acknowledged. Such a message was shown when `accepted`
    /// came, so its entry is not shown.
    accepted_messages: AcceptedMessages,
    /// Removed messages that were reported, or came as removed.
    removed_messages: RemovedMessages,
    /// Queue of unanswered requests.
    pending: PendingRequests,
    /// Who last sent a direct message under each username. Replies to the username go to them.
    pinned_sessions: PinnedSessions,
    /// Number of the person whom the user is, if the user has claimed the name; `None` if that is
    /// not known.
    own_person: Option<SessionId>,
    /// How far the user has read each room, and the direct messages.
    read_marks: Vec<RoomMark>,
    /// Session state to save to disk, with the token for the next join. `None` before the first
    /// `welcome`, unless a saved session was restored.
    saved: Option<SavedSession>,
    /// Position and rooms of the restored session, if [`Settings::observe`] is false. They are
    /// saved again unchanged, for a later client that shows messages. `None` otherwise, if that
    /// session had no position, or if the log has changed.
    preserved_position: Option<(Position, Vec<String>)>,
    /// True if the next `join` includes the position, if there is one.
    sends_position: bool,
    /// Session numbers that this client has had within the current log, the current one last.
    /// Before the first `welcome`: only the number of the restored session, if any.
    own_sessions: Vec<SessionId>,
    /// Last `welcome` received; `None` before the first. It is kept after the connection ends.
    welcome: Option<Welcome>,
    /// Name and version of the server's program, separated by a space, from the last
    /// `server_hello`; empty before it.
    server_program: String,
    /// Features that the last `server_hello` granted, as bits of [`feature`]; zero before it.
    features: u64,
    /// Rooms that the next `join` names. Until the first replay has ended: the rooms chosen for the
    /// first join. Afterwards: the joined rooms. A room that the user enters is added when its
    /// history has arrived.
    rooms: Vec<String>,
    /// True once the first join is completed: its replay has ended.
    has_joined: bool,
    /// Proof of the user's key for the present connection; `None` if there is none.
    proof: Option<Proof>,
    /// True if the last `join` sent included the password.
    password_sent: bool,
    /// True if this server has ever asked for a password or found it wrong. The restored session
    /// counts too.
    password_required: bool,
    /// Time at which bytes were last received on this connection. Initially the time at which the
    /// connection was established.
    last_received: Moment,
    /// True if a ping has been sent since `last_received`.
    ping_outstanding: bool,
    /// Watch over the answers to requests in flight.
    answer_watch: AnswerWatch,
    /// Time of the scheduled write of the session to disk; `None` if none is scheduled.
    persist_at: Option<Moment>,
    /// Graceful shutdown in progress; `None` if none was requested.
    draining: Option<Draining>,
    /// Number of chat requests that the link or the server has refused since the link was created.
    refused_count: usize,
    /// Time in the last [`Output::WakeAt`]; it may be in the past. `None` before the first.
    announced_wake: Option<Moment>,
}

impl Link {
    /// Creates a link. Its first outputs report and request a connection: take them at once.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut link = Self {
            phase: Phase::Connecting,
            outputs: VecDeque::new(),
            backoff: Backoff::new(settings.seed),
            last_attempt: Moment::START,
            cursor: ReceiveCursor::default(),
            accepted_messages: AcceptedMessages::default(),
            removed_messages: RemovedMessages::default(),
            pending: PendingRequests::default(),
            pinned_sessions: PinnedSessions::default(),
            own_person: None,
            read_marks: Vec::new(),
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
            proof: None,
            password_sent: false,
            last_received: Moment::START,
            ping_outstanding: false,
            answer_watch: AnswerWatch::default(),
            persist_at: None,
            draining: None,
            refused_count: 0,
            announced_wake: None,
            settings,
        };
        link.connect(Moment::START);
        link
    }

    /// Processes an input that occurred at `now`, then runs expired timers. Does nothing once the
    /// link has ended. Take the outputs afterwards.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            Input::Connected { saved, proof } => self.on_connected(now, saved, proof),
            Input::BytesReceived => self.on_bytes_received(now),
            Input::Received(received) => {
                self.on_bytes_received(now);
                self.on_received(now, received);
            }
            Input::FramingError if self.is_connected() => {
                self.end_with_protocol_error(LinkSentence::NotPiChat.into());
            }
            Input::ConnectFailed { reason } if self.phase == Phase::Connecting => {
                self.on_connection_lost(now, reason.into(), None);
            }
            Input::Disconnected { reason } if self.is_connected() => {
                self.on_connection_lost(now, reason.into(), None);
            }
            Input::Request(request) => self.on_request(now, request),
            // Late inputs from a connection that the link has given up, and early wake-ups.
            Input::FramingError
            | Input::ConnectFailed { .. }
            | Input::Disconnected { .. }
            | Input::Wake => {}
        }
        self.run_timers(now);
        self.announce_wake();
    }

    /// Sets the proof of the user's key for the joins on the present connection: for a driver that
    /// makes it only after [`Input::Connected`]. Call it before the input with `server_hello`.
    pub fn set_proof(&mut self, proof: Option<Proof>) {
        self.proof = proof;
    }

    /// Removes and returns the next output. Call it after every input, and once after
    /// [`Link::new`], until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns true if the queue of unanswered requests is less than a quarter full: the number of
    /// requests and the bytes of message text are both below a quarter of their limits. A driver
    /// that can pause the user's input reads it only while this is true. The value may change with
    /// each input of the link.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.pending.len() < MAX_PENDING_REQUESTS / 4
            && self.pending.bytes() < MAX_PENDING_BYTES / 4
    }

    /// Returns the username that the next join requests, or that the present session has requested.
    #[cfg(feature = "client")]
    pub(crate) fn username(&self) -> &str {
        &self.settings.username
    }

    /// Appends an output to the queue.
    fn push_output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Queues an event for the user interface, as [`Output::Event`].
    fn emit(&mut self, event: Event) {
        self.push_output(Output::Event(event));
    }

    /// Queues a frame to send, as [`Output::Send`].
    fn send(&mut self, frame: impl Into<ClientFrame>) {
        self.push_output(Output::Send(frame.into()));
    }

    /// Enters [`Phase::Connecting`], reports it, and asks the driver for a connection.
    fn connect(&mut self, now: Moment) {
        self.phase = Phase::Connecting;
        self.last_attempt = now;
        self.emit(Event::Connection(ConnectionState::Connecting));
        let observer_features = if self.settings.observe { OBSERVER_FEATURES } else { 0 };
        let hello = Hello {
            magic: MAGIC,
            min_version: VERSION,
            max_version: VERSION,
            features: REQUESTED_FEATURES | observer_features,
            client_name: self.settings.program.to_owned(),
            client_version: self.settings.version.to_owned(),
        };
        self.push_output(Output::Connect { hello });
    }

    /// Handles an established connection. If the link has no session yet, restores `saved`. Keeps
    /// the proof for the joins. Then reports the connection and waits for `server_hello`. Does
    /// nothing if the phase is not [`Phase::Connecting`].
    fn on_connected(&mut self, now: Moment, saved: Option<SavedSession>, proof: Option<Proof>) {
        if self.phase != Phase::Connecting {
            return;
        }
        if let Some(saved) = saved.filter(|_| self.saved.is_none()) {
            self.restore(saved);
        }
        self.proof = proof;
        self.phase = Phase::AwaitingHello { since: now };
        self.last_received = now;
        self.ping_outstanding = false;
        self.emit(Event::Connection(ConnectionState::Connected));
    }

    /// Restores a session that an earlier link has saved: its token, its number, and whether the
    /// server requires a password. If it has a position and [`Settings::observe`] is true, takes
    /// the position over and chooses the rooms of the first `join`. If observe is false, preserves
    /// the position for a later client.
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

    /// Chooses the rooms of the first `join`, and whether it includes the position. `seen` are the
    /// rooms that the saved position covers. If no room is requested, the lobby counts as
    /// requested.
    ///
    /// If the join includes the position, the server replays the later entries of each room in the
    /// join. So such a join names only covered rooms. The other requested rooms are entered after
    /// the replay, before any other pending request. If no requested room is covered, the join
    /// names all requested rooms and includes no position.
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

    /// Sends `join`; the caller sets the phase. The frame includes the token of the session, if
    /// there is one. It includes the password only if this server has asked for one, the position
    /// only if `sends_position` is true, and the invitation while there is one.
    ///
    /// Call it only after `server_hello`. Otherwise a join on an abandoned connection could reach
    /// the server late and end the next connection.
    fn send_join(&mut self) {
        let password = self.settings.password.clone().filter(|_| self.password_required);
        self.password_sent = password.is_some();
        self.send(Join {
            username: self.settings.username.clone(),
            password: password.map(|it| it.0),
            rooms: self.rooms.clone(),
            token: self.saved.as_ref().map(|it| it.token),
            position: self.cursor.position().filter(|_| self.sends_position),
            proof: self.proof.clone().map(Box::new),
            invite: self.invite_to_send(),
        });
    }

    /// Restarts the silence timers, because bytes were received at `now`. If the user was told that
    /// the server is silent, reports that it answers again.
    fn on_bytes_received(&mut self, now: Moment) {
        self.last_received = now;
        self.ping_outstanding = false;
        self.end_silence();
    }

    /// Returns true if a connection is established in the current phase.
    const fn is_connected(&self) -> bool {
        matches!(
            self.phase,
            Phase::AwaitingHello { .. }
                | Phase::AwaitingWelcome { .. }
                | Phase::Replaying
                | Phase::Live
        )
    }

    /// Handles the end of the connection or a failed attempt.
    ///
    /// If the `leave` of a room was sent and need not be repeated, removes the room and reports it
    /// as left. Refuses the changes by moderation and of claims that were sent. Then reports the loss and
    /// schedules a reconnect. `advice` is the delay that the server asks for; `None` if it asks for
    /// none. If no join has been completed yet and [`Settings::retry_first_connect`] is false, ends
    /// the link instead.
    fn on_connection_lost(&mut self, now: Moment, reason: Sentence, advice: Option<Duration>) {
        for (tag, room) in self.pending.remove_sent_leaves() {
            let key = NameKey::of(&room);
            self.rooms.retain(|it| NameKey::of(it) != key);
            self.emit(Event::Left { tag, room, is_forced: false });
        }
        self.refuse_sent_changes();
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

    /// Closes the connection and handles its loss: see [`Link::on_connection_lost`].
    fn drop_connection(&mut self, now: Moment, reason: Sentence, advice: Option<Duration>) {
        self.push_output(Output::Disconnect);
        self.on_connection_lost(now, reason, advice);
    }

    /// Gives up the connection without closing it in order, because the server no longer answers,
    /// and handles its loss: see [`Link::on_connection_lost`].
    fn abandon_connection(&mut self, now: Moment, reason: LinkSentence) {
        self.push_output(Output::Abandon);
        self.on_connection_lost(now, reason.into(), None);
    }

    /// Ends the link because the server violated the protocol or speaks no common version. `reason`
    /// is text for the user.
    fn end_with_protocol_error(&mut self, reason: Sentence) {
        self.finish(EndReason::Protocol { reason });
    }

    /// Ends the link. Empties the queue of requests, and reports every message in it as unsent;
    /// other requests are dropped silently. Sets the number of unsent messages in
    /// [`EndReason::Left`]. Persists the session if a write is scheduled. Disconnects if connected.
    /// Queues [`Output::Finished`] last.
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
        self.send_last_marks();
        if self.is_connected() {
            self.push_output(Output::Disconnect);
        }
        self.phase = Phase::Ended;
        self.push_output(Output::Finished(end));
    }

    /// Ends the link with [`EndReason::Left`], as [`Self::finish`] does.
    fn finish_left(&mut self) {
        let refused = self.refused_count;
        self.finish(EndReason::Left { unsent: 0, refused });
    }

    /// Schedules a write of the session to disk, [`PERSIST_DELAY`] after `now`. Does nothing if one
    /// is scheduled or [`Settings::observe`] is false.
    fn schedule_persist(&mut self, now: Moment) {
        if self.settings.observe && self.persist_at.is_none() {
            self.persist_at = Some(now + PERSIST_DELAY);
        }
    }

    /// Queues [`Output::Persist`] with the current session, position and rooms. If
    /// [`Settings::observe`] is false, saves the preserved position and rooms instead, or none if
    /// they belong to another log. Does nothing if there is no session yet. A scheduled write stays
    /// scheduled.
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

    /// Restarts the timeout of a graceful shutdown, because a request was answered or a replay has
    /// ended. Does nothing without a graceful shutdown.
    fn record_answer(&mut self, now: Moment) {
        if let Some(draining) = &mut self.draining {
            draining.last_answer = now;
        }
    }

    /// Reports a command as refused, with its message text if it has one, and counts the refusal.
    /// Does not remove it from the queue. `code` is the server's error code, or 0 if the link
    /// itself refuses.
    fn refuse(
        &mut self,
        tag: RequestTag,
        code: u16,
        text: impl Into<Sentence>,
        command: &ChatCommand,
    ) {
        let text = text.into();
        self.refused_count += 1;
        let (to, message) = (command.target(), command.message_text().map(str::to_owned));
        self.emit(Event::Refused(Refusal { tag, code, text, to, message }));
    }
}
