//! Reads while the disk fails: adds unwritten entries and removals (committed in memory only) to
//! the results from the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::replay_page::ReplayPage;
use crate::hub::{ReadOutcome, ReadRange, ReadRequest};
use crate::model::{NameKey, Sequence, SharedEntry, SharedFact, Target};

/// Items that are committed in memory but not in the database. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwritten {
    /// Unwritten entries, in ascending order of sequence. The text of a removed one is the
    /// placeholder.
    pub(super) entries: Arc<[SharedEntry]>,
    /// Unwritten facts by which messages are removed, in ascending order of sequence. The messages
    /// may be in the database, with their texts.
    pub(super) removals: Arc<[SharedFact]>,
}

/// Returns the outcome of a read if the database cannot be read. The outcome has no entries and
/// head 0; [`Unwritten::add_to`] sets both.
/// - For the latest entries, the outcome reports no gaps.
/// - For entries after a position, the outcome reports all requested rooms as gaps, because their
///   stored entries are missing.
/// - For older entries and searches, returns `None`: the read must fail, because the entries in
///   memory are not enough.
pub(super) fn outcome_without_database(request: &ReadRequest) -> Option<ReadOutcome> {
    let gaps = match request.range {
        ReadRange::Latest(_) => Vec::new(),
        ReadRange::After(..) => request.rooms.clone(),
        ReadRange::Before(..) | ReadRange::Matching(_) => return None,
    };
    let (entries, removals) = (Vec::new(), Vec::new());
    Some(ReadOutcome { entries, removals, head: Sequence::ZERO, gaps, more: false })
}

impl Unwritten {
    /// Returns the number of unwritten removals.
    pub(super) fn removal_count(&self) -> usize {
        self.removals.len()
    }

    /// Returns true if an unwritten removal removes this message.
    pub(super) fn removes(&self, entry: &SharedEntry) -> bool {
        let mut messages = self.removals.iter().filter_map(|it| it.removed_message());
        messages.any(|it| it.is_entry(entry))
    }

    /// Adds the unwritten items that match a request to the outcome of the database, and removes
    /// the texts that unwritten removals remove. Applies the request's limit, in each room or in
    /// all, to stored and unwritten items together, and updates `more`. Sets the outcome's `head`
    /// to `head`, the last sequence of the log.
    ///
    /// If the database has more items after a position, adds none: they belong to a later page.
    ///
    /// Unwritten items must be later than every item of the database.
    pub(super) fn add_to(
        &self,
        found: ReadOutcome,
        request: &ReadRequest,
        head: Sequence,
    ) -> ReadOutcome {
        let mut outcome = ReadOutcome { head, ..found };
        for entry in outcome.entries.iter_mut().filter(|it| self.removes(it)) {
            *entry = Arc::new(entry.with_text_removed());
        }
        let wanted = self.entries.iter().filter(|entry| is_requested(entry, request));
        match &request.range {
            ReadRange::Latest(count) => {
                outcome.entries.extend(wanted.cloned());
                keep_latest_per_room(&mut outcome.entries, *count);
            }
            ReadRange::Before(_, count) => {
                outcome.entries.extend(wanted.cloned());
                outcome.more |= keep_latest_per_room(&mut outcome.entries, *count);
            }
            ReadRange::Matching(query) => {
                outcome.entries.extend(wanted.cloned());
                outcome.more |= drop_oldest(&mut outcome.entries, query.limit);
            }
            // The database has more. Unwritten items come after that, so they belong to a later
            // page.
            ReadRange::After(..) if outcome.more => {}
            ReadRange::After(_, count) => {
                let used = outcome.entries.len().saturating_add(outcome.removals.len());
                let room = usize::from(*count).saturating_sub(used);
                let most = room.saturating_add(1);
                let removals = self.removals.iter().filter(|it| is_removal_requested(it, request));
                let mut page = ReplayPage {
                    entries: wanted.take(most).map(|it| (it.sequence, it.clone())).collect(),
                    removals: removals.take(most).map(|it| (it.sequence, it.clone())).collect(),
                };
                outcome.more = page.keep_first(room);
                outcome.entries.extend(page.entries.into_values());
                outcome.removals.extend(page.removals.into_values());
            }
        }
        outcome
    }
}

/// Returns true if a read request asks for this removal: its room is requested, and it is after the
/// request's position. False if the range is not [`ReadRange::After`].
fn is_removal_requested(fact: &SharedFact, request: &ReadRequest) -> bool {
    let ReadRange::After(sequence, _) = request.range else { return false };
    let room = fact.removed_message().map(|it| it.room.key());
    fact.sequence > sequence && request.rooms.iter().any(|it| Some(it.key()) == room)
}

/// Returns true if a read request asks for this entry: the entry's room or session is requested,
/// and the entry is in the requested range. Ignores the range's limit.
fn is_requested(entry: &SharedEntry, request: &ReadRequest) -> bool {
    let is_ours = match &entry.draft.target {
        Target::Room(room) => request.rooms.contains(room),
        Target::Session(to, _) => {
            request.session.is_some_and(|it| it == *to || it == entry.draft.author())
        }
    };
    is_ours
        && match &request.range {
            ReadRange::Latest(_) => true,
            ReadRange::After(sequence, _) => entry.sequence > *sequence,
            ReadRange::Before(sequence, _) => entry.sequence < *sequence,
            ReadRange::Matching(query) => query.matches(entry),
        }
}

