//! Requests of the user interface: validation, queueing, sending, refusing.

use super::contract::Output;
use super::encode::FrameContext;
use super::{Draining, Link, MAX_PENDING_BYTES, MAX_PENDING_REQUESTS, Phase};
use crate::model::{
    ChatCommand, Command, ConnectionState, ErrorCode, Event, LinkSentence, MessageText,
    ModerationCommand, Moment, NameKey, Refusal, Request, RequestTag, RoomSelector,
};
use crate::wire::tcp::feature;

/// Maximum number of messages that are sent and not acknowledged. Further messages wait in the
/// queue, and so do the requests behind them.
const MAX_MESSAGES_IN_FLIGHT: usize = 64;

impl Link {
    /// Handles a request of the user interface. A chat command is checked and queued; it is sent
    /// when the link is live. A command for peers is refused. A password or an invitation is kept
    /// for the next join; a username is kept only if the link waits for one or for an invitation.
    /// Each of the three connects if the link waits for it. Other commands connect anew, start a
    /// graceful shutdown, or end the link.
    pub(super) fn on_request(&mut self, now: Moment, request: Request) {
        let Request { tag, command } = request;
        match command {
            Command::Chat(ChatCommand::History { room, before, limit }) => {
                let limit = limit.clamp(1, 100);
                self.queue(tag, ChatCommand::History { room, before, limit });
            }
            Command::Chat(ChatCommand::Search(search)) => self.queue_search(tag, search),
            Command::Chat(ChatCommand::Moderate(command)) => self.queue_moderation(tag, command),
            Command::Chat(command) if command.message_text().is_some() => {
                self.queue_message(tag, command)
            }
            Command::Chat(command) => self.queue(tag, command),
            Command::Peer(_) => self.emit(Event::Refused(Refusal {
                tag,
                code: 0,
                text: LinkSentence::PeersOnly.into(),
                to: String::new(),
                message: None,
            })),
            Command::Password(password) => {
                self.settings.password = Some(password);
                if self.phase == Phase::AwaitingPassword {
                    self.connect(now);
                }
            }
            Command::Name(name) => {
                if matches!(self.phase, Phase::AwaitingName | Phase::AwaitingInvite) {
                    self.settings.username = name;
                }
                if self.phase == Phase::AwaitingName {
                    self.connect(now);
                }
            }
            Command::Invite(invite) => self.on_invite(now, invite),
            Command::MarkRead { room, sequence } => {
                self.mark_read(now, room.as_deref().unwrap_or_default(), sequence);
            }
            Command::Finish { patience } => {
                self.draining = Some(Draining { patience, last_answer: now });
            }
            Command::Reconnect { is_forced } => self.reconnect(now, is_forced),
            Command::Quit => self.finish_left(),
        }
    }

    /// Queues a message, and sends it if possible ([`Self::queue`]). Refuses the message if its
    /// text is invalid or longer than the last `welcome` allows, or if the queue is full.
    fn queue_message(&mut self, tag: RequestTag, command: ChatCommand) {
        let text = command.message_text().unwrap_or_default();
        let most = self.welcome.as_ref().map(|it| it.max_text);
        let is_too_long = most.is_some_and(|most| text.len() > usize::from(most));
        match MessageText::new(text) {
            Ok(_) if !is_too_long => self.queue(tag, command),
            Ok(_) => {
                let (bytes, limit) = (text.len(), most.unwrap_or_default());
                let why = LinkSentence::MessageTooLong { bytes, limit };
                self.refuse(tag, 0, why, &command);
            }
            Err(error) => {
                let why = LinkSentence::TextInvalid { error, bytes: text.len() };
                self.refuse(tag, 0, why, &command);
            }
        }
    }

    /// Appends a command to the queue, then sends all requests that can be sent. Refuses the
    /// command if the queue is full. After the first completed join, tells a user at the keyboard
    /// if the command waits because the server cannot be reached or does not answer.
    pub(super) fn queue(&mut self, tag: RequestTag, command: ChatCommand) {
        if !self.has_room_for(&command) {
            let why = LinkSentence::QueueFull { waiting: self.pending.len() };
            self.refuse(tag, 0, why, &command);
            return;
        }
        self.pending.push(tag, command);
        self.send_unsent();
        let is_away = !self.is_connected() || self.answer_watch.is_asking();
        if is_away && self.has_joined && self.settings.can_prompt {
            let requests = self.pending.len();
            self.emit(Event::Connection(ConnectionState::Waiting { requests }));
        }
    }

