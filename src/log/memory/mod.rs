//! In-memory log: its entries are lost when the process ends.
//!
//! All calls except searches are answered at once. A search reads the whole log, so a thread
//! performs the search on a snapshot (`search`). Rings and snapshots share their entries
//! (`chunks`).

mod chunks;
mod ring;
mod search;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use self::ring::{Ring, memory_cost};
use self::search::{SearchJob, Searcher};
use super::replay_page::ReplayPage;
use super::volatile::VolatileSequencer;
use super::{Log, LogEvent, TimestampSource};
use crate::hub::{
    LogItem, NotStoredReason, Now, Proposal, ReadOutcome, ReadRange, ReadRequest, ReadTag, Ticket,
};
use crate::model::limits::{HISTORY_LENGTH, MAX_KEPT_DIRECT_MESSAGES};
use crate::model::{
    Draft, Fact, FactDraft, LogEntry, NameKey, RemovedMessage, Retention, RoomName, Sequence,
    SessionId, SharedEntry, SharedFact, Target, Timestamp,
};
use crate::moderation::ModerationState;

/// Maximum number of removals that are kept for clients that come back. The oldest is forgotten
/// first.
const MAX_REMOVALS: usize = 10_000;

/// Limits of the entries that a [`MemoryLog`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Maximum number of entries of each room. A value below [`HISTORY_LENGTH`] counts as
    /// [`HISTORY_LENGTH`].
    pub room_entries: usize,
    /// Maximum memory of all room entries together, in bytes. All direct messages together have the
    /// same limit, counted separately. Each entry counts with the length of its text and a fixed
    /// amount.
    ///
    /// When room entries exceed the limit, the largest rooms lose their oldest entries, until at
    /// most 7/8 of the limit is used. Each room keeps its last [`HISTORY_LENGTH`] entries. When
    /// direct messages exceed the limit, the oldest ones are dropped, over all sessions.
    pub total_bytes: usize,
    /// Target number of rooms. When it is exceeded by more than an eighth, [`Log::maintain`] evicts
    /// rooms until this number is left. Open rooms are not evicted. Rooms with fewer than
    /// [`HISTORY_LENGTH`] entries are evicted first, the smallest of them first. Then follow the
    /// rooms whose last entry is oldest.
    pub rooms: usize,
}

impl Default for MemoryLimits {
    /// Returns the default limits, which suit a Raspberry Pi with 512 MB of memory.
    fn default() -> Self {
        Self { room_entries: 10_000, total_bytes: 32 << 20, rooms: 1_000 }
    }
}

/// Log in memory. It has a ring of the latest entries for each room, and a ring of direct messages
/// for each session. So a busy room does not displace the entries of a quiet room.
#[derive(Debug)]
pub struct MemoryLog {
    /// Limits of the entries that are kept.
    limits: MemoryLimits,
    /// Last sequence that was assigned; 0 if none was.
    head: Sequence,
    /// Source of the timestamps of entries and facts.
    timestamps: TimestampSource,
    /// Source of the numbers of volatile changes.
    volatile: VolatileSequencer,
    /// True if the clock was set before a draft that was refused, and nothing was committed since.
    /// The next commit reports it.
    has_unreported_clock_change: bool,
    /// Moderation state: the fold of all facts so far.
    moderation: ModerationState,
    /// Latest facts by which messages were removed, at most [`MAX_REMOVALS`], in ascending order of
    /// sequence.
    removals: VecDeque<SharedFact>,
    /// Latest entries of each room, by the key of the room's name.
    rooms: HashMap<NameKey, Ring>,
    /// Latest direct messages of each session, sent and received. A message is put in the rings of
    /// both sessions.
    directs: HashMap<SessionId, Ring>,
    /// Sequence and session of each entry in `directs`, in ascending order of sequence. May also
    /// contain stale elements, whose entries were dropped from `directs`.
    direct_order: VecDeque<(Sequence, SessionId)>,
    /// Memory of all entries in `directs`, in bytes. A message in two rings counts twice.
    direct_bytes: usize,
    /// Memory of all entries in `rooms`, in bytes.
    room_bytes: usize,
    /// Greatest sequence of any evicted entry. A room that is not in `rooms` may have lost entries
    /// up to and including this sequence.
    evicted_up_to: Sequence,
    /// Events that [`Log::poll_event`] returns next.
    events: VecDeque<LogEvent>,
    /// Search thread. It works on snapshots, because a search takes longer the larger the log is.
    searcher: Searcher,
}

