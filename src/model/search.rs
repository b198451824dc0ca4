//! Search: parses the words and phrases of a search text and matches them against messages
//! (`docs/protocol/tcp.md`, section 10).

#[cfg(feature = "ui")]
use std::ops::Range;
use std::ops::RangeInclusive;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::limits::{MAX_SEARCH_TEXT, MAX_SEARCH_WORDS};
use super::{LogEntry, NameKey, Sequence, Style, Timestamp};

/// Phrase of a search: words that must occur next to each other, in this order. A single word is a
/// phrase too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// Text as typed, including a trailing `*`. It is for a full-text index, which splits it into
    /// words by itself. Contains no double quote. Each NUL was replaced by a space.
    pub raw: String,
    /// Words, folded for comparison; at least one, and none is empty.
    pub words: Vec<String>,
    /// True if the phrase ends with `*`. Its last word then matches every word that begins with
    /// that word.
    pub is_prefix: bool,
}

/// Parsed search text: the phrases that a message must contain. Without phrases (an empty search
/// text), every message matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchTerms(Vec<Phrase>);

/// Reason why a search text is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SearchError {
    /// The text has more than [`MAX_SEARCH_TEXT`] bytes.
    #[error("longer than {MAX_SEARCH_TEXT} bytes")]
    TooLong,
    /// The text has more than [`MAX_SEARCH_WORDS`] words.
    #[error("more than {MAX_SEARCH_WORDS} words")]
    TooManyWords,
    /// The text is not empty, but has no word: no letter or digit.
    #[error("there is no word in it")]
    NoWord,
}

impl SearchTerms {
    /// Parses a search text. Words are separated by white space. Phrases stand between double
    /// quotes. A `*` at the end of a word or phrase makes its last word a prefix. Parts without a
    /// letter or digit are ignored. An empty text has no phrases.
    ///
    /// # Errors
    /// [`SearchError`] if the text is too long or has too many words. Also if the text has no word
    /// and is not empty.
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
        // A combining mark, such as a vowel sign, does not end a word here.
        let between = |it: char| !it.is_alphanumeric() && !is_combining_mark(it);
        if raw.split(between).filter(|it| it.contains(is_letter)).count() > MAX_SEARCH_WORDS {
            return Err(SearchError::TooManyWords);
        }
        if phrases.is_empty() && !raw.is_empty() {
            return Err(SearchError::NoWord);
        }
        Ok(Self(phrases))
    }

    /// Returns the phrases that a message must contain.
    #[must_use]
    pub fn phrases(&self) -> &[Phrase] {
        &self.0
    }

    /// Returns true if `text`, the text of a message, contains every phrase.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let words = words(text);
        self.0.iter().all(|phrase| phrase.is_in(&words))
    }

    /// Returns where the phrases stand in a text, as ranges of bytes from the first to the last word
    /// of each: ascending, without overlaps. Of a prefix, the whole word counts.
    #[cfg(feature = "ui")]
    #[must_use]
    pub fn ranges_in(&self, text: &str) -> Vec<Range<usize>> {
        let (places, words): (Vec<_>, Vec<_>) =
            split_words(text).map(|(at, word)| (at..at + word.len(), fold(word))).unzip();
        let mut found: Vec<Range<usize>> = Vec::new();
        for phrase in &self.0 {
            let count = phrase.words.len();
            let windows = words.windows(count).zip(places.windows(count));
            found.extend(windows.filter_map(|(words, places)| {
                let (first, last) = (places.first()?, places.last()?);
                phrase.is_at(words).then_some(first.start..last.end)
            }));
        }
        found.sort_by_key(|it| it.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }
}

impl Phrase {
    /// Parses one phrase, given without its quotes; `None` if it has no word.
    fn new(raw: &str) -> Option<Self> {
        let words = words(raw);
        let is_prefix = raw.trim_end().ends_with('*');
        let raw = raw.replace('\0', " ");
        (!words.is_empty()).then_some(Self { raw, words, is_prefix })
    }

    /// Returns true if the words of the phrase occur in `words`, adjacent and in order. `words`:
    /// folded words of a message. The last word of a prefix phrase matches every word that begins
    /// with it.
    fn is_in(&self, words: &[String]) -> bool {
        words.windows(self.words.len().max(1)).any(|window| self.is_at(window))
    }

    /// Returns true if these words, as many as the phrase has, are the phrase.
    fn is_at(&self, window: &[String]) -> bool {
        let (Some((last, first)), Some((end, begin))) =
            (self.words.split_last(), window.split_last())
        else {
            return false;
        };
        begin == first && (end == last || self.is_prefix && end.starts_with(last))
    }
}

