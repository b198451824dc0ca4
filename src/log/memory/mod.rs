//! The log that forgets everything when the server stops.

mod ring;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use self::ring::{Ring, memory_cost};
use super::{Log, LogEvent, TimestampSource};
use crate::hub::{Now, ReadOutcome, ReadRange, ReadRequest, ReadTag};
use crate::model::limits::{HISTORY_LENGTH, MAX_KEPT_DIRECT_MESSAGES};
use crate::model::{
    Draft, LogEntry, NameKey, Retention, RoomName, Sequence, SessionId, SessionRecord, SharedEntry,
    Target,
};

/// How much a [`MemoryLog`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Entries of one room.
    pub room_entries: usize,
    /// Bytes of all rooms, and as many again of direct messages, counting
    /// texts and a fixed sum for the rest. The largest rooms shrink first,
    /// none below the 10 of a newcomer; of direct messages the oldest go.
    pub total_bytes: usize,
    /// Rooms of which something is kept though nobody is in them. Beyond
    /// that those with less than the 10 of a newcomer are evicted_up_to first,
    /// and of those the ones that have been quiet longest.
    pub rooms: usize,
}

impl Default for MemoryLimits {
    /// Suits a Raspberry Pi with 512 MB.
    fn default() -> Self {
        Self { room_entries: 10_000, total_bytes: 32 << 20, rooms: 1_000 }
    }
}

