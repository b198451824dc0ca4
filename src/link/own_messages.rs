//! Which messages are the user's own: also those that another device of the user has sent
//! (`docs/protocol/identity.md`, “Several devices”).

use super::Link;
use crate::model::{NameKey, SessionId};

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

    /// Returns true if the user has this name, in any spelling.
    fn has_name(&self, name: &str) -> bool {
        let own = self.welcome.as_ref().map(|it| NameKey::of(&it.username));
        own == Some(NameKey::of(name))
    }
}
