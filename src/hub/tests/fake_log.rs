//! Simulated log of the harness: commits and rejects drafts, and performs reads, at once or step by
//! step.

use std::sync::Arc;

use super::harness::{Harness, PendingDraft};
use crate::hub::{
    HubId, Input, JoinTerms, LogItem, NameHold, NotStoredReason, ReadFailed, ReadOutcome,
    ReadRange, ReadRequest, StoredElsewhere, Ticket, VolatileDraft, VolatileItem,
};
use crate::model::{
    Draft, Fact, FactDraft, LogEntry, ModerationAction, RoomName, Sequence, SessionId, SharedEntry,
    SharedFact, Target, Timestamp, TokenHash, Username,
};

impl Harness {
    /// Performs all pending appends and reads of the log, and reaches all marks, until nothing is
    /// pending.
    pub(super) fn run_log(&mut self) {
        while self.commit_volatile(usize::MAX)
            || self.commit(usize::MAX)
            || self.perform_read()
            || self.deliver_outcome()
            || self.reach_mark()
        {}
    }

    /// Commits up to `most` messages and facts, or refuses the messages whose authors may not
    /// speak. Returns false if nothing is pending.
    pub(super) fn commit(&mut self, most: usize) -> bool {
        let (mut items, mut forbidden) = (Vec::new(), Vec::new());
        while items.len() < most {
            let Some(draft) = self.pending_drafts.pop_front() else { break };
            match draft {
                PendingDraft::Message(draft) => match self.moderation.judge_message(&draft) {
                    Ok(()) => items.push(LogItem::Message(self.append(draft))),
                    Err(error) => forbidden.push((Ticket::of_message(&draft), error)),
                },
                PendingDraft::Fact(ticket, draft) => {
                    let fact = self.append_fact(draft);
                    items.push(LogItem::Fact { ticket: Some(ticket), fact });
                }
            }
        }
        let is_idle = items.is_empty() && forbidden.is_empty();
        if !items.is_empty() {
            self.input(Input::Committed { items });
        }
        for (ticket, error) in forbidden {
            let reason = NotStoredReason::Forbidden(error);
            self.input(Input::NotStored { ticket, reason });
        }
        !is_idle
    }

    /// Returns the sequence of the last message or fact.
    pub(super) fn head(&self) -> Sequence {
        let fact = self.facts.last().map(|it| it.sequence);
        self.log.last().map(|it| it.sequence).max(fact).unwrap_or_default()
    }

    /// Judges a fact and appends it to the log. If it removes a message, overwrites that. Returns
    /// the fact, without reporting it to the hub.
    pub(super) fn append_fact(&mut self, draft: FactDraft) -> SharedFact {
        let time = self.current_time().time;
        let is_effective = self.moderation.judge(&draft, time).is_ok();
        let fact = Arc::new(Fact { sequence: self.head().next(), time, draft, is_effective });
        self.moderation.apply(&fact);
        if fact.is_effective
            && let ModerationAction::NameClaimed { holder, .. } = &fact.draft.action
        {
            self.persons.entry(holder.session).or_default().insert(holder.session);
        }
        self.facts.push(fact.clone());
        if let Some(removed) = fact.removed_message()
            && let Some(entry) = self.log.iter_mut().find(|it| removed.is_entry(it))
        {
            *entry = Arc::new(entry.with_text_removed());
        }
        fact
    }

    /// Commits up to `most` volatile changes. Returns false if none is pending.
    pub(super) fn commit_volatile(&mut self, most: usize) -> bool {
        let count = self.pending_volatile.len().min(most);
        let drafts: Vec<_> = self.pending_volatile.drain(..count).collect();
        let items: Vec<_> = drafts.into_iter().map(|it| self.assign_numbers(it)).collect();
        if items.is_empty() {
            return false;
        }
        self.input(Input::Committed { items });
        true
    }

    /// Commits a `join` with this name that another hub has proposed. Returns its session and hold,
    /// for [`Self::end_elsewhere`].
    pub(super) fn join_elsewhere(&mut self, name: &str) -> (SessionId, NameHold) {
        self.last_hold += 1;
        let hold = NameHold(self.last_hold);
        let session = SessionId(1_000_000 + self.last_hold);
        let terms = Box::new(JoinTerms {
            username: Username::new(name).unwrap(),
            person: None,
            refuses_lookalikes: false,
            token: TokenHash(std::array::from_fn(|it| self.last_hold.to_be_bytes()[it % 8])),
            key: None,
            keeps_name: false,
        });
        let (connection, hub) = (None, HubId(1));
        let began = VolatileItem::SessionBegan { connection, hub, session, hold, terms };
        self.input(Input::Committed { items: vec![LogItem::Volatile(began)] });
        (session, hold)
    }

    /// Commits the end of another hub's session.
    pub(super) fn end_elsewhere(&mut self, session: SessionId, hold: NameHold) {
        let released = VolatileItem::NameReleased { session, hold };
        let deleted = LogItem::Elsewhere(StoredElsewhere::SessionDeleted(HubId(1), session));
        self.input(Input::Committed { items: vec![LogItem::Volatile(released), deleted] });
    }

