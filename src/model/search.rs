//! What to look for in the messages of the past: `docs/protocol/tcp.md`,
//! section 10.

use std::ops::RangeInclusive;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::limits::{MAX_SEARCH_TEXT, MAX_SEARCH_WORDS};
use super::{LogEntry, NameKey, Sequence, Timestamp};

/// Words that have to follow one another in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// As it was typed, for an index that has its own way to fold words;
    /// there is no double quote and no NUL in it.
    pub raw: String,
    /// The words, folded: none is empty, and there is at least one.
    pub words: Vec<String>,
    /// The last word may go on: only its beginning is given.
    pub is_prefix: bool,
}

/// Words and phrases all of which a text has to hold; none is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchTerms(Vec<Phrase>);

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

impl SearchTerms {
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
        // As people count them: a vowel sign ends none.
        let between = |it: char| !it.is_alphanumeric() && !is_combining_mark(it);
        if raw.split(between).filter(|it| it.contains(is_letter)).count() > MAX_SEARCH_WORDS {
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
        let raw = raw.replace('\0', " ");
        (!words.is_empty()).then_some(Self { raw, words, is_prefix })
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

/// The words of a text: letters and digits that follow one another, folded. A text is cut where `unicode61` cuts it, the
/// tokenizer of the log on disk: else what is found would change when a message
/// gets into the index.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(is_letter) {
        let (_, from) = rest.split_at(begin);
        let end = from.find(|it| !is_letter(it) && !is_accent(it)).unwrap_or(from.len());
        let (word, behind) = from.split_at(end);
        words.push(fold(word));
        rest = behind;
    }
    words
}

/// Letters in circles and squares. They are symbols, although Unicode has
/// them in its alphabets.
const CIRCLED: [RangeInclusive<char>; 2] = ['\u{24b6}'..='\u{24e9}', '\u{1f130}'..='\u{1f189}'];

/// Whether this is a letter or a digit. Marks are not, also those which stand
/// for a vowel.
fn is_letter(char: char) -> bool {
    char.is_alphanumeric()
        && !is_combining_mark(char)
        && !CIRCLED.iter().any(|it| it.contains(&char))
}

/// The accents that do not end a word: a bit for each from U+0300 on.
const ACCENTS: u64 = 0x0003_61f8_0802_9fdf;

/// Whether this is an accent that belongs to the letter before it.
fn is_accent(char: char) -> bool {
    let bit = u32::from(char).checked_sub(0x300).and_then(|it| ACCENTS.checked_shr(it));
    bit.is_some_and(|it| it & 1 == 1)
}

/// A word in lower case. As in `unicode61`, Latin letters lose their accents,
/// others only those which are characters of their own.
fn fold(word: &str) -> String {
    let bare = word.chars().filter(|it| !is_accent(*it)).map(|char| {
        let base = std::iter::once(char).nfd().next();
        base.filter(char::is_ascii).unwrap_or(char)
    });
    let lower = bare.flat_map(char::to_lowercase);
    // At the end of a word a small sigma looks otherwise.
    lower.map(|it| if it == 'ς' { 'σ' } else { it }).collect()
}

/// What to look for, in rooms that are named beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// What the text must hold.
    pub text: SearchTerms,
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
    pub fn matches(&self, entry: &LogEntry) -> bool {
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
        SearchTerms::new(query).unwrap().matches(text)
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
    fn scripts_of_all_kinds() {
        assert!(finds("ὁδός", "ὉΔΌΣ") && finds("όδος", "Η ΌΔΟΣ"));
        assert!(finds("नमस्ते", "नमस्ते दुनिया") && !finds("दुनिया", "नमस्ते"));
        assert!(finds("한국*", "한국어") && !finds("하*", "한국어"));
        assert!(finds("caf\u{e9}", "cafe\u{301}") && finds("TI\u{1ebe}NG", "ti\u{ea}\u{301}ng"));
        assert!(SearchTerms::new(&"สวัสดี ".repeat(12)).is_ok(), "these are 12 words");
        assert_eq!(SearchTerms::new("Ⓐ 🅱 \u{301}"), Err(SearchError::NoWord));
    }

    #[test]
    fn what_cannot_be_looked_for() {
        assert_eq!(SearchTerms::new("?! \"-\""), Err(SearchError::NoWord));
        assert_eq!(SearchTerms::new(" "), Err(SearchError::NoWord));
        assert_eq!(
            SearchTerms::new(&"a ".repeat(MAX_SEARCH_WORDS + 1)),
            Err(SearchError::TooManyWords)
        );
        assert_eq!(SearchTerms::new(&"a".repeat(MAX_SEARCH_TEXT + 1)), Err(SearchError::TooLong));
    }
}