impl MemoryLog {
    /// Creates an empty log.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            head: Sequence::ZERO,
            timestamps: TimestampSource::default(),
            volatile: VolatileSequencer::new(SessionId(1)),
            has_unreported_clock_change: false,
            moderation: ModerationState::default(),
            removals: VecDeque::new(),
            rooms: HashMap::new(),
            directs: HashMap::new(),
            direct_order: VecDeque::new(),
            direct_bytes: 0,
            room_bytes: 0,
            evicted_up_to: Sequence::ZERO,
            events: VecDeque::new(),
            searcher: Searcher::new(),
        }
    }

    /// Assigns the next sequence to a draft, and stores it as an entry. Returns the entry. The
    /// caller must then trim to the limits of memory ([`Self::trim_rooms`],
    /// [`Self::trim_directs`]), and emit the event.
    fn append_draft(&mut self, time: Timestamp, draft: Draft) -> SharedEntry {
        self.head = self.head.next();
        let previous = match &draft.target {
            Target::Room(room) => self.rooms.get(room.key()).map(Ring::last_sequence),
            Target::Session(..) => None,
        };
        let previous = previous.unwrap_or_default();
        let entry = Arc::new(LogEntry { sequence: self.head, previous, time, draft });
        self.store_entry(&entry);
        entry
    }

    /// Returns the moderation state at the head.
    #[cfg(test)]
    pub(super) const fn moderation(&self) -> &ModerationState {
        &self.moderation
    }

    /// Returns the time of the drafts of one call: generates it for the first draft. Notes if the
    /// clock was set.
    fn date(&mut self, now: Now, timestamp: &mut Option<Timestamp>) -> Timestamp {
        *timestamp.get_or_insert_with(|| {
            let (time, clock_was_set) = self.timestamps.generate(now);
            self.has_unreported_clock_change |= clock_was_set;
            time
        })
    }

    /// Assigns the next sequence to a fact, judges it, applies it to the moderation state, and
    /// removes the text of the message that it removes, if any. Returns the fact with the verdict.
    fn append_fact(&mut self, time: Timestamp, draft: FactDraft) -> SharedFact {
        self.head = self.head.next();
        let is_effective = self.moderation.judge(&draft, time).is_ok();
        let fact = Arc::new(Fact { sequence: self.head, time, draft, is_effective });
        self.moderation.apply(&fact);
        if let Some(message) = fact.removed_message() {
            self.remove_text(&message);
            self.removals.push_back(fact.clone());
            if self.removals.len() > MAX_REMOVALS {
                self.removals.pop_front();
            }
        }
        fact
    }

    /// Removes the text of a message, if the log still has this message.
    fn remove_text(&mut self, message: &RemovedMessage<'_>) {
        if let Some(ring) = self.rooms.get_mut(message.room.key()) {
            self.room_bytes -= ring.bytes;
            ring.remove_text(message);
            self.room_bytes += ring.bytes;
        }
    }

    /// Deletes the direct messages that are kept for a session. Other sessions keep their copies.
    fn delete_session(&mut self, session: SessionId) {
        self.direct_bytes -= self.directs.remove(&session).map_or(0, |ring| ring.bytes);
    }

    /// Stores an entry in the ring of its room, or in the rings of its two sessions. Drops the
    /// oldest entries of each ring beyond its maximum number of entries.
    fn store_entry(&mut self, entry: &SharedEntry) {
        match &entry.draft.target {
            Target::Room(room) => {
                let ring = self.rooms.entry(room.key().clone()).or_default();
                if ring.entries.is_empty() {
                    ring.last_dropped = self.evicted_up_to;
                }
                self.room_bytes += memory_cost(entry);
                ring.push(entry.clone());
                while ring.entries.len() > self.limits.room_entries.max(HISTORY_LENGTH.into()) {
                    self.room_bytes -= ring.drop_oldest();
                }
            }
            Target::Session(recipient, _) => {
                self.store_direct(*recipient, entry);
                if *recipient != entry.draft.author() {
                    self.store_direct(entry.draft.author(), entry);
                }
            }
        }
    }

    /// Stores a direct message in the ring of one session. Drops the oldest entry of the ring if
    /// there are more than [`MAX_KEPT_DIRECT_MESSAGES`].
    fn store_direct(&mut self, session: SessionId, entry: &SharedEntry) {
        let ring = self.directs.entry(session).or_default();
        ring.push(entry.clone());
        self.direct_bytes += memory_cost(entry);
        self.direct_order.push_back((entry.sequence, session));
        if ring.entries.len() > MAX_KEPT_DIRECT_MESSAGES {
            self.direct_bytes -= ring.drop_oldest();
        }
    }

    /// Drops the oldest direct messages, over all sessions, until all together use at most
    /// [`MemoryLimits::total_bytes`]. Also removes stale elements of `direct_order`: those at the
    /// front, and all of them if the queue is long.
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
        // Stale elements may have piled up behind a valid element.
        if self.direct_order.len() > 1_000 + 2 * self.direct_bytes / size_of::<LogEntry>() {
            let Self { direct_order, directs, .. } = self;
            direct_order.retain(|(sequence, session)| {
                let oldest = directs.get(session).and_then(|ring| ring.entries.front());
                oldest.is_some_and(|oldest| oldest.sequence <= *sequence)
            });
        }
    }

    /// If all rooms together exceed [`MemoryLimits::total_bytes`], drops the oldest entries of the
    /// largest rooms, until at most 7/8 of that is used. Every room keeps its last
    /// [`HISTORY_LENGTH`] entries.
    fn trim_rooms(&mut self) {
        if self.room_bytes <= self.limits.total_bytes {
            return;
        }
        // Free an eighth of the limit in addition, so that rooms are not trimmed at each append.
        let wanted = self.limits.total_bytes - self.limits.total_bytes / 8;
        while self.room_bytes > wanted {
            // Rooms that must keep all their entries leave less for the others. A room may become
            // one of them here, and then the others are looked at again.
            let has_spare = |ring: &Ring| ring.entries.len() > usize::from(HISTORY_LENGTH);
            let sizes: Vec<usize> =
                self.rooms.values().filter(|it| has_spare(it)).map(|it| it.bytes).collect();
            let fixed = self.room_bytes - sizes.iter().sum::<usize>();
            let level = common_size(sizes, wanted.saturating_sub(fixed));
            let before = self.room_bytes;
            for ring in self.rooms.values_mut() {
                while ring.bytes > level && has_spare(ring) {
                    self.room_bytes -= ring.drop_oldest();
                }
            }
            if self.room_bytes == before {
                break;
            }
        }
    }

    /// If there are too many rooms, evicts rooms that are not open, with all their entries.
    /// [`MemoryLimits::rooms`] says the limit and the order. Does nothing until the limit is
    /// exceeded by more than an eighth, so that the rooms are not sorted at each message.
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
            self.room_bytes -= self.rooms.remove(&key).map_or(0, |ring| ring.bytes);
        }
    }

    /// Performs a read that is no search, and emits no event. Returns the entries of the requested
    /// range, and the requested rooms that have gaps. For a search, returns no entries.
    fn find_entries(&self, request: &ReadRequest) -> ReadOutcome {
        let rooms = request.rooms.iter().filter_map(|room| self.rooms.get(room.key()));
        let session = match request.range {
            ReadRange::Latest(_) | ReadRange::After(..) => request.session,
            ReadRange::Before(..) | ReadRange::Matching(_) => None,
        };
        let directs = session.and_then(|session| self.directs.get(&session));
        let mut page = ReplayPage::default();
        let mut more = false;
        for ring in rooms.chain(directs) {
            let keep = |entry: &SharedEntry| {
                page.entries.insert(entry.sequence, entry.clone());
            };
            match &request.range {
                ReadRange::Latest(count) => {
                    ring.latest_before(Sequence(u64::MAX), *count).0.for_each(keep);
                }
                ReadRange::After(sequence, count) => {
                    ring.first_after(*sequence, *count).for_each(keep)
                }
                ReadRange::Before(sequence, count) => {
                    let (entries, has_older) = ring.latest_before(*sequence, *count);
                    entries.for_each(keep);
                    more |= has_older;
                }
                // The search thread does this.
                ReadRange::Matching(_) => {}
            }
        }
        if let ReadRange::After(sequence, count) = &request.range {
            let count = usize::from(*count);
            let removals = self.removals_after(*sequence, &request.rooms).take(count + 1);
            page.removals.extend(removals.map(|it| (it.sequence, it.clone())));
            more = page.keep_first(count);
        }
        ReadOutcome {
            entries: page.entries.into_values().collect(),
            removals: page.removals.into_values().collect(),
            head: self.head,
            gaps: self.rooms_with_gaps(request),
            more,
        }
    }

    /// Returns the removals after a sequence in these rooms, in ascending order of sequence.
    fn removals_after(
        &self,
        sequence: Sequence,
        rooms: &[RoomName],
    ) -> impl Iterator<Item = &SharedFact> {
        let start = self.removals.partition_point(|it| it.sequence <= sequence);
        let is_in_rooms = |it: &&SharedFact| {
            it.removed_message().is_some_and(|it| rooms.iter().any(|of| of.key() == it.room.key()))
        };
        self.removals.range(start..).filter(is_in_rooms)
    }

    /// Returns the requested rooms that have lost, or may have lost, entries after the start of the
    /// range. Empty if the range is not [`ReadRange::After`].
    fn rooms_with_gaps(&self, request: &ReadRequest) -> Vec<RoomName> {
        let ReadRange::After(sequence, _) = request.range else { return Vec::new() };
        let has_gap = |room: &&RoomName| {
            let last_lost =
                self.rooms.get(room.key()).map_or(self.evicted_up_to, |ring| ring.last_dropped);
            last_lost > sequence
        };
        request.rooms.iter().filter(has_gap).cloned().collect()
    }
}

