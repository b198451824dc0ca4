//! Messages: `say`, `direct`, and the log's commits (`docs/protocol/tcp.md`, sections 7 and 8).

use super::Hub;
use super::connection::{BlockedOn, ConnectionState, PendingRead};
use super::contract::{ConnectionId, Delivery, Now, Output, RoomId};
use super::log_contract::{LogItem, NotStoredReason, Proposal, ReadPurpose};
use super::message_dedup::MessageStatus;
use super::moderation::speech_code;
use crate::model::{
    Draft, ErrorCode, MessageText, Moment, Reference, RoomName, Sequence, SessionId, SharedEntry,
    Style, Target, Username,
};
use crate::wire::tcp::{Accepted, Direct, Error, Say, ServerFrame, kind};

/// Maximum number of sequence gaps that are remembered. A joined gap also covers the sequences
/// between the two: a client with such a position starts without one, which does no harm.
pub(super) const MAX_SEQUENCE_GAPS: usize = 64;

/// Message that passed the checks of its frame.
struct Message {
    /// Kind number of the frame.
    kind: u16,
    /// Reference of the message.
    reference: Reference,
    /// Where it goes.
    target: Target,
    /// Display style.
    style: Style,
    /// Text.
    text: MessageText,
}

impl Hub {
    /// Handles `say`: proposes the message to the log, or refuses it with an error. A duplicate is
    /// not proposed, but answered as [`Self::check_reference`] says.
    pub(super) fn handle_say(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        say: &Say,
    ) {
        if !self.check_reference(id, session, say.reference, kind::SAY) {
            return;
        }
        match self.check_say(session, say) {
            Ok((target, text)) => {
                let (reference, style) = (say.reference, parse_style(say.style));
                let message = Message { kind: kind::SAY, reference, target, style, text };
                self.append_message(now, id, session, message);
            }
            Err(code) => {
                self.refuse_message(id, session, kind::SAY, say.reference, Error::new(code));
            }
        }
    }

    /// Validates a `say`: first the room, then the text. Returns both. Changes nothing.
    fn check_say(&self, session: SessionId, say: &Say) -> Result<(Target, MessageText), ErrorCode> {
        let room = self.joined_room(session, &say.room).and_then(|room| self.rooms.get(room));
        let target = Target::Room(room.ok_or(ErrorCode::NotInRoom)?.name.clone());
        Ok((target, parse_text(&say.text)?))
    }

    /// Handles `direct`: proposes the direct message to the log, or refuses it with an error. A
    /// duplicate is not proposed, but answered as [`Self::check_reference`] says. An author may
    /// write to their own session.
    pub(super) fn handle_direct(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        direct: &Direct,
    ) {
        if !self.check_reference(id, session, direct.reference, kind::DIRECT) {
            return;
        }
        let checked = self
            .find_recipient(now, &direct.to, direct.session)
            .and_then(|target| Ok((target, parse_text(&direct.text)?)));
        match checked {
            Ok((target, text)) => {
                let (reference, style) = (direct.reference, parse_style(direct.style));
                let message = Message { kind: kind::DIRECT, reference, target, style, text };
                self.append_message(now, id, session, message);
            }
            Err(code) => {
                self.refuse_message(id, session, kind::DIRECT, direct.reference, Error::new(code));
            }
        }
    }

    /// Refuses a message: records its reference as refused, persists the session, and sends the
    /// error. The client may send the message again.
    fn refuse_message(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        about: u16,
        reference: Reference,
        error: Error,
    ) {
        if let Some(author) = self.sessions.get_mut(session) {
            author.dedup.mark_refused(reference);
            self.persist_session(session);
        }
        self.send_frame(id, Error { about, reference, ..error });
    }

    /// Checks by its reference whether a message is a duplicate. Returns true if the message may be
    /// proposed: it is new or was refused before. Otherwise returns false, and answers:
    /// - `accepted` for a duplicate of a stored message;
    /// - an error for reference 0;
    /// - nothing for a duplicate of a message in flight: the log's answer will come.
    fn check_reference(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        reference: Reference,
        kind: u16,
    ) -> bool {
        if reference == Reference::NONE {
            self.send_request_error(id, ErrorCode::ReferenceInvalid, kind, reference);
            return false;
        }
        match self.sessions.get(session).map(|it| it.dedup.status(reference)) {
            Some(MessageStatus::New) => true,
            Some(MessageStatus::Accepted) => {
                self.send_frame(id, Accepted { reference });
                false
            }
            Some(MessageStatus::InFlight) | None => false,
        }
    }

