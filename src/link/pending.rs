//! Queue of unanswered requests, in the order in which they were made; some are put at the front.
//! After a connection loss, unanswered requests are sent again. Most `leave` requests are dropped
//! instead (`docs/protocol/tcp.md`, section 6).

use std::collections::VecDeque;

use super::encode::FrameContext;
use super::pinned::PinnedSessions;
use super::unanswered::UnansweredMessage;
use crate::model::{
    ChatCommand, ListedRoom, ListedSanction, Message, NameKey, Reference, RequestTag, SessionId,
};
use crate::wire::tcp::ClientFrame;

/// Request that the server has not answered yet. It may be unsent.
#[derive(Clone, Debug)]
pub(super) struct PendingRequest {
    /// Tag that the user interface gave to the request. Events that answer the request repeat it.
    pub(super) tag: RequestTag,
    /// Command to send to the server.
    pub(super) command: ChatCommand,
    /// Member names from the earlier pages of a `members` answer.
    pub(super) members_so_far: Vec<String>,
    /// Messages received so far in answer to a search.
    pub(super) found: Vec<Message>,
    /// Session and reference with which the request was last sent. `None` if it was not sent, or if
    /// a change of the log has made them meaningless.
    sent_as: Option<(SessionId, Reference)>,
    /// True if the request was sent within a former log. `sent_as` was then cleared.
    sent_in_former_log: bool,
    /// Session number in the last frame of a direct message. Zero if the frame named no session, or
    /// if no frame was sent.
    addressed_session: SessionId,
    /// True if the request names a session or a message of a former log: a direct message, or a
    /// moderation command. It must not be sent, because the number may belong to another user or
    /// message now.
    names_former_log: bool,
    /// True if the request was sent on the current connection.
    in_flight: bool,
    /// True if the request is an `enter` that `entered` has answered, on the current connection.
    has_entered: bool,
    /// True if the request is an `enter` and a moderator has sent the user out of the room before
    /// its `end`.
    pub(super) was_sent_out: bool,
    /// Items of the earlier frames of a `sanctions_list`.
    pub(super) listed_sanctions: Vec<ListedSanction>,
    /// Items of the earlier frames of a `rooms`.
    pub(super) listed_rooms: Vec<ListedRoom>,
}

impl PendingRequest {
    /// Creates a request that was not sent.
    const fn new(tag: RequestTag, command: ChatCommand, members_so_far: Vec<String>) -> Self {
        Self {
            tag,
            command,
            members_so_far,
            found: Vec::new(),
            sent_as: None,
            sent_in_former_log: false,
            addressed_session: SessionId(0),
            names_former_log: false,
            in_flight: false,
            has_entered: false,
            was_sent_out: false,
            listed_sanctions: Vec::new(),
            listed_rooms: Vec::new(),
        }
    }

    /// Returns true if the request is an `enter` of this room that `entered` has answered, on the
    /// current connection.
    fn is_entering(&self, room: &NameKey) -> bool {
        matches!(&self.command, ChatCommand::Enter { room: entered }
            if self.in_flight && self.has_entered && NameKey::of(entered) == *room)
    }

    /// Returns the request as it is saved for a later process. It must be a message.
    pub(super) fn to_unanswered(&self) -> UnansweredMessage {
        UnansweredMessage {
            tag: self.tag.clone(),
            command: self.command.clone(),
            sent_as: self.sent_as,
            addressed_session: self.addressed_session,
        }
    }
}

/// Queue of unanswered requests. Unsent requests are sent in the order of the queue. A request in
/// flight may stand behind unsent ones.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    /// Unanswered requests. The first one that is not in flight is sent next.
    items: VecDeque<PendingRequest>,
    /// Total size of the message texts in the queue, in bytes.
    bytes: usize,
    /// Greatest message reference in the current session: used by this link or reported by the
    /// server.
    last_message_reference: Reference,
    /// Last reference used for a request other than a message. It is never reset.
    last_request_reference: Reference,
}

