//! Outbox of a connection: queue of frames and commands from the engine for this connection alone.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::feed::FeedReader;
use super::memory_budget::MemoryBudget;
use crate::hub::RoomId;
use crate::model::{AddressGroup, LogEntry, Sequence, SharedEntry};
use crate::wire::tcp::entry_frame;

/// Outbox item, with its place among the room entries.
#[derive(Debug)]
pub(super) struct Queued {
    /// Place of the item: after all entries of the connection's rooms up to and including this
    /// sequence, and before all later ones.
    pub(super) after: Sequence,
    /// Frame or command.
    pub(super) item: Item,
}

/// Frame or command for a connection's task.
#[derive(Debug)]
pub(super) enum Item {
    /// Encoded frames to send.
    Frames(Bytes),
    /// Replay: entries to send, and the flags of their frames. The entries are encoded just before
    /// they are sent.
    Entries(Vec<SharedEntry>, u8),
    /// Begin to read this room, with this reader of its feed.
    Subscribe(RoomId, FeedReader),
    /// Stop reading this room.
    Unsubscribe(RoomId),
    /// Flow-control mark. The connection reports [`super::engine::EngineInput::MarkReached`] when
    /// everything before the mark is taken.
    Mark,
    /// End of the connection: it sends what is pending, then closes.
    Close,
}

impl Item {
    /// Returns the memory that the item holds, in bytes; 0 for `Close`. Entries are counted in
    /// full, although the log may share them.
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

/// Maximum number of items in one connection's outbox. A `Close` fits in any case.
const MAX_OUTBOX_ITEMS: usize = 4_096;

/// Queue from the engine's task to one connection's task, with the connection's wake-up. `default`
/// creates the outbox of a probe, without a shared budget.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Queued items.
    queue: Mutex<Queue>,
    /// Wakes the connection's task when there are new items, or new entries in a room that it
    /// reads.
    wakeup: Notify,
    /// Memory budget of all feeds and outboxes together.
    budget: Arc<MemoryBudget>,
    /// Address group of the client; `None` for a probe.
    group: Option<AddressGroup>,
    /// Memory of all outboxes of the address group together, in bytes. Unset for a probe, and until
    /// [`Self::count_in`].
    group_bytes: OnceLock<Arc<AtomicUsize>>,
}

/// Queued items and their size.
#[derive(Debug, Default)]
struct Queue {
    /// Items, in the order in which they are to be sent.
    items: VecDeque<Queued>,
    /// Replay that is being encoded. It comes before the items.
    replay: Option<Replay>,
    /// Memory of items and replay, in bytes. It is reserved in the budget.
    bytes: usize,
    /// True if the engine has given the connection up ([`Outbox::abort`]). It stays true.
    is_aborted: bool,
    /// True if new items are dropped, except `Close`: after [`Outbox::abort`], until
    /// [`Outbox::stop_discarding`].
    is_discarding: bool,
}

/// Place of the next item in an outbox, and the state to check before taking it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peek {
    /// Place of the next item ([`Queued::after`]); `None` if there is no item.
    pub(super) after: Option<Sequence>,
    /// True if a replay has begun and is not completely encoded. It comes before the next item.
    pub(super) has_replay: bool,
    /// True if the engine has given the connection up. Items are lost, so the connection must send
    /// only the queued items, and nothing more from its rooms.
    pub(super) is_aborted: bool,
}

/// Replay: entries from the log that are not all encoded.
#[derive(Debug)]
struct Replay {
    /// Entries that are not encoded.
    entries: std::vec::IntoIter<SharedEntry>,
    /// Flags of the `entry` and `direct_entry` frames that carry the entries.
    flags: u8,
    /// Memory of all entries of the replay, in bytes. It stays the same until the last entry is
    /// encoded.
    bytes: usize,
}

/// Error: an item does not fit into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The outbox is full: it would exceed [`MAX_OUTBOX_BYTES`] or [`MAX_OUTBOX_ITEMS`].
    Outbox,
    /// The memory budget of all feeds and outboxes is used up.
    Budget,
}

impl Outbox {
    /// Creates the empty outbox of a client. All outboxes share `budget`.
    pub(super) fn new(budget: Arc<MemoryBudget>, group: AddressGroup) -> Self {
        let (queue, wakeup, group_bytes) = Default::default();
        Self { queue, wakeup, budget, group: Some(group), group_bytes }
    }

    /// Adds the memory of this outbox, from now on, to `group_bytes`, the memory of its address
    /// group. Call it once, while the outbox is empty.
    pub(super) fn count_in(&self, group_bytes: Arc<AtomicUsize>) {
        // A second call would have no effect.
        let _ = self.group_bytes.set(group_bytes);
    }

    /// Returns the address group of the client; `None` for a probe.
    pub(super) const fn group(&self) -> Option<AddressGroup> {
        self.group
    }

