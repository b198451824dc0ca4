//! Facts on their way through the log, and the answers to those who asked for them.

use std::collections::BTreeMap;

use super::super::Hub;
use super::super::connection::BlockedOn;
use super::super::contract::{ConnectionId, Now, Output};
use super::super::log_contract::{FactTicket, NotStoredReason, Proposal};
use super::removals::RemovalRequest;
use crate::model::{
    Actor, AnnouncementText, ErrorCode, FactDraft, ModerationAction, ModerationRequest, Reason,
    Reference, SanctionLength,
};
use crate::moderation::{FactError, Register};
use crate::wire::tcp::{Done, Error, kind};

/// Identifier of a request of the server's command line, chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerRequestId(pub u64);

/// Refusal of a moderation request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModerationRefusal {
    /// Error code of the protocol.
    pub code: ErrorCode,
    /// Text for the person who asked.
    pub text: String,
}

impl From<ErrorCode> for ModerationRefusal {
    /// Returns the refusal with the text of the code.
    fn from(code: ErrorCode) -> Self {
        let text = match code {
            ErrorCode::NotStored => "The server could not store this, so nothing was done.",
            _ => code.default_text(),
        };
        Self { code, text: text.to_owned() }
    }
}

/// Who asked for an action and gets the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Requester {
    /// A client, by a frame of this kind and reference.
    Client {
        /// Connection of the client.
        connection: ConnectionId,
        /// Kind number of the frame.
        about: u16,
        /// Reference of the frame.
        reference: Reference,
    },
    /// The server's command line.
    Owner(OwnerRequestId),
    /// The hub itself: the ban or mute in this register has expired.
    Expiry(Register),
    /// The `join` of this connection, which spends an invitation.
    Join(ConnectionId),
    /// The hub itself. Nobody gets an answer.
    Hub,
}

/// Action that a request stands for, and what is wrong with the request.
pub(super) struct ResolvedRequest {
    /// The action. Where the request is wrong, a placeholder that needs the same permission.
    pub(super) action: ModerationAction,
    /// Reason that the actor gave.
    pub(super) reason: Option<Reason>,
    /// What is wrong. It is told only to those who are permitted to do this.
    pub(super) problem: Option<ErrorCode>,
    /// Text of an announcement, which the fact does not record.
    pub(super) announcement: Option<AnnouncementText>,
    /// True to do nothing, and only count whom the action would hit.
    pub(super) is_dry_run: bool,
}

impl ResolvedRequest {
    /// Returns a request for this action, with nothing wrong.
    pub(super) const fn new(action: ModerationAction) -> Self {
        Self { action, reason: None, problem: None, announcement: None, is_dry_run: false }
    }
}

/// Fact that is proposed and not committed.
#[derive(Debug)]
pub(super) struct PendingFact {
    /// Who gets the answer.
    pub(super) requester: Requester,
    /// Text of an announcement, which the fact does not record.
    pub(super) announcement: Option<AnnouncementText>,
}

/// Facts of this hub that are proposed and not committed. A client has at most one.
#[derive(Debug, Default)]
pub(in super::super) struct PendingFacts {
    /// Number of the ticket that was assigned last; 0 before the first one.
    last_ticket: u64,
    /// Pending facts by ticket.
    by_ticket: BTreeMap<FactTicket, PendingFact>,
}

impl PendingFacts {
    /// Removes the pending fact with this ticket, which the log has answered.
    pub(super) fn take(&mut self, ticket: FactTicket) -> Option<PendingFact> {
        self.by_ticket.remove(&ticket)
    }

    /// Returns true if no fact is pending.
    #[cfg(test)]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.by_ticket.is_empty()
    }
}

impl Hub {
    /// Handles a request of the server's command line. The answer is [`Output::Moderated`].
    pub(in super::super) fn handle_owner_request(
        &mut self,
        now: Now,
        id: OwnerRequestId,
        request: ModerationRequest,
    ) {
        self.request_moderation(now, Requester::Owner(id), Actor::CommandLine, request, None);
    }

    /// Handles a moderation request: refuses it, answers it at once if there is nothing to do, or
    /// proposes its fact. The removal of a message first needs a read of the log. `problem`: what is
    /// wrong with the request besides; it comes before what else is found to be wrong.
    pub(super) fn request_moderation(
        &mut self,
        now: Now,
        requester: Requester,
        actor: Actor,
        request: ModerationRequest,
        problem: Option<ErrorCode>,
    ) {
        if let ModerationRequest::Remove { room, message, reason } = request {
            let room = self.canonical_room(room);
            let request = RemovalRequest { requester, actor, room, message, reason, problem };
            return self.read_message_to_remove(request);
        }
        if let ModerationRequest::MakeInvitation(invitation) = &request
            && actor == Actor::CommandLine
            && let Some(text) = self.invitation_conflict(now.time, invitation)
        {
            return self.refuse_with_text(&requester, ErrorCode::CannotClaim, text);
        }
        let resolved = self.resolve_request(now.moment, request);
        let problem = problem.or(resolved.problem);
        self.propose_resolved(requester, actor, ResolvedRequest { problem, ..resolved });
    }