    /// Returns true if the queue takes one more command: neither its number nor the size of its
    /// texts would be above the limit.
    pub(super) fn has_room_for(&self, command: &ChatCommand) -> bool {
        let bytes = self.pending.bytes() + command.message_text().map_or(0, str::len);
        self.pending.len() < MAX_PENDING_REQUESTS && bytes <= MAX_PENDING_BYTES
    }

    /// Sends the unsent requests in order, and refuses those that cannot be sent. Stops before the
    /// next message while [`MAX_MESSAGES_IN_FLIGHT`] are unacknowledged. Does nothing unless the
    /// link is live.
    ///
    /// Call it when the link becomes live, and when the queue or the number of unacknowledged
    /// messages has changed.
    pub(super) fn send_unsent(&mut self) {
        if self.phase != Phase::Live {
            return;
        }
        let Some(session) = self.own_sessions.last().copied() else {
            return;
        };
        let mut messages = self.pending.messages_in_flight();
        loop {
            if self.pending.next_unsent_names_former_log() {
                self.refuse_next_unsent(
                    ErrorCode::RecipientChanged.number(),
                    LinkSentence::FormerLog,
                );
                continue;
            }
            let Some(command) = self.pending.next_unsent() else {
                return;
            };
            if messages >= MAX_MESSAGES_IN_FLIGHT && command.message_text().is_some() {
                return;
            }
            messages += usize::from(command.message_text().is_some());
            if let Some((needed, why)) = required_feature(command)
                && self.features & needed != needed
            {
                self.refuse_next_unsent(0, why);
                continue;
            }
            let (room, is_enter) =
                (command.room_selector().cloned(), matches!(command, ChatCommand::Enter { .. }));
            match room.as_ref().map(|room| resolve_room(&self.rooms, room)) {
                Some(Ok(room)) => command.set_room(&room),
                Some(Err(why)) => {
                    self.refuse_next_unsent(0, why);
                    continue;
                }
                None => {}
            }
            let target = command.target();
            let context = FrameContext {
                pinned_session: if room.is_none() && !is_enter {
                    self.pinned_sessions.session_of(&target)
                } else {
                    None
                },
                oldest_shown: self.cursor.oldest_shown(&target),
            };
            if let Some(frame) = self.pending.send_next(session, &context) {
                self.push_output(Output::Send(frame));
            }
        }
    }

    /// Removes the first unsent request and reports it as refused. Does nothing if there is none.
    /// `code` is an error code, or 0 if the link itself refuses.
    fn refuse_next_unsent(&mut self, code: u16, why: LinkSentence) {
        if let Some(item) = self.pending.remove_next_unsent() {
            self.refuse(item.tag, code, why, &item.command);
        }
    }
}

/// Returns the features that the server must have granted for a command, as bits of [`feature`],
/// and what to say if it has not; `None` if it needs none. Without them the server would ignore the request and never
/// answer.
const fn required_feature(command: &ChatCommand) -> Option<(u64, LinkSentence)> {
    Some(match command {
        ChatCommand::Search(_) => (feature::SEARCH, LinkSentence::NoSearch),
        ChatCommand::Moderate(ModerationCommand::ListRooms) => {
            (feature::DIRECTORY, LinkSentence::NoDirectory)
        }
        ChatCommand::Moderate(_) => (feature::EVENTS, LinkSentence::NoModeration),
        ChatCommand::Claim(_) => (feature::IDENTITY, LinkSentence::NoClaims),
        _ => return None,
    })
}

/// Resolves a room selector to a room name. `rooms`: the joined rooms. Returns the name of a joined
/// room in the server's spelling. Returns any other name unchanged: the server decides, because an
/// `enter` of that room may be in flight.
///
/// # Errors
/// What to say to the user, if the selector names no room and no room is joined. Also if the selector is
/// [`RoomSelector::Only`] and several rooms are joined.
fn resolve_room(rooms: &[String], room: &RoomSelector) -> Result<String, LinkSentence> {
    match room {
        RoomSelector::Named(name) => {
            let key = NameKey::of(name);
            let known = rooms.iter().find(|it| NameKey::of(it) == key);
            Ok(known.unwrap_or(name).clone())
        }
        RoomSelector::Only if rooms.len() > 1 => Err(LinkSentence::SeveralRooms),
        RoomSelector::Only | RoomSelector::First => {
            rooms.first().cloned().ok_or(LinkSentence::NoRoom)
        }
    }
}
