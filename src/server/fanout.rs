//! Fan-out: carries the hub's outputs to the connections, through feeds and outboxes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::feed::{BatchBuilder, Feed, FeedMemory, FeedReader, SharedFeed, lock_feed};
use super::outbox::{Item, MemoryBudget, Outbox, Overflow, Queued};
use super::outboxes::Outboxes;
use crate::hub::{ConnectionId, Delivery, RoomId};
use crate::model::limits::SLOW_READER_TIMEOUT;
use crate::model::{AddressGroup, Moment, Sequence, SharedEntry};
use crate::wire::tcp::{ServerFrame, entry_frame};

/// Published head: the sequence up to which the feeds of all rooms hold their entries.
///
/// Connections send no entry after it. So entries of several rooms are sent in ascending order.
#[derive(Debug, Default)]
pub(super) struct PublishedHead(AtomicU64);

impl PublishedHead {
    /// Returns the published head. Each feed holds its room's entries up to it.
    pub(super) fn get(&self) -> Sequence {
        Sequence(self.0.load(Ordering::Acquire))
    }

    /// Advances the published head. Call it when the batches are in all feeds.
    fn set(&self, head: Sequence) {
        self.0.store(head.0, Ordering::Release);
    }
}

/// Feed of a room, and its readers.
#[derive(Debug)]
struct Room {
    /// Feed of the room.
    feed: SharedFeed,
    /// Connections that read the room. They are woken when entries are published.
    readers: HashMap<ConnectionId, Arc<Outbox>>,
    /// Batch under construction.
    batch: BatchBuilder,
}

/// Divisor of the budget of all outboxes: one address group may use a quarter of it.
const GROUP_SHARE: usize = 4;

/// Outboxes of all connections and feeds of all rooms. The engine's task owns it, and shares each
/// outbox and feed with connections' tasks.
#[derive(Debug)]
pub(super) struct Fanout {
    /// Outbox of each connection.
    outboxes: Outboxes,
    /// Rooms to which a connection has subscribed, until they are closed.
    rooms: HashMap<RoomId, Room>,
    /// Rooms whose batch under construction is not empty.
    dirty_rooms: Vec<RoomId>,
    /// Outboxes with new items whose connections are not woken.
    to_wake: Vec<Arc<Outbox>>,
    /// Connections to be closed as too slow. Each comes with its address group if the group's use
    /// of memory is the reason; otherwise with `None`.
    overflowing: Vec<(ConnectionId, Option<AddressGroup>)>,
    /// Published head.
    head: Arc<PublishedHead>,
    /// Limits of feeds and outboxes.
    limits: FanoutLimits,
    /// Memory of all feeds together.
    feed_memory: Arc<FeedMemory>,
    /// Memory budget of all outboxes.
    budget: Arc<MemoryBudget>,
}

/// Limits of the memory for unsent frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutLimits {
    /// Maximum memory of a room's feed, in bytes. A feed holds what some connection has not taken
    /// yet. A connection that falls further behind is closed.
    pub feed_bytes: usize,
    /// Maximum size of all feeds together, in bytes. All outboxes together have the same limit.
    ///
    /// When the feeds exceed it, the largest feeds shrink first, so the readers furthest behind are
    /// closed first. When the outboxes exceed it, the address group that uses most loses its
    /// largest outbox.
    ///
    /// The outboxes of one group may use a quarter of it, or `feed_bytes` if that is more.
    pub total_bytes: usize,
}

impl Default for FanoutLimits {
    /// Returns the limits for a Raspberry Pi with 512 MB.
    fn default() -> Self {
        Self { feed_bytes: 1 << 20, total_bytes: 64 << 20 }
    }
}

