//! `say`, `direct`, and what the log answers: `docs/protocol/tcp.md`,
//! sections 7 and 8.

use super::Hub;
use super::connection::{PendingRead, State, Wait, kind};
use super::contract::{ConnectionId, Delivery, Output, Purpose, RoomId};
use super::message_dedup::Known;
use crate::model::{
    Draft, ErrorCode, MessageText, Moment, Reference, RoomName, Sequence, SessionId, SharedEntry,
    Style, Target, Username,
};
use crate::wire::tcp::{Accepted, Direct, Error, Say, ServerFrame};

impl Hub {
    /// Gives what is said in a room to the log, or says why not.
    pub(super) fn say(&mut self, id: ConnectionId, session: SessionId, say: &Say) {
        if !self.is_new(id, session, say.reference, kind::SAY) {
            return;
        }
        match self.check_say(session, say) {
            Ok((target, text)) => {
                self.give(session, say.reference, kind::SAY, target, Style(say.style), text);
            }
            Err(code) => self.refuse_message(id, session, code, kind::SAY, say.reference),
        }
    }

    /// Checks a `say` in the order of the page. Nothing changes.
    fn check_say(&self, session: SessionId, say: &Say) -> Result<(Target, MessageText), ErrorCode> {
        let room = self.room_of(session, &say.room).and_then(|room| self.rooms.get(room));
        let target = Target::Room(room.ok_or(ErrorCode::NotInRoom)?.name.clone());
        Ok((target, checked_text(&say.text)?))
    }

    /// Gives a direct message to the log, or says why not.
    pub(super) fn direct(
        &mut self,
        now: Moment,
        id: ConnectionId,
        session: SessionId,
        direct: &Direct,
    ) {
        if !self.is_new(id, session, direct.reference, kind::DIRECT) {
            return;
        }
        let checked = self
            .recipient(now, &direct.to, direct.session)
            .and_then(|target| Ok((target, checked_text(&direct.text)?)));
        match checked {
            Ok((target, text)) => {
                let style = Style(direct.style);
                self.give(session, direct.reference, kind::DIRECT, target, style, text);
            }
            Err(code) => self.refuse_message(id, session, code, kind::DIRECT, direct.reference),
        }
    }

    /// Tells an author that a message was not taken, and remembers it.
    fn refuse_message(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        code: ErrorCode,
        kind: u16,
        reference: Reference,
    ) {
        if let Some(author) = self.sessions.get_mut(session) {
            author.outgoing.refused(reference);
            self.keep(session);
        }
        self.refuse(id, code, kind, reference);
    }

    /// Whether a message with this reference is to be looked at. If not, it
    /// has been answered, or its answer will come from the log.
    fn is_new(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        reference: Reference,
        kind: u16,
    ) -> bool {
        if reference == Reference::NONE {
            self.refuse(id, ErrorCode::ReferenceInvalid, kind, reference);
            return false;
        }
        match self.sessions.get(session).map(|it| it.outgoing.known(reference)) {
            Some(Known::New) => true,
            Some(Known::Taken) => {
                self.deliver(id, Accepted { reference });
                false
            }
            Some(Known::InFlight) | None => false,
        }
    }

    /// Whom a direct message is for: who has the name, or else who had it
    /// last and can come back.
    fn recipient(&self, now: Moment, to: &str, insisted: SessionId) -> Result<Target, ErrorCode> {
        let name = Username::new(to).map_err(|_| ErrorCode::RecipientUnknown)?;
        let found = self
            .names
            .holder(name.key())
            .or_else(|| self.sessions.away_by_name(name.key(), now))
            .ok_or(ErrorCode::RecipientUnknown)?;
        if insisted != SessionId(0) && insisted != found {
            return Err(ErrorCode::RecipientChanged);
        }
        let recipient = self.sessions.get(found).ok_or(ErrorCode::RecipientUnknown)?;
        Ok(Target::Session(found, recipient.username.clone()))
    }

