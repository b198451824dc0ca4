//! Lifecycle of connections: connecting, half-close, errors, timers, shutdown.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::{BlockedOn, Connection, ConnectionState, TimerAction};
use super::contract::{ConnectionId, Delivery, Now, Output, Quota};
use super::log_contract::Proposal;
use super::{Hub, RoomId};
use crate::identity::ProofContext;
use crate::model::limits::GREETING_TIMEOUT;
use crate::model::{AddressGroup, ErrorCode, Moment, Reference, SessionId, Token};
use crate::wire::tcp::{Error, Ping, ServerFrame};

/// Time after which a refused or evicted client should reconnect, in milliseconds. It is sent if
/// the server or the client's address group has too many connections.
const SERVER_FULL_RETRY_AFTER_MS: u32 = 30_000;

/// Divisor of `max-connections`: an eighth more connections (at least 1) may exist while evicted
/// ones are closing. Beyond that, no connection is evicted.
const CLOSING_EXCESS_DIVISOR: usize = 8;

/// Minimum time between two checks of all connections' timers. A timer may be handled late by up to
/// this time.
const MIN_TIMER_CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Hub {
    /// Handles a new connection: admits the connection, or closes it with an error. Refuses it
    /// during shutdown, or if its address group or the server is full. If the server is full, may
    /// evict another connection to admit this one. The hub keeps nothing about a refused
    /// connection.
    pub(super) fn handle_connected(
        &mut self,
        now: Now,
        id: ConnectionId,
        address: IpAddr,
        token: Token,
        proof_context: Option<Box<ProofContext>>,
    ) {
        let group = AddressGroup::of(address);
        let refusal = if let Some(retry_after) = self.shutting_down {
            Some((ErrorCode::ShuttingDown, retry_after))
        } else if self.quotas.is_full(group) {
            self.report_quota(group, Quota::Connections);
            Some((ErrorCode::TooManyFromAddress, SERVER_FULL_RETRY_AFTER_MS))
        } else if self.connections.len() >= self.settings.max_connections
            && !self.evict_connection_for(now, group)
        {
            Some((ErrorCode::ServerFull, SERVER_FULL_RETRY_AFTER_MS))
        } else {
            None
        };
        if let Some((code, retry_after)) = refusal {
            self.send_frame(id, Error { retry_after, ..Error::new(code) });
            self.deliver(id, Delivery::Close);
            return;
        }
        let connection = Connection::new(group, token, proof_context, now.moment);
        self.connections.insert(id, Box::new(connection));
        self.quotas.add_connection(group, id, now.moment);
        let deadline = now.moment + GREETING_TIMEOUT;
        self.next_timer_check = Some(self.next_timer_check.map_or(deadline, |at| at.min(deadline)));
    }

    /// Evicts a connection in favor of a new one of the address group `newcomer`, and returns true:
    /// closes it with error `server_full`, and reports the quota of its group.
    ///
    /// The evicted connection belongs to the address group with the most live connections. That
    /// group must have at least twice as many as `newcomer` will have. The newest connection of
    /// that group without a session is evicted. If each has a session, the newest one is.
    ///
    /// Returns false if that group has fewer connections, or if too many evicted connections are
    /// closing ([`CLOSING_EXCESS_DIVISOR`]).
    fn evict_connection_for(&mut self, now: Now, newcomer: AddressGroup) -> bool {
        let limit = self.settings.max_connections;
        let excess = (limit / CLOSING_EXCESS_DIVISOR).max(1);
        if self.connections.len() >= limit.saturating_add(excess) {
            return false;
        }
        let Some((group, mut candidates)) = self.quotas.eviction_candidates(newcomer) else {
            return false;
        };
        let newest = candidates.next();
        let has_joined =
            |id: &ConnectionId| self.connections.get(id).is_some_and(|it| it.session().is_some());
        let not_joined = newest.into_iter().chain(candidates).find(|id| !has_joined(id));
        let Some(id) = not_joined.or(newest) else {
            return false;
        };
        self.report_quota(group, Quota::Connections);
        let retry_after = SERVER_FULL_RETRY_AFTER_MS;
        self.close_with_error(now, id, Error { retry_after, ..Error::new(ErrorCode::ServerFull) });
        true
    }

    /// Closes a connection with error 109 `too_many_from_address`, and reports that its address
    /// group has reached a limit. `retry_after`: sent to the client, at least 1 ms. `about`: kind
    /// and reference of the frame that the error answers.
    pub(super) fn close_for_quota(
        &mut self,
        now: Now,
        id: ConnectionId,
        quota: Quota,
        about: (u16, Reference),
        retry_after: Duration,
    ) {
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        self.report_quota(group, quota);
        let retry_after = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX).max(1);
        let error = Error::about(ErrorCode::TooManyFromAddress, about.0, about.1);
        self.close_with_error(now, id, Error { retry_after, ..error });
    }

    /// Handles a half-closed connection: its client will send no more frames. `close_half_closed`
    /// closes it. If the stream has not ended inside a frame, marks the client as leaving.
    pub(super) fn handle_half_closed(&mut self, id: ConnectionId, in_frame: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_leaving = !in_frame;
            self.half_closed.insert(id);
        }
    }

    /// Closes and removes each half-closed connection that is not blocked and whose session has no
    /// message in flight: nothing is left to answer. Call it after each input.
    pub(super) fn close_half_closed(&mut self, now: Now) {
        if self.half_closed.is_empty() {
            return;
        }
        let mut half_closed = std::mem::take(&mut self.half_closed);
        half_closed.retain(|id| {
            let Some(connection) = self.connections.get(id).filter(|it| !it.is_closing()) else {
                return false;
            };
            let session = connection.session().and_then(|it| self.sessions.get(it));
            let has_in_flight = session.is_some_and(|it| it.dedup.has_in_flight());
            if connection.is_blocked() || has_in_flight {
                return true;
            }
            // The client may reconnect when it sees the end. This connection must not count any
            // longer then.
            self.deliver(*id, Delivery::Close);
            self.handle_disconnected(now, *id);
            false
        });
        self.half_closed = half_closed;
    }

    /// Removes a connection that is gone, and disconnects its session. If the connection has joined
    /// and waits for a flow-control mark, first handles its deferred frames. Otherwise drops the
    /// deferred frames.
    pub(super) fn handle_disconnected(&mut self, now: Now, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(|it| it.joined_session().is_some()) {
            self.handle_mark_reached(now, id);
        }
        self.release_session(now, id, true);
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.quotas.remove_connection(connection.group, id, now.moment);
    }

    /// Closes a connection with an error that answers no particular frame. Does nothing if the
    /// connection is closing.
    pub(super) fn close_with_code(&mut self, now: Now, id: ConnectionId, code: ErrorCode) {
        self.close_with_error(now, id, Error::new(code));
    }

    /// Closes a connection with an error frame, and disconnects its session at once. The connection
    /// itself stays until `Disconnected`. Does nothing if the connection is closing.
    pub(super) fn close_with_error(&mut self, now: Now, id: ConnectionId, error: Error) {
        if self.connections.get(&id).is_none_or(|it| it.is_closing()) {
            return;
        }
        let may_come_back = ErrorCode::from_number(error.code).is_none_or(|it| !it.is_final());
        self.send_frame(id, error);
        self.deliver(id, Delivery::Close);
        self.release_session(now, id, may_come_back);
    }

    /// Disconnects the session of a connection: releases the session's rooms, and persists the
    /// session. The session is then away, and the connection is closing. A connection without a
    /// session is only switched to `Closing`.
    ///
    /// A `join` that is not committed is only marked as lost: the rest follows at its commit.
    ///
    /// If `may_come_back` and [`Connection::keeps_name_when_lost`] are true, the session's name
    /// waits for the session. Otherwise the name is released. `may_come_back`: false if the
    /// connection ends by a final error.
    fn release_session(&mut self, now: Now, id: ConnectionId, may_come_back: bool) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let keeps_name = may_come_back && connection.keeps_name_when_lost();
        let group = connection.group;
        if let Some(join) = self.pending_joins.get_mut(&id) {
            join.lost.get_or_insert(keeps_name);
        }
        if let Some(session) = self.detach_session(now.moment, id) {
            self.end_session(now, session, group, keeps_name);
        }
    }

    /// Ends the presence of a session whose connection was detached: releases its rooms and
    /// persists the session, which is away then. Its name waits for it if `keeps_name`, and is
    /// released otherwise. `group`: address group of the lost connection.
    pub(super) fn end_session(
        &mut self,
        now: Now,
        session: SessionId,
        group: AddressGroup,
        keeps_name: bool,
    ) {
        if self.sessions.get(session).is_none() {
            return;
        }
        self.leave_all_rooms(now.moment, session);
        self.sessions.disconnect(session, now, keeps_name);
        if keeps_name {
            self.let_name_wait(session, group, now.moment);
        } else {
            self.release_name(session);
        }
        self.persist_session(session);
    }

    /// Takes a session out of all its rooms, and closes those that are empty then. Does nothing if
    /// there is no such session.
    pub(super) fn leave_all_rooms(&mut self, now: Moment, session: SessionId) {
        let Some(known) = self.sessions.get_mut(session) else {
            return;
        };
        let (rooms, username) = (std::mem::take(&mut known.rooms), known.username.clone());
        for room in rooms {
            self.rooms.remove_member(room, &username, now);
            self.close_if_empty(room, now);
        }
    }

    /// Switches a connection to state `Closing`. Drops the deferred frames, the pending read and
    /// the presence subscriptions. The connection is no longer live for its address group.
    ///
    /// Returns the session of the connection; `None` if there is none. The session keeps its name
    /// and rooms. The caller must release them, or move the session to another connection.
    fn detach_session(&mut self, now: Moment, id: ConnectionId) -> Option<SessionId> {
        let connection = self.connections.get_mut(&id)?;
        let state = connection.begin_closing();
        self.quotas.mark_closing(connection.group, id, now);
        let (session, read) = match state {
            ConnectionState::Joining { session, read, .. }
            | ConnectionState::Joined { session, blocked_on: Some(BlockedOn::Read(read)) } => {
                (session, Some(read))
            }
            ConnectionState::Joined { session, .. } => (session, None),
            ConnectionState::Connected { .. }
            | ConnectionState::Greeted { .. }
            | ConnectionState::JoinProposed { .. }
            | ConnectionState::Replicating
            | ConnectionState::Closing => return None,
        };
        if let Some(read) = read {
            self.reads.cancel(connection.group, id, &read.purpose);
            if let Some(head) = read.backlog_start {
                self.backlog.end(head);
            }
        }
        let known = self.sessions.get(session)?;
        for room in &known.rooms {
            if let Some(room) = self.rooms.get_mut(*room) {
                room.presence.remove_subscriber(id);
            }
        }
        Some(session)
    }

    /// Closes a connection with error `replaced`, because its session is resumed on another
    /// connection. The session keeps its name and rooms.
    pub(super) fn close_replaced_connection(&mut self, now: Moment, id: ConnectionId) {
        self.send_frame(id, Error::new(ErrorCode::Replaced));
        self.deliver(id, Delivery::Close);
        self.detach_session(now, id);
    }

    /// If a room has no members left, closes it and emits `RoomClosed`. The room then no longer
    /// counts towards the maximum number of rooms of the address group that opened it.
    pub(super) fn close_if_empty(&mut self, room: RoomId, now: Moment) {
        if let Some(closed) = self.rooms.close_if_empty(room) {
            if let Some(group) = closed.opened_by {
                self.quotas.remove_room(group, now);
            }
            self.outputs.push_back(Output::RoomClosed { room });
        }
    }

    /// Handles all expired timers: of connections, throttled requests and replays, quotas, presence
    /// updates, waiting names, sanctions, claims, invitations, read marks, and sessions.
    pub(super) fn handle_wake(&mut self, now: Now) {
        self.wake_at = None;
        self.run_connection_timers(now);
        self.handle_throttled(now);
        self.quotas.forget_idle(now.moment);
        while let Some((frames, subscribers)) = self.rooms.take_due_presence(now.moment) {
            for frame in frames {
                self.send_frame_to_all(subscribers.clone(), frame);
            }
        }
        self.free_expired_names(now.moment);
        self.end_expired_sanctions(now.moment);
        self.check_identities(now);
        self.keep_due_read_marks(now.moment);
        self.remove_expired_sessions(now.moment);
    }

    /// Removes expired sessions, and proposes to delete each.
    pub(super) fn remove_expired_sessions(&mut self, now: Moment) {
        for session in self.sessions.remove_expired(now) {
            self.delete_session(session);
        }
    }

    /// Proposes to delete a session that was removed. If the session's name waits, frees the name.
    pub(super) fn delete_session(&mut self, session: SessionId) {
        if self.waiting_names.remove(session) {
            self.release_name(session);
        }
        self.outputs.push_back(Output::Propose(Proposal::DeleteSession(session)));
    }

    /// If the check is due, checks the timers of all connections: sends pings, closes connections
    /// that have timed out, and schedules the next check.
    ///
    /// A received frame does not reschedule the check, because it only postpones timers.
    fn run_connection_timers(&mut self, now: Now) {
        if self.next_timer_check.is_none_or(|at| now.moment < at) {
            return;
        }
        let mut pings = Vec::new();
        let mut ends = Vec::new();
        let mut earliest: Option<Moment> = None;
        for (id, connection) in &mut self.connections {
            let next = match connection.timer_action(now.moment) {
                TimerAction::Nothing => continue,
                TimerAction::Close(code) => {
                    ends.push((*id, code));
                    continue;
                }
                TimerAction::SendPing => {
                    pings.push(*id);
                    connection.record_ping()
                }
                TimerAction::WaitUntil(moment) => moment,
            };
            earliest = Some(earliest.map_or(next, |at| at.min(next)));
        }
        self.next_timer_check = earliest.map(|at| at.max(now.moment + MIN_TIMER_CHECK_INTERVAL));
        self.send_frame_to_all(pings, Ping { token: 0 }.into());
        for (id, code) in ends {
            self.close_with_code(now, id, code);
        }
    }

    /// Handles the shutdown of the server: stores the read marks, and closes all connections with error `shutting_down`. New
    /// ones are then refused. `retry_after`: advice for clients, in milliseconds; 0 for none.
    pub(super) fn handle_shut_down(&mut self, now: Now, retry_after: u32) {
        self.shutting_down = Some(retry_after);
        self.keep_read_marks();
        let connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in connections {
            self.close_with_error(
                now,
                id,
                Error { retry_after, ..Error::new(ErrorCode::ShuttingDown) },
            );
        }
    }

    /// Sends a frame to a session's connection. While the connection is joining, the frame waits
    /// until the welcome and the replay are sent. Does nothing if the session is away or its
    /// connection is closing.
    pub(super) fn send_to_session(&mut self, session: SessionId, frame: impl Into<ServerFrame>) {
        let Some(id) = self.sessions.get(session).and_then(|it| it.connection) else {
            return;
        };
        match self.connections.get_mut(&id).map(|it| &mut it.state) {
            Some(ConnectionState::Joining { read, .. }) => read.frames_after.push(frame.into()),
            Some(ConnectionState::Joined { .. }) => self.send_frame(id, frame),
            _ => {}
        }
    }
}
