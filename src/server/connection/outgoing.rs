//! Outgoing half of a connection: merges the feeds of its rooms and its outbox into one stream of
//! frames. In the stream, the sequences of published entries ascend.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::hub::RoomId;
use crate::model::{ErrorCode, Sequence};
use crate::server::feed::{Behind, FeedReader};
use crate::server::outbox::{Item, Outbox};
use crate::wire::tcp::{Decoded, ServerFrame, kind};

/// Memory of due frames, in bytes, from which on nothing more is collected until some bytes are
/// written. It bounds the memory of a connection. The rest of an aborted outbox is collected in any
/// case.
const MAX_DUE_MEMORY: usize = 32 << 10;

/// Number of due bytes from which on encoding a replay pauses until some bytes are written. It is
/// lower than [`MAX_DUE_MEMORY`], because connections do not share replayed frames.
const REPLAY_CHUNK: usize = 16 << 10;

/// Subscription of the connection to a room's feed.
#[derive(Debug)]
struct Subscription {
    /// Room that is read.
    room: RoomId,
    /// Reader of the room's feed, for this connection.
    reader: FeedReader,
}

/// Outgoing half of a connection, without the socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Outbox: frames and commands of the engine for this connection.
    outbox: Arc<Outbox>,
    /// Feeds of the rooms that the connection reads.
    subscriptions: Vec<Subscription>,
    /// Due bytes: collected frames that are not written, in order.
    due: VecDeque<Bytes>,
    /// Number of bytes in `due`.
    due_bytes: usize,
    /// True if the connection has ever subscribed to a room. It stays true when the room is left.
    has_joined: bool,
    /// True after [`Self::stop_reading_rooms`]: feeds and replays are no longer read.
    rooms_stopped: bool,
    /// True if a mark was reached that [`Self::take_mark`] has not returned.
    marked: bool,
    /// True if `Close` was reached: nothing more is collected.
    closing: bool,
    /// Error of the last collected frame that ends the connection; `None` if there was none.
    end_error: Option<ErrorCode>,
}

