//! Outboxes of all connections, and the memory that each address group uses.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::outbox::Outbox;
use crate::hub::ConnectionId;
use crate::model::AddressGroup;

/// Minimum number of groups without connections that are remembered before those that use no memory
/// any more are forgotten.
const MIN_LEFT_GROUPS: usize = 64;

/// Outboxes of all connections.
#[derive(Debug)]
pub(super) struct Outboxes {
    /// Outbox by connection.
    by_connection: HashMap<ConnectionId, Arc<Outbox>>,
    /// Outboxes of each address group. Probes have no group, so they are not included.
    by_group: HashMap<AddressGroup, GroupOutboxes>,
    /// Memory of the removed outboxes of each address group that has no connection left, in bytes.
    /// It is dropped with the last outbox, whose task may still send the rest.
    left: HashMap<AddressGroup, Weak<AtomicUsize>>,
    /// Number of groups in `left` at which those that use no memory are forgotten.
    purge_at: usize,
    /// Maximum size of all outboxes of one group together, in bytes.
    share: usize,
}

/// Outboxes of one address group.
#[derive(Debug, Default)]
struct GroupOutboxes {
    /// Connections of the address group.
    connections: HashSet<ConnectionId>,
    /// Memory of the address group's outboxes together, in bytes. It includes outboxes that were
    /// removed, and whose tasks still send the rest.
    bytes: Arc<AtomicUsize>,
}

impl Outboxes {
    /// Creates an empty set. `share`: maximum size of all outboxes of one group together, in bytes.
    pub(super) fn new(share: usize) -> Self {
        Self {
            by_connection: HashMap::new(),
            by_group: HashMap::new(),
            left: HashMap::new(),
            purge_at: MIN_LEFT_GROUPS,
            share,
        }
    }

    /// Adds the outbox of a connection. The outbox must be empty.
    pub(super) fn insert(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        if let Some(group) = outbox.group() {
            let left = &mut self.left;
            let group = self.by_group.entry(group).or_insert_with(|| GroupOutboxes {
                connections: HashSet::new(),
                bytes: left.remove(&group).and_then(|it| it.upgrade()).unwrap_or_default(),
            });
            group.connections.insert(connection);
            outbox.count_in(group.bytes.clone());
        }
        self.by_connection.insert(connection, outbox);
    }

