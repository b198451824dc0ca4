//! Publishing: the outbox of the user's messages, and leaving once they are delivered.

use std::collections::VecDeque;
use std::time::Duration;

use super::{End, Mesh, Now, Outgoing};
use crate::model::limits::MAX_PEER_TEXT;
use crate::model::{
    ErrorCode, Event, MeshSentence, MessageText, Moment, Request, RequestTag, Style, TokenBucket,
};
use crate::wire::udp::{Bye, Control, EntryFields};

/// Rate limit for publishing own messages: burst, and messages per minute.
const SAY_RATE: (u32, u32) = (20, 1_500);
/// Minimum time between the last own message and leaving after delivery. Meanwhile, other peers can
/// notice a loss. A peer that is alone does not wait for it.
const LEAVE_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of requests that are deferred until this peer has joined. Further requests are
/// refused.
pub(super) const MAX_DEFERRED_REQUESTS: usize = 100;
/// Maximum number of messages in the outbox. Further messages are refused.
const MAX_QUEUE: usize = 10_000;

/// Outbox: the user's messages that wait to be published, the requests that wait until this peer
/// has joined, and the state of leaving.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Messages that wait until this peer has joined and the rate limit allows them, the oldest
    /// first.
    queue: VecDeque<(RequestTag, Style, MessageText)>,
    /// Requests that wait until this peer has joined, the oldest first. If the mesh ends before,
    /// they get no answer.
    pub(super) deferred: Vec<Request>,
    /// Rate limit for publishing own messages.
    bucket: TokenBucket,
    /// Time at which to flush the outbox next; `None` if the queue is empty or this peer has not
    /// joined.
    send_at: Option<Moment>,
    /// Time at which the last own message was published; [`Moment::START`] if none was.
    last_said: Moment,
    /// Sequence of the last own entry; 0 if there is none.
    pub(super) sequence: u32,
    /// Number of the user's requests refused since the start.
    pub(super) refused: usize,
    /// State of leaving after delivery; `None` if the user has not asked to leave after delivery.
    pub(super) leaving: Option<Leaving>,
}

/// State of leaving after delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    /// Maximum time without progress; after it, this peer leaves even if messages are undelivered.
    pub(super) patience: Duration,
    /// Time of the last progress: the number of undelivered messages fell below its lowest value.
    /// At first the time of the request.
    pub(super) progress_at: Moment,
    /// Lowest number of undelivered messages so far; `usize::MAX` before the first check.
    pub(super) undelivered: usize,
    /// Time of the next check whether to leave.
    pub(super) check_at: Moment,
}

impl Default for Outbox {
    /// Creates an empty outbox, with a full rate limit.
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            deferred: Vec::new(),

            bucket: TokenBucket::new(SAY_RATE.0, SAY_RATE.1),
            send_at: None,
            last_said: Moment::START,
            sequence: 0,

            refused: 0,
            leaving: None,
        }
    }
}

impl Outbox {
    /// Returns the time of the next flush or of the next check whether to leave, whichever is
    /// earlier; `None` if neither is scheduled.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        [self.send_at, self.leaving.map(|it| it.check_at)].into_iter().flatten().min()
    }
}

impl Mesh {
    /// Adds a message to the outbox, and makes a flush due. Refuses the message, always with
    /// [`ErrorCode::TextInvalid`], if its text is invalid or longer than [`MAX_PEER_TEXT`] bytes,
    /// or if the outbox is full.
    pub(super) fn enqueue_message(&mut self, now: Now, tag: RequestTag, style: Style, text: &str) {
        let bytes = text.len();
        let checked = MessageText::new(text);
        let why = match checked {
            Ok(_) if bytes > MAX_PEER_TEXT => MeshSentence::MessageTooLong { bytes },
            Ok(_) if self.outbox.queue.len() >= MAX_QUEUE => MeshSentence::TooManyMessages,
            Ok(text) => {
                self.outbox.queue.push_back((tag, style, text));
                self.outbox.send_at.get_or_insert(now.moment);
                return;
            }
            Err(error) => MeshSentence::TextInvalid(error),
        };
        let code = ErrorCode::TextInvalid.number();
        self.refuse(tag, code, why, Some(text.to_owned()));
    }

    /// Runs the deferred requests, and publishes the queued messages as far as the rate limit
    /// allows. If messages are left, schedules the next flush. If this peer has not joined, only
    /// clears the scheduled flush.
    pub(super) fn flush_outbox(&mut self, now: Now) {
        if !self.has_joined() {
            // This function runs again when this peer has joined.
            self.outbox.send_at = None;
            return;
        }
        for request in std::mem::take(&mut self.outbox.deferred) {
            self.on_request(now, request);
        }
        while let Some((tag, style, text)) = self.outbox.queue.pop_front() {
            if !self.outbox.bucket.try_take(now.moment) {
                let wait = Duration::from_secs(60) / SAY_RATE.1;
                self.outbox.queue.push_front((tag, style, text));
                self.outbox.send_at = Some(now.moment + wait);
                return;
            }
            self.publish(now, tag, style, &text);
        }
        self.outbox.send_at = None;
    }

