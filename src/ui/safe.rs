//! Sanitizing of untrusted text for display: `docs/protocol/README.md`, section 3.

pub(super) use crate::model::{is_unsafe_char, safe_name};
pub use crate::model::{safe_line, sanitize_text};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::displayable_chars;

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
