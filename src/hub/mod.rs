//! Floor 2: the server's engine. Sessions, names, rooms, presence, limits;
//! no I/O, no clock, no randomness.
//!
//! The driver (`server`) calls [`Hub::handle_input`] whenever something has
//! happened and then [`Hub::poll_output`] until it gives nothing more. Time
//! and secrets come in with the inputs.
//!
//! | file | what it is about |
//! |---|---|
//! | `contract` | what goes in and comes out |
//! | `connection` | one connection's states and timers |
//! | `lifecycle` | connections come, fail, end; timers; shutting down |
//! | `dispatch` | a frame: whether it may come now, and who deals with it |
//! | `handshake` | `hello` and `join` |
//! | `messages` | `say`, `direct`, and what the log answers |
//! | `requests` | `enter`, `leave`, `history`, `members`, `search` |
//! | `read_completion` | what the log was asked for is there, or cannot be read |
//! | `replay` | the welcome and what was said before, page by page |
//! | `broadcast` | what everybody is told |
//! | `session_persistence` | what outlives a restart |
//! | `sessions`, `message_dedup`, `names`, `rooms`, `members`, `presence`, `backlog` | what the hub keeps |

mod backlog;
mod broadcast;
mod connection;
mod contract;
mod dispatch;
mod handshake;
mod lifecycle;
mod members;
mod message_dedup;
mod messages;
mod names;
mod presence;
mod read_completion;
mod replay;
mod requests;
mod rooms;
mod session_persistence;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

pub use contract::{
    ConnectionId, Delivery, HubStats, Input, Now, Output, ReadFailed, ReadOutcome, ReadRange,
    ReadRequest, ReadTag, RestoredState, RoomId, StorageHealth,
};

use backlog::Backlog;
use connection::Connection;
use names::NameRegistry;
use rooms::Rooms;
use sessions::Sessions;

use crate::model::{HubSettings, LogId, Moment, RoomName, Sequence, SessionId};
use crate::wire::tcp::{Pong, ServerFrame};

/// The server's engine.
pub struct Hub {
    /// What the owner has set.
    settings: HubSettings,
    /// So many frames of a connection may wait for the log. When the owner
    /// allows less, it stays: who has come before keeps their pace.
    max_deferred_frames: usize,
    /// Which log the sequences belong to.
    log_id: LogId,
    /// The last sequence that was committed.
    head: Sequence,
    /// From behind the first up to the second sequence of each there is
    /// nothing in the log.
    sequence_gaps: Vec<(Sequence, Sequence)>,
    /// The number of the next session.
    next_session: SessionId,
    /// All connections that the driver has, but those that were refused.
    /// (In order, so that the same inputs give the same outputs.)
    connections: BTreeMap<ConnectionId, Connection>,
    /// Those whose clients will say nothing more, and are still to be
    /// answered.
    half_closed: BTreeSet<ConnectionId>,
    /// How many connections there are from each address.
    connections_per_address: HashMap<IpAddr, usize>,
    /// Who people are.
    sessions: Sessions,
    /// What they are called.
    names: NameRegistry,
    /// Where they are.
    rooms: Rooms,
    /// What was committed while something is being read.
    backlog: Backlog,
    /// How the log fares.
    storage: StorageHealth,
    /// When the connections' timers are to be looked at next.
    next_timer_check: Option<Moment>,
    /// The server is stopping; with the advice when to come back.
    shutting_down: Option<u32>,
    /// What the driver has not fetched.
    outputs: VecDeque<Output>,
    /// What the driver was last told by `WakeAt` and has not answered.
    wake_at: Option<Moment>,
    /// What the driver was last told by `People`.
    reported_users: usize,
    /// Stands for a bug, in tests of the driver: see [`Hub::inject_panic`].
    #[cfg(test)]
    injected_panic: Option<ConnectionId>,
}

