//! Fan-out: carries the hub's outputs to the connections, through feeds and outboxes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::feed::{BatchBuilder, Feed, FeedReader, SharedFeed, lock_feed};
use super::memory_budget::MemoryBudget;
use super::outbox::{Item, Outbox, Overflow, Queued};
use super::outboxes::Outboxes;
use crate::hub::{ConnectionId, Delivery, RoomId};
use crate::model::limits::SLOW_READER_TIMEOUT;
use crate::model::{AddressGroup, Moment, Sequence, SharedEntry};
use crate::wire::tcp::{ServerFrame, entry_frame};

/// Published head: the sequence up to which the feeds of all rooms have received their entries.
///
/// Connections send no entry after it. So entries of several rooms are sent in ascending order.
#[derive(Debug, Default)]
pub(super) struct PublishedHead(AtomicU64);

impl PublishedHead {
    /// Returns the published head.
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

impl Room {
    /// Moves the batch under construction into the feed. Readers take its entries when the
    /// published head reaches them. Does nothing if the batch is empty.
    fn move_batch_to_feed(&mut self, now: Moment) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch).finish(now);
            lock_feed(&self.feed).push(batch);
        }
    }
}

/// Divisor of [`FanoutLimits::total_bytes`]: the outboxes of one address group may use a quarter of
/// it, or [`FanoutLimits::feed_bytes`] if that is more.
const GROUP_SHARE: usize = 4;

/// Memory in use because the clients of one address group read slowly.
#[derive(Clone, Copy, Debug, Default)]
struct GroupMemory {
    /// Size of the address group's outboxes, and of the feeds in which the group's readers are
    /// furthest behind, together in bytes.
    bytes: usize,
    /// Size in bytes, and room, of the largest feed in which the address group's readers are
    /// furthest behind. `None` if there is no such feed.
    largest_feed: Option<(usize, RoomId)>,
}

impl GroupMemory {
    /// Adds the size of a feed in which the address group's readers are furthest behind. Remembers
    /// the feed if it is the largest.
    fn add_feed(&mut self, room: RoomId, bytes: usize) {
        self.bytes += bytes;
        self.largest_feed = self.largest_feed.max(Some((bytes, room)));
    }
}

/// Fan-out: outboxes of all connections, and feeds of all rooms. The engine's task owns the
/// fan-out, and shares each outbox and feed with connections' tasks.
#[derive(Debug)]
pub(super) struct Fanout {
    /// Outbox of each connection.
    outboxes: Outboxes,
    /// Rooms to which some connection has ever subscribed, until they are closed.
    rooms: HashMap<RoomId, Room>,
    /// Rooms with entries since the last call of [`Self::published`]. A room may occur several
    /// times.
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
    /// Address group because of which a feed was shrunk last. `None` if none was since the last
    /// [`Self::take_pressing_group`].
    pressing_group: Option<AddressGroup>,
    /// Memory budget of all feeds and outboxes together.
    budget: Arc<MemoryBudget>,
}

/// Limits of the memory for unsent frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutLimits {
    /// Maximum memory of a room's feed, in bytes. A feed holds the entries that some connection has
    /// not taken. A connection that falls further behind is closed; for 2 s it may fall behind by
    /// eight times as much.
    pub feed_bytes: usize,
    /// Maximum size of all feeds and outboxes together, in bytes.
    ///
    /// If they exceed it, the address group that uses most loses its largest outbox, or the oldest
    /// batches of the largest feed in which its readers are furthest behind.
    ///
    /// The outboxes of one group may use a quarter of this maximum, or `feed_bytes` if that is
    /// more.
    pub total_bytes: usize,
}

