//! Presence: batched updates about users that join or leave a room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::contract::ConnectionId;
use super::members::RoomMembers;
use crate::model::limits::{LARGE_ROOM_PRESENCE_DELAY, MAX_LISTED_NAMES, PRESENCE_DELAY};
use crate::model::{Moment, Reference, RoomName, Username};
use crate::wire::tcp::{Presence, Roster, ServerFrame, flag};

/// Presence changes of a room since the last presence update, and the subscribers.
#[derive(Default)]
pub(super) struct PresenceChanges {
    /// Users that joined or left since the last update. The key is the exact spelling of the name,
    /// because clients compare names byte by byte.
    changed: BTreeMap<String, Username>,
    /// Moment of the next update; `None` if nothing has changed.
    deadline: Option<Moment>,
    /// True if the last roster or update of a subscriber may have had no names, only the number of
    /// members. The next update is then the whole roster, if the room is small enough for names.
    names_withheld: bool,
    /// Subscribers: connections that get presence updates. Each has got a roster of the room.
    subscribers: BTreeSet<ConnectionId>,
}

impl PresenceChanges {
    /// Records that a user joined or left. `members`: the members after the change. If this is the
    /// first change since the last update, returns the deadline at which to call
    /// [`Self::take_frames`]. Otherwise `None`.
    #[must_use]
    pub(super) fn record(
        &mut self,
        username: &Username,
        members: &RoomMembers,
        now: Moment,
    ) -> Option<Moment> {
        self.changed.entry(username.as_str().to_owned()).or_insert_with(|| username.clone());
        if self.deadline.is_some() {
            return None;
        }
        self.deadline = Some(now + collection_delay(members.len()));
        self.deadline
    }

    /// Returns the deadline of the next update, at which to call [`Self::take_frames`]. `None` if
    /// nothing has changed.
    pub(super) const fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// Subscribes a connection to presence updates. Returns the roster, which must be sent to the
    /// connection first. If the room has more than [`MAX_LISTED_NAMES`] members, the roster has no
    /// names.
    pub(super) fn add_subscriber(
        &mut self,
        connection: ConnectionId,
        room: &RoomName,
        members: &RoomMembers,
    ) -> ServerFrame {
        self.subscribers.insert(connection);
        // A subscriber without names must get them when the room has fewer members.
        self.names_withheld |= members.len() > MAX_LISTED_NAMES;
        roster(room, members)
    }

    /// Unsubscribes a connection from presence updates.
    pub(super) fn remove_subscriber(&mut self, connection: ConnectionId) {
        self.subscribers.remove(&connection);
    }

    /// Returns the subscribed connections.
    pub(super) fn subscribers(&self) -> Vec<ConnectionId> {
        self.subscribers.iter().copied().collect()
    }

    /// Takes the collected changes. Returns the presence update as frames, for every subscriber:
    ///
    /// - If the room has more than [`MAX_LISTED_NAMES`] members: one `presence` with only their
    ///   number.
    /// - Otherwise, if the last update or roster may have had no names: the whole `roster`.
    /// - Otherwise: `presence` frames with the names of the changed users. A changed user who is a
    ///   member counts as joined, any other as left.
    ///
    /// Returns no frames if there are no subscribers. Call it at the deadline. The next
    /// [`Self::record`] sets a new deadline.
    #[must_use]
    pub(super) fn take_frames(
        &mut self,
        room: &RoomName,
        members: &RoomMembers,
    ) -> Vec<ServerFrame> {
        let changed = std::mem::take(&mut self.changed);
        self.deadline = None;
        let were_withheld =
            std::mem::replace(&mut self.names_withheld, members.len() > MAX_LISTED_NAMES);
        if self.subscribers.is_empty() {
            return Vec::new();
        }
        if self.names_withheld {
            return vec![presence(room, flag::COUNT_ONLY, members, &[], &[])];
        }
        if were_withheld {
            return vec![roster(room, members)];
        }
        let (joined, left): (Vec<Username>, Vec<Username>) =
            changed.into_values().partition(|name| members.contains_exactly(name));
        let mut frames = Vec::new();
        let mut joined = joined.as_slice();
        let mut left = left.as_slice();
        while !joined.is_empty() || !left.is_empty() {
            let (come, more_come) = joined.split_at(joined.len().min(MAX_LISTED_NAMES));
            let (gone, more_gone) = left.split_at(left.len().min(MAX_LISTED_NAMES));
            frames.push(presence(room, 0, members, come, gone));
            joined = more_come;
            left = more_gone;
        }
        frames
    }
}

/// Returns the time for which a room with this number of members collects presence changes.
const fn collection_delay(members: usize) -> Duration {
    if members > MAX_LISTED_NAMES { LARGE_ROOM_PRESENCE_DELAY } else { PRESENCE_DELAY }
}

/// Builds a `roster` frame that answers no request. If the room has more than [`MAX_LISTED_NAMES`]
/// members, the frame has no names.
fn roster(room: &RoomName, members: &RoomMembers) -> ServerFrame {
    let count_only = members.len() > MAX_LISTED_NAMES;
    let names = if count_only { Vec::new() } else { members.page("").0 };
    ServerFrame::Roster(Roster {
        reference: Reference::NONE,
        room: room.as_str().to_owned(),
        flags: if count_only { flag::COUNT_ONLY } else { 0 },
        members: members.count(),
        names,
    })
}

/// Builds a `presence` frame with these flags and names, and the number of members.
fn presence(
    room: &RoomName,
    flags: u8,
    members: &RoomMembers,
    joined: &[Username],
    left: &[Username],
) -> ServerFrame {
    let spellings = |names: &[Username]| names.iter().map(|it| it.as_str().to_owned()).collect();
    ServerFrame::Presence(Presence {
        room: room.as_str().to_owned(),
        flags,
        members: members.count(),
        joined: spellings(joined),
        left: spellings(left),
    })
}