    /// Finds the recipient of a direct message by username: the person who has claimed the name, or
    /// else the session that holds it, connected or with a waiting name. If no session holds the
    /// name, finds the session that was disconnected last under it, if that can be resumed.
    ///
    /// # Errors
    /// [`ErrorCode::RecipientUnknown`] if there is nobody. [`ErrorCode::RecipientChanged`]
    /// if `required_session` is neither 0 nor this session, nor one of this person's.
    fn find_recipient(
        &self,
        now: Moment,
        to: &str,
        required_session: SessionId,
    ) -> Result<Target, ErrorCode> {
        let name = Username::new(to).map_err(|_| ErrorCode::RecipientUnknown)?;
        if let Some(claim) = self.moderation.claim(name.key()) {
            let is_own = self.number_of(required_session) == claim.person;
            if required_session != SessionId(0) && !is_own {
                return Err(ErrorCode::RecipientChanged);
            }
            return Ok(Target::Session(claim.person, claim.username.clone()));
        }
        let found = self
            .names
            .holder(name.key())
            .or_else(|| self.sessions.find_away_by_name(name.key(), now))
            .ok_or(ErrorCode::RecipientUnknown)?;
        if required_session != SessionId(0) && required_session != found {
            return Err(ErrorCode::RecipientChanged);
        }
        let recipient = self.sessions.get(found).ok_or(ErrorCode::RecipientUnknown)?;
        Ok(Target::Session(found, recipient.username.clone()))
    }

    /// Proposes a message to the log, and marks its reference as in flight. The log
    /// answers with `Committed` or `NotStored`. If the recipient's session is away, it is
    /// no longer disposable. Refuses the message if its author may not speak now.
    fn append_message(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        message: Message,
    ) {
        let Message { kind, reference, target, style, text } = message;
        let Some(username) = self.sessions.get(session).map(|it| it.username.clone()) else {
            return;
        };
        let person = self.person_of(session);
        let draft = Draft { session, person, username, reference, target, style, text };
        if let Err(error) = self.check_speech(now, &draft) {
            return self.refuse_message(id, session, kind, reference, error);
        }
        self.record_speech(now, &draft);
        if let Some(author) = self.sessions.get_mut(session) {
            author.dedup.submit(reference, kind);
        }
        if let Target::Session(recipient, _) = &draft.target {
            self.sessions.mark_worth_keeping(*recipient);
        }
        self.outputs.push_back(Output::Propose(Proposal::Message(draft)));
    }

    /// Handles committed items: messages ([`Self::handle_stored_message`]), facts
    /// ([`Self::handle_stored_fact`]), voids, which it records as sequence gaps, volatile changes,
    /// and what other hubs have stored ([`Self::handle_stored_elsewhere`]). Finally emits
    /// `Published` if there are messages, facts or voids.
    pub(super) fn handle_committed(&mut self, now: Now, items: Vec<LogItem>) {
        let is_published =
            items.iter().any(|it| !matches!(it, LogItem::Volatile(_) | LogItem::Elsewhere(_)));
        for item in items {
            match item {
                LogItem::Message(entry) => self.handle_stored_message(&entry),
                LogItem::Fact { ticket, fact } => self.handle_stored_fact(now, ticket, &fact),
                LogItem::Void { after, up_to } => self.note_sequence_gap(after, up_to),
                LogItem::Volatile(item) => self.handle_volatile(now, &item),
                LogItem::Elsewhere(stored) => self.handle_stored_elsewhere(now, stored),
            }
        }
        if is_published {
            self.outputs.push_back(Output::Published { head: self.head });
        }
    }

    /// Records a sequence gap, `(after, up_to]`. If there are then more than [`MAX_SEQUENCE_GAPS`],
    /// joins the two oldest, as the log does in what it stores.
    fn note_sequence_gap(&mut self, after: Sequence, up_to: Sequence) {
        self.sequence_gaps.push((after, up_to));
        if self.sequence_gaps.len() > MAX_SEQUENCE_GAPS
            && let [(after, _), (_, up_to), ..] = *self.sequence_gaps.as_slice()
        {
            self.sequence_gaps.splice(..2, [(after, up_to)]);
        }
    }

    /// Handles a committed message: advances the hub's head, and adds the entry to the backlog.
    /// Publishes a room message, or sends a direct message to recipient and author. Acknowledges
    /// the message to its author. Ignores an entry whose sequence is not above the current head.
    fn handle_stored_message(&mut self, entry: &SharedEntry) {
        if entry.sequence <= self.head {
            return;
        }
        self.head = entry.sequence;
        let respelled = self.respell(entry);
        let entry = respelled.as_ref().unwrap_or(entry);
        self.backlog.push(entry);
        let author = entry.draft.session;
        if let Some(author) = self.sessions.get_mut(author) {
            author.dedup.mark_stored(entry.draft.reference);
        }
        match &entry.draft.target {
            Target::Room(name) => {
                self.rooms.record_message(name);
                let room = self.rooms.find(name);
                if let Some(room) = room {
                    self.outputs.push_back(Output::Publish { room, entry: entry.clone() });
                }
                self.acknowledge_room_message(author, room, entry.draft.reference);
            }
            Target::Session(to, _) => {
                let mut parties = self.sessions_known_by(*to);
                // Who has sent it gets its echo, also if they are the person no longer.
                for session in
                    self.sessions_known_by(entry.draft.author()).into_iter().chain([author])
                {
                    if !parties.contains(&session) {
                        parties.push(session);
                    }
                }
                for session in parties {
                    self.send_direct_entry(session, entry);
                }
                self.acknowledge_direct_message(author, entry.draft.reference);
            }
        }
    }

