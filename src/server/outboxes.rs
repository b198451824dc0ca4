//! Outboxes of all connections, by address group. Chooses the connection to give up when their
//! memory is used up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::outbox::Outbox;
use crate::hub::ConnectionId;
use crate::model::AddressGroup;

/// Minimum size of an item that is checked against its group's share, in bytes. Smaller items use
/// the share too, but do not justify adding up the group's outboxes.
const CHECKED_SIZE: usize = 4_096;

/// Outboxes of all connections.
#[derive(Debug)]
pub(super) struct Outboxes {
    /// Outbox by connection.
    by_connection: HashMap<ConnectionId, Arc<Outbox>>,
    /// Connections by address group. Probes have no group, so they are not included.
    by_group: HashMap<AddressGroup, HashSet<ConnectionId>>,
    /// Maximum size of all outboxes of one group together, in bytes.
    share: usize,
}

impl Outboxes {
    /// Creates an empty set. `share`: maximum size of all outboxes of one group together, in bytes.
    pub(super) fn new(share: usize) -> Self {
        Self { by_connection: HashMap::new(), by_group: HashMap::new(), share }
    }

    /// Adds the outbox of a connection.
    pub(super) fn insert(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        if let Some(group) = outbox.group() {
            self.by_group.entry(group).or_default().insert(connection);
        }
        self.by_connection.insert(connection, outbox);
    }

    /// Removes and returns the outbox of a connection; `None` if the connection is unknown.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Arc<Outbox>> {
        let outbox = self.by_connection.remove(&connection)?;
        if let Some(group) = outbox.group()
            && let Some(connections) = self.by_group.get_mut(&group)
        {
            connections.remove(&connection);
            if connections.is_empty() {
                self.by_group.remove(&group);
            }
        }
        Some(outbox)
    }

    /// Returns the outbox of a connection; `None` if the connection is unknown.
    pub(super) fn get(&self, connection: ConnectionId) -> Option<&Arc<Outbox>> {
        self.by_connection.get(&connection)
    }

    /// Returns all outboxes, of clients and probes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.by_connection.values()
    }

    /// Returns true if there is no outbox, neither of a client nor of a probe.
    pub(super) fn is_empty(&self) -> bool {
        self.by_connection.is_empty()
    }

    /// Returns the connection of a group with the largest outbox if an item of `bytes` bytes would
    /// exceed the group's share: that connection must be given up. `None` if the item fits, if it
    /// is smaller than [`CHECKED_SIZE`], or if no outbox of the group uses memory.
    pub(super) fn largest_if_over_share(
        &self,
        group: AddressGroup,
        bytes: usize,
    ) -> Option<ConnectionId> {
        if bytes < CHECKED_SIZE {
            return None;
        }
        let (used, largest) = self.usage(group);
        largest.filter(|_| used.saturating_add(bytes) > self.share)
    }

    /// Returns the connection with the largest outbox in the address group whose outboxes together
    /// use most memory. `None` if no outbox uses memory. Ignores the outboxes of probes, which have
    /// no group.
    ///
    /// It is slow with thousands of connections, but each call is followed by closing a connection.
    pub(super) fn largest_of_largest_group(&self) -> Option<ConnectionId> {
        let usages = self.by_group.keys().map(|group| self.usage(*group));
        usages.max_by_key(|(used, _)| *used)?.1
    }

    /// Returns the memory of all outboxes of a group, in bytes, and the connection with the largest
    /// one; `None` if no outbox uses memory.
    fn usage(&self, group: AddressGroup) -> (usize, Option<ConnectionId>) {
        let connections = self.by_group.get(&group).into_iter().flatten();
        let sizes = connections.filter_map(|it| Some((self.get(*it)?.bytes(), *it)));
        let (mut used, mut largest) = (0, (0, None));
        for (bytes, connection) in sizes {
            used += bytes;
            largest = largest.max((bytes, Some(connection)));
        }
        (used, largest.1.filter(|_| used > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::{Item, MemoryBudget, Queued};
    use super::*;
    use crate::model::Sequence;

    #[test]
    fn the_largest_outbox_of_a_group_has_to_go_first() {
        let mut outboxes = Outboxes::new(20_000);
        let budget = Arc::new(MemoryBudget::new(1_000_000));
        let [one, other] = [1, 2].map(|it| AddressGroup::of([192, 0, 2, it].into()));
        for (number, group, bytes) in [(1, one, 9_000), (2, other, 7_000), (3, other, 5_000)] {
            let outbox = Arc::new(Outbox::new(budget.clone(), group));
            let item = Item::Frames(vec![0; bytes].into());
            outbox.put(Queued { after: Sequence::ZERO, item }).unwrap();
            outboxes.insert(ConnectionId(number), outbox);
        }
        assert_eq!(outboxes.largest_of_largest_group(), Some(ConnectionId(2)));
        assert_eq!(outboxes.largest_if_over_share(other, 7_000), None);
        assert_eq!(outboxes.largest_if_over_share(other, 9_000), Some(ConnectionId(2)));
        assert_eq!(outboxes.largest_if_over_share(one, 9_000), None);
        assert_eq!(outboxes.largest_if_over_share(one, 12_000), Some(ConnectionId(1)));
        for number in 1..=3 {
            assert!(outboxes.remove(ConnectionId(number)).is_some());
        }
        assert_eq!(outboxes.largest_of_largest_group(), None);
        assert!(outboxes.is_empty() && outboxes.by_group.is_empty());
    }
}