    /// Turns a volatile change into a committed item, with the numbers that it lacks.
    pub(super) fn assign_numbers(&mut self, draft: VolatileDraft) -> LogItem {
        LogItem::Volatile(match draft {
            VolatileDraft::SessionBegin { connection, session, terms } => {
                let session = session.unwrap_or_else(|| {
                    self.last_session += 1;
                    SessionId(self.last_session)
                });
                self.last_hold += 1;
                let (connection, hold) = (Some(connection), NameHold(self.last_hold));
                self.persons.entry(session).or_default().extend(terms.person);
                let hub = HubId::ALONE;
                VolatileItem::SessionBegan { connection, hub, session, hold, terms }
            }
            VolatileDraft::RoomsChange { .. } => panic!("the log tells only other hubs of it"),
            VolatileDraft::NameRelease { session, hold } => {
                VolatileItem::NameReleased { session, hold }
            }
        })
    }

    /// Appends a draft to the log as an entry with the next sequence. Returns the entry, without
    /// reporting it to the hub.
    fn append(&mut self, draft: Draft) -> SharedEntry {
        let last = self.head();
        let previous = match &draft.target {
            Target::Room(room) => self.log.iter().rev().find(|it| is_in(it, room)),
            Target::Session(..) => None,
        };
        let previous = previous.map_or(Sequence::ZERO, |it| it.sequence);
        let entry = LogEntry { sequence: last.next(), previous, time: Timestamp(5), draft };
        let entry = Arc::new(entry);
        self.log.push(entry.clone());
        entry
    }

    /// Rejects the oldest pending draft (`NotStored`). Returns false if no draft is pending.
    pub(super) fn reject_draft(&mut self) -> bool {
        let Some(draft) = self.pending_drafts.pop_front() else { return false };
        let ticket = match draft {
            PendingDraft::Message(draft) => Ticket::of_message(&draft),
            PendingDraft::Fact(ticket, _) => Ticket::Fact(ticket),
        };
        self.input(Input::NotStored { ticket, reason: NotStoredReason::Storage });
        true
    }

    /// Performs the oldest pending read and queues its outcome. Returns false if no read is
    /// pending.
    pub(super) fn perform_read(&mut self) -> bool {
        let Some((tag, request)) = self.pending_reads.pop_front() else { return false };
        let outcome = self.read_log(&request);
        self.pending_outcomes.push_back((tag, Ok(outcome)));
        true
    }

    /// Passes the oldest queued outcome to the hub. Returns false if no outcome is queued.
    pub(super) fn deliver_outcome(&mut self) -> bool {
        let Some((tag, outcome)) = self.pending_outcomes.pop_front() else { return false };
        self.input(Input::ReadDone { tag, outcome });
        true
    }

    /// Fails the oldest pending read (`ReadFailed`), and reports that to the hub at once. Returns
    /// false if no read is pending.
    pub(super) fn fail_read(&mut self) -> bool {
        let Some((tag, _)) = self.pending_reads.pop_front() else { return false };
        self.input(Input::ReadDone { tag, outcome: Err(ReadFailed) });
        true
    }

    /// Reads the log. Returns the outcome without passing it to the hub. A search filters by room,
    /// text and `before` only. No gaps are reported.
    pub(super) fn read_log(&self, request: &ReadRequest) -> ReadOutcome {
        let mut lists: Vec<Vec<SharedEntry>> = request
            .rooms
            .iter()
            .map(|room| self.log.iter().filter(|it| is_in(it, room)).cloned().collect())
            .collect();
        let is_own = |it: &&SharedEntry| match it.draft.target {
            Target::Session(to, _) => [to, it.draft.author()].contains(&request.session.unwrap()),
            Target::Room(_) => false,
        };
        if request.session.is_some() {
            lists.push(self.log.iter().filter(is_own).cloned().collect());
        }
        let mut more = false;
        let latest = |list: &mut Vec<SharedEntry>, most: u16| {
            let cut = list.len().saturating_sub(usize::from(most));
            list.drain(..cut);
            cut > 0
        };
        for list in &mut lists {
            match &request.range {
                ReadRange::Latest(most) => {
                    latest(list, *most);
                }
                ReadRange::After(after, _) => list.retain(|it| it.sequence > *after),
                ReadRange::Before(before, most) => {
                    list.retain(|it| it.sequence < *before);
                    more |= latest(list, *most);
                }
                ReadRange::Matching(query) => {
                    list.retain(|it| {
                        it.sequence < query.before && query.text.matches(it.draft.text.as_str())
                    });
                }
            }
        }
        let mut entries: Vec<SharedEntry> = lists.into_iter().flatten().collect();
        entries.sort_by_key(|it| it.sequence);
        let mut removals = Vec::new();
        if let ReadRange::After(after, _) = &request.range {
            removals = self.facts.clone();
            removals.retain(|it| {
                let room = it.draft.action.room();
                it.sequence > *after
                    && it.removed_message().is_some()
                    && room.is_some_and(|it| request.rooms.contains(it))
            });
        }
        match &request.range {
            ReadRange::After(_, most) => {
                let most = usize::from(self.page_limit.min(*most));
                let mut places: Vec<Sequence> = entries.iter().map(|it| it.sequence).collect();
                places.extend(removals.iter().map(|it| it.sequence));
                places.sort();
                if let Some(end) = places.get(most) {
                    more = true;
                    entries.retain(|it| it.sequence < *end);
                    removals.retain(|it| it.sequence < *end);
                }
            }
            ReadRange::Matching(query) => more |= latest(&mut entries, query.limit),
            ReadRange::Latest(_) | ReadRange::Before(..) => {}
        }
        let head = self.head();
        ReadOutcome { entries, removals, head, gaps: Vec::new(), more }
    }
}

/// Returns true if an entry belongs to this room.
fn is_in(entry: &SharedEntry, room: &RoomName) -> bool {
    matches!(&entry.draft.target, Target::Room(it) if it == room)
}
