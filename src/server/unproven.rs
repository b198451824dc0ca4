//! Connections that do not count for the hub: those that are not through their handshake (of
//! WebSocket or TLS), and those that ask for metrics. Their number is bounded, in all and for each
//! address group, because they hold memory and descriptors.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::AddressGroup;

/// Maximum number of connections before their handshake in all. Each may hold the head of a
/// request, or an incomplete message of TLS.
const MAX_TOTAL: usize = 256;

/// Maximum number of connections before their handshake of an address group. Browsers open up to
/// six each, and all devices of a home network may be one group.
const MAX_OF_GROUP: usize = 128;

/// Places of such connections. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Unproven(Arc<Mutex<Places>>);

/// Places that are taken, and how many there are.
#[derive(Debug)]
struct Places {
    /// Maximum number of connections in all.
    most: usize,
    /// Maximum number of connections of an address group.
    most_of_group: usize,
    /// Number of the next place.
    next: u64,
    /// Connections by the numbers of their places: the oldest first.
    taken: BTreeMap<u64, Taken>,
}

/// Connection that has a place.
#[derive(Debug)]
struct Taken {
    /// Group that the place is counted for; `None` for a trusted proxy.
    group: Option<AddressGroup>,
    /// Tells the connection that it has lost its place.
    lost: Arc<Notify>,
}

/// Place of one connection, which becomes free when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Where to give the place back to.
    places: Unproven,
    /// Number of the place.
    number: u64,
    /// Tells that the place is lost.
    lost: Arc<Notify>,
}

impl Default for Unproven {
    /// Returns the places for connections before their handshake.
    fn default() -> Self {
        Self::with_limits(MAX_TOTAL, MAX_OF_GROUP)
    }
}

impl Unproven {
    /// Creates so many places in all, and so many of them for an address group.
    pub(super) fn with_limits(most: usize, most_of_group: usize) -> Self {
        let places = Places { most, most_of_group, next: 0, taken: BTreeMap::new() };
        Self(Arc::new(Mutex::new(places)))
    }

    /// Reserves a place for a connection of this group; `None` for the group if the connection is
    /// that of a trusted proxy, which is only counted in all. If the group has as many places as it
    /// may have, it loses its oldest. If all places are taken, the group that has most of them
    /// loses its oldest; this group itself if none has more. So nobody keeps out another one.
    /// Returns `None` if proxies have all places: close the connection.
    pub(super) fn reserve(&self, group: Option<AddressGroup>) -> Option<Place> {
        let mut places = self.lock();
        let is_own = |it: &&Taken| group.is_some() && it.group == group;
        let own = places.taken.values().filter(is_own).count();
        if own >= places.most_of_group {
            places.take_oldest_of(|it| it == group)?;
        } else if places.taken.len() >= places.most {
            let counts = places.counts();
            let most = counts.values().copied().max()?;
            if own == most {
                places.take_oldest_of(|it| it == group)?;
            } else {
                let count = |it: Option<AddressGroup>| counts.get(&it?).copied();
                places.take_oldest_of(|it| count(it) == Some(most))?;
            }
        }
        let number = places.next;
        places.next += 1;
        let lost = Arc::new(Notify::new());
        places.taken.insert(number, Taken { group, lost: lost.clone() });
        Some(Place { places: self.clone(), number, lost })
    }

    /// Locks the places.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Takes the oldest place from a group that fits, and tells its connection. `None` if there is
    /// none.
    fn take_oldest_of(&mut self, fits: impl Fn(Option<AddressGroup>) -> bool) -> Option<()> {
        let (&oldest, _) = self.taken.iter().find(|(_, it)| fits(it.group))?;
        self.taken.remove(&oldest)?.lost.notify_one();
        Some(())
    }

    /// Returns the number of places of each address group that has any.
    fn counts(&self) -> HashMap<AddressGroup, usize> {
        let mut counts = HashMap::new();
        for group in self.taken.values().filter_map(|it| it.group) {
            *counts.entry(group).or_default() += 1;
        }
        counts
    }
}

impl Place {
    /// Waits until the place is lost to another group: close the connection then.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a group of addresses.
    fn group(last: u8) -> Option<AddressGroup> {
        Some(AddressGroup::of([192, 0, 2, last].into()))
    }

    /// Returns true if the place is lost.
    fn is_lost(place: &Place) -> bool {
        !place.places.lock().taken.contains_key(&place.number)
    }

    /// Returns the number of places that are not lost.
    fn kept(places: &[Place]) -> usize {
        places.iter().filter(|it| !is_lost(it)).count()
    }

    /// Neither one group nor all together have more places than they may have, and a place that is
    /// free can be taken again.
    #[test]
    fn places_are_bounded_and_come_back() {
        let unproven = Unproven::default();
        let take = |group| -> Vec<Place> {
            (0..=MAX_TOTAL).map_while(|_| unproven.reserve(group)).collect()
        };
        let of_one = take(group(1));
        assert_eq!(kept(&of_one), MAX_OF_GROUP);
        assert!(of_one.iter().rev().take(MAX_OF_GROUP).all(|it| !is_lost(it)), "the newest stay");
        drop(of_one);
        let of_proxy = take(None);
        assert_eq!((of_proxy.len(), kept(&of_proxy)), (MAX_TOTAL, MAX_TOTAL));
        assert!(unproven.reserve(group(1)).is_none(), "a proxy loses nothing");
        drop(of_proxy);
        assert!(unproven.lock().taken.is_empty());
    }

    /// When all places are taken, the group with most of them loses its oldest, for a group with
    /// fewer and for a proxy.
    #[tokio::test]
    async fn group_with_most_places_loses_its_oldest() {
        let unproven = Unproven::default();
        let take = |last, count| -> Vec<Place> {
            (0..count).map(|_| unproven.reserve(group(last)).unwrap()).collect()
        };
        let two = take(2, MAX_OF_GROUP - 1);
        let one = take(1, MAX_OF_GROUP);
        let proxy = unproven.reserve(None).unwrap();
        let newcomer = unproven.reserve(group(3)).unwrap();
        assert!(is_lost(&one[0]) && kept(&one) == MAX_OF_GROUP - 1);
        one[0].lost().await;
        // Now both have as many, and the oldest place is that of the second.
        let other = unproven.reserve(None).unwrap();
        assert!(is_lost(&two[0]) && kept(&two) == MAX_OF_GROUP - 2);
        // The group that has most takes a place from itself.
        let further = unproven.reserve(group(1)).unwrap();
        assert!(is_lost(&one[1]) && kept(&one) == MAX_OF_GROUP - 2);
        assert_eq!(kept(&[proxy, newcomer, other, further]), 4);
        assert_eq!(kept(&two), MAX_OF_GROUP - 2);
        // A lost place is given back once.
        drop((one, two));
        assert!(unproven.lock().taken.is_empty());
    }

    /// Many groups with a place each keep out nobody.
    #[test]
    fn many_groups_keep_out_nobody() {
        let unproven = Unproven::default();
        let crowd: Vec<Place> =
            (0..=u8::MAX).map(|it| unproven.reserve(group(it)).unwrap()).collect();
        let newcomer = unproven.reserve(Some(AddressGroup::of([198, 51, 100, 1].into())));
        assert!(newcomer.is_some() && is_lost(&crowd[0]) && !is_lost(&crowd[1]));
    }
}
