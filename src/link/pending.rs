//! Everything that was asked of us and is not answered, in the order in
//! which it was asked. After a lost connection all of it is sent again.

use std::collections::VecDeque;

use super::encode::FrameContext;
use crate::model::{Message, NameKey, Reference, SessionId, Tag, Task};
use crate::wire::tcp::ClientFrame;

/// One thing that was asked.
#[derive(Clone, Debug)]
pub(super) struct PendingRequest {
    /// The user interface's name for it.
    pub(super) tag: Tag,
    /// What it is.
    pub(super) task: Task,
    /// Names of members of the pages that have come.
    pub(super) members_so_far: Vec<String>,
    /// Messages that were found, while the answer is coming.
    pub(super) found: Vec<Message>,
    /// The number that it bears, and in which session.
    sent_as: Option<(SessionId, Reference)>,
    /// It had a number in a log that is gone.
    sent_in_former_log: bool,

    /// It was sent on the connection that there is now.
    in_flight: bool,
}

impl PendingRequest {
    /// Something that is to be sent.
    const fn new(tag: Tag, task: Task, members_so_far: Vec<String>) -> Self {
        Self {
            tag,
            task,
            members_so_far,
            found: Vec::new(),
            sent_as: None,
            sent_in_former_log: false,
            in_flight: false,
        }
    }
}

/// All things that were asked, oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    /// The things.
    items: VecDeque<PendingRequest>,
    /// Bytes of the texts in them.
    bytes: usize,
    /// The last reference of a message in this session.
    last_message_reference: Reference,
    /// The last reference of any other request.
    last_request_reference: Reference,
}

impl PendingRequests {
    /// Nothing is unanswered.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many things are unanswered.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How much text they hold.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a thing behind the others.
    pub(super) fn push(&mut self, tag: Tag, task: Task) {
        self.bytes += task.message_text().map_or(0, str::len);
        self.items.push_back(PendingRequest::new(tag, task, Vec::new()));
    }

    /// How many messages are on the wire and not answered.
    pub(super) fn messages_in_flight(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.in_flight && item.task.message_text().is_some())
            .count()
    }

    /// The connection is gone. A room that one has asked to leave counts as
    /// left, unless something that was said there before may have to be
    /// sent again. Gives those rooms.
    pub(super) fn remove_sent_leaves(&mut self) -> Vec<(Tag, String)> {
        let mut left = Vec::new();
        let mut rooms_with_messages: Vec<NameKey> = Vec::new();
        self.items.retain(|item| {
            let key = NameKey::of(&item.task.target());
            match item.task {
                Task::Say { .. } => rooms_with_messages.push(key),
                Task::Leave { .. } if item.in_flight && !rooms_with_messages.contains(&key) => {
                    left.push((item.tag.clone(), item.task.target()));
                    return false;
                }
                _ => {}
            }
            true
        });
        left
    }

    /// A session has begun or goes on: which number comes next. Call it for
    /// each welcome, before anything is sent. In another log the numbers of a
    /// former session mean nothing: somebody else may have them.
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
            item.found.clear();
            if log_changed && !session_kept {
                item.sent_in_former_log |= item.sent_as.take().is_some();
            }
        }
    }

    /// The first thing that is to be sent, if any. Afterwards either
    /// [`PendingRequests::send_next`] or [`PendingRequests::remove_next_unsent`] it.
    pub(super) fn next_unsent(&mut self) -> Option<&mut Task> {
        self.items.iter_mut().find(|item| !item.in_flight).map(|item| &mut item.task)
    }

    /// The frame for the first thing that is to be sent. A message that has
    /// a number in this session keeps it.
    pub(super) fn send_next(
        &mut self,
        session: SessionId,
        context: &FrameContext,
    ) -> Option<ClientFrame> {
        let item = self.items.iter_mut().find(|item| !item.in_flight)?;
        let is_message = item.task.message_text().is_some();
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
        Some(item.task.to_frame(reference, context, &item.members_so_far))
    }

    /// Takes out the first thing that is to be sent.
    pub(super) fn remove_next_unsent(&mut self) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| !item.in_flight)?;
        self.remove(at)
    }

    /// Takes out the message with this number.
    pub(super) fn take_message(
        &mut self,
        session: SessionId,
        reference: Reference,
    ) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| {
            item.task.message_text().is_some() && item.sent_as == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// Takes out the request that was sent in a frame of this kind with this
    /// reference.
    pub(super) fn take_request(
        &mut self,
        session: SessionId,
        kind: u16,
        reference: Reference,
    ) -> Option<PendingRequest> {
        let at = self.items.iter().position(|item| {
            item.task.frame_kind() == kind
                && item.in_flight
                && item.sent_as == Some((session, reference))
        })?;
        self.remove(at)
    }

    /// The search whose answer is coming, if the messages that come now were
    /// asked for by one: requests are answered in their order.
    pub(super) fn current_search(&mut self) -> Option<&mut PendingRequest> {
        let asks = |item: &&mut PendingRequest| {
            matches!(item.task, Task::History { .. } | Task::Search(_))
        };
        let first = self.items.iter_mut().filter(|item| item.in_flight).find(asks)?;
        matches!(first.task, Task::Search(_)).then_some(first)
    }

    /// Puts a request back in front, to be sent again: it needs more than
    /// one answer.
    pub(super) fn push_front(&mut self, tag: Tag, task: Task, members_so_far: Vec<String>) {
        self.items.push_front(PendingRequest::new(tag, task, members_so_far));
    }

    /// Takes out everything; tells of each whether it was ever sent.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (PendingRequest, bool)> + '_ {
        self.bytes = 0;
        self.items.drain(..).map(|item| {
            let sent_in_former_log = item.sent_in_former_log || item.sent_as.is_some();
            (item, sent_in_former_log)
        })
    }

    /// The server has told how it spells the room of an `enter` under way.
    /// Gives the request's tag.
    pub(super) fn set_room_spelling(
        &mut self,
        reference: Reference,
        spelling: &str,
    ) -> Option<Tag> {
        self.items.iter_mut().find_map(|item| match &mut item.task {
            Task::Enter { room } if item.sent_as.is_some_and(|(_, it)| it == reference) => {
                spelling.clone_into(room);
                Some(item.tag.clone())
            }
            _ => None,
        })
    }

    /// Takes out what stands at `at`.
    fn remove(&mut self, at: usize) -> Option<PendingRequest> {
        let item = self.items.remove(at)?;
        self.bytes = self.bytes.saturating_sub(item.task.message_text().map_or(0, str::len));
        Some(item)
    }
}