impl Default for FanoutLimits {
    /// Returns the limits for a Raspberry Pi with 512 MB.
    fn default() -> Self {
        Self { feed_bytes: 1 << 20, total_bytes: 32 << 20 }
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
            pressing_group: None,
            budget: Arc::new(MemoryBudget::new(limits.total_bytes)),
        }
    }

    /// Returns the memory budget of all feeds and outboxes, for new connections.
    pub(super) fn budget(&self) -> Arc<MemoryBudget> {
        self.budget.clone()
    }

    /// Returns the published head, for the connections.
    pub(super) fn head(&self) -> Arc<PublishedHead> {
        self.head.clone()
    }

    /// Registers a connection and its outbox, which must be empty.
    pub(super) fn connect(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        self.outboxes.insert(connection, outbox);
    }

    /// Removes a connection, also from the readers of all rooms. Puts `Close` into its outbox and
    /// wakes its task. Does nothing for an unknown connection.
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

    /// Returns the address group of a connection; `None` for a probe or an unknown connection.
    pub(super) fn group(&self, connection: ConnectionId) -> Option<AddressGroup> {
        self.outboxes.get(connection)?.group()
    }

    /// Returns true if no connection is registered.
    pub(super) fn is_empty(&self) -> bool {
        self.outboxes.is_empty()
    }

    /// Encodes an entry into the batch of its room. If the batch is then full, moves it into the
    /// room's feed. Does nothing if the room has no feed, because no connection has subscribed to
    /// it. Call [`Self::published`] after the last entry.
    pub(super) fn publish(&mut self, now: Moment, room: RoomId, entry: &SharedEntry) {
        if let Some(it) = self.rooms.get_mut(&room) {
            if it.batch.is_empty() {
                self.dirty_rooms.push(room);
            }
            it.batch.push(entry.sequence, |buffer| entry_frame(entry, 0).encode(buffer));
            if it.batch.is_full() {
                it.move_batch_to_feed(now);
            }
        }
    }

    /// Publishes the collected batches: moves them into the feeds, advances the published head to
    /// `head`, and wakes the readers of their rooms. If the memory budget is exceeded, frees
    /// memory, which may give connections up or shrink feeds: call [`Self::take_overflowing`],
    /// [`Self::take_pressing_group`] and [`Self::wake`] afterwards.
    pub(super) fn published(&mut self, now: Moment, head: Sequence) {
        for room in &self.dirty_rooms {
            if let Some(it) = self.rooms.get_mut(room) {
                it.move_batch_to_feed(now);
            }
        }
        while self.budget.excess() > 0 && self.free_memory() {}
        self.head.set(head);
        for room in self.dirty_rooms.drain(..) {
            if let Some(it) = self.rooms.get(&room) {
                it.readers.values().for_each(|outbox| outbox.wake());
            }
        }
    }

    /// Frees memory of the address group that uses most: gives up its largest outbox, or shrinks
    /// the largest feed in which its readers are furthest behind, whichever is larger. A feed loses
    /// an eighth, so that this is not needed for every batch. If that group has neither, or there
    /// is no group, frees nothing and returns false. The group is recorded for
    /// [`Self::take_overflowing`] or [`Self::take_pressing_group`].
    fn free_memory(&mut self) -> bool {
        let mut groups: HashMap<AddressGroup, GroupMemory> = HashMap::new();
        for (room, it) in &self.rooms {
            let feed = lock_feed(&it.feed);
            for group in feed.slowest_groups().collect::<HashSet<_>>() {
                groups.entry(group).or_default().add_feed(*room, feed.bytes());
            }
        }
        for (group, bytes) in self.outboxes.usages() {
            groups.entry(group).or_default().bytes += bytes;
        }
        let Some((group, memory)) = groups.iter().max_by_key(|(_, it)| it.bytes) else {
            return false;
        };
        match (memory.largest_feed, self.outboxes.largest(*group)) {
            (Some((feed, room)), outbox) if outbox.is_none_or(|(bytes, _)| bytes <= feed) => {
                self.pressing_group = Some(*group);
                self.shrink_feed(room);
                true
            }
            (_, Some((_, connection))) => {
                self.give_up(connection, Some(*group));
                true
            }
            (_, None) => false,
        }
    }

    /// Drops the oldest batches of a room's feed until the feed uses at most 7/8 of its present
    /// memory. Connections that have not taken these batches are later closed as too slow. Does
    /// nothing for an unknown room.
    fn shrink_feed(&mut self, room: RoomId) {
        let Some(it) = self.rooms.get(&room) else { return };
        let mut feed = lock_feed(&it.feed);
        let wanted = feed.bytes() - feed.bytes().div_ceil(8);
        while feed.bytes() > wanted {
            feed.drop_oldest();
        }
    }

    /// Puts a delivery into a connection's outbox. `Subscribe` and `Unsubscribe` also update the
    /// room's readers. If the outbox is full, the item is dropped and the connection is given up.
    /// For lack of memory, may also give up other connections or shrink feeds ([`Self::put`]). Does
    /// nothing for an unknown connection. Call [`Self::take_overflowing`],
    /// [`Self::take_pressing_group`] and [`Self::wake`] afterwards.
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
                        self.budget.clone(),
                    ))),
                    readers: HashMap::new(),
                    batch: BatchBuilder::default(),
                });
                it.readers.insert(connection, outbox.clone());
                Item::Subscribe(room, FeedReader::new(it.feed.clone(), after, outbox.group()))
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

    /// Puts encoded frames into a connection's outbox, as [`Self::deliver`] does, but before all
    /// entries of its rooms.
    pub(super) fn send_bytes(&mut self, connection: ConnectionId, frames: Bytes) {
        self.put(connection, Queued { after: Sequence::ZERO, item: Item::Frames(frames) });
    }

    /// Puts the same frame, encoded once, into the outboxes of these connections, as
    /// [`Self::deliver`] does: connections may be given up and feeds shrunk. Skips unknown
    /// connections. Call [`Self::take_overflowing`], [`Self::take_pressing_group`] and
    /// [`Self::wake`] afterwards.
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

    /// Puts an item into a connection's outbox, and records that the connection must be woken. Does
    /// nothing for an unknown connection. Frees memory until the item fits:
    /// - If the item would exceed the share of its address group
    ///   ([`Outboxes::largest_if_over_share`]), gives up the group's largest outbox.
    /// - If the memory budget is used up, calls [`Self::free_memory`].
    /// - If the outbox itself is full, or nothing can be freed, gives it up. Then the item is
    ///   dropped.
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
            if overflow == Overflow::Outbox || !self.free_memory() {
                self.give_up(connection, None);
            }
            // If this outbox was given up, it drops the item.
            queued = back;
        }
        self.to_wake.push(outbox);
    }

    /// Aborts the outbox of a connection ([`Outbox::abort`]), and records that the connection must
    /// be closed and woken. `group`: its address group if the group's use of memory is the reason;
    /// otherwise `None`.
    fn give_up(&mut self, connection: ConnectionId, group: Option<AddressGroup>) {
        if let Some(outbox) = self.outboxes.get(connection) {
            outbox.abort();
            self.to_wake.push(outbox.clone());
            self.overflowing.push((connection, group));
        }
    }

    /// Returns the next connection that the caller must close at once as too slow; `None` if none
    /// is left. If an address group's use of memory is the reason, also returns the group. The
    /// connection's outbox was emptied, and accepts items again. Call it until it returns `None`.
    pub(super) fn take_overflowing(&mut self) -> Option<(ConnectionId, Option<AddressGroup>)> {
        let overflowing = self.overflowing.pop()?;
        if let Some(outbox) = self.outboxes.get(overflowing.0) {
            outbox.stop_discarding();
        }
        Some(overflowing)
    }

    /// Returns the address group because of which a feed was shrunk since the last call; `None` if
    /// no feed was shrunk. If there were several, returns the last one.
    pub(super) fn take_pressing_group(&mut self) -> Option<AddressGroup> {
        self.pressing_group.take()
    }

    /// Forgets a closed room: its feed, its readers and its unpublished batch. Connections that
    /// still hold a reader can take what is in the feed, and nothing more.
    pub(super) fn close_room(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// Wakes the connections whose outboxes have new items. Call it when the hub has no more
    /// outputs.
    pub(super) fn wake(&mut self) {
        self.to_wake.drain(..).for_each(|outbox| outbox.wake());
    }

    /// Drops from all feeds the batches older than [`SLOW_READER_TIMEOUT`], and excess batches
    /// ([`Feed::trim`]). Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment) {
        for room in self.rooms.values() {
            lock_feed(&room.feed).trim(now, SLOW_READER_TIMEOUT);
        }
    }
}

