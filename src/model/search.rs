//! Search query: parses the words and phrases of a search and matches them against messages
//! (`docs/protocol/tcp.md`, section 10).

use std::ops::RangeInclusive;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::limits::{MAX_SEARCH_TEXT, MAX_SEARCH_WORDS};
use super::{LogEntry, NameKey, Sequence, Timestamp};

/// Sequence of adjacent words in a search; a single word is a phrase of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// Text as typed, for an index with a tokenizer of its own. Contains no double quote and no
    /// NUL.
    pub raw: String,
    /// Case-folded words; at least one, none of them empty.
    pub words: Vec<String>,
    /// True if the last word is a prefix that matches longer words.
    pub is_prefix: bool,
}

/// Parsed search text: phrases that must all occur in a message. Without phrases, every message
/// matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchTerms(Vec<Phrase>);

/// Reason why a search text is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SearchError {
    /// More than [`MAX_SEARCH_TEXT`] bytes.
    #[error("longer than {MAX_SEARCH_TEXT} bytes")]
    TooLong,
    /// More than [`MAX_SEARCH_WORDS`] words.
    #[error("more than {MAX_SEARCH_WORDS} words")]
    TooManyWords,
    /// Not empty, but without a letter or digit.
    #[error("there is no word in it")]
    NoWord,
}

impl SearchTerms {
    /// Parses a search text: words are separated by white space, phrases stand between double
    /// quotes, and a word with a trailing `*` is a prefix.
    ///
    /// # Errors
    /// [`SearchError`] if it is too long, or has too many words or none.
    pub fn new(raw: &str) -> Result<Self, SearchError> {
        if raw.len() > MAX_SEARCH_TEXT {
            return Err(SearchError::TooLong);
        }
        let mut phrases = Vec::new();
        for (at, part) in raw.split('"').enumerate() {
            // Parts with an odd index stood between quotes.
            if at % 2 == 1 {
                phrases.extend(Phrase::new(part));
            } else {
                phrases.extend(part.split_whitespace().filter_map(Phrase::new));
            }
        }
        // Counted as people do: a vowel sign does not end a word.
        let between = |it: char| !it.is_alphanumeric() && !is_combining_mark(it);
        if raw.split(between).filter(|it| it.contains(is_letter)).count() > MAX_SEARCH_WORDS {
            return Err(SearchError::TooManyWords);
        }
        if phrases.is_empty() && !raw.is_empty() {
            return Err(SearchError::NoWord);
        }
        Ok(Self(phrases))
    }

    /// Returns the phrases that must all occur in a message.
    #[must_use]
    pub fn phrases(&self) -> &[Phrase] {
        &self.0
    }

    /// Returns true if `text` contains every phrase.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let words = words(text);
        self.0.iter().all(|phrase| phrase.is_in(&words))
    }
}

impl Phrase {
    /// Parses the words of one phrase; `None` if there are none.
    fn new(raw: &str) -> Option<Self> {
        let words = words(raw);
        let is_prefix = raw.trim_end().ends_with('*');
        let raw = raw.replace('\0', " ");
        (!words.is_empty()).then_some(Self { raw, words, is_prefix })
    }

    /// Returns true if the phrase occurs among `words`, its words adjacent and in order.
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

/// Splits a text into case-folded words (tokenizes it): runs of letters and digits. Splits where
/// `unicode61` does, the tokenizer of the SQLite log: otherwise the results would change when a
/// message enters the index.
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

/// Enclosed alphanumerics (letters in circles and squares). They are symbols, although Unicode
/// counts them as alphabetic.
const CIRCLED: [RangeInclusive<char>; 2] = ['\u{24b6}'..='\u{24e9}', '\u{1f130}'..='\u{1f189}'];

/// Returns true for letters and digits. Combining marks are neither, not even those that represent
/// a vowel.
fn is_letter(char: char) -> bool {
    char.is_alphanumeric()
        && !is_combining_mark(char)
        && !CIRCLED.iter().any(|it| it.contains(&char))
}

/// Bit mask of the combining accents that do not end a word; bit 0 is U+0300.
const ACCENTS: u64 = 0x0003_61f8_0802_9fdf;

/// Returns true for a combining accent that belongs to the letter before it.
fn is_accent(char: char) -> bool {
    let bit = u32::from(char).checked_sub(0x300).and_then(|it| ACCENTS.checked_shr(it));
    bit.is_some_and(|it| it & 1 == 1)
}

/// Folds a word for comparison: lower case, as in `unicode61` without accents on Latin letters and
/// without separate combining accents elsewhere.
fn fold(word: &str) -> String {
    let bare = word.chars().filter(|it| !is_accent(*it)).map(|char| {
        let base = std::iter::once(char).nfd().next();
        base.filter(char::is_ascii).unwrap_or(char)
    });
    let lower = bare.flat_map(char::to_lowercase);
    // Final sigma equals sigma.
    lower.map(|it| if it == 'ς' { 'σ' } else { it }).collect()
}

/// Validated search filters, apart from the rooms, which are given separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Phrases that the text must contain.
    pub text: SearchTerms,
    /// Name key of the author, whichever session held the name.
    pub from: Option<NameKey>,
    /// Earliest time, inclusive.
    pub since: Option<Timestamp>,
    /// Latest time, exclusive.
    pub until: Option<Timestamp>,
    /// Matches only entries with a smaller sequence.
    pub before: Sequence,
    /// Maximum number of results; the latest ones are returned.
    pub limit: u16,
}

impl SearchQuery {
    /// Returns true if an entry passes all filters. Its room is not checked.
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

    /// Returns true if `query` matches `text`.
    fn finds(query: &str, text: &str) -> bool {
        SearchTerms::new(query).unwrap().matches(text)
    }

    #[test]
    fn search_matches_words_phrases_and_prefixes() {
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
    fn search_folds_words_of_many_scripts() {
        assert!(finds("ὁδός", "ὉΔΌΣ") && finds("όδος", "Η ΌΔΟΣ"));
        assert!(finds("नमस्ते", "नमस्ते दुनिया") && !finds("दुनिया", "नमस्ते"));
        assert!(finds("한국*", "한국어") && !finds("하*", "한국어"));
        assert!(finds("caf\u{e9}", "cafe\u{301}") && finds("TI\u{1ebe}NG", "ti\u{ea}\u{301}ng"));
        assert!(SearchTerms::new(&"สวัสดี ".repeat(12)).is_ok(), "these are 12 words");
        assert_eq!(SearchTerms::new("Ⓐ 🅱 \u{301}"), Err(SearchError::NoWord));
    }

    #[test]
    fn invalid_search_texts_are_refused() {
        assert_eq!(SearchTerms::new("?! \"-\""), Err(SearchError::NoWord));
        assert_eq!(SearchTerms::new(" "), Err(SearchError::NoWord));
        assert_eq!(
            SearchTerms::new(&"a ".repeat(MAX_SEARCH_WORDS + 1)),
            Err(SearchError::TooManyWords)
        );
        assert_eq!(SearchTerms::new(&"a".repeat(MAX_SEARCH_TEXT + 1)), Err(SearchError::TooLong));
    }
}
