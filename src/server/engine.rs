//! Engine task: owns the hub, the log and the fan-out, and moves data between them.
//!
//! All events of all connections pass through its queue one by one, so every client sees the same
//! order. The task never waits for a connection or for the log.

mod inputs;
mod log_side;
mod owner_requests;
mod publish_turn;

use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::sleep_until;

use self::inputs::queue;
#[cfg(test)]
pub(super) use self::inputs::unanswered_handle;
pub(super) use self::inputs::{EngineHandle, EngineInput, EngineStats};
use self::owner_requests::OwnerRequests;
use self::publish_turn::PublishTurn;
use super::control::{
    ClaimListing, ControlAnswer, ControlList, InvitationListing, RoleListing, RoomListing,
    SanctionListing,
};
use super::error_log::ErrorLog;
use super::fanout::{Fanout, FanoutLimits, PublishedHead};
use super::memory_budget::MemoryBudget;
use super::message_rate::MessageRate;
use super::metrics::LatencyMeter;
use super::quota_log::QuotaLog;
use super::replication::Followers;
use crate::hub::{
    ConnectionId, Delivery, Hub, Input, Now, Output, Proposal, Quota, RestoredState, StorageHealth,
};
use crate::log::Log;
use crate::model::{AddressGroup, ErrorCode, HubSettings, Moment, Sequence};
use crate::os::Clock;
use crate::wire::tcp::{ClientFrame, Decoded, FrameClass, ServerFrame};

/// Maximum number of inputs taken from the queue at once. Then their drafts are appended to the
/// log, and connections are woken.
const MAX_BATCH: usize = 256;

/// Time between housekeeping runs. A run trims feeds, writes due lines of the error log and the
/// quota log, and looks for a stalled log. A log is stalled if drafts are waiting and it has
/// answered none of them for this time.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum time from a shutdown request to the end of the engine, even if connections remain.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Shutdown that waits until the log has answered the drafts appended before it.
struct PendingShutdown {
    /// Value of [`Engine::drafts_answered`] at which the hub may shut down.
    drafts_to_await: u64,
    /// Time at which the hub shuts down even if answers are missing.
    deadline: Moment,
    /// Time after which clients should reconnect, in milliseconds.
    retry_after: u32,
}

/// Engine task: the hub, and the parts that carry out its outputs.
pub(super) struct Engine {
    /// Hub: the server's protocol logic without I/O. It makes all decisions.
    hub: Hub,
    /// Log of messages and sessions.
    log: Box<dyn Log>,
    /// Number of drafts proposed to the log so far.
    drafts_proposed: u64,
    /// Number of drafts answered so far: those not stored, and those committed and passed to the
    /// hub.
    drafts_answered: u64,
    /// Requested shutdown that waits for the log. `None` before a request, and after the hub was
    /// told to shut down.
    pending_shutdown: Option<PendingShutdown>,
    /// True if the log has ended its events. The engine then ends too.
    is_log_closed: bool,
    /// Health of the log's storage, as the log last reported it.
    storage: StorageHealth,
    /// Start of the stall timer: time since which drafts wait and the log has answered none. That
    /// is the time of the last answer, or of the first append after all drafts were answered.
    /// `None` if no draft waits.
    unanswered_since: Option<Moment>,
    /// True if the hub was told that the log is stalled, and the log has answered no draft since.
    is_stall_reported: bool,
    /// Time at which the engine ends even if connections remain; `None` before a shutdown request.
    ends_at: Option<Moment>,
    /// Fan-out: distributes frames to the connections.
    fanout: Fanout,
    /// Committed items that are not published, and what may be published in this turn.
    publish_turn: PublishTurn,
    /// Owner's requests that wait for the log.
    owner_requests: OwnerRequests,
    /// Drafts that wait to be proposed together, so that they cost a single commit. Other changes
    /// are proposed at once, behind them.
    proposals: Vec<Proposal>,
    /// Time at which the hub wants to be woken; `None` if it waits for nothing.
    wake_at: Option<Moment>,
    /// Time of the next housekeeping run.
    housekeeping_at: Moment,
    /// Rate-limited log lines about errors sent to clients.
    error_log: ErrorLog,
    /// Counters and rate-limited log lines about address groups that reach a limit.
    quota_log: QuotaLog,
    /// Publishes the number of connected users, for systemd's status line.
    connected_users: watch::Sender<usize>,
    /// Message counters, for the status.
    message_rate: MessageRate,
    /// Measures the latency of messages, for metrics; `None` if nobody reads them.
    latency: Option<Box<LatencyMeter>>,
    /// Clock of the server.
    clock: Clock,
    /// Receiving end of the engine's queue.
    inputs: mpsc::Receiver<EngineInput>,
    /// True if the hub was told to shut down.
    is_stopping: bool,
    /// Followers; `None` if there can be none, because the log is not on a disk.
    followers: Option<Followers>,
}