impl Fanout {
    /// Creates a fan-out without connections. `head`: last sequence of the restored log.
    pub(super) fn new(limits: FanoutLimits, head: Sequence) -> Self {
        Self {
            outboxes: Outboxes::new((limits.total_bytes / GROUP_SHARE).max(limits.feed_bytes)),
            rooms: HashMap::new(),
            dirty_rooms: Vec::new(),
            to_wake: Vec::new(),
            overflowing: Vec::new(),
            head: Arc::new(PublishedHead(AtomicU64::new(head.0))),
            limits,
            feed_memory: Arc::default(),
            budget: Arc::new(MemoryBudget::new(limits.total_bytes)),
        }
    }

    /// Returns the memory budget of all outboxes, for new connections.
    pub(super) fn budget(&self) -> Arc<MemoryBudget> {
        self.budget.clone()
    }

    /// Returns the published head, for the connections.
    pub(super) fn head(&self) -> Arc<PublishedHead> {
        self.head.clone()
    }

    /// Registers a connection and its outbox.
    pub(super) fn connect(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        self.outboxes.insert(connection, outbox);
    }

    /// Removes a connection, also from the readers of all rooms. Puts `Close` into its outbox and
    /// wakes it. Does nothing for an unknown connection.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        let Some(outbox) = self.outboxes.remove(connection) else { return };
        // `Close` always fits.
        let _ = outbox.put(Queued { after: self.head.get(), item: Item::Close });
        outbox.wake();
        for room in self.rooms.values_mut() {
            room.readers.remove(&connection);
        }
    }

    /// Wakes the connections that have new items. Then removes one connection without closing it.
    /// Use it for probes, which read no rooms.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.wake();
        self.outboxes.remove(connection);
    }

    /// Returns true if no connection is registered.
    pub(super) fn is_empty(&self) -> bool {
        self.outboxes.is_empty()
    }

    /// Encodes an entry into the batch of its room. Does nothing if the room has no feed, because
    /// no connection has subscribed to it. Call [`Self::published`] after the last entry.
    pub(super) fn publish(&mut self, room: RoomId, entry: &SharedEntry) {
        if let Some(it) = self.rooms.get_mut(&room) {
            if it.batch.is_empty() {
                self.dirty_rooms.push(room);
            }
            it.batch.push(entry.sequence, |buffer| entry_frame(entry, 0).encode(buffer));
        }
    }

    /// Publishes the collected batches: moves them into the feeds, enforces the limit of all feeds
    /// together, advances the published head to `head`, and wakes the readers of their rooms.
    pub(super) fn published(&mut self, now: Moment, head: Sequence) {
        for room in &self.dirty_rooms {
            if let Some(it) = self.rooms.get_mut(room) {
                let batch = std::mem::take(&mut it.batch).finish(now);
                lock_feed(&it.feed).push(batch);
            }
        }
        self.shrink();
        self.head.set(head);
        for room in self.dirty_rooms.drain(..) {
            if let Some(it) = self.rooms.get(&room) {
                it.readers.values().for_each(|outbox| outbox.wake());
            }
        }
    }

    /// Enforces the limit of all feeds together. If it is exceeded, drops the oldest batches of the
    /// largest feeds, until at most 7/8 of it is used. So the largest feed is not searched for with
    /// every batch.
    fn shrink(&mut self) {
        let limit = self.limits.total_bytes;
        if self.feed_memory.get() <= limit {
            return;
        }
        while self.feed_memory.get() > limit - limit / 8 {
            let size = |room: &&Room| lock_feed(&room.feed).bytes();
            let Some(largest) = self.rooms.values().max_by_key(size) else { return };
            let mut feed = lock_feed(&largest.feed);
            if feed.bytes() == 0 {
                return;
            }
            feed.drop_oldest();
        }
    }

    /// Puts a delivery into a connection's outbox. If it begins or ends reading a room, updates the
    /// room's readers. Does nothing for an unknown connection. Call [`Self::take_overflowing`]
    /// afterwards.
    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        after: Sequence,
        delivery: Delivery,
    ) {
        let Some(outbox) = self.outboxes.get(connection) else { return };
        let item = match delivery {
            Delivery::Frame(frame) => Item::Frames(encode_frame(&frame)),
            Delivery::Entries { entries, flags } => Item::Entries(entries, flags),
            Delivery::Subscribe(room) => {
                let it = self.rooms.entry(room).or_insert_with(|| Room {
                    feed: Arc::new(Mutex::new(Feed::new(
                        self.limits.feed_bytes,
                        self.feed_memory.clone(),
                    ))),
                    readers: HashMap::new(),
                    batch: BatchBuilder::default(),
                });
                it.readers.insert(connection, outbox.clone());
                Item::Subscribe(room, FeedReader::new(it.feed.clone(), after))
            }
            Delivery::Unsubscribe(room) => {
                if let Some(it) = self.rooms.get_mut(&room) {
                    it.readers.remove(&connection);
                }
                Item::Unsubscribe(room)
            }
            Delivery::Mark => Item::Mark,
            Delivery::Close => Item::Close,
        };
        self.put(connection, Queued { after, item });
    }

    /// Puts the same frame, encoded once, into the outboxes of these connections. Skips unknown
    /// connections. Call [`Self::take_overflowing`] afterwards.
    pub(super) fn deliver_all(
        &mut self,
        connections: &[ConnectionId],
        after: Sequence,
        frame: &ServerFrame,
    ) {
        let bytes = encode_frame(frame);
        for connection in connections {
            self.put(*connection, Queued { after, item: Item::Frames(bytes.clone()) });
        }
    }

    /// Puts an item into a connection's outbox, and records that the connection must be woken.
    /// Gives up outboxes until the item fits:
    /// - If the item would exceed the share of its address group
    ///   ([`Outboxes::largest_if_over_share`]), the group's largest outbox.
    /// - If the memory budget is used up, the largest outbox of the group that uses most.
    /// - If the outbox itself is full, this outbox; then the item is dropped.
    fn put(&mut self, connection: ConnectionId, mut queued: Queued) {
        let Some(outbox) = self.outboxes.get(connection).cloned() else { return };
        if let Some(group) = outbox.group() {
            while let Some(victim) = self.outboxes.largest_if_over_share(group, queued.item.bytes())
            {
                self.give_up(victim, Some(group));
            }
        }
        loop {
            let (overflow, back) = match outbox.put(queued) {
                Ok(()) => break,
                Err(refused) => refused,
            };
            let victim = match overflow {
                Overflow::Outbox => connection,
                Overflow::Budget => self.outboxes.largest_of_largest_group().unwrap_or(connection),
            };
            let group = self.outboxes.get(victim).and_then(|it| it.group());
            self.give_up(victim, group.filter(|_| overflow == Overflow::Budget));
            if victim == connection {
                break;
            }
            queued = back;
        }
        self.to_wake.push(outbox);
    }

    /// Aborts the outbox of a connection, and records that the connection must be closed. `group`:
    /// its address group if the group's use of memory is the reason; otherwise `None`.
    fn give_up(&mut self, connection: ConnectionId, group: Option<AddressGroup>) {
        if let Some(outbox) = self.outboxes.get(connection) {
            outbox.abort();
            self.to_wake.push(outbox.clone());
            self.overflowing.push((connection, group));
        }
    }

    /// Returns the next connection that the caller must close at once as too slow. `None` if none
    /// is left. Its address group comes with it if the group's use of memory is the reason. Its
    /// outbox was emptied, and accepts items again. Call it until it returns `None`.
    pub(super) fn take_overflowing(&mut self) -> Option<(ConnectionId, Option<AddressGroup>)> {
        let overflowing = self.overflowing.pop()?;
        if let Some(outbox) = self.outboxes.get(overflowing.0) {
            outbox.stop_discarding();
        }
        Some(overflowing)
    }

    /// Drops a closed room: its feed, its readers and its batch.
    pub(super) fn close_room(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// Wakes the connections whose outboxes have new items. Call it when the hub has no more
    /// outputs.
    pub(super) fn wake(&mut self) {
        self.to_wake.drain(..).for_each(|outbox| outbox.wake());
    }

    /// Drops batches older than [`SLOW_READER_TIMEOUT`] from all feeds. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment) {
        for room in self.rooms.values() {
            lock_feed(&room.feed).trim(now, SLOW_READER_TIMEOUT);
        }
    }
}

