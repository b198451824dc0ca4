//! Read results while the disk fails: merges entries that are in memory only into what the database
//! returns.

use std::collections::{BTreeMap, HashMap};

use crate::hub::{ReadOutcome, ReadRange, ReadRequest};
use crate::model::{NameKey, Sequence, SharedEntry, Target};

/// Returns the read outcome, without entries, for a database that cannot be read. After a position
/// it reports all requested rooms as gaps, because their stored entries are missing. Returns `None`
/// for history and searches, which must fail: memory alone cannot tell what there is.
pub(super) fn outcome_without_database(request: &ReadRequest) -> Option<ReadOutcome> {
    let gaps = match request.range {
        ReadRange::Latest(_) => Vec::new(),
        ReadRange::After(..) => request.rooms.clone(),
        ReadRange::Before(..) | ReadRange::Matching(_) => return None,
    };
    Some(ReadOutcome { entries: Vec::new(), head: Sequence::ZERO, gaps, more: false })
}

/// Adds unwritten entries that match a request to an outcome, within the request's limits. All of
/// them are later than every entry of the database. `head` is the last sequence of the log.
pub(super) fn add_unwritten(
    found: ReadOutcome,
    unwritten: &[SharedEntry],
    request: &ReadRequest,
    head: Sequence,
) -> ReadOutcome {
    let mut outcome = ReadOutcome { head, ..found };
    let wanted = unwritten.iter().filter(|entry| is_requested(entry, request));
    match &request.range {
        ReadRange::Latest(count) => {
            outcome.entries.extend(wanted.cloned());
            keep_latest_per_room(&mut outcome.entries, *count);
        }
        ReadRange::Before(_, count) => {
            outcome.entries.extend(wanted.cloned());
            outcome.more |= drop_oldest(&mut outcome.entries, *count);
        }
        ReadRange::Matching(query) => {
            outcome.entries.extend(wanted.cloned());
            outcome.more |= drop_oldest(&mut outcome.entries, query.limit);
        }
        // They belong to the next page.
        ReadRange::After(..) if outcome.more => {}
        ReadRange::After(_, count) => {
            let room = usize::from(*count).saturating_sub(outcome.entries.len());
            let mut wanted = wanted.cloned();
            outcome.entries.extend(wanted.by_ref().take(room));
            outcome.more = wanted.next().is_some();
        }
    }
    outcome
}

/// Returns true if a read request asks for this entry.
fn is_requested(entry: &SharedEntry, request: &ReadRequest) -> bool {
    let is_ours = match &entry.draft.target {
        Target::Room(room) => request.rooms.contains(room),
        Target::Session(to, _) => {
            request.session.is_some_and(|it| it == *to || it == entry.draft.session)
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

/// Drops the oldest entries beyond `count`. Returns true if there were any.
fn drop_oldest(entries: &mut Vec<SharedEntry>, count: u16) -> bool {
    let excess = entries.len().saturating_sub(count.into());
    entries.drain(..excess);
    excess > 0
}

/// Drops all but the latest `count` entries of each room, and of the direct messages.
fn keep_latest_per_room(entries: &mut Vec<SharedEntry>, count: u16) {
    let mut by_room: HashMap<Option<NameKey>, Vec<SharedEntry>> = HashMap::new();
    for entry in entries.drain(..) {
        let room = match &entry.draft.target {
            Target::Room(room) => Some(room.key().clone()),
            Target::Session(..) => None,
        };
        by_room.entry(room).or_default().push(entry);
    }
    let mut kept = BTreeMap::new();
    for mut list in by_room.into_values() {
        drop_oldest(&mut list, count);
        kept.extend(list.into_iter().map(|entry| (entry.sequence, entry)));
    }
    entries.extend(kept.into_values());
}
