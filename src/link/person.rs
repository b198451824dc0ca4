//! The user's other devices: what one of them sends is the user's own (`docs/protocol/identity.md`).

use super::Link;
#[cfg(feature = "ui")]
use super::persons::Author;
#[cfg(feature = "ui")]
use crate::model::Event;
use crate::model::{NameKey, SessionId};
#[cfg(feature = "ui")]
use crate::wire::tcp::DirectEntry;

impl Link {
    /// Returns true if the user wrote an entry: in a session of this client, or on another device.
    /// `session`, `person` and `name` are the author's, by the entry.
    ///
    /// The user's number as a person is in the entries of the sessions of this client. While none
    /// has come, a person who has the user's name is the user: nobody else can have it.
    pub(super) fn is_own(&mut self, session: SessionId, person: SessionId, name: &str) -> bool {
        let is_own_session = self.own_sessions.contains(&session);
        if person == SessionId(0) {
            return is_own_session;
        }
        let has_own_name = self.has_name(name);
        if is_own_session && has_own_name {
            self.own_person = Some(person);
        }
        is_own_session || self.own_person.map_or(has_own_name, |it| it == person)
    }

    /// Notes author or recipient of a direct message; `is_own`: the user has sent it. Reports a new
    /// holder of the author's name.
    #[cfg(feature = "ui")]
    pub(super) fn note_direct(&mut self, entry: &DirectEntry, is_own: bool) {
        if is_own {
            self.pinned_sessions.persons.note_recipient(&entry.to, entry.to_session);
        } else {
            let author = Author { session: entry.from_session, person: entry.from_person };
            self.report_new_holder(&entry.from, author);
            self.pinned_sessions.persons.note_author(&entry.from, author);
        }
    }

    /// Notes the author of a message. If the user has exchanged direct messages with another person
    /// of this name, reports the new holder, once.
    #[cfg(feature = "ui")]
    pub(super) fn report_new_holder(&mut self, name: &str, author: Author) {
        if self.pinned_sessions.persons.see(name, author) {
            self.emit(Event::HolderChanged { name: name.to_owned() });
        }
    }

    /// Returns true if the user has this name, in any spelling.
    fn has_name(&self, name: &str) -> bool {
        let own = self.welcome.as_ref().map(|it| NameKey::of(&it.username));
        own == Some(NameKey::of(name))
    }
}
