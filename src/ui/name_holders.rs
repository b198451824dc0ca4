//! Who has which name, as far as their messages tell: to ignore the person and not the name.

use std::collections::BTreeMap;

use crate::model::{NameKey, Sequence, SessionId};

/// Maximum number of names that are remembered. Beyond it, the one whose holder has written nothing
/// for longest is forgotten.
const MAX_HOLDERS: usize = 1_000;

/// Author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Author {
    /// Session.
    pub(super) session: SessionId,
    /// Number of the person whose session it is; `None`: nobody's who has claimed a name.
    pub(super) person: Option<SessionId>,
}

impl Author {
    /// Returns the number of the author as a person. A session that claims a name gets its own
    /// number as a person, so it has this number also before the claim.
    pub(super) fn number(self) -> SessionId {
        self.person.unwrap_or(self.session)
    }
}

/// Last known holders of names within one log.
#[derive(Debug, Default)]
pub(super) struct NameHolders(BTreeMap<NameKey, (Sequence, Author)>);

impl NameHolders {
    /// Notes who has written a message under a name. A message that is older than the last one of
    /// this name changes nothing.
    pub(super) fn note(&mut self, name: &str, sequence: Sequence, author: Author) {
        let key = NameKey::of(name);
        if self.0.get(&key).is_some_and(|(last, _)| *last > sequence) {
            return;
        }
        self.0.insert(key, (sequence, author));
        if self.0.len() > MAX_HOLDERS {
            let oldest = self.0.iter().min_by_key(|(_, (last, _))| *last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
    }

    /// Returns the last known holder of a name; `None` if there is none.
    pub(super) fn get(&self, name: &NameKey) -> Option<Author> {
        self.0.get(name).map(|(_, author)| *author)
    }

    /// Forgets all holders.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The latest message of a name counts, in whatever order they are shown; and the number of
    /// names is bounded.
    #[test]
    fn latest_author_holds_the_name() {
        let mut holders = NameHolders::default();
        let author = |number| Author { session: SessionId(number), person: None };
        for (name, sequence) in [("bob", 5), ("BOB", 7), ("Bob", 6)] {
            holders.note(name, Sequence(sequence), author(sequence));
        }
        assert_eq!(holders.get(&NameKey::of("bob")), Some(author(7)));
        for number in 10..=1_010 {
            holders.note(&format!("u{number}"), Sequence(number), author(number));
        }
        assert_eq!(holders.0.len(), MAX_HOLDERS);
        assert_eq!(holders.get(&NameKey::of("bob")), None);
    }
}
