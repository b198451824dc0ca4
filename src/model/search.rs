//! What to look for in the messages of the past: `docs/protocol/tcp.md`,
//! section 10.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::limits::{MAX_SEARCH_TEXT, MAX_SEARCH_WORDS};
use super::{Logged, NameKey, Sequence, Timestamp};

/// Words that have to follow one another in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The words, folded: none is empty, and there is at least one.
    pub words: Vec<String>,
    /// The last word may go on: only its beginning is given.
    pub is_prefix: bool,
}

/// Words and phrases all of which a text has to hold; none is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchText(Vec<Phrase>);

/// A text that cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SearchError {
    /// More than [`MAX_SEARCH_TEXT`] bytes.
    #[error("longer than {MAX_SEARCH_TEXT} bytes")]
    TooLong,
    /// More than [`MAX_SEARCH_WORDS`] words.
    #[error("more than {MAX_SEARCH_WORDS} words")]
    TooManyWords,
    /// Something, but no letter and no digit.
    #[error("there is no word in it")]
    NoWord,
}

impl SearchText {
    /// Takes words apart at blanks, and phrases between double quotes. A
    /// word that ends with `*` is the beginning of one.
    ///
    /// # Errors
    /// [`SearchError`], and nothing is looked for.
    pub fn new(raw: &str) -> Result<Self, SearchError> {
        if raw.len() > MAX_SEARCH_TEXT {
            return Err(SearchError::TooLong);
        }
        let mut phrases = Vec::new();
        for (at, part) in raw.split('"').enumerate() {
            // Every other part stands between quotes.
            if at % 2 == 1 {
                phrases.extend(Phrase::new(part));
            } else {
                phrases.extend(part.split_whitespace().filter_map(Phrase::new));
            }
        }
        if phrases.iter().map(|it| it.words.len()).sum::<usize>() > MAX_SEARCH_WORDS {
            return Err(SearchError::TooManyWords);
        }
        if phrases.is_empty() && !raw.is_empty() {
            return Err(SearchError::NoWord);
        }
        Ok(Self(phrases))
    }

    /// What all have to be in a text.
    #[must_use]
    pub fn phrases(&self) -> &[Phrase] {
        &self.0
    }

    /// Whether a text holds all of it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let words = words(text);
        self.0.iter().all(|phrase| phrase.is_in(&words))
    }
}

impl Phrase {
    /// The words of a piece of text, if there are any.
    fn new(raw: &str) -> Option<Self> {
        let words = words(raw);
        let is_prefix = raw.trim_end().ends_with('*');
        (!words.is_empty()).then_some(Self { words, is_prefix })
    }

    /// Whether the words follow one another somewhere.
    fn is_in(&self, words: &[String]) -> bool {
        let (Some((last, first)), count) = (self.words.split_last(), self.words.len()) else {
            return false;
        };
        words.windows(count).any(|window| {
            window.split_last().is_some_and(|(end, begin)| {
                begin == first && (end == last || self.is_prefix && end.starts_with(last))
            })
        })
    }
}

/// The words of a text: letters and digits that follow one another, without
/// their accents, in lower case.
fn words(text: &str) -> Vec<String> {
    let folded: String = text.nfd().filter(|it| !is_combining_mark(*it)).collect();
    let folded = folded.to_lowercase();
    folded
        .split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What to look for, in rooms that are named beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// What the text must hold.
    pub text: SearchText,
    /// Who must have written it: a name, whoever had it.
    pub from: Option<NameKey>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only entries with a smaller sequence.
    pub before: Sequence,
    /// The latest so many.
    pub limit: u16,
}

impl SearchQuery {
    /// Whether an entry is one of those that are looked for; its room is not
    /// asked.
    #[must_use]
    pub fn matches(&self, entry: &Logged) -> bool {
        entry.sequence < self.before
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && self.from.as_ref().is_none_or(|from| entry.draft.username.key() == from)
            && self.text.matches(entry.draft.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `query` finds `text`.
    fn finds(query: &str, text: &str) -> bool {
        SearchText::new(query).unwrap().matches(text)
    }

    #[test]
    fn words_and_phrases() {
        assert!(finds("tea milk", "Milk before TEA!"));
        assert!(!finds("tea sugar", "Milk before TEA!"));
        assert!(finds("\"before tea\"", "milk, before: tea"));
        assert!(!finds("\"tea before\"", "milk before tea"));
        assert!(finds("caf\u{e9}", "CAFE\u{301} au lait"));
        assert!(finds("don't", "I don't know") && !finds("don't", "don knows t"));
        assert!(finds("rasp* \"pi zer*\"", "a Raspberry Pi Zero") && !finds("rasp", "raspberry"));
        assert!(finds("", "anything"));
    }

    #[test]
    fn what_cannot_be_looked_for() {
        assert_eq!(SearchText::new("?! \"-\""), Err(SearchError::NoWord));
        assert_eq!(SearchText::new(" "), Err(SearchError::NoWord));
        assert_eq!(
            SearchText::new(&"a ".repeat(MAX_SEARCH_WORDS + 1)),
            Err(SearchError::TooManyWords)
        );
        assert_eq!(SearchText::new(&"a".repeat(MAX_SEARCH_TEXT + 1)), Err(SearchError::TooLong));
    }
}