/// Tokenizes a text: returns its words, folded by [`fold`].
fn words(text: &str) -> Vec<String> {
    split_words(text).map(|(_, word)| fold(word)).collect()
}

/// Returns the words of a text, each with the index of its first byte. A word is a run of letters,
/// digits and their accents.
///
/// Splits as the SQLite tokenizer `unicode61` does, so that a search finds the same messages with
/// and without the index.
fn split_words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let begin = at + rest.find(is_letter)?;
        let from = text.get(begin..)?;
        let end = from.find(|it| !is_letter(it) && !is_accent(it)).unwrap_or(from.len());
        at = begin + end;
        Some((begin, from.get(..end)?))
    })
}

/// Enclosed alphanumerics (letters in circles and squares). They are not part of words, although
/// Unicode counts them as alphabetic.
const CIRCLED: [RangeInclusive<char>; 2] = ['\u{24b6}'..='\u{24e9}', '\u{1f130}'..='\u{1f189}'];

/// Returns true if `char` is a letter or digit: a word begins with it. False for combining marks
/// and [`CIRCLED`] letters, even if Unicode counts them as alphabetic.
fn is_letter(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_alphanumeric();
    }
    char.is_alphanumeric()
        && !is_combining_mark(char)
        && !CIRCLED.iter().any(|it| it.contains(&char))
}

/// Combining accents that continue a word, as a bit mask: bit `n` stands for U+0300 + `n`.
const ACCENTS: u64 = 0x0003_61f8_0802_9fdf;

/// Returns true if `char` is a combining accent that continues a word ([`ACCENTS`]).
fn is_accent(char: char) -> bool {
    let bit = u32::from(char).checked_sub(0x300).and_then(|it| ACCENTS.checked_shr(it));
    bit.is_some_and(|it| it & 1 == 1)
}

/// Folds a word for comparison, as `unicode61` does. Converts to lower case, removes combining
/// accents, and replaces accented Latin letters by their ASCII base letters.
fn fold(word: &str) -> String {
    // The usual case: without tables, which are a hundred times slower.
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let bare = word.chars().filter(|it| !is_accent(*it)).map(|char| {
        let base = std::iter::once(char).nfd().next();
        base.filter(char::is_ascii).unwrap_or(char)
    });
    let lower = bare.flat_map(char::to_lowercase);
    // A final sigma is compared as a sigma.
    lower.map(|it| if it == 'ς' { 'σ' } else { it }).collect()
}

/// Validated search filters. An entry must pass all of them. The rooms to search are given
/// separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// Phrases that the message text must contain.
    pub text: SearchTerms,
    /// Key of the author's username, whatever the session; `None`: any author.
    pub from: Option<NameKey>,
    /// Earliest time of an entry, inclusive; `None`: no bound.
    pub since: Option<Timestamp>,
    /// Latest time of an entry, exclusive; `None`: no bound.
    pub until: Option<Timestamp>,
    /// Upper bound: the sequence of an entry must be smaller.
    pub before: Sequence,
    /// Maximum number of results; the latest matches are returned.
    pub limit: u16,
}

impl SearchQuery {
    /// Returns true if an entry passes all filters. Checks neither its room nor `limit`. A message
    /// whose text was removed passes none.
    #[must_use]
    pub fn matches(&self, entry: &LogEntry) -> bool {
        entry.sequence < self.before
            && entry.draft.style != Style::REMOVED
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

    /// What was searched for is found again in the text, wherever it stands there.
    #[cfg(feature = "ui")]
    #[test]
    fn places_of_phrases_are_found() {
        let places = |query: &str, text: &str| -> Vec<String> {
            let terms = SearchTerms::new(query).unwrap();
            terms.ranges_in(text).into_iter().map(|it| text[it].to_owned()).collect()
        };
        assert_eq!(places("tea milk", "Milk, then TEA: tea!"), ["Milk", "TEA", "tea"]);
        assert_eq!(places("\"hot milk\" milk", "milk: hot, milk"), ["milk", "hot, milk"]);
        assert_eq!(places("rasp*", "grasp Raspberry"), ["Raspberry"]);
        assert_eq!(places("cafe", "Im Cafe\u{301}, 喫茶 café"), ["Cafe\u{301}", "café"]);
        assert_eq!(places("\"a a\"", "a a a b"), ["a a a"]);
        assert!(places("tea", "steam").is_empty() && places("", "tea").is_empty());
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
