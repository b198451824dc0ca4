//! The outbox of a connection: frames and commands from the engine for this connection alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::feed::Feed;
use crate::hub::RoomId;
use crate::model::limits::MAX_FRAME;
use crate::model::{AddressGroup, LogEntry, Sequence, SharedEntry};
use crate::wire::tcp::entry_frame;

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
    /// Entries to send (a replay), encoded only as they are sent. The number is the flags of their
    /// frames.
    Entries(Vec<SharedEntry>, u8),
    /// A further room to read, with its feed.
    Subscribe(RoomId, SharedFeed),
    /// A room that is not read any more.
    Unsubscribe(RoomId),
    /// A mark: the connection reports [`super::engine::EngineInput::MarkReached`] when everything
    /// before it has been taken.
    Mark,
    /// The end: the connection sends what is due, then closes.
    Close,
}

impl Item {
    /// Returns the memory that the item holds, in bytes; 0 for `Close`. Entries are counted in
    /// full, although they may be shared with the log.
    pub(super) fn bytes(&self) -> usize {
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

/// Maximum size of one connection's outbox, in bytes.
const MAX_OUTBOX_BYTES: usize = 1 << 20;

/// Maximum number of items in one connection's outbox; a `Close` always fits.
const MAX_OUTBOX_ITEMS: usize = 4_096;

/// The memory that the outboxes of all connections use together, in bytes, and its limit.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    /// Largest number of bytes.
    limit: usize,
    /// Number of bytes in use.
    used: AtomicUsize,
}

impl Default for MemoryBudget {
    /// A budget without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryBudget {
    /// Creates a budget of this many bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Takes bytes from the budget and returns true. If fewer are left, takes none and returns
    /// false. [`Self::release`] gives them back.
    fn reserve(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Gives bytes back to the budget.
    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
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
    /// Address group of the client; `None` for a probe.
    group: Option<AddressGroup>,
}

/// The queued items and their size.
#[derive(Debug, Default)]
struct Queue {
    /// Items in order.
    items: VecDeque<Queued>,
    /// The entries that are being sent, in front of the items.
    replay: Option<Replay>,
    /// Memory of items and replay, in bytes, taken from the budget.
    bytes: usize,
    /// True if the engine has given the connection up ([`Outbox::abort`]); stays true.
    is_aborted: bool,
    /// True if new items are dropped, except `Close`: from [`Outbox::abort`] to
    /// [`Outbox::stop_discarding`].
    is_discarding: bool,
}

/// Place of an outbox's next item, and the state to look at before taking it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peek {
    /// Sequence after which the next item has its place; `None` if there is no item.
    pub(super) after: Option<Sequence>,
    /// True if a replay has begun and is not encoded completely. It comes before the next item.
    pub(super) has_replay: bool,
    /// True if the engine has given the connection up. Items are lost, so the connection must send
    /// nothing more from its rooms, only the items that are queued.
    pub(super) is_aborted: bool,
}

/// Entries from the log that are not all encoded yet.
#[derive(Debug)]
struct Replay {
    /// The remaining entries.
    entries: std::vec::IntoIter<SharedEntry>,
    /// Flags of their frames.
    flags: u8,
    /// Memory of all the entries, in bytes, until the last one is encoded.
    bytes: usize,
}

/// Error: an item does not fit into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The outbox itself is full: it would exceed [`MAX_OUTBOX_BYTES`] or [`MAX_OUTBOX_ITEMS`].
    Outbox,
    /// The budget of all outboxes together is used up.
    Budget,
}

impl Outbox {
    /// Creates the empty outbox of a client, which shares `budget` with all others.
    pub(super) fn new(budget: Arc<MemoryBudget>, group: AddressGroup) -> Self {
        let (queue, wakeup) = Default::default();
        Self { queue, wakeup, budget, group: Some(group) }
    }

    /// Returns the address group of the client; `None` for a probe.
    pub(super) const fn group(&self) -> Option<AddressGroup> {
        self.group
    }

