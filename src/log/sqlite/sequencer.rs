//! Sequencer: turns write requests into a plan of changes and events. Assigns the sequences of
//! entries, and links each entry to the previous one of its room. Does no I/O.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::LogEvent;
use super::replica::ReplicaChange;
use crate::hub::{FactTicket, LogItem, NotStoredReason, Ticket};
use crate::model::{
    Draft, Fact, FactDraft, LogEntry, NameKey, PersonReadMarks, ReadMark, Reference, Sequence,
    SessionId, SessionRecord, SharedEntry, SharedFact, Target, Timestamp,
};
use crate::moderation::{ModerationState, RegisterChange, SpeechError};

/// Write request to the log: append a message or a fact, store a session record or read marks, or
/// delete a session. A clock change is marked by a write request too. [`Sequencer::plan`] turns write
/// requests into changes.
#[derive(Clone, Debug)]
pub(super) enum WriteRequest {
    /// A message to append, with the timestamp of the append.
    Draft(Timestamp, Draft),
    /// A fact to append, with the timestamp of the append.
    Fact(Timestamp, FactTicket, FactDraft),
    /// Mark of a clock change, between the draft before it and the draft after it.
    ClockSet,
    /// A session record to store.
    PersistSession(SessionRecord),
    /// A session to delete.
    DeleteSession(SessionId),
    /// The read marks of a person, to store in place of the former ones.
    KeepReadMarks(PersonReadMarks),
}

impl WriteRequest {
    /// Returns true if the request appends a message or a fact, and so is answered.
    pub(super) const fn is_draft(&self) -> bool {
        matches!(self, Self::Draft(..) | Self::Fact(..))
    }
}

/// Change to write to the database: an entry, a fact, a session record, a last reference, the
/// deletion of a session, read marks, or a sequence gap.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An entry to insert.
    Entry(SharedEntry),
    /// A fact to insert, with the ticket of its proposal and the changes that it makes in the
    /// moderation state.
    Fact(FactTicket, SharedFact, Vec<RegisterChange>),
    /// A session record to store. The sequence is the head of the log at that point: the record's
    /// `last_reference` covers the session's entries up to it.
    PersistSession(SessionRecord, Sequence),
    /// A new `last_reference` for a stored session record. It covers the session's entries up to
    /// this sequence.
    PersistLastReference(SessionId, Reference, Sequence),
    /// A session to delete. The sequence is the head of the log at that point. True: its direct
    /// messages stay, because the number is that of a person.
    DeleteSession(SessionId, Sequence, bool),
    /// The read marks of a person, to store in place of the former ones.
    KeepReadMarks(PersonReadMarks),
    /// A sequence gap `(first, second]` to store. Its sequences are never assigned.
    SkipSequences(Sequence, Sequence),
}

/// Approximate memory of a read mark, in bytes: with the key of a name of usual length.
const READ_MARK_BYTES: usize = size_of::<ReadMark>() + 32;

impl Change {
    /// Returns the approximate memory of the change, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let text = match self {
            Self::Entry(entry) => size_of::<LogEntry>() + entry.draft.text.as_str().len(),
            // The fact may also be the value of the change.
            Self::Fact(_, fact, _) => size_of::<Fact>() + fact_text_bytes(&fact.draft),
            Self::PersistSession(record, _) => record.refused.len() * size_of::<Reference>(),
            Self::KeepReadMarks(marks) => marks.marks.len() * READ_MARK_BYTES,
            Self::PersistLastReference(..) | Self::DeleteSession(..) | Self::SkipSequences(..) => 0,
        };
        size_of::<Self>() + text
    }

    /// Returns the entry of a [`Change::Entry`]; `None` for other changes.
    pub(super) const fn entry(&self) -> Option<&SharedEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Fact(..)
            | Self::PersistSession(..)
            | Self::PersistLastReference(..)
            | Self::DeleteSession(..)
            | Self::KeepReadMarks(..)
            | Self::SkipSequences(..) => None,
        }
    }

    /// Returns the fact of a [`Change::Fact`] if it removes a message; `None` for other changes.
    pub(super) fn removal(&self) -> Option<&SharedFact> {
        match self {
            Self::Fact(_, fact, _) => Some(fact).filter(|it| it.removed_message().is_some()),
            _ => None,
        }
    }
}

/// Returns the approximate memory of the texts of a fact, in bytes.
pub(super) fn fact_text_bytes(draft: &FactDraft) -> usize {
    // Names, and perhaps a topic.
    const OTHER_TEXTS: usize = 512;
    draft.reason.as_ref().map_or(0, |it| it.as_str().len()) + OTHER_TEXTS
}

/// Sequencer: the state that determines the sequence and the `previous` link of each new entry, the
/// verdict on each fact and message, and the last reference of each session: the greatest number
/// that a client has given a message.
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
    unpersisted_sessions: BTreeSet<SessionId>,
    /// Moderation state: the fold of all facts so far.
    moderation: ModerationState,
}