    /// Sends a stored direct message to a session if its connection has joined. A session that is
    /// joining or away gets the message by its replay.
    fn send_direct_entry(&mut self, session: SessionId, entry: &SharedEntry) {
        let connection = self.sessions.get(session).and_then(|it| it.connection);
        if let Some(id) = connection
            && self.connections.get(&id).is_some_and(|it| it.joined_session().is_some())
        {
            self.deliver(id, Delivery::Entries { entries: vec![entry.clone()], flags: 0 });
        }
    }

    /// Acknowledges a stored room message to its author. An author in the room gets only the
    /// published entry, which is the echo. An author who has left the room gets `accepted`.
    ///
    /// While the author's replay or this room's history is being read, `accepted` waits until the
    /// replay or history is sent. If the replay or history contains the entry, `accepted` is
    /// dropped.
    fn acknowledge_room_message(
        &mut self,
        author: SessionId,
        room: Option<RoomId>,
        reference: Reference,
    ) {
        let Some(session) = self.sessions.get(author) else {
            return;
        };
        let in_room = room.is_some_and(|it| session.rooms.contains(&it));
        let name = room.and_then(|it| self.rooms.get(it)).map(|it| it.name.clone());
        let Some(id) = session.connection else {
            return;
        };
        let accepted = ServerFrame::from(Accepted { reference });
        match self.connections.get_mut(&id).map(|it| &mut it.state) {
            Some(ConnectionState::Joining { read, .. }) => read.frames_after.push(accepted),
            Some(ConnectionState::Joined { blocked_on: Some(BlockedOn::Read(read)), .. })
                if is_entering(read, name.as_ref()) =>
            {
                read.frames_after.push(accepted);
            }
            Some(ConnectionState::Joined { .. }) if !in_room => self.send_frame(id, accepted),
            _ => {}
        }
    }

    /// Acknowledges a stored direct message if its author is joining: `accepted` waits until the
    /// replay is sent. If the entry is part of the replay, `accepted` is dropped. An author who has
    /// joined gets the echo, and no `accepted`.
    fn acknowledge_direct_message(&mut self, author: SessionId, reference: Reference) {
        let connection = self.sessions.get(author).and_then(|it| it.connection);
        if let Some(id) = connection
            && let Some(ConnectionState::Joining { read, .. }) =
                self.connections.get_mut(&id).map(|it| &mut it.state)
        {
            read.frames_after.push(Accepted { reference }.into());
        }
    }

    /// Handles a message that the log could not store: records its reference as refused, persists
    /// the session, and sends an error to the author: `not_stored`, or why the author may not
    /// speak. Ignores a message that is not in flight.
    pub(super) fn handle_not_stored(
        &mut self,
        session: SessionId,
        reference: Reference,
        reason: NotStoredReason,
    ) {
        let code = match reason {
            NotStoredReason::Storage => ErrorCode::NotStored,
            NotStoredReason::Follower => ErrorCode::Follower,
            NotStoredReason::Forbidden(error) => speech_code(error),
        };
        let author = self.sessions.get_mut(session);
        let kind = author.and_then(|it| {
            // What was not said does not count for slow mode.
            it.last_spoken.clear();
            it.dedup.mark_not_stored(reference)
        });
        if let Some(kind) = kind {
            self.persist_session(session);
            self.send_to_session(session, Error::about(code, kind, reference));
        }
    }
}

/// Validates a message text.
///
/// # Errors
/// [`ErrorCode::TextInvalid`].
fn parse_text(text: &str) -> Result<MessageText, ErrorCode> {
    MessageText::new(text).map_err(|_| ErrorCode::TextInvalid)
}

/// Returns the style to store for a message that a client sends with this style. That is
/// [`Style::SAID`] for [`Style::REMOVED`], so that no client can imitate a removed message.
fn parse_style(style: u8) -> Style {
    if Style(style) == Style::REMOVED { Style::SAID } else { Style(style) }
}

/// Returns true if a pending read serves an `enter` into this room. False if `room` is `None`.
fn is_entering(read: &PendingRead, room: Option<&RoomName>) -> bool {
    matches!(&read.purpose, ReadPurpose::Enter(_, entering) if Some(entering) == room)
}
