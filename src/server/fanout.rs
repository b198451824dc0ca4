//! Takes what the hub wants sent to where the connections find it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::feed::{BatchBuilder, Feed};
use super::outbox::{Item, MemoryBudget, Outbox, Overflow, Queued, SharedFeed, lock_feed};
use crate::hub::{ConnectionId, Delivery, RoomId};
use crate::model::limits::SLOW_READER_TIMEOUT;
use crate::model::{Moment, Sequence, SharedEntry};
use crate::wire::tcp::{ServerFrame, entry_frame};

/// The last sequence that has been published in every room. Connections
/// send nothing behind it, so that what they send from several rooms is in
/// order.
#[derive(Debug, Default)]
pub(super) struct PublishedHead(AtomicU64);

impl PublishedHead {
    /// What it is now. All feeds show everything up to it.
    pub(super) fn get(&self) -> Sequence {
        Sequence(self.0.load(Ordering::Acquire))
    }

    /// Moves it, after all feeds have got their batches.
    fn set(&self, head: Sequence) {
        self.0.store(head.0, Ordering::Release);
    }
}

/// A room with its readers.
#[derive(Debug)]
struct Room {
    /// What is published in it.
    feed: SharedFeed,
    /// Who is rung when something is.
    readers: HashMap<ConnectionId, Arc<Outbox>>,
    /// What the next batch will be.
    batch: BatchBuilder,
}

/// All connections and rooms, as the sending side sees them. Owned by the
/// engine's task; shares outboxes and feeds with the connections' tasks.
#[derive(Debug)]
pub(super) struct Fanout {
    /// Where connections find their mail.
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    /// The rooms that have readers.
    rooms: HashMap<RoomId, Room>,
    /// Rooms whose batch is not empty.
    dirty_rooms: Vec<RoomId>,
    /// Outboxes with new mail whose wakeup has not been rung.
    to_wake: Vec<Arc<Outbox>>,
    /// How far everything is published.
    head: Arc<PublishedHead>,
    /// What may be kept.
    limits: FanoutLimits,
    /// Bytes in all feeds.
    feed_bytes: usize,
    /// What may wait in all letter boxes.
    budget: Arc<MemoryBudget>,
}

/// How much may wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutLimits {
    /// Bytes that a reader may be behind its room: the size of its feed.
    pub feed_bytes: usize,
    /// Bytes of all feeds together, and as many again of what is for single
    /// connections. Who is behind the most is cut off first.
    pub total_bytes: usize,
}

impl Default for FanoutLimits {
    /// Suits a Raspberry Pi with 512 MB.
    fn default() -> Self {
        Self { feed_bytes: 1 << 20, total_bytes: 64 << 20 }
    }
}

impl Fanout {
    /// Nobody is there yet. Everything up to `head` was published before the
    /// server was started.
    pub(super) fn new(limits: FanoutLimits, head: Sequence) -> Self {
        Self {
            outboxes: HashMap::new(),
            rooms: HashMap::new(),
            dirty_rooms: Vec::new(),
            to_wake: Vec::new(),
            head: Arc::new(PublishedHead(AtomicU64::new(head.0))),
            limits,
            feed_bytes: 0,
            budget: Arc::new(MemoryBudget::new(limits.total_bytes)),
        }
    }

    /// What may wait in all letter boxes; for those of new connections.
    pub(super) fn budget(&self) -> Arc<MemoryBudget> {
        self.budget.clone()
    }

    /// How far everything is published; for the connections.
    pub(super) fn head(&self) -> Arc<PublishedHead> {
        self.head.clone()
    }

    /// A new connection, which finds its mail in `outbox`.
    pub(super) fn connect(&mut self, connection: ConnectionId, outbox: Arc<Outbox>) {
        self.outboxes.insert(connection, outbox);
    }

