//! Connections that have not become WebSockets: their number is bounded, in all and for each
//! address group, because they hold memory and descriptors without counting for the hub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::AddressGroup;

/// Maximum number of such connections in all. Each may hold the head of a request.
const MAX_TOTAL: usize = 256;

/// Maximum number of such connections of an address group. Browsers open up to six each, and all
/// devices of a home network may be one group.
const MAX_OF_GROUP: usize = 128;

/// Counter of the connections that have not become WebSockets. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Unproven(Arc<Mutex<Counts>>);

/// Numbers of connections.
#[derive(Debug, Default)]
struct Counts {
    /// Number of all connections.
    total: usize,
    /// Number of connections of each address group that has any.
    groups: HashMap<AddressGroup, usize>,
}

/// Place of one connection, which becomes free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Counter to give the place back to.
    counter: Unproven,
    /// Group that the place is counted for; `None` for a trusted proxy.
    group: Option<AddressGroup>,
}

impl Unproven {
    /// Reserves a place for a connection of this group; `None` for the group if the connection is
    /// that of a trusted proxy, which is only counted in all. Returns `None` if all places are
    /// taken: close the connection.
    pub(super) fn reserve(&self, group: Option<AddressGroup>) -> Option<Place> {
        let mut counts = self.lock();
        if counts.total >= MAX_TOTAL {
            return None;
        }
        if let Some(group) = group {
            let count = counts.groups.entry(group).or_default();
            if *count >= MAX_OF_GROUP {
                return None;
            }
            *count += 1;
        }
        counts.total += 1;
        Some(Place { counter: self.clone(), group })
    }

    /// Locks the numbers.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counter.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(group) = self.group
            && let Some(count) = counts.groups.get_mut(&group)
        {
            *count -= 1;
            if *count == 0 {
                counts.groups.remove(&group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One group cannot take all places, and a place that is free can be taken again.
    #[test]
    fn places_are_bounded_and_come_back() {
        let unproven = Unproven::default();
        let group = |last| Some(AddressGroup::of([192, 0, 2, last].into()));
        let take = |group| -> Vec<Place> {
            (0..MAX_TOTAL).map_while(|_| unproven.reserve(group)).collect()
        };
        let mut of_one = take(group(1));
        assert_eq!(of_one.len(), MAX_OF_GROUP);
        let of_proxy = take(None);
        assert_eq!(of_proxy.len(), MAX_TOTAL - MAX_OF_GROUP);
        assert!(unproven.reserve(group(2)).is_none());
        of_one.pop();
        let other = unproven.reserve(group(2));
        assert!(other.is_some());
        drop((of_one, of_proxy, other));
        let counts = unproven.lock();
        assert!(counts.total == 0 && counts.groups.is_empty());
    }
}
