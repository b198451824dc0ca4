//! Limits of rooms: which rooms an address group may open, and which rooms are always allowed.

use std::collections::BTreeMap;

use super::Hub;
use super::contract::{Quota, RoomId};
use crate::model::{AddressGroup, ErrorCode, Moment, NameKey, RoomName};

impl Hub {
    /// Returns true if an address group may open those of these rooms that are not open. Reserved
    /// rooms may always be opened. Rooms that pending joins will open count as open.
    pub(super) fn may_open(&self, group: AddressGroup, names: &[RoomName]) -> bool {
        let is_new = |name: &&RoomName| !self.is_reserved(name) && self.rooms.find(name).is_none();
        if !names.iter().any(|it| is_new(&it)) {
            return true;
        }
        let pending: BTreeMap<&NameKey, AddressGroup> = self
            .pending_joins
            .values()
            .filter(|it| it.lost.is_none())
            .flat_map(|it| it.join.rooms.iter().filter(is_new).map(|room| (room.key(), it.group)))
            .collect();
        let own = pending.values().filter(|it| **it == group).count();
        let count = names.iter().filter(|it| is_new(it) && !pending.contains_key(it.key())).count();
        let open = self.rooms.len() + pending.len() - own;
        count == 0 || self.quotas.may_open_rooms(group, count + own, open)
    }

    /// Returns true if a room is reserved: the lobby, or one of the owner's reserved rooms. Limits
    /// of rooms do not apply to it.
    fn is_reserved(&self, name: &RoomName) -> bool {
        *name == RoomName::lobby() || self.settings.reserved_rooms.contains(name)
    }

    /// Returns the room with this name. If the room is not open, opens it, and the caller must add
    /// a member at once. Does not check limits ([`Self::may_open`]). A room that is opened counts
    /// for the quota of `group`, except a reserved one.
    pub(super) fn find_or_open_room(
        &mut self,
        name: &RoomName,
        group: AddressGroup,
        now: Moment,
    ) -> RoomId {
        if let Some(room) = self.rooms.find(name) {
            return room;
        }
        let opened_by = (!self.is_reserved(name)).then_some(group);
        if let Some(group) = opened_by {
            self.quotas.add_room(group, now);
        }
        self.rooms.open(name, opened_by)
    }

    /// If `code` is [`ErrorCode::RoomsFull`], reports that an address group has reached its quota
    /// of rooms. Otherwise does nothing.
    pub(super) fn report_room_refusal(&mut self, group: AddressGroup, code: ErrorCode) {
        if code == ErrorCode::RoomsFull {
            self.report_quota(group, Quota::Rooms);
        }
    }
}