    /// Removes and returns the outbox of a connection; `None` if the connection is unknown. Its
    /// memory counts for its address group until its items are taken or it is dropped.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Arc<Outbox>> {
        let outbox = self.by_connection.remove(&connection)?;
        if let Some(group) = outbox.group()
            && let Some(it) = self.by_group.get_mut(&group)
        {
            it.connections.remove(&connection);
            if it.connections.is_empty() {
                self.left.insert(group, Arc::downgrade(&it.bytes));
                self.by_group.remove(&group);
                self.purge_left_groups();
            }
        }
        Some(outbox)
    }

    /// Forgets the groups without connections whose outboxes are all dropped, once at least
    /// [`Self::purge_at`] groups without connections are remembered. Then sets the next `purge_at`.
    fn purge_left_groups(&mut self) {
        if self.left.len() >= self.purge_at {
            self.left.retain(|_, it| it.strong_count() > 0);
            self.purge_at = MIN_LEFT_GROUPS.max(self.left.len() * 2);
        }
    }

    /// Returns the outbox of a connection; `None` if the connection is unknown.
    pub(super) fn get(&self, connection: ConnectionId) -> Option<&Arc<Outbox>> {
        self.by_connection.get(&connection)
    }

    /// Iterates over all outboxes, of clients and probes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.by_connection.values()
    }

    /// Returns true if there is no outbox, neither of a client nor of a probe.
    pub(super) fn is_empty(&self) -> bool {
        self.by_connection.is_empty()
    }

    /// Checks whether an item of `bytes` bytes would exceed the share of an address group. If so,
    /// returns the group's connection with the largest outbox, which must be given up. `None` if
    /// the item fits, or if no outbox of the group uses memory.
    pub(super) fn largest_if_over_share(
        &self,
        group: AddressGroup,
        bytes: usize,
    ) -> Option<ConnectionId> {
        let used = self.by_group.get(&group)?.bytes.load(Ordering::Relaxed);
        if used.saturating_add(bytes) <= self.share {
            return None;
        }
        self.largest(group).map(|(_, connection)| connection)
    }

    /// Iterates over the address groups that have connections, each with the memory of its outboxes
    /// together, in bytes. The memory includes removed outboxes of the group that are not dropped
    /// yet.
    pub(super) fn usages(&self) -> impl Iterator<Item = (AddressGroup, usize)> {
        self.by_group.iter().map(|(group, it)| (*group, it.bytes.load(Ordering::Relaxed)))
    }

    /// Returns the size in bytes and the connection of an address group's largest outbox. `None` if
    /// no outbox of the group uses memory.
    ///
    /// It takes time in proportion to the number of the address group's connections.
    pub(super) fn largest(&self, group: AddressGroup) -> Option<(usize, ConnectionId)> {
        let connections = self.by_group.get(&group)?.connections.iter();
        let sizes = connections.filter_map(|it| Some((self.get(*it)?.bytes(), *it)));
        sizes.max().filter(|(bytes, _)| *bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_budget::MemoryBudget;
    use super::super::outbox::{Item, Queued};
    use super::*;
    use crate::model::Sequence;

    /// If an item would exceed an address group's share, the connection with the group's largest
    /// outbox is returned.
    #[test]
    fn largest_outbox_of_group_is_given_up_first() {
        let mut outboxes = Outboxes::new(20_000);
        let budget = Arc::new(MemoryBudget::new(1_000_000));
        let [one, other] = [1, 2].map(|it| AddressGroup::of([192, 0, 2, it].into()));
        for (number, group, bytes) in [(1, one, 9_000), (2, other, 7_000), (3, other, 5_000)] {
            let outbox = Arc::new(Outbox::new(budget.clone(), group));
            outboxes.insert(ConnectionId(number), outbox.clone());
            let item = Item::Frames(vec![0; bytes].into());
            outbox.put(Queued { after: Sequence::ZERO, item }).unwrap();
        }
        let largest = |group| outboxes.largest(group).map(|it| it.1);
        assert_eq!((largest(one), largest(other)), (Some(ConnectionId(1)), Some(ConnectionId(2))));
        let used: HashMap<_, _> = outboxes.usages().collect();
        assert!(used[&other] > 12_000 && used[&one] < 12_000);
        // The share is an exact limit.
        assert_eq!(outboxes.largest_if_over_share(other, 20_000 - used[&other]), None);
        let too_much = 20_001 - used[&other];
        assert_eq!(outboxes.largest_if_over_share(other, too_much), Some(ConnectionId(2)));
        assert_eq!(outboxes.largest_if_over_share(one, 9_000), None);
        assert_eq!(outboxes.largest_if_over_share(one, 12_000), Some(ConnectionId(1)));
        let removed: Vec<_> =
            (1..=3).map(|it| outboxes.remove(ConnectionId(it)).unwrap()).collect();
        assert!(outboxes.is_empty() && outboxes.by_group.is_empty());
        drop(removed);
        assert_eq!(budget.used(), 0);
    }

    /// What a removed outbox still has to send counts towards the share of its address group, also
    /// if the group had no other connection meanwhile. Groups without outboxes are forgotten.
    #[test]
    fn memory_of_removed_outboxes_counts_after_the_last_connection_of_a_group() {
        let mut outboxes = Outboxes::new(20_000);
        let budget = Arc::new(MemoryBudget::new(1_000_000));
        let group = AddressGroup::of([192, 0, 2, 1].into());
        let item = || Item::Frames(vec![0; 15_000].into());
        outboxes.insert(ConnectionId(1), Arc::new(Outbox::new(budget.clone(), group)));
        let sending = outboxes.remove(ConnectionId(1)).unwrap();
        sending.put(Queued { after: Sequence::ZERO, item: item() }).unwrap();
        outboxes.insert(ConnectionId(2), Arc::new(Outbox::new(budget.clone(), group)));
        assert!(outboxes.usages().next().unwrap().1 > 15_000);
        drop(sending);
        assert_eq!(outboxes.usages().next().unwrap().1, 0);
        for number in 0..1_000_u16 {
            let [high, low] = number.to_be_bytes();
            let group = AddressGroup::of([198, 51, high, low].into());
            outboxes.insert(ConnectionId(9), Arc::new(Outbox::new(budget.clone(), group)));
            outboxes.remove(ConnectionId(9));
        }
        assert!(outboxes.left.len() <= MIN_LEFT_GROUPS);
    }
}
