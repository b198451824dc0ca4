//! What the engine has for one connection, and the bell that wakes it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::feed::Feed;
use crate::hub::RoomId;
use crate::model::limits::MAX_FRAME;
use crate::model::{Sequence, SharedEntry};

/// A room's feed, shared by the fan-out and all its readers.
pub(super) type SharedFeed = Arc<Mutex<Feed>>;

/// Something for one connection, in its place between what its rooms bring.
#[derive(Debug)]
pub(super) struct Mail {
    /// To be processed only when everything of the connection's rooms up to
    /// and with this sequence has been sent, and before anything behind it.
    pub(super) after: Sequence,
    /// What it is.
    pub(super) item: Item,
}

/// The sorts of [`Mail`].
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
    /// Send what is due, then end.
    Close,
}

/// Bytes of mail that may wait for one connection.
const MAX_MAIL_BYTES: usize = 1 << 20;

/// Pieces of mail that may wait for one connection.
const MAX_MAIL: usize = 4_096;

/// The letter box of one connection: the engine's task puts in, the
/// connection's task takes out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What waits.
    mail: Mutex<Waiting>,
    /// Rung when there is mail or news in a room.
    bell: Notify,
}

/// Mail with its size.
#[derive(Debug, Default)]
struct Waiting {
    /// In order.
    mail: VecDeque<Mail>,
    /// Bytes of its frames.
    bytes: usize,
}

/// There is more mail than one connection may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// Puts something in, without ringing. `Close` always fits.
    pub(super) fn put(&self, mail: Mail) -> Result<(), Overflow> {
        let mut waiting = self.lock();
        let bytes = match &mail.item {
            Item::Frames(frames) => frames.len(),
            _ => 0,
        };
        let full = waiting.mail.len() >= MAX_MAIL || waiting.bytes + bytes > MAX_MAIL_BYTES;
        if full && !matches!(mail.item, Item::Close) {
            return Err(Overflow);
        }
        waiting.bytes += bytes;
        waiting.mail.push_back(mail);
        Ok(())
    }

    /// Throws away what waits: nobody will read it, only the end.
    pub(super) fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// Sequence behind which the next mail is to be processed.
    pub(super) fn next_after(&self) -> Option<Sequence> {
        self.lock().mail.front().map(|mail| mail.after)
    }

    /// Takes the next mail out.
    pub(super) fn take(&self) -> Option<Item> {
        let mut waiting = self.lock();
        let mail = waiting.mail.pop_front()?;
        if let Item::Frames(frames) = &mail.item {
            waiting.bytes -= frames.len();
        }
        if waiting.mail.is_empty() && waiting.mail.capacity() > MAX_FRAME / size_of::<Mail>() {
            waiting.mail = VecDeque::new();
        }
        Some(mail.item)
    }

    /// Rings. Rung before anybody waits, it is heard by who waits next.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for the bell.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
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