impl Outgoing {
    /// Creates an outgoing half that reads `outbox` and no room.
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            subscriptions: Vec::new(),
            due: VecDeque::new(),
            due_bytes: 0,
            has_joined: false,
            rooms_stopped: false,
            marked: false,
            closing: false,
            end_error: None,
        }
    }

    /// Collects frames into [`Self::due`] and applies the outbox's commands, up to the published
    /// head `head`. Stops when [`MAX_DUE_MEMORY`] is reached, in a replay at [`REPLAY_CHUNK`] bytes
    /// already. If the outbox was aborted, stops reading rooms and collects its rest without a
    /// limit. Does nothing after `Close`. Call it after each wake-up. When all due frames are
    /// written, call it again, until none are due.
    ///
    /// # Errors
    /// [`Behind`] if a feed no longer holds the next entry: the connection must be closed.
    pub(super) fn collect(&mut self, head: Sequence) -> Result<(), Behind> {
        while !self.closing {
            let next = self.outbox.peek();
            if next.is_aborted && !self.rooms_stopped {
                self.stop_reading_rooms();
                continue;
            }
            // The rest of an aborted outbox is short, and its end must not wait for the client.
            if self.due_memory() >= MAX_DUE_MEMORY && !next.is_aborted {
                break;
            }
            if next.has_replay {
                if self.due_bytes >= REPLAY_CHUNK {
                    break;
                }
                if let Some(bytes) = self.outbox.encode_replay(REPLAY_CHUNK) {
                    self.push(bytes.into());
                }
                continue;
            }
            // An item waits while the published head has not reached its place. The engine wakes
            // this task again when it has.
            let after = next.after;
            if !self.collect_feeds(after.map_or(head, |after| after.min(head)))? {
                break;
            }
            match after {
                Some(_) if after <= Some(head) && self.begin_replay() => {}
                Some(after) if after <= head => match self.outbox.take() {
                    Some(item) => self.process(item, after)?,
                    None => break,
                },
                _ => break,
            }
        }
        Ok(())
    }

    /// Returns true if the feed of any room no longer holds this connection's next entry.
    pub(super) fn is_behind(&self) -> bool {
        self.subscriptions.iter().any(|it| it.reader.peek().is_err())
    }

    /// Returns the memory of the due frames, in bytes.
    fn due_memory(&self) -> usize {
        self.due_bytes + self.due.len() * size_of::<Bytes>()
    }

    /// Collects the frames of all rooms up to sequence `limit`, merged in ascending order. Returns
    /// true if all are collected. Returns false if [`MAX_DUE_MEMORY`] is reached before.
    ///
    /// # Errors
    /// [`Behind`] if a feed no longer holds the next entry.
    fn collect_feeds(&mut self, limit: Sequence) -> Result<bool, Behind> {
        loop {
            let room = MAX_DUE_MEMORY.saturating_sub(self.due_memory());
            let Self { subscriptions, due, due_bytes, .. } = self;
            let sink = |bytes: Bytes| {
                *due_bytes += bytes.len();
                due.push_back(bytes);
            };
            if let [only] = subscriptions.as_mut_slice() {
                only.reader.take(limit, room, sink)?;
                return Ok(only.reader.peek()?.is_none_or(|next| next > limit));
            }
            // The room with the smallest next sequence, and the sequence up to which it is the only
            // one.
            let mut first: Option<(Sequence, usize)> = None;
            let mut turn_ends = limit;
            for (index, subscription) in subscriptions.iter().enumerate() {
                let next = subscription.reader.peek()?;
                let Some(next) = next.filter(|next| *next <= limit) else { continue };
                match first {
                    Some((oldest, _)) if oldest <= next => turn_ends = turn_ends.min(next),
                    Some((oldest, _)) => {
                        turn_ends = turn_ends.min(oldest);
                        first = Some((next, index));
                    }
                    None => first = Some((next, index)),
                }
            }
            let chosen = first.and_then(|(_, index)| subscriptions.get_mut(index));
            let Some(Subscription { reader, .. }) = chosen else { return Ok(true) };
            if room == 0 {
                return Ok(false);
            }
            reader.take(turn_ends, room, sink)?;
        }
    }

    /// Applies an outbox item: appends its frames, begins or ends reading a room, or records a mark
    /// or the end. Call it when everything up to `after`, the item's place, is collected. After
    /// [`Self::stop_reading_rooms`], ignores new rooms. Always ignores replays:
    /// [`Self::begin_replay`] handles them.
    ///
    /// # Errors
    /// [`Behind`] if the feed of a new room has already dropped entries after `after`.
    fn process(&mut self, item: Item, after: Sequence) -> Result<(), Behind> {
        match item {
            Item::Frames(frames) => {
                self.end_error = closing_error(&frames).or(self.end_error);
                self.push(frames);
            }
            Item::Subscribe(..) if self.rooms_stopped => {}
            // Begun by `begin_replay`, unless rooms are no longer read.
            Item::Entries(..) => {}
            Item::Subscribe(room, mut reader) => {
                // Entries up to the item's place are not for this connection.
                reader.take(after, usize::MAX, drop)?;
                // Most clients are in one room, and `push` would make room for four.
                self.subscriptions.reserve_exact(1);
                self.subscriptions.push(Subscription { room, reader });
                self.has_joined = true;
            }
            Item::Unsubscribe(room) => self.subscriptions.retain(|it| it.room != room),
            Item::Mark => self.marked = true,
            Item::Close => self.closing = true,
        }
        Ok(())
    }

    /// Returns true if an [`Item::Mark`] was reached since the last call. The caller must then
    /// send [`EngineInput::MarkReached`](crate::server::engine::EngineInput::MarkReached) to the
    /// engine.
    #[must_use]
    pub(super) const fn take_mark(&mut self) -> bool {
        std::mem::replace(&mut self.marked, false)
    }

    /// If the next item of the outbox is a replay, begins the replay and returns true. Returns
    /// false if it is another item, or after [`Self::stop_reading_rooms`].
    fn begin_replay(&self) -> bool {
        !self.rooms_stopped && self.outbox.begin_replay()
    }

    /// Appends encoded frames to the due bytes.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.due_bytes += bytes.len();
            self.due.push_back(bytes);
        }
    }

    /// Returns the frames to write, in order.
    pub(super) const fn due(&self) -> &VecDeque<Bytes> {
        &self.due
    }

    /// Removes the first `count` due bytes. Call it after each write.
    pub(super) fn written(&mut self, mut count: usize) {
        self.due_bytes = self.due_bytes.saturating_sub(count);
        while let Some(front) = self.due.front_mut() {
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.due.pop_front();
        }
    }

    /// Returns true if the client has joined: the connection has subscribed to a room, even if it
    /// has left the room since.
    pub(super) const fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// Returns true if `Close` was reached: nothing more is collected.
    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Returns the error that ends the connection, whose frame was collected before `Close`. `None`
    /// for a regular end.
    pub(super) const fn end_error(&self) -> Option<ErrorCode> {
        self.end_error
    }

    /// Returns true if `Close` was reached and all due frames are written.
    pub(super) fn is_finished(&self) -> bool {
        self.closing && self.due.is_empty()
    }

    /// Drops all subscriptions and the replay in progress, and ignores later subscriptions and
    /// replays. From now on, only frames from the outbox are collected. Frames that are due stay
    /// due. Use it when the connection is about to be closed with an error.
    pub(super) fn stop_reading_rooms(&mut self) {
        self.subscriptions.clear();
        self.outbox.drop_replay();
        self.rooms_stopped = true;
    }
}