impl Drop for Fanout {
    /// Closes the connections that are left, because nothing comes from the engine any more. Their
    /// items must not wait for entries that were to be published.
    fn drop(&mut self) {
        self.head.set(Sequence(u64::MAX));
        for outbox in self.outboxes.all() {
            // `Close` always fits.
            let _ = outbox.put(Queued { after: Sequence::ZERO, item: Item::Close });
            outbox.wake();
        }
    }
}

/// Encodes a frame.
fn encode_frame(frame: &ServerFrame) -> Bytes {
    let mut buffer = Vec::new();
    frame.encode(&mut buffer);
    buffer.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::{Notice, ServerFrame};

    /// Delivers a frame of about `bytes` bytes, at most 500, to a connection. Returns the
    /// connections that must be closed.
    fn deliver(fanout: &mut Fanout, connection: u64, bytes: usize) -> Vec<u64> {
        let code = crate::model::NoticeCode::SlowDown;
        let frame = ServerFrame::from(Notice::new(code, &"x".repeat(bytes)));
        fanout.deliver(ConnectionId(connection), Sequence::ZERO, Delivery::Frame(frame));
        std::iter::from_fn(|| fanout.take_overflowing()).map(|(it, _)| it.0).collect()
    }

    #[test]
    fn connections_are_closed_when_the_engine_ends() {
        let mut fanout = Fanout::new(FanoutLimits::default(), Sequence::ZERO);
        let group = AddressGroup::of([192, 0, 2, 1].into());
        let outbox = Arc::new(Outbox::new(fanout.budget(), group));
        fanout.connect(ConnectionId(1), outbox.clone());
        // It waits for an entry that is not published yet.
        fanout.deliver(ConnectionId(1), Sequence(5), Delivery::Mark);
        let head = fanout.head();
        assert!(outbox.peek().after > Some(head.get()));
        drop(fanout);
        assert!(outbox.peek().after <= Some(head.get()));
        assert!(matches!((outbox.take(), outbox.take()), (Some(Item::Mark), Some(Item::Close))));
    }

    /// When the budget is used up, the group that uses most loses its largest outbox, although
    /// another group has a larger one.
    #[test]
    fn the_group_that_uses_most_makes_room_for_others() {
        let limits = FanoutLimits { feed_bytes: 10_000, total_bytes: 10_000 };
        let mut fanout = Fanout::new(limits, Sequence::ZERO);
        for (connection, last) in [(1, 1), (2, 66), (3, 66), (4, 66), (5, 2)] {
            let group = AddressGroup::of([192, 0, 2, last].into());
            let outbox = Arc::new(Outbox::new(fanout.budget(), group));
            fanout.connect(ConnectionId(connection), outbox);
        }
        for (connection, frames) in [(1, 6), (2, 3), (3, 5), (4, 2)] {
            for _ in 0..frames {
                assert_eq!(deliver(&mut fanout, connection, 500), [0; 0]);
            }
        }
        let closed: Vec<u64> = (0..3).flat_map(|_| deliver(&mut fanout, 5, 500)).collect();
        assert_eq!(closed, [3]);
        // The closed connection gets deliveries from now on: its error.
        assert_eq!(deliver(&mut fanout, 3, 100), [0; 0]);
        assert!(fanout.outboxes.get(ConnectionId(3)).unwrap().bytes() > 100);
    }
}
