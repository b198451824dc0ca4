//! What the log hands out: sequences, links, and the order of changes.
//! Nothing here touches the disk.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::LogEvent;
use crate::model::{
    Draft, LogEntry, NameKey, Reference, Sequence, SessionId, SessionRecord, SharedEntry, Target,
    Timestamp,
};

/// Something that the log is given.
#[derive(Clone, Debug)]
pub(super) enum WriteRequest {
    /// A message, with the time at which it came.
    Draft(Timestamp, Draft),
    /// Between the message before and the next one the clock was set.
    ClockSet,
    /// A session as it is now.
    PersistSession(SessionRecord),
    /// A session that cannot come back.
    DeleteSession(SessionId),
}

/// Something that is to be written.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A message.
    Entry(SharedEntry),
    /// A session. Its `last_reference` is right up to this sequence.
    PersistSession(SessionRecord, Sequence),
    /// A session's last reference, right up to this sequence.
    PersistLastReference(SessionId, Reference, Sequence),
    /// A session that cannot come back; the log has come to this sequence.
    DeleteSession(SessionId, Sequence),
    /// Between these sequences there is nothing, and never will be.
    SkipSequences(Sequence, Sequence),
}

impl Change {
    /// Bytes of memory that it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let text = match self {
            Self::Entry(entry) => size_of::<LogEntry>() + entry.draft.text.as_str().len(),
            Self::PersistSession(record, _) => record.refused.len() * size_of::<Reference>(),
            Self::PersistLastReference(..) | Self::DeleteSession(..) | Self::SkipSequences(..) => 0,
        };
        size_of::<Self>() + text
    }

    /// The message, if it is one.
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

/// How far everything has come.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    /// The last sequence that was given.
    pub(super) head: Sequence,
    /// The last sequence in each room.
    last_in_room: HashMap<NameKey, Sequence>,
    /// The last reference of each session that is kept.
    last_references: HashMap<SessionId, Reference>,
    /// The sessions that have said something since it was noted.
    unpersisted: HashSet<SessionId>,
}

/// What becomes of some requests, before it is so.
pub(super) struct Plan {
    /// What is to be written, in order.
    pub(super) changes: Vec<Change>,
    /// What is to be told when it is so.
    pub(super) events: Vec<LogEvent>,
    /// How the sequencer will be: only what delta.
    delta: Sequencer,
}

impl Sequencer {
    /// Goes on from what was found.
    pub(super) fn new(
        head: Sequence,
        last_in_room: HashMap<NameKey, Sequence>,
        last_references: HashMap<SessionId, Reference>,
    ) -> Self {
        Self { head, last_in_room, last_references, unpersisted: HashSet::new() }
    }

    /// What becomes of requests in this order if the next sequence is that
    /// behind `head`, which is not below the sequencer's.
    pub(super) fn plan(
        &self,
        head: Sequence,
        requests: impl IntoIterator<Item = WriteRequest>,
    ) -> Plan {
        let mut delta = Self { head, ..Self::default() };
        let mut changes = Vec::new();
        if head > self.head {
            changes.push(Change::SkipSequences(self.head, head));
        }
        let mut events = Vec::new();
        let mut entries = Vec::new();
        let mut clock_was_set = false;
        for request in requests {
            match request {
                WriteRequest::Draft(time, draft) => {
                    let entry = self.assign_sequence(&mut delta, time, draft);
                    changes.push(Change::Entry(entry.clone()));
                    entries.push(entry);
                }
                WriteRequest::ClockSet => {
                    if !entries.is_empty() {
                        let entries = std::mem::take(&mut entries);
                        events.push(LogEvent::Committed { entries, clock_was_set });
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
        if !entries.is_empty() {
            events.push(LogEvent::Committed { entries, clock_was_set });
        }
        Plan { changes, events, delta }
    }

    /// Gives a draft its place.
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

    /// A session's last reference, according to both.
    fn last_reference(&self, delta: &Self, session: SessionId) -> Option<Reference> {
        delta.last_references.get(&session).or_else(|| self.last_references.get(&session)).copied()
    }

    /// A plan has become so.
    pub(super) fn commit(&mut self, plan: &mut Plan) {
        self.head = plan.delta.head;
        self.last_in_room.extend(plan.delta.last_in_room.drain());
        self.last_references.extend(plan.delta.last_references.drain());
        for change in &plan.changes {
            match change {
                Change::Entry(entry) => {
                    self.unpersisted.insert(entry.draft.session);
                }
                Change::PersistSession(record, _) => {
                    self.unpersisted.remove(&record.session);
                }
                Change::DeleteSession(session, _) => {
                    self.unpersisted.remove(session);
                    self.last_references.remove(session);
                }
                Change::PersistLastReference(..) | Change::SkipSequences(..) => {}
            }
        }
    }

    /// The last last_references that are not noted yet. What they are found by may
    /// be forgotten when they are, and not before. Call
    /// [`Self::is_noted`] when they are written.
    pub(super) fn unpersisted_references(&self) -> Vec<Change> {
        let change = |session: &SessionId| {
            let reference = self.last_references.get(session)?;
            Some(Change::PersistLastReference(*session, *reference, self.head))
        };
        self.unpersisted.iter().filter_map(change).collect()
    }

    /// All last last_references are noted.
    pub(super) fn mark_references_persisted(&mut self) {
        self.unpersisted.clear();
    }

    /// A room has gone, with everything that was in it.
    pub(super) fn forget_room(&mut self, key: &NameKey) {
        self.last_in_room.remove(key);
    }
}

impl Plan {
    /// The requests again, to be planned otherwise.
    pub(super) fn into_requests(self) -> Vec<WriteRequest> {
        let mut requests = Vec::with_capacity(self.changes.len());
        let set_before: Vec<Sequence> = self
            .events
            .iter()
            .filter_map(|event| match event {
                LogEvent::Committed { entries, clock_was_set: true } => {
                    entries.first().map(|it| it.sequence)
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
