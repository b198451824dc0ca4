//! Open rooms: rooms with members.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::contract::{ConnectionId, RoomId};
use super::members::RoomMembers;
use super::presence::PresenceChanges;
use crate::model::{AddressGroup, Moment, NameKey, RoomName, Username};
use crate::wire::tcp::ServerFrame;

/// Open room: a room with members.
pub(super) struct Room {
    /// Canonical spelling of the name: the one remembered in [`ClosedRooms`] when the room was
    /// opened. If there was none, the spelling of the session that opened the room.
    pub(super) name: RoomName,
    /// Member list.
    pub(super) members: RoomMembers,
    /// Unsent presence changes, and the subscribers of presence updates.
    pub(super) presence: PresenceChanges,
    /// Address group that opened the room, and for whose quota it counts; `None` for a reserved
    /// room, and for one that was opened at another hub.
    pub(super) opened_by: Option<AddressGroup>,
    /// True if something was ever said in the room, as far as the server remembers.
    has_messages: bool,
}

impl Room {
    /// Subscribes a connection to presence updates of the room. Returns the roster, which must be
    /// sent to the connection first.
    pub(super) fn add_subscriber(&mut self, connection: ConnectionId) -> ServerFrame {
        self.presence.add_subscriber(connection, &self.name, &self.members)
    }
}

/// Maximum number of closed rooms that are remembered.
const MAX_CLOSED_ROOMS: usize = 1_000;

/// Closed room that is remembered.
struct ClosedRoom {
    /// Canonical spelling of the name.
    name: RoomName,
    /// True if something was ever said in the room, as far as the server remembers.
    has_messages: bool,
}

/// Closed rooms, at most [`MAX_CLOSED_ROOMS`]: those closed last.
#[derive(Default)]
struct ClosedRooms {
    /// Closed rooms by name key.
    by_name: HashMap<NameKey, ClosedRoom>,
    /// Name keys in the order in which the rooms were closed, oldest first.
    order: VecDeque<NameKey>,
}

impl ClosedRooms {
    /// Remembers a room that is closed. Beyond the maximum, drops the oldest one.
    fn remember(&mut self, room: ClosedRoom) {
        let key = room.name.key().clone();
        if self.by_name.insert(key.clone(), room).is_some() {
            self.order.retain(|it| *it != key);
        }
        self.order.push_back(key);
        if self.order.len() > MAX_CLOSED_ROOMS
            && let Some(key) = self.order.pop_front()
        {
            self.by_name.remove(&key);
        }
    }

    /// Removes and returns a remembered room that is opened again. If it is not remembered, returns
    /// a new room with the spelling of `name`.
    fn take(&mut self, name: &RoomName) -> ClosedRoom {
        match self.by_name.remove(name.key()) {
            Some(former) => {
                self.order.retain(|key| key != name.key());
                former
            }
            None => ClosedRoom { name: name.clone(), has_messages: false },
        }
    }
}

/// All open rooms. A room without members exists only as a name in entries of the log.
#[derive(Default)]
pub(super) struct Rooms {
    /// Open rooms by identifier.
    by_id: BTreeMap<RoomId, Room>,
    /// Identifiers of the open rooms by name key.
    by_name: HashMap<NameKey, RoomId>,
    /// Closed rooms. A room that is opened again gets its remembered spelling, which is that of its
    /// entries in the log.
    closed: ClosedRooms,
    /// Number of the [`RoomId`] that was assigned last; 0 before the first one.
    last_id: u32,
    /// Deadlines of the scheduled presence updates with their rooms, earliest first.
    presence_deadlines: BTreeSet<(Moment, RoomId)>,
}

impl Rooms {
    /// Restores closed rooms in which something was said, by their names in canonical spelling. The
    /// most recently used room comes last in `names`. Keeps only the last [`MAX_CLOSED_ROOMS`].
    pub(super) fn restore(&mut self, names: Vec<RoomName>) {
        for name in names {
            self.closed.remember(ClosedRoom { name, has_messages: true });
        }
    }

    /// Records that a message was committed in a room, which may be closed meanwhile. Does nothing
    /// if the room is neither open nor remembered.
    pub(super) fn record_message(&mut self, name: &RoomName) {
        let open = self.by_name.get(name.key()).and_then(|it| self.by_id.get_mut(it));
        if let Some(room) = open {
            room.has_messages = true;
        } else if let Some(room) = self.closed.by_name.get_mut(name.key()) {
            room.has_messages = true;
        }
    }

