//! Which conversation is shown: changing it takes the draft and the target of typed lines along.

use super::App;
use super::conversation::Place;

impl App {
    /// Shows the direct messages with a person.
    pub(super) fn show_person(&mut self, name: String) {
        let place = Place::Direct(name);
        self.conversations.open(&place);
        if let Some(index) = self.conversations.index_of(&place) {
            self.show_conversation(index);
        }
    }

    /// Shows the conversation of the room that is the target of typed lines, after a command may
    /// have changed it.
    pub(super) fn show_selected_room(&mut self) {
        let room = self.shared.with(|it| it.selected_room.clone());
        if let (Place::Room(_), Some(room)) = (&self.conversations.current().place, room)
            && let Some(index) = self.conversations.index_of(&Place::Room(room))
        {
            self.show_conversation(index);
        }
    }

    /// Makes the current conversation's room the target of typed lines.
    pub(super) fn select_current_room(&mut self) {
        if let Place::Room(room) = &self.conversations.current().place {
            let room = room.clone();
            let _ = self.shared.with(|it| it.select_room(&room));
        }
    }

    /// Shows another conversation, with what the user was typing there.
    pub(super) fn show_conversation(&mut self, index: usize) {
        if index == self.conversations.current_index() || index >= self.conversations.len() {
            return;
        }
        self.close_context();
        let is_asking = self.question.takes_line();
        if !is_asking {
            self.conversations.current_mut().draft = self.composer.take_draft();
        }
        self.conversations.show(index);
        if !is_asking {
            let draft = std::mem::take(&mut self.conversations.current_mut().draft);
            self.composer.restore_draft(draft);
        }
        self.select_current_room();
    }

    /// Closes a conversation. If it is shown, what the user was typing goes into the history of typed
    /// lines, and what they were typing in the one that is shown then comes back.
    pub(super) fn close(&mut self, index: usize) {
        let is_shown = index == self.conversations.current_index();
        if is_shown {
            self.close_context();
        }
        self.conversations.remove(index);
        if is_shown && !self.question.takes_line() {
            // What was being typed was meant for the place that is gone: Up brings it back.
            self.composer.discard();
            let draft = std::mem::take(&mut self.conversations.current_mut().draft);
            self.composer.restore_draft(draft);
        }
        self.select_current_room();
    }
}
