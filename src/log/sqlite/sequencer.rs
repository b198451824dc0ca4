//! Sequencer: turns write requests into a plan of changes and events. Assigns the sequences of
//! entries, and links each entry to the previous one of its room. Does no I/O.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::LogEvent;
use crate::hub::LogItem;
use crate::model::{
    Draft, LogEntry, NameKey, Reference, Sequence, SessionId, SessionRecord, SharedEntry, Target,
    Timestamp,
};

/// Write request to the log: append a message, store a session record, or delete a session. A clock
/// change is marked by a write request too. [`Sequencer::plan`] turns write requests into changes.
#[derive(Clone, Debug)]
pub(super) enum WriteRequest {
    /// A message to append, with the timestamp of the append.
    Draft(Timestamp, Draft),
    /// Mark of a clock change, between the draft before it and the draft after it.
    ClockSet,
    /// A session record to store.
    PersistSession(SessionRecord),
    /// A session to delete.
    DeleteSession(SessionId),
}

/// Change to write to the database: an entry, a session record, a last reference, the deletion of a
/// session, or a sequence gap.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An entry to insert.
    Entry(SharedEntry),
    /// A session record to store. The sequence is the head of the log at that point: the record's
    /// `last_reference` covers the session's entries up to it.
    PersistSession(SessionRecord, Sequence),
    /// A new `last_reference` for a stored session record. It covers the session's entries up to
    /// this sequence.
    PersistLastReference(SessionId, Reference, Sequence),
    /// A session to delete. The sequence is the head of the log at that point.
    DeleteSession(SessionId, Sequence),
    /// A sequence gap `(first, second]` to store. Its sequences are never assigned.
    SkipSequences(Sequence, Sequence),
}

impl Change {
    /// Returns the approximate memory of the change, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let text = match self {
            Self::Entry(entry) => size_of::<LogEntry>() + entry.draft.text.as_str().len(),
            Self::PersistSession(record, _) => record.refused.len() * size_of::<Reference>(),
            Self::PersistLastReference(..) | Self::DeleteSession(..) | Self::SkipSequences(..) => 0,
        };
        size_of::<Self>() + text
    }

    /// Returns the entry of a [`Change::Entry`]; `None` for other changes.
    pub(super) const fn entry(&self) -> Option<&SharedEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::PersistSession(..)
            | Self::PersistLastReference(..)
            | Self::DeleteSession(..)
            | Self::SkipSequences(..) => None,
        }
    }
}

/// Sequencer: the state that determines the sequence and the `previous` link of each new entry, and
/// the last reference of each session: the greatest number that a client has given a message.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    /// Last sequence that was assigned or skipped.
    pub(super) head: Sequence,
    /// Sequence of the last entry of each room, to which the room's next entry links. Evicted rooms
    /// are removed.
    last_in_room: HashMap<NameKey, Sequence>,
    /// Greatest reference of each session that is stored or has sent a message.
    last_references: HashMap<SessionId, Reference>,
    /// Sessions with a last reference that is in no stored session record.
    unpersisted_sessions: HashSet<SessionId>,
}

/// Plan for a list of write requests: the changes to write, the events to send afterwards, and the
/// update of the sequencer. Only [`Sequencer::commit`] applies the update.
pub(super) struct Plan {
    /// Changes to write, in this order.
    pub(super) changes: Vec<Change>,
    /// `Committed` events to send once the changes are committed. Consecutive items share an
    /// event. Each [`WriteRequest::ClockSet`] begins a new event.
    pub(super) events: Vec<LogEvent>,
    /// Update of the sequencer: the new head, and only those map elements that change.
    delta: Sequencer,
}

impl Sequencer {
    /// Creates a sequencer that continues from the restored state.
    pub(super) fn new(
        head: Sequence,
        last_in_room: HashMap<NameKey, Sequence>,
        last_references: HashMap<SessionId, Reference>,
    ) -> Self {
        Self { head, last_in_room, last_references, unpersisted_sessions: HashSet::new() }
    }

    /// Plans write requests in this order, without changing the sequencer. Only drafts and a
    /// sequence gap lead to events. The first sequence assigned is the one after `head`.
    ///
    /// `head` must be at least the sequencer's own head. If `head` is greater, the first change
    /// stores the sequence gap between both heads, and the first event reports it as a void.
    pub(super) fn plan(
        &self,
        head: Sequence,
        requests: impl IntoIterator<Item = WriteRequest>,
    ) -> Plan {
        let mut delta = Self { head, ..Self::default() };
        let mut changes = Vec::new();
        let mut events = Vec::new();
        let mut items = Vec::new();
        if head > self.head {
            changes.push(Change::SkipSequences(self.head, head));
            items.push(LogItem::Void { after: self.head, up_to: head });
        }
        let mut clock_was_set = false;
        for request in requests {
            match request {
                WriteRequest::Draft(time, draft) => {
                    let entry = self.assign_sequence(&mut delta, time, draft);
                    changes.push(Change::Entry(entry.clone()));
                    items.push(LogItem::Message(entry));
                }
                WriteRequest::ClockSet => {
                    if !items.is_empty() {
                        let items = std::mem::take(&mut items);
                        events.push(LogEvent::Committed { items, clock_was_set });
                    }
                    clock_was_set = true;
                }
                WriteRequest::PersistSession(record) => {
                    let last_reference = self
                        .last_reference(&delta, record.session)
                        .unwrap_or(record.last_reference);
                    delta.last_references.insert(record.session, last_reference);
                    changes.push(Change::PersistSession(
                        SessionRecord { last_reference, ..record },
                        delta.head,
                    ));
                }
                WriteRequest::DeleteSession(session) => {
                    changes.push(Change::DeleteSession(session, delta.head));
                }
            }
        }
        if !items.is_empty() {
            events.push(LogEvent::Committed { items, clock_was_set });
        }
        Plan { changes, events, delta }
    }

