//! Lifecycle of connections: connecting, half-close, errors, timers, shutdown.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::{BlockedOn, Connection, ConnectionState, TimerAction};
use super::contract::{ConnectionId, Delivery, Now, Output, Quota};
use super::{Hub, RoomId};
use crate::model::limits::GREETING_TIMEOUT;
use crate::model::{AddressGroup, ErrorCode, Moment, Reference, SessionId, Token};
use crate::wire::tcp::{Error, Ping, ServerFrame};

/// Advice to clients that are refused because the server is full, or has too many connections from
/// their address: time until they should reconnect, in milliseconds.
const SERVER_FULL_RETRY_AFTER_MS: u32 = 30_000;

/// Share of `max-connections` that may be closing, beyond that number, to make room for others: its
/// denominator.
const CLOSING_EXCESS_DIVISOR: usize = 8;

/// Minimum time between two checks of all connection timers.
const MIN_TIMER_CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Hub {
    /// Admits a new connection, or refuses it with an error and closes it. The hub keeps nothing
    /// about a refused connection.
    pub(super) fn handle_connected(
        &mut self,
        now: Now,
        id: ConnectionId,
        address: IpAddr,
        token: Token,
    ) {
        let group = AddressGroup::of(address);
        let refusal = if let Some(retry_after) = self.shutting_down {
            Some((ErrorCode::ShuttingDown, retry_after))
        } else if self.quotas.is_full(group) {
            self.report_quota(group, Quota::Connections);
            Some((ErrorCode::TooManyFromAddress, SERVER_FULL_RETRY_AFTER_MS))
        } else if self.connections.len() >= self.settings.max_connections
            && !self.make_room_for(now, group)
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
        self.connections.insert(id, Connection::new(group, token, now.moment));
        self.quotas.add_connection(group, id, now.moment);
        let deadline = now.moment + GREETING_TIMEOUT;
        self.next_timer_check = Some(self.next_timer_check.map_or(deadline, |at| at.min(deadline)));
    }

    /// Closes a connection of the address group that has most, to make room for a newcomer of a
    /// group that has less than half as many: the newest that has not joined, else the newest.
    /// Returns false if there is no such group, or too many connections are still closing.
    fn make_room_for(&mut self, now: Now, newcomer: AddressGroup) -> bool {
        let limit = self.settings.max_connections;
        if self.connections.len() > limit.saturating_add(limit / CLOSING_EXCESS_DIVISOR) {
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

    /// Closes a connection with error 109, as its address group has reached a limit. `about` is the
    /// kind and the reference of the frame that this answers.
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

    /// Marks a connection as half-closed: its client will send no more frames.
    pub(super) fn handle_half_closed(&mut self, id: ConnectionId) {
        if self.connections.contains_key(&id) {
            self.half_closed.insert(id);
        }
    }

    /// Closes the half-closed connections that are not blocked (no frame is deferred) and have no
    /// message in flight. Call it after each input.
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
            // A client that sees the end may reconnect at once: this connection must not count by
            // then.
            self.deliver(*id, Delivery::Close);
            self.handle_disconnected(now, *id);
            false
        });
        self.half_closed = half_closed;
    }

    /// Removes a connection that is gone. If it has joined, frames deferred by a flow-control mark
    /// are still handled; those deferred by a log read, or while joining, are dropped.
    pub(super) fn handle_disconnected(&mut self, now: Now, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(|it| it.joined_session().is_some()) {
            self.handle_mark_reached(now, id);
        }
        self.release_session(now, id);
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.quotas.remove_connection(connection.group, id, now.moment);
    }

    /// Closes a connection with an error that concerns no particular frame. Does nothing if it is
    /// closing.
    pub(super) fn close_with_code(&mut self, now: Now, id: ConnectionId, code: ErrorCode) {
        self.close_with_error(now, id, Error::new(code));
    }

    /// Sends an error, closes the connection and releases its session's name and rooms at once.
    /// Does nothing if it is closing.
    pub(super) fn close_with_error(&mut self, now: Now, id: ConnectionId, error: Error) {
        if self.connections.get(&id).is_none_or(Connection::is_closing) {
            return;
        }
        self.send_frame(id, error);
        self.deliver(id, Delivery::Close);
        self.release_session(now, id);
    }

    /// Detaches the session and releases its name and rooms; the session is away afterwards.
    fn release_session(&mut self, now: Now, id: ConnectionId) {
        let Some(session) = self.detach_session(now.moment, id) else {
            return;
        };
        let Some(known) = self.sessions.get_mut(session) else {
            return;
        };
        let rooms = std::mem::take(&mut known.rooms);
        let username = known.username.clone();
        for room in rooms {
            self.rooms.remove_member(room, &username, now.moment);
            self.close_if_empty(room, now.moment);
        }
        self.names.release(&username, session);
        self.sessions.disconnect(session, now);
        self.persist_session(session);
    }

    /// Detaches a connection from its session, and unregisters its pending read and presence
    /// subscriptions. Returns the session, which keeps name and rooms: the caller must release them
    /// or move them to another connection.
    fn detach_session(&mut self, now: Moment, id: ConnectionId) -> Option<SessionId> {
        let connection = self.connections.get_mut(&id)?;
        let state = connection.begin_closing();
        self.quotas.mark_closing(connection.group, id, now);
        let (session, backlog_start) = match state {
            ConnectionState::Joining { session, read, is_paused, .. } => {
                (session, read.backlog_start.filter(|_| !is_paused))
            }
            ConnectionState::Joined { session, blocked_on: Some(BlockedOn::Read(read)) } => {
                (session, read.backlog_start)
            }
            ConnectionState::Joined { session, .. } => (session, None),
            ConnectionState::Connected { .. }
            | ConnectionState::Greeted { .. }
            | ConnectionState::Closing => return None,
        };
        if let Some(head) = backlog_start {
            self.backlog.end(head);
        }
        let known = self.sessions.get(session)?;
        for room in &known.rooms {
            if let Some(room) = self.rooms.get_mut(*room) {
                room.presence.remove_subscriber(id);
            }
        }
        Some(session)
    }

    /// Closes the old connection of a session that was resumed on another one. The session keeps
    /// its name and rooms.
    pub(super) fn close_replaced_connection(&mut self, now: Moment, id: ConnectionId) {
        self.send_frame(id, Error::new(ErrorCode::Replaced));
        self.deliver(id, Delivery::Close);
        self.detach_session(now, id);
    }

    /// Closes a room that has no members left, and emits `RoomClosed`.
    pub(super) fn close_if_empty(&mut self, room: RoomId, now: Moment) {
        if let Some(closed) = self.rooms.close_if_empty(room) {
            if let Some(group) = closed.opened_by {
                self.quotas.remove_room(group, now);
            }
            self.outputs.push_back(Output::RoomClosed { room });
        }
    }

    /// Runs all timers that are due: connections, presence, session expiry.
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
        self.remove_expired_sessions(now.moment);
    }

    /// Removes expired sessions and emits `DeleteSession` for each.
    pub(super) fn remove_expired_sessions(&mut self, now: Moment) {
        for session in self.sessions.remove_expired(now) {
            self.outputs.push_back(Output::DeleteSession { session });
        }
    }

    /// Checks the timers of all connections if the check is due: sends pings, closes timed-out
    /// connections.
    ///
    /// The next check is at the earliest timer. Activity only postpones timers, and new connections
    /// move the check forward, so none is missed.
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

    /// Closes all connections with `shutting_down` and refuses new ones from now on.
    pub(super) fn handle_shut_down(&mut self, now: Now, retry_after: u32) {
        self.shutting_down = Some(retry_after);
        let connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in connections {
            self.close_with_error(
                now,
                id,
                Error { retry_after, ..Error::new(ErrorCode::ShuttingDown) },
            );
        }
    }

    /// Sends a frame to a session's connection, if it has one. While it is joining, the frame is
    /// queued behind the welcome and the replay.
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
