//! Layer 2: the server's engine, the hub. It decides about sessions, names, rooms, presence and
//! limits. It uses no I/O, no clock and no randomness.
//!
//! The driver (`server`) calls [`Hub::handle_input`] for every event, and then [`Hub::poll_output`]
//! until it returns `None`. Time and random tokens come with the inputs.
//!
//! | file | concern |
//! |---|---|
//! | `contract`, `log_contract` | inputs and outputs; what of them concerns the log |
//! | `clock_trust` | decides whether the wall clock is trusted |
//! | `connection` | state machine and timers of one connection |
//! | `lifecycle` | connecting, closing, timers, shutdown |
//! | `deferred_frames` | received frames that wait while their connection is blocked |
//! | `dispatch` | received frames: deferring, state checks, dispatch to the handlers |
//! | `handshake` | `hello` and `join`, until the `join` is proposed to the log |
//! | `admission` | who may come in, and under which name: invitations and claims at a `join` |
//! | `claims` | `claim`; renewal and end of claims; invitations that are over |
//! | `persons` | several devices of a user who has claimed a name: link codes, whose session is whose |
//! | `read_marks` | what persons have read, for all their devices |
//! | `joins` | `join`s on their way through the log, and what follows when they are committed |
//! | `messages` | `say`, `direct`, and the log's commits |
//! | `requests` | `enter`, `leave`, `history`, `members`, `search` |
//! | `read_completion` | answers to requests, once the log has read or failed to read |
//! | `read_queue` | which log read comes next: turns between connections and address groups |
//! | `replay` | the welcome, then history and missed entries page by page |
//! | `replication` | who may follow this server |
//! | `room_limits` | who may open a room |
//! | `throttle` | requests and replays that wait for their address group's tokens |
//! | `quotas` | usage and limits of each address group |
//! | `broadcast` | notices to all joined clients |
//! | `waiting_names` | names that wait for sessions that have lost their connections |
//! | `volatile` | changes that the log orders but does not store |
//! | `moderation` | what moderators do, and its effects |
//! | `session_persistence` | session records that survive a restart |
//! | `other_hubs` | hubs that share the log: their sessions, and what they have stored |
//! | `sessions`, `message_dedup`, `names` | the hub's state: users and their messages |
//! | `rooms`, `members`, `presence`, `backlog` | the hub's state: rooms and recent entries |

mod admission;
mod backlog;
mod broadcast;
mod claims;
mod clock_trust;
mod connection;
mod contract;
mod deferred_frames;
mod dispatch;
mod handshake;
mod joins;
mod lifecycle;
mod log_contract;
mod members;
mod message_dedup;
mod messages;
mod moderation;
mod names;
mod other_hubs;
mod persons;
mod presence;
mod quotas;
mod read_completion;
mod read_marks;
mod read_queue;
mod replay;
mod replication;
mod requests;
mod room_limits;
mod rooms;
mod session_persistence;
mod sessions;
mod throttle;
mod volatile;
mod waiting_names;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use clock_trust::{CLOCK_TRUST_AFTER, ClockTrust};
pub use contract::{
    ConnectionId, Delivery, HubStats, Input, Now, Output, Quota, ReplicationRequest, RoomId,
};
pub use log_contract::{
    FactTicket, LogItem, NotStoredReason, Proposal, ReadFailed, ReadOutcome, ReadRange,
    ReadRequest, ReadTag, RestoredState, StorageHealth, StoredElsewhere, Ticket,
};

use backlog::Backlog;
use claims::IdentityTimer;
use connection::Connection;
use joins::PendingJoin;
pub use moderation::{ModerationRefusal, OwnerRequestId, RoomSummary};
use moderation::{PendingFacts, RecentRemovals, SanctionDeadlines};
use names::NameRegistry;
use other_hubs::SharedLog;
use quotas::{GroupLimits, Quotas};
use read_marks::ReadMarks;
use read_queue::ReadQueue;
use rooms::Rooms;
use sessions::Sessions;
pub use volatile::{
    HeldName, HubId, JoinTerms, NameHold, SharedState, VolatileDraft, VolatileItem,
};
use waiting_names::WaitingNames;

