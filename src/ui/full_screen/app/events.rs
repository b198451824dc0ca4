//! What events of the engine do to the model.

use super::conversation::{Conversation, Older, Place};
use super::question::Question;
use super::{App, Output, Overlay};
use crate::model::limits::APPROVAL_TIMEOUT;
use crate::model::{ConnectionState, Event, ModerationEvent, NameKey};
use crate::text;
use crate::ui::full_screen::text::visible;
use crate::ui::render::{RenderedText, error_line};
use crate::ui::safe::{safe_line, safe_name};

impl App {
    /// Shows an event.
    pub(super) fn handle_event(&mut self, event: &Event) {
        self.shared.with(|it| it.update(event));
        let notes = match event {
            Event::Message(message) => self.show_message(message, event),
            Event::Direct(message) => self.show_direct(message, event),
            Event::Acknowledged { tag, .. } => {
                let _ = self.take_pending(tag);
                self.render(event)
            }
            Event::SearchResult(found) => match self.show_found(found) {
                true => Vec::new(),
                false => self.render(event),
            },
            Event::Refused(refusal) => {
                let notes = self.render(event);
                let reason = notes.first().map(|it| reason_of(it, &refusal.to)).unwrap_or_default();
                self.fail_load(&refusal.tag);
                let is_shown =
                    self.refuse_search(&refusal.tag, &reason) || self.refuse(&refusal.tag, &reason);
                if is_shown { Vec::new() } else { notes }
            }
            Event::Unsent { tag, .. } => self.show_unsent(tag, event),
            Event::Presence { room, members, joined, left } => {
                self.show_presence(room, *members, joined.as_deref(), left.as_deref());
                Vec::new()
            }
            Event::Roster { room, members, requested, .. } => {
                if let Some(it) = self.conversations.find_mut(&Place::Room(room.clone())) {
                    it.people = Some(*members);
                }
                if *requested { self.render(event) } else { Vec::new() }
            }
            Event::JoinedServer(joined) => {
                self.connection.joined();
                self.trouble = None;
                self.connection.server_name = safe_line(&joined.server_name);
                if joined.log_changed {
                    self.forget_found();
                    self.conversations.iter_mut().for_each(Conversation::forget_log);
                }
                self.has_joined = true;
                self.composer.set_max_bytes(joined.max_text.into());
                self.keep_rooms(&joined.rooms);
                self.render(event)
            }
            Event::JoinedMesh(joined) => {
                self.connection.joined();
                self.connection.set_closed(joined.is_closed);
                self.has_joined = true;
                self.keep_rooms(std::slice::from_ref(&joined.room));
                let place = Place::Room(joined.room.clone());
                let people = u32::try_from(joined.members.len()).unwrap_or(u32::MAX);
                self.conversations.open(&place).people = Some(people);
                self.render(event)
            }
            Event::Entered { room, members, .. } => {
                self.enter(room, *members);
                self.render(event)
            }
            Event::Left { room, is_forced, .. } => {
                let mut notes = self.render(event);
                let place = Place::Room(room.clone());
                // Why the user is out was told there just before.
                let reasons = self.conversations.find_mut(&place).filter(|_| *is_forced);
                let reasons = reasons.map(|it| it.last_notes()).unwrap_or_default();
                notes.splice(0..0, reasons.into_iter().map(|text| error_line(&text)));
                if let Some(index) = self.conversations.index_of(&place) {
                    self.close(index);
                }
                notes
            }
            Event::HistoryEnd { tag, more, requested: true, .. }
                if self.finish_load(tag, *more) =>
            {
                self.render_silently(event);
                Vec::new()
            }
            Event::HistoryEnd { room: Some(room), more, requested: true, .. } => {
                if let Some(it) = self.conversations.find_mut(&Place::Room(room.clone())) {
                    it.older = if *more { Older::Unknown } else { Older::None };
                }
                self.render_silently(event);
                Vec::new()
            }
            Event::HistoryEnd { room, requested: false, .. } => {
                let is_of =
                    |it: &Place| room.as_ref().is_none_or(|room| it.is(&Place::Room(room.clone())));
                for it in self.conversations.iter_mut().filter(|it| is_of(&it.place)) {
                    it.has_history = true;
                }
                self.render(event)
            }
            Event::ReadMark { room, sequence } => {
                self.read_elsewhere(room.as_deref(), *sequence);
                Vec::new()
            }
            Event::Connection(state) => self.show_connection(state, event),
            Event::PasswordWanted { again } => {
                self.ask(Question::Password { again: *again });
                Vec::new()
            }
            Event::InviteWanted { .. } => {
                self.ask(Question::Invite);
                self.render(event)
            }
            Event::NameWanted { .. } => {
                self.ask(Question::Name);
                self.render(event)
            }
            Event::AdmissionRequested { name } => {
                self.admissions.push_back((name.clone(), self.now + APPROVAL_TIMEOUT));
                self.call(Output::Notify {
                    title: safe_name(name),
                    text: text!("notice-admission"),
                });
                Vec::new()
            }
            Event::Moderation(event) => self.show_moderation(event),
            _ => self.render(event),
        };
        let place = place_of(event);
        for note in notes {
            let (text, is_error) = plain_note(&note);
            let id = self.line_id();
            self.conversations.find_or_current(place.as_ref()).add_note(id, text, is_error);
            if is_error && self.is_leaving {
                self.farewell.push(note.text);
            }
        }
    }

    /// Renders an event as texts.
    pub(super) fn render(&mut self, event: &Event) -> Vec<RenderedText> {
        self.renderer.render(event)
    }

    /// Lets the renderer know of an event that is shown in another way.
    pub(super) fn render_silently(&mut self, event: &Event) {
        let _ = self.renderer.render(event);
    }