/// Returns the error of an encoded frame if the frame is an error that ends the connection.
fn closing_error(frame: &[u8]) -> Option<ErrorCode> {
    let (_, body) = frame.split_first_chunk::<2>()?;
    // Most frames are no errors, and need not be decoded.
    if body.first().copied().map(u16::from) != Some(kind::ERROR) {
        return None;
    }
    match ServerFrame::decode(body) {
        Decoded::Frame(ServerFrame::Error(error)) => {
            ErrorCode::from_number(error.code).filter(|it| it.closes())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Moment;
    use crate::server::feed::{BatchBuilder, Feed, SharedFeed, lock_feed};
    use crate::server::outbox::Queued;

    /// Publishes a batch in which each frame is its sequence as one byte.
    fn publish(feed: &SharedFeed, sequences: &[u8]) {
        let mut builder = BatchBuilder::default();
        for sequence in sequences {
            builder.push(Sequence((*sequence).into()), |buffer| buffer.push(*sequence));
        }
        lock_feed(feed).push(builder.finish(Moment::START));
    }

    /// Returns an outgoing half that reads the feeds of `rooms` rooms from the beginning. Also
    /// returns its outbox and the feeds.
    fn outgoing_with_rooms(rooms: u32) -> (Outgoing, Arc<Outbox>, Vec<SharedFeed>) {
        let outbox = Arc::new(Outbox::default());
        let mut outgoing = Outgoing::new(outbox.clone());
        let feeds: Vec<SharedFeed> =
            (0..rooms).map(|_| Arc::new(Mutex::new(Feed::new(100_000, Arc::default())))).collect();
        for (room, feed) in (0..rooms).zip(&feeds) {
            let reader = FeedReader::new(feed.clone(), Sequence::ZERO, None);
            let item = Item::Subscribe(RoomId(room), reader);
            outbox.put(Queued { after: Sequence::ZERO, item }).unwrap();
        }
        outgoing.collect(Sequence::ZERO).unwrap();
        (outgoing, outbox, feeds)
    }

    /// Returns the due bytes, and marks them as written.
    fn drain(outgoing: &mut Outgoing) -> Vec<u8> {
        let bytes = outgoing.due().iter().flatten().copied().collect::<Vec<u8>>();
        outgoing.written(bytes.len());
        assert_eq!(outgoing.due_bytes, 0);
        bytes
    }

    proptest! {
        /// Entries and outbox items are collected once and in order, for any distribution over
        /// rooms and batches.
        #[test]
        fn rooms_and_outbox_are_merged_in_order(
            rooms in prop::collection::vec(0_u32..3, 1..100),
            batch in 1_usize..20,
            items in prop::collection::btree_set(1_u8..100, 0..10),
            heads in prop::collection::vec(0_u8..100, 0..10),
        ) {
            let (mut outgoing, outbox, feeds) = outgoing_with_rooms(3);
            let last = u8::try_from(rooms.len()).unwrap();
            for (room, feed) in (0..3_u32).zip(&feeds) {
                let mine: Vec<u8> =
                    (1..=last).filter(|n| rooms[usize::from(*n) - 1] == room).collect();
                for chunk in mine.chunks(batch) {
                    publish(feed, chunk);
                }
            }
            let mut expected = Vec::new();
            for sequence in 1..=last {
                expected.push(sequence);
                if items.contains(&sequence) {
                    let item = Item::Frames(Bytes::copy_from_slice(&[sequence + 100]));
                    outbox.put(Queued { after: Sequence(sequence.into()), item }).unwrap();
                    expected.push(sequence + 100);
                }
            }
            let mut got = Vec::new();
            for head in heads.into_iter().chain([last]) {
                outgoing.collect(Sequence(head.into())).unwrap();
                got.extend(drain(&mut outgoing));
            }
            prop_assert_eq!(got, expected);
        }
    }

    /// After `Unsubscribe`, no later entry of the room is sent. After `Close`, the connection is
    /// finished once all due bytes are written.
    #[test]
    fn unsubscribe_and_close_take_effect_at_their_sequence() {
        let (mut outgoing, outbox, feeds) = outgoing_with_rooms(2);
        publish(&feeds[0], &[1, 3]);
        publish(&feeds[1], &[2, 4]);
        let put = |after, item| outbox.put(Queued { after: Sequence(after), item }).unwrap();
        put(2, Item::Unsubscribe(RoomId(0)));
        put(4, Item::Close);
        outgoing.collect(Sequence(4)).unwrap();
        assert!(!outgoing.is_finished());
        assert_eq!(drain(&mut outgoing), [1, 2, 4]);
        assert!(outgoing.is_finished());
    }

    /// After a partial write, the bytes that are left are still due. However much the rooms hold, a
    /// connection collects a limited amount, and goes on when that is written. It loses nothing and
    /// keeps the order, in one room and in several.
    #[test]
    fn collected_memory_is_bounded_and_nothing_is_lost() {
        for rooms in [1, 3] {
            let (mut outgoing, _, feeds) = outgoing_with_rooms(rooms);
            let mut frames = Vec::new();
            for sequence in 1..=250_u8 {
                let mut builder = BatchBuilder::default();
                let frame = [sequence; 300];
                builder.push(Sequence(sequence.into()), |buffer| buffer.extend(frame));
                let feed = &feeds[usize::from(sequence) % feeds.len()];
                lock_feed(feed).push(builder.finish(Moment::START));
                frames.extend(frame);
            }
            let (mut got, mut rounds) = (Vec::new(), 0);
            while got.len() < frames.len() {
                outgoing.collect(Sequence(250)).unwrap();
                assert!(outgoing.due_memory() < MAX_DUE_MEMORY + 400);
                got.extend(drain(&mut outgoing));
                rounds += 1;
            }
            assert!(got == frames && rounds == 3, "{rooms} rooms, {rounds} rounds");
        }
    }

    #[test]
    fn partial_writes_lose_nothing() {
        let (mut outgoing, _, feeds) = outgoing_with_rooms(1);
        publish(&feeds[0], &[1, 2, 3]);
        publish(&feeds[0], &[4, 5]);
        outgoing.collect(Sequence(5)).unwrap();
        outgoing.written(4);
        assert_eq!(drain(&mut outgoing), [5]);
    }
}