use crate::model::{AddressGroup, HubSettings, LogId, Moment, PageUrl, RoomName, Sequence};
use crate::moderation::ModerationState;
use crate::wire::tcp::{Pong, ServerFrame};

/// Server's engine: a state machine for all connections, sessions and rooms.
pub struct Hub {
    /// Current settings.
    settings: HubSettings,
    /// URL of the page for browsers that others reach; `None` if there is none, or it is not known.
    page_url: Option<PageUrl>,
    /// Maximum number of deferred frames of a connection. Reloaded settings can only raise this
    /// maximum, so that connected clients keep the rate stated in their welcome.
    max_deferred_frames: usize,
    /// Id of the log that all sequences belong to.
    log_id: LogId,
    /// Hub's head: sequence of the last committed message or fact. At the start, the restored head
    /// of the log.
    head: Sequence,
    /// Sequence gaps, as in [`RestoredState::sequence_gaps`]. They were restored at the start or
    /// reported by the log ([`LogItem::Void`]).
    sequence_gaps: Vec<(Sequence, Sequence)>,
    /// Moderation state in force at the hub's head: the restored state and the facts committed
    /// since.
    moderation: ModerationState,
    /// Ends of bans and mutes.
    deadlines: SanctionDeadlines,
    /// When to look at claims and invitations.
    identity_timer: IdentityTimer,
    /// Facts of this hub that are proposed and not committed.
    facts: PendingFacts,
    /// Messages that were removed while log reads were in progress.
    recent_removals: RecentRemovals,
    /// `join`s that are proposed to the log and not committed, by connection.
    pending_joins: BTreeMap<ConnectionId, PendingJoin>,
    /// Connections by identifier, closing ones included. A refused connection is not added. A
    /// connection is removed when the driver reports it as gone. A half-closed one is removed
    /// earlier, if the hub closes it without an error. The map is ordered, so that the same inputs
    /// give the same outputs.
    connections: BTreeMap<ConnectionId, Box<Connection>>,
    /// Half-closed connections whose client still waits for an answer: the connection is joining or
    /// defers its frames, or its session has a message in flight.
    half_closed: BTreeSet<ConnectionId>,
    /// Usage and limits of each address group.
    quotas: Quotas,
    /// Throttled connections: each has a request or a replay that waits for tokens of its address
    /// group. Ordered by the moment when the tokens are available. A connection that closes stays
    /// in the set until that moment.
    throttled: BTreeSet<(Moment, ConnectionId)>,
    /// Sessions, connected or away (disconnected).
    sessions: Sessions,
    /// Usernames in use, including those that wait.
    names: NameRegistry,
    /// Names that wait for sessions that have lost their connections.
    waiting_names: WaitingNames,
    /// Open rooms: those with members.
    rooms: Rooms,
    /// What persons have read.
    read_marks: ReadMarks,
    /// Other hubs of the log; `None` if this hub is the only one.
    shared: Option<SharedLog>,
    /// Log reads that wait for their turn or are in progress.
    reads: ReadQueue,
    /// Entries committed while reads for `join` or `enter` are in progress.
    backlog: Backlog,
    /// Health of the log's storage, as the driver last reported it.
    storage: StorageHealth,
    /// Moment of the next check of all connections' timers. `None` before the first connection, and
    /// after a check that found no running timer.
    next_timer_check: Option<Moment>,
    /// Time after which clients should reconnect, in milliseconds; 0 for no advice. `None` until
    /// the server shuts down.
    shutting_down: Option<u32>,
    /// Queue of outputs that the driver has not polled.
    outputs: VecDeque<Output>,
    /// Moment of the last `WakeAt` output; `None` if there was none since the last `Wake`.
    wake_at: Option<Moment>,
    /// Number of connected users in the last `ConnectedUsers` output; 0 before the first one.
    reported_users: usize,
    /// Connection whose frames make the hub panic, for tests of the driver
    /// ([`Hub::inject_panic`]).
    #[cfg(test)]
    injected_panic: Option<ConnectionId>,
}