    /// Returns the names of the remembered closed rooms in which something was said, in no order.
    pub(super) fn closed_with_messages(&self) -> impl Iterator<Item = &RoomName> {
        self.closed.by_name.values().filter(|it| it.has_messages).map(|it| &it.name)
    }

    /// Returns the number of open rooms.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns all open rooms.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.by_id.values()
    }

    /// Returns an open room by its identifier; `None` if there is none.
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.by_id.get(&id)
    }

    /// Returns an open room by its identifier, mutably; `None` if there is none.
    pub(super) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        self.by_id.get_mut(&id)
    }

    /// Finds the open room with this name in any spelling; `None` if the room is not open.
    pub(super) fn find(&self, name: &RoomName) -> Option<RoomId> {
        self.by_name.get(name.key()).copied()
    }

    /// Finds the open room whose name has this key; `None` if the room is not open.
    pub(super) fn find_by_key(&self, key: &NameKey) -> Option<RoomId> {
        self.by_name.get(key).copied()
    }

    /// Opens the room with this name, in the spelling remembered from its last opening if there is
    /// one. Returns its identifier. The room must not be open, and the caller must add a member at
    /// once. `opened_by`: address group for whose quota the caller counts the room; `None` for a
    /// reserved room, and for one that is opened at another hub.
    pub(super) fn open(&mut self, name: &RoomName, opened_by: Option<AddressGroup>) -> RoomId {
        // Identifiers wrap around after 2^32 rooms: skip those in use.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.by_id.contains_key(&RoomId(self.last_id)) {
                break;
            }
        }
        let id = RoomId(self.last_id);
        let ClosedRoom { name, has_messages } = self.closed.take(name);
        self.by_name.insert(name.key().clone(), id);
        let (members, presence) = (RoomMembers::default(), PresenceChanges::default());
        let room = Room { name, members, presence, opened_by, has_messages };
        self.by_id.insert(id, room);
        id
    }

    /// Adds a session of a member to a room. Records the presence change, unless the member is there
    /// in exactly this spelling with another session. Does nothing if the room is not open.
    pub(super) fn add_member(&mut self, id: RoomId, username: &Username, now: Moment) {
        let Some(room) = self.by_id.get_mut(&id) else {
            return;
        };
        let before = room.members.spelling(username.key()).cloned();
        if room.members.insert(username) {
            self.record_presence_change(id, username, now);
            if let Some(before) = before {
                self.record_presence_change(id, &before, now);
            }
        }
    }

    /// Removes a session of a member from a room. Records the presence change if it was the member's
    /// last one there. Then call [`Self::close_if_empty`], or add another member at once.
    pub(super) fn remove_member(&mut self, id: RoomId, username: &Username, now: Moment) {
        if let Some(room) = self.by_id.get_mut(&id)
            && let Some(gone) = room.members.remove(username)
        {
            self.record_presence_change(id, &gone, now);
        }
    }

    /// Records that a user joined or left a room, and schedules the room's presence update.
    fn record_presence_change(&mut self, id: RoomId, username: &Username, now: Moment) {
        if let Some(room) = self.by_id.get_mut(&id)
            && let Some(deadline) = room.presence.record(username, &room.members, now)
        {
            self.presence_deadlines.insert((deadline, id));
        }
    }

    /// Closes a room if it has no members. Remembers the room and cancels its presence update. The caller reduces the quota usage of the group that opened it. Returns the closed
    /// room; `None` if the room has members or is not open.
    #[must_use]
    pub(super) fn close_if_empty(&mut self, id: RoomId) -> Option<Room> {
        self.by_id.get(&id).filter(|room| room.members.len() == 0)?;
        let room = self.by_id.remove(&id)?;
        self.by_name.remove(room.name.key());
        let (name, has_messages) = (room.name.clone(), room.has_messages);
        self.closed.remember(ClosedRoom { name, has_messages });
        if let Some(deadline) = room.presence.deadline() {
            self.presence_deadlines.remove(&(deadline, id));
        }
        Some(room)
    }

    /// Returns the deadline of the next presence update of any room; `None` if none is scheduled.
    pub(super) fn next_presence_deadline(&self) -> Option<Moment> {
        self.presence_deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the presence update of one room whose deadline has passed. Returns the frames, and the
    /// subscribers to send the frames to. `None` if no update is due. Call it until it returns
    /// `None`, and again at [`Self::next_presence_deadline`].
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

    /// Returns true if no room is open.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_name.is_empty() && self.presence_deadlines.is_empty()
    }
}