/// A log in memory: a ring for each room, one for each session's direct
/// messages, so that a busy room does not push out what a quiet one keeps.
#[derive(Debug)]
pub struct MemoryLog {
    /// What to keep.
    limits: MemoryLimits,
    /// The last sequence that was given.
    head: Sequence,
    /// Gives the times.
    timestamps: TimestampSource,
    /// Entries by room.
    rooms: HashMap<NameKey, Ring>,
    /// Direct messages, under both their sessions.
    directs: HashMap<SessionId, Ring>,
    /// Under which sessions direct messages were put, oldest first; some may
    /// be gone from there already.
    direct_order: VecDeque<(Sequence, SessionId)>,
    /// Bytes in `directs`.
    direct_bytes: usize,
    /// Bytes in `rooms`.
    bytes: usize,
    /// The greatest sequence of a room that was evicted_up_to: of a room that
    /// is not here, something up to there may be missing.
    evicted_up_to: Sequence,
    /// What is still to be told.
    events: VecDeque<LogEvent>,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            head: Sequence::ZERO,
            timestamps: TimestampSource::default(),
            rooms: HashMap::new(),
            directs: HashMap::new(),
            direct_order: VecDeque::new(),
            direct_bytes: 0,
            bytes: 0,
            evicted_up_to: Sequence::ZERO,
            events: VecDeque::new(),
        }
    }

    /// Gives drafts their places and times, keeps them, and says whether the clock
    /// had been set since the last time.
    fn append_drafts(
        &mut self,
        now: Now,
        drafts: impl IntoIterator<Item = Draft>,
    ) -> (Vec<SharedEntry>, bool) {
        let (time, clock_was_set) = self.timestamps.generate(now);
        let entries = drafts
            .into_iter()
            .map(|draft| {
                self.head = self.head.next();
                let previous = match &draft.target {
                    Target::Room(room) => self.rooms.get(room.key()).map(Ring::last_sequence),
                    Target::Session(..) => None,
                };
                let previous = previous.unwrap_or_default();
                let entry = Arc::new(LogEntry { sequence: self.head, previous, time, draft });
                self.store(&entry);
                entry
            })
            .collect();
        self.trim_rooms();
        self.trim_directs();
        (entries, clock_was_set)
    }

    /// Puts an entry into the rings that it belongs to.
    fn store(&mut self, entry: &SharedEntry) {
        match &entry.draft.target {
            Target::Room(room) => {
                let ring = self.rooms.entry(room.key().clone()).or_default();
                if ring.entries.is_empty() {
                    ring.dropped = self.evicted_up_to;
                }
                self.bytes += memory_cost(entry);
                ring.push(entry.clone());
                while ring.entries.len() > self.limits.room_entries.max(HISTORY_LENGTH.into()) {
                    self.bytes -= ring.drop_oldest();
                }
            }
            Target::Session(recipient, _) => {
                self.store_direct(*recipient, entry);
                if *recipient != entry.draft.session {
                    self.store_direct(entry.draft.session, entry);
                }
            }
        }
    }

    /// Puts a direct message into one session's ring.
    fn store_direct(&mut self, session: SessionId, entry: &SharedEntry) {
        let ring = self.directs.entry(session).or_default();
        ring.push(entry.clone());
        self.direct_bytes += memory_cost(entry);
        self.direct_order.push_back((entry.sequence, session));
        if ring.entries.len() > MAX_KEPT_DIRECT_MESSAGES {
            self.direct_bytes -= ring.drop_oldest();
        }
    }

    /// Drops the oldest direct messages until the rest is within the limit,
    /// and forgets the places of those that are gone.
    fn trim_directs(&mut self) {
        while let Some((sequence, session)) = self.direct_order.front().copied() {
            let ring = self.directs.get_mut(&session);
            let is_here = ring.as_ref().is_some_and(|ring| {
                ring.entries.front().is_some_and(|oldest| oldest.sequence == sequence)
            });
            if is_here && self.direct_bytes <= self.limits.total_bytes {
                break;
            }
            self.direct_order.pop_front();
            if let Some(ring) = ring.filter(|_| is_here) {
                self.direct_bytes -= ring.drop_oldest();
                if ring.entries.is_empty() {
                    self.directs.remove(&session);
                }
            }
        }
        // Behind one that stays, many may be gone.
        if self.direct_order.len() > 1_000 + 2 * self.direct_bytes / size_of::<LogEntry>() {
            let Self { direct_order, directs, .. } = self;
            direct_order.retain(|(sequence, session)| {
                let oldest = directs.get(session).and_then(|ring| ring.entries.front());
                oldest.is_some_and(|oldest| oldest.sequence <= *sequence)
            });
        }
    }

    /// Drops the oldest entries of the largest rooms until the rest is
    /// within the limit.
    fn trim_rooms(&mut self) {
        if self.bytes <= self.limits.total_bytes {
            return;
        }
        // An eighth more than has to be, so that it has not to be done at
        // each message.
        while self.bytes > self.limits.total_bytes - self.limits.total_bytes / 8 {
            let spare = |ring: &&mut Ring| ring.entries.len() > usize::from(HISTORY_LENGTH);
            let largest = self.rooms.values_mut().filter(spare).max_by_key(|ring| ring.bytes);
            let Some(ring) = largest else { break };
            self.bytes -= ring.drop_oldest();
        }
    }

    /// Forgets some of the rooms that are not in use, if there are too many
    /// rooms: an eighth too many, so that it has not to be done at
    /// each message.
    fn evict_rooms(&mut self, is_room_open: impl Fn(&RoomName) -> bool) {
        if self.rooms.len() <= self.limits.rooms + self.limits.rooms / 8 {
            return;
        }
        let excess = self.rooms.len() - self.limits.rooms;
        let newcomers = usize::from(HISTORY_LENGTH);
        let mut quiet: Vec<(usize, Sequence, NameKey)> = self
            .rooms
            .iter()
            .filter(|(_, ring)| !ring.room().is_some_and(&is_room_open))
            .map(|(key, ring)| {
                (ring.entries.len().min(newcomers), ring.last_sequence(), key.clone())
            })
            .collect();
        quiet.sort_unstable();
        for (_, last, key) in quiet.into_iter().take(excess) {
            self.evicted_up_to = self.evicted_up_to.max(last);
            self.bytes -= self.rooms.remove(&key).map_or(0, |ring| ring.bytes);
        }
    }

    /// Reads what `request` asks for.
    fn find_entries(&self, request: &ReadRequest) -> ReadOutcome {
        let rooms = request.rooms.iter().filter_map(|room| self.rooms.get(room.key()));
        let session = match request.range {
            ReadRange::Latest(_) | ReadRange::After(..) => request.session,
            ReadRange::Before(..) | ReadRange::Matching(_) => None,
        };
        let directs = session.and_then(|session| self.directs.get(&session));
        let mut merged = BTreeMap::new();
        let mut more = false;
        for ring in rooms.chain(directs) {
            let mut keep = |entry: &SharedEntry| {
                merged.insert(entry.sequence, entry.clone());
            };
            match &request.range {
                ReadRange::Latest(count) => {
                    ring.before(Sequence(u64::MAX), *count).0.for_each(keep);
                }
                ReadRange::After(sequence, count) => ring.after(*sequence, *count).for_each(keep),
                ReadRange::Before(sequence, count) => {
                    let (entries, has_older) = ring.before(*sequence, *count);
                    entries.for_each(keep);
                    more |= has_older;
                }
                ReadRange::Matching(query) => {
                    let most = usize::from(query.limit).saturating_add(1);
                    ring.matching(query).take(most).for_each(&mut keep);
                }
            }
        }
        match &request.range {
            ReadRange::After(_, count) => {
                while merged.len() > usize::from(*count) {
                    merged.pop_last();
                    more = true;
                }
            }
            ReadRange::Matching(query) => {
                while merged.len() > usize::from(query.limit) {
                    merged.pop_first();
                    more = true;
                }
            }
            ReadRange::Latest(_) | ReadRange::Before(..) => {}
        }
        ReadOutcome {
            entries: merged.into_values().collect(),
            head: self.head,
            gaps: self.rooms_with_gaps(request),
            more,
        }
    }

    /// The rooms that do not reach back to the range's beginning, or may
    /// not.
    fn rooms_with_gaps(&self, request: &ReadRequest) -> Vec<RoomName> {
        let ReadRange::After(sequence, _) = request.range else { return Vec::new() };
        let has_gap = |room: &&RoomName| {
            let dropped =
                self.rooms.get(room.key()).map_or(self.evicted_up_to, |ring| ring.dropped);
            dropped > sequence
        };
        request.rooms.iter().filter(has_gap).cloned().collect()
    }
}

impl Log for MemoryLog {
    fn append(&mut self, now: Now, drafts: Vec<Draft>) {
        let (entries, clock_was_set) = self.append_drafts(now, drafts);
        self.events.push_back(LogEvent::Committed { entries, clock_was_set });
    }

    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        let outcome = Ok(self.find_entries(&request));
        self.events.push_back(LogEvent::ReadDone { tag, outcome });
    }

    /// Nothing outlives a restart.
    fn persist_session(&mut self, _: SessionRecord) {}

    fn delete_session(&mut self, session: SessionId) {
        self.direct_bytes -= self.directs.remove(&session).map_or(0, |ring| ring.bytes);
    }

    fn maintain(&mut self, is_room_open: &dyn Fn(&RoomName) -> bool) {
        self.evict_rooms(is_room_open);
    }

    /// There is something to tell only right after it was asked for.
    /// A room shrinks with its next message, all of them with the next one in
    /// any. There is always a limit here, and no number of days.
    fn set_retention(&mut self, retention: Retention) {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.limits.room_entries = whole(retention.messages.into());
        self.limits.total_bytes = whole(retention.bytes);
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        self.events.pop_front().map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
    }

    fn close(self: Box<Self>) {}
}