impl Hub {
    /// Creates a hub from the state that the log has restored. Then call [`Self::poll_output`]
    /// until it returns `None`.
    #[must_use]
    pub fn new(now: Now, settings: HubSettings, mut restored: RestoredState) -> Self {
        let names = NameRegistry::new(settings.refuse_lookalikes, restored.shared.is_some());
        let shared = restored.shared.as_ref().map(SharedLog::new);
        let holds = restored.shared.as_mut().and_then(|it| it.holds.take());
        let mut hub = Self {
            max_deferred_frames: deferred_frame_limit(&settings),
            quotas: Quotas::new(GroupLimits::new(&settings)),
            throttled: BTreeSet::new(),
            settings,
            page_url: None,
            log_id: restored.log_id,
            head: restored.head,
            sequence_gaps: restored.sequence_gaps,
            deadlines: SanctionDeadlines::restore(&restored.moderation, now),
            identity_timer: IdentityTimer::start(now),
            facts: PendingFacts::default(),
            recent_removals: RecentRemovals::default(),
            moderation: restored.moderation,
            pending_joins: BTreeMap::new(),
            connections: BTreeMap::new(),
            half_closed: BTreeSet::new(),
            sessions: Sessions::default(),
            names,
            waiting_names: WaitingNames::default(),
            rooms: Rooms::default(),
            read_marks: ReadMarks::default(),
            shared,
            reads: ReadQueue::new(),
            backlog: Backlog::default(),
            storage: StorageHealth::Sound,
            next_timer_check: None,
            shutting_down: None,
            outputs: VecDeque::new(),
            wake_at: None,
            reported_users: 0,
            #[cfg(test)]
            injected_panic: None,
        };
        hub.restore(now, restored.sessions, restored.rooms, holds);
        hub.restore_read_marks(restored.read_marks);
        hub.schedule_wake();
        hub
    }

