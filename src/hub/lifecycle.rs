//! Connections come, fail and end; timers; shutting down.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::{Connection, Due, State, Wait};
use super::contract::{ConnectionId, Delivery, Now, Output};
use super::{Hub, RoomId};
use crate::model::limits::GREETING_TIMEOUT;
use crate::model::{ErrorCode, Moment, SessionId, Token};
use crate::wire::tcp::{Error, Ping, ServerFrame};

/// When somebody who found the server full is to come again, in
/// milliseconds.
const FULL_RETRY_AFTER: u32 = 30_000;

/// The connections' timers are looked at no more often than this.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Hub {
    /// Takes somebody in who has connected, or tells them why not. Who is
    /// not taken in is forgotten at once.
    pub(super) fn connected(
        &mut self,
        now: Moment,
        id: ConnectionId,
        address: IpAddr,
        token: Token,
    ) {
        let address = address.to_canonical();
        let from_address = self.addresses.get(&address).copied().unwrap_or_default();
        let refusal = if let Some(retry_after) = self.shutting_down {
            Some((ErrorCode::ShuttingDown, retry_after))
        } else if self.connections.len() >= self.settings.max_connections {
            Some((ErrorCode::ServerFull, FULL_RETRY_AFTER))
        } else if from_address >= self.settings.max_connections_per_address {
            Some((ErrorCode::TooManyFromAddress, FULL_RETRY_AFTER))
        } else {
            None
        };
        if let Some((code, retry_after)) = refusal {
            self.deliver(id, Error { retry_after, ..Error::new(code) });
            self.hand(id, Delivery::Close);
            return;
        }
        self.connections.insert(id, Connection::new(address, token, now));
        self.addresses.insert(address, from_address.saturating_add(1));
        let deadline = now + GREETING_TIMEOUT;
        self.next_sweep = Some(self.next_sweep.map_or(deadline, |at| at.min(deadline)));
    }

    /// Notes that a client will say nothing more.
    pub(super) fn finished(&mut self, id: ConnectionId) {
        if self.connections.contains_key(&id) {
            self.finished.insert(id);
        }
    }

    /// Lets those go who will say nothing more, once everything that they
    /// have said is dealt with and answered. Call it after each input.
    pub(super) fn let_go(&mut self, now: Now) {
        if self.finished.is_empty() {
            return;
        }
        let mut finished = std::mem::take(&mut self.finished);
        finished.retain(|id| {
            let Some(connection) = self.connections.get(id).filter(|it| !it.is_closing()) else {
                return false;
            };
            let session = connection.session().and_then(|it| self.sessions.get(it));
            let is_under_way = session.is_some_and(|it| it.outgoing.is_under_way());
            if connection.is_waiting() || is_under_way {
                return true;
            }
            // Whoever sees the end may come again at once: it counts no more.
            self.hand(*id, Delivery::Close);
            self.disconnected(now, *id);
            false
        });
        self.finished = finished;
    }

    /// Forgets a connection that is gone. What was said on it before counts,
    /// unless it waits for the log: nothing will be taken up there any more.
    pub(super) fn disconnected(&mut self, now: Now, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(|it| it.joined().is_some()) {
            self.marked(now, id);
        }
        self.release(now, id);
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(count) = self.addresses.get_mut(&connection.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.addresses.remove(&connection.address);
            }
        }
    }

    /// Closes a connection with an error that is about no frame. Nothing
    /// happens if it is closing already.
    pub(super) fn fail(&mut self, now: Now, id: ConnectionId, code: ErrorCode) {
        self.close(now, id, Error::new(code));
    }

    /// Tells a connection what is wrong and closes it; its name is free and
    /// its rooms are left at once. Nothing happens if it is closing already.
    pub(super) fn close(&mut self, now: Now, id: ConnectionId, error: Error) {
        if self.connections.get(&id).is_none_or(Connection::is_closing) {
            return;
        }
        self.deliver(id, error);
        self.hand(id, Delivery::Close);
        self.release(now, id);
    }

    /// Takes everything from a connection that it holds.
    fn release(&mut self, now: Now, id: ConnectionId) {
        let Some(session) = self.detach(id) else {
            return;
        };
        let Some(known) = self.sessions.get_mut(session) else {
            return;
        };
        let rooms = std::mem::take(&mut known.rooms);
        let username = known.username.clone();
        for room in rooms {
            self.rooms.remove_member(room, &username, now.moment);
            self.close_if_empty(room);
        }
        self.names.release(&username, session);
        self.sessions.disconnect(session, now);
        self.keep(session);
    }

    /// Parts a connection from its session, which keeps name and rooms:
    /// whoever calls it gives them to another connection or takes them away.
    fn detach(&mut self, id: ConnectionId) -> Option<SessionId> {
        let state = self.connections.get_mut(&id)?.end();
        let (session, registered) = match state {
            State::Joining { session, read, is_paused, .. } => {
                (session, read.registered.filter(|_| !is_paused))
            }
            State::Joined { session, wait: Some(Wait::Read(read)) } => (session, read.registered),
            State::Joined { session, .. } => (session, None),
            State::Connected { .. } | State::Greeted { .. } | State::Closing => return None,
        };
        if let Some(head) = registered {
            self.backlog.end(head);
        }
        let known = self.sessions.get(session)?;
        for room in &known.rooms {
            if let Some(room) = self.rooms.get_mut(*room) {
                room.changes.remove_listener(id);
            }
        }
        Some(session)
    }

    /// Closes the connection of a session that goes on with another one.
    /// Name and rooms stay with the session.
    pub(super) fn replace(&mut self, id: ConnectionId) {
        self.deliver(id, Error::new(ErrorCode::Replaced));
        self.hand(id, Delivery::Close);
        self.detach(id);
    }

    /// Closes a room that the last one has left.
    pub(super) fn close_if_empty(&mut self, room: RoomId) {
        if self.rooms.close_if_empty(room) {
            self.outputs.push_back(Output::RoomClosed { room });
        }
    }

    /// Does what is due. Comes again at the next `WakeAt`.
    pub(super) fn wake(&mut self, now: Now) {
        self.wake_at = None;
        self.sweep(now);
        while let Some((frames, listeners)) = self.rooms.tell_next(now.moment) {
            for frame in frames {
                self.deliver_all(listeners.clone(), frame);
            }
        }
        self.forget_expired(now.moment);
    }

    /// Forgets the sessions whose time is over.
    pub(super) fn forget_expired(&mut self, now: Moment) {
        for session in self.sessions.forget_expired(now) {
            self.outputs.push_back(Output::DeleteSession { session });
        }
    }

    /// Looks at the timers of all connections, if the time has come. The
    /// next time is that of the earliest of them: what happens meanwhile
    /// only puts them off, and new connections set it anew.
    fn sweep(&mut self, now: Now) {
        if self.next_sweep.is_none_or(|at| now.moment < at) {
            return;
        }
        let mut pings = Vec::new();
        let mut ends = Vec::new();
        let mut earliest: Option<Moment> = None;
        for (id, connection) in &mut self.connections {
            let next = match connection.due(now.moment) {
                Due::Never => continue,
                Due::End(code) => {
                    ends.push((*id, code));
                    continue;
                }
                Due::Ping => {
                    pings.push(*id);
                    connection.ping()
                }
                Due::At(moment) => moment,
            };
            earliest = Some(earliest.map_or(next, |at| at.min(next)));
        }
        self.next_sweep = earliest.map(|at| at.max(now.moment + SWEEP_INTERVAL));
        self.deliver_all(pings, Ping { token: 0 }.into());
        for (id, code) in ends {
            self.fail(now, id, code);
        }
    }

    /// Sends everybody away and takes nobody in any more.
    pub(super) fn shut_down(&mut self, now: Now, retry_after: u32) {
        self.shutting_down = Some(retry_after);
        let everybody: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in everybody {
            self.close(now, id, Error { retry_after, ..Error::new(ErrorCode::ShuttingDown) });
        }
    }

    /// Tells a session something, if it is connected; if its welcome has
    /// still to come, after that.
    pub(super) fn tell(&mut self, session: SessionId, frame: impl Into<ServerFrame>) {
        let Some(id) = self.sessions.get(session).and_then(|it| it.connection) else {
            return;
        };
        match self.connections.get_mut(&id).map(|it| &mut it.state) {
            Some(State::Joining { read, .. }) => read.owed.push(frame.into()),
            Some(State::Joined { .. }) => self.deliver(id, frame),
            _ => {}
        }
    }
}
