//! Messages that were shown lately, so that the user can name one of them to remove it.

use std::collections::BTreeMap;

use crate::model::{Message, NameKey, Sequence, Style, Timestamp};

/// Maximum number of messages remembered. Beyond it, the oldest is forgotten.
const MAX_MESSAGES: usize = 1_000;

/// Maximum length of the text remembered of a message, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// Message that was shown.
#[derive(Clone, Debug)]
struct RecentMessage {
    /// Key of the room's name.
    room: NameKey,
    /// Username of the author.
    author: String,
    /// True if the message is the user's own.
    own: bool,
    /// Time of the message.
    time: Timestamp,
    /// Beginning of the text, in lower case. Empty once the message is removed.
    text: String,
    /// True if the message was removed, or its removal was requested.
    is_gone: bool,
}

/// Messages of a server's log that were shown lately.
#[derive(Debug, Default)]
pub struct RecentMessages(BTreeMap<Sequence, RecentMessage>);

impl RecentMessages {
    /// Adds a message of a server. Ignores a message of a peer, which has no number that all agree
    /// on.
    pub fn add(&mut self, message: &Message) {
        if message.lamport.is_some() {
            return;
        }
        let text = message.text.chars().take(MAX_TEXT_CHARS).collect::<String>();
        let recent = RecentMessage {
            room: NameKey::of(&message.room),
            author: message.from.clone(),
            own: message.own,
            time: message.time,
            text: text.to_lowercase(),
            is_gone: message.style == Style::REMOVED,
        };
        self.0.insert(message.sequence, recent);
        if self.0.len() > MAX_MESSAGES {
            self.0.pop_first();
        }
    }

    /// Marks a message as removed, and forgets its text.
    pub fn mark_removed(&mut self, message: Sequence) {
        if let Some(recent) = self.0.get_mut(&message) {
            recent.is_gone = true;
            recent.text.clear();
        }
    }

    /// Returns author and time of a message, removed or not. `None` if it was not shown lately.
    pub fn author_and_time(&self, message: Sequence) -> Option<(String, Timestamp)> {
        self.0.get(&message).map(|it| (it.author.clone(), it.time))
    }

    /// Finds the latest message of a room that an author wrote, or the user (`None`), and that
    /// holds `text` in any case. Skips messages that were removed, or returned before: the caller
    /// requests to remove what it gets.
    pub fn take_latest(
        &mut self,
        room: &str,
        author: Option<&str>,
        text: &str,
    ) -> Option<Sequence> {
        let (room, author, text) =
            (NameKey::of(room), author.map(NameKey::of), text.to_lowercase());
        let (sequence, recent) = self.0.iter_mut().rev().find(|(_, it)| {
            let is_author = match &author {
                Some(author) => NameKey::of(&it.author) == *author,
                None => it.own,
            };
            !it.is_gone && it.room == room && is_author && it.text.contains(&text)
        })?;
        recent.is_gone = true;
        Some(*sequence)
    }

    /// Forgets all messages: sequences have no meaning in another log.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lamport, RequestTag, SessionId};

    /// Returns a message in the lobby; it is the user's own if `from` is Anna.
    fn message(sequence: u64, from: &str, text: &str) -> Message {
        Message {
            sequence: Sequence(sequence),
            time: Timestamp(sequence),
            room: "lobby".to_owned(),
            session: SessionId(1),
            from: from.to_owned(),
            style: Style::SAID,
            text: text.to_owned(),
            history: false,
            requested: false,
            own: from == "Anna",
            late: false,
            person: None,
            lamport: None,
            tag: RequestTag::default(),
        }
    }

    /// The latest message of the author is found, then the one before it. Removed messages and
    /// those of other rooms are not found.
    #[test]
    fn latest_message_is_taken_once() {
        let mut recent = RecentMessages::default();
        recent.add(&message(1, "Anna", "one"));
        recent.add(&message(2, "bob", "Buy PILLS"));
        recent.add(&message(4, "bob", "sorry"));
        // An older message that was requested later.
        recent.add(&message(3, "bob", "pills again"));
        recent.add(&Message { style: Style::REMOVED, ..message(5, "bob", "[removed]") });
        let take = |recent: &mut RecentMessages, author, text| {
            recent.take_latest("Lobby", author, text).map(|it| it.0)
        };
        assert_eq!(take(&mut recent, Some("BOB"), "pills"), Some(3));
        assert_eq!(take(&mut recent, Some("bob"), ""), Some(4));
        recent.mark_removed(Sequence(2));
        assert_eq!(take(&mut recent, Some("bob"), ""), None);
        assert_eq!(take(&mut recent, None, ""), Some(1));
        assert_eq!(take(&mut recent, None, ""), None);
        let known = Some(("bob".to_owned(), Timestamp(2)));
        assert_eq!(recent.author_and_time(Sequence(2)), known);
        assert_eq!(recent.take_latest("garden", None, ""), None);
    }

    /// The latest messages of a server are kept, up to the limit. Messages of peers are not kept.
    #[test]
    fn number_of_messages_is_limited() {
        let mut recent = RecentMessages::default();
        for sequence in 1..=1_001 {
            recent.add(&message(sequence, "bob", &"x".repeat(10_000)));
        }
        assert_eq!(recent.author_and_time(Sequence(1)), None);
        assert!(recent.0.values().all(|it| it.text.len() == MAX_TEXT_CHARS));
        let of_peer = Message { lamport: Some(Lamport(1)), ..message(2_000, "bob", "x") };
        recent.add(&of_peer);
        assert_eq!(recent.author_and_time(Sequence(2_000)), None);
        recent.clear();
        assert!(recent.0.is_empty());
    }
}