    /// Judges an action, answers what can be answered at once, and else proposes the fact.
    pub(super) fn propose_resolved(
        &mut self,
        requester: Requester,
        actor: Actor,
        resolved: ResolvedRequest,
    ) {
        let ResolvedRequest { action, reason, problem, announcement, is_dry_run } = resolved;
        let draft = FactDraft { actor, action, reason };
        let verdict = self.moderation.judge(&draft, self.wall_clock());
        let answer = match (verdict, problem) {
            (Err(FactError::NotPermitted), _) => Some(Err(ErrorCode::NotPermitted)),
            (_, Some(code)) => Some(Err(code)),
            (Err(error), None) => Some(answer_to(error)),
            (Ok(()), None) if is_dry_run => Some(Ok(self.count_hits(&draft))),
            (Ok(()), None) => None,
        };
        match answer {
            Some(answer) => self.answer_moderation(&requester, answer),
            None => self.propose_fact(requester, draft, announcement),
        }
    }

    /// Proposes a fact. A client that asked for it is blocked until the log answers.
    pub(in super::super) fn propose_fact(
        &mut self,
        requester: Requester,
        draft: FactDraft,
        announcement: Option<AnnouncementText>,
    ) {
        self.facts.last_ticket = self.facts.last_ticket.saturating_add(1);
        let ticket = FactTicket(self.facts.last_ticket);
        if let Requester::Client { connection, .. } = &requester
            && let Some(connection) = self.connections.get_mut(connection)
        {
            connection.block_on(BlockedOn::Fact(ticket));
        }
        self.facts.by_ticket.insert(ticket, PendingFact { requester, announcement });
        self.outputs.push_back(Output::Propose(Proposal::Fact { ticket, draft }));
    }

    /// Handles a fact that the log could not store: tells whoever asked. The end of a sanction is
    /// proposed again later.
    pub(in super::super) fn handle_fact_not_stored(
        &mut self,
        now: Now,
        ticket: FactTicket,
        reason: NotStoredReason,
    ) {
        let Some(pending) = self.facts.take(ticket) else {
            return;
        };
        if let Requester::Expiry(register) = pending.requester {
            return self.deadlines.retry(&register, now.moment);
        }
        let is_join = matches!(pending.requester, Requester::Join(_));
        let code = match reason {
            NotStoredReason::Follower if !is_join => ErrorCode::Follower,
            _ => ErrorCode::NotStored,
        };
        self.finish_moderation(now, ticket, &pending.requester, Err(code));
    }

    /// Answers a request whose fact the log has answered, and handles the frames that the client
    /// has sent meanwhile.
    pub(super) fn finish_moderation(
        &mut self,
        now: Now,
        ticket: FactTicket,
        requester: &Requester,
        outcome: Result<usize, ErrorCode>,
    ) {
        match requester {
            Requester::Client { connection: id, .. } => {
                let connection = self.connections.get_mut(id);
                if connection.is_some_and(|it| it.unblock_at_fact(ticket)) {
                    self.answer_moderation(requester, outcome);
                    self.process_deferred(now, *id);
                }
            }
            Requester::Join(id) => self.finish_admission(now, *id, outcome),
            Requester::Owner(_) | Requester::Expiry(_) | Requester::Hub => {
                self.answer_moderation(requester, outcome);
            }
        }
    }

    /// Answers a request: `done` or an error to a client, [`Output::Moderated`] to the command
    /// line. `outcome`: number of connected users whom the action has hit, or the reason of the
    /// refusal.
    pub(in super::super) fn answer_moderation(
        &mut self,
        requester: &Requester,
        outcome: Result<usize, ErrorCode>,
    ) {
        let outcome = outcome
            .map(|it| u32::try_from(it).unwrap_or(u32::MAX))
            .map_err(ModerationRefusal::from);
        self.answer(requester, outcome);
    }

    /// Answers a request by an error with this text.
    pub(in super::super) fn refuse_with_text(
        &mut self,
        requester: &Requester,
        code: ErrorCode,
        text: String,
    ) {
        self.answer(requester, Err(ModerationRefusal { code, text }));
    }

    /// Sends the answer to a request.
    fn answer(&mut self, requester: &Requester, outcome: Result<u32, ModerationRefusal>) {
        match requester {
            Requester::Client { connection, about, reference } => {
                let (about, reference) = (*about, *reference);
                match outcome {
                    Ok(affected) => {
                        let url = self.page_url.as_ref().filter(|_| about == kind::CLAIM);
                        let page = url.map_or_else(String::new, |it| it.as_str().to_owned());
                        self.send_frame(*connection, Done { about, reference, affected, page });
                    }
                    Err(ModerationRefusal { code, text }) => {
                        let error = Error::about(code, about, reference);
                        self.send_frame(*connection, Error { text, ..error });
                    }
                }
            }
            Requester::Owner(id) => {
                self.outputs.push_back(Output::Moderated { id: *id, outcome });
            }
            Requester::Expiry(_) | Requester::Join(_) | Requester::Hub => {}
        }
    }
}

/// Returns the answer to a request whose fact is not effective.
pub(super) const fn answer_to(error: FactError) -> Result<usize, ErrorCode> {
    match error {
        FactError::NotPermitted => Err(ErrorCode::NotPermitted),
        FactError::Full => Err(ErrorCode::TooMany),
        FactError::Claimed | FactError::Reserved | FactError::NotInvited => {
            Err(ErrorCode::CannotClaim)
        }
        // What should end has ended.
        FactError::NotInForce => Ok(0),
    }
}

/// Returns the length of a sanction in a frame; `None` if it is out of range.
pub(super) fn parse_length(seconds: u32) -> Option<SanctionLength> {
    SanctionLength::from_seconds(seconds).ok()
}
