//! Takes what the hub wants sent to where the connections find it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::feed::{BatchBuilder, Feed};
use super::outbox::{Item, Mail, Outbox, Overflow, SharedFeed, lock_feed};
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
    published_in: Vec<RoomId>,
    /// Outboxes with new mail whose bell has not been rung.
    to_ring: Vec<Arc<Outbox>>,
    /// How far everything is published.
    head: Arc<PublishedHead>,
    /// Most bytes in one room's feed.
    max_feed_bytes: usize,
}

impl Fanout {
    /// Nobody is there yet.
    pub(super) fn new(max_feed_bytes: usize) -> Self {
        Self {
            outboxes: HashMap::new(),
            rooms: HashMap::new(),
            published_in: Vec::new(),
            to_ring: Vec::new(),
            head: Arc::default(),
            max_feed_bytes,
        }
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
        let _ = outbox.put(Mail { after: self.head.get(), item: Item::Close });
        outbox.ring();
        for room in self.rooms.values_mut() {
            room.readers.remove(&connection);
        }
    }

    /// Forgets a connection without telling it anything.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.ring();
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
                self.published_in.push(room);
            }
            it.batch.push(entry.sequence, |buffer| entry_frame(entry, 0).encode(buffer));
        }
    }

    /// Hands the batches over: everything up to `head` is published.
    pub(super) fn published(&mut self, now: Moment, head: Sequence) {
        for room in &self.published_in {
            if let Some(it) = self.rooms.get_mut(room) {
                let batch = std::mem::take(&mut it.batch).finish(now);
                lock_feed(&it.feed).push(batch);
            }
        }
        self.head.set(head);
        for room in self.published_in.drain(..) {
            if let Some(it) = self.rooms.get(&room) {
                it.readers.values().for_each(|outbox| outbox.ring());
            }
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
                    feed: Arc::new(Mutex::new(Feed::new(self.max_feed_bytes))),
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
            Delivery::Close => Item::Close,
        };
        self.to_ring.push(outbox.clone());
        outbox.put(Mail { after, item })
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
            if outbox.put(Mail { after, item }).is_err() {
                overflowing.push(*connection);
            }
            self.to_ring.push(outbox.clone());
        }
        overflowing
    }

    /// A room has ceased to exist.
    pub(super) fn close_room(&mut self, room: RoomId) {
        self.rooms.remove(&room);
    }

    /// Rings for the mail that has been delivered. Call it when the hub has
    /// nothing more to say for now.
    pub(super) fn ring(&mut self) {
        self.to_ring.drain(..).for_each(|outbox| outbox.ring());
    }

    /// Lets go of what is too old for any reader. Call it every few seconds.
    pub(super) fn trim(&mut self, now: Moment) {
        for room in self.rooms.values() {
            lock_feed(&room.feed).trim(now, SLOW_READER_TIMEOUT);
        }
    }

    /// Throws away what waits for a connection that cannot keep up, so that
    /// the news of its end fit in.
    pub(super) fn discard_mail(&mut self, connection: ConnectionId) {
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
