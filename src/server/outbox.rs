//! What the engine has for one connection, and the wakeup that wakes it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::feed::Feed;
use crate::hub::RoomId;
use crate::model::limits::MAX_FRAME;
use crate::model::{Logged, Sequence, SharedEntry};

/// A room's feed, shared by the fan-out and all its readers.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// Something for one connection, in its place between what its rooms bring.
#[derive(Debug)]
pub(super) struct Queued {
    /// To be processed only when everything of the connection's rooms up to
    /// and with this sequence has been sent, and before anything behind it.
    pub(super) after: Sequence,
    /// What it is.
    pub(super) item: Item,
}

/// The sorts of [`Queued`].
#[derive(Debug)]
pub(super) enum Item {
    /// Encoded frames.
    Frames(Bytes),
    /// Entries, to be encoded as they are sent.
    Entries(Vec<SharedEntry>, u8),
    /// A further room to read.
    Subscribe(RoomId, SharedFeed),
    /// One room less.
    Unsubscribe(RoomId),
    /// Tell the engine when this is reached.
    Mark,
    /// Send what is due, then end.
    Close,
}

impl Item {
    /// Bytes of memory that it takes. (Entries may be shared with the log, but
    /// need not be.)
    fn bytes(&self) -> usize {
        match self {
            Self::Frames(frames) => size_of::<Queued>() + frames.len(),
            Self::Entries(entries, _) => {
                let texts = entries.iter().map(|it| it.draft.text.as_str().len());
                let each = size_of::<SharedEntry>() + size_of::<Logged>();
                size_of::<Queued>() + entries.len() * each + texts.sum::<usize>()
            }
            Self::Subscribe(..) | Self::Unsubscribe(_) | Self::Mark => size_of::<Queued>(),
            Self::Close => 0,
        }
    }
}

/// Bytes of mail that may wait for one connection.
const MAX_OUTBOX_BYTES: usize = 1 << 20;

/// Pieces of mail that may wait for one connection.
const MAX_OUTBOX_ITEMS: usize = 4_096;

/// Bytes that may still wait for all connections together.
#[derive(Debug)]
pub(super) struct MemoryBudget(AtomicUsize);

impl Default for MemoryBudget {
    /// No limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryBudget {
    /// So many bytes.
    pub(super) const fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes so many bytes for as long as what is returned lives; none if
    /// there are not so many left.
    fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let take = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Reservation { budget: self.clone(), bytes })
    }
}

/// A part of a [`MemoryBudget`], given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    /// Where it belongs.
    budget: Arc<MemoryBudget>,
    /// How much it is.
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// The letter box of one connection: the engine's task puts in, the
/// connection's task takes out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What waits.
    mail: Mutex<Waiting>,
    /// Rung when there is mail or news in a room.
    wakeup: Notify,
    /// What may wait in all letter boxes together.
    budget: Arc<MemoryBudget>,
}

/// Queued with its size.
#[derive(Debug, Default)]
struct Waiting {
    /// In order, each with its part of the budget. (`Close` needs none.)
    mail: VecDeque<(Queued, Option<Reservation>)>,
    /// Bytes of its frames.
    bytes: usize,
}

/// There is more mail than one connection, or all together, may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// An empty one.
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Puts something in, without ringing. `Close` always fits.
    pub(super) fn put(&self, mail: Queued) -> Result<(), Overflow> {
        let mut waiting = self.lock();
        if matches!(mail.item, Item::Close) {
            waiting.mail.push_back((mail, None));
            return Ok(());
        }
        let bytes = mail.item.bytes();
        if waiting.mail.len() >= MAX_OUTBOX_ITEMS || waiting.bytes + bytes > MAX_OUTBOX_BYTES {
            return Err(Overflow);
        }
        let reserved = self.budget.reserve(bytes).ok_or(Overflow)?;
        waiting.bytes += bytes;
        waiting.mail.push_back((mail, Some(reserved)));
        Ok(())
    }

    /// Throws away what waits: nobody will read it, only the end.
    pub(super) fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// Sequence behind which the next mail is to be processed.
    pub(super) fn next_after(&self) -> Option<Sequence> {
        self.lock().mail.front().map(|(mail, _)| mail.after)
    }

    /// Takes the next mail out. Keep its part of the budget for as long as
    /// the memory is in use.
    pub(super) fn take(&self) -> Option<(Item, Option<Reservation>)> {
        let mut waiting = self.lock();
        let (mail, reserved) = waiting.mail.pop_front()?;
        waiting.bytes = waiting.bytes.saturating_sub(mail.item.bytes());
        if waiting.mail.is_empty() && waiting.mail.capacity() > MAX_FRAME / size_of::<Queued>() {
            waiting.mail = VecDeque::new();
        }
        Some((mail.item, reserved))
    }

    /// Rings. Rung before anybody waits, it is heard by who waits next.
    pub(super) fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Waits for the wakeup.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// The mail. A task that panicked while it held the lock has left a
    /// queue that is whole: each change is a single push or pop.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks a feed. Poison is ignored for the reason given at
/// [`Outbox::lock`].
pub(super) fn lock_feed(feed: &SharedFeed) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes of mail.
    fn mail(bytes: usize) -> Queued {
        Queued { after: Sequence::ZERO, item: Item::Frames(vec![0; bytes].into()) }
    }

    #[test]
    fn outbox_size_is_bounded_per_connection_and_in_total() {
        let budget = Arc::new(MemoryBudget::new(1_500_000));
        let (one, other) = (Outbox::new(budget.clone()), Outbox::new(budget.clone()));
        one.put(mail(1_000_000)).unwrap();
        assert_eq!(one.put(mail(100_000)), Err(Overflow), "too much for one");
        assert_eq!(other.put(mail(600_000)), Err(Overflow), "too much together");
        other.put(Queued { after: Sequence::ZERO, item: Item::Close }).unwrap();
        let taken = one.take();
        assert_eq!(other.put(mail(600_000)), Err(Overflow), "it is still in use");
        drop(taken);
        other.put(mail(600_000)).unwrap();
        other.clear();
        drop((one, other));
        assert_eq!(budget.0.load(Ordering::Relaxed), 1_500_000);
    }
}
