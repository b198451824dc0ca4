//! Text from outside: what is typed, pasted, or comes from an editor is made harmless here.

use super::editor::MAX_TEXT_BYTES;
use crate::model::is_unsafe_char;

/// Maximum number of lines of a pasted text that is inserted without a question.
pub(super) const MAX_UNASKED_LINES: usize = 5;

/// What a tab becomes.
const TAB: &str = "    ";

/// Text without characters that control the terminal.
pub(super) struct CleanText {
    /// The text.
    pub(super) text: String,
    /// True if the rest was cut off.
    pub(super) is_cut: bool,
}

impl CleanText {
    /// Returns the number of lines. A line break at the end begins no further line.
    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

/// Makes a text harmless, and cuts it to `max` bytes. A tab becomes four spaces; every kind of line
/// break becomes `\n`; all other characters that control how text is shown are removed
/// ([`is_unsafe_char`]).
pub(super) fn clean(text: &str, max: usize) -> CleanText {
    let max = max.min(MAX_TEXT_BYTES);
    let mut cleaned = String::with_capacity(text.len().min(max));
    let mut previous = '\0';
    for c in text.chars() {
        let mut buffer = [0; 4];
        let piece = match c {
            '\n' if previous == '\r' => "",
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => "\n",
            '\t' => TAB,
            c if is_unsafe_char(c) => "",
            c => c.encode_utf8(&mut buffer),
        };
        if cleaned.len() + piece.len() > max {
            return CleanText { text: cleaned, is_cut: true };
        }
        cleaned += piece;
        previous = c;
    }
    CleanText { text: cleaned, is_cut: false }
}

/// Makes a text harmless like [`clean`], and returns its first line: a password, or what is
/// searched for.
pub(super) fn clean_line(text: &str) -> String {
    let mut cleaned = clean(text, MAX_TEXT_BYTES).text;
    let end = cleaned.find('\n').unwrap_or(cleaned.len());
    cleaned.truncate(end);
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Line breaks and tabs are kept in one form, controls are removed.
    #[test]
    fn text_is_made_harmless() {
        for (from, to) in [
            ("a\r\nb\rc\n\nd\u{2028}e", "a\nb\nc\n\nd\ne"),
            ("\r\n\r\n", "\n\n"),
            ("a\tb", "a    b"),
            ("\u{1b}[31mred\u{1b}[0m\u{7}\u{9b}\0", "[31mred[0m"),
            ("a\u{202e}b\u{200b}\u{feff}", "ab"),
            ("👩‍👧 e\u{301} می‌خواهم", "👩‍👧 e\u{301} می‌خواهم"),
        ] {
            assert_eq!(clean(from, 99).text, to, "{from:?}");
        }
        assert_eq!(clean_line("secret\r\nmore"), "secret");
    }

    /// A text is cut between characters, and that is said.
    #[test]
    fn text_is_cut() {
        let cut = clean("ab\tc", 5);
        assert_eq!((cut.text.as_str(), cut.is_cut), ("ab", true));
        assert!(!clean("ab\tc", 7).is_cut);
        let long = clean(&"é".repeat(MAX_TEXT_BYTES), usize::MAX);
        assert_eq!((long.text.len(), long.is_cut), (MAX_TEXT_BYTES, true));
    }

    proptest! {
        /// No control character is left, and cleaning twice changes nothing more.
        #[test]
        fn clean_text_is_harmless(text in any::<String>(), max in 0_usize..60) {
            let once = clean(&text, max).text;
            prop_assert!(once.len() <= max);
            prop_assert!(once.chars().all(|c| c == '\n' || !is_unsafe_char(c)));
            prop_assert_eq!(&clean(&once, max).text, &once);
        }
    }
}
