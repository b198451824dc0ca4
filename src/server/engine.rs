//! The engine's task: feeds the hub, and does what the hub says.
//!
//! Everything that happens on any connection passes through here, one thing
//! after the other; that is what gives everybody the same order. Nothing
//! here waits for a connection.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;

use super::error_log::ErrorLog;
use super::fanout::{Fanout, FanoutLimits, PublishedHead};
use super::message_rate::MessageRate;
use super::outbox::{MemoryBudget, Outbox};
use crate::hub::{
    ConnectionId, Delivery, Hub, HubStats, Input, Now, Output, RestoredState, StorageHealth,
};
use crate::log::{Log, LogEvent};
use crate::model::{Draft, ErrorCode, HubSettings, Moment, Sequence, Token};
use crate::os::Clock;
use crate::wire::tcp::{ClientFrame, Received, ServerFrame};

/// Messages that may wait for the engine; connections wait when it is full.
const QUEUE_CAPACITY: usize = 1_024;

/// Messages that are dealt with before what they lead to is committed and
/// published: the size of a batch under load.
const BATCH: usize = 256;

/// Feeds and error_log are looked after so often.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(5);

/// An engine that stops has ended after this time, whoever still hangs on.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What the engine is told.
#[derive(Debug)]
pub(super) enum EngineInput {
    /// Somebody has connected.
    Connected {
        /// The new connection.
        connection: ConnectionId,
        /// Where from.
        address: IpAddr,
        /// Fresh random bytes.
        token: Token,
        /// Where it finds its mail.
        outbox: Arc<Outbox>,
    },
    /// Frames have arrived.
    Received {
        /// On this connection.
        connection: ConnectionId,
        /// In this order.
        frames: Vec<Received<ClientFrame>>,
    },
    /// The connection has to be ended with an error.
    Failed {
        /// Which.
        connection: ConnectionId,
        /// Why.
        error: ErrorCode,
    },
    /// The connection has taken up everything before a [`Delivery::Mark`].
    MarkReached {
        /// Which.
        connection: ConnectionId,
    },
    /// The client will say nothing more.
    HalfClosed {
        /// Which connection.
        connection: ConnectionId,
    },
    /// The connection is gone.
    Disconnected {
        /// Which.
        connection: ConnectionId,
    },
    /// The service's own question whether hub and fan-out are alive; a pong
    /// goes to `outbox`.
    Probe {
        /// The asker's own connection number.
        connection: ConnectionId,
        /// Where it finds the answer.
        outbox: Arc<Outbox>,
    },
    /// Somebody wants to know what there is.
    QueryStats {
        /// Where to tell it.
        answer: oneshot::Sender<EngineStats>,
    },
    /// The owner wants something else from now on.
    SettingsChanged(HubSettings),
    /// Tell everybody pending_shutdown; the engine ends when all are gone.
    ShutDown {
        /// Advice when to come back, in milliseconds.
        retry_after: u32,
    },
}

/// What the engine tells of itself.
#[derive(Debug)]
pub(super) struct EngineStats {
    /// What the hub knows.
    pub(super) hub: HubStats,
    /// Messages since the server was started.
    pub(super) messages: u64,
    /// Those of the last minute.
    pub(super) last_minute: u64,
}

/// What is said when the server stops.
struct PendingShutdown {
    /// When the log has answered so many drafts.
    drafts_to_await: u64,
    /// At this time at the latest.
    deadline: Moment,
    /// Advice when to come back, in milliseconds.
    retry_after: u32,
}

/// By which the engine is told.
#[derive(Clone, Debug)]
pub(super) struct EngineHandle(mpsc::Sender<EngineInput>);

/// The engine is not there any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct EngineGone;

impl EngineHandle {
    /// Tells the engine; waits while it has too much to do.
    pub(super) async fn send(&self, message: EngineInput) -> Result<(), EngineGone> {
        self.0.send(message).await.or(Err(EngineGone))
    }

    /// Tells the engine without waiting for it, now or a little later.
    pub(super) fn send_eventually(&self, message: EngineInput) {
        if let Err(mpsc::error::TrySendError::Full(message)) = self.0.try_send(message) {
            let sender = self.0.clone();
            tokio::spawn(async move { sender.send(message).await });
        }
    }
}

/// The hub with all that it needs.
pub(super) struct Engine {
    /// Decides.
    hub: Hub,
    /// Keeps.
    log: Box<dyn Log>,
    /// Drafts that were given to the log.
    drafts_given: u64,
    /// Drafts that it has answered.
    drafts_answered: u64,
    /// The pending_shutdown that waits for what is on its way into the log.
    pending_shutdown: Option<PendingShutdown>,

