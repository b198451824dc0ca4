//! What the log was asked for is there.

use super::Hub;
use super::connection::{PendingRead, kind};
use super::contract::{ConnectionId, Delivery, Now, Purpose, ReadOutcome, ReadTag, RoomId};
use crate::model::limits::{
    HISTORY_LENGTH, IDLE_TIMEOUT, MAX_ROOMS, MAX_TEXT, PING_INTERVAL, SESSION_LIFETIME,
};
use crate::model::{Reference, RoomName, SessionId, SharedEntry};
use crate::wire::tcp::{Accepted, End, Entered, ServerFrame, Welcome, flag};

impl Hub {
    /// Answers the request that a read was for, and takes up the frames that
    /// have come meanwhile. Nothing happens if its connection is gone.
    pub(super) fn read_done(&mut self, now: Now, tag: &ReadTag, outcome: ReadOutcome) {
        let id = tag.connection;
        let finished = self.connections.get_mut(&id).and_then(|it| it.finish_read(&tag.purpose));
        let Some((session, read)) = finished else {
            return;
        };
        match &tag.purpose {
            Purpose::Join => self.finish_join(now, id, session, read, outcome),
            Purpose::Enter(reference, room) => {
                self.finish_enter(id, session, read, outcome, *reference, room);
            }
            Purpose::History(reference) => {
                self.finish_history(id, outcome, kind::HISTORY, *reference);
            }
            Purpose::Search(reference) => {
                self.finish_history(id, outcome, kind::SEARCH, *reference);
            }
        }
        self.process_waiting(now, id);
    }

    /// Welcomes somebody whose join was accepted.
    fn finish_join(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        read: PendingRead,
        outcome: ReadOutcome,
    ) {
        let Some(known) = self.sessions.get(session) else {
            return;
        };
        let rooms = known.rooms.clone();
        let names: Vec<RoomName> = rooms
            .iter()
            .filter_map(|room| self.rooms.get(*room))
            .map(|room| room.name.clone())
            .collect();
        let welcome = Welcome {
            session,
            username: known.username.as_str().to_owned(),
            token: known.token,
            flags: read.flags,
            last_reference: known.outgoing.last(),
            log_id: self.log_id,
            time: now.time,
            server_name: self.settings.server_name.clone(),
            rooms: names.iter().map(|it| it.as_str().to_owned()).collect(),
            max_text: MAX_TEXT,
            max_rooms: MAX_ROOMS,
            history_length: HISTORY_LENGTH,
            ping_interval: u16::try_from(PING_INTERVAL.as_secs()).unwrap_or(u16::MAX),
            idle_timeout: u16::try_from(IDLE_TIMEOUT.as_secs()).unwrap_or(u16::MAX),
            session_lifetime: u32::try_from(SESSION_LIFETIME.as_secs()).unwrap_or(u32::MAX),
            burst: self.settings.burst,
            per_minute: self.settings.frames_per_minute,
            keep_days: self.settings.retention.days,
            keep_messages: self.settings.retention.messages,
            keep_bytes: self.settings.retention.bytes,
        };
        self.deliver(id, welcome);
        for room in &rooms {
            self.tell_entered(id, *room, Reference::NONE, &outcome.gaps);
        }
        let owed = self.tell_history(id, &names, Some(session), session, read, outcome);
        self.tell_end(id, kind::JOIN, Reference::NONE, 0);
        for room in &rooms {
            self.hand(id, Delivery::Subscribe(*room));
        }
        for room in rooms {
            self.tell_roster(id, room);
        }
        for frame in owed {
            self.deliver(id, frame);
        }
    }

    /// Shows a room to somebody who has entered it.
    fn finish_enter(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        read: PendingRead,
        outcome: ReadOutcome,
        reference: Reference,
        name: &RoomName,
    ) {
        let Some(room) = self.rooms.find(name) else {
            return;
        };
        self.tell_entered(id, room, reference, &outcome.gaps);
        let names = std::slice::from_ref(name);
        let owed = self.tell_history(id, names, None, session, read, outcome);
        self.tell_end(id, kind::ENTER, reference, 0);
        self.hand(id, Delivery::Subscribe(room));
        self.tell_roster(id, room);
        for frame in owed {
            self.deliver(id, frame);
        }
    }

    /// Gives somebody the entries that they asked for.
    fn finish_history(
        &mut self,
        id: ConnectionId,
        outcome: ReadOutcome,
        about: u16,
        reference: Reference,
    ) {
        self.hand_entries(id, outcome.entries, flag::HISTORY | flag::REQUESTED);
        let flags = if outcome.more { flag::MORE } else { 0 };
        self.tell_end(id, about, reference, flags);
    }

    /// Tells somebody that they are in a room.
    fn tell_entered(
        &mut self,
        id: ConnectionId,
        room: RoomId,
        reference: Reference,
        gaps: &[RoomName],
    ) {
        let Some(known) = self.rooms.get(room) else {
            return;
        };
        let entered = Entered {
            reference,
            room: known.name.as_str().to_owned(),
            flags: if gaps.contains(&known.name) { flag::GAP } else { 0 },
            members: known.members.count(),
        };
        self.deliver(id, entered);
    }

    /// Gives somebody what was said before, up to the hub's head. Gives back
    /// what was owed to them and is not in there.
    fn tell_history(
        &mut self,
        id: ConnectionId,
        rooms: &[RoomName],
        directs_of: Option<SessionId>,
        session: SessionId,
        read: PendingRead,
        outcome: ReadOutcome,
    ) -> Vec<ServerFrame> {
        let mut entries = outcome.entries;
        self.backlog.complete(&mut entries, outcome.head, rooms, directs_of, &read.range);
        if let Some(head) = read.registered {
            self.backlog.end(head);
        }
        let mut owed = read.owed;
        owed.retain(|frame| match frame {
            ServerFrame::Accepted(Accepted { reference }) => !entries
                .iter()
                .any(|it| it.draft.session == session && it.draft.reference == *reference),
            _ => true,
        });
        self.hand_entries(id, entries, flag::HISTORY);
        owed
    }

    /// Gives somebody entries, if there are any.
    fn hand_entries(&mut self, id: ConnectionId, entries: Vec<SharedEntry>, flags: u8) {
        if !entries.is_empty() {
            self.hand(id, Delivery::Entries { entries, flags });
        }
    }

    /// Tells somebody that the answer to a request is complete.
    fn tell_end(&mut self, id: ConnectionId, about: u16, reference: Reference, flags: u8) {
        self.deliver(id, End { about, reference, head: self.head, flags });
    }

    /// Tells somebody who is in a room, and from now on who comes and goes,
    /// if they want to know.
    fn tell_roster(&mut self, id: ConnectionId, room: RoomId) {
        if !self.connections.get(&id).is_some_and(|it| it.wants_presence()) {
            return;
        }
        if let Some(known) = self.rooms.get_mut(room) {
            let roster = known.add_listener(id);
            self.deliver(id, roster);
        }
    }
}
