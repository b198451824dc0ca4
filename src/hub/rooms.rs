//! Rooms and who is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::contract::{ConnectionId, RoomId};
use super::members::RoomMembers;
use super::presence::PresenceChanges;
use crate::model::{Moment, NameKey, RoomName, Username};
use crate::wire::tcp::ServerFrame;

/// A room with somebody in it.
pub(super) struct Room {
    /// As it was spelled by whoever opened it.
    pub(super) name: RoomName,
    /// Who is in it.
    pub(super) members: RoomMembers,
    /// What is to be told about that.
    pub(super) presence: PresenceChanges,
}

impl Room {
    /// Makes a connection one of those which are told who comes and goes;
    /// gives the roster that it has to get now.
    pub(super) fn add_subscriber(&mut self, connection: ConnectionId) -> ServerFrame {
        self.presence.add_subscriber(connection, &self.name, &self.members)
    }
}

/// So many rooms are remembered with nobody in them.
const MAX_CLOSED_ROOM_NAMES: usize = 1_000;

/// The names of rooms that were closed, those closed last.
#[derive(Default)]
struct ClosedRoomNames {
    /// By key.
    names: HashMap<NameKey, RoomName>,
    /// In the order of closing.
    order: VecDeque<NameKey>,
}

impl ClosedRoomNames {
    /// Remembers how a room was spelt that has been closed.
    fn remember(&mut self, name: RoomName) {
        let key = name.key().clone();
        if self.names.insert(key.clone(), name).is_some() {
            self.order.retain(|it| *it != key);
        }
        self.order.push_back(key);
        if self.order.len() > MAX_CLOSED_ROOM_NAMES
            && let Some(key) = self.order.pop_front()
        {
            self.names.remove(&key);
        }
    }

    /// How a room was spelt that is opened again; as it is if it is new.
    fn take(&mut self, name: &RoomName) -> RoomName {
        match self.names.remove(name.key()) {
            Some(former) => {
                self.order.retain(|key| key != name.key());
                former
            }
            None => name.clone(),
        }
    }
}

/// All rooms with somebody in them. (What was said in the others is in the
/// log, by their names.)
#[derive(Default)]
pub(super) struct Rooms {
    /// By number.
    by_id: BTreeMap<RoomId, Room>,
    /// By name.
    by_name: HashMap<NameKey, RoomId>,
    /// How rooms are spelt in which nobody is now: the log still has what
    /// was said in them under that spelling.
    closed_names: ClosedRoomNames,
    /// The number of the last room that was opened.
    last_id: u32,
    /// The rooms in which something is to be told, by when.
    presence_deadlines: BTreeSet<(Moment, RoomId)>,
}

impl Rooms {
    /// Takes over how rooms are spelt in which nobody is: of too many the
    /// last ones.
    pub(super) fn restore(&mut self, names: Vec<RoomName>) {
        for name in names {
            self.closed_names.remember(name);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// A room by its number.
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.by_id.get(&id)
    }

    /// A room by its number, to be changed.
    pub(super) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.by_id.get_mut(&id)
    }

    /// A room by its name in any spelling.
    pub(super) fn find(&self, name: &RoomName) -> Option<RoomId> {
        self.by_name.get(name.key()).copied()
    }

    /// The room of this name, which is opened if need be. Somebody has to be
    /// added to it at once.
    pub(super) fn find_or_open(&mut self, name: &RoomName) -> RoomId {
        if let Some(id) = self.find(name) {
            return id;
        }
        // Four thousand million rooms later numbers come round; those of
        // rooms which exist are left out.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.by_id.contains_key(&RoomId(self.last_id)) {
                break;
            }
        }
        let id = RoomId(self.last_id);
        let name = self.closed_names.take(name);
        self.by_name.insert(name.key().clone(), id);
        let room =
            Room { name, members: RoomMembers::default(), presence: PresenceChanges::default() };
        self.by_id.insert(id, room);
        id
    }

    /// Puts somebody into a room; nothing changes if they are there already.
    pub(super) fn add_member(&mut self, id: RoomId, username: &Username, now: Moment) {
        if let Some(room) = self.by_id.get_mut(&id)
            && !room.members.has_exactly(username)
        {
            room.members.insert(username);
            self.record_presence_change(id, username, now);
        }
    }

    /// Takes somebody out of a room. Call [`Self::close_if_empty`] when
    /// nobody else is about to be added.
    pub(super) fn remove_member(&mut self, id: RoomId, username: &Username, now: Moment) {
        if let Some(room) = self.by_id.get_mut(&id)
            && room.members.remove(username)
        {
            self.record_presence_change(id, username, now);
        }
    }

    /// Notes that somebody has come or gone.
    fn record_presence_change(&mut self, id: RoomId, username: &Username, now: Moment) {
        if let Some(room) = self.by_id.get_mut(&id)
            && let Some(deadline) = room.presence.record(username, &room.members, now)
        {
            self.presence_deadlines.insert((deadline, id));
        }
    }

    /// Closes a room in which nobody is; says whether it did.
    #[must_use]
    pub(super) fn close_if_empty(&mut self, id: RoomId) -> bool {
        if self.by_id.get(&id).is_none_or(|room| room.members.len() > 0) {
            return false;
        }
        if let Some(room) = self.by_id.remove(&id) {
            self.by_name.remove(room.name.key());
            self.closed_names.remember(room.name);
            if let Some(deadline) = room.presence.deadline() {
                self.presence_deadlines.remove(&(deadline, id));
            }
        }
        true
    }

    /// When something is to be told next.
    pub(super) fn next_presence_deadline(&self) -> Option<Moment> {
        self.presence_deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// What is to be told now in one of the rooms: the frames, and whom.
    /// Call it until there is nothing more, and again at
    /// [`Self::next_presence_deadline`].
    #[must_use]
    pub(super) fn take_due_presence(
        &mut self,
        now: Moment,
    ) -> Option<(Vec<ServerFrame>, Vec<ConnectionId>)> {
        let due =
            self.presence_deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        self.presence_deadlines.remove(&due);
        let Some(room) = self.by_id.get_mut(&due.1) else {
            return Some((Vec::new(), Vec::new()));
        };
        let frames = room.presence.take_frames(&room.name, &room.members);
        Some((frames, room.presence.subscribers()))
    }

    /// Nothing is kept about any room.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_name.is_empty() && self.presence_deadlines.is_empty()
    }
}