impl Drop for Fanout {
    /// Closes the connections that are left, because the engine has ended. Queued items no longer
    /// wait for entries that will not be published.
    fn drop(&mut self) {
        self.head.set(Sequence(u64::MAX));
        for outbox in self.outboxes.all() {
            // `Close` always fits.
            let _ = outbox.put(Queued { after: Sequence::ZERO, item: Item::Close });
            outbox.wake();
        }
    }
}

/// Encodes a frame, length prefix included.
fn encode_frame(frame: &ServerFrame) -> Bytes {
    let mut buffer = Vec::new();
    frame.encode(&mut buffer);
    buffer.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Draft, LogEntry, MessageText, Reference, RoomName, SessionId, Style, Target, Timestamp,
        Username,
    };
    use crate::wire::tcp::{Notice, ServerFrame};

    /// Delivers a frame of about `bytes` bytes, at most 500, to a connection. Returns the
    /// connections that must be closed; their outboxes accept items again.
    fn deliver(fanout: &mut Fanout, connection: u64, bytes: usize) -> Vec<u64> {
        let code = crate::model::NoticeCode::SlowDown;
        let frame = ServerFrame::from(Notice::new(code, &"x".repeat(bytes)));
        fanout.deliver(ConnectionId(connection), Sequence::ZERO, Delivery::Frame(frame));
        std::iter::from_fn(|| fanout.take_overflowing()).map(|(it, _)| it.0).collect()
    }

    /// When the fan-out is dropped, queued items can be taken at once, and `Close` follows.
    #[test]
    fn connections_are_closed_when_the_engine_ends() {
        let mut fanout = Fanout::new(FanoutLimits::default(), Sequence::ZERO);
        let group = AddressGroup::of([192, 0, 2, 1].into());
        let outbox = Arc::new(Outbox::new(fanout.budget(), group));
        fanout.connect(ConnectionId(1), outbox.clone());
        // The mark waits for an entry that is not published yet.
        fanout.deliver(ConnectionId(1), Sequence(5), Delivery::Mark);
        let head = fanout.head();
        assert!(outbox.peek().after > Some(head.get()));
        drop(fanout);
        assert!(outbox.peek().after <= Some(head.get()));
        assert!(matches!((outbox.take(), outbox.take()), (Some(Item::Mark), Some(Item::Close))));
    }

    /// If the budget is used up, the address group that uses most loses its largest outbox, even if
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
        // From now on, the closed connection gets deliveries again: its error.
        assert_eq!(deliver(&mut fanout, 3, 100), [0; 0]);
        assert!(fanout.outboxes.get(ConnectionId(3)).unwrap().bytes() > 100);
    }

    /// Returns a fan-out with these limits, and the outboxes of its connections. The connections
    /// are numbered from 1; `groups` has the number of the address group of each.
    fn fanout_for(limits: FanoutLimits, groups: &[u8]) -> (Fanout, Vec<Arc<Outbox>>) {
        let mut fanout = Fanout::new(limits, Sequence::ZERO);
        let mut outboxes = Vec::new();
        for (connection, group) in (1..).zip(groups) {
            let group = AddressGroup::of([192, 0, 2, *group].into());
            let outbox = Arc::new(Outbox::new(fanout.budget(), group));
            fanout.connect(ConnectionId(connection), outbox.clone());
            outboxes.push(outbox);
        }
        (fanout, outboxes)
    }

    /// Returns an entry with a text of 500 bytes.
    fn entry(sequence: u64) -> SharedEntry {
        Arc::new(LogEntry {
            sequence: Sequence(sequence),
            previous: Sequence::ZERO,
            time: Timestamp(0),
            draft: Draft {
                person: None,
                session: SessionId(1),
                username: Username::new("anna").unwrap(),
                reference: Reference(1),
                target: Target::Room(RoomName::lobby()),
                style: Style(0),
                text: MessageText::new(&"x".repeat(500)).unwrap(),
            },
        })
    }

    /// The share of an address group also limits many small items.
    #[test]
    fn small_items_cannot_exceed_the_share_of_a_group() {
        let limits = FanoutLimits { feed_bytes: 1_000, total_bytes: 40_000 };
        let (mut fanout, outboxes) = fanout_for(limits, &[66; 8]);
        let mut closed = 0;
        for round in 0..80 {
            closed += deliver(&mut fanout, 1 + round % 8, 500).len();
            let used: usize = outboxes.iter().map(|it| it.bytes()).sum();
            assert!(used <= 10_000 + 600, "{used} bytes");
        }
        assert!(closed > 0);
    }

    /// Feeds and outboxes share a budget. The address group that uses most, by its feeds, loses
    /// entries. A slow reader of another group loses none.
    #[test]
    fn feeds_and_outboxes_share_a_budget_and_the_greatest_user_loses() {
        let limits = FanoutLimits { feed_bytes: 100_000, total_bytes: 60_000 };
        let (mut fanout, outboxes) = fanout_for(limits, &[66, 66, 1]);
        for (connection, room) in [(1, 1), (2, 2), (3, 3)] {
            let delivery = Delivery::Subscribe(RoomId(room));
            fanout.deliver(ConnectionId(connection), Sequence::ZERO, delivery);
        }
        let take_reader = |outbox: &Outbox| match outbox.take() {
            Some(Item::Subscribe(_, reader)) => reader,
            other => panic!("{other:?}"),
        };
        let readers: Vec<_> = outboxes.iter().map(|it| take_reader(it)).collect();
        for sequence in 1..=300 {
            // Room 3 gets a tenth of the messages.
            let room = if sequence % 10 == 0 && sequence <= 200 { 3 } else { 1 + sequence % 2 };
            let room = RoomId(u32::try_from(room).unwrap());
            fanout.publish(Moment::START, room, &entry(sequence));
            fanout.published(Moment::START, Sequence(sequence));
            assert!(fanout.budget.used() <= 60_000, "{} bytes", fanout.budget.used());
        }
        assert_eq!(fanout.take_pressing_group(), Some(AddressGroup::of([192, 0, 2, 66].into())));
        assert!(readers[0].peek().is_err() && readers[1].peek().is_err());
        assert_eq!(readers[2].peek(), Ok(Some(Sequence(10))));
    }
}