    /// Turns a draft into an entry: assigns the next sequence, and the link to the previous entry
    /// of its room. Records the changes in `delta`, not in the sequencer itself.
    fn assign_sequence(&self, delta: &mut Self, time: Timestamp, draft: Draft) -> SharedEntry {
        delta.head = delta.head.next();
        let previous = match &draft.target {
            Target::Room(room) => {
                let last = delta.last_in_room.insert(room.key().clone(), delta.head);
                last.or_else(|| self.last_in_room.get(room.key()).copied()).unwrap_or_default()
            }
            Target::Session(..) => Sequence::ZERO,
        };
        let known = self.last_reference(delta, draft.session).unwrap_or_default();
        delta.last_references.insert(draft.session, known.max(draft.reference));
        Arc::new(LogEntry { sequence: delta.head, previous, time, draft })
    }

    /// Returns the last reference of a session after the changes in `delta`; `None` if it is
    /// unknown.
    fn last_reference(&self, delta: &Self, session: SessionId) -> Option<Reference> {
        delta.last_references.get(&session).or_else(|| self.last_references.get(&session)).copied()
    }

    /// Applies a plan's update to the sequencer. Call it once, when the plan's changes are written
    /// or kept as pending. Do not make another plan before this call.
    pub(super) fn commit(&mut self, plan: &mut Plan) {
        self.head = plan.delta.head;
        self.last_in_room.extend(plan.delta.last_in_room.drain());
        self.last_references.extend(plan.delta.last_references.drain());
        for change in &plan.changes {
            match change {
                Change::Entry(entry) => {
                    self.unpersisted_sessions.insert(entry.draft.session);
                }
                Change::PersistSession(record, _) => {
                    self.unpersisted_sessions.remove(&record.session);
                }
                Change::DeleteSession(session, _) => {
                    self.unpersisted_sessions.remove(session);
                    self.last_references.remove(session);
                }
                Change::PersistLastReference(..) | Change::SkipSequences(..) => {}
            }
        }
    }

    /// Returns the last references that are in no stored session record, as changes to write.
    ///
    /// Write them before messages are deleted: until then, they can be recovered from the messages.
    /// Then call [`Self::mark_references_persisted`].
    pub(super) fn unpersisted_references(&self) -> Vec<Change> {
        let change = |session: &SessionId| {
            let reference = self.last_references.get(session)?;
            Some(Change::PersistLastReference(*session, *reference, self.head))
        };
        self.unpersisted_sessions.iter().filter_map(change).collect()
    }

    /// Records that the changes of [`Self::unpersisted_references`] are written.
    pub(super) fn mark_references_persisted(&mut self) {
        self.unpersisted_sessions.clear();
    }

    /// Removes an evicted room. Its next entry has no `previous` link.
    pub(super) fn forget_room(&mut self, key: &NameKey) {
        self.last_in_room.remove(key);
    }
}

impl Plan {
    /// Converts the plan back into its write requests, to plan them again with other sequences or
    /// without the drafts. Drops a [`WriteRequest::ClockSet`] after the last draft.
    pub(super) fn into_requests(self) -> Vec<WriteRequest> {
        let mut requests = Vec::with_capacity(self.changes.len());
        let set_before: Vec<Sequence> = self
            .events
            .iter()
            .filter_map(|event| match event {
                LogEvent::Committed { items, clock_was_set: true } => {
                    items.iter().find_map(LogItem::entry).map(|it| it.sequence)
                }
                _ => None,
            })
            .collect();
        for change in self.changes {
            match change {
                Change::Entry(entry) => {
                    if set_before.contains(&entry.sequence) {
                        requests.push(WriteRequest::ClockSet);
                    }
                    requests.push(WriteRequest::Draft(entry.time, entry.draft.clone()));
                }
                Change::PersistSession(record, _) => {
                    requests.push(WriteRequest::PersistSession(record));
                }
                Change::DeleteSession(session, _) => {
                    requests.push(WriteRequest::DeleteSession(session));
                }
                Change::PersistLastReference(..) | Change::SkipSequences(..) => {}
            }
        }
        requests
    }
}
