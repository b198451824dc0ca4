//! Telling those in a room who comes and who goes, a while's worth at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::contract::ConnectionId;
use super::members::RoomMembers;
use crate::model::limits::{CROWD_PRESENCE_DELAY, MAX_NAMES, PRESENCE_DELAY};
use crate::model::{Moment, Reference, RoomName, Username};
use crate::wire::tcp::{Presence, Roster, ServerFrame, flag};

/// What has changed in one room since it was told last, and who is told.
#[derive(Default)]
pub(super) struct PresenceChanges {
    /// Who has come or gone (or both), by the name as it is shown: another
    /// spelling of the same name is another line in a client's list.
    changed: BTreeMap<String, Username>,
    /// When it will be told; none when nothing has changed.
    deadline: Option<Moment>,
    /// Somebody may have been told a number in place of names.
    count_only_sent: bool,
    /// Who wants to be told and has got a roster.
    subscribers: BTreeSet<ConnectionId>,
}

impl PresenceChanges {
    /// Notes that somebody has come or gone. Gives the time at which
    /// [`Self::take_frames`] is to be called, if that was not set already.
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

    /// When [`Self::take_frames`] is to be called.
    pub(super) const fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// Makes a connection one of those which are told, and gives the roster
    /// that it gets before anything else.
    pub(super) fn add_subscriber(
        &mut self,
        connection: ConnectionId,
        room: &RoomName,
        members: &RoomMembers,
    ) -> ServerFrame {
        self.subscribers.insert(connection);
        // Whoever gets a number now must get the names when there are fewer.
        self.count_only_sent |= members.len() > MAX_NAMES;
        roster(room, members)
    }

    /// A connection is not told any more.
    pub(super) fn remove_subscriber(&mut self, connection: ConnectionId) {
        self.subscribers.remove(&connection);
    }

    /// Who is told.
    pub(super) fn subscribers(&self) -> Vec<ConnectionId> {
        self.subscribers.iter().copied().collect()
    }

    /// The frames that tell what has changed. Call it at the deadline; then
    /// nothing is left to be told until the next [`Self::record`].
    #[must_use]
    pub(super) fn take_frames(
        &mut self,
        room: &RoomName,
        members: &RoomMembers,
    ) -> Vec<ServerFrame> {
        let changed = std::mem::take(&mut self.changed);
        self.deadline = None;
        let was_count_only =
            std::mem::replace(&mut self.count_only_sent, members.len() > MAX_NAMES);
        if self.subscribers.is_empty() {
            return Vec::new();
        }
        if self.count_only_sent {
            return vec![presence(room, flag::COUNT_ONLY, members, &[], &[])];
        }
        if was_count_only {
            return vec![roster(room, members)];
        }
        let (joined, left): (Vec<Username>, Vec<Username>) =
            changed.into_values().partition(|name| members.has_exactly(name));
        let mut frames = Vec::new();
        let mut joined = joined.as_slice();
        let mut left = left.as_slice();
        while !joined.is_empty() || !left.is_empty() {
            let (come, more_come) = joined.split_at(joined.len().min(MAX_NAMES));
            let (gone, more_gone) = left.split_at(left.len().min(MAX_NAMES));
            frames.push(presence(room, 0, members, come, gone));
            joined = more_come;
            left = more_gone;
        }
        frames
    }
}

/// How long changes are collected in a room of so many.
const fn collection_delay(members: usize) -> Duration {
    if members > MAX_NAMES { CROWD_PRESENCE_DELAY } else { PRESENCE_DELAY }
}

/// A `roster` that nobody has asked for.
fn roster(room: &RoomName, members: &RoomMembers) -> ServerFrame {
    let count_only = members.len() > MAX_NAMES;
    let names = if count_only { Vec::new() } else { members.page("").0 };
    ServerFrame::Roster(Roster {
        reference: Reference::NONE,
        room: room.as_str().to_owned(),
        flags: if count_only { flag::COUNT_ONLY } else { 0 },
        members: members.count(),
        names,
    })
}

/// One `presence` frame.
fn presence(
    room: &RoomName,
    flags: u8,
    members: &RoomMembers,
    joined: &[Username],
    left: &[Username],
) -> ServerFrame {
    let shown = |names: &[Username]| names.iter().map(|it| it.as_str().to_owned()).collect();
    ServerFrame::Presence(Presence {
        room: room.as_str().to_owned(),
        flags,
        members: members.count(),
        joined: shown(joined),
        left: shown(left),
    })
}