impl Engine {
    /// Creates an engine without connections from an open log and the state restored from it.
    /// Returns the engine and the handle of its queue.
    pub(super) fn new(
        settings: HubSettings,
        restored: RestoredState,
        log: Box<dyn Log>,
        limits: FanoutLimits,
        clock: Clock,
    ) -> (Self, EngineHandle) {
        let (handle, inputs) = queue();
        let now = Now { moment: clock.now(), time: clock.time_of_day() };
        let fanout = Fanout::new(limits, restored.head);
        let engine = Self {
            hub: Hub::new(now, settings, restored),
            log,
            drafts_proposed: 0,
            drafts_answered: 0,
            pending_shutdown: None,
            is_log_closed: false,
            storage: StorageHealth::Sound,
            unanswered_since: None,
            is_stall_reported: false,
            ends_at: None,
            fanout,
            publish_turn: PublishTurn::new(),
            owner_requests: OwnerRequests::default(),
            proposals: Vec::new(),
            wake_at: None,
            housekeeping_at: clock.now() + HOUSEKEEPING_INTERVAL,
            error_log: ErrorLog::default(),
            quota_log: QuotaLog::default(),
            connected_users: watch::Sender::new(0),
            message_rate: MessageRate::default(),
            latency: None,
            clock,
            inputs,
            is_stopping: false,
            followers: None,
        };
        (engine, handle)
    }

    /// Begins to measure the latency of messages. Call it before the engine runs.
    pub(super) fn measure_latency(&mut self) {
        self.latency = Some(Box::default());
    }

    /// Lets followers come.
    pub(super) fn set_followers(&mut self, followers: Followers) {
        self.followers = Some(followers);
    }

    /// Returns the published head, for the connections.
    pub(super) fn head(&self) -> Arc<PublishedHead> {
        self.fanout.head()
    }

    /// Returns the memory budget of all feeds and outboxes, for the connections.
    pub(super) fn budget(&self) -> Arc<MemoryBudget> {
        self.fanout.budget()
    }

    /// Returns a receiver of the number of connected users.
    pub(super) fn connected_users(&self) -> watch::Receiver<usize> {
        self.connected_users.subscribe()
    }

    /// Runs the engine's loop until a requested shutdown is complete or late, the log has ended its
    /// events, or all handles are dropped. Then writes the rest of the error log, closes the
    /// connections that are left, and returns the log. The caller must close it.
    pub(super) async fn run(mut self) -> Box<dyn Log> {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        // The hub may have outputs about the sessions that it has restored.
        self.catch_panic(|it| it.input(Input::Wake));
        while !self.is_over() {
            let shutdown_at = self.pending_shutdown.as_ref().map(|it| it.deadline);
            let alarms = [self.wake_at, self.ends_at, shutdown_at];
            let alarm = alarms.into_iter().flatten().fold(self.housekeeping_at, Moment::min);
            tokio::select! {
                count = self.inputs.recv_many(&mut batch, MAX_BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.gather(&mut batch).await;
                    for input in batch.drain(..) {
                        self.handle_input(input);
                    }
                }
                event = poll_fn(|context| self.log.poll_event(context)) => self.on_log_event(event),
                () = sleep_until(self.clock.instant(alarm).into()) => self.on_timers(),
            }
            self.commit();
            self.poll_log();
            self.fanout.wake();
            while self.publish_turn.is_over() {
                // The connections' tasks run before this one goes on.
                yield_now().await;
                self.publish_turn.begin();
                self.poll_log();
                self.fanout.wake();
            }
        }
        self.error_log.flush();
        self.log
    }