    /// The log will say nothing more.
    is_log_closed: bool,
    /// How the log fares, as it said last.
    storage: StorageHealth,
    /// Since when drafts have been under way without any answer.
    unanswered_since: Option<Moment>,
    /// Everybody was told that the log does not answer.
    is_stall_reported: bool,
    /// When the engine ends, whoever still hangs on.
    ends_at: Option<Moment>,
    /// Distributes.
    fanout: Fanout,
    /// Drafts that go into the log next.
    drafts: Vec<Draft>,
    /// When the hub wants to be woken.
    wake_at: Option<Moment>,
    /// When feeds and error_log are looked after next.
    housekeeping_at: Moment,
    /// What went wrong on connections, for the log file.
    error_log: ErrorLog,
    /// How many people there are, for who wants to know.
    connected_users: watch::Sender<usize>,
    /// How many messages there were.
    message_rate: MessageRate,
    /// The time.
    clock: Clock,
    /// Messages from everywhere.
    messages: mpsc::Receiver<EngineInput>,
    /// It has been told to stop.
    stopping: bool,
}

impl Engine {
    /// A new engine with nobody in the house, and how to talk to it.
    pub(super) fn new(
        settings: HubSettings,
        restored: RestoredState,
        log: Box<dyn Log>,
        limits: FanoutLimits,
        clock: Clock,
    ) -> (Self, EngineHandle) {
        let (sender, messages) = mpsc::channel(QUEUE_CAPACITY);
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        let fanout = Fanout::new(limits, restored.head);
        let engine = Self {
            hub: Hub::new(now, settings, restored),
            log,
            drafts_given: 0,
            drafts_answered: 0,
            pending_shutdown: None,

            is_log_closed: false,
            storage: StorageHealth::Sound,
            unanswered_since: None,
            is_stall_reported: false,
            ends_at: None,
            fanout,
            drafts: Vec::new(),
            wake_at: None,
            housekeeping_at: clock.now() + HOUSEKEEPING_INTERVAL,
            error_log: ErrorLog::default(),
            connected_users: watch::Sender::new(0),
            message_rate: MessageRate::default(),
            clock,
            messages,
            stopping: false,
        };
        (engine, EngineHandle(sender))
    }

    /// How far everything is published; for the connections.
    pub(super) fn head(&self) -> Arc<PublishedHead> {
        self.fanout.head()
    }

    /// What may wait in all letter boxes; for the connections.
    pub(super) fn budget(&self) -> Arc<MemoryBudget> {
        self.fanout.budget()
    }

    /// Shows how many people there are.
    pub(super) fn connected_users(&self) -> watch::Receiver<usize> {
        self.connected_users.subscribe()
    }

