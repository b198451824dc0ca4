//! Lines of a conversation: messages, joins and leaves, and what the program says.

use std::sync::Arc;

use crate::model::{NameKey, RequestTag, Sequence, Style, Timestamp};

/// Number of a line, unique within the program and growing with the time at which it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u64);

/// Line of a conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Number of the line.
    pub id: LineId,
    /// Content.
    pub content: Content,
}

/// Content of a line.
#[derive(Clone, Debug)]
pub enum Content {
    /// Message that somebody has written.
    Message(MessageLine),
    /// People who came and left, one after the other without a message in between.
    Presence(PresenceLine),
    /// Text of the program.
    Note {
        /// Text, without control characters except line breaks.
        text: String,
        /// True if it says that something went wrong.
        is_error: bool,
    },
}

/// Message in a conversation.
#[derive(Clone, Debug)]
pub struct MessageLine {
    /// Position in the server's log; `None` for a message of peers, and for one's own message that
    /// was not sent.
    pub sequence: Option<Sequence>,
    /// Time of the message; `None` for one's own message that was not sent.
    pub time: Option<Timestamp>,
    /// Author's username, safe for display.
    pub from: Arc<str>,
    /// True if the user has written it.
    pub own: bool,
    /// Display style.
    pub style: Style,
    /// Text, without control characters except line breaks and tabs.
    pub text: String,
    /// True if it was there before the user came.
    pub is_history: bool,
    /// True if it came after messages that were written later.
    pub is_late: bool,
    /// True if it names the user, or is a direct message to them.
    pub is_mention: bool,
    /// Why the message was not sent; `None`: it was.
    pub refused: Option<String>,
}

/// Message of the user on its way, until its echo comes.
#[derive(Clone, Debug)]
pub struct PendingMessage {
    /// Tag of the request.
    pub tag: RequestTag,
    /// Display style.
    pub style: Style,
    /// Text as it was sent.
    pub text: String,
    /// Time of the program's clock at which it was handed over.
    pub since: std::time::Duration,
}

/// People who came and left.
#[derive(Clone, Debug, Default)]
pub struct PresenceLine {
    /// Names that came and are still there, in the order in which they came.
    pub joined: Vec<String>,
    /// Names that left and are not back.
    pub left: Vec<String>,
    /// Names that came and left again, or left and came back.
    pub passed: Vec<String>,
}

/// Maximum number of names in a line about people who came and left. Then a new line begins.
const MAX_NAMES: usize = 200;

impl PresenceLine {
    /// Returns true if the line takes no more names.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.joined.len() + self.left.len() + self.passed.len() >= MAX_NAMES
    }

    /// Adds a person who has come.
    pub fn join(&mut self, name: &str) {
        Self::change(name, &mut self.left, &mut self.joined, &mut self.passed);
    }

    /// Adds a person who has left.
    pub fn leave(&mut self, name: &str) {
        Self::change(name, &mut self.joined, &mut self.left, &mut self.passed);
    }

    /// Moves a name to `to`, or to `passed` if it was in `from`: the two changes cancel each other.
    fn change(name: &str, from: &mut Vec<String>, to: &mut Vec<String>, passed: &mut Vec<String>) {
        let key = NameKey::of(name);
        let is_same = |it: &String| NameKey::of(it) == key;
        if let Some(at) = from.iter().position(is_same) {
            let name = from.remove(at);
            passed.retain(|it| !is_same(it));
            passed.push(name);
            return;
        }
        passed.retain(|it| !is_same(it));
        if !to.iter().any(is_same) {
            to.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who comes and leaves again appears once.
    #[test]
    fn changes_of_one_person_are_folded() {
        let mut line = PresenceLine::default();
        line.join("anna");
        line.join("bob");
        line.leave("Anna");
        line.leave("carl");
        line.join("carl");
        assert_eq!(line.joined, ["bob"]);
        assert!(line.left.is_empty());
        assert_eq!(line.passed, ["anna", "carl"]);
        line.join("anna");
        assert_eq!((line.joined.len(), line.passed.len()), (2, 1));
        (0..MAX_NAMES).for_each(|it| line.join(&format!("user{it}")));
        assert!(line.is_full());
    }
}