/// Update of a sequencer: the new head, and only what changes.
#[derive(Debug, Default)]
struct Delta {
    /// New head.
    head: Sequence,
    /// New last sequences of rooms.
    last_in_room: HashMap<NameKey, Sequence>,
    /// New last references of sessions.
    last_references: HashMap<SessionId, Reference>,
    /// New moderation state; `None` if it does not change. Facts are rare, so it is copied only for
    /// a plan with facts.
    moderation: Option<ModerationState>,
}

/// Message that its author may not send.
struct ForbiddenDraft {
    /// Number of the plan's changes before it.
    position: usize,
    /// Timestamp of the append.
    time: Timestamp,
    /// The message.
    draft: Draft,
    /// Why it is forbidden.
    error: SpeechError,
}

/// Plan for a list of write requests: the changes to write, the events to send afterwards, and the
/// update of the sequencer. Only [`Sequencer::commit`] applies the update.
pub(super) struct Plan {
    /// Changes to write, in this order.
    pub(super) changes: Vec<Change>,
    /// `Committed` events to send once the changes are committed. Consecutive items share an
    /// event. Each [`WriteRequest::ClockSet`] begins a new event.
    pub(super) events: Vec<LogEvent>,
    /// True if a [`WriteRequest::ClockSet`] is not in `events`, because no message and no fact
    /// behind it is committed. The next commit must report the clock change.
    pub(super) has_unreported_clock_change: bool,
    /// Messages that are not appended, in order.
    forbidden: Vec<ForbiddenDraft>,
    /// Update of the sequencer.
    delta: Delta,
}

impl Sequencer {
    /// Creates a sequencer that continues from the restored state. `unpersisted_sessions`: those
    /// whose last reference is greater than in the stored record.
    pub(super) fn new(
        head: Sequence,
        last_in_room: HashMap<NameKey, Sequence>,
        last_references: HashMap<SessionId, Reference>,
        unpersisted_sessions: BTreeSet<SessionId>,
        moderation: ModerationState,
    ) -> Self {
        Self { head, last_in_room, last_references, unpersisted_sessions, moderation }
    }

