//! Removed messages: which message is meant, and who is told.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::Hub;
use super::super::contract::{ConnectionId, Output};
use super::super::log_contract::{
    ReadFailed, ReadOutcome, ReadPurpose, ReadRange, ReadRequest, ReadTag,
};
use super::proposals::{Requester, ResolvedRequest};
use super::resolve::removal_of_unknown;
use super::words;
use crate::model::{
    Actor, Draft, ErrorCode, Fact, ModerationAction, NamedSession, Reason, RoomName, Sequence,
    SharedEntry, SharedFact, Style, Target,
};
use crate::wire::tcp::{Removed, ServerFrame};

/// Maximum number of removals that are kept while log reads are in progress.
const MAX_RECENT_REMOVALS: usize = 1_000;

/// Request to remove a message, whose message is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct RemovalRequest {
    /// Who asked.
    pub(super) requester: Requester,
    /// Who performs the action.
    pub(super) actor: Actor,
    /// Room of the message, in its canonical spelling.
    pub(super) room: RoomName,
    /// Sequence of the message.
    pub(super) message: Sequence,
    /// Reason that the actor gave.
    pub(super) reason: Option<Reason>,
    /// What is wrong with the request. It is told only to those who may remove the message.
    pub(super) problem: Option<ErrorCode>,
}

/// Messages that were removed while log reads were in progress: those may have read the texts.
#[derive(Debug, Default)]
pub(in super::super) struct RecentRemovals(VecDeque<Sequence>);

impl RecentRemovals {
    /// Records that a message was removed. Beyond [`MAX_RECENT_REMOVALS`], forgets the oldest one.
    fn push(&mut self, message: Sequence) {
        self.0.push_back(message);
        if self.0.len() > MAX_RECENT_REMOVALS {
            self.0.pop_front();
        }
    }

    /// Forgets all removals. Call it when no read is in progress.
    pub(in super::super) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }

    /// Replaces the texts of the removed messages among these entries.
    pub(in super::super) fn redact(&self, entries: &mut [SharedEntry]) {
        if self.0.is_empty() {
            return;
        }
        for entry in entries.iter_mut().filter(|it| self.0.contains(&it.sequence)) {
            *entry = Arc::new(entry.with_text_removed());
        }
    }
}

impl Hub {
    /// Begins the removal of a message: reads the message, whose author must be known. A client is
    /// blocked meanwhile.
    pub(super) fn read_message_to_remove(&mut self, request: RemovalRequest) {
        let room = request.room.clone();
        let range = ReadRange::Before(request.message.next(), 1);
        let connection = match request.requester {
            Requester::Client { connection, .. } => Some(connection),
            Requester::Owner(_) | Requester::Expiry(_) | Requester::Join(_) | Requester::Hub => {
                None
            }
        };
        let purpose = ReadPurpose::Remove(Box::new(request));
        match connection {
            Some(id) => self.block_on_read(id, purpose, vec![room], range),
            None => {
                // The owner waits for no turn.
                let tag = ReadTag { connection: ConnectionId(u64::MAX), purpose };
                let request = ReadRequest { rooms: vec![room], session: None, range };
                self.outputs.push_back(Output::Read { tag, request });
            }
        }
    }

    /// Continues the removal of a message that was read, or could not be read: proposes the fact,
    /// or answers whoever asked.
    pub(in super::super) fn finish_removal(
        &mut self,
        request: RemovalRequest,
        outcome: Result<ReadOutcome, ReadFailed>,
    ) {
        let RemovalRequest { requester, actor, room, message, reason, problem } = request;
        let Ok(outcome) = outcome else {
            return self.answer_moderation(&requester, Err(ErrorCode::Unavailable));
        };
        let found = outcome.entries.iter().find(|it| it.sequence == message);
        let resolved = match found.map(|it| &it.draft) {
            Some(draft @ Draft { username, target: Target::Room(room), style, .. }) => {
                let session = draft.author();
                let author = NamedSession { session, username: username.clone() };
                let room = room.clone();
                let action = ModerationAction::MessageRemoved { room, message, author };
                // A message that is removed already is left as it is.
                let is_dry_run = *style == Style::REMOVED;
                ResolvedRequest { reason, problem, is_dry_run, ..ResolvedRequest::new(action) }
            }
            _ => {
                let problem = problem.or(Some(ErrorCode::MessageUnknown));
                let action = removal_of_unknown(room, message);
                ResolvedRequest { reason, problem, ..ResolvedRequest::new(action) }
            }
        };
        self.propose_resolved(requester, actor, resolved);
    }

    /// Handles the log's answer to a read for the command line. Returns false if the read was for a
    /// client.
    pub(in super::super) fn finish_owner_read(
        &mut self,
        tag: &ReadTag,
        outcome: &Result<ReadOutcome, ReadFailed>,
    ) -> bool {
        let ReadPurpose::Remove(request) = &tag.purpose else {
            return false;
        };
        let is_owner = matches!(request.requester, Requester::Owner(_));
        if is_owner {
            self.finish_removal((**request).clone(), outcome.clone());
        }
        is_owner
    }

    /// Tells the members of a room that a message was removed.
    pub(super) fn tell_removal(&mut self, room: &RoomName, fact: &Fact) {
        if let Some(message) = fact.removed_message() {
            self.recent_removals.push(message.sequence);
        }
        if let (Some(id), Some(frame)) = (self.rooms.find(room), removed(fact)) {
            self.tell_members(id, &frame);
        }
    }

    /// Sends a client the removals that it has missed. Does nothing for a client without `events`.
    pub(in super::super) fn send_removals(&mut self, id: ConnectionId, removals: &[SharedFact]) {
        if self.has_events(id) {
            for fact in removals {
                let name = fact.draft.action.room().map(|it| self.canonical_room(it.clone()));
                let Some(ServerFrame::Removed(frame)) = removed(fact) else { continue };
                let room = name.map_or(frame.room.clone(), |it| it.as_str().to_owned());
                self.send_frame(id, Removed { room, ..frame });
            }
        }
    }
}

/// Builds the frame about the removal of a message; `None` if the fact is something else.
fn removed(fact: &Fact) -> Option<ServerFrame> {
    let ModerationAction::MessageRemoved { room, message, .. } = &fact.draft.action else {
        return None;
    };
    let frame = Removed {
        room: room.as_str().to_owned(),
        sequence: *message,
        by: words::actor(fact).to_owned(),
        reason: words::reason(fact).to_owned(),
    };
    Some(frame.into())
}
