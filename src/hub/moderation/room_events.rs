//! Topics, modes and roles, told to clients with the feature `events`: when they come in, and when
//! something changes.

use super::super::Hub;
use super::super::contract::{ConnectionId, RoomId};
use super::words;
use crate::model::{NameKey, NamedSession, Role, RoomName, SessionId};
use crate::moderation::Register;
use crate::wire::tcp::{RoleChanged, RoomModes, ServerFrame, TopicChanged, role};

impl Hub {
    /// Sends what a client must know about a room after its `entered`: topic, modes and its own
    /// role, where they are not the default. Does nothing for a client without `events`.
    pub(in super::super) fn send_room_state(&mut self, id: ConnectionId, room: RoomId) {
        let Some(name) = self.rooms.get(room).map(|it| it.name.clone()) else {
            return;
        };
        if !self.has_events(id) {
            return;
        }
        let frames = [self.topic_frame(&name, false), self.modes_frame(&name, false)];
        for frame in frames.into_iter().flatten() {
            self.send_frame(id, frame);
        }
        self.send_own_role(id, Some(&name));
    }

    /// Sends a client its own role in a room, or on the server (`None`), if it has one. Does
    /// nothing for a client without `events`.
    pub(in super::super) fn send_own_role(&mut self, id: ConnectionId, room: Option<&RoomName>) {
        let session = self.connections.get(&id).and_then(|it| it.session());
        let Some(session) = session.filter(|_| self.has_events(id)) else {
            return;
        };
        let username = self.sessions.get(session).map(|it| it.username.clone());
        let role = self.moderation.role(self.number_of(session), room.map(RoomName::key));
        if let (Some(username), Some(role)) = (username, role) {
            self.send_frame(id, role_frame(room, &NamedSession { session, username }, Some(role)));
        }
    }

    /// Builds `topic_changed` for a room. `None` if it has no topic, unless `even_if_default`.
    fn topic_frame(&self, room: &RoomName, even_if_default: bool) -> Option<ServerFrame> {
        let fact = self.moderation.value(&Register::Topic(room.key().clone()));
        if fact.is_none() && !even_if_default {
            return None;
        }
        let text = self.moderation.topic(room.key()).map_or("", |it| it.as_str());
        let frame = TopicChanged {
            room: room.as_str().to_owned(),
            text: text.to_owned(),
            by: fact.map_or("", |it| words::actor(it)).to_owned(),
            time: fact.map(|it| it.time).unwrap_or_default(),
        };
        Some(frame.into())
    }

    /// Builds `room_modes` for a room. `None` if both modes are off, unless `even_if_default`.
    fn modes_frame(&self, room: &RoomName, even_if_default: bool) -> Option<ServerFrame> {
        let slow = self.moderation.slow_mode(room.key()).interval().as_secs();
        let moderated = self.moderation.is_moderated(room.key());
        let is_default = slow == 0 && !moderated;
        let room = room.as_str().to_owned();
        let slow = u32::try_from(slow).unwrap_or(u32::MAX);
        (even_if_default || !is_default).then(|| RoomModes { room, slow, moderated }.into())
    }

    /// Tells the members of a room its modes, which have changed.
    pub(super) fn tell_modes(&mut self, room: RoomId) {
        let name = self.rooms.get(room).map(|it| it.name.clone());
        if let Some(frame) = name.and_then(|it| self.modes_frame(&it, true)) {
            self.tell_members(room, &frame);
        }
    }

    /// Tells the members of a room its topic, which was changed by this fact.
    pub(super) fn tell_topic(&mut self, room: RoomId, fact: &crate::model::Fact) {
        let name = self.rooms.get(room).map(|it| it.name.clone());
        if let Some(ServerFrame::TopicChanged(frame)) =
            name.and_then(|it| self.topic_frame(&it, true))
        {
            // A topic that was taken away has no fact in the state.
            let (by, time) = (words::actor(fact).to_owned(), fact.time);
            self.tell_members(room, &TopicChanged { by, time, ..frame }.into());
        }
    }

    /// Tells that a role was given or taken: the members of its room and the holder, or for a role
    /// on the server only the holder.
    pub(super) fn tell_role(
        &mut self,
        room: Option<&RoomName>,
        holder: &NamedSession,
        role: Option<Role>,
    ) {
        let scope = room;
        let frame = role_frame(scope, holder, role);
        let room = room.and_then(|it| self.rooms.find(it));
        if let Some(room) = room {
            self.tell_members(room, &frame);
        }
        for session in self.sessions_known_by(holder.session) {
            let known = self.sessions.get(session);
            let is_member =
                known.is_some_and(|it| room.is_some_and(|room| it.rooms.contains(&room)));
            // A client knows its own role by its session.
            if !is_member || session != holder.session {
                let username = holder.username.clone();
                let own = role_frame(scope, &NamedSession { session, username }, role);
                self.tell_session(session, &own);
            }
        }
    }

    /// Sends a frame to the members of a room whose clients have the feature `events`. A client
    /// that is joining gets it after its replay.
    pub(super) fn tell_members(&mut self, room: RoomId, frame: &ServerFrame) {
        let joined = self.joined_members(room);
        let with_events = joined.into_iter().filter(|it| self.has_events(*it)).collect();
        self.send_frame_to_all(with_events, frame.clone());
        for session in self.member_sessions(room) {
            let id = self.sessions.get(session).and_then(|it| it.connection);
            let connection = id.and_then(|it| self.connections.get(&it));
            if connection.is_some_and(|it| it.joined_session().is_none()) {
                self.tell_session(session, frame);
            }
        }
    }

    /// Sends a frame to a session whose client has the feature `events`.
    fn tell_session(&mut self, session: SessionId, frame: &ServerFrame) {
        let id = self.sessions.get(session).and_then(|it| it.connection);
        if id.is_some_and(|it| self.has_events(it)) {
            self.send_to_session(session, frame.clone());
        }
    }

    /// Returns the sessions that are in a room.
    pub(super) fn member_sessions(&self, room: RoomId) -> Vec<SessionId> {
        let keys: Vec<&NameKey> =
            self.rooms.get(room).map(|it| it.members.keys().collect()).unwrap_or_default();
        let is_in = |it: &SessionId| {
            self.sessions.get(*it).is_some_and(|known| known.rooms.contains(&room))
        };
        keys.into_iter().flat_map(|it| self.names.holders(it)).filter(is_in).collect()
    }

    /// Returns the connections that have joined and are in a room.
    pub(super) fn joined_members(&self, room: RoomId) -> Vec<ConnectionId> {
        let sessions = self.member_sessions(room).into_iter();
        let connections = sessions.filter_map(|it| self.sessions.get(it)?.connection);
        let has_joined = |id: &ConnectionId| {
            self.connections.get(id).is_some_and(|it| it.joined_session().is_some())
        };
        connections.filter(has_joined).collect()
    }
}

/// Builds `role_changed` for a holder in a room, or on the server (`None`).
fn role_frame(room: Option<&RoomName>, holder: &NamedSession, role: Option<Role>) -> ServerFrame {
    let frame = RoleChanged {
        room: room.map_or("", RoomName::as_str).to_owned(),
        session: holder.session,
        username: holder.username.as_str().to_owned(),
        role: match role {
            None => role::NONE,
            Some(Role::Moderator) => role::MODERATOR,
            Some(Role::Owner) => role::OWNER,
        },
    };
    frame.into()
}