    /// Plans write requests in this order, without changing the sequencer. Only drafts and a
    /// sequence gap lead to events. The first sequence assigned is the one after `head`. A message
    /// that is forbidden at its place is not appended.
    ///
    /// `head` must be at least the sequencer's own head. If `head` is greater, the first change
    /// stores the sequence gap between both heads, and the first event reports it as a void.
    pub(super) fn plan(
        &self,
        head: Sequence,
        requests: impl IntoIterator<Item = WriteRequest>,
    ) -> Plan {
        let mut delta = Delta { head, ..Delta::default() };
        let mut forbidden = Vec::new();
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
                    let moderation = delta.moderation.as_ref().unwrap_or(&self.moderation);
                    if let Err(error) = moderation.judge_message(&draft) {
                        let position = changes.len();
                        forbidden.push(ForbiddenDraft { position, time, draft, error });
                        continue;
                    }
                    let entry = self.assign_sequence(&mut delta, time, draft);
                    changes.push(Change::Entry(entry.clone()));
                    items.push(LogItem::Message(entry));
                }
                WriteRequest::Fact(time, ticket, draft) => {
                    let (fact, made) = self.assign_fact(&mut delta, time, draft);
                    changes.push(Change::Fact(ticket, fact.clone(), made));
                    items.push(LogItem::Fact { ticket: Some(ticket), fact });
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
                    let moderation = delta.moderation.as_ref().unwrap_or(&self.moderation);
                    let is_person = moderation.claim_of_person(session).is_some();
                    changes.push(Change::DeleteSession(session, delta.head, is_person));
                }
                WriteRequest::KeepReadMarks(marks) => changes.push(Change::KeepReadMarks(marks)),
            }
        }
        let has_unreported_clock_change = clock_was_set && items.is_empty();
        if !items.is_empty() {
            events.push(LogEvent::Committed { items, clock_was_set });
        }
        events.extend(forbidden.iter().map(ForbiddenDraft::event));
        Plan { changes, events, has_unreported_clock_change, forbidden, delta }
    }

    /// Turns the draft of a fact into a fact: assigns the next sequence, and judges it. Returns it
    /// with the changes that it makes in the moderation state. Records them in `delta`, not in the
    /// sequencer itself.
    fn assign_fact(
        &self,
        delta: &mut Delta,
        time: Timestamp,
        draft: FactDraft,
    ) -> (SharedFact, Vec<RegisterChange>) {
        delta.head = delta.head.next();
        let state = delta.moderation.get_or_insert_with(|| self.moderation.clone());
        let is_effective = state.judge(&draft, time).is_ok();
        let fact = Arc::new(Fact { sequence: delta.head, time, draft, is_effective });
        let changes = state.apply(&fact);
        (fact, changes)
    }

    /// Turns a draft into an entry: assigns the next sequence, and the link to the previous entry
    /// of its room. Records the changes in `delta`, not in the sequencer itself.
    fn assign_sequence(&self, delta: &mut Delta, time: Timestamp, draft: Draft) -> SharedEntry {
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
    fn last_reference(&self, delta: &Delta, session: SessionId) -> Option<Reference> {
        delta.last_references.get(&session).or_else(|| self.last_references.get(&session)).copied()
    }

    /// Applies a plan's update to the sequencer. Call it once, when the plan's changes are written
    /// or kept as pending. Do not make another plan before this call.
    pub(super) fn commit(&mut self, plan: &mut Plan) {
        self.head = plan.delta.head;
        self.last_in_room.extend(plan.delta.last_in_room.drain());
        self.last_references.extend(plan.delta.last_references.drain());
        if let Some(moderation) = plan.delta.moderation.take() {
            self.moderation = moderation;
        }
        for change in &plan.changes {
            match change {
                Change::Entry(entry) => {
                    self.unpersisted_sessions.insert(entry.draft.session);
                }
                Change::PersistSession(record, _) => {
                    self.unpersisted_sessions.remove(&record.session);
                }
                Change::DeleteSession(session, ..) => {
                    self.unpersisted_sessions.remove(session);
                    self.last_references.remove(session);
                }
                Change::Fact(..)
                | Change::PersistLastReference(..)
                | Change::KeepReadMarks(..)
                | Change::SkipSequences(..) => {}
            }
        }
    }

    /// Returns the moderation state: the fold of all facts so far.
    pub(super) const fn moderation(&self) -> &ModerationState {
        &self.moderation
    }

    /// Corrects the session records in changes of a copy by the last references that are known, and
    /// returns the changes. The server may have written a record before messages of its session.
    pub(super) fn correct_records(&self, changes: &mut [ReplicaChange]) {
        for change in changes {
            if let ReplicaChange::Own(Change::PersistSession(record, _)) = change
                && let Some(known) = self.last_references.get(&record.session)
            {
                record.last_reference = record.last_reference.max(*known);
            }
        }
    }

    /// Advances a copy's sequencer by what was written. `head`: position of the copy.
    pub(super) fn follow(
        &mut self,
        changes: &[ReplicaChange],
        head: Sequence,
        moderation: ModerationState,
    ) {
        self.head = head;
        self.moderation = moderation;
        for change in changes {
            match change {
                ReplicaChange::Own(Change::Entry(entry)) => {
                    let Draft { session, reference, target, .. } = &entry.draft;
                    if let Target::Room(room) = target {
                        self.last_in_room.insert(room.key().clone(), entry.sequence);
                    }
                    let last = self.last_references.entry(*session).or_default();
                    *last = (*last).max(*reference);
                    self.unpersisted_sessions.insert(*session);
                }
                ReplicaChange::Own(Change::PersistSession(record, _)) => {
                    let last = self.last_references.entry(record.session).or_default();
                    *last = (*last).max(record.last_reference);
                }
                ReplicaChange::Own(Change::DeleteSession(session, ..)) => {
                    self.unpersisted_sessions.remove(session);
                    self.last_references.remove(session);
                }
                _ => {}
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

impl ForbiddenDraft {
    /// Returns the event that answers the draft.
    const fn event(&self) -> LogEvent {
        LogEvent::NotStored {
            ticket: Ticket::of_message(&self.draft),
            reason: NotStoredReason::Forbidden(self.error),
        }
    }
}

impl Plan {
    /// Converts the plan back into its write requests, to plan them again with other sequences or
    /// without the drafts. A [`WriteRequest::ClockSet`] may move behind drafts that were forbidden.
    pub(super) fn into_requests(self) -> Vec<WriteRequest> {
        let mut requests = Vec::with_capacity(self.changes.len());
        let set_before: Vec<Sequence> = self
            .events
            .iter()
            .filter_map(|event| match event {
                LogEvent::Committed { items, clock_was_set: true } => {
                    items.iter().find_map(LogItem::sequence)
                }
                _ => None,
            })
            .collect();
        let mut forbidden = self.forbidden.into_iter().peekable();
        for (position, change) in self.changes.into_iter().enumerate() {
            while let Some(it) = forbidden.next_if(|it| it.position <= position) {
                requests.push(WriteRequest::Draft(it.time, it.draft));
            }
            match change {
                Change::Entry(entry) => {
                    if set_before.contains(&entry.sequence) {
                        requests.push(WriteRequest::ClockSet);
                    }
                    requests.push(WriteRequest::Draft(entry.time, entry.draft.clone()));
                }
                Change::Fact(ticket, fact, _) => {
                    if set_before.contains(&fact.sequence) {
                        requests.push(WriteRequest::ClockSet);
                    }
                    requests.push(WriteRequest::Fact(fact.time, ticket, fact.draft.clone()));
                }
                Change::PersistSession(record, _) => {
                    requests.push(WriteRequest::PersistSession(record));
                }
                Change::DeleteSession(session, ..) => {
                    requests.push(WriteRequest::DeleteSession(session));
                }
                Change::KeepReadMarks(marks) => requests.push(WriteRequest::KeepReadMarks(marks)),
                Change::PersistLastReference(..) | Change::SkipSequences(..) => {}
            }
        }
        requests.extend(forbidden.map(|it| WriteRequest::Draft(it.time, it.draft)));
        requests.extend(self.has_unreported_clock_change.then_some(WriteRequest::ClockSet));
        requests
    }
}
