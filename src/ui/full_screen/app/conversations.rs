//! All conversations, and which of them is shown.

use super::conversation::{Conversation, Place};

/// Maximum number of conversations with one person each in which the user has not written. Beyond
/// it, the oldest one that was read is closed, or else the oldest one: strangers cannot fill the
/// memory, nor close the conversations of others.
const MAX_DIRECT: usize = 100;

/// All conversations, and which of them is shown. There is always one.
pub struct Conversations {
    /// Conversations: rooms in the order in which they were entered, then people.
    list: Vec<Conversation>,
    /// Index of the one that is shown.
    current: usize,
}

impl Default for Conversations {
    /// Creates the list with the conversation of the start.
    fn default() -> Self {
        Self { list: vec![Conversation::new(Place::Start)], current: 0 }
    }
}

impl Conversations {
    /// Returns all conversations in the order in which they are listed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Conversation> {
        self.list.iter()
    }

    /// Returns all conversations, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conversation> {
        self.list.iter_mut()
    }

    /// Returns the number of conversations, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the index of the conversation that is shown.
    #[must_use]
    pub const fn current_index(&self) -> usize {
        self.current
    }

    /// Returns the conversation that is shown.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "`current` is kept below the length")]
    pub fn current(&self) -> &Conversation {
        &self.list[self.current]
    }

    /// Returns the conversation that is shown, to change it.
    #[expect(clippy::indexing_slicing, reason = "`current` is kept below the length")]
    pub fn current_mut(&mut self) -> &mut Conversation {
        &mut self.list[self.current]
    }

    /// Returns the index of a conversation; `None` if there is none.
    #[must_use]
    pub fn index_of(&self, place: &Place) -> Option<usize> {
        self.list.iter().position(|it| it.place.is(place))
    }

    /// Returns a conversation, to change it; `None` if there is none.
    pub fn find_mut(&mut self, place: &Place) -> Option<&mut Conversation> {
        self.list.iter_mut().find(|it| it.place.is(place))
    }

    /// Returns a conversation, or the one that is shown if there is none of this place.
    pub fn find_or_current(&mut self, place: Option<&Place>) -> &mut Conversation {
        let index = place.and_then(|it| self.index_of(it)).unwrap_or(self.current);
        #[expect(clippy::indexing_slicing, reason = "the index was found, or is the current one")]
        &mut self.list[index]
    }

    /// Returns a conversation, which is begun if there is none. The first room takes the place of
    /// the conversation of the start, with its lines.
    pub fn open(&mut self, place: &Place) -> &mut Conversation {
        let index = self.index_of(place).unwrap_or_else(|| self.add(place));
        #[expect(clippy::indexing_slicing, reason = "the index was found or made")]
        &mut self.list[index]
    }

    /// Begins a conversation. Returns its index.
    fn add(&mut self, place: &Place) -> usize {
        if let Place::Room(_) = place
            && let Some(start) = self.index_of(&Place::Start)
        {
            if let Some(it) = self.list.get_mut(start) {
                it.place = place.clone();
            }
            return start;
        }
        let index = match place {
            Place::Direct(_) => {
                self.forget_direct();
                self.list.len()
            }
            Place::Start | Place::Room(_) => {
                let is_person = |it: &Conversation| matches!(it.place, Place::Direct(_));
                self.list.iter().position(is_person).unwrap_or(self.list.len())
            }
        };
        self.list.insert(index, Conversation::new(place.clone()));
        if index <= self.current {
            self.current += 1;
        }
        index
    }

    /// Closes conversations with one person each beyond the limit.
    fn forget_direct(&mut self) {
        let is_direct = |it: &Conversation| matches!(it.place, Place::Direct(_)) && !it.has_own;
        while self.list.iter().filter(|it| is_direct(it)).count() >= MAX_DIRECT {
            let candidates = || {
                self.list.iter().enumerate().filter(|(at, it)| is_direct(it) && *at != self.current)
            };
            let read = candidates().find(|(_, it)| it.unread == 0 && it.draft.is_empty());
            let Some((oldest, _)) = read.or_else(|| candidates().next()) else { break };
            self.remove(oldest);
        }
    }

    /// Shows another conversation. Returns true if there is one with this index and another one was
    /// shown.
    pub fn show(&mut self, index: usize) -> bool {
        if index >= self.list.len() || index == self.current {
            return false;
        }
        self.current_mut().look_away();
        self.current = index;
        true
    }

    /// Closes a conversation. If it was shown, the one before it is shown. If it was the only one,
    /// the conversation of the start takes its place.
    pub fn remove(&mut self, index: usize) {
        if index >= self.list.len() {
            return;
        }
        self.list.remove(index);
        if self.list.is_empty() {
            self.list.push(Conversation::new(Place::Start));
        }
        if self.current >= index {
            self.current = self.current.saturating_sub(1);
        }
    }

    /// Returns the index of the conversation that calls most for attention: unread mentions and
    /// direct messages first, then other unread messages. `None` if all is read.
    #[must_use]
    pub fn next_unread(&self) -> Option<usize> {
        let unread = self.list.iter().enumerate().filter(|(_, it)| it.unread > 0);
        let best = unread.min_by_key(|(at, it)| (it.mentions == 0, *at))?;
        Some(best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a room's place.
    fn room(name: &str) -> Place {
        Place::Room(name.to_owned())
    }

    /// Returns a person's place.
    fn person(name: &str) -> Place {
        Place::Direct(name.to_owned())
    }

    /// The first room takes the place of the start; rooms come before people; what is shown stays.
    #[test]
    fn rooms_come_before_people() {
        let mut all = Conversations::default();
        all.open(&room("lobby"));
        assert_eq!((all.len(), &all.current().place), (1, &room("lobby")));
        all.open(&person("bob"));
        all.show(1);
        all.open(&room("garden"));
        let places: Vec<_> = all.iter().map(|it| it.place.clone()).collect();
        assert_eq!(places, [room("lobby"), room("garden"), person("bob")]);
        assert_eq!(all.current().place, person("bob"));
        all.remove(2);
        assert_eq!(all.current().place, room("garden"));
        all.remove(0);
        all.remove(0);
        assert_eq!(all.current().place, Place::Start);
    }

    /// Conversations with one person each are limited; what is shown or unread stays.
    #[test]
    fn direct_conversations_are_limited() {
        let mut all = Conversations::default();
        all.open(&room("lobby"));
        all.open(&person("first"));
        all.show(1);
        all.open(&person("unread")).unread = 1;
        all.open(&person("friend")).has_own = true;
        for number in 0..200 {
            all.open(&person(&format!("stranger{number}")));
        }
        assert_eq!(all.len(), 2 + MAX_DIRECT);
        assert!(all.index_of(&person("friend")).is_some());
        assert!(all.index_of(&person("unread")).is_some());
        assert_eq!(all.current().place, person("first"));
        assert_eq!(all.next_unread(), all.index_of(&person("unread")));
    }
}
