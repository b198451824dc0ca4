//! What a person looks for among the messages of the past, and what was
//! found.

use super::{Message, Sequence, Tag, Timestamp};

/// Something to look for. What is left open is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// In which room, in any spelling; `None`: all that one is in.
    pub room: Option<String>,
    /// Who must have written it, in any spelling.
    pub from: Option<String>,
    /// Words and phrases that a text must hold, as they were typed.
    pub text: String,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only messages with a smaller sequence: the next older page.
    pub before: Option<Sequence>,
    /// The latest so many; 1 to 50.
    pub limit: u16,
}

/// The whole answer to a [`Search`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// That of the request.
    pub tag: Tag,
    /// What was looked for.
    pub search: Search,
    /// What was found, oldest first.
    pub messages: Vec<Message>,
    /// There are older ones.
    pub more: bool,
}

impl Found {
    /// The search for the older ones, if there are any.
    #[must_use]
    pub fn older(&self) -> Option<Search> {
        let first = self.messages.iter().map(|it| it.sequence).min().filter(|_| self.more)?;
        Some(Search { before: Some(first), ..self.search.clone() })
    }
}