    /// Works until it has been told to stop and everybody is gone (or has had
    /// the time for it), or the log is; gives the log back.
    pub(super) async fn run(mut self) -> Box<dyn Log> {
        let mut batch = Vec::with_capacity(BATCH);
        // The hub has something to say of the sessions that it has taken over.
        self.catch_panic(|it| it.input(Input::Wake));
        while !self.is_over() {
            let shutdown_at = self.pending_shutdown.as_ref().map(|it| it.deadline);
            let alarms = [self.wake_at, self.ends_at, shutdown_at];
            let alarm = alarms.into_iter().flatten().fold(self.housekeeping_at, Moment::min);
            tokio::select! {
                count = self.messages.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    for message in batch.drain(..) {
                        self.handle_message(message);
                    }
                }
                event = poll_fn(|context| self.log.poll_event(context)) => self.on_log_event(event),
                () = sleep_until(self.clock.instant(alarm).into()) => self.on_timers(),
            }
            self.commit();
            self.poll_log();
            self.fanout.wake();
        }
        self.error_log.flush();
        self.log
    }

    /// Whether there is nothing more to do.
    fn is_over(&self) -> bool {
        let is_late = self.ends_at.is_some_and(|at| at <= self.clock.now());
        self.is_log_closed || self.stopping && self.fanout.is_empty() || is_late
    }

    /// Does what was to be done at this time.
    fn on_timers(&mut self) {
        let now = self.clock.now();
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = None;
            self.catch_panic(|it| it.input(Input::Wake));
        }
        if self.housekeeping_at <= now {
            self.housekeeping_at = now + HOUSEKEEPING_INTERVAL;
            self.fanout.trim(now);
            self.error_log.flush_if_due(now);
            self.check_log_stall(now);
        }
        self.shut_down_if_due();
    }

    /// Tells everybody if the log does not answer.
    fn check_log_stall(&mut self, now: Moment) {
        let is_late = |since: Moment| now.since(since) >= HOUSEKEEPING_INTERVAL;
        if !self.is_stall_reported && self.unanswered_since.is_some_and(is_late) {
            tracing::error!("the log has not answered for {} s", HOUSEKEEPING_INTERVAL.as_secs());
            self.is_stall_reported = true;
            self.catch_panic(|it| it.input(Input::StorageChanged(StorageHealth::Stalled)));
        }
    }

    /// Deals with one message. What people say is collected, and committed
    /// together before anything else is looked at: so everything else finds
    /// the log as its sender believes it to be, and a batch of nothing but
    /// talk costs one commit.
    fn handle_message(&mut self, message: EngineInput) {
        if !matches!(message, EngineInput::Received { .. }) {
            self.commit();
        }
        match message {
            EngineInput::Connected { connection, address, token, outbox } => {
                self.fanout.connect(connection, outbox);
                self.error_log.connected(connection, address);
                self.input_of(connection, Input::Connected { connection, address, token });
            }
            EngineInput::Received { connection, frames } => {
                for frame in frames {
                    if !is_chat_message(&frame) {
                        self.commit();
                    }
                    self.input_of(connection, Input::Received { connection, frame });
                }
            }
            EngineInput::Failed { connection, error } => {
                self.input_of(connection, Input::ConnectionFailed { connection, error });
            }
            EngineInput::MarkReached { connection } => {
                self.input_of(connection, Input::MarkReached { connection });
            }
            EngineInput::HalfClosed { connection } => {
                self.input_of(connection, Input::HalfClosed { connection });
            }
            EngineInput::Disconnected { connection } => {
                self.input_of(connection, Input::Disconnected { connection });
                self.fanout.disconnect(connection);
                self.error_log.disconnected(connection);
            }
            EngineInput::Probe { connection, outbox } => {
                self.fanout.connect(connection, outbox);
                self.input(Input::Probe { connection, token: 0 });
                self.fanout.forget(connection);
            }
            EngineInput::QueryStats { answer } => {
                let told = EngineStats {
                    hub: self.hub.stats(),
                    messages: self.message_rate.total(),
                    last_minute: self.message_rate.last_minute(self.clock.now()),
                };
                // Whoever status_source may have gone.
                let _ = answer.send(told);
            }
            EngineInput::SettingsChanged(settings) => {
                self.log.set_retention(settings.retention);
                self.catch_panic(|it| it.input(Input::SettingsChanged(settings)));
            }
            EngineInput::ShutDown { retry_after } => {
                let now = self.clock.now();
                self.ends_at = Some(now + SHUTDOWN_TIMEOUT);
                let deadline = now + SHUTDOWN_TIMEOUT / 2;
                self.pending_shutdown = Some(PendingShutdown {
                    drafts_to_await: self.drafts_given,
                    deadline,
                    retry_after,
                });
                self.shut_down_if_due();
            }
        }
        self.poll_log();
    }

    /// Gives the hub something that a client has caused. A bug that it
    /// triggers costs that client its connection, and nobody else anything.
    fn input_of(&mut self, connection: ConnectionId, input: Input) {
        if catch_unwind(AssertUnwindSafe(|| self.input(input))).is_ok() {
            return;
        }
        tracing::error!(connection = connection.0, "a bug in the hub; closing the connection");
        let error = ErrorCode::Internal;
        let told = AssertUnwindSafe(|| self.input(Input::ConnectionFailed { connection, error }));
        if catch_unwind(told).is_err() {
            self.fanout.disconnect(connection);
        }
    }

    /// Does something in which nobody in particular has a part. A bug in it
    /// is logged, and whatever it was about has not happened.
    fn catch_panic(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!("a bug in the hub; going on");
        }
    }

    /// Gives the hub something and does what it says to that.
    fn input(&mut self, input: Input) {
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        self.hub.handle_input(now, input);
        while let Some(output) = self.hub.poll_output() {
            self.perform_output(now, output);
        }
    }

    /// Gives the collected drafts to the log, and tells the hub what the log
    /// says at once.
    fn commit(&mut self) {
        self.append_drafts();
        self.poll_log();
    }

    /// Gives the collected drafts to the log.
    fn append_drafts(&mut self) {
        if self.drafts.is_empty() {
            return;
        }
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let drafts = std::mem::take(&mut self.drafts);
        self.drafts_given += drafts.len() as u64;
        self.unanswered_since.get_or_insert(now.moment);
        self.log.append(now, drafts);
        self.log.tidy(&|room| self.hub.is_room_open(room));
    }

    /// Tells the hub everything that the log has to tell by now.
    fn poll_log(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(event) = self.log.poll_event(&mut context) {
            self.on_log_event(event);
            if self.is_log_closed {
                break;
            }
        }
    }

    /// The log has told something.
    fn on_log_event(&mut self, event: Option<LogEvent>) {
        let answered = self.drafts_answered;
        match event {
            Some(LogEvent::Committed { entries, clock_was_set }) => {
                self.drafts_answered += entries.len() as u64;
                self.message_rate.count(self.clock.now(), entries.len());
                if clock_was_set {
                    tracing::warn!("the clock has been set; times before and after do not compare");
                    self.catch_panic(|it| it.input(Input::ClockChanged));
                }
                self.catch_panic(|it| it.input(Input::Committed { entries }));
            }
            Some(LogEvent::NotStored { session, reference }) => {
                self.drafts_answered += 1;
                self.catch_panic(|it| it.input(Input::NotStored { session, reference }));
            }
            Some(LogEvent::ReadDone { tag, outcome }) => {
                self.catch_panic(|it| it.input(Input::ReadDone { tag, outcome }));
            }
            Some(LogEvent::Storage(storage)) => {
                self.storage = storage;
                self.catch_panic(|it| it.input(Input::StorageChanged(storage)));
            }
            None => self.is_log_closed = true,
        }
        if self.drafts_answered > answered {
            self.on_drafts_answered();
        }
        self.shut_down_if_due();
    }

    /// The log has answered drafts.
    fn on_drafts_answered(&mut self) {
        let is_waiting = self.drafts_answered < self.drafts_given;
        self.unanswered_since = is_waiting.then(|| self.clock.now());
        if std::mem::replace(&mut self.is_stall_reported, false) {
            let storage = self.storage;
            self.catch_panic(|it| it.input(Input::StorageChanged(storage)));
        }
    }

    /// Says pending_shutdown, if that was wanted, and what was said before is in the log or takes too
    /// long.
    fn shut_down_if_due(&mut self) {
        let now = self.clock.now();
        let is_due = |it: &mut PendingShutdown| {
            it.drafts_to_await <= self.drafts_answered || it.deadline <= now
        };
        if let Some(PendingShutdown { retry_after, .. }) = self.pending_shutdown.take_if(is_due) {
            self.stopping = true;
            self.catch_panic(|it| it.input(Input::ShutDown { retry_after }));
        }
    }

    /// Does one thing that the hub has decided.
    fn perform_output(&mut self, now: Now, output: Output) {
        match output {
            Output::Append(draft) => self.drafts.push(draft),
            Output::Read { tag, request } => {
                // What was said before has to be in the log before it is read.
                self.append_drafts();
                self.log.read(tag, request);
            }
            Output::Publish { room, entry } => self.fanout.publish(room, &entry),
            Output::Published { head } => self.fanout.published(now.moment, head),
            Output::Deliver { connection, after, delivery } => {
                self.deliver(connection, after, delivery);
            }
            Output::DeliverAll { connections, after, frame } => {
                for connection in self.fanout.deliver_all(&connections, after, &frame) {
                    self.on_overflow(connection);
                }
            }
            Output::RoomClosed { room } => self.fanout.close_room(room),
            Output::PersistSession(record) => {
                self.append_drafts();
                self.log.keep_session(record);
            }
            Output::DeleteSession { session } => {
                // What was said to it before must not outlive it.
                self.append_drafts();
                self.log.forget_session(session);
            }
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::ConnectedUsers(count) => {
                self.connected_users.send_replace(count);
            }
        }
    }

    /// Gives a connection something of its own.
    fn deliver(&mut self, connection: ConnectionId, after: Sequence, delivery: Delivery) {
        if let Delivery::Frame(ServerFrame::Error(error)) = &delivery {
            self.error_log.record(connection, error.code);
        }
        if self.fanout.deliver(connection, after, delivery).is_err() {
            self.on_overflow(connection);
        }
    }

    /// A connection has more mail than it may have.
    fn on_overflow(&mut self, connection: ConnectionId) {
        self.fanout.clear_outbox(connection);
        self.input(Input::ConnectionFailed { connection, error: ErrorCode::TooSlow });
    }
}

/// Whether a frame is something said.
const fn is_chat_message(frame: &Received<ClientFrame>) -> bool {
    matches!(frame, Received::Frame(ClientFrame::Say(_) | ClientFrame::Direct(_)))
}

#[cfg(test)]
mod tests;
