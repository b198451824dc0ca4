//! Making text of others harmless for a grid of cells.

use std::borrow::Cow;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::ui::safe::sanitize_text;

/// Dotted circle, U+25CC: carries a mark that has no letter.
const DOTTED_CIRCLE: char = '\u{25cc}';

/// Makes text of others harmless for a grid of cells. Nothing in it affects what is drawn around it,
/// and no character of it is dropped.
///
/// - Characters that are dangerous to display become U+FFFD, as [`sanitize_text`] tells; among them
///   are escape sequences and those that turn the direction of writing. Newlines and tabs stay.
/// - A combining mark at the beginning of a line gets a dotted circle to stand on. Otherwise it would
///   not be drawn, or would stand on the text before it.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) {
        return Cow::Borrowed(text);
    }
    let clean = sanitize_text(text);
    let mut shown = String::with_capacity(clean.len());
    for line in clean.split_inclusive('\n') {
        if line.chars().next().is_some_and(is_mark) {
            shown.push(DOTTED_CIRCLE);
        }
        shown.push_str(line);
    }
    if shown == text { Cow::Borrowed(text) } else { Cow::Owned(shown) }
}

/// Returns true for a combining mark.
fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harmless_text_is_borrowed() {
        for text in ["", "a b\n\tc ~", "Grüße, שלום, e\u{301}", "👩\u{200d}👧 🇩🇪"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn dangerous_characters_are_replaced() {
        let cases = [
            ("a\u{1b}[2Jb\r", "a\u{fffd}[2Jb\u{fffd}"),
            // Overrides, embeddings, isolates and marks of direction.
            ("\u{202e}\u{202b}\u{2067}\u{200f}x", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}x"),
            ("a\u{200b}b", "a\u{fffd}b"),
            ("a\u{2028}b", "a\nb"),
            ("\u{301}a\n\u{301}b", "\u{25cc}\u{301}a\n\u{25cc}\u{301}b"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    proptest! {
        /// No character is one that ratatui skips, no line begins with a mark, and nothing is
        /// replaced twice.
        #[test]
        fn visible_text_stays_in_its_cells(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(!shown.lines().any(|line| line.starts_with(is_mark)));
            prop_assert_eq!(visible(&shown), shown.as_ref());
        }
    }
}
