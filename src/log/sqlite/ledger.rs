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
pub(super) enum Item {
    /// A message, with the time at which it came.
    Draft(Timestamp, Draft),
    /// Between the message before and the next one the clock was set.
    ClockSet,
    /// A session as it is now.
    Session(SessionRecord),
    /// A session that cannot come back.
    Ended(SessionId),
}

/// Something that is to be written.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A message.
    Entry(SharedEntry),
    /// A session. Its `last_reference` is right up to this sequence.
    Session(SessionRecord, Sequence),
    /// A session's last reference, right up to this sequence.
    Noted(SessionId, Reference, Sequence),
    /// A session that cannot come back; the log has come to this sequence.
    Ended(SessionId, Sequence),
    /// Between these sequences there is nothing, and never will be.
    Leap(Sequence, Sequence),
}

impl Change {
    /// Bytes of memory that it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let text = match self {
            Self::Entry(entry) => size_of::<LogEntry>() + entry.draft.text.as_str().len(),
            Self::Session(record, _) => record.refused.len() * size_of::<Reference>(),
            Self::Noted(..) | Self::Ended(..) | Self::Leap(..) => 0,
        };
        size_of::<Self>() + text
    }

    /// The message, if it is one.
    pub(super) const fn entry(&self) -> Option<&SharedEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Session(..) | Self::Noted(..) | Self::Ended(..) | Self::Leap(..) => None,
        }
    }
}

/// How far everything has come.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last sequence that was given.
    pub(super) head: Sequence,
    /// The last sequence in each room.
    lasts: HashMap<NameKey, Sequence>,
    /// The last reference of each session that is kept.
    references: HashMap<SessionId, Reference>,
    /// The sessions that have said something since it was noted.
    unnoted: HashSet<SessionId>,
}

/// What becomes of some items, before it is so.
pub(super) struct Plan {
    /// What is to be written, in order.
    pub(super) changes: Vec<Change>,
    /// What is to be told when it is so.
    pub(super) events: Vec<LogEvent>,
    /// How the ledger will be: only what differs.
    differs: Ledger,
}

impl Ledger {
    /// Goes on from what was found.
    pub(super) fn new(
        head: Sequence,
        lasts: HashMap<NameKey, Sequence>,
        references: HashMap<SessionId, Reference>,
    ) -> Self {
        Self { head, lasts, references, unnoted: HashSet::new() }
    }

    /// What becomes of items in this order if the next sequence is that
    /// behind `head`, which is not below the ledger's.
    pub(super) fn plan(&self, head: Sequence, items: impl IntoIterator<Item = Item>) -> Plan {
        let mut differs = Self { head, ..Self::default() };
        let mut changes = Vec::new();
        if head > self.head {
            changes.push(Change::Leap(self.head, head));
        }
        let mut events = Vec::new();
        let mut entries = Vec::new();
        let mut clock_was_set = false;
        for item in items {
            match item {
                Item::Draft(time, draft) => {
                    let entry = self.enter(&mut differs, time, draft);
                    changes.push(Change::Entry(entry.clone()));
                    entries.push(entry);
                }
                Item::ClockSet => {
                    if !entries.is_empty() {
                        let entries = std::mem::take(&mut entries);
                        events.push(LogEvent::Committed { entries, clock_was_set });
                    }
                    clock_was_set = true;
                }
                Item::Session(record) => {
                    let last_reference =
                        self.reference(&differs, record.session).unwrap_or(record.last_reference);
                    differs.references.insert(record.session, last_reference);
                    changes.push(Change::Session(
                        SessionRecord { last_reference, ..record },
                        differs.head,
                    ));
                }
                Item::Ended(session) => changes.push(Change::Ended(session, differs.head)),
            }
        }
        if !entries.is_empty() {
            events.push(LogEvent::Committed { entries, clock_was_set });
        }
        Plan { changes, events, differs }
    }

    /// Gives a draft its place.
    fn enter(&self, differs: &mut Self, time: Timestamp, draft: Draft) -> SharedEntry {
        differs.head = differs.head.next();
        let previous = match &draft.target {
            Target::Room(room) => {
                let last = differs.lasts.insert(room.key().clone(), differs.head);
                last.or_else(|| self.lasts.get(room.key()).copied()).unwrap_or_default()
            }
            Target::Session(..) => Sequence::ZERO,
        };
        let known = self.reference(differs, draft.session).unwrap_or_default();
        differs.references.insert(draft.session, known.max(draft.reference));
        Arc::new(LogEntry { sequence: differs.head, previous, time, draft })
    }

    /// A session's last reference, according to both.
    fn reference(&self, differs: &Self, session: SessionId) -> Option<Reference> {
        differs.references.get(&session).or_else(|| self.references.get(&session)).copied()
    }

    /// A plan has become so.
    pub(super) fn apply(&mut self, plan: &mut Plan) {
        self.head = plan.differs.head;
        self.lasts.extend(plan.differs.lasts.drain());
        self.references.extend(plan.differs.references.drain());
        for change in &plan.changes {
            match change {
                Change::Entry(entry) => {
                    self.unnoted.insert(entry.draft.session);
                }
                Change::Session(record, _) => {
                    self.unnoted.remove(&record.session);
                }
                Change::Ended(session, _) => {
                    self.unnoted.remove(session);
                    self.references.remove(session);
                }
                Change::Noted(..) | Change::Leap(..) => {}
            }
        }
    }

    /// The last references that are not noted yet. What they are found by may
    /// be forgotten when they are, and not before. Call
    /// [`Self::is_noted`] when they are written.
    pub(super) fn to_note(&self) -> Vec<Change> {
        let noted = |session: &SessionId| {
            let reference = self.references.get(session)?;
            Some(Change::Noted(*session, *reference, self.head))
        };
        self.unnoted.iter().filter_map(noted).collect()
    }

    /// All last references are noted.
    pub(super) fn is_noted(&mut self) {
        self.unnoted.clear();
    }

    /// A room has gone, with everything that was in it.
    pub(super) fn forget_room(&mut self, key: &NameKey) {
        self.lasts.remove(key);
    }
}

impl Plan {
    /// The items again, to be planned otherwise.
    pub(super) fn into_items(self) -> Vec<Item> {
        let mut items = Vec::with_capacity(self.changes.len());
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
                        items.push(Item::ClockSet);
                    }
                    items.push(Item::Draft(entry.time, entry.draft.clone()));
                }
                Change::Session(record, _) => items.push(Item::Session(record)),
                Change::Ended(session, _) => items.push(Item::Ended(session)),
                Change::Noted(..) | Change::Leap(..) => {}
            }
        }
        items
    }
}
