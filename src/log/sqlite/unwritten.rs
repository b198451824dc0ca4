//! What is in the log but, while the disk takes nothing, not in the
//! database: added to what is read.

use std::collections::{BTreeMap, HashMap};

use crate::hub::{ReadOutcome, ReadRange, ReadRequest};
use crate::model::{NameKey, Sequence, SharedEntry, Target};

/// What is found where the disk gives nothing. None: memory alone cannot say
/// what there is, nor that there is no more.
pub(super) fn outcome_without_database(request: &ReadRequest) -> Option<ReadOutcome> {
    let gaps = match request.range {
        ReadRange::Latest(_) => Vec::new(),
        ReadRange::After(..) => request.rooms.clone(),
        ReadRange::Before(..) | ReadRange::Matching(_) => return None,
    };
    Some(ReadOutcome { entries: Vec::new(), head: Sequence::ZERO, gaps, more: false })
}

/// Adds what was not written, all of which is later than everything that
/// was.
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
        // The next page will bring them.
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

/// Whether an entry is one of those that are asked for.
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

/// Drops the oldest beyond so many; says whether there were any.
fn drop_oldest(entries: &mut Vec<SharedEntry>, count: u16) -> bool {
    let excess = entries.len().saturating_sub(count.into());
    entries.drain(..excess);
    excess > 0
}

/// Drops all but the latest so many of each room and of the direct messages.
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
