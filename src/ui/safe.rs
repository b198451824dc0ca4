//! Sanitizing of untrusted text for display: `docs/protocol/README.md`, section 3.

pub(super) use crate::model::is_unsafe_char;
pub use crate::model::sanitize_text;
use crate::model::{REPLACEMENT, displayable_chars};

/// Maximum number of characters of a name that are displayed. No valid name is longer.
const MAX_SHOWN_NAME_CHARS: usize = 64;

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
/// [`MAX_SHOWN_NAME_CHARS`]. Returns U+FFFD for an empty name.
pub(super) fn safe_name(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns true if the text has no dangerous characters other than `allowed`.
    fn is_clean(text: &str, allowed: &[char]) -> bool {
        text.chars().all(|c| allowed.contains(&c) || !is_unsafe_char(c))
    }

    /// Returns random text in which control and formatting characters are frequent.
    fn hostile_text() -> impl Strategy<Value = String> {
        let one = prop_oneof![
            any::<char>(),
            (0_u32..0x250).prop_map(|c| char::from_u32(c).unwrap()),
            (0x2000_u32..0x2070).prop_map(|c| char::from_u32(c).unwrap()),
        ];
        prop::collection::vec(one, 0..60).prop_map(|all| all.into_iter().collect())
    }

    proptest! {
        /// Sanitized text has no dangerous characters, and harmless text is unchanged.
        #[test]
        fn sanitized_text_has_no_dangerous_characters(text in hostile_text()) {
            prop_assert!(is_clean(&sanitize_text(&text), &['\n', '\t']));
            prop_assert!(is_clean(&safe_line(&text), &[]));
            let name = safe_name(&text);
            prop_assert!(is_clean(&name, &[]) && !name.contains([' ', ':', '[', ']', '*', '#', '~']));
            prop_assert_eq!(sanitize_text(&sanitize_text(&text)), sanitize_text(&text));
            let is_displayable = displayable_chars(&text).eq(text.chars());
            if is_displayable && is_clean(&text, &['\n', '\t']) {
                prop_assert_eq!(sanitize_text(&text), text);
            }
        }
    }

    /// The dangerous characters that the protocol lists are replaced.
    #[test]
    fn dangerous_characters_of_the_protocol_are_replaced() {
        let bidi = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}";
        assert!(bidi.chars().all(is_unsafe_char));
        assert!("\u{1b}\u{9b}\u{7f}\r\u{0}".chars().all(is_unsafe_char));
        assert_eq!(sanitize_text("👩‍👧 ok\n\u{1b}[2J"), "👩‍👧 ok\n\u{fffd}[2J");
    }
}