impl Hub {
    /// An engine that takes over what the log has restored. Call
    /// [`Self::poll_output`] until it gives nothing more.
    #[must_use]
    pub fn new(now: Now, settings: HubSettings, restored: RestoredState) -> Self {
        let names = NameRegistry::new(settings.refuse_lookalikes);
        let mut hub = Self {
            max_deferred_frames: deferred_frame_limit(&settings),
            settings,
            log_id: restored.log_id,
            head: restored.head,
            sequence_gaps: restored.sequence_gaps,
            next_session: restored.next_session,
            connections: BTreeMap::new(),
            half_closed: BTreeSet::new(),
            connections_per_address: HashMap::new(),
            sessions: Sessions::default(),
            names,
            rooms: Rooms::default(),
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
        hub.restore(now, restored.sessions, restored.rooms);
        hub.schedule_wake();
        hub
    }

    /// Takes in something that has happened. Call [`Self::poll_output`]
    /// afterwards until it gives nothing more.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        #[cfg(test)]
        self.panic_if_injected(&input);
        match input {
            Input::Connected { connection, address, token } => {
                self.handle_connected(now.moment, connection, address, token);
            }
            Input::Received { connection, frame } => self.handle_received(now, connection, frame),
            Input::ConnectionFailed { connection, error } => {
                self.close_with_code(now, connection, error)
            }
            Input::HalfClosed { connection } => self.handle_half_closed(connection),
            Input::Disconnected { connection } => self.handle_disconnected(now, connection),
            Input::Committed { entries } => self.handle_committed(entries),
            Input::NotStored { session, reference } => self.handle_not_stored(session, reference),
            Input::ReadDone { tag, outcome } => self.handle_read_done(now, &tag, outcome),
            Input::MarkReached { connection } => self.handle_mark_reached(now, connection),
            Input::StorageChanged(storage) => self.handle_storage_changed(storage),
            Input::ClockChanged => self.handle_clock_changed(),
            Input::Probe { connection, token } => self.send_frame(connection, Pong { token }),
            Input::Wake => self.handle_wake(now),
            Input::SettingsChanged(settings) => self.apply_settings(settings),
            Input::ShutDown { retry_after } => self.handle_shut_down(now, retry_after),
        }
        self.close_half_closed(now);
        self.report_connected_users();
        self.schedule_wake();
    }

    /// What there is now.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        HubStats {
            server_name: self.settings.server_name.clone(),
            connected_users: self.sessions.connected_count(),
            connections: self.connections.len(),
            rooms: self.rooms.len(),
            head: self.head,
            storage: self.storage,
        }
    }

    /// Goes by other settings from now on. What is there already and is too
    /// much by them stays.
    fn apply_settings(&mut self, settings: HubSettings) {
        self.names.set_refuse_lookalikes(settings.refuse_lookalikes);
        self.max_deferred_frames = self.max_deferred_frames.max(deferred_frame_limit(&settings));
        let is_durable = self.settings.is_durable;
        self.settings = HubSettings { is_durable, ..settings };
    }

    /// Whether somebody is in this room.
    #[must_use]
    pub fn is_room_open(&self, room: &RoomName) -> bool {
        self.rooms.find(room).is_some()
    }

    /// From now on a frame of this connection finds a bug.
    #[cfg(test)]
    pub(crate) fn inject_panic(&mut self, connection: ConnectionId) {
        self.injected_panic = Some(connection);
    }

    /// Panics, if this is what the planted bug is about.
    #[cfg(test)]
    fn panic_if_injected(&self, input: &Input) {
        if let Input::Received { connection, .. } = input {
            assert_ne!(Some(*connection), self.injected_panic, "a bug that a test has planted");
        }
    }

    /// What the driver is to do next, in this order. Call it again until it
    /// gives nothing; then again after the next [`Self::handle_input`].
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Gives a connection a frame, after everything that was committed.
    fn send_frame(&mut self, connection: ConnectionId, frame: impl Into<ServerFrame>) {
        self.deliver(connection, Delivery::Frame(frame.into()));
    }

    /// Gives a connection something, after everything that was committed.
    fn deliver(&mut self, connection: ConnectionId, delivery: Delivery) {
        self.outputs.push_back(Output::Deliver { connection, after: self.head, delivery });
    }

    /// Gives several connections the same frame.
    fn send_frame_to_all(&mut self, connections: Vec<ConnectionId>, frame: ServerFrame) {
        if !connections.is_empty() {
            self.outputs.push_back(Output::DeliverAll { connections, after: self.head, frame });
        }
    }

    /// Tells the driver how many people are connected, if that has changed.
    fn report_connected_users(&mut self) {
        let users = self.sessions.connected_count();
        if users != self.reported_users {
            self.reported_users = users;
            self.outputs.push_back(Output::ConnectedUsers(users));
        }
    }

    /// Tells the driver when to wake the hub, if that has changed.
    fn schedule_wake(&mut self) {
        let timers = [
            self.next_timer_check,
            self.rooms.next_presence_deadline(),
            self.sessions.next_expiry(),
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

/// So many frames of a connection may wait for the log: what it may send in
/// ten seconds.
fn deferred_frame_limit(settings: &HubSettings) -> usize {
    let frames = settings.burst.saturating_add(settings.frames_per_minute / 6);
    usize::try_from(frames).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