    /// A connection is gone: it is told to send what is due and end.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        let Some(outbox) = self.outboxes.remove(&connection) else { return };
        // `Close` always fits.
        let _ = outbox.put(Queued { after: self.head.get(), item: Item::Close });
        outbox.wake();
        for room in self.rooms.values_mut() {
            room.readers.remove(&connection);
        }
    }

    /// Forgets a connection without telling it anything.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.wake();
        self.outboxes.remove(&connection);
    }

    /// Whether nobody is connected.
    pub(super) fn is_empty(&self) -> bool {
        self.outboxes.is_empty()
    }

    /// Adds an entry to the room's next batch.
    pub(super) fn publish(&mut self, room: RoomId, entry: &SharedEntry) {
        if let Some(it) = self.rooms.get_mut(&room) {
            if it.batch.is_empty() {
                self.dirty_rooms.push(room);
            }
            it.batch.push(entry.sequence, |buffer| entry_frame(entry, 0).encode(buffer));
        }
    }

    /// Hands the batches over: everything up to `head` is published.
    pub(super) fn published(&mut self, now: Moment, head: Sequence) {
        for room in &self.dirty_rooms {
            if let Some(it) = self.rooms.get_mut(room) {
                let batch = std::mem::take(&mut it.batch).finish(now);
                let mut feed = lock_feed(&it.feed);
                let before = feed.bytes();
                feed.push(batch);
                self.feed_bytes = self.feed_bytes + feed.bytes() - before;
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

    /// Drops the oldest of the largest feeds until all together are within
    /// the limit: an eighth more than has to be, so that it has not to be
    /// done each time.
    fn shrink(&mut self) {
        let limit = self.limits.total_bytes;
        if self.feed_bytes <= limit {
            return;
        }
        while self.feed_bytes > limit - limit / 8 {
            let size = |room: &&Room| lock_feed(&room.feed).bytes();
            let Some(largest) = self.rooms.values().max_by_key(size) else { return };
            let mut feed = lock_feed(&largest.feed);
            let before = feed.bytes();
            feed.drop_oldest();
            if feed.bytes() == before {
                return;
            }
            self.feed_bytes = self.feed_bytes + feed.bytes() - before;
        }
    }

    /// Gives one connection something of its own.
    ///
    /// # Errors
    /// [`Overflow`] if it has more than it may have: break it off. What was
    /// to be delivered is lost, the connection is not yet told.
    pub(super) fn deliver(
        &mut self,
        connection: ConnectionId,
        after: Sequence,
        delivery: Delivery,
    ) -> Result<(), Overflow> {
        let Some(outbox) = self.outboxes.get(&connection) else { return Ok(()) };
        let item = match delivery {
            Delivery::Frame(frame) => Item::Frames(encoded(&frame)),
            Delivery::Entries { entries, flags } => Item::Entries(entries, flags),
            Delivery::Subscribe(room) => {
                let it = self.rooms.entry(room).or_insert_with(|| Room {
                    feed: Arc::new(Mutex::new(Feed::new(self.limits.feed_bytes))),
                    readers: HashMap::new(),
                    batch: BatchBuilder::default(),
                });
                it.readers.insert(connection, outbox.clone());
                Item::Subscribe(room, it.feed.clone())
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
        self.to_wake.push(outbox.clone());
        outbox.put(Queued { after, item })
    }

    /// Gives several connections the same frame; returns those that have
    /// more than they may have.
    pub(super) fn deliver_all(
        &mut self,
        connections: &[ConnectionId],
        after: Sequence,
        frame: &ServerFrame,
    ) -> Vec<ConnectionId> {
        let bytes = encoded(frame);
        let mut overflowing = Vec::new();
        for connection in connections {
            let Some(outbox) = self.outboxes.get(connection) else { continue };
            let item = Item::Frames(bytes.clone());
            if outbox.put(Queued { after, item }).is_err() {
                overflowing.push(*connection);
            }
            self.to_wake.push(outbox.clone());
        }
        overflowing
    }

    /// A room has ceased to exist.
    pub(super) fn close_room(&mut self, room: RoomId) {
        if let Some(room) = self.rooms.remove(&room) {
            self.feed_bytes -= lock_feed(&room.feed).bytes();
        }
    }

    /// Rings for the mail that has been delivered. Call it when the hub has
    /// nothing more to say for now.
    pub(super) fn wake(&mut self) {
        self.to_wake.drain(..).for_each(|outbox| outbox.wake());
    }

    /// Lets go of what is too old for any reader. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment) {
        for room in self.rooms.values() {
            let mut feed = lock_feed(&room.feed);
            let before = feed.bytes();
            feed.trim(now, SLOW_READER_TIMEOUT);
            self.feed_bytes = self.feed_bytes + feed.bytes() - before;
        }
    }

    /// Throws away what waits for a connection that cannot keep up, so that
    /// the news of its end fit in.
    pub(super) fn clear_outbox(&mut self, connection: ConnectionId) {
        if let Some(outbox) = self.outboxes.get(&connection) {
            outbox.clear();
        }
    }
}

/// A frame as bytes.
fn encoded(frame: &ServerFrame) -> Bytes {
    let mut buffer = Vec::new();
    frame.encode(&mut buffer);
    buffer.into()
}