    /// Handles an input (event). Then call [`Self::poll_output`] until it returns `None`.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        #[cfg(test)]
        self.panic_if_injected(&input);
        self.deadlines.read_clocks(now);
        self.identity_timer.read_clocks(now);
        match input {
            Input::Connected { connection, address, token, proof_context } => {
                self.handle_connected(now, connection, address, token, proof_context);
            }
            Input::Received { connection, frame } => self.handle_received(now, connection, frame),
            Input::ConnectionFailed { connection, error } => {
                self.close_with_code(now, connection, error)
            }
            Input::HalfClosed { connection, in_frame } => {
                self.handle_half_closed(connection, in_frame);
            }
            Input::Disconnected { connection } => self.handle_disconnected(now, connection),
            Input::Committed { items } => self.handle_committed(now, items),
            Input::NotStored { ticket: Ticket::Message { session, reference }, reason } => {
                self.handle_not_stored(session, reference, reason);
            }
            Input::NotStored { ticket: Ticket::Fact(ticket), reason } => {
                self.handle_fact_not_stored(now, ticket, reason);
            }
            Input::ReadDone { tag, outcome } => self.handle_read_done(now, &tag, outcome),
            Input::MarkReached { connection } => self.handle_mark_reached(now, connection),
            Input::StorageChanged(storage) => self.handle_storage_changed(storage),
            Input::ClockChanged => self.handle_clock_changed(),
            Input::Moderate { id, request } => self.handle_owner_request(now, id, request),
            Input::Announce(text) => self.handle_announce(&text),
            Input::Probe { connection, token } => self.send_frame(connection, Pong { token }),
            Input::Wake => self.handle_wake(now),
            Input::PageUrl(url) => self.page_url = url,
            Input::SettingsChanged(settings) => self.apply_settings(now, settings),
            Input::ShutDown { retry_after } => self.handle_shut_down(now, retry_after),
        }
        self.close_half_closed(now);
        self.tell_changed_rooms();
        self.report_connected_users();
        self.schedule_wake();
    }

    /// Returns a snapshot of the hub's state for the status report: counters, server name, head,
    /// and storage health.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        HubStats {
            server_name: self.settings.server_name.clone(),
            connected_users: self.sessions.connected_count(),
            connections: self.connections.len(),
            rooms: self.rooms.len(),
            waiting_names: self.waiting_names.len(),
            sessions: self.sessions.count(),
            head: self.head,
            storage: self.storage,
        }
    }

    /// Applies reloaded settings, except `is_durable`. The maximum number of deferred frames can
    /// only rise. Connections, sessions and rooms above a new limit stay, and so do names that look
    /// alike. The driver passes the retention limits to the log.
    fn apply_settings(&mut self, now: Now, settings: HubSettings) {
        self.names.set_refuse_lookalikes(settings.refuse_lookalikes);
        self.quotas.set_limits(GroupLimits::new(&settings), now.moment);
        self.max_deferred_frames = self.max_deferred_frames.max(deferred_frame_limit(&settings));
        let is_durable = self.settings.is_durable;
        self.settings = HubSettings { is_durable, ..settings };
    }

    /// Returns true if a room with this name, in any spelling, has members.
    #[must_use]
    pub fn is_room_open(&self, room: &RoomName) -> bool {
        self.rooms.find(room).is_some()
    }

    /// Makes the hub panic when a frame of this connection arrives (fault injection). Replaces an
    /// earlier choice of connection.
    #[cfg(test)]
    pub(crate) fn inject_panic(&mut self, connection: ConnectionId) {
        self.injected_panic = Some(connection);
    }

    /// Panics if the input is a frame of the connection chosen by [`Self::inject_panic`].
    #[cfg(test)]
    fn panic_if_injected(&self, input: &Input) {
        if let Input::Received { connection, .. } = input {
            assert_ne!(Some(*connection), self.injected_panic, "a bug that a test has planted");
        }
    }

    /// Takes the next output from the queue; `None` if the queue is empty. The driver must perform
    /// the outputs in the order in which it takes them.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Emits a frame for a connection, to be sent after the room entries up to the hub's head.
    fn send_frame(&mut self, connection: ConnectionId, frame: impl Into<ServerFrame>) {
        self.deliver(connection, Delivery::Frame(frame.into()));
    }

    /// Emits an item for a connection, to be sent after the room entries up to the hub's head.
    fn deliver(&mut self, connection: ConnectionId, delivery: Delivery) {
        self.outputs.push_back(Output::Deliver { connection, after: self.head, delivery });
    }

    /// Emits one frame for several connections, as [`Self::send_frame`] does for one. Does nothing
    /// if there are no connections.
    fn send_frame_to_all(&mut self, connections: Vec<ConnectionId>, frame: ServerFrame) {
        if !connections.is_empty() {
            self.outputs.push_back(Output::DeliverAll { connections, after: self.head, frame });
        }
    }

    /// Emits `QuotaReached`: an address group has reached a limit.
    fn report_quota(&mut self, group: AddressGroup, quota: Quota) {
        self.outputs.push_back(Output::QuotaReached { group, quota });
    }

    /// If the number of connected users has changed since the last output, emits `ConnectedUsers`.
    fn report_connected_users(&mut self) {
        let users = self.sessions.connected_count();
        if users != self.reported_users {
            self.reported_users = users;
            self.outputs.push_back(Output::ConnectedUsers(users));
        }
    }

    /// Emits a `WakeAt` for the earliest moment at which a timer expires. Does nothing if no timer
    /// runs, or if the last `WakeAt` since the last `Wake` is for the same moment.
    fn schedule_wake(&mut self) {
        let timers = [
            self.next_timer_check,
            self.rooms.next_presence_deadline(),
            self.sessions.next_expiry(),
            self.waiting_names.next_deadline(),
            self.deadlines.next(self.duty_delay()),
            self.next_identity_check(),
            self.read_marks.next_write(),
            self.throttled.first().map(|(moment, _)| *moment),
        ];
        let earliest = timers.into_iter().flatten().min();
        if let Some(at) = earliest
            && earliest != self.wake_at
        {
            self.wake_at = earliest;
            self.outputs.push_back(Output::WakeAt(at));
        }
    }
}

/// Returns the maximum number of deferred frames of a connection: the burst, plus the number that
/// the rate limit allows in ten seconds.
fn deferred_frame_limit(settings: &HubSettings) -> usize {
    let frames = settings.burst.saturating_add(settings.frames_per_minute / 6);
    usize::try_from(frames).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
