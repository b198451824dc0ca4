//! Users who have to go: out of a room, or out of the server.

use super::super::Hub;
use super::super::connection::{BlockedOn, ConnectionState};
use super::super::contract::{ConnectionId, Delivery, Now, RoomId};
use super::super::log_contract::ReadPurpose;
use super::words;
use crate::model::{
    ErrorCode, Fact, ModerationAction, NoticeCode, Reference, RoomName, Scope, SessionId, Timestamp,
};
use crate::wire::tcp::{Error, Left, Notice, Sanctioned, action, feature};

impl Hub {
    /// Sends a connected session out of a room or of the server, because of this fact, which is a
    /// kick or a ban. Returns false, and does nothing, if the session is not there. One that is
    /// connected to another hub is sent out by that hub.
    pub(super) fn send_out(
        &mut self,
        now: Now,
        session: SessionId,
        scope: &Scope,
        fact: &Fact,
    ) -> bool {
        let Some(known) = self.sessions.get(session) else {
            return false;
        };
        let Some(id) = known.connection else {
            let room = scope.room().map(|it| self.rooms.find(it));
            return known.elsewhere().is_some()
                && room.is_none_or(|it| it.is_some_and(|room| known.rooms.contains(&room)));
        };
        let number = match fact.draft.action {
            ModerationAction::Kicked { .. } => action::KICK,
            _ => action::BAN,
        };
        match scope {
            Scope::Server => {
                if self.has_events(id) && self.has_welcome(id) {
                    self.send_frame(id, sanctioned(number, fact));
                }
                let text = words::told(number, fact);
                let error = Error { text, ..Error::new(ErrorCode::Removed) };
                self.close_with_error(now, id, error);
                true
            }
            Scope::Room(name) => {
                let room = self.rooms.find(name);
                let known = self.sessions.get(session);
                let room = room.filter(|it| known.is_some_and(|known| known.rooms.contains(it)));
                if let Some(room) = room {
                    self.tell_sanction(session, number, fact);
                    self.send_out_of_room(now, id, session, room);
                }
                room.is_some()
            }
        }
    }

    /// Sends a session out of a room that it is in. The client gets nothing more from there.
    fn send_out_of_room(&mut self, now: Now, id: ConnectionId, session: SessionId, room: RoomId) {
        let has_events = self.has_events(id);
        let Some(known) = self.rooms.get_mut(room) else {
            return;
        };
        let name = known.name.clone();
        known.presence.remove_subscriber(id);
        let left = Left { reference: Reference::NONE, room: name.as_str().to_owned() };
        match self.connections.get_mut(&id).map(|it| &mut it.state) {
            Some(ConnectionState::Joining { read, welcome, .. }) => {
                read.request.rooms.retain(|it| *it != name);
                // Without a welcome, the client does not know that it was in the room.
                if has_events && welcome.is_none() {
                    read.frames_after.push(left.into());
                }
            }
            Some(ConnectionState::Joined { blocked_on: Some(BlockedOn::Read(read)), .. }) if matches!(&read.purpose, ReadPurpose::Enter(_, it) if *it == name) =>
                {}
            Some(ConnectionState::Joined { .. }) => {
                self.deliver(id, Delivery::Unsubscribe(room));
                if has_events {
                    self.send_frame(id, left);
                }
            }
            _ => {}
        }
        self.remove_from_room(now.moment, session, room);
    }

    /// Tells a connected user what a fact has done to them: by the frame `sanctioned`, or by a
    /// notice if the client does not know that.
    pub(super) fn tell_sanction(&mut self, session: SessionId, number: u8, fact: &Fact) {
        let Some(id) = self.sessions.get(session).and_then(|it| it.connection) else {
            return;
        };
        if self.has_events(id) {
            self.send_to_session(session, sanctioned(number, fact));
        } else {
            let notice = Notice::new(NoticeCode::Announcement, &words::told(number, fact));
            self.send_to_session(session, notice);
        }
    }

    /// Returns true if the welcome was sent to a connection.
    fn has_welcome(&self, id: ConnectionId) -> bool {
        match self.connections.get(&id).map(|it| &it.state) {
            Some(ConnectionState::Joining { welcome, .. }) => welcome.is_none(),
            Some(ConnectionState::Joined { .. }) => true,
            _ => false,
        }
    }

    /// Returns true if the client of a connection has the feature `events`.
    pub(super) fn has_events(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|it| it.features & feature::EVENTS != 0)
    }
}

/// Builds the frame that tells a user about a fact.
fn sanctioned(number: u8, fact: &Fact) -> Sanctioned {
    let room = fact.draft.action.room().map(RoomName::as_str);
    Sanctioned {
        action: number,
        room: room.unwrap_or_default().to_owned(),
        by: words::actor(fact).to_owned(),
        reason: words::reason(fact).to_owned(),
        until: fact.sanction_end().unwrap_or(Timestamp(0)),
    }
}