/// Removes the oldest entries, which come first, until at most `count` are left. Returns true if it
/// removed any.
fn drop_oldest(entries: &mut Vec<SharedEntry>, count: u16) -> bool {
    let excess = entries.len().saturating_sub(count.into());
    entries.drain(..excess);
    excess > 0
}

/// Keeps only the latest `count` entries of each room, and the latest `count` direct messages.
/// Sorts them by sequence, ascending. Returns true if it removed any.
fn keep_latest_per_room(entries: &mut Vec<SharedEntry>, count: u16) -> bool {
    let mut by_room: HashMap<Option<NameKey>, Vec<SharedEntry>> = HashMap::new();
    for entry in entries.drain(..) {
        let room = match &entry.draft.target {
            Target::Room(room) => Some(room.key().clone()),
            Target::Session(..) => None,
        };
        by_room.entry(room).or_default().push(entry);
    }
    let mut kept = BTreeMap::new();
    let mut dropped = false;
    for mut list in by_room.into_values() {
        dropped |= drop_oldest(&mut list, count);
        kept.extend(list.into_iter().map(|entry| (entry.sequence, entry)));
    }
    entries.extend(kept.into_values());
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Actor, Draft, Fact, FactDraft, LogEntry, ModerationAction, NamedSession, RoomName,
        SessionId, Style, Timestamp, Username,
    };

    /// Returns an entry of this room with this sequence.
    fn entry(sequence: u64, room: &str) -> SharedEntry {
        let target = Target::Room(RoomName::new(room).unwrap());
        let (sequence, previous, time) = (Sequence(sequence), Sequence::ZERO, Timestamp(0));
        Arc::new(LogEntry { sequence, previous, time, draft: Draft { target, ..Draft::example() } })
    }

    /// Reads the entries before sequence 9 of two rooms, at most `count` of each room. Entries 1
    /// and 2 are in the database, later ones are unwritten. Returns the sequences, and true if
    /// there are older entries.
    fn before_nine(count: u16) -> (Vec<u64>, bool) {
        let rooms = ["a", "b"].map(|it| RoomName::new(it).unwrap()).to_vec();
        let range = ReadRange::Before(Sequence(9), count);
        let request = ReadRequest { rooms, session: None, range };
        let entries = vec![entry(1, "a"), entry(2, "b")];
        let (gaps, removals) = (Vec::new(), Vec::new());
        let found = ReadOutcome { entries, removals, head: Sequence(2), gaps, more: false };
        let entries = [(3, "a"), (4, "a"), (5, "c"), (9, "b")].map(|(n, room)| entry(n, room));
        let unwritten = Unwritten { entries: Arc::new(entries), ..Unwritten::default() };
        let outcome = unwritten.add_to(found, &request, Sequence(9));
        (outcome.entries.iter().map(|it| it.sequence.0).collect(), outcome.more)
    }

    /// Removals of stored messages: their texts are replaced in what the database has, and they
    /// count in the limit of a page.
    #[test]
    fn unwritten_removals_replace_stored_texts_and_count_in_the_limit() {
        let removal = |sequence, message| {
            let username = Username::new("anna").unwrap();
            let author = NamedSession { session: SessionId(1), username };
            let room = RoomName::new("a").unwrap();
            let action =
                ModerationAction::MessageRemoved { room, message: Sequence(message), author };
            let draft = FactDraft { actor: Actor::CommandLine, action, reason: None };
            let (sequence, time) = (Sequence(sequence), Timestamp(0));
            Arc::new(Fact { sequence, time, draft, is_effective: true })
        };
        let unwritten = Unwritten {
            entries: Arc::new([entry(4, "a"), entry(6, "a")]),
            removals: Arc::new([removal(5, 1), removal(7, 2)]),
        };
        let page = |count: u16| {
            let rooms = vec![RoomName::new("a").unwrap()];
            let range = ReadRange::After(Sequence::ZERO, count);
            let request = ReadRequest { rooms, session: None, range };
            let (gaps, removals) = (Vec::new(), Vec::new());
            let entries = vec![entry(1, "a"), entry(3, "a")];
            let found = ReadOutcome { entries, removals, head: Sequence(3), gaps, more: false };
            let outcome = unwritten.add_to(found, &request, Sequence(7));
            let removed = outcome.entries.iter().filter(|it| it.draft.style == Style::REMOVED);
            assert!(removed.map(|it| it.sequence).eq([Sequence(1)]));
            let sequences: Vec<u64> = outcome.entries.iter().map(|it| it.sequence.0).collect();
            let removals: Vec<u64> = outcome.removals.iter().map(|it| it.sequence.0).collect();
            (sequences, removals, outcome.more)
        };
        assert_eq!(page(2), (vec![1, 3], vec![], true));
        assert_eq!(page(4), (vec![1, 3, 4], vec![5], true));
        assert_eq!(page(6), (vec![1, 3, 4, 6], vec![5, 7], false));
    }

    /// The limit of a read of older entries applies to each room separately.
    #[test]
    fn older_entries_are_limited_for_each_room() {
        assert_eq!(before_nine(1), (vec![2, 4], true));
        assert_eq!(before_nine(2), (vec![2, 3, 4], true));
        assert_eq!(before_nine(3), (vec![1, 2, 3, 4], false));
    }
}