    /// Returns the memory that the outbox uses, in bytes, a replay in progress included.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Appends an item without waking the connection: call [`Self::wake`] afterwards. `Close`
    /// always fits. After [`Self::abort`], drops any other item and returns `Ok`, until
    /// [`Self::stop_discarding`].
    ///
    /// # Errors
    /// [`Overflow`], with the item; the outbox is unchanged.
    pub(super) fn put(&self, queued: Queued) -> Result<(), (Overflow, Queued)> {
        let mut queue = self.lock();
        let bytes = queued.item.bytes();
        if !matches!(queued.item, Item::Close) {
            if queue.is_discarding {
                return Ok(());
            }
            if queue.items.len() >= MAX_OUTBOX_ITEMS || queue.bytes + bytes > MAX_OUTBOX_BYTES {
                return Err((Overflow::Outbox, queued));
            }
            if !self.budget.reserve(bytes) {
                return Err((Overflow::Budget, queued));
            }
            queue.bytes += bytes;
        }
        queue.items.push_back(queued);
        Ok(())
    }

    /// Discards all items except `Close`, and the rest of a replay; their memory is free at once.
    /// From now on drops new items as well, and has the connection stop reading its rooms. For a
    /// connection that is about to be closed with an error: call [`Self::stop_discarding`] before
    /// that error is put.
    pub(super) fn abort(&self) {
        let mut queue = self.lock();
        self.budget.release(queue.bytes);
        let mut items = std::mem::take(&mut queue.items);
        items.retain(|it| matches!(it.item, Item::Close));
        let (is_aborted, is_discarding) = (true, true);
        *queue = Queue { items, is_aborted, is_discarding, ..Queue::default() };
    }

    /// Accepts items again after [`Self::abort`].
    pub(super) fn stop_discarding(&self) {
        self.lock().is_discarding = false;
    }

    /// Returns the place of the next item and the state of the outbox, and changes nothing.
    pub(super) fn peek(&self) -> Peek {
        let queue = self.lock();
        Peek {
            after: queue.items.front().map(|queued| queued.after),
            has_replay: queue.replay.is_some(),
            is_aborted: queue.is_aborted,
        }
    }

    /// Removes and returns the next item, and gives its memory back to the budget; `None` if there
    /// is no item.
    pub(super) fn take(&self) -> Option<Item> {
        let mut queue = self.lock();
        let queued = queue.items.pop_front()?;
        self.release(&mut queue, queued.item.bytes());
        if queue.items.is_empty() && queue.items.capacity() > MAX_FRAME / size_of::<Queued>() {
            queue.items = VecDeque::new();
        }
        Some(queued.item)
    }

    /// If the next item is a replay, begins it and returns true: call [`Self::encode_replay`] until
    /// it returns `None`. Else returns false. The replay's memory stays in use until its end.
    pub(super) fn begin_replay(&self) -> bool {
        let mut queue = self.lock();
        if !matches!(queue.items.front().map(|it| &it.item), Some(Item::Entries(..))) {
            return false;
        }
        let Some(Queued { item, .. }) = queue.items.pop_front() else { return false };
        let bytes = item.bytes();
        if let Item::Entries(entries, flags) = item {
            queue.replay = Some(Replay { entries: entries.into_iter(), flags, bytes });
        }
        true
    }

    /// Encodes the next entries of the replay, until they have at least `size` bytes or none is
    /// left. With the last entry the replay ends and its memory is given back. Returns `None` if
    /// there is no replay.
    pub(super) fn encode_replay(&self, size: usize) -> Option<Vec<u8>> {
        let mut queue = self.lock();
        let replay = queue.replay.as_mut()?;
        let mut buffer = Vec::new();
        while buffer.len() < size
            && let Some(entry) = replay.entries.next()
        {
            entry_frame(&entry, replay.flags).encode(&mut buffer);
        }
        if replay.entries.len() == 0 {
            let bytes = replay.bytes;
            queue.replay = None;
            self.release(&mut queue, bytes);
        }
        Some(buffer)
    }