    /// Returns the memory that the outbox uses, in bytes, including a replay in progress.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Appends an item without waking the connection; call [`Self::wake`] afterwards. `Close` fits
    /// in any case.
    ///
    /// After [`Self::abort`] and until [`Self::stop_discarding`], drops any other item and returns
    /// `Ok`.
    ///
    /// # Errors
    /// [`Overflow`], with the item. The outbox is unchanged.
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
            if let Some(group_bytes) = self.group_bytes.get() {
                group_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            queue.bytes += bytes;
        }
        queue.items.push_back(queued);
        Ok(())
    }

    /// Discards all items except `Close`, and the rest of a replay. Frees their memory at once.
    /// Until [`Self::stop_discarding`], new items are dropped too. The connection stops reading its
    /// rooms.
    ///
    /// Use it for a connection that is about to be closed with an error. Call
    /// [`Self::stop_discarding`] before you put that error.
    pub(super) fn abort(&self) {
        let mut queue = self.lock();
        self.give_back(queue.bytes);
        let mut items = std::mem::take(&mut queue.items);
        items.retain(|it| matches!(it.item, Item::Close));
        let (is_aborted, is_discarding) = (true, true);
        *queue = Queue { items, is_aborted, is_discarding, ..Queue::default() };
    }

    /// Accepts items again after [`Self::abort`].
    pub(super) fn stop_discarding(&self) {
        self.lock().is_discarding = false;
    }

    /// Returns the place of the next item and the state of the outbox. Changes nothing.
    pub(super) fn peek(&self) -> Peek {
        let queue = self.lock();
        Peek {
            after: queue.items.front().map(|queued| queued.after),
            has_replay: queue.replay.is_some(),
            is_aborted: queue.is_aborted,
        }
    }

    /// Removes and returns the next item, and gives its memory back to the budget. `None` if there
    /// is no item. Does not check the item's place: first compare [`Peek::after`] with the
    /// published head. A replay needs [`Self::begin_replay`] instead.
    pub(super) fn take(&self) -> Option<Item> {
        let mut queue = self.lock();
        let queued = queue.items.pop_front()?;
        self.release(&mut queue, queued.item.bytes());
        if queue.items.is_empty() {
            // Most outboxes are empty most of the time: those of all idle clients.
            queue.items = VecDeque::new();
        }
        Some(queued.item)
    }

    /// If the next item is a replay, begins it and returns true: then call [`Self::encode_replay`]
    /// until it returns `None`. Otherwise returns false. The replay uses its memory until it ends.
    /// Does not check the item's place. Call it only when no other replay is in progress.
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
    /// left. After the last entry, ends the replay and gives its memory back. `None` if there is no
    /// replay.
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

    /// Drops the rest of the replay, and gives its memory back. Does nothing if there is no replay.
    pub(super) fn drop_replay(&self) {
        let mut queue = self.lock();
        if let Some(replay) = queue.replay.take() {
            self.release(&mut queue, replay.bytes);
        }
    }

    /// Subtracts bytes from the queue's size, and gives them back to the budget.
    fn release(&self, queue: &mut Queue, bytes: usize) {
        queue.bytes = queue.bytes.saturating_sub(bytes);
        self.give_back(bytes);
    }

    /// Gives bytes back to the memory budget, and subtracts them from the memory of the client's
    /// address group.
    fn give_back(&self, bytes: usize) {
        self.budget.release(bytes);
        if let Some(group_bytes) = self.group_bytes.get() {
            group_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Wakes the connection's task. If the task is not waiting, its next wait returns at once.
    pub(super) fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Waits for a wake-up. Returns at once if there was one since the last wait.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// Locks the queue. Poison is ignored: if a task panics while it holds the lock, the queue can
    /// still be used.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.give_back(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Draft, MessageText, Reference, RoomName, SessionId, Style, Target, Timestamp, Username,
    };

    /// Returns a queued item with frames of `bytes` bytes, placed before every entry.
    fn item_of(bytes: usize) -> Queued {
        Queued { after: Sequence::ZERO, item: Item::Frames(vec![0; bytes].into()) }
    }

    /// Returns a log entry: a short message in the lobby.
    fn entry() -> LogEntry {
        let draft = Draft {
            person: None,
            session: SessionId(1),
            username: Username::new("anna").unwrap(),
            reference: Reference(1),
            target: Target::Room(RoomName::lobby()),
            style: Style(0),
            text: MessageText::new("hi").unwrap(),
        };
        LogEntry { sequence: Sequence(1), previous: Sequence(0), time: Timestamp(0), draft }
    }

    /// An item is refused if the outbox or the shared budget is full. After `abort`, items are
    /// dropped until `stop_discarding`.
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
        assert_eq!(budget.used(), 0);
    }

    /// A replay uses its full memory until its last entry is encoded or the replay is dropped.
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
            assert_eq!(budget.used(), bytes);
            if is_dropped {
                outbox.drop_replay();
            } else {
                assert!(outbox.encode_replay(1).is_some());
            }
            assert!(!outbox.peek().has_replay && outbox.encode_replay(1).is_none());
            assert_eq!(budget.used(), 0);
        }
    }
}
