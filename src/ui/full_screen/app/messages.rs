//! Messages: those of others, the user's own on their way, and what came of them.

use std::sync::Arc;
use std::time::Duration;

use super::conversation::Place;
use super::line::{MessageLine, PendingMessage};
use super::{App, Output};
use crate::model::{DirectMessage, Event, Message, RequestTag};
use crate::text;
use crate::ui::full_screen::text::visible;
use crate::ui::render::RenderedText;
use crate::ui::safe::safe_name;

/// Maximum length of the text of a notification of the desktop, in characters.
const MAX_NOTIFICATION_CHARS: usize = 120;

/// Minimum time between two calls for the user's attention.
const CALL_INTERVAL: Duration = Duration::from_secs(1);

impl App {
    /// Shows a message in its room.
    pub(super) fn show_message(&mut self, message: &Message, event: &Event) -> Vec<RenderedText> {
        if self.shared.with(|it| it.ignore_list.hides_message(message)) {
            if message.requested {
                let _ = self.take_loaded(&message.room, message.sequence, None);
            }
            return self.render(event);
        }
        let _ = self.take_pending(&message.tag);
        let is_mention = !message.own && self.renderer.mentions_user(&message.text);
        let line = MessageLine {
            sequence: message.lamport.is_none().then_some(message.sequence),
            time: Some(message.time),
            from: Arc::from(safe_name(&message.from)),
            own: message.own,
            style: message.style,
            text: visible(&message.text).into_owned(),
            is_history: message.history,
            is_late: message.late,
            is_mention,
            refused: None,
        };
        let line = match message.requested {
            true => self.take_loaded(&message.room, message.sequence, Some(line)),
            false => Some(line),
        };
        if let Some(line) = line {
            self.show_line(&Place::Room(message.room.clone()), line, message.requested);
        }
        Vec::new()
    }

    /// Shows a direct message in the conversation with the other person.
    pub(super) fn show_direct(
        &mut self,
        message: &DirectMessage,
        event: &Event,
    ) -> Vec<RenderedText> {
        if self.shared.with(|it| it.ignore_list.hides_direct(message)) {
            return self.render(event);
        }
        let _ = self.take_pending(&message.tag);
        let other = if message.own { &message.to } else { &message.from };
        let line = MessageLine {
            sequence: Some(message.sequence),
            time: Some(message.time),
            from: Arc::from(safe_name(&message.from)),
            own: message.own,
            style: message.style,
            text: visible(&message.text).into_owned(),
            is_history: message.history,
            is_late: false,
            is_mention: !message.own,
            refused: None,
        };
        self.show_line(&Place::Direct(other.clone()), line, false);
        Vec::new()
    }

    /// Adds a message to a conversation, and calls for attention if it is unread. A message that was
    /// `requested` is an old one that the user has asked for.
    fn show_line(&mut self, place: &Place, line: MessageLine, requested: bool) {
        let id = self.line_id();
        let is_shown = self.conversations.current().place.is(place) && self.is_looking();
        let (own, is_mention, is_history) = (line.own, line.is_mention, line.is_history);
        let direct_read = self.direct_read.filter(|_| matches!(place, Place::Direct(_)));
        let attention = self.settings.attention(&self.connection.server_name, place);
        let conversation = self.conversations.open(place);
        conversation.read_mark = conversation.read_mark.or(direct_read);
        let is_missed = !is_history || conversation.is_missed(line.sequence);
        let is_unread = is_missed && !own && !requested;
        let calls = is_unread && !is_shown && !is_history && attention.is_for(is_mention);
        let notice = calls.then(|| notification(place, &line));
        if !conversation.add_message(id, line) || !is_unread {
            return;
        }
        if conversation.new_from.is_none() && (is_history || !is_shown) {
            conversation.new_from = Some(id);
        }
        if is_shown {
            return;
        }
        conversation.unread += 1;
        conversation.mentions += usize::from(is_mention);
        if let Some(notice) = notice {
            self.call(notice);
        }
    }

    /// Calls the user: rings the bell, and shows a notification if the window has no focus. Does
    /// nothing within [`CALL_INTERVAL`] after the last call, so that nobody can make a noise of it.
    pub(super) fn call(&mut self, notice: Output) {
        if self.called_at.is_some_and(|it| self.now < it + CALL_INTERVAL) {
            return;
        }
        self.called_at = Some(self.now);
        self.outputs.push_back(Output::Bell);
        if !self.is_focused {
            self.outputs.push_back(notice);
        }
    }

    /// Removes the user's message with this tag from those on their way, and notes how long it took.
    pub(super) fn take_pending(&mut self, tag: &RequestTag) -> Option<(Place, PendingMessage)> {
        tag.0.as_ref()?;
        let now = self.now;
        let (place, pending) = self
            .conversations
            .iter_mut()
            .find_map(|it| it.take_pending(tag).map(|pending| (it.place.clone(), pending)))?;
        self.connection.latency = Some(now.saturating_sub(pending.since));
        Some((place, pending))
    }

    /// Shows a message of the user as not sent, for this reason. Returns false if there is none with
    /// this tag.
    pub(super) fn refuse(&mut self, tag: &RequestTag, reason: &str) -> bool {
        let Some((place, pending)) = self.take_pending(tag) else { return false };
        let line = MessageLine {
            sequence: None,
            time: None,
            from: Arc::from(safe_name(&self.own_name().unwrap_or_default())),
            own: true,
            style: pending.style,
            text: visible(&pending.text).into_owned(),
            is_history: false,
            is_late: false,
            is_mention: false,
            refused: Some(reason.to_owned()),
        };
        let id = self.line_id();
        self.conversations.open(&place).add_message(id, line);
        true
    }

    /// Shows a message of the user that was not acknowledged before the end. It is told once more
    /// when the screen is gone.
    pub(super) fn show_unsent(&mut self, tag: &RequestTag, event: &Event) -> Vec<RenderedText> {
        let notes = self.render(event);
        self.farewell.extend(notes.iter().map(|it| it.text.clone()));
        let _ = self.take_pending(tag);
        notes
    }
}

/// Returns the notification of a message.
fn notification(place: &Place, line: &MessageLine) -> Output {
    let title = match place {
        Place::Room(room) => {
            text!("notice-in-room", name = line.from.as_ref(), room = safe_name(room))
        }
        Place::Start | Place::Direct(_) => line.from.to_string(),
    };
    Output::Notify { title, text: line.text.chars().take(MAX_NOTIFICATION_CHARS).collect() }
}