    /// Drops the rest of the replay, if there is one, and gives its memory back.
    pub(super) fn drop_replay(&self) {
        let mut queue = self.lock();
        if let Some(replay) = queue.replay.take() {
            self.release(&mut queue, replay.bytes);
        }
    }

    /// Subtracts bytes from the queue's size and gives them back to the budget.
    fn release(&self, queue: &mut Queue, bytes: usize) {
        queue.bytes = queue.bytes.saturating_sub(bytes);
        self.budget.release(bytes);
    }

    /// Wakes the connection's task. A wake-up before the task waits is kept for its next wait.
    pub(super) fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Waits for a wake-up; returns at once if one was kept.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// Locks the queue. Poison is ignored: a task that panicked while it held the lock has left a
    /// consistent queue, as each change is a single push or pop.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.budget.release(bytes);
    }
}

/// Locks a feed. Poison is ignored for the reason given at [`Outbox::lock`].
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Draft, MessageText, Reference, RoomName, SessionId, Style, Target, Timestamp, Username,
    };

    /// Returns a queued item of frames with this many bytes, placed before every entry.
    fn item_of(bytes: usize) -> Queued {
        Queued { after: Sequence::ZERO, item: Item::Frames(vec![0; bytes].into()) }
    }

    /// Returns a log entry: a short message in the lobby.
    fn entry() -> LogEntry {
        let draft = Draft {
            session: SessionId(1),
            username: Username::new("anna").unwrap(),
            reference: Reference(1),
            target: Target::Room(RoomName::lobby()),
            style: Style(0),
            text: MessageText::new("hi").unwrap(),
        };
        LogEntry { sequence: Sequence(1), previous: Sequence(0), time: Timestamp(0), draft }
    }

    #[test]
    fn outbox_size_is_bounded_per_connection_and_in_total() {
        let budget = Arc::new(MemoryBudget::new(1_500_000));
        let outbox = || Outbox::new(budget.clone(), AddressGroup::of([192, 0, 2, 1].into()));
        let (one, other) = (outbox(), outbox());
        let put = |outbox: &Outbox, bytes| outbox.put(item_of(bytes)).map_err(|it| it.0);
        put(&one, 1_000_000).unwrap();
        assert_eq!(put(&one, 100_000), Err(Overflow::Outbox), "too much for one");
        assert_eq!(put(&other, 600_000), Err(Overflow::Budget), "too much together");
        other.put(Queued { after: Sequence::ZERO, item: Item::Close }).unwrap();
        assert!(one.take().is_some());
        put(&other, 600_000).unwrap();
        put(&one, 600_000).unwrap();
        other.abort();
        put(&other, 10).unwrap();
        assert_eq!((other.bytes(), other.peek().is_aborted), (0, true), "it is discarding");
        assert!(matches!(other.take(), Some(Item::Close)), "the end is kept");
        other.stop_discarding();
        put(&other, 10).unwrap();
        assert!(other.take().is_some());
        drop((one, other));
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn replay_counts_until_it_is_encoded_or_dropped() {
        let entry = Arc::new(entry());
        let budget = Arc::new(MemoryBudget::new(1_000_000));
        let outbox = Outbox::new(budget.clone(), AddressGroup::of([192, 0, 2, 1].into()));
        for is_dropped in [false, true] {
            let item = Item::Entries(vec![entry.clone(); 2], 0);
            let bytes = item.bytes();
            outbox.put(Queued { after: Sequence::ZERO, item }).unwrap();
            assert!(outbox.begin_replay() && !outbox.begin_replay());
            assert!(outbox.encode_replay(1).is_some() && outbox.peek().has_replay);
            assert_eq!(budget.used.load(Ordering::Relaxed), bytes);
            if is_dropped {
                outbox.drop_replay();
            } else {
                assert!(outbox.encode_replay(1).is_some());
            }
            assert!(!outbox.peek().has_replay && outbox.encode_replay(1).is_none());
            assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        }
    }
}
