//! Requests: `enter`, `leave`, `history`, `members`, `search` (`docs/protocol/tcp.md`, sections 9
//! to 11).

use super::Hub;
use super::connection::{BlockedOn, PendingRead};
use super::contract::{ConnectionId, Delivery, Now, RoomId};
use super::log_contract::{ReadPurpose, ReadRange, ReadRequest};
use crate::model::limits::{HISTORY_LENGTH, MAX_HISTORY_PAGE, MAX_ROOMS, MAX_SEARCH_PAGE};
use crate::model::{
    AddressGroup, ErrorCode, Moment, NameKey, RoomName, SearchQuery, SearchTerms, Sequence,
    SessionId, Timestamp,
};
use crate::wire::tcp::{Enter, Error, History, Leave, Left, Members, Roster, Search, flag, kind};

impl Hub {
    /// Returns the room with this name, in any spelling, if the session is a member. `None` if the
    /// session is no member, or if the name is invalid.
    pub(super) fn joined_room(&self, session: SessionId, name: &str) -> Option<RoomId> {
        let joined = &self.sessions.get(session)?.rooms;
        // Clients use the server's spelling: most names need not be folded.
        let is_spelled_so =
            |it: &&RoomId| self.rooms.get(**it).is_some_and(|room| room.name.as_str() == name);
        if let Some(room) = joined.iter().find(is_spelled_so) {
            return Some(*room);
        }
        let room = self.rooms.find(&RoomName::new(name).ok()?)?;
        joined.contains(&room).then_some(room)
    }

    /// Handles `enter`: adds the session to the room, which is opened if there is none, queues the
    /// read of its history, and blocks the connection until that is answered; or sends an error.
    /// `finish_enter` continues, or `undo_enter` if the read fails.
    pub(super) fn handle_enter(
        &mut self,
        now: Now,
        id: ConnectionId,
        session: SessionId,
        enter: &Enter,
    ) {
        let Some(group) = self.connections.get(&id).map(|it| it.group) else {
            return;
        };
        if let Some(error) = self.refuse_banned_entry(now.moment, session, group, &enter.room) {
            let (about, reference) = (kind::ENTER, enter.reference);
            return self.send_frame(id, Error { about, reference, ..error });
        }
        let now = now.moment;
        let name = match self.check_enter(session, group, &enter.room) {
            Ok(name) => name,
            Err(code) => {
                self.report_room_refusal(group, code);
                return self.send_request_error(id, code, kind::ENTER, enter.reference);
            }
        };
        let room = self.find_or_open_room(&name, group, now);
        let name = self.rooms.get(room).map_or(name, |it| it.name.clone());
        if let Some(known) = self.sessions.get_mut(session) {
            known.rooms.push(room);
            self.rooms.add_member(room, &known.username, now);
        }
        self.note_rooms_changed(session);
        let range = ReadRange::Latest(HISTORY_LENGTH);
        let purpose = ReadPurpose::Enter(enter.reference, name.clone());
        self.block_on_read(id, purpose, vec![name], range);
    }

    /// Checks that a session may enter a room with this name. The name must be valid, the session
    /// not a member yet, and no limit of rooms reached. Changes nothing.
    fn check_enter(
        &self,
        session: SessionId,
        group: AddressGroup,
        name: &str,
    ) -> Result<RoomName, ErrorCode> {
        let name = RoomName::new(name).map_err(|_| ErrorCode::RoomInvalid)?;
        let rooms = self.sessions.get(session).map(|it| it.rooms.as_slice()).unwrap_or_default();
        let room = self.rooms.find(&name);
        if room.is_some_and(|it| rooms.contains(&it)) {
            return Err(ErrorCode::AlreadyInRoom);
        }
        if rooms.len() >= usize::from(MAX_ROOMS) {
            return Err(ErrorCode::TooManyRooms);
        }
        if !self.may_open(group, std::slice::from_ref(&name)) {
            return Err(ErrorCode::RoomsFull);
        }
        Ok(name)
    }

