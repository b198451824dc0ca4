//! Sanitising of untrusted text before it is displayed: `docs/protocol/README.md`, section 3.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Maximum number of combining marks in a row that are displayed. No language needs more than eight
/// above and below a letter; endless ones cover the lines around them.
const MAX_MARKS: usize = 10;

/// Maximum number of tag characters in a row that are displayed. The flag of a region, such as
/// Scotland, has up to six and an end tag.
const MAX_FLAG_TAGS: usize = 7;

/// Black flag, U+1F3F4: tag characters after it select the flag of a region.
const BLACK_FLAG: char = '\u{1f3f4}';

/// Maximum number of characters of a name that are displayed. No valid name is longer.
const MAX_SHOWN_NAME_CHARS: usize = 64;

/// Replacement character, U+FFFD: stands for a character that is unsafe to display.
pub const REPLACEMENT: char = '\u{fffd}';

/// Returns true if a character is unsafe to display, because it can affect more than its own cell
/// on the screen. Unsafe are control characters (newline and tab too), bidirectional controls, line
/// and paragraph separators, and some invisible characters such as the zero-width space. Zero-width
/// joiners count as safe, because scripts and emoji need them; so do tag characters, which
/// [`displayable_chars`] limits.
#[must_use]
pub fn is_unsafe_char(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Sanitises a multi-line text for display. Keeps newlines and tabs. Turns Unicode's line and
/// paragraph separators into newlines. Puts a [`REPLACEMENT`] in place of every other unsafe
/// character, and of each sequence that [`displayable_chars`] replaces.
#[must_use]
pub fn sanitize_text(text: &str) -> String {
    displayable_chars(text)
        .map(|c| match c {
            '\n' | '\t' => c,
            '\u{2028}' | '\u{2029}' => '\n',
            c if is_unsafe_char(c) => REPLACEMENT,
            c => c,
        })
        .collect()
}

/// Sanitizes text for display on a single line, such as a server's notice. Replaces each newline or
/// tab by a space, and each dangerous character by U+FFFD.
#[must_use]
pub fn safe_line(text: &str) -> String {
    displayable_chars(text)
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if is_unsafe_char(c) => REPLACEMENT,
            c => c,
        })
        .collect()
}

/// Sanitizes a name for display, so that it cannot imitate the text around it. Replaces dangerous
/// characters, whitespace and ASCII punctuation by U+FFFD. Keeps `-`, `_` and `.`. Cuts the name to
/// 64 characters. Returns U+FFFD for an empty name.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let is_plain = |c: char| {
        let is_sign = c.is_ascii_punctuation() && !matches!(c, '-' | '_' | '.');
        !is_unsafe_char(c) && !c.is_whitespace() && !is_sign
    };
    let shown: String = displayable_chars(name)
        .take(MAX_SHOWN_NAME_CHARS)
        .map(|c| if is_plain(c) { c } else { REPLACEMENT })
        .collect();
    if shown.is_empty() { REPLACEMENT.to_string() } else { shown }
}

/// Returns the characters of a text for display. One [`REPLACEMENT`] stands for each of these:
/// - a run of invisible tag characters (U+E0000 to U+E007F) that does not directly follow a black
///   flag;
/// - the tag characters of a run after the first 7, if the run follows a black flag;
/// - the combining marks of a run after the first 10.
///
/// All other characters are unchanged; some may be unsafe ([`is_unsafe_char`]).
pub fn displayable_chars(text: &str) -> impl Iterator<Item = char> {
    let mut previous = RunKind::Other;
    let mut length = 0_usize;
    let mut is_flag = false;
    text.chars().filter_map(move |c| {
        let kind = RunKind::of(c);
        if kind == previous {
            length = length.saturating_add(1);
        } else {
            is_flag = kind == RunKind::Tag && is_flag;
            (previous, length) = (kind, 1);
        }
        let limit = match kind {
            RunKind::Other => {
                is_flag = c == BLACK_FLAG;
                return Some(c);
            }
            RunKind::Mark => MAX_MARKS,
            RunKind::Tag if is_flag => MAX_FLAG_TAGS,
            RunKind::Tag => 0,
        };
        // One replacement for the whole rest of the run.
        if length <= limit { Some(c) } else { (length == limit + 1).then_some(REPLACEMENT) }
    })
}

/// Kind of a character. The length of a run of marks or tags is limited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunKind {
    /// Combining mark.
    Mark,
    /// Tag character.
    Tag,
    /// Every other character, without a limit.
    Other,
}

impl RunKind {
    /// Returns the kind of a character.
    fn of(c: char) -> Self {
        match c {
            '\0'..='\u{2ff}' => Self::Other,
            '\u{e0000}'..='\u{e007f}' => Self::Tag,
            c if c.general_category_group() == GeneralCategoryGroup::Mark => Self::Mark,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text that [`displayable_chars`] makes of a text.
    fn displayed(text: &str) -> String {
        displayable_chars(text).collect()
    }

    #[test]
    fn hidden_tags_are_replaced_and_flags_kept() {
        let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        for text in [scotland, "\u{1f3f4}", "a\u{1f3f4}b"] {
            assert_eq!(displayed(text), text);
        }
        let hidden = "\u{e0068}\u{e0069}\u{e0001}".repeat(100);
        assert_eq!(displayed(&format!("a{hidden}b{hidden}")), "a\u{fffd}b\u{fffd}");
        assert_eq!(
            displayed(&format!("{scotland}{hidden}")),
            format!("{scotland}\u{e0068}\u{fffd}")
        );
        assert_eq!(displayed(&format!("\u{1f3f4}a{hidden}")), "\u{1f3f4}a\u{fffd}");
    }

    #[test]
    fn endless_combining_marks_are_cut() {
        for text in ["o\u{308}", "ש\u{5c1}\u{5b8}", "ที่นี่", "👩\u{200d}👧", "❤\u{fe0f}"]
        {
            assert_eq!(displayed(text), text);
        }
        let marks = "\u{300}".repeat(MAX_MARKS);
        assert_eq!(displayed(&format!("a{marks}b{marks}")), format!("a{marks}b{marks}"));
        let endless = "\u{300}\u{489}".repeat(1_000);
        assert_eq!(displayed(&endless).chars().count(), MAX_MARKS + 1);
        let once = displayed(&format!("a{endless}b"));
        assert!(once.ends_with("\u{fffd}b"));
        assert_eq!(displayed(&once), once, "nothing is replaced twice");
    }
}