    /// Gives a message to the log. It answers with `Committed` or
    /// `NotStored`.
    fn give(
        &mut self,
        session: SessionId,
        reference: Reference,
        kind: u16,
        target: Target,
        style: Style,
        text: MessageText,
    ) {
        let Some(author) = self.sessions.get_mut(session) else {
            return;
        };
        author.outgoing.give(reference, kind);
        let username = author.username.clone();
        if let Target::Session(recipient, _) = &target {
            self.sessions.has_mail(*recipient);
        }
        let draft = Draft { session, username, reference, target, style, text };
        self.outputs.push_back(Output::Append(draft));
    }

    /// The log has taken messages: sends them to whom they are for.
    pub(super) fn committed(&mut self, entries: Vec<SharedEntry>) {
        for entry in entries {
            if entry.sequence <= self.head {
                continue;
            }
            if entry.sequence > self.head.next() {
                self.sequence_gaps.push((self.head, Sequence(entry.sequence.0.saturating_sub(1))));
            }
            self.head = entry.sequence;

            self.backlog.push(&entry);
            let author = entry.draft.session;
            if let Some(author) = self.sessions.get_mut(author) {
                author.outgoing.stored(entry.draft.reference);
            }
            match &entry.draft.target {
                Target::Room(name) => {
                    let room = self.rooms.find(name);
                    if let Some(room) = room {
                        self.outputs.push_back(Output::Publish { room, entry: entry.clone() });
                    }
                    self.acknowledge(author, room, entry.draft.reference);
                }
                Target::Session(to, _) => {
                    self.hand_direct(*to, &entry);
                    if *to != author {
                        self.hand_direct(author, &entry);
                    }
                    self.acknowledge_direct(author, entry.draft.reference);
                }
            }
        }
        self.outputs.push_back(Output::Published { head: self.head });
    }

    /// Gives a session a direct message, if it is connected. One that is
    /// joining gets it from the backlog.
    fn hand_direct(&mut self, session: SessionId, entry: &SharedEntry) {
        let connection = self.sessions.get(session).and_then(|it| it.connection);
        if let Some(id) = connection
            && self.connections.get(&id).is_some_and(|it| it.joined().is_some())
        {
            self.hand(id, Delivery::Entries { entries: vec![entry.clone()], flags: 0 });
        }
    }

    /// Sees to it that an author learns that what they said in a room is in
    /// the log: by the echo if they are subscribed, else by `accepted`. If
    /// the room's history is being read for them, it depends on what is
    /// found.
    fn acknowledge(&mut self, author: SessionId, room: Option<RoomId>, reference: Reference) {
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
            Some(State::Joining { read, .. }) => read.owed.push(accepted),
            Some(State::Joined { wait: Some(Wait::Read(read)), .. })
                if is_entering(read, name.as_ref()) =>
            {
                read.owed.push(accepted);
            }
            Some(State::Joined { .. }) if !in_room => self.deliver(id, accepted),
            _ => {}
        }
    }

    /// The same for a direct message: its echo was handed over unless the
    /// author is joining.
    fn acknowledge_direct(&mut self, author: SessionId, reference: Reference) {
        let connection = self.sessions.get(author).and_then(|it| it.connection);
        if let Some(id) = connection
            && let Some(State::Joining { read, .. }) =
                self.connections.get_mut(&id).map(|it| &mut it.state)
        {
            read.owed.push(Accepted { reference }.into());
        }
    }

    /// The log could not take a message: tells its author.
    pub(super) fn not_stored(&mut self, session: SessionId, reference: Reference) {
        let kind = self.sessions.get_mut(session).and_then(|it| it.outgoing.not_stored(reference));
        if let Some(kind) = kind {
            self.keep(session);
            self.tell(session, Error::about(ErrorCode::NotStored, kind, reference));
        }
    }
}

/// A text that obeys the rule.
fn checked_text(text: &str) -> Result<MessageText, ErrorCode> {
    MessageText::new(text).map_err(|_| ErrorCode::TextInvalid)
}

/// Whether what is being read is the history of a room that is being
/// entered.
fn is_entering(read: &PendingRead, room: Option<&RoomName>) -> bool {
    matches!(&read.purpose, Purpose::Enter(_, entering) if Some(entering) == room)
}
