//! The outbox of a connection: frames and commands from the engine for this connection alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::feed::Feed;
use crate::hub::RoomId;
use crate::model::limits::MAX_FRAME;
use crate::model::{LogEntry, Sequence, SharedEntry};

/// A room's feed, shared by the fan-out and the connections that read the room.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// An outbox item with its place in the connection's order.
#[derive(Debug)]
pub(super) struct Queued {
    /// The item comes after every entry of the connection's rooms up to and including this sequence,
    /// and before every later one.
    pub(super) after: Sequence,
    /// The item.
    pub(super) item: Item,
}

/// A frame or a command for a connection's task.
#[derive(Debug)]
pub(super) enum Item {
    /// Encoded frames to send.
    Frames(Bytes),
    /// Entries to send, encoded only as they are sent, with the flags of their frames.
    Entries(Vec<SharedEntry>, u8),
    /// A further room to read, with its feed.
    Subscribe(RoomId, SharedFeed),
    /// A room that is not read any more.
    Unsubscribe(RoomId),
    /// A mark: the connection tells the engine when everything before it has been taken.
    Mark,
    /// The end: the connection sends what is due, then closes.
    Close,
}

impl Item {
    /// Returns the memory that the item holds, in bytes. Entries are counted in full, although they
    /// may be shared with the log.
    fn bytes(&self) -> usize {
        match self {
            Self::Frames(frames) => size_of::<Queued>() + frames.len(),
            Self::Entries(entries, _) => {
                let texts = entries.iter().map(|it| it.draft.text.as_str().len());
                let each = size_of::<SharedEntry>() + size_of::<LogEntry>();
                size_of::<Queued>() + entries.len() * each + texts.sum::<usize>()
            }
            Self::Subscribe(..) | Self::Unsubscribe(_) | Self::Mark => size_of::<Queued>(),
            Self::Close => 0,
        }
    }
}

/// Largest size of one connection's outbox, in bytes.
const MAX_OUTBOX_BYTES: usize = 1 << 20;

/// Largest number of items in one connection's outbox.
const MAX_OUTBOX_ITEMS: usize = 4_096;

/// The memory left for the outboxes of all connections together, in bytes.
#[derive(Debug)]
pub(super) struct MemoryBudget(AtomicUsize);

impl Default for MemoryBudget {
    /// A budget without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryBudget {
    /// Creates a budget of this many bytes.
    pub(super) const fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Reserves bytes until the returned reservation is dropped; none if fewer are left.
    fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let take = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Reservation { budget: self.clone(), bytes })
    }
}

/// A reserved part of a [`MemoryBudget`], released when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    /// The budget that it was reserved from.
    budget: Arc<MemoryBudget>,
    /// Number of reserved bytes.
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// The queue from the engine's task to one connection's task, with the connection's wake-up.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The queued items.
    queue: Mutex<Queue>,
    /// Wakes the connection's task when there are new items, or new entries in a room that it reads.
    wakeup: Notify,
    /// The budget of all outboxes together.
    budget: Arc<MemoryBudget>,
}

/// The queued items and their size.
#[derive(Debug, Default)]
struct Queue {
    /// Items in order, each with its reservation of the budget. (`Close` needs none.)
    items: VecDeque<(Queued, Option<Reservation>)>,
    /// Sum of the items' sizes, in bytes.
    bytes: usize,
}

/// Error: an outbox, or all outboxes together, would exceed their limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// Creates an empty outbox that shares `budget` with all others.
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Appends an item without waking the connection: call [`Self::wake`] afterwards. `Close` always
    /// fits.
    ///
    /// # Errors
    /// [`Overflow`]: the item is dropped, the outbox unchanged.
    pub(super) fn put(&self, queued: Queued) -> Result<(), Overflow> {
        let mut queue = self.lock();
        if matches!(queued.item, Item::Close) {
            queue.items.push_back((queued, None));
            return Ok(());
        }
        let bytes = queued.item.bytes();
        if queue.items.len() >= MAX_OUTBOX_ITEMS || queue.bytes + bytes > MAX_OUTBOX_BYTES {
            return Err(Overflow);
        }
        let reserved = self.budget.reserve(bytes).ok_or(Overflow)?;
        queue.bytes += bytes;
        queue.items.push_back((queued, Some(reserved)));
        Ok(())
    }

    /// Discards all queued items.
    pub(super) fn clear(&self) {
        *self.lock() = Queue::default();
    }

    /// Returns the sequence after which the next item has its place; none if there is no item.
    pub(super) fn next_after(&self) -> Option<Sequence> {
        self.lock().items.front().map(|(queued, _)| queued.after)
    }

    /// Removes and returns the next item. Keep its reservation for as long as its memory is in use.
    pub(super) fn take(&self) -> Option<(Item, Option<Reservation>)> {
        let mut queue = self.lock();
        let (queued, reserved) = queue.items.pop_front()?;
        queue.bytes = queue.bytes.saturating_sub(queued.item.bytes());
        if queue.items.is_empty() && queue.items.capacity() > MAX_FRAME / size_of::<Queued>() {
            queue.items = VecDeque::new();
        }
        Some((queued.item, reserved))
    }

    /// Wakes the connection's task. A wake-up before the task waits is kept for its next wait.
    pub(super) fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Waits for a wake-up.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// Locks the queue. Poison is ignored: a task that panicked while it held the lock has left a
    /// consistent queue, as each change is a single push or pop.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks a feed. Poison is ignored for the reason given at [`Outbox::lock`].
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an item of this many bytes.
    fn item_of(bytes: usize) -> Queued {
        Queued { after: Sequence::ZERO, item: Item::Frames(vec![0; bytes].into()) }
    }

    #[test]
    fn outbox_size_is_bounded_per_connection_and_in_total() {
        let budget = Arc::new(MemoryBudget::new(1_500_000));
        let (one, other) = (Outbox::new(budget.clone()), Outbox::new(budget.clone()));
        one.put(item_of(1_000_000)).unwrap();
        assert_eq!(one.put(item_of(100_000)), Err(Overflow), "too much for one");
        assert_eq!(other.put(item_of(600_000)), Err(Overflow), "too much together");
        other.put(Queued { after: Sequence::ZERO, item: Item::Close }).unwrap();
        let taken = one.take();
        assert_eq!(other.put(item_of(600_000)), Err(Overflow), "it is still in use");
        drop(taken);
        other.put(item_of(600_000)).unwrap();
        other.clear();
        drop((one, other));
        assert_eq!(budget.0.load(Ordering::Relaxed), 1_500_000);
    }
}
