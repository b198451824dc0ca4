//! Messages that the server has not acknowledged, as a driver saves them for a later process
//! (`docs/protocol/tcp.md`, section 6: `unanswered`).

use super::pending::PendingRequest;
use super::{Link, cursor::ReceiveCursor};
use crate::model::{ChatCommand, LogId, Reference, RequestTag, SessionId};

/// Message that the server has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnansweredMessage {
    /// Tag that the user interface gave to the message.
    pub tag: RequestTag,
    /// The message: [`ChatCommand::Say`] or [`ChatCommand::Direct`].
    pub command: ChatCommand,
    /// Session and reference with which the message was last sent. `None` if it was not sent, or if
    /// a change of the log has made them meaningless.
    pub sent_as: Option<(SessionId, Reference)>,
    /// Session number in the last frame of a direct message. Zero if the frame named no session, or
    /// if no frame was sent.
    pub addressed_session: SessionId,
}

impl Link {
    /// Returns the messages that the server has not acknowledged, in the order in which they were
    /// made. A driver that saves them before it carries out the outputs of an input can lose no
    /// message: what is sent is saved, with its reference.
    pub fn unanswered_messages(&self) -> impl Iterator<Item = UnansweredMessage> + '_ {
        self.pending.messages().map(PendingRequest::to_unanswered)
    }

    /// Returns the id of the log to which the sessions in [`Self::unanswered_messages`] belong;
    /// `None` if it is not known.
    pub const fn log_id(&self) -> Option<LogId> {
        self.cursor.log_id()
    }

    /// Queues the messages that an earlier process has saved. Call it once, before the first input.
    /// `log` is the log that the earlier process knew. Commands that are no messages are ignored,
    /// and so are messages beyond the limits of the queue.
    ///
    /// A message that was sent is struck off when its echo comes with the replay. Otherwise it is
    /// sent again, in the same session with the same reference. In another log it counts as new.
    pub fn restore_messages(&mut self, log: Option<LogId>, messages: Vec<UnansweredMessage>) {
        if let Some(log) = log {
            self.cursor = ReceiveCursor::in_log(log);
        }
        for message in messages {
            if message.command.message_text().is_some() && self.has_room_for(&message.command) {
                self.pending.restore(message);
            }
        }
    }
}