    /// Notes who has come into a room and who has left it, without the user and ignored people.
    fn show_presence(
        &mut self,
        room: &str,
        members: u32,
        joined: Option<&[String]>,
        left: Option<&[String]>,
    ) {
        let me = self.own_name().map(|it| NameKey::of(&it));
        let shown = |names: Option<&[String]>| -> Vec<String> {
            let is_shown = |it: &&String| Some(NameKey::of(it)) != me && !self.is_ignored(it);
            names.unwrap_or_default().iter().filter(is_shown).map(|it| safe_name(it)).collect()
        };
        let (joined, left) = (shown(joined), shown(left));
        let id = self.line_id();
        if let Some(it) = self.conversations.find_mut(&Place::Room(room.to_owned())) {
            it.people = Some(members);
            it.add_presence(id, &joined, &left);
        }
    }

    /// Keeps the conversations of these rooms, begins those that are missing, and closes the others.
    fn keep_rooms(&mut self, rooms: &[String]) {
        for room in rooms {
            self.conversations.open(&Place::Room(room.clone()));
        }
        let is_gone = |place: &Place| match place {
            Place::Room(room) => !rooms.iter().any(|it| NameKey::of(it) == NameKey::of(room)),
            Place::Start | Place::Direct(_) => false,
        };
        loop {
            let gone = self.conversations.iter().position(|it| is_gone(&it.place));
            let Some(index) = gone else { break };
            self.close(index);
        }
        self.select_current_room();
    }

    /// Begins the conversation of a room that the user has entered. Shows it if they have asked to
    /// enter it.
    fn enter(&mut self, room: &str, members: u32) {
        let place = Place::Room(room.to_owned());
        self.conversations.open(&place).people = Some(members);
        let is_wanted = self.shared.with(|it| it.selected_room.as_deref() == Some(room));
        if is_wanted && let Some(index) = self.conversations.index_of(&place) {
            self.show_conversation(index);
        }
    }

    /// Shows a change of the connection. What the status line tells as long as it lasts is no line
    /// of the conversation.
    fn show_connection(&mut self, state: &ConnectionState, event: &Event) -> Vec<RenderedText> {
        self.connection.update(state, self.now);
        let notes = self.render(event);
        match state {
            ConnectionState::Disconnected { reason } => {
                // Every attempt may fail for the same reason.
                let is_known = self.trouble.as_ref() == Some(reason);
                self.trouble = Some(reason.clone());
                if is_known { Vec::new() } else { notes }
            }
            ConnectionState::Encrypted { .. } | ConnectionState::Plain { .. }
                if !self.has_joined =>
            {
                notes
            }
            _ => Vec::new(),
        }
    }

    /// Shows an event about moderation.
    fn show_moderation(&mut self, event: &ModerationEvent) -> Vec<RenderedText> {
        if let ModerationEvent::MessageRemoved { room, message, .. } = event
            && let Some(it) = self.conversations.find_mut(&Place::Room(room.clone()))
        {
            it.remove_message(*message);
            if let Some(context) = &mut self.context {
                context.conversation.remove_message(*message);
            }
            self.remove_hit(*message);
        }
        self.render(&Event::Moderation(event.clone()))
    }

    /// Asks a question. What the user was typing is kept for afterwards.
    pub(super) fn ask(&mut self, question: Question) {
        if self.question.takes_line() {
            self.end_question();
        }
        self.overlay = Overlay::None;
        self.was_asked |= matches!(question, Question::Password { .. } | Question::Invite);
        match question {
            Question::Password { .. } => self.composer.set_masked(true),
            _ => self.conversations.current_mut().draft = self.composer.take_draft(),
        }
        self.question = question;
        self.outputs.push_back(Output::Bell);
    }

    /// Ends the question that a line has answered, and brings back what the user was typing.
    pub(super) fn end_question(&mut self) {
        self.composer.set_masked(false);
        if matches!(self.question, Question::Invite | Question::Name) {
            let draft = std::mem::take(&mut self.conversations.current_mut().draft);
            self.composer.restore_draft(draft);
        }
        self.question = Question::None;
    }
}

/// Returns the conversation that a note about an event belongs to; `None`: the one that is shown.
fn place_of(event: &Event) -> Option<Place> {
    match event {
        Event::Entered { room, .. }
        | Event::Gap { room }
        | Event::Roster { room, .. }
        | Event::Moderation(
            ModerationEvent::Topic { room, .. }
            | ModerationEvent::RoomModes { room, .. }
            | ModerationEvent::MessageRemoved { room, .. },
        ) => Some(Place::Room(room.clone())),
        Event::HolderChanged { name } => Some(Place::Direct(name.clone())),
        _ => None,
    }
}

/// Returns the reason for a refusal from its note: without its mark, the place `to`, and the text of
/// the message, which are shown elsewhere.
fn reason_of(note: &RenderedText, to: &str) -> String {
    let (text, _) = plain_note(note);
    let reason = text.lines().next().unwrap_or_default();
    let prefix = format!("{}: ", safe_name(to));
    reason.strip_prefix(&prefix).unwrap_or(reason).to_owned()
}

/// Returns the text of a note without the marks that plain lines have, and true if it says that
/// something went wrong.
pub(super) fn plain_note(note: &RenderedText) -> (String, bool) {
    let is_error = note.text.starts_with("!! ");
    let lines = note.text.lines().map(|line| {
        let line = line.strip_prefix("!! ").or_else(|| line.strip_prefix("-- ")).unwrap_or(line);
        line.strip_prefix(crate::ui::render::CONTINUATION_PREFIX).unwrap_or(line)
    });
    (visible(&lines.collect::<Vec<_>>().join("\n")).into_owned(), is_error)
}