impl Log for MemoryLog {
    /// Ignores session records and read marks: nothing in memory survives a restart.
    fn propose(&mut self, now: Now, proposals: Vec<Proposal>) {
        let mut items = Vec::with_capacity(proposals.len());
        let mut refusals = Vec::new();
        let mut timestamp = None;
        for proposal in proposals {
            match proposal {
                Proposal::Message(draft) => {
                    let time = self.date(now, &mut timestamp);
                    match self.moderation.judge_message(&draft) {
                        Ok(()) => items.push(LogItem::Message(self.append_draft(time, draft))),
                        Err(error) => refusals.push(LogEvent::NotStored {
                            ticket: Ticket::of_message(&draft),
                            reason: NotStoredReason::Forbidden(error),
                        }),
                    }
                }
                Proposal::Fact { ticket, draft } => {
                    let time = self.date(now, &mut timestamp);
                    let fact = self.append_fact(time, draft);
                    items.push(LogItem::Fact { ticket: Some(ticket), fact });
                }
                Proposal::PersistSession(_)
                | Proposal::KeepReadMarks(_)
                | Proposal::HandOver { .. } => {}
                Proposal::DeleteSession(session) => self.delete_session(session),
                Proposal::Volatile(draft) => items.push(self.volatile.commit(draft)),
            }
        }
        let has_entries = items.iter().any(|it| it.sequence().is_some());
        if has_entries {
            self.trim_rooms();
            self.trim_directs();
        }
        if !items.is_empty() {
            let clock_was_set =
                has_entries && std::mem::take(&mut self.has_unreported_clock_change);
            self.events.push_back(LogEvent::Committed { items, clock_was_set });
        }
        self.events.extend(refusals);
    }