impl PendingRequests {
    /// Returns true if every request is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of unanswered requests.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the total size of the message texts in the queue, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a request to the end of the queue, as unsent. The caller checks the limits.
    pub(super) fn push(&mut self, tag: RequestTag, command: ChatCommand) {
        self.bytes += command.message_text().map_or(0, str::len);
        self.items.push_back(PendingRequest::new(tag, command, Vec::new()));
    }

    /// Appends a message that an earlier process has saved, as not sent on this connection. The
    /// caller checks the limits. New messages get greater references than it has.
    pub(super) fn restore(&mut self, message: UnansweredMessage) {
        let UnansweredMessage { tag, command, sent_as, addressed_session } = message;
        self.push(tag, command);
        if let Some(item) = self.items.back_mut() {
            (item.sent_as, item.addressed_session) = (sent_as, addressed_session);
        }
        if let Some((_, reference)) = sent_as {
            self.last_message_reference = self.last_message_reference.max(reference);
        }
    }

    /// Returns the messages in the queue, in order.
    pub(super) fn messages(&self) -> impl Iterator<Item = &PendingRequest> {
        self.items.iter().filter(|item| item.command.message_text().is_some())
    }

    /// Returns the number of messages that were sent on the current connection and are not
    /// acknowledged.
    pub(super) fn messages_in_flight(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.in_flight && item.command.message_text().is_some())
            .count()
    }

    /// Returns true if a request was sent on the current connection and is not answered.
    pub(super) fn has_in_flight(&self) -> bool {
        self.items.iter().any(|item| item.in_flight)
    }

    /// Returns true if a request is in flight for which the server waits for its log: it reads
    /// messages, or stores what a moderator has done or that a name was claimed. The server answers later requests and pings
    /// only after that.
    pub(super) fn waits_for_log(&self) -> bool {
        let uses_log = |it: &ChatCommand| {
            matches!(
                it,
                ChatCommand::Enter { .. }
                    | ChatCommand::History { .. }
                    | ChatCommand::Search(_)
                    | ChatCommand::Moderate(_)
            ) || it.is_change()
        };
        self.items.iter().any(|item| item.in_flight && uses_log(&item.command))
    }

    /// Removes the `leave` requests that were sent on the lost connection, and returns their tags
    /// and rooms. Call it when the connection is lost. The rooms count as left, because the next
    /// join does not name them.
    ///
    /// Keeps a `leave` that is behind an unanswered `enter` of the room or an unanswered message to
    /// the room. Both are then sent again, in this order.
    pub(super) fn remove_sent_leaves(&mut self) -> Vec<(RequestTag, String)> {
        let mut left = Vec::new();
        let mut rooms_of_earlier: Vec<NameKey> = Vec::new();
        self.items.retain(|item| {
            let key = NameKey::of(&item.command.target());
            match item.command {
                ChatCommand::Say { .. } | ChatCommand::Enter { .. } => rooms_of_earlier.push(key),
                ChatCommand::Leave { .. } if item.in_flight && !rooms_of_earlier.contains(&key) => {
                    left.push((item.tag.clone(), item.command.target()));
                    return false;
                }
                _ => {}
            }
            true
        });
        left
    }

    /// Removes and returns the changes by moderation and of claims that were sent on the lost
    /// connection. Call it when the connection is lost: they must not be sent again.
    pub(super) fn remove_sent_changes(&mut self) -> Vec<PendingRequest> {
        let is_change = |item: &PendingRequest| item.command.is_change() && item.in_flight;
        let items = std::mem::take(&mut self.items);
        let (removed, kept): (Vec<_>, Vec<_>) = items.into_iter().partition(is_change);
        self.items = kept.into();
        removed
    }

    /// Marks the `enter` of this room that was answered by `entered` and waits for its `end`: the
    /// user was sent out of the room. Returns false if there is none.
    pub(super) fn mark_sent_out(&mut self, room: &NameKey) -> bool {
        let item = self.items.iter_mut().find(|item| item.is_entering(room));
        item.map(|item| item.was_sent_out = true).is_some()
    }

    /// Returns true if `entered` has answered an `enter` of this room that waits for its `end`, and
    /// nobody has sent the user out since.
    pub(super) fn is_entering(&self, room: &NameKey) -> bool {
        self.items.iter().any(|item| item.is_entering(room) && !item.was_sent_out)
    }

    /// Returns the request of this frame kind that was sent with this reference, in this session
    /// and on the current connection. `None` if there is none.
    pub(super) fn find_request(
        &mut self,
        session: SessionId,
        kind: u16,
        reference: Reference,
    ) -> Option<&mut PendingRequest> {
        self.items.iter_mut().find(|item| {
            item.command.frame_kind() == kind
                && item.in_flight
                && item.sent_as == Some((session, reference))
        })
    }

    /// Prepares the queue for the session of a `welcome`. Call it for each `welcome`, before
    /// anything is sent. Marks all requests as unsent, and discards partial search results.
    ///
    /// `last_reference` is the greatest message reference that the server has taken from the
    /// session. New messages get the references after `last_reference`. In a kept session, the
    /// queue's own last reference counts if it is greater.
    ///
    /// If the log has changed and the session was not kept, forgets the sessions and references
    /// with which requests were sent. Other users may have these session numbers now.
    pub(super) fn begin_session(
        &mut self,
        session_kept: bool,
        log_changed: bool,
        last_reference: Reference,
    ) {
        self.last_message_reference = if session_kept {
            self.last_message_reference.max(last_reference)
        } else {
            last_reference
        };
        for item in &mut self.items {
            item.in_flight = false;
            (item.has_entered, item.was_sent_out) = (false, false);
            item.found.clear();
            item.listed_sanctions.clear();
            item.listed_rooms.clear();
            if log_changed && !session_kept {
                item.sent_in_former_log |= item.sent_as.take().is_some();
            }
        }
    }

    /// Marks requests that name a session or a message of the former log. They are then refused and
    /// not sent. Call it when the log has changed, before the pins are cleared.
    ///
    /// A direct message is marked if its command or its last frame names a session, or if its
    /// recipient is pinned to one. A moderation command is marked if it names a session or a
    /// message.
    pub(super) fn mark_former_log(&mut self, pinned_sessions: &PinnedSessions) {
        for item in &mut self.items {
            item.names_former_log |= match &item.command {
                ChatCommand::Direct { to, session, .. } => {
                    session.is_some_and(|it| it != SessionId(0))
                        || item.addressed_session != SessionId(0)
                        || pinned_sessions.session_of(to).is_some()
                }
                ChatCommand::Moderate(command) => command.names_session_or_message(),
                _ => false,
            };
        }
    }

    /// Returns true if the first unsent request names a session or a message of a former log. It
    /// must not be sent.
    pub(super) fn next_unsent_names_former_log(&self) -> bool {
        self.items.iter().find(|item| !item.in_flight).is_some_and(|item| item.names_former_log)
    }

    /// Returns the command of the first unsent request; `None` if all were sent on the current
    /// connection. Then call [`PendingRequests::send_next`] or
    /// [`PendingRequests::remove_next_unsent`].
    pub(super) fn next_unsent(&mut self) -> Option<&mut ChatCommand> {
        self.items.iter_mut().find(|item| !item.in_flight).map(|item| &mut item.command)
    }

    /// Marks the first unsent request as sent, and returns its frame. `None` if there is none. A
    /// message that was already sent in this session keeps its reference. Any other message gets
    /// the next message reference; any other request gets the next request reference.
    pub(super) fn send_next(
        &mut self,
        session: SessionId,
        context: &FrameContext,
    ) -> Option<ClientFrame> {
        let item = self.items.iter_mut().find(|item| !item.in_flight)?;
        let is_message = item.command.message_text().is_some();
        let kept = item.sent_as.filter(|(within, _)| is_message && *within == session);
        let counter = if is_message {
            &mut self.last_message_reference
        } else {
            &mut self.last_request_reference
        };
        let reference = kept.map_or_else(
            || {
                *counter = counter.next();
                *counter
            },
            |(_, reference)| reference,
        );
        item.sent_as = Some((session, reference));
        item.in_flight = true;
        let frame = item.command.to_frame(reference, context, &item.members_so_far);
        if let ClientFrame::Direct(direct) = &frame {
            item.addressed_session = direct.session;
        }
        Some(frame)
    }

    /// Removes the first unsent request and returns it; `None` if there is none.
    pub(super) fn remove_next_unsent(&mut self) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| !item.in_flight)?;
        self.remove(at)
    }

    /// Removes and returns the message that was sent with this reference in this session, on any
    /// connection. `None` if there is none.
    pub(super) fn take_message(
        &mut self,
        session: SessionId,
        reference: Reference,
    ) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| {
            item.command.message_text().is_some() && item.sent_as == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// Removes and returns the request of this frame kind that was sent with this reference, in
    /// this session and on the current connection. `None` if there is none.
    pub(super) fn take_request(
        &mut self,
        session: SessionId,
        kind: u16,
        reference: Reference,
    ) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| {
            item.command.frame_kind() == kind
                && item.in_flight
                && item.sent_as == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// Returns the search that the server is answering. `None` if the server is answering a
    /// `history`, or neither. The server answers in order, so requested entries belong to the first
    /// `history` or `search` in flight.
    pub(super) fn current_search(&mut self) -> Option<&mut PendingRequest> {
        let asks = |item: &&mut PendingRequest| {
            matches!(item.command, ChatCommand::History { .. } | ChatCommand::Search(_))
        };
        let first = self.items.iter_mut().filter(|item| item.in_flight).find(asks)?;
        matches!(first.command, ChatCommand::Search(_)).then_some(first)
    }

    /// Puts a request at the front of the queue, as unsent: a request for a further page, or one
    /// that must precede all others. It must not be a message, whose text would not be counted.
    pub(super) fn push_front(
        &mut self,
        tag: RequestTag,
        command: ChatCommand,
        members_so_far: Vec<String>,
    ) {
        self.items.push_front(PendingRequest::new(tag, command, members_so_far));
    }

    /// Removes and returns all requests, each with a flag: true if the request was ever sent, so
    /// the server may have taken it.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (PendingRequest, bool)> + '_ {
        self.bytes = 0;
        self.items.drain(..).map(|item| {
            let was_sent = item.sent_in_former_log || item.sent_as.is_some();
            (item, was_sent)
        })
    }

    /// Stores the server's spelling of the room in the pending `enter` request that was last sent
    /// with this reference, and returns the request's tag. The request stays pending. `None` if
    /// there is no such request.
    pub(super) fn set_room_spelling(
        &mut self,
        reference: Reference,
        spelling: &str,
    ) -> Option<RequestTag> {
        self.items.iter_mut().find_map(|item| match &mut item.command {
            ChatCommand::Enter { room } if item.sent_as.is_some_and(|(_, it)| it == reference) => {
                spelling.clone_into(room);
                item.has_entered = true;
                Some(item.tag.clone())
            }
            _ => None,
        })
    }

    /// Removes and returns the request at this index, and subtracts its text from `bytes`. `None`
    /// if the index is out of range.
    fn remove(&mut self, at: usize) -> Option<PendingRequest> {
        let item = self.items.remove(at)?;
        self.bytes = self.bytes.saturating_sub(item.command.message_text().map_or(0, str::len));
        Some(item)
    }
}