    /// Queues a log read for a request, and blocks the connection until `handle_read_done`.
    pub(super) fn block_on_read(
        &mut self,
        id: ConnectionId,
        purpose: ReadPurpose,
        rooms: Vec<RoomName>,
        range: ReadRange,
    ) {
        let request = ReadRequest { rooms, session: None, range };
        let read = PendingRead::new(purpose.clone(), request);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.block_on(BlockedOn::Read(read));
        }
        self.queue_read(id, purpose);
    }

    /// Handles `leave`: unsubscribes the connection from the room, sends `left`, and removes the
    /// session from the room, which is closed if it is empty then. Sends error `not_in_room` if the
    /// session is not a member.
    pub(super) fn handle_leave(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        leave: &Leave,
    ) {
        let Some(room) = self.joined_room(session, &leave.room) else {
            return self.send_request_error(id, ErrorCode::NotInRoom, kind::LEAVE, leave.reference);
        };
        self.deliver(id, Delivery::Unsubscribe(room));
        if let Some(known) = self.rooms.get_mut(room) {
            known.presence.remove_subscriber(id);
            let left = Left { reference: leave.reference, room: known.name.as_str().to_owned() };
            self.send_frame(id, left);
        }
        self.remove_from_room(now, session, room);
    }

    /// Removes a session from a room and closes the room if it is empty then. Sends nothing to the
    /// session's client.
    pub(super) fn remove_from_room(&mut self, now: Moment, session: SessionId, room: RoomId) {
        if let Some(known) = self.sessions.get_mut(session) {
            known.rooms.retain(|it| *it != room);
            self.rooms.remove_member(room, &known.username, now);
        }
        self.note_rooms_changed(session);
        self.close_if_empty(room, now);
    }

    /// Handles `history`: queues the read of a page of older entries of a room and blocks the
    /// connection until it is answered, or sends error `not_in_room`. A limit of 0, or above
    /// [`MAX_HISTORY_PAGE`], counts as that maximum. `finish_history_or_search` continues.
    pub(super) fn handle_history(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        history: &History,
    ) {
        let name = self
            .joined_room(session, &history.room)
            .and_then(|room| self.rooms.get(room))
            .map(|room| room.name.clone());
        let Some(name) = name else {
            return self.send_request_error(
                id,
                ErrorCode::NotInRoom,
                kind::HISTORY,
                history.reference,
            );
        };
        let before = self.upper_bound(history.before);
        let limit = match history.limit {
            limit @ 1..=MAX_HISTORY_PAGE => limit,
            _ => MAX_HISTORY_PAGE,
        };
        let purpose = ReadPurpose::History(history.reference);
        self.block_on_read(id, purpose, vec![name], ReadRange::Before(before, limit));
    }

    /// Handles `search`: queues a search in one room or all rooms of the session and blocks the
    /// connection until it is answered, or sends an error. `finish_history_or_search` continues.
    pub(super) fn handle_search(&mut self, id: ConnectionId, session: SessionId, search: &Search) {
        match self.check_search(session, search) {
            Ok((rooms, query)) => {
                let purpose = ReadPurpose::Search(search.reference);
                self.block_on_read(id, purpose, rooms, ReadRange::Matching(query));
            }
            Err(code) => self.send_request_error(id, code, kind::SEARCH, search.reference),
        }
    }

    /// Validates a `search`: room, then text. Returns the rooms to search and the query. A limit of
    /// 0, or above [`MAX_SEARCH_PAGE`], counts as that maximum. Changes nothing.
    fn check_search(
        &self,
        session: SessionId,
        search: &Search,
    ) -> Result<(Vec<RoomName>, SearchQuery), ErrorCode> {
        let rooms = if search.room.is_empty() {
            self.sessions.get(session).map(|it| it.rooms.clone()).unwrap_or_default()
        } else {
            vec![self.joined_room(session, &search.room).ok_or(ErrorCode::NotInRoom)?]
        };
        let names = rooms.iter().filter_map(|room| self.rooms.get(*room));
        let names = names.map(|room| room.name.clone()).collect();
        let is_set = |time: Timestamp| (time.0 != 0).then_some(time);
        let query = SearchQuery {
            text: SearchTerms::new(&search.text).map_err(|_| ErrorCode::SearchInvalid)?,
            from: (!search.from.is_empty()).then(|| NameKey::of(&search.from)),
            since: is_set(search.since),
            until: is_set(search.until),
            before: self.upper_bound(search.before),
            limit: match search.limit {
                limit @ 1..=MAX_SEARCH_PAGE => limit,
                _ => MAX_SEARCH_PAGE,
            },
        };
        Ok((names, query))
    }

    /// Returns the exclusive upper bound of sequences for a read: `before`, or the sequence after
    /// the hub's head if `before` is 0.
    fn upper_bound(&self, before: Sequence) -> Sequence {
        if before == Sequence::ZERO { self.head.next() } else { before }
    }

    /// Handles `members`: sends a page of the room's member list (`roster`), or error
    /// `not_in_room`.
    pub(super) fn handle_members(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        members: &Members,
    ) {
        let room = self.joined_room(session, &members.room).and_then(|room| self.rooms.get(room));
        let Some(room) = room else {
            return self.send_request_error(
                id,
                ErrorCode::NotInRoom,
                kind::MEMBERS,
                members.reference,
            );
        };
        let (names, more) = room.members.page(&members.after);
        let roster = Roster {
            reference: members.reference,
            room: room.name.as_str().to_owned(),
            flags: if more { flag::MORE } else { 0 },
            members: room.members.count(),
            names,
        };
        self.send_frame(id, roster);
    }
}