    /// Publishes one message: signs an entry with the next sequence, inserts it into the own log,
    /// sends it to everybody, and schedules a follow-up heartbeat. The user is shown the message,
    /// with the acknowledgement, only in its turn in the display order. Refuses the message if the
    /// sequences are used up or the Lamport counter is at its end.
    fn publish(&mut self, now: Now, tag: RequestTag, style: Style, text: &MessageText) {
        let Some(sequence) = self.outbox.sequence.checked_add(1) else {
            let why = MeshSentence::SequencesUsedUp;
            self.refuse(tag, 0, why, Some(text.as_str().to_owned()));
            return;
        };
        let Some(lamport) = self.logs.next_lamport() else {
            let why = MeshSentence::CounterAtEnd;
            self.refuse(tag, 0, why, Some(text.as_str().to_owned()));
            return;
        };
        self.outbox.sequence = sequence;
        self.outbox.last_said = now.moment;
        self.display.note_tag(sequence, tag);
        let entry = self.sign.sign(EntryFields {
            sequence,
            lamport,
            time: now.time,
            username: self.name.as_str().to_owned(),
            style: style.0,
            text: text.as_str().to_owned(),
        });
        let entry = std::sync::Arc::new(entry);
        self.logs.ensure_author(self.me.id);
        self.logs.insert(now.moment, entry.clone());
        self.send_to_all(Outgoing::Entry(entry));
        self.heartbeats.schedule_follow_up(now.moment);
    }

    /// Leaves if this peer has joined, everything was delivered, and the last own message is at
    /// least [`LEAVE_DELAY`] old. A peer that is alone does not wait for that delay. Also leaves if
    /// there was no progress for [`Leaving::patience`]. Otherwise schedules the next check in 100
    /// ms. Does nothing if the user has not asked to leave, or before the next check is due.
    pub(super) fn leave_when_delivered(&mut self, now: Now) {
        let Some(mut leaving) = self.outbox.leaving else { return };
        if self.is_ended() || now.moment < leaving.check_at {
            return;
        }
        let left = self.undelivered();
        if left < leaving.undelivered {
            (leaving.undelivered, leaving.progress_at) = (left, now.moment);
        }
        let is_patient = now.moment.since(leaving.progress_at) < leaving.patience;
        // Other peers need a moment to notice that they lack entries.
        let has_lingered = now.moment.since(self.outbox.last_said) >= LEAVE_DELAY;
        let is_alone = self.contacts.member_count() == 0;
        let is_done = left == 0 && self.has_joined() && (has_lingered || is_alone);
        if is_patient && !is_done {
            leaving.check_at = now.moment + Duration::from_millis(100);
            self.outbox.leaving = Some(leaving);
        } else {
            self.leave();
        }
    }

    /// Returns the number of undelivered own messages: those in the queue, and those that some
    /// member lacks by its pages. Ignores members whose pages have never listed this peer.
    fn undelivered(&self) -> usize {
        // Members need not list this peer in their pages. So do not wait for members that never do.
        let members = self.contacts.iter().filter(|(_, it)| it.is_member());
        let least = members.filter_map(|(_, it)| it.has_own_up_to).min();
        let least = least.unwrap_or(self.outbox.sequence);
        let behind = self.outbox.sequence.saturating_sub(least);
        self.outbox.queue.len() + usize::try_from(behind).unwrap_or(usize::MAX)
    }

    /// Leaves at once. Shows the messages that are held back, once this peer has reported its
    /// joining. Sends `bye` twice if this peer is a member. Reports each queued message to the user
    /// as unsent, drops deferred requests, and ends the mesh with [`End::Left`].
    pub(super) fn leave(&mut self) {
        if self.has_joined() {
            self.show_all_held();
        }
        let unsent = self.undelivered();
        if self.is_member() {
            self.send_to_all(Outgoing::Control(Control::Bye(Bye {})));
            self.send_to_all(Outgoing::Control(Control::Bye(Bye {})));
        }
        let room = self.settings.room.as_str().to_owned();
        for (tag, _, text) in std::mem::take(&mut self.outbox.queue) {
            let (to, text) = (room.clone(), text.as_str().to_owned());
            self.emit(Event::Unsent { tag, to, text, perhaps_taken: false });
        }
        self.finish(End::Left { unsent, refused: self.outbox.refused });
    }
}