    /// Adds inputs to a batch, if it has place: those of connections whose tasks are ready to run.
    /// Without this, the task that woke the engine would be followed by the engine at once. So what
    /// arrives at the same time is appended to the log, published and written together, and nothing
    /// waits for what has not arrived.
    async fn gather(&mut self, batch: &mut Vec<EngineInput>) {
        if batch.len() == MAX_BATCH {
            return;
        }
        requeue().await;
        while batch.len() < MAX_BATCH
            && let Ok(input) = self.inputs.try_recv()
        {
            batch.push(input);
        }
    }

    /// Returns true if the loop must end: the hub was told to shut down and no connection is left,
    /// the shutdown is late, or the log has ended its events.
    fn is_over(&self) -> bool {
        let is_late = self.ends_at.is_some_and(|at| at <= self.clock.now());
        self.is_log_closed || self.is_stopping && self.fanout.is_empty() || is_late
    }

    /// Handles the timers that have expired: of the hub, of housekeeping
    /// ([`HOUSEKEEPING_INTERVAL`]), of a pending shutdown.
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
            self.quota_log.flush_if_due(now);
            self.check_log_stall(now);
        }
        self.shut_down_if_due();
    }

    /// Handles one input, then the log's events ([`Self::poll_log`]). Chat messages are collected
    /// as drafts. Before any other input or frame is handled, the drafts are appended to the log.
    /// So every other request finds the log as its sender expects it, and a batch of chat messages
    /// costs a single commit. A panic of the hub at a probe is not caught: it ends the engine.
    fn handle_input(&mut self, input: EngineInput) {
        if !matches!(input, EngineInput::Received { .. }) {
            self.commit();
        }
        match input {
            EngineInput::Connected { connection, address, token, proof_context, outbox } => {
                self.fanout.connect(connection, outbox);
                self.error_log.connected(connection, AddressGroup::of(address));
                let connected = Input::Connected { connection, address, token, proof_context };
                self.input_of(connection, connected);
            }
            EngineInput::Received { connection, frames, memory } => {
                for frame in frames {
                    if !may_overtake_drafts(&frame) {
                        self.commit();
                    }
                    self.input_of(connection, Input::Received { connection, frame });
                }
                drop(memory);
            }
            EngineInput::Failed { connection, error } => {
                self.input_of(connection, Input::ConnectionFailed { connection, error });
            }
            EngineInput::GroupLimited { connection } => {
                if let Some(group) = self.fanout.group(connection) {
                    self.quota_log.record(self.clock.now(), group, Quota::Messages);
                }
            }
            EngineInput::MarkReached { connection } => {
                self.input_of(connection, Input::MarkReached { connection });
            }
            EngineInput::HalfClosed { connection, in_frame } => {
                self.input_of(connection, Input::HalfClosed { connection, in_frame });
            }
            EngineInput::Disconnected { connection } => {
                self.input_of(connection, Input::Disconnected { connection });
                self.fanout.disconnect(connection);
                self.error_log.disconnected(connection);
                if let Some(followers) = &mut self.followers {
                    followers.end(connection);
                }
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
                    refusals: self.quota_log.totals(),
                    pressure: self.quota_log.pressure(),
                    unsent: self.fanout.budget().used(),
                    latency: self.latency.as_ref().map(|it| it.histogram().clone()),
                };
                // The receiver may have been dropped.
                let _ = answer.send(told);
            }
            EngineInput::Announce { text, answer } => {
                let users = self.hub.stats().connected_users;
                self.catch_panic(|it| it.input(Input::Announce(text)));
                // The receiver may have been dropped.
                let _ = answer.send(users);
            }
            EngineInput::Moderate { request, answer } => {
                let id = self.owner_requests.begin(answer);
                self.catch_panic(|it| it.input(Input::Moderate { id, request: *request }));
            }
            EngineInput::List { list, answer } => {
                // The receiver may have been dropped.
                let _ = answer.send(self.list(list));
            }
            EngineInput::Replica { connection, frames } => {
                self.fanout.send_bytes(connection, frames);
            }
            EngineInput::SettingsChanged(settings) => {
                self.log.set_retention(settings.retention);
                self.catch_panic(|it| it.input(Input::SettingsChanged(*settings)));
            }
            EngineInput::PageUrl(url) => self.catch_panic(|it| it.input(Input::PageUrl(url))),
            EngineInput::ShutDown { retry_after } => {
                let now = self.clock.now();
                self.ends_at = Some(now + SHUTDOWN_TIMEOUT);
                let deadline = now + SHUTDOWN_TIMEOUT / 2;
                self.pending_shutdown = Some(PendingShutdown {
                    drafts_to_await: self.drafts_proposed,
                    deadline,
                    retry_after,
                });
                self.shut_down_if_due();
            }
        }
        self.poll_log();
    }

    /// Returns a list for the owner.
    fn list(&self, list: ControlList) -> ControlAnswer {
        let moderation = self.hub.moderation();
        match list {
            ControlList::Roles => {
                let roles = moderation.roles().filter_map(|it| RoleListing::of(it));
                ControlAnswer::Roles(roles.collect())
            }
            ControlList::Sanctions => {
                let sanctions = moderation.sanctions().filter_map(|it| SanctionListing::of(it));
                ControlAnswer::Sanctions(sanctions.collect())
            }
            ControlList::Rooms => {
                let rooms = self.hub.room_list().into_iter().map(RoomListing::from);
                ControlAnswer::Rooms(rooms.collect())
            }
            ControlList::Invitations => {
                let made = moderation.invitations().into_iter();
                let listings = made.map(|it| InvitationListing::of(it, moderation));
                ControlAnswer::Invitations(listings.collect())
            }
            ControlList::Claims => {
                let claims = moderation.claims();
                let listings = claims.map(|it| ClaimListing::of(it, moderation));
                ControlAnswer::Claims(listings.collect())
            }
        }
    }

    /// Passes an input caused by a client to the hub. If the hub panics, logs that and closes only
    /// this client's connection, with an error. If sending the error panics too, closes it without
    /// an error.
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

    /// Runs work that was not caused by a single client. If it panics, logs that and skips the rest
    /// of the work.
    fn catch_panic(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!("a bug in the hub; going on");
        }
    }

    /// Passes an input to the hub and carries out all its outputs. Then does the same with inputs
    /// that close the connections whose outboxes were given up. Panics if the hub does.
    fn input(&mut self, input: Input) {
        let now = Now { moment: self.clock.now(), time: self.clock.time_of_day() };
        let mut next = Some(input);
        while let Some(input) = next {
            self.hub.handle_input(now, input);
            while let Some(output) = self.hub.poll_output() {
                self.perform_output(now, output);
            }
            next = self.next_overflow(now.moment);
        }
    }

    /// Returns the input that closes the next connection whose outbox was given up, with error 107;
    /// `None` if there is none. If an address group's use of memory was the reason to give up an
    /// outbox or to shrink a feed, records that in the quota log.
    fn next_overflow(&mut self, now: Moment) -> Option<Input> {
        if let Some(group) = self.fanout.take_pressing_group() {
            self.quota_log.record(now, group, Quota::Unsent);
        }
        let (connection, group) = self.fanout.take_overflowing()?;
        if let Some(group) = group {
            self.quota_log.record(now, group, Quota::Unsent);
        }
        Some(Input::ConnectionFailed { connection, error: ErrorCode::TooSlow })
    }

    /// If a shutdown is pending, and the drafts before it are answered or its deadline is over,
    /// tells the hub to shut down.
    fn shut_down_if_due(&mut self) {
        let now = self.clock.now();
        let is_due = |it: &mut PendingShutdown| {
            it.drafts_to_await <= self.drafts_answered || it.deadline <= now
        };
        if let Some(PendingShutdown { retry_after, .. }) = self.pending_shutdown.take_if(is_due) {
            self.is_stopping = true;
            self.catch_panic(|it| it.input(Input::ShutDown { retry_after }));
        }
    }

    /// Carries out one output of the hub. Only collects a draft. Proposes any other change to the
    /// log at once, behind the collected drafts, and proposes these before a read.
    fn perform_output(&mut self, now: Now, output: Output) {
        match output {
            Output::Propose(draft @ (Proposal::Message(_) | Proposal::Fact { .. })) => {
                self.proposals.push(draft);
            }
            Output::Propose(change) => {
                // The drafts before it take effect first: a deletion of a session, for instance,
                // covers the direct messages accepted before.
                self.proposals.push(change);
                self.propose();
            }
            Output::Read { tag, request } => {
                // The read must see the messages accepted before it.
                self.propose();
                self.log.read(tag, request);
            }
            Output::Publish { room, entry } => self.fanout.publish(now.moment, room, &entry),
            Output::Published { head } => {
                self.fanout.published(now.moment, head);
                if let Some(followers) = &self.followers {
                    followers.wake();
                }
            }
            Output::Replicate { connection, request } => match &mut self.followers {
                Some(followers) => followers.begin(connection, request),
                None => tracing::error!("a follower has come, and there is no log on a disk"),
            },
            Output::Replicated { connection, received, .. } => {
                if let Some(followers) = &self.followers {
                    followers.note_taken(connection, received);
                }
            }
            Output::Deliver { connection, after, delivery } => {
                self.deliver(connection, after, delivery);
            }
            Output::DeliverAll { connections, after, frame } => {
                self.fanout.deliver_all(&connections, after, &frame);
            }
            Output::Moderated { id, outcome } => self.owner_requests.finish(id, outcome),
            Output::RoomClosed { room } => self.fanout.close_room(room),
            Output::WakeAt(moment) => self.wake_at = Some(moment),
            Output::QuotaReached { group, quota } => {
                self.quota_log.record(now.moment, group, quota);
            }
            Output::ConnectedUsers(count) => {
                self.connected_users.send_replace(count);
            }
        }
    }

    /// Puts a delivery into a connection's outbox. Also records an error frame in the error log.
    fn deliver(&mut self, connection: ConnectionId, after: Sequence, delivery: Delivery) {
        if let Delivery::Frame(ServerFrame::Error(error)) = &delivery {
            self.error_log.record(connection, error.code);
        }
        self.fanout.deliver(connection, after, delivery);
    }
}

/// Puts the task that calls this behind the tasks that are ready to run. Unlike with `yield_now`,
/// another thread may go on with it meanwhile, and sockets are not looked at before.
async fn requeue() {
    let mut is_requeued = false;
    poll_fn(|context| {
        if mem::replace(&mut is_requeued, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Returns true for frames that may be handled before the log has the drafts of earlier messages:
/// messages themselves, and read marks, which are about messages that were sent out.
fn may_overtake_drafts(frame: &Decoded<ClientFrame>) -> bool {
    let class = match frame {
        Decoded::Frame(frame) => frame.class(),
        Decoded::Ignored | Decoded::Malformed(_) => return false,
    };
    matches!(class, FrameClass::Message | FrameClass::Mark)
}

#[cfg(test)]
mod tests;
