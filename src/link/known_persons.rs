//! Persons with whom the user has exchanged direct messages: notices when somebody else has the name
//! (`docs/protocol/identity.md`, “Several devices”). The page's engine, which is to be small, has the
//! pins only.
//!
//! Somebody who has claimed no name gets another session after a long absence, and a session may
//! become a person's. So only a name that was a person's is certain to have changed hands.

use std::collections::VecDeque;

use super::Link;
use crate::model::{Event, NameKey, SessionId};
use crate::wire::tcp::DirectEntry;

/// Author of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author {
    /// Session of the author.
    pub(super) session: SessionId,
    /// Number of the author as a person; 0: they have claimed no name.
    pub(super) person: SessionId,
}

impl Author {
    /// Returns the number of the person, otherwise that of the session.
    fn number(self) -> SessionId {
        if self.person == SessionId(0) { self.session } else { self.person }
    }
}

/// Person with whom direct messages were exchanged.
#[derive(Debug)]
struct KnownPerson {
    /// Username.
    name: NameKey,
    /// Number of the person.
    number: SessionId,
    /// True if the number is a person's. False if the user has only written to it, and it may be a
    /// session's.
    is_certain: bool,
    /// Number of the last other holder of the name whom the user was told of; 0: none.
    reported: SessionId,
}

/// Persons with whom direct messages were exchanged, at most one for each username.
#[derive(Debug, Default)]
pub(super) struct KnownPersons {
    /// The persons, ordered by the time when they were noted, oldest first.
    persons: VecDeque<KnownPerson>,
}

impl KnownPersons {
    /// Maximum number of persons. Beyond this number, the one that was noted first is forgotten.
    const MAX_PERSONS: usize = 1_000;

    /// Notes the author of a message. Returns true if another person had the username, and the user
    /// has to be told of this author.
    pub(super) fn see(&mut self, name: &str, author: Author) -> bool {
        if self.persons.is_empty() {
            return false;
        }
        let name = NameKey::of(name);
        let Some(known) = self.persons.iter_mut().find(|it| it.name == name) else {
            return false;
        };
        if known.number == author.person || known.number == author.session {
            known.is_certain |= known.number == author.person;
            return false;
        }
        let is_news = known.is_certain && known.reported != author.number();
        if is_news {
            known.reported = author.number();
        }
        is_news
    }

    /// Notes the author of a direct message to the user, after [`Self::see`]. A person who is not
    /// the author stays known until the user has tried to reply.
    pub(super) fn note_author(&mut self, name: &str, author: Author) {
        let name = NameKey::of(name);
        if self.persons.iter().any(|it| it.name == name && it.reported == author.number()) {
            return;
        }
        self.forget(&name);
        if author.person != SessionId(0) {
            self.add(name, author.person, true);
        }
    }

    /// Notes the recipient of a direct message of the user.
    pub(super) fn note_recipient(&mut self, name: &str, number: SessionId) {
        let name = NameKey::of(name);
        if !self.persons.iter().any(|it| it.name == name && it.number == number) {
            self.forget(&name);
            self.add(name, number, false);
        }
    }

    /// Adds a person of whose username none is known. If there are more than [`Self::MAX_PERSONS`],
    /// removes the oldest.
    fn add(&mut self, name: NameKey, number: SessionId, is_certain: bool) {
        self.persons.push_back(KnownPerson { name, number, is_certain, reported: SessionId(0) });
        if self.persons.len() > Self::MAX_PERSONS {
            self.persons.pop_front();
        }
    }

    /// Returns the number of the person who had a username; `None` if none is known for certain.
    pub(super) fn number_of(&self, name: &NameKey) -> Option<SessionId> {
        self.persons.iter().find(|it| it.name == *name && it.is_certain).map(|it| it.number)
    }

    /// Forgets who had a username.
    pub(super) fn forget(&mut self, name: &NameKey) {
        self.persons.retain(|it| it.name != *name);
    }

    /// Forgets all persons. Their numbers have no meaning in another log.
    pub(super) fn clear(&mut self) {
        self.persons.clear();
    }
}

impl Link {
    /// Notes author or recipient of a direct message; `is_own`: the user has sent it. Reports a new
    /// holder of the author's name.
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
    pub(super) fn report_new_holder(&mut self, name: &str, author: Author) {
        if self.pinned_sessions.persons.see(name, author) {
            self.emit(Event::HolderChanged { name: name.to_owned() });
        }
    }
}