    fn read(&mut self, tag: ReadTag, request: ReadRequest) {
        if let ReadRange::Matching(query) = request.range {
            let rooms = request.rooms.iter().filter_map(|room| self.rooms.get(room.key()));
            let rooms = rooms.map(|ring| ring.entries.clone()).collect();
            return self.searcher.search(SearchJob { tag, query, rooms, head: self.head });
        }
        let outcome = Ok(self.find_entries(&request));
        self.events.push_back(LogEvent::ReadDone { tag, outcome });
    }

    fn maintain(&mut self, is_room_open: &dyn Fn(&RoomName) -> bool) {
        self.evict_rooms(is_room_open);
    }

    /// Replaces the limits of room entries and of memory. The new limits apply from the next
    /// message on. 0 does not mean "no limit" here: it keeps the least possible. The maximum age is
    /// ignored.
    fn set_retention(&mut self, retention: Retention) {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        self.limits.room_entries = whole(retention.messages.into());
        self.limits.total_bytes = whole(retention.bytes);
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None => self.searcher.poll_event(context),
        }
    }

    fn close(self: Box<Self>) {}
}

/// Returns the greatest size to which all larger ones must be cut so that the sum is at most
/// `total`; [`usize::MAX`] if it is not greater as they are.
fn common_size(mut sizes: Vec<usize>, total: usize) -> usize {
    sizes.sort_unstable();
    let mut left = total;
    let mut count = sizes.len();
    for size in sizes {
        let share = left / count;
        if size > share {
            return share;
        }
        left -= size;
        count -= 1;
    }
    usize::MAX
}
